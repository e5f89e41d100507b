//! The picture the audience sees, put together from tiles.
//!
//! Only what changed is copied: a tile whose slot has no new picture stays as it is on the canvas.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use model::ParticipantId;

use crate::{
    input::Role,
    layout::{HEIGHT, Rect, WIDTH},
    lettering::Lettering,
    picture::{Colour, Picture},
};

/// For how long a last picture stands in for the ones that don't come. Shorter would flicker on bad uplinks, longer
/// shows a face that isn't there.
const STALE_AFTER: Duration = Duration::from_secs(3);

/// Around the tile of who speaks.
const RING: Colour = Colour::rgb(52, 199, 89);

/// Behind the tiles.
const BACKGROUND: Colour = Colour::rgb(17, 18, 22);

/// An avatar's card, and the discs on them: of people shown together, few have the same.
const CARD: Colour = Colour::rgb(38, 41, 50);
const DISCS: [Colour; 8] = [
    Colour::rgb(66, 103, 178),
    Colour::rgb(176, 71, 89),
    Colour::rgb(46, 125, 107),
    Colour::rgb(140, 92, 172),
    Colour::rgb(181, 112, 41),
    Colour::rgb(54, 124, 156),
    Colour::rgb(122, 130, 52),
    Colour::rgb(158, 78, 138),
];

/// Puts tiles onto a canvas.
pub(crate) struct Composer {
    lettering: Lettering,
    canvas: Picture,
    tiles: Vec<Placed>,
    /// Drawn once, for as long as they are shown.
    cards: HashMap<CardKey, Picture>,
    changed: bool,
}

type CardKey = (ParticipantId, String, (usize, usize));

struct Placed {
    role: Role,
    label: Option<Picture>,
    ring: bool,
    shown: Option<Shown>,
}

/// What is on the canvas at a tile's place.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Shown {
    Card,
    Shot(u64),
}

impl Composer {
    pub(crate) fn new(lettering: Lettering) -> Self {
        let canvas = Picture::new(WIDTH, HEIGHT, BACKGROUND);
        Self { lettering, canvas, tiles: Vec::new(), cards: HashMap::new(), changed: true }
    }

    /// Another scene. `title` is seen while nobody is.
    pub(crate) fn set(&mut self, title: &str, roles: Vec<Role>) {
        self.canvas.fill(Rect { x: 0, y: 0, width: WIDTH, height: HEIGHT }, BACKGROUND);
        if roles.is_empty() {
            self.lettering.centred(title, 56, (WIDTH / 2, HEIGHT / 2), &mut self.canvas);
        }
        let alone = roles.len() == 1;
        let mut cards = std::mem::take(&mut self.cards);
        self.tiles = roles
            .into_iter()
            .map(|role| {
                let key = card_key(&role);
                let card = cards.remove(&key).unwrap_or_else(|| card(&self.lettering, &role));
                self.cards.insert(key, card);
                let size = if role.place.height > HEIGHT / 2 { 26 } else { 15 };
                let label = self.lettering.label(&role.tile.name, size, role.place.width * 3 / 4);
                Placed { ring: role.tile.speaking && !alone, label, role, shown: None }
            })
            .collect();
        self.changed = true;
    }

    /// Brings the canvas up to date; true if it is another picture than before.
    pub(crate) fn compose(&mut self, now: Instant) -> bool {
        let mut changed = std::mem::take(&mut self.changed);
        for tile in &mut self.tiles {
            let fresh = |at: Instant| now.saturating_duration_since(at) < STALE_AFTER;
            let shot = tile.role.slot.as_ref().and_then(|slot| slot.latest()).filter(|shot| fresh(shot.at));
            let show = shot.as_ref().map_or(Shown::Card, |shot| Shown::Shot(shot.number));
            if tile.shown == Some(show) {
                continue;
            }
            let place = tile.role.place;
            match &shot {
                Some(shot) => shot.look(|view| self.canvas.put(place, view)),
                None => {
                    if let Some(card) = self.cards.get(&card_key(&tile.role)) {
                        self.canvas.put(place, card.view());
                    }
                }
            }
            if let Some(label) = &tile.label {
                let (width, height) = label.size();
                let (x, y) = (place.x + 8, place.y + place.height - height - 8);
                self.canvas.put(Rect { x, y, width, height }, label.view());
            }
            if tile.ring {
                self.canvas.ring(place, 4, RING);
            }
            tile.shown = Some(show);
            changed = true;
        }
        changed
    }

    /// All of I420, rows without gaps.
    pub(crate) fn canvas(&self) -> &[u8] {
        self.canvas.data()
    }
}

fn card_key(role: &Role) -> CardKey {
    (role.tile.participant, role.tile.name.clone(), (role.place.width, role.place.height))
}

/// A coloured disc with the name's first letter.
fn card(lettering: &Lettering, role: &Role) -> Picture {
    let Rect { width, height, .. } = role.place;
    let mut card = Picture::new(width, height, CARD);
    let seed = role.tile.participant.uuid().as_bytes().iter().fold(0, |sum: usize, byte| sum + usize::from(*byte));
    let centre = (width / 2, height * 9 / 20);
    card.disc(centre, height / 4, DISCS[seed % DISCS.len()]);
    let letter = role.tile.name.trim().chars().next();
    let letter = letter.map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    lettering.centred(&letter, height / 4, centre, &mut card);
    card
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media::TrackKind;
    use streaming::{Tile, TileKind};

    use super::*;
    use crate::{
        input::{Slot, tests::put},
        layout,
    };

    const RED: Colour = Colour::rgb(220, 30, 30);

    fn luma(composer: &Composer, x: usize, y: usize) -> u8 {
        composer.canvas()[y * WIDTH + x]
    }

    fn tile(slot: Option<&Arc<Slot>>, of: usize, index: usize, speaking: bool) -> Role {
        let participant = ParticipantId::new(uuid::Uuid::from_u128(index as u128));
        let kind = slot.map_or(TileKind::Avatar, |_| TileKind::Video(TrackKind::Camera));
        let tile = Tile { participant, name: "李雷".to_owned(), kind, speaking };
        Role { tile, place: layout::places(of)[index], slot: slot.cloned() }
    }

    #[test]
    fn a_picture_is_shown_and_nothing_is_done_twice() {
        let mut composer = Composer::new(Lettering::load(None));
        let slot = Arc::new(Slot::default());
        let now = Instant::now();
        assert!(composer.compose(now));
        composer.set("", vec![tile(Some(&slot), 1, 0, false)]);
        assert!(composer.compose(now));
        assert_eq!(luma(&composer, 4, 4), CARD.y);
        assert!(!composer.compose(now));
        put(&slot, WIDTH, HEIGHT, RED);
        assert!(composer.compose(now));
        assert_eq!(luma(&composer, 4, 4), RED.y);
        assert!(!composer.compose(now));
        assert_ne!(luma(&composer, 10, HEIGHT - 12), RED.y, "the label covers its corner");
    }

    // product: P3
    #[test]
    fn a_source_that_stalls_keeps_its_last_picture_then_gives_way_to_the_card() {
        let mut composer = Composer::new(Lettering::load(None));
        let slot = Arc::new(Slot::default());
        composer.set("", vec![tile(Some(&slot), 1, 0, false)]);
        put(&slot, WIDTH, HEIGHT, RED);
        let now = Instant::now();
        composer.compose(now);
        assert!(!composer.compose(now + STALE_AFTER / 2));
        assert_eq!(luma(&composer, 4, 4), RED.y);
        assert!(composer.compose(now + STALE_AFTER * 2));
        assert_eq!(luma(&composer, 4, 4), CARD.y);
    }

    #[test]
    fn who_speaks_has_a_ring_unless_alone() {
        let mut composer = Composer::new(Lettering::load(None));
        let now = Instant::now();
        composer.set("", vec![tile(None, 2, 0, false), tile(None, 2, 1, true)]);
        composer.compose(now);
        let (large, small) = (layout::places(2)[0], layout::places(2)[1]);
        assert_eq!(luma(&composer, large.x, large.y), CARD.y);
        assert_eq!(luma(&composer, small.x, small.y), RING.y);
        composer.set("", vec![tile(None, 1, 0, true)]);
        composer.compose(now);
        assert_eq!(luma(&composer, 0, 0), CARD.y);
        assert_eq!(composer.cards.len(), 1, "cards of who left are forgotten");
    }

    #[test]
    fn the_title_stands_alone() {
        let mut composer = Composer::new(Lettering::load(None));
        composer.set("季度例会", Vec::new());
        assert!(composer.compose(Instant::now()));
        let bright = composer.canvas()[..WIDTH * HEIGHT].iter().filter(|value| **value > 180).count();
        assert!(bright > 500, "{bright}");
    }
}
