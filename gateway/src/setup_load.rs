//! Call after call, as `huitong bench setup` makes them to a server in another process: first some are held, then each is hung up as
//! soon as the voice menu has answered. One thread does it all and never rests.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use sip::{CallKey, Event, Target};

use crate::{
    LoadError,
    load_line::{GIVE_UP, LoadLine},
};

/// Calls before all others, after which whatever is made once in a server's life is made: prompts, statements, connections.
const WARM_UP: usize = 200;

/// What to do.
#[derive(Debug, Clone)]
pub struct SetupLoad {
    /// Where the server listens by UDP.
    pub sip: SocketAddr,
    /// What is dialled.
    pub number: String,
    /// New calls a second.
    pub rate: f64,
    /// Calls that are hung up as soon as they are answered.
    pub calls: usize,
    /// Calls that are held at once before.
    pub held: usize,
}

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupPhase {
    /// Some calls have been made, and none stands.
    Warm,
    /// Those to be held all stand.
    Holding,
    /// Calls are made and hung up.
    Calling,
    /// All are over.
    Called,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct SetupReport {
    /// Calls that were answered, and whose end was too.
    pub ok: usize,
    /// The others.
    pub failed: usize,
    /// Requests that were sent again.
    pub retransmissions: usize,
    /// From INVITE to its 200, in milliseconds, the shortest first.
    pub setup_ms: Vec<f64>,
    /// New calls a second that were really made.
    pub rate: f64,
    /// Calls that stood at once.
    pub held: usize,
}

struct Run {
    line: LoadLine,
    /// Named in the offers; nobody reads it.
    media_port: u16,
    number: String,
    begun: HashMap<CallKey, Instant>,
    standing: Vec<CallKey>,
    holds: bool,
    report: SetupReport,
    invites: usize,
    byes: usize,
}

impl SetupLoad {
    /// Takes as long as it takes, on this thread; says where it is.
    pub fn run(self, mut at: impl FnMut(SetupPhase)) -> Result<SetupReport, LoadError> {
        let media = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut run = Run {
            line: LoadLine::open(self.sip)?,
            media_port: media.local_addr()?.port(),
            number: self.number,
            begun: HashMap::new(),
            standing: Vec::new(),
            holds: false,
            report: SetupReport::default(),
            invites: 0,
            byes: 0,
        };
        run.make(WARM_UP, self.rate);
        run.finish();
        at(SetupPhase::Warm);
        run.holds = true;
        run.make(self.held, self.rate);
        run.finish();
        let held = run.standing.len();
        at(SetupPhase::Holding);
        let now = Instant::now();
        for call in std::mem::take(&mut run.standing) {
            run.line.endpoint.hang_up(call, now);
        }
        run.finish();
        (run.holds, run.invites, run.byes) = (false, 0, 0);
        run.report = SetupReport { held, ..SetupReport::default() };
        at(SetupPhase::Calling);
        let begun = Instant::now();
        run.make(self.calls, self.rate);
        run.report.rate = self.calls as f64 / begun.elapsed().as_secs_f64();
        run.finish();
        at(SetupPhase::Called);
        run.report.ok = run.report.setup_ms.len();
        run.report.failed = self.calls - run.report.ok;
        run.report.retransmissions = (run.invites + run.byes).saturating_sub(self.calls + run.report.ok);
        run.report.setup_ms.sort_by(f64::total_cmp);
        Ok(run.report)
    }
}

impl Run {
    /// So many new calls, evenly.
    fn make(&mut self, calls: usize, rate: f64) {
        let begun = Instant::now();
        let mut next = 0;
        while next < calls {
            let now = Instant::now();
            while next < calls && now >= begun + Duration::from_secs_f64(next as f64 / rate) {
                self.call(next, now);
                next += 1;
            }
            self.step(now);
        }
    }

    /// Until all that was begun is over, or would be.
    fn finish(&mut self) {
        let give_up = Instant::now() + GIVE_UP;
        loop {
            let now = Instant::now();
            self.step(now);
            let is_over = self.begun.is_empty() && self.line.endpoint.poll_timeout().is_none();
            if is_over || now > give_up {
                return;
            }
        }
    }

    fn call(&mut self, index: usize, now: Instant) {
        let (peer, local) = (self.line.way.peer, self.line.way.local);
        let (uri, from) = (format!("sip:{}@{peer}", self.number), format!("sip:138{index:08}@{local}"));
        let target = Target::new(self.line.way, uri, from, "load");
        let ip = local.ip();
        let offer = format!(
            "v=0\r\no=load {index} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n",
            self.media_port
        );
        // One that can't even be begun fails.
        if let Some(call) = self.line.endpoint.call(target, &offer, now) {
            self.begun.insert(call, now);
        }
    }

    fn step(&mut self, now: Instant) {
        self.line.receive(now);
        while let Some(event) = self.line.endpoint.poll_event() {
            match event {
                Event::Answered(call, _) => {
                    let begun = self.begun.remove(&call);
                    if self.holds {
                        self.standing.push(call);
                        continue;
                    }
                    self.report.setup_ms.extend(begun.map(|begun| (now - begun).as_secs_f64() * 1e3));
                    self.line.endpoint.hang_up(call, now);
                }
                Event::Refused(call, _) => drop(self.begun.remove(&call)),
                _ => {}
            }
        }
        self.line.send(|bytes| {
            self.invites += usize::from(bytes.starts_with(b"INVITE"));
            self.byes += usize::from(bytes.starts_with(b"BYE"));
        });
    }
}
