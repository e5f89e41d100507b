//! What broadcasts may take of this machine: a new one is refused, or goes without its small picture, rather than that all
//! become late. One that runs is never ended for another.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::StreamingError;

/// Of each core, the part that broadcasts may have. With four broadcasts on two cores (0.82 of them) parts still came in
/// time, with five they began to be late; the rest is for calls.
const OF_A_CORE: f64 = 0.85;

/// Cores that a broadcast is taken to need until it has been measured: four cameras, and the sound.
const LARGE: f64 = 0.45;

/// The same of its small picture.
const LOW: f64 = 0.10;

/// What is measured may grow: another layout, more cameras.
const HEADROOM: f64 = 1.15;

/// Seconds until the first measure counts: a studio's start is not its life.
const SETTLE: u32 = 8;

/// Clones are the same budget.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Mutex<Ledger>>);

struct Ledger {
    cores: f64,
    costs: BTreeMap<u64, f64>,
    next: u64,
}

impl Budget {
    pub(crate) fn new(cores: usize) -> Self {
        let cores = cores as f64 * OF_A_CORE;
        Self(Arc::new(Mutex::new(Ledger { cores, costs: BTreeMap::new(), next: 0 })))
    }

    /// Room for one more, or how many there are already.
    pub(crate) fn take(&self) -> Result<Place, StreamingError> {
        let mut ledger = self.lock();
        let free = ledger.cores - ledger.costs.values().sum::<f64>();
        // One always runs, however small the machine: it leaves pictures out where it must.
        if free < LARGE && !ledger.costs.is_empty() {
            return Err(StreamingError::Busy(ledger.costs.len()));
        }
        let low = free >= LARGE + LOW;
        let number = ledger.next;
        ledger.next += 1;
        ledger.costs.insert(number, if low { LARGE + LOW } else { LARGE });
        metrics::gauge!("streaming_broadcasts").increment(1);
        Ok(Place { budget: self.clone(), number, low, seconds: 0, cost: None })
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A ledger is whole between any two operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running broadcast's part of the budget, given back when dropped.
pub(crate) struct Place {
    budget: Budget,
    number: u64,
    /// There is room for the small picture as well.
    pub(crate) low: bool,
    seconds: u32,
    cost: Option<f64>,
}

impl Place {
    /// What its studio took of a core in the last second.
    pub(crate) fn measured(&mut self, cores: f64) {
        self.seconds += 1;
        if self.seconds <= SETTLE || !cores.is_finite() {
            return;
        }
        let cost = self.cost.map_or(cores, |cost| cost + (cores - cost) / 10.0);
        self.cost = Some(cost);
        self.budget.lock().costs.insert(self.number, cost * HEADROOM);
        metrics::histogram!("streaming_studio_cores").record(cores);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.budget.lock().costs.remove(&self.number);
        metrics::gauge!("streaming_broadcasts").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_on_two_cores_and_the_one_too_many_is_refused() {
        let budget = Budget::new(2);
        let mut running: Vec<Place> = (0..3).map(|_| budget.take().unwrap()).collect();
        assert!(running.iter().all(|place| place.low));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(3))));
        running.pop();
        assert!(budget.take().is_ok_and(|place| place.low));

        // They take less than was thought.
        for place in &mut running {
            (0..60).for_each(|_| place.measured(0.3));
        }
        let third = budget.take().unwrap();
        let fourth = budget.take().unwrap();
        assert!(third.low && !fourth.low, "what is left is not enough for the small picture");
        assert!(budget.take().is_err());
        // And more: none is ended for it.
        running.iter_mut().for_each(|place| (0..60).for_each(|_| place.measured(0.9)));
        drop((third, fourth));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(2))));
    }

    #[test]
    fn the_smallest_machine_carries_one() {
        let budget = Budget::new(0);
        let place = budget.take().unwrap();
        assert!(!place.low && budget.take().is_err());
    }
}
