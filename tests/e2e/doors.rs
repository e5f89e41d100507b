//! The way to a meeting's door: the link, one's name, the time it opens, and what is offered where.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Browser, Client, Colour, PASSWORD, Server, User, by_id};

use crate::troubles::door;

// product: J1, J2, J5, S1
#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_who_is_known_straight_to_the_mirror_where_his_name_is_his_to_change() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", r#"[{number="+861088886666"}]"#)])?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    // By telephone, without a meeting and of one: each of what is keyed in stands by itself.
    page.open(&format!("http://{}/", server.web))?;
    page.click("by-phone")?;
    assert_eq!(page.text(&by_id("dial-number"))?, "+861088886666");
    page.open(&door(&server))?;
    page.click("by-phone")?;
    let said = page.text(&by_id("dial-in-info"))?;
    let number = format!("{} {} {}", &server.meeting[..3], &server.meeting[3..6], &server.meeting[6..]);
    let one_touch = format!("+861088886666,,{}#,,{}#", server.meeting, server.password);
    for wanted in ["+861088886666", &number, &server.password, &one_touch] {
        assert!(said.lines().any(|line| line == wanted), "{wanted} is not a line of {said}");
    }
    page.press("Escape")?;

    // Nobody has been here: the form asks.
    page.fill("join-name", "李雷")?;
    page.click("join-submit")?;
    page.see(&by_id("prejoin-join"))?;
    // He has: one look into the mirror, and the name may be another.
    page.open("about:blank")?;
    page.open(&door(&server))?;
    page.until("document.querySelector('[data-testid=prejoin-name]')?.value === '李雷'")?;
    page.fill("prejoin-name", "")?;
    page.see(&format!("{}:disabled", by_id("prejoin-join")))?;
    page.fill("prejoin-name", "李雷（财务）")?;
    page.press("Enter")?;
    page.see(&by_id("room"))?;
    assert_eq!(page.evaluate("window.huitong.me.name")?, "李雷（财务）");
    page.click("leave")?;
    page.see(&by_id("over"))?;
    assert!(!page.text(&by_id("over-meeting"))?.is_empty());
    assert!(page.text(&by_id("over-time"))?.contains("second"), "{}", page.text(&by_id("over-time"))?);
    page.miss(&by_id("over-recordings"))?;
    page.open("about:blank")?;
    page.open(&door(&server))?;
    page.until("document.querySelector('[data-testid=prejoin-name]')?.value === '李雷（财务）'")?;
    // A link that leads nowhere leads to the form, which says so.
    page.open(&format!("http://{}/j/100000001#p=135790", server.web))?;
    page.see(&by_id("join-problem"))?;
    Ok(())
}

// product: J3, S1, S8
#[tokio::test(flavor = "multi_thread")]
async fn who_is_too_early_is_told_when_it_opens_and_nobody_is_offered_what_the_site_has_not() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let change = json!({"name": "会通演示", "ports": 200, "livestream": false, "zone": "Asia/Shanghai"});
    assert_eq!(operator.ask(Method::PUT, &format!("/sites/{site}"), change, &[]).await?.status, 200);
    let user = User::login(&server, "concurrent").await?;
    let start = (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5)).to_string();
    let wish = json!({"title": "周会", "start": start, "capacity": 5, "password": "135790",
        "options": {"participant_video": false}});
    let booked = user.post("/meetings", wish).await?;
    let number = booked.body["number"].as_str().with_context(|| booked.body.to_string())?;

    // With the password he sees the minutes go; without it he waits and knows nothing.
    let mut page = Browser::start(0.0, Colour::Green)?;
    for (password, knows) in [("135790", true), ("135791", false)] {
        // What differs in its fragment alone is the same page to a browser.
        page.open("about:blank")?;
        page.open(&format!("http://{}/j/{number}#p={password}", server.web))?;
        page.to_mirror("李雷", "")?;
        page.click("prejoin-join")?;
        page.see("[data-testid=prejoin-waiting][data-reason=start]")?;
        // Who starts nothing is not told that he can't.
        assert!(page.text(&by_id("prejoin-waiting"))?.contains("The meeting hasn’t started yet"));
        if knows {
            page.until(
                "/^Opens in [0-4]:[0-5][0-9]$/.test(document.querySelector('[data-testid=prejoin-opens]')?.innerText)",
            )?;
        } else {
            assert_eq!(page.evaluate("document.querySelector('[data-testid=prejoin-opens]') === null")?, true);
        }
        page.click("prejoin-give-up")?;
    }

    // No mail and no short messages: nobody is promised any.
    let id = booked.body["id"].as_str().context("an id")?;
    for (way, whom, by, code) in
        [("emails", "a@example.com", "email", "no_mail"), ("sms", "13812345678", "sms", "no_sms")]
    {
        let invited = user.post(&format!("/meetings/{id}/invitations"), json!({way: [whom]})).await?;
        let forgotten = user.post("/password-resets", json!({"name": "concurrent", "by": by})).await?;
        for refused in [invited, forgotten] {
            assert_eq!((refused.status, &refused.body["code"]), (409, &json!(code)), "{}", refused.body);
        }
    }
    page.open(&format!("http://{}/forgot", server.web))?;
    page.see(&by_id("forgot-none"))?;
    page.miss(&by_id("forgot-submit"))?;

    // No livestream: neither in a booking nor in the menu of a telephone.
    page.login(server.web, "concurrent", PASSWORD)?;
    page.open(&format!("http://{}/book", server.web))?;
    page.see(&by_id("option-recording"))?;
    page.miss(&by_id("option-livestream"))?;
    // Right after another meeting there is room, but not for who wants to begin early.
    let day = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24)).to_string()[..10].to_owned();
    let long = json!({"title": "培训", "start": format!("{day}T09:00:00Z"), "duration": 60, "capacity": 150});
    assert_eq!(user.post("/meetings", long).await?.status, 201);
    page.set_zone("UTC")?;
    page.reload()?;
    page.fill("book-day", &day)?;
    page.fill("book-capacity", "100")?;
    for (early, state) in [("30", ":disabled"), ("0", ":enabled")] {
        page.choose("book-early", early)?;
        page.click("book-slots")?;
        page.see("[data-testid=free-slot][data-time='09:00']:disabled")?;
        page.see(&format!("[data-testid=free-slot][data-time='10:00']{state}"))?;
        page.press("Escape")?;
        page.miss(&by_id("free-slot"))?;
    }
    page.open(&format!("http://{}/book", server.web))?;
    // Every second week, as the rule has it.
    page.choose("book-repeat", "WEEKLY")?;
    page.fill("book-interval", "2")?;
    page.fill("book-title", "双周会")?;
    page.click("book-submit")?;
    page.see(&by_id("invite-text"))?;
    let mine = user.get("/meetings?search=双周会").await?;
    let rule = mine["items"][0]["recurrence"].as_str().context("a rule")?.to_owned();
    assert!(rule.starts_with("FREQ=WEEKLY;INTERVAL=2;"), "{rule}");
    page.open(&format!("http://{}/", server.web))?;
    page.resize(390, 844)?;
    page.click("instant-open")?;
    page.click("instant-start")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.click("more")?;
    page.see(&by_id("toggle-recording"))?;
    page.miss(&by_id("start-broadcast"))?;
    page.press("Escape")?;
    // Nothing was recorded.
    page.click("leave")?;
    page.click("end-meeting")?;
    page.see(&by_id("over"))?;
    page.miss(&by_id("over-recordings"))?;
    Ok(())
}

// product: S7
#[test]
fn what_is_copied_is_copied_where_pages_may_not_use_the_clipboard_too() -> Result<()> {
    let server = Server::start()?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    // As over plain HTTP.
    page.before_each_page("Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined })")?;
    page.open(&door(&server))?;
    page.click("by-phone")?;
    page.click_at("[data-testid=dial-in-info] button")?;
    page.see("[data-testid=dial-in-info] button [class*=check]")?;
    page.press("Escape")?;
    page.click("join-name")?;
    page.press("Control+V")?;
    page.until(&format!("document.querySelector('[data-testid=join-name]').value === '{}'", server.meeting))
}

// product: S1
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_is_to_be_off_at_entry_is_never_sent() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "concurrent").await?;
    let booked = user.post("/meetings", json!({"title": "例会", "options": {"participant_video": false}})).await?;
    let number = booked.body["number"].as_str().with_context(|| booked.body.to_string())?;
    let join = json!({"type": "join", "name": "主持人"});
    let mut host = Client::join(server.web, number, join, Some(&user.cookie)).await?;
    let mut page = Browser::start(0.0, Colour::Green)?;
    page.join(server.web, number, "李雷", "")?;
    assert_eq!(page.evaluate("window.huitong.track('camera') === null")?, true);
    // Whatever was told of him before he raised his hand, it was not a camera.
    page.press("r")?;
    let is_of_him = |told: &Value| told["event"]["participant"]["name"] == "李雷";
    loop {
        let told = host.next(is_of_him).await?;
        let person = &told["event"]["participant"];
        assert_eq!(person["camera"], false, "{told}");
        if person["hand"] == true {
            break;
        }
    }
    page.click("toggle-camera")?;
    host.next(|told| is_of_him(told) && told["event"]["participant"]["camera"] == true).await?;
    Ok(())
}
