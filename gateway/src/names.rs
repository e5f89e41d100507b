//! What callers of one meeting hear of each other's coming and going: their names, as they said them (P3).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use media::Clip;
use model::{MeetingId, ParticipantId};
use plane::Recording;
use tokio::sync::broadcast::{self, error::RecvError};

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
    names: BTreeMap<ParticipantId, Named>,
    told: broadcast::Sender<Told>,
}

/// One who is on it.
#[derive(Debug)]
struct Named {
    name: Option<Recording>,
    /// How often he has entered: by one call, and by each that took over the one before.
    entries: u64,
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
    /// See [`Named::entries`].
    number: u64,
    told: broadcast::Receiver<Told>,
}

impl Entry {
    /// Somebody came or went. Of so many at once none is announced.
    pub(crate) async fn told(&mut self) -> Option<Told> {
        match self.told.recv().await {
            Ok(told) => Some(told),
            Err(RecvError::Lagged(_)) => None,
            // He has left by a later call; this one is about to end.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Whether it is of this meeting and this person.
    pub(crate) fn is_of(&self, meeting: MeetingId, who: ParticipantId) -> bool {
        (self.meeting, self.who) == (meeting, who)
    }
}

impl Rolls {
    /// He is in: the others are told. Who is on it already, by a call that this one takes over, keeps his name, and nobody is told.
    pub(crate) fn enter(&self, meeting: MeetingId, who: ParticipantId, name: Option<Recording>) -> Entry {
        let mut rolls = self.lock();
        let roll = rolls
            .entry(meeting)
            .or_insert_with(|| Roll { names: BTreeMap::new(), told: broadcast::Sender::new(TOLD_MAX) });
        let number = match roll.names.get_mut(&who) {
            Some(known) => {
                known.entries += 1;
                known.name = name.or_else(|| known.name.take());
                known.entries
            }
            None => {
                let clip = name.as_ref().and_then(Recording::clip);
                roll.names.insert(who, Named { name, entries: 1 });
                roll.tell(Told { who, came: true, name: clip });
                1
            }
        };
        Entry { rolls: self.clone(), meeting, who, number, told: roll.told.subscribe() }
    }

    /// The names that were said, in order of coming; at most so many.
    pub(crate) fn names(&self, meeting: MeetingId, at_most: usize) -> Vec<Clip> {
        let recordings: Vec<Recording> = match self.lock().get(&meeting) {
            Some(roll) => {
                let said = roll.names.values().filter_map(|named| named.name.clone());
                said.take(at_most).collect()
            }
            None => Vec::new(),
        };
        recordings.iter().filter_map(Recording::clip).collect()
    }

    fn leave(&self, Entry { meeting, who, number, .. }: &Entry) {
        let (meeting, who) = (*meeting, *who);
        let mut rolls = self.lock();
        let Some(roll) = rolls.get_mut(&meeting) else { return };
        // Another call has taken his over.
        if roll.names.get(&who).is_none_or(|named| named.entries != *number) {
            return;
        }
        let name = roll.names.remove(&who).and_then(|named| named.name);
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
        self.rolls.leave(self);
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

    fn said() -> Recording {
        let mut recording = Recording::new(media::AudioCodec::Pcma);
        for _ in 0..50 {
            recording.push(mixer::Incoming::Packet(&[0x20; 160]));
        }
        recording
    }

    // product: P3, P11
    #[tokio::test(start_paused = true)]
    async fn who_goes_on_by_another_call_keeps_his_name_and_is_told_neither_to_go_nor_to_come() {
        let (rolls, meeting) = (Rolls::default(), MeetingId::from_u128(1));
        let who = |n| ParticipantId::from_u128(n);
        let mut other = rolls.enter(meeting, who(1), None);
        let first = rolls.enter(meeting, who(2), Some(said()));
        assert!(other.told().await.is_some_and(|told| told.came));
        let taken_over = rolls.enter(meeting, who(2), None);
        drop(first);
        assert!(other.told.is_empty(), "of neither");
        assert_eq!(rolls.names(meeting, 9).len(), 1);
        drop(taken_over);
        let left = other.told().await.unwrap();
        assert!(!left.came && left.name.is_some(), "he has gone, by his name");
        // The later call may end first.
        let mut earlier = rolls.enter(meeting, who(1), None);
        std::mem::swap(&mut earlier, &mut other);
        drop(other);
        assert!(rolls.lock().is_empty());
        let nothing = tokio::time::timeout(std::time::Duration::from_secs(1), earlier.told()).await;
        assert!(nothing.is_err(), "nobody is there who could come or go: it waits");
    }
}
