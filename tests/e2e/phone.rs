//! Callers among themselves and under a host's hand.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result};
use media::AudioCodec;
use mixer::bench::Ear;
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Heard, Pjsua, RawPhone, Server, silence};

const TALK: Duration = Duration::from_secs(4);

/// What stands for a heard tone and for none: tones are sent at 0.2.
const LOUD: f32 = 0.1;

/// Of [`likest`], where it is that.
pub(crate) const ALIKE: f32 = 0.8;

const SILENT: f32 = 0.01;

// product: P1, P6
#[test]
fn callers_of_any_program_codec_and_transport_hear_all_but_themselves() -> Result<()> {
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
    let mut pjsua = Vec::new();
    for (number, hz, transport) in [("13800000004", 1_700.0, "udp"), ("13800000005", 2_100.0, "tcp")] {
        let mut phone = Pjsua::start(number, hz)?;
        phone.dial(&server.meeting, server.sip, transport)?;
        phone.press(&format!("2{}#", server.password))?;
        pjsua.push(phone);
    }
    let all = [600.0, 900.0, 1_300.0, 1_700.0, 2_100.0];
    let judge = |who: &str, own: f32, heard: &Heard| {
        for hz in all {
            let tone = heard.tone(hz, 3.0);
            assert!(if hz == own { tone < SILENT } else { tone > LOUD }, "{who} hears {hz} Hz at {tone}");
        }
    };
    for phone in &mut pjsua {
        phone.wait_to_hear(600.0)?;
    }
    for (phone, (_, codec, own, _)) in phones.iter_mut().zip(parties) {
        judge(&format!("{codec:?}"), own, &phone.listen(3.0)?);
    }
    for (phone, own) in pjsua.iter_mut().zip([1_700.0, 2_100.0]) {
        judge("PJSIP", own, &phone.listen(3.0)?);
    }
    Ok(())
}

/// How the loudness of the first second and a half goes, in steps of 20 ms.
fn envelope(samples: &[f32]) -> Vec<f32> {
    let begins = samples.iter().position(|sample| sample.abs() > 0.02).unwrap_or(0);
    let steps = samples[begins..].chunks_exact(960).take(75);
    let loudness = steps.map(|step| (step.iter().map(|s| s * s).sum::<f32>() / 960.0).sqrt());
    loudness.collect()
}

/// From -1 to 1.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let mean = |all: &[f32]| all.iter().sum::<f32>() / all.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |f: &dyn Fn(f32, f32) -> f32| a.iter().zip(b).map(|(a, b)| f(a - mean_a, b - mean_b)).sum::<f32>();
    product(&|a, b| a * b) / (product(&|a, _| a * a) * product(&|_, b| b * b)).sqrt()
}

/// How loud each 20 ms of it are.
pub(crate) fn peaks(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(960).map(|step| step.iter().fold(0.0, |most, sample| sample.abs().max(most))).collect()
}

/// How like this the likest part of what was heard is.
pub(crate) fn likest(heard: &[f32], said: &[f32]) -> f32 {
    heard.windows(said.len()).map(|part| likeness(part, said)).fold(0.0, f32::max)
}

// product: P1, P6
#[test]
fn a_caller_whose_codec_changes_while_he_is_spoken_to_hears_the_rest_and_is_asked_on() -> Result<()> {
    let server = Server::start()?;
    let prompts = sipconf::Prompts::load()?;
    let greeting = peaks(&prompts.greeting(sipconf::Language::ZhCn).samples());
    let question = peaks(&prompts.clip(sipconf::Language::ZhCn, sipconf::Prompt::EnterPassword).samples());
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let answer = phone.description()?.replace("RTP/AVP 8", "RTP/AVP 8 0");
    let media = phone.call(&server.meeting, "", &answer)?.media()?;
    let mut ear = Ear::new(AudioCodec::Pcmu)?;
    let (mut heard, mut buffer) = (Vec::new(), [0; 2_048]);
    for number in 0..2_000 {
        let mut packet = silence(number);
        if number >= 50 {
            packet[1] = 0;
            packet[12..].fill(0xff);
        }
        phone.rtp.send_to(&packet, media)?;
        let (len, _) = phone.rtp.recv_from(&mut buffer).context("no sound")?;
        if buffer[1] & 0x7f == 0 {
            heard.push(ear.loudness(&buffer[12..len]));
        }
        if heard.len() > greeting.len() && number % 50 == 0 && likest(&heard, &question[..60]) > ALIKE {
            break;
        }
    }
    let rest = likest(&heard, &greeting[greeting.len() - 75..]);
    assert!(rest > ALIKE, "the end of the greeting by the other codec: {rest}");
    let asked = likest(&heard, &question[..60]);
    assert!(asked > ALIKE, "and then the password: {asked}");
    Ok(())
}

// product: P1
#[test]
fn a_caller_is_greeted_in_the_language_he_chose_last() -> Result<()> {
    let server = Server::start()?;
    let prompts = sipconf::Prompts::load()?;
    let [chinese, english] = [sipconf::Language::ZhCn, sipconf::Language::EnUs]
        .map(|language| envelope(&prompts.clip(language, sipconf::Prompt::Welcome).samples()));
    let greeting = |number: &str, key: &str| -> Result<(f32, f32)> {
        let mut phone = Baresip::start(number, Codec::Pcma, 600.0)?;
        phone.dial("anything", server.sip, "udp")?;
        phone.wait_for_sound()?;
        phone.talk(Duration::from_millis(2_500))?;
        phone.press(key)?;
        let heard = envelope(phone.hang_up()?.samples());
        Ok((likeness(&heard, &chinese), likeness(&heard, &english)))
    };
    let (like_chinese, like_english) = greeting("13800000001", "2")?;
    assert!(like_chinese > 0.8 && like_chinese > like_english + 0.3, "first: {like_chinese} {like_english}");
    let (like_chinese, like_english) = greeting("13800000001", "")?;
    assert!(like_english > 0.8 && like_english > like_chinese + 0.3, "again: {like_chinese} {like_english}");
    let (like_chinese, like_english) = greeting("13800000002", "")?;
    assert!(like_chinese > like_english + 0.3, "somebody else: {like_chinese} {like_english}");
    Ok(())
}

// reliability: A11
#[test]
fn whether_the_meeting_or_its_password_is_wrong_is_not_told() -> Result<()> {
    let server = Server::start()?;
    let prompts = sipconf::Prompts::load()?;
    let told = envelope(&prompts.clip(sipconf::Language::EnUs, sipconf::Prompt::WrongEntry).samples());
    let unknown = if server.meeting == "987654321" { "987654322" } else { "987654321" };
    let mut phones = Vec::new();
    for (number, meeting) in [("13800000001", server.meeting.as_str()), ("13800000002", unknown)] {
        let mut phone = Baresip::start(number, Codec::Pcma, 600.0)?;
        phone.dial("meet", server.sip, "udp")?;
        phone.press(&format!("2{meeting}#000000#"))?;
        // Half a second for both, and the first words.
        let heard = phone.listen(3.0)?;
        let likeness = likeness(&envelope(heard.samples()), &told);
        assert!(likeness > 0.8, "{meeting}: {likeness}");
        phones.push(phone);
    }
    // Who mistyped the one or the other does better now.
    for phone in &mut phones {
        phone.press(&format!("{}#{}#", server.meeting, server.password))?;
    }
    let mut other = Baresip::start("13800000003", Codec::Pcma, 900.0)?;
    other.dial(&server.meeting, server.sip, "udp")?;
    other.enter(&server.password)?;
    for phone in &mut phones {
        while phone.listen(1.0)?.tone(900.0, 1.0) < LOUD {}
    }
    Ok(())
}

// product: P1
#[test]
fn the_meeting_is_asked_for_three_times() -> Result<()> {
    let server = Server::start()?;
    let mut other = Pjsua::start("13800000002", 900.0)?;
    other.dial(&server.meeting, server.sip, "udp")?;
    other.press(&format!("2{}#", server.password))?;
    // Wrong twice, keyed on while it is said; the third is right.
    let mut phone = Pjsua::start("13800000001", 600.0)?;
    phone.dial("meet", server.sip, "udp")?;
    phone.press(&format!("211#22#{}#{}#", server.meeting, server.password))?;
    phone.wait_to_hear(900.0)?;

    let mut phone = Pjsua::start("13800000003", 600.0)?;
    phone.dial("meet", server.sip, "udp")?;
    phone.press("211#22#33#")?;
    phone.wait_for("closed")?;
    server.wait_for_log("no_meeting")?;
    Ok(())
}

// trap: one wrong PIN hangs up; product: P1
#[test]
fn three_wrong_passwords_end_the_call_with_words() -> Result<()> {
    let server = Server::start()?;
    let mut phone = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.press("2000000#000000#000000#")?;
    phone.wait_for("CALL_CLOSED")?;
    server.wait_for_log("wrong_password")?;
    let heard = phone.heard()?;
    let seconds = heard.samples().len() as f32 / 48_000.0;
    let words = heard.level(seconds - 2.5, seconds);
    assert!(words > 0.03, "the last words: {words}");
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

// product: P7, RFC 4568, RFC 8643: telephones of two makes that refuse to speak plainly, one that encrypts where the other side can, and
// one that can't.
#[test]
fn encrypted_telephones_hear_plain_ones_and_each_other() -> Result<()> {
    let server = Server::start()?;
    let mut phones = [
        (Baresip::start_encrypted("13800000001", Codec::Pcma, 600.0)?, 600.0),
        (Baresip::start_encrypted("13800000002", Codec::Opus, 1_300.0)?, 1_300.0),
        (Baresip::start("13800000003", Codec::Pcmu, 900.0)?, 900.0),
    ];
    for (phone, _) in &mut phones {
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
    }
    let mut others = Vec::new();
    for (number, own, encryption) in [("13800000004", 1_700.0, "sdes"), ("13800000005", 2_100.0, "either")] {
        let mut phone = Pjsua::start_encrypted(number, own, encryption)?;
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.press(&format!("2{}#", server.password))?;
        others.push((phone, own));
    }
    for (phone, _) in &mut others {
        phone.wait_to_hear(600.0)?;
    }
    let judge = |own: f32, heard: &Heard| {
        for hz in [600.0, 900.0, 1_300.0, 1_700.0, 2_100.0] {
            let tone = heard.tone(hz, 2.0);
            assert!(if hz == own { tone < SILENT } else { tone > LOUD }, "{own} Hz hears {hz} Hz at {tone}");
        }
    };
    // Long enough for reports to go both ways, and for the menu's last words.
    phones[2].0.talk(TALK * 2)?;
    for (phone, own) in &mut phones {
        let heard = phone.listen(2.0)?;
        judge(*own, &heard);
    }
    for (phone, own) in &mut others {
        judge(*own, &phone.listen(2.0)?);
    }
    Ok(())
}
