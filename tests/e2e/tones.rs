//! Keys as tones, where telephone events were agreed on.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use media::{AudioCodec, Clip, RtpPacket, SAMPLE_RATE, Ssrc};
use mixer::{Mixer, PlayId, SeatConfig, tones};
use serde_json::{Value, json};
use tests::{Client, RawPhone, Server};

use crate::keypad::came;

/// Keys as a telephone sounds them: 100 ms each, with pauses as long; as packets of PCMA.
fn sounded(keys: &str) -> Result<Vec<Vec<u8>>> {
    let (low, high) = ([697.0, 770.0, 852.0, 941.0], [1_209.0, 1_336.0, 1_477.0]);
    let pause = vec![0.0; SAMPLE_RATE as usize / 10];
    let mut samples = pause.clone();
    for key in keys.chars() {
        let place = "123456789*0#".find(key).context("a key of these")?;
        let tone = |hz| tones::sine(hz, 0.2, SAMPLE_RATE, pause.len());
        samples.extend(tone(low[place / 3]).iter().zip(tone(high[place % 3])).map(|(low, high)| low + high));
        samples.extend(&pause);
    }
    let mut mixer = Mixer::new();
    let seat = mixer.add(SeatConfig { input: None, output: Some(AudioCodec::Pcma), voice: false, apart: true })?;
    let ticks = samples.len() / 960 + 10;
    mixer.play(seat, PlayId(1), Clip::new(samples), false);
    let mut payload = || mixer.tick().outputs().next().map(|(_, payload)| payload.to_vec()).context("a payload");
    (0..ticks).map(|_| payload()).collect()
}

/// Plays keys into a call, in its own time.
fn sound(phone: &RawPhone, to: SocketAddr, number: &mut u16, keys: &str) -> Result<()> {
    for payload in sounded(keys)? {
        let mut packet = Vec::new();
        let (seq, timestamp) = (*number, u32::from(*number) * 160);
        RtpPacket { payload_type: 8, marker: false, seq, timestamp, ssrc: Ssrc(9), payload: &payload }
            .write(&mut packet);
        phone.exchange_with(to, &packet)?;
        *number += 1;
    }
    Ok(())
}

// product: P2, P4; a gateway that agrees to telephone events and sends tones
#[tokio::test(flavor = "multi_thread")]
async fn who_agreed_to_events_and_sends_tones_comes_in_and_is_obeyed() -> Result<()> {
    let server = Server::start()?;
    let join = json!({"type": "join", "name": "李雷", "password": server.password});
    let mut watcher = Client::join(server.web, &server.meeting, join, None).await?;
    let mut phone = RawPhone::new(server.sip, Ipv4Addr::LOCALHOST)?;
    let events = "RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";
    let offer = phone.description()?.replace("RTP/AVP 8\r\n", events);
    let reply = phone.call("huitong", &offer, "")?;
    assert!(reply.text.contains("a=rtpmap:101 telephone-event/8000"), "{}", reply.text);
    let (media, mut number) = (reply.media()?, 0);
    sound(&phone, media, &mut number, &format!("2{}#{}#", server.meeting, server.password))?;
    let id = came(&mut watcher).await?;
    sound(&phone, media, &mut number, "*9")?;
    let hand = |up: bool| {
        let id = id.clone();
        move |message: &Value| {
            let person = &message["event"]["participant"];
            person["id"] == id && person["hand"] == up && message["event"]["type"] == "participant_changed"
        }
    };
    watcher.next(hand(true)).await?;
    // A second on, so that it is no other way of the same press, a key by INFO; from then on tones are what somebody else keys.
    for _ in 0..60 {
        phone.exchange(media, number)?;
        number += 1;
    }
    phone.press(&tests::tag(&reply), "*9")?;
    watcher.next(hand(false)).await?;
    sound(&phone, media, &mut number, "*9")?;
    phone.press(&tests::tag(&reply), "*6")?;
    let muted = watcher.next(|message| message["event"]["participant"]["muted"] == true).await?;
    assert_eq!(muted["event"]["participant"]["hand"], false, "{muted}");
    Ok(())
}
