//! The packager in virtual time: its playlists read by an independent parser and by the rules of RFC 8216bis, its files
//! by an independent reader of ISO media.

use std::io::Cursor;

use mp4_atom::{Any, Codec, Decode, FourCC, ReadFrom};

use super::*;

const TICK: Duration = cadence::TICK;

use crate::cadence;

/// An encoder without a studio: a picture each tick with a key frame at each segment, and AAC beside it.
struct Studio {
    packager: Packager,
    wall: SystemTime,
    tick: u64,
    sound: u64,
    /// Of the last picture.
    segment: Option<u64>,
}

impl Studio {
    fn new() -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_123);
        let mut studio =
            Self { packager: Packager::new(Duration::ZERO, None, "m"), wall, tick: 0, sound: 0, segment: None };
        studio.say_formats();
        studio
    }

    fn with_captions() -> Self {
        let mut studio = Self::new();
        studio.packager = Packager::new(Duration::ZERO, Some("zh-CN".to_owned()), "m");
        studio.say_formats();
        studio
    }

    /// Somebody says something, so long before now.
    fn say(&mut self, text: &str, ago: Duration) {
        let end = cadence::time_of(self.tick).saturating_sub(ago);
        self.packager.handle_cue(&Cue {
            start: end.saturating_sub(Duration::from_secs(1)),
            end,
            text: text.to_owned(),
        });
    }

    fn captions(&self, msn: u64) -> String {
        String::from_utf8(self.bytes(&format!("captions-m-{msn}.vtt")).to_vec()).unwrap()
    }

    fn say_formats(&mut self) {
        let avcc = Bytes::from_static(AVCC);
        self.packager.handle_format(Track::Video, Format::Video { width: 1280, height: 720, avcc: avcc.clone() });
        self.packager.handle_format(Track::Low, Format::Video { width: 640, height: 360, avcc });
        let config = Bytes::from_static(&[0x11, 0x88]);
        self.packager.handle_format(Track::Audio, Format::Audio { rate: 48_000, channels: 1, config });
    }

    fn run(&mut self, ticks: u64) {
        (0..ticks).for_each(|_| self.tick(|_| true));
    }

    /// One tick; `seen` says whether the encoder gives its picture.
    fn tick(&mut self, seen: impl Fn(u64) -> bool) {
        let pts = cadence::time_of(self.tick);
        let now = self.wall + pts;
        if seen(self.tick) {
            let segment = Some(cadence::segment_at(pts));
            let keyframe = self.segment != segment;
            self.segment = segment;
            let data = Bytes::from(vec![u8::from(keyframe); 2_000]);
            let small = AccessUnit { track: Track::Low, pts, keyframe, data: data.slice(..500) };
            self.packager.handle_unit(AccessUnit { track: Track::Video, pts, keyframe, data }, now);
            self.packager.handle_unit(small, now);
        }
        self.tick += 1;
        loop {
            let pts = Duration::from_nanos(self.sound * 1_024 * 1_000_000_000 / 48_000);
            if pts >= cadence::time_of(self.tick) {
                break;
            }
            let data = Bytes::from_static(&[7; 250]);
            self.packager.handle_unit(AccessUnit { track: Track::Audio, pts, keyframe: true, data }, now);
            self.sound += 1;
        }
    }

    /// The studio dies, and the next one begins after `gap`.
    fn die(&mut self, gap: Duration) {
        self.packager.end_run();
        self.wall += cadence::time_of(self.tick) + gap;
        (self.tick, self.sound, self.segment) = (0, 0, None);
        self.say_formats();
    }

    fn text(&self, track: Track) -> String {
        let text = self.packager.playlist(track, false).expect("the track is used");
        String::from_utf8(text.plain().to_vec()).unwrap()
    }

    fn bytes(&self, name: &str) -> Bytes {
        match self.packager.file(name) {
            Stored::There(bytes) => bytes,
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Main profile, level 3.1, with a sequence and a picture parameter set of x264's.
/// What [`Studio`] makes.
const USED: [Track; 3] = [Track::Video, Track::Audio, Track::Low];

const AVCC: &[u8] = &[1, 0x4d, 0x40, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x4d, 0x40, 0x1f, 1, 0, 4, 0x68, 0xee, 0x3c, 0x80];

/// What a playlist says, as far as the rules need it.
#[derive(Debug, Default)]
struct Read {
    msn: u64,
    segments: Vec<(f64, String)>,
    /// Part durations, names and independence; with the index of their segment.
    parts: Vec<(usize, f64, String, bool)>,
    discontinuities: Vec<usize>,
    hint: Option<String>,
    ended: bool,
    tags: Vec<String>,
}

fn attribute(line: &str, name: &str) -> Option<String> {
    let rest = line.split_once(':')?.1;
    let value = rest.split(',').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))?.1;
    Some(value.trim_matches('"').to_owned())
}

fn read(text: &str) -> Read {
    let mut read = Read::default();
    let mut duration = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("#EXTINF:") {
            duration = rest.trim_end_matches(',').parse().ok();
        } else if line.starts_with("#EXT-X-PART:") {
            let seconds = attribute(line, "DURATION").unwrap().parse().unwrap();
            let independent = line.contains("INDEPENDENT=YES");
            read.parts.push((read.segments.len(), seconds, attribute(line, "URI").unwrap(), independent));
        } else if let Some(msn) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            read.msn = msn.parse().unwrap();
        } else if line == "#EXT-X-DISCONTINUITY" {
            read.discontinuities.push(read.segments.len());
        } else if line.starts_with("#EXT-X-PRELOAD-HINT:") {
            read.hint = attribute(line, "URI");
        } else if line == "#EXT-X-ENDLIST" {
            read.ended = true;
        } else if !line.starts_with('#') {
            read.segments.push((duration.take().expect("EXTINF before it"), line.to_owned()));
        }
        read.tags.push(line.split(':').next().unwrap_or_default().to_owned());
    }
    read
}

/// RFC 8216bis §4.4: target durations, parts, and what is promised about them.
#[track_caller]
fn check_rules(text: &str) -> Read {
    m3u8_rs::parse_media_playlist_res(text.as_bytes()).expect("an independent parser reads it");
    let read = read(text);
    let part_target: f64 =
        attribute(text.lines().find(|line| line.starts_with("#EXT-X-PART-INF")).unwrap(), "PART-TARGET")
            .unwrap()
            .parse()
            .unwrap();
    for (duration, name) in &read.segments {
        assert!(duration.round() <= 2.0, "{name} of {duration} s");
    }
    for (index, (segment, duration, name, _)) in read.parts.iter().enumerate() {
        assert!(*duration <= part_target, "{name} of {duration} s");
        let last = read.parts.get(index + 1).is_none_or(|next| next.0 != *segment);
        assert!(last || *duration >= part_target * 0.85, "{name} of {duration} s");
    }
    for (index, (segment, _)) in read.segments.iter().enumerate() {
        let parts: Vec<_> = read.parts.iter().filter(|part| part.0 == index).collect();
        if let Some(first) = parts.first() {
            assert!(first.3, "a segment begins with a key frame");
            let sum: f64 = parts.iter().map(|part| part.1).sum();
            assert!((sum - segment).abs() < 0.001, "parts of {sum} s in a segment of {segment} s");
        }
    }
    assert_eq!(read.hint.is_none(), read.ended);
    read
}

// RFC 8216bis §4.4
#[test]
fn playlists_keep_the_rules_all_the_time() {
    let mut studio = Studio::new();
    for _ in 0..2_410 {
        studio.run(1);
        if studio.packager.is_playable() {
            USED.into_iter().for_each(|track| drop(check_rules(&studio.text(track))));
        }
    }
    let video = check_rules(&studio.text(Track::Video));
    // The open one is listed as well, by its parts.
    assert_eq!(video.segments.iter().map(|segment| segment.0).collect::<Vec<_>>(), [2.0; rendition::IN_MEMORY - 1]);
    assert_eq!(video.msn as usize + video.segments.len(), 41, "two short ones and 39 of 2 s make 80 s");
    assert!(video.parts.iter().all(|part| (part.1 - 0.2).abs() < 0.000_02), "{:?}", video.parts);
}

#[test]
fn the_first_segment_is_short_and_both_tracks_end_theirs_together() {
    let mut studio = Studio::new();
    studio.run(17);
    assert!(!studio.packager.is_playable());
    studio.run(1);
    assert!(studio.packager.is_playable() && studio.packager.is_running());
    studio.run(300);
    let (video, audio) = (read(&studio.text(Track::Video)), read(&studio.text(Track::Audio)));
    assert_eq!(video.segments[0].0, 0.6);
    assert_eq!(video.segments[1].0, 1.4);
    assert_eq!(video.segments.len(), audio.segments.len());
    for (picture, sound) in video.segments.iter().zip(&audio.segments) {
        assert!((picture.0 - sound.0).abs() < 0.025, "{} and {} s", picture.0, sound.0);
    }
}

// RFC 8216bis §6.2.5.2
#[test]
fn blocking_reload_waits_for_the_right_part() {
    let mut studio = Studio::new();
    studio.run(18);
    let reach = |studio: &Studio, msn, part| studio.packager.reach(Track::Video, msn, part);
    // Segment 0 is whole, segment 1 open without a part.
    assert_eq!(reach(&studio, 0, None), Reach::There);
    assert_eq!(reach(&studio, 0, Some(99)), Reach::There);
    assert_eq!(reach(&studio, 1, Some(0)), Reach::Coming);
    assert_eq!(reach(&studio, 1, None), Reach::Coming);
    assert_eq!(reach(&studio, 3, None), Reach::Coming);
    assert_eq!(reach(&studio, 4, None), Reach::TooFar);
    studio.run(5);
    assert_eq!(reach(&studio, 1, Some(0)), Reach::Coming);
    // The last picture of a part completes it, without waiting for the next.
    studio.run(1);
    assert_eq!(reach(&studio, 1, Some(0)), Reach::There);
    assert_eq!(reach(&studio, 1, Some(1)), Reach::Coming);
    assert_eq!(reach(&studio, 1, Some(14)), Reach::Coming);
    for far in [15, 1_000, u64::MAX] {
        assert_eq!(reach(&studio, 1, Some(far)), Reach::TooFar);
    }
    assert_eq!(reach(&studio, 2, Some(13)), Reach::Coming);
    assert_eq!(reach(&studio, 2, Some(14)), Reach::TooFar);
    // The tenth part of a segment of seven is the first of the next.
    assert_eq!(reach(&studio, 1, Some(9)), Reach::Coming);
    studio.run(36);
    assert_eq!(reach(&studio, 1, None), Reach::There);
    assert_eq!(reach(&studio, 1, Some(9)), Reach::There);
    studio.packager.finish();
    assert_eq!(reach(&studio, 99, None), Reach::There);
}

#[test]
fn the_hinted_part_is_the_one_that_comes() {
    let mut studio = Studio::new();
    studio.run(24);
    for _ in 0..200 {
        let hint = read(&studio.text(Track::Video)).hint.unwrap();
        assert_eq!(studio.packager.file(&hint), Stored::Coming);
        studio.run(6);
        assert!(matches!(studio.packager.file(&hint), Stored::There(_)), "{hint}");
    }
    studio.run(3);
    let hint = read(&studio.text(Track::Video)).hint.unwrap();
    studio.packager.end_run();
    assert!(matches!(studio.packager.file(&hint), Stored::There(_)), "the last part is what there was of it");
    let hint = read(&studio.text(Track::Video)).hint.unwrap();
    studio.die(Duration::from_millis(300));
    studio.run(8);
    assert_eq!(studio.packager.file(&hint), Stored::Missing, "no part of another studio under a promised name");
    let hint = read(&studio.text(Track::Video)).hint.unwrap();
    studio.packager.finish();
    assert!(matches!(studio.packager.file(&hint), Stored::There(_)));
    assert_eq!(read(&studio.text(Track::Video)).hint, None);
}

#[test]
fn files_are_found_by_their_names_only() {
    let mut studio = Studio::new();
    studio.run(200);
    for name in [
        "",
        "video",
        "video-",
        "video-0.m4s",
        "video-n-0.m4s",
        "video-m-",
        "video-init-0.mp4",
        "video-m-x.m4s",
        "video-m-p.m4s",
        "video-m-p-1.m4s",
        "video-m-init-7.mp4",
        "text-m-0.m4s",
        "video-m-999.m4s",
    ] {
        assert_eq!(studio.packager.file(name), Stored::Missing, "{name}");
    }
    let parts: Vec<u8> = (0..3).flat_map(|part| studio.bytes(&format!("video-m-p{part}.m4s"))).collect();
    assert_eq!(studio.bytes("video-m-0.m4s"), parts, "a segment is its parts");
}

// RFC 8216bis §6.2.5.1
#[test]
fn a_delta_leaves_out_what_is_old() {
    let mut studio = Studio::new();
    studio.run(2_000);
    let full = studio.text(Track::Video);
    let delta = studio.packager.playlist(Track::Video, true).unwrap().plain();
    let delta = String::from_utf8(delta.to_vec()).unwrap();
    assert!(delta.len() < full.len() * 9 / 10, "{} of {}", delta.len(), full.len());
    let skipped: usize =
        attribute(delta.lines().find(|line| line.starts_with("#EXT-X-SKIP")).unwrap(), "SKIPPED-SEGMENTS")
            .unwrap()
            .parse()
            .unwrap();
    let (full, delta) = (read(&full), read(&delta));
    assert_eq!(skipped + delta.segments.len(), full.segments.len());
    assert_eq!(full.segments[skipped..], delta.segments);
    let kept: f64 = delta.segments.iter().map(|segment| segment.0).sum();
    assert!(kept >= 12.0, "{kept} s are kept");
}

#[test]
fn a_dead_studio_leaves_a_discontinuity_and_time_goes_on() {
    let mut studio = Studio::new();
    studio.run(117);
    studio.die(Duration::from_millis(700));
    studio.run(200);
    for track in USED {
        let text = studio.text(track);
        let read = check_rules(&text);
        let name = playlist::name(track);
        assert_eq!(read.discontinuities.len(), 1, "{text}");
        let (before, after) = text.split_once("#EXT-X-DISCONTINUITY\n").unwrap();
        assert!(before.contains(&format!("#EXT-X-MAP:URI=\"{name}-m-init-0.mp4\"")));
        assert!(after.starts_with(&format!("#EXT-X-MAP:URI=\"{name}-m-init-1.mp4\"")), "{after}");
        studio.bytes(&format!("{name}-m-init-0.mp4"));
        studio.bytes(&format!("{name}-m-init-1.mp4"));
    }
    let first = read(&studio.text(Track::Video)).discontinuities[0];
    let fragment = fragments(&studio.bytes(&format!("video-m-{first}.m4s")))[0].0;
    let gap = fragment as f64 / 90_000.0 - 117.0 / 30.0;
    assert!((gap - 0.7).abs() < 0.05, "{gap} s after the end");

    // It leaves the playlist with its segment, and is counted.
    studio.run(2_000);
    let text = studio.text(Track::Video);
    assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") && read(&text).discontinuities.is_empty(), "{text}");
    assert_eq!(studio.packager.file("video-m-init-0.mp4"), Stored::Missing);
}

#[test]
fn the_clock_on_the_wall_may_go_back() {
    let mut studio = Studio::new();
    studio.run(100);
    studio.wall -= Duration::from_secs(3_600);
    studio.die(Duration::ZERO);
    studio.run(100);
    let first = read(&studio.text(Track::Video)).discontinuities[0];
    let start = fragments(&studio.bytes(&format!("video-m-{first}.m4s")))[0].0 as f64 / 90_000.0;
    assert!((3.33..3.43).contains(&start), "{start} s, where 3.33 s were there before");
}

// product: P3
#[test]
fn the_end_is_said_and_everything_before_it_is_there() {
    let mut studio = Studio::new();
    studio.run(163);
    studio.packager.finish();
    let read = check_rules(&studio.text(Track::Video));
    assert!(read.ended && studio.packager.is_finished());
    let length: f64 = read.segments.iter().map(|segment| segment.0).sum();
    assert!((length - 163.0 / 30.0).abs() < 0.001, "{length} s of 5.43");
    let late = AccessUnit { track: Track::Video, pts: TICK * 500, keyframe: true, data: Bytes::new() };
    assert!(!studio.packager.handle_unit(late, studio.wall));
}

#[test]
fn memory_is_bounded() {
    let mut studio = Studio::new();
    studio.run(30 * 600);
    let kept = (0..400).filter(|msn| matches!(studio.packager.file(&format!("video-m-{msn}.m4s")), Stored::There(_)));
    assert!(kept.count() <= rendition::IN_MEMORY + 3);
}

#[test]
fn lost_pictures_leave_no_hole() {
    let mut studio = Studio::new();
    for _ in 0..500 {
        studio.tick(|tick| tick % 10 == 0 || tick % 3 != 0);
    }
    let video = check_rules(&studio.text(Track::Video));
    let mut next = None;
    for (_, name) in &video.segments {
        for (start, duration) in fragments(&studio.bytes(name)) {
            assert_eq!(next.unwrap_or(start), start, "{name}");
            next = Some(start + duration);
        }
    }
}

#[test]
fn a_missing_key_frame_doesnt_make_a_segment_too_long() {
    let mut studio = Studio::new();
    // The key frame of 4 s is lost.
    for _ in 0..300 {
        studio.tick(|tick| tick != 120);
    }
    let read = read(&studio.text(Track::Video));
    assert!(read.segments.iter().all(|segment| segment.0.round() <= 2.0), "{:?}", read.segments);
}

#[test]
fn time_going_back_is_ignored() {
    let mut studio = Studio::new();
    studio.run(100);
    let before = studio.text(Track::Video);
    let unit = AccessUnit { track: Track::Video, pts: TICK, keyframe: true, data: Bytes::from_static(&[1]) };
    assert!(!studio.packager.handle_unit(unit, studio.wall));
    assert_eq!(studio.text(Track::Video), before);
}

// ISO 14496-12, read by mp4-atom
#[test]
fn init_segments_describe_their_tracks() {
    let mut studio = Studio::new();
    studio.run(100);
    let check = |name: &str, timescale: u32| {
        let mut bytes = Cursor::new(studio.bytes(name));
        let Any::Ftyp(ftyp) = Any::read_from(&mut bytes).unwrap() else { panic!("{name} begins with ftyp") };
        assert_eq!(ftyp.major_brand, FourCC::new(b"iso6"));
        let Any::Moov(moov) = Any::read_from(&mut bytes).unwrap() else { panic!("{name} goes on with moov") };
        assert!(Option::<Any>::read_from(&mut bytes).unwrap().is_none());
        let [track] = &moov.trak[..] else { panic!("one track in {name}") };
        assert_eq!((track.tkhd.track_id, moov.mvex.unwrap().trex[0].track_id), (1, 1));
        assert_eq!(track.mdia.mdhd.timescale, timescale);
        track.mdia.minf.stbl.stsd.codecs[0].clone()
    };
    let Codec::Avc1(avc1) = check("video-m-init-0.mp4", 90_000) else { panic!("video is AVC") };
    assert_eq!((avc1.visual.width, avc1.visual.height), (1280, 720));
    assert_eq!((avc1.avcc.avc_profile_indication, avc1.avcc.avc_level_indication), (0x4d, 0x1f));
    let Codec::Mp4a(mp4a) = check("audio-m-init-0.mp4", 48_000) else { panic!("audio is AAC") };
    assert_eq!((mp4a.audio.channel_count, mp4a.audio.sample_size), (1, 16));
    let decoder = &mp4a.esds.es_desc.dec_config;
    assert_eq!((decoder.object_type_indication, decoder.dec_specific.as_ref().unwrap().profile), (0x40, 2));
}

#[test]
fn parts_hold_their_samples() {
    let mut studio = Studio::new();
    studio.run(100);
    let mut bytes = Cursor::new(studio.bytes("video-m-p1.m4s"));
    let Any::Moof(moof) = Any::read_from(&mut bytes).unwrap() else { panic!("moof") };
    let moof_len = bytes.position();
    let Any::Mdat(mdat) = Any::read_from(&mut bytes).unwrap() else { panic!("mdat") };
    let traf = &moof.traf[0];
    assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, 6 * 3_000);
    let trun = &traf.trun[0];
    assert_eq!(u64::from(trun.data_offset.unwrap().cast_unsigned()), moof_len + 8);
    assert_eq!(trun.samples.len(), 6);
    assert!(trun.samples.iter().all(|entry| entry.duration == Some(3_000) && entry.size == Some(2_000)));
    assert_eq!(mdat.data.len(), 12_000);
    let first = Any::decode(&mut Cursor::new(studio.bytes("video-m-p0.m4s"))).unwrap();
    let Any::Moof(first) = first else { panic!("moof") };
    let flags: Vec<_> = first.traf[0].trun[0].samples.iter().take(2).map(|entry| entry.flags.unwrap()).collect();
    assert_eq!(flags, [0x0200_0000, 0x0101_0000]);
}

#[test]
fn the_multivariant_playlist_names_both_tracks() {
    let mut studio = Studio::new();
    studio.run(100);
    let text = studio.packager.multivariant().plain();
    let playlist = m3u8_rs::parse_master_playlist_res(&text).unwrap();
    let [variant, low, sound] = &playlist.variants[..] else { panic!("three variants") };
    assert_eq!((low.uri.as_str(), sound.uri.as_str()), ("low.m3u8", "audio.m3u8"));
    assert_eq!(low.resolution, Some(m3u8_rs::Resolution { width: 640, height: 360 }));
    assert!(low.bandwidth * 3 < variant.bandwidth && sound.resolution.is_none());
    assert_eq!(variant.uri, "video.m3u8");
    assert_eq!(variant.codecs.as_deref(), Some("avc1.4d401f,mp4a.40.2"));
    assert_eq!(variant.audio.as_deref(), Some("program"));
    assert_eq!(playlist.alternatives[0].uri.as_deref(), Some("audio.m3u8"));
    studio.packager.finish();
    assert_eq!(studio.packager.multivariant().plain(), text, "the end changes nothing of it");
}

#[test]
fn times_on_the_wall_follow_the_run() {
    let mut studio = Studio::new();
    studio.run(200);
    let text = studio.text(Track::Video);
    let times: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")).collect();
    assert_eq!(times[..3], ["2026-09-21T14:13:20.123Z", "2026-09-21T14:13:20.723Z", "2026-09-21T14:13:22.123Z"]);
}

/// Start and length of each fragment of a file, in the track's timescale.
fn fragments(bytes: &Bytes) -> Vec<(u64, u64)> {
    let mut bytes = Cursor::new(bytes);
    let mut fragments = Vec::new();
    while let Some(atom) = Option::<Any>::read_from(&mut bytes).unwrap() {
        if let Any::Moof(moof) = atom {
            let traf = &moof.traf[0];
            let length = traf.trun[0].samples.iter().map(|entry| u64::from(entry.duration.unwrap())).sum();
            fragments.push((traf.tfdt.as_ref().unwrap().base_media_decode_time, length));
        }
    }
    fragments
}

// RFC 8216bis §4.4.3.1, §4.4.5.4: switching between renditions
#[test]
fn renditions_are_cut_at_the_same_times_and_tell_of_each_other() {
    let mut studio = Studio::new();
    for _ in 0..400 {
        studio.run(1);
        if !studio.packager.is_playable() {
            continue;
        }
        let (large, low) = (studio.text(Track::Video), studio.text(Track::Low));
        let (large, low) = (read(&large), read(&low));
        assert_eq!((large.msn, large.segments.len()), (low.msn, low.segments.len()));
        let durations =
            |read: &Read| read.parts.iter().map(|part| (part.0, part.1.to_bits(), part.3)).collect::<Vec<_>>();
        assert_eq!(durations(&large), durations(&low));
    }
    let text = studio.text(Track::Low);
    let reports: Vec<_> = text.lines().filter(|line| line.starts_with("#EXT-X-RENDITION-REPORT")).collect();
    assert_eq!(reports.len(), 2, "{text}");
    assert!(reports[0].contains("video.m3u8") && reports[1].contains("audio.m3u8"));
}

// product: B6
#[test]
fn viewers_go_back_to_what_is_on_the_disk_and_no_further() {
    let mut studio = Studio::new();
    studio.packager = Packager::new(Duration::from_secs(120), None, "m");
    studio.say_formats();
    let mut disk = std::collections::BTreeMap::new();
    let keep = |studio: &mut Studio, disk: &mut std::collections::BTreeMap<String, Bytes>| {
        for (name, bytes) in studio.packager.take_whole() {
            studio.packager.handle_kept(&name);
            disk.insert(name, bytes);
        }
        studio.packager.take_expired().iter().for_each(|name| drop(disk.remove(name)));
    };
    for _ in 0..30 * 300 {
        studio.run(1);
        keep(&mut studio, &mut disk);
    }
    let video = check_rules(&studio.text(Track::Video));
    let length: f64 = video.segments.iter().map(|segment| segment.0).sum();
    assert!((118.0..=120.0).contains(&length), "{length} s");
    let oldest = &video.segments[0].1;
    assert_eq!(studio.packager.file(oldest), Stored::OnDisk(oldest.clone()));
    assert!(disk.contains_key(oldest) && disk.len() <= 3 * (60 + 4), "{} files", disk.len());
    let newest = &video.segments.last().unwrap().1;
    assert!(matches!(studio.packager.file(newest), Stored::There(_)));
    let memory = video.segments.iter().filter(|segment| matches!(studio.packager.file(&segment.1), Stored::There(_)));
    assert!(memory.count() <= rendition::IN_MEMORY + 3);

    // The disk is full: half a minute is left, and later all of it again.
    for _ in 0..30 * 60 {
        studio.run(1);
        studio.packager.take_whole();
    }
    let video = check_rules(&studio.text(Track::Video));
    let length: f64 = video.segments.iter().map(|segment| segment.0).sum();
    assert!((28.0..=38.0).contains(&length), "{length} s");
    for (_, name) in &video.segments {
        assert!(matches!(studio.packager.file(name), Stored::There(_)), "{name}");
    }
    for _ in 0..30 * 60 {
        studio.run(1);
        keep(&mut studio, &mut disk);
    }
    let length: f64 = check_rules(&studio.text(Track::Audio)).segments.iter().map(|segment| segment.0).sum();
    assert!(length > 60.0, "{length} s");
}

// product: B8, RFC 8216 §3.5
#[test]
fn what_is_said_comes_with_the_segment_that_is_open_then() {
    let mut studio = Studio::with_captions();
    studio.run(75);
    // It took a second to be understood; the segment it was said in is out.
    studio.say("大家好", Duration::from_secs(1));
    studio.run(180);
    assert!(!studio.captions(1).contains("-->"), "{}", studio.captions(1));
    for msn in [2, 3] {
        let text = studio.captions(msn);
        assert!(text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:10.000\n\n"), "{text}");
        assert!(text.ends_with("\n00:00:02.499 --> 00:00:05.499\n大家好\n"), "{text}");
    }
    assert!(!studio.captions(4).contains("-->"), "{}", studio.captions(4));
    let multivariant = String::from_utf8(studio.packager.multivariant().plain().to_vec()).unwrap();
    assert!(
        multivariant.contains("TYPE=SUBTITLES,GROUP-ID=\"captions\"") && multivariant.contains("LANGUAGE=\"zh-CN\"")
    );
    assert_eq!(
        multivariant.matches("#EXT-X-STREAM-INF").count(),
        multivariant.matches(",SUBTITLES=\"captions\"").count()
    );

    // A file for each whole segment of the picture, over a studio's death too, and no longer than that is kept.
    studio.die(Duration::from_secs(3));
    studio.run(2_000);
    let video = studio.text(Track::Video);
    let text = String::from_utf8(studio.packager.captions().unwrap().plain().to_vec()).unwrap();
    let of = |text: &str, wanted: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with(wanted)).map(str::to_owned).collect()
    };
    for same in ["#EXTINF", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY"] {
        assert_eq!(of(&video, same), of(&text, same));
    }
    for name in of(&text, "captions-") {
        assert!(matches!(studio.packager.file(&name), Stored::There(_)), "{name}");
    }
    assert_eq!(studio.packager.file("captions-m-0.vtt"), Stored::Missing);
    assert_eq!(studio.packager.file("captions-m-99999999999999999999.vtt"), Stored::Missing);
    assert!(Studio::new().packager.captions().is_none());
    assert_eq!(Studio::new().packager.file("captions-m-0.vtt"), Stored::Missing);
}

// product: B8
#[test]
fn more_than_can_be_read_is_not_kept() {
    let mut studio = Studio::with_captions();
    studio.run(75);
    for number in 0..1_000 {
        studio.say(&format!("{number}"), Duration::ZERO);
    }
    studio.run(60);
    let text = studio.captions(2);
    assert!(text.matches("-->").count() == 16 && text.contains("\n999\n"), "{text}");
}

// product: B2
#[test]
fn the_largest_picture_goes_on_with_the_next_lower_one_when_it_ends() {
    let mut studio = Studio::new();
    let large = Bytes::from_static(AVCC);
    studio.packager.handle_format(Track::FullHd, Format::Video { width: 1920, height: 1080, avcc: large });
    let both = |studio: &mut Studio, ticks: u64| {
        for _ in 0..ticks {
            let (tick, keyframe) =
                (studio.tick, studio.segment != Some(cadence::segment_at(cadence::time_of(studio.tick))));
            let unit = AccessUnit {
                track: Track::FullHd,
                pts: cadence::time_of(tick),
                keyframe,
                data: Bytes::from_static(&[8; 4_000]),
            };
            studio.tick(|_| true);
            studio.packager.handle_unit(unit, SystemTime::UNIX_EPOCH);
        }
    };
    both(&mut studio, 240);
    let multivariant = |studio: &Studio| String::from_utf8(studio.packager.multivariant().plain().to_vec()).unwrap();
    assert!(multivariant(&studio).contains("RESOLUTION=1920x1080"));
    // It ends with its segment, as the studio has it.
    studio.run(20);
    assert!(!studio.text(Track::FullHd).contains("high-m-init-1.mp4"), "it may be late");
    studio.run(280);
    let (text, video) = (studio.text(Track::FullHd), studio.text(Track::Video));
    assert!(!multivariant(&studio).contains("1920x1080") && !text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    assert!(text.find("high-m-init-1.mp4").unwrap() < text.find("high-m-5.m4s").unwrap(), "{text}");
    assert!(text.find("high-m-init-1.mp4").unwrap() > text.find("high-m-4.m4s").unwrap(), "{text}");
    let lengths = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("#EXTINF")).map(str::to_owned).collect()
    };
    assert_eq!(lengths(&text), lengths(&video));
    let (own, copied) = (studio.bytes("high-m-4.m4s").len(), studio.bytes("high-m-5.m4s").len());
    assert!(own > 60 * 4_000 && copied < 60 * 2_100, "{own} {copied}");
    // What comes late of it is of no use, and the next studio, which makes none, goes on with the copies.
    both(&mut studio, 3);
    studio.die(Duration::from_secs(1));
    studio.run(300);
    check_rules(&studio.text(Track::FullHd));
    assert!(studio.text(Track::FullHd).contains("high-m-init-2.mp4") && studio.packager.is_running());
}

// product: B2
#[test]
fn a_largest_picture_that_stops_in_the_middle_goes_on_at_the_next_key_frame() {
    let mut full_hd = FullHd::default();
    let unit = |track, tick: u64| AccessUnit {
        track,
        pts: cadence::time_of(tick),
        keyframe: tick.is_multiple_of(60),
        data: Bytes::new(),
    };
    for tick in 0..90 {
        assert!(full_hd.copies(&unit(Track::FullHd, tick)).is_empty());
        assert!(full_hd.copies(&unit(Track::Video, tick)).is_empty());
    }
    let copied: Vec<(u64, usize)> =
        (90..130).map(|tick| (tick, full_hd.copies(&unit(Track::Video, tick)).len())).filter(|of| of.1 > 0).collect();
    assert_eq!(copied[..2], [(120, 1), (121, 1)]);
}

// RFC 8216bis §4.4.2.2
#[test]
fn a_segment_without_a_key_frame_is_not_promised_to_have_one() {
    const PROMISE: &str = "#EXT-X-INDEPENDENT-SEGMENTS\n";
    let mut studio = Studio::new();
    studio.run(150);
    let promises = |studio: &Studio, track| {
        let text = studio.packager.playlist(track, false).unwrap().plain();
        String::from_utf8_lossy(&text).contains(PROMISE)
    };
    assert!(promises(&studio, Track::Video) && promises(&studio, Track::Audio));
    // The encoder owes one: its segment is cut when it would be too long.
    for _ in 0..150 {
        studio.segment = Some(cadence::segment_at(cadence::time_of(studio.tick)));
        studio.run(1);
    }
    assert!(!promises(&studio, Track::Video) && promises(&studio, Track::Audio));
    // They have left the playlist.
    studio.run(u64::from(cadence::TICKS_PER_SECOND) * 60);
    assert!(promises(&studio, Track::Video));
}

#[test]
fn a_playlist_is_packed_anew_when_it_has_something_new_itself() {
    let mut studio = Studio::new();
    studio.run(150);
    let of = |studio: &Studio, track| studio.packager.playlist(track, false).unwrap().brotli().as_ptr();
    let etag = |studio: &Studio, track| studio.packager.revision(Some(track));
    let before = [Track::Video, Track::Audio].map(|track| (of(&studio, track), etag(&studio, track)));
    let any = studio.packager.revision(None);
    for tick in 150..170 {
        let (pts, data) = (cadence::time_of(tick), Bytes::from_static(&[1; 100]));
        let unit = AccessUnit { track: Track::Video, pts, keyframe: false, data };
        studio.packager.handle_unit(unit, studio.wall + pts);
    }
    let after = [Track::Video, Track::Audio].map(|track| (of(&studio, track), etag(&studio, track)));
    assert!(before[0].0 != after[0].0 && before[0].1 != after[0].1);
    assert_eq!(before[1], after[1]);
    assert_ne!(studio.packager.revision(None), any);
}
