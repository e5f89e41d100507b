//! A meeting's pictures over a line of this width or that, in virtual time: what the network does is exact, and what else the
//! machine does is nothing.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use model::{MeetingId, ParticipantId};
use sfu::{
    Layer, Sfu, SfuConfig, SfuEvent,
    load::{LoadClient, LoadEvent, LoadIdentity, LoadPacket},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{legs::Legs, room::Room, subscriber::Shown, worker::PeerRole};

mod remb;

/// One way takes so long, and a narrow line keeps so much waiting before it drops.
const WAY: Duration = Duration::from_millis(20);
const QUEUE: Duration = Duration::from_millis(250);

/// The last pictures of a time that is looked at may come after it.
const LAST: Duration = Duration::from_millis(300);

/// Packets of a picture and bytes of each, by layer: 110, 400 and 1,200 kbit/s at 30 pictures a second.
const LAYERS: [(usize, usize); 3] = [(1, 458), (2, 833), (5, 1_000)];

/// The same of a shared screen with a film on it, and milliseconds between two pictures: 190 and 1,800 kbit/s.
const SCREEN: [(usize, usize, u64); 2] = [(5, 950, 200), (14, 1_050, 66)];

/// What the camera shows.
#[derive(Debug, Clone, Copy)]
struct Scene {
    /// Between two pictures, in milliseconds.
    every: u64,
    /// A picture has so many times the packets above.
    times: usize,
    /// One that needs no other has so many times those of another.
    key_times: usize,
    /// Whoever asks for one gets one of all layers, as browsers have it; somebody else asks each so many milliseconds.
    keys_all: bool,
    asked_every: u64,
}

/// Somebody in front of his camera.
const CALM: Scene = Scene { every: 33, times: 1, key_times: 1, keys_all: false, asked_every: u64::MAX };

/// Noise, of which each picture is another: 10 pictures a second that take as much, and key frames several times a usual one.
const NOISE: Scene = Scene { every: 100, times: 3, key_times: 5, keys_all: true, asked_every: 4_000 };

/// IP and UDP.
const HEADERS: usize = 28;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// Below a thousand: by Knuth's MMIX, so the same luck each time.
fn per_mille(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) % 1_000
}

/// Makes one: for so many voices and pictures.
type Viewer = fn(&LoadIdentity, SocketAddr, usize, usize, Instant) -> Result<(LoadClient, String), sfu::SfuError>;

/// A publisher with a voice and a picture in three layers, and a viewer behind a line.
struct World {
    start: Instant,
    now: Instant,
    sfu: Sfu,
    room: Room,
    clients: [LoadClient; 2],
    people: [ParticipantId; 2],
    peers: HashMap<sfu::PeerKey, usize>,
    /// By time of arrival; the number keeps the order.
    on_the_way: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
    /// To the viewer, in bits per second.
    width: Option<u64>,
    free: Instant,
    /// Of what the publisher sends, so many in a thousand are lost.
    loss: u64,
    random: u64,
    scene: Scene,
    key: [bool; 3],
    /// The same of the screen, where there is one.
    screen_key: Option<[bool; 2]>,
    /// When the middle layer is sent, by the time.
    sends_middle: fn(u64) -> bool,
    keys_asked: usize,
    /// How often the publisher's layers were found to be others than they were taken for.
    reordered: usize,
    /// Datagrams of the publisher's, those that have a packet of the largest layer.
    large_sent: usize,
    /// Pictures that were sent, by media time.
    published: BTreeMap<u64, [Published; 3]>,
    estimates: Vec<u64>,
    /// Of a viewer who says what his line carries.
    receiver: Option<remb::Receiver>,
    seen: Seen,
}

/// One layer of a picture.
#[derive(Debug, Clone, Copy, Default)]
struct Published {
    /// It needs no other.
    key: bool,
    packets: usize,
}

/// What the viewer got since it was last looked.
#[derive(Debug, Default)]
struct Seen {
    layers: [usize; 3],
    /// Packets of the screen.
    screens: [usize; 2],
    voices: usize,
    slowest_voice: Duration,
    /// How many packets of which picture, and layer, have come, and when the latest did.
    pictures: BTreeMap<(u64, usize), (usize, Instant)>,
    /// Of those that were sent: by media time.
    published: BTreeMap<u64, [Published; 3]>,
    /// Between two of them.
    every: Duration,
}

/// What somebody sees of pictures that came so.
#[derive(Debug)]
struct Film {
    decoded: usize,
    /// As browsers count it: between two pictures that are shown it takes longer than three usual ones, or 150 ms longer.
    frozen: Duration,
    longest: Duration,
}

impl Seen {
    /// A picture can be decoded where it is whole and the one before of its layer was, or where it needs no other; not before that.
    fn film(&self) -> Film {
        let usual = self.every;
        let (mut shown, mut before): (Vec<Instant>, [Option<usize>; 3]) = (Vec::new(), [None; 3]);
        let times: Vec<u64> = self.published.keys().copied().collect();
        for (at, ms) in times.iter().enumerate() {
            let sent = &self.published[ms];
            let whole = |layer: &usize| {
                self.pictures.get(&(*ms, *layer)).is_some_and(|(n, _)| *n >= sent[*layer].packets.max(1))
            };
            let follows = |layer: &usize| before[*layer] == at.checked_sub(1) || sent[*layer].key || shown.is_empty();
            let decoded: Vec<usize> = (0..3).filter(whole).filter(follows).collect();
            decoded.iter().for_each(|layer| before[*layer] = Some(at));
            let Some(largest) = decoded.last() else { continue };
            let came = self.pictures[&(*ms, *largest)].1;
            shown.push(shown.last().map_or(came, |last| came.max(*last)));
        }
        let gaps: Vec<Duration> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let is_frozen = |gap: &&Duration| **gap > (3 * usual).max(usual + Duration::from_millis(150));
        Film {
            decoded: shown.len(),
            frozen: gaps.iter().filter(is_frozen).sum(),
            longest: gaps.iter().copied().max().unwrap_or_default(),
        }
    }
}

impl World {
    fn new(width: Option<u64>) -> Self {
        Self::of(width, LoadClient::subscriber, str::to_owned)
    }

    /// The viewer does not report when packets arrive.
    fn without_arrivals() -> Self {
        let is_other = |line: &&str| !line.contains("transport-wide-cc");
        Self::of(None, LoadClient::light_subscriber, |offer| {
            offer.lines().filter(is_other).map(|line| format!("{line}\r\n")).collect()
        })
    }

    fn of(width: Option<u64>, viewer: Viewer, offered: impl Fn(&str) -> String) -> Self {
        let publishes = |identity: &LoadIdentity, sfu: &mut Sfu, start| {
            let (mut publisher, offer) = LoadClient::publisher(identity, address(2), 3, start).unwrap();
            let (publishing, answer) = sfu.publish(&offer, start).unwrap();
            publisher.answer(&answer).unwrap();
            (publisher, publishing)
        };
        Self::with(publishes, width, viewer, offered)
    }

    /// Who publishes has come by WHIP with what OBS offers, changed so.
    fn with_encoder(changed: impl Fn(&str) -> String) -> Self {
        let publishes = |identity: &LoadIdentity, sfu: &mut Sfu, start| {
            let (mut publisher, offer) = LoadClient::encoder(identity, address(2), 3, start).unwrap();
            assert!(!offer.contains("rtx") && offer.contains("a=simulcast:send 0;1;2\r\n"), "{offer}");
            let (publishing, answer) = sfu.ingest(&changed(&offer), start).unwrap();
            publisher.answer(&answer).unwrap();
            (publisher, publishing)
        };
        Self::with(publishes, None, LoadClient::subscriber, str::to_owned)
    }

    /// Who publishes shows his camera and his screen.
    fn sharing() -> Self {
        let publishes = |identity: &LoadIdentity, sfu: &mut Sfu, start| {
            let (mut publisher, offer) = LoadClient::sharer(identity, address(2), start).unwrap();
            let (publishing, answer) = sfu.publish(&offer, start).unwrap();
            publisher.answer(&answer).unwrap();
            (publisher, publishing)
        };
        let mut world = Self::with(publishes, None, LoadClient::subscriber, str::to_owned);
        world.screen_key = Some([true; 2]);
        world
    }

    fn with(
        publishes: impl Fn(&LoadIdentity, &mut Sfu, Instant) -> (LoadClient, sfu::PeerKey),
        width: Option<u64>,
        viewer: Viewer,
        offered: impl Fn(&str) -> String,
    ) -> Self {
        let start = Instant::now();
        let identity = LoadIdentity::generate().unwrap();
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![address(1)] }).unwrap();
        // What becomes of it is not told to anybody.
        let (facts, _) = mpsc::channel(1);
        let mut room = Room::new(MeetingId::new(Uuid::from_u128(1)), facts, mixer::LineCare::default(), crate::LOUDEST);
        let people = [1, 2].map(|n| ParticipantId::new(Uuid::from_u128(n)));
        let (publisher, publishing) = publishes(&identity, &mut sfu, start);
        room.set_publisher(people[0], publishing).unwrap();
        let (mut viewer, offer) = viewer(&identity, address(3), 2, 2, start).unwrap();
        let (viewing, answer, slots) = sfu.subscribe(&offered(&offer), start).unwrap();
        viewer.answer(&answer).unwrap();
        room.set_subscriber(people[1], viewing, slots);
        Self {
            start,
            now: start,
            sfu,
            room,
            clients: [publisher, viewer],
            people,
            peers: HashMap::from([(publishing, 0), (viewing, 1)]),
            on_the_way: BTreeMap::new(),
            sent: 0,
            width,
            free: start,
            loss: 0,
            random: 1,
            scene: CALM,
            key: [true; 3],
            screen_key: None,
            sends_middle: |_| true,
            keys_asked: 0,
            reordered: 0,
            large_sent: 0,
            published: BTreeMap::new(),
            estimates: Vec::new(),
            receiver: None,
            seen: Seen::default(),
        }
    }

    fn show(&mut self, height: u32) {
        self.show_each(&[(media::TrackKind::Camera, height)]);
    }

    fn show_each(&mut self, pictures: &[(media::TrackKind, u32)]) {
        let participant = self.people[0];
        let shown = |(kind, height): &(media::TrackKind, u32)| {
            let (kind, height) = (*kind, *height);
            Shown { participant, kind, width: height * 16 / 9, height, pinned: false }
        };
        self.room.set_shown(self.people[1], pictures.iter().map(shown).collect());
    }

    fn post(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut arrives = self.now + WAY;
        if from == address(2) {
            self.large_sent += usize::from(bytes.len() > LAYERS[2].1);
            if per_mille(&mut self.random) < self.loss {
                return;
            }
        }
        if let Some(width) = self.width.filter(|_| to == address(3)) {
            let leaves =
                self.free.max(self.now) + Duration::from_secs_f64((bytes.len() + HEADERS) as f64 * 8.0 / width as f64);
            if leaves > self.now + QUEUE {
                return;
            }
            self.free = leaves;
            arrives = leaves + WAY;
        }
        if let Some(receiver) = self.receiver.as_mut().filter(|_| to == address(3)) {
            receiver.expect(bytes, arrives, arrives - self.now - WAY);
        }
        self.sent += 1;
        self.on_the_way.insert((arrives, self.sent), (from, to, bytes.to_vec()));
    }

    fn drain(&mut self, index: usize) {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        self.clients[index].drain(self.now, |to, bytes| out.push((to, bytes.to_vec())), |event| events.push(event));
        for (to, bytes) in out {
            self.post(address(2 + index as u16), to, &bytes);
        }
        for event in events {
            match event {
                LoadEvent::KeyframeWanted { line: 2, layer } => {
                    if let Some(key) = self.screen_key.as_mut().and_then(|keys| keys.get_mut(layer.index())) {
                        *key = true;
                    }
                }
                LoadEvent::KeyframeWanted { .. } if self.scene.keys_all => {
                    self.key = [true; 3];
                    self.keys_asked += 1;
                }
                LoadEvent::KeyframeWanted { layer, .. } => {
                    self.key[layer.index()] = true;
                    self.keys_asked += 1;
                }
                LoadEvent::Packet { line, delay, .. } if line < 2 => {
                    self.seen.voices += 1;
                    self.seen.slowest_voice = self.seen.slowest_voice.max(delay);
                }
                LoadEvent::Packet { bytes, delay, .. } => {
                    if let Some(layer) = SCREEN.iter().position(|(_, of_layer, _)| *of_layer == bytes) {
                        self.seen.screens[layer] += 1;
                    }
                    if let Some(layer) = LAYERS.iter().position(|(_, of_layer)| *of_layer == bytes) {
                        self.seen.layers[layer] += 1;
                        let sent = (self.now - delay).duration_since(self.start);
                        let picture = (sent.as_secs_f64() * 1e3).round() as u64;
                        let known = self.seen.pictures.entry((picture, layer)).or_insert((0, self.now));
                        *known = (known.0 + 1, self.now);
                    }
                }
                LoadEvent::Connected => {}
            }
        }
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        let ms = now.duration_since(self.start).as_millis() as u64;
        while let Some(due) = self.on_the_way.first_entry().filter(|due| due.key().0 <= now) {
            let (from, to, bytes) = due.remove();
            match to.port() {
                1 => {
                    self.sfu.handle_datagram(from, to, &bytes, now);
                }
                port => {
                    self.clients[usize::from(port) - 2].receive(from, to, &bytes, now);
                    self.drain(usize::from(port) - 2);
                }
            }
        }
        self.say_what_comes();
        self.publish(ms);
        for index in 0..2 {
            if self.clients[index].timeout() <= now {
                self.clients[index].wake(now);
                self.drain(index);
            }
        }
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.sfu.handle_timeout(now);
        }
        self.take_events();
        if ms.is_multiple_of(20) {
            self.room.tick(&mut Legs::new(), &mut self.sfu, now);
        }
        self.room.forward(&mut self.sfu, now);
        while let Some(transmit) = self.sfu.poll_transmit() {
            for datagram in transmit.bytes.chunks(transmit.segment) {
                self.post(transmit.from, transmit.to.address, datagram);
            }
            self.sfu.recycle(transmit);
        }
        self.take_events();
    }

    fn publish(&mut self, ms: u64) {
        let of =
            |line, layer, bytes, key, first, last| LoadPacket { line, layer, bytes, media_ms: ms, key, first, last };
        if ms.is_multiple_of(20) {
            self.clients[0].send(of(0, Layer::default(), 90, false, false, false), self.now);
            self.clients[0].wake(self.now);
            self.drain(0);
        }
        if let Some(keys) = &mut self.screen_key {
            for (index, (packets, bytes, every)) in SCREEN.into_iter().enumerate() {
                if !ms.is_multiple_of(every) {
                    continue;
                }
                let (layer, key) = (Layer::new(index as u8), std::mem::take(&mut keys[index]));
                for packet in 0..packets {
                    self.clients[0].send(of(2, layer, bytes, key, packet == 0, packet + 1 == packets), self.now);
                }
            }
            self.clients[0].wake(self.now);
            self.drain(0);
        }
        let scene = self.scene;
        if !ms.is_multiple_of(scene.every) {
            return;
        }
        if ms % scene.asked_every < scene.every && ms >= scene.asked_every {
            self.key = [true; 3];
        }
        let picture = self.published.entry(ms).or_default();
        for (layer, (packets, bytes)) in Layer::ALL.into_iter().zip(LAYERS) {
            if layer.index() == 1 && !(self.sends_middle)(ms) {
                continue;
            }
            let key = std::mem::take(&mut self.key[layer.index()]);
            let packets = packets * scene.times * if key { scene.key_times } else { 1 };
            picture[layer.index()] = Published { key, packets };
            for packet in 0..packets {
                self.clients[0].send(of(1, layer, bytes, key, packet == 0, packet + 1 == packets), self.now);
            }
        }
        self.clients[0].wake(self.now);
        self.drain(0);
    }

    fn take_events(&mut self) {
        while let Some(event) = self.sfu.poll_event() {
            match event {
                SfuEvent::Media { peer, kind, layer, packet } => {
                    self.room.media(self.people[self.peers[&peer]], (kind, layer), packet, self.now);
                }
                SfuEvent::KeyframeWanted { peer, slot } => {
                    self.room.keyframe_wanted(self.people[self.peers[&peer]], slot);
                }
                SfuEvent::Estimate { peer, bitrate } => {
                    self.estimates.extend(bitrate);
                    self.room.set_estimate(self.people[self.peers[&peer]], bitrate, self.now);
                }
                SfuEvent::Connected(peer) => {
                    let index = self.peers[&peer];
                    let role = [PeerRole::Publisher, PeerRole::Subscriber][index];
                    self.room.connected(self.people[index], role);
                }
                SfuEvent::Reordered(peer) => {
                    self.reordered += 1;
                    self.room.renew_camera(self.people[self.peers[&peer]], &mut self.sfu);
                }
                SfuEvent::Disconnected(peer, _) => panic!("{peer:?} is lost"),
            }
        }
    }

    fn run(&mut self, ms: u64) -> Seen {
        self.run_with(ms, |_, _| {})
    }

    /// The same, and before each millisecond something happens.
    fn run_with(&mut self, ms: u64, mut happens: impl FnMut(&mut Self, u64)) -> Seen {
        self.seen = Seen::default();
        self.published.clear();
        for ms in 0..ms {
            happens(self, ms);
            self.step();
        }
        // What was sent last is still on its way, or sent again.
        let ends = self.now.duration_since(self.start).as_millis() as u64 - LAST.as_millis() as u64;
        let published = self.published.range(..ends).map(|(ms, picture)| (*ms, *picture)).collect();
        Seen { published, every: Duration::from_millis(self.scene.every), ..std::mem::take(&mut self.seen) }
    }

    /// The viewer says what his line carries (REMB, draft-alvestrand-rmcat-remb-03).
    fn say_bound(&mut self, bitrate: u32, ssrcs: &[u32]) {
        let exponent = 8;
        let rate = (ssrcs.len() as u32) << 24 | exponent << 18 | bitrate >> exponent;
        let mut report = vec![0x8f, 206, 0, 4 + ssrcs.len() as u8, 0, 0, 0, 1, 0, 0, 0, 0];
        report.extend(*b"REMB");
        report.extend(rate.to_be_bytes());
        ssrcs.iter().for_each(|ssrc| report.extend(ssrc.to_be_bytes()));
        self.clients[1].say(&report);
        self.drain(1);
    }

    /// How many milliseconds it takes until this layer comes.
    fn until(&mut self, layer: usize, ms_max: u64) -> u64 {
        self.seen = Seen::default();
        let took = (0..ms_max).find(|_| {
            self.step();
            self.seen.layers[layer] > 0
        });
        took.unwrap_or_else(|| panic!("layer {layer} does not come: {:?}, {:?}", self.seen, self.estimates.last()))
    }
}

#[test]
fn a_large_picture_comes_soon_on_a_good_line_and_a_small_one_where_it_is_shown_small() {
    let mut world = World::new(None);
    world.show(720);
    let took = world.until(2, 6_000);
    println!("the largest layer came after {took} ms");
    world.show(180);
    world.until(0, 1_000);
    world.run(500);
    let seen = world.run(1_000);
    assert!(seen.layers[0] >= 29 && seen.layers[1..] == [0, 0], "{seen:?}");
    assert_eq!(seen.voices, 50);
}

#[test]
fn a_line_that_becomes_narrow_is_followed_within_a_second_and_voices_go_on() {
    let mut world = World::new(None);
    world.show(360);
    world.until(1, 6_000);
    world.run(5_000);
    world.width = Some(300_000);
    let took = world.until(0, 3_000);
    world.run(500);
    let seen = world.run(10_000);
    println!("the small layer came after {took} ms; layers {:?}, {} voices", seen.layers, seen.voices);
    assert!(took < 1_000, "{took} ms");
    assert!(seen.layers[1] == 0 && seen.layers[0] > 240, "{seen:?}");
    assert!(seen.voices >= 495 && seen.slowest_voice < Duration::from_millis(400), "{seen:?}");
    world.width = None;
    let back = world.until(1, 10_000);
    println!("the larger layer came back after {back} ms");
}

#[test]
fn voices_are_whole_while_a_line_becomes_narrow() {
    for (height, layer) in [(360, 1), (720, 2)] {
        let mut world = World::new(None);
        world.show(height);
        world.until(layer, 6_000);
        world.run(5_000);
        world.width = Some(300_000);
        let seen = world.run(6_000);
        println!("{height}: {} voices of 300, layers {:?}", seen.voices, seen.layers);
        // The last may still be on their way.
        assert!(seen.voices >= 297, "{height}: {seen:?}");
    }
}

#[test]
fn a_line_of_one_megabit_is_not_overrun() {
    let mut world = World::new(Some(1_000_000));
    world.show(720);
    world.until(1, 6_000);
    world.estimates.clear();
    let seen = world.run(20_000);
    let highest = world.estimates.iter().copied().max().unwrap_or_default();
    let film = seen.film();
    println!("at most {highest} bit/s; layers {:?}; {film:?} of {}", seen.layers, seen.published.len());
    assert!(film.frozen < Duration::from_secs(1), "{film:?}");
    assert!(highest <= 1_200_000, "{highest} bit/s of 1,000,000");
    assert!(seen.voices >= 990, "{seen:?}");
    // Two packets a picture in the one layer, one in the other.
    assert!(seen.layers[1] / 2 + seen.layers[0] >= 594, "no picture is missing: {seen:?}");
    assert!(seen.layers[1] > 2 * 30 * 18, "it stays at half the picture: {seen:?}");
}

#[test]
fn a_line_that_shrinks_to_one_megabit_changes_the_layer_without_a_picture_less() {
    let mut world = World::new(None);
    world.show(720);
    world.until(2, 6_000);
    world.run(5_000);
    world.width = Some(1_000_000);
    world.estimates.clear();
    let seen = world.run(15_000);
    let (film, last) = (seen.film(), world.estimates.last().copied().unwrap_or_default());
    println!("{last} bit/s; layers {:?}; {film:?} of {}", seen.layers, seen.published.len());
    assert!(film.frozen < Duration::from_secs(1), "{film:?}");
    assert!(film.decoded * 100 >= seen.published.len() * 95, "{film:?} of {}", seen.published.len());
    assert!(last <= 1_200_000, "{last} bit/s");
    assert!(seen.layers[1] > 2 * 30 * 10, "half the picture: {:?}", seen.layers);
}

/// What is seen of a large picture of which one packet in twenty is lost on the way in: next to all of it.
fn repaired(world: &mut World, luck: u64) -> Seen {
    world.show(720);
    world.until(2, 6_000);
    world.run(3_000);
    (world.random, world.loss) = (luck, 50);
    let seen = world.run(15_000);
    let film = seen.film();
    println!("layers {:?}; {film:?} of {}", seen.layers, seen.published.len());
    assert!(film.decoded * 100 >= seen.published.len() * 98, "{film:?} of {}", seen.published.len());
    assert!(film.frozen < Duration::from_millis(500) && film.longest < Duration::from_millis(300), "{film:?}");
    seen
}

#[test]
fn loss_on_the_way_in_is_repaired() {
    for luck in 1..=16 {
        let seen = repaired(&mut World::new(None), luck);
        assert!((680..=740).contains(&seen.voices), "about one in twenty is missing: {}", seen.voices);
    }
}

// RFC 4588 §2, RFC 8853 §5.2; product: B9
#[test]
fn an_encoder_that_repeats_what_was_lost_is_asked_for_it() {
    for luck in 1..=16 {
        let mut world = World::with_encoder(str::to_owned);
        repaired(&mut world, luck);
        assert_eq!(world.reordered, 0, "the largest is listed first");
    }
    // Who doesn't say that he can is not asked.
    let mut world = World::with_encoder(|offer| {
        offer.lines().filter(|line| !line.ends_with(" nack")).map(|line| format!("{line}\r\n")).collect()
    });
    world.show(720);
    world.until(2, 6_000);
    world.loss = 50;
    let (seen, before) = (world.run(5_000), world.large_sent);
    println!("{before} packets of the largest layer; {:?}", seen.film());
    assert!(seen.film().decoded * 100 < seen.published.len() * 95, "{:?}", seen.film());
}

// RFC 8853 §5.2; product: B9
#[test]
fn an_encoders_layers_are_what_their_pictures_tell() {
    for is_listed_otherwise in [false, true] {
        let mut world = World::with_encoder(|offer| {
            if is_listed_otherwise { offer.replace("send 0;1;2", "send 2;1;0") } else { offer.to_owned() }
        });
        world.scene = Scene { keys_all: true, ..CALM };
        world.show(180);
        world.run(3_000);
        let seen = world.run(2_000);
        assert!(seen.layers[0] >= 55 && seen.layers[1..] == [0, 0], "{seen:?}");
        world.show(720);
        world.until(2, 3_000);
        world.run(500);
        let seen = world.run(2_000);
        assert!(seen.layers[2] >= 5 * 55 && seen.layers[..2] == [0, 0], "{seen:?}");
        assert_eq!(world.reordered > 0, is_listed_otherwise);
    }
}

#[test]
fn a_picture_that_becomes_smaller_and_larger_goes_on_where_packets_of_its_key_frames_are_lost() {
    for luck in 1..=16 {
        let mut world = World::new(None);
        world.show(720);
        world.until(2, 6_000);
        world.run(3_000);
        (world.random, world.loss) = (luck, 50);
        let seen = world.run_with(15_000, |world, ms| {
            if ms.is_multiple_of(1_000) {
                world.show(if ms.is_multiple_of(2_000) { 360 } else { 720 });
            }
        });
        let film = seen.film();
        println!("layers {:?}; {film:?} of {}", seen.layers, seen.published.len());
        assert!(seen.layers[1] > 200 && seen.layers[2] > 500, "both are seen: {:?}", seen.layers);
        assert!(film.longest < Duration::from_millis(300), "{film:?}");
    }
}

#[test]
fn who_reports_nothing_but_losses_is_sent_what_his_line_carries() {
    let mut world = World::without_arrivals();
    world.show(720);
    world.until(2, 1_000);
    world.run(2_000);
    world.width = Some(300_000);
    let took = world.until(0, 10_000);
    world.run(2_000);
    let seen = world.run(10_000);
    println!("the small layer came after {took} ms; layers {:?}, {} voices", seen.layers, seen.voices);
    assert!(seen.layers[0] >= 240 && seen.voices >= 480, "{seen:?}");
    world.width = None;
    let back = world.until(2, 120_000);
    println!("the largest layer came back after {back} ms");
}

#[test]
fn who_says_what_his_line_carries_is_sent_that() {
    let mut world = World::without_arrivals();
    world.show(720);
    world.until(2, 1_000);
    world.run(2_000);
    world.say_bound(300_000, &[]);
    let took = world.until(0, 2_000);
    world.run(500);
    let seen = world.run(5_000);
    println!("the small layer came after {took} ms; layers {:?}, {} voices", seen.layers, seen.voices);
    assert!(took < 500 && seen.layers[0] >= 140 && seen.layers[1..] == [0, 0] && seen.voices >= 249, "{seen:?}");
    world.say_bound(5_000_000, &[]);
    let back = world.until(2, 2_000);
    println!("the largest layer came back after {back} ms");
}

#[test]
fn a_layer_that_comes_and_goes_is_left_at_once_and_for_long() {
    let mut world = World::new(None);
    world.show(360);
    world.until(1, 6_000);
    world.run(3_000);
    // It is shown when it stops for the first time.
    while !world.now.duration_since(world.start).as_millis().is_multiple_of(2_000) {
        world.step();
    }
    // As browsers do over a line that has no room for it.
    world.sends_middle = |ms| ms % 2_000 < 400;
    world.keys_asked = 0;
    let seen = world.run(20_000);
    let film = seen.film();
    println!("layers {:?}; {film:?} of {}; {} key frames", seen.layers, seen.published.len(), world.keys_asked);
    assert!(film.longest < Duration::from_millis(500), "{film:?}");
    assert!(world.keys_asked <= 4, "{} key frames in 20 s", world.keys_asked);
    world.sends_middle = |_| true;
    let back = world.until(1, 14_000);
    println!("the middle layer came back after {back} ms");
}

#[test]
fn of_a_layer_that_nobody_is_sent_nothing_is_asked_for_again() {
    let mut world = World::new(None);
    world.show(180);
    world.until(0, 6_000);
    world.run(2_000);
    (world.loss, world.large_sent) = (50, 0);
    let seen = world.run(10_000);
    let sent = world.large_sent;
    println!("{sent} packets of the largest layer; layers {:?} of {}", seen.layers, seen.published.len());
    // One in twenty would be missing.
    assert!(seen.layers[0] * 100 >= seen.published.len() * 98, "what is seen is repaired: {seen:?}");
    assert!(sent <= LAYERS[2].0 * (10_000 / 33 + 2), "{sent} packets of the largest layer");
}

/// Noise in the largest layer that is shown at this height, and a line that becomes narrow at this moment of it or that.
fn noise_over(width: u64, height: u32, layer: usize) -> impl Iterator<Item = World> {
    (0..16).map(move |late| {
        let mut world = World::new(None);
        world.scene = NOISE;
        world.show(height);
        world.until(layer, 6_000);
        world.run(3_000 + 70 * late);
        world.width = Some(width);
        world.estimates.clear();
        world
    })
}

// product: C20
#[test]
fn on_a_narrow_line_a_screen_is_seen_before_any_camera() {
    let mut world = World::sharing();
    world.show_each(&[(media::TrackKind::Camera, 180), (media::TrackKind::Screen, 720)]);
    world.run(6_000);
    let seen = world.run(2_000);
    assert!(seen.screens[0] == 0 && seen.screens[1] >= 14 * 28 && seen.layers[0] >= 55, "all there is: {seen:?}");
    for (width, has_camera) in [(500_000, true), (300_000, false)] {
        world.width = Some(width);
        world.run(4_000);
        let seen = world.run(10_000);
        println!("{width}: screens {:?}, cameras {:?}, {} voices", seen.screens, seen.layers, seen.voices);
        // Five packets, five times a second.
        assert!(seen.screens[0] >= 5 * 45 && seen.screens[1] == 0, "{width}: {seen:?}");
        assert!(seen.voices >= 495, "{width}: {} voices", seen.voices);
        assert!((seen.layers[0] > 200) == has_camera, "{width}: {:?}", seen.layers);
    }
    world.width = None;
    world.run(15_000);
    let seen = world.run(2_000);
    assert!(seen.screens[1] >= 14 * 28 && seen.layers[0] >= 55, "all there is again: {seen:?}");
}

#[test]
fn noise_over_a_line_that_becomes_narrow_does_not_freeze() {
    for mut world in noise_over(1_000_000, 720, 2) {
        world.run(3_000);
        world.estimates.clear();
        let seen = world.run(12_000);
        let (film, all) = (seen.film(), seen.published.len());
        let (least, most) = (world.estimates.iter().min(), world.estimates.iter().max());
        println!("{least:?} to {most:?} bit/s; layers {:?}; {film:?} of {all}", seen.layers);
        assert!(film.frozen < Duration::from_secs(1) && film.decoded * 100 >= all * 98, "{film:?} of {all}");
        assert!(seen.layers[0] < 90 && seen.layers[2] == 0, "half the picture fits, and stays: {:?}", seen.layers);
        assert!(least > Some(&600_000) && most < Some(&1_200_000), "{:?}", world.estimates);
    }
}

#[test]
fn noise_over_a_very_narrow_line_is_seen_small() {
    for mut world in noise_over(300_000, 360, 1) {
        let took = world.until(0, 3_000);
        let seen = world.run(5_000);
        let (film, all) = (seen.film(), seen.published.len());
        let (least, most) = (world.estimates.iter().min(), world.estimates.iter().max());
        println!("after {took} ms; {least:?} to {most:?} bit/s; layers {:?}; {film:?} of {all}", seen.layers);
        assert!(took < 1_000, "{took} ms");
        assert!(film.frozen < Duration::from_millis(600) && film.decoded * 100 >= all * 90, "{film:?} of {all}");
        assert!(seen.voices >= 247, "{} voices", seen.voices);
    }
}
