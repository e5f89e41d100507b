//! What a subscriber takes of memory, in virtual time.
#![expect(clippy::unwrap_used, reason = "a world that can't be made fails its test")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::TrackKind;
use sfu::{
    Layer, PeerKey, Sfu, SfuConfig, SfuEvent, SourceId,
    load::{LoadClient, LoadEvent, LoadIdentity, LoadPacket},
};

/// Slots that a page offers, and those of the voices that fill them.
const VOICES: usize = 6;
const SPEAKERS: usize = 5;
const PICTURES: usize = 9;

/// A picture of 2.1 Mbit/s.
const EVERY_MS: u64 = 33;
const PACKETS: usize = 8;
const BYTES: usize = 1_100;

fn address(of: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1 + of as u16))
}

struct World {
    sfu: Sfu,
    /// Publishers, then subscribers.
    clients: Vec<LoadClient>,
    keys: Vec<PeerKey>,
    now: Instant,
    start: Instant,
    /// That the SFU has asked for and not given back.
    bytes: i64,
    came: usize,
}

impl World {
    fn new(subscribers: usize, pictures: usize) -> Self {
        let start = Instant::now();
        let identity = LoadIdentity::generate().unwrap();
        let sfu = Sfu::new(SfuConfig { candidates: vec![address(0)] }).unwrap();
        let (clients, keys) = (Vec::new(), Vec::new());
        let mut world = Self { sfu, clients, keys, now: start, start, bytes: 0, came: 0 };
        for of in 1..=PICTURES {
            let (mut client, offer) = LoadClient::publisher(&identity, address(of), 1, start).unwrap();
            let (key, answer) = world.sfu.publish(&offer, start).unwrap();
            client.answer(&answer).unwrap();
            world.clients.push(client);
            world.keys.push(key);
        }
        for of in PICTURES + 1..=PICTURES + subscribers {
            let (mut client, offer) =
                LoadClient::light_subscriber(&identity, address(of), VOICES, PICTURES, start).unwrap();
            let (key, answer, _) = world.counted(|sfu| sfu.subscribe(&offer, start)).unwrap();
            client.answer(&answer).unwrap();
            for (slot, source) in
                (0..SPEAKERS).map(|of| (of, 2 * of)).chain((0..pictures).map(|of| (VOICES + of, 2 * of + 1)))
            {
                world.sfu.assign(key, slot, Some(SourceId::from(source as u64)));
            }
            world.clients.push(client);
            world.keys.push(key);
        }
        world
    }

    fn counted<T>(&mut self, work: impl FnOnce(&mut Sfu) -> T) -> T {
        let (sfu, mut done) = (&mut self.sfu, None);
        self.bytes += allocation_counter::measure(|| done = Some(work(sfu))).bytes_current;
        done.unwrap()
    }

    /// One millisecond.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        let ms = now.duration_since(self.start).as_millis() as u64;
        let mut to_server = Vec::new();
        for (index, client) in self.clients.iter_mut().enumerate() {
            if index < PICTURES {
                publish(client, ms + 7 * index as u64, now);
            } else if client.timeout() <= now {
                client.wake(now);
            }
            let is_packet = |event| matches!(event, LoadEvent::Packet { .. });
            let from = address(index + 1);
            client.drain(
                now,
                |_, bytes| to_server.push((from, bytes.to_vec())),
                |event| self.came += usize::from(is_packet(event)),
            );
        }
        let keys = self.keys.clone();
        let transmits = self.counted(|sfu| {
            for (from, bytes) in &to_server {
                sfu.handle_datagram(*from, address(0), bytes, now);
            }
            if sfu.poll_timeout().is_some_and(|at| at <= now) {
                sfu.handle_timeout(now);
            }
            let mut came: BTreeMap<_, Vec<_>> = BTreeMap::new();
            while let Some(event) = sfu.poll_event() {
                let SfuEvent::Media { peer, kind, layer, packet } = event else { continue };
                let publisher = keys.iter().position(|key| *key == peer).unwrap();
                let slot = if kind == TrackKind::Audio { publisher } else { VOICES + publisher };
                if kind != TrackKind::Audio || publisher < SPEAKERS {
                    came.entry(slot).or_default().push((layer, packet));
                }
            }
            for (slot, packets) in came {
                let to: Vec<_> = keys[PICTURES..].iter().map(|key| (*key, slot)).collect();
                sfu.forward(&to, &packets, now);
            }
            std::iter::from_fn(|| sfu.poll_transmit()).collect::<Vec<_>>()
        });
        for transmit in &transmits {
            let client = &mut self.clients[usize::from(transmit.to.address.port()) - 2];
            for datagram in transmit.bytes.chunks(transmit.segment) {
                client.receive(address(0), transmit.to.address, datagram, now);
            }
        }
        self.counted(|sfu| transmits.into_iter().for_each(|transmit| sfu.recycle(transmit)));
    }
}

fn publish(client: &mut LoadClient, ms: u64, now: Instant) {
    let mut send = |line, bytes, first, last| {
        client.send(LoadPacket { line, layer: Layer::default(), bytes, media_ms: ms, key: true, first, last }, now);
    };
    if ms.is_multiple_of(20) {
        send(0, 90, true, false);
    }
    if ms.is_multiple_of(EVERY_MS) {
        (0..PACKETS).for_each(|packet| send(1, BYTES, packet == 0, packet + 1 == PACKETS));
    }
    client.wake(now);
}

/// What each further one takes once all that is kept for a while is kept, in KiB.
fn each_takes(pictures: usize) -> i64 {
    let [few, many] = [1, 3].map(|subscribers| {
        let mut world = World::new(subscribers, pictures);
        (0..4_000).for_each(|_| world.step());
        let due = subscribers * (SPEAKERS * 50 + pictures * PACKETS * 30) * 3;
        assert!(world.came > due * 9 / 10, "{} of {due}", world.came);
        world.bytes
    });
    (many - few) / 2 / 1_024
}

#[test]
fn a_subscriber_takes_little_memory() {
    let [voices, all] = [0, PICTURES].map(each_takes);
    println!("{voices} KiB with voices, {all} KiB with nine pictures");
    assert!(all < 300, "{all} KiB");
}
