//! What a livestream's viewers do in their thousands (B4): it is kept as sums, told once a second, and bounded.

use super::*;
use crate::{Question, QuestionVotes, Reaction, ReactionSum, ViewerAction, ViewerHand, ViewersMay, Whisper};

/// Questions of one meeting, of which those that were answered give way first: no host goes through more.
const QUESTIONS_MAX: usize = 100;

/// Questions of one viewer that wait for an answer: he can't fill the list alone.
const OWN_QUESTIONS_MAX: usize = 3;

/// Votes for questions that are remembered, of all together: ten each of ten thousand viewers, 3 MB. Beyond it none is taken.
const VOTES_MAX: usize = 100_000;

/// Hands that are up at once: no host looks through more, and beyond it none is raised.
const HANDS_MAX: usize = 100;

/// How long a hand is up unless it is raised again: pages are closed without a word. Three times of what pages take.
const HAND_KEPT: Duration = Duration::from_secs(60);

/// How long who was called up may come: as long as he needs to find his microphone, and no longer than his host waits for him.
const CALL_KEPT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Viewers {
    questions: Vec<Asked>,
    /// All voters of all questions.
    votes: usize,
    /// Since the last tick.
    reactions: Vec<ReactionSum>,
    /// In order of raising.
    hands: Vec<Hand>,
    /// Hosts have not been told how they are.
    hands_untold: bool,
}

#[derive(Debug)]
struct Asked {
    view: Question,
    voters: BTreeSet<ParticipantId>,
    /// Votes came that were not told.
    untold: bool,
}

#[derive(Debug)]
struct Hand {
    who: ViewerHand,
    raised_at: Duration,
    called_at: Option<Duration>,
}

impl Hand {
    fn is_called(&self, now: Duration) -> bool {
        self.called_at.is_some_and(|at| now.saturating_sub(at) < CALL_KEPT)
    }
}

impl Viewers {
    pub(super) fn questions(&self) -> Vec<Question> {
        self.questions.iter().map(|asked| asked.view.clone()).collect()
    }

    pub(super) fn hands(&self) -> Vec<ViewerHand> {
        self.hands.iter().map(|hand| hand.who.clone()).collect()
    }

    fn question(&mut self, id: u64) -> Result<&mut Asked, Refusal> {
        self.questions.iter_mut().find(|asked| asked.view.id == id).ok_or(Refusal::NoSuchQuestion)
    }

    fn forget(&mut self, id: u64) -> bool {
        let Some(at) = self.questions.iter().position(|asked| asked.view.id == id) else { return false };
        self.votes -= self.questions.remove(at).voters.len();
        true
    }

    /// True where it was up.
    fn lower(&mut self, viewer: ParticipantId) -> bool {
        let before = self.hands.len();
        self.hands.retain(|hand| hand.who.viewer != viewer);
        self.hands_untold |= self.hands.len() < before;
        self.hands.len() < before
    }

    fn lower_all(&mut self) -> Vec<ParticipantId> {
        self.hands_untold |= !self.hands.is_empty();
        std::mem::take(&mut self.hands).into_iter().map(|hand| hand.who.viewer).collect()
    }

    fn react(&mut self, reaction: Reaction) {
        match self.reactions.iter_mut().find(|sum| sum.reaction == reaction) {
            Some(sum) => sum.count += 1,
            None => self.reactions.push(ReactionSum { reaction, count: 1 }),
        }
    }
}

impl Meeting {
    pub(super) fn viewer(&mut self, who: ParticipantId, action: ViewerAction, now: Duration) -> Outcome {
        if self.broadcast.is_none() {
            return Err(Refusal::NotLive);
        }
        let may = self.view.viewers_may;
        let allowed = |may: bool| if may { Ok(()) } else { Err(Refusal::NotAllowed) };
        match action {
            ViewerAction::Say { name, text } => {
                allowed(may.chat)?;
                self.viewer_says(who, &name, &text, now)
            }
            ViewerAction::Ask { name, text } => {
                allowed(may.questions)?;
                self.ask(who, &name, &text, now)
            }
            ViewerAction::VoteFor { question, on } => {
                allowed(may.questions)?;
                self.vote_for(who, question, on)
            }
            ViewerAction::Vote { poll, choices } => {
                self.polls.vote_of_viewer(who, poll, choices)?;
                Ok(Vec::new())
            }
            ViewerAction::React { reaction } => {
                allowed(may.reactions)?;
                self.viewers.react(reaction);
                Ok(Vec::new())
            }
            ViewerAction::RaiseHand { name } => {
                allowed(may.hands)?;
                self.raise_hand(who, &name, now)
            }
            ViewerAction::LowerHand => {
                self.viewers.lower(who);
                Ok(Vec::new())
            }
        }
    }

    fn ask(&mut self, from: ParticipantId, name: &str, text: &str, now: Duration) -> Outcome {
        let name = check_name(name).map_err(|_| Refusal::BadName)?;
        let text = chat::check_text(text, chat::VIEWERS_TEXT_MAX)?;
        let open = |asked: &&Asked| !asked.view.answered && asked.view.from == from;
        if self.viewers.questions.iter().filter(open).count() >= OWN_QUESTIONS_MAX || self.viewers.votes >= VOTES_MAX {
            return Err(Refusal::TooMany);
        }
        let mut effects = Vec::new();
        if self.viewers.questions.len() >= QUESTIONS_MAX {
            let old = self.viewers.questions.iter().find(|asked| asked.view.answered).map(|asked| asked.view.id);
            effects.extend(self.remove_question(old.ok_or(Refusal::TooMany)?)?);
        }
        let (id, at_ms) = (self.chat.next_id(), self.clock_ms(now));
        let question = Question { id, from, name, text, votes: 1, answered: false, at_ms };
        let voters = BTreeSet::from([from]);
        self.viewers.votes += 1;
        self.viewers.questions.push(Asked { view: question.clone(), voters, untold: false });
        effects.push(self.tell(Event::QuestionChanged { question }));
        Ok(effects)
    }

    fn vote_for(&mut self, who: ParticipantId, question: u64, on: bool) -> Outcome {
        let is_full = self.viewers.votes >= VOTES_MAX;
        let asked = self.viewers.question(question)?;
        if asked.view.answered {
            return Err(Refusal::NoSuchQuestion);
        }
        let before = asked.voters.len();
        if on && is_full {
            return Err(Refusal::TooMany);
        }
        if on {
            asked.voters.insert(who)
        } else {
            asked.voters.remove(&who)
        };
        let after = asked.voters.len();
        asked.view.votes = u32::try_from(after).unwrap_or(u32::MAX);
        asked.untold |= after != before;
        self.viewers.votes = self.viewers.votes + after - before;
        Ok(Vec::new())
    }

    fn raise_hand(&mut self, viewer: ParticipantId, name: &str, now: Duration) -> Outcome {
        let name = check_name(name).map_err(|_| Refusal::BadName)?;
        let viewers = &mut self.viewers;
        if let Some(hand) = viewers.hands.iter_mut().find(|hand| hand.who.viewer == viewer) {
            viewers.hands_untold |= hand.who.name != name;
            (hand.who.name, hand.raised_at) = (name, now);
            return Ok(Vec::new());
        }
        if viewers.hands.len() >= HANDS_MAX {
            return Err(Refusal::TooMany);
        }
        let who = ViewerHand { viewer, name, called: false };
        viewers.hands.push(Hand { who, raised_at: now, called_at: None });
        viewers.hands_untold = true;
        Ok(Vec::new())
    }

    /// What they may do from now on: hands that may not be raised are down.
    pub(super) fn allow_viewers(&mut self, may: ViewersMay) -> Vec<Effect> {
        if !may.hands {
            self.viewers.lower_all();
        }
        self.change_meeting(|meeting| meeting.viewers_may = may)
    }

    pub(super) fn answer_question(&mut self, question: u64, answered: bool) -> Outcome {
        let asked = self.viewers.question(question)?;
        if std::mem::replace(&mut asked.view.answered, answered) == answered {
            return Ok(Vec::new());
        }
        let question = asked.view.clone();
        Ok(vec![self.tell(Event::QuestionChanged { question })])
    }

    pub(super) fn remove_question(&mut self, id: u64) -> Outcome {
        let was_there = self.viewers.forget(id);
        Ok(was_there.then(|| self.tell(Event::QuestionRemoved { id })).into_iter().collect())
    }

    /// By a host, so his page is told.
    pub(super) fn lower_viewers_hand(&mut self, viewer: ParticipantId) -> Vec<Effect> {
        let was_up = self.viewers.lower(viewer);
        was_up.then_some(Effect::HandLowered(viewer)).into_iter().collect()
    }

    pub(super) fn lower_viewers_hands(&mut self) -> Vec<Effect> {
        self.viewers.lower_all().into_iter().map(Effect::HandLowered).collect()
    }

    pub(super) fn call_up(&mut self, viewer: ParticipantId, now: Duration) -> Outcome {
        if self.banned.contains(&Ban::Seat(viewer)) {
            return Err(Refusal::Removed);
        }
        let hand = self.viewers.hands.iter_mut().find(|hand| hand.who.viewer == viewer);
        let hand = hand.ok_or(Refusal::NoSuchParticipant)?;
        hand.called_at = Some(now);
        self.viewers.hands_untold |= !std::mem::replace(&mut hand.who.called, true);
        Ok(vec![Effect::CalledUp(viewer)])
    }

    /// The host's call is his key: lock, password and door are for who comes uncalled. The ports are not.
    pub(super) fn come_up(&mut self, join: Join, now: Duration) -> Outcome {
        let viewer = join.viewer.ok_or(Refusal::NotAllowed)?;
        let name = check_name(join.name.as_deref().unwrap_or_default()).map_err(|_| Refusal::BadName)?;
        let hand = self.viewers.hands.iter().find(|hand| hand.who.viewer == viewer);
        if self.broadcast.is_none() || !hand.is_some_and(|hand| hand.is_called(now)) {
            return Err(Refusal::NotCalled);
        }
        if Ban::of_person(&join.via, None, join.source, &name).is_some_and(|ban| self.banned.contains(&ban)) {
            return Err(Refusal::Removed);
        }
        if self.seats.len() >= self.view.capacity {
            return Err(Refusal::Full);
        }
        self.viewers.lower(viewer);
        let id = join.participant;
        let mut effects = self.sit_down(join, name, false);
        effects.extend(self.lost(id, now));
        Ok(effects)
    }

    /// What came since the last tick.
    pub(super) fn tell_of_viewers(&mut self, now: Duration) -> Vec<Effect> {
        let (viewers, is_on) = (&mut self.viewers, self.broadcast.is_some());
        let before = viewers.hands.len();
        viewers.hands.retain(|hand| is_on && now.saturating_sub(hand.raised_at) < HAND_KEPT);
        viewers.hands_untold |= viewers.hands.len() < before;
        for hand in &mut viewers.hands {
            let is_called = hand.is_called(now);
            viewers.hands_untold |= std::mem::replace(&mut hand.who.called, is_called) != is_called;
        }
        let mut votes = Vec::new();
        for asked in viewers.questions.iter_mut().filter(|asked| asked.untold) {
            asked.untold = false;
            votes.push(QuestionVotes { id: asked.view.id, votes: asked.view.votes });
        }
        let sums = std::mem::take(&mut viewers.reactions);
        let is_untold = std::mem::take(&mut viewers.hands_untold);
        let mut effects = Vec::new();
        if !votes.is_empty() {
            effects.push(self.tell(Event::QuestionVotes { votes }));
        }
        if !sums.is_empty() {
            effects.push(self.tell(Event::ViewersReacted { sums }));
        }
        if is_untold {
            let managers = self.seats.values().filter(|seat| seat.person.role.manages());
            effects.extend(managers.map(|seat| self.whisper_hands(seat.person.id)));
        }
        effects
    }

    /// To somebody who has just become a host.
    pub(super) fn whisper_hands_up(&self, to: ParticipantId) -> Option<Effect> {
        (!self.viewers.hands.is_empty()).then(|| self.whisper_hands(to))
    }

    fn whisper_hands(&self, to: ParticipantId) -> Effect {
        Effect::Whisper(to, Whisper::ViewerHands { hands: self.viewers.hands() })
    }
}
