//! An encoder that comes by RTMP (B9). A process of its own (`huitong-studio --ingest`) makes what it sends into what browsers take.

use std::{ffi::OsStr, io, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt;
use media::{AudioCodec, Codec, MediaPacket, RtpPacket, TrackKind, VideoCodec};
use tokio::{io::AsyncWriteExt, sync::mpsc};

use crate::{
    Streaming,
    budget::Room,
    child::{Spawned, spawn},
    wire::{FromIngester, ToIngester},
};

/// What waits for the process: less than a second of what an encoder sends. While it is full the encoder waits.
const FLV_MAX: usize = 64;

/// Why what an encoder sends is not taken any more.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The machine has no time for one more.
    #[error("this machine carries no more encoders")]
    Busy,
    /// The process can't be started.
    #[error("the process can't be started: {0}")]
    Start(#[source] io::Error),
    /// It can't be read.
    #[error("{0}")]
    Said(String),
    /// The process has ended.
    #[error("the process is gone")]
    Gone,
}

/// Takes what the encoder sends; dropped, it ends.
#[derive(Debug, Clone)]
pub struct IngestInput {
    to: mpsc::Sender<ToIngester>,
}

impl IngestInput {
    /// Waits for room. The bytes of an FLV file, which begins with its header and never ends.
    pub async fn flv(&self, bytes: Bytes) -> Result<(), IngestError> {
        self.to.send(ToIngester::Flv(bytes)).await.map_err(|_| IngestError::Gone)
    }

    /// The next picture is to need no other.
    pub fn want_keyframe(&self) {
        // One that finds no room is asked for again.
        let _ = self.to.try_send(ToIngester::Keyframe);
    }
}

/// What comes of it.
#[derive(Debug)]
pub struct IngestOutput {
    packets: mpsc::Receiver<Result<(TrackKind, MediaPacket), IngestError>>,
}

impl IngestOutput {
    /// The next packet; after an error there is none.
    pub async fn next(&mut self) -> Result<(TrackKind, MediaPacket), IngestError> {
        self.packets.recv().await.unwrap_or(Err(IngestError::Gone))
    }

    /// One that is there already.
    pub fn try_next(&mut self) -> Result<Option<(TrackKind, MediaPacket)>, IngestError> {
        self.packets.try_recv().ok().transpose()
    }
}

impl Streaming {
    /// Starts the process that takes what one encoder sends.
    pub async fn ingest(&self) -> Result<(IngestInput, IngestOutput), IngestError> {
        let room = self.budget.take_ingest().ok_or(IngestError::Busy)?;
        let encoder = self.config.encoder.as_ref().map(|name| ["--encoder".as_ref(), name.as_ref()]);
        let arguments: Vec<&OsStr> = ["--ingest".as_ref()].into_iter().chain(encoder.into_iter().flatten()).collect();
        let process = spawn(&self.config.studio, &arguments).await.map_err(IngestError::Start)?;
        let (to, commands) = mpsc::channel(FLV_MAX);
        let (told, packets) = mpsc::channel(FLV_MAX);
        tokio::spawn(run(process, commands, told, room));
        Ok((IngestInput { to }, IngestOutput { packets }))
    }
}

async fn run(
    mut process: Spawned,
    commands: mpsc::Receiver<ToIngester>,
    told: mpsc::Sender<Result<(TrackKind, MediaPacket), IngestError>>,
    room: Room,
) {
    let Spawned { from, to, .. } = &mut process;
    let write = async {
        let (mut commands, mut bytes) = (commands, Vec::new());
        while let Some(command) = commands.recv().await {
            command.write(&mut bytes);
            if to.write_all(&bytes).await.is_err() {
                // Whoever reads hears why.
                std::future::pending::<()>().await;
            }
            bytes.clear();
        }
    };
    let read = async {
        let mut seqs = [0; 3];
        loop {
            let said = match from.next().await {
                Some(Ok(frame)) => FromIngester::read(frame.freeze()),
                Some(Err(_)) | None => return IngestError::Gone,
            };
            match said {
                Ok(FromIngester::Packet(kind, rtp)) => {
                    let Some(packet) = packet(kind, &rtp, &mut seqs[kind as usize]) else { continue };
                    if told.send(Ok((kind, packet))).await.is_err() {
                        return IngestError::Gone;
                    }
                }
                Ok(FromIngester::Failed(reason)) => return IngestError::Said(reason),
                Err(error) => return IngestError::Said(error.to_string()),
            }
        }
    };
    tokio::select! {
        () = write => {}
        error = read => {
            // Nobody may be left to hear it.
            let _ = told.send(Err(error)).await;
        }
    }
    let _gone = process.process.kill().await;
    drop(room);
}

fn packet(kind: TrackKind, rtp: &[u8], seq: &mut u64) -> Option<MediaPacket> {
    let rtp = RtpPacket::parse(rtp).ok()?;
    *seq += 1;
    let codec = match kind {
        TrackKind::Audio => Codec::Audio(AudioCodec::Opus),
        TrackKind::Camera | TrackKind::Screen => Codec::Video(VideoCodec::H264),
    };
    let (timestamp, marker, payload) = (rtp.timestamp, rtp.marker, Arc::from(rtp.payload));
    Some(MediaPacket { codec, seq: *seq, timestamp, marker, level: None, payload })
}
