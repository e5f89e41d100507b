//! One of a subscriber's streams: what was sent of it, and what he has said of it.

use std::{sync::Arc, time::Instant};

use media::SeenNumbers;

use super::{Outgoing, agreed::StreamConfig, history::History, keyframe::KeyFrame};
use crate::{forward::Forwarded, red};

pub(super) struct Stream {
    pub(super) config: StreamConfig,
    /// He knows which m-line the SSRC, and that of retransmissions, belongs to.
    pub(super) is_known: bool,
    pub(super) is_resent_known: bool,
    pub(super) resent_seq: u64,
    /// Numbers that have been sent. One that is used twice with one key gives the key away (RFC 7714 §11.1), so of a packet
    /// that comes twice, for whatever reason, or too late to know, the second is not sent.
    pub(super) used: SeenNumbers,
    pub(super) kept: History,
    /// The latest picture that needs no other.
    pub(super) keyframe: Option<KeyFrame>,
    /// The latest timestamp, and when it was sent.
    pub(super) last: Option<(u32, Instant)>,
    pub(super) reported: Option<Instant>,
    pub(super) packets: u32,
    pub(super) bytes: u32,
    /// As he last reported it, in seconds, and when.
    pub(super) jitter: Option<(f64, Instant)>,
    /// As he last reported it: the highest number that had come, and how many had not.
    pub(super) heard: Option<(u32, i32)>,
    /// Of a voice: the packet before, and until when it is sent once more.
    pub(super) before: Option<(Forwarded, Arc<[u8]>)>,
    pub(super) doubled_until: Option<Instant>,
}

impl Stream {
    pub(super) fn new(config: StreamConfig) -> Self {
        Self {
            config,
            is_known: false,
            is_resent_known: false,
            resent_seq: 1,
            used: SeenNumbers::default(),
            kept: History::default(),
            keyframe: None,
            last: None,
            reported: None,
            packets: 0,
            bytes: 0,
            jitter: None,
            heard: None,
            before: None,
            doubled_until: None,
        }
    }

    /// It, or what is sent again of it, is one of these.
    pub(super) fn is_any_of(&self, ssrcs: &[u32]) -> bool {
        ssrcs.contains(&self.config.ssrc) || self.config.resent_ssrc.is_some_and(|ssrc| ssrcs.contains(&ssrc))
    }

    /// Writes a packet with the one before it, where it is to be sent so; as what payload type.
    pub(super) fn double(&self, packet: &Outgoing, now: Instant, out: &mut Vec<u8>) -> Option<u8> {
        self.doubled_until.filter(|until| now < *until)?;
        let agreed = self.config.payload_type(packet.media.codec)?;
        let (before, earlier) = self.before.as_ref().filter(|(before, _)| before.seq + 1 == packet.forwarded.seq)?;
        let offset = packet.forwarded.timestamp.wrapping_sub(before.timestamp);
        agreed.red.filter(|_| red::write(agreed.number, offset, earlier, &packet.media.payload, out))
    }
}
