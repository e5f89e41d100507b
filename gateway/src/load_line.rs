//! The signalling of a load: one socket and its endpoint, on the thread of whoever measures.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use sip::{Endpoint, EndpointConfig, Message, Source, Transport};

/// All transactions have ended by themselves then (RFC 3261 §17: 64·T1).
pub(crate) const GIVE_UP: Duration = Duration::from_secs(33);

/// Datagrams read before it is looked what is due.
pub(crate) const READ_AT_ONCE: usize = 64;

/// Kernel room of a socket for what comes while other things are done: every caller's packets of a tick may come at once.
const KERNEL_BUFFER_BYTES: usize = 32 << 20;

/// To one server.
pub(crate) struct LoadLine {
    pub(crate) endpoint: Endpoint,
    pub(crate) way: Source,
    signalling: UdpSocket,
    datagram: Vec<u8>,
}

impl LoadLine {
    pub(crate) fn open(server: SocketAddr) -> io::Result<Self> {
        let signalling = socket()?;
        let local = signalling.local_addr()?;
        let endpoint = Endpoint::new(EndpointConfig {
            announced: vec![local.ip()],
            seed: rand::random(),
            realm: String::new(),
            accounts: Vec::new(),
            sha256: false,
            limits: sip::Limits::default(),
        });
        let way = Source { transport: Transport::Udp, peer: server, local };
        Ok(Self { endpoint, way, signalling, datagram: vec![0; 65_536] })
    }

    /// All that is due now, and a handful of what has come.
    pub(crate) fn receive(&mut self, now: Instant) {
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        for _ in 0..READ_AT_ONCE {
            let Ok(len) = self.signalling.recv(&mut self.datagram) else { break };
            if let Ok(message) = Message::parse(&self.datagram[..len]) {
                self.endpoint.handle(self.way, message, now);
            }
        }
    }

    /// Sends what is to be sent, which `sent` is shown.
    pub(crate) fn send(&mut self, mut sent: impl FnMut(&[u8])) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            sent(&transmit.bytes);
            // UDP: what is lost is sent again.
            let _ = self.signalling.send_to(&transmit.bytes, transmit.to.peer);
        }
    }
}

/// One that nobody waits at, with room.
pub(crate) fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    // The system may grant less; then something is sent again, or missing, and reported.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(KERNEL_BUFFER_BYTES);
    Ok(socket)
}
