//! Records of calls and stays on their way to the database (P9): behind their backs and many in one transaction, so that a call costs
//! no disk access of its own.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{CallRecord, Conference};

/// Records that may wait. At 3,000 calls a second, two seconds of a database that does nothing.
const RECORDS_MAX: usize = 8_192;

/// Records of one transaction: more makes others wait longer for the database, less is more transactions.
const AT_ONCE: usize = 500;

/// How long it is waited for more of them. Longer, and who looks at the list of calls misses those that just ended.
const GATHERED: Duration = Duration::from_millis(100);

/// How long a call that is over waits for a place in the queue. Then the database has done nothing for long, the record is lost and that
/// is counted: waiting for ever would need memory without bound.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Records(mpsc::Sender<CallRecord>);

impl Records {
    /// With what is to be given to [`Conference::keep_recording`].
    pub(crate) fn new() -> (Self, mpsc::Receiver<CallRecord>) {
        let (queue, waiting) = mpsc::channel(RECORDS_MAX);
        (Self(queue), waiting)
    }

    pub(crate) async fn add(&self, record: CallRecord) {
        if self.0.send_timeout(record, PATIENCE).await.is_err() {
            tracing::error!("a call can't be written down: the database takes nothing");
            metrics::counter!("gateway_records_lost").increment(1);
        }
    }
}

/// Waits for more of what is done together, unless there are so many already, or the server stops.
pub(crate) async fn gather_more<T>(
    queue: &mut mpsc::Receiver<T>,
    gathered: &mut Vec<T>,
    at_once: usize,
    within: Duration,
    stopping: &CancellationToken,
) {
    if gathered.len() >= at_once {
        return;
    }
    let _ = timeout(within, stopping.cancelled()).await;
    while gathered.len() < at_once
        && let Ok(one) = queue.try_recv()
    {
        gathered.push(one);
    }
}

impl Conference {
    /// Writes records down until the server stops and all that waited is written.
    pub(crate) async fn keep_recording(self, mut waiting: mpsc::Receiver<CallRecord>) {
        let stopping = self.shared.stopping.clone();
        loop {
            // When it is closed nobody adds any more, and what is there is written.
            if stopping.is_cancelled() {
                waiting.close();
            }
            let mut records = Vec::new();
            tokio::select! {
                biased;
                count = waiting.recv_many(&mut records, AT_ONCE) => if count == 0 {
                    return;
                },
                () = stopping.cancelled() => continue,
            }
            gather_more(&mut waiting, &mut records, AT_ONCE, GATHERED, &stopping).await;
            self.write_calls(records).await;
        }
    }
}
