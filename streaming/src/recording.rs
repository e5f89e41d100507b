//! A broadcast written to a file: fragmented MP4 while it goes on, so that a crash costs what was not written yet; a
//! plain MP4 that can be sought in afterwards.
//!
//! Each recording has a thread of its own, and nobody ever waits for it: when the disk is slow, pictures are left out.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use model::ParticipantId;

use crate::{
    cadence,
    hls::{
        boxes::{self, Sample},
        rendition::{AAC_SAMPLES, from_ticks, in_ticks},
    },
    recordings::{Allowance, Draft},
    tracks::{Tracks, Voices},
    vtt::{self, Cue},
    wire::{AccessUnit, Format, Track},
};

/// What waits for the disk: eight seconds of units and voices. More would be lost by a crash.
const ENTRIES_MAX: usize = 1_024;

/// This much is written at once, and is what a crash may cost; less would cost a header each.
const FRAGMENT: Duration = Duration::from_secs(1);

/// A caption stands at least so long in a film.
const CAPTION_MIN: Duration = Duration::from_millis(1_500);

/// A running recording. Dropped, it is finished.
pub(crate) struct Recorder {
    entries: SyncSender<Entry>,
    /// A picture was left out: those that follow are of no use until the next key frame.
    broken: bool,
    /// Why its thread writes no more.
    failed: Arc<OnceLock<RecordingFailed>>,
}

/// What a file is begun with.
struct Beginning {
    draft: Draft,
    file: File,
    formats: Vec<Format>,
    names: BTreeMap<ParticipantId, String>,
}

enum Entry {
    Format(Format),
    Unit(AccessUnit),
    Cue(Cue<Duration>),
    Name(BTreeMap<ParticipantId, String>),
    /// At this time since the studio's start.
    Voices(Voices, Duration),
    RunEnd,
}

/// Why a recording can't go on, or begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingFailed {
    /// The disk, or the quota of all recordings, is full.
    Full,
    /// The disk takes nothing for another reason; the log says which.
    Disk,
}

impl RecordingFailed {
    /// What an error of the disk comes to.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::Full,
            _ => Self::Disk,
        }
    }
}

impl Recorder {
    /// Begins to write what it is told from now on.
    pub(crate) fn start(draft: Draft) -> io::Result<Self> {
        let (entries, told) = sync_channel(ENTRIES_MAX);
        let file = draft.create()?;
        let failed = Arc::<OnceLock<_>>::default();
        let why = Arc::clone(&failed);
        let write = move || {
            let mut next = Beginning { draft, file, formats: Vec::new(), names: BTreeMap::new() };
            let (last, seconds) = loop {
                let Beginning { draft, file, formats, names } = next;
                let mut writer = Writer::new(file, draft.allowance());
                let mut captions = Captions { draft: &draft, file: None, last: Duration::ZERO };
                let mut tracks = Tracks::new(&draft);
                tracks.name(names);
                let begun = formats.into_iter().try_for_each(|format| writer.format(&format).map(|_| ()));
                let ended = begun.and_then(|()| run(&mut writer, &mut captions, &mut tracks, &told));
                let another = ended.and_then(|other| {
                    let Some(other) = other else { return Ok(None) };
                    tracing::info!(id = %draft.id(), "the studio codes otherwise than before: the recording goes on in another file");
                    let (formats, names) = (writer.formats_with(other), tracks.names());
                    let draft = draft.another()?;
                    Ok(Some(Beginning { file: draft.create()?, draft, formats, names }))
                });
                let another = another.unwrap_or_else(|error: io::Error| {
                    tracing::error!(%error, id = %draft.id(), "recording can't go on");
                    why.get_or_init(|| RecordingFailed::of(&error));
                    None
                });
                let seconds = writer.end.as_secs_f64();
                tracks.finish(writer.end);
                drop(writer);
                let Some(another) = another else { break (draft, seconds) };
                next = another;
                // What comes meanwhile doesn't wait until the plain file is made.
                let finish = move || draft.finish(seconds);
                if let Err(error) = thread::Builder::new().name("recordings".to_owned()).spawn(finish) {
                    tracing::error!(%error, "a recording is finished when the server is started again");
                }
            };
            // Waiting for room in a recording that nobody drains would be in vain.
            drop(told);
            last.finish(seconds);
        };
        thread::Builder::new().name("recorder".to_owned()).spawn(write)?;
        Ok(Self { entries, broken: false, failed })
    }

    pub(crate) fn format(&self, format: Format) -> Result<(), RecordingFailed> {
        self.put(Entry::Format(format)).map(|_| ())
    }

    pub(crate) fn unit(&mut self, unit: AccessUnit) -> Result<(), RecordingFailed> {
        let is_picture = unit.track == Track::Video;
        if is_picture && self.broken && !unit.keyframe {
            return Ok(());
        }
        let put = self.put(Entry::Unit(unit))?;
        if is_picture {
            self.broken = !put;
        }
        Ok(())
    }

    /// What was said; its times are since the studio's start.
    pub(crate) fn cue(&self, cue: Cue<Duration>) -> Result<(), RecordingFailed> {
        self.put(Entry::Cue(cue)).map(|_| ())
    }

    /// How those are called whose voices come.
    pub(crate) fn name(&self, names: BTreeMap<ParticipantId, String>) -> Result<(), RecordingFailed> {
        self.put(Entry::Name(names)).map(|_| ())
    }

    /// What each said, so long after the studio's start.
    pub(crate) fn voices(&self, voices: Voices, since: Duration) -> Result<(), RecordingFailed> {
        self.put(Entry::Voices(voices, since)).map(|_| ())
    }

    /// The studio is gone; another one follows.
    pub(crate) fn run_ended(&self) -> Result<(), RecordingFailed> {
        self.put(Entry::RunEnd).map(|_| ())
    }

    /// False when there was no room.
    fn put(&self, entry: Entry) -> Result<bool, RecordingFailed> {
        match self.entries.try_send(entry) {
            Ok(()) => Ok(true),
            Err(TrySendError::Full(_)) => {
                metrics::counter!("streaming_recording_dropped_total").increment(1);
                Ok(false)
            }
            Err(TrySendError::Disconnected(_)) => Err(self.failed.get().copied().unwrap_or(RecordingFailed::Disk)),
        }
    }
}

/// Until the recording's end; or until something is coded otherwise than this file has it, and as what.
fn run(
    writer: &mut Writer,
    captions: &mut Captions<'_>,
    tracks: &mut Tracks<'_>,
    told: &Receiver<Entry>,
) -> io::Result<Option<Format>> {
    let begun = Instant::now();
    while let Ok(entry) = told.recv() {
        match entry {
            Entry::Format(format) => {
                if !writer.format(&format)? {
                    writer.run_ended()?;
                    return Ok(Some(format));
                }
            }
            Entry::Unit(unit) => writer.unit(unit, begun.elapsed())?,
            Entry::Cue(cue) => {
                if let (Some(start), Some(end)) = (writer.time_of(cue.start), writer.time_of(cue.end)) {
                    captions.write(Cue { start, end, text: cue.text });
                }
            }
            Entry::Name(names) => tracks.name(names),
            Entry::Voices(voices, since) => {
                if let Some(at) = writer.time_of(since) {
                    tracks.voices(&voices, at, &mut writer.allowance);
                }
            }
            Entry::RunEnd => writer.run_ended()?,
        }
    }
    writer.run_ended()?;
    Ok(None)
}

/// What was said, beside the film. A disk that doesn't take it costs the captions alone.
struct Captions<'a> {
    draft: &'a Draft,
    /// From the first caption on.
    file: Option<File>,
    /// No caption begins before the one before it.
    last: Duration,
}

impl Captions<'_> {
    fn write(&mut self, mut cue: Cue<Duration>) {
        cue.start = cue.start.max(self.last);
        cue.end = cue.end.max(cue.start + CAPTION_MIN);
        self.last = cue.start;
        if let Err(error) = self.append(&cue) {
            tracing::warn!(%error, id = %self.draft.id(), "a caption isn't written");
        }
    }

    fn append(&mut self, cue: &Cue<Duration>) -> io::Result<()> {
        let (file, header) = match self.file.take() {
            Some(file) => (file, ""),
            None => (self.draft.create_captions()?, vtt::HEADER),
        };
        let written = write!(self.file.insert(file), "{header}{cue}");
        written
    }
}

/// Units become fragments in a file. `W` is a file outside of tests.
struct Writer<W: Output = File> {
    out: W,
    allowance: Allowance,
    /// Picture and sound.
    tracks: [Option<Strip>; 2],
    is_begun: bool,
    /// The recording's time at the run's time 0, which may be before the recording began.
    run: Option<Run>,
    end: Duration,
    fragments: u32,
    /// Bytes of the file, all of them whole boxes.
    written: u64,
}

#[derive(Clone, Copy)]
struct Run {
    /// By the run's clock.
    first: Duration,
    /// By the recording's.
    at: Duration,
}

struct Strip {
    format: Format,
    /// Its duration is known when the next one comes.
    held: Option<Sample>,
    samples: Vec<Sample>,
}

/// A file, or what stands for it.
trait Output: Write {
    fn sync(&mut self) -> io::Result<()>;

    /// Nothing is left but so many bytes of its beginning.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Output for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

impl<W: Output> Writer<W> {
    fn new(out: W, allowance: Allowance) -> Self {
        let (tracks, end) = ([None, None], Duration::ZERO);
        Self { out, allowance, tracks, is_begun: false, run: None, end, fragments: 0, written: 0 }
    }

    /// False where the file is coded otherwise: after a studio that died of its encoder comes one with another.
    fn format(&mut self, format: &Format) -> io::Result<bool> {
        let track = &mut self.tracks[index_of(format)];
        match track {
            Some(strip) => return Ok(strip.format == *format),
            None => *track = Some(Strip { format: format.clone(), held: None, samples: Vec::new() }),
        }
        if let [Some(picture), Some(sound)] = &self.tracks {
            let init = boxes::init_segment(&[&picture.format, &sound.format]);
            self.write(&init)?;
            self.is_begun = true;
        }
        Ok(true)
    }

    /// Its formats with one of them changed.
    fn formats_with(&self, other: Format) -> Vec<Format> {
        let kept = self.tracks.iter().flatten().map(|strip| &strip.format);
        let kept = kept.filter(|format| index_of(format) != index_of(&other)).cloned();
        kept.chain([other.clone()]).collect()
    }

    /// `elapsed` is the time since the recording began: only what a studio's death has cost is taken from it.
    fn unit(&mut self, unit: AccessUnit, elapsed: Duration) -> io::Result<()> {
        if !self.is_begun {
            return Ok(());
        }
        let run = match self.run {
            Some(run) => run,
            None if unit.track == Track::Video && unit.keyframe => {
                let at = if self.end.is_zero() { Duration::ZERO } else { elapsed.max(self.end) };
                *self.run.insert(Run { first: unit.pts, at })
            }
            None => return Ok(()),
        };
        let Some(since) = unit.pts.checked_sub(run.first) else { return Ok(()) };
        let time = run.at + since;
        let Some(strip) = &mut self.tracks[track_index(unit.track)] else { return Ok(()) };
        let start = in_ticks(time, boxes::timescale(&strip.format));
        if let Some(mut held) = strip.held.take() {
            let Some(duration) = start.checked_sub(held.start).filter(|ticks| *ticks > 0) else {
                strip.held = Some(held);
                return Ok(());
            };
            held.duration = u32::try_from(duration).unwrap_or(u32::MAX);
            strip.samples.push(held);
        }
        strip.held = Some(Sample { start, duration: 0, keyframe: unit.keyframe, data: unit.data });
        self.end = self.end.max(time);
        if unit.track == Track::Video && strip.length() >= FRAGMENT {
            self.flush()?;
        }
        Ok(())
    }

    /// When in the recording it is that is at this time of the run; none before its first picture.
    fn time_of(&self, pts: Duration) -> Option<Duration> {
        let Run { first, at } = self.run?;
        Some(at + pts.checked_sub(first)?)
    }

    fn run_ended(&mut self) -> io::Result<()> {
        for strip in self.tracks.iter_mut().flatten() {
            if let Some(mut held) = strip.held.take() {
                held.duration = match strip.format {
                    Format::Video { .. } => in_ticks(cadence::TICK, boxes::VIDEO_TIMESCALE) as u32,
                    Format::Audio { .. } => AAC_SAMPLES,
                };
                strip.samples.push(held);
            }
        }
        self.run = None;
        self.flush()
    }

    /// Writes what is complete, and has it on the disk.
    fn flush(&mut self) -> io::Result<()> {
        for index in 0..self.tracks.len() {
            let Some(strip) = &mut self.tracks[index] else { continue };
            let samples = std::mem::take(&mut strip.samples);
            if !samples.is_empty() {
                self.fragments = self.fragments.wrapping_add(1);
                let fragment = boxes::fragment(self.fragments, boxes::TRACK_ID + index as u32, &samples);
                self.write(&fragment)?;
            }
        }
        self.out.sync()
    }

    /// All of it or nothing: a film that ends within a fragment's head is opened by no player, whatever comes before.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.allowance.take(bytes.len() as u64)?;
        if let Err(error) = self.out.write_all(bytes) {
            self.out.cut(self.written)?;
            return Err(error);
        }
        self.written += bytes.len() as u64;
        Ok(())
    }
}

impl Strip {
    fn length(&self) -> Duration {
        let ticks = self.samples.iter().map(|sample| u64::from(sample.duration)).sum();
        from_ticks(ticks, boxes::timescale(&self.format))
    }
}

fn index_of(format: &Format) -> usize {
    usize::from(matches!(format, Format::Audio { .. }))
}

fn track_index(track: Track) -> usize {
    usize::from(track == Track::Audio)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use bytes::Bytes;
    use model::{AccountId, MeetingId};
    use mp4_atom::{Any, ReadFrom};
    use tokio::time::timeout;

    use super::*;
    use crate::{NewRecording, RecordingConfig, RecordingNews, Recordings};

    impl Output for Vec<u8> {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn cut(&mut self, bytes: u64) -> io::Result<()> {
            self.truncate(bytes as usize);
            Ok(())
        }
    }

    /// A disk with so much room.
    struct Small(Vec<u8>, usize);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes.len().min(self.1 - self.0.len()) {
                0 => Err(io::ErrorKind::StorageFull.into()),
                fits => self.0.write(&bytes[..fits]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Small {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn cut(&mut self, bytes: u64) -> io::Result<()> {
            self.0.cut(bytes)
        }
    }

    fn formats() -> [Format; 2] {
        let avcc = Bytes::from_static(&[1, 0x4d, 0x40, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x4d, 0x40, 0x1f, 1, 0, 1, 0x68]);
        let config = Bytes::from_static(&[0x11, 0x88]);
        [Format::Video { width: 1280, height: 720, avcc }, Format::Audio { rate: 48_000, channels: 1, config }]
    }

    /// As many as are wanted, of one server.
    fn writers<const N: usize>(quota_bytes: u64) -> [Writer<Vec<u8>>; N] {
        let folder = tempfile::tempdir().unwrap();
        let config = RecordingConfig { folder: Some(folder.path().to_owned()), quota_bytes, ..Default::default() };
        let recordings = Recordings::open(config, "/bin/false".into(), None);
        let (meeting, owner) = (MeetingId::from_u128(1), AccountId::new(uuid::Uuid::nil()));
        let new = NewRecording { meeting, broadcast: None, owner, site: None, title: String::new() };
        std::array::from_fn(|_| Writer::new(Vec::new(), recordings.draft(new.clone()).unwrap().allowance()))
    }

    fn writer(quota_bytes: u64) -> Writer<Vec<u8>> {
        let [mut writer] = writers(quota_bytes);
        formats().iter().for_each(|format| assert!(writer.format(format).unwrap()));
        writer
    }

    /// Pictures and sound of so many ticks from one on, with a key frame each 50.
    fn play<W: Output>(writer: &mut Writer<W>, ticks: std::ops::Range<u32>, elapsed: Duration) -> io::Result<()> {
        for tick in ticks {
            let pts = Duration::from_millis(40) * tick;
            let unit = |track, keyframe| AccessUnit { track, pts, keyframe, data: Bytes::from_static(&[9; 100]) };
            writer.unit(unit(Track::Audio, true), elapsed)?;
            writer.unit(unit(Track::Video, tick.is_multiple_of(50)), elapsed)?;
        }
        Ok(())
    }

    /// Track, start and length of each fragment.
    fn fragments(file: &[u8]) -> Vec<(u32, u64, u64)> {
        let mut bytes = Cursor::new(file);
        let mut fragments = Vec::new();
        while let Some(atom) = Option::<Any>::read_from(&mut bytes).unwrap() {
            if let Any::Moof(moof) = atom {
                let [traf] = &moof.traf[..] else { panic!("one track in a fragment") };
                let length = traf.trun[0].samples.iter().map(|entry| u64::from(entry.duration.unwrap())).sum();
                let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
                fragments.push((traf.tfhd.track_id, start, length));
            }
        }
        fragments
    }

    // product: C23; reliability.md R7
    #[test]
    fn a_disk_that_is_full_leaves_whole_fragments() {
        let mut plenty = writer(1 << 20);
        play(&mut plenty, 0..200, Duration::ZERO).unwrap();
        let all = fragments(&plenty.out);
        for room in (600..plenty.out.len()).step_by(97) {
            let Writer { allowance, .. } = writer(1 << 20);
            let mut writer = Writer::new(Small(Vec::new(), room), allowance);
            let begun = formats().iter().try_for_each(|format| writer.format(format).map(drop));
            let ended = begun.and_then(|()| play(&mut writer, 0..200, Duration::ZERO));
            assert_eq!(ended.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
            let there = fragments(&writer.out.0);
            assert_eq!(there, all[..there.len()], "in {room} bytes");
        }
    }

    // product: C23
    #[test]
    fn a_recording_begins_at_a_key_frame_and_has_no_holes() {
        let mut writer = writer(u64::MAX);
        // It begins in the middle of a studio's life, between two key frames.
        play(&mut writer, 120..400, Duration::ZERO).unwrap();
        writer.run_ended().unwrap();
        let fragments = fragments(&writer.out);
        for (track, timescale) in [(1, 90_000), (2, 48_000)] {
            let mut next = fragments.iter().find(|fragment| fragment.0 == track).unwrap().1;
            assert!(next <= timescale / 25, "track {track} begins at {next}");
            for (_, start, length) in fragments.iter().filter(|fragment| fragment.0 == track) {
                assert_eq!(*start, next, "track {track}");
                next += length;
            }
            let seconds = next as f64 / timescale as f64;
            assert!((seconds - 10.0).abs() < 0.1, "track {track} has {seconds} s of 10");
        }
    }

    // product: B6
    #[test]
    fn no_more_than_two_seconds_are_not_written_yet() {
        let mut writer = writer(u64::MAX);
        play(&mut writer, 0..1_000, Duration::ZERO).unwrap();
        for track in [1, 2] {
            let written: u64 = fragments(&writer.out).iter().filter(|of| of.0 == track).map(|of| of.2).sum();
            let seconds = written as f64 / if track == 1 { 90_000.0 } else { 48_000.0 };
            assert!(seconds > 38.0, "{seconds} of 40 s");
        }
    }

    #[test]
    fn a_dead_studio_leaves_a_gap_of_its_length() {
        let mut writer = writer(u64::MAX);
        play(&mut writer, 0..100, Duration::from_secs(4)).unwrap();
        writer.run_ended().unwrap();
        formats().iter().for_each(|format| assert!(writer.format(format).unwrap()));
        play(&mut writer, 0..100, Duration::from_secs(6)).unwrap();
        writer.run_ended().unwrap();
        let starts: Vec<u64> = fragments(&writer.out).iter().filter(|of| of.0 == 1).map(|of| of.1).collect();
        assert!(starts.contains(&(6 * 90_000)), "{starts:?}");
    }

    // product: B6
    #[tokio::test]
    async fn a_studio_that_codes_otherwise_ends_the_file_and_not_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        let config = RecordingConfig { folder: Some(folder.path().to_owned()), ..Default::default() };
        let recordings = Recordings::open(config, "/bin/false".into(), None);
        let mut told = recordings.news().unwrap();
        let (meeting, owner) = (MeetingId::from_u128(1), AccountId::new(uuid::Uuid::nil()));
        let new = NewRecording { meeting, broadcast: None, owner, site: None, title: "例会".to_owned() };
        let mut recorder = Recorder::start(recordings.draft(new).unwrap()).unwrap();
        let [picture, sound] = formats();
        let Format::Video { width, height, avcc } = picture.clone() else { unreachable!("a picture") };
        let other = Format::Video { width, height, avcc: [&avcc[..], &[7]].concat().into() };
        // The second is as the first; the third codes its pictures otherwise, and its sound as before.
        for picture in [&picture, &picture, &other] {
            [picture, &sound].into_iter().for_each(|format| recorder.format(format.clone()).unwrap());
            for tick in 0..100 {
                let pts = Duration::from_millis(40) * tick;
                for track in [Track::Audio, Track::Video] {
                    let keyframe = tick.is_multiple_of(50);
                    let unit = AccessUnit { track, pts, keyframe, data: Bytes::from_static(&[9; 100]) };
                    recorder.unit(unit).unwrap();
                }
            }
            recorder.run_ended().unwrap();
        }
        drop(recorder);
        let mut film = async || match timeout(Duration::from_secs(20), told.recv()).await.expect("a film") {
            Some(RecordingNews::Ready(film)) => film,
            other => panic!("{other:?} and no film"),
        };
        let mut films = [film().await, film().await];
        films.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let [both, last] = films.map(|film| (film.title, film.seconds));
        assert!(both.1 > 7.9 && (3.9..4.1).contains(&last.1), "{} and {} s", both.1, last.1);
        assert_eq!((both.0.as_str(), last.0.as_str()), ("例会", "例会"));
        assert!(told.try_recv().is_err(), "there are two");
    }

    #[test]
    fn the_quota_ends_it() {
        let mut writer = writer(20_000);
        let ended = play(&mut writer, 0..1_000, Duration::ZERO).unwrap_err();
        assert!(ended.to_string().contains("quota"), "{ended}");
        assert_eq!(RecordingFailed::of(&ended), RecordingFailed::Full);
        // What the system says of a full disk, and of one that fails: ENOSPC, EDQUOT, EIO.
        let of = |code| RecordingFailed::of(&io::Error::from_raw_os_error(code));
        assert_eq!([of(28), of(122), of(5)], [RecordingFailed::Full, RecordingFailed::Full, RecordingFailed::Disk]);
        assert!(writer.out.len() <= 20_000 && !fragments(&writer.out).is_empty());
    }

    #[test]
    fn two_that_run_at_once_share_the_quota() {
        let mut both: [_; 2] = writers(20_000);
        for writer in &mut both {
            formats().iter().for_each(|format| assert!(writer.format(format).unwrap()));
        }
        let mut ended = None;
        for second in (0..100).step_by(2) {
            let ticks = second * 25..(second + 2) * 25;
            let each = both.iter_mut().map(|writer| play(writer, ticks.clone(), Duration::ZERO));
            ended = ended.or_else(|| each.filter_map(Result::err).next());
        }
        assert_eq!(ended.map(|error| error.kind()), Some(io::ErrorKind::QuotaExceeded));
        let [one, other] = both.map(|writer| writer.out.len());
        assert!(one > 5_000 && other > 5_000 && one + other <= 20_000, "{one} and {other} bytes");
    }
}
