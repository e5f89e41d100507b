//! RTP ports, given out in turn so that one that was used rests before it is used again: late packets of an old call
//! must not be heard in a new one.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::PlaneError;

/// The two sockets of a leg (RFC 3550 §11).
pub(crate) struct RtpSockets {
    pub(crate) port: u16,
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
}

pub(crate) struct PortPool {
    bind: IpAddr,
    first: u16,
    pairs: usize,
    next: AtomicUsize,
}

impl PortPool {
    pub(crate) fn new(bind: IpAddr, range: RangeInclusive<u16>) -> Self {
        // Odd edges give up one port.
        let first = range.start().next_multiple_of(2);
        let pairs = usize::from(range.end().saturating_add(1).saturating_sub(first) / 2);
        Self { bind, first, pairs, next: AtomicUsize::new(0) }
    }

    /// The next pair that can be bound; ports other programs hold are passed over.
    pub(crate) fn allocate(&self) -> Result<RtpSockets, PlaneError> {
        for _ in 0..self.pairs {
            let pair = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            let port = self.first + 2 * pair as u16;
            if let Ok(sockets) = self.bind(port) {
                return Ok(sockets);
            }
        }
        let last = self.first + (2 * self.pairs).saturating_sub(1) as u16;
        Err(PlaneError::NoPort { first: self.first, last })
    }

    fn bind(&self, port: u16) -> std::io::Result<RtpSockets> {
        let [rtp, rtcp] = [port, port + 1].map(|port| bind(SocketAddr::new(self.bind, port)));
        Ok(RtpSockets { port, rtp: rtp?, rtcp: rtcp? })
    }
}

/// A socket of a leg: nothing on it blocks.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address no other test or program binds; each test has its own.
    fn pool(last_byte: u8) -> PortPool {
        PortPool::new(IpAddr::from([127, 83, 0, last_byte]), 30_000..=30_003)
    }

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let pool = pool(1);
        drop(pool.allocate().unwrap());
        assert_eq!(pool.allocate().unwrap().port, 30_002);
    }

    #[test]
    fn all_taken_is_an_error_that_names_the_range() {
        let pool = pool(2);
        let _taken = [pool.allocate().unwrap(), pool.allocate().unwrap()];
        let Err(PlaneError::NoPort { first, last }) = pool.allocate() else { panic!("a port too many") };
        assert_eq!((first, last), (30_000, 30_003));
    }
}
