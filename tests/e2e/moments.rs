//! What comes only in passing, because something is amiss, about to end or on its way, as pictures for docs/screens: made by
//! `make pictures` like those of `screens`. Whether it is right is tested where its story is (`troubles`, `dial_out`,
//! `reminder`, `sharing`, `quality`).

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tests::{Baresip, Browser, Codec, Devices, Kamailio, PASSWORD, Server, Strait, User, by_id};

use crate::{
    dial_out::trunk,
    pictures::somebody,
    screens::{Doing, Visitor},
    sharing::write_pages,
    troubles::{door, speak, to_mirror},
    web::{from_row, segment},
};

#[test]
#[ignore = "writes docs/screens: make pictures"]
fn pictures_of_moments_in_chinese() -> Result<()> {
    walk(&Visitor { language: "zh-CN", doing: Doing::Shoot })
}

#[test]
#[ignore = "writes docs/screens: make pictures"]
fn pictures_of_moments_in_english() -> Result<()> {
    walk(&Visitor { language: "en", doing: Doing::Shoot })
}

fn walk(visitor: &Visitor) -> Result<()> {
    let carrier = Kamailio::start("SHA-256")?;
    let announced = format!("[\"{}\"]", Strait::ADDRESS);
    let mut server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{}]", trunk(&carrier, ""))),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#),
        ("HUITONG_MEDIA__ANNOUNCED", &announced),
        // What is sent goes nowhere.
        ("HUITONG_MAIL__SMTP", "smtp://127.0.0.1:9"),
        ("HUITONG_SMS__URL", "http://127.0.0.1:9/"),
        ("HUITONG_SMS__BODY", "To={to}"),
    ])?;
    server.wait_for_log("trunk is up")?;
    let strait = Strait::to(server.webrtc)?;
    let mut guest = visitor.somebody(&server, "0x7a5c86")?;
    before(visitor, &server, &mut guest)?;
    bookings(visitor, &server, &mut guest)?;
    // What is lost is counted among what is sent, and silence isn't.
    let mut host = somebody(visitor.language, "0x2f6f7e", 700.0)?;
    host.open(&format!("http://{}/", server.web))?;
    speak(&mut host, visitor.language)?;
    called(visitor, &server, &carrier, &mut host)?;
    among_others(visitor, &server, &strait, &mut host, &mut guest)?;
    near_the_end(visitor, &server, &mut host, &mut guest)?;
    devices(visitor, &server)?;
    server.interrupt()?;
    guest.reload()?;
    guest.see(&by_id("offline"))?;
    visitor.at(&mut guest, "offline")
}

/// Before a meeting: a code by short message, a meeting that begins soon, a browser that is too old.
fn before(visitor: &Visitor, server: &Server, guest: &mut Browser) -> Result<()> {
    guest.open(&format!("http://{}/forgot", server.web))?;
    segment(guest, "forgot-by", visitor.say("手机号找回", "By text message"))?;
    guest.fill("forgot-name", "member")?;
    guest.click("forgot-submit")?;
    guest.see(&by_id("forgot-code"))?;
    visitor.at(guest, "forgot-code")?;

    tokio::runtime::Runtime::new()?.block_on(async {
        let member = User::login(server, "member").await?;
        member.ask(Method::PATCH, "/me", json!({"email": "member@example.com"}), &[]).await?;
        let owner = User::login(server, "concurrent").await?;
        let start = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 600)?.to_string();
        let title = visitor.say("产品评审", "Product review");
        let booked = owner.post("/meetings", json!({"title": title, "start": start, "capacity": 5})).await?.body;
        let invitations = format!("/meetings/{}/invitations", booked["id"].as_str().context("an id")?);
        owner.post(&invitations, json!({"emails": ["member@example.com"], "language": "zh"})).await
    })?;
    guest.login(server.web, "member", PASSWORD)?;
    guest.see(&by_id("reminder"))?;
    visitor.at(guest, "reminder")?;
    guest.click("account-menu")?;
    guest.click("logout")?;

    let mut old = visitor.somebody(server, "0x7a5c86")?;
    old.before_each_page("delete window.RTCPeerConnection")?;
    old.open(&format!("http://{}/", server.web))?;
    old.see(&by_id("old-browser"))?;
    visitor.at(&mut old, "old-browser")
}

/// A shared room, a day some of which is taken, what is deleted and can be had back, an account that is locked.
fn bookings(visitor: &Visitor, server: &Server, page: &mut Browser) -> Result<()> {
    let home = format!("http://{}/", server.web);
    page.login(server.web, "shared", PASSWORD)?;
    page.click("book-open")?;
    page.see(&by_id("room-choice"))?;
    visitor.at(page, "book-shared")?;
    page.click("account-menu")?;
    page.click("logout")?;
    page.login(server.web, "concurrent", PASSWORD)?;
    page.click("book-open")?;
    page.fill("book-title", visitor.say("全员大会", "All hands"))?;
    page.fill("book-capacity", "150")?;
    page.click("book-submit")?;
    page.see(&by_id("invite-text"))?;
    page.open(&format!("{home}book"))?;
    page.fill("book-capacity", "100")?;
    page.click("book-slots")?;
    page.see(&format!("{}:disabled", by_id("free-slot")))?;
    visitor.at(page, "free-slots-taken")?;
    page.open(&home)?;
    let title = visitor.say("全员大会", "All hands");
    page.click_at(&format!("[data-testid=meeting-item][data-title='{title}'] [data-testid=meeting-more]"))?;
    page.click("meeting-delete")?;
    page.see(&by_id("undo"))?;
    visitor.at(page, "undo")?;
    page.click("account-menu")?;
    page.click("logout")?;
    for password in ["wrong", "wrong", "wrong", PASSWORD] {
        page.fill("login-name", "shared")?;
        page.fill("login-password", password)?;
        page.click("login-submit")?;
        page.until("!document.querySelector('[data-testid=login-submit]').disabled")?;
    }
    page.see(&by_id("login-problem"))?;
    visitor.at(page, "account-locked")
}

/// The host calls others from the meeting.
fn called(visitor: &Visitor, server: &Server, carrier: &Kamailio, host: &mut Browser) -> Result<()> {
    let phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 0.0)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, visitor.say("韩梅梅", "Ada Lovelace"), "")?;
    // On a telephone the panel lies over all else.
    host.click("toggle-participants")?;
    host.click("more")?;
    host.click("open-invite")?;
    host.click("invite-by-mail")?;
    host.fill("invite-addresses", "lilei@example.com, lucy@example.com")?;
    visitor.at(host, "invite-mail")?;
    host.click("invite-by-room")?;
    host.see(&by_id("call-number"))?;
    visitor.at(host, "invite-room")?;
    host.click("invite-by-phone")?;
    for (number, name, state) in [
        ("138 0000 0000", visitor.say("吴敏", "Jim Green"), "no_such_number"),
        ("138 1234 5678", visitor.say("李雷", "Grace Hopper"), "ringing"),
    ] {
        host.fill("call-number", number)?;
        host.fill("call-name", name)?;
        host.click("call-submit")?;
        host.see(&format!("[data-testid=dial][data-state={state}]"))?;
    }
    visitor.at(host, "invite-phone")?;
    host.click("dial-stop")?;
    host.see("[data-testid=dial][data-state=stopped]")?;
    drop(phone);
    host.press("Escape")?;
    host.miss(&by_id("call-number"))
}

/// Two in a meeting: a second tab, a document, a network that loses a quarter.
fn among_others(
    visitor: &Visitor,
    server: &Server,
    strait: &Strait,
    host: &mut Browser,
    guest: &mut Browser,
) -> Result<()> {
    guest.open(&door(server))?;
    guest.enter(visitor.say("李雷", "Grace Hopper"), "")?;
    guest.click("toggle-participants")?;
    guest.new_tab()?;
    guest.open(&door(server))?;
    to_mirror(guest, visitor.say("李雷", "Grace Hopper"))?;
    guest.see(&by_id("prejoin-elsewhere"))?;
    visitor.at(guest, "second-tab")?;
    guest.open("about:blank")?;
    guest.show_tab(0)?;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join(visitor.say("季度报告.pdf", "Quarterly report.pdf"));
    write_pages(&path, &[slide(), slide()])?;
    host.click("share")?;
    host.upload("input[accept*=pdf]", &path)?;
    host.see(&by_id("page-number"))?;
    guest.see(&by_id("shown-document"))?;
    visitor.at(host, "document")?;
    visitor.at(guest, "document-guest")?;
    host.click("stop-sharing")?;
    guest.miss(&by_id("shown"))?;
    host.click("share")?;
    host.click("toggle-screen")?;
    guest.see("[data-testid=screen-tile] video")?;
    visitor.at(guest, "screen-guest")?;
    host.click("stop-sharing")?;
    guest.miss(&by_id("screen-tile"))?;
    host.press("p")?;
    from_row(host, visitor.say("李雷", "Grace Hopper"), "row-chat")?;
    host.fill("chat-text", visitor.say("会后留一下。", "Please stay after the meeting."))?;
    host.click("chat-send")?;
    host.see(&format!("{}[data-private]", by_id("chat-message")))?;
    visitor.at(host, "chat-private")?;
    host.click("panel-close")?;

    strait.down.lose(250);
    guest.see(&by_id("network-poor"))?;
    visitor.at(guest, "network-poor")?;
    guest.click("quality")?;
    guest.see(&by_id("statistics"))?;
    visitor.at(guest, "network")?;
    strait.down.lose(0);
    guest.press("Escape")?;
    // Nothing but voices has room.
    strait.down.narrow(Some(60_000));
    guest.see(&by_id("tile-paused"))?;
    guest.until(&format!(
        "document.querySelector('{}')?.getAnimations().every(one => one.playState === 'finished')",
        by_id("tile-paused")
    ))?;
    visitor.at(guest, "picture-paused")?;
    strait.down.narrow(None);
    for page in [host, guest] {
        page.click("leave")?;
    }
    Ok(())
}

/// A page with a title, some lines and a diagram.
fn slide() -> String {
    let mut drawing = "1 1 1 rg 0 0 640 360 re f 0.09 0.47 0.55 rg 40 290 300 26 re f 0.82 0.85 0.87 rg".to_owned();
    for (y, width) in [(240, 230), (215, 200), (190, 240), (165, 170), (140, 215)] {
        drawing += &format!(" 40 {y} {width} 10 re f");
    }
    drawing += " 0.49 0.36 0.53 rg";
    for (x, height) in [(340, 70), (400, 110), (460, 90), (520, 160)] {
        drawing += &format!(" {x} 60 40 {height} re f");
    }
    drawing + " 0.4 0.45 0.48 rg 325 58 250 2 re f"
}

/// The host is asked whether to extend; a meeting whose time is up.
fn near_the_end(visitor: &Visitor, server: &Server, host: &mut Browser, guest: &mut Browser) -> Result<()> {
    host.click("leave-alone")?;
    host.see(&by_id("over"))?;
    host.open(&format!("http://{}/", server.web))?;
    host.click("account-menu")?;
    host.click("logout")?;
    host.login(server.web, "concurrent", PASSWORD)?;
    host.click("instant-open")?;
    host.fill("instant-title", visitor.say("周会", "Weekly meeting"))?;
    host.choose("book-duration", "15")?;
    host.click("instant-start")?;
    host.click("prejoin-join")?;
    host.see("[data-notice=ends_soon]")?;
    host.until("document.querySelector('[data-testid=tile] video')?.readyState > 2")?;
    visitor.at(host, "ends-soon")?;
    let number = host.evaluate("window.huitong.lock(true).then(() => window.huitong.state.meeting.number)")?;
    guest.open(&format!("http://{}/j/{}", server.web, number.as_str().unwrap_or_default()))?;
    to_mirror(guest, visitor.say("李雷", "Grace Hopper"))?;
    guest.click("prejoin-join")?;
    guest.see("[data-testid=prejoin-problem][data-code=locked]")?;
    visitor.at(guest, "locked")?;
    host.click("leave")?;
    host.click("end-meeting")?;
    host.see(&by_id("over"))?;

    let booked = tokio::runtime::Runtime::new()?.block_on(async {
        let owner = User::login(server, "concurrent").await?;
        owner.post("/meetings", json!({"title": visitor.say("站会", "Stand-up"), "duration": 15, "capacity": 5})).await
    })?;
    let of = |key: &str| booked.body[key].as_str().unwrap_or_default().to_owned();
    guest.open(&format!("http://{}/j/{}", server.web, of("number")))?;
    to_mirror(guest, visitor.say("李雷", "Grace Hopper"))?;
    server.bring_end_near(&of("id"), Duration::from_secs(20))?;
    guest.click("prejoin-join")?;
    guest.see(&format!("{}[data-reason=time_up]", by_id("over")))?;
    visitor.at(guest, "time-up")?;
    host.open(&format!("http://{}/", server.web))?;
    segment(host, "meetings-period", visitor.say("历史会议", "Past"))?;
    host.see(&by_id("meeting-item"))?;
    visitor.at(host, "past")
}

/// A machine without a camera, without anything, and a browser that gives nothing away.
fn devices(visitor: &Visitor, server: &Server) -> Result<()> {
    for (devices, screen) in
        [(Devices::NoCamera, "no-camera"), (Devices::Forbidden, "devices-denied"), (Devices::None, "no-devices")]
    {
        let mut page = Browser::start_on(devices)?;
        page.open(&door(server))?;
        speak(&mut page, visitor.language)?;
        to_mirror(&mut page, visitor.say("李雷", "Grace Hopper"))?;
        page.see(&by_id("trouble-camera"))?;
        visitor.at(&mut page, screen)?;
        if devices == Devices::None {
            page.click("prejoin-join")?;
            page.see(&by_id("room"))?;
            page.click("toggle-mic")?;
            page.see("[data-notice=trouble]")?;
            visitor.at(&mut page, "no-microphone")?;
        }
    }
    Ok(())
}
