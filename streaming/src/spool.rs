//! Segments of a broadcast that players may still go back to, on the disk: written when they are whole, read when they
//! have left memory, removed when they have left the playlist or the broadcast is over.
//!
//! A thread of its own writes, and nobody waits for it. What it can't write (the disk is full) players can't go back to,
//! and nothing else comes of it. Where there is a [`Storage`] for them, segments move there from the disk when it takes
//! them.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use bytes::Bytes;
use model::BroadcastId;
use tokio::{sync::mpsc, time::sleep};

use crate::{
    patience::Patience,
    shelf::Shelf,
    storage::{Storage, WAITS},
};

/// Segments that wait for the disk: some seconds of all tracks. More than wait are not kept.
const WAITING_MAX: usize = 24;

/// Segments that wait to be told of to who moves them. More stay on the disk.
const MOVING_MAX: usize = 256;

/// One broadcast's folder. Dropped, it and its folder are gone soon after.
pub(crate) struct Spool {
    orders: SyncSender<Order>,
}

enum Order {
    Keep(String, Bytes),
    Remove(String),
}

impl Spool {
    /// Tells the shelf of what is kept. Within a runtime, where there is a storage.
    pub(crate) fn start(
        folder: PathBuf,
        shelf: Arc<Shelf>,
        storage: Option<(Storage, BroadcastId)>,
    ) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mover = storage.map(|(storage, id)| {
            let (names, told) = mpsc::channel(MOVING_MAX);
            tokio::spawn(Mover { storage, id, folder: folder.clone(), waiting: Waiting::default() }.run(told));
            names
        });
        // Full, it stays on the disk.
        let tell = move |change| mover.as_ref().map_or(Ok(()), |mover| mover.try_send(change)).is_ok();
        let (orders, ordered) = sync_channel(WAITING_MAX);
        let work = move || {
            let mut is_told = false;
            while let Ok(order) = ordered.recv() {
                match order {
                    Order::Keep(name, bytes) => match fs::write(folder.join(&name), &bytes) {
                        Ok(()) => {
                            shelf.change(|packager| packager.handle_kept(&name));
                            tell(Change::Kept(name));
                        }
                        Err(error) => {
                            let _half = fs::remove_file(folder.join(&name));
                            if !std::mem::replace(&mut is_told, true) {
                                tracing::warn!(%error, "viewers can't go back any further: segments can't be written");
                            }
                        }
                    },
                    Order::Remove(name) => {
                        let _moved = fs::remove_file(folder.join(&name));
                        tell(Change::Removed(name));
                    }
                }
            }
            // Players that lag read on for a while, and then the origin removes it.
        };
        thread::Builder::new().name("spool".to_owned()).spawn(work)?;
        Ok(Self { orders })
    }

    pub(crate) fn keep(&self, name: String, bytes: Bytes) {
        if self.orders.try_send(Order::Keep(name, bytes)).is_err() {
            metrics::counter!("streaming_spool_dropped_total").increment(1);
        }
    }

    pub(crate) fn remove(&self, name: String) {
        // What stays goes with the folder.
        let _full = self.orders.try_send(Order::Remove(name));
    }
}

/// What has happened on the disk.
enum Change {
    Kept(String),
    Removed(String),
}

/// Moves one broadcast's segments from the disk to the storage.
struct Mover {
    storage: Storage,
    id: BroadcastId,
    folder: PathBuf,
    waiting: Waiting,
}

/// What is on the disk, and not in the storage: no more than the window has.
#[derive(Default)]
struct Waiting {
    names: VecDeque<String>,
    /// What the gauge has of it: it is one for all broadcasts.
    counted: usize,
}

impl Waiting {
    fn count(&mut self) {
        let gauge = metrics::gauge!("streaming_storage_waiting", "what" => "segments");
        gauge.increment(self.names.len() as f64 - self.counted as f64);
        self.counted = self.names.len();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.names.clear();
        self.count();
    }
}

impl Mover {
    /// Until the broadcast is over: what is on the disk then stays there for those who lag, and the origin removes it all.
    async fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        let mut patience = Patience::new(&WAITS);
        loop {
            self.waiting.count();
            let change = match self.waiting.names.front() {
                None => changes.recv().await,
                Some(name) => {
                    let (key, file) = (key(self.id, name), self.folder.join(name));
                    match self.storage.put(&key, &file).await {
                        Ok(()) => {
                            let _none = tokio::fs::remove_file(file).await;
                            self.waiting.names.pop_front();
                            patience.reset();
                            match changes.try_recv() {
                                Ok(change) => Some(change),
                                Err(mpsc::error::TryRecvError::Empty) => continue,
                                Err(mpsc::error::TryRecvError::Disconnected) => None,
                            }
                        }
                        // It left the window just now.
                        Err(_) if !file.exists() => {
                            self.waiting.names.pop_front();
                            continue;
                        }
                        Err(_) => tokio::select! {
                            change = changes.recv() => change,
                            () = sleep(patience.next()) => continue,
                        },
                    }
                }
            };
            match change {
                None => return,
                Some(Change::Kept(name)) => self.waiting.names.push_back(name),
                Some(Change::Removed(name)) => {
                    let before = self.waiting.names.len();
                    self.waiting.names.retain(|waits| *waits != name);
                    if self.waiting.names.len() == before {
                        // Not there now, it goes with all others at the end.
                        let _later = self.storage.remove(&key(self.id, &name)).await;
                    }
                }
            }
        }
    }
}

/// Where a segment is in the storage.
pub(crate) fn key(id: BroadcastId, name: &str) -> String {
    format!("{STORED}/{id}/{name}")
}

/// The storage's folder of all livestreams.
pub(crate) const STORED: &str = "live";

/// Where a broadcast's segments are.
pub(crate) fn folder_of(folder: &Path, id: BroadcastId) -> PathBuf {
    folder.join(id.to_string())
}

/// What an earlier server left behind is of no use.
pub(crate) fn clear(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, folder = %folder.display(), "old segments can't be removed"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        hls::Packager,
        storage::tests::{away, memory},
    };

    fn id() -> BroadcastId {
        BroadcastId::new(uuid::Uuid::from_u128(5))
    }

    fn spool(folder: &Path, storage: Storage) -> Spool {
        spool_of(&folder.join("b"), storage)
    }

    fn spool_of(folder: &Path, storage: Storage) -> Spool {
        let shelf = Arc::new(Shelf::new(Packager::new(Duration::ZERO, None, "m")));
        Spool::start(folder.to_owned(), shelf, Some((storage, id()))).unwrap()
    }

    async fn until(mut is_so: impl AsyncFnMut() -> bool) {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    }

    // product: B2
    #[tokio::test]
    async fn segments_move_to_the_storage_and_leave_it_with_the_window() {
        let (folder, storage) = (tempfile::tempdir().unwrap(), memory());
        let spool = spool(folder.path(), storage.clone());
        let names: Vec<String> = (0..10).map(|msn| format!("video-{msn}.m4s")).collect();
        for name in &names {
            spool.keep(name.clone(), Bytes::from(name.clone()));
        }
        let on_disk = || fs::read_dir(folder.path().join("b")).unwrap().count();
        let last = key(id(), &names[9]);
        until(async || on_disk() == 0 && storage.get_all(&last).await.is_ok()).await;
        assert_eq!(storage.get_all(&key(id(), &names[3])).await.unwrap(), names[3]);
        spool.remove(names[3].clone());
        until(async || storage.get_all(&key(id(), &names[3])).await.is_err()).await;
        assert!(storage.get_all(&key(id(), &names[4])).await.is_ok());
    }

    // product: B2
    #[tokio::test]
    async fn while_the_storage_is_away_segments_stay_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path(), away());
        let file = |msn: u32| folder.path().join(format!("b/video-{msn}.m4s"));
        for msn in 0..10 {
            spool.keep(format!("video-{msn}.m4s"), Bytes::from_static(b"moof"));
        }
        until(async || file(9).exists()).await;
        spool.remove("video-0.m4s".to_owned());
        until(async || !file(0).exists()).await;
        assert!((1..10).all(|msn| fs::read(file(msn)).is_ok_and(|bytes| bytes == b"moof")));
    }

    // product: B6
    #[tokio::test]
    async fn a_segment_that_cannot_be_written_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = |msn: u32| folder.path().join(format!("b/video-{msn}.m4s"));
        // What a disk refuses: there is a folder where the segment would be.
        fs::create_dir_all(file(1)).unwrap();
        let spool = spool(folder.path(), away());
        (0..3).for_each(|msn| spool.keep(format!("video-{msn}.m4s"), Bytes::from_static(b"moof")));
        until(async || file(2).is_file()).await;
        assert!(file(0).is_file() && file(1).is_dir());
        spool.remove("video-0.m4s".to_owned());
        until(async || !file(0).exists()).await;
    }

    #[tokio::test]
    async fn what_waits_of_all_broadcasts_is_counted_together() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let _counted_here = metrics::set_default_local_recorder(&recorder);
        let waiting = |count: u32| {
            recorder.handle().render().contains(&format!("streaming_storage_waiting{{what=\"segments\"}} {count}\n"))
        };
        let folder = tempfile::tempdir().unwrap();
        let broadcasts = ["a", "b"].map(|name| spool_of(&folder.path().join(name), away()));
        for (broadcast, count) in broadcasts.iter().zip([3, 5]) {
            (0..count).for_each(|msn| broadcast.keep(format!("video-{msn}.m4s"), Bytes::new()));
        }
        until(async || waiting(8)).await;
        let [_first, second] = broadcasts;
        drop(second);
        until(async || waiting(3)).await;
    }
}
