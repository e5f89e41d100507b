//! The way into a meeting and all that its page does, by touch on a small upright screen: what the stories of desks tell, once more
//! where thumbs must reach it. Sharing, drawing, extending and ending are told by `touch`, accounts and bookings by `web`.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Baresip, Browser, Client, Codec, Colour, Devices, Kamailio, PASSWORD, Server, Sitter, User, by_id};

use crate::{
    api::{MailServer, read_mail, receive},
    dial_out::trunk,
    pictures::ffmpeg,
    sharing::write_pages,
    touch::is_at_hand,
    troubles::door,
    web::{from_row, segment},
};

/// Brings something into view as a thumb does, then it must be free.
fn is_within_reach(page: &mut Browser, ids: &[&str]) -> Result<()> {
    for id in ids {
        page.see(&by_id(id))?;
        page.evaluate(&format!("document.querySelector('{}').scrollIntoView({{ block: 'nearest' }})", by_id(id)))?;
        is_at_hand(page, &[id])?;
    }
    Ok(())
}

fn row(name: &str) -> String {
    format!("[data-testid=participant-row][data-name='{name}']")
}

fn is_of(name: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["event"]["participant"]["name"] == name
}

async fn join(server: &Server, number: &str, name: &str) -> Result<Client> {
    let join = json!({"type": "join", "name": name, "password": server.password});
    Client::join(server.web, number, join, None).await
}

// product: J1, J2, J3, J4, J5, C6, C13, C24
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_with_a_telephone_finds_the_door_and_waits_before_it() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    let host = json!({"type": "join", "name": "主持人"});
    let mut host = Client::join(server.web, &server.meeting, host, Some(&cookie)).await?;
    host.command(json!({"type": "waiting_room", "on": true})).await?;

    // By its ID: one that leads nowhere says so; the right one names the meeting.
    let mut page = Browser::start_on(Devices::Phone)?;
    page.open(&format!("http://{}/", server.web))?;
    page.fill("join-number", "100000001")?;
    page.see(&by_id("join-problem"))?;
    page.fill("join-number", &server.meeting)?;
    page.see(&by_id("join-title"))?;
    page.fill("join-name", "李雷")?;
    page.fill("join-password", "0000")?;
    is_within_reach(&mut page, &["join-submit"])?;
    page.click("join-submit")?;

    // The mirror: what is sent is chosen, tried and switched off.
    is_within_reach(&mut page, &["prejoin-mic", "prejoin-camera", "prejoin-name", "prejoin-join", "device-camera"])?;
    page.until("document.querySelector('video')?.readyState > 2")?;
    page.until("document.querySelector('[data-testid=mic-level]').dataset.level > 0.2")?;
    page.click("prejoin-camera")?;
    page.see("[data-testid=prejoin-camera][aria-pressed=false]")?;
    page.miss(&by_id("preview"))?;
    page.click("prejoin-camera")?;
    page.see(&by_id("preview"))?;
    page.click_at("button[aria-label='Test speaker']")?;
    page.click("by-phone")?;
    is_at_hand(&mut page, &["dial-number", "dial-one-touch"])?;
    page.click("by-phone")?;
    page.miss(&by_id("dial-in-info"))?;

    // The wrong password, then the right one, and then it is the host's to let him in.
    page.click("prejoin-join")?;
    page.see("[data-testid=prejoin-problem][data-code=wrong_password]")?;
    page.fill("join-password", &server.password)?;
    page.click("prejoin-join")?;
    page.see("[data-testid=prejoin-waiting][data-reason=admission]")?;
    is_within_reach(&mut page, &["prejoin-give-up"])?;
    host.command(json!({"type": "tell_waiting", "text": "请稍候"})).await?;
    page.until("document.querySelector('[data-testid=prejoin-told]')?.innerText.includes('请稍候')")?;
    page.click("prejoin-give-up")?;
    page.miss(&by_id("prejoin-waiting"))?;
    page.click("prejoin-join")?;
    page.see(&by_id("prejoin-waiting"))?;
    host.command(json!({"type": "admit_all"})).await?;
    page.see(&by_id("room"))?;
    host.command(json!({"type": "waiting_room", "on": false})).await?;

    // Out, and in again by the link, which knows him; then nobody is let in any more, and he least of all.
    page.click("leave")?;
    page.see("[data-testid=over][data-reason=left]")?;
    is_within_reach(&mut page, &["over-meeting", "join-again"])?;
    page.open("about:blank")?;
    page.open(&door(&server))?;
    page.until("document.querySelector('[data-testid=prejoin-name]')?.value === '李雷'")?;
    host.command(json!({"type": "lock", "on": true})).await?;
    page.click("prejoin-join")?;
    page.see("[data-testid=prejoin-problem][data-code=locked]")?;
    is_within_reach(&mut page, &["prejoin-problem", "prejoin-join"])?;
    host.command(json!({"type": "lock", "on": false})).await?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    let you = page.evaluate("window.huitong.you")?;
    host.command(json!({"type": "remove", "participant": you})).await?;
    page.see("[data-testid=over][data-reason=removed]")?;
    assert_eq!(page.evaluate("document.documentElement.scrollWidth")?, 390);

    // Too early for another.
    let user = User::login(&server, "concurrent").await?;
    let start = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5)).to_string();
    let booked = user.post("/meetings", json!({"title": "周会", "start": start, "capacity": 5})).await?;
    let number = booked.body["number"].as_str().with_context(|| booked.body.to_string())?;
    page.open(&format!("http://{}/j/{number}", server.web))?;
    page.to_mirror("李雷", "")?;
    page.click("prejoin-join")?;
    page.see("[data-testid=prejoin-waiting][data-reason=start]")?;
    is_within_reach(&mut page, &["prejoin-opens", "prejoin-give-up"])?;
    page.click("prejoin-give-up")?;
    page.see(&by_id("prejoin-join"))
}

// product: C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C17, C19
#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_telephone_leads_those_who_are_there_and_hands_over() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start_on(Devices::Phone)?;
    page.login(server.web, "host", PASSWORD)?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = join(&server, &server.meeting, "李雷").await?;
    let ada = Sitter::new(join(&server, &server.meeting, "Ada King").await?);

    // The door: who is told of opens the list, where one is let in and another is not.
    page.click("more")?;
    page.click("toggle-waiting-room")?;
    page.until("window.huitong.state.meeting.waiting_room")?;
    let mut lucy = join(&server, &server.meeting, "Lucy").await?;
    let mut jim = join(&server, &server.meeting, "Jim").await?;
    page.click_at("[data-notice=knock] [data-testid=notice-show]")?;
    page.fill("tell-waiting", "马上开始")?;
    page.click("tell-waiting-send")?;
    lucy.next(|message| message["type"] == "told" && message["text"] == "马上开始").await?;
    is_within_reach(&mut page, &["admit", "deny", "admit-all", "panel-close", "mute-all"])?;
    page.click_at("[data-testid=waiting-row][data-name=Jim] [data-testid=deny]")?;
    assert_eq!(jim.next(|message| message["type"] == "refused").await?["problem"]["code"], "denied");
    page.click_at("[data-testid=waiting-row][data-name=Lucy] [data-testid=admit]")?;
    lucy.next(|message| message["type"] == "joined").await?;
    let lucy = Sitter::new(lucy);
    page.miss(&by_id("door"))?;

    // One of many is searched for, renamed, shown to all, and asked to show and to speak.
    page.fill("participants-search", "李")?;
    page.miss(&row("Lucy"))?;
    from_row(&mut page, "李雷", "row-rename")?;
    is_at_hand(&mut page, &["rename-name", "rename-submit"])?;
    page.fill("rename-name", "李蕾")?;
    page.click("rename-submit")?;
    guest.next(is_of("李蕾")).await?;
    page.miss(&by_id("rename-name"))?;
    from_row(&mut page, "李蕾", "row-spotlight")?;
    page.until("window.huitong.state.meeting.spotlight !== null")?;
    from_row(&mut page, "李蕾", "row-spotlight")?;
    page.until("window.huitong.state.meeting.spotlight === null")?;
    from_row(&mut page, "李蕾", "row-camera")?;
    guest.next(|message| message["notice"] == "asked_to_show").await?;
    guest.command(json!({"type": "camera", "on": true})).await?;
    page.until("window.huitong.state.participants.find(({ name }) => name === '李蕾').camera")?;
    from_row(&mut page, "李蕾", "row-camera")?;
    guest.next(|message| message["notice"] == "camera_stopped").await?;
    page.click_at(&format!("{} [data-testid=row-mute]", row("李蕾")))?;
    page.click_at(&format!("{} [data-testid=row-unmute]", row("李蕾")))?;
    guest.next(|message| message["notice"] == "asked_to_unmute").await?;
    from_row(&mut page, "李蕾", "row-pin")?;

    // All at once, and how they come.
    page.fill("participants-search", "")?;
    page.click("allow-self-unmute")?;
    page.until("!window.huitong.state.meeting.self_unmute")?;
    page.click("mute-on-entry")?;
    page.until("window.huitong.state.meeting.mute_on_entry")?;
    page.click("mute-all")?;
    page.see(&format!("{}[data-muted=true]", row("Ada King")))?;
    let refused = guest.command(json!({"type": "unmute", "participant": guest.joined["you"]})).await?;
    assert_eq!(refused["problem"]["code"], "no_self_unmute", "{refused}");
    page.click("unmute-all")?;
    guest.next(|message| message["notice"] == "asked_to_unmute").await?;
    // Asked first; what can't be undone is no icon beside another here.
    assert_eq!(
        page.evaluate(&format!("getComputedStyle(document.querySelector('{}')).display", by_id("row-remove")))?,
        "none"
    );
    from_row(&mut page, "Lucy", "menu-remove")?;
    is_at_hand(&mut page, &["confirm", "confirm-cancel"])?;
    page.click("confirm")?;
    page.miss(&row("Lucy"))?;
    drop(lucy);

    // To one alone, and a file to all.
    from_row(&mut page, "李蕾", "row-chat")?;
    page.fill("chat-text", "只给你")?;
    page.click("chat-send")?;
    guest.next(|message| message["whisper"]["message"]["text"] == "只给你").await?;
    page.choose("chat-to", "")?;
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("报告.txt");
    std::fs::write(&report, "第三季度\n")?;
    page.upload("[data-testid=chat] input[type=file]", &report)?;
    guest.next(|message| message["event"]["message"]["file"]["name"] == "报告.txt").await?;
    page.see(&by_id("chat-file"))?;
    page.click("panel-close")?;

    // The view, and the doors of the meeting and of sharing.
    page.click("more")?;
    page.click("other-layout")?;
    page.see("[data-testid=stage][data-layout=gallery]")?;
    for (item, on) in
        [("toggle-lock", "locked"), ("toggle-lock-share", "share_locked"), ("toggle-waiting-room", "waiting_room")]
    {
        page.click("more")?;
        page.click(item)?;
        page.until(&format!("window.huitong.state.meeting.{on} === {}", on != "waiting_room"))?;
    }
    // Whoever hands over is one like all, and goes when he likes.
    page.click("toggle-participants")?;
    from_row(&mut page, "李蕾", "row-make-host")?;
    guest.next(|message| message["notice"] == "made_host").await?;
    page.miss(&by_id("mute-all"))?;
    page.click("panel-close")?;
    page.click("leave")?;
    page.see("[data-testid=over][data-reason=left]")?;
    drop(ada);
    Ok(())
}

// product: C14, C16, C17, C20, C22, J6
#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_telephone_shows_a_document_divides_invites_and_looks_at_the_network() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start_on(Devices::Phone)?;
    page.login(server.web, "concurrent", PASSWORD)?;
    page.click("instant-open")?;
    page.click("instant-start")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    let number = page.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();
    let mut guest = join(&server, &number, "李雷").await?;
    let mut others = Vec::new();
    for name in ["Ada King", "Lucy", "Jim"] {
        others.push(Sitter::new(join(&server, &number, name).await?));
    }
    page.until("window.huitong.state.participants.length === 5")?;

    // A document of two pages, then a page of the web.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("报告.pdf");
    write_pages(&path, &["1 0 0 rg 0 0 640 360 re f".to_owned(), "0 0 1 rg 0 0 640 360 re f".to_owned()])?;
    page.click("more")?;
    page.click("share")?;
    is_within_reach(&mut page, &["share-picture", "share-document", "share-whiteboard", "share-address"])?;
    page.upload("input[accept*=pdf]", &path)?;
    page.see(&by_id("shown-document"))?;
    is_at_hand(&mut page, &["page-back", "page-on"])?;
    page.click("page-on")?;
    page.until(&format!("document.querySelector('{}').innerText.includes('2 / 2')", by_id("page-number")))?;
    page.click("more")?;
    page.click("stop-sharing")?;
    page.miss(&by_id("shown"))?;
    // A photograph.
    let photo = folder.path().join("photo.png");
    ffmpeg(&["-f", "lavfi", "-i", "color=c=0x00cc00:s=640x360", "-frames:v", "1"], &photo)?;
    page.click("more")?;
    page.click("share")?;
    page.upload("input[accept*='image/png']", &photo)?;
    page.see_colour(&by_id("shown-picture"), Colour::Green)?;
    page.click("more")?;
    page.click("stop-sharing")?;
    page.miss(&by_id("shown"))?;
    page.click("more")?;
    page.click("share")?;
    page.fill("share-address", "example.com/plan")?;
    page.click("bookmark-add")?;
    page.see("[data-testid=bookmark][data-name='example.com']")?;
    page.click("bookmark-share")?;
    page.see(&by_id("shown-open"))?;
    page.click("more")?;
    page.click("stop-sharing")?;
    page.miss(&by_id("shown"))?;

    // Rooms: one of many is found and sent, all are told, and called back.
    page.click("more")?;
    page.click("open-breakout-rooms")?;
    page.click_at("[role=dialog] label:has-text('evenly')")?;
    page.click("open-breakouts")?;
    page.see(&by_id("breakouts-search"))?;
    page.fill("breakouts-search", "nobody at all")?;
    page.miss(&by_id("breakout-person"))?;
    page.fill("breakouts-search", "李")?;
    page.see("[data-testid=breakout-person][data-name='李雷']")?;
    page.miss("[data-testid=breakout-person][data-name='Lucy']")?;
    page.click_at("[data-testid=breakout-person][data-name='李雷'] input")?;
    page.click_at("[role=option]:visible >> nth=2")?;
    guest.next(|message| message["event"]["participant"]["room"] == 2).await?;
    page.fill("tell-rooms", "十分钟后回来")?;
    is_within_reach(&mut page, &["tell-rooms-send", "time-breakouts", "close-breakouts"])?;
    page.click("tell-rooms-send")?;
    guest.next(|message| message["event"]["message"]["text"] == "十分钟后回来").await?;
    // What is said meanwhile stands over the dialog, and not under it.
    guest.command(json!({"type": "ask_help", "on": true})).await?;
    page.see("[data-notice=help]")?;
    is_at_hand(&mut page, &["notice-accept"])?;
    page.click("close-breakouts")?;
    guest.next(|message| message["event"]["participant"]["room"].is_null() && is_of("李雷")(message)).await?;
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;

    // Others are invited; the text is copied, and the code is there to be photographed.
    page.click("more")?;
    page.click("open-invite")?;
    page.until("document.querySelector('[data-testid=invite-text]')?.value.includes('Meeting ID')")?;
    segment(&mut page, "invite-language", "中文")?;
    page.until("document.querySelector('[data-testid=invite-text]').value.includes('会议主题')")?;
    is_within_reach(&mut page, &["invite-copy"])?;
    page.click("invite-copy")?;
    page.until("navigator.clipboard.readText().then(text => text.includes('会议主题'))")?;
    page.click("invite-by-code")?;
    page.see("[data-testid=invite-code] svg")?;
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;

    // Larger; and what the line carries.
    page.click("more")?;
    page.click("open-scale")?;
    is_within_reach(&mut page, &["extend", "enlarge"])?;
    page.click("enlarge")?;
    guest.next(|message| message["event"]["meeting"]["capacity"] == 15).await?;
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;
    page.click("more")?;
    page.click("open-statistics")?;
    page.until(
        "[...document.querySelectorAll('[data-testid=statistics-page] tbody tr')]\
         .some(({ cells }) => Number(cells[2].innerText.replace(/\\D/g, '')) > 0)",
    )?;
    assert_eq!(page.evaluate("document.documentElement.scrollWidth")?, 390);
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;
    page.click("quality")?;
    is_at_hand(&mut page, &["more-statistics"])?;
    page.click("more-statistics")?;
    page.see(&by_id("graph"))?;
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;
    // Who speaks in a window of his own, and back.
    for is_open in [true, false] {
        page.click("more")?;
        page.click("toggle-float")?;
        page.until(&format!("(document.pictureInPictureElement !== null) === {is_open}"))?;
    }
    page.click("more")?;
    page.click("open-devices")?;
    is_within_reach(&mut page, &["device-camera", "setting-language"])?;
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;

    // A vote of others, and a line that breaks.
    let you = page.evaluate("window.huitong.you")?;
    page.click("toggle-participants")?;
    from_row(&mut page, "李雷", "row-make-host")?;
    page.until("window.huitong.me.role === 'member'")?;
    page.click("panel-close")?;
    guest
        .command(
            json!({"type": "start_poll", "question": "何时发布？", "choices": ["周五", "周一"], "multiple": false}),
        )
        .await?;
    page.click_at("[data-notice=poll] [data-testid=notice-accept]")?;
    page.click("poll-option")?;
    page.click("poll-vote")?;
    guest.next(|message| message["event"]["poll"]["voters"] == 1).await?;
    page.click("panel-close")?;
    page.evaluate(
        "window.told = new Promise(resolve => new MutationObserver(() => \
         document.querySelector('[data-testid=reconnecting]') && resolve(true)) \
         .observe(document.body, {childList: true, subtree: true})); window.huitong.reconnect()",
    )?;
    assert_eq!(page.evaluate("window.told")?, true);
    page.until("window.huitong.state.phase === 'joined'")?;
    assert_eq!(page.evaluate("window.huitong.you")?, you, "the same seat");
    guest.command(json!({"type": "end"})).await?;
    page.see("[data-testid=over][data-reason=meeting_ended]")?;
    drop(others);
    Ok(())
}

// product: C22, P7, P8
#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_a_telephone_invites_by_mail_by_short_message_and_by_a_call() -> Result<()> {
    let mail = MailServer::start()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let carrier = Kamailio::start("SHA-256")?;
    let server = Server::start_with(&[
        ("HUITONG_MAIL__SMTP", &format!("smtp://{}", mail.address)),
        ("HUITONG_SMS__URL", &format!("http://{}/messages", listener.local_addr()?)),
        ("HUITONG_SMS__FORM", "true"),
        ("HUITONG_SMS__BODY", "To={to}&Body={text}"),
        ("HUITONG_SIP__TRUNKS", &format!("[{}]", trunk(&carrier, ""))),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#),
    ])?;
    let messages = receive(listener, &[201]);
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut page = Browser::start_on(Devices::Phone)?;
    page.login(server.web, "host", PASSWORD)?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    page.click("more")?;
    page.click("open-invite")?;

    // What is wrong with an address is said, and stays to be mended.
    page.click("invite-by-mail")?;
    is_within_reach(&mut page, &["invite-language", "invite-addresses"])?;
    page.fill("invite-addresses", "lucy")?;
    page.click("invite-send")?;
    page.see(&by_id("invite-problem"))?;
    assert_eq!(page.evaluate(&format!("document.querySelector('{}').value", by_id("invite-addresses")))?, "lucy");
    page.fill("invite-addresses", "lucy@example.com; jim@example.com")?;
    is_within_reach(&mut page, &["invite-send"])?;
    page.click("invite-send")?;
    is_within_reach(&mut page, &["invite-sent"])?;
    let link = format!("/j/{}#p={}", server.meeting, server.password);
    for _ in 0..2 {
        let read = read_mail(&mail.next()?)?;
        assert!(read["text"].as_str().is_some_and(|text| text.contains(&link)), "{read}");
    }
    page.click("invite-by-sms")?;
    page.miss(&by_id("invite-sent"))?;
    // As people write it where everybody has that country: calls are made to it as they are.
    page.fill("invite-addresses", "138 1234 5678")?;
    is_within_reach(&mut page, &["invite-send"])?;
    page.click("invite-send")?;
    is_within_reach(&mut page, &["invite-sent"])?;
    let (_, body) = messages.recv_timeout(Duration::from_secs(30))?;
    assert!(body.starts_with("To=%2B8613812345678&") && body.contains(&server.meeting), "{body}");

    // A call: a number there is none of, then one that rings until it is stopped, is called again, and comes in.
    let dial = |state: &str| format!("{}[data-state={state}]", by_id("dial"));
    page.click("invite-by-phone")?;
    is_within_reach(&mut page, &["call-number", "call-name", "call-submit"])?;
    page.fill("call-number", "138 0000 0000")?;
    page.click("call-submit")?;
    page.see(&dial("no_such_number"))?;
    page.fill("call-number", "138 1234 5678")?;
    page.fill("call-name", "李雷")?;
    page.click("call-submit")?;
    page.see(&dial("ringing"))?;
    is_within_reach(&mut page, &["dial", "dial-stop"])?;
    page.click("dial-stop")?;
    page.see(&dial("stopped"))?;
    phone.wait_for("CALL_CLOSED")?;
    is_within_reach(&mut page, &["dial-again"])?;
    page.click("dial-again")?;
    page.see(&dial("ringing"))?;
    phone.take_call()?;
    page.see(&dial("answered"))?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    page.see(&dial("joined"))?;

    // A room system of the house, by its extension.
    let mut system = Baresip::start_registering("8001", "long-enough", server.sip, Codec::Pcma, 900.0)?;
    system.wait_for("REGISTER_OK")?;
    page.click("invite-by-room")?;
    is_within_reach(&mut page, &["call-number", "call-name", "call-submit"])?;
    page.fill("call-number", "8001")?;
    page.fill("call-name", "三楼会议室")?;
    page.click("call-submit")?;
    page.see(&dial("ringing"))?;
    system.take_call()?;
    system.wait_for_sound()?;
    system.press("1")?;
    page.until("document.querySelectorAll('[data-testid=dial][data-state=joined]').length === 2")?;
    page.click_at("[role=dialog] header button")?;
    page.miss("[role=dialog]")?;
    page.see("[data-testid=tile][data-via=phone][data-name='李雷']")?;
    page.see("[data-testid=tile][data-name='三楼会议室']")
}
