//! How much a livestream's viewers may do: each, each network, and all of them.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use model::{BroadcastId, Pace, Paces, ViewerAction};

/// What is read one by one: messages and questions. The last pace is what a meeting's people and the viewers themselves can still read.
const WORDS: [Pace; 3] = [
    Pace { at_once: 3.0, per_second: 0.5 },
    Pace { at_once: 20.0, per_second: 2.0 },
    Pace { at_once: 30.0, per_second: 5.0 },
];

/// What is summed: votes, reactions, hands. A whole hall behind one address votes within a minute; of one viewer more than his finger
/// does means nothing; all together are what a meeting's task does beside its own people's wishes.
const SIGNS: [Pace; 3] = [
    Pace { at_once: 10.0, per_second: 1.0 },
    Pace { at_once: 200.0, per_second: 20.0 },
    Pace { at_once: 1_000.0, per_second: 200.0 },
];

/// What has been done of late.
pub(crate) struct ViewerPaces {
    words: Ledger,
    signs: Ledger,
}

impl Default for ViewerPaces {
    fn default() -> Self {
        Self { words: Ledger::new(WORDS), signs: Ledger::new(SIGNS) }
    }
}

impl ViewerPaces {
    /// Counts what a viewer does, unless it is one too many: then nothing is counted, so that trying doesn't prolong it.
    ///
    /// # Errors
    /// How long it is too much.
    pub(crate) fn take(
        &mut self,
        action: &ViewerAction,
        livestream: BroadcastId,
        viewer: u128,
        network: IpAddr,
        now: Instant,
    ) -> Result<(), Duration> {
        let ledger = match action {
            ViewerAction::Say { .. } | ViewerAction::Ask { .. } => &mut self.words,
            ViewerAction::VoteFor { .. }
            | ViewerAction::Vote { .. }
            | ViewerAction::React { .. }
            | ViewerAction::RaiseHand { .. }
            | ViewerAction::LowerHand => &mut self.signs,
        };
        ledger.take(livestream, viewer, network, now)
    }
}

struct Ledger {
    viewers: Paces<(BroadcastId, u128)>,
    networks: Paces<IpAddr>,
    livestreams: Paces<BroadcastId>,
}

impl Ledger {
    fn new([viewer, network, livestream]: [Pace; 3]) -> Self {
        Self { viewers: Paces::new(viewer), networks: Paces::new(network), livestreams: Paces::new(livestream) }
    }

    fn take(&mut self, livestream: BroadcastId, viewer: u128, network: IpAddr, now: Instant) -> Result<(), Duration> {
        let viewer = (livestream, viewer);
        let of_all = self.networks.wait(&network, now).max(self.livestreams.wait(&livestream, now));
        let wait = self.viewers.wait(&viewer, now).max(of_all);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.viewers.take(viewer, now)?;
        self.networks.take(network, now)?;
        self.livestreams.take(livestream, now)
    }
}

#[cfg(test)]
mod tests {
    use model::Reaction;

    use super::*;

    const LIVESTREAM: BroadcastId = BroadcastId::from_u128(1);

    fn network(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    // product: B4
    #[test]
    fn nobody_writes_all_the_time_and_no_crowd_does() {
        let (mut paces, start) = (ViewerPaces::default(), Instant::now());
        let say = ViewerAction::Say { name: "a".to_owned(), text: "b".to_owned() };
        let ask = ViewerAction::Ask { name: "a".to_owned(), text: "b".to_owned() };
        for action in [&say, &say, &ask] {
            paces.take(action, LIVESTREAM, 1, network(1), start).unwrap();
        }
        let two = Duration::from_secs(2);
        assert_eq!(paces.take(&say, LIVESTREAM, 1, network(1), start), Err(two));
        let clap = ViewerAction::React { reaction: Reaction::Clap };
        paces.take(&clap, LIVESTREAM, 1, network(1), start).unwrap();
        paces.take(&say, LIVESTREAM, 1, network(1), start + two).unwrap();
        // One network with ever new viewers; and many networks.
        let mut paces = ViewerPaces::default();
        let mut taken = |action, viewer, of| paces.take(action, LIVESTREAM, viewer, network(of), start).is_ok();
        assert_eq!((0..100).filter(|viewer| taken(&say, *viewer, 1)).count(), 20);
        assert_eq!((0..250).filter(|n| taken(&say, 1_000 + u128::from(*n), *n)).count(), 10);
        assert_eq!((0..500).filter(|viewer| taken(&clap, *viewer, 1)).count(), 200, "a hall votes");
    }
}
