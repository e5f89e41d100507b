//! Sound from strangers, and to places where no telephone is, through real sockets.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use media::{AudioCodec, Clip, RtpPacket, Ssrc};
use mixer::{Mixer, PlayId, SeatConfig, tones};
use serde_json::json;
use tests::{Baresip, Client, Codec, Pjsua, RawPhone, Server, User, tag};

/// What strangers send, which nobody is to hear.
const STRANGE_HZ: f32 = 1_900.0;

const TICK: Duration = Duration::from_millis(20);

/// Sends a tone to every port of a range, like a call that has always been there, and counts what it gets for it.
struct Sprayer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(u32, u32)>>,
}

impl Sprayer {
    fn start(from: Ipv4Addr, ports: std::ops::Range<u16>) -> Result<Self> {
        let socket = UdpSocket::bind((from, 0))?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stop);
        let mut mixer = Mixer::new();
        let config = SeatConfig { input: None, output: Some(AudioCodec::Pcma), voice: false, apart: true };
        let seat = mixer.add(config)?;
        mixer.play(seat, PlayId(1), Clip::new(tones::sine(STRANGE_HZ, 0.3, 48_000, 48_000)), true);
        let thread = std::thread::spawn(move || {
            let (mut sent, mut got) = (0u32, 0);
            let (mut next, mut buffer) = (Instant::now(), [0; 2048]);
            for seq in 0u16.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let tick = mixer.tick();
                let (_, payload) = tick.outputs().next().context("a payload")?;
                let mut packet = Vec::new();
                let timestamp = u32::from(seq) * 160;
                RtpPacket { payload_type: 8, marker: seq == 0, seq, timestamp, ssrc: Ssrc(0xbad), payload }
                    .write(&mut packet);
                for port in ports.clone() {
                    // A port nobody listens on answers with an error; that is no one's concern.
                    sent += u32::from(socket.send_to(&packet, (Ipv4Addr::LOCALHOST, port)).is_ok());
                }
                next += TICK;
                while let Some(left) = next.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                    socket.set_read_timeout(Some(left))?;
                    got += u32::from(socket.recv_from(&mut buffer).is_ok());
                }
            }
            Ok((sent, got))
        });
        Ok(Self { stop, thread })
    }

    /// How many packets it sent, and how many came to it.
    fn stop(self) -> Result<(u32, u32)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("a sprayer panicked"))?
    }
}

/// How loud a tone was where it was loudest, over tenths of a second.
fn loudest(samples: &[f32], hz: f32) -> f32 {
    samples.chunks_exact(4_800).map(|tenth| tones::amplitude(tenth, hz, 48_000)).fold(0.0, f32::max)
}

// reliability: A6 (CVE-2017-14099, CVE-2025-53399)
#[tokio::test(flavor = "multi_thread")]
async fn who_sprays_all_ports_with_sound_is_not_heard_and_gets_nothing() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "host").await?;
    // Without a password a caller is in within a second, while his address may still be learned.
    let made = user.post("/meetings", json!({"title": "spray", "duration": 60, "capacity": 5})).await?;
    let number = made.body["number"].as_str().with_context(|| made.body.to_string())?.replace(' ', "");
    let join = json!({"type": "join", "name": "host"});
    let mut host = Client::join(server.web, &number, join, Some(&user.cookie)).await?;
    let ports = server.rtp_first..server.rtp_first + 200;
    let mut listener = Pjsua::start("13800000001", 0.0)?;
    listener.dial(&number, server.sip, "udp")?;
    listener.press("1")?;
    host.next(|message| message["event"]["type"] == "participant_joined").await?;

    let elsewhere = Sprayer::start(Ipv4Addr::new(127, 0, 0, 66), ports.clone())?;
    let mut caller = Baresip::start("13800000002", Codec::Pcma, 600.0)?;
    caller.dial(&number, server.sip, "udp")?;
    caller.press("1")?;
    host.next(|message| message["event"]["type"] == "participant_joined").await?;
    listener.wait_to_hear(600.0)?;
    listener.listen(3.0)?;
    // On the callers' own host, once their addresses are certain.
    let beside = Sprayer::start(Ipv4Addr::LOCALHOST, ports)?;
    let heard = listener.listen(3.0)?;
    assert!(heard.tone(600.0, 2.0) > 0.1, "the call itself goes on: {}", heard.tone(600.0, 2.0));
    for sprayer in [elsewhere, beside] {
        let (sent, got) = sprayer.stop()?;
        println!("{sent} packets sprayed, {got} came back");
        assert!(sent > 10_000, "it sprayed: {sent}");
        assert_eq!(got, 0, "it gets somebody's sound");
    }
    for heard in [listener.hang_up()?, caller.hang_up()?] {
        let strange = loudest(heard.samples(), STRANGE_HZ);
        assert!(strange < 0.03, "a stranger is heard: {strange}");
    }
    Ok(())
}

fn offer(address: &str, port: u16) -> String {
    let family = if address.contains(':') { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
    )
}

/// What the server says to an offer of sound there.
fn offered(server: SocketAddr, offer: &str) -> Result<u16> {
    let mut phone = RawPhone::new(server, Ipv4Addr::LOCALHOST)?;
    phone.send("INVITE", "", "", offer)?;
    let reply = phone.answer()?;
    phone.acknowledge(&reply, "")?;
    if reply.code == 200 {
        phone.send("BYE", &tag(&reply), "", "")?;
        phone.answer()?;
    }
    Ok(reply.code)
}

// reliability: A10
#[test]
fn sound_is_offered_in_vain_to_crowds_services_neighbours_and_ourselves() -> Result<()> {
    let server = Server::start()?;
    let places = [
        ("255.255.255.255", 4_000),
        ("224.0.0.1", 4_000),
        ("239.1.2.3", 4_000),
        ("ff02::1", 4_000),
        ("169.254.169.254", 4_000),
        ("fe80::1", 4_000),
        ("127.0.0.1", 53),
        ("198.51.100.7", 1_023),
        ("127.0.0.1", server.sip.port()),
        ("::ffff:127.0.0.1", server.sip.port()),
    ];
    for (address, port) in places {
        assert_eq!(offered(server.sip, &offer(address, port))?, 488, "{address} {port}");
    }
    // Nor is a handshake begun there, which has a port of its own for reports.
    let with_reports = |place: &str| {
        let fingerprint = ["00"; 32].join(":");
        offer("127.0.0.1", 4_000).replace("RTP/AVP", "UDP/TLS/RTP/SAVP")
            + &format!(
                "a=rtpmap:8 PCMA/8000\r\na=setup:passive\r\na=fingerprint:sha-256 {fingerprint}\r\na=rtcp:{place}\r\n"
            )
    };
    for place in ["53 IN IP4 169.254.169.254", "4001 IN IP4 169.254.169.254", "53", "4001 IN IP4 224.0.0.1"] {
        assert_eq!(offered(server.sip, &with_reports(place))?, 488, "{place}");
    }
    assert_eq!(offered(server.sip, &with_reports("4001 IN IP4 127.0.0.3"))?, 200);
    // Nowhere at all is a hold of before RFC 3264, and 127.0.0.3 is a telephone on this machine.
    for (address, port) in [("0.0.0.0", 4_000), ("127.0.0.3", 4_000)] {
        assert_eq!(offered(server.sip, &offer(address, port))?, 200, "{address} {port}");
    }
    Ok(())
}

// reliability: A10
#[test]
fn nobody_makes_us_talk_to_ourselves() -> Result<()> {
    let server = Server::start()?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let description = phone.description()?;
    let taken = phone.call("huitong", &description, "")?;
    let ours = taken.media()?;
    phone.exchange(ours, 1)?;
    let offer_of = |port: u16| offer(&ours.ip().to_string(), port);
    // Where that call's sound is taken and its reports, and where the next one's will be.
    for port in ours.port()..=ours.port() + 2 {
        assert_eq!(offered(server.sip, &offer_of(port))?, 488, "{port}");
    }
    // Nor is a call that stands put through to itself; it goes on as it was.
    phone.send("INVITE", &tag(&taken), "", &offer_of(ours.port()))?;
    let refused = phone.answer()?;
    phone.acknowledge(&refused, "")?;
    assert_eq!(refused.code, 488);
    phone.exchange(ours, 2)?;
    // Somebody else may be where none of our calls is any more.
    phone.send("BYE", &tag(&taken), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    server.wait_for_log("hung_up")?;
    assert_eq!(offered(server.sip, &offer_of(ours.port()))?, 200);
    Ok(())
}

// reliability: A10
#[test]
fn an_address_that_never_answers_gets_one_second_of_sound() -> Result<()> {
    let server = Server::start()?;
    let victims = [UdpSocket::bind("127.0.0.3:0")?, UdpSocket::bind("127.0.0.4:0")?];
    let mut phones = Vec::new();
    for victim in &victims {
        let local = victim.local_addr()?;
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        phone.call("huitong", &offer(&local.ip().to_string(), local.port()), "")?;
        phone.sip.set_read_timeout(Some(Duration::from_secs(20)))?;
        phones.push(phone);
    }
    // Ten seconds later the server gives up.
    for phone in &phones {
        let mut buffer = [0; 4096];
        while !phone.sip.recv_from(&mut buffer).map(|(len, _)| buffer[..len].starts_with(b"BYE "))? {}
    }
    for victim in victims {
        victim.set_nonblocking(true)?;
        let packets = std::iter::from_fn(|| victim.recv_from(&mut [0; 2048]).ok()).count();
        assert!((1..=50).contains(&packets), "{packets} packets to somebody who never asked");
    }
    Ok(())
}
