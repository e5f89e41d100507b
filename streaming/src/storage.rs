//! Storage that speaks S3: where finished recordings go, and segments that have left memory.
//!
//! It may be away for as long as it likes: everything is written to the disk first and moves when it can, and what is
//! asked for that is only there is an error to him who asked, and to nobody else.

use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder, buffered::BufWriter,
    path::Path as Key,
};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

/// How long the storage may take to take a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long one request may take, with what it carries: [`PIECE`] at 0.7 Mbit/s.
const REQUEST_MAX: Duration = Duration::from_secs(120);

/// What is sent or fetched at once. S3 wants at least 5 MiB and at most 10,000 of them, which is a film of 80 GiB; larger
/// is memory for each that moves, or is watched.
const PIECE: u64 = 8 << 20;

/// A film's pieces on the way at once.
const PIECES_MAX: usize = 2;

/// Waits before the next tries; the last one goes on for ever. Nothing is in a hurry: what waits is on the disk.
pub(crate) const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Where it is, and what opens it. In a configuration file, a table.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// `https://s3.example.com`, or `http://` in one's own network.
    pub endpoint: String,
    /// It has to be there.
    pub bucket: String,
    /// What signatures name.
    #[serde(default = "usual_region")]
    pub region: String,
    /// Before all names, so that a bucket may be shared.
    #[serde(default)]
    pub prefix: String,
    /// Who we are to it.
    pub access_key: String,
    /// And its proof.
    pub secret_key: String,
    /// Segments of livestreams go there too, not only recordings.
    #[serde(default)]
    pub livestreams: bool,
}

/// What storages that know no regions take.
fn usual_region() -> String {
    "us-east-1".to_owned()
}

impl std::fmt::Debug for StorageConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, bucket, prefix, .. } = self;
        f.debug_struct("StorageConfig")
            .field("endpoint", endpoint)
            .field("bucket", bucket)
            .field("prefix", prefix)
            .finish()
    }
}

/// Why something is not stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It says no, or nothing.
    #[error("the storage: {0}")]
    Refused(#[from] object_store::Error),
    /// Our own file.
    #[error("a file for the storage: {0}")]
    File(#[from] std::io::Error),
}

impl StorageError {
    /// It answers, and has no such thing.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(object_store::Error::NotFound { .. }))
    }
}

/// A way to it. Clones lead to the same.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    pub(crate) livestreams: bool,
    /// Whether the last try went well, see [`Storage::seen`].
    seen: Arc<AtomicU8>,
}

impl Storage {
    /// Connects to nothing yet.
    pub fn open(config: &StorageConfig) -> Result<Self, StorageError> {
        let store = AmazonS3Builder::new()
            .with_endpoint(config.endpoint.trim_end_matches('/'))
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key)
            .with_secret_access_key(&config.secret_key)
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(config.endpoint.starts_with("http://"))
                    .with_connect_timeout(CONNECT_MAX)
                    .with_timeout(REQUEST_MAX),
            )
            // We try again ourselves, and say so.
            .with_retry(RetryConfig {
                max_retries: 1,
                retry_timeout: Duration::from_secs(10),
                ..RetryConfig::default()
            })
            .build()?;
        Ok(Self::with(Arc::new(store), &config.prefix, config.livestreams))
    }

    fn with(store: Arc<dyn ObjectStore>, prefix: &str, livestreams: bool) -> Self {
        Self { store, prefix: Key::from(prefix), livestreams, seen: Arc::default() }
    }

    /// Writes something, reads it and removes it: all that is ever asked of it.
    pub async fn probe(&self) -> Result<(), StorageError> {
        let key = self.key(&format!("doctor-{}", uuid::Uuid::now_v7()));
        let words = Bytes::from_static(b"huitong was here");
        self.store.put(&key, words.clone().into()).await?;
        let read = self.store.get_range(&key, 0..words.len() as u64).await?;
        self.store.delete(&key).await?;
        if read != words {
            return Err(std::io::Error::other("it gives back something else than it was given").into());
        }
        Ok(())
    }

    /// Copies a file there; it counts when all of it is there.
    pub(crate) async fn put(&self, name: &str, file: &Path) -> Result<(), StorageError> {
        let sent = async {
            let mut file = tokio::fs::File::open(file).await?;
            let mut to = BufWriter::with_capacity(Arc::clone(&self.store), self.key(name), PIECE as usize)
                .with_max_concurrency(PIECES_MAX);
            match tokio::io::copy(&mut file, &mut to).await {
                Ok(_) => to.shutdown().await.map_err(refused),
                Err(error) => {
                    // Its pieces would be paid for; where that fails too, the bucket's own rules remove them.
                    let _gone = to.abort().await;
                    Err(refused(error))
                }
            }
        };
        self.seen(sent.await)
    }

    /// It is there.
    pub(crate) async fn has(&self, name: &str) -> Result<bool, StorageError> {
        let found = match self.store.head(&self.key(name)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        };
        self.seen(found)
    }

    /// A part of what is there.
    pub(crate) async fn get(&self, name: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.seen(self.store.get_range(&self.key(name), range).await.map_err(Into::into))
    }

    /// All of something small.
    pub(crate) async fn get_all(&self, name: &str) -> Result<Bytes, StorageError> {
        let got = async { Ok(self.store.get(&self.key(name)).await?.bytes().await?) };
        self.seen(got.await)
    }

    /// A part of what is there, piece by piece as it is taken.
    pub(crate) fn read(
        &self,
        name: String,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, StorageError>> + use<> {
        let storage = self.clone();
        stream::try_unfold(range, move |left| {
            let (storage, name) = (storage.clone(), name.clone());
            async move {
                if left.is_empty() {
                    return Ok(None);
                }
                let end = left.end.min(left.start + PIECE);
                let piece = storage.get(&name, left.start..end).await?;
                Ok(Some((piece, end..left.end)))
            }
        })
    }

    /// Removes what is there, or isn't.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), StorageError> {
        let removed = match self.store.delete(&self.key(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        };
        self.seen(removed)
    }

    /// Removes all in a folder.
    pub(crate) async fn clear(&self, folder: &str) -> Result<(), StorageError> {
        let keys = self.store.list(Some(&self.key(folder))).map_ok(|found| found.location).boxed();
        let removed = self.store.delete_stream(keys).try_for_each(|_| std::future::ready(Ok(()))).await;
        self.seen(removed.map_err(Into::into))
    }

    fn key(&self, name: &str) -> Key {
        self.prefix.parts().chain(Key::from(name).parts()).collect()
    }

    /// Says it once when the storage goes and once when it is back.
    fn seen<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        const WELL: u8 = 1;
        const AWAY: u8 = 2;
        let refused = match &result {
            Ok(_) | Err(StorageError::File(_)) => None,
            // What was removed meanwhile is missing, and nothing is wrong.
            Err(error) => (!error.is_missing()).then_some(error),
        };
        let state = if refused.is_some() { AWAY } else { WELL };
        let before = self.seen.swap(state, Ordering::Relaxed);
        metrics::gauge!("streaming_storage_up").set(if refused.is_some() { 0.0 } else { 1.0 });
        match refused {
            Some(error) => {
                metrics::counter!("streaming_storage_failures_total").increment(1);
                if before != AWAY {
                    tracing::warn!(%error, "the storage is away: files stay on the disk until it is back");
                }
            }
            None if before == AWAY => tracing::info!("the storage is back"),
            None => {}
        }
        result
    }
}

/// Through a writer, the storage's errors come as those of a file.
fn refused(error: std::io::Error) -> StorageError {
    error.downcast::<object_store::Error>().map_or_else(StorageError::File, StorageError::Refused)
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("store", &self.store).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use object_store::memory::InMemory;

    use super::*;

    /// One in memory, that is never away.
    pub(crate) fn memory() -> Storage {
        Storage::with(Arc::new(InMemory::new()), "ours", true)
    }

    /// One where nobody listens.
    pub(crate) fn away() -> Storage {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = StorageConfig {
            endpoint: "http://127.0.0.1:1".to_owned(),
            bucket: "b".to_owned(),
            region: "r".to_owned(),
            prefix: String::new(),
            access_key: "a".to_owned(),
            secret_key: "s".to_owned(),
            livestreams: true,
        };
        assert!(!format!("{config:?}").contains("secret"));
        Storage::open(&config).unwrap()
    }

    #[tokio::test]
    async fn what_is_put_is_read_in_pieces_and_removed() {
        let storage = memory();
        let file = tempfile::NamedTempFile::new().unwrap();
        let film: Vec<u8> = (0..PIECE * 5 / 2).map(|at| (at / 1_000) as u8).collect();
        std::fs::write(file.path(), &film).unwrap();
        storage.put("films/1.mp4", file.path()).await.unwrap();
        storage.probe().await.unwrap();
        let pieces: Vec<Bytes> =
            storage.read("films/1.mp4".to_owned(), 5..film.len() as u64).try_collect().await.unwrap();
        assert_eq!((pieces.len(), pieces.concat()), (3, film[5..].to_vec()));
        assert_eq!(storage.get_all("films/1.mp4").await.unwrap(), film);
        let listed: Vec<_> =
            storage.store.list(None).map_ok(|found| found.location.to_string()).try_collect().await.unwrap();
        assert_eq!(listed, ["ours/films/1.mp4"], "the doctor leaves nothing behind");
        storage.put("films/2.mp4", file.path()).await.unwrap();
        storage.put("others/2.mp4", file.path()).await.unwrap();
        storage.remove("films/1.mp4").await.unwrap();
        storage.remove("films/1.mp4").await.unwrap();
        storage.clear("films").await.unwrap();
        assert!(storage.get("films/2.mp4", 0..1).await.is_err() && storage.get("others/2.mp4", 0..1).await.is_ok());
    }

    #[tokio::test]
    async fn one_that_is_away_is_an_error_soon() {
        let storage = away();
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(storage.put("x", file.path()).await, Err(StorageError::Refused(_))));
        assert!(matches!(storage.probe().await, Err(StorageError::Refused(_))));
        assert_eq!(storage.seen.load(Ordering::Relaxed), 2);
    }
}
