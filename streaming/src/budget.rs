//! What broadcasts may take of this machine: a new one is refused, or goes without its small picture, rather than that all
//! become late. One that runs is never ended for another; only its largest picture gives way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::StreamingError;

/// Of each core, the part that broadcasts may have. With four broadcasts on two cores (0.82 of them) parts still came in
/// time, with five they began to be late; the rest is for calls.
const OF_A_CORE: f64 = 0.85;

/// Cores that a broadcast is taken to need until it has been measured: four cameras, and the sound.
const LARGE: f64 = 0.45;

/// The same of its small picture.
const LOW: f64 = 0.10;

/// The same of its largest picture: coding it and making it smaller again took 0.61 of a core (EPYC, four cameras, 4 Mbit/s),
/// and more than twice the pixels are put together.
const FULL_HD: f64 = 0.65;

/// Cores that one encoder takes that comes by RTMP: 720 lines decoded and coded anew.
const INGEST: f64 = 0.45;

/// What is measured may grow: another layout, more cameras.
const HEADROOM: f64 = 1.15;

/// Seconds until the first measure counts: a studio's start is not its life.
const SETTLE: u32 = 8;

/// Pictures of a second's thirty that may be lost without its being a want of time.
const LOST_MAX: u64 = 5;

/// Seconds of more than that until the largest picture is left out; a second before the studio makes fewer pictures.
const LATE_MAX: u32 = 2;

/// Clones are the same budget.
#[derive(Clone)]
pub(crate) struct Budget(Arc<Mutex<Ledger>>);

struct Ledger {
    cores: f64,
    /// There may be large pictures.
    full_hd: bool,
    entries: BTreeMap<u64, Entry>,
    next: u64,
}

struct Entry {
    cost: f64,
    /// It makes the largest picture, and this tells it to leave that.
    full_hd: Option<CancellationToken>,
}

/// The pictures a broadcast makes beside the one of 720 lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rungs {
    /// 360 lines.
    pub(crate) low: bool,
    /// 1080 lines.
    pub(crate) full_hd: bool,
}

impl Budget {
    /// Of so many cores; `full_hd` allows large pictures.
    pub(crate) fn new(cores: usize, full_hd: bool) -> Self {
        let cores = cores as f64 * OF_A_CORE;
        Self(Arc::new(Mutex::new(Ledger { cores, full_hd, entries: BTreeMap::new(), next: 0 })))
    }

    /// Room for one more, which is taken as long as the second of the two is kept; or how many there are already.
    pub(crate) fn take(&self) -> Result<(Place, Room), StreamingError> {
        let mut ledger = self.lock();
        while ledger.free() < LARGE + LOW && ledger.lower_one() {}
        let free = ledger.free();
        // One always runs, however small the machine: it leaves pictures out where it must.
        if free < LARGE && !ledger.entries.is_empty() {
            return Err(StreamingError::Busy(ledger.entries.len()));
        }
        let low = free >= LARGE + LOW;
        // The next one is to find room without anybody's giving way.
        let full_hd = ledger.full_hd && free >= 2.0 * (LARGE + LOW) + FULL_HD;
        let lowered = CancellationToken::new();
        let cost = LARGE + if low { LOW } else { 0.0 } + if full_hd { FULL_HD } else { 0.0 };
        let room = self.enter(&mut ledger, Entry { cost, full_hd: full_hd.then(|| lowered.clone()) });
        metrics::gauge!("streaming_broadcasts").increment(1);
        let place = Place {
            budget: self.clone(),
            number: room.number,
            rungs: Rungs { low, full_hd },
            lowered,
            seconds: 0,
            cost: None,
        };
        Ok((place, room))
    }

    /// Room for one encoder more; none where there isn't any. One may always come, however small the machine.
    pub(crate) fn take_ingest(&self) -> Option<Room> {
        let mut ledger = self.lock();
        while ledger.free() < INGEST && ledger.lower_one() {}
        if ledger.free() < INGEST && !ledger.entries.is_empty() {
            return None;
        }
        Some(self.enter(&mut ledger, Entry { cost: INGEST, full_hd: None }))
    }

    fn enter(&self, ledger: &mut Ledger, entry: Entry) -> Room {
        let number = ledger.next;
        ledger.next += 1;
        ledger.entries.insert(number, entry);
        Room { budget: self.clone(), number }
    }

    /// Of an entry that is still there.
    fn change(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().entries.get_mut(&number) {
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A ledger is whole between any two operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    fn free(&self) -> f64 {
        self.cores - self.entries.values().map(|entry| entry.cost).sum::<f64>()
    }

    /// Has one broadcast leave its largest picture, the oldest; false where none has one.
    fn lower_one(&mut self) -> bool {
        let Some(entry) = self.entries.values_mut().find(|entry| entry.full_hd.is_some()) else { return false };
        entry.lower();
        true
    }
}

impl Entry {
    fn lower(&mut self) {
        if let Some(lowered) = self.full_hd.take() {
            // What it takes without is measured anew.
            self.cost = (self.cost - FULL_HD).max(LOW);
            lowered.cancel();
        }
    }
}

/// What a broadcast makes of its room, for as long as its studio lives: which may be a moment longer than it has that.
pub(crate) struct Place {
    budget: Budget,
    number: u64,
    rungs: Rungs,
    lowered: CancellationToken,
    seconds: u32,
    cost: Option<f64>,
}

impl Place {
    /// What there is room for.
    pub(crate) fn rungs(&self) -> Rungs {
        Rungs { full_hd: self.rungs.full_hd && !self.lowered.is_cancelled(), ..self.rungs }
    }

    /// Until it has to leave its largest picture.
    pub(crate) async fn lowered(&self) {
        self.lowered.cancelled().await;
    }

    /// It leaves its largest picture by itself.
    pub(crate) fn lower(&mut self) {
        self.budget.change(self.number, Entry::lower);
        (self.seconds, self.cost) = (0, None);
    }

    /// What its studio took of a core in the last second.
    pub(crate) fn measured(&mut self, cores: f64) {
        self.seconds += 1;
        if self.seconds <= SETTLE || !cores.is_finite() {
            return;
        }
        let cost = self.cost.map_or(cores, |cost| cost + (cores - cost) / 10.0);
        self.cost = Some(cost);
        self.budget.change(self.number, |entry| entry.cost = cost * HEADROOM);
        metrics::histogram!("streaming_studio_cores").record(cores);
    }
}

/// An entry of the budget, given back when dropped.
pub(crate) struct Room {
    budget: Budget,
    number: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.budget.lock().entries.remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!("streaming_broadcasts").decrement(1);
    }
}

/// Whether the machine has time for what a broadcast makes.
#[derive(Debug, Default)]
pub(crate) struct Burden {
    seconds: u32,
    /// Seconds in a row of more pictures lost than may be.
    late: u32,
}

impl Burden {
    /// Once a second: how many pictures were lost in it. True where the largest picture is too much.
    pub(crate) fn is_too_much(&mut self, lost: u64) -> bool {
        self.seconds += 1;
        self.late = if lost > LOST_MAX && self.seconds > SETTLE { self.late + 1 } else { 0 };
        self.late >= LATE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_on_two_cores_and_the_one_too_many_is_refused() {
        let budget = Budget::new(2, true);
        let mut running: Vec<(Place, Room)> = (0..3).map(|_| budget.take().unwrap()).collect();
        assert!(running.iter().all(|(place, _)| place.rungs().low));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(3))));
        running.pop();
        assert!(budget.take().is_ok_and(|(place, _)| place.rungs().low));

        // They take less than was thought.
        for (place, _) in &mut running {
            (0..60).for_each(|_| place.measured(0.3));
        }
        let third = budget.take().unwrap();
        let fourth = budget.take().unwrap();
        assert!(third.0.rungs().low && !fourth.0.rungs().low, "what is left is not enough for the small picture");
        assert!(budget.take().is_err());
        // And more: none is ended for it.
        running.iter_mut().for_each(|(place, _)| (0..60).for_each(|_| place.measured(0.9)));
        drop((third, fourth));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(2))));
    }

    #[test]
    fn the_smallest_machine_carries_one() {
        let budget = Budget::new(0, true);
        let (place, room) = budget.take().unwrap();
        assert!(!place.rungs().low && budget.take().is_err());
        // Its studio has yet to end.
        drop(room);
        assert!(budget.take().is_ok());
        drop(place);
    }

    // product: B2
    #[tokio::test]
    async fn the_largest_picture_is_made_where_there_is_room_and_gives_way_to_another_broadcast() {
        assert!(!Budget::new(2, true).take().unwrap().0.rungs().full_hd, "two cores are for others too");
        assert!(!Budget::new(64, false).take().unwrap().0.rungs().full_hd, "the operator doesn't want it");
        let budget = Budget::new(3, true);
        let (mut first, _room) = budget.take().unwrap();
        assert!(first.rungs().full_hd);
        let others: Vec<(Place, Room)> = (0..2).map(|_| budget.take().unwrap()).collect();
        assert!(others.iter().all(|(place, _)| place.rungs() == Rungs { low: true, full_hd: false }));
        assert!(first.rungs().full_hd, "there was room for all");
        let fourth = budget.take().unwrap();
        first.lowered().await;
        assert_eq!((first.rungs(), fourth.0.rungs()), (Rungs { low: true, full_hd: false }, others[0].0.rungs()));
        // Measured with its large picture, it counts as that no more.
        first.lower();
        (0..SETTLE).for_each(|_| first.measured(1.2));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(4))));
        drop((others, fourth));
        assert!(budget.take().unwrap().0.rungs().full_hd, "there is room again, for a new one");
    }

    #[test]
    fn a_studios_start_and_a_moments_burden_are_no_want_of_time() {
        let mut burden = Burden::default();
        let mut seconds = |count: u32, lost: u64| (0..count).map(|_| burden.is_too_much(lost)).collect::<Vec<_>>();
        assert!(!seconds(SETTLE, 30).contains(&true), "it starts");
        assert_eq!(seconds(1, 30), [false]);
        assert!(!seconds(60, LOST_MAX).contains(&true), "a few are no burden");
        assert_eq!(seconds(3, LOST_MAX + 1), [false, true, true]);
    }
}
