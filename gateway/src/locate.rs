//! Where a carrier's servers are (RFC 3263): how they are spoken to by NAPTR records, which they are by SRV records, their
//! addresses. Asked by tasks of their own, never by the switchboard; what is answered is kept for as long as its records say.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use sip::Transport;
use tokio::time::timeout;

use crate::name_servers::{Kind, NameServers, Record};

/// All look-ups for one carrier. Longer ones keep whoever is called from ringing.
const WITHIN: Duration = Duration::from_secs(5);

/// Servers of one carrier that are tried. More records than that are a mistake, or an attempt to keep us busy.
const PLACES_MAX: usize = 12;

/// Ways to a carrier in the order we choose where it says nothing: as RFC 3263 §4.1 names them.
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// One server, and how it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

/// Finds carriers.
pub(crate) struct Locator {
    names: NameServers,
}

impl Locator {
    /// `servers` are asked in the place of the system's own.
    pub(crate) fn new(servers: &[SocketAddr]) -> Self {
        Self { names: NameServers::new(servers) }
    }

    /// In the order they are to be tried; none where the name leads nowhere. What isn't said is looked up. And whether records named
    /// them, and with that how they are spoken to.
    pub(crate) async fn places(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
    ) -> (Vec<Place>, bool) {
        let (mut places, by_records) = timeout(WITHIN, self.find(host, port, transport)).await.unwrap_or_default();
        places.truncate(PLACES_MAX);
        (places, by_records)
    }

    async fn find(&self, host: &str, port: Option<u16>, transport: Option<Transport>) -> (Vec<Place>, bool) {
        let plain = transport.unwrap_or(Transport::Udp);
        // An address, or a port, leaves nothing to choose (§4.1, §4.2).
        if port.is_some() || host.parse::<IpAddr>().is_ok() {
            return (self.at(host, port.unwrap_or_else(|| default_port(plain)), plain).await, false);
        }
        let services = match transport {
            Some(transport) => vec![(transport, service(transport, host))],
            None => self.services(host).await,
        };
        let mut found = Vec::new();
        if services.is_empty() {
            // Together: whoever is called waits for one answer and not for three.
            let [udp, tcp, tls] = TRANSPORTS.map(|transport| service(transport, host));
            let (udp, tcp, tls) = tokio::join!(self.servers(&udp), self.servers(&tcp), self.servers(&tls));
            found.extend(TRANSPORTS.into_iter().zip([udp, tcp, tls]));
        }
        for (transport, name) in services {
            found.push((transport, self.servers(&name).await));
        }
        let mut places = Vec::new();
        for (transport, servers) in found {
            for (target, port) in servers {
                if places.len() < PLACES_MAX {
                    places.extend(self.at(&target, port, transport).await);
                }
            }
        }
        match places.is_empty() {
            true => (self.at(host, default_port(plain), plain).await, false),
            false => (places, true),
        }
    }

    /// What NAPTR records offer, the best first.
    async fn services(&self, host: &str) -> Vec<(Transport, String)> {
        let offered = self.names.records(host, Kind::Naptr).await.into_iter().filter_map(|record| match record {
            Record::Service { order, preference, flags, services, replacement } if flags.eq_ignore_ascii_case("s") => {
                Some(((order, preference), transport_of(&services)?, replacement))
            }
            _ => None,
        });
        let mut offered: Vec<_> = offered.collect();
        offered.sort_by_key(|(order, ..)| *order);
        offered.into_iter().map(|(_, transport, name)| (transport, name)).collect()
    }

    /// What SRV records name, in the order of RFC 2782.
    async fn servers(&self, service: &str) -> Vec<(String, u16)> {
        let servers = self.names.records(service, Kind::Srv).await.into_iter().filter_map(|record| match record {
            // The root says that there is no such service here.
            Record::Server { priority, weight, port, target } if !target.is_empty() => {
                Some(Server { priority, weight, port, name: target })
            }
            _ => None,
        });
        in_order(servers.collect(), |below| rand::random_range(0..below))
    }

    async fn at(&self, host: &str, port: u16, transport: Transport) -> Vec<Place> {
        let mut addresses = self.addresses(host).await;
        // Our sockets are mostly of IPv4.
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.into_iter().map(|ip| Place { transport, address: SocketAddr::new(ip, port) }).collect()
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        if let Ok(address) = host.parse() {
            return vec![address];
        }
        // A name without a dot is the system's own, as is one that its file of hosts knows.
        let (v4, v6) = match host.contains('.') {
            true => tokio::join!(self.names.records(host, Kind::A), self.names.records(host, Kind::Aaaa)),
            false => Default::default(),
        };
        let found = v4.into_iter().chain(v6).filter_map(|record| match record {
            Record::Address(address) => Some(address),
            _ => None,
        });
        let found: Vec<IpAddr> = found.collect();
        if !found.is_empty() {
            return found;
        }
        match tokio::net::lookup_host((host, 0)).await {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(error) => {
                tracing::warn!(host, %error, "a carrier's name can't be looked up");
                Vec::new()
            }
        }
    }
}

/// RFC 3261 §19.1.2.
fn default_port(transport: Transport) -> u16 {
    if transport == Transport::Tls { 5061 } else { 5060 }
}

/// The name of SRV records (RFC 3263 §4.1).
fn service(transport: Transport, host: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
    };
    format!("{prefix}.{host}")
}

/// Of a NAPTR record; none where it is of another protocol, or of a way we don't call by.
fn transport_of(services: &str) -> Option<Transport> {
    let ways = [("SIP+D2U", Transport::Udp), ("SIP+D2T", Transport::Tcp), ("SIPS+D2T", Transport::Tls)];
    ways.into_iter().find(|(name, _)| services.eq_ignore_ascii_case(name)).map(|(_, transport)| transport)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    priority: u16,
    weight: u16,
    port: u16,
    name: String,
}

/// Lower priorities first; of one priority each as often first as its weight says (RFC 2782). `random` draws below its argument.
fn in_order(servers: Vec<Server>, mut random: impl FnMut(u32) -> u32) -> Vec<(String, u16)> {
    let mut by_priority: BTreeMap<u16, Vec<Server>> = BTreeMap::new();
    for server in servers {
        by_priority.entry(server.priority).or_default().push(server);
    }
    let mut order = Vec::new();
    for mut left in by_priority.into_values() {
        // Those without a weight have their small chance while they stand first.
        left.sort_by_key(|server| server.weight);
        while !left.is_empty() {
            let sum: u32 = left.iter().map(|server| u32::from(server.weight)).sum();
            let drawn = random(sum + 1);
            let mut running = 0;
            let chosen = left.iter().position(|server| {
                running += u32::from(server.weight);
                running >= drawn
            });
            let server = left.remove(chosen.unwrap_or(0));
            order.push((server.name, server.port));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(priority: u16, weight: u16, name: &str) -> Server {
        Server { priority, weight, port: 5060, name: name.to_owned() }
    }

    // product: P11; RFC 2782, RFC 3263 §4.2
    #[test]
    fn servers_stand_by_priority_and_as_often_first_as_they_weigh() {
        let servers = || vec![server(20, 0, "c"), server(10, 1, "b"), server(10, 3, "a"), server(10, 0, "z")];
        let mut firsts: BTreeMap<String, u32> = BTreeMap::new();
        let mut seed = 1_u32;
        for _ in 0..4_000 {
            let order = in_order(servers(), |below| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) % below
            });
            assert_eq!((order.len(), order[3].0.as_str()), (4, "c"), "the lower priority comes last");
            *firsts.entry(order[0].0.clone()).or_default() += 1;
        }
        // Drawn of 0 to 4: 0 is z's, 1 b's, 2 to 4 a's.
        let share = |name: &str| f64::from(firsts[name]) / 4_000.0;
        let near = |name: &str, expected: f64| assert!((share(name) - expected).abs() < 0.05, "{firsts:?}");
        near("a", 0.6);
        near("b", 0.2);
        near("z", 0.2);
        assert_eq!(in_order(Vec::new(), |_| 0), Vec::new());
    }

    #[test]
    fn records_of_other_protocols_are_passed_over() {
        assert_eq!(transport_of("sip+d2t"), Some(Transport::Tcp));
        assert_eq!(transport_of("SIPS+D2T"), Some(Transport::Tls));
        for other in ["SIP+D2S", "SIP+D2W", "E2U+sip", "", "SIP+D2UX"] {
            assert_eq!(transport_of(other), None);
        }
    }
}
