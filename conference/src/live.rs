//! One live meeting: a task that owns its [`Meeting`], its media and its livestream. All others hold a handle.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use model::{
    Action, BroadcastId, Command, Effect, EndReason, Event, Join, Meeting, MeetingId, Notice, ParticipantId, Refusal,
    Rules, Snapshot,
};
use plane::{LegId, MeetingFact, MeetingMedia, SlotAssigned};
use streaming::{BroadcastFact, Streaming};
use tokio::sync::{mpsc, oneshot};

use crate::{
    MediaRefused,
    broadcast::{Livestream, state_of},
    login::sha256,
};

/// Requests that may wait for a meeting. Callers wait in turn beyond it.
const REQUESTS_MAX: usize = 256;

/// Events that may wait for one participant. Who falls further behind is ended with `too_slow`; the others notice
/// nothing. 256 are some seconds of the liveliest meeting.
const EVENTS_MAX: usize = 256;

/// An empty meeting stays open for so long: for the seat of who comes back, and for the next one not to wait.
const EMPTY_KEPT: Duration = Duration::from_secs(30);

/// How often time is told to the meeting.
const TICK: Duration = Duration::from_secs(1);

/// What a participant's edge is told.
#[derive(Debug, Clone)]
pub enum SeatEvent {
    /// Something changed for all.
    Event {
        /// Grows by one.
        seq: u64,
        /// What.
        event: Arc<Event>,
    },
    /// Who speaks.
    Speaking {
        /// All who speak now.
        participants: Vec<ParticipantId>,
        /// The one to show large.
        active: Option<ParticipantId>,
    },
    /// What the receiving m-lines carry.
    Slots(Vec<SlotAssigned>),
    /// For him alone.
    Notice(Notice),
    /// The last one.
    Ended(EndReason),
}

/// Somebody is in.
pub struct Seat {
    /// Who he is there.
    pub participant: ParticipantId,
    /// The secret that gives the seat again.
    pub resume: String,
    /// The way to the meeting.
    pub handle: MeetingHandle,
    /// The state events follow on.
    pub snapshot: Snapshot,
    /// Dropped without [`Action::Leave`], the seat is kept for a minute.
    pub events: mpsc::Receiver<SeatEvent>,
}

/// The way to a live meeting.
#[derive(Clone)]
pub struct MeetingHandle {
    id: MeetingId,
    requests: mpsc::Sender<Request>,
    media: MeetingMedia,
}

enum Request {
    Join {
        join: Join,
        resume: Option<String>,
        leg: Option<LegId>,
        answer: oneshot::Sender<Result<Seat, Refusal>>,
    },
    Act {
        by: ParticipantId,
        action: Action,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// A livestream that was being started, or why it can't be.
    Livestream(BroadcastId, Option<Livestream>),
    Stop,
}

pub(crate) struct Opening {
    pub(crate) rules: Rules,
    pub(crate) media: MeetingMedia,
    pub(crate) facts: mpsc::Receiver<MeetingFact>,
    pub(crate) streaming: Streaming,
}

impl MeetingHandle {
    /// Which meeting.
    #[must_use]
    pub fn id(&self) -> MeetingId {
        self.id
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Does what a participant wants, where he may.
    pub async fn command(&self, by: ParticipantId, action: Action) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request::Act { by, action, answer }).await;
        sent.map_err(|_| Refusal::NoSuchMeeting)?;
        answered.await.map_err(|_| Refusal::NoSuchMeeting)?
    }

    /// Answers the offer of a participant's sending connection.
    pub async fn publish(&self, participant: ParticipantId, offer: String) -> Result<String, MediaRefused> {
        Ok(self.media.publish(participant, offer).await?)
    }

    /// Answers the offer of a participant's receiving connection.
    pub async fn subscribe(&self, participant: ParticipantId, offer: String) -> Result<String, MediaRefused> {
        Ok(self.media.subscribe(participant, offer).await?)
    }

    /// None when the meeting has ended before it could answer.
    pub(crate) async fn join(
        &self,
        join: Join,
        resume: Option<String>,
        leg: Option<LegId>,
    ) -> Option<Result<Seat, Refusal>> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Join { join, resume, leg, answer }).await.ok()?;
        answered.await.ok()
    }

    pub(crate) async fn stop(&self) {
        // One that has ended already needs no telling.
        let _ = self.requests.send(Request::Stop).await;
    }

    pub(crate) async fn closed(&self) {
        self.requests.closed().await;
    }
}

pub(crate) fn start(opening: Opening) -> MeetingHandle {
    let (requests, queue) = mpsc::channel(REQUESTS_MAX);
    let id = opening.rules.id;
    let handle = MeetingHandle { id, requests, media: opening.media.clone() };
    let task = Live::new(opening, handle.requests.downgrade(), handle.clone_weak());
    tokio::spawn(async move {
        let media = task.media.clone();
        metrics::gauge!("conference_meetings").increment(1);
        tracing::info!(meeting_id = %id, "meeting opened");
        // A panic in one meeting ends that meeting: its participants see their events end.
        if AssertUnwindSafe(task.run(queue)).catch_unwind().await.is_err() {
            tracing::error!(meeting_id = %id, "meeting panicked and is ended");
            metrics::counter!("conference_panics").increment(1);
        }
        media.close();
        metrics::gauge!("conference_meetings").decrement(1);
        tracing::info!(meeting_id = %id, "meeting closed");
    });
    handle
}

impl MeetingHandle {
    fn clone_weak(&self) -> WeakHandle {
        WeakHandle { id: self.id, requests: self.requests.downgrade(), media: self.media.clone() }
    }
}

/// A handle that doesn't keep the meeting's queue open: the task's own.
struct WeakHandle {
    id: MeetingId,
    requests: mpsc::WeakSender<Request>,
    media: MeetingMedia,
}

impl WeakHandle {
    fn upgrade(&self) -> Option<MeetingHandle> {
        let requests = self.requests.upgrade()?;
        Some(MeetingHandle { id: self.id, requests, media: self.media.clone() })
    }
}

struct Live {
    meeting: Meeting,
    begun: Instant,
    media: MeetingMedia,
    facts: mpsc::Receiver<MeetingFact>,
    streaming: Streaming,
    own: mpsc::WeakSender<Request>,
    handle: WeakHandle,
    seats: HashMap<ParticipantId, Chair>,
    livestream: Option<Livestream>,
    /// The livestream that was asked for and is not there yet.
    awaited: Option<BroadcastId>,
    speaking: Vec<ParticipantId>,
    active: Option<ParticipantId>,
    empty_since: Option<Instant>,
    closed: bool,
}

struct Chair {
    events: Option<mpsc::Sender<SeatEvent>>,
    resume_sha256: String,
}

impl Live {
    fn new(opening: Opening, own: mpsc::WeakSender<Request>, handle: WeakHandle) -> Self {
        Self {
            meeting: Meeting::new(opening.rules),
            begun: Instant::now(),
            media: opening.media,
            facts: opening.facts,
            streaming: opening.streaming,
            own,
            handle,
            seats: HashMap::new(),
            livestream: None,
            awaited: None,
            speaking: Vec::new(),
            active: None,
            empty_since: Some(Instant::now()),
            closed: false,
        }
    }

    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut ticks = tokio::time::interval(TICK);
        while !self.closed {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.take(request).await,
                    None => break,
                },
                fact = self.facts.recv() => match fact {
                    Some(fact) => self.take_fact(fact),
                    // The media worker lost this meeting.
                    None => self.do_all(Command::Stop),
                },
                fact = broadcast_fact(&mut self.livestream) => self.take_broadcast_fact(fact),
                _ = ticks.tick() => self.tick(),
            }
            self.show();
        }
        // No request is answered any more: who waits sees the meeting gone and opens it anew.
        requests.close();
        if let Some(livestream) = self.livestream.take() {
            livestream.stop().await;
        }
    }

    async fn take(&mut self, request: Request) {
        match request {
            Request::Join { join, resume, leg, answer } => {
                let seat = self.join(join, resume, leg).await;
                // Who asked may have hung up meanwhile: then the seat's events have no receiver, which is found below.
                let _ = answer.send(seat);
            }
            Request::Act { by, action, answer } => {
                let result = self.decide(Command::Act { by, action });
                let _ = answer.send(result);
            }
            Request::Livestream(id, livestream) => self.livestream_is_there(id, livestream),
            Request::Stop => self.do_all(Command::Stop),
        }
    }

    async fn join(&mut self, mut join: Join, resume: Option<String>, leg: Option<LegId>) -> Result<Seat, Refusal> {
        if let Some(secret) = resume {
            let sha256 = sha256(&secret);
            let owner = self.seats.iter().find(|(_, chair)| chair.resume_sha256 == sha256);
            join.resume = owner.map(|(participant, _)| *participant);
        }
        let effects = self.meeting.handle(Command::Join(join), self.begun.elapsed())?;
        let seated = effects.iter().find_map(|effect| match effect {
            Effect::Seated { participant, .. } => Some(*participant),
            _ => None,
        });
        let participant = seated.ok_or(Refusal::Failed)?;
        if let Some(leg) = leg
            && let Err(error) = self.media.seat_leg(participant, leg).await
        {
            tracing::error!(%participant, %error, "caller's sound can't be brought in");
            self.do_all(Command::Act { by: participant, action: Action::Leave });
            return Err(Refusal::Failed);
        }
        let resume = hex::encode(rand::random::<[u8; 16]>());
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let chair = Chair { events: None, resume_sha256: sha256(&resume) };
        if let Some(earlier) = self.seats.insert(participant, chair).and_then(|chair| chair.events) {
            // The newest connection wins; one that is full sees its channel end.
            let _ = earlier.try_send(SeatEvent::Ended(EndReason::Replaced));
        }
        self.carry_out(effects);
        // From here on he follows by himself: what was told so far is in the snapshot.
        let snapshot = self.meeting.snapshot();
        if let Some(chair) = self.seats.get_mut(&participant) {
            let told = SeatEvent::Speaking { participants: self.speaking.clone(), active: self.active };
            let _ = events.try_send(told);
            chair.events = Some(events);
        }
        metrics::counter!("conference_joins").increment(1);
        let handle = self.handle.upgrade().ok_or(Refusal::Failed)?;
        Ok(Seat { participant, resume, handle, snapshot, events: receiver })
    }

    /// For commands whose refusal concerns nobody.
    fn do_all(&mut self, command: Command) {
        if let Err(refusal) = self.decide(command) {
            tracing::debug!(%refusal, "refused");
        }
    }

    fn decide(&mut self, command: Command) -> Result<(), Refusal> {
        let effects = self.meeting.handle(command, self.begun.elapsed())?;
        self.carry_out(effects);
        Ok(())
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Seated { .. } => {}
                Effect::Tell(seq, event) => self.tell_all(&SeatEvent::Event { seq, event: Arc::new(event) }),
                Effect::Notify(participant, notice) => self.tell(participant, SeatEvent::Notice(notice)),
                Effect::SetMuted(participant, muted) => self.media.set_muted(participant, muted),
                Effect::Dismiss(participant, reason) => {
                    self.tell(participant, SeatEvent::Ended(reason));
                    self.seats.remove(&participant);
                    self.media.remove(participant);
                }
                Effect::StartBroadcast(id) => self.start_livestream(id),
                Effect::StopBroadcast => {
                    self.awaited = None;
                    self.media.stop_feed();
                    if let Some(livestream) = self.livestream.take() {
                        // Its last segments are written while the meeting goes on.
                        tokio::spawn(livestream.stop());
                    }
                }
                Effect::Close => self.closed = true,
            }
        }
    }

    fn start_livestream(&mut self, id: BroadcastId) {
        self.awaited = Some(id);
        let (streaming, own) = (self.streaming.clone(), self.own.clone());
        let title = self.meeting.snapshot().meeting.title;
        // A program starts: the meeting doesn't wait for it.
        tokio::spawn(async move {
            let started = Livestream::start(&streaming, id, title).await;
            if let Err(error) = &started {
                tracing::error!(broadcast_id = %id, %error, "livestream can't start");
            }
            if let Some(own) = own.upgrade() {
                // A meeting that has ended needs none; dropped, it ends too.
                let _ = own.send(Request::Livestream(id, started.ok())).await;
            }
        });
    }

    fn livestream_is_there(&mut self, id: BroadcastId, livestream: Option<Livestream>) {
        match livestream {
            Some(livestream) if self.awaited == Some(id) => {
                self.awaited = None;
                self.media.start_feed(livestream.feed());
                self.livestream = Some(livestream);
            }
            // Stopped while it was being started.
            Some(livestream) => drop(tokio::spawn(livestream.stop())),
            None => self.do_all(Command::Broadcast(id, None)),
        }
    }

    fn take_broadcast_fact(&mut self, fact: Option<BroadcastFact>) {
        let Some(id) = self.livestream.as_ref().map(|livestream| livestream.id) else { return };
        let fact = fact.unwrap_or(BroadcastFact::Ended);
        if let BroadcastFact::KeyframeWanted(participant, kind) = fact {
            return self.media.request_keyframe(participant, kind);
        }
        if let BroadcastFact::Failed(reason) = &fact {
            tracing::error!(broadcast_id = %id, reason, "livestream failed");
        }
        let Some(state) = state_of(&fact) else { return };
        if state.is_none() {
            self.media.stop_feed();
            self.livestream = None;
        }
        self.do_all(Command::Broadcast(id, state));
    }

    fn take_fact(&mut self, fact: MeetingFact) {
        match fact {
            MeetingFact::Connected(participant) => tracing::debug!(%participant, "media connected"),
            MeetingFact::Disconnected(participant) => tracing::debug!(%participant, "media disconnected"),
            MeetingFact::Published { participant, kind, active } => {
                tracing::debug!(%participant, ?kind, active, "track");
            }
            MeetingFact::Speaking { speaking, active } => {
                self.tell_all(&SeatEvent::Speaking { participants: speaking.clone(), active });
                self.speaking = speaking;
                self.active = active;
            }
            MeetingFact::Slots { participant, slots } => self.tell(participant, SeatEvent::Slots(slots)),
        }
    }

    fn tick(&mut self) {
        // A dropped receiver is a lost connection.
        let is_lost = |chair: &Chair| chair.events.as_ref().is_some_and(mpsc::Sender::is_closed);
        let lost: Vec<_> = self.seats.iter().filter(|(_, chair)| is_lost(chair)).map(|(id, _)| *id).collect();
        for participant in lost {
            if let Some(chair) = self.seats.get_mut(&participant) {
                chair.events = None;
            }
            self.do_all(Command::Lost(participant));
        }
        self.do_all(Command::Tick);
        if !self.meeting.is_empty() {
            self.empty_since = None;
        } else if self.empty_since.get_or_insert_with(Instant::now).elapsed() > EMPTY_KEPT {
            self.do_all(Command::Stop);
        }
    }

    fn tell_all(&mut self, event: &SeatEvent) {
        let all: Vec<ParticipantId> = self.seats.keys().copied().collect();
        for participant in all {
            self.tell(participant, event.clone());
        }
    }

    fn tell(&mut self, participant: ParticipantId, event: SeatEvent) {
        let Some(chair) = self.seats.get_mut(&participant) else { return };
        let Some(events) = &chair.events else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = events.try_send(event) {
            // His edge sees the channel end after what is queued; the seat is kept as for any lost connection.
            tracing::warn!(%participant, "participant does not take his events");
            metrics::counter!("conference_too_slow").increment(1);
            chair.events = None;
        }
    }

    fn show(&mut self) {
        if let Some(livestream) = &mut self.livestream {
            livestream.show(&self.meeting.snapshot(), &self.speaking, self.active);
        }
    }
}

async fn broadcast_fact(livestream: &mut Option<Livestream>) -> Option<BroadcastFact> {
    match livestream {
        Some(livestream) => livestream.facts.recv().await,
        None => std::future::pending().await,
    }
}
