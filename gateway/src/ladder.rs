//! What was signalled in calls, kept for some days: to see afterwards who said what (P9).
//!
//! Every message of a call, or that is answered, is copied into one buffer, which a thread of its own writes to files as `pcap` has them, of an
//! hour each; which call a message belongs to is only looked for when somebody asks. So a call costs a copy of its bytes,
//! and no memory while it lasts. Old files go, and the oldest where all of them together are too large.

mod file;
mod packet;
mod text;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, SystemTime},
};

use conference::{Call, Ladders};
use sip::Source;
use tokio_util::sync::CancellationToken;

use file::{Files, Wanted, Work};
use packet::Way;

/// What is written at once. Larger, and a crash loses more; smaller, and the disk has more to do.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that may wait for the disk; those beyond are lost and counted.
const CHUNKS_MAX: usize = 32;

/// How long a message waits for the others of its chunk.
const FLUSH: Duration = Duration::from_secs(1);

/// What of signalling is kept.
#[derive(Debug, Clone)]
pub struct LadderConfig {
    /// Where.
    pub folder: PathBuf,
    /// For so long; 0 keeps nothing.
    pub days: u32,
    /// All of it together.
    pub bytes_max: u64,
}

/// Where messages go. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Ladder(Option<Arc<Shared>>);

struct Shared {
    folder: PathBuf,
    /// Our own address where a socket is bound to all.
    announced: IpAddr,
    buffer: Mutex<Vec<u8>>,
    writer: SyncSender<Work>,
}

impl Ladder {
    /// Begins to keep; nothing where `days` is 0. The thread ends with the last clone.
    pub(crate) fn start(config: &LadderConfig, announced: IpAddr) -> std::io::Result<Self> {
        if config.days == 0 {
            return Ok(Self::default());
        }
        let (writer, work) = mpsc::sync_channel(CHUNKS_MAX);
        let files = Files::open(config)?;
        thread::Builder::new().name("ladder".to_owned()).spawn(move || files.run(&work))?;
        let buffer = Mutex::new(Vec::with_capacity(CHUNK_BYTES));
        Ok(Self(Some(Arc::new(Shared { folder: config.folder.clone(), announced, buffer, writer }))))
    }

    /// What of a message that has come is to be kept once it is known that it is a call's: a flood is not. Empty where nothing is.
    pub(crate) fn copy(&self, message: &[u8]) -> Vec<u8> {
        if self.0.is_none() || packet::is_outside_of_calls(message) { Vec::new() } else { message.to_vec() }
    }

    /// A message that came, as [`Self::copy`] gave it.
    pub(crate) fn came(&self, source: Source, copy: &[u8]) {
        if !copy.is_empty() {
            self.note(Way { from: source.peer, to: source.local }, copy);
        }
    }

    /// A message that went.
    pub(crate) fn went(&self, to: Source, message: &[u8]) {
        if self.0.is_some() && !packet::is_outside_of_calls(message) {
            self.note(Way { from: to.local, to: to.peer }, message);
        }
    }

    fn note(&self, way: Way, message: &[u8]) {
        let Some(shared) = &self.0 else { return };
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut buffer = shared.buffer();
        packet::write(&mut buffer, at, way.announced(shared.announced), message);
        if buffer.len() >= CHUNK_BYTES {
            shared.pass_on(buffer);
        }
    }

    /// Passes on what has come now and then, until the server stops.
    pub(crate) async fn keep(self, closed: CancellationToken) {
        let Some(shared) = self.0 else { return };
        while closed.run_until_cancelled(tokio::time::sleep(FLUSH)).await.is_some() {
            shared.pass_on(shared.buffer());
        }
    }

    /// Waits until all that has come is written.
    pub(crate) fn settle(&self) {
        if let Some(shared) = &self.0 {
            shared.settle();
        }
    }
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Vec<u8>> {
        // Whole messages between any two operations, whoever panicked.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, mut buffer: MutexGuard<'_, Vec<u8>>) {
        if buffer.is_empty() {
            return;
        }
        let chunk = std::mem::replace(&mut *buffer, Vec::with_capacity(CHUNK_BYTES));
        drop(buffer);
        if let Err(TrySendError::Full(_)) = self.writer.try_send(Work::Write(chunk)) {
            metrics::counter!("gateway_ladder_dropped").increment(1);
        }
    }

    fn settle(&self) {
        self.pass_on(self.buffer());
        let (written, is_written) = mpsc::sync_channel(1);
        // A writer that is gone has written all it will.
        if self.writer.send(Work::Say(written)).is_ok() {
            let _ = is_written.recv();
        }
    }

    /// All messages of a call, as a file of packets. Blocks.
    fn packets(&self, call: &Call) -> Option<Vec<u8>> {
        self.settle();
        let wanted = Wanted { call_id: &call.call_id, from_ms: call.started_ms, until_ms: call.ended_ms };
        file::find(&self.folder, &wanted)
            .inspect_err(|error| tracing::warn!(%error, "signalling can't be read"))
            .ok()?
    }
}

impl Ladders for Ladder {
    fn text(&self, call: &Call) -> Option<String> {
        Some(text::write(&self.0.as_ref()?.packets(call)?))
    }

    fn pcap(&self, call: &Call) -> Option<Vec<u8>> {
        self.0.as_ref()?.packets(call)
    }
}
