//! What must hold whatever comes: one function a fuzz target. `targets/` gives them what libFuzzer finds, `tests/malformed.rs` what
//! is in `corpus/` and what a seeded generator makes of it.

mod browser;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use leg::{
    CertificateFingerprint, CertificateHash, DtlsIdentity, DtlsSettings, JitterBuffer, Keying, Leg, LegConfig,
    LegEvent, Pulled,
};
use media::{AudioCodec, RtpPacket, Ssrc};
use model::{
    AccountId, Action, BroadcastId, Command, Join, Meeting, MeetingId, Options, ParticipantId, Rules, Via, Vouched,
};
use sfu::{Sfu, SfuConfig};
use sip::{
    CallKey, Endpoint, EndpointConfig, Event, Message, Question, Source, StartLine, Target, Transport, frame, sdp,
};

pub use browser::{browser_datagram, browser_offer, browser_participant};

const US: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5060);
const THEM: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)), 5070);

/// What is read is within its bounds, and the same when it is read in one piece and cut out of a stream.
pub fn sip_message(data: &[u8]) {
    let _ = frame(data);
    let Ok(message) = Message::parse(data) else { return };
    for name in ["from", "to", "contact"] {
        let _ = (message.tag(name), message.uri(name));
        assert!(message.headers(name).all(|value| value.len() <= 8 << 10), "a value longer than any may be");
    }
    let _ = (message.cseq(), message.branch(), message.method());
    assert!(message.body.len() <= data.len());
    if let StartLine::Response { code } = message.start {
        assert!((100..700).contains(&code));
    }
    if let Ok(Some(len)) = frame(data)
        && message.fault.is_none()
        && let Ok(framed) = Message::parse(&data[..len])
    {
        assert_eq!(framed.body, message.body, "a datagram and a stream say the same");
    }
}

/// A row of messages and orders, each begun by a byte that says what and two of length. However it goes, calls begin and end once,
/// what is sent is SIP, and in the end nothing is left.
pub fn sip_endpoint(mut data: &[u8]) {
    let mut world = World::new();
    while let Some(([what, high, low], rest)) = data.split_first_chunk::<3>() {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (bytes, after) = rest.split_at(len);
        world.step(*what, bytes);
        data = after;
    }
    world.end();
}

/// The endpoint, and what a much simpler one would know of its calls.
struct World {
    endpoint: Endpoint,
    now: Instant,
    live: BTreeSet<CallKey>,
    /// Over, and never to be heard of again.
    over: BTreeSet<CallKey>,
}

impl World {
    fn new() -> Self {
        let config = EndpointConfig {
            announced: vec![US.ip()],
            seed: 1,
            realm: "house".to_owned(),
            accounts: vec![sip::Credentials { user: "8001".to_owned(), password: "secret".to_owned() }],
            sha256: true,
            limits: Default::default(),
        };
        Self { endpoint: Endpoint::new(config), now: Instant::now(), live: BTreeSet::new(), over: BTreeSet::new() }
    }

    fn step(&mut self, what: u8, bytes: &[u8]) {
        let way = |transport| Source { transport, peer: THEM, local: US };
        let call = self.live.iter().nth(usize::from(what >> 4)).copied();
        match (what & 0x0f, call) {
            (0..6, _) => {
                let transport = [Transport::Udp, Transport::Tcp, Transport::Tls][usize::from(what >> 4) % 3];
                if let Ok(message) = Message::parse(bytes) {
                    self.endpoint.handle(way(transport), message, self.now);
                }
            }
            (6, Some(call)) => self.endpoint.ring(call, self.now),
            (7, Some(call)) => self.endpoint.answer(call, "answer", self.now),
            (8, Some(call)) => {
                self.endpoint.reject(call, 404, "Not Found", self.now);
                // Where it was too late for that.
                self.endpoint.hang_up(call, self.now);
                self.end_of(call);
            }
            (9, Some(call)) => self.endpoint.answer_reoffer(call, Some("again"), self.now),
            (10, Some(call)) => self.endpoint.answer_reoffer(call, None, self.now),
            (11, Some(call)) => {
                self.endpoint.hang_up(call, self.now);
                self.end_of(call);
            }
            (12, _) => self.live.extend(self.endpoint.call(target(way(Transport::Udp)), "offer", self.now)),
            (13, _) => drop(self.endpoint.ask(target(way(Transport::Udp)), Question::Options, self.now)),
            (14, Some(call)) => match bytes.first() {
                Some(0) => self.endpoint.unreachable(Transport::Tcp, THEM, self.now),
                Some(1) => self.endpoint.answer_refer(call, 403, "Forbidden", self.now),
                Some(_) => self.endpoint.answer_refer(call, 202, "Accepted", self.now),
                None => self.endpoint.notify(call, 200, "OK", self.now),
            },
            _ => self.wait(Duration::from_millis(50 * u64::from(what))),
        }
        self.settle();
    }

    fn end_of(&mut self, call: CallKey) {
        assert!(self.live.remove(&call), "{call:?} ends that has not begun");
        self.over.insert(call);
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.settle();
            assert!(self.endpoint.poll_timeout().is_none_or(|next| next > self.now), "what is done is due no more");
        }
        self.now = until;
    }

    fn settle(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Incoming(incoming) => assert!(self.live.insert(incoming.call)),
                Event::Canceled(call) | Event::Ended(call) | Event::Refused(call, _) => self.end_of(call),
                Event::Confirmed(call, _)
                | Event::Reoffered(call, _)
                | Event::Digit(call, _)
                | Event::Referred(call, _)
                | Event::Trying(call)
                | Event::Rings(call)
                | Event::Redirected(call, _)
                | Event::RetryAfter(call, _)
                | Event::Answered(call, _) => {
                    assert!(!self.over.contains(&call), "{call:?} is over");
                }
                Event::KeyframeWanted(_) | Event::Responded(..) | Event::Registered(_) => {}
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let said = Message::parse(&transmit.bytes).expect("what is sent can be read");
            assert_eq!(said.fault, None, "{}", String::from_utf8_lossy(&transmit.bytes));
        }
    }

    fn end(mut self) {
        for call in std::mem::take(&mut self.live) {
            self.endpoint.hang_up(call, self.now);
        }
        self.over.clear();
        self.settle();
        // A telephone of ours may ring for three minutes, its CANCEL and BYE need half a minute each.
        self.wait(Duration::from_secs(300));
        assert_eq!(self.endpoint.poll_timeout(), None, "nothing is left to be done");
    }
}

fn target(way: Source) -> Target {
    Target::new(way, "sip:13800000000@carrier.example", "sip:1000@carrier.example", "1000")
}

/// Whatever is offered, an answer has as many m-lines, and is itself an offer that can be read (RFC 3264 §6).
pub fn sdp(data: &[u8]) {
    let Ok(mut agreed) = sdp::agree(data) else { return };
    agreed.secure([1; 30]);
    agreed.certify(&sdp::Fingerprint { hash: sdp::Hash::Sha256, digest: vec![1; 32] }, None);
    let answer = agreed.answer(SocketAddr::new(US.ip(), 20_000), 7, 1);
    let lines = |text: &str| text.lines().filter(|line| line.trim().starts_with("m=")).count();
    assert_eq!(lines(&answer), lines(&String::from_utf8_lossy(data)), "{answer}");
    assert!(answer.len() < 2 * data.len() + 1_000, "an answer is not much longer than its offer");
}

/// What is read is within the datagram, and is written as it was read.
pub fn rtp_packet(data: &[u8]) {
    let Ok(packet) = RtpPacket::parse(data) else { return };
    assert!(packet.payload.len() <= data.len());
    let mut written = Vec::new();
    packet.write(&mut written);
    assert_eq!(RtpPacket::parse(&written).as_ref(), Ok(&packet));
    let mut leg = leg();
    feed(&mut leg, &[data], Leg::handle_rtp);
}

/// A telephone's reports.
pub fn rtcp(data: &[u8]) {
    let mut leg = leg();
    feed(&mut leg, &[data], Leg::handle_rtcp);
    let stats = leg.stats();
    assert!(stats.round_trip_ms.is_none_or(|ms| ms >= 0.0 && ms.is_finite()));
}

/// Packets of four bytes each: by how much the number and the time go on or back, and how much later it comes. No sound comes out that
/// didn't go in, and memory has a bound.
pub fn jitter(data: &[u8]) {
    let (mut now, mut seq, mut timestamp) = (Instant::now(), 1 << 32, 0_u32);
    let mut jitter = JitterBuffer::new(AudioCodec::Pcma);
    let (mut inserted, mut pulled) = (0_usize, 0_usize);
    for step in data.chunks_exact(4) {
        seq = (seq + u64::from(step[0])).wrapping_sub(100).max(1);
        timestamp = timestamp.wrapping_add(u32::from(step[1]) * 80).wrapping_sub(8_000);
        now += Duration::from_millis(u64::from(step[2]));
        inserted += 1;
        jitter.insert(seq, timestamp, &[step[3]; 160], now);
        for _ in 0..step[3] % 3 {
            pulled += usize::from(matches!(jitter.pull(now), Pulled::Packet(..)));
        }
    }
    assert!(pulled <= inserted, "{pulled} of {inserted}");
}

/// Telephone events (RFC 4733), 5 bytes a packet: event, flags, duration, and how many packets were lost before. No more keys come out
/// than events went in.
pub fn dtmf(data: &[u8]) {
    let mut leg = leg();
    let mut packets = Vec::new();
    let (mut seq, mut timestamp) = (0_u16, 0_u32);
    for step in data.chunks_exact(5) {
        seq = seq.wrapping_add(1 + u16::from(step[4] & 3));
        timestamp = timestamp.wrapping_add(u32::from(step[4] >> 2) * 80);
        let mut out = Vec::new();
        let (payload_type, ssrc) = (101, Ssrc(1));
        RtpPacket { payload_type, marker: false, seq, timestamp, ssrc, payload: &step[..4] }.write(&mut out);
        packets.push(out);
    }
    let packets: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    let keys = feed(&mut leg, &packets, Leg::handle_rtp);
    assert!(keys <= packets.len(), "{keys} keys of {} packets", packets.len());
}

/// A row of datagrams, each begun by two bytes of length, at a leg that waits for a handshake and at one that has begun one. Whoever
/// sent them has not seen what he was answered: there are no keys, and he is sent less than he has sent.
pub fn dtls(data: &[u8]) {
    for active in [false, true] {
        let identity = Arc::clone(&IDENTITY);
        let theirs = vec![CertificateFingerprint { hash: CertificateHash::Sha256, digest: vec![7; 32] }];
        let settings = DtlsSettings { identity, theirs, active, tls_id: None };
        let mut now = Instant::now();
        let mut leg = Leg::new(LegConfig { srtp: Some(Keying::Dtls(settings)), ..leg_config() }, Ssrc(1), now);
        let (mut rest, mut came, mut sent) = (data, 0, 0);
        while let Some(([high, low], after)) = rest.split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
            let (datagram, after) = after.split_at(len);
            leg.handle_rtp(THEM, &mut datagram.to_vec(), now);
            let mut out = Vec::new();
            while leg.poll_dtls(now, &mut out).is_some() {}
            (came, sent, rest) = (came + len, sent + out.len(), after);
            now += Duration::from_millis(20);
        }
        assert!(active || sent <= came, "{sent} bytes for {came}");
        while let Some(event) = leg.poll_event() {
            assert_ne!(event, LegEvent::Keyed);
        }
        assert_eq!(leg.send(&[0xd5; 160], &mut Vec::new()), None, "nothing is said without keys");
    }
}

static IDENTITY: LazyLock<Arc<DtlsIdentity>> =
    LazyLock::new(|| Arc::new(DtlsIdentity::new().expect("a certificate can be made")));

/// A stranger's datagram at the browsers' socket: nobody is there, and nothing is answered.
pub fn stun(data: &[u8]) {
    let now = Instant::now();
    let mut sfu = Sfu::new(SfuConfig { candidates: vec![US] }).expect("a certificate can be made");
    sfu.handle_datagram(THEM, US, data, now);
    sfu.handle_timeout(now + Duration::from_secs(1));
    assert!(sfu.poll_transmit().is_none() && sfu.poll_event().is_none());
}

/// What a browser asks of its meeting.
pub fn client_message(data: &[u8]) {
    let Ok(action) = serde_json::from_slice::<Action>(data) else { return };
    let mut meeting = meeting();
    let _ = meeting.handle(Command::Join(join(1)), Duration::ZERO);
    let _ = meeting.handle(act(1, action), Duration::ZERO);
    check(&meeting);
}

/// A row of what happens to a meeting, a line each: who, a blank, and what he asks as JSON; or one of a few words.
pub fn meeting_commands(data: &[u8]) {
    let mut meeting = meeting();
    let mut now = Duration::ZERO;
    for line in String::from_utf8_lossy(data).lines().take(500) {
        let (who, what) = line.split_once(' ').unwrap_or((line, ""));
        let number = who.parse::<u8>().map_or(0, u128::from);
        let command = match what {
            "joins" => Command::Join(join(number)),
            "is lost" => Command::Lost(ParticipantId::from_u128(number)),
            "gave up" => Command::GaveUp(ParticipantId::from_u128(number)),
            "waits" => {
                now += Duration::from_secs(number as u64 * 10);
                Command::Tick
            }
            _ => match serde_json::from_str(what) {
                Ok(action) => act(number, action),
                Err(_) => continue,
            },
        };
        let _ = meeting.handle(command, now);
        check(&meeting);
    }
}

/// There is one host or none, and no more people than seats.
fn check(meeting: &Meeting) {
    let people = meeting.snapshot().participants;
    assert!(people.len() <= 500, "{} people", people.len());
    let hosts = people.iter().filter(|person| person.role == model::Role::Host).count();
    assert!(hosts <= 1, "{hosts} hosts");
}

fn act(by: u128, action: Action) -> Command {
    Command::Act { by: ParticipantId::from_u128(by), action, livestream: BroadcastId::from_u128(1) }
}

fn join(number: u128) -> Join {
    Join {
        participant: ParticipantId::from_u128(number),
        name: Some(format!("{number}")),
        via: Via::Web,
        account: (number == 1).then(|| AccountId::from_u128(1)),
        avatar: None,
        password: None,
        dial: None,
        resume: None,
        source: US.ip(),
        vouched: Vouched::Nobody,
        viewer: None,
    }
}

fn meeting() -> Meeting {
    Meeting::new(Rules {
        id: MeetingId::from_u128(7),
        number: "123456789".parse().expect("nine digits"),
        title: "fuzz".to_owned(),
        password: None,
        host_pin: Some("654321".to_owned()),
        owner: AccountId::from_u128(1),
        capacity: 5,
        options: Options { join_before_host: true, ..Options::default() },
        scalable: true,
        livestream: true,
        dial_out: true,
        begun_ms: 0,
        from_ms: 0,
        until_ms: None,
    })
}

fn leg() -> Leg {
    Leg::new(leg_config(), Ssrc(1), Instant::now())
}

fn leg_config() -> LegConfig {
    LegConfig { telephone_event: Some(101), comfort_noise: Some(13), ..LegConfig::new(AudioCodec::Pcma, 8, THEM) }
}

/// All that comes; how many keys were heard.
fn feed(leg: &mut Leg, datagrams: &[&[u8]], handle: fn(&mut Leg, SocketAddr, &mut [u8], Instant)) -> usize {
    let mut now = Instant::now();
    let mut keys = 0;
    for datagram in datagrams {
        handle(leg, THEM, &mut datagram.to_vec(), now);
        now += Duration::from_millis(20);
        let _ = leg.pull(now);
        while let Some(event) = leg.poll_event() {
            keys += usize::from(matches!(event, LegEvent::Digit(_)));
        }
        let mut out = Vec::new();
        let _ = leg.poll_rtcp(now, &mut out);
    }
    keys
}
