//! More calls than can be answered, in virtual time: who answers is a queue that takes so many a second, in the order they came.

use super::*;

/// Calls that can be answered in a second.
const CAPACITY: u32 = 200;

/// What is offered meanwhile, of that.
const TIMES: u32 = 4;

const TICK: Duration = Duration::from_millis(20);
const TICKS_A_SECOND: u32 = 50;

/// How long an answered caller stays: a second.
const STAYS: u32 = TICKS_A_SECOND;

/// Callers, and who answers them.
struct Crowd {
    endpoint: Endpoint,
    start: Instant,
    tick: u32,
    /// When each began to call.
    begun: Vec<u32>,
    waiting: VecDeque<CallKey>,
    /// Who hangs up when, with our tag.
    leaving: VecDeque<(u32, usize, String)>,
    answered: u32,
    refused: u32,
    ended: u32,
    /// From INVITE to its 200.
    slowest: Duration,
}

impl Crowd {
    fn now(&self) -> Instant {
        self.start + TICK * self.tick
    }

    fn say(&mut self, method: &str, caller: usize, cseq: u32, tag: &str, branch: &str) {
        let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
        let body = if method == "INVITE" { "offer" } else { "" };
        let text = format!(
            "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK{caller}{branch};rport\r\n\
             From: <sip:{caller}@x>;tag=c\r\nTo: <sip:1@h>{tag}\r\nCall-ID: {caller}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:{caller}@10.0.0.9:5070>\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let now = self.now();
        self.endpoint.handle(source(Transport::Udp), Message::parse(text.as_bytes()).unwrap(), now);
    }

    /// A tick: who comes, who goes, who is answered.
    fn run(&mut self, callers: u32) {
        self.tick += 1;
        for _ in 0..callers {
            self.begun.push(self.tick);
            self.say("INVITE", self.begun.len() - 1, 1, "", "i");
        }
        while self.leaving.front().is_some_and(|(at, ..)| *at <= self.tick) {
            let (_, caller, tag) = self.leaving.pop_front().unwrap();
            self.say("BYE", caller, 2, &tag, "b");
        }
        let now = self.now();
        self.endpoint.handle_timeout(now);
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Incoming(incoming) = event {
                self.waiting.push_back(incoming.call);
            }
        }
        for call in self.waiting.drain(..self.waiting.len().min((CAPACITY / TICKS_A_SECOND) as usize)) {
            self.endpoint.answer(call, "answer", now);
        }
        for message in sent(&mut self.endpoint) {
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Message) {
        let StartLine::Response { code } = message.start else { panic!("nobody is asked anything: {message:?}") };
        let caller: usize = message.header("call-id").unwrap().parse().unwrap();
        let tag = message.tag("to").unwrap_or_default().to_owned();
        let is_invite = message.header("cseq").unwrap().ends_with("INVITE");
        match code {
            100 => {}
            200 if is_invite => {
                self.answered += 1;
                self.slowest = self.slowest.max(TICK * (self.tick - self.begun[caller]));
                self.say("ACK", caller, 1, &tag, "a");
                self.leaving.push_back((self.tick + STAYS, caller, tag));
            }
            503 if is_invite => {
                assert_eq!(message.header("retry-after"), Some("10"));
                self.refused += 1;
                self.say("ACK", caller, 1, &tag, "i");
            }
            200 => self.ended += 1,
            _ => panic!("{code} to {caller}"),
        }
    }
}

// reliability: A2; RFC 3261 §21.5.4: four times what can be answered for twenty seconds
#[test]
fn of_four_times_too_many_calls_as_many_as_can_be_are_answered_soon_and_the_rest_at_once() {
    let mut crowd = Crowd {
        endpoint: endpoint(),
        start: Instant::now(),
        tick: 0,
        begun: Vec::new(),
        waiting: VecDeque::new(),
        leaving: VecDeque::new(),
        answered: 0,
        refused: 0,
        ended: 0,
        slowest: Duration::ZERO,
    };
    for second in 0..20 {
        for _ in 0..TICKS_A_SECOND {
            crowd.run(TIMES * CAPACITY / TICKS_A_SECOND);
        }
        // Who answers is never without work, and who waits is never more than may.
        assert_eq!(crowd.answered, CAPACITY * (second + 1), "in second {second}");
        // Who came within the last moment waits, too.
        let most = LATE_MAX as u32 + TIMES * CAPACITY / 5 + TIMES * CAPACITY / TICKS_A_SECOND;
        assert!(crowd.waiting.len() as u32 <= most, "{} wait", crowd.waiting.len());
        assert_eq!(crowd.answered + crowd.refused + crowd.waiting.len() as u32, crowd.begun.len() as u32);
        // Calls that stand are served whatever comes: each hung up when it wanted.
        assert_eq!(crowd.ended, CAPACITY * second, "in second {second}");
    }
    let most = Duration::from_secs_f64((LATE_MAX as f64 + f64::from(TIMES * CAPACITY) * 0.22) / f64::from(CAPACITY));
    assert!(crowd.slowest <= most, "{:?} until an answer", crowd.slowest);
    // As many as can be answered come then: within two seconds all are.
    let mut refused = Vec::new();
    for _ in 0..6 {
        let before = crowd.refused;
        for tick in 0..TICKS_A_SECOND {
            crowd.run(if tick % 2 == 0 { CAPACITY / TICKS_A_SECOND } else { CAPACITY / TICKS_A_SECOND / 2 });
        }
        refused.push(crowd.refused - before);
    }
    assert!(refused[2..].iter().all(|refused| *refused == 0), "{refused:?} are refused in the seconds after");
    for _ in 0..3 * TICKS_A_SECOND {
        crowd.run(0);
    }
    assert_eq!((crowd.answered, crowd.ended), (crowd.begun.len() as u32 - crowd.refused, crowd.answered));
    crowd.tick += 40 * TICKS_A_SECOND;
    crowd.run(0);
    assert_eq!((crowd.endpoint.calls.len(), crowd.endpoint.late, crowd.endpoint.poll_timeout()), (0, 0, None));
}

/// A request of no call, whose answer has its way with it: so many times four thousand bytes.
fn of_no_call(method: &str, n: u32, way: usize) -> Message {
    let way = format!("Record-Route: <sip:{}>\r\n", "p".repeat(4_000)).repeat(way);
    let text = format!(
        "{method} sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKn{n};rport\r\nFrom: <sip:s@x>;tag=s\r\n\
         To: <sip:1@h>;tag=none\r\nCall-ID: n{n}\r\nCSeq: 1 {method}\r\nContact: <sip:s@10.0.0.9>\r\n{way}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap()
}

// reliability: A2
#[test]
fn a_flood_of_what_is_of_no_call_is_heard_at_a_strangers_rate_and_his_calls_go_on() {
    let start = Instant::now();
    let mut endpoint = endpoint();
    endpoint.guard = Guard::new(Limits { requests_per_second: 20, ..Limits::default() });
    let (call, tag) = standing(&mut endpoint, start);
    let methods = ["BYE", "INFO", "UPDATE", "PRACK", "CANCEL", "ACK"];
    let (mut answered, mut now, mut keys) = (0, start, 0);
    for n in 0..2_000 {
        now = start + Duration::from_micros(500) * n;
        let heard = endpoint.handle(source(Transport::Udp), of_no_call(methods[n as usize % 6], n, 14), now);
        let answers = lines(&mut endpoint);
        assert_eq!(heard, !answers.is_empty(), "of what is not answered nothing is kept");
        answered += answers.len();
        // He keys on.
        if n % 100 == 0 {
            keys += 1;
            let kind = "Content-Type: application/dtmf-relay\r\n";
            let key = with_lines("INFO", 1 + keys, &tag, kind, "Signal=5\r\n");
            assert!(endpoint.handle(source(Transport::Udp), key, now));
            assert_eq!(lines(&mut endpoint), ["200"]);
            assert_eq!(events(&mut endpoint), [Event::Digit(call, '5')]);
        }
    }
    // One in six is an ACK, which nobody answers.
    assert!((50..=50 + 20).contains(&answered), "{answered}");
    assert!(endpoint.take_dropped().flood >= 2_000 - 50 - 20);
    assert_eq!(endpoint.answers.size().0, 20, "his keys' answers alone are kept");
    endpoint.handle(source(Transport::Udp), request("BYE", 99, &tag, "last"), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["200".to_owned()], vec![Event::Ended(call)]));
    endpoint.handle(source(Transport::Udp), request("BYE", 99, &tag, "last"), now);
    assert_eq!(lines(&mut endpoint), ["200"], "his call has just ended");
}

// reliability: A2; RFC 3261 §8.2.7
#[test]
fn whatever_requests_bring_what_is_kept_of_their_answers_has_a_bound() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    for n in 0..10_000 {
        let way = if n % 50 == 0 { 14 } else { 0 };
        endpoint.handle(source(Transport::Udp), of_no_call("INVITE", n, way), now);
        assert_eq!(lines(&mut endpoint), ["481"]);
    }
    let (count, bytes) = endpoint.answers.size();
    assert_eq!(count, 8192, "the usual ones are");
    assert!(bytes < 32 << 20, "{bytes}");
    // Nothing is kept of what changes nothing, and it is answered alike when it comes again.
    let mut said = Vec::new();
    for _ in 0..2 {
        endpoint.handle(source(Transport::Udp), of_no_call("BYE", 1, 0), now);
        said.extend(endpoint.poll_transmit());
        let asks = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKo\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:h>\r\n\
                    Call-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n";
        endpoint.handle(source(Transport::Udp), Message::parse(asks.as_bytes()).unwrap(), now);
        said.extend(endpoint.poll_transmit());
    }
    assert_eq!((said.len(), &said[..2]), (4, &said[2..]));
    assert_eq!(endpoint.answers.size().0, count);
    // A call whose way is longer than any is none.
    let way = format!("Record-Route: <sip:{}>\r\n", "p".repeat(4_000)).repeat(3);
    endpoint.handle(source(Transport::Udp), with_lines("INVITE", 1, "", &way, "offer"), now);
    assert_eq!((lines(&mut endpoint), events(&mut endpoint)), (vec!["513".to_owned()], vec![]));
}

// reliability: A2
#[test]
fn a_quarter_of_all_calls_is_kept_for_those_we_know() {
    let now = Instant::now();
    let mut endpoint = endpoint();
    let trusted = vec!["192.0.2.0/24".parse().unwrap()];
    let limits = Limits { calls_max: 40, requests_per_second: 1_000, trusted, ..Limits::default() };
    (endpoint.guard, endpoint.config.limits) = (Guard::new(limits.clone()), limits);
    let calls = |endpoint: &mut Endpoint, host: &str, names: std::ops::Range<u32>| {
        let mut taken = 0;
        for n in names {
            let text = format!(
                "INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bK{n};rport\r\nFrom: <sip:a@x>;tag=c\r\nTo: <sip:1@h>\r\n\
                 Call-ID: {n}\r\nCSeq: 1 INVITE\r\nContact: <sip:1@{host}>\r\n\r\n"
            );
            let peer = (host.parse::<IpAddr>().unwrap(), 5060).into();
            endpoint.handle(Source { peer, ..source(Transport::Udp) }, Message::parse(text.as_bytes()).unwrap(), now);
            taken += events(endpoint).len();
        }
        taken
    };
    assert_eq!(calls(&mut endpoint, "198.51.100.1", 0..100), 30);
    assert_eq!(calls(&mut endpoint, "192.0.2.1", 100..200), 10);
    let target = Target::new(source(Transport::Udp), "sip:b@h", "sip:a@h", "a");
    assert_eq!(endpoint.call(target, "offer", now), None, "ours included");
}
