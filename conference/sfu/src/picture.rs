//! What a packet of a picture says of itself, in each codec's own words: whether a picture that needs no other begins
//! with it, how large that is (`size`), and the counters that a stream of several sources must keep going. Pure.

mod size;

use media::{Codec, MediaPacket, VideoCodec};

pub use size::picture_size;

/// The counters of a VP8 or VP9 payload descriptor (RFC 7741 §4.2, RFC 9628 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ids {
    /// 15 bits.
    pub picture_id: u16,
    /// Of the base temporal layer's picture.
    pub tl0_pic_idx: u8,
}

impl Ids {
    /// How far these are after others.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            picture_id: self.picture_id.wrapping_sub(before.picture_id) & 0x7fff,
            tl0_pic_idx: self.tl0_pic_idx.wrapping_sub(before.tl0_pic_idx),
        }
    }

    /// Those that are so far after these.
    #[must_use]
    pub fn after(self, offset: Self) -> Self {
        Self {
            picture_id: self.picture_id.wrapping_add(offset.picture_id) & 0x7fff,
            tl0_pic_idx: self.tl0_pic_idx.wrapping_add(offset.tl0_pic_idx),
        }
    }
}

/// Where a descriptor has its counters.
#[derive(Debug, Clone, Copy, Default)]
struct Places {
    /// Of the picture id, and whether it has 15 bits.
    picture_id: Option<(usize, bool)>,
    tl0_pic_idx: Option<usize>,
    /// Of what follows the descriptor, as far as it is read here.
    end: usize,
}

/// The packet begins a picture that needs no other.
#[must_use]
pub fn starts_keyframe(packet: &MediaPacket) -> bool {
    let starts = match packet.codec {
        Codec::Audio(_) => Some(true),
        Codec::Video(VideoCodec::Vp8) => vp8_starts(&packet.payload),
        Codec::Video(VideoCodec::Vp9) => vp9_starts(&packet.payload),
        Codec::Video(VideoCodec::H264) => h264_starts(&packet.payload),
        Codec::Video(VideoCodec::Av1) => av1_starts(&packet.payload),
    };
    starts.unwrap_or(false)
}

/// The counters in a packet, where its codec has any.
#[must_use]
pub(crate) fn ids(packet: &MediaPacket) -> Option<Ids> {
    let places = places(packet.codec, &packet.payload)?;
    if places.picture_id.is_none() && places.tl0_pic_idx.is_none() {
        return None;
    }
    let byte = |at: usize| packet.payload.get(at).copied();
    let picture_id = match places.picture_id {
        None => 0,
        Some((at, false)) => u16::from(byte(at)? & 0x7f),
        Some((at, true)) => u16::from_be_bytes([byte(at)? & 0x7f, byte(at + 1)?]),
    };
    let tl0_pic_idx = match places.tl0_pic_idx {
        None => 0,
        Some(at) => byte(at)?,
    };
    Some(Ids { picture_id, tl0_pic_idx })
}

/// Writes the counters into the descriptor, where it has them.
pub(crate) fn write_ids(codec: Codec, payload: &mut [u8], ids: Ids) {
    let Some(places) = places(codec, payload) else { return };
    let [high, low] = ids.picture_id.to_be_bytes();
    match places.picture_id {
        None => {}
        Some((at, false)) => payload[at] = low & 0x7f,
        Some((at, true)) => payload[at..at + 2].copy_from_slice(&[high | 0x80, low]),
    }
    if let Some(at) = places.tl0_pic_idx {
        payload[at] = ids.tl0_pic_idx;
    }
}

fn places(codec: Codec, payload: &[u8]) -> Option<Places> {
    match codec {
        Codec::Video(VideoCodec::Vp8) => vp8_places(payload),
        Codec::Video(VideoCodec::Vp9) => vp9_places(payload),
        Codec::Audio(_) | Codec::Video(VideoCodec::H264 | VideoCodec::Av1) => None,
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
fn vp8_places(payload: &[u8]) -> Option<Places> {
    let first = *payload.first()?;
    let mut places = Places { end: 1, ..Places::default() };
    if first & 0x80 == 0 {
        return Some(places);
    }
    let extended = *payload.get(1)?;
    places.end = 2;
    if extended & 0x80 != 0 {
        places.read_picture_id(payload)?;
    }
    if extended & 0x40 != 0 {
        payload.get(places.end)?;
        places.tl0_pic_idx = Some(places.end);
        places.end += 1;
    }
    places.end += usize::from(extended & 0x30 != 0);
    Some(places)
}

/// ```text
///  0 1 2 3 4 5 6 7
/// |I|P|L|F|B|E|V|Z|  required
/// |M| PictureID   |  when I; two bytes when M
/// |TID|U|SID|D|      when L
/// |   TL0PICIDX   |  when L and not F
/// ```
fn vp9_places(payload: &[u8]) -> Option<Places> {
    let first = *payload.first()?;
    let mut places = Places { end: 1, ..Places::default() };
    if first & 0x80 != 0 {
        places.read_picture_id(payload)?;
    }
    if first & 0x20 != 0 {
        places.end += 1;
        if first & 0x10 == 0 {
            payload.get(places.end)?;
            places.tl0_pic_idx = Some(places.end);
            places.end += 1;
        }
    }
    // What it refers to in flexible mode comes next, which a key frame has none of.
    Some(places)
}

impl Places {
    fn read_picture_id(&mut self, payload: &[u8]) -> Option<()> {
        let is_long = payload.get(self.end)? & 0x80 != 0;
        let bytes = if is_long { 2 } else { 1 };
        payload.get(self.end..self.end + bytes)?;
        self.picture_id = Some((self.end, is_long));
        self.end += bytes;
        Some(())
    }
}

/// The first partition's first packet, and P = 0 in the frame header (RFC 7741 §4.2, §4.3).
fn vp8_starts(payload: &[u8]) -> Option<bool> {
    let frame = payload.get(vp8_places(payload)?.end..)?;
    Some(payload[0] & 0x17 == 0x10 && frame.first()? & 1 == 0)
}

/// A frame begins (B) that is predicted from no other picture (P), of the lowest spatial layer (RFC 9628 §4.2).
fn vp9_starts(payload: &[u8]) -> Option<bool> {
    let first = *payload.first()?;
    let is_base = match first & 0x20 {
        0 => true,
        // One byte of layers comes after the picture id.
        _ => {
            let after = Places { end: 1, ..Places::default() };
            let mut places = after;
            if first & 0x80 != 0 {
                places.read_picture_id(payload)?;
            }
            payload.get(places.end)? & 0x0e == 0
        }
    };
    Some(first & 0x48 == 0x08 && is_base)
}

/// It has a sequence parameter set: encoders for WebRTC send one before each picture that needs no other, and without it that can't be
/// decoded.
fn h264_starts(payload: &[u8]) -> Option<bool> {
    Some(h264_parameters(payload).is_some())
}

/// The sequence parameter set of a packet, by itself or in a STAP-A (RFC 6184 §5.7.1), without its first byte.
fn h264_parameters(payload: &[u8]) -> Option<&[u8]> {
    const STAP_A: u8 = 24;
    const PARAMETERS: u8 = 7;
    let (kind, mut rest) = payload.split_first()?;
    match kind & 0x1f {
        PARAMETERS => return Some(rest),
        STAP_A => {}
        _ => return None,
    }
    while let Some(([high, low], after)) = rest.split_first_chunk::<2>() {
        let bytes = usize::from(u16::from_be_bytes([*high, *low]));
        let (kind, unit) = after.split_first()?;
        if kind & 0x1f == PARAMETERS {
            return Some(unit.get(..bytes.saturating_sub(1)).unwrap_or(unit));
        }
        rest = after.get(bytes..)?;
    }
    None
}

/// A coded video sequence begins (N), and nothing of an earlier packet goes on (Z): the aggregation header of AV1's RTP
/// payload (AOMedia, "RTP Payload Format For AV1", §4.4).
fn av1_starts(payload: &[u8]) -> Option<bool> {
    Some(payload.first()? & 0x88 == 0x08)
}

#[cfg(test)]
mod tests {
    use media::AudioCodec;
    use proptest::prelude::*;

    use super::*;

    fn packet(codec: VideoCodec, payload: &[u8]) -> MediaPacket {
        let codec = Codec::Video(codec);
        MediaPacket { codec, seq: 1, timestamp: 0, marker: true, level: None, payload: payload.into() }
    }

    // RFC 7741 §4.2, RFC 9628 §4.2, RFC 6184 §5.7.1
    #[test]
    fn each_codec_says_where_a_picture_begins_that_needs_no_other() {
        let check = |codec, payload: &[u8], starts| {
            assert_eq!(starts_keyframe(&packet(codec, payload)), starts, "{codec} {payload:x?}");
        };
        check(VideoCodec::Vp8, &[0x10, 0x00], true);
        check(VideoCodec::Vp8, &[0x10, 0x01], false);
        check(VideoCodec::Vp8, &[0x00, 0x00], false);
        check(VideoCodec::Vp9, &[0x88, 0x81, 0x02], true);
        check(VideoCodec::Vp9, &[0xc8, 0x81, 0x02], false);
        check(VideoCodec::Vp9, &[0x80, 0x81, 0x02], false);
        check(VideoCodec::Vp9, &[0xa8, 0x05, 0x00, 0x09], true);
        check(VideoCodec::Vp9, &[0xa8, 0x05, 0x02, 0x09], false);
        check(VideoCodec::H264, &[0x67, 0x42], true);
        check(VideoCodec::H264, &[0x65, 0x88], false);
        check(VideoCodec::H264, &[0x78, 0, 2, 0x09, 0x10, 0, 2, 0x67, 0x42], true);
        check(VideoCodec::H264, &[0x78, 0, 2, 0x41, 0x10, 0, 2, 0x41, 0x42], false);
        check(VideoCodec::H264, &[0x78, 0xff, 0xff, 0x41], false);
        check(VideoCodec::H264, &[0x7c, 0x85], false);
        check(VideoCodec::Av1, &[0x18, 0x0a], true);
        check(VideoCodec::Av1, &[0x98, 0x0a], false);
        check(VideoCodec::Av1, &[0x10, 0x0a], false);
        for codec in [VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264, VideoCodec::Av1] {
            check(codec, &[], false);
        }
    }

    #[test]
    fn counters_are_written_where_they_are_read() {
        let new = Ids { picture_id: 0x1234, tl0_pic_idx: 99 };
        for (codec, payload) in
            [(VideoCodec::Vp8, &[0x90, 0xe0, 0x80, 1, 7, 0x20, 0][..]), (VideoCodec::Vp9, &[0xa8, 0x80, 1, 0x00, 7, 0])]
        {
            let mut written = payload.to_vec();
            assert_eq!(ids(&packet(codec, payload)), Some(Ids { picture_id: 1, tl0_pic_idx: 7 }));
            write_ids(Codec::Video(codec), &mut written, new);
            assert_eq!(ids(&packet(codec, &written)), Some(new), "{codec}");
            assert_eq!(starts_keyframe(&packet(codec, &written)), starts_keyframe(&packet(codec, payload)));
        }
        // Flexible mode has no count of base layers; a short picture id stays short.
        let mut flexible = [0xb8, 0x05, 0x00, 0x09];
        write_ids(Codec::Video(VideoCodec::Vp9), &mut flexible, new);
        assert_eq!(flexible, [0xb8, 0x34, 0x00, 0x09]);
        assert_eq!(ids(&packet(VideoCodec::H264, &[0x67, 0x42])), None);
        let voice =
            MediaPacket { codec: Codec::Audio(AudioCodec::Opus), ..packet(VideoCodec::Vp8, &[0x90, 0xe0, 0x80, 1, 7]) };
        assert_eq!((ids(&voice), starts_keyframe(&voice)), (None, true));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_and_written(
            payload in prop::collection::vec(any::<u8>(), 0..12),
            codec in prop::sample::select(vec![VideoCodec::Vp8, VideoCodec::Vp9, VideoCodec::H264, VideoCodec::Av1]),
            picture_id in 0..0x8000_u16,
            tl0_pic_idx: u8,
        ) {
            let before = packet(codec, &payload);
            let (known, _, _) = (ids(&before), starts_keyframe(&before), picture_size(&before));
            let mut written = payload.clone();
            write_ids(before.codec, &mut written, Ids { picture_id, tl0_pic_idx });
            prop_assert_eq!(written.len(), payload.len());
            prop_assert_eq!(known.is_some(), ids(&packet(codec, &written)).is_some());
        }
    }
}
