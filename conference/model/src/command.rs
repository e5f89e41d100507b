//! What is asked of a meeting, and why it may say no.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    AccountId, BroadcastId, BroadcastState, DialState, FileKind, HandedFile, Layout, LineTrouble, MeetingId,
    MeetingNumber, Notice, Options, ParticipantId, PushState, PushUrl, Reaction, Via, ViewerAction, ViewersMay,
    Vouched,
};

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
    /// Who keys this on a telephone is the one who booked it; none where he has no PIN.
    pub host_pin: Option<String>,
    /// Who booked it: the host whenever he is in.
    pub owner: AccountId,
    /// The most participants at once (方数).
    pub capacity: usize,
    /// S1.
    pub options: Options,
    /// It may be extended and enlarged (C14): a concurrent account booked it.
    pub scalable: bool,
    /// The site has livestreams.
    pub livestream: bool,
    /// There is a carrier to call telephones by.
    pub dial_out: bool,
    /// The wall clock at the meeting's own zero, milliseconds since 1970, UTC.
    pub begun_ms: i64,
    /// When it began by its booking, of which [`DURATION_MIN_MAX`](crate::DURATION_MIN_MAX) is counted.
    pub from_ms: i64,
    /// When it ends by its booking; none for one's own room.
    pub until_ms: Option<i64>,
}

/// Of what was agreed on, what may be agreed on anew while people are in.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The topic.
    pub title: String,
    /// Who comes from now on gives it, where there is one.
    pub password: Option<String>,
    /// The most participants at once (方数).
    pub capacity: usize,
    /// S1.
    pub options: Options,
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
    /// What his picture is asked for by, where his account has one.
    pub avatar: Option<String>,
    /// What he keyed in.
    pub password: Option<String>,
    /// The call he answers, where a host called him.
    pub dial: Option<u32>,
    /// The seat whose secret he has.
    pub resume: Option<ParticipantId>,
    /// Where he comes from.
    pub source: IpAddr,
    /// Who stands for a caller's number.
    pub vouched: Vouched,
    /// The viewer of the livestream he was until a host called him up (B4).
    pub viewer: Option<ParticipantId>,
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
    /// Who waited at the door has gone.
    GaveUp(ParticipantId),
    /// It was extended until then.
    Extended(i64),
    /// It was enlarged to so many.
    Enlarged(usize),
    /// A participant's connection is lost.
    Lost(ParticipantId),
    /// What became of the broadcast.
    Broadcast(BroadcastId, Option<BroadcastState>),
    /// Somebody who watches the livestream does something (B4): who, the same each time and nobody's seat, and what.
    Viewer(ParticipantId, ViewerAction),
    /// A viewer whom a host has called up comes (B4): to the seat that is kept for him for a minute, as a lost one's is.
    ComeUp(Join),
    /// What became of a push.
    Pushed(u32, PushState),
    /// What became of a telephone that was called.
    Dialed(u32, DialState),
    /// Its booking was changed (S6).
    Rebooked(Terms),
    /// The booking was deleted, and with it the meeting.
    Cancelled,
    /// This account's host keys another PIN on a telephone from now on (P4).
    HostPin(AccountId, String),
    /// A caller has keyed the PIN of an account of the meeting's site (P4): it is who he is.
    Known {
        /// His seat.
        by: ParticipantId,
        /// Whose PIN.
        account: AccountId,
        /// What the account is called.
        name: String,
        /// Its picture, by the key it is fetched by.
        avatar: Option<String>,
    },
    /// Somebody has changed how his account calls him, or its picture (L5).
    Profile {
        /// Whose.
        account: AccountId,
        /// As it called him: who goes by another name in the meeting keeps it.
        before: String,
        /// As it calls him now.
        name: String,
        /// [`Participant::avatar`](crate::Participant::avatar).
        avatar: Option<String>,
    },
    /// How a telephone's line sounds.
    Line(ParticipantId, Option<LineTrouble>),
    /// His network has become poor, or good again.
    Network(ParticipantId, bool),
    /// The recording could not go on.
    RecordingFailed,
    /// Hosts are to know.
    TellManagers(Notice),
    /// The studio can't decode his pictures.
    NotOnAir(ParticipantId),
    /// Time has passed.
    Tick,
    /// The server stops.
    Stop,
}

/// What participants do, as the client protocol has it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Deserialize)]
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
    /// C10: whether they may unmute themselves stays as it was.
    UnmuteAll,
    /// C12: a member may unmute himself.
    AllowSelfUnmute {
        /// Allowed.
        on: bool,
    },
    /// C11.
    MuteOnEntry {
        /// Whoever comes in is muted.
        on: bool,
    },
    /// C2.
    StopCamera {
        /// Whose.
        participant: ParticipantId,
    },
    /// C3.
    AskCamera {
        /// Whose.
        participant: ParticipantId,
    },
    /// C13: what he shares of his screen.
    StopScreen {
        /// Whose.
        participant: ParticipantId,
    },
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
    /// C20: the meeting's whiteboard.
    ShowWhiteboard,
    /// C20: a page of the web.
    ShowPage {
        /// `http://` or `https://`.
        url: String,
        /// What it is called.
        name: Option<String>,
    },
    /// C20: a file that is there already. Not from the wire.
    #[serde(skip)]
    ShowFile {
        /// What it is shown as.
        kind: FileKind,
        /// Which.
        file: HandedFile,
    },
    /// C20: a page of the document that is shown, for all.
    TurnTo {
        /// From 1.
        page: u32,
    },
    /// C20: what is shown is shown no longer.
    StopShowing,
    /// C20: a change of the whiteboard that is shown.
    Draw {
        /// An update of Yjs (`encodeStateAsUpdate`, version 1) in base64 (RFC 4648 §4).
        drawing: String,
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
    /// C4.
    MakeCoHost {
        /// Whom.
        participant: ParticipantId,
        /// Or no longer.
        on: bool,
    },
    /// C17.
    Hand {
        /// Up.
        up: bool,
    },
    /// C17: his hand is down.
    LowerHand {
        /// Whose.
        participant: ParticipantId,
    },
    /// C17: the hands of all are down, those of viewers too.
    LowerHands,
    /// C17.
    React {
        /// How.
        reaction: Reaction,
    },
    /// C17: large for all, until another is, or none.
    Spotlight {
        /// Whom.
        participant: Option<ParticipantId>,
    },
    /// C17: whoever comes waits until he is admitted.
    WaitingRoom {
        /// On.
        on: bool,
    },
    /// C17, J3.
    Admit {
        /// Whom.
        participant: ParticipantId,
    },
    /// As many as there is room for.
    AdmitAll,
    /// C17, J3.
    Deny {
        /// Whom.
        participant: ParticipantId,
    },
    /// C17: something to read for everybody who waits at the door.
    TellWaiting {
        /// At most 300 characters.
        text: String,
    },
    /// C13.
    Lock {
        /// Locked.
        on: bool,
    },
    /// C13: only hosts share.
    LockShare {
        /// Locked.
        on: bool,
    },
    /// C17: so many breakout rooms.
    OpenBreakouts {
        /// From 1 to 20.
        rooms: u32,
        /// The members are spread over them.
        spread: bool,
    },
    /// C17: everybody back to the main room.
    CloseBreakouts,
    /// C17: the breakout rooms close by themselves after so many minutes from now; none: they stay open.
    TimeBreakouts {
        /// From 1 to 240.
        minutes: Option<u32>,
    },
    /// C17: something to read for everybody, whichever breakout room he is in.
    TellRooms {
        /// At most 2,000 characters.
        text: String,
    },
    /// C17: somebody in a breakout room asks a host to come, or no longer does.
    AskHelp {
        /// Or takes it back.
        on: bool,
    },
    /// C17: oneself, or anyone by hosts.
    MoveTo {
        /// Whom.
        participant: ParticipantId,
        /// From 1; none: the main room.
        room: Option<u32>,
    },
    /// C21: a file that is there already. Not from the wire.
    #[serde(skip)]
    HandRound {
        /// All, where none is named.
        to: Option<ParticipantId>,
        /// Which.
        file: HandedFile,
    },
    /// C1, C21.
    Chat {
        /// All, where none is named.
        to: Option<ParticipantId>,
        /// What.
        text: String,
    },
    /// B4: says something to who watches the livestream, and to all.
    TellViewers {
        /// What.
        text: String,
    },
    /// B4: what the livestream's viewers may do.
    AllowViewers {
        /// All of it.
        may: ViewersMay,
    },
    /// B4: a viewer's question is answered, or not yet.
    AnswerQuestion {
        /// Which.
        question: u64,
        /// Or not yet.
        answered: bool,
    },
    /// B4: takes a viewer's question away.
    RemoveQuestion {
        /// Which.
        question: u64,
    },
    /// B4: takes a viewer's hand down.
    LowerViewerHand {
        /// Whose.
        viewer: ParticipantId,
    },
    /// B4: a viewer whose hand is up may come into the meeting, past its lock and its door, for a minute.
    CallUp {
        /// Whom.
        viewer: ParticipantId,
    },
    /// B4: somebody who was called up is a viewer again.
    SendBack {
        /// Whom.
        participant: ParticipantId,
    },
    /// Takes back what somebody said to all, or to the livestream's viewers.
    RemoveChat {
        /// Which message.
        message: u64,
    },
    /// C17.
    StartPoll {
        /// What is asked.
        question: String,
        /// Two to ten.
        choices: Vec<String>,
        /// More than one may be chosen.
        multiple: bool,
        /// The livestream's viewers vote too (B4).
        #[serde(default)]
        viewers: bool,
    },
    /// C17: takes the place of an earlier vote.
    Vote {
        /// In which poll.
        poll: u32,
        /// Which ones, from zero.
        choices: Vec<usize>,
    },
    /// C17.
    ClosePoll {
        /// Which.
        poll: u32,
    },
    /// C14.
    Extend {
        /// Half hours.
        minutes: u32,
    },
    /// C14.
    Enlarge {
        /// By so many seats.
        by: u32,
    },
    /// C22: calls a telephone.
    Dial {
        /// As people write numbers.
        number: String,
        /// Whose it is; the masked number where absent.
        name: Option<String>,
    },
    /// P8: calls somebody again who was called and didn't come, at the same number.
    Redial {
        /// Which call.
        dial: u32,
    },
    /// Calls it no longer.
    StopDial {
        /// Which.
        dial: u32,
    },
    /// B1.
    StartBroadcast,
    /// B1.
    StopBroadcast,
    /// B3, while there is a livestream.
    StartPush {
        /// `rtmp://`, `rtmps://` or `srt://`, with the key.
        url: PushUrl,
        /// What people call it; the address without its key where absent.
        name: Option<String>,
    },
    /// B3.
    StopPush {
        /// Which.
        push: u32,
    },
    /// B2: of the livestream and of a recording, those that run and those to come.
    Layout {
        /// How its picture is put together.
        layout: Layout,
    },
    /// C23.
    StartRecording,
    /// C23.
    StopRecording,
    /// The host's PIN was keyed on a telephone (P4): he is the host. Not from the wire.
    #[serde(skip)]
    ClaimHost {
        /// What was keyed.
        pin: String,
    },
    /// A telephone hears music, or nobody listens to it: it counts for nobody meanwhile. Not from the wire.
    #[serde(skip)]
    OnHold {
        /// Or again with somebody.
        on: bool,
    },
    /// A telephone sends pictures, or no longer. Not from the wire.
    #[serde(skip)]
    SendsVideo {
        /// They come.
        on: bool,
    },
    /// A room system sees the meeting put together otherwise, and so do all of them (P4). Not from the wire.
    #[serde(skip)]
    OtherRoomLayout,
    /// Nothing comes from a telephone any more, be it sound or reports, or it comes again. Not from the wire.
    #[serde(skip)]
    Stalled {
        /// Nothing comes.
        on: bool,
    },
    /// C24.
    Leave,
    /// A telephone's call was ended by its side: he has left, and may be as he was for a minute. Not from the wire.
    #[serde(skip)]
    HungUp,
    /// His page is gone: closed, or loaded anew. The seat is kept for fifteen seconds.
    Away,
    /// C16.
    End,
}

impl Action {
    /// What the audit log calls it where it concerns others, and whom. None for what one does for oneself.
    #[must_use]
    pub fn audited(&self, by: ParticipantId) -> Option<(&'static str, Option<ParticipantId>)> {
        let (name, whom) = match self {
            Self::Mute { participant } => ("mute", Some(*participant)),
            Self::Unmute { participant } => ("unmute", Some(*participant)),
            Self::StopCamera { participant } => ("stop_camera", Some(*participant)),
            Self::StopScreen { participant } => ("stop_screen", Some(*participant)),
            Self::Remove { participant } => ("remove", Some(*participant)),
            Self::Rename { participant, .. } => ("rename", Some(*participant)),
            Self::MakeHost { participant } => ("make_host", Some(*participant)),
            Self::MakeCoHost { participant, on: true } => ("make_co_host", Some(*participant)),
            Self::MakeCoHost { participant, on: false } => ("unmake_co_host", Some(*participant)),
            Self::Admit { participant } => ("admit", Some(*participant)),
            Self::Deny { participant } => ("deny", Some(*participant)),
            Self::AdmitAll => ("admit_all", None),
            Self::MuteAll { .. } => ("mute_all", None),
            Self::UnmuteAll => ("unmute_all", None),
            Self::Lock { on: true } => ("lock", None),
            Self::Lock { on: false } => ("unlock", None),
            Self::LockShare { on: true } => ("lock_share", None),
            Self::LockShare { on: false } => ("unlock_share", None),
            Self::WaitingRoom { on: true } => ("open_waiting_room", None),
            Self::WaitingRoom { on: false } => ("close_waiting_room", None),
            Self::Extend { .. } => ("extend", None),
            Self::Enlarge { .. } => ("enlarge", None),
            Self::OpenBreakouts { .. } => ("open_breakouts", None),
            Self::CloseBreakouts => ("close_breakouts", None),
            Self::TimeBreakouts { .. } => ("time_breakouts", None),
            Self::TellRooms { .. } => ("tell_rooms", None),
            Self::MoveTo { participant, .. } => ("move_to", Some(*participant)),
            Self::Dial { .. } => ("dial", None),
            Self::Redial { .. } => ("dial", None),
            Self::StopDial { .. } => ("stop_dial", None),
            Self::StartBroadcast => ("start_broadcast", None),
            Self::StopBroadcast => ("stop_broadcast", None),
            Self::RemoveChat { .. } => ("remove_chat", None),
            Self::CallUp { viewer } => ("call_up", Some(*viewer)),
            Self::SendBack { participant } => ("send_back", Some(*participant)),
            Self::RemoveQuestion { .. } => ("remove_question", None),
            Self::AllowViewers { .. } => ("allow_viewers", None),
            Self::StartPush { .. } => ("start_push", None),
            Self::StopPush { .. } => ("stop_push", None),
            Self::StartRecording => ("start_recording", None),
            Self::StopRecording => ("stop_recording", None),
            Self::ClaimHost { .. } => ("claim_host", None),
            Self::End => ("end", None),
            _ => return None,
        };
        (whom != Some(by)).then_some((name, whom))
    }
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
    /// The host opens him, not he himself (C12).
    #[error("the host has not allowed unmuting oneself")]
    NoSelfUnmute,
    /// Nobody has that seat.
    #[error("there is no such participant")]
    NoSuchParticipant,
    /// Its time has not come (会议时间未到，不能启会).
    #[error("the meeting has not begun")]
    NotYet,
    /// The host did not let him in.
    #[error("the host has not let you in")]
    Denied,
    /// It ended while he waited.
    #[error("the meeting has ended")]
    Ended,
    /// Only hosts share (C13).
    #[error("only the host may share")]
    ShareLocked,
    /// No document or whiteboard is shown (C20).
    #[error("nothing of the kind is shown")]
    NotShown,
    /// It leads to no page of the web.
    #[error("that is no address of a page")]
    BadPage,
    /// It has as much on it as a whiteboard holds.
    #[error("the whiteboard is full")]
    WhiteboardFull,
    /// The site has none.
    #[error("this site has no livestream")]
    NoLivestream,
    /// It is not live.
    #[error("there is no livestream now")]
    NotLive,
    /// No RTMP, RTMPS or SRT address.
    #[error("that is no address to push to")]
    BadPushUrl,
    /// Nothing is pushed there.
    #[error("there is no such push")]
    NoSuchPush,
    /// Ten.
    #[error("it is pushed to too many places")]
    TooManyPushes,
    /// No carrier is set.
    #[error("this server calls no telephones")]
    NoDialOut,
    /// It can't be dialled.
    #[error("that is no telephone number")]
    BadNumber,
    /// The operator has not allowed it.
    #[error("numbers of this kind may not be called")]
    NumberNotAllowed,
    /// The site's minutes of the day are used up.
    #[error("the site has no minutes left to call telephones")]
    CallMinutesSpent,
    /// The site's money of the day is.
    #[error("the site has no money left to call telephones")]
    CallBudgetSpent,
    /// Within the last hour.
    #[error("that number was called too often")]
    DialledOften,
    /// Ten ring, or five hundred were called.
    #[error("too many telephones are being called")]
    TooManyDials,
    /// The text is empty or too long.
    #[error("the text is empty or too long")]
    BadText,
    /// Neither a poll that is open nor choices of it.
    #[error("there is no such poll or choice")]
    NoSuchPoll,
    /// More than twenty breakout rooms, or one that is not open.
    #[error("there is no such breakout room")]
    NoSuchRoom,
    /// Twenty polls.
    #[error("there are too many polls")]
    TooManyPolls,
    /// No viewer has asked that, or it is answered.
    #[error("there is no such open question")]
    NoSuchQuestion,
    /// No host has called him up, or not of late (B4).
    #[error("no host has called you up")]
    NotCalled,
    /// Viewers' questions, votes or hands.
    #[error("there are too many already")]
    TooMany,
    /// Not in half hours, or more than 24 in all.
    #[error("a meeting is extended by half hours, to at most 24 hours")]
    BadDuration,
    /// None, or more than 500 in all.
    #[error("a meeting has at most 500 participants")]
    BadCapacity,
    /// So many ports are free at that time.
    #[error("only {0} ports are free at that time")]
    NoPorts(u32),
    /// The server is about to stop.
    #[error("the server is stopping")]
    Draining,
    /// Something of ours broke.
    #[error("something failed on the server")]
    Failed,
}
