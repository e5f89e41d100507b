//! Protection of what a subscriber is sent and of his reports: SRTP's keys, numbers and tags (RFC 3711, RFC 7714), with the
//! WebRTC library's ciphers.

use media::{REPLAY_WINDOW, Replays, SeenNumbers, Ssrc};
use str0m::{
    config::CryptoProvider,
    crypto::{
        AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, Sha1HmacProvider, SrtpProvider,
        dtls::SrtpProfile,
    },
};

/// Bytes that a tag adds to a packet at most (RFC 7714 §12).
pub(crate) const TAG_BYTES: usize = 16;

/// The tag of the older ciphers (RFC 3711 §4.2).
const HMAC_TAG_BYTES: usize = 10;

/// The index of a report, and whether it is encrypted (RFC 3711 §3.4).
const INDEX_BYTES: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Of a report: its first header and SSRC stay readable.
const REPORT_HEADER: usize = 8;

/// Senders of one browser's reports whose numbers are kept: it has two, and more where it sends pictures of its own beside.
const REPORTERS_MAX: usize = 32;

/// What a handshake has agreed on (RFC 5764 §4.2).
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) profile: SrtpProfile,
    /// The client's key, the server's, and their salts in this order.
    pub(crate) material: Vec<u8>,
    /// We were the client of the handshake.
    pub(crate) is_client: bool,
}

enum Cipher {
    Gcm128(Box<dyn AeadAes128GcmCipher>),
    Gcm256(Box<dyn AeadAes256GcmCipher>),
    Counter { cipher: Box<dyn Aes128CmSha1_80Cipher>, authentication: [u8; 20], hmac: &'static dyn Sha1HmacProvider },
}

/// One kind of packets in one direction.
struct Session {
    cipher: Cipher,
    salt: [u8; 14],
}

/// Which derived keys these are (RFC 3711 §4.3.1).
#[derive(Clone, Copy)]
enum Of {
    Media = 0,
    Reports = 3,
}

impl Session {
    fn new(crypto: &CryptoProvider, profile: SrtpProfile, master: &[u8], salt: &[u8], of: Of, seals: bool) -> Self {
        let srtp = crypto.srtp_provider;
        let of = of as u8;
        let mut session_salt = [0; 14];
        derive(srtp, master, salt, of + 2, &mut session_salt[..salt.len()]);
        let (mut short, mut long) = ([0; 16], [0; 32]);
        let cipher = match profile {
            SrtpProfile::AEAD_AES_256_GCM => {
                derive(srtp, master, salt, of, &mut long);
                Cipher::Gcm256(srtp.aead_aes_256_gcm().create_cipher(long, seals))
            }
            SrtpProfile::AEAD_AES_128_GCM => {
                derive(srtp, master, salt, of, &mut short);
                Cipher::Gcm128(srtp.aead_aes_128_gcm().create_cipher(short, seals))
            }
            _ => {
                derive(srtp, master, salt, of, &mut short);
                let mut authentication = [0; 20];
                derive(srtp, master, salt, of + 1, &mut authentication);
                let cipher = srtp.aes_128_cm_sha1_80().create_cipher(short, seals);
                Cipher::Counter { cipher, authentication, hmac: crypto.sha1_hmac_provider }
            }
        };
        Self { cipher, salt: session_salt }
    }

    fn tag_bytes(&self) -> usize {
        if matches!(self.cipher, Cipher::Counter { .. }) { HMAC_TAG_BYTES } else { TAG_BYTES }
    }

    /// RFC 7714 §8.1 and §9.1.
    fn gcm_iv(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut iv = [0; 12];
        iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
        iv[6..].copy_from_slice(&index.to_be_bytes()[2..]);
        iv.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte ^= salt);
        iv
    }

    /// RFC 3711 §4.1.1.
    fn counter_iv(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[4..8].copy_from_slice(&ssrc.to_be_bytes());
        iv[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
        iv.iter_mut().zip(self.salt).for_each(|(byte, salt)| *byte ^= salt);
        iv
    }
}

/// RFC 3711 §4.3.3.
fn derive(srtp: &dyn SrtpProvider, master: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut input = [0; 16];
    input[..salt.len()].copy_from_slice(salt);
    input[7] ^= label;
    for (round, part) in out.chunks_mut(16).enumerate() {
        input[15] = round as u8;
        let mut block = [0; 32];
        if master.len() == 32 {
            srtp.srtp_aes_256_ecb_round(master, &input, &mut block);
        } else {
            srtp.srtp_aes_128_ecb_round(master, &input, &mut block);
        }
        part.copy_from_slice(&block[..part.len()]);
    }
}

/// A key and its salt, ours and his.
type Halves<'a> = [(&'a [u8], &'a [u8]); 2];

impl Keys {
    /// None where the handshake agreed on what we have no ciphers for.
    fn halves(&self) -> Option<Halves<'_>> {
        let (key, salt) = match self.profile {
            SrtpProfile::AEAD_AES_256_GCM => (32, 12),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12),
            SrtpProfile::AES128_CM_SHA1_80 => (16, 14),
            _ => return None,
        };
        let (keys, salts) = self.material.split_at_checked(2 * key)?;
        let (client, server) = keys.split_at(key);
        let (client_salt, rest) = salts.split_at_checked(salt)?;
        let (client, server) = ((client, client_salt), (server, rest.get(..salt)?));
        Some(if self.is_client { [client, server] } else { [server, client] })
    }
}

/// Opens the media that comes the other way.
pub(crate) struct Opener(Session);

impl Opener {
    /// None where the handshake agreed on what we have no keys for.
    pub(crate) fn new(crypto: &CryptoProvider, keys: &Keys) -> Option<Self> {
        let [_, (key, salt)] = keys.halves()?;
        Some(Self(Session::new(crypto, keys.profile, key, salt, Of::Media, false)))
    }

    /// Adds the payload of a packet to `out`. False where it is not his.
    pub(crate) fn open(&mut self, ssrc: u32, seq: u64, header: usize, datagram: &[u8], out: &mut Vec<u8>) -> bool {
        let Self(session) = self;
        let Some(size) = datagram.len().checked_sub(header + session.tag_bytes()) else { return false };
        let (head, sealed) = datagram.split_at(header);
        let (gcm_iv, counter_iv) = (session.gcm_iv(ssrc, seq), session.counter_iv(ssrc, seq));
        let start = out.len();
        out.resize(start + size, 0);
        let place = &mut out[start..];
        let opened = match &mut session.cipher {
            Cipher::Gcm128(cipher) => cipher.decrypt(&gcm_iv, &[head], sealed, place).is_ok(),
            Cipher::Gcm256(cipher) => cipher.decrypt(&gcm_iv, &[head], sealed, place).is_ok(),
            Cipher::Counter { cipher, authentication, hmac } => {
                let (body, tag) = sealed.split_at(size);
                let roc = ((seq >> 16) as u32).to_be_bytes();
                let expected = hmac.sha1_hmac(authentication, &[head, body, &roc]);
                expected[..HMAC_TAG_BYTES] == *tag && cipher.decrypt(&counter_iv, body, place).is_ok()
            }
        };
        if !opened {
            out.truncate(start);
        }
        opened
    }
}

/// Protects reports of ours.
pub(crate) struct Reports {
    session: Session,
    index: u32,
}

impl Reports {
    /// None where the handshake agreed on what we have no keys for.
    pub(crate) fn new(crypto: &CryptoProvider, keys: &Keys) -> Option<Self> {
        let [(key, salt), _] = keys.halves()?;
        Some(Self { session: Session::new(crypto, keys.profile, key, salt, Of::Reports, true), index: 0 })
    }

    /// A report as it is sent.
    pub(crate) fn protect(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        let index = self.index;
        self.index = (index + 1) & !ENCRYPTED;
        let session = &mut self.session;
        let (head, body) = report.split_at_checked(REPORT_HEADER)?;
        let ssrc = u32::from_be_bytes(*head.last_chunk()?);
        let (gcm_iv, counter_iv) = (session.gcm_iv(ssrc, index.into()), session.counter_iv(ssrc, index.into()));
        let flagged = (ENCRYPTED | index).to_be_bytes();
        let associated = associated(head, flagged);
        let mut out = vec![0; report.len() + INDEX_BYTES + session.tag_bytes()];
        out[..REPORT_HEADER].copy_from_slice(head);
        let end = report.len();
        match &mut session.cipher {
            Cipher::Gcm128(cipher) => {
                cipher.encrypt(&gcm_iv, &associated, body, &mut out[REPORT_HEADER..end + TAG_BYTES]).ok()?;
                out[end + TAG_BYTES..].copy_from_slice(&flagged);
            }
            Cipher::Gcm256(cipher) => {
                cipher.encrypt(&gcm_iv, &associated, body, &mut out[REPORT_HEADER..end + TAG_BYTES]).ok()?;
                out[end + TAG_BYTES..].copy_from_slice(&flagged);
            }
            Cipher::Counter { cipher, authentication, hmac } => {
                cipher.encrypt(&counter_iv, body, &mut out[REPORT_HEADER..end]).ok()?;
                out[end..end + INDEX_BYTES].copy_from_slice(&flagged);
                let (signed, tag) = out.split_at_mut(end + INDEX_BYTES);
                tag.copy_from_slice(&hmac.sha1_hmac(authentication, &[signed])[..HMAC_TAG_BYTES]);
            }
        }
        Some(out)
    }
}

/// Protects one way, and opens the reports that come the other.
pub(crate) struct Srtp {
    media: Session,
    reports: Reports,
    incoming: Session,
    /// By who reports. Browsers report on voices and on pictures as two senders, and each counts for itself (RFC 3711 §3.2.3).
    reporters: Replays<REPORTERS_MAX>,
}

impl Srtp {
    /// None where the handshake agreed on what we have no keys for.
    pub(crate) fn new(crypto: &CryptoProvider, keys: &Keys) -> Option<Self> {
        let [ours, theirs] = keys.halves()?;
        let session = |(key, salt): (&[u8], &[u8]), of, seals| Session::new(crypto, keys.profile, key, salt, of, seals);
        Some(Self {
            media: session(ours, Of::Media, true),
            reports: Reports { session: session(ours, Of::Reports, true), index: 0 },
            incoming: session(theirs, Of::Reports, false),
            reporters: Replays::default(),
        })
    }

    pub(crate) fn tag_bytes(&self) -> usize {
        self.media.tag_bytes()
    }

    /// Writes the payload and its tag behind the header, which is `header` bytes of `out`. False when the cipher failed.
    pub(crate) fn protect(&mut self, ssrc: u32, seq: u64, header: usize, payload: &[u8], out: &mut [u8]) -> bool {
        let session = &mut self.media;
        let (gcm_iv, counter_iv) = (session.gcm_iv(ssrc, seq), session.counter_iv(ssrc, seq));
        let (head, body) = out.split_at_mut(header);
        let sealed = match &mut session.cipher {
            Cipher::Gcm128(cipher) => cipher.encrypt(&gcm_iv, head, payload, body),
            Cipher::Gcm256(cipher) => cipher.encrypt(&gcm_iv, head, payload, body),
            Cipher::Counter { cipher, authentication, hmac } => {
                let (body, tag) = body.split_at_mut(payload.len());
                let sealed = cipher.encrypt(&counter_iv, payload, body);
                let roc = ((seq >> 16) as u32).to_be_bytes();
                tag.copy_from_slice(&hmac.sha1_hmac(authentication, &[head, body, &roc])[..HMAC_TAG_BYTES]);
                sealed
            }
        };
        sealed.is_ok()
    }

    /// A report of ours as it is sent.
    pub(crate) fn protect_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        self.reports.protect(report)
    }

    /// His reports in the clear; none where they are not his, or came before.
    pub(crate) fn open_reports(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let session = &mut self.incoming;
        let tag = session.tag_bytes();
        let size = datagram.len().checked_sub(INDEX_BYTES + tag).filter(|size| *size >= REPORT_HEADER)?;
        let head = &datagram[..REPORT_HEADER];
        let ssrc = u32::from_be_bytes(*head.last_chunk()?);
        let is_counter = matches!(session.cipher, Cipher::Counter { .. });
        let at = if is_counter { size } else { size + tag };
        let flagged: [u8; INDEX_BYTES] = *datagram[at..].first_chunk()?;
        let (is_encrypted, index) =
            (u32::from_be_bytes(flagged) & ENCRYPTED != 0, u32::from_be_bytes(flagged) & !ENCRYPTED);
        let seen = self.reporters.of(Ssrc(ssrc), SeenNumbers::default());
        // What is not encrypted nobody sends.
        if !is_encrypted || !seen.is_new(index.into(), REPLAY_WINDOW) {
            return None;
        }
        let (gcm_iv, counter_iv) = (session.gcm_iv(ssrc, index.into()), session.counter_iv(ssrc, index.into()));
        let associated = associated(head, flagged);
        let mut out = vec![0; size];
        out[..REPORT_HEADER].copy_from_slice(head);
        let sealed = &datagram[REPORT_HEADER..];
        match &mut session.cipher {
            Cipher::Gcm128(cipher) => {
                let sealed = &sealed[..sealed.len() - INDEX_BYTES];
                cipher.decrypt(&gcm_iv, &[&associated], sealed, &mut out[REPORT_HEADER..]).ok()?;
            }
            Cipher::Gcm256(cipher) => {
                let sealed = &sealed[..sealed.len() - INDEX_BYTES];
                cipher.decrypt(&gcm_iv, &[&associated], sealed, &mut out[REPORT_HEADER..]).ok()?;
            }
            Cipher::Counter { cipher, authentication, hmac } => {
                let (signed, tag) = datagram.split_at(size + INDEX_BYTES);
                let expected = hmac.sha1_hmac(authentication, &[signed]);
                // In a time that does not tell how much of it was right.
                let differs = expected.iter().zip(tag).fold(0, |differs, (ours, his)| differs | (ours ^ his));
                if differs != 0 {
                    return None;
                }
                let body = &datagram[REPORT_HEADER..size];
                cipher.decrypt(&counter_iv, body, &mut out[REPORT_HEADER..]).ok()?;
            }
        }
        self.reporters.note(Ssrc(ssrc), seen, index.into());
        Some(out)
    }
}

fn associated(head: &[u8], flagged: [u8; INDEX_BYTES]) -> [u8; REPORT_HEADER + INDEX_BYTES] {
    let mut associated = [0; REPORT_HEADER + INDEX_BYTES];
    associated[..REPORT_HEADER].copy_from_slice(head);
    associated[REPORT_HEADER..].copy_from_slice(&flagged);
    associated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(profile: SrtpProfile, bytes: u8) -> (Srtp, Srtp) {
        let crypto = str0m::crypto::from_feature_flags();
        let material: Vec<u8> = (0..bytes).collect();
        let side = |is_client| Srtp::new(&crypto, &Keys { profile, material: material.clone(), is_client }).unwrap();
        (side(true), side(false))
    }

    #[test]
    fn reports_are_opened_once_and_only_unchanged() {
        let profiles = [
            (SrtpProfile::AEAD_AES_256_GCM, 88),
            (SrtpProfile::AEAD_AES_128_GCM, 56),
            (SrtpProfile::AES128_CM_SHA1_80, 60),
        ];
        for (profile, bytes) in profiles {
            let (mut client, mut server) = pair(profile, bytes);
            let report: Vec<u8> = (0..40).collect();
            let sealed: Vec<_> = (0..100).map(|_| client.protect_report(&report).unwrap()).collect();
            assert!(!sealed[0].windows(8).any(|part| part == &report[20..28]), "{profile}: readable");
            assert_eq!(server.open_reports(&sealed[70]).as_ref(), Some(&report), "{profile}");
            assert_eq!(server.open_reports(&sealed[70]), None, "{profile}: a second time");
            assert_eq!(server.open_reports(&sealed[69]).as_ref(), Some(&report), "{profile}: overtaken");
            assert_eq!(server.open_reports(&sealed[6]), None, "{profile}: too old to know");
            let mut changed = sealed[71].clone();
            changed[9] ^= 1;
            assert_eq!(server.open_reports(&changed), None, "{profile}: changed");
            assert_eq!(server.open_reports(&sealed[71]).as_ref(), Some(&report), "{profile}");
            for cut in 0..sealed[72].len() {
                assert_eq!(server.open_reports(&sealed[72][..cut]), None, "{profile}: cut to {cut}");
            }
        }
    }

    #[test]
    fn each_sender_of_reports_counts_for_itself() {
        let (profile, bytes) = (SrtpProfile::AEAD_AES_128_GCM, 56);
        let (mut of_voices, mut server) = pair(profile, bytes);
        let report = |ssrc: u32| [[0x81, 201, 0, 7], ssrc.to_be_bytes(), [0; 4]].concat();
        for _ in 0..100 {
            let sealed = of_voices.protect_report(&report(7)).unwrap();
            assert!(server.open_reports(&sealed).is_some());
        }
        let (mut of_pictures, _) = pair(profile, bytes);
        let sealed = of_pictures.protect_report(&report(1)).unwrap();
        assert_eq!(server.open_reports(&sealed), Some(report(1)));
        assert_eq!(server.open_reports(&sealed), None);
        // More of them than are kept are heard all the same, the last ones once.
        for ssrc in 8..1_000 {
            let sealed = pair(profile, bytes).0.protect_report(&report(ssrc)).unwrap();
            assert!(server.open_reports(&sealed).is_some(), "{ssrc}");
            assert_eq!(server.open_reports(&sealed), None, "{ssrc}");
        }
    }

    #[test]
    fn what_one_side_protects_the_other_opens() {
        let profiles = [
            (SrtpProfile::AEAD_AES_256_GCM, 88),
            (SrtpProfile::AEAD_AES_128_GCM, 56),
            (SrtpProfile::AES128_CM_SHA1_80, 60),
        ];
        for (profile, bytes) in profiles {
            let (_, mut server) = pair(profile, bytes);
            let crypto = str0m::crypto::from_feature_flags();
            let keys = Keys { profile, material: (0..bytes).collect(), is_client: true };
            let mut opener = Opener::new(&crypto, &keys).unwrap();
            let (header, payload) = ([0x80; 12], [7; 50]);
            let mut out = vec![0; header.len() + payload.len() + server.tag_bytes()];
            out[..12].copy_from_slice(&header);
            assert!(server.protect(9, 70_000, 12, &payload, &mut out));
            let mut opened = Vec::new();
            assert!(!opener.open(9, 4_464, 12, &out, &mut opened), "{profile}: another rollover");
            assert!(opener.open(9, 70_000, 12, &out, &mut opened), "{profile}");
            assert_eq!(opened, payload, "{profile}");
        }
    }

    // RFC 7714 §16.1.1, with the session key of that example.
    #[test]
    fn a_packet_is_protected_as_the_standard_has_it() {
        let bytes = |hex: &str| -> Vec<u8> {
            hex.as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let crypto = str0m::crypto::from_feature_flags();
        let key: [u8; 16] = std::array::from_fn(|at| at as u8);
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(&bytes("517569642070726f2071756f"));
        let (mut srtp, _) = pair(SrtpProfile::AEAD_AES_128_GCM, 56);
        srtp.media =
            Session { cipher: Cipher::Gcm128(crypto.srtp_provider.aead_aes_128_gcm().create_cipher(key, true)), salt };
        let header = bytes("8040f17b8041f8d35501a0b2");
        let payload = bytes("47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573");
        let mut out = vec![0; header.len() + payload.len() + TAG_BYTES];
        out[..header.len()].copy_from_slice(&header);
        assert!(srtp.protect(0x5501_a0b2, 0xf17b, header.len(), &payload, &mut out));
        let expected = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
        assert_eq!(out, bytes(expected));
    }
}
