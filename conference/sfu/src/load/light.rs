//! What a browser does with packets it receives, without the WebRTC library: so that five hundred of them fit on a core beside the
//! server they measure. Headers are read, payloads decrypted, arrivals reported; what was lost is counted and not asked for again.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::media::Mid;

use crate::srtp::{Opener, Srtp};

use super::{LoadEvent, STAMP};

/// How often browsers report when packets arrived, and the rest.
const FEEDBACK_EVERY: Duration = Duration::from_millis(100);
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Arrivals that one feedback is about at most.
const ARRIVALS_MAX: u64 = 1_000;

/// Ours; nothing is sent from it but reports.
const SSRC: u32 = 1;

/// What was agreed on.
pub(super) struct Agreed {
    pub(super) mid: Option<u8>,
    pub(super) transport: Option<u8>,
    /// Payload types of retransmissions.
    pub(super) resent: Vec<u8>,
}

#[derive(Default)]
struct Stream {
    line: Option<usize>,
    /// Extended; none before the first packet.
    highest: Option<u64>,
    first: u64,
    came: u64,
    /// How many there should have been, and how many came, when it was last reported.
    told: (u64, u64),
    /// Of its latest report: the middle of the time of day, and when it came.
    reported: Option<(u32, Instant)>,
}

impl Stream {
    /// As a report says it: the share since the last one in 256ths, and how many in all (RFC 3550 §6.4.1).
    fn lost(&mut self, highest: u64) -> u32 {
        let now = (highest + 1 - self.first, self.came);
        let before = std::mem::replace(&mut self.told, now);
        let share = (now.0 - before.0).saturating_sub(now.1 - before.1) * 256 / (now.0 - before.0).max(1);
        let lost = now.0 as i64 - now.1 as i64;
        (share.min(255) as u32) << 24 | lost as u32 & 0x00ff_ffff
    }
}

/// A connection once it stands.
pub(super) struct Link {
    agreed: Agreed,
    opener: Opener,
    srtp: Srtp,
    epoch: Instant,
    streams: HashMap<u32, Stream>,
    /// The numbers of the whole transport that have come since the last feedback, extended, and when, in quarters of milliseconds.
    arrivals: Vec<(u64, i64)>,
    /// What the next feedback begins with.
    next: Option<u64>,
    feedbacks: u8,
    feedback_due: Instant,
    report_due: Instant,
    /// Where it comes from.
    server: Option<SocketAddr>,
    out: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

/// The number nearest to `near` that ends with these 16 bits.
fn extend(near: u64, bits: u16) -> u64 {
    let ahead = bits.wrapping_sub(near as u16).cast_signed();
    near.saturating_add_signed(ahead.into())
}

impl Link {
    pub(super) fn new(agreed: Agreed, opener: Opener, srtp: Srtp, epoch: Instant, now: Instant) -> Self {
        Self {
            agreed,
            opener,
            srtp,
            epoch,
            streams: HashMap::new(),
            arrivals: Vec::new(),
            next: None,
            feedbacks: 0,
            feedback_due: now + FEEDBACK_EVERY,
            report_due: now + REPORT_EVERY,
            server: None,
            out: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub(super) fn timeout(&self) -> Instant {
        self.feedback_due.min(self.report_due)
    }

    /// Takes media or a report.
    pub(super) fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        mids: &[Mid],
        now: Instant,
    ) -> Option<LoadEvent> {
        self.server = Some(from);
        if matches!(datagram.get(1), Some(192..=223)) {
            self.hear_report(datagram, now);
            return None;
        }
        let (head, rest) = datagram.split_first_chunk::<12>()?;
        let ssrc = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        let stream = self.streams.entry(ssrc).or_default();
        let mut header = head.len();
        if head[0] & 0x10 != 0 {
            let words = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
            let mut extensions = rest.get(4..4 + 4 * words)?;
            header += 4 + 4 * words;
            while let Some((tag, after)) = extensions.split_first() {
                let (id, len) = (tag >> 4, usize::from(tag & 0xf) + 1);
                if id == 0 {
                    extensions = after;
                    continue;
                }
                let (value, after) = after.split_at_checked(len)?;
                extensions = after;
                if Some(id) == self.agreed.mid {
                    stream.line = mids.iter().position(|mid| mid.as_bytes() == value);
                } else if let (true, &[high, low]) = (Some(id) == self.agreed.transport, value) {
                    let bits = u16::from_be_bytes([high, low]);
                    let number =
                        extend(self.arrivals.last().map(|(number, _)| *number).or(self.next).unwrap_or(1), bits);
                    let quarters = now.saturating_duration_since(self.epoch).as_micros() as i64 / 250;
                    self.arrivals.push((number, quarters));
                }
            }
        }
        let bits = u16::from_be_bytes([head[2], head[3]]);
        let index = stream.highest.map_or_else(|| bits.into(), |highest| extend(highest, bits));
        if stream.highest.is_none() {
            stream.first = index;
        }
        stream.highest = Some(stream.highest.map_or(index, |highest| highest.max(index)));
        stream.came += 1;
        let line = stream.line?;
        if self.agreed.resent.contains(&(head[1] & 0x7f)) {
            return None;
        }
        self.payload.clear();
        if !self.opener.open(ssrc, index, header, datagram, &mut self.payload) {
            return None;
        }
        let sent = Duration::from_micros(u64::from_be_bytes(*self.payload.last_chunk::<STAMP>()?));
        let delay = now.saturating_duration_since(self.epoch).saturating_sub(sent);
        let timestamp = u32::from_be_bytes(*head[4..8].first_chunk()?);
        Some(LoadEvent::Packet { line, bytes: self.payload.len(), seq: index, timestamp, delay })
    }

    /// A sender's report (RFC 3550 §6.4.1): when he heard of it, he knows the round trip by.
    fn hear_report(&mut self, datagram: &[u8], now: Instant) {
        let Some(report) = self.srtp.open_reports(datagram) else { return };
        let word = |at: usize| report.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word));
        if let (Some(&200), Some(ssrc), Some(high), Some(low)) = (report.get(1), word(4), word(8), word(12))
            && let Some(stream) = self.streams.get_mut(&ssrc)
        {
            stream.reported = Some((high << 16 | low >> 16, now));
        }
    }

    /// Does what is due.
    pub(super) fn wake(&mut self, now: Instant) {
        if now >= self.report_due {
            self.report_due = now + REPORT_EVERY;
            self.say_received(now);
        }
        if now >= self.feedback_due {
            self.feedback_due = now + FEEDBACK_EVERY;
            self.say_arrivals();
        }
    }

    /// Says one thing, protected, so that also what no browser says can be.
    pub(super) fn say(&mut self, report: &[u8]) {
        self.out.extend(self.srtp.protect_report(report));
    }

    /// What is to be sent, and where.
    pub(super) fn take_out(&mut self) -> impl Iterator<Item = (SocketAddr, Vec<u8>)> {
        let server = self.server;
        self.out.drain(..).filter_map(move |datagram| Some((server?, datagram)))
    }

    /// The streams that have come, by their lines.
    pub(super) fn streams(&self) -> impl Iterator<Item = (u32, usize)> {
        self.streams.iter().filter_map(|(ssrc, stream)| Some((*ssrc, stream.line?)))
    }

    /// A receiver's report (RFC 3550 §6.4.2) on each stream.
    fn say_received(&mut self, now: Instant) {
        let of = |(ssrc, stream): (&u32, &mut Stream)| {
            let highest = stream.highest?;
            Some((*ssrc, stream.lost(highest), highest, stream.reported))
        };
        let streams: Vec<_> = self.streams.iter_mut().filter_map(of).collect();
        for streams in streams.chunks(31) {
            let mut out = vec![0x80 | streams.len() as u8, 201, 0, 1 + 6 * streams.len() as u8];
            out.extend(SSRC.to_be_bytes());
            for (ssrc, lost, highest, reported) in streams {
                let since = |at: Instant| (now.saturating_duration_since(at).as_secs_f64() * 65_536.0) as u32;
                let (last, since) = reported.map_or((0, 0), |(last, at)| (last, since(at)));
                for word in [*ssrc, *lost, *highest as u32, 0, last, since] {
                    out.extend(word.to_be_bytes());
                }
            }
            self.say(&out);
        }
    }

    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1
    fn say_arrivals(&mut self) {
        self.arrivals.sort_unstable();
        let (Some((first, _)), Some((last, _))) = (self.arrivals.first().copied(), self.arrivals.last().copied())
        else {
            return;
        };
        let first = self.next.unwrap_or(first);
        let count = (last + 1).saturating_sub(first).min(ARRIVALS_MAX);
        let known: HashMap<u64, i64> = self.arrivals.drain(..).collect();
        self.next = Some(first + count);
        let arrived: Vec<Option<i64>> = (first..first + count).map(|number| known.get(&number).copied()).collect();
        let Some(earliest) = arrived.iter().flatten().min() else { return };
        let reference = earliest / 256;
        let mut before = reference * 256;
        let (mut sizes, mut deltas) = (Vec::with_capacity(arrived.len()), Vec::new());
        for at in arrived {
            let Some(at) = at else {
                sizes.push(0_u16);
                continue;
            };
            let delta = at - before;
            before = at;
            if let Ok(delta) = u8::try_from(delta) {
                sizes.push(1);
                deltas.push(delta);
            } else {
                sizes.push(2);
                deltas.extend((delta.clamp(i16::MIN.into(), i16::MAX.into()) as i16).to_be_bytes());
            }
        }
        let mut out = vec![0x8f, 205, 0, 0];
        out.extend(SSRC.to_be_bytes());
        out.extend([0; 4]);
        out.extend((first as u16).to_be_bytes());
        out.extend((count as u16).to_be_bytes());
        out.extend(&(reference as u32).to_be_bytes()[1..]);
        out.push(self.feedbacks);
        self.feedbacks = self.feedbacks.wrapping_add(1);
        for seven in sizes.chunks(7) {
            let pairs = seven.iter().enumerate().map(|(at, size)| size << (12 - 2 * at));
            out.extend((0xc000 | pairs.fold(0, |all, pair| all | pair)).to_be_bytes());
        }
        out.extend(deltas);
        out.resize(out.len().next_multiple_of(4), 0);
        let words = (out.len() / 4 - 1) as u16;
        out[2..4].copy_from_slice(&words.to_be_bytes());
        self.say(&out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_extended_to_the_nearest() {
        let check = |near, bits, expected| assert_eq!(extend(near, bits), expected, "{near} {bits}");
        check(1, 5, 5);
        check(65_530, 3, 65_539);
        check(65_540, 65_530, 65_530);
        check(3, 65_530, 0);
    }
}
