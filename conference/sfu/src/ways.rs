//! By which addresses peers come. Pure.

use std::collections::{HashMap, VecDeque};

use crate::{PeerKey, Remote};

/// Addresses remembered of one peer: of each of his networks one, and what a relay lends him. Who tries ever more of them has only the
/// last.
const OF_ONE_MAX: usize = 16;

#[derive(Default)]
pub(crate) struct Ways {
    peers: HashMap<Remote, PeerKey>,
    /// Of each peer, the one that was proved last at the end.
    addresses: HashMap<PeerKey, VecDeque<Remote>>,
}

impl Ways {
    pub(crate) fn peer_at(&self, address: Remote) -> Option<PeerKey> {
        self.peers.get(&address).copied()
    }

    /// He has proved that he is there.
    pub(crate) fn note(&mut self, address: Remote, key: PeerKey) {
        if let Some(earlier) = self.peers.insert(address, key)
            && let Some(addresses) = self.addresses.get_mut(&earlier)
        {
            addresses.retain(|one| *one != address);
        }
        let addresses = self.addresses.entry(key).or_default();
        addresses.push_back(address);
        if addresses.len() > OF_ONE_MAX
            && let Some(oldest) = addresses.pop_front()
        {
            self.peers.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self, key: PeerKey) {
        for address in self.addresses.remove(&key).unwrap_or_default() {
            self.peers.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn at(port: u16) -> Remote {
        SocketAddr::from(([10, 0, 0, 1], port)).into()
    }

    // reliability: A5
    #[test]
    fn who_comes_by_ever_more_addresses_is_known_by_the_last() {
        let (mut ways, one, other) = (Ways::default(), PeerKey(1), PeerKey(2));
        ways.note(at(1), one);
        ways.note(at(2), other);
        for port in 10..10_000 {
            ways.note(at(port), one);
            // What he goes on using stays.
            ways.note(at(1), one);
        }
        assert_eq!((ways.peer_at(at(1)), ways.peer_at(at(9_999)), ways.peer_at(at(10))), (Some(one), Some(one), None));
        assert_eq!((ways.peers.len(), ways.peer_at(at(2))), (OF_ONE_MAX + 1, Some(other)));
        // Behind one NAT the other may be given it.
        ways.note(at(1), other);
        ways.forget(one);
        assert_eq!((ways.peer_at(at(1)), ways.peers.len()), (Some(other), 2));
        ways.forget(other);
        assert!(ways.peers.is_empty() && ways.addresses.is_empty());
    }
}
