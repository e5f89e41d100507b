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
    /// Tracks that nothing here decodes, each told once.
    undecodable: BTreeSet<(ParticipantId, bool)>,
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
            undecodable: BTreeSet::new(),
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

    /// Records, or doesn't. What is said after a livestream's end or before its beginning is not the public's: each becomes
    /// a recording of its own, so that the livestream's is what was seen at its address, from its beginning.
    pub(crate) fn record(&mut self, wanted: Option<NewRecording>) -> Result<(), StreamingError> {
        match wanted {
            Some(new) if self.recording != Some(self.published) => {
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

    /// Viewers don't see this track; true where that is new.
    pub(crate) fn is_undecodable(&mut self, whose: ParticipantId, kind: TrackKind) -> bool {
        self.undecodable.insert((whose, kind == TrackKind::Screen))
    }

    /// Shows the meeting as it is now, if that is another picture than before.
    pub(crate) fn show(
        &mut self,
        meeting: &Snapshot,
        layout: Layout,
        speaking: &[ParticipantId],
        active: Option<ParticipantId>,
    ) {
        if self.broadcast.feed().wants_tracks() {
            let names = meeting.participants.iter().map(|person| (person.id, person.name.clone())).collect();
            if self.names != names {
                self.broadcast.name(names.clone());
                self.names = names;
            }
        }
        let scene = scene(layout, &meeting.participants, speaking, active);
        if scene != self.shown {
            self.shown = scene.clone();
            self.broadcast.show(scene);
        }
    }

    /// Stopped at once; the future is done when its last segments are written.
    pub(crate) fn stop(self) -> impl Future<Output = ()> + use<> {
        self.broadcast.stop()
    }
}

/// The state participants see.
pub(crate) fn state_of(fact: &BroadcastFact) -> BroadcastState {
    if *fact == BroadcastFact::Live { BroadcastState::Live } else { BroadcastState::Restarting }
}

/// Who is seen: a shared screen first, then who speaks, then the others in the order they came.
fn scene(
    layout: Layout,
    participants: &[Participant],
    speaking: &[ParticipantId],
    active: Option<ParticipantId>,
) -> Scene {
    let mut tiles = Vec::new();
    let is_shown = |person: &&Participant| person.connected && person.room.is_none();
    let mut people: Vec<_> = participants.iter().filter(is_shown).collect();
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

#[cfg(test)]
mod tests {
    use model::Role;

    use super::*;

    const CAMERA: TileKind = TileKind::Video(TrackKind::Camera);
    const SCREEN: TileKind = TileKind::Video(TrackKind::Screen);

    fn id(number: u128) -> ParticipantId {
        ParticipantId::new(uuid::Uuid::from_u128(number))
    }

    fn person(number: u128, via: ViaKind) -> Participant {
        Participant {
            id: id(number),
            name: format!("{number}"),
            role: Role::Member,
            via,
            number: None,
            avatar: None,
            muted: false,
            camera: false,
            screen: false,
            on_hold: false,
            line_trouble: None,
            network_poor: false,
            hand: false,
            connected: true,
            from_audience: false,
            asks_help: false,
            room: None,
        }
    }

    // product: B2
    #[test]
    fn who_is_there_is_shown_as_the_layout_has_it() {
        let web = |number| person(number, ViaKind::Web);
        let people = [
            web(1),
            person(2, ViaKind::Phone),
            Participant { camera: true, ..web(3) },
            Participant { camera: true, screen: true, ..web(4) },
            // In a breakout room, and gone for the moment: neither is seen.
            Participant { camera: true, screen: true, room: Some(1), ..web(5) },
            Participant { camera: true, connected: false, ..web(6) },
        ];
        let check = |layout, active: Option<u128>, expected: &[(u128, TileKind)]| {
            let shown = scene(layout, &people, &[id(2), id(5)], active.map(id));
            assert_eq!(shown.layout, layout);
            let tiles: Vec<_> = shown.tiles.iter().map(|tile| (tile.participant, tile.kind)).collect();
            let expected: Vec<_> = expected.iter().map(|(number, kind)| (id(*number), *kind)).collect();
            assert_eq!(tiles, expected, "{layout:?}, {active:?} speaks");
            for tile in &shown.tiles {
                assert_eq!(tile.phone, tile.participant == id(2));
                assert_eq!(tile.speaking, tile.participant == id(2));
            }
        };
        let avatar = TileKind::Avatar;
        // Who has neither camera nor telephone comes last; who speaks comes first, behind what is shared.
        check(Layout::Speaker, None, &[(4, SCREEN), (2, avatar), (3, CAMERA), (4, CAMERA), (1, avatar)]);
        check(Layout::Speaker, Some(1), &[(4, SCREEN), (1, avatar), (2, avatar), (3, CAMERA), (4, CAMERA)]);
        check(Layout::Speaker, Some(5), &[(4, SCREEN), (2, avatar), (3, CAMERA), (4, CAMERA), (1, avatar)]);
        // In a gallery everyone keeps his place.
        check(Layout::Gallery, Some(3), &[(4, SCREEN), (2, avatar), (3, CAMERA), (4, CAMERA), (1, avatar)]);
        check(Layout::PictureInPicture, Some(3), &[(4, SCREEN), (3, CAMERA)]);
        assert_eq!(scene(Layout::Speaker, &[], &[], Some(id(1))).tiles, []);
    }

    #[test]
    fn a_layout_shows_no_more_than_it_has_places_for() {
        let people: Vec<_> = (1..40).map(|number| person(number, ViaKind::Phone)).collect();
        for layout in [Layout::Speaker, Layout::Gallery, Layout::PictureInPicture] {
            let shown = scene(layout, &people, &[], Some(id(30)));
            assert_eq!(shown.tiles.len(), Scene::tiles_max(layout));
            let first = if layout == Layout::Gallery { id(1) } else { id(30) };
            assert_eq!(shown.tiles[0].participant, first, "{layout:?}");
        }
    }
}
