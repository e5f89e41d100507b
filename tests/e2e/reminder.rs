//! What begins soon is told on the screens of who is logged in.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tests::{Browser, Colour, PASSWORD, Server, User, by_id};

// product: S9
#[tokio::test(flavor = "multi_thread")]
async fn who_was_invited_is_reminded_on_every_page_and_in_another_meeting() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_MAIL__SMTP", "smtp://127.0.0.1:9")])?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let lucy = json!({"name": "lucy", "display_name": "Lucy", "password": PASSWORD, "mode": "dedicated"});
    operator.post(&format!("/sites/{site}/accounts"), lucy).await?;
    let lucy = User::login(&server, "lucy").await?;
    let email = json!({"email": "lucy@example.com"});
    assert_eq!(lucy.ask(Method::PATCH, "/me", email, &[]).await?.status, 200);
    let mut page = Browser::start(0.0, Colour::Red)?;
    page.login(server.web, "lucy", PASSWORD)?;
    page.click("account-menu")?;
    page.click("open-settings")?;
    page.see(&by_id("setting-desktopReminders"))?;
    page.miss(&by_id("reminder"))?;

    let owner = User::login(&server, "concurrent").await?;
    let start = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 600)?.to_string();
    let booking = json!({"title": "产品评审", "start": start, "capacity": 5, "password": "246810"});
    let booked = owner.post("/meetings", booking).await?.body;
    let (id, number) = (booked["id"].as_str().context("an id")?, booked["number"].as_str().context("a number")?);
    let invited = json!({"emails": ["lucy@example.com"], "language": "zh"});
    assert_eq!(owner.post(&format!("/meetings/{id}/invitations"), invited).await?.status, 202);

    // Where she is, without a word of hers; the password is in her mail, not here.
    let reminder = format!("{}[data-number='{number}']", by_id("reminder"));
    page.see(&reminder)?;
    assert!(page.text(&reminder)?.contains("产品评审"));
    assert_eq!(page.axe()?, Vec::<String>::new());
    let told = lucy.get("/me/reminders").await?;
    assert_eq!(told["items"][0]["password"], json!(null), "{told}");
    assert!((540..=600).contains(&told["items"][0]["starts_in"].as_i64().unwrap_or(0)), "{told}");
    assert_eq!(owner.get("/me/reminders").await?["items"], json!([]), "who has just booked it knows");

    // In another meeting it opens beside; what is put aside stays away.
    page.open(&format!("http://{}/", server.web))?;
    page.click("instant-open")?;
    page.fill("instant-title", "站会")?;
    page.click("instant-start")?;
    page.click("prejoin-join")?;
    page.see(&by_id("room"))?;
    page.see(&reminder)?;
    let beside = page.evaluate("document.querySelector('[data-testid=reminder-enter]').target")?;
    assert_eq!(beside, "_blank");
    // At the foot of the window, above the bar and beside nothing one needs.
    for (width, height) in [(1440, 900), (390, 844)] {
        page.resize(width, height)?;
        let gap = page.evaluate(
            "document.querySelector('nav').getBoundingClientRect().top - \
             document.querySelector('[data-testid=reminder]').getBoundingClientRect().bottom",
        )?;
        assert!((0.0..40.0).contains(&gap.as_f64().unwrap_or(-1.0)), "{gap} px at {width}");
    }
    page.resize(1440, 900)?;
    page.click("reminder-dismiss")?;
    page.miss(&reminder)?;
    page.open(&format!("http://{}/", server.web))?;
    page.until("performance.getEntriesByName(location.origin + '/api/v1/me/reminders')[0]?.responseEnd > 0")?;
    page.evaluate("new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown)))")?;
    page.miss(&reminder)
}
