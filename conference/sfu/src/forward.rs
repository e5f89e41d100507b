//! One slot's stream as its receiver sees it: a single source that never restarts, whoever is in the slot. Pure, and
//! free of the WebRTC library's types.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Codec, MediaPacket};

pub use crate::picture::{Ids, picture_size, starts_keyframe};
use crate::{Layer, SourceId, picture};

/// A jump in a source's numbers, or a silence of a voice, longer than this is closed up: the receiver would take it for a great
/// loss, and beyond 32,768 could no longer decrypt (the rollover counter of RFC 3711 §3.3.1 is guessed). A picture's silence is kept as it
/// is: the first packet after it may be the second of its picture, and what is missing before it is asked for again.
const GAP_MAX: u64 = 100;
/// A voice that comes so many numbers behind the newest, or a picture's packet that is further behind than a second of the largest
/// picture, is not late: its source numbers anew (RFC 3550 §8.2), as by a new connection. Less would take what is sent again for that.
const BACK_MAX: u64 = GAP_MAX;
const BACK_MAX_PICTURE: u64 = 1_000;
/// See [`GAP_MAX`].
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Packets that are held while a key frame is waited for: where its first one was lost, or overtaken, it is sent again about a round
/// trip later, and what has come since can be shown only then. A large picture is a hundred packets.
const HELD_MAX: usize = 128;

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
    /// What to write into a payload descriptor that has them.
    pub ids: Option<Ids>,
}

/// The rewriting state of one slot.
#[derive(Debug, Default)]
pub struct Rewriter {
    source: Option<SourceId>,
    /// What is sent now; none until the first packet, or key frame, has come.
    layer: Option<Layer>,
    /// What is to be sent; none while the slot is paused.
    wanted: Option<Layer>,
    /// Added to the source's numbers.
    seq_offset: u64,
    timestamp_offset: u32,
    ids_offset: Ids,
    /// The lowest of the source's numbers that may be sent.
    first_in: u64,
    last_in: u64,
    last: Option<Last>,
    /// Of the wanted layer, while its key frame has not come: the latest, in the order they came.
    held: VecDeque<Arc<MediaPacket>>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    sent: Forwarded,
    at: Instant,
}

impl Rewriter {
    /// The slot's source is another from now on.
    pub fn assign(&mut self, source: Option<SourceId>) {
        if source != self.source {
            self.source = source;
            self.layer = None;
            self.wanted = Some(Layer::default());
            self.held = VecDeque::new();
        }
    }

    /// Another layer of the source is wanted, or none for now. What was sent goes on until the other's key frame is there.
    pub fn select(&mut self, layer: Option<Layer>) {
        if layer != self.wanted {
            self.held = VecDeque::new();
        }
        self.wanted = layer;
        if layer.is_none() {
            self.layer = None;
        }
    }

    /// The source comes by another connection from now on, whose numbers have nothing to do with those before: even where they follow them
    /// closely, or seem to be late.
    pub fn renew(&mut self) {
        self.layer = None;
        self.held = VecDeque::new();
    }

    /// It carries this layer, or is to.
    #[must_use]
    pub fn follows(&self, layer: Layer) -> bool {
        self.layer == Some(layer) || self.wanted == Some(layer)
    }

    /// It has a source, and the key frame of this layer has not come.
    #[must_use]
    pub fn waits_for_keyframe(&self) -> Option<Layer> {
        self.wanted.filter(|_| self.source.is_some() && self.layer != self.wanted)
    }

    /// Takes a packet of the source's layer; `send` gets it, if it is sent, and after it those that were waiting for it.
    pub fn take(
        &mut self,
        layer: Layer,
        packet: &Arc<MediaPacket>,
        now: Instant,
        mut send: impl FnMut(&Arc<MediaPacket>, Forwarded),
    ) {
        let forwarded = self.rewrite(layer, packet, now);
        if self.waits_for_keyframe() == Some(layer) {
            if self.held.len() == HELD_MAX {
                self.held.pop_front();
            }
            self.held.push_back(Arc::clone(packet));
        }
        let Some(forwarded) = forwarded else { return };
        send(packet, forwarded);
        if self.held.is_empty() || self.waits_for_keyframe().is_some() {
            return;
        }
        let follows = |held: &Arc<MediaPacket>| (packet.seq + 1..=packet.seq + GAP_MAX).contains(&held.seq);
        let mut held: Vec<_> = std::mem::take(&mut self.held).into_iter().filter(follows).collect();
        held.sort_by_key(|held| held.seq);
        for held in &held {
            if let Some(forwarded) = self.rewrite(layer, held, now) {
                send(held, forwarded);
            }
        }
    }

    /// How to send a packet of the source's layer, if at all.
    fn rewrite(&mut self, layer: Layer, packet: &MediaPacket, now: Instant) -> Option<Forwarded> {
        self.source?;
        let wanted = self.wanted?;
        let is_other = self.layer != Some(layer);
        if is_other && layer != wanted {
            return None;
        }
        let is_audio = matches!(packet.codec, Codec::Audio(_));
        let paused = is_audio && self.last.is_some_and(|last| now.saturating_duration_since(last.at) > PAUSE_MAX);
        let back_max = if is_audio { BACK_MAX } else { BACK_MAX_PICTURE };
        let jumped = packet.seq > self.last_in + GAP_MAX || packet.seq + back_max < self.last_in;
        if is_other || jumped {
            // What refers to pictures the receiver has not got can't be shown.
            if !starts_keyframe(packet) {
                self.layer = self.layer.filter(|_| is_other);
                return None;
            }
            self.layer = Some(layer);
        }
        let ids = picture::ids(packet);
        if is_other || paused || jumped {
            self.begin(packet, ids, now);
        } else if packet.seq < self.first_in {
            // From before the switch: its place is taken.
            return None;
        }
        let sent = Forwarded {
            seq: packet.seq.wrapping_add(self.seq_offset),
            timestamp: packet.timestamp.wrapping_add(self.timestamp_offset),
            ids: ids.map(|ids| ids.after(self.ids_offset)),
        };
        if packet.seq >= self.last_in {
            self.last_in = packet.seq;
            self.last = Some(Last { sent, at: now });
        }
        Some(sent)
    }

    fn begin(&mut self, packet: &MediaPacket, ids: Option<Ids>, now: Instant) {
        let ids = ids.unwrap_or_default();
        let (seq, timestamp, next_ids) = match self.last {
            None => (FIRST_SEQ, packet.timestamp, ids),
            Some(Last { sent, at }) => {
                let rate = f64::from(packet.codec.clock_rate());
                // As much media time as has passed, and never none: equal times would be one picture.
                let elapsed = (now.saturating_duration_since(at).as_secs_f64() * rate).round() as u32;
                // After a codec without any they begin anew: nothing that needs them has been sent since.
                let before = sent.ids.unwrap_or_default();
                let next = before.after(Ids { picture_id: 1, tl0_pic_idx: 1 });
                (sent.seq + 1, sent.timestamp.wrapping_add(elapsed.max(packet.codec.clock_rate() / 100)), next)
            }
        };
        self.seq_offset = seq.wrapping_sub(packet.seq);
        self.timestamp_offset = timestamp.wrapping_sub(packet.timestamp);
        self.ids_offset = next_ids.since(ids);
        self.first_in = packet.seq;
        self.last_in = packet.seq;
    }
}

/// The payload with other counters in its descriptor.
#[must_use]
pub fn with_ids(codec: Codec, payload: &[u8], ids: Ids) -> Arc<[u8]> {
    let mut patched: Arc<[u8]> = payload.into();
    if let Some(payload) = Arc::get_mut(&mut patched) {
        picture::write_ids(codec, payload, ids);
    }
    patched
}

#[cfg(test)]
mod tests {
    use media::{AudioCodec, VideoCodec};
    use proptest::prelude::*;

    use super::*;

    const A: SourceId = SourceId(1);
    const B: SourceId = SourceId(2);
    const Q: Layer = Layer::new(0);
    const H: Layer = Layer::new(1);

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
        assert_eq!(slot.rewrite(Q, &voice(5, 0), start), None, "nobody is in it");
        slot.assign(Some(A));
        assert_eq!(slot.rewrite(Q, &voice(70_000, 960), start).unwrap().seq, FIRST_SEQ);
        assert_eq!(slot.rewrite(Q, &voice(70_001, 1920), start).unwrap().timestamp, 1920);
        slot.assign(Some(B));
        let sent = slot.rewrite(Q, &voice(9, 50_000), start + Duration::from_millis(20)).unwrap();
        assert_eq!((sent.seq, sent.timestamp), (FIRST_SEQ + 2, 1920 + 960));
        assert_eq!(slot.rewrite(Q, &voice(8, 49_040), start), None, "from before the switch");
        // A loss on the way in stays one on the way out, to be repaired.
        assert_eq!(slot.rewrite(Q, &voice(12, 52_880), start).unwrap().seq, FIRST_SEQ + 5);
    }

    #[test]
    fn a_picture_begins_with_a_key_frame() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        assert_eq!(slot.rewrite(Q, &picture(1, 0, false, 100), now), None);
        assert_eq!(slot.waits_for_keyframe(), Some(Q));
        let first = slot.rewrite(Q, &picture(2, 3000, true, 101), now).unwrap();
        assert_eq!(first.ids, Some(Ids { picture_id: 101, tl0_pic_idx: 7 }));
        slot.assign(Some(B));
        assert_eq!(slot.rewrite(Q, &picture(500, 0, false, 9), now), None);
        let switched = slot.rewrite(Q, &picture(501, 0, true, 10), now).unwrap();
        assert_eq!(switched.seq, first.seq + 1);
        assert_eq!(switched.ids, Some(Ids { picture_id: 102, tl0_pic_idx: 8 }));
    }

    #[test]
    fn what_overtook_the_first_packet_of_a_key_frame_is_sent_behind_it() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_millis(40));
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let mut sent = Vec::new();
        let mut take = |slot: &mut Rewriter, layer, seq, key, at| {
            let picture = picture(seq, (seq / 3 * 3000) as u32, key, seq as u16);
            slot.take(layer, &Arc::new(picture), at, |packet, forwarded| sent.push((packet.seq, forwarded.seq)));
        };
        // One that came before the key frame, then all of it but its first packet, and the next picture; twice, as networks do.
        for seq in [8, 10, 12, 11, 11] {
            take(&mut slot, Q, seq, false, now);
        }
        take(&mut slot, Q, 9, true, later);
        take(&mut slot, Q, 13, false, later);
        assert_eq!(slot.held.capacity(), 0, "nothing is kept any more");
        slot.select(Some(H));
        for seq in [502, 503] {
            take(&mut slot, H, seq, false, later);
        }
        take(&mut slot, Q, 14, false, later);
        take(&mut slot, H, 501, true, later);
        let numbers = [9, 10, 11, 11, 12, 13, 14, 501, 502, 503];
        let expected = [0, 1, 2, 2, 3, 4, 5, 6, 7, 8].map(|ahead| FIRST_SEQ + ahead);
        assert_eq!(sent, numbers.into_iter().zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn of_a_source_without_a_key_frame_little_is_held_and_of_the_one_before_nothing() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        (0..1_000).for_each(|seq| slot.take(Q, &picture(seq, 0, false, 0).into(), now, |_, _| {}));
        assert_eq!(slot.held.len(), HELD_MAX);
        slot.assign(Some(B));
        slot.take(Q, &picture(900, 0, true, 0).into(), now, |packet, _| assert_eq!(packet.seq, 900));
    }

    #[test]
    fn a_layer_goes_on_until_the_key_frame_of_the_next() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let first = slot.rewrite(Q, &picture(10, 0, true, 50), now).unwrap();
        slot.select(Some(H));
        assert_eq!(slot.waits_for_keyframe(), Some(H));
        assert_eq!(slot.rewrite(H, &picture(900, 77, false, 50), now), None);
        assert_eq!(slot.rewrite(Q, &picture(11, 3000, false, 51), now).unwrap().seq, first.seq + 1);
        let later = now + Duration::from_millis(33);
        let switched = slot.rewrite(H, &picture(901, 3077, true, 51), later).unwrap();
        assert_eq!((switched.seq, switched.timestamp), (first.seq + 2, first.timestamp + 3000 + 33 * 90));
        assert_eq!(switched.ids, Some(Ids { picture_id: 52, tl0_pic_idx: 8 }));
        assert_eq!(slot.waits_for_keyframe(), None);
        assert_eq!(slot.rewrite(Q, &picture(12, 6000, true, 52), later), None, "of the layer before");
        slot.select(None);
        assert_eq!(slot.rewrite(H, &picture(902, 6077, true, 52), later), None, "paused");
        slot.select(Some(Q));
        assert_eq!(slot.rewrite(Q, &picture(40, 9000, false, 60), later), None, "what was missed in the pause");
        assert_eq!(slot.rewrite(Q, &picture(41, 12_000, true, 61), later).unwrap().seq, switched.seq + 1);
    }

    #[test]
    fn after_a_great_loss_a_picture_begins_anew() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let first = slot.rewrite(Q, &picture(10, 0, true, 50), now).unwrap();
        assert_eq!(slot.rewrite(Q, &picture(10 + GAP_MAX + 1, 90_000, false, 80), now), None);
        assert_eq!(slot.waits_for_keyframe(), Some(Q));
        let after = slot.rewrite(Q, &picture(10 + GAP_MAX + 2, 93_000, true, 81), now).unwrap();
        assert_eq!(after.seq, first.seq + 1);
    }

    #[test]
    fn a_source_that_numbers_anew_goes_on_at_once_with_a_picture_at_its_next_key_frame() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let first = slot.rewrite(Q, &voice(70_000, 5), now).unwrap();
        assert_eq!(slot.rewrite(Q, &voice(69_950, 4), now), None, "from before the first");
        let anew = slot.rewrite(Q, &voice(9, 700), now + Duration::from_millis(20)).unwrap();
        assert_eq!((anew.seq, anew.timestamp), (first.seq + 1, first.timestamp + 960));
        let next = slot.rewrite(Q, &voice(10, 1_660), now + Duration::from_millis(40)).unwrap();
        assert_eq!((next.seq, next.timestamp), (anew.seq + 1, anew.timestamp + 960));

        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        slot.rewrite(Q, &picture(8_000, 0, true, 50), now).unwrap();
        let last = slot.rewrite(Q, &picture(8_090, 3000, false, 51), now).unwrap();
        let late = slot.rewrite(Q, &picture(8_001, 0, false, 50), now).unwrap();
        assert_eq!(late.seq, last.seq - 89, "sent again");
        assert_eq!(slot.rewrite(Q, &picture(300, 0, false, 9), now), None);
        assert_eq!(slot.waits_for_keyframe(), Some(Q));
        assert_eq!(slot.rewrite(Q, &picture(301, 3000, true, 10), now).unwrap().seq, last.seq + 1);
        assert_eq!(slot.rewrite(Q, &picture(302, 6000, false, 11), now).unwrap().seq, last.seq + 2);
    }

    #[test]
    fn by_another_connection_numbers_just_below_are_no_late_ones() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let voice_before = slot.rewrite(Q, &voice(70_000, 5), now).unwrap();
        slot.renew();
        assert_eq!(slot.rewrite(Q, &voice(69_990, 5), now).unwrap().seq, voice_before.seq + 1);

        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let before = slot.rewrite(Q, &picture(8_000, 0, true, 50), now).unwrap();
        slot.renew();
        assert_eq!((slot.waits_for_keyframe(), slot.follows(Q)), (Some(Q), true));
        assert_eq!(slot.rewrite(Q, &picture(8_001, 3000, false, 51), now), None, "it refers to what was never sent");
        assert_eq!(slot.rewrite(Q, &picture(7_500, 3000, true, 9), now).unwrap().seq, before.seq + 1);
        assert_eq!(slot.rewrite(Q, &picture(7_501, 6000, false, 10), now).unwrap().seq, before.seq + 2);
    }

    #[test]
    fn another_codec_in_the_slot_goes_on_in_the_same_stream() {
        let now = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let first = slot.rewrite(Q, &picture(10, 0, true, 50), now).unwrap();
        slot.assign(Some(B));
        let h264 = |seq, payload: &[u8]| {
            let payload = payload.into();
            MediaPacket { codec: Codec::Video(VideoCodec::H264), payload, ..picture(seq, 0, true, 0) }
        };
        assert_eq!(slot.rewrite(Q, &h264(70, &[0x65, 0x88]), now), None, "a picture without its parameters");
        let switched = slot.rewrite(Q, &h264(71, &[0x67, 0x42]), now).unwrap();
        assert_eq!((switched.seq, switched.ids), (first.seq + 1, None));
        assert_eq!(slot.rewrite(Q, &h264(72, &[0x65, 0x88]), now).unwrap().seq, first.seq + 2);
    }

    #[test]
    fn what_is_lost_of_the_first_picture_after_a_silence_is_missed_and_sent_when_it_comes_again() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        let before = slot.rewrite(Q, &picture(10, 0, true, 50), start).unwrap();
        // A shared screen on which nothing has changed for three seconds; the first packet of what does is lost.
        let after = start + Duration::from_secs(3);
        let second = slot.rewrite(Q, &picture(12, 270_000, false, 51), after).unwrap();
        assert_eq!((second.seq, second.timestamp), (before.seq + 2, before.timestamp + 270_000));
        let again = slot.rewrite(Q, &picture(11, 270_000, false, 51), after + Duration::from_millis(50)).unwrap();
        assert_eq!((again.seq, again.timestamp), (before.seq + 1, second.timestamp));
        assert_eq!((again.ids, again.ids.map(|ids| ids.picture_id)), (second.ids, Some(51)));
    }

    #[test]
    fn a_long_silence_is_closed_up() {
        let start = Instant::now();
        let mut slot = Rewriter::default();
        slot.assign(Some(A));
        slot.rewrite(Q, &voice(1, 0), start);
        let after = slot.rewrite(Q, &voice(90_000, 960 * 90_000), start + Duration::from_secs(1800)).unwrap();
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
                    slot.assign(Some(SourceId(step % 3)));
                    seq = timestamp.into();
                }
                seq += step.max(1);
                if let Some(sent) = slot.rewrite(Q, &voice(seq, timestamp), now) {
                    prop_assert!(last.is_none_or(|last| sent.seq > last && sent.seq <= last + GAP_MAX), "{last:?} {sent:?}");
                    prop_assert!(last.is_some() || sent.seq < 65_536);
                    last = Some(sent.seq);
                }
            }
        }

        #[test]
        fn a_layer_is_left_and_entered_at_key_frames_alone(
            steps in prop::collection::vec((0..3usize, any::<bool>(), 0..8u8, 1..40u64), 1..400),
        ) {
            let mut now = Instant::now();
            let mut slot = Rewriter::default();
            slot.assign(Some(A));
            let mut seqs = [10_000_u64, 70_000, 3];
            let mut last: Option<(usize, Forwarded)> = None;
            for (layer, key, wish, step) in steps {
                now += Duration::from_millis(step);
                if wish < 4 {
                    slot.select((wish < 3).then(|| Layer::new(wish)));
                }
                seqs[layer] += 1;
                let packet = picture(seqs[layer], (seqs[layer] * 3000) as u32, key, seqs[layer] as u16 & 0x7fff);
                let Some(sent) = slot.rewrite(Layer::new(layer as u8), &packet, now) else { continue };
                if let Some((before, last)) = last {
                    prop_assert_eq!(sent.seq, last.seq + 1, "contiguous");
                    prop_assert!(sent.timestamp.wrapping_sub(last.timestamp) as i32 > 0, "monotone");
                    let ids = [sent, last].map(|sent| sent.ids.unwrap_or_default().picture_id);
                    prop_assert_eq!(ids[0], (ids[1] + 1) & 0x7fff);
                    prop_assert!(before == layer || key, "only at a key frame");
                } else {
                    prop_assert!(key && sent.seq < 65_536, "the rollover counter begins at zero");
                }
                last = Some((layer, sent));
            }
        }
    }
}
