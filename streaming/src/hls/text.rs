//! A playlist's text, as it is and packed (RFC 1952): packed once for all who can unpack.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

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
}

impl Text {
    pub(crate) fn new(plain: Bytes) -> Self {
        Self(Arc::new(Inner { plain, gzip: OnceLock::new() }))
    }

    pub(crate) fn plain(&self) -> Bytes {
        self.0.plain.clone()
    }

    pub(crate) fn gzip(&self) -> Bytes {
        self.0.gzip.get_or_init(|| pack(&self.0.plain)).clone()
    }
}

fn pack(plain: &[u8]) -> Bytes {
    // Playlists are all alike: more effort saves a few bytes in a hundred.
    let mut packer = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    let packed = packer.write_all(plain).and_then(|()| packer.finish());
    packed.expect("writing to memory doesn't fail").into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_packed_is_the_same() {
        let text = Text::new(Bytes::from("#EXTM3U\n".repeat(100)));
        let packed = text.gzip();
        assert!(packed.len() < 100);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, text.plain());
    }
}
