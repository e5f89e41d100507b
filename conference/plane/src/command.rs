//! What is said to a worker, and what it says back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use leg::{LegConfig, LegStats, PictureSettings};
use media::{Clip, MediaPacket, TrackKind};
use mixer::{PlayId, Recording};
use model::{LineTrouble, MeetingId, ParticipantId};
use streaming::{Feed, RoomPicture, RoomRates};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{Freezes, PlaneError, Quality, Shown, legs::LegSlot, ports::RtpSockets, worker::PeerRole};

/// One phone leg, unique while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub(crate) u64);

/// What happens on a phone leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegFact {
    /// A key: `0`–`9`, `*`, `#`, `A`–`D`, each press once.
    Digit(char),
    /// A clip was played to its end; stopped or replaced ones are not told.
    PlayDone(PlayId),
    /// Media flows.
    FirstPacket,
    /// Nothing has come for a while.
    NoMedia,
    /// Nothing has come for six seconds, from who was heard before.
    Stalled,
    /// What is recorded is as long as it may be.
    RecordingFull,
    /// And now it comes again.
    MediaBack,
    /// Somebody needs a key frame of its pictures, and its media has no way to ask for one (RFC 5168).
    KeyframeWanted,
}

/// What happens in a meeting's media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingFact {
    /// A browser's media connection stands (again).
    Connected(ParticipantId),
    /// A browser's media connection is lost.
    Disconnected(ParticipantId),
    /// Packets of a track have begun to come, or stopped.
    Published {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        kind: TrackKind,
        /// They come.
        active: bool,
    },
    /// Somebody else speaks, or one fewer.
    Speaking {
        /// In the main room (0) or in which breakout room.
        part: u32,
        /// All who speak now.
        speaking: Vec<ParticipantId>,
        /// The one to show large.
        active: Option<ParticipantId>,
    },
    /// A telephone's line sounds otherwise than before.
    Line {
        /// Whose.
        participant: ParticipantId,
        /// What is wrong with it now.
        trouble: Option<LineTrouble>,
    },
    /// A participant's network has become poor, or good again.
    Network {
        /// Whose.
        participant: ParticipantId,
        /// He will have noticed.
        poor: bool,
    },
    /// Other room systems see the meeting than before, or at other rates.
    RoomsSee {
        /// Of the pictures that are made for them; none is, where both are 0.
        rates: RoomRates,
        /// The one that does, where it is one alone.
        alone: Option<ParticipantId>,
    },
    /// A subscriber's slots carry other participants than before.
    Slots {
        /// The subscriber.
        participant: ParticipantId,
        /// All of his slots.
        slots: Vec<SlotAssigned>,
    },
}

/// For whom a meeting's pictures are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Of a livestream, or a recording.
    Viewers,
    /// Room systems, which have their sound by their calls.
    Rooms,
}

/// What one receiving m-line carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotAssigned {
    /// The media identification in SDP (RFC 9143).
    pub mid: String,
    /// Whose track; none while empty.
    pub participant: Option<ParticipantId>,
    /// Which of his tracks, or what the slot could carry.
    pub kind: TrackKind,
    /// The subscriber's line has no room for it: nothing comes until it has.
    pub paused: bool,
}

/// Which worker a leg is on. It moves once or twice in a call, and a command that comes too late is sent after it.
#[derive(Debug)]
pub(crate) struct LegAddress {
    pub(crate) id: LegId,
    worker: AtomicUsize,
}

impl LegAddress {
    pub(crate) fn new(id: LegId, worker: usize) -> Self {
        Self { id, worker: AtomicUsize::new(worker) }
    }

    pub(crate) fn worker(&self) -> usize {
        self.worker.load(Ordering::Acquire)
    }

    pub(crate) fn moved_to(&self, worker: usize) {
        self.worker.store(worker, Ordering::Release);
    }
}

/// What a telephone's line turned out to be while it was in a meeting.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LineFindings {
    /// By how many decibels it gave back what it was sent, softer (echo return loss, ITU-T G.165), where it did and
    /// [`LineCare::echo_guard`] looked for it.
    ///
    /// [`LineCare::echo_guard`]: mixer::LineCare::echo_guard
    pub echo_db: Option<f32>,
    /// Packets came, and nothing was ever to be heard in them.
    pub silent: bool,
}

/// What is known of a leg when its call is over.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LegReport {
    /// In numbers.
    pub stats: LegStats,
    /// Of its line.
    pub line: LineFindings,
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T, PlaneError>>;

pub(crate) enum Command {
    OpenMeeting {
        id: MeetingId,
        facts: mpsc::Sender<MeetingFact>,
    },
    Meeting {
        id: MeetingId,
        command: MeetingCommand,
    },
    OpenLeg {
        address: Arc<LegAddress>,
        sockets: RtpSockets,
        facts: mpsc::Sender<LegFact>,
    },
    Leg {
        address: Arc<LegAddress>,
        command: LegCommand,
    },
    /// A leg comes over from another worker to its meeting.
    Adopt {
        slot: Box<LegSlot>,
        seat: SeatLeg,
    },
    Stop,
}

/// Where a leg is to sit.
pub(crate) struct SeatLeg {
    pub(crate) worker: usize,
    pub(crate) meeting: MeetingId,
    pub(crate) participant: ParticipantId,
    pub(crate) reply: Reply<()>,
}

pub(crate) enum MeetingCommand {
    Publish {
        participant: ParticipantId,
        offer: String,
        reply: Reply<String>,
    },
    Subscribe {
        participant: ParticipantId,
        offer: String,
        reply: Reply<String>,
    },
    Ingest {
        participant: ParticipantId,
        offer: String,
        reply: Reply<String>,
    },
    BeginBringing {
        participant: ParticipantId,
        keyframe_wanted: Arc<Notify>,
        reply: Reply<()>,
    },
    Bring {
        participant: ParticipantId,
        packets: Vec<(TrackKind, MediaPacket)>,
    },
    Watch {
        viewer: ParticipantId,
        offer: String,
        reply: Reply<String>,
    },
    Restart {
        participant: ParticipantId,
        role: PeerRole,
        offer: String,
        reply: Reply<String>,
    },
    SetMuted {
        participant: ParticipantId,
        muted: bool,
    },
    SetPictures {
        participant: ParticipantId,
        camera: bool,
        screen: bool,
    },
    LetMusic {
        participant: ParticipantId,
    },
    ListenAnew {
        participant: ParticipantId,
    },
    SetPart {
        participant: ParticipantId,
        part: u32,
    },
    Show {
        participant: ParticipantId,
        shown: Vec<Shown>,
    },
    Freezes {
        participant: ParticipantId,
        freezes: Freezes,
    },
    Quality {
        reply: Reply<Vec<Quality>>,
    },
    Remove {
        participant: ParticipantId,
        reply: oneshot::Sender<LegStats>,
    },
    #[cfg(test)]
    Panic,
    StartFeed {
        audience: Audience,
        feed: Feed,
    },
    StopFeed {
        audience: Audience,
    },
    Composed {
        picture: RoomPicture,
    },
    RequestKeyframe {
        participant: ParticipantId,
        kind: TrackKind,
    },
    Close,
}

pub(crate) enum LegCommand {
    /// What came before `at` is meant for nobody.
    Begin {
        settings: Box<LegConfig>,
        at: Instant,
    },
    Start {
        settings: Box<LegConfig>,
        reply: Reply<()>,
    },
    Play {
        id: PlayId,
        clip: Clip,
        looping: bool,
    },
    StopPlaying,
    SetVolume {
        volume: f32,
    },
    OpenPictures {
        sockets: RtpSockets,
    },
    /// None where none are to come.
    SetPictures {
        settings: Option<Box<PictureSettings>>,
    },
    /// He needs a key frame of what he is sent.
    KeyframeWanted,
    IgnoreTones {
        unless_used: bool,
    },
    Report {
        reply: Reply<LegReport>,
    },
    Record,
    Recorded {
        reply: Reply<Recording>,
    },
    Seat(SeatLeg),
    Close,
}
