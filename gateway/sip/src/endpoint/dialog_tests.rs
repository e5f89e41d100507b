//! Within calls: offers before the answer, proofs, the last of a call.

use super::{
    outgoing::{answer, calling, hear, target},
    rfc::{CONTACT, reliable, theirs, without_offer},
    *,
};

// RFC 3311 §5.2: a carrier that moves the sound while it rings
#[test]
fn who_has_answered_while_he_rings_may_offer_anew_before_he_is_taken() {
    let now = Instant::now();
    let offers = |endpoint: &mut Endpoint, invite: &Message, cseq: u32, body: &str| {
        hear(endpoint, theirs(invite, "UPDATE", cseq, "t183", "", body), now);
    };
    let begun = |endpoint: &mut Endpoint| {
        let (call, invite) = calling(endpoint, now);
        hear(endpoint, answer(&invite, 183, &reliable(1), "early"), now);
        let prack = sent(endpoint).remove(0);
        hear(endpoint, answer(&prack, 200, "", ""), now);
        events(endpoint);
        (call, invite)
    };
    let taken = |invite: &Message| {
        let mut ok = answer(invite, 183, CONTACT, "as first said");
        ok.start = StartLine::Response { code: 200 };
        ok
    };
    let mut endpoint = endpoint();
    let (call, invite) = begun(&mut endpoint);
    offers(&mut endpoint, &invite, 1, "moved");
    assert_eq!(events(&mut endpoint), [Event::Reoffered(call, b"moved".to_vec())]);
    offers(&mut endpoint, &invite, 1, "moved");
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (Vec::<String>::new(), vec![]), "come again");
    offers(&mut endpoint, &invite, 2, "again");
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["500".to_owned()], vec![]), "one at a time");
    endpoint.answer_reoffer(call, Some("ours"), now);
    let ok = sent(&mut endpoint).remove(0);
    assert_eq!((&ok.start, ok.body.as_slice()), (&StartLine::Response { code: 200 }, b"ours".as_slice()));
    offers(&mut endpoint, &invite, 3, "unheard of");
    endpoint.answer_reoffer(call, None, now);
    assert_eq!(lines(&mut endpoint), ["488"]);
    events(&mut endpoint);
    hear(&mut endpoint, taken(&invite), now);
    assert_eq!(events(&mut endpoint), [Event::Answered(call, b"moved".to_vec())]);
    assert_eq!(lines(&mut endpoint), ["ACK"]);
    endpoint.handle_timeout(now + SESSION / 2);
    assert_eq!(sent(&mut endpoint)[0].body, b"ours", "what was said last is said again");

    // Taken before his offer is answered: it is still.
    let (call, invite) = begun(&mut endpoint);
    offers(&mut endpoint, &invite, 7, "moved");
    hear(&mut endpoint, taken(&invite), now);
    let told = [Event::Reoffered(call, b"moved".to_vec()), Event::Answered(call, b"moved".to_vec())];
    assert_eq!(events(&mut endpoint), told);
    lines(&mut endpoint);
    endpoint.answer_reoffer(call, Some("ours"), now);
    assert_eq!(sent(&mut endpoint)[0].body, b"ours");
    offers(&mut endpoint, &invite, 6, "old");
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["500".to_owned()], vec![]));
}

// RFC 3311 §5.2
#[test]
fn while_our_own_offer_waits_for_its_answer_there_is_no_second() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    hear(&mut endpoint, without_offer(1, ""), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    endpoint.answer(incoming.call, "ours", now);
    let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
    hear(&mut endpoint, with_lines("UPDATE", 2, &tag, "", "his"), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["491".to_owned()], vec![]));
}

// RFC 3261 §13.2.2.4, §12.2.1.2
#[test]
fn the_answer_to_a_refresh_is_acknowledged_each_time_and_moves_the_call() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    let (call, _) = timed(&mut endpoint, "Session-Expires: 90;refresher=uas\r\n", start);
    let half = start + Duration::from_secs(45);
    endpoint.handle_timeout(half);
    let refresh = sent(&mut endpoint).remove(0);
    assert_eq!(refresh.method(), "INVITE");
    let moved = "sip:elsewhere@10.0.0.9:5077";
    let taken = answer(&refresh, 200, &format!("Contact: <{moved}>\r\n"), "answer");
    for _ in 0..2 {
        hear(&mut endpoint, taken.clone(), half);
        let said = sent(&mut endpoint);
        let [ack] = &said[..] else { panic!("{said:?}") };
        assert_eq!((ack.method(), ack.cseq()), ("ACK", refresh.cseq().map(|(number, _)| (number, "ACK"))));
    }
    assert_eq!(events(&mut endpoint), [Event::Confirmed(call, b"answer".to_vec())], "once");
    endpoint.hang_up(call, half);
    let bye = endpoint.poll_transmit().unwrap();
    assert_eq!(bye.to.peer, "10.0.0.9:5077".parse().unwrap());
    let Ok(Message { start: StartLine::Request { uri, .. }, .. }) = Message::parse(&bye.bytes) else { panic!("a BYE") };
    assert_eq!(uri, moved);
}

// RFC 3261 §15
#[test]
fn who_has_not_acknowledged_our_answer_is_hung_up_when_he_has() {
    let start = Instant::now();
    let within = |method: &str, tag: &str| with_lines(method, 3, tag, "Content-Type: application/dtmf\r\n", "5");
    // The ACK comes, or never does, or he hangs up himself.
    for ends_by in ["ACK", "", "BYE"] {
        let mut endpoint = endpoint();
        let call = ringing(&mut endpoint, start);
        endpoint.answer(call, "answer", start);
        let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
        endpoint.hang_up(call, start);
        assert_eq!(lines(&mut endpoint), Vec::<String>::new());
        hear(&mut endpoint, request("INVITE", 1, "", "a"), start);
        assert_eq!(lines(&mut endpoint), ["200"], "the answer was lost");
        hear(&mut endpoint, within("INFO", &tag), start);
        hear(&mut endpoint, request("INVITE", 4, &tag, "r"), start);
        assert_eq!(lines(&mut endpoint), ["481", "481"], "it is over");
        let said = match ends_by {
            "" => repeats_until(&mut endpoint, "BYE"),
            method => {
                hear(&mut endpoint, request(method, if method == "ACK" { 1 } else { 5 }, &tag, "e"), start);
                lines(&mut endpoint)
            }
        };
        assert_eq!(said, [if ends_by == "BYE" { "200" } else { "BYE" }], "{ends_by}");
        hear(&mut endpoint, request("ACK", 1, &tag, "late"), start);
        assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (Vec::<String>::new(), vec![]));
    }
}

/// What is said besides repetitions of our answer, up to this.
fn repeats_until(endpoint: &mut Endpoint, last: &str) -> Vec<String> {
    let mut said = Vec::new();
    while said.last().is_none_or(|line| line != last) {
        let at = endpoint.poll_timeout().expect("more is to come");
        endpoint.handle_timeout(at);
        said.extend(lines(endpoint).into_iter().filter(|line| line != "200"));
    }
    said
}

// RFC 3261 §15.1.2
#[test]
fn a_caller_who_says_bye_while_it_rings_has_his_invite_answered() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let call = ringing(&mut endpoint, now);
    endpoint.ring(call, now);
    let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
    hear(&mut endpoint, request("BYE", 2, &tag, "c"), now);
    assert_eq!(
        (lines(&mut endpoint), events(&mut endpoint)),
        (vec!["200".into(), "487".into()], vec![Event::Canceled(call)])
    );
    hear(&mut endpoint, request("ACK", 1, &tag, "a"), now);
    assert_eq!(endpoint.poll_timeout(), None);
}

// RFC 3261 §12.2.2: how a carrier finds calls that are gone
#[test]
fn who_asks_by_options_whether_a_call_stands_is_told() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let (call, tag) = standing(&mut endpoint, now);
    let mut asked = 10;
    let mut ask = |endpoint: &mut Endpoint, tag: &str| {
        asked += 1;
        hear(endpoint, with_lines("OPTIONS", asked, tag, "", ""), now);
        lines(endpoint).pop()
    };
    assert_eq!(ask(&mut endpoint, "").as_deref(), Some("200"));
    assert_eq!(ask(&mut endpoint, &tag).as_deref(), Some("200"));
    assert_eq!(ask(&mut endpoint, "other").as_deref(), Some("481"));
    endpoint.hang_up(call, now);
    assert_eq!(lines(&mut endpoint), ["BYE"]);
    assert_eq!(ask(&mut endpoint, &tag).as_deref(), Some("481"));
    let (_, invite) = calling(&mut endpoint, now);
    hear(&mut endpoint, answer(&invite, 183, CONTACT, ""), now);
    hear(&mut endpoint, theirs(&invite, "OPTIONS", 1, "t183", "", ""), now);
    assert_eq!(lines(&mut endpoint), ["200"], "it rings");
}

// product: P7; RFC 3966, RFC 3325: trunks of IMS
#[test]
fn numbers_of_telephone_uris_are_numbers() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    // A carrier of ours.
    endpoint.ask(target(Transport::Udp), Question::Options, now);
    let invite = |asserted: &str| {
        let text = format!(
            "INVITE tel:+86-10-5555.0000 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKtel{};rport\r\n\
             From: <tel:+8613812345678;noa=x>;tag=c\r\nTo: <tel:55550000;phone-context=+8610>\r\nCall-ID: tel{0}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:10.0.0.9:5070>\r\n{asserted}Content-Length: 5\r\n\r\noffer",
            asserted.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    };
    let identity = Identity::Asserted("+8613900001111".to_owned());
    for (asserted, caller, identity) in [
        ("", "+8613812345678", Identity::Brought),
        ("P-Asserted-Identity: <tel:+86-139-0000-1111>\r\n", "+8613900001111", identity),
    ] {
        hear(&mut endpoint, invite(asserted), now);
        let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
        assert_eq!((incoming.dialled.as_str(), incoming.to.as_str()), ("+861055550000", "55550000"));
        assert_eq!((incoming.caller.as_str(), incoming.identity), (caller, identity));
    }
}

// RFC 3261 §22.2, §22.3
#[test]
fn what_a_carrier_wants_proven_within_a_call_of_ours_is_proven_once() {
    let start = Instant::now();
    for (code, asked, shown) in
        [(401, "WWW-Authenticate", "authorization"), (407, "Proxy-Authenticate", "proxy-authorization")]
    {
        let challenge = format!("{asked}: Digest realm=\"c\", nonce=\"n\", qop=\"auth\"\r\n");
        let mut endpoint = endpoint();
        let (call, invite) = calling(&mut endpoint, start);
        hear(&mut endpoint, answer(&invite, 183, &reliable(1), ""), start);
        let prove = |endpoint: &mut Endpoint, method: &str, now: Instant| {
            let of = |endpoint: &mut Endpoint| -> Vec<Message> {
                sent(endpoint).into_iter().filter(|said| said.method() == method).collect()
            };
            let first = of(endpoint);
            let [first] = &first[..] else { panic!("one {method}: {first:?}") };
            assert_eq!(first.header(shown), None, "{method}");
            hear(endpoint, answer(first, code, &challenge, ""), now);
            let second = of(endpoint);
            let [second] = &second[..] else { panic!("one more {method}: {second:?}") };
            assert!(second.header(shown).unwrap().contains("nonce=\"n\""), "{method}");
            assert_eq!((second.header("rack"), &second.body), (first.header("rack"), &first.body));
            assert!(
                second.cseq().unwrap().0 > first.cseq().unwrap().0 && second.branch() != first.branch(),
                "{method}"
            );
            second.clone()
        };
        let prack = prove(&mut endpoint, "PRACK", start);
        hear(&mut endpoint, answer(&prack, 200, "", ""), start);
        let fields = format!("{CONTACT}Session-Expires: 90;refresher=uac\r\nAllow: UPDATE\r\n");
        for (round, allow) in ["UPDATE", "INVITE"].into_iter().enumerate() {
            let now = start + Duration::from_secs(45) * u32::try_from(round).unwrap();
            if round == 0 {
                let mut ok = answer(&invite, 183, &fields, "answer");
                ok.start = StartLine::Response { code: 200 };
                hear(&mut endpoint, ok, now);
                sent(&mut endpoint);
            }
            let half = now + Duration::from_secs(45);
            endpoint.handle_timeout(half);
            let refresh = prove(&mut endpoint, allow, half);
            hear(&mut endpoint, answer(&refresh, 200, &fields, "answer"), half);
            let acks = sent(&mut endpoint);
            assert_eq!(acks.len(), usize::from(allow == "INVITE"));
            // §13.2.2.4
            assert!(acks.iter().all(|ack| ack.header(shown) == refresh.header(shown)));
            // From now on he takes no UPDATE.
            endpoint.calls.get_mut(call).unwrap().invite.keep(&["from", "to", "call-id"]);
        }
        endpoint.hang_up(call, start);
        let bye = prove(&mut endpoint, "BYE", start);
        hear(&mut endpoint, answer(&bye, code, &challenge, ""), start);
        assert_eq!(lines(&mut endpoint), Vec::<String>::new(), "the password is wrong");
    }
}

// RFC 3204, RFC 5621 §3.1: trunks of SIP-I
#[test]
fn a_description_that_comes_beside_others_is_found() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let isup = "--b\r\nContent-Type: application/isup;version=x\r\n\r\n\u{1}\u{2}\r\n";
    let sdp = "--b\r\nc: Application/SDP\r\nContent-Disposition: session\r\n\r\nv=0\r\no=x\r\n\r\n";
    let kind = "Content-Type: multipart/mixed;boundary=\"b\"\r\n";
    hear(&mut endpoint, with_lines("INVITE", 1, "", kind, &format!("{isup}{sdp}--b--\r\n")), now);
    let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
    assert_eq!(incoming.offer, b"v=0\r\no=x\r\n");
    let mut other = super::endpoint();
    hear(&mut other, with_lines("INVITE", 1, "", kind, &format!("{isup}--b--\r\n")), now);
    assert_eq!(lines(&mut other), ["415"]);
}

// RFC 3261 §12.2.1.1
#[test]
fn a_proxy_of_before_rfc_3261_is_asked_for_itself() {
    let now = Instant::now();
    let said = |routes: &str| {
        let mut endpoint = endpoint();
        hear(&mut endpoint, with_lines("INVITE", 1, "", routes, "offer"), now);
        let Some(Event::Incoming(incoming)) = endpoint.poll_event() else { panic!("no call") };
        endpoint.answer(incoming.call, "answer", now);
        let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
        hear(&mut endpoint, request("ACK", 1, &tag, "b"), now);
        endpoint.hang_up(incoming.call, now);
        let bye = sent(&mut endpoint).remove(0);
        let routes: Vec<String> = bye.headers("route").map(str::to_owned).collect();
        let StartLine::Request { uri, .. } = bye.start else { panic!("a BYE") };
        (uri, routes.join(" "))
    };
    let (him, strict, loose) = ("sip:13812345678@10.0.0.9:5070", "<sip:p;x=lr>", "<sip:q;lr=on>");
    let both = |first: &str, second: &str| said(&format!("Record-Route: {first}\r\nRecord-Route: {second}\r\n"));
    assert_eq!(both(loose, strict), (him.to_owned(), format!("{loose} {strict}")));
    assert_eq!(both(strict, loose), ("sip:p;x=lr".to_owned(), format!("{loose} <{him}>")));
}

// product: R3, RFC 5168 §3
#[test]
fn a_key_frame_is_asked_for_by_info_of_whom_it_means_something_to() {
    let now = Instant::now();
    let asked = |allow: &str| {
        let mut endpoint = endpoint();
        endpoint.handle(source(Transport::Udp), with_lines("INVITE", 1, "", allow, "offer"), now);
        let Some(Event::Incoming(Incoming { call, .. })) = endpoint.poll_event() else { panic!("no call") };
        endpoint.answer(call, "answer", now);
        let tag = sent(&mut endpoint)[0].tag("to").unwrap().to_owned();
        endpoint.handle(source(Transport::Udp), request("ACK", 1, &tag, "b"), now);
        assert_eq!(events(&mut endpoint), [Event::Confirmed(call, vec![])]);
        endpoint.want_keyframe(call, now);
        let said = sent(&mut endpoint);
        // Whatever he says to it, the call stands.
        if let Some(info) = said.first() {
            hear(&mut endpoint, answer(info, 415, "", ""), now);
            assert_eq!(events(&mut endpoint), []);
        }
        said
    };
    for allow in ["", "Allow: INVITE, INFO\r\n", "Allow: INVITE,ACK,BYE\r\nAllow: INFO\r\n"] {
        let said = asked(allow);
        let [info] = &said[..] else { panic!("{allow}: {said:?}") };
        assert_eq!((info.method(), info.header("content-type")), ("INFO", Some("application/media_control+xml")));
        let body = String::from_utf8_lossy(&info.body).into_owned();
        assert!(body.contains("<to_encoder><picture_fast_update/></to_encoder>"), "{body}");
    }
    assert!(asked("Allow: INVITE, ACK, BYE\r\n").is_empty());
}
