#![expect(clippy::disallowed_methods, reason = "a test needs some point in time to count from")]

use proptest::prelude::*;

use super::{in_dialog::SESSION, *};

const CALLER: &str = "10.0.0.9:5070";

fn source(transport: Transport) -> Source {
    Source { transport, peer: CALLER.parse().unwrap(), local: "10.0.0.1:5060".parse().unwrap() }
}

fn endpoint() -> Endpoint {
    Endpoint::new(EndpointConfig {
        announced: vec!["10.0.0.1".parse().unwrap()],
        seed: 1,
        realm: "house".to_owned(),
        accounts: Vec::new(),
        sha256: true,
        limits: Limits::default(),
    })
}

fn request(method: &str, cseq: u32, to_tag: &str, branch: &str) -> Message {
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let body = if method == "ACK" { "" } else { "offer" };
    let text = format!(
        "{method} sip:123456789@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{branch};rport\r\n\
         From: <sip:13812345678@x>;tag=c\r\nTo: <sip:123456789@10.0.0.1>{to_tag}\r\nCall-ID: one\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:13812345678@10.0.0.9:5070>\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse(text.as_bytes()).unwrap()
}

fn sent(endpoint: &mut Endpoint) -> Vec<Message> {
    std::iter::from_fn(|| endpoint.poll_transmit()).map(|transmit| Message::parse(&transmit.bytes).unwrap()).collect()
}

fn lines(endpoint: &mut Endpoint) -> Vec<String> {
    let line = |message: Message| match message.start {
        StartLine::Request { method, .. } => method,
        StartLine::Response { code } => code.to_string(),
    };
    sent(endpoint).into_iter().map(line).collect()
}

fn events(endpoint: &mut Endpoint) -> Vec<Event> {
    std::iter::from_fn(|| endpoint.poll_event()).collect()
}

/// A call that rings; its key.
fn ringing(endpoint: &mut Endpoint, now: Instant) -> CallKey {
    endpoint.handle(source(Transport::Udp), request("INVITE", 1, "", "a"), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    assert_eq!((incoming.dialled.as_str(), incoming.caller.as_str()), ("123456789", "13812345678"));
    assert_eq!(incoming.offer, b"offer");
    assert_eq!(lines(endpoint), Vec::<String>::new());
    incoming.call
}

/// A call that stands; its key and our tag.
fn standing(endpoint: &mut Endpoint, now: Instant) -> (CallKey, String) {
    let call = ringing(endpoint, now);
    endpoint.answer(call, "answer", now);
    let tag = sent(endpoint)[0].tag("to").unwrap().to_owned();
    endpoint.handle(source(Transport::Udp), request("ACK", 1, &tag, "b"), now);
    assert_eq!(events(endpoint), [Event::Confirmed(call, vec![])]);
    (call, tag)
}

// product: P11
#[test]
fn a_call_is_answered_and_hung_up_by_the_caller() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    endpoint.handle(source(Transport::Udp), request("BYE", 2, &tag, "c"), now);
    assert_eq!(events(&mut endpoint), [Event::Ended(call)]);
    assert_eq!(lines(&mut endpoint), ["200"]);
    endpoint.handle(source(Transport::Udp), request("BYE", 2, &tag, "c"), now);
    assert_eq!(lines(&mut endpoint), ["200"], "the same answer to the same request");
    assert_eq!(events(&mut endpoint), []);
    endpoint.handle(source(Transport::Udp), request("BYE", 3, &tag, "d"), now);
    assert_eq!(lines(&mut endpoint), ["481"]);
    assert_eq!(endpoint.poll_timeout(), None);
}

// RFC 3261 §17.2.1
#[test]
fn who_is_not_answered_at_once_is_told_that_his_call_is_worked_on() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    ringing(&mut endpoint, start);
    assert_eq!(endpoint.poll_timeout(), Some(start + TRYING_AFTER));
    endpoint.handle_timeout(start + TRYING_AFTER - Duration::from_millis(1));
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
    endpoint.handle_timeout(start + TRYING_AFTER);
    assert_eq!((lines(&mut endpoint), endpoint.poll_timeout()), (vec!["100".to_owned()], None));
}

// RFC 3261 §21.5.4; reliability: A2
#[test]
fn while_calls_wait_too_long_for_their_answer_new_ones_are_refused() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let invite = |n: u32| {
        let text = format!(
            "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{n};rport\r\nFrom: <sip:a@x>;tag=c\r\n\
             To: <sip:1@h>\r\nCall-ID: {n}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@10.0.0.9>\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    let comes = |endpoint: &mut Endpoint, n: u32, now: Instant| {
        endpoint.handle(source(Transport::Tcp), invite(n), now);
        match events(endpoint).pop() {
            Some(Event::Incoming(incoming)) => Some(incoming.call),
            _ => None,
        }
    };
    // As many as may come at once, as long as they are answered soon.
    let mut calls: Vec<_> = (0..1_000).map(|n| comes(&mut endpoint, n, start).unwrap()).collect();
    for call in calls.drain(LATE_MAX..) {
        endpoint.answer(call, "answer", start);
    }
    lines(&mut endpoint);
    let later = start + TRYING_AFTER;
    endpoint.handle_timeout(later);
    assert_eq!(lines(&mut endpoint).iter().filter(|line| *line == "100").count(), LATE_MAX);
    assert_eq!((comes(&mut endpoint, 2_000, later), lines(&mut endpoint)), (None, vec!["503".to_owned()]));
    // A call that stands is served on, and one that is answered makes room, as does one that is given up.
    endpoint.handle(source(Transport::Tcp), with_lines("OPTIONS", 1, "", "", ""), later);
    assert_eq!(lines(&mut endpoint), ["200"]);
    endpoint.answer(calls[0], "answer", later);
    let taken = comes(&mut endpoint, 2_001, later).unwrap();
    endpoint.handle_timeout(later + TRYING_AFTER);
    assert_eq!(comes(&mut endpoint, 2_002, later + TRYING_AFTER), None);
    endpoint.reject(taken, 404, "Not Found", later);
    assert!(comes(&mut endpoint, 2_003, later + TRYING_AFTER).is_some());
}

// RFC 3261 §13.3.1.4
#[test]
fn an_answer_is_repeated_until_acknowledged_and_then_given_up() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, start);
    endpoint.ring(call, start);
    endpoint.answer(call, "answer", start);
    assert_eq!(lines(&mut endpoint), ["180", "200"]);
    let mut repeats = Vec::new();
    let mut now = start;
    while let Some(at) = endpoint.poll_timeout() {
        now = at;
        endpoint.handle_timeout(now);
        let said = lines(&mut endpoint);
        if said == ["BYE"] {
            break;
        }
        repeats.push((now - start).as_millis());
    }
    assert_eq!(repeats, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!((now - start).as_secs(), 32);
    assert_eq!(events(&mut endpoint), [Event::Ended(call)]);
}

// RFC 3261 §9.2
#[test]
fn a_call_given_up_is_told_so() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, now);
    endpoint.handle(source(Transport::Udp), request("CANCEL", 1, "", "a"), now);
    assert_eq!(lines(&mut endpoint), ["200", "487"]);
    assert_eq!(events(&mut endpoint), [Event::Canceled(call)]);
    endpoint.handle(source(Transport::Udp), request("ACK", 1, "", "a"), now);
    assert_eq!(endpoint.poll_timeout(), None);
    endpoint.answer(call, "too late", now);
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
}

// product: P2, RFC 3261 §17.1.2 and §17.2.2
#[test]
fn keys_by_info_come_exactly_once_where_one_in_five_datagrams_is_lost_and_some_come_twice() {
    let mut now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    // A generator with a seed, so that a failure comes again.
    let mut state = 7_u32;
    let mut dice = |sides: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % sides
    };
    let (mut pressed, mut heard) = (String::new(), String::new());
    for cseq in 2..10_002 {
        let key = char::from(b"0123456789*#"[dice(12) as usize]);
        pressed.push(key);
        let body = format!("Signal={key}\r\nDuration=160\r\n");
        let with = |branch: &str| {
            let text = format!(
                "INFO sip:123456789@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{branch};rport\r\n\
                 From: <sip:13812345678@x>;tag=c\r\nTo: <sip:123456789@10.0.0.1>;tag={tag}\r\nCall-ID: one\r\n\
                 CSeq: {cseq} INFO\r\nContent-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            Message::parse(text.as_bytes()).unwrap()
        };
        let mut wait = T1;
        // Timers E and F of the telephone: it sends again until an answer comes, 11 times at most.
        for _ in 0..11 {
            let copies = if dice(5) == 0 { 0 } else { 1 + u32::from(dice(20) == 0) };
            for _ in 0..copies {
                endpoint.handle(source(Transport::Udp), with(&format!("info{cseq}")), now);
            }
            let is_request = |said: &Message| matches!(said.start, StartLine::Request { .. });
            let (requests, answers): (Vec<_>, Vec<_>) = sent(&mut endpoint).into_iter().partition(is_request);
            // The session is refreshed meanwhile.
            for refresh in requests.iter().filter(|request| request.method() == "INVITE") {
                endpoint.handle(source(Transport::Udp), outgoing::answer(refresh, 200, "", ""), now);
            }
            for event in events(&mut endpoint) {
                let Event::Digit(of, key) = event else { panic!("{event:?}") };
                assert_eq!(of, call);
                heard.push(key);
            }
            now += wait;
            endpoint.handle_timeout(now);
            if answers.iter().any(|_| dice(5) != 0) {
                break;
            }
            wait = (wait * 2).min(T2);
        }
    }
    assert_eq!(pressed, heard);
}

#[test]
fn hanging_up_reaches_the_caller() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    endpoint.hang_up(call, now);
    let bye = endpoint.poll_transmit().unwrap();
    assert_eq!(bye.to.peer, CALLER.parse().unwrap());
    let bye = Message::parse(&bye.bytes).unwrap();
    assert_eq!((bye.method(), bye.tag("from"), bye.tag("to")), ("BYE", Some(tag.as_str()), Some("c")));
    endpoint.handle_timeout(now + T1);
    assert_eq!(lines(&mut endpoint), ["BYE"]);
    let ok =
        format!("SIP/2.0 200 OK\r\nVia: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n", bye.header("via").unwrap());
    endpoint.handle(source(Transport::Udp), Message::parse(ok.as_bytes()).unwrap(), now);
    assert_eq!(endpoint.poll_timeout(), None);
}

#[test]
fn a_new_offer_is_answered_or_refused() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    endpoint.handle(source(Transport::Udp), request("INVITE", 2, &tag, "r"), now);
    assert_eq!(events(&mut endpoint), [Event::Reoffered(call, b"offer".to_vec())]);
    endpoint.handle(source(Transport::Udp), request("INVITE", 3, &tag, "s"), now);
    let refused = sent(&mut endpoint).remove(0);
    assert_eq!(refused.start, StartLine::Response { code: 500 }, "RFC 3261 §14.2");
    assert!(refused.header("retry-after").is_some_and(|seconds| (1..=10).contains(&seconds.parse().unwrap())));
    endpoint.answer_reoffer(call, Some("held"), now);
    let ok = sent(&mut endpoint).remove(0);
    assert_eq!(ok.body, b"held");
    endpoint.handle(source(Transport::Udp), request("ACK", 2, &tag, "t"), now);
    assert_eq!(endpoint.poll_timeout(), Some(now + SESSION / 2), "all but the session is done with");
    endpoint.handle(source(Transport::Udp), request("INVITE", 4, &tag, "u"), now);
    endpoint.answer_reoffer(call, None, now);
    assert_eq!(lines(&mut endpoint), ["488"]);
}

#[test]
fn what_we_do_not_do_is_said() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    for (index, (method, code)) in
        [("OPTIONS", "200"), ("REGISTER", "403"), ("DANCE", "501"), ("BYE", "481"), ("CANCEL", "481")]
            .iter()
            .enumerate()
    {
        endpoint.handle(source(Transport::Tcp), request(method, 9, "", &format!("x{index}")), now);
        assert_eq!(lines(&mut endpoint), [*code], "{method}");
    }
    let text = "INVITE urn:123 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKt\r\nFrom: <sip:a@b>;tag=1\r\nTo: <urn:123>\r\n\
        Call-ID: t\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\n\r\n";
    endpoint.handle(source(Transport::Udp), Message::parse(text.as_bytes()).unwrap(), now);
    assert_eq!(lines(&mut endpoint), ["416"]);
}

// RFC 3261 §12.1.1, §26.2.2
#[test]
fn who_is_to_be_reached_by_encrypted_ways_alone_is_answered_there_likewise() {
    let now = Instant::now();
    let ask = |transport: Transport, uri: &str, lines: &str| {
        let mut endpoint = endpoint();
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bKs\r\nFrom: <sip:a@b>;tag=1\r\nTo: <{uri}>\r\n\
             Call-ID: s\r\nCSeq: 1 INVITE\r\n{lines}\r\noffer"
        );
        endpoint.handle(source(transport), Message::parse(text.as_bytes()).unwrap(), now);
        let Some(Event::Incoming(incoming)) = endpoint.poll_event() else {
            return sent(&mut endpoint).remove(0).start;
        };
        assert_eq!(incoming.dialled, "123456789");
        endpoint.answer(incoming.call, "answer", now);
        let ok = sent(&mut endpoint).remove(0);
        StartLine::Request { method: "200".to_owned(), uri: ok.uri("contact").unwrap().to_owned() }
    };
    let contact = |uri: &str| StartLine::Request { method: "200".to_owned(), uri: uri.to_owned() };
    let (sip, sips) = ("sip:123456789@h", "sips:123456789@h");
    let (own, secure) = ("Contact: <sip:a@b>\r\n", "Contact: <sips:a@b>\r\n");
    assert_eq!(ask(Transport::Tls, sips, own), contact("sips:huitong@10.0.0.1:5060"));
    assert_eq!(ask(Transport::Tls, sip, secure), contact("sips:huitong@10.0.0.1:5060"));
    assert_eq!(
        ask(Transport::Tls, sip, &format!("{secure}Record-Route: <sip:p;lr>\r\n")),
        contact("sip:huitong@10.0.0.1:5060;transport=tls")
    );
    assert_eq!(
        ask(Transport::Tls, sip, &format!("{own}Record-Route: <sips:p;lr>\r\n")),
        contact("sips:huitong@10.0.0.1:5060")
    );
    assert_eq!(ask(Transport::Tls, sip, own), contact("sip:huitong@10.0.0.1:5060;transport=tls"));
    assert_eq!(ask(Transport::Ws, "SIPS:123456789@h", own), contact("sips:huitong@10.0.0.1:5060;transport=ws"));
    for transport in [Transport::Udp, Transport::Tcp] {
        assert_eq!(ask(transport, sips, own), StartLine::Response { code: 416 });
    }
}

proptest! {
    #[test]
    fn anything_may_come(edits in prop::collection::vec((0..400usize, any::<u8>(), 0..4usize), 0..20)) {
        let now = Instant::now();
        let mut endpoint = endpoint();
        for (at, byte, kind) in edits {
            let mut bytes = b"INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKq;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
                To: <sip:c@d>\r\nCall-ID: t\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\n\r\n".to_vec();
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
            if let Ok(message) = Message::parse(&bytes) {
                endpoint.handle(source(Transport::Udp), message, now + Duration::from_secs(kind as u64));
            }
            while let Some(event) = endpoint.poll_event() {
                if let Event::Incoming(incoming) = event {
                    match kind {
                        0 => endpoint.answer(incoming.call, "x", now),
                        1 => endpoint.reject(incoming.call, 404, "Not Found", now),
                        2 => endpoint.hang_up(incoming.call, now),
                        _ => endpoint.ring(incoming.call, now),
                    }
                }
            }
            while endpoint.poll_transmit().is_some() {}
            endpoint.handle_timeout(now);
        }
    }
}

/// A request with lines of its own, in the call of [`request`] where it has its tag.
fn with_lines(method: &str, cseq: u32, to_tag: &str, lines: &str, body: &str) -> Message {
    let plain = request(method, cseq, to_tag, &format!("{method}{cseq}"));
    assert_eq!(plain.fault, None);
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let text = format!(
        "{method} sip:123456789@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{method}{cseq};rport\r\n\
         From: <sip:13812345678@x>;tag=c\r\nTo: <sip:123456789@10.0.0.1>{to_tag}\r\nCall-ID: one\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:13812345678@10.0.0.9:5070>\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse(text.as_bytes()).unwrap()
}

// product: P2. RFC 6086 and the older RFC 2976.
#[test]
fn keys_by_info_are_told_once_each() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    let cases = [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
        ("application/dtmf-relay; x=y", "Signal= *\r\n", Some('*')),
        ("application/dtmf-relay", "signal: 11\r\n", Some('#')),
        ("application/dtmf", "7", Some('7')),
        ("Application/DTMF", "a", Some('A')),
        ("application/dtmf-relay", "Signal=55\r\n", None),
        ("application/dtmf-relay", "Duration=100\r\n", None),
        ("text/plain", "5", None),
    ];
    for (index, (kind, body, key)) in cases.into_iter().enumerate() {
        let cseq = 2 + u32::try_from(index).unwrap();
        let info = with_lines("INFO", cseq, &tag, &format!("Content-Type: {kind}\r\n"), body);
        endpoint.handle(source(Transport::Udp), info.clone(), now);
        endpoint.handle(source(Transport::Udp), info, now);
        let code = if key.is_some() { "200" } else { "415" };
        assert_eq!(lines(&mut endpoint), [code, code], "{kind} {body}");
        let told: Vec<Event> = key.map(|key| Event::Digit(call, key)).into_iter().collect();
        assert_eq!(events(&mut endpoint), told, "{kind} {body}");
    }
    endpoint.handle(source(Transport::Udp), with_lines("INFO", 2, "other", "", ""), now);
    assert_eq!(lines(&mut endpoint), ["200"], "a retransmission, by its branch");
    // product: R3, RFC 5168 §3
    let wish =
        "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>";
    let xml = "Content-Type: application/media_control+xml\r\n";
    endpoint.handle(source(Transport::Udp), with_lines("INFO", 90, &tag, xml, wish), now);
    assert_eq!(
        (lines(&mut endpoint), events(&mut endpoint)),
        (vec!["200".to_owned()], vec![Event::KeyframeWanted(call)])
    );
    endpoint.handle(source(Transport::Udp), with_lines("INFO", 91, &tag, xml, "<media_control/>"), now);
    assert_eq!(lines(&mut endpoint), ["415"]);
    endpoint.handle(source(Transport::Udp), with_lines("INFO", 99, "other", "", ""), now);
    assert_eq!(lines(&mut endpoint), ["481"]);
}

// RFC 3311 §5.2, RFC 2976 §2.2: before the answer too.
#[test]
fn early_requests_are_answered() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, now);
    endpoint.ring(call, now);
    let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
    for (cseq, method, body, code) in
        [(2, "UPDATE", "", "200"), (3, "UPDATE", "offer", "500"), (4, "INFO", "", "200"), (5, "PRACK", "", "481")]
    {
        endpoint.handle(source(Transport::Udp), with_lines(method, cseq, &tag, "", body), now);
        assert_eq!(lines(&mut endpoint), [code], "{method} {body}");
    }
    endpoint.answer(call, "answer", now);
    assert_eq!(lines(&mut endpoint), ["200"]);
    endpoint.handle(source(Transport::Udp), request("ACK", 1, &tag, "b"), now);
    assert_eq!(events(&mut endpoint), [Event::Confirmed(call, vec![])]);
}

// RFC 3311 §5.2
#[test]
fn an_update_offers_anew() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    endpoint.handle(source(Transport::Udp), with_lines("UPDATE", 2, &tag, "", "held"), now);
    assert_eq!(events(&mut endpoint), [Event::Reoffered(call, b"held".to_vec())]);
    endpoint.handle(source(Transport::Udp), request("INVITE", 3, &tag, "r"), now);
    endpoint.handle(source(Transport::Udp), with_lines("UPDATE", 4, &tag, "", "again"), now);
    assert_eq!(lines(&mut endpoint), ["500", "500"]);
    endpoint.answer_reoffer(call, Some("answer"), now);
    assert_eq!(sent(&mut endpoint)[0].body, b"answer");
    assert_eq!(endpoint.poll_timeout(), Some(now + SESSION / 2), "no ACK is awaited");
}

// RFC 3262 §3
#[test]
fn ringing_is_reliable_where_that_is_required() {
    let start = Instant::now();
    let ring = || {
        let mut endpoint = endpoint();
        endpoint.handle(source(Transport::Tcp), with_lines("INVITE", 1, "", "Require: 100rel\r\n", "offer"), start);
        let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
        endpoint.ring(incoming.call, start);
        let ringing = sent(&mut endpoint).remove(0);
        assert_eq!((ringing.header("require"), ringing.header("rseq")), (Some("100rel"), Some("1")));
        (endpoint, incoming.call, ringing.tag("to").unwrap().to_owned())
    };
    let (mut endpoint, call, tag) = ring();
    endpoint.handle_timeout(start + T1);
    assert_eq!(lines(&mut endpoint), ["180"], "said again");
    endpoint.handle(source(Transport::Tcp), with_lines("PRACK", 2, &tag, "RAck: 2 1 INVITE\r\n", ""), start);
    endpoint.handle(source(Transport::Tcp), with_lines("PRACK", 3, &tag, "RAck: 1  1 INVITE\r\n", ""), start);
    assert_eq!(lines(&mut endpoint), ["481", "200"]);
    assert_eq!(endpoint.poll_timeout(), None);
    endpoint.answer(call, "answer", start);
    endpoint.handle(source(Transport::Tcp), request("ACK", 1, &tag, "b"), start);
    assert_eq!(events(&mut endpoint), [Event::Confirmed(call, vec![])]);

    let (mut endpoint, call, _) = ring();
    let mut now = start;
    while lines(&mut endpoint) != ["504"] {
        now = endpoint.poll_timeout().expect("the refusal comes first");
        endpoint.handle_timeout(now);
    }
    assert_eq!(((now - start).as_secs(), events(&mut endpoint)), (32, vec![Event::Canceled(call)]));

    // The answer overtakes his PRACK.
    let (mut endpoint, call, tag) = ring();
    endpoint.answer(call, "answer", start);
    endpoint.handle(source(Transport::Tcp), with_lines("PRACK", 2, &tag, "RAck: 1 1 INVITE\r\n", ""), start);
    assert_eq!(lines(&mut endpoint), ["200", "200"]);
    endpoint.handle_timeout(start + T1);
    assert_eq!(lines(&mut endpoint), ["200"], "which is said again until its ACK");
}

// RFC 3262 §5: the first of them would have to bring our offer.
#[test]
fn who_waits_for_our_offer_has_it_by_the_answer_and_no_ringing_before() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    endpoint.handle(source(Transport::Tcp), with_lines("INVITE", 1, "", "Require: 100rel\r\n", ""), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    assert!(!incoming.wants_ringing);
    endpoint.ring(incoming.call, now);
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
    endpoint.answer(incoming.call, "ours", now);
    assert_eq!(sent(&mut endpoint)[0].body, b"ours");
}

// RFC 3261 §9.2
#[test]
fn a_new_offer_is_given_up() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    endpoint.handle(source(Transport::Udp), request("INVITE", 2, &tag, "r"), now);
    endpoint.handle(source(Transport::Udp), request("CANCEL", 2, &tag, "r"), now);
    assert_eq!(lines(&mut endpoint), ["200", "487"]);
    endpoint.answer_reoffer(call, Some("late"), now);
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
    endpoint.hang_up(call, now);
    assert_eq!(lines(&mut endpoint), ["BYE"], "the call stood");
}

/// A call with a session timer; its 200.
fn timed(endpoint: &mut Endpoint, fields: &str, now: Instant) -> (CallKey, Message) {
    endpoint.handle(source(Transport::Udp), with_lines("INVITE", 1, "", fields, "offer"), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    endpoint.answer(incoming.call, "answer", now);
    let ok = sent(endpoint).remove(0);
    endpoint.handle(source(Transport::Udp), request("ACK", 1, ok.tag("to").unwrap(), "b"), now);
    assert_eq!(events(endpoint), [Event::Confirmed(incoming.call, vec![])]);
    (incoming.call, ok)
}

// RFC 4028 §5, §9
#[test]
fn a_session_too_short_is_refused() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    endpoint.handle(source(Transport::Udp), with_lines("INVITE", 1, "", "x: 30\r\nk: timer\r\n", "offer"), now);
    let refused = sent(&mut endpoint).remove(0);
    assert_eq!((refused.start.clone(), refused.header("min-se")), (StartLine::Response { code: 422 }, Some("90")));
    assert_eq!((events(&mut endpoint), endpoint.poll_timeout()), (Vec::new(), None));
}

// RFC 4028 §10: the caller refreshes, and is gone when he does not.
// trap: the fifteen-minute drop
#[test]
fn a_session_the_caller_does_not_refresh_ends() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let fields = "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n";
    let (call, ok) = timed(&mut endpoint, fields, start);
    assert_eq!((ok.header("session-expires"), ok.header("require")), (Some("90;refresher=uac"), Some("timer")));
    let refreshed = start + Duration::from_secs(45);
    let update = with_lines("UPDATE", 2, ok.tag("to").unwrap(), fields, "");
    endpoint.handle(source(Transport::Udp), update, refreshed);
    assert_eq!(sent(&mut endpoint)[0].header("session-expires"), Some("90;refresher=uac"));
    assert_eq!(endpoint.poll_timeout(), Some(refreshed + Duration::from_secs(60)));
    endpoint.handle_timeout(refreshed + Duration::from_secs(60));
    assert_eq!((events(&mut endpoint), lines(&mut endpoint)), (vec![Event::Ended(call)], vec!["BYE".to_owned()]));
}

// RFC 4028 §10: we refresh, by UPDATE where the caller knows it, else by INVITE.
// trap: the fifteen-minute drop
#[test]
fn sessions_of_ours_are_refreshed_at_half_time() {
    let start = Instant::now();
    let half = start + Duration::from_secs(45);
    for (allow, method) in [("Allow: INVITE, UPDATE\r\n", "UPDATE"), ("", "INVITE")] {
        let mut endpoint = endpoint();
        let (call, _) = timed(&mut endpoint, &format!("Session-Expires: 90;refresher=uas\r\n{allow}"), start);
        assert_eq!(endpoint.poll_timeout(), Some(half));
        endpoint.handle_timeout(half);
        let refresh = sent(&mut endpoint).remove(0);
        assert_eq!((refresh.method(), refresh.header("session-expires")), (method, Some("90;refresher=uac")));
        assert_eq!(refresh.body.as_slice(), if method == "INVITE" { b"answer".as_slice() } else { b"" });
        let answer = |code: u16| {
            let via = refresh.header("via").unwrap();
            let text = format!("SIP/2.0 {code} X\r\nVia: {via}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n");
            Message::parse(text.as_bytes()).unwrap()
        };
        endpoint.handle(source(Transport::Udp), answer(200), half);
        assert_eq!(lines(&mut endpoint), if method == "INVITE" { vec!["ACK"] } else { vec![] });
        let next = half + Duration::from_secs(45);
        assert_eq!(endpoint.poll_timeout(), Some(next));
        // Nobody answers any more.
        let mut now = next;
        while events(&mut endpoint) != [Event::Ended(call)] {
            now = endpoint.poll_timeout().expect("the end comes first");
            endpoint.handle_timeout(now);
        }
        assert_eq!(now, next + Duration::from_secs(15), "a third of the session before its end");
    }
}

/// One of RFC 4475's kinds of message, in words of our own, and the answer it deserves; 0 where it deserves none.
const TORTURES: [(&str, &str, u16); 22] = [
    (
        "§3.1.1.1",
        "UPDATE sip:a@b SIP/2.0\r\nTo :\r\n <sip:a@b> ; tag = x\r\nCSeq: 009\r\n UPDATE\r\n{from}{id}Via : SIP / 2.0\r\n /UDP\r\n h:5070;rport ;branch=z9hG4bK1\r\n\r\n",
        481,
    ),
    (
        "§3.1.1.2",
        "!a-Method.of_very*many+odd`but%good'characters~ sip:a@b SIP/2.0\r\n{via}{from}{to}{id}CSeq: 1 !a-Method.of_very*many+odd`but%good'characters~\r\n\r\n",
        501,
    ),
    ("§3.1.1.5", "O%50TIONS sip:a@b SIP/2.0\r\n{via}{from}{to}{id}CSeq: 1 O%50TIONS\r\n\r\n", 501),
    (
        "§3.1.1.8",
        "OPTIONS sip:a@b SIP/2.0\r\n{via}{from}{to}{id}CSeq: 1 OPTIONS\r\nl: 0\r\n\r\nINVITE sip:x SIP/2.0\r\n\r\n",
        200,
    ),
    ("§3.1.1.12", "SIP/2.0 200 \u{4f60}\u{597d}\r\n{via}{from}{to}{id}CSeq: 1 INVITE\r\n\r\n", 0),
    (
        "§3.1.2.1",
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK2;;,;,,\r\n{from}{to}{id}{contact}CSeq: 1 INVITE\r\n\r\n",
        400,
    ),
    ("§3.1.2.2", "INVITE sip:a@b SIP/2.0\r\n{via}{from}{to}{id}{contact}CSeq: 1 INVITE\r\nl: 9999\r\n\r\nshort", 400),
    ("§3.1.2.3", "INVITE sip:a@b SIP/2.0\r\n{via}{from}{to}{id}{contact}CSeq: 1 INVITE\r\nl: -9\r\n\r\n", 400),
    ("§3.1.2.4", "OPTIONS sip:a@b SIP/2.0\r\n{via}{from}{to}{id}CSeq: 36893488147419103232 OPTIONS\r\n\r\n", 400),
    (
        "§3.1.2.6",
        "INVITE sip:a@b SIP/2.0\r\n{via}{from}To: \"Open <sip:a@b>\r\n{id}{contact}CSeq: 1 INVITE\r\n\r\n",
        400,
    ),
    ("§3.1.2.7", "INVITE <sip:a@b> SIP/2.0\r\n{via}{from}{to}{id}{contact}CSeq: 1 INVITE\r\n\r\n", 400),
    ("§3.1.2.8", "INVITE sip:a@b; lr SIP/2.0\r\n{via}{from}{to}{id}{contact}CSeq: 1 INVITE\r\n\r\n", 400),
    ("§3.1.2.16", "OPTIONS sip:a@b SIP/7.0\r\n{via}{from}{to}{id}CSeq: 1 OPTIONS\r\n\r\n", 505),
    ("§3.1.2.17", "OPTIONS sip:a@b SIP/2.0\r\n{via}{from}{to}{id}CSeq: 1 INVITE\r\n\r\n", 400),
    ("§3.1.2.19", "SIP/2.0 4294967301 better\r\n{via}{from}{to}{id}CSeq: 1 INVITE\r\n\r\n", 0),
    ("§3.3.1", "INVITE sip:a@b SIP/2.0\r\n{via}CSeq: 1 INVITE\r\n\r\n", 400),
    ("§3.3.2", "OPTIONS nobody:knows SIP/2.0\r\n{via}{from}{to}{id}CSeq: 1 OPTIONS\r\n\r\n", 416),
    (
        "§3.3.5",
        "OPTIONS sip:a@b SIP/2.0\r\n{via}{from}{to}{id}Require: timer, strange\r\nProxy-Require: more\r\nCSeq: 1 OPTIONS\r\n\r\n",
        420,
    ),
    (
        "§3.3.6",
        "INVITE sip:a@b SIP/2.0\r\n{via}{from}{to}{id}{contact}c: application/unknown\r\nCSeq: 1 INVITE\r\n\r\nx",
        415,
    ),
    ("§3.3.8", "INVITE sip:a@b SIP/2.0\r\n{via}{from}{to}{id}{id}{contact}CSeq: 1 INVITE\r\n\r\n", 400),
    ("§3.3.9", "OPTIONS sip:a@b SIP/2.0\r\n{via}{from}{to}{id}CSeq: 1 OPTIONS\r\nl: 1\r\nl: 2\r\n\r\nxx", 400),
    (
        "§3.3.15",
        "INVITE sip:a@b SIP/2.0\r\n{via}{from}{to}{id}{contact}Accept: text/strange\r\nCSeq: 1 INVITE\r\n\r\n",
        406,
    ),
];

// RFC 4475
#[test]
fn torture_is_answered_as_it_deserves() {
    for (section, text, code) in TORTURES {
        let fields = [
            ("{via}", "Via: SIP/2.0/UDP h:5070;branch=z9hG4bKt;rport\r\n"),
            ("{from}", "From: <sip:me@b>;tag=1\r\n"),
            ("{to}", "To: <sip:a@b>\r\n"),
            ("{id}", "Call-ID: t\r\n"),
            ("{contact}", "Contact: <sip:me@b>\r\n"),
        ];
        let text = fields.iter().fold(text.to_owned(), |text, (name, field)| text.replace(name, field));
        let mut endpoint = endpoint();
        let parsed = Message::parse(text.as_bytes());
        if let Ok(message) = parsed {
            endpoint.handle(source(Transport::Udp), message, Instant::now());
        }
        let expected: Vec<String> = Some(code).filter(|code| *code != 0).iter().map(ToString::to_string).collect();
        assert_eq!(lines(&mut endpoint), expected, "{section}: {text}");
        assert_eq!(events(&mut endpoint), [], "{section}");
    }
    // §3.4.1: neither tag nor branch, from before RFC 3261.
    let mut endpoint = endpoint();
    let old = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:me@b>\r\nTo: <sip:a@b>\r\nCall-ID: t\r\n\
        CSeq: 1 INVITE\r\nContact: <sip:me@b>\r\n\r\n";
    endpoint.handle(source(Transport::Udp), Message::parse(old.as_bytes()).unwrap(), Instant::now());
    assert!(matches!(events(&mut endpoint)[..], [Event::Incoming(_)]));
}

// RFC 4475: nothing garbled, cut, doubled or out of order breaks the endpoint; the same messages every time.
#[test]
fn ten_thousand_malformed_messages_break_nothing() {
    let mut seed = 0x5eed_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let start = Instant::now();
    let mut endpoint = endpoint();
    let methods = ["INVITE", "ACK", "BYE", "CANCEL", "INFO", "UPDATE", "PRACK", "OPTIONS", "REGISTER"];
    for index in 0..10_000_u64 {
        let now = start + Duration::from_millis(index * 20);
        let method = methods[random(methods.len())];
        let text = format!(
            "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{}\r\nFrom: \"a\" <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:a@b>\r\nSession-Expires: 90\r\n\
             Require: 100rel\r\nRAck: 1 1 INVITE\r\nContent-Type: application/dtmf\r\nContent-Length: 1\r\n\r\n5",
            random(9),
            random(4),
            random(5)
        );
        let mut bytes = text.into_bytes();
        for _ in 0..random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.splice(at..at, b"\r\n;,\"<\0\xff".iter().copied())),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let _ = crate::frame(&bytes);
        if let Ok(message) = Message::parse(&bytes) {
            endpoint.handle(source(Transport::Udp), message, now);
        }
        while let Some(event) = endpoint.poll_event() {
            match (event, random(4)) {
                (Event::Incoming(incoming), 0) => endpoint.answer(incoming.call, "x", now),
                (Event::Incoming(incoming), 1) => endpoint.reject(incoming.call, 404, "Not Found", now),
                (Event::Incoming(incoming), _) => endpoint.ring(incoming.call, now),
                (Event::Reoffered(call, _), _) => endpoint.answer_reoffer(call, Some("y"), now),
                (Event::Confirmed(call, _), 0) => endpoint.hang_up(call, now),
                _ => {}
            }
        }
        endpoint.handle_timeout(now);
        while let Some(transmit) = endpoint.poll_transmit() {
            assert!(transmit.bytes.starts_with(b"SIP/2.0 ") || Message::parse(&transmit.bytes).is_ok());
        }
    }
    let alive = with_lines("OPTIONS", 1, "", "", "");
    endpoint.handle(source(Transport::Udp), alive, start + Duration::from_secs(300));
    assert_eq!(lines(&mut endpoint), ["200"]);
}

#[path = "dialog_tests.rs"]
mod dialog;

#[path = "outgoing_tests.rs"]
mod outgoing;

#[path = "overload_tests.rs"]
mod overload;

#[path = "rfc_tests.rs"]
mod rfc;

#[path = "registrar_tests.rs"]
mod registrar;

#[path = "transfer_tests.rs"]
mod transfer;

#[path = "ways_tests.rs"]
mod ways_rules;
