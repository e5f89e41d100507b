//! Ogg Opus files (RFC 7845): the packets, how many samples to skip and to keep, and the sound.

use std::io::Cursor;

use media::SAMPLE_RATE;
use ogg::PacketReader;
use opus::Channels;

/// An Opus packet never holds more than 120 ms (RFC 6716 §3.2.5, requirement R5).
const PACKET_SAMPLES_MAX: usize = 5_760;

/// No prompt is longer; it bounds what a file can make us hold.
const SAMPLES_MAX: usize = SAMPLE_RATE as usize * 120;

/// What can be wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OggOpusError {
    #[error("not a whole Ogg file")]
    Ogg(#[from] ogg::OggReadError),
    #[error("no mono Opus header of version 1")]
    Header,
    #[error("damaged Opus packet")]
    Opus(#[from] opus::Error),
    #[error("longer than two minutes")]
    TooLong,
}

/// A file taken apart, every packet's frame structure checked, nothing decoded yet.
pub(crate) struct OggOpus {
    packets: Vec<Vec<u8>>,
    /// What the decoder needs to settle, not to be heard (RFC 7845 §4.2).
    pre_skip: usize,
    /// Samples to be heard.
    samples: usize,
}

impl OggOpus {
    pub(crate) fn parse(file: &[u8]) -> Result<Self, OggOpusError> {
        let mut reader = PacketReader::new(Cursor::new(file));
        let head = reader.read_packet()?.ok_or(OggOpusError::Header)?;
        let pre_skip = pre_skip(&head.data).ok_or(OggOpusError::Header)?;
        let tags = reader.read_packet()?.ok_or(OggOpusError::Header)?;
        if !tags.data.starts_with(b"OpusTags") {
            return Err(OggOpusError::Header);
        }
        let (mut packets, mut held, mut end) = (Vec::new(), 0, 0);
        while let Some(packet) = reader.read_packet()? {
            held += opus::packet::get_nb_samples(&packet.data, SAMPLE_RATE)?;
            end = packet.absgp_page();
            if held > SAMPLES_MAX {
                return Err(OggOpusError::TooLong);
            }
            packets.push(packet.data);
        }
        // The last page's position cuts off what only fills the last packet (RFC 7845 §4.4).
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(held);
        Ok(Self { packets, pre_skip, samples: end.saturating_sub(pre_skip) })
    }

    /// 48 kHz mono.
    pub(crate) fn decode(&self) -> Result<Vec<f32>, OggOpusError> {
        let mut decoder = opus::Decoder::new(SAMPLE_RATE, Channels::Mono)?;
        let mut sound = Vec::with_capacity(self.pre_skip + self.samples + PACKET_SAMPLES_MAX);
        let mut frame = [0.0; PACKET_SAMPLES_MAX];
        for packet in &self.packets {
            let samples = decoder.decode_float(packet, &mut frame, false)?;
            sound.extend_from_slice(&frame[..samples]);
        }
        sound.drain(..self.pre_skip.min(sound.len()));
        sound.truncate(self.samples);
        Ok(sound)
    }
}

/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |      'O'      |      'p'      |      'u'      |      's'      |
/// |      'H'      |      'e'      |      'a'      |      'd'      |
/// |  Version = 1  | Channel Count |           Pre-skip            |  little-endian
/// |                 Input sample rate … gain … mapping            |
/// ```
fn pre_skip(head: &[u8]) -> Option<usize> {
    match *head.strip_prefix(b"OpusHead")? {
        [1, 1, low, high, ..] => Some(usize::from(u16::from_le_bytes([low, high]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Prompt};

    // trap: wrong sound format
    #[test]
    fn a_damaged_file_is_an_error_and_no_panic() {
        let whole = Prompt::Muted.file(Language::EnUs);
        let good = OggOpus::parse(whole).unwrap();
        assert!(good.samples > SAMPLE_RATE as usize / 2);
        for length in (0..whole.len()).step_by(7) {
            // A cut at a page's end looks like a shorter file; everything else is an error.
            if let Ok(cut) = OggOpus::parse(&whole[..length]) {
                assert!(cut.samples < good.samples, "cut at {length}");
            }
        }
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 0x55;
            if let Ok(file) = OggOpus::parse(&damaged) {
                let _ = file.decode();
            }
        }
        assert!(matches!(OggOpus::parse(b""), Err(OggOpusError::Header | OggOpusError::Ogg(_))));
    }

    #[test]
    fn stereo_and_other_versions_are_refused() {
        assert_eq!(pre_skip(b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0"), Some(312));
        assert_eq!(pre_skip(b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"), None);
        assert_eq!(pre_skip(b"OpusHead\x02\x01\x38\x01"), None);
        assert_eq!(pre_skip(b"OpusHea"), None);
    }
}
