//! Keys as telephone events (RFC 4733 §2.3).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |     event     |E|R| volume    |          duration             |
//! ```

use std::collections::VecDeque;

use media::RtpPacket;

/// Presses remembered, so that a late or doubled packet of one is not another. A press sends within half a second,
/// and nobody presses more often than this in that time.
const REMEMBERED: usize = 16;

#[derive(Default)]
pub(crate) struct KeyReader {
    /// Event, the timestamp it began at, and the longest duration seen.
    presses: VecDeque<(u8, u32, u16)>,
}

impl KeyReader {
    /// The key, at the first packet of its press that arrives.
    pub(crate) fn read(&mut self, packet: &RtpPacket<'_>) -> Option<char> {
        let [event, _, duration0, duration1] = *packet.payload.first_chunk::<4>()?;
        let key = char::from(*b"0123456789*#ABCD".get(usize::from(event))?);
        let duration = u16::from_be_bytes([duration0, duration1]);
        if let Some(press) = self.presses.iter_mut().find(|(known, at, _)| (*known, *at) == (event, packet.timestamp)) {
            press.2 = press.2.max(duration);
            return None;
        }
        // A press too long for its duration field goes on in a segment that begins where the last one ended
        // (RFC 4733 §2.5.1.3).
        let goes_on = |(known, at, longest): &(u8, u32, u16)| {
            let distance = packet.timestamp.wrapping_sub(*at);
            *known == event
                && !packet.marker
                && *longest > 0
                && distance >= u32::from(*longest)
                && distance <= 0xffff
                && *longest > 0xf000
        };
        let continuation = self.presses.back().is_some_and(goes_on);
        if self.presses.len() == REMEMBERED {
            self.presses.pop_front();
        }
        self.presses.push_back((event, packet.timestamp, duration));
        (!continuation).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use media::Ssrc;

    use super::*;

    fn keys(packets: &[(u8, u32, bool, u16)]) -> String {
        let mut reader = KeyReader::default();
        let read = |(event, timestamp, marker, duration): &(u8, u32, bool, u16)| {
            let [d0, d1] = duration.to_be_bytes();
            let payload = [*event, 0x0a, d0, d1];
            let (timestamp, marker) = (*timestamp, *marker);
            reader.read(&RtpPacket { payload_type: 101, marker, seq: 0, timestamp, ssrc: Ssrc(1), payload: &payload })
        };
        packets.iter().filter_map(read).collect()
    }

    // product: P2
    #[test]
    fn each_press_is_one_key() {
        let check = |packets: &[_], expected: &str| assert_eq!(keys(packets), expected, "{packets:?}");
        check(&[(5, 100, true, 160), (5, 100, false, 320), (5, 100, false, 320), (5, 100, false, 320)], "5");
        // The same key twice.
        check(&[(5, 100, true, 160), (5, 100, false, 800), (5, 1700, true, 160), (5, 1700, false, 800)], "55");
        // The first packets lost, and the marker with them.
        check(&[(11, 100, false, 640), (11, 100, false, 640)], "#");
        // A late packet of the press before.
        check(&[(1, 100, true, 800), (2, 1700, true, 160), (1, 100, false, 800), (2, 1700, false, 320)], "12");
        // Held for ten seconds.
        check(&[(9, 100, true, 160), (9, 100, false, 0xffff), (9, 100 + 0xffff, false, 160)], "9");
        // Fax tones and cut packets are no keys.
        check(&[(36, 100, true, 160)], "");
    }

    #[test]
    fn a_cut_event_is_no_key() {
        let packet =
            RtpPacket { payload_type: 101, marker: true, seq: 0, timestamp: 0, ssrc: Ssrc(1), payload: &[5, 0, 1] };
        assert_eq!(KeyReader::default().read(&packet), None);
    }
}
