//! Recordings on their way from the disk to the [`Storage`], one after the other. The note of each says how far it is, so
//! a server that is started again goes on where the one before it was.

use std::sync::Arc;

use tokio::time::sleep;

use crate::{
    patience::Patience,
    recordings::{Errand, Shelf},
    storage::{Storage, StorageError, WAITS},
};

/// Moves what is finished and removes what is no longer wanted, for as long as there is a server.
pub(crate) async fn keep_moving(shelf: Arc<Shelf>, storage: Storage) {
    let mut patience = Patience::new(&WAITS);
    loop {
        let errands = shelf.errands();
        metrics::gauge!("streaming_storage_waiting", "what" => "recordings").set(errands.len() as f64);
        let Some(errand) = errands.into_iter().next() else {
            shelf.wait_for_errands().await;
            continue;
        };
        match run(&shelf, &storage, &errand).await {
            Ok(()) => patience.reset(),
            Err(error) => {
                let wait = patience.next();
                tracing::debug!(%error, ?wait, "a recording can't be moved yet");
                sleep(wait).await;
            }
        }
    }
}

async fn run(shelf: &Shelf, storage: &Storage, errand: &Errand) -> Result<(), StorageError> {
    match errand {
        Errand::Move(recording) => {
            for name in recording.files() {
                if let Some(file) = shelf.file(&name).filter(|file| file.exists()) {
                    storage.put(&key(&name), &file).await?;
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
    Ok(())
}

/// Where a recording's file is in the storage.
pub(crate) fn key(name: &str) -> String {
    format!("recordings/{name}")
}
