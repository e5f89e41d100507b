//! Which sample was when: sound has holes where a meeting had none, and a recogniser counts samples.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use media::SAMPLE_RATE;

use super::Sound;

/// Samples a second that recognisers are trained with.
pub(super) const RATE: u32 = 16_000;

/// Each so many of ours make one.
const STEP: usize = (SAMPLE_RATE / RATE) as usize;

/// How much of the past is known: words that come later are of no use.
const KEPT: usize = 600;

/// Weights of the filter that takes out what the lower rate can't have: above 8 kHz.
const TAPS: usize = 48;

/// What was sent so far.
pub(super) struct Timeline {
    samples: u64,
    /// The first sample of what was sent at once, and when it was mixed.
    sent: VecDeque<(u64, SystemTime)>,
    taps: [f32; TAPS],
    /// The newest of ours, as many as the filter looks back.
    past: Vec<f32>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { samples: 0, sent: VecDeque::new(), taps: low_pass(), past: vec![0.0; TAPS - STEP] }
    }
}

impl Timeline {
    /// The same at 16 kHz, as little-endian numbers of 16 bits.
    pub(super) fn take(&mut self, sound: impl Iterator<Item = Sound>) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, (time, frame)) in sound.enumerate() {
            if index == 0 {
                self.sent.push_back((self.samples, time));
                if self.sent.len() > KEPT {
                    self.sent.pop_front();
                }
            }
            self.past.extend_from_slice(&frame[..]);
            for window in self.past.windows(TAPS).step_by(STEP) {
                let sum: f32 = window.iter().zip(&self.taps).map(|(sample, tap)| sample * tap).sum();
                let sample = (sum * f32::from(i16::MAX)).round() as i16;
                out.extend_from_slice(&sample.to_le_bytes());
            }
            self.past.drain(..frame.len());
            self.samples += (frame.len() / STEP) as u64;
        }
        out
    }

    /// How much was sent.
    pub(super) fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(RATE)
    }

    /// When it was that was sent after so many seconds; none for what is long past.
    pub(super) fn at(&self, seconds: f64) -> Option<SystemTime> {
        let sample = (seconds * f64::from(RATE)) as u64;
        let (first, time) = self.sent.iter().rev().find(|(first, _)| *first <= sample)?;
        Some(*time + Duration::from_secs_f64((sample - first) as f64 / f64::from(RATE)))
    }
}

/// A windowed sinc (Blackman), flat to 6 kHz and silent from 8.5 kHz on.
fn low_pass() -> [f32; TAPS] {
    let cutoff = 7_000.0 / f64::from(SAMPLE_RATE);
    let weight = |index: usize| {
        let at = index as f64 - (TAPS - 1) as f64 / 2.0;
        let turn = std::f64::consts::TAU * index as f64 / (TAPS - 1) as f64;
        let window = 0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos();
        (std::f64::consts::TAU * cutoff * at).sin() / (std::f64::consts::PI * at) * window
    };
    let weights: [f64; TAPS] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

#[cfg(test)]
mod tests {
    use media::FRAME_SAMPLES;

    use super::*;

    /// The strength of a tone at the lower rate, of one of strength 1.
    fn heard(hz: f32) -> f32 {
        let mut timeline = Timeline::default();
        let step = std::f32::consts::TAU * hz / SAMPLE_RATE as f32;
        let frames = (0..50).map(|frame| {
            let samples = std::array::from_fn(|index| ((frame * FRAME_SAMPLES + index) as f32 * step).sin());
            (SystemTime::UNIX_EPOCH, Box::new(samples))
        });
        let pcm = timeline.take(frames);
        assert_eq!(pcm.len(), 2 * RATE as usize);
        let samples = pcm.chunks_exact(2).map(|bytes| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_767.0);
        let power: f32 = samples.skip(100).map(|sample| sample * sample).sum::<f32>() / (RATE - 100) as f32;
        (2.0 * power).sqrt()
    }

    #[test]
    fn voices_pass_and_what_would_be_folded_back_doesnt() {
        for (hz, least, most) in
            [(100.0, 0.98, 1.02), (3_000.0, 0.98, 1.02), (10_000.0, 0.0, 0.01), (15_000.0, 0.0, 0.01)]
        {
            let strength = heard(hz);
            assert!((least..=most).contains(&strength), "{hz} Hz comes out at {strength}");
        }
    }

    #[test]
    fn holes_in_the_sound_are_holes_in_time() {
        let mut timeline = Timeline::default();
        let time = |ms| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
        for ms in [0, 20, 40, 5_000, 5_020] {
            timeline.take([(time(ms), Box::new([0.0; FRAME_SAMPLES]))].into_iter());
        }
        assert_eq!(timeline.at(0.03), Some(time(30)));
        assert_eq!(timeline.at(0.07), Some(time(5_010)));
        for _ in 0..KEPT {
            timeline.take([(time(9_000), Box::new([0.0; FRAME_SAMPLES]))].into_iter());
        }
        assert_eq!(timeline.at(0.03), None);
    }
}
