//! Breakout rooms (C17, 分组讨论): parts of a meeting that hear and see only themselves. Who comes in is in the main room.

use super::*;

/// Rooms at once: twenty-five people in each where five hundred are there.
const ROOMS_MAX: u32 = 20;

impl Meeting {
    /// Makes so many rooms, and spreads the members over them where that is wanted.
    pub(super) fn open_breakouts(&mut self, rooms: u32, spread: bool) -> Outcome {
        if !(1..=ROOMS_MAX).contains(&rooms) {
            return Err(Refusal::NoSuchRoom);
        }
        let mut effects = self.change_meeting(|meeting| meeting.breakouts = rooms);
        let mut members: Vec<_> = self.seats.values().filter(|seat| seat.person.role == Role::Member).collect();
        members.sort_by_key(|seat| seat.order);
        let members: Vec<_> = members.into_iter().map(|seat| seat.person.id).collect();
        if spread {
            for (id, room) in members.into_iter().zip((1..=rooms).cycle()) {
                effects.extend(self.set_room(id, Some(room)));
            }
        }
        // Whose room is no more is in the main one.
        for id in self.all() {
            if self.room_of(id).is_some_and(|room| room > rooms) {
                effects.extend(self.set_room(id, None));
            }
        }
        Ok(effects)
    }

    pub(super) fn close_breakouts(&mut self) -> Vec<Effect> {
        let mut effects = self.change_meeting(|meeting| meeting.breakouts = 0);
        for id in self.all() {
            effects.extend(self.set_room(id, None));
        }
        effects
    }

    pub(super) fn move_to(&mut self, id: ParticipantId, room: Option<u32>) -> Outcome {
        self.exists(id)?;
        if room.is_some_and(|room| room == 0 || room > self.view.breakouts) {
            return Err(Refusal::NoSuchRoom);
        }
        Ok(self.set_room(id, room))
    }

    fn set_room(&mut self, id: ParticipantId, room: Option<u32>) -> Vec<Effect> {
        if self.room_of(id) == room {
            return Vec::new();
        }
        let mut effects = vec![Effect::SetRoom(id, room)];
        effects.extend(self.change(id, |person| person.room = room));
        effects
    }

    /// The breakout room he is in.
    pub(super) fn room_of(&self, id: ParticipantId) -> Option<u32> {
        self.participant(id).and_then(|person| person.room)
    }
}
