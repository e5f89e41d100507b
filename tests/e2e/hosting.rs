//! What a host does to others from the page, and what they see of it.

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Client, Colour, PASSWORD, Server, by_id};

use crate::{troubles::reads, web::from_row};

fn notice(kind: &str) -> String {
    format!("[data-notice={kind}]")
}

/// Keeps in mind what was told in passing: it may be gone sooner than one can look for it.
const NOTING: &str = "document.addEventListener('DOMContentLoaded', () => {
    window.noticed = new Set();
    const note = () => document.querySelectorAll('[data-notice]').forEach(one => window.noticed.add(one.dataset.notice));
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true });
})";

fn is_told(page: &mut Browser, kind: &str) -> Result<()> {
    page.until(&format!("window.noticed.delete('{kind}')"))
}

/// Does what a notice offers.
fn accept(page: &mut Browser, kind: &str) -> Result<()> {
    page.click_at(&format!("{} [data-testid=notice-accept]", notice(kind)))?;
    page.miss(&notice(kind))
}

// product: C2, C3, C4, C7, C8, C9, C10, C11, C12, C13, C16, C24, J4
#[tokio::test(flavor = "multi_thread")]
async fn a_host_leads_by_the_page_and_hands_over() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(0.0, Colour::Red)?;
    host.login(server.web, "concurrent", PASSWORD)?;
    host.click("instant-open")?;
    host.fill("instant-title", "周会")?;
    host.fill("instant-capacity", "4")?;
    host.click("instant-start")?;
    host.click("prejoin-join")?;
    host.see(&by_id("room"))?;
    let number = host.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();
    let link = format!("http://{}/j/{number}", server.web);
    let mut guest = Browser::start(0.0, Colour::Green)?;
    guest.before_each_page(NOTING)?;
    guest.open(&link)?;
    guest.enter("李雷", "")?;
    guest.until("window.huitong.me.camera && !window.huitong.me.muted")?;

    // A picture is stopped, and asked for; it comes back when its owner wants it.
    host.see_colour("[data-testid=tile][data-name='李雷'] video", Colour::Green)?;
    from_row(&mut host, "李雷", "row-camera")?;
    is_told(&mut guest, "camera_stopped")?;
    guest.until("!window.huitong.me.camera")?;
    host.miss("[data-testid=tile][data-name='李雷'] video")?;
    from_row(&mut host, "李雷", "row-camera")?;
    accept(&mut guest, "asked_to_show")?;
    host.see_colour("[data-testid=tile][data-name='李雷'] video", Colour::Green)?;

    // So is a voice.
    let row = "[data-testid=participant-row][data-name='李雷']";
    host.click_at(&format!("{row} [data-testid=row-mute]"))?;
    is_told(&mut guest, "muted")?;
    host.see(&format!("{row}[data-muted=true]"))?;
    host.click_at(&format!("{row} [data-testid=row-unmute]"))?;
    accept(&mut guest, "asked_to_unmute")?;
    host.see(&format!("{row}[data-muted=false]"))?;
    // The question is answered by the bar as well: nothing is asked any more, and what it replaced isn't told.
    host.click_at(&format!("{row} [data-testid=row-mute]"))?;
    is_told(&mut guest, "muted")?;
    host.click_at(&format!("{row} [data-testid=row-unmute]"))?;
    guest.see(&notice("asked_to_unmute"))?;
    guest.miss(&notice("muted"))?;
    guest.click("toggle-mic")?;
    host.see(&format!("{row}[data-muted=false]"))?;
    guest.miss(&notice("asked_to_unmute"))?;
    from_row(&mut host, "李雷", "row-camera")?;
    guest.until("!window.huitong.me.camera")?;
    from_row(&mut host, "李雷", "row-camera")?;
    guest.see(&notice("asked_to_show"))?;
    guest.press("v")?;
    guest.miss(&notice("asked_to_show"))?;
    guest.until("window.huitong.me.camera")?;

    // All are silent and stay so, until the host opens them.
    host.click("allow-self-unmute")?;
    guest.until("!window.huitong.me.muted && !window.huitong.state.meeting.self_unmute")?;
    host.click("mute-all")?;
    guest.until("window.huitong.me.muted && !window.huitong.state.meeting.self_unmute")?;
    // Whoever may not open himself reads why, in his language, and asks by a raised hand.
    guest.click("toggle-mic")?;
    let words = "The host doesn’t allow participants to unmute themselves; raise your hand to ask";
    guest.until(&format!("document.querySelector('{}')?.innerText.includes('{words}')", notice("problem")))?;
    accept(&mut guest, "problem")?;
    host.see("[data-testid=tile][data-name='李雷'][data-hand=true]")?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let mut reader = Client::join_reading("zh-CN", server.web, &number, join, None).await?;
    let refused = reader.command(json!({"type": "unmute", "participant": reader.joined["you"]})).await?;
    assert_eq!(refused["problem"]["title"], "主持人未允许自我解除静音，可举手请求", "{refused}");
    reader.command(json!({"type": "leave"})).await?;
    assert_eq!(guest.evaluate("window.huitong.me.muted")?, true);
    host.click("unmute-all")?;
    accept(&mut guest, "asked_to_unmute")?;
    guest.until("!window.huitong.me.muted && !window.huitong.state.meeting.self_unmute")?;
    host.see("[data-testid=allow-self-unmute]:not(:checked)")?;
    host.click("allow-self-unmute")?;
    guest.until("window.huitong.state.meeting.self_unmute")?;

    // Whoever comes now is muted; then there is no place left; then the door is shut.
    host.click("mute-on-entry")?;
    host.until("window.huitong.state.meeting.mute_on_entry")?;
    host.click("more")?;
    host.click("toggle-waiting-room")?;
    host.until("window.huitong.state.meeting.waiting_room")?;
    let mut others = Vec::new();
    for name in ["Ada King", "Mary Somerville"] {
        let other = Client::join(server.web, &number, json!({"type": "join", "name": name}), None).await?;
        assert_eq!(other.joined["reason"], "admission");
        host.see(&format!("[data-testid=waiting-row][data-name='{name}']"))?;
        others.push(other);
    }
    // Who waits reads what the host has to say.
    host.fill("tell-waiting", "Five more minutes")?;
    host.click("tell-waiting-send")?;
    for other in &mut others {
        other.next(|message| message["type"] == "told" && message["text"] == "Five more minutes").await?;
    }
    // Who is not let in is told so.
    let grace = json!({"type": "join", "name": "Grace Hopper"});
    let mut unwanted = Client::join(server.web, &number, grace, None).await?;
    host.click_at("[data-testid=waiting-row][data-name='Grace Hopper'] [data-testid=deny]")?;
    let refused = unwanted.next(|message| message["type"] == "refused").await?;
    assert_eq!(refused["problem"]["code"], "denied", "{refused}");
    host.miss("[data-testid=waiting-row][data-name='Grace Hopper']")?;
    host.click("admit-all")?;
    host.miss(&by_id("door"))?;
    for name in ["Ada King", "Mary Somerville"] {
        host.see(&format!("[data-testid=participant-row][data-name='{name}'][data-muted=true]"))?;
    }
    host.click("more")?;
    host.click("toggle-waiting-room")?;
    host.until("!window.huitong.state.meeting.waiting_room")?;
    guest.new_tab()?;
    guest.open(&link)?;
    guest.fill("join-name", "韩梅梅")?;
    guest.click("join-submit")?;
    guest.click("prejoin-join")?;
    let refused = |code: &str| format!("{}[data-code={code}]", by_id("prejoin-problem"));
    reads(&mut guest, &refused("full"), "The meeting is full")?;
    // Asked first, and only once he has said so.
    from_row(&mut host, "Ada King", "menu-remove")?;
    host.click("confirm-cancel")?;
    host.miss(&by_id("confirm"))?;
    host.see("[data-testid=participant-row][data-name='Ada King']")?;
    from_row(&mut host, "Ada King", "menu-remove")?;
    host.click("confirm")?;
    host.miss("[data-testid=participant-row][data-name='Ada King']")?;
    drop(others);
    host.click("more")?;
    host.click("toggle-lock")?;
    host.until("window.huitong.state.meeting.locked")?;
    guest.click("prejoin-join")?;
    reads(&mut guest, &refused("locked"), "The meeting is locked")?;
    guest.show_tab(0)?;

    // A second host, then the first: who hands over is a member like all.
    from_row(&mut host, "李雷", "row-make-co-host")?;
    is_told(&mut guest, "made_co_host")?;
    guest.see(&by_id("mute-all"))?;
    from_row(&mut host, "李雷", "row-make-host")?;
    is_told(&mut guest, "made_host")?;
    host.until("window.huitong.me.role === 'member'")?;
    host.miss(&by_id("mute-all"))?;

    // What goes over the line, and who speaks in a window of his own.
    guest.press("t")?;
    guest.until(
        "document.querySelectorAll('[data-testid=graph]').length === 5 && \
         [...document.querySelectorAll('[data-testid=graph]')].every(({ dataset }) => dataset.values > 1)",
    )?;
    let host_name = host.evaluate("window.huitong.me.name")?;
    guest.until(&format!(
        "[...document.querySelectorAll('[data-testid=statistics-page] tbody tr')]\
         .some(({{ innerText }}) => innerText.includes({host_name}) && /\\d+ × \\d+/.test(innerText))"
    ))?;
    guest.press("Escape")?;
    guest.miss(&by_id("graph"))?;
    // The bars in the head lead there, too.
    guest.see("[data-testid=quality][data-grade=good]")?;
    guest.click("quality")?;
    guest.until("/\\d ms/.test(document.querySelector('[data-testid=statistics]')?.innerText)")?;
    guest.click("more-statistics")?;
    guest.see(&by_id("graph"))?;
    guest.miss(&by_id("statistics"))?;
    guest
        .until("!!document.activeElement?.closest('[role=dialog]')?.querySelector('[data-testid=statistics-page]')")?;
    guest.press("Escape")?;
    guest.miss(&by_id("graph"))?;
    guest.click("more")?;
    guest.click("toggle-float")?;
    guest.until("document.pictureInPictureElement?.dataset.testid === 'floating'")?;
    guest.press("i")?;
    guest.until("!document.pictureInPictureElement")?;

    // All that the page is came from the server itself, and what is written into it is not run.
    let strange = "performance.getEntriesByType('resource').map(({ name }) => new URL(name)) \
        .filter(({ host, protocol }) => protocol.startsWith('http') && host !== location.host).map(String)";
    assert_eq!(host.evaluate(strange)?, json!([]));
    let inline = "(() => { const script = document.createElement('script'); script.textContent = 'window.inlined = true'; \
        document.head.append(script); return window.inlined === true })()";
    assert_eq!(host.evaluate(inline)?, false);

    // Who leaves alone ends it for nobody: another is the host.
    guest.click("leave")?;
    guest.click("leave-alone")?;
    guest.see(&format!("{}[data-reason=left]", by_id("over")))?;
    host.miss(row)?;
    host.until("window.huitong.me.role === 'host'")?;
    host.click("leave")?;
    host.click("end-meeting")?;
    host.see(&format!("{}[data-reason=meeting_ended]", by_id("over")))?;
    // Nothing was recorded: nothing to be found.
    host.miss(&by_id("over-recordings"))
}
