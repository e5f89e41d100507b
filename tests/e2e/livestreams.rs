//! What a livestream's hosts and viewers see, from its start to its end, and who only registers for one or is kept out: that axe-core
//! finds nothing serious on it, and as pictures for docs/screens like those of `screens`. Whether it is right is tested where its story
//! is (`audience`, `browser`, `push`, `webinar`, `watching`).

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Browser, PASSWORD, Server, User, by_id, http};

use crate::{
    embed::Integrator,
    push,
    screens::{Doing, Visitor},
    web::from_row,
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_livestreams_to_come_in_chinese() -> Result<()> {
    to_come(&Visitor { language: "zh-CN", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_livestreams_to_come_in_english() -> Result<()> {
    to_come(&Visitor { language: "en", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_livestreams_on_air_in_chinese() -> Result<()> {
    on_air(&Visitor { language: "zh-CN", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/screens: make pictures"]
async fn pictures_of_livestreams_on_air_in_english() -> Result<()> {
    on_air(&Visitor { language: "en", doing: Doing::Shoot }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_livestream_to_come_keeps_anybody_out() -> Result<()> {
    let visitor = Visitor { language: "en", doing: Doing::Check(Mutex::default()) };
    to_come(&visitor).await?;
    finds_nothing(visitor)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_livestream_on_air_keeps_anybody_out() -> Result<()> {
    let visitor = Visitor { language: "en", doing: Doing::Check(Mutex::default()) };
    on_air(&visitor).await?;
    finds_nothing(visitor)
}

fn finds_nothing(visitor: Visitor) -> Result<()> {
    let Doing::Check(found) = visitor.doing else { unreachable!("it was so made") };
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

async fn to_come(visitor: &Visitor) -> Result<()> {
    // What is sent goes nowhere.
    let server = Server::start_with(&[("HUITONG_MAIL__SMTP", "smtp://127.0.0.1:9")])?;
    let mut page = visitor.somebody(&server, "0x7a5c86")?;
    access(visitor, &server, &mut page).await?;
    webinar(visitor, &server, &mut page).await
}

async fn on_air(visitor: &Visitor) -> Result<()> {
    let (integrator, listener) = Integrator::start()?;
    let rtmp = format!("127.0.0.1:{}", tests::free_everywhere()?);
    let server = Server::start_with(&[
        ("HUITONG_WEB__RTMP", &format!("[\"{rtmp}\"]")),
        ("HUITONG_WEB__ORIGINS", &format!("[\"{}\"]", integrator.origin)),
        ("HUITONG_PUSH__PRIVATE", "true"),
        // Room for one livestream.
        ("HUITONG_LIVESTREAM__CORES", "1"),
    ])?;
    Integrator::serve(listener, &server, visitor.say("李雷", "Grace Hopper"), visitor.language);
    let mut host = visitor.somebody(&server, "0x2f6f7e")?;
    host.before_each_page(HOLDS)?;
    host.login(server.web, "host", PASSWORD)?;
    host.join(server.web, &server.meeting, visitor.say("韩梅梅", "Ada Lovelace"), "")?;
    in_a_frame(visitor, &server, &integrator, &mut host)?;
    let mut other = visitor.somebody(&server, "0x86795c")?;
    other.login(server.web, "concurrent", PASSWORD)?;
    other.click("instant-open")?;
    other.click("instant-start")?;
    other.click("prejoin-join")?;
    other.see(&by_id("room"))?;
    starting(visitor, &mut host, &mut other)?;
    extended(visitor, &mut other)?;
    drop(other);
    pushes(visitor, &rtmp, &mut host)?;
    watched(visitor, &server, &mut host).await
}

/// Lets a page hear nothing more from the moment it has heard these words, until it is to go on.
const HOLDS: &str = "(onmessage => {
    let turn = Promise.resolve();
    let words = null;
    window.holdAt = text => (words = text);
    Object.defineProperty(WebSocket.prototype, 'onmessage', {
        ...onmessage,
        set(hears) {
            onmessage.set.call(this, hears && (event => turn = turn.then(() => {
                hears(event);
                if (words === null || !`${event.data}`.includes(words)) return;
                words = null;
                return new Promise(go => window.goOn = go);
            })));
        },
    });
})(Object.getOwnPropertyDescriptor(WebSocket.prototype, 'onmessage'))";

/// In another program's page.
fn in_a_frame(visitor: &Visitor, server: &Server, integrator: &Integrator, host: &mut Browser) -> Result<()> {
    let mut page = visitor.somebody(server, "0x7a5c86")?;
    page.open(&integrator.origin)?;
    page.until("window.told.some(([event]) => event === 'joined')")?;
    host.until(
        "[...document.querySelectorAll('[data-testid=tile] video')].filter(v => v.readyState > 2).length === 2",
    )?;
    visitor.glance(&mut page, "embed")?;
    page.evaluate("window.frame_.command({ type: 'leave' })")?;
    page.until("window.told.at(-1)[0] === 'ended'")
}

/// While the studio is made ready; until it is measured it is taken to leave no room for another host's.
fn starting(visitor: &Visitor, host: &mut Browser, other: &mut Browser) -> Result<()> {
    host.evaluate("window.holdAt('\"state\":\"starting\"')")?;
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=starting]")?;
    other.click("start-broadcast")?;
    other.see("[data-notice=no_room_on_air]")?;
    visitor.at(other, "live-refused")?;
    visitor.at(host, "live-starting")?;
    host.evaluate("window.goOn()")?;
    host.see("[data-testid=broadcast][data-state=live]")
}

/// To other platforms: one takes it, one is away, one refuses it.
fn pushes(visitor: &Visitor, rtmp: &str, host: &mut Browser) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_listener, takes) = push::listen_by_srt(&folder.path().join("taken.ts"))?;
    let away = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let meeting = host.evaluate("window.huitong.state.meeting.id")?;
    let refuses = format!("rtmp://{rtmp}/{}/s3cret", meeting.as_str().unwrap_or_default());
    host.click("more")?;
    host.click("open-pushes")?;
    for (url, name, state) in [
        (takes, visitor.say("公司官网", "Our website"), "live"),
        (format!("rtmp://{away}/live/s3cret"), visitor.say("分会场", "Second venue"), "retrying"),
        (refuses, visitor.say("视频号", "Video platform"), "refused"),
    ] {
        push::add(host, &url, name)?;
        host.until(&push::is(name, state))?;
    }
    host.fill("push-url", "https://example.com/live")?;
    host.click("push-submit")?;
    host.see(&by_id("push-problem"))?;
    visitor.at(host, "pushes-failing")?;
    host.press("Escape")?;
    host.miss(&by_id("push-url"))
}

/// A meeting that may be longer, and is.
fn extended(visitor: &Visitor, other: &mut Browser) -> Result<()> {
    other.evaluate("window.ends = window.huitong.state.meeting.ends_ms")?;
    other.click("more")?;
    other.click("open-scale")?;
    other.click("extend-more")?;
    other.click("extend")?;
    other.until("window.huitong.state.meeting.ends_ms > window.ends")?;
    visitor.at(other, "scale-extended")
}

/// Live: what the host reads of those who watch, and what they see.
async fn watched(visitor: &Visitor, server: &Server, host: &mut Browser) -> Result<()> {
    let watch = host.watch_address()?;
    let address = watch.replace("/watch/", "/live/");
    let mut viewer = visitor.somebody(server, "0x5c6f86")?;
    viewer.open(&watch)?;
    viewer.see("[data-state=playing]")?;
    viewer.until("document.querySelector('video').currentTime > 2")?;
    viewer.fill("watch-chat-name", visitor.say("观众甲", "Tim"))?;
    viewer.fill("watch-chat-text", visitor.say("声音很清楚。", "The sound is great."))?;
    viewer.click("watch-chat-send")?;
    viewer.see(".said")?;
    visitor.at(&mut viewer, "watch-chat")?;
    viewer.click("watch-tab-questions")?;
    visitor.at(&mut viewer, "watch-questions-empty")?;
    for (asks, text) in [
        ("b0b", visitor.say("什么时候可以试用？", "When can we try it?")),
        ("cafe", visitor.say("支持电话入会吗？", "Can I dial in by phone?")),
    ] {
        let ask = json!({"type": "ask", "name": visitor.say("乙", "Kim"), "text": text});
        act(&address, asks, ask).await?;
    }
    viewer.see(&format!("{}:nth-child(2)", by_id("watch-question")))?;
    viewer.click("watch-vote")?;
    visitor.at(&mut viewer, "watch-questions")?;
    viewer.click("watch-hand")?;
    host.click("toggle-chat")?;
    host.click_at("[data-testid=chat-side] input[value=viewers] + label")?;
    host.see("[data-testid=viewer-question]:nth-child(2)")?;
    host.see(&by_id("viewer-hand"))?;
    visitor.at(host, "viewers")?;
    let question = visitor.say("下次讲什么？", "What should be next?");
    let choices = [visitor.say("电话", "Telephone"), visitor.say("直播", "Livestream")];
    host.evaluate(&format!(
        "window.huitong.startPoll('{question}', ['{}', '{}'], false, true)",
        choices[0], choices[1]
    ))?;
    viewer.click("watch-tab-polls")?;
    viewer.see(&by_id("watch-poll-vote"))?;
    visitor.at(&mut viewer, "watch-poll")?;
    host.click("viewer-call-up")?;
    viewer.see("[data-testid=watch-call][open]")?;
    visitor.at(&mut viewer, "watch-called")?;
    viewer.click("watch-call-camera")?;
    viewer.click("watch-call-yes")?;
    viewer.see("[data-testid=watch-state][data-state=stage]")?;
    host.see(&format!("[data-testid=tile][data-name='{}'] video", visitor.say("观众甲", "Tim")))?;
    visitor.at(&mut viewer, "watch-stage")?;
    host.click("toggle-participants")?;
    from_row(host, visitor.say("观众甲", "Tim"), "row-send-back")?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;

    // The studio is begun anew.
    host.evaluate("window.holdAt('\"state\":\"restarting\"')")?;
    server.fault_studio()?;
    host.see("[data-testid=broadcast][data-state=restarting]")?;
    visitor.at(host, "live-restarting")?;
    host.evaluate("window.goOn()")?;
    host.see("[data-testid=broadcast][data-state=live]")?;

    // The line of who watches goes.
    viewer.set_offline(true)?;
    viewer.until(
        "['buffering', 'unreachable'].includes(document.querySelector('[data-testid=watch-state]').dataset.state)",
    )?;
    viewer.see("[data-testid=watch-state][data-state=unreachable]")?;
    visitor.at(&mut viewer, "watch-unreachable")?;
    viewer.set_offline(false)?;
    host.click("stop-broadcast")?;
    viewer.see("[data-testid=watch-state][data-state=ended]")?;
    visitor.at(&mut viewer, "watch-ended")?;
    Ok(())
}

/// Does something for a viewer without a browser.
async fn act(address: &str, viewer: &str, action: Value) -> Result<()> {
    let body = json!({"viewer": viewer, "action": action});
    http().post(format!("{address}/actions")).json(&body).send().await?.error_for_status()?;
    Ok(())
}

/// A livestream that is yet to come, for everyone, by password, by link, for those who are logged in; and one there is not.
async fn access(visitor: &Visitor, server: &Server, page: &mut Browser) -> Result<()> {
    let owner = User::login(server, "host").await?;
    let start = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() / 3_600 * 3_600 + 86_400)?.to_string();
    let wish =
        json!({"title": visitor.say("新品发布会", "Product launch"), "start": start, "options": {"livestream": true}});
    let booked = owner.post("/meetings", wish).await?.body;
    let id = booked["id"].as_str().context("an id")?;
    let watch = format!("http://{}/watch/{id}", server.web);
    page.open("about:blank")?;
    page.open(&watch)?;
    page.see(&by_id("watch-planned"))?;
    visitor.at(page, "watch-waiting")?;
    for (access, shown, screen) in [
        (json!({"access": "password", "password": "246810"}), "watch-entry", "watch-password"),
        (json!({"access": "link"}), "watch-state", "watch-link"),
        (json!({"access": "registered"}), "watch-login", "watch-login"),
    ] {
        let set = owner.ask(Method::PUT, &format!("/meetings/{id}/watch"), access, &[]).await?;
        assert_eq!(set.status, 200, "{}", set.body);
        page.open(&watch)?;
        page.see("[data-testid=watch-state][data-state=barred]")?;
        page.see(&by_id(shown))?;
        visitor.at(page, screen)?;
        if screen == "watch-password" {
            page.fill("watch-password", "135790")?;
            page.click("watch-enter")?;
            page.until("document.querySelector('#words').textContent.match(/错误|Wrong/)")?;
            visitor.at(page, "watch-wrong-password")?;
        }
    }
    // Whoever is logged in on another site.
    let operator = User::login(server, "host").await?;
    let site = json!({"name": visitor.say("另一家公司", "Another company"), "ports": 10, "livestream": false,
        "zone": "Asia/Shanghai"});
    let site = operator.post("/sites", site).await?;
    ensure!(site.status == 201, "{}", site.body);
    let account = json!({"name": "elsewhere", "display_name": visitor.say("李雷", "Grace Hopper"), "password": PASSWORD,
        "mode": "concurrent"});
    let path = format!("/sites/{}/accounts", site.body["id"].as_str().context("an id")?);
    let made = operator.post(&path, account).await?;
    ensure!(made.status == 201, "{}", made.body);
    page.login(server.web, "elsewhere", PASSWORD)?;
    page.open(&watch)?;
    page.see(&by_id("watch-login"))?;
    visitor.at(page, "watch-not-yours")?;
    page.open(&format!("http://{}/", server.web))?;
    page.click("account-menu")?;
    page.click("logout")?;
    page.miss(&by_id("account-menu"))?;
    page.open(&format!("http://{}/watch/0198e3b0-0000-7000-8000-000000000000", server.web))?;
    page.see("[data-testid=watch-state][data-state=missing]")?;
    visitor.at(page, "watch-missing")
}

/// A webinar: booked, registered for, decided on.
async fn webinar(visitor: &Visitor, server: &Server, page: &mut Browser) -> Result<()> {
    let owner = User::login(server, "concurrent").await?;
    let start = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() / 3_600 * 3_600 + 172_800)?.to_string();
    let title = visitor.say("新品发布会", "Product launch");
    let options = json!({"livestream": true, "webinar": true, "approval": true});
    let booked =
        owner.post("/meetings", json!({"title": title, "start": start, "capacity": 20, "options": options})).await?;
    let id = booked.body["id"].as_str().with_context(|| booked.body.to_string())?;
    let watch = format!("http://{}/watch/{id}", server.web);
    let mut host = visitor.somebody(server, "0x2f6f7e")?;
    host.login(server.web, "concurrent", PASSWORD)?;
    host.click("book-open")?;
    host.fill("book-title", title)?;
    host.click("option-webinar")?;
    host.click("option-approval")?;
    // In view whatever the size.
    host.evaluate(
        "(show => (show(), addEventListener('resize', show), true))\
         (() => document.querySelector('[data-testid=option-webinar]')?.scrollIntoView({ block: 'center' }))",
    )?;
    visitor.at(&mut host, "book-webinar")?;
    let registrants = |host: &mut Browser| -> Result<()> {
        host.open(&format!("http://{}/", server.web))?;
        host.click("meeting-more")?;
        host.click("meeting-audience")?;
        host.see(&by_id("registrants-address"))
    };
    registrants(&mut host)?;
    host.see(&by_id("registrants-none"))?;
    visitor.at(&mut host, "registrants-none")?;

    page.open(&watch)?;
    page.see(&by_id("watch-register"))?;
    visitor.at(page, "watch-register")?;
    page.fill("watch-register-name", visitor.say("李雷", "Grace Hopper"))?;
    page.fill("watch-register-email", "grace@example.com")?;
    page.fill("watch-register-organisation", visitor.say("会通<研究院>", "Huitong <Labs>"))?;
    page.click("watch-register-submit")?;
    page.see(&by_id("watch-register-problem"))?;
    visitor.at(page, "watch-register-refused")?;
    page.fill("watch-register-organisation", visitor.say("会通研究院", "Huitong Labs"))?;
    page.click("watch-register-submit")?;
    page.miss(&by_id("watch-register"))?;
    visitor.at(page, "watch-awaiting")?;
    let mut stranger = visitor.somebody(server, "0x86795c")?;
    stranger.open(&watch)?;
    stranger.fill("watch-register-name", visitor.say("吴敏", "Edsger Dijkstra"))?;
    stranger.fill("watch-register-email", "edsger@example.com")?;
    stranger.click("watch-register-submit")?;
    stranger.miss(&by_id("watch-register"))?;
    for (name, email, organisation) in [
        (
            visitor.say("林涛", "Alan Turing"),
            "alan.turing@computing-laboratory.example.com",
            visitor.say("国家物理实验室数学部", "National Physical Laboratory, Mathematics Division"),
        ),
        (visitor.say("露西", "Lucy"), "lucy@example.com", ""),
    ] {
        let url = format!("http://{}/api/v1/broadcasts/{id}/registrations", server.web);
        let body = json!({"name": name, "email": email, "organisation": organisation});
        http().post(url).json(&body).send().await?.error_for_status()?;
    }
    registrants(&mut host)?;
    host.click_at("[data-email='grace@example.com'] [data-testid=registrant-approve]")?;
    host.see("[data-email='grace@example.com'][data-state=approved]")?;
    host.click_at("[data-email='edsger@example.com'] [data-testid=registrant-decline]")?;
    host.see("[data-email='edsger@example.com'][data-state=denied]")?;
    visitor.at(&mut host, "registrants")?;
    // By his own link, before it begins.
    page.see("[data-testid=watch-state][data-state=waiting]")?;
    visitor.at(page, "watch-approved")?;
    stranger.until("document.querySelector('#words').textContent.match(/未通过|wasn’t approved/)")?;
    visitor.at(&mut stranger, "watch-declined")
}
