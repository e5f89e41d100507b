//! `huitong bench origin`: the web server of this very program has a livestream on one core, and players of a second process
//! fetch it on the other. The livestream's pictures and sound are bytes as many as a studio makes: nobody decodes them.

mod studio;
mod viewers;

use std::{
    fs,
    io::{self, BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use streaming::BroadcastFact;

use super::{
    Kept,
    calls::{Usage, pin_self, usage},
    of, on_first_core,
    stream::Site,
};

/// Open files besides a viewer's.
const DESCRIPTORS: usize = 1_000;

/// Connections of one viewer at most.
const CONNECTIONS: usize = 4;

#[derive(Args)]
pub(crate) struct Origin {
    /// Viewers at once, each of picture and sound.
    #[arg(long, default_value_t = 2_000)]
    viewers: usize,
    /// How long it is measured.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What players they have.
    #[arg(long, value_enum, default_value = "hint")]
    players: Players,
    /// The server's part.
    #[arg(long, hide = true)]
    serve: bool,
    /// The studio's part.
    #[arg(long, hide = true)]
    studio: bool,
}

/// How a player comes by the next part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Players {
    /// It asks for the part that the playlist hints at, before that is there, and for the next playlist beside it (RFC 8216bis §4.4.5.3):
    /// Apple's players and some others.
    Hint,
    /// It asks for the next playlist, and then for the part in it: hls.js.
    Reload,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(bench: &Origin) -> anyhow::Result<()> {
    if bench.studio {
        return studio::run();
    }
    if bench.serve {
        return tokio::runtime::Runtime::new()?.block_on(serve());
    }
    println!("{:#}", measure(bench)?);
    Ok(())
}

/// Has a livestream until standard input ends, and says where.
#[expect(clippy::print_stdout, reason = "the address is what the other process waits for")]
async fn serve() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let site = Site::start(folder.path(), &stand_in(folder.path())?, false).await?;
    let (broadcast, mut facts) = site.streaming.start(site.broadcast, "bench".to_owned()).await?;
    while let Some(fact) = facts.recv().await {
        if fact == BroadcastFact::Live {
            println!("{} {}", site.web.http_addr(), site.folder());
            break;
        }
    }
    tokio::spawn(async move { while facts.recv().await.is_some() {} });
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    broadcast.stop().await;
    Ok(())
}

/// A program that does what the studio does, but on the other core, and composes nothing.
fn stand_in(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
    let script = folder.join("studio");
    let own = std::env::current_exe()?;
    fs::write(&script, format!("#!/bin/sh\nexec taskset -c 1 '{}' bench origin --studio\n", own.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

fn measure(bench: &Origin) -> anyhow::Result<Value> {
    pin_self();
    let files = bench.viewers * CONNECTIONS + DESCRIPTORS;
    let raised = Command::new("prlimit")
        .args(["--pid", &std::process::id().to_string(), &format!("--nofile={files}:")])
        .status();
    if !raised.is_ok_and(|status| status.success()) {
        bail!("{} viewers need {files} open files, and so many there may not be (ulimit -Hn)", bench.viewers);
    }
    let mut server = Served::start(&format!("{files}:"))?;
    let (host, folder) = server.address()?;
    let empty = usage(server.child.0.id());
    let measured =
        viewers::Run { host, folder, viewers: bench.viewers, seconds: bench.seconds, players: bench.players };
    let mut usages = (Usage::default(), Usage::default());
    let seen = measured.watch(|begins| {
        let now = usage(server.child.0.id());
        if begins { usages.0 = now } else { usages.1 = now }
    })?;
    let (before, after) = usages;
    let seconds = seen.elapsed.as_secs_f64();
    let players = match bench.players {
        Players::Hint => "hint",
        Players::Reload => "reload",
    };
    Ok(json!({
        "bench": "origin",
        "viewers": bench.viewers,
        "players": players,
        "seconds": bench.seconds,
        "failed": seen.failed,
        "requests_per_second": seen.requests as f64 / seconds,
        "parts": seen.late_ms.len(),
        "part_ms_p50": of(&seen.late_ms, 0.50),
        "part_ms_p99": of(&seen.late_ms, 0.99),
        "part_ms_max": seen.late_ms.last(),
        "cpu_cores": (after.cpu_s - before.cpu_s) / seconds,
        "cpu_us_per_request": (after.cpu_s - before.cpu_s) * 1e6 / seen.requests as f64,
        "generator_cores": seen.generator_s / seconds,
        "rss_kib_per_viewer": (after.rss_kib - empty.rss_kib) / bench.viewers as f64,
    }))
}

struct Served {
    child: Kept,
    said: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(files: &str) -> anyhow::Result<Self> {
        let mut command = on_first_core(files)?;
        let mut child =
            Kept::start(command.args(["bench", "origin", "--serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let said = BufReader::new(child.0.stdout.take().context("its output is piped")?);
        Ok(Self { child, said })
    }

    /// Where the livestream is, once it can be watched.
    fn address(&mut self) -> anyhow::Result<(std::net::SocketAddr, String)> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        let (host, folder) = line.trim().split_once(' ').context("the server ended")?;
        Ok((host.parse()?, folder.to_owned()))
    }
}
