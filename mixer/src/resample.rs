//! Sound from one rate class to another, by a windowed-sinc polyphase filter (2 ms of delay at 8 kHz).
//!
//! The filter passes up to 0.8 and stops from 1.03 of the lower rate's half, 60 dB down: what a G.711 leg sends above
//! 4 kHz is nothing that was said.

use std::{f64::consts::PI, sync::LazyLock};

use media::{AudioCodec, FRAME_SAMPLES};

/// Filter taps at the lower rate. More would sharpen the edge and cost time and delay; 32 put the mirror images under
/// hearing.
const TAPS_PER_PHASE: usize = 32;

/// The middle of the filter's edge, as part of the lower rate's half.
const CUTOFF: f64 = 0.915;

/// Kaiser window shape for 60 dB.
const BETA: f64 = 5.65;

/// The rates at which sound is mixed: each codec's own, so that nobody is resampled without need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateClass {
    /// 8 kHz.
    Narrow,
    /// 16 kHz.
    Wide,
    /// 48 kHz.
    Full,
}

impl RateClass {
    pub(crate) const ALL: [Self; 3] = [Self::Narrow, Self::Wide, Self::Full];

    pub(crate) fn of(codec: AudioCodec) -> Self {
        match codec {
            AudioCodec::Pcmu | AudioCodec::Pcma => Self::Narrow,
            AudioCodec::G722 => Self::Wide,
            AudioCodec::Opus => Self::Full,
        }
    }

    /// In hertz.
    #[cfg(test)]
    pub(crate) fn rate(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
            Self::Full => 48_000,
        }
    }

    /// Samples of 20 ms.
    pub(crate) fn samples(self) -> usize {
        match self {
            Self::Narrow => FRAME_SAMPLES / 6,
            Self::Wide => FRAME_SAMPLES / 3,
            Self::Full => FRAME_SAMPLES,
        }
    }
}

struct Filter {
    /// One row a phase, oldest sample's tap first; unity gain in each.
    up: Vec<[f32; TAPS_PER_PHASE]>,
    /// All taps in order, unity gain in total.
    down: Vec<f32>,
}

static BY_2: LazyLock<Filter> = LazyLock::new(|| Filter::new(2));
static BY_3: LazyLock<Filter> = LazyLock::new(|| Filter::new(3));
static BY_6: LazyLock<Filter> = LazyLock::new(|| Filter::new(6));

impl Filter {
    fn new(ratio: usize) -> Self {
        let len = TAPS_PER_PHASE * ratio;
        let middle = (len as f64 - 1.0) / 2.0;
        let cutoff = CUTOFF / ratio as f64;
        let tap = |index: usize| {
            let x = index as f64 - middle;
            let sinc = if x == 0.0 { cutoff } else { (PI * cutoff * x).sin() / (PI * x) };
            sinc * bessel_i0(BETA * (1.0 - (x / middle).powi(2)).max(0.0).sqrt()) / bessel_i0(BETA)
        };
        let taps: Vec<f64> = (0..len).map(tap).collect();
        let sum: f64 = taps.iter().sum();
        let down = taps.iter().map(|tap| (tap / sum) as f32).collect();
        let tap_of = |phase: usize, k: usize| taps[(TAPS_PER_PHASE - 1 - k) * ratio + phase];
        let phase = |phase: usize| std::array::from_fn(|k| (tap_of(phase, k) * ratio as f64 / sum) as f32);
        Self { up: (0..ratio).map(phase).collect(), down }
    }

    fn of(ratio: usize) -> &'static Self {
        match ratio {
            2 => &BY_2,
            3 => &BY_3,
            _ => &BY_6,
        }
    }
}

/// The modified Bessel function of order zero, by its series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..32 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// One sound's way from one class to another.
pub(crate) struct Resampler {
    ratio: usize,
    is_up: bool,
    /// What the filter still needs of the frame before, and room for this one.
    line: Box<[f32]>,
    kept: usize,
}

impl Resampler {
    /// How much later a sound comes out that was brought to a lower rate, in samples of that rate.
    pub(crate) const DOWN_DELAY: usize = TAPS_PER_PHASE / 2;

    /// The classes are two.
    pub(crate) fn new(from: RateClass, to: RateClass) -> Self {
        let (input, output) = (from.samples(), to.samples());
        let is_up = output > input;
        let ratio = if is_up { output / input } else { input / output };
        let kept = if is_up { TAPS_PER_PHASE - 1 } else { TAPS_PER_PHASE * ratio - ratio };
        Self { ratio, is_up, line: vec![0.0; kept + input].into(), kept }
    }

    /// One frame of 20 ms. Both slices are as long as their classes say.
    pub(crate) fn process(&mut self, input: &[f32], output: &mut [f32]) {
        let filter = Filter::of(self.ratio);
        self.line[self.kept..].copy_from_slice(input);
        if self.is_up {
            for (window, out) in self.line.windows(TAPS_PER_PHASE).zip(output.chunks_exact_mut(self.ratio)) {
                for (phase, out) in filter.up.iter().zip(out) {
                    *out = dot(phase, window);
                }
            }
        } else {
            for (window, out) in self.line.windows(filter.down.len()).step_by(self.ratio).zip(output) {
                // The filter is symmetric, so its direction doesn't matter.
                *out = dot(&filter.down, window);
            }
        }
        self.line.copy_within(input.len().., 0);
    }

    /// Forgets what it heard.
    pub(crate) fn reset(&mut self) {
        self.line.fill(0.0);
    }
}

/// Eight sums side by side, which the compiler turns into vector instructions; one sum it may not reorder.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tones::{amplitude, sine};

    fn convert(from: RateClass, to: RateClass, sound: &[f32]) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to);
        let mut heard = Vec::new();
        for chunk in sound.chunks_exact(from.samples()) {
            let mut out = vec![0.0; to.samples()];
            resampler.process(chunk, &mut out);
            heard.extend(out);
        }
        heard
    }

    #[test]
    fn speech_band_passes_unchanged_between_all_classes() {
        use RateClass::{Full, Narrow, Wide};
        for (low, high) in [(Narrow, Wide), (Narrow, Full), (Wide, Full)] {
            for tone in [200.0, 1_000.0, 0.375 * low.rate() as f32] {
                let sound = sine(tone, 0.5, low.rate(), low.rate() as usize);
                let back = convert(high, low, &convert(low, high, &sound));
                let level = amplitude(&back[5 * low.samples()..], tone, low.rate());
                assert!((level - 0.5).abs() < 0.02, "{low:?} {high:?}, {tone} Hz: {level}");
            }
        }
    }

    #[test]
    fn nothing_is_mirrored() {
        let wide = convert(RateClass::Narrow, RateClass::Full, &sine(1_000.0, 1.0, 8_000, 8_000));
        for image in [7_000.0, 9_000.0, 15_000.0] {
            assert!(amplitude(&wide[4_800..], image, 48_000) < 0.001, "image at {image} Hz");
        }
        let narrow = convert(RateClass::Full, RateClass::Narrow, &sine(6_000.0, 1.0, 48_000, 48_000));
        assert!(amplitude(&narrow[800..], 2_000.0, 8_000) < 0.002, "6 kHz folds to 2 kHz");
    }
}
