//! The telephone legs of a worker: their sockets, read once a tick and written once a tick.
//!
//! A telephone's packet waits for the next tick anyway, so nobody is woken for it: right before a leg's sound is wanted its
//! socket is read. When a packet really came the kernel says (`SO_TIMESTAMPNS`), so jitter is measured as if each had been
//! answered at once. Once the latch can learn no other address, the socket is connected to it: the kernel then knows the
//! route, and drops what strangers send; and while one packet comes a tick, it isn't asked for a second one.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use leg::{Component, Leg, LegConfig, LegEvent, Pulled};
use mixer::{Incoming, Mixer, Playing, Recording, SeatKey};
use model::MeetingId;
use rustc_hash::FxBuildHasher;
use tokio::sync::mpsc;

use crate::{
    LegFact, LegId,
    command::{LegAddress, LineFindings},
    pictures::Pictures,
    ports::{self, RtpSockets},
    receiver::{Received, Receiver},
};

/// Datagrams read from one leg's socket in a tick: a flood on one port delays no other. What is left comes in the next.
const LEG_BUDGET: usize = 16;

/// Every how many ticks a leg's socket is read to its end however regular it is: a path that became shorter leaves one
/// packet too many in it, which makes the sound that much later.
const LOOK_TICKS: u64 = 8;

/// Room for one datagram; RTP over telephone networks stays under the Ethernet MTU.
const LEG_DATAGRAM_MAX: usize = 2048;

/// Every how many ticks a leg's RTCP is read: it comes every five seconds, and its time is the kernel's.
const RTCP_TICKS: u64 = 10;

/// All legs of a worker, and what reading them needs.
pub(crate) struct Legs {
    pub(crate) slots: HashMap<LegId, LegSlot, FxBuildHasher>,
    pub(crate) ticks: u64,
    pub(crate) receiver: Receiver,
    /// Reused for every datagram that goes out.
    pub(crate) out: Vec<u8>,
    /// Legs whose packets made us panic; the worker closes them.
    pub(crate) broken: Vec<LegId>,
    /// Legs that are spoken to in another codec; the worker changes to it.
    otherwise: Vec<(LegId, LegConfig)>,
}

impl Legs {
    pub(crate) fn new() -> Self {
        Self {
            slots: HashMap::default(),
            ticks: 0,
            receiver: Receiver::default(),
            out: Vec::with_capacity(LEG_DATAGRAM_MAX),
            broken: Vec::new(),
            otherwise: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, id: LegId) -> Option<&LegSlot> {
        self.slots.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: LegId) -> Option<&mut LegSlot> {
        self.slots.get_mut(&id)
    }

    pub(crate) fn insert(&mut self, slot: LegSlot) {
        self.slots.insert(slot.id(), slot);
    }

    pub(crate) fn remove(&mut self, id: LegId) -> Option<LegSlot> {
        self.slots.remove(&id)
    }

    /// A part of a tick begins, of the one with this number.
    pub(crate) fn begin_tick(&mut self, number: u64, now: Instant) {
        self.ticks = number;
        self.receiver.begin(now);
    }

    pub(crate) fn take_broken(&mut self) -> Vec<LegId> {
        std::mem::take(&mut self.broken)
    }

    /// See [`Leg::wants`].
    pub(crate) fn take_otherwise(&mut self) -> Vec<(LegId, LegConfig)> {
        std::mem::take(&mut self.otherwise)
    }

    /// Reads what has come and takes one tick's packet out of the jitter buffer into a mixer; true where there are pictures to be read too.
    pub(crate) fn pull_into(&mut self, id: LegId, mixer: &mut Mixer, seat: SeatKey) -> bool {
        let Some(slot) = self.slots.get_mut(&id) else { return false };
        let Some(leg) = &mut slot.leg else { return false };
        let now = self.receiver.now();
        let with_rtcp = (self.ticks + id.0).is_multiple_of(RTCP_TICKS);
        let regular = slot.connected && slot.regular && !(self.ticks + id.0).is_multiple_of(LOOK_TICKS);
        let at_most = if regular { 1 } else { LEG_BUDGET };
        let receiver = &mut self.receiver;
        let received = catch_unwind(AssertUnwindSafe(|| {
            let count = read(receiver, &slot.rtp, at_most, |from, datagram, at| {
                if at >= slot.started {
                    leg.handle_rtp(from, datagram, at);
                }
            });
            slot.regular = count == 1;
            if with_rtcp {
                read(receiver, &slot.rtcp, LEG_BUDGET, |from, datagram, at| leg.handle_rtcp(from, datagram, at));
            }
        }));
        if received.is_err() {
            self.broken.push(id);
            return false;
        }
        self.out.clear();
        while let Some((component, to)) = leg.poll_dtls(now, &mut self.out) {
            let from = if component == Component::Rtp { &slot.rtp } else { &slot.rtcp };
            count(&from.send_to(&self.out, to));
            self.out.clear();
        }
        if !slot.connected
            && let Some(remote) = leg.settled(now)
        {
            // Where it can't be, each packet is sent with its address, as before.
            slot.connected = slot.rtp.connect(remote).is_ok();
        }
        if let Some(percent) = leg.take_reported_loss() {
            mixer.set_loss(seat, percent);
        }
        if let Some(config) = leg.wants() {
            self.otherwise.push((id, config));
        }
        let (incoming, level) = match leg.pull(now) {
            Pulled::Packet(payload, level) => (Incoming::Packet(payload), level),
            Pulled::Lost { next } => (Incoming::Lost { next }, None),
            Pulled::ComfortNoise(payload) => (Incoming::ComfortNoise(payload), None),
            Pulled::Nothing => (Incoming::Nothing, None),
        };
        mixer.push(seat, incoming, level);
        if let Some(recording) = slot.recording.as_mut().filter(|recording| !recording.is_full()) {
            recording.push(incoming);
            if recording.is_full() {
                slot.tell(LegFact::RecordingFull);
            }
        }
        slot.tell_events();
        slot.pictures.is_some()
    }

    /// Sends one tick's payload, and RTCP when it is due.
    pub(crate) fn send(&mut self, id: LegId, payload: &[u8]) {
        let (now, out) = (self.receiver.now(), &mut self.out);
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let Some(leg) = &mut slot.leg else { return };
        out.clear();
        if let Some(to) = leg.send(payload, out) {
            let sent = if slot.connected { slot.rtp.send(out) } else { slot.rtp.send_to(out, to) };
            count(&sent);
        }
        out.clear();
        if let Some(to) = leg.poll_rtcp(now, out) {
            let socket = if leg.rtcp_mux() { &slot.rtp } else { &slot.rtcp };
            count(&socket.send_to(out, to));
        }
    }

    pub(crate) fn play_done(&self, id: LegId, play: mixer::PlayId) {
        if let Some(slot) = self.slots.get(&id) {
            slot.tell(LegFact::PlayDone(play));
        }
    }
}

/// Gives the datagrams that wait to `take`, so many at most; how many there were.
pub(crate) fn read(
    receiver: &mut Receiver,
    socket: &UdpSocket,
    at_most: usize,
    mut take: impl FnMut(SocketAddr, &mut [u8], Instant),
) -> usize {
    for read in 0..at_most {
        match receiver.receive(socket) {
            Ok(Received { len, from: Some(from), at }) => take(from, receiver.datagram(len), at),
            // Of no family that the socket has.
            Ok(Received { from: None, .. }) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return read,
            // An earlier datagram of ours was refused by its receiver; the next one may not be.
            Err(_) => {}
        }
    }
    at_most
}

/// One datagram the kernel has no room for, or that its receiver no longer wants, is lost as on any network.
pub(crate) fn count(sent: &io::Result<usize>) {
    if sent.is_err() {
        metrics::counter!("plane_send_failed").increment(1);
    }
}

/// One phone leg with its sockets.
pub(crate) struct LegSlot {
    pub(crate) address: Arc<LegAddress>,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// The RTP socket has one peer for good.
    connected: bool,
    /// One packet came since the last tick.
    regular: bool,
    facts: mpsc::Sender<LegFact>,
    /// None until offer and answer have met.
    pub(crate) leg: Option<Leg>,
    /// Of a room system.
    pub(crate) pictures: Option<Box<Pictures>>,
    /// What came before was meant for nobody; times in reports are counted from there.
    pub(crate) started: Instant,
    pub(crate) place: Place,
    /// Of the meeting, to him.
    pub(crate) volume: f32,
    pub(crate) recording: Option<Recording>,
    /// What its line turned out to be in meetings it has left.
    pub(crate) line: LineFindings,
}

/// Where a started leg listens.
pub(crate) enum Place {
    Nowhere,
    /// Alone in the worker's lobby, hearing what is played to it.
    Lobby(SeatKey),
    Meeting(MeetingId, SeatKey),
}

impl LegSlot {
    pub(crate) fn new(
        address: Arc<LegAddress>,
        sockets: RtpSockets,
        facts: mpsc::Sender<LegFact>,
        now: Instant,
    ) -> Self {
        Self {
            address,
            rtp: sockets.rtp,
            rtcp: sockets.rtcp,
            connected: false,
            regular: false,
            facts,
            leg: None,
            pictures: None,
            started: now,
            place: Place::Nowhere,
            volume: 1.0,
            recording: None,
            line: LineFindings::default(),
        }
    }

    pub(crate) fn id(&self) -> LegId {
        self.address.id
    }

    /// It is about to begin, or to learn another address: the port is open to all again.
    pub(crate) fn open(&mut self, now: Instant) -> io::Result<()> {
        if self.leg.is_none() {
            self.started = now;
        }
        if !std::mem::take(&mut self.connected) {
            return Ok(());
        }
        let local = self.rtp.local_addr()?;
        // A connected socket can't be disconnected without `unsafe`; another one takes its port. The pool gives it to nobody
        // meanwhile.
        self.rtp = UdpSocket::bind(SocketAddr::new(local.ip(), 0))?;
        self.rtp = ports::bind(local)?;
        Ok(())
    }

    /// It left what played there before the end: whoever waits for that waits no longer.
    pub(crate) fn play_lost(&self, playing: Option<Playing>) {
        if let Some(playing) = playing {
            self.tell(LegFact::PlayDone(playing.id()));
        }
    }

    pub(crate) fn tell(&self, fact: LegFact) {
        if self.facts.try_send(fact).is_err() {
            metrics::counter!("plane_facts_dropped", "of" => "leg").increment(1);
        }
    }

    fn tell_events(&mut self) {
        while let Some(event) = self.leg.as_mut().and_then(Leg::poll_event) {
            self.tell(match event {
                LegEvent::Digit(key) => LegFact::Digit(key),
                LegEvent::FirstPacket => LegFact::FirstPacket,
                LegEvent::NoMedia => LegFact::NoMedia,
                LegEvent::Stalled => LegFact::Stalled,
                LegEvent::MediaBack => LegFact::MediaBack,
                LegEvent::Keyed => {
                    tracing::debug!(leg = self.id().0, "keys agreed on by DTLS");
                    metrics::counter!("plane_handshakes").increment(1);
                    continue;
                }
            });
        }
    }
}
