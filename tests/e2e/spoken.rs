//! What callers are told. Each prompt of the site is a tone of its own here, so that it is heard which was said.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::{Baresip, Client, Codec, Server, User, http};

use crate::{calls::tone, keypad::came};

/// A call is answered, the menu gone through, and said what is to be said.
const WITHIN: Duration = Duration::from_secs(20);

/// What is said in these stories, and as which tone (Hz).
const WORDS: [(&str, f32); 13] = [
    ("refused_locked", 500.0),
    ("refused_full", 600.0),
    ("refused_removed", 700.0),
    ("not_started", 800.0),
    ("waiting_for_host", 900.0),
    ("waiting_for_admission", 1_000.0),
    ("denied", 1_100.0),
    ("removed", 1_200.0),
    ("meeting_ended", 1_300.0),
    ("muted_by_host", 1_400.0),
    ("unmuted_by_host", 1_500.0),
    ("recording_on", 1_600.0),
    ("hand_lowered", 1_700.0),
];

/// A house whose callers are told in tones.
struct House {
    server: Server,
    host: User,
}

impl House {
    async fn start() -> Result<Self> {
        let numbers = r#"[{number="4000",language="en-US",site="会通演示"}]"#;
        let server = Server::start_with(&[("HUITONG_SIP__NUMBERS", numbers)])?;
        let host = User::login(&server, "host").await?;
        let me = host.get("/me").await?;
        let site = me["account"]["site_id"].as_str().unwrap_or_default().to_owned();
        for (prompt, hz) in WORDS {
            let url = format!("http://{}/api/v1/sites/{site}/prompts/en-US/{prompt}", server.web);
            let request = http().put(url).header("cookie", &host.cookie).body(tone(hz, 8_000, 1.5)?);
            let status = request.header("content-type", "application/octet-stream").send().await?.status();
            assert_eq!(status, 200, "{prompt}");
        }
        Ok(Self { server, host })
    }

    async fn book(&self, by: &User, wish: Value) -> Result<(String, String)> {
        let booked = by.post("/meetings", wish).await?;
        assert_eq!(booked.status, 201, "{}", booked.body);
        let word = |key: &str| booked.body[key].as_str().unwrap_or_default().to_owned();
        Ok((word("number"), word("password")))
    }

    /// A telephone that dials the house and keys a meeting and its password. It is silent itself.
    fn call(&self, number: &str, meeting: &str, password: &str) -> Result<Baresip> {
        self.dial(number, &format!("{meeting}#{password}#"))
    }

    fn dial(&self, number: &str, keys: &str) -> Result<Baresip> {
        let mut phone = Baresip::start(number, Codec::Pcma, 0.0)?;
        phone.dial("4000", self.server.sip, "udp")?;
        phone.press(keys)?;
        Ok(phone)
    }
}

/// Waits until the words come.
fn hears(phone: &mut Baresip, words: &str) -> Result<()> {
    let hz = WORDS.iter().find(|(known, _)| *known == words).map(|(_, hz)| *hz).expect("it is among the words");
    phone.wait_to_hear(hz, WITHIN).with_context(|| format!("{words} was not said"))
}

/// The words end, then music comes: not silence, in which a caller would hang up.
fn hears_music(phone: &mut Baresip) -> Result<()> {
    phone.listen(2.0)?;
    let music = phone.listen(2.0)?.level(0.0, 2.0);
    assert!(music > 0.01, "music: {music}");
    Ok(())
}

// product: P3, J3, C6, C13, C17
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_told_at_the_door_and_inside_what_becomes_of_him() -> Result<()> {
    let house = House::start().await?;
    let (meeting, password) = (house.server.meeting.clone(), house.server.password.clone());
    let join = json!({"type": "join", "name": "李雷", "password": password});
    let mut host = Client::join(house.server.web, &meeting, join, Some(&house.host.cookie)).await?;

    host.command(json!({"type": "lock", "on": true})).await?;
    hears(&mut house.call("13800000001", &meeting, &password)?, "refused_locked")?;
    host.command(json!({"type": "lock", "on": false})).await?;

    host.command(json!({"type": "waiting_room", "on": true})).await?;
    let mut phone = house.call("13800000002", &meeting, &password)?;
    hears(&mut phone, "waiting_for_admission")?;
    hears_music(&mut phone)?;
    let waits = |message: &Value| message["whisper"]["people"].as_array().is_some_and(|people| people.len() == 1);
    let waiting = host.next(waits).await?;
    host.command(json!({"type": "deny", "participant": waiting["whisper"]["people"][0]["id"]})).await?;
    hears(&mut phone, "denied")?;
    host.command(json!({"type": "waiting_room", "on": false})).await?;

    let mut phone = house.call("13800000003", &meeting, &password)?;
    let id = came(&mut host).await?;
    host.command(json!({"type": "mute", "participant": id})).await?;
    hears(&mut phone, "muted_by_host")?;
    host.command(json!({"type": "unmute", "participant": id})).await?;
    hears(&mut phone, "unmuted_by_host")?;
    phone.press("*9")?;
    host.next(|message| message["event"]["participant"]["hand"] == true).await?;
    host.command(json!({"type": "lower_hand", "participant": id})).await?;
    hears(&mut phone, "hand_lowered")?;
    host.command(json!({"type": "start_recording"})).await?;
    hears(&mut phone, "recording_on")?;
    host.command(json!({"type": "remove", "participant": id})).await?;
    hears(&mut phone, "removed")?;
    // He isn't asked for a password.
    hears(&mut house.dial("13800000003", &format!("{meeting}#"))?, "refused_removed")?;

    let mut phone = house.call("13800000004", &meeting, &password)?;
    came(&mut host).await?;
    host.command(json!({"type": "end"})).await?;
    hears(&mut phone, "meeting_ended")
}

// product: J3, J4, S3, P3
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_told_why_he_can_not_come_in_yet() -> Result<()> {
    let house = House::start().await?;
    // Who has a room of his own begins when he likes; who has the site's ports, when it is his turn.
    let member = User::login(&house.server, "concurrent").await?;
    let later = jiff::Timestamp::now() + jiff::Span::new().hours(3);
    let (meeting, password) =
        house.book(&member, json!({"title": "晚些时候的会", "start": later.to_string(), "capacity": 5})).await?;
    hears(&mut house.call("13800000001", &meeting, &password)?, "not_started")?;

    let wish = json!({"title": "小会", "duration": 60, "capacity": 2});
    let (meeting, password) = house.book(&member, wish).await?;
    let mut seated = Vec::new();
    for name in ["李雷", "韩梅梅"] {
        let join = json!({"type": "join", "name": name, "password": password});
        seated.push(Client::join(house.server.web, &meeting, join, None).await?);
    }
    hears(&mut house.call("13800000002", &meeting, &password)?, "refused_full")?;

    let wish = json!({"title": "等主持人", "duration": 60, "options": {"join_before_host": false}});
    let (meeting, password) = house.book(&house.host, wish).await?;
    let mut phone = house.call("13800000003", &meeting, &password)?;
    hears(&mut phone, "waiting_for_host")?;
    hears_music(&mut phone)?;
    let join = json!({"type": "join", "name": "李雷", "password": password});
    let mut host = Client::join(house.server.web, &meeting, join, Some(&house.host.cookie)).await?;
    house.server.wait_for_log("caller joined")?;
    host.command(json!({"type": "end"})).await?;
    hears(&mut phone, "meeting_ended")
}
