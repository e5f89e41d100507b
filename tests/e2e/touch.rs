//! A meeting in the hand: a small upright screen that is touched.

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Client, Devices, Server, by_id};

use crate::sharing::see_ink;

/// Nothing is wider than the screen, and what is to be touched lies within it and under nothing else.
fn is_at_hand(page: &mut Browser, ids: &[&str]) -> Result<()> {
    assert_eq!(page.evaluate("document.documentElement.scrollWidth")?, 390);
    for id in ids {
        let selector = by_id(id);
        page.see(&selector)?;
        // What slides in has arrived.
        page.until("document.getAnimations().every(one => one.playState !== 'running' || !one.effect?.getComputedTiming().endTime || one.effect.getComputedTiming().endTime === Infinity)")?;
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
    page.login(server.web, "host", "Huitong-2026")?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut guest = Client::join(server.web, &server.meeting, join, None).await?;
    page.see("[data-testid=tile][data-name='李雷']")?;
    is_at_hand(&mut page, &["toggle-mic", "toggle-camera", "toggle-participants", "toggle-chat", "more", "leave"])?;

    page.click("more")?;
    page.click("share")?;
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
    is_at_hand(&mut page, &["toggle-mic", "more", "board-pen"])
}
