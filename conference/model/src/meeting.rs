//! A live meeting: commands and time in, effects out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, BroadcastId, MeetingId, MeetingNumber, Participant, ParticipantId, PhoneNumber, Role, Via, ViaKind,
    check_name, tries::Tries,
};

/// How long a lost participant's seat is kept (J6).
const SEAT_KEPT: Duration = Duration::from_secs(60);

/// What was agreed on when the meeting was booked.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Its identity.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Six digits, where there is one.
    pub password: Option<String>,
    /// Who booked it: the host whenever he is in.
    pub owner: AccountId,
    /// The most participants at once (方数).
    pub capacity: usize,
}

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Join {
    /// The seat he gets unless he has one already.
    pub participant: ParticipantId,
    /// What he calls himself; callers have none.
    pub name: Option<String>,
    /// What he comes by.
    pub via: Via,
    /// Who he is, where he is logged in.
    pub account: Option<AccountId>,
    /// What he keyed in.
    pub password: Option<String>,
    /// The seat whose secret he has.
    pub resume: Option<ParticipantId>,
    /// Where he comes from.
    pub source: IpAddr,
}

/// What can be asked of a meeting.
#[derive(Debug, Clone)]
pub enum Command {
    /// To come in.
    Join(Join),
    /// A participant does something.
    Act {
        /// Who.
        by: ParticipantId,
        /// What.
        action: Action,
    },
    /// A participant's connection is lost.
    Lost(ParticipantId),
    /// What became of the broadcast.
    Broadcast(BroadcastId, Option<BroadcastState>),
    /// Time has passed.
    Tick,
    /// The server stops.
    Stop,
}

/// What participants do, as the client protocol has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// C7, or oneself.
    Mute {
        /// Whom.
        participant: ParticipantId,
    },
    /// C8, or oneself.
    Unmute {
        /// Whom.
        participant: ParticipantId,
    },
    /// C9.
    MuteAll {
        /// Whether they may unmute themselves.
        self_unmute: bool,
    },
    /// C10.
    UnmuteAll,
    /// C18.
    Camera {
        /// Shown.
        on: bool,
    },
    /// C20.
    Screen {
        /// Shared.
        on: bool,
    },
    /// C6.
    Remove {
        /// Whom.
        participant: ParticipantId,
    },
    /// C5.
    Rename {
        /// Whom.
        participant: ParticipantId,
        /// To what.
        name: String,
    },
    /// C4.
    MakeHost {
        /// Whom.
        participant: ParticipantId,
    },
    /// C17.
    Hand {
        /// Up.
        up: bool,
    },
    /// C13.
    Lock {
        /// Locked.
        on: bool,
    },
    /// B1.
    StartBroadcast,
    /// B1.
    StopBroadcast,
    /// C24.
    Leave,
    /// C16.
    End,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none with this number or id.
    #[error("there is no such meeting")]
    NoSuchMeeting,
    /// It has a password and none was given.
    #[error("this meeting has a password")]
    PasswordNeeded,
    /// Another one was given.
    #[error("the password is wrong")]
    WrongPassword,
    /// Too many wrong ones.
    #[error("too many wrong passwords")]
    TooManyTries,
    /// All seats are taken (J4).
    #[error("the meeting is full")]
    Full,
    /// The host locked it.
    #[error("the meeting is locked")]
    Locked,
    /// The host removed him (C6).
    #[error("the host has removed you")]
    Removed,
    /// The name is empty, too long or has strange characters.
    #[error("the name is not allowed")]
    BadName,
    /// He may not.
    #[error("you may not do that")]
    NotAllowed,
    /// Nobody has that seat.
    #[error("there is no such participant")]
    NoSuchParticipant,
    /// The server is about to stop.
    #[error("the server is stopping")]
    Draining,
    /// Something of ours broke.
    #[error("something failed on the server")]
    Failed,
}

/// What is to be carried out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Whoever asked to come in has this seat; `again` when he had it before.
    Seated {
        /// His seat.
        participant: ParticipantId,
        /// It was kept for him.
        again: bool,
    },
    /// Tell all, with its number.
    Tell(u64, Event),
    /// Tell one.
    Notify(ParticipantId, Notice),
    /// His sound counts, or doesn't.
    SetMuted(ParticipantId, bool),
    /// Take his seat away.
    Dismiss(ParticipantId, EndReason),
    /// Begin a livestream.
    StartBroadcast(BroadcastId),
    /// End it.
    StopBroadcast,
    /// Nothing more follows.
    Close,
}

/// What all are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Somebody came.
    ParticipantJoined {
        /// Who.
        participant: Participant,
    },
    /// Somebody is not as before.
    ParticipantChanged {
        /// As he is now.
        participant: Participant,
    },
    /// Somebody went.
    ParticipantLeft {
        /// Who.
        id: ParticipantId,
        /// How.
        reason: LeaveReason,
    },
    /// The meeting is not as before.
    MeetingChanged {
        /// As it is now.
        meeting: MeetingView,
    },
    /// The livestream is not as before.
    BroadcastChanged {
        /// As it is now.
        broadcast: Option<BroadcastView>,
    },
}

/// How somebody went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// By himself.
    Left,
    /// By the host.
    Removed,
    /// His network did not come back.
    Lost,
}

/// Why a participant's session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// C6.
    Removed,
    /// C16.
    MeetingEnded,
    /// C24.
    Left,
    /// He has the seat again from elsewhere.
    Replaced,
    /// The server stops.
    ServerStopping,
    /// He does not take what he is told.
    TooSlow,
}

/// What one participant is told alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The host muted him.
    Muted,
    /// The host unmuted him.
    Unmuted,
    /// The host asks him to unmute himself.
    AskedToUnmute,
}

/// A meeting as its participants see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeetingView {
    /// Its identity.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Nobody else gets in.
    pub locked: bool,
    /// Members may unmute themselves.
    pub self_unmute: bool,
}

/// A livestream as participants see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BroadcastView {
    /// Its identity.
    pub id: BroadcastId,
    /// How it does.
    pub state: BroadcastState,
    /// The watch page, from the server's root.
    pub watch: String,
}

/// How a livestream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastState {
    /// The first picture is being made.
    Starting,
    /// It can be watched.
    Live,
    /// Its studio broke and is begun anew.
    Restarting,
}

/// All there is to know when one comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The meeting.
    pub meeting: MeetingView,
    /// Events after this number are not in it.
    pub seq: u64,
    /// Everyone, in order of coming.
    pub participants: Vec<Participant>,
    /// The livestream.
    pub broadcast: Option<BroadcastView>,
}

/// One live meeting.
#[derive(Debug)]
pub struct Meeting {
    rules: Rules,
    view: MeetingView,
    seats: BTreeMap<ParticipantId, Seat>,
    seats_ever: u64,
    seq: u64,
    broadcast: Option<BroadcastView>,
    tries: Tries,
    banned: BTreeSet<Ban>,
    closed: bool,
}

#[derive(Debug)]
struct Seat {
    person: Participant,
    order: u64,
    account: Option<AccountId>,
    number: Option<PhoneNumber>,
    source: IpAddr,
    lost_at: Option<Duration>,
}

/// Who can't come back: by account, by telephone number, or by name and address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Ban {
    Account(AccountId),
    Number(String),
    Guest(IpAddr, String),
}

type Outcome = Result<Vec<Effect>, Refusal>;

impl Meeting {
    /// One that nobody is in yet.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let view = MeetingView {
            id: rules.id,
            number: rules.number,
            title: rules.title.clone(),
            locked: false,
            self_unmute: true,
        };
        Self {
            rules,
            view,
            seats: BTreeMap::new(),
            seats_ever: 0,
            seq: 0,
            broadcast: None,
            tries: Tries::default(),
            banned: BTreeSet::new(),
            closed: false,
        }
    }

    /// Decides. `now` is the time since the meeting began; it never goes back.
    pub fn handle(&mut self, command: Command, now: Duration) -> Outcome {
        if self.closed {
            return Err(Refusal::NoSuchMeeting);
        }
        match command {
            Command::Join(join) => self.join(join, now),
            Command::Act { by, action } => self.act(by, action),
            Command::Lost(participant) => Ok(self.lost(participant, now)),
            Command::Broadcast(id, state) => Ok(self.broadcast_is(id, state)),
            Command::Tick => Ok(self.tick(now)),
            Command::Stop => Ok(self.close(EndReason::ServerStopping)),
        }
    }

    /// The whole state, for somebody who comes in.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut seats: Vec<&Seat> = self.seats.values().collect();
        seats.sort_by_key(|seat| seat.order);
        Snapshot {
            meeting: self.view.clone(),
            seq: self.seq,
            participants: seats.into_iter().map(|seat| seat.person.clone()).collect(),
            broadcast: self.broadcast.clone(),
        }
    }

    /// One participant.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.seats.get(&id).map(|seat| &seat.person)
    }

    /// Nobody has a seat.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    fn join(&mut self, join: Join, now: Duration) -> Outcome {
        let name = match (&join.name, &join.via) {
            (Some(name), _) => check_name(name).map_err(|_| Refusal::BadName)?,
            (None, Via::Phone(number)) => number.masked(),
            (None, Via::Web) => return Err(Refusal::BadName),
        };
        if bans(&join, &name).iter().any(|ban| self.banned.contains(ban)) {
            return Err(Refusal::Removed);
        }
        if let Some(participant) = self.kept_seat(&join) {
            return Ok(self.sit_down_again(participant));
        }
        let is_owner = join.account == Some(self.rules.owner);
        if let Some(password) = self.rules.password.as_ref().filter(|_| !is_owner) {
            let given = join.password.as_ref().ok_or(Refusal::PasswordNeeded)?;
            if !self.tries.is_open(join.source, now) {
                return Err(Refusal::TooManyTries);
            }
            if given != password {
                self.tries.note_wrong(join.source, now);
                return Err(Refusal::WrongPassword);
            }
        }
        if self.seats.contains_key(&join.participant) {
            // Seats are named by whoever calls this, each once.
            return Err(Refusal::Failed);
        }
        if self.view.locked && !is_owner {
            return Err(Refusal::Locked);
        }
        if self.seats.len() >= self.rules.capacity {
            return Err(Refusal::Full);
        }
        Ok(self.sit_down(join, name, is_owner))
    }

    /// The seat that was kept for him: by its secret, or for a caller by his number.
    fn kept_seat(&self, join: &Join) -> Option<ParticipantId> {
        if let Some(resume) = join.resume {
            return self.seats.contains_key(&resume).then_some(resume);
        }
        let Via::Phone(number) = &join.via else { return None };
        let of_number = |seat: &Seat| seat.lost_at.is_some() && seat.number.as_ref() == Some(number);
        self.seats.iter().find(|(_, seat)| of_number(seat)).map(|(id, _)| *id)
    }

    fn sit_down_again(&mut self, participant: ParticipantId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(seat) = self.seats.get_mut(&participant) else { return effects };
        seat.lost_at = None;
        let changed = !std::mem::replace(&mut seat.person.connected, true);
        effects.push(Effect::Seated { participant, again: true });
        effects.push(Effect::SetMuted(participant, self.is_muted(participant)));
        if changed {
            effects.push(self.tell_changed(participant));
        }
        effects
    }

    fn sit_down(&mut self, join: Join, name: String, is_owner: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        if is_owner {
            // Whoever stood in for him is a member again.
            for host in self.hosts() {
                effects.extend(self.set_role(host, Role::Member));
            }
        }
        let number = match join.via {
            Via::Web => None,
            Via::Phone(number) => Some(number),
        };
        let person = Participant {
            id: join.participant,
            name,
            role: if is_owner { Role::Host } else { Role::Member },
            via: if number.is_some() { ViaKind::Phone } else { ViaKind::Web },
            number: number.as_ref().map(PhoneNumber::masked),
            muted: !self.view.self_unmute && !is_owner,
            camera: false,
            screen: false,
            hand: false,
            connected: true,
        };
        self.seats_ever += 1;
        let (order, account, source) = (self.seats_ever, join.account, join.source);
        let seat = Seat { person: person.clone(), order, account, number, source, lost_at: None };
        self.seats.insert(join.participant, seat);
        effects.push(Effect::Seated { participant: join.participant, again: false });
        effects.push(Effect::SetMuted(join.participant, person.muted));
        effects.push(self.tell(Event::ParticipantJoined { participant: person }));
        effects
    }

    fn act(&mut self, by: ParticipantId, action: Action) -> Outcome {
        let actor = &self.seats.get(&by).ok_or(Refusal::NoSuchParticipant)?.person;
        let is_host = actor.role == Role::Host;
        let host = || if is_host { Ok(()) } else { Err(Refusal::NotAllowed) };
        let host_or_self = |whom: ParticipantId| if whom == by { Ok(()) } else { host() };
        match action {
            Action::Mute { participant } => {
                host_or_self(participant)?;
                self.exists(participant)?;
                Ok(self.set_muted(participant, true, by != participant))
            }
            Action::Unmute { participant } if participant == by => {
                if !is_host && !self.view.self_unmute {
                    return Err(Refusal::NotAllowed);
                }
                Ok(self.set_muted(by, false, false))
            }
            Action::Unmute { participant } => {
                host()?;
                self.exists(participant)?;
                Ok(self.open(participant))
            }
            Action::MuteAll { self_unmute } => {
                host()?;
                Ok(self.mute_all(self_unmute))
            }
            Action::UnmuteAll => {
                host()?;
                let mut effects = self.set_self_unmute(true);
                for id in self.all() {
                    effects.extend(self.open(id));
                }
                Ok(effects)
            }
            Action::Camera { on } => Ok(self.change(by, |person| person.camera = on)),
            Action::Screen { on } => Ok(self.change(by, |person| person.screen = on)),
            Action::Hand { up } => Ok(self.change(by, |person| person.hand = up)),
            Action::Rename { participant, name } => {
                host_or_self(participant)?;
                self.exists(participant)?;
                let name = check_name(&name).map_err(|_| Refusal::BadName)?;
                Ok(self.change(participant, |person| person.name = name))
            }
            Action::Remove { participant } => {
                host()?;
                self.exists(participant)?;
                if participant == by {
                    return Err(Refusal::NotAllowed);
                }
                Ok(self.remove(participant))
            }
            Action::MakeHost { participant } => {
                host()?;
                let heir = self.exists(participant)?;
                if heir.via == ViaKind::Phone {
                    return Err(Refusal::NotAllowed);
                }
                let mut effects = self.set_role(participant, Role::Host);
                if participant != by {
                    effects.extend(self.set_role(by, Role::Member));
                }
                Ok(effects)
            }
            Action::Lock { on } => {
                host()?;
                self.view.locked = on;
                Ok(vec![self.tell_meeting()])
            }
            Action::StartBroadcast => {
                host()?;
                Ok(self.start_broadcast())
            }
            Action::StopBroadcast => {
                host()?;
                let running = self.broadcast.take().is_some();
                let stop =
                    running.then(|| [Effect::StopBroadcast, self.tell(Event::BroadcastChanged { broadcast: None })]);
                Ok(stop.into_iter().flatten().collect())
            }
            Action::Leave => Ok(self.leave(by, LeaveReason::Left)),
            Action::End => {
                host()?;
                Ok(self.close(EndReason::MeetingEnded))
            }
        }
    }

    fn lost(&mut self, participant: ParticipantId, now: Duration) -> Vec<Effect> {
        let Some(seat) = self.seats.get_mut(&participant).filter(|seat| seat.lost_at.is_none()) else {
            return Vec::new();
        };
        seat.lost_at = Some(now);
        self.change(participant, |person| {
            person.connected = false;
            person.camera = false;
            person.screen = false;
        })
    }

    fn tick(&mut self, now: Duration) -> Vec<Effect> {
        let is_over = |seat: &Seat| seat.lost_at.is_some_and(|at| now.saturating_sub(at) >= SEAT_KEPT);
        let gone: Vec<_> = self.seats.iter().filter(|(_, seat)| is_over(seat)).map(|(id, _)| *id).collect();
        gone.into_iter().flat_map(|id| self.leave(id, LeaveReason::Lost)).collect()
    }

    fn leave(&mut self, id: ParticipantId, reason: LeaveReason) -> Vec<Effect> {
        let Some(seat) = self.seats.remove(&id) else { return Vec::new() };
        let end = if reason == LeaveReason::Removed { EndReason::Removed } else { EndReason::Left };
        let mut effects = vec![Effect::Dismiss(id, end), self.tell(Event::ParticipantLeft { id, reason })];
        if seat.person.role == Role::Host && self.hosts().is_empty() {
            // C16: who has an account before who hasn't, who came first before who came later.
            let mut heirs: Vec<&Seat> =
                self.seats.values().filter(|seat| seat.person.via == ViaKind::Web && seat.lost_at.is_none()).collect();
            heirs.sort_by_key(|seat| (seat.account.is_none(), seat.order));
            if let Some(heir) = heirs.first().map(|seat| seat.person.id) {
                effects.extend(self.set_role(heir, Role::Host));
            }
        }
        effects
    }

    fn remove(&mut self, id: ParticipantId) -> Vec<Effect> {
        if let Some(seat) = self.seats.get(&id) {
            self.banned.extend(match (&seat.number, seat.account) {
                (Some(number), _) => Some(Ban::Number(number.reveal().to_owned())),
                (None, Some(account)) => Some(Ban::Account(account)),
                (None, None) => Some(Ban::Guest(seat.source, seat.person.name.clone())),
            });
        }
        self.leave(id, LeaveReason::Removed)
    }

    fn close(&mut self, reason: EndReason) -> Vec<Effect> {
        self.closed = true;
        let mut effects: Vec<_> = self.all().into_iter().map(|id| Effect::Dismiss(id, reason)).collect();
        self.seats.clear();
        if self.broadcast.take().is_some() {
            effects.push(Effect::StopBroadcast);
        }
        effects.push(Effect::Close);
        effects
    }

    /// C8: a telephone is opened, a browser is asked.
    fn open(&mut self, id: ParticipantId) -> Vec<Effect> {
        let Some(seat) = self.seats.get(&id) else { return Vec::new() };
        match (seat.person.muted, seat.person.via) {
            (false, _) => Vec::new(),
            (true, ViaKind::Phone) => self.set_muted(id, false, true),
            (true, ViaKind::Web) => vec![Effect::Notify(id, Notice::AskedToUnmute)],
        }
    }

    fn mute_all(&mut self, self_unmute: bool) -> Vec<Effect> {
        let mut effects = self.set_self_unmute(self_unmute);
        for id in self.all() {
            if self.seats.get(&id).is_some_and(|seat| seat.person.role == Role::Member) {
                effects.extend(self.set_muted(id, true, true));
            }
        }
        effects
    }

    fn set_self_unmute(&mut self, allowed: bool) -> Vec<Effect> {
        if std::mem::replace(&mut self.view.self_unmute, allowed) == allowed {
            return Vec::new();
        }
        vec![self.tell_meeting()]
    }

    fn set_muted(&mut self, id: ParticipantId, muted: bool, by_host: bool) -> Vec<Effect> {
        if self.is_muted(id) == muted {
            return Vec::new();
        }
        let mut effects = vec![Effect::SetMuted(id, muted)];
        effects.extend(self.change(id, |person| person.muted = muted));
        if by_host {
            effects.push(Effect::Notify(id, if muted { Notice::Muted } else { Notice::Unmuted }));
        }
        effects
    }

    fn set_role(&mut self, id: ParticipantId, role: Role) -> Vec<Effect> {
        self.change(id, |person| person.role = role)
    }

    fn start_broadcast(&mut self) -> Vec<Effect> {
        if self.broadcast.is_some() {
            return Vec::new();
        }
        // One livestream at a time: its id is the meeting's, so that its watch address can be known before it starts.
        let id = BroadcastId::new(self.rules.id.uuid());
        let view = BroadcastView { id, state: BroadcastState::Starting, watch: format!("/watch/{id}") };
        self.broadcast = Some(view.clone());
        vec![Effect::StartBroadcast(id), self.tell(Event::BroadcastChanged { broadcast: Some(view) })]
    }

    fn broadcast_is(&mut self, id: BroadcastId, state: Option<BroadcastState>) -> Vec<Effect> {
        let Some(view) = self.broadcast.as_mut().filter(|view| view.id == id) else { return Vec::new() };
        match state {
            Some(state) if state == view.state => return Vec::new(),
            Some(state) => view.state = state,
            None => self.broadcast = None,
        }
        let broadcast = self.broadcast.clone();
        vec![self.tell(Event::BroadcastChanged { broadcast })]
    }

    fn change(&mut self, id: ParticipantId, change: impl FnOnce(&mut Participant)) -> Vec<Effect> {
        let Some(seat) = self.seats.get_mut(&id) else { return Vec::new() };
        let before = seat.person.clone();
        change(&mut seat.person);
        if seat.person == before { Vec::new() } else { vec![self.tell_changed(id)] }
    }

    fn tell_changed(&mut self, id: ParticipantId) -> Effect {
        let participant = self.seats.get(&id).expect("only called for a seat that is there").person.clone();
        self.tell(Event::ParticipantChanged { participant })
    }

    fn tell_meeting(&mut self) -> Effect {
        self.tell(Event::MeetingChanged { meeting: self.view.clone() })
    }

    fn tell(&mut self, event: Event) -> Effect {
        self.seq += 1;
        Effect::Tell(self.seq, event)
    }

    fn exists(&self, id: ParticipantId) -> Result<&Participant, Refusal> {
        self.participant(id).ok_or(Refusal::NoSuchParticipant)
    }

    fn is_muted(&self, id: ParticipantId) -> bool {
        self.participant(id).is_some_and(|person| person.muted)
    }

    fn hosts(&self) -> Vec<ParticipantId> {
        self.seats.values().filter(|seat| seat.person.role == Role::Host).map(|seat| seat.person.id).collect()
    }

    fn all(&self) -> Vec<ParticipantId> {
        self.seats.keys().copied().collect()
    }
}

fn bans(join: &Join, name: &str) -> Vec<Ban> {
    let number = match &join.via {
        Via::Web => None,
        Via::Phone(number) => Some(Ban::Number(number.reveal().to_owned())),
    };
    let guest = (number.is_none() && join.account.is_none()).then(|| Ban::Guest(join.source, name.to_owned()));
    number.or(guest).into_iter().chain(join.account.map(Ban::Account)).collect()
}

#[cfg(test)]
mod tests;
