//! Broadcasts: a meeting's picture and sound for an audience of any size.
//!
//! A [`Broadcast`] composes and encodes in a child process (`huitong-studio`), so that a crash in native code costs the
//! audience seconds and the meeting nothing. What the child returns, coded pictures and sound, is cut into parts and
//! segments here (`hls`) and served from memory by the [`Origin`]. The media worker puts packets into a [`Feed`],
//! whoever runs the meeting says by [`Broadcast::show`] what is seen, and listens to [`BroadcastFact`]s.
//!
//! A [`RoomView`] does the same for a meeting's room systems, at once and without sound; nothing of it is kept.
//!
//! HTTP belongs to `api`, composing to `studio`, which shares nothing with this crate but [`wire`] and [`cadence`].

mod broadcast;
mod budget;
pub mod cadence;
mod captions;
mod child;
mod feed;
mod hls;
mod ingest;
mod life;
mod moving;
mod ogg;
mod origin;
mod outlets;
mod patience;
mod push;
mod recording;
mod recordings;
mod rooms;
mod scene;
mod shelf;
mod spool;
mod storage;
mod tracks;
mod vtt;
pub mod wire;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use budget::Budget;
use model::BroadcastId;
use tokio::sync::mpsc;

pub use broadcast::{Broadcast, BroadcastFact};
pub use captions::{CaptionsConfig, CaptionsError};
pub use feed::Feed;
pub use ingest::{IngestError, IngestInput, IngestOutput};
pub use origin::{CacheFor, Coding, HlsFile, MULTIVARIANT, Origin, OriginError};
pub use recording::RecordingFailed;
pub use recordings::{
    Film, NewRecording, RecordedTrack, Recording, RecordingConfig, RecordingNews, Recordings, Removed, StoredFilm,
};
pub use rooms::{RoomPicture, RoomView};
pub use scene::{Scene, Tile, TileKind};
pub use storage::{Storage, StorageConfig, StorageError};
pub use wire::RoomRates;

/// What broadcasts need of this machine.
#[derive(Debug, Clone, Default)]
pub struct StreamingConfig {
    /// The program `huitong-studio`.
    pub studio: PathBuf,
    /// The font of the names on the tiles; Noto Sans CJK of the system, or what else is there, where not set.
    pub font: Option<PathBuf>,
    /// A picture in the corner of every livestream: PNG or JPEG, seen through where it is transparent.
    pub logo: Option<PathBuf>,
    /// A picture behind the tiles instead of a plain colour.
    pub background: Option<PathBuf>,
    /// What is seen, with the title, while nobody is there.
    pub poster: Option<PathBuf>,
    /// Where recordings are kept.
    pub recording: RecordingConfig,
    /// How far back viewers may go in a livestream that goes on.
    pub dvr: DvrConfig,
    /// Where finished recordings go, and old segments if it says so.
    pub storage: Option<Storage>,
    /// Who writes down what is said; nobody where not set.
    pub captions: Option<CaptionsConfig>,
    /// There may be a picture of 1080 lines, where the machine has time for it.
    pub full_hd: bool,
    /// What codes the pictures: the name of a GStreamer element, or `software` for none that needs hardware. The best that
    /// works where not set, and where that one doesn't.
    pub encoder: Option<String>,
    /// How many cores all broadcasts together may count on; where not set the machine's, as far as others leave it time.
    pub cores: Option<usize>,
    /// It may be pushed to addresses that are not the public internet's.
    pub private_push: bool,
    /// A PEM file: servers it is pushed to over TLS may show certificates of these authorities too, beside the system's.
    pub push_authority: Option<PathBuf>,
}

/// How far back viewers may go.
#[derive(Debug, Clone, Default)]
pub struct DvrConfig {
    /// Where segments are kept that have left memory; emptied at the start. Nowhere: viewers go back half a minute.
    pub folder: Option<PathBuf>,
    /// How long they are kept. An hour takes about 1.2 GB.
    pub window: Duration,
}

/// Starts broadcasts. Clones are handles to the same.
#[derive(Clone)]
pub struct Streaming {
    config: Arc<StreamingConfig>,
    origin: Origin,
    recordings: Recordings,
    budget: Budget,
}

/// Why a broadcast can't start.
#[derive(Debug, thiserror::Error)]
pub enum StreamingError {
    /// The studio's program is missing or can't be run.
    #[error("{program} can't be started")]
    Studio {
        /// Its path.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The machine has as many broadcasts as it can carry.
    #[error("{0} broadcasts are running, and this machine carries no more")]
    Busy(usize),
    /// Its recording has no place to go to.
    #[error("it can't be recorded")]
    Recording(#[source] io::Error),
    /// A broadcast of this id runs or has run.
    #[error("broadcast {0} is there already")]
    Taken(BroadcastId),
}

impl Streaming {
    /// Nothing is started yet. Within a runtime.
    #[must_use]
    pub fn new(config: StreamingConfig) -> Self {
        let cores = config.cores.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let recordings = Recordings::open(config.recording.clone(), config.studio.clone(), config.storage.clone());
        tokio::spawn(recordings.keep_swept());
        let of_segments = config.storage.clone().filter(|storage| storage.livestreams);
        let language = config.captions.as_ref().map(|captions| captions.language.as_str());
        let origin = Origin::new(config.dvr.clone(), of_segments, language);
        let budget = Budget::new(cores, config.full_hd);
        if config.cores.is_none() {
            tokio::spawn(budget.keep_looking());
        }
        Self { config: Arc::new(config), origin, recordings, budget }
    }

    /// Where players get their files from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// The operator's picture for while nobody is there, where there is one.
    #[must_use]
    pub fn poster(&self) -> Option<PathBuf> {
        self.config.poster.clone()
    }

    /// What was recorded.
    #[must_use]
    pub fn recordings(&self) -> Recordings {
        self.recordings.clone()
    }

    /// Starts a studio and publishes what it makes.
    pub async fn start(
        &self,
        id: BroadcastId,
        title: String,
    ) -> Result<(Broadcast, mpsc::Receiver<BroadcastFact>), StreamingError> {
        let (broadcast, facts) = self.start_unpublished(title).await?;
        broadcast.publish(id)?;
        Ok((broadcast, facts))
    }

    /// Starts a studio. `title` stands on the picture while the scene is empty. The facts end with
    /// [`BroadcastFact::Ended`] or [`BroadcastFact::Failed`].
    pub async fn start_unpublished(
        &self,
        title: String,
    ) -> Result<(Broadcast, mpsc::Receiver<BroadcastFact>), StreamingError> {
        let room = self.budget.take()?;
        Broadcast::start(title, Arc::clone(&self.config), self.origin(), self.recordings(), room).await
    }
}

impl std::fmt::Debug for Streaming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streaming").field("config", &self.config).finish_non_exhaustive()
    }
}
