//! How often one network may ask for what costs somebody else something: a mail, a short message.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// So many in [`WINDOW`]: a person who mistypes his name, and not a machine that sends mail to all of ours.
const MAX: u32 = 10;
/// See [`MAX`].
const WINDOW: Duration = Duration::from_secs(600);

/// Networks remembered; beyond it all begin anew.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Throttle {
    networks: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Throttle {
    /// Counts one, and says whether it is not too many.
    pub(crate) fn allow(&self, from: IpAddr) -> bool {
        self.allow_at(from, Instant::now())
    }

    fn allow_at(&self, from: IpAddr, now: Instant) -> bool {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= REMEMBERED_MAX {
            networks.clear();
        }
        let (count, since) = networks.entry(model::network_of(from)).or_insert((0, now));
        if now.saturating_duration_since(*since) >= WINDOW {
            (*count, *since) = (0, now);
        }
        *count += 1;
        *count <= MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_ten_minutes() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let (here, there) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert!((0..10).all(|_| throttle.allow_at(here, start)));
        assert!(!throttle.allow_at(here, start) && throttle.allow_at(there, start));
        assert!(throttle.allow_at(here, start + WINDOW));
    }
}
