//! As much of STUN (RFC 8489) as telephones keep their way through a NAT open with: they ask on the socket of their registration
//! where they are seen to be, and register anew when that is somewhere else, or when nobody answers (RFC 5626 §4.4.2). And as much as it takes
//! to ask the same of a server outside: behind a NAT nobody else can say where others see us.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const BINDING_ERROR: [u8; 2] = [1, 0x11];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const ERROR_CODE: u16 = 9;
const UNKNOWN_ATTRIBUTES: u16 = 0x0a;
const XOR_MAPPED_ADDRESS: u16 = 0x20;

/// What must be understood has a number under this (§14); what a question may well have says nothing to us who ask for no password.
const OPTIONAL_FROM: u16 = 0x8000;

const IPV4: u8 = 1;

/// Where we are seen is asked at once, after half a second and so on (RFC 8489 §6.2.1); a start waits no longer than all of them together.
const ASKED_AGAIN: Duration = Duration::from_millis(500);
const ASKED_MAX: u32 = 4;

/// Attributes we are told of that we don't understand: one answer names no more.
const STRANGE_MAX: usize = 4;

/// Whether it is a question of STUN and nothing of SIP, which begins with a letter.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |0 0|     STUN Message Type     |         Message Length        |
/// |                         Magic Cookie                          |
/// |                     Transaction ID (96 bits)                  |
/// |         Type                  |            Length             |  attributes,
/// |                         Value (variable)                ....  |  padded to words
/// ```
pub(crate) fn is_question(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[..2] == BINDING_REQUEST && datagram[4..8] == MAGIC_COOKIE
}

/// The answer to a question from there; none where it is malformed. It is hardly longer than the question: who sends in another's name
/// has gained nothing by it.
pub(crate) fn answer(question: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    if !is_question(question) {
        return None;
    }
    let (header, mut attributes) = question.split_first_chunk::<HEADER>()?;
    if usize::from(u16::from_be_bytes([header[2], header[3]])) != attributes.len() {
        return None;
    }
    let mut strange = Vec::new();
    while !attributes.is_empty() {
        let (kind, _, rest) = split_attribute(attributes)?;
        attributes = rest;
        if kind < OPTIONAL_FROM && strange.len() < STRANGE_MAX {
            strange.push(kind);
        }
    }
    let transaction = &header[4..];
    if strange.is_empty() {
        return Some(message(BINDING_SUCCESS, transaction, &[(XOR_MAPPED_ADDRESS, xored(from, transaction))]));
    }
    // §6.3.1.1
    let names = strange.iter().flat_map(|kind| kind.to_be_bytes()).collect();
    let attributes = [(ERROR_CODE, b"\0\0\x04\x14Unknown Attribute".to_vec()), (UNKNOWN_ATTRIBUTES, names)];
    Some(message(BINDING_ERROR, transaction, &attributes))
}

/// The first of these, what it says, and those after it; none where it is cut off.
fn split_attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let ([kind @ .., len_high, len_low], rest) = attributes.split_first_chunk::<4>()?;
    let len = usize::from(u16::from_be_bytes([*len_high, *len_low]));
    Some((u16::from_be_bytes(*kind), rest.get(..len)?, rest.get(len.next_multiple_of(4)..)?))
}

/// The IPv4 address our datagrams come from, as a STUN server (`host:port`) sees it. Waits for it, two seconds at most.
///
/// # Errors
///
/// Its name is none, or it doesn't answer.
pub fn mapped_address(server: &str) -> io::Result<IpAddr> {
    let server = server.to_socket_addrs()?.find(SocketAddr::is_ipv4);
    let server = server.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "it has no IPv4 address"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // What others send is not heard.
    socket.connect(server)?;
    let transaction = [&MAGIC_COOKIE[..], &rand::random::<[u8; 12]>()].concat();
    let question = message(BINDING_REQUEST, &transaction, &[]);
    let mut buffer = [0; 1_500];
    for _ in 0..ASKED_MAX {
        socket.send(&question)?;
        let until = Instant::now() + ASKED_AGAIN;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut buffer) {
                Ok(len) => {
                    if let Some(address) = mapped(&buffer[..len], &transaction) {
                        return Ok(address.into());
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, "it doesn't answer"))
}

/// What the answer to this question says; none where it is none, or another's.
fn mapped(answer: &[u8], transaction: &[u8]) -> Option<Ipv4Addr> {
    let (header, mut attributes) = answer.split_first_chunk::<HEADER>()?;
    if header[..2] != BINDING_SUCCESS || header[4..] != *transaction {
        return None;
    }
    loop {
        let (kind, value, rest) = split_attribute(attributes)?;
        if let (XOR_MAPPED_ADDRESS, &[_, IPV4, _, _, a, b, c, d]) = (kind, value) {
            let address = u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes(MAGIC_COOKIE);
            return Some(address.into());
        }
        attributes = rest;
    }
}

/// §14.2
fn xored(address: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let (family, ip) = match address.ip().to_canonical() {
        IpAddr::V4(ip) => (IPV4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let mut value = vec![0, family];
    value.extend(address.port().to_be_bytes().iter().zip(transaction).map(|(byte, key)| byte ^ key));
    value.extend(ip.iter().zip(transaction).map(|(byte, key)| byte ^ key));
    value
}

fn message(kind: [u8; 2], transaction: &[u8], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = [&kind[..], &[0, 0], transaction].concat();
    for (kind, value) in attributes {
        bytes.extend(kind.to_be_bytes());
        bytes.extend((value.len() as u16).to_be_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    let len = (bytes.len() - HEADER) as u16;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of RFC 5769 §2, without what is in it.
    const TRANSACTION: [u8; 16] =
        [0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn question(attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        message(BINDING_REQUEST, &TRANSACTION, attributes)
    }

    // RFC 5769 §2.2, §2.3: the address and port of its examples, as they stand there.
    #[test]
    fn who_asks_is_told_where_he_is_seen() {
        let answered = answer(&question(&[(0x8022, b"phone".to_vec())]), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(answered[..4], [1, 1, 0, 12]);
        assert_eq!(answered[4..20], TRANSACTION);
        assert_eq!(answered[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let expected = [
            0, 0x20, 0, 0x14, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
            0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(answer(&question(&[]), v6).unwrap()[20..], expected);
    }

    // RFC 8489 §6.3.1.1
    #[test]
    fn what_must_be_understood_and_is_not_is_named() {
        let from = "192.0.2.1:1".parse().unwrap();
        let asked = [(3, vec![0, 0, 0, 6]), (0x0024, vec![0; 5])];
        let answered = answer(&question(&asked), from).unwrap();
        assert_eq!(answered[..2], BINDING_ERROR);
        assert!(answered.windows(4).any(|window| window == [0, 0, 4, 20]), "420");
        assert!(answered.ends_with(&[0, 0x0a, 0, 4, 0, 3, 0, 0x24]), "{answered:?}");
        // However many there are.
        let many: Vec<_> = (1..200).map(|kind| (kind, Vec::new())).collect();
        assert!(answer(&question(&many), from).unwrap().len() < 80);
    }

    #[test]
    fn anything_may_come() {
        let mut seed = 0x5eed_u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let rest: Vec<u8> = (0..random(80)).map(|_| random(256) as u8).collect();
            let mut bytes = [&BINDING_REQUEST[..], &[0, random(90) as u8], &TRANSACTION, &rest].concat();
            bytes.truncate(random(110));
            assert!(answer(&bytes, "[::1]:1".parse().unwrap()).is_none_or(|answered| answered.len() < 80));
        }
    }

    /// As [`answer`], with an attribute before it that is not known, of a length that is filled up.
    fn answered(kind: [u8; 2], transaction: &[u8]) -> Vec<u8> {
        let address = xored("203.0.113.7:9".parse().unwrap(), transaction);
        message(kind, transaction, &[(0x8022, b"abc".to_vec()), (XOR_MAPPED_ADDRESS, address)])
    }

    #[test]
    fn the_server_says_where_we_come_from_and_nobody_else_does() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let mut buffer = [0; 100];
            // The first question is lost.
            server.recv_from(&mut buffer).unwrap();
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            let question = &buffer[..len];
            assert_eq!((len, &question[..4]), (20, &[0, 1, 0, 0][..]));
            let own = answered(BINDING_SUCCESS, &question[4..]);
            let others = [
                answered(BINDING_SUCCESS, &TRANSACTION),
                answered(BINDING_ERROR, &question[4..]),
                own[..own.len() - 1].to_vec(),
                b"no".to_vec(),
            ];
            for said in others.iter().chain([&own]) {
                server.send_to(said, from).unwrap();
            }
        });
        assert_eq!(mapped_address(&at.to_string()).unwrap(), IpAddr::from([203, 0, 113, 7]));
        serving.join().unwrap();
    }

    #[test]
    fn cut_anywhere_an_answer_says_nothing() {
        let whole = answered(BINDING_SUCCESS, &TRANSACTION);
        assert_eq!(mapped(&whole, &TRANSACTION), Some(Ipv4Addr::new(203, 0, 113, 7)));
        (0..whole.len()).for_each(|len| assert_eq!(mapped(&whole[..len], &TRANSACTION), None, "{len}"));
    }

    #[test]
    fn who_does_not_answer_is_waited_for_so_long() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = mapped_address(&silent.local_addr().unwrap().to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
