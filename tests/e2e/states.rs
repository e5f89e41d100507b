//! What a page also shows: that it is empty, that something was refused, that another leads. As pictures for docs/screens, made by
//! `make pictures` like those of `screens`, `moments` and `livestreams`; whether it is right is tested where its story is.

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Browser, Client, Devices, PASSWORD, Server, Sitter, User, by_id};

use crate::{
    screens::{Doing, Visitor},
    sharing::write_pages,
    troubles::{BY_RELAY_ALONE, TELLS_WHAT_IS_NOT_PLAYED, door, plays_nothing_untouched, speak, to_mirror},
    web::{from_row, new_password, segment},
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_states_in_chinese() -> Result<()> {
    walk(&Visitor { language: "zh-CN", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_states_in_english() -> Result<()> {
    walk(&Visitor { language: "en", doing: Doing::Shoot }).await
}

async fn walk(visitor: &Visitor) -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let mut guest = visitor.somebody(&server, "0x7a5c86")?;
    refusals(visitor, &server, &mut guest)?;
    let mut host = visitor.somebody(&server, "0x2f6f7e")?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, visitor.say("韩梅梅", "Ada Lovelace"), "")?;
    at_the_door(visitor, &server, &mut host, &mut guest).await?;
    among_others(visitor, &server, &mut host, &mut guest).await
}

#[test]
#[ignore = "writes docs/screens: make pictures"]
fn pictures_of_lines_in_chinese() -> Result<()> {
    lines(&Visitor { language: "zh-CN", doing: Doing::Shoot })
}

#[test]
#[ignore = "writes docs/screens: make pictures"]
fn pictures_of_lines_in_english() -> Result<()> {
    lines(&Visitor { language: "en", doing: Doing::Shoot })
}

/// What is wrong with what was typed, and what there is none of.
fn refusals(visitor: &Visitor, server: &Server, page: &mut Browser) -> Result<()> {
    let home = format!("http://{}/", server.web);
    page.open(&home)?;
    page.fill("login-name", "member")?;
    page.fill("login-password", "wrong")?;
    page.click("login-submit")?;
    page.see(&by_id("login-problem"))?;
    visitor.at(page, "login-wrong")?;
    page.open(&home)?;
    page.fill("join-number", "100000001")?;
    page.see(&by_id("join-problem"))?;
    visitor.at(page, "no-such-meeting")?;
    page.open(&format!("{home}forgot"))?;
    page.see(&by_id("forgot-none"))?;
    visitor.at(page, "forgot-none")?;

    page.login(server.web, "concurrent", PASSWORD)?;
    segment(page, "meetings-period", visitor.say("历史会议", "Past"))?;
    visitor.at(page, "past-empty")?;
    segment(page, "meetings-period", visitor.say("录制", "Recordings"))?;
    visitor.at(page, "recordings-empty")?;
    page.click("book-open")?;
    page.fill("book-title", visitor.say("产品<评审>", "Product <review>"))?;
    page.click("book-submit")?;
    page.see(&by_id("book-problem"))?;
    visitor.at(page, "book-refused")?;
    page.fill("book-title", visitor.say("产品评审", "Product review"))?;
    page.choose("book-repeat", "DAILY")?;
    page.click("option-livestream")?;
    page.click("book-submit")?;
    page.see(&by_id("invite-text"))?;
    page.press("Escape")?;
    page.miss("[role=dialog]")?;
    page.fill("meetings-search", visitor.say("年会", "Annual"))?;
    page.miss(&by_id("meeting-item"))?;
    visitor.at(page, "nothing-found")?;
    page.fill("meetings-search", "")?;
    page.click("meeting-more")?;
    page.see(&by_id("meeting-delete-one"))?;
    visitor.at(page, "series-menu")?;
    page.click("meeting-edit")?;
    page.until("document.querySelector('[data-testid=book-repeat]')?.value === 'DAILY'")?;
    page.set_zone("America/New_York")?;
    page.reload()?;
    page.see(&by_id("book-here"))?;
    visitor.at(page, "edit-elsewhere")?;
    page.set_zone("")?;
    page.open(&home)?;
    page.click("meeting-more")?;
    page.click("meeting-audience")?;
    page.click("audience-password")?;
    page.fill("audience-code", "abc")?;
    page.click("audience-save")?;
    page.see(&by_id("audience-problem"))?;
    visitor.at(page, "audience-refused")?;

    page.open(&format!("{home}settings#profile"))?;
    page.click("tab-password")?;
    page.fill("password-old", "wrong")?;
    new_password(page, "Another-2026")?;
    page.see(&by_id("password-problem"))?;
    visitor.at(page, "password-refused")?;
    page.click("tab-meeting")?;
    page.see(&by_id("setting-language"))?;
    page.evaluate(
        "document.querySelector('script[type=module][src]').setAttribute('src', '/assets/index-earlier.js')",
    )?;
    page.click("tab-about")?;
    page.see(&by_id("version-update"))?;
    visitor.at(page, "about-update")?;
    page.click("account-menu")?;
    page.click("logout")?;
    page.miss(&by_id("account-menu"))
}

/// Who waits for the host, or reads what the host says; a meeting that has no place left.
async fn at_the_door(visitor: &Visitor, server: &Server, host: &mut Browser, guest: &mut Browser) -> Result<()> {
    let owner = User::login(server, "concurrent").await?;
    let wish = json!({"title": visitor.say("产品评审", "Product review"), "duration": 60, "capacity": 2,
        "options": {"join_before_host": false}});
    let booked = owner.post("/meetings", wish).await?.body;
    let number = booked["number"].as_str().context("a number")?;
    guest.open(&format!("http://{}/j/{number}", server.web))?;
    to_mirror(guest, visitor.say("李雷", "Grace Hopper"))?;
    guest.click("prejoin-join")?;
    guest.see("[data-testid=prejoin-waiting][data-reason=host]")?;
    visitor.at(guest, "waiting-host")?;
    let join = |name: &str| json!({"type": "join", "name": name});
    let leads =
        Client::join(server.web, number, join(visitor.say("韩梅梅", "Ada Lovelace")), Some(&owner.cookie)).await?;
    guest.see(&by_id("room"))?;
    visitor.at(guest, "participants-guest")?;
    let mut late = visitor.somebody(server, "0x7a5c86")?;
    late.open(&format!("http://{}/j/{number}", server.web))?;
    to_mirror(&mut late, visitor.say("林涛", "Alan Turing"))?;
    late.click("prejoin-join")?;
    late.see("[data-testid=prejoin-problem][data-code=full]")?;
    visitor.at(&mut late, "full")?;
    drop((late, leads));
    guest.click("leave")?;
    guest.see("[data-testid=over][data-reason=left]")?;
    visitor.at(guest, "left")?;

    host.evaluate("window.huitong.waitingRoom(true)")?;
    guest.open(&door(server))?;
    to_mirror(guest, visitor.say("李雷", "Grace Hopper"))?;
    guest.click("prejoin-join")?;
    guest.see("[data-testid=prejoin-waiting][data-reason=admission]")?;
    host.click("toggle-chat")?;
    host.see("[data-notice=knock]")?;
    visitor.at(host, "knock")?;
    let text = visitor.say("上一个会议还有五分钟，请稍候。", "We need five more minutes.");
    host.evaluate(&format!("window.huitong.tellWaiting('{text}')"))?;
    guest.see(&by_id("prejoin-told"))?;
    visitor.at(guest, "waiting-told")?;
    host.evaluate("window.huitong.waitingRoom(false)")?;
    guest.see(&by_id("room"))
}

/// In the meeting: what its guests see, what is asked first, what can't be shown, many to be divided.
async fn among_others(visitor: &Visitor, server: &Server, host: &mut Browser, guest: &mut Browser) -> Result<()> {
    let mut others = Vec::new();
    for name in [("林涛", "Alan Turing"), ("吉姆", "Jim Green"), ("吴敏", "王芳"), ("露西", "Edsger")] {
        let join = json!({"type": "join", "name": visitor.say(name.0, name.1), "password": server.password});
        others.push(Sitter::new(Client::join(server.web, &server.meeting, join, None).await?));
    }
    visitor.at(host, "chat-empty")?;
    let folder = tempfile::tempdir()?;
    let report = folder.path().join(visitor.say("第三季度报告.txt", "Quarterly report.txt"));
    std::fs::write(&report, "1\n".repeat(90_000))?;
    host.upload("[data-testid=chat] input[type=file]", &report)?;
    host.see(&by_id("chat-file"))?;
    visitor.at(host, "chat-file")?;
    // One that takes long.
    host.evaluate("(window.fetched = window.fetch, window.fetch = () => new Promise(() => undefined), true)")?;
    host.upload("[data-testid=chat] input[type=file]", &report)?;
    host.see("[data-testid=chat-attach][data-loading]")?;
    visitor.at(host, "chat-sending")?;
    host.click("panel-close")?;
    host.click("share")?;
    let slides = folder.path().join(visitor.say("方案.pdf", "Plan.pdf"));
    write_pages(&slides, &["1 0 0 rg 0 0 640 360 re f".to_owned()])?;
    host.upload("input[accept*=pdf]", &slides)?;
    host.see(&format!("{}:disabled", by_id("share-whiteboard")))?;
    visitor.at(host, "share-sending")?;
    host.evaluate("(window.fetch = window.fetched, true)")?;
    host.press("Escape")?;
    host.miss("[role=dialog]")?;
    guest.click("share")?;
    let office = folder.path().join(visitor.say("方案.docx", "Plan.docx"));
    std::fs::write(&office, "PK")?;
    guest.upload("input[accept*=pdf]", &office)?;
    guest.see(&by_id("share-other"))?;
    visitor.at(guest, "share-other")?;
    guest.press("Escape")?;
    guest.miss("[role=dialog]")?;
    guest.evaluate("window.huitong.showPage('https://example.com/plan', null)")?;
    host.see(&by_id("shown-open"))?;
    visitor.at(host, "page-shown")?;
    guest.click("stop-sharing")?;
    host.miss(&by_id("shown"))?;

    host.click("toggle-participants")?;
    from_row(host, visitor.say("吉姆", "Jim Green"), "menu-remove")?;
    host.see(&by_id("confirm"))?;
    visitor.at(host, "remove")?;
    host.click("confirm-cancel")?;
    host.miss(&by_id("confirm"))?;
    host.fill("participants-search", visitor.say("韩梅", "Nobody"))?;
    visitor.at(host, "participants-search")?;
    host.fill("participants-search", "")?;

    guest.click("more")?;
    guest.see(&by_id("open-polls"))?;
    visitor.at(guest, "more-guest")?;
    guest.click("open-polls")?;
    visitor.at(guest, "polls-empty")?;
    let question = visitor.say("这个版本何时发布？", "When do we release?");
    let choices = [visitor.say("本周五", "This Friday"), visitor.say("下周一", "Next Monday")];
    host.evaluate(&format!("window.huitong.startPoll('{question}', ['{}', '{}'], false)", choices[0], choices[1]))?;
    guest.see(&by_id("poll-option"))?;
    visitor.at(guest, "poll-guest")?;
    for (at, other) in others.iter().enumerate() {
        other.command(json!({"type": "vote", "poll": 1, "choices": [usize::from(at == 0)]})).await?;
    }
    guest.click("poll-option")?;
    guest.click("poll-vote")?;
    guest.until("window.huitong.state.polls[0].voters === 5")?;
    visitor.at(guest, "poll-guest-voted")?;
    host.evaluate("window.huitong.closePoll(1)")?;
    guest.see("[data-testid=poll][data-open=false]")?;
    visitor.at(guest, "poll-guest-result")?;
    guest.click("panel-close")?;

    host.evaluate("window.huitong.openBreakouts(3, true)")?;
    host.click("more")?;
    host.click("open-breakout-rooms")?;
    host.fill("breakouts-search", visitor.say("林", "Alan"))?;
    // What is said meanwhile stands over the dialog.
    guest.click("ask-help")?;
    host.see("[data-notice=help]")?;
    visitor.at(host, "breakouts-search")?;
    host.click("close-breakouts")?;
    host.press("Escape")?;
    host.miss("[role=dialog]")?;
    guest.miss(&by_id("breakout"))?;
    host.evaluate("window.huitong.lockShare(true).then(() => window.huitong.lock(true))")?;
    guest.see(&format!("{}:disabled", by_id("share")))?;
    visitor.at(guest, "share-locked")?;
    host.evaluate("window.huitong.lockShare(false).then(() => window.huitong.lock(false))").map(drop)
}

/// A network that lets nothing through, one that is gone for good, and a browser that plays nothing untouched.
fn lines(visitor: &Visitor) -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let name = visitor.say("李雷", "Grace Hopper");
    let mut cut = visitor.somebody(&server, "0x2f6f7e")?;
    cut.before_each_page(BY_RELAY_ALONE)?;
    cut.open(&door(&server))?;
    to_mirror(&mut cut, visitor.say("韩梅梅", "Ada Lovelace"))?;
    cut.click("prejoin-join")?;
    cut.see("[data-testid=media-connecting] [data-testid=by-phone]")?;
    visitor.at(&mut cut, "no-media")?;

    let mut page = visitor.somebody(&server, "0x7a5c86")?;
    page.open(&door(&server))?;
    page.enter(name, "")?;
    page.set_offline(true)?;
    page.evaluate("window.huitong.reconnect()")?;
    page.see(&by_id("reconnecting"))?;
    page.evaluate("(now => Date.now = () => now() + 130_000)(Date.now.bind(Date))")?;
    page.see("[data-testid=over][data-reason=unreachable]")?;
    visitor.at(&mut page, "unreachable")?;
    page.set_offline(false)?;
    drop(page);

    let mut silent = Browser::start_on(Devices::Silent)?;
    silent.before_each_page(TELLS_WHAT_IS_NOT_PLAYED)?;
    silent.open(&door(&server))?;
    speak(&mut silent, visitor.language)?;
    silent.enter(visitor.say("林涛", "Alan Turing"), "")?;
    plays_nothing_untouched(&mut silent)?;
    visitor.at(&mut silent, "enable-sound")
}
