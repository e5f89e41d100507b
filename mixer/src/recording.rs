//! A few seconds of what one telephone says, kept as it came and made into sound when it is wanted: a caller's name.

use media::{AudioCodec, AudioLevel, Clip, SILENCE};

use crate::{
    Incoming,
    codec::Decoder,
    resample::{RateClass, Resampler},
};

/// Ticks kept: three seconds. A name with a company is shorter, and a meeting hears it at every coming and going.
pub const RECORDING_TICKS_MAX: usize = 150;

/// Ticks of voice below which nothing was said: a cough, a click.
const VOICE_TICKS_MIN: usize = 8;

/// Ticks left before and after the voice, for soft beginnings and ends.
const MARGIN_TICKS: usize = 5;

/// The loudest sample is brought to this: as loud as the prompts beside it.
const PEAK: f32 = 0.5;

/// Raised by no more than this: what is softer was not meant for us.
const RAISE_MAX: f32 = 20.0;

/// What a telephone says, as it came.
#[derive(Debug, Clone)]
pub struct Recording {
    codec: AudioCodec,
    /// One a tick; none where nothing came.
    packets: Vec<Option<Box<[u8]>>>,
}

impl Recording {
    /// An empty one.
    #[must_use]
    pub fn new(codec: AudioCodec) -> Self {
        Self { codec, packets: Vec::new() }
    }

    /// Takes one tick; what is beyond [`RECORDING_TICKS_MAX`] is not kept.
    pub fn push(&mut self, incoming: Incoming<'_>) {
        if self.is_full() {
            return;
        }
        self.packets.push(match incoming {
            Incoming::Packet(payload) => Some(payload.into()),
            Incoming::Lost { .. } | Incoming::ComfortNoise(_) | Incoming::Nothing => None,
        });
    }

    /// Nothing more is kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.packets.len() >= RECORDING_TICKS_MAX
    }

    /// What was said, without the silence around it; none where that was nothing.
    #[must_use]
    pub fn clip(&self) -> Option<Clip> {
        let class = RateClass::of(self.codec);
        let mut decoder = Decoder::new(self.codec).ok()?;
        let mut resampler = (class != RateClass::Full).then(|| Resampler::new(class, RateClass::Full));
        let (mut own, mut frame) = (SILENCE, SILENCE);
        let mut sound = Vec::with_capacity(self.packets.len() * frame.len());
        let mut voiced = Vec::with_capacity(self.packets.len());
        for packet in &self.packets {
            let own = &mut own[..class.samples()];
            match packet {
                Some(payload) => _ = decoder.decode(payload, own),
                None => decoder.conceal(None, own),
            }
            voiced.push(AudioLevel::of(own).is_voice());
            match &mut resampler {
                Some(resampler) => resampler.process(own, &mut frame),
                None => frame.copy_from_slice(own),
            }
            sound.extend_from_slice(&frame);
        }
        if voiced.iter().filter(|voiced| **voiced).count() < VOICE_TICKS_MIN {
            return None;
        }
        let first = voiced.iter().position(|voiced| *voiced)?.saturating_sub(MARGIN_TICKS);
        let last = (voiced.iter().rposition(|voiced| *voiced)? + MARGIN_TICKS).min(voiced.len() - 1);
        let mut said = sound[first * frame.len()..(last + 1) * frame.len()].to_vec();
        let peak = said.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        let gain = (PEAK / peak.max(f32::EPSILON)).min(RAISE_MAX);
        said.iter_mut().for_each(|sample| *sample *= gain);
        Some(Clip::new(said))
    }
}

#[cfg(test)]
mod tests {
    use media::SAMPLE_RATE;

    use super::*;
    use crate::{
        codec::Encoder,
        tones::{amplitude, sine},
    };

    /// Half a second of silence, `ticks` of a tone, and half a second of silence.
    fn recorded(codec: AudioCodec, ticks: usize) -> Recording {
        let class = RateClass::of(codec);
        let mut encoder = Encoder::new(codec).unwrap();
        let mut recording = Recording::new(codec);
        let tone = sine(500.0, 0.05, codec.sample_rate(), class.samples() * ticks);
        let silence = vec![0.0; class.samples() * 25];
        for frame in [silence.clone(), tone, silence].concat().chunks_exact(class.samples()) {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload);
            recording.push(Incoming::Packet(&payload));
        }
        recording
    }

    // product: P3
    #[test]
    fn a_name_is_kept_without_the_silence_around_it_and_loud_enough() {
        for codec in [AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus] {
            let clip = recorded(codec, 40).clip().unwrap();
            let seconds = clip.duration().as_secs_f32();
            assert!((0.8..1.1).contains(&seconds), "{codec}: {seconds} s");
            let middle = &clip.samples()[clip.samples().len() / 4..clip.samples().len() * 3 / 4];
            let tone = amplitude(middle, 500.0, SAMPLE_RATE);
            assert!((0.4..0.6).contains(&tone), "{codec}: {tone}");
        }
    }

    // product: P3
    #[test]
    fn who_says_nothing_has_no_name_and_who_goes_on_is_cut_off() {
        assert!(recorded(AudioCodec::Pcma, 3).clip().is_none());
        assert!(Recording::new(AudioCodec::Opus).clip().is_none());
        let long = recorded(AudioCodec::Pcma, 500);
        assert!(long.is_full());
        assert!(long.clip().unwrap().duration().as_secs_f32() <= 3.0);
    }
}
