//! What is special about a telephone's sound on its way from the decoder to the stage: pauses in which nothing is sent are
//! filled, noise is taken out, music and echoes are held back, and a line that is dead is told.

use media::AudioLevel;

use crate::{
    codec::Decoder,
    denoise::Denoiser,
    echo::EchoGuard,
    music::MusicEar,
    noise::{ComfortNoise, NoiseFloor},
    resample::RateClass,
};

/// Ticks over which the last sound goes out and comfort noise comes in when a sender stops.
const FADE_TICKS: u32 = 3;

/// A line from which nothing has been heard for so many ticks, ever, is dead: half a minute. People say hello sooner.
const DEAD_TICKS: u32 = 1_500;

/// What is louder than this, in −dBov, is something. A-law's silence is 72.
const SOMETHING: u8 = 66;

/// What is done for telephones' lines; at first nothing, for tones and test sounds must pass as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCare {
    /// Noise is taken out of what is mixed, where a line is noisy.
    pub denoise: bool,
    /// Music, ringing and fax are held back.
    pub mute_music: bool,
    /// What a telephone gives back of what it is sent is held back.
    pub echo_guard: bool,
}

/// What a line turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEvent {
    /// It plays music, rings or is a fax, and is not mixed; or no longer.
    Music(bool),
    /// Nothing has ever come from it; or now it has.
    Silent(bool),
}

#[derive(Default)]
pub(crate) struct Line {
    pub(crate) care: LineCare,
    floor: NoiseFloor,
    noise: ComfortNoise,
    /// The sender has said how its silence sounds.
    described: bool,
    quiet_ticks: u32,
    pub(crate) denoiser: Denoiser,
    /// Made when it is wanted.
    ear: Option<MusicEar>,
    music: bool,
    /// Somebody wants to hear it.
    pub(crate) music_allowed: bool,
    music_told: bool,
    pub(crate) echo: EchoGuard,
    echoing: bool,
    dead_ticks: u32,
    something: bool,
    silent_told: bool,
}

impl Line {
    /// A payload came, so loud.
    pub(crate) fn came(&mut self, level: AudioLevel) {
        (self.quiet_ticks, self.described) = (0, false);
        self.floor.hear(level);
        self.something |= level.minus_dbov() < SOMETHING;
        self.echoing = self.care.echo_guard && self.echo.came(level);
    }

    /// Nothing was sent in this tick. False where there is nothing to hear instead.
    pub(crate) fn fill(&mut self, described: Option<&[u8]>, decoder: &mut Decoder, frame: &mut [f32]) -> bool {
        if let Some(payload) = described {
            self.noise.describe(payload);
            self.described = true;
        } else if self.quiet_ticks == 0 && !self.described {
            self.noise.imitate(self.floor.level().unwrap_or(AudioLevel::SILENT));
        }
        let grown = |ticks: u32| ticks.min(FADE_TICKS) as f32 / FADE_TICKS as f32;
        let (from, to) = (grown(self.quiet_ticks), grown(self.quiet_ticks + 1));
        if self.quiet_ticks < FADE_TICKS {
            decoder.conceal(None, frame);
        } else {
            frame.fill(0.0);
        }
        self.quiet_ticks = self.quiet_ticks.saturating_add(1);
        self.noise.add(frame, from, to);
        self.echoing = false;
        self.quiet_ticks <= FADE_TICKS || !self.noise.is_nothing()
    }

    /// Hears what will be mixed.
    pub(crate) fn listen(&mut self, frame: &[f32], level: AudioLevel) {
        self.music = self.care.mute_music && self.ear.get_or_insert_default().hear(frame, level);
    }

    /// Takes the noise out of what is mixed; true where there was some.
    pub(crate) fn clean(&mut self, frame: &mut [f32], class: RateClass) -> bool {
        self.denoiser.process(frame, class, self.floor.level().filter(|_| self.care.denoise))
    }

    /// What was heard of it counts no longer: music that goes on is held back as late as at first.
    pub(crate) fn listen_anew(&mut self) {
        (self.ear, self.music) = (None, false);
    }

    /// It is not mixed at all.
    pub(crate) fn is_held_back(&self) -> bool {
        self.music && !self.music_allowed
    }

    /// What came in this tick is only ours.
    pub(crate) fn echoes(&self) -> bool {
        self.echoing
    }

    /// A tick of an open line is over; what is to be told.
    pub(crate) fn tick(&mut self) -> Option<LineEvent> {
        if self.is_held_back() != self.music_told {
            self.music_told = self.is_held_back();
            return Some(LineEvent::Music(self.music_told));
        }
        self.dead_ticks = if self.something { 0 } else { self.dead_ticks.saturating_add(1) };
        let is_dead = self.dead_ticks >= DEAD_TICKS;
        (is_dead != std::mem::replace(&mut self.silent_told, is_dead)).then_some(LineEvent::Silent(is_dead))
    }
}
