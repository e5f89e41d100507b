//! What a line is taken to carry by how much gets lost on it (draft-ietf-rmcat-gcc-02 §6). Pure.

use std::time::{Duration, Instant};

use super::congestion::{GROWTH, LEAST_BPS, MOST_BPS};

/// Loss that says nothing, and loss beyond which less is sent.
const LOSS_LOW: f64 = 0.02;
const LOSS_HIGH: f64 = 0.10;
const LOSS_OVER: Duration = Duration::from_millis(500);
const LOSS_PACKETS: u64 = 20;

#[derive(Debug)]
pub(super) struct Losses {
    /// Bits per second.
    allowed: f64,
    /// Since it was looked: lost packets, and all.
    lost: u64,
    all: u64,
    since: Option<Instant>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { allowed: MOST_BPS, lost: 0, all: 0, since: None }
    }
}

impl Losses {
    /// Bits per second that they allow.
    pub(super) fn allowed(&self) -> f64 {
        self.allowed
    }

    /// Of so many packets so many were lost.
    pub(super) fn count(&mut self, lost: u64, all: u64) {
        self.lost += lost;
        self.all += all;
    }

    /// Where enough was counted, looks what comes of it for a line that is `known` to carry so much otherwise, over which so
    /// much was `sent`, and which carries at `least` so much. Says whether it allows less than before.
    pub(super) fn look(&mut self, known: f64, sent: f64, least: f64, now: Instant) -> Option<bool> {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < LOSS_OVER || self.all < LOSS_PACKETS {
            return None;
        }
        let share = self.lost as f64 / self.all as f64;
        (self.lost, self.all, self.since) = (0, 0, Some(now));
        if share > LOSS_HIGH {
            let rate = known.min(sent).min(self.allowed).clamp(LEAST_BPS, MOST_BPS);
            self.allowed = (rate * (1.0 - 0.5 * share)).max(least.min(rate)).max(LEAST_BPS);
            return Some(true);
        }
        if share < LOSS_LOW && self.allowed < MOST_BPS {
            self.allowed = (self.allowed * GROWTH).min(MOST_BPS);
            if self.allowed > 2.0 * known {
                self.allowed = MOST_BPS;
            }
        }
        Some(false)
    }
}
