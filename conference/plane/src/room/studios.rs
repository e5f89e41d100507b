//! The studios that put a meeting's pictures together, for viewers and for room systems: each is given what it shows.

use std::{collections::HashMap, sync::Arc, time::Instant};

use media::{MediaPacket, TrackKind};
use model::ParticipantId;
use sfu::{Layer, SourceId, forward};
use streaming::Feed;

use super::{MAIN, Room};
use crate::{command::Audience, track::Track};

/// Of one meeting.
#[derive(Default)]
pub(super) struct Studios([Option<Studio>; 2]);

struct Studio {
    feed: Feed,
    /// Of each camera the layer that fits its tile, as one stream.
    tracks: HashMap<SourceId, forward::Rewriter>,
}

impl Studios {
    /// Where the sound of all goes, too.
    pub(super) fn of_viewers(&self) -> Option<&Feed> {
        self.feed_of(Audience::Viewers)
    }

    pub(super) fn feed_of(&self, audience: Audience) -> Option<&Feed> {
        self.0[audience as usize].as_ref().map(|studio| &studio.feed)
    }

    /// A track is no more.
    pub(super) fn forget(&mut self, source: SourceId) {
        for studio in self.0.iter_mut().flatten() {
            studio.tracks.remove(&source);
        }
    }

    /// What comes of it from now on is another stream.
    pub(super) fn renew(&mut self, source: SourceId) {
        for studio in self.0.iter_mut().flatten() {
            studio.tracks.get_mut(&source).into_iter().for_each(forward::Rewriter::renew);
        }
    }

    pub(super) fn follows(&self, source: SourceId, layer: Layer) -> bool {
        let tracks = self.0.iter().flatten().filter_map(|studio| studio.tracks.get(&source));
        tracks.into_iter().any(|track| track.follows(layer))
    }

    /// What they miss the key frame of.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (SourceId, Layer)> {
        let tracks = self.0.iter().flatten().flat_map(|studio| &studio.tracks);
        tracks.filter_map(|(source, track)| Some((*source, track.waits_for_keyframe()?)))
    }

    /// Hands them a packet where it is of the layer that fits its tile; `need` is told whose key frame is missing for it.
    pub(super) fn feed(
        &mut self,
        (participant, kind, source): (ParticipantId, TrackKind, SourceId),
        layer: Layer,
        track: &Track,
        lead: Option<i16>,
        packet: &Arc<MediaPacket>,
        now: Instant,
        mut need: impl FnMut(Layer),
    ) {
        for Studio { feed, tracks } in self.0.iter_mut().flatten() {
            let Some(height) = feed.height(participant, kind) else { continue };
            let studio = tracks.entry(source).or_default();
            studio.assign(Some(source));
            let waited = studio.waits_for_keyframe();
            // Nothing is known of its size at the moment the scene changes.
            if height > 0 {
                studio.select(track.best(track.enough(height), now));
            }
            studio.take(layer, packet, now, |packet, forwarded| {
                let payload = match forwarded.ids {
                    Some(ids) => forward::with_ids(packet.codec, &packet.payload, ids),
                    None => packet.payload.clone(),
                };
                let (seq, timestamp) = (forwarded.seq, forwarded.timestamp);
                feed.video(participant, kind, lead, &MediaPacket { seq, timestamp, payload, ..**packet });
            });
            studio.waits_for_keyframe().filter(|waits| waited != Some(*waits)).into_iter().for_each(&mut need);
        }
    }
}

impl Room {
    pub(crate) fn start_feed(&mut self, audience: Audience, feed: Feed) {
        if audience == Audience::Viewers {
            self.set_program(true, feed.wants_tracks());
        }
        self.studios.0[audience as usize] = Some(Studio { feed, tracks: HashMap::new() });
    }

    pub(crate) fn stop_feed(&mut self, audience: Audience) {
        if audience == Audience::Viewers {
            self.set_program(false, false);
        }
        self.studios.0[audience as usize] = None;
    }

    fn set_program(&mut self, wanted: bool, tracks: bool) {
        if let Some(main) = self.parts.get_mut(&MAIN) {
            main.mixer.set_program(wanted);
            main.mixer.set_tracks(tracks);
        }
    }

    /// A studio needs one.
    pub(crate) fn want_keyframe(&mut self, participant: ParticipantId, kind: TrackKind, now: Instant) {
        let Some(member) = self.members.get(&participant) else { return };
        let track = &member.tracks[kind as usize];
        for studio in self.studios.0.iter().flatten() {
            let enough = track.enough(studio.feed.height(participant, kind).unwrap_or_default());
            self.wanting.insert((member.source(kind), track.best(enough, now).unwrap_or_default()));
        }
    }
}
