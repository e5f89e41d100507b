//! What a meeting's room systems see (R1): a studio that makes it once for all of them, at once and without sound, which they have by their
//! calls.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use media::h264;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::{
    BroadcastFact, Feed, RoomRates, Scene, Streaming, StreamingConfig, StreamingError,
    broadcast::FACTS_QUEUE,
    budget::Room,
    child::{Hangup, Studio, StudioReader},
    life::{Life, Product},
    wire::{AccessUnit, Format, FromStudio, Report, Stage, Track},
};

/// Pictures on their way to the media worker, which takes them at once: half a second of both sizes. When they don't fit, the studio waits,
/// and leaves out what it has no room for.
const PICTURES_QUEUE: usize = 30;

/// The kind of NAL unit that says where a picture begins (ITU-T H.264 §7.4.1).
const DELIMITER: u8 = 9;

/// A picture that seems to be older is as old as this: the clock on the wall was set.
const AGE_MAX: Duration = Duration::from_secs(1);

/// A coded picture for room systems: H.264 in constrained baseline.
#[derive(Debug, Clone)]
pub struct RoomPicture {
    /// Of 720 lines, or else of 360.
    pub is_large: bool,
    /// It needs no other.
    pub keyframe: bool,
    /// When it was put together.
    pub composed: Instant,
    /// NAL units, after the parameter sets where it needs no other.
    pub units: Vec<Bytes>,
}

/// What room systems see, as long as it is kept.
pub struct RoomView {
    feed: Feed,
    stage: watch::Sender<Stage>,
    _stop: DropGuard,
}

impl Streaming {
    /// Starts a studio; nothing is made of it until [`RoomView::set_rates`]. `title` stands on the picture while the scene is empty. The
    /// facts end as a broadcast's do; pictures come as they are made.
    pub async fn show_rooms(
        &self,
        title: String,
    ) -> Result<(RoomView, mpsc::Receiver<BroadcastFact>, mpsc::Receiver<RoomPicture>), StreamingError> {
        let room = self.budget.take_rooms().ok_or_else(|| StreamingError::Busy(self.budget.len()))?;
        let studio = Studio::spawn_for_rooms(&self.config).await?;
        let (feed, queues, _no_ears) = Feed::new(false, false);
        let (stage, stages) = watch::channel(Stage { title, ..Stage::default() });
        let (facts, told) = mpsc::channel(FACTS_QUEUE);
        let (pictures, made) = mpsc::channel(PICTURES_QUEUE);
        let stop = CancellationToken::new();
        let product = ForRooms {
            config: Arc::clone(&self.config),
            pictures,
            facts,
            sets: Default::default(),
            started: None,
            last: [None; 2],
            report: Report::default(),
            _room: room,
        };
        let life = Life { queues, stages, stop: stop.clone(), product, studio_pid: Arc::new(AtomicU32::new(0)) };
        tokio::spawn(life.run(studio).instrument(tracing::info_span!("rooms")));
        Ok((RoomView { feed, stage, _stop: stop.drop_guard() }, told, made))
    }
}

impl RoomView {
    /// Where its packets go.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Shows this from now on.
    pub fn show(&self, scene: Scene) {
        self.feed.show(&scene, 720);
        self.stage.send_if_modified(|stage| {
            let changed = stage.scene != scene;
            stage.scene = scene;
            changed
        });
    }

    /// Makes these pictures from now on.
    pub fn set_rates(&self, rates: RoomRates) {
        self.stage.send_if_modified(|stage| std::mem::replace(&mut stage.rooms, rates) != rates);
    }
}

impl std::fmt::Debug for RoomView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomView")
    }
}

struct ForRooms {
    config: Arc<StreamingConfig>,
    pictures: mpsc::Sender<RoomPicture>,
    facts: mpsc::Sender<BroadcastFact>,
    /// The parameter sets of the small picture and of the large one.
    sets: [Vec<Bytes>; 2],
    /// The studio's time 0.
    started: Option<SystemTime>,
    /// When the last small one and the last large one were put together.
    last: [Option<Instant>; 2],
    report: Report,
    _room: Room,
}

impl Product for ForRooms {
    async fn start(&self, _software: bool) -> Result<Studio, StreamingError> {
        Studio::spawn_for_rooms(&self.config).await
    }

    async fn listen(&mut self, studio: &mut StudioReader) -> Hangup {
        loop {
            match studio.next().await {
                Err(hangup) => return hangup,
                Ok(FromStudio::Encoder(name)) => tracing::info!(encoder = name, "the studio has chosen its encoder"),
                Ok(FromStudio::Started(time)) => self.started = Some(time),
                Ok(FromStudio::Format(track, Format::Video { avcc, .. })) => {
                    let sets = h264::parameter_sets(&avcc).into_iter();
                    self.sets[usize::from(track == Track::Video)] = sets.map(Bytes::copy_from_slice).collect();
                }
                Ok(FromStudio::Format(_, Format::Audio { .. })) => {}
                Ok(FromStudio::Unit(unit)) => {
                    // Nobody takes them once the meeting is over, and the studio is stopped.
                    let picture = self.picture(&unit);
                    let _ = self.pictures.send(picture).await;
                }
                Ok(FromStudio::KeyframeWanted(participant, kind)) => {
                    if self.facts.capacity() > FACTS_QUEUE / 4 {
                        self.tell(BroadcastFact::KeyframeWanted(participant, kind));
                    }
                }
                // Viewers of livestreams are not told either; an avatar stands in for it.
                Ok(FromStudio::Undecodable(..)) => {}
                Ok(FromStudio::Report(report)) => self.report = report,
            }
        }
    }

    fn studio_died(&mut self) {
        (self.started, self.report) = (None, Report::default());
        self.tell(BroadcastFact::Restarting);
    }

    fn end(&mut self, last: BroadcastFact) {
        self.tell(last);
    }

    fn report(&self) -> Report {
        self.report
    }
}

impl ForRooms {
    fn picture(&mut self, unit: &AccessUnit) -> RoomPicture {
        let is_large = unit.track == Track::Video;
        let sets = self.sets[usize::from(is_large)].iter().filter(|_| unit.keyframe).cloned();
        // That a picture begins is seen by its time: a packet to say so is one too many.
        let units = h264::units(&unit.data).filter(|nal| nal.first().is_some_and(|first| first & 0x1f != DELIMITER));
        let units = units.map(|nal| unit.data.slice_ref(nal));
        let units = sets.chain(units).collect();
        // By the clock on the wall, which both processes have: as old as it is now, and never older than the one before.
        let age = self.started.and_then(|zero| SystemTime::now().duration_since(zero + unit.pts).ok());
        let now = Instant::now();
        let composed = now.checked_sub(age.unwrap_or_default().min(AGE_MAX)).unwrap_or(now);
        let last = &mut self.last[usize::from(is_large)];
        let composed = last.map_or(composed, |last| composed.max(last));
        *last = Some(composed);
        RoomPicture { is_large, keyframe: unit.keyframe, composed, units }
    }

    fn tell(&self, fact: BroadcastFact) {
        // Who is gone need not know.
        let _unheard = self.facts.try_send(fact);
    }
}
