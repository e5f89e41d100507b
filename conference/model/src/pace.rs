//! How often something may be done: so much at once, and so much a second from then on (a token bucket). Time is any that doesn't go
//! back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Those who are remembered by one [`Paces`]; beyond it all of them begin anew.
const REMEMBERED_MAX: usize = 10_000;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// So much may be done by who has done nothing for long.
    pub at_once: f64,
    /// And so much a second in the long run; above 0.
    pub per_second: f64,
}

/// What one has done of late.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bucket {
    /// What is not forgotten yet.
    done: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// How long until once more may be done; nothing where that is now.
    #[must_use]
    pub fn wait(&self, pace: Pace, now: Instant) -> Duration {
        over(self.left(pace, now) + 1.0, pace)
    }

    /// Counts once, and says how long he who does it is to wait afterwards: for who is held back and not refused.
    pub fn owe(&mut self, pace: Pace, now: Instant) -> Duration {
        *self = Self { done: self.left(pace, now) + 1.0, at: Some(now) };
        over(self.done, pace)
    }

    /// Counts once, unless that is too often: then nothing is counted, so that trying doesn't prolong it.
    ///
    /// # Errors
    /// How long it is too often.
    pub fn take(&mut self, pace: Pace, now: Instant) -> Result<(), Duration> {
        let wait = self.wait(pace, now);
        if wait.is_zero() {
            self.owe(pace, now);
            return Ok(());
        }
        Err(wait)
    }

    fn left(&self, pace: Pace, now: Instant) -> f64 {
        let seconds = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        (self.done - seconds * pace.per_second).max(0.0)
    }
}

fn over(done: f64, Pace { at_once, per_second }: Pace) -> Duration {
    // What is less than can be counted is nothing.
    Duration::try_from_secs_f64(((done - at_once) / per_second).max(0.0)).unwrap_or(Duration::MAX)
}

/// What each of many has done of late.
#[derive(Debug)]
pub struct Paces<K> {
    pace: Pace,
    buckets: BTreeMap<K, Bucket>,
}

impl<K: Ord> Paces<K> {
    /// Nobody has done anything.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self { pace, buckets: BTreeMap::new() }
    }

    /// See [`Bucket::wait`].
    #[must_use]
    pub fn wait(&self, who: &K, now: Instant) -> Duration {
        self.buckets.get(who).copied().unwrap_or_default().wait(self.pace, now)
    }

    /// See [`Bucket::take`].
    ///
    /// # Errors
    /// How long it is too often.
    pub fn take(&mut self, who: K, now: Instant) -> Result<(), Duration> {
        if self.buckets.len() >= REMEMBERED_MAX && !self.buckets.contains_key(&who) {
            self.buckets.clear();
        }
        self.buckets.entry(who).or_default().take(self.pace, now)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test needs some point in time to count from")]

    use super::*;

    const TEN_IN_TEN_MINUTES: Pace = Pace { at_once: 10.0, per_second: 1.0 / 60.0 };

    #[test]
    fn who_is_refused_may_again_when_he_was_told() {
        let (mut paces, start) = (Paces::new(TEN_IN_TEN_MINUTES), Instant::now());
        assert_eq!((0..20).filter(|_| paces.take(1, start).is_ok()).count(), 10);
        let minute = Duration::from_secs(60);
        assert_eq!(paces.take(1, start), Err(minute));
        assert_eq!(
            (paces.wait(&1, start), paces.wait(&2, start)),
            (minute, Duration::ZERO),
            "others are not concerned"
        );
        assert_eq!((0..20).filter(|_| paces.take(1, start + minute).is_ok()).count(), 1);
        assert_eq!((0..20).filter(|_| paces.take(1, start + 60 * minute).is_ok()).count(), 10, "and no more for that");
    }

    #[test]
    fn who_is_held_back_does_everything_at_its_pace() {
        let (pace, start) = (Pace { at_once: 100.0, per_second: 20.0 }, Instant::now());
        let mut bucket = Bucket::default();
        let mut now = start;
        for _ in 0..300 {
            now += bucket.owe(pace, now);
        }
        assert_eq!(now.duration_since(start).as_millis(), 10_000);
    }

    #[test]
    fn a_flood_from_everywhere_costs_no_more_memory() {
        let (mut paces, start) = (Paces::new(TEN_IN_TEN_MINUTES), Instant::now());
        assert!((0..100_000).all(|who| paces.take(who, start).is_ok()));
        assert!(paces.buckets.len() <= REMEMBERED_MAX);
    }
}
