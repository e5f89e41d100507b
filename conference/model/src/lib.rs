//! The rules of meetings, pure: no IO, no clock, no async. `conference` carries out what is decided here.
#![warn(missing_docs)]

mod ids;

pub use ids::{
    AccountId, BroadcastId, InvalidNumber, MeetingId, MeetingNumber, ParticipantId, PhoneNumber, SiteId,
};
