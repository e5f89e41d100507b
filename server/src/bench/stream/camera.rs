//! A camera with a clock in its picture, and a voice. The picture is coded by ffmpeg, as a browser would: VP8 in RTP.

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use media::{Codec, FRAME_SAMPLES, MediaPacket, RtpPacket, SAMPLE_RATE, SILENCE, SeqExtender, TrackKind, VideoCodec};
use model::ParticipantId;
use streaming::Feed;

/// Pictures a second.
pub(super) const RATE: u32 = 30;

/// Threads whose time is the measuring's, not the server's, have names that begin so.
pub(super) const THREADS: &str = "bench-";

/// The clock's bits are squares of so many pixels, sixteen in a row: it is read after two lossy codings.
pub(super) const SQUARE: usize = 12;

/// Where the first square is.
pub(super) const CORNER: (usize, usize) = (40, 40);

/// The picture moves, and comes again after so many.
const PICTURES: usize = 45;

/// Of packets that may be lost or garbled it is one in so many: 5 %.
const ONE_IN: u32 = 20;

/// Bits a second by the height of the picture, in thousands: what browsers send.
fn kbits(height: usize) -> u32 {
    match height {
        0..=200 => 200,
        201..=400 => 600,
        _ => 1_700,
    }
}

/// Words to ffmpeg.
fn coding(height: usize) -> Vec<String> {
    let kbits = kbits(height);
    let words = format!(
        "-c:v libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -error-resilient 1 -b:v {kbits}k -g {RATE} -threads 1"
    );
    words.split(' ').map(str::to_owned).collect()
}

/// Pictures without a clock, made once.
pub(super) struct Film {
    width: usize,
    height: usize,
    pictures: Vec<Vec<u8>>,
}

impl Film {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pictures: (0..PICTURES).map(|at| picture(width, height, at)).collect() }
    }

    /// The picture of a time, with the clock in it.
    fn at(&self, number: usize, clock_ms: u64) -> Vec<u8> {
        let mut picture = self.pictures[number % PICTURES].clone();
        stamp(&mut picture, self.width, clock_ms);
        picture
    }

    /// Writes a clip that is coded as the camera codes.
    pub(super) fn clip(&self, seconds: usize, to: &Path) -> anyhow::Result<()> {
        let mut ffmpeg = self.ffmpeg(&[], &["-y", &to.display().to_string()])?;
        let mut input = BufWriter::new(ffmpeg.stdin.take().context("its input is piped")?);
        for number in 0..seconds * RATE as usize {
            input.write_all(&self.at(number, number as u64 * 33))?;
        }
        drop(input);
        anyhow::ensure!(ffmpeg.wait()?.success(), "ffmpeg makes no clip");
        Ok(())
    }

    fn ffmpeg(&self, before: &[&str], after: &[&str]) -> anyhow::Result<Child> {
        let size = format!("{}x{}", self.width, self.height);
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", &size]);
        ffmpeg.args(["-framerate", &RATE.to_string(), "-probesize", "32"]).args(before).args(["-i", "pipe:0"]);
        ffmpeg.args(coding(self.height)).args(after).stdin(Stdio::piped()).stdout(Stdio::null());
        ffmpeg.spawn().context("ffmpeg doesn't start")
    }
}

/// A head before a wall, and the noise of a sensor.
fn picture(width: usize, height: usize, at: usize) -> Vec<u8> {
    let phase = at as f32 / PICTURES as f32 * std::f32::consts::TAU;
    let middle = (width as f32 * (0.5 + 0.04 * phase.sin()), height as f32 * (0.5 + 0.02 * (2.0 * phase).sin()));
    let mut noise = (at as u32).wrapping_mul(2_654_435_761) | 1;
    let mut data = Vec::with_capacity(width * height * 3 / 2);
    let is_head = |x: usize, y: usize| {
        let (dx, dy) = ((x as f32 - middle.0) / (0.18 * width as f32), (y as f32 - middle.1) / (0.36 * height as f32));
        dx * dx + dy * dy < 1.0
    };
    for y in 0..height {
        for x in 0..width {
            // xorshift
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let wall = 70 + x * 40 / width + (y / 24 % 2) * 8;
            let head = 150 + (x + y + at) / 6 % 24;
            let value = if is_head(x, y) { head } else { wall };
            data.push((value as u32 + noise % 5) as u8);
        }
    }
    for [head, wall] in [[110, 132], [150, 120]] {
        for y in 0..height / 2 {
            data.extend((0..width / 2).map(|x| if is_head(x * 2, y * 2) { head } else { wall }));
        }
    }
    data
}

/// Writes milliseconds since 1970 as squares: 24 bits, the highest first, and eight that say they were read well.
fn stamp(picture: &mut [u8], width: usize, clock_ms: u64) {
    let bits = code(clock_ms);
    for bit in 0..32 {
        let value = if bits >> (31 - bit) & 1 == 1 { 235 } else { 16 };
        let (x, y) = (CORNER.0 + bit % 16 * SQUARE, CORNER.1 + bit / 16 * SQUARE);
        for row in picture.chunks_exact_mut(width).skip(y).take(SQUARE) {
            row[x..x + SQUARE].fill(value);
        }
    }
}

fn code(clock_ms: u64) -> u32 {
    let low = clock_ms as u32 & 0x00FF_FFFF;
    low << 8 | (low >> 16 ^ low >> 8 ^ low ^ 0xA5) & 0xFF
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// A camera whose packets are several participants' at once, and a voice that hums.
pub(super) struct Camera {
    stop: Arc<AtomicBool>,
    rough: Arc<AtomicBool>,
    ffmpeg: Child,
    threads: Vec<thread::JoinHandle<()>>,
    delays: Arc<Mutex<Vec<f64>>>,
}

impl Camera {
    pub(super) fn start(film: Film, participants: Vec<ParticipantId>, feeds: Vec<Feed>) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let to = format!("rtp://{}?pkt_size=1200", socket.local_addr()?);
        let wall = ["-use_wallclock_as_timestamps", "1", "-fflags", "nobuffer"];
        let mut ffmpeg = film.ffmpeg(&wall, &["-vsync", "passthrough", "-payload_type", "96", "-f", "rtp", &to])?;
        let mut lens = ffmpeg.stdin.take().context("its input is piped")?;
        let (stop, delays) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let taken = Arc::new(Mutex::new(std::collections::VecDeque::new()));

        let (stopped, times) = (Arc::clone(&stop), Arc::clone(&taken));
        let filming = move || {
            let start = Instant::now();
            for number in 0.. {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let picture = film.at(number, now_ms());
                times.lock().unwrap_or_else(PoisonError::into_inner).push_back(Instant::now());
                if lens.write_all(&picture).is_err() {
                    return;
                }
                let due = start + Duration::from_secs(1) * (number as u32 + 1) / RATE;
                thread::park_timeout(due.saturating_duration_since(Instant::now()));
            }
        };
        let rough = Arc::new(AtomicBool::new(false));
        let (stopped, spent, packets) = (Arc::clone(&stop), Arc::clone(&delays), feeds.clone());
        let (roughly, begun) = (Arc::clone(&rough), Instant::now());
        let sending = move || {
            let (mut bytes, mut extender) = ([0; 2_048], SeqExtender::default());
            let mut noise = 1_u32;
            while !stopped.load(Ordering::Acquire) {
                let Ok(length) = socket.recv(&mut bytes) else { continue };
                let Ok(rtp) = RtpPacket::parse(&bytes[..length]) else { continue };
                if rtp.marker
                    && let Some(taken) = taken.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
                {
                    let delay = taken.elapsed().as_secs_f64() * 1e3;
                    spent.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
                }
                let packet = MediaPacket {
                    codec: Codec::Video(VideoCodec::Vp8),
                    seq: extender.extend(rtp.seq),
                    timestamp: rtp.timestamp,
                    marker: rtp.marker,
                    level: None,
                    payload: Arc::from(rtp.payload),
                };
                let send = |who: ParticipantId, packet: &MediaPacket| {
                    packets.iter().for_each(|feed| feed.video(who, TrackKind::Camera, None, packet));
                };
                let stalls = begun.elapsed().as_secs() % 4 < 2;
                let last = participants.len() - 1;
                for (index, who) in participants.iter().enumerate() {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let is_hit = roughly.load(Ordering::Acquire) && noise >> 16 < u32::from(u16::MAX) / ONE_IN;
                    match index % 4 {
                        _ if index == last => send(*who, &packet),
                        0 if is_hit => {}
                        1 if is_hit => send(*who, &garbled(&packet)),
                        2 if stalls && roughly.load(Ordering::Acquire) => {}
                        _ => send(*who, &packet),
                    }
                }
            }
        };
        let stopped = Arc::clone(&stop);
        let humming = move || {
            let start = Instant::now();
            for number in 0_u32.. {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let mut frame = SILENCE;
                for (index, value) in frame.iter_mut().enumerate() {
                    let at = (number as usize * FRAME_SAMPLES + index) as f32 / SAMPLE_RATE as f32;
                    *value = 0.2 * (std::f32::consts::TAU * 440.0 * at).sin();
                }
                feeds.iter().for_each(|feed| feed.program(&frame));
                thread::park_timeout((start + media::TICK * (number + 1)).saturating_duration_since(Instant::now()));
            }
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(format!("{THREADS}{name}")).spawn(run)
        };
        let threads = vec![
            spawn("lens", Box::new(filming))?,
            spawn("packets", Box::new(sending))?,
            spawn("voice", Box::new(humming))?,
        ];
        Ok(Self { stop, rough, ffmpeg, threads, delays })
    }

    /// From now on, or no longer, much goes wrong on the way: of the first of four participants packets are lost, of the
    /// second they are garbled, and the third stands still for two seconds of four. The last of all is well.
    pub(super) fn suffer(&self, rough: bool) {
        self.rough.store(rough, Ordering::Release);
    }

    /// Milliseconds from the picture to its last packet, so far.
    pub(super) fn delays(&self) -> Vec<f64> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.ffmpeg.kill();
        let _ = self.ffmpeg.wait();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            let _ended = thread.join();
        }
    }
}

fn garbled(packet: &MediaPacket) -> MediaPacket {
    MediaPacket { payload: packet.payload.iter().map(|byte| byte ^ 0x5A).collect(), ..packet.clone() }
}

/// Processor time of a process in seconds, and of those of its threads whose names begin with [`THREADS`].
pub(super) fn processor_time(pid: u32) -> (f64, f64) {
    let of = |path: &Path| {
        let mut text = String::new();
        let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        // After the name, which may have spaces: user and system time are the 12th and 13th words (proc(5)).
        let words = text.rsplit(')').next().unwrap_or_default().split(' ').map(|word| word.parse().unwrap_or(0.0));
        let ticks: f64 = words.skip(12).take(2).sum();
        (read.is_ok() && text.contains(&format!("({THREADS}")), ticks / super::USER_HZ)
    };
    let folder = Path::new("/proc").join(pid.to_string());
    let (_, all) = of(&folder.join("stat"));
    let threads = std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
    let measuring = threads.map(|thread| of(&thread.path().join("stat"))).filter(|(ours, _)| *ours);
    (all, measuring.map(|(_, time)| time).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_read_where_it_was_written() {
        let film = Film::new(320, 180);
        for clock in [0, 1, 1_795_000_123_456, u64::from(u32::MAX)] {
            let picture = film.at(3, clock);
            let bit = |bit: usize| {
                let (x, y) = (CORNER.0 + bit % 16 * SQUARE + SQUARE / 2, CORNER.1 + bit / 16 * SQUARE + SQUARE / 2);
                u32::from(picture[y * 320 + x] > 125)
            };
            let read = (0..32).fold(0, |sum, at| sum << 1 | bit(at));
            assert_eq!(read, code(clock));
            assert_eq!(u64::from(read >> 8), clock & 0x00FF_FFFF);
        }
    }
}
