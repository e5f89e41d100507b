//! The pages as people use them, each story through several screens.

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Client, Colour, Server, by_id};

const PASSWORD: &str = "Huitong-2026";

/// Nothing was thrown, and nothing keeps people out who see, hear or point otherwise.
fn is_sound(page: &mut Browser, screen: &str) -> Result<()> {
    let thrown: Vec<_> = page.said()?.into_iter().filter(|line| line.starts_with("thrown")).collect();
    assert!(thrown.is_empty(), "{screen}: {thrown:?}");
    let found = page.axe()?;
    assert!(found.is_empty(), "{screen}: {found:#?}");
    Ok(())
}

fn row(name: &str) -> String {
    format!("[data-testid=participant-row][data-name='{name}']")
}

/// Chooses from the menu of a participant's row.
fn from_row(page: &mut Browser, name: &str, item: &str) -> Result<()> {
    page.click_at(&format!("{} [data-testid=row-more]", row(name)))?;
    page.click(item)
}

/// A number on the page.
fn seen(page: &mut Browser, expression: &str) -> Result<i64> {
    Ok(page.evaluate(expression)?.as_i64().unwrap_or(-1))
}

// product: L2, J2, C1, C5, C13, C14, C17, C19, C20, C21
#[tokio::test(flavor = "multi_thread")]
async fn people_talk_vote_and_are_led_through_a_meeting_by_its_page() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(0.0, Colour::Red)?;
    host.login(server.web, "concurrent", PASSWORD)?;
    host.click("instant-open")?;
    host.fill("instant-title", "周会")?;
    host.fill("instant-password", "135790")?;
    host.click("instant-start")?;
    host.click("prejoin-join")?;
    host.see(&by_id("room"))?;
    let number = host.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();

    // The link brings the password; what is said before one comes is there.
    host.click("toggle-chat")?;
    host.fill("chat-text", "欢迎，议程 https://example.com/agenda")?;
    host.press("Enter")?;
    host.see(&by_id("chat-message"))?;
    let mut guest = Browser::start(0.0, Colour::Green)?;
    guest.open(&format!("http://{}/j/{number}#p=135790", server.web))?;
    guest.fill("join-name", "李雷")?;
    guest.click("join-submit")?;
    guest.click("prejoin-join")?;
    guest.see(&by_id("room"))?;
    guest.see(&format!("{}[data-unread='0']", by_id("toggle-chat")))?;
    guest.click("toggle-chat")?;
    assert!(guest.text(&by_id("chat-message"))?.contains("议程"));
    is_sound(&mut guest, "chat")?;
    guest.click("panel-close")?;
    let stranger = json!({"type": "join", "name": "<img src=x onerror=alert(1)>", "password": "135790"});
    let third = Client::join(server.web, &number, stranger, None).await?;
    let fourth = json!({"type": "join", "name": "Ada King", "password": "135790"});
    let mut fourth = Client::join(server.web, &number, fourth, None).await?;

    // To one alone, from his row; he has not looked yet.
    host.click("toggle-participants")?;
    host.see(&row("<img src=x onerror=alert(1)>"))?;
    host.fill("participants-search", "李")?;
    host.miss(&row("Ada King"))?;
    from_row(&mut host, "李雷", "row-chat")?;
    host.fill("chat-text", "只给你")?;
    host.click("chat-send")?;
    host.see(&format!("{}[data-private]", by_id("chat-message")))?;
    guest.see(&format!("{}[data-unread='1']", by_id("toggle-chat")))?;
    guest.see("[data-notice=said]")?;
    guest.press("c")?;
    guest.see(&format!("{}[data-private]", by_id("chat-message")))?;
    guest.see(&format!("{}[data-unread='0']", by_id("toggle-chat")))?;
    let sent = fourth.command(json!({"type": "chat", "to": null, "text": "<b>大家好</b>"})).await?;
    assert_eq!(sent["type"], "done");
    host.until(
        "[...document.querySelectorAll('[data-testid=chat-message]')].some(m => m.innerText.includes('<b>大家好</b>'))",
    )?;
    assert_eq!(seen(&mut guest, "document.querySelectorAll('[data-testid=chat-message]').length")?, 3);

    // Hands and reactions.
    guest.press("Escape")?;
    guest.click("panel-close")?;
    guest.click("reactions")?;
    guest.click("toggle-hand")?;
    host.see("[data-testid=tile][data-name='李雷'][data-hand=true]")?;
    guest.click("reactions")?;
    guest.click("react-clap")?;
    host.see("[data-testid=tile][data-name='李雷'] [data-testid=reaction]")?;

    // A vote.
    host.click("more")?;
    host.click("open-polls")?;
    host.click("poll-new")?;
    host.fill("poll-question", "何时发布？")?;
    host.fill("poll-choice", "周五")?;
    host.evaluate("document.querySelectorAll('[data-testid=poll-choice]')[1].focus()")?;
    for key in ["M", "o", "n"] {
        host.press(key)?;
    }
    is_sound(&mut host, "a new poll")?;
    host.click("poll-start")?;
    guest.click_at("[data-notice=poll] [data-testid=notice-accept]")?;
    guest.click_at("[data-testid=poll-option] >> nth=1")?;
    guest.click("poll-vote")?;
    host.click_at("[data-testid=poll-option] >> nth=1")?;
    host.click("poll-vote")?;
    guest.see("[data-testid=poll-result][data-votes='2']")?;
    host.click("poll-close")?;
    guest.see("[data-testid=poll][data-open=false]")?;
    is_sound(&mut guest, "a poll")?;

    // Shown large to all; another one for oneself alone.
    host.click("panel-close")?;
    host.press("p")?;
    host.fill("participants-search", "")?;
    from_row(&mut host, "Ada King", "row-spotlight")?;
    let large = "document.querySelector('[data-testid=tile][data-large]').dataset.name";
    guest.until(&format!("{large} === 'Ada King'"))?;
    guest.press("p")?;
    from_row(&mut guest, "魏华", "row-pin")?;
    guest.until(&format!("{large} === '魏华'"))?;
    host.until(&format!("{large} === 'Ada King'"))?;
    guest.press("w")?;
    guest.see("[data-testid=stage][data-layout=gallery]")?;

    // Names, hands, doors.
    from_row(&mut host, "Ada King", "row-rename")?;
    host.fill("rename-name", "阿达")?;
    host.click("rename-submit")?;
    guest.see(&row("阿达"))?;
    host.click("lower-hands")?;
    guest.until("!window.huitong.me.hand")?;
    host.click("mute-on-entry")?;
    host.until("window.huitong.state.meeting.mute_on_entry")?;
    host.click("more")?;
    host.click("toggle-lock-share")?;
    guest.see(&format!("{}:disabled", by_id("toggle-screen")))?;
    host.click("more")?;
    host.click("toggle-lock-share")?;
    guest.see(&format!("{}:enabled", by_id("toggle-screen")))?;
    is_sound(&mut host, "the host's meeting")?;

    // Longer and larger.
    let ends = seen(&mut host, "window.huitong.state.meeting.ends_ms")?;
    host.click("more")?;
    host.click("open-scale")?;
    is_sound(&mut host, "extend and enlarge")?;
    host.click("extend-more")?;
    host.click("extend")?;
    guest.until(&format!("window.huitong.state.meeting.ends_ms === {}", ends + 60 * 60_000))?;
    host.click("enlarge")?;
    guest.until("window.huitong.state.meeting.capacity === 15")?;
    host.press("Escape")?;
    host.miss(&by_id("extend"))?;

    // By the keyboard; help; a lost connection.
    guest.press("Shift+?")?;
    guest.see(&by_id("shortcut-help"))?;
    guest.press("Escape")?;
    guest.evaluate("window.huitong.reconnect()")?;
    guest.see(&by_id("reconnecting"))?;
    guest.miss(&by_id("reconnecting"))?;
    guest.until("window.huitong.state.phase === 'joined' && window.huitong.state.chat.length === 3")?;
    drop((third, fourth));
    host.click("leave")?;
    host.click("end-meeting")?;
    guest.see(&format!("{}[data-reason=meeting_ended]", by_id("over")))?;
    Ok(())
}
