//! A live call under attack: what a stranger sends is neither played nor answered, and the call goes on.

#[expect(dead_code, reason = "each test of a bad line needs some of it")]
mod network;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use leg::{Keying, Leg, LegConfig, Pulled, SrtpKey, SrtpKeys, SrtpSuite};
use media::{AudioCodec, Ssrc};

use network::{Dice, TICK_US, packet, remote};

/// A telephone's leg and ours, with each other's keys where there are any.
fn call(start: Instant, encrypted: bool) -> (Leg, Leg) {
    let (suite, ours, theirs) = (SrtpSuite::AesCm128HmacSha1Tag80, SrtpKey([1; 30]), SrtpKey([2; 30]));
    let config = |ours, theirs| LegConfig {
        telephone_event: Some(101),
        srtp: encrypted.then_some(Keying::Sdes(SrtpKeys::new(suite, ours, theirs))),
        ..LegConfig::new(AudioCodec::Pcma, 8, remote())
    };
    (Leg::new(config(theirs, ours), Ssrc(2), start), Leg::new(config(ours, theirs), Ssrc(1), start))
}

fn at(start: Instant, tick: u64) -> Instant {
    start + Duration::from_micros(tick * TICK_US)
}

// reliability: A7
#[test]
fn ten_thousand_bad_tags_and_ten_thousand_replays_cost_less_than_one_packet_in_a_hundred() {
    let (start, mut dice) = (Instant::now(), Dice(9));
    let (mut phone, mut ours) = call(start, true);
    let (mut sent, mut played) = (Vec::new(), 0);
    let ticks = 1_000;
    for tick in 0..ticks {
        let now = at(start, tick);
        let mut good = Vec::new();
        phone.send(&[tick as u8; 160], &mut good).expect("it sends");
        sent.push(good.clone());
        ours.handle_rtp(remote(), &mut good, now);
        let mut back = Vec::new();
        ours.send(&[7; 160], &mut back).expect("it sends");
        phone.handle_rtp(remote(), &mut back, now);
        for _ in 0..10 {
            let mut bad = sent[dice.roll(sent.len() as u64) as usize].clone();
            let (at, bit) = (2 + dice.roll(bad.len() as u64 - 2) as usize, dice.roll(8));
            bad[at] ^= 1 << bit;
            ours.handle_rtp(remote(), &mut bad, now);
            let mut replayed = sent[dice.roll(sent.len() as u64) as usize].clone();
            ours.handle_rtp(remote(), &mut replayed, now);
        }
        played += u64::from(matches!(ours.pull(now), Pulled::Packet(..)));
    }
    let stats = ours.stats();
    assert_eq!(stats.dropped_forged, 20 * ticks, "{stats:?}");
    assert!(played * 100 >= ticks * 99, "{played} of {ticks} frames played");
}

// reliability: A6
#[test]
fn who_sprays_a_call_with_sound_is_neither_heard_nor_sent_anything() {
    let start = Instant::now();
    let (_, mut ours) = call(start, false);
    let strangers: Vec<SocketAddr> = vec!["198.51.100.66:4000".parse().unwrap(), "198.51.100.66:4002".parse().unwrap()];
    let mut heard = 0;
    for tick in 0..1_000u32 {
        let now = at(start, u64::from(tick));
        // From the first moment on, with the numbers and the sender of the call itself.
        for stranger in &strangers {
            let mut spray = packet(8, tick as u16, tick * 160, false, &[0x2a; 160]);
            ours.handle_rtp(*stranger, &mut spray, now);
            // And reports, that might move the address too.
            ours.handle_rtcp(*stranger, &mut [0x80, 200, 0, 6].repeat(7), now);
        }
        let mut good = packet(8, tick as u16, tick * 160, false, &[0xd5; 160]);
        ours.handle_rtp(remote(), &mut good, now);
        if let Pulled::Packet(payload, _) = ours.pull(now) {
            assert_eq!(payload[..], [0xd5; 160]);
            heard += 1;
        }
        let mut out = Vec::new();
        assert_eq!(ours.send(&[0xd5; 160], &mut out), Some(remote()));
    }
    assert!(heard > 990, "{heard} frames of the call itself");
    assert_eq!(ours.stats().dropped_stranger, 4_000);
}

// reliability: A10
#[test]
fn an_address_that_never_answers_gets_a_second_of_sound_and_no_more() {
    let start = Instant::now();
    let (_, mut ours) = call(start, false);
    let sent = |leg: &mut Leg, ticks: std::ops::Range<u64>| {
        let mut packets = 0;
        for tick in ticks {
            let mut out = Vec::new();
            packets += u32::from(leg.send(&[7; 160], &mut out).is_some());
            packets += u32::from(leg.poll_rtcp(at(start, tick), &mut out).is_some());
        }
        packets
    };
    assert_eq!(sent(&mut ours, 0..1_000), 50);
    ours.handle_rtp(remote(), &mut packet(8, 1, 160, false, &[0xd5; 160]), at(start, 1_000));
    assert_eq!(sent(&mut ours, 1_000..1_010), 11, "ten of sound and a report");
}
