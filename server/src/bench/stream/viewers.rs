//! Many viewers at once: each follows picture and sound by blocking reload and fetches every part, as players do.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use super::{
    camera::THREADS,
    player::{Connection, Playlist},
};

/// What they saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// For each part and viewer, milliseconds from the first viewer's having it to his.
    pub(super) behind_ms: Vec<f64>,
    pub(super) requests: u64,
    pub(super) failed: u64,
}

#[derive(Default)]
struct Shared {
    first: Mutex<HashMap<String, Instant>>,
    behind_ms: Mutex<Vec<f64>>,
    requests: AtomicU64,
    failed: AtomicU64,
}

/// So many come within two seconds and stay until `until`; on threads that aren't the server's.
pub(super) fn watch(host: SocketAddr, folder: &str, viewers: usize, until: Instant) -> anyhow::Result<Seen> {
    let shared = Arc::new(Shared::default());
    let (folder, told) = (Arc::<str>::from(folder), Arc::clone(&shared));
    let watching = move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut all = JoinSet::new();
            for _ in 0..viewers {
                for track in ["video", "audio"] {
                    let (folder, shared) = (Arc::clone(&folder), Arc::clone(&told));
                    all.spawn(async move {
                        if follow(host, &folder, track, until, &shared).await.is_err() {
                            shared.failed.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                tokio::time::sleep(Duration::from_secs(2) / viewers as u32).await;
            }
            while all.join_next().await.is_some() {}
        });
        Ok(())
    };
    let thread = std::thread::Builder::new().name(format!("{THREADS}viewers")).spawn(watching)?;
    thread.join().map_err(|_| anyhow::anyhow!("the viewers panicked"))??;
    let behind_ms = std::mem::take(&mut *shared.behind_ms.lock().unwrap_or_else(PoisonError::into_inner));
    let (requests, failed) = (shared.requests.load(Ordering::Relaxed), shared.failed.load(Ordering::Relaxed));
    Ok(Seen { behind_ms, requests, failed })
}

async fn follow(host: SocketAddr, folder: &str, track: &str, until: Instant, shared: &Shared) -> anyhow::Result<()> {
    let mut connection = Connection::open(host).await?;
    let (_, body) = connection.get(&format!("{folder}/{track}.m3u8")).await?;
    let mut playlist = Playlist::parse(&String::from_utf8_lossy(&body));
    let mut known = playlist.parts.last().map(|(name, _)| name.clone());
    while Instant::now() < until {
        let (msn, part) = playlist.next;
        let path = format!("{folder}/{track}.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES");
        let (status, body) = connection.get(&path).await?;
        anyhow::ensure!(status == 200, "{path} is answered by {status}");
        playlist = Playlist::parse(&String::from_utf8_lossy(&body));
        let after = |name: &String| playlist.parts.iter().rposition(|(of, _)| of == name);
        let fresh = known.as_ref().and_then(after).map_or(0, |at| at + 1);
        for (name, _) in playlist.parts.iter().skip(fresh) {
            let (status, _) = connection.get(&format!("{folder}/{name}")).await?;
            anyhow::ensure!(status == 200, "{name} is answered by {status}");
            let now = Instant::now();
            let mut firsts = shared.first.lock().unwrap_or_else(PoisonError::into_inner);
            let first = *firsts.entry(name.clone()).or_insert(now);
            drop(firsts);
            let behind = now.duration_since(first).as_secs_f64() * 1e3;
            shared.behind_ms.lock().unwrap_or_else(PoisonError::into_inner).push(behind);
        }
        shared.requests.fetch_add(1 + playlist.parts.len().saturating_sub(fresh) as u64, Ordering::Relaxed);
        known = playlist.parts.last().map(|(name, _)| name.clone());
    }
    Ok(())
}
