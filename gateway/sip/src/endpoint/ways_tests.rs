use super::{outgoing::answer, *};

/// From where this one connected, which isn't where it listens.
fn way() -> Source {
    Source { peer: "10.0.0.9:41000".parse().unwrap(), ..source(Transport::Tcp) }
}

/// A call by a connection that was made to us.
fn standing_by_it(endpoint: &mut Endpoint, fields: &str, now: Instant) -> (CallKey, String) {
    endpoint.handle(way(), with_lines("INVITE", 1, "", fields, "offer"), now);
    let Some(Event::Incoming(Incoming { call, .. })) = endpoint.poll_event() else { panic!("no call") };
    endpoint.answer(call, "answer", now);
    let tag = sent(endpoint)[0].tag("to").unwrap().to_owned();
    endpoint.handle(way(), request("ACK", 1, &tag, "b"), now);
    assert_eq!(events(endpoint), [Event::Confirmed(call, vec![])]);
    (call, tag)
}

/// Where the next message goes, and what it is.
fn next(endpoint: &mut Endpoint) -> Option<(String, String)> {
    let transmit = endpoint.poll_transmit()?;
    let message = Message::parse(&transmit.bytes).unwrap();
    Some((transmit.to.peer.to_string(), message.method().to_owned()))
}

// product: P11
#[test]
fn a_connection_is_needed_as_long_as_its_call_stands() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (_, tag) = standing_by_it(&mut endpoint, "", now);
    assert!(endpoint.needs(Transport::Tcp, way().peer, now));
    assert!(!endpoint.needs(Transport::Tls, way().peer, now));
    assert!(!endpoint.needs(Transport::Tcp, "10.0.0.9:5070".parse().unwrap(), now));
    endpoint.handle(way(), request("BYE", 2, &tag, "c"), now);
    assert!(!endpoint.needs(Transport::Tcp, way().peer, now));
}

// product: P11; RFC 3261 §18.1.1
#[test]
fn a_bye_whose_connection_is_gone_goes_by_a_new_one_to_where_its_peer_listens() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, _) = standing_by_it(&mut endpoint, "", now);
    endpoint.hang_up(call, now);
    let bye = ("10.0.0.9:41000".to_owned(), "BYE".to_owned());
    assert_eq!(next(&mut endpoint), Some(bye));
    endpoint.unreachable(Transport::Tcp, way().peer, now);
    let transmit = endpoint.poll_transmit().unwrap();
    assert_eq!(transmit.to.peer.to_string(), "10.0.0.9:5070");
    assert_eq!(transmit.reconnect, Some(transmit.to.peer), "it may be connected to");
    let bye = Message::parse(&transmit.bytes).unwrap();
    endpoint.handle(transmit.to, answer(&bye, 200, "", ""), now);
    assert_eq!((next(&mut endpoint), endpoint.poll_timeout()), (None, None));
}

// product: P11; RFC 3261 §18.2.2
#[test]
fn an_answer_whose_connection_is_gone_goes_by_a_new_one_to_where_the_caller_listens() {
    let now = Instant::now();
    for taken in [true, false] {
        let mut endpoint = endpoint();
        endpoint.handle(way(), with_lines("INVITE", 1, "", "", "offer"), now);
        let Some(Event::Incoming(Incoming { call, .. })) = endpoint.poll_event() else { panic!("no call") };
        endpoint.unreachable(Transport::Tcp, way().peer, now);
        assert_eq!(next(&mut endpoint), None, "nothing was to be said yet");
        if taken {
            endpoint.answer(call, "answer", now);
        } else {
            endpoint.reject(call, 486, "Busy Here", now);
        }
        assert_eq!(next(&mut endpoint).unwrap().0, "10.0.0.9:41000");
        endpoint.unreachable(Transport::Tcp, way().peer, now);
        let transmit = endpoint.poll_transmit().unwrap();
        assert_eq!(
            (transmit.to.peer.to_string().as_str(), transmit.reconnect),
            ("10.0.0.9:5070", Some(transmit.to.peer))
        );
        let said = Message::parse(&transmit.bytes).unwrap();
        let (code, tag) = (if taken { 200 } else { 486 }, said.tag("to").unwrap());
        assert_eq!(said.start, StartLine::Response { code });
        endpoint.unreachable(Transport::Tcp, transmit.to.peer, now);
        assert_eq!(next(&mut endpoint), None, "not for ever");
        endpoint.handle(way(), request("ACK", 1, tag, "b"), now);
        assert_eq!(events(&mut endpoint).pop(), taken.then_some(Event::Confirmed(call, vec![])));
    }
}

// product: P11; RFC 4028 §10
#[test]
fn a_refresh_that_gets_nowhere_is_tried_again_and_ends_the_call_at_last() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let (call, _) = standing_by_it(&mut endpoint, "Session-Expires: 90;refresher=uas\r\nAllow: UPDATE\r\n", start);
    let mut tried = Vec::new();
    while let Some(now) = endpoint.poll_timeout() {
        endpoint.handle_timeout(now);
        while let Some((to, method)) = next(&mut endpoint) {
            endpoint.unreachable(Transport::Tcp, to.parse().unwrap(), now);
            tried.push((method, to, now.saturating_duration_since(start).as_secs()));
        }
        assert!(tried.len() < 20, "{tried:?}");
    }
    assert_eq!(events(&mut endpoint), [Event::Ended(call)]);
    let of = |method: &str, at: u64| {
        ["10.0.0.9:41000", "10.0.0.9:5070"].map(|to| (method.to_owned(), to.to_owned(), at)).to_vec()
    };
    assert_eq!(tried, [of("UPDATE", 45), of("UPDATE", 55), of("BYE", 60)].concat());
}

// product: P7; RFC 3261 §12.2.1.1
#[test]
fn a_carrier_is_told_what_follows_where_its_contact_says_and_a_stranger_where_he_is() {
    let now = Instant::now();
    let check = |is_carrier: bool, transport: Transport, contact: &str, fields: &str, expected: &str| {
        let mut endpoint = endpoint();
        if is_carrier {
            endpoint.guard.believe(way().peer.ip());
        }
        let text = format!(
            "INVITE sip:1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKe;rport\r\nFrom: <sip:a@x>;tag=c\r\n\
             To: <sip:1@10.0.0.1>\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\nContact: <{contact}>\r\n{fields}Content-Length: 5\r\n\r\noffer"
        );
        let source = Source { transport, ..way() };
        endpoint.handle(source, Message::parse(text.as_bytes()).unwrap(), now);
        let Some(Event::Incoming(Incoming { call, .. })) = endpoint.poll_event() else { panic!("no call") };
        endpoint.answer(call, "answer", now);
        let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
        let ack =
            text.replace("INVITE", "ACK").replace("To: <sip:1@10.0.0.1>", &format!("To: <sip:1@10.0.0.1>;tag={tag}"));
        endpoint.handle(source, Message::parse(ack.as_bytes()).unwrap(), now);
        endpoint.hang_up(call, now);
        let bye = endpoint.poll_transmit().unwrap();
        assert!(bye.bytes.starts_with(format!("BYE {contact} ").as_bytes()));
        assert_eq!(bye.to.peer.to_string(), expected, "{contact} {fields}");
        bye.reconnect
    };
    use Transport::{Tcp, Tls, Udp};
    let (here, other) = ("10.0.0.9:41000", "10.7.0.1:5080");
    check(true, Udp, "sip:a@10.7.0.1:5080", "", other);
    check(false, Udp, "sip:a@10.7.0.1:5080", "", here);
    check(true, Udp, "sip:a@10.7.0.1", "", "10.7.0.1:5060");
    check(true, Udp, "sip:a@10.7.0.1:5080", "Record-Route: <sip:10.0.0.9;lr>\r\n", here);
    assert_eq!(check(true, Tcp, "sip:a@10.7.0.1:5080;transport=tcp", "", other), other.parse().ok());
    check(true, Tcp, "sip:a@10.7.0.1:5080", "", here);
    check(true, Tls, "sip:a@10.7.0.1:5080;transport=tls", "", here);
    for nowhere in
        ["sip:a@10.0.0.1:5060", "sip:a@127.0.0.1:5080", "sip:a@0.0.0.0", "sip:a@224.0.0.1", "sip:a@gw.example.com"]
    {
        check(true, Udp, nowhere, "", here);
    }
    let can_mean = |from: &str, named: &str| ways::can_mean(from.parse().unwrap(), named.parse().unwrap());
    assert!(can_mean("192.0.2.1", "198.51.100.7") && can_mean("10.0.0.9", "198.51.100.7"));
    for behind_a_nat in ["10.0.0.9", "172.16.0.1", "192.168.1.7", "100.64.0.1", "169.254.0.1"] {
        assert!(!can_mean("192.0.2.1", behind_a_nat), "{behind_a_nat}");
        assert!(can_mean("192.168.0.1", behind_a_nat), "{behind_a_nat}");
    }
    assert!(can_mean("2001:db8::1", "2001:db8::2") && !can_mean("2001:db8::1", "fd00::1"));
    assert!(!can_mean("2001:db8::1", "192.0.2.1"));
}

// RFC 3261 §18.1.1
#[test]
fn a_new_connection_goes_to_the_host_the_old_one_came_from() {
    let check = |transport: Transport, address: &str, expected: Option<&str>| {
        let reconnect = ways::reconnect(address, Source { transport, ..way() });
        assert_eq!(reconnect.map(|address| address.to_string()).as_deref(), expected, "{address}");
    };
    use Transport::{Tcp, Tls, Udp, Ws};
    check(Tcp, "sip:a@10.0.0.9:5099;transport=tcp", Some("10.0.0.9:5099"));
    check(Tcp, "<sip:10.0.0.9;lr>;x=y", Some("10.0.0.9:5060"));
    check(Tls, "\"A\" <sip:10.0.0.9;lr>", Some("10.0.0.9:5061"));
    check(Tcp, "<sip:proxy.example.com:5080;lr>", Some("10.0.0.9:5080"));
    check(Tls, "<sip:proxy.example.com;lr>", Some("10.0.0.9:5061"));
    // A telephone behind a NAT, and one that would have us connect to somebody else.
    check(Tcp, "sip:a@192.168.1.5:5060", Some("10.0.0.9:41000"));
    check(Tcp, "sip:a@[2001:db8::1]", Some("10.0.0.9:41000"));
    check(Tcp, "sip:a@10.0.0.9:25", Some("10.0.0.9:41000"));
    check(Tcp, "sip:a@mail.example.com:25", Some("10.0.0.9:41000"));
    check(Tcp, "", Some("10.0.0.9:41000"));
    check(Ws, "sip:a@10.0.0.9:5099", None);
    check(Udp, "sip:a@10.0.0.9:5099", None);
}
