//! A meeting's livestream: started and stopped by the meeting's task, shown by who speaks.

use std::collections::{BTreeMap, BTreeSet};

use media::TrackKind;
use model::{BroadcastId, BroadcastState, Layout, Participant, ParticipantId, PushUrl, Snapshot, ViaKind};
use streaming::{Broadcast, BroadcastFact, NewRecording, Scene, Streaming, StreamingError, Tile, TileKind};
use tokio::sync::mpsc;

/// A running studio: what it makes goes to an audience, into a recording, or both.
pub(crate) struct Livestream {
    broadcast: Broadcast,
    pub(crate) facts: mpsc::Receiver<BroadcastFact>,
    shown: Scene,
    /// Under which id it is public.
    pub(crate) published: Option<BroadcastId>,
    recording: Option<Recorded>,
    pushed: BTreeSet<u32>,
    /// How people are called, where recordings keep each voice by itself.
    names: BTreeMap<ParticipantId, String>,
}

/// Whether what is recorded was public.
type Recorded = Option<BroadcastId>;

impl Livestream {
    pub(crate) async fn start(streaming: &Streaming, title: String) -> Result<Self, StreamingError> {
        let (broadcast, facts) = streaming.start_unpublished(title).await?;
        Ok(Self {
            broadcast,
            facts,
            shown: Scene::default(),
            published: None,
            recording: None,
            pushed: BTreeSet::new(),
            names: BTreeMap::new(),
        })
    }

    pub(crate) fn feed(&self) -> streaming::Feed {
        self.broadcast.feed()
    }

    /// Is seen by the public under this id, or by nobody.
    pub(crate) fn publish(&mut self, id: Option<BroadcastId>) -> Result<(), StreamingError> {
        if self.published != id {
            match id {
                Some(id) => self.broadcast.publish(id)?,
                None => self.broadcast.unpublish(),
            }
            self.published = id;
        }
        Ok(())
    }

    /// Records, or doesn't. What is said after the livestream's end is not the public's: it becomes a recording of its
    /// own, as what was said before its beginning is.
    pub(crate) fn record(&mut self, wanted: Option<NewRecording>) -> Result<(), StreamingError> {
        match wanted {
            Some(new) if self.recording.is_none() || (self.published.is_none() && self.recording != Some(None)) => {
                self.recording = Some(self.published);
                self.broadcast.record(NewRecording { broadcast: self.published, ..new })?;
            }
            Some(_) => {}
            None => {
                if self.recording.take().is_some() {
                    self.broadcast.stop_recording();
                }
            }
        }
        Ok(())
    }

    /// Is pushed to all of these and to no others.
    pub(crate) fn push(&mut self, wanted: &BTreeMap<u32, PushUrl>) {
        for id in self.pushed.extract_if(.., |id| !wanted.contains_key(id)) {
            self.broadcast.stop_push(id);
        }
        for (id, url) in wanted {
            if self.pushed.insert(*id) {
                self.broadcast.push(*id, url.clone());
            }
        }
    }

    /// Shows the meeting as it is now, if that is another picture than before.
    pub(crate) fn show(&mut self, meeting: &Snapshot, speaking: &[ParticipantId], active: Option<ParticipantId>) {
        if self.broadcast.feed().wants_tracks() {
            let names = meeting.participants.iter().map(|person| (person.id, person.name.clone())).collect();
            if self.names != names {
                self.broadcast.name(names.clone());
                self.names = names;
            }
        }
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

/// The state participants see.
pub(crate) fn state_of(fact: &BroadcastFact) -> BroadcastState {
    if *fact == BroadcastFact::Live { BroadcastState::Live } else { BroadcastState::Restarting }
}

/// Who is seen: a shared screen first, then who speaks, then the others in the order they came.
fn scene(meeting: &Snapshot, speaking: &[ParticipantId], active: Option<ParticipantId>) -> Scene {
    let layout = meeting.broadcast.as_ref().map(|broadcast| broadcast.layout).unwrap_or_default();
    let mut tiles = Vec::new();
    let is_shown = |person: &&Participant| person.connected && person.room.is_none();
    let mut people: Vec<_> = meeting.participants.iter().filter(is_shown).collect();
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
