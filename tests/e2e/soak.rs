//! Calls that come and go for long, over real sockets: nothing is left of them. `make soak`; `HUITONG_SOAK_S` is how long, 900 s where it is not
//! set, and a night is 28800.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use tests::{Pjsua, RawPhone, Server, User, http, tag};

/// Who call all the time.
const CALLERS: usize = 16;

/// Packets of 20 ms of one call.
const CALL_PACKETS: u16 = 50;

/// Of the whole: what is made once has been made by then, and the allocator has what it holds on to.
const WARM_UP: f64 = 0.25;

/// KiB the server may grow by after that. One that kept a kilobyte of each of twelve calls a second is over it in an hour.
const GROWTH_MAX: u64 = 24 << 10;

/// How long ports rest and sockets take to be gone.
const REST: Duration = Duration::from_secs(30);

/// Calls one after the other, each with sound, some with keys; how many.
fn call_until(server: &Server, number: usize, until: Instant) -> Result<usize> {
    let mut calls = 0;
    while Instant::now() < until {
        let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
        let offer = phone.description()?;
        // The meeting for some, the voice menu for the others.
        let dialled = if (number + calls).is_multiple_of(2) { server.meeting.as_str() } else { "huitong" };
        let taken = phone.call(dialled, &offer, "")?;
        let media = taken.media()?;
        if calls % 3 == 0 {
            phone.press(&tag(&taken), &format!("2{}#", server.password))?;
        }
        for packet in 0..CALL_PACKETS {
            phone.exchange(media, packet)?;
        }
        phone.send("BYE", &tag(&taken), "", "")?;
        let over = phone.answer()?.code;
        ensure!(over == 200, "{over}");
        calls += 1;
    }
    Ok(calls)
}

#[test]
#[ignore = "a soak: make soak"]
fn nothing_is_left_of_calls_that_come_and_go() -> Result<()> {
    let seconds = std::env::var("HUITONG_SOAK_S").ok().and_then(|text| text.parse().ok()).unwrap_or(900_u64);
    let server = Server::start_with(&[("HUITONG_MEDIA__RTP_PORTS", "12000-31999")])?;
    let runtime = tokio::runtime::Runtime::new()?;
    let _entered = runtime.enter();
    let run = |seconds: f64| -> Result<usize> {
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        thread::scope(|scope| {
            let server = &server;
            let callers: Vec<_> =
                (0..CALLERS).map(|number| scope.spawn(move || call_until(server, number, until))).collect();
            callers.into_iter().map(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?).sum()
        })
    };
    let settled = || -> Result<(u64, usize)> {
        server.until_counted("gateway_calls", "", 0)?;
        // Sockets close a moment after their calls, and meetings when the last has left.
        let (deadline, mut least) = (Instant::now() + REST, usize::MAX);
        while Instant::now() < deadline {
            least = least.min(server.descriptors()?);
            thread::yield_now();
        }
        Ok((server.memory_kib()?, least))
    };
    let first = run(seconds as f64 * WARM_UP)?;
    let (before_kib, before) = settled()?;
    let second = run(seconds as f64 * (1.0 - WARM_UP))?;
    let (after_kib, after) = settled()?;
    println!(
        "{}",
        json!({
            "what": "soak", "seconds": seconds, "calls": first + second, "rss_kib": [before_kib, after_kib],
            "descriptors": [before, after],
        })
    );
    assert!(after <= before, "sockets are left: {before} before, {after} after {second} calls");
    assert!(after_kib < before_kib + GROWTH_MAX, "memory grows: {before_kib} to {after_kib} KiB");
    assert!(!server.log().contains("panicked"));
    Ok(())
}

// product: P11; RFC 4028
#[tokio::test(flavor = "multi_thread")]
#[ignore = "two minutes of a call: make soak"]
async fn a_call_of_pjsip_stands_for_longer_than_its_session_and_each_refresh_is_answered() -> Result<()> {
    let server = Server::start()?;
    let operator = User::login(&server, "host").await?;
    let mut phone = Pjsua::start("13800000001", 600.0)?;
    phone.refresh_each(90)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.press(&format!("2{}#", server.password))?;
    // The half of it is when it is refreshed, and all of it but half a minute is when a call without is ended.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(110) {
        phone.listen(1.0)?;
    }
    phone.hang_up()?;
    let site = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let id = loop {
        let calls = operator.get(&format!("/sites/{site}/calls?kind=phone")).await?;
        if let Some(id) = calls["items"][0]["id"].as_str() {
            break id.to_owned();
        }
    };
    let ladder = http().get(format!("http://{}/api/v1/calls/{id}/ladder.txt", server.web));
    let ladder = ladder.header("cookie", &operator.cookie).send().await?.text().await?;
    ensure!(ladder.contains("Session-Expires: 90;refresher=uac"), "{ladder}");
    let rungs =
        |words: &str| ladder.lines().take_while(|line| !line.is_empty()).filter(|line| line.contains(words)).count();
    let (asked, answered) = (rungs("->  UPDATE sip:"), rungs("<-  200 OK  ("));
    ensure!(asked >= 2 && answered >= asked + 2, "{ladder}");
    Ok(())
}
