//! A meeting's livestream: started and stopped by the meeting's task, shown by who speaks.

use media::TrackKind;
use model::{BroadcastId, BroadcastState, Layout, Participant, ParticipantId, Snapshot, ViaKind};
use streaming::{Broadcast, BroadcastFact, Scene, Streaming, StreamingError, Tile, TileKind};
use tokio::sync::mpsc;

/// A running livestream and what it says.
pub(crate) struct Livestream {
    pub(crate) id: BroadcastId,
    broadcast: Broadcast,
    pub(crate) facts: mpsc::Receiver<BroadcastFact>,
    shown: Scene,
}

impl Livestream {
    pub(crate) async fn start(streaming: &Streaming, id: BroadcastId, title: String) -> Result<Self, StreamingError> {
        let (broadcast, facts) = streaming.start(id, title).await?;
        Ok(Self { id, broadcast, facts, shown: Scene::default() })
    }

    pub(crate) fn feed(&self) -> streaming::Feed {
        self.broadcast.feed()
    }

    /// Shows the meeting as it is now, if that is another picture than before.
    pub(crate) fn show(&mut self, meeting: &Snapshot, speaking: &[ParticipantId], active: Option<ParticipantId>) {
        let scene = scene(meeting, speaking, active);
        if scene != self.shown {
            self.shown = scene.clone();
            self.broadcast.show(scene);
        }
    }

    pub(crate) async fn stop(self) {
        self.broadcast.stop().await;
    }
}

/// The state participants see for what the studio says; none when it is over.
pub(crate) fn state_of(fact: &BroadcastFact) -> Option<Option<BroadcastState>> {
    match fact {
        BroadcastFact::Live => Some(Some(BroadcastState::Live)),
        BroadcastFact::Restarting => Some(Some(BroadcastState::Restarting)),
        BroadcastFact::Ended | BroadcastFact::Failed(_) => Some(None),
        BroadcastFact::KeyframeWanted(..) => None,
    }
}

/// Who is seen: a shared screen first, then who speaks, then the others in the order they came.
fn scene(meeting: &Snapshot, speaking: &[ParticipantId], active: Option<ParticipantId>) -> Scene {
    let layout = meeting.broadcast.as_ref().map(|broadcast| broadcast.layout).unwrap_or_default();
    let mut tiles = Vec::new();
    let mut people: Vec<_> = meeting.participants.iter().filter(|person| person.connected).collect();
    // A stable sort: who came first stays first among equals. In a gallery everyone keeps his place, whoever speaks.
    let leads = |person: &Participant| layout != Layout::Gallery && active == Some(person.id);
    people.sort_by_key(|person| (!leads(person), !person.camera && person.via == ViaKind::Web));
    for person in people.iter().filter(|person| person.screen) {
        tiles.push(tile(person, TileKind::Video(TrackKind::Screen), false));
    }
    for person in people {
        let kind = if person.camera { TileKind::Video(TrackKind::Camera) } else { TileKind::Avatar };
        tiles.push(tile(person, kind, speaking.contains(&person.id)));
    }
    tiles.truncate(Scene::tiles_max(layout));
    Scene { layout, tiles }
}

fn tile(person: &Participant, kind: TileKind, speaking: bool) -> Tile {
    let phone = person.via == ViaKind::Phone;
    Tile { participant: person.id, name: person.name.clone(), kind, speaking, phone }
}
