//! When a publisher was asked for key frames. Pure.

use std::{collections::HashMap, time::Instant};

use media::TrackKind;

use crate::KEYFRAME_INTERVAL;

/// All layers of a track count together: browsers make a key frame of each, whichever is asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    tracks: HashMap<TrackKind, Instant>,
}

impl Asked {
    /// True where it may be asked for now.
    pub(crate) fn may(&self, kind: TrackKind, now: Instant) -> bool {
        let asked = self.tracks.get(&kind);
        asked.is_none_or(|at| now.saturating_duration_since(*at) >= KEYFRAME_INTERVAL)
    }

    pub(crate) fn note(&mut self, kind: TrackKind, now: Instant) {
        self.tracks.insert(kind, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_a_second_of_a_track_in_however_many_layers() {
        let (start, mut asked) = (Instant::now(), Asked::default());
        let mut times = Vec::new();
        for ms in 0..2_000 {
            let now = start + Duration::from_millis(ms);
            if asked.may(TrackKind::Camera, now) {
                asked.note(TrackKind::Camera, now);
                times.push(ms);
            }
        }
        assert_eq!(times, [0, 500, 1_000, 1_500]);
        let now = start + Duration::from_millis(1_600);
        assert!(asked.may(TrackKind::Screen, now), "another track is another's");
    }
}
