//! What is written down of telephone calls.

use anyhow::{Context, Result};
use tests::{Baresip, Codec, Server, User, http};

// product: P9, P5
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_written_down_with_its_quality_and_without_its_number() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let mut phone = Baresip::start("13812345678", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    phone.listen(3.0)?;
    phone.hang_up()?;
    let mut lost = Baresip::start("13887654321", Codec::Opus, 600.0)?;
    lost.dial(&server.meeting, server.sip, "udp")?;
    lost.press("2000000#000000#000000#")?;
    lost.wait_for("CALL_CLOSED")?;

    let mut calls = Vec::new();
    while calls.is_empty() {
        let found = operator.get(&format!("/sites/{site}/calls")).await?;
        calls = found["items"].as_array().context("a list")?.clone();
    }
    let call = &calls[0];
    assert_eq!((&call["number"], &call["codec"]), (&"138****5678".into(), &"PCMA".into()), "{call}");
    assert_eq!((&call["direction"], &call["cause"]), (&"in".into(), &"hung_up".into()), "{call}");
    assert!(call["received"].as_u64() > Some(100) && call["mos"].as_f64() > Some(4.0), "{call}");
    let mut stray = Vec::new();
    while stray.is_empty() {
        stray = operator.get("/calls").await?["items"].as_array().context("a list")?.clone();
    }
    assert_eq!((&stray[0]["cause"], &stray[0]["number"]), (&"wrong_password".into(), &"138****4321".into()));

    let url = format!("http://{}/api/v1/sites/{site}/calls.csv", server.web);
    let table = http().get(url).header("cookie", &operator.cookie).send().await?.text().await?;
    assert!(table.starts_with("start,") && table.contains("\"138****5678\""), "{table}");
    for told in [table, format!("{calls:?}{stray:?}"), server.log()] {
        assert!(!told.contains("12345678") && !told.contains("87654321"), "a number is told: {told}");
    }
    Ok(())
}
