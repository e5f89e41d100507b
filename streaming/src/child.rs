//! One studio process: its start, and the socket between it and its broadcast.

use std::{
    ffi::OsStr,
    io,
    os::fd::OwnedFd,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use media::{Codec, RtpPacket};
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{codec::FramedRead, codec::LengthDelimitedCodec, sync::CancellationToken};

use crate::{
    StreamingConfig, StreamingError,
    budget::Rungs,
    feed::{FeedQueues, VideoPacket},
    wire::{self, FromStudio, Stage, ToStudio, WireError},
};

/// How long a studio may take to its first word, on a busy machine with a cold cache of plugins.
const START_MAX: Duration = Duration::from_secs(8);

/// A studio says something several times a second. One that is silent for longer hangs in native code, or the machine
/// has no time for it at all. With the restart after it, it is most of the six seconds a viewer may lose.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long a process may take to leave after its socket is closed.
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// What is written at once when much waits.
const WRITE_LEN: usize = 64 << 10;

/// A process of the studio's program, and both ways of its socket.
pub(crate) struct Spawned {
    pub(crate) process: Child,
    pub(crate) from: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    pub(crate) to: OwnedWriteHalf,
}

/// Starts the program; the socket is its standard input.
pub(crate) async fn spawn(program: &Path, arguments: &[&OsStr]) -> io::Result<Spawned> {
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = theirs.into_std()?;
    theirs.set_nonblocking(false)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).kill_on_drop(true);
    // Ctrl-C in a terminal goes to a whole group: the process is to leave when its broadcast is stopped, not before.
    command.process_group(0);
    // A large server takes its time to fork.
    let process = tokio::task::spawn_blocking(move || command.spawn()).await.map_err(io::Error::other).flatten()?;
    let (from, to) = ours.into_split();
    let codec = LengthDelimitedCodec::builder().max_frame_length(wire::FRAME_LEN_MAX).new_codec();
    Ok(Spawned { process, from: FramedRead::new(from, codec), to })
}

/// A running studio.
pub(crate) struct Studio {
    process: Child,
    pub(crate) from: StudioReader,
    pub(crate) to: StudioWriter,
}

impl Studio {
    /// Makes these pictures, coded by that `encoder`, where one is named.
    pub(crate) async fn spawn(
        config: &StreamingConfig,
        rungs: Rungs,
        encoder: Option<&str>,
    ) -> Result<Self, StreamingError> {
        let mut arguments: Vec<&OsStr> = Vec::new();
        if rungs.low {
            arguments.push("--low".as_ref());
        }
        if rungs.full_hd {
            arguments.push("--full-hd".as_ref());
        }
        if let Some(encoder) = encoder {
            arguments.extend([OsStr::new("--encoder"), OsStr::new(encoder)]);
        }
        Self::start(config, arguments).await
    }

    /// Makes what room systems see.
    pub(crate) async fn spawn_for_rooms(config: &StreamingConfig) -> Result<Self, StreamingError> {
        Self::start(config, vec!["--rooms".as_ref()]).await
    }

    async fn start<'a>(config: &'a StreamingConfig, mut arguments: Vec<&'a OsStr>) -> Result<Self, StreamingError> {
        let files = [
            ("--font", &config.font),
            ("--logo", &config.logo),
            ("--background", &config.background),
            ("--poster", &config.poster),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                arguments.extend([name.as_ref(), file.as_os_str()]);
            }
        }
        let failed = |source| StreamingError::Studio { program: config.studio.clone(), source };
        let Spawned { process, from, to } = spawn(&config.studio, &arguments).await.map_err(failed)?;
        Ok(Self {
            process,
            from: StudioReader { frames: from, patience: START_MAX, since: Instant::now() },
            to: StudioWriter { socket: to, pending: Vec::with_capacity(WRITE_LEN) },
        })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Sees it off: waits a moment for it to leave by itself, then makes it.
    pub(crate) async fn leave(mut self) -> io::Result<ExitStatus> {
        drop((self.from, self.to));
        match timeout(LEAVING_MAX, self.process.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.process.kill().await?;
                self.process.wait().await
            }
        }
    }
}

/// What the studio says.
pub(crate) struct StudioReader {
    frames: FramedRead<OwnedReadHalf, LengthDelimitedCodec>,
    patience: Duration,
    /// The last word, or the start.
    since: Instant,
}

/// Why no more is heard of a studio.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Hangup {
    #[error("the studio is gone")]
    Closed,
    #[error("the studio has said nothing for {0:?}")]
    Silent(Duration),
    #[error("the studio's socket fails")]
    Socket(#[from] io::Error),
    #[error("the studio talks nonsense")]
    Nonsense(#[from] WireError),
}

impl StudioReader {
    /// Who asks may give up and ask again: silence is counted from the last word.
    pub(crate) async fn next(&mut self) -> Result<FromStudio, Hangup> {
        let frame = timeout_at(self.since + self.patience, self.frames.next()).await;
        let frame = frame.map_err(|_| Hangup::Silent(self.patience))?;
        (self.patience, self.since) = (SILENCE_MAX, Instant::now());
        Ok(FromStudio::read(Bytes::from(frame.ok_or(Hangup::Closed)??))?)
    }
}

/// What is said to the studio.
pub(crate) struct StudioWriter {
    socket: OwnedWriteHalf,
    pending: Vec<u8>,
}

impl StudioWriter {
    /// Passes on scenes, sound and packets until `stop`, then closes this direction, which asks the studio to finish.
    pub(crate) async fn pass_on(
        &mut self,
        stages: &mut watch::Receiver<Stage>,
        queues: &mut FeedQueues,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        stages.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.socket.shutdown().await,
                changed = stages.changed() => match changed {
                    Ok(()) => ToStudio::write_stage(&stages.borrow_and_update(), &mut self.pending),
                    // The broadcast's handle is gone, and `stop` follows.
                    Err(_) => return self.socket.shutdown().await,
                },
                Some(sound) = queues.program.recv() => ToStudio::write_program(&sound, &mut self.pending),
                Some(track) = queues.wishes.recv() => ToStudio::write_keyframe(track, &mut self.pending),
                Some(packet) = queues.video.recv() => self.video(&packet),
            }
            // One write for all that waits.
            while self.pending.len() < WRITE_LEN
                && let Ok(packet) = queues.video.try_recv()
            {
                self.video(&packet);
            }
            // A studio that reads no more says no more either: its reader finds that out, also after `stop`.
            self.socket.write_all(&self.pending).await?;
            self.pending.clear();
        }
    }

    fn video(&mut self, VideoPacket { participant, kind, lead, packet }: &VideoPacket) {
        let Codec::Video(codec) = packet.codec else { return };
        let rtp = RtpPacket {
            payload_type: wire::PAYLOAD_TYPE,
            marker: packet.marker,
            seq: packet.seq as u16,
            timestamp: packet.timestamp,
            ssrc: wire::SSRC,
            payload: &packet.payload,
        };
        ToStudio::write_video((*participant, *kind), *lead, codec, &rtp, &mut self.pending);
    }
}
