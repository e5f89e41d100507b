//! `huitong bench setup`: this very program serves on one core, a second process calls, hangs up and calls again from the other.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
};

use anyhow::Context;
use clap::Args;
use gateway::{SetupLoad, SetupPhase};
use media::AudioCodec;
use plane::LegSettings;
use serde_json::json;
use sipconf::{Language, Prompts};

use super::{
    calls::{DESCRIPTORS, Served, pin_self, prepare},
    of, rss_kib,
};

#[derive(Args)]
pub(crate) struct Setup {
    /// New calls a second.
    #[arg(long, default_value_t = 3_000.0)]
    rate: f64,
    /// Calls that are answered and hung up at once.
    #[arg(long, default_value_t = 24_000)]
    calls: usize,
    /// Calls that are held at once before, for their memory.
    #[arg(long, default_value_t = 2_000)]
    held: usize,
    /// Says what the sound of so many calls takes, and does nothing else: how this program asks itself.
    #[arg(long, hide = true)]
    sound_of: Option<usize>,
    /// What is dialled; where nothing is found by it, the voice menu answers.
    #[arg(long, default_value = "huitong")]
    number: String,
    /// What the server logs.
    #[arg(long, default_value = "warn")]
    log: String,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(setup: &Setup) -> anyhow::Result<()> {
    if let Some(legs) = setup.sound_of {
        println!("{}", sound_kib(legs)?);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(prepare(folder.path(), 1, 2))?;
    runtime.shutdown_background();
    pin_self();
    let server = Served::start(folder.path(), &setup.log, &[])?;
    let load = SetupLoad {
        sip: server.sip,
        number: setup.number.clone(),
        rate: setup.rate,
        calls: setup.calls,
        held: setup.held,
    };
    let mut usage = Vec::new();
    let report = load.run(|phase| usage.push((phase, server.usage())))?;
    let at = |phase| usage.iter().find(|(known, _)| *known == phase).map(|(_, usage)| *usage).unwrap_or_default();
    let (before, after) = (at(SetupPhase::Calling), at(SetupPhase::Called));
    let thousands = setup.calls.max(1) as f64 / 1e3;
    let held_kib = (at(SetupPhase::Holding).rss_kib - at(SetupPhase::Warm).rss_kib) / report.held.max(1) as f64;
    let sound_kib = asked_sound_kib(setup.held)?;
    let figures = json!({
        "bench": "setup",
        "rate": setup.rate,
        "rate_reached": report.rate,
        "calls": setup.calls,
        "ok": report.ok,
        "failed": report.failed,
        "retransmissions": report.retransmissions,
        "cpu_ms_per_1000_calls": 1e3 * (after.cpu_s - before.cpu_s) / thousands,
        "setup_ms_p50": of(&report.setup_ms, 0.50),
        "setup_ms_p99": of(&report.setup_ms, 0.99),
        "held": report.held,
        "kib_per_held_call": held_kib,
        "kib_of_its_sound": sound_kib,
        "kib_beside_its_sound": held_kib - sound_kib,
    });
    println!("{figures:#}");
    Ok(())
}

/// Of a process of its own, which has as many descriptors as the server.
fn asked_sound_kib(legs: usize) -> anyhow::Result<f64> {
    let limit = format!("--nofile={DESCRIPTORS}");
    let asked = Command::new("prlimit")
        .arg(limit)
        .arg(std::env::current_exe()?)
        .args(["bench", "setup", "--sound-of", &legs.to_string()])
        .output()?;
    String::from_utf8_lossy(&asked.stdout).trim().parse().context("what sound takes is not told")
}

/// What one of so many legs takes that are told the greeting, as a call in the voice menu has it.
fn sound_kib(legs: usize) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Runtime::new()?;
    let plane = super::loopback_plane(30_000..=49_999)?;
    let greeting = Prompts::load()?.greeting(Language::ZhCn);
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let settings = LegSettings { telephone_event: Some(101), ..LegSettings::new(AudioCodec::Pcmu, 0, remote) };
    runtime.block_on(async {
        let open = async || {
            let (leg, facts) = plane.open_leg(remote.ip()).await?;
            leg.start(settings.clone()).await?;
            leg.play(greeting.clone(), false).await?;
            anyhow::Ok((leg, facts))
        };
        let _first = open().await?;
        let before = rss_kib("self");
        let mut all = Vec::with_capacity(legs);
        for _ in 0..legs {
            all.push(open().await?);
        }
        Ok((rss_kib("self") - before) / legs.max(1) as f64)
    })
}
