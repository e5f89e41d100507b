//! A worker's WebRTC socket: datagrams come in and go out by batches.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use mio::net::UdpSocket;
use nix::{
    libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo},
    sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, cmsg_space, sendmmsg},
};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Socket, Type};

/// Room for one received batch of segments. WebRTC datagrams stay under 1,500 bytes, and the kernel joins up to 64.
const BUFFER_BYTES: usize = 64 * 1500;

/// Kernel buffers: at 4 MiB a worker that is 50 ms late loses nothing at 600 Mbit/s.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;

/// Datagrams to different receivers in one call. More would save little: of 3.1 µs that one takes by itself over the loopback, 0.7 are
/// the call's.
const TOGETHER_MAX: usize = 64;

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
    /// Those of them that are this machine's: behind a NAT none is.
    own: Vec<IpAddr>,
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
        let of_family = announced.iter().filter(|ip| ip.is_ipv4() == local.is_ipv4()).copied();
        let candidates = of_family.clone().map(|ip| SocketAddr::new(ip, local.port())).collect();
        let own = of_family.filter(|ip| std::net::UdpSocket::bind((*ip, 0)).is_ok()).collect();
        Ok(Self {
            socket,
            state,
            local,
            candidates,
            own,
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

    /// Sends datagrams in their order; what the kernel has no room for is lost, as on any network. Those that go alone, as voices
    /// do, leave by one call for many receivers, and the others by one call for each.
    pub(crate) fn send<'a>(&self, transmits: impl Iterator<Item = &'a sfu::Transmit>) {
        let mut alone: Vec<&sfu::Transmit> = Vec::new();
        for transmit in transmits {
            let is_alone = transmit.bytes.len() <= transmit.segment;
            let is_same = alone.first().is_none_or(|first| self.sent_from(first) == self.sent_from(transmit));
            if !is_alone || !is_same || alone.len() == TOGETHER_MAX {
                self.send_together(&alone);
                alone.clear();
            }
            if is_alone {
                alone.push(transmit);
            } else {
                self.send_segments(transmit);
            }
        }
        self.send_together(&alone);
    }

    /// The source must be the address the peer checks against, where that is one of this machine's.
    fn sent_from(&self, transmit: &sfu::Transmit) -> Option<IpAddr> {
        let (from, to) = (transmit.from.ip(), transmit.to.address.ip());
        (self.local.ip().is_unspecified() && from.is_loopback() == to.is_loopback())
            .then_some(from)
            .filter(|from| self.own.contains(from))
    }

    /// Datagrams that are sent from the same address. What the system does not take of them goes by itself.
    fn send_together(&self, mut alone: &[&sfu::Transmit]) {
        while let [_, _, ..] = alone {
            let sent = self.try_together(alone);
            alone = alone.get(sent..).unwrap_or_default();
            if let [refused, rest @ ..] = alone {
                self.send_segments(refused);
                alone = rest;
            }
        }
        alone.iter().for_each(|transmit| self.send_segments(transmit));
    }

    /// How many of the first were sent.
    fn try_together(&self, alone: &[&sfu::Transmit]) -> usize {
        let addresses: Vec<_> = alone.iter().map(|one| Some(SockaddrStorage::from(one.to.address))).collect();
        let contents: Vec<_> = alone.iter().map(|one| [IoSlice::new(&one.bytes)]).collect();
        let source = alone.first().and_then(|first| self.sent_from(first));
        let (v4, v6) = (source.and_then(info_v4), source.and_then(info_v6));
        let (source, room) = match (&v4, &v6) {
            (Some(v4), _) => (vec![ControlMessage::Ipv4PacketInfo(v4)], Some(cmsg_space::<in_pktinfo>())),
            (_, Some(v6)) => (vec![ControlMessage::Ipv6PacketInfo(v6)], Some(cmsg_space::<in6_pktinfo>())),
            (None, None) => (Vec::new(), None),
        };
        let mut headers = MultiHeaders::preallocate(alone.len(), room.map(Vec::with_capacity));
        let sent = sendmmsg(self.socket.as_raw_fd(), &mut headers, &contents, addresses, source, MsgFlags::empty());
        sent.map_or(0, Iterator::count)
    }

    fn send_segments(&self, transmit: &sfu::Transmit) {
        let contents = &transmit.bytes[..];
        let segment_size = (contents.len() > transmit.segment).then_some(transmit.segment);
        // Where the system has no segmentation, each by itself.
        let at_once = if self.state.max_gso_segments() > 1 { contents.len() } else { transmit.segment };
        let (source, to) = (self.sent_from(transmit), transmit.to.address);
        for contents in contents.chunks(at_once.max(1)) {
            self.send_at_once(source, to, contents, segment_size.filter(|segment| contents.len() > *segment));
        }
    }

    fn send_at_once(&self, src_ip: Option<IpAddr>, to: SocketAddr, contents: &[u8], segment_size: Option<usize>) {
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip };
        if let Err(error) = self.state.try_send(UdpSockRef::from(&self.socket), &transmit) {
            // It was an address of ours once: the system then chooses.
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

/// The address a datagram is sent from (ip(7), `IP_PKTINFO`).
fn info_v4(source: IpAddr) -> Option<in_pktinfo> {
    let IpAddr::V4(source) = source else { return None };
    let address = in_addr { s_addr: u32::from_ne_bytes(source.octets()) };
    Some(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: in_addr { s_addr: 0 } })
}

/// The same of IPv6 (ipv6(7), `IPV6_PKTINFO`).
fn info_v6(source: IpAddr) -> Option<in6_pktinfo> {
    let IpAddr::V6(source) = source else { return None };
    Some(in6_pktinfo { ipi6_addr: in6_addr { s6_addr: source.octets() }, ipi6_ifindex: 0 })
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, UdpSocket},
        time::{Duration, Instant},
    };

    use sfu::{
        Sfu, SfuConfig,
        load::{LoadClient, LoadIdentity},
    };

    use super::*;

    #[test]
    fn one_that_cannot_be_sent_holds_up_none_of_those_that_leave_with_it() {
        let now = Instant::now();
        let announced = [IpAddr::from(Ipv4Addr::LOCALHOST)];
        let socket = WebRtcSocket::bind((Ipv4Addr::UNSPECIFIED, 0).into(), &announced).unwrap();
        let ours = socket.candidates()[0];
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![ours] }).unwrap();
        let identity = LoadIdentity::generate().unwrap();
        let receivers: [UdpSocket; 3] = std::array::from_fn(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [first, second, third] = receivers.each_ref().map(|receiver| receiver.local_addr().unwrap());
        // Nothing may be sent to everybody.
        let nowhere = |port| SocketAddr::from((Ipv4Addr::BROADCAST, port));
        for to in [first, nowhere(1), second, nowhere(2), nowhere(3), third] {
            let (mut client, offer) = LoadClient::publisher(&identity, first, 1, now).unwrap();
            let (_, answer) = sfu.publish(&offer, now).unwrap();
            client.answer(&answer).unwrap();
            client.wake(now);
            client.drain(now, |ours, check| assert!(sfu.handle_datagram(to, ours, check, now)), |_| {});
        }
        let answers: Vec<_> = std::iter::from_fn(|| sfu.poll_transmit()).collect();
        assert!(answers.len() >= 6);
        socket.send(answers.iter());
        for receiver in receivers {
            receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let (_, from) = receiver.recv_from(&mut [0; 2_048]).unwrap();
            assert_eq!(from, ours);
        }
    }
}
