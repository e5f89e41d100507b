//! RTP on the wire (RFC 3550 §5.1), and the packet as the engines hand it to each other.

use std::{fmt, sync::Arc};

use crate::{AudioLevel, Codec};

/// The synchronization source of one RTP stream (RFC 3550 §3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

impl fmt::Debug for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One decrypted media packet on its way between engines. Cloning shares the payload.
#[derive(Debug, Clone)]
pub struct MediaPacket {
    /// How the payload is encoded.
    pub codec: Codec,
    /// The sequence number extended over wrap-arounds by the receiver (RFC 3550 §A.1).
    pub seq: u64,
    /// The sender's RTP timestamp, in the codec's clock.
    pub timestamp: u32,
    /// First packet of a talk spurt, or last of a picture (RFC 3551 §4.1, RFC 7741 §4.1).
    pub marker: bool,
    /// Loudness, where the sender told it (RFC 6464).
    pub level: Option<AudioLevel>,
    /// What follows the RTP header.
    pub payload: Arc<[u8]>,
}

/// One RTP packet borrowed from a datagram: padding removed, contributing sources and header extensions skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// The dynamic or static number the session description gave the codec.
    pub payload_type: u8,
    /// See [`MediaPacket::marker`].
    pub marker: bool,
    /// As on the wire; [`SeqExtender`] makes it grow for ever.
    pub seq: u16,
    /// In the codec's clock.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: Ssrc,
    /// Never longer than the datagram.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Header, sources, extension or padding reach past the end.
    #[error("RTP packet of {0} bytes is cut short")]
    Short(usize),
    /// Not version 2.
    #[error("RTP version {0}")]
    Version(u8),
}

const FIXED_HEADER: usize = 12;

impl<'a> RtpPacket<'a> {
    /// Reads a datagram.
    ///
    /// ```text
    ///  0                   1                   2                   3
    ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    /// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
    /// |                           timestamp                           |
    /// |                             SSRC                              |
    /// ```
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let short = PacketError::Short(datagram.len());
        let (header, rest) = datagram.split_first_chunk::<FIXED_HEADER>().ok_or(short)?;
        let [first, second, seq0, seq1, t0, t1, t2, t3, s0, s1, s2, s3] = *header;
        if first >> 6 != 2 {
            return Err(PacketError::Version(first >> 6));
        }
        let mut rest = rest.get(usize::from(first & 0x0f) * 4..).ok_or(short)?;
        if first & 0x10 != 0 {
            let ([_, _, len0, len1], after) = rest.split_first_chunk::<4>().ok_or(short)?;
            rest = after.get(usize::from(u16::from_be_bytes([*len0, *len1])) * 4..).ok_or(short)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(short)?);
            if padding == 0 {
                return Err(short);
            }
            rest = rest.get(..rest.len().checked_sub(padding).ok_or(short)?).ok_or(short)?;
        }
        Ok(Self {
            payload_type: second & 0x7f,
            marker: second & 0x80 != 0,
            seq: u16::from_be_bytes([seq0, seq1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: Ssrc(u32::from_be_bytes([s0, s1, s2, s3])),
            payload: rest,
        })
    }

    /// Appends the packet to `out`, without sources, extensions or padding.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(FIXED_HEADER + self.payload.len());
        out.push(0x80);
        out.push(self.payload_type & 0x7f | u8::from(self.marker) << 7);
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.0.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

/// Makes 16-bit sequence numbers grow for ever, whatever order they come in (RFC 3550 §A.1).
#[derive(Debug, Clone, Default)]
pub struct SeqExtender {
    highest: Option<u64>,
}

impl SeqExtender {
    /// The extended number; the first one seen starts in the second cycle, so that older ones don't go below zero.
    pub fn extend(&mut self, seq: u16) -> u64 {
        let Some(highest) = self.highest else {
            let first = u64::from(seq) + (1 << 16);
            self.highest = Some(first);
            return first;
        };
        // The distance to the highest number so far, read as the shorter way round the circle.
        let distance = seq.wrapping_sub(highest as u16).cast_signed();
        let extended = highest.saturating_add_signed(i64::from(distance));
        self.highest = Some(highest.max(extended));
        extended
    }
}

/// Which numbers there have been, as far back as 127 before the highest.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeenNumbers {
    highest: u64,
    /// The highest in the lowest bit, those below it above.
    seen: u128,
}

impl SeenNumbers {
    /// Of somebody whose first number is this, and has not come yet.
    #[must_use]
    pub fn before(first: u64) -> Self {
        Self { highest: first, seen: 0 }
    }

    /// The highest there has been.
    #[must_use]
    pub fn highest(self) -> u64 {
        self.highest
    }

    /// It has not been noted, and is fewer than `window` before the highest, of at most 128.
    #[must_use]
    pub fn is_new(self, number: u64, window: u64) -> bool {
        self.highest.checked_sub(number).is_none_or(|back| back < window && self.seen >> back & 1 == 0)
    }

    /// Notes a number, and says whether it had been noted before; none where it is too old to know.
    pub fn note(&mut self, number: u64) -> Option<bool> {
        if number > self.highest {
            let step = u32::try_from(number - self.highest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(step).unwrap_or(0);
            self.highest = number;
        }
        let back = u32::try_from(self.highest - number).ok()?;
        let bit = 1_u128.checked_shl(back)?;
        let was_seen = self.seen & bit != 0;
        self.seen |= bit;
        Some(was_seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: RtpPacket<'static> =
        RtpPacket { payload_type: 111, marker: true, seq: 65_535, timestamp: 960, ssrc: Ssrc(7), payload: &[1, 2, 3] };

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        PACKET.write(&mut bytes);
        assert_eq!(RtpPacket::parse(&bytes), Ok(PACKET));
    }

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let mut bytes = Vec::new();
        PACKET.write(&mut bytes);
        bytes[0] = 0xb1;
        let payload = bytes.split_off(FIXED_HEADER);
        bytes.extend([0; 4]);
        bytes.extend([0xbe, 0xde, 0, 1, 0x10, 0x85, 0, 0]);
        bytes.extend(payload);
        bytes.extend([0, 0, 3]);
        assert_eq!(RtpPacket::parse(&bytes), Ok(PACKET));
    }

    #[test]
    fn anything_cut_off_is_refused() {
        let mut bytes = Vec::new();
        PACKET.write(&mut bytes);
        for len in 0..FIXED_HEADER {
            assert_eq!(RtpPacket::parse(&bytes[..len]), Err(PacketError::Short(len)));
        }
        for flags in [0x9f, 0x90, 0xa0] {
            bytes[0] = flags;
            bytes[FIXED_HEADER + 2] = 200;
            assert_eq!(RtpPacket::parse(&bytes), Err(PacketError::Short(15)), "first byte {flags:02x}");
        }
        bytes[0] = 0x00;
        assert_eq!(RtpPacket::parse(&bytes), Err(PacketError::Version(0)));
    }

    #[test]
    fn sequence_numbers_grow_over_the_wrap() {
        let mut extender = SeqExtender::default();
        let first = extender.extend(65_534);
        for (seq, expected) in [(65_535, 1), (0, 2), (2, 4), (1, 3), (65_533, -1)] {
            assert_eq!(extender.extend(seq).cast_signed() - first.cast_signed(), expected, "{seq}");
        }
    }

    #[test]
    fn no_number_is_new_twice_and_none_that_is_too_old_to_know() {
        let mut seen = SeenNumbers::default();
        let mut is_new = |number| seen.note(number) == Some(false);
        let rows = [(1_000, true), (1_002, true), (1_001, true), (1_001, false), (1_002, false), (1_000, false)];
        for (number, expected) in rows {
            assert_eq!(is_new(number), expected, "{number}");
        }
        assert!(is_new(1_129));
        assert!(!is_new(1_001) && !is_new(1_000));
        assert!(is_new(1_003) && !is_new(1_003));
        assert!(is_new(u64::MAX) && !is_new(1_129));
        assert_eq!(seen.note(1_129), None);
    }
}
