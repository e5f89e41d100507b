//! What an operator does to a server's data, and what a power cut does.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Client, PASSWORD, Server, User};
use tokio::task::JoinSet;

/// Times the server is killed, and who books meanwhile.
const KILLS: usize = 100;
const BOOKERS: usize = 4;

// product: S4, A3
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_booking_is_lost_however_often_the_server_is_killed() -> Result<()> {
    let mut server = Server::start()?;
    let cookie = Client::login(server.web, "concurrent", PASSWORD).await?;
    let now = jiff::Timestamp::now().as_second();
    let hour = Arc::new(AtomicUsize::new(0));
    for kill in 0..KILLS {
        let booked = Arc::new(AtomicUsize::new(0));
        let mut bookers = JoinSet::new();
        for _ in 0..BOOKERS {
            let user = User { web: server.web, cookie: cookie.clone() };
            let (hour, booked) = (Arc::clone(&hour), Arc::clone(&booked));
            bookers.spawn(async move {
                let mut acknowledged = Vec::new();
                loop {
                    let at = now + 3_600 * (2 + hour.fetch_add(1, Ordering::Relaxed) as i64);
                    let start = jiff::Timestamp::from_second(at).expect("a time of this century").to_string();
                    let wish = json!({"title": "会", "start": start, "duration": 30, "capacity": 150});
                    match user.post("/meetings", wish).await {
                        Ok(answer) if answer.status == 201 => {
                            acknowledged.extend(answer.body["id"].as_str().map(str::to_owned));
                            booked.fetch_add(1, Ordering::Relaxed);
                        }
                        // Killed in the middle of it.
                        Ok(_) | Err(_) => return acknowledged,
                    }
                }
            });
        }
        // At another moment each time: after so many bookings, while the next are being written.
        while booked.load(Ordering::Relaxed) < 1 + kill % 7 && !bookers.is_empty() {
            tokio::task::yield_now().await;
        }
        server = tokio::task::spawn_blocking(move || server.crash()).await??;
        let acknowledged = bookers.join_all().await.concat();
        assert!(!acknowledged.is_empty(), "nothing was booked before kill {kill}");
        let user = User { web: server.web, cookie: cookie.clone() };
        for id in acknowledged {
            user.get(&format!("/meetings/{id}")).await.with_context(|| format!("lost by kill {kill}"))?;
        }
    }
    let checked = server.command(&["check"])?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    Ok(())
}

// product: A3
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_the_first_account_checks_and_backs_up() -> Result<()> {
    let server = Server::start()?;
    let made = server.command(&["user", "add", "boss", "--site", "会通演示", "--role", "operator"])?;
    let said = String::from_utf8(made.stdout)?;
    let (name, password) = said.trim().split_once(" / ").with_context(|| said.clone())?;
    let password = password.split_whitespace().next().context("a password")?;
    let boss = User { web: server.web, cookie: Client::login(server.web, name, password).await? };
    let me = boss.get("/me").await?;
    assert_eq!((&me["account"]["role"], &me["account"]["initial_password"]), (&json!("operator"), &json!(true)));
    let again = server.command(&["user", "add", "boss", "--site", "会通演示"])?;
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("taken"));
    let nowhere = server.command(&["user", "add", "other", "--site", "nowhere"])?;
    assert!(!nowhere.status.success() && String::from_utf8_lossy(&nowhere.stderr).contains("no site named"));

    // A copy of the running server's data is whole, and another server begins with it.
    let backed = server.command(&["backup", "copy.db"])?;
    assert!(backed.status.success(), "{}", String::from_utf8_lossy(&backed.stderr));
    let twice = server.command(&["backup", "copy.db"])?;
    assert!(!twice.status.success(), "a backup overwrites nothing");
    let mut server = server.start_from("copy.db")?;
    let boss = User { web: server.web, cookie: Client::login(server.web, name, password).await? };
    assert_eq!(boss.get("/me").await?["account"]["id"], me["account"]["id"]);
    let checked = server.command(&["check"])?;
    assert_eq!(String::from_utf8_lossy(&checked.stdout).matches("good").count(), 3);

    // What is broken is found and named.
    server.damage()?;
    let checked = server.command(&["check"])?;
    assert!(!checked.status.success() && String::from_utf8_lossy(&checked.stderr).contains("damaged"), "{checked:?}");
    Ok(())
}
