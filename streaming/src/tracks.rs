//! Each voice of a recording as a file of its own (C23): Opus in Ogg beside the film, as long as the film, with silence
//! where it was silent. Laid over each other they are the film's sound.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    time::{Duration, SystemTime},
};

use media::{Frame, SAMPLE_RATE};
use model::ParticipantId;
use opus::{Application, Bitrate, Channels};

use crate::{
    ogg::{Ogg, PACKET_SAMPLES},
    recordings::{Allowance, Draft},
};

/// Voices of one tick on their way from the media worker: half a second of ticks. What doesn't fit is left out.
pub(crate) const VOICES_QUEUE: usize = 25;

/// Files of one recording, each of which is open while it goes on. Who speaks for the first time when there are as many is in the
/// film alone.
pub(crate) const TRACKS_MAX: usize = 128;

/// One voice is transparent at this.
const BITS: i32 = 40_000;

/// Of 10: what voices gain beyond is not heard.
const COMPLEXITY: i32 = 5;

/// No packet of 20 ms is longer (RFC 6716 §3.2).
const PACKET_MAX: usize = 1_275;

/// The sound of the film is so late: it waits for the picture, see the studio's `sound`.
const FILM_LATE: Duration = Duration::from_millis(80);

/// The mixer's ticks may come late, in bursts. Later than this they are not late but others.
const OFF_MAX: Duration = Duration::from_millis(200);

/// What was said in one tick of the mixer, by each who is in the mix.
pub(crate) struct Voices {
    pub(crate) tick: u64,
    pub(crate) time: SystemTime,
    pub(crate) frames: Vec<(ParticipantId, Box<Frame>)>,
}

/// All files of one recording. A disk that doesn't take them costs them alone.
pub(crate) struct Tracks<'a> {
    draft: &'a Draft,
    names: BTreeMap<ParticipantId, String>,
    files: BTreeMap<ParticipantId, Option<Track>>,
    /// A tick, and where in the recording it is, in samples.
    anchor: Option<(u64, u64)>,
}

struct Track {
    ogg: Ogg<File>,
    encoder: opus::Encoder,
}

impl<'a> Tracks<'a> {
    pub(crate) fn new(draft: &'a Draft) -> Self {
        Self { draft, names: BTreeMap::new(), files: BTreeMap::new(), anchor: None }
    }

    /// How those are called whose voices come.
    pub(crate) fn name(&mut self, names: BTreeMap<ParticipantId, String>) {
        self.names.extend(names);
    }

    /// What it was told of that.
    pub(crate) fn names(&self) -> BTreeMap<ParticipantId, String> {
        self.names.clone()
    }

    /// What was said at this time of the recording.
    pub(crate) fn voices(&mut self, voices: &Voices, at: Duration, allowance: &mut Allowance) {
        let start = self.place(voices.tick, at + FILM_LATE);
        for (who, frame) in &voices.frames {
            let count = self.files.len();
            let file = self.files.entry(*who).or_insert_with(|| {
                let name = self.names.get(who).map_or("", String::as_str);
                let started = (count < TRACKS_MAX).then(|| Track::start(self.draft, name))?;
                started
                    .inspect_err(
                        |error| tracing::warn!(%error, id = %self.draft.id(), "a voice has no file of its own"),
                    )
                    .ok()
            });
            let Some(track) = file else { continue };
            if let Err(error) = track.write(start, frame, allowance) {
                tracing::warn!(%error, id = %self.draft.id(), "a voice's file ends");
                *file = None;
            }
        }
    }

    /// By the mixer's ticks, which are exact, for as long as they agree with the time.
    fn place(&mut self, tick: u64, at: Duration) -> u64 {
        let by_time = in_samples(at);
        let by_tick = self.anchor.and_then(|(of, sample)| Some(sample + tick.checked_sub(of)? * PACKET_SAMPLES));
        match by_tick {
            // Ticks are late and never early: one that comes before its time was counted from one that was late.
            Some(sample) if (sample..=sample + in_samples(OFF_MAX)).contains(&(by_time + PACKET_SAMPLES)) => sample,
            Some(_) | None => {
                self.anchor = Some((tick, by_time));
                by_time
            }
        }
    }

    /// All are as long as the film.
    pub(crate) fn finish(self, length: Duration) {
        for track in self.files.into_values().flatten() {
            if let Err(error) = track.finish(in_samples(length)) {
                tracing::warn!(%error, id = %self.draft.id(), "a voice's file has no end");
            }
        }
    }
}

impl Track {
    fn start(draft: &Draft, name: &str) -> io::Result<Self> {
        let setting = || {
            let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Audio)?;
            encoder.set_bitrate(Bitrate::Bits(BITS))?;
            encoder.set_complexity(COMPLEXITY)?;
            let skipped = encoder.get_lookahead()?;
            Ok((encoder, skipped))
        };
        let (encoder, skipped) = setting().map_err(|error: opus::Error| io::Error::other(error))?;
        let ogg = Ogg::start(draft.create_track(name)?, u16::try_from(skipped).unwrap_or_default(), name)?;
        Ok(Self { ogg, encoder })
    }

    /// Sound that is there already is not written over.
    fn write(&mut self, start: u64, frame: &Frame, allowance: &mut Allowance) -> io::Result<()> {
        let before = self.ogg.written;
        if start + PACKET_SAMPLES / 2 < self.ogg.samples {
            return Ok(());
        }
        if self.silence_until(start)? {
            // What it remembers was said long ago.
            self.encoder.reset_state().map_err(io::Error::other)?;
        }
        let mut packet = [0; PACKET_MAX];
        let length = self.encoder.encode_float(frame, &mut packet).map_err(io::Error::other)?;
        self.ogg.packet(&packet[..length])?;
        allowance.take(self.ogg.written - before)
    }

    fn silence_until(&mut self, sample: u64) -> io::Result<bool> {
        let mut was_silent = false;
        while self.ogg.samples + PACKET_SAMPLES / 2 < sample {
            self.ogg.silence()?;
            was_silent = true;
        }
        Ok(was_silent)
    }

    fn finish(mut self, end: u64) -> io::Result<()> {
        self.silence_until(end)?;
        self.ogg.finish()
    }
}

fn in_samples(time: Duration) -> u64 {
    (time.as_secs_f64() * f64::from(SAMPLE_RATE)) as u64
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use media::SILENCE;
    use model::{AccountId, MeetingId};

    use super::*;
    use crate::{NewRecording, RecordingConfig, Recordings};

    const TICK: Duration = Duration::from_millis(20);

    fn draft(folder: &Path, quota_bytes: u64) -> Draft {
        let config = RecordingConfig { folder: Some(folder.to_owned()), keep_days: 0, quota_bytes, tracks: true };
        let (meeting, owner) = (MeetingId::new(uuid::Uuid::nil()), AccountId::new(uuid::Uuid::nil()));
        let new = NewRecording { meeting, broadcast: None, owner, site: None, title: String::new() };
        Recordings::open(config, "/bin/false".into(), None).draft(new).unwrap()
    }

    fn who(number: u128) -> ParticipantId {
        ParticipantId::new(uuid::Uuid::from_u128(number))
    }

    fn voices(tick: u64, speakers: &[u128]) -> Voices {
        let frames = speakers.iter().map(|number| (who(*number), Box::new(SILENCE))).collect();
        Voices { tick, time: SystemTime::UNIX_EPOCH, frames }
    }

    /// The samples of each file, as its last page has them.
    fn lengths(folder: &Path) -> Vec<u64> {
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "ogg"));
        files.sort();
        let last = |path: &std::path::PathBuf| {
            let bytes = fs::read(path).unwrap();
            let page = bytes.windows(4).rposition(|four| four == b"OggS").unwrap();
            u64::from_le_bytes(bytes[page + 6..page + 14].try_into().unwrap())
        };
        files.iter().map(last).collect()
    }

    // product: C23
    #[test]
    fn all_are_as_long_as_the_film_whoever_spoke_when() {
        let folder = tempfile::tempdir().unwrap();
        let draft = draft(folder.path(), u64::MAX);
        let mut tracks = Tracks::new(&draft);
        let mut left = draft.allowance();
        // The ticks are 3 ms late one time and early the other, and once a burst of eight comes 160 ms late.
        for tick in 0..500_u64 {
            let late = if (200..208).contains(&tick) { 160 - 20 * (tick - 200) } else { tick % 2 * 3 };
            let at = TICK * tick as u32 + Duration::from_millis(late);
            let speakers: &[u128] = if !(100..=400).contains(&tick) { &[1] } else { &[1, 2] };
            tracks.voices(&voices(tick, speakers), at, &mut left);
        }
        for track in tracks.files.values().flatten() {
            let end = track.ogg.samples as f64 / f64::from(SAMPLE_RATE);
            let said = if track.ogg.samples > 9 * 48_000 { 10.08 } else { 8.10 };
            assert!((end - said).abs() < 0.025, "{end} s of {said}");
        }
        // What places are counted from may have been late itself.
        tracks.anchor = None;
        let places = [120, 0, 90, 0].into_iter().zip(0_u64..).map(|(late_ms, tick)| {
            let at = TICK * tick as u32 + Duration::from_millis(12_000 + late_ms);
            (tracks.place(600 + tick, at) - 12 * 48_000 - tick * PACKET_SAMPLES) / 48
        });
        assert_eq!(places.collect::<Vec<_>>(), [120, 0, 0, 0]);
        // A meeting that is mixed elsewhere from now on counts other ticks.
        tracks.voices(&voices(3, &[2]), Duration::from_secs(15), &mut left);
        tracks.voices(&voices(4, &[2]), Duration::from_millis(15_020), &mut left);
        tracks.finish(Duration::from_secs(20));
        assert_eq!(lengths(folder.path()), [20 * 48_000, 20 * 48_000]);
    }

    #[test]
    fn the_quota_and_the_number_of_files_bound_them() {
        let [folder, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [draft, unbounded] =
            [(&folder, 6_000), (&elsewhere, u64::MAX)].map(|(folder, quota)| draft(folder.path(), quota));
        let mut tracks = Tracks::new(&draft);
        let mut left = draft.allowance();
        for tick in 0..1_000 {
            tracks.voices(&voices(tick, &[1]), TICK * tick as u32, &mut left);
        }
        let written = || -> u64 {
            let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
            files
                .filter(|file| file.file_name().to_string_lossy().ends_with("ogg"))
                .map(|of| of.metadata().unwrap().len())
                .sum()
        };
        assert!((1_000..8_000).contains(&written()), "{} bytes", written());
        let everybody: Vec<u128> = (2..500).collect();
        tracks.voices(&voices(1_000, &everybody), TICK * 1_000, &mut unbounded.allowance());
        tracks.finish(Duration::from_secs(21));
        assert_eq!(lengths(folder.path()).len(), TRACKS_MAX);
    }
}
