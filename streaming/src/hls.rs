//! Coded pictures and sound become low-latency HLS: CMAF parts and segments, and the playlists that name them
//! (RFC 8216bis). Pure: units and times in, files out; the waiting for what is to come is the origin's.

pub(crate) mod boxes;
mod playlist;
pub(crate) mod rendition;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::wire::{AccessUnit, Format, Track};
use rendition::{Rendition, RunStart};

/// How far ahead of the newest segment a player may ask; more is an error (RFC 8216bis §6.2.5.2).
const AHEAD_MAX: u64 = 2;

/// All files of one broadcast.
#[derive(Debug)]
pub(crate) struct Packager {
    video: Rendition,
    audio: Rendition,
    /// When the first run began, by the clock on the wall: the broadcast's time 0.
    first: Option<SystemTime>,
    /// The studio's time 0 by the same clock.
    started: Option<SystemTime>,
    run: Option<RunStart>,
    finished: bool,
    multivariant: Bytes,
    video_playlist: Playlist,
    audio_playlist: Playlist,
}

/// Written once for all who ask.
#[derive(Debug, Default)]
struct Playlist {
    full: Bytes,
    delta: Bytes,
}

/// Whether a place in the playlist is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    There,
    Coming,
    TooFar,
}

/// Whether a file is there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    There(Bytes),
    Coming,
    Missing,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::There(bytes) => write!(f, "There({} bytes)", bytes.len()),
            Self::Coming => f.write_str("Coming"),
            Self::Missing => f.write_str("Missing"),
        }
    }
}

impl Packager {
    pub(crate) fn new() -> Self {
        Self {
            video: Rendition::new(Track::Video),
            audio: Rendition::new(Track::Audio),
            first: None,
            started: None,
            run: None,
            finished: false,
            multivariant: Bytes::new(),
            video_playlist: Playlist::default(),
            audio_playlist: Playlist::default(),
        }
    }

    /// When the studio's time began.
    pub(crate) fn handle_start(&mut self, started: SystemTime) {
        self.started = Some(started);
    }

    /// What precedes the units of a track in each run.
    pub(crate) fn handle_format(&mut self, format: Format) {
        match format {
            Format::Video { .. } => self.video.set_format(format),
            Format::Audio { .. } => self.audio.set_format(format),
        }
        if let Some(format) = self.video.format() {
            self.multivariant = playlist::multivariant(Some(format));
        }
    }

    /// Takes the next unit of a track; true when there is something new to fetch.
    pub(crate) fn handle_unit(&mut self, unit: AccessUnit, now: SystemTime) -> bool {
        // A run begins with a picture that can be decoded: when the broadcast is published while its studio runs, too.
        let begins = unit.track == Track::Video && unit.keyframe;
        if self.finished || (self.run.is_none() && !begins) {
            return false;
        }
        let run = *self.run.get_or_insert_with(|| {
            let wall = self.started.or_else(|| now.checked_sub(unit.pts)).unwrap_or(SystemTime::UNIX_EPOCH);
            let first = *self.first.get_or_insert(wall);
            // The clock on the wall may be set back; the broadcast's time may not.
            let end = self.video.end().max(self.audio.end());
            RunStart { offset: wall.duration_since(first).unwrap_or(Duration::ZERO).max(end), wall }
        });
        let finished = match unit.track {
            Track::Video => self.video.push(unit, run),
            Track::Audio => self.audio.push(unit, run),
        };
        if finished {
            self.render();
        }
        finished
    }

    /// The studio is gone. What comes next is of another one.
    pub(crate) fn end_run(&mut self) {
        self.video.end_run();
        self.audio.end_run();
        (self.run, self.started) = (None, None);
        self.render();
    }

    /// The broadcast is over: the playlists say so.
    pub(crate) fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.end_run();
        }
    }

    /// There is something to play, old players too.
    pub(crate) fn is_playable(&self) -> bool {
        self.video.has_whole_segment() && self.audio.has_whole_segment()
    }

    /// There is something to play of the studio that runs now.
    pub(crate) fn is_running(&self) -> bool {
        self.is_playable() && self.video.run_has_parts() && self.audio.run_has_parts()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(crate) fn multivariant(&self) -> Bytes {
        self.multivariant.clone()
    }

    /// A track's playlist, whole or without what its reader has read before.
    pub(crate) fn playlist(&self, track: Track, delta: bool) -> Bytes {
        let playlist = match track {
            Track::Video => &self.video_playlist,
            Track::Audio => &self.audio_playlist,
        };
        if delta { playlist.delta.clone() } else { playlist.full.clone() }
    }

    /// Whether the playlist has the segment, or its part: the number of a part past a segment's end means the first of
    /// the next one.
    pub(crate) fn reach(&self, track: Track, msn: u64, part: Option<u64>) -> Reach {
        let (open, parts) = self.rendition(track).position();
        if self.finished || msn < open || (msn == open && part.is_some_and(|part| part < parts)) {
            Reach::There
        } else if msn > open + AHEAD_MAX {
            Reach::TooFar
        } else {
            Reach::Coming
        }
    }

    /// An initialization segment, a segment or a part by its name.
    pub(crate) fn file(&self, name: &str) -> Stored {
        self.find(name).unwrap_or(Stored::Missing)
    }

    fn find(&self, name: &str) -> Option<Stored> {
        let (track, rest) = name.split_once('-')?;
        let rendition = [&self.video, &self.audio].into_iter().find(|of| playlist::name(of.track()) == track)?;
        if let Some(run) = rest.strip_prefix("init-") {
            return rendition.init(run.strip_suffix(".mp4")?.parse().ok()?).map(Stored::There);
        }
        let number = rest.strip_suffix(".m4s")?;
        let Some(part) = number.strip_prefix('p') else {
            return rendition.segment(number.parse().ok()?).map(Stored::There);
        };
        let part = part.parse().ok()?;
        if part == rendition.next_part() && !self.finished {
            return Some(Stored::Coming);
        }
        rendition.part(part).map(Stored::There)
    }

    fn rendition(&self, track: Track) -> &Rendition {
        match track {
            Track::Video => &self.video,
            Track::Audio => &self.audio,
        }
    }

    fn render(&mut self) {
        let write = |of, other| Playlist {
            full: playlist::media(of, other, self.finished, false),
            delta: playlist::media(of, other, self.finished, true),
        };
        let (video, audio) = (write(&self.video, &self.audio), write(&self.audio, &self.video));
        (self.video_playlist, self.audio_playlist) = (video, audio);
    }
}
