//! Callers whose call ended and who call again (J6). A carrier that loses a mobile ends its call as if it had been hung up.

use std::collections::VecDeque;

use super::*;

/// Who has hung up in the last minute; more at once is a meeting that has ended for most. The earliest is forgotten.
const GONE_MAX: usize = 500;

/// What they were who hung up.
#[derive(Debug, Default)]
pub(super) struct Callers(VecDeque<Gone>);

#[derive(Debug)]
struct Gone {
    seat: Seat,
    until: Duration,
    /// Who is host since he left, where he was.
    heirs: Vec<ParticipantId>,
}

impl Callers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn forget(&mut self, now: Duration) {
        self.0.retain(|gone| gone.until > now);
    }
}

impl Seat {
    /// A caller's number alone does not make him the same: anybody can write it.
    fn is_of_caller(&self, join: &Join) -> bool {
        let Some(number) = join.via.number().filter(|number| !number.is_withheld()) else { return false };
        let is_from_there = network_of(self.source) == network_of(join.source);
        self.via.number() == Some(number) && self.vouched.agrees(&join.vouched).unwrap_or(is_from_there)
    }
}

impl Meeting {
    /// He has left, as the others see it.
    pub(super) fn hung_up(&mut self, id: ParticipantId, now: Duration) -> Vec<Effect> {
        let seat = self.seats.get(&id).cloned();
        let effects = self.leave(id, LeaveReason::Left);
        if let Some(seat) = seat.filter(|seat| seat.via.number().is_some_and(|number| !number.is_withheld())) {
            if self.callers.0.len() >= GONE_MAX {
                self.callers.0.pop_front();
            }
            let heirs = if seat.person.role == Role::Host { self.hosts() } else { Vec::new() };
            self.callers.0.push_back(Gone { seat, until: now + SEAT_KEPT, heirs });
        }
        effects
    }

    pub(super) fn stalled(&mut self, id: ParticipantId, on: bool) {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.stalled = on;
        }
    }

    /// To the seat that is kept for him; to the one he still has, where nothing comes by that call any more; or to a new one where he is
    /// what he was. Behind one number there may be a whole house: a call that goes on is nobody else's.
    pub(super) fn caller_is_back(&mut self, join: &Join, now: Duration) -> Option<Outcome> {
        let is_free = |seat: &Seat| seat.absent.is_some() || seat.stalled;
        let kept = self.seats.iter().find(|(_, seat)| is_free(seat) && seat.is_of_caller(join)).map(|(id, _)| *id);
        if let Some(participant) = kept {
            return Some(Ok(self.sit_down_again(participant)));
        }
        let is_his = |gone: &Gone| gone.until > now && gone.seat.is_of_caller(join);
        let at = self.callers.0.iter().position(is_his)?;
        // Of several behind one number nobody can be told from the others.
        let others = self.callers.0.iter().skip(at + 1).any(is_his);
        if others || self.seats.values().any(|seat| seat.is_of_caller(join)) {
            return None;
        }
        if self.seats.contains_key(&join.participant) || self.lobby.holds(join.participant) {
            return None;
        }
        if self.seats.len() >= self.view.capacity {
            return Some(Err(Refusal::Full));
        }
        self.callers.0.remove(at).map(|gone| Ok(self.as_he_was(gone, join.participant)))
    }

    fn as_he_was(&mut self, Gone { mut seat, heirs, .. }: Gone, id: ParticipantId) -> Vec<Effect> {
        let person = &mut seat.person;
        (person.id, person.connected) = (id, true);
        (person.on_hold, person.line_trouble) = (false, None);
        person.room = person.room.filter(|room| *room <= self.view.breakouts);
        person.asks_help &= person.room.is_some();
        let (was_host, room) = (person.role == Role::Host, person.room);
        // Somebody has been made host since, or claimed it.
        let is_host = was_host && heirs == self.hosts();
        if was_host && !is_host {
            person.role = Role::Member;
        }
        person.muted |= !self.view.self_unmute && !person.role.manages();
        (seat.absent, seat.stalled, seat.asked) = (None, false, false);
        let manages = person.role.manages();
        let mut effects = self.seat(seat);
        effects.push(Effect::SetRoom(id, room));
        if is_host {
            self.adrift = false;
            effects.extend(heirs.into_iter().flat_map(|heir| self.set_role(heir, Role::Member)));
        }
        if manages {
            effects.extend(self.whisper_waiting(id));
            effects.extend(self.whisper_hands_up(id));
        }
        effects
    }
}
