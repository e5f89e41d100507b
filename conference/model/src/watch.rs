//! Who may watch a livestream (B5).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who may watch a meeting's livestream, and its recording afterwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchAccess {
    /// Everyone who knows the address.
    #[default]
    Public,
    /// Who knows the password.
    Password,
    /// Who has the signed link.
    Link,
    /// Who is logged in with an account of the meeting's site.
    Registered,
    /// Who has registered for the webinar that it is (B7). By the booking: nobody else sets it.
    Registration,
}

impl WatchAccess {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Public, Self::Password, Self::Link, Self::Registered, Self::Registration];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Password => "password",
            Self::Link => "link",
            Self::Registered => "registered",
            Self::Registration => "registration",
        }
    }
}

/// No kind of access has that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no kind of access has that name")]
pub struct UnknownAccess;

impl FromStr for WatchAccess {
    type Err = UnknownAccess;

    fn from_str(text: &str) -> Result<Self, UnknownAccess> {
        Self::ALL.into_iter().find(|access| access.as_str() == text).ok_or(UnknownAccess)
    }
}
