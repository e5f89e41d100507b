//! Telephone signalling by real phones and real sockets: keys by INFO, volume, dialled numbers, torture.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tests::{Baresip, Codec, Pjsua, RawPhone, Reply, Server, free_everywhere, silence, tag};

const PATIENCE: Duration = Duration::from_secs(10);

// product: P2
#[test]
fn keys_by_info_lead_into_the_meeting() -> Result<()> {
    let server = Server::start()?;
    let mut other = Baresip::start("13800000001", Codec::Pcma, 900.0)?;
    other.dial(&server.meeting, server.sip, "udp")?;
    other.enter(&server.password)?;
    let mut phone = Pjsua::start("13800000002", 600.0)?;
    phone.dial(&server.meeting, server.sip, "tcp")?;
    phone.press_by_info(&format!("2{}#", server.password))?;
    phone.wait_to_hear(900.0)
}

// product: R1
#[tokio::test(flavor = "multi_thread")]
async fn a_room_system_dials_a_meeting_and_its_password_in_one_go() -> Result<()> {
    let server = Server::start()?;
    let mut host = crate::dial_out::host(&server).await?;
    for stars in ["**", "%2A%2A"] {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let offer = phone.description()?;
        let reply = phone.call(&format!("{}{stars}{}", server.meeting, server.password), &offer, "")?;
        // The language, and nothing more.
        phone.press(&tag(&reply), "1")?;
        host.next(|message| message["event"]["type"] == "participant_joined").await.context(stars)?;
    }
    // With a wrong one he is asked as everybody is.
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call(&format!("{}**000000", server.meeting), &offer, "")?;
    phone.press(&tag(&reply), "1")?;
    phone.press(&tag(&reply), &format!("{}#", server.password))?;
    host.next(|message| message["event"]["type"] == "participant_joined").await.context("asked")?;
    Ok(())
}

// product: P11; RFC 3261 §18.1.1
#[test]
fn a_call_whose_connection_is_gone_is_hung_up_by_a_new_one() -> Result<()> {
    let server = Server::start()?;
    // It listens by another port than the one it calls from, and sends no sound: that ends the call after a while.
    let (listener, rtp) = (TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let (own, port) = (listener.local_addr()?, rtp.local_addr()?.port());
    let mut stream = TcpStream::connect(server.sip)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let say = |method: &str, tag: &str, body: &str| {
        format!(
            "{method} sip:huitong@{0} SIP/2.0\r\nVia: SIP/2.0/TCP {own};branch=z9hG4bKgone{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:13800000009@{own}>;tag=gone\r\nTo: <sip:huitong@{0}>{tag}\r\nCall-ID: gone\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:gone@{own};transport=tcp>\r\nContent-Length: {1}\r\n\r\n{body}",
            server.sip,
            body.len()
        )
    };
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
    );
    stream.write_all(say("INVITE", "", &offer).as_bytes())?;
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains("SIP/2.0 200") || !text.ends_with("\r\n") || !text.contains("m=audio") {
        let len = stream.read(&mut buffer)?;
        anyhow::ensure!(len > 0, "closed: {text}");
        text += &String::from_utf8_lossy(&buffer[..len]);
    }
    let ok = text.rsplit("SIP/2.0 200").next().context("an answer")?;
    let tag = ok.lines().find_map(|line| line.strip_prefix("To:")?.split_once(";tag=")).context("a tag")?.1;
    stream.write_all(say("ACK", &format!(";tag={tag}"), "").as_bytes())?;
    drop(stream);
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let len = stream.read(&mut buffer)?;
    let bye = String::from_utf8_lossy(&buffer[..len]).into_owned();
    assert!(bye.starts_with("BYE sip:gone@") && bye.contains("Call-ID: gone\r\n"), "{bye}");
    Ok(())
}

/// A server that is there by both families, and where it is by IPv6.
fn by_ipv6() -> Result<(Server, SocketAddr)> {
    let sip = SocketAddr::from((Ipv6Addr::LOCALHOST, free_everywhere()?));
    let web = format!("0.0.0.0:{}", free_everywhere()?);
    let server = Server::start_with(&[
        ("HUITONG_SIP__UDP", &format!("[\"0.0.0.0:{0}\", \"[::]:{0}\"]", sip.port())),
        ("HUITONG_MEDIA__WEBRTC", &web),
        ("HUITONG_MEDIA__ANNOUNCED", "[\"127.0.0.1\"]"),
        ("HUITONG_SIP__TRUSTED", "[\"::1\", \"127.0.0.1\"]"),
    ])?;
    Ok((server, sip))
}

// RFC 5118 §4
#[test]
fn addresses_of_ipv6_are_taken_wherever_a_host_may_stand() -> Result<()> {
    let (_server, sip) = by_ipv6()?;
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let local = socket.local_addr()?;
    let rtp = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))?.local_addr()?.port();
    let sound = format!("m=audio {rtp} RTP/AVP 8\r\n");
    let sdp = |lines: &str| format!("v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\n{lines}");
    // Section, method, Request-URI, behind the sent-by of Via, further fields, description, what is answered.
    let cases = [
        ("4.1", "OPTIONS", "sip:[::1]", "", "", String::new(), 200),
        ("4.2", "OPTIONS", "sip:2001:db8::10", "", "", String::new(), 400),
        ("4.2", "OPTIONS", "sip:a@2001:db8::10", "", "", String::new(), 400),
        ("4.3", "OPTIONS", "sip:[2001:db8::10:5070]", "", "", String::new(), 200),
        ("4.4", "OPTIONS", "sip:[2001:db8::10]:5070", "", "", String::new(), 200),
        ("4.5", "OPTIONS", "sip:[::1]", ";received=[2001:db8::9:255]", "", String::new(), 200),
        ("4.5", "OPTIONS", "sip:[::1]", ";received=2001:db8::9:255", "", String::new(), 200),
        ("4.5", "OPTIONS", "sip:[::1]", ";received=2001:db8:::9", "", String::new(), 200),
        ("4.6", "INVITE", "sip:huitong@[::1]", "", "", sdp(&format!("c=IN IP6 ::1\r\nt=0 0\r\n{sound}")), 200),
        (
            "4.7",
            "OPTIONS",
            "sip:[::1]",
            "",
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKv4, SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bKv6\r\n",
            String::new(),
            200,
        ),
        (
            "4.8",
            "INVITE",
            "sip:huitong@[::1]",
            "",
            "",
            sdp(&format!(
                "t=0 0\r\n{sound}c=IN IP6 ::1\r\nm=video 6000 RTP/AVP 96\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:96 H264/90000\r\n"
            )),
            200,
        ),
        ("4.9", "OPTIONS", "sip:a@[::ffff:192.0.2.10]", "", "", String::new(), 200),
        ("4.10", "OPTIONS", "sip:[::1]", "", "Contact: <sip:a@[::ffff:192.0.2.2]>\r\n", String::new(), 200),
    ];
    let mut buffer = [0; 65_536];
    for (index, (section, method, uri, behind, fields, body, expected)) in cases.iter().enumerate() {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let contact =
            if fields.starts_with("Contact") { String::new() } else { format!("Contact: <sip:a@{local}>\r\n") };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKv6{index}{behind};rport\r\n{fields}Max-Forwards: 70\r\n\
             From: <sip:a@[::1]>;tag=v6\r\nTo: <sip:b@[::1]:5060;transport=udp>\r\nCall-ID: {index}@[::1]\r\nCSeq: 1 {method}\r\n\
             {contact}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.send_to(text.as_bytes(), sip)?;
        let answer = loop {
            let (len, _) = socket.recv_from(&mut buffer).with_context(|| format!("no answer to {text}"))?;
            let answer = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if answer.contains(&format!("Call-ID: {index}@[::1]\r\n")) && !answer.starts_with("SIP/2.0 1") {
                break answer;
            }
        };
        assert!(answer.starts_with(&format!("SIP/2.0 {expected} ")), "§{section}: {text}\n{answer}");
        assert!(answer.contains(";received=::1"), "§{section}: {answer}");
    }
    Ok(())
}

// product: P1
#[test]
fn a_telephone_that_speaks_ipv6_alone_is_heard_and_hears() -> Result<()> {
    let (_server, sip) = by_ipv6()?;
    let mut phone = RawPhone::new(sip, Ipv6Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call("huitong", &offer, "")?;
    assert!(reply.text.contains("c=IN IP6 ::1\r\n"), "{}", reply.text);
    assert_eq!(reply.field("Contact"), Some(format!("<sip:huitong@{sip}>").as_str()));
    let media = reply.media()?;
    let is_loud = |payload: &[u8]| payload.iter().filter(|byte| (**byte ^ 0xd5) & 0x7f > 0x30).count() > 20;
    let mut number = 0;
    while !is_loud(&phone.exchange(media, number)?.1) {
        number += 1;
    }
    // Sound by the other family has no way from there.
    let port = phone.rtp.local_addr()?.port();
    let other = format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
    );
    phone.send("INVITE", &tag(&reply), "", &other)?;
    let refused = phone.answer()?;
    assert_eq!(refused.code, 488);
    phone.acknowledge(&refused, "")?;
    phone.exchange(media, number)?;
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    Ok(())
}

// product: P4
#[test]
fn a_caller_hears_the_others_softer_and_louder() -> Result<()> {
    let server = Server::start()?;
    let mut other = Baresip::start("13800000001", Codec::Pcma, 900.0)?;
    other.dial(&server.meeting, server.sip, "udp")?;
    other.enter(&server.password)?;
    let mut phone = Pjsua::start("13800000002", 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.press(&format!("2{}#", server.password))?;
    phone.wait_to_hear(900.0)?;
    // Four decibels each: 0.2 becomes 0.05.
    phone.press("*3*3*3")?;
    while phone.listen(1.0)?.tone(900.0, 1.0) > 0.07 {}
    phone.press("*2*2*2*2*2*2")?;
    while phone.listen(1.0)?.tone(900.0, 1.0) < 0.3 {}
    Ok(())
}

// product: P1, P7
#[test]
fn a_number_with_a_language_and_a_meeting_asks_for_neither() -> Result<()> {
    let number = r#"[{number="4000",language="en-US"}]"#;
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", number)])?;
    let mut other = Baresip::start("13800000001", Codec::Pcma, 900.0)?;
    other.dial(&server.meeting, server.sip, "udp")?;
    other.enter(&server.password)?;
    let mut phone = Pjsua::start("13800000002", 600.0)?;
    phone.dial("4000", server.sip, "udp")?;
    // The first key is the meeting's already: no language is asked for.
    phone.press(&format!("{}#{}#", server.meeting, server.password))?;
    phone.wait_to_hear(900.0)
}

// RFC 3264 §5, trap: a PBX that sends no offer and hears nothing.
#[test]
fn who_offers_nothing_is_offered_sound_and_hears_it() -> Result<()> {
    let server = Server::start()?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let answer = phone.description()?;
    let reply = phone.call("huitong", "", &answer)?;
    assert!(reply.text.contains("m=audio") && reply.text.contains("PCMA/8000"), "{}", reply.text);
    let media = reply.media()?;
    let is_loud = |payload: &[u8]| payload.iter().filter(|byte| (**byte ^ 0xd5) & 0x7f > 0x30).count() > 20;
    let mut number = 0;
    while !is_loud(&phone.exchange(media, number)?.1) {
        number += 1;
    }
    // Again within the call, as a PBX does that puts two calls together; with another address.
    phone.rtp = UdpSocket::bind("127.0.0.1:0")?;
    phone.rtp.set_read_timeout(Some(PATIENCE))?;
    phone.send("INVITE", &tag(&reply), "", "")?;
    let again = phone.answer()?;
    assert_eq!((again.code, again.media()?), (200, media));
    phone.acknowledge(&again, &phone.description()?)?;
    while !is_loud(&phone.exchange(media, number)?.1) {
        number += 1;
    }
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    // An answer without sound: it is too late to refuse, so it is hung up.
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    phone.call("huitong", "", "v=0\r\nm=audio 0 RTP/AVP 8\r\n")?;
    let mut buffer = [0; 4096];
    loop {
        let (len, _) = phone.sip.recv_from(&mut buffer)?;
        if buffer[..len].starts_with(b"BYE ") {
            return Ok(());
        }
    }
}

// product: P6; RFC 3264 §6.1
#[test]
fn who_answers_with_several_codecs_is_heard_by_each_and_spoken_to_by_it() -> Result<()> {
    let server = Server::start()?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let answer = phone.description()?.replace("RTP/AVP 8", "RTP/AVP 8 0");
    let media = phone.call("huitong", "", &answer)?.media()?;
    let mut buffer = [0; 2048];
    let mut by = |payload_type: u8, numbers: std::ops::Range<u16>| -> Result<()> {
        for number in numbers {
            let mut packet = silence(number);
            packet[1] = payload_type;
            phone.rtp.send_to(&packet, media)?;
            phone.rtp.recv_from(&mut buffer).context("no sound")?;
            if buffer[1] & 0x7f == payload_type {
                return Ok(());
            }
        }
        anyhow::bail!("never spoken to by {payload_type}")
    };
    by(8, 0..50)?;
    by(0, 50..100)?;
    by(8, 100..150)
}

/// What is sent to a telephone from a moment after now on is reports alone: how many.
fn reports_alone(phone: &RawPhone, during: Duration) -> Result<usize> {
    let (begun, mut buffer, mut reports) = (Instant::now(), [0; 2048], 0);
    phone.rtp.set_read_timeout(Some(Duration::from_millis(100)))?;
    while begun.elapsed() < during {
        let Ok((len, _)) = phone.rtp.recv_from(&mut buffer) else { continue };
        // What was under way when the answer was given.
        let is_late = begun.elapsed() < Duration::from_millis(200);
        let is_report = matches!(buffer[..len], [_, 192..=223, ..]);
        anyhow::ensure!(is_report || is_late, "sound to who wants none");
        reports += usize::from(is_report);
    }
    phone.rtp.set_read_timeout(Some(PATIENCE))?;
    Ok(reports)
}

// product: P11; RFC 3264 §6.1, §8.4. trap: a telephone that holds without music is hung up.
#[test]
fn who_holds_may_be_silent_and_is_sent_reports_alone() -> Result<()> {
    let server = Server::start()?;
    let enters = || -> Result<(RawPhone, Reply, String)> {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let sound = phone.description()? + "a=rtcp-mux\r\n";
        let reply = phone.call(&server.meeting, &sound, "")?;
        phone.press(&tag(&reply), &format!("2{}#", server.password))?;
        Ok((phone, reply, sound))
    };
    let anew = |phone: &mut RawPhone, reply: &Reply, offer: &str| -> Result<Reply> {
        phone.send("INVITE", &tag(reply), "", offer)?;
        let answer = phone.answer()?;
        phone.acknowledge(&answer, "")?;
        anyhow::ensure!(answer.code == 200, "{}", answer.text);
        Ok(answer)
    };
    let (mut silent, its_reply, its_sound) = enters()?;
    anew(&mut silent, &its_reply, &format!("{its_sound}a=sendonly\r\n"))?;
    let (mut phone, reply, sound) = enters()?;
    let media = reply.media()?;
    for number in 0..50 {
        phone.exchange(media, number)?;
    }
    for (direction, ours) in [("sendonly", "recvonly"), ("inactive", "inactive")] {
        let answer = anew(&mut phone, &reply, &format!("{sound}a={direction}\r\n"))?;
        assert!(answer.text.contains(&format!("a={ours}\r\n")), "{}", answer.text);
        // One comes within 7.5 s (RFC 3550 §6.2).
        assert!(reports_alone(&phone, Duration::from_secs(8))? > 0, "{direction}");
    }
    // Longer than anybody is waited for of whom nothing was ever heard.
    for (mut phone, reply, sound) in [(phone, reply, sound), (silent, its_reply, its_sound)] {
        anew(&mut phone, &reply, &sound)?;
        for number in 50..100 {
            phone.exchange(reply.media()?, number)?;
        }
        phone.send("BYE", &tag(&reply), "", "")?;
        assert_eq!(phone.answer()?.code, 200);
    }
    Ok(())
}

/// A message whose answer comes back to the port it came from, whatever host its topmost Via names.
fn to_us(message: &[u8]) -> Vec<u8> {
    // Byte for character: what is no UTF-8 stays as it is.
    let mut text: String = message.iter().map(|byte| char::from(*byte)).collect();
    let lower = text.to_ascii_lowercase();
    let via = ["\nvia:", "\nvia ", "\nv:"].iter().filter_map(|name| lower.find(name)).min();
    if let Some(via) = via {
        let rest = &text[via + 1..];
        // A folded line goes on.
        let line = rest.match_indices('\n').find(|(at, _)| !rest[at + 1..].starts_with([' ', '\t']));
        let line = line.map_or(rest, |(at, _)| rest[..at].trim_end());
        let end = line.find([';', ',']).unwrap_or(line.len());
        text.insert_str(via + 1 + end, ";rport");
    }
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("made of bytes")).collect()
}

fn options(branch: &str, transport: &str) -> String {
    format!(
        "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/{transport} h;branch=z9hG4bK{branch};rport\r\nFrom: <sip:1@x>;tag=a\r\n\
         To: <sip:2@x>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What has been said since a message and the OPTIONS behind it were sent.
#[derive(Default)]
struct Said {
    /// The first final answer to the message; 0 while there is none.
    code: u16,
    /// Whether the OPTIONS is answered.
    options: bool,
}

impl Said {
    fn hear(&mut self, text: &str, branch: &str) -> Result<()> {
        let mine = format!("Call-ID: {branch}\r");
        for answer in text.split("SIP/2.0 ").skip(1).filter(|answer| answer.contains("\r\nCSeq: ")) {
            let code = answer.get(..3).and_then(|code| code.parse().ok()).unwrap_or_default();
            if answer.contains(&mine) {
                anyhow::ensure!(code == 200, "{answer}");
                self.options = true;
            } else if self.code < 200 {
                self.code = code;
            }
        }
        Ok(())
    }

    fn is_all(&self, allowed: &[u16]) -> bool {
        self.options && (self.code >= 200 || allowed.is_empty())
    }
}

/// The first final answer; the OPTIONS that is sent behind is answered too. Some have the same branch: each comes from a host of its own.
fn over_udp(server: &Server, message: &[u8], allowed: &[u16], index: u8) -> Result<u16> {
    let (socket, branch) = (UdpSocket::bind((Ipv4Addr::new(127, 0, 1, index), 0))?, &format!("u{index}"));
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(message, server.sip)?;
    socket.send_to(options(branch, "UDP").as_bytes(), server.sip)?;
    let (mut said, mut buffer) = (Said::default(), [0; 65_536]);
    while !said.is_all(allowed) {
        let (len, _) = socket.recv_from(&mut buffer)?;
        said.hear(&String::from_utf8_lossy(&buffer[..len]), branch)?;
    }
    Ok(said.code)
}

/// What becomes of a connection after a message on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The next one is answered.
    GoesOn,
    /// The server closes it.
    Closes,
    /// The rest of the message is waited for.
    Waits,
}

/// The same on one connection, and what becomes of that; the OPTIONS has another one where it doesn't go on.
fn over_tcp(server: &Server, message: &[u8], allowed: &[u16], then: Then, branch: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(server.sip)?;
    stream.set_read_timeout(Some(if then == Then::Waits { Duration::from_secs(1) } else { PATIENCE }))?;
    stream.write_all(&[message, options(branch, "TCP").as_bytes()].concat())?;
    let (mut text, mut said, mut buffer) = (String::new(), Said::default(), [0; 65_536]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => anyhow::ensure!(then == Then::Closes, "closed after {text:?}"),
            Ok(len) => {
                text += &String::from_utf8_lossy(&buffer[..len]);
                said = Said::default();
                said.hear(&text, branch)?;
                if then != Then::GoesOn || !said.is_all(allowed) {
                    continue;
                }
            }
            Err(error) => anyhow::ensure!(then == Then::Waits, "{error} after {text:?}"),
        }
        break;
    }
    if then != Then::GoesOn {
        let mut stream = TcpStream::connect(server.sip)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(options(branch, "TCP").as_bytes())?;
        let len = stream.read(&mut buffer)?;
        anyhow::ensure!(buffer[..len].starts_with(b"SIP/2.0 200"), "an OPTIONS afterwards");
    }
    Ok(said.code)
}

/// What may be answered to a message; nothing where it isn't to be answered.
fn allowed_codes(allowed: &str, message: &[u8]) -> Vec<u16> {
    let each = |allowed: &str| match allowed {
        // Taken for what it is: a call for the menu, an OPTIONS, a telephone that is to prove itself, or what nobody does here.
        "accept" if message.starts_with(b"INVITE") => Some(200),
        "accept" if message.starts_with(b"OPTIONS") => Some(200),
        "accept" if message.starts_with(b"REGISTER") => Some(401),
        "accept" => Some(405),
        code => code.parse().ok(),
    };
    allowed.split(',').filter_map(each).collect()
}

/// What is read otherwise from a connection than from a datagram: what is answered there, and what becomes of the connection (RFC 3261
/// §18.3). All others are answered alike, and the connection goes on.
const ON_A_CONNECTION: [(&str, &str, Then); 7] = [
    // More may come: "it should wait, and time out" (RFC 4475 §3.1.2.2).
    ("clerr.dat", "", Then::Waits),
    // Where they end nobody knows: -999, two lengths, none.
    ("ncl.dat", "400", Then::Closes),
    ("mcl01.dat", "400", Then::Closes),
    ("inv2543.dat", "400", Then::Closes),
    // What is noise behind a datagram's message is the next one here, and has no length.
    ("dblreq.dat", "accept", Then::Closes),
    ("length", "513", Then::Closes),
    ("killer", "", Then::Closes),
];

// RFC 4475: its own messages are IETF text and not ours to copy; the folder RFC4475_MESSAGES names has them, with a table
// of what is allowed (file, section, start, class, expected, allowed). Messages of the same kinds in words of our own are
// in the unit tests of `sip` and here.
#[test]
fn torture_messages_get_an_allowed_answer_and_the_server_goes_on() -> Result<()> {
    // One for each transport: the same call by another way would be the same call.
    let accounts = [("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#)];
    let (by_udp, by_tcp) = (Server::start_with(&accounts)?, Server::start_with(&accounts)?);
    let own: [(&str, &[u8], &str); 4] = [
        ("version", b"OPTIONS sip:h SIP/7.0\r\nVia: SIP/7.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
            Call-ID: v\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", "505"),
        ("latin", b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKb\r\nFrom: \"J\xf6rg\" <sip:a@b>;tag=1\r\n\
            To: <sip:c@d>\r\nCall-ID: l\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", "200"),
        ("length", b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKc\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
            Call-ID: n\r\nCSeq: 1 OPTIONS\r\nContent-Length: 18446744073709551615\r\n\r\n", "400"),
        ("killer", b"E sip:t SIP/2.0\nContent-Length: 18446744073709551615\n\n", "drop"),
    ];
    let mut all: Vec<(String, Vec<u8>, String)> = Vec::new();
    all.extend(own.map(|(name, bytes, allowed)| (name.to_owned(), bytes.to_vec(), allowed.to_owned())));
    if let Some(folder) = std::env::var_os("RFC4475_MESSAGES") {
        let folder = Path::new(&folder);
        for line in std::fs::read_to_string(folder.join("INDEX.tsv"))?.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [file, _, _, _, _, allowed, _] = fields[..] else { anyhow::bail!("not a line of the table: {line}") };
            let bytes = std::fs::read(folder.join(file)).with_context(|| file.to_owned())?;
            all.push((file.to_owned(), bytes, allowed.to_owned()));
        }
    }
    let mut wrong = Vec::new();
    for (index, (name, message, allowed)) in (1..).zip(&all) {
        let mut check = |way: &str, codes: &[u16], code: Result<u16>| match code {
            Ok(code) if codes.contains(&code) || codes.is_empty() && code == 0 => {}
            Ok(code) => wrong.push(format!("{name} over {way}: {code}, not {codes:?}")),
            Err(error) => wrong.push(format!("{name} over {way}: {error:#}, not {codes:?}")),
        };
        let codes = allowed_codes(allowed, message);
        check("UDP", &codes, over_udp(&by_udp, &to_us(message), &codes, index));
        let otherwise = ON_A_CONNECTION.iter().find(|(other, ..)| other == name);
        let (allowed, then) =
            otherwise.map_or((allowed.as_str(), Then::GoesOn), |(_, allowed, then)| (*allowed, *then));
        let codes = allowed_codes(allowed, message);
        check("TCP", &codes, over_tcp(&by_tcp, &to_us(message), &codes, then, &format!("t{index}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

// RFC 7118: a telephone that is a program in a browser, by the web port.
#[tokio::test]
async fn a_telephone_by_websocket_calls_and_is_hung_up_on() -> Result<()> {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

    let server = Server::start()?;
    let address = format!("ws://{}/sip", server.web);
    let asked = |protocol: Option<&'static str>, origin: Option<&'static str>| -> Result<_> {
        let mut request = address.as_str().into_client_request()?;
        let fields = [("sec-websocket-protocol", protocol), ("origin", origin)];
        for (name, value) in fields.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            request.headers_mut().insert(name, value.parse()?);
        }
        Ok(request)
    };
    assert!(connect_async(asked(None, None)?).await.is_err(), "another protocol than sip");
    assert!(connect_async(asked(Some("sip"), Some("https://evil.example"))?).await.is_err(), "another site's page");
    let (mut socket, _) = connect_async(asked(Some("sip"), None)?).await?;
    let rtp = UdpSocket::bind("127.0.0.1:0")?;
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 8\r\n",
        rtp.local_addr()?.port()
    );
    let request = |method: &str, cseq: u32, to_tag: &str, body: &str| {
        format!(
            "{method} sip:huitong@{0} SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKw{method}{cseq}\r\nMax-Forwards: 70\r\n\
             From: <sip:alice@x>;tag=a\r\nTo: <sip:huitong@{0}>{to_tag}\r\nCall-ID: w\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {1}\r\n\r\n{body}",
            server.web,
            body.len()
        )
    };
    // A keep-alive, then a call.
    socket.send("\r\n\r\n".into()).await?;
    assert_eq!(socket.next().await.context("it stays open")??.into_text()?.as_str(), "\r\n");
    socket.send(request("INVITE", 1, "", &offer).into()).await?;
    let reply = loop {
        let text = socket.next().await.context("it stays open")??.into_text()?.to_string();
        if text.starts_with("SIP/2.0 200") {
            break Reply { code: 200, text };
        }
        anyhow::ensure!(text.starts_with("SIP/2.0 1"), "{text}");
    };
    assert!(reply.field("Contact").is_some_and(|contact| contact.contains(";transport=ws")), "{}", reply.text);
    socket.send(request("ACK", 1, &tag(&reply), "").into()).await?;
    rtp.set_read_timeout(Some(PATIENCE))?;
    rtp.recv_from(&mut [0; 2048]).context("no sound")?;
    // It sends none: the server hangs up, by the same way.
    loop {
        let text = socket.next().await.context("it stays open")??.into_text()?.to_string();
        if text.starts_with("BYE ") {
            return Ok(());
        }
    }
}
