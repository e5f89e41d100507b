//! Room systems: telephones that send pictures (R1).

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use media::{RtpPacket, Ssrc};
use serde_json::Value;
use tests::{Baresip, Browser, Colour, Devices, RawPhone, Reply, Server, by_id, tag};

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

// product: R1, B1
#[test]
fn what_a_room_system_shows_is_in_the_livestream() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start_on(Devices::NoCamera)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    host.click("toggle-mic")?;
    let mut room = Baresip::start_room("13812345678", "h264", GREEN, "")?;
    room.dial(&server.meeting, server.sip, "udp")?;
    room.enter(&server.password)?;
    host.see_colour(PICTURE, Colour::Green)?;
    host.click("start-broadcast")?;
    host.see("[data-testid=broadcast][data-state=live]")?;
    let watch = host.watch_address()?;
    let mut viewer = Browser::start_on(Devices::None)?;
    viewer.open(&watch)?;
    viewer.see_colour(&by_id("watch-video"), Colour::Green)
}

/// Of a description, the m-line of pictures.
fn video_line(reply: &Reply) -> Result<&str> {
    reply.text.lines().find(|line| line.starts_with("m=video")).context("a line")
}

// product: R1, R3, P7
#[test]
fn a_room_system_sees_the_meeting_and_shows_itself_however_it_encrypts() -> Result<()> {
    let server = Server::start()?;
    let mut host = Browser::start(700.0, Colour::Blue)?;
    host.login(server.web, "host", "Huitong-2026")?;
    host.join(server.web, &server.meeting, "韩梅梅", "")?;
    for more in ["", ";mediaenc=srtp-mand", ";mediaenc=dtls_srtp"] {
        let mut room = Baresip::start_room("13812345678", "h264", RED, more)?;
        room.dial(&server.meeting, server.sip, "udp")?;
        room.enter(&server.password)?;
        host.see_colour(PICTURE, Colour::Red)?;
        // The other one alone: not itself.
        room.see_colour(Colour::Blue)?;
        room.hang_up()?;
        host.until("!document.querySelector('[data-testid=tile][data-via=phone]')")?;
    }
    Ok(())
}

// product: R1, P4
#[test]
fn a_room_system_chooses_by_its_keys_how_it_sees_the_meeting() -> Result<()> {
    let (server, _host) = server()?;
    let mut guest = Browser::start(1_100.0, Colour::Green)?;
    guest.join(server.web, &server.meeting, "李雷", &server.password)?;
    let mut room = Baresip::start_room("13812345678", "h264", RED, "")?;
    room.dial(&server.meeting, server.sip, "udp")?;
    room.enter(&server.password)?;
    let is_one_large = |seen| Colour::Blue.is(seen) || Colour::Green.is(seen);
    // Each has a quarter of the picture.
    let are_alike = |[_, green, blue]: [f32; 3]| green.min(blue) > 40.0 && (green - blue).abs() < 40.0;
    room.see_such("one of them large", is_one_large)?;
    room.press("*8")?;
    room.see_such("both alike", are_alike)?;
    for _ in ["picture in picture", "speaker"] {
        room.press("*8")?;
        room.see_such("one of them large", is_one_large)?;
    }
    room.hang_up().map(drop)
}

/// Takes what is sent to a room's camera port until a parameter set of a sequence comes, which a key frame begins with: its numbers. All of it
/// is NAL units as they are.
fn until_keyframe(screen: &UdpSocket) -> Result<(Ssrc, u16)> {
    let mut bytes = [0; 2_048];
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let length = screen.recv(&mut bytes).context("pictures come")?;
        anyhow::ensure!(Instant::now() < deadline, "no key frame comes");
        // Reports share the port.
        if matches!(bytes[1], 192..=223) {
            continue;
        }
        let packet = RtpPacket::parse(&bytes[..length])?;
        let kind = packet.payload[0] & 0x1f;
        anyhow::ensure!(packet.payload_type == 97 && (1..24).contains(&kind), "{packet:?}");
        if kind == 7 {
            return Ok((packet.ssrc, packet.seq));
        }
    }
}

// product: R1, R3; RFC 6184 §6.2, RFC 3264 §8.4, RFC 4585 §6.3.1, RFC 5168
#[test]
fn a_room_that_takes_whole_units_alone_sees_the_meeting_and_has_key_frames_as_it_asks() -> Result<()> {
    let server = Server::start()?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let screen = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    screen.set_read_timeout(Some(Duration::from_secs(30)))?;
    let offer = |phone: &RawPhone, direction: &str| -> Result<String> {
        Ok(format!(
            "{}m=video {} RTP/AVPF 97\r\nb=TIAS:600000\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01e\r\n\
             a=rtcp-mux\r\na=rtcp-fb:97 nack pli\r\na={direction}\r\n",
            phone.description()?,
            screen.local_addr()?.port()
        ))
    };
    let reply = phone.call(&format!("{}**{}", server.meeting, server.password), &offer(&phone, "recvonly")?, "")?;
    let video = &reply.text[reply.text.find("m=video").context("a line")?..];
    assert!(video.contains("packetization-mode=0") && video.contains("a=sendonly"), "{video}");
    let port: u16 = video_line(&reply)?.split(' ').nth(1).context("a port")?.parse()?;
    let to = tag(&reply);
    phone.press(&to, "1")?;
    let (ssrc, first) = until_keyframe(&screen)?;

    let wish =
        "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>";
    phone.send("INFO", &to, "Content-Type: application/media_control+xml\r\n", wish)?;
    assert_eq!(phone.answer()?.code, 200);
    let (same, second) = until_keyframe(&screen)?;
    let pli = [&[0x81, 206, 0, 2, 0, 0, 0, 9][..], &ssrc.0.to_be_bytes()].concat();
    screen.send_to(&pli, (Ipv4Addr::LOCALHOST, port))?;
    let (_, third) = until_keyframe(&screen)?;
    assert!(ssrc == same && first != second && second != third, "{first} {second} {third}");

    // It looks away, and again: its stream goes on from a key frame.
    for (direction, answered) in [("inactive", "inactive"), ("recvonly", "sendonly")] {
        phone.send("INVITE", &to, "", &offer(&phone, direction)?)?;
        let reply = phone.answer()?;
        let video = &reply.text[reply.text.find("m=video").context("a line")?..];
        assert!(video.contains(&format!("a={answered}\r\n")), "{video}");
        phone.acknowledge(&reply, "")?;
    }
    assert_eq!(until_keyframe(&screen)?.0, ssrc);
    phone.send("BYE", &to, "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    Ok(())
}

// product: R1, R3; RFC 3264 §8, RFC 5168
#[tokio::test(flavor = "multi_thread")]
async fn a_call_shows_and_hides_pictures_by_offering_anew_and_is_asked_for_key_frames_by_info() -> Result<()> {
    let server = Server::start()?;
    let mut host = crate::dial_out::host(&server).await?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    // It sends none, and is not hung up for that.
    let sound = phone.description()? + "a=recvonly\r\n";
    let reply = phone.call(&format!("{}**{}", server.meeting, server.password), &sound, "")?;
    assert!(!reply.text.contains("m=video"), "a telephone is answered as it always was: {}", reply.text);
    let to = tag(&reply);
    phone.press(&to, "1")?;
    let joined = host.next(|message| message["event"]["type"] == "participant_joined").await?;
    assert_eq!(joined["event"]["participant"]["camera"], false);

    let camera = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let video = |port: u16| format!("m=video {port} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=sendonly\r\n");
    let offer_again = |phone: &mut RawPhone, offer: &str| -> Result<Reply> {
        phone.send("INVITE", &to, "", offer)?;
        let reply = phone.answer()?;
        phone.acknowledge(&reply, "")?;
        Ok(reply)
    };
    let added = offer_again(&mut phone, &format!("{sound}{}", video(camera.local_addr()?.port())))?;
    let port: u16 = video_line(&added)?.split(' ').nth(1).context("a port")?.parse()?;
    assert!(port != 0 && port != added.media()?.port() && added.text.contains("a=recvonly"), "{}", added.text);
    assert!(added.text.contains("b=TIAS:2000000"), "{}", added.text);
    let shown = host.next(|message| message["event"]["participant"]["camera"] == true).await?;
    assert_eq!(shown["event"]["participant"]["video"], true);

    // Somebody sees it: who has said nothing of feedback is asked by INFO.
    let (web, meeting, password) = (server.web, server.meeting.clone(), server.password.clone());
    let looks = tokio::task::spawn_blocking(move || -> Result<Browser> {
        let mut page = Browser::start_on(Devices::NoCamera)?;
        page.join(web, &meeting, "李雷", &password)?;
        Ok(page)
    });
    let (stop, sends) = (Arc::new(AtomicBool::new(false)), camera.try_clone()?);
    let is_over = Arc::clone(&stop);
    let sending = std::thread::spawn(move || -> Result<()> {
        // Pictures that need others.
        for seq in 0_u16.. {
            let payload = &[0x10, 1, 0, 0];
            let packet = RtpPacket {
                payload_type: 96,
                marker: true,
                seq,
                timestamp: 3_000 * u32::from(seq),
                ssrc: Ssrc(7),
                payload,
            };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            sends.send_to(&bytes, (Ipv4Addr::LOCALHOST, port))?;
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            // As cameras do.
            sends.set_read_timeout(Some(Duration::from_millis(33)))?;
            let _ = sends.recv_from(&mut [0; 2048]);
        }
        Ok(())
    });
    let page = looks.await??;
    let phone = tokio::task::spawn_blocking(move || -> Result<RawPhone> {
        phone.take("<picture_fast_update/>")?;
        Ok(phone)
    });
    let mut phone = phone.await??;
    stop.store(true, Ordering::Relaxed);
    sending.join().map_err(|_| anyhow::anyhow!("the camera panicked"))??;
    drop(page);

    // He waits for an offer of ours: his lines are in their places.
    phone.send("INVITE", &to, "", "")?;
    let ours = phone.answer()?;
    assert_eq!(video_line(&ours)?, format!("m=video {port} RTP/AVP 96"));
    phone.acknowledge(&ours, &format!("{sound}{}", video(camera.local_addr()?.port())))?;
    // And drops them.
    let dropped = offer_again(&mut phone, &format!("{sound}m=video 0 RTP/AVP 96\r\n"))?;
    assert_eq!(video_line(&dropped)?, "m=video 0 RTP/AVP 96");
    let is_hidden = |participant: &Value| participant["via"] == "phone" && participant["camera"] == false;
    let hidden = host.next(|message| is_hidden(&message["event"]["participant"])).await?;
    assert_eq!(hidden["event"]["participant"]["video"], Value::Null);
    // Where they are refused the call has its sound: pictures at our own port would be sent to us.
    let own = offer_again(&mut phone, &format!("{sound}{}", video(added.media()?.port())))?;
    assert_eq!(video_line(&own)?, "m=video 0 RTP/AVP 96");
    phone.send("BYE", &to, "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    Ok(())
}
