//! A message as a packet of a `pcap` file: link type RAW, an IP header and UDP, whatever it travelled by. What travelled
//! encrypted is readable there; the Via says how it went.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// In front of all packets: little-endian, microseconds, version 2.4, whole packets, LINKTYPE_RAW (101).
pub(super) const FILE_HEADER: [u8; 24] =
    [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0];

/// Seconds, microseconds, bytes kept, bytes there were.
const RECORD_HEADER: usize = 16;

/// IPv6 and UDP.
const HEADERS_MAX: usize = 48;

/// The rest of a longer message is cut off.
const MESSAGE_MAX: usize = 65_535 - HEADERS_MAX;

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

impl Way {
    /// With our address in the place of none.
    pub(super) fn announced(self, ip: IpAddr) -> Self {
        let known = |address: SocketAddr| {
            if address.ip().is_unspecified() { SocketAddr::new(ip, address.port()) } else { address }
        };
        Self { from: known(self.from), to: known(self.to) }
    }
}

/// One packet of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) at: Duration,
    pub(super) way: Way,
    pub(super) message: &'a [u8],
    /// With its record header.
    pub(super) record: &'a [u8],
}

/// Requests that begin no call, and what is answered to them: there are many of them, and nobody looks for them.
pub(super) fn is_outside_of_calls(message: &[u8]) -> bool {
    let others = [&b"OPTIONS"[..], b"REGISTER", b"SUBSCRIBE", b"PUBLISH", b"MESSAGE"];
    method(message).is_some_and(|method| others.contains(&method))
}

/// Of a request, or of what is answered to one (RFC 3261 §8.2.6.2).
fn method(message: &[u8]) -> Option<&[u8]> {
    if !message.starts_with(b"SIP/2.0 ") {
        return message.split(|byte| *byte == b' ').next();
    }
    let head = message.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty());
    let mut cseq = head.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        name.trim_ascii().eq_ignore_ascii_case(b"cseq").then_some(value)
    });
    cseq.next()?.rsplit(|byte| byte.is_ascii_whitespace()).next()
}

pub(super) fn write(out: &mut Vec<u8>, at: Duration, way: Way, message: &[u8]) {
    let message = &message[..message.len().min(MESSAGE_MAX)];
    let udp = 8 + message.len();
    let (from, to) = (way.from.ip().to_canonical(), way.to.ip().to_canonical());
    let ip_header = if from.is_ipv4() && to.is_ipv4() { 20 } else { 40 };
    // Until 2106; no message is longer than a datagram.
    out.extend_from_slice(&(at.as_secs() as u32).to_le_bytes());
    out.extend_from_slice(&at.subsec_micros().to_le_bytes());
    let length = (ip_header + udp) as u32;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = [0; 20];
            header[0] = 0x45;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            (header[8], header[9]) = (64, 17);
            header[12..16].copy_from_slice(&from.octets());
            header[16..20].copy_from_slice(&to.octets());
            let sum: u32 = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            let folded = (sum & 0xffff) + (sum >> 16);
            header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
            out.extend_from_slice(&header);
        }
        (from, to) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                IpAddr::V6(v6) => v6,
            };
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            out.extend_from_slice(&(udp as u16).to_be_bytes());
            out.extend_from_slice(&[17, 64]);
            out.extend_from_slice(&wide(from).octets());
            out.extend_from_slice(&wide(to).octets());
        }
    }
    out.extend_from_slice(&way.from.port().to_be_bytes());
    out.extend_from_slice(&way.to.port().to_be_bytes());
    out.extend_from_slice(&(udp as u16).to_be_bytes());
    // No checksum.
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(message);
}

/// The packets of a file, without its header, as far as they are whole and ours.
pub(super) fn read(mut rest: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let (packet, behind) = first(rest)?;
        rest = behind;
        Some(packet)
    })
}

fn first(rest: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let number = |at: usize| Some(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    let at = Duration::new(u64::from(number(0)?), number(4)?.checked_mul(1_000)?.min(999_999_999));
    let length = usize::try_from(number(8)?).ok()?;
    let record = rest.get(..RECORD_HEADER.checked_add(length)?)?;
    let packet = &record[RECORD_HEADER..];
    let octets = |from: usize| -> Option<[u8; 16]> { packet.get(from..from + 16)?.try_into().ok() };
    let (from, to, ip_header): (IpAddr, IpAddr, usize) = match packet.first()? >> 4 {
        4 => {
            let quad = |from: usize| -> Option<[u8; 4]> { packet.get(from..from + 4)?.try_into().ok() };
            (quad(12)?.into(), quad(16)?.into(), 20)
        }
        _ => (octets(8)?.into(), octets(24)?.into(), 40),
    };
    let port = |from: usize| Some(u16::from_be_bytes(packet.get(from..from + 2)?.try_into().ok()?));
    let way = Way {
        from: SocketAddr::new(from.to_canonical(), port(ip_header)?),
        to: SocketAddr::new(to.to_canonical(), port(ip_header + 2)?),
    };
    let message = packet.get(ip_header + 8..)?;
    Some((Packet { at, way, message, record }, &rest[record.len()..]))
}

/// Takes out what opens something: keys of encrypted sound (RFC 4568), proofs of passwords, meetings' passwords that are dialled behind
/// their number, and digits keyed by INFO, which may be passwords. Lengths stay.
pub(super) fn scrub(chunk: &mut [u8]) {
    let mut at = 0;
    while let Some((length, message_at)) = first(&chunk[at..]).map(|(packet, _)| {
        let record = packet.record.len();
        (record, record - packet.message.len())
    }) {
        scrub_message(&mut chunk[at + message_at..at + length]);
        at += length;
    }
}

fn scrub_message(message: &mut [u8]) {
    blank_after(message, b"inline:", |byte| matches!(byte, b'|' | b'\r' | b'\n' | b' ' | b';'));
    blank_after(message, b"response=\"", |byte| matches!(byte, b'"' | b'\r' | b'\n'));
    blank_after_stars(message);
    if message.starts_with(b"INFO ")
        && let Some(body) = find(message, b"\r\n\r\n")
    {
        let keys = message[body..].iter_mut().filter(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'));
        keys.for_each(|byte| *byte = b'x');
    }
}

/// Of a password that is dialled behind two stars, each written as itself or by its code (RFC 3986 §2.1).
fn blank_after_stars(message: &mut [u8]) {
    let (mut at, mut stars) = (0, 0);
    while at < message.len() {
        let star = match &message[at..] {
            [b'*', ..] => 1,
            [b'%', b'2', b'a' | b'A', ..] => 3,
            _ => 0,
        };
        (at, stars) = if star == 0 { (at + 1, 0) } else { (at + star, stars + 1) };
        if stars == 2 {
            stars = 0;
            at += blank(&mut message[at..], |byte| b"@>;\"' \t\r\n".contains(&byte));
        }
    }
}

fn blank_after(message: &mut [u8], word: &[u8], ends: impl Fn(u8) -> bool) {
    let mut from = 0;
    while let Some(found) = find(&message[from..], word) {
        from += found + word.len();
        from += blank(&mut message[from..], &ends);
    }
}

/// Blanks what stands before an end; how much that was.
fn blank(secret: &mut [u8], ends: impl Fn(u8) -> bool) -> usize {
    let length = secret.iter().position(|byte| ends(*byte)).unwrap_or(secret.len());
    secret[..length].fill(b'x');
    length
}

/// Where something is in something longer.
pub(super) fn find(all: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memmem::find(all, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(from: &str, to: &str) -> Way {
        Way { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let ways = [way("192.0.2.1:5060", "198.51.100.2:5070"), way("[2001:db8::1]:5060", "[2001:db8::2]:5061")];
        let at = Duration::new(1_800_000_000, 123_456_000);
        let mut all = Vec::new();
        for way in ways {
            write(&mut all, at, way, b"BYE sip:a SIP/2.0\r\n\r\n");
        }
        let seen: Vec<_> = read(&all).map(|packet| (packet.at, packet.way, packet.message.to_vec())).collect();
        assert_eq!(seen, ways.map(|way| (at, way, b"BYE sip:a SIP/2.0\r\n\r\n".to_vec())));
        // The IP header's own checksum makes its sum all ones (RFC 1071).
        let sum: u32 = all[16..36].chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        // Cut off anywhere, or damaged: what is whole is read, and nothing breaks.
        for cut in 0..all.len() {
            assert!(read(&all[..cut]).count() <= 1);
            let mut damaged = all.clone();
            damaged[cut] ^= 0xff;
            assert!(read(&damaged).count() <= 2);
            scrub(&mut damaged);
        }
    }

    #[test]
    fn a_message_too_long_for_a_packet_is_cut() {
        let mut all = Vec::new();
        write(&mut all, Duration::ZERO, way("[::1]:1", "[::1]:2"), &[b'a'; 70_000]);
        assert_eq!(read(&all).map(|packet| packet.message.len()).collect::<Vec<_>>(), [MESSAGE_MAX]);
    }

    #[test]
    fn what_is_answered_outside_of_calls_is_as_little_looked_for_as_what_is_asked() {
        let check = |message: &str, expected: bool| {
            assert_eq!(is_outside_of_calls(message.as_bytes()), expected, "{message}");
        };
        check("REGISTER sip:a SIP/2.0\r\nCSeq: 1 REGISTER\r\n\r\n", true);
        check("INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", false);
        for method in ["OPTIONS", "REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE"] {
            check(&format!("SIP/2.0 200 OK\r\nVia: x\r\nCSeq: 7 {method}\r\nExpires: 60\r\n\r\n"), true);
            check(&format!("SIP/2.0 401 Unauthorized\r\nTo: <sip:a>\r\ncseq : 7\t{method} \r\n\r\n"), true);
        }
        for method in ["INVITE", "BYE", "INFO", "NOTIFY"] {
            check(&format!("SIP/2.0 200 OK\r\nCSeq: 7 {method}\r\nX: OPTIONS\r\n\r\nCSeq: 7 OPTIONS\r\n"), false);
        }
        for damaged in ["", "SIP/2.0 ", "SIP/2.0 200 OK\r\n\r\nCSeq: 7 OPTIONS\r\n", "SIP/2.0 200 OK\r\nCSeq\r\n\r\n"] {
            check(damaged, false);
        }
    }

    #[test]
    fn what_opens_something_is_taken_out() {
        let check = |message: &str, left: &str| {
            let mut chunk = Vec::new();
            write(&mut chunk, Duration::ZERO, way("192.0.2.1:1", "192.0.2.2:2"), message.as_bytes());
            scrub(&mut chunk);
            let packet = read(&chunk).next().unwrap();
            assert_eq!(String::from_utf8_lossy(packet.message), left);
        };
        let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:";
        check(
            &format!("200\r\n\r\n{crypto}c2VjcmV0+/=|2^20\r\na=x\r\n"),
            &format!("200\r\n\r\n{crypto}xxxxxxxxxxx|2^20\r\na=x\r\n"),
        );
        check(
            "A: Digest nonce=\"1\", response=\"0af9\", uri=\"u\"",
            "A: Digest nonce=\"1\", response=\"xxxx\", uri=\"u\"",
        );
        check(
            "INFO sip:1 SIP/2.0\r\nCSeq: 4 INFO\r\n\r\nSignal=5\r\n",
            "INFO sip:1 SIP/2.0\r\nCSeq: 4 INFO\r\n\r\nSignal=x\r\n",
        );
        check(
            "INVITE sip:1**234@h SIP/2.0\r\nTo: \"1**234\" <sip:1%2A%2a234@h>\r\n\r\n",
            "INVITE sip:1**xxx@h SIP/2.0\r\nTo: \"1**xxx\" <sip:1%2A%2axxx@h>\r\n\r\n",
        );
        check("BYE sip:1 SIP/2.0\r\n\r\n12", "BYE sip:1 SIP/2.0\r\n\r\n12");
    }
}
