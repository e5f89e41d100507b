//! A meeting in the hand: a small upright screen that is touched.

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Client, Devices, Server, by_id};

use crate::{sharing::see_ink, web::BAR};

/// Nothing is wider than the screen, and what is to be touched lies within it and under nothing else.
pub(crate) fn is_at_hand(page: &mut Browser, ids: &[&str]) -> Result<()> {
    assert_eq!(page.evaluate("document.documentElement.scrollWidth")?, 390);
    for id in ids {
        let selector = by_id(id);
        page.see(&selector)?;
        // What slides in has arrived; what moves elsewhere, as a meter does, is not waited for.
        page.until(&format!(
            "(one => document.getAnimations().every(({{ playState, effect }}) =>
               playState !== 'running' || !effect.target.contains(one) || effect.getComputedTiming().endTime === Infinity))
             (document.querySelector('{selector}'))"
        ))?;
        let is_free = page.evaluate(&format!(
            "(one => {{
               const box = one.getBoundingClientRect();
               const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
               return box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight && one.contains(top);
             }})(document.querySelector('{selector}'))"
        ))?;
        assert_eq!(is_free, true, "{id} is out of reach");
    }
    Ok(())
}

// product: J1, C7, C20
#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_telephone_shares_draws_and_mutes_by_touch() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start_on(Devices::Phone)?;
    // Telephones' browsers share no screens.
    page.before_each_page("delete MediaDevices.prototype.getDisplayMedia")?;
    page.login(server.web, "host", "Huitong-2026")?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    page.see("[data-testid=tile][data-name='李雷']")?;
    is_at_hand(&mut page, &["toggle-mic", "toggle-camera", "toggle-participants", "toggle-chat", "more", "leave"])?;
    let bar = ["toggle-mic", "toggle-camera", "toggle-participants", "toggle-chat", "reactions", "more", "leave"];
    assert_eq!(page.evaluate(BAR)?, json!(bar));
    // On the narrowest, too, every word of the bar is whole.
    page.resize(360, 780)?;
    let cut = page.evaluate(
        "[...document.querySelectorAll('nav button')].filter(button => {
           const words = [...button.children].filter(one => one.clientWidth > 1 && one.innerText && !one.querySelector('svg'));
           const wide = button.clientWidth;
           return words.length !== 1 || words[0].scrollWidth > Math.min(wide, words[0].clientWidth);
         }).map(button => button.dataset.testid)",
    )?;
    assert_eq!(cut, json!([]));
    page.resize(390, 844)?;

    page.click("more")?;
    page.click("share")?;
    // Nobody is sent to what he hasn't.
    page.see(&by_id("share-dialog"))?;
    page.miss(&by_id("toggle-screen"))?;
    assert!(!page.text(&by_id("share-office"))?.contains("screen"), "{}", page.text(&by_id("share-office"))?);
    page.click("share-whiteboard")?;
    page.see(&format!("{}[data-state=ready]", by_id("whiteboard")))?;
    let board = by_id("whiteboard");
    page.drag(&board, (0.25, 0.5), (0.75, 0.5))?;
    see_ink(&mut page, 960, 540, true)?;
    guest.next(|message| message["whisper"]["type"] == "drawn").await?;
    // The board is drawn on, not scrolled.
    assert_eq!(page.evaluate("scrollX + scrollY")?, 0);

    page.click("toggle-participants")?;
    let row = "[data-testid=participant-row][data-name='李雷']";
    page.see(&format!("{row}[data-muted=false]"))?;
    page.click_at(&format!("{row} [data-testid=row-mute]"))?;
    page.see(&format!("{row}[data-muted=true]"))?;
    guest.next(|message| message["notice"] == "muted").await?;
    is_at_hand(&mut page, &["panel-close", "mute-all", "unmute-all"])?;
    page.click("panel-close")?;
    page.miss(&by_id("participants"))?;
    is_at_hand(&mut page, &["toggle-mic", "more", "board-pen"])?;

    // A livestream, behind the three dots.
    page.click("more")?;
    page.click("start-broadcast")?;
    page.see("[data-testid=broadcast][data-state=live]")?;
    page.click("more")?;
    page.click("copy-watch")?;
    page.until("navigator.clipboard.readText().then(text => text.includes('/watch/'))")?;
    page.click("broadcast-layout-gallery")?;
    page.until("window.huitong.state.broadcast.layout === 'gallery'")?;
    page.press("Escape")?;
    page.miss("[role=menu]")?;
    is_at_hand(&mut page, &["toggle-mic", "dial-in", "more", "leave"])?;
    page.click("more")?;
    page.click("stop-broadcast")?;
    page.miss(&by_id("broadcast"))
}

// product: C4, C14, C15, C16, C17, C21, C23
#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_telephone_talks_votes_extends_records_and_ends() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start_on(Devices::Phone)?;
    page.login(server.web, "concurrent", "Huitong-2026")?;
    page.click("instant-open")?;
    page.fill("instant-title", "周会")?;
    page.choose("book-duration", "15")?;
    page.click("instant-start")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    let ends = page.evaluate("window.huitong.state.meeting.ends_ms")?.as_i64().unwrap_or_default();
    let number = page.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();
    let mut guest = Client::join(server.web, &number, json!({"type": "join", "name": "李雷"}), None).await?;
    let guest_id = guest.joined["you"].clone();

    // What passes doesn't push the question aside that waits for an answer.
    page.see("[data-notice=ends_soon]")?;
    for text in ["一", "二"] {
        guest.command(json!({"type": "chat", "to": null, "text": text})).await?;
    }
    guest.command(json!({"type": "hand", "up": true})).await?;
    page.evaluate("window.huitong.startRecording()")?;
    for kind in ["hand", "recording", "ends_soon"] {
        page.see(&format!("[data-notice={kind}]"))?;
    }
    page.click_at("[data-notice=ends_soon] [data-testid=notice-accept]")?;
    is_at_hand(&mut page, &["extend-more", "extend", "enlarge"])?;
    page.click("extend")?;
    page.until(&format!("window.huitong.state.meeting.ends_ms === {}", ends + 30 * 60_000))?;
    page.press("Escape")?;
    page.miss(&by_id("extend"))?;

    page.click("toggle-chat")?;
    page.see(&by_id("chat-message"))?;
    page.fill("chat-text", "收到")?;
    page.click("chat-send")?;
    guest.next(|message| message["event"]["message"]["text"] == "收到").await?;
    is_at_hand(&mut page, &["panel-close", "chat-text", "chat-send"])?;
    page.click("panel-close")?;

    page.click("toggle-participants")?;
    page.click_at("[data-testid=participant-row][data-name='李雷'] [data-testid=row-more]")?;
    page.click("row-make-co-host")?;
    guest
        .next(|message| {
            let person = &message["event"]["participant"];
            person["id"] == guest_id && person["role"] == "co_host"
        })
        .await?;
    page.click("lower-hands")?;
    page.miss(&by_id("hands"))?;
    page.click("panel-close")?;
    page.click("reactions")?;
    is_at_hand(&mut page, &["react-clap", "react-celebrate", "toggle-hand"])?;
    page.click("react-heart")?;
    page.see("[data-testid=reaction] svg")?;
    page.click("reactions")?;
    page.click("toggle-hand")?;
    guest.next(|message| message["event"]["participant"]["hand"] == true).await?;

    page.click("more")?;
    page.click("open-polls")?;
    page.click("poll-new")?;
    page.fill("poll-question", "何时发布？")?;
    page.fill("poll-choice", "周五")?;
    page.click_at("[data-testid=poll-choice] >> nth=1")?;
    page.type_text("周一")?;
    page.click("poll-start")?;
    guest.next(|message| message["event"]["poll"]["question"] == "何时发布？").await?;
    guest.command(json!({"type": "vote", "poll": 1, "choices": [1]})).await?;
    page.click("poll-close")?;
    page.see("[data-testid=poll-result][data-votes='1']")?;
    page.click("panel-close")?;

    // Whoever has recorded finds it, once it is over.
    page.click("more")?;
    page.click("toggle-recording")?;
    page.miss(&by_id("recording"))?;
    page.click("leave")?;
    page.click("end-meeting")?;
    page.see(&format!("{}[data-reason=meeting_ended]", by_id("over")))?;
    page.click("over-recordings")?;
    page.see(&by_id("recording-item"))
}
