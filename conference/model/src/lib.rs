//! The rules of meetings, pure: no IO, no clock, no async.
//!
//! [`Meeting::handle`] decides, `conference` carries out. A meeting doesn't know sockets: the same command reaches a
//! browser and a telephone, and only the [`Effect`] says which is to be told what.
#![warn(missing_docs)]

mod account;
mod booking;
mod calling;
mod command;
mod event;
mod ids;
mod invisible;
mod ledger;
mod meeting;
mod pace;
mod participant;
mod public;
mod push;
mod recurrence;
mod shown;
mod text;
mod tries;
mod viewers;
mod watch;

pub use account::{AccountRole, Actor, BookingMode, Object, Permission, authorize};
pub use booking::{
    BadBooking, Booker, BookingRequest, CAPACITY_MAX, DURATION_MIN_DEFAULT, DURATION_MIN_MAX, Opening, Options, Plan,
    check_early_start, opening, plan, slots, span,
};
pub use calling::{Bill, CALLING_DAY_MS, CallingLedger, CallingPolicy, CallingUsed};
pub use command::{Action, Command, Join, Refusal, Rules, Terms};
pub use event::{
    BroadcastState, BroadcastView, ChatSide, Choice, DialState, DialView, Effect, EndReason, Event, HandedFile, Layout,
    LeaveReason, MeetingView, Message, Notice, Poll, Reaction, Snapshot, WaitReason, WaitingPerson, Whisper,
};
pub use ids::{
    AccountId, BroadcastId, InvalidNumber, MeetingId, MeetingNumber, ParticipantId, PhoneNumber, RoomId, SiteId,
};
pub use invisible::is_plain;
pub use ledger::{Demand, Ledger, NoCapacity, Span, Taken};
pub use meeting::{Meeting, is_same};
pub use pace::{Bucket, Pace, Paces};
pub use participant::{LineTrouble, Participant, Role, Via, ViaKind};
pub use public::is_public;
pub use push::{BadPushUrl, PushState, PushUrl, PushView};
pub use recurrence::{BadRecurrence, OCCURRENCES_MAX, starts};
pub use shown::{BadPage, FileKind, Shown, ShownView, check_page};
pub use text::{InvalidText, WeakPassword, check_login_password, check_name, check_password, check_title};
pub use tries::{EarlyTries, Guesses, Reached, Vouched, network_of};
pub use viewers::{Question, QuestionVotes, ReactionSum, ViewerAction, ViewerHand, ViewersMay};
pub use watch::{UnknownAccess, WatchAccess};
