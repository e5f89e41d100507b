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
