//! What callers of one meeting hear of each other's coming and going: their names, as they said them (P3).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use media::Clip;
use model::{MeetingId, ParticipantId};
use plane::Recording;
use tokio::sync::broadcast;

/// Comings and goings one caller may not have heard of yet; of more at once nobody wants to hear each.
const TOLD_MAX: usize = 16;

/// People in a meeting above which nobody's coming is heard: in a lecture it is a nuisance.
pub(crate) const ANNOUNCED_MAX: usize = 20;

/// Somebody came or went by telephone.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) who: ParticipantId,
    /// Or went.
    pub(crate) came: bool,
    /// As he said it.
    pub(crate) name: Option<Clip>,
}

/// The callers of all meetings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rolls(Arc<Mutex<HashMap<MeetingId, Roll>>>);

#[derive(Debug)]
struct Roll {
    names: BTreeMap<ParticipantId, Option<Recording>>,
    told: broadcast::Sender<Told>,
}

impl Roll {
    /// Of so many that nobody would hear of it, nobody is woken: five hundred who come at once would wake each other for each.
    fn tell(&self, told: Told) {
        if self.names.len() <= ANNOUNCED_MAX {
            // Nobody else may be there.
            let _ = self.told.send(told);
        }
    }
}

/// One caller's place on the roll, until it is dropped.
pub(crate) struct Entry {
    rolls: Rolls,
    meeting: MeetingId,
    who: ParticipantId,
    pub(crate) told: broadcast::Receiver<Told>,
}

impl Rolls {
    /// He is in: the others are told.
    pub(crate) fn enter(&self, meeting: MeetingId, who: ParticipantId, name: Option<Recording>) -> Entry {
        let clip = name.as_ref().and_then(Recording::clip);
        let mut rolls = self.lock();
        let roll = rolls
            .entry(meeting)
            .or_insert_with(|| Roll { names: BTreeMap::new(), told: broadcast::Sender::new(TOLD_MAX) });
        roll.names.insert(who, name);
        roll.tell(Told { who, came: true, name: clip });
        Entry { rolls: self.clone(), meeting, who, told: roll.told.subscribe() }
    }

    /// The names that were said, in order of coming; at most so many.
    pub(crate) fn names(&self, meeting: MeetingId, at_most: usize) -> Vec<Clip> {
        let recordings: Vec<Recording> = match self.lock().get(&meeting) {
            Some(roll) => roll.names.values().flatten().take(at_most).cloned().collect(),
            None => Vec::new(),
        };
        recordings.iter().filter_map(Recording::clip).collect()
    }

    fn leave(&self, meeting: MeetingId, who: ParticipantId) {
        let mut rolls = self.lock();
        let Some(roll) = rolls.get_mut(&meeting) else { return };
        let name = roll.names.remove(&who).flatten();
        if roll.names.is_empty() {
            rolls.remove(&meeting);
        } else {
            roll.tell(Told { who, came: false, name: name.as_ref().and_then(Recording::clip) });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<MeetingId, Roll>> {
        // Whole between any two operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.rolls.leave(self.meeting, self.who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P3
    #[test]
    fn callers_hear_of_the_others_of_their_meeting_alone() {
        let (rolls, meeting) = (Rolls::default(), |n| MeetingId::from_u128(n));
        let who = |n| ParticipantId::from_u128(n);
        let mut first = rolls.enter(meeting(1), who(1), None);
        assert!(first.told.is_empty(), "not of himself");
        let second = rolls.enter(meeting(1), who(2), None);
        let _elsewhere = rolls.enter(meeting(2), who(3), None);
        drop(second);
        let told: Vec<_> =
            std::iter::from_fn(|| first.told.try_recv().ok()).map(|told| (told.who, told.came)).collect();
        assert_eq!(told, [(who(2), true), (who(2), false)]);
        let mut heard = 0;
        let enter = |n| {
            let entry = rolls.enter(meeting(1), who(n), None);
            heard += usize::from(first.told.try_recv().is_ok());
            entry
        };
        let more: Vec<_> = (10..).take(ANNOUNCED_MAX).map(enter).collect();
        assert_eq!(heard, ANNOUNCED_MAX - 1, "not of the one who makes it too many");
        drop((more, first));
        assert_eq!(rolls.lock().len(), 1, "a meeting without callers is forgotten");
    }
}
