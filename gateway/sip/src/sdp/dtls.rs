//! What a session description says of DTLS-SRTP (RFC 5763): whose certificate is believed (RFC 8122), who begins the handshake
//! (RFC 4145), and whether it is the association there is (RFC 8842).

use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

/// Certificates one m-line may name; more are not read.
const FINGERPRINTS_MAX: usize = 8;

/// The longest name of an association (RFC 8842 §5.1).
const TLS_ID_MAX: usize = 255;

/// What a fingerprint is made by (RFC 8122 §5), the weakest first. MD2 and MD5 are never believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// Only where nothing better is offered.
    Sha1,
    /// `sha-224`.
    Sha224,
    /// `sha-256`, as ours is.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

/// Name in SDP and bytes of each.
const HASHES: [(Hash, &str, usize); 5] = [
    (Hash::Sha1, "sha-1", 20),
    (Hash::Sha224, "sha-224", 28),
    (Hash::Sha256, "sha-256", 32),
    (Hash::Sha384, "sha-384", 48),
    (Hash::Sha512, "sha-512", 64),
];

/// Of a certificate in DER. Prints as it stands behind `a=fingerprint:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Made by this.
    pub hash: Hash,
    /// As many bytes as the hash has.
    pub digest: Vec<u8>,
}

impl Fingerprint {
    fn parse(value: &str) -> Option<Self> {
        let (name, digits) = value.trim().split_once(' ')?;
        let (hash, _, len) = HASHES.into_iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name))?;
        // `from_str_radix` takes a sign for a digit.
        let is_pair = |digits: &str| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let pair = |digits: &str| is_pair(digits).then(|| u8::from_str_radix(digits, 16).ok()).flatten();
        let digest: Vec<u8> = digits.trim().split(':').take(len + 1).map(pair).collect::<Option<_>>()?;
        (digest.len() == len).then_some(Self { hash, digest })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = HASHES.iter().find(|(hash, ..)| *hash == self.hash).map_or("", |(_, name, _)| *name);
        f.write_str(name)?;
        let mut before = ' ';
        for byte in &self.digest {
            write!(f, "{before}{byte:02X}")?;
            before = ':';
        }
        Ok(())
    }
}

/// Who begins (RFC 4145 §4), as the other side says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    ActPass,
    /// Nobody, for the time being.
    HoldConn,
}

/// What was agreed on about DTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dtls {
    /// The other side's certificate is one of these; all of one hash, the strongest there was (RFC 8122 §5).
    pub theirs: Vec<Fingerprint>,
    /// We begin the handshake.
    pub active: bool,
    /// What the other side calls the association; another name is another association.
    pub tls_id: Option<String>,
    /// The other side leaves it to us who begins.
    either: bool,
    ours: Option<Fingerprint>,
}

impl Dtls {
    /// Takes our certificate. Who began last time does so again where that is left to us: else it would be another association
    /// (RFC 8842 §5.5).
    pub(super) fn certify(&mut self, ours: &Fingerprint, was_active: Option<bool>) {
        self.ours = Some(ours.clone());
        if self.either {
            self.active = was_active.unwrap_or(false);
        }
    }

    pub(super) fn write(&self, text: &mut String) {
        let Some(ours) = &self.ours else { return };
        let setup = if self.active { "active" } else { "passive" };
        let _ = write!(text, "a=setup:{setup}\r\na=fingerprint:{ours}\r\n");
        if let Some(theirs) = &self.tls_id {
            // New where theirs is new, and the same where it is the same.
            let id = Sha256::new().chain_update(&ours.digest).chain_update(theirs).finalize();
            let _ = write!(text, "a=tls-id:{}\r\n", hex::encode(&id[..16]));
        }
    }
}

/// The lines of an offer of ours: either side may begin.
pub(super) fn write_offer(ours: &Fingerprint, text: &mut String) {
    let _ = write!(text, "a=setup:actpass\r\na=fingerprint:{ours}\r\n");
}

/// The lines of a session or of one of its m-lines.
#[derive(Debug, Default)]
pub(super) struct Said {
    fingerprints: Vec<Fingerprint>,
    setup: Option<Setup>,
    tls_id: Option<String>,
}

impl Said {
    /// Whether the line was one of these.
    pub(super) fn read(&mut self, line: &str) -> bool {
        if let Some(value) = line.strip_prefix("a=fingerprint:") {
            if self.fingerprints.len() < FINGERPRINTS_MAX {
                self.fingerprints.extend(Fingerprint::parse(value));
            }
        } else if let Some(value) = line.strip_prefix("a=setup:") {
            self.setup = match value.trim() {
                "active" => Some(Setup::Active),
                "passive" => Some(Setup::Passive),
                "actpass" => Some(Setup::ActPass),
                "holdconn" => Some(Setup::HoldConn),
                _ => None,
            };
        } else if let Some(value) = line.strip_prefix("a=tls-id:") {
            self.tls_id = Some(value.trim()).filter(|id| !id.is_empty() && id.len() <= TLS_ID_MAX).map(str::to_owned);
        } else {
            return false;
        }
        true
    }

    /// What the session says holds for m-lines that say nothing else.
    pub(super) fn inherit(&mut self, session: &Self) {
        if self.fingerprints.is_empty() {
            self.fingerprints.clone_from(&session.fingerprints);
        }
        self.setup = self.setup.or(session.setup);
        if self.tls_id.is_none() {
            self.tls_id.clone_from(&session.tls_id);
        }
    }

    /// What of it can be done; none without a certificate that can be believed, or where there is to be no connection.
    pub(super) fn agreed(&self) -> Option<Dtls> {
        let strongest = self.fingerprints.iter().map(|fingerprint| fingerprint.hash).max()?;
        if self.setup == Some(Setup::HoldConn) {
            return None;
        }
        Some(Dtls {
            theirs: self.fingerprints.iter().filter(|one| one.hash == strongest).cloned().collect(),
            // Where it is left to us the telephone begins: it may be behind a NAT, where nothing of ours comes through before
            // something of its own has gone out.
            active: self.setup == Some(Setup::Passive),
            either: self.setup == Some(Setup::ActPass),
            tls_id: self.tls_id.clone(),
            ours: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8122 §5
    #[test]
    fn fingerprints_are_read_and_written() {
        let check = |value: &str, expected: bool| assert_eq!(Fingerprint::parse(value).is_some(), expected, "{value}");
        let of = |len: usize| vec!["4A"; len].join(":");
        for (name, len) in [("sha-1", 20), ("sha-224", 28), ("SHA-256", 32), ("sha-384", 48), ("sha-512", 64)] {
            check(&format!("{name} {}", of(len)), true);
            check(&format!("{name} {}", of(len - 1)), false);
            check(&format!("{name} {}", of(len + 1)), false);
        }
        check(&format!("md5 {}", of(16)), false);
        check(&format!("md2 {}", of(16)), false);
        check(&format!("sha-256 {}", of(32).replace("4A", "4G")), false);
        check(&format!("sha-256 {}", of(32).replace("4A", "+A")), false);
        check("sha-256", false);
        check("", false);
        let text = format!("sha-256 {}", of(32));
        assert_eq!(Fingerprint::parse(&text.to_lowercase()).unwrap().to_string(), text);
    }
}
