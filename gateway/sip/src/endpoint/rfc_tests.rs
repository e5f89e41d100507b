//! What the RFCs say of rare moments: lost messages, both sides at once, answers before the answer.

use super::{
    outgoing::{answer, calling, hear},
    *,
};

/// All that is sent at its own time until something else than `method` is: in milliseconds.
fn repeats(endpoint: &mut Endpoint, what: &str, start: Instant) -> Vec<u128> {
    let mut times = Vec::new();
    while let Some(at) = endpoint.poll_timeout().filter(|at| *at <= start + TIMEOUT) {
        endpoint.handle_timeout(at);
        let said = lines(endpoint);
        assert!(said.iter().all(|line| line == what), "{said:?}");
        times.extend(said.iter().map(|_| (at - start).as_millis()));
    }
    times
}

const T1_TO_T2: [u128; 10] = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];

// RFC 3261 §17.2.1: timers G and H.
#[test]
fn a_refusal_whose_ack_is_lost_is_repeated_and_then_forgotten() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, start);
    endpoint.reject(call, 486, "Busy Here", start);
    assert_eq!(lines(&mut endpoint), ["486"]);
    // The INVITE comes again meanwhile.
    hear(&mut endpoint, request("INVITE", 1, "", "a"), start);
    assert_eq!(lines(&mut endpoint), ["486"]);
    assert_eq!(repeats(&mut endpoint, "486", start), T1_TO_T2);
    assert_eq!((events(&mut endpoint), endpoint.poll_timeout()), (vec![], None));
}

// RFC 3261 §17.1.2.2: timers E and F.
#[test]
fn a_request_of_ours_is_repeated_from_t1_to_t2_and_given_up_after_64_t1() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let (call, _) = standing(&mut endpoint, start);
    endpoint.hang_up(call, start);
    assert_eq!(lines(&mut endpoint), ["BYE"]);
    assert_eq!(repeats(&mut endpoint, "BYE", start), T1_TO_T2);
    assert_eq!(endpoint.poll_timeout(), None);
}

// RFC 3261 §17.2.1, §13.3.1.4
#[test]
fn an_invite_that_comes_again_is_told_what_was_said_last() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, now);
    hear(&mut endpoint, request("INVITE", 1, "", "a"), now);
    assert_eq!(lines(&mut endpoint), ["100"]);
    endpoint.answer(call, "answer", now);
    hear(&mut endpoint, request("INVITE", 1, "", "a"), now);
    assert_eq!(lines(&mut endpoint), ["200", "200"]);
    // By another way, through a proxy that forks: a loop (§8.2.2.2).
    hear(&mut endpoint, request("INVITE", 1, "", "other"), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["482".to_owned()], vec![]));
}

// RFC 3261 §9.2
#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, now);
    endpoint.answer(call, "answer", now);
    let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
    hear(&mut endpoint, request("CANCEL", 1, "", "a"), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["200".to_owned()], vec![]));
    hear(&mut endpoint, request("ACK", 1, &tag, "b"), now);
    assert_eq!(events(&mut endpoint), [Event::Confirmed(call, vec![])]);
    // Of the same call, but another request.
    hear(&mut endpoint, request("CANCEL", 1, "", "strange"), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["481".to_owned()], vec![]));
}

pub(super) fn without_offer(cseq: u32, to_tag: &str) -> Message {
    with_lines("INVITE", cseq, to_tag, "", "")
}

// RFC 3264 §5, RFC 3261 §13.2.1
#[test]
fn who_offers_nothing_answers_in_his_ack() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    hear(&mut endpoint, without_offer(1, ""), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    assert!(incoming.offer.is_empty());
    let call = incoming.call;
    endpoint.answer(call, "ours", now);
    let ok = sent(&mut endpoint).remove(0);
    assert_eq!(ok.body, b"ours");
    let tag = ok.tag("to").unwrap();
    let ack = with_lines("ACK", 1, tag, "", "his");
    hear(&mut endpoint, ack.clone(), now);
    hear(&mut endpoint, ack, now);
    assert_eq!(events(&mut endpoint), [Event::Confirmed(call, b"his".to_vec())], "once");
    // The same within the call.
    hear(&mut endpoint, without_offer(2, tag), now);
    assert_eq!(events(&mut endpoint), [Event::Reoffered(call, vec![])]);
    endpoint.answer_reoffer(call, Some("ours again"), now);
    assert_eq!(sent(&mut endpoint)[0].body, b"ours again");
    let ack = with_lines("ACK", 2, tag, "", "his again");
    hear(&mut endpoint, ack.clone(), now);
    hear(&mut endpoint, ack, now);
    assert_eq!(events(&mut endpoint), [Event::Confirmed(call, b"his again".to_vec())]);
    assert_eq!(endpoint.poll_timeout(), Some(now + SESSION / 2), "all but the session is done with");
}

pub(super) const CONTACT: &str = "Contact: <sip:him@10.0.0.9:5071>\r\n";

pub(super) fn reliable(rseq: u32) -> String {
    format!("{CONTACT}Require: 100rel\r\nRSeq: {rseq}\r\n")
}

// RFC 3262 §4, §5
#[test]
fn what_must_be_acknowledged_while_it_rings_is_and_may_bring_the_answer() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, invite) = calling(&mut endpoint, now);
    assert!(invite.header("supported").unwrap().contains("100rel"));
    let progress = answer(&invite, 183, &reliable(70), "early");
    hear(&mut endpoint, progress.clone(), now);
    let said = sent(&mut endpoint);
    let [prack] = &said[..] else { panic!("{said:?}") };
    let rack = format!("70 {} INVITE", invite.cseq().unwrap().0);
    assert_eq!((prack.method(), prack.header("rack"), prack.tag("to")), ("PRACK", Some(rack.as_str()), Some("t183")));
    assert!(prack.cseq().unwrap().0 > invite.cseq().unwrap().0);
    assert_eq!(events(&mut endpoint), [Event::Trying(call), Event::Rings(call)]);
    // It is heard once; what overtakes another waits for it to be said again.
    hear(&mut endpoint, progress, now);
    hear(&mut endpoint, answer(&invite, 183, &reliable(72), ""), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (Vec::<String>::new(), vec![]));
    endpoint.handle_timeout(now + T1);
    assert_eq!(lines(&mut endpoint), ["PRACK"], "until it is answered");
    hear(&mut endpoint, answer(prack, 200, "", ""), now);
    hear(&mut endpoint, answer(&invite, 183, &reliable(71), ""), now);
    let second = sent(&mut endpoint).remove(0);
    hear(&mut endpoint, answer(&second, 200, "", ""), now);
    assert_eq!(events(&mut endpoint), [Event::Rings(call)]);
    // The tag of 183 is that of the 200.
    let text = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=t183\r\nCall-ID: {}\r\nCSeq: {}\r\n{CONTACT}Content-Length: 0\r\n\r\n",
        invite.header("via").unwrap(),
        invite.header("from").unwrap(),
        invite.header("to").unwrap(),
        invite.header("call-id").unwrap(),
        invite.header("cseq").unwrap(),
    );
    hear(&mut endpoint, Message::parse(text.as_bytes()).unwrap(), now);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    assert_eq!(events(&mut endpoint), [Event::Answered(call, b"early".to_vec())]);
    endpoint.hang_up(call, now);
    let bye = sent(&mut endpoint).remove(0);
    assert!(bye.cseq().unwrap().0 > second.cseq().unwrap().0, "numbers grow (§12.2.1.1)");
}

/// A request of the one we call.
pub(super) fn theirs(invite: &Message, method: &str, cseq: u32, tag: &str, fields: &str, body: &str) -> Message {
    let text = format!(
        "{method} sip:1000@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKx{method}{cseq};rport\r\n\
         From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{CONTACT}{fields}Content-Length: {}\r\n\r\n{body}",
        invite.header("to").unwrap(),
        invite.header("from").unwrap(),
        invite.header("call-id").unwrap(),
        body.len()
    );
    Message::parse(text.as_bytes()).unwrap()
}

// RFC 3311 §5.2
#[test]
fn who_rings_is_answered_before_he_answers() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (_, invite) = calling(&mut endpoint, now);
    hear(&mut endpoint, theirs(&invite, "UPDATE", 1, "t183", "", ""), now);
    assert_eq!(lines(&mut endpoint), ["481"], "nobody has rung");
    hear(&mut endpoint, answer(&invite, 183, CONTACT, ""), now);
    for (cseq, method, tag, body, code) in [
        (2, "UPDATE", "t183", "", "200"),
        (3, "UPDATE", "t183", "offer", "491"),
        (4, "INFO", "t183", "", "200"),
        (5, "PRACK", "t183", "", "481"),
        (6, "UPDATE", "strange", "", "481"),
    ] {
        hear(&mut endpoint, theirs(&invite, method, cseq, tag, "", body), now);
        assert_eq!(lines(&mut endpoint), [code], "{method} {tag} {body}");
    }
    hear(&mut endpoint, answer(&invite, 486, "", ""), now);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    hear(&mut endpoint, theirs(&invite, "UPDATE", 7, "t183", "", ""), now);
    assert_eq!(lines(&mut endpoint), ["481"], "it is over");
}

// RFC 3261 §14.1, §14.2
#[test]
fn when_both_offer_at_once_both_wait_and_try_again() {
    let start = Instant::now();
    let half = start + Duration::from_secs(45);
    // The caller's call, then ours: who began it waits longer.
    for (is_ours, earliest, latest) in [(false, 0, 2_000), (true, 2_100, 4_000)] {
        let mut endpoint = endpoint();
        let session = "Session-Expires: 90;refresher=";
        let (invite, tag) = if is_ours {
            let (_, invite) = calling(&mut endpoint, start);
            hear(&mut endpoint, answer(&invite, 200, &format!("{CONTACT}{session}uac\r\n"), "answer"), start);
            (Some(invite), "t200".to_owned())
        } else {
            let (_, ok) = timed(&mut endpoint, &format!("{session}uas\r\n"), start);
            (None, ok.tag("to").unwrap().to_owned())
        };
        let _ = (sent(&mut endpoint), events(&mut endpoint));
        endpoint.handle_timeout(half);
        let ours = sent(&mut endpoint).remove(0);
        assert_eq!(ours.method(), "INVITE");
        let his = match &invite {
            Some(invite) => theirs(invite, "INVITE", 2, &tag, "", "offer"),
            None => request("INVITE", 2, &tag, "r"),
        };
        hear(&mut endpoint, his, half);
        assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["491".to_owned()], vec![]));
        hear(&mut endpoint, answer(&ours, 491, "", ""), half);
        assert_eq!(lines(&mut endpoint), ["ACK"]);
        let again = endpoint.poll_timeout().unwrap();
        assert!((earliest..=latest).contains(&(again - half).as_millis()), "{:?}", again - half);
        endpoint.handle_timeout(again);
        assert_eq!(lines(&mut endpoint), ["INVITE"]);
    }
}

// RFC 4028 §10. trap: calls that are cut off after 15 minutes, over UDP, by a peer whose sessions are 90 seconds.
#[test]
fn calls_of_either_side_outlive_sessions_of_either_side() {
    let start = Instant::now();
    for (is_ours, we_refresh) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut endpoint = endpoint();
        let refresher = if is_ours == we_refresh { "uac" } else { "uas" };
        let session = format!("Session-Expires: 90;refresher={refresher}\r\nSupported: timer\r\n");
        let (call, invite, tag) = if is_ours {
            let (call, invite) = calling(&mut endpoint, start);
            hear(&mut endpoint, answer(&invite, 200, &format!("{CONTACT}{session}"), "answer"), start);
            (call, Some(invite), "t200".to_owned())
        } else {
            let (call, ok) = timed(&mut endpoint, &session, start);
            (call, None, ok.tag("to").unwrap().to_owned())
        };
        let _ = (sent(&mut endpoint), events(&mut endpoint));
        for round in 1..=30_u32 {
            let now = start + Duration::from_secs(45) * round;
            if we_refresh {
                assert_eq!(endpoint.poll_timeout(), Some(now));
                endpoint.handle_timeout(now);
                let refresh = sent(&mut endpoint).remove(0);
                assert!(matches!(refresh.method(), "UPDATE" | "INVITE"), "{}", refresh.method());
                hear(&mut endpoint, answer(&refresh, 200, CONTACT, "answer"), now);
            } else {
                endpoint.handle_timeout(now);
                let fields = "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n";
                let update = match &invite {
                    Some(invite) => theirs(invite, "UPDATE", round + 1, &tag, fields, ""),
                    None => with_lines("UPDATE", round + 1, &tag, fields, ""),
                };
                hear(&mut endpoint, update, now);
                assert_eq!(lines(&mut endpoint), ["200"]);
            }
            let refreshed = sent(&mut endpoint).first().is_some_and(|ack| ack.method() == "ACK");
            // His answer may have a new key.
            let told = if refreshed { vec![Event::Confirmed(call, b"answer".to_vec())] } else { vec![] };
            assert_eq!(events(&mut endpoint), told, "ours {is_ours}, we refresh {we_refresh}, round {round}");
        }
        // And when he falls silent, it ends.
        let mut ended = Vec::new();
        while ended.is_empty() {
            let at = endpoint.poll_timeout().expect("the end comes first");
            assert!(at < start + Duration::from_secs(45) * 33, "{at:?}");
            endpoint.handle_timeout(at);
            ended = events(&mut endpoint);
        }
        assert_eq!((ended, lines(&mut endpoint).pop().as_deref()), (vec![Event::Ended(call)], Some("BYE")));
    }
}

/// A call in which the other side speaks of no sessions.
fn unspoken(endpoint: &mut Endpoint, is_ours: bool, now: Instant) -> CallKey {
    let call = if is_ours {
        let (call, invite) = calling(endpoint, now);
        assert_eq!(invite.header("session-expires"), Some("1800;refresher=uac"));
        assert_eq!(invite.header("min-se"), None);
        hear(endpoint, answer(&invite, 200, CONTACT, "answer"), now);
        call
    } else {
        let (call, ok) = timed(endpoint, "", now);
        assert_eq!((ok.header("session-expires"), ok.header("require")), (Some("1800;refresher=uas"), None));
        call
    };
    let _ = (sent(endpoint), events(endpoint));
    call
}

// product: P11; RFC 4028 §7.1, §9
#[test]
fn a_call_whose_other_side_is_gone_without_a_word_ends_though_nobody_asked_for_sessions() {
    let start = Instant::now();
    for is_ours in [false, true] {
        let mut endpoint = endpoint();
        let call = unspoken(&mut endpoint, is_ours, start);
        let half = start + Duration::from_secs(900);
        assert_eq!(endpoint.poll_timeout(), Some(half));
        endpoint.handle_timeout(half);
        let refresh = sent(&mut endpoint).remove(0);
        assert_eq!((refresh.method(), refresh.header("session-expires")), ("INVITE", Some("1800;refresher=uac")));
        // He knows nothing of sessions, and is there.
        hear(&mut endpoint, answer(&refresh, 488, "", ""), half);
        assert_eq!(lines(&mut endpoint), ["ACK"]);
        let next = half + Duration::from_secs(900);
        assert_eq!(endpoint.poll_timeout(), Some(next));
        endpoint.handle_timeout(next);
        let refresh = sent(&mut endpoint).remove(0);
        hear(&mut endpoint, answer(&refresh, 481, "", ""), next);
        assert_eq!(
            (lines(&mut endpoint), events(&mut endpoint)),
            (vec!["ACK".into(), "BYE".into()], vec![Event::Ended(call)])
        );
    }
}

// RFC 4028 §7.2, §7.3
#[test]
fn who_wants_longer_sessions_has_them_and_who_wants_shorter_ones_too() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let (call, invite) = calling(&mut endpoint, start);
    hear(&mut endpoint, answer(&invite, 422, "Min-SE: 3600\r\n", ""), start);
    let said = sent(&mut endpoint);
    let [ack, again] = &said[..] else { panic!("{said:?}") };
    assert_eq!(
        (ack.method(), again.method(), again.cseq().unwrap().0),
        ("ACK", "INVITE", invite.cseq().unwrap().0 + 1)
    );
    assert_eq!((again.header("session-expires"), again.header("min-se")), (Some("3600;refresher=uac"), Some("3600")));
    assert_eq!((again.header("call-id"), again.tag("from")), (invite.header("call-id"), invite.tag("from")));
    // As long as that is no way to keep us calling.
    hear(&mut endpoint, answer(again, 422, "Min-SE: 3600\r\n", ""), start);
    assert_eq!(
        (lines(&mut endpoint), events(&mut endpoint)),
        (vec!["ACK".to_owned()], vec![Event::Refused(call, 422)])
    );

    let (_, invite) = calling(&mut endpoint, start);
    hear(&mut endpoint, answer(&invite, 200, &format!("{CONTACT}Session-Expires: 200\r\n"), "answer"), start);
    let _ = (sent(&mut endpoint), events(&mut endpoint));
    let half = start + Duration::from_secs(100);
    assert_eq!(endpoint.poll_timeout(), Some(half));
    endpoint.handle_timeout(half);
    let refresh = sent(&mut endpoint).remove(0);
    hear(&mut endpoint, answer(&refresh, 422, "Min-SE: 400\r\n", ""), half);
    endpoint.handle_timeout(half);
    let again = sent(&mut endpoint).pop().unwrap();
    assert_eq!((again.method(), again.header("session-expires")), ("INVITE", Some("400;refresher=uac")));
    hear(&mut endpoint, answer(&again, 200, "Session-Expires: 300;refresher=uac\r\n", ""), half);
    assert_eq!(endpoint.poll_timeout(), Some(half + Duration::from_secs(150)));
}

// RFC 4028 §7.2: a session that has not begun is neither refreshed nor ended.
#[test]
fn a_call_that_rings_has_no_session_yet() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    hear(&mut endpoint, with_lines("INVITE", 1, "", "Session-Expires: 90;refresher=uas\r\n", "offer"), start);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    endpoint.handle_timeout(start + TRYING_AFTER);
    assert_eq!((lines(&mut endpoint), endpoint.poll_timeout()), (vec!["100".to_owned()], None));
    let late = start + Duration::from_secs(100);
    endpoint.answer(incoming.call, "answer", late);
    let ok = sent(&mut endpoint).remove(0);
    hear(&mut endpoint, request("ACK", 1, ok.tag("to").unwrap(), "b"), late);
    assert_eq!(endpoint.poll_timeout(), Some(late + Duration::from_secs(45)));
}

// A3: nothing is done for strangers that is not said here; every method of the registry (IANA, SIP Parameters).
#[test]
fn methods_we_do_not_know_are_refused_by_name() {
    let now = Instant::now();
    let methods = [
        ("INVITE", ""),
        ("ACK", ""),
        ("BYE", "481"),
        ("CANCEL", "481"),
        ("OPTIONS", "200"),
        ("INFO", "481"),
        ("UPDATE", "481"),
        ("PRACK", "481"),
        ("REGISTER", "403"),
        ("MESSAGE", "405"),
        ("NOTIFY", "405"),
        ("PUBLISH", "405"),
        ("REFER", "403"),
        ("SUBSCRIBE", "405"),
    ];
    for (method, code) in methods {
        let mut endpoint = endpoint();
        hear(&mut endpoint, request(method, 1, "", "m"), now);
        let said = sent(&mut endpoint);
        let codes: Vec<StartLine> = said.iter().map(|said| said.start.clone()).collect();
        let expected: Vec<StartLine> = code.parse().ok().map(|code| StartLine::Response { code }).into_iter().collect();
        assert_eq!(codes, expected, "{method}");
        if code == "405" {
            let allow = said[0].header("allow").unwrap();
            assert!(allow.contains("INVITE") && !allow.contains(method), "{method}: {allow}");
        }
    }
}

// RFC 3261 §7.3.1: old telephones write names as they always have.
#[test]
fn a_caller_whose_name_is_no_utf_8_is_answered() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let invite = b"INVITE sip:1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKlatin;rport\r\n\
        From: \"J\xf6rg M\xfcller\" <sip:13812345678@x>;tag=c\r\nTo: <sip:1@10.0.0.1>\r\nCall-ID: latin\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:13812345678@10.0.0.9:5070>\r\nContent-Length: 5\r\n\r\noffer";
    hear(&mut endpoint, Message::parse(invite).unwrap(), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    assert_eq!(incoming.caller, "13812345678");
    endpoint.answer(incoming.call, "answer", now);
    let said = sent(&mut endpoint);
    assert_eq!(said[0].start, StartLine::Response { code: 200 });
    assert_eq!(said[0].tag("from"), Some("c"));
}

// A4: who calls us and asks for our password gets none, whatever he answers to our requests in his call.
#[test]
fn no_password_goes_to_who_called_us() {
    let start = Instant::now();
    let challenge =
        "WWW-Authenticate: Digest realm=\"c\", nonce=\"n\"\r\nProxy-Authenticate: Digest realm=\"c\", nonce=\"n\"\r\n";
    for code in [401, 407] {
        let mut endpoint = endpoint();
        // We have one, for a carrier.
        let _ = endpoint.ask(outgoing::target(Transport::Udp), Question::Options, start);
        let fields = "Session-Expires: 90;refresher=uas\r\nAllow: UPDATE\r\n";
        let (call, _) = timed_among(&mut endpoint, fields, start);
        endpoint.handle_timeout(start + Duration::from_secs(45));
        let asked: Vec<Message> = sent(&mut endpoint).into_iter().filter(|said| said.method() == "UPDATE").collect();
        for request in &asked {
            hear(&mut endpoint, answer(request, code, challenge, ""), start + Duration::from_secs(45));
        }
        endpoint.hang_up(call, start + Duration::from_secs(46));
        let bye: Vec<Message> = sent(&mut endpoint).into_iter().filter(|said| said.method() == "BYE").collect();
        hear(&mut endpoint, answer(&bye[0], code, challenge, ""), start + Duration::from_secs(46));
        let all = asked.into_iter().chain(bye).chain(sent(&mut endpoint));
        let leaks =
            all.filter(|said| said.header("authorization").is_some() || said.header("proxy-authorization").is_some());
        assert_eq!(leaks.count(), 0);
    }
}

/// As [`timed`], while other things are under way.
fn timed_among(endpoint: &mut Endpoint, fields: &str, now: Instant) -> (CallKey, Message) {
    sent(endpoint);
    timed(endpoint, fields, now)
}

// RFC 5118 §4: addresses of IPv6 wherever a host may stand; the malformed one of §4.5 with three colons breaks nothing.
#[test]
fn addresses_of_ipv6_are_read_and_written() {
    let now = Instant::now();
    let via6 = Source {
        transport: Transport::Udp,
        peer: "[2001:db8::9]:5070".parse().unwrap(),
        local: "[2001:db8::10]:5060".parse().unwrap(),
    };
    let cases = [
        ("§4.1", "OPTIONS sip:[2001:db8::10] SIP/2.0", "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK1", "200"),
        ("§4.2", "OPTIONS sip:2001:db8::10 SIP/2.0", "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK2", "400"),
        ("§4.3", "OPTIONS sip:[2001:db8::10:5070] SIP/2.0", "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK3", "200"),
        ("§4.4", "OPTIONS sip:[2001:db8::10]:5070 SIP/2.0", "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK4", "200"),
        (
            "§4.5",
            "OPTIONS sip:[2001:db8::10] SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bK5",
            "200",
        ),
        (
            "§4.5",
            "OPTIONS sip:[2001:db8::10] SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8:::9;branch=z9hG4bK6",
            "200",
        ),
        (
            "§4.10",
            "OPTIONS sip:a@[::ffff:192.0.2.10] SIP/2.0",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bK7",
            "200",
        ),
    ];
    for (section, line, via, code) in cases {
        let mut endpoint = endpoint();
        let text = format!(
            "{line}\r\n{via}\r\nFrom: <sip:a@[2001:db8::9]>;tag=1\r\nTo: <sip:b@[2001:db8::10]:5060;transport=udp>\r\n\
             Call-ID: 6\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        endpoint.handle(via6, Message::parse(text.as_bytes()).unwrap(), now);
        let said = endpoint.poll_transmit().unwrap();
        let answered = Message::parse(&said.bytes).unwrap();
        assert_eq!(answered.start, StartLine::Response { code: code.parse().unwrap() }, "{section} {via}");
        assert!(answered.header("via").unwrap().contains(";received=2001:db8::9"), "{section}");
        assert_eq!(said.to.peer, "[2001:db8::9]:5060".parse().unwrap(), "{section}: no rport was asked for");
    }
    // A call by it: §4.8, and its end goes where the Contact says.
    let mut endpoint = endpoint();
    let text = "INVITE sip:1@[2001:db8::10] SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::9]:5071;branch=z9hG4bKc\r\n\
        From: <sip:a@[2001:db8::9]>;tag=1\r\nTo: <sip:1@[2001:db8::10]>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:a@[2001:db8::9]:5072>\r\nContent-Length: 5\r\n\r\noffer";
    endpoint.handle(via6, Message::parse(text.as_bytes()).unwrap(), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    endpoint.answer(incoming.call, "answer", now);
    let ok = sent(&mut endpoint).remove(0);
    assert_eq!(ok.uri("contact"), Some("sip:huitong@[2001:db8::10]:5060"));
    let ack = text.replace("INVITE sip", "ACK sip").replace("1 INVITE", "1 ACK").replace("offer", "     ");
    let ack =
        ack.replace("@[2001:db8::10]>\r\nCall", &format!("@[2001:db8::10]>;tag={}\r\nCall", ok.tag("to").unwrap()));
    endpoint.handle(via6, Message::parse(ack.as_bytes()).unwrap(), now);
    endpoint.hang_up(incoming.call, now);
    assert_eq!(endpoint.poll_transmit().unwrap().to.peer, "[2001:db8::9]:5072".parse().unwrap());
}

// RFC 3261 §17.2.1: else each acknowledgement would bring another refusal
#[test]
fn a_refusal_is_repeated_to_who_asks_again_and_not_to_who_acknowledges_it() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let of = |method: &str| {
        let text = format!(
            "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKr;rport\r\nFrom: <sip:a@x>;tag=c\r\n\
             To: <sip:1@h>\r\nCall-ID: r\r\nCSeq: 1 {method}\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    let mut said = |method: &str| {
        endpoint.handle(source(Transport::Udp), of(method), now);
        lines(&mut endpoint)
    };
    // Without a Contact.
    assert_eq!(
        [said("INVITE"), said("INVITE"), said("ACK"), said("INVITE"), said("ACK")].concat(),
        ["400", "400", "400"]
    );
}
