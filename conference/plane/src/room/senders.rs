//! What participants send of themselves: by which connection, and which of their pictures go to others.

use leg::JitterBuffer;
use media::{AudioCodec, TrackKind};
use model::ParticipantId;
use sfu::{PeerKey, Sfu};

use super::Room;
use crate::{MeetingFact, PlaneError, worker::PeerRole};

impl Room {
    /// Returns his earlier connection.
    pub(crate) fn set_publisher(
        &mut self,
        participant: ParticipantId,
        peer: PeerKey,
    ) -> Result<Option<PeerKey>, PlaneError> {
        let member = self.member(participant);
        let earlier = member.publisher.replace(peer);
        self.hear(participant)?;
        Ok(earlier)
    }

    /// One of his connections, while it is there.
    pub(crate) fn peer_of(&self, participant: ParticipantId, role: PeerRole) -> Option<PeerKey> {
        let member = self.members.get(&participant)?;
        match role {
            PeerRole::Publisher => member.publisher,
            PeerRole::Subscriber => Some(member.subscriber.as_ref()?.peer),
        }
    }

    /// His sound comes by a connection that numbers its packets anew.
    pub(crate) fn hear(&mut self, participant: ParticipantId) -> Result<(), PlaneError> {
        let member = self.member(participant);
        member.reception.new_stream();
        member.tap = Some(JitterBuffer::new(AudioCodec::Opus));
        if member.seat.is_none() {
            self.add_input(participant, AudioCodec::Opus, None)?;
        }
        self.stale = true;
        Ok(())
    }

    /// All he sends comes by a connection that numbers its packets anew, and maybe just below those of the one before, where they would be
    /// taken for late ones.
    pub(crate) fn begin_anew(&mut self, participant: ParticipantId, sfu: &mut Sfu) {
        for kind in TrackKind::ALL {
            self.renew_track(participant, kind, sfu);
        }
    }

    /// The layers of his camera are others than they were taken for.
    pub(crate) fn renew_camera(&mut self, participant: ParticipantId, sfu: &mut Sfu) {
        self.renew_track(participant, TrackKind::Camera, sfu);
    }

    fn renew_track(&mut self, participant: ParticipantId, kind: TrackKind, sfu: &mut Sfu) {
        let member = self.member(participant);
        member.tracks[kind as usize].renew();
        let source = member.source(kind);
        self.pending.remove(&source);
        self.studios.renew(source);
        if let Some(to) = self.routes.get(&source) {
            sfu.renew(to);
        }
    }

    /// Of his camera and his screen, what is not shown goes to nobody.
    pub(crate) fn set_pictures(&mut self, participant: ParticipantId, camera: bool, screen: bool) {
        for (kind, is_shown) in [(TrackKind::Camera, camera), (TrackKind::Screen, screen)] {
            let member = self.member(participant);
            member.hidden[kind as usize] = !is_shown;
            let source = member.source(kind);
            if is_shown || !member.tracks[kind as usize].end() {
                continue;
            }
            self.pending.remove(&source);
            // What is missed until it is shown again can't be referred to.
            self.studios.renew(source);
            self.stale = true;
            self.tell(MeetingFact::Published { participant, kind, active: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use media::{Codec, MediaPacket, VideoCodec};
    use mixer::LineCare;
    use model::MeetingId;
    use sfu::{Layer, SfuConfig};
    use tokio::sync::mpsc;

    use super::*;

    const WHO: ParticipantId = ParticipantId::from_u128(1);

    /// His camera and his screen come, and somebody is sent both.
    fn room() -> (Room, mpsc::Receiver<MeetingFact>) {
        let (facts, told) = mpsc::channel(100);
        let mut room = Room::new(MeetingId::from_u128(1), facts, LineCare::default(), crate::LOUDEST);
        for kind in [TrackKind::Camera, TrackKind::Screen] {
            let source = room.member(WHO).source(kind);
            room.routes.insert(source, Vec::new());
            send(&mut room, kind, 1);
            assert_eq!(waiting(&mut room, kind), 1);
        }
        (room, told)
    }

    fn send(room: &mut Room, kind: TrackKind, seq: u64) {
        let codec = Codec::Video(VideoCodec::Vp8);
        let payload = [0x10, 0, 0].into();
        let packet = MediaPacket { codec, seq, timestamp: 0, marker: true, level: None, payload };
        room.media(WHO, (kind, Layer::default()), packet.into(), Instant::now());
    }

    /// Packets that are about to be sent on.
    fn waiting(room: &mut Room, kind: TrackKind) -> usize {
        let source = room.member(WHO).source(kind);
        room.pending.get(&source).map_or(0, Vec::len)
    }

    // product: C2, C13
    #[test]
    fn what_is_not_shown_goes_to_nobody_whatever_he_sends() {
        let (mut room, mut told) = room();
        room.set_pictures(WHO, false, true);
        send(&mut room, TrackKind::Camera, 2);
        send(&mut room, TrackKind::Screen, 2);
        assert_eq!([TrackKind::Camera, TrackKind::Screen].map(|kind| waiting(&mut room, kind)), [0, 2]);
        let member = room.member(WHO);
        assert!(!member.is_on(TrackKind::Camera) && member.is_on(TrackKind::Screen), "it gives its slots up");
        room.set_pictures(WHO, true, false);
        send(&mut room, TrackKind::Camera, 3);
        send(&mut room, TrackKind::Screen, 3);
        assert_eq!([TrackKind::Camera, TrackKind::Screen].map(|kind| waiting(&mut room, kind)), [1, 0]);
        let told: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
        let is = |kind, active| MeetingFact::Published { participant: WHO, kind, active };
        let (camera, screen) = (TrackKind::Camera, TrackKind::Screen);
        assert_eq!(told, [is(camera, true), is(screen, true), is(camera, false), is(screen, false), is(camera, true)]);
    }

    #[test]
    fn of_the_connection_before_nothing_is_sent_on() {
        let (mut room, _told) = room();
        let mut sfu = Sfu::new(SfuConfig { candidates: vec![([10, 0, 0, 1], 1).into()] }).unwrap();
        room.begin_anew(WHO, &mut sfu);
        assert_eq!(waiting(&mut room, TrackKind::Camera), 0);
        assert!(room.member(WHO).is_on(TrackKind::Camera), "it keeps its slots for a moment");
    }

    #[test]
    fn a_key_frame_that_has_come_is_not_asked_for_any_more() {
        let (mut room, _told) = room();
        let source = room.member(WHO).source(TrackKind::Camera);
        room.wanting = [0, 1].map(|layer| (source, Layer::new(layer))).into();
        send(&mut room, TrackKind::Camera, 2);
        assert_eq!(room.wanting, [(source, Layer::new(1))].into(), "of the other layer none has");
    }
}
