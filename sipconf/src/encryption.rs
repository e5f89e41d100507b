//! How the sound of calls we make is encrypted (P7). Calls that come are answered as they were offered.

use serde::Deserialize;

/// Of one carrier or account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Not at all.
    #[default]
    None,
    /// By a key in the session description (RFC 4568): whoever reads the SIP messages can decrypt.
    Sdes,
    /// By a handshake on the way the sound goes (RFC 5763, DTLS-SRTP).
    Dtls,
}
