//! What a broadcast shows: who is on the picture, and how.

use media::TrackKind;
use model::{Layout, ParticipantId};
use serde::{Deserialize, Serialize};

/// The picture at one time. What finds no place in the layout is not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// How the tiles are put together.
    pub layout: Layout,
    /// The shared screen or the speaker first.
    pub tiles: Vec<Tile>,
}

impl Scene {
    /// How many tiles a layout shows at most.
    #[must_use]
    pub fn tiles_max(layout: Layout) -> usize {
        match layout {
            // One large and a row of five.
            Layout::Speaker => 6,
            Layout::Gallery => 16,
            Layout::PictureInPicture => 2,
        }
    }

    /// The tracks whose packets are needed for it, each with how high it is shown, in pixels, on a picture of `whole` lines.
    pub fn tracks(&self, whole: u32) -> impl Iterator<Item = (ParticipantId, TrackKind, u32)> {
        let shown = self.tiles.iter().take(Self::tiles_max(self.layout)).enumerate();
        shown.filter_map(move |(index, tile)| match tile.kind {
            TileKind::Video(kind) => Some((tile.participant, kind, self.height(index, whole))),
            TileKind::Avatar => None,
        })
    }

    /// Roughly: it decides which of several sizes a camera sends is used.
    fn height(&self, index: usize, whole: u32) -> u32 {
        let tiles = self.tiles.len().min(Self::tiles_max(self.layout));
        match self.layout {
            Layout::Gallery => whole / (tiles as f32).sqrt().ceil().max(1.0) as u32,
            Layout::Speaker | Layout::PictureInPicture if index == 0 => whole,
            Layout::Speaker | Layout::PictureInPicture => whole / 5,
        }
    }
}

/// One participant's place in the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tile {
    /// Who.
    pub participant: ParticipantId,
    /// What stands on the tile: the name, or a caller's masked number.
    pub name: String,
    /// What is seen.
    pub kind: TileKind,
    /// Draws a ring around it.
    pub speaking: bool,
    /// He is on the telephone: the avatar says so.
    pub phone: bool,
}

/// What is seen on a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TileKind {
    /// A track. Until its first picture, and when none has come for a while, the avatar stands in for it.
    Video(#[serde(with = "track_kind")] TrackKind),
    /// A coloured card with the name, for callers and people without a camera.
    Avatar,
}

/// `media` has no serde: its words are not for the wire.
mod track_kind {
    use media::TrackKind;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(kind: &TrackKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TrackKind, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = TrackKind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| D::Error::custom(format!("{name} is no track")))
    }
}
