//! Encoders that come in by WHIP (RFC 9725), and viewers who watch by WHEP.

use std::{
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use sfu::{
    Layer,
    load::{LoadClient, LoadIdentity, LoadPacket},
};
use tests::{Aiortc, Baresip, Browser, Client, Codec, Colour, Devices, PASSWORD, Server, User, by_id, http};

const ENCODER: f32 = 1_300.0;
const PHONE: f32 = 700.0;

/// Louder than this a tone is heard; softer than a tenth of it, it is not.
const HEARD: f32 = 0.05;

/// Waits until the phone hears the encoder, or doesn't.
fn hears(phone: &mut Baresip, is_heard: bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(40);
    let mut levels = Vec::new();
    while Instant::now() < deadline {
        let level = phone.listen(1.0)?.tone(ENCODER, 1.0);
        if if is_heard { level > HEARD } else { level < HEARD / 10.0 } {
            return Ok(());
        }
        levels.push(level);
    }
    bail!("the encoder at the phone: {levels:?}")
}

/// The host, who is in his meeting, and the meeting's id.
async fn hosted(server: &Server) -> Result<(User, Client, String)> {
    let user = User::login(server, "host").await?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let host = Client::join(server.web, &server.meeting, join, Some(&user.cookie)).await?;
    let id = host.joined["meeting"]["id"].as_str().context("an id")?.to_owned();
    Ok((user, host, id))
}

/// Where he sends an encoder, and by which token.
async fn token(user: &User, meeting: &str) -> Result<(String, String)> {
    let made = user.post(&format!("/meetings/{meeting}/encoder-token"), json!({"name": "讲台"})).await?;
    let field = |name: &str| made.body[name].as_str().with_context(|| format!("{name}: {}", made.body));
    Ok((field("url")?.to_owned(), field("token")?.to_owned()))
}

// product: B9, B5, C6, C8
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_is_a_participant_and_viewers_see_him_within_half_a_second() -> Result<()> {
    let server = Server::start()?;
    let (user, mut host, id) = hosted(&server).await?;
    // The door is shut to all but those the host has given a token to.
    host.command(json!({"type": "lock", "on": true})).await?;
    let path = format!("/meetings/{id}/encoder-token");
    let token = user.post(&path, json!({"name": "讲台"})).await?;
    assert_eq!(token.status, 201, "{}", token.body);
    let (url, secret) =
        (token.body["url"].as_str().context("a url")?, token.body["token"].as_str().context("a token")?);
    assert_eq!(user.get(&path).await?["name"], "讲台");
    let other = User::login(&server, "concurrent").await?;
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(other.ask(method, &path, Value::Null, &[]).await?.status, 404);
    }
    let sdp = |token: &str| {
        let offer = http().post(url).header("content-type", "application/sdp").bearer_auth(token);
        offer.body("v=0").send()
    };
    let wrong = sdp("guessed").await?;
    assert_eq!((wrong.status().as_u16(), wrong.headers()["www-authenticate"].to_str()?), (401, "Bearer"));
    assert_eq!(sdp(secret).await?.status(), 400);
    let json_offer = http().post(url).bearer_auth(secret).json(&json!({})).send().await?;
    assert_eq!(json_offer.status(), 415);
    let question = http().request(Method::OPTIONS, url).header("origin", "https://player.example").send().await?;
    assert_eq!(question.headers()["access-control-allow-origin"], "*");
    assert_eq!(question.headers()["accept-post"], "application/sdp");

    let mut aiortc = Aiortc::start()?;
    assert_eq!(aiortc.ask(&format!("whip {url} {secret} vp8 {ENCODER} red"))?, "created");
    let joined = host.next(|message| message["event"]["participant"]["camera"] == true).await?;
    let encoder = joined["event"]["participant"].clone();
    assert_eq!(
        (&encoder["name"], &encoder["via"], &encoder["role"]),
        (&"讲台".into(), &"encoder".into(), &"member".into())
    );
    let encoder = encoder["id"].as_str().context("an id")?.to_owned();

    host.command(json!({"type": "lock", "on": false})).await?;
    let (sip, number, password) = (server.sip, server.meeting.clone(), server.password.clone());
    let web = server.web;
    let (mut phone, mut page) = tokio::task::spawn_blocking(move || -> Result<(Baresip, Browser)> {
        let mut phone = Baresip::start("13812345678", Codec::Opus, PHONE)?;
        phone.dial(&number, sip, "udp")?;
        phone.enter(&password)?;
        phone.wait_for_sound()?;
        hears(&mut phone, true)?;
        let mut page = Browser::start_on(Devices::NoCamera)?;
        page.join(web, &number, "李雷", &password)?;
        page.see_colour("[data-testid=tile] video", Colour::Red)?;
        assert!(page.hear(2)?.tone(ENCODER, 1.0) > HEARD);
        Ok((phone, page))
    })
    .await??;

    // Who watches: nobody while there is no livestream, then who has the password.
    let whep = format!("http://{web}/whep/{id}");
    let mut aiortc = tokio::task::spawn_blocking(move || -> Result<Aiortc> {
        assert!(aiortc.ask(&format!("whep {whep} -"))?.starts_with("refused 409"));
        Ok(aiortc)
    })
    .await??;
    let set = json!({"access": "password", "password": "246810"});
    assert_eq!(user.ask(Method::PUT, &format!("/meetings/{id}/watch"), set, &[]).await?.status, 200);
    host.command(json!({"type": "start_broadcast"})).await?;
    host.next(|message| message["event"]["broadcast"]["state"] == "live").await?;
    let whep = format!("http://{web}/whep/{id}");
    let (mut aiortc, latencies) = tokio::task::spawn_blocking(move || -> Result<(Aiortc, Vec<u64>)> {
        assert!(aiortc.ask(&format!("whep {whep} -"))?.contains("watch_password_needed"));
        assert!(aiortc.ask(&format!("whep {whep} 135790"))?.contains("wrong_watch_password"));
        assert_eq!(aiortc.ask(&format!("whep {whep} 246810"))?, "created");
        aiortc.ask("see red")?;
        let heard = aiortc.hear(&[ENCODER, PHONE, 2_000.0])?;
        assert!(heard[0] > HEARD && heard[1] > HEARD && heard[2] < HEARD / 10.0, "all are mixed: {heard:?}");
        let mut latencies = Vec::new();
        for colour in ["green", "blue", "red", "green", "red"] {
            latencies.push(aiortc.ask(&format!("change {colour}"))?.parse()?);
        }
        latencies.sort_unstable();
        Ok((aiortc, latencies))
    })
    .await??;
    println!("WHIP to WHEP, milliseconds: {latencies:?}");
    // A busy machine delays one or two of the five.
    assert!(latencies[latencies.len() / 2] < 500, "{latencies:?}");
    let seen: Value = http().get(format!("http://{web}/api/v1/broadcasts/{id}")).send().await?.json().await?;
    assert_eq!(seen["viewers"], 1);

    // Whose camera is stopped is seen by nobody, though an encoder goes on sending; it is shown again without being asked.
    for (command, lines) in [("stop_camera", ["still", "paint blue"]), ("ask_camera", ["see blue", "paint red"])] {
        host.command(json!({"type": command, "participant": encoder})).await?;
        aiortc = tokio::task::spawn_blocking(move || -> Result<Aiortc> {
            for line in lines {
                aiortc.ask(line)?;
            }
            Ok(aiortc)
        })
        .await??;
    }

    // Muted like any other, and heard again without being asked; a new password shows viewers the door.
    host.command(json!({"type": "mute", "participant": encoder})).await?;
    let mut phone = tokio::task::spawn_blocking(move || -> Result<Baresip> {
        hears(&mut phone, false)?;
        Ok(phone)
    })
    .await??;
    host.command(json!({"type": "unmute", "participant": encoder})).await?;
    host.next(|message| message["event"]["participant"]["muted"] == false).await?;
    let set = json!({"access": "password", "password": "135790"});
    assert_eq!(user.ask(Method::PUT, &format!("/meetings/{id}/watch"), set, &[]).await?.status, 200);
    let mut aiortc = tokio::task::spawn_blocking(move || -> Result<Aiortc> {
        hears(&mut phone, true)?;
        aiortc.ask("gone whep")?;
        assert_eq!(aiortc.ask("end whep")?, "404");
        Ok(aiortc)
    })
    .await??;

    // Removed like any other, and it does not come back.
    host.command(json!({"type": "remove", "participant": encoder})).await?;
    let again = format!("whip {url} {secret} vp8 {ENCODER} red");
    let (mut aiortc, mut page) = tokio::task::spawn_blocking(move || -> Result<(Aiortc, Browser)> {
        aiortc.ask("gone whip")?;
        assert!(aiortc.ask(&again)?.contains("removed"));
        page.miss("[data-testid=tile] video")?;
        Ok((aiortc, page))
    })
    .await??;

    // Another name is let in by the page, with what OBS sends, until its token is taken back there; it goes by itself too.
    let number = server.meeting.clone();
    tokio::task::spawn_blocking(move || -> Result<()> {
        let mut owner = Browser::start_on(Devices::NoCamera)?;
        owner.login(web, "host", "Huitong-2026")?;
        owner.click_at(&format!("[data-number='{number}'] [data-testid=meeting-more]"))?;
        owner.click("meeting-encoder")?;
        owner.until("document.querySelector('[data-testid=encoder-name]')?.value === '讲台'")?;
        owner.fill("encoder-name", "无人机")?;
        owner.click("encoder-make")?;
        owner.see(&by_id("encoder-token"))?;
        let url = owner.evaluate("document.querySelector('[data-testid=encoder-address]').value")?;
        let secret = owner.evaluate("document.querySelector('[data-testid=encoder-token]').value")?;
        let (url, secret) = (url.as_str().context("a url")?, secret.as_str().context("a token")?);
        let again = format!("whip {url} {secret} h264 {ENCODER} blue");
        assert_eq!(aiortc.ask(&again)?, "created");
        page.see_colour("[data-testid=tile] video", Colour::Blue)?;
        assert_eq!(aiortc.ask("end whip")?, "200");
        aiortc.ask("gone whip")?;
        assert_eq!(aiortc.ask(&again)?, "created");
        owner.click("encoder-revoke")?;
        owner.miss(&by_id("encoder-address"))?;
        aiortc.ask("gone whip")?;
        assert!(aiortc.ask(&again)?.starts_with("refused 401"));
        Ok(())
    })
    .await?
}

/// What an encoder of somebody else's making offers.
const OFFER: &str = include_str!("../fuzz/corpus/browser_offer/aiortc_encoder");

// product: B9. RFC 9725 §4.3
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_tells_candidates_and_begins_anew_by_patch() -> Result<()> {
    let server = Server::start()?;
    let (user, _host, id) = hosted(&server).await?;
    let (url, secret) = token(&user, &id).await?;
    let (url, secret) = (url.as_str(), secret.as_str());
    let begun = http().post(url).header("content-type", "application/sdp").bearer_auth(secret).body(OFFER);
    let begun = begun.send().await?;
    assert_eq!(begun.status(), 201);
    let field = |response: &reqwest::Response, name: &str| -> Result<String> {
        Ok(response.headers().get(name).with_context(|| name.to_owned())?.to_str()?.to_owned())
    };
    assert_eq!(field(&begun, "accept-patch")?, "application/trickle-ice-sdpfrag");
    let session = format!("http://{}{}", server.web, field(&begun, "location")?);
    let etag = field(&begun, "etag")?;
    let ufrag = |text: &str| text.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:").map(str::to_owned));
    let answered = ufrag(&begun.text().await?).context("a name of ICE")?;

    let patch = |etag: Option<&str>, token: &str, kind: &'static str, body: String| {
        let request = http().patch(&session).header("content-type", kind).bearer_auth(token).body(body);
        match etag {
            Some(etag) => request.header("if-match", etag),
            None => request,
        }
        .send()
    };
    const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
    let own = ufrag(OFFER).context("a name of ICE")?;
    let fragment = |ufrag: &str| {
        format!(
            "a=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
             a=candidate:1 1 udp 2130706431 192.0.2.7 40000 typ host\r\na=end-of-candidates\r\n"
        )
    };
    // Candidates alone change nothing.
    let told = patch(Some(&etag), secret, FRAGMENT, fragment(&own)).await?;
    assert_eq!((told.status().as_u16(), told.headers().get("etag")), (204, None));
    let anew = patch(Some(&etag), secret, FRAGMENT, fragment("wxyz")).await?;
    assert_eq!(anew.status(), 200);
    assert_eq!(field(&anew, "content-type")?, FRAGMENT);
    let newer = field(&anew, "etag")?;
    let fragment_of_ours = anew.text().await?;
    let ours = ufrag(&fragment_of_ours).context("a name of ICE")?;
    assert!(newer != etag && ours != answered, "{fragment_of_ours}");
    assert!(fragment_of_ours.contains("a=candidate:") && !fragment_of_ours.contains("a=fingerprint:"));
    // What is about the session as it was is refused, as is who has another token, and what is no fragment.
    for (etag, token, kind, body, status) in [
        (Some(&etag), secret, FRAGMENT, fragment("abcd"), 412),
        (None, secret, FRAGMENT, fragment("abcd"), 428),
        (Some(&newer), "guessed", FRAGMENT, fragment("abcd"), 401),
        (Some(&newer), secret, "application/sdp", fragment("abcd"), 415),
        (Some(&newer), secret, FRAGMENT, fragment("a b"), 400),
        (Some(&newer), secret, FRAGMENT, fragment("wxyz"), 204),
        (Some(&newer), secret, FRAGMENT, fragment("abcd"), 200),
    ] {
        let answer = patch(etag.map(String::as_str), token, kind, body.clone()).await?;
        assert_eq!(answer.status(), status, "{body}");
    }
    assert_eq!(http().delete(&session).bearer_auth(secret).send().await?.status(), 200);
    Ok(())
}

/// Numbers that look random and are the same each time (Knuth's generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// One command in one chunk (RTMP 1.0 §5.3.1): `connect` to an application.
fn connect_command() -> Vec<u8> {
    let mut body = b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09".to_vec();
    let mut chunk = vec![3, 0, 0, 0, 0, 0, body.len() as u8, 20, 0, 0, 0, 0];
    chunk.append(&mut body);
    chunk
}

/// What a stranger sends after a good handshake: the command, cut, turned and grown, or chunks of which each says another length.
fn garbled(dice: &mut Dice) -> Vec<u8> {
    let mut sent = Vec::new();
    for _ in 0..=dice.below(8) {
        match dice.below(4) {
            0 => sent.extend(connect_command()),
            1 => {
                let mut command = connect_command();
                for _ in 0..=dice.below(6) {
                    let at = dice.below(command.len());
                    command[at] = dice.below(256) as u8;
                }
                sent.extend(command);
            }
            2 => {
                // A message that begins as a long one and goes on as a shorter one.
                for length in [1 + dice.below(1 << 16), dice.below(64)] {
                    sent.extend([3, 0, 0, 0]);
                    sent.extend(&(length as u32).to_be_bytes()[1..]);
                    sent.extend([dice.below(24) as u8, 0, 0, 0, 0]);
                    sent.extend(vec![dice.below(256) as u8; length.min(128)]);
                }
            }
            _ => sent.extend((0..dice.below(200)).map(|_| dice.below(256) as u8).collect::<Vec<_>>()),
        }
    }
    sent
}

// product: B9, reliability: A14
#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_send_by_rtmp_ends_their_connection_and_nothing_else() -> Result<()> {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };
    const STRANGERS: usize = 10_000;
    let own = format!("127.0.0.1:{}", tests::free_everywhere()?);
    let mut server = Server::start_with(&[("HUITONG_WEB__RTMP", &format!("[\"{own}\"]"))])?;
    let mut before = 0;
    let mut dice = Dice(20_261_130);
    for number in 0..STRANGERS {
        // What allocators and logs keep is taken by then.
        if number == 1_000 {
            before = server.memory_kib()?;
        }
        let mut socket = TcpStream::connect(&own).await?;
        if number % 4 == 0 {
            // No handshake at all.
            let nonsense: Vec<u8> = (0..dice.below(4_000)).map(|_| dice.below(256) as u8).collect();
            let _reset = socket.write_all(&nonsense).await;
        } else {
            let mut hello = vec![0; 1 + 1_536];
            hello[0] = 3;
            socket.write_all(&hello).await?;
            let mut answer = vec![0; 1 + 2 * 1_536];
            socket.read_exact(&mut answer).await?;
            let mut rest = answer[1..=1_536].to_vec();
            rest.extend(garbled(&mut dice));
            // It may hang up in the middle of it.
            let _reset = socket.write_all(&rest).await;
        }
        let _reset = socket.shutdown().await;
        let _ = socket.read_to_end(&mut Vec::new()).await;
    }
    assert!(server.is_running());
    let grown = server.memory_kib()?.saturating_sub(before);
    assert!(grown < 64 << 10, "{grown} KiB more than after the first thousand");
    // Whatever the library makes of it, each leaves one line behind.
    let log = server.log();
    let lines = log.lines().filter(|line| !line.contains("encoder by RTMP has ended")).count();
    assert!(lines < STRANGERS / 100 && !log.contains("panicked"), "{lines} other lines");
    // Who means it comes in.
    let (user, mut host, id) = hosted(&server).await?;
    let url = format!("rtmp://{own}/{id}/{}", token(&user, &id).await?.1);
    let _encoding = tokio::task::spawn_blocking(move || Encoding::start(&url, "red")).await??;
    host.next(|message| message["event"]["participant"]["camera"] == true).await?;
    Ok(())
}

// product: B9
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_for_whom_there_is_no_room_is_told_so_and_those_that_are_in_go_on() -> Result<()> {
    let own = format!("127.0.0.1:{}", tests::free_everywhere()?);
    let environment = [("HUITONG_WEB__RTMP", format!("[\"{own}\"]")), ("HUITONG_LIVESTREAM__CORES", "1".to_owned())];
    let server = Server::start_with(&environment.each_ref().map(|(key, value)| (*key, value.as_str())))?;
    let (user, mut host, id) = hosted(&server).await?;
    let url = format!("rtmp://{own}/{id}/{}", token(&user, &id).await?.1);
    let mut first = tokio::task::spawn_blocking({
        let url = url.clone();
        move || Encoding::start(&url, "red")
    })
    .await??;
    host.next(|message| message["event"]["participant"]["camera"] == true).await?;
    tokio::task::spawn_blocking(move || Encoding::start(&url, "blue")?.ends()).await??;
    server.wait_for_log("encoder by RTMP has ended")?;
    assert!(server.log().contains("this machine carries no more"), "{}", server.log());
    assert!(first.0.try_wait()?.is_none(), "the first goes on");
    Ok(())
}

/// An offer with these codecs of the picture alone, each with its number.
fn with_pictures(offer: &str, codecs: &[(u8, &str)]) -> String {
    let is_of =
        |line: &&str| ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=ssrc"].iter().any(|name| line.starts_with(name));
    let (sound, picture) = offer.split_at(offer.find("m=video").unwrap_or(offer.len()));
    let numbers: Vec<_> = codecs.iter().map(|(number, _)| number.to_string()).collect();
    let named = codecs.iter().map(|(number, name)| format!("a=rtpmap:{number} {name}/90000\r\n"));
    let rest = picture.lines().skip(1).filter(|line| !is_of(line)).map(|line| format!("{line}\r\n"));
    let line = format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", numbers.join(" "));
    [sound.to_owned(), line].into_iter().chain(rest).chain(named).collect()
}

// product: B9. RFC 9725 §4.2
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_whose_picture_nobody_could_see_is_told_so_and_has_no_seat() -> Result<()> {
    let server = Server::start()?;
    let (user, _host, id) = hosted(&server).await?;
    let (url, secret) = token(&user, &id).await?;
    let (url, secret) = (url.as_str(), secret.as_str());
    let sound = OFFER.split_once("m=video").context("a picture")?.0.replace("BUNDLE 0 1", "BUNDLE 0");
    let unknown = sound.replace("96 opus/48000/2", "96 speex/16000").replace(" 96 9 0 8\r\n", " 96\r\n");
    for (offer, status) in [
        (with_pictures(OFFER, &[(45, "AV1")]), 415),
        (with_pictures(OFFER, &[(45, "H265"), (46, "AV1")]), 415),
        (unknown, 415),
        (with_pictures(OFFER, &[(45, "AV1"), (46, "VP8")]), 201),
        (sound, 201),
    ] {
        let posted = http().post(url).header("content-type", "application/sdp").bearer_auth(secret).body(offer.clone());
        let answer = posted.send().await?;
        assert_eq!(answer.status(), status, "{offer}");
        if status == 415 {
            assert_eq!(answer.json::<Value>().await?["code"], "no_codec");
            let guest = json!({"type": "join", "name": "李雷", "password": server.password});
            let there = Client::join(server.web, &server.meeting, guest, None).await?;
            let encoders = there.joined["participants"].as_array().context("who is there")?.iter();
            assert_eq!(encoders.filter(|participant| participant["via"] == "encoder").count(), 0);
        } else {
            let session = format!("http://{}{}", server.web, answer.headers()["location"].to_str()?);
            assert_eq!(http().delete(session).bearer_auth(secret).send().await?.status(), 200);
        }
    }
    Ok(())
}

/// Sends each picture in three sizes, all of which need no other, until nobody listens any more.
fn send_sizes(
    socket: &UdpSocket,
    own: SocketAddr,
    mut media: LoadClient,
    stopped: &std::sync::mpsc::Receiver<()>,
) -> Result<()> {
    const BETWEEN_MS: u64 = 33;
    socket.set_read_timeout(Some(Duration::from_millis(5)))?;
    let (begun, mut next, mut buffer) = (Instant::now(), 0, [0; 2_048]);
    while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
        let send = |to: SocketAddr, datagram: &[u8]| drop(socket.send_to(datagram, to));
        media.drain(Instant::now(), send, |_| {});
        let media_ms = begun.elapsed().as_millis() as u64;
        if media_ms >= next {
            next = media_ms + BETWEEN_MS;
            for layer in Layer::ALL {
                let (key, first, last) = (true, true, true);
                media.send(LoadPacket { line: 1, layer, bytes: 600, media_ms, key, first, last }, Instant::now());
            }
        }
        if let Ok((bytes, from)) = socket.recv_from(&mut buffer) {
            media.receive(from, own, &buffer[..bytes], Instant::now());
        }
        media.wake(Instant::now());
    }
    Ok(())
}

// product: B9. RFC 8853 §5.2
#[tokio::test(flavor = "multi_thread")]
async fn an_encoders_sizes_are_told_apart_however_it_lists_them() -> Result<()> {
    let server = Server::start()?;
    let (user, _host, id) = hosted(&server).await?;
    let (url, secret) = token(&user, &id).await?;
    let (url, secret) = (url.as_str(), secret.as_str());
    // As OBS lists four of them, of which it sends one for nothing; then as pages do.
    for (listed, rid) in [("0;3;1;2", "a=rid:3 send\r\n"), ("2;1;0", "")] {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let own = socket.local_addr()?;
        let (mut media, offer) = LoadClient::encoder(&LoadIdentity::generate()?, own, 3, Instant::now())?;
        let simulcast = format!("{rid}a=simulcast:send {listed}\r\n");
        let changed = offer.replace("a=simulcast:send 0;1;2\r\n", &simulcast);
        assert!(changed.contains(&simulcast) && !changed.contains("rtx"), "{changed}");
        let posted = http().post(url).header("content-type", "application/sdp").bearer_auth(secret).body(changed);
        let answer = posted.send().await?;
        assert_eq!(answer.status(), 201);
        let session = format!("http://{}{}", server.web, answer.headers()["location"].to_str()?);
        media.answer(&answer.text().await?)?;
        let (stop, stopped) = std::sync::mpsc::channel();
        let sender = std::thread::spawn(move || send_sizes(&socket, own, media, &stopped));
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let all = user.get(&format!("/meetings/{id}/networks")).await?;
            let items = all["items"].as_array().context("items")?;
            let encoder = items.iter().find(|item| item["via"] == "encoder").with_context(|| all.to_string())?;
            let heights: Vec<_> =
                encoder["tracks"].as_array().context("tracks")?.iter().map(|track| &track["height"]).collect();
            if heights == [180, 360, 720] {
                break;
            }
            assert!(Instant::now() < deadline, "{listed}: {encoder}");
        }
        drop(stop);
        sender.join().map_err(|_| anyhow::anyhow!("the encoder panicked"))??;
        assert_eq!(http().delete(session).bearer_auth(secret).send().await?.status(), 200);
    }
    Ok(())
}

/// An encoder as most are set up: pictures that refer to later ones, and a key frame every ten seconds. Killed when a test fails.
struct Encoding(std::process::Child);

impl Encoding {
    fn start(url: &str, colour: &str) -> Result<Self> {
        let picture = format!("color={colour}:size=640x360:rate=30");
        let sound = format!("sine=frequency={ENCODER}:sample_rate=44100");
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-re", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
        ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "300", "-c:a", "aac"]);
        ffmpeg.args(["-t", "60", "-f", "flv", url]);
        Ok(Self(ffmpeg.stdin(std::process::Stdio::null()).spawn()?))
    }

    /// Waits until it has given up, before its film is over.
    fn ends(&mut self) -> Result<()> {
        if self.0.wait()?.success() {
            bail!("nobody stops the encoder");
        }
        Ok(())
    }
}

impl Drop for Encoding {
    fn drop(&mut self) {
        // It may have ended.
        let _ = (self.0.kill(), self.0.wait());
    }
}

// product: B9
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_knows_rtmp_alone_is_seen_and_heard_whenever_one_comes() -> Result<()> {
    let server = Server::start()?;
    let (user, mut host, id) = hosted(&server).await?;
    let path = format!("/meetings/{id}/encoder-token");
    // Both halves of the address are copied out of the dialog, as into the fields of an encoder.
    let (web, number) = (server.web, server.meeting.clone());
    let (url, key) = tokio::task::spawn_blocking(move || -> Result<(String, String)> {
        let mut owner = Browser::start_on(Devices::NoCamera)?;
        owner.login(web, "host", PASSWORD)?;
        owner.click_at(&format!("[data-number='{number}'] [data-testid=meeting-more]"))?;
        owner.click("meeting-encoder")?;
        owner.fill("encoder-name", "讲台")?;
        owner.click("encoder-make")?;
        owner.see(&by_id("encoder-token"))?;
        let mut field = |name: &str| -> Result<String> {
            let value = owner.evaluate(&format!("document.querySelector('[data-testid={name}]').value"))?;
            Ok(value.as_str().context("a field")?.to_owned())
        };
        Ok((field("encoder-rtmp")?, field("encoder-token")?))
    })
    .await??;
    let wrong = format!("{url}/guessed");
    tokio::task::spawn_blocking(move || Encoding::start(&wrong, "red")?.ends()).await??;
    let url = format!("{url}/{key}");
    let mut encoding = Encoding::start(&url, "red")?;
    let joined = host.next(|message| message["event"]["participant"]["via"] == "encoder").await?;
    assert_eq!(joined["event"]["participant"]["name"], "讲台");
    host.next(|message| message["event"]["participant"]["camera"] == true).await?;
    let (web, number, password) = (server.web, server.meeting.clone(), server.password.clone());
    let encoding = tokio::task::spawn_blocking(move || -> Result<Encoding> {
        let mut page = Browser::start_on(Devices::NoCamera)?;
        page.join(web, &number, "李雷", &password)?;
        page.see_colour("[data-testid=tile] video", Colour::Red)?;
        assert!(page.hear(2)?.tone(ENCODER, 1.0) > HEARD);
        // It goes and comes again.
        drop(encoding);
        page.miss("[data-testid=tile] video")?;
        encoding = Encoding::start(&url, "blue")?;
        page.see_colour("[data-testid=tile] video", Colour::Blue)?;
        Ok(encoding)
    })
    .await??;
    assert_eq!(user.ask(Method::DELETE, &path, Value::Null, &[]).await?.status, 204);
    tokio::task::spawn_blocking(move || -> Result<()> {
        let mut encoding = encoding;
        encoding.ends()
    })
    .await?
}
