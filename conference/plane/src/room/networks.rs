//! How each participant's network does, from what his tracks, his line and his telephone have counted.

use super::*;

impl Room {
    /// Judges every network, and tells whose has become poor, or good again.
    pub(super) fn judge_networks(&mut self, legs: &Legs, sfu: &Sfu, now: Instant) {
        let mut changed = Vec::new();
        for (participant, member) in &mut self.members {
            let look = member.look(legs, sfu, now);
            let before = member.network.latest();
            let withheld = look.withheld.saturating_sub(before.withheld);
            metrics::counter!("plane_browser_dropped", "why" => "silent").increment(withheld);
            metrics::counter!("plane_resends_refused").increment(look.refused.saturating_sub(before.refused));
            if let Some(poor) = member.network.look(look) {
                changed.push(MeetingFact::Network { participant: *participant, poor });
            }
            if let Some(subscriber) = member.subscriber.as_ref().filter(|subscriber| subscriber.connected) {
                subscriber.order.iter().for_each(|wanted| quality::measure_picture(subscriber.layer_of(wanted)));
            }
            if !look.wants_more {
                member.paused.look(&[], now);
            }
        }
        changed.into_iter().for_each(|change| self.tell(change));
    }

    /// All that is known of everybody's.
    pub(crate) fn quality(&self, now: Instant) -> Vec<Quality> {
        let of = |participant: &ParticipantId, member: &Member| {
            let (look, [up, down]) = (member.network.latest(), member.network.ways());
            let subscriber = member.subscriber.as_ref().filter(|subscriber| subscriber.connected);
            let picture = |wanted: &Wanted| PictureQuality {
                participant: wanted.owner,
                kind: wanted.kind,
                layer: subscriber.and_then(|subscriber| subscriber.layer_of(wanted)).map(Layer::index),
            };
            Quality {
                participant: *participant,
                is_poor: member.network.is_poor(),
                round_trip_ms: look.round_trip_ms,
                up,
                down,
                estimate: subscriber.and_then(Subscriber::estimate),
                tracks: TrackKind::ALL
                    .into_iter()
                    .flat_map(|kind| member.tracks[kind as usize].quality(kind, now))
                    .collect(),
                pictures: subscriber.map(|s| s.order.iter().map(picture).collect()).unwrap_or_default(),
                freezes: member.frozen.counted(),
                pauses: member.paused.pauses(now),
            }
        };
        self.members.iter().map(|(participant, member)| of(participant, member)).collect()
    }

    /// His browser says how often pictures stood still.
    pub(crate) fn set_freezes(&mut self, participant: ParticipantId, freezes: Freezes, now: Instant) {
        let Some(member) = self.members.get_mut(&participant) else { return };
        let slots = member.subscriber.iter().flat_map(|subscriber| &subscriber.slots);
        let pictures = slots.filter(|slot| !slot.is_audio()).count().max(1) as u32;
        let more = member.frozen.hear(freezes, pictures, now);
        metrics::counter!("plane_freezes").increment(more.into());
    }
}

impl Member {
    fn look(&self, legs: &Legs, sfu: &Sfu, now: Instant) -> Look {
        if let Some(leg) = self.leg {
            let stats = legs.get(leg).and_then(|slot| slot.leg.as_ref()).map(leg::Leg::stats).unwrap_or_default();
            return Look {
                up: Passed { came: stats.received, missed: stats.lost, bytes: None },
                up_jitter_ms: stats.jitter_ms,
                round_trip_ms: stats.round_trip_ms,
                ..Look::default()
            };
        }
        let up = self.tracks.iter().map(Track::passed).fold(Passed::default(), Passed::plus);
        let subscriber = self.subscriber.as_ref().filter(|subscriber| subscriber.connected);
        let line = subscriber.and_then(|subscriber| sfu.passed(subscriber.peer, now)).unwrap_or_default();
        Look {
            up,
            up_jitter_ms: self.reception.stats().jitter_ms,
            down: Passed { came: line.arrived, missed: line.missed, bytes: Some(line.bytes) },
            down_jitter_ms: line.jitter.as_secs_f64() * 1e3,
            round_trip_ms: line.round_trip.map(|time| time.as_secs_f64() * 1e3),
            estimate: subscriber.and_then(Subscriber::estimate),
            withheld: line.withheld,
            refused: line.refused,
            wants_more: subscriber.is_some_and(Subscriber::wants_more),
        }
    }
}
