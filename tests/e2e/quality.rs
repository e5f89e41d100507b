//! What becomes of pictures and voices where the network is poor.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;
use tests::{Aiortc, Browser, Client, Colour, GREY, Line, Noise, Server, Sitter, Strait, User};

/// How soon it should be is measured, and told, and in virtual time asserted (`plane`); beside other work browsers take longer.
const PATIENCE: Duration = Duration::from_secs(40);

const HOST: f32 = 700.0;
const GUEST: f32 = 1_100.0;

/// The film's size and rate: the smallest that browsers send in three layers.
pub(crate) const WIDTH: usize = 960;
const HEIGHT: usize = 540;
pub(crate) const FPS: usize = 10;

/// What a narrow line carries, in bits per second.
const LINK: u64 = 1_000_000;

/// One look at the only picture the page receives, and at its voices.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    at_ms: f64,
    pub(crate) width: f64,
    pub(crate) frames: f64,
    pub(crate) frozen: f64,
    audio_packets: f64,
    audio_lost: f64,
}

pub(crate) const LOOK: &str = "void (() => {
    window.samples = [];
    const sum = (slots, of) => slots.reduce((all, slot) => all + slot[of], 0);
    setInterval(async () => {
      const { subscribe } = await window.huitong.getStats();
      const picture = subscribe.slots.find(({ kind, participant }) => kind === 'camera' && participant);
      const voices = subscribe.slots.filter(({ kind }) => kind === 'audio');
      if (picture) window.samples.push({
        atMs: Date.now(), width: picture.width, frames: picture.frames, frozen: picture.frozen,
        audioPackets: sum(voices, 'packets'), audioLost: sum(voices, 'lost'),
      });
    }, 100);
})()";

/// All samples since the last time: a page that is asked without a pause has less time for its picture.
fn samples(page: &mut Browser) -> Result<Vec<Sample>> {
    let taken = "new Promise(resolve => setTimeout(resolve, 200)).then(() => window.samples.splice(0))";
    Ok(serde_json::from_value(page.evaluate(taken)?)?)
}

fn now_ms() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1_000.0)
}

/// Waits until a sample is as wished; that one.
pub(crate) fn until(
    page: &mut Browser,
    what: &str,
    patience: Duration,
    wish: impl Fn(&Sample) -> bool,
) -> Result<Sample> {
    let deadline = Instant::now() + patience;
    let mut last = None;
    while Instant::now() < deadline {
        for sample in samples(page)? {
            if wish(&sample) {
                return Ok(sample);
            }
            last = Some(sample);
        }
    }
    bail!("{what}: not within {patience:?}, but {last:?}; {}", page.evaluate("window.huitong.getStats()")?)
}

/// All samples of so long a time.
pub(crate) fn watch(page: &mut Browser, time: Duration) -> Result<Vec<Sample>> {
    let end = now_ms()? + time.as_secs_f64() * 1_000.0;
    let mut seen = samples(page)?;
    let deadline = Instant::now() + 2 * time + Duration::from_secs(10);
    while seen.last().is_none_or(|last| last.at_ms < end) {
        seen.extend(samples(page)?);
        if Instant::now() > deadline {
            bail!("there is no picture: {:?}; {}", seen.last(), page.evaluate("window.huitong.getStats()")?);
        }
    }
    Ok(seen)
}

pub(crate) fn grown(seen: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    seen.last().map_or(0.0, &of) - seen.first().map_or(0.0, &of)
}

/// Two seconds of noise.
pub(crate) fn write_film(path: &Path, chroma: impl Fn(usize) -> [u8; 2]) -> Result<()> {
    Noise { width: WIDTH, height: HEIGHT, fps: FPS, frames: 2 * FPS, chroma }.write(path)
}

/// Counts the connections the page makes.
const COUNT: &str = "window.made = 0;
    const Connection = RTCPeerConnection;
    window.RTCPeerConnection = class extends Connection {
      constructor(...config) { super(...config); window.made += 1; }
    };";

/// A host whose camera shows the film, and a guest who only looks and listens.
struct Show {
    strait: Strait,
    host: Browser,
    guest: Browser,
    server: Server,
}

fn show() -> Result<Show> {
    let announced = format!("[\"{}\"]", Strait::ADDRESS);
    let server = Server::start_with(&[("HUITONG_MEDIA__ANNOUNCED", &announced), ("HUITONG_MEDIA__WORKERS", "1")])?;
    let strait = Strait::to(server.webrtc)?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.y4m");
    write_film(&film, |_| GREY)?;
    let mut host = Browser::start_with(HOST, &film, folder)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = Browser::start(GUEST, Colour::Green)?;
    guest.before_each_page(COUNT)?;
    guest.join(strait.pages(server.web)?, &server.meeting, "李雷", &server.password)?;
    guest.click("toggle-mic")?;
    guest.click("toggle-camera")?;
    guest.evaluate(LOOK)?;
    let shown = until(&mut guest, "the whole picture", Duration::from_secs(60), |s| s.width as usize == WIDTH)?;
    assert!(shown.frames > 0.0);
    Ok(Show { strait, host, guest, server })
}

// product: C19
#[test]
fn a_picture_is_as_large_as_it_is_shown_and_as_the_line_carries() -> Result<()> {
    let mut show = show()?;
    let (strait, host, guest) = (&show.strait, &mut show.host, &mut show.guest);
    guest.resize(900, 620)?;
    guest.click("toggle-layout")?;
    until(guest, "half the picture", PATIENCE, |s| s.width as usize == WIDTH / 2)?;

    strait.down.narrow(Some(300_000));
    let narrowed = now_ms()?;
    let small = until(guest, "the small picture", PATIENCE, |s| s.width as usize == WIDTH / 4)?;
    let took = small.at_ms - narrowed;
    let sent_before = small_sent(host)?;
    let poor = watch(guest, Duration::from_secs(5))?;
    let (lost, came) = (grown(&poor, |s| s.audio_lost), grown(&poor, |s| s.audio_packets));
    let (pictures, sent) = (grown(&poor, |s| s.frames), small_sent(host)? - sent_before);
    println!(
        "the small picture came after {took:.0} ms: {pictures} of {sent}; {lost} of {} packets of sound were lost",
        lost + came
    );
    // A browser leaves out many pictures of noise; of those it sends the last second's may be on their way. Of a picture that stood 3 to 13 of
    // 25 to 30 came, else 21 of 29 or more.
    if sent <= 4.0 || pictures < 0.6 * sent - 1.0 {
        let changes: Vec<_> = poor.chunk_by(|a, b| a.frames == b.frames).filter_map(|same| same.first()).collect();
        bail!("{pictures} pictures of {sent}: {changes:?}; {}", guests_network(&show.server)?);
    }
    assert!(came > 100.0 && lost <= 0.01 * came, "{lost} lost, {came} came");

    strait.down.narrow(None);
    let widened = now_ms()?;
    let back = until(guest, "the larger picture", PATIENCE, |s| s.width as usize == WIDTH / 2)?;
    println!("the larger picture came back after {:.0} ms", back.at_ms - widened);
    what_is_sent_fits_the_senders_line(strait, guest)?;
    all_see_whose_network_is_poor_until_it_is_good_again(&mut show)?;
    who_has_no_room_for_a_picture_reads_so_until_he_has(&mut show)?;
    what_is_on_another_page_is_not_sent(&mut show)
}

// product: C20
#[test]
fn over_a_narrow_line_a_screen_is_seen_before_a_camera() -> Result<()> {
    const SCREEN: &str = "window.huitong.getStats().then(({ subscribe }) =>
         subscribe.slots.find(({ kind, participant }) => kind === 'screen' && participant) ?? {})";
    let mut show = show()?;
    let (strait, host, guest) = (&show.strait, &mut show.host, &mut show.guest);
    host.click("share")?;
    host.click("toggle-screen")?;
    guest.see("[data-testid=screen-tile] video")?;
    let sizes = "window.huitong.getStats().then(({ publish }) => publish.tracks
         .filter(({ source, frames }) => source === 'screen' && frames > 0).map(({ width }) => width))";
    host.until(&format!("{sizes}.then(sizes => sizes.length === 2)"))?;
    let sizes: Vec<u32> = serde_json::from_value(host.evaluate(sizes)?)?;
    let [whole, half] = sizes[..] else { bail!("{sizes:?}") };
    assert_eq!(whole, 2 * half);
    let is_seen = |width: u32| format!("{SCREEN}.then(({{ width }}) => width === {width})");
    guest.until(&is_seen(whole))?;

    strait.down.narrow(Some(300_000));
    guest.until(&is_seen(half))?;
    let frames = |guest: &mut Browser| -> Result<f64> {
        let look = format!(
            "new Promise(resolve => setTimeout(resolve, 5_000)).then(() => {SCREEN}).then(({{ frames }}) => frames)"
        );
        guest.evaluate(&look)?.as_f64().context("frames")
    };
    let (before, after) = (frames(guest)?, frames(guest)?);
    println!("{} pictures of the screen in five seconds", after - before);
    assert!(after - before >= 8.0, "{before}, {after}: {}", guests_network(&show.server)?);
    let network = guests_network(&show.server)?;
    let kinds: Vec<_> = network["pictures"].as_array().context("pictures")?.iter().collect();
    assert!(kinds.iter().any(|picture| picture["kind"] == "screen" && picture["layer"] == 0), "{network}");

    strait.down.narrow(None);
    guest.until(&is_seen(whole))
}

#[test]
#[ignore = "make quality: browsers that encode beside other work freeze by themselves"]
fn a_line_of_one_megabit_is_not_overrun() -> Result<()> {
    let mut show = show()?;
    let (strait, guest) = (&show.strait, &mut show.guest);
    samples(guest)?;
    let (passed_before, dropped_before) = strait.down.counts();
    strait.down.narrow(Some(LINK));
    let (server, (stop, stopped)) = (&show.server, std::sync::mpsc::channel::<()>());
    let (seen, estimates) = std::thread::scope(|scope| -> Result<_> {
        let estimates = scope.spawn(move || estimates_until(server, &stopped));
        let seen = watch(guest, Duration::from_secs(30));
        drop(stop);
        let estimates = estimates.join().map_err(|_| anyhow::anyhow!("nobody asks the server"))?;
        Ok((seen?, estimates?))
    })?;
    let frozen = grown(&seen, |s| s.frozen);
    let (passed, dropped) = strait.down.counts();
    let (passed, dropped) = (passed - passed_before, dropped - dropped_before);
    let most = estimates.iter().copied().max().unwrap_or_default();
    println!("{frozen:.2} s frozen; {dropped} of {} datagrams had no room; at most {most} bit/s", passed + dropped);
    // From the moment it is narrow: what was on its way counts, and what is taken back for it.
    assert!(grown(&seen, |s| s.frames) > 150.0, "{seen:?}");
    let changes = seen.chunk_by(|a, b| a.width == b.width && a.frozen == b.frozen);
    let changes: Vec<_> = changes.filter_map(|same| same.first()).collect();
    assert!(frozen < 1.0, "{frozen} s: {changes:?}");
    assert!(dropped * 100 <= passed, "{dropped} had no room, {passed} had");
    assert!(estimates.len() > 20 && most <= LINK * 12 / 10, "{most} bit/s of {LINK}: {estimates:?}");
    Ok(())
}

/// How many pictures of the smallest size the page has sent.
fn small_sent(page: &mut Browser) -> Result<f64> {
    let sent = page.evaluate(&format!(
        "window.huitong.getStats().then(({{ publish }}) => publish.tracks
           .filter(({{ source, width }}) => source === 'camera' && width === {})
           .reduce((all, {{ frames }}) => all + frames, 0))",
        WIDTH / 4
    ))?;
    sent.as_f64().context("a number")
}

/// What the guest's line is taken to carry, five times a second, from three seconds on.
fn estimates_until(server: &Server, stopped: &std::sync::mpsc::Receiver<()>) -> Result<Vec<u64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let operator = runtime.block_on(User::login(server, "host"))?;
    let door = runtime.block_on(operator.get(&format!("/meetings/by-number/{}", server.meeting)))?;
    let path = format!("/meetings/{}/networks", door["id"].as_str().context("an id")?);
    let mut estimates = Vec::new();
    // Until then it is found out how narrow the line is.
    let _ = stopped.recv_timeout(Duration::from_secs(3));
    while stopped.recv_timeout(Duration::from_millis(200)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        let all = runtime.block_on(operator.get(&path))?;
        let items = all["items"].as_array().context("items")?;
        let guest = items.iter().find(|item| item["name"] == "李雷").with_context(|| all.to_string())?;
        estimates.extend(guest["estimate"].as_u64());
    }
    Ok(estimates)
}

/// The host's browser hears from us what of his comes through, and sends what fits.
#[expect(clippy::print_stdout, reason = "how well it did is told")]
fn what_is_sent_fits_the_senders_line(strait: &Strait, guest: &mut Browser) -> Result<()> {
    strait.up.narrow(Some(300_000));
    until(guest, "the small picture over the host's narrow line", PATIENCE, |s| s.width as usize == WIDTH / 4)?;
    let poor = watch(guest, Duration::from_secs(5))?;
    strait.up.narrow(None);
    let (lost, came) = (grown(&poor, |s| s.audio_lost), grown(&poor, |s| s.audio_packets));
    let pictures = grown(&poor, |s| s.frames);
    println!(
        "over the host's narrow line came {pictures} pictures; {lost} of {} packets of sound were lost",
        lost + came
    );
    // The film is noise, of which little fits: 14 to 26 of the 50 came, where a standing picture has one or two.
    assert!(pictures >= 8.0, "{pictures} pictures");
    assert!(came > 100.0 && lost <= 0.02 * came, "{lost} lost, {came} came, {pictures} pictures");
    until(guest, "the larger picture once it is wide", PATIENCE, |s| s.width as usize == WIDTH / 2)?;
    Ok(())
}

/// What the operator is told of the guest's network.
fn guests_network(server: &Server) -> Result<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let operator = User::login(server, "host").await?;
        let door = operator.get(&format!("/meetings/by-number/{}", server.meeting)).await?;
        let id = door["id"].as_str().context("an id")?;
        let all = operator.get(&format!("/meetings/{id}/networks")).await?;
        let items = all["items"].as_array().context("items")?;
        items.iter().find(|item| item["name"] == "李雷").cloned().with_context(|| all.to_string())
    })
}

/// The guest's page says so, and so does his tile at the host's; then no more.
fn all_see_whose_network_is_poor_until_it_is_good_again(show: &mut Show) -> Result<()> {
    const BANNER: &str = "[data-testid=network-poor]";
    const SIGN: &str = "[data-testid=tile][data-name=李雷] [data-testid=tile-network]";
    let Show { strait, host, guest, server } = show;
    guest.miss(BANNER).with_context(|| format!("{:?}", guests_network(server)))?;
    strait.down.lose(250);
    guest.see(BANNER)?;
    host.see(SIGN)?;
    let lossy = guests_network(server)?;
    assert_eq!(lossy["poor"], true);
    let loss = lossy["down"]["loss"].as_f64().with_context(|| lossy.to_string())?;
    assert!((0.08..0.5).contains(&loss), "{loss} of a quarter");
    assert!(lossy["down"]["bitrate"].as_u64().is_some_and(|rate| rate > 20_000), "{lossy}");
    assert!(lossy["round_trip_ms"].as_f64().is_some(), "{lossy}");
    assert_eq!(lossy["pictures"][0]["kind"], "camera", "{lossy}");
    strait.down.lose(0);
    guest.miss(BANNER).with_context(|| format!("{:?}", guests_network(server)))?;
    host.miss(SIGN)?;
    assert_eq!(guests_network(server)?["poor"], false);
    Ok(())
}

/// The picture stands still, and its tile says why.
fn who_has_no_room_for_a_picture_reads_so_until_he_has(Show { strait, guest, .. }: &mut Show) -> Result<()> {
    const PAUSED: &str = "[data-testid=tile][data-name=韩梅梅][data-paused] [data-testid=tile-paused]";
    guest.miss(PAUSED)?;
    strait.down.narrow(Some(60_000));
    guest.see(PAUSED)?;
    strait.down.narrow(None);
    guest.miss(PAUSED)?;
    until(guest, "the larger picture again", PATIENCE, |s| s.width as usize == WIDTH / 2)?;
    Ok(())
}

/// In the gallery of a narrow page six have room: who comes seventh is on the second one, where the host's picture is not.
fn what_is_on_another_page_is_not_sent(show: &mut Show) -> Result<()> {
    const PICTURES: &str = "window.huitong.getStats().then(({ subscribe }) => subscribe.slots
         .filter(({ kind }) => kind !== 'audio').reduce(([slots, bytes], slot) =>
           [slots + (slot.participant ? 1 : 0), bytes + slot.bytes], [0, 0]))";
    let Show { host, guest, server, .. } = show;
    // Who speaks would come along.
    host.click("toggle-mic")?;
    guest.until("window.huitong.state.speaking.every(id => id === window.huitong.state.you)")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut sitters = Vec::new();
    for n in 3..=7 {
        let join = json!({"type": "join", "name": format!("{n}"), "password": server.password});
        let client = runtime.block_on(Client::join(server.web, &server.meeting, join, None))?;
        let _running = runtime.enter();
        sitters.push(Sitter::new(client));
    }
    guest.resize(390, 844)?;
    guest.click_at("[aria-label='Next page']")?;
    guest.miss("[data-testid=tile][data-name=韩梅梅]")?;
    guest.until(&format!("{PICTURES}.then(([slots]) => slots === 0)"))?;
    let quiet = format!(
        "{PICTURES}.then(async ([, before]) => {{
           await new Promise(resolve => setTimeout(resolve, 2_000));
           return (await {PICTURES})[1] - before;
         }})"
    );
    // What was under way when the page was turned has come by then.
    guest.evaluate(&quiet)?;
    let bytes = guest.evaluate(&quiet)?;
    assert_eq!(bytes, 0, "of pictures that nobody looks at");
    guest.click_at("[aria-label='Previous page']")?;
    guest.until(&format!("{PICTURES}.then(([slots]) => slots === 1)"))?;
    let before = guest.evaluate(&format!("{PICTURES}.then(([, bytes]) => bytes)"))?;
    guest.until(&format!("{PICTURES}.then(([, bytes]) => bytes > {before} + 10_000)"))
}

/// How many milliseconds later sound is back.
#[expect(clippy::print_stdout, reason = "how soon it was is told")]
fn is_back_after_ten_seconds_without(lines: &[&Line], guest: &mut Browser) -> Result<f64> {
    lines.iter().for_each(|line| line.cut(true));
    guest.evaluate("new Promise(resolve => setTimeout(resolve, 10_000))")?;
    samples(guest)?;
    lines.iter().for_each(|line| line.cut(false));
    let back = now_ms()?;
    // Counters begin anew with a new connection: what comes is more than just before. Between two samples come five packets.
    let mut before: Option<Sample> = None;
    let deadline = Instant::now() + PATIENCE;
    loop {
        for sample in samples(guest)? {
            if before.is_some_and(|before| sample.audio_packets > before.audio_packets + 1.0) {
                println!("sound came back after {:.0} ms", sample.at_ms - back);
                return Ok(sample.at_ms - back);
            }
            before = Some(sample);
        }
        if Instant::now() > deadline {
            bail!("there is no sound; {}", guest.evaluate("window.huitong.getStats()")?);
        }
    }
}

// product: J6
#[test]
fn sound_is_back_by_itself_after_a_network_that_was_gone_for_ten_seconds() -> Result<()> {
    let mut show = show()?;
    let (strait, guest) = (&show.strait, &mut show.guest);
    let made = guest.evaluate("window.made")?;
    is_back_after_ten_seconds_without(&[&strait.up, &strait.down, &strait.words], guest)?;
    // Another one would have waited for the words, which come later.
    assert_eq!(guest.evaluate("window.made")?, made, "the connection that was is heard at once");
    guest.until("window.huitong.state.phase === 'joined'")?;
    is_back_after_ten_seconds_without(&[&strait.up, &strait.down], guest)?;

    // Of a voice's lost packets each has come again with the next (RFC 2198), where not both are lost.
    let (_, dropped_before) = strait.up.counts();
    strait.up.lose(100);
    let seen = watch(guest, Duration::from_secs(6))?;
    strait.up.lose(0);
    let (lost, came) = (grown(&seen, |s| s.audio_lost), grown(&seen, |s| s.audio_packets));
    let dropped = strait.up.counts().1 - dropped_before;
    println!("{lost} of {} packets of sound were lost, and {dropped} datagrams of all", lost + came);
    assert!(dropped > 20 && came > 200.0 && lost <= 0.04 * came, "{lost} lost, {came} came, {dropped} dropped");
    Ok(())
}

// product: J6, RFC 8445 §9
#[test]
fn a_way_that_is_dead_is_left_for_another_and_the_connection_goes_on() -> Result<()> {
    let mut show = show()?;
    let (strait, guest) = (&show.strait, &mut show.guest);
    let made = guest.evaluate("window.made")?;
    let before = *samples(guest)?.last().context("a sample")?;
    strait.forget();
    let forgotten = now_ms()?;
    // Of both pages all ways are dead; what was under way has come.
    let heard = |now: &Sample| now.at_ms > forgotten + 1_000.0 && now.audio_packets > before.audio_packets + 100.0;
    let back = until(guest, "sound by another way", PATIENCE, heard)?;
    println!("a second of sound had come again after {:.0} ms", back.at_ms - forgotten);
    let seen = until(guest, "a picture by another way", PATIENCE, |now| now.frames > back.frames + 5.0)?;
    assert_eq!(seen.width as usize, WIDTH);
    show.host.until("window.huitong.state.sending && window.huitong.state.receiving")?;
    let guest = &mut show.guest;
    guest.until("window.huitong.state.sending && window.huitong.state.receiving")?;
    assert_eq!(guest.evaluate("window.made")?, made, "no connection was begun anew");
    Ok(())
}

/// How many pictures of each width a viewer saw in so many seconds.
fn seen(viewer: &mut Aiortc, seconds: u32) -> Result<BTreeMap<usize, usize>> {
    let widths = viewer.ask(&format!("watch {seconds}"))?;
    let mut counts = BTreeMap::new();
    for width in widths.split(' ').filter_map(|width| width.parse().ok()) {
        *counts.entry(width).or_default() += 1;
    }
    Ok(counts)
}

/// Waits until he sees one; after how many seconds.
fn sees(viewer: &mut Aiortc, width: usize) -> Result<u64> {
    let (began, mut all) = (Instant::now(), Vec::new());
    while began.elapsed() < 3 * PATIENCE {
        let seen = seen(viewer, 1)?;
        if seen.contains_key(&width) {
            return Ok(began.elapsed().as_secs());
        }
        all.push(seen);
    }
    bail!("no picture {width} wide, but {all:?}")
}

/// A camera with the film, and who watches it by a player that says what his line carries and not when packets arrive.
#[expect(clippy::print_stdout, reason = "how well it did is told")]
fn who_says_what_comes_sees_what_his_line_carries(server: &Server, meeting: &str) -> Result<()> {
    let strait = Strait::to(server.webrtc)?;
    let folder = tempfile::tempdir()?;
    let film = folder.path().join("film.y4m");
    write_film(&film, |_| GREY)?;
    let mut camera = Browser::start_with(HOST, &film, folder)?;
    camera.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut viewer = Aiortc::start()?;
    assert_eq!(viewer.ask(&format!("whep http://{}/whep/{meeting} -", server.web))?, "created");
    sees(&mut viewer, WIDTH)?;
    // He begins to say so after three seconds.
    println!("on a good line: {:?}", seen(&mut viewer, 8)?);
    sees(&mut viewer, WIDTH)?;

    strait.down.narrow(Some(300_000));
    let took = sees(&mut viewer, WIDTH / 4)?;
    println!("the small picture came after {took} s");
    let poor = [seen(&mut viewer, 10)?, seen(&mut viewer, 10)?];
    println!("on a narrow line: {poor:?}");
    assert!(poor[1].get(&(WIDTH / 4)) >= Some(&30), "a hundred are sent: {poor:?}");
    Ok(())
}

// product: B5. draft-alvestrand-rmcat-remb-03
#[tokio::test(flavor = "multi_thread")]
#[ignore = "make quality: players that measure when packets arrive are misled by a busy machine"]
async fn who_watches_by_another_player_sees_what_his_line_carries() -> Result<()> {
    let announced = format!("[\"{}\"]", Strait::ADDRESS);
    let server = Server::start_with(&[("HUITONG_MEDIA__ANNOUNCED", &announced), ("HUITONG_MEDIA__WORKERS", "1")])?;
    let user = User::login(&server, "host").await?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&user.cookie)).await?;
    let id = host.joined["meeting"]["id"].as_str().context("an id")?.to_owned();
    host.command(json!({"type": "start_broadcast"})).await?;
    host.next(|message| message["event"]["broadcast"]["state"] == "live").await?;
    tokio::task::spawn_blocking(move || who_says_what_comes_sees_what_his_line_carries(&server, &id)).await?
}

/// The page takes no voice twice.
const NO_RED: &str = "const of = RTCRtpReceiver.getCapabilities;
    RTCRtpReceiver.getCapabilities = kind => {
      const all = of.call(RTCRtpReceiver, kind);
      return { ...all, codecs: all.codecs.filter(({ mimeType }) => mimeType !== 'audio/red') };
    };";

/// How many samples the page has heard, and how many of them were made up for what was lost.
const HEARD: &str = "(async () => {
    let [all, made] = [0, 0];
    for (const connection of window.connections) {
      for (const one of (await connection.getStats()).values()) {
        if (one.type !== 'inbound-rtp' || one.kind !== 'audio') continue;
        all += one.totalSamplesReceived;
        made += one.concealedSamples - one.silentConcealedSamples;
      }
    }
    return [all, made];
})()";

const KEEP: &str = "window.connections = [];
    const set = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function (description) {
      window.connections.push(this);
      return set.call(this, description);
    };";

// RFC 2198
#[test]
fn of_a_voice_that_is_lost_on_the_way_to_a_browser_hardly_anything_is_made_up() -> Result<()> {
    let announced = format!("[\"{}\"]", Strait::ADDRESS);
    let server = Server::start_with(&[("HUITONG_MEDIA__ANNOUNCED", &announced), ("HUITONG_MEDIA__WORKERS", "1")])?;
    let strait = Strait::to(server.webrtc)?;
    let mut host = Browser::start(HOST, Colour::Red)?;
    host.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    let mut pages = Vec::new();
    for (name, script) in [("李雷", KEEP.to_owned()), ("林涛", format!("{KEEP}{NO_RED}"))] {
        let mut page = Browser::start(GUEST, Colour::Green)?;
        page.before_each_page(&script)?;
        page.join(server.web, &server.meeting, name, &server.password)?;
        page.click("toggle-mic")?;
        page.click("toggle-camera")?;
        page.wait_to_hear(HOST)?;
        pages.push(page);
    }
    strait.down.lose(100);
    // It is reported, and from then on sent twice.
    pages[0].evaluate("new Promise(resolve => setTimeout(resolve, 7_000))")?;
    let heard = |pages: &mut Vec<Browser>| -> Result<Vec<[f64; 2]>> {
        pages.iter_mut().map(|page| Ok(serde_json::from_value(page.evaluate(HEARD)?)?)).collect()
    };
    let before = heard(&mut pages)?;
    pages[0].evaluate("new Promise(resolve => setTimeout(resolve, 30_000))")?;
    let after = heard(&mut pages)?;
    let made_up = |page: usize| (after[page][1] - before[page][1]) / (after[page][0] - before[page][0]);
    let (twice, once) = (made_up(0), made_up(1));
    println!("{:.1} % was made up of what came twice, {:.1} % of what came once", 100.0 * twice, 100.0 * once);
    // What comes late on a machine that does other things is made up for, too, and as much of it in either page: alone it is 1 % and 6 %, beside
    // four compilers it was 5 % and 9 %.
    assert!(once - twice > 0.03, "{twice} and {once}: {before:?}, {after:?}");
    Ok(())
}

// RFC 7587 §3.1.3
#[test]
fn an_open_microphone_into_which_nobody_speaks_sends_next_to_nothing() -> Result<()> {
    const SENT: &str = "window.huitong.getStats().then(({ publish }) =>
         publish.tracks.find(({ source }) => source === 'microphone').packets)";
    let server = Server::start()?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    page.until(&format!("!window.huitong.me.muted && {SENT}.then(packets => packets > 0)"))?;
    // Its encoder is sure of the silence after a fifth of a second.
    let sent = page.evaluate(&format!(
        "(async () => {{
           const later = ms => new Promise(resolve => setTimeout(resolve, ms));
           await later(1_000);
           const before = await {SENT};
           await later(4_000);
           return await {SENT} - before;
         }})()"
    ))?;
    println!("{sent} packets in four seconds");
    assert!(sent.as_u64().is_some_and(|sent| (1..50).contains(&sent)), "{sent} of 200");
    Ok(())
}

#[test]
#[ignore = "make quality: browsers that encode beside other work are late by themselves"]
fn a_picture_gives_way_within_a_second_and_sound_is_back_within_three() -> Result<()> {
    let mut show = show()?;
    let (strait, guest) = (&show.strait, &mut show.guest);
    strait.down.narrow(Some(300_000));
    let narrowed = now_ms()?;
    let small = until(guest, "the small picture", PATIENCE, |s| s.width as usize == WIDTH / 4)?;
    let poor = watch(guest, Duration::from_secs(10))?;
    strait.down.narrow(None);
    let widened = now_ms()?;
    let back = until(guest, "the whole picture", PATIENCE, |s| s.width as usize == WIDTH)?;
    let (took, back) = (small.at_ms - narrowed, back.at_ms - widened);
    let (lost, came) = (grown(&poor, |s| s.audio_lost), grown(&poor, |s| s.audio_packets));
    println!(
        "smaller after {took:.0} ms, whole after {back:.0} ms; {lost} of {} packets of sound were lost",
        lost + came
    );
    let away = is_back_after_ten_seconds_without(&[&strait.up, &strait.down, &strait.words], guest)?;
    guest.until("window.huitong.state.phase === 'joined'")?;
    let media_away = is_back_after_ten_seconds_without(&[&strait.up, &strait.down], guest)?;
    assert!(took < 1_000.0 && back < 10_000.0, "{took} ms, {back} ms");
    assert!(came > 400.0 && lost <= 0.01 * came, "{lost} lost, {came} came");
    assert!(away < 3_000.0 && media_away < 3_000.0, "{away} ms, {media_away} ms");
    Ok(())
}

#[test]
#[ignore = "make quality: browsers that encode beside other work freeze by themselves"]
fn loss_on_the_way_in_is_repaired() -> Result<()> {
    let mut show = show()?;
    let (strait, guest, host) = (&show.strait, &mut show.guest, &mut show.host);
    let encoded = |host: &mut Browser| -> Result<f64> {
        let largest = "window.huitong.getStats().then(({ publish }) => \
             publish.tracks.reduce((most, { width, frames }) => width > most.width ? { width, frames } : most).frames)";
        host.evaluate(largest)?.as_f64().context("frames")
    };
    strait.up.lose(50);
    samples(guest)?;
    let before = encoded(host)?;
    let seen = watch(guest, Duration::from_secs(90))?;
    let sent = encoded(host)? - before;
    let (decoded, frozen) = (grown(&seen, |s| s.frames), grown(&seen, |s| s.frozen));
    let (passed, dropped) = strait.up.counts();
    println!("{decoded} of {sent} pictures, {frozen:.2} s frozen; {dropped} of {} datagrams lost", passed + dropped);
    assert!(dropped > 120, "there was loss");
    // Nine hundred, of which two or three are on their way at either end.
    assert!(decoded >= 0.98 * sent, "{decoded} of {sent}");
    assert!(frozen < 0.5, "{frozen} s");
    Ok(())
}
