//! A worker's WebRTC socket: datagrams come in and go out by batches.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use mio::net::UdpSocket;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Socket, Type};

/// Room for one received batch of segments. WebRTC datagrams stay under 1,500 bytes, and the kernel joins up to 64.
const BUFFER_BYTES: usize = 64 * 1500;

/// Kernel buffers: at 4 MiB a worker that is 50 ms late loses nothing at 600 Mbit/s.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;

/// A socket for this address, not bound yet: the other family has one of its own, whose addresses are its own. Nothing on it blocks.
pub fn of_family(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The same for connections, bound, with so many that may wait to be taken.
pub fn listening(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let socket = of_family(address, Type::STREAM)?;
    // What is left of an earlier server's connections keeps nobody from the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

pub(crate) struct WebRtcSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// The host candidates; a datagram's local address, as the peers know it, is one of these.
    candidates: Vec<SocketAddr>,
    buffers: Vec<Vec<u8>>,
    metas: Vec<RecvMeta>,
}

impl WebRtcSocket {
    /// Binds, and makes the candidates from what is `announced` of its family, and the port.
    pub(crate) fn bind(address: SocketAddr, announced: &[IpAddr]) -> io::Result<Self> {
        let socket = of_family(address, Type::DGRAM)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let reference = socket2::SockRef::from(&socket);
        // The system may grant less; that is its business.
        let _ = reference.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        let _ = reference.set_send_buffer_size(KERNEL_BUFFER_BYTES);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        let of_family = announced.iter().filter(|ip| ip.is_ipv4() == local.is_ipv4());
        let candidates = of_family.map(|ip| SocketAddr::new(*ip, local.port())).collect();
        Ok(Self {
            socket,
            state,
            local,
            candidates,
            buffers: vec![vec![0; BUFFER_BYTES]; BATCH_SIZE],
            metas: vec![RecvMeta::default(); BATCH_SIZE],
        })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    pub(crate) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// One batch: `handle(from, to, datagram)` for each datagram. False when there was none.
    pub(crate) fn receive(&mut self, mut handle: impl FnMut(SocketAddr, SocketAddr, &[u8])) -> bool {
        let received = {
            let mut slices: Vec<IoSliceMut<'_>> = self.buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut self.metas)
        };
        // WouldBlock is the usual end; other errors are an earlier datagram's ICMP answer and concern no one.
        let Ok(count) = received else { return false };
        for (meta, buffer) in self.metas.iter().zip(&self.buffers).take(count) {
            let to = self.announced_for(meta.dst_ip);
            let stride = meta.stride.max(1);
            for datagram in buffer[..meta.len.min(buffer.len())].chunks(stride) {
                handle(meta.addr, to, datagram);
            }
        }
        true
    }

    /// Sends datagrams; what the kernel has no room for is lost, as on any network.
    pub(crate) fn send(&self, transmit: &sfu::Transmit) {
        let (from, to, contents) = (transmit.from, transmit.to.address, &transmit.bytes[..]);
        let segment_size = (contents.len() > transmit.segment).then_some(transmit.segment);
        // Where the system has no segmentation, each by itself.
        let at_once = if self.state.max_gso_segments() > 1 { contents.len() } else { transmit.segment };
        for contents in contents.chunks(at_once.max(1)) {
            self.send_at_once(from, to, contents, segment_size.filter(|segment| contents.len() > *segment));
        }
    }

    fn send_at_once(&self, from: SocketAddr, to: SocketAddr, contents: &[u8], segment_size: Option<usize>) {
        // The source must be the address the peer checks against, where that is one of this machine's.
        let src_ip = (self.local.ip().is_unspecified() && from.ip().is_loopback() == to.ip().is_loopback())
            .then_some(from.ip())
            .filter(|_| !from.ip().is_unspecified());
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip };
        if let Err(error) = self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            // Behind a NAT the announced address is no address of ours: the system then chooses.
            if src_ip.is_some() && error.kind() != io::ErrorKind::WouldBlock {
                let _ = self.state.try_send(UdpSockRef::from(&self.socket), &Transmit { src_ip: None, ..transmit });
            } else {
                metrics::counter!("plane_send_failed").increment(1);
            }
        }
    }

    /// The candidate a datagram was sent to: the address it arrived at where that is announced, else (behind a NAT)
    /// the first announced one of the same family.
    pub(crate) fn announced_for(&self, destination: Option<IpAddr>) -> SocketAddr {
        let ip = destination.unwrap_or_else(|| self.local.ip());
        let exact = self.candidates.iter().find(|candidate| candidate.ip() == ip);
        let family = || self.candidates.iter().find(|candidate| candidate.is_ipv4() == ip.is_ipv4());
        exact.or_else(family).copied().unwrap_or(self.local)
    }
}
