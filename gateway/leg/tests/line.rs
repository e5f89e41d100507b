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

/// What our reports say of his stream (RFC 3550 §6.4.1): lost of 256 since the last, lost in all, jitter in ticks of the clock.
fn block(report: &[u8]) -> (u8, u32, u32) {
    assert_eq!((report[0], report[1]), (0x81, 200), "a sender report with one block");
    let word = |at: usize| u32::from_be_bytes([report[at], report[at + 1], report[at + 2], report[at + 3]]);
    (report[32], word(32) & 0x00ff_ffff, word(40))
}

// product: P9; RFC 3550 §6.4.1, §A.3, §A.8
#[test]
fn reports_and_the_calls_record_say_within_5_percent_what_the_line_does() {
    for (seed, codec) in [(4, AudioCodec::Pcma), (5, AudioCodec::Opus)] {
        let (start, ticks) = (Instant::now(), SECONDS * 50);
        // No packet overtakes another, so two neighbours are apart by the difference of two draws: on average a third of the most.
        let line = Line { lost: 50, delay_us: 40_000, jitter_us: 15_000, ..Line::default() };
        let jitter_ms = 15.0 / 3.0;
        let arrivals = carry(speech(codec, ticks), line, &mut Dice(seed));
        let number = |bytes: &[u8]| u64::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        let (first, last) = (number(&arrivals[0].1), number(&arrivals[arrivals.len() - 1].1));
        let lost = last - first + 1 - arrivals.len() as u64;
        let mut leg = leg(codec, start);
        let (mut reports, mut upcoming) = (Vec::new(), arrivals.into_iter().peekable());
        let mut truth = Vec::new();
        let (mut came, mut highest) = (0, first);
        for tick in 1..=ticks + 10 {
            let now = tick * TICK_US + 7_000;
            while let Some((at, mut bytes)) = upcoming.next_if(|(at, _)| *at < now) {
                (came, highest) = (came + 1, number(&bytes));
                leg.handle_rtp(remote(), &mut bytes, start + Duration::from_micros(at));
            }
            leg.pull(start + Duration::from_micros(now));
            let mut out = Vec::new();
            if leg.poll_rtcp(start + Duration::from_micros(now), &mut out).is_some() {
                reports.push(block(&out));
                truth.push((highest - first + 1, came));
            }
        }
        let near = |what: &str, seen: f64, truth: f64| {
            assert!((seen / truth - 1.0).abs() < 0.05, "{codec}: {what} is said to be {seen} and is {truth}");
        };
        assert!(reports.len() > 50, "{}", reports.len());
        let (mut before, mut fractions) = ((0, 0), Vec::new());
        for ((fraction, in_all, _), now) in reports.iter().zip(truth) {
            let (expected, came) = (now.0 - before.0, now.1 - before.1);
            assert_eq!(u64::from(*fraction), (expected - came) * 256 / expected, "{codec}");
            assert_eq!(u64::from(*in_all), now.0 - now.1, "{codec}");
            fractions.push((f64::from(*fraction) + 0.5) / 256.0 * expected as f64);
            before = now;
        }
        near("what was lost, by all fractions", fractions.iter().sum(), (before.0 - before.1) as f64);
        let clock_khz = f64::from(codec.clock_rate()) / 1e3;
        let mean =
            reports.iter().map(|(.., jitter)| f64::from(*jitter) / clock_khz).sum::<f64>() / reports.len() as f64;
        near("jitter, by all reports", mean, jitter_ms);
        let stats = leg.stats();
        assert_eq!((stats.received, stats.lost), (ticks - lost - (ticks - 1 - last) - first, lost), "{codec}");
        near("the call's jitter", stats.jitter_mean_ms, jitter_ms);
        // Put on hold and taken up again in another codec.
        let next = network::leg(AudioCodec::G722, None, start).following(leg, start).stats();
        assert_eq!((next.received, next.lost), (stats.received, stats.lost));
        near("the call's jitter, later", next.jitter_mean_ms, jitter_ms);
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
