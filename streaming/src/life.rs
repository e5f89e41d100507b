//! A studio's life, and the next one's: it runs, is followed, and is started again when it dies, until somebody stops it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    BroadcastFact, StreamingError,
    child::{Hangup, Studio, StudioReader},
    feed::FeedQueues,
    wire::{Report, Stage},
};

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

/// How one studio ended.
enum End {
    Stopped,
    Died(Hangup),
}

/// What studios make, one after the other, and where it goes.
pub(crate) trait Product: Send {
    /// Starts one that makes it; `software` alone where hardware may be what the ones before died of.
    fn start(&self, software: bool) -> impl Future<Output = Result<Studio, StreamingError>> + Send;

    /// Passes on what a studio makes, until it is gone.
    fn listen(&mut self, studio: &mut StudioReader) -> impl Future<Output = Hangup> + Send;

    /// It is, and another may follow.
    fn studio_died(&mut self);

    /// None follows.
    fn end(&mut self, last: BroadcastFact);

    /// What the last studio did.
    fn report(&self) -> Report;
}

pub(crate) struct Life<P> {
    pub(crate) queues: FeedQueues,
    pub(crate) stages: watch::Receiver<Stage>,
    pub(crate) stop: CancellationToken,
    pub(crate) product: P,
    /// None between two studios: 0.
    pub(crate) studio_pid: Arc<AtomicU32>,
}

impl<P: Product> Life<P> {
    pub(crate) async fn run(mut self, first: Studio) {
        tracing::info!("composing begins");
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
            self.product.studio_died();
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
            next = self.product.start(failures > SOFTWARE_AFTER).await;
        };
        if let BroadcastFact::Failed(reason) = &last {
            tracing::error!(reason, "composing is given up");
        }
        self.product.end(last);
        let report = self.product.report();
        tracing::info!(?report, "composing ended");
    }

    async fn follow(&mut self, mut studio: Studio) -> End {
        self.studio_pid.store(studio.pid().unwrap_or(0), Ordering::Release);
        tracing::debug!(pid = studio.pid(), "studio started");
        let end = {
            let writing = studio.to.pass_on(&mut self.stages, &mut self.queues, &self.stop);
            let reading = self.product.listen(&mut studio.from);
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
