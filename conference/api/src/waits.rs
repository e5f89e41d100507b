//! How many requests for what is still to come one viewer and one network may have at once: each of them is kept open
//! for up to six seconds.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Of one viewer: playlists and parts of picture and sound, of two choices of picture while one gives way to the other,
/// in two windows.
const VIEWER_MAX: u32 = 16;

/// Of one network: thousands of viewers behind one address, or behind a proxy.
const NETWORK_MAX: u32 = 20_000;

/// The requests that are being answered now.
#[derive(Default)]
pub(crate) struct Waits {
    counts: Mutex<HashMap<Who, u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Network(IpAddr),
    Viewer(u128),
}

impl Who {
    fn most(self) -> u32 {
        match self {
            Self::Network(_) => NETWORK_MAX,
            Self::Viewer(_) => VIEWER_MAX,
        }
    }
}

/// One of them, until it is dropped.
pub(crate) struct Waiting {
    waits: Arc<Waits>,
    who: [Option<Who>; 2],
}

impl Waits {
    /// Counts one; none where that is one too many. A viewer is known where he needs a pass.
    pub(crate) fn enter(self: &Arc<Self>, from: IpAddr, viewer: Option<u128>) -> Option<Waiting> {
        let who = [Some(Who::Network(model::network_of(from))), viewer.map(Who::Viewer)];
        let mut counts = self.lock();
        let is_too_many = |who: &Who| counts.get(who).is_some_and(|count| *count >= who.most());
        if who.iter().flatten().any(is_too_many) {
            return None;
        }
        who.iter().flatten().for_each(|who| *counts.entry(*who).or_default() += 1);
        drop(counts);
        Some(Waiting { waits: Arc::clone(self), who })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, u32>> {
        // A map of numbers is whole between any two operations, whoever panicked.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut counts = self.waits.lock();
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
        let waits = Arc::new(Waits::default());
        let here = IpAddr::from([10, 0, 0, 1]);
        let own: Vec<_> = (0..100).map_while(|_| waits.enter(here, Some(7))).collect();
        assert_eq!(own.len(), VIEWER_MAX as usize);
        let other = waits.enter(here, Some(8));
        assert!(other.is_some(), "others are not concerned");
        drop(own);
        assert!(waits.enter(here, Some(7)).is_some());
        let crowd: Vec<_> = (0..30_000).map_while(|_| waits.enter(here, None)).collect();
        assert_eq!(crowd.len(), NETWORK_MAX as usize - 1);
        assert!(waits.enter([10, 0, 0, 2].into(), None).is_some());
        drop((crowd, other));
        assert!(waits.lock().is_empty());
    }
}
