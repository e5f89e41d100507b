//! As many livestreams at once as this machine is said to carry, whether each has all its pictures, and what is said to the one too many.

use std::time::Duration;

use anyhow::Context;
use model::{BroadcastId, ParticipantId};
use serde_json::{Value, json};
use streaming::{Broadcast, BroadcastFact, cadence};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use uuid::Uuid;

use super::{
    FIRST_MAX_MS, FRAME_GAP_MS, Site,
    camera::{Camera, Film},
    of, player, scene,
};

/// More are not tried, however large the machine.
const MOST: usize = 16;

/// A studio's start is not its life.
const SETTLE: Duration = Duration::from_secs(8);

/// For so long, when all are live.
pub(super) async fn measure(
    site: &Site,
    film: Film,
    participants: Vec<ParticipantId>,
    time: Duration,
) -> anyhow::Result<Value> {
    let (mut running, mut refused) = (Vec::new(), None);
    while running.len() < MOST && refused.is_none() {
        let id = BroadcastId::new(Uuid::now_v7());
        match site.streaming.start(id, "bench".to_owned()).await {
            Ok((broadcast, facts)) => running.push((id, broadcast, facts)),
            Err(error) => refused = Some(error.to_string()),
        }
    }
    let feeds = running.iter().map(|(_, broadcast, _)| broadcast.feed()).collect();
    let camera = Camera::start(film, participants.clone(), feeds)?;
    let mut broadcasts: Vec<(BroadcastId, Broadcast)> = Vec::new();
    for (id, broadcast, facts) in running {
        broadcast.show(scene(&participants));
        let live = tokio::time::timeout(Duration::from_millis(FIRST_MAX_MS), live(facts)).await;
        live.context("a livestream doesn't begin")??;
        broadcasts.push((id, broadcast));
    }
    tokio::time::sleep(SETTLE).await;
    let (host, until) = (site.web.http_addr(), Instant::now() + time);
    let mut viewers = JoinSet::new();
    for (id, _) in &broadcasts {
        let folder = format!("/live/{id}");
        viewers.spawn(async move { player::stands(host, &folder, until).await });
    }
    let mut rates = Vec::new();
    let mut late = 0;
    while let Some(stands) = viewers.join_next().await {
        let stands = stands.context("a viewer panicked")??;
        late += stands.iter().filter(|stand| stand.ms > FRAME_GAP_MS).count();
        rates.push(stands.len() as f64 / time.as_secs_f64());
    }
    drop(camera);
    let together = broadcasts.len();
    for (_, broadcast) in broadcasts {
        broadcast.stop().await;
    }
    Ok(json!({
        "together": together,
        "together_fps_min": of(&rates, 0.0),
        "together_fps_due": f64::from(cadence::TICKS_PER_SECOND),
        "together_frames_late": late,
        "together_refused": refused,
    }))
}

/// Until there is something to see; what is told afterwards is heard by nobody.
async fn live(mut facts: mpsc::Receiver<BroadcastFact>) -> anyhow::Result<()> {
    while let Some(fact) = facts.recv().await {
        if fact == BroadcastFact::Live {
            // The queue is read on: a full one would be no wrong, but is not how it is.
            tokio::spawn(async move { while facts.recv().await.is_some() {} });
            return Ok(());
        }
    }
    anyhow::bail!("a livestream ends before it begins")
}
