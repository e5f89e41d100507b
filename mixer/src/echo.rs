//! The echo guard: a telephone that gives back what we send it (a loudspeaker without cancellation, a hybrid in the line).
//!
//! What comes back is as loud as what was sent a moment before, less a constant: the two loudnesses rise and fall
//! together. Where they do for seconds, what is no louder than the echo would be is not mixed.

use media::AudioLevel;

/// The longest way there and back, in ticks: half a second. A longer one is no line that people talk over.
const LAGS: usize = 26;

/// How fast the past is forgotten: a time constant of five seconds. Less would take one answer that fits for an echo.
const FORGET: f32 = 1.0 / 250.0;

/// How well the two must rise and fall together (the coefficient of correlation), and under which it is no echo any more.
const BEGINS: f32 = 0.8;
/// See [`BEGINS`].
const ENDS: f32 = 0.6;

/// Ticks of it before anything is muted.
const SURE_TICKS: u32 = 100;

/// How much, in dB, loudness must move for a likeness to mean anything: two steady sounds are alike in nothing.
const MOVES_MIN: f32 = 5.0;

/// How fast the measured loss follows a tick's.
const LOSS_STEP: f32 = 0.05;

/// How much louder than the echo somebody must be to be heard over it, in dB.
const OVER: f32 = 6.0;

/// Softer than this, in dBov, all sound is the same silence.
const FLOOR: f32 = -65.0;

/// One leg's.
pub(crate) struct EchoGuard {
    /// Loudness of what was sent, the newest first from `at`.
    sent: [f32; LAGS],
    at: usize,
    ticks: u32,
    came: Moments,
    went: Moments,
    /// Mean products of what came with what was sent so many ticks before.
    products: [f32; LAGS],
    sure: u32,
    loss_db: Option<f32>,
    echo: Option<Echo>,
}

impl Default for EchoGuard {
    fn default() -> Self {
        Self {
            sent: [FLOOR; LAGS],
            at: 0,
            ticks: 0,
            came: Moments::default(),
            went: Moments::default(),
            products: [0.0; LAGS],
            sure: 0,
            loss_db: None,
            echo: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Echo {
    lag: usize,
    /// How much softer it comes back, in dB (echo return loss, ITU-T G.165).
    pub(crate) loss_db: f32,
}

#[derive(Default, Clone, Copy)]
struct Moments {
    mean: f32,
    square: f32,
}

impl Moments {
    fn take(&mut self, value: f32, weight: f32) {
        self.mean += (value - self.mean) * weight;
        self.square += (value * value - self.square) * weight;
    }

    fn variance(self) -> f32 {
        (self.square - self.mean * self.mean).max(0.0)
    }
}

impl EchoGuard {
    /// Takes the loudness of what was sent in this tick.
    pub(crate) fn sent(&mut self, level: AudioLevel) {
        self.at = (self.at + LAGS - 1) % LAGS;
        self.sent[self.at] = loudness(level);
    }

    /// Takes the loudness of what came in this tick. True where that is the echo alone.
    pub(crate) fn came(&mut self, level: AudioLevel) -> bool {
        let came = loudness(level);
        self.ticks = self.ticks.saturating_add(1);
        let weight = FORGET.max(1.0 / self.ticks as f32);
        self.came.take(came, weight);
        self.went.take(self.sent[self.at], weight);
        for lag in 0..LAGS {
            let product = came * self.sent[(self.at + lag) % LAGS];
            self.products[lag] += (product - self.products[lag]) * weight;
        }
        self.judge(came);
        let Some(echo) = self.echo else { return false };
        // A tick earlier and later: the way is no whole number of ticks.
        let around = echo.lag.saturating_sub(1)..=(echo.lag + 1).min(LAGS - 1);
        let sent = around.map(|lag| self.sent[(self.at + lag) % LAGS]).fold(FLOOR, f32::max);
        came <= sent - echo.loss_db + OVER
    }

    pub(crate) fn echo(&self) -> Option<Echo> {
        self.echo
    }

    fn judge(&mut self, came_now: f32) {
        let (came, went) = (self.came.variance().sqrt(), self.went.variance().sqrt());
        let likeness = |product: f32| (product - self.came.mean * self.went.mean) / (came * went).max(1e-3);
        let best =
            self.products.iter().map(|product| likeness(*product)).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((lag, likeness)) = best else { return };
        let bound = if self.echo.is_some() { ENDS } else { BEGINS };
        if came.min(went) < MOVES_MIN || likeness < bound {
            self.sure = 0;
            self.loss_db = None;
            self.echo = None;
            return;
        }
        self.sure += 1;
        // Measured while something loud was sent: between words both are the same silence.
        let sent = self.sent[(self.at + lag) % LAGS];
        if sent > self.went.mean {
            let loss_db = self.loss_db.get_or_insert(sent - came_now);
            *loss_db += (sent - came_now - *loss_db) * LOSS_STEP;
        }
        if let Some(loss_db) = self.loss_db.filter(|_| self.sure > SURE_TICKS) {
            self.echo = Some(Echo { lag, loss_db });
        }
    }
}

fn loudness(level: AudioLevel) -> f32 {
    (-f32::from(level.minus_dbov())).max(FLOOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of half a second or so and pauses, by a seed; one level a tick.
    fn words(seed: u32, ticks: usize) -> Vec<f32> {
        let mut state = seed;
        let mut dice = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 65_536.0
        };
        let mut levels = Vec::new();
        while levels.len() < ticks {
            let word = 10 + (30.0 * dice()) as usize;
            levels.extend((0..word).map(|_| -18.0 - 12.0 * dice()));
            let pause = 5 + (20.0 * dice()) as usize;
            levels.extend((0..pause).map(|_| -62.0));
        }
        levels.truncate(ticks);
        levels
    }

    fn level(db: f32) -> AudioLevel {
        AudioLevel::from_minus_dbov((-db) as u8)
    }

    /// Of the ticks after ten seconds in which `counts`, how many are held back.
    fn held_back(
        sent: &[f32],
        came: impl Fn(usize) -> f32,
        counts: impl Fn(usize) -> bool,
    ) -> (usize, usize, EchoGuard) {
        let mut guard = EchoGuard::default();
        let (mut held, mut all) = (0, 0);
        for (tick, loudness) in sent.iter().enumerate() {
            guard.sent(level(*loudness));
            let echo = guard.came(level(came(tick)));
            if tick > 500 && counts(tick) {
                all += 1;
                held += usize::from(echo);
            }
        }
        (held, all, guard)
    }

    // product: P10
    #[test]
    fn an_echo_is_found_with_its_loss_and_held_back() {
        let sent = words(1, 3_000);
        for lag in [2, 9, 20] {
            let came = |tick: usize| sent[tick.saturating_sub(lag)].max(-60.0) - 12.0;
            let (held, all, guard) = held_back(&sent, came, |tick| sent[tick - lag] > -40.0);
            // From ten seconds on; one that comes late is found later.
            assert!(held * 2 >= all, "{held} of {all} at {lag} ticks");
            let echo = guard.echo().unwrap();
            assert_eq!(echo.lag, lag);
            assert!((11.0..13.0).contains(&echo.loss_db), "{echo:?}");
        }
    }

    // product: P10
    #[test]
    fn who_answers_is_no_echo_and_is_heard_over_one() {
        let (sent, answer) = (words(1, 9_000), words(2, 9_000));
        // He speaks when he likes, or in our pauses.
        let (held, _, _) = held_back(&sent, |tick| answer[tick], |_| true);
        assert_eq!(held, 0);
        let turns = |tick: usize| if sent[tick] < -50.0 { -20.0 } else { -60.0 };
        assert_eq!(held_back(&sent, turns, |_| true).0, 0);
        // A line that hums or is silent.
        assert_eq!(held_back(&sent, |_| -45.0, |_| true).0, 0);
        // With an echo 25 dB down he is heard whenever he speaks himself, now and then.
        let speaks = |tick: usize| tick % 1_000 > 850 && answer[tick] > -40.0;
        let both =
            |tick: usize| if speaks(tick) { answer[tick] } else { sent[tick.saturating_sub(5)].max(-40.0) - 25.0 };
        let (held, all, _) = held_back(&sent, both, speaks);
        assert!(held * 20 <= all, "{held} of {all} ticks of his own words");
    }
}
