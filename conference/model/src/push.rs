//! Where a livestream is pushed to (B3).

use std::{fmt, net::SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longer addresses are nonsense; signed ones have some hundred characters.
const URL_MAX: usize = 1_000;

/// Of RTMP (Adobe, "Real-Time Messaging Protocol") where the address names no port; over TLS it is HTTPS's.
const RTMP_PORT: u16 = 1935;
const RTMPS_PORT: u16 = 443;

/// What an SRT address may say after its question mark. The others say what the sender's own socket does: with them this server
/// would open a port to whoever comes.
const SRT_PARAMETERS: [&str; 4] = ["streamid", "passphrase", "latency", "pbkeylen"];

/// Who connects, in SRT: the sender. It may be said, since it is so.
const SRT_MODE: (&str, &str) = ("mode", "caller");

/// The address of a target, with the key by which it is known there: a secret, and printed without it.
#[derive(Clone, PartialEq, Eq, JsonSchema, Deserialize)]
#[serde(transparent)]
pub struct PushUrl(String);

/// The address is none of `rtmp://`, `rtmps://` and `srt://`, says no host, or what SRT's may not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no address to push to")]
pub struct BadPushUrl;

/// An address, taken apart.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
    authority: &'a str,
    /// From the first stroke or question mark on.
    rest: &'a str,
}

impl PushUrl {
    /// For tests and for what is read elsewhere; whether it is good [`check`](Self::check) tells.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Good ones have a scheme, a host and, for SRT, a port.
    pub fn check(&self) -> Result<(), BadPushUrl> {
        self.parts().map(|_| ())
    }

    /// With its key.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Where it is connected to.
    pub fn host_and_port(&self) -> Result<(&str, u16), BadPushUrl> {
        self.parts().map(|parts| (parts.host, parts.port))
    }

    /// Whether it is RTMP over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("rtmps://")
    }

    /// Scheme, host and port as they are written, up to the stroke: how the target knows itself.
    #[must_use]
    pub fn server(&self) -> String {
        let Ok(Parts { scheme, authority, .. }) = self.parts() else { return String::new() };
        format!("{scheme}://{}/", authority.rsplit('@').next().unwrap_or_default())
    }

    /// The same with this address in place of the name, for who is to look nothing up: RTMP without TLS, which is done before
    /// it, or SRT as one who calls.
    pub fn at(&self, address: SocketAddr) -> Result<String, BadPushUrl> {
        let Parts { scheme, authority, rest, .. } = self.parts()?;
        if scheme == "srt" {
            let pairs = srt_parameters(rest).filter(|(name, _)| *name != SRT_MODE.0);
            let pairs = std::iter::once(SRT_MODE).chain(pairs);
            let query: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", value.replace('#', "%23"))).collect();
            return Ok(format!("srt://{address}?{}", query.join("&")));
        }
        let user = authority.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
        Ok(format!("rtmp://{user}{address}{rest}"))
    }

    /// As others may see it: the server, and for RTMP the application there.
    #[must_use]
    pub fn masked(&self) -> String {
        let Ok(Parts { scheme, authority, rest, .. }) = self.parts() else { return "•••".to_owned() };
        let server = authority.rsplit('@').next().unwrap_or_default();
        let path = rest.split('?').next().unwrap_or_default();
        let shown = match path.rsplit_once('/') {
            Some((application, key)) if !key.is_empty() => format!("{application}/"),
            _ => String::new(),
        };
        let hidden = if rest.len() > shown.len() { "•••" } else { "" };
        format!("{scheme}://{server}{shown}{hidden}")
    }

    fn parts(&self) -> Result<Parts<'_>, BadPushUrl> {
        let is_good = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`');
        let (scheme, rest) = self.0.split_once("://").ok_or(BadPushUrl)?;
        if self.0.len() > URL_MAX || !self.0.chars().all(is_good) {
            return Err(BadPushUrl);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let server = authority.rsplit('@').next().unwrap_or_default();
        let after_host = if server.starts_with('[') { server.find(']').map_or(0, |end| end + 1) } else { 0 };
        let (host, port) = match server[after_host..].rfind(':') {
            Some(colon) => (&server[..after_host + colon], Some(&server[after_host + colon + 1..])),
            None => (server, None),
        };
        let default = match scheme {
            "rtmp" => Some(RTMP_PORT),
            "rtmps" => Some(RTMPS_PORT),
            "srt" => None,
            _ => return Err(BadPushUrl),
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(BadPushUrl)?,
            None => default.ok_or(BadPushUrl)?,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // An RTMP server is told its application and the stream's name there.
        let has_name = scheme == "srt" || rest.trim_matches('/').contains('/');
        if host.is_empty() || host.contains([':', '%']) && !server.starts_with('[') || !has_name {
            return Err(BadPushUrl);
        }
        let is_known = |pair: (&str, &str)| pair == SRT_MODE || SRT_PARAMETERS.contains(&pair.0);
        if scheme == "srt" && !srt_parameters(rest).all(is_known) {
            return Err(BadPushUrl);
        }
        Ok(Parts { scheme, host, port, authority, rest })
    }
}

/// As they are written: a stream's id often begins with `#!::`, which ends nothing here.
fn srt_parameters(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

impl fmt::Debug for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// A target as participants see it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct PushView {
    /// Grows in this meeting.
    pub id: u32,
    /// As who added it wrote it, or the masked address.
    pub name: String,
    /// Without its key.
    pub url: String,
    /// How it does.
    pub state: PushState,
}

/// How a push does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushState {
    /// Nothing has got there yet.
    Connecting,
    /// The target takes what is sent.
    Live,
    /// It is not there, or took no more; it is tried again and again.
    Retrying,
    /// It is there, and takes no stream by this address and key; it is tried again once a minute.
    Refused,
    /// It is in the server's own network, where the operator allows none.
    NotAllowed,
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: B3
    #[test]
    fn addresses_are_shown_without_their_keys() {
        let masked = |url: &str| PushUrl::new(url).masked();
        assert_eq!(masked("rtmp://live.example.com/app/secret?auth=1"), "rtmp://live.example.com/app/•••");
        assert_eq!(masked("rtmps://me:word@[2001:db8::1]:444/a/b/secret"), "rtmps://[2001:db8::1]:444/a/b/•••");
        assert_eq!(masked("srt://203.0.113.9:9000?streamid=secret"), "srt://203.0.113.9:9000•••");
        assert_eq!(masked("srt://203.0.113.9:9000"), "srt://203.0.113.9:9000");
        assert_eq!(format!("{:?}", PushUrl::new("rtmp://h/app/secret")), "rtmp://h/app/•••");
        assert_eq!(masked("secret"), "•••");
    }

    // reliability.md A14
    #[test]
    fn who_pushes_is_given_digits_and_calls() {
        let at = |url: &str, address: &str| PushUrl::new(url).at(address.parse().unwrap()).unwrap();
        let v6 = "[2001:db8::1]:9000";
        assert_eq!(
            at("rtmp://live.example.com/app/key?a=1", "203.0.113.9:1935"),
            "rtmp://203.0.113.9:1935/app/key?a=1"
        );
        assert_eq!(at("rtmps://me:word@live.example.com:444/app/key", v6), format!("rtmp://me:word@{v6}/app/key"));
        assert_eq!(at("srt://live.example.com:9000", v6), format!("srt://{v6}?mode=caller"));
        assert_eq!(
            at("srt://h:9000?streamid=#!::r=live/key,m=publish&mode=caller&latency=200", "203.0.113.9:9000"),
            "srt://203.0.113.9:9000?mode=caller&streamid=%23!::r=live/key,m=publish&latency=200"
        );
        assert_eq!(
            PushUrl::new("rtmps://me:word@live.example.com:444/app/key").server(),
            "rtmps://live.example.com:444/"
        );
    }

    #[test]
    fn only_addresses_that_can_be_pushed_to_are_good() {
        let to = |url: &str| PushUrl::new(url).host_and_port().map(|(host, port)| (host.to_owned(), port));
        let good = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(to("rtmp://h/app/key"), good("h", 1935));
        assert_eq!(to("rtmps://h/app/key"), good("h", 443));
        assert_eq!(to("rtmp://u:p@h:1936/app/key"), good("h", 1936));
        assert_eq!(to("srt://[::1]:9000?mode=caller"), good("::1", 9000));
        for bad in [
            "",
            "h/app/key",
            "http://h/app/key",
            "file:///etc/passwd",
            "rtmp:///app/key",
            "rtmp://h",
            "rtmp://h/app",
            "rtmp://h:0/app/key",
            "rtmp://h:x/app/key",
            "srt://h",
            "rtmp://h/app/k ey",
            "rtmp://h/app/k\"ey",
            "rtmp://::1/app/key",
            "rtmp://h/app/钥匙",
            "srt://h:9?mode=listener",
            "srt://h:9?mode=rendezvous",
            "srt://h:9?mode=caller&mode=listener",
            "srt://h:9?mode",
            "srt://h:9?Mode=caller",
            "srt://h:9?m%6Fde=listener",
            "srt://h:9?localaddress=0.0.0.0",
            "srt://h:9?streamid=key&localport=7001",
            "srt://h:9/?localport=7001",
            "srt://h:9#?localport=7001",
            "srt://h:9?streamid=key#&mode=listener",
            "srt://h:9?poll-timeout=1",
        ] {
            assert_eq!(to(bad), Err(BadPushUrl), "{bad}");
        }
        assert!(PushUrl::new(format!("rtmp://h/app/{}", "k".repeat(1_000))).check().is_err());
    }
}
