//! How large a picture is, as its first packet says it in the words of each codec but AV1, which encoders for many viewers don't send. Pure.

use media::{Codec, MediaPacket, VideoCodec};

use super::{starts_keyframe, vp8_places, vp9_places};

/// Where H.264 says it in the order of its syntax, nothing is larger: what would overflow is no picture.
const SIDE_MAX: u32 = 16_384;

/// Width and height that the first packet of a picture that needs no other tells; of several spatial layers, the largest's.
#[must_use]
pub fn picture_size(packet: &MediaPacket) -> Option<(u16, u16)> {
    if !starts_keyframe(packet) {
        return None;
    }
    match packet.codec {
        Codec::Video(VideoCodec::Vp8) => vp8(&packet.payload),
        Codec::Video(VideoCodec::Vp9) => vp9(&packet.payload),
        Codec::Video(VideoCodec::H264) => h264(super::h264_parameters(&packet.payload)?),
        Codec::Video(VideoCodec::Av1) | Codec::Audio(_) => None,
    }
}

/// RFC 6386 §9.1
fn vp8(payload: &[u8]) -> Option<(u16, u16)> {
    let frame = payload.get(vp8_places(payload)?.end..)?;
    // The upper two bits of each are for scaling.
    let [_, _, _, 0x9d, 0x01, 0x2a, width @ .., h0, h1] = frame.first_chunk::<10>()? else { return None };
    Some((u16::from_le_bytes(*width) & 0x3fff, u16::from_le_bytes([*h0, *h1]) & 0x3fff))
}

/// The scalability structure, which comes with each key frame (RFC 9628 §4.2.1):
///
/// ```text
/// | N_S |Y|G|-|-|-|  how many layers, less one
/// |    WIDTH      |  when Y, of each, 16 bits
/// |    HEIGHT     |
/// ```
fn vp9(payload: &[u8]) -> Option<(u16, u16)> {
    const HAS_STRUCTURE: u8 = 0x02;
    const HAS_SIZES: u8 = 0x10;
    let structure = payload.get(vp9_places(payload)?.end..).filter(|_| payload[0] & HAS_STRUCTURE != 0)?;
    let first = structure.first().filter(|first| **first & HAS_SIZES != 0)?;
    let largest = structure.get(1 + 4 * usize::from(first >> 5)..)?;
    let [w0, w1, h0, h1] = *largest.first_chunk()?;
    Some((u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1])))
}

/// A sequence parameter set (H.264 §7.3.2.1.1), without its first byte.
fn h264(parameters: &[u8]) -> Option<(u16, u16)> {
    /// Profiles that say more of their samples.
    const HIGH: [u32; 13] = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244];
    let mut bits = Bits { bytes: parameters, at: 0 };
    let profile = bits.read(8)?;
    bits.read(16)?;
    bits.unsigned()?;
    let mut chroma = 1;
    if HIGH.contains(&profile) {
        chroma = bits.unsigned()?;
        if chroma == 3 {
            bits.read(1)?;
        }
        bits.unsigned()?;
        bits.unsigned()?;
        bits.read(1)?;
        if bits.read(1)? == 1 {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.read(1)? == 1 {
                    bits.skip_scaling(if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => _ = bits.unsigned()?,
        1 => {
            bits.read(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned()?.min(255) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.read(1)?;
    let [across, down] = [bits.unsigned()?, bits.unsigned()?].map(|blocks| blocks.min(SIDE_MAX) + 1);
    // Two fields that are coded apart are one picture.
    let fields = 2 - bits.read(1)?;
    if fields == 2 {
        bits.read(1)?;
    }
    bits.read(1)?;
    let (mut width, mut height) = (16 * across, 16 * down * fields);
    if bits.read(1)? == 1 {
        let unit_across = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let unit_down = if chroma == 1 { 2 } else { 1 } * fields;
        let mut cropped =
            |unit: u32| Some(bits.unsigned()?.min(SIDE_MAX).saturating_add(bits.unsigned()?.min(SIDE_MAX)) * unit);
        width = width.checked_sub(cropped(unit_across)?)?;
        height = height.checked_sub(cropped(unit_down)?)?;
    }
    (width.max(height) <= SIDE_MAX).then_some((width as u16, height as u16))
}

/// Reads bits of a NAL unit, the highest first; a 3 that only keeps two zeros from looking like a beginning is none of them (H.264 §7.4.1).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.at / 8;
        if self.at.is_multiple_of(8) && byte >= 2 && self.bytes[byte - 2..].starts_with(&[0, 0, 3]) {
            self.at += 8;
        }
        let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    fn read(&mut self, bits: usize) -> Option<u32> {
        (0..bits).try_fold(0_u32, |read, _| Some(read << 1 | self.bit()?))
    }

    /// `ue(v)` (H.264 §9.1).
    fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// `se(v)` (H.264 §9.1.1).
    fn signed(&mut self) -> Option<i32> {
        let code = self.unsigned()?;
        let half = (code / 2).cast_signed();
        Some(if code % 2 == 1 { half + 1 } else { -half })
    }

    /// H.264 §7.3.2.1.1.1
    fn skip_scaling(&mut self, entries: usize) -> Option<()> {
        let (mut last, mut next) = (8_i32, 8_i32);
        for _ in 0..entries {
            if next != 0 {
                next = last.wrapping_add(self.signed()?) & 0xff;
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(codec: VideoCodec, payload: &[u8]) -> Option<(u16, u16)> {
        let codec = Codec::Video(codec);
        let payload = payload.into();
        picture_size(&MediaPacket { codec, seq: 1, timestamp: 0, marker: true, level: None, payload })
    }

    // RFC 6386 §9.1
    #[test]
    fn a_vp8_key_frame_tells_its_size() {
        let mut payload = vec![0x90, 0xe0, 0x80, 1, 7, 0x20];
        assert_eq!(size(VideoCodec::Vp8, &payload), None, "cut short");
        payload.extend([0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0x01]);
        assert_eq!(size(VideoCodec::Vp8, &payload), Some((640, 360)));
    }

    // RFC 9628 §4.2.1
    #[test]
    fn a_vp9_key_frame_tells_its_size() {
        let structure = [0x30, 1, 64, 0, 180, 2, 128, 1, 104];
        assert_eq!(size(VideoCodec::Vp9, &[&[0x8a, 0x05][..], &structure].concat()), Some((640, 360)));
        // With layers, and a count of base layers after them.
        assert_eq!(size(VideoCodec::Vp9, &[&[0xaa, 0x80, 0x05, 0, 9][..], &structure].concat()), Some((640, 360)));
        assert_eq!(size(VideoCodec::Vp9, &[&[0x8a, 0x05][..], &structure[..6]].concat()), None, "cut short");
        assert_eq!(size(VideoCodec::Vp9, &[0x8a, 0x05, 0x20]), None, "without sizes");
        assert_eq!(size(VideoCodec::Vp9, &[0x88, 0x05, 0x30, 1, 64, 0, 180]), None, "without a structure");
    }

    // Of x264.
    #[test]
    fn an_h264_parameter_set_tells_its_size() {
        let check = |parameters: &str, expected: (u16, u16)| {
            let parameters = hex(parameters);
            assert_eq!(size(VideoCodec::H264, &parameters), Some(expected));
            let [high, low] = (parameters.len() as u16).to_be_bytes();
            let with_others = [&[0x78, 0, 2, 0x09, 0xf0, high, low][..], &parameters, &[0, 2, 0x68, 0xce]].concat();
            assert_eq!(size(VideoCodec::H264, &with_others), Some(expected), "in a STAP-A");
            for end in 1..parameters.len() - 3 {
                let _ = size(VideoCodec::H264, &parameters[..end]);
            }
        };
        check("6764001facd9405005bb0110000003001000000303c0f1831960", (1_280, 720));
        check("67640028acd940780227e5c044000003000400000300f03c60c658", (1_920, 1_080));
        check("6742c01eda0280bfe5c044000003000400000300f03c58ba80", (640, 360));
        check("674d4015eca0d8ff278088000003000800000301e078b16cb0", (426, 240));
        check("6764001eacd940a42fe224c044000003000400000300f03c58b658", (642, 362));
        // With a byte between zeros that is none of it, before the size.
        check("6742000003020781405ef2a0", (640, 360));
        // In fields; with samples of colour for each of brightness.
        check("67640028acd94078044fde0220000003002000000783e2c5b2c0", (1_920, 1_080));
        check("67f40028919b280f0089f970110000030001000003003c1f162d96", (1_920, 1_080));
        assert_eq!(size(VideoCodec::H264, &[0x67, 0x42]), None, "cut short");
        assert_eq!(size(VideoCodec::H264, &[0x65, 0x88]), None);
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(mut payload in prop::collection::vec(any::<u8>(), 1..60)) {
            for (codec, first) in [(VideoCodec::H264, 0x67), (VideoCodec::Vp9, 0x8a), (VideoCodec::Vp8, 0x10)] {
                payload[0] = first;
                let _ = size(codec, &payload);
            }
        }
    }
}
