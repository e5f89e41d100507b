//! Wrong passwords, counted: per source and per meeting.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::{PhoneNumber, Via};

/// How long a wrong password counts.
const WINDOW: Duration = Duration::from_secs(600);

/// Wrong ones from one source in the window. A person mistypes three times, not ten.
const PER_SOURCE_MAX: usize = 10;

/// Wrong ones at one meeting in the window: 120 an hour at a million passwords is one in eight thousand.
const PER_MEETING_MAX: usize = 20;

/// What one stranger has one of: his IPv4 address, or the /64 an IPv6 host chooses its addresses from.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// Who tries. All callers of a carrier come from its address, so they are told apart by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Network(IpAddr),
    Number(PhoneNumber),
}

impl Source {
    pub(crate) fn of(via: &Via, address: IpAddr) -> Self {
        let number = via.number().filter(|number| !number.is_withheld());
        number.map_or_else(|| Self::Network(network_of(address)), |number| Self::Number(number.clone()))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tries {
    wrong: VecDeque<(Duration, Source)>,
}

impl Tries {
    /// Whether another try is allowed now.
    pub(crate) fn is_open(&mut self, source: &Source, now: Duration) -> bool {
        self.forget_old(now);
        let of_source = self.wrong.iter().filter(|(_, from)| from == source).count();
        self.wrong.len() < PER_MEETING_MAX && of_source < PER_SOURCE_MAX
    }

    pub(crate) fn note_wrong(&mut self, source: Source, now: Duration) {
        self.wrong.push_back((now, source));
    }

    /// Nothing is held against anybody.
    pub(crate) fn is_clean(&mut self, now: Duration) -> bool {
        self.forget_old(now);
        self.wrong.is_empty()
    }

    fn forget_old(&mut self, now: Duration) {
        while self.wrong.front().is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW) {
            self.wrong.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: J2
    #[test]
    fn wrong_passwords_are_limited_per_source_and_per_meeting() {
        let [a, b, c] = [1, 2, 3].map(|n| Source::Network([10, 0, 0, n].into()));
        let mut tries = Tries::default();
        let second = Duration::from_secs;
        (0..10).for_each(|n| tries.note_wrong(a.clone(), second(n)));
        assert!(!tries.is_open(&a, second(20)) && tries.is_open(&b, second(20)));
        (0..10).for_each(|n| tries.note_wrong(b.clone(), second(100 + n)));
        assert!(!tries.is_open(&c, second(200)), "the meeting itself is closed");
        assert!(tries.is_open(&a, second(612)), "the first ones are forgotten");
        assert!(!tries.is_clean(second(709)) && tries.is_clean(second(710)));
    }

    #[test]
    fn a_host_with_many_addresses_is_one_source() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
