//! `huitong sipconf check`: the dial plan as the server would read it, told to whoever set it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum SipConf {
    /// Read carriers, numbers and keys, and say what they come to; errors name file and line.
    Check {
        /// As of `serve`.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Say by which carriers this number would be called.
        #[arg(long)]
        number: Option<String>,
    },
}

pub(crate) fn run(what: &SipConf) -> anyhow::Result<()> {
    let SipConf::Check { config, number } = what;
    check(config.as_deref(), number.as_deref())
}

#[expect(clippy::print_stdout, reason = "this command speaks to the person who gave it")]
fn check(file: Option<&Path>, number: Option<&str>) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    let plan = config.sip.dial_plan();
    println!("numbers   {} lead here", config.sip.numbers.len());
    println!("accounts  {} telephones may register", config.sip.accounts.len());
    println!("carriers  {}", plan.trunks().len());
    for trunk in plan.trunks() {
        let way = if trunk.register { "registers" } else { "known by address" };
        let may = match &trunk.prefixes[..] {
            [] => "nothing may be dialled: set prefixes".to_owned(),
            prefixes => format!("may dial {}", prefixes.join(" ")),
        };
        let (calls, priority) = (trunk.calls_max, trunk.priority);
        let port = trunk.port.map(|port| format!(":{port}")).unwrap_or_default();
        println!("  {}  {}{port}  {way}, {calls} calls, priority {priority}; {may}", trunk.name, trunk.host);
    }
    for trunk in plan.unguarded() {
        println!(
            "warning: {} takes numbers without a plus as they are written, premium numbers too: those are known by their \
             country's code alone. Set sip.country, and prefixes that begin with +",
            trunk.name
        );
    }
    let Some(number) = number else { return Ok(()) };
    let dialled = plan.read(number).with_context(|| format!("{number:?} is no telephone number"))?;
    let names: Vec<&str> = plan.carriers(&dialled).map(|(_, trunk)| trunk.name.as_str()).collect();
    if names.is_empty() {
        bail!("{} may not be dialled: no carrier has a prefix of it", dialled.reveal());
    }
    println!("{} goes by {}", dialled.reveal(), names.join(", then "));
    if !config.sip.prices.is_empty() {
        println!("a minute costs {}", plan.price(&dialled) as f64 / 1_000.0);
    }
    Ok(())
}
