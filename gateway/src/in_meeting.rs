//! A caller in his meeting: what he hears of it, and what his keys do there.

use std::{collections::BTreeSet, sync::Arc};

use conference::{Action, Event, MeetingHandle, Notice, Seat, SeatEvent};
use media::Clip;
use model::{
    DialState, DialView, EndReason, LineTrouble, Participant, ParticipantId, Poll, Refusal, Role, ViaKind, Whisper,
};
use sipconf::{Announce, Keypad, KeypadCommand, Prompt};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};

use crate::{
    end_cause::EndCause,
    line::{Happening, Line, Sayings},
    names::{ANNOUNCED_MAX, Entry, Told},
    seats::Held,
    switchboard::Order,
    transfer::Transfer,
};

/// Names said after the count of people: half a minute of them.
const NAMES_MAX: usize = 15;

/// A question is forgotten so long after its last key: long enough to hear it and to look something up.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Digits of an answer; more are nonsense.
const ANSWER_DIGITS_MAX: usize = 16;

/// What `#3` adds (C14).
const EXTENSION_MIN: u32 = 30;

/// Until the call or the meeting ends, or he leaves; [`EndCause::Moved`] where the line says where he goes.
pub(crate) async fn in_meeting(line: &mut Line, seat: Seat) -> EndCause {
    let house = Arc::clone(&line.house);
    let (meeting, participant) = (seat.handle.id(), seat.participant);
    let held = Held { meeting, participant, resume: seat.resume.clone(), language: line.language };
    let _sitting = house.seats.sit(line.orders.call(), held);
    line.seated = true;
    // From now on he talks for hours, and the others press keys of theirs that he may give back as an echo.
    line.leg.ignore_tones(true);
    // What was said in another meeting is no news in this one.
    line.sayings = Sayings::default();
    let cause = sit(line, seat).await;
    line.seated = false;
    cause
}

async fn sit(line: &mut Line, seat: Seat) -> EndCause {
    let (mut caller, mut events) = Caller::sit_down(seat, line);
    let participant = caller.me;
    let mut said = caller.greet(line).await;
    loop {
        if let Some(words) = said
            && let Err(cause) = line.say(words).await
        {
            return cause;
        }
        if let Some((code, reason)) = caller.transfer.told.take() {
            line.orders.give(Order::Notify(code, reason)).await;
        }
        let forgotten = caller.question.as_ref().map(|question| question.until);
        said = tokio::select! {
            happening = line.next() => match happening {
                Ok(Happening::Digit(key)) => {
                    let words = caller.press(key, line).await;
                    if !words.is_empty() && let Err(cause) = line.say_now(&words).await {
                        return cause;
                    }
                    None
                }
                Ok(Happening::PlayDone(id)) => match line.said(id).await {
                    Ok(()) => None,
                    Err(cause) => return cause,
                },
                Ok(Happening::Held(on)) => {
                    let _ = caller.handle.command(caller.me, Action::OnHold { on }).await;
                    None
                }
                Ok(Happening::Stalled(on)) => {
                    let _ = caller.handle.command(caller.me, Action::Stalled { on }).await;
                    None
                }
                Ok(Happening::Shows(on)) => {
                    let _ = caller.handle.command(caller.me, Action::SendsVideo { on }).await;
                    None
                }
                Ok(Happening::Referred(to)) => {
                    if caller.refer(to, line).await {
                        let _ = caller.handle.command(participant, Action::Leave).await;
                        return EndCause::Moved;
                    }
                    None
                }
                Ok(Happening::Recorded) => None,
                Err(cause) => {
                    // A lost line keeps its seat for a minute. Who hangs up has left; so has, for all that SIP says of it, whom his
                    // carrier has lost.
                    if cause == EndCause::HungUp {
                        let _ = caller.handle.command(participant, Action::HungUp).await;
                    }
                    return cause;
                }
            },
            event = events.recv() => match event {
                Some(SeatEvent::Event { event, .. }) => caller.follow(&event, line),
                Some(SeatEvent::Notice(notice)) => caller.notice(notice).map(|prompt| line.clip(prompt)),
                Some(SeatEvent::Whisper(whisper)) => match *whisper {
                    Whisper::Waiting { people } => {
                        let more = people.len() > std::mem::replace(&mut caller.waiting, people.len());
                        more.then(|| line.clip(Prompt::SomeoneWaiting))
                    }
                    Whisper::Chat { .. }
                    | Whisper::Drawn { .. }
                    | Whisper::WhiteboardLong { .. }
                    | Whisper::ViewerHands { .. } => None,
                },
                Some(SeatEvent::Speaking { .. } | SeatEvent::MediaLost | SeatEvent::Slots(_)) => None,
                Some(SeatEvent::Ended(reason)) => return reason.into(),
                None => return EndReason::Replaced.into(),
            },
            told = caller.entry.told() => match told {
                Some(Told { who, came, name }) if who != caller.me => caller.announcement(came, name, line),
                Some(_) | None => None,
            },
            () = until(forgotten) => {
                caller.question = None;
                None
            }
        };
    }
}

/// What a caller knows of the meeting he is in.
pub(crate) struct Caller {
    pub(crate) me: ParticipantId,
    pub(crate) handle: MeetingHandle,
    /// Himself.
    person: Option<Participant>,
    /// Of those present. All that is known of everybody would be half a megabyte for each caller of a large meeting.
    browsers: BTreeSet<ParticipantId>,
    locked: bool,
    self_unmute: bool,
    recording: bool,
    /// At the door, as hosts know.
    waiting: usize,
    /// The last one that can be answered.
    poll: Option<Poll>,
    keypad: Keypad,
    question: Option<Question>,
    /// The next telephone that is called is called by him.
    dials: bool,
    /// Those that were, until it is known what became of them.
    dialed: BTreeSet<u32>,
    pub(crate) transfer: Transfer,
    entry: Entry,
}

/// What he was asked and answers by digits and `#`.
struct Question {
    about: About,
    digits: String,
    until: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    HostPin,
    Room,
    Vote,
    Dial,
}

impl Caller {
    /// Takes of the seat what is needed for the length of the call, and no more.
    fn sit_down(seat: Seat, line: &mut Line) -> (Self, mpsc::Receiver<SeatEvent>) {
        let Seat { participant, handle, snapshot, events, .. } = seat;
        tracing::info!(%participant, meeting_id = %handle.id(), "caller joined");
        let entered = line.entry.take().filter(|entry| entry.is_of(handle.id(), participant));
        let entry = entered.unwrap_or_else(|| line.house.rolls.enter(handle.id(), participant, line.name.take()));
        let people = &snapshot.participants;
        let caller = Self {
            me: participant,
            handle,
            person: people.iter().find(|person| person.id == participant).cloned(),
            browsers: people.iter().filter(|person| person.via == ViaKind::Web).map(|web| web.id).collect(),
            locked: snapshot.meeting.locked,
            self_unmute: snapshot.meeting.self_unmute,
            recording: snapshot.meeting.recording,
            waiting: snapshot.waiting.len(),
            poll: snapshot.polls.into_iter().rfind(|poll| poll.open),
            keypad: Keypad::new(line.house.keys.clone()),
            question: None,
            dials: false,
            dialed: BTreeSet::new(),
            transfer: Transfer::default(),
            entry,
        };
        (caller, events)
    }

    fn me(&self) -> Option<&Participant> {
        self.person.as_ref()
    }

    /// The first words: that he is in, and what he must know before he speaks.
    async fn greet(&self, line: &mut Line) -> Option<Clip> {
        if line.on_hold() {
            let _ = self.handle.command(self.me, Action::OnHold { on: true }).await;
        }
        let me = self.me()?;
        let on = line.shows();
        // The call this one takes over may have had pictures.
        if on || me.video {
            let _ = self.handle.command(self.me, Action::SendsVideo { on }).await;
        }
        let mut words = vec![if self.handle.people() == 1 { Prompt::OnlyYou } else { Prompt::Joined }];
        if me.role == Role::Host {
            words.push(Prompt::YouAreHost);
        }
        if me.muted {
            words.push(if self.self_unmute { Prompt::JoinedMuted } else { Prompt::MutedByHost });
        }
        if self.recording {
            words.push(Prompt::RecordingOn);
        }
        if me.role.manages() && self.waiting > 0 {
            words.push(Prompt::SomeoneWaiting);
        }
        Some(line.words(&words))
    }

    /// Keeps up with the meeting; what he is to hear of it.
    fn follow(&mut self, event: &Event, line: &Line) -> Option<Clip> {
        match event {
            Event::ParticipantJoined { participant } => {
                // Callers are announced by name, when their own call has come so far.
                let heard = participant.via == ViaKind::Web && participant.id != self.me;
                if heard {
                    self.browsers.insert(participant.id);
                }
                heard.then(|| self.announcement(true, None, line)).flatten()
            }
            Event::ParticipantChanged { participant } => {
                let before = (participant.id == self.me).then(|| self.person.replace(participant.clone())).flatten();
                let before = before?;
                let mut words = Vec::new();
                if before.room != participant.room {
                    words.push(if participant.room.is_some() { Prompt::InBreakout } else { Prompt::InMainRoom });
                }
                // A host has seen it; of his own key he is told at once.
                if before.hand && !participant.hand {
                    words.push(Prompt::HandLowered);
                }
                // What plays on his line was taken for music, or no longer is.
                match (held_back(&before), held_back(participant)) {
                    (false, true) => words.push(Prompt::JoinedMuted),
                    (true, false) if !participant.muted => words.push(Prompt::Unmuted),
                    (true, false) | (true, true) | (false, false) => {}
                }
                (!words.is_empty()).then(|| line.words(&words))
            }
            Event::ParticipantLeft { id, .. } => {
                let words = self.browsers.contains(id).then(|| self.announcement(false, None, line)).flatten();
                self.browsers.remove(id);
                words
            }
            Event::MeetingChanged { meeting } => {
                self.locked = meeting.locked;
                self.self_unmute = meeting.self_unmute;
                let changed = std::mem::replace(&mut self.recording, meeting.recording) != meeting.recording;
                let words = if meeting.recording { Prompt::RecordingOn } else { Prompt::RecordingOff };
                changed.then(|| line.clip(words))
            }
            Event::PollChanged { poll } => {
                let known = self.poll.as_ref().is_some_and(|known| known.id == poll.id);
                if poll.open {
                    self.poll = Some(poll.clone());
                } else if known {
                    self.poll = None;
                }
                (poll.open && !known).then(|| line.clip(Prompt::PollOpen))
            }
            Event::DialChanged { dial } => self.dialed(dial).then(|| line.clip(Prompt::DialFailed)),
            Event::Reacted { .. }
            | Event::Chat { .. }
            | Event::ChatRemoved { .. }
            | Event::QuestionChanged { .. }
            | Event::QuestionRemoved { .. }
            | Event::QuestionVotes { .. }
            | Event::ViewersReacted { .. }
            | Event::BroadcastChanged { .. } => None,
        }
    }

    /// Whether somebody he called doesn't come.
    fn dialed(&mut self, dial: &DialView) -> bool {
        self.transfer.follow(dial);
        if dial.state == DialState::Calling && std::mem::take(&mut self.dials) {
            self.dialed.insert(dial.id);
        }
        dial.state.is_final() && self.dialed.remove(&dial.id) && dial.state != DialState::Joined
    }

    /// Somebody else came or went.
    fn announcement(&self, came: bool, name: Option<Clip>, line: &Line) -> Option<Clip> {
        let disturbs = self.handle.people() > ANNOUNCED_MAX || self.me().is_some_and(|me| me.room.is_some());
        let prompts = &line.house.prompts;
        let tone = || if came { prompts.entry_tone() } else { prompts.exit_tone() };
        match line.house.announce {
            _ if disturbs => None,
            Announce::Nothing => None,
            Announce::Tones => Some(tone()),
            Announce::Names => {
                let words = line.clip(if came { Prompt::CameIn } else { Prompt::Went });
                Some(name.map_or_else(tone, |name| sipconf::join(&[name, words])))
            }
        }
    }

    fn notice(&self, notice: Notice) -> Option<Prompt> {
        match notice {
            Notice::Muted => Some(Prompt::MutedByHost),
            Notice::Unmuted | Notice::AskedToUnmute => Some(Prompt::UnmutedByHost),
            Notice::MadeHost => Some(Prompt::YouAreHost),
            Notice::MadeCoHost => Some(Prompt::YouAreCoHost),
            Notice::EndsSoon => Some(Prompt::EndsSoon),
            Notice::EndsIn5 => Some(Prompt::EndsIn5),
            Notice::DoorClosed => Some(Prompt::DoorClosed),
            Notice::CameraStopped
            | Notice::AskedToShow
            | Notice::ShareStopped
            | Notice::NoRoomOnAir
            | Notice::StudioFailed
            | Notice::RecordingFull
            | Notice::RecordingFailed
            | Notice::VideoNotOnAir
            | Notice::SomeVideoNotOnAir => None,
        }
    }

    /// A key of an answer or of a command, and what is said to it.
    async fn press(&mut self, key: char, line: &mut Line) -> Vec<Clip> {
        match &mut self.question {
            Some(question) if key.is_ascii_digit() => {
                question.until = Instant::now() + ANSWER_WITHIN;
                if question.digits.len() < ANSWER_DIGITS_MAX {
                    question.digits.push(key);
                }
                if question.digits.len() == 1 {
                    line.hush();
                }
                return Vec::new();
            }
            Some(_) => {
                let question = self.question.take().expect("it was there a line ago");
                if key == '#' {
                    return vec![line.clip(self.answered(&question, line).await)];
                }
                // A star is the beginning of a command: he has thought better of it.
            }
            None => {}
        }
        match self.keypad.press(key, std::time::Instant::now()) {
            Some(command) => self.obey(command, line).await,
            None => Vec::new(),
        }
    }

    /// Does what the keys mean; what became of it.
    async fn obey(&mut self, command: KeypadCommand, line: &mut Line) -> Vec<Clip> {
        let Some(me) = self.me() else { return Vec::new() };
        let (participant, manages) = (me.id, me.role.manages());
        let say = |words: &[Prompt]| words.iter().map(|prompt| line.clip(*prompt)).collect();
        let (action, done) = match command {
            KeypadCommand::ToggleMute if me.muted || held_back(me) => {
                (Action::Unmute { participant }, Some(Prompt::Unmuted))
            }
            KeypadCommand::ToggleMute => (Action::Mute { participant }, Some(Prompt::Muted)),
            KeypadCommand::ToggleHand if me.hand => (Action::Hand { up: false }, Some(Prompt::HandLowered)),
            KeypadCommand::ToggleHand => (Action::Hand { up: true }, Some(Prompt::HandRaised)),
            KeypadCommand::WhoIsHere => {
                let mut words: Vec<Clip> = say(&[Prompt::people(self.handle.people())]);
                words.extend(line.house.rolls.names(self.handle.id(), NAMES_MAX));
                return words;
            }
            KeypadCommand::Louder | KeypadCommand::Softer => {
                line.turn(command == KeypadCommand::Louder);
                return Vec::new();
            }
            KeypadCommand::OtherLayout if !line.sees() => return Vec::new(),
            // It is seen that it was done.
            KeypadCommand::OtherLayout => (Action::OtherRoomLayout, None),
            KeypadCommand::Help if manages => {
                return say(&[Prompt::HelpHost, Prompt::HelpHostMore, Prompt::Help, Prompt::HelpMore]);
            }
            KeypadCommand::Help => return say(&[Prompt::Help, Prompt::HelpMore]),
            KeypadCommand::ClaimHost if me.role == Role::Host => return say(&[Prompt::YouAreHost]),
            KeypadCommand::ClaimHost => return self.ask(About::HostPin, line),
            KeypadCommand::ChooseRoom => return self.ask(About::Room, line),
            KeypadCommand::Vote if self.poll.is_none() => return say(&[Prompt::NoPoll]),
            KeypadCommand::Vote => return self.ask(About::Vote, line),
            KeypadCommand::Dial if !manages => return say(&[Prompt::HostOnly]),
            KeypadCommand::Dial => return self.ask(About::Dial, line),
            KeypadCommand::ToggleMuteAll if self.self_unmute => {
                (Action::MuteAll { self_unmute: false }, Some(Prompt::AllMuted))
            }
            KeypadCommand::ToggleMuteAll => {
                // What *5 forbade it allows again; who may not do that may not do what follows either.
                self.handle.command(participant, Action::AllowSelfUnmute { on: true }).await.ok();
                (Action::UnmuteAll, Some(Prompt::AllUnmuted))
            }
            KeypadCommand::ToggleLock if self.locked => (Action::Lock { on: false }, Some(Prompt::MeetingUnlocked)),
            KeypadCommand::ToggleLock => (Action::Lock { on: true }, Some(Prompt::MeetingLocked)),
            KeypadCommand::AdmitAll => (Action::AdmitAll, Some(Prompt::AllAdmitted)),
            KeypadCommand::Extend => (Action::Extend { minutes: EXTENSION_MIN }, Some(Prompt::Extended)),
            KeypadCommand::AskEnd if me.role == Role::Host => return say(&[Prompt::ConfirmEnd]),
            KeypadCommand::AskEnd => return say(&[Prompt::HostOnly]),
            // The meeting's end has words of its own.
            KeypadCommand::End => (Action::End, None),
        };
        let is_extension = matches!(action, Action::Extend { .. }) && me.role == Role::Host;
        match self.handle.command(participant, action).await {
            Ok(()) => {
                // Of what he did himself he is told now, and not again by the meeting's news.
                if let Some(me) = &mut self.person {
                    me.line_trouble = me.line_trouble.filter(|_| command != KeypadCommand::ToggleMute);
                    me.hand ^= command == KeypadCommand::ToggleHand;
                }
                done.into_iter().map(|prompt| line.clip(prompt)).collect()
            }
            Err(Refusal::NoSelfUnmute) => say(&[Prompt::CannotUnmute]),
            Err(_) if is_extension => say(&[Prompt::CannotExtend]),
            Err(Refusal::NotAllowed) => say(&[Prompt::HostOnly]),
            Err(_) => say(&[Prompt::Failed]),
        }
    }

    fn ask(&mut self, about: About, line: &Line) -> Vec<Clip> {
        self.question = Some(Question { about, digits: String::new(), until: Instant::now() + ANSWER_WITHIN });
        let words = match about {
            About::HostPin => Prompt::EnterPin,
            About::Room => Prompt::EnterRoom,
            About::Vote => Prompt::EnterVote,
            About::Dial => Prompt::EnterDial,
        };
        vec![line.clip(words)]
    }

    async fn answered(&mut self, question: &Question, line: &Line) -> Prompt {
        if question.digits.is_empty() {
            return Prompt::NothingEntered;
        }
        let digits = &question.digits;
        let (action, done, refused) = match question.about {
            About::HostPin => {
                let conference = &line.house.conference;
                return match conference.claim_by_pin(&self.handle, self.me, digits).await {
                    // The words that he is host come as a notice too.
                    Ok(false) => Prompt::YouAreHost,
                    Ok(true) => Prompt::Joined,
                    Err(Refusal::Failed) => Prompt::Failed,
                    Err(_) => {
                        line.note_wrong();
                        Prompt::WrongPin
                    }
                };
            }
            About::Room => {
                let Ok(number) = digits.parse::<u32>() else { return Prompt::NoSuchRoom };
                let room = (number > 0).then_some(number);
                let done = if room.is_some() { Prompt::InBreakout } else { Prompt::InMainRoom };
                (Action::MoveTo { participant: self.me, room }, done, Prompt::NoSuchRoom)
            }
            About::Vote => {
                let Some(poll) = &self.poll else { return Prompt::NoPoll };
                (Action::Vote { poll: poll.id, choices: choices(digits) }, Prompt::Voted, Prompt::NoPoll)
            }
            About::Dial => {
                self.dials = true;
                (Action::Dial { number: digits.clone(), name: None }, Prompt::Dialing, Prompt::CannotDial)
            }
        };
        match self.handle.command(self.me, action).await {
            Ok(()) => done,
            Err(Refusal::Failed) => Prompt::Failed,
            Err(_) => {
                self.dials = false;
                refused
            }
        }
    }
}

/// His sound is taken for music and reaches nobody.
fn held_back(person: &Participant) -> bool {
    person.line_trouble == Some(LineTrouble::Music)
}

/// Each digit is an answer, counted from one; the tenth is zero, as on the keys.
fn choices(digits: &str) -> Vec<usize> {
    let number = |digit: u32| if digit == 0 { 9 } else { digit as usize - 1 };
    let mut choices: Vec<usize> = digits.chars().filter_map(|digit| digit.to_digit(10)).map(number).collect();
    choices.sort_unstable();
    choices.dedup();
    choices
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P4
    #[test]
    fn every_digit_is_an_answer() {
        assert_eq!(choices("1"), [0]);
        assert_eq!(choices("310"), [0, 2, 9]);
        assert_eq!(choices("22"), [1]);
    }
}
