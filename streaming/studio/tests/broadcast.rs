//! A whole broadcast with the real studio: RTP and sound go in, playlists and segments are fetched, and what is decoded
//! from them is looked at and listened to.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that fails says so, and its figures are of use")]

mod harness;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use harness::{
    Camera, Parts, Voice, assert_colour, follow, length, picture_times, pictures, pictures_of, pitch, probe,
    processor_time, save, sound, sound_of,
};
use media::TrackKind;
use model::{AccountId, BroadcastId, Layout, MeetingId, ParticipantId};
use streaming::{
    BroadcastFact, Film, NewRecording, OriginError, Recording, RecordingConfig, Recordings, Scene, Streaming,
    StreamingConfig, StreamingError, Tile, TileKind,
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

const RED: [u8; 3] = [200, 40, 40];
const GREEN: [u8; 3] = [30, 160, 60];
const WHITE: [u8; 3] = [235, 235, 235];

/// What a viewer may lose when a studio dies.
const LOST_MAX: Duration = Duration::from_secs(6);

/// Those who look at times have the machine for themselves.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn streaming() -> Streaming {
    let logs = tracing_subscriber::fmt().with_env_filter("streaming=debug").with_test_writer();
    // The first test sets it up for all.
    let _done = logs.try_init();
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    Streaming::new(StreamingConfig { studio, ..StreamingConfig::default() })
}

fn recording_into(folder: &Path) -> Streaming {
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    let recording = RecordingConfig { folder: Some(folder.to_owned()), ..RecordingConfig::default() };
    Streaming::new(StreamingConfig { studio, recording, ..StreamingConfig::default() })
}

fn participant(number: u128) -> ParticipantId {
    ParticipantId::new(uuid::Uuid::from_u128(number))
}

fn broadcast_id() -> BroadcastId {
    BroadcastId::new(uuid::Uuid::from_u128(77))
}

fn scene(kind: TileKind) -> Scene {
    let camera = Tile { participant: participant(1), name: "韩梅梅".to_owned(), kind, speaking: true, phone: false };
    let name = "138****5678".to_owned();
    let phone = Tile { participant: participant(2), name, kind: TileKind::Avatar, speaking: false, phone: true };
    Scene { tiles: vec![camera, phone], ..Scene::default() }
}

/// Sends key frames when they are wanted, and tells what else happens.
fn attend(
    mut facts: mpsc::Receiver<BroadcastFact>,
    camera: Arc<Camera>,
) -> watch::Receiver<Vec<(BroadcastFact, Instant)>> {
    let (told, listen) = watch::channel(Vec::new());
    tokio::spawn(async move {
        while let Some(fact) = facts.recv().await {
            match fact {
                BroadcastFact::KeyframeWanted(..) => camera.send_keyframe(),
                other => told.send_modify(|facts| facts.push((other, Instant::now()))),
            }
        }
    });
    listen
}

/// Waits for the nth fact and tells when it happened.
async fn fact(
    facts: &mut watch::Receiver<Vec<(BroadcastFact, Instant)>>,
    nth: usize,
    expected: BroadcastFact,
) -> Instant {
    let waiting = facts.wait_for(|facts| facts.len() > nth);
    let told =
        timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("{expected:?} in time")).unwrap();
    assert_eq!(told[nth].0, expected);
    told[nth].1
}

// product: P3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broadcast_is_seen_and_heard_survives_a_crash_and_ends() {
    let _alone = ALONE.lock().await;
    let streaming = streaming();
    let origin = streaming.origin();
    let start = Instant::now();
    let (broadcast, facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1)));
    camera.see(RED);
    let voice = Voice::start(broadcast.feed(), 440.0);
    broadcast.show(scene(TileKind::Video(TrackKind::Camera)));
    let mut facts = attend(facts, Arc::clone(&camera));
    let parts = Arc::new(Mutex::new(Parts::default()));
    let player = tokio::spawn(follow(origin.clone(), broadcast_id(), "video", Arc::clone(&parts)));

    let live = fact(&mut facts, 0, BroadcastFact::Live).await;
    assert!(live - start < Duration::from_secs(5), "live after {:?}", live - start);
    let pid = broadcast.studio_pid().expect("a studio runs");
    let used = processor_time(pid).unwrap();
    sleep(Duration::from_secs(4)).await;
    let used = processor_time(pid).unwrap() - used;

    // A flash and a beep at one time.
    voice.loudness.store(0, Ordering::Release);
    sleep(Duration::from_millis(500)).await;
    camera.see(WHITE);
    voice.loudness.store(60, Ordering::Release);
    sleep(Duration::from_millis(400)).await;
    camera.see(GREEN);
    voice.loudness.store(0, Ordering::Release);
    sleep(Duration::from_millis(500)).await;
    voice.loudness.store(30, Ordering::Release);
    sleep(Duration::from_millis(1_500)).await;

    let crash = Instant::now();
    assert!(Command::new("kill").args(["-SEGV", &pid.to_string()]).status().unwrap().success());
    let restarting = fact(&mut facts, 1, BroadcastFact::Restarting).await;
    assert!(restarting - crash < Duration::from_secs(1), "noticed after {:?}", restarting - crash);
    let back = fact(&mut facts, 2, BroadcastFact::Live).await;
    assert!(back - crash < LOST_MAX, "back after {:?}", back - crash);
    assert_ne!(broadcast.studio_pid(), Some(pid));
    sleep(Duration::from_secs(4)).await;

    broadcast.stop().await;
    fact(&mut facts, 3, BroadcastFact::Ended).await;
    timeout(Duration::from_secs(1), player).await.expect("the player sees the end").unwrap();
    let parts = Arc::into_inner(parts).unwrap().into_inner().unwrap();
    let folder = tempfile::tempdir().unwrap();
    save(&origin, broadcast_id(), folder.path()).await;

    let playlist = m3u8_rs::parse_media_playlist_res(parts.playlist.as_bytes()).unwrap();
    assert!(playlist.end_list);
    let breaks: Vec<usize> = playlist
        .segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.discontinuity)
        .map(|(index, _)| index)
        .collect();
    let [gap] = breaks[..] else { panic!("one discontinuity: {}", parts.playlist) };
    let length =
        |segments: &[m3u8_rs::MediaSegment]| segments.iter().map(|segment| f64::from(segment.duration)).sum::<f64>();
    let (before, after) = playlist.segments.split_at(gap);

    let streams = probe(folder.path());
    let codecs: Vec<&str> =
        streams["streams"].as_array().unwrap().iter().filter_map(|s| s["codec_name"].as_str()).collect();
    assert!(codecs.contains(&"h264") && codecs.contains(&"aac"), "{codecs:?}");
    let (frames, samples) = (pictures(folder.path()), sound(folder.path()));
    if let Some(out) = std::env::var_os("HUITONG_TEST_OUT") {
        Command::new("cp").arg("-r").arg(folder.path()).arg(out).status().unwrap();
    }
    let at = |seconds: f64| (&frames[(seconds * 25.0) as usize], &samples[(seconds * 48_000.0) as usize..][..24_000]);

    // The camera's tile is large, above the row; the phone's card is in the row.
    let (picture, tone) = at(3.0);
    assert_colour(picture, (80, 30), RED);
    assert_colour(picture, (66, 74), [38, 41, 50]);
    assert!((pitch(tone) - 440.0).abs() < 3.0, "{} Hz", pitch(tone));
    // And so it is again after the crash.
    let (picture, tone) = at(length(before) + length(after) - 1.5);
    assert_colour(picture, (80, 30), GREEN);
    assert!((pitch(tone) - 440.0).abs() < 3.0, "{} Hz", pitch(tone));

    // The avatar that came first has a white letter: two seconds later it is gone.
    let is_white = |frame: &Vec<[u8; 3]>| frame[30 * 160 + 80].iter().all(|value| *value > 200);
    let flash = 50 + frames.iter().skip(50).position(is_white).unwrap();
    let windows = samples.chunks(48).enumerate().skip(2_000);
    let peaks = windows.map(|(ms, window)| (ms, window.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()))));
    let beep = peaks.skip_while(|(_, peak)| *peak > 0.01).find(|(_, peak)| *peak > 0.2).unwrap().0;
    let (flash, beep) = (flash as f64 / 25.0, beep as f64 / 1_000.0);
    let ahead = flash - beep;
    // The meeting's own jitter buffer and mixer, which are not in this test, delay the sound by another 60 to 80 ms.
    assert!((-0.06..0.16).contains(&ahead), "sound is {ahead:.3} s before the picture");

    let came: Vec<Instant> =
        (0..12).filter_map(|part| parts.came.get(&format!("video-p{part}.m4s")).copied()).collect();
    let gaps = came.windows(2).map(|pair| pair[1] - pair[0]);
    println!(
        "live after {:?}, parts at most {:?} apart, sound {:.0} ms ahead, crash noticed after {:?}, live again after {:?}, \
         {:.2} core",
        live - start,
        gaps.skip(3).max().unwrap(),
        ahead * 1_000.0,
        restarting - crash,
        back - crash,
        used.as_secs_f64() / 4.0,
    );
}

// product: B2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_layouts_come_and_go_and_the_picture_never_stops() {
    let _alone = ALONE.lock().await;
    let streaming = streaming();
    let (broadcast, facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1)));
    camera.see(RED);
    let mut facts = attend(facts, Arc::clone(&camera));
    let tile = |number: u128| Tile {
        participant: participant(number),
        name: format!("{number}"),
        kind: if number == 1 { TileKind::Video(TrackKind::Camera) } else { TileKind::Avatar },
        speaking: number == 2,
        phone: number.is_multiple_of(3),
    };
    let layouts = [Layout::Speaker, Layout::Gallery, Layout::PictureInPicture];
    fact(&mut facts, 0, BroadcastFact::Live).await;
    for step in 0..60 {
        let tiles = (1..=(step * 7 % 18) as u128).map(tile).collect();
        broadcast.show(Scene { layout: layouts[step % 3], tiles });
        sleep(Duration::from_millis(100)).await;
    }
    broadcast.show(Scene { layout: Layout::Gallery, tiles: (1..=4).map(tile).collect() });
    sleep(Duration::from_millis(1_500)).await;
    broadcast.stop().await;
    fact(&mut facts, 1, BroadcastFact::Ended).await;
    let folder = tempfile::tempdir().unwrap();
    save(&streaming.origin(), broadcast_id(), folder.path()).await;
    if let Some(out) = std::env::var_os("HUITONG_TEST_OUT") {
        Command::new("cp").arg("-r").arg(folder.path()).arg(out).status().unwrap();
    }

    // Each picture begins where the one before ends, and none stands longer than a part, whose first is never left out.
    let times = picture_times(folder.path());
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(times.len() > 150 && steps.iter().all(|step| (0.033..=0.201).contains(step)), "{steps:?}");
    let frames = pictures(folder.path());
    let last = frames.last().unwrap();
    // A gallery of four: the camera in the first quarter, cards in the others.
    assert_colour(last, (40, 10), RED);
    assert_colour(last, (90, 10), [38, 41, 50]);
    assert_colour(last, (10, 60), [38, 41, 50]);
}

// product: C23, B6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_survives_the_server_and_becomes_a_plain_file() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let streaming = recording_into(folder.path());
    let (broadcast, facts) = streaming.start_unpublished("例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1)));
    camera.see(RED);
    let _voice = Voice::start(broadcast.feed(), 440.0);
    let _facts = attend(facts, Arc::clone(&camera));
    let mut scene = scene(TileKind::Video(TrackKind::Camera));
    scene.tiles.truncate(1);
    broadcast.show(scene);
    let (meeting, owner) = (MeetingId::from_u128(5), AccountId::from_u128(6));
    let new = NewRecording { meeting, broadcast: Some(broadcast_id()), owner, title: "例会".to_owned() };
    let start = Instant::now();
    broadcast.record(new).unwrap();
    sleep(Duration::from_secs(9)).await;

    // What a server that is killed now leaves behind.
    let killed = start.elapsed().as_secs_f64();
    let left = tempfile::tempdir().unwrap();
    assert!(Command::new("cp").arg("-r").arg(folder.path()).arg(left.path()).status().unwrap().success());
    let left = left.path().join(folder.path().file_name().unwrap());
    let id = streaming.recordings().of(owner)[0].id;
    let part = length(&left.join(format!("{id}.part.mp4")));
    // The recording begins at the studio's first key frame, which takes it a moment.
    assert!(killed - part < 3.5, "{part} of {killed} s are on the disk");
    let mended = ready(&recording_into(&left).recordings(), owner).await;
    // The last part may have been half written.
    assert!((mended.seconds - part).abs() < 0.5, "{} s of {part} are mended", mended.seconds);

    broadcast.stop().await;
    let stopped = start.elapsed().as_secs_f64();
    let recordings = streaming.recordings();
    let recording = ready(&recordings, owner).await;
    assert_eq!(recordings.replay(broadcast_id()), Some(recording.clone()));
    let Some(Film::File(file)) = recordings.film(&recording) else { panic!("it is on the disk") };
    assert!((length(&file) - recording.seconds).abs() < 0.2, "{} s, said to be {}", length(&file), recording.seconds);
    assert!(stopped - recording.seconds < 3.0, "{} of {stopped} s", recording.seconds);
    let bytes = std::fs::read(&file).unwrap();
    let find = |name: &[u8; 4]| bytes.windows(4).position(|window| window == name);
    assert!(find(b"moov").unwrap() < find(b"mdat").unwrap() && find(b"moof").is_none(), "a plain file, index first");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the film and its note");

    // Sought in, seen and heard.
    let picture = pictures_of(&file, &["-ss", "4"]).into_iter().next().unwrap();
    assert_colour(&picture, (80, 45), RED);
    let tone = sound_of(&file, &["-ss", "4"]);
    assert!((pitch(&tone[..24_000]) - 440.0).abs() < 3.0, "{} Hz", pitch(&tone[..24_000]));
    println!(
        "{part:.1} of {killed:.1} s on the disk when killed, {:.1} of {stopped:.1} s in the end",
        recording.seconds
    );
}

/// The only recording, once it can be fetched.
async fn ready(recordings: &Recordings, owner: AccountId) -> Recording {
    let finished = async {
        loop {
            if let Some(recording) = recordings.of(owner).into_iter().find(|recording| recording.ready) {
                return recording;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), finished).await.expect("the recording is finished")
}

#[tokio::test]
async fn a_broadcast_without_anybody_shows_its_title_and_silence() {
    let streaming = streaming();
    let (broadcast, mut facts) = streaming.start(broadcast_id(), "季度例会".to_owned()).await.unwrap();
    assert_eq!(timeout(Duration::from_secs(10), facts.recv()).await.unwrap(), Some(BroadcastFact::Live));
    assert!(matches!(streaming.start(broadcast_id(), String::new()).await, Err(StreamingError::Taken(_))));
    // Dropping it is stopping it.
    drop(broadcast);
    assert_eq!(timeout(Duration::from_secs(5), facts.recv()).await.unwrap(), Some(BroadcastFact::Ended));
    assert_eq!(facts.recv().await, None);
    let folder = tempfile::tempdir().unwrap();
    save(&streaming.origin(), broadcast_id(), folder.path()).await;
    let frames = pictures(folder.path());
    let bright = frames.last().unwrap().iter().filter(|pixel| pixel[1] > 120).count();
    assert!((20..2_000).contains(&bright), "{bright} bright pixels");
    assert!(sound(folder.path()).iter().all(|sample| sample.abs() < 0.001));
}

#[tokio::test]
async fn without_a_studio_there_is_an_error_and_no_broadcast() {
    let streaming = Streaming::new(StreamingConfig { studio: "/nonexistent".into(), ..StreamingConfig::default() });
    let refused = streaming.start(broadcast_id(), String::new()).await;
    assert!(matches!(refused, Err(StreamingError::Studio { .. })), "{refused:?}");
    assert_eq!(streaming.origin().get(broadcast_id(), "index.m3u8", None).await, Err(OriginError::NotFound));
}

#[tokio::test]
async fn a_studio_that_dies_at_once_is_given_up_in_the_end() {
    let streaming = Streaming::new(StreamingConfig { studio: "/bin/false".into(), ..StreamingConfig::default() });
    let (_broadcast, mut facts) = streaming.start(broadcast_id(), String::new()).await.unwrap();
    let mut restarts = 0;
    let failed = timeout(Duration::from_secs(20), async {
        loop {
            match facts.recv().await {
                Some(BroadcastFact::Restarting) => restarts += 1,
                other => return other,
            }
        }
    });
    assert!(matches!(failed.await.unwrap(), Some(BroadcastFact::Failed(_))));
    assert_eq!(restarts, 7);
    assert_eq!(streaming.origin().get(broadcast_id(), "index.m3u8", None).await, Err(OriginError::NotFound));
}
