//! AV1 out of RTP (AOMedia, "RTP Payload Format For AV1", §4): what packets carry becomes temporal units as decoders take them. Pure.
//! GStreamer's own element for it comes with its plugins in Rust, which Debian doesn't have.
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |Z|Y| W |N|  -  |  Z: the first piece goes on from the packet before; Y: the last one goes on in the next
//! +-+-+-+-+-+-+-+-+  W: so many pieces, the last without its length; 0: all with it; N: a coded sequence begins
//! ```

use media::RtpPacket;

/// More than a key frame of 1080 lines has; a sender who never ends one is cut off here.
const UNIT_BYTES_MAX: usize = 4 << 20;

/// Types of open bitstream units (AV1 specification, §6.2.2).
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;

/// In front of each temporal unit: a delimiter with its size, which is none.
const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];
const HAS_SIZE: u8 = 0x02;
const HAS_EXTENSION: u8 = 0x04;

/// What a packet came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// Its temporal unit goes on.
    Part,
    /// A whole one.
    Unit(Vec<u8>),
    /// Nothing can be shown of it: until a coded sequence begins, nothing of what follows either.
    Lost,
}

/// Puts packets together, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Depacketizer {
    unit: Vec<u8>,
    /// A piece that goes on in the next packet.
    piece: Vec<u8>,
    next: Option<u16>,
    /// A coded sequence has begun, and nothing is missing since.
    is_whole: bool,
}

impl Depacketizer {
    pub(crate) fn push(&mut self, packet: &RtpPacket<'_>) -> Came {
        let is_next = self.next.replace(packet.seq.wrapping_add(1)).is_none_or(|next| next == packet.seq);
        let begins = packet.payload.first().is_some_and(|header| header & 0x08 != 0);
        if begins {
            // Of what came before, nothing is referred to any more.
            (self.is_whole, self.unit, self.piece) = (true, Vec::new(), Vec::new());
        } else if !is_next {
            self.is_whole = false;
        }
        if !self.is_whole || self.take(packet.payload).is_none() {
            self.is_whole = false;
            (self.unit, self.piece) = (Vec::new(), Vec::new());
            return Came::Lost;
        }
        if !packet.marker || self.unit.is_empty() {
            return Came::Part;
        }
        Came::Unit(std::mem::take(&mut self.unit))
    }

    /// None where it is nonsense.
    fn take(&mut self, payload: &[u8]) -> Option<()> {
        let (&header, mut rest) = payload.split_first()?;
        let (goes_on_from, goes_on, count) = (header & 0x80 != 0, header & 0x40 != 0, header >> 4 & 3);
        if goes_on_from == self.piece.is_empty() {
            return None;
        }
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            let length = if index == count { rest.len() } else { leb128(&mut rest)? };
            let piece = rest.split_off(..length)?;
            self.piece.extend_from_slice(piece);
            if self.unit.len() + self.piece.len() > UNIT_BYTES_MAX {
                return None;
            }
            if !(rest.is_empty() && goes_on) {
                let piece = std::mem::take(&mut self.piece);
                self.add(&piece)?;
            }
        }
        (count == 0 || index == count).then_some(())
    }

    /// A whole open bitstream unit, which is told its size.
    fn add(&mut self, piece: &[u8]) -> Option<()> {
        let (&header, mut rest) = piece.split_first()?;
        if matches!(header >> 3 & 0x0F, TEMPORAL_DELIMITER | TILE_LIST) {
            return Some(());
        }
        if self.unit.is_empty() {
            self.unit.extend_from_slice(&DELIMITER);
        }
        self.unit.push(header | HAS_SIZE);
        if header & HAS_EXTENSION != 0 {
            self.unit.push(*rest.split_off_first()?);
        }
        if header & HAS_SIZE != 0 {
            let length = leb128(&mut rest)?;
            rest = rest.get(..length)?;
        }
        let mut size = rest.len();
        while size >= 0x80 {
            self.unit.push(size as u8 | 0x80);
            size >>= 7;
        }
        self.unit.push(size as u8);
        self.unit.extend_from_slice(rest);
        Some(())
    }
}

/// A number of seven bits a byte, the lowest first (AV1 specification, §4.10.5); none that is larger than any packet.
fn leb128(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = *bytes.split_off_first()?;
        value |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use media::Ssrc;

    use super::*;

    fn push(of: &mut Depacketizer, seq: u16, marker: bool, payload: &[u8]) -> Came {
        of.push(&RtpPacket { payload_type: 96, marker, seq, timestamp: 0, ssrc: Ssrc(1), payload })
    }

    #[test]
    fn pieces_become_units_with_their_sizes() {
        let mut of = Depacketizer::default();
        assert_eq!(push(&mut of, 7, true, &[0x10, 0x30, 1]), Came::Lost, "nothing has begun");
        // A sequence header, and a frame that goes on twice.
        assert_eq!(push(&mut of, 8, false, &[0x68, 2, 0x08, 0xAA, 0x30, 1, 2]), Came::Part);
        assert_eq!(push(&mut of, 9, false, &[0xD0, 3]), Came::Part);
        let unit = vec![0x12, 0, 0x0A, 1, 0xAA, 0x32, 4, 1, 2, 3, 4];
        assert_eq!(push(&mut of, 10, true, &[0x90, 4]), Came::Unit(unit));
        // All with their lengths; one has its size already and one an extension; a delimiter is no news.
        let unit = vec![0x12, 0, 0x32, 1, 5, 0x36, 0x28, 2, 6, 7];
        let payload = [0x00, 1, 0x10, 3, 0x32, 1, 5, 4, 0x34, 0x28, 6, 7];
        assert_eq!(push(&mut of, 11, true, &payload), Came::Unit(unit));
        // One is missing.
        assert_eq!(push(&mut of, 13, true, &[0x10, 0x30, 8]), Came::Lost);
        assert_eq!(push(&mut of, 14, true, &[0x10, 0x30, 8]), Came::Lost);
        assert_eq!(push(&mut of, 15, true, &[0x18, 0x30, 9]), Came::Unit(vec![0x12, 0, 0x32, 1, 9]));
    }

    #[test]
    fn sizes_of_more_than_a_byte_are_written_as_they_are_read() {
        let mut of = Depacketizer::default();
        let mut payload = vec![0x18, 0x30];
        payload.extend([9; 300]);
        let Came::Unit(unit) = push(&mut of, 0, true, &payload) else { panic!("it is whole") };
        assert_eq!(unit[..5], [0x12, 0, 0x32, 0xAC, 2]);
        assert_eq!(leb128(&mut &unit[3..]), Some(300));
        for nonsense in [&[][..], &[0x80], &[0xFF, 0xFF, 0xFF, 0xFF, 1]] {
            assert_eq!(leb128(&mut &nonsense[..]), None, "{nonsense:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_packet_is_too_strange(
            packets in proptest::collection::vec(
                (proptest::num::u16::ANY, proptest::bool::ANY, proptest::collection::vec(proptest::num::u8::ANY, 0..40)),
                0..40,
            ),
        ) {
            let mut of = Depacketizer::default();
            for (seq, marker, payload) in packets {
                push(&mut of, seq, marker, &payload);
            }
        }
    }

    /// A coder's temporal unit as a browser sends it: each open bitstream unit a piece, without its size.
    pub(crate) fn packets(unit: &[u8], seq: &mut u16, timestamp: u32) -> Vec<Vec<u8>> {
        let (mut rest, mut pieces, mut begins) = (unit, Vec::new(), false);
        while let Some(header) = rest.split_off_first() {
            assert_eq!(header & (HAS_SIZE | HAS_EXTENSION), HAS_SIZE);
            let length = leb128(&mut rest).unwrap();
            let body = rest.split_off(..length).unwrap();
            match header >> 3 & 0x0F {
                TEMPORAL_DELIMITER => continue,
                1 => begins = true,
                _ => {}
            }
            pieces.push([&[header & !HAS_SIZE][..], body].concat());
        }
        let mut packets = Vec::new();
        let count = pieces.len();
        for (index, piece) in pieces.iter().enumerate() {
            let chunks = piece.chunks(1_100).count();
            for (at, chunk) in piece.chunks(1_100).enumerate() {
                let is_last = index + 1 == count && at + 1 == chunks;
                let flags = u8::from(at > 0) << 7 | u8::from(at + 1 < chunks) << 6 | 0x10;
                let first = u8::from(begins && packets.is_empty()) << 3;
                let mut packet = vec![0x80, 96 | u8::from(is_last) << 7];
                packet.extend(seq.to_be_bytes());
                packet.extend(timestamp.to_be_bytes());
                packet.extend([0, 0, 0, 1, flags | first]);
                packet.extend_from_slice(chunk);
                *seq = seq.wrapping_add(1);
                packets.push(packet);
            }
        }
        packets
    }
}
