//! `huitong bench setup`: this very program serves on one core, a second process calls, hangs up and calls again from the other.

use clap::Args;
use gateway::{SetupLoad, SetupPhase};
use serde_json::json;

use super::{
    calls::{Served, pin_self, prepare},
    of,
};

#[derive(Args)]
pub(crate) struct Setup {
    /// New calls a second.
    #[arg(long, default_value_t = 3_000.0)]
    rate: f64,
    /// Calls that are answered and hung up at once.
    #[arg(long, default_value_t = 24_000)]
    calls: usize,
    /// Calls that are then held at once, for their memory.
    #[arg(long, default_value_t = 2_000)]
    held: usize,
    /// What is dialled; where nothing is found by it, the voice menu answers.
    #[arg(long, default_value = "huitong")]
    number: String,
    /// What the server logs.
    #[arg(long, default_value = "warn")]
    log: String,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(setup: &Setup) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(prepare(folder.path(), 1, 2))?;
    runtime.shutdown_background();
    pin_self();
    let server = Served::start(folder.path(), &setup.log)?;
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
        "kib_per_held_call": (at(SetupPhase::Holding).rss_kib - after.rss_kib) / report.held.max(1) as f64,
    });
    println!("{figures:#}");
    Ok(())
}
