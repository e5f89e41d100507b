//! What telephones hear, told by its pitch: what only wideband carries, and the house's own signs.

use anyhow::{Context, Result};
use media::SAMPLE_RATE;
use mixer::tones;
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Heard, Server, User};

use crate::keypad::came;

const LOUD: f32 = 0.05;
const SILENT: f32 = 0.01;

// product: P6
#[tokio::test(flavor = "multi_thread")]
async fn wideband_stays_wideband_and_narrowband_hears_no_alias_of_it() -> Result<()> {
    const HIGH: f32 = 5_500.0;
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut watcher = Client::join(server.web, &server.meeting, join, None).await?;
    let mut call = async |number: &str, codec: Codec, hz: f32| -> Result<Baresip> {
        let mut phone = Baresip::start(number, codec, hz)?;
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
        came(&mut watcher).await?;
        Ok(phone)
    };
    let mut listeners = Vec::new();
    for (number, codec) in [("13800000002", Codec::G722), ("13800000003", Codec::Opus), ("13800000004", Codec::Pcma)] {
        listeners.push((codec, call(number, codec, 0.0).await?));
    }
    for (number, codec) in [("13800000005", Codec::G722), ("13800000006", Codec::Opus)] {
        let speaker = call(number, codec, HIGH).await?;
        for (listening, phone) in &mut listeners {
            // Words of the house for whoever comes are over by then.
            phone.listen(3.0)?;
            let heard = phone.listen(2.0)?;
            let (tone, alias) = (heard.tone(HIGH, 2.0), heard.tone(8_000.0 - HIGH, 2.0));
            let is_wide = *listening != Codec::Pcma;
            assert!(
                alias < SILENT && if is_wide { tone > LOUD } else { tone < SILENT },
                "{listening:?} hears {codec:?} at {tone}, and its alias at {alias}"
            );
        }
        speaker.hang_up()?;
    }
    // And they were what they are taken for.
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let codecs = loop {
        let calls = operator.get(&format!("/sites/{site}/calls?kind=phone")).await?;
        let calls = calls["items"].as_array().context("calls")?;
        let codecs: Vec<Value> = calls.iter().map(|call| call["codec"].clone()).collect();
        if codecs.len() == 2 {
            break codecs;
        }
    };
    assert!(codecs.contains(&json!("G722")) && codecs.contains(&json!("opus")), "{codecs:?}");
    Ok(())
}

/// The house's signs in what was heard: two notes that rise, and two that fall.
fn signs(heard: &Heard) -> Vec<&'static str> {
    let (window, note, samples) = (3_840, 6_720, heard.samples());
    let [low, high] = [659.26, 880.0];
    let (mut found, mut at) = (Vec::new(), 0);
    while at + note + window <= samples.len() {
        let is = |from: usize, hz: f32, other: f32| {
            let part = &samples[from..from + window];
            tones::amplitude(part, hz, SAMPLE_RATE) > 0.06 && tones::amplitude(part, other, SAMPLE_RATE) < 0.02
        };
        let sign = if is(at, low, high) && is(at + note, high, low) {
            Some("came")
        } else if is(at, high, low) && is(at + note, low, high) {
            Some("went")
        } else {
            None
        };
        found.extend(sign);
        at += if sign.is_some() { 2 * note } else { 480 };
    }
    found
}

// product: P3
#[tokio::test(flavor = "multi_thread")]
async fn two_notes_tell_callers_who_comes_and_who_goes() -> Result<()> {
    for (settings, expected) in
        [(&[][..], &["came", "went", "came", "went"][..]), (&[("HUITONG_SIP__ANNOUNCE", "nothing")][..], &[][..])]
    {
        let server = Server::start_with(settings)?;
        let join = |name: &str| json!({"type": "join", "name": name, "password": server.password});
        let mut watcher = Client::join(server.web, &server.meeting, join("李雷"), None).await?;
        let left = |message: &Value| message["event"]["type"] == "participant_left";
        let mut listener = Baresip::start("13800000002", Codec::Pcma, 0.0)?;
        listener.dial(&server.meeting, server.sip, "udp")?;
        listener.enter(&server.password)?;
        came(&mut watcher).await?;
        // That he is in he is told by words.
        listener.listen(5.0)?;
        let mut guest = Client::join(server.web, &server.meeting, join("韩梅梅"), None).await?;
        listener.listen(1.0)?;
        guest.send(&json!({"type": "command", "id": 1, "command": {"type": "leave"}})).await?;
        watcher.next(left).await?;
        listener.listen(1.0)?;
        let mut phone = Baresip::start("13800000003", Codec::Pcma, 0.0)?;
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
        came(&mut watcher).await?;
        listener.listen(1.0)?;
        phone.hang_up()?;
        watcher.next(left).await?;
        listener.listen(1.0)?;
        assert_eq!(signs(&listener.hang_up()?), expected, "{settings:?}");
    }
    Ok(())
}
