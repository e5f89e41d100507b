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
    Camera, Parts, Target, Voice, assert_colour, attribute, follow, is_colour, length, picture_times, pictures,
    pictures_of, pitch, probe, processor_time, save, sound, sound_of,
};
use media::{Codec, MediaPacket, TrackKind, VideoCodec};
use model::{AccountId, BroadcastId, Layout, MeetingId, ParticipantId, PushState, PushUrl};
use streaming::{
    BroadcastFact, Film, NewRecording, Origin, OriginError, Recording, RecordingConfig, RecordingFailed, Recordings,
    Scene, Streaming, StreamingConfig, StreamingError, Tile, TileKind,
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

const RED: [u8; 3] = [200, 40, 40];
const GREEN: [u8; 3] = [30, 160, 60];
const CARD: [u8; 3] = [38, 41, 50];
const WHITE: [u8; 3] = [235, 235, 235];

/// What a viewer may lose when a studio dies.
const LOST_MAX: Duration = Duration::from_secs(6);

/// Flashes of light, each with a beep.
const FLASHES: usize = 5;

/// What the meeting's own jitter buffer and mixer, which are not in these tests, delay the sound by: 60 to 80 ms.
const MIXING: Duration = Duration::from_millis(70);

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
    let recording = RecordingConfig { folder: Some(folder.to_owned()), tracks: true, ..RecordingConfig::default() };
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
        timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("{expected:?} in time")).unwrap();
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
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1), MIXING));
    camera.see(RED);
    let voice = Voice::start(broadcast.feed(), 440.0);
    broadcast.show(scene(TileKind::Video(TrackKind::Camera)));
    let mut facts = attend(facts, Arc::clone(&camera));
    let parts = Arc::new(Mutex::new(Parts::default()));
    let player = tokio::spawn(follow(origin.clone(), broadcast_id(), "video", Arc::clone(&parts)));

    let live = fact(&mut facts, 0, BroadcastFact::Live).await;
    let pid = broadcast.studio_pid().expect("a studio runs");
    let used = processor_time(pid).unwrap();
    sleep(Duration::from_secs(4)).await;
    let used = processor_time(pid).unwrap() - used;

    // Flashes and beeps at one time.
    voice.loudness.store(0, Ordering::Release);
    sleep(Duration::from_millis(500)).await;
    for _ in 0..FLASHES {
        camera.see(WHITE);
        sleep(MIXING).await;
        voice.loudness.store(60, Ordering::Release);
        sleep(Duration::from_millis(250)).await;
        camera.see(GREEN);
        voice.loudness.store(0, Ordering::Release);
        sleep(Duration::from_millis(350)).await;
    }
    voice.loudness.store(30, Ordering::Release);
    sleep(Duration::from_millis(1_500)).await;

    let crash = Instant::now();
    assert!(Command::new("kill").args(["-SEGV", &pid.to_string()]).status().unwrap().success());
    let restarting = fact(&mut facts, 1, BroadcastFact::Restarting).await;
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
    assert_colour(picture, (66, 74), CARD);
    assert!((pitch(tone) - 440.0).abs() < 3.0, "{} Hz", pitch(tone));
    // And so it is again after the crash.
    let (picture, tone) = at(length(before) + length(after) - 1.5);
    assert_colour(picture, (80, 30), GREEN);
    assert!((pitch(tone) - 440.0).abs() < 3.0, "{} Hz", pitch(tone));

    // The avatar that came first has a white letter: two seconds later it is gone.
    let is_white = |frame: &Vec<[u8; 3]>| frame[30 * 160 + 80].iter().all(|value| *value > 200);
    let rises = |is_on: Vec<bool>, per_second: f64| -> Vec<f64> {
        let rises = is_on.windows(2).enumerate().filter(|(_, pair)| !pair[0] && pair[1]);
        rises.map(|(index, _)| (index + 1) as f64 / per_second).collect()
    };
    let until = length(before);
    let lit = frames[50..(until * 25.0) as usize].iter().map(is_white);
    let flashes = rises(lit.collect(), 25.0);
    // Above the hum before and after; a beep is loud in each of its moments. Where the crash cuts it off, the hum may be as loud.
    let heard = 96_000..((2.0 + flashes.last().unwrap() + 0.5) * 48e3) as usize;
    let peaks = samples[heard].chunks(48 * 5).map(|window| window.iter().fold(0.0_f32, |peak, of| peak.max(of.abs())));
    let beeps = rises(peaks.map(|peak| peak > 0.4).collect(), 200.0);
    assert_eq!((flashes.len(), beeps.len()), (FLASHES, FLASHES), "{flashes:?} {beeps:?}");
    let each: Vec<f64> = flashes.iter().zip(&beeps).map(|(flash, beep)| flash - beep).collect();
    // A machine that is busy with other things shows pictures late, and lets some of the flashes come in time.
    let level = each.iter().filter(|ahead| ahead.abs() <= 0.045).count();
    assert!(level >= 2, "sound is {each:?} s before the picture");

    let came: Vec<Instant> = (0..12).filter_map(|part| parts.came_of(&format!("-p{part}.m4s"))).collect();
    let gaps = came.windows(2).map(|pair| pair[1] - pair[0]);
    println!(
        "live after {:?}, parts at most {:?} apart, sound {each:.3?} s ahead, crash noticed after {:?}, live again after {:?}, \
         {:.2} core",
        live - start,
        gaps.skip(3).max().unwrap(),
        restarting - crash,
        back - crash,
        used.as_secs_f64() / 4.0,
    );
}

// product: P3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_studio_that_hangs_is_replaced() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    // With each voice kept, somebody's is there fifty times a second, whatever the studio does.
    let streaming = recording_into(folder.path());
    let (broadcast, mut facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let _voice = Voice::start(broadcast.feed(), 440.0);
    let mut next = async || timeout(Duration::from_secs(20), facts.recv()).await.expect("a fact in time");
    assert_eq!(next().await, Some(BroadcastFact::Live));
    let pid = broadcast.studio_pid().expect("a studio runs");
    assert!(Command::new("kill").args(["-STOP", &pid.to_string()]).status().unwrap().success());
    let hung = Instant::now();
    assert_eq!(next().await, Some(BroadcastFact::Restarting));
    assert_eq!(next().await, Some(BroadcastFact::Live));
    let back = hung.elapsed();
    assert_ne!(broadcast.studio_pid(), Some(pid));
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the one that hangs is gone");
    // It is noticed half as fast as a crash is.
    assert!(back < LOST_MAX * 2, "back after {back:?}");
    // One that hangs keeps nobody from stopping it.
    let pid = broadcast.studio_pid().expect("a studio runs");
    assert!(Command::new("kill").args(["-STOP", &pid.to_string()]).status().unwrap().success());
    sleep(Duration::from_millis(500)).await;
    timeout(LOST_MAX, broadcast.stop()).await.expect("it is stopped");
    println!("a studio that hangs is replaced after {back:?}");
}

// product: C23, B6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_is_full_ends_and_the_livestream_goes_on() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    let recording =
        RecordingConfig { folder: Some(folder.path().to_owned()), quota_bytes: 40_000, ..RecordingConfig::default() };
    let streaming = Streaming::new(StreamingConfig { studio, recording, ..StreamingConfig::default() });
    let (broadcast, mut facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let _voice = Voice::start(broadcast.feed(), 440.0);
    let mut next = async || timeout(Duration::from_secs(30), facts.recv()).await.expect("a fact in time");
    assert_eq!(next().await, Some(BroadcastFact::Live));
    let (meeting, owner) = (MeetingId::from_u128(5), AccountId::from_u128(6));
    let new = NewRecording { meeting, broadcast: Some(broadcast_id()), owner, site: None, title: "例会".to_owned() };
    broadcast.record(new).unwrap();
    assert_eq!(next().await, Some(BroadcastFact::RecordingFailed(RecordingFailed::Full)));
    let pid = broadcast.studio_pid();
    let playlist = streaming.origin().get(broadcast_id(), "video.m3u8", None).await.unwrap().body;
    let (msn, part) = harness::next_part(std::str::from_utf8(&playlist).unwrap());
    let query = format!("_HLS_msn={}&_HLS_part={part}", msn + 1);
    let later = streaming.origin().get(broadcast_id(), "video.m3u8", Some(&query)).await;
    assert!(later.is_ok() && broadcast.studio_pid() == pid, "the livestream goes on: {later:?}");
    // What came before is a film.
    let film = ready(&streaming.recordings(), owner).await;
    assert!(film.seconds > 0.5 && film.bytes <= 40_000, "{film:?}");
    broadcast.stop().await;
}

// product: B2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_layouts_come_and_go_and_the_picture_never_stops() {
    let _alone = ALONE.lock().await;
    let streaming = streaming();
    let (broadcast, facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1), MIXING));
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
    // A gallery of four: the camera in the first quarter, cards in the others.
    let (origin, folder) = (streaming.origin(), tempfile::tempdir().unwrap());
    seen(&origin, folder.path(), &[((40, 10), RED), ((90, 10), CARD), ((10, 60), CARD)]).await;
    broadcast.stop().await;
    fact(&mut facts, 1, BroadcastFact::Ended).await;
    save(&origin, broadcast_id(), folder.path()).await;
    if let Some(out) = std::env::var_os("HUITONG_TEST_OUT") {
        Command::new("cp").arg("-r").arg(folder.path()).arg(out).status().unwrap();
    }

    // Each picture begins where the one before ends, and none stands longer than a part, whose first is never left out.
    let times = picture_times(folder.path());
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(times.len() > 40 && steps.iter().all(|step| (0.033..=0.201).contains(step)), "{steps:?}");
}

/// Waits until the newest picture has these colours at these places.
async fn seen(origin: &Origin, folder: &Path, colours: &[((usize, usize), [u8; 3])]) {
    let shown = async {
        // The churn has lasted so many segments.
        for msn in 4.. {
            let reached = origin.get(broadcast_id(), "video.m3u8", Some(&format!("_HLS_msn={msn}"))).await;
            reached.expect("the next segment");
            save(origin, broadcast_id(), folder).await;
            let picture = pictures(folder).pop().unwrap();
            if colours.iter().all(|(place, colour)| is_colour(&picture, *place, *colour)) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(40), shown).await.unwrap_or_else(|_| panic!("{colours:?} are seen"));
}

// product: B3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_target_that_stops_reading_harms_nothing_and_is_tried_again() {
    let _alone = ALONE.lock().await;
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    let streaming = Streaming::new(StreamingConfig { studio, private_push: true, ..StreamingConfig::default() });
    let (broadcast, mut facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let voice = Voice::start(broadcast.feed(), 440.0);
    let (stops, reads) = (Target::start(Some(2_000)), Target::start(None));
    broadcast.push(1, PushUrl::new(&stops.url));
    broadcast.push(2, PushUrl::new(&reads.url));
    let (mut states, mut states_of_other) = (Vec::new(), Vec::new());
    // Much to send: what the system takes for somebody who doesn't read is soon full.
    let card = |number: u128| Tile {
        participant: participant(number),
        name: format!("{number}"),
        kind: TileKind::Avatar,
        speaking: false,
        phone: false,
    };
    let (mut changes, mut step) = (tokio::time::interval(Duration::from_millis(40)), 0);
    let tried_again = async {
        while states != [PushState::Live, PushState::Retrying, PushState::Live] || states_of_other.is_empty() {
            tokio::select! {
                fact = facts.recv() => match fact.unwrap() {
                    BroadcastFact::Pushed(1, state) => states.push(state),
                    BroadcastFact::Pushed(_, state) => states_of_other.push(state),
                    BroadcastFact::KeyframeWanted(..) | BroadcastFact::Live => {}
                    other => panic!("{other:?}"),
                },
                _ = changes.tick() => {
                    step += 1;
                    broadcast.show(Scene { layout: Layout::Gallery, tiles: (0..step * 7 % 16).map(card).collect() });
                }
            }
        }
    };
    let tried_again = timeout(Duration::from_secs(120), tried_again).await;
    tried_again.unwrap_or_else(|_| panic!("it is tried again: {states:?}, the other one {states_of_other:?}"));
    drop(voice);
    broadcast.stop().await;

    assert_eq!(states_of_other, [PushState::Live], "the other one has noticed");
    assert!(stops.pictures(1).len() > 2, "pictures come to the new connection");
    let steps = |times: &[u32]| times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    let other = reads.pictures(0);
    // Longer than it takes to find out that one takes nothing.
    assert!(*other.last().unwrap() > 15_000 && steps(&other) <= 201, "{other:?}");
    let folder = tempfile::tempdir().unwrap();
    save(&streaming.origin(), broadcast_id(), folder.path()).await;
    let times = picture_times(folder.path());
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] < 0.201), "viewers have noticed: {times:?}");
}

// product: C23, B6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_survives_the_server_and_becomes_a_plain_file() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let streaming = recording_into(folder.path());
    let (broadcast, facts) = streaming.start_unpublished("例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1), MIXING));
    camera.see(RED);
    let voice = Voice::start(broadcast.feed(), 440.0);
    broadcast.name([(participant(1), "韩梅梅".to_owned())].into());
    let _facts = attend(facts, Arc::clone(&camera));
    let mut scene = scene(TileKind::Video(TrackKind::Camera));
    scene.tiles.truncate(1);
    broadcast.show(scene);
    let (meeting, owner) = (MeetingId::from_u128(5), AccountId::from_u128(6));
    let new = NewRecording { meeting, broadcast: Some(broadcast_id()), owner, site: None, title: "例会".to_owned() };
    let start = Instant::now();
    broadcast.record(new).unwrap();
    sleep(Duration::from_secs(6)).await;
    voice.loudness.store(0, Ordering::Release);
    sleep(Duration::from_secs(1)).await;
    voice.loudness.store(60, Ordering::Release);
    sleep(Duration::from_secs(2)).await;

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
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "the film, its note and the voice");

    // Sought in, seen and heard.
    let picture = pictures_of(&file, &["-ss", "4"]).into_iter().next().unwrap();
    assert_colour(&picture, (80, 45), RED);
    let tone = sound_of(&file, &["-ss", "4"]);
    assert!((pitch(&tone[..24_000]) - 440.0).abs() < 3.0, "{} Hz", pitch(&tone[..24_000]));

    // The voice by itself is as long as the film, and in its place.
    assert_eq!(recording.tracks.iter().map(|track| track.name.as_str()).collect::<Vec<_>>(), ["韩梅梅"]);
    let Some(Film::File(track)) = recordings.track(&recording, 0) else { panic!("it is on the disk") };
    assert!((length(&track) - recording.seconds).abs() < 0.3, "{} s of {}", length(&track), recording.seconds);
    let [film, own] = [&file, &track].map(|file| sound_of(file, &[]));
    // After the second of silence. On a busy machine sound waits longer than it should in the film.
    let [onset, own_onset] = [&film, &own].map(|sound| {
        let peaks: Vec<f32> = sound.chunks(48).map(|ms| ms.iter().fold(0.0, |peak, of| of.abs().max(peak))).collect();
        let silence = (3_000..).find(|ms| peaks[*ms..ms + 200].iter().all(|peak| *peak < 0.02)).unwrap();
        (silence + peaks[silence..].iter().position(|peak| *peak > 0.3).unwrap()) as f64 / 1e3
    });
    assert!((onset - own_onset).abs() < 0.15, "it begins at {own_onset} s, in the film at {onset} s");
    assert!((pitch(&own[48_000..][..24_000]) - 440.0).abs() < 3.0);
    assert!(recordings.remove(&recording));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "all of it is gone");
    println!(
        "the voice begins {:.0} ms after the film's, {part:.1} of {killed:.1} s on the disk when killed, {:.1} of {stopped:.1} s in the end",
        (own_onset - onset) * 1e3,
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

// product: B2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_what_nothing_decodes_is_an_avatar_and_that_is_told_once() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    // A GStreamer that has everything but what decodes AV1.
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let all = Command::new("pkg-config").args(["--variable=pluginsdir", "gstreamer-1.0"]).output().unwrap();
    for plugin in std::fs::read_dir(String::from_utf8(all.stdout).unwrap().trim()).unwrap().flatten() {
        let name = plugin.file_name();
        if !["libgstdav1d.so", "libgstaom.so"].iter().any(|without| name == **without) {
            std::os::unix::fs::symlink(plugin.path(), plugins.join(name)).unwrap();
        }
    }
    let studio = folder.path().join("studio");
    let real = env!("CARGO_BIN_EXE_huitong-studio");
    let (path, registry) = (plugins.display(), folder.path().join("registry"));
    let script = format!(
        "#!/bin/sh\nexport GST_PLUGIN_SYSTEM_PATH_1_0={path} GST_REGISTRY={}\nexec {real} \"$@\"\n",
        registry.display()
    );
    std::fs::write(&studio, script).unwrap();
    std::fs::set_permissions(&studio, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let missing = Command::new(&studio).arg("--missing-decoders").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&missing.stdout), format!("{}\n", VideoCodec::Av1));

    let streaming = Streaming::new(StreamingConfig { studio, ..StreamingConfig::default() });
    let (broadcast, mut facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let voice = Voice::start(broadcast.feed(), 440.0);
    let mut scene = scene(TileKind::Video(TrackKind::Camera));
    scene.tiles.truncate(1);
    broadcast.show(scene);
    let feed = broadcast.feed();
    let mut packets = tokio::time::interval(Duration::from_millis(40));
    let (mut told, mut seq, mut live) = (0, 0_u64, None);
    // Three seconds of it.
    while live.is_none_or(|live: Instant| live.elapsed() < Duration::from_secs(3)) {
        tokio::select! {
            _ = packets.tick() => {
                seq += 1;
                let codec = Codec::Video(VideoCodec::Av1);
                let (timestamp, payload) = (seq as u32 * 3_600, Arc::from([0x08, 0x0a]));
                let packet = MediaPacket { codec, seq, timestamp, marker: true, level: None, payload };
                feed.video(participant(1), TrackKind::Camera, None, &packet);
            }
            fact = facts.recv() => match fact.unwrap() {
                BroadcastFact::Undecodable(who, TrackKind::Camera) => {
                    assert_eq!(who, participant(1));
                    told += 1;
                }
                BroadcastFact::Live => live = Some(Instant::now()),
                BroadcastFact::KeyframeWanted(..) => {}
                other => panic!("{other:?}"),
            },
        }
    }
    drop(voice);
    broadcast.stop().await;
    assert_eq!(told, 1);
    let folder = tempfile::tempdir().unwrap();
    save(&streaming.origin(), broadcast_id(), folder.path()).await;
    let last = pictures(folder.path()).pop().unwrap();
    assert_colour(&last, (10, 10), CARD);
    assert!((0..160 * 90).any(|at| is_colour(&last, (at % 160, at / 160), WHITE)), "his letter stands on it");
}

// product: B1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_broadcast_leaves_its_room_to_the_next_at_once() {
    let _alone = ALONE.lock().await;
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    // Room for one.
    let streaming = Streaming::new(StreamingConfig { studio, cores: Some(1), ..StreamingConfig::default() });
    let (first, mut facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    assert_eq!(timeout(Duration::from_secs(20), facts.recv()).await.unwrap(), Some(BroadcastFact::Live));
    let refused = streaming.start_unpublished(String::new()).await;
    assert!(matches!(refused, Err(StreamingError::Busy(1))), "{refused:?}");
    let ending = first.stop();
    let (second, _facts) = streaming.start_unpublished("例会".to_owned()).await.expect("there is room again");
    assert!(streaming.start_unpublished(String::new()).await.is_err(), "for one");
    ending.await;
    assert!(streaming.start_unpublished(String::new()).await.is_err(), "its end gives nothing back twice");
    second.stop().await;
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

// product: B2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_picture_gives_way_to_another_broadcast_without_a_gap() {
    let _alone = ALONE.lock().await;
    let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
    let config = StreamingConfig { studio, full_hd: true, cores: Some(3), ..StreamingConfig::default() };
    let streaming = Streaming::new(config);
    let origin = streaming.origin();
    let (broadcast, facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
    let camera = Arc::new(Camera::start(broadcast.feed(), participant(1), MIXING));
    camera.see(RED);
    broadcast.show(scene(TileKind::Video(TrackKind::Camera)));
    let mut facts = attend(facts, Arc::clone(&camera));
    fact(&mut facts, 0, BroadcastFact::Live).await;
    let text = async |name: &str, query: Option<&str>| {
        String::from_utf8(origin.get(broadcast_id(), name, query).await.unwrap().body.to_vec()).unwrap()
    };
    text("high.m3u8", Some("_HLS_msn=0&_HLS_part=0")).await;
    let index = text("index.m3u8", None).await;
    for lines in ["1920x1080", "1280x720", "640x360"] {
        assert!(index.contains(&format!("RESOLUTION={lines}")), "{index}");
    }

    // As many others come as there is room for: room that the first one's largest picture had.
    let mut others = Vec::new();
    loop {
        let id = BroadcastId::new(uuid::Uuid::from_u128(100 + others.len() as u128));
        match streaming.start(id, String::new()).await {
            Ok(other) => others.push((id, other)),
            Err(error) => {
                assert!(matches!(error, StreamingError::Busy(_)), "{error}");
                break;
            }
        }
    }
    assert!(others.len() >= 3, "{} others", others.len());
    let (mut msn, maps) = (1, |text: &str| text.matches("#EXT-X-MAP").count());
    while maps(&text("high.m3u8", Some(&format!("_HLS_msn={msn}"))).await) < 2 {
        msn += 1;
        assert!(msn < 9, "it goes on at its size");
    }
    text("high.m3u8", Some(&format!("_HLS_msn={}", msn + 2))).await;
    assert!(!text("index.m3u8", None).await.contains("1920x1080"), "newcomers are not offered it");
    let init = async |id| {
        let playlist = origin.get(id, "video.m3u8", None).await.unwrap().body;
        let playlist = std::str::from_utf8(&playlist).unwrap();
        let map = playlist.lines().find(|line| line.starts_with("#EXT-X-MAP")).unwrap();
        origin.get(id, &attribute(map, "URI").unwrap(), None).await.unwrap().body
    };
    assert_eq!(init(broadcast_id()).await, init(others[0].0).await, "a recording goes on over a restart");
    for (_, (other, _)) in others {
        other.stop().await;
    }
    broadcast.stop().await;

    // Nothing is missing between the two, nothing is there twice, and all of it is the picture of the camera.
    let folder = tempfile::tempdir().unwrap();
    save(&origin, broadcast_id(), folder.path()).await;
    let playlist = std::fs::read_to_string(folder.path().join("high.m3u8")).unwrap();
    assert!(!playlist.contains("#EXT-X-DISCONTINUITY\n"), "{playlist}");
    let smaller = std::fs::read_to_string(folder.path().join("video.m3u8")).unwrap();
    // A busy machine leaves pictures out, of one size or the other, but for the first of each part.
    let lengths = |text: &str| -> Vec<f64> {
        let lengths = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.trim_end_matches(',').parse().ok());
        lengths.collect()
    };
    let (lengths, smaller) = (lengths(&playlist), lengths(&smaller));
    let are_alike = lengths.iter().zip(&smaller).all(|(own, other)| (own - other).abs() < 0.21);
    assert!(are_alike && lengths.len().abs_diff(smaller.len()) < 2, "{lengths:?} and {smaller:?}");
    let mut films: Vec<Vec<u8>> = Vec::new();
    for line in playlist.lines() {
        if line.starts_with("#EXT-X-MAP") {
            films.push(std::fs::read(folder.path().join(attribute(line, "URI").unwrap())).unwrap());
        } else if line.ends_with(".m4s") {
            films.last_mut().unwrap().extend(std::fs::read(folder.path().join(line)).unwrap());
        }
    }
    let [before, after] = [0, 1].map(|index| {
        let path = folder.path().join(format!("{index}.mp4"));
        std::fs::write(&path, &films[index]).unwrap();
        path
    });
    let [times, times_after] = [&before, &after].map(|film| harness::picture_times_of(film, &[]));
    // Two parts at most, on the busiest machine: a segment that is lost is 2 s.
    let (last, first) = (times.last().unwrap(), times_after.first().unwrap());
    assert!((0.02..0.5).contains(&(first - last)), "{last} s is followed by {first} s");
    for film in [before, after] {
        let pictures = pictures_of(&film, &[]);
        assert!(pictures.len() > 25, "{} pictures", pictures.len());
        assert_colour(pictures.last().unwrap(), (80, 40), RED);
    }
}

// product: B1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_encoder_is_taken_where_it_is_wished_for_and_is_there() {
    let _alone = ALONE.lock().await;
    // The processor's two make pictures of different profiles.
    for (wished, profile) in [("openh264enc", "Constrained Baseline"), ("software", "Main")] {
        let studio = PathBuf::from(env!("CARGO_BIN_EXE_huitong-studio"));
        let encoder = Some(wished.to_owned());
        let streaming = Streaming::new(StreamingConfig { studio, encoder, ..StreamingConfig::default() });
        let (broadcast, facts) = streaming.start(broadcast_id(), "例会".to_owned()).await.unwrap();
        let camera = Arc::new(Camera::start(broadcast.feed(), participant(1), MIXING));
        camera.see(RED);
        broadcast.show(scene(TileKind::Video(TrackKind::Camera)));
        let mut facts = attend(facts, Arc::clone(&camera));
        fact(&mut facts, 0, BroadcastFact::Live).await;
        let segment = streaming.origin().get(broadcast_id(), "video.m3u8", Some("_HLS_msn=1&_HLS_part=4")).await;
        assert!(segment.is_ok(), "{wished}: {segment:?}");
        broadcast.stop().await;
        let folder = tempfile::tempdir().unwrap();
        save(&streaming.origin(), broadcast_id(), folder.path()).await;
        let probed = probe(folder.path());
        let profiles: Vec<&str> =
            probed["streams"].as_array().unwrap().iter().filter_map(|stream| stream["profile"].as_str()).collect();
        assert!(profiles.contains(&profile), "{wished}: {profiles:?}");
        let frames = pictures(folder.path());
        assert_colour(frames.last().unwrap(), (80, 30), RED);
        // None is held back, or comes out of its order.
        let times = picture_times(folder.path());
        assert!(times.len() > 4 && times.windows(2).all(|pair| pair[0] < pair[1]), "{wished}: {times:?}");
    }
}
