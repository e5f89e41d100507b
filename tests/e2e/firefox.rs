//! What a person does in Firefox: by standards alone, the same as in Chromium.

use anyhow::Result;
use tests::{Browser, Colour, Server, by_id, free_everywhere};

const HOST: f32 = 700.0;
const FOX: u32 = 1_100;

const LOUD: f32 = 0.05;
const SILENT: f32 = 0.01;

fn tile(name: &str) -> String {
    format!("[data-testid=stage] [data-testid=tile][data-name='{name}']")
}

// product: J1, J2, C18, B4
#[test]
fn firefox_meets_chromium_and_watches() -> Result<()> {
    let everywhere = format!("0.0.0.0:{}", free_everywhere()?);
    let server = Server::start_with(&[("HUITONG_MEDIA__WEBRTC", &everywhere)])?;
    let mut host = Browser::start(HOST, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut fox = Browser::firefox(FOX)?;
    fox.join(server.web, &server.meeting, "李雷", &server.password)?;

    // Both hear and see each other.
    fox.see_colour(&format!("{} video", tile("韩梅梅")), Colour::Red)?;
    host.see_change(&format!("{} video", tile("李雷")))?;
    let heard = fox.hear(3)?.tone(HOST, 2.0);
    assert!(heard > LOUD, "Firefox hears the host at {heard}");
    let heard = host.hear(3)?.tone(FOX as f32, 2.0);
    assert!(heard > LOUD, "the host hears Firefox at {heard}");

    // Who is muted is not heard; what is written is read.
    fox.click("toggle-mic")?;
    host.see("[data-testid=participant-row][data-name='李雷'][data-muted=true]")?;
    let heard = host.hear(2)?.tone(FOX as f32, 1.0);
    assert!(heard < SILENT, "the host hears a muted Firefox at {heard}");
    fox.click("toggle-chat")?;
    fox.fill("chat-text", "看得见吗？")?;
    fox.press("Enter")?;
    host.click("toggle-chat")?;
    host.see("[data-testid=chat-message][data-from=李雷]")?;

    // What is live plays in it too.
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    fox.click("leave")?;
    fox.see(&by_id("over"))?;
    let id = host.evaluate("window.huitong.state.meeting.id")?;
    fox.open(&format!("http://{}/watch/{}", server.web, id.as_str().unwrap_or_default()))?;
    fox.see("[data-testid=watch-state][data-state=playing]")?;
    fox.see_colour("[data-testid=watch-video]", Colour::Red)
}
