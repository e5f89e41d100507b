//! A broadcast pushed to one target (B3). A process of its own (`huitong-studio --push`) sends what the studio has coded; it
//! is started again for as long as the target is wanted. Nobody waits for it: what it has no room for is left out up to
//! the next key frame.

use std::{ffi::OsStr, io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::StreamExt;
use model::{BadPushUrl, PushState, PushUrl, is_public};
use tokio::{
    io::AsyncWriteExt,
    net::lookup_host,
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, sleep_until, timeout},
};
use tracing::Instrument;

use crate::{
    BroadcastFact, StreamingConfig,
    child::{Spawned, spawn},
    patience::Patience,
    wire::{AccessUnit, Format, FromPusher, FromStudio, ToPusher, Track},
};

/// What waits for one target: eight seconds of units. More would be delay that never goes away.
const ENTRIES_MAX: usize = 640;

/// How long a process may take to be rid of one unit: it has room for several seconds of them itself.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// From the start until the target takes something: it is connected to, and it agrees.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// How long it may take to say goodbye.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// A push that was live so long was well: the next try after it is soon.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// Waits before the next tries; the last one goes on for ever. Longer would keep an audience waiting for a server that
/// is back, shorter would look like an attack to it.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(5)];

/// The same where it has said no: somebody has to put that right there, and servers shut out who asks too often.
const WAITS_REFUSED: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(60)];

/// A running push. Dropped, it ends.
pub(crate) struct Pusher {
    entries: mpsc::Sender<Entry>,
    /// A picture was left out: those that follow are of no use until the next key frame.
    broken: bool,
}

enum Entry {
    Format(Format),
    Unit(AccessUnit),
    RunEnd,
}

impl Pusher {
    pub(crate) fn start(
        id: u32,
        url: PushUrl,
        config: Arc<StreamingConfig>,
        facts: mpsc::Sender<BroadcastFact>,
    ) -> Self {
        let (entries, told) = mpsc::channel(ENTRIES_MAX);
        let push = Push { id, url, config, facts, entries: told, formats: Vec::new() };
        tokio::spawn(push.run().instrument(tracing::info_span!("push", id)));
        Self { entries, broken: false }
    }

    pub(crate) fn format(&self, format: Format) {
        self.put(Entry::Format(format));
    }

    pub(crate) fn unit(&mut self, unit: AccessUnit) {
        let is_picture = unit.track == Track::Video;
        if is_picture && self.broken && !unit.keyframe {
            return;
        }
        let put = self.put(Entry::Unit(unit));
        if is_picture {
            self.broken = !put;
        }
    }

    /// The studio is gone; another one follows.
    pub(crate) fn run_ended(&self) {
        self.put(Entry::RunEnd);
    }

    fn put(&self, entry: Entry) -> bool {
        let put = self.entries.try_send(entry);
        if let Err(TrySendError::Full(_)) = put {
            metrics::counter!("streaming_push_dropped_total").increment(1);
        }
        put.is_ok()
    }
}

/// Why one try is over.
#[derive(Debug)]
enum End {
    /// It is no longer wanted.
    Unwanted,
    /// The studio ended: what follows begins anew.
    NewRun,
    Failed(PushError),
}

#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error(transparent)]
    Url(#[from] BadPushUrl),
    #[error("its name can't be looked up: {0}")]
    Lookup(#[source] io::Error),
    #[error("it is no address of the public internet")]
    NotPublic,
    #[error("the pushing process can't be started: {0}")]
    Start(#[source] io::Error),
    #[error("{0}")]
    Said(String),
    #[error("it takes no stream by this address and key: {0}")]
    Refused(String),
    #[error("the pushing process is gone")]
    Gone,
    #[error("the target has taken nothing for {0:?}")]
    Stuck(Duration),
}

struct Push {
    id: u32,
    url: PushUrl,
    config: Arc<StreamingConfig>,
    facts: mpsc::Sender<BroadcastFact>,
    entries: mpsc::Receiver<Entry>,
    formats: Vec<Format>,
}

impl Push {
    async fn run(mut self) {
        let target = self.url.masked();
        let (mut patience, mut refused) = (Patience::new(&WAITS), Patience::new(&WAITS_REFUSED));
        let mut in_vain = 0;
        loop {
            let found = addresses(&self.url, self.config.private_push).await;
            let (end, live_for) = match found {
                Ok(addresses) => self.attempt(&beginning_with(addresses, in_vain)).await,
                Err(reason @ (PushError::NotPublic | PushError::Url(_))) => {
                    tracing::warn!(target, %reason, "pushed nowhere");
                    self.tell(PushState::NotAllowed);
                    return;
                }
                Err(reason) => (End::Failed(reason), Duration::ZERO),
            };
            match end {
                End::Unwanted => return tracing::info!(target, "push ended"),
                End::NewRun => self.tell(PushState::Retrying),
                End::Failed(reason) => {
                    if live_for >= WELL_AFTER {
                        patience.reset();
                    }
                    if !live_for.is_zero() {
                        refused.reset();
                    }
                    // Where it was live it is sought again.
                    in_vain += usize::from(live_for.is_zero());
                    let (wait, state) = match reason {
                        PushError::Refused(_) => (refused.next(), PushState::Refused),
                        _ => (patience.next(), PushState::Retrying),
                    };
                    tracing::warn!(target, %reason, ?wait, "push failed and is tried again");
                    metrics::counter!("streaming_push_retries_total").increment(1);
                    self.tell(state);
                    if self.forget_until(Instant::now() + wait).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    fn tell(&self, state: PushState) {
        // Nobody listening is fine: the audience is what matters.
        let _unheard = self.facts.try_send(BroadcastFact::Pushed(self.id, state));
    }

    /// One process's life, and how long the target took what it sent.
    async fn attempt(&mut self, addresses: &[SocketAddr]) -> (End, Duration) {
        let mut live_since = None;
        let authority = self.config.push_authority.as_ref().map(|file| ["--authority".as_ref(), file.as_os_str()]);
        let arguments: Vec<&OsStr> = ["--push".as_ref()].into_iter().chain(authority.into_iter().flatten()).collect();
        let end = match spawn(&self.config.studio, &arguments).await {
            Ok(mut pusher) => {
                let end = self.follow(&mut pusher, addresses, &mut live_since).await;
                let last = self.see_off(pusher).await;
                match (end, last) {
                    (End::Failed(PushError::Gone), Some(said)) => End::Failed(said),
                    (end, _) => end,
                }
            }
            Err(error) => End::Failed(PushError::Start(error)),
        };
        (end, live_since.map_or(Duration::ZERO, |since: Instant| since.elapsed()))
    }

    async fn follow(
        &mut self,
        pusher: &mut Spawned,
        addresses: &[SocketAddr],
        live_since: &mut Option<Instant>,
    ) -> End {
        let mut pending = Vec::new();
        ToPusher::write_target(&self.url, addresses, &mut pending);
        for format in &self.formats {
            FromStudio::Format(format.track(), format.clone()).write(&mut pending);
        }
        let patience = Instant::now() + CONNECT_MAX;
        loop {
            match timeout(WRITE_MAX, pusher.to.write_all(&pending)).await {
                Ok(Ok(())) => pending.clear(),
                Ok(Err(_)) => return End::Failed(PushError::Gone),
                Err(_) => return End::Failed(PushError::Stuck(WRITE_MAX)),
            }
            tokio::select! {
                entry = self.entries.recv() => match entry {
                    None => return End::Unwanted,
                    Some(Entry::RunEnd) => {
                        self.formats.clear();
                        return End::NewRun;
                    }
                    Some(Entry::Format(format)) => {
                        FromStudio::Format(format.track(), format.clone()).write(&mut pending);
                        self.formats.push(format);
                    }
                    Some(Entry::Unit(unit)) => FromStudio::Unit(unit).write(&mut pending),
                },
                said = pusher.from.next() => match said.and_then(Result::ok).map(|frame| FromPusher::read(frame.freeze())) {
                    Some(Ok(FromPusher::Live)) => {
                        live_since.get_or_insert_with(Instant::now);
                        tracing::info!(target = self.url.masked(), "push is live");
                        self.tell(PushState::Live);
                    }
                    Some(Ok(FromPusher::Failed(reason))) => return End::Failed(PushError::Said(reason)),
                    Some(Ok(FromPusher::Refused(reason))) => return End::Failed(PushError::Refused(reason)),
                    Some(Err(_)) | None => return End::Failed(PushError::Gone),
                },
                () = sleep_until(patience), if live_since.is_none() && self.formats.len() > 1 => {
                    return End::Failed(PushError::Stuck(CONNECT_MAX));
                }
            }
        }
    }

    /// Its last word, if it had one.
    async fn see_off(&self, mut pusher: Spawned) -> Option<PushError> {
        let _closed = pusher.to.shutdown().await;
        let last = timeout(FINISH_MAX, async {
            while let Some(Ok(frame)) = pusher.from.next().await {
                match FromPusher::read(frame.freeze()) {
                    Ok(FromPusher::Failed(reason)) => return Some(PushError::Said(reason)),
                    Ok(FromPusher::Refused(reason)) => return Some(PushError::Refused(reason)),
                    Ok(FromPusher::Live) | Err(_) => {}
                }
            }
            None
        });
        let last = last.await.ok().flatten();
        drop((pusher.to, pusher.from));
        if timeout(FINISH_MAX, pusher.process.wait()).await.is_err() {
            let _gone = pusher.process.kill().await;
        }
        last
    }

    /// Nothing is kept for a target that isn't there. None when it is no longer wanted.
    async fn forget_until(&mut self, until: Instant) -> Option<()> {
        loop {
            tokio::select! {
                entry = self.entries.recv() => match entry? {
                    Entry::Format(format) => self.formats.push(format),
                    Entry::RunEnd => self.formats.clear(),
                    Entry::Unit(_) => {}
                },
                () = sleep_until(until) => return Some(()),
            }
        }
    }
}

/// Where the target is, each address judged. Looked up for each try: a name may lead elsewhere tomorrow. Who pushes is told
/// these and looks nothing up, so that it can't lead elsewhere between (A14).
async fn addresses(url: &PushUrl, private: bool) -> Result<Vec<SocketAddr>, PushError> {
    let found: Vec<_> = lookup_host(url.host_and_port()?).await.map_err(PushError::Lookup)?.collect();
    if found.is_empty() {
        return Err(PushError::Lookup(io::ErrorKind::NotFound.into()));
    }
    let is_allowed = private || found.iter().all(|address| is_public(address.ip()));
    if is_allowed { Ok(found) } else { Err(PushError::NotPublic) }
}

/// After tries in vain another address comes first: SRT is a way to one address, and a target may be had at one of several alone.
fn beginning_with(mut addresses: Vec<SocketAddr>, in_vain: usize) -> Vec<SocketAddr> {
    let first = in_vain % addresses.len().max(1);
    addresses.rotate_left(first);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: B3
    #[test]
    fn each_address_of_a_target_has_its_turn() {
        let [closed, open] = ["[2001:db8::1]:9".parse().unwrap(), "192.0.2.1:9".parse().unwrap()];
        let firsts = [0, 1, 2, 3].map(|in_vain| beginning_with(vec![closed, open], in_vain)[0]);
        assert_eq!(firsts, [closed, open, closed, open]);
        assert_eq!(beginning_with(vec![closed, open], 1), [open, closed], "and none is left out");
        assert_eq!(beginning_with(Vec::new(), 3), []);
    }

    // reliability.md A14
    #[tokio::test]
    async fn a_host_of_the_own_network_is_found_out_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "0x7F.0x0.0x0.0x1",
            "10.65535",
            "3232235777",
            "0300.0250.1.1",
            "0xa9fea9fe",
            "2852039166",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::7f00:1]",
            "[fe80::1]",
            "localhost",
        ] {
            for url in
                [format!("rtmp://{host}/live/key"), format!("rtmps://u@{host}/live/key"), format!("srt://{host}:9")]
            {
                let found = addresses(&PushUrl::new(&url), false).await;
                assert!(matches!(found, Err(PushError::NotPublic)), "{url}: {found:?}");
            }
        }
        let found = addresses(&PushUrl::new("rtmp://1.1.1.1/live/key"), false).await.unwrap();
        assert_eq!(found, ["1.1.1.1:1935".parse().unwrap()]);
        let found = addresses(&PushUrl::new("srt://127.1:9"), true).await.unwrap();
        assert_eq!(found, ["127.0.0.1:9".parse().unwrap()], "where the operator allows it");
    }

    // reliability.md A14
    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_pushed_to_nowhere() {
        for private in [false, true] {
            let found = addresses(&PushUrl::new("rtmp://live.invalid/live/key"), private).await;
            assert!(matches!(found, Err(PushError::Lookup(_))), "{found:?}");
        }
    }
}
