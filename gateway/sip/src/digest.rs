//! Digest authentication (RFC 7616, RFC 8760; RFC 3261 §22): what a carrier asks of us, and what we ask of telephones.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use subtle::ConstantTimeEq;

use crate::message::list;

/// Longer challenges are nobody's.
const PARAMETERS_MAX: usize = 16;

/// An account at a carrier. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// In the order of preference (RFC 8760 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Sha512,
    Sha256,
    Md5,
}

impl Algorithm {
    const ALL: [(Self, &str, bool); 6] = [
        (Self::Sha512, "SHA-512-256", false),
        (Self::Sha512, "SHA-512-256-sess", true),
        (Self::Sha256, "SHA-256", false),
        (Self::Sha256, "SHA-256-sess", true),
        (Self::Md5, "MD5", false),
        (Self::Md5, "MD5-sess", true),
    ];

    fn hash(self, text: impl AsRef<[u8]>) -> String {
        match self {
            Self::Sha512 => hex::encode(Sha512_256::digest(text)),
            Self::Sha256 => hex::encode(Sha256::digest(text)),
            Self::Md5 => hex::encode(Md5::digest(text)),
        }
    }
}

/// How much is proven (RFC 7616 §3.3), in the order of preference: what protects the body breaks where somebody on the way changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Qop {
    /// `auth`: that one has the password.
    Auth,
    /// `auth-int`: that the body is as it was sent, too.
    AuthInt,
}

impl Qop {
    const ALL: [(Self, &str); 2] = [(Self::Auth, "auth"), (Self::AuthInt, "auth-int")];

    fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// What a proof is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proven<'a> {
    /// Of the request.
    pub(crate) method: &'a str,
    /// Its Request-URI.
    pub(crate) uri: &'a str,
    /// Its body, empty where it has none.
    pub(crate) body: &'a [u8],
}

/// What a server wants proven (RFC 7616 §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    algorithm: Algorithm,
    /// As it is to be repeated; none where it was not said.
    name: Option<&'static str>,
    /// The hash of the password is bound to the nonces.
    is_session: bool,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// Servers of RFC 2069 offer none.
    qop: Option<Qop>,
    /// Only the nonce was too old.
    pub(crate) is_stale: bool,
}

impl Challenge {
    /// One `WWW-Authenticate` or `Proxy-Authenticate`; none where we can't do what it wants.
    fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let parameters: Vec<(String, String)> = list(rest).take(PARAMETERS_MAX).filter_map(parameter).collect();
        let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let (algorithm, name, is_session) = match get("algorithm") {
            None => (Algorithm::Md5, None, false),
            Some(wanted) => {
                let known = Algorithm::ALL.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(&wanted))?;
                (known.0, Some(known.1), known.2)
            }
        };
        let qop = match get("qop") {
            None => None,
            Some(offered) => {
                let is_offered = |name: &str| list(&offered).any(|one| one.eq_ignore_ascii_case(name));
                Some(Qop::ALL.into_iter().find(|(_, name)| is_offered(name))?.0)
            }
        };
        Some(Self {
            algorithm,
            name,
            is_session,
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            qop,
            is_stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// The strongest of those a server offers, of this realm alone where one is named.
    pub(crate) fn best<'a>(offered: impl Iterator<Item = &'a str>, realm: Option<&str>) -> Option<Self> {
        let is_of = |challenge: &Self| realm.is_none_or(|realm| challenge.realm == realm);
        offered.filter_map(Self::parse).filter(is_of).min_by_key(|challenge| challenge.algorithm)
    }

    /// RFC 7616 §3.4.1.
    fn response(&self, credentials: &Credentials, proven: Proven<'_>, count: u32, cnonce: &str) -> String {
        let Proven { method, uri, body } = proven;
        let hash = |text: &str| self.algorithm.hash(text);
        let Self { realm, nonce, .. } = self;
        let mut a1 = hash(&format!("{}:{realm}:{}", credentials.user, credentials.password));
        if self.is_session {
            a1 = hash(&format!("{a1}:{nonce}:{cnonce}"));
        }
        let a2 = match self.qop {
            Some(Qop::AuthInt) => hash(&format!("{method}:{uri}:{}", self.algorithm.hash(body))),
            Some(Qop::Auth) | None => hash(&format!("{method}:{uri}")),
        };
        match self.qop {
            Some(qop) => hash(&format!("{a1}:{nonce}:{count:08x}:{cnonce}:{}:{a2}", qop.name())),
            None => hash(&format!("{a1}:{nonce}:{a2}")),
        }
    }

    /// The value of `Authorization` or `Proxy-Authorization` (RFC 7616 §3.4). `count` is how often this nonce has been
    /// used, this time included; `cnonce` is ours.
    pub(crate) fn answer(&self, credentials: &Credentials, proven: Proven<'_>, count: u32, cnonce: &str) -> String {
        let Self { realm, nonce, .. } = self;
        let (user, uri) = (&credentials.user, proven.uri);
        let response = self.response(credentials, proven, count, cnonce);
        let mut text = format!(
            "Digest username={}, realm={}, nonce={}, uri=\"{uri}\", response=\"{response}\"",
            quoted(user),
            quoted(realm),
            quoted(nonce)
        );
        // Writing into a String can't fail.
        if let Some(name) = self.name {
            let _ = write!(text, ", algorithm={name}");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(text, ", opaque={}", quoted(opaque));
        }
        if self.qop.is_some() || self.is_session {
            let _ = write!(text, ", cnonce=\"{cnonce}\"");
        }
        if let Some(qop) = self.qop {
            let _ = write!(text, ", qop={}, nc={count:08x}", qop.name());
        }
        text
    }
}

/// What somebody gives as proof that he has a password (RFC 7616 §3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    challenge: Challenge,
    pub(crate) user: String,
    uri: String,
    response: String,
    cnonce: String,
    /// How often he has used the nonce; 0 where he doesn't count.
    pub(crate) count: u32,
}

impl Proof {
    /// The value of `Authorization`; none where it is none, or of a kind we never asked for.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let rest = value.trim().split_once(char::is_whitespace)?.1;
        let parameters: Vec<(String, String)> = list(rest).take(PARAMETERS_MAX).filter_map(parameter).collect();
        let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        Some(Self {
            challenge: Challenge::parse(value)?,
            user: get("username")?,
            uri: get("uri")?,
            response: get("response")?.to_ascii_lowercase(),
            cnonce: get("cnonce").unwrap_or_default(),
            count: get("nc").and_then(|count| u32::from_str_radix(&count, 16).ok()).unwrap_or(0),
        })
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.challenge.nonce
    }

    /// He has this password.
    pub(crate) fn is_of(&self, credentials: &Credentials, realm: &str, method: &str) -> bool {
        let proven = Proven { method, uri: &self.uri, body: &[] };
        let right = self.challenge.response(credentials, proven, self.count, &self.cnonce);
        // As long for a wrong one as for a right one: how much of a guess is right can't be measured.
        self.challenge.realm == realm && bool::from(right.as_bytes().ct_eq(self.response.as_bytes()))
    }
}

/// What telephones are asked to prove: by the hash that all know, and by the stronger one before it (RFC 8760 §2.4).
pub(crate) fn challenges(realm: &str, nonce: &str, is_stale: bool, sha256: bool) -> String {
    let stale = if is_stale { ", stale=true" } else { "" };
    let one = |algorithm: &str| {
        let (realm, nonce) = (quoted(realm), quoted(nonce));
        format!("WWW-Authenticate: Digest realm={realm}, nonce={nonce}, qop=\"auth\", algorithm={algorithm}{stale}\r\n")
    };
    let strong = if sha256 { one("SHA-256") } else { String::new() };
    strong + &one("MD5")
}

/// `name=value` or `name="value"`, the name in lower case.
fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = value.trim();
    let value = match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inner) => unquoted(inner),
        None => value.to_owned(),
    };
    // What would break out of a header line of ours is nobody's realm.
    let is_clean = !value.chars().any(char::is_control);
    is_clean.then(|| (name.trim().to_ascii_lowercase(), value))
}

fn unquoted(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        plain.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    plain
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mufasa() -> Credentials {
        Credentials { user: "Mufasa".to_owned(), password: "Circle of Life".to_owned() }
    }

    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    const REALM: &str = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    // RFC 7616 §3.9.1
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let proven = Proven { method: "GET", uri: "/dir/index.html", body: b"" };
        let check = |algorithm: &str, response: &str| {
            let offered = format!("Digest {REALM}, algorithm={algorithm}");
            let challenge = Challenge::best(std::iter::once(offered.as_str()), None).unwrap();
            let answer = challenge.answer(&mufasa(), proven, 1, CNONCE);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
            assert!(answer.contains("qop=auth, nc=00000001") && answer.contains("opaque=\"FQhe"), "{answer}");
        };
        check("MD5", "8ca523f5e9506fed4657c9700eebdbec");
        check("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    // RFC 2617 §3.5, without qop as RFC 2069 has it: the formula of RFC 7616 §3.4.1 for old servers
    #[test]
    fn old_servers_are_answered_in_their_way() {
        let challenge = Challenge::parse("Digest realm=\"a\", nonce=\"b\"").unwrap();
        let proven = Proven { method: "REGISTER", uri: "sip:example.org", body: b"" };
        let answer = challenge.answer(&mufasa(), proven, 1, "c");
        let md5 = |text: &str| Algorithm::Md5.hash(text);
        let expected = md5(&format!("{}:b:{}", md5("Mufasa:a:Circle of Life"), md5("REGISTER:sip:example.org")));
        assert!(answer.ends_with(&format!("response=\"{expected}\"")), "{answer}");
    }

    // RFC 8760 §2.3
    #[test]
    fn the_strongest_we_know_is_taken() {
        let offered = [
            "Digest realm=\"a\", nonce=\"1\", algorithm=MD5",
            "Digest realm=\"a\", nonce=\"2\", algorithm=SHA-256, stale=TRUE",
            "Digest realm=\"a\", nonce=\"3\", algorithm=SHA-1024",
            "Basic realm=\"a\"",
        ];
        let best = Challenge::best(offered.into_iter(), None).unwrap();
        assert_eq!((best.nonce.as_str(), best.algorithm, best.is_stale), ("2", Algorithm::Sha256, true));
    }

    // RFC 7616 §3.4.3, §3.9.1 for the hash: what is alone in protecting the body does it, by each algorithm
    #[test]
    fn a_server_that_wants_the_body_protected_has_it() {
        let proven = Proven { method: "INVITE", uri: "sip:a@b", body: b"v=0\r\n" };
        let offer = |qop: &str, algorithm: &str| {
            let offered = format!("Digest realm=\"a\", nonce=\"n\", qop=\"{qop}\", algorithm={algorithm}");
            Challenge::parse(&offered).unwrap().answer(&mufasa(), proven, 2, "c")
        };
        for (algorithm, hash) in [
            ("MD5", (|text| hex::encode(Md5::digest(text))) as fn(&[u8]) -> String),
            ("SHA-256", |text| hex::encode(Sha256::digest(text))),
            ("SHA-512-256", |text| hex::encode(Sha512_256::digest(text))),
        ] {
            let of = |text: String| hash(text.as_bytes());
            let a1 = of("Mufasa:a:Circle of Life".to_owned());
            let a2 = of(format!("INVITE:sip:a@b:{}", hash(b"v=0\r\n")));
            let expected = of(format!("{a1}:n:00000002:c:auth-int:{a2}"));
            let answer = offer("auth-int", algorithm);
            assert!(answer.contains(&format!("response=\"{expected}\"")), "{answer}");
            assert!(
                answer.contains(&format!("algorithm={algorithm}, cnonce=\"c\", qop=auth-int, nc=00000002")),
                "{answer}"
            );
            assert!(
                offer("auth-int,auth", algorithm).contains("qop=auth,"),
                "where there is a choice, the body is left alone"
            );
        }
        // FIPS 180-4, the example of SHA-512/256 of "abc".
        let abc = "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23";
        assert_eq!(Algorithm::Sha512.hash("abc"), abc);
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for text in [
            "",
            "Digest",
            "Digest realm=\"a\"",
            "Digest nonce=\"a\"",
            "Digest realm=\"a\", nonce=\"b\", qop=\"auth-conf\"",
            "Digest realm=\"a\u{7}\", nonce=\"b\"",
        ] {
            assert_eq!(Challenge::parse(text), None, "{text:?}");
        }
        let odd = Challenge::parse("Digest realm=\"a \\\"b\\\"\", nonce=\"x,y\"").unwrap();
        assert_eq!((odd.realm.as_str(), odd.nonce.as_str()), ("a \"b\"", "x,y"));
    }

    // product: P12
    #[test]
    fn a_proof_is_believed_for_its_password_realm_and_method_alone() {
        let text = challenges("house", "n", false, true);
        for offered in text.lines() {
            let challenge = Challenge::parse(offered.split_once(": ").unwrap().1).unwrap();
            let proven = Proven { method: "REGISTER", uri: "sip:house", body: b"" };
            let proof = Proof::parse(&challenge.answer(&mufasa(), proven, 7, "c")).unwrap();
            assert_eq!((proof.user.as_str(), proof.nonce(), proof.count), ("Mufasa", "n", 7));
            assert!(proof.is_of(&mufasa(), "house", "REGISTER"));
            let other = Credentials { password: "other".to_owned(), ..mufasa() };
            assert!(!proof.is_of(&other, "house", "REGISTER"));
            assert!(!proof.is_of(&mufasa(), "elsewhere", "REGISTER"));
            assert!(!proof.is_of(&mufasa(), "house", "INVITE"));
            assert!(!Proof { response: String::new(), ..proof }.is_of(&mufasa(), "house", "REGISTER"));
        }
        assert_eq!(Proof::parse("Digest username=\"a\""), None);
    }
}
