use super::*;
use crate::{
    digest::{Challenge, Proven},
    endpoint::registrar::{KEEP_OPEN_S, thousandths},
};

fn registrar(sha256: bool) -> Endpoint {
    Endpoint::new(EndpointConfig {
        announced: vec!["10.0.0.1".parse().unwrap()],
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
    let challenge = Challenge::best(challenged.headers("www-authenticate"), None).unwrap();
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

// RFC 7616 §3.4: nc is hexadecimal, and may skip.
#[test]
fn a_nonces_count_is_read_as_it_is_written_and_only_grows() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    for (branch, count, written, expected) in
        [(2, 9, "00000009", 200), (3, 0x10a, "0000010a", 200), (4, 0x109, "00000109", 401), (5, 0x10b, "0000010b", 200)]
    {
        let proof = proof(&challenged, "8001", "secret", count);
        assert!(proof.contains(&format!("nc={written}")), "{proof}");
        let answer = ask(&mut endpoint, register(branch, "8001", &format!("{proof}{CONTACT}")), now);
        assert_eq!(code(&answer), expected, "{written}");
    }
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

// reliability: A11; product: P12: nothing is told of them, so that nobody asks a database, and who is right elsewhere comes in
#[test]
fn of_a_thousand_passwords_ten_a_minute_are_looked_at_and_nobody_hears_of_them() {
    let start = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), start);
    let mut branch = 1;
    let mut tries = |endpoint: &mut Endpoint, password: &str, from: u8, at: Duration| {
        branch += 1;
        let fields = format!("{}{CONTACT}", proof(&challenged, "8001", password, branch));
        let peer = (IpAddr::from([10, 0, 0, from]), 5070).into();
        endpoint.handle(Source { peer, ..source(Transport::Udp) }, register(branch, "8001", &fields), start + at);
        let code = code(&sent(endpoint).pop().unwrap());
        (code, endpoint.poll_event())
    };
    let second = Duration::from_secs_f64;
    // Twenty a second, of which the eleventh would be right, and all that follow.
    for n in 0..1_000 {
        let at = second(f64::from(n) / 20.0);
        let password = if n < 10 { "guess" } else { "secret" };
        assert_eq!(tries(&mut endpoint, password, 66, at), (403, None), "{n}");
        if n % 100 == 0 {
            let (code, told) = tries(&mut endpoint, "secret", 9, at);
            assert!(code == 200 && told == Some(Event::Registered("8001".to_owned())), "{n}: from elsewhere");
        }
    }
    assert_eq!(tries(&mut endpoint, "guess", 66, second(61.0)).0, 403);
    assert_eq!(tries(&mut endpoint, "secret", 66, second(61.0)).0, 200, "a minute later it begins anew");
    // From five thousand addresses at once: what is kept of them has a bound.
    for n in 0..5_000_u32 {
        let peer = (IpAddr::from((0x0a01_0000 + n).to_be_bytes()), 5070).into();
        let fields = format!("{}{CONTACT}", proof(&challenged, "8001", "guess", 5_000 + n));
        let asked = register(10_000 + n, "8001", &fields);
        endpoint.handle(Source { peer, ..source(Transport::Udp) }, asked, start + second(62.0));
        assert_eq!((code(&sent(&mut endpoint).pop().unwrap()), endpoint.poll_event()), (403, None));
    }
    assert_eq!(endpoint.registrar.counted(), (4_096, 4_096));
    assert_eq!(tries(&mut endpoint, "guess", 9, second(130.0)).0, 403);
    assert_eq!(endpoint.registrar.counted(), (1, 1), "and they are forgotten");
}

// reliability: A11; product: P12
#[test]
fn one_telephone_with_an_old_password_shuts_out_no_other_of_its_office_and_who_tries_all_names_is_heard_no_more() {
    let start = Instant::now();
    let credentials = |n: u32| Credentials { user: (8_000 + n).to_string(), password: "secret".to_owned() };
    let mut endpoint = registrar(true);
    endpoint.config.accounts = (0..200).map(credentials).collect();
    let trusted = vec!["10.0.2.0/24".parse().unwrap()];
    endpoint.guard = Guard::new(Limits { trusted, ..Limits::default() });
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), start);
    let mut branch = 1;
    let mut tries = |endpoint: &mut Endpoint, host: [u8; 4], user: u32, password: &str, now: Instant| {
        branch += 1;
        let user = (8_000 + user).to_string();
        let fields = format!("{}{CONTACT}", proof(&challenged, &user, password, branch));
        let peer = (IpAddr::from(host), 5070).into();
        endpoint.handle(Source { peer, ..source(Transport::Udp) }, register(branch, &user, &fields), now);
        code(&sent(endpoint).pop().unwrap())
    };
    let (office, front, elsewhere) = ([10, 0, 1, 1], [10, 0, 2, 1], [10, 0, 3, 1]);
    for host in [office, front] {
        for _ in 0..50 {
            assert_eq!(tries(&mut endpoint, host, 1, "old", start), 403);
        }
        assert_eq!(tries(&mut endpoint, host, 1, "secret", start), 403, "fifty guesses of one account");
        assert_eq!(tries(&mut endpoint, host, 2, "secret", start), 200, "the telephone beside it");
    }
    assert_eq!(tries(&mut endpoint, elsewhere, 1, "secret", start), 200, "his other telephone");
    // Nine of each name: no account is shut out, and the host is. Ten were counted before.
    let mut heard = 0;
    for user in 3..50 {
        for _ in 0..9 {
            assert_eq!(tries(&mut endpoint, office, user, "guess", start), 403);
        }
        heard += u32::from(tries(&mut endpoint, office, user, "secret", start) == 200);
    }
    assert_eq!(heard, 9, "of a hundred wrong ones, ten are of one account");
    for user in 3..50 {
        for _ in 0..9 {
            assert_eq!(tries(&mut endpoint, front, user, "guess", start), 403);
        }
        assert_eq!(tries(&mut endpoint, front, user, "secret", start), 200, "a proxy's others aren't he");
    }
    let later = start + Duration::from_secs(60);
    assert_eq!(tries(&mut endpoint, office, 20, "secret", later), 200);
}

// product: P12; RFC 3261 §10.2.1.2, §16.6, §20.10
#[test]
fn telephones_ring_in_the_order_their_owner_wants() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let challenged = ask(&mut endpoint, register(1, "8001", ""), now);
    let places = "Contact: <sip:desk@10.0.0.1>;q=0.7, <sip:room@10.0.0.2>;q=0.25\r\n\
        Contact: <sip:new@10.0.0.3>;q=0.7;expires=300, <sip:pocket@10.0.0.4>, <sip:odd@10.0.0.5>;q=7.5\r\n";
    let good = proof(&challenged, "8001", "secret", 1);
    let answer = ask(&mut endpoint, register(2, "8001", &format!("{good}{places}")), now);
    let users = |endpoint: &Endpoint| -> Vec<_> {
        let user = |binding: Binding| binding.uri["sip:".len()..].split('@').next().unwrap().to_owned();
        endpoint.bindings("8001", now).into_iter().map(user).collect()
    };
    // What is no q is none.
    assert_eq!(users(&endpoint), ["odd", "pocket", "new", "desk", "room"]);
    let told: Vec<_> = answer.headers("contact").collect();
    assert!(told.contains(&"<sip:room@10.0.0.2>;expires=3600;q=0.250"), "{told:?}");
    assert!(told.contains(&"<sip:pocket@10.0.0.4>;expires=3600"), "{told:?}");
    let good = proof(&challenged, "8001", "secret", 2);
    let again = "Contact: <sip:odd@10.0.0.5>;q=0.0, <sip:room@10.0.0.2>;q=1.000\r\n";
    ask(&mut endpoint, register(3, "8001", &format!("{good}{again}")), now);
    assert_eq!(users(&endpoint), ["room", "pocket", "new", "desk", "odd"], "as it was said last");
    for (q, expected) in
        [("0", Some(0)), ("0.5", Some(500)), ("0.123", Some(123)), ("1.", Some(1_000)), ("1.0", Some(1_000))]
    {
        assert_eq!(thousandths(q), expected, "{q}");
    }
    for q in ["", "1.001", "2", "-0", "0.1234", "0.x", "+1", ".5"] {
        assert_eq!(thousandths(q), None, "{q}");
    }
}

// product: P12; RFC 3261 §10.3: two thousand telephones at five places each are found, and nobody holds more
#[test]
fn ten_thousand_places_are_known_and_a_sixth_of_one_account_puts_out_its_oldest() {
    let now = Instant::now();
    let users: Vec<_> = (0..2_000).map(|n| format!("{}", 800_000 + n)).collect();
    let accounts = users.iter().map(|user| Credentials { user: user.clone(), password: "secret".to_owned() });
    let mut endpoint = registrar(false);
    endpoint.config.accounts = accounts.collect();
    let (mut branch, mut count) = (1, 0);
    let challenged = ask(&mut endpoint, register(branch, &users[0], ""), now);
    let mut comes = |endpoint: &mut Endpoint, user: &str, place: usize| {
        (branch, count) = (branch + 1, count + 1);
        let good = proof(&challenged, user, "secret", count);
        let contact = format!("Contact: <sip:{user}@10.1.0.{place}>;expires=3600\r\n");
        assert_eq!(code(&ask(endpoint, register(branch, user, &format!("{good}{contact}")), now)), 200);
    };
    for place in 1..=5 {
        users.iter().for_each(|user| comes(&mut endpoint, user, place));
    }
    let places = |endpoint: &Endpoint, user: &str| -> Vec<_> {
        endpoint.bindings(user, now).into_iter().map(|binding| binding.uri).collect()
    };
    let of = |user: &str, places: [usize; 5]| places.map(|place| format!("sip:{user}@10.1.0.{place}")).to_vec();
    assert_eq!(users.iter().map(|user| endpoint.bindings(user, now).len()).sum::<usize>(), 10_000);
    assert!(users.iter().all(|user| places(&endpoint, user) == of(user, [5, 4, 3, 2, 1])));
    comes(&mut endpoint, &users[7], 6);
    assert_eq!(places(&endpoint, &users[7]), of(&users[7], [6, 5, 4, 3, 2]));
    assert_eq!(users.iter().map(|user| endpoint.bindings(user, now).len()).sum::<usize>(), 10_000);
}

// RFC 8760 §2.4
#[test]
fn telephones_that_know_but_one_hash_are_asked_for_that() {
    let mut endpoint = registrar(false);
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), Instant::now());
    let asked: Vec<_> = challenged.headers("www-authenticate").collect();
    assert!(asked.len() == 1 && asked[0].contains("algorithm=MD5"), "{asked:?}");
}

// product: P12; RFC 5626 §6: a telephone that comes back from another network is at one place, and calls ring there
#[test]
fn a_telephone_that_names_itself_is_at_one_place_wherever_it_comes_from() {
    let now = Instant::now();
    let mut endpoint = registrar(false);
    let challenged = ask(&mut endpoint, register(1, "8001", ""), now);
    let mut registers = |count: u32, host: &str, instance: &str, way: u32, supports: &str| {
        let good = proof(&challenged, "8001", "secret", count);
        let contact = format!(
            "Contact: \"<a>\" <sip:8001@{host};ob>;expires=120;+sip.instance=\"<urn:uuid:{instance}>\";reg-id={way}\r\n"
        );
        let answer = ask(&mut endpoint, register(count + 1, "8001", &format!("{good}{contact}{supports}")), now);
        assert_eq!(code(&answer), 200);
        let places = endpoint.bindings("8001", now);
        assert!(places[0].expires == now + Duration::from_secs(120), "its own time, whatever stands behind it");
        let places: Vec<_> = places.into_iter().map(|place| place.uri).collect();
        (places, answer.header("require").is_some() && answer.header("flow-timer").is_some())
    };
    let outbound = "Supported: path, outbound\r\n";
    let [home, office, mobile] = ["h", "o", "m"].map(|host| format!("sip:8001@{host};ob"));
    assert_eq!(registers(1, "h", "one", 1, outbound), (vec![home.clone()], true));
    assert_eq!(registers(2, "o", "one", 1, outbound), (vec![office.clone()], true), "it has moved");
    assert_eq!(registers(3, "h", "one", 2, outbound), (vec![home.clone(), office.clone()], true), "another way to it");
    let all = vec![mobile, home, office];
    assert_eq!(registers(4, "m", "two", 1, outbound), (all, true), "another telephone");
    let (places, is_flow) = registers(5, "x", "one", 1, "");
    assert_eq!((places.len(), is_flow), (4, false), "who doesn't say that he can is taken at his address alone");
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

// product: P11, P12; RFC 5626 §4.4: a telephone that knows nothing of NATs is called through one all the same.
#[test]
fn the_way_to_a_telephone_behind_a_nat_is_kept_open_and_whoever_answers_there_is_no_carrier() {
    let now = Instant::now();
    let asked = |contact: &str, supported: &str| {
        let mut endpoint = registrar(true);
        let challenged = ask(&mut endpoint, register(1, "8001", contact), now);
        let good = proof(&challenged, "8001", "secret", 1);
        let answer = ask(&mut endpoint, register(2, "8001", &format!("{good}{supported}{contact}")), now);
        assert_eq!(code(&answer), 200);
        let mut seconds = Vec::new();
        for second in 0..2 * KEEP_OPEN_S {
            endpoint.keep_open(second, now + Duration::from_secs(second.into()));
            while let Some(transmit) = endpoint.poll_transmit() {
                assert!(transmit.bytes.starts_with(b"OPTIONS sip:8001@"));
                assert_eq!(transmit.to, source(Transport::Udp));
                seconds.push(second);
            }
        }
        assert_eq!(endpoint.poll_timeout(), None, "nothing is said again");
        assert!(!endpoint.guard.is_believed(source(Transport::Udp).peer.ip()));
        seconds
    };
    let behind = "Contact: <sip:8001@192.168.1.7:5060>;expires=3600\r\n";
    let seconds = asked(behind, "");
    assert!(matches!(seconds[..], [first, second] if second - first == KEEP_OPEN_S), "{seconds:?}");
    assert_eq!(asked("Contact: <sip:8001@10.0.0.9:7000>;expires=3600\r\n", "").len(), 2, "another port");
    assert_eq!(asked("Contact: <sip:8001@desk.example>;expires=3600\r\n", "").len(), 2, "nobody knows");
    assert_eq!(asked("Contact: <sip:8001@10.0.0.9:5070>;expires=3600\r\n", ""), [], "where it says");
    let asks_itself = behind.replace(">;", ">;+sip.instance=\"<urn:uuid:1>\";reg-id=1;");
    assert_eq!(asked(&asks_itself, "Supported: outbound\r\n"), [], "it keeps its own way open");
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
            Event::Incoming(incoming) => Some((incoming.caller, incoming.identity)),
            _ => None,
        });
        let (caller, identity) = caller.unwrap();
        assert_eq!(caller, expected, "{fields}");
        identity
    };
    let asserted = "P-Asserted-Identity: \"Li Lei\" <tel:+8613900001111>\r\n";
    let known = Identity::Asserted("+8613900001111".to_owned());
    let mut stranger = endpoint();
    assert_eq!(check(&mut stranger, asserted, "13812345678"), Identity::Written);
    // A telephone of ours that we call is no carrier; whom we ask whether he is there is one.
    stranger.call(outgoing::target(Transport::Udp), "offer", now);
    assert_eq!(check(&mut stranger, &format!("{asserted}User-Agent: a\r\n"), "13812345678"), Identity::Written);
    stranger.ask(outgoing::target(Transport::Udp), Question::Options, now);
    let mut carrier = stranger;
    assert_eq!(check(&mut carrier, &format!("{asserted}User-Agent: ab\r\n"), "+8613900001111"), known);
    check(&mut carrier, "P-Asserted-Identity: <sip:alice@h>, <sip:+861@h>\r\n", "alice");
    assert_eq!(check(&mut carrier, "P-Asserted-Identity: nonsense\r\n", "13812345678"), Identity::Brought);
    // Who hides is counted by who he is all the same.
    assert_eq!(check(&mut carrier, &format!("{asserted}Privacy: id;critical\r\n"), "13812345678"), known);
}

// product: P7, P12; reliability: A2
#[test]
fn where_strangers_are_kept_out_carriers_and_telephones_of_the_house_call() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    endpoint.guard = Guard::new(Limits { no_strangers: true, ..Limits::default() });
    let mut calls = 0;
    let mut refused = |endpoint: &mut Endpoint, at: Instant| {
        calls += 1;
        let text = format!(
            "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKk{calls};rport\r\nFrom: <sip:1@x>;tag=c\r\n\
             To: <sip:1@h>\r\nCall-ID: k{calls}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@10.0.0.9>\r\nContent-Length: 5\r\n\r\noffer"
        );
        endpoint.handle(source(Transport::Udp), Message::parse(text.as_bytes()).unwrap(), at);
        let is_call = events(endpoint).iter().any(|event| matches!(event, Event::Incoming(_)));
        let is_refused = sent(endpoint).iter().any(|message| code(message) == 403);
        assert_ne!(is_call, is_refused);
        is_refused
    };
    assert!(refused(&mut endpoint, now));
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    assert!(refused(&mut endpoint, now), "asked for a password, and no more");
    let good = proof(&challenged, "8001", "secret", 1);
    ask(&mut endpoint, register(2, "8001", &format!("{good}{CONTACT}")), now);
    assert!(!refused(&mut endpoint, now));
    let later = now + Duration::from_secs(120);
    assert!(refused(&mut endpoint, later), "its registration is over");
    endpoint.ask(outgoing::target(Transport::Udp), Question::Options, later);
    sent(&mut endpoint);
    assert!(!refused(&mut endpoint, later), "a carrier of ours");
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
        to: "sip:8001@house".to_owned(),
        routes: binding.path.clone(),
        ..Target::new(binding.way, binding.uri.clone(), "sip:huitong@house", "huitong")
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

// product: P12; RFC 3261 §10.3 items 6 and 7
#[test]
fn a_registration_that_comes_late_or_is_none_changes_nothing() {
    let now = Instant::now();
    let mut endpoint = registrar(true);
    let mut nonce_uses = 0;
    let challenged = ask(&mut endpoint, register(1, "8001", CONTACT), now);
    let mut say = |endpoint: &mut Endpoint, number: u32, fields: &str| {
        nonce_uses += 1;
        let good = proof(&challenged, "8001", "secret", nonce_uses);
        let answer = ask(endpoint, register(number, "8001", &format!("{good}{fields}")), now);
        let left = endpoint.bindings("8001", now);
        (code(&answer), left.into_iter().map(|binding| binding.uri).collect::<Vec<_>>())
    };
    let here = vec!["sip:8001@10.0.0.9:5070".to_owned()];
    assert_eq!(say(&mut endpoint, 5, CONTACT), (200, here.clone()));
    assert_eq!(say(&mut endpoint, 4, "Contact: *\r\nExpires: 0\r\n"), (500, here.clone()), "it was overtaken");
    assert_eq!(say(&mut endpoint, 3, "Contact: <sip:8001@10.0.0.9:5070>;expires=0\r\n"), (500, here.clone()));
    assert_eq!(say(&mut endpoint, 2, ""), (200, here.clone()), "who only asks changes nothing");
    for all in ["", "Expires: 60\r\n", "Contact: <sip:8001@10.0.0.7>\r\nExpires: 0\r\n"] {
        assert_eq!(say(&mut endpoint, 6, &format!("Contact: *\r\n{all}")), (400, here.clone()), "{all}");
        endpoint.answers = Answers::default();
    }
    assert_eq!(say(&mut endpoint, 7, "Contact: *\r\nExpires: 0\r\n"), (200, vec![]));
}
