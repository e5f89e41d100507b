//! How much strangers may ask: a flood, a scanner or a telephone gone mad is not answered, and those we know are (RFC 7339's purpose
//! by simpler means; nothing here asks the other side to help).

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
    time::{Duration, Instant},
};

/// A host may ask so many times its rate at once: telephones behind one router that all come back after a power cut.
const BURST: f64 = 2.5;

/// All strangers together may ask so many times what one may: a flood from everywhere is one too. More lets a flood cost more,
/// less lets it shut out more of the others.
const TOGETHER: f64 = 25.0;

/// Hosts that are counted one by one; while more come at once, new ones are not listened to.
const HOSTS_MAX: usize = 16_384;

/// How often it is looked who can be forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// Hosts we ask ourselves; the oldest are forgotten first. Carriers are asked every half minute.
const ASKED_MAX: usize = 256;

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why text is no [`Network`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: write an address, or address/bits")]
pub struct BadNetwork(String);

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| bad()))?;
        if bits > most { Err(bad()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    /// Whether an address is of it. IPv4 is IPv4 however it is written.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => alike(own.to_bits().into(), other.to_bits().into(), self.bits, 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => alike(own.to_bits(), other.to_bits(), self.bits, 128),
            _ => false,
        }
    }
}

fn alike(a: u128, b: u128, bits: u8, of: u8) -> bool {
    (a ^ b).checked_shr(u32::from(of - bits)).is_none_or(|rest| rest == 0)
}

/// What may be asked, and by strangers how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once, ours included: each costs some kilobytes, and more are answered 503. A quarter of them is kept for those we know,
    /// whatever strangers do. A refused call counts until its refusal is acknowledged.
    pub calls_max: usize,
    /// Requests a second of one host that belong to no call; 0: as many as it likes. IPv6 hosts of
    /// one /64 are one.
    pub requests_per_second: u32,
    /// Carriers, a PBX, a proxy: they may ask as much as they like.
    pub trusted: Vec<Network>,
    /// Who is neither one of those, nor a carrier of ours, nor where a telephone of the house is registered, calls nobody.
    pub no_strangers: bool,
    /// What programs that look for servers to break into call themselves in User-Agent, in any case, or a part of it. Who is
    /// neither trusted nor asked by us and calls himself so is not answered: he would learn that there is something.
    pub scanners: Vec<String>,
}

impl Default for Limits {
    /// Whoever asks may ask as much as he likes, within [`Limits::CALLS_MAX`].
    fn default() -> Self {
        Self {
            calls_max: Self::CALLS_MAX,
            requests_per_second: 0,
            trusted: Vec::new(),
            no_strangers: false,
            scanners: Vec::new(),
        }
    }
}

impl Limits {
    /// Calls of a machine of some cores.
    pub const CALLS_MAX: usize = 4_000;

    /// Scanners' names as they are met.
    pub const SCANNERS: [&str; 12] = [
        "friendly-scanner",
        "friendly-request",
        "sipvicious",
        "sipcli",
        "sip-scan",
        "sipscan",
        "siparmyknife",
        "sundayddr",
        "iwar",
        "sipptk",
        "pplsip",
        "vaxsipuseragent",
    ];
}

/// What is left of a host's rate.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

pub(crate) struct Guard {
    limits: Limits,
    /// Those we asked ourselves.
    asked: VecDeque<IpAddr>,
    /// Those of them that are carriers.
    carriers: VecDeque<IpAddr>,
    hosts: BTreeMap<IpAddr, Bucket>,
    together: Option<Bucket>,
    swept: Option<Instant>,
}

impl Guard {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            asked: VecDeque::new(),
            carriers: VecDeque::new(),
            hosts: BTreeMap::new(),
            together: None,
            swept: None,
        }
    }

    /// A host we ask something may ask too.
    pub(crate) fn trust(&mut self, host: IpAddr) {
        note(&mut self.asked, host);
    }

    /// It knows who calls by it (RFC 3325 §2): telephones of the house are asked too, and don't.
    pub(crate) fn believe(&mut self, host: IpAddr) {
        note(&mut self.carriers, host);
    }

    /// Whether what it asserts of its callers is believed.
    pub(crate) fn is_believed(&self, host: IpAddr) -> bool {
        self.is_in_trusted_network(host) || self.is_carrier(host)
    }

    /// We ask it by our own configuration.
    pub(crate) fn is_carrier(&self, host: IpAddr) -> bool {
        self.carriers.contains(&host)
    }

    /// Whether it may call us at all, wherever telephones of the house are registered.
    pub(crate) fn may_call(&self, host: IpAddr) -> bool {
        !self.limits.no_strangers || self.is_believed(host)
    }

    pub(crate) fn is_trusted(&self, host: IpAddr) -> bool {
        self.limits.requests_per_second == 0 || self.is_known(host)
    }

    /// How many calls there may be for one more from this host.
    pub(crate) fn calls_max(&self, host: IpAddr) -> usize {
        let all = self.limits.calls_max;
        if self.is_trusted(host) { all } else { all - all / 4 }
    }

    fn is_known(&self, host: IpAddr) -> bool {
        self.is_in_trusted_network(host) || self.asked.contains(&host)
    }

    /// Whether who calls himself so is somebody who looks for servers to break into.
    pub(crate) fn is_scanner(&self, host: IpAddr, agent: &str) -> bool {
        let has = |name: &String| {
            let name = name.as_bytes();
            !name.is_empty() && agent.as_bytes().windows(name.len()).any(|part| part.eq_ignore_ascii_case(name))
        };
        self.limits.scanners.iter().any(has) && !self.is_known(host)
    }

    /// One of [`Limits::trusted`].
    pub(crate) fn is_in_trusted_network(&self, host: IpAddr) -> bool {
        self.limits.trusted.iter().any(|network| network.has(host))
    }

    /// Whether a request that is of no call is listened to.
    pub(crate) fn admits(&mut self, host: IpAddr, now: Instant) -> bool {
        if self.is_trusted(host) {
            return true;
        }
        let rate = f64::from(self.limits.requests_per_second);
        let host = network_of(host);
        if !self.hosts.contains_key(&host) && self.hosts.len() >= HOSTS_MAX && !self.sweep(rate, now) {
            return false;
        }
        let full = Bucket { left: rate * BURST, at: now };
        let own = self.hosts.entry(host).or_insert(full).take(rate, now);
        let together = Bucket { left: full.left * TOGETHER, at: now };
        // Who is over his own rate takes nothing of the others'.
        own && self.together.get_or_insert(together).take(rate * TOGETHER, now)
    }

    /// Until when nothing is listened to of a host that is over its own rate.
    pub(crate) fn closed_until(&self, host: IpAddr) -> Option<Instant> {
        let Bucket { left, at } = self.hosts.get(&network_of(host)).filter(|bucket| bucket.left < 1.0)?;
        Some(*at + Duration::from_secs_f64((1.0 - left) / f64::from(self.limits.requests_per_second)))
    }

    /// Forgets who has been quiet; true where there is room then.
    fn sweep(&mut self, rate: f64, now: Instant) -> bool {
        if self.swept.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP) {
            self.swept = Some(now);
            let quiet = Duration::from_secs_f64(BURST);
            self.hosts.retain(|_, bucket| now.saturating_duration_since(bucket.at) < quiet || bucket.left < -rate);
        }
        self.hosts.len() < HOSTS_MAX
    }
}

impl Bucket {
    fn take(&mut self, rate: f64, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + since * rate).min(rate * BURST), now);
        let has_room = self.left >= 1.0;
        if has_room {
            self.left -= 1.0;
        }
        has_room
    }
}

fn note(hosts: &mut VecDeque<IpAddr>, host: IpAddr) {
    if !hosts.contains(&host) {
        if hosts.len() >= ASKED_MAX {
            hosts.pop_front();
        }
        hosts.push_back(host);
    }
}

/// Whom to count together: one line's customer has a whole /64.
pub(crate) fn network_of(host: IpAddr) -> IpAddr {
    match host.to_canonical() {
        IpAddr::V6(host) => IpAddr::V6(Ipv6Addr::from_bits(host.to_bits() >> 64 << 64)),
        host => host,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test needs some point in time to count from")]

    use super::*;

    fn guard() -> Guard {
        Guard::new(Limits {
            requests_per_second: 20,
            trusted: vec!["10.1.0.0/16".parse().unwrap()],
            ..Limits::default()
        })
    }

    fn admitted(guard: &mut Guard, host: &str, count: u32, over: Duration, start: Instant) -> usize {
        let host: IpAddr = host.parse().unwrap();
        (0..count).filter(|n| guard.admits(host, start + over * *n / count)).count()
    }

    // reliability: A2
    #[test]
    fn strangers_are_heard_at_their_rate_and_those_we_know_always() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut guard = guard();
        assert_eq!(admitted(&mut guard, "192.0.2.1", 20_000, 10 * second, start), 50 + 199);
        assert_eq!(admitted(&mut guard, "192.0.2.2", 150, 10 * second, start + 10 * second), 150, "others are heard");
        assert_eq!(admitted(&mut guard, "10.1.2.3", 20_000, second, start), 20_000);
        guard.trust("192.0.2.9".parse().unwrap());
        assert_eq!(admitted(&mut guard, "192.0.2.9", 20_000, second, start), 20_000, "we ask it ourselves");
        // Until then and no longer.
        let now = start + Duration::from_secs(30);
        assert_eq!(admitted(&mut guard, "192.0.2.1", 60, Duration::ZERO, now), 50);
        let until = guard.closed_until("192.0.2.1".parse().unwrap()).unwrap();
        assert!(until > now && until <= now + Duration::from_millis(50));
        assert_eq!(admitted(&mut guard, "192.0.2.1", 1, Duration::ZERO, until - Duration::from_micros(10)), 0);
        assert_eq!(admitted(&mut guard, "192.0.2.1", 1, Duration::ZERO, until + Duration::from_micros(10)), 1);
        assert_eq!(guard.closed_until("192.0.2.3".parse().unwrap()), None);
        let mut other = Guard::new(Limits::default());
        assert_eq!(admitted(&mut other, "192.0.2.1", 20_000, second, start), 20_000, "without a limit");
    }

    // reliability: A2
    #[test]
    fn a_flood_from_everywhere_is_one_too_and_costs_no_more_memory() {
        let start = Instant::now();
        let mut guard = guard();
        let mut heard = 0;
        for n in 0..200_000_u32 {
            let host = IpAddr::from([172, 16 + (n >> 16) as u8, (n >> 8) as u8, n as u8]);
            heard += usize::from(guard.admits(host, start + Duration::from_micros(u64::from(n) * 50)));
        }
        assert!((1_250..=1_250 + 5_000).contains(&heard), "{heard} in ten seconds");
        assert!(guard.hosts.len() <= HOSTS_MAX);
        let one = |n: u128| IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | n));
        let mut guard = self::guard();
        let heard = (0..1_000).filter(|n| guard.admits(one(*n), start)).count();
        assert_eq!(heard, 50, "one customer's /64");
    }

    // reliability: A2; research/sip.md §5 security
    #[test]
    fn scanners_are_known_by_their_names_unless_they_are_ours() {
        let scanners = Limits::SCANNERS.map(str::to_owned).to_vec();
        let mut guard = Guard::new(Limits { scanners, ..guard().limits });
        let stranger: IpAddr = "192.0.2.1".parse().unwrap();
        for agent in ["friendly-scanner", "VaxSIPUserAgent/3.1", "sipcli/v1.8", "PPLSIP", "SIPVicious/0.3.8"] {
            assert!(guard.is_scanner(stranger, agent), "{agent}");
        }
        for agent in ["", "Yealink SIP-T46S 66.84.0.15", "baresip v1.0.0 (x86_64/linux)", "PJSUA v2.15.1", "sipp"] {
            assert!(!guard.is_scanner(stranger, agent), "{agent}");
        }
        assert!(!guard.is_scanner("10.1.2.3".parse().unwrap(), "friendly-scanner"), "somebody looks after his own");
        guard.trust(stranger);
        assert!(!guard.is_scanner(stranger, "friendly-scanner"));
    }

    #[test]
    fn networks_are_read_and_have_their_addresses() {
        let check = |network: &str, address: &str, has| {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.has(address.parse().unwrap()), has, "{network:?} {address}");
        };
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1", "::ffff:10.0.0.1", true);
        check("0.0.0.0/0", "192.0.2.1", true);
        check("0.0.0.0/0", "::1", false);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("::/0", "2001:db8:1::1", true);
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "host", "::1/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
