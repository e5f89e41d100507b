//! When each meeting of a worker has its turn within a tick. Pure.
//!
//! Were all meetings mixed one after the other from the tick's beginning, those at the end would wait for those before them, now
//! longer and now shorter, and their telephones would hear it as jitter. Each has a place in the tick of its own instead, so that
//! a meeting waits for the others of its place alone.

use std::time::{Duration, Instant};

use media::TICK;
use model::MeetingId;

/// Places in a tick. More have less wait for each other and wake the worker more often.
const PLACES: usize = 8;

/// From one place to the next.
const STEP: Duration = TICK.checked_div(PLACES as u32).expect("there are places");

/// In which order places are taken, so that few meetings lie far from each other.
const ORDER: [usize; PLACES] = [0, 4, 2, 6, 1, 5, 3, 7];

/// The place of those who are in no meeting.
const LOBBY: usize = ORDER[PLACES - 1];

/// A worker this late drops the missed ticks: playing them at once would only fill the phones' jitter buffers.
const LATE_MAX: Duration = Duration::from_millis(200);

pub(crate) struct Phases {
    meetings: [Vec<MeetingId>; PLACES],
    /// Whose turn is next, and when.
    place: usize,
    at: Instant,
    round: u64,
}

/// What has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Those in no meeting have theirs.
    pub(crate) lobby: bool,
    /// For [`Phases::meetings`].
    pub(crate) place: usize,
    /// Ticks so far: the same for all places of one.
    pub(crate) round: u64,
    /// The next turn is another round's.
    pub(crate) ends_round: bool,
    /// Ticks that were too late and are left out.
    pub(crate) missed: u64,
}

impl Phases {
    pub(crate) fn new(now: Instant) -> Self {
        Self { meetings: Default::default(), place: 0, at: now + TICK, round: 0 }
    }

    /// Gives a meeting its place, the one with the fewest people; `people` says how many each has.
    pub(crate) fn add(&mut self, meeting: MeetingId, people: impl Fn(MeetingId) -> usize) {
        let weight = |place: &usize| self.meetings[*place].iter().map(|one| 1 + people(*one)).sum::<usize>();
        // The first of those that have the fewest.
        if let Some(place) = ORDER.into_iter().min_by_key(weight) {
            self.meetings[place].push(meeting);
        }
    }

    pub(crate) fn remove(&mut self, meeting: MeetingId) {
        self.meetings.iter_mut().for_each(|meetings| meetings.retain(|one| *one != meeting));
    }

    /// Those of a place.
    pub(crate) fn meetings(&self, place: usize) -> &[MeetingId] {
        &self.meetings[place]
    }

    /// When somebody has his turn next.
    pub(crate) fn next(&self) -> Instant {
        let ahead = (0..PLACES).find(|ahead| self.is_taken((self.place + ahead) % PLACES)).unwrap_or_default();
        self.at + STEP * ahead as u32
    }

    fn is_taken(&self, place: usize) -> bool {
        place == LOBBY || !self.meetings[place].is_empty()
    }

    /// Who has his turn now; once for each place.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Turn> {
        if now < self.next() {
            return None;
        }
        while !self.is_taken(self.place) {
            self.go_on();
        }
        let missed = if now > self.at + LATE_MAX {
            let missed = (now - self.at).as_millis() / TICK.as_millis();
            self.at = now;
            missed as u64
        } else {
            0
        };
        let (place, round) = (self.place, self.round);
        self.go_on();
        let ends_round = self.round != round;
        Some(Turn { lobby: place == LOBBY, place, round, ends_round, missed })
    }

    fn go_on(&mut self) {
        self.at += STEP;
        self.place = (self.place + 1) % PLACES;
        self.round += u64::from(self.place == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting(n: usize) -> MeetingId {
        MeetingId::from_u128(n as u128)
    }

    /// Who had his turn when, in milliseconds, until all of so many ticks are over.
    fn turns(phases: &mut Phases, from: Instant, ticks: u32) -> Vec<(u128, Vec<MeetingId>)> {
        let mut found = Vec::new();
        while phases.next() < from + TICK * ticks {
            let now = phases.next();
            let turn = phases.take(now).expect("it is time");
            assert_eq!(phases.take(now), None, "once");
            found.push(((now - from).as_micros() / 100, phases.meetings(turn.place).to_vec()));
        }
        found
    }

    #[test]
    fn each_has_one_turn_a_tick_and_few_lie_far_apart() {
        let now = Instant::now();
        let mut phases = Phases::new(now);
        for n in 0..4 {
            phases.add(meeting(n), |_| 500);
        }
        let one_tick = |at: u128| {
            vec![
                (at, vec![meeting(0)]),
                (at + 50, vec![meeting(2)]),
                (at + 100, vec![meeting(1)]),
                (at + 150, vec![meeting(3)]),
                (at + 175, vec![]),
            ]
        };
        let found = turns(&mut phases, now, 3);
        assert_eq!(found, [one_tick(200), one_tick(400)].concat());
        phases.remove(meeting(1));
        assert!(turns(&mut phases, now + TICK * 3, 1).iter().all(|(_, meetings)| !meetings.contains(&meeting(1))));
    }

    #[test]
    fn who_comes_is_put_where_the_fewest_people_are() {
        let now = Instant::now();
        let mut phases = Phases::new(now);
        let people = |id: MeetingId| if id == meeting(0) { 100 } else { 3 };
        for n in 0..30 {
            phases.add(meeting(n), people);
        }
        let counts: Vec<usize> = phases.meetings.iter().map(Vec::len).collect();
        assert_eq!(counts[0], 1, "a large one is by itself: {counts:?}");
        assert!(counts[1..].iter().all(|count| (4..=5).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_worker_that_was_held_up_leaves_out_what_is_long_past() {
        let now = Instant::now();
        let mut phases = Phases::new(now);
        phases.add(meeting(0), |_| 0);
        // A little late: nothing is left out.
        let late = now + TICK * 4;
        let rounds: Vec<u64> = std::iter::from_fn(|| phases.take(late)).map(|turn| turn.round).collect();
        assert_eq!(rounds, [0, 0, 1, 1, 2, 2, 3]);
        let very_late = now + TICK * 104;
        let turn = phases.take(very_late).unwrap();
        assert_eq!(turn.missed, 99);
        assert!(phases.next() > very_late - TICK, "from now on");
        assert!(std::iter::from_fn(|| phases.take(very_late + TICK)).all(|turn| turn.missed == 0));
    }

    #[test]
    fn a_round_has_an_end() {
        let now = Instant::now();
        let mut phases = Phases::new(now);
        phases.add(meeting(0), |_| 0);
        let ends: Vec<bool> = (0..4).map(|_| phases.take(phases.next())).map(|turn| turn.unwrap().ends_round).collect();
        assert_eq!(ends, [false, true, false, true]);
    }
}
