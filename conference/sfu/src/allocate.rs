//! Who gets how much of a receiver's line: one layer for each slot, by what is wanted most. Pure.

use crate::{LAYERS, Layer};

/// A layer above what is sent now must fit with so much to spare, in percent: at the edge of the estimate the picture would
/// go up and down with it. More would leave lines unused.
const HEADROOM_PERCENT: u64 = 15;

/// The smallest layer of what is wanted most is sent on a line that seems to carry one part in this of it: estimates fall below
/// the truth before they come back to it, and somebody who sees nothing has not even that.
const FIRST: u64 = 2;

/// One slot's picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Want {
    /// What each layer takes, in bits per second; none for a layer that is not sent.
    pub rates: [Option<u64>; LAYERS],
    /// The smallest layer that fills the tile.
    pub enough: Layer,
    /// What is sent now.
    pub now: Option<Layer>,
}

/// What is to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocation {
    /// For each want; none where not even the smallest fits.
    pub layers: Vec<Option<Layer>>,
    /// Bits per second of all that is sent.
    pub sum: u64,
    /// Bits per second at which the next better layer could be sent; the sum where all is as good as it is wanted.
    pub next: u64,
}

impl Want {
    fn rate(&self, layer: Layer) -> Option<u64> {
        self.rates[layer.index()]
    }

    /// What its smallest layer takes, in bits per second; none where none is sent.
    #[must_use]
    pub fn smallest(&self) -> Option<u64> {
        self.steps().first().and_then(|layer| self.rate(*layer))
    }

    /// Layers that are sent and wanted, the smallest first. Where all that is sent is more than enough, the smallest.
    fn steps(&self) -> Vec<Layer> {
        let sent = || Layer::ALL.into_iter().filter(|layer| self.rate(*layer).is_some());
        let enough: Vec<_> = sent().filter(|layer| *layer <= self.enough).collect();
        if enough.is_empty() { sent().take(1).collect() } else { enough }
    }

    /// What must be free for it.
    fn cost(&self, layer: Layer) -> u64 {
        let rate = self.rate(layer).unwrap_or_default();
        if self.now.is_some_and(|now| layer <= now) { rate } else { rate + rate * HEADROOM_PERCENT / 100 }
    }
}

/// Gives every want, most wanted first, its smallest layer, and then what is left to the better ones in the same order.
/// Without a `budget` (bits per second) all that is wanted is given.
#[must_use]
pub fn allocate(budget: Option<u64>, wants: &[Want]) -> Allocation {
    let steps: Vec<_> = wants.iter().map(Want::steps).collect();
    let mut left = budget.unwrap_or(u64::MAX);
    let mut layers: Vec<Option<Layer>> = vec![None; wants.len()];
    let first = steps.iter().position(|steps| !steps.is_empty());
    for (index, want) in wants.iter().enumerate() {
        let room = if first == Some(index) { left.saturating_mul(FIRST) } else { left };
        let Some(smallest) = steps[index].first().copied().filter(|layer| want.cost(*layer) <= room) else { continue };
        left = left.saturating_sub(want.rate(smallest).unwrap_or_default());
        layers[index] = Some(smallest);
    }
    for (index, want) in wants.iter().enumerate() {
        let Some(smallest) = layers[index] else { continue };
        let given = want.rate(smallest).unwrap_or_default();
        let best = steps[index].iter().rev().find(|layer| want.cost(**layer) <= left.saturating_add(given));
        if let Some(best) = best.copied().filter(|best| *best > smallest) {
            left = (left + given).saturating_sub(want.rate(best).unwrap_or_default());
            layers[index] = Some(best);
        }
    }
    let rate = |want: &Want, layer: Option<Layer>| layer.and_then(|layer| want.rate(layer)).unwrap_or_default();
    let sum = wants.iter().zip(&layers).map(|(want, layer)| rate(want, *layer)).sum();
    let better = wants.iter().zip(&layers).zip(&steps).find_map(|((want, layer), steps)| {
        let next = steps.iter().find(|step| layer.is_none_or(|layer| **step > layer))?;
        Some(sum - rate(want, *layer) + want.cost(*next))
    });
    Allocation { layers, sum, next: better.unwrap_or(sum) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const Q: Layer = Layer::new(0);
    const H: Layer = Layer::new(1);
    const F: Layer = Layer::new(2);

    fn camera(enough: Layer) -> Want {
        Want { rates: [Some(150), Some(500), Some(1_500)], enough, now: None }
    }

    #[test]
    fn everyone_is_seen_before_anyone_is_sharp() {
        let screen = Want { rates: [Some(1_000), None, None], enough: F, now: None };
        let wants = [screen, camera(F), camera(Q), camera(Q)];
        let check = |budget, expected: [Option<Layer>; 4]| {
            assert_eq!(allocate(budget, &wants).layers, expected, "{budget:?}");
        };
        check(None, [Some(Q), Some(F), Some(Q), Some(Q)]);
        check(Some(10_000), [Some(Q), Some(F), Some(Q), Some(Q)]);
        check(Some(2_000), [Some(Q), Some(H), Some(Q), Some(Q)]);
        check(Some(1_700), [Some(Q), Some(Q), Some(Q), Some(Q)]);
        check(Some(1_350), [Some(Q), Some(Q), Some(Q), None]);
        check(Some(900), [Some(Q), None, None, None]);
        check(Some(500), [None, Some(Q), Some(Q), Some(Q)]);
        check(Some(100), [None, None, None, None]);
    }

    #[test]
    fn a_screen_goes_before_every_camera() {
        let screen = Want { rates: [Some(200), Some(2_000), None], enough: F, now: None };
        let wants = [screen, camera(F), camera(Q)];
        let check = |budget, expected: [Option<Layer>; 3]| {
            assert_eq!(allocate(Some(budget), &wants).layers, expected, "{budget}");
        };
        check(120, [Some(Q), None, None]);
        check(350, [Some(Q), None, None]);
        check(500, [Some(Q), Some(Q), None]);
        check(1_000, [Some(Q), Some(H), Some(Q)]);
        check(2_700, [Some(H), Some(Q), Some(Q)]);
    }

    #[test]
    fn what_is_sent_needs_nothing_to_spare() {
        let sent = Want { now: Some(H), ..camera(F) };
        assert_eq!(allocate(Some(510), &[sent]).layers, [Some(H)]);
        assert_eq!(allocate(Some(510), &[camera(F)]).layers, [Some(Q)]);
        assert_eq!(allocate(Some(490), &[sent]).layers, [Some(Q)]);
    }

    #[test]
    fn it_says_what_the_next_step_takes() {
        let given = allocate(Some(700), &[camera(F), camera(Q)]);
        assert_eq!(given.layers, [Some(Q), Some(Q)]);
        assert_eq!((given.sum, given.next), (300, 150 + 575));
        let all = allocate(None, &[camera(H)]);
        assert_eq!((all.sum, all.next), (500, 500));
        let large = Want { rates: [None, None, Some(1_500)], enough: Q, now: None };
        assert_eq!(allocate(None, &[large]).layers, [Some(F)], "there is no smaller one");
        assert_eq!(allocate(None, &[Want::default()]).layers, [None], "nothing is sent");
        let given = allocate(Some(100), &[Want::default(), camera(F), camera(F)]);
        assert_eq!(given.layers, [None, Some(Q), None], "the first that is sent");
    }

    proptest! {
        #[test]
        fn the_budget_is_kept(
            budget in 0..10_000_u64,
            wants in prop::collection::vec((prop::array::uniform3(prop::option::of(1..3_000_u64)), 0..3u8), 0..12),
        ) {
            let wants: Vec<_> = wants
                .into_iter()
                .map(|(rates, enough)| Want { rates, enough: Layer::new(enough), now: None })
                .collect();
            let given = allocate(Some(budget), &wants);
            let first = wants.iter().position(|want| !want.steps().is_empty());
            let first = first.and_then(|index| wants[index].rate(given.layers[index]?));
            prop_assert!(given.sum <= budget || Some(given.sum) == first && given.sum <= FIRST * budget);
            for (want, layer) in wants.iter().zip(&given.layers) {
                prop_assert!(layer.is_none_or(|layer| want.rates[layer.index()].is_some()));
            }
        }
    }
}
