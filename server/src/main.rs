//! The one binary: reads the configuration, starts the parts in order and stops them in the reverse one.
//!
//! It knows every crate and decides nothing; what a meeting is lives in `conference`.

mod bench;
mod config;
mod demo;
mod serve;
mod telemetry;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

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
