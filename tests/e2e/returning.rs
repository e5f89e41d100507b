//! Whoever was there and is gone for a while, or whose page, line or server is, comes back as he was.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, Server, Sitter, User, by_id};

use crate::troubles::door;

/// What the one microphone of these stories hears.
const HZ: f32 = 700.0;

/// Starts it again where browsers look for it.
fn restart(server: Server) -> Result<Server> {
    let web = server.web;
    let mut server = server.restart_with(&[("HUITONG_WEB__HTTP", &web.to_string())])?;
    server.web = web;
    Ok(server)
}

// product: J6, C7, C5
#[test]
fn who_was_muted_is_not_heard_after_the_server_was_started_again() -> Result<()> {
    let server = Server::start()?;
    let (mut speaker, mut listener) = (Browser::start(HZ, Colour::Red)?, Browser::start(0.0, Colour::Green)?);
    speaker.join(server.web, &server.meeting, "李雷", &server.password)?;
    listener.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    listener.wait_to_hear(HZ)?;
    speaker.click("toggle-mic")?;
    speaker.evaluate("window.huitong.rename(window.huitong.you, '李雷雷')")?;
    speaker.until("window.huitong.me.muted && window.huitong.me.name === '李雷雷'")?;
    speaker.evaluate("window.seat = window.huitong.you")?;

    let _server = restart(server)?;
    let is_back = "window.huitong.state.phase === 'joined' && window.huitong.state.participants.length === 2";
    speaker.until(&format!("{is_back} && window.huitong.you !== window.seat && window.huitong.state.sending"))?;
    listener.until(&format!("{is_back} && window.huitong.state.receiving"))?;
    // The picture comes by the same connection as the sound would.
    listener.see_colour("[data-testid=tile][data-name='李雷雷'] video", Colour::Red)?;
    let tone = listener.hear(3)?.tone(HZ, 2.0);
    assert!(tone < 0.01, "he is heard at {tone}");
    assert_eq!(speaker.evaluate("window.huitong.me.muted")?, true);
    speaker.click("toggle-mic")?;
    listener.wait_to_hear(HZ)
}

// product: J6, C14, C16
#[tokio::test(flavor = "multi_thread")]
async fn a_host_who_loads_the_page_anew_is_in_his_locked_meeting_again_and_its_host() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(0.0, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    host.evaluate("window.huitong.lock(true)")?;
    let seat = host.evaluate("window.huitong.you")?;
    let id = seat.as_str().context("an id")?.to_owned();
    host.click("toggle-mic")?;
    host.until("window.huitong.me.muted")?;
    host.reload()?;
    // Without a press.
    host.see(&by_id("room"))?;
    host.until("window.huitong.state.sending && window.huitong.state.receiving && window.huitong.me.camera")?;
    assert_eq!(host.evaluate("window.huitong.you")?, seat);
    assert_eq!(host.evaluate("window.huitong.me.role + window.huitong.me.muted")?, "hosttrue");
    guest.command(json!({"type": "hand", "up": true})).await?;
    assert!(!guest.told.contains("participant_left"), "{}", guest.told);

    // Whoever opens the page by its address has meant to, and is asked before he is seen.
    host.open(&format!("http://{}/", server.web))?;
    host.open(&door(&server))?;
    host.see(&by_id("prejoin-join"))?;
    host.reload()?;
    host.see(&by_id("prejoin-join"))?;
    host.miss(&by_id("room"))?;
    // Gone for good, he has left after fifteen seconds, and the role is another's. A page that goes does not always get its last word out;
    // then it is a minute, as of any line that is lost.
    host.open("about:blank")?;
    let is_left = |message: &Value| message["event"]["type"] == "participant_left";
    let left = guest.next_within(Duration::from_secs(80), is_left).await?;
    assert_eq!(left["event"]["id"], id);
    guest.next(|message| message["event"]["participant"]["role"] == "host").await?;
    Ok(())
}

// product: J5
#[test]
fn who_wants_to_come_in_muted_does_so_each_time() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start(HZ, Colour::Green)?;
    page.before_each_page(
        "const kept = JSON.parse(localStorage.getItem('huitong.settings') ?? '{\"state\":{},\"version\":0}');
         kept.state.startMuted = true;
         localStorage.setItem('huitong.settings', JSON.stringify(kept));",
    )?;
    page.open(&format!("http://{}/", server.web))?;
    for _ in 0..2 {
        page.fill("join-number", &server.meeting)?;
        page.fill("join-name", "李雷")?;
        page.fill("join-password", &server.password)?;
        page.click("join-submit")?;
        page.click("prejoin-join")?;
        page.see(&by_id("room"))?;
        page.until("window.huitong.state.sending")?;
        assert_eq!(page.evaluate("window.huitong.me.muted")?, true);
        page.click("toggle-mic")?;
        page.until("!window.huitong.me.muted")?;
        // Back a page: within the same one, of which the tab still has what it kept.
        page.evaluate("history.back()")?;
        page.see(&by_id("join-number"))?;
    }
    Ok(())
}

// product: J3, J6
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_host_goes_on_waiting_while_the_server_is_started_again() -> Result<()> {
    let server = Server::start()?;
    let owner = User::login(&server, "concurrent").await?;
    let booking = json!({"title": "等主持人", "duration": 60, "options": {"join_before_host": false}});
    let booked = owner.post("/meetings", booking).await?;
    assert_eq!(booked.status, 201, "{}", booked.body);
    let number = booked.body["number"].as_str().context("a number")?.to_owned();
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&format!("http://{}/j/{number}", server.web))?;
    page.to_mirror("李雷", "")?;
    page.click("prejoin-join")?;
    page.see("[data-testid=prejoin-waiting][data-reason=host]")?;
    page.evaluate(
        "window.ends = 0;
         new MutationObserver(() => {
           if (!document.querySelector('[data-testid=prejoin-waiting], [data-testid=room]')) window.ends++;
         }).observe(document.body, { childList: true, subtree: true })",
    )?;

    let server = restart(server)?;
    let cookie = Client::login(server.web, "concurrent", "Huitong-2026").await?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let host = Client::join(server.web, &number, join, Some(&cookie)).await?;
    assert_eq!(host.joined["type"], "joined", "{}", host.joined);
    let _host = Sitter::new(host);
    page.see(&by_id("room"))?;
    page.until("window.huitong.state.sending && window.huitong.state.participants.length === 2")?;
    assert_eq!(page.evaluate("window.ends")?, 0, "he was never told anything else");
    Ok(())
}

/// Whether more of the others' pictures has come in a second and a half.
fn pictures_come(page: &mut Browser) -> Result<bool> {
    let grown = page.evaluate(
        "(async () => {
           const come = async () => {
             const { subscribe } = await window.huitong.getStats();
             return subscribe.slots.filter(({ kind }) => kind !== 'audio').reduce((sum, { bytes }) => sum + bytes, 0);
           };
           const before = await come();
           await new Promise(resolve => setTimeout(resolve, 1500));
           return (await come()) > before;
         })()",
    )?;
    Ok(grown == Value::Bool(true))
}

// product: C19
#[test]
fn a_page_that_nobody_sees_is_sent_no_pictures_and_has_them_again_when_it_is_seen() -> Result<()> {
    let server = Server::start()?;
    let (mut seen, mut page) = (Browser::start(HZ, Colour::Red)?, Browser::start(0.0, Colour::Green)?);
    seen.join(server.web, &server.meeting, "李雷", &server.password)?;
    page.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    let picture = "[data-testid=tile][data-name='李雷'] video";
    page.see_colour(picture, Colour::Red)?;
    assert!(pictures_come(&mut page)?);
    // Browsers without a screen call every page visible.
    let turn = |state: &str| {
        format!(
            "Object.defineProperty(document, 'visibilityState', {{ configurable: true, value: '{state}' }});
             document.dispatchEvent(new Event('visibilitychange'))"
        )
    };
    page.evaluate(&turn("hidden"))?;
    // Ten seconds, and what is on its way then.
    let stops = (0..12).any(|_| matches!(pictures_come(&mut page), Ok(false)));
    assert!(stops, "pictures that nobody sees go on");
    page.wait_to_hear(HZ)?;
    page.evaluate(&turn("visible"))?;
    page.until(
        "window.huitong.getStats().then(({ subscribe }) => {
           const sum = subscribe.slots.filter(({ kind }) => kind !== 'audio').reduce((sum, { bytes }) => sum + bytes, 0);
           const grown = sum > (window.before ?? sum);
           window.before = sum;
           return grown;
         })",
    )?;
    page.see_colour(picture, Colour::Red)
}
