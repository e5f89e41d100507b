//! What the line of one room system carries of pictures: who tells that much is lost, or that less is to come, is sent the small one. Those
//! who see the large one keep it.

use std::time::{Duration, Instant};

use crate::Sends;

/// Bits a second from which on the large picture is better than the small one, which has no more.
pub(crate) const LARGE_BITS_MIN: u32 = 700_000;

/// With fewer there would be nothing to be seen.
pub(crate) const SMALL_BITS_MIN: u32 = 128_000;

/// Percent of packets lost, from which on a report tells of a line that is too narrow: each packet is a strip of the picture, and stays
/// broken until the next key frame.
const LOSS_MAX: u8 = 8;

/// So many such reports, in a row, of a few seconds each: one is a moment's trouble.
const REPORTS: u32 = 2;

/// After so long the large one is tried again, and if that is too much, after twice as long as before.
const REST_FIRST: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(16 * 60);

#[derive(Debug)]
pub(crate) struct Width {
    /// The most he wants at this moment (RFC 5104 §3.5.4), in bits a second.
    limit: Option<u32>,
    /// Reports of loss, in a row.
    lossy: u32,
    narrow_until: Option<Instant>,
    rest: Duration,
}

impl Default for Width {
    fn default() -> Self {
        Self { limit: None, lossy: 0, narrow_until: None, rest: REST_FIRST }
    }
}

impl Width {
    /// He has told how many percent of the packets were lost since he told before.
    pub(crate) fn reported(&mut self, lost: u8, now: Instant) {
        self.lossy = if lost > LOSS_MAX { self.lossy + 1 } else { 0 };
        if self.lossy < REPORTS {
            return;
        }
        // Of the small one there is none smaller.
        if self.narrow_until.is_none_or(|until| until <= now) {
            self.narrow_until = Some(now + self.rest);
            self.rest = (2 * self.rest).min(REST_MAX);
        }
        self.lossy = 0;
    }

    /// He wants no more bits a second from now on.
    pub(crate) fn limit(&mut self, bits_per_second: u32) {
        self.limit = Some(bits_per_second);
    }

    /// Of what was agreed on what he is to be sent now.
    pub(crate) fn of(&self, agreed: Sends, now: Instant) -> Option<Sends> {
        let is_narrow = self.narrow_until.is_some_and(|until| now < until);
        Sends { is_large: agreed.is_large && !is_narrow, ..agreed }.with_at_most(self.limit.unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Sends = Sends { is_large: true, bits_per_second: 2_000_000, single_units: false };

    // product: R3
    #[test]
    fn whose_line_is_too_narrow_is_sent_the_small_picture_for_a_while_and_for_longer_each_time() {
        let (mut width, start) = (Width::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let is_large = |width: &Width, seconds: u64| width.of(LARGE, at(seconds)).unwrap().is_large;
        for (second, lost) in [(5, 30), (10, 0), (15, 9), (20, 8), (25, 50)] {
            width.reported(lost, at(second));
            assert!(is_large(&width, second), "a moment's trouble");
        }
        width.reported(50, at(30));
        assert!(!is_large(&width, 30) && !is_large(&width, 89) && is_large(&width, 90));
        assert_eq!(width.of(LARGE, at(30)).unwrap().bits_per_second, LARGE_BITS_MIN);
        // Even the small one is too much: it stays, and no longer than it would.
        (40..50).for_each(|second| width.reported(50, at(second)));
        assert!(is_large(&width, 90));
        width.reported(50, at(95));
        width.reported(50, at(100));
        assert!(!is_large(&width, 219) && is_large(&width, 220));
    }

    // product: R3, RFC 5104 §3.5.4
    #[test]
    fn who_wants_less_has_less() {
        let (mut width, now) = (Width::default(), Instant::now());
        let mut wants = |bits| {
            width.limit(bits);
            width.of(LARGE, now).map(|sends| (sends.is_large, sends.bits_per_second))
        };
        assert_eq!(wants(1_000_000), Some((true, 1_000_000)));
        assert_eq!(wants(600_000), Some((false, 600_000)));
        assert_eq!(wants(100_000), None);
        assert_eq!(wants(0), None);
        assert_eq!(wants(u32::MAX), Some((true, 2_000_000)));
    }
}
