//! Wrong numbers and passwords, counted over all meetings: by telephone number, by carrier, by network.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use model::{EarlyTries, Guesses, MeetingId, MeetingNumber, PhoneNumber, Refusal};

use crate::{Conference, Door, Via};

pub(crate) struct GuessSlot {
    begun: Instant,
    guesses: Mutex<Guesses>,
    early: Mutex<EarlyTries>,
}

impl Default for GuessSlot {
    fn default() -> Self {
        Self { begun: Instant::now(), guesses: Mutex::default(), early: Mutex::default() }
    }
}

impl Conference {
    /// A caller has entered so many wrong numbers and passwords that he may enter no more (A11).
    #[must_use]
    pub fn is_guessing(&self, caller: &PhoneNumber, source: IpAddr) -> bool {
        self.looks_like_guessing(&model::Via::Phone(caller.clone()), source)
    }

    /// A caller has keyed the number of a meeting that isn't.
    pub fn note_wrong_number(&self, caller: &PhoneNumber, source: IpAddr) {
        self.count_wrong(&model::Via::Phone(caller.clone()), source);
    }

    /// What a number leads to, for a browser: who asks for many that lead nowhere is told no more.
    pub async fn find_for(&self, number: MeetingNumber, source: IpAddr) -> Result<Door, Refusal> {
        if self.looks_like_guessing(&model::Via::Web, source) {
            return Err(Refusal::TooManyTries);
        }
        let found = self.find(number).await.map_err(|error| {
            tracing::error!(%error, "meeting can't be looked up");
            Refusal::Failed
        })?;
        found.ok_or_else(|| {
            self.count_wrong(&model::Via::Web, source);
            Refusal::NoSuchMeeting
        })
    }

    pub(crate) fn may_try(&self, via: &Via, source: IpAddr) -> bool {
        !self.looks_like_guessing(&via.plain(), source)
    }

    /// Whether somebody is told that he has a password of a meeting that has not begun.
    pub(crate) fn tell_early(&self, meeting: MeetingId, via: &Via, source: IpAddr, is_right: bool) -> bool {
        let slot = &self.shared.guesses;
        let mut early = slot.early.lock().unwrap_or_else(PoisonError::into_inner);
        early.tell(meeting, &via.plain(), source, is_right, slot.begun.elapsed())
    }

    pub(crate) fn note_wrong_entry(&self, via: &Via, source: IpAddr) {
        self.count_wrong(&via.plain(), source);
    }

    fn looks_like_guessing(&self, via: &model::Via, source: IpAddr) -> bool {
        let slot = &self.shared.guesses;
        let mut guesses = slot.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        !guesses.may(via, source, slot.begun.elapsed())
    }

    fn count_wrong(&self, via: &model::Via, source: IpAddr) {
        let kind = match via {
            model::Via::Web | model::Via::Encoder => "web",
            model::Via::Phone(_) => "phone",
        };
        metrics::counter!("conference_wrong_entries", "via" => kind).increment(1);
        let slot = &self.shared.guesses;
        let mut guesses = slot.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.note(via, source, slot.begun.elapsed());
        if !guesses.may(via, source, slot.begun.elapsed()) {
            // Where from stands at a level that is not kept.
            tracing::warn!(via = kind, "somebody guesses numbers or passwords and is told no more");
            tracing::debug!(%source, "who guesses");
        }
    }
}
