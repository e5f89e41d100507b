//! RTP ports, given out in turn so that one that was used rests before it is used again: late packets of an old call
//! must not be heard in a new one.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use socket2::Type;

use crate::{PlaneError, receiver, socket::of_family};

/// How long a port rests after its call: a telephone that has not heard of the end sends on for as long as its BYE is repeated
/// in practice. More would take ports from a small range when many calls end at once.
const REST: Duration = Duration::from_secs(2);

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
    /// Ports that were given out, and when their calls have ended, where they have.
    given: Mutex<HashMap<u16, Option<Instant>>>,
}

impl PortPool {
    pub(crate) fn new(bind: IpAddr, range: RangeInclusive<u16>) -> Self {
        // Odd edges give up one port.
        let first = range.start().next_multiple_of(2);
        let pairs = usize::from(range.end().saturating_add(1).saturating_sub(first) / 2);
        Self { bind, first, pairs, next: AtomicUsize::new(0), given: Mutex::default() }
    }

    pub(crate) fn is_ipv4(&self) -> bool {
        self.bind.is_ipv4()
    }

    pub(crate) fn bind_ip(&self) -> IpAddr {
        self.bind
    }

    /// Its call is over.
    pub(crate) fn release(&self, port: u16, now: Instant) {
        self.given().insert(port, Some(now));
    }

    /// A call has it, or the one above that RTCP comes by.
    pub(crate) fn is_taken(&self, port: u16) -> bool {
        self.given().get(&(port & !1)).is_some_and(Option::is_none)
    }

    fn rests(&self, port: u16, now: Instant) -> bool {
        let since = self.given().get(&port).copied().flatten();
        since.is_some_and(|since| now.saturating_duration_since(since) < REST)
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<u16, Option<Instant>>> {
        // Whole between any two operations, whoever panicked.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next pair that can be bound; ports that rest or that other programs hold are passed over.
    pub(crate) fn allocate(&self, now: Instant) -> Result<RtpSockets, PlaneError> {
        for _ in 0..self.pairs {
            let pair = self.next.fetch_add(1, Ordering::Relaxed) % self.pairs;
            let port = self.first + 2 * pair as u16;
            if self.rests(port, now) {
                continue;
            }
            if let Ok(sockets) = self.bind(port) {
                self.given().insert(port, None);
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

/// A socket of a leg: nothing on it blocks, it is of its own family alone, and datagrams come with the time the kernel had them.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = of_family(address, Type::DGRAM)?;
    socket.bind(&address.into())?;
    receiver::stamp(&socket)?;
    Ok(socket.into())
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
        let (pool, start) = (pool(1), Instant::now());
        drop(pool.allocate(start).unwrap());
        pool.release(30_000, start);
        let second = pool.allocate(start).unwrap();
        assert_eq!(second.port, 30_002);
        // Late packets of the first call must reach nobody, though the port is free.
        let soon = start + REST - Duration::from_millis(1);
        assert!(matches!(pool.allocate(soon), Err(PlaneError::NoPort { .. })), "it rests");
        assert!(!pool.is_taken(30_000));
        assert_eq!(pool.allocate(start + REST).unwrap().port, 30_000);
        assert!(pool.is_taken(30_000) && pool.is_taken(30_001) && !pool.is_taken(30_004));
    }

    #[test]
    fn all_taken_is_an_error_that_names_the_range() {
        let pool = pool(2);
        let now = Instant::now();
        let _taken = [pool.allocate(now).unwrap(), pool.allocate(now).unwrap()];
        let Err(PlaneError::NoPort { first, last }) = pool.allocate(now) else { panic!("a port too many") };
        assert_eq!((first, last), (30_000, 30_003));
    }
}
