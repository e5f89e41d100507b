//! What a full disk takes from people, and what it doesn't.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, Disk, Heard, Server, User, http};

use crate::watching::{VIDEO, live};

/// Data, and a minute of a livestream.
const MEBIBYTES: u32 = 64;

const HOST: f32 = 700.0;

/// Goes on playing.
fn plays_on(viewer: &mut Browser) -> Result<()> {
    let at = viewer.evaluate(&format!("{VIDEO}.currentTime"))?.as_f64().context("a time")?;
    viewer.until(&format!("{VIDEO}.currentTime > {}", at + 4.0))?;
    viewer.see("[data-testid=watch-state][data-state=playing]")
}

/// How long a film is, as far as its pictures go, and how loud the host is in it.
fn told_by(film: &Path) -> Result<(f64, f32)> {
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(film)
        .output()?;
    let text = String::from_utf8_lossy(&probe.stdout);
    let last = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).fold(0.0, f64::max);
    let sound = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(film)
        .args(["-f", "f32le", "-ac", "1", "-ar", "48000", "-"])
        .output()?;
    Ok((last, Heard::of_bytes(&sound.stdout).tone(HOST, 2.0)))
}

/// So many recordings, all of them ready, newest first.
async fn ready(user: &User, count: usize) -> Result<Vec<Value>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let films = user.get("/recordings").await?["items"].as_array().cloned().unwrap_or_default();
        if films.len() == count && films.iter().all(|film| film["state"] == "ready") {
            return Ok(films);
        }
        ensure!(Instant::now() < deadline, "{films:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

// product: B1, C23; reliability.md R7
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_recording_with_what_it_has_and_nothing_else() -> Result<()> {
    let disk = Disk::of_mebibytes(MEBIBYTES)?;
    let server = Server::start_on(&disk)?;
    let user = User::login(&server, "host").await?;
    let cookie = user.cookie.clone();
    let (disk, server, mut host, mut viewer) = tokio::task::spawn_blocking(move || -> Result<_> {
        let (mut host, watch) = live(&server)?;
        let mut viewer = Browser::start(0.0, Colour::Green)?;
        viewer.open(&watch)?;
        viewer.see("[data-testid=watch-state][data-state=playing]")?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.see("[data-testid=recording]")?;
        // Two fragments.
        server.wait_for_file(".part.mp4", 30_000)?;
        plays_on(&mut viewer)?;

        disk.fill()?;
        host.see("[data-notice=recording_full]")?;
        let words = host.text("[data-notice=recording_full]")?;
        assert!(words.contains("storage is full"), "{words}");
        host.miss("[data-testid=recording]")?;
        if let Some(folder) = std::env::var_os("HUITONG_PICTURES") {
            host.screenshot(&Path::new(&folder).join("full-disk.png"))?;
        }
        // Who watches notices nothing, and who comes now sees it as well.
        plays_on(&mut viewer)?;
        let mut other = Browser::start(0.0, Colour::Green)?;
        other.open(&watch)?;
        other.see("[data-testid=watch-state][data-state=playing]")?;
        plays_on(&mut viewer)?;
        host.see("[data-testid=broadcast][data-state=live]")?;
        Ok((disk, server, host, viewer))
    })
    .await??;

    // Somebody comes into the meeting, and is heard of.
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    let said = guest.command(json!({"type": "chat", "text": "听得清楚"})).await?;
    assert_eq!(said["problem"], Value::Null, "{said}");
    // What has ended is there, as far as it was written.
    let recording = ready(&user, 1).await?.remove(0);
    let file = format!("http://{}{}", user.web, recording["file"].as_str().context("a file")?);
    let whole = http().get(file).header("cookie", &user.cookie).send().await?;
    assert_eq!(whole.status(), 200);
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.mp4");
    std::fs::write(&film, whole.bytes().await?)?;
    let (seconds, tone) = told_by(&film)?;
    assert!(seconds > 1.0 && tone > 0.05, "{seconds} s, {HOST} Hz at {tone}: {recording}");

    // There is room again: another one is recorded to its end, and a restart knows both, though the first one's note had no room.
    disk.make_room()?;
    let (server, mut host) = tokio::task::spawn_blocking(move || -> Result<_> {
        host.click("more")?;
        host.click("toggle-recording")?;
        host.see("[data-testid=recording]")?;
        plays_on(&mut viewer)?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.miss("[data-testid=recording]")?;
        Ok((server, host))
    })
    .await??;
    ready(&user, 2).await?;
    let server = tokio::task::spawn_blocking(move || -> Result<_> {
        host.evaluate("window.huitong.stopBroadcast()")?;
        host.miss("[data-testid=broadcast]")?;
        server.restart()
    })
    .await??;
    let user = User { web: server.web, cookie };
    let films = ready(&user, 2).await?;
    assert!(films.iter().all(|film| film["seconds"].as_f64() > Some(1.0)), "{films:?}");
    Ok(())
}
