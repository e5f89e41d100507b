//! A camera, a voice, a player and a pair of eyes and ears for broadcasts.

mod target;

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video as gst_video;
use media::{
    Codec, FRAME_SAMPLES, MediaPacket, RtpPacket, SAMPLE_RATE, SILENCE, SeqExtender, TICK, TrackKind, VideoCodec,
};
use model::{BroadcastId, ParticipantId};
use rustfft::{FftPlanner, num_complex::Complex32};
use streaming::{Feed, Origin};

pub(crate) use target::Target;

const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// Packets of about a second.
const LATELY: usize = 25;

/// A participant's camera that sees one colour at a time, as a browser sends it: VP8 in RTP.
pub(crate) struct Camera {
    pipeline: gst::Pipeline,
    colour: Arc<AtomicU32>,
    filming: Option<thread::JoinHandle<()>>,
    stop: std::sync::mpsc::Sender<()>,
}

impl Camera {
    /// What is said while it films comes to the feed `mixing` later.
    pub(crate) fn start(feed: Feed, participant: ParticipantId, mixing: Duration) -> Self {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=lens is-live=true format=time do-timestamp=true \
               caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate=25/1 \
             ! videoconvert ! video/x-raw,format=I420,colorimetry=bt601 \
             ! vp8enc name=vp8 deadline=1 cpu-used=8 target-bitrate=600000 keyframe-max-dist=3000 \
             ! rtpvp8pay picture-id-mode=15-bit mtu=1200 pt=96 ! appsink name=packets sync=false"
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let packets = pipeline.by_name("packets").unwrap().downcast::<AppSink>().unwrap();
        let mut extender = SeqExtender::default();
        let clock = pipeline.clone();
        let mut lately = VecDeque::new();
        let send = move |sink: &AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            // What a server reads off sender reports: how long ago the picture was before the lens, at the least.
            let (now, seen) = (clock.current_running_time().unwrap(), sample.buffer().unwrap().pts().unwrap());
            lately.push_back(now.saturating_sub(seen).mseconds() as i16);
            lately.drain(..lately.len().saturating_sub(LATELY));
            let lead = mixing.as_millis() as i16 - lately.iter().min().unwrap();
            let map = sample.buffer().unwrap().map_readable().unwrap();
            let rtp = RtpPacket::parse(&map).unwrap();
            let packet = MediaPacket {
                codec: Codec::Video(VideoCodec::Vp8),
                seq: extender.extend(rtp.seq),
                timestamp: rtp.timestamp,
                marker: rtp.marker,
                level: None,
                payload: Arc::from(rtp.payload),
            };
            feed.video(participant, TrackKind::Camera, Some(lead), &packet);
            Ok(gst::FlowSuccess::Ok)
        };
        packets.set_callbacks(AppSinkCallbacks::builder().new_sample(send).build());
        pipeline.set_state(gst::State::Playing).unwrap();

        let colour = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&colour);
        let lens = pipeline.by_name("lens").unwrap().downcast::<gstreamer_app::AppSrc>().unwrap();
        let (stop, stopped) = std::sync::mpsc::channel();
        let film = move || {
            let start = Instant::now();
            for frame in 1.. {
                let [_, red, green, blue] = seen.load(Ordering::Acquire).to_be_bytes();
                let pixels = [red, green, blue].repeat(WIDTH * HEIGHT);
                lens.push_buffer(gst::Buffer::from_mut_slice(pixels)).unwrap();
                let due = start + Duration::from_millis(40) * frame;
                let wait = due.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    break;
                }
            }
        };
        Self { pipeline, colour, filming: Some(thread::spawn(film)), stop }
    }

    pub(crate) fn see(&self, [red, green, blue]: [u8; 3]) {
        self.colour.store(u32::from_be_bytes([0, red, green, blue]), Ordering::Release);
    }

    pub(crate) fn send_keyframe(&self) {
        let encoder = self.pipeline.by_name("vp8").unwrap();
        encoder.static_pad("src").unwrap().send_event(gst_video::UpstreamForceKeyUnitEvent::builder().build());
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _stopped = self.stop.send(());
        self.filming.take().map(thread::JoinHandle::join);
        self.pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// A meeting's mixer that hums a tone, or none while its loudness is 0.
pub(crate) struct Voice {
    /// In percent of full scale.
    pub(crate) loudness: Arc<AtomicU8>,
    humming: tokio::task::JoinHandle<()>,
}

impl Voice {
    pub(crate) fn start(feed: Feed, hertz: f32) -> Self {
        let loudness = Arc::new(AtomicU8::new(30));
        let now = Arc::clone(&loudness);
        let speaker = ParticipantId::new(uuid::Uuid::from_u128(1));
        let humming = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            for sample in (0_u32..).step_by(FRAME_SAMPLES) {
                ticks.tick().await;
                let amplitude = f32::from(now.load(Ordering::Acquire)) / 100.0;
                let mut frame = SILENCE;
                for (index, value) in frame.iter_mut().enumerate() {
                    let seconds = (sample as f32 + index as f32) / SAMPLE_RATE as f32;
                    *value = amplitude * (std::f32::consts::TAU * hertz * seconds).sin();
                }
                feed.program(&frame);
                feed.tracks([(speaker, &frame)].into_iter());
            }
        });
        Self { loudness, humming }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.humming.abort();
    }
}

/// A low-latency player of one track: asks for each next part and notes when it came.
pub(crate) async fn follow(origin: Origin, id: BroadcastId, track: &'static str, parts: Arc<std::sync::Mutex<Parts>>) {
    let playlist = format!("{track}.m3u8");
    let (mut msn, mut part) = (0, 0);
    loop {
        let query = format!("_HLS_msn={msn}&_HLS_part={part}");
        let Ok(file) = origin.get(id, &playlist, Some(&query)).await else { continue };
        let text = String::from_utf8(file.body.to_vec()).unwrap();
        let now = Instant::now();
        let mut seen = parts.lock().unwrap();
        for line in text.lines().filter(|line| line.starts_with("#EXT-X-PART:")) {
            let name = attribute(line, "URI").unwrap();
            seen.came.entry(name).or_insert(now);
        }
        (msn, part) = next_part(&text);
        seen.playlist = text;
        if seen.playlist.contains("#EXT-X-ENDLIST") {
            return;
        }
    }
}

/// What a player has seen of a track.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) came: BTreeMap<String, Instant>,
    pub(crate) playlist: String,
}

impl Parts {
    /// When the one came whose name ends so.
    pub(crate) fn came_of(&self, ending: &str) -> Option<Instant> {
        self.came.iter().find(|(name, _)| name.ends_with(ending)).map(|(_, at)| *at)
    }
}

/// The sequence number and the part that come after a playlist.
pub(crate) fn next_part(playlist: &str) -> (u64, u64) {
    let first: u64 =
        playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).unwrap().parse().unwrap();
    let whole = playlist.lines().filter(|line| line.starts_with("#EXTINF")).count() as u64;
    let open = playlist.rsplit("#EXTINF").next().unwrap();
    (first + whole, open.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count() as u64)
}

pub(crate) fn attribute(line: &str, name: &str) -> Option<String> {
    let value = line.split_once(':')?.1.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"').to_owned())
}

const END: &str = "#EXT-X-ENDLIST";

/// Saves a broadcast's playlists and all they name into a folder.
pub(crate) async fn save(origin: &Origin, id: BroadcastId, folder: &Path) {
    for playlist in ["index.m3u8", "video.m3u8", "audio.m3u8", "low.m3u8", "high.m3u8"] {
        let file = match origin.get(id, playlist, None).await {
            Ok(file) => file,
            Err(error) => {
                assert!(["low.m3u8", "high.m3u8"].contains(&playlist), "{playlist}: {error}");
                continue;
            }
        };
        let text = String::from_utf8(file.body.to_vec()).unwrap();
        // Players that know no parts are to read it, and not to wait for what comes next.
        let lines = text.lines().filter(|line| !line.starts_with("#EXT-X-PART") && *line != END);
        let plain: String = lines.chain([END]).flat_map(|line| [line, "\n"]).collect();
        fs::write(folder.join(playlist), plain).unwrap();
        let maps = text.lines().filter(|line| line.starts_with("#EXT-X-MAP")).filter_map(|line| attribute(line, "URI"));
        let segments = text.lines().filter(|line| line.ends_with(".m4s") && !line.starts_with('#')).map(str::to_owned);
        for name in maps.chain(segments) {
            fs::write(folder.join(&name), origin.get(id, &name, None).await.unwrap().body).unwrap();
        }
    }
}

/// What ffprobe says of the saved broadcast's tracks.
pub(crate) fn probe(folder: &Path) -> serde_json::Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-allowed_extensions", "ALL", "-show_streams", "-of", "json"])
        .arg(folder.join("index.m3u8"))
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Decoded pictures of 160 x 90 pixels, one each 40 ms since the earlier of both tracks begins.
pub(crate) fn pictures(folder: &Path) -> Vec<Vec<[u8; 3]>> {
    pictures_of(&folder.join("index.m3u8"), HLS)
}

/// The same of any file, with words to ffmpeg before it.
pub(crate) fn pictures_of(file: &Path, before: &[&str]) -> Vec<Vec<[u8; 3]>> {
    let filters = "fps=25:start_time=0,scale=160:90:flags=area";
    let bytes = decode(file, before, &["-map", "0:v:0", "-vf", filters, "-pix_fmt", "rgb24", "-f", "rawvideo"]);
    bytes.chunks_exact(160 * 90 * 3).map(|picture| picture.as_chunks::<3>().0.to_vec()).collect()
}

/// How many seconds a file has.
pub(crate) fn length(file: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// When each picture is shown, in seconds, as ffprobe reads it.
pub(crate) fn picture_times(folder: &Path) -> Vec<f64> {
    picture_times_of(&folder.join("index.m3u8"), HLS)
}

/// The same of any file, with words to ffprobe before it.
pub(crate) fn picture_times_of(file: &Path, before: &[&str]) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .args(before)
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect()
}

/// All decoded sound, since the earlier of both tracks begins.
pub(crate) fn sound(folder: &Path) -> Vec<f32> {
    sound_of(&folder.join("index.m3u8"), HLS)
}

/// The same of any file, with words to ffmpeg before it.
pub(crate) fn sound_of(file: &Path, before: &[&str]) -> Vec<f32> {
    let bytes = decode(file, before, &["-map", "0:a:0", "-af", FROM_START, "-ac", "1", "-ar", "48000", "-f", "f32le"]);
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// What comes later than the picture begins later.
const FROM_START: &str = "aresample=first_pts=0";

/// ffmpeg reads a playlist's files of any name only when told.
const HLS: &[&str] = &["-allowed_extensions", "ALL"];

fn decode(file: &Path, before: &[&str], arguments: &[&str]) -> Vec<u8> {
    let output =
        Command::new("ffmpeg").args(["-v", "error"]).args(before).arg("-i").arg(file).args(arguments).arg("-").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The loudest frequency in hertz.
pub(crate) fn pitch(samples: &[f32]) -> f32 {
    let mut spectrum: Vec<Complex32> = samples.iter().map(|sample| Complex32::new(*sample, 0.0)).collect();
    FftPlanner::new().plan_fft_forward(spectrum.len()).process(&mut spectrum);
    let half = spectrum.len() / 2;
    let loudest = (1..half).max_by(|a, b| spectrum[*a].norm_sqr().total_cmp(&spectrum[*b].norm_sqr())).unwrap();
    loudest as f32 * SAMPLE_RATE as f32 / spectrum.len() as f32
}

/// A pixel of a decoded picture is about this colour.
pub(crate) fn is_colour(picture: &[[u8; 3]], (x, y): (usize, usize), expected: [u8; 3]) -> bool {
    picture[y * 160 + x].iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 26)
}

#[track_caller]
pub(crate) fn assert_colour(picture: &[[u8; 3]], (x, y): (usize, usize), expected: [u8; 3]) {
    let seen = picture[y * 160 + x];
    assert!(is_colour(picture, (x, y), expected), "{seen:?} at {x} {y}, expected about {expected:?}");
}

/// Processor time a process has used, from /proc (in clock ticks of 10 ms).
pub(crate) fn processor_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
