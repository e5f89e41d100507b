//! Opus in Ogg (RFC 3533, RFC 7845), one voice a file. What is written can be played whatever happens after it.

use std::io::{self, Write};

/// Samples of a packet, all of which have 20 ms.
pub(crate) const PACKET_SAMPLES: u64 = 960;

/// A packet of 20 ms of nothing: CELT, full band, one frame (RFC 6716 §3.1), which says that it is silent (§4.3).
const SILENT: [u8; 3] = [0xF8, 0xFF, 0xFE];

/// Packets on a page: a second, which is what a crash may cost.
const PAGE_PACKETS: usize = 50;

/// What a page has room for (RFC 3533 §6).
const SEGMENTS_MAX: usize = 255;

const CONTINUES: u8 = 0;
const BEGINS: u8 = 2;
const ENDS: u8 = 4;

/// One file that is written.
pub(crate) struct Ogg<W: Write> {
    out: W,
    /// Distinguishes streams in one file: here there is one.
    serial: u32,
    page: u32,
    packets: usize,
    /// The lengths of the packets that wait, as Ogg writes them, and their bytes.
    lacing: Vec<u8>,
    body: Vec<u8>,
    /// Samples so far.
    pub(crate) samples: u64,
    /// Bytes that the disk has.
    pub(crate) written: u64,
}

impl<W: Write> Ogg<W> {
    /// Writes what precedes the sound. The encoder's first `skipped` samples are none of the sound's; `title` is shown by players.
    pub(crate) fn start(out: W, skipped: u16, title: &str) -> io::Result<Self> {
        let (lacing, body) = (Vec::new(), Vec::new());
        let mut ogg = Self { out, serial: 1, page: 0, packets: 0, lacing, body, samples: 0, written: 0 };
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend(skipped.to_le_bytes());
        head.extend(media::SAMPLE_RATE.to_le_bytes());
        // No gain; mono or stereo as it comes.
        head.extend([0, 0, 0]);
        ogg.put(&head)?;
        ogg.flush(BEGINS)?;
        let mut tags = b"OpusTags".to_vec();
        let title = format!("TITLE={title}");
        for text in ["huitong", ""] {
            tags.extend((text.len() as u32).to_le_bytes());
            tags.extend(text.as_bytes());
        }
        // The empty text was the number of what follows, 0.
        let count = tags.len() - 4;
        tags[count] = 1;
        tags.extend((title.len() as u32).to_le_bytes());
        tags.extend(title.as_bytes());
        ogg.put(&tags)?;
        ogg.flush(CONTINUES)?;
        Ok(ogg)
    }

    /// The next 20 ms.
    pub(crate) fn packet(&mut self, packet: &[u8]) -> io::Result<()> {
        if self.packets == PAGE_PACKETS || self.lacing.len() + packet.len() / 255 + 1 > SEGMENTS_MAX {
            self.flush(CONTINUES)?;
        }
        self.put(packet)?;
        self.samples += PACKET_SAMPLES;
        Ok(())
    }

    /// 20 ms of silence.
    pub(crate) fn silence(&mut self) -> io::Result<()> {
        self.packet(&SILENT)
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush(ENDS)
    }

    fn put(&mut self, packet: &[u8]) -> io::Result<()> {
        self.lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.lacing.push((packet.len() % 255) as u8);
        self.body.extend(packet);
        self.packets += 1;
        let room = self.lacing.len() <= SEGMENTS_MAX;
        room.then_some(()).ok_or_else(|| io::Error::other("a packet is too long for a page"))
    }

    /// ```text
    /// "OggS"  version  kind  samples (8)  serial (4)  page (4)  checksum (4)  segments  lacing…  packets…
    /// ```
    fn flush(&mut self, kind: u8) -> io::Result<()> {
        let mut page = b"OggS\0".to_vec();
        page.push(kind);
        page.extend(self.samples.to_le_bytes());
        page.extend(self.serial.to_le_bytes());
        page.extend(self.page.to_le_bytes());
        page.extend([0; 4]);
        page.push(self.lacing.len() as u8);
        page.append(&mut self.lacing);
        page.append(&mut self.body);
        let sum = checksum(&page);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        (self.page, self.packets) = (self.page.wrapping_add(1), 0);
        self.written += page.len() as u64;
        self.out.write_all(&page)
    }
}

/// RFC 3533 §6: the polynomial of Ethernet, the bits from left to right, and nothing before or after.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    bytes.iter().fold(0, |sum, byte| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04C1_1DB7 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3533 §6
    #[test]
    fn pages_are_counted_and_checked_and_nothing_of_them_is_lost() {
        let mut out = Vec::new();
        let mut ogg = Ogg::start(&mut out, 312, "韩梅梅").unwrap();
        let packets: Vec<Vec<u8>> = (0..130_usize).map(|number| vec![number as u8; number * 9 % 1_276]).collect();
        packets.iter().for_each(|packet| ogg.packet(packet).unwrap());
        ogg.finish().unwrap();
        let (mut rest, mut read, mut ends) = (&out[..], Vec::new(), Vec::new());
        for number in 0_u32.. {
            let count = usize::from(rest[26]);
            let lacing = &rest[27..27 + count];
            let length = 27 + count + lacing.iter().map(|length| usize::from(*length)).sum::<usize>();
            let (mut page, after) = (rest[..length].to_vec(), &rest[length..]);
            assert_eq!((&page[..5], &page[18..22]), (&b"OggS\0"[..], &number.to_le_bytes()[..]));
            let sum: [u8; 4] = page[22..26].try_into().unwrap();
            page[22..26].fill(0);
            assert_eq!(checksum(&page), u32::from_le_bytes(sum));
            assert_eq!(
                page[5],
                if number == 0 {
                    BEGINS
                } else if after.is_empty() {
                    ENDS
                } else {
                    CONTINUES
                }
            );
            ends.push(u64::from_le_bytes(page[6..14].try_into().unwrap()));
            let (mut packet, mut body) = (Vec::new(), &page[27 + count..]);
            for length in lacing {
                let (segment, others) = body.split_at(usize::from(*length));
                packet.extend(segment);
                body = others;
                if *length < 255 {
                    read.push(std::mem::take(&mut packet));
                }
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        assert!(read[1].ends_with("TITLE=韩梅梅".as_bytes()));
        assert_eq!(read[2..], packets);
        assert_eq!((ends[0], *ends.last().unwrap()), (0, 130 * PACKET_SAMPLES));
        assert!(ends.windows(2).skip(1).all(|pair| pair[1] - pair[0] <= 50 * PACKET_SAMPLES), "{ends:?}");
        // Of "123456789", as everybody's CRC of this kind.
        assert_eq!(checksum(b"123456789"), 0x89A1_897F);
    }
}
