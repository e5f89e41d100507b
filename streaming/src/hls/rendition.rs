//! One track's recent past, cut into parts and segments.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};

use super::{
    Stored,
    boxes::{self, Sample},
};
use crate::{
    cadence,
    wire::{AccessUnit, Format, Track},
};

/// Segments kept in memory: half a minute, 8 MB at 2 Mbit/s. More is memory for every broadcast; fewer, and players
/// that are a little behind wait for the disk.
pub(super) const IN_MEMORY: usize = 15;

/// Segments kept after they left the playlist, for players that read it just before.
const SPARE: usize = 3;

/// A picture segment that finds no key frame ends here all the same: a longer one would break the promise of the target
/// duration, which counts to the nearest second.
const SEGMENT_MAX: Duration = Duration::from_millis(2400);

/// One track. A *run* is the life of one studio; between runs there is a discontinuity.
#[derive(Debug)]
pub(super) struct Rendition {
    track: Track,
    /// In the names of its files.
    mark: String,
    format: Option<Format>,
    /// It has a format, or had one: an unused one stays empty.
    used: bool,
    run: u32,
    /// Counts the formats: each has an initialization segment.
    edition: u32,
    run_start: Option<RunStart>,
    inits: VecDeque<(u32, Bytes)>,
    /// A sample's duration is the distance to the next one, so the newest waits for it. With a nominal duration,
    /// dropped pictures would leave holes that players have to seek over.
    held: Option<Sample>,
    /// Where the next sample begins, when the last one was the last of its part: the cadence knows where that ends, and
    /// so the part doesn't wait for it.
    due: Option<u64>,
    end: Duration,
    open: Vec<Sample>,
    open_part: u64,
    open_segment: u64,
    segments: VecDeque<Segment>,
    /// Segments in the playlist at most.
    listed_max: usize,
    /// What [`take_whole`](Self::take_whole) gives next, and what [`take_expired`](Self::take_expired) does.
    whole: Vec<u64>,
    expired: Vec<u64>,
    segment_open: bool,
    next_msn: u64,
    next_part: u64,
    fragments: u32,
    discontinuities_removed: u64,
}

/// Where a run's time 0 is.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunStart {
    /// In the broadcast's time, which goes on over restarts.
    pub(super) offset: Duration,
    /// By the clock on the wall.
    pub(super) wall: SystemTime,
}

#[derive(Debug)]
pub(super) struct Segment {
    /// Media sequence number (RFC 8216 §3).
    pub(super) msn: u64,
    run: u32,
    /// Which initialization segment precedes it.
    pub(super) edition: u32,
    pub(super) discontinuity: bool,
    /// Decoding can begin with it: not so where its studio gave no key frame in time.
    pub(super) independent: bool,
    /// By the broadcast's time.
    pub(super) start: Duration,
    pub(super) wall: SystemTime,
    pub(super) parts: Vec<Part>,
    pub(super) place: Place,
}

/// Where a segment is.
#[derive(Debug)]
pub(super) enum Place {
    /// It goes on.
    Open,
    /// It is whole; the parts are slices of it.
    Memory { whole: Bytes, kept: bool },
    /// It has left memory, with its parts.
    Disk { duration: Duration },
}

#[derive(Debug)]
pub(super) struct Part {
    /// Counted over the whole broadcast, not by segment: so the name of the next part is right even when a segment ends
    /// early.
    pub(super) number: u64,
    pub(super) duration: Duration,
    pub(super) independent: bool,
    pub(super) bytes: Bytes,
}

impl Segment {
    pub(super) fn duration(&self) -> Duration {
        if let Place::Disk { duration } = self.place {
            return duration;
        }
        self.parts.iter().map(|part| part.duration).sum()
    }

    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.place, Place::Open)
    }

    /// It left memory before it was on the disk.
    fn is_lost(&self) -> bool {
        matches!(self.place, Place::Disk { duration: Duration::ZERO })
    }
}

impl Rendition {
    pub(super) fn new(track: Track, window: Duration, mark: &str) -> Self {
        let listed_max = (window.as_secs() / cadence::SEGMENT.as_secs()) as usize;
        Self {
            listed_max: listed_max.max(IN_MEMORY),
            whole: Vec::new(),
            expired: Vec::new(),
            track,
            mark: mark.to_owned(),
            format: None,
            used: false,
            run: 0,
            edition: 0,
            run_start: None,
            inits: VecDeque::new(),
            held: None,
            due: None,
            end: Duration::ZERO,
            open: Vec::new(),
            open_part: 0,
            open_segment: 0,
            segments: VecDeque::new(),
            segment_open: false,
            next_msn: 0,
            next_part: 0,
            fragments: 0,
            discontinuities_removed: 0,
        }
    }

    /// A run begins.
    pub(super) fn set_format(&mut self, format: Format) {
        // Who was promised the next part by the hint must not get one of another format under its name.
        self.next_part += u64::from(self.used);
        self.edition += u32::from(self.used);
        self.inits.push_back((self.edition, boxes::init_segment(&[&format])));
        self.format = Some(format);
        self.used = true;
    }

    /// From the next unit on, a key frame, it is coded otherwise. What came before it goes on up to that.
    pub(super) fn change_format(&mut self, format: Format) {
        self.finish_held();
        self.close_segment();
        self.due = None;
        self.set_format(format);
    }

    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// Takes the next unit; true when a part was finished by it.
    pub(super) fn push(&mut self, unit: AccessUnit, run: RunStart) -> bool {
        let Some(format) = &self.format else { return false };
        let timescale = boxes::timescale(format);
        self.run_start = Some(run);
        let mut start = in_ticks(run.offset + unit.pts, timescale);
        let mut finished = false;
        if let Some(due) = self.due {
            // A picture that was left out at the part's edge leaves no hole: the one after it is shown sooner. Sound that
            // is missing is missing.
            let hole = start.saturating_sub(due);
            if start + SLACK < due {
                return false;
            }
            start = if self.track.is_picture() || hole <= SLACK { due } else { start };
        } else if let Some(mut held) = self.held.take() {
            let Some(duration) = start.checked_sub(held.start).filter(|ticks| *ticks > 0) else {
                // Time doesn't go back in a run.
                self.held = Some(held);
                return false;
            };
            held.duration = u32::try_from(duration).unwrap_or(u32::MAX);
            finished = self.add(held, Some((unit.pts, unit.keyframe)));
        } else {
            (self.open_part, self.open_segment) = self.place(unit.pts);
        }
        self.due = None;
        self.end = run.offset + unit.pts + cadence::TICK;
        let mut sample = Sample { start, duration: 0, keyframe: unit.keyframe, data: unit.data };
        if let Some(end) = self.part_ends(unit.pts) {
            let ticks = match self.track {
                Track::Video | Track::Low | Track::FullHd => {
                    in_ticks(run.offset + end, timescale).saturating_sub(start).max(1)
                }
                Track::Audio => u64::from(AAC_SAMPLES),
            };
            sample.duration = u32::try_from(ticks).unwrap_or(u32::MAX);
            self.due = Some(start + ticks);
            // The studio forces a key frame where a segment begins.
            finished |= self.add(sample, Some((end, true)));
        } else {
            self.held = Some(sample);
        }
        finished
    }

    /// Where the unit of this time ends, if it is the last of its part by the cadence.
    fn part_ends(&self, pts: Duration) -> Option<Duration> {
        match self.track {
            Track::Video | Track::Low | Track::FullHd => {
                let end = cadence::part_end(pts);
                (pts + cadence::TICK * 5 / 4 > end).then_some(end)
            }
            Track::Audio => {
                let next = pts + AAC_FRAME;
                (self.place(next).0 > self.place(pts).0).then_some(next)
            }
        }
    }

    /// The studio is gone: what is open is finished as it is.
    pub(super) fn end_run(&mut self) {
        self.finish_held();
        self.close_segment();
        self.due = None;
        self.format = None;
        self.run_start = None;
        self.run += 1;
    }

    fn finish_held(&mut self) {
        if let Some(mut held) = self.held.take() {
            held.duration = match self.track {
                Track::Video | Track::Low | Track::FullHd => in_ticks(cadence::TICK, boxes::VIDEO_TIMESCALE) as u32,
                Track::Audio => AAC_SAMPLES,
            };
            self.add(held, None);
        }
    }

    /// Where the broadcast's time has got to.
    pub(super) fn end(&self) -> Duration {
        self.end
    }

    pub(super) fn track(&self) -> Track {
        self.track
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// This run has something to play.
    pub(super) fn run_has_parts(&self) -> bool {
        self.segments.back().is_some_and(|segment| segment.run == self.run)
    }

    pub(super) fn has_whole_segment(&self) -> bool {
        self.segments.front().is_some_and(Segment::is_whole)
    }

    /// What the playlist names, oldest first.
    pub(super) fn listed(&self) -> impl DoubleEndedIterator<Item = &Segment> + ExactSizeIterator {
        self.segments.range(self.unlisted()..)
    }

    /// All that are kept, oldest first.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// How many discontinuities have left the playlist (EXT-X-DISCONTINUITY-SEQUENCE).
    pub(super) fn discontinuity_sequence(&self) -> u64 {
        let spare = self.segments.range(..self.unlisted()).filter(|segment| segment.discontinuity).count();
        self.discontinuities_removed + spare as u64
    }

    pub(super) fn next_part(&self) -> u64 {
        self.next_part
    }

    /// The segment that is open, or will be next, and how many parts of it are there.
    pub(super) fn position(&self) -> (u64, u64) {
        match self.segments.back() {
            Some(last) if !last.is_whole() => (last.msn, last.parts.len() as u64),
            _ => (self.next_msn, 0),
        }
    }

    pub(super) fn init(&self, edition: u32) -> Option<Bytes> {
        self.inits.iter().find(|(of, _)| *of == edition).map(|(_, bytes)| bytes.clone())
    }

    pub(super) fn segment(&self, msn: u64) -> Option<Stored> {
        match &self.at(msn)?.place {
            Place::Open => None,
            Place::Memory { whole, .. } => Some(Stored::There(whole.clone())),
            Place::Disk { .. } => Some(Stored::OnDisk(self.name_of(msn))),
        }
    }

    pub(super) fn take_whole(&mut self) -> Vec<(String, Bytes)> {
        let whole = std::mem::take(&mut self.whole);
        let found = |msn: u64| match &self.at(msn)?.place {
            Place::Memory { whole, .. } => Some((self.name_of(msn), whole.clone())),
            Place::Open | Place::Disk { .. } => None,
        };
        whole.into_iter().filter_map(found).collect()
    }

    pub(super) fn take_expired(&mut self) -> Vec<String> {
        let expired = std::mem::take(&mut self.expired);
        expired.into_iter().map(|msn| self.name_of(msn)).collect()
    }

    /// The segment is on the disk.
    pub(super) fn keep(&mut self, msn: u64) {
        let first = self.segments.front().map_or(0, |segment| segment.msn);
        let index = msn.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        match index.and_then(|index| self.segments.get_mut(index)).map(|segment| &mut segment.place) {
            Some(Place::Memory { kept, .. }) => *kept = true,
            // It has left already, and so will its file.
            _ => self.expired.push(msn),
        }
    }

    fn at(&self, msn: u64) -> Option<&Segment> {
        let index = msn.checked_sub(self.segments.front()?.msn)?;
        self.segments.get(usize::try_from(index).ok()?)
    }

    fn name_of(&self, msn: u64) -> String {
        format!("{}-{}-{msn}.m4s", super::playlist::name(self.track), self.mark)
    }

    pub(super) fn part(&self, number: u64) -> Option<Bytes> {
        let parts = self.segments.iter().rev().flat_map(|segment| &segment.parts);
        parts.into_iter().find(|part| part.number == number).map(|part| part.bytes.clone())
    }

    fn unlisted(&self) -> usize {
        // The oldest ones may have left memory without being on the disk: then no more are listed than are there.
        let there = self.segments.iter().rev().take_while(|segment| !segment.is_lost()).count();
        self.segments.len() - there.min(self.listed_max)
    }

    /// Adds a sample whose duration is known, and ends its part and segment if what comes next, at this time and perhaps
    /// with a key frame, belongs to others.
    fn add(&mut self, sample: Sample, next: Option<(Duration, bool)>) -> bool {
        self.open.push(sample);
        let Some((pts, keyframe)) = next else {
            self.close_part();
            return true;
        };
        let (part, segment) = self.place(pts);
        let ends_segment = segment > self.open_segment && (keyframe || self.open_duration() >= SEGMENT_MAX);
        let ends_part = part > self.open_part || ends_segment;
        if ends_part {
            self.close_part();
            self.open_part = part;
        }
        if ends_segment {
            self.close_segment();
            self.open_segment = segment;
        }
        ends_part
    }

    /// Part and segment of a unit. A frame of sound seldom begins right at an edge: the nearer side counts.
    fn place(&self, pts: Duration) -> (u64, u64) {
        let nearest = match self.track {
            Track::Video | Track::Low | Track::FullHd => pts,
            Track::Audio => pts + Duration::from_millis(10),
        };
        (cadence::part_at(nearest), cadence::segment_at(nearest))
    }

    fn timescale(&self) -> u32 {
        self.format.as_ref().map_or(boxes::VIDEO_TIMESCALE, boxes::timescale)
    }

    fn open_duration(&self) -> Duration {
        let ticks = self.open.iter().map(|sample| u64::from(sample.duration)).sum();
        let parts = self.segments.back().filter(|last| !last.is_whole()).map(Segment::duration);
        parts.unwrap_or_default() + from_ticks(ticks, self.timescale())
    }

    fn close_part(&mut self) {
        let (Some(first), Some(run)) = (self.open.first(), self.run_start) else { return };
        let timescale = self.timescale();
        let ticks: u64 = self.open.iter().map(|sample| u64::from(sample.duration)).sum();
        let part = Part {
            number: self.next_part,
            duration: from_ticks(ticks, timescale),
            independent: first.keyframe,
            bytes: boxes::fragment(self.fragments, boxes::TRACK_ID, &self.open),
        };
        let start = from_ticks(first.start, timescale);
        let wall = run.wall + start.saturating_sub(run.offset);
        self.next_part += 1;
        self.fragments = self.fragments.wrapping_add(1);
        self.open.clear();
        if !self.segment_open {
            let discontinuity = self.segments.back().is_some_and(|last| last.run != self.run);
            let (msn, run, edition, independent) = (self.next_msn, self.run, self.edition, part.independent);
            let (parts, place) = (Vec::new(), Place::Open);
            let segment = Segment { msn, run, edition, discontinuity, independent, start, wall, parts, place };
            self.segments.push_back(segment);
            self.next_msn += 1;
            self.segment_open = true;
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.parts.push(part);
        }
    }

    fn close_segment(&mut self) {
        self.close_part();
        if let Some(segment) = self.segments.back_mut().filter(|_| self.segment_open) {
            let mut whole = BytesMut::with_capacity(segment.parts.iter().map(|part| part.bytes.len()).sum());
            segment.parts.iter().for_each(|part| whole.extend_from_slice(&part.bytes));
            let whole = whole.freeze();
            let mut start = 0;
            for part in &mut segment.parts {
                let end = start + part.bytes.len();
                part.bytes = whole.slice(start..end);
                start = end;
            }
            segment.place = Place::Memory { whole, kept: false };
            self.whole.push(segment.msn);
        }
        self.segment_open = false;
        self.move_to_disk();
        while self.segments.len() > self.listed_max + SPARE || self.segments.front().is_some_and(Segment::is_lost) {
            let Some(removed) = self.segments.pop_front() else { break };
            self.discontinuities_removed += u64::from(removed.discontinuity);
            if !removed.is_lost() {
                self.expired.push(removed.msn);
            }
        }
        let oldest = self.segments.front().map_or(self.edition, |segment| segment.edition);
        self.inits.retain(|(edition, _)| *edition >= oldest);
    }

    /// What is old leaves memory: to be read from the disk, or not at all.
    fn move_to_disk(&mut self) {
        let old = self.segments.len().saturating_sub(IN_MEMORY + SPARE);
        for segment in self.segments.range_mut(..old).rev() {
            let kept = match segment.place {
                Place::Memory { kept, .. } => kept,
                Place::Open | Place::Disk { .. } => break,
            };
            let duration = if kept { segment.duration() } else { Duration::ZERO };
            segment.place = Place::Disk { duration };
            segment.parts = Vec::new();
        }
    }
}

/// Samples in a frame of AAC.
pub(crate) const AAC_SAMPLES: u32 = 1024;

/// A frame of AAC at 48 kHz.
const AAC_FRAME: Duration = Duration::from_nanos(AAC_SAMPLES as u64 * 1_000_000_000 / 48_000);

/// Ticks by which a time may be off by rounding; more is a hole.
const SLACK: u64 = 3;

pub(crate) fn in_ticks(time: Duration, timescale: u32) -> u64 {
    let ticks = (time.as_nanos() * u128::from(timescale) + 500_000_000) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

pub(crate) fn from_ticks(ticks: u64, timescale: u32) -> Duration {
    let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(timescale);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
