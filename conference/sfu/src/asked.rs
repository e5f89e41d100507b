//! When a publisher was asked for key frames. Pure.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use media::TrackKind;

use crate::{KEYFRAME_INTERVAL, Layer};

/// Of a track, all its layers together, no more than two are asked for within this.
const TWO_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Asked {
    layers: HashMap<(TrackKind, Layer), Instant>,
    /// The last, and the one before it.
    tracks: HashMap<TrackKind, (Instant, Option<Instant>)>,
}

impl Asked {
    /// True where it may be asked for now.
    pub(crate) fn may(&self, kind: TrackKind, layer: Layer, now: Instant) -> bool {
        let within = |at: &Instant, time| now.saturating_duration_since(*at) < time;
        let before_last = self.tracks.get(&kind).and_then(|(_, before)| *before);
        !self.layers.get(&(kind, layer)).is_some_and(|at| within(at, KEYFRAME_INTERVAL))
            && !before_last.is_some_and(|at| within(&at, TWO_WITHIN))
    }

    pub(crate) fn note(&mut self, kind: TrackKind, layer: Layer, now: Instant) {
        self.layers.insert((kind, layer), now);
        let last = self.tracks.get(&kind).map(|(last, _)| *last);
        self.tracks.insert(kind, (now, last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_a_second_of_a_track_in_however_many_layers() {
        let (start, mut asked) = (Instant::now(), Asked::default());
        let mut times = Vec::new();
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            for layer in Layer::ALL {
                if asked.may(TrackKind::Camera, layer, now) {
                    asked.note(TrackKind::Camera, layer, now);
                    times.push(ms);
                }
            }
        }
        assert_eq!(times[..4], [0, 0, 1_000, 1_000]);
        assert!(times.windows(3).all(|three| three[2] - three[0] >= 1_000), "{times:?}");
        let now = start + Duration::from_secs(10);
        assert!(asked.may(TrackKind::Screen, Layer::default(), now), "another track is another's");
        asked.note(TrackKind::Screen, Layer::default(), now);
        assert!(!asked.may(TrackKind::Screen, Layer::default(), now + KEYFRAME_INTERVAL / 2));
        assert!(asked.may(TrackKind::Screen, Layer::default(), now + KEYFRAME_INTERVAL));
    }
}
