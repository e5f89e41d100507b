//! A meeting's way to its media.

use std::sync::Arc;

use leg::LegStats;
use media::{MediaPacket, TrackKind};
use model::{MeetingId, ParticipantId};
use streaming::{Feed, RoomPicture};
use tokio::sync::{Notify, oneshot};

use crate::{
    Audience, Freezes, LegId, Plane, PlaneError, Quality, Shown,
    command::{Command, LegCommand, MeetingCommand, Reply, SeatLeg},
    worker::PeerRole,
};

/// One meeting's media. Clones are handles to the same; [`MeetingMedia::close`] ends it for all.
#[derive(Clone)]
pub struct MeetingMedia {
    plane: Plane,
    id: MeetingId,
    worker: usize,
}

impl MeetingMedia {
    pub(crate) fn new(plane: Plane, id: MeetingId, worker: usize) -> Self {
        Self { plane, id, worker }
    }

    /// Answers the offer of a browser's sending connection; an earlier one of his ends.
    pub async fn publish(&self, participant: ParticipantId, offer: String) -> Result<String, PlaneError> {
        self.ask(|reply| MeetingCommand::Publish { participant, offer, reply }).await
    }

    /// Answers the offer of a browser's receiving connection; an earlier one of his ends.
    pub async fn subscribe(&self, participant: ParticipantId, offer: String) -> Result<String, PlaneError> {
        self.ask(|reply| MeetingCommand::Subscribe { participant, offer, reply }).await
    }

    /// Answers the offer of an encoder: one sound and one picture. An earlier connection of his ends.
    pub async fn ingest(&self, participant: ParticipantId, offer: String) -> Result<String, PlaneError> {
        self.ask(|reply| MeetingCommand::Ingest { participant, offer, reply }).await
    }

    /// From now on his sound (Opus) and his camera come by [`Self::bring`]; `keyframe_wanted` is notified when a picture is to need no other.
    pub async fn begin_bringing(
        &self,
        participant: ParticipantId,
        keyframe_wanted: Arc<Notify>,
    ) -> Result<(), PlaneError> {
        self.ask(|reply| MeetingCommand::BeginBringing { participant, keyframe_wanted, reply }).await
    }

    /// Waits for room.
    pub async fn bring(
        &self,
        participant: ParticipantId,
        packets: Vec<(TrackKind, MediaPacket)>,
    ) -> Result<(), PlaneError> {
        let command = MeetingCommand::Bring { participant, packets };
        self.plane.worker(self.worker).send(Command::Meeting { id: self.id, command }).await
    }

    /// Answers the offer of somebody who only watches and is no participant: the mix of all voices, and what is shown large.
    pub async fn watch(&self, viewer: ParticipantId, offer: String) -> Result<String, PlaneError> {
        self.ask(|reply| MeetingCommand::Watch { viewer, offer, reply }).await
    }

    /// Answers the offer of somebody, an encoder or a viewer, who goes on by another way (ICE restart).
    pub async fn restart(
        &self,
        participant: ParticipantId,
        role: PeerRole,
        offer: String,
    ) -> Result<String, PlaneError> {
        self.ask(|reply| MeetingCommand::Restart { participant, role, offer, reply }).await
    }

    /// Brings a started leg into the meeting: from now on it hears and is heard.
    pub async fn seat_leg(&self, participant: ParticipantId, leg: LegId) -> Result<(), PlaneError> {
        let address = self.plane.legs().get(&leg).map(Arc::clone).ok_or(PlaneError::NoLeg(leg))?;
        let (reply, answer) = oneshot::channel();
        let seat = SeatLeg { worker: self.worker, meeting: self.id, participant, reply };
        let worker = address.worker();
        self.plane.worker(worker).send(Command::Leg { address, command: LegCommand::Seat(seat) }).await?;
        answer.await.map_err(|_| PlaneError::NoLeg(leg))?
    }

    /// A muted participant is neither mixed nor forwarded, whatever he sends.
    pub fn set_muted(&self, participant: ParticipantId, muted: bool) {
        self.tell(MeetingCommand::SetMuted { participant, muted });
    }

    /// A camera or a screen that is not shown goes to nobody and into no livestream, whatever he sends. Until it is said, both are.
    pub fn set_pictures(&self, participant: ParticipantId, camera: bool, screen: bool) {
        self.tell(MeetingCommand::SetPictures { participant, camera, screen });
    }

    /// Music from his telephone is mixed like speech from now on.
    pub fn let_music(&self, participant: ParticipantId) {
        self.tell(MeetingCommand::LetMusic { participant });
    }

    /// His telephone is mixed again until it has played music for as long as at first.
    pub fn listen_anew(&self, participant: ParticipantId) {
        self.tell(MeetingCommand::ListenAnew { participant });
    }

    /// From now on he hears and sees this part of the meeting alone: a breakout room, or the main room (0), which is what
    /// livestreams and recordings show.
    pub fn set_part(&self, participant: ParticipantId, part: u32) {
        self.tell(MeetingCommand::SetPart { participant, part });
    }

    /// From now on he receives these pictures and no others, as far as his slots and his line carry them.
    pub fn show(&self, participant: ParticipantId, shown: Vec<Shown>) {
        self.tell(MeetingCommand::Show { participant, shown });
    }

    /// Takes what a participant's browser has seen of pictures that stood still.
    pub fn set_freezes(&self, participant: ParticipantId, freezes: Freezes) {
        self.tell(MeetingCommand::Freezes { participant, freezes });
    }

    /// How everybody's network does.
    pub async fn quality(&self) -> Result<Vec<Quality>, PlaneError> {
        self.ask(|reply| MeetingCommand::Quality { reply }).await
    }

    /// Ends his connections. A phone leg stays open, alone with what is played to it, until its call ends. How a browser's sound
    /// came and went comes back, where he was there.
    pub fn remove(&self, participant: ParticipantId) -> oneshot::Receiver<LegStats> {
        let (reply, stats) = oneshot::channel();
        self.tell(MeetingCommand::Remove { participant, reply });
        stats
    }

    /// Hands all pictures to a studio, and to that of viewers the program sound.
    pub fn start_feed(&self, audience: Audience, feed: Feed) {
        self.tell(MeetingCommand::StartFeed { audience, feed });
    }

    /// Ends what [`Self::start_feed`] began.
    pub fn stop_feed(&self, audience: Audience) {
        self.tell(MeetingCommand::StopFeed { audience });
    }

    /// Sends a picture that was made for room systems to those that see the meeting. Waits for room.
    pub async fn send_composed(&self, picture: RoomPicture) -> Result<(), PlaneError> {
        let command = MeetingCommand::Composed { picture };
        self.plane.worker(self.worker).send_unhurried(Command::Meeting { id: self.id, command }).await
    }

    /// Asks the sender of a picture for a key frame; more than two a second are one.
    pub fn request_keyframe(&self, participant: ParticipantId, kind: TrackKind) {
        self.tell(MeetingCommand::RequestKeyframe { participant, kind });
    }

    /// Ends the meeting's media; legs go back to being alone.
    pub fn close(&self) {
        self.tell(MeetingCommand::Close);
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> MeetingCommand) -> Result<T, PlaneError> {
        let (reply, answer) = oneshot::channel();
        self.plane.worker(self.worker).send(Command::Meeting { id: self.id, command: command(reply) }).await?;
        answer.await.map_err(|_| PlaneError::NoMeeting(self.id))?
    }

    fn tell(&self, command: MeetingCommand) {
        self.plane.worker(self.worker).tell(Command::Meeting { id: self.id, command });
    }
}
