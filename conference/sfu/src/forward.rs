//! One slot's stream as its receiver sees it: a single source that never restarts, whoever is in the slot. Pure, and
//! free of the WebRTC library's types.

use std::time::{Duration, Instant};

use media::{Codec, MediaPacket, VideoCodec};

use crate::SourceId;

/// A jump in a source's numbers, or a silence, longer than this is closed up: the receiver would take it for a great
/// loss, and beyond 32,768 could no longer decrypt (the rollover counter of RFC 3711 §3.3.1 is guessed).
const GAP_MAX: u64 = 100;
/// See [`GAP_MAX`].
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Streams begin here: below 65,536, so that the rollover counter starts at zero, and above zero, so that a packet from
/// before the first can be told.
const FIRST_SEQ: u64 = 1_000;

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarded {
    /// Extended.
    pub seq: u64,
    /// In the codec's clock.
    pub timestamp: u32,
    /// What to write into a VP8 payload descriptor that has them.
    pub vp8: Option<Vp8Ids>,
}

/// The counters of a VP8 payload descriptor (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vp8Ids {
    /// 15 bits.
    pub picture_id: u16,
    /// Of the base temporal layer's picture.
    pub tl0_pic_idx: u8,
}

/// The rewriting state of one slot.
#[derive(Debug, Default)]
pub struct Rewriter {
    source: Option<SourceId>,
    /// The next packet of the source begins anew where the last one sent ended.
    rebase: bool,
    waits_for_keyframe: bool,
    /// Added to the source's numbers.
    seq_offset: u64,
    timestamp_offset: u32,
    ids_offset: Vp8Ids,
    /// The lowest of the source's numbers that may be sent.
    first_in: u64,
    last_in: u64,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    sent: Forwarded,
    at: Instant,
}

impl Rewriter {
    /// The slot's source is another from now on.
    pub fn assign(&mut self, source: Option<SourceId>, is_video: bool) {
        if source != self.source {
            self.source = source;
            self.rebase = true;
            self.waits_for_keyframe = is_video;
        }
    }

    /// It has a source whose key frame has not come.
    #[must_use]
    pub fn waits_for_keyframe(&self) -> bool {
        self.source.is_some() && self.waits_for_keyframe
    }

    /// How to send a packet of the source, if at all.
    pub fn rewrite(&mut self, packet: &MediaPacket, now: Instant) -> Option<Forwarded> {
        self.source?;
        let ids = vp8_ids(packet);
        if self.waits_for_keyframe {
            if !starts_keyframe(packet) {
                return None;
            }
            self.waits_for_keyframe = false;
        }
        let paused = self.last.is_some_and(|last| now.saturating_duration_since(last.at) > PAUSE_MAX);
        let jumped = packet.seq > self.last_in + GAP_MAX;
        if self.rebase || paused || jumped {
            self.begin(packet, ids, now);
        } else if packet.seq < self.first_in {
            // From before the switch: its place is taken.
            return None;
        }
        let sent = Forwarded {
            seq: packet.seq.wrapping_add(self.seq_offset),
            timestamp: packet.timestamp.wrapping_add(self.timestamp_offset),
            vp8: ids.map(|ids| Vp8Ids {
                picture_id: ids.picture_id.wrapping_add(self.ids_offset.picture_id) & 0x7fff,
                tl0_pic_idx: ids.tl0_pic_idx.wrapping_add(self.ids_offset.tl0_pic_idx),
            }),
        };
        if packet.seq >= self.last_in {
            self.last_in = packet.seq;
            self.last = Some(Last { sent, at: now });
        }
        Some(sent)
    }

    fn begin(&mut self, packet: &MediaPacket, ids: Option<Vp8Ids>, now: Instant) {
        let ids = ids.unwrap_or_default();
        let (seq, timestamp, next_ids) = match self.last {
            None => (FIRST_SEQ, packet.timestamp, ids),
            Some(Last { sent, at }) => {
                let rate = f64::from(packet.codec.clock_rate());
                // As much media time as has passed, and never none: equal times would be one picture.
                let elapsed = (now.saturating_duration_since(at).as_secs_f64() * rate) as u32;
                let before = sent.vp8.unwrap_or_default();
                let next = Vp8Ids {
                    picture_id: before.picture_id.wrapping_add(1) & 0x7fff,
                    tl0_pic_idx: before.tl0_pic_idx.wrapping_add(1),
                };
                (sent.seq + 1, sent.timestamp.wrapping_add(elapsed.max(packet.codec.clock_rate() / 100)), next)
            }
        };
        self.seq_offset = seq.wrapping_sub(packet.seq);
        self.timestamp_offset = timestamp.wrapping_sub(packet.timestamp);
        self.ids_offset = Vp8Ids {
            picture_id: next_ids.picture_id.wrapping_sub(ids.picture_id) & 0x7fff,
            tl0_pic_idx: next_ids.tl0_pic_idx.wrapping_sub(ids.tl0_pic_idx),
        };
        self.first_in = packet.seq;
        self.last_in = packet.seq;
        self.rebase = false;
    }
}

/// The packet begins a picture that needs no other.
#[must_use]
pub fn starts_keyframe(packet: &MediaPacket) -> bool {
    match packet.codec {
        Codec::Audio(_) => true,
        Codec::Video(VideoCodec::Vp8) => {
            let start = vp8_payload(&packet.payload).and_then(|(descriptor, frame)| {
                // The first partition's first packet, and P = 0 in the frame header (RFC 7741 §4.2, §4.3).
                Some(descriptor & 0x17 == 0x10 && frame.first()? & 1 == 0)
            });
            start.unwrap_or(false)
        }
        // Only VP8 is negotiated.
        Codec::Video(_) => false,
    }
}

/// ```text
///  0 1 2 3 4 5 6 7
/// |X|R|N|S|R| PID |  required
/// |I|L|T|K| RSV   |  when X
/// |M| PictureID   |  when I; two bytes when M
/// |   TL0PICIDX   |  when L
/// |TID|Y| KEYIDX  |  when T or K
/// ```
fn vp8_payload(payload: &[u8]) -> Option<(u8, &[u8])> {
    let (first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (extended, after) = rest.split_first()?;
        rest = after;
        if extended & 0x80 != 0 {
            let long = rest.first()? & 0x80 != 0;
            rest = rest.get(if long { 2 } else { 1 }..)?;
        }
        let more = usize::from(extended & 0x40 != 0) + usize::from(extended & 0x30 != 0);
        rest = rest.get(more..)?;
    }
    Some((*first, rest))
}

fn vp8_ids(packet: &MediaPacket) -> Option<Vp8Ids> {
    if packet.codec != Codec::Video(VideoCodec::Vp8) || packet.payload.first()? & 0x80 == 0 {
        return None;
    }
    let extended = *packet.payload.get(1)?;
    let mut at = 2;
    let mut ids = Vp8Ids::default();
    if extended & 0x80 != 0 {
        let first = *packet.payload.get(at)?;
        at += 1;
        ids.picture_id = u16::from(first & 0x7f);
        if first & 0x80 != 0 {
            ids.picture_id = ids.picture_id << 8 | u16::from(*packet.payload.get(at)?);
            at += 1;
        }
    }
    if extended & 0x40 != 0 {
        ids.tl0_pic_idx = *packet.payload.get(at)?;
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use media::AudioCodec;
    use proptest::prelude::*;

    use super::*;

    const A: SourceId = SourceId(1);
    const B: SourceId = SourceId(2);

    fn voice(seq: u64, timestamp: u32) -> MediaPacket {
        let codec = Codec::Audio(AudioCodec::Opus);
        MediaPacket { codec, seq, timestamp, marker: false, level: None, payload: [0; 10].into() }
    }

    fn picture(seq: u64, timestamp: u32, key: bool, picture_id: u16) -> MediaPacket {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        let payload = [0x90, 0xe0, high, low, 7, 0x20, u8::from(!key)].into();
        MediaPacket { codec: Codec::Video(VideoCodec::Vp8), seq, timestamp, marker: true, level: None, payload }
    }

    #[test]
    fn a_slot_is_one_stream_whoever_is_in_it() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        assert_eq!(slot.rewrite(&voice(5, 0), start), None, "nobody is in it");
        slot.assign(Some(A), false);
        assert_eq!(slot.rewrite(&voice(70_000, 960), start).unwrap().seq, FIRST_SEQ);
        assert_eq!(slot.rewrite(&voice(70_001, 1920), start).unwrap().timestamp, 1920);
        slot.assign(Some(B), false);
        let sent = slot.rewrite(&voice(9, 50_000), start + Duration::from_millis(20)).unwrap();
        assert_eq!((sent.seq, sent.timestamp), (FIRST_SEQ + 2, 1920 + 960));
        assert_eq!(slot.rewrite(&voice(8, 49_040), start), None, "from before the switch");
        // A loss on the way in stays one on the way out, to be repaired.
        assert_eq!(slot.rewrite(&voice(12, 52_880), start).unwrap().seq, FIRST_SEQ + 5);
    }

    #[test]
    fn a_picture_begins_with_a_key_frame() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A), true);
        assert_eq!(slot.rewrite(&picture(1, 0, false, 100), now), None);
        assert!(slot.waits_for_keyframe());
        let first = slot.rewrite(&picture(2, 3000, true, 101), now).unwrap();
        assert_eq!(first.vp8, Some(Vp8Ids { picture_id: 101, tl0_pic_idx: 7 }));
        slot.assign(Some(B), true);
        assert_eq!(slot.rewrite(&picture(500, 0, false, 9), now), None);
        let switched = slot.rewrite(&picture(501, 0, true, 10), now).unwrap();
        assert_eq!(switched.seq, first.seq + 1);
        assert_eq!(switched.vp8, Some(Vp8Ids { picture_id: 102, tl0_pic_idx: 8 }));
    }

    #[test]
    fn a_long_silence_is_closed_up() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A), false);
        slot.rewrite(&voice(1, 0), start);
        let after = slot.rewrite(&voice(90_000, 960 * 90_000), start + Duration::from_secs(1800)).unwrap();
        assert_eq!(after.seq, FIRST_SEQ + 1);
        assert_eq!(after.timestamp, 48_000 * 1800);
    }

    proptest! {
        #[test]
        fn numbers_never_repeat_or_leap(steps in prop::collection::vec((0..3u8, 0..200u64, any::<u32>()), 1..300)) {
            let mut now = Instant::now();
            let mut slot = Rewriter::default();
            let mut seq = 70_000;
            let mut last: Option<u64> = None;
            for (kind, step, timestamp) in steps {
                now += Duration::from_millis(step * 20);
                if kind == 0 {
                    slot.assign(Some(SourceId(step % 3)), false);
                    seq = timestamp.into();
                }
                seq += step.max(1);
                if let Some(sent) = slot.rewrite(&voice(seq, timestamp), now) {
                    prop_assert!(last.is_none_or(|last| sent.seq > last && sent.seq <= last + GAP_MAX), "{last:?} {sent:?}");
                    prop_assert!(last.is_some() || sent.seq < 65_536);
                    last = Some(sent.seq);
                }
            }
        }

        #[test]
        fn any_payload_is_read(payload in prop::collection::vec(any::<u8>(), 0..20)) {
            let mut packet = picture(1, 0, true, 1);
            packet.payload = payload.into();
            let _ = starts_keyframe(&packet);
            vp8_ids(&packet);
        }
    }
}
