//! A livestream that goes to other servers as well: nginx by RTMP, ffmpeg by SRT, and some that are no good.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, Heard, PASSWORD, Rtmp, Server, Stunnel};

const HOST: f32 = 700.0;

/// How many seconds a film has, as far as it was written.
fn seconds(film: &Path) -> Result<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(film)
        .output()?;
    let times = String::from_utf8_lossy(&output.stdout);
    let times: Vec<f64> = times.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    let first = times.iter().copied().reduce(f64::min).unwrap_or_default();
    Ok(times.iter().copied().reduce(f64::max).unwrap_or_default() - first)
}

fn decoded(film: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "quiet", "-i"])
        .arg(film)
        .args(arguments)
        .arg("-")
        .stderr(Stdio::inherit())
        .output()?;
    Ok(output.stdout)
}

/// The host is red in the middle of the film, and his tone is heard.
fn shows_the_host(film: &Path) -> Result<()> {
    let picture = ["-vf", "crop=iw/8:ih/8,scale=1:1", "-f", "rawvideo", "-pix_fmt", "rgb24"];
    let pictures = decoded(film, &picture)?;
    let last = pictures.rchunks_exact(3).next().context("a picture")?.to_vec();
    assert!(last[0] > 120 && last[1] < 90 && last[2] < 90, "{}: {last:?}", film.display());
    let heard = Heard::of_bytes(&decoded(film, &["-f", "f32le", "-ac", "1", "-ar", "48000"])?);
    let tone = heard.tone(HOST, 2.0);
    assert!(tone > 0.05, "{}: {HOST} Hz at {tone}", film.display());
    Ok(())
}

/// Ends with the story.
pub(crate) struct Listener(Child);

impl Drop for Listener {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// ffmpeg waits for somebody who sends by SRT.
pub(crate) fn listen_by_srt(film: &Path) -> Result<(Listener, String)> {
    listen_by_srt_for(film, "")
}

/// The same for who knows the word.
fn listen_by_srt_for(film: &Path, word: &str) -> Result<(Listener, String)> {
    let port = tests::free_everywhere()?;
    let url = format!("srt://127.0.0.1:{port}");
    let passphrase = if word.is_empty() { String::new() } else { format!("&passphrase={word}") };
    let child = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-i",
            &format!("{url}?mode=listener{passphrase}"),
            "-c",
            "copy",
            "-f",
            "mpegts",
            "-flush_packets",
            "1",
        ])
        .arg(film)
        .stdin(Stdio::null())
        .spawn()?;
    Ok((Listener(child), url))
}

pub(crate) fn add(host: &mut Browser, url: &str, name: &str) -> Result<()> {
    host.fill("push-url", url)?;
    host.fill("push-name", name)?;
    host.click("push-submit")?;
    host.until("document.querySelector('[data-testid=push-url]').value === ''")
}

/// A script that is true when the push of this name is in this state.
pub(crate) fn is(name: &str, state: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-testid=push]')].some(push => push.dataset.state === '{state}' && \
         push.textContent.includes('{name}'))"
    )
}

// product: B3
#[test]
fn a_livestream_is_pushed_by_rtmp_and_srt_and_bad_targets_harm_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let nginx = Rtmp::start()?;
    // The same server over TLS, and a third behind a certificate by an authority that nobody knows.
    let (secure, forged) = (Stunnel::start(nginx.address)?, Stunnel::start(nginx.address)?);
    let authority = secure.authority();
    // And one of our own make, whose keys are its encoders' tokens.
    let own = format!("127.0.0.1:{}", tests::free_everywhere()?);
    let server = Server::start_with(&[
        ("HUITONG_WEB__RTMP", &format!("[\"{own}\"]")),
        ("HUITONG_PUSH__PRIVATE", "true"),
        ("HUITONG_PUSH__AUTHORITY", authority.to_str().context("a path")?),
    ])?;
    let srt_film = folder.path().join("srt.ts");
    let (mut listener, srt) = listen_by_srt(&srt_film)?;
    // One that takes connections and never says a word, and one that takes none.
    let mute = TcpListener::bind("127.0.0.1:0")?;
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;

    let mut host = Browser::start(HOST, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    host.click("more")?;
    host.click("open-pushes")?;
    add(&mut host, &format!("rtmp://{}/live/s3cret", nginx.address), "nginx")?;
    add(&mut host, &srt, "srt")?;
    let (stopping, stops) = listen_by_srt(&folder.path().join("stops.ts"))?;
    add(&mut host, &stops, "stops")?;
    add(&mut host, &format!("rtmp://{closed}/live/s3cret"), "closed")?;
    add(&mut host, &format!("rtmp://{}/live/s3cret", mute.local_addr()?), "mute")?;
    add(&mut host, &format!("rtmps://{}/live/secure", secure.address), "secure")?;
    add(&mut host, &format!("rtmps://{}/live/forged", forged.address), "forged")?;
    // Some that take no stream under this key: two hang up, one of them after it has asked somebody, and the third says so
    // (NetStream.Publish.BadName).
    add(&mut host, &format!("rtmp://{}/denied/s3cret", nginx.address), "denied")?;
    add(&mut host, &format!("rtmp://{}/asks/s3cret", nginx.address), "asks")?;
    let meeting = host.evaluate("window.huitong.state.meeting.id")?;
    add(&mut host, &format!("rtmp://{own}/{}/s3cret", meeting.as_str().unwrap_or_default()), "wrong")?;
    let live = ["nginx", "srt", "secure", "stops"].map(|name| (name, "live"));
    let away = ["closed", "mute", "forged"].map(|name| (name, "retrying"));
    let refused = ["denied", "asks", "wrong"].map(|name| (name, "refused"));
    for (name, state) in live.into_iter().chain(away).chain(refused) {
        host.until(&is(name, state)).with_context(|| format!("{name} is not {state}:\n{}", server.log()))?;
    }
    for (state, count, word) in [("retrying", 3, "Reconnecting"), ("refused", 3, "Check the stream URL and key")] {
        let of = format!("[...document.querySelectorAll('[data-testid=push][data-state={state}]')]");
        let words = host.evaluate(&format!("{of}.map(push => push.innerText)"))?;
        let words: Vec<_> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert!(words.len() == count && words.iter().all(|words| words.contains(word)), "{state}: {words:?}");
    }
    // One that is let go makes room for another, who rejects a word that isn't its own.
    host.click_at("[data-testid=push]:has-text('asks') [data-testid=push-stop]")?;
    let (locked, locks) = listen_by_srt_for(&folder.path().join("locked.ts"), "correct-horse")?;
    add(&mut host, &format!("{locks}?passphrase=wrong-s3cret"), "locked")?;
    host.until(&is("locked", "refused")).with_context(|| server.log())?;
    drop(locked);
    host.fill("push-url", "http://127.0.0.1/live/key")?;
    host.click("push-submit")?;
    host.see("[data-testid=push-problem]")?;
    host.hear(5)?;
    shows_the_host(&nginx.film("s3cret"))?;
    shows_the_host(&nginx.film("secure"))?;
    assert!(!nginx.film("forged").exists(), "it was sent to a server that nobody answers for");

    // One that stops reading harms nothing, and is left in the end.
    let stop = Command::new("kill").args(["-STOP", &stopping.0.id().to_string()]).status()?;
    assert!(stop.success(), "{stop}");
    // A server that goes and comes back is found again; the other one has noticed nothing.
    let address = nginx.address;
    drop(nginx);
    host.until(&is("nginx", "retrying"))?;
    let nginx = Rtmp::start_at(address)?;
    host.until(&is("nginx", "live"))?;
    host.hear(5)?;
    shows_the_host(&nginx.film("s3cret"))?;
    let again = seconds(&nginx.film("s3cret"))?;
    assert!(again > 2.0, "{again} s came after the restart");
    assert!(host.evaluate(&is("srt", "live"))?.as_bool() == Some(true), "srt has noticed");
    host.until(&is("stops", "retrying"))?;
    drop(stopping);
    host.see("[data-testid=broadcast][data-state=live]")?;

    // Who is away is asked again after 1, 2, 4 and then every 5 seconds, who refuses seldom; neither is ever said to be live.
    let (away, refused) = (["1s", "2s", "4s", "5s"].as_slice(), ["5s", "15s", "60s"].as_slice());
    for (target, waits) in [(closed.to_string(), away), (format!("{own}/"), refused)] {
        let log = server.log();
        let of_target = || log.lines().filter(|line| line.contains(&target));
        for wait in waits {
            let is_it = |line: &str| {
                line.contains("push failed and is tried again") && line.contains(&format!("\u{1b}[0m{wait}"))
            };
            assert!(of_target().any(is_it), "{target} is not tried again after {wait}:\n{log}");
        }
        assert!(!of_target().any(|line| line.contains("push is live")), "{target}:\n{log}");
    }

    // Its end is told to whoever listens; the key is nobody's business.
    let text = host.text("[data-testid=room]")?;
    assert!(!text.contains("s3cret"));
    host.evaluate("window.huitong.stopBroadcast()")?;
    host.miss("[data-testid=broadcast]")?;
    listener.0.wait()?;
    let whole = seconds(&srt_film)?;
    assert!(whole > 10.0, "{whole} s came by SRT");
    shows_the_host(&srt_film)?;
    assert!(!server.log().contains("s3cret"), "{}", server.log());
    Ok(())
}

// product: B3
#[tokio::test(flavor = "multi_thread")]
async fn pushing_is_the_hosts_and_goes_nowhere_inside_the_network() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let join = json!({"type": "join", "name": "主持人"});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&cookie)).await?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    let push = |url: &str| json!({"type": "start_push", "url": url, "name": null});
    let code = |answer: &Value| answer["problem"]["code"].as_str().unwrap_or("done").to_owned();

    let good = "rtmp://127.0.0.1/live/s3cret";
    assert_eq!(code(&host.command(push(good)).await?), "not_live");
    host.command(json!({"type": "start_broadcast"})).await?;
    assert_eq!(code(&guest.command(push(good)).await?), "not_allowed");
    for bad in ["", "rtmp://", "http://h/live/key", "file:///etc/passwd", "rtmp://h/live/a b"] {
        assert_eq!(code(&host.command(push(bad)).await?), "bad_push_url", "{bad:?}");
    }
    for (number, url) in [good, "srt://10.1.2.3:9000?streamid=s3cret", "rtmps://[::1]/live/s3cret"].iter().enumerate() {
        assert_eq!(code(&host.command(push(url)).await?), "done");
        let state = |message: &Value| message["event"]["broadcast"]["pushes"][number]["state"] == "not_allowed";
        let told = guest.next(state).await?;
        assert!(!told.to_string().contains("s3cret"), "{told}");
    }
    assert_eq!(code(&host.command(json!({"type": "stop_push", "push": 1})).await?), "done");
    assert_eq!(code(&host.command(json!({"type": "stop_push", "push": 1})).await?), "no_such_push");
    for _ in 0..8 {
        assert_eq!(code(&host.command(push(good)).await?), "done");
    }
    assert_eq!(code(&host.command(push(good)).await?), "too_many");
    host.command(json!({"type": "stop_broadcast"})).await?;
    assert!(!server.log().contains("s3cret"), "{}", server.log());
    Ok(())
}
