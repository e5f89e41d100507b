//! Telephones' lines as they sound: who plays music is held back until a host wants to hear it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Heard, PASSWORD, Pjsua, Server};

use crate::keypad::came;

// product: P10
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_plays_music_is_muted_and_the_host_may_let_it_be_heard() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_MEDIA__MUTE_MUSIC", "true")])?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let mut host =
        Client::join(server.web, &server.meeting, json!({"type": "join", "name": "host"}), Some(&cookie)).await?;
    let mut listener = Pjsua::start("13800000002", 0.0)?;
    listener.dial(&server.meeting, server.sip, "udp")?;
    listener.press(&format!("2{}#", server.password))?;
    came(&mut host).await?;
    // A tone that stands still is what music is made of.
    let mut music = Pjsua::start("13800000001", 600.0)?;
    music.dial(&server.meeting, server.sip, "udp")?;
    music.press(&format!("2{}#", server.password))?;
    listener.wait_to_hear(600.0)?;
    let wanted = Duration::from_secs(15);
    let told = host.next_within(wanted, |message| message["event"]["participant"]["line_trouble"] == "music").await?;
    let id = told["event"]["participant"]["id"].as_str().context("an id")?.to_owned();
    assert!(listener.listen(1.0)?.tone(600.0, 0.5) < 0.01, "muted in the mix");
    host.command(json!({"type": "unmute", "participant": id})).await?;
    listener.wait_to_hear(600.0)?;
    Ok(())
}

// trap: muted phone stuck; product: P10, P4
#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_for_music_hears_so_and_frees_himself_by_his_own_key() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_MEDIA__MUTE_MUSIC", "true")])?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut watcher = Client::join(server.web, &server.meeting, join, None).await?;
    let mut listener = Pjsua::start("13800000002", 0.0)?;
    listener.dial(&server.meeting, server.sip, "udp")?;
    listener.press(&format!("2{}#", server.password))?;
    came(&mut watcher).await?;
    let mut caller = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    caller.dial(&server.meeting, server.sip, "udp")?;
    caller.enter(&server.password)?;
    came(&mut watcher).await?;
    // The words at the door are over long before he is held back.
    caller.listen(6.0)?;
    let wanted = Duration::from_secs(15);
    let held = |message: &Value| message["event"]["participant"]["line_trouble"] == "music";
    let told = watcher.next_within(wanted, held).await?;
    assert_eq!(told["event"]["participant"]["muted"], false, "{told}");
    let words = caller.listen(3.0)?.level(0.0, 3.0);
    assert!(words > 0.01, "he is told that he is muted: {words}");
    caller.press("*6")?;
    let freed = |message: &Value| {
        let event = &message["event"];
        event["type"] == "participant_changed" && event["participant"]["line_trouble"].is_null()
    };
    let freed = watcher.next(freed).await?;
    assert_eq!(freed["event"]["participant"]["muted"], false, "{freed}");
    listener.wait_to_hear(600.0)?;
    // It goes on and on: nobody talks like that.
    watcher.next_within(wanted, held).await?;
    assert!(listener.listen(1.0)?.tone(600.0, 0.5) < 0.01, "muted in the mix again");
    Ok(())
}

// trap: dead air; product: P10
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_is_dead_is_shown_to_the_host() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let mut host =
        Client::join(server.web, &server.meeting, json!({"type": "join", "name": "host"}), Some(&cookie)).await?;
    let mut dead = Baresip::start("13800000001", Codec::Pcma, 0.0)?;
    dead.dial(&server.meeting, server.sip, "udp")?;
    dead.enter(&server.password)?;
    let id = came(&mut host).await?;
    let wanted = Duration::from_secs(60);
    let told = host.next_within(wanted, |message| message["event"]["participant"]["line_trouble"] == "silent").await?;
    assert_eq!(told["event"]["participant"]["id"], id, "{told}");
    Ok(())
}

/// How loud its words and how loud its pauses are, in dB: of parts of 20 ms the tenth from above and the tenth from below in a hundred.
fn loudness(samples: &[f32]) -> (f32, f32) {
    let mut parts: Vec<f32> = samples
        .chunks_exact(960)
        .map(|part| 10.0 * (part.iter().map(|sample| sample * sample).sum::<f32>() / 960.0 + 1e-10).log10())
        .collect();
    parts.sort_by(f32::total_cmp);
    (parts[parts.len() * 9 / 10], parts[parts.len() / 10])
}

/// What a listener hears of a caller who says this, once the line is known.
async fn heard(server: &Server, watcher: &mut Client, number: &str, said: &[f32]) -> Result<Heard> {
    let mut speaker = Baresip::start_speaking(number, Codec::Pcma, said)?;
    speaker.dial(&server.meeting, server.sip, "udp")?;
    speaker.enter(&server.password)?;
    let mut listener = Pjsua::start("13800000009", 0.0)?;
    listener.dial(&server.meeting, server.sip, "udp")?;
    listener.press(&format!("2{}#", server.password))?;
    for _ in 0..2 {
        came(watcher).await?;
    }
    // Words of the house, and the seconds in which it learns how loud he is.
    listener.listen(10.0)?;
    let heard = listener.listen(10.0)?;
    speaker.hang_up()?;
    listener.hang_up()?;
    Ok(heard)
}

// product: P10
#[tokio::test(flavor = "multi_thread")]
async fn soft_and_loud_callers_sound_alike_and_a_noisy_line_is_quiet_between_words() -> Result<()> {
    let prompts = sipconf::Prompts::load()?;
    let speech = prompts.clip(sipconf::Language::EnUs, sipconf::Prompt::Help).samples().to_vec();
    let said = |factor: f32| speech.iter().map(|sample| sample * factor).collect::<Vec<_>>();
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut watcher = Client::join(server.web, &server.meeting, join, None).await?;
    let mut words = Vec::new();
    for (number, factor) in [("13800000001", 1.0), ("13800000002", 0.1)] {
        let (loud, _) = loudness(heard(&server, &mut watcher, number, &said(factor)).await?.samples());
        words.push(loud);
    }
    assert!((words[0] - words[1]).abs() < 6.0, "said 20 dB apart, heard as {words:?} dB");

    // Hiss of a bad line.
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let noisy: Vec<f32> = said(0.5).into_iter().map(|sample| sample + 0.02 * noise()).collect();
    let (loud, quiet) = loudness(&noisy);
    let (loud_heard, quiet_heard) = loudness(heard(&server, &mut watcher, "13800000003", &noisy).await?.samples());
    let won = (loud_heard - quiet_heard) - (loud - quiet);
    assert!(won > 4.0, "words and pauses: said {loud} {quiet}, heard {loud_heard} {quiet_heard} dB");
    Ok(())
}
