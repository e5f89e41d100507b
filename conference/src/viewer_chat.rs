//! What a livestream's viewers write and read (B4). They ask for it again and again, as players do for playlists, so
//! that a viewer costs nothing between two questions.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use model::{BroadcastId, Event, Message, Pace, Paces, ParticipantId, Refusal, network_of};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{Conference, handle::Request};

/// Messages and removals of one livestream that are handed out; older ones are forgotten.
const KEPT_MAX: usize = 200;

/// How much may be written: by one viewer, from one network, in one livestream. The last is what a meeting's people and
/// the viewers themselves can still read.
const VIEWER: Pace = Pace { at_once: 3.0, per_second: 0.5 };
const NETWORK: Pace = Pace { at_once: 20.0, per_second: 2.0 };
const LIVESTREAM: Pace = Pace { at_once: 30.0, per_second: 5.0 };

/// Why a viewer's message isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ViewerRefused {
    /// He, his network or all together write too much; so long nothing is taken.
    #[error("too much is written")]
    TooFast(Duration),
    /// The meeting doesn't take it.
    #[error(transparent)]
    Meeting(#[from] Refusal),
}

/// What a viewer has not read yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewerChat {
    /// To be asked with the next time.
    pub revision: u64,
    /// The oldest first.
    pub messages: Vec<Message>,
    /// Of earlier ones, by their ids.
    pub removed: Vec<u64>,
}

/// The chats of this node's livestreams, and who may write how much.
#[derive(Default)]
pub(crate) struct ViewerChats {
    chats: Mutex<HashMap<BroadcastId, Chat>>,
    writing: Mutex<Writing>,
}

#[derive(Default)]
struct Chat {
    revision: u64,
    /// With the revision each came by.
    said: VecDeque<(u64, Message)>,
    removed: VecDeque<(u64, u64)>,
}

impl Chat {
    fn say(&mut self, message: Message) {
        self.revision += 1;
        push(&mut self.said, (self.revision, message));
    }

    fn remove(&mut self, id: u64) {
        let before = self.said.len();
        self.said.retain(|(_, message)| message.id != id);
        if self.said.len() < before {
            self.revision += 1;
            push(&mut self.removed, (self.revision, id));
        }
    }

    /// What was said and taken back after a revision.
    fn since(&self, known: u64) -> ViewerChat {
        let messages = self.said.iter().filter(|(revision, _)| *revision > known).map(|(_, message)| message.clone());
        let removed = self.removed.iter().filter(|(revision, _)| *revision > known).map(|(_, id)| *id);
        ViewerChat { revision: self.revision, messages: messages.collect(), removed: removed.collect() }
    }
}

fn push<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() >= KEPT_MAX {
        all.pop_front();
    }
    all.push_back(one);
}

impl ViewerChats {
    /// Takes from what a meeting tells its people what is of its livestream's chat.
    pub(crate) fn note(&self, livestream: BroadcastId, event: &Event) {
        match event {
            Event::Chat { message } if message.livestream.is_some() => {
                lock(&self.chats).entry(livestream).or_default().say(message.clone());
            }
            Event::ChatRemoved { id } => {
                if let Some(chat) = lock(&self.chats).get_mut(&livestream) {
                    chat.remove(*id);
                }
            }
            _ => {}
        }
    }

    /// The livestream is over, and its replay shows no chat.
    pub(crate) fn forget(&self, livestream: BroadcastId) {
        lock(&self.chats).remove(&livestream);
    }
}

impl Conference {
    /// What was written in a livestream's chat after a revision; zero for all of it that is kept.
    pub fn viewer_chat(&self, livestream: BroadcastId, known: u64) -> ViewerChat {
        lock(&self.viewer_chats().chats).get(&livestream).map(|chat| chat.since(known)).unwrap_or_default()
    }

    /// A viewer writes: the id his messages have, by which his page knows them.
    pub async fn viewer_says(
        &self,
        livestream: BroadcastId,
        viewer: u128,
        name: String,
        text: String,
        source: IpAddr,
    ) -> Result<ParticipantId, ViewerRefused> {
        let registry = &self.shared.registry;
        let way = registry.meeting_of(livestream).and_then(|id| registry.known(id)).ok_or(Refusal::NotLive)?;
        lock(&self.viewer_chats().writing).take(livestream, viewer, network_of(source), Instant::now())?;
        let from = known_as(livestream, viewer);
        let (answer, answered) = oneshot::channel();
        // A meeting that has enough to do with its own people is not asked by more.
        let sent = way.requests.try_send(Request::ViewerSays { livestream, from, name, text, answer });
        sent.map_err(|_| ViewerRefused::TooFast(Duration::from_secs(1)))?;
        answered.await.map_err(|_| Refusal::NotLive)??;
        Ok(from)
    }

    fn viewer_chats(&self) -> &ViewerChats {
        &self.shared.resources.viewer_chats
    }
}

/// What others know a viewer by; what he draws himself is his alone.
fn known_as(livestream: BroadcastId, viewer: u128) -> ParticipantId {
    let hash = Sha256::new().chain_update(livestream.uuid().as_bytes()).chain_update(viewer.to_be_bytes()).finalize();
    let id = hash[..16].try_into().map(Uuid::from_bytes).unwrap_or_default();
    ParticipantId::new(id)
}

/// What has been written of late.
struct Writing {
    viewers: Paces<(BroadcastId, u128)>,
    networks: Paces<IpAddr>,
    livestreams: Paces<BroadcastId>,
}

impl Default for Writing {
    fn default() -> Self {
        Self { viewers: Paces::new(VIEWER), networks: Paces::new(NETWORK), livestreams: Paces::new(LIVESTREAM) }
    }
}

impl Writing {
    /// Counts a message, unless it is one too many: then nothing is counted, so that trying doesn't prolong it.
    fn take(
        &mut self,
        livestream: BroadcastId,
        viewer: u128,
        network: IpAddr,
        now: Instant,
    ) -> Result<(), ViewerRefused> {
        let viewer = (livestream, viewer);
        let of_all = self.networks.wait(&network, now).max(self.livestreams.wait(&livestream, now));
        let wait = self.viewers.wait(&viewer, now).max(of_all);
        if !wait.is_zero() {
            return Err(ViewerRefused::TooFast(wait));
        }
        let counted = self.viewers.take(viewer, now).and_then(|()| self.networks.take(network, now));
        counted.and_then(|()| self.livestreams.take(livestream, now)).map_err(ViewerRefused::TooFast)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps are whole between any two operations, whoever panicked.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::ChatSide;

    use super::*;

    const LIVESTREAM_ID: BroadcastId = BroadcastId::from_u128(1);

    fn said(id: u64, livestream: Option<ChatSide>) -> Event {
        let (from, name, text) = (ParticipantId::from_u128(7), "a".to_owned(), id.to_string());
        Event::Chat {
            message: Message {
                id,
                from,
                name,
                to: None,
                room: None,
                announced: false,
                livestream,
                text,
                file: None,
                at_ms: 0,
            },
        }
    }

    // product: B4
    #[test]
    fn viewers_read_what_is_theirs_and_what_is_new() {
        let conference = ViewerChats::default();
        let read = |known| {
            let all = lock(&conference.chats);
            let chat = all.get(&LIVESTREAM_ID).map(|chat| chat.since(known)).unwrap_or_default();
            (chat.revision, chat.messages.iter().map(|message| message.id).collect::<Vec<_>>(), chat.removed)
        };
        conference.note(LIVESTREAM_ID, &said(1, None));
        assert_eq!(read(0), (0, vec![], vec![]), "what the meeting says to itself is not for viewers");
        conference.note(LIVESTREAM_ID, &said(2, Some(ChatSide::Viewer)));
        conference.note(LIVESTREAM_ID, &said(3, Some(ChatSide::Host)));
        assert_eq!(read(0), (2, vec![2, 3], vec![]));
        assert_eq!(read(1), (2, vec![3], vec![]));
        conference.note(LIVESTREAM_ID, &Event::ChatRemoved { id: 1 });
        conference.note(LIVESTREAM_ID, &Event::ChatRemoved { id: 2 });
        assert_eq!(read(2), (3, vec![], vec![2]));
        assert_eq!(read(0).1, [3]);
        for id in 10..10 + 2 * KEPT_MAX as u64 {
            conference.note(LIVESTREAM_ID, &said(id, Some(ChatSide::Viewer)));
        }
        assert_eq!(read(0).1.len(), KEPT_MAX);
        conference.forget(LIVESTREAM_ID);
        assert_eq!(read(0).0, 0);
    }

    // product: B4
    #[test]
    fn nobody_writes_all_the_time_and_no_crowd_does() {
        let (mut paces, start) = (Writing::default(), Instant::now());
        let network = |n: u8| IpAddr::from([10, 0, 0, n]);
        for _ in 0..3 {
            paces.take(LIVESTREAM_ID, 1, network(1), start).unwrap();
        }
        let two = Duration::from_secs(2);
        assert_eq!(paces.take(LIVESTREAM_ID, 1, network(1), start), Err(ViewerRefused::TooFast(two)));
        paces.take(LIVESTREAM_ID, 1, network(1), start + two).unwrap();
        // One network with ever new viewers; and many networks.
        let mut paces = Writing::default();
        let taken = (0..100).filter(|viewer| paces.take(LIVESTREAM_ID, *viewer, network(1), start).is_ok()).count();
        assert_eq!(taken, 20);
        let many = (0..250).filter(|n| paces.take(LIVESTREAM_ID, 1_000 + u128::from(*n), network(*n), start).is_ok());
        assert_eq!(many.count(), 10);
        assert_ne!(known_as(LIVESTREAM_ID, 1), known_as(LIVESTREAM_ID, 2));
    }
}
