//! A leg behind a bad line: a seeded network loses, delays, swaps, doubles and garbles what a phone sends.

#[expect(dead_code, reason = "each test program uses its part")]
mod network;

use std::time::{Duration, Instant};

use leg::{Leg, LegEvent, Pulled};
use media::AudioCodec;

use network::{Dice, Line, TICK_US, carry, packet, remote};

const SECONDS: u64 = 300;

fn leg(codec: AudioCodec, start: Instant) -> Leg {
    network::leg(codec, Some(101), start)
}

/// What a tick gave, kept.
enum Played {
    Packet(Vec<u8>),
    Lost { next: bool },
    Nothing,
}

/// Runs the leg's clock; gives what was pulled in each tick, and the keys.
fn run(leg: &mut Leg, start: Instant, arrivals: Vec<(u64, Vec<u8>)>, ticks: u64) -> (Vec<Played>, String) {
    let (mut pulled, mut keys) = (Vec::new(), String::new());
    let mut arrivals = arrivals.into_iter().peekable();
    for tick in 1..=ticks {
        // The mixer's clock has another phase than the phone's.
        let now = tick * TICK_US + 7_000;
        while let Some((at, mut bytes)) = arrivals.next_if(|(at, _)| *at < now) {
            leg.handle_rtp(remote(), &mut bytes, start + Duration::from_micros(at));
        }
        pulled.push(match leg.pull(start + Duration::from_micros(now)) {
            Pulled::Packet(payload, _) => Played::Packet(payload.to_vec()),
            Pulled::Lost { next } => Played::Lost { next: next.is_some() },
            Pulled::ComfortNoise(_) | Pulled::Nothing => Played::Nothing,
        });
        while let Some(event) = leg.poll_event() {
            if let LegEvent::Digit(key) = event {
                keys.push(key);
            }
        }
    }
    (pulled, keys)
}

fn speech(codec: AudioCodec, ticks: u64) -> impl Iterator<Item = (u64, Vec<u8>)> {
    (0..ticks).map(move |n| {
        let payload = (n as u32).to_be_bytes().repeat(40);
        (n * TICK_US, packet(8, n as u16, (n as u32).wrapping_mul(codec.ticks_per_frame()), n == 0, &payload))
    })
}

// product: P10
#[test]
fn with_loss_and_jitter_there_is_no_gap_over_60_ms_in_99_of_100_seconds() {
    for codec in [AudioCodec::Pcma, AudioCodec::Opus] {
        let (start, mut dice) = (Instant::now(), Dice(1));
        let line = Line { lost: 50, jitter_us: 30_000, ..Line::default() };
        let arrivals = carry(speech(codec, SECONDS * 50), line, &mut dice);
        let (pulled, _) = run(&mut leg(codec, start), start, arrivals, SECONDS * 50);
        let mut gap = 0;
        let mut bad = vec![false; SECONDS as usize];
        for (tick, pulled) in pulled.iter().enumerate() {
            gap = if matches!(pulled, Played::Packet(_)) { 0 } else { gap + 1 };
            bad[tick / 50] |= gap > 3;
        }
        let bad = bad.iter().filter(|bad| **bad).count();
        assert!(bad as u64 * 100 <= SECONDS, "{codec}: {bad} of {SECONDS} seconds have a gap");
        // Of 1000 packets 50 are lost; the buffer may give up few more by coming too late itself.
        let concealed = pulled.iter().filter(|pulled| !matches!(pulled, Played::Packet(_))).count();
        assert!(concealed as u64 * 1000 <= SECONDS * 50 * 70, "{codec}: {concealed} ticks without sound");
    }
}

// product: P10
#[test]
fn the_next_packet_is_there_to_restore_most_lost_ones() {
    let (start, mut dice) = (Instant::now(), Dice(2));
    let line = Line { lost: 50, jitter_us: 30_000, ..Line::default() };
    let arrivals = carry(speech(AudioCodec::Opus, SECONDS * 50), line, &mut dice);
    let (pulled, _) = run(&mut leg(AudioCodec::Opus, start), start, arrivals, SECONDS * 50);
    let lost = pulled.iter().filter(|pulled| matches!(pulled, Played::Lost { .. })).count();
    let restored = pulled.iter().filter(|pulled| matches!(pulled, Played::Lost { next: true })).count();
    assert!(restored * 100 >= lost * 60, "{restored} of {lost}");
}

#[test]
fn swapped_doubled_and_garbled_packets_play_once_and_in_order() {
    for seed in 0..20 {
        let (start, mut dice) = (Instant::now(), Dice(seed));
        let line = Line { lost: 20, doubled: 200, garbled: 50, jitter_us: 60_000, ..Line::default() };
        let arrivals = carry(speech(AudioCodec::Opus, 1_000), line, &mut dice);
        let (pulled, _) = run(&mut leg(AudioCodec::Opus, start), start, arrivals, 1_000);
        let number = |pulled: &Played| match pulled {
            // A garbled payload differs in one of its forty copies.
            Played::Packet(payload) if payload.len() == 160 => {
                let copies = [0, 40, 80].map(|at| payload[at..at + 4].to_vec());
                let agreed = copies.iter().find(|copy| copies.iter().filter(|other| other == copy).count() >= 2)?;
                Some(u32::from_be_bytes([agreed[0], agreed[1], agreed[2], agreed[3]]))
            }
            _ => None,
        };
        let numbers: Vec<_> = pulled.iter().filter_map(number).collect();
        let backwards = numbers.windows(2).filter(|pair| pair[1] <= pair[0]).count();
        // A flipped bit in a timestamp puts that packet elsewhere; nothing else may.
        assert!(backwards <= 10, "seed {seed}: {backwards} steps back");
        assert!(numbers.len() > 800, "seed {seed}: {} played", numbers.len());
    }
}

// product: P2, RFC 4733 §2.5.1.4
#[test]
fn every_key_comes_exactly_once_at_20_percent_loss() {
    let presses: u64 = 10_000;
    let (start, mut dice) = (Instant::now(), Dice(3));
    let keys: String = (0..presses).map(|_| char::from(b"0123456789*#"[dice.roll(12) as usize])).collect();
    let mut packets = Vec::new();
    let mut seq = 0u16;
    for (index, key) in keys.bytes().enumerate() {
        let event = b"0123456789*#".iter().position(|k| *k == key).unwrap() as u8;
        let at = index as u64 * 200_000;
        let timestamp = (at / 125) as u32;
        // 100 ms of tone: five packets, the last sent three times.
        for (n, duration) in [160u16, 320, 480, 640, 800, 800, 800].into_iter().enumerate() {
            let end = if n >= 4 { 0x80 } else { 0 };
            let [d0, d1] = duration.to_be_bytes();
            let bytes = packet(101, seq, timestamp, n == 0, &[event, end | 10, d0, d1]);
            packets.push((at + n as u64 * TICK_US, bytes));
            seq = seq.wrapping_add(1);
        }
    }
    let line = Line { lost: 200, doubled: 50, held: 20, jitter_us: 30_000, ..Line::default() };
    let arrivals = carry(packets.into_iter(), line, &mut dice);
    let (_, heard) = run(&mut leg(AudioCodec::Pcma, start), start, arrivals, presses * 10 + 50);
    let wrong = keys.len().abs_diff(heard.len());
    assert!(wrong as u64 * 1000 <= presses, "{wrong} of {presses} keys lost or doubled");
    // Seven losses of a press in a row are rare enough to be none here, so the keys themselves agree.
    assert_eq!(keys, heard);
}
