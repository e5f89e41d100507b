//! SIP as a state machine (RFC 3261): bytes and time in, bytes and events out. No IO and no clock; sockets are
//! `gateway`'s.
//!
//! This server is called ([`Endpoint`]): the INVITE and non-INVITE server transactions with their timers, dialogs with
//! re-INVITE, BYE both ways, CANCEL, OPTIONS, INFO, UPDATE, PRACK and session timers; offer and answer of sound
//! ([`sdp`]).
#![warn(missing_docs)]

mod endpoint;
mod ingress;
mod message;
pub mod sdp;

pub use endpoint::{CallKey, Endpoint, EndpointConfig, Event, Incoming, Source, Transmit, Transport};
pub use message::{FrameError, MESSAGE_BYTES_MAX, Message, ParseError, StartLine, frame};
