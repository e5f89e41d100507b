//! `huitong bench`: figures of this machine as JSON on standard output.

mod calls;
mod mixer;
mod origin;
mod peer;
mod register;
mod setup;
mod sfu;
mod stream;

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    process::{Child, Command},
    time::Duration,
};

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use media::AudioCodec;
use plane::{LineCare, Plane, PlaneConfig, PlaneError};
use sipconf::{Language, Prompt, Prompts};

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How many phone legs one core mixes.
    Mixer(mixer::Mixer),
    /// What calls cost a server of this program that runs on a core of its own, and how good their sound's timing is.
    Calls(calls::Calls),
    /// How long a livestream takes from the camera to the viewer, and what it costs.
    Stream(stream::Stream),
    /// How many viewers of a livestream a core serves, and how late they have each part.
    Origin(origin::Origin),
    /// What forwarding between browsers costs a server of this program that runs on a core of its own.
    Sfu(sfu::Sfu),
    /// What registrations cost a server of this program that runs on a core of its own.
    Register(register::Register),
    /// How many new calls a second a server of this program takes on a core of its own, and what they cost.
    Setup(setup::Setup),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
}

impl From<Codec> for AudioCodec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::Pcmu,
            Codec::Pcma => Self::Pcma,
            Codec::G722 => Self::G722,
            Codec::Opus => Self::Opus,
        }
    }
}

pub(crate) fn run(what: &Bench) -> anyhow::Result<()> {
    match what {
        Bench::Mixer(mixer) => mixer::run(mixer),
        Bench::Calls(calls) => calls::run(calls),
        Bench::Stream(stream) => stream::run(stream),
        Bench::Origin(origin) => origin::run(origin),
        Bench::Sfu(sfu) => sfu::run(sfu),
        Bench::Register(register) => register::run(register),
        Bench::Setup(setup) => setup::run(setup),
    }
}

/// One media worker that nobody outside of this machine reaches.
fn loopback_plane(rtp_ports: RangeInclusive<u16>) -> Result<Plane, PlaneError> {
    let loopback = Ipv4Addr::LOCALHOST.into();
    Plane::start(PlaneConfig {
        workers: 1,
        rtp_ports,
        rtp_bind: loopback,
        rtp_announced: vec![loopback],
        care: LineCare::default(),
        loudest: plane::LOUDEST,
        webrtc_bind: SocketAddr::new(loopback, 0),
        webrtc_announced: vec![loopback],
    })
}

/// This program once more, on the first core, with so many open files. Once its arguments are said it can be started.
fn on_first_core(files: &str) -> std::io::Result<Command> {
    let mut command = Command::new("prlimit");
    command.args([&format!("--nofile={files}"), "taskset", "-c", "0"]).arg(std::env::current_exe()?);
    Ok(command)
}

/// See [`on_first_core`]: another's program, in a session of its own. The kernel shares the processors out among sessions (sched(7),
/// autogroup): a thousand threads in the bench's own would leave it next to nothing even of the core they aren't on.
fn another_on_first_core(files: &str, program: &str) -> Command {
    let mut command = Command::new("setsid");
    command.args(["prlimit", &format!("--nofile={files}"), "taskset", "-c", "0", program]);
    command
}

/// A process that ends with this.
struct Kept(Child);

impl Kept {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self(command.spawn().context("cannot start the server; prlimit and taskset are needed (util-linux)")?))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What callers say: the longest prompts in both languages, with their pauses.
fn speech() -> anyhow::Result<Vec<f32>> {
    let prompts = Prompts::load()?;
    let long = [Prompt::Help, Prompt::HelpMore, Prompt::HelpHost];
    let said = Language::ALL.into_iter().flat_map(|language| long.map(|prompt| prompts.clip(language, prompt)));
    Ok(said.flat_map(|clip| clip.samples().to_vec()).collect())
}

/// The value below which this part of all sorted ones lie.
fn of(sorted: &[f64], part: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1))).copied()
}

/// Resident memory of a process; of this one for `self`. Nothing where the system doesn't tell.
fn rss_kib(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let words = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    words.unwrap_or_default()
}

/// How long this thread has had a processor (proc(5), schedstat).
fn thread_cpu() -> Duration {
    let words = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = words.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}
