//! Who receives what: whose voice and whose picture go into whose slots, and of which size.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use media::TrackKind;
use model::ParticipantId;
use sfu::{Sfu, allocate::Want};

use super::{Member, Room, VOICES};
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
                    voices.iter().filter(own).take(VOICES).map(|voice| voice.source).collect()
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
        for member in self.members.values() {
            let (Some(seat), Some(part)) = (member.seat, self.parts.get_mut(&member.part)) else { continue };
            part.mixer.set_voice_wanted(seat, self.routes.contains_key(&member.source(TrackKind::Audio)));
        }
        for participant in changed_subscribers {
            if let Some(subscriber) = self.members.get(&participant).and_then(|member| member.subscriber.as_ref()) {
                self.tell_slots(participant, subscriber);
            }
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
        for participant in due {
            let Some(member) = self.members.get_mut(&participant) else { continue };
            let Some(mut subscriber) = member.subscriber.take() else { continue };
            let want = |wanted: &Wanted| {
                let Some(owner) = self.members.get(&wanted.owner) else { return Want::default() };
                let track = &owner.tracks[wanted.kind as usize];
                Want { rates: track.rates(now), enough: track.enough(wanted.height), now: None }
            };
            let needed = subscriber.allocate(want, sfu, now);
            self.wanting.extend(needed);
            if let Some(member) = self.members.get_mut(&participant) {
                member.subscriber = Some(subscriber);
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
        members.truncate(VOICES + 1);
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

    pub(super) fn tell_slots(&self, participant: ParticipantId, subscriber: &Subscriber) {
        let told = subscriber.slots.iter().zip(&subscriber.assigned).map(|(slot, source)| {
            let found = source.and_then(|source| self.find(source));
            let empty = if slot.is_audio() { TrackKind::Audio } else { TrackKind::Camera };
            SlotAssigned {
                mid: slot.mid.clone(),
                participant: found.map(|(participant, _)| participant),
                kind: found.map_or(empty, |(_, kind)| kind),
            }
        });
        self.tell(MeetingFact::Slots { participant, slots: told.collect() });
    }
}
