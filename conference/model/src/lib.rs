//! The rules of meetings, pure: no IO, no clock, no async.
//!
//! [`Meeting::handle`] decides, `conference` carries out. A meeting doesn't know sockets: the same command reaches a
//! browser and a telephone, and only the [`Effect`] says which is to be told what.
#![warn(missing_docs)]

mod command;
mod event;
mod ids;
mod meeting;
mod participant;
mod text;
mod tries;

pub use command::{Action, Command, Join, Refusal, Rules};
pub use event::{BroadcastState, BroadcastView, Effect, EndReason, Event, LeaveReason, MeetingView, Notice, Snapshot};
pub use ids::{AccountId, BroadcastId, InvalidNumber, MeetingId, MeetingNumber, ParticipantId, PhoneNumber, SiteId};
pub use meeting::Meeting;
pub use participant::{Participant, Role, Via, ViaKind};
pub use text::{InvalidText, check_name, check_password, check_title};
pub use tries::network_of;
