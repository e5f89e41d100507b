//! Whatever comes from the network breaks nothing: the fuzz targets' corpora, and what a seeded generator makes of them (`fuzz/lib.rs`
//! says what must hold). The same messages every time.

#[path = "fuzz/lib.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz crate's library, too")]
mod fuzz;

use std::{fs, path::Path};

/// Where the seeds are. RFC 4475's own messages are IETF text and not ours to copy: the folder RFC4475_MESSAGES names has them.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder of seeds");
        entries.map(|entry| entry.expect("a seed").path()).collect::<Vec<_>>()
    };
    let mut paths = files(&folder);
    if target == "sip_message"
        && let Some(folder) = std::env::var_os("RFC4475_MESSAGES")
    {
        let more = files(Path::new(&folder));
        paths.extend(more.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "dat")));
    }
    paths.sort();
    assert!(!paths.is_empty(), "{target} has seeds");
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Numbers that look random and are the same each time (Knuth's generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Cut off, doubled, reordered, bits turned, numbers grown, put together of two.
fn malform(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    const NUMBERS: [&[u8]; 6] =
        [b"0", b"-1", b"4294967296", b"18446744073709551616", b"99999999999999999999999999", b"0x10"];
    const STRANGE: [&[u8]; 8] = [b"\r\n", b"\r\n\r\n", b"\0", b"\xff\xfe", b";;,,", b"\"", b"<", b"%00"];
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let len = dice.below(bytes.len() - at).min(64);
        match dice.below(9) {
            0 => bytes.truncate(at),
            1 => {
                let doubled = bytes[at..at + len].to_vec();
                drop(bytes.splice(at..at, doubled));
            }
            2 => bytes[at..at + len].reverse(),
            3 => drop(bytes.drain(at..at + len)),
            4 => drop(bytes.splice(at..at, STRANGE[dice.below(STRANGE.len())].iter().copied())),
            5 => {
                let digits = bytes.iter().skip(at).position(u8::is_ascii_digit);
                if let Some(from) = digits.map(|found| at + found) {
                    let many = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    drop(bytes.splice(from..from + many, NUMBERS[dice.below(NUMBERS.len())].iter().copied()));
                }
            }
            6 => {
                // Lines change places.
                let mut lines: Vec<Vec<u8>> =
                    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                let (a, b) = (dice.below(lines.len()), dice.below(lines.len()));
                if a < lines.len() && b < lines.len() {
                    lines.swap(a, b);
                }
                *bytes = lines.concat();
            }
            7 => {
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
}

/// All seeds as they are, then so many that were malformed.
fn play(target: &str, function: fn(&[u8]), count: usize) {
    let seeds = seeds(target);
    seeds.iter().for_each(|seed| function(seed));
    let mut dice = Dice(0x5eed);
    for _ in 0..count {
        let mut bytes = seeds[dice.below(seeds.len())].clone();
        malform(&mut bytes, &seeds[dice.below(seeds.len())], &mut dice);
        function(&bytes);
    }
}

// reliability: A1, R2. RFC 4475
#[test]
fn twenty_thousand_malformed_sip_messages() {
    play("sip_message", fuzz::sip_message, 20_000);
}

// reliability: A1. Rows of messages and orders made of the messages, in virtual time.
#[test]
fn calls_made_of_malformed_messages_begin_and_end_once() {
    play("sip_endpoint", fuzz::sip_endpoint, 3_000);
    let messages = seeds("sip_message");
    let mut dice = Dice(0xca11);
    for _ in 0..1_500 {
        let mut row = Vec::new();
        for _ in 0..8 {
            let mut message = messages[dice.below(messages.len())].clone();
            if dice.below(2) == 0 {
                malform(&mut message, &messages[dice.below(messages.len())], &mut dice);
            }
            message.truncate(usize::from(u16::MAX));
            let what = dice.below(256) as u8;
            row.push(if dice.below(2) == 0 { what & 0xf0 } else { what });
            row.extend_from_slice(&(message.len() as u16).to_be_bytes());
            row.extend_from_slice(&message);
        }
        fuzz::sip_endpoint(&row);
    }
}

// reliability: A1, R2
#[test]
fn ten_thousand_malformed_descriptions() {
    play("sdp", fuzz::sdp, 10_000);
}

// reliability: A7, R2
#[test]
fn a_hundred_thousand_malformed_packets() {
    play("rtp_packet", fuzz::rtp_packet, 40_000);
    play("rtcp", fuzz::rtcp, 40_000);
    play("jitter", fuzz::jitter, 2_000);
    play("dtmf", fuzz::dtmf, 2_000);
}

// reliability: A5, R2
#[test]
fn strangers_at_the_browsers_socket_hear_nothing() {
    play("stun", fuzz::stun, 300);
}

// reliability: A1, R2. Offers of Chromium and of aiortc.
#[test]
fn three_thousand_malformed_offers_of_browsers() {
    play("browser_offer", fuzz::browser_offer, 3_000);
}

// reliability: A5, A7, R2
#[test]
fn whatever_comes_from_where_a_browser_is_he_is_heard() {
    play("browser_datagram", fuzz::browser_datagram, 3_000);
}

// reliability: A7, A19, R2
#[test]
fn whatever_a_participant_says_the_others_are_heard() {
    play("browser_participant", fuzz::browser_participant, 3_000);
}

// reliability: A5, R2
#[test]
fn who_has_no_certificate_gets_no_keys_whatever_he_says() {
    play("dtls", fuzz::dtls, 2_000);
}

#[test]
fn what_browsers_ask_breaks_no_meeting() {
    play("client_message", fuzz::client_message, 5_000);
    play("meeting_commands", fuzz::meeting_commands, 2_000);
}
