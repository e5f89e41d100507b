//! The forwarding engine: all WebRTC peers of one media worker, behind one UDP port.
//!
//! A participant has two peers, one that publishes and one that subscribes; both are offered by the browser and never
//! renegotiated. What is published comes out as [`SfuEvent::Media`]; what is subscribed is written into *slots*, which
//! `plane` assigns. Bytes and time in, bytes out. The WebRTC library is known in `peer` alone; [`forward`] and [`allocate`]
//! are pure.

pub mod allocate;
pub mod forward;
pub mod load;
mod offer;
mod peer;
mod stun;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};

use peer::{Gone, Identity, Peer};

/// A peer that has not connected by then never will: its browser has gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Key frames of one track are asked for no more often: each costs the sender as much as half a second of pictures.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Datagrams in one call of the system; Linux takes no more (UDP_MAX_SEGMENTS).
const SEGMENTS_MAX: usize = 64;

/// Bytes in one call: an IP packet's length has 16 bits.
const TRANSMIT_BYTES_MAX: usize = 65_000;

/// Buffers kept for the next datagrams: as many as one turn of a worker sends in a large meeting.
const SPARE_MAX: usize = 1_024;

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
    /// Its socket's addresses as others see them, the host candidates (RFC 8445 §5.1.1.1).
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
        /// Decrypted.
        packet: MediaPacket,
    },
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
        /// Bits per second; none where his client gives no feedback to know it by.
        bitrate: Option<u64>,
    },
}

/// What was sent to a peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Packets of sound.
    pub voice_packets: u64,
    /// To his browser and back, as far as that is known.
    pub round_trip: Option<Duration>,
}

/// Datagrams to send to one peer, by one call of the system where it can (generic segmentation offload).
#[derive(Debug)]
pub struct Transmit {
    /// The candidate they are sent from.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// Of each datagram but the last, which may be shorter.
    pub segment: usize,
    /// Their contents, one after the other.
    pub bytes: Vec<u8>,
    /// How many they are.
    count: usize,
}

impl Transmit {
    /// Takes the datagram along, if it may be the next one here.
    fn append(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> bool {
        let whole = self.bytes.len() == self.segment * self.count;
        let fits = self.count < SEGMENTS_MAX && self.bytes.len() + datagram.len() <= TRANSMIT_BYTES_MAX;
        let joins = (self.from, self.to) == (from, to) && whole && fits && datagram.len() <= self.segment;
        if joins {
            self.bytes.extend_from_slice(datagram);
            self.count += 1;
        }
        joins
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
    fn push(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        if self.transmits.back_mut().is_some_and(|last| last.append(from, to, datagram)) {
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(datagram);
        self.transmits.push_back(Transmit { from, to, segment: datagram.len(), bytes, count: 1 });
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
    /// Datagrams of nobody we know.
    pub strangers: u64,
    /// Peers ended because the library failed on their input.
    pub failed: u64,
}

/// All peers of one worker.
pub struct Sfu {
    candidates: Vec<SocketAddr>,
    identity: Identity,
    peers: HashMap<PeerKey, Peer>,
    last_key: u64,
    by_address: HashMap<SocketAddr, PeerKey>,
    by_ufrag: HashMap<String, PeerKey>,
    /// Peers written to since they were drained.
    dirty: Vec<PeerKey>,
    now: Instant,
    /// When each peer wants to be woken, the next first.
    timeouts: BTreeSet<(Instant, PeerKey)>,
    events: VecDeque<SfuEvent>,
    outbox: Outbox,
    stats: SfuStats,
}

impl Sfu {
    /// Makes the certificate all peers share.
    pub fn new(config: SfuConfig) -> Result<Self, SfuError> {
        Ok(Self {
            candidates: config.candidates,
            identity: Identity::generate()?,
            peers: HashMap::new(),
            last_key: 0,
            by_address: HashMap::new(),
            by_ufrag: HashMap::new(),
            dirty: Vec::new(),
            now: Instant::now(),
            timeouts: BTreeSet::new(),
            events: VecDeque::new(),
            outbox: Outbox::default(),
            stats: SfuStats::default(),
        })
    }

    /// Answers the offer of a connection that sends: `sendonly` m-lines for microphone, camera and screen.
    pub fn publish(&mut self, offer: &str, now: Instant) -> Result<(PeerKey, String), SfuError> {
        let (peer, answer) = Peer::publisher(offer, &self.identity, &self.candidates, now)?;
        Ok((self.add(peer, now)?, answer))
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
        self.peers.insert(key, peer);
        self.drain(key, now);
        Ok(key)
    }

    /// Ends a peer; nothing is told. What was sent to it.
    pub fn remove(&mut self, key: PeerKey) -> Delivery {
        let Some(peer) = self.peers.remove(&key) else { return Delivery::default() };
        let delivery = peer.delivery();
        self.by_ufrag.remove(peer.ufrag());
        self.by_address.retain(|_, owner| *owner != key);
        self.timeouts.remove(&(peer.timeout(), key));
        for (from, to, bytes) in peer.close() {
            self.outbox.push(from, to, &bytes);
        }
        delivery
    }

    /// Takes a datagram that came from `from` to the candidate `to`.
    pub fn handle_datagram(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) {
        self.now = now;
        // A browser names its peer in its connectivity checks (RFC 8445 §7.2.2), and may come from a new address.
        let named = stun::local_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get(ufrag)).copied();
        let Some(key) = named.or_else(|| self.by_address.get(&from).copied()) else {
            self.stats.strangers += 1;
            return;
        };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        match peer.receive(from, to, datagram, now) {
            Ok(accepted) => {
                if accepted && named.is_some() {
                    self.by_address.insert(from, key);
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
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            if peer.is_overdue(now, CONNECT_TIMEOUT) || peer.wake(now).is_err() {
                self.lose(key);
            } else {
                self.drain(key, now);
            }
        }
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
        if self.outbox.spare.len() < SPARE_MAX {
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

    /// Looks whether a subscriber's line carries `desired` bits per second, and keeps it warm for `minimum`.
    pub fn set_bitrate(&mut self, key: PeerKey, minimum: u64, desired: u64) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.set_bitrate(minimum, desired);
        if !peer.mark_dirty() {
            self.dirty.push(key);
        }
    }

    /// Sends packets of one source, in their order, to whoever has it in a slot; each gets what is of the layer he is sent.
    pub fn forward(&mut self, to: &[(PeerKey, usize)], packets: &[(Layer, MediaPacket)], now: Instant) {
        self.now = now;
        // All of one receiver's at a time: his state is fetched into the processor's cache once.
        for (key, slot) in to {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            let mut written = false;
            for (layer, packet) in packets {
                written |= peer.write(*slot, *layer, packet, now);
            }
            if written && !peer.mark_dirty() {
                self.dirty.push(*key);
            }
        }
    }

    /// Asks a publisher for a key frame; false when that was done less than half a second ago, or he sends none.
    pub fn request_keyframe(&mut self, key: PeerKey, kind: TrackKind, layer: Layer, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        let asked = peer.request_keyframe(kind, layer, KEYFRAME_INTERVAL, now);
        if asked && !peer.mark_dirty() {
            self.dirty.push(key);
        }
        asked
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

    /// Drains every peer that was written to: many packets, one drain.
    fn settle(&mut self) {
        let now = self.now;
        for key in std::mem::take(&mut self.dirty) {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.clear_dirty();
            if peer.wake(now).is_err() {
                self.lose(key);
            } else {
                self.drain(key, now);
            }
        }
    }

    fn drain(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        self.timeouts.remove(&(peer.timeout(), key));
        let (events, outbox) = (&mut self.events, &mut self.outbox);
        let drained =
            peer.drain(key, now, |event| events.push_back(event), |from, to, bytes| outbox.push(from, to, bytes));
        match drained {
            Ok(timeout) => {
                self.timeouts.insert((timeout, key));
            }
            Err(Gone) => self.lose(key),
        }
    }

    fn lose(&mut self, key: PeerKey) {
        if self.peers.get(&key).is_some_and(Peer::has_failed) {
            self.stats.failed += 1;
        }
        let delivery = self.remove(key);
        self.events.push_back(SfuEvent::Disconnected(key, delivery));
    }
}
