//! Automatic gain: soft and loud callers sound alike.

use media::AudioLevel;

/// What speech is brought to, in dBov. Higher would clip shouts, lower would make all telephones soft beside browsers.
const TARGET: f32 = -18.0;

/// Speech this near the wanted loudness is left alone, so that a voice's own ups and downs stay, in dB.
const DEAD_ZONE: f32 = 2.0;

/// The most it raises, in dB. More would lift a quiet line's noise to a voice's loudness.
const RAISE_MAX: f32 = 22.0;

/// The most it lowers, in dB.
const LOWER_MAX: f32 = -14.0;

/// A tick's most, in dB: 8 dB a second upwards is heard as somebody coming nearer, not as pumping; 25 downwards ends a
/// shout soon.
const RAISE_TICK: f32 = 0.16;
const LOWER_TICK: f32 = 0.5;

/// Sound this far under the speech heard so far is a pause, in dB: what is between words must not be raised.
const PAUSE: f32 = 12.0;

#[derive(Default)]
pub(crate) struct Gain {
    /// How loud this caller's words are, in dBov.
    speech: Option<f32>,
    /// In dB.
    gain: f32,
}

impl Gain {
    /// Takes the loudness of 20 ms, and gives the factor for them.
    pub(crate) fn hear(&mut self, level: AudioLevel) -> f32 {
        if level.is_voice() {
            let loudness = -f32::from(level.minus_dbov());
            let speech = self.speech.get_or_insert(loudness);
            if loudness > *speech {
                *speech += (loudness - *speech) * 0.1;
            } else if loudness > *speech - PAUSE {
                *speech += (loudness - *speech) * 0.02;
            } else {
                // Who has put the telephone further away is followed at a decibel a second.
                *speech -= 0.02;
            }
            let missing = (TARGET - *speech).clamp(LOWER_MAX, RAISE_MAX) - self.gain;
            if missing.abs() > DEAD_ZONE {
                self.gain += missing.clamp(-LOWER_TICK, RAISE_TICK);
            }
        }
        10.0f32.powf(self.gain / 20.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loudness, at the end, of words of half a second with pauses between, and the gain's course.
    fn after(seconds: usize, words: u8, pauses: u8) -> (f32, Vec<f32>) {
        let mut gain = Gain::default();
        let level = |tick: usize| AudioLevel::from_minus_dbov(if tick % 40 < 25 { words } else { pauses });
        let course: Vec<_> = (0..seconds * 50).map(|tick| 20.0 * gain.hear(level(tick)).log10()).collect();
        (course[course.len() - 1] - f32::from(words), course)
    }

    // product: P10
    #[test]
    fn soft_and_loud_callers_sound_alike_after_a_few_seconds() {
        let (soft, loud) = (after(6, 40, 65).0, after(6, 10, 49).0);
        assert!((soft - loud).abs() < 6.0, "soft {soft} dBov, loud {loud} dBov");
        assert!((soft - TARGET).abs() <= DEAD_ZONE + 0.5 && (loud - TARGET).abs() <= DEAD_ZONE + 0.5);
    }

    // product: P10
    #[test]
    fn pauses_are_not_raised() {
        let course = after(20, 30, 48).1;
        let settled = &course[400..];
        let (low, high) = settled.iter().fold((f32::MAX, f32::MIN), |(l, h), g| (l.min(*g), h.max(*g)));
        assert!(high - low < 1.0, "the gain swings by {} dB", high - low);
    }
}
