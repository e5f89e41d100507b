//! Every screen in both languages, on a desk and on a phone, for docs/screens: made by `make pictures`, then looked at.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use tests::{Browser, Client, Server, by_id};

use crate::pictures::somebody;

const SIZES: [(&str, u32, u32); 2] = [("desk", 1440, 900), ("phone", 390, 844)];

struct Camera {
    language: &'static str,
}

impl Camera {
    /// Keeps what the page shows now, in each size.
    fn shoot(&self, page: &mut Browser, screen: &str) -> Result<()> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/screens");
        std::fs::create_dir_all(&folder)?;
        for (size, width, height) in SIZES {
            page.resize(width, height)?;
            // What moves has arrived, and pictures have come.
            page.evaluate("new Promise(done => setTimeout(done, 600))")?;
            page.screenshot(&folder.join(format!("{screen}.{}.{size}.png", self.language)))?;
        }
        page.resize(1440, 900)
    }

    fn somebody(&self, server: &Server, wall: &str) -> Result<Browser> {
        let mut page = somebody(wall, 0.0)?;
        page.open(&format!("http://{}/", server.web))?;
        page.evaluate(&format!("localStorage.setItem('huitong.language', '{}')", self.language))?;
        Ok(page)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_every_screen() -> Result<()> {
    for language in ["zh-CN", "en"] {
        walk(&Camera { language }).await?;
    }
    Ok(())
}

async fn walk(camera: &Camera) -> Result<()> {
    let is_chinese = camera.language == "zh-CN";
    let say = |chinese: &'static str, english: &'static str| if is_chinese { chinese } else { english };
    let server = Server::start()?;
    let home = format!("http://{}/", server.web);
    let mut host = camera.somebody(&server, "0x2f6f7e")?;
    host.open(&home)?;
    host.see(&by_id("login-name"))?;
    camera.shoot(&mut host, "start")?;
    host.open(&format!("{home}forgot"))?;
    camera.shoot(&mut host, "forgot")?;
    host.open(&home)?;
    host.fill("login-name", "concurrent")?;
    host.fill("login-password", "Huitong-2026")?;
    host.click("login-submit")?;
    host.see(&by_id("initial-password"))?;
    camera.shoot(&mut host, "initial-password")?;
    host.click("ignore-password")?;
    for (title, rule) in [(say("产品评审", "Product review"), ""), (say("项目周会", "Weekly meeting"), "WEEKLY")]
    {
        host.click("book-open")?;
        host.fill("book-title", title)?;
        host.fill("book-password", "246810")?;
        host.choose("book-repeat", rule)?;
        host.click("option-waiting_room")?;
        if rule == "WEEKLY" {
            camera.shoot(&mut host, "book")?;
            host.click("book-slots")?;
            host.see(&by_id("free-slot"))?;
            camera.shoot(&mut host, "free-slots")?;
            host.press("Escape")?;
            host.miss(&by_id("free-slot"))?;
        }
        host.click("book-submit")?;
        host.until("document.querySelector('[data-testid=invite-text]')?.value")?;
        if rule.is_empty() {
            camera.shoot(&mut host, "invite")?;
            host.click("invite-by-code")?;
            host.see("[data-testid=invite-code] svg")?;
            camera.shoot(&mut host, "invite-code")?;
        }
        host.press("Escape")?;
        host.miss("[role=dialog]")?;
    }
    camera.shoot(&mut host, "home")?;
    host.set_dark(true)?;
    camera.shoot(&mut host, "home-dark")?;
    host.set_dark(false)?;
    host.open(&format!("{home}settings#profile"))?;
    camera.shoot(&mut host, "profile")?;
    host.open(&format!("{home}settings#meeting"))?;
    camera.shoot(&mut host, "settings")?;

    // A meeting.
    host.open(&home)?;
    host.click("instant-open")?;
    host.see(&by_id("instant-capacity"))?;
    host.fill("instant-title", say("产品评审", "Product review"))?;
    camera.shoot(&mut host, "instant")?;
    host.click("instant-start")?;
    host.see(&by_id("preview"))?;
    camera.shoot(&mut host, "before")?;
    host.click("prejoin-join")?;
    host.see(&by_id("room"))?;
    let number = host.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();
    let mut guest = camera.somebody(&server, "0x7a5c86")?;
    guest.open(&format!("{home}j/{number}"))?;
    guest.fill("join-name", say("李雷", "Grace Hopper"))?;
    camera.shoot(&mut guest, "join")?;
    guest.click("join-submit")?;
    guest.click("prejoin-join")?;
    guest.see(&by_id("room"))?;
    let mut others = Vec::new();
    for name in
        [say("韩梅梅", "Ada Lovelace"), say("林涛", "Alan Turing"), say("Jim Green", "王芳"), say("吴敏", "Edsger")]
    {
        others.push(Client::join(server.web, &number, json!({"type": "join", "name": name}), None).await?);
    }
    guest.click("reactions")?;
    guest.click("toggle-hand")?;
    for (at, text) in [
        (1, say("大家能看到演示稿吗？", "Can everyone see the slides?")),
        (2, say("可以。资料在 https://example.com/docs", "Yes. They are at https://example.com/docs")),
    ] {
        others[at].command(json!({"type": "chat", "to": null, "text": text})).await?;
    }
    host.until("document.querySelectorAll('[data-testid=tile]').length >= 6")?;
    host.until("[...document.querySelectorAll('[data-testid=tile] video')].every(v => v.readyState > 2)")?;
    camera.shoot(&mut host, "meeting")?;
    host.press("w")?;
    host.click("panel-close")?;
    camera.shoot(&mut host, "gallery")?;
    host.press("c")?;
    host.fill("chat-text", say("可以，谢谢！", "I can, thank you!"))?;
    host.press("Enter")?;
    host.until("window.huitong.state.chat.length === 3")?;
    camera.shoot(&mut host, "chat")?;
    host.set_dark(true)?;
    camera.shoot(&mut host, "chat-dark")?;
    host.set_dark(false)?;
    let question = say("这个版本何时发布？", "When do we release?");
    let choices = [say("本周五", "This Friday"), say("下周一", "Next Monday")];
    host.evaluate(&format!("window.huitong.startPoll('{question}', ['{}', '{}'], false)", choices[0], choices[1]))?;
    for (at, other) in others.iter_mut().enumerate() {
        other.command(json!({"type": "vote", "poll": 1, "choices": [usize::from(at == 0)]})).await?;
    }
    host.click("more")?;
    camera.shoot(&mut host, "more")?;
    host.click("open-polls")?;
    host.click_at("[data-testid=poll-option]")?;
    host.click("poll-vote")?;
    host.until("window.huitong.state.polls[0].voters === 5")?;
    camera.shoot(&mut host, "poll")?;
    host.click("more")?;
    host.click("open-scale")?;
    host.see(&by_id("extend"))?;
    camera.shoot(&mut host, "scale")?;
    host.press("Escape")?;
    host.miss(&by_id("extend"))?;
    host.click("leave")?;
    host.click("end-meeting")?;
    guest.see(&by_id("over"))?;
    camera.shoot(&mut guest, "over")
}
