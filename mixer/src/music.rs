//! Tells music, ringing and fax from speech: a note stands still where a voice glides.
//!
//! Ten times a second the spectrum of 32 ms is compared with the one before. Of the pairs with sound in both, speech has
//! one in four alike at the very most (the shipped prompts at 0.7 to 1.3 of their speed), the shipped music on hold seven
//! in ten, ringing and busy tones all of them, and noise none.

use std::{
    f32::consts::TAU,
    sync::{Arc, LazyLock},
};

use media::AudioLevel;
use rustfft::{Fft, FftPlanner, num_complex::Complex32};

/// Samples of a spectrum, at 8 kHz: shorter ones can't part low notes, longer ones blur a glide into a chord.
const WINDOW: usize = 256;

/// Ticks between two spectra: 100 ms. In less a vowel stands still too, in more a melody has gone on.
const STEP_TICKS: u32 = 5;

/// Pairs remembered: eight seconds. Less would silence who hums, more would let music play for longer.
const PAIRS: usize = 80;

/// Pairs with sound that are needed to judge: a ringing tone of one second in five has so many.
const SOUNDING_MIN: usize = 12;

/// How alike two spectra are (the cosine between them) when nothing has moved.
const ALIKE: f32 = 0.9;

/// Of the pairs with sound, how many are alike when music begins, and under which it is over. Between the two it stays as it
/// was.
const BEGINS: f32 = 0.45;
/// See [`BEGINS`].
const ENDS: f32 = 0.3;

static PLAN: LazyLock<Arc<dyn Fft<f32>>> = LazyLock::new(|| FftPlanner::new().plan_fft_forward(WINDOW));
static HANN: LazyLock<[f32; WINDOW]> =
    LazyLock::new(|| std::array::from_fn(|n| 0.5 - 0.5 * (TAU * (n as f32 + 0.5) / WINDOW as f32).cos()));

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pair {
    Quiet,
    Moved,
    Alike,
}

/// Listens to one leg.
pub(crate) struct MusicEar {
    line: Box<[f32; WINDOW]>,
    /// The spectrum before, of length one, where there was sound.
    before: Box<[f32; WINDOW / 2]>,
    sounded: bool,
    ticks: u32,
    pairs: Box<[Pair; PAIRS]>,
    heard: usize,
    music: bool,
}

impl Default for MusicEar {
    fn default() -> Self {
        Self {
            line: Box::new([0.0; WINDOW]),
            before: Box::new([0.0; WINDOW / 2]),
            sounded: false,
            ticks: 0,
            pairs: Box::new([Pair::Quiet; PAIRS]),
            heard: 0,
            music: false,
        }
    }
}

impl MusicEar {
    /// Takes 20 ms at any rate class; whether this leg plays music now.
    pub(crate) fn hear(&mut self, frame: &[f32], level: AudioLevel) -> bool {
        let ratio = (frame.len() / 160).max(1);
        self.line.copy_within(160.., 0);
        for (to, from) in self.line[WINDOW - 160..].iter_mut().zip(frame.chunks_exact(ratio)) {
            *to = from.iter().sum::<f32>() / ratio as f32;
        }
        self.ticks += 1;
        if self.ticks < STEP_TICKS {
            return self.music;
        }
        self.ticks = 0;
        self.pairs[self.heard % PAIRS] = self.compare(level);
        self.heard = self.heard.wrapping_add(1);
        self.judge()
    }

    /// A pause has no spectrum.
    fn compare(&mut self, level: AudioLevel) -> Pair {
        if !level.is_voice() {
            self.sounded = false;
            return Pair::Quiet;
        }
        let mut bins: [Complex32; WINDOW] = std::array::from_fn(|n| Complex32::new(self.line[n] * HANN[n], 0.0));
        let mut scratch = [Complex32::default(); WINDOW];
        PLAN.process_with_scratch(&mut bins, &mut scratch[..PLAN.get_inplace_scratch_len()]);
        let mut now: [f32; WINDOW / 2] = std::array::from_fn(|n| bins[n].norm());
        let length = now.iter().map(|bin| bin * bin).sum::<f32>().sqrt().max(1e-9);
        now.iter_mut().for_each(|bin| *bin /= length);
        let likeness: f32 = self.before.iter().zip(&now).map(|(a, b)| a * b).sum();
        *self.before = now;
        if !std::mem::replace(&mut self.sounded, true) {
            return Pair::Quiet;
        }
        if likeness > ALIKE { Pair::Alike } else { Pair::Moved }
    }

    fn judge(&mut self) -> bool {
        let of = |kind: Pair| self.pairs.iter().filter(|pair| **pair == kind).count();
        let (alike, sounding) = (of(Pair::Alike), PAIRS - of(Pair::Quiet));
        if self.heard >= PAIRS && sounding >= SOUNDING_MIN {
            let share = alike as f32 / sounding as f32;
            self.music = share > if self.music { ENDS } else { BEGINS };
        } else if sounding == 0 {
            self.music = false;
        }
        self.music
    }
}

#[cfg(test)]
mod tests {
    use sipconf::{Language, Prompt, Prompts};

    use super::*;
    use crate::tones::sine;

    /// Sound at 8 kHz, from 48.
    fn narrow(samples: &[f32], speed: f64) -> Vec<f32> {
        let place = |n: usize| (n as f64 * 6.0 * speed) as usize;
        let len = (samples.len() as f64 / (6.0 * speed)) as usize - 1;
        let mean = |n: usize| samples[place(n)..place(n) + 6].iter().sum::<f32>() / 6.0;
        (0..len).map(mean).collect()
    }

    /// After how many seconds music is told.
    fn told(ear: &mut MusicEar, sound: &[f32]) -> Option<f32> {
        let frames = sound.chunks_exact(160).enumerate();
        let mut told = frames.filter_map(|(n, frame)| ear.hear(frame, AudioLevel::of(frame)).then_some(n));
        told.next().map(|n| n as f32 / 50.0)
    }

    fn is_told_within_ten_seconds(name: &str, sound: &[f32]) {
        let after = told(&mut MusicEar::default(), sound);
        assert!(after.is_some_and(|after| after < 10.0), "{name}: {after:?}");
    }

    fn on_and_off(hz: [f32; 2], on: f32, off: f32) -> Vec<f32> {
        let [a, b] = hz.map(|hz| sine(hz, 0.08, 8_000, 8_000 * 20));
        let sounds = |n: usize| (n as f32 / 8_000.0) % (on + off) < on;
        (0..a.len()).map(|n| if sounds(n) { a[n] + b[n] } else { 0.0 }).collect()
    }

    // product: P10
    #[test]
    fn music_and_call_tones_are_told_within_ten_seconds() {
        let music = narrow(&Prompts::load().unwrap().hold_music().samples(), 1.0);
        for from in [0, music.len() / 3, music.len() / 2] {
            let mut twice = music[from..].to_vec();
            twice.extend(&music);
            is_told_within_ten_seconds("music on hold", &twice);
        }
        is_told_within_ten_seconds("ringing in China", &on_and_off([450.0, 450.0], 1.0, 4.0));
        is_told_within_ten_seconds("ringing in America", &on_and_off([440.0, 480.0], 2.0, 4.0));
        is_told_within_ten_seconds("busy", &on_and_off([450.0, 450.0], 0.35, 0.35));
        is_told_within_ten_seconds("fax", &on_and_off([1_100.0, 1_100.0], 0.5, 3.0));
    }

    // product: P10
    #[test]
    fn an_hour_of_speech_is_no_music_and_neither_is_noise() {
        let prompts = Prompts::load().unwrap();
        let mut seconds = 0.0;
        for round in 0.. {
            for language in Language::ALL {
                let mut ear = MusicEar::default();
                for prompt in Prompt::ALL {
                    let speech = narrow(&prompts.clip(language, *prompt).samples(), 0.7 + 0.06 * f64::from(round % 11));
                    assert_eq!(told(&mut ear, &speech), None, "{language:?} {prompt:?} in round {round}");
                    seconds += speech.len() as f32 / 8_000.0;
                }
            }
            if seconds > 3_600.0 {
                break;
            }
        }
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..8_000 * 30)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                0.05 * state.cast_signed() as f32 / i32::MAX as f32
            })
            .collect();
        assert_eq!(told(&mut MusicEar::default(), &noise), None);
    }

    #[test]
    fn who_speaks_again_is_heard_again_within_ten_seconds() {
        let prompts = Prompts::load().unwrap();
        let mut ear = MusicEar::default();
        assert!(told(&mut ear, &on_and_off([450.0, 450.0], 20.0, 0.0)).is_some());
        let speech: Vec<f32> = [Prompt::Help, Prompt::HelpMore, Prompt::HelpHost]
            .iter()
            .flat_map(|prompt| narrow(&prompts.clip(Language::EnUs, *prompt).samples(), 1.0))
            .collect();
        let frames = speech.chunks_exact(160).map(|frame| ear.hear(frame, AudioLevel::of(frame)));
        let over = frames.take_while(|music| *music).count();
        assert!(over < 500 && over < speech.len() / 160, "{over} ticks");
    }
}
