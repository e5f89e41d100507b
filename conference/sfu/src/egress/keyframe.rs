//! The latest key frame of a stream: what was sent before it is over, and what is asked for until it can be there is that one. Pure.

use std::time::{Duration, Instant};

use super::Outgoing;

/// A key frame takes as long as his line needs for it so many times, since other pictures go beside it; and then it is to be decoded. Less
/// would have another one made while it comes, which takes as long again; more would leave him without where it got lost.
const BESIDE: f64 = 2.0;
const DECODED_IN: Duration = Duration::from_millis(150);

/// For no longer: whatever his line is taken to carry, pictures don't wait longer for it.
const UNDER_WAY_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
pub(super) struct KeyFrame {
    /// The number it begins with, extended.
    pub(super) first: u64,
    /// As it is sent.
    pub(super) timestamp: u32,
    began: Instant,
    /// So far.
    bytes: usize,
}

impl KeyFrame {
    /// Takes a packet of a picture that has been sent, or waits to be, into what is known of the `latest`; says whether another one begins
    /// with it.
    pub(super) fn note(latest: &mut Option<Self>, packet: &Outgoing, now: Instant) -> bool {
        let Outgoing { forwarded, media, begins_keyframe } = packet;
        match latest {
            Some(latest) if latest.timestamp == forwarded.timestamp => latest.bytes += media.payload.len(),
            _ if *begins_keyframe => {
                let (first, timestamp) = (forwarded.seq, forwarded.timestamp);
                *latest = Some(Self { first, timestamp, began: now, bytes: media.payload.len() });
                return true;
            }
            _ => {}
        }
        false
    }

    /// He may not have it yet, where his line carries so many bits per second.
    pub(super) fn is_under_way(&self, line: Option<u64>, round_trip: Option<Duration>, now: Instant) -> bool {
        let takes_s = line.map_or(0.0, |line| self.bytes as f64 * 8.0 * BESIDE / line.max(1) as f64);
        let takes = Duration::from_secs_f64(takes_s.min(UNDER_WAY_MAX.as_secs_f64()));
        let until = takes + round_trip.unwrap_or_default() + DECODED_IN;
        now.saturating_duration_since(self.began) < until.min(UNDER_WAY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use media::{Codec, MediaPacket, VideoCodec};

    use super::*;
    use crate::forward::Forwarded;

    fn packet(bytes: usize, timestamp: u32, begins_keyframe: bool) -> Outgoing {
        let forwarded = Forwarded { seq: 1, timestamp, ids: None };
        let (codec, payload) = (Codec::Video(VideoCodec::Vp8), vec![0; bytes].into());
        let media = MediaPacket { codec, seq: 1, timestamp, marker: false, level: None, payload };
        Outgoing { media: media.into(), forwarded, begins_keyframe }
    }

    #[test]
    fn it_is_asked_for_again_when_it_could_be_there() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut latest = None;
        let is_any = |latest: Option<KeyFrame>, line, round_trip, now| {
            latest.is_some_and(|keyframe| keyframe.is_under_way(line, round_trip, now))
        };
        assert!(!KeyFrame::note(&mut latest, &packet(1_000, 0, false), start));
        assert!(!is_any(latest, Some(300_000), None, start), "none has been sent");
        assert!(KeyFrame::note(&mut latest, &packet(1_000, 3_000, true), start));
        (0..11).for_each(|_| assert!(!KeyFrame::note(&mut latest, &packet(1_000, 3_000, false), start)));
        assert!(!KeyFrame::note(&mut latest, &packet(9_000, 6_000, false), at(33)));
        let check = |line, round_trip_ms: Option<u64>, until| {
            let is_any = |ms| is_any(latest, line, round_trip_ms.map(Duration::from_millis), at(ms));
            assert!(is_any(until - 1) && !is_any(until), "{line:?} {round_trip_ms:?} {until}");
        };
        // 96 kbit.
        check(Some(300_000), None, 790);
        check(Some(300_000), Some(60), 850);
        check(Some(20_000_000), Some(50), 210);
        check(Some(100_000), Some(50), 1_000);
        check(None, Some(50), 200);
        assert!(KeyFrame::note(&mut latest, &packet(1_000, 9_000, true), at(5_000)));
        assert!(is_any(latest, Some(300_000), None, at(5_100)), "the next one");
    }
}
