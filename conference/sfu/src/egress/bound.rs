//! What a line carries whose receiver doesn't report when packets arrive: what he says himself (REMB, draft-alvestrand-rmcat-remb-03),
//! and what gets lost by his reports (RFC 3550 §6.4.1). Pure.

use std::time::Instant;

use super::losses::Losses;

#[derive(Debug, Default)]
pub(super) struct Bound {
    /// What he said last, in bits per second.
    said: Option<f64>,
    losses: Losses,
    /// Much was lost once: from then on losses say what is carried.
    has_lost: bool,
    /// Bytes that had been sent when it was last looked, and when that was.
    looked: Option<(u64, Instant)>,
    /// The latest that was heard of it allows less than what was before.
    is_falling: bool,
}

impl Bound {
    /// Bits per second; infinite while nothing is known.
    pub(super) fn rate(&self) -> f64 {
        let lossless = if self.has_lost { self.losses.allowed() } else { f64::INFINITY };
        self.said.unwrap_or(f64::INFINITY).min(lossless)
    }

    /// What is sent only to find out whether the line carries it is no more than this: nothing where he doesn't say when it is full
    /// but by losing.
    pub(super) fn trial(&self) -> f64 {
        if self.said.is_some() && !self.is_falling { self.rate() } else { 0.0 }
    }

    /// He says that his line carries so many bits per second.
    pub(super) fn say(&mut self, bitrate: u64) {
        let bitrate = bitrate as f64;
        self.is_falling = self.said.replace(bitrate).is_some_and(|before| bitrate < before);
    }

    /// Of so many packets more so many were lost, and so many bytes have been sent in all.
    pub(super) fn report(&mut self, lost: u64, all: u64, sent: u64, now: Instant) {
        self.losses.count(lost, all);
        let (before, at) = *self.looked.get_or_insert((sent, now));
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        let rate = (sent - before) as f64 * 8.0 / seconds.max(0.001);
        if let Some(is_lower) = self.losses.look(self.said.unwrap_or(f64::INFINITY), rate, 0.0, now) {
            self.looked = Some((sent, now));
            self.has_lost |= is_lower;
            self.is_falling = is_lower;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A report each second on a line that 100 packets of 1,000 bytes are sent over.
    fn report(bound: &mut Bound, start: Instant, seconds: std::ops::Range<u64>, lost: u64) {
        for second in seconds {
            bound.report(lost, 100, 100_000 * (second + 1), start + Duration::from_secs(second + 1));
        }
    }

    #[test]
    fn nothing_is_known_until_he_says_so_or_much_is_lost() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        report(&mut bound, start, 0..5, 5);
        assert_eq!((bound.rate(), bound.trial()), (f64::INFINITY, 0.0));
        report(&mut bound, start, 5..6, 40);
        assert!((630_000.0..650_000.0).contains(&bound.rate()), "of 800,000: {}", bound.rate());
        report(&mut bound, start, 6..30, 0);
        assert!(bound.rate() > 3_000_000.0, "{}", bound.rate());
        assert_eq!(bound.trial(), 0.0, "he would say so only by losing");
    }

    #[test]
    fn what_he_says_is_believed_and_lowered_by_what_is_lost() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        bound.say(300_000);
        assert_eq!((bound.rate(), bound.trial()), (300_000.0, 300_000.0));
        report(&mut bound, start, 0..2, 20);
        assert!((269_000.0..271_000.0).contains(&bound.rate()), "{}", bound.rate());
        assert_eq!(bound.trial(), 0.0);
        bound.say(200_000);
        assert_eq!((bound.rate(), bound.trial()), (200_000.0, 0.0));
        bound.say(400_000);
        report(&mut bound, start, 2..20, 0);
        assert_eq!((bound.rate(), bound.trial()), (400_000.0, 400_000.0));
    }
}
