//! Who only watches: he hears the mix of all in the main room and sees what is shown large there, and nobody sees him.

use std::time::Instant;

use media::{AudioCodec, AudioLevel, MediaPacket};
use mixer::{Mixer, MixerError, SeatConfig, SeatKey, Tick};
use model::ParticipantId;
use sfu::{Layer, Sfu, SourceId};

use crate::{
    PlaneError,
    room::{MAIN, Room, Voice},
};

/// The mix as a source of its own: members' are numbered from one.
const NUMBER: u64 = 0;

/// The mix that all viewers share, while there are any.
pub(crate) struct Stage {
    seat: SeatKey,
    voice: Voice,
}

impl Stage {
    fn new(mixer: &mut Mixer) -> Result<Self, MixerError> {
        let config = SeatConfig { input: None, output: Some(AudioCodec::Opus), voice: false, apart: false };
        Ok(Self { seat: mixer.add(config)?, voice: Voice::default() })
    }

    /// What all viewers hear.
    pub(crate) fn source() -> SourceId {
        SourceId::from(NUMBER)
    }

    /// This tick's piece of the mix.
    pub(crate) fn packet(&mut self, tick: &Tick, ticks: u32) -> Option<MediaPacket> {
        let (_, payload) = tick.outputs().find(|(seat, _)| *seat == self.seat)?;
        // How loud it is concerns nobody: it is all there is.
        Some(self.voice.packet(payload.into(), AudioLevel::SILENT, ticks))
    }
}

impl Room {
    /// A viewer is about to subscribe.
    pub(crate) fn add_viewer(&mut self, viewer: ParticipantId) -> Result<(), PlaneError> {
        if self.stage.is_none()
            && let Some(main) = self.parts.get_mut(&MAIN)
        {
            self.stage = Some(Stage::new(&mut main.mixer)?);
        }
        self.member(viewer).watches = true;
        Ok(())
    }

    /// After somebody has gone: nothing is mixed for nobody.
    pub(crate) fn look_for_viewers(&mut self) {
        if self.members.values().any(|member| member.watches) {
            return;
        }
        if let (Some(stage), Some(main)) = (self.stage.take(), self.parts.get_mut(&MAIN)) {
            main.mixer.remove(stage.seat);
        }
    }

    /// Sends the mix to who watches.
    pub(crate) fn send_stage(&self, packet: Option<MediaPacket>, sfu: &mut Sfu, now: Instant) {
        if let Some((packet, to)) = packet.zip(self.routes.get(&Stage::source())) {
            sfu.forward(to, &[(Layer::default(), packet.into())], now);
        }
    }
}
