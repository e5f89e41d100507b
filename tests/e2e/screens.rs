//! Every screen in turn: that axe-core finds nothing serious on it, whatever the size and the light; and, by `make pictures`,
//! as pictures in both languages for docs/screens, which are then looked at.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Browser, Client, PASSWORD, RawPhone, Server, Sitter, by_id, tag};

use crate::{
    pictures::{ffmpeg, keep, somebody},
    troubles::SIZES,
    web::{segment, unsound},
};

/// What is done with each screen.
pub(crate) enum Doing {
    /// Its picture is kept.
    Shoot,
    /// What keeps people out is gathered.
    Check(Mutex<Vec<String>>),
}

pub(crate) struct Visitor {
    pub(crate) language: &'static str,
    pub(crate) doing: Doing,
}

impl Visitor {
    pub(crate) fn say(&self, chinese: &'static str, english: &'static str) -> &'static str {
        if self.language == "zh-CN" { chinese } else { english }
    }

    /// The page shows this screen now.
    pub(crate) fn at(&self, page: &mut Browser, screen: &str) -> Result<()> {
        match &self.doing {
            Doing::Shoot => self.shoot(page, screen),
            Doing::Check(found) => {
                let more = unsound(page, screen)?;
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
                Ok(())
            }
        }
    }

    /// The same in the dark, where its picture is wanted too.
    fn in_the_dark(&self, page: &mut Browser, screen: &str) -> Result<()> {
        if matches!(self.doing, Doing::Check(_)) {
            return Ok(());
        }
        page.set_dark(true)?;
        self.shoot(page, &format!("{screen}-dark"))?;
        page.set_dark(false)
    }

    fn shoot(&self, page: &mut Browser, screen: &str) -> Result<()> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/screens");
        std::fs::create_dir_all(&folder)?;
        for ((width, height), size) in SIZES.into_iter().zip(["desk", "phone"]) {
            page.resize(width, height)?;
            page.set_finger(size == "phone")?;
            // What moves has arrived, and pictures have come.
            page.evaluate("new Promise(done => setTimeout(done, 600))")?;
            keep(page, &folder.join(format!("{screen}.{}.{size}.png", self.language)))?;
        }
        page.set_finger(false)?;
        page.resize(1440, 900)
    }

    /// What is looked at, and whose soundness is another story's: it costs a check nothing.
    pub(crate) fn glance(&self, page: &mut Browser, screen: &str) -> Result<()> {
        if matches!(self.doing, Doing::Shoot) { self.shoot(page, screen) } else { Ok(()) }
    }

    pub(crate) fn somebody(&self, server: &Server, wall: &str) -> Result<Browser> {
        let mut page = match self.doing {
            Doing::Shoot => somebody(self.language, wall, 0.0)?,
            // Small and slow: what the cameras show is not looked at, and the machine has better things to do.
            Doing::Check(_) => {
                let folder = tempfile::tempdir()?;
                let film = folder.path().join("wall.y4m");
                ffmpeg(&["-f", "lavfi", "-i", "color=c=blue:s=320x180:r=5:d=1", "-pix_fmt", "yuv420p"], &film)?;
                Browser::start_with(0.0, &film, folder)?
            }
        };
        page.open(&format!("http://{}/", server.web))?;
        page.evaluate(&format!("localStorage.setItem('huitong.language', '{}')", self.language))?;
        Ok(page)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_every_screen_in_chinese() -> Result<()> {
    walk(&Visitor { language: "zh-CN", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_every_screen_in_english() -> Result<()> {
    walk(&Visitor { language: "en", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_screen_keeps_anybody_out() -> Result<()> {
    let visitor = Visitor { language: "zh-CN", doing: Doing::Check(Mutex::default()) };
    walk(&visitor).await?;
    let Doing::Check(found) = visitor.doing else { unreachable!("it was so made") };
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

async fn walk(visitor: &Visitor) -> Result<()> {
    let server = Server::start_with(&[
        ("HUITONG_SUPPORT__URL", "https://help.example.com/"),
        ("HUITONG_SUPPORT__HOTLINE", "\"400 800 1234\""),
        ("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#),
        // What is sent goes nowhere.
        ("HUITONG_MAIL__SMTP", "smtp://127.0.0.1:9"),
        ("HUITONG_SMS__URL", "http://127.0.0.1:9/"),
        ("HUITONG_SMS__BODY", "To={to}"),
    ])?;
    let mut host = visitor.somebody(&server, "0x2f6f7e")?;
    account(visitor, &server, &mut host)?;
    let mut guest = visitor.somebody(&server, "0x7a5c86")?;
    site(visitor, &server, &mut guest)?;
    let (number, others) = coming_in(visitor, &server, &mut host, &mut guest).await?;
    meeting(visitor, &mut host, &mut guest, &others).await?;
    on_air(visitor, &server, &mut host, &mut guest, &number)
}

/// Before one is known, one's meetings, and what one sets.
fn account(visitor: &Visitor, server: &Server, host: &mut Browser) -> Result<()> {
    let home = format!("http://{}/", server.web);
    host.open(&home)?;
    host.see(&by_id("login-name"))?;
    visitor.at(host, "start")?;
    host.click("preferences")?;
    visitor.at(host, "preferences")?;
    host.open(&format!("{home}forgot"))?;
    host.see(&by_id("forgot-submit"))?;
    visitor.at(host, "forgot")?;
    host.open(&format!("{home}reset#token"))?;
    host.see(&by_id("password-submit"))?;
    visitor.at(host, "reset")?;
    // Of a page that is not for one nothing is told.
    host.open(&format!("{home}admin"))?;
    host.see(&by_id("not-found"))?;
    host.open(&format!("{home}nowhere"))?;
    host.see(&by_id("not-found"))?;
    visitor.at(host, "not-found")?;
    host.open(&home)?;
    host.fill("login-name", "concurrent")?;
    host.fill("login-password", PASSWORD)?;
    host.click("login-submit")?;
    host.see(&by_id("initial-password"))?;
    visitor.at(host, "initial-password")?;
    host.click("ignore-password")?;
    host.miss(&by_id("initial-password"))?;
    visitor.at(host, "home-empty")?;
    let tomorrow = host.evaluate(
        "(day => [day.getFullYear(), day.getMonth() + 1, day.getDate()].map(n => `${n}`.padStart(2, '0')).join('-'))\
         (new Date(Date.now() + 864e5))",
    )?;
    for is_series in [false, true] {
        host.click("book-open")?;
        let title = if is_series {
            visitor.say("项目周会", "Weekly meeting")
        } else {
            visitor.say("产品评审", "Product review")
        };
        host.fill("book-title", title)?;
        host.fill("book-password", "246810")?;
        if is_series {
            host.fill("book-day", tomorrow.as_str().context("a day")?)?;
            host.choose("book-repeat", "WEEKLY")?;
            visitor.at(host, "book")?;
            visitor.in_the_dark(host, "book")?;
            // On a telephone its own wheel chooses the day.
            host.click("book-day-calendar")?;
            host.see("[role=grid]")?;
            visitor.at(host, "book-calendar")?;
            host.press("Escape")?;
            host.miss("[role=grid]")?;
            host.click("book-slots")?;
            host.see(&by_id("free-slot"))?;
            visitor.at(host, "free-slots")?;
            host.press("Escape")?;
            host.miss(&by_id("free-slot"))?;
        } else {
            host.choose("book-early", "60")?;
            host.click("option-livestream")?;
        }
        host.click("book-submit")?;
        host.until("document.querySelector('[data-testid=invite-text]')?.value")?;
        if !is_series {
            visitor.at(host, "invite")?;
            host.click("invite-by-code")?;
            host.see("[data-testid=invite-code] svg")?;
            visitor.at(host, "invite-code")?;
        }
        host.press("Escape")?;
        host.miss("[role=dialog]")?;
    }
    visitor.at(host, "home")?;
    visitor.in_the_dark(host, "home")?;
    host.click_at(&format!("{} [data-testid=meeting-more]", item(visitor.say("产品评审", "Product review"))))?;
    host.see(&by_id("meeting-audience"))?;
    visitor.at(host, "meeting-menu")?;
    host.press("Escape")?;
    host.miss(&by_id("meeting-audience"))?;
    host.click_at(&format!("{} [data-testid=meeting-more]", item(visitor.say("项目周会", "Weekly meeting"))))?;
    host.click("meeting-edit-one")?;
    host.until("document.querySelector('[data-testid=book-title]')?.value")?;
    visitor.at(host, "edit-one")?;
    host.open(&home)?;
    host.click_at(&format!("{} [data-testid=meeting-more]", item(visitor.say("产品评审", "Product review"))))?;
    host.click("meeting-audience")?;
    host.see(&by_id("audience-public"))?;
    visitor.at(host, "audience")?;
    host.press("Escape")?;
    host.miss("[role=dialog]")?;
    host.click_at(&format!("{} [data-testid=meeting-more]", item(visitor.say("产品评审", "Product review"))))?;
    host.click("meeting-encoder")?;
    host.fill("encoder-name", visitor.say("主会场摄像机", "Camera in the hall"))?;
    host.click("encoder-make")?;
    host.see(&by_id("encoder-token"))?;
    visitor.at(host, "encoder")?;
    for tab in ["profile", "password", "meeting", "about"] {
        host.open(&format!("{home}settings#{tab}"))?;
        host.see(&by_id("tab-about"))?;
        visitor.at(host, if tab == "meeting" { "settings" } else { tab })?;
    }
    host.open(&home)?;
    host.click("instant-open")?;
    host.see(&by_id("instant-capacity"))?;
    host.fill("instant-title", visitor.say("产品评审", "Product review"))?;
    visitor.at(host, "instant")?;
    host.press("Escape")?;
    host.miss(&by_id("instant-capacity"))?;
    host.click_at(&format!("{} [data-testid=meeting-start]", item(visitor.say("项目周会", "Weekly meeting"))))?;
    host.click("prejoin-join")?;
    host.see("[data-testid=prejoin-waiting][data-reason=start]")?;
    visitor.at(host, "not-started")?;
    host.open(&home)
}

fn item(title: &str) -> String {
    format!("[data-testid=meeting-item][data-title='{title}']")
}

/// What administrators have.
fn site(visitor: &Visitor, server: &Server, page: &mut Browser) -> Result<()> {
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call("huitong", &offer, "")?;
    phone.send("BYE", &tag(&reply), "", "")?;
    phone.answer()?;
    page.login(server.web, "host", PASSWORD)?;
    for (tab, shown) in [("calls", "calls-table"), ("calling", "calling-save"), ("prompts", "prompt")] {
        page.open(&format!("http://{}/admin#{tab}", server.web))?;
        page.see(&by_id(shown))?;
        if tab == "calls" {
            segment(page, "calls-which", visitor.say("未入会的呼叫", "Reached no meeting"))?;
            page.see(&by_id("call"))?;
        }
        visitor.at(page, &format!("admin-{tab}"))?;
        if tab == "calls" {
            page.click("call-ladder")?;
            page.see(&by_id("ladder"))?;
            visitor.at(page, "admin-ladder")?;
        }
    }
    page.open(&format!("http://{}/book", server.web))?;
    page.see(&by_id("book-title"))?;
    visitor.glance(page, "book-dedicated")?;
    page.click("account-menu")?;
    page.see(&by_id("logout"))?;
    visitor.at(page, "account-menu")?;
    page.click("logout")?;
    page.miss(&by_id("account-menu"))
}

/// To the meeting's door and through it. The meeting's number and those who came.
async fn coming_in(
    visitor: &Visitor,
    server: &Server,
    host: &mut Browser,
    guest: &mut Browser,
) -> Result<(String, Vec<Sitter>)> {
    host.click_at(&format!("{} [data-testid=meeting-start]", item(visitor.say("产品评审", "Product review"))))?;
    host.see(&by_id("preview"))?;
    visitor.at(host, "before")?;
    host.click("by-phone")?;
    host.see(&by_id("dial-in-info"))?;
    visitor.at(host, "by-phone")?;
    host.press("Escape")?;
    host.miss(&by_id("dial-in-info"))?;
    host.click("prejoin-join")?;
    host.see(&by_id("room"))?;
    visitor.at(host, "alone")?;
    let number = host.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();
    host.evaluate("window.huitong.waitingRoom(true)")?;
    guest.open(&format!("http://{}/j/{number}", server.web))?;
    guest.fill("join-name", visitor.say("李雷", "Grace Hopper"))?;
    guest.see(&by_id("join-password"))?;
    visitor.at(guest, "join")?;
    guest.fill("join-password", "135790")?;
    guest.click("join-submit")?;
    guest.click("prejoin-join")?;
    guest.see(&by_id("prejoin-problem"))?;
    visitor.at(guest, "wrong-password")?;
    guest.fill("join-password", "246810")?;
    guest.click("prejoin-join")?;
    guest.see("[data-testid=prejoin-waiting][data-reason=admission]")?;
    visitor.at(guest, "waiting-room")?;
    host.see(&by_id("admit"))?;
    visitor.at(host, "door")?;
    host.click("admit")?;
    host.evaluate("window.huitong.waitingRoom(false)")?;
    guest.see(&by_id("room"))?;
    let mut others = Vec::new();
    for name in [("韩梅梅", "Ada Lovelace"), ("林涛", "Alan Turing"), ("Jim Green", "王芳"), ("吴敏", "Edsger")]
    {
        let join = json!({"type": "join", "name": visitor.say(name.0, name.1), "password": "246810"});
        others.push(Sitter::new(Client::join(server.web, &number, join, None).await?));
    }
    Ok((number, others))
}

/// In the meeting.
async fn meeting(visitor: &Visitor, host: &mut Browser, guest: &mut Browser, others: &[Sitter]) -> Result<()> {
    guest.click("reactions")?;
    guest.see(&by_id("react-clap"))?;
    visitor.at(guest, "reactions")?;
    guest.click("toggle-hand")?;
    for (at, chinese, english) in [
        (1, "大家能看到演示稿吗？", "Can everyone see the slides?"),
        (2, "可以。资料在 https://example.com/docs", "Yes. They are at https://example.com/docs"),
    ] {
        others[at].command(json!({"type": "chat", "to": null, "text": visitor.say(chinese, english)})).await?;
    }
    host.until("document.querySelectorAll('[data-testid=tile]').length >= 6")?;
    host.until("[...document.querySelectorAll('[data-testid=tile] video')].every(v => v.readyState > 2)")?;
    visitor.at(host, "meeting")?;
    visitor.in_the_dark(host, "meeting")?;
    // The list that he opens himself stays where there is little room, too.
    host.press("p")?;
    host.press("p")?;
    let row = format!("[data-testid=participant-row][data-name='{}']", visitor.say("李雷", "Grace Hopper"));
    host.click_at(&format!("{row} [data-testid=row-more]"))?;
    host.see(&by_id("row-rename"))?;
    visitor.at(host, "participant-menu")?;
    host.click("row-rename")?;
    host.see(&by_id("rename-name"))?;
    visitor.at(host, "rename")?;
    host.press("Escape")?;
    host.miss(&by_id("rename-name"))?;
    host.click("dial-in")?;
    host.see(&by_id("dial-in-info"))?;
    visitor.at(host, "dial-in")?;
    host.press("Escape")?;
    host.miss(&by_id("dial-in-info"))?;
    host.press("w")?;
    host.click("panel-close")?;
    visitor.at(host, "gallery")?;
    host.press("c")?;
    host.fill("chat-text", visitor.say("可以，谢谢！", "I can, thank you!"))?;
    host.press("Enter")?;
    host.until("window.huitong.state.chat.length === 3")?;
    visitor.at(host, "chat")?;
    visitor.in_the_dark(host, "chat")?;

    host.click("more")?;
    host.click("open-polls")?;
    host.click("poll-new")?;
    host.see(&by_id("poll-start"))?;
    visitor.at(host, "poll-new")?;
    let question = visitor.say("这个版本何时发布？", "When do we release?");
    let choices = [visitor.say("本周五", "This Friday"), visitor.say("下周一", "Next Monday")];
    host.evaluate(&format!("window.huitong.startPoll('{question}', ['{}', '{}'], false)", choices[0], choices[1]))?;
    for (at, other) in others.iter().enumerate() {
        other.command(json!({"type": "vote", "poll": 1, "choices": [usize::from(at == 0)]})).await?;
    }
    host.click("panel-close")?;
    host.click("more")?;
    host.see(&by_id("open-polls"))?;
    visitor.at(host, "more")?;
    host.click("open-polls")?;
    host.click_at("[data-testid=poll-option]")?;
    host.click("poll-vote")?;
    host.until("window.huitong.state.polls[0].voters === 5")?;
    visitor.at(host, "poll")?;
    visitor.in_the_dark(host, "poll")?;
    host.click("poll-close")?;
    host.see(&by_id("poll-result"))?;
    visitor.glance(host, "poll-result")?;
    host.click("panel-close")?;
    for (opens, shown, screen) in [
        ("open-scale", "extend", "scale"),
        ("open-invite", "invite-text", "invite-in-meeting"),
        ("open-breakout-rooms", "open-breakouts", "breakouts"),
        ("open-devices", "device-blur", "devices"),
        ("open-statistics", "graph", "statistics"),
        ("open-keys", "shortcut-help", "keys"),
    ] {
        host.click("more")?;
        host.click(opens)?;
        host.see(&by_id(shown))?;
        visitor.at(host, screen)?;
        if screen == "statistics" {
            visitor.in_the_dark(host, screen)?;
        }
        host.press("Escape")?;
        host.miss(&by_id(shown))?;
    }
    in_rooms(visitor, host, guest)?;

    host.click("share")?;
    host.see(&by_id("share-dialog"))?;
    visitor.at(host, "share")?;
    host.click("share-whiteboard")?;
    let board = by_id("whiteboard");
    host.see(&format!("{board}[data-state=ready]"))?;
    host.drag(&board, (0.15, 0.3), (0.4, 0.6))?;
    host.click("board-rectangle")?;
    host.click("board-red")?;
    host.drag(&board, (0.5, 0.25), (0.8, 0.65))?;
    visitor.at(host, "whiteboard")?;
    host.click("stop-sharing")?;
    host.miss(&board)?;

    // What the host does to a guest, and a network that goes.
    host.evaluate("window.huitong.muteAll(true)")?;
    guest.until("window.huitong.me.muted")?;
    host.evaluate("window.huitong.unmute(window.huitong.state.participants.find(one => one.hand).id)")?;
    guest.see("[data-notice=asked_to_unmute]")?;
    visitor.at(guest, "asked")?;
    guest.set_offline(true)?;
    guest.evaluate("window.huitong.reconnect()")?;
    guest.see(&by_id("reconnecting"))?;
    // Looked at by tests/e2e/troubles.rs too; each check is long enough for the meeting to be given up.
    if matches!(visitor.doing, Doing::Shoot) {
        visitor.at(guest, "reconnecting")?;
    }
    guest.set_offline(false)?;
    guest.until("window.huitong.state.phase === 'joined'")
}

/// Breakout rooms, as their host and who is in one see them.
fn in_rooms(visitor: &Visitor, host: &mut Browser, guest: &mut Browser) -> Result<()> {
    host.evaluate("window.huitong.openBreakouts(2, true).then(() => window.huitong.timeBreakouts(10))")?;
    guest.click("ask-help")?;
    host.see("[data-notice=help]")?;
    host.click("more")?;
    host.click("open-breakout-rooms")?;
    host.see(&by_id("asks-help"))?;
    visitor.at(host, "breakouts-open")?;
    let text = visitor.say("请各组准备汇报。", "Please get ready to report.");
    host.evaluate(&format!("window.huitong.tellRooms('{text}')"))?;
    guest.see("[data-notice=announced]")?;
    visitor.at(guest, "breakout-room")?;
    host.click("close-breakouts")?;
    host.press("Escape")?;
    host.miss("[role=dialog]")?;
    guest.miss(&by_id("breakout"))?;
    guest.evaluate("document.querySelector('[data-notice=announced] button').click()")?;
    Ok(())
}

/// Live and recorded, watched, and over.
fn on_air(visitor: &Visitor, server: &Server, host: &mut Browser, guest: &mut Browser, number: &str) -> Result<()> {
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    host.click("more")?;
    host.click("toggle-recording")?;
    host.see(&by_id("recording"))?;
    visitor.at(host, "live")?;
    host.click("more")?;
    host.see(&by_id("open-pushes"))?;
    visitor.at(host, "live-menu")?;
    host.click("open-pushes")?;
    host.see(&by_id("push-url"))?;
    visitor.at(host, "pushes")?;
    host.press("Escape")?;
    host.miss(&by_id("push-url"))?;

    host.evaluate("window.huitong.remove(window.huitong.state.participants.find(one => one.hand).id)")?;
    guest.see(&format!("{}[data-reason=removed]", by_id("over")))?;
    visitor.at(guest, "removed")?;
    guest.open(&format!("http://{}/j/{number}#p=246810", server.web))?;
    guest.reload()?;
    guest.click("prejoin-join")?;
    guest.see("[data-testid=prejoin-problem][data-code=removed]")?;
    visitor.at(guest, "not-again")?;
    guest.open(&host.watch_address()?)?;
    guest.see("[data-state=playing]")?;
    guest.until("document.querySelector('video').currentTime > 2")?;
    visitor.at(guest, "watch")?;

    host.click("leave")?;
    host.see(&by_id("end-meeting"))?;
    visitor.at(host, "leave")?;
    host.click("end-meeting")?;
    host.see(&format!("{}[data-reason=meeting_ended]", by_id("over")))?;
    visitor.at(host, "over")?;
    guest.see("[data-state=replay]")?;
    visitor.at(guest, "watch-replay")?;
    host.open(&format!("http://{}/", server.web))?;
    segment(host, "meetings-period", visitor.say("录制", "Recordings"))?;
    host.see(&by_id("recording-item"))?;
    visitor.at(host, "recordings")
}
