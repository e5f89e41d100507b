//! Telephones' lines as they sound: who plays music is held back until a host wants to hear it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Client, PASSWORD, Pjsua, Server};

// product: P10
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_plays_music_is_muted_and_the_host_may_let_it_be_heard() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_MEDIA__MUTE_MUSIC", "true")])?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let mut host =
        Client::join(server.web, &server.meeting, json!({"type": "join", "name": "host"}), Some(&cookie)).await?;
    // A tone that stands still is what music is made of.
    let mut music = Pjsua::start("13800000001", 600.0)?;
    music.dial(&server.meeting, server.sip, "udp")?;
    music.press(&format!("2{}#", server.password))?;
    let mut listener = Pjsua::start("13800000002", 0.0)?;
    listener.dial(&server.meeting, server.sip, "udp")?;
    listener.press(&format!("2{}#", server.password))?;
    listener.wait_to_hear(600.0)?;
    let wanted = Duration::from_secs(15);
    let told = host.next_within(wanted, |message| message["event"]["participant"]["line_trouble"] == "music").await?;
    let id = told["event"]["participant"]["id"].as_str().context("an id")?.to_owned();
    assert!(listener.listen(1.0)?.tone(600.0, 0.5) < 0.01, "muted in the mix");
    host.command(json!({"type": "unmute", "participant": id})).await?;
    listener.wait_to_hear(600.0)?;
    Ok(())
}
