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
    gallery: Gallery,
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
            gallery: Gallery::default(),
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
        let scene = scene(layout, &meeting.participants, speaking, active, &mut self.gallery);
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

/// Who has which place in a gallery that has fewer places than there are people: who speaks is seen, and takes the place of who has
/// been silent longest.
#[derive(Default)]
pub(crate) struct Gallery {
    /// Who spoke last is first; who never did isn't here.
    spoke: Vec<ParticipantId>,
    places: Vec<ParticipantId>,
}

impl Gallery {
    /// These people, in their order where there are places for all.
    fn seat<'a>(
        &mut self,
        people: Vec<&'a Participant>,
        active: Option<ParticipantId>,
        places_max: usize,
    ) -> Vec<&'a Participant> {
        let is_there = |id: &ParticipantId| people.iter().any(|person| person.id == *id);
        self.spoke.retain(|id| is_there(id) && Some(*id) != active);
        if let Some(active) = active.filter(is_there) {
            self.spoke.insert(0, active);
        }
        let mut seen = people;
        if seen.len() > places_max {
            // A stable sort: of those who never spoke, the last ones are left out.
            seen.sort_by_key(|person| self.spoke.iter().position(|id| *id == person.id).unwrap_or(usize::MAX));
            seen.truncate(places_max);
            // Who was seen before stays where he was.
            let is_new = |person: &&&Participant| !self.places.contains(&person.id);
            let mut new = seen.iter().filter(is_new).copied().collect::<Vec<_>>().into_iter();
            let kept = self
                .places
                .iter()
                .filter_map(|id| seen.iter().find(|person| person.id == *id).copied().or_else(|| new.next()));
            let kept: Vec<_> = kept.take(places_max).collect();
            seen = kept.into_iter().chain(new).collect();
        }
        self.places = seen.iter().map(|person| person.id).collect();
        seen
    }
}

/// Who is seen: a shared screen first, then who speaks, then the others in the order they came.
pub(crate) fn scene(
    layout: Layout,
    participants: &[Participant],
    speaking: &[ParticipantId],
    active: Option<ParticipantId>,
    gallery: &mut Gallery,
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
    let places_max = Scene::tiles_max(layout);
    if layout == Layout::Gallery {
        people = gallery.seat(people, active, places_max.saturating_sub(tiles.len()));
    }
    for person in people {
        let kind = if person.camera { TileKind::Video(TrackKind::Camera) } else { TileKind::Avatar };
        tiles.push(tile(person, kind, speaking.contains(&person.id)));
    }
    tiles.truncate(places_max);
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
            video: false,
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
            let shown = scene(layout, &people, &[id(2), id(5)], active.map(id), &mut Gallery::default());
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
        assert_eq!(scene(Layout::Speaker, &[], &[], Some(id(1)), &mut Gallery::default()).tiles, []);
    }

    #[test]
    fn a_layout_shows_no_more_than_it_has_places_for() {
        let people: Vec<_> = (1..40).map(|number| person(number, ViaKind::Phone)).collect();
        for layout in [Layout::Speaker, Layout::Gallery, Layout::PictureInPicture] {
            let shown = scene(layout, &people, &[], Some(id(30)), &mut Gallery::default());
            assert_eq!(shown.tiles.len(), Scene::tiles_max(layout));
            assert_eq!(shown.tiles[0].participant, id(30), "{layout:?}");
        }
    }

    // product: B2
    #[test]
    fn who_speaks_in_a_full_gallery_takes_the_place_of_who_was_silent_longest() {
        let mut people: Vec<_> = (1..=20).map(|number| person(number, ViaKind::Phone)).collect();
        let mut gallery = Gallery::default();
        let mut shown = |people: &[Participant], active: Option<u128>| {
            let seen = scene(Layout::Gallery, people, &[], active.map(id), &mut gallery).tiles;
            seen.iter().map(|tile| tile.participant.uuid().as_u128()).collect::<Vec<_>>()
        };
        let first: Vec<u128> = (1..=16).collect();
        assert_eq!(shown(&people, None), first);
        assert_eq!(shown(&people, Some(3)), first, "who is seen keeps his place");
        let with = |at: usize, who: u128, before: &[u128]| {
            let mut places = before.to_vec();
            places[at] = who;
            places
        };
        // Of those who never spoke, the last one goes.
        let second = with(15, 19, &first);
        assert_eq!(shown(&people, Some(19)), second);
        assert_eq!(shown(&people, None), second, "and he stays when he is silent");
        for number in 1..=16 {
            shown(&people, Some(number));
        }
        let third = shown(&people, Some(16));
        assert!(!third.contains(&19), "he has been silent longest: {third:?}");
        let place = third.iter().position(|number| *number == 3).unwrap();
        for number in [1, 2] {
            shown(&people, Some(number));
        }
        assert_eq!(shown(&people, Some(20)), with(place, 20, &third), "of all who spoke, 3 did longest ago");
        // A screen takes a place, and who goes gives one.
        people[3].screen = true;
        let beside = shown(&people, None);
        assert_eq!((beside.len(), beside[0]), (16, 4));
        assert!(beside[1..].contains(&20));
        people.drain(4..12);
        assert_eq!(
            shown(&people, Some(20))[1..],
            people.iter().map(|person| person.id.uuid().as_u128()).collect::<Vec<_>>()
        );
    }
}
