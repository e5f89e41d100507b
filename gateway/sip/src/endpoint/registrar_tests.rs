use super::*;
use crate::digest::Challenge;

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
    format!("Authorization: {}\r\n", challenge.answer(&credentials, "REGISTER", "sip:house", count, "c"))
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
