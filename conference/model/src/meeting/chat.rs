//! What is said in writing: to all and to one, kept for the meeting (C1, C21).

use std::collections::VecDeque;

use super::*;
use crate::{HandedFile, Message, Whisper};

/// The longest message, in characters.
const TEXT_MAX: usize = 2_000;

/// Messages that are kept for late joiners; the oldest give way.
const KEPT_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Chat {
    said: VecDeque<Message>,
    last_id: u64,
}

impl Chat {
    /// What he may read who is in this room.
    pub(super) fn of(&self, reader: ParticipantId, room: Option<u32>) -> Vec<Message> {
        let may_read = |message: &&Message| match message.to {
            Some(to) => to == reader || message.from == reader,
            None => message.room.is_none() || message.room == room,
        };
        self.said.iter().filter(may_read).cloned().collect()
    }

    fn keep(&mut self, message: Message) {
        if self.said.len() >= KEPT_MAX {
            self.said.pop_front();
        }
        self.said.push_back(message);
    }
}

impl Meeting {
    pub(super) fn say(&mut self, by: ParticipantId, to: Option<ParticipantId>, text: &str, now: Duration) -> Outcome {
        let text: String = text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        if text.is_empty() || text.chars().count() > TEXT_MAX {
            return Err(Refusal::BadText);
        }
        self.write(by, to, text, None, now)
    }

    pub(super) fn hand_round(
        &mut self,
        by: ParticipantId,
        to: Option<ParticipantId>,
        file: HandedFile,
        now: Duration,
    ) -> Outcome {
        self.write(by, to, String::new(), Some(file), now)
    }

    fn write(
        &mut self,
        by: ParticipantId,
        to: Option<ParticipantId>,
        text: String,
        file: Option<HandedFile>,
        now: Duration,
    ) -> Outcome {
        if let Some(to) = to {
            // A telephone has nothing to read on.
            let reads = self.exists(to)?.via == ViaKind::Web;
            if !reads || to == by {
                return Err(Refusal::NotAllowed);
            }
        }
        let (name, room) = (self.exists(by)?.name.clone(), self.room_of(by));
        self.chat.last_id += 1;
        let at_ms = self.clock_ms(now);
        let message = Message { id: self.chat.last_id, from: by, name, to, room, text, file, at_ms };
        self.chat.keep(message.clone());
        let whisper = |who| Effect::Whisper(who, Whisper::Chat { message: message.clone() });
        Ok(match (to, room) {
            (Some(to), _) => [to, by].map(whisper).into(),
            (None, Some(_)) => self.people_in(room).map(whisper).collect(),
            (None, None) => vec![self.tell(Event::Chat { message })],
        })
    }
}
