//! Telephone rates to 48 kHz and back, by a windowed-sinc polyphase filter (2 ms of delay).
//!
//! The filter passes up to 0.8 and stops from 1.03 of the lower rate's half, 60 dB down: what a G.711 leg sends above
//! 4 kHz is nothing that was said.

use std::{f64::consts::PI, sync::LazyLock};

/// Filter taps at the lower rate. More would sharpen the edge and cost time and delay; 32 put the mirror images under
/// hearing.
const TAPS_PER_PHASE: usize = 32;

/// The middle of the filter's edge, as part of the lower rate's half.
const CUTOFF: f64 = 0.915;

/// Kaiser window shape for 60 dB.
const BETA: f64 = 5.65;

struct Filter {
    /// One row a phase, newest sample's tap first; unity gain in each.
    up: Vec<[f32; TAPS_PER_PHASE]>,
    /// All taps in order, unity gain in total.
    down: Vec<f32>,
}

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
        let phase = |phase: usize| std::array::from_fn(|k| (taps[k * ratio + phase] * ratio as f64 / sum) as f32);
        Self { up: (0..ratio).map(phase).collect(), down }
    }

    fn of(ratio: usize) -> &'static Self {
        if ratio == 3 { &BY_3 } else { &BY_6 }
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

/// From 8 or 16 kHz to 48 kHz.
pub(crate) struct Upsampler {
    ratio: usize,
    /// The last samples of the frame before, then this frame's.
    line: Vec<f32>,
}

impl Upsampler {
    /// `ratio` is 3 or 6.
    pub(crate) fn new(ratio: usize) -> Self {
        Self { ratio, line: vec![0.0; TAPS_PER_PHASE - 1] }
    }

    /// `output` is `ratio` times as long as `input`.
    pub(crate) fn process(&mut self, input: &[f32], output: &mut [f32]) {
        let filter = Filter::of(self.ratio);
        self.line.extend_from_slice(input);
        for (window, out) in self.line.windows(TAPS_PER_PHASE).zip(output.chunks_exact_mut(self.ratio)) {
            for (phase, out) in filter.up.iter().zip(out) {
                *out = phase.iter().zip(window.iter().rev()).map(|(tap, sample)| tap * sample).sum();
            }
        }
        self.line.drain(..input.len());
    }
}

/// From 48 kHz to 8 or 16 kHz.
pub(crate) struct Downsampler {
    ratio: usize,
    line: Vec<f32>,
}

impl Downsampler {
    /// `ratio` is 3 or 6.
    pub(crate) fn new(ratio: usize) -> Self {
        Self { ratio, line: vec![0.0; TAPS_PER_PHASE * ratio - ratio] }
    }

    /// `input` is `ratio` times as long as `output`.
    pub(crate) fn process(&mut self, input: &[f32], output: &mut [f32]) {
        let filter = Filter::of(self.ratio);
        self.line.extend_from_slice(input);
        for (window, out) in self.line.windows(filter.down.len()).step_by(self.ratio).zip(output) {
            // The filter is symmetric, so its direction doesn't matter.
            *out = dot(&filter.down, window);
        }
        self.line.drain(..input.len());
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

    fn up_and_down(ratio: usize, hz: f32) -> f32 {
        let rate = 48_000 / ratio as u32;
        let input = sine(hz, 0.5, rate, rate as usize);
        let (mut up, mut down) = (Upsampler::new(ratio), Downsampler::new(ratio));
        let frame = rate as usize / 50;
        let mut heard = Vec::new();
        for chunk in input.chunks_exact(frame) {
            let (mut wide, mut narrow) = (vec![0.0; frame * ratio], vec![0.0; frame]);
            up.process(chunk, &mut wide);
            down.process(&wide, &mut narrow);
            heard.extend(narrow);
        }
        amplitude(&heard[frame * 5..], hz, rate)
    }

    #[test]
    fn speech_band_passes_unchanged() {
        for hz in [200.0, 1_000.0, 3_000.0] {
            assert!((up_and_down(6, hz) - 0.5).abs() < 0.02, "8 kHz, {hz} Hz: {}", up_and_down(6, hz));
        }
        for hz in [200.0, 3_000.0, 6_000.0] {
            assert!((up_and_down(3, hz) - 0.5).abs() < 0.02, "16 kHz, {hz} Hz: {}", up_and_down(3, hz));
        }
    }

    #[test]
    fn nothing_is_mirrored() {
        let input = sine(1_000.0, 1.0, 8_000, 8_000);
        let mut wide = vec![0.0; 48_000];
        Upsampler::new(6).process(&input, &mut wide);
        for image in [7_000.0, 9_000.0, 15_000.0] {
            assert!(amplitude(&wide[4_800..], image, 48_000) < 0.001, "image at {image} Hz");
        }
        let input = sine(6_000.0, 1.0, 48_000, 48_000);
        let mut narrow = vec![0.0; 8_000];
        Downsampler::new(6).process(&input, &mut narrow);
        assert!(amplitude(&narrow[800..], 2_000.0, 8_000) < 0.002, "6 kHz folds to 2 kHz");
    }
}
