//! Coded pictures and sound become low-latency HLS: CMAF parts and segments, and the playlists that name them
//! (RFC 8216bis). Pure: units and times in, files out; the waiting for what is to come is the origin's, the disk the
//! [`Spool`](crate::spool::Spool)'s.

pub(crate) mod boxes;
mod captions;
mod full_hd;
mod playlist;
pub(crate) mod rendition;
#[cfg(test)]
mod tests;
mod text;

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{
    vtt::Cue,
    wire::{AccessUnit, Format, Track},
};
use captions::Captions;
use full_hd::FullHd;
use rendition::{Rendition, RunStart};
pub(crate) use text::Text;

/// How far ahead of the newest segment a player may ask; more is an error (RFC 8216bis §6.2.5.2).
const AHEAD_MAX: u64 = 2;

/// How many parts past the newest a player may ask for (the same section's Advance Part Limit): three seconds of them.
const AHEAD_PARTS_MAX: u64 = 14;

/// All files of one broadcast.
#[derive(Debug)]
pub(crate) struct Packager {
    /// In the order of [`Track::ALL`].
    renditions: [Rendition; 4],
    full_hd: FullHd,
    captions: Option<Captions>,
    /// When the first run began, by the clock on the wall: the broadcast's time 0.
    first: Option<SystemTime>,
    /// The studio's time 0 by the same clock.
    started: Option<SystemTime>,
    run: Option<RunStart>,
    finished: bool,
    /// Counts what has changed of each rendition.
    revisions: [u64; 4],
    multivariant: OnceLock<Text>,
    /// What each rendition is, or was before its studio went.
    formats: [Option<Format>; 4],
    /// Of each rendition.
    playlists: [Playlist; 4],
    captions_playlist: OnceLock<Text>,
    /// Which renditions have something new that nobody was told of.
    news: [bool; 4],
}

/// Written when somebody asks, once for all who do.
#[derive(Debug, Default)]
struct Playlist {
    full: OnceLock<Text>,
    delta: OnceLock<Text>,
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
    /// In the spool, under this name.
    OnDisk(String),
    Coming,
    Missing,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::There(bytes) => write!(f, "There({} bytes)", bytes.len()),
            Self::OnDisk(name) => write!(f, "OnDisk({name})"),
            Self::Coming => f.write_str("Coming"),
            Self::Missing => f.write_str("Missing"),
        }
    }
}

impl Packager {
    /// `window` is how far back players may go; what is older than a minute of it has to be on the disk. `captions` is the
    /// language of those there will be. `mark`, which no other packager under the same address has or had, is in the names of all
    /// files but playlists: caches may hold one that was there before the server was started anew.
    pub(crate) fn new(window: Duration, captions: Option<String>, mark: &str) -> Self {
        Self {
            renditions: Track::ALL.map(|track| Rendition::new(track, window, mark)),
            full_hd: FullHd::default(),
            captions: captions.map(Captions::new),
            first: None,
            started: None,
            run: None,
            finished: false,
            revisions: [0; 4],
            multivariant: OnceLock::new(),
            formats: Default::default(),
            playlists: Default::default(),
            captions_playlist: OnceLock::new(),
            news: [false; 4],
        }
    }

    /// When the studio's time began.
    pub(crate) fn handle_start(&mut self, started: SystemTime) {
        self.started = Some(started);
    }

    /// What precedes the units of a track in each run.
    pub(crate) fn handle_format(&mut self, track: Track, format: Format) {
        if self.full_hd.is_copied && track == Track::FullHd {
            return;
        }
        self.formats[track.index()] = Some(format.clone());
        self.multivariant = OnceLock::new();
        if self.full_hd.is_copied && track == Track::Video {
            self.rendition_mut(Track::FullHd).set_format(format.clone());
        }
        self.rendition_mut(track).set_format(format);
        self.all_changed();
    }

    /// Takes the next unit of a track; true when there is something new to fetch.
    pub(crate) fn handle_unit(&mut self, unit: AccessUnit, now: SystemTime) -> bool {
        // A run begins with a picture that can be decoded: when the broadcast is published while its studio runs, too.
        let begins = unit.track == Track::Video && unit.keyframe;
        if self.finished || (self.run.is_none() && !begins) {
            return false;
        }
        let run = match self.run {
            Some(run) => run,
            None => {
                let wall = self.started.or_else(|| now.checked_sub(unit.pts)).unwrap_or(SystemTime::UNIX_EPOCH);
                let first = *self.first.get_or_insert(wall);
                // The clock on the wall may be set back; the broadcast's time may not.
                let end = self.renditions.iter().map(Rendition::end).max().unwrap_or_default();
                let offset = wall.duration_since(first).unwrap_or(Duration::ZERO).max(end);
                *self.run.insert(RunStart { offset, wall })
            }
        };
        if self.full_hd.is_copied && unit.track == Track::FullHd {
            return false;
        }
        let was_playable = self.is_playable();
        let (track, copies) = (unit.track, self.copies(&unit));
        let is_new = self.rendition_mut(track).push(unit, run);
        let mut is_copied = false;
        for copy in copies {
            is_copied |= self.rendition_mut(Track::FullHd).push(copy, run);
        }
        if !is_new && !is_copied {
            return false;
        }
        let mut of = [false; 4];
        of[track.index()] = is_new;
        of[Track::FullHd.index()] |= is_copied;
        self.changed(of);
        // Until then all wait for the same.
        if !was_playable {
            self.news = [true; 4];
        }
        true
    }

    /// What the largest picture's rendition gets of this unit: when its own coding has ended, the next lower one's pictures.
    fn copies(&mut self, unit: &AccessUnit) -> Vec<AccessUnit> {
        if !self.rendition(Track::FullHd).is_used() {
            return Vec::new();
        }
        let copies = self.full_hd.copies(unit);
        if !copies.is_empty()
            && self.formats[Track::FullHd.index()].take().is_some()
            && let Some(format) = self.formats[Track::Video.index()].clone()
        {
            self.multivariant = OnceLock::new();
            self.rendition_mut(Track::FullHd).change_format(format);
        }
        copies
    }

    /// Takes what was said; its times are since the studio's start.
    pub(crate) fn handle_cue(&mut self, cue: &Cue<Duration>) {
        let Some(run) = self.run.filter(|_| !self.finished) else { return };
        let now = self.rendition(Track::Video).end();
        if let Some(captions) = &mut self.captions {
            let (start, end) = (run.offset + cue.start, run.offset + cue.end);
            captions.push(Cue { start, end, text: cue.text.clone() }, now);
        }
    }

    /// The studio is gone. What comes next is of another one.
    pub(crate) fn end_run(&mut self) {
        self.renditions.iter_mut().for_each(Rendition::end_run);
        self.full_hd.end_run();
        (self.run, self.started) = (None, None);
        self.all_changed();
    }

    /// The broadcast is over: the playlists say so.
    pub(crate) fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.end_run();
        }
    }

    /// Segments that are whole since the last time, to be kept on the disk: their names and what is in them.
    pub(crate) fn take_whole(&mut self) -> Vec<(String, Bytes)> {
        self.renditions.iter_mut().flat_map(Rendition::take_whole).collect()
    }

    /// Names of segments on the disk that are no longer wanted.
    pub(crate) fn take_expired(&mut self) -> Vec<String> {
        self.renditions.iter_mut().flat_map(Rendition::take_expired).collect()
    }

    /// A segment is on the disk.
    pub(crate) fn handle_kept(&mut self, name: &str) {
        if let Some((rendition, msn)) = self.segment_named(name) {
            rendition.keep(msn);
        }
    }

    /// There is something to play, old players too.
    pub(crate) fn is_playable(&self) -> bool {
        let is_ready = |of: &Rendition| of.has_whole_segment() || !of.is_used() && !of.track().is_main();
        self.renditions.iter().all(is_ready)
    }

    /// There is something to play of the studio that runs now.
    pub(crate) fn is_running(&self) -> bool {
        self.is_playable() && self.used().all(Rendition::run_has_parts)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Differs whenever a track's playlist differs, also from what another server published under the same name; without a track,
    /// whenever any does.
    pub(crate) fn revision(&self, of: Option<Track>) -> String {
        let revision = of.map_or_else(|| self.revisions.iter().sum::<u64>(), |track| self.revisions[track.index()]);
        let began = self.first.and_then(|first| first.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
        format!("{:x}-{revision:x}", began.as_millis())
    }

    pub(crate) fn multivariant(&self) -> Text {
        let formats = || self.formats.each_ref().map(Option::as_ref);
        let language = self.captions.as_ref().map(|captions| captions.language.as_str());
        self.multivariant.get_or_init(|| Text::new(playlist::multivariant(formats(), language))).clone()
    }

    /// The captions' playlist, where there are any.
    pub(crate) fn captions(&self) -> Option<Text> {
        self.captions.as_ref()?;
        let text = || Text::new(playlist::captions(self.rendition(Track::Video), self.finished));
        Some(self.captions_playlist.get_or_init(text).clone())
    }

    /// A track's playlist, whole or without what its reader has read before; none where the track isn't used.
    pub(crate) fn playlist(&self, track: Track, delta: bool) -> Option<Text> {
        let of = self.rendition(track);
        if !of.is_used() {
            return None;
        }
        let playlist = &self.playlists[track.index()];
        let cell = if delta { &playlist.delta } else { &playlist.full };
        let others: Vec<&Rendition> = self.used().filter(|other| other.track() != track).collect();
        Some(cell.get_or_init(|| Text::new(playlist::media(of, &others, self.finished, delta))).clone())
    }

    /// Whether the playlist has the segment, or its part: the number of a part past a segment's end means the first of
    /// the next one.
    pub(crate) fn reach(&self, track: Track, msn: u64, part: Option<u64>) -> Reach {
        let (open, parts) = self.rendition(track).position();
        if self.finished || msn < open || (msn == open && part.is_some_and(|part| part < parts)) {
            Reach::There
        } else if msn > open + AHEAD_MAX || part.is_some_and(|part| part >= next(msn, open, parts) + AHEAD_PARTS_MAX) {
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
        let (track, rest) = self.unmarked(name)?;
        if let Some(msn) = rest.strip_suffix(".vtt").filter(|_| track == playlist::CAPTIONS) {
            return self.captions.as_ref()?.get(msn.parse().ok()?).map(Stored::There);
        }
        let rendition = self.renditions.iter().find(|of| playlist::name(of.track()) == track)?;
        if let Some(run) = rest.strip_prefix("init-") {
            return rendition.init(run.strip_suffix(".mp4")?.parse().ok()?).map(Stored::There);
        }
        let number = rest.strip_suffix(".m4s")?;
        let Some(part) = number.strip_prefix('p') else {
            return rendition.segment(number.parse().ok()?);
        };
        let part = part.parse().ok()?;
        if part == rendition.next_part() && !self.finished && rendition.is_used() {
            return Some(Stored::Coming);
        }
        rendition.part(part).map(Stored::There)
    }

    /// Of which track a file is, and which of its files.
    fn unmarked<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        let (track, rest) = name.split_once('-')?;
        Some((track, rest.strip_prefix(self.rendition(Track::Video).mark())?.strip_prefix('-')?))
    }

    fn segment_named(&mut self, name: &str) -> Option<(&mut Rendition, u64)> {
        let (track, rest) = self.unmarked(name)?;
        let msn = rest.strip_suffix(".m4s")?.parse().ok()?;
        Some((self.renditions.iter_mut().find(|of| playlist::name(of.track()) == track)?, msn))
    }

    fn used(&self) -> impl Iterator<Item = &Rendition> {
        self.renditions.iter().filter(|rendition| rendition.is_used())
    }

    fn rendition(&self, track: Track) -> &Rendition {
        &self.renditions[track.index()]
    }

    fn rendition_mut(&mut self, track: Track) -> &mut Rendition {
        &mut self.renditions[track.index()]
    }

    /// Which tracks, in the order of [`Track::ALL`], have something new since the last time.
    pub(crate) fn take_news(&mut self) -> [bool; 4] {
        std::mem::take(&mut self.news)
    }

    fn all_changed(&mut self) {
        self.changed([true; 4]);
    }

    /// These have something new. What a playlist says of the others is as new as itself (RFC 8216bis §4.4.5.4): it is not written and
    /// packed anew for them.
    fn changed(&mut self, of: [bool; 4]) {
        for index in (0..of.len()).filter(|index| of[*index]) {
            self.news[index] = true;
            self.revisions[index] += 1;
            self.playlists[index] = Playlist::default();
        }
        if of[Track::Video.index()] {
            if let Some(captions) = &mut self.captions {
                captions.follow(&self.renditions[Track::Video.index()]);
            }
            self.captions_playlist = OnceLock::new();
        }
    }
}

/// Of which track a file is, by its name.
pub(crate) fn track_of(file: &str) -> Option<Track> {
    let (name, _) = file.split_once('-')?;
    Track::ALL.into_iter().find(|track| playlist::name(*track) == name)
}

/// The first part of a segment that is still to come.
fn next(msn: u64, open: u64, parts: u64) -> u64 {
    if msn == open { parts } else { 0 }
}
