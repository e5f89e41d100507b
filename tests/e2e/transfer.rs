//! Callers who are put through and put others through: REFER (RFC 3515), and a call that takes another's seat (RFC 3891).

use std::net::{Ipv4Addr, UdpSocket};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Kamailio, Pjsua, RawPhone, Reply, Server, User, silence, tag};

use crate::dial_out::{host, trunk};

/// A telephone in the server's meeting, and what its call was answered.
fn enters(server: &Server) -> Result<(RawPhone, Reply)> {
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call(&server.meeting, &offer, "")?;
    keep_sending(&phone, &reply)?;
    phone.press(&tag(&reply), &format!("2{}#", server.password))?;
    Ok((phone, reply))
}

/// Silence for as long as its socket is open: a telephone that sends nothing is hung up.
#[expect(clippy::disallowed_methods, reason = "the pace of sound, not a wait for something")]
fn keep_sending(phone: &RawPhone, reply: &Reply) -> Result<()> {
    let (rtp, media) = (phone.rtp.try_clone()?, reply.media()?);
    std::thread::spawn(move || {
        for number in 0_u16..6_000 {
            if rtp.send_to(&silence(number), media).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    Ok(())
}

async fn joined(watcher: &mut Client) -> Result<Value> {
    let event = watcher.next(|message| message["event"]["type"] == "participant_joined").await?;
    Ok(event["event"]["participant"]["id"].clone())
}

// product: P11, P5; RFC 3891 §3
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_another_over_has_its_seat() -> Result<()> {
    let server = Server::start()?;
    let mut host = host(&server).await?;
    let (phone, reply) = enters(&server)?;
    let who = joined(&mut host).await?;
    // The others hear of him before he sits; whoever took him over in between would be asked as he would have been.
    server.wait_for_log("caller joined")?;

    let mut other = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = other.description()?;
    let replaces = phone.replaces(&reply);
    let guessed = replaces.replace("from-tag=raw", "from-tag=row");
    let refused = other.call_with("huitong", &guessed, &offer, "").err().context("no such call")?;
    assert!(refused.to_string().contains("SIP/2.0 481"), "{refused}");

    let mut other = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let taken = other.call_with("huitong", &format!("{replaces}Require: replaces\r\n"), &offer, "")?;
    keep_sending(&other, &taken)?;
    phone.take("BYE ")?;
    // He is asked for nothing, and is the one who was there.
    other.press(&tag(&taken), "*6")?;
    let changed = host
        .next(|message| {
            let event = &message["event"];
            assert!(event["type"] != "participant_left" && event["type"] != "participant_joined", "{event}");
            event["type"] == "participant_changed" && event["participant"]["muted"] == true
        })
        .await?;
    assert_eq!(changed["event"]["participant"]["id"], who);
    other.send("BYE", &tag(&taken), "", "")?;
    assert_eq!(other.answer()?.code, 200);
    let left = host.next(|message| message["event"]["type"] == "participant_left").await?;
    assert_eq!(left["event"]["id"], who);

    // What is over is not taken over.
    let mut late = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let refused = late.call_with("huitong", &other.replaces(&taken), &offer, "").err().context("it is over")?;
    assert!(refused.to_string().contains("SIP/2.0 603"), "{refused}");
    Ok(())
}

// product: P11; RFC 3891 §3: whoever was in the menu still is asked anew.
#[test]
fn a_call_in_the_menu_is_taken_over_and_hung_up() -> Result<()> {
    let server = Server::start()?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = phone.description()?;
    let reply = phone.call("huitong", &offer, "")?;
    let mut other = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let offer = other.description()?;
    let taken = other.call_with("huitong", &phone.replaces(&reply), &offer, "")?;
    phone.take("BYE ")?;
    other.press(&tag(&taken), "1")?;
    other.exchange(taken.media()?, 1)?;
    Ok(())
}

// product: P11; RFC 3515, with a telephone of somebody else's making
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_put_through_to_another_meeting_keeps_his_line() -> Result<()> {
    let server = Server::start()?;
    let user = User::login(&server, "concurrent").await?;
    let booked = user.post("/meetings", json!({"title": "评审"})).await?;
    let number = booked.body["number"].as_str().context("a number")?.to_owned();
    let mut first = Baresip::start("13800000001", Codec::Pcma, 900.0)?;
    first.dial(&server.meeting, server.sip, "udp")?;
    first.enter(&server.password)?;
    let mut second = Baresip::start("13800000002", Codec::Pcma, 1_200.0)?;
    second.dial(&number, server.sip, "udp")?;
    second.press("2")?;

    let mut phone = Pjsua::start("13800000003", 600.0)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    phone.press(&format!("2{}#", server.password))?;
    phone.wait_to_hear(900.0)?;
    phone.refer(&format!("sip:{number}@{}", server.sip))?;
    phone.wait_for("transfer 200")?;
    phone.wait_to_hear(1_200.0)?;
    while second.listen(1.0)?.tone(600.0, 1.0) < 0.05 {}
    while first.listen(1.0)?.tone(600.0, 1.0) > 0.01 {}
    Ok(())
}

// product: P8, P11; reliability: A12
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_for_who_may_not_call_and_whom_a_host_puts_through_comes_in() -> Result<()> {
    let carrier = Kamailio::start("MD5")?;
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{}]", trunk(&carrier, "").replace("\"+86\"", "\"+8\""))),
        ("HUITONG_SIP__CALLING", "{calls_max=5,same_number_per_hour=2}"),
    ])?;
    server.wait_for_log("trunk is up")?;
    let mut callee = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    // Drawn before: a meeting knows its host's PIN from its beginning on.
    let user = User::login(&server, "host").await?;
    let pin = user.post("/me/phone-pin", json!({})).await?.body["pin"].as_str().context("a PIN")?.to_owned();
    let mut watcher = host(&server).await?;
    let refer = |phone: &mut RawPhone, reply: &Reply, to: &str| -> Result<u16> {
        phone.send("REFER", &tag(reply), &format!("Refer-To: <sip:{to}>\r\n"), "")?;
        Ok(phone.answer()?.code)
    };
    let (mut guest, reply) = enters(&server)?;
    joined(&mut watcher).await?;
    let carrier_host = carrier.address;
    assert_eq!(refer(&mut guest, &reply, &format!("+8613812345678@{carrier_host}"))?, 403);
    assert_eq!(refer(&mut guest, &reply, "8001@anywhere.example")?, 403);

    // The next has the same number: the seat is not to be his.
    guest.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(guest.answer()?.code, 200);
    watcher.next(|message| message["event"]["type"] == "participant_left").await?;
    let (mut phone, reply) = enters(&server)?;
    let who = joined(&mut watcher).await?;
    phone.press(&tag(&reply), &format!("*0{pin}#"))?;
    let is_host = |message: &Value| {
        let participant = &message["event"]["participant"];
        participant["id"] == who && participant["role"] == "host"
    };
    watcher.next(is_host).await?;
    assert_eq!(refer(&mut phone, &reply, "+881612345678@h")?, 403, "a satellite");
    assert_eq!(refer(&mut phone, &reply, "+442079460000@h")?, 403, "no carrier may");
    assert_eq!(refer(&mut phone, &reply, "alice@h")?, 404);
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    silent.set_nonblocking(true)?;
    assert_eq!(refer(&mut phone, &reply, &format!("bob@{}", silent.local_addr()?))?, 404);
    assert!(silent.recv_from(&mut [0; 64]).is_err(), "no relay to where a stranger says");

    assert_eq!(refer(&mut phone, &reply, &format!("+8613812345678@{carrier_host}"))?, 202);
    let trying = phone.take("NOTIFY ")?;
    assert!(trying.contains("Event: refer") && trying.contains("SIP/2.0 100 Trying"), "{trying}");
    phone.take("SIP/2.0 180 Ringing")?;
    callee.take_call()?;
    callee.wait_for_sound()?;
    callee.press("1")?;
    let last = phone.take("SIP/2.0 200 OK")?;
    assert!(last.contains("Subscription-State: terminated"), "{last}");
    let came = joined(&mut watcher).await?;
    phone.send("BYE", &tag(&reply), "", "")?;
    assert_eq!(phone.answer()?.code, 200);
    let left = watcher.next(|message| message["event"]["type"] == "participant_left").await?;
    assert_ne!(left["event"]["id"], came, "who was put through stays");
    Ok(())
}
