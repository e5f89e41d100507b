//! Keys in the description (RFC 4568).

use base64::prelude::{BASE64_STANDARD, Engine as _};

/// Ciphers we know, the safest first (RFC 4568 §6.2).
pub(super) const SUITES: [(Suite, &str); 2] = [
    (Suite::AesCm128HmacSha1Tag80, "AES_CM_128_HMAC_SHA1_80"),
    (Suite::AesCm128HmacSha1Tag32, "AES_CM_128_HMAC_SHA1_32"),
];

/// How sound is encrypted (RFC 4568 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1Tag80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1Tag32,
}

/// What was agreed on about encryption: master keys with their salts, as they stand behind `inline:`. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Crypto {
    pub(super) tag: u32,
    /// Of both directions.
    pub suite: Suite,
    /// Of what the offerer sends.
    pub theirs: [u8; 30],
    /// The identifier that stands in what the offerer sends, where it says one. What we send as his answerer has the same.
    pub their_mki: Option<Mki>,
    /// Of what we send; none until [`Agreed::secure`](super::Agreed::secure).
    pub ours: Option<[u8; 30]>,
    /// See [`Self::their_mki`].
    pub our_mki: Option<Mki>,
}

/// Identifies a master key in each packet (RFC 4568 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mki {
    /// Is no longer than its bytes.
    pub value: u64,
    /// How many bytes it has, from 1.
    pub bytes: u8,
}

/// The longest identifier (RFC 4568 §9.2).
const MKI_BYTES_MAX: u8 = 128;

impl Mki {
    /// `1:4` is 1 in four bytes.
    fn parse(text: &str) -> Option<Self> {
        let (value, bytes) = text.split_once(':')?;
        let (value, bytes) = (value.parse::<u64>().ok()?, bytes.parse::<u8>().ok()?);
        let fits = bytes >= 8 || value >> (8 * u32::from(bytes)) == 0;
        ((1..=MKI_BYTES_MAX).contains(&bytes) && fits).then_some(Self { value, bytes })
    }
}

impl std::fmt::Debug for Crypto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crypto").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// One `a=crypto` (RFC 4568 §9.1). One with several keys or session parameters is not for us: what it wants, we don't do.
pub(super) fn crypto(value: &str) -> Option<Crypto> {
    let mut words = value.split_whitespace();
    let (tag, suite, key) = (words.next()?, words.next()?, words.next()?);
    let (suite, _) = SUITES.iter().find(|(_, name)| name.eq_ignore_ascii_case(suite))?;
    let key = key.strip_prefix("inline:").filter(|key| words.next().is_none() && !key.contains(';'))?;
    let (key, rest) = key.split_once('|').unwrap_or((key, ""));
    // A lifetime before it is longer than any call.
    let their_mki = match rest.rsplit('|').next().filter(|last| last.contains(':')) {
        Some(mki) => Some(Mki::parse(mki)?),
        None => None,
    };
    let theirs = BASE64_STANDARD.decode(key).ok()?.try_into().ok()?;
    let is_plain = rest.matches(':').count() == usize::from(their_mki.is_some());
    is_plain.then_some(Crypto { tag: tag.parse().ok()?, suite: *suite, theirs, their_mki, ours: None, our_mki: None })
}

impl Crypto {
    /// The line of our answer; none before there is a key of ours.
    pub(super) fn line(&self) -> Option<String> {
        let (_, name) = SUITES.iter().find(|(known, _)| *known == self.suite)?;
        let key = BASE64_STANDARD.encode(self.ours?);
        // There are readers that want the lifetime said before an identifier. It is years of sound.
        let mki = self.our_mki.map(|Mki { value, bytes }| format!("|2^31|{value}:{bytes}")).unwrap_or_default();
        Some(format!("a=crypto:{} {name} inline:{key}{mki}\r\n", self.tag))
    }
}
