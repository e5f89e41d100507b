use super::{outgoing::*, *};

fn refer(cseq: u32, tag: &str, lines: &str) -> Message {
    with_lines("REFER", cseq, tag, lines, "")
}

/// What a REFER in a call is answered, and whether anybody is told of it.
fn referred(lines: &str) -> (u16, Vec<Event>) {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    hear(&mut endpoint, refer(2, &tag, lines), now);
    let told = events(&mut endpoint);
    endpoint.answer_refer(call, 202, "Accepted", now);
    let said = sent(&mut endpoint);
    let StartLine::Response { code } = said[0].start else { panic!("{said:?}") };
    (code, told)
}

// product: P11; RFC 3515 §2.4
#[test]
fn whoever_is_put_through_is_told_of_and_whoever_puts_through_is_told_what_becomes_of_it() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    let first = refer(2, &tag, "Refer-To: <sip:234567890@10.0.0.1>\r\n");
    hear(&mut endpoint, first.clone(), now);
    // Again, before anybody has decided.
    hear(&mut endpoint, first.clone(), now);
    let [Event::Referred(referred, to)] = &events(&mut endpoint)[..] else { panic!("told once") };
    assert_eq!((*referred, to.number.as_str(), &to.replaces), (call, "234567890", &None));
    assert_eq!(lines(&mut endpoint), Vec::<String>::new());
    endpoint.answer_refer(call, 202, "Accepted", now);
    let said = sent(&mut endpoint);
    let [accepted, notify] = &said[..] else { panic!("{said:?}") };
    assert_eq!((accepted.start.clone(), accepted.tag("to")), (StartLine::Response { code: 202 }, Some(tag.as_str())));
    let told = |notify: &Message| {
        let fields =
            ["event", "subscription-state", "content-type"].map(|name| notify.header(name).unwrap_or("").to_owned());
        (notify.method().to_owned(), fields, String::from_utf8(notify.body.clone()).unwrap())
    };
    let active = ["refer", "active;expires=180", "message/sipfrag;version=2.0"].map(str::to_owned);
    assert_eq!(told(notify), ("NOTIFY".to_owned(), active, "SIP/2.0 100 Trying\r\n".to_owned()));
    assert!(notify.header("contact").is_some() && notify.tag("to") == Some("c"));
    hear(&mut endpoint, first, now);
    assert_eq!(lines(&mut endpoint), ["202"], "the same answer to the same request");
    hear(&mut endpoint, refer(3, &tag, "Refer-To: <sip:1@h>\r\n"), now);
    assert_eq!(lines(&mut endpoint), ["491"], "one after the other");

    endpoint.notify(call, 200, "OK", now);
    let last = sent(&mut endpoint);
    assert_eq!(told(&last[0]).1[1], "terminated;reason=noresource");
    assert_eq!(last[0].body, b"SIP/2.0 200 OK\r\n");
    endpoint.notify(call, 200, "OK", now);
    assert_eq!(lines(&mut endpoint), Vec::<String>::new(), "nothing after the end");
    // A subscription that was forgotten ends no call.
    hear(&mut endpoint, answer(&last[0], 481, "", ""), now);
    assert_eq!(events(&mut endpoint), []);

    // The second has a name; this one nobody wants to hear of (RFC 4488).
    hear(&mut endpoint, refer(4, &tag, "Refer-To: <sip:1@h>\r\n"), now);
    endpoint.answer_refer(call, 202, "Accepted", now);
    assert_eq!(sent(&mut endpoint)[1].header("event"), Some("refer;id=4"));
    endpoint.notify(call, 503, "Service Unavailable", now);
    lines(&mut endpoint);
    hear(&mut endpoint, refer(5, &tag, "Refer-To: <sip:1@h>\r\nRefer-Sub: false\r\nRequire: norefersub\r\n"), now);
    endpoint.answer_refer(call, 202, "Accepted", now);
    endpoint.notify(call, 200, "OK", now);
    let quiet = sent(&mut endpoint);
    assert_eq!((quiet.len(), quiet[0].header("refer-sub")), (1, Some("false")));

    // Who hangs up meanwhile is not left without an answer.
    hear(&mut endpoint, refer(6, &tag, "Refer-To: <sip:1@h>\r\n"), now);
    hear(&mut endpoint, request("BYE", 7, &tag, "bye"), now);
    assert_eq!(lines(&mut endpoint), ["200", "487"]);
}

// RFC 3515 §2.4.2
#[test]
fn who_can_not_be_put_through_is_said_at_once() {
    let check = |lines: &str, expected: u16| {
        let (code, told) = referred(lines);
        assert_eq!((code, told.len()), (expected, usize::from(expected == 202)), "{lines}");
    };
    check("r: <sip:1@h>\r\n", 202);
    check("", 400);
    check("Refer-To: <sip:1@h>\r\nRefer-To: <sip:2@h>\r\n", 400);
    check("Refer-To: <sip:1@h>, <sip:2@h>\r\n", 400);
    check("Refer-To: <http://h>\r\n", 416);
    check("Refer-To: <sip:1@h;method=SUBSCRIBE>\r\n", 403);
    check("Refer-To: <sip:1@h?Replaces=x>\r\n", 400);
    check("Refer-To: <sip:1@h>\r\nRequire: multiple-refer\r\n", 420);
    let now = Instant::now();
    let mut endpoint = endpoint();
    hear(&mut endpoint, refer(1, "", "Refer-To: <sip:1@h>\r\n"), now);
    hear(&mut endpoint, refer(2, "x", "Refer-To: <sip:1@h>\r\n"), now);
    assert_eq!(lines(&mut endpoint), ["403", "481"], "nobody is called for strangers");
    ringing(&mut endpoint, now);
    assert_eq!(events(&mut endpoint), []);
}

/// An INVITE of another telephone that is to replace a call.
fn replacing(replaces: &str) -> Message {
    let text = format!(
        "INVITE sip:huitong@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.8:5060;branch=z9hG4bK{0};rport\r\n\
         From: <sip:13900000000@x>;tag=d\r\nTo: <sip:huitong@10.0.0.1>\r\nCall-ID: {0}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:13900000000@10.0.0.8>\r\n{1}Content-Length: 5\r\n\r\noffer",
        replaces.len(),
        replaces,
    );
    Message::parse(text.as_bytes()).unwrap()
}

fn incoming(endpoint: &mut Endpoint) -> Option<Option<CallKey>> {
    events(endpoint).into_iter().find_map(|event| match event {
        Event::Incoming(incoming) => Some(incoming.replaces),
        _ => None,
    })
}

// product: P11; RFC 3891 §3
#[test]
fn a_call_is_replaced_by_who_knows_both_its_tags() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    let check = |endpoint: &mut Endpoint, replaces: &str, code: &str| {
        hear(endpoint, replacing(replaces), now);
        assert_eq!(incoming(endpoint), None, "{replaces}");
        assert_eq!(lines(endpoint), [code], "{replaces}");
    };
    check(&mut endpoint, "Replaces: one;to-tag=x;from-tag=c\r\n", "481");
    check(&mut endpoint, &format!("Replaces: two;to-tag={tag};from-tag=c\r\n"), "481");
    check(&mut endpoint, &format!("Replaces: one;to-tag={tag};from-tag=c;early-only\r\n"), "486");
    check(&mut endpoint, &format!("Replaces: one;to-tag={tag}\r\n"), "400");
    check(
        &mut endpoint,
        &format!("Replaces: one;to-tag={tag};from-tag=c\r\nReplaces: b;to-tag=1;from-tag=2\r\n"),
        "400",
    );
    hear(&mut endpoint, with_lines("OPTIONS", 9, "", "Replaces: a;to-tag=1;from-tag=2\r\n", ""), now);
    assert_eq!(lines(&mut endpoint), ["400"]);
    let good = format!("Replaces: one;from-tag=c;to-tag={tag}\r\nRequire: replaces\r\n");
    hear(&mut endpoint, replacing(&good), now);
    assert_eq!(incoming(&mut endpoint), Some(Some(call)));
    endpoint.hang_up(call, now);
    lines(&mut endpoint);
    check(&mut endpoint, &format!("Replaces: one;to-tag={tag};from-tag=c\r\nSubject: over\r\n"), "603");
}

// RFC 3891 §3: who calls us and is not answered yet can't be replaced; nor may those be that we call.
#[test]
fn a_call_that_rings_is_not_replaced() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, now);
    endpoint.ring(call, now);
    let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
    hear(&mut endpoint, replacing(&format!("Replaces: one;to-tag={tag};from-tag=c\r\n")), now);
    assert_eq!(lines(&mut endpoint), ["481"]);
    let (_, invite) = calling(&mut endpoint, now);
    hear(&mut endpoint, answer(&invite, 180, "", ""), now);
    let (id, tag) = (invite.header("call-id").unwrap(), invite.tag("from").unwrap());
    hear(&mut endpoint, replacing(&format!("Replaces: {id};to-tag={tag};from-tag=t180\r\n")), now);
    assert_eq!(lines(&mut endpoint), ["603"]);
}

// RFC 5589 §7
#[test]
fn a_call_of_ours_says_which_it_replaces() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let replaces = Replaces::parse("a@b;to-tag=1;from-tag=2");
    endpoint.call(Target { replaces, ..target(Transport::Udp) }, "offer", now).unwrap();
    let invite = &sent(&mut endpoint)[0];
    assert_eq!(invite.header("replaces"), Some("a@b;to-tag=1;from-tag=2"));
    assert_eq!(invite.header("require"), Some("replaces"));
}

// RFC 3261 §8.1.3.1, RFC 3263 §4.3
#[test]
fn what_can_not_be_sent_is_answered_as_if_there_was_no_room() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let way = source(Transport::Tcp);
    let first = endpoint.call(target(Transport::Tcp), "offer", now).unwrap();
    let tried = endpoint.call(target(Transport::Tcp), "offer", now).unwrap();
    let invite = sent(&mut endpoint).remove(1);
    hear(&mut endpoint, answer(&invite, 100, "", ""), now);
    let asked = endpoint.ask(target(Transport::Tcp), Question::Options, now);
    endpoint.ask(target(Transport::Udp), Question::Options, now);
    let given_up = endpoint.call(target(Transport::Tcp), "offer", now).unwrap();
    endpoint.hang_up(given_up, now);
    events(&mut endpoint);
    endpoint.unreachable(Transport::Tls, way.peer, now);
    endpoint.unreachable(Transport::Tcp, "10.0.0.7:5070".parse().unwrap(), now);
    assert_eq!(events(&mut endpoint), []);
    endpoint.unreachable(Transport::Tcp, way.peer, now);
    let told = events(&mut endpoint);
    assert_eq!(told.len(), 2, "neither who answered already nor whom nobody waits for: {told:?} {tried:?}");
    assert!(told.contains(&Event::Refused(first, 503)));
    assert!(
        told.iter().any(|event| matches!(event, Event::Responded(key, answer) if (*key, answer.code) == (asked, 503)))
    );
}
