//! Recordings on their way from the disk to the [`Storage`], one after the other. The note of each says how far it is, so
//! a server that is started again goes on where the one before it was.

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    patience::Patience,
    recordings::{Errand, Shelf},
    storage::{Storage, StorageError, WAITS},
};

/// Moves what is finished and removes what is no longer wanted, for as long as there is a server.
pub(crate) async fn keep_moving(shelf: Arc<Shelf>, storage: Storage) {
    let mut patience = Patience::new(&WAITS);
    // Films that are neither here nor there: a disk that is mounted later is looked at by the next server.
    let mut lost = BTreeSet::new();
    loop {
        let errands = shelf.errands();
        metrics::gauge!("streaming_storage_waiting", "what" => "recordings").set(errands.len() as f64);
        let can_be_run = |errand: &Errand| !matches!(errand, Errand::Move(recording) if lost.contains(&recording.id));
        let Some(errand) = errands.into_iter().find(can_be_run) else {
            shelf.wait_for_errands().await;
            continue;
        };
        match run(&shelf, &storage, &errand).await {
            Ok(None) => patience.reset(),
            Ok(Some(id)) => {
                tracing::error!(%id, "a recording's film is neither on the disk nor in the storage");
                lost.insert(id);
            }
            Err(error) => {
                let wait = patience.next();
                tracing::debug!(%error, ?wait, "a recording can't be moved yet");
                sleep(wait).await;
            }
        }
    }
}

/// The recording whose film is nowhere.
async fn run(shelf: &Shelf, storage: &Storage, errand: &Errand) -> Result<Option<Uuid>, StorageError> {
    match errand {
        Errand::Move(recording) => {
            for name in recording.files() {
                let file = shelf.file(&name).filter(|file| file.exists());
                // A server that died may have moved it already. A voice whose file was never made is not missed.
                if let Some(file) = file {
                    storage.put(&key(&name), &file).await?;
                } else if name.ends_with(".mp4") && !storage.has(&key(&name)).await? {
                    return Ok(Some(recording.id));
                }
            }
            shelf.moved(recording.id);
        }
        Errand::Remove(recording) => {
            for name in recording.files() {
                storage.remove(&key(&name)).await?;
            }
            shelf.forget(recording.id);
        }
    }
    Ok(None)
}

/// Where a recording's file is in the storage.
pub(crate) fn key(name: &str) -> String {
    format!("recordings/{name}")
}
