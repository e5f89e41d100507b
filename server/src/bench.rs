//! `huitong bench`: figures of this machine as JSON on standard output.

mod calls;
mod sfu;
mod stream;

use clap::{Args, Subcommand, ValueEnum};
use media::AudioCodec;
use serde_json::json;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How many phone legs one core mixes.
    Mixer(Mixer),
    /// What calls cost a server of this program that runs on a core of its own, and how good their sound's timing is.
    Calls(calls::Calls),
    /// How long a livestream takes from the camera to the viewer, and what it costs.
    Stream(stream::Stream),
    /// What forwarding between browsers costs a server of this program that runs on a core of its own.
    Sfu(sfu::Sfu),
}

#[derive(Args)]
pub(crate) struct Mixer {
    /// Phones in the meeting.
    #[arg(long, alias = "callers", default_value_t = 100)]
    legs: usize,
    /// How many of them speak at once.
    #[arg(long, alias = "talking", default_value_t = 3)]
    speaking: usize,
    /// Of all legs.
    #[arg(long, value_enum, default_value = "pcma")]
    codec: Codec,
    /// Ticks of 20 ms measured, after as many to warm up.
    #[arg(long, default_value_t = 1_000)]
    ticks: usize,
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
        Bench::Mixer(mixer) => run_mixer(mixer),
        Bench::Calls(calls) => calls::run(calls),
        Bench::Stream(stream) => stream::run(stream),
        Bench::Sfu(sfu) => sfu::run(sfu),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
fn run_mixer(mixer: &Mixer) -> anyhow::Result<()> {
    let codec = AudioCodec::from(mixer.codec);
    let options = mixer::bench::Options { legs: mixer.legs, speaking: mixer.speaking, codec, ticks: mixer.ticks };
    let report = mixer::bench::run(options)?;
    let figures = json!({
        "bench": "mixer",
        "legs": mixer.legs,
        "speaking": mixer.speaking,
        "codec": codec.to_string(),
        "tick_us_mean": report.tick_us_mean,
        "tick_us_p99": report.tick_us_p99,
        "legs_per_core": report.legs_per_core,
    });
    println!("{figures:#}");
    Ok(())
}
