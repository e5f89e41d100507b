//! A booking that is changed or deleted while people are in.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Server, User};

// product: S6, J2, P1
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_changed_is_asked_of_who_comes_next_by_browser_and_by_telephone() -> Result<()> {
    let server = Server::start()?;
    let owner = User::login(&server, "host").await?;
    let start = jiff::Timestamp::now().to_string();
    let body = |title: &str, password: &str| json!({"title": title, "password": password, "start": start});
    let booked = owner.post("/meetings", body("周会", "1234")).await?;
    assert_eq!(booked.status, 201, "{}", booked.body);
    let (id, number) =
        (booked.body["id"].as_str().context("an id")?, booked.body["number"].as_str().context("digits")?);
    let join = |name: &str, password: &str| json!({"type": "join", "name": name, "password": password});
    let mut first = Client::join(server.web, number, join("韩梅梅", "1234"), None).await?;
    assert_eq!(first.joined["type"], "joined", "{}", first.joined);

    let path = format!("/meetings/{id}");
    let changed = owner.ask(Method::PUT, &path, body("例会", "8642"), &[]).await?;
    assert_eq!(changed.status, 200, "{}", changed.body);
    first.next(|message| message["event"]["meeting"]["title"] == "例会").await?;
    let late = Client::join(server.web, number, join("李雷", "1234"), None).await?;
    assert_eq!(late.joined["problem"]["code"], "wrong_password", "{}", late.joined);
    let mut second = Client::join(server.web, number, join("李雷", "8642"), None).await?;
    assert_eq!(second.joined["type"], "joined", "{}", second.joined);
    let mut phone = Baresip::start("13812345678", Codec::Pcma, 600.0)?;
    phone.dial(number, server.sip, "udp")?;
    phone.enter("8642")?;
    second.next(|message| message["event"]["participant"]["via"] == "phone").await?;

    // It is not deleted under their feet.
    let refused = owner.ask(Method::DELETE, &path, Value::Null, &[]).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("in_progress")), "{}", refused.body);
    assert_eq!(refused.body["title"], "会议正在进行，请先结束会议");
    let mut host =
        Client::join(server.web, number, json!({"type": "join", "name": "王老师"}), Some(&owner.cookie)).await?;
    host.command(json!({"type": "end"})).await?;
    phone.wait_for("CALL_CLOSED")?;
    assert_eq!(owner.ask(Method::DELETE, &path, Value::Null, &[]).await?.status, 204);
    Ok(())
}
