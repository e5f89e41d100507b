//! One live meeting: a task that owns its [`Meeting`], its media and its livestream. All others hold a handle.

mod on_air;
mod opening;
mod rooms;

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use model::{
    AccountId, Action, BroadcastId, BroadcastState, Command, DialState, Effect, EndReason, Event, Join, Meeting,
    MeetingId, NoCapacity, ParticipantId, PhoneNumber, PushUrl, Refusal, ViaKind, Whisper,
};
use plane::{LegId, MeetingFact, MeetingMedia, Plane};
use serde_json::json;
use store::{AuditEntry, BookError, Store};
use streaming::Streaming;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    Admission,
    broadcast::Livestream,
    calling::Calling,
    chairs::Chairs,
    dial::{Callee, DialOut, DialerSlot, SipSlot, extension_in},
    files::Files,
    handle::{AtDoor, MeetingHandle, Request, Seat, SeatEvent, SeatOwner},
    now_ms,
    outbox::{Happened, News},
    records::Records,
    registry::{Entry, Registry, Way},
    stage::StageViewers,
    stays::Stays,
    viewer_chat::ViewerChats,
    whiteboard::{Drawings, Whiteboard},
};
use on_air::broadcast_fact;
use opening::{Opened, open};
pub(crate) use rooms::Started;
use rooms::{Rooms, room_fact};

/// An empty meeting stays open for so long: for the seat of who comes back, and for the next one not to wait.
const EMPTY_KEPT: Duration = Duration::from_secs(30);

/// How often time is told to the meeting.
const TICK: Duration = Duration::from_secs(1);

/// What a meeting is opened with.
#[derive(Clone)]
pub(crate) struct Resources {
    pub(crate) store: Store,
    pub(crate) plane: Plane,
    pub(crate) streaming: Streaming,
    pub(crate) news: News,
    pub(crate) files: Files,
    pub(crate) dialer: DialerSlot,
    pub(crate) sip: SipSlot,
    pub(crate) calling: Arc<Calling>,
    pub(crate) records: Records,
    pub(crate) viewer_chats: Arc<ViewerChats>,
}

/// Begins the task of a meeting that is not live yet. Whoever asks it meanwhile waits until it is, or hears why not.
pub(crate) fn start(entry: Entry, queue: mpsc::Receiver<Request>, resources: Resources) {
    let span = tracing::info_span!("meeting", meeting_id = %entry.id);
    let tasks = entry.registry.tasks.clone();
    tasks.spawn(hold(entry, queue, resources).instrument(span));
}

async fn hold(entry: Entry, mut queue: mpsc::Receiver<Request>, resources: Resources) {
    let (opened, media) = match open(&entry, &resources).await {
        Ok(opened) => opened,
        Err(refusal) => return refuse_all(queue, refusal).await,
    };
    let gauge = metrics::gauge!("conference_meetings");
    gauge.increment(1);
    let files = resources.files.clone();
    tracing::info!("meeting opened");
    let live = Live::new(&entry, opened, media.clone(), resources);
    // A panic in one meeting ends that meeting: its participants see their events end.
    if AssertUnwindSafe(live.run(&mut queue)).catch_unwind().await.is_err() {
        tracing::error!("meeting panicked and is ended");
        metrics::counter!("conference_panics").increment(1);
    }
    // In this order: nobody is answered by a meeting without media, and none is opened beside one that has some.
    media.close();
    files.forget(entry.id).await;
    drop(queue);
    gauge.decrement(1);
    drop(entry);
}

async fn refuse_all(mut queue: mpsc::Receiver<Request>, refusal: Refusal) {
    queue.close();
    while let Some(request) = queue.recv().await {
        if let Request::Join { answer, .. } = request {
            // Who asked may have gone.
            let _ = answer.send(Err(refusal));
        }
    }
}

/// Somebody at the door, or about to sit down.
struct Pending {
    via: ViaKind,
    since: Option<u64>,
    leg: Option<LegId>,
    waits: Option<mpsc::Sender<AtDoor>>,
    answer: oneshot::Sender<Result<Seat, Refusal>>,
}

/// Events kept for who comes back: more than happen in the minute a seat is kept.
const PAST_MAX: usize = 1_000;

/// What all were told last.
#[derive(Default)]
struct Past(VecDeque<(u64, Arc<Event>)>);

impl Past {
    fn keep(&mut self, seq: u64, event: &Arc<Event>) {
        if self.0.len() >= PAST_MAX {
            self.0.pop_front();
        }
        self.0.push_back((seq, Arc::clone(event)));
    }

    /// Everything after an event; none where some of it is forgotten, or that event has never been.
    fn since(&self, known: u64) -> Option<Vec<(u64, Arc<Event>)>> {
        let first = self.0.front().map_or(1, |(seq, _)| *seq);
        let last = self.0.back().map_or(0, |(seq, _)| *seq);
        let is_whole = known + 1 >= first && known <= last;
        is_whole.then(|| self.0.iter().filter(|(seq, _)| *seq > known).cloned().collect())
    }
}

struct Live {
    id: MeetingId,
    row: Arc<store::Meeting>,
    store: Store,
    pending: BTreeMap<ParticipantId, Pending>,
    /// Who has a seat and was not answered yet; true where he had it before.
    seated: Vec<(ParticipantId, bool)>,
    /// What the ledger is to be asked.
    wish: Option<Wish>,
    /// One wish after the other.
    wishing: Arc<Mutex<()>>,
    meeting: Meeting,
    begun: Instant,
    media: MeetingMedia,
    facts: mpsc::Receiver<MeetingFact>,
    streaming: Streaming,
    news: News,
    dialer: DialerSlot,
    sip: SipSlot,
    calling: Arc<Calling>,
    /// Of the telephone that is to be called next.
    admission: Option<Admission>,
    /// Telephones that are being called; dropped, they are called no longer.
    dials: BTreeMap<u32, DropGuard>,
    registry: Arc<Registry>,
    way: Way,
    chairs: Chairs,
    stays: Stays,
    records: Records,
    viewer_chats: Arc<ViewerChats>,
    viewers: StageViewers,
    whiteboard: Whiteboard,
    /// One after the other.
    saving: Arc<Mutex<()>>,
    past: Past,
    livestream: Option<Livestream>,
    rooms: Rooms,
    /// The livestream that is wanted.
    broadcast: Option<BroadcastId>,
    /// Where it is to be pushed to.
    pushes: BTreeMap<u32, PushUrl>,
    /// A recording is wanted.
    recording: bool,
    /// A studio is being started for one or both.
    is_starting: bool,
    owner: AccountId,
    speaking: Vec<ParticipantId>,
    active: Option<ParticipantId>,
    empty_since: Option<Instant>,
    seats_ever: u64,
    seats_at_once: usize,
    closed: bool,
}

/// C14.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Extend(i64),
    Enlarge(usize),
}

impl Live {
    fn new(entry: &Entry, opened: Opened, media: MeetingMedia, resources: Resources) -> Self {
        let Opened { rules, row, whiteboard, facts } = opened;
        let owner = rules.owner;
        let Resources { store, streaming, news, dialer, sip, calling, records, viewer_chats, .. } = resources;
        Self {
            id: rules.id,
            row: Arc::new(row),
            store,
            pending: BTreeMap::new(),
            seated: Vec::new(),
            wish: None,
            wishing: Arc::default(),
            meeting: Meeting::new(rules),
            begun: Instant::now(),
            media,
            facts,
            streaming,
            news,
            dialer,
            sip,
            calling,
            admission: None,
            dials: BTreeMap::new(),
            registry: Arc::clone(&entry.registry),
            way: entry.way.clone(),
            chairs: Chairs::default(),
            stays: Stays::default(),
            records,
            viewer_chats,
            viewers: StageViewers::default(),
            whiteboard,
            saving: Arc::default(),
            past: Past::default(),
            livestream: None,
            rooms: Rooms::default(),
            broadcast: None,
            pushes: BTreeMap::new(),
            recording: false,
            is_starting: false,
            owner,
            speaking: Vec::new(),
            active: None,
            empty_since: None,
            seats_ever: 0,
            seats_at_once: 0,
            closed: false,
        }
    }

    async fn run(mut self, requests: &mut mpsc::Receiver<Request>) {
        let mut ticks = tokio::time::interval(TICK);
        while !self.closed {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => break,
                },
                fact = self.facts.recv() => match fact {
                    Some(fact) => self.take_fact(fact),
                    None => {
                        tracing::error!("media worker has lost this meeting");
                        self.try_decide(Command::Stop);
                    }
                },
                fact = broadcast_fact(&mut self.livestream) => self.take_broadcast_fact(fact),
                fact = room_fact(&mut self.rooms) => self.take_room_fact(fact),
                _ = ticks.tick() => self.tick(),
            }
            while let Some(participant) = self.chairs.next_gone() {
                // Whoever has just come back is still told by his old line that he has; it is replaced in a moment.
                if self.seated.iter().all(|(seated, _)| *seated != participant) {
                    self.try_decide(Command::Lost(participant));
                }
            }
            // Before his voice comes: a recording's track bears the name there is when it begins.
            self.show();
            self.answer_the_seated().await;
        }
        self.end_livestream();
        self.save_whiteboard_last().await;
        if self.seats_ever > 0 {
            self.news.tell(self.id, Happened::MeetingEnded, json!({"participants": self.seats_ever}));
        }
        let (seconds, seats, at_once) = (self.begun.elapsed().as_secs(), self.seats_ever, self.seats_at_once);
        tracing::info!(seconds, seats, at_once, "meeting closed");
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Join { join, resume, since, leg, waits, answer } => {
                let via = join.via.kind();
                self.join(join, resume, Pending { via, since, leg, waits, answer });
            }
            Request::Act { by, sitting: Some(number), answer, .. }
                if self.chairs.number_of(by).is_some_and(|newest| newest != number) =>
            {
                // Who asked is replaced.
                let _ = answer.send(Err(Refusal::NoSuchParticipant));
            }
            Request::Act { by, action, answer, .. } => {
                let wait = self.chairs.pace(by, Instant::now());
                let audited = action.audited(by).map(|(name, whom)| (name, object_of(&action, whom)));
                let result = self.act(by, action);
                if let (Ok(()), Some((name, object))) = (&result, audited) {
                    self.audit(by, name, &object);
                }
                if let Some(wish) = self.wish.take() {
                    self.ask_ledger(wish, answer);
                } else if wait.is_zero() {
                    let _ = answer.send(result);
                } else {
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        let _ = answer.send(result);
                    });
                }
            }
            Request::Known { by, account, name, avatar, answer } => {
                // Who asked may have gone.
                let _ = answer.send(self.decide(Command::Known { by, account, name, avatar }));
            }
            Request::Viewer { livestream, who, action, answer } => {
                let is_on = self.broadcast == Some(livestream);
                let command = is_on.then_some(Command::Viewer(who, action)).ok_or(Refusal::NotLive);
                // Who asked may have gone.
                let _ = answer.send(command.and_then(|command| self.decide(command)));
            }
            Request::Admit { number, answer } => {
                // Who asked may have gone: then nobody is called.
                let _ = answer.send(self.admit(&number));
            }
            Request::ComeUp { livestream, join, answer } => {
                let is_on = self.broadcast == Some(livestream);
                // Who asked may have gone.
                let _ = answer.send(if is_on { self.keep_seat(join) } else { Err(Refusal::NotLive) });
            }
            Request::People { answer } => {
                // Who asked may have gone.
                let _ = answer.send((self.meeting.snapshot().participants, self.media.clone()));
            }
            Request::Watch { livestream, answer } => {
                let is_on = self.broadcast == Some(livestream);
                // Who asked may have gone: then the seat is dropped, as he would have.
                let _ = answer.send(if is_on { self.viewers.admit(&self.media) } else { Err(Refusal::NotLive) });
            }
            Request::WhoseSeat { secret, answer } => {
                let owner = self.chairs.owner_of(&secret).map(|participant| SeatOwner {
                    participant,
                    account: self.meeting.account_of(participant),
                    manages: self.meeting.manages(participant),
                    meeting: self.handle(),
                });
                // Who asked may have gone.
                let _ = answer.send(owner);
            }
            Request::Whiteboard { secret, rewrite, answer } => {
                // Who asked may have gone.
                let _ = answer.send(self.look_at_whiteboard(&secret, rewrite));
            }
            Request::Decided(command) => self.try_decide(command),
            Request::Livestream(livestream) => self.livestream_is_there(livestream),
            Request::RoomView(view) => self.room_view_is_there(view),
            Request::Stop => self.try_decide(Command::Stop),
            #[cfg(test)]
            Request::Panic => panic!("asked for by a test"),
        }
    }

    fn join(&mut self, mut join: Join, resume: Option<String>, pending: Pending) {
        if let Some(secret) = resume {
            join.resume = self.chairs.owner_of(&secret);
            // He comes back by himself, to a seat of the meeting that was ended while he was away.
            if join.resume.is_none() && self.registry.is_over(self.id) {
                // Who asked may have gone.
                let _ = pending.answer.send(Err(Refusal::Ended));
                return;
            }
        }
        let effects = match self.meeting.handle(Command::Join(join), self.begun.elapsed()) {
            Ok(effects) => effects,
            Err(refusal) => {
                // Who asked may have gone.
                let _ = pending.answer.send(Err(refusal));
                return;
            }
        };
        // The first of them is about whoever asked: others may come in with him.
        let own = effects.iter().find_map(|effect| match effect {
            Effect::Seated { participant, .. } | Effect::Waits(participant, _) => Some(*participant),
            _ => None,
        });
        if let Some(participant) = own {
            self.pending.insert(participant, pending);
        }
        self.carry_out(effects);
    }

    /// A seat for somebody who comes to it by its secret.
    fn keep_seat(&mut self, join: Join) -> Result<String, Refusal> {
        let participant = join.participant;
        self.decide(Command::ComeUp(join))?;
        self.seats_ever += 1;
        let secret = self.chairs.reserve(participant, ViaKind::Web);
        self.count_seats();
        Ok(secret)
    }

    /// The others were told before they listen: for them it is in the snapshot.
    async fn answer_the_seated(&mut self) {
        while let Some((participant, again)) = self.seated.pop() {
            let Some(Pending { via, since, leg, answer, .. }) = self.pending.remove(&participant) else { continue };
            let seat = self.seat(participant, again, via, since, leg).await;
            // Who asked may have gone meanwhile: then his events have no receiver, which the next tick finds.
            let _ = answer.send(seat);
        }
    }

    async fn seat(
        &mut self,
        participant: ParticipantId,
        again: bool,
        via: ViaKind,
        since: Option<u64>,
        leg: Option<LegId>,
    ) -> Result<Seat, Refusal> {
        let (resume, events) = self.chairs.place(participant, via);
        self.count_seats();
        if let Some(leg) = leg
            && let Err(error) = self.media.seat_leg(participant, leg).await
        {
            tracing::error!(%participant, %error, "caller's sound can't be brought in");
            self.act(participant, Action::Leave)?;
            return Err(Refusal::Failed);
        }
        if let (ViaKind::Web | ViaKind::Encoder, Some(person)) = (via, self.meeting.participant(participant)) {
            self.stays.begin(participant, &person.name);
        }
        let told = SeatEvent::Speaking { participants: self.speaking.clone(), active: self.active };
        self.chairs.tell(participant, told);
        metrics::counter!("conference_joins").increment(1);
        if self.seats_ever == 0 {
            self.news.tell(self.id, Happened::MeetingStarted, json!({}));
        }
        self.seats_ever += u64::from(!again);
        tracing::info!(%participant, ?via, again, "participant joined");
        let sitting = self.chairs.number_of(participant).map(|number| (participant, number));
        let handle = MeetingHandle { sitting, ..self.handle() };
        let snapshot = self.meeting.snapshot_for(participant);
        let missed = since.and_then(|since| self.past.since(since));
        Ok(Seat { participant, resume, handle, snapshot, missed, events })
    }

    /// What is drawn, to who sees it; before that he may write it anew.
    fn look_at_whiteboard(&mut self, secret: &str, rewrite: Option<(u64, String)>) -> Result<Drawings, Refusal> {
        let who = self.chairs.owner_of(secret).ok_or(Refusal::NotAllowed)?;
        if !self.meeting.may_draw(who) {
            return Err(Refusal::NotShown);
        }
        let Some((upto, drawing)) = rewrite else { return Ok(self.whiteboard.all()) };
        self.whiteboard.replace(upto, drawing)?;
        Ok(Drawings::default())
    }

    fn draw(&mut self, by: ParticipantId, drawing: String) {
        let number = self.whiteboard.draw(drawing.clone());
        let drawn = Whisper::Drawn { by, number, drawing };
        let room = self.meeting.participant(by).and_then(|person| person.room);
        let others: Vec<_> = self.meeting.people_in(room).filter(|other| *other != by).collect();
        for other in others.into_iter().filter(|other| self.meeting.may_draw(*other)) {
            self.chairs.tell(other, SeatEvent::Whisper(Box::new(drawn.clone())));
        }
        if self.whiteboard.is_long() {
            self.chairs.tell(by, SeatEvent::Whisper(Box::new(Whisper::WhiteboardLong { upto: number })));
        }
    }

    /// What was drawn since the last tick: a pen's every stroke by itself would be too many transactions.
    fn save_whiteboard(&mut self) {
        let Some(unsaved) = self.whiteboard.take_unsaved() else { return };
        let (store, meeting, saving) = (self.store.clone(), self.id, Arc::clone(&self.saving));
        let save = async move {
            let _turn = saving.lock().await;
            unsaved.save(&store, meeting).await;
        };
        self.registry.tasks.spawn(save.in_current_span());
    }

    /// Whoever opens the meeting anew finds all of it.
    async fn save_whiteboard_last(&mut self) {
        let _turn = self.saving.lock().await;
        if let Some(unsaved) = self.whiteboard.take_unsaved() {
            unsaved.save(&self.store, self.id).await;
        }
    }

    fn handle(&self) -> MeetingHandle {
        let Way { requests, seats, .. } = self.way.clone();
        MeetingHandle { id: self.id, requests, media: self.media.clone(), seats, sitting: None }
    }

    /// The ledger is asked while the meeting goes on; whoever wished it is answered by it.
    fn ask_ledger(&self, wish: Wish, answer: oneshot::Sender<Result<(), Refusal>>) {
        let (store, row, own) = (self.store.clone(), Arc::clone(&self.row), self.way.requests.clone());
        let wishing = Arc::clone(&self.wishing);
        let ask = async move {
            let _turn = wishing.lock().await;
            let (booked, command) = match wish {
                Wish::Extend(until_ms) => (store.set_end(&row, now_ms(), until_ms).await, Command::Extended(until_ms)),
                Wish::Enlarge(capacity) => {
                    let ports = u32::try_from(capacity).unwrap_or(u32::MAX);
                    (store.set_ports(&row, now_ms(), ports).await, Command::Enlarged(capacity))
                }
            };
            let answered = match booked {
                Ok(()) => own.send(Request::Decided(command)).await.map_err(|_| Refusal::NoSuchMeeting),
                Err(BookError::NoCapacity(NoCapacity::Ports { free, .. })) => Err(Refusal::NoPorts(free)),
                Err(error) => {
                    tracing::error!(%error, ?wish, "ledger can't be changed");
                    Err(Refusal::Failed)
                }
            };
            let _ = answer.send(answered);
        };
        self.registry.tasks.spawn(ask.in_current_span());
    }

    fn audit(&self, by: ParticipantId, action: &str, object: &str) {
        let entry = AuditEntry {
            id: Uuid::now_v7().to_string(),
            site: self.row.site,
            at_ms: now_ms(),
            account: self.meeting.account_of(by),
            action: format!("meeting.{action}"),
            object: format!("meeting/{}{object}", self.id),
        };
        let store = self.store.clone();
        let write = async move {
            if let Err(error) = store.note(&entry).await {
                tracing::error!(%error, action = entry.action, "audit log can't be written");
            }
        };
        self.registry.tasks.spawn(write.in_current_span());
    }

    fn act(&mut self, by: ParticipantId, mut action: Action) -> Result<(), Refusal> {
        // The same is asked of it as of the first call.
        if let Action::Redial { dial } = action
            && let Some(again) = self.meeting.again(dial)
        {
            action = again;
        }
        if let Action::Dial { number, .. } = &mut action {
            // Who may not call hears that, and nothing of what may be called.
            if !self.meeting.manages(by) {
                return Err(Refusal::NotAllowed);
            }
            let (callee, admission) = self.admit(number)?;
            self.admission = admission;
            callee.reveal().clone_into(number);
        }
        if matches!(&action, Action::Draw { drawing } if !self.whiteboard.has_room_for(drawing)) {
            return Err(Refusal::WhiteboardFull);
        }
        let recordings = self.streaming.recordings();
        let livestream = self.registry.unused_livestream(self.id, |id| recordings.is_of(id));
        let decided = self.decide(Command::Act { by, action, livestream });
        // Of a call that is not made.
        self.admission = None;
        decided
    }

    /// Who is meant by what somebody wrote, and that he may be called.
    fn admit(&self, written: &str) -> Result<(PhoneNumber, Option<Admission>), Refusal> {
        let dialer = self.dialer.get().ok_or(Refusal::NoDialOut)?;
        let Callee { number, price } = dialer.read(&extension_in(written, self.sip.get())?)?;
        let admission = price.map(|price| self.calling.admit(self.row.site, &number, price)).transpose()?;
        Ok((number, admission))
    }

    fn decide(&mut self, command: Command) -> Result<(), Refusal> {
        let effects = self.meeting.handle(command, self.begun.elapsed())?;
        self.carry_out(effects);
        Ok(())
    }

    /// For commands whose refusal concerns nobody.
    fn try_decide(&mut self, command: Command) {
        if let Err(refusal) = self.decide(command) {
            tracing::debug!(%refusal, "refused");
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Seated { participant, again } => self.seated.push((participant, again)),
                Effect::Waits(participant, why) => self.tell_at_door(participant, AtDoor::Waits(why)),
                Effect::TellAtDoor(participant, text) => self.tell_at_door(participant, AtDoor::Told(text)),
                Effect::TurnAway(participant, refusal) => {
                    if let Some(pending) = self.pending.remove(&participant) {
                        let _ = pending.answer.send(Err(refusal));
                    }
                }
                Effect::Whisper(participant, whisper) => {
                    self.chairs.tell(participant, SeatEvent::Whisper(Box::new(whisper)));
                }
                Effect::Extend(until_ms) => self.wish = Some(Wish::Extend(until_ms)),
                Effect::Enlarge(capacity) => self.wish = Some(Wish::Enlarge(capacity)),
                Effect::Tell(seq, event) => self.tell_all(seq, event),
                Effect::Notify(participant, notice) => self.chairs.tell(participant, SeatEvent::Notice(notice)),
                Effect::SetMuted(participant, muted) => self.media.set_muted(participant, muted),
                Effect::SetPictures { participant, camera, screen } => {
                    self.media.set_pictures(participant, camera, screen);
                }
                Effect::LetMusic(participant) => self.media.let_music(participant),
                Effect::ListenAnew(participant) => self.media.listen_anew(participant),
                Effect::SetRoom(participant, room) => self.media.set_part(participant, room.unwrap_or(0)),
                Effect::Dismiss(participant, reason) => {
                    self.chairs.dismiss(participant, reason);
                    self.remove_media(participant, reason);
                    self.count_seats();
                    tracing::info!(%participant, ?reason, "participant left");
                }
                Effect::HandLowered(viewer) => {
                    if let Some(livestream) = self.broadcast {
                        self.viewer_chats.lower(livestream, viewer);
                    }
                }
                Effect::CalledUp(viewer) => {
                    if let Some(livestream) = self.broadcast {
                        self.viewer_chats.call(livestream, viewer);
                    }
                }
                Effect::Dial(dial, number) => self.dial(dial, number),
                Effect::StopDial(dial) => drop(self.dials.remove(&dial)),
                Effect::Draw(by, drawing) => self.draw(by, drawing),
                Effect::StartBroadcast(id) => {
                    self.registry.note_livestream(id, self.id);
                    self.want(Some(id), self.recording);
                }
                Effect::StopBroadcast => {
                    self.pushes.clear();
                    self.want(None, self.recording);
                }
                Effect::StartPush(id, url) => {
                    self.pushes.insert(id, url);
                    self.apply_wishes();
                }
                Effect::StopPush(id) => {
                    self.pushes.remove(&id);
                    self.apply_wishes();
                }
                Effect::StartRecording => self.want(self.broadcast, true),
                Effect::StopRecording => self.want(self.broadcast, false),
                Effect::Close(reason) => {
                    self.closed = true;
                    if matches!(reason, EndReason::MeetingEnded | EndReason::TimeUp) {
                        self.registry.note_over(self.id);
                    }
                }
            }
        }
    }

    fn tell_at_door(&self, participant: ParticipantId, news: AtDoor) {
        if let Some(waits) = self.pending.get(&participant).and_then(|pending| pending.waits.as_ref()) {
            // Who does not listen is told no more than there is room for.
            let _ = waits.try_send(news);
        }
    }

    /// Ends somebody's connections; of a browser's it is written down how they were.
    fn remove_media(&mut self, participant: ParticipantId, reason: EndReason) {
        let sound = self.media.remove(participant);
        let Some(mut record) = self.stays.end(participant, self.id, reason) else { return };
        let records = self.records.clone();
        let write = async move {
            // Who never had any is not known there.
            record.quality = sound.await.unwrap_or_default();
            records.add(record).await;
        };
        self.registry.tasks.spawn(write.in_current_span());
    }

    fn dial(&mut self, dial: u32, number: PhoneNumber) {
        let Some(dialer) = self.dialer.get() else { return };
        let stop = CancellationToken::new();
        self.dials.insert(dial, stop.clone().drop_guard());
        let (admission, requests) = (self.admission.take(), self.way.requests.clone());
        dialer.dial(DialOut { meeting: self.id, dial, number, stop, admission, requests });
    }

    fn tell_all(&mut self, seq: u64, event: Event) {
        match &event {
            Event::DialChanged { dial } if dial.state.is_final() && dial.state != DialState::Joined => {
                self.dials.remove(&dial.id);
            }
            Event::ParticipantJoined { participant } => {
                self.news.tell(self.id, Happened::ParticipantJoined, json!({"participant": participant}));
            }
            Event::ParticipantLeft { id, reason } => {
                let data = json!({"participant": {"id": id}, "reason": reason});
                self.news.tell(self.id, Happened::ParticipantLeft, data);
            }
            Event::BroadcastChanged { broadcast: Some(view) } if view.state == BroadcastState::Live => {
                self.news.tell(self.id, Happened::LivestreamStarted, json!({"livestream": view}));
            }
            Event::BroadcastChanged { broadcast: None } => {
                self.news.tell(self.id, Happened::LivestreamEnded, json!({}));
            }
            _ => {}
        }
        if let Some(livestream) = self.broadcast {
            self.viewer_chats.note(livestream, &event);
        }
        let event = Arc::new(event);
        self.past.keep(seq, &event);
        self.chairs.tell_all(&SeatEvent::Event { seq, event });
    }

    fn count_seats(&mut self) {
        let seats = self.chairs.len();
        self.seats_at_once = self.seats_at_once.max(seats);
        self.way.seats.store(seats, Ordering::Release);
    }

    fn take_fact(&mut self, fact: MeetingFact) {
        match fact {
            MeetingFact::Connected(participant) => tracing::debug!(%participant, "media connected"),
            MeetingFact::Disconnected(participant) => {
                tracing::debug!(%participant, "media disconnected");
                self.viewers.gone(participant);
                if self.chairs.is_encoder(participant) {
                    self.chairs.tell(participant, SeatEvent::MediaLost);
                }
            }
            MeetingFact::Published { participant, kind, active } => {
                tracing::debug!(%participant, ?kind, active, "track");
            }
            MeetingFact::Speaking { part, speaking, active } => {
                let people = self.meeting.people_in((part > 0).then_some(part));
                for participant in people {
                    if self.chairs.sees(participant) {
                        self.chairs.tell(participant, SeatEvent::Speaking { participants: speaking.clone(), active });
                    }
                }
                if part == 0 {
                    (self.speaking, self.active) = (speaking, active);
                }
            }
            MeetingFact::Line { participant, trouble } => {
                tracing::debug!(%participant, ?trouble, "line");
                self.try_decide(Command::Line(participant, trouble));
            }
            MeetingFact::Network { participant, poor } => self.try_decide(Command::Network(participant, poor)),
            MeetingFact::RoomsSee { rates, alone } => self.rooms_see(rates, alone),
            MeetingFact::Slots { participant, slots } => self.chairs.tell(participant, SeatEvent::Slots(slots)),
        }
    }

    fn tick(&mut self) {
        self.chairs.look_for_gone();
        let gave_up = self.pending.iter().filter(|(_, pending)| pending.answer.is_closed());
        let gave_up: Vec<_> = gave_up.map(|(participant, _)| *participant).collect();
        for participant in gave_up {
            self.pending.remove(&participant);
            self.try_decide(Command::GaveUp(participant));
        }
        self.save_whiteboard();
        self.look_after_rooms();
        self.try_decide(Command::Tick);
        if !self.meeting.is_idle(self.begun.elapsed()) {
            self.empty_since = None;
        } else if self.empty_since.get_or_insert_with(Instant::now).elapsed() >= EMPTY_KEPT {
            self.try_decide(Command::Stop);
        }
    }
}

/// What the audit log has behind the meeting's name: whom it was done to, or what number was called, masked.
fn object_of(action: &Action, whom: Option<ParticipantId>) -> String {
    match (action, whom) {
        (_, Some(whom)) => format!(" participant/{whom}"),
        (Action::Dial { number, .. }, None) => format!(" number/{}", PhoneNumber::new(number)),
        _ => String::new(),
    }
}
