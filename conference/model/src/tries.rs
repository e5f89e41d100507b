//! Wrong passwords, counted: per source and per meeting.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

/// How long a wrong password counts.
const WINDOW: Duration = Duration::from_secs(600);

/// Wrong ones from one source in the window. A person mistypes three times, not ten.
const PER_SOURCE_MAX: usize = 10;

/// Wrong ones at one meeting in the window: 120 an hour at a million passwords is one in eight thousand.
const PER_MEETING_MAX: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Tries {
    wrong: VecDeque<(Duration, IpAddr)>,
}

impl Tries {
    /// Whether another try is allowed now.
    pub(crate) fn is_open(&mut self, source: IpAddr, now: Duration) -> bool {
        while self.wrong.front().is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW) {
            self.wrong.pop_front();
        }
        let of_source = self.wrong.iter().filter(|(_, from)| *from == source).count();
        self.wrong.len() < PER_MEETING_MAX && of_source < PER_SOURCE_MAX
    }

    pub(crate) fn note_wrong(&mut self, source: IpAddr, now: Duration) {
        self.wrong.push_back((now, source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: J2
    #[test]
    fn wrong_passwords_are_limited_per_source_and_per_meeting() {
        let (a, b): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut tries = Tries::default();
        let second = Duration::from_secs;
        (0..10).for_each(|n| tries.note_wrong(a, second(n)));
        assert!(!tries.is_open(a, second(20)) && tries.is_open(b, second(20)));
        (0..10).for_each(|n| tries.note_wrong(b, second(100 + n)));
        assert!(!tries.is_open([10, 0, 0, 3].into(), second(200)), "the meeting itself is closed");
        assert!(tries.is_open(a, second(612)), "the first ones are forgotten");
    }
}
