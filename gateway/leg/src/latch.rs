//! Whose packets are believed. A stranger who sprays RTP over all ports must neither be heard nor be sent a call
//! (CVE-2017-14099): the address of the SDP is believed at once, and nobody else is once it has been heard. While it has not, another one is
//! learned only from the signalling or SDP host, soon after the answer, after several packets in order, and only once; the
//! SDP's own takes the place back as long as one could be learned. Behind one address there may be another telephone that has not
//! heard of its own call's end.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use media::{RtpPacket, Ssrc};

/// After the answer, an address other than the SDP's may be learned for this long.
const LEARN_WINDOW: Duration = Duration::from_secs(3);

/// Packets of one source, numbers rising, before it is learned.
const LEARN_PACKETS: u32 = 5;

pub(crate) struct Latch {
    remote: SocketAddr,
    sdp: SocketAddr,
    signalling: IpAddr,
    deadline: Instant,
    learned: bool,
    /// Nobody else is believed, whenever he comes.
    certain: bool,
    /// The address to send to has sent.
    heard: bool,
    candidate: Option<Candidate>,
}

struct Candidate {
    from: SocketAddr,
    ssrc: Ssrc,
    seq: u16,
    packets: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Peer,
    Stranger,
}

impl Latch {
    pub(crate) fn new(sdp: SocketAddr, signalling: IpAddr, now: Instant) -> Self {
        Self {
            remote: sdp,
            sdp,
            signalling,
            deadline: now + LEARN_WINDOW,
            learned: false,
            certain: false,
            heard: false,
            candidate: None,
        }
    }

    /// He is where he was, by a new description: believed and sent to on. What a NAT remembers may be forgotten by the end of a hold,
    /// so another port of his may be learned again, unless he is heard first.
    pub(crate) fn reopen(&mut self, now: Instant) {
        (self.learned, self.certain, self.candidate) = (false, false, None);
        self.deadline = now + LEARN_WINDOW;
    }

    /// Nobody else is believed, whatever comes.
    pub(crate) fn is_certain(&self) -> bool {
        self.certain
    }

    /// Something has come from where we send.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// Where to send.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether this may be the peer: where the SDP has him, or in the first seconds where he may be learned.
    pub(crate) fn may_learn(&self, from: SocketAddr, now: Instant) -> bool {
        let near = from.ip() == self.signalling || from.ip() == self.sdp.ip();
        let is_open = !self.certain && now <= self.deadline;
        from == self.remote || is_open && (from == self.sdp || !self.learned && near)
    }

    pub(crate) fn judge(&mut self, from: SocketAddr, packet: &RtpPacket<'_>, now: Instant) -> Verdict {
        if !self.may_learn(from, now) {
            return Verdict::Stranger;
        }
        if from == self.sdp {
            self.prove(from);
            return Verdict::Peer;
        }
        if from == self.remote {
            (self.learned, self.heard) = (true, true);
            return Verdict::Peer;
        }
        let packets = match &self.candidate {
            Some(last) if last.from == from && last.ssrc == packet.ssrc && last.seq.wrapping_add(1) == packet.seq => {
                last.packets + 1
            }
            _ => 1,
        };
        self.candidate = Some(Candidate { from, ssrc: packet.ssrc, seq: packet.seq, packets });
        if packets < LEARN_PACKETS {
            return Verdict::Stranger;
        }
        self.remote = from;
        (self.learned, self.heard) = (true, true);
        Verdict::Peer
    }

    /// The peer is there: he has proven it by his certificate, or is where he said.
    pub(crate) fn prove(&mut self, from: SocketAddr) {
        self.remote = from;
        (self.learned, self.certain, self.heard) = (true, true, true);
    }

    /// The only address that will be believed from now on, once there is one.
    pub(crate) fn settled(&self, now: Instant) -> Option<SocketAddr> {
        (self.heard && (self.certain || now > self.deadline)).then_some(self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(latch: &mut Latch, from: &str, seqs: std::ops::Range<u16>, now: Instant) -> Verdict {
        let mut verdict = Verdict::Stranger;
        for seq in seqs {
            let packet =
                RtpPacket { payload_type: 0, marker: false, seq, timestamp: 0, ssrc: Ssrc(5), payload: &[0; 160] };
            verdict = latch.judge(from.parse().unwrap(), &packet, now);
        }
        verdict
    }

    fn latch(now: Instant) -> Latch {
        Latch::new("10.0.0.7:4000".parse().unwrap(), "203.0.113.9".parse().unwrap(), now)
    }

    #[test]
    fn the_address_of_the_sdp_is_believed_at_once() {
        let now = Instant::now();
        assert_eq!(judge(&mut latch(now), "10.0.0.7:4000", 0..1, now), Verdict::Peer);
    }

    // trap: private address in SDP
    #[test]
    fn the_signalling_host_is_learned_after_five_in_a_row() {
        let now = Instant::now();
        let mut latch = latch(now);
        assert_eq!(judge(&mut latch, "203.0.113.9:9", 0..4, now), Verdict::Stranger);
        assert_eq!(judge(&mut latch, "203.0.113.9:9", 4..5, now), Verdict::Peer);
        assert_eq!(latch.remote(), "203.0.113.9:9".parse::<SocketAddr>().unwrap());
        assert_eq!(judge(&mut latch, "203.0.113.9:11", 0..50, now), Verdict::Stranger, "only once");
    }

    // reliability: A6
    #[test]
    fn who_was_learned_is_believed_on_after_a_new_description_that_leaves_him_where_he_was() {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut latch = latch(now);
        judge(&mut latch, "203.0.113.9:9", 0..5, now);
        latch.reopen(later);
        assert_eq!(latch.remote(), "203.0.113.9:9".parse::<SocketAddr>().unwrap());
        assert_eq!(judge(&mut latch, "203.0.113.9:9", 5..6, later), Verdict::Peer);
        assert_eq!(judge(&mut latch, "203.0.113.9:11", 0..50, later), Verdict::Stranger, "he is there");
        // His NAT has forgotten him during a hold: he comes by another port.
        latch.reopen(later);
        assert_eq!(judge(&mut latch, "203.0.113.9:11", 0..5, later), Verdict::Peer);
        assert_eq!(latch.remote(), "203.0.113.9:11".parse::<SocketAddr>().unwrap());
        assert_eq!(judge(&mut latch, "203.0.113.9:9", 6..50, later), Verdict::Stranger);
    }

    #[test]
    fn it_settles_when_nobody_else_can_be_learned() {
        let now = Instant::now();
        let later = now + LEARN_WINDOW + Duration::from_millis(1);
        let mut heard = latch(now);
        assert_eq!(judge(&mut heard, "10.0.0.7:4000", 0..1, now), Verdict::Peer);
        assert_eq!(heard.settled(now), Some("10.0.0.7:4000".parse().unwrap()));
        let mut learned = latch(now);
        assert_eq!(judge(&mut learned, "203.0.113.9:9", 0..5, now), Verdict::Peer);
        assert_eq!(learned.settled(now + LEARN_WINDOW), None, "the SDP's own may come yet");
        assert_eq!(learned.settled(later), Some("203.0.113.9:9".parse().unwrap()));
        assert_eq!(latch(now).settled(later), None);
    }

    // reliability: A6
    #[test]
    fn the_address_of_the_sdp_wins_over_another_telephone_behind_it() {
        let now = Instant::now();
        let own: SocketAddr = "10.0.0.7:4000".parse().unwrap();
        // One that has not heard of its call's end sends on, to a port that has another call now.
        for stray in ["10.0.0.7:5000", "203.0.113.9:5000"] {
            let mut late = latch(now);
            assert_eq!(judge(&mut late, stray, 0..5, now), Verdict::Peer, "he might be behind a NAT");
            assert_eq!(judge(&mut late, "10.0.0.7:4000", 0..1, now + LEARN_WINDOW), Verdict::Peer);
            assert_eq!(late.remote(), own);
            let mut early = latch(now);
            assert_eq!(judge(&mut early, "10.0.0.7:4000", 0..1, now), Verdict::Peer);
            for latch in [&mut late, &mut early] {
                assert_eq!(judge(latch, stray, 5..500, now), Verdict::Stranger);
                assert_eq!(latch.remote(), own);
            }
        }
        // Whoever was learned is nobody else's any more after that.
        let mut learned = latch(now);
        judge(&mut learned, "203.0.113.9:9", 0..5, now);
        let later = now + LEARN_WINDOW + Duration::from_millis(1);
        assert_eq!(judge(&mut learned, "10.0.0.7:4000", 0..500, later), Verdict::Stranger);
    }

    #[test]
    fn a_sprayer_is_never_believed() {
        let now = Instant::now();
        let mut latch = latch(now);
        assert_eq!(judge(&mut latch, "198.51.100.1:4000", 0..500, now), Verdict::Stranger);
        assert_eq!(judge(&mut latch, "203.0.113.9:9", 0..500, now + Duration::from_secs(4)), Verdict::Stranger);
        assert_eq!(latch.remote(), "10.0.0.7:4000".parse::<SocketAddr>().unwrap());
    }
}
