//! A map of things that have something due, which finds the next one without looking at all of them: with thousands of calls the
//! looking was most of what a call cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Values lent out before their times are looked at again: more spares looking twice at the same, less holds less.
const TOUCHED_MAX: usize = 256;

/// What has something due.
pub(super) trait Due {
    /// When it wants to be looked at; none while it waits for others only.
    fn due(&self) -> Option<Instant>;
}

pub(super) struct Timed<K, V> {
    /// With the time each stands at in `schedule`.
    values: BTreeMap<K, (V, Option<Instant>)>,
    schedule: BTreeSet<(Instant, K)>,
    /// Lent out since: their times may have changed.
    touched: Vec<K>,
}

impl<K: Copy + Ord, V: Due> Timed<K, V> {
    pub(super) fn new() -> Self {
        Self { values: BTreeMap::new(), schedule: BTreeSet::new(), touched: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn contains_key(&self, key: K) -> bool {
        self.values.contains_key(&key)
    }

    pub(super) fn get(&self, key: K) -> Option<&V> {
        self.values.get(&key).map(|(value, _)| value)
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        if self.touched.len() >= TOUCHED_MAX {
            self.settle();
        }
        let (value, _) = self.values.get_mut(&key)?;
        if self.touched.last() != Some(&key) {
            self.touched.push(key);
        }
        Some(value)
    }

    /// All of them, by their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.values.iter().map(|(key, (value, _))| (*key, value))
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.remove(key);
        self.values.insert(key, (value, None));
        self.get_mut(key);
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        let (value, at) = self.values.remove(&key)?;
        if let Some(at) = at {
            self.schedule.remove(&(at, key));
        }
        Some(value)
    }

    /// The next time something is due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        self.settle();
        self.schedule.first().map(|(at, _)| *at)
    }

    /// All that is due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<K> {
        self.settle();
        self.schedule.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key).collect()
    }

    fn settle(&mut self) {
        for key in self.touched.drain(..) {
            let Some((value, at)) = self.values.get_mut(&key) else { continue };
            let due = value.due();
            if due == *at {
                continue;
            }
            if let Some(before) = std::mem::replace(at, due) {
                self.schedule.remove(&(before, key));
            }
            if let Some(due) = due {
                self.schedule.insert((due, key));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test needs some point in time to count from")]

    use std::time::Duration;

    use super::*;

    struct At(Option<Instant>);

    impl Due for At {
        fn due(&self) -> Option<Instant> {
            self.0
        }
    }

    #[test]
    fn what_is_changed_removed_or_put_in_again_is_due_once_and_when_it_says() {
        let start = Instant::now();
        let at = |ms| Some(start + Duration::from_millis(ms));
        let mut timed = Timed::new();
        for key in 0..1_000_u64 {
            timed.insert(key, At(at(key)));
        }
        assert_eq!(timed.next(), at(0));
        timed.get_mut(0).unwrap().0 = None;
        timed.get_mut(1).unwrap().0 = at(5_000);
        timed.remove(2);
        timed.insert(3, At(at(6_000)));
        assert_eq!(timed.next(), at(4));
        assert_eq!(timed.due(start + Duration::from_millis(6)), [4, 5, 6]);
        for key in 0..1_000 {
            timed.remove(key);
        }
        assert_eq!((timed.next(), timed.len(), timed.schedule.len()), (None, 0, 0));
    }
}
