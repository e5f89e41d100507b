//! Segments of a broadcast that players may still go back to, on the disk: written when they are whole, read when they
//! have left memory, removed when they have left the playlist or the broadcast is over.
//!
//! A thread of its own writes, and nobody waits for it. What it can't write (the disk is full) players can't go back to,
//! and nothing else comes of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use bytes::Bytes;
use model::BroadcastId;
use tokio::sync::watch;

use crate::hls::Packager;

/// Segments that wait for the disk: some seconds of all tracks. More than wait are not kept.
const WAITING_MAX: usize = 24;

/// One broadcast's folder. Dropped, it and its folder are gone soon after.
pub(crate) struct Spool {
    orders: SyncSender<Order>,
}

enum Order {
    Keep(String, Bytes),
    Remove(String),
}

impl Spool {
    /// Tells the packager of what is kept.
    pub(crate) fn start(folder: PathBuf, packager: watch::Sender<Packager>) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let (orders, ordered) = sync_channel(WAITING_MAX);
        let work = move || {
            let mut is_told = false;
            while let Ok(order) = ordered.recv() {
                match order {
                    Order::Keep(name, bytes) => match fs::write(folder.join(&name), &bytes) {
                        Ok(()) => {
                            packager.send_if_modified(|packager| {
                                packager.handle_kept(&name);
                                false
                            });
                        }
                        Err(error) => {
                            let _half = fs::remove_file(folder.join(&name));
                            if !std::mem::replace(&mut is_told, true) {
                                tracing::warn!(%error, "viewers can't go back any further: segments can't be written");
                            }
                        }
                    },
                    Order::Remove(name) => drop(fs::remove_file(folder.join(name))),
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
