//! Sound that benches send, and an ear that hears it.

use media::{AudioCodec, FRAME_SAMPLES};

use crate::{
    MixerError,
    codec::{Decoder, Encoder},
    resample::{RateClass, Resampler},
    tones::sine,
};

/// Payloads by which each caller is ahead of the one before him, so that no two say the same at once.
const APART: usize = 97;

/// What a caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// The beginning of a loud chord, by which is measured how long sound takes.
    Mark,
    /// Speaks.
    Speech,
    /// Is there: noise of −66 dBov.
    Nothing,
}

/// What all callers of a bench send, in payloads of 20 ms.
pub struct Sounds {
    mark: Vec<Vec<u8>>,
    speech: Vec<Vec<u8>>,
    noise: Vec<Vec<u8>>,
}

impl Sounds {
    /// `speech` is sound of 48 kHz that is said over and over.
    pub fn new(codec: AudioCodec, speech: &[f32]) -> Result<Self, MixerError> {
        Ok(Self { mark: mark(codec)?, speech: self::speech(codec, speech)?, noise: noise(codec)? })
    }

    /// What this caller sends in this tick.
    #[must_use]
    pub fn payload(&self, says: Says, caller: usize, tick: usize) -> &[u8] {
        let payloads = match says {
            Says::Mark => &self.mark,
            Says::Speech => &self.speech,
            Says::Nothing => &self.noise,
        };
        &payloads[(tick + caller * APART) % payloads.len()]
    }
}

/// The beginning of a loud chord after silence.
pub(crate) fn mark(codec: AudioCodec) -> Result<Vec<Vec<u8>>, MixerError> {
    let (rate, second) = (codec.sample_rate(), codec.sample_rate() as usize);
    let chord = [140.0, 280.0, 700.0, 2_100.0].map(|hz| sine(hz, 0.08, rate, second));
    let begins = second - second / 10;
    let sound = |n: usize| if n < begins { 0.0 } else { chord.iter().map(|tone| tone[n]).sum() };
    // An encoder that heard it for longer would no longer take it for a voice.
    Ok(payloads(codec, &(0..second).map(sound).collect::<Vec<_>>())?.split_off(45))
}

/// Sound of 48 kHz.
pub(crate) fn speech(codec: AudioCodec, sound: &[f32]) -> Result<Vec<Vec<u8>>, MixerError> {
    let class = RateClass::of(codec);
    if class == RateClass::Full {
        return payloads(codec, sound);
    }
    let mut resampler = Resampler::new(RateClass::Full, class);
    let mut narrow = Vec::new();
    for frame in sound.chunks_exact(FRAME_SAMPLES) {
        let start = narrow.len();
        narrow.resize(start + class.samples(), 0.0);
        resampler.process(frame, &mut narrow[start..]);
    }
    payloads(codec, &narrow)
}

/// A second of what a telephone sends while nobody talks: noise of −66 dBov.
pub(crate) fn noise(codec: AudioCodec) -> Result<Vec<Vec<u8>>, MixerError> {
    let mut state = 1_u32;
    let sound = (0..codec.sample_rate()).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state.cast_signed() as f32 / i32::MAX as f32) * 0.000_8
    });
    payloads(codec, &sound.collect::<Vec<_>>())
}

fn payloads(codec: AudioCodec, sound: &[f32]) -> Result<Vec<Vec<u8>>, MixerError> {
    let mut encoder = Encoder::new(codec)?;
    let encode = |frame| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        payload
    };
    Ok(sound.chunks_exact(RateClass::of(codec).samples()).map(encode).collect())
}

/// Tells how loud payloads are.
pub struct Ear {
    decoder: Decoder,
    frame: Vec<f32>,
}

impl Ear {
    /// For one stream.
    pub fn new(codec: AudioCodec) -> Result<Self, MixerError> {
        Ok(Self { decoder: Decoder::new(codec)?, frame: vec![0.0; RateClass::of(codec).samples()] })
    }

    /// The largest sample, of 1.
    pub fn loudness(&mut self, payload: &[u8]) -> f32 {
        if !self.decoder.decode(payload, &mut self.frame) {
            return 0.0;
        }
        self.frame.iter().fold(0.0, |most, sample| most.max(sample.abs()))
    }
}
