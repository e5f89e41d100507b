use super::*;
use crate::digest::{Challenge, Proven};

fn registrar(sha256: bool) -> Endpoint {
    Endpoint::new(EndpointConfig {
        announced: "10.0.0.1".parse().unwrap(),
        seed: 1,
        realm: "house".to_owned(),
        accounts: vec![Credentials { user: "8001".to_owned(), password: "secret".to_owned() }],
        sha256,
        limits: Limits::default(),
    })
}

fn register(branch: u32, user: &str, fields: &str) -> Message {
    let text = format!(
        "REGISTER sip:house SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKr{branch};rport\r\n\
         From: <sip:{user}@house>;tag=c\r\nTo: <sip:{user}@house>\r\nCall-ID: reg\r\nCSeq: {branch} REGISTER\r\n{fields}\
         Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap()
}

fn ask(endpoint: &mut Endpoint, message: Message, now: Instant) -> Message {
    endpoint.handle(source(Transport::Udp), message, now);
    sent(endpoint).pop().unwrap()
}

fn code(message: &Message) -> u16 {
    let StartLine::Response { code } = message.start else { panic!("{message:?}") };
    code
}

/// The field that answers a challenge.
fn proof(challenged: &Message, user: &str, password: &str, count: u32) -> String {
    let challenge = Challenge::best(challenged.headers("www-authenticate")).unwrap();
    let credentials = Credentials { user: user.to_owned(), password: password.to_owned() };
    let proven = Proven { method: "REGISTER", uri: "sip:house", body: b"" };
    format!("Authorization: {}\r\n", challenge.answer(&credentials, proven, count, "c"))
}

const CONTACT: &str = "Contact: <sip:8001@10.0.0.9:5070>;expires=120\r\n";

// product: P12; RFC 3261 §10.3
#[test]
fn a_telephone_registers_is_found_and_goes() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    assert_eq!((code(&challenged), challenged.headers("www-authenticate").count()), (401, 2));
    assert!(endpoint.bindings("8001", now).is_empty());
    let good = proof(&challenged, "8001", "secret", 1);
    let answer = ask(&mut endpoint, register(2, "8001", &format!("{good}{CONTACT}")), now);
    assert_eq!((code(&answer), answer.header("contact")), (200, Some("<sip:8001@10.0.0.9:5070>;expires=120")));
    let [binding] = &endpoint.bindings("8001", now)[..] else { panic!("one telephone") };
    assert_eq!((binding.uri.as_str(), binding.way), ("sip:8001@10.0.0.9:5070", source(Transport::Udp)));
    assert!(endpoint.bindings("8001", now + Duration::from_secs(120)).is_empty(), "its time is over");
    assert_eq!(endpoint.poll_event(), Some(Event::Registered("8001".to_owned())));
    // A server that begins anew is told of it, and of none whose account is gone.
    let mut restarted = registrar(true);
    restarted.restore("8001", binding.clone());
    restarted.restore("8009", binding.clone());
    assert_eq!(restarted.bindings("8001", now), std::slice::from_ref(binding));
    assert!(restarted.bindings("8009", now).is_empty());
    // The same proof again is worth nothing; the next count of the nonce is.
    let again = ask(&mut endpoint, register(3, "8001", &format!("{good}{CONTACT}")), now);
    assert!(again.header("www-authenticate").unwrap().contains("stale=true"));
    let second = proof(&challenged, "8001", "secret", 2);
    let gone = ask(&mut endpoint, register(4, "8001", &format!("{second}Contact: *\r\nExpires: 0\r\n")), now);
    assert_eq!((code(&gone), gone.header("contact")), (200, None));
    assert!(endpoint.bindings("8001", now).is_empty());
}

// product: P12
#[test]
fn passwords_are_not_guessed_and_nobody_registers_another() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    let of_other = proof(&challenged, "8001", "secret", 1);
    assert_eq!(code(&ask(&mut endpoint, register(2, "8002", &format!("{of_other}{CONTACT}")), now)), 403);
    for guess in 3..12 {
        let wrong = proof(&challenged, "8001", &guess.to_string(), guess);
        assert_eq!(code(&ask(&mut endpoint, register(guess, "8001", &format!("{wrong}{CONTACT}")), now)), 403);
    }
    let right = proof(&challenged, "8001", "secret", 99);
    let asked = register(20, "8001", &format!("{right}{CONTACT}"));
    assert_eq!(code(&ask(&mut endpoint, asked, now)), 403, "ten wrong ones from there");
    let later = now + Duration::from_secs(61);
    let asked = register(21, "8001", &format!("{right}{CONTACT}"));
    assert_eq!(code(&ask(&mut endpoint, asked, later)), 200);
}

// RFC 8760 §2.4
#[test]
fn telephones_that_know_but_one_hash_are_asked_for_that() {
    let mut endpoint = registrar(false);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), Instant::now());
    let asked: Vec<_> = challenged.headers("www-authenticate").collect();
    assert!(asked.len() == 1 && asked[0].contains("algorithm=MD5"), "{asked:?}");
}

// product: P12
#[test]
fn one_account_is_at_five_places_at_most() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", ""), now);
    for place in 2..9 {
        let good = proof(&challenged, "8001", "secret", place);
        let contact = format!("Contact: <sip:8001@10.0.0.{place}>;expires=10\r\n");
        assert_eq!(code(&ask(&mut endpoint, register(place, "8001", &format!("{good}{contact}")), now)), 200);
    }
    let places = endpoint.bindings("8001", now + Duration::from_secs(59));
    assert_eq!(places.len(), 5, "at least a minute each");
    assert_eq!(places[0].uri, "sip:8001@10.0.0.8", "the newest first");
}

// product: P12; RFC 3581, RFC 5626: a telephone behind a NAT that gave it another port is called by the new one.
#[test]
fn a_telephone_that_registers_from_another_port_is_called_there() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    let good = proof(&challenged, "8001", "secret", 1);
    ask(&mut endpoint, register(2, "8001", &format!("{good}{CONTACT}")), now);
    let moved = Source { peer: "10.0.0.9:6000".parse().unwrap(), ..source(Transport::Udp) };
    // Its count of the nonce goes on beyond what two digits hold.
    let good = proof(&challenged, "8001", "secret", 0x100);
    endpoint.handle(moved, register(3, "8001", &format!("{good}{CONTACT}")), now);
    let answered = endpoint.poll_transmit().unwrap();
    assert!(answered.to == moved && answered.bytes.starts_with(b"SIP/2.0 200"));
    assert!(String::from_utf8(answered.bytes).unwrap().contains("received=10.0.0.9;rport=6000"));
    let [binding] = &endpoint.bindings("8001", now)[..] else { panic!("one telephone") };
    assert_eq!(binding.way, moved);
}

// RFC 3325 §5, RFC 3323
#[test]
fn who_calls_is_whom_his_carrier_asserts_and_nobody_elses_word_counts() {
    let now = Instant::now();
    let check = |endpoint: &mut Endpoint, fields: &str, expected: &str| {
        let text = format!(
            "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{0};rport\r\nFrom: <sip:13812345678@x>;tag=c\r\n\
             To: <sip:1@h>\r\nCall-ID: {0}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@10.0.0.9>\r\n{fields}Content-Length: 5\r\n\r\noffer",
            fields.len()
        );
        endpoint.handle(source(Transport::Udp), Message::parse(text.as_bytes()).unwrap(), now);
        let caller = events(endpoint).into_iter().find_map(|event| match event {
            Event::Incoming(incoming) => Some(incoming.caller),
            _ => None,
        });
        assert_eq!(caller.as_deref(), Some(expected), "{fields}");
    };
    let asserted = "P-Asserted-Identity: \"Li Lei\" <tel:+8613900001111>\r\n";
    let mut stranger = endpoint();
    check(&mut stranger, asserted, "13812345678");
    // A telephone of ours that we call is no carrier; whom we ask whether he is there is one.
    stranger.call(outgoing::target(Transport::Udp), "offer", now);
    check(&mut stranger, &format!("{asserted}User-Agent: a\r\n"), "13812345678");
    stranger.ask(outgoing::target(Transport::Udp), Question::Options, now);
    let mut carrier = stranger;
    check(&mut carrier, &format!("{asserted}User-Agent: ab\r\n"), "+8613900001111");
    check(&mut carrier, "P-Asserted-Identity: <sip:alice@h>, <sip:+861@h>\r\n", "alice");
    check(&mut carrier, "P-Asserted-Identity: nonsense\r\n", "13812345678");
    check(&mut carrier, &format!("{asserted}Privacy: id;critical\r\n"), "13812345678");
}

// product: P12; RFC 3327 §5.3: who registered by proxies is called by them
#[test]
fn a_telephone_behind_proxies_is_called_by_them() {
    let now = Instant::now();
    let mut endpoint = registrar(false);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    let path = "Path: <sip:edge.example.org;lr>, <sip:core.example.org;lr>\r\nPath: <sip:own.example.org;lr>\r\n\
                Supported: path\r\nRequire: path\r\n";
    let fields = format!("{}{path}{CONTACT}", proof(&challenged, "8001", "secret", 1));
    let answer = ask(&mut endpoint, register(2, "8001", &fields), now);
    let way = ["<sip:edge.example.org;lr>", "<sip:core.example.org;lr>", "<sip:own.example.org;lr>"];
    assert_eq!((code(&answer), answer.headers("path").collect::<Vec<_>>()), (200, way.to_vec()));
    let [binding] = &endpoint.bindings("8001", now)[..] else { panic!("one telephone") };
    let target = Target {
        way: binding.way,
        uri: binding.uri.clone(),
        from: "sip:huitong@house".to_owned(),
        to: "sip:8001@house".to_owned(),
        contact: "huitong".to_owned(),
        call_id: String::new(),
        credentials: None,
        replaces: None,
        routes: binding.path.clone(),
    };
    let call = endpoint.call(target, "offer", now).unwrap();
    let invite = sent(&mut endpoint).pop().unwrap();
    assert_eq!(invite.headers("route").collect::<Vec<_>>(), way);
    // What belongs to the request goes the same way (RFC 3261 §9.1, §17.1.1.3).
    let ringing = outgoing::answer(&invite, 180, "", "");
    endpoint.handle(source(Transport::Udp), ringing, now);
    endpoint.hang_up(call, now);
    let cancel = sent(&mut endpoint).pop().unwrap();
    assert_eq!((cancel.method(), cancel.headers("route").collect::<Vec<_>>()), ("CANCEL", way.to_vec()));
    // Whoever names a hundred has eight.
    let many = "Path: <sip:p.example.org;lr>\r\n".repeat(100);
    let fields = format!("{}{many}{CONTACT}", proof(&challenged, "8001", "secret", 2));
    assert_eq!(ask(&mut endpoint, register(3, "8001", &fields), now).headers("path").count(), 8);
}
