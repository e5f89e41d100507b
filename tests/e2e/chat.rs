//! What is said in writing, and what somebody missed.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, Server, http};

use crate::api::{MailServer, read_mail, receive};

async fn join(server: &Server, name: &str) -> Result<Client> {
    let join = json!({"type": "join", "name": name, "password": server.password});
    Client::join(server.web, &server.meeting, join, None).await
}

fn file(message: &Value) -> bool {
    message["event"]["type"] == "chat" && message["event"]["message"]["file"].is_object()
}

// product: C1, C21, J6
#[tokio::test(flavor = "multi_thread")]
async fn words_and_files_reach_whom_they_are_for_and_who_comes_late() -> Result<()> {
    let server = Server::start()?;
    let mut lily = join(&server, "李雷").await?;
    let mut may = join(&server, "韩梅梅").await?;
    let mut jim = join(&server, "吉姆").await?;
    lily.command(json!({"type": "chat", "text": "大家好"})).await?;
    let heard = may.next(|message| message["event"]["type"] == "chat").await?;
    assert_eq!(heard["event"]["message"]["text"], "大家好");
    lily.command(json!({"type": "chat", "to": may.joined["you"], "text": "悄悄话"})).await?;
    let heard = may.next(|message| message["type"] == "whisper").await?;
    assert_eq!(heard["whisper"]["message"]["text"], "悄悄话", "{heard}");

    // A file, larger than any message, byte for byte.
    let id = may.joined["meeting"]["id"].as_str().context("an id")?;
    let url = format!("http://{}/api/v1/meetings/{id}/files", server.web);
    let film: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let hand_in = |seat: Value| {
        let seat = seat.as_str().unwrap_or("guessed").to_owned();
        let asked = http().post(format!("{url}?name=报告.pdf")).header("huitong-seat", seat);
        asked.body(film.clone()).send()
    };
    assert_eq!(hand_in(Value::Null).await?.status(), 403);
    assert_eq!(hand_in(lily.joined["resume"].clone()).await?.status(), 201);
    let told = jim.next(file).await?;
    let told = &told["event"]["message"];
    assert_eq!((&told["name"], &told["file"]["name"]), (&json!("李雷"), &json!("报告.pdf")), "{told}");
    let url = format!("{url}/{}", told["file"]["id"].as_str().context("an id")?);
    let fetched = http().get(&url).send().await?;
    assert_eq!(fetched.headers()["content-disposition"], "attachment");
    assert!(fetched.bytes().await? == film, "it is what was handed in");

    // Who comes late has it all but what was private; who comes back hears what he missed.
    let late = join(&server, "露西").await?;
    let said: Vec<_> = late.joined["chat"].as_array().context("a chat")?.iter().map(|said| &said["text"]).collect();
    assert_eq!(said, [&json!("大家好"), &json!("")], "{}", late.joined);
    let (seat, since) = (jim.joined["resume"].clone(), jim.joined["seq"].clone());
    drop(jim);
    let back = json!({"type": "join", "name": "吉姆", "resume": seat, "since": since});
    let back = Client::join(server.web, &server.meeting, back, None).await?;
    let missed = back.joined["missed"].as_array().with_context(|| back.joined.to_string())?;
    let first = missed.first().context("something")?;
    assert_eq!(first["seq"].as_u64(), since.as_u64().map(|since| since + 1));
    assert!(missed.iter().any(file), "{missed:?}");
    assert_eq!(missed.last().map(|last| &last["seq"]), Some(&back.joined["seq"]), "nothing is left out");

    // The meeting's end is the file's.
    for mut client in [lily, may, late, back] {
        client.command(json!({"type": "leave"})).await?;
    }
    let host = Client::login(server.web, "host", "Huitong-2026").await?;
    let mut host =
        Client::join(server.web, &server.meeting, json!({"type": "join", "name": "主持人"}), Some(&host)).await?;
    host.command(json!({"type": "end"})).await?;
    host.next(|message| message["type"] == "ended").await?;
    let mut status = 200;
    while status == 200 {
        status = http().get(&url).send().await?.status().as_u16();
    }
    assert_eq!(status, 404);
    Ok(())
}

// product: C21
#[test]
fn a_file_is_handed_round_from_the_page() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("报告.txt");
    std::fs::write(&report, "第三季度\n".repeat(20_000))?;
    let mut lily = Browser::start(700.0, Colour::Red)?;
    lily.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut may = Browser::start(1_100.0, Colour::Green)?;
    may.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    for page in [&mut lily, &mut may] {
        page.click("toggle-chat")?;
    }
    lily.upload("[data-testid=chat] input[type=file]", &report)?;
    may.see("[data-testid=chat-file]")?;
    assert!(may.text("[data-testid=chat-file]")?.contains("报告.txt"));
    let fetched = may.evaluate(
        "fetch(document.querySelector('[data-testid=chat-file]').href).then(r => r.text()).then(text => text.length)",
    )?;
    assert_eq!(fetched.as_u64(), Some(100_000));
    Ok(())
}

// product: C22
#[test]
fn others_are_invited_from_the_meetings_page() -> Result<()> {
    let mail = MailServer::start()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = Server::start_with(&[
        ("HUITONG_MAIL__SMTP", &format!("smtp://{}", mail.address)),
        ("HUITONG_SMS__URL", &format!("http://{}/messages", listener.local_addr()?)),
        ("HUITONG_SMS__FORM", "true"),
        ("HUITONG_SMS__BODY", "To={to}&Body={text}"),
    ])?;
    let messages = receive(listener, &[201]);
    let mut guest = Browser::start(700.0, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    guest.click("more")?;
    guest.click("open-invite")?;
    guest.see("[data-testid=invite-text]")?;
    guest.until("document.querySelector('[data-testid=invite-text]').value.includes('Meeting ID')")?;
    guest.miss("[data-testid=invite-by-mail]")?;

    let mut host = Browser::start(1_100.0, Colour::Blue)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    host.click("more")?;
    host.click("open-invite")?;
    host.click("invite-by-mail")?;
    host.fill("invite-addresses", "lucy@example.com，nobody")?;
    host.click("invite-send")?;
    host.see("[data-testid=invite-problem]")?;
    assert!(host.text("[data-testid=invite-problem]")?.contains("nobody"));
    host.fill("invite-addresses", "lucy@example.com")?;
    host.click("invite-send")?;
    host.see("[data-testid=invite-sent]")?;
    let read = read_mail(&mail.next()?)?;
    assert!(read["text"].as_str().is_some_and(|text| text.contains(&server.password)), "{read}");
    host.click("invite-by-sms")?;
    host.miss("[data-testid=invite-sent]")?;
    host.fill("invite-addresses", "13812345678")?;
    host.click("invite-send")?;
    host.see("[data-testid=invite-sent]")?;
    let (_, body) = messages.recv_timeout(Duration::from_secs(30))?;
    assert!(body.contains("13812345678&Body="), "{body}");
    Ok(())
}

// product: C18, C24
#[tokio::test(flavor = "multi_thread")]
async fn what_one_does_to_oneself_is_seen_by_the_others() -> Result<()> {
    let server = Server::start()?;
    let mut lily = join(&server, "李雷").await?;
    let mut may = join(&server, "韩梅梅").await?;
    let own = lily.joined["you"].clone();
    let doings = [
        (json!({"type": "camera", "on": true}), "camera", true),
        (json!({"type": "camera", "on": false}), "camera", false),
        (json!({"type": "mute", "participant": own}), "muted", true),
        (json!({"type": "unmute", "participant": own}), "muted", false),
    ];
    for (doing, what, on) in doings {
        let answer = lily.command(doing).await?;
        let seen = may.next(|message| message["event"]["participant"]["id"] == own).await?;
        assert_eq!(seen["event"]["participant"][what], on, "{answer} {seen}");
    }
    lily.command(json!({"type": "leave"})).await?;
    let seen = may.next(|message| message["event"]["type"] == "participant_left").await?;
    assert_eq!((&seen["event"]["id"], &seen["event"]["reason"]), (&own, &json!("left")));
    Ok(())
}
