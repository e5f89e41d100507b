//! What the server carries, over real sockets: `make load`. Each prints one JSON object; nothing is asserted about speed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Baresip, Browser, Client, Codec, Colour, Server, User};
use tokio::{sync::mpsc, task::JoinSet};

/// Bookings on the site, and those who book at once.
const BOOKINGS: usize = 10_000;
const BOOKERS: usize = 8;

/// Participants, and what the host does while they listen.
const CLIENTS: usize = 500;
const COMMANDS: usize = 200;

/// How often a telephone and a browser come in.
const CALLS: usize = 20;
const VISITS: usize = 10;

/// How long they may take to come in.
const ALL_THERE: Duration = Duration::from_secs(300);

/// A person clicks no faster.
const BETWEEN_COMMANDS: Duration = Duration::from_millis(60);

fn percentile(sorted: &[Duration], part: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * part).round() as usize;
    sorted[at].as_secs_f64() * 1_000.0
}

#[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
fn print(what: &str, mut took: Vec<Duration>, more: Value) {
    took.sort_unstable();
    let mut figures = json!({
        "what": what,
        "samples": took.len(),
        "ms_p50": percentile(&took, 0.5),
        "ms_p99": percentile(&took, 0.99),
        "ms_max": percentile(&took, 1.0),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        figures[name] = value.clone();
    }
    println!("{figures}");
}

/// A server whose site has ports for all.
async fn large() -> Result<(Server, User)> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let wish = json!({"name": "会通演示", "ports": 5_000, "livestream": true, "zone": "Asia/Shanghai"});
    let changed = operator.ask(Method::PUT, &format!("/sites/{site}"), wish, &[]).await?;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let user = User::login(&server, "concurrent").await?;
    Ok((server, user))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make load"]
async fn free_slots_among_ten_thousand_bookings() -> Result<()> {
    let (server, user) = large().await?;
    let now = jiff::Timestamp::now().as_second() / 3_600 * 3_600;
    let mut bookers = JoinSet::new();
    for booker in 0..BOOKERS {
        let user = User { web: server.web, cookie: user.cookie.clone() };
        bookers.spawn(async move {
            for n in (booker..BOOKINGS).step_by(BOOKERS) {
                // A hundred a day: a busy company's quarter.
                let at = now + 86_400 * (1 + n as i64 / 100) + 1_800 * (n as i64 % 48);
                let start = jiff::Timestamp::from_second(at)?.to_string();
                let wish = json!({"title": "会", "start": start, "duration": 60, "capacity": 5});
                let booked = user.post("/meetings", wish).await?;
                assert_eq!(booked.status, 201, "{}", booked.body);
            }
            anyhow::Ok(())
        });
    }
    let begun = Instant::now();
    bookers.join_all().await.into_iter().collect::<Result<()>>()?;
    let each = begun.elapsed() / BOOKINGS as u32;
    let mut took = Vec::new();
    for n in 0..300 {
        let day = jiff::Timestamp::from_second(now + 86_400 * (1 + n % 90))?.to_string();
        let asked = Instant::now();
        user.get(&format!("/free-slots?day={}&zone=UTC&duration=60&capacity=4900", &day[..10])).await?;
        took.push(asked.elapsed());
    }
    print("free_slots", took, json!({"bookings": BOOKINGS, "ms_a_booking": each.as_secs_f64() * 1_000.0}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make load"]
async fn what_the_host_does_reaches_five_hundred() -> Result<()> {
    let (server, user) = large().await?;
    let made = user.post("/meetings", json!({"title": "全员大会", "duration": 60, "capacity": CLIENTS})).await?;
    let number = made.body["number"].as_str().with_context(|| made.body.to_string())?.replace(' ', "");
    let host = json!({"type": "join", "name": "主持人"});
    let mut host = Client::join(server.web, &number, host, Some(&user.cookie)).await?;
    let own = host.joined["you"].clone();
    let (heard, mut all_heard) = mpsc::channel(CLIENTS * COMMANDS);
    let mut clients = JoinSet::new();
    let mut joins = Vec::new();
    for n in 1..CLIENTS {
        let begun = Instant::now();
        let mut client =
            Client::join(server.web, &number, json!({"type": "join", "name": format!("{n}")}), None).await?;
        joins.push(begun.elapsed());
        let (heard, own) = (heard.clone(), own.clone());
        clients.spawn(async move {
            for command in 0..COMMANDS {
                let from_host = |message: &Value| {
                    let event = &message["event"];
                    event["type"] == "participant_changed" && event["participant"]["id"] == own
                };
                // The first one comes when all are there.
                client.next_within(ALL_THERE, from_host).await?;
                heard.send((command, Instant::now())).await?;
            }
            anyhow::Ok(())
        });
    }
    drop(heard);
    let mut sent = Vec::new();
    for n in 0..COMMANDS {
        tokio::time::sleep(BETWEEN_COMMANDS).await;
        sent.push(Instant::now());
        host.command(json!({"type": "hand", "up": n % 2 == 0})).await?;
    }
    clients.join_all().await.into_iter().collect::<Result<()>>()?;
    let mut took = Vec::new();
    while let Some((command, at)) = all_heard.recv().await {
        took.push(at - sent[command]);
    }
    joins.sort_unstable();
    print("command_to_all", took, json!({"clients": CLIENTS, "join_ms_p99": percentile(&joins, 0.99)}));
    Ok(())
}

#[test]
#[ignore = "a measurement: make load"]
fn coming_in_by_telephone_and_by_browser() -> Result<()> {
    let server = Server::start()?;
    let mut voices = Vec::new();
    for _ in 0..CALLS {
        let mut phone = Baresip::start("13812345678", Codec::Pcma, 1_600.0)?;
        let begun = Instant::now();
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.wait_for_sound()?;
        voices.push(begun.elapsed());
        phone.hang_up()?;
    }
    print("invite_to_voice", voices, json!({}));

    let mut host = Browser::start(700.0, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = Browser::start(1_100.0, Colour::Green)?;
    let (mut opened, mut seen) = (Vec::new(), Vec::new());
    for _ in 0..VISITS {
        let begun = Instant::now();
        guest.open(&format!("http://{}/j/{}", server.web, server.meeting))?;
        guest.fill("join-name", "李雷")?;
        guest.fill("join-password", &server.password)?;
        opened.push(begun.elapsed());
        guest.click("join-submit")?;
        guest.see("[data-testid=prejoin-join]")?;
        let begun = Instant::now();
        guest.click("prejoin-join")?;
        guest.see_colour("[data-testid=tile][data-name='韩梅梅'] video", Colour::Red)?;
        seen.push(begun.elapsed());
    }
    print("page_to_form", opened, json!({}));
    print("join_to_picture", seen, json!({}));
    Ok(())
}
