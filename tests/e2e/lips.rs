//! Lips and voice, from a browser's camera and microphone to the film.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tests::{Browser, Colour, Server, User, http};

/// Pictures a second that the film is looked at by.
const LOOKS: f64 = 100.0;

/// A camera that sees a flash each second, and a microphone that hears a beep with it.
const FLASHING: &str = "{
    // Called when it changes; between that a few pictures a second are enough.
    let [lit, draw] = [false, () => {}];
    navigator.mediaDevices.getUserMedia = async wanted => {
        const stream = new MediaStream();
        if (wanted.video) {
            const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
            const context = canvas.getContext('2d');
            draw = () => {
                context.fillStyle = lit ? '#fff' : '#042';
                context.fillRect(0, 0, 320, 180);
            };
            draw();
            setInterval(() => draw(), 100);
            stream.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
        }
        if (wanted.audio) {
            const context = new AudioContext({ latencyHint: 0 });
            const [hum, tone] = [context.createGain(), context.createOscillator()];
            const ear = context.createMediaStreamDestination();
            hum.gain.value = 0.02;
            tone.frequency.value = 1000;
            tone.connect(hum).connect(ear);
            tone.start();
            setInterval(() => {
                hum.gain.setValueAtTime(0.7, context.currentTime);
                lit = true;
                draw();
                setTimeout(() => {
                    hum.gain.setValueAtTime(0.02, context.currentTime);
                    lit = false;
                    draw();
                }, 300);
            }, 1000);
            stream.addTrack(ear.stream.getAudioTracks()[0]);
        }
        return stream;
    };
}";

/// What `ffmpeg` makes of the film.
fn decode(film: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    let output = command.args(["-v", "error", "-i"]).arg(film).args(arguments).arg("-").stderr(Stdio::inherit());
    Ok(output.output()?.stdout)
}

/// When it begins, in seconds, with so many looks a second.
fn rises(is_on: impl Iterator<Item = bool>, per_second: f64) -> Vec<f64> {
    let is_on: Vec<bool> = is_on.collect();
    let rises = is_on.windows(2).enumerate().filter(|(_, pair)| !pair[0] && pair[1]);
    rises.map(|(index, _)| (index + 1) as f64 / per_second).collect()
}

// product: B2, C23
#[tokio::test(flavor = "multi_thread")]
async fn lips_and_voice_stay_together_from_the_camera_to_the_film() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "host").await?;
    let folder = tempfile::tempdir()?;
    let server = tokio::task::spawn_blocking(move || -> Result<Server> {
        let mut host = Browser::start(700.0, Colour::Red)?;
        host.before_each_page(FLASHING)?;
        host.login(server.web, "host", "Huitong-2026")?;
        host.join(server.web, &server.meeting, "韩梅梅", "")?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.see("[data-testid=recording]")?;
        host.until("(window.began ??= performance.now()) + 10_000 < performance.now()")?;
        host.click("more")?;
        host.click("toggle-recording")?;
        host.miss("[data-testid=recording]")?;
        Ok(server)
    })
    .await??;

    let deadline = Instant::now() + Duration::from_secs(60);
    let recording = loop {
        let recording = user.get("/recordings").await?["items"][0].clone();
        if recording["state"] == "ready" {
            break recording;
        }
        if Instant::now() > deadline {
            bail!("{recording}: {}", server.log());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let file = recording["file"].as_str().context("a file")?;
    let film = folder.path().join("film.mp4");
    let bytes = http().get(format!("http://{}{file}", server.web)).header("cookie", &user.cookie).send().await?;
    std::fs::write(&film, bytes.bytes().await?)?;
    if let Some(folder) = std::env::var_os("HUITONG_PICTURES") {
        std::fs::copy(&film, Path::new(&folder).join("lips.mp4"))?;
    }

    let filters = format!("fps={LOOKS}:start_time=0,crop=iw/8:ih/8,scale=1:1");
    let pixels = decode(&film, &["-vf", &filters, "-f", "rawvideo", "-pix_fmt", "gray"])?;
    let flashes = rises(pixels.iter().map(|light| *light > 150), LOOKS);
    let sound = decode(&film, &["-af", "aresample=first_pts=0", "-f", "f32le", "-ac", "1", "-ar", "48000"])?;
    let sound: Vec<f32> = sound.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect();
    let peaks: Vec<f32> =
        sound.chunks(240).map(|window| window.iter().fold(0.0, |peak, of| of.abs().max(peak))).collect();
    let loudest = peaks.iter().copied().fold(0.0, f32::max);
    let beeps = rises(peaks.iter().map(|peak| *peak > loudest / 3.0), 200.0);
    let nearest = |flash: &f64| {
        beeps.iter().map(|beep| flash - beep).min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::MAX)
    };
    // The first second is that of a page which has just begun to film.
    let mut each: Vec<f64> = flashes.iter().filter(|time| **time > 1.5).map(nearest).collect();
    println!("pictures are {each:.3?} s behind the voice; flashes {flashes:.2?}, beeps {beeps:.2?}");
    assert!(each.len() >= 4, "flashes {flashes:?}, beeps {beeps:?}");
    each.sort_by(f64::total_cmp);
    let middle = each[each.len() / 2];
    assert!(middle.abs() <= 0.045, "pictures are {each:?} s behind the voice");
    Ok(())
}
