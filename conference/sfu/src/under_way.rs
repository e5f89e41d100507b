//! The key frame that is on its way to a subscriber: what he asks for until it can be there is that one. Pure.

use std::time::{Duration, Instant};

use media::MediaPacket;

/// A key frame takes as long as his line needs for it so many times, since other pictures go beside it; and then it is to be decoded. Less
/// would have another one made while it comes, which takes as long again; more would leave him without where it got lost.
const BESIDE: f64 = 2.0;
const DECODED_IN: Duration = Duration::from_millis(150);

/// For no longer: whatever his line is taken to carry, pictures don't wait longer for it.
const UNDER_WAY_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    latest: Option<KeyFrame>,
}

#[derive(Debug)]
struct KeyFrame {
    /// Of its source.
    timestamp: u32,
    began: Instant,
    /// So far.
    bytes: usize,
}

impl UnderWay {
    /// A packet of a picture, or that with which a key frame begins, has been sent, or waits to be.
    pub(crate) fn sent(&mut self, packet: &MediaPacket, begins_keyframe: bool, now: Instant) {
        let bytes = packet.payload.len();
        match &mut self.latest {
            Some(latest) if latest.timestamp == packet.timestamp => latest.bytes += bytes,
            _ if begins_keyframe => {
                self.latest = Some(KeyFrame { timestamp: packet.timestamp, began: now, bytes });
            }
            _ => {}
        }
    }

    /// He may not have it yet, where his line carries so many bits per second.
    pub(crate) fn is_any(&self, line: Option<u64>, round_trip: Option<Duration>, now: Instant) -> bool {
        let Some(latest) = &self.latest else { return false };
        let takes_s = line.map_or(0.0, |line| latest.bytes as f64 * 8.0 * BESIDE / line.max(1) as f64);
        let takes = Duration::from_secs_f64(takes_s.min(UNDER_WAY_MAX.as_secs_f64()));
        let until = takes + round_trip.unwrap_or_default() + DECODED_IN;
        now.saturating_duration_since(latest.began) < until.min(UNDER_WAY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use media::{Codec, VideoCodec};

    use super::*;

    fn packet(bytes: usize, timestamp: u32) -> MediaPacket {
        let codec = Codec::Video(VideoCodec::Vp8);
        MediaPacket { codec, seq: 1, timestamp, marker: false, level: None, payload: vec![0; bytes].into() }
    }

    #[test]
    fn it_is_asked_for_again_when_it_could_be_there() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut under_way = UnderWay::default();
        under_way.sent(&packet(1_000, 0), false, start);
        assert!(!under_way.is_any(Some(300_000), None, start), "none has been sent");
        under_way.sent(&packet(1_000, 3_000), true, start);
        (0..11).for_each(|_| under_way.sent(&packet(1_000, 3_000), false, start));
        under_way.sent(&packet(9_000, 6_000), false, at(33));
        let check = |line, round_trip_ms: Option<u64>, until| {
            let is_any = |ms| under_way.is_any(line, round_trip_ms.map(Duration::from_millis), at(ms));
            assert!(is_any(until - 1) && !is_any(until), "{line:?} {round_trip_ms:?} {until}");
        };
        // 96 kbit.
        check(Some(300_000), None, 790);
        check(Some(300_000), Some(60), 850);
        check(Some(20_000_000), Some(50), 210);
        check(Some(100_000), Some(50), 1_000);
        check(None, Some(50), 200);
        under_way.sent(&packet(1_000, 9_000), true, at(5_000));
        assert!(under_way.is_any(Some(300_000), None, at(5_100)), "the next one");
    }
}
