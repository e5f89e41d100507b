//! How loud speech is, as ears have it: integrated loudness by ITU-R BS.1770-4 of 48 kHz mono, in LUFS.

use media::SAMPLE_RATE;

/// A new block begins each 100 ms, and lasts four of these.
const STEP: usize = SAMPLE_RATE as usize / 10;
/// See [`STEP`].
const STEPS: usize = 4;

/// What is softer is a pause: at all, and against the mean of the rest.
const GATE_LUFS: f64 = -70.0;
/// See [`GATE_LUFS`].
const GATE_BELOW_MEAN: f64 = 10.0;

/// The two filters of annex 1, for 48 kHz: what the head does, and what is too deep to be heard as loud.
const HEAD: Biquad = Biquad {
    b: [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85],
    a: [-1.690_659_293_182_41, 0.732_480_774_215_85],
};
/// See [`HEAD`].
const DEEP: Biquad = Biquad { b: [1.0, -2.0, 1.0], a: [-1.990_047_454_833_98, 0.990_072_250_366_21] };

struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
}

impl Biquad {
    fn filter(&self, samples: impl Iterator<Item = f64>) -> Vec<f64> {
        let (mut x, mut y) = ([0.0; 2], [0.0; 2]);
        let step = |sample: f64| {
            let out = self.b[0] * sample + self.b[1] * x[0] + self.b[2] * x[1] - self.a[0] * y[0] - self.a[1] * y[1];
            (x, y) = ([sample, x[0]], [out, y[0]]);
            out
        };
        samples.map(step).collect()
    }
}

/// None where there is nothing but silence.
pub(crate) fn lufs(samples: &[f32]) -> Option<f64> {
    let head = HEAD.filter(samples.iter().map(|sample| f64::from(*sample)));
    let filtered = DEEP.filter(head.into_iter());
    let energy = |part: &[f64]| part.iter().map(|sample| sample * sample).sum::<f64>();
    let steps: Vec<f64> = filtered.chunks_exact(STEP).map(energy).collect();
    let mut blocks: Vec<f64> =
        steps.windows(STEPS).map(|block| block.iter().sum::<f64>() / (STEPS * STEP) as f64).collect();
    // A word of less than a block is one.
    if blocks.is_empty() && !filtered.is_empty() {
        blocks.push(energy(&filtered) / filtered.len() as f64);
    }
    let gated = |above: f64| mean(blocks.iter().copied().filter(|power| in_lufs(*power) > above));
    let loud = gated(GATE_LUFS)?;
    gated(in_lufs(loud) - GATE_BELOW_MEAN).map(in_lufs)
}

fn in_lufs(power: f64) -> f64 {
    10.0 * power.log10() - 0.691
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(hz: f32, amplitude: f32, seconds: f32) -> Vec<f32> {
        let count = (seconds * SAMPLE_RATE as f32) as usize;
        (0..count).map(|n| amplitude * (TAU * hz * n as f32 / SAMPLE_RATE as f32).sin()).collect()
    }

    // EBU Tech 3341's first cases, for one channel of the two: 3.01 LU less.
    #[test]
    fn a_tone_is_as_loud_as_meters_say() {
        let check = |samples: &[f32], expected: f64| {
            let measured = lufs(samples).unwrap();
            assert!((measured - expected).abs() < 0.1, "{measured} LUFS, not {expected}");
        };
        let at = |dbfs: f32| 10_f32.powf(dbfs / 20.0);
        check(&tone(1_000.0, at(-23.0), 5.0), -26.0);
        check(&tone(1_000.0, at(-33.0), 5.0), -36.0);
        // Pauses don't count.
        let mut spoken = tone(1_000.0, at(-23.0), 3.0);
        spoken.extend(vec![0.0; 3 * SAMPLE_RATE as usize]);
        let with_pause = lufs(&spoken).unwrap();
        assert!((with_pause + 26.0).abs() < 0.4, "{with_pause}");
        assert_eq!(lufs(&[0.0; 48_000]), None);
        assert_eq!(lufs(&[]), None);
    }
}
