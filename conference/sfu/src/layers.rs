//! Which of the layers a picture is sent in is which size. Pure.

use crate::{LAYERS, Layer};

/// The layers of one picture.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// The smallest first, and how many samples the latest picture that tells it has.
    known: Vec<(String, Option<u32>)>,
    /// What they tell counts, not how they were listed.
    sorts: bool,
}

impl Layers {
    /// Listed the smallest first, as our client protocol has it; empty where the picture is sent once.
    pub(crate) fn smallest_first(rids: Vec<String>) -> Self {
        Self { known: rids.into_iter().map(|rid| (rid, None)).collect(), sorts: false }
    }

    /// Listed the most preferred first (RFC 8853 §5.2), which is the largest until they tell their sizes.
    pub(crate) fn preferred_first(rids: Vec<String>) -> Self {
        let mut layers = Self::smallest_first(rids);
        layers.known.reverse();
        layers.sorts = true;
        layers
    }

    /// Where the name stands among them; the smallest where it doesn't.
    pub(crate) fn layer(&self, rid: Option<&str>) -> Layer {
        let at = rid.and_then(|rid| self.known.iter().position(|(known, _)| known == rid));
        Layer::new(at.unwrap_or_default().min(LAYERS - 1) as u8)
    }

    /// Its name, where it has one.
    pub(crate) fn rid(&self, layer: Layer) -> Option<&str> {
        self.known.get(layer.index()).map(|(rid, _)| rid.as_str())
    }

    /// Whether what pictures tell may change which is which.
    pub(crate) fn sorts(&self) -> bool {
        self.sorts
    }

    /// A picture of this layer has so many samples. True where that changes which layers are which.
    pub(crate) fn learn(&mut self, layer: Layer, samples: u32) -> bool {
        let Some((_, known)) = self.known.get_mut(layer.index()).filter(|_| self.sorts) else { return false };
        if known.replace(samples) == Some(samples) {
            return false;
        }
        // Those of which nothing is known stay where they are.
        let before = self.known.clone();
        let mut sorted: Vec<_> = before.iter().filter(|(_, samples)| samples.is_some()).cloned().collect();
        sorted.sort_by_key(|(_, samples)| *samples);
        let places = self.known.iter_mut().filter(|(_, samples)| samples.is_some());
        places.zip(sorted).for_each(|(place, sorted)| *place = sorted);
        self.known != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn order(layers: &Layers) -> Vec<String> {
        Layer::ALL.iter().filter_map(|layer| Some(layers.rid(*layer)?.to_owned())).collect()
    }

    // RFC 8853 §5.2
    #[test]
    fn an_encoder_lists_the_largest_first_until_its_pictures_tell() {
        let mut layers = Layers::preferred_first(named(&["0", "1", "2"]));
        assert_eq!(order(&layers), ["2", "1", "0"]);
        assert_eq!(layers.layer(Some("0")), Layer::new(2));
        // As they were taken to be.
        assert!(!layers.learn(Layer::new(2), 1_280 * 720) && !layers.learn(Layer::new(0), 426 * 240));
        // A browser whose page lists the smallest first.
        let mut layers = Layers::preferred_first(named(&["q", "h", "f"]));
        assert_eq!(order(&layers), ["f", "h", "q"]);
        assert!(!layers.learn(Layer::new(0), 1_280 * 720), "there is nothing to compare it with");
        assert!(layers.learn(Layer::new(2), 320 * 180));
        assert_eq!(order(&layers), ["q", "h", "f"]);
        assert!(!layers.learn(Layer::new(1), 640 * 360) && !layers.learn(Layer::new(1), 640 * 360));
        // One that turns smaller.
        assert!(layers.learn(Layer::new(2), 480 * 270));
        assert_eq!(order(&layers), ["q", "f", "h"]);
    }

    #[test]
    fn ours_are_what_they_were_listed_as() {
        let mut layers = Layers::smallest_first(named(&["q", "h", "f"]));
        assert!(!layers.learn(Layer::new(0), 1_280 * 720) && !layers.learn(Layer::new(2), 320 * 180));
        assert_eq!(order(&layers), ["q", "h", "f"]);
        assert_eq!((layers.layer(None), layers.layer(Some("x"))), (Layer::new(0), Layer::new(0)));
        let mut once = Layers::preferred_first(Vec::new());
        assert!(!once.learn(Layer::new(0), 1) && once.rid(Layer::new(0)).is_none());
    }
}
