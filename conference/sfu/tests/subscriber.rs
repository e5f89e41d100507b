//! What a subscriber gets where packets are lost and where others misbehave, in virtual time.
#![expect(clippy::unwrap_used, reason = "a world that can't be made fails its test")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};
use sfu::{
    Layer, PeerKey, Sfu, SfuConfig, SfuEvent, SourceId,
    load::{LoadClient, LoadEvent, LoadIdentity, LoadPacket},
};

/// Packets of a picture, 30 pictures a second.
const PACKETS: usize = 5;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// One who sends a voice and a picture, and two who receive both.
struct World {
    sfu: Sfu,
    start: Instant,
    now: Instant,
    clients: [LoadClient; 3],
    keys: [PeerKey; 3],
    to_server: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Of what is sent to the first of those who receive, every so many is lost.
    loses: Option<u64>,
    sent: [u64; 3],
    /// Packets of the voice and of the picture.
    seen: [[u64; 2]; 3],
    keys_wanted: u64,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        let identity = LoadIdentity::generate().unwrap();
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![address(1)] }).unwrap();
        let (mut publisher, offer) = LoadClient::publisher(&identity, address(2), 1, start).unwrap();
        let (publishing, answer) = sfu.publish(&offer, start).unwrap();
        publisher.answer(&answer).unwrap();
        let mut subscribe = |port| {
            let (mut client, offer) = LoadClient::subscriber(&identity, address(port), 1, 1, start).unwrap();
            let (key, answer, _) = sfu.subscribe(&offer, start).unwrap();
            client.answer(&answer).unwrap();
            sfu.assign(key, 0, Some(SourceId::from(1)));
            sfu.assign(key, 1, Some(SourceId::from(2)));
            (client, key)
        };
        let ((first, first_key), (second, second_key)) = (subscribe(3), subscribe(4));
        Self {
            sfu,
            start,
            now: start,
            clients: [publisher, first, second],
            keys: [publishing, first_key, second_key],
            to_server: VecDeque::new(),
            loses: None,
            sent: [0; 3],
            seen: [[0; 2]; 3],
            keys_wanted: 0,
        }
    }

    fn drain(&mut self, of: usize) {
        let from = address(2 + of as u16);
        let (to_server, seen, wanted) = (&mut self.to_server, &mut self.seen[of], &mut self.keys_wanted);
        let see = |event| match event {
            LoadEvent::Packet { line, .. } => seen[line] += 1,
            LoadEvent::KeyframeWanted(_) => *wanted += 1,
            LoadEvent::Connected => {}
        };
        self.clients[of].drain(self.now, |_, bytes| to_server.push_back((from, bytes.to_vec())), see);
    }

    fn publish(&mut self, ms: u64) {
        let of = |line, bytes, number| LoadPacket {
            line,
            layer: Layer::default(),
            bytes,
            media_ms: ms,
            key: true,
            first: number == 0,
            last: number == PACKETS - 1,
        };
        if ms.is_multiple_of(20) {
            self.clients[0].send(of(0, 90, 0), self.now);
        }
        for number in 0..if ms.is_multiple_of(33) { PACKETS } else { 0 } {
            self.clients[0].send(of(1, 1_000, number), self.now);
        }
        self.clients[0].wake(self.now);
        self.drain(0);
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        self.publish(now.duration_since(self.start).as_millis() as u64);
        for of in 1..3 {
            if self.clients[of].timeout() <= now {
                self.clients[of].wake(now);
                self.drain(of);
            }
        }
        for (from, bytes) in std::mem::take(&mut self.to_server) {
            self.sfu.handle_datagram(from, address(1), &bytes, now);
        }
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.sfu.handle_timeout(now);
        }
        let (mut voices, mut pictures): (Vec<(Layer, MediaPacket)>, Vec<_>) = (Vec::new(), Vec::new());
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Media { kind: TrackKind::Audio, layer, packet, .. } => voices.push((layer, packet)),
                SfuEvent::Media { layer, packet, .. } => pictures.push((layer, packet)),
                SfuEvent::Disconnected(key, _) => panic!("{key:?} is lost"),
                SfuEvent::Connected(_) | SfuEvent::KeyframeWanted { .. } | SfuEvent::Estimate { .. } => {}
            }
        }
        let [_, first, second] = self.keys;
        self.sfu.forward(&[(first, 0), (second, 0)], &voices, now);
        self.sfu.forward(&[(first, 1), (second, 1)], &pictures, now);
        while let Some(transmit) = self.sfu.poll_transmit() {
            let of = usize::from(transmit.to.port()) - 2;
            for datagram in transmit.bytes.chunks(transmit.segment) {
                self.sent[of] += 1;
                let is_lost = of == 1 && self.loses.is_some_and(|every| self.sent[of].is_multiple_of(every));
                if !is_lost {
                    self.clients[of].receive(address(1), transmit.to, datagram, now);
                    self.drain(of);
                }
            }
            self.sfu.recycle(transmit);
        }
    }

    /// What is seen in so long a time.
    fn run(&mut self, ms: u64) -> [[u64; 2]; 3] {
        (self.seen, self.sent) = ([[0; 2]; 3], [0; 3]);
        (0..ms).for_each(|_| self.step());
        self.seen
    }
}

#[test]
fn what_is_lost_of_a_picture_is_sent_again_to_whom_it_was_lost() {
    let mut world = World::new();
    world.run(2_000);
    world.loses = Some(20);
    let [_, first, second] = world.run(10_000);
    let pictures = 10_000 / 33 * PACKETS as u64;
    assert!(first[1] + 10 >= pictures && first[1] <= pictures + 10, "{first:?} of {pictures}");
    assert!(second[1] + 10 >= pictures && second[1] <= pictures + 10, "{second:?} of {pictures}");
    let again = world.sent[1] - world.sent[2];
    assert!((pictures / 40..pictures / 8).contains(&again), "{again} were sent again, of {pictures}");
    // Voices are not worth the wait.
    assert!((440..500).contains(&first[0]) && second[0] >= 499, "{first:?} {second:?}");
}

#[test]
fn key_frames_are_asked_for_twice_a_second_however_many_want_one() {
    let mut world = World::new();
    world.run(1_000);
    world.keys_wanted = 0;
    for _ in 0..4_000 {
        let (key, now) = (world.keys[0], world.now);
        for _ in 0..3 {
            world.sfu.request_keyframe(key, TrackKind::Camera, Layer::default(), now);
        }
        world.step();
    }
    assert!((7..=9).contains(&world.keys_wanted), "{} in four seconds", world.keys_wanted);
}

#[test]
fn what_is_no_report_changes_nothing() {
    let mut world = World::new();
    world.run(2_000);
    let mut random = 1_u32;
    for round in 0..2_000 {
        let mut datagram = vec![0x80 | (round % 64) as u8, 200 + (round % 8) as u8, 0, 6];
        for _ in 0..round % 90 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            datagram.push((random >> 24) as u8);
        }
        world.to_server.push_back((address(3), datagram));
        if round % 20 == 0 {
            world.step();
        }
    }
    let [_, first, second] = world.run(1_000);
    assert!(first[0] >= 49 && second[0] >= 49, "{first:?} {second:?}");
    assert!(first[1] >= 145 && second[1] >= 145, "{first:?} {second:?}");
}
