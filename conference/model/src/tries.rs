//! Wrong passwords, counted: per source and per meeting.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::{MeetingId, PhoneNumber, Via};

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

/// How long a meeting that was guessed at lets nobody in by password.
const CLOSED: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(crate) struct Tries {
    wrong: VecDeque<(Duration, Source)>,
    closed_until: Option<Duration>,
    /// It was closed, and the hosts have not been told.
    untold: bool,
}

impl Tries {
    /// Whether another try is allowed now.
    pub(crate) fn is_open(&mut self, source: &Source, now: Duration) -> bool {
        self.forget_old(now);
        let of_source = self.wrong.iter().filter(|(_, from)| from == source).count();
        self.closed_until.is_none() && of_source < PER_SOURCE_MAX
    }

    pub(crate) fn note_wrong(&mut self, source: Source, now: Duration) {
        self.forget_old(now);
        self.wrong.push_back((now, source));
        if self.wrong.len() >= PER_MEETING_MAX && self.closed_until.is_none() {
            self.closed_until = Some(now + CLOSED);
            self.untold = true;
        }
    }

    /// The meeting has closed its door since this was asked last.
    pub(crate) fn has_closed(&mut self) -> bool {
        std::mem::take(&mut self.untold)
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
        if self.closed_until.is_some_and(|until| now >= until) {
            self.closed_until = None;
            // They have had their consequence.
            self.wrong.clear();
        }
    }
}

/// Meetings that have not begun and are guessed at: past so many nobody is told of another.
const EARLY_MAX: usize = 10_000;

/// Wrong passwords at meetings that have not begun: limited as at one that has.
#[derive(Debug, Default)]
pub struct EarlyTries {
    meetings: BTreeMap<MeetingId, Tries>,
}

impl EarlyTries {
    /// Whether somebody is told that he has the right password; who has a wrong one is counted.
    pub fn tell(&mut self, meeting: MeetingId, via: &Via, source: IpAddr, is_right: bool, now: Duration) -> bool {
        self.meetings.retain(|_, tries| !tries.is_clean(now));
        let source = Source::of(via, source);
        let Some(tries) = self.meetings.get_mut(&meeting) else {
            if !is_right && self.meetings.len() < EARLY_MAX {
                self.meetings.entry(meeting).or_default().note_wrong(source, now);
            }
            return is_right && self.meetings.len() < EARLY_MAX;
        };
        if !tries.is_open(&source, now) {
            return false;
        }
        if !is_right {
            tries.note_wrong(source, now);
        }
        is_right
    }
}

/// How long a wrong entry is held against who made it, whatever meeting it was for.
const GUESS_WINDOW: Duration = Duration::from_secs(3_600);

/// Of one telephone number. A person mistypes three times.
const PER_NUMBER_MAX: u32 = 10;

/// Of browsers of one network: a company may have one address for all its people.
const PER_NETWORK_MAX: u32 = 60;

/// Of telephones of one host nobody vouches for: their numbers are what it writes. A company's PBX has many people.
const PER_HOST_MAX: u32 = 600;

/// Of all telephones of a carrier, from which on its wrong entries are answered later. Nobody is shut out for it: thousands of
/// honest callers come by one address. Fewer would slow those who mistype on a busy day.
const CARRIER_SLOW_FROM: u32 = 600;

/// By how much.
const CARRIER_SLOW: Duration = Duration::from_secs(5);

/// Remembered at all; the oldest are forgotten first.
const GUESSES_MAX: usize = 200_000;

/// Who stands for a caller's number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Vouched {
    /// Nobody: a host that is neither a carrier of ours nor trusted. The number is what it writes.
    #[default]
    Nobody,
    /// A carrier brings him, and doesn't say that the number is his.
    Brought,
    /// A carrier says whose call it is (RFC 3325), be it hidden from others or not.
    Asserted(PhoneNumber),
}

impl Vouched {
    /// Whether both stand for the same caller; none where one of them stands for nobody.
    pub(crate) fn agrees(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Nobody, _) | (_, Self::Nobody) => None,
            (Self::Asserted(one), Self::Asserted(another)) => Some(one == another),
            (Self::Brought, _) | (_, Self::Brought) => Some(true),
        }
    }
}

/// Wrong entries at all meetings together: unknown numbers and wrong passwords, of callers and of browsers.
#[derive(Debug, Default)]
pub struct Guesses {
    wrong: VecDeque<(Duration, Guesser)>,
    counts: BTreeMap<Guesser, u32>,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Guesser {
    /// Whoever has it: a carrier says so.
    Number(PhoneNumber),
    /// As it was written there. Who writes another's number elsewhere counts for himself.
    Written(IpAddr, PhoneNumber),
    Carrier(IpAddr),
    Host(IpAddr),
    Network(IpAddr),
}

/// What became of another wrong entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Nothing yet.
    None,
    /// He is told no more.
    Limit,
    /// With this one it is so many that the carrier's are answered later.
    CarrierSlow,
}

impl Guesser {
    /// A caller is counted by his number, and with all others of his carrier or host.
    fn all_of(via: &Via, vouched: &Vouched, address: IpAddr) -> impl Iterator<Item = Self> {
        let network = network_of(address);
        let (number, other) = match (via, vouched) {
            (Via::Web | Via::Encoder, _) => (None, Self::Network(network)),
            (Via::Phone(_), Vouched::Asserted(number)) => (Some(Self::Number(number.clone())), Self::Carrier(network)),
            (Via::Phone(number), Vouched::Brought) => (Self::written(network, number), Self::Carrier(network)),
            (Via::Phone(number), Vouched::Nobody) => (Self::written(network, number), Self::Host(network)),
        };
        number.into_iter().chain([other])
    }

    fn written(network: IpAddr, number: &PhoneNumber) -> Option<Self> {
        (!number.is_withheld()).then(|| Self::Written(network, number.clone()))
    }

    fn most(&self) -> u32 {
        match self {
            Self::Number(_) | Self::Written(..) => PER_NUMBER_MAX,
            Self::Carrier(_) => u32::MAX,
            Self::Host(_) => PER_HOST_MAX,
            Self::Network(_) => PER_NETWORK_MAX,
        }
    }
}

impl Guesses {
    /// Whether somebody may try another number or password. `now` is any time that doesn't go back.
    pub fn may(&mut self, via: &Via, vouched: &Vouched, address: IpAddr, now: Duration) -> bool {
        self.forget_old(now);
        Guesser::all_of(via, vouched, address).all(|guesser| self.count(&guesser) < guesser.most())
    }

    /// By how much a wrong entry of a caller by this address is answered later.
    pub fn slowed(&mut self, address: IpAddr, now: Duration) -> Duration {
        self.forget_old(now);
        let is_slow = self.count(&Guesser::Carrier(network_of(address))) >= CARRIER_SLOW_FROM;
        if is_slow { CARRIER_SLOW } else { Duration::ZERO }
    }

    fn count(&self, guesser: &Guesser) -> u32 {
        self.counts.get(guesser).copied().unwrap_or_default()
    }

    /// He entered a wrong one.
    pub fn note(&mut self, via: &Via, vouched: &Vouched, address: IpAddr, now: Duration) -> Reached {
        self.forget_old(now);
        let mut reached = Reached::None;
        for guesser in Guesser::all_of(via, vouched, address) {
            if self.wrong.len() >= GUESSES_MAX {
                self.forget_first();
            }
            let count = self.counts.entry(guesser.clone()).or_default();
            *count += 1;
            if *count == guesser.most() {
                reached = Reached::Limit;
            } else if *count == CARRIER_SLOW_FROM && matches!(guesser, Guesser::Carrier(_)) {
                reached = Reached::CarrierSlow;
            }
            self.wrong.push_back((now, guesser));
        }
        reached
    }

    fn forget_old(&mut self, now: Duration) {
        while self.wrong.front().is_some_and(|(at, _)| now.saturating_sub(*at) > GUESS_WINDOW) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((_, guesser)) = self.wrong.pop_front() else { return };
        if let Some(count) = self.counts.get_mut(&guesser) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&guesser);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // trap: guessable numbers; product: J2
    #[test]
    fn wrong_passwords_are_limited_per_source_and_per_meeting() {
        let [a, b, c] = [1, 2, 3].map(|n| Source::Network([10, 0, 0, n].into()));
        let mut tries = Tries::default();
        let second = Duration::from_secs;
        (0..10).for_each(|n| tries.note_wrong(a.clone(), second(n)));
        assert!(!tries.is_open(&a, second(20)) && tries.is_open(&b, second(20)));
        (0..10).for_each(|n| tries.note_wrong(b.clone(), second(100 + n)));
        assert!(!tries.is_open(&c, second(200)), "the meeting itself is closed");
        assert!(tries.has_closed() && !tries.has_closed(), "which is told once");
        assert!(!tries.is_open(&c, second(708)) && tries.is_open(&a, second(709)), "for ten minutes, and then anew");
        assert!(tries.is_clean(second(709)));
        tries.note_wrong(a.clone(), second(710));
        assert!(!tries.is_clean(second(1_310)) && tries.is_clean(second(1_311)) && !tries.has_closed());
    }

    const CARRIER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn phone(n: u32) -> Via {
        Via::Phone(PhoneNumber::new(format!("1380000{n:04}")))
    }

    // reliability: A11
    #[test]
    fn guessing_at_many_meetings_is_guessing_all_the_same() {
        let mut guesses = Guesses::default();
        let (nobody, second) = (Vouched::Nobody, Duration::from_secs);
        (0..9).for_each(|n| assert_eq!(guesses.note(&phone(1), &nobody, CARRIER, second(n)), Reached::None));
        assert_eq!(guesses.note(&phone(1), &nobody, CARRIER, second(9)), Reached::Limit);
        assert!(!guesses.may(&phone(1), &nobody, CARRIER, second(3_600)));
        assert!(guesses.may(&phone(2), &nobody, CARRIER, second(3_600)));
        assert!(guesses.may(&phone(1), &nobody, CARRIER, second(3_601)), "after an hour");
        // Numbers that change with each call, as who guesses by machine has them.
        (0..590).for_each(|n| _ = guesses.note(&phone(n + 100), &nobody, CARRIER, second(3_000)));
        assert!(guesses.may(&phone(9_000), &nobody, CARRIER, second(3_000)));
        (0..10).for_each(|n| _ = guesses.note(&phone(n + 1_000), &nobody, CARRIER, second(3_601)));
        assert!(!guesses.may(&phone(9_000), &nobody, CARRIER, second(3_602)));
        assert!(guesses.may(&Via::Web, &nobody, CARRIER, second(3_602)), "browsers of that address are others");
        (0..60).for_each(|_| _ = guesses.note(&Via::Web, &nobody, CARRIER, second(4_000)));
        assert!(!guesses.may(&Via::Web, &nobody, CARRIER, second(4_000)));
        // A flood is forgotten, and holds no more than it may.
        (0..300_000_u32).for_each(|n| _ = guesses.note(&Via::Web, &nobody, n.to_be_bytes().into(), second(5_000)));
        assert_eq!((guesses.wrong.len(), guesses.counts.len()), (GUESSES_MAX, GUESSES_MAX));
        assert!(guesses.may(&Via::Web, &nobody, CARRIER, second(9_000)) && guesses.counts.is_empty());
    }

    // reliability: A11
    #[test]
    fn who_guesses_behind_a_carrier_shuts_out_himself_and_slows_wrong_entries_alone() {
        let mut guesses = Guesses::default();
        let asserted = |n: u32| Vouched::Asserted(PhoneNumber::new(format!("1390000{n:04}")));
        let now = Duration::from_secs(1);
        // Whatever he writes, and whether he hides: the carrier knows who he is.
        let hidden = Via::Phone(PhoneNumber::new("anonymous"));
        (0..9).for_each(|n| _ = guesses.note(&phone(n), &asserted(1), CARRIER, now));
        assert_eq!(guesses.note(&hidden, &asserted(1), CARRIER, now), Reached::Limit);
        assert!(!guesses.may(&hidden, &asserted(1), CARRIER, now) && guesses.may(&hidden, &asserted(2), CARRIER, now));
        let elsewhere = IpAddr::from([192, 0, 2, 2]);
        assert!(!guesses.may(&phone(7), &asserted(1), elsewhere, now), "nor by another carrier");
        // Numbers nobody vouches for are held against who wrote them there, and not against who has them.
        let his = Via::Phone(PhoneNumber::new("13900000002"));
        (0..10).for_each(|_| _ = guesses.note(&his, &Vouched::Nobody, elsewhere, now));
        assert!(!guesses.may(&his, &Vouched::Nobody, elsewhere, now) && guesses.may(&his, &asserted(2), CARRIER, now));
        // Thousands of calls by machine, without a number.
        let reached: Vec<Reached> =
            (10..5_000).map(|_| guesses.note(&hidden, &Vouched::Brought, CARRIER, now)).collect();
        let alarms = reached.iter().filter(|it| **it == Reached::CarrierSlow).count();
        assert_eq!((alarms, reached[589]), (1, Reached::CarrierSlow), "told once");
        for honest in [&phone(77), &hidden] {
            assert!(
                guesses.may(honest, &Vouched::Brought, CARRIER, now) && guesses.may(honest, &asserted(3), CARRIER, now)
            );
        }
        assert_eq!(guesses.slowed(CARRIER, now), CARRIER_SLOW);
        assert_eq!(guesses.slowed(elsewhere, now), Duration::ZERO, "another carrier's are not");
        assert_eq!(guesses.slowed(CARRIER, now + GUESS_WINDOW * 2), Duration::ZERO);
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
