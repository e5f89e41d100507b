//! The forwarding engine: all WebRTC peers of one media worker, behind one UDP port.
//!
//! A participant has two peers, one that publishes and one that subscribes; both are offered by the browser and never
//! renegotiated. What is published comes out as [`SfuEvent::Media`]; what is subscribed is written into *slots*, which
//! `plane` assigns. Bytes and time in, bytes out. The WebRTC library is known in `peer` alone, which leaves to it what publishers
//! send, and of subscribers the connection; its names of codecs in `codecs`, its ciphers in `srtp` and its handshake in `handshake`. What subscribers are sent is
//! `egress`; that, [`forward`] and [`allocate`] know nothing of it.

pub mod allocate;
mod asked;
mod codecs;
mod egress;
pub mod forward;
mod guard;
mod handshake;
mod ingress;
mod layers;
pub mod load;
mod missing;
mod offer;
mod peer;
mod picture;
mod red;
mod repair;
mod srtp;
mod stun;
mod ways;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};

use guard::Why;
use peer::{Gone, Identity, Peer};
use ways::Ways;

/// A peer that has not connected by then never will: its browser has gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Key frames of one track are asked for no more often: each costs the sender as much as half a second of pictures.
pub const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Datagrams in one call of the system; Linux takes no more (UDP_MAX_SEGMENTS).
const SEGMENTS_MAX: usize = 64;

/// Bytes in one call: an IP packet's length has 16 bits.
const TRANSMIT_BYTES_MAX: usize = 65_000;

/// Buffers kept for the next datagrams: as many as one turn of a worker sends in a large meeting, each as large as a usual picture. What a key
/// frame took is given back, or each would be as large before long.
const SPARE_MAX: usize = 1_024;
const SPARE_BYTES_MAX: usize = 16 << 10;

/// They grow by so many datagrams: doubled, half of them would mostly lie empty.
const GROWS_BY: usize = 4;

/// Peers of one worker. Above this a browser is refused rather than all slowed down.
const PEERS_MAX: usize = 4096;

/// One peer, unique while the worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey(u64);

/// One track of somebody, named by who assigns slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u64);

impl SourceId {
    /// What it was made from.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl From<u64> for SourceId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

/// Layers of one picture that are told apart.
pub const LAYERS: usize = 3;

/// One of the encodings of a picture that is sent in several sizes at once (simulcast, RFC 8853), the smallest first. What
/// is sent once only is the smallest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layer(u8);

impl Layer {
    /// The smallest first.
    pub const ALL: [Self; LAYERS] = [Self(0), Self(1), Self(2)];

    /// The layer of this index; the largest for what is beyond.
    #[must_use]
    pub const fn new(index: u8) -> Self {
        Self(if index < LAYERS as u8 { index } else { LAYERS as u8 - 1 })
    }

    /// Below [`LAYERS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How browsers reach this worker.
#[derive(Debug, Clone)]
pub struct SfuConfig {
    /// Its socket's addresses as others see them, the host candidates (RFC 8445 §5.1.1.1): each by UDP, and by TCP for who
    /// connects to it (RFC 6544 §4.1).
    pub candidates: Vec<SocketAddr>,
}

/// One receiving m-line of a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The m-line's media identification (RFC 9143).
    pub mid: String,
    audio: bool,
}

impl Slot {
    /// It carries sound; otherwise a picture.
    #[must_use]
    pub fn is_audio(&self) -> bool {
        self.audio
    }
}

/// What the peers have to say.
#[derive(Debug)]
pub enum SfuEvent {
    /// Media can flow.
    Connected(PeerKey),
    /// The browser has gone, or its network; the peer is removed, and this is what had been sent to it.
    Disconnected(PeerKey, Delivery),
    /// A packet of a publisher.
    Media {
        /// Whose.
        peer: PeerKey,
        /// Which of his tracks.
        kind: TrackKind,
        /// In which size.
        layer: Layer,
        /// Decrypted; all who are handed it share it.
        packet: Arc<MediaPacket>,
    },
    /// Which of an encoder's layers is which size is known better from now on: they come as others than before.
    Reordered(PeerKey),
    /// A subscriber can't go on without a key frame.
    KeyframeWanted {
        /// Whose.
        peer: PeerKey,
        /// The index of his slot.
        slot: usize,
    },
    /// How much a subscriber's line carries, as far as that is known by now.
    Estimate {
        /// Whose.
        peer: PeerKey,
        /// Bits per second; none while his client has given no feedback to know it by.
        bitrate: Option<u64>,
    },
}

impl SfuEvent {
    /// Of whom it tells.
    #[must_use]
    pub fn peer(&self) -> PeerKey {
        match self {
            Self::Connected(peer) | Self::Disconnected(peer, _) | Self::Reordered(peer) => *peer,
            Self::Media { peer, .. } | Self::KeyframeWanted { peer, .. } | Self::Estimate { peer, .. } => *peer,
        }
    }
}

/// What was sent to a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Packets of sound.
    pub voice_packets: u64,
    /// To his browser and back, as far as that is known.
    pub round_trip: Option<Duration>,
}

/// What has become of all that was sent to a subscriber, as far as he has reported it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinePassed {
    /// Packets that he has.
    pub arrived: u64,
    /// Packets that he has not; what was sent again is another packet.
    pub missed: u64,
    /// Bytes that were sent, with all headers.
    pub bytes: u64,
    /// Packets of pictures that were held back because he reports nothing.
    pub withheld: u64,
    /// Packets that were asked for again and not sent: what is sent again is no more than a part of all.
    pub refused: u64,
    /// How unevenly the voices come, the worst of them (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// To his browser and back, as far as that is known.
    pub round_trip: Option<Duration>,
}

/// What datagrams go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Themselves.
    Udp,
    /// A connection, each with its length before it (RFC 4571, RFC 6544).
    Tcp,
}

/// The other end of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Remote {
    /// Where.
    pub address: SocketAddr,
    /// By what.
    pub over: Transport,
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self { address, over: Transport::Udp }
    }
}

/// Datagrams to send to one peer, by one call of the system where it can (generic segmentation offload).
#[derive(Debug)]
pub struct Transmit {
    /// The candidate they are sent from.
    pub from: SocketAddr,
    /// Where to.
    pub to: Remote,
    /// Of each datagram but the last, which may be shorter.
    pub segment: usize,
    /// Their contents, one after the other.
    pub bytes: Vec<u8>,
    /// How many they are.
    count: usize,
}

impl Transmit {
    /// A datagram of so many bytes may be the next one here.
    fn takes(&self, from: SocketAddr, to: Remote, bytes: usize) -> bool {
        let whole = self.bytes.len() == self.segment * self.count;
        let fits = self.count < SEGMENTS_MAX && self.bytes.len() + bytes <= TRANSMIT_BYTES_MAX;
        (self.from, self.to) == (from, to) && whole && fits && bytes <= self.segment
    }
}

/// Collects what is to be sent.
#[derive(Default)]
struct Outbox {
    transmits: VecDeque<Transmit>,
    /// Buffers that were sent, to be used again.
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    fn push(&mut self, from: SocketAddr, to: Remote, datagram: &[u8]) {
        self.place(from, to, datagram.len(), |place| {
            place.copy_from_slice(datagram);
            true
        });
    }

    /// Makes room for a datagram; nothing is sent where `write` says so.
    fn place(&mut self, from: SocketAddr, to: Remote, bytes: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        if !self.transmits.back().is_some_and(|last| last.takes(from, to, bytes)) {
            let mut spare = self.spare.pop().unwrap_or_default();
            spare.clear();
            self.transmits.push_back(Transmit { from, to, segment: bytes, bytes: spare, count: 0 });
        }
        let Some(last) = self.transmits.back_mut() else { return false };
        let start = last.bytes.len();
        if last.bytes.capacity() < start + bytes {
            last.bytes.reserve_exact(bytes.max(GROWS_BY * last.segment));
        }
        last.bytes.resize(start + bytes, 0);
        if write(&mut last.bytes[start..]) {
            last.count += 1;
            return true;
        }
        last.bytes.truncate(start);
        if last.count == 0 {
            self.transmits.pop_back();
        }
        false
    }
}

/// Why an offer can't be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SfuError {
    /// It is no session description.
    #[error("the offer is no session description: {0}")]
    Parse(String),
    /// It is one, but not of the form the client protocol asks for.
    #[error("the offer has {0}")]
    Form(&'static str),
    /// The library can't answer it.
    #[error("the offer can't be answered: {0}")]
    Refused(String),
    /// No codec of its picture, or of all it offers, is taken here.
    #[error("the offer has no codec that is taken here")]
    Codec,
    /// No more peers fit.
    #[error("this server has {0} media connections and takes no more")]
    Full(usize),
    /// The worker's certificate can't be made.
    #[error("cannot make a certificate for DTLS")]
    Certificate,
}

/// What was dropped, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SfuStats {
    /// Datagrams of nobody we know, and packets that are not of whom they are said to be.
    pub strangers: u64,
    /// Peers ended because the library, or we, failed on their input.
    pub failed: u64,
    /// Datagrams beyond what one browser may send.
    pub flooded: u64,
    /// Datagrams of one source too many.
    pub sources: u64,
}

/// All peers of one worker.
pub struct Sfu {
    candidates: Vec<SocketAddr>,
    identity: Identity,
    /// Boxed: one takes 11 KiB, and a table keeps room for up to twice as many as there are.
    peers: HashMap<PeerKey, Box<Peer>>,
    last_key: u64,
    ways: Ways,
    by_ufrag: HashMap<String, PeerKey>,
    /// Peers that were asked for something since they were drained.
    dirty: Vec<PeerKey>,
    now: Instant,
    /// When each peer wants to be woken, the next first.
    timeouts: BTreeSet<(Instant, PeerKey)>,
    events: VecDeque<SfuEvent>,
    outbox: Outbox,
    stats: SfuStats,
    #[cfg(test)]
    panics_at: Option<PeerKey>,
}

impl Sfu {
    /// Makes the certificate all peers share.
    pub fn new(config: SfuConfig) -> Result<Self, SfuError> {
        Ok(Self {
            candidates: config.candidates,
            identity: Identity::generate()?,
            peers: HashMap::new(),
            last_key: 0,
            ways: Ways::default(),
            by_ufrag: HashMap::new(),
            dirty: Vec::new(),
            now: Instant::now(),
            timeouts: BTreeSet::new(),
            events: VecDeque::new(),
            outbox: Outbox::default(),
            stats: SfuStats::default(),
            #[cfg(test)]
            panics_at: None,
        })
    }

    /// Answers the offer of a connection that sends: `sendonly` m-lines for microphone, camera and screen.
    pub fn publish(&mut self, offer: &str, now: Instant) -> Result<(PeerKey, String), SfuError> {
        let (peer, answer) = Peer::publisher(offer, &self.identity, &self.candidates, now)?;
        Ok((self.add(peer, now)?, answer))
    }

    /// Answers the offer of an encoder (RFC 9725): one m-line of sound, one of a picture, in any order, or either alone.
    pub fn ingest(&mut self, offer: &str, now: Instant) -> Result<(PeerKey, String), SfuError> {
        let (peer, answer) = Peer::encoder(offer, &self.identity, &self.candidates, now)?;
        Ok((self.add(peer, now)?, answer))
    }

    /// Answers the offer of somebody who goes on by another way (ICE restart, RFC 8445 §9): the one he came with, but for
    /// its names and passwords of ICE. What flows goes on as it was until it comes by the new way.
    pub fn restart(&mut self, key: PeerKey, offer: &str, now: Instant) -> Result<String, SfuError> {
        let peer = self.peers.get_mut(&key).ok_or(SfuError::Form("no connection that it restarts"))?;
        let before = peer.ufrag().to_owned();
        let answer = peer.restart(offer)?;
        self.by_ufrag.remove(&before);
        self.by_ufrag.insert(peer.ufrag().to_owned(), key);
        self.drain(key, now);
        Ok(answer)
    }

    /// Answers the offer of a connection that receives: any number of `recvonly` m-lines, each a slot.
    pub fn subscribe(&mut self, offer: &str, now: Instant) -> Result<(PeerKey, String, Vec<Slot>), SfuError> {
        let (peer, answer) = Peer::subscriber(offer, &self.identity, &self.candidates, now)?;
        let slots = peer.slots();
        Ok((self.add(peer, now)?, answer, slots))
    }

    fn add(&mut self, peer: Peer, now: Instant) -> Result<PeerKey, SfuError> {
        if self.peers.len() >= PEERS_MAX {
            return Err(SfuError::Full(self.peers.len()));
        }
        self.last_key += 1;
        let key = PeerKey(self.last_key);
        self.by_ufrag.insert(peer.ufrag().to_owned(), key);
        self.peers.insert(key, Box::new(peer));
        self.drain(key, now);
        Ok(key)
    }

    /// Ends a peer; nothing is told. What was sent to it.
    pub fn remove(&mut self, key: PeerKey) -> Delivery {
        let Some(peer) = self.peers.remove(&key) else { return Delivery::default() };
        let delivery = peer.delivery();
        self.by_ufrag.remove(peer.ufrag());
        self.ways.forget(key);
        self.timeouts.remove(&(peer.scheduled(), key));
        for (from, to, bytes) in peer.close() {
            self.outbox.push(from, to, &bytes);
        }
        delivery
    }

    /// Takes a datagram that came from `from` to the candidate `to`. False when it is nobody's here.
    pub fn handle_datagram(&mut self, from: impl Into<Remote>, to: SocketAddr, datagram: &[u8], now: Instant) -> bool {
        let from = from.into();
        self.now = now;
        // A browser names its peer in its connectivity checks (RFC 8445 §7.2.2), and may come from a new address.
        let named = stun::local_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get(ufrag)).copied();
        let Some(key) = named.or_else(|| self.ways.peer_at(from)) else {
            self.stats.strangers += 1;
            return false;
        };
        let is_named = named.is_some();
        self.guarded(key, |sfu| sfu.take(key, is_named, (from, to), datagram, now));
        true
    }

    /// Takes what a peer has sent, or somebody in his name.
    fn take(&mut self, key: PeerKey, is_named: bool, (from, to): (Remote, SocketAddr), datagram: &[u8], now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        match peer.admit(key, datagram, now) {
            Ok(()) => {}
            Err(Why::Flood) => {
                self.stats.flooded += 1;
                return;
            }
            Err(Why::Sources) => {
                self.stats.sources += 1;
                return;
            }
            Err(Why::Stranger) => {
                self.stats.strangers += 1;
                return;
            }
        }
        // What is protected by keys that only we have (RFC 7983).
        if matches!(datagram.first(), Some(128..=191)) {
            let (events, out) = (&mut self.events, &mut self.outbox);
            if peer.reported(key, from, datagram, now, out, |event| events.push_back(event)) {
                self.schedule(key, now);
                return;
            }
        }
        match peer.receive(from, to, datagram, now) {
            Ok(accepted) => {
                if accepted && is_named {
                    self.ways.note(from, key);
                }
                self.drain(key, now);
            }
            Err(Gone) => self.lose(key),
        }
    }

    /// Lets the peers do what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        // Each once: one that wants to be woken again at once waits for the others' turn.
        let due: Vec<_> = self.timeouts.iter().take_while(|(at, _)| *at <= now).copied().collect();
        for (at, key) in due {
            self.timeouts.remove(&(at, key));
            self.guarded(key, |sfu| sfu.do_due(key, now));
        }
    }

    fn do_due(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.is_overdue(now, CONNECT_TIMEOUT) {
            self.lose(key);
            return;
        }
        peer.wake_ours(now, &mut self.outbox);
        self.wake(key, now);
    }

    /// Works on one peer. Where that panics it ends this peer, and no other notices.
    fn guarded(&mut self, key: PeerKey, work: impl FnOnce(&mut Self)) {
        let work = |sfu: &mut Self| {
            #[cfg(test)]
            assert_ne!(sfu.panics_at, Some(key));
            work(sfu);
        };
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            tracing::error!(peer = key.0, "a browser's connection panicked and is ended");
            self.stats.failed += 1;
            self.lose(key);
        }
    }

    fn wake(&mut self, key: PeerKey, now: Instant) {
        match self.peers.get_mut(&key).map(|peer| peer.wake(now)) {
            Some(Ok(true)) => self.drain(key, now),
            Some(Ok(false)) => self.schedule(key, now),
            Some(Err(Gone)) => self.lose(key),
            None => {}
        }
    }

    /// Writes down when the peer wants to be woken.
    fn schedule(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let at = peer.timeout(now);
        let before = peer.schedule(at);
        if before != at {
            self.timeouts.remove(&(before, key));
        }
        self.timeouts.insert((at, key));
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    /// The next datagrams to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.outbox.transmits.is_empty() {
            self.settle();
        }
        self.outbox.transmits.pop_front()
    }

    /// Takes back what was sent, for its memory.
    pub fn recycle(&mut self, transmit: Transmit) {
        if self.outbox.spare.len() < SPARE_MAX && transmit.bytes.capacity() <= SPARE_BYTES_MAX {
            self.outbox.spare.push(transmit.bytes);
        }
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<SfuEvent> {
        self.events.pop_front()
    }

    /// Puts a source into a slot, or empties it. Pictures begin with a key frame.
    pub fn assign(&mut self, peer: PeerKey, slot: usize, source: Option<SourceId>) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.assign(slot, source);
        }
    }

    /// Sends another layer of the slot's source from its next key frame on; with none, nothing.
    pub fn select(&mut self, peer: PeerKey, slot: usize, layer: Option<Layer>) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.select(slot, layer);
        }
    }

    /// What is in these slots comes by another connection from now on. Pictures begin with a key frame.
    pub fn renew(&mut self, to: &[(PeerKey, usize)]) {
        for (peer, slot) in to {
            if let Some(peer) = self.peers.get_mut(peer) {
                peer.renew(*slot);
            }
        }
    }

    /// Looks whether a subscriber's line carries so many bits per second; none, when nobody wants to know.
    pub fn set_minimum(&mut self, key: PeerKey, minimum: u64, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.set_minimum(minimum);
            self.schedule(key, now);
        }
    }

    /// Sends packets of one source, in their order, to whoever has it in a slot; each gets what is of the layer he is sent.
    pub fn forward(&mut self, to: &[(PeerKey, usize)], packets: &[(Layer, Arc<MediaPacket>)], now: Instant) {
        self.now = now;
        // All of one receiver's at a time: his state is fetched into the processor's cache once.
        for (key, slot) in to {
            self.guarded(*key, |sfu| {
                let Some(peer) = sfu.peers.get_mut(key) else { return };
                for (layer, packet) in packets {
                    peer.write(*slot, *layer, packet, now, &mut sfu.outbox);
                }
                if peer.timeout(now) < peer.scheduled() {
                    sfu.schedule(*key, now);
                }
            });
        }
    }

    /// Whether somebody has this layer in his slot, or is to have it.
    #[must_use]
    pub fn is_followed(&self, to: &[(PeerKey, usize)], layer: Layer) -> bool {
        to.iter().any(|(key, slot)| self.peers.get(key).is_some_and(|peer| peer.follows(*slot, layer)))
    }

    /// Of the other layers of a publisher's picture nothing that was lost is asked for again: it would take what his line has left.
    pub fn set_followed(&mut self, key: PeerKey, kind: TrackKind, followed: [bool; LAYERS]) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.set_followed(kind, followed);
        }
    }

    /// Asks a publisher for a key frame; false when that was done less than half a second ago of any layer of that track, with which this
    /// one's comes too where he is a browser, or he sends none.
    pub fn request_keyframe(&mut self, key: PeerKey, kind: TrackKind, layer: Layer, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        let asked = peer.request_keyframe(kind, layer, now);
        if asked && !peer.mark_dirty() {
            self.dirty.push(key);
        }
        asked
    }

    /// How a subscriber's line has carried what was sent; none before anything could be.
    #[must_use]
    pub fn passed(&self, key: PeerKey, now: Instant) -> Option<LinePassed> {
        self.peers.get(&key)?.passed(now)
    }

    /// The layer of the slot's source whose key frame has not come.
    #[must_use]
    pub fn waits_for_keyframe(&self, key: PeerKey, slot: usize) -> Option<Layer> {
        self.peers.get(&key)?.waits_for_keyframe(slot)
    }

    /// What was dropped.
    #[must_use]
    pub fn stats(&self) -> SfuStats {
        self.stats
    }

    /// Lets every peer that was asked for something say it.
    fn settle(&mut self) {
        let now = self.now;
        for key in std::mem::take(&mut self.dirty) {
            self.guarded(key, |sfu| sfu.wake(key, now));
        }
    }

    fn drain(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let (events, outbox) = (&mut self.events, &mut self.outbox);
        let drained =
            peer.drain(key, now, |event| events.push_back(event), |from, to, bytes| outbox.push(from, to, bytes));
        match drained {
            Ok(()) => self.schedule(key, now),
            Err(Gone) => self.lose(key),
        }
    }

    fn lose(&mut self, key: PeerKey) {
        if self.peers.get(&key).is_some_and(|peer| peer.has_failed()) {
            self.stats.failed += 1;
        }
        let delivery = self.remove(key);
        self.events.push_back(SfuEvent::Disconnected(key, delivery));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{LoadClient, LoadIdentity};

    // draft-ietf-mmusic-mdns-ice-candidates: browsers hide their own addresses behind names that nobody else can look up.
    #[test]
    fn addresses_that_are_names_are_no_hindrance() {
        let (now, server) = (Instant::now(), SocketAddr::from(([10, 0, 0, 1], 1)));
        let own = SocketAddr::from(([10, 0, 0, 1], 2));
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![server] }).unwrap();
        let (mut client, offer) = LoadClient::publisher(&LoadIdentity::generate().unwrap(), own, 1, now).unwrap();
        let named = offer.replace(" 10.0.0.1 2 typ", " 3d2a1c3e-6b0f-4a50-9d0c-8f1f2f6b1c11.local 2 typ");
        assert_ne!(named, offer);
        let (_, answer) = sfu.publish(&named, now).unwrap();
        client.answer(&answer).unwrap();
        client.wake(now);
        client.drain(now, |to, bytes| assert!(sfu.handle_datagram(own, to, bytes, now)), |_| {});
        assert_eq!(sfu.poll_transmit().map(|transmit| transmit.to.address), Some(own), "his check is answered");
    }

    #[test]
    fn a_connection_that_panics_ends_and_no_other() {
        let (now, server) = (Instant::now(), SocketAddr::from(([10, 0, 0, 1], 1)));
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![server] }).unwrap();
        let identity = LoadIdentity::generate().unwrap();
        let mut clients = [2, 3].map(|port| {
            let own = SocketAddr::from(([10, 0, 0, 1], port));
            let (mut client, offer) = LoadClient::publisher(&identity, own, 1, now).unwrap();
            let (key, answer) = sfu.publish(&offer, now).unwrap();
            client.answer(&answer).unwrap();
            (client, own, key)
        });
        sfu.panics_at = Some(clients[0].2);
        for (client, own, _) in &mut clients {
            client.wake(now);
            client.drain(now, |to, bytes| _ = sfu.handle_datagram(*own, to, bytes, now), |_| {});
        }
        let lost = std::iter::from_fn(|| sfu.poll_event());
        let lost: Vec<_> = lost.filter(|event| matches!(event, SfuEvent::Disconnected(..))).collect();
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert!(matches!(lost[0], SfuEvent::Disconnected(key, _) if key == clients[0].2), "{lost:?}");
        let answered: Vec<_> = std::iter::from_fn(|| sfu.poll_transmit()).map(|transmit| transmit.to.address).collect();
        assert!(answered.contains(&clients[1].1) && !answered.contains(&clients[0].1), "{answered:?}");
    }
}
