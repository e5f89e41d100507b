//! What a publisher sends: which of his tracks it is, in which size, and what is asked of him.

use std::time::Instant;

use media::{AudioLevel, Codec, MediaPacket, TrackKind};
use str0m::{
    media::{KeyframeRequestKind, Rid},
    rtp::RtpPacket,
};

use super::Peer;
use crate::{LAYERS, Layer, egress::PayloadType, layers::Layers, picture::picture_size};

/// Sources of one publisher that are told apart: six, and what they were before. One that changes its SSRC (RFC 3550 §8)
/// with each packet makes us look again each time, and no more.
const SSRCS_MAX: usize = 32;

/// What a publisher's m-line carries.
pub(super) struct Track {
    pub(super) kind: TrackKind,
    pub(super) layers: Layers,
}

/// A packet that a publisher has sent.
pub(super) struct Published {
    pub(super) kind: TrackKind,
    pub(super) layer: Layer,
    /// Its payload type.
    pub(super) number: u8,
    pub(super) packet: MediaPacket,
    /// It tells that his layers are others than they were taken for.
    pub(super) reorders: bool,
}

impl Peer {
    /// Which of his tracks, which size of it, by which payload type, and what.
    pub(super) fn published(&mut self, packet: RtpPacket, now: Instant) -> Option<Published> {
        let (kind, layer) = self.source_of(&packet)?;
        let number = *packet.header.payload_type;
        let is_red = self.red.is_red(number);
        let is_it = |agreed: &&PayloadType| {
            if is_red { matches!(agreed.codec, Codec::Audio(_)) } else { agreed.number == number }
        };
        let agreed = *self.codecs.iter().find(is_it)?;
        let codec = agreed.codec;
        if matches!(codec, Codec::Audio(_)) != (kind == TrackKind::Audio) {
            return None;
        }
        // Who has no other payload type for it sends it again as it was (RFC 4588 §2).
        let is_repaired = agreed.resent.is_some() || (kind != TrackKind::Audio && self.nacked.contains(&number));
        if let Some(repair) = self.repair.as_mut().filter(|_| is_repaired) {
            if self.unfollowed[kind as usize][layer.index()] {
                repair.passed_by(*packet.header.ssrc);
            } else {
                repair.came(*packet.header.ssrc, *packet.seq_no, now);
            }
        }
        let level = packet.header.ext_vals.audio_level.map(|level| AudioLevel::from_minus_dbov(level.unsigned_abs()));
        let packet = MediaPacket {
            codec,
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            level,
            payload: packet.payload,
        };
        let other = self.learn(kind, layer, &packet);
        Some(Published { kind, layer: other.unwrap_or(layer), number, packet, reorders: other.is_some() })
    }

    /// Which layer a picture that tells its size is of, where that changes which of them are which.
    fn learn(&mut self, kind: TrackKind, layer: Layer, packet: &MediaPacket) -> Option<Layer> {
        // Of most publishers nothing is to be learnt: their packets aren't looked into.
        let track = self.tracks.values_mut().find(|track| track.kind == kind && track.layers.sorts())?;
        let (width, height) = picture_size(packet)?;
        let rid = track.layers.rid(layer).map(str::to_owned);
        if !track.layers.learn(layer, u32::from(width) * u32::from(height)) {
            return None;
        }
        self.sources.clear();
        Some(track.layers.layer(rid.as_deref()))
    }

    /// Browsers name track and layer (RFC 9143, RFC 8852) in the first packets only.
    fn source_of(&mut self, packet: &RtpPacket) -> Option<(TrackKind, Layer)> {
        let ssrc = packet.header.ssrc;
        if let Some(known) = self.sources.get(&ssrc) {
            return Some(*known);
        }
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let (mid, rid) = (stream.mid(), stream.rid());
        let track = self.tracks.get(&mid)?;
        let source = (track.kind, track.layers.layer(rid.as_deref()));
        // We ask for what is missing, and sooner.
        stream.suppress_nack(true);
        if self.sources.len() >= SSRCS_MAX {
            self.sources.clear();
        }
        self.sources.insert(ssrc, source);
        Some(source)
    }

    /// Of a publisher: which layers of a track somebody is sent.
    pub(crate) fn set_followed(&mut self, kind: TrackKind, followed: [bool; LAYERS]) {
        self.unfollowed[kind as usize] = followed.map(|followed| !followed);
    }

    /// True when the publisher is asked now.
    pub(crate) fn request_keyframe(&mut self, kind: TrackKind, layer: Layer, now: Instant) -> bool {
        if !self.asked.may(kind, now) {
            return false;
        }
        let Some((mid, track)) = self.tracks.iter().find(|(_, track)| track.kind == kind) else { return false };
        let (mid, rid) = (*mid, track.layers.rid(layer).map(Rid::from));
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.asked.note(kind, now);
        true
    }
}
