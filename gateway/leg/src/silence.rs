//! Whether what goes out is silence, seen by its bytes: nothing is decoded for it.

use media::AudioCodec;

/// By how much the low band's codes move the logarithm of its step (ITU-T G.722 §3.5, `WL`), for the four highest of a code's
/// six bits. Only codes next to nothing let it fall.
const LOW: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// The same of the high band's two bits (`WH`).
const HIGH: [i32; 4] = [798, -214, 798, -214];

/// The largest logarithms (§3.5).
const LOW_MAX: i32 = 18_432;
/// See [`LOW_MAX`].
const HIGH_MAX: i32 = 22_528;

/// Up to where the low band's step goes while nothing is encoded: 3,534 is the most that was seen. Noise of −64 dBov has more.
const LOW_WANDERS: i32 = 4_000;

/// Follows the payloads of one leg, each once and in order.
pub(crate) struct SilenceEar {
    codec: AudioCodec,
    /// Logarithms of the two bands' steps, as the decoder at the other end has them.
    low: i32,
    high: i32,
}

impl SilenceEar {
    pub(crate) fn new(codec: AudioCodec) -> Self {
        Self { codec, low: LOW_MAX, high: HIGH_MAX }
    }

    /// Whether this payload is silent from its beginning to its end.
    ///
    /// G.711 is by its bytes alone. G.722's bytes are differences, in steps that follow the sound. Of nothing at all the high band's
    /// step becomes the smallest there is and stays so: whatever sounds, be it a hum of 60 Hz at −68 dBov, keeps it above by being
    /// rounded to 16 bits. The low band's wanders a little by itself ([`LOW_WANDERS`]).
    pub(crate) fn hears_nothing(&mut self, payload: &[u8]) -> bool {
        match self.codec {
            AudioCodec::Pcma => payload.iter().all(|byte| matches!(byte, 0xd5 | 0x55)),
            AudioCodec::Pcmu => payload.iter().all(|byte| matches!(byte, 0xff | 0x7f)),
            AudioCodec::G722 => {
                let mut silent = true;
                // Each byte counts for those after it.
                payload.iter().for_each(|byte| silent &= self.step(*byte));
                silent
            }
            // It has silence of its own.
            AudioCodec::Opus => false,
        }
    }

    /// One byte of G.722; whether the steps after it are those of nothing.
    fn step(&mut self, byte: u8) -> bool {
        let fall = |log: i32| (log * 127) >> 7;
        self.low = (fall(self.low) + LOW[usize::from(byte >> 2 & 15)]).clamp(0, LOW_MAX);
        self.high = (fall(self.high) + HIGH[usize::from(byte >> 6)]).clamp(0, HIGH_MAX);
        self.high == 0 && self.low < LOW_WANDERS
    }
}

#[cfg(test)]
mod tests {
    use media::Clip;
    use mixer::{Mixer, PlayId, SeatConfig};

    use super::*;

    /// Which of a clip's ticks are silent, as a mixer encodes it.
    fn silent_ticks(codec: AudioCodec, samples: Vec<f32>) -> Vec<bool> {
        let ticks = samples.len() / 960;
        let mut mixer = Mixer::new();
        let config = SeatConfig { input: None, output: Some(codec), voice: false, apart: true };
        let seat = mixer.add(config).unwrap();
        mixer.play(seat, PlayId(1), Clip::new(samples), false);
        let mut ear = SilenceEar::new(codec);
        let mut tick = || ear.hears_nothing(mixer.tick().outputs().next().unwrap().1);
        (0..ticks).map(|_| tick()).collect()
    }

    fn tone(hz: f32, amplitude: f32, seconds: usize) -> Vec<f32> {
        mixer::tones::sine(hz, amplitude, 48_000, seconds * 48_000)
    }

    const CODECS: [AudioCodec; 3] = [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722];

    // product: P10; RFC 3389
    #[test]
    fn silence_after_sound_is_known_within_a_tenth_of_a_second() {
        for codec in CODECS {
            let silent = silent_ticks(codec, [tone(440.0, 0.5, 1), vec![0.0; 48_000]].concat());
            assert!(silent[5..50].iter().all(|silent| !silent), "{codec}: sound");
            assert!(silent[55..].iter().all(|silent| *silent), "{codec}: {:?}", &silent[50..]);
        }
    }

    // product: P10. What is softer than −68 dBov is not mixed at all.
    #[test]
    fn the_softest_sound_that_is_mixed_is_no_silence() {
        for codec in CODECS {
            for hz in [60.0, 150.0, 440.0, 1_000.0, 3_000.0] {
                let amplitude = 10_f32.powf(-65.0 / 20.0);
                let silent = silent_ticks(codec, tone(hz, amplitude, 2));
                let quiet = silent.iter().skip(10).filter(|silent| **silent).count();
                assert_eq!(quiet, 0, "{codec} at {hz} Hz");
            }
        }
    }
}
