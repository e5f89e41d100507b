//! Booking, accounts and what is sent out, at the REST API.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tests::{Baresip, Browser, Client, Codec, Colour, PASSWORD, Server, User, by_id, http};

use crate::web::{is_sound, new_password};

/// In so many hours, on the hour.
fn in_hours(hours: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second((now / 3600 + hours) * 3600).expect("a time of this century").to_string()
}

// product: S1, S2, S3, S4, S5, S6, L8
#[tokio::test]
async fn each_mode_books_by_its_own_rules() -> Result<()> {
    let server = Server::start()?;
    let concurrent = User::login(&server, "concurrent").await?;
    let shared = User::login(&server, "shared").await?;
    let start = in_hours(48);

    // Concurrent: the ports of the site, never more.
    let wish = |capacity: u32| json!({"title": "周会", "start": start, "duration": 60, "capacity": capacity});
    let booked = concurrent.post("/meetings", wish(150)).await?;
    assert_eq!((booked.status, &booked.body["capacity"]), (201, &json!(150)), "{}", booked.body);
    let refused = concurrent.post("/meetings", wish(60)).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("no_ports")));
    assert!(refused.body["detail"].as_str().is_some_and(|detail| detail.contains("仅剩50方")), "{}", refused.body);
    let free = concurrent.get(&format!("/capacity?start={start}&duration=60")).await?;
    assert_eq!((&free["ports_free"], &free["rooms"][0]["free"]), (&json!(50), &json!(true)), "{free}");
    let day = &start[..10];
    let slots = concurrent.get(&format!("/free-slots?day={day}&zone=UTC&duration=60&capacity=60")).await?;
    let slots = slots["items"].as_array().context("slots")?;
    let at = slots.iter().find(|slot| slot["start"] == json!(start)).context("that hour")?;
    assert_eq!((slots.len(), &at["free"]), (48, &json!(false)));
    // Right after it there is room, but for who wants to begin early.
    let (day, after) = (in_hours(49)[..10].to_owned(), json!(in_hours(49)));
    for (early, free) in [(0, true), (30, false)] {
        let wanted = format!("/free-slots?day={day}&zone=UTC&duration=60&capacity=60&early_start={early}");
        let slots = concurrent.get(&wanted).await?;
        let slots = slots["items"].as_array().context("slots")?;
        let at = slots.iter().find(|slot| slot["start"] == after).context("the next hour")?;
        assert_eq!(at["free"], free, "{early} minutes early");
    }
    // What no booking may ask for is no answer's question either.
    for early in [45, 90] {
        let asked = format!("/free-slots?day={day}&zone=UTC&duration=60&capacity=60&early_start={early}");
        let free = format!("/capacity?start={start}&duration=60&early_start={early}");
        let wish = json!({"title": "周会", "start": start, "capacity": 5, "early_start": early});
        let refused = [
            concurrent.ask(Method::GET, &asked, Value::Null, &[]).await?,
            concurrent.ask(Method::GET, &free, Value::Null, &[]).await?,
            concurrent.post("/meetings", wish).await?,
        ];
        for refused in refused {
            assert_eq!((refused.status, &refused.body["code"]), (400, &json!("bad_early_start")), "{}", refused.body);
        }
    }
    let wish = json!({"title": "周会", "start": after, "duration": 60, "capacity": 60, "early_start": 30});
    assert_eq!(concurrent.post("/meetings", wish).await?.status, 409);

    // Shared: one of the rooms, alone.
    let site = shared.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let rooms = shared.get(&format!("/sites/{site}/rooms")).await?;
    let room = rooms["items"][1]["id"].as_str().context("rooms")?.to_owned();
    let wish = json!({"title": "例会", "start": start, "room": room, "recurrence": "FREQ=DAILY;COUNT=3"});
    let series = shared.post("/meetings", wish.clone()).await?;
    assert_eq!((series.status, &series.body["capacity"]), (201, &json!(20)), "{}", series.body);
    let refused = shared.post("/meetings", wish.clone()).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("room_taken")));
    let id = series.body["id"].as_str().context("an id")?;
    let mine = shared.get("/meetings?search=例会").await?;
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(3), "each time by itself");
    let second = mine["items"][1]["occurrence"].as_str().context("an occurrence")?.to_owned();
    let path = format!("/meetings/{id}/occurrences/{second}");
    assert_eq!(shared.ask(Method::DELETE, &path, Value::Null, &[]).await?.status, 204);
    assert_eq!(shared.get(&format!("/meetings/{id}/occurrences")).await?["items"].as_array().map(Vec::len), Some(2));

    // Whoever changes it must have read it as it is; start and duration stay.
    let read = shared.ask(Method::GET, &format!("/meetings/{id}"), Value::Null, &[]).await?;
    let etag = read.etag.context("an ETag")?;
    let change =
        |title: &str| json!({"title": title, "start": start, "room": room, "recurrence": "FREQ=DAILY;COUNT=3"});
    let stale = shared.ask(Method::PUT, &format!("/meetings/{id}"), change("月会"), &[("if-match", "\"1\"")]).await?;
    assert_eq!(stale.status, 412);
    let fresh = shared.ask(Method::PUT, &format!("/meetings/{id}"), change("月会"), &[("if-match", &etag)]).await?;
    assert_eq!((fresh.status, &fresh.body["title"]), (200, &json!("月会")), "{}", fresh.body);
    let later = json!({"title": "月会", "start": in_hours(50), "room": room});
    let refused = shared.ask(Method::PUT, &format!("/meetings/{id}"), later, &[]).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("fixed_time")));

    // What is another's is not there; an operator sees it.
    assert_eq!(concurrent.ask(Method::GET, &format!("/meetings/{id}"), Value::Null, &[]).await?.status, 404);
    let operator = User::login(&server, "host").await?;
    operator.get(&format!("/meetings/{id}")).await?;
    assert_eq!(shared.ask(Method::DELETE, &format!("/meetings/{id}"), Value::Null, &[]).await?.status, 204);
    assert_eq!(shared.get("/meetings?search=月会").await?["items"], json!([]));

    // One's own meeting is named in the language of who first sees it.
    for (name, language, title) in [("lucy", "en", "Lucy’s meeting"), ("leilei", "zh-CN", "Lucy的会议")] {
        let new = json!({"name": name, "display_name": "Lucy", "password": PASSWORD, "mode": "dedicated"});
        assert_eq!(operator.post(&format!("/sites/{site}/accounts"), new).await?.status, 201);
        let user = User::login(&server, name).await?;
        let get = http().get(format!("http://{}/api/v1/meetings", server.web)).header("cookie", &user.cookie);
        let mine: Value = get.header("accept-language", language).send().await?.json().await?;
        assert_eq!(mine["items"][0]["title"], title, "{mine}");
    }

    // What is wrong is named.
    let bad = shared.post("/meetings", json!({"title": "a<b", "start": start})).await?;
    assert_eq!((bad.status, &bad.body["code"]), (400, &json!("bad_title")));
    assert!(bad.body["detail"].as_str().is_some_and(|detail| detail.contains('<')), "{}", bad.body);
    Ok(())
}

// product: S1, S4
#[tokio::test]
async fn a_meeting_opens_in_its_time_and_an_instant_one_at_once() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "concurrent").await?;
    let later = user.post("/meetings", json!({"title": "周会", "start": in_hours(3), "capacity": 10})).await?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let number = later.body["number"].as_str().context("a number")?;
    let early = Client::join(server.web, number, join.clone(), None).await?;
    assert_eq!(early.joined["problem"]["code"], "not_yet");
    let opens = later.body["start"].as_str().context("a start")?.parse::<jiff::Timestamp>()?.as_millisecond();
    assert_eq!(early.joined["problem"]["opens_ms"], opens, "it has no password");

    // Where there is a password, its owner and who has it are told when it opens: half an hour early.
    let closed = json!({"title": "例会", "start": in_hours(3), "capacity": 5, "early_start": 30, "password": "135790"});
    let closed = user.post("/meetings", closed).await?;
    let number = closed.body["number"].as_str().context("a number")?;
    let owner = Some(user.cookie.as_str());
    let told = [(None, None, false), (None, owner, true), (Some("135791"), None, false), (Some("135790"), None, true)];
    for (password, cookie, is_told) in told {
        let join = json!({"type": "join", "name": "韩梅梅", "password": password});
        let early = Client::join(server.web, number, join, cookie).await?;
        let opens = if is_told { json!(opens - 30 * 60_000) } else { Value::Null };
        assert_eq!(early.joined["problem"]["opens_ms"], opens, "{password:?}: {}", early.joined);
    }

    // Who guesses is told no more, whatever he guesses.
    let early = async |password: String| {
        let join = json!({"type": "join", "name": "韩梅梅", "password": password});
        anyhow::Ok(Client::join(server.web, number, join, None).await?.joined)
    };
    for guess in 0..9 {
        assert_eq!(early(format!("00000{guess}")).await?["problem"].get("opens_ms"), None);
    }
    let guessed = early("135790".to_owned()).await?;
    assert_eq!((&guessed["problem"]["code"], guessed["problem"].get("opens_ms")), (&json!("not_yet"), None));

    // Repeated by a client that did not hear the answer: one meeting, one answer.
    let instant = json!({"title": "即时"});
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let booked = user.ask(Method::POST, "/meetings", instant.clone(), &[("idempotency-key", "k1")]).await?;
        assert_eq!(booked.status, 201, "{}", booked.body);
        numbers.push(booked.body["number"].as_str().context("a number")?.to_owned());
    }
    assert_eq!(numbers[0], numbers[1]);
    let reused = user.ask(Method::POST, "/meetings", json!({"title": "x"}), &[("idempotency-key", "k1")]).await?;
    assert_eq!((reused.status, &reused.body["code"]), (422, &json!("key_reused")));
    let inside = Client::join(server.web, &numbers[0], join, None).await?;
    assert_eq!(inside.joined["type"], "joined", "{}", inside.joined);
    Ok(())
}

// product: J3, C14, C17, C21, S4
#[tokio::test]
async fn the_host_opens_the_door_and_makes_the_meeting_longer_and_larger() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "concurrent").await?;
    let booked = user.post("/meetings", json!({"title": "评审", "options": {"waiting_room": true}})).await?;
    assert_eq!(booked.status, 201, "{}", booked.body);
    // A webinar is watched: without a livestream there is none.
    let webinar = user.post("/meetings", json!({"title": "评审", "options": {"webinar": true}})).await?;
    assert_eq!((webinar.status, &webinar.body["code"]), (400, &json!("bad_webinar")), "{}", webinar.body);
    let number = booked.body["number"].as_str().context("a number")?;
    let join = |name: &str| json!({"type": "join", "name": name});

    // One by browser and one by telephone are at the door before the host.
    let mut guest = Client::join(server.web, number, join("韩梅梅"), None).await?;
    assert_eq!(guest.joined, json!({"type": "waiting", "reason": "admission"}));
    let mut stranger = Client::join(server.web, number, join("陌生人"), None).await?;
    let mut phone = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    phone.dial(number, server.sip, "udp")?;
    phone.press("2")?;
    let mut host = Client::join(server.web, number, join("李雷"), Some(&user.cookie)).await?;
    assert_eq!(host.joined["type"], "joined", "{}", host.joined);
    let mut people = host.joined["waiting"].clone();
    if people.as_array().map(Vec::len) != Some(3) {
        let all_three = |message: &Value| message["whisper"]["people"].as_array().map(Vec::len) == Some(3);
        people = host.next(all_three).await?["whisper"]["people"].clone();
    }
    let id_of = |name: &str| {
        let people = people.as_array().into_iter().flatten();
        people.clone().find(|person| person["name"] == name).map(|person| person["id"].clone()).context("at the door")
    };
    let denied = host.command(json!({"type": "deny", "participant": id_of("陌生人")?})).await?;
    assert_eq!(denied["type"], "done");
    let refused = stranger.next(|message| message["type"] == "refused").await?;
    assert_eq!(refused["problem"]["code"], "denied");
    // The caller hears music until he is let in.
    let music = phone.listen(4.0)?;
    assert!(music.level(0.0, 4.0) > 0.005, "{}", music.level(0.0, 4.0));
    for name in ["韩梅梅", "138****0001"] {
        host.command(json!({"type": "admit", "participant": id_of(name)?})).await?;
        host.next(|message| message["event"]["participant"]["name"] == name).await?;
    }
    let inside = guest.next(|message| message["type"] == "joined").await?;
    assert_eq!(inside["waiting"], json!([]), "who waits is the host's business");

    // Said and kept.
    guest.command(json!({"type": "chat", "text": "大家好"})).await?;
    let heard = host.next(|message| message["event"]["type"] == "chat").await?;
    assert_eq!(heard["event"]["message"]["text"], "大家好");
    host.command(json!({"type": "waiting_room", "on": false})).await?;
    let late = Client::join(server.web, number, join("晚到的人"), None).await?;
    assert_eq!(late.joined["chat"][0]["text"], "大家好");

    // Longer and larger, as far as the site's ports go: 200, of which this meeting has ten.
    let other = json!({"title": "大会", "start": in_hours(1), "duration": 120, "capacity": 185});
    assert_eq!(user.post("/meetings", other).await?.status, 201);
    // The other begins before this one ends: five more are left.
    let meeting = booked.body["id"].as_str().context("an id")?;
    let growth = async |seat: &Value| -> Result<Value> {
        let seat = seat["resume"].as_str().context("a seat")?;
        let url = format!("http://{}/api/v1/meetings/{meeting}/growth", server.web);
        Ok(http().get(url).header("Huitong-Seat", seat).send().await?.json().await?)
    };
    assert_eq!(growth(&host.joined).await?["ports"], 5);
    assert_eq!(growth(&late.joined).await?["code"], "no_such_meeting", "it is the hosts' business");
    let larger = host.command(json!({"type": "enlarge", "by": 5})).await?;
    assert_eq!(larger["type"], "done", "{larger}");
    host.next(|message| message["event"]["meeting"]["capacity"] == 15).await?;
    let longer = host.command(json!({"type": "extend", "minutes": 120})).await?;
    assert_eq!(longer["type"], "done", "{longer}");
    host.next(|message| message["event"]["meeting"]["ends_ms"].is_i64()).await?;
    assert_eq!(growth(&host.joined).await?["ports"], 0);
    let refused = host.command(json!({"type": "enlarge", "by": 5})).await?;
    assert_eq!(refused["problem"]["code"], "no_ports", "{refused}");
    assert!(refused["problem"]["detail"].as_str().is_some_and(|detail| detail.contains("15")), "{refused}");

    // The host's hand is in the log.
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let log = operator.get(&format!("/sites/{site}/audit")).await?.to_string();
    for action in ["meeting.deny", "meeting.admit", "meeting.enlarge"] {
        assert!(log.contains(action), "{action}: {log}");
    }
    Ok(())
}

// product: L2, L5, L6, L8
#[tokio::test]
async fn accounts_are_made_by_administrators_and_changed_by_their_owners() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let member = User::login(&server, "member").await?;
    let me = operator.get("/me").await?;
    assert_eq!(me["account"]["initial_password"], true, "he is to be asked for another");
    let site = me["account"]["site_id"].as_str().context("a site")?.to_owned();
    let path = format!("/sites/{site}/accounts");
    let new = json!({"name": "Lucy", "display_name": "露西", "password": PASSWORD, "mode": "shared"});
    assert_eq!(member.post(&path, new.clone()).await?.status, 403);
    let made = operator.post(&path, new.clone()).await?;
    assert_eq!((made.status, &made.body["account"]["name"]), (201, &json!("lucy")), "{}", made.body);
    assert_eq!(operator.post(&path, new).await?.body["code"], "name_taken");

    let lucy = User::login(&server, "lucy").await?;
    let elsewhere = User::login(&server, "lucy").await?;
    let change = |change: Value| lucy.ask(Method::PATCH, "/me", change, &[]);
    let changed = change(json!({"display_name": "Lucy L.", "avatar": "data:image/png;base64,AAAA"})).await?;
    assert_eq!((changed.status, &changed.body["account"]["display_name"]), (200, &json!("Lucy L.")));
    assert_eq!(change(json!({"avatar": "data:image/svg+xml;base64,AAAA"})).await?.body["code"], "bad_avatar");
    picture_is_seen_in_a_meeting(&server, &lucy).await?;
    assert_eq!(change(json!({"role": "administrator"})).await?.body["code"], "not_allowed");
    let weak = json!({"old_password": PASSWORD, "new_password": "abcdefgh"});
    assert_eq!(lucy.post("/me/password", weak).await?.body["code"], "weak_password");
    let good = json!({"old_password": PASSWORD, "new_password": "Another-2026"});
    assert_eq!(lucy.post("/me/password", good).await?.status, 204);
    assert_eq!(elsewhere.ask(Method::GET, "/me", Value::Null, &[]).await?.status, 401, "the other sessions end");
    assert_eq!(lucy.get("/me").await?["account"]["initial_password"], false);

    let log = operator.get(&format!("/sites/{site}/audit")).await?;
    let actions: Vec<_> =
        log["items"].as_array().context("a log")?.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions[..2], [json!("account.password"), json!("account.change")], "{actions:?}");
    assert_eq!(member.ask(Method::GET, &format!("/sites/{site}/audit"), Value::Null, &[]).await?.status, 403);
    Ok(())
}

/// A guest in a meeting with `lucy` fetches the picture she has; nobody fetches what she had before.
async fn picture_is_seen_in_a_meeting(server: &Server, lucy: &User) -> Result<()> {
    let join = |name: &str| json!({"type": "join", "name": name, "password": server.password});
    let of_lucy = Client::join(server.web, &server.meeting, join("Lucy"), Some(&lucy.cookie)).await?;
    let guest = Client::join(server.web, &server.meeting, join("韩梅梅"), None).await?;
    let people = guest.joined["participants"].as_array().context("participants")?;
    let of = |client: &Client| people.iter().find(|person| person["id"] == client.joined["you"]);
    assert_eq!(of(&guest).context("a guest")?.get("avatar"), None);
    let key = of(&of_lucy).and_then(|person| person["avatar"].as_str()).context("a key")?;
    let get = |key: &str| http().get(format!("http://{}/api/v1/avatars/{key}", server.web)).send();
    let picture = get(key).await?;
    assert_eq!((picture.status().as_u16(), &picture.headers()["content-type"]), (200, &"image/png".parse()?));
    assert_eq!(picture.bytes().await?.as_ref(), [0; 3]);
    let account = key.split_once('.').context("an account")?.0;
    for guessed in [account.to_owned(), format!("{account}."), format!("{account}.{}", "0".repeat(64))] {
        assert_eq!(get(&guessed).await?.status(), 404, "{guessed}");
    }
    let other = json!({"avatar": "data:image/png;base64,BBBB"});
    assert_eq!(lucy.ask(Method::PATCH, "/me", other, &[]).await?.status, 200);
    assert_eq!(get(key).await?.status(), 404, "it is another picture now");
    Ok(())
}

/// Answers every request of a listener, and gives what came.
pub(crate) fn receive(listener: TcpListener, answers: &'static [u16]) -> Receiver<(Vec<String>, String)> {
    let (came, coming) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let mut reader = BufReader::new(stream);
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                    break;
                }
                head.push(line.trim().to_owned());
            }
            let length =
                head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let status = answers[number.min(answers.len() - 1)];
            // Who has gone meanwhile comes again.
            let _ = write!(reader.get_mut(), "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if came.send((head, String::from_utf8_lossy(&body).into_owned())).is_err() {
                return;
            }
        }
    });
    coming
}

// product: A2
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_signed_and_tried_again() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_WEBHOOKS__PRIVATE", "true")])?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let coming = receive(listener, &[500, 200]);
    let events = json!(["meeting.started", "participant.left"]);
    let made = operator.post(&format!("/sites/{site}/webhooks"), json!({"url": url, "events": events})).await?;
    let secret = made.body["secret"].as_str().context("a secret")?.to_owned();
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    guest.command(json!({"type": "leave"})).await?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let (head, body) = coming.recv_timeout(Duration::from_secs(30))?;
        let field = |name: &str| {
            head.iter().find_map(|line| line.split_once(": ").filter(|(field, _)| field.eq_ignore_ascii_case(name)))
        };
        let (_, signature) = field("huitong-signature").context("a signature")?;
        let (at, given) = signature.trim_start_matches("t=").split_once(",v1=").context("its parts")?;
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?.chain_update(format!("{at}.{body}"));
        assert_eq!(given, hex::encode(mac.finalize().into_bytes()));
        let (_, id) = field("huitong-event-id").context("an id")?;
        let told: Value = serde_json::from_str(&body)?;
        assert_eq!(told["meeting"]["number"].as_str(), Some(server.meeting.as_str()), "{told}");
        seen.push((id.to_owned(), told["type"].as_str().unwrap_or_default().to_owned()));
    }
    assert!(seen[1..].iter().any(|again| *again == seen[0]), "what was refused comes again: {seen:?}");
    let kinds: std::collections::BTreeSet<_> = seen.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["meeting.started", "participant.left"].into());
    Ok(())
}

/// A mail server of somebody else's making: aiosmtpd, which prints what comes.
pub(crate) struct MailServer {
    child: std::process::Child,
    pub(crate) address: SocketAddr,
    lines: Receiver<String>,
}

impl MailServer {
    pub(crate) fn start() -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, tests::free_everywhere()?));
        let python = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
        let mut child = std::process::Command::new(python)
            .args([
                "-u",
                "-m",
                "aiosmtpd",
                "-n",
                "-l",
                &address.to_string(),
                "-c",
                "aiosmtpd.handlers.Debugging",
                "stdout",
            ])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .context("aiosmtpd doesn't start; scripts/setup.sh test installs it")?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let (came, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if came.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, address, lines })
    }

    /// The next mail, whole.
    pub(crate) fn next(&self) -> Result<String> {
        let mut mail = String::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).context("no mail")?;
            if line.starts_with("------------ END MESSAGE") {
                return Ok(mail);
            }
            mail.push_str(&line);
            mail.push('\n');
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a mail's parts say, by Python's own reader: text first, then the calendar as a second reader understands it.
pub(crate) fn read_mail(mail: &str) -> Result<Value> {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = std::process::Command::new(tests.join(".venv/bin/python"))
        .arg(tests.join("python/read_mail.py"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    child.stdin.take().context("its input is piped")?.write_all(mail.as_bytes())?;
    Ok(serde_json::from_slice(&child.wait_with_output()?.stdout)?)
}

// product: S7, L3
#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_new_passwords_come_by_mail() -> Result<()> {
    let mail = MailServer::start()?;
    let smtp = format!("smtp://{}", mail.address);
    let server = Server::start_with(&[("HUITONG_MAIL__SMTP", &smtp), ("HUITONG_SIP__DOMAIN", "meet.example.com")])?;
    let user = User::login(&server, "shared").await?;
    let site = user.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let room = user.get(&format!("/sites/{site}/rooms")).await?["items"][0]["id"].clone();
    let body = json!({"title": "周会，第一次", "password": "246810", "start": in_hours(30), "room": room,
        "zone": "Europe/Berlin", "recurrence": "FREQ=WEEKLY;COUNT=4"});
    let booked = user.post("/meetings", body).await?;
    assert_eq!(booked.status, 201, "{}", booked.body);
    let (id, number) = (booked.body["id"].as_str().context("an id")?, booked.body["number"].as_str().context("one")?);
    let invited = user.post(&format!("/meetings/{id}/invitations"), json!({"emails": ["lucy@example.com"]})).await?;
    assert_eq!((invited.status, &invited.body["invited"]), (202, &json!(1)), "{}", invited.body);
    let read = read_mail(&mail.next()?)?;
    let text = read["text"].as_str().unwrap_or_default();
    for part in ["周会，第一次", "246810", &format!("/j/{number}#p=246810"), &format!("sip:{number}@meet.example.com")]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!((&read["method"], &read["summary"]), (&json!("REQUEST"), &json!("周会，第一次")), "{read}");
    assert_eq!((&read["occurrences"], &read["zone"]), (&json!(4), &json!("Europe/Berlin")), "{read}");

    // One time is changed, then another cancelled: who was invited is told of that time alone (RECURRENCE-ID).
    let held = user.get(&format!("/meetings/{id}/occurrences")).await?;
    let path =
        |n: usize| format!("/meetings/{id}/occurrences/{}", held["items"][n]["occurrence"].as_str().unwrap_or(""));
    let own = json!({"title": "周会，特别场", "password": "13579"});
    assert_eq!(user.ask(Method::PUT, &path(1), own, &[]).await?.status, 204);
    let read = read_mail(&mail.next()?)?;
    assert_eq!((&read["method"], &read["summary"]), (&json!("REQUEST"), &json!("周会，特别场")), "{read}");
    assert_eq!(
        (&read["sequence"], &read["events"], &read["one"]),
        (&json!(1), &json!(1), &held["items"][1]["occurrence"])
    );
    assert!(read["text"].as_str().is_some_and(|text| text.contains("#p=13579")), "{read}");
    assert_eq!(user.get(&path(1)).await?["title"], "周会，特别场");
    assert_eq!(user.ask(Method::DELETE, &path(2), Value::Null, &[]).await?.status, 204);
    let read = read_mail(&mail.next()?)?;
    assert_eq!((&read["method"], &read["sequence"]), (&json!("CANCEL"), &json!(2)), "{read}");
    assert_eq!((&read["events"], &read["one"]), (&json!(1), &held["items"][2]["occurrence"]), "{read}");
    // Whoever is invited now has all of it at once: three times, one of them by itself.
    let invited = user.post(&format!("/meetings/{id}/invitations"), json!({"emails": ["han@example.com"]})).await?;
    assert_eq!(invited.status, 202, "{}", invited.body);
    let read = read_mail(&mail.next()?)?;
    assert_eq!((&read["occurrences"], &read["events"]), (&json!(3), &json!(2)), "{read}");
    assert_eq!(read["summaries"], json!(["周会，第一次", "周会，特别场", "周会，第一次"]), "{read}");

    assert_eq!(user.ask(Method::DELETE, &format!("/meetings/{id}"), Value::Null, &[]).await?.status, 204);
    let read = read_mail(&mail.next()?)?;
    assert_eq!(
        (&read["method"], &read["sequence"], &read["one"]),
        (&json!("CANCEL"), &json!(3), &Value::Null),
        "{read}"
    );
    mail.next()?;

    // A forgotten password: the same answer for all, a mail for who is there.
    assert_eq!(user.ask(Method::PATCH, "/me", json!({"email": "lin@example.com"}), &[]).await?.status, 200);
    let nobody = User { web: server.web, cookie: String::new() };
    for name in ["nobody", "shared"] {
        let asked = nobody.post("/password-resets", json!({"name": name, "by": "email"})).await?;
        assert_eq!((asked.status, asked.body), (202, Value::Null));
    }
    let read = read_mail(&mail.next()?)?;
    let text = read["text"].as_str().unwrap_or_default();
    let token = text.split("/reset#").nth(1).and_then(|rest| rest.split_whitespace().next()).context("a link")?;
    let reset = async |secret: &str| {
        let body = json!({"secret": secret, "new_password": "Another-2026"});
        anyhow::Ok(nobody.ask(Method::PUT, "/password-resets", body, &[]).await?.status)
    };
    assert_eq!(reset("guessed").await?, 403);
    assert_eq!(reset(token).await?, 204);
    assert_eq!(reset(token).await?, 403, "it works once");
    Client::login(server.web, "shared", "Another-2026").await?;
    Ok(())
}

// product: L3
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_comes_by_short_message() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/messages", listener.local_addr()?);
    let server = Server::start_with(&[
        ("HUITONG_SMS__URL", url.as_str()),
        ("HUITONG_SMS__FORM", "true"),
        ("HUITONG_SMS__BODY", "To={to}&Code={code}&Body={text}"),
        ("HUITONG_SMS__AUTHORIZATION", "Basic QUM6dG9rZW4="),
        ("HUITONG_SIP__COUNTRY", "\"+86\""),
    ])?;
    let sent = receive(listener, &[201]);
    let user = User::login(&server, "shared").await?;
    user.ask(Method::PATCH, "/me", json!({"mobile": "138 1234-5678"}), &[]).await?;
    let mut page = Browser::start(0.0, Colour::Blue)?;
    page.open(&format!("http://{}/forgot", server.web))?;
    // There is one way, and nothing to choose.
    page.fill("forgot-name", "shared")?;
    page.miss(&by_id("forgot-by"))?;
    page.click("forgot-submit")?;
    page.see(&by_id("forgot-code"))?;
    let (head, body) = sent.recv_timeout(Duration::from_secs(30))?;
    assert!(head.iter().any(|line| line.eq_ignore_ascii_case("authorization: Basic QUM6dG9rZW4=")), "{head:?}");
    let fields: std::collections::HashMap<_, _> = body.split('&').filter_map(|field| field.split_once('=')).collect();
    assert_eq!(fields["To"], "%2B8613812345678");
    let code = fields["Code"];
    assert!(code.len() == 6 && fields["Body"].contains(code), "{body}");
    page.fill("forgot-code", code)?;
    is_sound(&mut page, "a code")?;
    new_password(&mut page, "Another-2026")?;
    page.see(&by_id("reset-done"))?;
    Client::login(server.web, "shared", "Another-2026").await?;
    Ok(())
}

// product: C22
#[tokio::test(flavor = "multi_thread")]
async fn hosts_invite_out_of_a_live_meeting() -> Result<()> {
    let mail = MailServer::start()?;
    let smtp = format!("smtp://{}", mail.address);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/messages", listener.local_addr()?);
    let server = Server::start_with(&[
        ("HUITONG_MAIL__SMTP", &smtp),
        ("HUITONG_SMS__URL", &url),
        ("HUITONG_SMS__FORM", "true"),
        ("HUITONG_SMS__BODY", "To={to}&Body={text}"),
    ])?;
    let sent = receive(listener, &[201]);
    let host = Client::login(server.web, "host", "Huitong-2026").await?;
    let host =
        Client::join(server.web, &server.meeting, json!({"type": "join", "name": "主持人"}), Some(&host)).await?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let guest = Client::join(server.web, &server.meeting, join, None).await?;
    let id = host.joined["meeting"]["id"].as_str().context("an id")?;
    let invitations = format!("http://{}/api/v1/meetings/{id}/invitations", server.web);
    let seat = |client: &Client| client.joined["resume"].as_str().unwrap_or_default().to_owned();
    let people = json!({"emails": ["lucy@example.com"], "sms": ["+8613812345678"], "language": "zh"});
    let invite = |seat: String| http().post(&invitations).header("huitong-seat", seat).json(&people).send();
    // Short messages cost money: members copy the text.
    assert_eq!(invite(seat(&guest)).await?.status(), 403);
    assert_eq!(invite("guessed".to_owned()).await?.status(), 403);
    let read = |seat: String| http().get(format!("{invitations}?language=zh")).header("huitong-seat", seat).send();
    assert_eq!(read("guessed".to_owned()).await?.status(), 404);
    let text: Value = read(seat(&guest)).await?.json().await?;
    let info: Value = http().get(format!("http://{}/api/v1/info", server.web)).send().await?.json().await?;
    // As the page has reached the server, and as telephones do: no port is the usual one here.
    let link =
        format!("入会链接：{}/j/{}#p={}\n", info["web"].as_str().unwrap_or_default(), server.meeting, server.password);
    let (sip, port) = (info["sip"]["host"].as_str().context("a host")?, &info["sip"]["udp"]);
    let sip = format!("SIP：sip:{}@{sip}:{port}\n", server.meeting);
    assert_eq!(info["web"], format!("http://{}", server.web));
    assert!(
        text["text"].as_str().is_some_and(|text| text.contains(&link) && text.contains(&sip)),
        "{text} {link}{sip}"
    );

    let invited = invite(seat(&host)).await?;
    assert_eq!((invited.status().as_u16(), invited.json::<Value>().await?), (202, json!({"invited": 2})));
    let read = read_mail(&mail.next()?)?;
    assert!(read["text"].as_str().is_some_and(|text| text.contains(&server.password)), "{read}");
    let (_, body) = sent.recv_timeout(Duration::from_secs(30))?;
    assert!(body.starts_with("To=%2B8613812345678&Body="), "{body}");
    Ok(())
}

// product: A2
#[tokio::test]
async fn the_api_describes_itself_without_the_internet() -> Result<()> {
    let server = Server::start()?;
    let document: Value = http().get(format!("http://{}/api/v1/openapi.json", server.web)).send().await?.json().await?;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{document}");
    assert!(document["paths"]["/api/v1/meetings"]["post"]["responses"]["409"].is_object(), "{document}");
    let page = http().get(format!("http://{}/api/docs/", server.web)).send().await?;
    assert_eq!(page.status(), 200);
    assert!(!page.text().await?.contains("https://"), "nothing comes from elsewhere");
    Ok(())
}
