//! A broadcast's life: a studio runs, is followed, and is started again when it dies, until somebody stops it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use media::TrackKind;
use model::{BroadcastId, ParticipantId};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::{
    Feed, Origin, Place, Scene, StreamingConfig, StreamingError,
    child::{Hangup, Studio, StudioReader},
    feed::FeedQueues,
    hls::Packager,
    wire::{FromStudio, Report, Stage},
};

/// Facts that wait to be read. Wishes for key frames are left out when it is three quarters full; the others are few.
const FACTS_QUEUE: usize = 64;

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

/// What happens to a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastFact {
    /// Players find something to play; said again after a restart.
    Live,
    /// A decoder needs a key frame of this track to begin or to go on.
    KeyframeWanted(ParticipantId, TrackKind),
    /// The studio died, and another one is started. Viewers see the last picture meanwhile.
    Restarting,
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
    stop: DropGuard,
    life: JoinHandle<()>,
}

impl Broadcast {
    pub(crate) async fn start(
        id: BroadcastId,
        title: String,
        config: Arc<StreamingConfig>,
        origin: &Origin,
        place: Place,
    ) -> Result<(Self, mpsc::Receiver<BroadcastFact>), StreamingError> {
        let studio = Studio::spawn(&config).await?;
        let packager = origin.open(id).ok_or(StreamingError::Taken(id))?;
        let (feed, queues) = Feed::new();
        let (stage, stages) = watch::channel(Stage { title, scene: Scene::default() });
        let (facts, told) = mpsc::channel(FACTS_QUEUE);
        let stop = CancellationToken::new();
        let studio_pid = Arc::new(AtomicU32::new(0));
        let life = Life {
            config,
            queues,
            stages,
            stop: stop.clone(),
            audience: Audience { packager, facts, live: false, report: Report::default() },
            studio_pid: Arc::clone(&studio_pid),
        };
        let origin = origin.clone();
        let run = async move {
            let _place = place;
            life.run(studio).await;
            origin.retire(id);
        };
        let life = tokio::spawn(run.instrument(tracing::info_span!("broadcast", %id)));
        Ok((Self { feed, stage, studio_pid, stop: stop.drop_guard(), life }, told))
    }

    /// Where its packets and sound go.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Shows this from now on.
    pub fn show(&self, scene: Scene) {
        self.feed.show(&scene);
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

    /// Ends it: when this returns, the playlists are closed and what was said before has been published.
    pub async fn stop(self) {
        drop(self.stop);
        if self.life.await.is_err() {
            tracing::error!("a broadcast ended by a panic");
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
    audience: Audience,
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
            self.audience.studio_died();
            if since.elapsed() >= WELL_AFTER {
                failures = 0;
            }
            let Some(wait) = RETRIES.get(failures) else { break BroadcastFact::Failed(reason) };
            failures += 1;
            tracing::warn!(reason, ?wait, "studio died, starting another");
            metrics::counter!("streaming_studio_restarts_total").increment(1);
            tokio::select! {
                () = sleep(*wait) => {}
                () = self.stop.cancelled() => break BroadcastFact::Ended,
            }
            self.queues.clear();
            next = Studio::spawn(&self.config).await;
        };
        if let BroadcastFact::Failed(reason) = &last {
            tracing::error!(reason, "broadcast given up");
        }
        self.audience.end(last);
        let report = self.audience.report;
        tracing::info!(?report, "broadcast ended");
    }

    async fn follow(&mut self, mut studio: Studio) -> End {
        self.studio_pid.store(studio.pid().unwrap_or(0), Ordering::Release);
        tracing::debug!(pid = studio.pid(), "studio started");
        let end = {
            let writing = studio.to.pass_on(&mut self.stages, &mut self.queues, &self.stop);
            let reading = self.audience.listen(&mut studio.from);
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

/// What goes out: to players, and to whoever runs the meeting.
struct Audience {
    packager: watch::Sender<Packager>,
    facts: mpsc::Sender<BroadcastFact>,
    live: bool,
    report: Report,
}

impl Audience {
    /// Publishes what a studio makes, until it is gone.
    async fn listen(&mut self, studio: &mut StudioReader) -> Hangup {
        loop {
            match studio.next().await {
                Err(hangup) => return hangup,
                Ok(FromStudio::Format(format)) => self.packager.send_modify(|packager| packager.handle_format(format)),
                Ok(FromStudio::Unit(unit)) => {
                    let now = SystemTime::now();
                    let published = self.packager.send_if_modified(|packager| packager.handle_unit(unit, now));
                    if published && !self.live && self.packager.borrow().is_running() {
                        self.live = true;
                        self.tell(BroadcastFact::Live);
                    }
                }
                Ok(FromStudio::KeyframeWanted(participant, kind)) => {
                    if self.facts.capacity() > FACTS_QUEUE / 4 {
                        self.tell(BroadcastFact::KeyframeWanted(participant, kind));
                    }
                }
                Ok(FromStudio::Report(report)) => {
                    let skipped = report.ticks_skipped.saturating_sub(self.report.ticks_skipped);
                    metrics::counter!("streaming_ticks_skipped_total").increment(skipped);
                    self.report = report;
                }
            }
        }
    }

    fn studio_died(&mut self) {
        self.packager.send_modify(Packager::end_run);
        self.report = Report::default();
        self.live = false;
        self.tell(BroadcastFact::Restarting);
    }

    fn end(&self, last: BroadcastFact) {
        self.packager.send_modify(Packager::finish);
        self.tell(last);
    }

    fn tell(&self, fact: BroadcastFact) {
        // Nobody listening is fine: the audience is what matters.
        let _unheard = self.facts.try_send(fact);
    }
}
