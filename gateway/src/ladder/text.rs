//! A call's messages as people read them: first the ladder, then each message; numbers masked (P5).

use std::fmt::Write as _;

use model::{PhoneNumber, is_plain};

use super::packet::{FILE_HEADER, Packet, read};

/// Digits of a number that is masked wherever it stands; shorter ones only where an address has them.
const LONG: usize = 7;

/// Different ones of a call; who sends more wants to keep us busy.
const LONG_MAX: usize = 64;

/// Digits of the shortest number of an address that is masked.
const SHORT: usize = 3;

/// Of a file of packets.
pub(super) fn write(file: &[u8]) -> String {
    let packets: Vec<Packet<'_>> = read(file.get(FILE_HEADER.len()..).unwrap_or_default()).collect();
    let messages: Vec<String> = packets.iter().map(|packet| readable(packet.message)).collect();
    let Some(first) = packets.first() else { return String::new() };
    let them = first.way.from;
    let mut text = String::new();
    for (packet, message) in packets.iter().zip(&messages) {
        let arrow = if packet.way.from == them { "->" } else { "<-" };
        let seconds = packet.at.saturating_sub(first.at).as_secs_f64();
        // Writing into a String can't fail.
        let _ = writeln!(text, "{seconds:10.6}  {arrow}  {}", title(message));
    }
    for (packet, message) in packets.iter().zip(&messages) {
        let at =
            jiff::Timestamp::from_microsecond(i64::try_from(packet.at.as_micros()).unwrap_or(0)).unwrap_or_default();
        let _ = write!(text, "\n--- {at}  {} -> {}\n{}", packet.way.from, packet.way.to, message);
        if !message.ends_with('\n') {
            text.push('\n');
        }
    }
    masked(&text)
}

/// With marks in the places of what would steer a terminal, or have a line read as another.
fn readable(message: &[u8]) -> String {
    let shown = |c: char| if is_plain(c) || matches!(c, '\n' | '\t') { c } else { char::REPLACEMENT_CHARACTER };
    String::from_utf8_lossy(message).replace("\r\n", "\n").chars().map(shown).collect()
}

/// The first line, and of an answer what it answers.
fn title(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim();
    let cseq = message.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("cseq").then(|| value.trim())
    });
    match (line.strip_prefix("SIP/2.0 "), cseq) {
        (Some(status), Some(cseq)) => format!("{status}  ({cseq})"),
        (None, Some(_)) => line.trim_end_matches(" SIP/2.0").to_owned(),
        _ => line.to_owned(),
    }
}

/// With the numbers of all addresses masked, and the long ones among them wherever they stand.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut long: Vec<&str> = Vec::new();
    let mut from = 0;
    for (at, user) in addresses(text) {
        out.push_str(&text[from..at]);
        out.push_str(&PhoneNumber::new(user).masked());
        from = at + user.len();
        let digits = user.trim_start_matches("%2B").trim_start_matches('+');
        if digits.len() >= LONG && long.len() < LONG_MAX && !long.contains(&digits) {
            long.push(digits);
        }
    }
    out.push_str(&text[from..]);
    // Longer ones first: one may be a part of another.
    long.sort_unstable_by_key(|digits| std::cmp::Reverse(digits.len()));
    for digits in long {
        out = out.replace(digits, &PhoneNumber::new(digits).masked());
    }
    out
}

/// The numbers in front of an address's host, and where they begin.
fn addresses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(':').filter_map(|(colon, _)| {
        let scheme = |name: &str| ends_with(&text.as_bytes()[..colon], name);
        let is_sip = scheme("sip") || scheme("sips");
        if !is_sip && !scheme("tel") {
            return None;
        }
        let rest = &text[colon + 1..];
        let address = &rest[..rest.find(['>', ' ', '\r', '\n', '"', ',']).unwrap_or(rest.len())];
        let user = &address[..address.find(['@', ';', ':', '?']).unwrap_or(address.len())];
        let digits = user.bytes().filter(u8::is_ascii_digit).count();
        let letters = user.bytes().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
        // An address without a user is a host's.
        let is_number = digits >= SHORT && letters <= 1 && (!is_sip || address.contains('@'));
        is_number.then_some((colon + 1, user))
    })
}

fn ends_with(bytes: &[u8], name: &str) -> bool {
    bytes.len() >= name.len() && bytes[bytes.len() - name.len()..].eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ladder::packet::{self, Way};

    // product: P5
    #[test]
    fn numbers_are_masked_wherever_they_stand() {
        let check = |text: &str, expected: &str| assert_eq!(masked(text), expected);
        check("From: <sip:13812345678@192.0.2.1:5060>;tag=a", "From: <sip:138****5678@192.0.2.1:5060>;tag=a");
        check("To: \"+8613812345678\" <tel:+8613812345678>", "To: \"+861****5678\" <tel:+86138****5678>");
        check("SIP:%2B8613812345678;phone-context=x@h", "SIP:%2B****5678;phone-context=x@h");
        check("INVITE sips:8001@h SIP/2.0\r\nVia: h:8001", "INVITE sips:8**1@h SIP/2.0\r\nVia: h:8001");
        check("sip:alice@h sip:192.0.2.1:5060 sip:h", "sip:alice@h sip:192.0.2.1:5060 sip:h");
        let twice = "<sip:+8613812345678@a> Call-ID: 8613812345678-7 user=\"8613812345678\" 13812345678";
        assert!(
            !masked(twice).contains("13812345678-7") && !masked(twice).contains("8613812345678"),
            "{}",
            masked(twice)
        );
    }

    // product: P9
    #[test]
    fn a_call_reads_as_a_ladder() {
        let [them, us] = ["192.0.2.1:5060", "192.0.2.9:5060"].map(|text| text.parse().unwrap());
        let mut file = FILE_HEADER.to_vec();
        let messages = [
            (
                0,
                Way { from: them, to: us },
                "INVITE sip:100@h SIP/2.0\r\nFrom: <sip:13812345678@h>\r\nCSeq: 1 INVITE\r\n\r\n",
            ),
            (20, Way { from: us, to: them }, "SIP/2.0 200 OK\r\nFrom: <sip:13812345678@h>\r\nCSeq: 1 INVITE\r\n\r\n"),
        ];
        for (ms, way, message) in messages {
            packet::write(&mut file, Duration::from_millis(1_800_000_000_000 + ms), way, message.as_bytes());
        }
        let text = write(&file);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "  0.000000  ->  INVITE sip:1**0@h");
        assert_eq!(lines[1], "  0.020000  <-  200 OK  (1 INVITE)");
        assert_eq!(lines[3], "--- 2027-01-15T08:00:00Z  192.0.2.1:5060 -> 192.0.2.9:5060");
        assert!(!text.contains("12345678"), "{text}");
        assert_eq!(write(&FILE_HEADER), "");
    }
}
