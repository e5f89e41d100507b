//! Many callers at once, as `huitong bench calls` makes them to a server in another process: real signalling, real RTP, and when
//! each packet came back. One thread does it all and never rests. When a packet came says the kernel, which has it on the loopback the
//! moment the server sends it: however late this thread is, on a machine that does other things as well, it measures the server. How late
//! it sends itself it tells, for a server that hears from callers out of time is later for it.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use media::{AudioCodec, RtpPacket, Ssrc, TICK};
use mixer::bench::{Ear, Says, Sounds};
use plane::{Received, Receiver};
use sip::{CallKey, Event, Target, sdp};

use crate::load_line::{self, LoadLine, READ_AT_ONCE};

/// A server that has answered none of the open calls for so long is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);

/// A spoken mark: so long, once in so long, heard from this loudness on.
const MARK: Duration = Duration::from_millis(100);
const MARK_EVERY: Duration = Duration::from_millis(700);
const MARK_HEARD: f32 = 0.02;

/// What to do.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where the server listens by UDP.
    pub sip: SocketAddr,
    /// The numbers of the meetings, which are called in turn.
    pub meetings: Vec<String>,
    /// Calls at once.
    pub callers: usize,
    /// How many of them talk all the time, spread over the meetings; the others send faint noise.
    pub talking: usize,
    /// What they say, over and over, each from another place on; at 48 kHz.
    pub speech: Vec<f32>,
    /// Of all.
    pub codec: AudioCodec,
    /// New calls a second.
    pub rate: f64,
    /// From the last answer until it is measured: greetings must be over.
    pub settle: Duration,
    /// How long it is measured.
    pub measured: Duration,
    /// Marks spoken into the silence afterwards, to measure how long sound takes.
    pub marks: usize,
}

/// Where a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadPhase {
    /// Calls are made.
    Calling,
    /// All stand.
    Standing,
    /// Packets are counted.
    Measuring,
    /// They no longer are.
    Measured,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct LoadReport {
    /// Calls that were refused or not answered.
    pub failed: usize,
    /// Calls that ended by themselves.
    pub dropped: usize,
    /// INVITEs that had to be sent again.
    pub retransmissions: usize,
    /// From INVITE to its answer, in milliseconds, the shortest first.
    pub setup_ms: Vec<f64>,
    /// Packets a second of each caller, the fewest first.
    pub packets_per_second: Vec<f64>,
    /// How much later than its caller's earliest each packet came, in milliseconds, the earliest first.
    pub late_ms: Vec<f64>,
    /// Packets that were numbered and did not come.
    pub lost: u64,
    /// From a mark that is sent to its coming back, in milliseconds, the shortest first.
    pub latency_ms: Vec<f64>,
    /// How much later than it was due each packet of a caller was sent, in milliseconds, the earliest first.
    pub sent_late_ms: Vec<f64>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No socket.
    #[error("the load has no socket: {0}")]
    Socket(#[from] io::Error),
    /// The codec.
    #[error(transparent)]
    Mixer(#[from] mixer::MixerError),
    /// It does not answer.
    #[error("of {callers} calls {answered} were answered, and for {ANSWER_WITHIN:?} no more")]
    NoAnswer {
        /// That were made.
        callers: usize,
        /// That stand.
        answered: usize,
    },
}

/// Seats a caller in the meeting of this number at a server that speaks no SIP, as whose sound comes from this address; tells where its
/// sound is expected, or nothing where it was refused.
pub type SeatCaller<'a> = &'a mut dyn FnMut(&str, SocketAddr) -> Option<SocketAddr>;

impl Load {
    /// Takes as long as it takes, on this thread; says where it is.
    pub fn run(self, at: impl FnMut(LoadPhase)) -> Result<LoadReport, LoadError> {
        self.run_by(Run::call_all, at)
    }

    /// As [`Self::run`], at another's server: its callers are seated one after the other instead of calling.
    pub fn run_seated(self, seat: SeatCaller<'_>, at: impl FnMut(LoadPhase)) -> Result<LoadReport, LoadError> {
        self.run_by(|run| run.seat_all(seat), at)
    }

    fn run_by(
        self,
        begin: impl FnOnce(&mut Run) -> Result<(), LoadError>,
        mut at: impl FnMut(LoadPhase),
    ) -> Result<LoadReport, LoadError> {
        let mut run = Run::new(self)?;
        at(LoadPhase::Calling);
        begin(&mut run)?;
        at(LoadPhase::Standing);
        run.go_on_for(run.load.settle);
        run.begin_measuring();
        at(LoadPhase::Measuring);
        run.go_on_for(run.load.measured);
        run.measuring = false;
        at(LoadPhase::Measured);
        run.mark_all();
        run.hang_up();
        Ok(run.report())
    }
}

struct Caller {
    call: Option<CallKey>,
    begun: Instant,
    setup: Option<Duration>,
    remote: Option<SocketAddr>,
    gone: bool,
    talks: bool,
    /// Of the packets that are measured.
    first: Option<(u16, Instant)>,
    last: u64,
    arrivals: Vec<Duration>,
}

struct Run {
    load: Load,
    line: LoadLine,
    media: UdpSocket,
    media_port: u16,
    callers: Vec<Caller>,
    /// Which caller hears from a port of the server's.
    by_port: Vec<Option<usize>>,
    retransmissions: usize,
    invites: usize,
    started: Instant,
    /// Packets that were due so far, over all callers.
    due: u64,
    sounds: Sounds,
    quiet: bool,
    measuring: bool,
    ear: Ear,
    /// Who speaks the mark and since when, who listens for it, and when it was sent and heard.
    mark: Option<Mark>,
    latency: Vec<Duration>,
    sent_late: Vec<Duration>,
    receiver: Receiver,
    out: Vec<u8>,
}

struct Mark {
    speaker: usize,
    listener: usize,
    from: Instant,
    sent: Option<Instant>,
    heard: bool,
}

impl Run {
    fn new(load: Load) -> Result<Self, LoadError> {
        let line = LoadLine::open(load.sip)?;
        let media = load_line::socket()?;
        plane::stamp(&media)?;
        let media_port = media.local_addr()?.port();
        let now = Instant::now();
        let caller = |index: usize| Caller {
            call: None,
            begun: now,
            setup: None,
            remote: None,
            gone: false,
            talks: index < load.talking,
            first: None,
            last: 0,
            arrivals: Vec::new(),
        };
        Ok(Self {
            line,
            media,
            media_port,
            callers: (0..load.callers).map(caller).collect(),
            by_port: vec![None; 1 << 16],
            retransmissions: 0,
            invites: 0,
            started: now,
            due: 0,
            sounds: Sounds::new(load.codec, &load.speech)?,
            quiet: false,
            measuring: false,
            ear: Ear::new(load.codec)?,
            mark: None,
            latency: Vec::new(),
            sent_late: Vec::new(),
            receiver: Receiver::default(),
            out: Vec::with_capacity(2_048),
            load,
        })
    }

    fn call_all(&mut self) -> Result<(), LoadError> {
        let begun = Instant::now();
        let (mut next, mut progress, mut known) = (0, begun, 0);
        loop {
            let now = Instant::now();
            while next < self.callers.len() && now >= begun + Duration::from_secs_f64(next as f64 / self.load.rate) {
                self.call(next, now);
                next += 1;
            }
            self.step(now);
            let done = self.callers.iter().filter(|caller| caller.setup.is_some() || caller.gone).count();
            if done == self.callers.len() {
                return Ok(());
            }
            if done != known {
                (progress, known) = (now, done);
            }
            if now > progress + ANSWER_WITHIN {
                return Err(LoadError::NoAnswer { callers: self.callers.len(), answered: done });
            }
        }
    }

    /// Those who sit are heard from meanwhile.
    fn seat_all(&mut self, seat: SeatCaller<'_>) -> Result<(), LoadError> {
        let media = self.media.local_addr()?;
        for index in 0..self.callers.len() {
            let begun = Instant::now();
            let meeting = &self.load.meetings[index % self.load.meetings.len()];
            match seat(meeting, media) {
                Some(remote) => self.sits(index, begun.elapsed(), remote),
                None => self.callers[index].gone = true,
            }
            self.go_on_until(begun + Duration::from_secs_f64(1.0 / self.load.rate));
        }
        Ok(())
    }

    fn sits(&mut self, index: usize, setup: Duration, remote: SocketAddr) {
        let caller = &mut self.callers[index];
        (caller.setup, caller.remote) = (Some(setup), Some(remote));
        self.by_port[usize::from(remote.port())] = Some(index);
    }

    fn call(&mut self, index: usize, now: Instant) {
        let meeting = &self.load.meetings[index % self.load.meetings.len()];
        let from = format!("sip:1380000{index:04}@{}", self.line.way.local);
        let uri = format!("sip:{meeting}@{}", self.load.sip);
        let target = Target::new(self.line.way, uri, from, format!("load{index}"));
        let (number, name) = match self.load.codec {
            AudioCodec::Pcmu => (0, "PCMU/8000"),
            AudioCodec::Pcma => (8, "PCMA/8000"),
            AudioCodec::G722 => (9, "G722/8000"),
            AudioCodec::Opus => (96, "opus/48000/2"),
        };
        let ip = self.line.way.local.ip();
        let offer = format!(
            "v=0\r\no=load {index} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {number} 101\r\n\
             a=rtpmap:{number} {name}\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n",
            self.media_port
        );
        let call = self.line.endpoint.call(target, &offer, now);
        let caller = &mut self.callers[index];
        (caller.call, caller.begun, caller.gone) = (call, now, call.is_none());
    }

    fn go_on_for(&mut self, time: Duration) {
        self.go_on_until(Instant::now() + time);
    }

    fn go_on_until(&mut self, until: Instant) {
        while Instant::now() < until {
            self.step(Instant::now());
        }
    }

    /// All that is due now, and a handful of what has come.
    fn step(&mut self, now: Instant) {
        self.line.receive(now);
        while let Some(event) = self.line.endpoint.poll_event() {
            self.take(event, now);
        }
        self.line.send(|bytes| self.invites += usize::from(bytes.starts_with(b"INVITE")));
        self.send_due(now);
        for _ in 0..READ_AT_ONCE {
            self.receiver.begin(Instant::now());
            let Ok(received) = self.receiver.receive(&self.media) else { break };
            self.hear(received);
        }
    }

    fn take(&mut self, event: Event, now: Instant) {
        let (Event::Answered(call, _) | Event::Refused(call, _) | Event::Ended(call)) = &event else { return };
        let Some(index) = self.callers.iter().position(|caller| caller.call == Some(*call)) else { return };
        let caller = &mut self.callers[index];
        match event {
            Event::Answered(_, answer) => match sdp::agree(&answer) {
                Ok(agreed) => {
                    let setup = now - caller.begun;
                    self.sits(index, setup, agreed.remote);
                }
                Err(_) => caller.gone = true,
            },
            _ => (caller.gone, caller.remote) = (true, None),
        }
    }

    /// Callers send one after the other, evenly over a tick, as strangers' clocks would have it.
    fn send_due(&mut self, now: Instant) {
        let (count, every) = (self.callers.len() as u64, TICK.as_nanos() as u64 / self.callers.len() as u64);
        let elapsed = (now - self.started).as_nanos() as u64;
        while self.due * every <= elapsed {
            let (round, index) = (self.due / count, (self.due % count) as usize);
            let at = self.started + Duration::from_nanos(self.due * every);
            self.due += 1;
            let caller = &self.callers[index];
            let Some(remote) = caller.remote else { continue };
            let mark =
                self.mark.as_mut().filter(|mark| mark.speaker == index && (mark.from..mark.from + MARK).contains(&now));
            let says = match &mark {
                Some(_) => Says::Mark,
                None if caller.talks && !self.quiet => Says::Speech,
                None => Says::Nothing,
            };
            let packet = RtpPacket {
                payload_type: match self.load.codec {
                    AudioCodec::Pcmu => 0,
                    AudioCodec::Pcma => 8,
                    AudioCodec::G722 => 9,
                    AudioCodec::Opus => 96,
                },
                marker: false,
                seq: round as u16,
                timestamp: (round as u32).wrapping_mul(self.load.codec.ticks_per_frame()),
                ssrc: Ssrc(0x10ad_0000 + index as u32),
                payload: self.sounds.payload(says, index, round as usize),
            };
            self.out.clear();
            packet.write(&mut self.out);
            if let Some(mark) = mark {
                mark.sent.get_or_insert_with(Instant::now);
            }
            if self.measuring {
                self.sent_late.push(at.elapsed());
            }
            // What the kernel has no room for is lost, as on any network.
            let _ = self.media.send_to(&self.out, remote);
        }
    }

    fn hear(&mut self, received: Received) {
        let Received { len, from: Some(from), at: now } = received else { return };
        let Some(index) = self.by_port[usize::from(from.port())] else { return };
        let Ok(packet) = RtpPacket::parse(self.receiver.datagram(len)) else { return };
        if self.measuring {
            let caller = &mut self.callers[index];
            let (first, begun) = *caller.first.get_or_insert((packet.seq, now));
            let number = u64::from(packet.seq.wrapping_sub(first));
            caller.last = caller.last.max(number);
            // Against the earliest moment it could have come at; the earliest of all is taken off in the end.
            let slack = Duration::from_secs(10);
            caller.arrivals.push((now + slack - begun).saturating_sub(TICK * number as u32));
        }
        if let Some(mark) = self.mark.as_mut().filter(|mark| mark.listener == index) {
            let loud = self.ear.loudness(packet.payload) > MARK_HEARD;
            if let Some(sent) = mark.sent.filter(|_| loud && !mark.heard) {
                mark.heard = true;
                self.latency.push(now - sent);
            }
        }
    }

    fn begin_measuring(&mut self) {
        self.measuring = true;
    }

    /// In the silence, one speaks and another of the same meeting listens: each time others, evenly over all, and so evenly over a
    /// tick, for how long a packet waits is a matter of when in it its sender sends.
    fn mark_all(&mut self) {
        self.quiet = true;
        let meetings = self.load.meetings.len();
        let people = self.callers.len() / meetings;
        if people < 2 || self.load.marks == 0 {
            return;
        }
        // What was still talked is played and forgotten.
        self.go_on_for(Duration::from_secs(2));
        for mark in 0..self.load.marks {
            let speaker = mark * people / self.load.marks;
            let listener = (speaker + people / 2) % people;
            let meeting = mark % meetings;
            self.mark = Some(Mark {
                speaker: speaker * meetings + meeting,
                listener: listener * meetings + meeting,
                from: Instant::now() + MARK,
                sent: None,
                heard: false,
            });
            self.go_on_for(MARK_EVERY);
        }
        self.mark = None;
    }

    fn hang_up(&mut self) {
        let now = Instant::now();
        for call in self.callers.iter().filter_map(|caller| caller.call) {
            self.line.endpoint.hang_up(call, now);
        }
        self.go_on_for(Duration::from_millis(500));
    }

    fn report(mut self) -> LoadReport {
        let seconds = self.load.measured.as_secs_f64();
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values
        };
        let mut late = Vec::new();
        let (mut lost, mut packets) = (0, Vec::new());
        for caller in &mut self.callers {
            packets.push(caller.arrivals.len() as f64 / seconds);
            lost += (caller.last + u64::from(caller.first.is_some())).saturating_sub(caller.arrivals.len() as u64);
            let earliest = caller.arrivals.iter().min().copied().unwrap_or_default();
            late.extend(caller.arrivals.iter().map(|arrival| ms(&(*arrival - earliest))));
        }
        self.retransmissions = self.invites.saturating_sub(self.callers.len());
        LoadReport {
            failed: self.callers.iter().filter(|caller| caller.setup.is_none()).count(),
            dropped: self.callers.iter().filter(|caller| caller.setup.is_some() && caller.gone).count(),
            retransmissions: self.retransmissions,
            setup_ms: sorted(self.callers.iter().filter_map(|caller| caller.setup.as_ref()).map(ms).collect()),
            packets_per_second: sorted(packets),
            late_ms: sorted(late),
            lost,
            latency_ms: sorted(self.latency.iter().map(ms).collect()),
            sent_late_ms: sorted(self.sent_late.iter().map(ms).collect()),
        }
    }
}
