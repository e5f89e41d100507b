//! Callers among themselves and under a host's hand.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Server};

const TALK: Duration = Duration::from_secs(4);

/// What stands for a heard tone and for none: tones are sent at 0.2.
const LOUD: f32 = 0.1;
const SILENT: f32 = 0.01;

// product: P1, P6
#[test]
fn callers_of_any_codec_and_transport_hear_all_but_themselves() -> Result<()> {
    let server = Server::start()?;
    let parties = [
        ("13800000001", Codec::Pcma, 600.0, "udp"),
        ("13800000002", Codec::Opus, 900.0, "tcp"),
        ("13800000003", Codec::Pcmu, 1_300.0, "udp"),
    ];
    let mut phones = Vec::new();
    for (number, codec, hz, transport) in parties {
        let mut phone = Baresip::start(number, codec, hz)?;
        phone.dial(&server.meeting, server.sip, transport)?;
        phone.enter(&server.password)?;
        phones.push(phone);
    }
    phones[2].talk(TALK + TALK)?;
    for (phone, (_, codec, own, _)) in phones.into_iter().zip(parties) {
        let heard = phone.hang_up()?;
        for (_, _, hz, _) in parties {
            // Those before have hung up by now: each is listened to while all were there.
            let tone = heard.tone(hz, 3.0);
            if hz == own {
                assert!(tone < SILENT, "{codec:?} hears itself at {tone}");
            } else if hz > own {
                assert!(tone > LOUD, "{codec:?} hears {hz} Hz at {tone}");
            }
        }
    }
    Ok(())
}

// product: P1
#[test]
fn three_wrong_passwords_end_the_call_with_words() -> Result<()> {
    let server = Server::start()?;
    let mut phone = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.press("2")?;
    for _ in 0..3 {
        phone.press("000000#")?;
        // "That is not the password" is said to the end before it is asked again.
        phone.talk(Duration::from_secs(6))?;
    }
    phone.wait_for("CALL_CLOSED")?;
    let log = server.log();
    assert!(log.contains("wrong_password"), "{log}");
    let heard = phone.heard()?;
    assert!(heard.level(2.0, 6.0) > 0.03, "the menu speaks: {}", heard.level(2.0, 6.0));
    Ok(())
}

async fn changed(host: &mut Client, id: &str, key: &str, value: bool) -> Result<()> {
    host.next(|message| {
        let participant = &message["event"]["participant"];
        message["event"]["type"] == "participant_changed" && participant["id"] == id && participant[key] == value
    })
    .await?;
    Ok(())
}

// product: P4, P5, C6, C7, C8, C9
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_mutes_himself_and_is_under_the_hosts_hand() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&cookie)).await?;
    assert_eq!(host.joined["participants"][0]["role"], "host", "{}", host.joined);

    let mut listener = Baresip::start("13800000002", Codec::Pcma, 900.0)?;
    listener.dial(&server.meeting, server.sip, "udp")?;
    listener.enter(&server.password)?;
    host.next(|message| message["event"]["type"] == "participant_joined").await?;
    let mut phone = Baresip::start("13812345678", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    let event = host.next(|message| message["event"]["type"] == "participant_joined").await?;
    let caller = event["event"]["participant"].clone();
    assert_eq!((&caller["via"], &caller["number"]), (&json!("phone"), &json!("138****5678")), "{caller}");
    let id = caller["id"].as_str().unwrap_or_default().to_owned();

    // He lights up when he speaks.
    let speaks = |message: &Value| {
        let all = message["participants"].as_array();
        message["type"] == "speaking" && all.is_some_and(|all| all.contains(&json!(id)))
    };
    host.next(speaks).await?;

    phone.press("*6")?;
    changed(&mut host, &id, "muted", true).await?;
    phone.press("*6")?;
    changed(&mut host, &id, "muted", false).await?;
    assert_eq!(host.command(json!({"type": "mute", "participant": id})).await?["type"], "done");
    listener.talk(TALK)?;
    let quiet = listener.hang_up()?;
    assert!(quiet.tone(600.0, 3.0) < SILENT, "muted by the host: {}", quiet.tone(600.0, 3.0));
    host.command(json!({"type": "unmute", "participant": id})).await?;
    changed(&mut host, &id, "muted", false).await?;
    host.command(json!({"type": "mute_all", "self_unmute": false})).await?;
    changed(&mut host, &id, "muted", true).await?;
    host.command(json!({"type": "remove", "participant": id})).await?;
    phone.wait_for("CALL_CLOSED")?;
    assert!(!server.log().contains("13812345678"), "the log leaks the caller's number");

    let mut again = Baresip::start("13812345678", Codec::Pcma, 600.0)?;
    again.dial(&server.meeting, server.sip, "udp")?;
    again.press("2")?;
    again.wait_for("CALL_CLOSED")?;
    Ok(())
}
