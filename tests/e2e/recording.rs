//! A meeting's film, from the host's button to the file and the watch page.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tests::{Baresip, Browser, Codec, Colour, Heard, Recogniser, S3, Server, User, http};

const HOST: f32 = 700.0;
const PHONE: f32 = 1_600.0;

/// What `ffmpeg` makes of the film's sound.
fn sound(film: &std::path::Path) -> Result<Heard> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(film)
        .args(["-f", "f32le", "-ac", "1", "-ar", "48000", "-"])
        .stderr(Stdio::inherit())
        .output()?;
    Ok(Heard::of_bytes(&output.stdout))
}

/// Red, green and blue of the picture's middle, some seconds in.
fn middle(film: &std::path::Path, seconds: &str) -> Result<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-ss", seconds, "-i"])
        .arg(film)
        .args(["-vf", "crop=iw/8:ih/8,scale=1:1", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .stderr(Stdio::inherit())
        .output()?;
    Ok(output.stdout)
}

/// Webhooks that come.
fn receive() -> Result<(String, mpsc::Receiver<Value>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let (came, coming) = mpsc::channel();
    let take = move |Json(body): Json<Value>| {
        // The test may have what it wants already.
        let _ = came.send(body);
        std::future::ready(())
    };
    let router = Router::new().route("/hook", post(take));
    tokio::spawn(async move { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await });
    Ok((url, coming))
}

/// A script that is true where these words stand in the picture.
const CAPTION: &str = "[...document.querySelector('[data-testid=watch-video]').textTracks].some(track => \
     [...track.activeCues ?? []].some(cue => cue.text.startsWith('大家好 <欢迎>') || cue.text.startsWith('大家好 &lt;欢迎&gt;')))";

// product: C23, B6, B8, S8
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_recorded_and_can_be_had_and_watched() -> Result<()> {
    // A storage that is away until the film is finished.
    let place = S3::place()?;
    let recogniser = Recogniser::start("大家好 <欢迎>").await?;
    let server = Server::start_with(&[
        ("HUITONG_CAPTIONS__URL", &format!("ws://{}", recogniser.address)),
        ("HUITONG_CAPTIONS__LANGUAGE", "zh-CN"),
        ("HUITONG_WEBHOOKS__PRIVATE", "true"),
        ("HUITONG_STORAGE__ENDPOINT", &format!("http://{place}")),
        ("HUITONG_STORAGE__BUCKET", S3::BUCKET),
        ("HUITONG_STORAGE__PREFIX", "huitong"),
        ("HUITONG_STORAGE__ACCESS_KEY", "us"),
        ("HUITONG_STORAGE__SECRET_KEY", "s3cret"),
    ])?;
    let user = User::login(&server, "host").await?;
    let site = user.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let (url, webhooks) = receive()?;
    let events = json!(["recording.ready"]);
    user.post(&format!("/sites/{site}/webhooks"), json!({"url": url, "events": events})).await?;
    let folder = tempfile::tempdir()?;
    let (_folder, film) = tokio::task::spawn_blocking(move || -> Result<_> {
        let runtime = tokio::runtime::Handle::current();
        let mut host = Browser::start(HOST, Colour::Red)?;
        host.login(server.web, "host", "Huitong-2026")?;
        host.join(server.web, &server.meeting, "韩梅梅", "")?;
        let mut phone = Baresip::start("13812345678", Codec::Pcma, PHONE)?;
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
        host.see("[data-testid=tile][data-via=phone]")?;
        host.click("start-broadcast")?;
        host.see("[data-testid=broadcast][data-state=live]")?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.see("[data-testid=recording]")?;
        // What a viewer writes stands in the meeting's chat until the host takes it away (B4).
        let door = runtime.block_on(user.get(&format!("/meetings/by-number/{}", server.meeting)))?;
        let url = format!("http://{}/live/{}/chat", server.web, door["id"].as_str().context("an id")?);
        let words = json!({"viewer": "f00d", "name": "观众甲", "text": "听得清楚"});
        assert_eq!(runtime.block_on(http().post(url).json(&words).send())?.status(), 200);
        host.click("toggle-chat")?;
        host.see("[data-testid=chat-message][data-from=观众甲]")?;
        host.click("chat-remove")?;
        host.miss("[data-testid=chat-message]")?;
        // Who watches reads what is said: after the recogniser had gone mad, and was hung up on.
        let watch = format!("http://{}/watch/{}", server.web, door["id"].as_str().context("an id")?);
        let mut viewer = Browser::start(1_100.0, Colour::Green)?;
        viewer.open(&watch)?;
        viewer.see("[data-testid=watch-state][data-state=playing]")?;
        viewer.see("[data-testid=watch-captions]:not([hidden])")?;
        assert_eq!(viewer.evaluate(CAPTION)?.as_bool(), Some(false), "nobody asked for them yet");
        viewer.press("c")?;
        viewer.until(CAPTION).context(server.log())?;
        if let Some(folder) = std::env::var_os("HUITONG_PICTURES") {
            viewer.screenshot(&std::path::Path::new(&folder).join("captions.png"))?;
        }
        let heard = recogniser.heard();
        for hz in [HOST, PHONE] {
            let tone = heard.tone(hz, 2.0);
            assert!(tone > 0.05, "the recogniser hears {hz} Hz at {tone}");
        }
        phone.listen(2.0)?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.miss("[data-testid=recording]")?;
        host.click("stop-broadcast")?;
        host.miss("[data-testid=broadcast]")?;

        // Whoever integrates is told; the owner fetches the film, whole and in part.
        let told = webhooks.recv_timeout(Duration::from_secs(60)).context("no webhook")?;
        assert_eq!(told["type"], "recording.ready", "{told}");
        let recording = runtime.block_on(user.get("/recordings"))?["items"][0].clone();
        assert_eq!((&recording["id"], &recording["state"]), (&told["data"]["recording"]["id"], &json!("ready")));
        let file = format!("http://{}{}", server.web, recording["file"].as_str().context("a file")?);
        let film = folder.path().join("film.mp4");
        runtime.block_on(async {
            let whole = http().get(&file).header("cookie", &user.cookie).send().await?;
            assert_eq!(whole.status(), 200);
            std::fs::write(&film, whole.bytes().await?)?;
            let part = http().get(&file).header("cookie", &user.cookie).header("range", "bytes=4-7").send().await?;
            assert_eq!((part.status().as_u16(), part.bytes().await?.as_ref()), (206, b"ftyp".as_slice()));
            let member = User::login(&server, "member").await?;
            for cookie in ["", &member.cookie] {
                let stranger = http().get(&file).header("cookie", cookie).send().await?;
                assert!([401, 404].contains(&stranger.status().as_u16()), "{}", stranger.status());
            }
            anyhow::Ok(())
        })?;

        // The storage comes: the film moves there, and is had from there as before.
        server.wait_for_log("the storage is away")?;
        let doctor = || -> Result<_> { Ok(String::from_utf8_lossy(&server.command(&["doctor"])?.stdout).into_owned()) };
        let away = doctor()?;
        assert!(away.lines().any(|line| line.starts_with("storage") && line.contains("NOT WELL")), "{away}");
        assert_eq!(runtime.block_on(server.counted("streaming_storage_waiting", "recordings"))?, 1);
        let s3 = S3::start_at(place)?;
        runtime.block_on(s3.make_bucket())?;
        server.wait_for_log("recording moved to the storage")?;
        let back = doctor()?;
        assert!(back.lines().any(|line| line.starts_with("storage") && line.contains("takes")), "{back}");
        let names = ["mp4", "vtt"].map(|ending| format!("{}.{ending}", recording["id"].as_str().unwrap_or_default()));
        assert_eq!(runtime.block_on(s3.names())?, names.clone().map(|name| format!("huitong/recordings/{name}")));
        assert!(names.iter().all(|name| !server.file_names().is_ok_and(|files| files.contains(name))), "on the disk");
        runtime.block_on(async {
            let get =
                |range: &'static str| http().get(&file).header("cookie", &user.cookie).header("range", range).send();
            assert_eq!(get("").await?.bytes().await?, std::fs::read(&film)?);
            let part = get("bytes=4-7").await?;
            assert_eq!((part.status().as_u16(), part.bytes().await?.as_ref()), (206, b"ftyp".as_slice()));
            anyhow::Ok(())
        })?;

        // Where the livestream was, the film is.
        let watch = recording["watch"].as_str().context("a watch page")?;
        viewer.open(&format!("http://{}{watch}", server.web))?;
        viewer.until(
            "(() => { const video = document.querySelector('[data-testid=watch-video]'); \
             return video && video.readyState > 2 && video.duration > 4 && Number.isFinite(video.duration) })()",
        )?;
        viewer.click("watch-captions")?;
        viewer.evaluate("document.querySelector('[data-testid=watch-video]').currentTime = 3")?;
        viewer.until(CAPTION)?;
        let said = format!("http://{}{}", server.web, recording["captions"].as_str().context("captions")?);
        let said = runtime.block_on(async {
            anyhow::Ok(http().get(said).header("cookie", &user.cookie).send().await?.text().await?)
        })?;
        assert!(said.starts_with("WEBVTT\n\n00:00:") && said.contains("大家好 &lt;欢迎&gt; "), "{said}");
        let removed = runtime.block_on(user.ask(
            reqwest::Method::DELETE,
            &format!("/recordings/{}", recording["id"].as_str().unwrap_or_default()),
            Value::Null,
            &[],
        ))?;
        assert_eq!(removed.status, 204);
        assert!(runtime.block_on(user.get("/recordings"))?["items"].as_array().is_some_and(Vec::is_empty));
        server.until_counted("streaming_storage_waiting", "recordings", 0)?;
        assert!(runtime.block_on(s3.names())?.is_empty(), "it is removed there too");
        assert!(!server.log().contains("s3cret"), "{}", server.log());
        Ok((folder, film))
    })
    .await??;

    let heard = sound(&film)?;
    for hz in [HOST, PHONE] {
        let tone = heard.tone(hz, 3.0);
        assert!(tone > 0.05, "{hz} Hz is in the film at {tone}");
    }
    let colour = middle(&film, "3")?;
    assert!(colour[0] > 120 && colour[1] < 90 && colour[2] < 90, "the host's camera is red: {colour:?}");
    Ok(())
}
