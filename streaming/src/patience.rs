//! How long to wait before something is tried again. Pure.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Patience {
    /// Before the next tries; the last one goes on for ever.
    waits: &'static [Duration],
    failures: usize,
}

impl Patience {
    /// `waits` has at least one.
    pub(crate) const fn new(waits: &'static [Duration]) -> Self {
        Self { waits, failures: 0 }
    }

    /// It failed once more: how long to wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.waits[self.failures.min(self.waits.len() - 1)];
        self.failures += 1;
        wait
    }

    /// It went well.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It has not failed since it went well.
    pub(crate) fn is_whole(&self) -> bool {
        self.failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_last_one_and_begin_anew() {
        const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(8)];
        let ([short, long], mut patience) = (WAITS, Patience::new(&WAITS));
        assert!(patience.is_whole());
        assert_eq!([patience.next(), patience.next(), patience.next()], [short, long, long]);
        assert!(!patience.is_whole());
        patience.reset();
        assert_eq!(patience.next(), short);
    }
}
