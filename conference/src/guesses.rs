//! Wrong numbers and passwords, counted over all meetings: by telephone number, by carrier, by network.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::{EarlyTries, Guesses, MeetingId, MeetingNumber, PhoneNumber, Reached, Refusal, Vouched};

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
    pub fn is_guessing(&self, caller: &PhoneNumber, vouched: &Vouched, source: IpAddr) -> bool {
        self.looks_like_guessing(&model::Via::Phone(caller.clone()), vouched, source)
    }

    /// A caller has keyed the number of a meeting that isn't.
    pub fn note_wrong_number(&self, caller: &PhoneNumber, vouched: &Vouched, source: IpAddr) {
        self.count_wrong(&model::Via::Phone(caller.clone()), vouched, source);
    }

    /// By how much a caller who entered a wrong number or password hears of it later: not at all, unless somebody guesses by
    /// the same carrier. Right ones are never delayed.
    #[must_use]
    pub fn wrong_entry_delay(&self, source: IpAddr) -> Duration {
        let slot = &self.shared.guesses;
        slot.guesses.lock().unwrap_or_else(PoisonError::into_inner).slowed(source, slot.begun.elapsed())
    }

    /// What a number leads to, for a browser: who asks for many that lead nowhere is told no more.
    pub async fn find_for(&self, number: MeetingNumber, source: IpAddr) -> Result<Door, Refusal> {
        if self.looks_like_guessing(&model::Via::Web, &Vouched::Nobody, source) {
            return Err(Refusal::TooManyTries);
        }
        let found = self.find(number).await.map_err(|error| {
            tracing::error!(%error, "meeting can't be looked up");
            Refusal::Failed
        })?;
        found.ok_or_else(|| {
            self.count_wrong(&model::Via::Web, &Vouched::Nobody, source);
            Refusal::NoSuchMeeting
        })
    }

    pub(crate) fn may_try(&self, via: &Via, source: IpAddr) -> bool {
        !self.looks_like_guessing(&via.plain(), via.vouched(), source)
    }

    /// Whether somebody is told that he has a password of a meeting that has not begun.
    pub(crate) fn tell_early(&self, meeting: MeetingId, via: &Via, source: IpAddr, is_right: bool) -> bool {
        let slot = &self.shared.guesses;
        let mut early = slot.early.lock().unwrap_or_else(PoisonError::into_inner);
        early.tell(meeting, &via.plain(), source, is_right, slot.begun.elapsed())
    }

    pub(crate) fn note_wrong_entry(&self, via: &Via, source: IpAddr) {
        self.count_wrong(&via.plain(), via.vouched(), source);
    }

    fn looks_like_guessing(&self, via: &model::Via, vouched: &Vouched, source: IpAddr) -> bool {
        let slot = &self.shared.guesses;
        let mut guesses = slot.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        !guesses.may(via, vouched, source, slot.begun.elapsed())
    }

    fn count_wrong(&self, via: &model::Via, vouched: &Vouched, source: IpAddr) {
        let kind = match via {
            model::Via::Web | model::Via::Encoder => "web",
            model::Via::Phone(_) => "phone",
        };
        metrics::counter!("conference_wrong_entries", "via" => kind).increment(1);
        let slot = &self.shared.guesses;
        let mut guesses = slot.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = guesses.note(via, vouched, source, slot.begun.elapsed());
        drop(guesses);
        // Where from stands at a level that is not kept.
        match reached {
            Reached::None => return,
            Reached::Limit => {
                metrics::counter!("conference_guessing", "via" => kind).increment(1);
                tracing::warn!(via = kind, "somebody guesses numbers or passwords and is told no more");
            }
            Reached::CarrierSlow => {
                metrics::counter!("conference_guessing", "via" => "carrier").increment(1);
                tracing::warn!(
                    "somebody guesses numbers or passwords by a carrier: its wrong entries are answered later"
                );
            }
        }
        tracing::debug!(%source, "who guesses");
    }
}
