//! A call's way to its leg.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use media::Clip;
use mixer::{PlayId, Recording};
use tokio::sync::oneshot;

use crate::{
    LegId, LegReport, LegSettings, Plane, PlaneError,
    command::{Command, LegAddress, LegCommand, Reply},
};

/// One phone leg. Dropping it closes the leg and gives its port back.
pub struct LegMedia {
    pub(crate) plane: Plane,
    address: Arc<LegAddress>,
    pub(crate) local: SocketAddr,
    /// Where its pictures come.
    pub(crate) pictures: OnceLock<SocketAddr>,
    has_begun: AtomicBool,
    /// What was played so far.
    plays: AtomicU64,
}

impl LegMedia {
    pub(crate) fn new(plane: Plane, address: Arc<LegAddress>, local: SocketAddr) -> Self {
        Self {
            plane,
            address,
            local,
            pictures: OnceLock::new(),
            has_begun: AtomicBool::new(false),
            plays: AtomicU64::new(0),
        }
    }

    /// Its name for [`crate::MeetingMedia::seat_leg`].
    #[must_use]
    pub fn id(&self) -> LegId {
        self.address.id
    }

    /// Announced address and RTP port, for SDP.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to receive and send, from the next tick on; again after a re-INVITE, with what it changed.
    pub async fn start(&self, settings: LegSettings) -> Result<(), PlaneError> {
        let settings = Box::new(settings);
        // What changes may fail to; what begins can't, and thousands a second that each wake the worker cost more than all it does for them.
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            return self.send_unhurried(LegCommand::Begin { settings, at: Instant::now() }).await;
        }
        self.ask(|reply| LegCommand::Start { settings, reply }).await
    }

    /// Plays to this leg alone, from the next tick on; what played before stops.
    pub async fn play(&self, clip: Clip, looping: bool) -> Result<PlayId, PlaneError> {
        let id = PlayId(self.plays.fetch_add(1, Ordering::Relaxed));
        self.send_unhurried(LegCommand::Play { id, clip, looping }).await?;
        Ok(id)
    }

    /// Stops what plays.
    pub fn stop_playing(&self) {
        self.tell(LegCommand::StopPlaying);
    }

    /// How loud the meeting is to this caller; 1 as it is.
    pub fn set_volume(&self, volume: f32) {
        self.tell(LegCommand::SetVolume { volume });
    }

    /// His keys come otherwise than as tones, or are supposed to: see [`Leg::ignore_tones`].
    ///
    /// [`Leg::ignore_tones`]: leg::Leg::ignore_tones
    pub fn ignore_tones(&self, unless_used: bool) {
        self.tell(LegCommand::IgnoreTones { unless_used });
    }

    /// He has asked for a key frame of what he is sent, otherwise than by RTCP (RFC 5168).
    pub fn keyframe_wanted(&self) {
        self.tell(LegCommand::KeyframeWanted);
    }

    /// Keeps what the caller says from now on, three seconds at most: [`LegFact::RecordingFull`] is told then.
    ///
    /// [`LegFact::RecordingFull`]: crate::LegFact::RecordingFull
    pub fn record(&self) {
        self.tell(LegCommand::Record);
    }

    /// Ends what [`Self::record`] began, and gives it.
    pub async fn recorded(&self) -> Result<Recording, PlaneError> {
        self.ask(|reply| LegCommand::Recorded { reply }).await
    }

    /// What was seen of it so far; nothing before it was started. Nobody is in a hurry for it: it is told at the next tick.
    pub async fn report(&self) -> Result<LegReport, PlaneError> {
        let (reply, answer) = oneshot::channel();
        self.send_unhurried(LegCommand::Report { reply }).await?;
        self.answered(answer).await
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> LegCommand) -> Result<T, PlaneError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Leg { address: Arc::clone(&self.address), command: command(reply) };
        self.plane.worker(self.address.worker()).send(command).await?;
        self.answered(answer).await
    }

    async fn answered<T>(&self, answer: oneshot::Receiver<Result<T, PlaneError>>) -> Result<T, PlaneError> {
        answer.await.map_err(|_| PlaneError::NoLeg(self.address.id))?
    }

    /// For what is heard or told at a tick: the worker need not be woken before.
    pub(crate) async fn send_unhurried(&self, command: LegCommand) -> Result<(), PlaneError> {
        let command = Command::Leg { address: Arc::clone(&self.address), command };
        self.plane.worker(self.address.worker()).send_unhurried(command).await
    }

    /// The same; see [`Self::send_unhurried`].
    fn tell(&self, command: LegCommand) {
        let command = Command::Leg { address: Arc::clone(&self.address), command };
        self.plane.worker(self.address.worker()).tell_unhurried(command);
    }
}

impl Drop for LegMedia {
    fn drop(&mut self) {
        self.plane.legs().remove(&self.address.id);
        self.plane.release_port(self.local);
        self.pictures.get().into_iter().for_each(|local| self.plane.release_port(*local));
        self.tell(LegCommand::Close);
    }
}
