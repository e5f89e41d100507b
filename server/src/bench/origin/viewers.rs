//! Many viewers at once, each of whom follows picture and sound as players do and decodes nothing.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc, time::Duration};

use streaming::cadence;
use tokio::{task::LocalSet, time::Instant};

use super::{
    super::{
        stream::player::{Connection, Playlist},
        thread_cpu,
    },
    Players,
};

/// All come within so long.
const COMING: Duration = Duration::from_secs(4);

/// And then have so long to follow.
const SETTLE: Duration = Duration::from_secs(5);

/// Playlists that are remembered, as all read the same: more than are new at once.
const REMEMBERED: usize = 64;

pub(super) struct Run {
    pub(super) host: SocketAddr,
    pub(super) folder: String,
    pub(super) viewers: usize,
    pub(super) seconds: u64,
    pub(super) players: Players,
}

/// What they saw.
#[derive(Default)]
pub(super) struct Seen {
    /// For each part and viewer, milliseconds from its last unit's being due at the studio to the part's being with him by the kernel's
    /// clock, the earliest first.
    pub(super) late_ms: Vec<f64>,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) elapsed: Duration,
    /// Processor time of this all.
    pub(super) generator_s: f64,
}

struct Shared {
    run: Run,
    measures: bool,
    until: Instant,
    seen: Seen,
    /// By the query they answer.
    playlists: HashMap<String, Rc<Playlist>>,
    /// Milliseconds since 1970.
    due: HashMap<String, f64>,
}

impl Run {
    /// `told` is called when measuring begins, with true, and when it ends.
    pub(super) fn watch(self, mut told: impl FnMut(bool)) -> anyhow::Result<Seen> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let seconds = Duration::from_secs(self.seconds);
        let viewers = self.viewers;
        let begins = Instant::now() + COMING + SETTLE;
        let shared = Shared {
            run: self,
            measures: false,
            until: begins + seconds,
            seen: Seen::default(),
            playlists: HashMap::new(),
            due: HashMap::new(),
        };
        let shared = Rc::new(RefCell::new(shared));
        LocalSet::new().block_on(&runtime, async {
            for number in 0..viewers as u32 * 2 {
                let (track, shared) = (if number % 2 == 0 { "video" } else { "audio" }, Rc::clone(&shared));
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(COMING / (viewers as u32 * 2) * number).await;
                    if let Err(error) = follow(track, &shared).await {
                        tracing::warn!(error = format!("{error:#}"), "a viewer can't go on");
                        shared.borrow_mut().seen.failed += 1;
                    }
                });
            }
            tokio::time::sleep_until(begins).await;
            told(true);
            let (since, used) = (Instant::now(), thread_cpu());
            shared.borrow_mut().measures = true;
            tokio::time::sleep(seconds).await;
            told(false);
            let mut seen = std::mem::take(&mut shared.borrow_mut().seen);
            seen.late_ms.sort_by(f64::total_cmp);
            seen.elapsed = since.elapsed();
            seen.generator_s = (thread_cpu() - used).as_secs_f64();
            Ok(seen)
        })
    }
}

async fn follow(track: &str, shared: &RefCell<Shared>) -> anyhow::Result<()> {
    let (host, folder, players, until) = {
        let shared = shared.borrow();
        (shared.run.host, shared.run.folder.clone(), shared.run.players, shared.until)
    };
    let mut lists = Connection::open(host).await?;
    // Who asks for a part ahead needs a connection that may wait for it.
    let mut parts = if players == Players::Hint { Some(Connection::open(host).await?) } else { None };
    let (_, body) = lists.get(&format!("{folder}/{track}.m3u8")).await?;
    let mut playlist = Rc::new(Playlist::parse(&String::from_utf8_lossy(body)));
    while Instant::now() < until {
        let (msn, part) = playlist.next;
        let path = format!("{folder}/{track}.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES");
        lists.ask(&path).await?;
        let ahead = parts.as_mut().zip(playlist.hinted.clone());
        let came = if let Some((parts, name)) = ahead {
            let status = parts.skip(&format!("{folder}/{name}")).await?;
            anyhow::ensure!(status == 200, "{name} is answered by {status}");
            Some((name, parts.came()))
        } else {
            None
        };
        let (status, body) = lists.answer().await?;
        anyhow::ensure!(status == 200, "{path} is answered by {status}");
        let before = std::mem::replace(&mut playlist, shared.borrow_mut().read(track, path, body));
        let last = before.parts.last().and_then(|(last, _)| playlist.parts.iter().rposition(|(name, _)| name == last));
        let mut requests = 1;
        for (name, _) in playlist.parts.iter().skip(last.map_or(0, |last| last + 1)) {
            let at = match &came {
                Some((ahead, at)) if ahead == name => *at,
                _ => {
                    let connection = parts.as_mut().unwrap_or(&mut lists);
                    let status = connection.skip(&format!("{folder}/{name}")).await?;
                    anyhow::ensure!(status == 200, "{name} is answered by {status}");
                    connection.came()
                }
            };
            requests += 1;
            shared.borrow_mut().note(name, at);
        }
        shared.borrow_mut().count(requests);
    }
    Ok(())
}

impl Shared {
    fn read(&mut self, track: &str, path: String, body: &[u8]) -> Rc<Playlist> {
        if let Some(known) = self.playlists.get(&path) {
            return Rc::clone(known);
        }
        let playlist = Rc::new(Playlist::parse(&String::from_utf8_lossy(body)));
        // Its last picture, or sound, was said so long before its end.
        let last = if track == "audio" { Duration::from_millis(1_024) / 48 } else { cadence::TICK };
        let due = playlist.parts.iter().map(|(name, end_ms)| (name.clone(), end_ms - last.as_secs_f64() * 1e3));
        self.due.extend(due);
        if self.playlists.len() >= REMEMBERED {
            self.playlists.clear();
        }
        self.playlists.insert(path, Rc::clone(&playlist));
        playlist
    }

    fn count(&mut self, requests: u64) {
        if self.measures {
            self.seen.requests += requests;
        }
    }

    fn note(&mut self, part: &str, at: Duration) {
        if let Some(due) = self.due.get(part).filter(|_| self.measures) {
            self.seen.late_ms.push(at.as_secs_f64() * 1e3 - due);
        }
    }
}
