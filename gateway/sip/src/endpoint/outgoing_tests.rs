use super::*;

/// Of an offer with which an INVITE is just small enough for UDP (RFC 3261 §18.1.1).
const LARGE_BODY: usize = 700;

pub(super) fn target(transport: Transport) -> Target {
    let uri = "sip:+8613812345678@carrier.example";
    let credentials = Some(Credentials { user: "1000".to_owned(), password: "secret".to_owned() });
    Target { credentials, ..Target::new(source(transport), uri, "sip:1000@carrier.example", "1000") }
}

/// The answer of the other side to a request of ours.
pub(super) fn answer(to: &Message, code: u16, fields: &str, body: &str) -> Message {
    let copy = |name: &str| to.header(name).unwrap_or_default();
    let text = format!(
        "SIP/2.0 {code} X\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=t{code}\r\nCall-ID: {}\r\nCSeq: {}\r\n{fields}\
         Content-Length: {}\r\n\r\n{body}",
        copy("via"),
        copy("from"),
        copy("to"),
        copy("call-id"),
        copy("cseq"),
        body.len()
    );
    Message::parse(text.as_bytes()).unwrap()
}

pub(super) fn hear(endpoint: &mut Endpoint, message: Message, now: Instant) {
    endpoint.handle(source(Transport::Udp), message, now);
}

/// A call of ours under way; its key and its INVITE.
pub(super) fn calling(endpoint: &mut Endpoint, now: Instant) -> (CallKey, Message) {
    let call = endpoint.call(target(Transport::Udp), "offer", now).unwrap();
    let [invite] = &sent(endpoint)[..] else { panic!("one INVITE") };
    (call, invite.clone())
}

// product: P8, P11; RFC 3261 §13.2
#[test]
fn a_call_of_ours_rings_is_answered_and_hung_up_by_either() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, invite) = calling(&mut endpoint, now);
    assert_eq!(invite.body, b"offer");
    hear(&mut endpoint, answer(&invite, 100, "", ""), now);
    assert_eq!(events(&mut endpoint), [Event::Trying(call)]);
    hear(&mut endpoint, answer(&invite, 180, "", ""), now);
    assert_eq!(events(&mut endpoint), [Event::Rings(call)]);
    let contact = "Contact: <sip:him@10.0.0.9:5071>\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>\r\n";
    let ok = answer(&invite, 200, contact, "answer");
    hear(&mut endpoint, ok.clone(), now);
    assert_eq!(events(&mut endpoint), [Event::Answered(call, b"answer".to_vec())]);
    let acks = sent(&mut endpoint);
    let [ack] = &acks[..] else { panic!("{acks:?}") };
    assert_eq!((ack.method(), ack.cseq(), ack.tag("to")), ("ACK", Some((1, "ACK")), Some("t200")));
    assert_eq!(ack.headers("route").collect::<Vec<_>>(), ["<sip:b;lr>", "<sip:a;lr>"], "RFC 3261 §12.1.2");
    hear(&mut endpoint, ok, now);
    assert_eq!(lines(&mut endpoint), ["ACK"], "for each repetition of the answer");

    let theirs = |method: &str, cseq: u32| {
        let text = format!(
            "{method} sip:1000@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKx{method}{cseq};rport\r\n\
             From: <sip:+8613812345678@carrier.example>;tag=t200\r\nTo: <sip:1000@carrier.example>;tag={}\r\n\
             Call-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:him@10.0.0.9:5071>\r\nContent-Length: 5\r\n\r\noffer",
            invite.tag("from").unwrap(),
            invite.header("call-id").unwrap()
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    hear(&mut endpoint, theirs("INVITE", 1), now);
    assert_eq!(events(&mut endpoint), [Event::Reoffered(call, b"offer".to_vec())]);
    endpoint.answer_reoffer(call, Some("again"), now);
    assert_eq!(lines(&mut endpoint), ["200"]);
    hear(&mut endpoint, theirs("ACK", 1), now);
    hear(&mut endpoint, theirs("BYE", 2), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["200".to_owned()], vec![Event::Ended(call)]));
    assert_eq!(endpoint.poll_timeout(), None);

    let (call, invite) = calling(&mut endpoint, now);
    hear(&mut endpoint, answer(&invite, 200, contact, "answer"), now);
    endpoint.hang_up(call, now);
    let said = sent(&mut endpoint);
    let bye = said.last().unwrap();
    assert_eq!((bye.method(), bye.tag("to"), bye.tag("from")), ("BYE", Some("t200"), invite.tag("from")));
    assert!(bye.cseq().unwrap().0 > invite.cseq().unwrap().0);
    hear(&mut endpoint, answer(bye, 200, "", ""), now);
    assert_eq!(endpoint.poll_timeout(), None);
}

// RFC 3261 §22.2, RFC 7616 §3.4
#[test]
fn a_challenge_is_answered_once_and_again_where_only_the_nonce_was_old() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, first) = calling(&mut endpoint, now);
    let challenge = |nonce: &str, stale: &str| {
        format!("Proxy-Authenticate: Digest realm=\"c\", nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256{stale}\r\n")
    };
    hear(&mut endpoint, answer(&first, 407, &challenge("1", ""), ""), now);
    let said = sent(&mut endpoint);
    let [ack, second] = &said[..] else { panic!("{said:?}") };
    assert_eq!((ack.method(), ack.branch()), ("ACK", first.branch()));
    assert_eq!((second.method(), second.header("call-id")), ("INVITE", first.header("call-id")));
    assert_ne!(second.branch(), first.branch());
    assert_eq!(second.cseq(), Some((2, "INVITE")));
    assert!(second.header("proxy-authorization").unwrap().contains("nonce=\"1\""));
    hear(&mut endpoint, answer(second, 407, &challenge("2", ", stale=true"), ""), now);
    let said = sent(&mut endpoint);
    let third = said.last().unwrap();
    assert!(third.header("proxy-authorization").unwrap().contains("nonce=\"2\""));
    hear(&mut endpoint, answer(third, 407, &challenge("3", ""), ""), now);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    assert_eq!(events(&mut endpoint), [Event::Refused(call, 407)], "the password is wrong");
}

// RFC 3261 §21.5.4, §20.33
#[test]
fn a_server_without_room_says_when_it_has_some() {
    let check = |code: u16, fields: &str, seconds: Option<u32>| {
        let now = Instant::now();
        let mut endpoint = endpoint();
        let (call, invite) = calling(&mut endpoint, now);
        hear(&mut endpoint, answer(&invite, code, fields, ""), now);
        let said = seconds.map(|seconds| Event::RetryAfter(call, seconds));
        let expected: Vec<_> = said.into_iter().chain([Event::Refused(call, code)]).collect();
        assert_eq!(events(&mut endpoint), expected, "{code} {fields}");
    };
    check(503, "Retry-After: 120\r\n", Some(120));
    check(503, "Retry-After: 18000;duration=3600\r\n", Some(18_000));
    check(503, "Retry-After: 5 (in a moment)\r\n", Some(5));
    check(503, "", None);
    check(503, "Retry-After: soon\r\n", None);
    check(486, "Retry-After: 120\r\n", None);
}

// product: P8
#[test]
fn a_refusal_is_acknowledged_as_often_as_it_comes() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, invite) = calling(&mut endpoint, now);
    for _ in 0..2 {
        hear(&mut endpoint, answer(&invite, 486, "", ""), now);
        assert_eq!(lines(&mut endpoint), ["ACK"]);
    }
    assert_eq!(events(&mut endpoint), [Event::Refused(call, 486)]);
    assert_eq!(endpoint.poll_timeout(), None);
}

// RFC 3261 §17.1.1.2
#[test]
fn an_invite_nobody_answers_is_repeated_and_given_up() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let (call, _) = calling(&mut endpoint, start);
    let mut repeats = Vec::new();
    while let Some(at) = endpoint.poll_timeout() {
        endpoint.handle_timeout(at);
        if lines(&mut endpoint) == ["INVITE"] {
            repeats.push((at - start).as_millis());
        }
    }
    assert_eq!(repeats, [500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(events(&mut endpoint), [Event::Refused(call, 408)]);
}

// RFC 3261 §9.1
#[test]
fn a_call_given_up_is_canceled_when_it_can_be() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    // Before anything was heard there is nothing to cancel.
    let (call, invite) = calling(&mut endpoint, now);
    endpoint.hang_up(call, now);
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
    hear(&mut endpoint, answer(&invite, 180, "", ""), now);
    let said = sent(&mut endpoint);
    let [cancel] = &said[..] else { panic!("{said:?}") };
    assert_eq!((cancel.method(), cancel.branch()), ("CANCEL", invite.branch()));
    assert_eq!(cancel.cseq(), Some((invite.cseq().unwrap().0, "CANCEL")));
    hear(&mut endpoint, answer(cancel, 200, "", ""), now);
    hear(&mut endpoint, answer(&invite, 487, "", ""), now);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    assert_eq!((events(&mut endpoint), endpoint.poll_timeout()), (vec![], None));

    // He answered in the same moment.
    let (call, invite) = calling(&mut endpoint, now);
    hear(&mut endpoint, answer(&invite, 180, "", ""), now);
    endpoint.hang_up(call, now);
    assert_eq!(lines(&mut endpoint), ["CANCEL"]);
    hear(&mut endpoint, answer(&invite, 200, "Contact: <sip:him@10.0.0.9>\r\n", "answer"), now);
    assert_eq!(lines(&mut endpoint), ["ACK", "BYE"]);
    assert_eq!(events(&mut endpoint), [Event::Trying(call), Event::Rings(call)]);
}

// product: P8
#[test]
fn a_telephone_that_rings_for_ever_is_given_up() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let (call, invite) = calling(&mut endpoint, start);
    hear(&mut endpoint, answer(&invite, 180, "", ""), start);
    let at = endpoint.poll_timeout().unwrap();
    assert_eq!((at - start).as_secs(), 180);
    endpoint.handle_timeout(at);
    assert_eq!(lines(&mut endpoint), ["CANCEL"]);
    assert_eq!(events(&mut endpoint), [Event::Trying(call), Event::Rings(call), Event::Refused(call, 408)]);
}

// product: P7; RFC 3261 §10.2
#[test]
fn a_registration_is_proven_and_says_how_long_it_stands() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let target = Target { call_id: "account".to_owned(), ..target(Transport::Udp) };
    let key = endpoint.ask(target.clone(), Question::Register { expires: 600 }, now);
    let said = sent(&mut endpoint);
    let first = &said[0];
    assert_eq!(
        (first.method(), first.header("expires"), first.header("call-id")),
        ("REGISTER", Some("600"), Some("account"))
    );
    assert_eq!(first.uri("contact"), Some("sip:1000@10.0.0.1:5060"));
    let challenge = "WWW-Authenticate: Digest realm=\"c\", nonce=\"n\"\r\n";
    hear(&mut endpoint, answer(first, 401, challenge, ""), now);
    let said = sent(&mut endpoint);
    let second = &said[0];
    assert!(second.header("authorization").unwrap().contains("username=\"1000\""));
    let contacts = "Contact: <sip:1000@10.0.0.77>;expires=30, <sip:1000@10.0.0.1:5060>;expires=120\r\nExpires: 500\r\n";
    // RFC 3608 §5
    let fields = format!("{contacts}Service-Route: <sip:a.example.org;lr>,\r\n <sip:b.example.org;lr>\r\n");
    hear(&mut endpoint, answer(second, 200, &fields, ""), now);
    let service_route = ["<sip:a.example.org;lr>", "<sip:b.example.org;lr>"].map(str::to_owned).to_vec();
    let granted = Answer { code: 200, expires: Some(120), min_expires: None, service_route, retry_after: None };
    assert_eq!(events(&mut endpoint), [Event::Responded(key, granted)], "ours of two");
    assert_eq!(endpoint.poll_timeout(), None);

    let key = endpoint.ask(target, Question::Options, now);
    let mut last = now;
    while let Some(at) = endpoint.poll_timeout() {
        last = at;
        endpoint.handle_timeout(at);
    }
    assert_eq!(events(&mut endpoint), [Event::Responded(key, Answer::of(408))]);
    assert_eq!((last - now).as_secs(), 32);
}

// RFC 3261 §13.2.2.4: all are the house's, who rang at once.
#[test]
fn of_several_who_take_a_call_one_has_it_and_the_others_are_hung_up() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, invite) = calling(&mut endpoint, now);
    let taken = |code: u16| {
        let contact = format!("Contact: <sip:t{code}@10.0.0.9:5071>\r\nRecord-Route: <sip:p;lr>\r\n");
        answer(&invite, code, &contact, "answer")
    };
    hear(&mut endpoint, taken(200), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint).len()), (vec!["ACK".to_owned()], 1));
    hear(&mut endpoint, taken(202), now);
    let said = sent(&mut endpoint);
    let [ack, bye] = &said[..] else { panic!("{said:?}") };
    assert_eq!((ack.method(), ack.cseq(), ack.tag("to")), ("ACK", Some((1, "ACK")), Some("t202")));
    assert_eq!((bye.method(), bye.tag("to"), bye.header("route")), ("BYE", Some("t202"), Some("<sip:p;lr>")));
    assert!(bye.cseq().unwrap().0 > 1 && bye.tag("from") == invite.tag("from"), "{bye:?}");
    assert!(matches!(&bye.start, StartLine::Request { uri, .. } if uri == "sip:t202@10.0.0.9:5071"));
    // His answer comes again, as long as he hasn't heard; ours stands.
    hear(&mut endpoint, taken(202), now);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    hear(&mut endpoint, answer(bye, 200, "", ""), now);
    assert_eq!(events(&mut endpoint), []);
    endpoint.hang_up(call, now);
    let bye = sent(&mut endpoint).remove(0);
    assert_eq!((bye.method(), bye.tag("to")), ("BYE", Some("t200")));
    // To what nobody asked there is no answer.
    let stranger = Message::parse(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK0000000000000001\r\nFrom: <sip:a@b>;tag=1\r\n\
          To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:c@10.0.0.7>\r\nContent-Length: 0\r\n\r\n",
    );
    hear(&mut endpoint, stranger.unwrap(), now);
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
}

// RFC 3261 §22.3, §13.2.2.4
#[test]
fn a_proxy_and_the_server_behind_it_both_have_their_proof() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, first) = calling(&mut endpoint, now);
    let challenge =
        |field: &str, nonce: &str| format!("{field}: Digest realm=\"{nonce}\", nonce=\"{nonce}\", qop=\"auth\"\r\n");
    hear(&mut endpoint, answer(&first, 407, &challenge("Proxy-Authenticate", "p"), ""), now);
    let second = sent(&mut endpoint).pop().unwrap();
    assert!(second.header("proxy-authorization").unwrap().contains("nc=00000001"));
    hear(&mut endpoint, answer(&second, 401, &challenge("WWW-Authenticate", "s"), ""), now);
    let third = sent(&mut endpoint).pop().unwrap();
    let (proxy, server) = (third.header("proxy-authorization").unwrap(), third.header("authorization").unwrap());
    assert!(proxy.contains("nonce=\"p\"") && proxy.contains("nc=00000002"), "counted on: {proxy}");
    assert!(server.contains("nonce=\"s\"") && server.contains("nc=00000001"), "{server}");
    // And where a longer session is asked for.
    hear(&mut endpoint, answer(&third, 422, "Min-SE: 3600\r\n", ""), now);
    let fourth = sent(&mut endpoint).pop().unwrap();
    assert!(fourth.header("proxy-authorization").unwrap().contains("nc=00000003"));
    hear(&mut endpoint, answer(&fourth, 200, "Contact: <sip:him@10.0.0.9>\r\n", "answer"), now);
    let ack = sent(&mut endpoint).remove(0);
    assert_eq!((ack.method(), ack.header("authorization")), ("ACK", fourth.header("authorization")));
    assert_eq!(ack.header("proxy-authorization"), fourth.header("proxy-authorization"));
    assert_eq!(events(&mut endpoint), [Event::Answered(call, b"answer".to_vec())]);
}

// RFC 3261 §22.1
#[test]
fn a_password_is_proven_to_the_realm_it_is_of_and_to_no_other() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let named = Target { realm: Some("carrier".to_owned()), ..target(Transport::Udp) };
    let call = endpoint.call(named, "offer", now).unwrap();
    let first = sent(&mut endpoint).remove(0);
    let challenges = "WWW-Authenticate: Digest realm=\"other\", nonce=\"o\", algorithm=SHA-256\r\n\
                      WWW-Authenticate: Digest realm=\"carrier\", nonce=\"c\"\r\n";
    hear(&mut endpoint, answer(&first, 401, challenges, ""), now);
    let second = sent(&mut endpoint).pop().unwrap();
    assert!(second.header("authorization").unwrap().contains("realm=\"carrier\""));
    hear(&mut endpoint, answer(&second, 407, "Proxy-Authenticate: Digest realm=\"other\", nonce=\"o\"\r\n", ""), now);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    assert_eq!(events(&mut endpoint), [Event::Refused(call, 407)]);
}

// RFC 3261 §18.1.1
#[test]
fn a_large_invite_goes_by_tcp_and_in_pieces_where_none_is_to_be_had() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let tcp = source(Transport::Tcp);
    let wide = Target { large: Some(tcp), ..target(Transport::Udp) };
    let next = |endpoint: &mut Endpoint| {
        let transmit = endpoint.poll_transmit().unwrap();
        let message = Message::parse(&transmit.bytes).unwrap();
        let via = message.header("via").unwrap().split(' ').next().unwrap().to_owned();
        (transmit.to.transport, transmit.reconnect, via, message)
    };
    // With its proof it is too large.
    let body = "x".repeat(LARGE_BODY);
    let call = endpoint.call(wide.clone(), &body, now).unwrap();
    let (transport, _, via, invite) = next(&mut endpoint);
    assert_eq!((transport, via.as_str()), (Transport::Udp, "SIP/2.0/UDP"));
    let challenge = "Proxy-Authenticate: Digest realm=\"c\", nonce=\"1\", qop=\"auth\", algorithm=SHA-256\r\n";
    hear(&mut endpoint, answer(&invite, 407, challenge, ""), now);
    assert_eq!(next(&mut endpoint).3.method(), "ACK");
    let (transport, reconnect, via, invite) = next(&mut endpoint);
    assert_eq!((transport, via.as_str()), (Transport::Tcp, "SIP/2.0/TCP"));
    assert_eq!(reconnect, Some(tcp.peer), "a connection may be made for it");
    endpoint.handle_timeout(now + T1);
    assert_eq!(endpoint.poll_transmit(), None, "what goes by TCP is not repeated");
    endpoint.handle(tcp, answer(&invite, 200, "Contact: <sip:him@10.0.0.9:5071>\r\n", "answer"), now);
    let (transport, _, _, ack) = next(&mut endpoint);
    assert_eq!((transport, ack.method()), (Transport::Tcp, "ACK"));
    assert_eq!(events(&mut endpoint), [Event::Answered(call, b"answer".to_vec())]);

    // Nobody takes connections there: by UDP, and the next one at once.
    let long = "x".repeat(2 * LARGE_BODY);
    let other = endpoint.call(wide.clone(), &long, now).unwrap();
    assert_eq!(next(&mut endpoint).0, Transport::Tcp);
    endpoint.unreachable(Transport::Tcp, tcp.peer, now);
    let (transport, _, via, invite) = next(&mut endpoint);
    assert_eq!((transport, via.as_str()), (Transport::Udp, "SIP/2.0/UDP"));
    hear(&mut endpoint, answer(&invite, 100, "", ""), now);
    assert!(events(&mut endpoint).contains(&Event::Trying(other)));
    endpoint.call(wide.clone(), &long, now).unwrap();
    assert_eq!(next(&mut endpoint).0, Transport::Udp);
    endpoint.call(wide, &long, now + Duration::from_secs(601)).unwrap();
    assert_eq!(next(&mut endpoint).0, Transport::Tcp, "it may have changed its mind");
    // Where somebody has said UDP it stays that.
    endpoint.call(target(Transport::Udp), &long, now).unwrap();
    assert_eq!(next(&mut endpoint).0, Transport::Udp);
}
