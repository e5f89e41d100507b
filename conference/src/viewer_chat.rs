//! What a livestream's viewers do and read (B4). They ask for news again and again, as players do for playlists, so
//! that a viewer costs nothing between two questions; the answer is the same for all, and has what is new alone. What may be done
//! at all is the meeting's to decide.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use model::{
    BroadcastId, Event, Join, MeetingId, Message, ParticipantId, Poll, Question, ReactionSum, Refusal, Via,
    ViewerAction, ViewersMay, Vouched, network_of,
};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{Conference, handle::Request, viewer_paces::ViewerPaces};

/// Messages, removals and lowered hands of one livestream that are handed out; older ones are forgotten.
const KEPT_MAX: usize = 200;

/// Why a viewer's wish is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ViewerRefused {
    /// He, his network or all together do too much; so long nothing is taken.
    #[error("too much is done at once")]
    TooFast(Duration),
    /// The meeting doesn't take it.
    #[error(transparent)]
    Meeting(#[from] Refusal),
}

/// What a viewer has not read yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewerNews {
    /// To be asked with the next time.
    pub revision: u64,
    /// The oldest first.
    pub messages: Vec<Message>,
    /// Earlier messages and questions that are there no more, by their ids.
    pub removed: Vec<u64>,
    /// The oldest first.
    pub questions: Vec<QuestionNews>,
    /// Those that are open to viewers, as they are now.
    pub polls: Vec<Poll>,
    /// How often viewers have reacted since the livestream began; empty where that is known.
    pub reactions: Vec<ReactionSum>,
    /// What viewers may do; none where it is known.
    pub may: Option<ViewersMay>,
    /// Viewers whose hands a host has taken down.
    pub lowered: Vec<ParticipantId>,
    /// Viewers whom a host has called up.
    pub called: Vec<ParticipantId>,
}

/// What is new of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuestionNews {
    /// All of it.
    Asked(Question),
    /// Of a known one: how many want it answered, and whether it is.
    Changed {
        /// Which.
        id: u64,
        /// [`Question::votes`].
        votes: u32,
        /// [`Question::answered`].
        answered: bool,
    },
}

/// What is told to the viewers of this node's livestreams, and who of them may do how much.
#[derive(Default)]
pub(crate) struct ViewerChats {
    chats: Mutex<HashMap<BroadcastId, Told>>,
    paces: Mutex<ViewerPaces>,
}

/// Each with the revision it came by. Bounded as the meeting bounds it.
#[derive(Default)]
struct Told {
    revision: u64,
    said: VecDeque<(u64, Message)>,
    removed: VecDeque<(u64, u64)>,
    questions: BTreeMap<u64, Asked>,
    polls: BTreeMap<u32, (u64, Poll)>,
    reactions: (u64, Vec<ReactionSum>),
    may: (u64, ViewersMay),
    lowered: VecDeque<(u64, ParticipantId)>,
    called: VecDeque<(u64, ParticipantId)>,
}

struct Asked {
    asked: u64,
    changed: u64,
    question: Question,
}

impl Told {
    fn next(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Chat { message } if message.livestream.is_some() => {
                let revision = self.next();
                push(&mut self.said, (revision, message.clone()));
            }
            Event::ChatRemoved { id } => {
                let before = self.said.len();
                self.said.retain(|(_, message)| message.id != *id);
                if self.said.len() < before {
                    self.remove(*id);
                }
            }
            Event::QuestionChanged { question } => {
                let changed = self.next();
                let asked = self.questions.get(&question.id).map_or(changed, |known| known.asked);
                self.questions.insert(question.id, Asked { asked, changed, question: question.clone() });
            }
            Event::QuestionVotes { votes } => {
                let changed = self.next();
                for sum in votes {
                    if let Some(known) = self.questions.get_mut(&sum.id) {
                        (known.changed, known.question.votes) = (changed, sum.votes);
                    }
                }
            }
            Event::QuestionRemoved { id } => {
                let was_known = self.questions.remove(id).is_some();
                if was_known {
                    self.remove(*id);
                }
            }
            Event::PollChanged { poll } if poll.viewers => {
                let revision = self.next();
                self.polls.insert(poll.id, (revision, poll.clone()));
            }
            Event::ViewersReacted { sums } => {
                self.reactions.0 = self.next();
                for ReactionSum { reaction, count } in sums {
                    match self.reactions.1.iter_mut().find(|sum| sum.reaction == *reaction) {
                        Some(sum) => sum.count = sum.count.saturating_add(*count),
                        None => self.reactions.1.push(ReactionSum { reaction: *reaction, count: *count }),
                    }
                }
            }
            Event::MeetingChanged { meeting } if meeting.viewers_may != self.may.1 => {
                self.may = (self.next(), meeting.viewers_may);
            }
            _ => {}
        }
    }

    fn remove(&mut self, id: u64) {
        let revision = self.next();
        push(&mut self.removed, (revision, id));
    }

    /// What came after a revision.
    fn since(&self, known: u64) -> ViewerNews {
        let questions = self.questions.values().filter(|one| one.changed > known).map(|one| match &one.question {
            question if one.asked > known => QuestionNews::Asked(question.clone()),
            Question { id, votes, answered, .. } => {
                QuestionNews::Changed { id: *id, votes: *votes, answered: *answered }
            }
        });
        let polls = self.polls.values().filter(|(revision, _)| *revision > known).map(|(_, poll)| poll.clone());
        let reactions = if self.reactions.0 > known { self.reactions.1.clone() } else { Vec::new() };
        ViewerNews {
            revision: self.revision,
            messages: after(&self.said, known),
            removed: after(&self.removed, known),
            questions: questions.collect(),
            polls: polls.collect(),
            reactions,
            may: (self.may.0 > known).then_some(self.may.1),
            lowered: after(&self.lowered, known),
            called: after(&self.called, known),
        }
    }
}

fn push<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() >= KEPT_MAX {
        all.pop_front();
    }
    all.push_back(one);
}

fn after<T: Clone>(all: &VecDeque<(u64, T)>, known: u64) -> Vec<T> {
    all.iter().filter(|(revision, _)| *revision > known).map(|(_, one)| one.clone()).collect()
}

impl ViewerChats {
    /// A livestream begins: what its viewers may do, and the polls of the meeting.
    pub(crate) fn begin(&self, livestream: BroadcastId, may: ViewersMay, polls: Vec<Poll>) {
        let mut told = Told { may: (1, may), revision: 1, ..Told::default() };
        for poll in polls.into_iter().filter(|poll| poll.open) {
            told.note(&Event::PollChanged { poll });
        }
        lock(&self.chats).insert(livestream, told);
    }

    /// Takes from what a meeting tells its people what is of its livestream's viewers.
    pub(crate) fn note(&self, livestream: BroadcastId, event: &Event) {
        self.tell(livestream, |told| told.note(event));
    }

    /// A host has taken a viewer's hand down.
    pub(crate) fn lower(&self, livestream: BroadcastId, viewer: ParticipantId) {
        self.tell(livestream, |told| {
            let revision = told.next();
            push(&mut told.lowered, (revision, viewer));
        });
    }

    /// A host calls a viewer up.
    pub(crate) fn call(&self, livestream: BroadcastId, viewer: ParticipantId) {
        self.tell(livestream, |told| {
            let revision = told.next();
            push(&mut told.called, (revision, viewer));
        });
    }

    fn tell(&self, livestream: BroadcastId, tell: impl FnOnce(&mut Told)) {
        lock(&self.chats).get_mut(&livestream).map(tell);
    }

    /// The livestream is over, and its replay shows nothing of this.
    pub(crate) fn forget(&self, livestream: BroadcastId) {
        lock(&self.chats).remove(&livestream);
    }

    fn since(&self, livestream: BroadcastId, known: u64) -> ViewerNews {
        lock(&self.chats).get(&livestream).map(|told| told.since(known)).unwrap_or_default()
    }
}

impl Conference {
    /// What a livestream's viewers are told since a revision; zero for all of it that is kept.
    pub fn viewer_news(&self, livestream: BroadcastId, known: u64) -> ViewerNews {
        self.viewer_chats().since(livestream, known)
    }

    /// A viewer does something: the id others know him by, by which his page knows what is his.
    pub async fn viewer_does(
        &self,
        livestream: BroadcastId,
        viewer: u128,
        action: ViewerAction,
        source: IpAddr,
    ) -> Result<ParticipantId, ViewerRefused> {
        let (_, way) = self.shared.registry.live(livestream).ok_or(Refusal::NotLive)?;
        let taken =
            lock(&self.viewer_chats().paces).take(&action, livestream, viewer, network_of(source), Instant::now());
        taken.map_err(ViewerRefused::TooFast)?;
        let who = known_as(livestream, viewer);
        let (answer, answered) = oneshot::channel();
        // A meeting that has enough to do with its own people is not asked by more.
        let sent = way.requests.try_send(Request::Viewer { livestream, who, action, answer });
        sent.map_err(|_| ViewerRefused::TooFast(Duration::from_secs(1)))?;
        answered.await.map_err(|_| Refusal::NotLive)??;
        Ok(who)
    }

    /// A viewer whom a host has called up comes: his meeting, and the secret of the seat that is kept for him for a minute.
    pub async fn viewer_comes_up(
        &self,
        livestream: BroadcastId,
        viewer: u128,
        name: String,
        source: IpAddr,
    ) -> Result<(MeetingId, String), Refusal> {
        let (meeting, way) = self.shared.registry.live(livestream).ok_or(Refusal::NotLive)?;
        let join = Join {
            participant: ParticipantId::new(Uuid::now_v7()),
            name: Some(name),
            via: Via::Web,
            account: None,
            avatar: None,
            password: None,
            dial: None,
            resume: None,
            source,
            vouched: Vouched::Nobody,
            viewer: Some(known_as(livestream, viewer)),
        };
        let (answer, answered) = oneshot::channel();
        let sent = way.requests.send(Request::ComeUp { livestream, join, answer }).await;
        sent.map_err(|_| Refusal::NotLive)?;
        let secret = answered.await.map_err(|_| Refusal::NotLive)??;
        Ok((meeting, secret))
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

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps are whole between any two operations, whoever panicked.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::{ChatSide, QuestionVotes, Reaction};

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

    fn question(id: u64, votes: u32, answered: bool) -> Question {
        let (from, name, text) = (ParticipantId::from_u128(7), "a".to_owned(), "b".to_owned());
        Question { id, from, name, text, votes, answered, at_ms: 0 }
    }

    fn poll(id: u32, viewers: bool, open: bool) -> Poll {
        Poll { id, question: "c".to_owned(), choices: Vec::new(), multiple: false, viewers, open, voters: 0 }
    }

    fn begun(polls: Vec<Poll>) -> ViewerChats {
        let chats = ViewerChats::default();
        chats.begin(LIVESTREAM_ID, ViewersMay::default(), polls);
        chats
    }

    // product: B4
    #[test]
    fn viewers_read_what_is_theirs_and_what_is_new() {
        let conference = begun(Vec::new());
        let read = |known| {
            let news = conference.since(LIVESTREAM_ID, known);
            (news.revision, news.messages.iter().map(|message| message.id).collect::<Vec<_>>(), news.removed)
        };
        conference.note(LIVESTREAM_ID, &said(1, None));
        assert_eq!(read(0), (1, vec![], vec![]), "what the meeting says to itself is not for viewers");
        conference.note(LIVESTREAM_ID, &said(2, Some(ChatSide::Viewer)));
        conference.note(LIVESTREAM_ID, &said(3, Some(ChatSide::Host)));
        assert_eq!(read(0), (3, vec![2, 3], vec![]));
        assert_eq!(read(2), (3, vec![3], vec![]));
        conference.note(LIVESTREAM_ID, &Event::ChatRemoved { id: 1 });
        conference.note(LIVESTREAM_ID, &Event::ChatRemoved { id: 2 });
        assert_eq!(read(3), (4, vec![], vec![2]));
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
    fn of_a_question_that_is_known_only_the_votes_are_told_again() {
        let conference = begun(Vec::new());
        conference.note(LIVESTREAM_ID, &Event::QuestionChanged { question: question(5, 1, false) });
        let first = conference.since(LIVESTREAM_ID, 0);
        assert_eq!(first.questions, [QuestionNews::Asked(question(5, 1, false))]);
        let votes = vec![QuestionVotes { id: 5, votes: 40 }, QuestionVotes { id: 6, votes: 1 }];
        conference.note(LIVESTREAM_ID, &Event::QuestionVotes { votes });
        let next = conference.since(LIVESTREAM_ID, first.revision);
        assert_eq!(next.questions, [QuestionNews::Changed { id: 5, votes: 40, answered: false }]);
        assert_eq!(conference.since(LIVESTREAM_ID, 0).questions, [QuestionNews::Asked(question(5, 40, false))]);
        conference.note(LIVESTREAM_ID, &Event::QuestionChanged { question: question(5, 40, true) });
        let answered = conference.since(LIVESTREAM_ID, next.revision);
        assert_eq!(answered.questions, [QuestionNews::Changed { id: 5, votes: 40, answered: true }]);
        conference.note(LIVESTREAM_ID, &Event::QuestionRemoved { id: 5 });
        let gone = conference.since(LIVESTREAM_ID, answered.revision);
        assert_eq!((gone.questions, gone.removed), (vec![], vec![5]));
    }

    // product: B4
    #[test]
    fn polls_reactions_hands_and_what_is_allowed_are_told_once() {
        let conference = begun(vec![poll(1, false, true), poll(2, true, true), poll(3, true, false)]);
        let first = conference.since(LIVESTREAM_ID, 0);
        assert_eq!((first.polls, first.may), (vec![poll(2, true, true)], Some(ViewersMay::default())));
        let clap = |count| vec![ReactionSum { reaction: Reaction::Clap, count }];
        conference.note(LIVESTREAM_ID, &Event::ViewersReacted { sums: clap(3) });
        conference.note(LIVESTREAM_ID, &Event::ViewersReacted { sums: clap(4) });
        conference.note(LIVESTREAM_ID, &Event::PollChanged { poll: poll(1, false, false) });
        conference.note(LIVESTREAM_ID, &Event::PollChanged { poll: poll(2, true, false) });
        let him = ParticipantId::from_u128(9);
        conference.lower(LIVESTREAM_ID, him);
        conference.call(LIVESTREAM_ID, him);
        let next = conference.since(LIVESTREAM_ID, first.revision);
        assert_eq!((next.reactions, next.polls, next.lowered), (clap(7), vec![poll(2, true, false)], vec![him]));
        assert_eq!((next.may, next.called), (None, vec![him]));
        let last = conference.since(LIVESTREAM_ID, next.revision);
        assert_eq!(last, ViewerNews { revision: next.revision, ..ViewerNews::default() }, "nothing is new");
        assert_ne!(known_as(LIVESTREAM_ID, 1), known_as(LIVESTREAM_ID, 2));
    }
}
