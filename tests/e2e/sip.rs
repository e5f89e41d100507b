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

// product: P1
#[test]
fn a_telephone_that_speaks_ipv6_alone_is_heard_and_hears() -> Result<()> {
    let sip = SocketAddr::from((Ipv6Addr::LOCALHOST, free_everywhere()?));
    let web = format!("0.0.0.0:{}", free_everywhere()?);
    let _server = Server::start_with(&[
        ("HUITONG_SIP__UDP", &format!("[\"0.0.0.0:{0}\", \"[::]:{0}\"]", sip.port())),
        ("HUITONG_MEDIA__WEBRTC", &web),
        ("HUITONG_MEDIA__ANNOUNCED", "[\"127.0.0.1\"]"),
        ("HUITONG_SIP__TRUSTED", "[\"::1\", \"127.0.0.1\"]"),
    ])?;
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

/// The codes of all that is answered before the OPTIONS is; of an INVITE that needs longer, the first.
fn over_udp(server: &Server, message: &[u8], branch: &str) -> Result<Vec<String>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(message, server.sip)?;
    socket.send_to(options(branch, "UDP").as_bytes(), server.sip)?;
    let (mut codes, mut buffer) = (Vec::new(), [0; 65_536]);
    loop {
        let (len, _) = socket.recv_from(&mut buffer)?;
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        if text.contains(&format!("Call-ID: {branch}\r")) {
            anyhow::ensure!(text.starts_with("SIP/2.0 200"), "{text}");
            if codes.is_empty() && message.starts_with(b"INVITE ") {
                let (len, _) = socket.recv_from(&mut buffer).context("an INVITE is answered")?;
                let text = String::from_utf8_lossy(&buffer[..len]);
                codes.extend(text.split(' ').nth(1).map(str::to_owned));
            }
            return Ok(codes);
        }
        codes.push(text.split(' ').nth(1).unwrap_or_default().to_owned());
    }
}

/// The same on one connection; empty where the server closes it, and then the OPTIONS has a new one.
fn over_tcp(server: &Server, message: &[u8], branch: &str) -> Result<Vec<String>> {
    let ask = |message: &[u8]| -> Result<String> {
        let mut stream = TcpStream::connect(server.sip)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(message)?;
        stream.write_all(options(branch, "TCP").as_bytes())?;
        let (mut text, mut buffer) = (String::new(), [0; 65_536]);
        while !text.contains(&format!("Call-ID: {branch}\r")) {
            match stream.read(&mut buffer) {
                Ok(len @ 1..) => text += &String::from_utf8_lossy(&buffer[..len]),
                // Closed, or it waits for a body that never comes.
                Ok(0) | Err(_) => break,
            }
        }
        Ok(text)
    };
    let said = ask(message)?;
    let alone = ask(b"\r\n\r\n")?;
    // The answer to what asked whether it is there comes first (RFC 5626 §3.5.1).
    anyhow::ensure!(alone.starts_with("\r\nSIP/2.0 200"), "an OPTIONS afterwards: {alone:?}");
    let codes = said.split("SIP/2.0 ").skip(1).filter(|answer| !answer.contains(&format!("Call-ID: {branch}\r")));
    Ok(codes.filter_map(|answer| answer.split(' ').next().map(str::to_owned)).collect())
}

fn allows(allowed: &str, codes: &[String]) -> bool {
    allowed.split(',').any(|allowed| match allowed {
        "accept" => codes.first().is_some_and(|code| !["400", "505", "513"].contains(&code.as_str())),
        "parse" | "drop" | "close" => codes.is_empty(),
        code => codes.first().is_some_and(|first| first == code),
    })
}

// RFC 4475: its own messages are IETF text and not ours to copy; the folder RFC4475_MESSAGES names has them, with a table
// of what is allowed (file, section, start, class, expected, allowed). Messages of the same kinds in words of our own are
// in the unit tests of `sip` and here.
#[test]
fn torture_messages_get_an_allowed_answer_and_the_server_goes_on() -> Result<()> {
    let server = Server::start()?;
    let own: [(&str, &[u8], &str); 4] = [
        ("version", b"OPTIONS sip:h SIP/7.0\r\nVia: SIP/7.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
            Call-ID: v\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", "505"),
        ("latin", b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKb\r\nFrom: \"J\xf6rg\" <sip:a@b>;tag=1\r\n\
            To: <sip:c@d>\r\nCall-ID: l\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", "200"),
        ("length", b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKc\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
            Call-ID: n\r\nCSeq: 1 OPTIONS\r\nContent-Length: 18446744073709551615\r\n\r\n", "400,close"),
        ("killer", b"E sip:t SIP/2.0\nContent-Length: 18446744073709551615\n\n", "drop,close"),
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
    for (index, (name, message, allowed)) in all.iter().enumerate() {
        let udp = over_udp(&server, &to_us(message), &format!("u{index}")).with_context(|| name.clone())?;
        let tcp = over_tcp(&server, &to_us(message), &format!("t{index}")).with_context(|| name.clone())?;
        if !allows(allowed, &udp) {
            wrong.push(format!("{name} over UDP: {udp:?}, not {allowed}"));
        }
        // A stream that lacks its length, or whose body is cut short, can only be closed or waited for (RFC 3261 §18.3).
        if !tcp.is_empty() && !allows(allowed, &tcp) {
            wrong.push(format!("{name} over TCP: {tcp:?}, not {allowed}"));
        }
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
