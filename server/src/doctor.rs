//! `huitong doctor`: looks at a running server as those outside meet it, and says in words what is wrong.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use sipconf::Trunk;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::config::Config;

/// How long anything on this machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the studio may: where GStreamer has not been used yet, it looks at all its plugins first.
const STUDIO_PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let mut doctor = Doctor::default();
        doctor.examine(&config).await;
        match doctor.faults {
            0 => Ok(()),
            faults => bail!("{faults} of what was looked at is not well"),
        }
    })
}

#[derive(Default)]
struct Doctor {
    faults: usize,
}

impl Doctor {
    async fn examine(&mut self, config: &Config) {
        self.say("configuration", Ok("good".to_owned()));
        self.say("web", web(here(config.web.http)).await);
        for address in &config.sip.tcp {
            self.say("sip tcp", listens(here(*address)).await);
        }
        for address in &config.sip.tls {
            self.say("sip tls", listens(here(*address)).await);
        }
        self.say("webrtc", taken(config.media.webrtc));
        let told = config.announced();
        for address in &told {
            self.say("announced", announced(*address));
        }
        if config.storage.is_some() {
            self.say("storage", storage(config).await);
        }
        if let Some(captions) = &config.captions {
            // As the server has it.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let said = captions.0.probe().await.map(|()| "the recogniser takes calls".to_owned());
            self.say("captions", said.map_err(|error| error.to_string()));
        }
        self.say("studio", decoders(config).await);
        let metrics = get(here(config.metrics.bind), "/metrics").await;
        self.say("metrics", metrics.as_ref().map(|_| "can be read".to_owned()).map_err(Clone::clone));
        for trunk in &config.sip.trunks {
            let up = metrics.as_ref().ok().and_then(|page| is_up(page, &trunk.name));
            self.say("trunk", carrier(trunk, up, &told, &config.sip.name_servers).await);
        }
        for address in &config.sip.udp {
            let called = gateway::test_call(here(*address)).await;
            let told = |call: gateway::TestCall| {
                let gateway::TestCall { answered_ms, heard_ms } = call;
                format!(
                    "good: answered after {answered_ms} ms, greeted {heard_ms} ms later, keys and voice get through"
                )
            };
            self.say("test call", called.map(told).map_err(|error| error.to_string()));
        }
    }

    #[expect(clippy::print_stdout, reason = "this command speaks to the person who gave it")]
    fn say(&mut self, what: &str, found: Result<String, String>) {
        match found {
            Ok(words) => println!("{what:14} {words}"),
            Err(words) => {
                self.faults += 1;
                println!("{what:14} NOT WELL: {words}");
            }
        }
    }
}

/// Whether the studio starts, and has something for each codec that browsers send.
async fn decoders(config: &Config) -> Result<String, String> {
    let program = config.studio_program().map_err(|error| error.to_string())?;
    let mut asking = tokio::process::Command::new(&program);
    asking.arg("--missing-decoders").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let said = match timeout(STUDIO_PATIENCE, asking.output()).await {
        Ok(Ok(said)) if said.status.success() => String::from_utf8_lossy(&said.stdout).trim().replace('\n', ", "),
        Ok(Ok(said)) => return Err(format!("{} ends with {}", program.display(), said.status)),
        Ok(Err(error)) => return Err(format!("{}: {error}", program.display())),
        Err(_) => return Err(format!("{} doesn't answer", program.display())),
    };
    if said.is_empty() {
        return Ok("all that browsers send is shown in livestreams".to_owned());
    }
    Err(format!(
        "no decoder of {said}: who sends that is an avatar in livestreams and recordings; GStreamer lacks plugins"
    ))
}

/// Where a socket bound to all addresses is reached from this machine.
fn here(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    }
}

async fn listens(address: SocketAddr) -> Result<String, String> {
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(format!("listens at {address}")),
        Ok(Err(error)) => Err(format!("{address}: {error}; is the server running?")),
        Err(_) => Err(format!("{address} doesn't answer: a firewall drops what goes there")),
    }
}

/// The body of a page.
async fn get(address: SocketAddr, path: &str) -> Result<String, String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
        let mut text = String::new();
        stream.take(1 << 20).read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    match timeout(PATIENCE, asked).await {
        Ok(Ok(text)) if text.starts_with("HTTP/1.0 200") || text.starts_with("HTTP/1.1 200") => Ok(text),
        Ok(Ok(text)) => Err(format!("{address} says {}", text.lines().next().unwrap_or("nothing"))),
        Ok(Err(error)) => Err(format!("{address}: {error}; is the server running?")),
        Err(_) => Err(format!("{address} doesn't answer")),
    }
}

async fn web(address: SocketAddr) -> Result<String, String> {
    get(address, "/readyz").await.map(|_| format!("ready at {address}"))
}

/// A UDP port that somebody has, as it should be.
fn taken(address: SocketAddr) -> Result<String, String> {
    let port = address.port();
    match (UdpSocket::bind(address).is_ok(), TcpListener::bind(address).is_ok()) {
        (true, _) => Err(format!("nobody has UDP port {port}: the server doesn't run, or on another one")),
        (_, true) => Err(format!("nobody has TCP port {port}: browsers without UDP don't get in")),
        (false, false) => Ok(format!("UDP and TCP port {port} are taken, by the server where it runs")),
    }
}

/// Whether others reach us there.
fn announced(address: IpAddr) -> Result<String, String> {
    if address.is_unspecified() || address.is_multicast() {
        return Err(format!("{address} is nobody's address: set media.announced"));
    }
    // An address of our own can be bound.
    let is_ours = UdpSocket::bind((address, 0)).is_ok();
    Ok(match (is_ours, address.is_loopback(), is_private(address)) {
        (_, true, _) => format!("{address}: for programs on this machine alone"),
        (true, _, true) => format!("{address}: private; people outside need media.announced and forwarded ports"),
        (true, _, false) => format!("{address}: of this machine"),
        (false, ..) => format!("{address}: not of this machine; a NAT must forward all ports to it one to one"),
    })
}

/// Whether it takes what recordings ask of it.
async fn storage(config: &Config) -> Result<String, String> {
    // As the server has it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let storage = config.storage().map_err(|error| format!("{error:#}"))?;
    let Some(storage) = storage else { return Ok("none".to_owned()) };
    match timeout(PATIENCE * 5, storage.probe()).await {
        Ok(Ok(())) => Ok("takes, gives back and removes what it is given".to_owned()),
        Ok(Err(error)) => Err(format!("{error}; recordings stay on this machine's disk meanwhile")),
        Err(_) => Err("it doesn't answer; recordings stay on this machine's disk meanwhile".to_owned()),
    }
}

/// Whether a carrier is up, as the running server has it.
fn is_up(metrics: &str, trunk: &str) -> Option<bool> {
    let start = format!("gateway_trunk_up{{trunk=\"{trunk}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start)).map(|value| value.trim() == "1")
}

/// A carrier, by what the server says of it, and where it says nothing or no good by what it answers us.
async fn carrier(
    trunk: &Trunk,
    up: Option<bool>,
    announced: &[IpAddr],
    servers: &[SocketAddr],
) -> Result<String, String> {
    let name = &trunk.name;
    let outside = gateway::carrier_addresses(trunk, servers).await.into_iter().find(|address| is_public(*address));
    let told = |peer: &IpAddr| announced.iter().copied().find(|own| own.is_ipv4() == peer.is_ipv4());
    if let Some((peer, own)) = outside.and_then(|peer| Some((peer, told(&peer)?)))
        && !is_public(own)
    {
        return Err(format!(
            "{name} is outside, at {peer}, and is told {own} to send sound to, which is private: it would be heard by nobody. Set \
             media.announced to the public address, and have the NAT forward the ports"
        ));
    }
    if up == Some(true) {
        return Ok(format!("{name} is up"));
    }
    match (gateway::ask_carrier(trunk, servers).await, up) {
        (Ok(address), None) => {
            Ok(format!("{name} answers at {address}; whether the server is known there its metrics would say"))
        }
        (Ok(address), Some(_)) => Err(format!(
            "{name} is down for the server, and answers us at {address}: its log says with which code it was refused"
        )),
        (Err(error), _) => Err(format!("{name} is down: {error}")),
    }
}

/// Of a network that is nobody else's.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Of the internet, as far as one can see. Addresses of documentation count, unlike at [`model::is_public`]: nobody sends there for us.
fn is_public(address: IpAddr) -> bool {
    // RFC 6598: a carrier's own NAT.
    let is_shared = matches!(address, IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64);
    !(is_private(address) || address.is_loopback() || address.is_unspecified() || is_shared)
}
