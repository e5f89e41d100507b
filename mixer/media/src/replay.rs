//! What has come by protected streams, so that none of it is taken twice (RFC 3711 §3.3.2).

use crate::{SeenNumbers, Ssrc};

/// Numbers up to the highest of which it is known whether they came: the least that RFC 3711 §3.3.2 allows.
pub const REPLAY_WINDOW: u64 = 64;

/// What has come from each of up to `MOST` senders, each of whom counts for himself (RFC 3711 §3.2.3).
#[derive(Debug, Default)]
pub struct Replays<const MOST: usize>(Vec<(Ssrc, SeenNumbers)>);

impl<const MOST: usize> Replays<MOST> {
    /// What has come from this one, `first` where nothing has; none where there are too many.
    #[must_use]
    pub fn of(&self, sender: Ssrc, first: SeenNumbers) -> Option<SeenNumbers> {
        match self.0.iter().find(|(known, _)| *known == sender) {
            Some((_, seen)) => Some(*seen),
            None => (self.0.len() < MOST).then_some(first),
        }
    }

    /// Adds a number that is new to what [`Self::of`] gave ([`SeenNumbers::is_new`] within [`REPLAY_WINDOW`]), and has turned out to be his.
    pub fn note(&mut self, sender: Ssrc, mut seen: SeenNumbers, number: u64) {
        seen.note(number);
        match self.0.iter_mut().find(|(known, _)| *known == sender) {
            Some(known) => known.1 = seen,
            None => self.0.push((sender, seen)),
        }
    }
}
