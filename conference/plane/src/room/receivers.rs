//! Who receives what: whose voice and whose picture go into whose slots, and of which size.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use media::TrackKind;
use model::ParticipantId;
use sfu::{Layer, Sfu, SourceId, allocate::Want};

use super::{Member, Room};
use crate::{
    MeetingFact, SlotAssigned, slots,
    stage::Stage,
    subscriber::{Shown, Subscriber, Wanted},
};

/// Pictures each part's receivers without a word about what they show may get.
const PICTURES: usize = 64;

/// How high a picture is taken to be shown by clients that don't say: as large as there is.
const HEIGHT: u32 = 1080;

impl Room {
    /// Decides anew who receives what, and tells whose slots changed.
    pub(super) fn assign_slots(&mut self, sfu: &mut Sfu) {
        let mut subscribers = self.members.values().filter_map(|member| member.subscriber.as_ref());
        if !subscribers.any(|subscriber| subscriber.connected) {
            return self.forward_to_nobody();
        }
        let of_part = |part: &u32| (*part, [self.wanted_voices(*part), self.wanted_pictures(*part)]);
        let numbers: BTreeSet<u32> = self.members.values().map(|member| member.part).collect();
        let wanted_by_part: BTreeMap<u32, _> = numbers.iter().map(of_part).collect();
        let chosen: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.subscriber.as_ref().is_some_and(|subscriber| subscriber.connected))
            .map(|(participant, member)| {
                let [voices, pictures] = &wanted_by_part[&member.part];
                let own = |wanted: &&Wanted| wanted.owner != *participant;
                let pictures = match &member.shown {
                    Some(shown) => self.shown_pictures(*participant, member.part, shown),
                    None => pictures.iter().filter(own).copied().collect(),
                };
                let voices = if member.watches {
                    vec![Stage::source()]
                } else {
                    voices.iter().filter(own).take(self.voices).map(|voice| voice.source).collect()
                };
                (*participant, voices, pictures)
            })
            .collect();
        let mut changed_subscribers = Vec::new();
        for (participant, voices, pictures) in chosen {
            let member = self.members.get_mut(&participant);
            let Some(subscriber) = member.and_then(|member| member.subscriber.as_mut()) else { continue };
            let mut changed = false;
            let sources: Vec<_> = pictures.iter().map(|wanted| wanted.source).collect();
            for (audio, wanted) in [(true, &voices), (false, &sources)] {
                let of_kind: Vec<usize> =
                    (0..subscriber.slots.len()).filter(|&i| subscriber.slots[i].is_audio() == audio).collect();
                let mut assigned: Vec<_> = of_kind.iter().map(|&i| subscriber.assigned[i]).collect();
                for index in slots::assign(&mut assigned, wanted) {
                    changed = true;
                    subscriber.assign(of_kind[index], assigned[index], sfu);
                }
            }
            if subscriber.order != pictures {
                subscriber.order = pictures;
                subscriber.stale = true;
            }
            if changed {
                changed_subscribers.push(participant);
            }
        }
        self.rebuild_routes();
        self.look_for_voices();
        self.tell_slots_of(&changed_subscribers);
    }

    /// Telephones alone cost nothing of what browsers do.
    fn forward_to_nobody(&mut self) {
        self.rebuild_routes();
        self.look_for_voices();
    }

    /// Whose track of his own anybody receives.
    fn look_for_voices(&mut self) {
        for member in self.members.values() {
            let (Some(seat), Some(part)) = (member.seat, self.parts.get_mut(&member.part)) else { continue };
            part.mixer.set_voice_wanted(seat, self.routes.contains_key(&member.source(TrackKind::Audio)));
        }
    }

    /// Gives each subscriber of what he sees the layers that his line carries.
    pub(super) fn allocate(&mut self, sfu: &mut Sfu, now: Instant) {
        let all = std::mem::take(&mut self.layers_changed);
        let is_due = |(id, member): (&ParticipantId, &mut Box<Member>)| {
            let subscriber = member.subscriber.as_ref()?;
            (subscriber.is_due(now) || (all && subscriber.connected)).then_some(*id)
        };
        let due: Vec<_> = self.members.iter_mut().filter_map(is_due).collect();
        let (mut others_followed, mut otherwise_paused) = (false, Vec::new());
        for participant in due {
            let Some(member) = self.members.get_mut(&participant) else { continue };
            let Some(mut subscriber) = member.subscriber.take() else { continue };
            let want = |wanted: &Wanted| {
                let Some(owner) = self.members.get(&wanted.owner) else { return Want::default() };
                let track = &owner.tracks[wanted.kind as usize];
                Want { rates: track.rates(now), enough: track.enough(wanted.height), now: None }
            };
            let needed = subscriber.allocate(want, sfu, now);
            others_followed |= !needed.is_empty();
            self.wanting.extend(needed);
            let left_out = self.left_out(&subscriber, now);
            if let Some(member) = self.members.get_mut(&participant) {
                if member.paused.look(&left_out, now) {
                    otherwise_paused.push(participant);
                }
                member.subscriber = Some(subscriber);
            }
        }
        self.tell_slots_of(&otherwise_paused);
        if others_followed {
            self.tell_followed(sfu);
        }
    }

    /// Pictures that come and have a slot, and no room on the line.
    fn left_out(&self, subscriber: &Subscriber, now: Instant) -> Vec<SourceId> {
        let comes = |wanted: &Wanted| {
            let owner = self.members.get(&wanted.owner);
            owner.is_some_and(|owner| owner.tracks[wanted.kind as usize].rates(now).iter().any(Option::is_some))
        };
        let is_left_out = |wanted: &&Wanted| {
            subscriber.assigned.contains(&Some(wanted.source)) && subscriber.layer_of(wanted).is_none() && comes(wanted)
        };
        subscriber.order.iter().filter(is_left_out).map(|wanted| wanted.source).collect()
    }

    /// Tells the publishers' connections which layers of their pictures anybody is sent.
    pub(super) fn tell_followed(&self, sfu: &mut Sfu) {
        for member in self.members.values() {
            let Some(publisher) = member.publisher else { continue };
            for kind in [TrackKind::Camera, TrackKind::Screen] {
                let source = member.source(kind);
                let to = self.routes.get(&source).map(Vec::as_slice).unwrap_or_default();
                let followed =
                    Layer::ALL.map(|layer| sfu.is_followed(to, layer) || self.studios.follows(source, layer));
                sfu.set_followed(publisher, kind, followed);
            }
        }
    }

    /// Voices by want: who speaks loudest, the unmuted before the muted, who spoke last before who spoke long ago.
    fn wanted_voices(&self, part: u32) -> Vec<Wanted> {
        let is_heard = |member: &Member| member.part == part && member.seat.is_some();
        let loudest = self.parts.get(&part).map(|part| &part.loudest[..]).unwrap_or_default();
        let mut members: Vec<_> = self.members.iter().filter(|(_, member)| is_heard(member)).collect();
        let is_loud = |member: &Member| member.seat.is_some_and(|seat| loudest.contains(&seat));
        members.sort_by_key(|(_, member)| {
            (!is_loud(member), member.muted, std::cmp::Reverse(member.spoke), member.number)
        });
        // One's own is not sent back: everyone may get so many.
        members.truncate(self.voices + 1);
        members.into_iter().map(|(id, member)| member.wanted(*id, TrackKind::Audio, 0)).collect()
    }

    /// Pictures by want: shared screens, who speaks, who spoke last.
    fn wanted_pictures(&self, part: u32) -> Vec<Wanted> {
        let active = self.parts.get(&part).and_then(|part| part.active);
        let mut members: Vec<_> = self.members.iter().filter(|(_, member)| member.part == part).collect();
        members.sort_by_key(|(id, member)| (active != Some(**id), std::cmp::Reverse(member.spoke), member.number));
        let of = |kind: TrackKind| {
            let on = members.iter().filter(move |(_, member)| member.is_on(kind));
            on.map(move |(id, member)| member.wanted(**id, kind, HEIGHT)).collect::<Vec<_>>()
        };
        let mut wanted = of(TrackKind::Screen);
        wanted.extend(of(TrackKind::Camera));
        wanted.truncate(PICTURES);
        wanted
    }

    /// What somebody's page shows: shared screens, what he has pinned, who speaks, the larger before the smaller.
    fn shown_pictures(&self, viewer: ParticipantId, part: u32, shown: &[Shown]) -> Vec<Wanted> {
        let active = self.parts.get(&part).and_then(|part| part.active);
        let mut shown: Vec<_> = shown.iter().filter(|shown| shown.participant != viewer).collect();
        shown.sort_by_key(|shown| {
            let speaks = active == Some(shown.participant);
            (shown.kind != TrackKind::Screen, !shown.pinned, !speaks, std::cmp::Reverse(shown.area()))
        });
        let mut wanted: Vec<Wanted> = Vec::new();
        for shown in shown {
            let Some(member) = self.members.get(&shown.participant).filter(|member| member.part == part) else {
                continue;
            };
            let twice = wanted.iter().any(|known| known.source == member.source(shown.kind));
            if shown.kind != TrackKind::Audio && member.is_on(shown.kind) && !twice {
                wanted.push(member.wanted(shown.participant, shown.kind, shown.height));
            }
        }
        wanted
    }

    fn rebuild_routes(&mut self) {
        self.routes.clear();
        for subscriber in self.members.values().filter_map(|member| member.subscriber.as_ref()) {
            for (slot, source) in subscriber.assigned.iter().enumerate() {
                if let Some(source) = source {
                    self.routes.entry(*source).or_default().push((subscriber.peer, slot));
                }
            }
        }
    }

    fn tell_slots_of(&self, subscribers: &[ParticipantId]) {
        for participant in subscribers {
            if let Some(subscriber) = self.members.get(participant).and_then(|member| member.subscriber.as_ref()) {
                self.tell_slots(*participant, subscriber);
            }
        }
    }

    pub(super) fn tell_slots(&self, participant: ParticipantId, subscriber: &Subscriber) {
        let paused = self.members.get(&participant).map(|member| &member.paused);
        let told = subscriber.slots.iter().zip(&subscriber.assigned).map(|(slot, source)| {
            let found = source.and_then(|source| self.find(source));
            let empty = if slot.is_audio() { TrackKind::Audio } else { TrackKind::Camera };
            SlotAssigned {
                mid: slot.mid.clone(),
                participant: found.map(|(participant, _)| participant),
                kind: found.map_or(empty, |(_, kind)| kind),
                paused: source.zip(paused).is_some_and(|(source, paused)| paused.is(source)),
            }
        });
        self.tell(MeetingFact::Slots { participant, slots: told.collect() });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media::{Codec, MediaPacket, VideoCodec};
    use mixer::LineCare;
    use model::MeetingId;
    use sfu::{
        SfuConfig,
        load::{LoadClient, LoadIdentity},
    };
    use tokio::sync::mpsc;

    use super::*;
    use crate::{room::MAIN, worker::PeerRole};

    const fn who(number: u128) -> ParticipantId {
        ParticipantId::from_u128(number)
    }

    /// Seven who speak and show themselves.
    fn room() -> Room {
        room_of(crate::LOUDEST)
    }

    /// The same where so many voices are forwarded.
    fn room_of(voices: usize) -> Room {
        room_that_tells(voices).0
    }

    /// The same, and what it tells of its meeting.
    fn room_that_tells(voices: usize) -> (Room, mpsc::Receiver<MeetingFact>) {
        let (facts, told) = mpsc::channel(100);
        let mut room = Room::new(MeetingId::from_u128(1), facts, LineCare::default(), voices);
        for number in 1..=7 {
            room.hear(who(number)).unwrap();
            show(&mut room, number, TrackKind::Camera);
        }
        (room, told)
    }

    fn show(room: &mut Room, number: u128, kind: TrackKind) {
        let packet = MediaPacket {
            codec: Codec::Video(VideoCodec::Vp8),
            seq: 1,
            timestamp: 0,
            marker: true,
            level: None,
            payload: vec![0; 100].into(),
        };
        room.member(who(number)).tracks[kind as usize].hear(Layer::default(), &packet, Instant::now());
    }

    /// The loudest first.
    fn speak(room: &mut Room, numbers: &[u128]) {
        let seats: Vec<_> = numbers.iter().filter_map(|number| room.member(who(*number)).seat).collect();
        let part = room.parts.get_mut(&MAIN).unwrap();
        part.loudest = seats;
        part.active = numbers.first().map(|number| who(*number));
    }

    fn order(wanted: &[Wanted]) -> Vec<(u128, TrackKind)> {
        wanted.iter().map(|wanted| (wanted.owner.uuid().as_u128(), wanted.kind)).collect()
    }

    fn owners(wanted: &[Wanted]) -> Vec<u128> {
        wanted.iter().map(|wanted| wanted.owner.uuid().as_u128()).collect()
    }

    /// Shows the others' cameras at this size.
    fn tile(number: u128, side: u32) -> Shown {
        Shown { participant: who(number), kind: TrackKind::Camera, width: side, height: side, pinned: false }
    }

    #[test]
    fn voices_go_by_who_is_loud_then_by_who_may_speak_and_spoke_last() {
        let mut room = room();
        speak(&mut room, &[6, 7, 3]);
        room.set_muted(who(1), true);
        let now = Instant::now();
        room.member(who(5)).spoke = Some(now);
        room.member(who(4)).spoke = Some(now + Duration::from_secs(1));
        // One more than anybody gets, since his own goes to nobody.
        assert_eq!(owners(&room.wanted_voices(MAIN)), [3, 6, 7, 4, 5, 2]);
        // A muted one is heard the moment he is loud, and is the last of all else.
        speak(&mut room, &[1]);
        assert_eq!(owners(&room.wanted_voices(MAIN)), [1, 4, 5, 2, 3, 6]);
        // Who is in another room is heard there.
        room.set_part(who(4), 2).unwrap();
        assert_eq!(owners(&room.wanted_voices(MAIN)), [1, 5, 2, 3, 6, 7]);
        assert_eq!(owners(&room.wanted_voices(2)), [4]);
    }

    #[test]
    fn pictures_without_a_word_go_by_screens_then_by_who_speaks_and_spoke_last() {
        let mut room = room();
        speak(&mut room, &[6]);
        room.member(who(4)).spoke = Some(Instant::now());
        show(&mut room, 7, TrackKind::Screen);
        let camera = |number| (number, TrackKind::Camera);
        let wanted = room.wanted_pictures(MAIN);
        let others = [6, 4, 1, 2, 3, 5, 7].map(camera);
        assert_eq!(order(&wanted), [&[(7, TrackKind::Screen)][..], &others].concat());
    }

    #[test]
    fn a_page_gets_screens_then_what_is_pinned_then_who_speaks_then_the_largest() {
        let mut room = room();
        speak(&mut room, &[5]);
        show(&mut room, 2, TrackKind::Screen);
        let mut shown = vec![tile(1, 500), tile(3, 100), tile(4, 300), tile(5, 50), tile(6, 200), tile(7, 999)];
        shown[4].pinned = true;
        shown.push(Shown { kind: TrackKind::Screen, ..tile(2, 10) });
        // His own, one that is shown twice, and one that nobody sends.
        shown.extend([tile(1, 400), Shown { kind: TrackKind::Screen, ..tile(3, 700) }]);
        let wanted = room.shown_pictures(who(7), MAIN, &shown);
        let camera = |number| (number, TrackKind::Camera);
        let expected = [&[(2, TrackKind::Screen)][..], &[6, 5, 1, 4, 3].map(camera)].concat();
        assert_eq!(order(&wanted), expected);
        assert_eq!(wanted.iter().map(|wanted| wanted.height).collect::<Vec<_>>(), [10, 200, 50, 500, 300, 100]);
        assert!(room.shown_pictures(who(7), 2, &shown).is_empty(), "they are in another room");
        assert!(room.shown_pictures(who(7), MAIN, &[]).is_empty(), "a page that shows nothing gets nothing");
    }

    #[test]
    fn of_seven_voices_everybody_gets_the_loudest_as_many_as_are_forwarded_and_never_his_own() {
        check_voices(1, &[7], &[1]);
        check_voices(3, &[5, 6, 7], &[1, 5, 6]);
        // The first of the others in his own place.
        check_voices(5, &[2, 3, 5, 6, 7], &[1, 2, 3, 5, 6]);
    }

    #[test]
    fn a_picture_without_room_on_the_line_is_told_of_and_counted_until_there_is() {
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![([10, 0, 0, 1], 1).into()] }).unwrap();
        let ((mut room, mut told), now) = (room_that_tells(crate::LOUDEST), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        let (_, offer) =
            LoadClient::subscriber(&LoadIdentity::generate().unwrap(), ([10, 0, 0, 2], 2).into(), 8, 3, now).unwrap();
        let (peer, _, slots) = sfu.subscribe(&offer, now).unwrap();
        room.set_subscriber(who(1), peer, slots);
        room.connected(who(1), PeerRole::Subscriber);
        room.set_shown(who(1), vec![tile(4, 10), tile(2, 30)]);
        room.assign_slots(&mut sfu);
        let carries = |room: &mut Room, sfu: &mut Sfu, bitrate, ms| {
            room.set_estimate(who(1), Some(bitrate), at(ms));
            room.allocate(sfu, at(ms));
            let pauses =
                room.quality(at(ms + 500)).into_iter().find(|quality| quality.participant == who(1)).unwrap().pauses;
            (pauses.count, pauses.ms)
        };
        // Whose pictures stand still, as was told last; none where nothing was.
        let mut still = || {
            let latest = std::iter::from_fn(|| told.try_recv().ok()).last()?;
            let MeetingFact::Slots { slots, .. } = latest else { return None };
            let paused = slots.into_iter().filter(|slot| slot.paused);
            Some(paused.filter_map(|slot| slot.participant).map(|id| id.uuid().as_u128()).collect::<Vec<_>>())
        };
        assert_eq!(still(), Some(vec![]));
        assert_eq!(carries(&mut room, &mut sfu, 10_000_000, 0), (0, 0));
        assert_eq!(still(), None);
        assert_eq!(carries(&mut room, &mut sfu, 10_000, 500), (2, 1_000));
        assert_eq!(still(), Some(vec![2, 4]));
        assert_eq!(carries(&mut room, &mut sfu, 10_000, 1_000), (2, 2_000));
        assert_eq!(still(), None, "it has been told");
        assert_eq!(carries(&mut room, &mut sfu, 10_000_000, 4_000), (2, 7_000), "it has become wide");
        assert_eq!(still(), Some(vec![]));
        assert_eq!(carries(&mut room, &mut sfu, 10_000, 8_000), (4, 8_000));
        room.set_shown(who(1), vec![tile(4, 10)]);
        room.assign_slots(&mut sfu);
        assert_eq!(carries(&mut room, &mut sfu, 10_000, 8_500), (4, 8_500), "the other is not wanted any more");
        room.set_shown(who(1), vec![]);
        room.assign_slots(&mut sfu);
        assert_eq!(carries(&mut room, &mut sfu, 10_000, 9_000).0, 4);
        assert_eq!(carries(&mut room, &mut sfu, 10_000, 20_000).1, 8_500, "who looks at nothing misses nothing");
    }

    /// Whom one hears who is silent, and whom who is the loudest.
    fn check_voices(forwarded: usize, silent: &[u128], loudest: &[u128]) {
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![([10, 0, 0, 1], 1).into()] }).unwrap();
        let identity = LoadIdentity::generate().unwrap();
        let (mut room, now) = (room_of(forwarded), Instant::now());
        for number in [1, 7] {
            let (_, offer) = LoadClient::subscriber(&identity, ([10, 0, 0, 2], 2).into(), 8, 3, now).unwrap();
            let (peer, _, slots) = sfu.subscribe(&offer, now).unwrap();
            room.set_subscriber(who(number), peer, slots);
            room.connected(who(number), PeerRole::Subscriber);
        }
        room.set_shown(who(1), vec![tile(4, 10), tile(2, 30)]);
        speak(&mut room, &[7, 6, 5, 3, 2][..forwarded]);
        room.assign_slots(&mut sfu);
        let slots = |room: &mut Room, number, kind: TrackKind| -> Vec<u128> {
            let sources: Vec<(SourceId, u128)> =
                (1..=7).map(|other| (room.member(who(other)).source(kind), other)).collect();
            let subscriber = room.member(who(number)).subscriber.as_ref().unwrap();
            let of = |source: SourceId| sources.iter().find(|(known, _)| *known == source).map(|(_, other)| *other);
            let mut owners: Vec<_> = subscriber.assigned.iter().flatten().filter_map(|source| of(*source)).collect();
            owners.sort_unstable();
            owners
        };
        assert_eq!(slots(&mut room, 1, TrackKind::Audio), silent);
        assert_eq!(slots(&mut room, 7, TrackKind::Audio), loudest);
        assert_eq!(slots(&mut room, 1, TrackKind::Camera), [2, 4], "what his page shows");
        assert_eq!(slots(&mut room, 7, TrackKind::Camera), [1, 2, 3], "as many as he has slots");
    }
}
