//! `huitong bench`: figures of this machine as JSON.

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How many phone legs one core mixes.
    Mixer,
}

pub(crate) fn run(_what: &Bench) -> anyhow::Result<()> {
    Ok(())
}
