//! What a call costs beside sockets and sound: `cargo bench --locked --workspace --bench invite`.
#![expect(clippy::disallowed_methods, reason = "the clock is what is benched against")]

use std::{
    hint::black_box,
    net::SocketAddr,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use sip::{Credentials, Endpoint, EndpointConfig, Event, Limits, Message, Source, Transport, sdp};

/// As a carrier's border controller sends one: 1,4 kB, 21 fields, six codecs.
const INVITE: &str = include_str!("invite.sip");

const PEER: &str = "203.0.113.5:5060";

fn endpoint() -> Endpoint {
    endpoint_with(Vec::new(), Limits::default())
}

fn endpoint_with(accounts: Vec<Credentials>, limits: Limits) -> Endpoint {
    Endpoint::new(EndpointConfig {
        announced: vec!["198.51.100.20".parse().expect("an address")],
        seed: 1,
        realm: "meet.example".to_owned(),
        accounts,
        sha256: false,
        limits,
    })
}

/// The next of a row of calls that differ in what tells calls apart.
fn invite(n: u64) -> String {
    INVITE.replace("76ab1c00", &format!("{n:08x}"))
}

fn parse(c: &mut Criterion) {
    let text = INVITE.replace('\n', "\r\n");
    c.bench_function("invite/parse", |b| b.iter(|| Message::parse(black_box(text.as_bytes()))));
    // As other stacks are measured: parsed, its fields read, and written again as an answer.
    let mut endpoint = endpoint();
    let source = source();
    let options = text.replace("INVITE", "OPTIONS");
    let mut n = 0u64;
    c.bench_function("invite/parse, read and answer", |b| {
        b.iter(|| {
            n += 1;
            let now = Instant::now();
            let mut bytes = options.clone().into_bytes();
            renumber(&mut bytes, n);
            endpoint.handle(source, Message::parse(&bytes).expect("a message"), now);
            endpoint.poll_transmit()
        });
    });
    let offer = text.split("\r\n\r\n").nth(1).expect("a body");
    c.bench_function("invite/offer and answer", |b| {
        let local: SocketAddr = "198.51.100.20:20000".parse().expect("an address");
        b.iter(|| sdp::agree(black_box(offer.as_bytes())).map(|agreed| agreed.answer(local, 7, 1)));
    });
}

fn source() -> Source {
    let local = "198.51.100.20:5060".parse().expect("an address");
    Source { transport: Transport::Udp, peer: PEER.parse().expect("an address"), local }
}

/// Another branch, tag and Call-ID, in their places.
fn renumber(bytes: &mut [u8], n: u64) {
    let digits = format!("{n:08x}");
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(8).position(|window| window == b"76ab1c00") {
        bytes[at + found..at + found + 8].copy_from_slice(digits.as_bytes());
        at += found + 8;
    }
}

/// INVITE, 200, ACK, BYE, 200.
fn call(c: &mut Criterion) {
    let mut endpoint = endpoint();
    let source = source();
    let (mut n, mut now) = (0, Instant::now());
    c.bench_function("invite/whole call", |b| {
        b.iter(|| {
            n += 1;
            now += Duration::from_millis(1);
            let text = invite(n).replace('\n', "\r\n");
            endpoint.handle(source, Message::parse(text.as_bytes()).expect("a message"), now);
            let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("a call") };
            endpoint.answer(incoming.call, "v=0\r\n", now);
            let head = text.split("\r\nMax-Forwards").next().expect("its beginning").replacen("INVITE", "ACK", 1);
            let mut answered = String::new();
            while let Some(transmit) = endpoint.poll_transmit() {
                answered = String::from_utf8(transmit.bytes).expect("text");
            }
            let to = answered.lines().find(|line| line.starts_with("To:")).expect("a To");
            for (method, cseq) in [("ACK", 4_711), ("BYE", 4_712)] {
                let message = format!(
                    "{}\r\nFrom: <sip:+8613812345678@203.0.113.5>;tag=gK{n:08x}\r\n{to}\r\nCall-ID: {n:08x}-3d2f@203.0.113.5\r\n\
                     CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                    head.replacen("ACK", method, 1).replace("z9hG4bK", &format!("z9hG4bK{method}")),
                );
                endpoint.handle(source, Message::parse(message.as_bytes()).expect("a message"), now);
            }
            let events = std::iter::from_fn(|| endpoint.poll_event()).count();
            assert_eq!(events, 2, "acknowledged and ended");
            while endpoint.poll_transmit().is_some() {}
            if endpoint.poll_timeout().is_some_and(|at| at <= now) {
                endpoint.handle_timeout(now);
            }
        });
    });
}

/// What who guesses passwords costs once he has guessed a hundred, and once he is over his rate, where that is not seen unread.
fn guess(c: &mut Criterion) {
    let limited = Limits { requests_per_second: 20, ..Limits::default() };
    for (what, limits) in [("register/shut out", Limits::default()), ("register/over the rate", limited)] {
        let account = |n: u32| Credentials { user: (8_000 + n).to_string(), password: "long-enough".to_owned() };
        let mut endpoint = endpoint_with((0..1_000).map(account).collect(), limits);
        let (source, start, mut n) = (source(), Instant::now(), 0_u64);
        let mut guess = |endpoint: &mut Endpoint| {
            n += 1;
            let text = format!(
                "REGISTER sip:198.51.100.20 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{n:08x};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:{0}@198.51.100.20>;tag={n}\r\nTo: <sip:{0}@198.51.100.20>\r\nCall-ID: {n:08x}@{PEER}\r\nCSeq: 1 REGISTER\r\n\
                 Contact: <sip:{0}@{PEER}>\r\nAuthorization: Digest username=\"{0}\", realm=\"meet.example\", nonce=\"{n:016x}\", \
                 uri=\"sip:198.51.100.20\", response=\"{n:032x}\", algorithm=MD5\r\nContent-Length: 0\r\n\r\n",
                8_000 + n % 1_000,
            );
            endpoint.handle(source, Message::parse(text.as_bytes()).expect("a message"), start);
            endpoint.poll_transmit()
        };
        (0..200).for_each(|_| drop(guess(&mut endpoint)));
        c.bench_function(what, |b| b.iter(|| guess(&mut endpoint)));
    }
}

criterion_group!(benches, parse, call, guess);
criterion_main!(benches);
