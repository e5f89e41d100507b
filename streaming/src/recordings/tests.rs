use futures_util::TryStreamExt;

use super::*;
use crate::storage;

fn id<T: From128>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

trait From128 {
    fn from(uuid: Uuid) -> Self;
}

impl From128 for MeetingId {
    fn from(uuid: Uuid) -> Self {
        Self::new(uuid)
    }
}

impl From128 for AccountId {
    fn from(uuid: Uuid) -> Self {
        Self::new(uuid)
    }
}

impl From128 for BroadcastId {
    fn from(uuid: Uuid) -> Self {
        Self::new(uuid)
    }
}

fn open(folder: &Path, keep_days: u32, quota_bytes: u64) -> Recordings {
    let config = RecordingConfig { folder: Some(folder.to_owned()), keep_days, quota_bytes, tracks: false };
    // A program that can't remux: the fragments stay.
    Recordings::open(config, "/bin/false".into(), None)
}

/// With a storage.
fn open_with(folder: &Path, quota_bytes: u64, storage: Storage) -> Recordings {
    let config = RecordingConfig { folder: Some(folder.to_owned()), keep_days: 0, quota_bytes, tracks: false };
    Recordings::open(config, "/bin/false".into(), Some(storage))
}

/// Until the storage has been told of everything.
async fn moved(recordings: &Recordings) {
    while !recordings.shelf.errands().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn read(recordings: &Recordings, note: &Recording) -> Option<Vec<u8>> {
    match recordings.film(note)? {
        Film::File(path) => fs::read(path).ok(),
        Film::Stored(film) => {
            let bytes = film.bytes;
            film.read(0..bytes).try_collect::<Vec<_>>().await.ok().map(|pieces| pieces.concat())
        }
    }
}

// product: B6
#[tokio::test]
async fn a_finished_recording_moves_to_the_storage_and_is_removed_there() {
    let (folder, storage) = (tempfile::tempdir().unwrap(), storage::tests::memory());
    // The quota is the disk's: what has moved doesn't count.
    let recordings = open_with(folder.path(), 250, storage.clone());
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(record(&recordings, 100, 1.0));
        moved(&recordings).await;
    }
    assert_eq!(recordings.of(id(3)).len(), 4);
    assert!(fs::read_dir(folder.path()).unwrap().flatten().all(|entry| entry.path().extension().unwrap() == "json"));
    // Another server finds them, and one that lost its mind between two steps goes on.
    let again = open_with(folder.path(), 250, storage.clone());
    let note = again.find(id(3), ids[0]).unwrap();
    assert_eq!(read(&again, &note).await, Some(vec![7; 100]));
    assert!(again.remove(&note));
    assert!(again.find(id(3), ids[0]).is_none() && again.film(&Recording { removed: true, ..note.clone() }).is_none());
    moved(&again).await;
    assert!(storage.get(&moving::key(&format!("{}.mp4", ids[0])), 0..1).await.is_err());
    assert!(storage.get(&moving::key(&format!("{}.mp4", ids[1])), 0..1).await.is_ok());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

// product: B6
#[tokio::test]
async fn while_the_storage_is_away_everything_is_as_if_there_were_none() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open_with(folder.path(), 250, storage::tests::away());
    let [first, second, third] = [100, 100, 100].map(|bytes| record(&recordings, bytes, 1.0));
    assert!(recordings.find(id(3), first).is_none(), "the disk's quota holds");
    for number in [second, third] {
        let note = recordings.find(id(3), number).unwrap();
        assert_eq!(read(&recordings, &note).await, Some(vec![7; 100]));
    }
    // What was removed meanwhile is gone for everyone; the storage is told when it is back.
    let back = open_with(folder.path(), 250, storage::tests::memory());
    moved(&back).await;
    assert_eq!(back.of(id(3)).iter().map(|note| note.id).collect::<Vec<_>>(), [third, second]);
    assert!(!folder.path().join(format!("{first}.json")).exists());
}

fn record(recordings: &Recordings, bytes: usize, seconds: f64) -> Uuid {
    let new =
        NewRecording { meeting: id(1), broadcast: Some(id(2)), owner: id(3), site: None, title: "例会".to_owned() };
    let draft = recordings.draft(new).unwrap();
    io::Write::write_all(&mut draft.create().unwrap(), &vec![7; bytes]).unwrap();
    let number = draft.id();
    draft.finish(seconds);
    number
}

// product: C23, B6
#[test]
fn a_recording_is_its_owners_and_its_livestreams() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path(), 0, u64::MAX);
    let short = record(&recordings, 100, 5.0);
    let long = record(&recordings, 200, 50.0);
    assert_eq!(recordings.of(id(3)).iter().map(|note| note.id).collect::<Vec<_>>(), [long, short]);
    assert!(recordings.of(id(4)).is_empty() && recordings.find(id(4), long).is_none());
    assert_eq!(recordings.replay(id(2)).map(|note| note.id), Some(long));
    assert!(recordings.replay(id(9)).is_none());
    let note = recordings.find(id(3), long).unwrap();
    assert!(matches!(recordings.film(&note), Some(Film::File(file)) if fs::metadata(&file).unwrap().len() == 200));
    // Another server finds them again.
    let again = open(folder.path(), 0, u64::MAX);
    assert_eq!(again.find(id(3), long), Some(note.clone()));
    assert!(again.remove(&note));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the other one's film and note");
}

#[test]
fn the_oldest_give_way_to_one_that_is_being_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path(), 0, 3 * SWEEP_BYTES);
    let first = record(&recordings, SWEEP_BYTES as usize, 1.0);
    let second = record(&recordings, SWEEP_BYTES as usize, 1.0);
    let new = NewRecording { meeting: id(1), broadcast: None, owner: id(3), site: None, title: String::new() };
    let draft = recordings.draft(new).unwrap();
    let mut allowance = draft.allowance();
    let left = |recordings: &Recordings| [first, second].map(|one| recordings.find(id(3), one).is_some());
    allowance.take(SWEEP_BYTES).unwrap();
    assert_eq!(left(&recordings), [true, true]);
    allowance.take(SWEEP_BYTES).unwrap();
    assert_eq!(left(&recordings), [false, true]);
    allowance.take(SWEEP_BYTES).unwrap();
    assert_eq!(left(&recordings), [false, false]);
    assert!(allowance.take(1).is_err());
    drop(allowance);
    assert!(draft.allowance().take(1).is_ok(), "it was given back");
}

#[test]
fn the_oldest_give_way() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path(), 0, 250);
    let [first, second, third] = [100, 100, 100].map(|bytes| record(&recordings, bytes, 1.0));
    assert_eq!(recordings.of(id(3)).iter().map(|note| note.id).collect::<Vec<_>>(), [third, second]);
    // And that is told, once.
    let mut news = recordings.news().unwrap();
    let told: Vec<_> = std::iter::from_fn(|| news.try_recv().ok()).collect();
    let gone: Vec<_> = told.iter().filter(|news| matches!(news, RecordingNews::Removed(..))).collect();
    assert!(matches!(gone[..], [RecordingNews::Removed(note, Removed::Room)] if note.id == first), "{told:?}");
    assert_eq!(told.len(), 4);
}

// product: B6
#[tokio::test(start_paused = true)]
async fn the_old_are_removed_though_nobody_asks() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path(), 7, u64::MAX);
    let old = record(&recordings, 100, 1.0);
    let new = record(&recordings, 100, 1.0);
    let sweeping = tokio::spawn(recordings.keep_swept());
    tokio::task::yield_now().await;
    let eight_days = 8 * 24 * 3_600_000;
    recordings.shelf.notes(|notes| {
        notes.iter_mut().for_each(|note| note.started_ms -= eight_days);
    });
    // Nobody sees it from that moment on.
    assert!(recordings.replay(id(2)).is_none() && recordings.find(id(3), old).is_none());
    assert!(recordings.last_livestream(id(1)).is_none());
    recordings.shelf.notes(|notes| {
        notes.iter_mut().filter(|note| note.id == new).for_each(|note| note.started_ms += eight_days);
    });
    assert_eq!(recordings.replay(id(2)).map(|note| note.id), Some(new));
    assert!(folder.path().join(format!("{old}.mp4")).exists());
    tokio::time::sleep(SWEEP_EVERY + Duration::from_secs(1)).await;
    assert!(!folder.path().join(format!("{old}.mp4")).exists());
    assert!(!sweeping.is_finished());
    assert_eq!(recordings.of(id(3)).iter().map(|note| note.id).collect::<Vec<_>>(), [new]);
}

#[test]
fn nothing_is_recorded_without_a_folder_and_an_empty_one_is_forgotten() {
    let none = Recordings::open(RecordingConfig::default(), "/bin/false".into(), None);
    let new = NewRecording { meeting: id(1), broadcast: None, owner: id(3), site: None, title: String::new() };
    assert!(none.draft(new).is_err());
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(folder.path(), 0, u64::MAX);
    record(&recordings, 0, 0.0);
    assert!(recordings.of(id(3)).is_empty());
}

/// A program that makes a plain file and says how long it is.
fn remuxing(folder: &Path) -> PathBuf {
    let program = folder.join("studio.sh");
    fs::write(&program, "#!/bin/sh\ncp \"$2\" \"$3\" && echo 12.5\n").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program
}

// product: B6
#[test]
fn whoever_dies_while_a_film_is_finished_leaves_enough_to_finish_it() {
    let (folder, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let studio = remuxing(programs.path());
    let open = || {
        let config = RecordingConfig { folder: Some(folder.path().to_owned()), ..RecordingConfig::default() };
        Recordings::open(config, studio.clone(), None)
    };
    let recordings = open();
    let new = NewRecording { meeting: id(1), broadcast: None, owner: id(3), site: None, title: String::new() };
    let draft = recordings.draft(new).unwrap();
    let number = draft.id();
    io::Write::write_all(&mut draft.create().unwrap(), &[7; 100]).unwrap();
    // A disk that takes no note just then.
    let in_the_way = folder.path().join(format!("{number}.json.new"));
    fs::create_dir(&in_the_way).unwrap();
    draft.finish(12.0);
    fs::remove_dir(in_the_way).unwrap();
    let again = open();
    let Some(RecordingNews::Ready(mended)) = again.news().unwrap().blocking_recv() else { panic!("it is ready") };
    assert_eq!((mended.id, mended.seconds, mended.bytes), (number, 12.5, 100));
    // Its note is written, and what it was made of is gone, also where that was all that was left to do.
    let part = folder.path().join(format!("{number}.part.mp4"));
    assert!(!part.exists());
    fs::write(&part, [7; 100]).unwrap();
    assert_eq!(open().find(id(3), number), Some(mended));
    assert!(!part.exists());
}

// product: B6
#[tokio::test]
async fn a_film_that_is_nowhere_is_not_said_to_be_stored_and_keeps_no_other_from_it() {
    let (folder, storage) = (tempfile::tempdir().unwrap(), storage::tests::memory());
    let without = open(folder.path(), 0, u64::MAX);
    let [lost, known, there] = [100, 200, 300].map(|bytes| record(&without, bytes, 1.0));
    let film = |id: Uuid| folder.path().join(format!("{id}.mp4"));
    fs::remove_file(film(lost)).unwrap();
    // A server moved this one, and died before its note said so.
    storage.put(&moving::key(&format!("{known}.mp4")), &film(known)).await.unwrap();
    fs::remove_file(film(known)).unwrap();
    let recordings = open_with(folder.path(), u64::MAX, storage);
    while recordings.shelf.errands().len() > 1 {
        tokio::task::yield_now().await;
    }
    let stored = |id: Uuid| recordings.shelf.notes(|notes| notes.iter().any(|note| note.id == id && note.stored));
    assert_eq!([lost, known, there].map(stored), [false, true, true]);
    // It can be removed as any other.
    let note = recordings.find(id(3), lost).unwrap();
    assert!(recordings.remove(&note));
    moved(&recordings).await;
}
