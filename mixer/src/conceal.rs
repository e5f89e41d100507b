//! Packet-loss concealment for the codecs that have none (G.711, G.722), as ITU-T G.711 Appendix I behaves: the last
//! pitch period goes on, after 10 ms the last two and after 20 the last three, so that it doesn't buzz; from 10 ms on it
//! fades, and at 60 ms it is silent. Unlike there nothing is delayed: the end of what was heard can't be blended any
//! more, so what follows is bent to meet it.

/// Pitch is looked for between 66 and 200 Hz (Appendix I §I.2.3); a higher voice is found at a multiple of its period.
const PITCH_HZ: std::ops::RangeInclusive<usize> = 66..=200;

/// Until then nothing fades: a single short loss is not heard.
const FADE_FROM_MS: usize = 10;

/// After this the repeated periods sound like a machine, so they have faded to nothing.
const SILENT_MS: usize = 60;

/// The most periods that are repeated.
const PERIODS_MAX: usize = 3;

/// Old and new sound overlap a quarter of a period when packets come again, and this much longer for each 10 ms that
/// were lost, so that the seam doesn't click.
const SEAM_MS: usize = 4;

/// The longest seam.
const SEAM_MS_MAX: usize = 10;

pub(crate) struct Concealer {
    rate: usize,
    /// The last sound that was given, long enough for three of the longest periods and a quarter before a loss of 20 ms.
    history: Vec<f32>,
    /// What is repeated during a loss, and where in it we are.
    repeated: Vec<f32>,
    at: usize,
    /// Of the voice when it was lost, in samples.
    pitch: usize,
    periods: usize,
    /// How far the repetition is from what was heard last, when it begins.
    step: f32,
    /// Samples concealed since the last good packet, and how many of them are in the history.
    lost: usize,
    remembered: usize,
}

impl Concealer {
    pub(crate) fn new(rate: usize) -> Self {
        let longest = rate / PITCH_HZ.start();
        let history = vec![0.0; PERIODS_MAX * longest + longest.div_ceil(4) + rate / 50];
        let repeated = Vec::with_capacity(PERIODS_MAX * longest);
        Self { rate, history, repeated, at: 0, pitch: longest, periods: 0, step: 0.0, lost: 0, remembered: 0 }
    }

    /// A frame that came. Its start is blended with what was being repeated.
    pub(crate) fn good(&mut self, frame: &mut [f32]) {
        if self.lost > 0 {
            let longer = self.rate * SEAM_MS / 1000 * (self.lost / self.ms(10));
            let seam = (self.pitch / 4 + longer).min(self.ms(SEAM_MS_MAX)).min(frame.len());
            for (index, sample) in frame[..seam].iter_mut().enumerate() {
                let new = (index + 1) as f32 / (seam + 1) as f32;
                *sample = *sample * new + self.repeat() * (1.0 - new);
            }
            self.lost = 0;
            self.remembered = 0;
        }
        self.remember(frame);
    }

    /// A frame that did not come.
    pub(crate) fn lost(&mut self, frame: &mut [f32]) {
        if self.lost == 0 {
            self.pitch = self.find_pitch();
            self.periods = 0;
        }
        for sample in frame.iter_mut() {
            *sample = self.repeat();
        }
        self.remember(frame);
        self.remembered += frame.len();
    }

    /// What was heard last is long past.
    pub(crate) fn forget(&mut self) {
        self.history.fill(0.0);
        (self.lost, self.remembered) = (0, 0);
    }

    fn ms(&self, ms: usize) -> usize {
        self.rate * ms / 1000
    }

    fn repeat(&mut self) -> f32 {
        let periods = (1 + self.lost / self.ms(10)).min(PERIODS_MAX);
        if periods > self.periods {
            self.lengthen(periods);
        }
        let (from, to) = (self.ms(FADE_FROM_MS), self.ms(SILENT_MS));
        let fade = 1.0 - self.lost.saturating_sub(from) as f32 / (to - from) as f32;
        self.lost = self.lost.saturating_add(1);
        let sample = self.repeated.get(self.at).copied().unwrap_or_default() + self.step;
        self.step *= 1.0 - 8.0 / self.pitch as f32;
        self.at = (self.at + 1) % self.repeated.len().max(1);
        sample * fade.max(0.0)
    }

    /// From now on the last `periods` of what was heard are repeated.
    fn lengthen(&mut self, periods: usize) {
        let before = match self.repeated.get(self.at).filter(|_| self.periods > 0) {
            Some(next) => *next + self.step,
            None => self.history[self.history.len() - 1],
        };
        // The last lengthening is at 20 ms, when one frame of these is in the history.
        let (len, end) = (periods * self.pitch, self.history.len() - self.remembered);
        // The same place of the same period, so that the pitch goes on.
        self.at = if self.periods > 0 { self.at % self.pitch } else { 0 };
        self.repeated.clear();
        self.repeated.extend_from_slice(&self.history[end - len..]);
        let quarter = self.pitch / 4;
        for index in 0..quarter {
            let (old, new) = (self.repeated[len - quarter + index], self.history[end - len - quarter + index]);
            let weight = (index + 1) as f32 / (quarter + 1) as f32;
            self.repeated[len - quarter + index] = old * (1.0 - weight) + new * weight;
        }
        let meets = if self.periods > 0 { self.repeated[self.at] } else { self.history[end - len - 1] };
        self.step = before - meets;
        self.periods = periods;
    }

    fn remember(&mut self, frame: &[f32]) {
        let len = self.history.len();
        let new = &frame[frame.len().saturating_sub(len)..];
        self.history.copy_within(new.len().., 0);
        self.history[len - new.len()..].copy_from_slice(new);
    }

    /// The lag at which the last 20 ms resemble what was before them most. Every other sample will do to find it about,
    /// and all of them to find it well.
    fn find_pitch(&self) -> usize {
        let (shortest, longest) = (self.rate / PITCH_HZ.end(), self.rate / PITCH_HZ.start());
        let stride = self.rate / 4_000;
        let about = self.best_lag((shortest..=longest).step_by(stride), stride);
        let near = about.saturating_sub(stride).max(shortest)..=(about + stride).min(longest);
        self.best_lag(near, 1)
    }

    fn best_lag(&self, lags: impl Iterator<Item = usize>, stride: usize) -> usize {
        let (end, window) = (self.history.len(), self.ms(20));
        let recent = &self.history[end - window..];
        let likeness = |lag: usize| {
            let earlier = &self.history[end - window - lag..end - lag];
            let (mut product, mut power) = (0.0f32, 1e-9f32);
            for (a, b) in recent.iter().zip(earlier).step_by(stride) {
                product += a * b;
                power += b * b;
            }
            product / power.sqrt()
        };
        let best = lags.map(|lag| (lag, likeness(lag))).max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(self.rate / PITCH_HZ.end(), |(lag, _)| lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tones::{amplitude, sine};

    /// A concealer of 8 or 16 kHz that has heard a second of a voice, and the last sample of that.
    fn after_voice(hz: f32, rate: u32) -> (Concealer, f32) {
        let mut concealer = Concealer::new(rate as usize);
        let mut voice = sine(hz, 0.5, rate, rate as usize);
        voice.chunks_exact_mut(rate as usize / 50).for_each(|frame| concealer.good(frame));
        (concealer, voice[voice.len() - 1])
    }

    fn steps(sound: &[f32]) -> f32 {
        sound.windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max)
    }

    // product: P10, ITU-T G.711 Appendix I
    #[test]
    fn a_loss_is_bridged_in_pitch_fades_from_10_ms_and_is_silent_at_60() {
        for (rate, hz) in [(8_000, 90.0), (8_000, 173.0), (8_000, 310.0), (16_000, 120.0), (16_000, 257.0)] {
            let (mut concealer, last) = after_voice(hz, rate);
            let mut gap = vec![0.0; rate as usize * 80 / 1000];
            gap.chunks_exact_mut(rate as usize / 50).for_each(|frame| concealer.lost(frame));
            let ms = |ms: usize| rate as usize * ms / 1000;
            let natural = std::f32::consts::TAU * hz * 0.5 / rate as f32;
            let mut sound = vec![last];
            sound.extend(&gap);
            assert!(steps(&sound) < 2.0 * natural, "{hz} Hz at {rate}: a step of {}", steps(&sound));
            // Whole periods around the middle of each piece.
            let level = |from: usize, to: usize| amplitude(&gap[ms(from)..ms(to)], hz, rate) / 0.5;
            assert!((0.9..1.1).contains(&level(0, 12)), "{hz} Hz at {rate}: {} at once", level(0, 12));
            let half = level(25, 45);
            assert!((0.4..0.6).contains(&half), "{hz} Hz at {rate}: {half} at 35 ms");
            assert!(gap[ms(60)..].iter().all(|sample| *sample == 0.0), "{hz} Hz at {rate}");
        }
    }

    #[test]
    fn the_seam_does_not_click() {
        let (mut concealer, last) = after_voice(200.0, 8_000);
        let (mut gap, mut back) = ([0.0; 160], [0.5; 160]);
        concealer.lost(&mut gap);
        concealer.good(&mut back);
        let mut sound = vec![last];
        sound.extend(gap.iter().chain(&back));
        assert!(steps(&sound) < 0.15, "{}", steps(&sound));
    }

    #[test]
    fn a_single_frame_after_a_long_loss_is_enough_to_go_on_from() {
        let (mut concealer, _) = after_voice(200.0, 8_000);
        for _ in 0..100 {
            concealer.lost(&mut [0.0; 160]);
        }
        concealer.good(&mut sine(200.0, 0.5, 8_000, 160));
        let mut gap = [0.0; 160];
        concealer.lost(&mut gap);
        assert!(amplitude(&gap, 200.0, 8_000) > 0.3, "{}", amplitude(&gap, 200.0, 8_000));
    }
}
