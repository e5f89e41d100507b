//! One live meeting: a task that owns its [`Meeting`], its media and its livestream. All others hold a handle.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use model::{
    AccountId, Action, BroadcastId, BroadcastState, Command, Effect, Event, Join, Meeting, MeetingId, ParticipantId,
    Refusal, Rules,
};
use plane::{LegId, MeetingFact, MeetingMedia, Plane};
use serde_json::json;
use store::Store;
use streaming::{BroadcastFact, NewRecording, Streaming};
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::{
    broadcast::{Livestream, state_of},
    chairs::Chairs,
    handle::{MeetingHandle, Request, Seat, SeatEvent},
    outbox::{Happened, News},
    registry::{Entry, Registry, Way},
};

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
}

/// Begins the task of a meeting that is not live yet. Whoever asks it meanwhile waits until it is, or hears why not.
pub(crate) fn start(entry: Entry, queue: mpsc::Receiver<Request>, resources: Resources) {
    let span = tracing::info_span!("meeting", meeting_id = %entry.id);
    let tasks = entry.registry.tasks.clone();
    tasks.spawn(hold(entry, queue, resources).instrument(span));
}

async fn hold(entry: Entry, mut queue: mpsc::Receiver<Request>, resources: Resources) {
    let (rules, media, facts) = match open(&entry, &resources).await {
        Ok(opened) => opened,
        Err(refusal) => return refuse_all(queue, refusal).await,
    };
    let gauge = metrics::gauge!("conference_meetings");
    gauge.increment(1);
    tracing::info!("meeting opened");
    let live = Live::new(&entry, rules, media.clone(), facts, resources.streaming, resources.news);
    // A panic in one meeting ends that meeting: its participants see their events end.
    if AssertUnwindSafe(live.run(&mut queue)).catch_unwind().await.is_err() {
        tracing::error!("meeting panicked and is ended");
        metrics::counter!("conference_panics").increment(1);
    }
    // In this order: nobody is answered by a meeting without media, and none is opened beside one that has some.
    media.close();
    drop(queue);
    gauge.decrement(1);
    drop(entry);
}

async fn open(
    entry: &Entry,
    resources: &Resources,
) -> Result<(Rules, MeetingMedia, mpsc::Receiver<MeetingFact>), Refusal> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "meeting can't be opened");
        Refusal::Failed
    };
    let found = resources.store.meeting(entry.id).await.map_err(|error| failed(&error))?;
    let row = found.ok_or(Refusal::NoSuchMeeting)?;
    let (media, facts) = resources.plane.open_meeting(entry.id).await.map_err(|error| failed(&error))?;
    let rules = Rules {
        id: entry.id,
        number: row.number,
        title: row.title,
        password: row.password,
        owner: row.owner,
        capacity: row.capacity as usize,
    };
    Ok((rules, media, facts))
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

struct Live {
    id: MeetingId,
    meeting: Meeting,
    begun: Instant,
    media: MeetingMedia,
    facts: mpsc::Receiver<MeetingFact>,
    streaming: Streaming,
    news: News,
    registry: Arc<Registry>,
    way: Way,
    chairs: Chairs,
    livestream: Option<Livestream>,
    /// The livestream that is wanted.
    broadcast: Option<BroadcastId>,
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

impl Live {
    fn new(
        entry: &Entry,
        rules: Rules,
        media: MeetingMedia,
        facts: mpsc::Receiver<MeetingFact>,
        streaming: Streaming,
        news: News,
    ) -> Self {
        let owner = rules.owner;
        Self {
            id: rules.id,
            meeting: Meeting::new(rules),
            begun: Instant::now(),
            media,
            facts,
            streaming,
            news,
            registry: Arc::clone(&entry.registry),
            way: entry.way.clone(),
            chairs: Chairs::default(),
            livestream: None,
            broadcast: None,
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
                    Some(request) => self.take(request).await,
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
                _ = ticks.tick() => self.tick(),
            }
            while let Some(participant) = self.chairs.next_gone() {
                self.try_decide(Command::Lost(participant));
            }
            self.show();
        }
        self.end_livestream();
        if self.seats_ever > 0 {
            self.news.tell(self.id, Happened::MeetingEnded, json!({"participants": self.seats_ever}));
        }
        let (seconds, seats, at_once) = (self.begun.elapsed().as_secs(), self.seats_ever, self.seats_at_once);
        tracing::info!(seconds, seats, at_once, "meeting closed");
    }

    async fn take(&mut self, request: Request) {
        match request {
            Request::Join { join, resume, leg, answer } => {
                let seat = self.join(join, resume, leg).await;
                // Who asked may have gone meanwhile: then his events have no receiver, which the next tick finds.
                let _ = answer.send(seat);
            }
            Request::Act { by, action, answer } => {
                let wait = self.chairs.pace(by, self.begun.elapsed());
                let result = self.act(by, action);
                if wait.is_zero() {
                    let _ = answer.send(result);
                } else {
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        let _ = answer.send(result);
                    });
                }
            }
            Request::Livestream(livestream) => self.livestream_is_there(livestream),
            Request::Stop => self.try_decide(Command::Stop),
            #[cfg(test)]
            Request::Panic => panic!("asked for by a test"),
        }
    }

    async fn join(&mut self, mut join: Join, resume: Option<String>, leg: Option<LegId>) -> Result<Seat, Refusal> {
        join.resume = resume.and_then(|secret| self.chairs.owner_of(&secret));
        let via = join.via.kind();
        let effects = self.meeting.handle(Command::Join(join), self.begun.elapsed())?;
        let seated = effects.iter().find_map(|effect| match effect {
            Effect::Seated { participant, again } => Some((*participant, *again)),
            _ => None,
        });
        let (participant, again) = seated.ok_or(Refusal::Failed)?;
        // The others are told before he listens: for him it is in the snapshot.
        self.carry_out(effects);
        let (resume, events) = self.chairs.place(participant, via);
        self.count_seats();
        if let Some(leg) = leg
            && let Err(error) = self.media.seat_leg(participant, leg).await
        {
            tracing::error!(%participant, %error, "caller's sound can't be brought in");
            self.act(participant, Action::Leave)?;
            return Err(Refusal::Failed);
        }
        let told = SeatEvent::Speaking { participants: self.speaking.clone(), active: self.active };
        self.chairs.tell(participant, told);
        metrics::counter!("conference_joins").increment(1);
        if self.seats_ever == 0 {
            self.news.tell(self.id, Happened::MeetingStarted, json!({}));
        }
        self.seats_ever += u64::from(!again);
        tracing::info!(%participant, ?via, again, "participant joined");
        let handle = MeetingHandle { id: self.id, requests: self.way.requests.clone(), media: self.media.clone() };
        Ok(Seat { participant, resume, handle, snapshot: self.meeting.snapshot(), events })
    }

    fn act(&mut self, by: ParticipantId, action: Action) -> Result<(), Refusal> {
        let livestream = self.registry.unused_livestream(self.id);
        self.decide(Command::Act { by, action, livestream })
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
                Effect::Seated { .. } => {}
                Effect::Tell(seq, event) => self.tell_all(seq, event),
                Effect::Notify(participant, notice) => self.chairs.tell(participant, SeatEvent::Notice(notice)),
                Effect::SetMuted(participant, muted) => self.media.set_muted(participant, muted),
                Effect::Dismiss(participant, reason) => {
                    self.chairs.dismiss(participant, reason);
                    self.media.remove(participant);
                    self.count_seats();
                    tracing::info!(%participant, ?reason, "participant left");
                }
                Effect::StartBroadcast(id) => {
                    self.registry.note_livestream(id, self.id);
                    self.want(Some(id), self.recording);
                }
                Effect::StopBroadcast => self.want(None, self.recording),
                Effect::StartRecording => self.want(self.broadcast, true),
                Effect::StopRecording => self.want(self.broadcast, false),
                Effect::Close => self.closed = true,
            }
        }
    }

    fn tell_all(&mut self, seq: u64, event: Event) {
        match &event {
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
        self.chairs.tell_all(&SeatEvent::Event { seq, event: Arc::new(event) });
    }

    fn count_seats(&mut self) {
        let seats = self.chairs.len();
        self.seats_at_once = self.seats_at_once.max(seats);
        self.way.seats.store(seats, Ordering::Release);
    }

    /// Livestream and recording share one studio, which runs as long as one of them is wanted.
    fn want(&mut self, broadcast: Option<BroadcastId>, recording: bool) {
        (self.broadcast, self.recording) = (broadcast, recording);
        if broadcast.is_none() && !recording {
            return self.end_livestream();
        }
        match &self.livestream {
            Some(_) => self.apply_wishes(),
            None if !self.is_starting => self.start_studio(),
            None => {}
        }
    }

    fn start_studio(&mut self) {
        self.is_starting = true;
        let title = self.meeting.snapshot().meeting.title;
        let (streaming, own) = (self.streaming.clone(), self.way.requests.clone());
        // A program starts: the meeting doesn't wait for it.
        let start = async move {
            let started = Livestream::start(&streaming, title).await;
            if let Err(error) = &started {
                tracing::error!(%error, "studio can't start");
            }
            // A meeting that has ended needs none; dropped, it ends too.
            let _ = own.send(Request::Livestream(started.ok())).await;
        };
        self.registry.tasks.spawn(start.in_current_span());
    }

    fn livestream_is_there(&mut self, livestream: Option<Livestream>) {
        self.is_starting = false;
        match livestream {
            Some(livestream) if self.broadcast.is_some() || self.recording => {
                self.media.start_feed(livestream.feed());
                self.livestream = Some(livestream);
                self.apply_wishes();
            }
            // Stopped while it was being started.
            Some(livestream) => self.end_in_peace(livestream),
            None => self.studio_is_lost(),
        }
    }

    fn apply_wishes(&mut self) {
        let title = self.meeting.snapshot().meeting.title;
        let new = NewRecording { meeting: self.id, broadcast: None, owner: self.owner, title };
        let Some(livestream) = &mut self.livestream else { return };
        if let Err(error) = livestream.publish(self.broadcast) {
            tracing::error!(%error, "livestream can't be published");
        }
        if let Err(error) = livestream.record(self.recording.then_some(new)) {
            tracing::error!(%error, "meeting can't be recorded");
            self.recording_failed();
        }
    }

    fn studio_is_lost(&mut self) {
        if let Some(id) = self.broadcast {
            self.try_decide(Command::Broadcast(id, None));
        }
        if self.recording {
            self.try_decide(Command::RecordingFailed);
        }
        self.end_livestream();
    }

    fn recording_failed(&mut self) {
        self.try_decide(Command::RecordingFailed);
        self.want(self.broadcast, false);
    }

    fn end_livestream(&mut self) {
        (self.broadcast, self.recording) = (None, false);
        if let Some(livestream) = self.livestream.take() {
            self.media.stop_feed();
            self.end_in_peace(livestream);
        }
    }

    /// Its last segments are written while the meeting goes on.
    fn end_in_peace(&self, livestream: Livestream) {
        self.registry.tasks.spawn(livestream.stop().in_current_span());
    }

    fn take_broadcast_fact(&mut self, fact: Option<BroadcastFact>) {
        match fact.unwrap_or(BroadcastFact::Ended) {
            BroadcastFact::KeyframeWanted(participant, kind) => self.media.request_keyframe(participant, kind),
            BroadcastFact::RecordingFailed => self.recording_failed(),
            fact @ (BroadcastFact::Ended | BroadcastFact::Failed(_)) => {
                tracing::error!(?fact, "studio is lost");
                self.studio_is_lost();
            }
            fact @ (BroadcastFact::Live | BroadcastFact::Restarting) => {
                if let Some(id) = self.broadcast {
                    self.try_decide(Command::Broadcast(id, Some(state_of(&fact))));
                }
            }
        }
    }

    fn take_fact(&mut self, fact: MeetingFact) {
        match fact {
            MeetingFact::Connected(participant) => tracing::debug!(%participant, "media connected"),
            MeetingFact::Disconnected(participant) => tracing::debug!(%participant, "media disconnected"),
            MeetingFact::Published { participant, kind, active } => {
                tracing::debug!(%participant, ?kind, active, "track");
            }
            MeetingFact::Speaking { speaking, active } => {
                self.chairs.tell_all(&SeatEvent::Speaking { participants: speaking.clone(), active });
                self.speaking = speaking;
                self.active = active;
            }
            MeetingFact::Slots { participant, slots } => self.chairs.tell(participant, SeatEvent::Slots(slots)),
        }
    }

    fn tick(&mut self) {
        self.chairs.look_for_gone();
        self.try_decide(Command::Tick);
        if !self.meeting.is_idle(self.begun.elapsed()) {
            self.empty_since = None;
        } else if self.empty_since.get_or_insert_with(Instant::now).elapsed() >= EMPTY_KEPT {
            self.try_decide(Command::Stop);
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
