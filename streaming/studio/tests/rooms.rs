//! What room systems see, made by the real studio of what a real encoder sends: its cuts, its rates, its key frames, and what is seen in it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that fails says so, and its figures are of use")]

use std::{fs, path::PathBuf, process::Command, sync::Arc, time::Duration};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use media::{Codec, MediaPacket, RtpPacket, SeqExtender, TrackKind, VideoCodec};
use model::ParticipantId;
use streaming::{BroadcastFact, Feed, RoomPicture, RoomRates, Scene, Streaming, StreamingConfig, Tile, TileKind};
use tokio::{sync::mpsc, time::timeout};

const WHO: ParticipantId = ParticipantId::from_u128(1);

/// What a packet carries behind its header.
const PAYLOAD_BYTES_MAX: usize = 1_200;

/// Films a pattern, as a browser sends it, until dropped.
struct Camera(gst::Pipeline);

impl Camera {
    fn start(feed: Feed) -> Self {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(
            "videotestsrc name=lens is-live=true pattern=red ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 \
             ! vp8enc name=vp8 deadline=1 cpu-used=8 target-bitrate=2000000 keyframe-max-dist=3000 \
             ! rtpvp8pay picture-id-mode=15-bit mtu=1200 pt=96 ! appsink name=packets sync=false",
        );
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let packets = pipeline.by_name("packets").unwrap().downcast::<AppSink>().unwrap();
        let mut extender = SeqExtender::default();
        let send = move |sink: &AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
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
            feed.video(WHO, TrackKind::Camera, None, &packet);
            Ok(gst::FlowSuccess::Ok)
        };
        packets.set_callbacks(AppSinkCallbacks::builder().new_sample(send).build());
        pipeline.set_state(gst::State::Playing).unwrap();
        Self(pipeline)
    }

    fn see(&self, pattern: &str) {
        self.0.by_name("lens").unwrap().set_property_from_str("pattern", pattern);
    }

    fn send_keyframe(&self) {
        let encoder = self.0.by_name("vp8").unwrap();
        let event = gstreamer_video::UpstreamForceKeyUnitEvent::builder().build();
        encoder.static_pad("src").unwrap().send_event(event);
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.0.set_state(gst::State::Null).unwrap();
    }
}

/// Of the process this one has started for room systems.
fn studio_pid() -> u32 {
    let is_it = |pid: &u32| {
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        words.contains("--rooms") && status.contains(&format!("PPid:\t{}\n", std::process::id()))
    };
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.into_iter().find(is_it).unwrap()
}

async fn next(pictures: &mut mpsc::Receiver<RoomPicture>) -> RoomPicture {
    timeout(Duration::from_secs(20), pictures.recv()).await.expect("pictures come").expect("the studio is there")
}

/// The mean colour of the last of these pictures.
fn seen(pictures: &[RoomPicture]) -> [u8; 3] {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pictures.h264");
    let units = pictures.iter().flat_map(|picture| &picture.units);
    fs::write(&file, units.flat_map(|unit| [&[0, 0, 0, 1][..], unit]).flatten().copied().collect::<Vec<u8>>()).unwrap();
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "h264", "-i"])
        .arg(&file)
        .args(["-vf", "scale=1:1:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    assert!(decoded.status.success() && decoded.stderr.is_empty(), "{}", String::from_utf8_lossy(&decoded.stderr));
    let all = decoded.stdout.as_chunks::<3>().0;
    assert_eq!(all.len(), pictures.len(), "each can be decoded");
    *all.last().unwrap()
}

// product: R1, R3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_cut_into_packets_keeps_to_its_rate_and_has_key_frames_when_they_are_asked_for() {
    tracing_subscriber::fmt().with_env_filter("streaming=info").with_test_writer().init();
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    let streaming = Streaming::new(StreamingConfig { studio, ..StreamingConfig::default() });
    let (view, mut facts, mut pictures) = streaming.show_rooms("例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(view.feed()));
    let lens = Arc::clone(&camera);
    tokio::spawn(async move {
        while let Some(fact) = facts.recv().await {
            if let BroadcastFact::KeyframeWanted(..) = fact {
                lens.send_keyframe();
            }
        }
    });
    let kind = TileKind::Video(TrackKind::Camera);
    let tile = Tile { participant: WHO, name: String::new(), kind, speaking: false, phone: false };
    view.show(Scene { tiles: vec![tile], ..Scene::default() });
    view.set_rates(RoomRates { large_kbit: 1_000, small_kbit: 0 });

    let mut large = vec![next(&mut pictures).await];
    assert!(large[0].keyframe && large[0].is_large);
    let [sets @ .., _] = &large[0].units[..3] else { panic!("{:?}", large[0]) };
    assert_eq!(sets.iter().map(|set| set[0] & 0x1f).collect::<Vec<_>>(), [7, 8], "parameter sets first");
    assert_eq!((sets[0][1], sets[0][2] & 0x40), (66, 0x40), "constrained baseline");
    assert!(sets[0][3] <= 31, "of level 3.1 at most");
    let is_red = |[red, green, blue]: [u8; 3]| red > 150 && green.max(blue) < 90;
    while large.len() % 30 > 0 || !is_red(seen(&large)) {
        large.push(next(&mut pictures).await);
        assert!(large.len() < 400, "{:?}", seen(&large));
    }

    // Noise is as much as a picture can be.
    camera.see("snow");
    let (mut noise, mut ages): (Vec<RoomPicture>, Vec<Duration>) = (Vec::new(), Vec::new());
    while noise.len() < 200 {
        noise.push(next(&mut pictures).await);
        ages.extend(noise.last().map(|picture| picture.composed.elapsed()));
    }
    ages.sort_unstable();
    let longest = noise.iter().flat_map(|picture| &picture.units).map(|unit| unit.len()).max().unwrap();
    assert!(longest <= PAYLOAD_BYTES_MAX, "{longest}");
    let settled = &noise[60..];
    let bits: usize = settled.iter().flat_map(|picture| &picture.units).map(|unit| 8 * unit.len()).sum();
    let seconds = (settled[139].composed - settled[0].composed).as_secs_f64();
    let kbit = bits as f64 / seconds / 1_000.0;
    println!("{kbit:.0} kbit/s over {seconds:.1} s, the longest slice has {longest} bytes");
    println!("a picture is here {:?} after it was put together, at most {:?}", ages[100], ages[199]);
    assert!((300.0..1_300.0).contains(&kbit), "{kbit}");
    assert!(noise.iter().all(|picture| !picture.keyframe), "none that nobody has asked for");
    let kinds = noise.iter().flat_map(|picture| &picture.units).map(|unit| unit[0] & 0x1f);
    assert!(kinds.into_iter().all(|kind| kind == 1), "nothing but slices");

    view.feed().want_keyframe(true);
    let wished = async { while !next(&mut pictures).await.keyframe {} };
    timeout(Duration::from_secs(10), wished).await.expect("one that was asked for");
    // A small one beside it, and then alone.
    view.set_rates(RoomRates { large_kbit: 1_000, small_kbit: 300 });
    let small = async {
        loop {
            let picture = next(&mut pictures).await;
            if !picture.is_large {
                return picture;
            }
        }
    };
    assert!(timeout(Duration::from_secs(10), small).await.expect("a small one").keyframe);
    view.set_rates(RoomRates { large_kbit: 0, small_kbit: 300 });
    while next(&mut pictures).await.is_large {}
    for _ in 0..30 {
        assert!(!next(&mut pictures).await.is_large);
    }
    // It dies, and the next one begins with a picture that needs none of its own.
    let killed = Command::new("kill").args(["-KILL", &studio_pid().to_string()]).status().unwrap();
    assert!(killed.success());
    let again = async { while !next(&mut pictures).await.keyframe {} };
    timeout(Duration::from_secs(10), again).await.expect("another studio");
    drop(view);
    let ended = async { while pictures.recv().await.is_some() {} };
    timeout(Duration::from_secs(10), ended).await.expect("it ends");
}
