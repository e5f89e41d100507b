//! A broadcast's life: a studio runs, is followed, and is started again when it dies, until somebody stops it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use media::TrackKind;
use model::{BroadcastId, ParticipantId, PushState, PushUrl};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::{
    Feed, NewRecording, Origin, Recordings, Scene, StreamingConfig, StreamingError,
    budget::{Place, Room},
    captions,
    child::{Hangup, Studio},
    feed::FeedQueues,
    outlets::{Order, Outlets},
    recording::{Recorder, RecordingFailed},
    wire::Stage,
};

/// Facts that wait to be read. Wishes for key frames are left out when it is three quarters full; the others are few.
pub(crate) const FACTS_QUEUE: usize = 64;

/// Orders that wait to be carried out. Names come with every change of who is there.
const ORDERS_QUEUE: usize = 64;

/// How long a studio may take to hand out what it holds when the broadcast is stopped.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// A studio that lived this long was well: the next one after it starts at once.
const WELL_AFTER: Duration = Duration::from_secs(5);

/// How long to wait before each next try in a row, and by the length of the list how many there are. The first is at
/// once: viewers have about a second and a half buffered.
const RETRIES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// After so many studios that died soon in a row, the next doesn't use hardware: its driver may be what they die of.
const SOFTWARE_AFTER: usize = 2;

/// What happens to a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastFact {
    /// Players find something to play; said again after a restart.
    Live,
    /// A decoder needs a key frame of this track to begin or to go on.
    KeyframeWanted(ParticipantId, TrackKind),
    /// Nothing here decodes what this track is coded as: viewers see an avatar. Said again when the track is shown again.
    Undecodable(ParticipantId, TrackKind),
    /// The studio died, and another one is started. Viewers see the last picture meanwhile.
    Restarting,
    /// It is no longer recorded.
    RecordingFailed(RecordingFailed),
    /// A push is not as before.
    Pushed(u32, PushState),
    /// It was stopped. The last fact.
    Ended,
    /// Studios keep dying; no more are started. The last fact.
    Failed(String),
}

/// A running broadcast. Dropping it stops it as well.
pub struct Broadcast {
    feed: Feed,
    stage: watch::Sender<Stage>,
    studio_pid: Arc<AtomicU32>,
    orders: mpsc::Sender<Order>,
    origin: Origin,
    recordings: Recordings,
    /// Another one may start as soon as this one is stopped, while its studio hands out the last of what it has.
    room: Room,
    stop: DropGuard,
    life: JoinHandle<()>,
}

impl Broadcast {
    pub(crate) async fn start(
        title: String,
        config: Arc<StreamingConfig>,
        origin: Origin,
        recordings: Recordings,
        (place, room): (Place, Room),
    ) -> Result<(Self, mpsc::Receiver<BroadcastFact>), StreamingError> {
        let rungs = place.rungs();
        let studio = Studio::spawn(&config, rungs, config.encoder.as_deref()).await?;
        let tracks = config.recording.folder.is_some() && config.recording.tracks;
        let (feed, queues, ears) = Feed::new(config.captions.is_some(), tracks);
        let (stage, stages) = watch::channel(Stage { title, scene: Scene::default(), full_hd: rungs.full_hd });
        let (facts, told) = mpsc::channel(FACTS_QUEUE);
        let (orders, ordered) = mpsc::channel(ORDERS_QUEUE);
        let stop = CancellationToken::new();
        let heard = config.captions.clone().zip(ears.sound);
        let cues = heard.map(|(config, sound)| captions::listen(config, sound, stop.clone()));
        let studio_pid = Arc::new(AtomicU32::new(0));
        let outlets_config = Arc::clone(&config);
        let life = Life {
            config,
            queues,
            stages,
            stop: stop.clone(),
            outlets: Outlets::new(
                outlets_config,
                origin.clone(),
                (place, stage.clone()),
                facts,
                ordered,
                (cues, ears.voices),
            ),
            studio_pid: Arc::clone(&studio_pid),
        };
        let life = tokio::spawn(life.run(studio).instrument(tracing::info_span!("broadcast")));
        let stop = stop.drop_guard();
        Ok((Self { feed, stage, studio_pid, orders, origin, recordings, room, stop, life }, told))
    }

    /// Lets players have it under this id from now on, and nothing of what was before.
    pub fn publish(&self, id: BroadcastId) -> Result<(), StreamingError> {
        let shelf = self.origin.open(id).ok_or(StreamingError::Taken(id))?;
        tracing::info!(broadcast_id = %id, "published");
        self.order(Order::Publish(id, shelf));
        Ok(())
    }

    /// Closes the playlists; what is recorded goes on.
    pub fn unpublish(&self) {
        self.order(Order::Unpublish);
    }

    /// Writes it to a file from the next key frame on; a recording that runs ends.
    pub fn record(&self, new: NewRecording) -> Result<(), StreamingError> {
        let draft = self.recordings.draft(new).map_err(StreamingError::Recording)?;
        self.order(Order::Record(Recorder::start(draft).map_err(StreamingError::Recording)?));
        Ok(())
    }

    /// How people are called from now on: their tracks in a recording bear their names.
    pub fn name(&self, names: BTreeMap<ParticipantId, String>) {
        self.order(Order::Name(names));
    }

    /// Ends the recording.
    pub fn stop_recording(&self) {
        self.order(Order::StopRecording);
    }

    /// Sends it there as well, until [`stop_push`](Self::stop_push): [`BroadcastFact::Pushed`] tells how it does.
    pub fn push(&self, id: u32, url: PushUrl) {
        self.order(Order::Push(id, url));
    }

    /// Sends it there no longer.
    pub fn stop_push(&self, id: u32) {
        self.order(Order::StopPush(id));
    }

    fn order(&self, order: Order) {
        // Full, it is no longer carried out at all; closed, there is nothing left to do it.
        if self.orders.try_send(order).is_err() {
            tracing::warn!("a broadcast takes no more orders");
        }
    }

    /// Where its packets and sound go.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Shows this from now on.
    pub fn show(&self, scene: Scene) {
        self.feed.show(&scene, if self.stage.borrow().full_hd { 1080 } else { 720 });
        self.stage.send_if_modified(|stage| {
            let changed = stage.scene != scene;
            stage.scene = scene;
            changed
        });
    }

    /// The process id of its studio; none between two studios.
    #[must_use]
    pub fn studio_pid(&self) -> Option<u32> {
        Some(self.studio_pid.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }

    /// Ends it, whether or not the future is awaited: when that is done, the playlists are closed and what was said before has been
    /// published.
    pub fn stop(self) -> impl Future<Output = ()> + use<> {
        let Self { stop, room, life, .. } = self;
        drop((stop, room));
        async move {
            if life.await.is_err() {
                tracing::error!("a broadcast ended by a panic");
            }
        }
    }
}

impl std::fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broadcast").field("studio_pid", &self.studio_pid()).finish_non_exhaustive()
    }
}

/// How one studio ended.
enum End {
    Stopped,
    Died(Hangup),
}

struct Life {
    config: Arc<StreamingConfig>,
    queues: FeedQueues,
    stages: watch::Receiver<Stage>,
    stop: CancellationToken,
    outlets: Outlets,
    studio_pid: Arc<AtomicU32>,
}

impl Life {
    async fn run(mut self, first: Studio) {
        tracing::info!("broadcast started");
        let mut next: Result<_, StreamingError> = Ok(first);
        let mut failures = 0;
        let last = loop {
            let since = Instant::now();
            let reason = match next {
                Ok(studio) => match self.follow(studio).await {
                    End::Stopped => break BroadcastFact::Ended,
                    End::Died(hangup) => hangup.to_string(),
                },
                Err(error) => error.to_string(),
            };
            self.outlets.studio_died();
            if since.elapsed() >= WELL_AFTER {
                failures = 0;
            }
            let Some(wait) = RETRIES.get(failures) else { break BroadcastFact::Failed(reason) };
            failures += 1;
            tracing::warn!(reason, ?wait, "studio died, starting another");
            metrics::counter!("streaming_studio_restarts_total").increment(1);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break BroadcastFact::Ended,
                () = sleep(*wait) => {}
            }
            self.queues.clear();
            let wished = self.config.encoder.as_deref();
            let encoder = if failures > SOFTWARE_AFTER { Some("software") } else { wished };
            next = Studio::spawn(&self.config, self.outlets.rungs(), encoder).await;
        };
        if let BroadcastFact::Failed(reason) = &last {
            tracing::error!(reason, "broadcast given up");
        }
        self.outlets.end(last);
        let report = self.outlets.report();
        tracing::info!(?report, "broadcast ended");
    }

    async fn follow(&mut self, mut studio: Studio) -> End {
        self.studio_pid.store(studio.pid().unwrap_or(0), Ordering::Release);
        tracing::debug!(pid = studio.pid(), "studio started");
        let end = {
            let writing = studio.to.pass_on(&mut self.stages, &mut self.queues, &self.stop);
            let reading = self.outlets.listen(&mut studio.from);
            tokio::pin!(reading);
            tokio::select! {
                hangup = &mut reading => End::Died(hangup),
                written = writing => {
                    // What the studio still holds, or what a dying one had said before its end.
                    let hangup = timeout(FINISH_MAX, &mut reading).await.unwrap_or(Hangup::Silent(FINISH_MAX));
                    match written {
                        Ok(()) => End::Stopped,
                        Err(error) if matches!(hangup, Hangup::Silent(_)) => End::Died(Hangup::Socket(error)),
                        Err(_) => End::Died(hangup),
                    }
                }
            }
        };
        self.studio_pid.store(0, Ordering::Release);
        match studio.leave().await {
            Ok(status) => tracing::debug!(%status, "studio left"),
            Err(error) => tracing::warn!(%error, "studio can't be waited for"),
        }
        end
    }
}
