//! What is said in writing: to all and to one, kept for the meeting (C1, C21), and to and by a livestream's viewers (B4).

use std::collections::VecDeque;

use super::*;
use crate::{ChatSide, HandedFile, Message, Whisper};

/// The longest message, in characters.
const TEXT_MAX: usize = 2_000;

/// Messages that are kept for late joiners; the oldest give way.
const KEPT_MAX: usize = 1_000;

/// The longest message of a livestream's chat, in characters: many read along.
pub(super) const VIEWERS_TEXT_MAX: usize = 300;

/// Messages of a livestream's chat that are kept, beside the meeting's own: its viewers can't make those be forgotten.
const VIEWERS_KEPT_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Chat {
    said: VecDeque<Message>,
    /// Of the livestream's chat.
    aloud: VecDeque<Message>,
    last_id: u64,
}

impl Chat {
    /// What he may read who is in this room.
    pub(super) fn of(&self, reader: ParticipantId, room: Option<u32>) -> Vec<Message> {
        let may_read = |message: &&Message| match message.to {
            Some(to) => to == reader || message.from == reader,
            None => message.room.is_none() || message.room == room,
        };
        let mut read: Vec<_> = self.said.iter().filter(may_read).chain(&self.aloud).cloned().collect();
        read.sort_by_key(|message| message.id);
        read
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn keep(&mut self, message: Message) {
        let (kept, most) = match message.livestream {
            Some(_) => (&mut self.aloud, VIEWERS_KEPT_MAX),
            None => (&mut self.said, KEPT_MAX),
        };
        if kept.len() >= most {
            kept.pop_front();
        }
        kept.push_back(message);
    }

    /// Forgets what was said to all; true where it was there.
    fn forget(&mut self, id: u64) -> Result<bool, Refusal> {
        let Some(found) = self.said.iter().chain(&self.aloud).find(|message| message.id == id) else {
            return Ok(false);
        };
        if found.to.is_some() || found.room.is_some() {
            return Err(Refusal::NotAllowed);
        }
        self.said.retain(|message| message.id != id);
        self.aloud.retain(|message| message.id != id);
        Ok(true)
    }
}

/// What is left of what somebody wrote; refused where it is nothing or too much.
pub(super) fn check_text(text: &str, most: usize) -> Result<String, Refusal> {
    let text: String = text.trim().chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    if text.is_empty() || text.chars().count() > most { Err(Refusal::BadText) } else { Ok(text) }
}

impl Meeting {
    pub(super) fn say(&mut self, by: ParticipantId, to: Option<ParticipantId>, text: &str, now: Duration) -> Outcome {
        let text = check_text(text, TEXT_MAX)?;
        self.write(by, to, text, None, now)
    }

    /// To all, wherever who says it and who reads it are.
    pub(super) fn announce(&mut self, by: ParticipantId, text: &str, now: Duration) -> Outcome {
        let text = check_text(text, TEXT_MAX)?;
        let name = self.exists(by)?.name.clone();
        let (id, at_ms) = (self.chat.next_id(), self.clock_ms(now));
        let (to, room, livestream, file) = (None, None, None, None);
        let message = Message { id, from: by, name, to, room, announced: true, livestream, text, file, at_ms };
        self.chat.keep(message.clone());
        Ok(vec![self.tell(Event::Chat { message })])
    }

    pub(super) fn tell_viewers(&mut self, by: ParticipantId, text: &str, now: Duration) -> Outcome {
        let name = self.exists(by)?.name.clone();
        self.say_aloud(by, name, ChatSide::Host, text, now)
    }

    pub(super) fn viewer_says(&mut self, from: ParticipantId, name: &str, text: &str, now: Duration) -> Outcome {
        let name = check_name(name).map_err(|_| Refusal::BadName)?;
        self.say_aloud(from, name, ChatSide::Viewer, text, now)
    }

    fn say_aloud(&mut self, from: ParticipantId, name: String, side: ChatSide, text: &str, now: Duration) -> Outcome {
        if self.broadcast.is_none() {
            return Err(Refusal::NotLive);
        }
        let text = check_text(text, VIEWERS_TEXT_MAX)?;
        let (id, at_ms) = (self.chat.next_id(), self.clock_ms(now));
        let livestream = Some(side);
        let message =
            Message { id, from, name, to: None, room: None, announced: false, livestream, text, file: None, at_ms };
        self.chat.keep(message.clone());
        Ok(vec![self.tell(Event::Chat { message })])
    }

    /// Who has read it has read it; nobody else does.
    pub(super) fn remove_chat(&mut self, id: u64) -> Outcome {
        let was_there = self.chat.forget(id)?;
        Ok(was_there.then(|| self.tell(Event::ChatRemoved { id })).into_iter().collect())
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
        let (id, at_ms) = (self.chat.next_id(), self.clock_ms(now));
        let message = Message { id, from: by, name, to, room, announced: false, livestream: None, text, file, at_ms };
        self.chat.keep(message.clone());
        let whisper = |who| Effect::Whisper(who, Whisper::Chat { message: message.clone() });
        Ok(match (to, room) {
            (Some(to), _) => [to, by].map(whisper).into(),
            (None, Some(_)) => self.people_in(room).map(whisper).collect(),
            (None, None) => vec![self.tell(Event::Chat { message })],
        })
    }
}
