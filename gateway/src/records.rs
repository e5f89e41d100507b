//! Calls' records on their way to the database (P9): behind the calls' backs and many in one transaction, so that a call costs no disk
//! access of its own.

use std::time::Duration;

use conference::{CallRecord, Conference};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Records that may wait. At 3,000 calls a second, two seconds of a database that does nothing.
const RECORDS_MAX: usize = 8_192;

/// Records of one transaction: more makes others wait longer for the database, less is more transactions.
const AT_ONCE: usize = 500;

/// How long it is waited for more of them. Longer, and who looks at the list of calls misses those that just ended.
const GATHERED: Duration = Duration::from_millis(100);

/// How long a call that is over waits for a place in the queue. Then the database has done nothing for long, the record is lost and that
/// is counted: waiting for ever would need memory without bound.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Records(mpsc::Sender<CallRecord>);

impl Records {
    /// With the task that writes; it ends when `closed` is set and all that waited is written.
    pub(crate) fn start(conference: Conference, closed: CancellationToken) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(RECORDS_MAX);
        (Self(queue), tokio::spawn(write(conference, closed, waiting)))
    }

    pub(crate) async fn add(&self, record: CallRecord) {
        if self.0.send_timeout(record, PATIENCE).await.is_err() {
            tracing::error!("a call can't be written down: the database takes nothing");
            metrics::counter!("gateway_records_lost").increment(1);
        }
    }
}

async fn write(conference: Conference, closed: CancellationToken, mut waiting: mpsc::Receiver<CallRecord>) {
    loop {
        // When it is closed nobody adds any more, and what is there is written.
        if closed.is_cancelled() {
            waiting.close();
        }
        let mut records = Vec::new();
        tokio::select! {
            biased;
            count = waiting.recv_many(&mut records, AT_ONCE) => if count == 0 {
                return;
            },
            () = closed.cancelled() => continue,
        }
        if records.len() < AT_ONCE {
            let _ = timeout(GATHERED, closed.cancelled()).await;
            while records.len() < AT_ONCE
                && let Ok(record) = waiting.try_recv()
            {
                records.push(record);
            }
        }
        conference.record_calls(records).await;
    }
}
