//! Media that comes into a meeting by no connection of its own but from elsewhere in the server: what an encoder sends by RTMP.

use std::{sync::Arc, time::Instant};

use media::{MediaPacket, TrackKind};
use model::ParticipantId;
use sfu::{KEYFRAME_INTERVAL, Layer};
use tokio::sync::Notify;

use crate::{PlaneError, room::Room};

/// Whoever brings somebody's media.
pub(crate) struct Bringer {
    keyframe_wanted: Arc<Notify>,
    asked: Option<Instant>,
}

impl Bringer {
    /// True when he is asked now.
    pub(crate) fn request_keyframe(&mut self, now: Instant) -> bool {
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < KEYFRAME_INTERVAL) {
            return false;
        }
        self.asked = Some(now);
        self.keyframe_wanted.notify_one();
        true
    }
}

impl Room {
    /// From now on his media is brought.
    pub(crate) fn begin_bringing(
        &mut self,
        participant: ParticipantId,
        keyframe_wanted: Arc<Notify>,
    ) -> Result<(), PlaneError> {
        let member = self.member(participant);
        member.bringer = Some(Bringer { keyframe_wanted, asked: None });
        self.hear(participant)
    }

    pub(crate) fn bring(&mut self, participant: ParticipantId, packets: Vec<(TrackKind, MediaPacket)>, now: Instant) {
        for (kind, packet) in packets {
            self.media(participant, (kind, Layer::default()), packet.into(), now);
        }
    }
}
