//! What a subscriber gets where packets are lost and where others misbehave, in virtual time.
#![expect(clippy::unwrap_used, reason = "a world that can't be made fails its test")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};
use sfu::{
    Layer, PeerKey, Sfu, SfuConfig, SfuEvent, SourceId,
    load::{LoadClient, LoadEvent, LoadIdentity, LoadPacket},
};

/// Packets of a picture, 30 pictures a second.
const PACKETS: usize = 5;

/// Behind a NAT that has forgotten him somebody has another port, so much above, and doesn't know.
const MOVED: u16 = 100;

/// Nobody has this port who was let in.
const STRANGER: u16 = 60;

/// Of what the publisher sends so much is known to who sends in his name.
const OVERHEARD_MAX: usize = 2_000;

/// Numbers that look random and are the same each time (Knuth's generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

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
    /// Of all packets of those who receive.
    slowest: Duration,
    keys_wanted: u64,
    /// Who has another address than at first: what goes to that reaches nobody.
    moved: [bool; 3],
    /// Who is where no network is: nothing of his, and nothing for him, arrives.
    dark: [bool; 3],
    /// The number and the time of the newest packet of each line.
    newest: [[Option<(u64, u32)>; 2]; 3],
    /// Numbers that did not follow the one before, and voices that are not 20 ms after it.
    gaps: u64,
    /// The publisher's packets have numbers so much lower than at first.
    lower: u64,
    /// The publisher's pictures need no other ones.
    key: bool,
    /// Key frames of the picture that those who receive it were granted to want.
    granted: u64,
    /// Datagrams that were sent to [`STRANGER`].
    to_stranger: u64,
    /// Packets of the publisher's voice that were taken for his.
    taken: u64,
    /// The publisher's datagrams, the newest last.
    overheard: VecDeque<Vec<u8>>,
    bad: Option<Bad>,
}

/// One more, who means no good.
struct Bad {
    client: LoadClient,
    key: PeerKey,
    /// Packets that came of what he sends, and that were sent to him.
    taken: u64,
    sent: u64,
    /// He reads media that is sent to him.
    reads: bool,
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
            slowest: Duration::ZERO,
            keys_wanted: 0,
            moved: [false; 3],
            dark: [false; 3],
            newest: [[None; 2]; 3],
            gaps: 0,
            lower: 0,
            key: true,
            granted: 0,
            to_stranger: 0,
            taken: 0,
            overheard: VecDeque::new(),
            bad: None,
        }
    }

    fn let_in(&mut self, publishes: bool) {
        self.invite(publishes);
        self.run(2_000);
    }

    /// He begins to connect.
    fn invite(&mut self, publishes: bool) {
        let identity = LoadIdentity::generate().unwrap();
        let (mut client, key, answer) = if publishes {
            let (client, offer) = LoadClient::publisher(&identity, address(5), 1, self.start).unwrap();
            let (key, answer) = self.sfu.publish(&offer, self.now).unwrap();
            (client, key, answer)
        } else {
            let (client, offer) = LoadClient::light_subscriber(&identity, address(5), 1, 1, self.start).unwrap();
            let (key, answer, _) = self.sfu.subscribe(&offer, self.now).unwrap();
            self.sfu.assign(key, 0, Some(SourceId::from(1)));
            self.sfu.assign(key, 1, Some(SourceId::from(2)));
            (client, key, answer)
        };
        client.answer(&answer).unwrap();
        self.bad = Some(Bad { client, key, taken: 0, sent: 0, reads: true });
    }

    fn drain_bad(&mut self) {
        let (to_server, now) = (&mut self.to_server, self.now);
        if let Some(bad) = &mut self.bad {
            bad.client.drain(now, |_, bytes| to_server.push_back((address(5), bytes.to_vec())), |_| {});
        }
    }

    fn bad(&mut self) -> &mut Bad {
        self.bad.as_mut().unwrap()
    }

    /// Lets him do his worst each millisecond for a while, and sees that the others notice nothing.
    fn misbehave(&mut self, ms: u64, mut worst: impl FnMut(&mut LoadClient, Instant)) {
        (self.seen, self.sent, self.slowest) = ([[0; 2]; 3], [0; 3], Duration::ZERO);
        (self.bad().taken, self.bad().sent) = (0, 0);
        for _ in 0..ms {
            let now = self.now;
            worst(&mut self.bad().client, now);
            self.drain_bad();
            self.step();
        }
        let (voices, pictures) = (ms / 20, ms / 33 * PACKETS as u64);
        for seen in &self.seen[1..] {
            assert!(seen[0].abs_diff(voices) <= 1, "{seen:?} of {voices} of voices");
            assert!(seen[1].abs_diff(pictures) <= PACKETS as u64, "{seen:?} of {pictures} of pictures");
        }
        assert!(self.slowest <= Duration::from_millis(2), "{:?}", self.slowest);
    }

    fn drain(&mut self, of: usize) {
        let from = address(2 + of as u16 + if self.moved[of] { MOVED } else { 0 });
        let (to_server, seen, wanted) = (&mut self.to_server, &mut self.seen[of], &mut self.keys_wanted);
        let (slowest, newest, gaps) = (&mut self.slowest, &mut self.newest[of], &mut self.gaps);
        let see = |event| match event {
            LoadEvent::Packet { line, delay, seq, timestamp, .. } => {
                if let Some((before, at)) = newest[line].replace((seq, timestamp)) {
                    let is_next = seq == before + 1 && (line == 1 || timestamp.wrapping_sub(at) == 960);
                    *gaps += u64::from(!is_next);
                }
                seen[line] += 1;
                *slowest = delay.max(*slowest);
            }
            LoadEvent::KeyframeWanted { .. } => *wanted += 1,
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
            key: self.key,
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
        if let Some(bad) = self.bad.as_mut().filter(|bad| bad.client.timeout() <= now) {
            bad.client.wake(now);
            self.drain_bad();
        }
        for (from, bytes) in std::mem::take(&mut self.to_server) {
            if (0..3).any(|of| self.dark[of] && from == address(2 + of as u16)) {
                continue;
            }
            if from == address(2) {
                self.overheard.push_back(bytes.clone());
                if self.overheard.len() > OVERHEARD_MAX {
                    self.overheard.pop_front();
                }
            }
            self.sfu.handle_datagram(from, address(1), &bytes, now);
        }
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.sfu.handle_timeout(now);
        }
        let (mut voices, mut pictures): (Vec<(Layer, Arc<MediaPacket>)>, Vec<_>) = (Vec::new(), Vec::new());
        let mut events = Vec::new();
        while let Some(event) = self.sfu.poll_event() {
            match (event, &mut self.bad) {
                (SfuEvent::Media { peer, .. }, Some(bad)) if peer == bad.key => bad.taken += 1,
                (event, _) => events.push(event),
            }
        }
        for event in events {
            match event {
                SfuEvent::Media { kind, layer, packet, .. } => {
                    let packet = Arc::new(MediaPacket { seq: packet.seq - self.lower, ..(*packet).clone() });
                    if kind == TrackKind::Audio { &mut voices } else { &mut pictures }.push((layer, packet));
                }
                SfuEvent::Disconnected(key, _) => panic!("{key:?} is lost"),
                SfuEvent::KeyframeWanted { slot, .. } => {
                    self.granted += u64::from(slot == 1);
                    self.sfu.request_keyframe(self.keys[0], TrackKind::Camera, Layer::default(), now);
                }
                SfuEvent::Connected(_) | SfuEvent::Estimate { .. } | SfuEvent::Reordered(_) => {}
            }
        }
        let [_, first, second] = self.keys;
        // Where he sends himself, he is in no slot.
        let bad = self.bad.iter().map(|bad| bad.key);
        let to: Vec<PeerKey> = bad.chain([first, second]).collect();
        self.taken += voices.len() as u64;
        for (slot, packets) in [&voices, &pictures].into_iter().enumerate() {
            let to: Vec<_> = to.iter().map(|key| (*key, slot)).collect();
            self.sfu.forward(&to, packets, now);
        }
        while let Some(transmit) = self.sfu.poll_transmit() {
            let port = transmit.to.address.port();
            if port == STRANGER {
                self.to_stranger += 1;
                continue;
            }
            let (of, is_moved) = (usize::from(port % MOVED) - 2, port > MOVED);
            for datagram in transmit.bytes.chunks(transmit.segment) {
                if let (3, Some(bad)) = (of, &mut self.bad) {
                    bad.sent += 1;
                    // Without checks of the connection it would be given up.
                    if bad.reads || !matches!(datagram[0], 128..=191) {
                        bad.client.receive(address(1), transmit.to.address, datagram, now);
                        self.drain_bad();
                    }
                    continue;
                }
                if self.moved[of] != is_moved || self.dark[of] {
                    continue;
                }
                self.sent[of] += 1;
                let is_lost = of == 1 && self.loses.is_some_and(|every| self.sent[of].is_multiple_of(every));
                if !is_lost {
                    self.clients[of].receive(address(1), address(2 + of as u16), datagram, now);
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

// product: J6
#[test]
fn who_publishes_anew_is_heard_and_seen_at_once_however_his_packets_are_numbered() {
    let mut world = World::new();
    world.run(2_000);
    let [_, first, second] = world.keys;
    (world.gaps, world.lower) = (0, 60);
    for slot in 0..2 {
        world.sfu.renew(&[(first, slot), (second, slot)]);
    }
    for [voices, pictures] in &world.run(1_000)[1..] {
        assert!(
            (49..=51).contains(voices) && *pictures >= 29 * PACKETS as u64,
            "{voices} of voices, {pictures} of pictures"
        );
    }
    assert_eq!(world.gaps, 0, "what they receive goes on");
}

// RFC 8445 §7.3.1.5, product: J6
#[test]
fn who_has_another_address_all_at_once_is_heard_and_sent_to_there() {
    let mut world = World::new();
    world.run(2_000);
    world.moved = [false, true, false];
    let away = (1..20_000).find(|_| world.run(1)[1][0] > 0);
    println!("who receives is without sound for {away:?} ms");
    assert!(away.is_some_and(|ms| ms < 3_000), "{away:?}");
    let [_, first, _] = world.run(1_000);
    assert!(first[0] >= 49 && first[1] >= 145, "{first:?}");
    world.moved = [true, true, false];
    let away = (1..20_000).find(|_| world.run(1)[2][0] > 0);
    println!("who sends is not heard for {away:?} ms");
    assert!(away.is_some_and(|ms| ms < 3_000), "{away:?}");
    let [_, first, second] = world.run(1_000);
    assert!(first[0] >= 49 && second[0] >= 49 && second[1] >= 145, "{first:?} {second:?}");
}

// RFC 8445 §9, RFC 9725 §4.3
#[test]
fn who_begins_anew_is_heard_and_hears_again() {
    let mut world = World::new();
    world.run(2_000);
    for who in [0, 1] {
        let offer = world.clients[who].restart().unwrap();
        let (key, now) = (world.keys[who], world.now);
        let answer = world.sfu.restart(key, &offer, now).unwrap();
        // Until he has read it all goes on as it was.
        let [_, first, _] = world.run(200);
        assert!(first[0] >= 9, "{first:?}");
        world.clients[who].answer(&answer).unwrap();
        // By another way, too.
        world.moved[who] = true;
        let away = (1..20_000).find(|_| world.run(1)[1][0] > 0);
        println!("{who} is without sound for {away:?} ms");
        assert!(away.is_some_and(|ms| ms < 1_000), "{away:?}");
        let [_, first, second] = world.run(1_000);
        assert!(first[0] >= 49 && second[0] >= 49 && first[1] >= 140, "{first:?} {second:?}");
    }
    // Another one's offer is none of his.
    let (key, now) = (world.keys[0], world.now);
    let others = world.clients[1].restart().unwrap();
    assert!(world.sfu.restart(key, &others, now).is_err());
    let [_, first, second] = world.run(1_000);
    assert!(first[0] >= 49 && second[0] >= 49, "{first:?} {second:?}");
}

// RFC 8829 §5.3.1, RFC 8122 §5
#[test]
fn who_begins_anew_is_told_the_same_of_what_he_is_sent_and_has_the_same_certificate() {
    let (identity, now) = (LoadIdentity::generate().unwrap(), Instant::now());
    let mut sfu = Sfu::new(SfuConfig { candidates: vec![address(1)] }).unwrap();
    let (mut client, offer) = LoadClient::subscriber(&identity, address(2), 2, 2, now).unwrap();
    let (key, answer, _) = sfu.subscribe(&offer, now).unwrap();
    client.answer(&answer).unwrap();
    let offer = client.restart().unwrap();
    let other = offer.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:");
    assert!(other != offer && sfu.restart(key, &other, now).is_err(), "it is no new connection");
    let again = sfu.restart(key, &offer, now).unwrap();
    let said = |answer: &str, of: &str| -> Vec<String> {
        answer.lines().filter(|line| line.starts_with(of)).map(str::to_owned).collect()
    };
    assert!(said(&answer, "a=ssrc").len() >= 4);
    assert_eq!(said(&answer, "a=ssrc"), said(&again, "a=ssrc"));
    assert_ne!(said(&answer, "a=ice-ufrag"), said(&again, "a=ice-ufrag"));

    let (mut client, offer) = LoadClient::publisher(&identity, address(3), 3, now).unwrap();
    let (key, answer) = sfu.publish(&offer, now).unwrap();
    client.answer(&answer).unwrap();
    let again = sfu.restart(key, &client.restart().unwrap(), now).unwrap();
    assert_eq!(said(&answer, "a=fmtp"), said(&again, "a=fmtp"), "asked for the same");
}

// RFC 7587 §6.1
#[test]
fn people_are_asked_to_send_nothing_while_they_are_silent_and_encoders_are_not() {
    let (identity, now) = (LoadIdentity::generate().unwrap(), Instant::now());
    let mut sfu = Sfu::new(SfuConfig { candidates: vec![address(1)] }).unwrap();
    let (mut publisher, offer) = LoadClient::publisher(&identity, address(2), 3, now).unwrap();
    let (_, answer) = sfu.publish(&offer, now).unwrap();
    let opus = |answer: &str| {
        let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("a=fmtp:111 ")).map(str::to_owned).collect();
        assert_eq!(lines.len(), 1, "{answer}");
        assert!(lines[0].contains("useinbandfec=1"), "{lines:?}");
        lines[0].contains(";usedtx=1")
    };
    assert!(opus(&answer));
    publisher.answer(&answer).unwrap();
    let (_, answer) = sfu.ingest(&offer, now).unwrap();
    assert!(!opus(&answer));
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
fn a_key_frame_that_is_under_way_is_not_asked_for_again() {
    let mut world = World::new();
    world.let_in(false);
    world.key = false;
    world.run(1_500);
    // As browsers do, again and again until it is there.
    let mut asks = |times: u64| {
        world.granted = 0;
        for _ in 0..times {
            world.bad().client.flood(1);
            world.run(33);
        }
        let granted = world.granted;
        world.key = true;
        world.run(33);
        world.key = false;
        granted
    };
    assert_eq!([asks(2), asks(4)], [2, 0], "after one has begun to come");
    world.run(1_000);
    world.bad().client.flood(1);
    world.granted = 0;
    world.run(33);
    assert_eq!(world.granted, 1, "it must have been lost");
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

// trap: A10. What is beyond 24 Mbit/s is dropped before any work is done for it.
#[test]
fn who_sends_a_hundred_megabits_is_taken_for_a_quarter_and_the_others_notice_nothing() {
    let mut world = World::new();
    world.let_in(true);
    let mut ms = 0;
    world.misbehave(4_000, |client, now| {
        ms += 1;
        for number in 0..12 {
            let packet = LoadPacket {
                line: 1,
                layer: Layer::default(),
                bytes: 1_050,
                media_ms: ms,
                key: true,
                first: number == 0,
                last: number == 11,
            };
            client.send(packet, now);
        }
        client.wake(now);
    });
    let (taken, flooded) = (world.bad().taken, world.sfu.stats().flooded);
    println!("{taken} packets were taken, {flooded} dropped");
    // In the first second it may be twice as much.
    assert!((9_000..14_500).contains(&taken) && flooded > 30_000, "{taken} taken, {flooded} dropped");
}

// trap: A10. The WebRTC library remembers each source for ever.
#[test]
fn who_is_another_source_with_each_packet_is_heard_as_few_and_the_others_notice_nothing() {
    let mut world = World::new();
    world.let_in(true);
    let mut ssrc = 1_000_000;
    world.misbehave(4_000, |client, now| {
        ssrc += 1;
        client.change_source(0, ssrc);
        let (line, bytes, media_ms) = (0, 90, u64::from(ssrc));
        client.send(
            LoadPacket { line, layer: Layer::default(), bytes, media_ms, key: true, first: true, last: true },
            now,
        );
        client.wake(now);
    });
    let (taken, dropped) = (world.bad().taken, world.sfu.stats().sources);
    println!("{taken} packets were taken, {dropped} dropped");
    assert!(taken <= 64 && dropped > 3_800, "{taken} taken, {dropped} dropped");
}

// RFC 3550 §8.2
#[test]
fn who_is_another_source_once_is_heard_without_a_pause() {
    let mut world = World::new();
    world.run(5_000);
    world.clients[0].change_source(0, 7_777);
    let away = (1..5_000).find(|_| world.run(1)[1][0] > 0);
    println!("he is not heard for {away:?} ms");
    assert!(away.is_some_and(|ms| ms <= 40), "{away:?}");
    let [_, first, second] = world.run(1_000);
    assert!(first[0] >= 49 && second[0] >= 49, "{first:?} {second:?}");
}

// trap: A10
#[test]
fn who_floods_with_reports_gets_little_again_and_the_others_notice_nothing() {
    let mut world = World::new();
    world.let_in(false);
    world.keys_wanted = 0;
    world.misbehave(4_000, |client, _| client.flood(10));
    let (bad, honest, flooded) = (world.bad().sent, world.sent[1], world.sfu.stats().flooded);
    println!("{bad} packets were sent to him, {honest} to others; {flooded} of his reports were dropped");
    assert!(flooded > 60_000, "{flooded}");
    assert!(world.keys_wanted <= 9, "{} key frames in four seconds", world.keys_wanted);
    assert!(bad * 10 < honest * 15, "{bad} to him, {honest} to others");
}

// trap: A10
#[test]
fn who_never_reads_gets_voices_alone_until_he_does() {
    let mut world = World::new();
    world.let_in(false);
    world.bad().reads = false;
    world.misbehave(6_000, |_, _| {});
    world.misbehave(2_000, |_, _| {});
    let sent = world.bad().sent;
    println!("{sent} packets were sent to him in two seconds, {} to others", world.sent[1]);
    assert!((100..150).contains(&sent), "fifty voices a second and little else: {sent}");
    let (key, now) = (world.bad().key, world.now);
    let passed = world.sfu.passed(key, now).unwrap();
    assert!(passed.withheld > 200, "{passed:?}");
    world.bad().reads = true;
    world.run(2_000);
    world.misbehave(1_000, |_, _| {});
    let (sent, others) = (world.bad().sent, world.sent[1]);
    assert!(sent * 10 > others * 9, "he reads again and gets all: {sent} of {others}");
}

// RFC 8445 §7.3, RFC 5764 §5.1.2; trap: A5
#[test]
fn a_strangers_hellos_keep_nobody_from_connecting_and_take_over_nothing() {
    let mut other = World::new();
    let hello = (0..2_000).find_map(|_| {
        other.step();
        // A record of a handshake with the first of its messages (RFC 6347 §4.2.2).
        other.overheard.iter().find(|bytes| bytes[0] == 22 && bytes.get(13) == Some(&1)).cloned()
    });
    let hello = hello.expect("browsers begin the handshake");
    let mut world = World::new();
    let mut connected = None;
    for ms in 0..4_000 {
        // Before the first check of the connection, during the handshake, and when all is said.
        if ms < 1_000 || ms % 20 == 0 {
            world.sfu.handle_datagram(address(STRANGER), address(1), &hello, world.now);
        }
        world.step();
        let is_there = world.seen[1..].iter().all(|seen| seen[0] > 0);
        connected = connected.or_else(|| is_there.then_some(ms));
    }
    let mut quiet = World::new();
    let without = (0..4_000).find(|_| {
        quiet.step();
        quiet.seen[1..].iter().all(|seen| seen[0] > 0)
    });
    let (connected, without) = (connected.expect("they connect"), without.expect("they connect"));
    assert!(connected <= without + 20, "{connected} ms where without hellos it is {without}");
    assert_eq!(world.to_stranger, 0);
    let [_, first, second] = world.run(1_000);
    assert!(first[0] >= 49 && second[0] >= 49 && first[1] >= 145 && second[1] >= 145, "{first:?} {second:?}");
}

// RFC 8445 §7.3, RFC 8489 §9.1.3; trap: A5
#[test]
fn checks_by_the_right_name_and_the_wrong_password_change_nothing() {
    const FINGERPRINT_BYTES: usize = 8;
    let mut world = World::new();
    world.run(2_000);
    let check = world.overheard.iter().rev().find(|bytes| bytes.starts_with(&[0, 1]));
    let mut check = check.expect("browsers check their connection").clone();
    // Without the checksum, which anybody can make, the password is all there is.
    check.truncate(check.len() - FINGERPRINT_BYTES);
    let len = u16::from_be_bytes([check[2], check[3]]) - FINGERPRINT_BYTES as u16;
    check[2..4].copy_from_slice(&len.to_be_bytes());
    for at in 0..check.len() {
        for bit in 0..8 {
            let mut forged = check.clone();
            forged[at] ^= 1 << bit;
            world.sfu.handle_datagram(address(STRANGER), address(1), &forged, world.now);
        }
        world.step();
    }
    assert_eq!(world.to_stranger, 0);
    let [_, first, second] = world.run(1_000);
    assert!(first[0] >= 49 && second[0] >= 49 && first[1] >= 145 && second[1] >= 145, "{first:?} {second:?}");
    assert_eq!(world.to_stranger, 0);
}

// trap: A7. He knows the publisher's address and hears all that he sends.
#[test]
fn packets_in_somebodys_name_that_were_changed_or_came_before_cost_him_nothing() {
    const MS: u64 = 10_000;
    let mut world = World::new();
    world.run(2_000);
    let (mut dice, mut changed, mut again) = (Dice(1), 0, 0);
    (world.seen, world.gaps) = ([[0; 2]; 3], 0);
    for _ in 0..MS {
        let media = |world: &World, dice: &mut Dice| {
            let any = &world.overheard[dice.below(world.overheard.len())];
            matches!(any[0], 128..=191).then(|| any.clone())
        };
        if let Some(mut packet) = media(&world, &mut dice) {
            let at = dice.below(packet.len());
            packet[at] ^= 1 << dice.below(8);
            world.to_server.push_back((address(2), packet.clone()));
            world.to_server.push_back((address(STRANGER), packet));
            changed += 1;
        }
        if let Some(packet) = media(&world, &mut dice) {
            world.to_server.push_back((address(2), packet.clone()));
            world.to_server.push_back((address(STRANGER), packet));
            again += 1;
        }
        world.step();
    }
    let (voices, pictures) = (MS / 20, MS / 33 * PACKETS as u64);
    println!("{changed} were changed, {again} came again; of {voices} and {pictures} arrived {:?}", world.seen);
    assert!(changed > 9_000 && again > 9_000, "{changed} {again}");
    for [voice, picture] in &world.seen[1..] {
        assert!((voices * 99 / 100..=voices + 1).contains(voice), "{voice} of {voices}");
        assert!((pictures * 99 / 100..=pictures + PACKETS as u64).contains(picture), "{picture} of {pictures}");
    }
    assert_eq!(world.to_stranger, 0);
    // A source that begins now is still taken for his: a screen, say.
    world.clients[0].change_source(0, 7_777);
    world.taken = 0;
    world.run(1_000);
    assert!(world.taken >= 48, "{} of a new source", world.taken);
    assert_eq!(world.sfu.stats().sources, 0);
}

// product: J6
#[test]
fn after_ten_seconds_without_a_network_sound_is_back_as_soon_as_it_is() {
    for who in [0, 1] {
        let mut world = World::new();
        world.run(2_000);
        world.dark[who] = true;
        let [_, first, second] = world.run(10_000);
        assert_eq!(first[0], 0, "{who} is in the dark");
        assert!(who == 0 || second[0] >= 499, "{second:?}");
        world.dark[who] = false;
        let away = (1..20_000).find(|_| world.run(1)[1][0] > 0);
        println!("{who} is without sound for {away:?} ms");
        assert!(away.is_some_and(|ms| ms < 3_000), "{away:?}");
        // A picture may need a key frame first.
        world.run(1_000);
        let [_, first, second] = world.run(1_000);
        assert!(first[0] >= 49 && second[0] >= 49, "{first:?} {second:?}");
        assert!(first[1] >= 140 && second[1] >= 140, "{first:?} {second:?}");
    }
}

#[test]
fn nothing_is_missing_and_nothing_late_for_those_who_stay_while_somebody_comes() {
    for publishes in [true, false] {
        let mut world = World::new();
        world.run(2_000);
        world.gaps = 0;
        world.invite(publishes);
        world.misbehave(3_000, |_, _| {});
        assert_eq!(world.gaps, 0);
        let (key, sent) = (world.bad().key, world.bad().sent);
        assert!(sent > 0, "he has connected");
        // Nor when he goes.
        world.sfu.remove(key);
        let [_, first, second] = world.run(1_000);
        assert!(world.gaps == 0 && first[0] >= 49 && second[0] >= 49, "{} {first:?} {second:?}", world.gaps);
    }
}
