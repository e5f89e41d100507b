//! The media workers: threads, sockets and the 20 ms clock that join phone legs, WebRTC peers and mixers into meetings.
//!
//! A meeting's media lives on exactly one worker, so between socket and socket a packet meets no lock and no other
//! thread. Commands go down through a bounded queue ([`Plane`], [`MeetingMedia`], [`LegMedia`]); facts come up by
//! `try_send` and are never awaited. What a meeting *is* and who may do what is decided in `conference`, above; how
//! sound is mixed and packets are rewritten, below, in `mixer`, `leg` and `sfu`.

mod alarm;
mod brought;
mod command;
mod leg_media;
mod legs;
mod lobby;
mod meeting_media;
#[cfg(test)]
mod panics;
mod phases;
mod pictures;
mod ports;
mod quality;
mod receiver;
mod reception;
mod room;
mod slots;
mod socket;
mod sockets;
mod stage;
mod subscriber;
mod tcp;
mod track;
#[cfg(test)]
mod virtual_line;
mod worker;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use model::MeetingId;
use tokio::sync::mpsc;

pub use command::{Audience, LegFact, LegId, LegReport, LineFindings, MeetingFact, SlotAssigned};
pub use leg::{
    CertificateFingerprint, CertificateHash, DtlsIdentity, DtlsSettings, KeyframeBy, Keying, LegCodec,
    LegConfig as LegSettings, LegStats, PictureSettings, Reported, Sends, SrtpKey, SrtpKeys, SrtpMki, SrtpSuite,
};
pub use leg_media::LegMedia;
pub use meeting_media::MeetingMedia;
pub use mixer::{LineCare, PlayId, Recording};
pub use quality::{Freezes, Pauses, PictureQuality, Quality, TrackQuality, WayQuality};
pub use receiver::{Received, Receiver, stamp, stamp_of};
pub use socket::{listening, of_family};
pub use subscriber::Shown;
pub use worker::PeerRole;

use command::{Command, LegAddress};
use ports::{PortPool, RtpSockets};
use worker::WorkerHandle;

/// How many facts may wait for a meeting or a call. Whoever falls this far behind loses facts (counted in
/// `plane_facts_dropped`) rather than holding a media thread up.
const FACTS_MAX: usize = 1024;

/// Voices that a browser is sent at once, usually: more are noise to the ear, and each costs every receiver 60 kbit/s.
pub const LOUDEST: usize = 5;

/// Where media is received and what is announced to peers.
#[derive(Debug, Clone)]
pub struct PlaneConfig {
    /// Media threads; a meeting's media lives on one of them.
    pub workers: usize,
    /// Ports of phone legs: RTP on even ones, RTCP on the odd one above (RFC 3550 §11).
    pub rtp_ports: RangeInclusive<u16>,
    /// The local address legs are bound to. Where it is all addresses, those of the other family too.
    pub rtp_bind: IpAddr,
    /// The addresses for phones: the first of the phone's family is written into SDP.
    pub rtp_announced: Vec<IpAddr>,
    /// What is done for telephones' lines in meetings.
    pub care: LineCare,
    /// Voices that a browser is sent at once, from 1: [`LOUDEST`] where nobody says otherwise. Telephones hear a mix.
    pub loudest: usize,
    /// Address and port of the first worker's WebRTC socket, over UDP and TCP; the next worker has the port above. Port 0 lets the
    /// system choose. Where it is all addresses, of the other family too.
    pub webrtc_bind: SocketAddr,
    /// The addresses browsers are told to reach the WebRTC sockets at (host candidates).
    pub webrtc_announced: Vec<IpAddr>,
}

/// Why media could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// A socket could not be bound.
    #[error("cannot bind {what} at {address}: {source}")]
    Bind {
        /// What it is for.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A worker thread or its poll could not be made.
    #[error("cannot start a media worker: {0}")]
    Worker(#[source] io::Error),
    /// All RTP ports are taken.
    #[error("no RTP port is free in {first}-{last}")]
    NoPort {
        /// First of the range.
        first: u16,
        /// Last of the range.
        last: u16,
    },
    /// A phone speaks IPv6 alone, or IPv4, and the server doesn't.
    #[error("there is no address here that {0} could send sound to")]
    NoFamily(IpAddr),
    /// Telephones can't be spoken to encrypted.
    #[error("{0}")]
    Dtls(#[from] leg::DtlsError),
    /// A session description could not be answered.
    #[error("{0}")]
    Sfu(#[from] sfu::SfuError),
    /// The codec could not be set up.
    #[error("{0}")]
    Mixer(#[from] mixer::MixerError),
    /// The meeting is not, or no longer, on this plane.
    #[error("meeting {0} has no media here")]
    NoMeeting(MeetingId),
    /// The leg was closed, or has not been started.
    #[error("leg {0:?} is not open")]
    NoLeg(LegId),
    /// The worker's queue is full or the worker has gone.
    #[error("the media worker does not answer")]
    WorkerGone,
}

impl PlaneError {
    /// What was offered has no codec that is taken here.
    #[must_use]
    pub fn is_of_codecs(&self) -> bool {
        matches!(self, Self::Sfu(sfu::SfuError::Codec))
    }
}

/// All media workers of this node. Clones share them; they end with the last clone.
#[derive(Clone)]
pub struct Plane {
    shared: Arc<Shared>,
}

struct Shared {
    workers: Vec<WorkerHandle>,
    /// One a family.
    ports: Vec<PortPool>,
    announced: Vec<IpAddr>,
    identity: Arc<DtlsIdentity>,
    next_leg: AtomicU64,
    /// Where each open leg lives, for [`MeetingMedia::seat_leg`].
    legs: Mutex<HashMap<LegId, Arc<LegAddress>>>,
}

impl Plane {
    /// Binds the WebRTC sockets and starts the threads.
    pub fn start(config: PlaneConfig) -> Result<Self, PlaneError> {
        let workers = worker::start_all(&config)?;
        let mut bound = vec![config.rtp_bind];
        if config.rtp_bind.is_unspecified() {
            bound.push(match config.rtp_bind {
                IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED.into(),
            });
        }
        let shared = Shared {
            workers,
            ports: bound.into_iter().map(|bind| PortPool::new(bind, config.rtp_ports.clone())).collect(),
            announced: config.rtp_announced,
            identity: Arc::new(DtlsIdentity::new()?),
            next_leg: AtomicU64::new(1),
            legs: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The bound WebRTC sockets, one a worker.
    #[must_use]
    pub fn webrtc_addrs(&self) -> Vec<SocketAddr> {
        self.shared.workers.iter().map(|worker| worker.webrtc).collect()
    }

    /// What we prove to telephones that we are ourselves by, where they want a handshake.
    #[must_use]
    pub fn identity(&self) -> &Arc<DtlsIdentity> {
        &self.shared.identity
    }

    /// Whether sound or pictures are taken there by ourselves, at this moment.
    #[must_use]
    pub fn listens_at(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let Some(ports) = self.ports_of(ip) else { return false };
        let bind = ports.bind_ip();
        let is_here = self.shared.announced.contains(&ip) || bind == ip || bind.is_unspecified() && ip.is_loopback();
        is_here && (ports.is_taken(port) || self.shared.workers.iter().any(|worker| worker.webrtc.port() == port))
    }

    /// Makes room for a meeting's media on the worker with the fewest people.
    pub async fn open_meeting(&self, id: MeetingId) -> Result<(MeetingMedia, mpsc::Receiver<MeetingFact>), PlaneError> {
        let (facts, receiver) = mpsc::channel(FACTS_MAX);
        let worker = self.pick_worker();
        self.shared.workers[worker].send(Command::OpenMeeting { id, facts }).await?;
        Ok((MeetingMedia::new(self.clone(), id, worker), receiver))
    }

    /// Allocates an RTP port for a phone at `peer`, of its family. The leg hears and plays nothing until [`LegMedia::start`].
    pub async fn open_leg(&self, peer: IpAddr) -> Result<(LegMedia, mpsc::Receiver<LegFact>), PlaneError> {
        let peer = peer.to_canonical();
        let announced = self.shared.announced.iter().copied().find(|own| own.is_ipv4() == peer.is_ipv4());
        // Who is on this machine needs to be told of no network.
        let announced = announced.or_else(|| peer.is_loopback().then_some(peer));
        let (Some(announced), Some(ports)) = (announced, self.ports_of(peer)) else {
            return Err(PlaneError::NoFamily(peer));
        };
        let sockets = ports.allocate(Instant::now())?;
        let local = SocketAddr::new(announced, sockets.port);
        let id = LegId(self.shared.next_leg.fetch_add(1, Ordering::Relaxed));
        let worker = self.pick_worker();
        let address = Arc::new(LegAddress::new(id, worker));
        let (facts, receiver) = mpsc::channel(FACTS_MAX);
        let open = Command::OpenLeg { address: Arc::clone(&address), sockets, facts };
        self.shared.workers[worker].send_unhurried(open).await?;
        self.legs().insert(id, Arc::clone(&address));
        Ok((LegMedia::new(self.clone(), address, local), receiver))
    }

    /// Another pair of ports for a leg that is here.
    fn allocate_beside(&self, local: SocketAddr) -> Result<RtpSockets, PlaneError> {
        self.ports_of(local.ip()).ok_or_else(|| PlaneError::NoFamily(local.ip()))?.allocate(Instant::now())
    }

    /// The leg with this address is closed.
    fn release_port(&self, local: SocketAddr) {
        if let Some(ports) = self.ports_of(local.ip()) {
            ports.release(local.port(), Instant::now());
        }
    }

    fn ports_of(&self, peer: IpAddr) -> Option<&PortPool> {
        self.shared.ports.iter().find(|ports| ports.is_ipv4() == peer.is_ipv4())
    }

    /// The one with the fewest people.
    fn pick_worker(&self) -> usize {
        let fewest = self.shared.workers.iter().enumerate().min_by_key(|(_, worker)| worker.load());
        let Some((index, worker)) = fewest else { return 0 };
        worker.expect_one();
        index
    }

    fn worker(&self, index: usize) -> &WorkerHandle {
        &self.shared.workers[index]
    }

    fn legs(&self) -> std::sync::MutexGuard<'_, HashMap<LegId, Arc<LegAddress>>> {
        // A map of handles is whole between any two operations, whoever panicked.
        self.shared.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl PlaneConfig {
    /// Of this machine alone.
    fn local(workers: usize, rtp_ports: RangeInclusive<u16>) -> Self {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            workers,
            rtp_ports,
            rtp_bind: here,
            rtp_announced: vec![here],
            care: LineCare::default(),
            loudest: LOUDEST,
            webrtc_bind: SocketAddr::new(here, 0),
            webrtc_announced: vec![here],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::ParticipantId;
    use tokio::{sync::Notify, time};

    use super::*;

    #[tokio::test]
    async fn who_comes_next_goes_to_the_worker_with_the_fewest() {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let plane = Plane::start(PlaneConfig::local(2, 42_602..=42_699)).unwrap();
        let (meeting, _facts) = plane.open_meeting(MeetingId::from_u128(1)).await.unwrap();
        for number in 1..=6 {
            meeting.begin_bringing(ParticipantId::from_u128(number), Arc::new(Notify::new())).await.unwrap();
        }
        let full = async {
            while plane.worker(0).load() != 7 {
                time::sleep(Duration::from_millis(5)).await;
            }
        };
        time::timeout(Duration::from_secs(10), full).await.expect("it counts its people");
        let mut legs = Vec::new();
        for _ in 0..5 {
            legs.push(plane.open_leg(here).await.unwrap());
        }
        assert!(plane.legs().values().all(|leg| leg.worker() == 1), "all are where nobody is");
        for _ in 0..12 {
            legs.push(plane.open_leg(here).await.unwrap());
        }
        let first = plane.legs().values().filter(|leg| leg.worker() == 0).count();
        assert!((3..=6).contains(&first), "then by turns: {first} of twelve");
    }
}
