//! The one binary: reads the configuration, starts the parts in order and stops them in the reverse one.
//!
//! It knows every crate and decides nothing; what a meeting is lives in `conference`.

mod bench;
mod config;
mod demo;
mod descriptors;
mod dial_plan;
mod doctor;
mod serve;
mod telemetry;
mod upkeep;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Huitong (会通): meetings by browser, telephone and livestream.
#[derive(Parser)]
#[command(name = "huitong", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is interrupted.
    Serve {
        /// The configuration; without it, `huitong.toml` here if there is one, else the defaults.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Make a site with two accounts and a meeting to try, and print how to reach them.
        #[arg(long)]
        demo: bool,
    },
    /// Read configuration and database through and say what is wrong with them. The server may run meanwhile.
    Check {
        /// As of `serve`.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Look at the running server as those outside meet it, place a test call, and say in words what is wrong.
    Doctor {
        /// As of `serve`.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Write a whole, consistent copy of the SQLite database beside a running server.
    Backup {
        /// As of `serve`.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The copy; it must not exist.
        to: PathBuf,
    },
    /// The dial plan: carriers, numbers, keys.
    #[command(name = "sipconf")]
    SipConf {
        #[command(subcommand)]
        what: dial_plan::SipConf,
    },
    /// Accounts, for whoever sits at the machine.
    User {
        #[command(subcommand)]
        what: upkeep::User,
    },
    /// Measure this machine; the figures go to standard output as JSON.
    Bench {
        #[command(subcommand)]
        what: bench::Bench,
    },
}

#[expect(clippy::print_stderr, reason = "a command line's errors belong there, whatever the log filter")]
fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve { config, demo } => serve::run(config.as_deref(), demo),
        Command::Check { config } => upkeep::check(config.as_deref()),
        Command::Doctor { config } => doctor::run(config.as_deref()),
        Command::Backup { config, to } => upkeep::backup(config.as_deref(), &to),
        Command::SipConf { what } => dial_plan::run(&what),
        Command::User { what } => upkeep::user(what),
        Command::Bench { what } => bench::run(&what),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("huitong: {error:#}");
            ExitCode::FAILURE
        }
    }
}
