//! The booking is changed while people are in (S6).

use super::*;
use crate::Terms;

impl Meeting {
    /// What was changed counts at once. What the host has set since the beginning stays where the booking says of it what it
    /// said before.
    pub(super) fn rebooked(&mut self, terms: Terms) -> Vec<Effect> {
        let Terms { title, password, capacity, options } = terms;
        let before = std::mem::replace(&mut self.rules.options, options);
        self.rules.password = password;
        let mut effects = self.change_meeting(|meeting| {
            (meeting.title, meeting.capacity) = (title, capacity);
            (meeting.host_video, meeting.participant_video) = (options.host_video, options.participant_video);
            if options.waiting_room != before.waiting_room {
                meeting.waiting_room = options.waiting_room;
            }
            if options.mute_on_entry != before.mute_on_entry {
                meeting.mute_on_entry = options.mute_on_entry;
            }
        });
        effects.extend(self.look_at_the_door());
        effects
    }
}
