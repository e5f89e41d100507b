//! What one worker's browsers come by: a UDP socket of each family, and TCP at the same port number for those whom no UDP reaches.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Instant,
};

use mio::{Interest, Registry, Token, event::Event};
use sfu::{Remote, Transport};

use crate::{PlaneError, socket::WebRtcSocket, tcp::TcpMedia};

/// Tokens of the UDP sockets and of the TCP listeners, one of each a family; those before them are the worker's own.
const UDP: usize = 2;
const TCP: usize = 4;

/// How often the system may choose a UDP port whose number is taken over TCP.
const CHOICES_MAX: usize = 16;

pub(crate) struct Sockets {
    udp: Vec<WebRtcSocket>,
    tcp: TcpMedia,
    is_readable: bool,
}

impl Sockets {
    /// Binds. Where all addresses are meant, those of the other family too, if any of it is `announced`.
    pub(crate) fn bind(address: SocketAddr, announced: &[IpAddr], registry: &Registry) -> Result<Self, PlaneError> {
        let mut choices = 0;
        loop {
            match Self::bind_once(address, announced, registry) {
                Err(PlaneError::Bind { source, .. })
                    if address.port() == 0 && source.kind() == ErrorKind::AddrInUse && choices < CHOICES_MAX =>
                {
                    choices += 1;
                }
                bound => return bound,
            }
        }
    }

    fn bind_once(address: SocketAddr, announced: &[IpAddr], registry: &Registry) -> Result<Self, PlaneError> {
        let mut sockets =
            Self { udp: Vec::new(), tcp: TcpMedia::new(registry).map_err(PlaneError::Worker)?, is_readable: false };
        sockets.add(address, announced, registry)?;
        let other: IpAddr = match address.ip() {
            IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED.into(),
        };
        if address.ip().is_unspecified() && announced.iter().any(|ip| ip.is_ipv4() == other.is_ipv4()) {
            sockets.add(SocketAddr::new(other, sockets.local().port()), announced, registry)?;
        }
        Ok(sockets)
    }

    fn add(&mut self, address: SocketAddr, announced: &[IpAddr], registry: &Registry) -> Result<(), PlaneError> {
        let failed = |what| move |source: io::Error| PlaneError::Bind { what, address, source };
        let nth = self.udp.len();
        let mut udp = WebRtcSocket::bind(address, announced).map_err(failed("WebRTC"))?;
        registry.register(udp.source(), Token(UDP + nth), Interest::READABLE).map_err(PlaneError::Worker)?;
        let at = SocketAddr::new(address.ip(), udp.local().port());
        self.tcp.listen(at, Token(TCP + nth)).map_err(failed("WebRTC over TCP"))?;
        self.udp.push(udp);
        Ok(())
    }

    /// Where the first UDP socket is bound.
    pub(crate) fn local(&self) -> SocketAddr {
        self.udp[0].local()
    }

    /// The host candidates' addresses.
    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        self.udp.iter().flat_map(WebRtcSocket::candidates).copied().collect()
    }

    /// The poll has told of one of these sockets.
    pub(crate) fn ready(&mut self, event: &Event, now: Instant) {
        match event.token() {
            Token(..UDP) => {}
            Token(..TCP) => self.is_readable = true,
            token => self.tcp.ready(token, now),
        }
    }

    /// There is something to read that the poll won't tell of again.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_readable || self.tcp.has_unread()
    }

    /// A batch of each socket: `handle(from, to, datagram)` for each datagram, which is false when it is nobody's.
    pub(crate) fn receive(&mut self, now: Instant, mut handle: impl FnMut(Remote, SocketAddr, &[u8]) -> bool) {
        let mut is_readable = false;
        if self.is_readable {
            for socket in &mut self.udp {
                is_readable |= socket.receive(|from, to, datagram| {
                    handle(Remote::from(from), to, datagram);
                });
            }
        }
        self.is_readable = is_readable;
        let udp = &self.udp;
        self.tcp.receive(now, |address, local, datagram| {
            let socket = udp.iter().find(|socket| socket.local().is_ipv4() == local.is_ipv4());
            let to = socket.map_or(local, |socket| socket.announced_for(Some(local.ip())));
            handle(Remote { address, over: Transport::Tcp }, to, datagram)
        });
    }

    /// Sends datagrams; what there is no room for is lost, as on any network.
    pub(crate) fn send(&mut self, transmits: &[sfu::Transmit], now: Instant) {
        for socket in &self.udp {
            let of_family = |transmit: &&sfu::Transmit| socket.local().is_ipv4() == transmit.to.address.is_ipv4();
            socket.send(transmits.iter().filter(|transmit| transmit.to.over == Transport::Udp).filter(of_family));
        }
        for transmit in transmits.iter().filter(|transmit| transmit.to.over == Transport::Tcp) {
            for datagram in transmit.bytes.chunks(transmit.segment.max(1)) {
                self.tcp.send(transmit.to.address, datagram, now);
            }
        }
    }

    /// Ends connections that nobody is at.
    pub(crate) fn look(&mut self, now: Instant) {
        self.tcp.look(now);
    }
}
