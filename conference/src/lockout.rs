//! Wrong passwords at the login, counted: per account and per network.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Wrong passwords until an account is locked, and for how long (L4). Unknown names are locked alike.
const ACCOUNT: Limit = Limit { wrong_max: 3, lasts: Duration::from_secs(180) };

/// The same for one network, whatever names it tries: a household mistypes less, a guesser is slowed to ten a minute.
const NETWORK: Limit = Limit { wrong_max: 10, lasts: Duration::from_secs(60) };

/// Accounts and networks remembered, each; beyond it the oldest is forgotten. To push a lock out, a stranger needs as
/// many hashes in three minutes as eight cores make.
const REMEMBERED_MAX: usize = 10_000;

struct Limit {
    wrong_max: u32,
    lasts: Duration,
}

#[derive(Default)]
pub(crate) struct Lockout {
    accounts: HashMap<String, Wrong>,
    networks: HashMap<IpAddr, Wrong>,
}

#[derive(Clone, Copy)]
struct Wrong {
    count: u32,
    last: Instant,
}

impl Lockout {
    /// How long no try is allowed, if any is not. Tries meanwhile are not counted: they don't prolong it.
    pub(crate) fn locked_for(&self, account: &str, network: IpAddr, now: Instant) -> Option<Duration> {
        left(self.accounts.get(account), &ACCOUNT, now).max(left(self.networks.get(&network), &NETWORK, now))
    }

    pub(crate) fn note_wrong(&mut self, account: &str, network: IpAddr, now: Instant) {
        note(&mut self.accounts, account.to_owned(), &ACCOUNT, now);
        note(&mut self.networks, network, &NETWORK, now);
    }

    pub(crate) fn note_right(&mut self, account: &str) {
        self.accounts.remove(account);
    }
}

fn left(wrong: Option<&Wrong>, limit: &Limit, now: Instant) -> Option<Duration> {
    let wrong = wrong.filter(|wrong| wrong.count >= limit.wrong_max)?;
    limit.lasts.checked_sub(now.saturating_duration_since(wrong.last)).filter(|left| !left.is_zero())
}

fn note<K: Eq + Hash + Clone>(all: &mut HashMap<K, Wrong>, key: K, limit: &Limit, now: Instant) {
    let is_over = |wrong: &Wrong| now.saturating_duration_since(wrong.last) >= limit.lasts;
    if all.len() >= REMEMBERED_MAX && !all.contains_key(&key) {
        all.retain(|_, wrong| !is_over(wrong));
        if all.len() >= REMEMBERED_MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| key.clone())
        {
            all.remove(&oldest);
        }
    }
    let wrong = all.entry(key).or_insert(Wrong { count: 0, last: now });
    if is_over(wrong) {
        wrong.count = 0;
    }
    *wrong = Wrong { count: wrong.count + 1, last: now };
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn elsewhere(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    // product: L4
    #[test]
    fn three_wrong_ones_lock_an_account_for_three_minutes() {
        let (mut lockout, start) = (Lockout::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        lockout.note_wrong("host", HERE, at(0));
        lockout.note_wrong("host", elsewhere(1), at(1));
        assert_eq!(lockout.locked_for("host", HERE, at(2)), None);
        lockout.note_wrong("host", HERE, at(2));
        assert_eq!(lockout.locked_for("host", elsewhere(2), at(2)), Some(Duration::from_secs(180)));
        assert_eq!(lockout.locked_for("host", HERE, at(100)), Some(Duration::from_secs(82)), "and says how long");
        assert_eq!(lockout.locked_for("member", HERE, at(100)), None);
        assert_eq!(lockout.locked_for("host", HERE, at(182)), None);
        lockout.note_wrong("host", HERE, at(182));
        assert_eq!(lockout.locked_for("host", HERE, at(182)), None, "counted anew");
    }

    // product: L4
    #[test]
    fn the_right_one_clears_an_account() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        (0..2).for_each(|_| lockout.note_wrong("host", HERE, now));
        lockout.note_right("host");
        (0..2).for_each(|_| lockout.note_wrong("host", HERE, now));
        assert_eq!(lockout.locked_for("host", HERE, now), None);
    }

    #[test]
    fn a_network_that_tries_many_names_is_stopped_for_a_minute() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        (0..10).for_each(|n| lockout.note_wrong(&format!("name {n}"), HERE, now));
        assert_eq!(lockout.locked_for("host", HERE, now), Some(Duration::from_secs(60)));
        assert_eq!(lockout.locked_for("host", elsewhere(1), now), None);
    }

    #[test]
    fn memory_is_bounded_whatever_is_tried() {
        let (mut lockout, start) = (Lockout::default(), Instant::now());
        for n in 0..REMEMBERED_MAX as u32 + 100 {
            lockout.note_wrong(&format!("name {n}"), elsewhere(n), start + Duration::from_millis(u64::from(n)));
        }
        assert_eq!((lockout.accounts.len(), lockout.networks.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        assert!(!lockout.accounts.contains_key("name 0") && lockout.accounts.contains_key("name 200"));
    }
}
