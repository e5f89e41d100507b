//! Call after call, as `huitong bench setup` makes them to a server in another process: first some are held, then each is hung up as
//! soon as the voice menu has answered. One thread does it all and never rests.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use sip::{CallKey, Endpoint, EndpointConfig, Event, Message, Source, Target, Transport};

use crate::LoadError;

/// All transactions have ended by themselves then (RFC 3261 §17: 64·T1).
const GIVE_UP: Duration = Duration::from_secs(33);

/// Kernel room for what is answered while calls are made.
const KERNEL_BUFFER_BYTES: usize = 32 << 20;

/// Calls before all others, after which whatever is made once in a server's life is made: prompts, statements, connections.
const WARM_UP: usize = 200;

/// Datagrams read before it is looked what is due.
const READ_AT_ONCE: usize = 64;

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
    endpoint: Endpoint,
    signalling: UdpSocket,
    /// Named in the offers; nobody reads it.
    media_port: u16,
    way: Source,
    number: String,
    begun: HashMap<CallKey, Instant>,
    standing: Vec<CallKey>,
    holds: bool,
    report: SetupReport,
    invites: usize,
    byes: usize,
    datagram: Vec<u8>,
}

impl SetupLoad {
    /// Takes as long as it takes, on this thread; says where it is.
    pub fn run(self, mut at: impl FnMut(SetupPhase)) -> Result<SetupReport, LoadError> {
        let signalling = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let media = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        signalling.set_nonblocking(true)?;
        // The system may grant less; then something is sent again, and reported.
        let _ = socket2::SockRef::from(&signalling).set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        let local = signalling.local_addr()?;
        let mut run = Run {
            endpoint: Endpoint::new(EndpointConfig {
                announced: local.ip(),
                seed: rand::random(),
                realm: String::new(),
                accounts: Vec::new(),
                sha256: false,
                limits: sip::Limits::default(),
            }),
            signalling,
            media_port: media.local_addr()?.port(),
            way: Source { transport: Transport::Udp, peer: self.sip, local },
            number: self.number,
            begun: HashMap::new(),
            standing: Vec::new(),
            holds: false,
            report: SetupReport::default(),
            invites: 0,
            byes: 0,
            datagram: vec![0; 65_536],
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
            run.endpoint.hang_up(call, now);
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
            let is_over = self.begun.is_empty() && self.endpoint.poll_timeout().is_none();
            if is_over || now > give_up {
                return;
            }
        }
    }

    fn call(&mut self, index: usize, now: Instant) {
        let (peer, local) = (self.way.peer, self.way.local);
        let uri = format!("sip:{}@{peer}", self.number);
        let target = Target {
            way: self.way,
            to: uri.clone(),
            uri,
            from: format!("sip:138{index:08}@{local}"),
            contact: "load".to_owned(),
            call_id: String::new(),
            credentials: None,
            replaces: None,
            routes: Vec::new(),
        };
        let ip = local.ip();
        let offer = format!(
            "v=0\r\no=load {index} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n",
            self.media_port
        );
        // One that can't even be begun fails.
        if let Some(call) = self.endpoint.call(target, &offer, now) {
            self.begun.insert(call, now);
        }
    }

    fn step(&mut self, now: Instant) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        for _ in 0..READ_AT_ONCE {
            let Ok(len) = self.signalling.recv(&mut self.datagram) else { break };
            if let Ok(message) = Message::parse(&self.datagram[..len]) {
                self.endpoint.handle(self.way, message, now);
            }
        }
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Answered(call, _) => {
                    let begun = self.begun.remove(&call);
                    if self.holds {
                        self.standing.push(call);
                        continue;
                    }
                    self.report.setup_ms.extend(begun.map(|begun| (now - begun).as_secs_f64() * 1e3));
                    self.endpoint.hang_up(call, now);
                }
                Event::Refused(call, _) => drop(self.begun.remove(&call)),
                _ => {}
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.invites += usize::from(transmit.bytes.starts_with(b"INVITE"));
            self.byes += usize::from(transmit.bytes.starts_with(b"BYE"));
            // UDP: what is lost is sent again.
            let _ = self.signalling.send_to(&transmit.bytes, transmit.to.peer);
        }
    }
}
