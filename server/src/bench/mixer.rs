//! `huitong bench mixer`: telephone legs and mixers in this process, without sockets and in time of their own, as fast as they go.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use leg::{Leg, LegConfig, Pulled};
use media::{AudioCodec, RtpPacket, Ssrc, TICK};
use mixer::{
    Incoming, SeatConfig, SeatKey, SeatMap,
    bench::{Ear, Says, Sounds},
};
use serde_json::json;

use super::{Codec, of};

/// Ticks before it is measured: buffers and encoders are made in them.
const WARM_UP: u64 = 100;

/// Ticks between two marks; what was said before is over by then.
const MARK_EVERY: u64 = 150;

/// A mark is heard from this loudness on.
const MARK_HEARD: f32 = 0.02;

#[derive(Args)]
pub(crate) struct Mixer {
    /// Telephones in all.
    #[arg(long, alias = "legs", default_value_t = 100)]
    callers: usize,
    /// How many of them talk at once; the others send faint noise.
    #[arg(long, alias = "speaking", default_value_t = 10)]
    talking: usize,
    /// Of all legs.
    #[arg(long, value_enum, default_value = "pcmu")]
    codec: Codec,
    /// Over which they are spread.
    #[arg(long, default_value_t = 1)]
    meetings: usize,
    /// Seconds of sound that are mixed, after two to warm up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Marks by which is measured how long sound takes.
    #[arg(long, default_value_t = 40)]
    marks: u64,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(options: &Mixer) -> anyhow::Result<()> {
    if options.callers == 0 || options.meetings == 0 || options.seconds == 0 {
        bail!("callers, meetings and seconds are at least one");
    }
    let codec = AudioCodec::from(options.codec);
    let rss_before = super::rss_kib("self");
    let mut run = Run::new(options, codec)?;
    for _ in 0..WARM_UP {
        run.tick(None);
    }
    let rss_after = super::rss_kib("self");
    run.measured.on = true;
    let cpu_before = run.cpu;
    let ticks = options.seconds * 50;
    for _ in 0..ticks {
        run.tick(None);
    }
    let cpu_s = (run.cpu - cpu_before).as_secs_f64();
    let measured = std::mem::take(&mut run.measured);
    let latency = run.marks(options.marks)?;
    let (tick_us, late_ms) = (sorted(measured.tick_us), sorted(measured.late_ms));
    let callers = options.callers as f64;
    let millicores = 1e3 * cpu_s / options.seconds as f64 / callers;
    let packets = run.callers.iter().map(|caller| caller.heard as f64 / options.seconds as f64);
    let figures = json!({
        "bench": "mixer",
        "callers": options.callers,
        "talking": options.talking,
        "codec": codec.to_string(),
        "meetings": options.meetings,
        "seconds": options.seconds,
        "cpu_millicores_per_caller": millicores,
        "callers_per_core": 1e3 / millicores,
        "tick_us_mean": tick_us.iter().sum::<f64>() / ticks as f64,
        "tick_us_p99": of(&tick_us, 0.99),
        "rx_pps_min": packets.fold(f64::MAX, f64::min),
        "late_ms_p99": of(&late_ms, 0.99),
        "latency_ms_p50": of(&latency, 0.50),
        "latency_ms_p99": of(&latency, 0.99),
        "marks_heard": latency.len(),
        "rss_kib_per_caller": (rss_after - rss_before) / callers,
    });
    println!("{figures:#}");
    Ok(())
}

struct Caller {
    leg: Leg,
    seat: SeatKey,
    meeting: usize,
    talks: bool,
    remote: SocketAddr,
    /// How long before the tick his packets come.
    ahead: Duration,
    /// Packets he got while it was measured.
    heard: u64,
    datagram: Vec<u8>,
}

struct Meeting {
    mixer: mixer::Mixer,
    callers: SeatMap<usize>,
}

#[derive(Default)]
struct Measured {
    on: bool,
    tick_us: Vec<f64>,
    late_ms: Vec<f64>,
}

/// Who speaks a mark and when it came, and who listens for it.
struct Mark {
    speaker: usize,
    listener: usize,
    loud: bool,
}

struct Run {
    codec: AudioCodec,
    callers: Vec<Caller>,
    meetings: Vec<Meeting>,
    sounds: Sounds,
    ear: Ear,
    start: Instant,
    ticks: u64,
    cpu: Duration,
    measured: Measured,
    quiet: bool,
    out: Vec<u8>,
}

impl Run {
    fn new(options: &Mixer, codec: AudioCodec) -> anyhow::Result<Self> {
        let start = Instant::now();
        let mut meetings: Vec<_> = (0..options.meetings)
            .map(|_| Meeting { mixer: mixer::Mixer::new(), callers: SeatMap::default() })
            .collect();
        let mut callers = Vec::new();
        for index in 0..options.callers {
            let meeting = index % options.meetings;
            let remote = SocketAddr::from(([127, 0, 0, 1], 1024 + (index % 60_000) as u16));
            let config = LegConfig { telephone_event: Some(101), ..LegConfig::new(codec, payload_type(codec), remote) };
            let room = &mut meetings[meeting];
            let seat =
                room.mixer.add(SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false })?;
            // As in a meeting of telephones alone: nobody receives a voice by itself.
            room.mixer.set_voice_wanted(seat, false);
            room.callers.insert(seat, index);
            callers.push(Caller {
                leg: Leg::new(config, Ssrc(index as u32), start),
                seat,
                meeting,
                talks: index < options.talking,
                remote,
                ahead: TICK.mul_f64(0.05 + 0.9 * (index * 7 % 20) as f64 / 20.0),
                heard: 0,
                datagram: Vec::with_capacity(2_048),
            });
        }
        Ok(Self {
            codec,
            callers,
            meetings,
            sounds: Sounds::new(codec, &super::speech()?)?,
            ear: Ear::new(codec)?,
            start,
            ticks: 0,
            cpu: Duration::ZERO,
            measured: Measured::default(),
            quiet: false,
            out: Vec::with_capacity(2_048),
        })
    }

    /// One tick of all meetings; true when a mark was heard.
    fn tick(&mut self, mark: Option<&Mark>) -> bool {
        self.ticks += 1;
        let now = self.start + TICK * self.ticks as u32;
        self.fill(mark);
        let (begun, cpu) = (Instant::now(), super::thread_cpu());
        for caller in &mut self.callers {
            caller.leg.handle_rtp(caller.remote, &mut caller.datagram, now - caller.ahead);
            let (incoming, level) = match caller.leg.pull(now) {
                Pulled::Packet(payload, level) => (Incoming::Packet(payload), level),
                Pulled::Lost { next } => (Incoming::Lost { next }, None),
                Pulled::ComfortNoise(payload) => (Incoming::ComfortNoise(payload), None),
                Pulled::Nothing => (Incoming::Nothing, None),
            };
            self.meetings[caller.meeting].mixer.push(caller.seat, incoming, level);
        }
        let mut heard = false;
        for meeting in &mut self.meetings {
            let tick = meeting.mixer.tick();
            for (seat, payload) in tick.outputs() {
                let Some(index) = meeting.callers.get(seat) else { continue };
                let caller = &mut self.callers[*index];
                self.out.clear();
                caller.leg.send(payload, &mut self.out);
                caller.leg.poll_rtcp(now, &mut self.out);
                caller.heard += u64::from(self.measured.on);
                if self.measured.on && index % 16 == 0 {
                    self.measured.late_ms.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                if mark.is_some_and(|mark| mark.listener == *index) {
                    heard |= self.ear.loudness(payload) > MARK_HEARD;
                }
            }
        }
        self.cpu += super::thread_cpu().saturating_sub(cpu);
        if self.measured.on {
            self.measured.tick_us.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        heard
    }

    /// What each sends in this tick.
    fn fill(&mut self, mark: Option<&Mark>) {
        let tick = self.ticks;
        for (index, caller) in self.callers.iter_mut().enumerate() {
            let marked = mark.is_some_and(|mark| mark.loud && mark.speaker == index);
            let says = match marked {
                true => Says::Mark,
                false if caller.talks && !self.quiet => Says::Speech,
                false => Says::Nothing,
            };
            let packet = RtpPacket {
                payload_type: payload_type(self.codec),
                marker: false,
                seq: tick as u16,
                timestamp: (tick as u32).wrapping_mul(self.codec.ticks_per_frame()),
                ssrc: Ssrc(0x10ad_0000 + index as u32),
                payload: self.sounds.payload(says, index, tick as usize),
            };
            caller.datagram.clear();
            packet.write(&mut caller.datagram);
        }
    }

    /// How long marks took from their packet's coming to the packet they are heard in, in milliseconds.
    fn marks(&mut self, marks: u64) -> anyhow::Result<Vec<f64>> {
        let people = self.callers.len() / self.meetings.len();
        self.quiet = true;
        let mut latency = Vec::new();
        if people < 2 {
            return Ok(latency);
        }
        for number in 0..marks {
            let speaker = (number as usize % people) * self.meetings.len();
            let listener = ((number as usize + people / 2) % people) * self.meetings.len();
            for _ in 0..MARK_EVERY {
                self.tick(None);
            }
            let ahead = self.callers.get(speaker).context("one of them")?.ahead;
            for tick in 0..25u32 {
                if self.tick(Some(&Mark { speaker, listener, loud: tick < 5 })) {
                    latency.push((TICK * tick + ahead).as_secs_f64() * 1e3);
                    break;
                }
            }
        }
        Ok(sorted(latency))
    }
}

fn payload_type(codec: AudioCodec) -> u8 {
    match codec {
        AudioCodec::Pcmu => 0,
        AudioCodec::Pcma => 8,
        AudioCodec::G722 => 9,
        AudioCodec::Opus => 96,
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
