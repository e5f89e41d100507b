//! `huitong bench calls`: this very program serves on one core, callers of a second process call it from the other.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    ops::RangeInclusive,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::bail;
use clap::Args;
use conference::{Conference, ConferenceConfig, NewAccount};
use gateway::{Load, LoadPhase, LoadReport};
use media::AudioCodec;
use model::{AccountRole, BookingMode, BookingRequest, CAPACITY_MAX, Options, SiteId};
use serde_json::json;
use store::{Site, Store};
use streaming::{Streaming, StreamingConfig};

use super::{
    Codec, Kept, of, on_first_core,
    peer::{Janus, Peer},
    rss_kib,
};

/// How long the server may take to begin.
pub(super) const START: Duration = Duration::from_secs(30);

/// The greeting asks for a language for five seconds, and says how many are there.
const SETTLE: Duration = Duration::from_secs(12);

/// Calls before all others, which are held for so long.
const WARM_UP: usize = 5;
/// See [`WARM_UP`].
const WARM: Duration = Duration::from_secs(2);

/// Two sockets a call, and some for the rest of the server.
pub(super) const DESCRIPTORS: &str = "16384";

/// A port rests for two seconds after its call: for 3,000 new calls a second beside those that stand.
pub(super) const RTP_PORTS: RangeInclusive<u16> = 10_000..=31_999;

/// In `/proc/PID/stat`, times are counted in hundredths of a second on every Linux (USER_HZ).
const USER_HZ: f64 = 100.0;

#[derive(Args)]
pub(crate) struct Calls {
    /// Calls at once.
    #[arg(long, default_value_t = 100)]
    callers: usize,
    /// How many of them talk at once; the others send faint noise.
    #[arg(long, default_value_t = 10)]
    talking: usize,
    /// Of all calls.
    #[arg(long, value_enum, default_value = "pcmu")]
    codec: Codec,
    /// Over which they are spread; a meeting holds 500.
    #[arg(long, default_value_t = 1)]
    meetings: usize,
    /// How long it is measured.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// New calls a second.
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// Marks by which is measured how long sound takes.
    #[arg(long, default_value_t = 40)]
    marks: usize,
    /// Another server that is measured afterwards in the same way, to compare with.
    #[arg(long, value_enum)]
    peer: Option<Peer>,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(calls: &Calls) -> anyhow::Result<()> {
    let people = calls.callers.div_ceil(calls.meetings.max(1));
    if calls.callers == 0 || calls.meetings == 0 || people > CAPACITY_MAX as usize {
        bail!("{} calls in {} meetings: a meeting holds 1 to {CAPACITY_MAX}", calls.callers, calls.meetings);
    }
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let meetings = runtime.block_on(prepare(folder.path(), calls.meetings, people))?;
    runtime.shutdown_background();
    pin_self();
    let ours = ours(calls, folder.path(), meetings.clone())?;
    println!(
        "{:#}",
        match calls.peer {
            Some(Peer::Janus) => beside(ours, janus(calls, folder.path(), meetings)?),
            None => ours,
        }
    );
    Ok(())
}

fn ours(calls: &Calls, folder: &Path, meetings: Vec<String>) -> anyhow::Result<serde_json::Value> {
    let server = Served::start(folder, "warn", &[])?;
    let load = load(calls, server.sip, meetings)?;
    // What is made once in a server's life is made before its memory is looked at.
    let first = calls.callers.min(WARM_UP);
    Load { callers: first, settle: WARM, measured: Duration::ZERO, marks: 0, ..load.clone() }.run(|_| {})?;
    let mut usage = Vec::new();
    let report = load.run(|phase| usage.push((phase, server.usage())))?;
    Ok(figures(calls, &report, &usage))
}

fn janus(calls: &Calls, folder: &Path, meetings: Vec<String>) -> anyhow::Result<serde_json::Value> {
    let server = Janus::start(folder, calls.codec, meetings.len())?;
    // Its rooms are known by their places.
    let rooms = (1..=meetings.len()).map(|room| room.to_string()).collect();
    let load = load(calls, server.address(), rooms)?;
    let mut usage = Vec::new();
    let mut seat = |room: &str, media| match server.seat(room, media) {
        Ok(remote) => Some(remote),
        Err(error) => {
            tracing::warn!("Janus seats a caller not: {error:#}");
            None
        }
    };
    let report = load.run_seated(&mut seat, |phase| usage.push((phase, server.usage())))?;
    Ok(figures(calls, &report, &usage))
}

/// The peer's figures among ours, and what ours cost for each of its.
fn beside(mut ours: serde_json::Value, peers: serde_json::Value) -> serde_json::Value {
    let cost = |figures: &serde_json::Value| figures["cpu_cores"].as_f64();
    let ratio = cost(&ours).zip(cost(&peers)).map(|(ours, peers)| ours / peers);
    ours["cpu_of_peers"] = json!(ratio);
    ours["peer"] = peers;
    ours
}

fn load(calls: &Calls, sip: SocketAddr, meetings: Vec<String>) -> anyhow::Result<Load> {
    Ok(Load {
        sip,
        meetings,
        callers: calls.callers,
        talking: calls.talking,
        speech: super::speech()?,
        codec: calls.codec.into(),
        rate: calls.rate,
        settle: SETTLE,
        measured: Duration::from_secs(calls.seconds),
        marks: calls.marks,
    })
}

fn figures(calls: &Calls, report: &LoadReport, usage: &[(LoadPhase, Usage)]) -> serde_json::Value {
    let at = |phase| usage.iter().find(|(known, _)| *known == phase).map(|(_, usage)| *usage).unwrap_or_default();
    let (before, from, to) = (at(LoadPhase::Calling), at(LoadPhase::Measuring), at(LoadPhase::Measured));
    let cores = (to.cpu_s - from.cpu_s) / calls.seconds.max(1) as f64;
    let callers = calls.callers as f64;
    let packets = &report.packets_per_second;
    json!({
        "bench": "calls",
        "callers": calls.callers,
        "talking": calls.talking,
        "codec": AudioCodec::from(calls.codec).to_string(),
        "meetings": calls.meetings,
        "seconds": calls.seconds,
        "failed": report.failed,
        "dropped": report.dropped,
        "invite_retransmissions": report.retransmissions,
        "setup_ms_p50": of(&report.setup_ms, 0.50),
        "setup_ms_p99": of(&report.setup_ms, 0.99),
        "cpu_cores": cores,
        "cpu_millicores_per_caller": 1e3 * cores / callers,
        "rss_kib_per_caller": (to.rss_kib - before.rss_kib) / callers,
        "rx_pps_mean": packets.iter().sum::<f64>() / callers,
        "rx_pps_min": packets.first(),
        "packets_lost": report.lost,
        "late_ms_p50": of(&report.late_ms, 0.50),
        "late_ms_p99": of(&report.late_ms, 0.99),
        "late_ms_max": report.late_ms.last(),
        "latency_ms_p50": of(&report.latency_ms, 0.50),
        "latency_ms_p99": of(&report.latency_ms, 0.99),
        "marks_heard": report.latency_ms.len(),
        "sent_late_ms_p50": of(&report.sent_late_ms, 0.50),
        "sent_late_ms_p99": of(&report.sent_late_ms, 0.99),
    })
}

/// Meetings for the callers, in a database of their own.
pub(super) async fn prepare(folder: &Path, meetings: usize, people: usize) -> anyhow::Result<Vec<String>> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let store = Store::open(&format!("sqlite://{}?mode=rwc", data.join("huitong.db").display())).await?;
    let (id, name) = (SiteId::from_u128(rand::random()), "bench".to_owned());
    store.add_site(&Site { id, name, ports: u32::MAX >> 1, livestream: false, zone: "UTC".to_owned() }).await?;
    let host = NewAccount {
        name: "bench".to_owned(),
        display_name: "bench".to_owned(),
        password: "Bench-2026".to_owned(),
        role: AccountRole::Member,
        mode: BookingMode::Concurrent,
        capacity: CAPACITY_MAX,
        email: None,
        mobile: None,
    };
    let host = conference::add_account(&store, "bench", host).await?;
    let plane = super::loopback_plane(RTP_PORTS)?;
    let streaming = Streaming::new(StreamingConfig::default());
    let config = ConferenceConfig { files: data.join("files"), ..ConferenceConfig::default() };
    let conference = Conference::start(config, store, plane, streaming).await?;
    let mut numbers = Vec::new();
    for meeting in 0..meetings {
        let request = BookingRequest {
            title: format!("bench {meeting}"),
            password: None,
            start_ms: None,
            duration_min: Some(120),
            early_start_min: 0,
            capacity: Some((people as u32).max(2)),
            room: None,
            zone: "UTC".to_owned(),
            recurrence: None,
            options: Options { join_before_host: true, ..Options::default() },
        };
        numbers.push(conference.book(&host, request).await?.number.digits());
    }
    conference.drain().await;
    conference.close().await;
    Ok(numbers)
}

/// This process goes to the second core. Where there is one only, the figures say how much was left to the server.
pub(super) fn pin_self() {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-acp", "1", &pid]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !pinned.is_ok_and(|status| status.success()) {
        tracing::warn!("the callers share the server's core");
    }
}

/// The server as a process of its own, on the first core.
pub(super) struct Served {
    child: Kept,
    pub(super) sip: SocketAddr,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) cpu_s: f64,
    pub(super) rss_kib: f64,
}

impl Served {
    /// With more settings than all need.
    pub(super) fn start(folder: &Path, log: &str, more: &[(&str, String)]) -> anyhow::Result<Self> {
        let (web, https, sip, sips) = (free()?, free()?, free()?, free()?);
        let (webrtc, metrics) = (free()?, free()?);
        let environment = [
            ("HUITONG_WEB__HTTP", web.to_string()),
            ("HUITONG_WEB__HTTPS", https.to_string()),
            ("HUITONG_WEB__RTMP", "[]".to_owned()),
            ("HUITONG_SIP__REQUESTS_PER_SECOND", "0".to_owned()),
            ("HUITONG_SIP__UDP", format!("[\"{sip}\"]")),
            ("HUITONG_SIP__TCP", format!("[\"{sip}\"]")),
            ("HUITONG_SIP__TLS", format!("[\"{sips}\"]")),
            ("HUITONG_MEDIA__WEBRTC", webrtc.to_string()),
            ("HUITONG_MEDIA__RTP_PORTS", format!("{}-{}", RTP_PORTS.start(), RTP_PORTS.end())),
            ("HUITONG_METRICS__BIND", metrics.to_string()),
            ("HUITONG_DATA__DIR", folder.join("data").display().to_string()),
            ("HUITONG_LOG__FILTER", log.to_owned()),
        ];
        let mut command = on_first_core(DESCRIPTORS)?;
        command.arg("serve").envs(environment).envs(more.iter().cloned());
        let child = Kept::start(command.current_dir(folder).stdout(Stdio::null()))?;
        let mut served = Self { child, sip };
        let deadline = Instant::now() + START;
        while TcpStream::connect_timeout(&metrics, Duration::from_millis(200)).is_err() {
            if let Some(status) = served.child.0.try_wait()? {
                bail!("the server ended at once with {status}");
            }
            if Instant::now() > deadline {
                bail!("the server does not begin");
            }
            std::thread::yield_now();
        }
        Ok(served)
    }

    pub(super) fn usage(&self) -> Usage {
        usage(self.child.0.id())
    }
}

/// What a process has used so far.
pub(super) fn usage(pid: u32) -> Usage {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name, which may have spaces: user and system time are the 12th and 13th words (proc(5)).
    let words: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split(' ').map(|word| word.parse().unwrap_or(0.0)).collect();
    let ticks = words.get(12..=13).map_or(0.0, |times| times.iter().sum());
    Usage { cpu_s: ticks / USER_HZ, rss_kib: rss_kib(&pid.to_string()) }
}

/// An address that is free on UDP and TCP.
pub(super) fn free() -> anyhow::Result<SocketAddr> {
    for _ in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free")
}
