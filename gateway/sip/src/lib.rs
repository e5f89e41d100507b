//! SIP as a state machine (RFC 3261): bytes and time in, bytes and events out. No IO and no clock; sockets are
//! `gateway`'s.
//!
//! This server is called and calls ([`Endpoint`]): the INVITE and non-INVITE transactions of both sides with their timers,
//! dialogs with re-INVITE, BYE both ways, CANCEL, OPTIONS, INFO, UPDATE, PRACK and session timers; registration at
//! carriers and of telephones here, with digest authentication; offer and answer of sound ([`sdp`]).
#![warn(missing_docs)]

mod digest;
mod endpoint;
mod guard;
mod ingress;
mod message;
pub mod sdp;

pub use digest::Credentials;
pub use endpoint::{
    Answer, Binding, CallKey, Contact, Dropped, Endpoint, EndpointConfig, Event, Flow, Identity, Incoming, KEEP_OPEN_S,
    PREFERRED, Question, Referral, Replaces, RequestKey, Source, Target, Transmit, Transport,
};
pub use guard::{BadNetwork, Limits, Network};
pub use message::{FrameError, MESSAGE_BYTES_MAX, Message, ParseError, StartLine, frame};
