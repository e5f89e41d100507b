//! What callers do by keys, and what they hear of the meeting.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Server, User};

const LOUD: f32 = 0.1;
const SILENT: f32 = 0.01;

/// A browser in the meeting that sees what becomes of it.
async fn watcher(server: &Server, cookie: Option<&str>) -> Result<Client> {
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    Client::join(server.web, &server.meeting, join, cookie).await
}

fn call(server: &Server, number: &str, hz: f32) -> Result<Baresip> {
    let mut phone = Baresip::start(number, Codec::Pcma, hz)?;
    phone.dial(&server.meeting, server.sip, "udp")?;
    Ok(phone)
}

pub(crate) async fn came(watcher: &mut Client) -> Result<String> {
    let event = watcher.next(|message| message["event"]["type"] == "participant_joined").await?;
    Ok(event["event"]["participant"]["id"].as_str().context("an id")?.to_owned())
}

async fn person(watcher: &mut Client, id: &str, key: &str, value: Value) -> Result<()> {
    let is_so = |message: &Value| {
        let participant = &message["event"]["participant"];
        message["event"]["type"] == "participant_changed" && participant["id"] == id && participant[key] == value
    };
    watcher.next(is_so).await.map(drop)
}

async fn meeting(watcher: &mut Client, key: &str, value: bool) -> Result<()> {
    let is_so =
        |message: &Value| message["event"]["type"] == "meeting_changed" && message["event"]["meeting"][key] == value;
    watcher.next(is_so).await.map(drop)
}

// product: P4, C9, C13, C16, C17
#[tokio::test(flavor = "multi_thread")]
async fn the_host_runs_his_meeting_from_a_telephone() -> Result<()> {
    let server = Server::start()?;
    let host = User::login(&server, "host").await?;
    let drawn = host.post("/me/phone-pin", json!({})).await?;
    assert_eq!(drawn.status, 201, "{}", drawn.body);
    let pin = drawn.body["pin"].as_str().context("a PIN")?.to_owned();
    assert_eq!(host.get("/me/phone-pin").await?["pin"], pin);

    let mut guest = watcher(&server, None).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut guest).await?;
    // Not his keys yet, and no longer the PIN he had when it began.
    let drawn = host.post("/me/phone-pin", json!({})).await?;
    phone.press(&format!("*5*0{pin}#"))?;
    let pin = drawn.body["pin"].as_str().context("a PIN")?.to_owned();
    phone.press(&format!("*0{pin}#"))?;
    person(&mut guest, &id, "role", json!("host")).await?;
    phone.press("*5")?;
    meeting(&mut guest, "self_unmute", false).await?;
    phone.press("*5")?;
    meeting(&mut guest, "self_unmute", true).await?;
    phone.press("*7")?;
    meeting(&mut guest, "locked", true).await?;
    phone.press("*7")?;
    meeting(&mut guest, "locked", false).await?;
    phone.press("*9")?;
    person(&mut guest, &id, "hand", json!(true)).await?;
    phone.press("##1")?;
    guest.next(|message| message["type"] == "ended").await?;
    phone.wait_for("CALL_CLOSED")?;
    Ok(())
}

// product: C17, P4
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_goes_into_a_breakout_room_and_votes_by_keys() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let mut host = watcher(&server, Some(&cookie)).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut host).await?;
    host.command(json!({"type": "open_breakouts", "rooms": 2, "spread": false})).await?;
    phone.press("#72#")?;
    person(&mut host, &id, "room", json!(2)).await?;
    phone.press("#70#")?;
    person(&mut host, &id, "room", Value::Null).await?;
    let poll = json!({"type": "start_poll", "question": "几点?", "choices": ["九点", "十点"], "multiple": false});
    host.command(poll).await?;
    phone.press("#82#")?;
    let voted = host.next(|message| message["event"]["poll"]["voters"] == 1).await?;
    assert_eq!(voted["event"]["poll"]["choices"][1]["votes"], 1, "{voted}");
    Ok(())
}

// product: P4, P5: who he is says his own PIN, host or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_keys_his_own_pin_sits_in_the_meeting_by_his_name() -> Result<()> {
    let server = Server::start()?;
    let colleague = User::login(&server, "shared").await?;
    let name = colleague.get("/me").await?["account"]["display_name"].as_str().context("a name")?.to_owned();
    let pin = colleague.post("/me/phone-pin", json!({})).await?.body["pin"].as_str().context("a PIN")?.to_owned();
    let mut guest = watcher(&server, None).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    // It is no password.
    phone.press(&format!("2{pin}#{}#", server.password))?;
    let event = guest.next(|message| message["event"]["type"] == "participant_joined").await?;
    let person = &event["event"]["participant"];
    assert_eq!((&person["name"], &person["number"]), (&json!("138****5678"), &json!("138****5678")), "{person}");
    phone.press(&format!("*0{pin}#"))?;
    let changed = guest.next(|message| message["event"]["participant"]["name"] == name).await?;
    let person = &changed["event"]["participant"];
    assert_eq!((&person["role"], &person["number"]), (&json!("member"), &json!("138****5678")), "{person}");
    Ok(())
}

// trap: hold music floods; product: P5: a telephone on hold plays its music to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_on_hold_is_heard_by_nobody_and_all_see_why() -> Result<()> {
    let server = Server::start()?;
    let mut guest = watcher(&server, None).await?;
    let mut listener = call(&server, "13800000002", 900.0)?;
    listener.enter(&server.password)?;
    came(&mut guest).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut guest).await?;
    let before = listener.listen(4.0)?.tone(600.0, 2.0);
    assert!(before > LOUD, "he is heard: {before}");
    phone.hold(true)?;
    person(&mut guest, &id, "on_hold", json!(true)).await?;
    let held = listener.listen(3.0)?.tone(600.0, 2.0);
    assert!(held < SILENT, "on hold: {held}");
    phone.hold(false)?;
    person(&mut guest, &id, "on_hold", Value::Null).await?;
    let after = listener.listen(3.0)?.tone(600.0, 2.0);
    assert!(after > LOUD, "back: {after}");
    Ok(())
}

// product: P3
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_said_at_the_door_is_heard_when_its_owner_leaves() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__ANNOUNCE", "names")])?;
    let mut guest = watcher(&server, None).await?;
    let mut listener = call(&server, "13800000002", 900.0)?;
    listener.enter(&server.password)?;
    came(&mut guest).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut guest).await?;
    // Himself alone is not to be heard, so that what is heard is the name.
    phone.press("*6")?;
    person(&mut guest, &id, "muted", json!(true)).await?;
    let quiet = listener.listen(4.0)?.tone(600.0, 1.0);
    assert!(quiet < SILENT, "he is muted: {quiet}");
    phone.hang_up()?;
    let name = listener.listen(4.0)?.tone(600.0, 4.0);
    assert!(name > LOUD / 2.0, "his name: {name}");
    // Who is here: the count, and the names there are.
    listener.press("*1")?;
    let own = listener.listen(7.0)?.tone(900.0, 7.0);
    assert!(own > LOUD / 2.0, "the names: {own}");
    Ok(())
}

// trap: phone bypasses the lobby; product: J3, C17: a caller at the door hears nothing of the room.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_hears_music_and_nothing_of_the_room() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", "Huitong-2026").await?;
    let mut host = watcher(&server, Some(&cookie)).await?;
    let mut inside = call(&server, "13800000002", 900.0)?;
    inside.enter(&server.password)?;
    came(&mut host).await?;
    host.command(json!({"type": "waiting_room", "on": true})).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let waiting =
        host.next(|message| message["whisper"]["people"].as_array().is_some_and(|people| people.len() == 1)).await?;
    let id = waiting["whisper"]["people"][0]["id"].clone();
    assert_eq!(waiting["whisper"]["people"][0]["via"], "phone", "{waiting}");
    let heard = phone.listen(9.0)?;
    assert!(heard.tone(900.0, 9.0) < SILENT, "the room: {}", heard.tone(900.0, 9.0));
    // He keys what would count inside.
    phone.press("*6##1")?;
    let heard = inside.listen(2.0)?.tone(600.0, 2.0);
    assert!(heard < SILENT, "who waits: {heard}");
    host.command(json!({"type": "admit", "participant": id})).await?;
    came(&mut host).await?;
    let heard = phone.listen(5.0)?.tone(900.0, 2.0);
    assert!(heard > LOUD, "let in: {heard}");
    Ok(())
}

// product: J6
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_line_broke_has_his_seat_again_without_a_password() -> Result<()> {
    let server = Server::start()?;
    let mut guest = watcher(&server, None).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut guest).await?;
    phone.press("*9")?;
    person(&mut guest, &id, "hand", json!(true)).await?;
    // Gone without a word, as when a battery is empty.
    drop(phone);
    person(&mut guest, &id, "connected", json!(false)).await?;
    let mut again = call(&server, "13812345678", 600.0)?;
    again.press("2")?;
    person(&mut guest, &id, "connected", json!(true)).await?;
    again.press("*9")?;
    person(&mut guest, &id, "hand", json!(false)).await
}

// product: J6; a carrier that loses a mobile ends its call, as who hangs up does
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_call_was_ended_calls_again_and_is_who_he_was() -> Result<()> {
    let server = Server::start()?;
    let host = User::login(&server, "host").await?;
    let pin = host.post("/me/phone-pin", json!({})).await?.body["pin"].as_str().context("a PIN")?.to_owned();
    let mut guest = watcher(&server, None).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut guest).await?;
    phone.press(&format!("*0{pin}#*9"))?;
    person(&mut guest, &id, "hand", json!(true)).await?;
    phone.hang_up()?;
    let left = |message: &Value| message["event"]["type"] == "participant_left" && message["event"]["id"] == id;
    guest.next(left).await?;
    let heir = guest.joined["you"].as_str().context("a seat")?.to_owned();
    person(&mut guest, &heir, "role", json!("host")).await?;
    let mut again = call(&server, "13812345678", 600.0)?;
    again.press("2")?;
    let event = guest.next(|message| message["event"]["type"] == "participant_joined").await?;
    let back = &event["event"]["participant"];
    assert_eq!((&back["role"], &back["hand"]), (&json!("host"), &json!(true)), "{back}");
    Ok(())
}

// product: J6
#[tokio::test(flavor = "multi_thread")]
async fn who_redials_while_his_dead_call_still_stands_has_his_seat() -> Result<()> {
    let server = Server::start()?;
    let mut guest = watcher(&server, None).await?;
    let mut phone = call(&server, "13812345678", 600.0)?;
    phone.enter(&server.password)?;
    let id = came(&mut guest).await?;
    // A colleague behind the same number is somebody else.
    let mut colleague = call(&server, "13812345678", 600.0)?;
    colleague.enter(&server.password)?;
    let other = came(&mut guest).await?;
    assert_ne!(id, other);
    drop(colleague);
    let mut again = call(&server, "13812345678", 900.0)?;
    // Half as long as the server needs to miss him by itself.
    again.listen(6.0)?;
    again.press("2*9")?;
    person(&mut guest, &other, "hand", json!(true)).await?;
    assert!(phone.listen(2.0)?.tone(900.0, 1.0) > LOUD, "and he is heard");
    Ok(())
}
