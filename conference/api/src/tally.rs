//! How much somebody may have at once of what is kept open: requests for what a livestream is about to have, each for up to six
//! seconds, and connections of people in meetings.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::AccountId;

/// Of one viewer: playlists and parts of picture and sound, of two choices of picture while one gives way to the other,
/// in two windows.
const VIEWER_MAX: u32 = 16;

/// Of one network: thousands of viewers behind one address, or behind a proxy.
const NETWORK_MAX: u32 = 20_000;

/// Of one account: its meeting's page on a few devices, and those that were cut off and are not known to be gone.
const ACCOUNT_MAX: u32 = 8;

/// Of one network: all of a company behind one address, or behind a proxy. Each is memory, and a descriptor of some thousands.
const CONNECTIONS_MAX: u32 = 10_000;

/// What is kept open now.
#[derive(Default)]
pub(crate) struct Tally {
    counts: Mutex<HashMap<Who, u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Whose requests wait.
    Network(IpAddr),
    /// The same; he is known where he needs a pass.
    Viewer(u128),
    /// Whose connections are in meetings.
    Account(AccountId),
    /// The same, whoever they are.
    Connections(IpAddr),
}

impl Who {
    fn most(self) -> u32 {
        match self {
            Self::Network(_) => NETWORK_MAX,
            Self::Viewer(_) => VIEWER_MAX,
            Self::Account(_) => ACCOUNT_MAX,
            Self::Connections(_) => CONNECTIONS_MAX,
        }
    }
}

/// One of them, until it is dropped.
pub(crate) struct Counted {
    tally: Arc<Tally>,
    who: [Option<Who>; 2],
}

impl Tally {
    /// Counts one of each; none where that is one too many.
    pub(crate) fn enter(self: &Arc<Self>, who: [Option<Who>; 2]) -> Option<Counted> {
        let mut counts = self.lock();
        let is_too_many = |who: &Who| counts.get(who).is_some_and(|count| *count >= who.most());
        if who.iter().flatten().any(is_too_many) {
            return None;
        }
        who.iter().flatten().for_each(|who| *counts.entry(*who).or_default() += 1);
        drop(counts);
        Some(Counted { tally: Arc::clone(self), who })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, u32>> {
        // A map of numbers is whole between any two operations, whoever panicked.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.tally.lock();
        for who in self.who.iter().flatten() {
            if let Some(count) = counts.get_mut(who) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(who);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_viewer_waits_for_so_much_and_nothing_is_left_of_who_went() {
        let tally = Arc::new(Tally::default());
        let [here, there] = [1, 2].map(|n| Who::Network([10, 0, 0, n].into()));
        let enter = |network, viewer: Option<u128>| tally.enter([Some(network), viewer.map(Who::Viewer)]);
        let own: Vec<_> = (0..100).map_while(|_| enter(here, Some(7))).collect();
        assert_eq!(own.len(), VIEWER_MAX as usize);
        let other = enter(here, Some(8));
        assert!(other.is_some(), "others are not concerned");
        drop(own);
        assert!(enter(here, Some(7)).is_some());
        let crowd: Vec<_> = (0..30_000).map_while(|_| enter(here, None)).collect();
        assert_eq!(crowd.len(), NETWORK_MAX as usize - 1);
        assert!(enter(there, None).is_some());
        drop((crowd, other));
        assert!(tally.lock().is_empty());
    }
}
