//! The header of an RTP packet that a subscriber is sent (RFC 3550 §5.1), with its extensions (RFC 8285 §4.2). Pure.

use media::AudioLevel;

/// What a header takes at most.
pub(crate) const HEADER_BYTES_MAX: usize = 80;

/// The numbers that extensions were agreed to have on an m-line; none where they were not. From 1 to 14.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// The m-line's name (RFC 9143).
    pub(crate) mid: Option<u8>,
    /// A number for the whole transport (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub(crate) transport: Option<u8>,
    /// When it was sent (abs-send-time).
    pub(crate) sent: Option<u8>,
    /// How loud it is (RFC 6464).
    pub(crate) level: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    /// The last byte of the payload says how many before it are none.
    pub(crate) padding: bool,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    /// Sent until the receiver is known to know it.
    pub(crate) mid: Option<&'a str>,
    pub(crate) transport: u16,
    /// Seconds in 24 bits, six of them whole.
    pub(crate) sent: u32,
    pub(crate) level: Option<AudioLevel>,
}

impl Header<'_> {
    /// Writes it; its length, a multiple of four.
    pub(crate) fn write(&self, extensions: &Extensions, out: &mut [u8; HEADER_BYTES_MAX]) -> usize {
        out[0] = 0x80 | u8::from(self.padding) << 5;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.seq.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        let mut at = 16;
        let mut put = |id: Option<u8>, value: &[u8]| {
            let Some(id) = id.filter(|id| (1..=14).contains(id) && !value.is_empty()) else { return };
            let value = &value[..value.len().min(16)];
            out[at] = id << 4 | (value.len() - 1) as u8;
            out[at + 1..at + 1 + value.len()].copy_from_slice(value);
            at += 1 + value.len();
        };
        put(extensions.transport, &self.transport.to_be_bytes());
        put(extensions.sent, &self.sent.to_be_bytes()[1..]);
        if let Some(level) = self.level {
            let level = u8::from(level.is_voice()) << 7 | level.minus_dbov() & 0x7f;
            put(extensions.level, &[level]);
        }
        if let Some(mid) = self.mid {
            put(extensions.mid, mid.as_bytes());
        }
        if at == 16 {
            return 12;
        }
        out[0] |= 0x10;
        let end = at.next_multiple_of(4);
        out[at..end].fill(0);
        out[12..14].copy_from_slice(&[0xbe, 0xde]);
        out[14..16].copy_from_slice(&((end as u16 - 16) / 4).to_be_bytes());
        end
    }
}

/// The number for the whole transport in a packet with such a header, where it has one.
pub(crate) fn transport_number(extensions: &Extensions, packet: &[u8]) -> Option<u16> {
    // It is written first.
    let [head, high, low] = *packet.get(16..)?.first_chunk()?;
    extensions.transport.filter(|id| head == id << 4 | 1).map(|_| u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Header<'_> = Header {
        payload_type: 111,
        marker: true,
        padding: false,
        seq: 0x1234,
        timestamp: 0x0102_0304,
        ssrc: 0x0a0b_0c0d,
        mid: None,
        transport: 0x7788,
        sent: 0x00ab_cdef,
        level: None,
    };

    fn written(header: &Header<'_>, extensions: &Extensions) -> Vec<u8> {
        let mut out = [0xff; HEADER_BYTES_MAX];
        let len = header.write(extensions, &mut out);
        out[..len].to_vec()
    }

    #[test]
    fn a_header_has_what_was_agreed() {
        let plain = [0x80, 0xef, 0x12, 0x34, 1, 2, 3, 4, 10, 11, 12, 13];
        assert_eq!(written(&PLAIN, &Extensions::default()), plain);
        let all = Extensions { mid: Some(4), transport: Some(3), sent: Some(2), level: Some(1) };
        let header = Header { mid: Some("a0"), level: Some(AudioLevel::from_minus_dbov(30)), ..PLAIN };
        let voice = u8::from(AudioLevel::from_minus_dbov(30).is_voice()) << 7;
        let extensions =
            [0xbe, 0xde, 0, 3, 0x31, 0x77, 0x88, 0x22, 0xab, 0xcd, 0xef, 0x10, voice | 30, 0x41, b'a', b'0'];
        let expected = [&[0x90][..], &plain[1..], &extensions].concat();
        assert_eq!(written(&header, &all), expected);
        let number = |extensions, packet: &[u8]| transport_number(&extensions, packet);
        assert_eq!(number(all, &expected), Some(0x7788));
        assert_eq!(number(Extensions { transport: Some(2), ..all }, &expected), None);
        assert_eq!(number(all, &plain), None);
    }

    #[test]
    fn the_longest_header_has_room() {
        let all = Extensions { mid: Some(14), transport: Some(3), sent: Some(2), level: Some(1) };
        let header = Header { mid: Some("0123456789abcdefXYZ"), level: Some(AudioLevel::from_minus_dbov(0)), ..PLAIN };
        assert!(written(&header, &all).len() <= HEADER_BYTES_MAX);
        let none = Extensions { mid: Some(15), transport: Some(0), ..Extensions::default() };
        assert_eq!(written(&header, &none).len(), 12, "numbers that can't be written");
    }
}
