//! Sound as the engines hold it: 48 kHz mono float in frames of 20 ms.

use std::{
    any::Any,
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The rate all mixed sound has, in samples a second.
pub const SAMPLE_RATE: u32 = 48_000;

/// How often mixers run. Shorter would cost a packet more per leg and second, longer would delay every word; 20 ms is
/// also the packet time every telephone understands (RFC 3551 §4.2).
pub const TICK: Duration = Duration::from_millis(20);

/// Samples in one tick at [`SAMPLE_RATE`].
pub const FRAME_SAMPLES: usize = 960;

/// One tick of mono sound, full scale ±1.0.
pub type Frame = [f32; FRAME_SAMPLES];

/// A frame of nothing.
pub const SILENCE: Frame = [0.0; FRAME_SAMPLES];

/// Loudness of a packet in −dBov: 0 is the loudest possible, 127 digital silence (RFC 6464 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AudioLevel(u8);

impl AudioLevel {
    /// Digital silence.
    pub const SILENT: Self = Self(127);

    /// Quieter than this is room noise, not a voice. Lower numbers would miss soft speakers, higher ones light up
    /// every fan; −50 dBov is about 15 dB under a soft telephone voice.
    const VOICE: u8 = 50;

    /// From the value in the header extension; what is above 127 is silence.
    #[must_use]
    pub fn from_minus_dbov(value: u8) -> Self {
        Self(value.min(127))
    }

    /// The root mean square of samples with full scale ±1.0.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        if samples.is_empty() {
            return Self::SILENT;
        }
        Self::of_power(samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32)
    }

    /// The mean square of samples with full scale ±1.0.
    #[must_use]
    pub fn of_power(power: f32) -> Self {
        if power <= 0.0 || !power.is_finite() {
            return Self::SILENT;
        }
        // A float cast saturates, so any loudness above full scale reads as 0.
        Self(((-10.0 * power.log10()).round() as u8).min(127))
    }

    /// The number as it stands in the header extension.
    #[must_use]
    pub fn minus_dbov(self) -> u8 {
        self.0
    }

    /// Loud enough to be somebody speaking.
    #[must_use]
    pub fn is_voice(self) -> bool {
        self.0 < Self::VOICE
    }
}

/// A prompt, a tone or a piece of music, decoded once and shared by all who hear it. What is said one after the other is
/// shared too: a clip is a list of such pieces.
#[derive(Clone)]
pub struct Clip(Arc<[Arc<Piece>]>);

impl Clip {
    /// Mono samples at [`SAMPLE_RATE`], full scale ±1.0.
    #[must_use]
    pub fn new(samples: Vec<f32>) -> Self {
        Self(Arc::new([Arc::new(Piece { samples: samples.into(), made: OnceLock::new() })]))
    }

    /// One after the other, without a pause.
    #[must_use]
    pub fn join<'a>(clips: impl IntoIterator<Item = &'a Self>) -> Self {
        Self(clips.into_iter().flat_map(|clip| clip.0.iter().cloned()).collect())
    }

    /// The pieces in their order.
    #[must_use]
    pub fn pieces(&self) -> &[Arc<Piece>] {
        &self.0
    }

    /// All samples.
    #[must_use]
    pub fn samples(&self) -> Cow<'_, [f32]> {
        match &*self.0 {
            [one] => Cow::Borrowed(&one.samples),
            pieces => Cow::Owned(pieces.iter().flat_map(|piece| piece.samples.iter().copied()).collect()),
        }
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let samples: usize = self.0.iter().map(|piece| piece.samples.len()).sum();
        Duration::from_secs_f64(samples as f64 / f64::from(SAMPLE_RATE))
    }
}

/// What is said in one go.
pub struct Piece {
    samples: Box<[f32]>,
    made: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Piece {
    /// Mono, at [`SAMPLE_RATE`].
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// What the engine that plays it keeps with it, so that it is made once for all who hear it; there is one such engine,
    /// and none for another's `T`.
    pub fn made<T: Any + Default + Send + Sync>(&self) -> Option<&T> {
        self.made.get_or_init(|| Box::<T>::default()).downcast_ref()
    }
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clip({:?})", self.duration())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_minus_decibels() {
        let check = |amplitude: f32, expected: u8| {
            assert_eq!(AudioLevel::of(&[amplitude; 960]).minus_dbov(), expected, "amplitude {amplitude}");
        };
        check(1.0, 0);
        check(0.1, 20);
        check(0.001, 60);
        check(0.0, 127);
        check(4.0, 0);
        check(f32::NAN, 127);
        assert_eq!(AudioLevel::of(&[]), AudioLevel::SILENT);
    }

    #[test]
    fn a_voice_is_louder_than_a_fan() {
        assert!(AudioLevel::of(&[0.05; 960]).is_voice());
        assert!(!AudioLevel::of(&[0.002; 960]).is_voice());
    }

    #[test]
    fn a_clip_knows_its_length() {
        let half = Clip::new(vec![0.5; 24_000]);
        assert_eq!(half.duration(), Duration::from_millis(500));
        let twice = Clip::join([&half, &half]);
        assert_eq!((twice.duration(), twice.samples().len()), (Duration::from_secs(1), 48_000));
        assert!(Arc::ptr_eq(&twice.pieces()[1], &half.pieces()[0]), "joining copies nothing");
    }
}
