//! What a meeting hears of a phone behind a bad line: the seeded network in front of a leg and a mixer, and the sound
//! that comes out of the mix.

mod network;

use std::{
    f32::consts::TAU,
    time::{Duration, Instant},
};

use leg::{LegEvent, Pulled};
use media::{AudioCodec, Clip, SAMPLE_RATE};
use mixer::{Incoming, Mixer, PlayId, SeatConfig};

use network::{Dice, Line, TICK_US, carry, packet, remote};

const SECONDS: usize = 200;

/// A clip as a phone would encode it, over and over, in packets of 20 ms.
fn encoded(codec: AudioCodec, clip: Clip, ticks: usize) -> Vec<(u64, Vec<u8>)> {
    let mut mixer = Mixer::new();
    let seat = mixer.add(SeatConfig { input: None, output: Some(codec), voice: false, apart: true }).expect("a seat");
    mixer.play(seat, PlayId(1), clip, true);
    let step = codec.ticks_per_frame();
    let mut packet_of = |n: usize| {
        let tick = mixer.tick();
        let (_, payload) = tick.outputs().next().expect("an output every tick");
        (n as u64 * TICK_US, packet(8, n as u16, (n as u32).wrapping_mul(step), n == 0, payload))
    };
    (0..ticks).map(&mut packet_of).collect()
}

/// Voiced sound without a pause: pitch between 95 and 185 Hz, 12 overtones, syllables that swing by 6 dB.
fn vowels() -> Clip {
    let seconds = 10;
    let mut phase = 0.0_f32;
    let samples = (0..seconds * SAMPLE_RATE as usize).map(|n| {
        let at = n as f32 / SAMPLE_RATE as f32;
        // Whole periods in ten seconds, so that it loops without a seam.
        let pitch = 140.0 + 45.0 * (TAU * 0.3 * at).sin();
        phase = (phase + pitch / SAMPLE_RATE as f32).fract();
        let swing = 0.75 + 0.25 * (TAU * 4.0 * at).sin();
        let overtones = (1..=12).map(|k| {
            let formant = 1.0 / (1.0 + ((k as f32 * pitch - 600.0) / 500.0).powi(2));
            formant * (TAU * phase * k as f32).sin()
        });
        0.08 * swing * overtones.sum::<f32>()
    });
    Clip::new(samples.collect())
}

/// The power of each 10 ms of the mix.
fn heard(codec: AudioCodec, arrivals: Vec<(u64, Vec<u8>)>, ticks: usize) -> Vec<f32> {
    let start = Instant::now();
    let mut leg = network::leg(codec, Some(101), start);
    let mut mixer = Mixer::new();
    let seat =
        mixer.add(SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false }).expect("a seat");
    mixer.set_voice_wanted(seat, false);
    mixer.set_program(true);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut powers = Vec::new();
    for tick in 1..=ticks as u64 {
        // The mixer's clock has another phase than the phone's.
        let now = tick * TICK_US + 7_000;
        while let Some((at, mut bytes)) = arrivals.next_if(|(at, _)| *at < now) {
            leg.handle_rtp(remote(), &mut bytes, start + Duration::from_micros(at));
        }
        let pulled = leg.pull(start + Duration::from_micros(now));
        let incoming = match &pulled {
            Pulled::Packet(payload, _) => Incoming::Packet(payload),
            Pulled::Lost { next } => Incoming::Lost { next: next.as_deref() },
            Pulled::ComfortNoise(payload) => Incoming::ComfortNoise(payload),
            Pulled::Nothing => Incoming::Nothing,
        };
        mixer.push(seat, incoming, None);
        let program = mixer.tick().program.expect("it is wanted");
        powers.extend(program.chunks(480).map(|half| half.iter().map(|s| s * s).sum::<f32>() / 480.0));
    }
    powers
}

/// Seconds in which it is silent for longer than 60 ms.
fn seconds_with_gaps(powers: &[f32]) -> usize {
    let mut sorted = powers.to_vec();
    sorted.sort_by(f32::total_cmp);
    // Twenty decibels under what is usual is a hole in a vowel.
    let silent = sorted[sorted.len() / 2] / 100.0;
    let mut gap = 0;
    let mut bad = vec![false; powers.len() / 100];
    for (at, power) in powers.iter().enumerate() {
        gap = if *power < silent { gap + 1 } else { 0 };
        bad[at / 100] |= gap > 6;
    }
    bad.iter().filter(|bad| **bad).count()
}

// product: P10
#[test]
fn at_5_percent_loss_and_30_ms_jitter_99_of_100_seconds_have_no_gap_over_60_ms() {
    let sound = vowels();
    for codec in [AudioCodec::Pcma, AudioCodec::Pcmu, AudioCodec::G722, AudioCodec::Opus] {
        let ticks = (SECONDS + 2) * 50;
        let sent = encoded(codec, sound.clone(), ticks);
        let arrivals = carry(sent.into_iter(), Line::five_percent(), &mut Dice(5));
        let lost = 1.0 - arrivals.len() as f32 / ticks as f32 / 1.005;
        assert!((0.04..0.06).contains(&lost), "the line itself loses {lost}");
        // The first two seconds belong to the beginning: the buffer fills, the gain finds its place.
        let bad = seconds_with_gaps(&heard(codec, arrivals, ticks)[200..]);
        assert!(bad * 100 <= SECONDS, "{codec}: {bad} of {SECONDS} seconds have a gap");
    }
}

// product: P10
#[test]
fn a_line_that_is_cut_for_160_ms_each_second_is_measured_as_such() {
    let cut = |(at, _): &(u64, Vec<u8>)| at % 1_000_000 >= 160_000;
    let sent = encoded(AudioCodec::Pcma, vowels(), 12 * 50);
    let arrivals = carry(sent.into_iter().filter(cut), Line::default(), &mut Dice(6));
    assert_eq!(seconds_with_gaps(&heard(AudioCodec::Pcma, arrivals, 12 * 50)[200..]), 10);
}

/// Presses of `shortest` to twice as many milliseconds, with pauses as long.
fn pressed(keys: &str, shortest: u64, dice: &mut Dice) -> Clip {
    let (low, high) = ([697.0, 770.0, 852.0, 941.0], [1209.0, 1336.0, 1477.0]);
    let mut samples = vec![0.0; SAMPLE_RATE as usize / 10];
    for key in keys.chars() {
        let place = "123456789*0#".find(key).expect("a key of these");
        let (row, column) = (low[place / 3], high[place % 3]);
        let len = 48 * (shortest + dice.roll(shortest)) as usize;
        let tone = |n: usize| {
            let at = n as f32 / SAMPLE_RATE as f32;
            0.2 * ((TAU * row * at).sin() + (TAU * column * at).sin())
        };
        samples.extend((0..len).map(tone));
        samples.resize(samples.len() + len, 0.0);
    }
    Clip::new(samples)
}

/// The keys a leg takes from tones that come over such a line.
fn keys_heard(codec: AudioCodec, keys: &str, shortest: u64, line: Line, dice: &mut Dice) -> String {
    keys_of(codec, None, keys, shortest, line, dice)
}

/// The same where telephone events were agreed on, by this number.
fn keys_of(codec: AudioCodec, event: Option<u8>, keys: &str, shortest: u64, line: Line, dice: &mut Dice) -> String {
    let start = Instant::now();
    let clip = pressed(keys, shortest, dice);
    let ticks = (clip.duration().as_millis() / 20) as usize;
    let mut arrivals = carry(encoded(codec, clip, ticks).into_iter(), line, dice).into_iter().peekable();
    let mut leg = network::leg(codec, event, start);
    let mut heard = String::new();
    for tick in 1..=ticks as u64 + 25 {
        let now = tick * TICK_US + 7_000;
        while let Some((at, mut bytes)) = arrivals.next_if(|(at, _)| *at < now) {
            leg.handle_rtp(remote(), &mut bytes, start + Duration::from_micros(at));
        }
        leg.pull(start + Duration::from_micros(now));
        while let Some(event) = leg.poll_event() {
            if let LegEvent::Digit(key) = event {
                heard.push(key);
            }
        }
    }
    heard
}

fn random_keys(count: usize, dice: &mut Dice) -> String {
    (0..count).map(|_| char::from(b"0123456789*#"[dice.roll(12) as usize])).collect()
}

// product: P2
#[test]
fn keys_by_tones_come_exactly_once_over_a_jittery_line() {
    for codec in [AudioCodec::Pcma, AudioCodec::G722] {
        let mut dice = Dice(8);
        let keys = random_keys(500, &mut dice);
        let line = Line { doubled: 20, delay_us: 40_000, jitter_us: 30_000, ..Line::default() };
        assert_eq!(keys, keys_heard(codec, &keys, 60, line, &mut dice), "{codec}");
        // Gateways agree to telephone events and send none.
        assert_eq!(keys, keys_of(codec, Some(101), &keys, 60, line, &mut dice), "{codec}");
    }
}

// product: P2; a gateway that cuts the tone out of the sound when it has known it, and one that leaves it in
#[test]
fn a_key_that_comes_as_a_tone_and_as_an_event_is_one() {
    let (start, keys) = (Instant::now(), "55*6");
    // How much of each tone is left, and how long after its beginning the event comes.
    for (leaked_ms, later_ms) in [(0, 40), (40, 40), (60, 40), (100, 100), (100, 160)] {
        let mut dice = Dice(11);
        let clip = pressed(keys, 100, &mut dice);
        let mut presses = Vec::new();
        let mut samples = clip.samples().to_vec();
        let mut at = 0;
        while let Some(from) = samples[at..].iter().position(|sample| *sample != 0.0).map(|n| n + at) {
            let is_over = |part: &[f32]| part.iter().all(|sample| *sample == 0.0);
            let len = samples[from..].chunks(960).position(is_over).unwrap_or_default() * 960;
            samples[(from + 48 * leaked_ms).min(from + len)..from + len].fill(0.0);
            presses.push(from as u64 * 1_000 / 48);
            at = from + len;
        }
        assert_eq!(presses.len(), keys.len());
        let ticks = samples.len() / 960;
        let mut packets = encoded(AudioCodec::Pcma, Clip::new(samples), ticks);
        for (key, us) in keys.bytes().zip(&presses) {
            let event = b"0123456789*#".iter().position(|known| *known == key).expect("a key") as u8;
            let timestamp = (us / 125) as u32;
            packets.extend((0..4_u8).map(|n| {
                let at = us + later_ms * 1_000 + u64::from(n) * TICK_US;
                (at, packet(101, 0, timestamp, n == 0, &[event, 10, 1, n]))
            }));
        }
        packets.sort_by_key(|(at, _)| *at);
        for (number, (_, bytes)) in packets.iter_mut().enumerate() {
            bytes[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        }
        let mut leg = network::leg(AudioCodec::Pcma, Some(101), start);
        let mut packets = packets.into_iter().peekable();
        let mut heard = String::new();
        for tick in 1..=ticks as u64 + 25 {
            let now = tick * TICK_US + 7_000;
            while let Some((at, mut bytes)) = packets.next_if(|(at, _)| *at < now) {
                leg.handle_rtp(remote(), &mut bytes, start + Duration::from_micros(at));
            }
            leg.pull(start + Duration::from_micros(now));
            heard.extend(std::iter::from_fn(|| leg.poll_event()).filter_map(|event| match event {
                LegEvent::Digit(key) => Some(key),
                _ => None,
            }));
        }
        assert_eq!(heard, keys, "{leaked_ms} ms of each tone are left, events come after {later_ms}");
    }
}

// product: P2; of G.722 eight in a thousand are wrong: what follows a loss is decoded from what was lost
#[test]
fn a_thousand_pins_by_tones_are_right_where_one_packet_in_twenty_is_lost() {
    for codec in [AudioCodec::Pcma, AudioCodec::Pcmu] {
        let line = Line { lost: 50, delay_us: 40_000, jitter_us: 30_000, ..Line::default() };
        let mut dice = Dice(9);
        let mut wrong = Vec::new();
        for _ in 0..1_000 {
            let pin = random_keys(6, &mut dice);
            let heard = keys_heard(codec, &pin, 100, line, &mut dice);
            if heard != pin {
                wrong.push((pin, heard));
            }
        }
        assert!(wrong.is_empty(), "{codec}: {} of 1000: {:?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    }
}
