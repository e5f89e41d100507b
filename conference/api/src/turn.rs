//! Credentials for a TURN server beside ours (RFC 8656), for browsers whose firewall lets nothing else through: made anew
//! for each seat out of a secret that coturn and its like share with us (their "REST API": the user name is when it
//! expires, the password its HMAC-SHA1).

use axum::http::HeaderValue;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use model::ParticipantId;
use schemars::JsonSchema;
use serde::Serialize;
use sha1::Sha1;

/// How long somebody may begin anew with what he was given: longer than a meeting lasts at most.
const VALID_S: i64 = 24 * 3600;

/// A TURN server of the operator's.
#[derive(Clone)]
pub struct TurnConfig {
    /// `turn:host:port?transport=udp`, `turns:host:port?transport=tcp` (RFC 7065).
    pub urls: Vec<String>,
    /// Shared with it.
    pub secret: String,
}

impl std::fmt::Debug for TurnConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnConfig").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// As `RTCConfiguration.iceServers` has it.
#[derive(Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct IceServer {
    urls: Vec<String>,
    username: String,
    credential: String,
}

impl IceServer {
    /// As clients without our protocol are told (RFC 9725 §4.6).
    pub(crate) fn links(&self) -> impl Iterator<Item = HeaderValue> {
        let Self { urls, username, credential } = self;
        let link = move |url| {
            format!(
                "<{url}>; rel=\"ice-server\"; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\""
            )
        };
        // An address that no field can have is told to nobody.
        urls.iter().filter_map(move |url| HeaderValue::try_from(link(url)).ok())
    }
}

impl TurnConfig {
    pub(crate) fn server_for(&self, who: ParticipantId, now: jiff::Timestamp) -> IceServer {
        let username = format!("{}:{who}", now.as_second() + VALID_S);
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).expect("an HMAC takes keys of any length");
        mac.update(username.as_bytes());
        let credential = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        IceServer { urls: self.urls.clone(), username, credential }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_hmac_of_its_time_and_owner() {
        let turn = TurnConfig { urls: vec!["turn:t".to_owned()], secret: "secret".to_owned() };
        let who = ParticipantId::from_u128(7);
        let given = turn.server_for(who, jiff::Timestamp::from_second(1_000_000).unwrap());
        assert_eq!(given.username, format!("1086400:{who}"));
        // printf %s "$username" | openssl dgst -sha1 -hmac secret -binary | base64
        assert_eq!(given.credential, EXPECTED);
        let links: Vec<_> = given.links().collect();
        let link = format!(
            "<turn:t>; rel=\"ice-server\"; username=\"1086400:{who}\"; credential=\"{EXPECTED}\"; credential-type=\"password\""
        );
        assert_eq!(links, [link.as_str()]);
        assert!(!format!("{turn:?}").contains("secret"));
    }

    const EXPECTED: &str = "3qspYJGR3Pd4ixCORz/1ijlLqjY=";
}
