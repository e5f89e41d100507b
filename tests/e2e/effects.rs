//! What the browser does to one's picture and sound before they are sent, measured in what it sends.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tests::{Browser, Colour, Server, by_id};

use crate::pictures::ffmpeg;

/// A quarter of a minute of somebody speaking.
const VOICE: &str = "../sipconf/prompts/en-US/help.opus";

const NOISE: &str = "anoisesrc=color=pink:amplitude=0.2:r=48000:d=10";

/// A person before a wall of fine stripes.
fn person_before_stripes(path: &Path) -> Result<()> {
    let person = "lt(hypot(X-480,Y-200),92)+lt(hypot((X-480)/1.5,Y-560),230)";
    let filter = format!(
        "color=c=gray:s=960x540:r=15:d=1,format=yuv420p,geq=\
         lum='if(gt({person},0),150-60*gt(hypot(X-445,Y-185),0)*lt(hypot(X-445,Y-185),10)-60*lt(hypot(X-515,Y-185),10)-40*lt(hypot((X-480)/2.5,Y-240),12),if(lt(mod(X,16),8),40,215))':\
         cb='if(gt({person},0),112,128)':cr='if(gt({person},0),150,128)'"
    );
    ffmpeg(&["-f", "lavfi", "-i", &filter], path)
}

/// How much neighbouring pixels differ, in the mean, in an upper corner of the next picture: 0 to 255. While one film gives way to
/// another there is none.
fn sharpness(page: &mut Browser) -> Result<f64> {
    page.until("document.querySelector('[data-testid=preview]')?.videoWidth > 0")?;
    let found = page.evaluate(
        "(() => {
           const video = document.querySelector('[data-testid=preview]');
           if (!video?.videoWidth) return -1;
           const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
           const context = canvas.getContext('2d');
           context.drawImage(video, 0, 0);
           const { data } = context.getImageData(0, 0, canvas.width / 5, canvas.height / 3);
           const width = Math.floor(canvas.width / 5);
           let sum = 0, count = 0;
           for (let at = 0; at + 4 < data.length; at += 4) {
             if ((at / 4 + 1) % width === 0) continue;
             sum += Math.abs(data[at] - data[at + 4]);
             count++;
           }
           return sum / count;
         })()",
    )?;
    found.as_f64().context("a number")
}

// product: J5
#[test]
fn the_background_is_blurred_and_comes_back() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("stripes.y4m");
    person_before_stripes(&film)?;
    let mut page = Browser::start_with(0.0, &film, folder)?;
    page.open(&format!("http://{}/j/{}#p={}", server.web, server.meeting, server.password))?;
    page.fill("join-name", "李雷")?;
    page.click("join-submit")?;
    let plays = "document.querySelector('[data-testid=preview]')?.readyState > 2";
    page.until(plays)?;
    let sharp = sharpness(&mut page)?;
    assert!(sharp > 8.0, "the stripes are seen: {sharp}");
    page.click("device-blur")?;
    // The picture is made anew, by a model that has to be fetched first.
    page.until(plays)?;
    let mut blurred = sharp;
    for _ in 0..60 {
        page.until("new Promise(done => document.querySelector('[data-testid=preview]').requestVideoFrameCallback(() => done(true)))")?;
        blurred = sharpness(&mut page)?;
        if (0.0..sharp / 4.0).contains(&blurred) {
            break;
        }
    }
    println!("neighbouring pixels of the wall differ by {sharp:.1}, blurred by {blurred:.1}");
    assert!((0.0..sharp / 4.0).contains(&blurred), "the wall is out of focus: {sharp} before, {blurred} after");
    page.click("device-blur")?;
    page.until(plays)?;
    for _ in 0..60 {
        page.until("new Promise(done => document.querySelector('[data-testid=preview]').requestVideoFrameCallback(() => done(true)))")?;
        blurred = sharpness(&mut page)?;
        if blurred > sharp * 0.8 {
            return Ok(());
        }
    }
    bail!("the wall stays out of focus: {sharp} before, {blurred} after")
}

/// Loudness of what a page sends as its sound: the root mean square a twelfth of a second of it has that is louder than two in three.
/// A filter that still learns, or a browser that was kept waiting and clicks, spoils a few and thereby nothing.
fn sent_level(page: &mut Browser, seconds: u32) -> Result<f64> {
    let found = page.evaluate(&format!(
        "new Promise(async done => {{
           const context = new AudioContext({{ sampleRate: 48000 }});
           await context.resume();
           const source = context.createMediaStreamSource(new MediaStream([window.huitong.track('microphone')]));
           const ear = context.createScriptProcessor(4096, 1, 1);
           const levels = [];
           ear.onaudioprocess = ({{ inputBuffer }}) => {{
             const samples = inputBuffer.getChannelData(0);
             levels.push(Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length));
             if (levels.length * samples.length < {seconds} * 48000) return;
             ear.onaudioprocess = null;
             void context.close();
             done(levels.sort((a, b) => a - b)[Math.floor(levels.length * 2 / 3)]);
           }};
           source.connect(ear).connect(context.destination);
         }})"
    ))?;
    found.as_f64().context("a number")
}

/// Comes in with a microphone that hears this, as ffmpeg makes it, over and over.
fn join_hearing(server: &Server, args: &[&str]) -> Result<Browser> {
    let folder = tempfile::tempdir()?;
    let (sound, film) = (folder.path().join("sound.wav"), folder.path().join("film.y4m"));
    ffmpeg(args, &sound)?;
    ffmpeg(&["-f", "lavfi", "-i", "color=c=blue:s=320x180:r=5:d=1", "-pix_fmt", "yuv420p"], &film)?;
    let mut page = Browser::start_hearing(&sound, &film, folder)?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    Ok(page)
}

/// What is sent of a sound as it is, and with the suppression of noise.
fn with_and_without(server: &Server, args: &[&str]) -> Result<(f64, f64)> {
    let mut page = join_hearing(server, args)?;
    let before = sent_level(&mut page, 4)?;
    page.evaluate("void (window.before = window.huitong.track('microphone'))")?;
    page.click("more")?;
    page.click("open-devices")?;
    page.click("device-denoise")?;
    page.until("window.huitong.track('microphone') && window.huitong.track('microphone') !== window.before")?;
    Ok((before, sent_level(&mut page, 4)?))
}

// product: J5
#[test]
fn noise_is_taken_out_of_the_microphone_and_voices_are_left() -> Result<()> {
    let server = Server::start()?;
    let (before, after) = with_and_without(&server, &["-f", "lavfi", "-i", NOISE, "-ac", "1"])?;
    println!("noise is sent at {before:.4}, with suppression at {after:.5}");
    assert!(before > 0.01, "the noise is heard: {before}");
    // As it begins, the filter settles at 11, at 16 or at 40 dB less of a steady noise.
    assert!(after < before / 3.0, "9 dB less of the noise: {before} before, {after} after");

    let greeting = Path::new(env!("CARGO_MANIFEST_DIR")).join(VOICE);
    let voice = greeting.to_string_lossy();
    let (before, after) = with_and_without(&server, &["-i", &voice, "-ac", "1", "-ar", "48000"])?;
    println!("a voice is sent at {before:.4}, with suppression at {after:.4}");
    assert!(after > before / 2.0, "the voice is left: {before} before, {after} after");
    Ok(())
}

// product: C20
#[test]
fn soft_passages_of_a_shared_film_are_no_silence() -> Result<()> {
    let server = Server::start()?;
    let mut sharer = join_hearing(&server, &["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-t", "5"])?;
    // A voice is sent while somebody speaks; a film as long as it is shared, whatever it plays.
    let packets = |is_all: bool| {
        let bound = if is_all { "> 80" } else { "< 30" };
        format!(
            "(async () => {{
               const sent = async () => {{
                 const {{ tracks }} = (await window.huitong.getStats()).publish;
                 return tracks.find(({{ source }}) => source === 'microphone').packets;
               }};
               const before = await sent();
               await new Promise(done => setTimeout(done, 2000));
               return (await sent()) - before {bound};
             }})()"
        )
    };
    sharer.until(&packets(false))?;
    sharer.click("share")?;
    sharer.click("toggle-screen")?;
    sharer.until("window.huitong.track('screen')")?;
    sharer.until(&packets(true))?;
    sharer.click("stop-sharing")?;
    sharer.until(&packets(false))
}

// product: C20
#[test]
fn a_shared_screen_is_heard_as_well_as_seen() -> Result<()> {
    let server = Server::start()?;
    let mut viewer = Browser::start(0.0, Colour::Blue)?;
    viewer.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    // Of this browser screen and microphone play the same recording, from different places: two noises of one loudness
    // together are 3 dB louder than one.
    let mut sharer = join_hearing(&server, &["-f", "lavfi", "-i", NOISE, "-ac", "1"])?;
    let (alone, heard_alone) = (sent_level(&mut sharer, 3)?, viewer.hear(3)?.level(0.5, 3.0));
    let share = |page: &mut Browser| -> Result<()> {
        page.click("share")?;
        page.click("toggle-screen")?;
        page.until("window.huitong.track('screen')")
    };
    share(&mut sharer)?;
    viewer.see(&format!("{} video", by_id("screen-tile")))?;
    let (both, heard_both) = (sent_level(&mut sharer, 3)?, viewer.hear(3)?.level(0.5, 3.0));
    println!(
        "a voice alone is sent at {alone:.4} and heard at {heard_alone:.4}, with a screen {both:.4} and {heard_both:.4}"
    );
    assert!(both > alone * 1.25, "the screen's sound is sent too: {alone} alone, {both} with it");
    assert!(heard_both > heard_alone * 1.2, "and heard: {heard_alone} alone, {heard_both} with it");

    // Whoever is muted is so with all that he shares, and is told so when he begins.
    sharer.click("toggle-mic")?;
    sharer.until("window.huitong.me.muted")?;
    viewer.until("window.huitong.state.participants.find(one => one.name === '李雷').muted")?;
    let heard = viewer.hear(2)?.level(0.5, 2.0);
    assert!(heard < heard_alone / 30.0, "a muted screen is heard at {heard}");
    sharer.click("stop-sharing")?;
    viewer.miss(&by_id("screen-tile"))?;
    share(&mut sharer)?;
    sharer.see("[data-notice=sound_muted]")?;
    viewer.see(&format!("{} video", by_id("screen-tile")))?;
    let heard = viewer.hear(2)?.level(0.5, 2.0);
    assert!(heard < heard_alone / 30.0, "a muted screen is heard at {heard}");
    sharer.click("notice-accept")?;
    viewer.until("!window.huitong.state.participants.find(one => one.name === '李雷').muted")?;
    let heard = viewer.hear(3)?.level(0.5, 3.0);
    assert!(heard > heard_alone / 2.0, "it is heard again: {heard}");
    Ok(())
}
