//! Reports (RTCP, RFC 3550 §6): what a subscriber says of what he was sent, and what he is told of it. Pure.

/// Types of reports and kinds of feedback.
const SENDER: u8 = 200;
const RECEIVER: u8 = 201;
const DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const OF_TRANSPORT: u8 = 205;
const OF_PAYLOAD: u8 = 206;
const NACK: u8 = 1;
const TRANSPORT_WIDE: u8 = 15;
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;
const OF_APPLICATION: u8 = 15;

/// Packets that one feedback may be about. Ten bytes could say it of 65,535, and each is looked up.
const STATUSES_MAX: usize = 4_096;

/// Packets that one report may ask for again.
const NACKS_MAX: usize = 512;

/// What a subscriber reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// The stream arrives. The round trip, where he says when he heard from us: the time he last did, in 1/65,536 s of the clock that
    /// our own reports tell, and how long ago that was. How unevenly it arrives, in the stream's clock. The highest number that
    /// has come, extended, and how many packets have not in all.
    Received { ssrc: u32, last_report: u32, since: u32, jitter: u32, highest: u32, lost: i32 },
    /// These did not arrive (RFC 4585 §6.2.1).
    Missing { ssrc: u32, seqs: Vec<u16> },
    /// He can't go on without a key frame (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
    Keyframe { ssrc: u32 },
    /// His line carries so many bits per second of these streams (REMB, draft-alvestrand-rmcat-remb-03).
    Bound { bitrate: u64, ssrcs: Vec<u32> },
    /// When what was numbered for the whole transport arrived.
    Arrivals(Arrivals),
}

/// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// Of the first packet it is about.
    pub(crate) first: u16,
    /// In the receiver's clock, in units of 64 ms; 24 bits.
    pub(crate) reference: u32,
    /// Of each packet, in microseconds since the reference; none where it has not come.
    pub(crate) at_us: Vec<Option<i64>>,
}

/// All that a compound packet says, as far as it can be read.
pub(crate) fn read(mut compound: &[u8]) -> Vec<Report> {
    let mut reports = Vec::new();
    while let Some(([flags, kind, len0, len1], rest)) = compound.split_first_chunk::<4>() {
        let len = 4 * usize::from(u16::from_be_bytes([*len0, *len1]));
        let Some((body, after)) = rest.split_at_checked(len) else { break };
        if flags >> 6 != 2 {
            break;
        }
        let count = flags & 0x1f;
        match (*kind, count) {
            // The sender's own five words come before the blocks.
            (SENDER, count) => blocks(body.get(24..), count, &mut reports),
            (RECEIVER, count) => blocks(body.get(4..), count, &mut reports),
            (OF_TRANSPORT, NACK) => reports.extend(nack(body)),
            (OF_TRANSPORT, TRANSPORT_WIDE) => reports.extend(arrivals(body).map(Report::Arrivals)),
            (OF_PAYLOAD, PICTURE_LOSS) => reports.extend(word(body, 4).map(|ssrc| Report::Keyframe { ssrc })),
            (OF_PAYLOAD, OF_APPLICATION) => reports.extend(bound(body)),
            (OF_PAYLOAD, FULL_INTRA) => reports.extend(word(body, 8).map(|ssrc| Report::Keyframe { ssrc })),
            _ => {}
        }
        compound = after;
    }
    reports
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// ```text
/// |                             SSRC                              |
/// | fraction lost |       cumulative number of packets lost       |
/// |           extended highest sequence number received           |
/// |                      interarrival jitter                      |
/// |                         last SR (LSR)                         |
/// |                   delay since last SR (DLSR)                  |
/// ```
fn blocks(blocks: Option<&[u8]>, count: u8, reports: &mut Vec<Report>) {
    for block in blocks.unwrap_or_default().chunks_exact(24).take(count.into()) {
        let words = [0, 4, 8, 12, 16, 20].map(|at| word(block, at));
        if let [Some(ssrc), Some(lost), Some(highest), Some(jitter), Some(last_report), Some(since)] = words {
            // 24 bits with a sign: what came twice counts against what did not come.
            let lost = (lost << 8).cast_signed() >> 8;
            reports.push(Report::Received { ssrc, last_report, since, jitter, highest, lost });
        }
    }
}

/// ```text
/// |                  SSRC of packet sender                        |
/// |                  SSRC of media source (0)                     |
/// |  Unique identifier 'R' 'E' 'M' 'B'                            |
/// |  Num SSRC     | BR Exp    |  BR Mantissa                      |
/// |   SSRC feedback, and as many more as there are                |
/// ```
fn bound(body: &[u8]) -> Option<Report> {
    if body.get(8..12)? != b"REMB" {
        return None;
    }
    let rate = word(body, 12)?;
    let (exponent, mantissa) = (rate >> 18 & 0x3f, u64::from(rate & 0x3_ffff));
    let ssrcs = (4..).map_while(|at| word(body, 4 * at)).take((rate >> 24) as usize).collect();
    Some(Report::Bound { bitrate: mantissa.saturating_mul(1 << exponent), ssrcs })
}

fn nack(body: &[u8]) -> Option<Report> {
    let ssrc = word(body, 4)?;
    let mut seqs = Vec::new();
    for entry in body[8..].chunks_exact(4) {
        let first = u16::from_be_bytes([entry[0], entry[1]]);
        let mask = u16::from_be_bytes([entry[2], entry[3]]);
        seqs.push(first);
        seqs.extend((0..16).filter(|bit| mask >> bit & 1 == 1).map(|bit| first.wrapping_add(bit + 1)));
        if seqs.len() > NACKS_MAX {
            break;
        }
    }
    Some(Report::Missing { ssrc, seqs })
}

/// ```text
/// |      base sequence number     |      packet status count      |
/// |                 reference time                | fb pkt. count |
/// |          packet chunk         |         packet chunk          |
/// |         packet chunk          |  recv delta   |  recv delta   |
/// ```
fn arrivals(body: &[u8]) -> Option<Arrivals> {
    let (head, mut rest) = body.get(8..)?.split_first_chunk::<8>()?;
    let first = u16::from_be_bytes([head[0], head[1]]);
    let count = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if count > STATUSES_MAX {
        return None;
    }
    let reference = u32::from_be_bytes([0, head[4], head[5], head[6]]);
    // Bytes that each packet's time takes: none where it has not come.
    let mut sizes = Vec::with_capacity(count);
    while sizes.len() < count {
        let (chunk, after) = rest.split_first_chunk::<2>()?;
        let chunk = u16::from_be_bytes(*chunk);
        rest = after;
        if chunk >> 15 == 0 {
            let run = usize::from(chunk & 0x1fff);
            if run == 0 {
                return None;
            }
            sizes.extend(std::iter::repeat_n((chunk >> 13 & 3) as u8, run.min(count - sizes.len())));
        } else if chunk >> 14 == 2 {
            sizes.extend((0..14).rev().map(|bit| (chunk >> bit & 1) as u8).take(count - sizes.len()));
        } else {
            sizes.extend((0..7).rev().map(|pair| (chunk >> (2 * pair) & 3) as u8).take(count - sizes.len()));
        }
    }
    let mut at = 0;
    let mut at_us = Vec::with_capacity(count);
    for size in sizes {
        let delta = match size {
            1 => {
                let (delta, after) = rest.split_first()?;
                rest = after;
                i64::from(*delta)
            }
            2 => {
                let (delta, after) = rest.split_first_chunk::<2>()?;
                rest = after;
                i64::from(i16::from_be_bytes(*delta))
            }
            _ => {
                at_us.push(None);
                continue;
            }
        };
        at += 250 * delta;
        at_us.push(Some(at));
    }
    Some(Arrivals { first, reference, at_us })
}

/// What a sender's report tells of his stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) ssrc: u32,
    /// The time of day, and the stream's at that moment.
    pub(crate) ntp: u64,
    pub(crate) timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) bytes: u32,
}

/// A sender's report, with the name that all streams of one sender have in common (RFC 3550 §6.5.1).
pub(crate) fn write_sent(sent: &Sent, name: &str) -> Vec<u8> {
    let mut out = vec![0x80, SENDER, 0, 6];
    out.extend(sent.ssrc.to_be_bytes());
    out.extend(sent.ntp.to_be_bytes());
    for word in [sent.timestamp, sent.packets, sent.bytes] {
        out.extend(word.to_be_bytes());
    }
    // One chunk with one item, which ends with at least one zero.
    let name = &name.as_bytes()[..name.len().min(255)];
    let words = 1 + (2 + name.len()) / 4 + 1;
    out.extend([0x81, DESCRIPTION, 0, words as u8]);
    out.extend(sent.ssrc.to_be_bytes());
    out.extend([1, name.len() as u8]);
    out.extend(name);
    out.resize(28 + 4 + 4 * words, 0);
    out
}

/// Asks for packets of a stream (RFC 4585 §6.2.1), behind the empty report that others may come after (RFC 3550 §6.1). The numbers are
/// in their order.
pub(crate) fn write_missing(sender: u32, ssrc: u32, seqs: &[u16]) -> Vec<u8> {
    let mut entries: Vec<(u16, u16)> = Vec::new();
    for seq in seqs {
        match entries.last_mut().map(|(first, mask)| (seq.wrapping_sub(*first), mask)) {
            Some((behind @ 1..=16, mask)) => *mask |= 1 << (behind - 1),
            _ => entries.push((*seq, 0)),
        }
    }
    let words = 2 + entries.len() as u16;
    let mut out = vec![0x80, RECEIVER, 0, 1];
    out.extend(sender.to_be_bytes());
    out.extend([0x80 | NACK, OF_TRANSPORT]);
    out.extend(words.to_be_bytes());
    out.extend(sender.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
    for (first, mask) in entries {
        out.extend(first.to_be_bytes());
        out.extend(mask.to_be_bytes());
    }
    out
}

/// The streams are no more (RFC 3550 §6.6).
pub(crate) fn write_bye(ssrcs: &[u32]) -> Vec<u8> {
    let ssrcs = &ssrcs[..ssrcs.len().min(31)];
    let mut out = vec![0x80 | ssrcs.len() as u8, BYE, 0, ssrcs.len() as u8];
    ssrcs.iter().for_each(|ssrc| out.extend(ssrc.to_be_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_browsers_report_is_read() {
        let mut compound = vec![0x81, RECEIVER, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9];
        compound.extend([77, 0xff, 0xff, 0xfd, 0, 1, 0, 3]);
        compound.extend([0, 0, 1, 1, 0, 1, 0, 2, 0, 0, 0x80, 0]);
        compound.extend([0x81, OF_TRANSPORT, 0, 3, 0, 0, 0, 1, 0, 0, 0, 9, 0xff, 0xff, 0, 5]);
        compound.extend([0x81, OF_PAYLOAD, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9]);
        compound.extend([0x84, OF_PAYLOAD, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0]);
        compound.extend([0x8f, OF_PAYLOAD, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0]);
        compound.extend(*b"REMB");
        compound.extend([1, 1 << 2 | 2, 0x49, 0xf0, 0, 0, 0, 9]);
        // Another application's.
        compound.extend([0x8f, OF_PAYLOAD, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'A', 0, 0, 0, 1]);
        let expected = [
            Report::Received { ssrc: 9, last_report: 0x10002, since: 0x8000, jitter: 257, highest: 0x10003, lost: -3 },
            Report::Missing { ssrc: 9, seqs: vec![0xffff, 0, 2] },
            Report::Keyframe { ssrc: 9 },
            Report::Keyframe { ssrc: 8 },
            Report::Bound { bitrate: 0x2_49f0 << 1, ssrcs: vec![9] },
        ];
        assert_eq!(read(&compound), expected);
    }

    #[test]
    fn what_is_asked_for_is_read_as_it_was_written() {
        let seqs = vec![65_530, 65_533, 65_535, 0, 10, 11, 27, 44, 500];
        let expected = [Report::Missing { ssrc: 9, seqs: seqs.clone() }];
        assert_eq!(read(&write_missing(1, 9, &seqs)), expected);
    }

    #[test]
    fn arrivals_are_read_from_runs_and_vectors() {
        let head = [0x8f, OF_TRANSPORT, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9, 0xff, 0xfe, 0, 11, 0, 1, 0, 7];
        // Two that came soon; of seven: soon, not, late, and four not; of two: soon, not.
        let chunks = [0x20, 2, 0b1101_0010, 0, 0xa0, 0];
        let deltas = [4, 8, 0, 0xff, 0xfe, 1];
        let compound = [&head[..], &chunks, &deltas].concat();
        let ms = |quarters: i64| Some(250 * quarters);
        let at_us = vec![ms(4), ms(12), ms(12), None, ms(10), None, None, None, None, ms(11), None];
        assert_eq!(read(&compound), [Report::Arrivals(Arrivals { first: 0xfffe, reference: 0x100, at_us })]);
        for cut in 0..compound.len() {
            assert_eq!(read(&compound[..cut]), [], "cut to {cut}");
        }
    }

    #[test]
    fn one_feedback_is_not_about_thousands() {
        let head = [0x8f, OF_TRANSPORT, 0, 5, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0xff, 0xff, 0, 1, 0, 7, 0x1f, 0xff, 0, 0];
        assert_eq!(read(&head), []);
    }

    #[test]
    fn what_is_sent_can_be_read_by_its_lengths() {
        for name in ["", "a", "ab", "abc", "0123456789abcdef"] {
            let sent = Sent { ssrc: 7, ntp: 1, timestamp: 2, packets: 3, bytes: 4 };
            let report = write_sent(&sent, name);
            assert_eq!(report.len() % 4, 0);
            let described = 4 * usize::from(report[31]);
            assert_eq!(report.len(), 32 + described, "{name:?}");
            assert_eq!(report.last(), Some(&0), "the list of items ends");
        }
    }

    proptest! {
        #[test]
        fn a_bound_is_read_as_it_was_written(mantissa in 0_u64..1 << 18, exponent in 0_u8..64, others in 0_usize..5) {
            let mut report = vec![0x8f, OF_PAYLOAD, 0, 4 + others as u8, 0, 0, 0, 1, 0, 0, 0, 0];
            report.extend(*b"REMB");
            report.extend([others as u8, exponent << 2 | (mantissa >> 16) as u8, (mantissa >> 8) as u8, mantissa as u8]);
            report.extend(vec![7; 4 * others]);
            let bitrate = u128::from(mantissa) << exponent;
            let ssrcs = vec![0x0707_0707; others];
            let expected = Report::Bound { bitrate: u64::try_from(bitrate).unwrap_or(u64::MAX), ssrcs };
            prop_assert_eq!(read(&report), [expected]);
            for cut in 0..16 {
                prop_assert_eq!(read(&report[..cut]), []);
            }
        }

        #[test]
        fn whatever_comes_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 200_u8..208, count in 0_u8..32) {
            let mut bytes = bytes;
            if let Some(head) = bytes.first_chunk_mut::<4>() {
                *head = [0x80 | count, kind, 0, head[3] % 40];
            }
            for report in read(&bytes) {
                if let Report::Arrivals(arrivals) = report {
                    prop_assert!(arrivals.at_us.len() <= STATUSES_MAX);
                }
            }
        }
    }
}
