//! Sound encrypted by keys of a handshake (DTLS-SRTP), with telephones of another make, and strangers beside them.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use tests::{Baresip, Client, Codec, Heard, PASSWORD, Pjsua, RawPhone, Server};

use crate::{
    carriers::RawCarrier,
    dial_out::{becomes, dial, host},
};

/// What stands for a heard tone and for none: tones are sent at 0.2.
const LOUD: f32 = 0.1;
const SILENT: f32 = 0.01;

fn judge(who: &str, own: f32, all: &[f32], heard: &Heard) {
    for hz in all {
        let tone = heard.tone(*hz, 2.0);
        assert!(if *hz == own { tone < SILENT } else { tone > LOUD }, "{who} ({own} Hz) hears {hz} Hz at {tone}");
    }
}

// product: P7, RFC 5763: telephones whose DTLS is OpenSSL's and whose certificates are RSA's, and two that can't encrypt.
#[tokio::test(flavor = "multi_thread")]
async fn telephones_that_shake_hands_hear_plain_ones_and_each_other() -> Result<()> {
    let server = Server::start()?;
    let mut phones = [
        (Baresip::start_dtls("13800000001", Codec::Pcma, 600.0)?, 600.0),
        (Baresip::start_dtls("13800000002", Codec::Opus, 1_300.0)?, 1_300.0),
        (Baresip::start("13800000003", Codec::Pcmu, 900.0)?, 900.0),
    ];
    for (phone, _) in &mut phones {
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
    }
    let mut pjsua = Pjsua::start("13800000004", 1_700.0)?;
    pjsua.dial(&server.meeting, server.sip, "udp")?;
    pjsua.press(&format!("2{}#", server.password))?;
    let all = [600.0, 900.0, 1_300.0, 1_700.0];
    pjsua.wait_to_hear(600.0)?;
    judge("PJSIP", 1_700.0, &all, &pjsua.listen(2.0)?);
    for (phone, own) in &mut phones {
        judge("baresip", *own, &all, &phone.listen(2.0)?);
    }
    assert!(server.counted("plane_handshakes", "").await? >= 3, "each shook hands");
    // On hold and back with the same certificate: there is no need to do so again.
    let before = server.counted("plane_handshakes", "").await?;
    phones[0].0.hold(true)?;
    while phones[2].0.listen(1.0)?.tone(600.0, 1.0) > SILENT {}
    phones[0].0.hold(false)?;
    while phones[2].0.listen(1.0)?.tone(600.0, 1.0) < 0.05 {}
    assert_eq!(server.counted("plane_handshakes", "").await?, before);
    let log = server.log();
    assert!(!log.contains("panicked") && !log.to_lowercase().contains("master"), "{log}");
    Ok(())
}

// product: P7, P12: a telephone of the house that takes no other call; the key of the description, too. RFC 5626: one of another make that
// is called by the connection it registered by.
#[tokio::test(flavor = "multi_thread")]
async fn telephones_are_called_encrypted_as_is_set_for_them() -> Result<()> {
    let accounts = r#"[{user="8001",password="long-enough",encryption="dtls"},{user="8002",password="long-enough",encryption="sdes"},{user="8003",password="long-enough",encryption="sdes"}]"#;
    let server = Server::start_with(&[("HUITONG_SIP__ACCOUNTS", accounts)])?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let name = json!({"type": "join", "name": "主持人"});
    let mut host = Client::join(server.web, &server.meeting, name, Some(&cookie)).await?;
    let mut phones = Vec::new();
    for (account, encryption, hz) in [("8001", "dtls_srtp", 600.0), ("8002", "srtp-mand", 900.0)] {
        let mut phone =
            Baresip::start_registered_encrypted(account, "long-enough", server.sip, (Codec::Pcma, hz), encryption)?;
        let dial = json!({"type": "dial", "number": account, "name": null});
        host.send(&json!({"type": "command", "id": 77, "command": dial})).await?;
        phone.take_call()?;
        phone.wait_for_sound()?;
        phone.press("1")?;
        host.next(|message| message["event"]["dial"]["state"] == "joined").await?;
        phones.push(phone);
    }
    let mut pjsua = Pjsua::start_encrypted("8003", 1_700.0, "sdes")?;
    assert!(pjsua.register(&format!("{};transport=tcp", server.sip), "8003", "long-enough")?, "by a flow");
    let dial = json!({"type": "dial", "number": "8003", "name": null});
    host.send(&json!({"type": "command", "id": 78, "command": dial})).await?;
    pjsua.wait_for("established")?;
    pjsua.press("1")?;
    host.next(|message| message["event"]["dial"]["state"] == "joined").await?;
    for hz in [600.0, 900.0] {
        pjsua.wait_to_hear(hz)?;
    }
    let (first, second) = phones.split_at_mut(1);
    while first[0].listen(1.0)?.tone(1_700.0, 1.0) < 0.05 {}
    while first[0].listen(1.0)?.tone(900.0, 1.0) < 0.05 {}
    while second[0].listen(1.0)?.tone(600.0, 1.0) < 0.05 {}
    assert!(server.counted("plane_handshakes", "").await? >= 1);
    Ok(())
}

// product: P7, P8; RFC 3264 §8
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_to_be_encrypted_is_not_made_plain_once_it_is_taken() -> Result<()> {
    let (carrier, server) = RawCarrier::start(r#",encryption="sdes""#)?;
    let sound = UdpSocket::bind("127.0.0.1:0")?;
    let mut host = host(&server).await?;
    let id = dial(&mut host, "13812345678").await?;
    let invite = carrier.take("INVITE ")?;
    let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw\r\n";
    let description = |version: u32, secure: bool| -> Result<String> {
        let plain = carrier.description(&sound, version)?;
        Ok(if secure { plain.replace("RTP/AVP", "RTP/SAVP") + key } else { plain })
    };
    carrier.answer(&invite, "200 OK", "", &description(1, true)?)?;
    carrier.take("ACK ")?;
    becomes(&mut host, &id, "answered").await?;
    for (cseq, secure, expected) in [(1, false, "488"), (2, true, "200"), (3, false, "488")] {
        let said = carrier.ask(&invite, "INVITE", cseq, &description(cseq + 1, secure)?)?;
        assert!(said.starts_with(&format!("SIP/2.0 {expected}")), "{secure}: {said}");
    }
    Ok(())
}

// RFC 4568 §6.1, product: P7: a carrier's border controller whose only key has an identifier
#[test]
fn whose_key_has_an_identifier_is_sent_sound_with_one() -> Result<()> {
    let server = Server::start()?;
    let offered = |key: &str| -> Result<(RawPhone, tests::Reply)> {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let offer = phone.description()?.replace("RTP/AVP", "RTP/SAVP");
        let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n");
        let reply = phone.invite("huitong", "", &format!("{offer}{crypto}"), "")?;
        Ok((phone, reply))
    };
    let key = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw";
    let (phone, taken) = offered(&format!("{key}|2^31|258:2"))?;
    assert_eq!(taken.code, 200, "{}", taken.text);
    assert!(
        taken.text.lines().any(|line| line.starts_with("a=crypto:1 ") && line.ends_with("|2^31|258:2")),
        "{}",
        taken.text
    );
    // Header, sound, identifier and tag: the greeting.
    let mut packet = [0; 2048];
    let (len, _) = phone.rtp.recv_from(&mut packet)?;
    assert_eq!((len, &packet[172..174]), (12 + 160 + 2 + 10, &[1, 2][..]));
    // Of several keys, or by an identifier that is none, nothing can be said.
    for key in [format!("{key}|2^20|1:4;inline:{key}|2^20|2:4"), format!("{key}|2^31|258:1")] {
        assert_eq!(offered(&key)?.1.code, 488, "{key}");
    }
    Ok(())
}

// RFC 5763 §5, RFC 8122 §5: no certificate, or one by a hash nobody believes
#[test]
fn a_handshake_without_a_certificate_is_refused() -> Result<()> {
    let server = Server::start()?;
    let md5 = format!("a=fingerprint:md5 {}\r\n", ["4A"; 16].join(":"));
    for lines in ["", "a=setup:actpass\r\n", &md5] {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let offer = phone.description()?.replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
        let refused = phone.call(&server.meeting, &format!("{offer}{lines}"), "").expect_err("it is refused");
        assert!(refused.to_string().contains("SIP/2.0 488"), "{lines:?}: {refused}");
    }
    Ok(())
}

/// A ClientHello with nothing but TLS_NULL (RFC 6347 §4.2.1), each with another random: CVE-2023-49786.
fn hello(number: u32) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend(number.to_be_bytes().repeat(8));
    body.extend([0, 0, 0, 2, 0, 0, 1, 0]);
    let mut record = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, (number % 200) as u8];
    record.extend((body.len() as u16 + 12).to_be_bytes());
    record.extend([1, 0, 0, body.len() as u8, 0, 0, 0, 0, 0, 0, 0, body.len() as u8]);
    record.extend(body);
    record
}

/// Ends what it was given to, however the test ends: nobody sprays into the next one.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends hellos and garbage to every port a telephone may have, each 10 ms, until told to stop. How many went out and what came
/// back.
fn spray(from: &UdpSocket, server: (u16, u16), stop: &AtomicBool) -> Result<(u32, u32)> {
    let (first, ports) = server;
    from.set_nonblocking(true)?;
    let (mut sent, mut back, mut next) = (0_u32, 0, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        // Who turns round and round here takes the processor from those who are to be kept from nothing.
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        next += Duration::from_millis(10);
        for port in first..first + ports {
            let mut datagram = hello(sent);
            match sent % 4 {
                // A bad tag under an RTP header, an alert, and what only begins like DTLS.
                1 => datagram = [&[0x80, 8][..], &[sent as u8; 180]].concat(),
                2 => datagram = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, (sent % 200) as u8, 0, 2, 2, 40],
                3 => datagram[14..].fill(sent as u8),
                _ => {}
            }
            // A port nobody listens on answers with an error; that is no one's concern.
            let _ = from.send_to(&datagram, (Ipv4Addr::LOCALHOST, port));
            sent += 1;
        }
        let mut buffer = [0; 2048];
        while from.recv_from(&mut buffer).is_ok() {
            back += 1;
        }
    }
    Ok((sent, back))
}

// reliability: A5, A7
#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_say_hello_keep_no_call_from_coming_up_or_going_on() -> Result<()> {
    let mut server = Server::start()?;
    let stop = Stop::default();
    // One that might be the telephones themselves, behind the same address, and one that can't be.
    let strangers = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)].map(|host| {
        let (stop, first) = (Arc::clone(&stop.0), server.rtp_first);
        std::thread::spawn(move || spray(&UdpSocket::bind((host, 0))?, (first, 12), &stop))
    });
    let mut baresip = [
        (Baresip::start_dtls("13800000001", Codec::Pcma, 600.0)?, 600.0),
        (Baresip::start_dtls("13800000002", Codec::Pcmu, 900.0)?, 900.0),
        (Baresip::start_encrypted("13800000003", Codec::Pcma, 1_300.0)?, 1_300.0),
    ];
    for (phone, _) in &mut baresip {
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
    }
    let mut pjsua = Pjsua::start("13800000004", 1_700.0)?;
    pjsua.dial(&server.meeting, server.sip, "udp")?;
    pjsua.press(&format!("2{}#", server.password))?;
    pjsua.wait_to_hear(600.0)?;
    let before = server.memory_kib()?;
    let all = [600.0, 900.0, 1_300.0, 1_700.0];
    judge("PJSIP", 1_700.0, &all, &pjsua.listen(2.0)?);
    for (phone, own) in &mut baresip {
        judge("baresip", *own, &all, &phone.listen(2.0)?);
    }
    drop(stop);
    let [beside, elsewhere] = strangers.map(|stranger| stranger.join());
    let (sent, answers) = beside.map_err(|_| anyhow!("the stranger panicked"))??;
    let (_, nothing) = elsewhere.map_err(|_| anyhow!("the stranger panicked"))??;
    let grown = server.memory_kib()?.saturating_sub(before);
    println!("{sent} datagrams of the nearer stranger, {answers} answers; {grown} KiB more");
    assert!(sent > 1_000, "it was a flood: {sent}");
    assert_eq!(nothing, 0, "who can't be a telephone is sent nothing");
    assert!(answers < 40, "{answers} answers to who might be one");
    assert!(grown < 16 << 10, "{grown} KiB");
    assert!(server.is_running() && !server.log().contains("panicked"), "{}", server.log());
    Ok(())
}

// RFC 6347: a second independent implementation of the handshake, with a key like ours, where the telephone waits and we begin.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_telephone_waits_we_begin() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    let openssl = |arguments: &[&str]| -> Result<String> {
        let done = std::process::Command::new("openssl").args(arguments).output().context("openssl runs")?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let (key_path, certificate_path) = (key.to_string_lossy(), certificate.to_string_lossy());
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=phone",
        "-days",
        "2",
        "-keyout",
        &key_path,
        "-out",
        &certificate_path,
    ])?;
    let printed = openssl(&["x509", "-in", &certificate_path, "-noout", "-fingerprint", "-sha384"])?;
    let fingerprint = printed.trim().split_once('=').context("a fingerprint")?.1.to_owned();
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let lines = format!("a=rtcp-mux\r\na=setup:passive\r\na=fingerprint:sha-384 {fingerprint}\r\n");
    let offer = format!("{}{lines}", phone.description()?.replace("RTP/AVP", "UDP/TLS/RTP/SAVP"));
    let port = phone.rtp.local_addr()?.port();
    // It takes over the port the offer names.
    phone.rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut waits = std::process::Command::new("openssl")
        .args(["s_server", "-dtls1_2", "-accept", &format!("127.0.0.1:{port}"), "-use_srtp", "SRTP_AES128_CM_SHA1_80"])
        .args(["-key", &key_path, "-cert", &certificate_path, "-Verify", "1", "-quiet"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .context("openssl runs")?;
    let answer = phone.call(&server.meeting, &offer, "")?;
    assert!(answer.text.contains("a=setup:active\r\n") && answer.text.contains("UDP/TLS/RTP/SAVP"), "{}", answer.text);
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut handshakes = 0;
    while handshakes == 0 && Instant::now() < deadline {
        handshakes = server.counted("plane_handshakes", "").await?;
    }
    let _ = waits.kill();
    waits.wait()?;
    assert_eq!(handshakes, 1);
    Ok(())
}
