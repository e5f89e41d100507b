//! What goes wrong at a person's own end: said in clear words, in both languages and at both sizes, and nothing is lost.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, Devices, Server, Sitter, User, by_id};

use crate::web::is_sound;

/// A desk and a telephone.
pub(crate) const SIZES: [(u32, u32); 2] = [(1440, 900), (390, 844)];

/// Reads in another language from now on; the page begins anew.
pub(crate) fn speak(page: &mut Browser, language: &str) -> Result<()> {
    page.evaluate(&format!("localStorage.setItem('huitong.language', '{language}')"))?;
    page.reload()
}

/// These words are to be read, whatever the size, with nothing beside the page and nothing that keeps people out.
pub(crate) fn reads(page: &mut Browser, selector: &str, words: &str) -> Result<()> {
    for (width, height) in SIZES {
        page.resize(width, height)?;
        page.see(selector)?;
        let text = page.text(selector)?;
        assert!(text.contains(words), "{selector} says {text:?}, not {words:?}");
        let wide = page.evaluate("document.documentElement.scrollWidth")?;
        assert!(wide.as_u64().unwrap_or_default() <= u64::from(width), "{selector}: {wide} of {width} px");
        is_sound(page, words)?;
    }
    page.resize(1440, 900)
}

/// For a page whose network lets nothing through: its sound goes by a relay or not at all, and there is none.
pub(crate) const BY_RELAY_ALONE: &str = "const Own = RTCPeerConnection;
window.RTCPeerConnection = class extends Own {
    constructor(wish) {
        super({ ...wish, iceTransportPolicy: 'relay' });
    }
}";

/// What a page must hear before it is opened, for [`plays_nothing_untouched`].
pub(crate) const TELLS_WHAT_IS_NOT_PLAYED: &str = "(play => HTMLMediaElement.prototype.play = function () {
    const played = play.call(this);
    played.catch(({ name }) => console.log(`not played: ${name}`));
    return played;
})(HTMLMediaElement.prototype.play)";

/// Begins the page anew, whose browser plays nothing untouched, and sees that it asks for a touch.
#[expect(clippy::disallowed_methods, reason = "a page that plays nothing tells nobody but its console")]
pub(crate) fn plays_nothing_untouched(page: &mut Browser) -> Result<()> {
    page.reload()?;
    // Whatever is asked of the page counts as a touch: until it has been refused it is only listened to.
    let deadline = Instant::now() + Duration::from_secs(30);
    while !page.said()?.iter().any(|line| line.contains("not played: NotAllowedError")) {
        assert!(Instant::now() < deadline, "it plays untouched, or never");
        std::thread::sleep(Duration::from_millis(50));
    }
    page.see(&by_id("enable-sound"))
}

pub(crate) fn door(server: &Server) -> String {
    format!("http://{}/j/{}#p={}", server.web, server.meeting, server.password)
}

pub(crate) fn to_mirror(page: &mut Browser, name: &str) -> Result<()> {
    page.to_mirror(name, "")
}

// product: J5, A7
#[tokio::test(flavor = "multi_thread")]
async fn without_camera_and_microphone_one_is_told_and_comes_in_all_the_same() -> Result<()> {
    let server = Server::start()?;
    let mut other = Client::join(
        server.web,
        &server.meeting,
        json!({"type": "join", "name": "韩梅梅", "password": server.password}),
        None,
    )
    .await?;
    let mut page = Browser::start_on(Devices::None)?;
    page.open(&door(&server))?;
    for (language, microphone, camera) in [
        ("zh-CN", "没有找到麦克风。没有它也可以入会。", "没有找到摄像头。没有它也可以入会。"),
        ("en", "Microphone not found. You can join without it.", "Camera not found. You can join"),
    ] {
        speak(&mut page, language)?;
        to_mirror(&mut page, "李雷")?;
        reads(&mut page, &by_id("trouble-microphone"), microphone)?;
        reads(&mut page, &by_id("trouble-camera"), camera)?;
    }
    // What isn't there is not called switched off, and nothing can be made better.
    reads(&mut page, &by_id("preview-off"), "Camera not found")?;
    reads(&mut page, &by_id("mic-said"), "Not found")?;
    for improved in ["device-blur", "device-denoise", "retry-camera"] {
        page.miss(&by_id(improved))?;
    }
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.until("window.huitong.state.receiving && window.huitong.me.muted")?;
    // Speaking can't be; reading and writing can.
    page.click("toggle-mic")?;
    page.see("[data-notice=trouble]")?;
    let told = page.text("[data-notice=trouble]")?;
    assert!(told.contains("Microphone not found") && !told.contains("You can join without it"), "{told}");
    page.until("window.huitong.me.muted")?;
    page.press("c")?;
    page.fill("chat-text", "我没有麦克风")?;
    page.press("Enter")?;
    other.next(|message| message["event"]["message"]["text"] == "我没有麦克风").await?;
    Ok(())
}

// product: J5
#[test]
fn with_a_microphone_alone_one_is_heard_and_told_of_the_camera() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start_on(Devices::NoCamera)?;
    page.before_each_page(
        "window.tones = [];
         const start = OscillatorNode.prototype.start;
         OscillatorNode.prototype.start = function (at) { window.tones.push(this.frequency.value); start.call(this, at); }",
    )?;
    page.open(&door(&server))?;
    for (language, words) in [("zh-CN", "没有找到摄像头。"), ("en", "Camera not found.")] {
        speak(&mut page, language)?;
        to_mirror(&mut page, "李雷")?;
        reads(&mut page, &by_id("trouble-camera"), words)?;
        page.miss(&by_id("trouble-microphone"))?;
    }
    // That one is heard is seen before one goes in, and that one hears can be tried.
    page.until("document.querySelector('[data-testid=mic-level]').dataset.level > 0.5")?;
    page.click_at("button[aria-label='Test speaker']")?;
    page.until("window.tones.join() === '523,784'")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.until("window.huitong.state.sending && !window.huitong.me.muted && !window.huitong.me.camera")?;
    page.click("toggle-camera")?;
    page.see("[data-notice=trouble]")
}

// product: J5
#[test]
fn a_browser_that_allows_nothing_is_asked_again_as_soon_as_it_does() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start_on(Devices::Forbidden)?;
    page.open(&door(&server))?;
    for (language, words) in
        [("zh-CN", "浏览器未允许使用麦克风。请点击地址栏左侧的图标允许"), ("en", "Microphone: blocked by the browser.")]
    {
        speak(&mut page, language)?;
        to_mirror(&mut page, "李雷")?;
        reads(&mut page, &format!("{}[data-trouble=denied]", by_id("trouble-microphone")), words)?;
        page.see(&format!("{}[data-trouble=denied]", by_id("trouble-camera")))?;
    }
    reads(&mut page, &by_id("preview-off"), "Camera blocked")?;
    // Another try that is in vain says the same.
    page.click("retry-camera")?;
    page.see(&format!("{}[data-trouble=denied]", by_id("trouble-camera")))?;
    // Without a reload: what was typed is still there.
    page.allow(&["camera", "microphone"])?;
    page.see(&by_id("preview"))?;
    page.miss(&by_id("trouble-microphone"))?;
    page.miss(&by_id("trouble-camera"))?;
    page.click("prejoin-join")?;
    page.see("[data-testid=tile][data-name='李雷']")?;
    page.until("window.huitong.state.sending && !window.huitong.me.muted && window.huitong.me.camera")
}

#[test]
fn an_old_browser_is_told_so_in_both_languages_and_whom_to_call() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let mut page = Browser::start(0.0, Colour::Blue)?;
    // The first is missed by who meets alone, the second by all.
    page.before_each_page("delete window.RTCPeerConnection")?;
    let watch = format!("http://{}/watch/{}", server.web, "0198e3b0-0000-7000-8000-000000000000");
    page.open(&watch)?;
    page.see(&by_id("watch-state"))?;
    page.miss(&by_id("old-browser"))?;
    page.before_each_page("delete Array.prototype.toReversed")?;
    for (address, chinese, english) in [
        (
            format!("http://{}/", server.web),
            "此浏览器版本过旧，无法参加会议。",
            "This browser is too old for meetings.",
        ),
        (door(&server), "此浏览器版本过旧，无法参加会议。", "This browser is too old for meetings."),
        (watch, "此浏览器版本过旧，无法观看直播。", "This browser is too old for livestreams."),
    ] {
        page.open(&address)?;
        for (width, height) in SIZES {
            page.resize(width, height)?;
            let text = page.text(&by_id("old-browser"))?;
            assert!(text.contains(chinese), "{text}");
            assert!(text.contains(english), "{text}");
            page.see("[data-testid=old-browser] h1")?;
            page.see("[data-testid=old-browser] img")?;
            page.see("[data-testid=old-browser] a[href='tel:+861088886666']")?;
            assert_eq!(page.evaluate("document.documentElement.scrollWidth <= innerWidth")?, true);
        }
        // Nothing beside it that doesn't work.
        assert_eq!(page.evaluate("document.querySelectorAll('button, input, video').length")?, 0);
    }
    Ok(())
}

// product: J1, J6
#[test]
fn where_the_network_lets_no_sound_through_the_telephone_is_a_click_away() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.before_each_page(BY_RELAY_ALONE)?;
    page.open(&door(&server))?;
    to_mirror(&mut page, "李雷")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.see("[data-testid=media-connecting] [data-testid=by-phone]")?;
    reads(&mut page, &by_id("media-connecting"), "still aren’t connected")?;
    page.click("by-phone")?;
    let dialled = format!("tel:+861088886666,,{}%23,,{}%23", server.meeting, server.password);
    page.see(&format!("{} a[href='{dialled}']", by_id("dial-in-info")))
}

// product: J6, C21
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_network_loses_nothing_that_was_written() -> Result<()> {
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "韩梅梅", "password": server.password});
    let mut other = Client::join(server.web, &server.meeting, join, None).await?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&door(&server))?;
    for (language, words, failed) in [
        ("zh-CN", "网络中断，正在重新连接…", "网络已断开，请稍后再试"),
        ("en", "Connection lost. Reconnecting…", "You’re offline"),
    ] {
        speak(&mut page, language)?;
        page.enter("李雷", "")?;
        let seat = page.evaluate("window.huitong.you")?;
        page.press("c")?;
        page.fill("chat-text", &format!("未发出 {language}"))?;
        page.set_offline(true)?;
        page.evaluate("window.huitong.reconnect()")?;
        reads(&mut page, &by_id("reconnecting"), words)?;
        // It can't be sent now, and stays.
        page.click("chat-send")?;
        page.see("[data-notice=problem]")?;
        assert!(page.text("[data-notice=problem]")?.contains(failed), "{}", page.text("[data-notice=problem]")?);
        page.click("panel-close")?;
        page.press("c")?;
        page.see(&by_id("chat-text"))?;
        let kept = "document.querySelector('[data-testid=chat-text]').value";
        assert_eq!(page.evaluate(kept)?, format!("未发出 {language}"));
        page.set_offline(false)?;
        page.miss(&by_id("reconnecting"))?;
        page.until("window.huitong.state.phase === 'joined'")?;
        assert_eq!(page.evaluate("window.huitong.you")?, seat, "the same seat");
        page.click("chat-send")?;
        other.next(|message| message["event"]["message"]["text"] == format!("未发出 {language}")).await?;
        page.until(&format!("{kept} === ''"))?;
        // Out of the meeting: its own page, loaded anew, would lead back into it.
        page.open(&format!("http://{}/", server.web))?;
        page.open(&door(&server))?;
    }
    Ok(())
}

// product: J1, J6
#[test]
fn who_has_lost_the_server_for_good_reads_how_to_call() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&door(&server))?;
    page.enter("李雷", "")?;
    page.set_offline(true)?;
    page.evaluate("window.huitong.reconnect()")?;
    page.see(&by_id("reconnecting"))?;
    // Two minutes are over.
    page.evaluate("(now => Date.now = () => now() + 130_000)(Date.now.bind(Date))")?;
    page.see("[data-testid=over][data-reason=unreachable]")?;
    page.click("by-phone")?;
    let one_touch = format!("+861088886666,,{}#,,{}#", server.meeting, server.password);
    assert_eq!(page.text(&by_id("dial-one-touch"))?, one_touch);
    assert_eq!(page.axe()?, Vec::<String>::new());
    Ok(())
}

// product: J5
#[test]
fn who_comes_back_without_a_touch_is_asked_for_one_and_hears() -> Result<()> {
    let server = Server::start()?;
    let mut other = Browser::start(700.0, Colour::Red)?;
    other.join(server.web, &server.meeting, "韩梅梅", &server.password)?;
    let mut page = Browser::start_on(Devices::Silent)?;
    page.before_each_page(TELLS_WHAT_IS_NOT_PLAYED)?;
    page.join(server.web, &server.meeting, "李雷", &server.password)?;
    let sounds = "[...document.querySelectorAll('[data-testid=voice]')].some(one => !one.paused && one.srcObject)";
    page.until(sounds)?;
    page.miss(&by_id("enable-sound"))?;
    plays_nothing_untouched(&mut page)?;
    assert_eq!(page.evaluate(sounds)?, false);
    page.click("enable-sound")?;
    page.until(sounds)?;
    page.miss(&by_id("enable-sound"))
}

// product: J1
#[test]
fn a_second_tab_is_told_of_the_first() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&door(&server))?;
    page.enter("李雷", &server.password)?;
    page.new_tab()?;
    page.open(&door(&server))?;
    for (language, words) in [
        ("zh-CN", "您已在此浏览器的另一个标签页中参加本会议。"),
        ("en", "You’re already in this meeting in another browser tab."),
    ] {
        speak(&mut page, language)?;
        to_mirror(&mut page, "李雷")?;
        reads(&mut page, &by_id("prejoin-elsewhere"), words)?;
    }
    // The first one has noticed nothing; and once it has left, there is nothing to tell.
    page.show_tab(0)?;
    page.until("window.huitong.state.phase === 'joined'")?;
    page.click("leave")?;
    page.see(&by_id("over"))?;
    page.show_tab(1)?;
    page.reload()?;
    to_mirror(&mut page, "李雷")?;
    page.evaluate("navigator.locks.query()")?;
    page.miss(&by_id("prejoin-elsewhere"))
}

// product: C6, C15, C16
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_removed_or_outlasts_the_meeting_or_its_time_is_told_so_and_led_back() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let host = Sitter::new(Client::join(server.web, &server.meeting, join, Some(&cookie)).await?);
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.open(&door(&server))?;
    page.enter("李雷", "")?;
    let own = page.evaluate("window.huitong.you")?;
    host.command(json!({"type": "remove", "participant": own})).await?;
    told_over(&mut page, "removed", ["主持人已将您移出会议", "The host removed you from the meeting"])?;
    assert_eq!(page.evaluate("document.querySelector('[data-testid=join-again]')")?, Value::Null);
    // The camera's light is out.
    page.until("window.huitong === undefined && !document.querySelector('video')")?;
    // The same link leads back to the same words, not into the meeting.
    page.reload()?;
    to_mirror(&mut page, "李雷")?;
    page.click("prejoin-join")?;
    reads(&mut page, &format!("{}[data-code=removed]", by_id("prejoin-problem")), "removed you from this meeting")?;

    // A meeting that was booked until soon: how long is left is told. It runs out beside what follows.
    let owner = User::login(&server, "concurrent").await?;
    let booking = json!({"title": "站会", "duration": 15, "capacity": 5, "options": {"join_before_host": true}});
    let booked = owner.post("/meetings", booking).await?;
    assert_eq!(booked.status, 201, "{}", booked.body);
    let of = |key: &str| booked.body[key].as_str().unwrap_or_default().to_owned();
    page.open(&format!("http://{}/j/{}", server.web, of("number")))?;
    to_mirror(&mut page, "李雷")?;
    server.bring_end_near(&of("id"), Duration::from_secs(25))?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.until("document.querySelector('[data-testid=ends-in]')?.innerText === '1 min left'")?;

    let mut other = Browser::start(0.0, Colour::Blue)?;
    other.open(&door(&server))?;
    other.enter("Ada King", "")?;
    host.command(json!({"type": "end"})).await?;
    told_over(&mut other, "meeting_ended", ["会议已结束", "The meeting has ended"])?;
    other.click_at(&format!("{} a[href='/']", by_id("over")))?;
    other.see(&by_id("join-number"))?;
    told_over(&mut page, "time_up", ["会议时间已到，会议已结束", "The meeting’s time is up, and it has ended"])
}

/// The page after the meeting says why, in both languages without a reload, and where to go.
fn told_over(page: &mut Browser, reason: &str, words: [&str; 2]) -> Result<()> {
    let over = format!("{}[data-reason={reason}]", by_id("over"));
    page.see(&over)?;
    for (language, words) in ["zh-CN", "en"].into_iter().zip(words) {
        page.click("preferences")?;
        page.click(&format!("language-{language}"))?;
        page.miss("[role=menu]")?;
        reads(page, &over, words)?;
        page.see(&format!("{over} a[href='/']"))?;
    }
    Ok(())
}
