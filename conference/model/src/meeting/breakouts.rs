//! Breakout rooms (C17, 分组讨论): parts of a meeting that hear and see only themselves. Who comes in is in the main room.

use super::*;

/// Rooms at once: twenty-five people in each where five hundred are there.
const ROOMS_MAX: u32 = 20;

/// The longest time rooms are opened for: four hours, more than people sit in one.
const MINUTES_MAX: u32 = 240;

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
        let mut effects = self.change_meeting(|meeting| (meeting.breakouts, meeting.breakouts_end_ms) = (0, None));
        for id in self.all() {
            effects.extend(self.set_room(id, None));
        }
        effects
    }

    /// They close by themselves after so many minutes from now, or stay open.
    pub(super) fn time_breakouts(&mut self, minutes: Option<u32>, now: Duration) -> Outcome {
        if self.view.breakouts == 0 {
            return Err(Refusal::NoSuchRoom);
        }
        if minutes.is_some_and(|minutes| !(1..=MINUTES_MAX).contains(&minutes)) {
            return Err(Refusal::BadDuration);
        }
        let end_ms = minutes.map(|minutes| self.clock_ms(now) + i64::from(minutes) * 60_000);
        Ok(self.change_meeting(|meeting| meeting.breakouts_end_ms = end_ms))
    }

    pub(super) fn look_at_breakouts(&mut self, now: Duration) -> Vec<Effect> {
        let is_over = self.view.breakouts_end_ms.is_some_and(|end_ms| end_ms <= self.clock_ms(now));
        if is_over { self.close_breakouts() } else { Vec::new() }
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
        effects.extend(self.change(id, |person| (person.room, person.asks_help) = (room, false)));
        if room.is_some() && self.manages(id) {
            // Whom they asked for is there.
            let asking: Vec<_> = self.people_in(room).collect();
            effects.extend(asking.into_iter().flat_map(|id| self.change(id, |person| person.asks_help = false)));
        }
        effects
    }

    /// The breakout room he is in.
    pub(super) fn room_of(&self, id: ParticipantId) -> Option<u32> {
        self.participant(id).and_then(|person| person.room)
    }
}
