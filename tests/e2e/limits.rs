//! What one connection, one account and one network may ask for, so that the others notice nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Client, Server, User, http};

/// Of its form, and nobody's.
const NO_LIVESTREAM: &str = "019a0000-0000-7000-8000-000000000001";

fn join(server: &Server, name: &str) -> serde_json::Value {
    json!({"type": "join", "name": name, "password": server.password})
}

// reliability: A19
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_end_waits_himself_and_the_others_do_not() -> Result<()> {
    let server = Server::start()?;
    let mut bad = Client::join(server.web, &server.meeting, join(&server, "坏人"), None).await?;
    let mut other = Client::join(server.web, &server.meeting, join(&server, "李雷"), None).await?;
    // Two hundred frames are read at once, and 25 a second from then on.
    let begun = Instant::now();
    for _ in 0..275 {
        bad.send(&json!({"type": "show", "tiles": []})).await?;
    }
    other.command(json!({"type": "hand", "up": true})).await?;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?} for another's hand", begun.elapsed());
    bad.command(json!({"type": "hand", "up": true})).await?;
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(2_500), "{waited:?} after 275 frames");
    // Ten offers, and one a second from then on. He is not hung up on.
    let begun = Instant::now();
    for id in 1_000..1_013 {
        bad.send(&json!({"type": "publish", "id": id, "sdp": "v=0"})).await?;
    }
    let last = bad.next(|message| message["id"] == 1_012).await?;
    assert_eq!(last["problem"]["code"], "bad_offer");
    assert!(begun.elapsed() > Duration::from_millis(1_800), "{:?} for thirteen offers", begun.elapsed());

    // One account has eight connections, and another one as soon as one of them ends.
    let user = User::login(&server, "host").await?;
    let mut own = Vec::new();
    for n in 0..8 {
        own.push(Client::join(server.web, &server.meeting, join(&server, &format!("{n}")), Some(&user.cookie)).await?);
    }
    let ninth = Client::join(server.web, &server.meeting, join(&server, "9"), Some(&user.cookie)).await;
    let refused = ninth.err().context("a ninth connection")?.to_string();
    assert!(refused.contains("429"), "{refused}");
    own.remove(0).command(json!({"type": "leave"})).await?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while Client::join(server.web, &server.meeting, join(&server, "9"), Some(&user.cookie)).await.is_err() {
        assert!(Instant::now() < deadline, "who left is still counted");
    }
    Ok(())
}

// reliability: A19
#[tokio::test(flavor = "multi_thread")]
async fn one_network_does_not_take_all_the_doors() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_WEB__JOINS_PER_SECOND", "1")])?;
    let mut came = Vec::new();
    let refused = loop {
        assert!(came.len() < 200, "everybody comes in");
        match Client::join(server.web, &server.meeting, join(&server, &came.len().to_string()), None).await {
            Ok(client) => came.push(client),
            Err(refused) => break refused.to_string(),
        }
    };
    // A minute's worth, and what has become free meanwhile.
    assert!((60..100).contains(&came.len()) && refused.contains("429"), "{} came, then {refused}", came.len());
    let telephone = http().get(format!("http://{}/sip", server.web)).header("connection", "upgrade");
    let telephone = telephone.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let telephone = telephone.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(telephone.header("sec-websocket-protocol", "sip").send().await?.status(), 429);
    let whep = || {
        let offer = http().post(format!("http://{}/whep/{NO_LIVESTREAM}", server.web));
        offer.header("content-type", "application/sdp").body("v=0").send()
    };
    for _ in 0..5 {
        assert_eq!(whep().await?.status(), 409);
    }
    let refused = whep().await?;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.json::<serde_json::Value>().await?["code"], "too_often");
    Ok(())
}

// reliability: A19
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_nothing_is_ended_and_costs_the_others_nothing() -> Result<()> {
    const TALKERS: usize = 8;
    const AT_ONCE: u64 = 60;
    let server = Server::start()?;
    let mut talkers = Vec::new();
    for n in 0..TALKERS {
        talkers.push(Client::join(server.web, &server.meeting, join(&server, &format!("{n}")), None).await?);
    }
    let mut watcher = Client::join(server.web, &server.meeting, join(&server, "李雷"), None).await?;
    let mut deaf = Client::join_with_little_room(server.web, &server.meeting, join(&server, "不读")).await?;
    let his = deaf.joined["you"].as_str().context("an id")?.to_owned();
    let before = server.memory_kib()?;
    // 6 kB each: what a system keeps of them by itself is full soon.
    let said = "会".repeat(2_000);
    let talks = talkers.into_iter().map(|mut talker| {
        let chat = json!({"type": "chat", "to": null, "text": said});
        async move {
            for id in 1_000..1_000 + AT_ONCE {
                talker.send(&json!({"type": "command", "id": id, "command": chat})).await?;
            }
            talker.next(|message| message["id"] == 1_000 + AT_ONCE - 1).await?;
            // All that is said comes to all the others, at the pace that each may say it.
            let mut slowest = Duration::ZERO;
            for _ in 0..100 {
                let begun = Instant::now();
                talker.command(chat.clone()).await?;
                slowest = slowest.max(begun.elapsed());
            }
            anyhow::Ok((talker, slowest))
        }
    });
    let talks = tokio::spawn(futures_util::future::try_join_all(talks));
    let lost = |message: &serde_json::Value| {
        let participant = &message["event"]["participant"];
        participant["id"] == his.as_str() && participant["connected"] == false
    };
    watcher.next_within(Duration::from_secs(60), lost).await?;
    tokio::task::block_in_place(|| server.until_counted("conference_too_slow", "", 1))?;
    // He reads at last: what was on its way, and why it ends.
    let last = deaf.next(|message| message["type"] == "ended").await?;
    assert_eq!(last["reason"], "too_slow");
    let closed = deaf.next(|_| false).await.err().context("the end")?.to_string();
    assert!(closed.contains("Normal"), "{closed}");
    let grown = server.memory_kib()?.saturating_sub(before);
    let talked = talks.await??;
    let slowest = talked.iter().map(|(_, slowest)| *slowest).max();
    println!("{grown} KiB more; the slowest answer after {slowest:?}");
    assert!(grown < 48 << 10, "{grown} KiB more");
    assert!(slowest < Some(Duration::from_secs(2)), "{slowest:?}");
    Ok(())
}

// C17's indicator has an operator's side: what browsers tell of themselves is had by the interface and in the figures.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_says_of_its_pictures_is_told_to_the_operator() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let mut client = Client::join(server.web, &server.meeting, join(&server, "Ada"), None).await?;
    for (count, ms) in [(2, 900), (5, 2_100)] {
        client.send(&json!({"type": "freezes", "count": count, "ms": ms})).await?;
    }
    // What was said before it has been heard by then.
    client.send(&json!({"type": "ping", "id": 4_711})).await?;
    assert_eq!(client.next(|message| message["id"] == 4_711).await?["type"], "done");
    let door = operator.get(&format!("/meetings/by-number/{}", server.meeting)).await?;
    let networks = operator.get(&format!("/meetings/{}/networks", door["id"].as_str().context("an id")?)).await?;
    let his = &networks["items"][0];
    assert_eq!([&his["freezes"], &his["frozen_ms"]], [5, 2_100], "{networks}");
    assert_eq!([&his["pauses"], &his["paused_ms"]], [0, 0], "nobody shows anything: {networks}");
    tokio::task::block_in_place(|| server.until_counted("plane_freezes", "", 5))
}
