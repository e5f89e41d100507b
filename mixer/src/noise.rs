//! The noise of a line: how loud it is, and the like of it where a sender that says nothing sends nothing.
//!
//! ```text
//!  0                   1                   2                   (RFC 3389 §3)
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3
//! |0|   level     |  reflection coefficient 1  | 2 …
//! ```

use media::AudioLevel;

/// Ticks of a block, of whose quietest the last two count: words have pauses that are shorter than two seconds, and a
/// truck that drives by is over by then.
const BLOCK_TICKS: u32 = 100;

/// Reflection coefficients used; more describe no telephone's room better, and RFC 3389 §3.2 leaves the number open.
const ORDER_MAX: usize = 12;

/// Comfort noise is never louder than this, in dBov, whatever a sender says of himself.
const LOUDEST: f32 = -30.0;

/// And none that we take from the line itself is louder than this, in −dBov: who speaks without a pause is not to be imitated.
const IMITATED: u8 = 50;

/// What is softer than this is no noise to imitate: nobody hears it.
const SOFTEST: u8 = 80;

/// How loud a line is when nobody speaks: the minimum of the last two to four seconds.
#[derive(Default)]
pub(crate) struct NoiseFloor {
    before: Option<AudioLevel>,
    now: Option<AudioLevel>,
    ticks: u32,
}

impl NoiseFloor {
    /// Takes the loudness of 20 ms that came.
    pub(crate) fn hear(&mut self, level: AudioLevel) {
        // The larger number is the softer one.
        self.now = Some(self.now.map_or(level, |now| now.max(level)));
        self.ticks += 1;
        if self.ticks == BLOCK_TICKS {
            self.ticks = 0;
            self.before = self.now.take();
        }
    }

    /// None in the first two seconds.
    pub(crate) fn level(&self) -> Option<AudioLevel> {
        let before = self.before?;
        Some(self.now.map_or(before, |now| now.max(before)))
    }
}

/// Noise at a level and, where the sender described it, of a colour.
pub(crate) struct ComfortNoise {
    state: u32,
    amplitude: f32,
    coefficients: [f32; ORDER_MAX],
    order: usize,
    /// Backward errors of the lattice.
    lattice: [f32; ORDER_MAX + 1],
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self { state: 1, amplitude: 0.0, coefficients: [0.0; ORDER_MAX], order: 0, lattice: [0.0; ORDER_MAX + 1] }
    }
}

impl ComfortNoise {
    /// From a payload of RFC 3389; an empty one says nothing.
    pub(crate) fn describe(&mut self, payload: &[u8]) {
        let Some((level, coefficients)) = payload.split_first() else { return };
        self.order = coefficients.len().min(ORDER_MAX);
        for (to, from) in self.coefficients.iter_mut().zip(coefficients) {
            // RFC 3389 §3.2; kept inside of one, where the filter is stable.
            *to = (258.0 * (f32::from(*from) - 127.0) / 32_768.0).clamp(-0.98, 0.98);
        }
        self.set_level(AudioLevel::from_minus_dbov(level & 0x7f));
    }

    /// White, as loud as this.
    pub(crate) fn imitate(&mut self, level: AudioLevel) {
        self.order = 0;
        self.set_level(level.max(AudioLevel::from_minus_dbov(IMITATED)));
    }

    fn set_level(&mut self, level: AudioLevel) {
        if level.minus_dbov() > SOFTEST {
            self.amplitude = 0.0;
            return;
        }
        let rms = 10.0_f32.powf((-f32::from(level.minus_dbov())).min(LOUDEST) / 20.0);
        // The filter raises the power by 1 / ∏(1 − k²); even noise between −1 and 1 has a power of a third.
        let kept: f32 = self.coefficients[..self.order].iter().map(|k| 1.0 - k * k).product();
        self.amplitude = rms * (3.0 * kept).sqrt();
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.amplitude == 0.0
    }

    /// Adds 20 ms to a frame, growing from one factor to the other.
    pub(crate) fn add(&mut self, frame: &mut [f32], from: f32, to: f32) {
        if self.amplitude == 0.0 {
            return;
        }
        let step = (to - from) / frame.len() as f32;
        for (index, sample) in frame.iter_mut().enumerate() {
            *sample += self.next() * (from + step * index as f32);
        }
    }

    fn next(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut forward = self.amplitude * self.state.cast_signed() as f32 / 2_147_483_648.0;
        for index in (0..self.order).rev() {
            let k = self.coefficients[index];
            forward -= k * self.lattice[index];
            self.lattice[index + 1] = self.lattice[index] + k * forward;
        }
        self.lattice[0] = forward;
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(noise: &mut ComfortNoise) -> Vec<f32> {
        let mut sound = vec![0.0; 8_000];
        sound.chunks_exact_mut(160).for_each(|frame| noise.add(frame, 1.0, 1.0));
        sound
    }

    #[test]
    fn the_floor_is_what_remains_between_words() {
        let mut floor = NoiseFloor::default();
        for tick in 0..400 {
            floor.hear(AudioLevel::from_minus_dbov(if tick % 40 < 30 { 20 } else { 52 }));
            assert_eq!(floor.level().is_some(), tick >= 99, "tick {tick}");
        }
        assert_eq!(floor.level().unwrap().minus_dbov(), 52);
        (0..200).for_each(|_| floor.hear(AudioLevel::from_minus_dbov(40)));
        assert_eq!(floor.level().unwrap().minus_dbov(), 40);
    }

    // RFC 3389 §3
    #[test]
    fn comfort_noise_is_as_loud_and_as_dark_as_it_says() {
        let mut noise = ComfortNoise::default();
        for level in [35, 50, 70] {
            noise.describe(&[level]);
            assert!(AudioLevel::of(&sound(&mut noise)).minus_dbov().abs_diff(level) <= 1, "−{level} dBov");
        }
        // A first coefficient of −0.9 lets low frequencies through: neighbours are alike.
        noise.describe(&[45, 13, 127]);
        let dark = sound(&mut noise);
        assert!(AudioLevel::of(&dark).minus_dbov().abs_diff(45) <= 1, "{:?}", AudioLevel::of(&dark));
        let (mut product, mut power) = (0.0, 0.0);
        dark.windows(2).for_each(|pair| {
            product += pair[0] * pair[1];
            power += pair[0] * pair[0];
        });
        assert!((product / power - 0.9).abs() < 0.05, "{}", product / power);
    }

    #[test]
    fn any_payload_may_come() {
        let mut noise = ComfortNoise::default();
        for payload in [&[][..], &[0; 200], &[255; 200], &[127, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255]] {
            noise.describe(payload);
            assert!(sound(&mut noise).iter().all(|sample| sample.abs() < 4.0), "{payload:?}");
        }
    }
}
