//! What comes of browsers, of who sends in their name, and of participants who say what no browser says.

use std::{
    net::SocketAddr,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use media::TrackKind;
use sfu::{
    Layer, PeerKey, Sfu, SfuConfig, SfuEvent, SourceId,
    load::{LoadClient, LoadEvent, LoadIdentity, LoadPacket},
};

use super::{THEM, US};

/// Where the publisher is.
const HIM: SocketAddr = THEM;
const LISTENER: SocketAddr = SocketAddr::new(THEM.ip(), THEM.port() + 1);

fn sfu() -> Sfu {
    Sfu::new(SfuConfig { candidates: vec![US] }).expect("a certificate can be made")
}

/// Whatever is offered, an answer has as many m-lines (RFC 3264 §6), nothing is sent before the other side shows itself, and who
/// leaves again leaves nothing.
pub fn browser_offer(data: &[u8]) {
    static SFU: LazyLock<Mutex<Sfu>> = LazyLock::new(|| Mutex::new(sfu()));
    let Ok(offer) = std::str::from_utf8(data) else { return };
    let mut sfu = SFU.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
    let subscribed = sfu.subscribe(offer, now).map(|(key, answer, slots)| {
        assert_eq!(slots.len(), lines(&answer), "{answer}");
        (key, answer)
    });
    let published = [sfu.publish(offer, now), sfu.ingest(offer, now)];
    for (key, answer) in published.into_iter().chain([subscribed]).flatten() {
        assert_eq!(lines(&answer), lines(offer), "{answer}");
        assert!(answer.contains("a=ice-lite") && answer.contains("a=fingerprint:"), "{answer}");
        assert!(sfu.poll_transmit().is_none());
        // He begins anew by the same words, or is told that they won't do.
        let _ = sfu.restart(key, offer, now);
        sfu.remove(key);
    }
    assert!(sfu.poll_timeout().is_none() && sfu.poll_event().is_none() && sfu.poll_transmit().is_none());
    assert_eq!(sfu.stats().failed, 0);
}

/// A row of datagrams that come from where a connected publisher is, each begun by a byte that says what and two of length: as it
/// is, or turned upon the latest media, report, check or handshake of his. He is heard all the same, and nobody else is spoken to.
pub fn browser_datagram(mut data: &[u8]) {
    static CALL: LazyLock<Mutex<Call>> = LazyLock::new(|| Mutex::new(Call::new()));
    let mut call = CALL.lock().unwrap_or_else(PoisonError::into_inner);
    // Fewer than are dropped as a flood.
    for _ in 0..50 {
        let Some(([what, high, low], rest)) = data.split_first_chunk::<3>() else { break };
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (bytes, after) = rest.split_at(len);
        let datagram = match call.latest.get(usize::from(what % 5)) {
            Some(his) => his.iter().zip(bytes.iter().chain(std::iter::repeat(&0))).map(|(a, b)| a ^ b).collect(),
            None => bytes.to_vec(),
        };
        let now = call.now;
        call.sfu.handle_datagram(HIM, US, &datagram, now);
        call.settle();
        data = after;
    }
    let before = call.heard;
    (0..40).for_each(|_| call.step());
    assert_eq!(call.heard - before, 2, "he is heard as before");
    assert_eq!(call.sfu.stats().failed, 0);
}

/// One who speaks and one who listens, in virtual time.
struct Call {
    sfu: Sfu,
    start: Instant,
    now: Instant,
    publisher: LoadClient,
    listener: LoadClient,
    listening: PeerKey,
    heard: u64,
    /// The publisher's latest media, report, check, and datagram of the handshake.
    latest: [Vec<u8>; 4],
}

impl Call {
    fn new() -> Self {
        let (start, mut sfu) = (Instant::now(), sfu());
        let identity = LoadIdentity::generate().expect("a certificate can be made");
        let (mut publisher, offer) = LoadClient::publisher(&identity, HIM, 0, start).expect("an offer");
        let (_, answer) = sfu.publish(&offer, start).expect("an answer");
        publisher.answer(&answer).expect("an answer");
        let (mut listener, offer) = LoadClient::subscriber(&identity, LISTENER, 1, 0, start).expect("an offer");
        let (listening, answer, _) = sfu.subscribe(&offer, start).expect("an answer");
        listener.answer(&answer).expect("an answer");
        sfu.assign(listening, 0, Some(SourceId::from(1)));
        let latest = Default::default();
        let mut call = Self { sfu, start, now: start, publisher, listener, listening, heard: 0, latest };
        // Until the first report, too.
        (0..6_000).for_each(|_| call.step());
        assert!(call.heard > 50 && call.latest.iter().all(|latest| !latest.is_empty()), "they are connected");
        call
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let media_ms = self.now.duration_since(self.start).as_millis() as u64;
        if media_ms.is_multiple_of(20) {
            let layer = Layer::default();
            let voice = LoadPacket { line: 0, layer, bytes: 90, media_ms, key: true, first: true, last: true };
            self.publisher.send(voice, self.now);
        }
        self.publisher.wake(self.now);
        self.listener.wake(self.now);
        self.exchange();
        if self.sfu.poll_timeout().is_some_and(|at| at <= self.now) {
            self.sfu.handle_timeout(self.now);
        }
        self.settle();
    }

    /// What the two have to say.
    fn exchange(&mut self) {
        let (now, mut said) = (self.now, Vec::new());
        self.publisher.drain(now, |_, bytes| said.push((HIM, bytes.to_vec())), |_| {});
        for (_, bytes) in &said {
            let kind = match bytes[..] {
                [128..=191, 192..=223, ..] => 1,
                [128..=191, ..] => 0,
                [0..=3, ..] => 2,
                _ => 3,
            };
            self.latest[kind].clone_from(bytes);
        }
        let heard = &mut self.heard;
        let hear = |event| *heard += u64::from(matches!(event, LoadEvent::Packet { .. }));
        self.listener.drain(now, |_, bytes| said.push((LISTENER, bytes.to_vec())), hear);
        for (from, bytes) in said {
            self.sfu.handle_datagram(from, US, &bytes, now);
        }
    }

    fn settle(&mut self) {
        let mut voices = Vec::new();
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Media { layer, packet, .. } => voices.push((layer, packet)),
                SfuEvent::Disconnected(key, _) => panic!("{key:?} is lost"),
                _ => {}
            }
        }
        self.sfu.forward(&[(self.listening, 0)], &voices, self.now);
        while let Some(transmit) = self.sfu.poll_transmit() {
            let to = transmit.to.address;
            for datagram in transmit.bytes.chunks(transmit.segment) {
                match to {
                    HIM => self.publisher.receive(US, HIM, datagram, self.now),
                    LISTENER => self.listener.receive(US, LISTENER, datagram, self.now),
                    other => panic!("{other} is spoken to"),
                }
            }
            self.sfu.recycle(transmit);
        }
        self.exchange();
    }
}

/// A row of what a participant says who has keys, as all have, and a program of his own, each begun by a byte that says what and two of
/// length: packets with headers like his or any, reports as one who publishes, and reports as one who is sent something. Who speaks is
/// heard all the same.
pub fn browser_participant(mut data: &[u8]) {
    static MEETING: LazyLock<Mutex<Encounter>> = LazyLock::new(|| Mutex::new(Encounter::new()));
    let mut meeting = MEETING.lock().unwrap_or_else(PoisonError::into_inner);
    // Fewer than are dropped as a flood.
    for _ in 0..20 {
        let Some(([what, high, low], rest)) = data.split_first_chunk::<3>() else { break };
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (bytes, after) = rest.split_at(len);
        meeting.say(*what, bytes);
        data = after;
    }
    let before = meeting.heard;
    (0..40).for_each(|_| meeting.step());
    assert_eq!(meeting.heard - before, 2, "who speaks is heard as before");
    assert_eq!(meeting.sfu.stats().failed, 0);
}

const SPEAKER: SocketAddr = SocketAddr::new(THEM.ip(), THEM.port() + 2);
const BAD: SocketAddr = SocketAddr::new(THEM.ip(), THEM.port() + 3);

/// One who speaks, and one who sends a voice and a picture in three layers and is sent all of it.
struct Encounter {
    sfu: Sfu,
    start: Instant,
    now: Instant,
    /// Speaker, listener, the bad one as he sends and as he is sent something.
    clients: [(LoadClient, SocketAddr); 4],
    receivers: [PeerKey; 2],
    /// By peer, whose.
    publishers: [PeerKey; 2],
    heard: u64,
    /// Headers of the bad one's latest voice and picture.
    headers: [Vec<u8>; 2],
}

/// The header of the packet after that with this one.
fn next(header: &[u8]) -> Vec<u8> {
    let mut header = header.to_vec();
    let seq = u16::from_be_bytes([header[2], header[3]]).wrapping_add(1);
    header[2..4].copy_from_slice(&seq.to_be_bytes());
    header
}

impl Encounter {
    fn new() -> Self {
        let (start, mut sfu) = (Instant::now(), sfu());
        let identity = LoadIdentity::generate().expect("a certificate can be made");
        let (mut speaker, offer) = LoadClient::publisher(&identity, SPEAKER, 0, start).expect("an offer");
        let (speaking, answer) = sfu.publish(&offer, start).expect("an answer");
        speaker.answer(&answer).expect("an answer");
        let (mut bad, offer) = LoadClient::forger(&identity, BAD, 3, start).expect("an offer");
        let (bad_speaking, answer) = sfu.publish(&offer, start).expect("an answer");
        bad.answer(&answer).expect("an answer");
        let mut receive = |at, light: bool| {
            let make = if light { LoadClient::light_subscriber } else { LoadClient::subscriber };
            let (mut client, offer) = make(&identity, at, 2, 1, start).expect("an offer");
            let (key, answer, _) = sfu.subscribe(&offer, start).expect("an answer");
            client.answer(&answer).expect("an answer");
            for (slot, source) in [1, 2, 3].into_iter().enumerate() {
                sfu.assign(key, slot, Some(SourceId::from(source)));
            }
            sfu.select(key, 2, Some(Layer::new(2)));
            (client, key)
        };
        let (listener, listening) = receive(LISTENER, false);
        let (bad_listener, bad_listening) = receive(HIM, true);
        let mut meeting = Self {
            sfu,
            start,
            now: start,
            clients: [(speaker, SPEAKER), (listener, LISTENER), (bad, BAD), (bad_listener, HIM)],
            receivers: [listening, bad_listening],
            publishers: [speaking, bad_speaking],
            heard: 0,
            headers: Default::default(),
        };
        (0..6_000).for_each(|_| meeting.step());
        assert!(meeting.heard > 50, "they are connected: {}", meeting.heard);
        assert!(meeting.headers.iter().all(|header| header.len() > 12), "{:?}", meeting.headers);
        // His keys open what he forges: a voice that says nothing but three bytes.
        let forged = meeting.clients[2].0.forge(&next(&meeting.headers[0]), b"bad").expect("he has keys");
        meeting.sfu.handle_datagram(BAD, US, &forged, meeting.now);
        let mut came = std::iter::from_fn(|| meeting.sfu.poll_event());
        let is_his = |event: SfuEvent| matches!(event, SfuEvent::Media { packet, .. } if packet.payload[..] == *b"bad");
        assert!(came.any(is_his), "it is opened");
        meeting
    }

    fn say(&mut self, what: u8, bytes: &[u8]) {
        let (bad, now) = (&mut self.clients[2].0, self.now);
        let forged = match what % 6 {
            kind @ (0 | 1) => {
                // Turned upon a header of his; what is left is the payload.
                let header = &self.headers[usize::from(kind)];
                let (turned, payload) = bytes.split_at(header.len().min(bytes.len()));
                let header: Vec<u8> =
                    header.iter().zip(turned.iter().chain(std::iter::repeat(&0))).map(|(a, b)| a ^ b).collect();
                bad.forge(&header, payload)
            }
            kind @ (2 | 3) => {
                // The next of his, with another payload.
                bad.forge(&next(&self.headers[usize::from(kind - 2)]), bytes)
            }
            4 => bad.forge_report(bytes),
            _ => {
                self.clients[3].0.say(bytes);
                None
            }
        };
        if let Some(forged) = forged {
            self.sfu.handle_datagram(BAD, US, &forged, now);
        }
        self.settle();
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let (now, media_ms) = (self.now, self.now.duration_since(self.start).as_millis() as u64);
        let packet =
            |line, layer, bytes| LoadPacket { line, layer, bytes, media_ms, key: true, first: true, last: true };
        if media_ms.is_multiple_of(20) {
            self.clients[0].0.send(packet(0, Layer::default(), 90), now);
            self.clients[2].0.send(packet(0, Layer::default(), 90), now);
        }
        if media_ms.is_multiple_of(33) {
            Layer::ALL.into_iter().for_each(|layer| self.clients[2].0.send(packet(1, layer, 458), now));
        }
        self.clients.iter_mut().for_each(|(client, _)| client.wake(now));
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.sfu.handle_timeout(now);
        }
        self.settle();
    }

    /// What they have to say.
    fn exchange(&mut self) {
        let now = self.now;
        let mut said = Vec::new();
        for (index, (client, at)) in self.clients.iter_mut().enumerate() {
            let heard = &mut self.heard;
            let hear = |event| {
                let is_speaker = matches!(event, LoadEvent::Packet { line: 0, .. });
                *heard += u64::from(index == 1 && is_speaker);
            };
            client.drain(now, |_, bytes| said.push((*at, bytes.to_vec())), hear);
        }
        for (from, bytes) in said {
            if from == BAD
                && let [128..=191, kind, ..] = bytes[..]
                && !(192..=223).contains(&kind)
            {
                let words = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
                let header = if bytes[0] & 0x10 != 0 { 16 + 4 * words } else { 12 };
                self.headers[usize::from(bytes.len() > 300)] = bytes[..header].to_vec();
            }
            self.sfu.handle_datagram(from, US, &bytes, now);
        }
    }

    fn settle(&mut self) {
        self.exchange();
        let now = self.now;
        let mut voices = [Vec::new(), Vec::new()];
        let mut pictures = Vec::new();
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Media { peer, kind, layer, packet } => {
                    let whose = usize::from(peer == self.publishers[1]);
                    let of = if kind == TrackKind::Audio { &mut voices[whose] } else { &mut pictures };
                    of.push((layer, packet));
                }
                SfuEvent::Disconnected(key, _) => panic!("{key:?} is lost"),
                _ => {}
            }
        }
        let [speaker, bad] = voices;
        for (slot, packets) in [speaker, bad, pictures].iter().enumerate() {
            self.sfu.forward(&self.receivers.map(|key| (key, slot)), packets, now);
        }
        while let Some(transmit) = self.sfu.poll_transmit() {
            for datagram in transmit.bytes.chunks(transmit.segment) {
                let to = self.clients.iter_mut().find(|(_, at)| *at == transmit.to.address);
                let (client, at) = to.unwrap_or_else(|| panic!("{:?} is spoken to", transmit.to));
                client.receive(US, *at, datagram, now);
                // Of two things that come at once the library tells the last.
                self.exchange();
            }
            self.sfu.recycle(transmit);
        }
    }
}
