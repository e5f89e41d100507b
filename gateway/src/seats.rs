//! Who sits where, by his call: whoever takes the call over has his seat (RFC 3891). And whom a caller wants to be put through to
//! instead of the one he speaks with (RFC 5589 §7).

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{MeetingId, ParticipantId};
use sip::{CallKey, Replaces};
use sipconf::Language;

/// A seat as somebody else may have it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) meeting: MeetingId,
    pub(crate) participant: ParticipantId,
    /// The secret that gives it again.
    pub(crate) resume: String,
    /// What he is spoken to in.
    pub(crate) language: Language,
}

/// Of all calls in meetings: as many as there are calls.
#[derive(Default)]
pub(crate) struct Seats {
    held: Mutex<HashMap<CallKey, Held>>,
    /// Between a REFER and the call it leads to, which begins before the REFER is answered.
    replacing: Mutex<HashMap<(MeetingId, String), Replaces>>,
}

/// For as long as he sits.
pub(crate) struct Sitting<'a> {
    seats: &'a Seats,
    call: CallKey,
}

impl Drop for Sitting<'_> {
    fn drop(&mut self) {
        lock(&self.seats.held).remove(&self.call);
    }
}

impl Seats {
    pub(crate) fn sit(&self, call: CallKey, held: Held) -> Sitting<'_> {
        lock(&self.held).insert(call, held);
        Sitting { seats: self, call }
    }

    /// None where that caller is in no meeting yet.
    pub(crate) fn of(&self, call: CallKey) -> Option<Held> {
        lock(&self.held).get(&call).cloned()
    }

    /// The next call of this meeting to that number is to replace another.
    pub(crate) fn replace(&self, meeting: MeetingId, number: &str, replaces: Replaces) {
        lock(&self.replacing).insert((meeting, number.to_owned()), replaces);
    }

    /// What [`Self::replace`] said, once.
    pub(crate) fn take_replaces(&self, meeting: MeetingId, number: &str) -> Option<Replaces> {
        lock(&self.replacing).remove(&(meeting, number.to_owned()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
