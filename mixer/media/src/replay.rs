//! What has come by protected streams, so that none of it is taken twice (RFC 3711 §3.3.2).

use crate::{SeenNumbers, Ssrc};

/// Numbers up to the highest of which it is known whether they came: the least that RFC 3711 §3.3.2 allows.
pub const REPLAY_WINDOW: u64 = 64;

/// What has come from each of the `MOST` senders heard last, each of whom counts for himself (RFC 3711 §3.2.3). A transfer, or music while
/// somebody is on hold, begins a new one; with one too many, whoever was heard longest ago is forgotten.
#[derive(Debug, Default)]
pub struct Replays<const MOST: usize>(Vec<(Ssrc, SeenNumbers)>);

impl<const MOST: usize> Replays<MOST> {
    /// What has come from this one, `first` where nothing has.
    #[must_use]
    pub fn of(&self, sender: Ssrc, first: SeenNumbers) -> SeenNumbers {
        self.0.iter().find(|(known, _)| *known == sender).map_or(first, |(_, seen)| *seen)
    }

    /// Adds a number that is new to what [`Self::of`] gave ([`SeenNumbers::is_new`] within [`REPLAY_WINDOW`]), and has turned out to be his:
    /// nobody without his key makes us forget another.
    pub fn note(&mut self, sender: Ssrc, mut seen: SeenNumbers, number: u64) {
        seen.note(number);
        match self.0.iter().position(|(known, _)| *known == sender) {
            // Whoever was heard last stands last, and nearly always stands there already.
            Some(at) => self.0[at..].rotate_left(1),
            None if self.0.len() >= MOST => self.0.rotate_left(1),
            None => self.0.push((sender, seen)),
        }
        if let Some(last) = self.0.last_mut() {
            *last = (sender, seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3711 §3.2.3, §3.3.2
    #[test]
    fn one_sender_too_many_has_the_one_forgotten_who_was_heard_longest_ago() {
        let mut replays = Replays::<3>::default();
        let hear = |replays: &mut Replays<3>, sender: u32, number: u64| {
            let seen = replays.of(Ssrc(sender), SeenNumbers::before(number));
            let is_new = seen.is_new(number, REPLAY_WINDOW);
            if is_new {
                replays.note(Ssrc(sender), seen, number);
            }
            is_new
        };
        for sender in 1..=3 {
            assert!(hear(&mut replays, sender, 100));
        }
        assert!(hear(&mut replays, 1, 101), "heard again");
        for sender in 4..1_000 {
            assert!(hear(&mut replays, sender, 7) && !hear(&mut replays, sender, 7), "{sender}");
            assert!(hear(&mut replays, 1, 98 + u64::from(sender)), "who speaks on is never forgotten");
            assert!(!hear(&mut replays, 1, 98 + u64::from(sender)) && replays.0.len() == 3);
        }
    }
}
