//! The forwarding engine: all WebRTC peers of one media worker, behind one UDP port.
//!
//! A participant has two peers, one that publishes and one that subscribes; both are offered by the browser and never
//! renegotiated. What is published comes out as [`SfuEvent::Media`]; what is subscribed is written into *slots*, which
//! `plane` assigns. Bytes and time in, bytes out. The WebRTC library is known in `peer` alone; [`forward`] is pure.

pub mod forward;
mod peer;
mod stun;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};

use peer::{Gone, Identity, Peer};

/// A peer that has not connected by then never will: its browser has gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Key frames of one track are asked for no more often: each costs the sender as much as half a second of pictures.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Peers of one worker. Above this a browser is refused rather than all slowed down.
const PEERS_MAX: usize = 4096;

/// One peer, unique while the worker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey(u64);

/// One track of somebody, named by who assigns slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u64);

impl From<u64> for SourceId {
    fn from(id: u64) -> Self {
        Self(id)
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
    /// The browser has gone, or its network; the peer is removed.
    Disconnected(PeerKey),
    /// A packet of a publisher.
    Media {
        /// Whose.
        peer: PeerKey,
        /// Which of his tracks.
        kind: TrackKind,
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
}

/// A datagram to send.
#[derive(Debug)]
pub struct Transmit {
    /// The candidate it is sent from.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// Its contents.
    pub bytes: Vec<u8>,
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
    timeout: Option<Instant>,
    events: VecDeque<SfuEvent>,
    transmits: VecDeque<Transmit>,
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
            timeout: None,
            events: VecDeque::new(),
            transmits: VecDeque::new(),
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

    /// Ends a peer; nothing is told.
    pub fn remove(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.remove(&key) else { return };
        self.by_ufrag.remove(peer.ufrag());
        self.by_address.retain(|_, owner| *owner != key);
        for (from, to, bytes) in peer.close() {
            self.transmits.push_back(Transmit { from, to, bytes });
        }
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
        let due: Vec<PeerKey> =
            self.peers.iter().filter(|(_, peer)| peer.timeout() <= now).map(|(key, _)| *key).collect();
        for key in due {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            if peer.is_overdue(now, CONNECT_TIMEOUT) || peer.wake(now).is_err() {
                self.lose(key);
            } else {
                self.drain(key, now);
            }
        }
        self.find_timeout();
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if self.transmits.is_empty() {
            self.settle();
        }
        self.transmits.pop_front()
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

    /// Sends a packet of the slot's source.
    pub fn write(&mut self, key: PeerKey, slot: usize, packet: &MediaPacket, now: Instant) {
        self.now = now;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.write(slot, packet, now) && !peer.mark_dirty() {
            self.dirty.push(key);
        }
    }

    /// Asks a publisher for a key frame; false when that was done less than half a second ago, or he sends none.
    pub fn request_keyframe(&mut self, key: PeerKey, kind: TrackKind, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else { return false };
        let asked = peer.request_keyframe(kind, KEYFRAME_INTERVAL, now);
        if asked && !peer.mark_dirty() {
            self.dirty.push(key);
        }
        asked
    }

    /// The slot has a source whose key frame has not come.
    #[must_use]
    pub fn waits_for_keyframe(&self, key: PeerKey, slot: usize) -> bool {
        self.peers.get(&key).is_some_and(|peer| peer.waits_for_keyframe(slot))
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
        let (events, transmits) = (&mut self.events, &mut self.transmits);
        let drained = peer.drain(key, now, |event| events.push_back(event), |transmit| transmits.push_back(transmit));
        match drained {
            Ok(timeout) => self.timeout = Some(self.timeout.map_or(timeout, |known| known.min(timeout))),
            Err(Gone) => self.lose(key),
        }
    }

    fn find_timeout(&mut self) {
        self.timeout = self.peers.values().map(Peer::timeout).min();
    }

    fn lose(&mut self, key: PeerKey) {
        if self.peers.get(&key).is_some_and(Peer::has_failed) {
            self.stats.failed += 1;
        }
        self.remove(key);
        self.events.push_back(SfuEvent::Disconnected(key));
    }
}
