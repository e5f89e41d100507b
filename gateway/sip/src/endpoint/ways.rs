//! Connections that are quiet or gone, and what goes by them (RFC 3261 §18.1.1).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Branch, Call, CallKey, Endpoint, Event, Instant, Source, Transport, outgoing::Answer, outgoing::Whose};
use crate::message::{address_uri, parameter};

/// Below it lie services, and no telephone.
const PORT_MIN: u16 = 1024;

impl Endpoint {
    /// Whether a connection that is quiet is to stay: a call stands by it, or a telephone is to be reached by it.
    #[must_use]
    pub fn needs(&self, transport: Transport, peer: SocketAddr, now: Instant) -> bool {
        let is_it = |way: Source| (way.transport, way.peer) == (transport, peer);
        self.calls.iter().any(|(_, call)| is_it(call.source)) || self.registers_by(is_it, now)
    }

    /// Nothing gets there by this transport: what waits for its first answer from there is answered 503 (§8.1.3.1, §17.1.4). A
    /// request of a call goes by another connection first, where one can be made, and so does the answer to an INVITE.
    pub fn unreachable(&mut self, transport: Transport, peer: SocketAddr, now: Instant) {
        let is_it = |way: Source| (way.transport, way.peer) == (transport, peer);
        let waits = self.outgoing.iter().filter(|(_, outgoing)| is_it(outgoing.way()) && !outgoing.is_proceeding());
        let all: Vec<Branch> = waits.map(|(branch, _)| branch).collect();
        for branch in all {
            let Some(outgoing) = self.end_outgoing(branch) else { continue };
            match outgoing.whose() {
                Whose::Call(_) if outgoing.is_canceled() => {}
                Whose::Call(_) if outgoing.is_outgrown() => self.send_in_pieces(outgoing, now),
                Whose::Call(call) => self.events.push_back(Event::Refused(call, 503)),
                Whose::Request(key, _) => self.events.push_back(Event::Responded(key, Answer::of(503))),
            }
        }
        // What a network loses is sent again.
        if transport == Transport::Udp {
            return;
        }
        let waits = |call: &Call| call.repeat.as_ref().is_some_and(|repeat| is_it(repeat.transmit.to));
        let cut: Vec<CallKey> = self.calls.iter().filter(|(_, call)| waits(call)).map(|(key, _)| key).collect();
        for key in cut {
            let Some(repeat) = self.calls.get_mut(key).and_then(|call| call.repeat.as_mut()) else { continue };
            if let Some(elsewhere) = repeat.transmit.reconnect.filter(|elsewhere| *elsewhere != peer) {
                repeat.transmit.to.peer = elsewhere;
                self.transmits.push_back(repeat.transmit.clone());
            }
        }
        let cut = self.clients.iter().filter(|(_, client)| is_it(client.repeat.transmit.to));
        let cut: Vec<Branch> = cut.map(|(branch, _)| branch).collect();
        for branch in cut {
            let Some(client) = self.clients.get_mut(branch) else { continue };
            let transmit = &mut client.repeat.transmit;
            if let Some(elsewhere) = transmit.reconnect.filter(|elsewhere| *elsewhere != peer) {
                transmit.to.peer = elsewhere;
                self.transmits.push_back(transmit.clone());
            } else if let Some(call) = self.clients.remove(branch).and_then(|client| client.call) {
                self.refreshed(call, 503, now);
            }
        }
    }
}

/// Host and port of a Contact or a value of Route, as they stand.
pub(super) fn host_and_port(address: &str) -> &str {
    let rest = address_uri(address).split_once(':').map_or("", |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host.split([';', '?']).next().unwrap_or_default()
}

/// Where a Contact's URI leads by this transport: none where it names another, or none of which an address is enough to be reached by it.
pub(super) fn contact_address(uri: &str, transport: Transport) -> Option<SocketAddr> {
    let named = parameter(uri, "transport");
    let is_it = |name: &str| named.is_some_and(|named| named.eq_ignore_ascii_case(name));
    let fits = match transport {
        Transport::Udp => named.is_none() || is_it("udp"),
        Transport::Tcp => is_it("tcp"),
        Transport::Tls | Transport::Ws => false,
    };
    let text = host_and_port(uri);
    let bare = || Some(SocketAddr::new(text.trim_matches(['[', ']']).parse().ok()?, 5060));
    text.parse().ok().or_else(bare).filter(|_| fits)
}

/// Whether an address can be meant by who is at another: who comes from the internet and names one of a private network is behind a NAT.
pub(super) fn can_mean(from: IpAddr, named: IpAddr) -> bool {
    let (from, named) = (from.to_canonical(), named.to_canonical());
    let is_place = !named.is_unspecified() && !named.is_multicast() && named != IpAddr::V4(Ipv4Addr::BROADCAST);
    is_place
        && from.is_ipv4() == named.is_ipv4()
        && from.is_loopback() == named.is_loopback()
        && (is_private(from) || !is_private(named))
}

/// RFC 1918, RFC 3927, RFC 4193, RFC 6598.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Where whoever names himself so takes a new connection: at the host he came from, and no other, by the port he names. Where he
/// names another host, or a port of other services, he is behind a NAT or means somebody else, and the port he came from is all
/// that is known. None over a WebSocket: nobody connects to a browser (RFC 7118 §5).
pub(super) fn reconnect(address: &str, source: Source) -> Option<SocketAddr> {
    let usual = match source.transport {
        Transport::Udp | Transport::Ws => return None,
        Transport::Tcp => 5060,
        Transport::Tls => 5061,
    };
    let text = host_and_port(address);
    let named = text.parse::<SocketAddr>().ok().map(|address| (Some(address.ip()), address.port()));
    let bare = || text.trim_matches(['[', ']']).parse().ok().map(|ip: IpAddr| (Some(ip), usual));
    let (ip, port) = named.or_else(bare).unwrap_or_else(|| {
        let port = text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        (None, port.unwrap_or(usual))
    });
    let is_he = !text.is_empty() && ip.is_none_or(|ip| ip == source.peer.ip()) && port >= PORT_MIN;
    Some(if is_he { SocketAddr::new(source.peer.ip(), port) } else { source.peer })
}
