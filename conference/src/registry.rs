//! The live meetings of this node: a way to each, and which livestream is whose.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use model::{BroadcastId, MeetingId};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::handle::Request;

/// Livestreams remembered with their meetings, oldest forgotten first: more than the origin keeps files of.
const LIVESTREAMS_MAX: usize = 10_000;

/// Requests that may wait for a meeting. Callers wait in turn beyond it.
const REQUESTS_MAX: usize = 256;

/// For how long a meeting that was ended is remembered as that: browsers that were offline then come back by themselves for two
/// minutes. Less, and one of them would open it anew for himself alone; more, and who was lost from the next one is told that it has ended.
const OVER_KEPT: Duration = Duration::from_secs(150);

/// A way to a live meeting, from before it is opened until its media is closed.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) requests: mpsc::Sender<Request>,
    /// Seats taken.
    pub(crate) seats: Arc<AtomicUsize>,
    /// Nothing of it is left, and it may be opened anew.
    pub(crate) ended: CancellationToken,
}

#[derive(Default)]
pub(crate) struct Registry {
    meetings: Mutex<HashMap<MeetingId, Way>>,
    livestreams: Mutex<Livestreams>,
    /// Meetings that were ended, and when; see [`OVER_KEPT`].
    over: Mutex<HashMap<MeetingId, Instant>>,
    draining: AtomicBool,
    /// Meetings, and livestreams that are being ended.
    pub(crate) tasks: TaskTracker,
}

#[derive(Default)]
struct Livestreams {
    meetings: HashMap<BroadcastId, MeetingId>,
    /// Each meeting's last.
    newest: HashMap<MeetingId, BroadcastId>,
    oldest: VecDeque<BroadcastId>,
}

/// One meeting's entry, and its queue's other end. Dropped, the meeting has ended.
pub(crate) struct Entry {
    pub(crate) id: MeetingId,
    pub(crate) way: Way,
    pub(crate) registry: Arc<Registry>,
}

impl Registry {
    /// The way to a meeting. Where there was none, `start` is given what the meeting's task needs: from then on there
    /// is one, so that two who come at once meet. None while draining.
    pub(crate) fn way(
        self: &Arc<Self>,
        id: MeetingId,
        start: impl FnOnce(Entry, mpsc::Receiver<Request>),
    ) -> Option<Way> {
        let mut meetings = self.lock();
        if self.draining.load(Ordering::Acquire) {
            return None;
        }
        if let Some(way) = meetings.get(&id) {
            return Some(way.clone());
        }
        let (requests, queue) = mpsc::channel(REQUESTS_MAX);
        let way = Way { requests, seats: Arc::default(), ended: CancellationToken::new() };
        meetings.insert(id, way.clone());
        drop(meetings);
        start(Entry { id, way: way.clone(), registry: Arc::clone(self) }, queue);
        Some(way)
    }

    /// The way to a meeting that is live.
    pub(crate) fn known(&self, id: MeetingId) -> Option<Way> {
        self.lock().get(&id).cloned()
    }

    /// The ways to all.
    pub(crate) fn ways(&self) -> Vec<Way> {
        self.lock().values().cloned().collect()
    }

    /// Somebody is in it.
    pub(crate) fn is_occupied(&self, id: MeetingId) -> bool {
        self.lock().get(&id).is_some_and(|way| way.seats.load(Ordering::Acquire) > 0)
    }

    /// It was ended for all: who was offline is not to find it open.
    pub(crate) fn note_over(&self, id: MeetingId) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.retain(|_, at| at.elapsed() < OVER_KEPT);
        over.insert(id, Instant::now());
    }

    /// It was ended a moment ago; it may have been opened anew.
    pub(crate) fn is_over(&self, id: MeetingId) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.get(&id).is_some_and(|at| at.elapsed() < OVER_KEPT)
    }

    /// No meeting is opened any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// From now on no meeting is opened. Returns the ways to all that are.
    pub(crate) fn drain(&self) -> Vec<Way> {
        let meetings = self.lock();
        self.draining.store(true, Ordering::Release);
        meetings.values().cloned().collect()
    }

    /// An id no livestream has had, also none of those before the server's start that `is_recorded` knows. The meeting's first has the
    /// meeting's, so that its files' addresses are known before.
    pub(crate) fn unused_livestream(
        &self,
        of: MeetingId,
        is_recorded: impl FnOnce(BroadcastId) -> bool,
    ) -> BroadcastId {
        let first = BroadcastId::new(of.uuid());
        let is_used = self.livestreams().meetings.contains_key(&first) || is_recorded(first);
        if is_used { BroadcastId::new(Uuid::now_v7()) } else { first }
    }

    pub(crate) fn note_livestream(&self, id: BroadcastId, of: MeetingId) {
        let mut livestreams = self.livestreams();
        if livestreams.meetings.insert(id, of).is_none() {
            livestreams.oldest.push_back(id);
        }
        livestreams.newest.insert(of, id);
        if livestreams.oldest.len() > LIVESTREAMS_MAX
            && let Some(oldest) = livestreams.oldest.pop_front()
        {
            let meeting = livestreams.meetings.remove(&oldest);
            if let Some(meeting) = meeting.filter(|meeting| livestreams.newest.get(meeting) == Some(&oldest)) {
                livestreams.newest.remove(&meeting);
            }
        }
    }

    /// A meeting's last livestream; none of those before the server's start.
    pub(crate) fn newest_livestream(&self, of: MeetingId) -> Option<BroadcastId> {
        self.livestreams().newest.get(&of).copied()
    }

    /// The meeting of a livestream; none of one from before the server's start.
    pub(crate) fn meeting_of(&self, id: BroadcastId) -> Option<MeetingId> {
        self.livestreams().meetings.get(&id).copied()
    }

    /// The meeting of a livestream, and the way to it, where it is live.
    pub(crate) fn live(&self, livestream: BroadcastId) -> Option<(MeetingId, Way)> {
        let meeting = self.meeting_of(livestream)?;
        Some((meeting, self.known(meeting)?))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<MeetingId, Way>> {
        // A map of ways is whole between any two operations, whoever panicked.
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn livestreams(&self) -> MutexGuard<'_, Livestreams> {
        self.livestreams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.id);
        self.way.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MeetingId = MeetingId::from_u128(1);

    #[test]
    fn two_who_come_at_once_meet_and_the_next_ones_open_anew() {
        let registry = Arc::new(Registry::default());
        let mut started = Vec::new();
        let first = registry.way(ID, |entry, queue| started.push((entry, queue))).unwrap();
        registry.way(ID, |_, _| unreachable!("it is open")).unwrap();
        started.clear();
        assert!(first.ended.is_cancelled());
        registry.way(ID, |entry, queue| started.push((entry, queue))).unwrap();
        assert_eq!(started.len(), 1);
        assert_eq!(registry.drain().len(), 1);
        assert!(registry.way(ID, |_, _| unreachable!("it drains")).is_none());
    }

    // product: S8
    #[test]
    fn the_first_livestream_has_the_meetings_address_and_no_two_have_the_same() {
        let registry = Registry::default();
        let unused = |is_recorded: bool| registry.unused_livestream(ID, |_| is_recorded);
        let first = unused(false);
        assert_eq!(first.uuid(), ID.uuid());
        assert_ne!(unused(true), first, "its film from before the server's start is not to be another's");
        registry.note_livestream(first, ID);
        let second = unused(false);
        assert_ne!(second, first);
        registry.note_livestream(second, ID);
        assert_eq!(registry.newest_livestream(ID), Some(second));
        assert_eq!((registry.meeting_of(first), registry.meeting_of(second)), (Some(ID), Some(ID)));
        assert_eq!(registry.meeting_of(BroadcastId::from_u128(3)), None);
        for n in 0..2 * LIVESTREAMS_MAX as u128 {
            registry.note_livestream(BroadcastId::from_u128(n + 10), MeetingId::from_u128(n + 10));
        }
        let livestreams = registry.livestreams();
        assert_eq!((livestreams.meetings.len(), livestreams.newest.len()), (LIVESTREAMS_MAX, LIVESTREAMS_MAX));
    }
}
