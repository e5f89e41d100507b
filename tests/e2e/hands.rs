//! What a host is told of others while their panel is shut: raised hands, who waits, files and private words.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tests::{Browser, Client, Colour, Server, User, by_id, http};

use crate::web::from_row;

/// A picture of one pixel.
const DOT: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A notice is soon gone: it is not looked at longer than it takes.
fn shows(page: &mut Browser, selector: &str, words: &str) -> Result<()> {
    page.until(&format!("document.querySelector({selector:?})?.innerText.includes({words:?})"))
}

// product: C1, C17, C21, J3, L5
#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_told_who_wants_something() -> Result<()> {
    let server = Server::start()?;
    let picture = format!("data:image/png;base64,{DOT}");
    let owner = User::login(&server, "host").await?;
    assert_eq!(owner.ask(Method::PATCH, "/me", json!({"avatar": picture}), &[]).await?.status, 200);
    let mut host = Browser::start(0.0, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    // His picture stands for him, and initials for who has none.
    for place in ["tile", "participant-row"] {
        let face =
            format!("document.querySelector('[data-testid={place}][data-name=\"韩梅梅\"] [data-testid=face] img')");
        host.until(&format!("{face}?.naturalWidth === 1"))?;
    }
    host.click("toggle-participants")?;
    host.miss(&by_id("participants"))?;
    let join = |name: &str| json!({"type": "join", "name": name, "password": server.password});
    let mut people = Vec::new();
    for name in ["Ada", "Mary", "Grace"] {
        people.push(Client::join(server.web, &server.meeting, join(name), None).await?);
    }

    // Each hand is counted; the notice names one, then two, then the first of many.
    let told = |kind: &str| format!("[data-notice={kind}]");
    let said = ["Hand raised: Ada", "Hand raised: Ada and Mary", "Hand raised: Ada and 2 others"];
    for (at, said) in said.into_iter().enumerate() {
        people[at].command(json!({"type": "hand", "up": true})).await?;
        shows(&mut host, &told("hand"), said)?;
        shows(&mut host, &by_id("hands"), &format!("{}", at + 1))?;
    }
    // How many there are hides nothing of the sign below it.
    let covered = host.evaluate(
        "(([icon, badge]) => {
           const [a, b] = [icon.getBoundingClientRect(), badge.getBoundingClientRect()];
           const over = Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
             Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
           return over / (a.width * a.height);
         })(['svg', '[data-testid=hands]'].map(one => document.querySelector(`[data-testid=toggle-participants] ${one}`)))",
    )?;
    assert!(covered.as_f64().is_some_and(|share| share < 0.25), "{covered} of the sign is covered");
    host.click_at(&format!("{} [data-testid=notice-accept]", told("hand")))?;
    host.see(&by_id("participants"))?;
    // One hand from the list, one from the picture, and those that are left.
    from_row(&mut host, "Ada", "row-lower-hand")?;
    shows(&mut host, &by_id("hands"), "2")?;
    host.click_at("[data-testid=tile][data-name=Mary] [data-testid=tile-lower-hand]")?;
    shows(&mut host, &by_id("hands"), "1")?;
    host.see("[data-testid=tile][data-name=Grace][data-hand=true]")?;
    host.click("lower-hands")?;
    host.miss(&by_id("hands"))?;
    // The same for what they share.
    for stop in ["row", "tile"] {
        people[0].command(json!({"type": "screen", "on": true})).await?;
        host.see(&by_id("screen-tile"))?;
        // By the mouse as by the key: the whole screen, and back.
        for is_full in [true, false] {
            host.click("full-screen")?;
            host.until(&format!("(document.fullscreenElement !== null) === {is_full}"))?;
        }
        match stop {
            "row" => from_row(&mut host, "Ada", "row-stop-screen")?,
            _ => host.click("tile-stop-screen")?,
        }
        people[0].next(|message| message["notice"] == "share_stopped").await?;
        host.miss(&by_id("screen-tile"))?;
    }
    host.click("panel-close")?;

    // A file by its name; what is for the host alone says so.
    let you = host.evaluate("window.huitong.you")?.as_str().context("an id")?.to_owned();
    let meeting = people[0].joined["meeting"]["id"].as_str().context("an id")?;
    let seat = people[0].joined["resume"].as_str().context("a seat")?;
    let files = format!("http://{}/api/v1/meetings/{meeting}/files?name=plan.pdf", server.web);
    assert_eq!(http().post(files).header("huitong-seat", seat).body("plan").send().await?.status(), 201);
    shows(&mut host, &told("said"), "Ada sent a file: plan.pdf")?;
    people[1].command(json!({"type": "chat", "to": you, "text": "Soon?"})).await?;
    shows(&mut host, &told("said"), "Mary (privately): Soon?")?;

    // Whoever waits is named with the others who do, until nobody does.
    host.click("more")?;
    host.click("toggle-waiting-room")?;
    host.until("window.huitong.state.meeting.waiting_room")?;
    let lucy = Client::join(server.web, &server.meeting, join("Lucy"), None).await?;
    shows(&mut host, &told("knock"), "In the waiting room: Lucy")?;
    let jim = Client::join(server.web, &server.meeting, join("Jim"), None).await?;
    shows(&mut host, &told("knock"), "In the waiting room: Lucy and Jim")?;
    drop(lucy);
    shows(&mut host, &told("knock"), "In the waiting room: Jim")?;
    // From the notice to the list; once that is shut, who waits is told of again.
    host.click_at(&format!("{} [data-testid=notice-show]", told("knock")))?;
    host.see("[data-testid=waiting-row][data-name=Jim]")?;
    host.miss(&told("knock"))?;
    shows(&mut host, &by_id("at-door"), "1")?;
    assert!(host.text(&by_id("toggle-participants"))?.contains("Waiting room (1)"));
    host.click("toggle-chat")?;
    shows(&mut host, &told("knock"), "In the waiting room: Jim")?;
    // Whoever wants to hear no more of it still sees it.
    host.click_at(&format!("{} button[aria-label=Close]", told("knock")))?;
    host.miss(&told("knock"))?;
    host.see(&by_id("at-door"))?;
    host.click("toggle-chat")?;
    drop(jim);
    host.miss(&by_id("at-door"))?;

    // Who waits reads what the host says to all of them, and comes in when nobody has to wait any more.
    let mut guest = Browser::start(0.0, Colour::Green)?;
    guest.open(&format!("http://{}/j/{}", server.web, server.meeting))?;
    guest.to_mirror("Lucy", &server.password)?;
    guest.click("prejoin-join")?;
    guest.see(&format!("{}[data-reason=admission]", by_id("prejoin-waiting")))?;
    host.click("toggle-participants")?;
    host.fill("tell-waiting", "Five more minutes")?;
    host.click("tell-waiting-send")?;
    shows(&mut guest, &by_id("prejoin-told"), "Five more minutes")?;
    host.click("more")?;
    host.click("toggle-waiting-room")?;
    guest.see(&by_id("room"))?;
    Ok(())
}
