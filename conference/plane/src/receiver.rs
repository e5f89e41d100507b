//! Datagrams with the time the kernel had them (`SO_TIMESTAMPNS`), so that whoever reads them later knows when they came.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    time::{Duration, Instant, SystemTime},
};

use nix::sys::{
    socket::{
        ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, cmsg_space, recvmsg, setsockopt,
        sockopt::ReceiveTimestampns,
    },
    time::TimeSpec,
};

/// Room for one datagram; RTP over telephone networks stays under the Ethernet MTU.
const DATAGRAM_MAX: usize = 2048;

/// Nothing waits longer for us than a worker may be late; more is a wall clock that jumped.
const WAITED_MAX: Duration = Duration::from_secs(1);

/// Reads sockets.
#[derive(Debug)]
pub struct Receiver {
    buffer: Box<[u8; DATAGRAM_MAX]>,
    /// Where the kernel puts the time.
    stamp: [u8; cmsg_space::<TimeSpec>()],
    /// The same moment by both clocks: the kernel's time stamps are of the second.
    now: Instant,
    wall: SystemTime,
}

/// What was read.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    /// Of the datagram, for [`Receiver::datagram`].
    pub len: usize,
    /// Nobody, where the address is of no family that the socket has.
    pub from: Option<SocketAddr>,
    /// When the kernel had it; not after the moment that [`Receiver::begin`] was told.
    pub at: Instant,
}

/// Lets what comes by this socket come with the time the kernel had it.
pub fn stamp(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
}

/// The kernel's time of what was read from such a socket, since 1970.
pub fn stamp_of<S>(received: &RecvMsg<'_, '_, S>) -> io::Result<Option<Duration>> {
    Ok(received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
        _ => None,
    }))
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            buffer: Box::new([0; DATAGRAM_MAX]),
            stamp: [0; cmsg_space::<TimeSpec>()],
            now: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

impl Receiver {
    /// What is read from now on had come by `now`, which may be some time ago.
    pub fn begin(&mut self, now: Instant) {
        self.now = now;
        // The wall clock first: whoever is held up between the two takes a datagram for later than it was and never for earlier.
        let wall = SystemTime::now();
        self.wall = wall - now.elapsed();
    }

    /// The moment that [`Receiver::begin`] was told.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The next datagram; `WouldBlock` where none waits.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<Received> {
        let mut slices = [IoSliceMut::new(&mut self.buffer[..])];
        let received =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut self.stamp[..]), MsgFlags::empty())?;
        let stamp = stamp_of(&received)?;
        let (len, from) = (received.bytes, received.address.and_then(socket_address));
        Ok(Received { len, from, at: stamp.map_or(self.now, |stamp| self.arrival(stamp)) })
    }

    /// The bytes of the datagram that was read last.
    pub fn datagram(&mut self, len: usize) -> &mut [u8] {
        &mut self.buffer[..len]
    }

    /// The moment of a time stamp. A wall clock that was set meanwhile makes it now at the latest.
    fn arrival(&self, stamp: Duration) -> Instant {
        let ago = self.wall.duration_since(SystemTime::UNIX_EPOCH + stamp).unwrap_or_default();
        self.now.checked_sub(ago.min(WAITED_MAX)).unwrap_or(self.now)
    }
}

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().copied().map(SocketAddr::from);
    v4.or_else(|| address.as_sockaddr_in6().copied().map(SocketAddr::from))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_datagram_comes_with_its_own_time_however_late_it_is_read() {
        let mut receiver = Receiver::default();
        let now = Instant::now();
        // Whoever looked at the clock first and then at other things says so: the wall's moment is the same one.
        receiver.begin(now.checked_sub(Duration::from_millis(500)).unwrap());
        assert!(receiver.wall.elapsed().unwrap() >= Duration::from_millis(500));
        receiver.begin(now);
        let wall = receiver.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(receiver.arrival(wall - Duration::from_millis(7)), now - Duration::from_millis(7));
        // It came while others were read: as if it had waited for none.
        assert_eq!(receiver.arrival(wall + Duration::from_millis(5)), now);
        // A wall clock that was set.
        assert_eq!(receiver.arrival(wall - Duration::from_secs(3600)), now - WAITED_MAX);
    }

    #[test]
    fn the_kernel_says_when_a_datagram_came() {
        let sockets: [UdpSocket; 2] = std::array::from_fn(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        stamp(&sockets[1]).unwrap();
        let mut receiver = Receiver::default();
        sockets[0].send_to(b"hello", sockets[1].local_addr().unwrap()).unwrap();
        let later = Instant::now() + Duration::from_millis(900);
        (receiver.now, receiver.wall) = (later, SystemTime::now() + Duration::from_millis(900));
        let received = receiver.receive(&sockets[1]).unwrap();
        assert_eq!(
            (receiver.datagram(received.len).to_vec(), received.from),
            (b"hello".to_vec(), sockets[0].local_addr().ok())
        );
        assert!(received.at < later, "it has waited");
    }
}
