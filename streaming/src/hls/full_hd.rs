//! The largest picture may end while the broadcast goes on: the machine has no time for it any more. Players that have it
//! are not to notice more than that it is less sharp, so its rendition goes on with the pictures of the next lower one
//! from a key frame on, behind another EXT-X-MAP.

use std::time::Duration;

use crate::wire::{AccessUnit, Track};

/// So far behind the other picture it has ended. Less is a moment's burden, more is a stall at the player.
const LATE_MAX: Duration = Duration::from_millis(800);

/// How far the largest picture is.
#[derive(Debug, Default)]
pub(super) struct FullHd {
    /// It has ended, and copies go on.
    pub(super) is_copied: bool,
    /// Its newest picture of this run; where none has come, the first of the other one.
    newest: Option<Duration>,
    /// The other picture's units since its last key frame: one of them comes after the last own one.
    since_keyframe: Vec<AccessUnit>,
}

impl FullHd {
    /// What is to be copied when this unit comes.
    pub(super) fn copies(&mut self, unit: &AccessUnit) -> Vec<AccessUnit> {
        match unit.track {
            Track::FullHd => self.newest = Some(unit.pts),
            Track::Video if self.is_copied => return vec![copy(unit)],
            Track::Video => {
                if unit.keyframe {
                    self.since_keyframe.clear();
                }
                self.since_keyframe.push(copy(unit));
                let newest = *self.newest.get_or_insert(unit.pts);
                let begins_after =
                    self.since_keyframe.first().is_some_and(|first| first.keyframe && first.pts > newest);
                if begins_after && unit.pts.saturating_sub(newest) >= LATE_MAX {
                    self.is_copied = true;
                    return std::mem::take(&mut self.since_keyframe);
                }
            }
            Track::Audio | Track::Low => {}
        }
        Vec::new()
    }

    pub(super) fn end_run(&mut self) {
        self.newest = None;
        self.since_keyframe.clear();
    }
}

fn copy(unit: &AccessUnit) -> AccessUnit {
    AccessUnit { track: Track::FullHd, ..unit.clone() }
}
