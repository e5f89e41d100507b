//! What broadcasts may take of this machine: a new one is refused, or goes without its small picture, rather than that all
//! become late. One that runs is never ended for another; only its largest picture gives way.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
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

/// Cores that the picture for a meeting's room systems is taken to need: four cameras, put together and coded once.
const ROOMS: f64 = 0.45;

/// What is measured may grow: another layout, more cameras.
const HEADROOM: f64 = 1.15;

/// Seconds until the first measure counts: a studio's start is not its life.
const SETTLE: u32 = 8;

/// Pictures in a second from which on it is measured what a broadcast takes. A still picture, a title or people without cameras, is coded
/// five times a second, for a tenth of what it takes when somebody opens his camera.
const MOVING: u32 = 20;

/// How often the machine is asked what it has time for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What a look counts against those before: half a minute, so that a moment's work refuses nobody.
const LOOK_WEIGHT: f64 = 1.0 / 6.0;

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
    /// Cores of the machine that had nothing to do of late, where that is looked at.
    idle: Option<f64>,
    entries: BTreeMap<u64, Entry>,
    next: u64,
}

struct Entry {
    /// What it may come to take.
    cost: f64,
    /// What it takes of that now, as far as that is known.
    used: f64,
    /// It makes the largest picture, and this tells it to leave that.
    full_hd: Option<CancellationToken>,
    /// It is what room systems see.
    is_of_rooms: bool,
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
        Self(Arc::new(Mutex::new(Ledger { cores, full_hd, idle: None, entries: BTreeMap::new(), next: 0 })))
    }

    /// Asks the machine now and then what it has time for: others may keep it busy, calls or programs that are not ours.
    pub(crate) fn keep_looking(&self) -> impl Future<Output = ()> + use<> {
        let budget = Arc::downgrade(&self.0);
        async move {
            let mut before = Ticks::now();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(budget) = budget.upgrade() else { return };
                let now = Ticks::now();
                if let Some(idle) = before.zip(now).and_then(|(before, now)| now.idle_since(before)) {
                    Self(budget).saw_idle(idle);
                }
                before = now;
            }
        }
    }

    /// So many cores had nothing to do.
    fn saw_idle(&self, cores: f64) {
        let mut ledger = self.lock();
        ledger.idle = Some(ledger.idle.map_or(cores, |idle| idle + (cores - idle) * LOOK_WEIGHT));
    }

    /// Room for one more, which is taken as long as the second of the two is kept; or how many there are already.
    pub(crate) fn take(&self) -> Result<(Place, Room), StreamingError> {
        let mut ledger = self.lock();
        if !ledger.admits(LARGE) {
            return Err(StreamingError::Busy(ledger.entries.len()));
        }
        ledger.make_room(LARGE + LOW);
        let free = ledger.free();
        let low = free >= LARGE + LOW;
        // The next one is to find room without anybody's giving way.
        let full_hd = ledger.full_hd && free >= 2.0 * (LARGE + LOW) + FULL_HD;
        let lowered = CancellationToken::new();
        let cost = LARGE + if low { LOW } else { 0.0 } + if full_hd { FULL_HD } else { 0.0 };
        let room = self.enter(
            &mut ledger,
            Entry { cost, used: 0.0, full_hd: full_hd.then(|| lowered.clone()), is_of_rooms: false },
        );
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

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Room for one encoder more; none where there isn't any.
    pub(crate) fn take_ingest(&self) -> Option<Room> {
        let mut ledger = self.lock();
        if !ledger.admits(INGEST) {
            return None;
        }
        Some(self.enter(&mut ledger, Entry { cost: INGEST, used: INGEST, full_hd: None, is_of_rooms: false }))
    }

    /// Room for what a meeting's room systems see; none where there isn't any.
    pub(crate) fn take_rooms(&self) -> Option<Room> {
        let mut ledger = self.lock();
        if !ledger.entries.is_empty() && !ledger.has_room_for(ROOMS) {
            return None;
        }
        Some(self.enter(&mut ledger, Entry { cost: ROOMS, used: ROOMS, full_hd: None, is_of_rooms: true }))
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

    /// Whether there is room for so much more, for which others may have to give way. One always runs, however small or busy the
    /// machine, and whatever room systems see: it leaves pictures out where it must.
    fn admits(&mut self, wanted: f64) -> bool {
        self.entries.values().all(|entry| entry.is_of_rooms) || self.has_room_for(wanted)
    }

    fn has_room_for(&mut self, wanted: f64) -> bool {
        self.has_time_for(wanted) && self.make_room(wanted)
    }

    /// Whether the machine has time for so many cores more, when all that run take what they may come to take.
    fn has_time_for(&self, wanted: f64) -> bool {
        let to_come: f64 = self.entries.values().map(|entry| (entry.cost - entry.used).max(0.0)).sum();
        self.idle.is_none_or(|idle| idle - to_come >= wanted)
    }

    /// Has broadcasts leave their largest picture until there is room, the oldest first; none where that wouldn't be enough.
    fn make_room(&mut self, wanted: f64) -> bool {
        let to_win: f64 = self.entries.values().map(|entry| entry.cost - entry.lowered_cost()).sum();
        if self.free() + to_win < wanted {
            return false;
        }
        while self.free() < wanted {
            let Some(entry) = self.entries.values_mut().find(|entry| entry.full_hd.is_some()) else { break };
            entry.lower();
        }
        true
    }
}

impl Entry {
    /// What it takes without its largest picture, until that is measured.
    fn lowered_cost(&self) -> f64 {
        if self.full_hd.is_none() {
            return self.cost;
        }
        self.cost * (LARGE + LOW) / (LARGE + LOW + FULL_HD)
    }

    fn lower(&mut self) {
        self.cost = self.lowered_cost();
        if let Some(lowered) = self.full_hd.take() {
            lowered.cancel();
        }
    }
}

/// What all processors of the machine have done since its start, in ticks (proc(5), `/proc/stat`).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ticks {
    cores: f64,
    /// Nothing, or what gives way to everything else.
    idle: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Option<Self> {
        Self::read(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    fn read(stat: &str) -> Option<Self> {
        let mut lines = stat.lines();
        let words = lines.next()?.strip_prefix("cpu ")?.split_whitespace().map(str::parse);
        let words: Vec<u64> = words.collect::<Result<_, _>>().ok()?;
        // user, nice, system, idle, iowait, irq, softirq, steal; what guests take is in the first two.
        let [_, nice, _, idle, waiting, ..] = words[..] else { return None };
        let cores = lines.take_while(|line| line.starts_with("cpu")).count() as f64;
        Some(Self { cores, idle: nice + idle + waiting, all: words.iter().take(8).sum() })
    }

    fn idle_since(self, before: Self) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        // The kernel's count of what waits may go back.
        Some(self.cores * (self.idle.saturating_sub(before.idle) as f64 / all as f64).min(1.0))
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

    /// What its studio took of a core in the last second, and how many pictures it made in it. Of few it is learned only that it takes no
    /// less: cameras may be opened at any time.
    pub(crate) fn measured(&mut self, cores: f64, pictures: u32) {
        self.seconds += 1;
        if self.seconds <= SETTLE || !cores.is_finite() {
            return;
        }
        if pictures >= MOVING {
            self.cost = Some(self.cost.map_or(cores, |cost| cost + (cores - cost) / 10.0));
        }
        let known = self.cost.map(|cost| cost * HEADROOM);
        self.budget.change(self.number, |entry| {
            (entry.cost, entry.used) = (known.unwrap_or_else(|| entry.cost.max(cores)), cores)
        });
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

        // Nobody has opened a camera yet: that says nothing of what they will take.
        let third = budget.take().unwrap();
        for (place, _) in &mut running {
            (0..60).for_each(|_| place.measured(0.06, 5));
        }
        assert!(matches!(budget.take(), Err(StreamingError::Busy(3))));
        drop(third);
        // With their cameras they take less than was thought; and so they will when those are open again.
        for (place, _) in &mut running {
            (0..60).for_each(|_| place.measured(0.3, 30));
            (0..60).for_each(|_| place.measured(0.06, 5));
        }
        let third = budget.take().unwrap();
        let fourth = budget.take().unwrap();
        assert!(third.0.rungs().low && !fourth.0.rungs().low, "what is left is not enough for the small picture");
        assert!(budget.take().is_err());
        // And more: none is ended for it.
        running.iter_mut().for_each(|(place, _)| (0..60).for_each(|_| place.measured(0.9, 30)));
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

    // product: R1
    #[test]
    fn what_room_systems_see_has_its_room_and_keeps_no_livestream_away() {
        let budget = Budget::new(1, false);
        let rooms = budget.take_rooms().unwrap();
        let (place, room) = budget.take().unwrap();
        assert!(budget.take_rooms().is_none() && budget.take().is_err());
        drop((place, room));
        assert!(budget.take_rooms().is_none(), "of one meeting's rooms, and not of all");
        assert!(budget.take().is_ok());
        drop(rooms);
        assert!(budget.take_rooms().is_some());
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
        (0..SETTLE).for_each(|_| first.measured(1.2, 30));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(4))));
        drop((others, fourth));
        assert!(budget.take().unwrap().0.rungs().full_hd, "there is room again, for a new one");
    }

    #[tokio::test]
    async fn nobody_leaves_his_largest_picture_for_a_broadcast_that_is_refused_all_the_same() {
        let budget = Budget::new(3, true);
        let (mut first, _room) = budget.take().unwrap();
        // It takes much more than was thought.
        (0..60).for_each(|_| first.measured(4.5, 30));
        assert!(matches!(budget.take(), Err(StreamingError::Busy(1))) && budget.take_ingest().is_none());
        assert!(first.rungs().full_hd, "it wouldn't have helped");
        (0..60).for_each(|_| first.measured(2.0, 30));
        assert!(budget.take().is_ok());
        first.lowered().await;
        assert!(!first.rungs().full_hd);
    }

    #[test]
    fn a_machine_that_others_keep_busy_carries_fewer() {
        let budget = Budget::new(8, false);
        budget.saw_idle(0.1);
        let (mut first, _room) = budget.take().unwrap();
        assert!(matches!(budget.take(), Err(StreamingError::Busy(1))) && budget.take_ingest().is_none());
        // A moment's rest is none; half a minute's is, but what the first may come to take is its own.
        budget.saw_idle(1.1);
        assert!(budget.take().is_err());
        (0..60).for_each(|_| budget.saw_idle(0.9));
        assert!(budget.take().is_err());
        (0..60).for_each(|_| first.measured(0.4, 30));
        assert!(budget.take().is_ok());
    }

    // proc(5)
    #[test]
    fn what_gives_way_to_us_is_as_good_as_nothing() {
        let stat = |nice: u64, idle: u64| {
            format!("cpu  500 {nice} 100 {idle} 50 0 10 5 7 0\ncpu0 1 2 3 4\ncpu1 1 2 3 4\nintr 1 2 3\ncpu9\n")
        };
        let read = |nice, idle| Ticks::read(&stat(nice, idle)).unwrap();
        let before = read(20, 1_000);
        assert_eq!(before, Ticks { cores: 2.0, idle: 1_070, all: 1_685 });
        let after = Ticks { all: before.all + 400, ..read(120, 1_100) };
        assert_eq!(after.idle_since(before), Some(1.0));
        assert_eq!(before.idle_since(after), None);
        assert_eq!(Ticks::read(""), None);
        assert!(Ticks::now().is_some());
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
