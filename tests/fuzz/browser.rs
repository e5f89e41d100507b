//! What comes of browsers, and of who sends in their name.

use std::{
    net::SocketAddr,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

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
