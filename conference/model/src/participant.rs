//! Who is in a meeting, as the others see him.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{ParticipantId, PhoneNumber};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 主持人: every control.
    Host,
    /// 联席主持人: what concerns participants, but neither the meeting's end, its time and size, its livestream, nor who
    /// is host.
    CoHost,
    /// Himself.
    Member,
}

impl Role {
    /// Host or co-host.
    #[must_use]
    pub fn manages(self) -> bool {
        self != Self::Member
    }
}

/// What somebody came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A browser.
    Web,
    /// A telephone, with its number.
    Phone(PhoneNumber),
    /// A program or machine that only sends (RFC 9725), let in by the meeting's own token.
    Encoder,
}

impl Via {
    /// Without what is private in it.
    #[must_use]
    pub fn kind(&self) -> ViaKind {
        match self {
            Self::Web => ViaKind::Web,
            Self::Phone(_) => ViaKind::Phone,
            Self::Encoder => ViaKind::Encoder,
        }
    }

    /// A caller's number.
    #[must_use]
    pub fn number(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Web | Self::Encoder => None,
            Self::Phone(number) => Some(number),
        }
    }
}

/// [`Via`] without what is private in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViaKind {
    /// A browser.
    Web,
    /// A telephone.
    Phone,
    /// A program or machine that only sends.
    Encoder,
}

impl ViaKind {
    /// As it is written in answers and figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Phone => "phone",
            Self::Encoder => "encoder",
        }
    }
}

/// What is wrong with a telephone's line, as it sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineTrouble {
    /// It plays music, rings or is a fax: it is not heard until it stops or a host lets it be heard.
    Music,
    /// No sound has ever come from it: the way here may be broken.
    Silent,
}

/// One participant as all others see him.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Participant {
    /// His seat.
    pub id: ParticipantId,
    /// As he or the host wrote it; a caller's masked number until then.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// What he came by.
    pub via: ViaKind,
    /// A caller's masked number.
    pub number: Option<String>,
    /// His picture is at `/avatars/{avatar}`, where his account has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// His sound counts for nobody.
    pub muted: bool,
    /// He shows his camera.
    pub camera: bool,
    /// He shares his screen.
    pub screen: bool,
    /// His telephone sends pictures: it is a room system's (R1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub video: bool,
    /// A telephone on hold: he neither hears nor is heard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_hold: bool,
    /// What is wrong with his telephone's line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_trouble: Option<LineTrouble>,
    /// His network is so poor that he, or those who hear and see him, will have noticed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub network_poor: bool,
    /// His hand is up.
    pub hand: bool,
    /// False while his network is gone and his seat is kept.
    pub connected: bool,
    /// He watched the livestream until a host called him up (B4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_audience: bool,
    /// He asks a host to come to his breakout room (C17).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_help: bool,
    /// The breakout room he is in, from 1; none: the main room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<u32>,
}
