//! The pictures of one call as they come: whom to believe, how much of it, what to report, how a key frame is asked for. They are decoded
//! nowhere here and wait for nothing: a packet that is believed goes on as it is. What the peer is sent is in `outgoing`.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use media::{Codec, MediaPacket, RtpPacket, SeqExtender, Ssrc, VideoCodec};

use crate::{
    Component, Keying, dtls,
    latch::{Latch, Verdict},
    outgoing::{Outgoing, PicturePiece, Sends},
    port_above,
    protection::{Greeted, Protection, Refused, Way},
    rtcp::Reports,
    rtcp_to,
};

/// Between two requests for a key frame. Shorter would fill the sender's line with key frames, longer leaves whoever lost a picture, or
/// comes in, looking at nothing.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// The longest datagram: what an Ethernet of 1,500 bytes carries of UDP over IPv4. A larger one came in pieces, and would go on in pieces to
/// everybody.
const DATAGRAM_BYTES_MAX: usize = 1_472;

/// How many times the bandwidth that was agreed on may come. Less would drop what an encoder needs in a second of much movement; more is
/// that much more for all browsers to be sent.
const OVER: u64 = 3;

/// So much may come at once, in seconds of that. Less would drop key frames, which are a second's worth and come at once.
const BURST_S: u64 = 2;

/// Feedback about media, and the two kinds of it (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
pub(crate) const PAYLOAD_FEEDBACK: u8 = 206;
pub(crate) const PLI: u8 = 1;
pub(crate) const FIR: u8 = 4;

/// How the peer is asked for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeBy {
    /// Picture loss indication by RTCP (RFC 4585 §6.3.1).
    Pli,
    /// Full intra request by RTCP (RFC 5104 §4.3.1).
    Fir,
    /// By other ways than its media's (RFC 5168).
    Signalling,
}

/// What offer and answer agreed on about pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureSettings {
    /// As they come.
    pub codec: VideoCodec,
    /// The codec's number in SDP.
    pub payload_type: u8,
    /// Where the peer's SDP has them sent from.
    pub remote: SocketAddr,
    /// Where its SIP comes from.
    pub signalling: IpAddr,
    /// Where they are encrypted.
    pub srtp: Option<Keying>,
    /// RTCP goes by the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the peer wants RTCP, if not by the port above RTP's (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// See [`KeyframeBy`].
    pub keyframe_by: KeyframeBy,
    /// Bits a second that the peer was told to keep to.
    pub bits_per_second: u32,
    /// They are taken. Where they aren't, as on hold, reports alone are.
    pub taken: bool,
    /// What the peer is sent; none where it takes nothing.
    pub sends: Option<Sends>,
}

impl PictureSettings {
    fn way(&self) -> Way<'_> {
        let rtcp = self.rtcp.or_else(|| port_above(self.remote));
        Way { remote: self.remote, srtp: self.srtp.as_ref(), rtcp_mux: self.rtcp_mux, rtcp }
    }
}

/// What became of a request for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeAsked {
    /// It leaves with what is sent next.
    Now,
    /// It is to be sent by [`KeyframeBy::Signalling`].
    BySignalling,
    /// One was sent a moment ago, or nothing has come yet that could begin with one.
    Later,
}

/// What was seen of pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PictureStats {
    /// Packets accepted.
    pub received: u64,
    /// Packets that should have come.
    pub lost: u64,
    /// Datagrams from somebody else.
    pub dropped_stranger: u64,
    /// Datagrams that are no RTP, of another payload type, or too long.
    pub dropped_nonsense: u64,
    /// Datagrams that were forged, doubled or not encrypted where they should have been.
    pub dropped_forged: u64,
    /// Packets beyond what was agreed on.
    pub dropped_flood: u64,
    /// Key frames asked for.
    pub keyframes_asked: u64,
    /// Packets sent.
    pub sent: u64,
    /// Key frames the peer has asked for.
    pub keyframes_wanted: u64,
}

/// Pictures of one call.
pub struct PictureLeg {
    settings: PictureSettings,
    ssrc: Ssrc,
    latch: Latch,
    protection: Protection,
    sequence: SeqExtender,
    their_ssrc: Option<Ssrc>,
    reports: Reports,
    /// Another stream has begun since [`Self::take_renewed`].
    renewed: bool,
    /// Bits that may come, as of then.
    allowance: u64,
    allowed: Instant,
    /// When a key frame was asked for last, and whether that is still to be sent.
    asked: Option<Instant>,
    asks: bool,
    fir_seq: u8,
    outgoing: Outgoing,
    /// Reports have come from where pictures go.
    is_reported_to: bool,
    stats: PictureStats,
}

impl PictureLeg {
    /// Sends and reports as `ssrc`. Times are told as the sound of the call has them, from `epoch` on.
    #[must_use]
    pub fn new(settings: PictureSettings, ssrc: Ssrc, epoch: Instant, now: Instant) -> Self {
        let mut reports = Reports::of_receiver(ssrc, VideoCodec::CLOCK_RATE, now);
        reports.count_from(epoch);
        Self {
            latch: Latch::new(settings.remote, settings.signalling, now),
            protection: Protection::new(settings.way(), now),
            sequence: SeqExtender::default(),
            their_ssrc: None,
            reports,
            renewed: false,
            allowance: burst(&settings),
            allowed: now,
            asked: None,
            asks: false,
            fir_seq: 0,
            outgoing: Outgoing::new(ssrc, epoch),
            is_reported_to: false,
            stats: PictureStats::default(),
            settings,
            ssrc,
        }
    }

    /// After a re-INVITE. Where the peer is somewhere else by it, its address may be learned anew.
    pub fn reconfigure(&mut self, settings: PictureSettings, now: Instant) {
        let before = &self.settings;
        let is_there = (settings.remote, settings.signalling) == (before.remote, before.signalling);
        let before_number = before.payload_type;
        if !is_there {
            self.latch = Latch::new(settings.remote, settings.signalling, now);
            self.is_reported_to = false;
        } else if settings.srtp != before.srtp || !self.latch.is_certain() {
            self.latch.reopen(now);
        }
        self.protection.change(before.way(), settings.way(), now);
        if (settings.codec, settings.payload_type) != (before.codec, before.payload_type) {
            self.begin_stream();
        }
        if settings.sends.is_none() || settings.payload_type != before_number {
            self.outgoing.pause();
        }
        self.settings = settings;
    }

    /// What came before can't be referred to by what comes.
    fn begin_stream(&mut self) {
        (self.sequence, self.their_ssrc, self.renewed) = (SeqExtender::default(), None, true);
    }

    /// Takes a datagram of the RTP socket; a packet of a picture where it is one.
    pub fn handle_rtp(&mut self, from: SocketAddr, datagram: &mut [u8], now: Instant) -> Option<MediaPacket> {
        if dtls::is_dtls(datagram) {
            self.handle_dtls(Component::Rtp, from, datagram, now);
            return None;
        }
        if self.settings.rtcp_mux && matches!(*datagram, [_, 192..=223, ..]) {
            self.handle_rtcp(from, datagram, now);
            return None;
        }
        let bits = 8 * datagram.len() as u64;
        if datagram.len() > DATAGRAM_BYTES_MAX {
            self.stats.dropped_nonsense += 1;
            return None;
        }
        let Some(datagram) = self.protection.open(datagram) else {
            self.stats.dropped_forged += 1;
            return None;
        };
        let packet = RtpPacket::parse(datagram).ok().filter(|packet| packet.payload_type == self.settings.payload_type);
        let Some(packet) = packet else {
            self.stats.dropped_nonsense += 1;
            return None;
        };
        if self.latch.judge(from, &packet, now) == Verdict::Stranger {
            self.stats.dropped_stranger += 1;
            return None;
        }
        if !self.settings.taken {
            return None;
        }
        if !self.has_room(bits, now) {
            self.stats.dropped_flood += 1;
            return None;
        }
        if self.their_ssrc != Some(packet.ssrc) {
            if self.their_ssrc.is_some() {
                self.begin_stream();
            }
            self.their_ssrc = Some(packet.ssrc);
            self.reports.new_stream(packet.ssrc);
        }
        let seq = self.sequence.extend(packet.seq);
        self.stats.received += 1;
        self.reports.arrived(seq);
        self.reports.sounded(packet.timestamp, now);
        Some(MediaPacket {
            codec: Codec::Video(self.settings.codec),
            seq,
            timestamp: packet.timestamp,
            marker: packet.marker,
            level: None,
            payload: packet.payload.into(),
        })
    }

    fn has_room(&mut self, bits: u64, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.allowed);
        let grown = u64::from(self.settings.bits_per_second) * OVER * elapsed.as_millis() as u64 / 1_000;
        if grown > 0 {
            self.allowance = (self.allowance + grown).min(burst(&self.settings));
            self.allowed = now;
        }
        let left = self.allowance.checked_sub(bits);
        self.allowance = left.unwrap_or(self.allowance);
        left.is_some()
    }

    /// Takes a datagram of the RTCP socket.
    pub fn handle_rtcp(&mut self, from: SocketAddr, datagram: &mut [u8], now: Instant) {
        if dtls::is_dtls(datagram) {
            return self.handle_dtls(Component::Rtcp, from, datagram, now);
        }
        let datagram = match self.protection.take_rtcp(&self.latch, from, datagram) {
            Ok(datagram) => datagram,
            Err(Refused::Stranger) => return self.stats.dropped_stranger += 1,
            Err(Refused::Forged) => return self.stats.dropped_forged += 1,
        };
        self.is_reported_to = true;
        if self.outgoing.read_feedback(datagram) {
            self.stats.keyframes_wanted += 1;
        }
        if !self.reports.read(datagram, now) {
            self.stats.dropped_nonsense += 1;
        }
        if let Some(lost) = self.reports.take_reported_loss() {
            self.outgoing.reported(lost, now);
        }
    }

    /// What the peer is to be sent now. Nothing, before it has shown that it is there: a picture has thirty times what sound has, for whomever
    /// a stranger names (reliability: A10).
    pub fn sends(&mut self, now: Instant) -> Option<Sends> {
        let remote = self.latch.remote();
        let is_there = self.latch.has_heard() || self.is_reported_to || remote.ip() == self.settings.signalling;
        let may = is_there && !remote.ip().is_unspecified() && remote.port() != 0 && self.protection.may_send();
        self.outgoing.sends(self.settings.sends.filter(|_| may), now)
    }

    /// The peer needs a picture that needs no other, of those it is sent.
    #[must_use]
    pub fn wants_keyframe(&self) -> bool {
        self.outgoing.wants_keyframe()
    }

    /// It has said so by its signalling (RFC 5168).
    pub fn keyframe_wanted(&mut self) {
        self.stats.keyframes_wanted += 1;
        self.outgoing.want_keyframe();
    }

    /// Appends the datagram of a piece, of the size that [`Self::sends`] says, to `out`, and says where it goes; nowhere, where it is of no
    /// use there.
    pub fn send(&mut self, piece: &PicturePiece, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let sends = self.settings.sends.filter(|_| self.protection.may_send())?;
        let start = out.len();
        let timestamp = self.outgoing.write(piece, sends, self.settings.payload_type, out)?;
        self.protection.protect(out, start);
        self.reports.sent(timestamp, piece.payload.len());
        self.stats.sent += 1;
        Some(self.latch.remote())
    }

    fn handle_dtls(&mut self, component: Component, from: SocketAddr, datagram: &[u8], now: Instant) {
        let rtcp = self.settings.way().rtcp;
        match self.protection.greet(&mut self.latch, rtcp, component, from, datagram, now) {
            Greeted::Stranger => self.stats.dropped_stranger += 1,
            Greeted::Nonsense => self.stats.dropped_nonsense += 1,
            Greeted::GoesOn | Greeted::Keyed => {}
        }
    }

    /// Another stream has begun since this was asked last: what comes from now on has other numbers.
    pub fn take_renewed(&mut self) -> bool {
        std::mem::take(&mut self.renewed)
    }

    /// Somebody needs a picture that needs no other.
    pub fn request_keyframe(&mut self, now: Instant) -> KeyframeAsked {
        let is_soon = self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < KEYFRAME_INTERVAL);
        if is_soon || self.their_ssrc.is_none() {
            return KeyframeAsked::Later;
        }
        self.asked = Some(now);
        self.stats.keyframes_asked += 1;
        if self.settings.keyframe_by == KeyframeBy::Signalling {
            return KeyframeAsked::BySignalling;
        }
        self.asks = true;
        self.fir_seq = self.fir_seq.wrapping_add(1);
        KeyframeAsked::Now
    }

    /// Appends a datagram of a handshake to `out` and says by which socket it goes, and where; call it until there is none.
    pub fn poll_dtls(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<(Component, SocketAddr)> {
        self.protection.poll(now, out)
    }

    /// Appends a compound RTCP packet when one is due, or a key frame is asked for; and says by which socket it goes, and where.
    pub fn poll_rtcp(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<(Component, SocketAddr)> {
        let is_any = self.their_ssrc.is_some() || self.reports.has_sent();
        if !is_any || !self.protection.may_send_rtcp() {
            return None;
        }
        let start = out.len();
        // The voice of the same moment is told of by the same time.
        self.reports.set_timestamp(self.outgoing.timestamp(now));
        let asks = self.their_ssrc.filter(|_| std::mem::take(&mut self.asks));
        if asks.is_some() || self.outgoing.is_limited() {
            // Feedback goes behind a report (RFC 4585 §3.1).
            self.reports.write(now, out);
            asks.into_iter().for_each(|about| self.write_request(about, out));
            self.outgoing.write_limit(out);
        } else if !self.reports.write_if_due(now, out) {
            return None;
        }
        self.protection.protect_rtcp(out, start);
        let PictureSettings { remote, rtcp_mux, rtcp, .. } = self.settings;
        let to = rtcp_to(&self.latch, &self.protection, remote, rtcp_mux, rtcp)?;
        Some((if rtcp_mux { Component::Rtp } else { Component::Rtcp }, to))
    }

    /// ```text
    ///  0                   1                   2                   3
    ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    /// |V=2|P|   FMT   |      206      |          length               |
    /// |                  SSRC of packet sender                        |
    /// |                  SSRC of media source                         |
    /// |                              SSRC                             |  FIR alone,
    /// | Seq nr.       |    Reserved                                   |  whose media source is 0
    /// ```
    fn write_request(&self, about: Ssrc, out: &mut Vec<u8>) {
        let is_fir = self.settings.keyframe_by == KeyframeBy::Fir;
        let (kind, words, source) = if is_fir { (FIR, 4_u16, 0) } else { (PLI, 2, about.0) };
        out.extend([0x80 | kind, PAYLOAD_FEEDBACK]);
        out.extend(words.to_be_bytes());
        out.extend(self.ssrc.0.to_be_bytes());
        out.extend(source.to_be_bytes());
        if is_fir {
            out.extend(about.0.to_be_bytes());
            out.extend([self.fir_seq, 0, 0, 0]);
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> PictureStats {
        PictureStats { lost: self.reports.lost_in_all(), ..self.stats }
    }
}

/// Bits that may come at once.
fn burst(settings: &PictureSettings) -> u64 {
    u64::from(settings.bits_per_second) * OVER * BURST_S
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SrtpKey, SrtpKeys, SrtpSuite, srtp};

    const THEM: &str = "192.0.2.1:5000";

    pub(crate) fn settings() -> PictureSettings {
        PictureSettings {
            codec: VideoCodec::H264,
            payload_type: 97,
            remote: THEM.parse().unwrap(),
            signalling: "192.0.2.1".parse().unwrap(),
            srtp: None,
            rtcp_mux: false,
            rtcp: None,
            keyframe_by: KeyframeBy::Pli,
            bits_per_second: 1_000_000,
            taken: true,
            sends: None,
        }
    }

    fn leg(settings: PictureSettings, now: Instant) -> PictureLeg {
        PictureLeg::new(settings, Ssrc(7), now, now)
    }

    fn datagram(ssrc: u32, seq: u16, bytes: usize) -> Vec<u8> {
        let payload = &vec![0x65; bytes];
        let packet = RtpPacket { payload_type: 97, marker: true, seq, timestamp: 3_000, ssrc: Ssrc(ssrc), payload };
        let mut out = Vec::new();
        packet.write(&mut out);
        out
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn rtcp(leg: &mut PictureLeg, now: Instant) -> Option<(Vec<u8>, Component, SocketAddr)> {
        let mut out = Vec::new();
        let (component, to) = leg.poll_rtcp(now, &mut out)?;
        Some((out, component, to))
    }

    // product: R1
    #[test]
    fn what_comes_from_where_he_said_goes_on_as_it_is_and_no_stranger_s() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = leg(settings(), now);
        let packet = leg.handle_rtp(them, &mut datagram(5, 65_535, 100), now).unwrap();
        assert_eq!((packet.codec, packet.timestamp, packet.marker), (Codec::Video(VideoCodec::H264), 3_000, true));
        assert_eq!(packet.payload.len(), 100);
        let next = leg.handle_rtp(them, &mut datagram(5, 0, 100), now).unwrap();
        assert_eq!(next.seq, packet.seq + 1, "numbers grow for ever");
        for seq in 1..20 {
            for stranger in ["203.0.113.9:5000", "192.0.2.1:5001"] {
                assert!(leg.handle_rtp(stranger.parse().unwrap(), &mut datagram(5, seq, 9), now).is_none());
            }
        }
        let mut other = datagram(5, 1, 100);
        other[1] = 96;
        assert!(leg.handle_rtp(them, &mut other, now).is_none(), "of another number");
        assert!(leg.handle_rtp(them, &mut datagram(5, 1, 1_461), now).is_none(), "it came in pieces");
        assert!(leg.handle_rtp(them, &mut datagram(5, 2, 1_460), now).is_some());
        let stats = leg.stats();
        assert_eq!((stats.received, stats.lost, stats.dropped_stranger, stats.dropped_nonsense), (3, 1, 38, 2));
    }

    #[test]
    fn behind_a_nat_he_is_learned_from_five_in_a_row_and_reports_go_there() {
        let now = Instant::now();
        let private = PictureSettings { remote: "10.0.0.7:5000".parse().unwrap(), ..settings() };
        let mut leg = leg(private, now);
        let nat = "192.0.2.1:61000".parse().unwrap();
        let came: Vec<_> = (0..6).map(|seq| leg.handle_rtp(nat, &mut datagram(5, seq, 9), now).is_some()).collect();
        assert_eq!(came, [false, false, false, false, true, true]);
        leg.request_keyframe(now);
        let reports_to: SocketAddr = "192.0.2.1:61001".parse().unwrap();
        assert_eq!(rtcp(&mut leg, now).unwrap().2, reports_to);
        // At another address by a new description: that one is believed, and no other.
        leg.reconfigure(settings(), now);
        assert!(leg.handle_rtp(THEM.parse().unwrap(), &mut datagram(5, 6, 9), now).is_some());
        assert!(leg.handle_rtp(nat, &mut datagram(5, 7, 9), now).is_none());
    }

    // product: R3, RFC 4585 §6.3.1, RFC 5104 §4.3.1, RFC 5168
    #[test]
    fn a_key_frame_is_asked_for_as_he_understands_it_and_twice_a_second_at_most() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let begin = |keyframe_by| {
            let mut leg = leg(PictureSettings { keyframe_by, ..settings() }, now);
            assert_eq!(leg.request_keyframe(now), KeyframeAsked::Later, "nothing has come");
            leg.handle_rtp(them, &mut datagram(0x0102_0304, 1, 9), now);
            leg
        };
        let mut pli = begin(KeyframeBy::Pli);
        assert_eq!(pli.request_keyframe(now), KeyframeAsked::Now);
        let (bytes, component, to) = rtcp(&mut pli, now).unwrap();
        assert_eq!((component, to), (Component::Rtcp, "192.0.2.1:5001".parse().unwrap()));
        // A receiver report with its block, a source description, and the request (RFC 4585 §3.1).
        assert_eq!((bytes.len(), bytes[1], bytes[33]), (32 + 20 + 12, 201, 202));
        assert_eq!(bytes[52..], [0x81, 206, 0, 2, 0, 0, 0, 7, 1, 2, 3, 4]);
        assert!(rtcp(&mut pli, now).is_none(), "once");
        let asked = (1..=20).filter(|n| pli.request_keyframe(now + ms(100 * n)) == KeyframeAsked::Now).count();
        assert_eq!(asked, 4);

        let mut fir = begin(KeyframeBy::Fir);
        for number in 1..=2 {
            let at = now + ms(500 * u64::from(number));
            assert_eq!(fir.request_keyframe(at), KeyframeAsked::Now);
            let (bytes, ..) = rtcp(&mut fir, at).unwrap();
            let expected = [0x84, 206, 0, 4, 0, 0, 0, 7, 0, 0, 0, 0, 1, 2, 3, 4, number, 0, 0, 0];
            assert_eq!(bytes[52..], expected, "each request has a number of its own");
        }

        let mut other = begin(KeyframeBy::Signalling);
        assert_eq!(other.request_keyframe(now), KeyframeAsked::BySignalling);
        assert_eq!(other.request_keyframe(now + ms(499)), KeyframeAsked::Later);
        assert!(rtcp(&mut other, now).is_none(), "not by RTCP");
    }

    // RFC 3550 §6.4.2, RFC 5761
    #[test]
    fn reports_are_sent_for_what_comes() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = leg(PictureSettings { rtcp_mux: true, ..settings() }, now);
        assert!((0..1_000).all(|tick| rtcp(&mut leg, now + ms(20 * tick)).is_none()), "nobody is there");
        for seq in [1, 2, 4] {
            leg.handle_rtp(them, &mut datagram(5, seq, 9), now);
        }
        let (bytes, component, to) = rtcp(&mut leg, now + Duration::from_secs(20)).unwrap();
        assert_eq!((component, to, bytes[1], bytes[12]), (Component::Rtp, them, 201, 64), "one of four is missing");
        // His own come by the same port.
        let mut report = [&[0x80, 200, 0, 6, 0, 0, 0, 5][..], &[0; 20]].concat();
        assert!(leg.handle_rtp(them, &mut report, now).is_none());
        assert_eq!(leg.stats().dropped_nonsense, 0);
    }

    #[test]
    fn another_stream_or_codec_is_told_of_and_on_hold_nothing_is_taken() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = leg(settings(), now);
        leg.handle_rtp(them, &mut datagram(5, 1, 9), now);
        assert!(!leg.take_renewed(), "the first is no other");
        leg.handle_rtp(them, &mut datagram(6, 900, 9), now);
        assert!(leg.take_renewed() && !leg.take_renewed());
        leg.reconfigure(PictureSettings { taken: false, ..settings() }, now);
        assert!(leg.handle_rtp(them, &mut datagram(6, 901, 9), now).is_none());
        leg.reconfigure(settings(), now);
        assert!(leg.handle_rtp(them, &mut datagram(6, 950, 9), now).is_some() && !leg.take_renewed());
        leg.reconfigure(PictureSettings { codec: VideoCodec::Vp8, ..settings() }, now);
        assert!(leg.take_renewed());
    }

    // reliability: A10
    #[test]
    fn more_than_was_agreed_on_is_dropped() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = leg(settings(), now);
        // 50 Mbit/s for ten seconds; agreed was one.
        let mut bits = 0;
        for n in 0..50_000_u64 {
            let packet = leg.handle_rtp(them, &mut datagram(5, n as u16, 1_238), now + Duration::from_micros(200 * n));
            bits += packet.map_or(0, |packet| 8 * (packet.payload.len() as u64 + 12));
        }
        assert!((30_000_000..37_000_000).contains(&bits), "{bits}");
        assert!(leg.stats().dropped_flood > 40_000);
    }

    // product: P7, R1
    #[test]
    fn what_was_to_be_encrypted_is_taken_in_no_other_way() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let suite = SrtpSuite::AesCm128HmacSha1Tag80;
        let keys = SrtpKeys::new(suite, SrtpKey([1; 30]), SrtpKey([2; 30]));
        let mut leg = leg(PictureSettings { srtp: Some(Keying::Sdes(keys)), ..settings() }, now);
        let mut theirs = srtp::Sender::new(suite, &SrtpKey([2; 30]), None);
        let mut sealed = |seq| {
            let mut bytes = datagram(5, seq, 100);
            theirs.protect(&mut bytes, 0);
            bytes
        };
        let mut first = sealed(1);
        let packet = leg.handle_rtp(them, &mut first.clone(), now).unwrap();
        assert!(packet.payload.iter().all(|byte| *byte == 0x65));
        assert!(leg.handle_rtp(them, &mut first, now).is_none(), "twice");
        assert!(leg.handle_rtp(them, &mut datagram(5, 2, 100), now).is_none(), "plain");
        let mut forged = sealed(3);
        forged[40] ^= 1;
        assert!(leg.handle_rtp(them, &mut forged, now).is_none());
        assert_eq!(leg.stats().dropped_forged, 3);
        leg.request_keyframe(now);
        let (bytes, ..) = rtcp(&mut leg, now).unwrap();
        assert_eq!(bytes.len(), 32 + 20 + 12 + 4 + 10, "with index and tag");
    }

    proptest! {
        // reliability: A10
        #[test]
        fn garbage_on_either_port_harms_nobody(
            garbage in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 0..40),
            mux: bool,
        ) {
            let (now, them) = (Instant::now(), THEM.parse().unwrap());
            let mut leg = leg(PictureSettings { rtcp_mux: mux, ..settings() }, now);
            for (is_rtp, mut bytes) in garbage {
                // What looks like RTP or RTCP goes farther.
                bytes.first_mut().into_iter().for_each(|first| *first |= 0x80);
                if is_rtp {
                    leg.handle_rtp(them, &mut bytes, now);
                } else {
                    leg.handle_rtcp(them, &mut bytes, now);
                }
                leg.request_keyframe(now);
                rtcp(&mut leg, now);
            }
            leg.take_renewed();
            prop_assert!(leg.handle_rtp(them, &mut datagram(99, 7, 50), now + ms(5_000)).is_some());
        }
    }
}
