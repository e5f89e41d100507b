//! What a meeting decides, and what its participants are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    BroadcastId, MeetingId, MeetingNumber, Participant, ParticipantId, PhoneNumber, PushUrl, PushView, Question,
    QuestionVotes, ReactionSum, Refusal, ShownView, ViaKind, ViewerHand, ViewersMay,
};

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
    /// Whoever asked to come in waits at the door.
    Waits(ParticipantId, WaitReason),
    /// What a host has to say to who waits at the door.
    TellAtDoor(ParticipantId, String),
    /// Who waited does not come in.
    TurnAway(ParticipantId, Refusal),
    /// Tell all, with its number.
    Tell(u64, Event),
    /// Tell one.
    Notify(ParticipantId, Notice),
    /// Tell one what the others are not told.
    Whisper(ParticipantId, Whisper),
    /// His sound counts, or doesn't.
    SetMuted(ParticipantId, bool),
    /// Of his pictures these go to the others, and no others whatever he sends.
    SetPictures {
        /// Whose.
        participant: ParticipantId,
        /// His camera does.
        camera: bool,
        /// His screen does.
        screen: bool,
    },
    /// Music from his telephone is wanted from now on.
    LetMusic(ParticipantId),
    /// Somebody is at his telephone: what was taken for music is heard until it has gone on for as long again.
    ListenAnew(ParticipantId),
    /// Take his seat away.
    Dismiss(ParticipantId, EndReason),
    /// Write down that it ends at this time, if that can be: [`Command::Extended`](crate::Command::Extended) follows.
    Extend(i64),
    /// Write down that it holds so many, if it can: [`Command::Enlarged`](crate::Command::Enlarged) follows.
    Enlarge(usize),
    /// A host has taken this viewer's hand down: his page is to know.
    HandLowered(ParticipantId),
    /// A host calls this viewer up: his page is to know.
    CalledUp(ParticipantId),
    /// Call this telephone: [`Command::Dialed`](crate::Command::Dialed) follows, again and again.
    Dial(u32, PhoneNumber),
    /// Call it no longer.
    StopDial(u32),
    /// Keep this change of the whiteboard and tell those who see it.
    Draw(ParticipantId, String),
    /// Begin a livestream.
    StartBroadcast(BroadcastId),
    /// End it.
    StopBroadcast,
    /// Push the livestream there: [`Command::Pushed`](crate::Command::Pushed) follows, again and again.
    StartPush(u32, PushUrl),
    /// Push it there no longer.
    StopPush(u32),
    /// He hears and sees this breakout room, or the main one.
    SetRoom(ParticipantId, Option<u32>),
    /// Begin a recording.
    StartRecording,
    /// End it.
    StopRecording,
    /// Nothing more follows: why.
    Close(EndReason),
}

/// What all are told.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
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
    /// Somebody reacts.
    Reacted {
        /// Who.
        participant: ParticipantId,
        /// How.
        reaction: Reaction,
    },
    /// Somebody says something to all.
    Chat {
        /// What.
        message: Message,
    },
    /// A poll is not as before.
    PollChanged {
        /// As it is now.
        poll: Poll,
    },
    /// A telephone is being called (C22).
    DialChanged {
        /// As it is now.
        dial: DialView,
    },
    /// A host has taken back something that was said to all.
    ChatRemoved {
        /// Which message.
        id: u64,
    },
    /// A viewer asks something, or it is answered (B4).
    QuestionChanged {
        /// As it is now.
        question: Question,
    },
    /// A viewer's question is there no more.
    QuestionRemoved {
        /// Which.
        id: u64,
    },
    /// How many viewers want what answered, once a second.
    QuestionVotes {
        /// Those that have changed.
        votes: Vec<QuestionVotes>,
    },
    /// Viewers have reacted, once a second (B4).
    ViewersReacted {
        /// How, and how often since the last time.
        sums: Vec<ReactionSum>,
    },
    /// The livestream is not as before.
    BroadcastChanged {
        /// As it is now.
        broadcast: Option<BroadcastView>,
    },
}

/// How somebody went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// C6.
    Removed,
    /// C16.
    MeetingEnded,
    /// Its booked time is over (C15).
    TimeUp,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The host muted him.
    Muted,
    /// The host unmuted him.
    Unmuted,
    /// The host asks him to unmute himself.
    AskedToUnmute,
    /// The host stopped his camera.
    CameraStopped,
    /// The host asks him to show himself.
    AskedToShow,
    /// The host stopped what he shared.
    ShareStopped,
    /// He is a host now.
    MadeHost,
    /// He is a co-host now.
    MadeCoHost,
    /// The meeting ends in a quarter of an hour, and may be extended (C15): to hosts.
    EndsSoon,
    /// The meeting ends in five minutes.
    EndsIn5,
    /// Too many wrong passwords were tried: for ten minutes nobody comes in by one. To hosts.
    DoorClosed,
    /// There is no livestream or recording: the server carries as many as it can. To hosts.
    NoRoomOnAir,
    /// There is none: what makes the picture doesn't start, or doesn't stay. To hosts.
    StudioFailed,
    /// It is no longer recorded: the disk or the quota is full. To hosts.
    RecordingFull,
    /// It is no longer recorded: what comes can't be written. To hosts.
    RecordingFailed,
    /// Viewers don't see his video: the server can't decode what his browser sends.
    VideoNotOnAir,
    /// Viewers don't see somebody's video, for the same reason. To hosts.
    SomeVideoNotOnAir,
}

/// What one participant is told and the others are not.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Whisper {
    /// To hosts: everyone at the door.
    Waiting {
        /// In order of coming.
        people: Vec<WaitingPerson>,
    },
    /// Somebody draws on the whiteboard: to all the others who see it.
    Drawn {
        /// Who.
        by: ParticipantId,
        /// Grows by one with each drawing on this whiteboard.
        number: u64,
        /// As he sent it.
        drawing: String,
    },
    /// To who has just drawn: the whiteboard's drawings are many, and he may put one in their place that says the same.
    WhiteboardLong {
        /// All up to this number.
        upto: u64,
    },
    /// To hosts: viewers whose hands are up (B4).
    ViewerHands {
        /// In order of raising.
        hands: Vec<ViewerHand>,
    },
    /// Said to him alone, or by him to one.
    Chat {
        /// What.
        message: Message,
    },
}

/// Why somebody waits at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The host is not there (J3).
    Host,
    /// Nobody has admitted him yet.
    Admission,
}

/// Somebody at the door, as hosts see him.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct WaitingPerson {
    /// The seat he will have.
    pub id: ParticipantId,
    /// As he wrote it, or a masked number.
    pub name: String,
    /// What he came by.
    pub via: ViaKind,
}

/// What faces say in a meeting (C17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// 👏
    Clap,
    /// 👍
    Like,
    /// ❤️
    Heart,
    /// 😂
    Laugh,
    /// 😮
    Surprise,
    /// 🎉
    Celebrate,
}

/// What was said in writing (C21).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Message {
    /// Grows in this meeting.
    pub id: u64,
    /// Who said it.
    pub from: ParticipantId,
    /// As he was called then: he may have gone.
    pub name: String,
    /// To whom; all where none is named.
    pub to: Option<ParticipantId>,
    /// The breakout room it was said in; none: the main room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<u32>,
    /// A host says it to all breakout rooms.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
    /// It is of the livestream's chat, which its viewers read (B4): who of both sides said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub livestream: Option<ChatSide>,
    /// What; empty where it is a file.
    pub text: String,
    /// What was handed round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<HandedFile>,
    /// When, milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// The two sides of a livestream's chat (B4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatSide {
    /// Somebody who watches. [`Message::from`] is nobody's seat.
    Viewer,
    /// A host of the meeting.
    Host,
}

/// A file that was handed round in the chat (C21).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct HandedFile {
    /// Can't be guessed: who knows it may have the file.
    pub id: Uuid,
    /// As who handed it round calls it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// A question to all (C17).
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Poll {
    /// Grows in this meeting.
    pub id: u32,
    /// What is asked.
    pub question: String,
    /// What can be answered.
    pub choices: Vec<Choice>,
    /// More than one may be chosen.
    pub multiple: bool,
    /// The livestream's viewers vote too (B4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub viewers: bool,
    /// Votes are taken.
    pub open: bool,
    /// Who has voted.
    pub voters: u32,
}

/// An answer and how many gave it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Choice {
    /// The answer.
    pub text: String,
    /// Who gave it.
    pub votes: u32,
}

/// A meeting as its participants see it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct MeetingView {
    /// Its identity.
    pub id: MeetingId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// The most participants at once.
    pub capacity: usize,
    /// When it ends, milliseconds since 1970, UTC; none for one's own room.
    pub ends_ms: Option<i64>,
    /// It may be extended and enlarged (C14).
    pub scalable: bool,
    /// It may have a livestream.
    pub livestream: bool,
    /// Hosts may call telephones.
    pub dial_out: bool,
    /// The host comes in with his camera on.
    pub host_video: bool,
    /// Participants come in with their cameras on.
    pub participant_video: bool,
    /// Nobody else gets in.
    pub locked: bool,
    /// Only hosts share.
    pub share_locked: bool,
    /// Who comes waits to be admitted.
    pub waiting_room: bool,
    /// Who comes in is muted.
    pub mute_on_entry: bool,
    /// Large for all.
    pub spotlight: Option<ParticipantId>,
    /// What somebody shows besides his screen (C20).
    pub shown: Option<ShownView>,
    /// Breakout rooms that are open.
    pub breakouts: u32,
    /// When they close by themselves, milliseconds since 1970, UTC.
    pub breakouts_end_ms: Option<i64>,
    /// Members may unmute themselves.
    pub self_unmute: bool,
    /// What is seen and said is being recorded (C23): everyone is to know.
    pub recording: bool,
    /// What its livestream's viewers may do (B4).
    pub viewers_may: ViewersMay,
}

/// A telephone a host has called, as participants see it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct DialView {
    /// Grows in this meeting.
    pub id: u32,
    /// As who called it wrote it, or the masked number.
    pub name: String,
    /// Masked.
    pub number: String,
    /// What became of it.
    pub state: DialState,
}

/// What becomes of a telephone that is called (P8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DialState {
    /// Nothing is heard of it yet.
    Calling,
    /// It rings.
    Ringing,
    /// Somebody took it and is asked whether he comes.
    Answered,
    /// He is in.
    Joined,
    /// He speaks with somebody else.
    Busy,
    /// He didn't take it, or didn't say whether he comes.
    NoAnswer,
    /// He doesn't want to.
    Declined,
    /// There is no such number.
    NoSuchNumber,
    /// No carrier could be reached, or none took the call.
    Failed,
    /// A host gave it up.
    Stopped,
}

impl DialState {
    /// Nothing more follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Calling | Self::Ringing | Self::Answered)
    }
}

/// A livestream as participants see it.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct BroadcastView {
    /// Its identity.
    pub id: BroadcastId,
    /// How it does.
    pub state: BroadcastState,
    /// The meeting's watch page, from the server's root: the same for all its livestreams.
    pub watch: String,
    /// How its picture is put together.
    pub layout: Layout,
    /// Where else it goes, in the order it was added.
    pub pushes: Vec<PushView>,
}

/// How the audience's picture is put together (B2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
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

impl Layout {
    /// The one after it, and after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Speaker => Self::Gallery,
            Self::Gallery => Self::PictureInPicture,
            Self::PictureInPicture => Self::Speaker,
        }
    }
}

/// How a livestream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Snapshot {
    /// The meeting.
    pub meeting: MeetingView,
    /// Events after this number are not in it.
    pub seq: u64,
    /// Everyone, in order of coming.
    pub participants: Vec<Participant>,
    /// What was said to all and to him.
    pub chat: Vec<Message>,
    /// All that were asked.
    pub polls: Vec<Poll>,
    /// Everyone at the door, for hosts.
    pub waiting: Vec<WaitingPerson>,
    /// What viewers ask, the oldest first.
    pub questions: Vec<Question>,
    /// Viewers whose hands are up, for hosts.
    pub viewer_hands: Vec<ViewerHand>,
    /// Telephones that were called, the newest last.
    pub dials: Vec<DialView>,
    /// The livestream.
    pub broadcast: Option<BroadcastView>,
}
