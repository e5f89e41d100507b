//! Connections that are quiet or gone, and what goes by them (RFC 3261 §18.1.1).

use std::net::{IpAddr, SocketAddr};

use super::{Branch, Call, CallKey, Endpoint, Event, Instant, Source, Transport, outgoing::Answer, outgoing::Whose};
use crate::message::address_uri;

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
