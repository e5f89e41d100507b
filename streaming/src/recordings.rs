//! The recordings on this machine's disk: a folder with a film and a note about it for each, how long they are kept, and
//! how much room they may take, all and those of each site (`room`).
//!
//! ```text
//! {id}.json         the note, see [`Recording`]
//! {id}.part.mp4     while it is being recorded: fragments
//! {id}.mp4          afterwards: a plain file
//! {id}.vtt          what was said, where it was written down
//! {id}.{n}.ogg      each voice by itself, where that is wanted
//! ```
//!
//! Where there is a [`Storage`], the film moves there when it is finished, and the note stays: see `moving`.

mod room;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use model::{AccountId, BroadcastId, MeetingId, SiteId};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::{
    moving,
    storage::{Storage, StorageError},
    tracks::TRACKS_MAX,
};

/// Where and for how long.
#[derive(Debug, Clone)]
pub struct RecordingConfig {
    /// The folder; nothing can be recorded without one.
    pub folder: Option<PathBuf>,
    /// Older ones are removed; 0 keeps them for ever.
    pub keep_days: u32,
    /// All together that are on the disk; old ones give way to a new one, which ends when it alone is larger. Each site that has some has an
    /// equal share: nothing of one that has no more than that gives way to others.
    pub quota_bytes: u64,
    /// Each voice is kept as a file of its own as well.
    pub tracks: bool,
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self { folder: None, keep_days: 0, quota_bytes: u64::MAX, tracks: false }
    }
}

/// How often it is looked for what is too old. Nobody is shown it meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// After so much more of a running recording it is looked whether all still fit; each look costs a walk over all notes.
const SWEEP_BYTES: u64 = 1 << 20;

/// News that wait to be told: more recordings end at once only when a server stops.
const NEWS_MAX: usize = 256;

/// What is known of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Its own, and its file's name.
    pub id: Uuid,
    /// Of which meeting.
    pub meeting: MeetingId,
    /// The livestream whose recording it is; none where the meeting was not public.
    pub broadcast: Option<BroadcastId>,
    /// Whose meeting.
    pub owner: AccountId,
    /// And of which site; unknown of those from before this was written down, which count as a site of their owner's own.
    #[serde(default)]
    pub site: Option<SiteId>,
    /// Its topic.
    pub title: String,
    /// Milliseconds since 1970, UTC.
    pub started_ms: i64,
    /// Its length; 0 until it is finished.
    pub seconds: f64,
    /// Its size; 0 until it is finished.
    pub bytes: u64,
    /// Finished, and can be fetched.
    pub ready: bool,
    /// The size of its captions; 0 where it has none.
    #[serde(default)]
    pub captions_bytes: u64,
    /// Each voice by itself, where that was wanted, in the order in which they were first heard.
    #[serde(default)]
    pub tracks: Vec<RecordedTrack>,
    /// It has moved to the storage.
    #[serde(default)]
    pub stored: bool,
    /// It is no longer wanted, and the storage has not been told yet.
    #[serde(default)]
    pub removed: bool,
}

/// One voice of a recording by itself: Opus in Ogg, as long as the film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTrack {
    /// Whose it is, as all saw it.
    pub name: String,
    /// Its size; 0 until the recording is finished.
    pub bytes: u64,
}

impl Recording {
    /// The names of its files.
    pub(crate) fn files(&self) -> Vec<String> {
        let captions = (self.captions_bytes > 0).then(|| format!("{}.vtt", self.id));
        let tracks = (0..self.tracks.len()).map(|index| self.track_file(index));
        [format!("{}.mp4", self.id)].into_iter().chain(captions).chain(tracks).collect()
    }

    fn track_file(&self, index: usize) -> String {
        format!("{}.{}.ogg", self.id, index + 1)
    }

    /// All its files.
    fn bytes_of_all(&self) -> u64 {
        self.bytes + self.captions_bytes + self.tracks.iter().map(|track| track.bytes).sum::<u64>()
    }

    fn is_there(&self) -> bool {
        self.ready && !self.removed
    }
}

/// What becomes of recordings without anybody's doing it.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordingNews {
    /// It can be fetched.
    Ready(Recording),
    /// It is gone.
    Removed(Recording, Removed),
}

/// Why a recording was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was older than they are kept.
    Age,
    /// The room was needed, and its site had more than its share.
    Room,
}

/// A file of a finished recording, wherever it is.
#[derive(Debug)]
pub enum Film {
    /// On this machine's disk.
    File(PathBuf),
    /// In the storage.
    Stored(StoredFilm),
}

/// A recording's file in the storage.
#[derive(Debug)]
pub struct StoredFilm {
    storage: Storage,
    name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl StoredFilm {
    /// A part of it, piece by piece as it is taken. The range has to be within its size.
    pub fn read(self, range: std::ops::Range<u64>) -> impl Stream<Item = Result<Bytes, StorageError>> + use<> {
        self.storage.read(moving::key(&self.name), range)
    }
}

/// What the storage has to be told.
pub(crate) enum Errand {
    Move(Recording),
    Remove(Recording),
}

/// A recording to be made.
#[derive(Debug, Clone)]
pub struct NewRecording {
    /// Of which meeting.
    pub meeting: MeetingId,
    /// Where it is public.
    pub broadcast: Option<BroadcastId>,
    /// Whose meeting.
    pub owner: AccountId,
    /// And of which site.
    pub site: Option<SiteId>,
    /// Its topic.
    pub title: String,
}

/// All of them. Clones are handles to the same.
#[derive(Clone)]
pub struct Recordings {
    shelf: Arc<Shelf>,
}

pub(crate) struct Shelf {
    config: RecordingConfig,
    storage: Option<Storage>,
    /// Woken when there may be something to move or to remove.
    errand: Notify,
    /// The program that makes a plain file of a fragmented one.
    studio: PathBuf,
    notes: Mutex<Vec<Recording>>,
    /// Bytes of those that are being recorded.
    running: Mutex<BTreeMap<Uuid, u64>>,
    news: mpsc::Sender<RecordingNews>,
    /// Until somebody listens.
    told: Mutex<Option<mpsc::Receiver<RecordingNews>>>,
}

impl Recordings {
    /// Reads the notes; what was being recorded when the server died is finished in the background, and what is finished
    /// moves to the storage, where there is one.
    pub(crate) fn open(config: RecordingConfig, studio: PathBuf, storage: Option<Storage>) -> Self {
        let mut notes = config.folder.as_deref().map(read_notes).unwrap_or_default();
        notes.sort_by_key(|note| note.started_ms);
        let broken: Vec<Uuid> = notes.iter().filter(|note| !note.ready).map(|note| note.id).collect();
        let (news, told) = mpsc::channel(NEWS_MAX);
        let told = Mutex::new(Some(told));
        let finished: Vec<Uuid> = notes.iter().filter(|note| note.ready).map(|note| note.id).collect();
        let notes = Mutex::new(notes);
        let (storage_of_all, errand, running) = (storage.clone(), Notify::new(), Mutex::default());
        let shelf = Shelf { config, storage: storage_of_all, errand, studio, notes, running, news, told };
        // Its note was written, and then the server died.
        for part in finished.into_iter().filter_map(|id| shelf.path(id, "part.mp4")) {
            let _none = fs::remove_file(part);
        }
        let recordings = Self { shelf: Arc::new(shelf) };
        if let Some(storage) = storage {
            tokio::spawn(moving::keep_moving(Arc::clone(&recordings.shelf), storage));
        }
        if !broken.is_empty() {
            let shelf = Arc::clone(&recordings.shelf);
            let mend = move || broken.into_iter().for_each(|id| shelf.finish(id, None));
            if let Err(error) = thread::Builder::new().name("recordings".to_owned()).spawn(mend) {
                tracing::error!(%error, "broken recordings stay as they are");
            }
        }
        recordings
    }

    /// What happens from the start on, for the first who asks.
    #[must_use]
    pub fn news(&self) -> Option<mpsc::Receiver<RecordingNews>> {
        self.shelf.told.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Removes what becomes too old, for as long as there is a handle.
    pub(crate) fn keep_swept(&self) -> impl Future<Output = ()> + use<> {
        let shelf: Weak<Shelf> = Arc::downgrade(&self.shelf);
        async move {
            while let Some(shelf) = shelf.upgrade() {
                shelf.sweep();
                drop(shelf);
                tokio::time::sleep(SWEEP_EVERY).await;
            }
        }
    }

    /// An account's, newest first.
    #[must_use]
    pub fn of(&self, owner: AccountId) -> Vec<Recording> {
        self.shelf.sweep();
        self.shelf
            .notes(|notes| notes.iter().rev().filter(|note| note.owner == owner && !note.removed).cloned().collect())
    }

    /// One of an account's, by its id.
    #[must_use]
    pub fn find(&self, owner: AccountId, id: Uuid) -> Option<Recording> {
        let oldest = self.shelf.oldest_kept();
        let is_kept = |note: &Recording| !note.removed && (!note.ready || note.started_ms >= oldest);
        let is_it = |note: &&Recording| note.id == id && note.owner == owner && is_kept(note);
        self.shelf.notes(|notes| notes.iter().find(is_it).cloned())
    }

    /// What can be watched where the livestream was: the longest of its recordings.
    #[must_use]
    pub fn replay(&self, of: BroadcastId) -> Option<Recording> {
        let oldest = self.shelf.oldest_kept();
        let is_replay = |note: &&Recording| note.broadcast == Some(of) && note.is_there() && note.started_ms >= oldest;
        self.shelf.notes(|notes| notes.iter().filter(is_replay).max_by(|a, b| a.seconds.total_cmp(&b.seconds)).cloned())
    }

    /// There is, or is being made, a recording of this livestream.
    #[must_use]
    pub fn is_of(&self, livestream: BroadcastId) -> bool {
        self.shelf.notes(|notes| notes.iter().any(|note| note.broadcast == Some(livestream)))
    }

    /// A meeting's last livestream of which something is kept, or will be in a moment.
    #[must_use]
    pub fn last_livestream(&self, of: MeetingId) -> Option<BroadcastId> {
        let oldest = self.shelf.oldest_kept();
        let is_kept = |note: &&Recording| {
            note.meeting == of && note.broadcast.is_some() && !note.removed && note.started_ms >= oldest
        };
        self.shelf.notes(|notes| notes.iter().rev().find(is_kept).and_then(|note| note.broadcast))
    }

    /// The film of one that is ready.
    #[must_use]
    pub fn film(&self, recording: &Recording) -> Option<Film> {
        self.kept(recording, format!("{}.mp4", recording.id), recording.bytes)
    }

    /// What was said in it, as WebVTT, where that was written down.
    #[must_use]
    pub fn captions(&self, recording: &Recording) -> Option<Film> {
        self.kept(recording, format!("{}.vtt", recording.id), recording.captions_bytes)
            .filter(|_| recording.captions_bytes > 0)
    }

    /// One voice of it, by its place among [`Recording::tracks`].
    #[must_use]
    pub fn track(&self, recording: &Recording, index: usize) -> Option<Film> {
        self.kept(recording, recording.track_file(index), recording.tracks.get(index)?.bytes)
    }

    fn kept(&self, recording: &Recording, name: String, bytes: u64) -> Option<Film> {
        let file = self.shelf.file(&name).filter(|_| recording.is_there())?;
        match &self.shelf.storage {
            // It may have moved since its note was read.
            Some(storage) if !file.exists() => Some(Film::Stored(StoredFilm { storage: storage.clone(), name, bytes })),
            Some(_) | None => Some(Film::File(file)),
        }
    }

    /// Removes one that is ready; false where it is not.
    #[must_use]
    pub fn remove(&self, recording: &Recording) -> bool {
        if recording.ready {
            self.shelf.remove(recording.id);
        }
        recording.ready
    }

    /// A note for a new one, and room for it.
    pub(crate) fn draft(&self, new: NewRecording) -> io::Result<Draft> {
        let shelf = Arc::clone(&self.shelf);
        let folder = shelf.config.folder.as_ref().ok_or_else(|| io::Error::other("no folder for recordings is set"))?;
        fs::create_dir_all(folder)?;
        shelf.sweep();
        let note = Recording {
            id: Uuid::now_v7(),
            meeting: new.meeting,
            broadcast: new.broadcast,
            owner: new.owner,
            site: new.site,
            title: new.title,
            started_ms: jiff::Timestamp::now().as_millisecond(),
            seconds: 0.0,
            bytes: 0,
            ready: false,
            captions_bytes: 0,
            tracks: Vec::new(),
            stored: false,
            removed: false,
        };
        let id = note.id;
        shelf.write_note(&note)?;
        shelf.notes(|notes| notes.push(note));
        tracing::info!(%id, "recording started");
        Ok(Draft { shelf, id })
    }
}

impl std::fmt::Debug for Recordings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recordings").field("config", &self.shelf.config).finish_non_exhaustive()
    }
}

/// One that is being made.
pub(crate) struct Draft {
    shelf: Arc<Shelf>,
    id: Uuid,
}

impl Draft {
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Another one of the same.
    pub(crate) fn another(&self) -> io::Result<Self> {
        let note = self.shelf.notes(|notes| notes.iter().find(|note| note.id == self.id).cloned());
        let note = note.ok_or_else(|| io::Error::other("the recording is gone"))?;
        let Recording { meeting, broadcast, owner, site, title, .. } = note;
        Recordings { shelf: Arc::clone(&self.shelf) }.draft(NewRecording { meeting, broadcast, owner, site, title })
    }

    pub(crate) fn create(&self) -> io::Result<File> {
        let path = self.shelf.path(self.id, "part.mp4").ok_or_else(|| io::Error::other("no folder"))?;
        File::create_new(path)
    }

    /// The file of what is said.
    pub(crate) fn create_captions(&self) -> io::Result<File> {
        let path = self.shelf.path(self.id, "vtt").ok_or_else(|| io::Error::other("no folder"))?;
        File::create(path)
    }

    /// The file of one voice. The note names it at once: a server that dies leaves no file behind that nobody knows.
    pub(crate) fn create_track(&self, name: &str) -> io::Result<File> {
        let track = RecordedTrack { name: name.to_owned(), bytes: 0 };
        let note = self.shelf.notes(|notes| {
            let note = notes.iter_mut().find(|note| note.id == self.id)?;
            note.tracks.push(track);
            Some(note.clone())
        });
        let note = note.ok_or_else(|| io::Error::other("the recording is gone"))?;
        self.shelf.write_note(&note)?;
        let file = self.shelf.file(&note.track_file(note.tracks.len() - 1));
        File::create(file.ok_or_else(|| io::Error::other("no folder"))?)
    }

    pub(crate) fn allowance(&self) -> Allowance {
        Allowance { shelf: Arc::clone(&self.shelf), id: self.id, taken: 0 }
    }

    /// It ends: the plain file is made, which takes a second for an hour.
    pub(crate) fn finish(self, seconds: f64) {
        self.shelf.finish(self.id, Some(seconds));
    }
}

/// What one recording has written of what all that run may write together. Given back when it is dropped: its files are counted then.
pub(crate) struct Allowance {
    shelf: Arc<Shelf>,
    id: Uuid,
    taken: u64,
}

impl Allowance {
    /// Room for so many bytes more, or [`io::ErrorKind::QuotaExceeded`].
    pub(crate) fn take(&mut self, bytes: u64) -> io::Result<()> {
        let quota = self.shelf.config.quota_bytes;
        let is_taken = self.shelf.running(|running| {
            let fits =
                running.values().try_fold(bytes, |sum, taken| sum.checked_add(*taken)).is_some_and(|sum| sum <= quota);
            if fits {
                *running.entry(self.id).or_default() += bytes;
            }
            fits
        });
        let is_full = || io::Error::new(io::ErrorKind::QuotaExceeded, "the recordings' quota is used up");
        if !is_taken {
            return Err(is_full());
        }
        let before = self.taken / SWEEP_BYTES;
        self.taken += bytes;
        if self.taken / SWEEP_BYTES > before && self.shelf.sweep().contains(&self.id) {
            return Err(is_full());
        }
        Ok(())
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        self.shelf.running(|running| {
            if let Some(taken) = running.get_mut(&self.id) {
                *taken = taken.saturating_sub(self.taken);
            }
            running.retain(|_, taken| *taken > 0);
        });
    }
}

impl Shelf {
    fn notes<T>(&self, look: impl FnOnce(&mut Vec<Recording>) -> T) -> T {
        look(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn running<T>(&self, look: impl FnOnce(&mut BTreeMap<Uuid, u64>) -> T) -> T {
        look(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, news: RecordingNews) {
        if self.news.try_send(news).is_err() {
            tracing::warn!("nobody is told of a recording");
        }
    }

    fn path(&self, id: Uuid, ending: &str) -> Option<PathBuf> {
        self.file(&format!("{id}.{ending}"))
    }

    /// Where a recording's file is while it is on the disk.
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.config.folder.as_ref()?.join(name))
    }

    /// What the storage has to be told, the oldest first.
    pub(crate) fn errands(&self) -> Vec<Errand> {
        let errand = |note: &Recording| match note {
            Recording { removed: true, .. } => Some(Errand::Remove(note.clone())),
            Recording { ready: true, stored: false, .. } => Some(Errand::Move(note.clone())),
            _ => None,
        };
        self.notes(|notes| notes.iter().filter_map(errand).collect())
    }

    pub(crate) async fn wait_for_errands(&self) {
        self.errand.notified().await;
    }

    /// All of it is in the storage.
    pub(crate) fn moved(&self, id: Uuid) {
        let note = self.notes(|notes| {
            let note = notes.iter_mut().find(|note| note.id == id)?;
            note.stored = true;
            Some(note.clone())
        });
        let Some(note) = note else { return };
        if let Err(error) = self.write_note(&note) {
            // The next server finds no film on the disk and asks the storage.
            tracing::error!(%id, %error, "a recording's note can't be written");
        }
        for name in note.files() {
            let _none = self.file(&name).map(fs::remove_file);
        }
        tracing::info!(%id, "recording moved to the storage");
    }

    fn write_note(&self, note: &Recording) -> io::Result<()> {
        let path = self.path(note.id, "json").ok_or_else(|| io::Error::other("no folder"))?;
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(note)?)?;
        fs::rename(new, path)
    }

    /// Makes the plain file and says that it is ready. One of which nothing was written is forgotten.
    fn finish(&self, id: Uuid, seconds: Option<f64>) {
        let (Some(part), Some(whole)) = (self.path(id, "part.mp4"), self.path(id, "mp4")) else { return };
        if seconds.is_none() && !part.exists() {
            // It stayed in fragments, and its note had no room either: it is made plain now, and its length is known by that.
            let _none = fs::rename(&whole, &part);
        }
        let written = fs::metadata(&part).map_or(0, |data| data.len());
        // What has no picture is a header alone.
        if (written == 0 || seconds == Some(0.0)) && !whole.exists() {
            self.remove(id);
            return;
        }
        let mut length = None;
        if written > 0 {
            match remux(&self.studio, &part, &whole) {
                Ok(seconds) => length = seconds,
                Err(error) => {
                    // Fragments can be played as well; only seeking is slow.
                    tracing::warn!(%id, %error, "a recording stays in fragments");
                    if let Err(error) = fs::rename(&part, &whole) {
                        tracing::error!(%id, %error, "a recording can't be kept");
                    }
                }
            }
        }
        let bytes = fs::metadata(&whole).map_or(0, |data| data.len());
        let captions = self.path(id, "vtt").and_then(|path| fs::metadata(path).ok()).map_or(0, |data| data.len());
        let note = self.notes(|notes| {
            let note = notes.iter_mut().find(|note| note.id == id)?;
            (note.ready, note.bytes, note.captions_bytes) = (true, bytes, captions);
            for index in 0..note.tracks.len() {
                let file = self.file(&note.track_file(index));
                note.tracks[index].bytes = file.and_then(|file| fs::metadata(file).ok()).map_or(0, |data| data.len());
            }
            note.seconds = length.or(seconds).unwrap_or(note.seconds);
            Some(note.clone())
        });
        if let Some(note) = note {
            match self.write_note(&note) {
                // Not before: the next server makes the film once more, and knows its length by that.
                Ok(()) => drop(fs::remove_file(part)),
                Err(error) => tracing::error!(%id, %error, "a recording's note can't be written"),
            }
            tracing::info!(%id, seconds = note.seconds, bytes, "recording ready");
            self.tell(RecordingNews::Ready(note));
            self.errand.notify_one();
        }
        self.sweep();
    }

    /// Removes what is too old, then what there is no room for. Those that are being recorded and have to end, for there is nothing else
    /// of their sites that could give way.
    fn sweep(&self) -> Vec<Uuid> {
        let running = self.running(|running| running.clone());
        let room::Verdict { doomed, full } =
            self.notes(|notes| room::judge(notes, &running, self.oldest_kept(), self.config.quota_bytes));
        for (note, why) in doomed {
            // Another one may have swept at the same time.
            if self.remove(note.id) {
                tracing::info!(id = %note.id, owner = %note.owner, ?why, "recording gave way");
                self.tell(RecordingNews::Removed(note, why));
            }
        }
        full
    }

    /// What began before it is too old. Milliseconds since 1970, UTC.
    fn oldest_kept(&self) -> i64 {
        let kept = Duration::from_secs(u64::from(self.config.keep_days) * 24 * 3_600);
        let now = jiff::Timestamp::now().as_millisecond();
        if kept.is_zero() { i64::MIN } else { now - kept.as_millis() as i64 }
    }

    /// False where it was gone before.
    fn remove(&self, id: Uuid) -> bool {
        let note = self.notes(|notes| {
            let note = notes.iter_mut().find(|note| note.id == id && !note.removed)?;
            note.removed = true;
            Some(note.clone())
        });
        let Some(note) = note else { return false };
        tracing::info!(%id, "recording removed");
        if self.storage.is_none() {
            self.forget(id);
            return true;
        }
        // It may be on its way to the storage right now: the note stays until that is told.
        if let Err(error) = self.write_note(&note) {
            tracing::error!(%id, %error, "a recording's note can't be written");
        }
        self.remove_files(id);
        self.errand.notify_one();
        true
    }

    /// Nothing is left of it.
    pub(crate) fn forget(&self, id: Uuid) {
        self.notes(|notes| notes.retain(|note| note.id != id));
        self.remove_files(id);
        let _none = self.path(id, "json").map(fs::remove_file);
    }

    fn remove_files(&self, id: Uuid) {
        let tracks = (1..=TRACKS_MAX).map(|number| format!("{number}.ogg"));
        for ending in ["mp4", "part.mp4", "vtt"].map(str::to_owned).into_iter().chain(tracks) {
            let _none = self.path(id, &ending).map(fs::remove_file);
        }
    }
}

/// The notes of a folder; what is none is passed over.
fn read_notes(folder: &Path) -> Vec<Recording> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let notes = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    notes
        .filter_map(|path| {
            let note = fs::read(&path).map_err(|error| error.to_string());
            let note = note.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
            note.inspect_err(|error| tracing::warn!(path = %path.display(), error, "no note of a recording")).ok()
        })
        .collect()
}

/// `huitong-studio --remux FROM TO`, which says how many seconds there are.
fn remux(studio: &Path, from: &Path, to: &Path) -> io::Result<Option<f64>> {
    let output =
        Command::new(studio).arg("--remux").args([from, to]).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("the studio ends with {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}

#[cfg(test)]
mod tests;
