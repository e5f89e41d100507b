//! What is wrong with a request before anybody asks what it wants (RFC 3261 §8.2), with the verdicts of RFC 4475.

use crate::{
    Transport,
    message::{Message, ParseError, StartLine, list, split_address, via_parts},
};

/// Extensions a request may require.
const SUPPORTED: [&str; 6] = ["100rel", "timer", "replaces", "norefersub", "path", "outbound"];

/// Fields that stand once (§7.3.1); twice, nobody can say which one counts.
const SINGLE: [&str; 5] = ["call-id", "cseq", "from", "to", "max-forwards"];

/// Code, reason phrase and whole lines of further fields.
pub(crate) type Refusal = (u16, &'static str, String);

/// Why a request is refused unread, if it is.
pub(crate) fn refusal(message: &Message, transport: Transport) -> Option<Refusal> {
    let StartLine::Request { method, uri } = &message.start else { return None };
    let plain = |code, reason| Some((code, reason, String::new()));
    match message.fault {
        Some(ParseError::Version) => return plain(505, "Version Not Supported"),
        Some(ParseError::TooLarge) => return plain(513, "Message Too Large"),
        Some(ParseError::StartLine | ParseError::Header | ParseError::Body) => return plain(400, "Bad Request"),
        None => {}
    }
    if !is_sound(message) || uri.starts_with('<') {
        return plain(400, "Bad Request");
    }
    // CANCEL and ACK belong to a request that was looked at already (§8.2.2.3, §9.1).
    if matches!(method.as_str(), "ACK" | "CANCEL") {
        return None;
    }
    let scheme = uri.split(':').next().unwrap_or_default();
    let is_scheme = |known: &str| scheme.eq_ignore_ascii_case(known);
    let is_known = is_scheme("sip") || is_scheme("tel") || is_scheme("sips") && transport.may_be_sips();
    if !is_known || scheme.len() == uri.len() {
        return plain(416, "Unsupported URI Scheme");
    }
    if !is_scheme("tel") && is_bare_ipv6(uri) {
        return plain(400, "Bad Request");
    }
    // What proxies are to do (`Proxy-Require`) they have done.
    let required = message.headers("require").flat_map(list);
    let strange: Vec<&str> =
        required.filter(|option| !SUPPORTED.contains(&option.to_ascii_lowercase().as_str())).collect();
    if !strange.is_empty() {
        let strange: String = strange.join(", ").chars().filter(|c| !c.is_control()).collect();
        return Some((420, "Bad Extension", format!("Unsupported: {strange}\r\n")));
    }
    if method != "INVITE" {
        // RFC 3891 §3
        return if message.header("replaces").is_some() { plain(400, "Bad Request") } else { None };
    }
    let kind = message.header("content-type").map(media_type);
    if !message.body.is_empty() && kind.is_some_and(|kind| kind != "application/sdp") {
        return plain(415, "Unsupported Media Type");
    }
    let mut accepted = message.headers("accept").flat_map(list).map(media_type).peekable();
    let sdp = ["application/sdp", "application/*", "*/*"];
    if accepted.peek().is_some() && !accepted.any(|kind| sdp.contains(&kind.as_str())) {
        return plain(406, "Not Acceptable");
    }
    None
}

/// An address of IPv6 without its brackets: where it ends and a port begins nobody can say (RFC 5118 §4.2).
fn is_bare_ipv6(uri: &str) -> bool {
    let rest = uri.split_once(':').map_or("", |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split([';', '?']).next().unwrap_or_default();
    !host.starts_with('[') && host.matches(':').count() > 1
}

/// Type and subtype, without parameters, in lower case.
pub(crate) fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// All fields a transaction and a dialog are made of are there, once, and well-formed.
fn is_sound(message: &Message) -> bool {
    let once = SINGLE.iter().all(|name| message.headers(name).count() <= 1);
    let whole =
        ["call-id", "from", "to"].iter().all(|name| message.header(name).is_some_and(|value| !value.is_empty()));
    let numbered = message.cseq().is_some_and(|(_, method)| method == message.method());
    let hops = message.header("max-forwards").is_none_or(|hops| hops.parse::<u32>().is_ok_and(|hops| hops <= 255));
    let vias = message.headers("via").flat_map(list);
    let routed = vias.into_iter().all(|via| via_parts(via).is_some_and(|(_, parameters)| !has_gap(parameters)));
    let addressed = ["from", "to", "contact"].iter().all(|name| message.headers(name).flat_map(list).all(is_address));
    // Before RFC 3261 there were no tags, nor branches with a cookie.
    let tagged = message.tag("from").is_some() || !message.branch().is_some_and(|branch| branch.starts_with("z9hG4bK"));
    once && whole && numbered && hops && routed && addressed && tagged
}

fn is_address(value: &str) -> bool {
    let (uri, behind) = split_address(value);
    !uri.is_empty() && quotes_close(value) && (!value.contains('>') || !has_gap(behind))
}

/// Two semicolons with nothing between. One at the end is forgiven: some phones write it.
fn has_gap(parameters: &str) -> bool {
    let parts = parameters.split(';').count();
    parts > 2 && parameters.split(';').take(parts - 1).skip(1).any(|part| part.trim().is_empty())
}

fn quotes_close(value: &str) -> bool {
    let mut escaped = false;
    let quotes = value.chars().filter(|c| {
        let counts = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        counts
    });
    quotes.count() % 2 == 0
}
