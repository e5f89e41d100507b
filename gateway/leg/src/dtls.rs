//! The handshake that gives a leg its keys (RFC 5763, RFC 5764). `rtc-dtls` speaks DTLS 1.2; here is who may begin, how much of
//! it, and whose certificate is believed.
//!
//! A stranger may send ClientHellos as he likes (CVE-2023-49786): what comes from where no peer can be is not read at all,
//! each source has handshakes of its own, a handshake is worth little until its return path is proven by the cookie
//! (RFC 6347 §4.2.1), and how many are begun, how long they may take and how much they may bring have bounds.

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, HandshakeConfig},
    crypto::Certificate,
    crypto_provider::{RTCCryptoProvider, providers::RingProvider},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::srtp::{SrtpKey, SrtpKeys, SrtpSuite};

/// Handshakes of one kind of source at once: the address of the SDP, or all others. One is a telephone's, the other somebody's who
/// claims to be there.
const ATTEMPTS_MAX: usize = 2;

/// Handshakes a kind of source may begin at once, and then one each [`NEXT_HELLO`]: a telephone begins one a call. A hello costs
/// about a tenth of a millisecond.
const HELLOS_MAX: u32 = 4;

/// See [`HELLOS_MAX`].
const NEXT_HELLO: Duration = Duration::from_millis(500);

/// A hello without its cookie keeps its place for this long; then another may have it. Over a telephone network the answer takes
/// a tenth of that.
const UNPROVEN_LIFE: Duration = Duration::from_secs(1);

/// A handshake that takes longer is given up; the other side sends its last flight again four times by then.
const LIFE: Duration = Duration::from_secs(10);

/// Between our repetitions. RFC 6347 §4.2.4.1 says a second and leaves less to real-time protocols: nobody hears anything until then.
const REPEAT: Duration = Duration::from_millis(500);

/// Times one flight is repeated by us where the library does not.
const REPEATS_MAX: u32 = 7;

/// What one handshake may bring: five times a long chain of certificates.
const BYTES_MAX: usize = 32 << 10;

/// And in how many records: what the library does with a fragment grows with the fragments before.
const RECORDS_MAX: usize = 128;

/// Numbers of records that nobody has encrypted. The library is to remember all of them: with a shorter memory one forged record of a
/// high number would make the telephone's own look old (RFC 6347 §4.1.2.6).
const PLAIN_NUMBERS: u64 = 2 * RECORDS_MAX as u64;

/// Times a handshake of ours is begun, each for as long as it is repeated: about ten seconds in all.
const ACTIVE_TRIES: u32 = 3;

/// Datagrams that wait to be sent, all of one leg; more are lost as on any network.
const OUT_MAX: usize = 32;

/// The library tells its peers apart by address. Here each handshake has one of its own, which is always this.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Bytes of a record's header (RFC 6347 §4.1).
const RECORD_HEADER: usize = 13;

/// Kinds of records and of handshake messages (RFC 5246 §6.2.1, §7.4).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// What a datagram is, by its first byte, where several share a port (RFC 7983).
pub(crate) fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram, [20..=63, ..])
}

/// What fingerprints are made by (RFC 8122 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateHash {
    /// `sha-1`.
    Sha1,
    /// `sha-224`.
    Sha224,
    /// `sha-256`.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl CertificateHash {
    fn of(self, certificate: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(certificate).to_vec(),
            Self::Sha224 => Sha224::digest(certificate).to_vec(),
            Self::Sha256 => Sha256::digest(certificate).to_vec(),
            Self::Sha384 => Sha384::digest(certificate).to_vec(),
            Self::Sha512 => Sha512::digest(certificate).to_vec(),
        }
    }
}

/// Of a certificate in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFingerprint {
    /// Made by this.
    pub hash: CertificateHash,
    /// All of it.
    pub digest: Vec<u8>,
}

/// No certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error("no DTLS certificate can be made: {0}")]
pub struct DtlsError(String);

/// Our key and certificate (ECDSA, P-256): new with each start of the server.
pub struct DtlsIdentity {
    certificate: Certificate,
    provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: [u8; 32],
}

impl fmt::Debug for DtlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DtlsIdentity")
    }
}

impl DtlsIdentity {
    /// Makes them.
    pub fn new() -> Result<Self, DtlsError> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(RingProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["huitong".to_owned()], provider.crypto())
            .map_err(|error| DtlsError(error.to_string()))?;
        let der = certificate.certificate.first().ok_or_else(|| DtlsError("it is empty".to_owned()))?;
        let fingerprint = Sha256::digest(der).into();
        Ok(Self { certificate, provider, fingerprint })
    }

    /// Of our certificate, by SHA-256.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

/// What offer and answer agreed on about the handshake.
#[derive(Debug, Clone)]
pub struct DtlsSettings {
    /// Ours.
    pub identity: Arc<DtlsIdentity>,
    /// The peer's certificate is one of these.
    pub theirs: Vec<CertificateFingerprint>,
    /// We begin.
    pub active: bool,
    /// What the peer calls this association (RFC 8842 §5.1).
    pub tls_id: Option<String>,
}

impl PartialEq for DtlsSettings {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Self, b: &Self| a.theirs == b.theirs && a.active == b.active && a.tls_id == b.tls_id;
        Arc::ptr_eq(&self.identity, &other.identity) && same(self, other)
    }
}

impl Eq for DtlsSettings {}

impl DtlsSettings {
    fn handshake(&self) -> Option<HandshakeConfig> {
        let theirs = self.theirs.clone();
        let builder = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&self.identity.provider))
            .with_certificates(vec![self.identity.certificate.clone()])
            .with_cipher_suites(vec![
                CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
                CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
                CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
                CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
            ])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32,
            ])
            // Nobody signs a telephone's certificate: what the description says of it is checked instead, of both roles.
            .with_insecure_skip_verify(true)
            .with_server_name("huitong".to_owned())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_verify_peer_certificate(Some(Arc::new(move |chain: &[Vec<u8>], _: &[_]| {
                if is_one_of(&theirs, chain) { Ok(()) } else { Err(Error::ErrInvalidCertificate) }
            })))
            .with_replay_protection_window(PLAIN_NUMBERS as usize)
            .with_flight_interval(REPEAT);
        builder.build(self.active, None).ok()
    }
}

fn is_one_of(theirs: &[CertificateFingerprint], chain: &[Vec<u8>]) -> bool {
    chain.first().is_some_and(|certificate| theirs.iter().any(|one| one.hash.of(certificate) == one.digest))
}

/// The handshakes of one socket of a leg.
pub(crate) struct Association {
    settings: DtlsSettings,
    config: Option<Arc<HandshakeConfig>>,
    attempts: Vec<Attempt>,
    /// Of the address of the SDP, and of all others.
    allowances: [Allowance; 2],
    /// There are keys; a new handshake needs a new description.
    done: bool,
    tries: u32,
    out: VecDeque<(SocketAddr, BytesMut)>,
}

/// Who has proven by his certificate that he is there, and the keys agreed on with him.
pub(crate) struct Proven {
    pub(crate) from: SocketAddr,
    pub(crate) keys: SrtpKeys,
}

/// One handshake with one source.
struct Attempt {
    endpoint: Endpoint,
    from: SocketAddr,
    /// From where the SDP has him.
    named: bool,
    /// Of the hello that began it; none where we begin.
    random: Option<[u8; 32]>,
    begun: Instant,
    /// What we sent there came back: it may take its time, and is answered at length.
    proven: bool,
    done: bool,
    bytes_left: usize,
    records_left: usize,
    /// What was sent last, and when.
    flight: Vec<BytesMut>,
    sent: Instant,
    repeated: u32,
}

/// Handshakes that may be begun.
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.since).as_millis() / NEXT_HELLO.as_millis();
        if more > 0 {
            self.left = HELLOS_MAX.min(self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)));
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

impl Association {
    /// Where we are to begin, `remote` is asked at once.
    pub(crate) fn new(settings: &DtlsSettings, remote: Option<SocketAddr>, now: Instant) -> Self {
        let allowance = || Allowance { left: HELLOS_MAX, since: now };
        let mut association = Self {
            settings: settings.clone(),
            config: settings.handshake().map(Arc::new),
            attempts: Vec::new(),
            allowances: [allowance(), allowance()],
            done: false,
            tries: 0,
            out: VecDeque::new(),
        };
        if settings.active
            && let Some(remote) = remote
        {
            association.connect(remote, now);
        }
        association
    }

    pub(crate) fn settings(&self) -> &DtlsSettings {
        &self.settings
    }

    /// Whether a handshake with this source goes on, or is what there is.
    pub(crate) fn knows(&self, from: SocketAddr) -> bool {
        self.attempts.iter().any(|attempt| attempt.from == from && attempt.proven)
    }

    /// The peer has another address by his description: he may shake hands again from there.
    pub(crate) fn expect_again(&mut self) {
        self.done = false;
    }

    /// Takes a datagram. `named`: from the address of the SDP. An error is one that means nothing here.
    pub(crate) fn handle(
        &mut self,
        from: SocketAddr,
        named: bool,
        datagram: &[u8],
        now: Instant,
    ) -> Result<Option<Proven>, ()> {
        let records = records(datagram).ok_or(())?;
        let random = hello_random(datagram);
        if let Some(random) = random {
            let known = self.attempts.iter().any(|attempt| attempt.from == from && attempt.random == Some(random));
            if !known && !self.begin(from, named, random, now) {
                return Err(());
            }
        }
        let mut index = 0;
        while let Some(attempt) = self.attempts.get(index) {
            let is_for =
                attempt.from == from && if random.is_some() { attempt.random == random } else { attempt.proven };
            if !is_for {
                index += 1;
                continue;
            }
            match self.feed(index, datagram, records, now) {
                Fed::Goes => index += 1,
                Fed::Failed => drop(self.attempts.swap_remove(index)),
                Fed::Done(keys) => {
                    // The others are nobody.
                    let winner = self.attempts.swap_remove(index);
                    self.attempts = vec![winner];
                    self.done = true;
                    return Ok(Some(Proven { from, keys }));
                }
            }
        }
        Ok(None)
    }

    /// A hello that is none of ours yet.
    fn begin(&mut self, from: SocketAddr, named: bool, random: [u8; 32], now: Instant) -> bool {
        let Some(config) = self.config.as_ref().filter(|_| !self.settings.active && !self.done) else { return false };
        if !self.allowances[usize::from(!named)].take(now) {
            return false;
        }
        let is_old = |attempt: &Attempt| {
            let life = if attempt.proven { LIFE } else { UNPROVEN_LIFE };
            now.saturating_duration_since(attempt.begun) >= life
        };
        let of_kind = self.attempts.iter().filter(|attempt| attempt.named == named);
        if of_kind.count() >= ATTEMPTS_MAX {
            let Some(old) = self.attempts.iter().position(|attempt| attempt.named == named && is_old(attempt)) else {
                return false;
            };
            self.attempts.swap_remove(old);
        }
        let endpoint = Endpoint::new(PEER, TransportProtocol::UDP, Some(Arc::clone(config)));
        self.attempts.push(Attempt::new(endpoint, from, named, Some(random), now));
        true
    }

    fn connect(&mut self, to: SocketAddr, now: Instant) {
        let Some(config) = self.config.clone().filter(|_| self.tries < ACTIVE_TRIES) else { return };
        self.tries += 1;
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, None);
        if endpoint.connect(now, PEER, config, None).is_ok() {
            self.attempts.push(Attempt { proven: true, ..Attempt::new(endpoint, to, true, None, now) });
            self.drain(self.attempts.len() - 1, now);
        }
    }

    fn feed(&mut self, index: usize, datagram: &[u8], records: usize, now: Instant) -> Fed {
        let attempt = &mut self.attempts[index];
        let bytes_left = attempt.bytes_left.checked_sub(datagram.len());
        let (Some(bytes_left), Some(records_left)) = (bytes_left, attempt.records_left.checked_sub(records)) else {
            // What there is stays: only who has not come to an end is given up.
            return if attempt.done { Fed::Goes } else { Fed::Failed };
        };
        (attempt.bytes_left, attempt.records_left) = (bytes_left, records_left);
        let endpoint = &mut attempt.endpoint;
        let data = BytesMut::from(datagram);
        let read = catch_unwind(AssertUnwindSafe(|| endpoint.read(now, PEER, None, data)));
        let events = read.map_err(|_| ()).and_then(|events| events.map_err(|_| ()));
        self.drain(index, now);
        let attempt = &mut self.attempts[index];
        match events {
            _ if attempt.done => Fed::Goes,
            Err(()) => Fed::Failed,
            Ok(events) if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) => {
                attempt.done = true;
                attempt.begun = now;
                keys(&attempt.endpoint, &self.settings).map_or(Fed::Failed, Fed::Done)
            }
            Ok(_) => Fed::Goes,
        }
    }

    /// Takes what a handshake wants sent. Who is not proven gets no more than the cookie he is to bring.
    fn drain(&mut self, index: usize, now: Instant) {
        let attempt = &mut self.attempts[index];
        let mut is_new = true;
        while let Some(transmit) = attempt.endpoint.poll_transmit() {
            let message = handshake_type(&transmit.message);
            attempt.proven |= message == Some(SERVER_HELLO);
            let may = attempt.proven || message == Some(HELLO_VERIFY_REQUEST);
            if !may {
                continue;
            }
            if std::mem::take(&mut is_new) {
                (attempt.sent, attempt.repeated) = (now, 0);
                attempt.flight.clear();
            }
            attempt.flight.push(transmit.message.clone());
            if self.out.len() < OUT_MAX {
                self.out.push_back((attempt.from, transmit.message));
            }
        }
    }

    /// The library forgets to repeat itself once the other side has repeated what came before: if what answered that was lost, each
    /// would wait for the other. What did arrive is old to who has it (RFC 6347 §4.1.2.6), what did not is new.
    fn repeat_flight(&mut self, index: usize, now: Instant) {
        let attempt = &mut self.attempts[index];
        let forgotten = attempt.proven && !attempt.done && attempt.endpoint.poll_timeout(&PEER).is_none();
        if !forgotten || attempt.repeated >= REPEATS_MAX || now.saturating_duration_since(attempt.sent) < REPEAT {
            return;
        }
        (attempt.sent, attempt.repeated) = (now, attempt.repeated + 1);
        for datagram in &attempt.flight {
            if self.out.len() < OUT_MAX {
                self.out.push_back((attempt.from, datagram.clone()));
            }
        }
    }

    /// What is to be sent, and where; call it until there is none.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(SocketAddr, BytesMut)> {
        self.repeat(now);
        self.out.pop_front()
    }

    fn repeat(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get_mut(index) {
            let is_due = attempt.endpoint.poll_timeout(&PEER).is_some_and(|at| at <= now);
            let endpoint = &mut attempt.endpoint;
            let repeated = !is_due
                || catch_unwind(AssertUnwindSafe(|| endpoint.handle_timeout(PEER, now))).is_ok_and(|done| done.is_ok());
            let is_old = now.saturating_duration_since(attempt.begun) >= LIFE;
            if repeated && !is_old {
                self.drain(index, now);
                self.repeat_flight(index, now);
                index += 1;
                continue;
            }
            let gone = self.attempts.swap_remove(index);
            // There is nobody yet, or he was slow.
            if gone.random.is_none() && !gone.done {
                self.connect(gone.from, now);
            }
        }
    }
}

impl Attempt {
    fn new(endpoint: Endpoint, from: SocketAddr, named: bool, random: Option<[u8; 32]>, begun: Instant) -> Self {
        Self {
            endpoint,
            from,
            named,
            random,
            begun,
            proven: false,
            done: false,
            bytes_left: BYTES_MAX,
            records_left: RECORDS_MAX,
            flight: Vec::new(),
            sent: begun,
            repeated: 0,
        }
    }
}

/// What became of a handshake by one datagram.
enum Fed {
    Goes,
    Failed,
    Done(SrtpKeys),
}

/// RFC 5764 §4.2.
fn keys(endpoint: &Endpoint, settings: &DtlsSettings) -> Option<SrtpKeys> {
    let state = endpoint.get_connection_state(PEER)?;
    // It was checked on the way; this is where it counts.
    if !is_one_of(&settings.theirs, &state.peer_certificates) {
        return None;
    }
    let suite = match state.srtp_protection_profile() {
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => SrtpSuite::AesCm128HmacSha1Tag80,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32 => SrtpSuite::AesCm128HmacSha1Tag32,
        _ => return None,
    };
    let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 2 * (16 + 14)).ok()?;
    let material: &[u8; 60] = material.as_ref().try_into().ok()?;
    // Both keys, then both salts, the client's first.
    let of = |key: usize, salt: usize| {
        let mut of = [0; 30];
        of[..16].copy_from_slice(&material[key..key + 16]);
        of[16..].copy_from_slice(&material[salt..salt + 14]);
        SrtpKey(of)
    };
    let (client, server) = (of(0, 32), of(16, 46));
    let (ours, theirs) = if settings.active { (client, server) } else { (server, client) };
    Some(SrtpKeys::new(suite, ours, theirs))
}

/// How many records there are. None where it is no DTLS, or where there are records that end a handshake without having
/// been signed or encrypted: anybody could have sent those.
fn records(mut datagram: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !datagram.is_empty() {
        let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER>()?;
        let (kind, epoch) = (header[0], u16::from_be_bytes([header[3], header[4]]));
        let number = header[5..11].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let (body, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[11], header[12]])))?;
        let is_handshake = match kind {
            HANDSHAKE => !body.is_empty(),
            CHANGE_CIPHER_SPEC => body == [1],
            _ => false,
        };
        // DTLS 1.0 is written into the first hello of who speaks 1.2.
        if !is_handshake
            || epoch > 1
            || epoch == 0 && number >= PLAIN_NUMBERS
            || header[1] != 0xfe
            || !matches!(header[2], 0xfd | 0xff)
        {
            return None;
        }
        count += 1;
        datagram = after;
    }
    (count > 0).then_some(count)
}

/// Which handshake message a datagram begins with, where it is to be read.
fn handshake_type(datagram: &[u8]) -> Option<u8> {
    match datagram {
        [HANDSHAKE, _, _, 0, 0, ..] => datagram.get(RECORD_HEADER).copied(),
        _ => None,
    }
}

/// Of a ClientHello, where it begins in this datagram: the same with the cookie as without (RFC 6347 §4.2.1).
fn hello_random(datagram: &[u8]) -> Option<[u8; 32]> {
    if handshake_type(datagram) != Some(CLIENT_HELLO) {
        return None;
    }
    // Type, length, number, offset and length of the fragment; then the version.
    let message = datagram.get(RECORD_HEADER..)?;
    let begins = message.get(6..9)? == [0, 0, 0];
    let random = message.get(14..)?.first_chunk::<32>()?;
    begins.then_some(*random)
}
