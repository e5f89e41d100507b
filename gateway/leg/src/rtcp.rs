//! Sender and receiver reports (RFC 3550 §6.4), a source description (§6.5) with each.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use media::{Jitter, Ssrc};

/// The least between two reports on average, half of that before the first (§6.2). A session of two never comes to need more.
const INTERVAL: Duration = Duration::from_secs(5);

/// *e* − 3/2: what §6.3.1 divides a random wait by.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;

pub(crate) struct Reports {
    ssrc: Ssrc,
    /// Nothing is sent but reports, until something is.
    receives: bool,
    clock_rate: f64,
    start: Instant,
    due: Instant,
    written: u32,
    packets_sent: u32,
    bytes_sent: u32,
    last_sent_timestamp: u32,
    their_ssrc: Option<Ssrc>,
    first_seq: Option<u64>,
    highest_seq: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Of streams that are over.
    lost_before: u64,
    /// In timestamp units.
    jitter: Jitter,
    last_transit: Option<f64>,
    /// The middle of the NTP time of the last sender report, and when it came.
    last_report: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    /// What the last report says was lost of what we sent, in 256ths.
    reported_loss: Option<u8>,
    reported: Option<Reported>,
}

/// What the peer has told of the sound it was sent (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reported {
    /// Packets that did not reach it.
    pub lost: u64,
    /// Packets sent until it told so.
    pub of: u64,
    /// Interarrival jitter in milliseconds, the mean of all its reports.
    pub jitter_ms: f64,
    /// So many there were.
    pub reports: u32,
}

impl Reported {
    /// Of a call that went on otherwise.
    pub(crate) fn after(self, before: Self) -> Self {
        let (own, theirs) = (f64::from(self.reports), f64::from(before.reports));
        Self {
            lost: self.lost + before.lost,
            of: self.of + before.of,
            jitter_ms: (self.jitter_ms * own + before.jitter_ms * theirs) / (own + theirs),
            reports: self.reports.saturating_add(before.reports),
        }
    }
}

impl Reports {
    /// Of a stream whose timestamps grow by so much a second.
    pub(crate) fn new(ssrc: Ssrc, clock_rate: u32, now: Instant) -> Self {
        Self {
            ssrc,
            receives: false,
            clock_rate: f64::from(clock_rate),
            start: now,
            due: now + wait(ssrc, 0),
            written: 0,
            packets_sent: 0,
            bytes_sent: 0,
            last_sent_timestamp: 0,
            their_ssrc: None,
            first_seq: None,
            highest_seq: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
            lost_before: 0,
            jitter: Jitter::default(),
            last_transit: None,
            last_report: None,
            round_trip: None,
            reported_loss: None,
            reported: None,
        }
    }

    /// Times in reports are counted from there: two streams of one source have to have the same, to be played together (RFC 3550 §6.4.1).
    pub(crate) fn count_from(&mut self, epoch: Instant) {
        self.start = epoch;
    }

    /// Of one that is received, and maybe sent.
    pub(crate) fn of_receiver(ssrc: Ssrc, clock_rate: u32, now: Instant) -> Self {
        Self { receives: true, ..Self::new(ssrc, clock_rate, now) }
    }

    pub(crate) fn new_stream(&mut self, ssrc: Ssrc) {
        self.lost_before += self.lost();
        self.their_ssrc = Some(ssrc);
        self.first_seq = None;
        self.highest_seq = 0;
        self.received = 0;
        self.expected_before = 0;
        self.received_before = 0;
        self.last_transit = None;
        self.last_report = None;
    }

    /// Something has been.
    pub(crate) fn has_sent(&self) -> bool {
        self.packets_sent > 0
    }

    /// What a sample of this moment would have.
    pub(crate) fn set_timestamp(&mut self, timestamp: u32) {
        self.last_sent_timestamp = timestamp;
    }

    pub(crate) fn sent(&mut self, timestamp: u32, bytes: usize) {
        self.receives = false;
        self.packets_sent = self.packets_sent.wrapping_add(1);
        self.bytes_sent = self.bytes_sent.wrapping_add(bytes as u32);
        self.last_sent_timestamp = timestamp;
    }

    /// Any packet of the stream.
    pub(crate) fn arrived(&mut self, seq: u64) {
        self.first_seq.get_or_insert(seq);
        self.highest_seq = self.highest_seq.max(seq);
        self.received += 1;
    }

    /// One with sound: keys repeat their timestamp and would look like jitter.
    pub(crate) fn sounded(&mut self, timestamp: u32, now: Instant) {
        // RFC 3550 §A.8. The difference of two transits survives the timestamp's wrap but once, as a spike that fades.
        let transit = now.saturating_duration_since(self.start).as_secs_f64() * self.clock_rate - f64::from(timestamp);
        if let Some(last) = self.last_transit.replace(transit) {
            let deviation = (transit - last).abs();
            if deviation < self.clock_rate * 10.0 {
                self.jitter.add(deviation);
            }
        }
    }

    fn expected(&self) -> u64 {
        self.first_seq.map_or(0, |first| self.highest_seq.saturating_sub(first) + 1)
    }

    /// Of this stream.
    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Of all streams there were.
    pub(crate) fn lost_in_all(&self) -> u64 {
        self.lost_before + self.lost()
    }

    pub(crate) fn jitter_ms(&self) -> f64 {
        self.jitter.running() / self.clock_rate * 1000.0
    }

    /// Over all that came.
    pub(crate) fn jitter_mean_ms(&self) -> f64 {
        self.jitter.mean() / self.clock_rate * 1000.0
    }

    pub(crate) fn round_trip_ms(&self) -> Option<f64> {
        self.round_trip.map(|round_trip| round_trip.as_secs_f64() * 1000.0)
    }

    /// What was lost of what we sent, in percent, once a report.
    pub(crate) fn take_reported_loss(&mut self) -> Option<u8> {
        self.reported_loss.take().map(|fraction| (u32::from(fraction) * 100 / 256) as u8)
    }

    pub(crate) fn reported(&self) -> Option<Reported> {
        self.reported
    }

    /// False when the datagram is no RTCP.
    pub(crate) fn read(&mut self, datagram: &[u8], now: Instant) -> bool {
        let mut any = false;
        for (count, kind, packet) in packets(datagram) {
            any = true;
            let blocks = match kind {
                SENDER_REPORT => {
                    if let Some([n0, n1, n2, n3]) = packet.get(10..14).and_then(|ntp| ntp.first_chunk::<4>()) {
                        self.last_report = Some((u32::from_be_bytes([*n0, *n1, *n2, *n3]), now));
                    }
                    packet.get(28..)
                }
                RECEIVER_REPORT => packet.get(8..),
                _ => None,
            };
            for block in blocks.unwrap_or_default().chunks_exact(24).take(usize::from(count)) {
                self.read_block(block, now);
            }
        }
        any
    }

    /// A report on what we send: the round trip (RFC 3550 §6.4.1).
    fn read_block(&mut self, block: &[u8], now: Instant) {
        let word = |at: usize| block.get(at..at + 4)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        let (Some(about), Some(last), Some(delay)) = (word(0), word(16), word(20)) else { return };
        if about != self.ssrc.0 {
            return;
        }
        self.reported_loss = block.get(4).copied();
        if let (Some(lost), Some(jitter)) = (word(4), word(12)) {
            self.note_reported(lost, jitter);
        }
        if last == 0 {
            return;
        }
        let ticks = (self.ntp_middle(now)).wrapping_sub(last).wrapping_sub(delay);
        if ticks < 1 << 20 {
            self.round_trip = Some(Duration::from_secs_f64(f64::from(ticks) / 65_536.0));
        }
    }

    fn note_reported(&mut self, fraction_and_lost: u32, jitter: u32) {
        // Of 24 bits with a sign: who gets packets twice has lost fewer than none.
        let lost = (fraction_and_lost << 8).cast_signed() >> 8;
        let of = u64::from(self.packets_sent);
        let jitter_ms = f64::from(jitter) / self.clock_rate * 1_000.0;
        let now = Reported { lost: u64::try_from(lost).unwrap_or(0).min(of), of, jitter_ms, reports: 1 };
        // What was lost is counted from the beginning.
        self.reported = Some(match self.reported {
            Some(before) => now.after(Reported { lost: 0, of: 0, ..before }),
            None => now,
        });
    }

    /// The middle 32 bits of an NTP time counted from the leg's start, which the RFC allows (§6.4.1).
    fn ntp_middle(&self, now: Instant) -> u32 {
        (self.ntp(now) >> 16) as u32
    }

    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start);
        // A second more, so that a report is never at time zero, which means none.
        ((since.as_secs() + 1) << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }

    pub(crate) fn write_if_due(&mut self, now: Instant, out: &mut Vec<u8>) -> bool {
        if now < self.due {
            return false;
        }
        self.write(now, out);
        true
    }

    /// At once, whenever the next is due.
    pub(crate) fn write(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.written = self.written.wrapping_add(1);
        self.due = now + wait(self.ssrc, self.written);
        let blocks = u8::from(self.their_ssrc.is_some() && self.first_seq.is_some());
        let (kind, own_words) = if self.receives { (RECEIVER_REPORT, 1) } else { (SENDER_REPORT, 6) };
        out.extend([0x80 | blocks, kind]);
        out.extend((own_words + 6 * u16::from(blocks)).to_be_bytes());
        out.extend(self.ssrc.0.to_be_bytes());
        if kind == SENDER_REPORT {
            out.extend(self.ntp(now).to_be_bytes());
            out.extend(self.last_sent_timestamp.to_be_bytes());
            out.extend(self.packets_sent.to_be_bytes());
            out.extend(self.bytes_sent.to_be_bytes());
        }
        if let Some(about) = self.their_ssrc.filter(|_| blocks == 1) {
            self.write_block(about, now, out);
        }
        // The canonical name: eight characters, a zero to end the list, padded to a word.
        out.extend([0x81, SOURCE_DESCRIPTION, 0, 4]);
        out.extend(self.ssrc.0.to_be_bytes());
        out.extend([1, 8]);
        // Writing into a Vec can't fail.
        let _ = write!(out, "{:08x}", self.ssrc.0);
        out.extend([0, 0]);
    }

    fn write_block(&mut self, about: Ssrc, now: Instant, out: &mut Vec<u8>) {
        let expected = self.expected();
        let expected_now = expected.saturating_sub(self.expected_before);
        let received_now = self.received.saturating_sub(self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8;
        let [_, lost @ ..] = (self.lost().min(0x7f_ffff) as u32).to_be_bytes();
        let (last, delay) = self.last_report.map_or((0, 0), |(middle, at)| {
            (middle, (now.saturating_duration_since(at).as_secs_f64() * 65_536.0) as u32)
        });
        out.extend(about.0.to_be_bytes());
        out.push(fraction);
        out.extend(lost);
        out.extend((self.highest_seq as u32).to_be_bytes());
        out.extend((self.jitter.running() as u32).to_be_bytes());
        out.extend(last.to_be_bytes());
        out.extend(delay.to_be_bytes());
    }
}

/// The packets of a compound one, as far as they are whole (RFC 3550 §6.1): the five bits of each behind its version, its kind, and all of it.
pub(crate) fn packets(datagram: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let ([first, kind, len0, len1], _) = rest.split_first_chunk::<4>()?;
        let (packet, after) = rest.split_at_checked(4 + 4 * usize::from(u16::from_be_bytes([*len0, *len1])))?;
        rest = after;
        (first >> 6 == 2 && (192..=223).contains(kind)).then_some((first & 0x1f, *kind, packet))
    })
}

/// From a report to the next, from half to one and a half of the interval: those who came at once, or whom a network kept back at once,
/// must not go on together (RFC 3550 §6.3.1).
fn wait(ssrc: Ssrc, written: u32) -> Duration {
    let least = if written == 0 { INTERVAL / 2 } else { INTERVAL };
    least.mul_f64((0.5 + part(u64::from(ssrc.0) << 32 | u64::from(written))) / COMPENSATION)
}

/// From 0 to 1, as good as random: SplitMix64, whose seed is random where the source's number is.
fn part(seed: u64) -> f64 {
    let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from((mixed >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3550 §6.2, §6.3.1
    #[test]
    fn reports_come_at_random_within_the_bounds_of_the_rfc() {
        let start = Instant::now();
        let waits = |ssrc: u32| {
            let (mut reports, mut last, mut out) = (Reports::new(Ssrc(ssrc), 8_000, start), start, Vec::new());
            let written = (0..100_000u64).map(|n| start + Duration::from_millis(n * 20)).filter_map(|now| {
                out.clear();
                reports.write_if_due(now, &mut out).then(|| (now - std::mem::replace(&mut last, now)).as_secs_f64())
            });
            written.collect::<Vec<_>>()
        };
        let own = waits(0x1234);
        // A tick more, for they are looked at once in that.
        assert!((2.5 * 0.5 / COMPENSATION..2.5 * 1.5 / COMPENSATION + 0.02).contains(&own[0]), "{own:?}");
        let later = &own[1..];
        let within = 5.0 * 0.5 / COMPENSATION..5.0 * 1.5 / COMPENSATION + 0.02;
        assert!(later.iter().all(|wait| within.contains(wait)), "{later:?}");
        let mean = later.iter().sum::<f64>() / later.len() as f64;
        assert!((mean - 5.0 / COMPENSATION).abs() < 0.25, "{mean}");
        assert!(
            later.iter().any(|wait| *wait < 3.0) && later.iter().any(|wait| *wait > 5.0),
            "over all of it: {later:?}"
        );
        // Of a hundred who come at once hardly two report in one tick.
        let mut firsts: Vec<_> = (0..100).map(|ssrc| (wait(Ssrc(ssrc), 0).as_millis() / 20) as u64).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert!(firsts.len() > 50, "{firsts:?}");
    }

    // RFC 3550 §6.4
    #[test]
    fn two_legs_measure_each_other() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut a = Reports::new(Ssrc(0xa), 8_000, start);
        let mut b = Reports::new(Ssrc(0xb), 8_000, start);
        b.new_stream(Ssrc(0xa));
        for n in (0..250u32).filter(|n| n % 10 != 0) {
            b.arrived(u64::from(n) + 65_536);
            b.sounded(n * 160, start + ms(20 * u64::from(n)));
        }
        let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
        (0..249u32).for_each(|n| a.sent(n * 160, 160));
        assert!(a.write_if_due(start + ms(5_000), &mut from_a));
        assert!(b.read(&from_a, start + ms(5_030)));
        assert!(b.write_if_due(start + ms(5_100), &mut from_b));
        assert_eq!(from_b.len() % 4, 0);
        assert_eq!(from_b[32], 24, "24 of 249 packets, in 256ths");
        assert!(a.read(&from_b, start + ms(5_130)));
        assert!((a.round_trip_ms().unwrap() - 60.0).abs() < 1.0, "{:?}", a.round_trip_ms());
        assert_eq!((a.take_reported_loss(), a.take_reported_loss()), (Some(9), None));
        // What b has told of it: of all that was sent, and until when.
        let reported = a.reported().unwrap();
        assert_eq!((reported.lost, reported.of, reported.reports), (24, 249, 1));
        assert!(reported.jitter_ms < 1.0, "{reported:?}");
        let mut block = from_b[28..52].to_vec();
        block[5..8].copy_from_slice(&[0xff, 0xff, 0xfe]);
        block[12..16].copy_from_slice(&80_u32.to_be_bytes());
        a.read_block(&block, start + ms(5_140));
        let reported = a.reported().unwrap();
        assert_eq!((reported.lost, reported.reports), (0, 2), "some came twice");
        assert!((5.0..5.5).contains(&reported.jitter_ms), "ten now, and next to none before: {reported:?}");
        assert!(b.jitter_ms() < 1.0);
        assert_eq!(b.lost_in_all(), 24, "the first one can't be missed");
        // He puts the call on hold and comes back as another source.
        b.new_stream(Ssrc(0xc));
        (0..20).filter(|n| *n != 7).for_each(|seq| b.arrived(seq));
        assert_eq!((b.lost(), b.lost_in_all()), (1, 25));
    }
}
