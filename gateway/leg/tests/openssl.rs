//! The handshake with OpenSSL, whose DTLS most telephones have: with keys of both kinds, in both roles. The keys it says it has are those
//! the leg encrypts with.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use leg::{
    CertificateFingerprint, CertificateHash, DtlsIdentity, DtlsSettings, Keying, Leg, LegConfig, LegEvent, SrtpKey,
    SrtpKeys, SrtpSuite,
};
use media::{AudioCodec, Ssrc};
use sha2::{Digest, Sha256, Sha384};

/// OpenSSL repeats a lost flight after a second.
const PATIENCE: Duration = Duration::from_secs(15);

const EXPORT: [&str; 6] =
    ["-use_srtp", "SRTP_AES128_CM_SHA1_80", "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "60"];

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let done = Command::new("openssl").args(arguments).output().expect("openssl runs; scripts/setup.sh installs it");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Ends with the test.
struct Telephone(Child);

impl Drop for Telephone {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Telephone {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let child = Command::new("openssl")
            .current_dir(folder)
            .args(arguments)
            .args(["-dtls1_2", "-key", "key.pem", "-cert", "certificate.pem"])
            .args(EXPORT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("openssl runs"))
    }

    /// The client's key and salt, and the server's (RFC 5764 §4.2).
    fn keys(&mut self) -> (SrtpKey, SrtpKey) {
        let lines = BufReader::new(self.0.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let prefix = "Keying material: ";
        let line =
            lines.map(|line| line.trim().to_owned()).find(|line| line.starts_with(prefix)).expect("it tells its keys");
        let digits = &line[prefix.len()..];
        let bytes: Vec<u8> =
            (0..60).map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("a byte")).collect();
        let of = |key: usize, salt: usize| {
            SrtpKey([&bytes[key..key + 16], &bytes[salt..salt + 14]].concat().try_into().expect("30 bytes"))
        };
        (of(0, 32), of(16, 46))
    }
}

fn config(remote: SocketAddr, keying: Keying) -> LegConfig {
    LegConfig { srtp: Some(keying), rtcp_mux: true, ..LegConfig::new(AudioCodec::Pcma, 8, remote) }
}

fn is_heard(from: &mut Leg, to: &mut Leg, at: SocketAddr) -> bool {
    let mut packet = Vec::new();
    from.send(&[0x55; 160], &mut packet).expect("it has keys");
    to.handle_rtp(at, &mut packet, Instant::now());
    to.stats().received == 1
}

/// A folder with key and certificate of a telephone; its fingerprint.
fn certificate(kind: &[&str], hash: CertificateHash) -> (tempfile::TempDir, CertificateFingerprint) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let mut arguments =
        vec!["req", "-x509", "-nodes", "-subj", "/CN=phone", "-days", "2", "-keyout", &key, "-out", &certificate];
    arguments.extend_from_slice(kind);
    openssl(&arguments);
    let der = openssl(&["x509", "-in", &certificate, "-outform", "DER"]);
    let digest =
        if hash == CertificateHash::Sha384 { Sha384::digest(&der).to_vec() } else { Sha256::digest(&der).to_vec() };
    (folder, CertificateFingerprint { hash, digest })
}

const RSA: [&str; 2] = ["-newkey", "rsa:2048"];
const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// Shakes hands with what waits or begins at the other end, and then hears it and is heard.
fn talk(kind: &[&str], hash: CertificateHash, active: bool) {
    let (folder, fingerprint) = certificate(kind, hash);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("it is set");
    let ours = socket.local_addr().expect("an address").to_string();
    let theirs = UdpSocket::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let mut telephone = if active {
        Telephone::start(folder.path(), &["s_server", "-accept", &theirs.to_string(), "-Verify", "1"])
    } else {
        Telephone::start(folder.path(), &["s_client", "-connect", &ours, "-bind", &theirs.to_string()])
    };
    let identity = Arc::new(DtlsIdentity::new().expect("a certificate"));
    let dtls = DtlsSettings { identity, theirs: vec![fingerprint], active, tls_id: None };
    let mut leg = Leg::new(config(theirs, Keying::Dtls(dtls)), Ssrc(1), Instant::now());
    let (begun, mut keyed, mut buffer, mut out) = (Instant::now(), false, [0; 4096], Vec::new());
    while !keyed {
        assert!(begun.elapsed() < PATIENCE, "{kind:?} {hash:?}, active: {active}: no keys");
        if let Ok((len, from)) = socket.recv_from(&mut buffer) {
            leg.handle_rtp(from, &mut buffer[..len], Instant::now());
        }
        while let Some((_, to)) = leg.poll_dtls(Instant::now(), &mut out) {
            socket.send_to(&out, to).expect("it is sent");
            out.clear();
        }
        keyed = leg.poll_event() == Some(LegEvent::Keyed);
    }
    let (client, server) = telephone.keys();
    let (ours, its) = if active { (client, server) } else { (server, client) };
    let keys = SrtpKeys::new(SrtpSuite::AesCm128HmacSha1Tag80, its, ours);
    let mut phone = Leg::new(config(theirs, Keying::Sdes(keys)), Ssrc(2), Instant::now());
    assert!(is_heard(&mut phone, &mut leg, theirs) && is_heard(&mut leg, &mut phone, theirs));
}

// product: P7, RFC 5763, RFC 5764
#[test]
fn it_is_heard_and_hears_whoever_begins_and_whatever_its_key() {
    talk(&RSA, CertificateHash::Sha256, false);
    talk(&RSA, CertificateHash::Sha384, true);
    talk(&P256, CertificateHash::Sha384, false);
    talk(&P256, CertificateHash::Sha256, true);
}
