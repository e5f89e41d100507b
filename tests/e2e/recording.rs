//! A meeting's film, from the host's button to the file and the watch page.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tests::{Baresip, Browser, Client, Codec, Colour, Heard, PocketSphinx, Recogniser, S3, Server, User, http};

use crate::{
    watching::is_without_errors,
    web::{is_sound, segment},
};

const HOST: f32 = 700.0;
const PHONE: f32 = 1_600.0;

/// What `ffmpeg` makes of the film's sound.
fn sound(film: &Path) -> Result<Heard> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(film)
        .args(["-f", "f32le", "-ac", "1", "-ar", "48000", "-"])
        .stderr(Stdio::inherit())
        .output()?;
    Ok(Heard::of_bytes(&output.stdout))
}

/// Red, green and blue of the picture's middle, some seconds in.
fn middle(film: &Path, seconds: &str) -> Result<Vec<u8>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-ss", seconds, "-i"])
        .arg(film)
        .args(["-vf", "crop=iw/8:ih/8,scale=1:1", "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .stderr(Stdio::inherit())
        .output()?;
    Ok(output.stdout)
}

/// A player that plays a livestream until its end, into files.
struct Player {
    name: &'static str,
    process: Child,
    pictures: PathBuf,
    sound: PathBuf,
}

impl Player {
    fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Self> {
        let process = command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        let process = process.spawn().context("scripts/setup.sh test installs it")?;
        let file = |of: &str| folder.join(format!("{name}.{of}"));
        Ok(Self { name, process, pictures: file("pictures"), sound: file("sound") })
    }

    /// The colour of each picture so far, and what it sounded like.
    fn played(&self) -> Result<(Vec<[u8; 3]>, Heard)> {
        let pictures = std::fs::read(&self.pictures)?.as_chunks().0.to_vec();
        Ok((pictures, Heard::of_bytes(&std::fs::read(&self.sound)?)))
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// GStreamer by its own reader of playlists (`hlsdemux2`), with the middle of the picture. It plays on until it is dropped: that of Debian
/// 12 doesn't always see the end.
fn gstreamer(playlist: &str, folder: &Path) -> Result<Player> {
    let video = "videocrop left=480 right=480 top=270 bottom=270 ! videoconvertscale \
        ! video/x-raw,format=RGB,width=4,height=1 ! filesink buffer-mode=unbuffered location=gstreamer.pictures";
    let audio = "audioconvert ! audioresample ! audio/x-raw,format=F32LE,channels=1,rate=48000 \
        ! filesink buffer-mode=unbuffered location=gstreamer.sound";
    let mut command = Command::new("gst-launch-1.0");
    command.args(["-q", "playbin3", &format!("uri={playlist}")]);
    command.args([&format!("video-sink={video}"), &format!("audio-sink={audio}")]);
    Player::start("gstreamer", &mut command, folder)
}

fn ffmpeg(playlist: &str, folder: &Path) -> Result<Player> {
    // One that doesn't see the end is ended.
    let mut command = Command::new("timeout");
    command.args([
        "120",
        "ffmpeg",
        "-v",
        "error",
        "-nostdin",
        "-i",
        playlist,
        "-map",
        "0:v:0",
        "-vf",
        "crop=iw/8:ih/8,scale=1:1",
    ]);
    command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "ffmpeg.pictures", "-map", "0:a:0"]);
    command.args(["-f", "f32le", "-ac", "1", "-ar", "48000", "ffmpeg.sound"]);
    Player::start("ffmpeg", &mut command, folder)
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
        ("HUITONG_RECORDING__TRACKS", "true"),
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
        // Players that are no browsers have it too.
        let door = runtime.block_on(user.get(&format!("/meetings/by-number/{}", server.meeting)))?;
        let playlist = format!("http://{}/live/{}/index.m3u8", server.web, door["id"].as_str().context("an id")?);
        let players = (gstreamer(&playlist, folder.path())?, ffmpeg(&playlist, folder.path())?);
        host.click("more")?;
        host.click("toggle-recording")?;
        host.see("[data-testid=recording]")?;
        let running = runtime.block_on(user.get("/recordings"))?["items"][0].clone();
        let path = format!("/recordings/{}", running["id"].as_str().context("an id")?);
        let refused = runtime.block_on(user.ask(reqwest::Method::DELETE, &path, Value::Null, &[]))?;
        assert_eq!((refused.status, &refused.body["code"]), (409, &json!("still_recording")));
        // What a viewer writes stands in the meeting's chat until the host takes it away (B4).
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
            viewer.screenshot(&Path::new(&folder).join("captions.png"))?;
        }
        is_without_errors(&mut viewer)?;
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

        let (gstreamer, mut ffmpeg) = players;
        let ended = ffmpeg.process.wait()?;
        assert!(ended.success(), "ffmpeg ends with {ended}");
        for player in [gstreamer, ffmpeg] {
            let (name, (pictures, heard)) = (player.name, player.played()?);
            let last = pictures.last().with_context(|| format!("{name} shows nothing"))?;
            assert!(
                pictures.len() > 50 && last[0] > 120 && last[1] < 90,
                "{name} shows {} pictures, the last of {last:?}",
                pictures.len()
            );
            for hz in [HOST, PHONE] {
                let tone = heard.tone(hz, 2.0);
                assert!(tone > 0.05, "{name} plays {hz} Hz at {tone}");
            }
        }

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

        // Each voice is there by itself, as long as the film.
        let tracks = recording["tracks"].as_array().context("tracks")?;
        let names: Vec<_> = tracks.iter().filter_map(|track| track["name"].as_str()).collect();
        let own = if names.first() == Some(&"韩梅梅") { [HOST, PHONE] } else { [PHONE, HOST] };
        assert!(names.len() == 2 && names.contains(&"韩梅梅"), "{names:?}");
        for (track, [hz, other]) in tracks.iter().zip([own, [own[1], own[0]]]) {
            let url = format!("http://{}{}", server.web, track["file"].as_str().context("a file")?);
            let path = folder.path().join("track.ogg");
            runtime.block_on(async {
                let whole = http().get(&url).header("cookie", &user.cookie).send().await?;
                assert!(whole.status() == 200 && whole.headers()["content-type"] == "audio/ogg");
                let bytes = whole.bytes().await?;
                assert_eq!(track["bytes"].as_u64(), Some(bytes.len() as u64));
                std::fs::write(&path, bytes)?;
                let stranger = http().get(&url).send().await?;
                assert_eq!(stranger.status(), 401);
                anyhow::Ok(())
            })?;
            let heard = sound(&path)?;
            let (tone, others) = (heard.tone(hz, 3.0), heard.tone(other, 3.0));
            assert!(tone > 0.05 && others < 0.005, "{track}: {hz} Hz at {tone}, {other} Hz at {others}");
            let seconds = heard.samples().len() as f64 / 48e3;
            let lacks = recording["seconds"].as_f64().unwrap_or_default() - seconds;
            assert!(lacks.abs() < 0.2, "{track} has {seconds} s");
        }

        // The owner's page names whose they are.
        host.open(&format!("http://{}/", server.web))?;
        segment(&mut host, "meetings-period", "Recordings")?;
        host.until("document.querySelectorAll('[data-testid=recording-tracks] a').length === 2")?;
        if let Some(folder) = std::env::var_os("HUITONG_PICTURES") {
            host.screenshot(&Path::new(&folder).join("tracks.png"))?;
        }

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
        let names = ["1.ogg", "2.ogg", "mp4", "vtt"]
            .map(|ending| format!("{}.{ending}", recording["id"].as_str().unwrap_or_default()));
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
        host.click("recording-delete")?;
        // One click more has done nothing, nor has a second thought.
        host.see("[data-testid=confirm-cancel]")?;
        host.click("confirm-cancel")?;
        host.miss("[data-testid=confirm]")?;
        host.see("[data-testid=recording-item]")?;
        host.click("recording-delete")?;
        host.click("confirm")?;
        host.miss("[data-testid=recording-item]")?;
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

// product: C23, B6
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_costs_a_recording_two_seconds_at_most() -> Result<()> {
    const LOST_MAX: Duration = Duration::from_secs(2);
    // A fragment is written when it has a second; one of these is more than what precedes the first.
    const FRAGMENT: Duration = Duration::from_secs(1);
    const FRAGMENT_BYTES: u64 = 8_000;
    let server = Server::start_with(&[("HUITONG_WEBHOOKS__PRIVATE", "true")])?;
    let user = User::login(&server, "host").await?;
    let site = user.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let (url, webhooks) = receive()?;
    user.post(&format!("/sites/{site}/webhooks"), json!({"url": url, "events": ["recording.removed"]})).await?;
    let (server, lasted) = tokio::task::spawn_blocking(move || -> Result<_> {
        let mut host = Browser::start(HOST, Colour::Red)?;
        host.login(server.web, "host", "Huitong-2026")?;
        host.join(server.web, &server.meeting, "韩梅梅", "")?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.see("[data-testid=recording]")?;
        server.wait_for_file(".part.mp4", FRAGMENT_BYTES)?;
        let first = Instant::now();
        // Between two fragments.
        host.hear(7)?;
        let lasted = FRAGMENT + first.elapsed();
        let server = server.cut_power()?;
        server.wait_for_log("recording ready")?;
        Ok((server, lasted))
    })
    .await??;

    let user = User { web: server.web, cookie: user.cookie };
    let recording = user.get("/recordings").await?["items"][0].clone();
    assert_eq!(recording["state"], "ready", "{recording}");
    let file = format!("http://{}{}", server.web, recording["file"].as_str().context("a file")?);
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.mp4");
    let whole = http().get(&file).header("cookie", &user.cookie).send().await?;
    assert_eq!(whole.status(), 200);
    std::fs::write(&film, whole.bytes().await?)?;
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name:format=duration", "-of", "csv=p=0"])
        .arg(&film)
        .output()?;
    let (told, said) = (String::from_utf8_lossy(&probe.stdout), String::from_utf8_lossy(&probe.stderr));
    assert!(told.contains("h264") && told.contains("aac") && said.is_empty(), "{told} {said}");
    let seconds: f64 = told.lines().last().unwrap_or_default().parse().context(told.to_string())?;
    let lost = lasted.as_secs_f64() - seconds;
    assert!(lost <= LOST_MAX.as_secs_f64(), "{lost:.2} s of {lasted:?} are lost");
    assert!((recording["seconds"].as_f64().unwrap_or_default() - seconds).abs() < 0.2, "{recording}: {seconds} s");
    let tone = sound(&film)?.tone(HOST, 3.0);
    assert!(tone > 0.05, "{HOST} Hz is in the film at {tone}");
    let colour = middle(&film, "3")?;
    assert!(colour[0] > 120 && colour[1] < 90 && colour[2] < 90, "the host's camera is red: {colour:?}");

    // Where there is no room for it any more, it goes; nobody did it, and so it is told and written down.
    let server = server.restart_with(&[("HUITONG_WEBHOOKS__PRIVATE", "true"), ("HUITONG_RECORDING__QUOTA_GB", "0")])?;
    let user = User { web: server.web, cookie: user.cookie };
    let told = tokio::task::spawn_blocking(move || webhooks.recv_timeout(Duration::from_secs(60))).await?;
    let told = told.context("no webhook")?;
    let gone = &told["data"]["recording"];
    assert_eq!((&told["type"], &gone["reason"]), (&json!("recording.removed"), &json!("quota")), "{told}");
    assert_eq!((&gone["id"], &gone["title"]), (&recording["id"], &recording["title"]), "{told}");
    assert_eq!(user.get("/recordings").await?["items"], json!([]));
    let lines = user.get(&format!("/sites/{site}/audit")).await?;
    let id = recording["id"].as_str().context("an id")?;
    let is_it = |line: &Value| line["action"] == "recording.remove" && line["object"].to_string().contains(id);
    assert!(lines["items"].as_array().context("a list")?.iter().any(is_it), "{lines}");
    Ok(())
}

// product: C23
#[test]
fn what_was_recorded_and_never_live_is_played_in_the_page() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(HOST, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    host.click("more")?;
    host.click("toggle-recording")?;
    host.see("[data-testid=recording]")?;
    host.hear(6)?;
    host.click("more")?;
    host.click("toggle-recording")?;
    host.miss("[data-testid=recording]")?;
    server.wait_for_log("recording ready")?;
    host.open(&format!("http://{}/", server.web))?;
    segment(&mut host, "meetings-period", "Recordings")?;
    host.see("[data-testid=recording-item]")?;
    assert_eq!(
        host.evaluate("document.querySelectorAll('[data-testid=recording-item] a[href^=\"/watch\"]').length")?,
        0
    );
    host.click("recording-play")?;
    let film = "document.querySelector('[data-testid=recording-film]')";
    host.until(&format!("{film}?.readyState > 2 && Number.isFinite({film}.duration) && {film}.duration > 3"))?;
    // To and fro in it: that asks for parts of the file.
    host.evaluate(&format!("{film}.currentTime = {film}.duration - 1.5"))?;
    host.until(&format!("!{film}.seeking && {film}.currentTime > {film}.duration - 1.5"))?;
    host.evaluate(&format!("{film}.currentTime = 1"))?;
    host.until(&format!("!{film}.seeking && {film}.currentTime < 3"))?;
    host.see_colour("[data-testid=recording-film]", Colour::Red)?;
    is_sound(&mut host, "a recording that is played")?;
    host.press("Escape")?;
    host.miss("[data-testid=recording-film]")
}

// product: B5, B6, S8
#[tokio::test(flavor = "multi_thread")]
async fn a_livestream_that_begins_while_it_is_recorded_is_seen_again_at_its_address() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "host").await?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&user.cookie)).await?;
    let door = user.get(&format!("/meetings/by-number/{}", server.meeting)).await?;
    let id = door["id"].as_str().context("an id")?.to_owned();
    host.command(json!({"type": "start_recording"})).await?;
    let to_be = |state: &'static str| move |message: &Value| message["event"]["broadcast"]["state"] == state;
    server.wait_for_file(".part.mp4", 2_000)?;
    host.command(json!({"type": "start_broadcast"})).await?;
    host.next(to_be("live")).await?;
    let live = format!("http://{}/live/{id}", server.web);
    // Four seconds of it.
    let later = http().get(format!("{live}/video.m3u8?_HLS_msn=2")).send().await?;
    assert_eq!(later.status(), 200);
    host.command(json!({"type": "stop_broadcast"})).await?;
    host.command(json!({"type": "stop_recording"})).await?;
    let ready = async || -> Result<Vec<Value>> {
        let films = user.get("/recordings").await?["items"].as_array().cloned().unwrap_or_default();
        Ok(films.into_iter().filter(|film| film["state"] == "ready").collect())
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    let films = loop {
        let films = ready().await?;
        // What was said before the livestream is a film too, and not the public's.
        if films.len() >= 2 && films.iter().any(|film| film["watch"].is_string()) {
            break films;
        }
        assert!(Instant::now() < deadline, "{films:?}\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let public: Vec<&Value> = films.iter().filter(|film| film["watch"].is_string()).collect();
    let [film] = public[..] else { panic!("one is the livestream's: {films:?}") };
    assert_eq!(film["watch"], format!("/watch/{id}"));
    let seconds = film["seconds"].as_f64().unwrap_or_default();
    assert!(seconds > 2.0, "{seconds} s of the livestream are in its film");
    let told: Value = http().get(format!("http://{}/api/v1/broadcasts/{id}", server.web)).send().await?.json().await?;
    assert_eq!((&told["state"], &told["replay"]), (&"ended".into(), &format!("/live/{id}/replay.mp4").into()));

    // It may give way to a longer one at the same address; by its own it is the same for ever.
    let get = async |address: &str, range: &'static str| -> Result<(u16, Option<String>)> {
        let request = http().get(format!("http://{}{address}", server.web)).header("cookie", &user.cookie);
        let answer = request.header("range", range).send().await?;
        let cache = answer.headers().get("cache-control").map(|cache| cache.to_str().map(str::to_owned)).transpose()?;
        Ok((answer.status().as_u16(), cache))
    };
    let replay = format!("/live/{id}/replay.mp4");
    assert_eq!(get(&replay, "bytes=0-7").await?, (206, Some("private, no-cache".to_owned())));
    assert_ne!(get(&replay, "bytes=99999999-").await?.1.as_deref(), Some("private, no-cache"));
    let own = film["file"].as_str().context("a file")?;
    let request = http().head(format!("http://{}{own}", server.web)).header("cookie", &user.cookie);
    let named = request.send().await?.headers()["content-disposition"].to_str()?.to_owned();
    let day = film["start"].as_str().and_then(|start| start.parse::<jiff::Timestamp>().ok()).context("a start")?;
    let day = day.to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai")?).date();
    assert!(named.ends_with(&format!("%20{day}.mp4")), "it is kept by its topic and day: {named}");
    assert_eq!(get(own, "bytes=0-7").await?, (206, Some("private, max-age=3600".to_owned())));

    // Where a link is needed, its owner is told all of it here too.
    let set = json!({"access": "link"});
    let settings = user.ask(reqwest::Method::PUT, &format!("/meetings/{id}/watch"), set, &[]).await?.body;
    let films = ready().await?;
    let address = films.iter().find_map(|film| film["watch"].as_str()).context("an address")?;
    assert!(
        address.contains('#') && settings["link"].as_str().is_some_and(|link| link.ends_with(address)),
        "{address}"
    );
    Ok(())
}

// product: B8
#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_says_is_read_by_who_watches_with_a_recogniser_of_somebody_elses() -> Result<()> {
    // "Please enter the meeting password, followed by the pound key."
    let prompts = sipconf::Prompts::load()?;
    let mut speech = prompts.clip(sipconf::Language::EnUs, sipconf::Prompt::EnterPassword).samples().to_vec();
    speech.resize(speech.len() + 72_000, 0.0);
    let recogniser = PocketSphinx::start()?;
    let server = Server::start_with(&[
        ("HUITONG_CAPTIONS__URL", &format!("ws://{}", recogniser.address)),
        ("HUITONG_CAPTIONS__LANGUAGE", "en-US"),
    ])?;
    let user = User::login(&server, "host").await?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&user.cookie)).await?;
    host.command(json!({"type": "start_broadcast"})).await?;
    host.next(|message| message["event"]["broadcast"]["state"] == "live").await?;
    let door = user.get(&format!("/meetings/by-number/{}", server.meeting)).await?;
    let watch = format!("http://{}/watch/{}", server.web, door["id"].as_str().context("an id")?);
    tokio::task::spawn_blocking(move || {
        let mut caller = Baresip::start_speaking("13812345678", Codec::Opus, &speech)?;
        caller.dial(&server.meeting, server.sip, "udp")?;
        caller.enter(&server.password)?;
        let mut viewer = Browser::start(0.0, Colour::Green)?;
        viewer.open(&watch)?;
        viewer.see("[data-testid=watch-state][data-state=playing]")?;
        viewer.see("[data-testid=watch-captions]:not([hidden])")?;
        viewer.press("c")?;
        let reads = "[...document.querySelector('[data-testid=watch-video]').textTracks].some(track => \
             [...track.activeCues ?? []].some(cue => cue.text.includes('meeting password')))";
        viewer.until(reads).with_context(|| server.log())?;
        match std::env::var_os("HUITONG_PICTURES") {
            Some(folder) => viewer.screenshot(&Path::new(&folder).join("recognised.png")),
            None => Ok(()),
        }
    })
    .await?
}
