//! Room systems: telephones that send pictures (R1).

use std::time::Duration;

use anyhow::Result;
use tests::{Baresip, Browser, Colour, Server, by_id};

const RED: &str = "0xe02020";
const GREEN: &str = "0x20c020";

/// The picture of whoever came by telephone.
const PICTURE: &str = "[data-testid=tile][data-via=phone] video";

fn server() -> Result<(Server, Browser)> {
    let server = Server::start()?;
    let mut page = Browser::start(700.0, Colour::Blue)?;
    page.login(server.web, "host", "Huitong-2026")?;
    page.join(server.web, &server.meeting, "韩梅梅", "")?;
    Ok((server, page))
}

// product: R1, R3, C2, C3, P5
#[test]
fn a_room_system_is_seen_as_long_as_the_host_and_its_own_people_want() -> Result<()> {
    let (server, mut host) = server()?;
    let mut room = Baresip::start_room("13812345678", "h264", RED, "")?;
    room.dial(&server.meeting, server.sip, "udp")?;
    room.enter(&server.password)?;
    host.see_colour(PICTURE, Colour::Red)?;
    let tile = "[data-testid=tile][data-via=phone]";
    assert!(host.text(tile)?.contains("138****5678"), "{}", host.text(tile)?);
    // Who comes later is sent a key frame.
    let mut guest = Browser::start(1_100.0, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    guest.see_colour(PICTURE, Colour::Red)?;

    // The host stops it, and shows it again.
    let row = "[data-testid=participant-row][data-via=phone]";
    host.click_at(&format!("{row} [data-testid=row-more]"))?;
    host.click("row-camera")?;
    guest.until(&format!("!document.querySelector('{PICTURE}')"))?;
    host.click_at(&format!("{row} [data-testid=row-more]"))?;
    host.click("row-camera")?;
    guest.see_colour(PICTURE, Colour::Red)?;

    // On hold nothing of it is seen; afterwards it is.
    room.hold(true)?;
    guest.until(&format!("!document.querySelector('{PICTURE}')"))?;
    room.hold(false)?;
    guest.see_colour(PICTURE, Colour::Red)?;
    room.hang_up()?;
    guest.until("!document.querySelector('[data-testid=tile][data-via=phone]')")?;
    host.see(&by_id("stage"))
}

// product: R1, P7
#[test]
fn a_room_system_is_seen_in_each_format_and_however_it_encrypts() -> Result<()> {
    let (server, mut page) = server()?;
    let ways = [
        ("h264", "", GREEN),
        ("vp8", "", RED),
        ("h264", ";mediaenc=srtp-mand", GREEN),
        ("h264", ";mediaenc=dtls_srtp", RED),
    ];
    for (format, more, colour) in ways {
        let mut room = Baresip::start_room("13812345678", format, colour, more)?;
        room.dial(&server.meeting, server.sip, "udp")?;
        room.enter(&server.password)?;
        page.see_colour(PICTURE, if colour == RED { Colour::Red } else { Colour::Green })?;
        room.talk(Duration::from_millis(100))?;
        room.hang_up()?;
        page.until("!document.querySelector('[data-testid=tile][data-via=phone]')")?;
    }
    Ok(())
}
