//! Who is in no meeting: each is alone and hears what is played to him.

use media::AudioCodec;
use mixer::{Mixer, MixerError, Playing, SeatConfig, SeatKey, SeatMap};

use crate::{LegId, legs::Legs};

/// All of one worker.
#[derive(Default)]
pub(crate) struct Lobby {
    mixer: Mixer,
    seats: SeatMap<LegId>,
}

impl Lobby {
    /// A seat for a leg that has none here.
    pub(crate) fn add(&mut self, leg: LegId, codec: AudioCodec) -> Result<SeatKey, MixerError> {
        let config = SeatConfig { input: Some(codec), output: Some(codec), voice: false, apart: true };
        let seat = self.mixer.add(config)?;
        self.seats.insert(seat, leg);
        Ok(seat)
    }

    /// What plays there, where something does.
    pub(crate) fn remove(&mut self, seat: SeatKey) -> Option<Playing> {
        self.seats.remove(seat);
        self.mixer.remove(seat)
    }

    pub(crate) fn mixer(&mut self) -> &mut Mixer {
        &mut self.mixer
    }

    /// The 20 ms clock.
    pub(crate) fn tick(&mut self, legs: &mut Legs) {
        if self.seats.is_empty() {
            return;
        }
        for (seat, leg) in self.seats.iter() {
            if legs.pull_into(*leg, &mut self.mixer, seat) {
                // Nobody sees them, and a handshake for them goes on.
                legs.pull_pictures(*leg, |_| {});
            }
        }
        let tick = self.mixer.tick();
        for (seat, payload) in tick.outputs() {
            if let Some(leg) = self.seats.get(seat) {
                legs.send(*leg, payload);
            }
        }
        for (seat, play) in &tick.finished {
            if let Some(leg) = self.seats.get(*seat) {
                legs.play_done(*leg, *play);
            }
        }
    }
}
