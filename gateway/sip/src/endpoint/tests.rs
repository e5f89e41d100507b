#![expect(clippy::disallowed_methods, reason = "a test needs some point in time to count from")]

use proptest::prelude::*;

use super::*;

const CALLER: &str = "10.0.0.9:5070";

fn source(transport: Transport) -> Source {
    Source { transport, peer: CALLER.parse().unwrap(), local: "10.0.0.1:5060".parse().unwrap() }
}

fn endpoint() -> Endpoint {
    Endpoint::new(EndpointConfig { announced: "10.0.0.1".parse().unwrap(), seed: 1 })
}

fn request(method: &str, cseq: u32, to_tag: &str, branch: &str) -> Message {
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let text = format!(
        "{method} sip:123456789@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{branch};rport\r\n\
         From: <sip:13812345678@x>;tag=c\r\nTo: <sip:123456789@10.0.0.1>{to_tag}\r\nCall-ID: one\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:13812345678@10.0.0.9:5070>\r\nContent-Length: 5\r\n\r\noffer"
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
    assert_eq!(lines(endpoint), ["100"]);
    incoming.call
}

/// A call that stands; its key and our tag.
fn standing(endpoint: &mut Endpoint, now: Instant) -> (CallKey, String) {
    let call = ringing(endpoint, now);
    endpoint.answer(call, "answer", now);
    let tag = sent(endpoint)[0].tag("to").unwrap().to_owned();
    endpoint.handle(source(Transport::Udp), request("ACK", 1, &tag, "b"), now);
    assert_eq!(events(endpoint), [Event::Confirmed(call)]);
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

// RFC 3261 §13.3.1.4
#[test]
fn an_answer_is_repeated_until_acknowledged_and_then_given_up() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, start);
    endpoint.ring(call);
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
    assert_eq!(lines(&mut endpoint), ["491"]);
    endpoint.answer_reoffer(call, Some("held"), now);
    let ok = sent(&mut endpoint).remove(0);
    assert_eq!(ok.body, b"held");
    endpoint.handle(source(Transport::Udp), request("ACK", 2, &tag, "t"), now);
    assert_eq!(endpoint.poll_timeout(), None);
    endpoint.handle(source(Transport::Udp), request("INVITE", 4, &tag, "u"), now);
    endpoint.answer_reoffer(call, None, now);
    assert_eq!(lines(&mut endpoint), ["488"]);
}

#[test]
fn what_we_do_not_do_is_said() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    for (index, (method, code)) in
        [("OPTIONS", "200"), ("REGISTER", "405"), ("DANCE", "501"), ("BYE", "481"), ("CANCEL", "481")]
            .iter()
            .enumerate()
    {
        endpoint.handle(source(Transport::Tcp), request(method, 9, "", &format!("x{index}")), now);
        assert_eq!(lines(&mut endpoint), [*code], "{method}");
    }
    let text = "INVITE tel:123 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKt\r\nFrom: <sip:a@b>;tag=1\r\nTo: <tel:123>\r\n\
        Call-ID: t\r\nCSeq: 1 INVITE\r\nContact: <sip:a@b>\r\n\r\n";
    endpoint.handle(source(Transport::Udp), Message::parse(text.as_bytes()).unwrap(), now);
    assert_eq!(lines(&mut endpoint), ["416"]);
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
                        _ => endpoint.ring(incoming.call),
                    }
                }
            }
            while endpoint.poll_transmit().is_some() {}
            endpoint.handle_timeout(now);
        }
    }
}
