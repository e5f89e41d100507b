//! What a meeting decides, and what its participants are told.

use serde::{Deserialize, Serialize};

use crate::{BroadcastId, MeetingId, MeetingNumber, Participant, ParticipantId};

/// What is to be carried out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Whoever asked to come in has this seat; `again` when he had it before.
    Seated {
        /// His seat.
        participant: ParticipantId,
        /// It was kept for him.
        again: bool,
    },
    /// Tell all, with its number.
    Tell(u64, Event),
    /// Tell one.
    Notify(ParticipantId, Notice),
    /// His sound counts, or doesn't.
    SetMuted(ParticipantId, bool),
    /// Take his seat away.
    Dismiss(ParticipantId, EndReason),
    /// Begin a livestream.
    StartBroadcast(BroadcastId),
    /// End it.
    StopBroadcast,
    /// Begin a recording.
    StartRecording,
    /// End it.
    StopRecording,
    /// Nothing more follows.
    Close,
}

/// What all are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Somebody came.
    ParticipantJoined {
        /// Who.
        participant: Participant,
    },
    /// Somebody is not as before.
    ParticipantChanged {
        /// As he is now.
        participant: Participant,
    },
    /// Somebody went.
    ParticipantLeft {
        /// Who.
        id: ParticipantId,
        /// How.
        reason: LeaveReason,
    },
    /// The meeting is not as before.
    MeetingChanged {
        /// As it is now.
        meeting: MeetingView,
    },
    /// The livestream is not as before.
    BroadcastChanged {
        /// As it is now.
        broadcast: Option<BroadcastView>,
    },
}

/// How somebody went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// By himself.
    Left,
    /// By the host.
    Removed,
    /// His network did not come back.
    Lost,
}

/// Why a participant's session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// C6.
    Removed,
    /// C16.
    MeetingEnded,
    /// C24.
    Left,
    /// He has the seat again from elsewhere.
    Replaced,
    /// The server stops.
    ServerStopping,
    /// He does not take what he is told.
    TooSlow,
}

/// What one participant is told alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The host muted him.
    Muted,
    /// The host unmuted him.
    Unmuted,
    /// The host asks him to unmute himself.
    AskedToUnmute,
}

/// A meeting as its participants see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeetingView {
    /// Its identity.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Nobody else gets in.
    pub locked: bool,
    /// Members may unmute themselves.
    pub self_unmute: bool,
    /// What is seen and said is being recorded (C23): everyone is to know.
    pub recording: bool,
}

/// A livestream as participants see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BroadcastView {
    /// Its identity.
    pub id: BroadcastId,
    /// How it does.
    pub state: BroadcastState,
    /// The watch page, from the server's root.
    pub watch: String,
    /// How its picture is put together.
    pub layout: Layout,
}

/// How the audience's picture is put together (B2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Who speaks, or a shared screen, large; the others in a row below.
    #[default]
    Speaker,
    /// All alike, sixteen at most.
    Gallery,
    /// A shared screen, or who speaks, fills the picture; one face stands in its corner.
    PictureInPicture,
}

/// How a livestream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastState {
    /// The first picture is being made.
    Starting,
    /// It can be watched.
    Live,
    /// Its studio broke and is begun anew.
    Restarting,
}

/// All there is to know when one comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The meeting.
    pub meeting: MeetingView,
    /// Events after this number are not in it.
    pub seq: u64,
    /// Everyone, in order of coming.
    pub participants: Vec<Participant>,
    /// The livestream.
    pub broadcast: Option<BroadcastView>,
}
