//! Who watches a livestream by WebRTC (B9): he hears and sees the main room at once, and is nobody's fellow participant.

use std::collections::HashMap;

use model::{BroadcastId, ParticipantId, Refusal};
use plane::{MeetingMedia, PeerRole};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Conference, MediaRefused, handle::Request};

/// Viewers of one meeting who watch so: each costs as much as a participant. All others have the livestream, which costs nothing.
const VIEWERS_MAX: usize = 500;

/// His place. Dropped, he watches no more.
pub struct StageSeat {
    /// Names his connection.
    pub viewer: ParticipantId,
    media: MeetingMedia,
    ended: CancellationToken,
}

impl StageSeat {
    /// Answers the offer of his connection.
    pub async fn watch(&self, offer: String) -> Result<String, MediaRefused> {
        Ok(self.media.watch(self.viewer, offer).await?)
    }

    /// Answers the offer by which he goes on by another way (ICE restart).
    pub async fn restart(&self, offer: String) -> Result<String, MediaRefused> {
        Ok(self.media.restart(self.viewer, PeerRole::Subscriber, offer).await?)
    }

    /// Waits until his connection, or the livestream, is over.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for StageSeat {
    fn drop(&mut self) {
        self.ended.cancel();
        // How his sound came and went is written down nowhere.
        drop(self.media.remove(self.viewer));
    }
}

/// All of one meeting.
#[derive(Default)]
pub(crate) struct StageViewers(HashMap<ParticipantId, CancellationToken>);

impl StageViewers {
    pub(crate) fn admit(&mut self, media: &MeetingMedia) -> Result<StageSeat, Refusal> {
        self.0.retain(|_, ended| !ended.is_cancelled());
        if self.0.len() >= VIEWERS_MAX {
            return Err(Refusal::Full);
        }
        let (viewer, ended) = (ParticipantId::new(Uuid::now_v7()), CancellationToken::new());
        self.0.insert(viewer, ended.clone());
        Ok(StageSeat { viewer, media: media.clone(), ended })
    }

    /// His connection is over.
    pub(crate) fn gone(&mut self, viewer: ParticipantId) {
        if let Some(ended) = self.0.remove(&viewer) {
            ended.cancel();
        }
    }

    pub(crate) fn end_all(&mut self) {
        self.0.drain().for_each(|(_, ended)| ended.cancel());
    }
}

impl Drop for StageViewers {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl Conference {
    /// A place to watch a livestream from, while there is one. Who may is asked elsewhere: [`Conference::admit_viewer`].
    pub async fn watch_stage(&self, livestream: BroadcastId) -> Result<StageSeat, Refusal> {
        let (_, way) = self.shared.registry.live(livestream).ok_or(Refusal::NotLive)?;
        let (answer, answered) = oneshot::channel();
        let sent = way.requests.send(Request::Watch { livestream, answer }).await;
        sent.map_err(|_| Refusal::NotLive)?;
        answered.await.map_err(|_| Refusal::NotLive)?
    }
}
