//! Keys by handshake (RFC 5763, RFC 5764): two legs that agree on them, and strangers that come between.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use leg::{
    CertificateFingerprint, CertificateHash, Component, DtlsIdentity, DtlsSettings, Keying, Leg, LegConfig, LegEvent,
    Pulled,
};
use media::{AudioCodec, Ssrc};
use sha2::{Digest, Sha512};

const TICK: Duration = Duration::from_millis(20);

/// Longer than any of a leg's patience with who it could learn.
const SETTLED: Duration = Duration::from_secs(4);

static PHONE: LazyLock<Arc<DtlsIdentity>> = LazyLock::new(identity);
static SERVER: LazyLock<Arc<DtlsIdentity>> = LazyLock::new(identity);

fn identity() -> Arc<DtlsIdentity> {
    Arc::new(DtlsIdentity::new().expect("a certificate"))
}

fn fingerprint(of: &DtlsIdentity) -> CertificateFingerprint {
    CertificateFingerprint { hash: CertificateHash::Sha256, digest: of.fingerprint().to_vec() }
}

fn phone_at() -> SocketAddr {
    "192.0.2.1:4000".parse().expect("an address")
}

fn server_at() -> SocketAddr {
    "192.0.2.9:20000".parse().expect("an address")
}

fn settings(own: &Arc<DtlsIdentity>, theirs: &DtlsIdentity, active: bool) -> DtlsSettings {
    DtlsSettings { identity: Arc::clone(own), theirs: vec![fingerprint(theirs)], active, tls_id: None }
}

fn config(remote: SocketAddr, dtls: DtlsSettings, rtcp_mux: bool) -> LegConfig {
    LegConfig {
        telephone_event: Some(101),
        srtp: Some(Keying::Dtls(dtls)),
        rtcp_mux,
        ..LegConfig::new(AudioCodec::Pcma, 8, remote)
    }
}

/// A telephone and the server's leg for it; the telephone begins.
fn call(start: Instant, rtcp_mux: bool) -> (Leg, Leg) {
    let phone = config(server_at(), settings(&PHONE, &SERVER, true), rtcp_mux);
    let server = config(phone_at(), settings(&SERVER, &PHONE, false), rtcp_mux);
    (Leg::new(phone, Ssrc(2), start), Leg::new(server, Ssrc(1), start))
}

fn port(of: SocketAddr, component: Component) -> SocketAddr {
    SocketAddr::new(of.ip(), of.port() + u16::from(component == Component::Rtcp))
}

/// Carries what one wants sent to the other, where `passes` lets it; how many there were.
fn carry(from: &mut Leg, at: SocketAddr, to: &mut Leg, now: Instant, mut passes: impl FnMut() -> bool) -> u32 {
    let (mut out, mut carried) = (Vec::new(), 0);
    while let Some((component, _)) = from.poll_dtls(now, &mut out) {
        if passes() {
            match component {
                Component::Rtp => to.handle_rtp(port(at, component), &mut out, now),
                Component::Rtcp => to.handle_rtcp(port(at, component), &mut out, now),
            }
        }
        out.clear();
        carried += 1;
    }
    carried
}

/// Both ways until neither wants more.
fn shake_hands(phone: &mut Leg, server: &mut Leg, now: Instant) {
    while carry(phone, phone_at(), server, now, || true) + carry(server, server_at(), phone, now, || true) > 0 {}
}

fn keyed(leg: &mut Leg) -> usize {
    std::iter::from_fn(|| leg.poll_event()).filter(|event| *event == LegEvent::Keyed).count()
}

/// Whether a packet of one is heard by the other.
fn is_heard(from: &mut Leg, at: SocketAddr, to: &mut Leg, now: Instant) -> bool {
    let before = to.stats().received;
    let mut packet = Vec::new();
    if from.send(&[0x55; 160], &mut packet).is_none() {
        return false;
    }
    assert!(!packet.windows(8).any(|bytes| bytes == [0x55; 8]), "it is encrypted");
    to.handle_rtp(at, &mut packet, now);
    to.stats().received > before
}

fn hear_each_other(phone: &mut Leg, server: &mut Leg, now: Instant) -> bool {
    is_heard(phone, phone_at(), server, now) & is_heard(server, server_at(), phone, now)
}

// RFC 5764 §4, product: P7
#[test]
fn two_legs_agree_on_keys_and_hear_each_other() {
    for (rtcp_mux, handshakes) in [(true, 1), (false, 2)] {
        let now = Instant::now();
        let (mut phone, mut server) = call(now, rtcp_mux);
        let mut out = Vec::new();
        assert_eq!(server.send(&[7; 160], &mut out), None, "nothing is said before there are keys");
        let mut plain = vec![0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
        plain.resize(172, 0x55);
        server.handle_rtp(phone_at(), &mut plain, now);
        assert_eq!((server.stats().received, server.stats().dropped_forged), (0, 1), "and nothing is believed");
        shake_hands(&mut phone, &mut server, now);
        assert_eq!((keyed(&mut phone), keyed(&mut server)), (handshakes, handshakes));
        for tick in 0..50 {
            assert!(hear_each_other(&mut phone, &mut server, now + TICK * tick));
        }
        // Reports are encrypted, too, with the keys of their own port where they have one.
        let (later, mut report) = (now + Duration::from_secs(6), Vec::new());
        assert!(phone.poll_rtcp(later, &mut report).is_some());
        let nonsense = server.stats();
        if rtcp_mux {
            server.handle_rtp(phone_at(), &mut report, later);
        } else {
            server.handle_rtcp(port(phone_at(), Component::Rtcp), &mut report, later);
        }
        assert_eq!(server.stats().dropped_forged, nonsense.dropped_forged);
        assert_eq!(server.stats().dropped_nonsense, nonsense.dropped_nonsense);
    }
}

// RFC 8122 §5
#[test]
fn only_who_has_the_certificate_of_the_description_is_spoken_to() {
    let start = Instant::now();
    let check = |theirs: CertificateFingerprint, expected: usize| {
        let (mut phone, _) = call(start, true);
        let dtls = DtlsSettings { theirs: vec![theirs], ..settings(&SERVER, &PHONE, false) };
        let mut server = Leg::new(config(phone_at(), dtls, true), Ssrc(1), start);
        for tick in 0..100 {
            let now = start + Duration::from_millis(100) * tick;
            shake_hands(&mut phone, &mut server, now);
        }
        assert_eq!(keyed(&mut server), expected);
        assert_eq!(hear_each_other(&mut phone, &mut server, start + TICK), expected > 0);
    };
    check(fingerprint(&PHONE), 1);
    check(fingerprint(&SERVER), 0);
    let mut close = fingerprint(&PHONE);
    close.digest[31] ^= 1;
    check(close, 0);
    // The other side's check, from the side that begins.
    let (_, mut server) = call(start, true);
    let dtls = settings(&PHONE, &PHONE, true);
    let mut phone = Leg::new(config(server_at(), dtls, true), Ssrc(2), start);
    for tick in 0..200 {
        shake_hands(&mut phone, &mut server, start + Duration::from_millis(100) * tick);
    }
    assert_eq!((keyed(&mut phone), keyed(&mut server)), (0, 0));
}

#[test]
fn any_hash_of_the_certificate_counts() {
    // The only way to a certificate is a handshake: its bytes are on the wire.
    let now = Instant::now();
    let (mut phone, mut server) = call(now, true);
    let mut wire = Vec::new();
    let mut out = Vec::new();
    for _ in 0..4 {
        while phone.poll_dtls(now, &mut out).is_some() {
            wire.push(out.clone());
            server.handle_rtp(phone_at(), &mut out, now);
            out.clear();
        }
        carry(&mut server, server_at(), &mut phone, now, || true);
    }
    let certificate = wire.iter().find_map(|datagram| certificate_in(datagram)).expect("a certificate was sent");
    let digest = Sha512::digest(&certificate).to_vec();
    let (mut phone, _) = call(now, true);
    let theirs = vec![CertificateFingerprint { hash: CertificateHash::Sha512, digest }];
    let dtls = DtlsSettings { theirs, ..settings(&SERVER, &PHONE, false) };
    let mut server = Leg::new(config(phone_at(), dtls, true), Ssrc(1), now);
    shake_hands(&mut phone, &mut server, now);
    assert!(hear_each_other(&mut phone, &mut server, now));
}

/// The first certificate of a Certificate message in plain text (RFC 5246 §7.4.2).
fn certificate_in(mut datagram: &[u8]) -> Option<Vec<u8>> {
    while let Some((header, rest)) = datagram.split_first_chunk::<13>() {
        let (body, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[11], header[12]])))?;
        if header[0] == 22 && header[4] == 0 && body[0] == 11 {
            let len = usize::from(body[16]) << 8 | usize::from(body[17]);
            return Some(body[18..18 + len].to_vec());
        }
        datagram = after;
    }
    None
}

// RFC 6347 §4.2.4
#[test]
fn lost_datagrams_are_sent_again() {
    for (loss, within) in [(5, 9_000), (10, 5_000), (20, 3_000)] {
        let mut took: Vec<u32> = Vec::new();
        for seed in 0..200 {
            let start = Instant::now();
            let (mut phone, mut server) = call(start, true);
            // By Knuth's generator.
            let mut state: u64 = seed;
            let mut passes = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                !(state >> 33).is_multiple_of(loss)
            };
            let mut keys = [0, 0];
            for tick in 0..1_000 {
                let now = start + TICK * tick;
                carry(&mut phone, phone_at(), &mut server, now, &mut passes);
                carry(&mut server, server_at(), &mut phone, now, &mut passes);
                keys = [keys[0] + keyed(&mut phone), keys[1] + keyed(&mut server)];
                if keys == [1, 1] {
                    assert!(hear_each_other(&mut phone, &mut server, now));
                    took.push(tick * 20);
                    break;
                }
            }
            assert_eq!(keys, [1, 1], "one of {loss} is lost, luck {seed}");
        }
        took.sort_unstable();
        let (median, most) = (took[100], took[198]);
        println!("one of {loss} is lost: keys after {median} ms p50, {most} ms p99");
        assert!(most <= within, "one of {loss} is lost: {most} ms");
    }
}

// RFC 8842 §5.5
#[test]
fn a_new_description_with_the_same_certificate_goes_on_and_with_another_one_shakes_hands_again() {
    let now = Instant::now();
    let (mut phone, mut server) = call(now, true);
    shake_hands(&mut phone, &mut server, now);
    assert_eq!((keyed(&mut phone), keyed(&mut server)), (1, 1));
    assert!(hear_each_other(&mut phone, &mut server, now));
    // A hold and its end.
    server.reconfigure(config(phone_at(), settings(&SERVER, &PHONE, false), true), now);
    shake_hands(&mut phone, &mut server, now);
    assert_eq!(keyed(&mut server), 0);
    assert!(hear_each_other(&mut phone, &mut server, now));
    // Another telephone has taken the call over; until it shakes hands the old one is heard.
    let other = identity();
    server.reconfigure(config(phone_at(), settings(&SERVER, &other, false), true), now);
    assert!(hear_each_other(&mut phone, &mut server, now));
    let mut taken = Leg::new(config(server_at(), settings(&other, &SERVER, true), true), Ssrc(3), now);
    shake_hands(&mut taken, &mut server, now);
    assert_eq!((keyed(&mut taken), keyed(&mut server)), (1, 1));
    assert!(hear_each_other(&mut taken, &mut server, now));
    assert!(!is_heard(&mut phone, phone_at(), &mut server, now), "and then no more");
    // The same one says that it begins anew.
    let anew = |tls_id: &str, own, theirs, active| {
        let dtls = DtlsSettings { tls_id: Some(tls_id.to_owned()), ..settings(own, theirs, active) };
        config(if active { server_at() } else { phone_at() }, dtls, true)
    };
    server.reconfigure(anew("second", &SERVER, &other, false), now);
    taken.reconfigure(anew("second", &other, &SERVER, true), now);
    shake_hands(&mut taken, &mut server, now);
    assert_eq!((keyed(&mut taken), keyed(&mut server)), (1, 1));
    assert!(hear_each_other(&mut taken, &mut server, now));
}

/// What a telephone behind a NAT says in its description is not where it is.
#[test]
fn who_proves_himself_from_where_he_may_be_learned_is_there() {
    let start = Instant::now();
    let phone = config(server_at(), settings(&PHONE, &SERVER, true), true);
    let mut phone = Leg::new(phone, Ssrc(2), start);
    let private = "10.0.0.7:4000".parse().expect("an address");
    let server = LegConfig { signalling: phone_at().ip(), ..config(private, settings(&SERVER, &PHONE, false), true) };
    let mut server = Leg::new(server, Ssrc(1), start);
    let mut to = Vec::new();
    let mut out = Vec::new();
    for _ in 0..4 {
        carry(&mut phone, phone_at(), &mut server, start, || true);
        while let Some((_, address)) = server.poll_dtls(start, &mut out) {
            to.push(address);
            phone.handle_rtp(server_at(), &mut out, start);
            out.clear();
        }
    }
    assert!(!to.is_empty() && to.iter().all(|address| *address == phone_at()), "{to:?}");
    out.clear();
    assert_eq!(server.send(&[7; 160], &mut out), Some(phone_at()), "one handshake proves more than five packets");
    assert_eq!(server.settled(start), Some(phone_at()));
}

/// A ClientHello of DTLS 1.2 (RFC 6347 §4.2.1): with these suites, each with another random.
fn hello(number: u32, suites: &[u16]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend(number.to_be_bytes().repeat(8));
    // No session and no cookie.
    body.extend([0, 0]);
    body.extend((2 * suites.len() as u16).to_be_bytes());
    suites.iter().for_each(|suite| body.extend(suite.to_be_bytes()));
    body.extend([1, 0]);
    // P-256, and AES128_CM_HMAC_SHA1_80 (RFC 5764 §4.1.1).
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 14, 0, 5, 0, 2, 0, 1, 0];
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let len = body.len() as u32;
    let mut message = vec![1];
    message.extend(&len.to_be_bytes()[1..]);
    message.extend([0, 0, 0, 0, 0]);
    message.extend(&len.to_be_bytes()[1..]);
    message.extend(body);
    let mut record = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, (number % 200) as u8];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

const TLS_NULL: u16 = 0;
const ECDHE_ECDSA_AES_128_GCM: u16 = 0xc02b;

/// Bytes that wait to be sent, and to whom.
fn waiting(leg: &mut Leg, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut out = Vec::new();
    let mut all = Vec::new();
    while let Some((_, to)) = leg.poll_dtls(now, &mut out) {
        all.push((to, std::mem::take(&mut out)));
    }
    all
}

// reliability: A5. CVE-2023-49786: a stranger's hello in each 10 ms, from elsewhere, from beside the telephone, and in its name.
#[test]
fn a_hundred_calls_come_up_and_stay_while_strangers_say_hello() {
    let start = Instant::now();
    let strangers: [SocketAddr; 3] =
        ["198.51.100.66:4000", "192.0.2.1:5555", "192.0.2.1:4000"].map(|at| at.parse().unwrap());
    for number in 0..100 {
        for suite in [TLS_NULL, ECDHE_ECDSA_AES_128_GCM] {
            let (mut phone, mut server) = call(start, number % 2 == 0);
            let mut heard = 0;
            for step in 0..30 {
                let now = start + Duration::from_millis(10) * step;
                for stranger in strangers {
                    // In the telephone's own name once its call is up: until then nothing would tell them apart.
                    if stranger != phone_at() || step > 10 {
                        server.handle_rtp(stranger, &mut hello(step * 7 + 1, &[suite]), now);
                    }
                }
                if step >= number % 5 {
                    carry(&mut phone, phone_at(), &mut server, now, || true);
                }
                for (to, mut datagram) in waiting(&mut server, now) {
                    assert_ne!(to, strangers[0], "who can't be the telephone gets nothing");
                    if to == phone_at() {
                        phone.handle_rtp(server_at(), &mut datagram, now);
                    }
                }
                heard += u32::from(step > 15 && hear_each_other(&mut phone, &mut server, now));
            }
            assert_eq!(heard, 14, "call {number}, suite {suite:#x}");
        }
    }
}

// reliability: A5
#[test]
fn what_is_no_handshake_ends_none_and_no_call() {
    let start = Instant::now();
    let (mut phone, mut server) = call(start, true);
    // With numbers that would make the telephone's own look old: an alert that would end it (RFC 5246 §7.2), application data, a record
    // cut off, none at all; plain, and as if encrypted.
    let garbage = |epoch: u8, number: u8| -> Vec<Vec<u8>> {
        vec![
            vec![21, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 100 + number % 50, 0, 2, 2, 40],
            vec![21, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 100 + number % 50, 0, 2, 1, 0],
            vec![23, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 100 + number % 50, 0, 1, 7],
            vec![22, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 100 + number % 50, 1, 0, 2, 40],
            vec![20, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 100 + number % 50, 0, 1, 7],
            vec![22, 3, 1, 0, 0],
            [vec![22, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 100 + number % 50, 0, 24], vec![0; 24]].concat(),
            vec![20; 40],
            vec![63; 40],
            vec![22],
        ]
    };
    let throw = |server: &mut Leg, number: u8| {
        for mut datagram in garbage(0, number).into_iter().chain(garbage(1, number)) {
            server.handle_rtp(phone_at(), &mut datagram, start);
        }
    };
    for number in 0..10 {
        throw(&mut server, number);
        carry(&mut phone, phone_at(), &mut server, start, || true);
        throw(&mut server, number);
        carry(&mut server, server_at(), &mut phone, start, || true);
    }
    assert_eq!((keyed(&mut phone), keyed(&mut server)), (1, 1));
    for number in 0..200 {
        throw(&mut server, number);
        assert!(hear_each_other(&mut phone, &mut server, start + TICK));
    }
    assert!(waiting(&mut server, start).is_empty(), "nothing of it is answered");
}

// reliability: A5
#[test]
fn a_flood_of_hellos_is_answered_seldom_and_never_at_length() {
    let start = Instant::now();
    let (_, mut server) = call(start, true);
    let (mut came, mut answers, mut bytes, mut taken) = (0, 0, 0, Duration::ZERO);
    for number in 0..10_000u32 {
        // Ten seconds, from the telephone's own address and from beside it.
        let now = start + Duration::from_millis(u64::from(number));
        let from = SocketAddr::new(phone_at().ip(), 4000 + (number % 2) as u16 * (number / 100) as u16);
        let mut datagram = hello(number, &[ECDHE_ECDSA_AES_128_GCM]);
        came += datagram.len();
        let begun = Instant::now();
        server.handle_rtp(from, &mut datagram, now);
        taken += begun.elapsed();
        for (_, answer) in waiting(&mut server, now) {
            answers += 1;
            bytes += answer.len();
        }
    }
    assert!((4..=50).contains(&answers), "{answers} answers");
    assert!(bytes * 100 < came, "{bytes} bytes for {came}");
    println!("10,000 hellos: {taken:?}, {answers} answers");
    // A hundredth of the time they came in.
    assert!(taken < Duration::from_millis(100), "{taken:?}");
}

// reliability: A5
#[test]
fn garbage_that_looks_like_a_handshake_takes_little_memory_and_time() {
    let start = Instant::now();
    let (mut phone, _) = call(start, true);
    let (mut taken, mut server) = (Duration::ZERO, call(start, true).1);
    let memory = allocation_counter::measure(|| {
        // As far as the cookie, so that what comes is kept; then fragments that never make a message.
        carry(&mut phone, phone_at(), &mut server, start, || true);
        carry(&mut server, server_at(), &mut phone, start, || true);
        carry(&mut phone, phone_at(), &mut server, start, || true);
        drop(waiting(&mut server, start));
        for number in 0..100_000u32 {
            let ([.., c, d], n) = (number.to_be_bytes(), (number % 250) as u8);
            let mut fragment =
                vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, n, 0, 13, 11, 1, 0, 0, 0, n % 5, 0, c, d, 0, 0, 1, 7];
            let begun = Instant::now();
            server.handle_rtp(phone_at(), &mut fragment, start + Duration::from_micros(u64::from(number)));
            taken += begun.elapsed();
        }
    });
    assert!(memory.bytes_current < 64 << 10, "{} bytes are kept", memory.bytes_current);
    assert!(taken < Duration::from_millis(500), "{taken:?} for 100,000");
}

// One handshake's steps must fit into what a tick leaves: design decision 0012 has the figures.
#[test]
fn no_step_of_a_handshake_takes_longer_than_a_tick_leaves() {
    let start = Instant::now();
    let mut longest: Vec<Duration> = Vec::new();
    for _ in 0..50 {
        let (mut phone, mut server) = call(start, true);
        let mut steps = Vec::new();
        for _ in 0..4 {
            let mut out = Vec::new();
            while phone.poll_dtls(start, &mut out).is_some() {
                let begun = Instant::now();
                server.handle_rtp(phone_at(), &mut out, start);
                steps.push(begun.elapsed());
                out.clear();
            }
            carry(&mut server, server_at(), &mut phone, start, || true);
        }
        assert_eq!(keyed(&mut server), 1);
        longest.extend(steps.iter().max());
    }
    longest.sort();
    let (median, most) = (longest[longest.len() / 2], longest[longest.len() - 1]);
    println!("the longest step of a handshake: {median:?} p50, {most:?} at most of {}", longest.len());
}

/// Sound goes on for as long as the call does.
#[test]
fn a_long_call_plays() {
    let start = Instant::now();
    let (mut phone, mut server) = call(start, true);
    shake_hands(&mut phone, &mut server, start);
    let mut played = 0;
    for tick in 0..3_000 {
        let now = start + TICK * tick;
        assert!(is_heard(&mut phone, phone_at(), &mut server, now));
        played += u32::from(matches!(server.pull(now), Pulled::Packet(..)));
        assert!(waiting(&mut server, now).is_empty(), "the handshake is over");
    }
    assert!(played > 2_990, "{played}");
    assert!(server.settled(start + SETTLED).is_some());
}
