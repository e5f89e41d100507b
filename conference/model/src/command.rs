//! What is asked of a meeting, and why it may say no.

use std::net::IpAddr;

use serde::Deserialize;

use crate::{AccountId, BroadcastId, BroadcastState, Layout, MeetingId, MeetingNumber, ParticipantId, Via};

/// What was agreed on when the meeting was booked.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Its identity.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Six digits, where there is one.
    pub password: Option<String>,
    /// Who booked it: the host whenever he is in.
    pub owner: AccountId,
    /// The most participants at once (方数).
    pub capacity: usize,
}

/// Somebody at the door.
#[derive(Debug, Clone)]
pub struct Join {
    /// The seat he gets unless he has one already.
    pub participant: ParticipantId,
    /// What he calls himself; callers have none.
    pub name: Option<String>,
    /// What he comes by.
    pub via: Via,
    /// Who he is, where he is logged in.
    pub account: Option<AccountId>,
    /// What he keyed in.
    pub password: Option<String>,
    /// The seat whose secret he has.
    pub resume: Option<ParticipantId>,
    /// Where he comes from.
    pub source: IpAddr,
}

/// What can be asked of a meeting.
#[derive(Debug, Clone)]
pub enum Command {
    /// To come in.
    Join(Join),
    /// A participant does something.
    Act {
        /// Who.
        by: ParticipantId,
        /// What.
        action: Action,
        /// The id of the livestream, if this begins one: new each time, so that no player or proxy takes the files of
        /// an earlier one for its own.
        livestream: BroadcastId,
    },
    /// A participant's connection is lost.
    Lost(ParticipantId),
    /// What became of the broadcast.
    Broadcast(BroadcastId, Option<BroadcastState>),
    /// The recording could not go on.
    RecordingFailed,
    /// Time has passed.
    Tick,
    /// The server stops.
    Stop,
}

/// What participants do, as the client protocol has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// C7, or oneself.
    Mute {
        /// Whom.
        participant: ParticipantId,
    },
    /// C8, or oneself: where [`MeetingView::self_unmute`] is off, only after the host asked.
    ///
    /// [`MeetingView::self_unmute`]: crate::MeetingView::self_unmute
    Unmute {
        /// Whom.
        participant: ParticipantId,
    },
    /// C9.
    MuteAll {
        /// Whether they may unmute themselves.
        self_unmute: bool,
    },
    /// C10.
    UnmuteAll,
    /// C18.
    Camera {
        /// Shown.
        on: bool,
    },
    /// C20.
    Screen {
        /// Shared.
        on: bool,
    },
    /// C6.
    Remove {
        /// Whom.
        participant: ParticipantId,
    },
    /// C5.
    Rename {
        /// Whom.
        participant: ParticipantId,
        /// To what.
        name: String,
    },
    /// C4.
    MakeHost {
        /// Whom.
        participant: ParticipantId,
    },
    /// C17.
    Hand {
        /// Up.
        up: bool,
    },
    /// C13.
    Lock {
        /// Locked.
        on: bool,
    },
    /// B1.
    StartBroadcast,
    /// B1.
    StopBroadcast,
    /// B2, while there is a livestream.
    Layout {
        /// How its picture is put together.
        layout: Layout,
    },
    /// C23.
    StartRecording,
    /// C23.
    StopRecording,
    /// C24.
    Leave,
    /// C16.
    End,
}

/// Why something is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none with this number or id.
    #[error("there is no such meeting")]
    NoSuchMeeting,
    /// It has a password and none was given.
    #[error("this meeting has a password")]
    PasswordNeeded,
    /// Another one was given.
    #[error("the password is wrong")]
    WrongPassword,
    /// Too many wrong ones.
    #[error("too many wrong passwords")]
    TooManyTries,
    /// All seats are taken (J4).
    #[error("the meeting is full")]
    Full,
    /// The host locked it.
    #[error("the meeting is locked")]
    Locked,
    /// The host removed him (C6).
    #[error("the host has removed you")]
    Removed,
    /// The name is empty, too long or has strange characters.
    #[error("the name is not allowed")]
    BadName,
    /// He may not.
    #[error("you may not do that")]
    NotAllowed,
    /// Nobody has that seat.
    #[error("there is no such participant")]
    NoSuchParticipant,
    /// Its time has not come (会议时间未到，不能启会).
    #[error("the meeting has not begun")]
    NotYet,
    /// The server is about to stop.
    #[error("the server is stopping")]
    Draining,
    /// Something of ours broke.
    #[error("something failed on the server")]
    Failed,
}
