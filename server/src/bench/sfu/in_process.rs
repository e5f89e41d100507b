//! The same forwarding without sockets and in a clock of its own: what the engine itself takes, and where.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};
use serde_json::{Value, json};
use sfu::{
    Layer, PeerKey, SfuConfig, SfuEvent, SourceId, Transmit,
    load::{LoadClient, LoadEvent, LoadIdentity},
};

use super::{PICTURES, Picture, VOICES, of_picture, of_voice};

/// How long lines are looked at before anything is measured.
const WARM_UP_MS: u64 = 3_000;

const SERVER: usize = 0;

fn address(of: usize) -> SocketAddr {
    let [high, low] = (of as u16).to_be_bytes();
    SocketAddr::from(([10, 0, high, low], 4_000))
}

fn index(address: SocketAddr) -> Option<usize> {
    let SocketAddr::V4(address) = address else { return None };
    let [_, _, high, low] = address.ip().octets();
    usize::from(u16::from_be_bytes([high, low])).checked_sub(1)
}

/// Where the engine's time goes.
#[derive(Default)]
struct Spent {
    ingress: Duration,
    timers: Duration,
    forward: Duration,
    egress: Duration,
}

/// Adds how long it took.
fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *spent += began.elapsed();
    done
}

struct World {
    sfu: sfu::Sfu,
    clients: Vec<LoadClient>,
    keys: Vec<PeerKey>,
    now: Instant,
    to_server: Vec<(SocketAddr, Vec<u8>)>,
    received: u64,
    sent: u64,
    transmits: u64,
    spent: Spent,
}

impl World {
    fn drain(&mut self, of: usize) {
        let (to_server, received) = (&mut self.to_server, &mut self.received);
        let from = address(of + 1);
        let send = |_, bytes: &[u8]| to_server.push((from, bytes.to_vec()));
        let see = |event| *received += u64::from(matches!(event, LoadEvent::Packet { .. }));
        self.clients[of].drain(self.now, send, see);
    }

    fn publish(&mut self, publishers: usize, cameras: usize, ms: u64) {
        for publisher in 0..publishers {
            // Clients don't all send at the same moment.
            let ms = ms + 7 * publisher as u64;
            let (voice, picture) = (ms.is_multiple_of(20), publisher < cameras && ms.is_multiple_of(33));
            if voice {
                self.clients[publisher].send(of_voice(ms), self.now);
            }
            for packet in of_picture(Picture::USUAL, ms).take(if picture { usize::MAX } else { 0 }) {
                self.clients[publisher].send(packet, self.now);
            }
            if voice || picture {
                self.clients[publisher].wake(self.now);
                self.drain(publisher);
            }
        }
    }

    fn step(&mut self, publishers: usize) {
        for client in 0..self.clients.len() {
            if self.clients[client].timeout() <= self.now {
                self.clients[client].wake(self.now);
                self.drain(client);
            }
        }
        let (sfu, now) = (&mut self.sfu, self.now);
        let datagrams = std::mem::take(&mut self.to_server);
        timed(&mut self.spent.ingress, || {
            for (from, bytes) in &datagrams {
                sfu.handle_datagram(*from, address(SERVER), bytes, now);
            }
        });
        timed(&mut self.spent.timers, || {
            if sfu.poll_timeout().is_some_and(|at| at <= now) {
                sfu.handle_timeout(now);
            }
        });
        let mut fed: BTreeMap<(usize, bool), Vec<(Layer, Arc<MediaPacket>)>> = BTreeMap::new();
        while let Some(event) = sfu.poll_event() {
            let SfuEvent::Media { peer, kind, layer, packet } = event else { continue };
            let Some(publisher) = self.keys.iter().position(|key| *key == peer) else { continue };
            fed.entry((publisher, kind != TrackKind::Audio)).or_default().push((layer, packet));
        }
        for ((publisher, is_picture), packets) in fed {
            let slot = if is_picture { VOICES + publisher } else { publisher };
            let to: Vec<_> = self.keys[publishers..].iter().map(|key| (*key, slot)).collect();
            timed(&mut self.spent.forward, || sfu.forward(&to, &packets, now));
        }
        let mut transmits: Vec<Transmit> = Vec::new();
        timed(&mut self.spent.egress, || transmits.extend(std::iter::from_fn(|| sfu.poll_transmit())));
        for transmit in transmits {
            self.transmits += 1;
            if let Some(of) = index(transmit.to.address) {
                for datagram in transmit.bytes.chunks(transmit.segment) {
                    self.sent += 1;
                    self.clients[of].receive(address(SERVER), transmit.to.address, datagram, self.now);
                    self.drain(of);
                }
            }
            self.sfu.recycle(transmit);
        }
    }
}

pub(super) fn measure(publishers: usize, cameras: usize, subscribers: usize, seconds: u64) -> anyhow::Result<Value> {
    let start = Instant::now();
    let identity = LoadIdentity::generate()?;
    let mut sfu = sfu::Sfu::new(SfuConfig { candidates: vec![address(SERVER)] })?;
    let (mut clients, mut keys) = (Vec::new(), Vec::new());
    for of in 0..publishers {
        let layers = usize::from(of < cameras);
        let (mut client, offer) = LoadClient::publisher(&identity, address(of + 1), layers, start)?;
        let (key, answer) = sfu.publish(&offer, start)?;
        client.answer(&answer)?;
        clients.push(client);
        keys.push(key);
    }
    for of in publishers..publishers + subscribers {
        let (mut client, offer) = LoadClient::subscriber(&identity, address(of + 1), VOICES, PICTURES, start)?;
        let (key, answer, _) = sfu.subscribe(&offer, start)?;
        client.answer(&answer)?;
        for publisher in 0..publishers {
            sfu.assign(key, publisher, Some(SourceId::from(2 * publisher as u64)));
            if publisher < cameras {
                sfu.assign(key, VOICES + publisher, Some(SourceId::from(2 * publisher as u64 + 1)));
            }
        }
        clients.push(client);
        keys.push(key);
    }
    let spent = Spent::default();
    let mut world =
        World { sfu, clients, keys, now: start, to_server: Vec::new(), received: 0, sent: 0, transmits: 0, spent };
    for ms in 0..WARM_UP_MS + 1_000 * seconds {
        if ms == WARM_UP_MS {
            (world.received, world.sent, world.transmits, world.spent) = (0, 0, 0, Spent::default());
        }
        world.now += Duration::from_millis(1);
        world.publish(publishers, cameras, ms);
        world.step(publishers);
    }
    let per_packet = |spent: Duration| spent.as_nanos() as f64 / world.received as f64;
    let Spent { ingress, timers, forward, egress } = world.spent;
    Ok(json!({
        "bench": "sfu",
        "in_process": true,
        "publishers": publishers,
        "subscribers": subscribers,
        "cameras": cameras,
        "seconds": seconds,
        "packets_per_second": world.received as f64 / seconds as f64,
        "datagrams_per_call": world.sent as f64 / world.transmits as f64,
        "ns_per_packet": per_packet(ingress + timers + forward + egress),
        "ingress_ns_per_packet": per_packet(ingress),
        "timers_ns_per_packet": per_packet(timers),
        "forward_ns_per_packet": per_packet(forward),
        "egress_ns_per_packet": per_packet(egress),
    }))
}
