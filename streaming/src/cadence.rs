//! When pictures come, and where parts and segments end. The studio forces its key frames by it and the packager cuts
//! by it, so that every segment begins with one; all tracks are cut at the same times.
//!
//! Times are since the studio's start.

use std::time::Duration;

/// Pictures a second: what cameras send. At 25, every sixth of theirs would be left out, which is seen when something
/// moves evenly; more costs processor time by the picture.
pub const TICKS_PER_SECOND: u32 = 30;

/// The time between two pictures, to the nanosecond below.
pub const TICK: Duration = Duration::from_nanos(1_000_000_000 / TICKS_PER_SECOND as u64);

/// The least that is published at once. Shorter parts bring the viewer nearer (his player stays three parts behind) and
/// cost everybody more requests; below 200 ms, players begin to stumble.
pub const PART: Duration = Duration::from_millis(200);

/// A key frame each time: a player joining late waits for one, and each costs as much as ten pictures.
pub const SEGMENT: Duration = Duration::from_secs(2);

/// The first segment is shorter, because old players want a whole one before they begin. Three parts are what new ones
/// stay behind.
pub const FIRST_SEGMENT: Duration = Duration::from_millis(600);

/// Pictures in a part.
pub const TICKS_PER_PART: u64 = PART.as_millis() as u64 * TICKS_PER_SECOND as u64 / 1_000;

/// When a tick is. The time between two of them is no whole number of nanoseconds, so it isn't added up.
#[must_use]
pub fn time_of(tick: u64) -> Duration {
    let nanos = u128::from(tick) * 1_000_000_000 / u128::from(TICKS_PER_SECOND);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How many whole ticks a time has.
#[must_use]
pub fn ticks_in(time: Duration) -> u64 {
    // A tick's own time is rounded down, and still belongs to it.
    ((time.as_nanos() + 1) * u128::from(TICKS_PER_SECOND) / 1_000_000_000) as u64
}

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

/// A picture of this time is the first of its part.
#[must_use]
pub fn begins_part(time: Duration) -> bool {
    ticks_in(time).is_multiple_of(TICKS_PER_PART)
}

/// When the part ends that has the time in it.
#[must_use]
pub fn part_end(time: Duration) -> Duration {
    let nanos = (time.as_nanos() / PART.as_nanos() + 1) * PART.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_end_where_parts_end() {
        let segments: Vec<u64> = (0..24).map(|part| segment_at(PART * part)).collect();
        let mut expected = vec![0; 3];
        expected.extend([1; 7]);
        expected.extend([2; 10]);
        expected.extend([3; 4]);
        assert_eq!(segments, expected);
        let just_before = |time: Duration| time - Duration::from_nanos(1);
        assert_eq!(segment_at(just_before(FIRST_SEGMENT)), 0);
        assert_eq!(segment_at(just_before(SEGMENT)), 1);
        assert_eq!(part_at(just_before(PART)), 0);
        assert_eq!(part_at(PART), 1);
        assert_eq!((part_end(Duration::ZERO), part_end(PART)), (PART, PART * 2));
    }

    #[test]
    fn pictures_fall_on_every_edge() {
        for (edge, ticks) in [(PART, TICKS_PER_PART), (SEGMENT, 60), (FIRST_SEGMENT, 18)] {
            assert_eq!(time_of(ticks), edge);
        }
        for tick in 0..200_000 {
            assert_eq!(ticks_in(time_of(tick)), tick);
            assert_eq!(begins_part(time_of(tick)), tick % 6 == 0);
        }
    }
}
