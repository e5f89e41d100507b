//! Bad input: a clear answer or a counted drop, and nobody else notices.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use tests::{Baresip, Client, Codec, Pjsua, RawPhone, Server, http, tag};

use crate::dial_out::overloaded;

fn invite(server: &Server, socket: &UdpSocket, media: &str) -> Result<String> {
    let local = socket.local_addr()?;
    let body = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}");
    let text = format!(
        "INVITE sip:{}@{} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKstranger{};rport\r\nFrom: <sip:1@x>;tag=a\r\n\
         To: <sip:2@x>\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@{local}>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        server.meeting,
        server.sip,
        media.len(),
        media.len(),
        body.len()
    );
    socket.send_to(text.as_bytes(), server.sip)?;
    let mut buffer = [0; 4096];
    loop {
        let (len, _) = socket.recv_from(&mut buffer)?;
        let line = String::from_utf8_lossy(&buffer[..len]).lines().next().unwrap_or_default().to_owned();
        if !line.starts_with("SIP/2.0 1") {
            return Ok(line);
        }
    }
}

fn options(server: &Server, socket: &UdpSocket) -> Result<String> {
    // A new request each time, not a retransmission that is answered from memory.
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let text = format!(
        "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};branch=z9hG4bKo{2};rport\r\nFrom: <sip:1@x>;tag=a\r\nTo: <sip:2@x>\r\n\
         Call-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        server.sip,
        socket.local_addr()?,
        ASKED.fetch_add(1, Ordering::Relaxed)
    );
    socket.send_to(text.as_bytes(), server.sip)?;
    let mut buffer = [0; 4096];
    let (len, _) = socket.recv_from(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..len]).lines().next().unwrap_or_default().to_owned())
}

// product: P7, P12
#[test]
fn where_strangers_are_kept_out_only_telephones_of_the_house_call() -> Result<()> {
    let accounts = r#"[{user="8001",password="long-enough"}]"#;
    let server = Server::start_with(&[("HUITONG_SIP__STRANGERS", "false"), ("HUITONG_SIP__ACCOUNTS", accounts)])?;
    let mut stranger = RawPhone::new(server.sip, Ipv4Addr::new(127, 0, 0, 2))?;
    let offer = stranger.description()?;
    assert_eq!(stranger.invite(&server.meeting, "", &offer, "")?.code, 403);
    let mut phone = Baresip::start_registering("8001", "long-enough", server.sip, Codec::Pcma, 600.0)?;
    phone.wait_for("REGISTER_OK")?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.wait_for_sound()
}

// product: P7; RFC 3325
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_keep_their_carriers_limits() -> Result<()> {
    let carrier = overloaded(false)?;
    let trunks = format!(r#"[{{name="carrier",address="{carrier}",caller="1",incoming_max=2,incoming_per_number=1}}]"#);
    let server = Server::start_with(&[("HUITONG_SIP__TRUNKS", &trunks)])?;
    // Where its servers are is known then.
    server.wait_for_log("trunk is up")?;
    let call = |number: &str| -> Result<(RawPhone, tests::Reply)> {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let offer = phone.description()?;
        let asserted = format!("P-Asserted-Identity: <sip:{number}@x>\r\n");
        let reply = phone.invite("huitong", &asserted, &offer, "")?;
        Ok((phone, reply))
    };
    let (mut first, taken) = call("13800000001")?;
    assert_eq!(taken.code, 200);
    assert_eq!(call("13800000001")?.1.code, 486, "one call of a number");
    let _second = call("13800000002")?;
    let refused = call("13800000003")?.1;
    assert_eq!((refused.code, refused.field("Retry-After")), (503, Some("10")), "{}", refused.text);
    assert_eq!(server.counted("gateway_trunk_limited", "carrier").await?, 2);
    assert_eq!(server.counted("gateway_calls_ended", "number_limit").await?, 1);
    first.send("BYE", &tag(&taken), "", "")?;
    assert_eq!(first.answer()?.code, 200);
    server.wait_for_log("hung_up")?;
    let again = call("13800000001")?.1;
    assert_eq!(again.code, 200, "{}", again.text);
    Ok(())
}

// reliability: A2
#[tokio::test]
async fn scanners_hear_nothing_and_the_others_of_their_address_do() -> Result<()> {
    let server = Server::start()?;
    let socket = UdpSocket::bind("127.0.0.2:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let ask = |id: &str, method: &str, agent: &str| -> Result<()> {
        let text = format!(
            "{method} sip:100@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {1};branch=z9hG4bK{id};rport\r\nFrom: <sip:100@x>;tag=a\r\n\
             To: <sip:100@x>\r\nCall-ID: {id}\r\nCSeq: 1 {method}\r\nContact: <sip:100@{1}>\r\nUser-Agent: {agent}\r\n\
             Content-Length: 0\r\n\r\n",
            server.sip,
            socket.local_addr()?
        );
        socket.send_to(text.as_bytes(), server.sip)?;
        Ok(())
    };
    let agents = ["friendly-scanner", "VaxSIPUserAgent/3.1", "sipcli/v1.8", "pplsip"];
    for (n, agent) in agents.iter().enumerate() {
        for method in ["OPTIONS", "REGISTER", "INVITE"] {
            ask(&format!("scan{n}{method}"), method, agent)?;
        }
    }
    ask("telephone", "OPTIONS", "Yealink SIP-T46S 66.84.0.15")?;
    let mut buffer = [0; 4096];
    let (len, _) = socket.recv_from(&mut buffer)?;
    let answer = String::from_utf8_lossy(&buffer[..len]);
    assert!(answer.starts_with("SIP/2.0 200") && answer.contains("z9hG4bKtelephone"), "{answer}");
    assert_eq!(server.counted("gateway_messages_dropped", "scanner").await?, 12);
    Ok(())
}

#[test]
fn a_call_without_a_codec_of_ours_is_refused() -> Result<()> {
    let server = Server::start()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    assert_eq!(invite(&server, &socket, "m=audio 4000 RTP/AVP 18\r\n")?, "SIP/2.0 488 Not Acceptable Here");
    assert_eq!(invite(&server, &socket, "m=video 4000 RTP/AVP 96\r\n\r\n")?, "SIP/2.0 488 Not Acceptable Here");
    Ok(())
}

// product: P1
#[test]
fn a_call_that_sends_nothing_is_ended() -> Result<()> {
    let server = Server::start()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    assert_eq!(invite(&server, &socket, "m=audio 4000 RTP/AVP 8\r\n")?, "SIP/2.0 200 OK");
    let answered = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        let (len, _) = socket.recv_from(&mut buffer)?;
        if buffer[..len].starts_with(b"BYE ") {
            break;
        }
    }
    println!("silent for {:.1} s", answered.elapsed().as_secs_f32());
    server.wait_for_log("no_media")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_meeting_takes_nobody_more() -> Result<()> {
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "guest", "password": server.password});
    let mut guests = Vec::new();
    for _ in 0..100 {
        guests.push(Client::join(server.web, &server.meeting, join.clone(), None).await?);
    }
    let refused = Client::join(server.web, &server.meeting, join.clone(), None).await?;
    assert_eq!(refused.joined["problem"]["code"], "full", "{}", refused.joined);
    let mut phone = Pjsua::start("13800000001", 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.press(&format!("2{}#", server.password))?;
    phone.wait_for("closed")?;
    server.wait_for_log("full")?;
    // Who leaves makes room.
    let mut last = guests.pop().context("a hundred")?;
    last.command(json!({"type": "leave"})).await?;
    let taken = Client::join(server.web, &server.meeting, join, None).await?;
    assert_eq!(taken.joined["type"], "joined", "{}", taken.joined);
    Ok(())
}

#[tokio::test]
async fn garbage_on_every_port_harms_nobody() -> Result<()> {
    let mut server = Server::start()?;
    let join = json!({"type": "join", "name": "guest", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut state = 1u32;
    let mut garbage = || {
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut bytes: Vec<u8> = std::iter::repeat_with(next).take(300).collect();
        bytes.truncate(usize::from(bytes[0]) + 1);
        bytes
    };
    for _ in 0..3_000 {
        for port in [server.sip.port(), server.webrtc.port(), server.rtp_first] {
            // A port nobody listens on answers with an error; that is no one's concern.
            let _ = socket.send_to(&garbage(), ("127.0.0.1", port));
        }
    }
    let mut stream = TcpStream::connect(server.sip)?;
    // The server may close on it at any byte.
    let _ = stream.write_all(&[b'x'; 200_000]);
    assert_eq!(options(&server, &socket)?, "SIP/2.0 200 OK");
    assert_eq!(guest.command(json!({"type": "hand", "up": true})).await?["type"], "done");
    assert!(server.is_running());
    Ok(())
}

// Guessing registrars' passwords and answering calls nobody made: what scanners do all night.
#[test]
fn scanners_register_nowhere_and_answers_to_nothing_are_dropped() -> Result<()> {
    let mut server = Server::start_with(&[("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#)])?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let register = |branch: u32, proof: &str| -> Result<String> {
        let text = format!(
            "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKg{branch};rport\r\nFrom: <sip:8001@x>;tag=a\r\n\
             To: <sip:8001@x>\r\nCall-ID: g\r\nCSeq: {branch} REGISTER\r\nContact: <sip:8001@192.0.2.1>\r\n{proof}\
             Content-Length: 0\r\n\r\n",
            socket.local_addr()?
        );
        socket.send_to(text.as_bytes(), server.sip)?;
        let mut buffer = [0; 4096];
        let (len, _) = socket.recv_from(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..len]).lines().next().unwrap_or_default().to_owned())
    };
    assert_eq!(register(1, "")?, "SIP/2.0 401 Unauthorized");
    let broken =
        ["Authorization: Digest\r\n", "Authorization: Basic eDp5\r\n", "Authorization: Digest username=\"8001\"\r\n"];
    for (branch, proof) in broken.iter().enumerate() {
        assert_eq!(register(2 + branch as u32, proof)?, "SIP/2.0 401 Unauthorized", "{proof}");
    }
    let guess =
        "Authorization: Digest username=\"8001\", realm=\"127.0.0.1\", nonce=\"n\", uri=\"sip:x\", response=\"0\"\r\n";
    for branch in 10..21 {
        assert_eq!(register(branch, guess)?, "SIP/2.0 403 Forbidden");
    }
    assert_eq!(register(30, "")?, "SIP/2.0 403 Forbidden", "ten guesses are enough for a minute");
    // Answers to requests we never sent.
    for code in ["180 Ringing", "200 OK", "401 Unauthorized"] {
        let text = format!(
            "SIP/2.0 {code}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKnone\r\nFrom: <sip:1@x>;tag=a\r\nTo: <sip:2@x>;tag=b\r\n\
             Call-ID: none\r\nCSeq: 1 INVITE\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\nContent-Length: 0\r\n\r\n",
            server.sip
        );
        socket.send_to(text.as_bytes(), server.sip)?;
    }
    // No TLS at all, and half of it.
    for garbage in [&b"OPTIONS sip:x SIP/2.0\r\n\r\n"[..], &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]] {
        let mut stream = TcpStream::connect(server.sips)?;
        stream.write_all(garbage)?;
    }
    assert_eq!(options(&server, &socket)?, "SIP/2.0 200 OK");
    assert!(server.is_running() && !server.log().contains("panicked"), "{}", server.log());
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_or_unknown_is_said() -> Result<()> {
    let server = Server::start()?;
    let web = format!("http://{}", server.web);
    let http = http();
    let large = json!({"name": "x".repeat(100_000), "password": ""});
    assert_eq!(http.post(format!("{web}/api/v1/login")).json(&large).send().await?.status(), 413);
    assert_eq!(http.get(format!("{web}/api/v1/meetings/by-number/100000000")).send().await?.status(), 404);
    // A person sees a page with a way home; a program, a script and whoever asks the API are answered in kind.
    for (path, accept, kind) in [
        ("/nowhere/at/all", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/nowhere", "*/*", "application/problem+json"),
        ("/assets/old-0000.js", "*/*", "application/problem+json"),
        ("/api/v1/nowhere", "text/html", "application/problem+json"),
    ] {
        let answer = http.get(format!("{web}{path}")).header("accept", accept).send().await?;
        let told = answer.headers()["content-type"].to_str()?.to_owned();
        assert_eq!(answer.status(), 404, "{path}");
        assert!(told.starts_with(kind), "{path} is {told}");
    }
    let foreign = http.post(format!("{web}/api/v1/login")).header("origin", "https://evil.example");
    assert_eq!(foreign.json(&json!({"name": "host", "password": "x"})).send().await?.status(), 403);

    let wrong = json!({"type": "join", "name": "guest", "password": "000000"});
    let mut guest = Client::join(server.web, &server.meeting, wrong, None).await?;
    assert_eq!(guest.joined["problem"]["code"], "wrong_password");
    guest.send(&json!({"type": "dance"})).await?;
    assert_eq!(guest.next(|message| message["type"] == "refused").await?["problem"]["code"], "bad_message");
    guest.send(&json!({"type": "join", "name": "guest", "password": server.password})).await?;
    guest.next(|message| message["type"] == "joined").await?;
    let offer = json!({"type": "publish", "id": 1, "sdp": "v=0\r\nnonsense"});
    guest.send(&offer).await?;
    assert_eq!(guest.next(|message| message["id"] == 1).await?["problem"]["code"], "bad_offer");
    guest.send(&json!({"type": "join", "name": "x".repeat(100_000)})).await?;
    assert!(guest.next(|message| message["type"] == "never").await.is_err(), "a frame too long ends the connection");
    Ok(())
}

/// A call into the voice menu, kept up by its sound; numbers of the packets that came until `until`.
fn keep_up(phone: &RawPhone, media: SocketAddr, until: Instant) -> Result<Vec<u16>> {
    let mut numbers = Vec::new();
    while Instant::now() < until {
        numbers.push(phone.exchange(media, numbers.len() as u16)?.0);
    }
    Ok(numbers)
}

// reliability: A2. HUITONG_FLOOD_S makes it longer: 90 s by hand.
#[test]
fn a_flood_disturbs_no_call_and_shuts_no_carrier_out() -> Result<()> {
    let seconds = std::env::var("HUITONG_FLOOD_S").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    // Room for the calls of strangers that are listened to and for ports that rest; ports others hold are passed over.
    let server = Server::start_with(&[("HUITONG_MEDIA__RTP_PORTS", "12000-31999")])?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let taken = phone.call(&server.meeting, &offer, "")?;
    let media = taken.media()?;
    let before = server.memory_kib()?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let (stranger, sip) = (UdpSocket::bind("127.0.0.2:0")?, server.sip);
    let flood = std::thread::spawn(move || -> Result<u32> {
        let (begun, mut sent) = (Instant::now(), 0_u32);
        let offer =
            "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
        // Answers would have it too: all that a datagram carries.
        let long_way = format!("Record-Route: <sip:{}>\r\n", "p".repeat(4_000)).repeat(15);
        while Instant::now() < until {
            if f64::from(sent) > begun.elapsed().as_secs_f64() * 2_000.0 {
                std::thread::yield_now();
                continue;
            }
            let methods = ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "BYE", "INFO", "ACK", "CANCEL"];
            let method = methods[sent as usize % methods.len()];
            let way = if method == "BYE" { long_way.as_str() } else { "" };
            let text = format!(
                "{method} sip:100@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:9;branch=z9hG4bKf{sent};rport\r\n\
                 From: <sip:100@x>;tag=f{sent}\r\nTo: <sip:100@x>\r\nCall-ID: f{sent}\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:100@127.0.0.2:9>\r\n{way}Content-Length: {}\r\n\r\n{offer}",
                offer.len()
            );
            stranger.send_to(text.as_bytes(), sip)?;
            sent += 1;
        }
        Ok(sent)
    });
    let of_a_carrier = std::thread::spawn(move || -> Result<(u32, u32)> {
        let (mut asked, mut answered) = (0, 0);
        while Instant::now() < until {
            let mut call = RawPhone::new(sip, Ipv4Addr::LOCALHOST)?;
            let offer = call.description()?;
            asked += 1;
            let taken = call.call("huitong", &offer, "")?;
            call.send("BYE", &tag(&taken), "", "")?;
            answered += u32::from(call.answer()?.code == 200);
        }
        Ok((asked, answered))
    });
    let numbers = keep_up(&phone, media, until)?;
    let (asked, answered) = of_a_carrier.join().map_err(|_| anyhow!("the carrier's calls panicked"))??;
    let sent = flood.join().map_err(|_| anyhow!("the flood panicked"))??;
    let lost = numbers.windows(2).filter(|pair| pair[1] != pair[0].wrapping_add(1)).count();
    let grown = server.memory_kib()?.saturating_sub(before);
    println!(
        "{sent} requests of strangers; a carrier's calls {answered}/{asked}; {grown} KiB more; {} packets",
        numbers.len()
    );
    assert!(u64::from(sent) > seconds * 1_000, "it was a flood: {sent}");
    assert!(asked > 5 && answered == asked, "{answered} of {asked}");
    assert!(lost == 0 && numbers.len() as u64 > seconds * 45, "{lost} of {} packets", numbers.len());
    assert!(grown < 64 << 10, "{grown} KiB");
    // What is kept of signalling is of those that were listened to: 50 and 20 a second, and what they were answered.
    phone.send("BYE", &tag(&taken), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    let mut server = server;
    server.interrupt()?;
    let kept = server.ladders()?;
    let kept = String::from_utf8_lossy(&kept);
    let count = |words: &str| kept.matches(words).count() as u64;
    assert!(count("From: <sip:13800000009@127.0.0.1:") > u64::from(asked), "calls are kept");
    let of_strangers = count("BYE sip:100@") + count("INVITE sip:100@");
    assert!(of_strangers <= 50 + 20 * (seconds + 2), "{of_strangers} requests of a flood were kept");
    Ok(())
}

// reliability: A2, A11; product: P12: a thousand guesses a second
#[tokio::test]
async fn who_guesses_passwords_without_end_is_hardly_listened_to_and_telephones_register_beside_him() -> Result<()> {
    let accounts = r#"[{user="8001",password="long-enough"}]"#;
    let server = Server::start_with(&[("HUITONG_SIP__ACCOUNTS", accounts)])?;
    let (guesser, sip) = (UdpSocket::bind("127.0.0.2:0")?, server.sip);
    guesser.set_nonblocking(true)?;
    let guess = move |n: u32| {
        format!(
            "REGISTER sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:9;branch=z9hG4bKg{n};rport\r\nFrom: <sip:8001@x>;tag=g\r\n\
             To: <sip:8001@x>\r\nCall-ID: g{n}\r\nCSeq: 1 REGISTER\r\nContact: <sip:8001@127.0.0.2:9>\r\n\
             Authorization: Digest username=\"8001\", realm=\"x\", nonce=\"{n}\", uri=\"sip:x\", response=\"{n:032x}\"\r\n\
             Content-Length: 0\r\n\r\n"
        )
    };
    let heard = |guesser: &UdpSocket| {
        let mut buffer = [0; 4096];
        let answers = std::iter::from_fn(|| guesser.recv_from(&mut buffer).ok().map(|(len, _)| buffer[..len].to_vec()));
        answers.filter(|answer| answer.starts_with(b"SIP/2.0 403")).count() as u64
    };
    let begun = Instant::now();
    let flood = std::thread::spawn(move || -> Result<(UdpSocket, u64)> {
        let mut answers = 0;
        for n in 0..5_000 {
            guesser.send_to(guess(n).as_bytes(), sip)?;
            std::thread::park_timeout(
                (begun + Duration::from_millis(n.into())).saturating_duration_since(Instant::now()),
            );
            answers += heard(&guesser);
        }
        Ok((guesser, answers))
    });
    let mut phone = Baresip::start_registering("8001", "long-enough", server.sip, Codec::Pcma, 600.0)?;
    phone.wait_for("REGISTER_OK")?;
    let (guesser, mut answers) = flood.join().map_err(|_| anyhow!("the guesser panicked"))??;
    let seconds = begun.elapsed().as_secs();
    let dropped = server.counted("gateway_messages_dropped", "flood").await?;
    println!("{answers} answers, {dropped} dropped in {seconds} s");
    assert!((1..=50 + 20 * (seconds + 1)).contains(&answers), "{answers} answers in {seconds} s");
    assert!(dropped >= 5_000 - 50 - 20 * (seconds + 2), "{dropped} dropped");
    // Once he asks as others do he is answered as they are.
    for n in 5_000.. {
        guesser.send_to(guess(n).as_bytes(), sip)?;
        std::thread::park_timeout(Duration::from_millis(100));
        answers = heard(&guesser);
        if answers > 0 {
            break;
        }
        anyhow::ensure!(n < 5_100, "he is never heard again");
    }
    Ok(())
}

// RFC 3261 §21.5.4; reliability: A2
#[test]
fn who_comes_when_all_lines_are_taken_is_asked_to_come_later_and_the_others_are_served() -> Result<()> {
    // Ten lines, less those whose ports another program has.
    let server = Server::start_with(&[("HUITONG_MEDIA__RTP_PORTS", "11000-11019")])?;
    let (mut served, mut refused) = (Vec::new(), 0);
    for _ in 0..40 {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let offer = phone.description()?;
        let reply = phone.invite(&server.meeting, "", &offer, "")?;
        if reply.code == 200 {
            served.push((phone, reply.media()?));
            continue;
        }
        assert_eq!((reply.code, reply.field("Retry-After")), (503, Some("10")), "{}", reply.text);
        refused += 1;
    }
    assert!(served.len() <= 10 && refused >= 30, "{} and {refused}", served.len());
    for (phone, media) in &served {
        for number in 0..5 {
            phone.exchange(*media, number)?;
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    assert_eq!(options(&server, &socket)?, "SIP/2.0 200 OK");
    Ok(())
}

// reliability: A1. `tests/malformed.rs` has many more of them, against the parser and the endpoint alone.
#[test]
fn malformed_messages_on_the_wire_harm_nobody() -> Result<()> {
    let mut server = Server::start()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let seeds: Vec<Vec<u8>> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/sip_message"))?
        .map(|entry| Ok(std::fs::read(entry?.path())?))
        .collect::<Result<_>>()?;
    let mut state = 0x5eed_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit.max(1)
    };
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    let mut stream = TcpStream::connect(server.sip)?;
    for round in 0..3_000 {
        let mut bytes = seeds[below(seeds.len())].clone();
        for _ in 0..1 + below(3) {
            let at = below(bytes.len());
            match below(4) {
                0 => bytes.truncate(at),
                1 => bytes.extend_from_within(at..),
                2 => drop(bytes.splice(at..at, *b"\r\n\xff99999999999")),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (round % 8)),
            }
        }
        sender.send_to(&bytes, server.sip)?;
        // The server may close on it at any byte: then there is a new stream.
        if stream.write_all(&bytes).is_err() {
            stream = TcpStream::connect(server.sip)?;
        }
        if round % 100 == 0 {
            assert_eq!(options(&server, &socket)?, "SIP/2.0 200 OK", "after {round}");
        }
    }
    assert_eq!(options(&server, &socket)?, "SIP/2.0 200 OK");
    assert!(server.is_running() && !server.log().contains("panicked"), "{}", server.log());
    Ok(())
}
