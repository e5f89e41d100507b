//! Single sign-on: a browser, the server, and an OpenID provider of somebody else's making.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use anyhow::{Context, Result};
use reqwest::{Client, Response, redirect};
use serde_json::Value;
use tests::{Browser, Colour, Devices, Server, http, python};

/// The provider lives as long as this does.
struct Provider {
    child: Child,
    issuer: String,
}

impl Provider {
    fn start() -> Result<Self> {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/openid_provider.py");
        let mut child = python().arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().context("its output is piped")?).read_line(&mut issuer)?;
        Ok(Self { child, issuer: issuer.trim().to_owned() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser that keeps cookies and shows where it is sent.
fn browser() -> Result<Client> {
    // The library wants to know whose TLS it would use.
    drop(http());
    Ok(Client::builder().cookie_store(true).redirect(redirect::Policy::none()).build()?)
}

fn location(response: &Response) -> Result<String> {
    Ok(response.headers().get("location").context("a Location")?.to_str()?.to_owned())
}

/// Goes to the provider, is let in as somebody there, and comes back: where to.
async fn sign_on(browser: &Client, server: &Server, extra: &str) -> Result<String> {
    let begun = browser.get(format!("http://{}/api/v1/sign-on?back=/j/123456789", server.web)).send().await?;
    let at_provider = browser.get(format!("{}&{extra}", location(&begun)?)).send().await?;
    let back = browser.get(location(&at_provider)?).send().await?;
    assert_eq!(back.status(), 303);
    location(&back)
}

async fn me(browser: &Client, server: &Server) -> Result<Value> {
    Ok(browser.get(format!("http://{}/api/v1/me", server.web)).send().await?.json().await?)
}

// product: L8; reliability: A18
#[tokio::test(flavor = "multi_thread")]
async fn people_of_the_company_come_in_by_its_own_login() -> Result<()> {
    let provider = Provider::start()?;
    let server = Server::start_with(&[
        ("HUITONG_SIGN_ON__ISSUER", provider.issuer.as_str()),
        ("HUITONG_SIGN_ON__CLIENT_ID", "huitong"),
        ("HUITONG_SIGN_ON__CLIENT_SECRET", "company secret"),
        ("HUITONG_SIGN_ON__SITE", "会通演示"),
    ])?;
    let info: Value = http().get(format!("http://{}/api/v1/info", server.web)).send().await?.json().await?;
    assert!(info["sign_on"].as_str().is_some_and(|label| label.contains("企业账号")), "{info}");

    // A new person gets an account, and is the same person the next time, from another browser.
    let first = browser()?;
    assert_eq!(sign_on(&first, &server, "as=lucy").await?, "/j/123456789");
    let account = me(&first, &server).await?;
    let lucy = &account["account"];
    assert_eq!((&lucy["name"], &lucy["display_name"]), (&"lucy".into(), &"Lucy".into()), "{account}");
    assert_eq!((&lucy["role"], &lucy["email"]), (&"member".into(), &"lucy@example.com".into()), "{account}");
    let second = browser()?;
    sign_on(&second, &server, "as=lucy").await?;
    assert_eq!(me(&second, &server).await?["account"]["id"], lucy["id"]);

    // Nobody is somebody else by what he calls himself there.
    let stranger = browser()?;
    assert_eq!(sign_on(&stranger, &server, "as=host").await?, "/?sign_on=name_taken");
    for wrong in ["nonce", "key", "audience", "expired", "none", "hmac"] {
        let back = sign_on(&stranger, &server, &format!("as=lucy&wrong={wrong}")).await?;
        assert_eq!(back, "/?sign_on=refused", "{wrong}");
    }
    // What was begun in another browser is not ended in this one.
    let begun = first.get(format!("http://{}/api/v1/sign-on", server.web)).send().await?;
    let at_provider = first.get(format!("{}&as=lucy", location(&begun)?)).send().await?;
    let back = stranger.get(location(&at_provider)?).send().await?;
    assert_eq!(location(&back)?, "/?sign_on=expired");
    assert_eq!(me(&stranger, &server).await?["code"], "not_logged_in");
    Ok(())
}

// product: L8
#[test]
fn the_page_leads_to_the_companys_login_and_back() -> Result<()> {
    let provider = Provider::start()?;
    let server = Server::start_with(&[
        ("HUITONG_SIGN_ON__ISSUER", provider.issuer.as_str()),
        ("HUITONG_SIGN_ON__CLIENT_ID", "huitong"),
        ("HUITONG_SIGN_ON__CLIENT_SECRET", "company secret"),
        ("HUITONG_SIGN_ON__SITE", "会通演示"),
    ])?;
    for mut page in [Browser::start(700.0, Colour::Red)?, Browser::start_on(Devices::Phone)?] {
        page.open(&format!("http://{}/?sign_on=expired", server.web))?;
        page.see("[data-testid=sign-on-problem]")?;
        page.click("sign-on")?;
        page.see("[data-testid=account-menu]")?;
        let account = page.evaluate("fetch('/api/v1/me').then(r => r.json()).then(me => me.account.name)")?;
        assert_eq!(account, "lucy");
    }
    Ok(())
}

// product: L8
#[tokio::test]
async fn without_a_provider_the_page_says_so() -> Result<()> {
    let server = Server::start_with(&[
        ("HUITONG_SIGN_ON__ISSUER", "http://127.0.0.1:9"),
        ("HUITONG_SIGN_ON__CLIENT_ID", "huitong"),
    ])?;
    let begun = browser()?.get(format!("http://{}/api/v1/sign-on", server.web)).send().await?;
    assert_eq!(location(&begun)?, "/?sign_on=unavailable");
    Ok(())
}
