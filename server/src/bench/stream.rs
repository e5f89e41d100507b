//! `huitong bench stream`: a livestream from a camera with a clock in its picture to a viewer who reads it.
//!
//! The studio, the origin and the page are the product's own; the viewer is Chromium. In the same run ffmpeg puts the
//! same tiles together with the same settings of the same encoder, for the ratio of processor times.

mod camera;
mod chromium;
pub(in crate::bench) mod player;
mod starving;
mod together;

use std::{
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use api::{SipInfo, Support, Web, WebConfig};
use clap::Args;
use conference::{Conference, ConferenceConfig};
use media::TrackKind;
use model::{BroadcastId, Layout, ParticipantId};
use serde_json::{Value, json};
use store::Store;
use streaming::{Broadcast, BroadcastFact, Scene, Streaming, StreamingConfig, Tile, TileKind, cadence};
use tokio::time::Instant;

use camera::{Camera, Film, now_ms, processor_time};
use chromium::Chromium;

/// In `/proc/PID/stat`, times are counted in hundredths of a second on every Linux (USER_HZ).
const USER_HZ: f64 = 100.0;

/// Until the player has come as near to the edge as it wants to be.
const SETTLE: Duration = Duration::from_secs(6);

/// How often people come and go.
const CHURN: Duration = Duration::from_millis(500);

/// Longer than this a picture is seen to stand.
const FRAME_GAP_MS: f64 = 40.0;

/// How long the first picture may take to come, on a machine that is busy with other things.
const FIRST_MAX_MS: u64 = 30_000;

/// Cores from which on a broadcast makes a picture of 1080 lines in any case.
const FULL_HD_CORES: usize = 8;

#[derive(Args)]
pub(crate) struct Stream {
    /// Cameras in a gallery: 1, 4, 9 or 16.
    #[arg(long, default_value_t = 4)]
    tiles: usize,
    /// How long each thing is measured.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// For so many seconds all cores are as busy as they can be with other things.
    #[arg(long, default_value_t = 0)]
    starve: u64,
    /// How long people come and go; as long as the rest where not set.
    #[arg(long)]
    churn: Option<u64>,
    /// Afterwards as many livestreams at once as the machine takes, each of the same cameras.
    #[arg(long)]
    together: bool,
    /// A picture of 1080 lines as well, however few cores there are. ffmpeg makes none.
    #[arg(long)]
    full_hd: bool,
    /// Leave Chromium out: nothing is known of the viewer then.
    #[arg(long)]
    no_browser: bool,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(stream: &Stream) -> anyhow::Result<()> {
    let side = match stream.tiles {
        1 => 1,
        4 => 2,
        9 => 3,
        16 => 4,
        other => bail!("{other} tiles: 1, 4, 9 or 16"),
    };
    let make = || Film::new((1280 / side) / 32 * 32, (1280 / side) / 32 * 18);
    let (film, again) = (make(), stream.together.then(make));
    let folder = tempfile::tempdir()?;
    film.clip(10, &folder.path().join("clip.ivf"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(stream, (film, again), folder.path()))?;
    runtime.shutdown_background();
    println!("{figures:#}");
    Ok(())
}

async fn measure(stream: &Stream, (film, again): (Film, Option<Film>), folder: &Path) -> anyhow::Result<Value> {
    let studio = std::env::current_exe()?.with_file_name("huitong-studio");
    let site = Site::start(folder, &studio, stream.full_hd).await?;
    let playing = if stream.no_browser { Err(anyhow::anyhow!("not asked for")) } else { Watching::open(&site) };
    let pressed_ms = now_ms();
    let (broadcast, mut facts) = site.streaming.start(site.broadcast, "bench".to_owned()).await?;
    let participants: Vec<ParticipantId> = (0..stream.tiles).map(|number| participant(number as u128)).collect();
    let camera = Camera::start(film, participants.clone(), vec![broadcast.feed()])?;
    broadcast.show(scene(&participants));
    // The camera sends key frames of its own accord.
    let (live, is_live) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut live = Some(live);
        while let Some(fact) = facts.recv().await {
            if let Some(live) = live.take_if(|_| fact == BroadcastFact::Live) {
                // Nobody waits for it where something else went wrong.
                let _gone = live.send(());
            }
        }
    });

    let seconds = Duration::from_secs(stream.seconds);
    let viewer = match playing {
        Ok(mut watching) => tokio::task::spawn_blocking(move || watching.watch(pressed_ms, seconds)).await?,
        Err(error) => Err(error),
    };
    let viewer = match viewer {
        Ok(viewer) => viewer,
        Err(error) if stream.no_browser => json!({"left_out": error.to_string()}),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "nothing is known of the viewer");
            json!({"left_out": format!("{error:#}")})
        }
    };

    is_live.await.context("the livestream ends before it begins")?;
    let studio = broadcast.studio_pid().context("a studio runs")?;
    let mut rival = Rival::start(stream.tiles, &folder.join("clip.ivf"))?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (own, before) = (std::process::id(), Instant::now());
    let used = || {
        let (all, measuring) = processor_time(own);
        (processor_time(studio).0, all - measuring, processor_time(rival.ffmpeg.id()).0)
    };
    let (from, rivals_before) = (used(), rival.pictures());
    let until = before + seconds;
    let (video, audio, pictures) = tokio::task::block_in_place(|| follow(&site, until))?;
    let (to, rivals) = (used(), rival.pictures() - rivals_before);
    let elapsed = before.elapsed().as_secs_f64();
    rival.check()?;
    let cores = [(to.0 - from.0) / elapsed, (to.1 - from.1) / elapsed, (to.2 - from.2) / elapsed];
    // On a busy machine ffmpeg falls behind and the studio leaves pictures out: what is compared is the price of one.
    let [own_each, rivals_each] =
        [((cores[0] + cores[1]), pictures as f64), (cores[2], rivals as f64)].map(|(cores, made)| cores / made);
    // The last picture of a part is composed one tick before the part's end.
    let tick_ms = cadence::TICK.as_secs_f64() * 1e3;
    let video: Vec<f64> = video.into_iter().map(|late| late + tick_ms).collect();
    camera.suffer(true);
    let churned = churn(&site, &broadcast, &participants, stream.churn.map_or(seconds, Duration::from_secs)).await?;
    let gaps: Vec<f64> = churned.iter().map(|stand| stand.ms).collect();
    camera.suffer(false);
    let starved = if stream.starve > 0 { Some(starving::measure(&site, stream.starve)?) } else { None };
    let camera_ms = camera.delays();
    drop(camera);
    broadcast.stop().await;
    drop(rival);
    let together = match again {
        Some(film) => Some(together::measure(&site, film, participants, seconds).await?),
        None => None,
    };
    site.web.stop(Duration::from_millis(200)).await;
    site.conference.drain().await;
    site.conference.close().await;

    let tiles = stream.tiles;
    let mut figures = json!({
        "bench": "stream",
        "tiles": tiles,
        "seconds": stream.seconds,
        "fps": (1.0 / cadence::TICK.as_secs_f64()).round(),
        "part_ms": cadence::PART.as_millis() as u64,
        "part_ready_ms_p50": of(&video, 0.50),
        "part_ready_ms_p95": of(&video, 0.95),
        "part_ready_ms_max": of(&video, 1.00),
        "sound_part_ready_ms_p95": of(&audio, 0.95),
        "parts": video.len(),
        "cpu_cores_studio": cores[0],
        "cpu_cores_origin": cores[1],
        "cpu_cores_ffmpeg": cores[2],
        "pictures_per_second": pictures as f64 / elapsed,
        "ffmpeg_pictures_per_second": rivals as f64 / elapsed,
        "camera_ms_p50": of(&camera_ms, 0.50),
        "churn_frame_gap_ms_p99": of(&gaps, 0.99),
        "churn_frame_gap_ms_max": of(&gaps, 1.00),
        "churn_frames": gaps.len(),
        "churn_frames_late": gaps.iter().filter(|ms| **ms > FRAME_GAP_MS).count(),
        "churn_torn": churned.iter().filter(|stand| stand.is_torn).count(),
    });
    let name = if tiles == 1 { "1tile".to_owned() } else { format!("{tiles}tiles") };
    let lines = if stream.full_hd { "1080p" } else { "720p" };
    figures[format!("cpu_cores_{name}_{lines}")] = json!(cores[0] + cores[1]);
    figures[format!("ffmpeg_ratio_{name}")] = json!(own_each / rivals_each);
    for more in [Some(viewer), starved, together].into_iter().flatten() {
        if let (Value::Object(figures), Value::Object(more)) = (&mut figures, more) {
            figures.extend(more);
        }
    }
    Ok(figures)
}

/// Each picture while people come and go, one of whom sends nothing and others badly, and layouts change. One camera is in every scene and
/// is well all the time, so there is something new to be seen at each tick: a picture that stands longer was held up.
async fn churn(
    site: &Site,
    broadcast: &Broadcast,
    participants: &[ParticipantId],
    time: Duration,
) -> anyhow::Result<Vec<player::Stand>> {
    let (host, path, until) = (site.web.http_addr(), site.folder(), Instant::now() + time);
    let seeing = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(player::stands(host, &path, until))
    });
    let (well, others) = participants.split_last().context("there are tiles")?;
    let silent = participant(participants.len() as u128);
    let others: Vec<ParticipantId> = others.iter().copied().chain([silent]).collect();
    let layouts = [Layout::Gallery, Layout::Speaker, Layout::PictureInPicture];
    let mut changes = tokio::time::interval(CHURN);
    for step in 0.. {
        changes.tick().await;
        if Instant::now() >= until {
            break;
        }
        let mut shown = others[step % others.len()..].to_vec();
        // Large and small by turns, where there are two sizes.
        shown.insert(step % 2, *well);
        broadcast.show(Scene { layout: layouts[step % layouts.len()], ..scene(&shown) });
    }
    broadcast.show(scene(participants));
    seeing.await?
}

/// Follows picture and sound, on a thread that isn't the server's, and counts the pictures.
fn follow(site: &Site, until: Instant) -> anyhow::Result<(Vec<f64>, Vec<f64>, usize)> {
    let (host, path) = (site.web.http_addr(), site.folder());
    let playing = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let video = player::follow(host, &path, "video", until);
            let audio = player::follow(host, &path, "audio", until);
            let (video, audio, stands) = tokio::try_join!(video, audio, player::stands(host, &path, until))?;
            let late = |parts: Vec<(Instant, f64)>| parts.into_iter().map(|(_, late)| late).collect();
            anyhow::Ok((late(video), late(audio), stands.len()))
        })
    };
    let thread = std::thread::Builder::new().name(format!("{}player", camera::THREADS)).spawn(playing)?;
    thread.join().map_err(|_| anyhow::anyhow!("the player panicked"))?
}

/// The value below which this part of them lie.
fn of(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1))).copied()
}

fn participant(number: u128) -> ParticipantId {
    ParticipantId::new(uuid::Uuid::from_u128(number + 1))
}

fn scene(participants: &[ParticipantId]) -> Scene {
    let tile = |(number, participant): (usize, &ParticipantId)| Tile {
        participant: *participant,
        name: format!("bench {number}"),
        kind: TileKind::Video(TrackKind::Camera),
        speaking: false,
        phone: false,
    };
    Scene { layout: Layout::Gallery, tiles: participants.iter().enumerate().map(tile).collect() }
}

/// The parts of a server that a livestream needs.
pub(super) struct Site {
    pub(super) streaming: Streaming,
    conference: Conference,
    pub(super) web: Web,
    pub(super) broadcast: BroadcastId,
}

impl Site {
    pub(super) async fn start(folder: &Path, studio: &Path, full_hd: bool) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Store::open(&format!("sqlite://{}?mode=rwc", folder.join("huitong.db").display())).await?;
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        let plane = super::loopback_plane(20_000..=29_999)?;
        let streaming = Streaming::new(StreamingConfig {
            studio: studio.to_owned(),
            full_hd,
            cores: full_hd.then_some(FULL_HD_CORES),
            ..StreamingConfig::default()
        });
        let config = ConferenceConfig { files: folder.join("files"), ..ConferenceConfig::default() };
        let conference = Conference::start(config, store, plane, streaming.clone()).await?;
        let meeting = conference.ensure_demo().await?.meeting;
        let http = TcpListener::bind((loopback, 0))?.local_addr()?;
        let web = WebConfig {
            http,
            https: None,
            rtmp: Vec::new(),
            public_url: None,
            origins: Vec::new(),
            sip: SipInfo { host: loopback.to_string(), udp: None, tcp: None },
            turn: None,
            joins_per_second: 0,
            sip_sockets: None,
            support: Support::default(),
        };
        let web = Web::start(web, conference.clone(), &streaming)?;
        Ok(Self { streaming, conference, web, broadcast: BroadcastId::new(meeting.id.uuid()) })
    }

    pub(super) fn folder(&self) -> String {
        format!("/live/{}", self.broadcast)
    }
}

/// A viewer who has the page open before the livestream begins.
struct Watching(Chromium);

impl Watching {
    fn open(site: &Site) -> anyhow::Result<Self> {
        let mut chromium = Chromium::start()?;
        chromium.open(&format!("http://{}/watch/{}", site.web.http_addr(), site.broadcast))?;
        let page = "new Promise(done => { const look = setInterval(() => { \
             if (document.querySelector('[data-testid=watch-video]')) { clearInterval(look); done(true); } }, 50); \
             setTimeout(() => done(false), 10000); })";
        if chromium.evaluate(page)? != true {
            bail!("there is no watch page: this server was built without its web pages");
        }
        Ok(Self(chromium))
    }

    /// Reads the clock in each picture that is shown.
    fn watch(&mut self, pressed_ms: u64, time: Duration) -> anyhow::Result<Value> {
        let first = format!(
            "new Promise(done => {{ const video = document.querySelector('[data-testid=watch-video]'); \
               video.requestVideoFrameCallback(() => done(Date.now())); \
               setTimeout(() => done(0), {FIRST_MAX_MS}); }})"
        );
        let first_ms = self.0.evaluate(&first)?.as_f64().filter(|ms| *ms > 0.0).context("no picture comes")?;
        std::thread::park_timeout(SETTLE);
        let read = READ_CLOCK
            .replace("SECONDS", &time.as_secs().to_string())
            .replace("SQUARE", &camera::SQUARE.to_string())
            .replace("LEFT", &camera::CORNER.0.to_string())
            .replace("TOP", &camera::CORNER.1.to_string());
        let seen = self.0.evaluate(&read)?;
        let delays: Vec<f64> =
            seen["delays"].as_array().into_iter().flatten().filter_map(Value::as_f64).filter(|ms| *ms < 6e4).collect();
        if delays.is_empty() {
            bail!("no clock can be read of {}", seen["frames"]);
        }
        Ok(json!({
            "start_to_first_frame_ms": first_ms - pressed_ms as f64,
            "glass_to_glass_ms_p50": of(&delays, 0.50),
            "glass_to_glass_ms_p95": of(&delays, 0.95),
            "glass_to_glass_ms_max": of(&delays, 1.00),
            "frames_read": delays.len(),
            "frames_unread": seen["frames"].as_u64().unwrap_or(0).saturating_sub(delays.len() as u64),
            "stalls": seen["stalls"],
            "latency_shown_s": seen["shown"],
        }))
    }
}

/// Told in the page: every picture shown is looked at, and how old its clock is.
const READ_CLOCK: &str = r"new Promise(done => {
  const video = document.querySelector('[data-testid=watch-video]');
  const paper = new OffscreenCanvas(16 * SQUARE, 2 * SQUARE).getContext('2d', { willReadFrequently: true });
  const delays = [];
  let frames = 0, stalls = 0, over = false;
  video.addEventListener('waiting', () => stalls++);
  const look = () => {
    if (over) return;
    frames++;
    const scale = video.videoWidth / 1280;
    const [width, height] = [16 * SQUARE, 2 * SQUARE];
    paper.drawImage(video, LEFT * scale, TOP * scale, width * scale, height * scale, 0, 0, width, height);
    const { data } = paper.getImageData(0, 0, width, height);
    let code = 0;
    for (let bit = 0; bit < 32; bit++) {
      const x = (bit % 16 + 0.5) * SQUARE | 0, y = ((bit >> 4) + 0.5) * SQUARE | 0;
      code = code * 2 + (data[(y * width + x) * 4 + 1] > 125 ? 1 : 0);
    }
    const clock = Math.floor(code / 256);
    const check = ((clock >> 16) ^ (clock >> 8) ^ clock ^ 0xA5) & 0xFF;
    const now = performance.timeOrigin + performance.now();
    if (code % 256 === check) delays.push((now - clock + 0x1000000) % 0x1000000);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  setTimeout(() => {
    over = true;
    const shown = document.querySelector('[data-testid=watch-latency]')?.dataset.seconds;
    done({ delays, frames, stalls, shown: shown ? Number(shown) : null });
  }, SECONDS * 1000);
})";

/// ffmpeg, that puts the same tiles together at the same time.
struct Rival {
    ffmpeg: Child,
    pictures: Arc<AtomicU64>,
}

impl Rival {
    fn start(tiles: usize, clip: &Path) -> anyhow::Result<Self> {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-nostdin", "-y", "-progress", "pipe:1", "-stats_period", "0.1"]);
        for _ in 0..tiles {
            ffmpeg.args(["-re", "-stream_loop", "-1", "-threads", "1", "-i"]).arg(clip);
        }
        ffmpeg.args(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
        let fps = (1.0 / cadence::TICK.as_secs_f64()).round() as u32;
        let mut filter: String = (0..tiles).map(|tile| format!("[{tile}:v]")).collect();
        filter += &match tiles {
            1 => format!("fps={fps}"),
            _ => {
                let side = (tiles as f64).sqrt() as usize;
                let along = |count: usize, of: &str| match count {
                    0 => "0".to_owned(),
                    _ => vec![of; count].join("+"),
                };
                let place = |tile: usize| format!("{}_{}", along(tile % side, "w0"), along(tile / side, "h0"));
                let layout: Vec<String> = (0..tiles).map(place).collect();
                format!("xstack=inputs={tiles}:layout={},fps={fps}", layout.join("|"))
            }
        };
        // The small picture is made by both.
        filter += ",split[v][large];[large]scale=640:360[low]";
        ffmpeg.args(["-filter_complex_threads", "1", "-filter_complex", &filter, "-map", "[v]", "-map"]);
        ffmpeg.arg(format!("{tiles}:a"));
        let interval = (fps * cadence::SEGMENT.as_secs() as u32).to_string();
        // As streaming/studio/src/encoder.rs sets them.
        let video = |kbits: u32| {
            format!(
                "-c:v libx264 -preset superfast -tune zerolatency -threads 1 -profile:v main -b:v {kbits}k \
                 -maxrate {kbits}k -bufsize {kbits}k -sc_threshold 0 -g {interval}"
            )
        };
        let file = "-f mp4 -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 200000 /dev/null";
        let large = format!("{} -c:a aac -aac_coder fast -b:a 96k -ac 1 {file}", video(2_000));
        let low = format!("-map [low] {} {file}", video(500));
        ffmpeg.args(large.split_whitespace()).args(low.split_whitespace()).stdin(Stdio::null());
        let mut ffmpeg = ffmpeg.stdout(Stdio::piped()).spawn().context("ffmpeg doesn't start")?;
        let (pictures, told) = (Arc::default(), BufReader::new(ffmpeg.stdout.take().context("its output is piped")?));
        let count: Arc<AtomicU64> = Arc::clone(&pictures);
        std::thread::Builder::new().name(format!("{}ffmpeg", camera::THREADS)).spawn(move || {
            for line in told.lines().map_while(Result::ok) {
                let made = line.strip_prefix("frame=").and_then(|made| made.trim().parse().ok());
                made.into_iter().for_each(|made| count.store(made, Ordering::Relaxed));
            }
        })?;
        Ok(Self { ffmpeg, pictures })
    }

    /// How many it has coded.
    fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
    }

    fn check(&mut self) -> anyhow::Result<()> {
        match self.ffmpeg.try_wait()? {
            Some(status) => bail!("ffmpeg has ended with {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.ffmpeg.kill();
        let _ = self.ffmpeg.wait();
    }
}
