//! Breakout rooms as they are heard.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tests::{Baresip, Browser, Client, Codec, Colour, Heard, Server};

use crate::phone::{ALIKE, likest, peaks};

const LOUD: f32 = 0.1;
const SILENT: f32 = 0.01;

fn hears(who: &str, heard: &Heard, loud: &[f32], silent: &[f32]) {
    for &hz in loud {
        let tone = heard.tone(hz, 2.0);
        assert!(tone > LOUD, "{who} hears {hz} Hz at {tone}");
    }
    for &hz in silent {
        let tone = heard.tone(hz, 2.0);
        assert!(tone < SILENT, "{who} hears {hz} Hz at {tone}");
    }
}

// product: C17
#[tokio::test(flavor = "multi_thread")]
async fn callers_in_breakout_rooms_hear_their_own_room() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&cookie)).await?;
    let mut phones = Vec::new();
    for (number, codec, hz) in [
        ("13800000001", Codec::Pcma, 600.0),
        ("13800000002", Codec::Opus, 900.0),
        ("13800000003", Codec::Pcmu, 1_300.0),
    ] {
        let mut phone = Baresip::start(number, codec, hz)?;
        phone.dial(&server.meeting, server.sip, "udp")?;
        phone.enter(&server.password)?;
        host.next(|message| message["event"]["type"] == "participant_joined").await?;
        phones.push(phone);
    }
    let [first, second, third] = &mut phones[..] else { unreachable!("three were made") };

    // Spread in the order they came: first and third into room 1, the second alone into room 2.
    host.command(json!({"type": "open_breakouts", "rooms": 2, "spread": true})).await?;
    // First a voice tells each where he is.
    hears("the first", &first.listen(6.0)?, &[1_300.0], &[600.0, 900.0]);
    hears("the second", &second.listen(3.0)?, &[], &[600.0, 900.0, 1_300.0]);
    hears("the third", &third.listen(3.0)?, &[600.0], &[900.0, 1_300.0]);

    host.command(json!({"type": "close_breakouts"})).await?;
    hears("the first", &first.listen(6.0)?, &[900.0, 1_300.0], &[600.0]);
    hears("the second", &second.listen(3.0)?, &[600.0, 1_300.0], &[900.0]);
    Ok(())
}

// product: C17, P3
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_moved_while_he_is_spoken_to_hears_that_to_its_end_and_then_where_he_is() -> Result<()> {
    let server = Server::start()?;
    let prompts = sipconf::Prompts::load()?;
    let said = |prompt| peaks(&prompts.clip(sipconf::Language::EnUs, prompt).samples());
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let join = json!({"type": "join", "name": "韩梅梅"});
    let mut host = Client::join(server.web, &server.meeting, join, Some(&cookie)).await?;
    let mut phone = Baresip::start("13800000001", Codec::Pcma, 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;
    host.next(|message| message["event"]["type"] == "participant_joined").await?;
    // Now he is told that he is in.
    host.command(json!({"type": "open_breakouts", "rooms": 1, "spread": true})).await?;
    phone.talk(Duration::from_secs(8))?;
    let heard = peaks(phone.hang_up()?.samples());
    for (prompt, name) in [(sipconf::Prompt::Joined, "in"), (sipconf::Prompt::InBreakout, "in a room of his own")] {
        let said = said(prompt);
        let like = likest(&heard, &said[said.len().saturating_sub(60)..]);
        assert!(like > ALIKE, "that he is {name}: {like}");
    }
    Ok(())
}

fn tile(name: &str) -> String {
    format!("[data-testid=stage] [data-testid=tile][data-name='{name}']")
}

// product: C17
#[test]
fn browsers_go_into_breakout_rooms_and_come_back() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(700.0, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = Browser::start(1_100.0, Colour::Green)?;
    guest.resize(390, 844)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    host.see(&tile("李雷"))?;
    host.click("more")?;
    host.click("open-breakout-rooms")?;
    host.click("open-breakouts")?;
    guest.see("[data-testid=breakout]")?;
    host.miss(&tile("李雷"))?;
    guest.miss(&tile("韩梅梅"))?;
    hears("the guest", &guest.hear(3)?, &[], &[700.0, 1_100.0]);
    guest.click("leave-breakout")?;
    host.see(&tile("李雷"))?;
    guest.see_colour(&format!("{} video", tile("韩梅梅")), Colour::Red)?;
    let heard = guest.hear(3)?.tone(700.0, 2.0);
    assert!(heard > LOUD / 2.0, "the guest hears the host again at {heard}");

    // The host sends him again, and all rooms read what he writes and see how long they have.
    host.click("spread-again")?;
    guest.see("[data-testid=breakout]")?;
    host.fill("tell-rooms", "十分钟后回来")?;
    host.click("tell-rooms-send")?;
    guest.until("document.querySelector('[data-notice=announced]')?.innerText.includes('十分钟后回来')")?;
    host.fill("breakout-minutes", "10")?;
    host.click("time-breakouts")?;
    for page in [&mut host, &mut guest] {
        page.until("/^(10:00|9:[0-5][0-9])$/.test(document.querySelector('[data-testid=breakouts-left]')?.innerText)")?;
    }
    assert_eq!(host.axe()?, Vec::<String>::new());
    // The host fetches him alone, and sends him to the first room again.
    for (place, is_away) in [(0, false), (1, true)] {
        host.click_at("[data-testid=breakout-person][data-name='李雷'] input")?;
        host.click_at(&format!("[role=option]:visible >> nth={place}"))?;
        host.until(&format!(
            "window.huitong.state.participants.some(({{ name, room }}) => name === '李雷' && !!room === {is_away})"
        ))?;
        if is_away {
            guest.see("[data-testid=breakout]")?;
        } else {
            guest.see(&tile("韩梅梅"))?;
        }
    }
    // He asks for help; the host is told in which room, and goes there.
    guest.click("ask-help")?;
    host.see("[data-testid=breakout-person][data-name='李雷'] [data-testid=asks-help]")?;
    host.press("Escape")?;
    host.miss("[data-testid=close-breakouts]")?;
    host.click_at("[data-notice=help] [data-testid=notice-accept]")?;
    guest.see(&tile("韩梅梅"))?;
    guest.until("document.querySelector('[data-testid=ask-help]').ariaPressed === 'false'")?;
    host.miss("[data-notice=help]")?;
    assert_eq!(guest.axe()?, Vec::<String>::new());

    // He calls everybody back.
    host.click("more")?;
    host.click("open-breakout-rooms")?;
    host.click("close-breakouts")?;
    guest.miss("[data-testid=breakout]")?;
    guest.miss("[data-testid=breakouts-left]")?;
    host.see(&tile("李雷"))?;
    let heard = guest.hear(3)?.tone(700.0, 2.0);
    assert!(heard > LOUD / 2.0, "the guest hears the host after all are back at {heard}");
    Ok(())
}
