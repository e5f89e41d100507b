//! A playlist's text, as it is and packed (RFC 1952, RFC 7932): packed once for all who can unpack.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
};

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// More effort saves a few bytes in a hundred and takes ten times as long.
const EFFORT: i32 = 2;

/// How far back it looks for what is alike, as a power of two: all of a playlist of two hours.
const WINDOW: i32 = 18;

/// Clones are the same text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text(Arc<Inner>);

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.0.plain == other.0.plain
    }
}

impl Eq for Text {}

#[derive(Debug, Default)]
struct Inner {
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
}

impl Text {
    pub(crate) fn new(plain: Bytes) -> Self {
        Self(Arc::new(Inner { plain, ..Inner::default() }))
    }

    pub(crate) fn plain(&self) -> Bytes {
        self.0.plain.clone()
    }

    pub(crate) fn gzip(&self) -> Bytes {
        self.0.gzip.get_or_init(|| gzip(&self.0.plain)).clone()
    }

    /// Of long playlists less than half of what gzip leaves: it sees all of them at once.
    pub(crate) fn brotli(&self) -> Bytes {
        self.0.brotli.get_or_init(|| brotli(&self.0.plain)).clone()
    }
}

fn gzip(plain: &[u8]) -> Bytes {
    // Playlists are all alike: more effort saves a few bytes in a hundred.
    let mut packer = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    let packed = packer.write_all(plain).and_then(|()| packer.finish());
    packed.expect("writing to memory doesn't fail").into()
}

fn brotli(mut plain: &[u8]) -> Bytes {
    let effort = BrotliEncoderParams {
        quality: EFFORT,
        lgwin: WINDOW,
        size_hint: plain.len(),
        ..BrotliEncoderParams::default()
    };
    let mut packed = Vec::with_capacity(plain.len() / 4);
    brotli::BrotliCompress(&mut plain, &mut packed, &effort).expect("writing to memory doesn't fail");
    packed.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_packed_is_the_same() {
        let text = Text::new(Bytes::from("#EXTM3U\n".repeat(100)));
        let (gzip, brotli) = (text.gzip(), text.brotli());
        assert!(gzip.len() < 100 && brotli.len() < gzip.len(), "{} and {}", gzip.len(), brotli.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, text.plain());
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &brotli[..], &mut unpacked).unwrap();
        assert_eq!(unpacked, text.plain());
        // Packed once: the next who asks has the same bytes.
        assert_eq!((gzip.as_ptr(), brotli.as_ptr()), (text.gzip().as_ptr(), text.brotli().as_ptr()));
    }
}
