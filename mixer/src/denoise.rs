//! Noise suppression: what hums and hisses on a line is taken out before it is mixed (RNNoise, as `nnnoiseless`).
//!
//! Only of lines that are noisy, and only while they are on the stage: on a clean one it would cost a hundred
//! microseconds a tick and change nothing.

use media::{AudioLevel, FRAME_SAMPLES, SILENCE};
use nnnoiseless::DenoiseState;

use crate::resample::{RateClass, Resampler};

/// From this loudness of the pauses on, in −dBov, a line is noisy. Lower numbers would leave a fan in the room, higher
/// ones work on lines on which nobody hears anything.
const NOISY: u8 = 56;

/// And under this it no longer is: between the two it stays as it was.
const CLEAN: u8 = 60;

/// `nnnoiseless` counts in 16-bit samples.
const SCALE: f32 = 32_768.0;

/// The noise of one line.
#[derive(Default)]
pub(crate) struct Denoiser {
    /// Made when the line is first noisy, and kept: a tick asks the system for no memory.
    work: Option<Box<Work>>,
    works: bool,
    /// How much of the sound is the cleaned one; it moves over a frame so that nothing clicks.
    wet: f32,
}

struct Work {
    state: Box<DenoiseState<'static>>,
    /// To 48 kHz and back.
    ways: Option<(Resampler, Resampler)>,
}

impl Denoiser {
    /// Cleans 20 ms of a line whose pauses are as loud as `floor`. True where it did.
    pub(crate) fn process(&mut self, frame: &mut [f32], class: RateClass, floor: Option<AudioLevel>) -> bool {
        let bound = if self.works { CLEAN } else { NOISY };
        let noisy = floor.is_some_and(|floor| floor.minus_dbov() < bound);
        if !noisy && !self.works {
            return false;
        }
        self.works = noisy;
        let work = self.work.get_or_insert_with(|| Box::new(Work::new(class)));
        let mut clean = SILENCE;
        let clean = &mut clean[..frame.len()];
        work.clean(frame, clean);
        let (from, to) = (self.wet, if noisy { 1.0 } else { 0.0 });
        let step = (to - from) / frame.len() as f32;
        for (index, (sample, clean)) in frame.iter_mut().zip(clean).enumerate() {
            *sample += (*clean - *sample) * (from + step * index as f32);
        }
        self.wet = to;
        true
    }

    /// Who leaves the stage needs it no longer.
    pub(crate) fn stop(&mut self) {
        self.works = false;
        self.wet = 0.0;
    }

    pub(crate) fn works(&self) -> bool {
        self.works
    }
}

impl Work {
    fn new(class: RateClass) -> Self {
        let full = RateClass::Full;
        let ways = (class != full).then(|| (Resampler::new(class, full), Resampler::new(full, class)));
        Self { state: DenoiseState::new(), ways }
    }

    fn clean(&mut self, frame: &[f32], clean: &mut [f32]) {
        let (mut full, mut cleaned) = (SILENCE, SILENCE);
        match &mut self.ways {
            Some((up, _)) => up.process(frame, &mut full),
            None => full.copy_from_slice(frame),
        }
        full.iter_mut().for_each(|sample| *sample *= SCALE);
        let halves = full.chunks_exact(FRAME_SAMPLES / 2).zip(cleaned.chunks_exact_mut(FRAME_SAMPLES / 2));
        for (input, output) in halves {
            self.state.process_frame(output, input);
        }
        cleaned.iter_mut().for_each(|sample| *sample /= SCALE);
        match &mut self.ways {
            Some((_, down)) => down.process(&cleaned, clean),
            None => clean.copy_from_slice(&cleaned),
        }
    }
}

#[cfg(test)]
mod tests {
    use sipconf::{Language, Prompt, Prompts};

    use super::*;

    fn noise(state: &mut u32, amplitude: f32) -> f32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        amplitude * state.cast_signed() as f32 / i32::MAX as f32
    }

    /// Power in decibels.
    fn db(samples: impl Iterator<Item = f32>) -> f32 {
        let (mut sum, mut count) = (1e-12f32, 0.0);
        samples.for_each(|sample| {
            sum += sample * sample;
            count += 1.0;
        });
        10.0 * (sum / count).log10()
    }

    // product: P10
    #[test]
    fn a_noisy_voice_comes_out_at_least_ten_decibels_cleaner() {
        let prompts = Prompts::load().unwrap();
        for (class, ratio) in [(RateClass::Narrow, 6), (RateClass::Wide, 3), (RateClass::Full, 1)] {
            let words: Vec<f32> = [Prompt::Help, Prompt::HelpMore]
                .iter()
                .flat_map(|prompt| prompts.clip(Language::EnUs, *prompt).samples().to_vec())
                .collect();
            let voice: Vec<f32> = words.chunks_exact(ratio).map(|few| few.iter().sum::<f32>() / ratio as f32).collect();
            let mut state = 1;
            // White noise 38 dB under full scale: about 12 dB under the voice.
            let hiss: Vec<f32> = voice.iter().map(|_| noise(&mut state, 0.022)).collect();
            let mut denoiser = Denoiser::default();
            let floor = Some(AudioLevel::of(&hiss));
            let mut out = Vec::new();
            for (voice, hiss) in voice.chunks_exact(class.samples()).zip(hiss.chunks_exact(class.samples())) {
                let mut frame: Vec<f32> = voice.iter().zip(hiss).map(|(voice, hiss)| voice + hiss).collect();
                assert!(denoiser.process(&mut frame, class, floor));
                out.extend(frame);
            }
            // Pauses and words by the clean voice, a second after the beginning; what is about to begin or has just
            // ended counts for neither, for the way through takes time.
            let samples = class.samples();
            let levels: Vec<f32> = voice.chunks_exact(samples).map(|frame| db(frame.iter().copied())).collect();
            let around = |frame: usize| &levels[frame - 3..(frame + 3).min(levels.len())];
            let of = |wanted: &dyn Fn(usize) -> bool, sound: &[f32]| {
                let frames = (50..levels.len()).filter(|frame| wanted(*frame));
                db(frames.flat_map(|frame| sound[frame * samples..(frame + 1) * samples].to_vec()))
            };
            let pause = |frame: usize| around(frame).iter().all(|level| *level < -60.0);
            let word = |frame: usize| around(frame).iter().all(|level| *level > -35.0);
            let noisy: Vec<f32> = voice.iter().zip(&hiss).map(|(voice, hiss)| voice + hiss).collect();
            let before = of(&word, &noisy) - of(&pause, &noisy);
            let after = of(&word, &out) - of(&pause, &out);
            let kept = of(&word, &out) - of(&word, &voice);
            println!("{class:?}: {before:.1} dB before, {after:.1} after, the voice {kept:.1}");
            assert!(after - before >= 10.0, "{class:?}: {before:.1} dB before, {after:.1} after");
            assert!(kept.abs() < 3.0, "{class:?}: the voice itself changed by {kept:.1} dB");
        }
    }

    #[test]
    fn a_clean_line_is_left_alone_and_costs_nothing() {
        let mut denoiser = Denoiser::default();
        let mut frame = [0.1; 160];
        for floor in [None, Some(AudioLevel::from_minus_dbov(66))] {
            assert!(!denoiser.process(&mut frame, RateClass::Narrow, floor));
        }
        assert_eq!(frame, [0.1; 160]);
        assert!(denoiser.work.is_none());
    }
}
