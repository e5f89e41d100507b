//! Floods of registrations, as whoever guesses passwords makes them: what nobody would answer is dropped where it comes in, unread.
//!
//! Who asks too much is known by the endpoint alone. It says so, and until when; of a request for a registration that suffices, for none is
//! ever of a call.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::network_of;

/// Hosts that are known at once; those beyond are read as others are.
const HOSTS_MAX: usize = 1_024;

/// How long a socket is left alone by which nothing but a flood comes, so that what comes is read in heaps. Longer, and who calls meanwhile
/// waits longer.
pub(crate) const PAUSE: Duration = Duration::from_millis(4);

/// Hosts that are not listened to, and until when. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Closed(Arc<Mutex<HashMap<IpAddr, Instant>>>);

impl Closed {
    /// Until then nothing of this host would be answered that is of no call.
    pub(crate) fn close(&self, host: IpAddr, until: Instant, now: Instant) {
        let mut hosts = self.hosts();
        if hosts.len() >= HOSTS_MAX {
            hosts.retain(|_, until| *until > now);
        }
        if hosts.len() < HOSTS_MAX {
            hosts.insert(network_of(host), until);
        }
    }

    /// Whether this datagram is a registration of such a host's.
    pub(crate) fn drops(&self, datagram: &[u8], host: IpAddr) -> bool {
        datagram.starts_with(b"REGISTER ") && self.is_closed(host, Instant::now())
    }

    fn is_closed(&self, host: IpAddr, now: Instant) -> bool {
        let (mut hosts, host) = (self.hosts(), network_of(host));
        let Some(until) = hosts.get(&host) else { return false };
        let is_closed = now < *until;
        if !is_closed {
            hosts.remove(&host);
        }
        is_closed
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Instant>> {
        // Whole between any two operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{net::UdpSocket, sync::mpsc};

    use super::*;
    use crate::{
        ladder::Ladder,
        transport::{Arrived, read_datagrams},
    };

    // reliability: A2
    #[tokio::test]
    async fn of_a_host_that_is_closed_no_registration_is_read_and_calls_are() {
        let (server, now) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), Instant::now());
        let (local, closed, (queue, mut arrived)) =
            (server.local_addr().unwrap(), Closed::default(), mpsc::channel(16));
        closed.close("127.0.0.2".parse().unwrap(), now + Duration::from_secs(3_600), now);
        let reading = tokio::spawn(read_datagrams(Arc::new(server), local, queue, Ladder::default(), closed));
        for (host, method) in [("127.0.0.2", "REGISTER"), ("127.0.0.2", "INVITE"), ("127.0.0.3", "REGISTER")] {
            let telephone = UdpSocket::bind((host, 0)).await.unwrap();
            let text = format!("{method} sip:h SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bK1\r\n\r\n");
            telephone.send_to(text.as_bytes(), local).await.unwrap();
        }
        for (host, method) in [("127.0.0.2", "INVITE"), ("127.0.0.3", "REGISTER")] {
            let Some(Arrived::Message(source, message, _)) = arrived.recv().await else { panic!("a message") };
            assert_eq!((source.peer.ip().to_string().as_str(), message.method()), (host, method));
        }
        reading.abort();
    }

    // reliability: A2
    #[test]
    fn a_host_is_closed_until_its_time_and_others_never() {
        let (closed, now) = (Closed::default(), Instant::now());
        let host = |n: u32| IpAddr::from(n.to_be_bytes());
        let until = now + Duration::from_millis(50);
        closed.close(host(1), until, now);
        assert!(closed.is_closed(host(1), now) && closed.is_closed(host(1), until - Duration::from_nanos(1)));
        assert!(!closed.is_closed(host(2), now) && !closed.is_closed(host(1), until));
        closed.close(host(1), Instant::now() + Duration::from_secs(3_600), now);
        assert!(closed.drops(b"REGISTER sip:h SIP/2.0\r\n", host(1)));
        assert!(!closed.drops(b"INVITE sip:h SIP/2.0\r\n", host(1)), "it may be of a call");
        assert!(!closed.drops(b"REGISTERED sip:h SIP/2.0\r\n", host(1)) && !closed.drops(b"", host(1)));
        for n in 0..10_000 {
            closed.close(host(n), until, now);
        }
        assert_eq!(closed.hosts().len(), HOSTS_MAX);
        closed.close(host(20_000), until + PAUSE, until);
        assert!(closed.hosts().len() <= 2, "those before are over");
    }
}
