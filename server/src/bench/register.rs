//! `huitong bench register`: telephones of the company's own register at a server of this program that runs on a core of its own.

use std::time::Instant;

use clap::Args;
use gateway::RegisterLoad;
use serde_json::json;

use super::{
    calls::{Served, pin_self, prepare},
    of,
};

/// The first account's extension.
const FIRST: usize = 100_000;

/// Of all accounts.
const PASSWORD: &str = "long-enough";

/// `sip.requests_per_second` as it is by default: more are not answered.
const STRANGERS_RATE: u32 = 20;

#[derive(Args)]
pub(crate) struct Register {
    /// New registrations a second.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// How many in all.
    #[arg(long, default_value_t = 10_000)]
    registrations: usize,
    /// Over which they go round.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    accounts: u16,
    /// By a stranger who guesses passwords, and is listened to as such: one REGISTER each.
    #[arg(long)]
    wrong: bool,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(register: &Register) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(prepare(folder.path(), 1, 2))?;
    runtime.shutdown_background();
    pin_self();
    let users: Vec<_> = (0..usize::from(register.accounts)).map(|n| (FIRST + n).to_string()).collect();
    let accounts = users.iter().map(|user| format!("{{user=\"{user}\",password=\"{PASSWORD}\"}}"));
    let accounts = format!("[{}]", accounts.collect::<Vec<_>>().join(","));
    let mut settings = vec![("HUITONG_SIP__ACCOUNTS", accounts)];
    if register.wrong {
        settings.push(("HUITONG_SIP__REQUESTS_PER_SECOND", STRANGERS_RATE.to_string()));
    }
    let server = Served::start(folder.path(), "warn", &settings)?;
    let load = RegisterLoad {
        sip: server.sip,
        users,
        password: (!register.wrong).then(|| PASSWORD.to_owned()),
        rate: register.rate,
        registrations: register.registrations,
    };
    let (before, begun) = (server.usage(), Instant::now());
    let report = load.run()?;
    let (after, seconds) = (server.usage(), begun.elapsed().as_secs_f64());
    let cpu = after.cpu_s - before.cpu_s;
    let figures = json!({
        "bench": "register",
        "rate": register.rate,
        "rate_reached": report.rate,
        "accounts": register.accounts,
        "registrations": register.registrations,
        "wrong": register.wrong,
        "ok": report.ok,
        "refused": report.refused,
        "unanswered": report.unanswered,
        "requests": report.requests,
        "cpu_cores": cpu / seconds,
        "cpu_ms_per_1000": 1e6 * cpu / register.registrations.max(1) as f64,
        "ms_p50": of(&report.took_ms, 0.50),
        "ms_p99": of(&report.took_ms, 0.99),
        "rss_kib_more": after.rss_kib - before.rss_kib,
    });
    println!("{figures:#}");
    Ok(())
}
