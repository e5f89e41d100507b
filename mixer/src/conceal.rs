//! Packet-loss concealment for the codecs that have none (G.711, G.722): the last pitch period goes on, fading.
//! The idea is that of ITU-T G.711 Appendix I.

/// Pitch is looked for between 66 and 400 Hz: voices lie within.
const PITCH_HZ: std::ops::RangeInclusive<usize> = 66..=400;

/// After this the repeated period sounds like a machine, so it has faded to nothing.
const FADE_MS: usize = 60;

/// Old and new sound overlap this long when packets come again, so that the seam doesn't click.
const SEAM_MS: usize = 4;

pub(crate) struct Concealer {
    rate: usize,
    /// The last sound that was heard, enough to compare two of the longest periods.
    history: Vec<f32>,
    /// The period that is repeated during a loss, and where in it we are.
    period: Vec<f32>,
    at: usize,
    /// Samples concealed since the last good packet.
    lost: usize,
}

impl Concealer {
    pub(crate) fn new(rate: usize) -> Self {
        let longest = rate / PITCH_HZ.start();
        Self { rate, history: vec![0.0; 2 * longest], period: Vec::with_capacity(longest), at: 0, lost: 0 }
    }

    /// A frame that came. Its start is blended with what was being repeated.
    pub(crate) fn good(&mut self, frame: &mut [f32]) {
        if self.lost > 0 {
            let seam = (self.rate * SEAM_MS / 1000).min(frame.len());
            for (index, sample) in frame[..seam].iter_mut().enumerate() {
                let new = (index + 1) as f32 / (seam + 1) as f32;
                *sample = *sample * new + self.repeat() * (1.0 - new);
            }
            self.lost = 0;
        }
        self.remember(frame);
    }

    /// A frame that did not come.
    pub(crate) fn lost(&mut self, frame: &mut [f32]) {
        if self.lost == 0 {
            let pitch = self.pitch();
            self.period.clear();
            self.period.extend_from_slice(&self.history[self.history.len() - pitch..]);
            self.at = 0;
        }
        for sample in frame.iter_mut() {
            *sample = self.repeat();
        }
        self.remember(frame);
    }

    fn repeat(&mut self) -> f32 {
        let fade = 1.0 - self.lost as f32 / (self.rate * FADE_MS / 1000) as f32;
        self.lost += 1;
        let sample = self.period.get(self.at).copied().unwrap_or_default();
        self.at = (self.at + 1) % self.period.len().max(1);
        sample * fade.max(0.0)
    }

    fn remember(&mut self, frame: &[f32]) {
        let len = self.history.len();
        let new = &frame[frame.len().saturating_sub(len)..];
        self.history.copy_within(new.len().., 0);
        self.history[len - new.len()..].copy_from_slice(new);
    }

    /// The lag at which the last sound resembles itself most.
    fn pitch(&self) -> usize {
        let (shortest, longest) = (self.rate / PITCH_HZ.end(), self.rate / PITCH_HZ.start());
        let recent = &self.history[self.history.len() - longest..];
        let likeness = |lag: usize| {
            let earlier = &self.history[self.history.len() - longest - lag..self.history.len() - lag];
            let (mut product, mut power) = (0.0f32, 1e-9f32);
            for (a, b) in recent.iter().zip(earlier) {
                product += a * b;
                power += b * b;
            }
            product / power.sqrt()
        };
        let best = (shortest..=longest).map(|lag| (lag, likeness(lag))).max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(longest, |(lag, _)| lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tones::{amplitude, sine};

    #[test]
    fn a_short_loss_is_bridged_in_pitch_and_a_long_one_fades() {
        let mut concealer = Concealer::new(8_000);
        let mut voice = sine(200.0, 0.5, 8_000, 1_600);
        voice.chunks_exact_mut(160).for_each(|frame| concealer.good(frame));
        let mut frames = [[0.0f32; 160]; 4];
        frames.iter_mut().for_each(|frame| concealer.lost(frame));
        assert!(amplitude(&frames[0], 200.0, 8_000) > 0.35, "{}", amplitude(&frames[0], 200.0, 8_000));
        assert!(frames[3].iter().all(|sample| *sample == 0.0));
        let step = |a: f32, b: f32| (a - b).abs();
        assert!(step(voice[1_599], frames[0][0]) < 0.12, "no click where the loss begins");
    }

    #[test]
    fn the_seam_does_not_click() {
        let mut concealer = Concealer::new(8_000);
        let mut voice = sine(200.0, 0.5, 8_000, 1_600);
        voice.chunks_exact_mut(160).for_each(|frame| concealer.good(frame));
        let (mut gap, mut back) = ([0.0; 160], [0.5; 160]);
        concealer.lost(&mut gap);
        concealer.good(&mut back);
        let steps = gap[159..].iter().chain(&back).zip(&back).map(|(a, b)| (a - b).abs());
        assert!(steps.fold(0.0, f32::max) < 0.15);
    }
}
