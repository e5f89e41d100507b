//! When pictures come, and where parts and segments end. The studio forces its key frames by it and the packager cuts
//! by it, so that every segment begins with one; both tracks are cut at the same times.
//!
//! Times are since the studio's start.

use std::time::Duration;

/// The time between two pictures: 25 a second, the rate of television where most of our viewers live. 30 would cost a
/// fifth more processor time, and doesn't divide [`PART`] and [`SEGMENT`] as evenly.
pub const TICK: Duration = Duration::from_millis(40);

/// The least that is published at once. Shorter parts bring the viewer nearer (his player stays three parts behind) and
/// cost everybody more requests; below 200 ms, players begin to stumble.
pub const PART: Duration = Duration::from_millis(400);

/// A key frame each time: a player joining late waits for one, and each costs as much as ten pictures.
pub const SEGMENT: Duration = Duration::from_secs(2);

/// The first segment is shorter, because old players want a whole one before they begin. Three parts are what new ones
/// stay behind.
pub const FIRST_SEGMENT: Duration = Duration::from_millis(1200);

/// Pictures in a part.
pub const TICKS_PER_PART: u64 = (PART.as_millis() / TICK.as_millis()) as u64;

/// The number of the segment that has the time in it.
#[must_use]
pub fn segment_at(time: Duration) -> u64 {
    if time < FIRST_SEGMENT { 0 } else { 1 + (time.as_nanos() / SEGMENT.as_nanos()) as u64 }
}

/// The number of the part that has the time in it.
#[must_use]
pub fn part_at(time: Duration) -> u64 {
    (time.as_nanos() / PART.as_nanos()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_end_where_parts_end() {
        let segments: Vec<u64> = (0..16).map(|part| segment_at(PART * part)).collect();
        assert_eq!(segments, [0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]);
        let just_before = |time: Duration| time - Duration::from_nanos(1);
        assert_eq!(segment_at(just_before(FIRST_SEGMENT)), 0);
        assert_eq!(segment_at(just_before(SEGMENT)), 1);
        assert_eq!(part_at(just_before(PART)), 0);
        assert_eq!(part_at(PART), 1);
    }

    #[test]
    fn pictures_fall_on_every_edge() {
        for edge in [PART, SEGMENT, FIRST_SEGMENT] {
            assert_eq!(edge.as_nanos() % TICK.as_nanos(), 0);
        }
    }
}
