//! How many phone legs one core mixes: the figures behind `huitong bench mixer`.

use std::time::Instant;

use media::AudioCodec;

use crate::{
    Incoming, Mixer, MixerError, SeatConfig,
    codec::{Decoder, Encoder},
    resample::RateClass,
    tones::sine,
};

/// One meeting of phones.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Phones in the meeting.
    pub legs: usize,
    /// How many of them send voice in every tick; the others listen.
    pub speaking: usize,
    /// Of all legs, both ways.
    pub codec: AudioCodec,
    /// Ticks measured, after as many to warm up.
    pub ticks: usize,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Of one tick of the whole meeting, in microseconds.
    pub tick_us_mean: f64,
    /// The slowest of a hundred ticks, in microseconds.
    pub tick_us_p99: f64,
    /// Legs a core could carry in such meetings, by the mean.
    pub legs_per_core: f64,
}

/// Mixes as fast as it can.
pub fn run(options: Options) -> Result<Report, MixerError> {
    let mut mixer = Mixer::new();
    let config = SeatConfig { input: Some(options.codec), output: Some(options.codec), voice: true, apart: false };
    let seats = (0..options.legs).map(|_| mixer.add(config)).collect::<Result<Vec<_>, _>>()?;
    // As in a meeting of telephones alone: nobody receives a voice by itself.
    seats.iter().for_each(|seat| mixer.set_voice_wanted(*seat, false));
    let payloads = voice(options.codec)?;
    let mut took = Vec::with_capacity(options.ticks);
    for tick in 0..2 * options.ticks {
        let start = Instant::now();
        for (index, seat) in seats.iter().enumerate().take(options.speaking) {
            mixer.push(*seat, Incoming::Packet(&payloads[(tick + index * 7) % payloads.len()]), None);
        }
        mixer.tick();
        if tick >= options.ticks {
            took.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    took.sort_by(f64::total_cmp);
    let mean = took.iter().sum::<f64>() / took.len().max(1) as f64;
    let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Report { tick_us_mean: mean, tick_us_p99: p99, legs_per_core: options.legs as f64 * 20_000.0 / mean })
}

/// A second of a voice-like sound in payloads of 20 ms: a chord whose loudness swings.
pub fn voice(codec: AudioCodec) -> Result<Vec<Vec<u8>>, MixerError> {
    let (rate, second) = (codec.sample_rate(), codec.sample_rate() as usize);
    let chord = [140.0, 280.0, 700.0, 2_100.0].map(|hz| sine(hz, 0.08, rate, second));
    let swing = sine(3.0, 0.5, rate, second);
    let sound = |n: usize| chord.iter().map(|tone| tone[n]).sum::<f32>() * (0.5 + swing[n]);
    payloads(codec, &(0..second).map(sound).collect::<Vec<_>>())
}

/// A second of what a telephone sends while nobody talks: noise of −66 dBov.
pub fn noise(codec: AudioCodec) -> Result<Vec<Vec<u8>>, MixerError> {
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
