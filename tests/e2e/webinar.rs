//! Webinars (B7): booked, registered for, approved, watched by one's own link, and told who came.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Browser, Devices, PASSWORD, Server, User, by_id, http};

use crate::{
    api::{MailServer, read_mail},
    web::is_sound_everywhere,
};

/// Fills the watch page's form and sends it.
fn register(page: &mut Browser, name: &str, email: &str, organisation: &str) -> Result<()> {
    page.fill("watch-register-name", name)?;
    page.fill("watch-register-email", email)?;
    page.fill("watch-register-organisation", organisation)?;
    page.click("watch-register-submit")
}

/// What a viewer without a browser is answered.
async fn attends(server: &Server, id: &str, signature: &str) -> Result<String> {
    let url = format!("http://{}/api/v1/broadcasts/{id}/viewers", server.web);
    let body = json!({"viewer": "cafe", "signature": signature});
    let answer: Value = http().post(url).json(&body).send().await?.json().await?;
    Ok(answer["code"].as_str().unwrap_or("watches").to_owned())
}

// product: B5, B7, S1, S7
#[tokio::test(flavor = "multi_thread")]
async fn who_registers_for_a_webinar_watches_by_his_own_link_once_its_owner_says_so() -> Result<()> {
    let mail = MailServer::start()?;
    let server = Server::start_with(&[("HUITONG_MAIL__SMTP", &format!("smtp://{}", mail.address))])?;
    let mut owner = Browser::start_on(Devices::NoCamera)?;
    owner.login(server.web, "host", PASSWORD)?;
    // A webinar has a livestream: the one is not without the other.
    owner.click("book-open")?;
    owner.fill("book-title", "新品发布会")?;
    owner.fill("book-password", "246810")?;
    owner.click("option-webinar")?;
    owner.see("[data-testid=option-livestream]:checked")?;
    owner.click("option-livestream")?;
    owner.see("[data-testid=option-webinar]:not(:checked)")?;
    owner.miss(&by_id("book-webinar"))?;
    owner.click("option-webinar")?;
    owner.click("option-approval")?;
    is_sound_everywhere(&mut owner, "a webinar is booked")?;
    owner.click("book-submit")?;
    owner.see(&by_id("invite-text"))?;
    owner.press("Escape")?;
    owner.miss("[role=dialog]")?;
    let user = User::login(&server, "host").await?;
    let booked = user.get("/meetings?search=新品").await?["items"][0].clone();
    assert_eq!((&booked["options"]["webinar"], &booked["options"]["approval"]), (&json!(true), &json!(true)));
    let id = booked["id"].as_str().context("an id")?.to_owned();
    let watch = format!("http://{}/watch/{id}", server.web);

    // Nobody watches who has not registered; what is wrong with that is said, and what was typed stays.
    let mut viewer = Browser::start_on(Devices::Phone)?;
    viewer.open(&watch)?;
    viewer.see(&by_id("watch-register"))?;
    viewer.see(&by_id("watch-planned"))?;
    is_sound_everywhere(&mut viewer, "registering for a webinar")?;
    register(&mut viewer, "李雷", "li@example", "会通<研究院>")?;
    viewer.see(&by_id("watch-register-problem"))?;
    register(&mut viewer, "李雷", "Li@example.com", "会通研究院")?;
    viewer.until("document.querySelector('#words').textContent.startsWith('Thank you for registering')")?;
    viewer.miss(&by_id("watch-register"))?;
    // A reload asks for nothing again; and nobody else is let in by his word.
    viewer.reload()?;
    viewer.until("document.querySelector('#words').textContent.startsWith('Thank you for registering')")?;
    let own = viewer.evaluate("location.hash.slice(1)")?.as_str().context("a signature")?.to_owned();
    assert_eq!(attends(&server, &id, &own).await?, "not_approved");
    assert_eq!(attends(&server, &id, "").await?, "wrong_link");
    assert_eq!(attends(&server, &id, &format!("{own}0")).await?, "wrong_link");
    // Whoever registers that address again learns nothing of it.
    let mut stranger = Browser::start_on(Devices::NoCamera)?;
    stranger.open(&watch)?;
    register(&mut stranger, "乙", "li@example.com", "")?;
    stranger.until("document.querySelector('#words').textContent.startsWith('This email address is registered')")?;
    stranger.reload()?;
    register(&mut stranger, "乙", "b@example.com", "")?;
    stranger.until("document.querySelector('#words').textContent.startsWith('Thank you for registering')")?;

    // The owner says who may; that one is let in where he waits, and has his link and the time by mail.
    let card = format!("[data-number='{}']", booked["number"].as_str().context("a number")?);
    owner.click_at(&format!("{card} [data-testid=meeting-more]"))?;
    owner.click("meeting-audience")?;
    owner.see("[data-testid=registrant][data-email='li@example.com'][data-state=waiting]")?;
    is_sound_everywhere(&mut owner, "who has registered")?;
    owner.click_at("[data-email='li@example.com'] [data-testid=registrant-approve]")?;
    owner.see("[data-testid=registrant][data-email='li@example.com'][data-state=approved]")?;
    owner.click_at("[data-email='b@example.com'] [data-testid=registrant-decline]")?;
    owner.see("[data-testid=registrant][data-email='b@example.com'][data-state=denied]")?;
    viewer.see("[data-testid=watch-state][data-state=waiting]")?;
    stranger.until("document.querySelector('#words').textContent.includes('wasn’t approved')")?;
    let read = read_mail(&mail.next()?)?;
    let text = read["text"].as_str().context("a text")?;
    assert!(text.contains(&format!("/watch/{id}#{own}")), "{text}");
    // Nothing of it leads into the meeting.
    let number = booked["number"].as_str().unwrap_or_default();
    for secret in ["246810", number, "/j/"] {
        assert!(!read.to_string().contains(secret), "{secret} in {read}");
    }
    assert_eq!((&read["method"], &read["summary"]), (&json!("REQUEST"), &json!("新品发布会")), "{read}");

    // He watches, and the owner has it in a table.
    owner.press("Escape")?;
    owner.miss("[role=dialog]")?;
    owner.click_at(&format!("{card} [data-testid=meeting-start]"))?;
    owner.enter("韩梅梅", "")?;
    owner.click("start-broadcast")?;
    owner.see("[data-testid=broadcast][data-state=live]")?;
    viewer.see("[data-testid=watch-state][data-state=playing]")?;
    let table = format!("http://{}/api/v1/meetings/{id}/registrants.csv", server.web);
    loop {
        let text = http().get(&table).header("cookie", &user.cookie).send().await?.text().await?;
        let his = text.lines().find(|line| line.contains("li@example.com")).context("a line of his")?;
        if his.split(',').nth(5).is_some_and(|first| !first.is_empty()) {
            assert!(his.starts_with("\"李雷\",\"li@example.com\",\"会通研究院\",approved,"), "{his}");
            break;
        }
    }

    // It is a webinar's by its booking: nobody opens it to others, and none registers for another meeting.
    let set =
        user.ask(reqwest::Method::PUT, &format!("/meetings/{id}/watch"), json!({"access": "public"}), &[]).await?;
    assert_eq!((set.status, &set.body["code"]), (400, &json!("bad_webinar")), "{}", set.body);
    owner.click("leave")?;
    owner.click("end-meeting")?;
    owner.see(&by_id("over"))?;
    // Those who may watch are told that it is off.
    assert_eq!(user.ask(reqwest::Method::DELETE, &format!("/meetings/{id}"), Value::Null, &[]).await?.status, 204);
    let read = read_mail(&mail.next()?)?;
    assert_eq!(read["method"], "CANCEL", "{read}");
    let late = http().post(format!("http://{}/api/v1/broadcasts/{id}/registrations", server.web));
    let late = late.json(&json!({"name": "丙", "email": "c@example.com"})).send().await?;
    assert_eq!(late.status(), 404);
    Ok(())
}
