//! The watch page in a viewer's hands: before it begins, on a telephone, going back, choosing, and without scripts' help.

use std::process::Command;

use anyhow::{Context, Result};
use tests::{Browser, Colour, Devices, PASSWORD, Server, by_id};

use crate::web::{is_sound, segment};

pub(crate) const VIDEO: &str = "document.querySelector('[data-testid=watch-video]')";

/// Where the player is and what it has, for the word of a story that fails.
fn how_it_plays(viewer: &mut Browser) -> String {
    let ranges = |of: &str| {
        format!("[...Array({VIDEO}.{of}.length).keys()].map(i => [{VIDEO}.{of}.start(i), {VIDEO}.{of}.end(i)])")
    };
    let state = format!(
        "({{ at: {VIDEO}.currentTime, ready: {VIDEO}.readyState, paused: {VIDEO}.paused, seeking: {VIDEO}.seeking, \
         buffered: {}, seekable: {} }})",
        ranges("buffered"),
        ranges("seekable")
    );
    viewer.evaluate(&state).map_or_else(|error| error.to_string(), |state| state.to_string())
}

/// The page's console has no error on it.
pub(crate) fn is_without_errors(viewer: &mut Browser) -> Result<()> {
    let is_error = |line: &String| line.starts_with("error") || line.starts_with("thrown");
    let errors: Vec<_> = viewer.said()?.into_iter().filter(is_error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    Ok(())
}

/// A host who is live, and the watch page's address.
pub(crate) fn live(server: &Server) -> Result<(Browser, String)> {
    let mut host = Browser::start(700.0, Colour::Red)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    let watch = host.watch_address()?;
    Ok((host, watch))
}

// product: B1, B6
#[test]
fn a_viewer_goes_back_comes_to_the_edge_again_and_chooses() -> Result<()> {
    let server = Server::start()?;
    let (_host, watch) = live(&server)?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.resize(360, 740)?;
    viewer.open(&watch)?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;
    // How many watch, and how many at most, is read on a telephone too.
    viewer.until("document.querySelector('[data-testid=watch-viewers]').innerText === '1 watching · peak 1'")?;
    assert_eq!(viewer.evaluate("document.documentElement.scrollWidth")?, 360, "it fits a narrow phone");
    is_sound(&mut viewer, "the livestream on a telephone")?;
    viewer.resize(1440, 900)?;

    // Back, and it goes on from there.
    viewer
        .until(&format!("{VIDEO}.seekable.length > 0 && {VIDEO}.seekable.end(0) - {VIDEO}.seekable.start(0) > 24"))?;
    viewer.see("[data-testid=watch-live][data-edge=true]")?;
    let from = viewer.evaluate(&format!("window.from = {VIDEO}.currentTime"))?.as_f64().unwrap_or_default();
    for _ in 0..2 {
        viewer.press("j")?;
        viewer.see("[data-testid=watch-live][data-edge=false]")?;
        let seeks = viewer.until(&format!("!{VIDEO}.seeking && {VIDEO}.currentTime > 0"));
        seeks.with_context(|| how_it_plays(&mut viewer))?;
    }
    viewer.until("document.querySelector('[data-testid=watch-time]').innerText.startsWith('−')")?;
    let back = viewer.evaluate(&format!("{VIDEO}.currentTime"))?.as_f64().unwrap_or_default();
    assert!(back < from - 10.0, "{back} s, from {from} s");
    viewer.until(&format!("{VIDEO}.currentTime > {} && {VIDEO}.currentTime < from", back + 1.0))?;
    viewer.see("[data-testid=watch-live][data-edge=false]")?;
    viewer.click("watch-live")?;
    viewer.see("[data-testid=watch-live][data-edge=true]")?;
    viewer.until(&format!("{VIDEO}.currentTime > from"))?;
    // The same by the bar and by a key, though the bar has the focus then.
    let begin = viewer.evaluate("document.querySelector('[data-testid=watch-seek]').min")?;
    let second: f64 = begin.as_str().unwrap_or_default().parse::<f64>()?.ceil() + 1.0;
    viewer.fill("watch-seek", &second.to_string())?;
    viewer.see("[data-testid=watch-live][data-edge=false]")?;
    viewer.until(&format!("Math.abs({VIDEO}.currentTime - {second}) < 6"))?;
    for _ in 0..6 {
        viewer.press("l")?;
    }
    viewer.see("[data-testid=watch-live][data-edge=true]")?;

    // A smaller picture where one is wished for, and the best again.
    let options = "[...document.querySelector('[data-testid=watch-quality]').options]";
    viewer.until(&format!("{options}.some(one => one.text === '360p')"))?;
    let small = viewer.evaluate(&format!("{options}.find(one => one.text === '360p').value"))?;
    viewer.choose("watch-quality", small.as_str().unwrap_or_default())?;
    viewer.until(&format!("{VIDEO}.videoHeight === 360"))?;
    let large = viewer.evaluate(&format!("{options}.find(one => one.text === '720p').value"))?;
    viewer.choose("watch-quality", large.as_str().unwrap_or_default())?;
    viewer.until(&format!("{VIDEO}.videoHeight === 720"))?;
    viewer.choose("watch-quality", "-1")?;
    is_without_errors(&mut viewer)
}

// product: B6
#[test]
fn who_was_away_for_longer_than_is_kept_goes_on_with_the_oldest_there_is_and_reads_so() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_LIVESTREAM__WINDOW_MINUTES", "0")])?;
    let (_host, watch) = live(&server)?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.open(&watch)?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;
    viewer.until(&format!("{VIDEO}.currentTime > 1"))?;
    viewer.press("k")?;
    viewer.until(&format!("{VIDEO}.paused"))?;
    // What he saw last goes away, and then what was fetched ahead.
    for by in [10, 20, 30, 40, 50, 60] {
        viewer.until(&format!("{VIDEO}.seekable.end(0) - {VIDEO}.currentTime > {by}"))?;
    }
    // Half a minute is kept.
    let is_gone = format!("{VIDEO}.seekable.end(0) - {VIDEO}.buffered.end({VIDEO}.buffered.length - 1) > 40");
    viewer.until(&is_gone).with_context(|| how_it_plays(&mut viewer))?;
    viewer.press("k")?;
    viewer.see("[data-testid=watch-note]:not([hidden])")?;
    let words = viewer.text("[data-testid=watch-note]")?;
    assert!(words.contains("from the earliest point"), "{words}");
    viewer.until(&format!("!{VIDEO}.paused && !{VIDEO}.seeking && {VIDEO}.readyState > 2"))?;
    if let Some(folder) = std::env::var_os("HUITONG_PICTURES") {
        viewer.screenshot(&std::path::Path::new(&folder).join("missed.png"))?;
    }
    viewer.see("[data-testid=watch-live][data-edge=false]")?;
    let behind = format!("{VIDEO}.seekable.end(0) - {VIDEO}.currentTime");
    let behind = viewer.evaluate(&behind)?.as_f64().unwrap_or_default();
    assert!(behind > 15.0, "{behind} s behind the newest: {}", how_it_plays(&mut viewer));
    // And it plays from there.
    let from = viewer.evaluate(&format!("{VIDEO}.currentTime"))?.as_f64().unwrap_or_default();
    viewer.until(&format!("{VIDEO}.currentTime > {} && {VIDEO}.currentTime < {}", from + 2.0, from + 8.0))?;
    // Read, it goes.
    viewer.miss("[data-testid=watch-note]:not([hidden])")
}

// product: B4
#[test]
fn keys_do_what_they_do_in_other_players() -> Result<()> {
    let server = Server::start()?;
    let (_host, watch) = live(&server)?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.open(&watch)?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;
    for key in ["k", " "] {
        viewer.press(key)?;
        viewer.until(&format!("{VIDEO}.paused"))?;
        viewer.press(key)?;
        viewer.until(&format!("!{VIDEO}.paused"))?;
    }
    let is_muted = viewer.evaluate(&format!("{VIDEO}.muted"))?.as_bool().unwrap_or_default();
    for is_muted in [!is_muted, is_muted] {
        viewer.press("m")?;
        viewer.until(&format!("{VIDEO}.muted === {is_muted}"))?;
    }
    viewer.press("ArrowDown")?;
    viewer.until(&format!("Math.abs({VIDEO}.volume - 0.9) < 0.01"))?;
    viewer.press("ArrowUp")?;
    viewer.until(&format!("{VIDEO}.volume === 1"))?;
    for is_full in [true, false] {
        viewer.press("f")?;
        viewer.until(&format!("(document.fullscreenElement !== null) === {is_full}"))?;
    }
    // To the oldest there is, a step on, and to the newest.
    viewer
        .until(&format!("{VIDEO}.seekable.length > 0 && {VIDEO}.seekable.end(0) - {VIDEO}.seekable.start(0) > 16"))?;
    viewer.press("Home")?;
    let oldest = format!("!{VIDEO}.seeking && {VIDEO}.currentTime < {VIDEO}.seekable.start(0) + 3");
    viewer.until(&oldest).with_context(|| how_it_plays(&mut viewer))?;
    viewer.press("ArrowRight")?;
    viewer.until(&format!("{VIDEO}.currentTime > {VIDEO}.seekable.start(0) + 4"))?;
    viewer.press("ArrowLeft")?;
    viewer.until(&format!("{VIDEO}.currentTime < {VIDEO}.seekable.start(0) + 4"))?;
    viewer.see("[data-testid=watch-live][data-edge=false]")?;
    viewer.press("End")?;
    viewer.see("[data-testid=watch-live][data-edge=true]")?;
    // What is written in the chat is no key of the player's.
    viewer.fill("watch-chat-name", "mk")?;
    viewer.click("watch-chat-name")?;
    viewer.press("k")?;
    assert_eq!(viewer.evaluate(&format!("{VIDEO}.paused"))?, false);
    Ok(())
}

/// What the livestream shows at places of it, shares of its width and height: red, green or neither.
fn colours(places: &[(f32, f32)]) -> String {
    let places: Vec<String> = places.iter().map(|(x, y)| format!("[{x}, {y}]")).collect();
    format!(
        "(() => {{ const {{ videoWidth: width, videoHeight: height }} = {VIDEO}; \
         const canvas = Object.assign(document.createElement('canvas'), {{ width, height }}); \
         const context = canvas.getContext('2d'); context.drawImage({VIDEO}, 0, 0); \
         return [{}].map(([x, y]) => {{ \
           const [r, g] = context.getImageData(x * width, y * height, 1, 1).data; \
           return r > g + 60 ? 'red' : g > r + 60 ? 'green' : 'neither'; }}).join(' '); }})()",
        places.join(", ")
    )
}

// product: B2
#[test]
fn the_host_chooses_the_layout_and_viewers_see_it() -> Result<()> {
    let server = Server::start()?;
    let (mut host, watch) = live(&server)?;
    let mut guest = Browser::start(0.0, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut viewer = Browser::start(0.0, Colour::Blue)?;
    viewer.open(&watch)?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;
    let mut shows = |host: &mut Browser, layout: &str, places: &[(f32, f32)], seen: [&str; 2]| -> Result<()> {
        host.click("more")?;
        host.click(&format!("broadcast-layout-{layout}"))?;
        viewer
            .until(&format!("{}.includes({})", serde_json::json!(seen), colours(places)))
            .context(layout.to_owned())?;
        host.press("Escape")
    };
    // Side by side; one large with the other below; one everywhere with the other in its corner.
    shows(&mut host, "gallery", &[(0.25, 0.5), (0.75, 0.5)], ["red green", "green red"])?;
    let large = [(0.2, 0.4), (0.8, 0.4), (0.5, 0.9)];
    shows(&mut host, "speaker", &large, ["red red green", "green green red"])?;
    let everywhere = [(0.02, 0.1), (0.98, 0.1), (0.89, 0.87), (0.5, 0.9)];
    shows(&mut host, "picture_in_picture", &everywhere, ["red red green red", "green green red green"])?;
    shows(&mut host, "gallery", &[(0.25, 0.5), (0.75, 0.5)], ["red green", "green red"])
}

// product: B1
#[test]
fn where_no_script_may_feed_the_picture_the_browser_plays_by_itself() -> Result<()> {
    let server = Server::start()?;
    let (mut host, watch) = live(&server)?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    // As on phones of Apple's.
    viewer.before_each_page(
        "for (const name of ['MediaSource', 'ManagedMediaSource', 'WebKitMediaSource']) delete window[name];",
    )?;
    viewer.open(&watch)?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;
    let source = viewer.evaluate(&format!("new URL({VIDEO}.src).pathname"))?;
    assert!(source.as_str().is_some_and(|source| source.ends_with("/index.m3u8")), "{source}");
    viewer.see_colour("[data-testid=watch-video]", Colour::Red)?;
    viewer.miss(&by_id("watch-quality"))?;
    host.click("stop-broadcast")?;
    viewer.see("[data-testid=watch-state][data-state=ended]")
}

// product: S8
#[test]
fn a_booking_has_its_watch_address_at_once_and_its_poster_tells_when() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let poster = folder.path().join("poster.png");
    let drawn = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "color=blue:size=320x180", "-frames:v", "1"])
        .arg(&poster)
        .status()?;
    assert!(drawn.success(), "{drawn}");
    let server = Server::start_with(&[("HUITONG_STUDIO__POSTER", poster.to_str().context("a path")?)])?;
    let mut host = Browser::start(0.0, Colour::Blue)?;
    host.login(server.web, "host", PASSWORD)?;
    host.click("book-open")?;
    host.fill("book-title", "新品发布会")?;
    host.evaluate("window.tomorrow = new Date(Date.now() + 864e5)")?;
    let day = host.evaluate(
        "[tomorrow.getFullYear(), tomorrow.getMonth() + 1, tomorrow.getDate()].map(n => `${n}`.padStart(2, '0')).join('-')",
    )?;
    host.fill("book-day", day.as_str().unwrap_or_default())?;
    host.fill("book-time", "09:05")?;
    host.click("option-livestream")?;
    host.click("book-submit")?;
    host.see(&by_id("invite-text"))?;
    host.open(&format!("http://{}/", server.web))?;
    let link = "[data-testid=meeting-item][data-title='新品发布会'] a[href*='/watch/']";
    host.see(link)?;
    let watch = host.evaluate(&format!("document.querySelector(\"{link}\").href"))?;
    for mut viewer in [Browser::start(0.0, Colour::Green)?, Browser::start_on(Devices::Phone)?] {
        viewer.open(watch.as_str().unwrap_or_default())?;
        viewer.see("[data-testid=watch-state][data-state=waiting]")?;
        viewer.until("document.querySelector('[data-testid=watch-poster]').innerText === '新品发布会'")?;
        let told = viewer.text("[data-testid=watch-planned]")?;
        assert!(told.starts_with("Scheduled for ") && told.contains("9:05"), "{told}");
        // Behind it is the operator's picture.
        viewer.until(
            "(async () => {
               const picture = new Image();
               picture.src = document.querySelector('video').poster;
               await picture.decode();
               return picture.naturalWidth === 320;
             })()",
        )?;
        is_sound(&mut viewer, "the poster over a picture")?;
    }
    Ok(())
}

// product: B4, B6
#[test]
fn what_was_live_is_seen_again_at_the_same_address() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(700.0, Colour::Red)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let id = host.evaluate("window.huitong.state.meeting.id")?;
    let watch = format!("http://{}/watch/{}", server.web, id.as_str().unwrap_or_default());
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.resize(360, 740)?;
    viewer.open(&watch)?;
    viewer.see(&by_id("watch-poster"))?;
    is_sound(&mut viewer, "the poster")?;
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    host.click("more")?;
    host.click("toggle-recording")?;
    host.see(&by_id("recording"))?;
    viewer.see("[data-state=playing]")?;
    // B1: two seconds; on a machine that runs the browsers too, twice that is a failure of ours.
    viewer.until("Number(document.querySelector('[data-testid=watch-latency]').dataset.seconds) > 0")?;
    viewer.until("Number(document.querySelector('[data-testid=watch-latency]').dataset.seconds) < 4")?;
    assert_eq!(viewer.evaluate("document.documentElement.scrollWidth")?, 360, "it fits a narrow phone");
    is_sound(&mut viewer, "the livestream")?;
    viewer.until("document.querySelector('video').currentTime > 4")?;
    host.click("leave")?;
    host.click("end-meeting")?;
    host.see(&by_id("over-recordings"))?;
    viewer.see("[data-state=replay]")?;
    viewer.evaluate("document.querySelector('video').play()")?;
    viewer.until("document.querySelector('video').duration > 2 && document.querySelector('video').currentTime > 1")?;
    viewer.see_colour("[data-testid=watch-video]", Colour::Red)?;

    // The film is among the host's recordings.
    host.open(&format!("http://{}/", server.web))?;
    segment(&mut host, "meetings-period", "Recordings")?;
    host.see(&by_id("recording-item"))?;
    let films = host.evaluate("document.querySelectorAll('[data-testid=recording-item]').length")?;
    assert_eq!(films, 1, "and no other one of nothing: {}", host.text("[data-testid=recording-item]")?);
    Ok(())
}

// product: B1, B5, S8
#[test]
fn a_page_left_open_shows_each_livestream_of_its_meeting() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(700.0, Colour::Red)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let id = host.evaluate("window.huitong.state.meeting.id")?;
    let id = id.as_str().unwrap_or_default();
    let ask = "method: 'PUT', headers: { 'Content-Type': 'application/json' }";
    let body = "body: JSON.stringify({ access: 'password', password: '246810' })";
    host.until(&format!("fetch('/api/v1/meetings/{id}/watch', {{ {ask}, {body} }}).then(answer => answer.ok)"))?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.open(&format!("http://{}/watch/{id}", server.web))?;
    viewer.fill("watch-password", "246810")?;
    viewer.click("watch-enter")?;
    viewer.see("[data-state=waiting]")?;
    let playlist = format!("fetch('/api/v1/broadcasts/{id}').then(answer => answer.json()).then(one => one.playlist)");
    let mut playlists = Vec::new();
    // Stopped and started; then on another day, as far as the server can tell.
    for is_over in [false, true, false] {
        host.click("start-broadcast")?;
        host.see("[data-testid=broadcast][data-state=live]")?;
        assert_eq!(host.watch_address()?, format!("http://{}/watch/{id}", server.web), "one address for all");
        viewer.see("[data-state=playing]")?;
        viewer.until("document.querySelector('video').currentTime > 0.5")?;
        viewer.see("[data-testid=watch-chat]")?;
        viewer.until("document.querySelector('[data-testid=watch-viewers]').innerText.startsWith('1 ')")?;
        playlists.push(viewer.evaluate(&playlist)?.as_str().unwrap_or_default().to_owned());
        if is_over {
            host.click("leave")?;
            host.click("end-meeting")?;
            viewer.see("[data-state=ended]")?;
            host.join(server.web, &server.meeting, "韩梅梅", "")?;
        } else {
            host.click("stop-broadcast")?;
            host.miss("[data-testid=broadcast]")?;
            viewer.see("[data-state=ended]")?;
        }
    }
    playlists.sort_unstable();
    playlists.dedup();
    assert_eq!(playlists.len(), 3, "players and proxies must not take one for the other: {playlists:?}");
    Ok(())
}

// product: B1
#[test]
fn over_tls_players_ask_by_http_2_and_a_meetings_page_has_its_socket() -> Result<()> {
    let server = Server::start()?;
    let (mut host, watch) = live(&server)?;
    let path = watch.strip_prefix(&format!("http://{}", server.web)).context("the plain address")?;
    let mut viewer = Browser::start(0.0, Colour::Green)?;
    viewer.open(&format!("https://{}{path}", server.https))?;
    viewer.see("[data-state=playing]")?;
    // What was given up on the way has none.
    let ways = "[...new Set(performance.getEntriesByType('resource').filter(({ name }) => name.includes('/live/')) \
                .map(({ nextHopProtocol }) => nextHopProtocol).filter(Boolean))].join()";
    viewer.until(&format!("{ways} !== ''"))?;
    assert_eq!(viewer.evaluate(ways)?, "h2");
    // Forms too: who asks is who is at home here, though the host is said otherwise by HTTP/2.
    viewer.fill("watch-chat-name", "观众甲")?;
    viewer.fill("watch-chat-text", "听得清楚")?;
    viewer.click("watch-chat-send")?;
    viewer.see(".said")?;
    viewer.open(&format!("https://{}/j/{}", server.https, server.meeting))?;
    viewer.enter("李雷", &server.password)?;
    host.see("[data-testid=tile][data-name=李雷]")
}
