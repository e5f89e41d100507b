//! Playlists as text (RFC 8216bis).

use std::{
    fmt::{Result, Write},
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::rendition::{Rendition, Segment};
use crate::{
    cadence,
    wire::{Format, Track},
};

/// What no segment is longer than, to the nearest second.
const TARGET_DURATION: Duration = cadence::SEGMENT;

/// What no part is longer than: of sound, ten whole frames are 213.3 ms. Every part but a segment's last is at least 85 % of it, nine frames
/// too. More lets all who watch stay three times as much further behind.
const PART_TARGET: Duration = Duration::from_millis(214);

/// How far a player stays behind the newest part: the least that is advised, three part targets.
const PART_HOLD_BACK: Duration = Duration::from_millis(642);

/// How far a player without parts stays behind: the least that is allowed, three target durations.
const HOLD_BACK: Duration = Duration::from_secs(6);

/// What a player that has read the playlist before can do without: what is older than this, at least six target
/// durations.
const CAN_SKIP_UNTIL: Duration = Duration::from_secs(12);

/// For how long parts stay named: at least three target durations.
const PARTS_LISTED: Duration = Duration::from_secs(6);

/// Most bits a second of a track, for players to choose by. The encoder's limit with what containers add.
const VIDEO_BANDWIDTH: u32 = 2_400_000;
const FULL_HD_BANDWIDTH: u32 = 4_800_000;
const LOW_BANDWIDTH: u32 = 600_000;
const AUDIO_BANDWIDTH: u32 = 110_000;

/// The name of the captions in file names.
pub(super) const CAPTIONS: &str = "captions";

/// The playlist that names the others; the formats are in the order of [`Track::ALL`], and `captions` are in a language.
pub(super) fn multivariant([video, _, low, full_hd]: [Option<&Format>; 4], captions: Option<&str>) -> Bytes {
    let mut out = "#EXTM3U\n\
         #EXT-X-VERSION:9\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"program\",NAME=\"Program\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"audio.m3u8\"\n"
        .to_owned();
    let mut subtitles = String::new();
    if let Some(language) = captions {
        subtitles = format!(",SUBTITLES=\"{CAPTIONS}\"");
        out += &format!(
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{CAPTIONS}\",NAME=\"{language}\",LANGUAGE=\"{language}\",\
             AUTOSELECT=YES,DEFAULT=NO,FORCED=NO,URI=\"{CAPTIONS}.m3u8\"\n"
        );
    }
    // Players begin with the first of them.
    let rungs = [
        (video, Track::Video, VIDEO_BANDWIDTH),
        (full_hd, Track::FullHd, FULL_HD_BANDWIDTH),
        (low, Track::Low, LOW_BANDWIDTH),
    ];
    for (format, track, most) in rungs {
        let (width, height, codec) = match (format, track) {
            (Some(Format::Video { width, height, avcc }), _) => (*width, *height, avc_codec(avcc)),
            // Before the first of them it is what it will be.
            (_, Track::Video) => (1280, 720, avc_codec(&[])),
            (_, Track::Audio | Track::Low | Track::FullHd) => continue,
        };
        let bandwidth = most + AUDIO_BANDWIDTH;
        let average = bandwidth * 5 / 6;
        let frame_rate = f64::from(cadence::TICKS_PER_SECOND);
        out += &format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average},CODECS=\"{codec},mp4a.40.2\",\
             RESOLUTION={width}x{height},FRAME-RATE={frame_rate:.3},AUDIO=\"program\"{subtitles}\n{}.m3u8\n",
            name(track)
        );
    }
    out += &format!(
        "#EXT-X-STREAM-INF:BANDWIDTH={AUDIO_BANDWIDTH},CODECS=\"mp4a.40.2\",AUDIO=\"program\"{subtitles}\naudio.m3u8\n"
    );
    out.into()
}

/// The captions' playlist: a file for each whole segment of the picture, and no parts.
pub(super) fn captions(picture: &Rendition, ended: bool) -> Bytes {
    let mut out = String::with_capacity(2048);
    write_captions(&mut out, picture, ended).expect("writing to a string doesn't fail");
    out.into()
}

fn write_captions(out: &mut String, picture: &Rendition, ended: bool) -> Result {
    let (target, hold_back) = (TARGET_DURATION.as_secs(), HOLD_BACK.as_secs_f64());
    writeln!(out, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target}")?;
    writeln!(out, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK={hold_back:.1}")?;
    let first = picture.listed().next().map_or(0, |segment| segment.msn);
    writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}")?;
    writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", picture.discontinuity_sequence())?;
    for segment in picture.listed().filter(|segment| segment.is_whole()) {
        if segment.discontinuity {
            writeln!(out, "#EXT-X-DISCONTINUITY")?;
        }
        writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", Wall(segment.wall))?;
        writeln!(
            out,
            "#EXTINF:{:.5},\n{CAPTIONS}-{}-{}.vtt",
            segment.duration().as_secs_f64(),
            picture.mark(),
            segment.msn
        )?;
    }
    if ended { writeln!(out, "#EXT-X-ENDLIST") } else { Ok(()) }
}

/// One track's playlist. `skip` leaves out what its reader has read before (RFC 8216bis §6.2.5.1).
pub(super) fn media(of: &Rendition, others: &[&Rendition], ended: bool, skip: bool) -> Bytes {
    let mut out = String::with_capacity(4096);
    write_media(&mut out, of, others, ended, skip).expect("writing to a string doesn't fail");
    out.into()
}

/// The name of a track in file names.
pub(super) fn name(track: Track) -> &'static str {
    match track {
        Track::Video => "video",
        Track::Audio => "audio",
        Track::Low => "low",
        Track::FullHd => "high",
    }
}

fn write_media(out: &mut String, of: &Rendition, others: &[&Rendition], ended: bool, skip: bool) -> Result {
    let seconds = Duration::as_secs_f64;
    writeln!(out, "#EXTM3U\n#EXT-X-VERSION:9")?;
    writeln!(out, "#EXT-X-TARGETDURATION:{}", TARGET_DURATION.as_secs())?;
    writeln!(
        out,
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={:.1},HOLD-BACK={:.1},PART-HOLD-BACK={:.3}",
        seconds(&CAN_SKIP_UNTIL),
        seconds(&HOLD_BACK),
        seconds(&PART_HOLD_BACK),
    )?;
    writeln!(out, "#EXT-X-PART-INF:PART-TARGET={:.3}", seconds(&PART_TARGET))?;
    // A promise about all that are named here, and so not one that the multivariant playlist can make once for all.
    if of.listed().all(|segment| segment.independent) {
        writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
    }
    let first = of.listed().next().map_or(0, |segment| segment.msn);
    writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{first}")?;
    writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", of.discontinuity_sequence())?;

    let skipped = if skip { older_than(of, CAN_SKIP_UNTIL) } else { 0 };
    if skipped > 0 {
        writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
    }
    let with_parts = if ended { usize::MAX } else { older_than(of, PARTS_LISTED) };
    let (mut edition, files) = (None, format!("{}-{}", name(of.track()), of.mark()));
    for (index, segment) in of.listed().enumerate().skip(skipped) {
        if segment.discontinuity {
            writeln!(out, "#EXT-X-DISCONTINUITY")?;
        }
        if edition.replace(segment.edition) != Some(segment.edition) {
            writeln!(out, "#EXT-X-MAP:URI=\"{files}-init-{}.mp4\"", segment.edition)?;
        }
        writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", Wall(segment.wall))?;
        if index >= with_parts {
            write_parts(out, &files, segment)?;
        }
        if segment.is_whole() {
            writeln!(out, "#EXTINF:{:.5},\n{files}-{}.m4s", seconds(&segment.duration()), segment.msn)?;
        }
    }
    if ended {
        return writeln!(out, "#EXT-X-ENDLIST");
    }
    // Always there: hls.js reloads without end where it is missing.
    writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{files}-p{}.m4s\"", of.next_part())?;
    for other in others {
        match other.position() {
            (msn, parts @ 1..) => write_report(out, other.track(), msn, parts - 1)?,
            (0, 0) => {}
            (msn, 0) => {
                let last = other.listed().next_back().map_or(0, |segment| segment.parts.len() as u64);
                write_report(out, other.track(), msn - 1, last.saturating_sub(1))?;
            }
        }
    }
    Ok(())
}

fn write_parts(out: &mut String, files: &str, segment: &Segment) -> Result {
    for part in &segment.parts {
        let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
        let (duration, number) = (part.duration.as_secs_f64(), part.number);
        writeln!(out, "#EXT-X-PART:DURATION={duration:.5},URI=\"{files}-p{number}.m4s\"{independent}")?;
    }
    Ok(())
}

fn write_report(out: &mut String, track: Track, msn: u64, part: u64) -> Result {
    writeln!(out, "#EXT-X-RENDITION-REPORT:URI=\"{}.m3u8\",LAST-MSN={msn},LAST-PART={part}", name(track))
}

/// How many listed segments end longer ago than this, by the playlist's end.
fn older_than(of: &Rendition, age: Duration) -> usize {
    let mut after = Duration::ZERO;
    let newer = of.listed().rev().take_while(|segment| {
        let is_newer = after < age;
        after += segment.duration();
        is_newer
    });
    of.listed().len() - newer.count()
}

/// `avc1.` and profile, constraints and level from the decoder configuration (RFC 6381 §3.3).
fn avc_codec(avcc: &[u8]) -> String {
    // Main profile at level 3.1 is what the encoder is set to.
    let [profile, constraints, level] =
        avcc.get(1..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0x4d, 0x40, 0x1f]);
    format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
}

/// A time as ISO 8601 has it, to the millisecond.
struct Wall(SystemTime);

impl std::fmt::Display for Wall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> Result {
        let time = jiff::Timestamp::try_from(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}
