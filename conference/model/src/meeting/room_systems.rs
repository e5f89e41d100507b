//! Room systems: telephones that send pictures (R1). They can't be asked to begin or cease: the meeting shows what comes, or doesn't.

use super::{Effect, Meeting, ParticipantId};

impl Meeting {
    /// As often as its call says so: what a host has decided of them holds.
    pub(super) fn sends_video(&mut self, by: ParticipantId, on: bool) -> Vec<Effect> {
        let is_seen = self.seats.get(&by).is_some_and(|seat| seat.is_seen);
        self.change(by, |person| (person.video, person.camera) = (on, on && is_seen))
    }

    /// A host wants his pictures shown, or not, now and later.
    pub(super) fn let_be_seen(&mut self, participant: ParticipantId, is_seen: bool) {
        if let Some(seat) = self.seats.get_mut(&participant) {
            seat.is_seen = is_seen;
        }
    }
}
