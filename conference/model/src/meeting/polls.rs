//! Questions to all (C17). Votes are told once a second, not each: five hundred people answer at once.

use std::collections::BTreeMap;

use super::{Effect, Event, Meeting};
use crate::{Choice, ParticipantId, Poll, Refusal};

/// In one meeting.
const POLLS_MAX: usize = 20;

/// Voters of one poll, 2 MB, beyond which no viewer's vote is taken: few livestreams have so many. The meeting's own people
/// always vote.
const VOTERS_MAX: usize = 50_000;

/// Answers of one poll.
const CHOICES_MAX: usize = 10;

/// Of a question or an answer, in characters.
const TEXT_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Polls {
    polls: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    view: Poll,
    /// A bit for each answer that was chosen.
    votes: BTreeMap<ParticipantId, u16>,
    /// Votes came that were not told.
    untold: bool,
}

impl Polls {
    pub(super) fn all(&self) -> Vec<Poll> {
        self.polls.iter().map(|asked| asked.view.clone()).collect()
    }

    pub(super) fn start(
        &mut self,
        question: &str,
        choices: &[String],
        multiple: bool,
        viewers: bool,
    ) -> Result<Poll, Refusal> {
        let check = |text: &str| {
            let text = text.trim();
            let fits = !text.is_empty() && text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control);
            if fits { Ok(text.to_owned()) } else { Err(Refusal::BadText) }
        };
        if self.polls.len() >= POLLS_MAX {
            return Err(Refusal::TooManyPolls);
        }
        if !(2..=CHOICES_MAX).contains(&choices.len()) {
            return Err(Refusal::BadText);
        }
        let choice = |text: &String| Ok(Choice { text: check(text)?, votes: 0 });
        let view = Poll {
            id: self.polls.len() as u32 + 1,
            question: check(question)?,
            choices: choices.iter().map(choice).collect::<Result<_, _>>()?,
            multiple,
            viewers,
            open: true,
            voters: 0,
        };
        self.polls.push(Asked { view: view.clone(), votes: BTreeMap::new(), untold: false });
        Ok(view)
    }

    pub(super) fn vote(&mut self, by: ParticipantId, poll: u32, mut choices: Vec<usize>) -> Result<(), Refusal> {
        let asked = self.polls.iter_mut().find(|asked| asked.view.id == poll && asked.view.open);
        let asked = asked.ok_or(Refusal::NoSuchPoll)?;
        choices.sort_unstable();
        choices.dedup();
        let most = if asked.view.multiple { asked.view.choices.len() } else { 1 };
        let exist = choices.last().is_some_and(|last| *last < asked.view.choices.len());
        if !exist || choices.len() > most {
            return Err(Refusal::NoSuchPoll);
        }
        asked.votes.insert(by, choices.iter().fold(0, |chosen, choice| chosen | 1 << choice));
        asked.untold = true;
        Ok(())
    }

    pub(super) fn vote_of_viewer(&mut self, by: ParticipantId, poll: u32, choices: Vec<usize>) -> Result<(), Refusal> {
        let theirs = self.polls.iter().find(|asked| asked.view.id == poll && asked.view.viewers);
        let votes = &theirs.ok_or(Refusal::NoSuchPoll)?.votes;
        if votes.len() >= VOTERS_MAX && !votes.contains_key(&by) {
            return Err(Refusal::TooMany);
        }
        self.vote(by, poll, choices)
    }

    /// None where it was closed before.
    pub(super) fn close(&mut self, poll: u32) -> Result<Option<Poll>, Refusal> {
        let asked = self.polls.iter_mut().find(|asked| asked.view.id == poll).ok_or(Refusal::NoSuchPoll)?;
        asked.count();
        Ok(std::mem::replace(&mut asked.view.open, false).then(|| asked.view.clone()))
    }
}

impl Asked {
    fn count(&mut self) {
        self.untold = false;
        self.view.voters = self.votes.len() as u32;
        for (index, choice) in self.view.choices.iter_mut().enumerate() {
            choice.votes = self.votes.values().filter(|chosen| *chosen & (1 << index) != 0).count() as u32;
        }
    }
}

impl Meeting {
    pub(super) fn tell_votes(&mut self) -> Vec<Effect> {
        let mut changed = Vec::new();
        for asked in self.polls.polls.iter_mut().filter(|asked| asked.untold) {
            asked.count();
            changed.push(asked.view.clone());
        }
        changed.into_iter().map(|poll| self.tell(Event::PollChanged { poll })).collect()
    }
}
