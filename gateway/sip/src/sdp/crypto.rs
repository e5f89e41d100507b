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
    /// Of what we send; none until [`Agreed::secure`](super::Agreed::secure).
    pub ours: Option<[u8; 30]>,
}

impl std::fmt::Debug for Crypto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crypto").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// One `a=crypto` (RFC 4568 §9.1). One with a key identifier or session parameters is not for us: what it wants, we
/// don't do.
pub(super) fn crypto(value: &str) -> Option<Crypto> {
    let mut words = value.split_whitespace();
    let (tag, suite, key) = (words.next()?, words.next()?, words.next()?);
    let (suite, _) = SUITES.iter().find(|(_, name)| name.eq_ignore_ascii_case(suite))?;
    let (key, rest) = key.strip_prefix("inline:").map(|key| key.split_once('|').unwrap_or((key, "")))?;
    let is_plain = words.next().is_none() && !rest.contains(':') && !key.contains(';');
    let theirs = BASE64_STANDARD.decode(key).ok()?.try_into().ok()?;
    is_plain.then_some(Crypto { tag: tag.parse().ok()?, suite: *suite, theirs, ours: None })
}
