//! Who speaks, and who is shown large: one judgement for phones and browsers.
//!
//! Each seat has a score that rises with voice and falls with silence. The dominant speaker changes only when another's
//! score has been clearly higher for a while, so that a cough or an "mhm" doesn't turn the picture round (the aim of
//! Volfin & Cohen, "Dominant speaker identification for multipoint videoconferencing", with simpler means).

use media::AudioLevel;

use crate::{SeatKey, SeatMap};

/// Ticks of voice until somebody counts as speaking. One would light up at every click, ten would miss "yes".
const ATTACK_TICKS: u32 = 3;

/// Ticks of silence until somebody no longer does: pauses between words are shorter.
const RELEASE_TICKS: u32 = 30;

/// Ticks another must lead until he is dominant.
const LEAD_TICKS: u32 = 25;

/// The score's memory: about a second.
const MEMORY: f32 = 0.98;

/// How much higher, as a factor, another's score must be while the dominant one still speaks.
const LEAD: f32 = 1.5;

#[derive(Default)]
struct Seat {
    voiced: u32,
    silent: u32,
    speaking: bool,
    score: f32,
    /// The tick his level was last told in.
    seen: u32,
}

/// Follows the levels of one meeting.
#[derive(Default)]
pub struct Speakers {
    seats: SeatMap<Seat>,
    ticks: u32,
    active: Option<SeatKey>,
    leader: Option<(SeatKey, u32)>,
    ranked: Vec<(f32, SeatKey)>,
}

/// What [`Speakers::tick`] says when it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeakersChanged {
    /// All who speak now.
    pub speaking: Vec<SeatKey>,
    /// The one to show large: who speaks, or who did last.
    pub active: Option<SeatKey>,
}

impl Speakers {
    /// Nobody speaks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the levels of one tick. A seat that is not among them is muted or gone.
    pub fn tick(&mut self, levels: &[(SeatKey, AudioLevel)]) -> Option<SpeakersChanged> {
        let mut changed = false;
        self.ticks = self.ticks.wrapping_add(1);
        for (key, level) in levels {
            if self.seats.get(*key).is_none() {
                self.seats.insert(*key, Seat::default());
            }
            if let Some(seat) = self.seats.get_mut(*key) {
                seat.seen = self.ticks;
                changed |= seat.hear(*level);
            }
        }
        if self.seats.len() > levels.len() {
            let gone: Vec<_> =
                self.seats.iter().filter(|(_, seat)| seat.seen != self.ticks).map(|(key, _)| key).collect();
            for key in gone {
                changed |= self.seats.remove(key).is_some_and(|seat| seat.speaking);
            }
        }
        changed |= self.judge();
        changed.then(|| SpeakersChanged {
            speaking: self.seats.iter().filter(|(_, seat)| seat.speaking).map(|(key, _)| key).collect(),
            active: self.active,
        })
    }

    /// Puts the loudest of those who speak into `chosen`, no more than `count`, in order of their keys. Who is in it already
    /// stays until another is clearly louder. True when somebody is in it who was not.
    pub fn choose_loudest(&mut self, count: usize, chosen: &mut Vec<SeatKey>) -> bool {
        let stays = |key: &SeatKey, score: f32| if chosen.contains(key) { score * LEAD } else { score };
        let speaking = self.seats.iter().filter(|(_, seat)| seat.speaking);
        self.ranked.clear();
        self.ranked.extend(speaking.map(|(key, seat)| (stays(&key, seat.score), key)));
        self.ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        self.ranked.truncate(count);
        let is_new = self.ranked.iter().any(|(_, key)| !chosen.contains(key));
        chosen.clear();
        chosen.extend(self.ranked.iter().map(|(_, key)| *key));
        chosen.sort_unstable();
        is_new
    }

    /// Decides who is dominant; true when that is another than before.
    fn judge(&mut self) -> bool {
        let speaking = self.seats.iter().filter(|(_, seat)| seat.speaking);
        let Some((best, score)) = speaking.map(|(key, seat)| (key, seat.score)).max_by(|a, b| a.1.total_cmp(&b.1))
        else {
            self.leader = None;
            return false;
        };
        let Some(active) = self.active else {
            self.active = Some(best);
            return true;
        };
        let active_seat = self.seats.get(active);
        let holds = active_seat.is_some_and(|seat| seat.speaking && seat.score * LEAD >= score);
        if best == active || holds {
            self.leader = None;
            return false;
        }
        let led = match self.leader {
            Some((leader, ticks)) if leader == best => ticks + 1,
            _ => 1,
        };
        self.leader = Some((best, led));
        if led < LEAD_TICKS {
            return false;
        }
        self.active = Some(best);
        self.leader = None;
        true
    }
}

impl Seat {
    /// True when he begins or stops to speak.
    fn hear(&mut self, level: AudioLevel) -> bool {
        if level.is_voice() {
            self.voiced += 1;
            self.silent = 0;
        } else {
            self.voiced = 0;
            self.silent += 1;
        }
        let loudness = if level.is_voice() { f32::from(127 - level.minus_dbov()) / 127.0 } else { 0.0 };
        self.score = self.score * MEMORY + loudness * (1.0 - MEMORY);
        let speaking = if self.speaking { self.silent < RELEASE_TICKS } else { self.voiced >= ATTACK_TICKS };
        std::mem::replace(&mut self.speaking, speaking) != speaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SeatKey = SeatKey::at(0);
    const B: SeatKey = SeatKey::at(1);

    fn run(speakers: &mut Speakers, a: u8, b: u8, ticks: usize) -> Vec<SpeakersChanged> {
        let levels = [(A, AudioLevel::from_minus_dbov(a)), (B, AudioLevel::from_minus_dbov(b))];
        (0..ticks).filter_map(|_| speakers.tick(&levels)).collect()
    }

    #[test]
    fn who_speaks_is_shown_and_stays_while_nobody_does() {
        let mut speakers = Speakers::new();
        assert_eq!(run(&mut speakers, 127, 127, 50), []);
        let changes = run(&mut speakers, 30, 127, 50);
        assert_eq!(changes, [SpeakersChanged { speaking: vec![A], active: Some(A) }]);
        let changes = run(&mut speakers, 127, 127, 100);
        assert_eq!(changes, [SpeakersChanged { speaking: vec![], active: Some(A) }]);
        let changes = run(&mut speakers, 127, 30, 100);
        assert_eq!(changes.last().unwrap(), &SpeakersChanged { speaking: vec![B], active: Some(B) });
    }

    #[test]
    fn a_short_word_does_not_turn_the_picture() {
        let mut speakers = Speakers::new();
        run(&mut speakers, 25, 127, 200);
        let changes = run(&mut speakers, 25, 20, 25);
        assert!(changes.iter().all(|change| change.active == Some(A)), "{changes:?}");
        assert!(changes.iter().any(|change| change.speaking == [A, B]));
    }

    #[test]
    fn two_at_once_do_not_flap() {
        let mut speakers = Speakers::new();
        let mut turns = 0;
        for round in 0..200 {
            let (a, b) = if round % 2 == 0 { (22, 26) } else { (26, 22) };
            turns += run(&mut speakers, a, b, 5).iter().filter(|change| change.active == Some(B)).count();
        }
        assert!(turns <= 1, "{turns} turns in twenty seconds");
    }

    #[test]
    fn a_loudest_voice_stays_until_another_is_clearly_louder() {
        let mut speakers = Speakers::new();
        let loudest = |speakers: &mut Speakers, count, before: &[SeatKey]| {
            let mut chosen = before.to_vec();
            let is_new = speakers.choose_loudest(count, &mut chosen);
            assert_eq!(is_new, chosen.iter().any(|key| !before.contains(key)));
            chosen
        };
        assert_eq!(loudest(&mut speakers, 1, &[]), []);
        run(&mut speakers, 30, 127, 100);
        assert_eq!(loudest(&mut speakers, 1, &[]), [A]);
        run(&mut speakers, 30, 25, 200);
        assert_eq!(loudest(&mut speakers, 1, &[A]), [A], "a little louder");
        assert_eq!(loudest(&mut speakers, 1, &[]), [B]);
        assert_eq!(loudest(&mut speakers, 2, &[]), [A, B]);
        run(&mut speakers, 90, 10, 200);
        assert_eq!(loudest(&mut speakers, 1, &[A]), [B]);
    }

    #[test]
    fn who_is_muted_stops_speaking_at_once() {
        let mut speakers = Speakers::new();
        run(&mut speakers, 30, 127, 20);
        let change = speakers.tick(&[(B, AudioLevel::SILENT)]).unwrap();
        assert_eq!(change.speaking, []);
    }
}
