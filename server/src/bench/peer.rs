//! Other servers, to measure in the same run on the same machine. They are installed by whoever wants to compare, never by us.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::{
    Codec, Kept, another_on_first_core,
    calls::{DESCRIPTORS, RTP_PORTS, START, Usage, free, usage},
};

/// A server to compare with.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Peer {
    /// Janus' AudioBridge with participants of plain RTP (Debian: janus).
    Janus,
}

/// Answers to a request are one or two; what else happens in a room is read with them.
const EVENTS_AT_ONCE: usize = 500;
/// Janus answers a request for events with nothing after thirty seconds.
const ANSWER: Duration = Duration::from_secs(40);

/// Janus on the first core, with one room a meeting, known by its place from one on; it mixes at the rate of the codec.
pub(super) struct Janus {
    child: Kept,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    address: SocketAddr,
    codec: &'static str,
    payload_type: u8,
    session: u64,
}

impl Janus {
    pub(super) fn start(folder: &Path, codec: Codec, rooms: usize) -> anyhow::Result<Self> {
        let (codec, payload_type, rate) = match codec {
            Codec::Pcmu => ("pcmu", 0, 8_000),
            Codec::Pcma => ("pcma", 8, 8_000),
            Codec::Opus => ("opus", 96, 48_000),
            Codec::G722 => bail!("Janus mixes no G.722"),
        };
        let address = free()?;
        let folder = folder.join("janus");
        configure(&folder, address, rate, rooms)?;
        let mut command = another_on_first_core(DESCRIPTORS, "janus");
        command.arg("--configs-folder").arg(&folder).arg("--config").arg(folder.join("janus.jcfg"));
        let child = Kept::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        // As everywhere, whoever comes first decides; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::builder().timeout(ANSWER).no_proxy().build()?;
        let mut janus = Self { child, runtime, client, address, codec, payload_type, session: 0 };
        janus.session = janus.begin()?;
        Ok(janus)
    }

    /// Once it listens.
    fn begin(&mut self) -> anyhow::Result<u64> {
        let deadline = Instant::now() + START;
        loop {
            match self.ask("", &json!({ "janus": "create", "transaction": "create" })) {
                Ok(created) => return created["data"]["id"].as_u64().context("Janus names no session"),
                Err(error) => {
                    if let Some(status) = self.child.0.try_wait()? {
                        bail!("Janus ended at once with {status}; is it installed (Debian: janus)?");
                    }
                    if Instant::now() > deadline {
                        return Err(error.context("Janus does not begin"));
                    }
                }
            }
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn usage(&self) -> Usage {
        usage(self.child.0.id())
    }

    /// A new participant, whose sound comes from `media`; its own is sent to what this returns.
    pub(super) fn seat(&self, room: &str, media: SocketAddr) -> anyhow::Result<SocketAddr> {
        let plugin = "janus.plugin.audiobridge";
        let session = format!("/{}", self.session);
        let attached = self.ask(&session, &json!({ "janus": "attach", "plugin": plugin, "transaction": "attach" }))?;
        let handle = attached["data"]["id"].as_u64().context("Janus names no handle")?;
        let join = json!({
            "request": "join",
            "room": room.parse::<u64>()?,
            "codec": self.codec,
            "rtp": { "ip": media.ip(), "port": media.port(), "payload_type": self.payload_type },
        });
        let message = json!({ "janus": "message", "transaction": "join", "body": join });
        self.ask(&format!("{session}/{handle}"), &message)?;
        loop {
            let events = self.get(&format!("{session}?maxev={EVENTS_AT_ONCE}"))?;
            let mut events = events.as_array().context("Janus tells no events")?.iter();
            if let Some(told) = events.find(|event| event["sender"] == handle && event["transaction"] == "join") {
                let data = &told["plugindata"]["data"];
                let (ip, port) = (&data["rtp"]["ip"], &data["rtp"]["port"]);
                let ip: Option<IpAddr> = ip.as_str().and_then(|ip| ip.parse().ok());
                let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
                return ip.zip(port).map(SocketAddr::from).with_context(|| format!("it answers {data}"));
            }
        }
    }

    fn ask(&self, path: &str, request: &Value) -> anyhow::Result<Value> {
        self.answered(self.client.post(self.url(path)).json(request))
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answered(self.client.get(self.url(path)))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/janus{path}", self.address)
    }

    fn answered(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        Ok(self.runtime.block_on(async { request.send().await?.json().await })?)
    }
}

/// Nothing but rooms, on the loopback.
fn configure(folder: &Path, address: SocketAddr, rate: u32, rooms: usize) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let ports = format!("{}-{}", RTP_PORTS.start(), RTP_PORTS.end());
    let libraries =
        |names: &str| names.split(' ').map(|name| format!("libjanus_{name}.so")).collect::<Vec<_>>().join(",");
    let plugins =
        libraries("duktape echotest lua nosip recordplay sip streaming textroom videocall videoroom voicemail");
    let transports = libraries("mqtt nanomsg pfunix rabbitmq websockets");
    let general = format!(
        "general: {{ debug_level = 2  session_timeout = 0 }}\n\
         media: {{ ipv6 = false  rtp_port_range = \"{ports}\" }}\n\
         nat: {{ ice_lite = true }}\n\
         plugins: {{ disable = \"{plugins}\" }}\n\
         transports: {{ disable = \"{transports}\" }}\n\
         events: {{ broadcast = false }}\n"
    );
    let http = format!(
        "general: {{ json = \"compact\"  base_path = \"/janus\"  http = true  ip = \"{}\"  port = {}  https = false }}\n\
         admin: {{ admin_http = false }}\n",
        address.ip(),
        address.port()
    );
    let mut bridge = format!(
        "general: {{ local_ip = \"{}\"  rtp_port_range = \"{ports}\"  events = false }}\n",
        Ipv4Addr::LOCALHOST
    );
    for room in 1..=rooms {
        bridge += &format!(
            "room-{room}: {{ sampling_rate = {rate}  allow_rtp_participants = true  audiolevel_event = false }}\n"
        );
    }
    for (name, text) in
        [("janus.jcfg", general), ("janus.transport.http.jcfg", http), ("janus.plugin.audiobridge.jcfg", bridge)]
    {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
