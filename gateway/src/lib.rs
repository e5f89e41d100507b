//! The telephone edge: SIP over UDP, TCP and TLS, one task a call, the voice menu, carriers and the calls we make by them, and why
//! calls end.
//!
//! SIP itself is `sip`'s, sound `plane`'s, meetings `conference`'s, prompts and keys `sipconf`'s.

mod arrivals;
mod ask_carrier;
mod call;
mod carriers;
mod dial_out;
mod end_cause;
mod flood;
mod in_meeting;
mod ivr;
mod ladder;
mod line;
mod load;
mod load_line;
mod locate;
mod name_servers;
mod names;
mod offer;
mod pictures;
mod register_load;
mod registrations;
mod seats;
mod security;
mod setup_load;
mod stun;
mod switchboard;
mod test_call;
mod tls;
mod transfer;
mod transport;
mod web_socket;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use conference::Conference;
use plane::Plane;
use sip::{Credentials, Endpoint, EndpointConfig, Transport};
use sipconf::{Account, Announce, DialPlan, KeyMap, Numbers, Prompts};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use ask_carrier::{AskCarrierError, ask_carrier, carrier_addresses};
use carriers::Carriers;
use dial_out::Outbound;
use ladder::Ladder;
pub use ladder::LadderConfig;
pub use load::{Load, LoadError, LoadPhase, LoadReport, SeatCaller};
use locate::Locator;
use names::Rolls;
pub use register_load::{RegisterLoad, RegisterReport};
use registrations::Registrations;
use seats::Seats;
pub use setup_load::{SetupLoad, SetupPhase, SetupReport};
pub use sip::{BadNetwork, Limits, Network};
pub use stun::mapped_address;
use switchboard::{Switchboard, WISHES_MAX, Wish};
pub use test_call::{TestCall, TestCallError, test_call};
pub use transport::Connections;
pub use web_socket::WebSockets;

/// How long streams may take to send what is left. A peer that doesn't read it now won't.
const STREAMS_FLUSH: Duration = Duration::from_millis(300);

/// Where SIP is spoken.
#[derive(Clone)]
pub struct GatewayConfig {
    /// UDP sockets.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners.
    pub tcp: Vec<SocketAddr>,
    /// TLS listeners.
    pub tls: Vec<SocketAddr>,
    /// Their certificate.
    pub certificate: Arc<rustls::ServerConfig>,
    /// What the dialled numbers lead to.
    pub numbers: Numbers,
    /// The carriers telephones are called by; none are called where there is none.
    pub dial_plan: DialPlan,
    /// Who is asked where their servers are; the system's own where there is none.
    pub name_servers: Vec<SocketAddr>,
    /// The keys of the meeting.
    pub keys: KeyMap,
    /// What callers hear of others' coming and going.
    pub announce: Announce,
    /// The company's own telephones, and what they register for.
    pub accounts: Vec<Account>,
    /// See [`Self::accounts`].
    pub realm: String,
    /// They know SHA-256.
    pub sha256: bool,
    /// What may be asked, and by strangers how much.
    pub limits: Limits,
    /// How many connections there may be.
    pub connections: Connections,
    /// The addresses others reach us at, the best first: for Contact where a socket is bound to all.
    pub announced: Vec<IpAddr>,
    /// Of a room system's pictures so many bits a second are taken; none where it is 0.
    pub video_bits_per_second: u32,
    /// What of signalling is kept.
    pub ladder: LadderConfig,
}

/// Why the gateway could not begin.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A socket.
    #[error("cannot bind SIP over {transport} at {address}: {source}")]
    Bind {
        /// Of this transport.
        transport: &'static str,
        /// There.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder of what is signalled.
    #[error("cannot keep what is signalled: {0}")]
    Ladder(#[source] std::io::Error),
}

/// What every call needs.
pub(crate) struct House {
    pub(crate) conference: Conference,
    pub(crate) plane: Plane,
    /// Where no sound is sent.
    pub(crate) ours: offer::Ours,
    pub(crate) prompts: Prompts,
    pub(crate) numbers: Numbers,
    pub(crate) announce: Announce,
    pub(crate) rolls: Rolls,
    pub(crate) seats: Seats,
    pub(crate) keys: KeyMap,
    pub(crate) carriers: Arc<Carriers>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) realm: String,
    /// See [`GatewayConfig::video_bits_per_second`].
    pub(crate) video_bits_per_second: u32,
    /// What the switchboard is to begin.
    pub(crate) wishes: mpsc::Sender<Wish>,
    /// Set when the server stops: every call says so and ends.
    pub(crate) stopping: CancellationToken,
}

/// The running gateway.
pub struct Gateway {
    stopping: CancellationToken,
    /// Set when nothing is to be sent any more.
    closed: CancellationToken,
    calls: TaskTracker,
    streams: TaskTracker,
    switchboard: Mutex<Option<JoinHandle<()>>>,
    local: Vec<(Transport, SocketAddr)>,
    ladder: Ladder,
    web_sockets: WebSockets,
}

impl Gateway {
    /// Binds all sockets and takes calls.
    pub async fn start(
        config: GatewayConfig,
        conference: Conference,
        plane: Plane,
        prompts: Prompts,
    ) -> Result<Self, GatewayError> {
        let (stopping, closed) = (CancellationToken::new(), CancellationToken::new());
        let (calls, streams) = (TaskTracker::new(), TaskTracker::new());
        let announced_first = config.announced.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let ladder = Ladder::start(&config.ladder, announced_first).map_err(GatewayError::Ladder)?;
        let sockets = transport::bind(&config, &closed, &streams, &ladder).await?;
        let local = sockets.local.clone();
        let web_sockets = sockets.web_sockets();
        let credentials =
            |account: &Account| Credentials { user: account.user.clone(), password: account.password.clone() };
        let mut endpoint = Endpoint::new(EndpointConfig {
            announced: config.announced.clone(),
            seed: rand::random(),
            realm: config.realm.clone(),
            accounts: config.accounts.iter().map(credentials).collect(),
            sha256: config.sha256,
            limits: config.limits,
        });
        registrations::restore(&mut endpoint, &conference, &local).await;
        let kept = Registrations::keep(conference.clone());
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let calls_out = !config.dial_plan.trunks().is_empty() || !config.accounts.is_empty();
        let locator = Locator::new(&config.name_servers);
        let carriers = Arc::new(Carriers::new(config.dial_plan, locator, wishes.clone(), stopping.clone()));
        let media = plane.clone();
        let house = Arc::new(House {
            conference,
            plane,
            ours: offer::Ours {
                bound: local.iter().map(|(_, address)| *address).collect(),
                announced: config.announced,
                takes_sound: Box::new(move |address| media.listens_at(address)),
            },
            prompts,
            numbers: config.numbers,
            announce: config.announce,
            rolls: Rolls::default(),
            seats: Seats::default(),
            keys: config.keys,
            carriers: Arc::clone(&carriers),
            accounts: config.accounts,
            realm: config.realm,
            video_bits_per_second: config.video_bits_per_second,
            wishes,
            stopping: stopping.clone(),
        });
        if calls_out {
            house.conference.set_dialer(Arc::new(Outbound { house: Arc::clone(&house), calls: calls.clone() }));
            carriers.keep(&calls);
        }
        house.conference.set_ladders(Arc::new(ladder.clone()));
        tokio::spawn(ladder.clone().keep(closed.clone()));
        let switchboard = Switchboard::new(endpoint, sockets, house, calls.clone(), closed.clone(), wished, kept);
        let switchboard = Mutex::new(Some(tokio::spawn(switchboard.run())));
        Ok(Self { stopping, closed, calls, streams, switchboard, local, ladder, web_sockets })
    }

    /// Where telephones that come by WebSocket are handed over.
    #[must_use]
    pub fn web_sockets(&self) -> WebSockets {
        self.web_sockets.clone()
    }

    /// The bound UDP sockets.
    #[must_use]
    pub fn udp_addrs(&self) -> Vec<SocketAddr> {
        self.bound(Transport::Udp)
    }

    /// The bound TCP listeners.
    #[must_use]
    pub fn tcp_addrs(&self) -> Vec<SocketAddr> {
        self.bound(Transport::Tcp)
    }

    /// The bound TLS listeners.
    #[must_use]
    pub fn tls_addrs(&self) -> Vec<SocketAddr> {
        self.bound(Transport::Tls)
    }

    fn bound(&self, of: Transport) -> Vec<SocketAddr> {
        self.local.iter().filter(|(transport, _)| *transport == of).map(|(_, address)| *address).collect()
    }

    /// Refuses new calls, tells every caller, hangs up, and waits at most so long.
    pub async fn drain(&self, at_most: Duration) {
        self.stopping.cancel();
        self.calls.close();
        if tokio::time::timeout(at_most, self.calls.wait()).await.is_err() {
            tracing::warn!(calls = self.calls.len(), "not all callers were told in time");
        }
        // The last goodbyes are in the switchboard's queue, then in the streams'.
        self.closed.cancel();
        let switchboard = self.switchboard.lock().await.take();
        if let Some(Err(error)) = async { Some(switchboard?.await) }.await {
            tracing::error!(%error, "switchboard ended badly");
        }
        self.streams.close();
        if tokio::time::timeout(STREAMS_FLUSH, self.streams.wait()).await.is_err() {
            tracing::debug!(streams = self.streams.len(), "streams were cut off");
        }
        let ladder = self.ladder.clone();
        // A disk that takes no more has cost a second of it.
        let _ = tokio::time::timeout(STREAMS_FLUSH, tokio::task::spawn_blocking(move || ladder.settle())).await;
    }
}
