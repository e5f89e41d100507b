//! Voices with redundancy (RFC 2198): each packet carries what the ones before it carried once more, so that a single lost one
//! costs nothing, not even a question.

use std::sync::Arc;

use media::{MediaPacket, SeenNumbers};

/// More than this nobody sends: each costs as much as the voice itself.
const BLOCKS_MAX: usize = 5;

/// One publisher's voice.
#[derive(Default)]
pub(crate) struct Red {
    /// How the packets are called that have redundancy, where that was agreed on.
    number: Option<u8>,
    /// How what is in them is.
    primary: u8,
    came: SeenNumbers,
}

impl Red {
    pub(crate) fn new(number: Option<u8>, primary: u8) -> Self {
        Self { number, primary, came: SeenNumbers::default() }
    }

    pub(crate) fn is_red(&self, payload_type: u8) -> bool {
        self.number == Some(payload_type)
    }

    /// Takes a packet of the voice; says which new ones are in it, in their order.
    pub(crate) fn take(&mut self, payload_type: u8, packet: MediaPacket) -> Vec<MediaPacket> {
        let is_red = self.is_red(payload_type);
        // One that is far from all others is none that was had before.
        let mut is_new = |seq: u64| self.came.note(seq) != Some(true);
        if !is_red {
            return if is_new(packet.seq) { vec![packet] } else { Vec::new() };
        }
        let Some(blocks) = blocks(&packet.payload) else { return Vec::new() };
        let mut packets = Vec::with_capacity(1);
        for (back, block) in (0..blocks.len() as u64).rev().zip(&blocks) {
            let Some(seq) = packet.seq.checked_sub(back) else { continue };
            if block.payload_type == self.primary && !block.payload.is_empty() && is_new(seq) {
                packets.push(MediaPacket {
                    seq,
                    timestamp: packet.timestamp.wrapping_sub(block.offset),
                    marker: packet.marker && back == 0,
                    payload: Arc::from(block.payload),
                    ..packet.clone()
                });
            }
        }
        packets
    }
}

/// Puts a payload behind an earlier one of its stream, in the form of RFC 2198 §3; nothing, and false, where the earlier one is too large for
/// that, or too long ago. `offset` is in the stream's clock.
pub(crate) fn write(payload_type: u8, offset: u32, earlier: &[u8], payload: &[u8], out: &mut Vec<u8>) -> bool {
    if offset >= 1 << 14 || earlier.len() >= 1 << 10 {
        return false;
    }
    let [_, b, c, d] = (offset << 10 | earlier.len() as u32).to_be_bytes();
    out.extend([0x80 | payload_type, b, c, d, payload_type]);
    out.extend(earlier);
    out.extend(payload);
    true
}

/// A part of a payload.
pub(crate) struct Block<'a> {
    pub(crate) payload_type: u8,
    /// How much earlier it is than the packet.
    pub(crate) offset: u32,
    pub(crate) payload: &'a [u8],
}

/// The oldest first, the primary one last; none of what is not written so (RFC 2198 §3).
pub(crate) fn blocks(payload: &[u8]) -> Option<Vec<Block<'_>>> {
    let (mut headers, mut rest) = (Vec::new(), payload);
    let primary = loop {
        let [first, after @ ..] = rest else { return None };
        if first & 0x80 == 0 {
            rest = after;
            break *first;
        }
        let [_, b, c, d, after @ ..] = rest else { return None };
        let (offset, len) = (u32::from(*b) << 6 | u32::from(c >> 2), usize::from(c & 3) << 8 | usize::from(*d));
        headers.push((first & 0x7f, offset, len));
        rest = after;
        if headers.len() == BLOCKS_MAX {
            return None;
        }
    };
    let mut blocks = Vec::with_capacity(headers.len() + 1);
    for (payload_type, offset, len) in headers {
        let (payload, after) = rest.split_at_checked(len)?;
        blocks.push(Block { payload_type, offset, payload });
        rest = after;
    }
    blocks.push(Block { payload_type: primary, offset: 0, payload: rest });
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use media::{AudioCodec, Codec};

    use super::*;

    const RED: u8 = 63;
    const OPUS: u8 = 111;

    /// Packet `seq` with the one before it.
    fn packet(seq: u64) -> MediaPacket {
        let offset = 960_u16 << 2;
        let [high, low] = offset.to_be_bytes();
        let payload = [0x80 | OPUS, high, low, 2, OPUS, seq as u8 - 1, 7, seq as u8, 7];
        of(seq, &payload)
    }

    fn of(seq: u64, payload: &[u8]) -> MediaPacket {
        let (codec, timestamp) = (Codec::Audio(AudioCodec::Opus), (seq as u32).wrapping_mul(960));
        MediaPacket { codec, seq, timestamp, marker: false, level: None, payload: payload.into() }
    }

    #[test]
    fn a_lost_packet_is_in_the_next_and_none_comes_twice() {
        let mut red = Red::new(Some(RED), OPUS);
        let mut came = Vec::new();
        // 13 is lost, 16 and 17 are, and 20 comes late.
        for seq in [10, 11, 12, 14, 15, 18, 19, 21, 20, 22] {
            came.extend(red.take(RED, packet(seq)));
        }
        let told: Vec<_> = came.iter().map(|packet| (packet.seq, packet.timestamp, packet.payload[0])).collect();
        let expected = [9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22];
        assert_eq!(told, expected.map(|seq| (seq, seq as u32 * 960, seq as u8)));
        assert_eq!(red.take(OPUS, of(23, &[1])).len(), 1, "one without redundancy");
        assert_eq!(red.take(RED, packet(24)).len(), 1);
    }

    #[test]
    fn whatever_comes_is_taken() {
        let mut red = Red::new(Some(RED), OPUS);
        let whole = packet(10).payload;
        for len in 0..5 {
            assert!(red.take(RED, of(100 + len as u64, &whole[..len])).is_empty(), "{len} bytes");
        }
        assert!(red.take(RED, of(200, &[0x80 | OPUS, 0, 3, 255, OPUS, 1])).is_empty(), "longer than it is");
        assert!(red.take(RED, of(300, &[0x80 | OPUS; 64])).is_empty(), "blocks without end");
        assert_eq!(red.take(RED, of(0, &packet(10).payload)).len(), 1, "nothing is before the first");
        assert!(red.take(RED, of(400, &[13, 1])).is_empty(), "another codec");
    }
}
