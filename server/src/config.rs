//! The configuration: `huitong.toml`, overridden by `HUITONG_SECTION__KEY` variables. Every key is listed in
//! `docs/reference/config.md`; unknown ones are refused with file and line.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use conference::CallingPolicy;
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use gateway::{BadNetwork, Connections, Limits, Network};
use serde::Deserialize;
use sipconf::{Account, Announce, Barred, DialPlan, KeyMap, Numbers, Price, Trunk};
use streaming::{CaptionsConfig, StorageConfig};

/// Everything an operator can set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) web: Web,
    pub(crate) tls: Tls,
    pub(crate) sip: Sip,
    pub(crate) media: Media,
    /// For browsers whose firewall lets nothing else through.
    pub(crate) turn: Option<Turn>,
    pub(crate) data: Data,
    pub(crate) metrics: Metrics,
    pub(crate) studio: Studio,
    pub(crate) recording: Recording,
    pub(crate) livestream: Livestream,
    /// Who writes down what is said in livestreams; nobody where not set.
    pub(crate) captions: Option<Captions>,
    /// S3-compatible storage; everything stays on the disk where not set.
    pub(crate) storage: Option<StorageConfig>,
    pub(crate) push: Push,
    pub(crate) mail: Mail,
    pub(crate) sms: Sms,
    pub(crate) webhooks: Webhooks,
    /// Single sign-on; off where not set.
    pub(crate) sign_on: Option<SignOn>,
    /// Telephone numbers that lead here, as people are told them; where there are none, those of `sip.numbers`.
    pub(crate) phones: Vec<Phone>,
    /// Whom people turn to.
    pub(crate) support: Support,
    pub(crate) log: Log,
}

/// Customer service, on the pages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Support {
    /// A page, or `mailto:`.
    pub(crate) url: Option<Link>,
    /// A telephone number.
    pub(crate) hotline: Option<String>,
}

/// Where a page comes from (RFC 6454), as browsers write it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Origin(pub(crate) String);

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        let is_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
        let is_good = !host.is_empty() && host.chars().all(is_host);
        if is_good {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no origin; write https://host or https://host:port"))
        }
    }
}

/// Where a click may lead.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Link(pub(crate) String);

impl TryFrom<String> for Link {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let leads = ["https://", "http://", "mailto:"].iter().any(|scheme| text.starts_with(scheme));
        if leads { Ok(Self(text)) } else { Err(format!("{text:?} is no link: https://, http:// or mailto:")) }
    }
}

/// A TURN server beside this one.
#[derive(Clone, Deserialize)]
#[serde(try_from = "WrittenTurn")]
pub(crate) struct Turn {
    pub(crate) urls: Vec<String>,
    /// Shared with it: coturn's `static-auth-secret`.
    pub(crate) secret: String,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("urls", &self.urls).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTurn {
    urls: Vec<String>,
    secret: String,
}

impl TryFrom<WrittenTurn> for Turn {
    type Error = String;

    fn try_from(WrittenTurn { urls, secret }: WrittenTurn) -> Result<Self, String> {
        if let Some(url) = urls.iter().find(|url| !url.starts_with("turn:") && !url.starts_with("turns:")) {
            return Err(format!("{url:?} is no TURN server: write turn:host:port or turns:host:port"));
        }
        if urls.is_empty() || secret.is_empty() {
            return Err("turn needs urls and secret".to_owned());
        }
        Ok(Self { urls, secret })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    /// `smtp://host:port`, `smtp://user:password@host:587?tls=required` or `smtps://user:password@host`; where not
    /// set, nobody is invited by mail and reminders wait.
    pub(crate) smtp: Option<String>,
    /// The sender, as `Name <address>`.
    pub(crate) from: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sms {
    /// Short messages are posted there; where not set there are none.
    pub(crate) url: Option<String>,
    /// What is posted, with `{to}`, `{text}` and `{code}`.
    pub(crate) body: Option<String>,
    /// The body is an HTML form, not JSON.
    pub(crate) form: bool,
    /// The `Authorization` field.
    pub(crate) authorization: Option<String>,
}

/// A recogniser of speech.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, try_from = "WrittenCaptions")]
pub(crate) struct Captions(pub(crate) CaptionsConfig);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCaptions {
    url: String,
    language: String,
    authorization: Option<String>,
}

impl TryFrom<WrittenCaptions> for Captions {
    type Error = String;

    fn try_from(WrittenCaptions { url, language, authorization }: WrittenCaptions) -> Result<Self, String> {
        if !url.starts_with("ws://") && !url.starts_with("wss://") {
            return Err("captions.url begins with ws:// or wss://".to_owned());
        }
        let is_tag = language
            .split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !is_tag {
            return Err(format!("{language:?} is no language: captions.language is zh-CN, en-US, …"));
        }
        Ok(Self(CaptionsConfig { url, language, authorization }))
    }
}

impl std::fmt::Debug for Captions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Livestreams sent to other servers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Push {
    /// To private addresses too.
    pub(crate) private: bool,
    /// Authorities whose certificates are believed too, beside the system's (PEM).
    pub(crate) authority: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Webhooks {
    /// Private addresses and plain HTTP are allowed.
    pub(crate) private: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOn {
    /// The OpenID provider's issuer identifier.
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// PKCE alone where not set.
    pub(crate) client_secret: Option<String>,
    /// On the button.
    #[serde(default = "SignOn::label")]
    pub(crate) label: String,
    /// Name of the site new people get an account on; none is made where not set.
    pub(crate) site: Option<String>,
    /// The provider's login names are this server's.
    #[serde(default)]
    pub(crate) trust_names: bool,
}

impl SignOn {
    fn label() -> String {
        "企业账号登录 · Company login".to_owned()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phone {
    /// As people read it, for example 北京.
    pub(crate) name: String,
    /// As people dial it.
    pub(crate) number: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Web {
    /// Plain HTTP: for localhost, where browsers trust it, and behind a reverse proxy.
    pub(crate) http: SocketAddr,
    /// HTTPS with the certificate of `tls`.
    pub(crate) https: Option<SocketAddr>,
    /// RTMP, for encoders that know no WHIP; none come so where it is empty.
    pub(crate) rtmp: Vec<SocketAddr>,
    /// How people reach the web pages, for links; made from the address and port where not set.
    pub(crate) public_url: Option<String>,
    /// Whose pages may show meetings in a frame and use the API.
    pub(crate) origins: Vec<Origin>,
    /// Who may join a second from one network, with a minute's worth at once; 0 is everybody.
    pub(crate) joins_per_second: u32,
}

/// What is shown at the TLS ports of web and SIP; a certificate the server makes for itself where not set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, try_from = "WrittenTls")]
pub(crate) struct Tls {
    files: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// The chain and its key.
    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        self.files.as_ref().map(|(chain, key)| (chain.as_path(), key.as_path()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TryFrom<WrittenTls> for Tls {
    type Error = String;

    fn try_from(written: WrittenTls) -> Result<Self, String> {
        match (written.certificate, written.key) {
            (None, None) => Ok(Self::default()),
            (Some(certificate), Some(key)) => Ok(Self { files: Some((certificate, key)) }),
            _ => Err("a certificate needs its key, and a key its certificate".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sip {
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) tls: Vec<SocketAddr>,
    /// Who connects by TLS has a certificate by one of the authorities in this file (PEM); anybody may where it is not set.
    pub(crate) tls_authority: Option<PathBuf>,
    /// The host part of this server's SIP addresses; its IP address where not set.
    pub(crate) domain: Option<String>,
    /// What callers hear of others' coming and going.
    pub(crate) announce: Announce,
    /// The numbers callers dial, and the language and meeting each leads to.
    pub(crate) numbers: Numbers,
    /// The carriers telephones are called by.
    pub(crate) trunks: Vec<Trunk>,
    /// The company's own telephones.
    pub(crate) accounts: Vec<Account>,
    /// They are offered SHA-256 beside MD5.
    pub(crate) sha256: bool,
    /// The calling code of numbers that are written without one.
    pub(crate) country: Option<String>,
    /// The keys of the meeting.
    pub(crate) keypad: KeyMap,
    /// What minutes cost.
    pub(crate) prices: Vec<Price>,
    /// Numbers that are dialled by a prefix of their own alone.
    pub(crate) barred: Barred,
    /// What sites may spend on calls where the operator has set nothing else.
    pub(crate) calling: Calling,
    /// What is signalled in calls is kept so long; 0 keeps nothing.
    pub(crate) ladder_days: u32,
    /// Megabytes for all of it.
    pub(crate) ladder_mb: u64,
    /// Calls at once.
    pub(crate) calls_max: Within<16, 100_000>,
    /// Connections at once, those we open included.
    pub(crate) connections_max: Within<64, 16_384>,
    /// Of one host that is not trusted.
    pub(crate) connections_of_host_max: Within<1, 16_384>,
    /// What a host that is not trusted may ask; 0 is as much as it likes.
    pub(crate) requests_per_second: u32,
    /// Addresses and networks that may ask as much as they like: a PBX, a proxy. Carriers in `trunks` may anyway.
    pub(crate) trusted: Vec<TrustedNetwork>,
    /// Whether anybody may call: without it only carriers in `trunks`, those in `trusted` and from where a telephone of the house is
    /// registered.
    pub(crate) strangers: bool,
    /// What scanners call themselves, who are not answered.
    pub(crate) scanners: Vec<String>,
    /// Who is asked where carriers' servers are; the system's own where there is none.
    pub(crate) name_servers: Vec<SocketAddr>,
    /// Kilobits a second of a room system's pictures; 0 takes none.
    pub(crate) video_kbit: Within<0, 20_000>,
}

/// An address or a network.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct TrustedNetwork(Network);

impl TryFrom<String> for TrustedNetwork {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Self, BadNetwork> {
        text.parse().map(Self)
    }
}

impl Sip {
    pub(crate) fn limits(&self) -> Limits {
        let trusted = self.trusted.iter().map(|network| network.0).collect();
        Limits {
            calls_max: self.calls_max.0,
            requests_per_second: self.requests_per_second,
            trusted,
            no_strangers: !self.strangers,
            scanners: self.scanners.clone(),
        }
    }

    pub(crate) fn connections(&self) -> Connections {
        Connections { max: self.connections_max.0, of_host_max: self.connections_of_host_max.0 }
    }

    pub(crate) fn dial_plan(&self) -> DialPlan {
        let plan = DialPlan::new(self.trunks.clone(), self.country.clone());
        plan.priced(self.prices.clone()).barring(self.barred.clone())
    }
}

/// As of [`CallingPolicy`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Calling {
    calls_max: u32,
    minutes_per_day: u32,
    /// In the currency of the prices.
    budget_per_day: Option<f64>,
    same_number_per_hour: u32,
}

impl Default for Calling {
    fn default() -> Self {
        let CallingPolicy { calls_max, minutes_per_day, same_number_per_hour, .. } = CallingPolicy::default();
        Self { calls_max, minutes_per_day, budget_per_day: None, same_number_per_hour }
    }
}

impl Calling {
    pub(crate) fn policy(&self) -> CallingPolicy {
        CallingPolicy {
            calls_max: self.calls_max,
            minutes_per_day: self.minutes_per_day,
            budget_per_day: self.budget_per_day.map(|budget| (budget * 1_000.0).round() as i64),
            same_number_per_hour: self.same_number_per_hour,
            ..CallingPolicy::default()
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Media {
    /// Media threads; 0 is one per core, less one where there are more than two.
    pub(crate) workers: usize,
    /// First and last UDP port of phone legs, for example "20000-29999".
    pub(crate) rtp_ports: PortRange,
    /// Noise is taken out of telephones' sound where a line is noisy.
    pub(crate) denoise: bool,
    /// Music, ringing and fax from a telephone are not mixed until a host wants them.
    pub(crate) mute_music: bool,
    /// What a telephone gives back of what it is sent is not mixed.
    pub(crate) echo_guard: bool,
    /// Voices that a browser is sent at once.
    pub(crate) loudest: Loudest,
    /// Address and port of the first worker's WebRTC socket; the next worker has the next port.
    pub(crate) webrtc: SocketAddr,
    /// The addresses others reach this machine at; found out where empty.
    pub(crate) announced: Vec<IpAddr>,
    /// A STUN server (`host:port`) that is asked for the public address, where none is set.
    pub(crate) stun: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Data {
    /// Where the database and the certificate are kept.
    pub(crate) dir: PathBuf,
    /// The database; SQLite in `dir` where not set.
    pub(crate) url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// Health and Prometheus metrics, for this machine alone by default.
    pub(crate) bind: SocketAddr,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Studio {
    /// The program that composes livestreams; `huitong-studio` beside this program where not set.
    pub(crate) program: Option<PathBuf>,
    /// The font of the names; one of the system's where not set.
    pub(crate) font: Option<PathBuf>,
    /// PNG or JPEG: in the corner of livestreams, behind their tiles, and while nobody is there.
    pub(crate) logo: Option<PathBuf>,
    pub(crate) background: Option<PathBuf>,
    pub(crate) poster: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Livestream {
    /// How many minutes viewers may go back; what is older than half a minute is on the disk.
    pub(crate) window_minutes: u64,
    /// Where it is there, emptied at the start; `live` in the data directory where not set.
    pub(crate) dir: Option<PathBuf>,
    /// A picture of 1080 lines where the machine has time for it.
    pub(crate) full_hd: bool,
    /// Cores all livestreams may count on; 0 is all of the machine's.
    pub(crate) cores: usize,
    /// What codes the pictures; the best that works where not set.
    pub(crate) encoder: Option<String>,
}

impl Default for Livestream {
    fn default() -> Self {
        Self { window_minutes: 30, dir: None, full_hd: true, cores: 0, encoder: None }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Recording {
    /// Where recordings are kept; `recordings` in the data directory where not set.
    pub(crate) dir: Option<PathBuf>,
    /// Older recordings are removed; 0 keeps them for ever.
    pub(crate) keep_days: u32,
    /// Gigabytes for all recordings together: the oldest give way.
    pub(crate) quota_gb: u64,
    /// Each voice is kept as a file of its own as well.
    pub(crate) tracks: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// As of `tracing_subscriber::EnvFilter`.
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// First and last port.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PortRange(pub(crate) RangeInclusive<u16>);

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (first, last) = text.split_once('-')?;
            let range = first.trim().parse::<u16>().ok()?..=last.trim().parse::<u16>().ok()?;
            (*range.start() > 0 && range.end().checked_sub(*range.start())? >= 3).then_some(Self(range))
        };
        parse().ok_or_else(|| format!("{text:?} is no range of ports: write first-last, at least four of them"))
    }
}

/// How many at once; browsers of ours have room for six.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub(crate) struct Loudest(pub(crate) usize);

/// A number of a range.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "usize")]
pub(crate) struct Within<const LEAST: usize, const MOST: usize>(pub(crate) usize);

impl<const LEAST: usize, const MOST: usize> TryFrom<usize> for Within<LEAST, MOST> {
    type Error = String;

    fn try_from(number: usize) -> Result<Self, String> {
        let is_fit = (LEAST..=MOST).contains(&number);
        is_fit.then_some(Self(number)).ok_or_else(|| format!("{number} is not from {LEAST} to {MOST}"))
    }
}

impl TryFrom<usize> for Loudest {
    type Error = String;

    fn try_from(voices: usize) -> Result<Self, String> {
        let is_fit = (1..=6).contains(&voices);
        is_fit.then_some(Self(voices)).ok_or_else(|| format!("{voices} voices at once: from 1 to 6 can be forwarded"))
    }
}

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl Default for Mail {
    fn default() -> Self {
        Self { smtp: None, from: "Huitong <huitong@localhost>".to_owned() }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            http: SocketAddr::new(ANY, 8080),
            https: Some(SocketAddr::new(ANY, 8443)),
            rtmp: vec![SocketAddr::new(ANY, 1935)],
            public_url: None,
            origins: Vec::new(),
            joins_per_second: 20,
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        let address = SocketAddr::new(ANY, 5060);
        Self {
            udp: vec![address],
            tcp: vec![address],
            tls: vec![SocketAddr::new(ANY, 5061)],
            tls_authority: None,
            domain: None,
            announce: Announce::default(),
            numbers: Numbers::default(),
            trunks: Vec::new(),
            accounts: Vec::new(),
            sha256: false,
            country: None,
            keypad: KeyMap::default(),
            prices: Vec::new(),
            barred: Barred::default(),
            calling: Calling::default(),
            ladder_days: 7,
            ladder_mb: 1_000,
            calls_max: Within(Limits::CALLS_MAX),
            connections_max: Within(Connections::default().max),
            connections_of_host_max: Within(Connections::default().of_host_max),
            requests_per_second: 20,
            trusted: Vec::new(),
            strangers: true,
            scanners: Limits::SCANNERS.map(str::to_owned).to_vec(),
            name_servers: Vec::new(),
            video_kbit: Within(2_000),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            workers: 0,
            rtp_ports: PortRange(20_000..=29_999),
            denoise: true,
            mute_music: true,
            echo_guard: false,
            loudest: Loudest(plane::LOUDEST),
            webrtc: SocketAddr::new(ANY, 7000),
            announced: Vec::new(),
            stun: None,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("data"), url: None }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090) }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self { dir: None, keep_days: 0, quota_gb: 100, tracks: false }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Config {
    /// Reads `file`, or `huitong.toml` in the working directory where that exists, then the environment.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let path = file.unwrap_or_else(|| Path::new("huitong.toml"));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::from_text(path, &text)
    }

    fn from_text(path: &Path, text: &str) -> anyhow::Result<Self> {
        // Alone first: this parser's errors name line and column, those of the merged whole only the key.
        if let Err(error) = toml::from_str::<Self>(text) {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            bail!("{}:{line}: {}", path.display(), error.message());
        }
        let environment = Env::prefixed("HUITONG_").filter(|key| key.as_str().contains("__")).split("__");
        let config: Self = Figment::from(Toml::string(text))
            .merge(environment)
            .extract()
            .map_err(|error| anyhow::anyhow!("{} and the HUITONG_ environment: {error}", path.display()))?;
        Ok(config)
    }

    /// The addresses others are told to send to, the best first.
    pub(crate) fn announced(&self) -> Vec<IpAddr> {
        if !self.media.announced.is_empty() {
            return self.media.announced.clone();
        }
        let bound = self.media.webrtc.ip();
        if !bound.is_unspecified() {
            return vec![bound];
        }
        let mut found: Vec<IpAddr> =
            [outgoing_address("192.0.2.1:9"), outgoing_address("[2001:db8::1]:9")].into_iter().flatten().collect();
        // For a browser on this very machine while it has no network.
        found.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        if let Some(server) = &self.media.stun {
            match gateway::mapped_address(server) {
                Ok(public) => {
                    found.retain(|address| *address != public);
                    found.insert(0, public);
                }
                Err(error) => tracing::error!(server, %error, "the public address can't be found out"),
            }
        }
        found
    }

    pub(crate) fn media_workers(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        match self.media.workers {
            0 if cores > 2 => cores - 1,
            0 => cores,
            workers => workers,
        }
    }
}

/// The local address the system would send from; connecting a UDP socket asks the routing table and sends nothing.
fn outgoing_address(towards: &str) -> Option<IpAddr> {
    let bind: SocketAddr = if towards.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }.parse().ok()?;
    let socket = UdpSocket::bind(bind).ok()?;
    socket.connect(towards).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::from_text(Path::new("huitong.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_and_line() {
        let message = refused("[web]\nhttp = \"127.0.0.1:80\"\nhttpp = 1\n");
        assert!(message.starts_with("huitong.toml:3:"), "{message}");
        assert!(message.contains("httpp"), "{message}");
        assert!(refused("\n[webb]\n").starts_with("huitong.toml:2:"));
    }

    #[test]
    fn a_bad_value_is_refused_with_file_and_line() {
        let message = refused("[media]\nrtp_ports = \"20000\"\n");
        assert!(message.starts_with("huitong.toml:2:") && message.contains("first-last"), "{message}");
        for loudest in [0, 7] {
            let message = refused(&format!("[media]\nloudest = {loudest}\n"));
            assert!(message.starts_with("huitong.toml:2:") && message.contains("from 1 to 6"), "{message}");
        }
        for (key, number, range) in [
            ("calls_max", 15, "from 16 to 100000"),
            ("connections_max", 20_000, "from 64 to 16384"),
            ("connections_of_host_max", 0, "from 1 to 16384"),
        ] {
            let message = refused(&format!("[sip]\n{key} = {number}\n"));
            assert!(message.starts_with("huitong.toml:2:") && message.contains(range), "{message}");
        }
    }

    #[test]
    fn help_is_behind_a_link() {
        let message = refused("[support]\nurl = \"javascript:alert(1)\"\n");
        assert!(message.starts_with("huitong.toml:2:") && message.contains("is no link"), "{message}");
    }

    #[test]
    fn a_turn_server_is_one() {
        let message = refused("[turn]\nurls = [\"http://t\"]\nsecret = \"s\"\n");
        assert!(message.starts_with("huitong.toml:1:") && message.contains("no TURN server"), "{message}");
        assert!(refused("[turn]\nurls = []\nsecret = \"s\"\n").contains("needs urls"));
        let config = Config::from_text(Path::new("f"), "[turn]\nurls = [\"turn:t:3478\"]\nsecret = \"s\"\n").unwrap();
        assert!(!format!("{config:?}").contains("\"s\""));
    }

    // product: P4, P7
    #[test]
    fn the_dial_plan_is_checked_with_file_and_line() {
        let message = refused("[web]\n[[sip.numbers]]\nnumber = \"5000\"\nlanguage = \"xx\"\n");
        assert!(message.starts_with("huitong.toml:2:") && message.contains("no language"), "{message}");
        let message = refused("[sip.keypad]\nmute = \"66\"\n");
        assert!(message.starts_with("huitong.toml:1:") && message.contains("66"), "{message}");
        let good = "[[sip.numbers]]\nnumber = \"5000\"\nlanguage = \"en-US\"\n[sip.keypad]\nmute = \"#4\"\n";
        let config = Config::from_text(Path::new("huitong.toml"), good).unwrap();
        assert_eq!(config.sip.numbers.route("5000").language, Some(sipconf::Language::EnUs));
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let config = Config::from_text(Path::new("huitong.toml"), "[media]\nrtp_ports = \"30000-30099\"\n").unwrap();
        assert_eq!(config.media.rtp_ports, PortRange(30_000..=30_099));
        assert_eq!(config.web.http.port(), 8080);
        assert_eq!(config.sip.udp[0].port(), 5060);
        assert_eq!(config.sip.limits().calls_max, 4_000);
        let large = "[sip]\ncalls_max = 20000\nconnections_max = 8000\nconnections_of_host_max = 1000\n";
        let sip = Config::from_text(Path::new("huitong.toml"), large).unwrap().sip;
        let Connections { max, of_host_max } = sip.connections();
        assert_eq!((sip.limits().calls_max, max, of_host_max), (20_000, 8_000, 1_000));
    }
}
