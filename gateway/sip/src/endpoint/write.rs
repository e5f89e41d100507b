//! How the endpoint's messages are written, and to whom they go.

use std::{
    borrow::Cow,
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

use super::{
    Call, Endpoint, EndpointConfig, Source, Target, TransactionKey, Transmit, Transport,
    ways::{can_mean, contact_address, reconnect},
};
use crate::message::{Message, address_uri, first_of_list, via_parts};

/// Begins every branch since RFC 3261 (§8.1.1.7).
const COOKIE: &str = "z9hG4bK";

/// With a 503: calls end and servers begin anew within that, and a carrier that has others asks those meanwhile (§20.33).
pub(super) const RETRY_LATER: &str = "Retry-After: 10\r\n";

/// A branch of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Branch(pub(super) u64);

impl Branch {
    /// None where it can't be ours.
    pub(super) fn of_ours(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(COOKIE)?;
        (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok().map(Self)).flatten()
    }
}

impl std::fmt::Display for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{COOKIE}{:016x}", self.0)
    }
}

/// Names of what is ours.
impl Endpoint {
    pub(super) fn new_branch(&mut self) -> Branch {
        Branch(self.new_bits())
    }

    pub(super) fn new_tag(&mut self) -> String {
        format!("{:016x}", self.new_bits())
    }

    /// Unique in this process, and not to be guessed from outside before it is used.
    pub(super) fn new_bits(&mut self) -> u64 {
        self.last_call += 1;
        let mut bits = self.config.seed ^ self.last_call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

pub(super) fn transaction_key(message: &Message) -> Option<TransactionKey> {
    let via = first_of_list(message.header("via")?);
    // A broken one still gets its refusal, by the address it came from.
    let sent_by = via_parts(via).map_or_else(String::new, |(sent_by, _)| sent_by.into_owned());
    let branch = message.branch().unwrap_or_default();
    // Without the magic cookie and something behind it, what else tells requests apart (§17.2.3).
    let id = if branch.len() > COOKIE.len() && branch.starts_with(COOKIE) {
        branch.to_owned()
    } else {
        let parts = [message.header("call-id"), message.tag("from"), message.header("cseq")];
        parts
            .into_iter()
            .flatten()
            .fold(branch.to_owned(), |all, part| all + "|" + part.split(' ').next().unwrap_or(part))
    };
    let method = if message.method() == "ACK" { "INVITE" } else { message.method() };
    Some((id, sent_by, method.to_owned()))
}

pub(super) fn clean(value: &str) -> Cow<'_, str> {
    // Nearly all values are ASCII without any.
    if value.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return Cow::Borrowed(value);
    }
    without(value, char::is_control)
}

fn without(value: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if value.contains(&bad) { value.chars().filter(|c| !bad(*c)).collect() } else { Cow::Borrowed(value) }
}

/// As a Request-URI: a blank would end it.
fn clean_uri(uri: &str) -> Cow<'_, str> {
    without(uri, |c| c.is_control() || c.is_whitespace())
}

/// The address we are reached at by who is on this way: on the loopback, that.
fn our_address(config: &EndpointConfig, source: Source) -> SocketAddr {
    // A socket of all addresses of IPv6 may have those of IPv4, too.
    let peer = source.peer.ip().to_canonical();
    let of_family = |ip: &&IpAddr| ip.is_ipv4() == peer.is_ipv4();
    let ip = match source.local.ip() {
        ip if !ip.is_unspecified() => ip,
        _ if peer.is_loopback() => peer,
        ip => config.announced.iter().find(of_family).or_else(|| config.announced.first()).copied().unwrap_or(ip),
    };
    SocketAddr::new(ip, source.local.port())
}

/// `sips`: whoever asks us is to come by an encrypted way alone (§19.1), which TLS and the pages' WebSockets are of themselves.
pub(super) fn contact(config: &EndpointConfig, source: Source, sips: bool) -> String {
    let ordinary = contact_as(config, source, "huitong");
    if sips { ordinary.replacen("<sip:", "<sips:", 1).replace(";transport=tls", "") } else { ordinary }
}

pub(super) fn contact_as(config: &EndpointConfig, source: Source, user: &str) -> String {
    let transport = match source.transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        Transport::Ws => ";transport=ws",
    };
    format!("Contact: <sip:{}@{}{transport}>\r\n", clean(user), our_address(config, source))
}

/// What distinguishes one request to a target from the next.
pub(super) struct Heading<'a> {
    pub(super) method: &'a str,
    pub(super) branch: Branch,
    /// Ours.
    pub(super) tag: &'a str,
    /// Theirs, in the ACK of a refusal.
    pub(super) to_tag: Option<&'a str>,
    pub(super) cseq: u32,
}

/// A request outside of dialogs (§8.1.1). `fields` are whole lines.
pub(super) fn beginning(
    config: &EndpointConfig,
    target: &Target,
    heading: &Heading<'_>,
    fields: &str,
    body: &str,
) -> Transmit {
    let Heading { method, branch, tag, to_tag, cseq } = heading;
    let transport = target.way.transport.in_via();
    let our = our_address(config, target.way);
    let (uri, from, to) = (clean_uri(&target.uri), clean(&target.from), clean(&target.to));
    let to_tag = to_tag.filter(|tag| !tag.is_empty()).map(|tag| format!(";tag={}", clean(tag))).unwrap_or_default();
    let mut text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {our};branch={branch};rport\r\nMax-Forwards: 70\r\n"
    );
    write_routes(&mut text, &target.routes);
    let call_id = clean(&target.call_id);
    let _ = write!(
        text,
        "From: <{from}>;tag={tag}\r\nTo: <{to}>{to_tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{fields}"
    );
    write_body(&mut text, SDP, body);
    Transmit { to: target.way, reconnect: None, bytes: text.into_bytes() }
}

/// §8.2.6; `fields` are whole lines.
pub(super) fn response(
    to: &Message,
    source: Source,
    code: u16,
    reason: &str,
    tag: Option<&str>,
    fields: &str,
    body: &str,
) -> Transmit {
    let mut text = String::with_capacity(HEAD_BYTES + fields.len() + body.len());
    // Writing into a String can't fail.
    let _ = write!(text, "SIP/2.0 {code} {reason}\r\n");
    for (index, via) in to.headers("via").enumerate() {
        text.push_str("Via: ");
        match index {
            0 => push_received(&mut text, &clean(via), source.peer),
            _ => text.push_str(&clean(via)),
        }
        text.push_str("\r\n");
    }
    let mut copy = |name: &str, title: &str, tag: Option<&str>| {
        // What should stand once and doesn't is wrong: the first will do for saying so.
        let most = if name == "record-route" { usize::MAX } else { 1 };
        for value in to.headers(name).take(most) {
            text.push_str(title);
            text.push_str(&clean(value));
            if let Some(tag) = tag {
                text.push_str(";tag=");
                text.push_str(tag);
            }
            text.push_str("\r\n");
        }
    };
    if code != 100 {
        copy("record-route", "Record-Route: ", None);
    }
    copy("from", "From: ", None);
    copy("to", "To: ", tag.filter(|_| to.tag("to").is_none()));
    copy("call-id", "Call-ID: ", None);
    copy("cseq", "CSeq: ", None);
    text.push_str(fields);
    write_body(&mut text, SDP, body);
    let to = Source { peer: return_address(to, source), ..source };
    Transmit { to, reconnect: None, bytes: text.into_bytes() }
}

/// Whether a proxy goes by Route. One of before RFC 3261 is asked for as if it were the target, which comes last (§12.2.1.1).
fn is_loose(route: &str) -> bool {
    let mut parameters = address_uri(route).split(';').skip(1);
    parameters.any(|parameter| parameter.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("lr")))
}

fn write_routes(text: &mut String, routes: &[String]) {
    for route in routes {
        // Writing into a String can't fail.
        let _ = write!(text, "Route: {}\r\n", clean(route));
    }
}

/// Room for what most answers copy of their request.
const HEAD_BYTES: usize = 512;

/// What nearly all bodies are.
const SDP: &str = "application/sdp";

fn write_body(text: &mut String, kind: &str, body: &str) {
    text.push_str("Server: Huitong\r\n");
    if !body.is_empty() {
        let _ = write!(text, "Content-Type: {kind}\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
}

/// The topmost Via with where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
fn push_received(text: &mut String, via: &str, peer: SocketAddr) {
    let (first, rest) = via.split_at(first_of_list(via).len());
    let mut asked = false;
    for (index, part) in first.split(';').map(str::trim).enumerate() {
        asked |= part == "rport" || part.starts_with("rport=");
        if part.starts_with("rport") || part.starts_with("received=") {
            continue;
        }
        if index > 0 {
            text.push(';');
        }
        text.push_str(part);
    }
    let _ = write!(text, ";received={}", peer.ip());
    if asked {
        let _ = write!(text, ";rport={}", peer.port());
    }
    text.push_str(rest);
}

/// §18.2.2: over UDP to the port in Via unless rport was asked for; over TCP back on the connection.
fn return_address(to: &Message, source: Source) -> SocketAddr {
    let via = to.header("via").map(first_of_list).unwrap_or_default();
    let asked = via.split(';').any(|part| part.trim().starts_with("rport"));
    if source.transport != Transport::Udp || asked {
        return source.peer;
    }
    let sent_by = via_parts(via).map_or(Cow::Borrowed(""), |(sent_by, _)| sent_by);
    let port =
        sent_by.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')).and_then(|(_, port)| port.parse().ok());
    SocketAddr::new(source.peer.ip(), port.unwrap_or(5060))
}

/// A request within the dialog (§12.2.1.1): From and To change places, the caller's Contact is the target, Record-Route
/// the way. `fields` are whole lines.
pub(super) fn request(
    config: &EndpointConfig,
    call: &Call,
    method: &str,
    cseq: u32,
    branch: Branch,
    fields: &str,
    body: &str,
) -> Transmit {
    request_with(config, call, method, cseq, branch, fields, (SDP, body))
}

/// The same with a body of another kind.
pub(super) fn request_with(
    config: &EndpointConfig,
    call: &Call,
    method: &str,
    cseq: u32,
    branch: Branch,
    fields: &str,
    (kind, body): (&str, &str),
) -> Transmit {
    let invite = &call.invite;
    let source = call.source;
    let transport = source.transport.in_via();
    let our = our_address(config, source);
    let strict = call.routes.split_first().filter(|(first, _)| !is_loose(first));
    let uri = strict.map_or(call.target.as_str(), |(first, _)| address_uri(first));
    let mut text =
        format!("{method} {} SIP/2.0\r\nVia: SIP/2.0/{transport} {our};branch={branch};rport\r\n", clean_uri(uri));
    text.push_str("Max-Forwards: 70\r\n");
    write_routes(&mut text, strict.map_or(call.routes.as_slice(), |(_, others)| others));
    if strict.is_some() {
        let _ = write!(text, "Route: <{}>\r\n", clean(&call.target));
    }
    let to = clean(invite.header("to").unwrap_or_default());
    let _ = write!(text, "From: {to};tag={}\r\nTo: {}\r\n", call.tag, clean(invite.header("from").unwrap_or_default()));
    let call_id = clean(invite.header("call-id").unwrap_or_default());
    let _ = write!(text, "Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{fields}");
    write_body(&mut text, kind, body);
    // To where the call's requests come from: it works through NAT, and any proxy in the way recorded itself there.
    let (peer, anew) = match (call.routes.first(), elsewhere(config, call)) {
        (Some(next), _) => (source.peer, reconnect(next, source)),
        (None, Some(elsewhere)) => (elsewhere, (source.transport == Transport::Tcp).then_some(elsewhere)),
        (None, None) => (numeric(&call.target, source), reconnect(&call.target, source)),
    };
    Transmit { to: Source { peer, ..source }, reconnect: anew, bytes: text.into_bytes() }
}

/// Another server that a carrier's Contact names, which is to hear all that follows: what took the call has left its way (§12.2.1.1). None
/// where it is no carrier's, or no address that can be meant.
fn elsewhere(config: &EndpointConfig, call: &Call) -> Option<SocketAddr> {
    let address = contact_address(&call.target, call.source.transport).filter(|_| call.is_carriers)?;
    let is_other = address.ip() != call.source.peer.ip() && address != our_address(config, call.source);
    (is_other && can_mean(call.source.peer.ip(), address.ip())).then_some(address)
}

/// The address in a Contact where it is one we may believe: the same host as the request's; else the request's own.
fn numeric(target: &str, source: Source) -> SocketAddr {
    let parsed = contact_address(target, Transport::Udp).filter(|_| source.transport == Transport::Udp);
    parsed.filter(|address| address.ip() == source.peer.ip()).unwrap_or(source.peer)
}
