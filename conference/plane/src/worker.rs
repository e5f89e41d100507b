//! A media worker: one thread that owns WebRTC sockets, the phone legs' sockets, and the rooms whose media they carry.
//!
//! The loop waits for a datagram of a browser, a command, or the time to mix a meeting ([`crate::phases`]), whichever is first; the
//! legs' sockets are read when it is time to mix ([`crate::legs`]). Nothing in it blocks.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use leg::{Leg, LegConfig, LegStats};
use media::Ssrc;
use mio::{Events, Poll, Token, Waker};
use mixer::{LineCare, Mixer, Recording, SeatKey};
use model::{MeetingId, ParticipantId};
use rustix::{process::setpriority_process, thread::gettid};
use sfu::{PeerKey, Sfu, SfuConfig, SfuError, SfuEvent, SfuStats, Transmit};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::mpsc::{self, error::TryRecvError};

use crate::{
    LOUDEST, LegFact, LegId, PlaneConfig, PlaneError,
    alarm::Alarm,
    command::{Command, LegAddress, LegCommand, LegReport, MeetingCommand, SeatLeg},
    legs::{LegSlot, Legs, Place},
    lobby::Lobby,
    phases::{Phases, Turn},
    pictures::Pictures,
    ports::RtpSockets,
    room::Room,
    sockets::Sockets,
};

/// Commands that may wait for a worker. It empties the queue at least every tick, so a full one means a dead worker.
const COMMANDS_MAX: usize = 4096;

/// Batches read from the WebRTC sockets before the legs and the clock get their turn; about 1 ms of work.
const WEBRTC_BUDGET: usize = 8;

/// What is sent together, and kept until it is: more would take more memory for no fewer calls of the system.
const LEAVING_MAX: usize = 256;

/// Niceness of a worker's thread, where it may not go before all others: what comes every 20 ms goes before what somebody waits for once.
const NICENESS: i32 = -11;

const WAKE: Token = Token(0);
const ALARM: Token = Token(1);

/// How the rest of the server reaches one worker.
pub(crate) struct WorkerHandle {
    index: usize,
    queue: mpsc::Sender<Command>,
    waker: Arc<Waker>,
    pub(crate) webrtc: SocketAddr,
    load: Arc<AtomicUsize>,
}

impl WorkerHandle {
    /// Waits for room in the queue.
    pub(crate) async fn send(&self, command: Command) -> Result<(), PlaneError> {
        self.send_unhurried(command).await?;
        self.wake();
        Ok(())
    }

    /// The same for what has time until the next tick, or is followed by what hasn't.
    pub(crate) async fn send_unhurried(&self, command: Command) -> Result<(), PlaneError> {
        self.queue.send(command).await.map_err(|_| PlaneError::WorkerGone)
    }

    /// How many meetings, members of them and telephones it has.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// One more comes to it, until it has counted anew.
    pub(crate) fn expect_one(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    /// Never waits; see [`COMMANDS_MAX`].
    pub(crate) fn tell(&self, command: Command) {
        self.tell_unhurried(command);
        self.wake();
    }

    /// The same for what has time until the next tick.
    pub(crate) fn tell_unhurried(&self, command: Command) {
        if self.queue.try_send(command).is_err() {
            tracing::error!(worker = self.index, "media worker takes no commands");
            metrics::counter!("plane_commands_dropped").increment(1);
        }
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::warn!(worker = self.index, %error, "media worker could not be woken");
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.tell(Command::Stop);
    }
}

/// From now on this thread runs as soon as it has something to do, whatever else the machine does (sched(7), `SCHED_RR`), at the lowest of
/// such priorities. The kernel keeps a twentieth of each core for the others even if it never rested (`sched_rt_runtime_us`).
fn go_first() -> Result<(), thread_priority::Error> {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
}

/// Binds everything first, so that a taken port is an error of the start and not of a thread.
pub(crate) fn start_all(config: &PlaneConfig) -> Result<Vec<WorkerHandle>, PlaneError> {
    let mut handles = Vec::new();
    let mut workers = Vec::new();
    for index in 0..config.workers.max(1) {
        let mut address = config.webrtc_bind;
        if address.port() != 0 {
            address.set_port(address.port().wrapping_add(index as u16));
        }
        let poll = Poll::new().map_err(PlaneError::Worker)?;
        let sockets = Sockets::bind(address, &config.webrtc_announced, poll.registry())?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(PlaneError::Worker)?);
        let alarm = Alarm::new(poll.registry(), ALARM).map_err(PlaneError::Worker)?;
        let (queue, commands) = mpsc::channel(COMMANDS_MAX);
        let load = Arc::new(AtomicUsize::new(0));
        handles.push(WorkerHandle { index, queue, waker, webrtc: sockets.local(), load: Arc::clone(&load) });
        let sfu = Sfu::new(SfuConfig { candidates: sockets.candidates() })?;
        workers.push((poll, alarm, sockets, sfu, commands, load));
    }
    let routes: Arc<[(mpsc::Sender<Command>, Arc<Waker>)]> =
        handles.iter().map(|handle| (handle.queue.clone(), Arc::clone(&handle.waker))).collect();
    for (index, (poll, alarm, sockets, sfu, commands, load)) in workers.into_iter().enumerate() {
        let routes = Arc::clone(&routes);
        let PlaneConfig { care, loudest, .. } = *config;
        let run = move || {
            let worker = Worker::new(index, (poll, alarm), sockets, sfu, commands, routes);
            Worker { care, loudest, load, ..worker }.run();
        };
        thread::Builder::new().name(format!("media-{index}")).spawn(run).map_err(PlaneError::Worker)?;
    }
    Ok(handles)
}

/// Which of a participant's two connections a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRole {
    /// He sends by it.
    Publisher,
    /// He receives by it.
    Subscriber,
}

struct Worker {
    index: usize,
    poll: Poll,
    alarm: Alarm,
    sockets: Sockets,
    sfu: Sfu,
    commands: mpsc::Receiver<Command>,
    /// The queues of all workers, for legs that move.
    routes: Arc<[(mpsc::Sender<Command>, Arc<Waker>)]>,
    rooms: HashMap<MeetingId, Box<Room>>,
    /// Of telephones in meetings.
    care: LineCare,
    /// Voices that a browser is sent at once.
    loudest: usize,
    peers: HashMap<PeerKey, (MeetingId, ParticipantId, PeerRole)>,
    legs: Legs,
    lobby: Lobby,
    /// Meetings that browsers have sent something to in this turn.
    fed: Vec<MeetingId>,
    /// What is about to be sent.
    leaving: Vec<Transmit>,
    /// As it was counted last.
    dropped: SfuStats,
    phases: Phases,
    /// What the turns of this tick took so far.
    ticked: Duration,
    /// See [`WorkerHandle::load`].
    load: Arc<AtomicUsize>,
}

impl Worker {
    fn new(
        index: usize,
        (poll, alarm): (Poll, Alarm),
        sockets: Sockets,
        sfu: Sfu,
        commands: mpsc::Receiver<Command>,
        routes: Arc<[(mpsc::Sender<Command>, Arc<Waker>)]>,
    ) -> Self {
        Self {
            index,
            poll,
            alarm,
            sockets,
            sfu,
            commands,
            routes,
            rooms: HashMap::new(),
            care: LineCare::default(),
            loudest: LOUDEST,
            peers: HashMap::new(),
            legs: Legs::new(),
            lobby: Lobby::default(),
            fed: Vec::new(),
            leaving: Vec::new(),
            dropped: SfuStats::default(),
            phases: Phases::new(Instant::now()),
            ticked: Duration::ZERO,
            load: Arc::default(),
        }
    }

    fn run(mut self) {
        // Without the right to it (CAP_SYS_NICE, RLIMIT_NICE) sound only comes later while the rest is busy.
        if go_first().is_err()
            && let Err(error) = setpriority_process(Some(gettid()), NICENESS)
        {
            tracing::info!(worker = self.index, %error, "media worker has no priority");
        }
        let mut events = Events::with_capacity(64);
        loop {
            let patience = self.patience();
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(worker = self.index, %error, "media worker cannot wait for its sockets");
                return;
            }
            let now = Instant::now();
            for event in &events {
                self.sockets.ready(event, now);
            }
            self.read_webrtc(now);
            if self.take_commands(now).is_break() {
                return;
            }
            if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
                self.sfu.handle_timeout(now);
            }
            self.take_sfu_events(now);
            if let Some(turn) = self.phases.take(now) {
                self.tick(&turn, now);
            }
            self.flush(now);
        }
    }

    /// How long there is nothing to do but wait. The alarm ends it where whole milliseconds don't.
    fn patience(&mut self) -> Duration {
        if self.sockets.is_readable() {
            return Duration::ZERO;
        }
        let next = self.phases.next();
        let wake = self.sfu.poll_timeout().map_or(next, |at| at.min(next));
        if let Err(error) = self.alarm.set(wake) {
            tracing::debug!(worker = self.index, %error, "media worker wakes by whole milliseconds");
        }
        wake.saturating_duration_since(Instant::now())
    }

    fn read_webrtc(&mut self, now: Instant) {
        for _ in 0..WEBRTC_BUDGET {
            if !self.sockets.is_readable() {
                return;
            }
            let sfu = &mut self.sfu;
            self.sockets.receive(now, |from, to, datagram| sfu.handle_datagram(from, to, datagram, now));
            self.take_sfu_events(now);
        }
    }

    fn take_commands(&mut self, now: Instant) -> std::ops::ControlFlow<()> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return std::ops::ControlFlow::Break(()),
                Err(TryRecvError::Empty) => return std::ops::ControlFlow::Continue(()),
                Ok(Command::OpenMeeting { id, facts }) => {
                    self.phases.add(id, |other| self.rooms.get(&other).map_or(0, |room| room.len()));
                    self.rooms.insert(id, Box::new(Room::new(id, facts, self.care, self.loudest)));
                }
                Ok(Command::Meeting { id, command }) => {
                    self.guarded(id, |worker| worker.meeting_command(id, command, now));
                }
                Ok(Command::OpenLeg { address, sockets, facts }) => self.open_leg(address, sockets, facts, now),
                Ok(Command::Leg { address, command }) => self.leg_command(address, command, now),
                Ok(Command::Adopt { slot, seat }) => self.adopt(slot, seat),
            }
        }
    }

    fn meeting_command(&mut self, id: MeetingId, command: MeetingCommand, now: Instant) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        match command {
            MeetingCommand::Publish { participant, offer, reply } => {
                let answered = self.sfu.publish(&offer, now);
                // Who asked may have gone meanwhile.
                let _ = reply.send(self.publishes(id, participant, answered));
            }
            MeetingCommand::Ingest { participant, offer, reply } => {
                let answered = self.sfu.ingest(&offer, now);
                let _ = reply.send(self.publishes(id, participant, answered));
            }
            MeetingCommand::BeginBringing { participant, keyframe_wanted, reply } => {
                let _ = reply.send(room.begin_bringing(participant, keyframe_wanted));
            }
            MeetingCommand::Bring { participant, packets } => {
                room.bring(participant, packets, now);
                if self.fed.last() != Some(&id) {
                    self.fed.push(id);
                }
            }
            MeetingCommand::Subscribe { participant, offer, reply } => {
                let _ = reply.send(self.subscribe(id, participant, &offer, now));
            }
            MeetingCommand::Watch { viewer, offer, reply } => {
                let answer = room.add_viewer(viewer).and_then(|()| self.subscribe(id, viewer, &offer, now));
                if answer.is_err() {
                    self.remove_participant(id, viewer);
                }
                let _ = reply.send(answer);
            }
            MeetingCommand::Restart { participant, role, offer, reply } => {
                let peer = room.peer_of(participant, role).ok_or(PlaneError::NoMeeting(id));
                let _ = reply.send(peer.and_then(|peer| Ok(self.sfu.restart(peer, &offer, now)?)));
            }
            MeetingCommand::SetMuted { participant, muted } => room.set_muted(participant, muted),
            MeetingCommand::SetPictures { participant, camera, screen } => {
                room.set_pictures(participant, camera, screen);
            }
            MeetingCommand::LetMusic { participant } => room.let_music(participant),
            MeetingCommand::ListenAnew { participant } => room.listen_anew(participant),
            MeetingCommand::SetPart { participant, part } => match room.set_part(participant, part) {
                Ok(moved) => {
                    if let Some((leg, seat)) = moved
                        && let Some(slot) = self.legs.get_mut(leg)
                    {
                        slot.place = Place::Meeting(id, seat);
                        self.restore_volume(leg);
                    }
                }
                Err(error) => tracing::error!(%participant, %error, "participant can't be moved"),
            },
            MeetingCommand::Show { participant, shown } => room.set_shown(participant, shown),
            MeetingCommand::Freezes { participant, freezes } => room.set_freezes(participant, freezes, now),
            MeetingCommand::Quality { reply } => {
                // Who asked may have gone.
                let _ = reply.send(Ok(room.quality(now)));
            }
            MeetingCommand::Remove { participant, reply } => {
                if let Some(stats) = self.remove_participant(id, participant) {
                    // Who asked may have gone.
                    let _ = reply.send(stats);
                }
            }
            #[cfg(test)]
            MeetingCommand::Panic => panic!("as it was told"),
            MeetingCommand::StartFeed { audience, feed } => room.start_feed(audience, feed),
            MeetingCommand::StopFeed { audience } => room.stop_feed(audience),
            MeetingCommand::Composed { picture } => room.take_composed(&picture),
            MeetingCommand::RequestKeyframe { participant, kind } => {
                room.want_keyframe(participant, kind, now);
            }
            MeetingCommand::Close => self.close_room(id),
        }
    }

    /// From now on he sends by this connection.
    fn publishes(
        &mut self,
        id: MeetingId,
        participant: ParticipantId,
        answered: Result<(PeerKey, String), SfuError>,
    ) -> Result<String, PlaneError> {
        let (peer, answer) = answered?;
        let room = self.rooms.get_mut(&id).ok_or(PlaneError::NoMeeting(id))?;
        let earlier = room.set_publisher(participant, peer)?;
        room.begin_anew(participant, &mut self.sfu);
        self.peers.insert(peer, (id, participant, PeerRole::Publisher));
        if let Some(earlier) = earlier {
            self.peers.remove(&earlier);
            self.sfu.remove(earlier);
        }
        Ok(answer)
    }

    /// From now on he receives by this connection.
    fn subscribe(
        &mut self,
        id: MeetingId,
        participant: ParticipantId,
        offer: &str,
        now: Instant,
    ) -> Result<String, PlaneError> {
        let room = self.rooms.get_mut(&id).ok_or(PlaneError::NoMeeting(id))?;
        let (peer, answer, slots) = self.sfu.subscribe(offer, now)?;
        if let Some(earlier) = room.set_subscriber(participant, peer, slots) {
            self.peers.remove(&earlier);
            room.delivered(participant, self.sfu.remove(earlier));
        }
        self.peers.insert(peer, (id, participant, PeerRole::Subscriber));
        Ok(answer)
    }

    /// How the sound of a browser of his came and went.
    fn remove_participant(&mut self, id: MeetingId, participant: ParticipantId) -> Option<LegStats> {
        let mut gone = self.rooms.get_mut(&id)?.remove(participant)?;
        for peer in gone.peers {
            self.peers.remove(&peer);
            gone.reception.delivered(self.sfu.remove(peer));
        }
        if let Some((leg, line)) = gone.leg {
            if let Some(slot) = self.legs.get_mut(leg) {
                slot.line = line;
                slot.play_lost(gone.unheard);
            }
            self.seat_in_lobby(leg);
        }
        Some(gone.reception.stats())
    }

    fn close_room(&mut self, id: MeetingId) {
        let participants = self.rooms.get(&id).map(|room| room.participants()).unwrap_or_default();
        for participant in participants {
            self.remove_participant(id, participant);
        }
        self.rooms.remove(&id);
        self.phases.remove(id);
    }

    fn open_leg(&mut self, address: Arc<LegAddress>, sockets: RtpSockets, facts: mpsc::Sender<LegFact>, now: Instant) {
        self.legs.insert(LegSlot::new(address, sockets, facts, now));
    }

    fn leg_command(&mut self, address: Arc<LegAddress>, command: LegCommand, now: Instant) {
        let id = address.id;
        if self.legs.get(id).is_none() {
            // It has moved while the command was under way; a closed one is nowhere, and the answer's sender drops.
            let worker = address.worker();
            if worker != self.index {
                self.forward(worker, Command::Leg { address, command });
            }
            return;
        }
        match command {
            LegCommand::Begin { settings, at } => {
                if let Err(error) = self.start_leg(id, *settings, at) {
                    tracing::error!(leg = ?id, %error, "leg can't begin");
                }
            }
            LegCommand::Start { settings, reply } => {
                let _ = reply.send(self.start_leg(id, *settings, now));
            }
            LegCommand::Play { id: play, clip, looping } => match self.seat_of(id) {
                Some((mixer, seat)) => mixer.play(seat, play, clip, looping),
                // Who hears nothing has heard it: whoever plays it waits for its end.
                None => self.legs.play_done(id, play),
            },
            LegCommand::StopPlaying => {
                if let Some((mixer, seat)) = self.seat_of(id) {
                    mixer.stop_playing(seat);
                }
            }
            LegCommand::SetVolume { volume } => {
                if let Some(slot) = self.legs.get_mut(id) {
                    slot.volume = volume;
                }
                self.restore_volume(id);
            }
            LegCommand::OpenPictures { sockets } => {
                if let Some(slot) = self.legs.get_mut(id) {
                    slot.pictures = Some(Box::new(Pictures::new(sockets, now)));
                }
            }
            LegCommand::SetPictures { settings } => {
                if let Some(slot) = self.legs.get_mut(id)
                    && let Some(pictures) = &mut slot.pictures
                {
                    pictures.set(settings.map(|settings| *settings), slot.started, now);
                }
            }
            LegCommand::KeyframeWanted => {
                if let Some(pictures) = self.legs.get_mut(id).and_then(|slot| slot.pictures.as_mut()) {
                    pictures.keyframe_wanted();
                }
            }
            LegCommand::IgnoreTones { unless_used } => {
                if let Some(leg) = self.legs.get_mut(id).and_then(|slot| slot.leg.as_mut()) {
                    leg.ignore_tones(unless_used);
                }
            }
            LegCommand::Record => {
                if let Some(slot) = self.legs.get_mut(id) {
                    slot.recording = slot.leg.as_ref().map(|leg| Recording::new(leg.codec()));
                }
            }
            LegCommand::Recorded { reply } => {
                let recording = self.legs.get_mut(id).and_then(|slot| slot.recording.take());
                let _ = reply.send(recording.ok_or(PlaneError::NoLeg(id)));
            }
            LegCommand::Report { reply } => {
                let _ = reply.send(Ok(self.report(id)));
            }
            LegCommand::Seat(seat) if seat.worker == self.index => self.seat_leg(id, seat),
            LegCommand::Seat(seat) => {
                let Some(mut slot) = self.legs.remove(id) else { return };
                self.leave_place(&mut slot);
                slot.address.moved_to(seat.worker);
                self.forward(seat.worker, Command::Adopt { slot: Box::new(slot), seat });
            }
            LegCommand::Close => self.close_leg(id),
        }
    }

    fn report(&self, id: LegId) -> LegReport {
        let Some(slot) = self.legs.get(id) else { return LegReport::default() };
        let in_meeting = match slot.place {
            Place::Meeting(meeting, _) => self.rooms.get(&meeting).and_then(|room| room.line_of(id)),
            Place::Nowhere | Place::Lobby(_) => None,
        };
        LegReport {
            stats: slot.leg.as_ref().map(Leg::stats).unwrap_or_default(),
            line: in_meeting.unwrap_or(slot.line),
        }
    }

    fn forward(&self, worker: usize, command: Command) {
        let (queue, waker) = &self.routes[worker];
        if queue.try_send(command).is_err() {
            tracing::error!(worker, "media worker takes no commands");
            metrics::counter!("plane_commands_dropped").increment(1);
        }
        // A worker that cannot be woken sees its queue at its next tick.
        let _ = waker.wake();
    }

    fn start_leg(&mut self, id: LegId, config: LegConfig, now: Instant) -> Result<(), PlaneError> {
        let slot = self.legs.get_mut(id).ok_or(PlaneError::NoLeg(id))?;
        // Taking the port anew costs packets.
        if !slot.leg.as_ref().is_some_and(|leg| leg.stays_certain(&config)) {
            slot.open(now).map_err(PlaneError::Worker)?;
        }
        if let Some(leg) = slot.leg.as_mut().filter(|leg| leg.codec() == config.codec) {
            leg.reconfigure(config, now);
            return Ok(());
        }
        self.begin_leg(id, config, now)
    }

    /// With another codec than before, if there was one.
    fn begin_leg(&mut self, id: LegId, config: LegConfig, now: Instant) -> Result<(), PlaneError> {
        let codec = config.codec;
        let slot = self.legs.get_mut(id).ok_or(PlaneError::NoLeg(id))?;
        let leg = Leg::new(config, Ssrc(rand::random()), now).counting_from(slot.started);
        slot.leg = Some(match slot.leg.take() {
            Some(before) => leg.following(before, now),
            None => leg,
        });
        match slot.place {
            Place::Nowhere => self.seat_in_lobby(id),
            Place::Lobby(seat) => {
                let playing = self.lobby.remove(seat);
                self.seat_in_lobby(id);
                if let (Some(playing), Some((mixer, seat))) = (playing, self.seat_of(id)) {
                    mixer.play_on(seat, playing);
                }
            }
            Place::Meeting(meeting, _) => {
                if let Some(room) = self.rooms.get_mut(&meeting) {
                    let seat = room.change_leg_codec(id, codec)?;
                    slot.place = Place::Meeting(meeting, seat);
                }
            }
        }
        self.restore_volume(id);
        Ok(())
    }

    /// The mixer a leg listens to, and its seat there.
    fn seat_of(&mut self, id: LegId) -> Option<(&mut Mixer, SeatKey)> {
        match self.legs.get(id)?.place {
            Place::Nowhere => None,
            Place::Lobby(seat) => Some((self.lobby.mixer(), seat)),
            Place::Meeting(meeting, seat) => Some((self.rooms.get_mut(&meeting)?.mixer_of(id)?, seat)),
        }
    }

    /// After his seat has changed.
    fn restore_volume(&mut self, id: LegId) {
        let Some(volume) = self.legs.get(id).map(|slot| slot.volume) else { return };
        if let Some((mixer, seat)) = self.seat_of(id) {
            mixer.set_volume(seat, volume);
        }
    }

    fn seat_in_lobby(&mut self, id: LegId) {
        let Some(slot) = self.legs.get_mut(id) else { return };
        let Some(codec) = slot.leg.as_ref().map(Leg::codec) else { return };
        slot.place = match self.lobby.add(id, codec) {
            Ok(seat) => Place::Lobby(seat),
            Err(error) => {
                tracing::error!(leg = ?id, %error, "leg cannot be heard");
                Place::Nowhere
            }
        };
    }

    /// What belonged to where it was is over there.
    fn leave_place(&mut self, slot: &mut LegSlot) {
        let unheard = match std::mem::replace(&mut slot.place, Place::Nowhere) {
            Place::Nowhere => None,
            Place::Lobby(seat) => self.lobby.remove(seat),
            Place::Meeting(meeting, _) => self.rooms.get_mut(&meeting).and_then(|room| room.leg_gone(slot.id())),
        };
        slot.play_lost(unheard);
    }

    fn seat_leg(&mut self, id: LegId, seat: SeatLeg) {
        let result = self.seat(id, &seat);
        let _ = seat.reply.send(result);
    }

    fn seat(&mut self, id: LegId, seat: &SeatLeg) -> Result<(), PlaneError> {
        let room = self.rooms.get_mut(&seat.meeting).ok_or(PlaneError::NoMeeting(seat.meeting))?;
        let slot = self.legs.get_mut(id).ok_or(PlaneError::NoLeg(id))?;
        let codec = slot.leg.as_ref().map(Leg::codec).ok_or(PlaneError::NoLeg(id))?;
        let key = room.seat_leg(seat.participant, id, codec)?;
        if slot.pictures.is_some() {
            // They have nothing to do with those of another telephone of his.
            room.renew_camera(seat.participant, &mut self.sfu);
        }
        let unheard = match std::mem::replace(&mut slot.place, Place::Meeting(seat.meeting, key)) {
            Place::Nowhere => None,
            Place::Lobby(key) => self.lobby.remove(key),
            Place::Meeting(earlier, _) if earlier == seat.meeting => None,
            Place::Meeting(earlier, _) => self.rooms.get_mut(&earlier).and_then(|room| room.leg_gone(id)),
        };
        slot.play_lost(unheard);
        Ok(())
    }

    fn adopt(&mut self, slot: Box<LegSlot>, seat: SeatLeg) {
        let id = slot.id();
        self.legs.insert(*slot);
        self.seat_leg(id, seat);
        if self.legs.get(id).is_some_and(|slot| matches!(slot.place, Place::Nowhere)) {
            self.seat_in_lobby(id);
        }
    }

    fn close_leg(&mut self, id: LegId) {
        let Some(mut slot) = self.legs.remove(id) else { return };
        self.leave_place(&mut slot);
        if let Some(leg) = &slot.leg {
            let pictures = slot.pictures.as_ref().and_then(|pictures| pictures.stats());
            tracing::info!(leg = id.0, codec = %leg.codec(), stats = ?leg.stats(), ?pictures, "leg closed");
        }
    }

    fn take_sfu_events(&mut self, now: Instant) {
        while let Some(event) = self.sfu.poll_event() {
            let Some((meeting, participant, role)) = self.peers.get(&event.peer()).copied() else { continue };
            self.guarded(meeting, |worker| worker.take_sfu_event(event, (meeting, participant, role), now));
        }
    }

    fn take_sfu_event(
        &mut self,
        event: SfuEvent,
        (meeting, participant, role): (MeetingId, ParticipantId, PeerRole),
        now: Instant,
    ) {
        if let SfuEvent::Disconnected(peer, _) = &event {
            self.peers.remove(peer);
        }
        let Some(room) = self.rooms.get_mut(&meeting) else { return };
        match event {
            SfuEvent::Media { kind, layer, packet, .. } => {
                room.media(participant, (kind, layer), packet, now);
                if self.fed.last() != Some(&meeting) {
                    self.fed.push(meeting);
                }
            }
            SfuEvent::KeyframeWanted { slot, .. } => room.keyframe_wanted(participant, slot),
            SfuEvent::Estimate { bitrate, .. } => room.set_estimate(participant, bitrate, now),
            SfuEvent::Reordered(_) => room.renew_camera(participant, &mut self.sfu),
            SfuEvent::Connected(_) => room.connected(participant, role),
            SfuEvent::Disconnected(_, delivery) => room.peer_gone(participant, role, delivery),
        }
    }

    /// Works on one meeting. Where that panics it is closed, no other notices, and this is false.
    fn guarded(&mut self, meeting: MeetingId, work: impl FnOnce(&mut Self)) -> bool {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_ok() {
            return true;
        }
        tracing::error!(meeting_id = %meeting, "meeting's media panicked and is closed");
        metrics::counter!("plane_panics", "of" => "meeting").increment(1);
        self.close_room(meeting);
        false
    }

    fn tick(&mut self, turn: &Turn, now: Instant) {
        if turn.missed > 0 {
            metrics::counter!("plane_ticks_missed").increment(turn.missed);
        }
        self.legs.begin_tick(turn.round, now);
        if turn.lobby {
            self.lobby.tick(&mut self.legs);
        }
        let mut next = 0;
        while let Some(id) = self.phases.meetings(turn.place).get(next).copied() {
            let ticks = |worker: &mut Self| {
                if let Some(room) = worker.rooms.get_mut(&id) {
                    room.tick(&mut worker.legs, &mut worker.sfu, now);
                }
            };
            // Where one is closed the next stands in its place.
            next += usize::from(self.guarded(id, ticks));
        }
        for (id, config) in self.legs.take_otherwise() {
            if let Err(error) = self.begin_leg(id, config, now) {
                tracing::error!(leg = ?id, %error, "leg can't change its codec");
            }
        }
        for id in self.legs.take_broken() {
            tracing::error!(leg = ?id, "leg panicked and is closed");
            metrics::counter!("plane_panics", "of" => "leg").increment(1);
            self.close_leg(id);
        }
        self.ticked += now.elapsed();
        if turn.ends_round {
            self.count_dropped();
            let members: usize = self.rooms.values().map(|room| 1 + room.len()).sum();
            self.load.store(members + self.legs.len(), Ordering::Relaxed);
            self.sockets.look(now);
            metrics::histogram!("plane_tick_seconds").record(std::mem::take(&mut self.ticked).as_secs_f64());
        }
    }

    /// What the browsers sent and nobody looked at.
    fn count_dropped(&mut self) {
        let now = self.sfu.stats();
        let before = std::mem::replace(&mut self.dropped, now);
        let causes = [
            ("stranger", now.strangers - before.strangers),
            ("flood", now.flooded - before.flooded),
            ("sources", now.sources - before.sources),
        ];
        if now.failed > before.failed {
            metrics::counter!("plane_panics", "of" => "browser").increment(now.failed - before.failed);
        }
        for (why, dropped) in causes.into_iter().filter(|(_, dropped)| *dropped > 0) {
            metrics::counter!("plane_browser_dropped", "why" => why).increment(dropped);
        }
    }

    fn flush(&mut self, now: Instant) {
        let mut fed = std::mem::take(&mut self.fed);
        for meeting in fed.drain(..) {
            self.guarded(meeting, |worker| {
                if let Some(room) = worker.rooms.get_mut(&meeting) {
                    room.forward(&mut worker.sfu, now);
                }
            });
        }
        self.fed = fed;
        loop {
            self.leaving.extend(std::iter::from_fn(|| self.sfu.poll_transmit()).take(LEAVING_MAX));
            if self.leaving.is_empty() {
                return;
            }
            self.sockets.send(&self.leaving, now);
            self.leaving.drain(..).for_each(|transmit| self.sfu.recycle(transmit));
        }
    }
}

#[cfg(test)]
mod allocations;
