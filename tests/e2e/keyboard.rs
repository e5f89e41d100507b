//! With keys alone.

use anyhow::{Result, bail};
use serde_json::json;
use tests::{Browser, Client, Colour, Server, by_id};

/// So often the key may be pressed on one page.
const STEPS: usize = 90;

/// How something and what it stands in are drawn, as far as it shows where the focus is.
fn look(page: &mut Browser, id: &str) -> Result<String> {
    let look = page.evaluate(&format!(
        "(one => JSON.stringify([one, one.parentElement, one.parentElement.parentElement].map(one => {{
           const {{ outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor }} = getComputedStyle(one);
           return [outlineStyle !== 'none' && outlineWidth + outlineColor, boxShadow, borderColor];
         }})))(document.querySelector('{}'))",
        by_id(id)
    ))?;
    Ok(look.as_str().unwrap_or_default().to_owned())
}

/// Goes on by the tabulator key until this has the focus, which shows.
fn walk_to(page: &mut Browser, id: &str) -> Result<()> {
    page.see(&by_id(id))?;
    let before = look(page, id)?;
    let mut passed = Vec::new();
    for _ in 0..STEPS {
        page.press("Tab")?;
        let at = page.evaluate("document.activeElement?.dataset.testid ?? document.activeElement?.tagName")?;
        if at == id {
            // What fades in has arrived.
            page.until(
                "document.getAnimations().every(one => one.playState !== 'running' || !one.transitionProperty)",
            )?;
            assert_ne!(look(page, id)?, before, "{id} looks the same with the focus and without");
            let is_shown = page.evaluate(
                "(box => box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && \
                 box.bottom <= innerHeight)(document.activeElement.getBoundingClientRect())",
            )?;
            assert_eq!(is_shown, true, "{id} has the focus and is out of sight");
            return Ok(());
        }
        passed.push(at.to_string());
    }
    bail!("{id} is not reached; passed {}", passed.join(" "))
}

// product: J1, C17, C18, C21, C24
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_joined_taken_part_in_and_left_with_keys_alone() -> Result<()> {
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut other = Client::join(server.web, &server.meeting, join, None).await?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&format!("http://{}/", server.web))?;
    walk_to(&mut page, "join-number")?;
    page.type_text(&server.meeting)?;
    page.see(&by_id("join-password"))?;
    walk_to(&mut page, "join-name")?;
    page.type_text("李雷")?;
    walk_to(&mut page, "join-password")?;
    page.type_text(&server.password)?;
    page.press("Enter")?;
    // What is next has the focus already.
    page.until("document.activeElement?.dataset.testid === 'prejoin-join'")?;
    page.press("Enter")?;
    page.see(&by_id("room"))?;
    page.until("window.huitong?.state.sending && !window.huitong.me.muted")?;

    walk_to(&mut page, "toggle-mic")?;
    page.press("Enter")?;
    page.until("window.huitong.me.muted")?;
    // On a desk the list is open: shut by its button, open again by it.
    for is_open in [false, true] {
        if page.evaluate("document.activeElement?.dataset.testid")? != "toggle-participants" {
            walk_to(&mut page, "toggle-participants")?;
        }
        page.press("Enter")?;
        page.until(&format!("!!document.querySelector('[data-testid=participants]') === {is_open}"))?;
    }
    walk_to(&mut page, "row-more")?;
    page.press("Enter")?;
    page.see("[role=menu]")?;
    page.press("Escape")?;
    page.miss("[role=menu]")?;
    page.until("document.activeElement?.dataset.testid === 'row-more'")?;

    walk_to(&mut page, "toggle-chat")?;
    page.press("Enter")?;
    walk_to(&mut page, "chat-text")?;
    page.type_text("用键盘写的")?;
    page.press("Enter")?;
    other.next(|message| message["event"]["message"]["text"] == "用键盘写的").await?;

    walk_to(&mut page, "reactions")?;
    page.press("Enter")?;
    walk_to(&mut page, "toggle-hand")?;
    page.press("Enter")?;
    other.next(|message| message["event"]["participant"]["hand"] == true).await?;

    walk_to(&mut page, "leave")?;
    page.press("Enter")?;
    page.see(&by_id("over"))?;
    walk_to(&mut page, "join-again")?;
    page.press("Enter")?;
    page.see(&by_id("prejoin-join"))
}

// product: A7, C17
#[tokio::test(flavor = "multi_thread")]
async fn letters_do_nothing_under_a_dialog_or_where_they_are_switched_off_and_each_page_has_its_name() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    let is_called = |page: &mut Browser, title: &str| page.until(&format!("document.title === {title:?}"));
    for (path, title) in [("/", "Join a meeting"), ("/settings", "Settings"), ("/forgot", "Reset your password")] {
        page.open(&format!("http://{}{path}", server.web))?;
        is_called(&mut page, &format!("{title} · Huitong"))?;
    }
    page.click("preferences")?;
    page.click("language-zh-CN")?;
    is_called(&mut page, "忘记密码 · 会通")?;
    page.evaluate("localStorage.removeItem('huitong.language')")?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    let topic = page.evaluate("window.huitong.state.meeting.title")?.as_str().unwrap_or_default().to_owned();
    is_called(&mut page, &format!("{topic} · Huitong"))?;

    // Heard where nothing lies over the page, and not below what does.
    page.press("r")?;
    page.until("window.huitong.me.hand")?;
    page.press("Shift+?")?;
    page.see(&by_id("shortcut-help"))?;
    page.press("r")?;
    page.press("m")?;
    page.click("keys-on")?;
    page.press("Escape")?;
    page.miss(&by_id("shortcut-help"))?;
    // Off: what comes after the letters has come, and they have done nothing.
    page.press("r")?;
    page.press("Space")?;
    page.click("toggle-camera")?;
    page.until("!window.huitong.me.camera")?;
    assert_eq!(page.evaluate("window.huitong.me.hand && !window.huitong.me.muted")?, true);
    page.open(&format!("http://{}/settings#meeting", server.web))?;
    page.click("setting-shortcuts")?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    // Whoever comes back soon has his seat, and his hand is up.
    let was_up = page.evaluate("window.huitong.me.hand")?;
    page.press("r")?;
    page.until(&format!("window.huitong.me.hand !== {was_up}"))?;
    Ok(())
}

/// Whether somebody is heard by the others from now on.
async fn is_heard(other: &mut Client, heard: bool) -> Result<()> {
    other.next(|told| told["event"]["participant"]["muted"] == !heard).await.map(drop)
}

// product: C18
#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_space_is_heard_until_he_lets_go_however_soon_and_whatever_he_clicked_before() -> Result<()> {
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut other = Client::join(server.web, &server.meeting, join, None).await?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    // The microphone opens when the story says so.
    page.before_each_page(
        "(open => navigator.mediaDevices.getUserMedia = async wanted => {
           await window.microphoneWaits;
           return open(wanted);
         })(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))",
    )?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    page.until("window.huitong.state.sending && !window.huitong.me.muted")?;
    // The button keeps the focus, and Space is not its key.
    page.click("toggle-mic")?;
    is_heard(&mut other, false).await?;
    page.until("document.activeElement.dataset.testid === 'toggle-mic'")?;
    page.key_down("Space")?;
    is_heard(&mut other, true).await?;
    page.key_down("Space")?;
    page.key_up("Space")?;
    is_heard(&mut other, false).await?;
    // No sooner pressed than let go.
    page.press("Space")?;
    is_heard(&mut other, true).await?;
    is_heard(&mut other, false).await?;
    // Whoever turns to another window lets go there.
    for turns in ["window.dispatchEvent(new Event('blur'))", "document.dispatchEvent(new Event('visibilitychange'))"] {
        page.key_down("Space")?;
        is_heard(&mut other, true).await?;
        page.evaluate(turns)?;
        is_heard(&mut other, false).await?;
        page.key_up("Space")?;
    }
    // With the tabulator one comes to a button to press it; held on it, the key is no press.
    page.press("Tab")?;
    page.press("Shift+Tab")?;
    page.until("document.activeElement.dataset.testid === 'toggle-mic' && window.huitong.me.muted")?;
    page.press("Space")?;
    is_heard(&mut other, true).await?;
    page.until("!window.huitong.me.muted")?;
    page.press("Space")?;
    is_heard(&mut other, false).await?;
    page.until("window.huitong.me.muted")?;
    page.key_down("Space")?;
    page.key_down("Space")?;
    is_heard(&mut other, true).await?;
    page.key_up("Space")?;
    is_heard(&mut other, false).await?;

    // Let go before the microphone is open, he is not heard: by what comes after it all has come.
    page.click("leave")?;
    page.open(&format!("http://{}/", server.web))?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    assert_eq!(page.evaluate("window.huitong.me.muted && window.huitong.track('microphone') === null")?, true);
    page.evaluate("void (window.microphoneWaits = new Promise(open => window.openMicrophone = open))")?;
    other.told.clear();
    page.key_down("Space")?;
    page.key_up("Space")?;
    page.evaluate("void window.openMicrophone()")?;
    page.until("window.huitong.track('microphone') !== null")?;
    page.press("r")?;
    other.next(|told| told["event"]["participant"]["hand"] == true).await?;
    let is_heard = |told: &str| told.contains("participant_changed") && told.contains("\"muted\":false");
    assert!(!other.told.lines().any(is_heard), "{}", other.told);
    Ok(())
}
