//! Keys as the tones themselves (ITU-T Q.23), for telephones that send no telephone events: Goertzel filters over 13 ms
//! every 10 ms, with the tests of ITU-T Q.24 that keep speech from dialling.

use std::f32::consts::TAU;

use audio_codec::{Decoder, g722, pcma, pcmu};
use media::AudioCodec;

const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Windows that must agree on a key: three overlapping ones lie within 43 ms wherever the press begins, and Q.24 wants
/// presses of 40 heard. Two would hear keys in vowels.
const PRESS_WINDOWS: u32 = 3;

/// Windows without the key until it may be pressed again: 30 ms bridge a lost packet's seam, and Q.24's pause is 40.
const RELEASE_WINDOWS: u32 = 3;

/// Each tone's least power, as part of full scale squared: −32 dBov, so that a tone in the room is no key.
const POWER_MIN: f32 = 0.0006;

/// A window's length in seconds: long enough to part neighbours 73 Hz away, short enough that a tone off by the 1.5 %
/// of Q.24 still keeps most of its power.
const WINDOW: f32 = 0.01275;

/// How much of all power the two tones must have. A voice spreads its power over its overtones.
const PURITY: f32 = 0.68;

/// By how much all bounds loosen once a key is held: one that wavers on an edge must not be pressed again and again.
const SLACK_HELD: f32 = 0.4;

/// By how much the stronger tone may exceed the other: 8 dB, as power (Q.24).
const TWIST: f32 = 6.3;

/// By how much a tone must exceed its neighbours, as power.
const LEAD: f32 = 6.0;

pub(crate) struct ToneReader {
    decoder: Box<dyn Decoder>,
    rate: f32,
    /// The end of the frame before, which the first window needs, then this frame.
    line: Vec<f32>,
    window: usize,
    pcm: Vec<i16>,
    heard: Option<char>,
    windows: u32,
    /// The key that is held, and the windows since it was last heard.
    held: Option<(char, u32)>,
    /// A frame is missing before the next one: the window across the seam says nothing.
    seam: bool,
}

impl ToneReader {
    /// None for Opus, which is not made to carry tones.
    pub(crate) fn new(codec: AudioCodec) -> Option<Self> {
        let decoder: Box<dyn Decoder> = match codec {
            AudioCodec::Pcmu => Box::new(pcmu::PcmuDecoder::new()),
            AudioCodec::Pcma => Box::new(pcma::PcmaDecoder::new()),
            AudioCodec::G722 => Box::new(g722::G722Decoder::new()),
            AudioCodec::Opus => return None,
        };
        let samples = codec.sample_rate() as usize / 50;
        let window = (codec.sample_rate() as f32 * WINDOW) as usize;
        Some(Self {
            decoder,
            rate: codec.sample_rate() as f32,
            line: vec![0.0; samples + window - samples / 2],
            window,
            pcm: vec![0; samples],
            heard: None,
            windows: 0,
            held: None,
            seam: false,
        })
    }

    /// 20 ms that never came: what stands before them goes on after them.
    pub(crate) fn lost(&mut self) {
        self.seam = true;
    }

    /// Takes 20 ms; the key whose press was recognised in them.
    pub(crate) fn read(&mut self, payload: &[u8]) -> Option<char> {
        if self.decoder.decode_into(payload, &mut self.pcm) != Ok(self.pcm.len()) {
            return None;
        }
        let hop = self.pcm.len() / 2;
        let kept = self.window - hop;
        self.line.copy_within(2 * hop.., 0);
        for (sample, pcm) in self.line[kept..].iter_mut().zip(&self.pcm) {
            *sample = f32::from(*pcm) / 32_768.0;
        }
        let first = if std::mem::take(&mut self.seam) { None } else { self.hear(0) };
        let second = self.hear(hop);
        first.or(second)
    }

    fn hear(&mut self, at: usize) -> Option<char> {
        let slack = if self.held.is_some() { SLACK_HELD } else { 1.0 };
        let found = key_in(&self.line[at..at + self.window], self.rate, slack);
        self.windows = if found == self.heard { self.windows.saturating_add(1) } else { 1 };
        self.heard = found;
        if let Some((key, silent)) = &mut self.held {
            *silent = if found == Some(*key) { 0 } else { *silent + 1 };
            if *silent >= RELEASE_WINDOWS {
                self.held = None;
            }
        }
        let key = found.filter(|_| self.windows >= PRESS_WINDOWS && self.held.is_none())?;
        self.held = Some((key, 0));
        Some(key)
    }
}

fn key_in(window: &[f32], rate: f32, slack: f32) -> Option<char> {
    let power = window.iter().map(|sample| sample * sample).sum::<f32>() / window.len() as f32;
    if power < POWER_MIN * slack {
        return None;
    }
    let (row, low) = strongest(LOW.map(|hz| tone_power(window, hz, rate)), slack)?;
    let (column, high) = strongest(HIGH.map(|hz| tone_power(window, hz, rate)), slack)?;
    let (weak, strong) = (low.min(high), low.max(high));
    let is_key = weak >= POWER_MIN * slack && strong * slack <= TWIST * weak && low + high >= PURITY * slack * power;
    is_key.then(|| KEYS[row][column])
}

/// The one of four that leads the others clearly.
fn strongest(powers: [f32; 4], slack: f32) -> Option<(usize, f32)> {
    let (best, power) = powers.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let leads = powers.iter().enumerate().all(|(index, other)| index == best || power >= LEAD * slack * other);
    leads.then_some((best, power))
}

/// The mean power of one frequency (Goertzel).
fn tone_power(window: &[f32], hz: f32, rate: f32) -> f32 {
    let turn = 2.0 * (TAU * hz / rate).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in window {
        (last, before) = (sample + turn * last - before, last);
    }
    2.0 * (last * last + before * before - turn * last * before) / (window.len() * window.len()) as f32
}

#[cfg(test)]
mod tests {
    use audio_codec::{Encoder, pcma::PcmaEncoder};
    use sipconf::{Language, Prompt, Prompts};

    use super::*;

    fn keys_in(sound: &[f32]) -> String {
        let (mut reader, mut encoder) = (ToneReader::new(AudioCodec::Pcma).unwrap(), PcmaEncoder::new());
        let frames = sound.chunks_exact(160).filter_map(|frame| {
            let pcm: Vec<i16> = frame.iter().map(|sample| (sample * 32_767.0) as i16).collect();
            let mut payload = [0; 160];
            encoder.encode_into(&pcm, &mut payload).unwrap();
            reader.read(&payload)
        });
        frames.collect()
    }

    /// Presses with pauses of 60 ms; `detune` as a part of one.
    fn press(keys: &str, ms: usize, low: f32, high: f32, detune: f32) -> Vec<f32> {
        let mut sound = vec![0.0; 333];
        for key in keys.chars() {
            let (row, column) = (0..16).map(|n| (n / 4, n % 4)).find(|(r, c)| KEYS[*r][*c] == key).unwrap();
            let tone = |hz: f32, n: usize| (TAU * hz * (1.0 + detune) * n as f32 / 8_000.0).sin();
            sound.extend((0..ms * 8).map(|n| low * tone(LOW[row], n) + high * tone(HIGH[column], n)));
            sound.extend([0.0; 480]);
        }
        sound.extend([0.0; 480]);
        sound
    }

    // product: P2
    #[test]
    fn every_press_is_one_key() {
        let all = "1234567890*#ABCD5566";
        for ms in [60, 80, 100, 500] {
            for (low, high) in [(0.25, 0.25), (0.1, 0.1), (0.3, 0.15), (0.15, 0.25)] {
                for detune in [-0.015, 0.0, 0.015] {
                    let heard = keys_in(&press(all, ms, low, high, detune));
                    assert_eq!(heard, all, "{ms} ms, {low} and {high}, off by {detune}");
                }
            }
        }
    }

    // product: P2
    #[test]
    fn an_hour_of_speech_presses_nothing() {
        let prompts = Prompts::load().unwrap();
        let clips: Vec<(String, Vec<f64>)> = Language::ALL
            .into_iter()
            .flat_map(|language| Prompt::ALL.iter().map(move |prompt| (language, *prompt)))
            .map(|(language, prompt)| {
                // Summed up, so that the mean of any stretch is a difference.
                let mut sum = 0.0;
                let clip = prompts.clip(language, prompt);
                let samples = clip.samples();
                let sums = samples.iter().map(|sample| {
                    sum += f64::from(*sample);
                    sum
                });
                (format!("{language:?} {prompt:?}"), sums.collect())
            })
            .collect();
        let mut seconds = 0.0;
        // The same words by higher and lower voices, louder and softer, until an hour is full.
        for round in 0.. {
            let speed = 0.78 + 0.05 * f64::from(round % 11);
            let gain = [1.0, 0.3, 0.6][round as usize % 3];
            for (name, sums) in &clips {
                // Eight kilohertz by averaging is rough, and what it folds back only makes this harder.
                let place = |n: usize| (n as f64 * 6.0 * speed) as usize;
                let len = (sums.len() as f64 / (6.0 * speed)) as usize - 1;
                let mean = |n: usize| (sums[place(n + 1)] - sums[place(n)]) / (place(n + 1) - place(n)) as f64;
                let speech: Vec<f32> = (0..len).map(|n| gain * mean(n) as f32).collect();
                assert_eq!(keys_in(&speech), "", "{name} at {speed} of its speed");
                seconds += len as f64 / 8_000.0;
            }
            if seconds > 3_600.0 {
                break;
            }
        }
    }

    #[test]
    fn one_tone_alone_is_no_key() {
        assert_eq!(keys_in(&press("5", 500, 0.3, 0.0, 0.0)), "");
        assert_eq!(keys_in(&press("5", 500, 0.0, 0.3, 0.0)), "");
    }
}
