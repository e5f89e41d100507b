//! H.264 in packets (RFC 6184): each NAL unit as it is, or in pieces where it is too long for one.

use std::sync::Arc;

/// The kind of NAL unit that a piece is (FU-A, §5.8), in the five low bits of its first byte (§1.3).
const FRAGMENT: u8 = 28;
const KIND: u8 = 0x1f;

/// The payloads of a NAL unit, of `longest` bytes at most, which is more than two. A piece begins with two bytes:
///
/// ```text
///  0                   1
///  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
/// |F|NRI|   28    |S|E|R|  type   |      type: the unit's own; S: its first piece, E: its last
/// ```
#[must_use]
pub fn payloads(unit: &[u8], longest: usize) -> Vec<Arc<[u8]>> {
    let Some((header, body)) = unit.split_first() else { return Vec::new() };
    if unit.len() <= longest {
        return vec![unit.into()];
    }
    let pieces = body.chunks(longest.saturating_sub(2).max(1));
    let last = pieces.len().saturating_sub(1);
    let piece = |(index, piece): (usize, &[u8])| {
        let (start, end) = (u8::from(index == 0) << 7, u8::from(index == last) << 6);
        [&[header & !KIND | FRAGMENT, start | end | header & KIND], piece].concat().into()
    };
    pieces.enumerate().map(piece).collect()
}

/// It is a piece of a unit.
#[must_use]
pub fn is_fragment(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & KIND == FRAGMENT)
}

/// The NAL units of a coded picture with the length before each, in four bytes (ISO 14496-15 §5.3.4.2), as far as they are whole.
pub fn units(picture: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = picture;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (unit, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        rest = after;
        Some(unit)
    })
}

/// The parameter sets of an `AVCDecoderConfigurationRecord` (ISO 14496-15 §5.3.3.1): a decoder needs them before the first picture.
pub fn parameter_sets(record: &[u8]) -> Vec<&[u8]> {
    let mut sets = Vec::new();
    // Version, profile, its constraints, level, and how long lengths are.
    let mut rest = record.get(5..).unwrap_or_default();
    // The five low bits count those of sequences; those of pictures are counted by all eight.
    for mask in [0x1f, 0xff] {
        let Some((count, after)) = rest.split_first() else { break };
        rest = after;
        for _ in 0..count & mask {
            let Some((length, after)) = rest.split_first_chunk::<2>() else { return sets };
            let Some((set, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
                return sets;
            };
            sets.push(set);
            rest = after;
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a receiver puts them together (§5.8).
    fn together(payloads: &[Arc<[u8]>]) -> Vec<u8> {
        let mut unit = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            if !is_fragment(payload) {
                assert_eq!(payloads.len(), 1);
                return payload.to_vec();
            }
            let [indicator, header, piece @ ..] = &payload[..] else { panic!("a short piece") };
            assert_eq!((header & 0x80 != 0, header & 0x40 != 0), (index == 0, index == payloads.len() - 1));
            assert!(!piece.is_empty() && header & 0xc0 != 0xc0, "a unit in one piece is none in pieces");
            if index == 0 {
                unit.push(indicator & !KIND | header & KIND);
            }
            assert_eq!(unit[0], indicator & !KIND | header & KIND);
            unit.extend(piece);
        }
        unit
    }

    proptest! {
        // product: R1, RFC 6184 §5.6, §5.8
        #[test]
        fn a_unit_comes_together_again_from_packets_that_are_short_enough(
            kind in 1_u8..24,
            importance in 0_u8..4,
            body in prop::collection::vec(any::<u8>(), 0..5_000),
            longest in 3_usize..1_500,
        ) {
            let unit = [&[importance << 5 | kind][..], &body].concat();
            let payloads = payloads(&unit, longest);
            prop_assert!(payloads.iter().all(|payload| payload.len() <= longest));
            prop_assert_eq!(payloads.len() == 1, unit.len() <= longest);
            prop_assert_eq!(together(&payloads), unit);
        }

        #[test]
        fn nothing_is_too_strange(bytes: Vec<u8>) {
            prop_assert!(units(&bytes).map(|unit| unit.len() + 4).sum::<usize>() <= bytes.len());
            prop_assert!(parameter_sets(&bytes).iter().map(|set| set.len()).sum::<usize>() <= bytes.len());
        }
    }

    #[test]
    fn units_and_parameter_sets_are_found() {
        let picture = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41, 0, 0, 0, 9, 0x41];
        assert_eq!(units(&picture).collect::<Vec<_>>(), [&[0x65, 1][..], &[0x41]]);
        let record = [1, 66, 0xc0, 31, 0xff, 0xe1, 0, 3, 0x67, 66, 0xc0, 1, 0, 2, 0x68, 0xce];
        assert_eq!(parameter_sets(&record), [&[0x67, 66, 0xc0][..], &[0x68, 0xce]]);
        assert!(payloads(&[], 100).is_empty());
    }
}
