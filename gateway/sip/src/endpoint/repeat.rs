//! What is sent again until it is answered or acknowledged (RFC 3261 §17).

use std::collections::VecDeque;

use super::{Duration, Instant, Transmit};

/// What is repeated, when next, and until when.
pub(super) struct Repeat {
    pub(super) transmit: Transmit,
    pub(super) next: Instant,
    pub(super) interval: Duration,
    pub(super) interval_max: Duration,
    pub(super) until: Instant,
}

impl Repeat {
    pub(super) fn due(&self) -> Instant {
        self.next.min(self.until)
    }

    /// False when it is given up.
    pub(super) fn run(&mut self, now: Instant, transmits: &mut VecDeque<Transmit>) -> bool {
        if now >= self.until {
            return false;
        }
        if now >= self.next {
            transmits.push_back(self.transmit.clone());
            self.interval = (self.interval * 2).min(self.interval_max);
            self.next = now + self.interval;
        }
        true
    }
}
