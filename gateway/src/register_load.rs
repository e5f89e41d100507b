//! Registration after registration, as `huitong bench register` makes them to a server in another process: each is challenged and
//! proven, as a telephone's is, or guessed. One thread does it all and never rests.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use sip::{Credentials, Event, Question, RequestKey, Target};

use crate::{
    LoadError,
    load_line::{GIVE_UP, LoadLine, READ_AT_ONCE, socket},
};

/// How long the answers to the last guesses are waited for.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What to do.
#[derive(Debug, Clone)]
pub struct RegisterLoad {
    /// Where the server listens by UDP.
    pub sip: SocketAddr,
    /// Its accounts, which register in turn.
    pub users: Vec<String>,
    /// Of all; none is to be guessed: each is then one REGISTER with a wrong proof, as whoever guesses sends them from one address. Of those
    /// none is sent again.
    pub password: Option<String>,
    /// New registrations a second.
    pub rate: f64,
    /// How many.
    pub registrations: usize,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct RegisterReport {
    /// That were taken.
    pub ok: usize,
    /// That were refused.
    pub refused: usize,
    /// That nobody answered.
    pub unanswered: usize,
    /// REGISTERs that went out: two of each that is challenged, and what was sent again.
    pub requests: usize,
    /// From the first REGISTER to the last answer, in milliseconds, the shortest first.
    pub took_ms: Vec<f64>,
    /// New registrations a second that were really begun.
    pub rate: f64,
}

struct Run {
    line: LoadLine,
    begun: HashMap<RequestKey, Instant>,
    report: RegisterReport,
}

impl RegisterLoad {
    /// Takes as long as it takes, on this thread.
    pub fn run(&self) -> Result<RegisterReport, LoadError> {
        match &self.password {
            Some(password) => self.register(password),
            None => self.guess(),
        }
    }

    fn register(&self, password: &str) -> Result<RegisterReport, LoadError> {
        let line = LoadLine::open(self.sip)?;
        let mut run = Run { line, begun: HashMap::new(), report: RegisterReport::default() };
        let begun = Instant::now();
        let mut users = self.users.iter().cycle().take(self.registrations).enumerate().peekable();
        while users.peek().is_some() {
            let now = Instant::now();
            let is_due = |n: usize| now >= begun + Duration::from_secs_f64(n as f64 / self.rate);
            while let Some((_, user)) = users.next_if(|(n, _)| is_due(*n)) {
                run.register(user, password, now);
            }
            run.step(now);
        }
        run.report.rate = self.registrations as f64 / begun.elapsed().as_secs_f64();
        let give_up = Instant::now() + GIVE_UP;
        while !run.begun.is_empty() && Instant::now() < give_up {
            run.step(Instant::now());
        }
        run.report.unanswered += run.begun.len();
        run.report.took_ms.sort_by(f64::total_cmp);
        Ok(run.report)
    }

    fn guess(&self) -> Result<RegisterReport, LoadError> {
        let (socket, begun) = (socket()?, Instant::now());
        let local = socket.local_addr()?;
        let mut datagram = [0; 4096];
        let mut take = |report: &mut RegisterReport| {
            for _ in 0..READ_AT_ONCE {
                let Ok(len) = socket.recv(&mut datagram) else { break };
                report.refused += usize::from(datagram[..len].starts_with(b"SIP/2.0 403"));
            }
        };
        let mut report = RegisterReport::default();
        for (n, user) in self.users.iter().cycle().take(self.registrations).enumerate() {
            while Instant::now() < begun + Duration::from_secs_f64(n as f64 / self.rate) {
                take(&mut report);
            }
            // What is lost was a guess.
            let _ = socket.send_to(guess(n, user, self.sip, local).as_bytes(), self.sip);
            report.requests += 1;
        }
        report.rate = self.registrations as f64 / begun.elapsed().as_secs_f64();
        let last = Instant::now() + LAST_ANSWERS;
        while Instant::now() < last {
            take(&mut report);
        }
        report.unanswered = report.requests - report.refused;
        Ok(report)
    }
}

/// The n-th guess.
fn guess(n: usize, user: &str, server: SocketAddr, local: SocketAddr) -> String {
    format!(
        "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKguess{n};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@{server}>;tag={n}\r\nTo: <sip:{user}@{server}>\r\nCall-ID: guess{n}\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:{user}@{local}>\r\nAuthorization: Digest username=\"{user}\", realm=\"{0}\", nonce=\"{n:016x}\", \
         uri=\"sip:{server}\", response=\"{n:032x}\", algorithm=MD5\r\nContent-Length: 0\r\n\r\n",
        server.ip()
    )
}

impl Run {
    fn register(&mut self, user: &str, password: &str, now: Instant) {
        let of = format!("sip:{user}@{}", self.line.way.peer);
        let credentials = Some(Credentials { user: user.to_owned(), password: password.to_owned() });
        let registrar = Target::new(self.line.way, format!("sip:{}", self.line.way.peer), of.clone(), user);
        let target = Target { to: of, credentials, ..registrar };
        let request = self.line.endpoint.ask(target, Question::Register { expires: 3_600 }, now);
        self.begun.insert(request, now);
    }

    fn step(&mut self, now: Instant) {
        self.line.receive(now);
        while let Some(event) = self.line.endpoint.poll_event() {
            let Event::Responded(request, answer) = event else { continue };
            let Some(begun) = self.begun.remove(&request) else { continue };
            self.report.took_ms.push((now - begun).as_secs_f64() * 1e3);
            match answer.code {
                200 => self.report.ok += 1,
                408 => self.report.unanswered += 1,
                _ => self.report.refused += 1,
            }
        }
        self.line.send(|_| self.report.requests += 1);
    }
}
