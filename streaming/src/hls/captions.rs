//! The captions of a broadcast as a rendition of their own: one small WebVTT file for each segment of the picture
//! (RFC 8216 §3.5), which never changes once its segment is whole.

use std::{collections::VecDeque, fmt::Write, time::Duration};

use bytes::Bytes;

use super::rendition::{Rendition, Segment};
use crate::vtt::{self, Cue};

/// Ten seconds of our time are ten seconds of the picture's. Zero would do as well, but hls.js 1.7 takes an offset of
/// nothing for none at all, and a viewer from the first second on has that one.
const TIMESTAMP_MAP: &str = "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:10.000\n";

/// A caption stands at least so long: what comes to a player is up to a segment old, and then it is to be read.
const SHOWN_MIN: Duration = Duration::from_millis(3_000);

/// And at most so long; a recogniser that says otherwise is mistaken.
const SHOWN_MAX: Duration = Duration::from_secs(8);

/// Captions that wait for their segment to be whole. More in two seconds can't be read; the oldest give way.
const OPEN_MAX: usize = 16;

/// Captions of one broadcast.
#[derive(Debug)]
pub(crate) struct Captions {
    /// BCP 47.
    pub(crate) language: String,
    /// By the broadcast's time; those of segments that are whole only as long as they reach into the next one.
    open: VecDeque<Cue<Duration>>,
    /// One for each whole segment of the picture that is kept.
    files: VecDeque<(u64, Bytes)>,
}

impl Captions {
    pub(crate) fn new(language: String) -> Self {
        Self { language, open: VecDeque::new(), files: VecDeque::new() }
    }

    /// What was said comes late: it is shown from `now` on, the end of what was published, where viewers can still see it.
    pub(crate) fn push(&mut self, cue: Cue<Duration>, now: Duration) {
        let start = cue.start.max(now);
        let length = cue.end.saturating_sub(cue.start).clamp(SHOWN_MIN, SHOWN_MAX);
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back(Cue { start, end: start + length, text: cue.text });
    }

    /// Writes the files of segments that are whole since the last time, and forgets those of segments that are gone.
    pub(super) fn follow(&mut self, picture: &Rendition) {
        let next = self.files.back().map_or(0, |(msn, _)| msn + 1);
        for segment in picture.segments().filter(|segment| segment.is_whole() && segment.msn >= next) {
            let file = self.file(segment);
            self.files.push_back((segment.msn, file));
        }
        let oldest = picture.segments().next().map_or(0, |segment| segment.msn);
        while self.files.front().is_some_and(|(msn, _)| *msn < oldest) {
            self.files.pop_front();
        }
    }

    pub(super) fn get(&self, msn: u64) -> Option<Bytes> {
        let first = self.files.front()?.0;
        let index = usize::try_from(msn.checked_sub(first)?).ok()?;
        self.files.get(index).filter(|(of, _)| *of == msn).map(|(_, file)| file.clone())
    }

    fn file(&mut self, segment: &Segment) -> Bytes {
        let end = segment.start + segment.duration();
        let mut out = format!("{}{TIMESTAMP_MAP}", vtt::HEADER);
        for cue in self.open.iter().filter(|cue| cue.start < end && cue.end > segment.start) {
            write!(out, "{cue}").expect("writing to a string doesn't fail");
        }
        self.open.retain(|cue| cue.end > end);
        out.into()
    }
}
