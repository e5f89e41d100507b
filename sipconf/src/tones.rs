//! Entry and exit tones and the music on hold, made of sines: nobody's rights, no file, the same at every start.

use std::f32::consts::TAU;

use media::{Clip, SAMPLE_RATE};

const RATE: f32 = SAMPLE_RATE as f32;

/// Well under the prompts (−19 LUFS): a signal beside the talk, not over it.
const SIGNAL_AMPLITUDE: f32 = 0.12;

/// Each string of the music; five sound at a time at most.
const STRING_AMPLITUDE: f32 = 0.05;

/// A quaver at 72 beats a minute. Quicker would press whoever waits.
const QUAVER_SECONDS: f32 = 60.0 / 72.0 / 2.0;

/// Broken chords of C, A minor, F and G: one bar of eight quavers each, as semitones above middle C.
const BARS: [[i32; 8]; 4] = [
    [-12, 0, 4, 7, 12, 7, 4, 0],
    [-15, -3, 0, 4, 9, 4, 0, -3],
    [-19, -7, -3, 0, 5, 0, -3, -7],
    [-17, -5, -1, 2, 7, 2, -1, -5],
];

/// Two rising notes.
pub(crate) fn entry() -> Clip {
    signal([659.26, 880.0])
}

/// Two falling notes.
pub(crate) fn exit() -> Clip {
    signal([880.0, 659.26])
}

/// Ten and a half seconds of broken chords. Notes that ring on at the end are carried over to the beginning, so it loops unheard.
pub(crate) fn hold_music() -> Clip {
    let quaver = (QUAVER_SECONDS * RATE) as usize;
    let length = quaver * BARS.len() * 8;
    let ring = quaver * 5;
    let mut sound = vec![0.0; length];
    for (index, semitones) in BARS.iter().flatten().enumerate() {
        let hz = 261.63 * 2f32.powf(*semitones as f32 / 12.0);
        for n in 0..ring {
            let t = n as f32 / RATE;
            // Soft attack, then dying away; the overtones die sooner, as on a plucked string.
            let envelope = (t / 0.012).min(1.0) * (-2.2 * t).exp() * release(n, ring);
            let string = (TAU * hz * t).sin()
                + 0.35 * (-3.0 * t).exp() * (TAU * 2.0 * hz * t).sin()
                + 0.15 * (-6.0 * t).exp() * (TAU * 3.0 * hz * t).sin();
            sound[(index * quaver + n) % length] += STRING_AMPLITUDE * envelope * string;
        }
    }
    Clip::new(sound)
}

fn signal(notes: [f32; 2]) -> Clip {
    let samples = (0.14 * RATE) as usize;
    let note = |hz: f32| {
        (0..samples).map(move |n| {
            let t = n as f32 / RATE;
            SIGNAL_AMPLITUDE * (t / 0.006).min(1.0) * release(n, samples) * (TAU * hz * t).sin()
        })
    };
    Clip::new(notes.into_iter().flat_map(note).collect())
}

/// Falls to nothing over the last 20 ms.
fn release(n: usize, samples: usize) -> f32 {
    ((samples - n) as f32 / (0.02 * RATE)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudest(samples: &[f32]) -> f32 {
        samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
    }

    #[test]
    fn signals_are_short_and_soft() {
        for clip in [entry(), exit()] {
            assert_eq!(clip.duration().as_millis(), 280);
            assert!((0.1..0.13).contains(&loudest(&clip.samples())));
            assert!(clip.samples()[0].abs() < 1e-3 && clip.samples().last().unwrap().abs() < 0.01);
        }
        assert_ne!(entry().samples(), exit().samples());
    }

    #[test]
    fn music_loops_without_a_click_and_never_clips() {
        let clip = hold_music();
        let samples = clip.samples();
        assert!(loudest(&samples) < 0.3);
        let biggest = |pairs: &[f32]| pairs.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        let seam = (samples[0] - samples[samples.len() - 1]).abs();
        assert!(seam <= biggest(&samples), "a step of {seam} where the loop closes");
    }
}
