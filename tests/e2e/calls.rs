//! What is written down of telephone calls.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{
    Baresip, Browser, Client, Codec, Colour, Kamailio, PASSWORD, RawPhone, Recogniser, Server, User, http, silence, tag,
};

use crate::{
    api::receive,
    dial_out::{becomes, dial, host, trunk},
};

const NUMBER: &str = "13812345678";

async fn fetch(user: &User, path: &str) -> Result<(u16, Vec<u8>)> {
    let url = format!("http://{}/api/v1{path}", user.web);
    let answer = http().get(url).header("cookie", &user.cookie).send().await?;
    Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
}

/// The messages in a file of packets, as somebody else would read it: record headers, IPv4, UDP.
fn messages(mut file: &[u8]) -> Result<Vec<String>> {
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    assert_eq!(file[20], 101, "raw IP");
    file = &file[24..];
    let mut found = Vec::new();
    while !file.is_empty() {
        let length = u32::from_le_bytes(file[8..12].try_into()?) as usize;
        let packet = &file[16..16 + length];
        assert_eq!((packet[0], packet[9]), (0x45, 17), "IPv4, UDP");
        assert_eq!(usize::from(u16::from_be_bytes(packet[2..4].try_into()?)), length);
        assert_eq!(usize::from(u16::from_be_bytes(packet[24..26].try_into()?)), length - 20);
        found.push(String::from_utf8_lossy(&packet[28..]).into_owned());
        file = &file[16 + length..];
    }
    Ok(found)
}

async fn first_call(user: &User, path: &str) -> Result<Value> {
    loop {
        let calls = user.get(path).await?;
        let call = calls["items"].get(0).cloned().unwrap_or_default();
        if !call.is_null() {
            return Ok(call);
        }
    }
}

// trap: masked number leaks elsewhere; product: P5, P9
#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_whole_nowhere_but_in_the_packets_that_brought_it() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_WEBHOOKS__PRIVATE", "true")])?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let hook = json!({"url": format!("http://{}/hook", listener.local_addr()?), "events": []});
    let coming = receive(listener, &[200]);
    assert_eq!(operator.post(&format!("/sites/{site}/webhooks"), hook).await?.status, 201);
    let join = json!({"type": "join", "name": "韩梅梅"});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&operator.cookie)).await?;
    let mut phone = Baresip::start(NUMBER, Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    let joined = host.next(|message| message["event"]["type"] == "participant_joined").await?;
    let caller = joined["event"]["participant"]["id"].clone();
    host.command(json!({"type": "start_recording"})).await?;
    host.command(json!({"type": "chat", "to": caller, "text": "听得见吗"})).await?;
    phone.press("*9")?;
    host.next(|message| message["event"]["participant"]["hand"] == true).await?;
    host.command(json!({"type": "stop_recording"})).await?;
    phone.hang_up()?;
    host.next(|message| message["event"]["type"] == "participant_left").await?;
    let mut hooks = String::new();
    while !hooks.contains("participant.left") {
        hooks += &coming.recv_timeout(Duration::from_secs(30))?.1;
    }
    let call = first_call(&operator, &format!("/sites/{site}/calls")).await?;
    let id = call["id"].as_str().context("an id")?;

    let (status, ladder) = fetch(&operator, &format!("/calls/{id}/ladder.txt")).await?;
    let ladder = String::from_utf8(ladder)?;
    assert_eq!(status, 200, "{ladder}");
    let rungs = ["->  INVITE sip:", "<-  200 OK", "->  ACK ", "->  BYE ", "<-  200 OK  (", "138****5678"];
    let mut rest = ladder.as_str();
    for rung in rungs {
        let at = rest.find(rung).with_context(|| format!("no {rung} in its place:\n{ladder}"))?;
        rest = &rest[at..];
    }
    let (_, table) = fetch(&operator, &format!("/sites/{site}/calls.csv")).await?;
    let (_, audit) = fetch(&operator, &format!("/sites/{site}/audit")).await?;
    let (_, recordings) = fetch(&operator, "/recordings").await?;
    let (_, stray) = fetch(&operator, "/calls").await?;
    let audit = String::from_utf8(audit)?;
    assert!(audit.contains("call.read_ladder"), "{audit}");
    let everywhere = [
        ("roster and chat", host.told.clone()),
        ("webhooks", hooks),
        ("ladder", ladder),
        ("call", call.to_string()),
        ("table", String::from_utf8(table)?),
        ("audit log", audit),
        ("recordings", String::from_utf8(recordings)?),
        ("stray calls", String::from_utf8(stray)?),
        ("log", server.log()),
        ("files", server.file_names()?.join("\n")),
    ];
    for (place, told) in everywhere {
        assert!(!told.contains(&NUMBER[3..]), "a number in the {place}: {told}");
    }

    let (status, packets) = fetch(&operator, &format!("/calls/{id}/ladder.pcap")).await?;
    assert_eq!(status, 200);
    let messages = messages(&packets)?;
    let invite = messages.first().context("a message")?;
    assert!(invite.starts_with("INVITE ") && invite.contains(NUMBER), "{invite}");
    assert!(messages.iter().any(|message| message.starts_with("BYE ")), "{messages:?}");

    // Who may see the site's calls, and nobody else.
    let account = |name: &str, role: &str| json!({"name": name, "display_name": name, "password": PASSWORD, "mode": "dedicated", "role": role});
    let other = operator.post("/sites", json!({"name": "乙", "ports": 10, "livestream": false, "zone": "UTC"})).await?;
    let other = other.body["id"].as_str().context("a site")?.to_owned();
    for (site, name, role, allowed) in [
        (&site, "administrator", "administrator", 200),
        (&site, "member", "member", 403),
        (&other, "elsewhere", "administrator", 404),
    ] {
        operator.post(&format!("/sites/{site}/accounts"), account(name, role)).await?;
        let user = User::login(&server, name).await?;
        for path in ["", "/ladder.txt", "/ladder.pcap"] {
            assert_eq!(fetch(&user, &format!("/calls/{id}{path}")).await?.0, allowed, "{name} {path}");
        }
    }
    let stranger = User { web: server.web, cookie: String::new() };
    assert_eq!(fetch(&stranger, &format!("/calls/{id}/ladder.pcap")).await?.0, 401);
    Ok(())
}

// trap: masked number leaks elsewhere; product: P5, P8, P9, C23
#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_called_is_whole_nowhere_in_what_is_told_and_recorded_of_it() -> Result<()> {
    let carrier = Kamailio::start("MD5")?;
    let recogniser = Recogniser::start("大家好").await?;
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{}]", trunk(&carrier, ""))),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_RECORDING__TRACKS", "true"),
        ("HUITONG_CAPTIONS__URL", &format!("ws://{}", recogniser.address)),
        ("HUITONG_CAPTIONS__LANGUAGE", "zh-CN"),
        ("HUITONG_WEBHOOKS__PRIVATE", "true"),
    ])?;
    server.wait_for_log("trunk is up")?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let hook = json!({"url": format!("http://{}/hook", listener.local_addr()?), "events": []});
    let coming = receive(listener, &[200]);
    assert_eq!(operator.post(&format!("/sites/{site}/webhooks"), hook).await?.status, 201);
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut host = host(&server).await?;
    let guest = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, guest, None).await?;
    host.command(json!({"type": "start_recording"})).await?;
    let id = dial(&mut host, "138 1234 5678").await?;
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    becomes(&mut host, &id, "joined").await?;
    guest.next(|message| message["event"]["participant"]["number"] == "+86138****5678").await?;
    phone.listen(5.0)?;
    phone.hang_up()?;
    guest.next(|message| message["event"]["type"] == "participant_left").await?;
    host.command(json!({"type": "stop_recording"})).await?;
    let mut hooks = String::new();
    while !hooks.contains("recording.ready") {
        hooks += &coming.recv_timeout(Duration::from_secs(60))?.1;
    }
    let call = first_call(&operator, &format!("/sites/{site}/calls?kind=phone")).await?;
    assert_eq!((&call["direction"], &call["number"]), (&json!("out"), &json!("+86138****5678")), "{call}");
    let recordings = operator.get("/recordings").await?;
    let recording = &recordings["items"][0];
    assert_eq!(recording["tracks"].as_array().map(Vec::len), Some(1), "{recording}");
    assert_eq!(recording["tracks"][0]["name"], "+86138****5678", "{recording}");
    let mut everywhere = vec![
        ("host's page", host.told.clone()),
        ("guest's page", guest.told.clone()),
        ("webhooks", hooks),
        ("recordings", recordings.to_string()),
        ("call", call.to_string()),
        ("log", server.log()),
        ("files", server.file_names()?.join("\n")),
    ];
    let captions = recording["captions"].as_str().context("captions")?.trim_start_matches("/api/v1");
    let track = recording["tracks"][0]["file"].as_str().context("a track")?.trim_start_matches("/api/v1");
    let film = recording["file"].as_str().context("a film")?.trim_start_matches("/api/v1");
    let (calls, audit) = (format!("/sites/{site}/calls.csv"), format!("/sites/{site}/audit"));
    let ladder = format!("/calls/{}/ladder.txt", call["id"].as_str().context("an id")?);
    for (place, path) in [
        ("captions", captions),
        ("track", track),
        ("film", film),
        ("table", &calls),
        ("audit log", &audit),
        ("ladder", &ladder),
    ] {
        let (status, bytes) = fetch(&operator, path).await?;
        assert_eq!(status, 200, "{place} at {path}");
        everywhere.push((place, String::from_utf8_lossy(&bytes).into_owned()));
    }
    let all = everywhere.iter().map(|(_, told)| told.as_str()).collect::<String>();
    for there in ["meeting.dial", "number/1", "大家好", "->  INVITE sip:", "OggS"] {
        assert!(all.contains(there), "{there} is not in what is looked at");
    }
    for (place, told) in everywhere {
        // Neither as it is dialled nor as the host wrote it.
        assert!(!told.contains(&NUMBER[3..]) && !told.contains("1234 5678"), "a number in the {place}: {told}");
    }
    Ok(())
}

// product: P9, P5
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_written_down_with_its_quality_and_without_its_number() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let mut phone = Baresip::start("13812345678", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    phone.listen(3.0)?;
    phone.hang_up()?;
    let mut lost = Baresip::start("13887654321", Codec::Opus, 600.0)?;
    lost.dial(&server.meeting, server.sip, "udp")?;
    lost.press("2000000#000000#000000#")?;
    lost.wait_for("CALL_CLOSED")?;

    let mut calls = Vec::new();
    while calls.is_empty() {
        let found = operator.get(&format!("/sites/{site}/calls")).await?;
        calls = found["items"].as_array().context("a list")?.clone();
    }
    let call = &calls[0];
    assert_eq!((&call["number"], &call["codec"]), (&"138****5678".into(), &"PCMA".into()), "{call}");
    assert_eq!((&call["direction"], &call["cause"]), (&"in".into(), &"hung_up".into()), "{call}");
    assert!(call["received"].as_u64() > Some(100) && call["mos"].as_f64() > Some(4.0), "{call}");
    let mut stray = Vec::new();
    while stray.is_empty() {
        stray = operator.get("/calls").await?["items"].as_array().context("a list")?.clone();
    }
    assert_eq!((&stray[0]["cause"], &stray[0]["number"]), (&"wrong_password".into(), &"138****4321".into()));

    let url = format!("http://{}/api/v1/sites/{site}/calls.csv", server.web);
    let table = http().get(url).header("cookie", &operator.cookie).send().await?.text().await?;
    assert!(table.starts_with("start,") && table.contains("\"138****5678\""), "{table}");
    for told in [table, format!("{calls:?}{stray:?}"), server.log()] {
        assert!(!told.contains("12345678") && !told.contains("87654321"), "a number is told: {told}");
    }
    Ok(())
}

// product: P9
#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_stay_is_written_down_with_its_quality() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let mut host =
        Client::join(server.web, &server.meeting, json!({"type": "join", "name": "host"}), Some(&operator.cookie))
            .await?;
    let mut phone = Baresip::start(NUMBER, Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    let mut guest = Browser::start(1_100.0, Colour::Green)?;
    // A spreadsheet would reckon with it.
    guest.join(server.web, &server.meeting, "=李雷", &server.password)?;
    let joined = host.next(|message| message["event"]["participant"]["name"] == "=李雷").await?;
    let participant = joined["event"]["participant"]["id"].clone();
    while phone.listen(1.0)?.tone(1_100.0, 1.0) < 0.05 {}
    assert!(guest.hear(6)?.tone(600.0, 3.0) > 0.05, "sound both ways");
    guest.click("leave")?;
    host.next(|message| message["event"]["type"] == "participant_left").await?;
    let call = first_call(&operator, &format!("/sites/{site}/calls?kind=web")).await?;
    assert_eq!(
        (&call["kind"], &call["name"], &call["participant"]),
        (&json!("web"), &json!("=李雷"), &participant),
        "{call}"
    );
    assert_eq!(
        (&call["cause"], &call["number"], &call["codec"]),
        (&json!("left"), &json!(""), &json!("opus")),
        "{call}"
    );
    assert!(call["received"].as_u64() > Some(200) && call["sent"].as_u64() > Some(200), "{call}");
    assert!(call["lost"].as_u64() < Some(20) && call["jitter_ms"].as_f64() < Some(40.0), "{call}");
    assert!(call["mos"].as_f64() > Some(4.0) && call["round_trip_ms"].as_f64() < Some(200.0), "{call}");
    assert!(call["round_trip_ms"].is_f64() && call["seconds"].as_f64() > Some(5.0), "{call}");
    phone.hang_up()?;
    let call = first_call(&operator, &format!("/sites/{site}/calls?kind=phone")).await?;
    assert_eq!((&call["kind"], &call["name"], &call["one_way"]), (&json!("phone"), &json!(""), &Value::Null), "{call}");
    assert!(call["participant"].is_string(), "{call}");
    let (_, table) = fetch(&operator, &format!("/sites/{site}/calls.csv?kind=web")).await?;
    let table = String::from_utf8(table)?;
    assert!(table.contains(",web,") && table.contains("\"'=李雷\"") && !table.contains(",phone,"), "{table}");
    assert_eq!(fetch(&operator, &format!("/sites/{site}/calls?kind=fax")).await?.0, 400);
    Ok(())
}

// product: P9
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_is_not_heard_is_written_down_as_such() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    // It listens and sends nothing: RTCP alone tells that it is there.
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call("huitong", &offer, "")?;
    for _ in 0..50 {
        phone.rtp.recv_from(&mut [0; 2048])?;
    }
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    let call = first_call(&operator, "/calls").await?;
    assert_eq!(
        (&call["one_way"], &call["received"], &call["mos"]),
        (&json!("no_packets"), &json!(0), &Value::Null),
        "{call}"
    );
    assert_eq!(
        (&call["reported_lost"], &call["reported_mos"]),
        (&Value::Null, &Value::Null),
        "it tells nothing: {call}"
    );
    assert_eq!((&call["participant"], &call["meeting"]), (&Value::Null, &Value::Null), "{call}");

    // Another offers a key and sends without it.
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let key = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}\r\n", "A".repeat(40));
    let offer = phone.description()?.replace("RTP/AVP", "RTP/SAVP") + &key;
    let reply = phone.call("huitong", &offer, "")?;
    let media = reply.media()?;
    // Who is never heard is sent a second of sound at most.
    for number in 0..48 {
        phone.exchange(media, number)?;
    }
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    let call = loop {
        let call = first_call(&operator, "/calls").await?;
        if call["one_way"] != "no_packets" {
            break call;
        }
    };
    assert_eq!((&call["one_way"], &call["received"]), (&json!("not_decryptable"), &json!(0)), "{call}");
    Ok(())
}

// product: P9; RFC 3550 §6.4.2
#[tokio::test(flavor = "multi_thread")]
async fn what_a_telephone_reports_of_what_it_hears_is_written_down_too() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call("huitong", &offer, "")?;
    let media = reply.media()?;
    let mut packet = [0; 2048];
    for number in 0..100 {
        phone.rtp.send_to(&silence(number), media)?;
        phone.rtp.recv_from(&mut packet)?;
    }
    // Of its hundred packets ten are said to be lost, the others to come 20 ms unevenly.
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend(&packet[8..12]);
    report.extend([26, 0, 0, 10, 0, 0, 0, 100, 0, 0, 0, 160]);
    report.extend([0; 8]);
    let rtcp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    rtcp.send_to(&report, SocketAddr::new(media.ip(), media.port() + 1))?;
    for number in 100..150 {
        phone.exchange(media, number)?;
    }
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    let call = first_call(&operator, "/calls").await?;
    assert_eq!((&call["lost"], &call["reported_lost"]), (&json!(0), &json!(10)), "{call}");
    assert_eq!(call["reported_jitter_ms"], 20.0, "{call}");
    let mos = |key: &str| call[key].as_f64().with_context(|| call.to_string());
    assert!(mos("mos")? > 4.0 && mos("reported_mos")? < 3.7, "{call}");
    Ok(())
}

/// A WAV file of a tone.
pub(crate) fn tone(hz: f32, rate: u32, seconds: f32) -> Result<Vec<u8>> {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    for sample in mixer::tones::sine(hz, 0.3, rate, (seconds * rate as f32) as usize) {
        writer.write_sample((sample * 32_767.0) as i16)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

// product: P3, P7
#[tokio::test(flavor = "multi_thread")]
async fn a_site_hands_in_prompts_of_its_own_and_its_callers_hear_them() -> Result<()> {
    let numbers = r#"[{number="4000",language="en-US",site="会通演示"}]"#;
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", numbers)])?;
    let operator = User::login(&server, "host").await?;
    let me = operator.get("/me").await?;
    assert_eq!(me["account"]["site"], "会通演示", "{me}");
    let site = me["account"]["site_id"].as_str().context("a site")?.to_owned();
    let put = async |user: &User, prompt: &str, file: Vec<u8>| -> Result<(u16, Value)> {
        let url = format!("http://{}/api/v1/sites/{site}/prompts/en-US/{prompt}", user.web);
        let request = http().put(url).header("cookie", &user.cookie).header("accept-language", "zh-CN");
        let answer = request.header("content-type", "application/octet-stream").body(file).send().await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
    };
    assert_eq!(put(&operator, "welcome", tone(1_500.0, 8_000, 3.0)?).await?.0, 200);
    assert_eq!(put(&operator, "only_you", tone(1_900.0, 44_100, 4.0)?).await?.0, 200);
    let (status, said) = put(&operator, "goodbye", tone(500.0, 8_000, 31.0)?).await?;
    assert_eq!(
        (status, &said["code"], &said["detail"]),
        (400, &json!("bad_prompt"), &json!("时长为31.0秒，应为0.2至30秒"))
    );
    assert_eq!(put(&operator, "goodbye", b"ID3 music".to_vec()).await?.1["code"], "bad_prompt");
    assert_eq!(put(&operator, "none", tone(500.0, 8_000, 1.0)?).await?.0, 404);

    let mut phone = Baresip::start("13800000001", Codec::Opus, 600.0)?;
    phone.dial("4000", server.sip, "udp")?;
    let heard = phone.listen(2.0)?.tone(1_500.0, 1.5);
    assert!(heard > 0.08, "the site's welcome: {heard}");
    phone.press(&format!("{}#{}#", server.meeting, server.password))?;
    while phone.listen(1.0)?.tone(1_900.0, 1.0) < 0.08 {}
    phone.hang_up()?;

    let list = operator.get(&format!("/sites/{site}/prompts")).await?;
    let find = |list: &Value, prompt: &str| -> Option<Value> {
        let is = |one: &&Value| one["language"] == "en-US" && one["prompt"] == prompt;
        list["items"].as_array()?.iter().find(is).cloned()
    };
    let welcome = find(&list, "welcome").context("it is listed")?;
    assert!(welcome["changed"].is_string() && welcome["text"] == "Welcome to Huitong conferencing.", "{welcome}");
    assert_eq!(find(&list, "goodbye").context("it is listed")?["changed"], Value::Null);
    let (_, file) = fetch(&operator, &format!("/sites/{site}/prompts/en-US/welcome")).await?;
    assert!(file.starts_with(b"OggS"));
    let path = format!("/sites/{site}/prompts/en-US/welcome");
    assert_eq!(operator.ask(reqwest::Method::DELETE, &path, Value::Null, &[]).await?.status, 204);
    let list = operator.get(&format!("/sites/{site}/prompts")).await?;
    assert_eq!(find(&list, "welcome").context("it is listed")?["changed"], Value::Null);

    // Whoever administers the site, and nobody else.
    let member = json!({"name": "member", "display_name": "member", "password": PASSWORD, "mode": "dedicated"});
    operator.post(&format!("/sites/{site}/accounts"), member).await?;
    let member = User::login(&server, "member").await?;
    assert_eq!(put(&member, "welcome", tone(500.0, 8_000, 1.0)?).await?.0, 403);
    assert_eq!(fetch(&member, &path).await?.0, 403);
    assert_eq!(member.ask(reqwest::Method::DELETE, &path, Value::Null, &[]).await?.status, 403);
    let stranger = User { web: server.web, cookie: String::new() };
    assert_eq!(put(&stranger, "welcome", tone(500.0, 8_000, 1.0)?).await?.0, 401);
    Ok(())
}
