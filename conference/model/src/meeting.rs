//! A live meeting: commands and time in, effects out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use crate::{
    AccountId, Action, BroadcastId, BroadcastState, BroadcastView, Command, DialState, Effect, EndReason, Event, Join,
    Layout, LeaveReason, LineTrouble, MeetingView, Notice, Participant, ParticipantId, PhoneNumber, Refusal, Role,
    Rules, Snapshot, Via, ViaKind, ViewersMay, Vouched, check_name, network_of,
    tries::{Source, Tries},
};

mod act;
mod breakouts;
mod callers;
mod chat;
mod clock;
mod dials;
mod lobby;
mod polls;
mod pushes;
mod rebooked;
mod room_systems;
mod showing;
mod viewers;

/// How long a lost participant's seat is kept (J6).
const SEAT_KEPT: Duration = Duration::from_secs(60);

/// How long that of somebody is whose page is gone. Less, and whoever loads it anew over a slow line finds his seat, and as a host his
/// role, with somebody else; more, and a closed page stands among the others for as long.
const RELOAD: Duration = Duration::from_secs(15);

/// One live meeting.
#[derive(Debug)]
pub struct Meeting {
    rules: Rules,
    view: MeetingView,
    seats: BTreeMap<ParticipantId, Seat>,
    seats_ever: u64,
    seq: u64,
    broadcast: Option<BroadcastView>,
    /// What was chosen last: for a recording, and for the next livestream.
    layout: Layout,
    /// Another one of room systems, once one of them has chosen.
    room_layout: Option<Layout>,
    /// Targets it was pushed to in its life.
    pushes_ever: u32,
    tries: Tries,
    banned: BTreeSet<Ban>,
    lobby: lobby::Lobby,
    callers: callers::Callers,
    chat: chat::Chat,
    polls: polls::Polls,
    viewers: viewers::Viewers,
    dials: dials::Dials,
    clock: clock::Clock,
    /// The host has been here.
    started: bool,
    /// The host left and only callers stayed: the role waits for the next browser.
    adrift: bool,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Seat {
    person: Participant,
    order: u64,
    account: Option<AccountId>,
    via: Via,
    source: IpAddr,
    vouched: Vouched,
    /// The viewer he was until he was called up.
    viewer: Option<ParticipantId>,
    absent: Option<Absent>,
    /// Nothing comes from his telephone.
    stalled: bool,
    /// Pictures that his telephone sends are shown.
    is_seen: bool,
    /// The host asked him to unmute himself: he may, whatever `self_unmute` says.
    asked: bool,
}

/// Somebody who may come back to his seat.
#[derive(Debug, Clone, Copy)]
struct Absent {
    /// Until then.
    until: Duration,
    /// What the others are told after that.
    then: LeaveReason,
}

/// Who can't come back: by the secret of his seat or by what he was known by as a viewer, and by account, telephone number, or name and network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Ban {
    Seat(ParticipantId),
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
            capacity: rules.capacity,
            ends_ms: rules.until_ms,
            scalable: rules.scalable,
            livestream: rules.livestream,
            dial_out: rules.dial_out,
            host_video: rules.options.host_video,
            participant_video: rules.options.participant_video,
            locked: false,
            share_locked: false,
            waiting_room: rules.options.waiting_room,
            mute_on_entry: rules.options.mute_on_entry,
            spotlight: None,
            shown: None,
            breakouts: 0,
            breakouts_end_ms: None,
            self_unmute: true,
            recording: false,
            viewers_may: ViewersMay::default(),
        };
        Self {
            rules,
            view,
            seats: BTreeMap::new(),
            seats_ever: 0,
            seq: 0,
            broadcast: None,
            layout: Layout::default(),
            room_layout: None,
            pushes_ever: 0,
            tries: Tries::default(),
            banned: BTreeSet::new(),
            lobby: lobby::Lobby::default(),
            callers: callers::Callers::default(),
            chat: chat::Chat::default(),
            polls: polls::Polls::default(),
            viewers: viewers::Viewers::default(),
            dials: dials::Dials::default(),
            clock: clock::Clock::default(),
            started: false,
            adrift: false,
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
            Command::Act { by, action, livestream } => self.act(by, action, livestream, now),
            Command::GaveUp(participant) => Ok(self.gave_up(participant)),
            Command::Extended(until_ms) => Ok(self.change_meeting(|meeting| meeting.ends_ms = Some(until_ms))),
            Command::Enlarged(capacity) => Ok(self.change_meeting(|meeting| meeting.capacity = capacity)),
            Command::Lost(participant) => Ok(self.lost(participant, now)),
            Command::Broadcast(id, state) => Ok(self.broadcast_is(id, state)),
            Command::Viewer(who, action) => self.viewer(who, action, now),
            Command::ComeUp(join) => self.come_up(join, now),
            Command::Pushed(id, state) => Ok(self.pushed(id, state)),
            Command::Dialed(dial, state) => Ok(self.dialed(dial, state)),
            Command::Rebooked(terms) => Ok(self.rebooked(terms)),
            Command::Cancelled => Ok(self.close(EndReason::MeetingEnded)),
            Command::HostPin(owner, pin) => {
                if owner == self.rules.owner {
                    self.rules.host_pin = Some(pin);
                }
                Ok(Vec::new())
            }
            Command::Known { by, account, name, avatar } => self.known(by, account, name, avatar, now),
            Command::Profile { account, before, name, avatar } => Ok(self.profile(account, &before, &name, &avatar)),
            Command::Line(id, trouble) => Ok(self.change(id, |person| person.line_trouble = trouble)),
            Command::Network(id, poor) => Ok(self.change(id, |person| person.network_poor = poor)),
            Command::RecordingFailed => Ok(self.change_meeting(|meeting| meeting.recording = false)),
            Command::TellManagers(notice) => Ok(self.tell_managers(notice)),
            Command::NotOnAir(whose) => Ok(self.not_on_air(whose)),
            Command::Tick => Ok(self.tick(now)),
            Command::Stop => Ok(self.close(EndReason::ServerStopping)),
        }
    }

    /// The whole state, for somebody who comes in: with what was said to all and to him.
    #[must_use]
    pub fn snapshot_for(&self, participant: ParticipantId) -> Snapshot {
        let manages = self.participant(participant).is_some_and(|person| person.role.manages());
        let (waiting, viewer_hands) =
            if manages { (self.lobby.people(), self.viewers.hands()) } else { Default::default() };
        let (chat, questions) = (self.chat.of(participant, self.room_of(participant)), self.viewers.questions());
        Snapshot { chat, questions, waiting, viewer_hands, ..self.snapshot() }
    }

    /// The state as anyone may see it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut seats: Vec<&Seat> = self.seats.values().collect();
        seats.sort_by_key(|seat| seat.order);
        Snapshot {
            meeting: self.view.clone(),
            seq: self.seq,
            participants: seats.into_iter().map(|seat| seat.person.clone()).collect(),
            chat: Vec::new(),
            polls: self.polls.all(),
            waiting: Vec::new(),
            questions: Vec::new(),
            viewer_hands: Vec::new(),
            dials: self.dials.all(),
            broadcast: self.broadcast.clone(),
        }
    }

    /// One participant.
    #[must_use]
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.seats.get(&id).map(|seat| &seat.person)
    }

    /// Who is in this breakout room, or in the main one.
    pub fn people_in(&self, room: Option<u32>) -> impl Iterator<Item = ParticipantId> {
        self.seats.iter().filter(move |(_, seat)| seat.person.room == room).map(|(id, _)| *id)
    }

    /// Who is logged in on this seat.
    #[must_use]
    pub fn account_of(&self, id: ParticipantId) -> Option<AccountId> {
        self.seats.get(&id).and_then(|seat| seat.account)
    }

    /// Host or co-host.
    pub fn manages(&self, id: ParticipantId) -> bool {
        self.seats.get(&id).is_some_and(|seat| seat.person.role.manages())
    }

    /// Nobody has a seat or may have his again, and no wrong password is held against anybody: a stranger who could close the meeting
    /// by waiting would try passwords for ever.
    pub fn is_idle(&mut self, now: Duration) -> bool {
        self.seats.is_empty() && self.lobby.is_empty() && self.callers.is_empty() && self.tries.is_clean(now)
    }

    fn join(&mut self, join: Join, now: Duration) -> Outcome {
        let invited = join.dial.and_then(|dial| Some((dial, self.dials.answering(dial)?)));
        let name = match (&join.name, &join.via) {
            (None, Via::Phone(_)) if let Some((_, name)) = &invited => name.clone(),
            (Some(name), _) => check_name(name).map_err(|_| Refusal::BadName)?,
            (None, Via::Phone(number)) => number.masked(),
            (None, Via::Web | Via::Encoder) => return Err(Refusal::BadName),
        };
        let seat_ban = join.resume.map(Ban::Seat);
        if seat_ban.is_some_and(|ban| self.banned.contains(&ban)) {
            return Err(Refusal::Removed);
        }
        if let Some(participant) = join.resume.filter(|seat| self.seats.contains_key(seat)) {
            return Ok(self.sit_down_again(participant));
        }
        let person_ban = Ban::of_person(&join.via, join.account, join.source, &name);
        if person_ban.is_some_and(|ban| self.banned.contains(&ban)) {
            return Err(Refusal::Removed);
        }
        if let Some(back) = self.caller_is_back(&join, now) {
            let mut effects = back?;
            if let Some((dial, _)) = invited {
                effects.extend(self.dialed(dial, DialState::Joined));
            }
            return Ok(effects);
        }
        // Whom a host has called, or given a token to.
        let is_expected = invited.is_some() || join.via == Via::Encoder;
        let source = Source::of(&join.via, join.source);
        let is_owner = join.account == Some(self.rules.owner)
            || join.password.as_ref().is_some_and(|given| self.is_host_pin(&join.via, &source, given, now));
        match (&self.rules.password, &join.password) {
            // Who is expected needs none.
            _ if is_owner || is_expected => {}
            (None, None) => {}
            // A browser may bring one that was taken away meanwhile; a caller has tried a PIN.
            (None, Some(_)) if join.via.kind() == ViaKind::Web => {}
            (Some(_), None) => return Err(Refusal::PasswordNeeded),
            (wanted, Some(given)) => {
                if !self.tries.is_open(&source, now) {
                    return Err(Refusal::TooManyTries);
                }
                if !wanted.as_ref().is_some_and(|wanted| is_same(given, wanted)) {
                    self.tries.note_wrong(source, now);
                    return Err(Refusal::WrongPassword);
                }
            }
        }
        if self.seats.contains_key(&join.participant) || self.lobby.holds(join.participant) {
            // Seats are named by whoever calls this, each once.
            return Err(Refusal::Failed);
        }
        if self.view.locked && !is_owner && !is_expected {
            return Err(Refusal::Locked);
        }
        if self.seats.len() >= self.view.capacity {
            return Err(Refusal::Full);
        }
        match self.must_wait().filter(|_| !is_owner && !is_expected) {
            Some(why) => self.wait(join, name, why),
            None => {
                let mut effects = self.sit_down(join, name, is_owner);
                if let Some((dial, _)) = invited {
                    effects.extend(self.dialed(dial, DialState::Joined));
                }
                Ok(effects)
            }
        }
    }

    /// P4: a caller may key the host's PIN where others key the password.
    fn is_host_pin(&mut self, via: &Via, source: &Source, given: &str, now: Duration) -> bool {
        let pin = self.rules.host_pin.as_ref().filter(|_| via.kind() == ViaKind::Phone);
        pin.is_some_and(|pin| is_same(given, pin)) && self.tries.is_open(source, now)
    }

    /// P4: he who booked the meeting, known by his PIN.
    fn claim_host(&mut self, by: ParticipantId, pin: &str, now: Duration) -> Outcome {
        let seat = self.seats.get(&by).ok_or(Refusal::NoSuchParticipant)?;
        let (via, source) = (seat.via.clone(), Source::of(&seat.via, seat.source));
        if !self.tries.is_open(&source, now) {
            return Err(Refusal::TooManyTries);
        }
        if !self.is_host_pin(&via, &source, pin, now) {
            self.tries.note_wrong(source, now);
            return Err(Refusal::WrongPassword);
        }
        let others: Vec<_> = self.hosts().into_iter().filter(|host| *host != by).collect();
        let mut effects: Vec<_> = others.into_iter().flat_map(|host| self.set_role(host, Role::Member)).collect();
        effects.extend(self.promote(by, Role::Host));
        self.adrift = false;
        if !std::mem::replace(&mut self.started, true) {
            effects.extend(self.host_is_here());
        }
        Ok(effects)
    }

    /// P4: a colleague of the host, known by his own PIN. Guessing is counted as at the host's, by [`Self::claim_host`].
    fn known(
        &mut self,
        by: ParticipantId,
        account: AccountId,
        name: String,
        avatar: Option<String>,
        now: Duration,
    ) -> Outcome {
        let seat = self.seats.get_mut(&by).ok_or(Refusal::NoSuchParticipant)?;
        if seat.via.kind() != ViaKind::Phone {
            return Err(Refusal::NotAllowed);
        }
        if !self.tries.is_open(&Source::of(&seat.via, seat.source), now) {
            return Err(Refusal::TooManyTries);
        }
        if self.banned.contains(&Ban::Account(account)) {
            return Err(Refusal::Removed);
        }
        seat.account = Some(account);
        Ok(self.change(by, |person| (person.name, person.avatar) = (name, avatar)))
    }

    /// A telephone whose owner put it down: its music reaches nobody, and all see why he is silent.
    fn hold(&mut self, id: ParticipantId, on: bool) -> Vec<Effect> {
        let mut effects = self.change(id, |person| person.on_hold = on);
        if !effects.is_empty() {
            effects.push(Effect::SetMuted(id, self.is_silent(id)));
        }
        effects
    }

    fn sit_down_again(&mut self, participant: ParticipantId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(seat) = self.seats.get_mut(&participant) else { return effects };
        (seat.absent, seat.stalled) = (None, false);
        let changed = !std::mem::replace(&mut seat.person.connected, true);
        effects.push(Effect::Seated { participant, again: true });
        effects.extend(self.change(participant, |person| (person.on_hold, person.line_trouble) = (false, None)));
        effects.push(Effect::SetMuted(participant, self.is_muted(participant)));
        effects.push(Effect::SetRoom(participant, self.room_of(participant)));
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
        let via = join.via.kind();
        // Who was called up is a guest: the role waits for somebody who came by himself.
        let is_host = is_owner || (self.adrift && via == ViaKind::Web && join.viewer.is_none());
        self.adrift &= !is_host;
        let starts = is_host && !self.started;
        self.started |= is_host;
        let person = Participant {
            id: join.participant,
            name,
            role: if is_host { Role::Host } else { Role::Member },
            via,
            number: join.via.number().map(PhoneNumber::masked),
            avatar: join.avatar,
            muted: (self.view.mute_on_entry || !self.view.self_unmute) && !is_host,
            camera: false,
            screen: false,
            video: false,
            on_hold: false,
            line_trouble: None,
            network_poor: false,
            hand: false,
            connected: true,
            from_audience: join.viewer.is_some(),
            asks_help: false,
            room: None,
        };
        self.seats_ever += 1;
        effects.extend(self.seat(Seat {
            person,
            order: self.seats_ever,
            account: join.account,
            via: join.via,
            source: join.source,
            vouched: join.vouched,
            viewer: join.viewer,
            absent: None,
            stalled: false,
            is_seen: if is_host { self.view.host_video } else { self.view.participant_video },
            asked: false,
        }));
        if starts {
            effects.extend(self.host_is_here());
        }
        effects
    }

    fn seat(&mut self, seat: Seat) -> Vec<Effect> {
        let person = seat.person.clone();
        self.seats.insert(person.id, seat);
        let mut effects = vec![Effect::Seated { participant: person.id, again: false }];
        effects.push(Effect::SetMuted(person.id, person.muted));
        effects.push(set_pictures(&person));
        effects.push(self.tell(Event::ParticipantJoined { participant: person }));
        effects
    }

    fn lost(&mut self, participant: ParticipantId, now: Duration) -> Vec<Effect> {
        self.keep_seat(participant, Absent { until: now + SEAT_KEPT, then: LeaveReason::Lost })
    }

    fn keep_seat(&mut self, participant: ParticipantId, absent: Absent) -> Vec<Effect> {
        let Some(seat) = self.seats.get_mut(&participant).filter(|seat| seat.absent.is_none()) else {
            return Vec::new();
        };
        seat.absent = Some(absent);
        self.change(participant, |person| {
            person.connected = false;
            person.camera = false;
            person.screen = false;
            person.video = false;
        })
    }

    fn tick(&mut self, now: Duration) -> Vec<Effect> {
        let over = |seat: &Seat| seat.absent.filter(|absent| absent.until <= now).map(|absent| absent.then);
        let gone: Vec<_> = self.seats.iter().filter_map(|(id, seat)| Some((*id, over(seat)?))).collect();
        let mut effects: Vec<_> = gone.into_iter().flat_map(|(id, reason)| self.leave(id, reason)).collect();
        self.callers.forget(now);
        if self.tries.has_closed() {
            effects.extend(self.tell_managers(Notice::DoorClosed));
        }
        effects.extend(self.look_at_the_door());
        effects.extend(self.tell_votes());
        effects.extend(self.tell_of_viewers(now));
        effects.extend(self.look_at_breakouts(now));
        effects.extend(self.look_at_the_clock(now));
        effects
    }

    fn profile(&mut self, account: AccountId, before: &str, name: &str, avatar: &Option<String>) -> Vec<Effect> {
        let his = |seat: &&Seat| seat.account == Some(account);
        let his: Vec<_> = self.seats.values().filter(his).map(|seat| seat.person.id).collect();
        let change = |person: &mut Participant| {
            person.avatar.clone_from(avatar);
            if let Ok(name) = check_name(name)
                && person.name == before
            {
                person.name = name;
            }
        };
        his.into_iter().flat_map(|id| self.change(id, change)).collect()
    }

    fn leave(&mut self, id: ParticipantId, reason: LeaveReason) -> Vec<Effect> {
        let Some(seat) = self.seats.remove(&id) else { return Vec::new() };
        let end = if reason == LeaveReason::Removed { EndReason::Removed } else { EndReason::Left };
        let mut effects = vec![Effect::Dismiss(id, end), self.tell(Event::ParticipantLeft { id, reason })];
        if self.view.shown.as_ref().is_some_and(|shown| shown.by == id) {
            effects.extend(self.show_nothing(id));
        }
        if self.view.spotlight == Some(id) {
            effects.extend(self.change_meeting(|meeting| meeting.spotlight = None));
        }
        if seat.person.role == Role::Host && self.hosts().is_empty() {
            effects.extend(self.pass_role_on());
        }
        // Nobody is left for whom it waits.
        self.adrift &= !self.seats.is_empty();
        effects
    }

    /// C16: to a browser, for a telephone has few of the host's keys. Who is there before who is lost, a co-host before
    /// others, who has an account before who hasn't, who came first before who came later.
    fn pass_role_on(&mut self) -> Vec<Effect> {
        let may_lead = |seat: &&Seat| seat.person.via == ViaKind::Web && seat.viewer.is_none();
        let browsers = self.seats.values().filter(may_lead);
        let heir = browsers.min_by_key(|seat| {
            (seat.absent.is_some(), seat.person.role == Role::Member, seat.account.is_none(), seat.order)
        });
        match heir.map(|seat| seat.person.id) {
            Some(heir) => self.promote(heir, Role::Host),
            None => {
                self.adrift = true;
                // Nobody is there to unmute the callers: they may do it themselves.
                self.set_self_unmute(true)
            }
        }
    }

    fn remove(&mut self, id: ParticipantId) -> Vec<Effect> {
        if let Some(seat) = self.seats.get(&id) {
            self.banned.insert(Ban::Seat(id));
            self.banned.extend(seat.viewer.map(Ban::Seat));
            self.banned.extend(Ban::of_person(&seat.via, seat.account, seat.source, &seat.person.name));
        }
        self.leave(id, LeaveReason::Removed)
    }

    fn close(&mut self, reason: EndReason) -> Vec<Effect> {
        self.closed = true;
        let mut effects: Vec<_> = self.all().into_iter().map(|id| Effect::Dismiss(id, reason)).collect();
        self.seats.clear();
        // Who waits at the door of a server that stops may wait at that of the next.
        let stops = reason == EndReason::ServerStopping;
        effects.extend(self.lobby.turn_all_away(if stops { Refusal::Draining } else { Refusal::Ended }));
        // The recording first: what follows a livestream is recorded by itself, and nothing follows here.
        if std::mem::take(&mut self.view.recording) {
            effects.push(Effect::StopRecording);
        }
        if self.broadcast.take().is_some() {
            effects.push(Effect::StopBroadcast);
        }
        effects.push(Effect::Close(reason));
        effects
    }

    /// C8: a telephone or an encoder is opened, a browser is asked.
    fn open(&mut self, id: ParticipantId) -> Vec<Effect> {
        let Some(seat) = self.seats.get(&id) else { return Vec::new() };
        match (seat.person.muted, seat.person.via) {
            (false, _) => Vec::new(),
            (true, ViaKind::Phone | ViaKind::Encoder) => self.set_muted(id, false, true),
            (true, ViaKind::Web) => {
                if let Some(seat) = self.seats.get_mut(&id) {
                    seat.asked = true;
                }
                vec![Effect::Notify(id, Notice::AskedToUnmute)]
            }
        }
    }

    /// Where music of his is held back it is no longer, by this effect.
    fn free_line(&mut self, id: ParticipantId, effect: Effect) -> Vec<Effect> {
        if self.participant(id).is_none_or(|person| person.line_trouble != Some(LineTrouble::Music)) {
            return Vec::new();
        }
        let mut effects = self.change(id, |person| person.line_trouble = None);
        effects.push(effect);
        effects
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
        self.change_meeting(|meeting| meeting.self_unmute = allowed)
    }

    fn set_muted(&mut self, id: ParticipantId, muted: bool, by_host: bool) -> Vec<Effect> {
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.asked = false;
        }
        if self.is_muted(id) == muted {
            return Vec::new();
        }
        let mut effects = self.change(id, |person| person.muted = muted);
        effects.insert(0, Effect::SetMuted(id, self.is_silent(id)));
        if by_host {
            effects.push(Effect::Notify(id, if muted { Notice::Muted } else { Notice::Unmuted }));
        }
        effects
    }

    fn set_role(&mut self, id: ParticipantId, role: Role) -> Vec<Effect> {
        self.change(id, |person| person.role = role)
    }

    /// Gives him a host's role, and tells him what a host is to know.
    fn promote(&mut self, id: ParticipantId, role: Role) -> Vec<Effect> {
        let mut effects = self.set_role(id, role);
        if !effects.is_empty() {
            let notice = if role == Role::Host { Notice::MadeHost } else { Notice::MadeCoHost };
            effects.push(Effect::Notify(id, notice));
            effects.extend(self.whisper_waiting(id));
            effects.extend(self.whisper_hands_up(id));
        }
        effects
    }

    /// How the meeting is seen in livestreams and recordings.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How room systems see it: as livestreams do, until one of them has chosen.
    #[must_use]
    pub fn room_layout(&self) -> Layout {
        self.room_layout.unwrap_or(self.layout)
    }

    fn start_broadcast(&mut self, id: BroadcastId) -> Vec<Effect> {
        if self.broadcast.is_some() {
            return Vec::new();
        }
        let view = BroadcastView {
            id,
            state: BroadcastState::Starting,
            watch: format!("/watch/{}", self.view.id),
            layout: self.layout,
            pushes: Vec::new(),
        };
        self.broadcast = Some(view.clone());
        vec![Effect::StartBroadcast(id), self.tell(Event::BroadcastChanged { broadcast: Some(view) })]
    }

    fn broadcast_is(&mut self, id: BroadcastId, state: Option<BroadcastState>) -> Vec<Effect> {
        if self.broadcast.as_ref().is_none_or(|view| view.id != id) {
            return Vec::new();
        }
        match state {
            Some(state) => self.change_broadcast(|view| view.state = state),
            None => {
                self.broadcast = None;
                vec![self.tell(Event::BroadcastChanged { broadcast: None })]
            }
        }
    }

    fn record(&mut self, on: bool, effect: Effect) -> Vec<Effect> {
        let told = self.change_meeting(|meeting| meeting.recording = on);
        if told.is_empty() { told } else { std::iter::once(effect).chain(told).collect() }
    }

    fn change_broadcast(&mut self, change: impl FnOnce(&mut BroadcastView)) -> Vec<Effect> {
        let Some(view) = &mut self.broadcast else { return Vec::new() };
        let before = view.clone();
        change(view);
        if *view == before {
            return Vec::new();
        }
        let broadcast = self.broadcast.clone();
        vec![self.tell(Event::BroadcastChanged { broadcast })]
    }

    fn change(&mut self, id: ParticipantId, change: impl FnOnce(&mut Participant)) -> Vec<Effect> {
        let Some(seat) = self.seats.get_mut(&id) else { return Vec::new() };
        let before = seat.person.clone();
        change(&mut seat.person);
        if seat.person == before {
            return Vec::new();
        }
        let shown = |person: &Participant| (person.camera, person.screen);
        let pictures = (shown(&seat.person) != shown(&before)).then(|| set_pictures(&seat.person));
        pictures.into_iter().chain([self.tell_changed(id)]).collect()
    }

    fn tell_managers(&self, notice: Notice) -> Vec<Effect> {
        let managers = self.seats.values().filter(|seat| seat.person.role.manages());
        managers.map(|seat| Effect::Notify(seat.person.id, notice)).collect()
    }

    /// He is told, and so are all others who manage the meeting.
    fn not_on_air(&self, whose: ParticipantId) -> Vec<Effect> {
        if !self.seats.contains_key(&whose) {
            return Vec::new();
        }
        let mut effects = self.tell_managers(Notice::SomeVideoNotOnAir);
        effects.retain(|effect| !matches!(effect, Effect::Notify(manager, _) if *manager == whose));
        effects.push(Effect::Notify(whose, Notice::VideoNotOnAir));
        effects
    }

    fn tell_changed(&mut self, id: ParticipantId) -> Effect {
        let participant = self.seats.get(&id).expect("only called for a seat that is there").person.clone();
        self.tell(Event::ParticipantChanged { participant })
    }

    fn change_meeting(&mut self, change: impl FnOnce(&mut MeetingView)) -> Vec<Effect> {
        let before = self.view.clone();
        change(&mut self.view);
        if self.view == before {
            return Vec::new();
        }
        vec![self.tell(Event::MeetingChanged { meeting: self.view.clone() })]
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

    /// Muted, or a telephone on hold.
    fn is_silent(&self, id: ParticipantId) -> bool {
        self.participant(id).is_some_and(|person| person.muted || person.on_hold)
    }

    fn hosts(&self) -> Vec<ParticipantId> {
        self.seats.values().filter(|seat| seat.person.role == Role::Host).map(|seat| seat.person.id).collect()
    }

    fn all(&self) -> Vec<ParticipantId> {
        self.seats.keys().copied().collect()
    }
}

/// What goes to the others is what all see that he shows.
fn set_pictures(person: &Participant) -> Effect {
    Effect::SetPictures { participant: person.id, camera: person.camera, screen: person.screen }
}

/// Whether somebody has given the secret: takes as long for a wrong one as for the right one.
#[must_use]
pub fn is_same(given: &str, secret: &str) -> bool {
    let differing = given.bytes().zip(secret.bytes()).fold(0, |differing, (a, b)| differing | (a ^ b));
    given.len() == secret.len() && differing == 0
}

impl Ban {
    /// None for a caller who can't be told from others.
    fn of_person(via: &Via, account: Option<AccountId>, source: IpAddr, name: &str) -> Option<Self> {
        match (via.number(), account) {
            (Some(number), _) => (!number.is_withheld()).then(|| Self::Number(number.reveal().to_owned())),
            (None, Some(account)) => Some(Self::Account(account)),
            (None, None) => Some(Self::Guest(network_of(source), name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
