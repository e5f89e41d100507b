//! Which sources (SSRCs) are a publisher's: those of which a packet was opened by his keys. Who sends in his name, from an address that
//! is not even his, has none of them; the WebRTC library takes a source for his, and for one of his tracks in the place of the one
//! before, by a packet's open head alone (RFC 9143 §15), and remembers it for ever.

use std::sync::Arc;

use str0m::config::CryptoProvider;

use crate::{guard::Why, handshake::KeysOf, srtp::Opener};

/// Sources of one connection: microphone, three layers each of camera and screen, retransmissions of those are thirteen. One that
/// changes with every packet would fill the library's memory.
const SOURCES_MAX: usize = 64;

pub(crate) struct Ingress {
    keys: KeysOf,
    provider: Arc<CryptoProvider>,
    /// From the first packet after the handshake on.
    opener: Option<Opener>,
    known: Vec<u32>,
    /// What is opened, to see that it can be.
    opened: Vec<u8>,
}

impl Ingress {
    pub(crate) fn new(keys: KeysOf, provider: Arc<CryptoProvider>) -> Self {
        Self { keys, provider, opener: None, known: Vec::new(), opened: Vec::new() }
    }

    /// Whether the library may look at a packet; what has no source it may.
    pub(crate) fn admit(&mut self, datagram: &[u8]) -> Result<(), Why> {
        let Some(ssrc) = source(datagram).filter(|ssrc| !self.known.contains(ssrc)) else { return Ok(()) };
        if self.known.len() >= SOURCES_MAX {
            return Err(Why::Sources);
        }
        if !self.is_his(ssrc, datagram) {
            return Err(Why::Stranger);
        }
        self.known.push(ssrc);
        Ok(())
    }

    fn is_his(&mut self, ssrc: u32, datagram: &[u8]) -> bool {
        if self.opener.is_none() {
            self.opener = self.keys.copy().and_then(|keys| Opener::new(&self.provider, &keys));
        }
        let (Some(opener), Some(header)) = (&mut self.opener, header_bytes(datagram)) else { return false };
        let seq = u16::from_be_bytes([datagram[2], datagram[3]]);
        self.opened.clear();
        // The library counts from there too (RFC 3711 §3.3.1).
        opener.open(ssrc, seq.into(), header, datagram, &mut self.opened)
    }
}

/// The SSRC of a packet of media (RFC 3550 §5.1), told from reports by RFC 5761 §4.
pub(crate) fn source(datagram: &[u8]) -> Option<u32> {
    let [first, kind, ..] = *datagram else { return None };
    let is_media = matches!(first, 128..=191) && !matches!(kind, 192..=223);
    is_media.then(|| datagram.get(8..12)?.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc))).flatten()
}

/// All before the payload: what is not encrypted (RFC 3711 §3.1).
fn header_bytes(datagram: &[u8]) -> Option<usize> {
    let first = *datagram.first()?;
    let fixed = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 == 0 {
        return Some(fixed);
    }
    let [_, _, high, low] = *datagram.get(fixed..)?.first_chunk()?;
    Some(fixed + 4 + 4 * usize::from(u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use str0m::crypto::dtls::SrtpProfile;

    use super::*;
    use crate::{
        handshake,
        srtp::{Keys, Srtp},
    };

    fn keys(is_client: bool) -> Keys {
        Keys { profile: SrtpProfile::AEAD_AES_128_GCM, material: (0..56).collect(), is_client }
    }

    /// With an extension of one word.
    fn packet(ssrc: u32, srtp: &mut Srtp) -> Vec<u8> {
        const HEADER: usize = 20;
        let mut packet = vec![0; HEADER + 50 + srtp.tag_bytes()];
        packet[..4].copy_from_slice(&[0x90, 111, 0, 7]);
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        packet[12..16].copy_from_slice(&[0xbe, 0xde, 0, 1]);
        assert!(srtp.protect(ssrc, 7, HEADER, &[5; 50], &mut packet));
        packet
    }

    #[test]
    fn what_others_send_in_his_name_takes_none_of_his_sources() {
        let provider = Arc::new(handshake::provider());
        let mut his = Srtp::new(&provider, &keys(true)).unwrap();
        let of = KeysOf::default();
        let mut ingress = Ingress::new(of.clone(), Arc::clone(&provider));
        let first = packet(1, &mut his);
        assert_eq!(ingress.admit(&first), Err(Why::Stranger), "before the handshake");
        of.put(keys(false));
        for ssrc in 0..10_000 {
            let mut forged = packet(ssrc, &mut his);
            forged[30] ^= 1;
            assert_eq!(ingress.admit(&forged), Err(Why::Stranger), "{ssrc}");
        }
        for ssrc in 0..1_000 {
            let expected = if ssrc < SOURCES_MAX as u32 { Ok(()) } else { Err(Why::Sources) };
            assert_eq!(ingress.admit(&packet(ssrc, &mut his)), expected, "{ssrc}");
        }
        assert_eq!(ingress.admit(&packet(7, &mut his)), Ok(()), "known ones go on");
        // Reports, checks and handshakes have no source.
        for datagram in [&[0x80, 201, 0, 1, 0, 0, 0, 9, 0, 0, 0, 9][..], &[0, 1], &[0x80], &[]] {
            assert_eq!(ingress.admit(datagram), Ok(()));
        }
    }

    #[test]
    fn a_head_that_does_not_fit_is_nobodys() {
        let of = KeysOf::default();
        of.put(keys(false));
        let mut ingress = Ingress::new(of, Arc::new(handshake::provider()));
        for datagram in [&[0x80, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0x9f; 14], &[0x90; 30], &[0xbf; 200]] {
            assert_eq!(ingress.admit(datagram), Err(Why::Stranger));
        }
    }
}
