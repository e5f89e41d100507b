//! A broadcast: what its handle says to whom it makes of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use media::TrackKind;
use model::{BroadcastId, ParticipantId, PushState, PushUrl};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::{
    Feed, NewRecording, Origin, Recordings, Scene, StreamingConfig, StreamingError,
    budget::{Place, Room},
    captions,
    child::Studio,
    life::Life,
    outlets::{Order, Outlets},
    recording::{Recorder, RecordingFailed},
    wire::Stage,
};

/// Facts that wait to be read. Wishes for key frames are left out when it is three quarters full; the others are few.
pub(crate) const FACTS_QUEUE: usize = 64;

/// Orders that wait to be carried out. Names come with every change of who is there.
const ORDERS_QUEUE: usize = 64;

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
        let (stage, stages) = watch::channel(Stage { title, full_hd: rungs.full_hd, ..Stage::default() });
        let (facts, told) = mpsc::channel(FACTS_QUEUE);
        let (orders, ordered) = mpsc::channel(ORDERS_QUEUE);
        let stop = CancellationToken::new();
        let heard = config.captions.clone().zip(ears.sound);
        let cues = heard.map(|(config, sound)| captions::listen(config, sound, stop.clone()));
        let studio_pid = Arc::new(AtomicU32::new(0));
        let life = Life {
            queues,
            stages,
            stop: stop.clone(),
            product: Outlets::new(config, origin.clone(), (place, stage.clone()), facts, ordered, (cues, ears.voices)),
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
