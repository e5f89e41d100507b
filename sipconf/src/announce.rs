//! How a meeting's callers learn who comes and goes (P3).

use serde::Deserialize;

/// What callers hear when somebody comes in or leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Announce {
    /// Nothing.
    Nothing,
    /// Two notes, rising or falling.
    #[default]
    Tones,
    /// The name, as its owner said it: callers are asked for it before they come in. Two notes for who said none.
    Names,
}
