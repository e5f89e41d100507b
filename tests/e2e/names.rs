//! Whatever people call themselves and whatever they write: it shows as they wrote it, in its own direction, turns
//! nothing around it, breaks no page, and is never run.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Browser, Client, Colour, RawPhone, Server, User, by_id, http, tag};

use crate::{troubles::SIZES, web::is_sound};

/// A family of four, in seven characters.
const FAMILY: &str = "👨‍👩‍👧‍👦";
/// Persian, two words of which are held apart by a ZWNJ.
const PERSIAN: &str = "سارا می\u{200c}خواهم";
const HEBREW: &str = "דנה (כהן)";
const SCRIPT: &str = "<script>window.run=1</script>";
const IMAGE: &str = "<img src=x onerror='window.run=1'>";
/// Would be a whole match, were it put in the place of something by `replace`.
const DOLLARS: &str = "$& $1 {{name}} %s";

/// Nothing that was written has been run, or has become part of the page.
fn is_untouched(page: &mut Browser) -> Result<()> {
    assert_eq!(page.evaluate("window.run === undefined")?, true, "something was run");
    let found = page.evaluate(
        "document.querySelectorAll('img[src=x], script:not([src]), [onerror], a[href^=\"javascript:\" i]').length",
    )?;
    assert_eq!(found, 0, "something has become part of the page");
    Ok(())
}

/// Were something to become part of the page all the same, the browser would not run it.
fn runs_nothing_of_others(page: &mut Browser) -> Result<()> {
    page.evaluate(
        "new Promise(done => {
           const box = document.body.appendChild(document.createElement('div'));
           box.innerHTML = `<img src='data:,' onerror='window.run=1'><a href='javascript:window.run=2'>x</a>`;
           const script = document.createElement('script');
           script.textContent = 'window.run=3';
           box.append(script);
           box.querySelector('a').click();
           box.querySelector('img').addEventListener('error', () => setTimeout(() => done(box.remove())));
         })",
    )?;
    assert_eq!(page.evaluate("window.run === undefined")?, true, "the page's policy lets others' script run");
    Ok(())
}

/// Everything is within the page, at each size.
fn fits(page: &mut Browser, screen: &str) -> Result<()> {
    for (width, height) in SIZES {
        page.resize(width, height)?;
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")?;
        let wide = page.evaluate("document.documentElement.scrollWidth")?;
        assert!(wide.as_u64().unwrap_or_default() <= u64::from(width), "{screen}: {wide} of {width} px");
        // A name leaves its tile or its row nowhere.
        let out = page.evaluate(
            "[...document.querySelectorAll('[data-testid=tile], [data-testid=participant-row]')].flatMap(box => {
               const a = box.getBoundingClientRect();
               return [...box.querySelectorAll('.written')].map(name => name.getBoundingClientRect())
                 .filter(b => b.left < a.left - 1 || b.right > a.right + 1 || b.height > 40).map(() => box.dataset.name);
             })",
        )?;
        assert_eq!(out, json!([]), "{screen}, {width} px: out of their boxes");
        is_sound(page, screen)?;
    }
    page.resize(1440, 900)
}

fn in_page(name: &str) -> String {
    serde_json::to_string(name).expect("text is JSON")
}

/// Waits for a tile with this name, exactly, in its own direction.
fn shows(page: &mut Browser, name: &str, direction: &str) -> Result<()> {
    let name = in_page(name);
    page.until(&format!(
        "[...document.querySelectorAll('[data-testid=tile] .written')].some(one => one.textContent === {name} && \
         getComputedStyle(one).direction === '{direction}' && getComputedStyle(one).unicodeBidi === 'isolate')"
    ))
}

async fn called(server: &Server, name: &str) -> Result<Client> {
    let join = json!({"type": "join", "name": name, "password": server.password});
    Client::join(server.web, &server.meeting, join, None).await
}

// product: C5, J1
#[tokio::test(flavor = "multi_thread")]
async fn names_of_every_script_and_kind_show_as_they_were_written() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.open(&format!("http://{}/j/{}#p={}", server.web, server.meeting, server.password))?;
    page.evaluate("localStorage.setItem('huitong.language', 'zh-CN')")?;
    page.reload()?;
    // Typed into the form itself.
    page.enter(&format!("{FAMILY} {PERSIAN}"), "")?;
    shows(&mut page, &format!("{FAMILY} {PERSIAN}"), "rtl")?;
    let long = "长".repeat(40);
    let wide = "W".repeat(40);
    let marked = format!("Z{}", "\u{301}\u{302}\u{336}".repeat(13));
    let names = [
        (FAMILY, "ltr"),
        (PERSIAN, "rtl"),
        (HEBREW, "rtl"),
        (SCRIPT, "ltr"),
        (IMAGE, "ltr"),
        (DOLLARS, "ltr"),
        (&long, "ltr"),
        (&wide, "ltr"),
        (&marked, "ltr"),
    ];
    let mut others = Vec::new();
    for (name, _) in names {
        let other = called(&server, name).await?;
        assert_eq!(other.joined["type"], "joined", "{name}: {}", other.joined);
        others.push(other);
    }
    page.press("w")?;
    page.see("[data-testid=stage][data-layout=gallery]")?;
    for (name, direction) in names {
        shows(&mut page, name, direction)?;
    }
    is_untouched(&mut page)?;
    fits(&mut page, "names in the gallery")?;

    // Each row has its buttons at the same place, whichever way its name runs.
    let lefts = page.evaluate(
        "[...new Set([...document.querySelectorAll('[data-testid=participant-row] [data-testid=row-more]')] \
         .map(one => Math.round(one.getBoundingClientRect().left)))].length",
    )?;
    assert_eq!(lefts, 1, "the rows' buttons stand below each other");

    // What steers or hides is refused; a joiner that joins nothing is left out.
    for bad in ["a\u{202e}b", "a\u{200b}b", "\u{3164}", "a\u{2066}b"] {
        let refused = called(&server, bad).await?;
        assert_eq!(refused.joined["type"], "refused", "{bad:?}: {}", refused.joined);
    }
    let stray = called(&server, "李\u{200d}雷").await?;
    let all = stray.joined["participants"].as_array().context("a list")?;
    let own = all.iter().find(|one| one["id"] == stray.joined["you"]).context("oneself")?;
    assert_eq!(own["name"], "李雷");
    Ok(())
}

/// Nothing that steers a terminal or turns a line around.
fn is_harmless(text: &str) -> bool {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !text.chars().any(|c| steers(c) || turns(c))
}

// reliability: A8
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_telephone_calls_itself_stays_text_in_the_roster_the_list_of_calls_and_the_log() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.login(server.web, "host", "Huitong-2026")?;
    page.join(server.web, &server.meeting, "主持人", &server.password)?;
    let mut other = called(&server, "李雷").await?;
    let long = format!("<sip:{}@x>", "9".repeat(4_000));
    let callers: [&[u8]; 7] = [
        b"\"\x1b[2J\x07\" <sip:%1B%5B2J%00%0D%0A138@x>",
        "\"\u{202e}oga\" <sip:\u{202e}1380%E2%80%AE0138000@x>".as_bytes(),
        long.as_bytes(),
        b"\"<img src=x onerror='window.run=1'>\" <sip:%3Cimg%20src=x%20onerror='window.run=1'%3E@x>",
        b"\"J\xf6rg\" <sip:\xff\xfe%C3%28138@x>",
        b"<sip:=HYPERLINK(%22x%22)@x>",
        b"<sip:%3Cscript%3Ewindow.run=1%3C%2Fscript%3E@x>",
    ];
    let mut phones = Vec::new();
    for caller in callers {
        let shown = String::from_utf8_lossy(caller).into_owned();
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        phone.call_itself(caller);
        let offer = phone.description()?;
        let reply = phone.call(&format!("{}**{}", server.meeting, server.password), &offer, "")?;
        for number in 0..10 {
            phone.exchange(reply.media()?, number)?;
        }
        phone.press(&tag(&reply), "1")?;
        let joined =
            other.next(|message| message["event"]["type"] == "participant_joined").await.context(shown.clone())?;
        let seen = joined["event"]["participant"].clone();
        for told in [&seen["name"], &seen["number"]].into_iter().filter_map(serde_json::Value::as_str) {
            assert!(is_harmless(told) && told.chars().count() <= 64, "{shown:?} is {told:?}");
        }
        phones.push((phone, reply));
    }
    page.press("w")?;
    page.until("document.querySelectorAll('[data-testid=participant-row]').length === 9")?;
    is_untouched(&mut page)?;
    fits(&mut page, "telephones of any name")?;
    for (phone, reply) in &mut phones {
        phone.send("BYE", &tag(reply), "", "")?;
        assert_eq!(phone.answer()?.code, 200);
    }

    // Each has its line in the list, of as many cells as all others, none of which is a formula.
    let csv = loop {
        let table = http().get(format!("http://{}/api/v1/sites/{site}/calls.csv?kind=phone", server.web));
        let table = table.header("cookie", &operator.cookie).send().await?.text().await?;
        if table.lines().count() == 1 + callers.len() {
            break table;
        }
    };
    assert!(is_harmless(&csv.replace("\r\n", "\n")), "{csv:?}");
    assert!(csv.contains("\"'=HY****"), "{csv}");
    for line in csv.lines() {
        let (mut quoted, mut cells, mut before) = (false, 1, ' ');
        for c in line.chars() {
            assert!(!(quoted && before == '"' && "=+-@".contains(c)), "{line}");
            quoted ^= c == '"';
            cells += usize::from(c == ',' && !quoted);
            before = c;
        }
        assert_eq!(cells, csv.lines().next().map_or(0, |titles| titles.split(',').count()), "{line}");
    }
    let calls = operator.get(&format!("/sites/{site}/calls?kind=phone")).await?;
    for call in calls["items"].as_array().context("a list")? {
        let id = call["id"].as_str().context("an id")?;
        let ladder = http().get(format!("http://{}/api/v1/calls/{id}/ladder.txt", server.web));
        let ladder = ladder.header("cookie", &operator.cookie).send().await?.text().await?;
        assert!(ladder.contains("->  INVITE sip:") && is_harmless(&ladder), "{ladder:?}");
    }
    page.open(&format!("http://{}/admin#calls", server.web))?;
    page.see(&by_id("call"))?;
    is_untouched(&mut page)?;
    // Its own colours aside.
    let log = [0, 1, 2, 3, 31, 32, 33, 34, 35]
        .iter()
        .fold(server.log(), |log, code| log.replace(&format!("\u{1b}[{code}m"), ""));
    assert!(is_harmless(&log), "{log:?}");
    // More nines than any figure has.
    let long = "9".repeat(20);
    assert!(
        log.lines().all(|line| line.len() < 2_000 && !line.contains("window.run=1") && !line.contains(&long)),
        "{log}"
    );
    Ok(())
}

// product: L5
#[test]
fn script_in_every_field_of_an_account_stays_text() -> Result<()> {
    let server = Server::start()?;
    let home = format!("http://{}/", server.web);
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.open(&home)?;
    page.fill("login-name", SCRIPT)?;
    page.fill("login-password", IMAGE)?;
    page.click("login-submit")?;
    page.see(&by_id("login-problem"))?;
    assert_eq!(page.evaluate("document.querySelector('[data-testid=login-name]').value")?, SCRIPT);
    page.login(server.web, "host", "Huitong-2026")?;
    page.open(&format!("{home}settings#profile"))?;
    page.fill("profile-name", IMAGE)?;
    page.click("profile-save")?;
    page.see(&by_id("profile-saved"))?;
    page.until(&format!(
        "document.querySelector('[data-testid=account-menu]').textContent.includes({})",
        in_page(IMAGE)
    ))?;
    page.fill("profile-mobile", SCRIPT)?;
    page.click("profile-save")?;
    page.see(&by_id("profile-problem"))?;
    fits(&mut page, "the profile")?;
    is_untouched(&mut page)?;

    // The topic that is offered leaves out what topics refuse.
    page.open(&home)?;
    page.click("instant-open")?;
    page.see(&by_id("instant-title"))?;
    let offered = page.evaluate("document.querySelector('[data-testid=instant-title]').value")?;
    assert_eq!(offered, "img src=x onerror=window.run=1’s meeting");
    page.click("instant-start")?;
    page.see(&by_id("prejoin-join"))?;
    is_untouched(&mut page)
}

/// Waits until something shows just this.
fn says(page: &mut Browser, id: &str, text: &str) -> Result<()> {
    page.until(&format!(
        "[...document.querySelectorAll('{}')].some(one => one.textContent.includes({}))",
        by_id(id),
        in_page(text)
    ))
}

// product: S2, C1, C5, C17, C20, C21
#[tokio::test(flavor = "multi_thread")]
async fn script_in_every_field_of_a_meeting_stays_text() -> Result<()> {
    let server = Server::start()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(format!("{IMAGE}.pdf"));
    std::fs::write(&file, "no document")?;
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.login(server.web, "concurrent", "Huitong-2026")?;
    page.click("instant-open")?;
    page.fill("instant-title", IMAGE)?;
    page.click("instant-start")?;
    page.see(&by_id("instant-problem"))?;
    page.fill("instant-title", &format!("{FAMILY} {HEBREW}"))?;
    page.click("instant-start")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.until(&format!("document.querySelector('h1').textContent === {}", in_page(&format!("{FAMILY} {HEBREW}"))))?;
    let number = page.evaluate("window.huitong.state.meeting.number")?.as_str().unwrap_or_default().to_owned();
    let mut other = Client::join(server.web, &number, json!({"type": "join", "name": IMAGE}), None).await?;

    // What others say is told in passing; what one writes to them comes as it was written.
    other.command(json!({"type": "chat", "to": null, "text": SCRIPT})).await?;
    page.see("[data-notice=said]")?;
    says(&mut page, "notice", SCRIPT)?;
    page.click("toggle-chat")?;
    for text in [IMAGE, "javascript:window.run=1 https://example.com/'onclick='window.run=1", DOLLARS] {
        page.fill("chat-text", text)?;
        page.press("Enter")?;
        other.next(|message| message["event"]["message"]["text"] == text).await?;
        says(&mut page, "chat-message", text)?;
    }
    page.upload("[data-testid=chat] input[type=file]", &file)?;
    says(&mut page, "chat-file", &format!("{IMAGE}.pdf"))?;
    fits(&mut page, "chat")?;
    page.click("panel-close")?;

    // Search, names, votes.
    page.click("toggle-participants")?;
    page.click_at(
        "[data-testid=participant-row]:not([data-role=host]) [data-testid=row-rename], \
                   [data-testid=participant-row]:not([data-role=host]) [data-testid=row-more]",
    )?;
    page.click("row-rename")?;
    page.fill("rename-name", SCRIPT)?;
    page.click("rename-submit")?;
    other.next(|message| message["event"]["participant"]["name"] == SCRIPT).await?;
    page.see(&format!("[data-testid=participant-row][data-name={}]", in_page(SCRIPT)))?;
    page.click("more")?;
    page.click("open-polls")?;
    page.click("poll-new")?;
    page.fill("poll-question", IMAGE)?;
    page.fill("poll-choice", SCRIPT)?;
    page.click_at("[data-testid=poll-choice] >> nth=1")?;
    page.type_text(DOLLARS)?;
    page.click("poll-start")?;
    other.next(|message| message["event"]["poll"]["question"] == IMAGE).await?;
    for text in [IMAGE, SCRIPT, DOLLARS] {
        says(&mut page, "poll", text)?;
    }
    fits(&mut page, "a poll")?;
    other.command(json!({"type": "vote", "poll": 1, "choices": [0]})).await?;
    page.click("poll-close")?;
    says(&mut page, "poll-result", SCRIPT)?;
    page.click("panel-close")?;

    // What is shared by its name, and a page by its address.
    page.click("share")?;
    page.upload("input[accept*=pdf]", &file)?;
    page.until(&format!(
        "document.querySelector('[data-testid=shown] [role=alert]')?.textContent.includes({})",
        in_page(IMAGE)
    ))?;
    page.click("stop-sharing")?;
    page.miss(&by_id("shown"))?;
    page.click("share")?;
    page.fill("share-address", "https://example.invalid/\"><img src=x onerror='window.run=1'>")?;
    page.click("share-page")?;
    page.see(&by_id("share-problem"))?;
    fits(&mut page, "what can be shared")?;
    page.until("window.huitong.state.phase === 'joined'")?;
    is_untouched(&mut page)?;
    runs_nothing_of_others(&mut page)
}

// product: S6, C17, C20, C22, B3, B9
#[tokio::test(flavor = "multi_thread")]
async fn script_in_what_a_host_looks_for_and_sends_out_stays_text() -> Result<()> {
    let carrier = r#"[{name="nowhere",address="127.0.0.1:9",caller="+861055550000",prefixes=["+86"]}]"#;
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", carrier),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_MAIL__SMTP", "smtp://127.0.0.1:9"),
    ])?;
    let home = format!("http://{}/", server.web);
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.login(server.web, "host", "Huitong-2026")?;
    page.see(&by_id("meeting-item"))?;
    page.click_at("[data-testid=meeting-more]")?;
    page.click("meeting-encoder")?;
    page.fill("encoder-name", IMAGE)?;
    page.click("encoder-make")?;
    page.see(&by_id("encoder-token"))?;
    fits(&mut page, "an encoder")?;
    page.press("Escape")?;
    page.miss("[role=dialog]")?;
    page.fill("meetings-search", SCRIPT)?;
    page.miss(&by_id("meeting-item"))?;
    is_untouched(&mut page)?;
    page.open(&format!("{home}admin#prompts"))?;
    page.see(&by_id("prompt"))?;
    page.fill("prompts-search", IMAGE)?;
    page.miss(&by_id("prompt"))?;
    is_untouched(&mut page)?;

    // Addresses, and who is called by which name.
    let mut other = called(&server, "李雷").await?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    page.click("more")?;
    page.click("open-invite")?;
    page.click("invite-by-mail")?;
    page.fill("invite-addresses", SCRIPT)?;
    page.click("invite-send")?;
    page.see(&by_id("invite-problem"))?;
    page.click("invite-by-phone")?;
    page.fill("call-number", "138 1234 5678")?;
    page.fill("call-name", SCRIPT)?;
    page.click("call-submit")?;
    says(&mut page, "dial", SCRIPT)?;
    fits(&mut page, "a call")?;
    page.press("Escape")?;
    page.miss("[role=dialog]")?;

    // To all rooms at once.
    page.evaluate("window.huitong.openBreakouts(2, true)")?;
    page.click("more")?;
    page.click("open-breakout-rooms")?;
    page.fill("tell-rooms", IMAGE)?;
    page.click("tell-rooms-send")?;
    other.next(|message| message["event"]["message"]["text"] == IMAGE).await?;
    page.click("close-breakouts")?;
    page.press("Escape")?;
    page.miss("[role=dialog]")?;
    page.click("toggle-chat")?;
    says(&mut page, "chat-message", IMAGE)?;

    // A place the livestream goes to, and a page that is kept.
    page.click("start-broadcast")?;
    page.see("[data-testid=broadcast][data-state=live]")?;
    page.click("more")?;
    page.click("open-pushes")?;
    page.fill("push-url", "rtmp://127.0.0.1:9/live/key")?;
    page.fill("push-name", SCRIPT)?;
    page.click("push-submit")?;
    says(&mut page, "push", SCRIPT)?;
    fits(&mut page, "a push")?;
    page.press("Escape")?;
    page.miss("[role=dialog]")?;
    page.click("share")?;
    page.fill("share-address", "https://example.com/?<img src=x onerror=window.run=1>")?;
    // No address of a page; one that is has no such signs in it.
    page.click("bookmark-add")?;
    page.see(&by_id("share-problem"))?;
    page.fill("share-address", "https://example.com/?javascript:window.run=1")?;
    page.click("bookmark-add")?;
    says(&mut page, "bookmark", "javascript:window.run=1")?;
    fits(&mut page, "a bookmark")?;
    is_untouched(&mut page)?;
    runs_nothing_of_others(&mut page)
}
