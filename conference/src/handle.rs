//! A participant's seat and the way to his meeting, as the edges hold them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use media::{MediaPacket, TrackKind};
use model::{
    AccountId, Action, BroadcastId, Command, EndReason, Event, Join, MeetingId, Notice, Participant, ParticipantId,
    PhoneNumber, Refusal, Snapshot, ViewerAction, WaitReason, Whisper,
};
use plane::{Freezes, LegId, MeetingMedia, PeerRole, PlaneError, Shown, SlotAssigned};
use streaming::StreamingError;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{accounts::Account, broadcast::Livestream, calling::Admission, stage::StageSeat, whiteboard::Drawings};

/// What a participant's edge is told.
#[derive(Debug, Clone)]
pub enum SeatEvent {
    /// Something changed for all.
    Event {
        /// Grows by one.
        seq: u64,
        /// What.
        event: Arc<Event>,
    },
    /// Who speaks.
    Speaking {
        /// All who speak now.
        participants: Vec<ParticipantId>,
        /// The one to show large.
        active: Option<ParticipantId>,
    },
    /// What the receiving m-lines carry.
    Slots(Vec<SlotAssigned>),
    /// For him alone.
    Notice(Notice),
    /// What the others are not told. Rare and large: each seat has room for many events.
    Whisper(Box<Whisper>),
    /// The connection of an encoder, which has no other, is over.
    MediaLost,
    /// The last one. Events that end without it: the meeting broke.
    Ended(EndReason),
}

/// What who waits at the door is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtDoor {
    /// What he waits for.
    Waits(WaitReason),
    /// What a host has to say.
    Told(String),
}

/// Somebody is in.
pub struct Seat {
    /// Who he is there.
    pub participant: ParticipantId,
    /// The secret that gives the seat again.
    pub resume: String,
    /// The way to the meeting.
    pub handle: MeetingHandle,
    /// The state events follow on.
    pub snapshot: Snapshot,
    /// The events between the newest he knew and the snapshot; none where he knew none, or missed more than is kept.
    pub missed: Option<Vec<(u64, Arc<Event>)>>,
    /// Dropped without [`Action::Leave`], the seat is kept for a minute.
    pub events: mpsc::Receiver<SeatEvent>,
}

/// Why media could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum MediaRefused {
    /// The offer is bad, or there is no room for it.
    #[error(transparent)]
    Plane(#[from] PlaneError),
    /// The meeting has ended.
    #[error("the meeting has ended")]
    Ended,
}

impl MediaRefused {
    /// The offer has no codec that is taken here.
    #[must_use]
    pub fn is_of_codecs(&self) -> bool {
        matches!(self, Self::Plane(error) if error.is_of_codecs())
    }
}

/// The way to a live meeting.
#[derive(Clone)]
pub struct MeetingHandle {
    pub(crate) id: MeetingId,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) media: MeetingMedia,
    /// Seats taken.
    pub(crate) seats: Arc<AtomicUsize>,
    /// Whose seat it was got with, and which of the listeners there he was.
    pub(crate) sitting: Option<(ParticipantId, u64)>,
}

impl MeetingHandle {
    /// How many are there, as far as it is known at this moment.
    #[must_use]
    pub fn people(&self) -> usize {
        self.seats.load(Ordering::Acquire)
    }

    /// Which meeting.
    #[must_use]
    pub fn id(&self) -> MeetingId {
        self.id
    }

    /// Does what a participant wants, where he may. Who wants more than he could mean is answered late: an edge that
    /// waits for answers, as it should, is slowed down by that, and the others' queues are spared. Who came with this seat and whose place
    /// another call or page of his has taken since does nothing any more: its end must not be the other's.
    pub async fn command(&self, by: ParticipantId, action: Action) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let sitting = self.sitting.filter(|(who, _)| *who == by).map(|(_, number)| number);
        let sent = self.requests.send(Request::Act { by, sitting, action, answer }).await;
        sent.map_err(|_| Refusal::NoSuchMeeting)?;
        answered.await.map_err(|_| Refusal::NoSuchMeeting)?
    }

    pub(crate) async fn known(&self, by: ParticipantId, account: &Account) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        let (name, avatar) = (account.display_name.clone(), account.avatar_key());
        let sent = self.requests.send(Request::Known { by, account: account.id, name, avatar, answer }).await;
        sent.map_err(|_| Refusal::NoSuchMeeting)?;
        answered.await.map_err(|_| Refusal::NoSuchMeeting)?
    }

    /// Answers the offer of a participant's sending connection.
    pub async fn publish(&self, participant: ParticipantId, offer: String) -> Result<String, MediaRefused> {
        self.is_open()?;
        Ok(self.media.publish(participant, offer).await?)
    }

    /// Answers the offer of an encoder's only connection.
    pub async fn ingest(&self, participant: ParticipantId, offer: String) -> Result<String, MediaRefused> {
        self.is_open()?;
        Ok(self.media.ingest(participant, offer).await?)
    }

    /// From now on an encoder's sound and picture come by [`Self::bring`]; `keyframe_wanted` is notified when a picture is to need no other.
    pub async fn begin_bringing(
        &self,
        participant: ParticipantId,
        keyframe_wanted: Arc<Notify>,
    ) -> Result<(), MediaRefused> {
        self.is_open()?;
        Ok(self.media.begin_bringing(participant, keyframe_wanted).await?)
    }

    /// What an encoder sends, as browsers would: Opus, and H.264 without pictures that refer to later ones.
    pub async fn bring(
        &self,
        participant: ParticipantId,
        packets: Vec<(TrackKind, MediaPacket)>,
    ) -> Result<(), MediaRefused> {
        Ok(self.media.bring(participant, packets).await?)
    }

    /// Answers the offer by which a connection of his, an encoder's only one too, goes on by another way (ICE restart).
    pub async fn restart(
        &self,
        participant: ParticipantId,
        role: PeerRole,
        offer: String,
    ) -> Result<String, MediaRefused> {
        self.is_open()?;
        Ok(self.media.restart(participant, role, offer).await?)
    }

    /// Answers the offer of a participant's receiving connection.
    pub async fn subscribe(&self, participant: ParticipantId, offer: String) -> Result<String, MediaRefused> {
        self.is_open()?;
        Ok(self.media.subscribe(participant, offer).await?)
    }

    /// Takes what a participant's page shows: what it doesn't is not sent to him.
    pub fn show(&self, participant: ParticipantId, shown: Vec<Shown>) {
        self.media.show(participant, shown);
    }

    /// Takes what a participant's browser has seen of pictures that stood still.
    pub fn set_freezes(&self, participant: ParticipantId, freezes: Freezes) {
        self.media.set_freezes(participant, freezes);
    }

    fn is_open(&self) -> Result<(), MediaRefused> {
        if self.requests.is_closed() { Err(MediaRefused::Ended) } else { Ok(()) }
    }
}

/// Whose seat a secret gives, or has given.
pub(crate) struct SeatOwner {
    pub(crate) participant: ParticipantId,
    pub(crate) account: Option<AccountId>,
    /// Host or co-host.
    pub(crate) manages: bool,
    pub(crate) meeting: MeetingHandle,
}

/// What a meeting's task is asked.
pub(crate) enum Request {
    Join {
        join: Join,
        resume: Option<String>,
        since: Option<u64>,
        leg: Option<LegId>,
        waits: Option<mpsc::Sender<AtDoor>>,
        answer: oneshot::Sender<Result<Seat, Refusal>>,
    },
    Act {
        by: ParticipantId,
        /// See [`MeetingHandle::sitting`].
        sitting: Option<u64>,
        action: Action,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// A caller keyed a colleague's PIN.
    Known {
        by: ParticipantId,
        account: AccountId,
        name: String,
        avatar: Option<String>,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// A telephone that is called forwards to this number.
    Admit {
        number: String,
        answer: oneshot::Sender<Result<(PhoneNumber, Option<Admission>), Refusal>>,
    },
    /// Somebody who watches this livestream does something.
    Viewer {
        livestream: BroadcastId,
        who: ParticipantId,
        action: ViewerAction,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// A viewer of this livestream comes who was called up: the secret of his seat.
    ComeUp {
        livestream: BroadcastId,
        join: Join,
        answer: oneshot::Sender<Result<String, Refusal>>,
    },
    /// Somebody wants to watch this livestream by WebRTC.
    Watch {
        livestream: BroadcastId,
        answer: oneshot::Sender<Result<StageSeat, Refusal>>,
    },
    WhoseSeat {
        secret: String,
        answer: oneshot::Sender<Option<SeatOwner>>,
    },
    /// All who are in it, and the way to its media.
    People {
        answer: oneshot::Sender<(Vec<Participant>, MeetingMedia)>,
    },
    /// All that is drawn; or one drawing in the place of all up to a number.
    Whiteboard {
        secret: String,
        rewrite: Option<(u64, String)>,
        answer: oneshot::Sender<Result<Drawings, Refusal>>,
    },
    /// What somebody else was asked for has become of: the ledger, a telephone.
    Decided(Command),
    /// A livestream that was being started, or why it can't be.
    Livestream(Result<Livestream, StreamingError>),
    /// The studio that was asked for what room systems see.
    RoomView(Result<crate::live::Started, StreamingError>),
    Stop,
    #[cfg(test)]
    Panic,
}
