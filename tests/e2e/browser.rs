//! Browsers among themselves and with a caller.

use anyhow::Result;
use tests::{Baresip, Browser, Codec, Colour, Heard, Server, by_id};

/// What stands for a heard tone and for none: tones are sent at 0.2.
const LOUD: f32 = 0.05;
const SILENT: f32 = 0.01;

const HOST: f32 = 700.0;
const GUEST: f32 = 1_100.0;
const PHONE: f32 = 1_600.0;

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

fn tile(name: &str) -> String {
    format!("[data-testid=tile][data-name='{name}']")
}

// product: P1, P4, P5, P6, C6, C7, C8, C9, J5
#[test]
fn two_browsers_and_a_caller_see_and_hear_each_other() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(HOST, Colour::Red)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    let mut guest = Browser::start(GUEST, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut phone = Baresip::start("13812345678", Codec::Pcma, PHONE)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.enter(&server.password)?;

    host.see_colour(&format!("{} video", tile("李雷")), Colour::Green)?;
    guest.see_colour(&format!("{} video", tile("韩梅梅")), Colour::Red)?;
    let caller = "[data-testid=tile][data-via=phone]";
    for page in [&mut host, &mut guest] {
        page.see(&format!("{caller}[data-speaking=true]"))?;
        assert!(page.text(caller)?.contains("138****5678"), "{}", page.text(caller)?);
    }
    hears("the host", &host.hear(3)?, &[GUEST, PHONE], &[HOST]);
    hears("the guest", &guest.hear(3)?, &[HOST, PHONE], &[GUEST]);
    host.screenshot("/tmp/host.png".as_ref())?;
    guest.screenshot("/tmp/guest.png".as_ref())?;
    host.click("toggle-participants")?;
    host.screenshot("/tmp/host2.png".as_ref())?;
    println!("{:?}", host.said()?);
    let _ = by_id("x");
    hears("the phone", &phone.hang_up()?, &[HOST, GUEST], &[PHONE]);
    Ok(())
}
