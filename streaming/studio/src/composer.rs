//! The picture the audience sees, put together from tiles.
//!
//! Only what changed is copied: a tile whose slot has no new picture stays as it is on the canvas.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use model::ParticipantId;

use crate::{
    image::Image,
    input::Role,
    layout::{Rect, Size},
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

/// The logo is at most this large, and so far from the edges, at 720 lines.
const LOGO_MAX: (usize, usize) = (200, 80);
const LOGO_MARGIN: usize = 20;

/// What the operator has set.
#[derive(Default)]
pub(crate) struct Dress {
    pub(crate) logo: Option<Image>,
    pub(crate) background: Option<Image>,
    pub(crate) poster: Option<Image>,
}

impl Dress {
    /// What is behind the tiles, and what is seen while there are none.
    fn behind(&self, size: Size) -> (Picture, Option<Picture>) {
        let empty = || Picture::new(size.width, size.height, BACKGROUND);
        let covered = |image: &Image| {
            let mut picture = empty();
            image.cover(&mut picture);
            picture
        };
        (self.background.as_ref().map_or_else(empty, covered), self.poster.as_ref().map(covered))
    }
}

/// Puts tiles onto a canvas.
pub(crate) struct Composer {
    lettering: Lettering,
    dress: Dress,
    size: Size,
    backdrop: Picture,
    poster: Option<Picture>,
    canvas: Picture,
    tiles: Vec<Placed>,
    /// Drawn once, for as long as they are shown.
    cards: HashMap<CardKey, Picture>,
    changed: bool,
}

type CardKey = (ParticipantId, String, bool, (usize, usize));

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
    pub(crate) fn new(lettering: Lettering, dress: Dress, size: Size) -> Self {
        let (backdrop, poster) = dress.behind(size);
        let (tiles, cards, canvas) = (Vec::new(), HashMap::new(), backdrop.clone());
        Self { lettering, dress, size, backdrop, poster, canvas, tiles, cards, changed: true }
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Another scene, on a picture of this size. `title` is seen while nobody is.
    pub(crate) fn set(&mut self, title: &str, roles: Vec<Role>, size: Size) {
        if self.size != size {
            self.size = size;
            (self.backdrop, self.poster) = self.dress.behind(size);
            self.canvas = self.backdrop.clone();
        }
        let behind = self.poster.as_ref().filter(|_| roles.is_empty()).unwrap_or(&self.backdrop);
        self.canvas.put(size.rect(), behind.view());
        if roles.is_empty() {
            let middle = if self.poster.is_some() { size.height * 5 / 6 } else { size.height / 2 };
            self.lettering.centred(title, size.scaled(56), (size.width / 2, middle), &mut self.canvas);
        }
        let alone = roles.len() == 1;
        let mut cards = std::mem::take(&mut self.cards);
        self.tiles = roles
            .into_iter()
            .map(|role| {
                let key = card_key(&role);
                let card = cards.remove(&key).unwrap_or_else(|| card(&self.lettering, &role));
                self.cards.insert(key, card);
                let letters = size.scaled(if role.place.height > size.height / 2 { 26 } else { 15 });
                let label = self.lettering.label(&role.tile.name, letters, role.place.width * 3 / 4);
                Placed { ring: role.tile.speaking && !alone, label, role, shown: None }
            })
            .collect();
        self.changed = true;
        if self.tiles.is_empty() {
            self.draw_logo();
        }
    }

    /// Brings the canvas up to date; true if it is another picture than before.
    pub(crate) fn compose(&mut self, now: Instant) -> bool {
        let mut changed = std::mem::take(&mut self.changed);
        let logo = self.logo_place();
        let mut logo_is_covered = changed;
        for index in 0..self.tiles.len() {
            let ([.., tile], before_it) = self.tiles.split_at_mut(index + 1) else { break };
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
            logo_is_covered |= logo.is_some_and(|logo| logo.overlaps(&place));
            // Whoever stands before it is drawn again.
            before_it.iter_mut().filter(|other| other.role.place.overlaps(&place)).for_each(|other| other.shown = None);
        }
        if logo_is_covered {
            self.draw_logo();
        }
        changed
    }

    /// At the right, above.
    fn logo_place(&self) -> Option<Rect> {
        let (width, height) =
            self.dress.logo.as_ref()?.fitted(self.size.scaled(LOGO_MAX.0), self.size.scaled(LOGO_MAX.1));
        let margin = self.size.scaled(LOGO_MARGIN);
        Some(Rect { x: self.size.width - margin - width, y: margin, width, height })
    }

    fn draw_logo(&mut self) {
        if let (Some(place), Some(logo)) = (self.logo_place(), &self.dress.logo) {
            logo.draw((place.width, place.height), (place.x, place.y), &mut self.canvas);
        }
    }

    /// All of I420, rows without gaps.
    pub(crate) fn canvas(&self) -> &[u8] {
        self.canvas.data()
    }
}

fn card_key(role: &Role) -> CardKey {
    (role.tile.participant, role.tile.name.clone(), role.tile.phone, (role.place.width, role.place.height))
}

/// A coloured disc with the name's first letter, or with a telephone for who is on one: a number's first digit would say
/// nothing.
fn card(lettering: &Lettering, role: &Role) -> Picture {
    let Rect { width, height, .. } = role.place;
    let mut card = Picture::new(width, height, CARD);
    let seed = role.tile.participant.uuid().as_bytes().iter().fold(0, |sum: usize, byte| sum + usize::from(*byte));
    let centre = (width / 2, height * 9 / 20);
    card.disc(centre, height / 4, DISCS[seed % DISCS.len()]);
    if role.tile.phone {
        card.handset(centre, height / 8, Colour::WHITE);
        return card;
    }
    let letter = role.tile.name.trim().chars().next();
    let letter = letter.map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    lettering.centred(&letter, height / 4, centre, &mut card);
    card
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use media::TrackKind;
    use model::Layout;
    use streaming::{Tile, TileKind};

    use super::*;
    use crate::{
        image::tests::png,
        input::{Slot, tests::put},
        layout,
    };

    const WIDTH: usize = Size::HD.width;
    const HEIGHT: usize = Size::HD.height;
    const RED: Colour = Colour::rgb(220, 30, 30);

    fn luma(composer: &Composer, x: usize, y: usize) -> u8 {
        composer.canvas()[y * WIDTH + x]
    }

    fn tile(slot: Option<&Arc<Slot>>, of: usize, index: usize, speaking: bool) -> Role {
        let participant = ParticipantId::new(uuid::Uuid::from_u128(index as u128));
        let kind = slot.map_or(TileKind::Avatar, |_| TileKind::Video(TrackKind::Camera));
        let tile = Tile { participant, name: "李雷".to_owned(), kind, speaking, phone: false };
        Role { tile, place: layout::places(Layout::Speaker, of, Size::HD)[index], slot: slot.cloned() }
    }

    #[test]
    fn a_picture_is_shown_and_nothing_is_done_twice() {
        let mut composer = Composer::new(Lettering::load(None), Dress::default(), Size::HD);
        let slot = Arc::new(Slot::default());
        let now = Instant::now();
        assert!(composer.compose(now));
        composer.set("", vec![tile(Some(&slot), 1, 0, false)], Size::HD);
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
        let mut composer = Composer::new(Lettering::load(None), Dress::default(), Size::HD);
        let slot = Arc::new(Slot::default());
        composer.set("", vec![tile(Some(&slot), 1, 0, false)], Size::HD);
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
        let mut composer = Composer::new(Lettering::load(None), Dress::default(), Size::HD);
        let now = Instant::now();
        composer.set("", vec![tile(None, 2, 0, false), tile(None, 2, 1, true)], Size::HD);
        composer.compose(now);
        let (large, small) =
            (layout::places(Layout::Speaker, 2, Size::HD)[0], layout::places(Layout::Speaker, 2, Size::HD)[1]);
        assert_eq!(luma(&composer, large.x, large.y), CARD.y);
        assert_eq!(luma(&composer, small.x, small.y), RING.y);
        composer.set("", vec![tile(None, 1, 0, true)], Size::HD);
        composer.compose(now);
        assert_eq!(luma(&composer, 0, 0), CARD.y);
        assert_eq!(composer.cards.len(), 1, "cards of who left are forgotten");
    }

    #[test]
    fn the_title_stands_alone() {
        let mut composer = Composer::new(Lettering::load(None), Dress::default(), Size::HD);
        composer.set("季度例会", Vec::new(), Size::HD);
        assert!(composer.compose(Instant::now()));
        let bright = composer.canvas()[..WIDTH * HEIGHT].iter().filter(|value| **value > 180).count();
        assert!(bright > 500, "{bright}");
    }

    // product: B2
    #[test]
    fn the_picture_in_the_picture_stays_before_the_other() {
        let mut composer = Composer::new(Lettering::load(None), Dress::default(), Size::HD);
        let (screen, face) = (Arc::new(Slot::default()), Arc::new(Slot::default()));
        let places = layout::places(Layout::PictureInPicture, 2, Size::HD);
        let role = |slot, index: usize| Role { place: places[index], ..tile(Some(slot), 2, index, false) };
        composer.set("", vec![role(&screen, 0), role(&face, 1)], Size::HD);
        let now = Instant::now();
        put(&face, places[1].width, places[1].height, RED);
        put(&screen, WIDTH, HEIGHT, Colour::WHITE);
        let corner = (places[1].x + places[1].width / 2, places[1].y + 4);
        for _ in 0..3 {
            // The screen goes on and the face doesn't.
            put(&screen, WIDTH, HEIGHT, Colour::WHITE);
            assert!(composer.compose(now));
            assert_eq!(luma(&composer, corner.0, corner.1), RED.y);
            assert_eq!(luma(&composer, 4, 4), Colour::WHITE.y);
        }
    }

    // product: B2
    #[test]
    fn a_caller_has_a_telephone_instead_of_a_digit() {
        let mut composer = Composer::new(Lettering::load(None), Dress::default(), Size::HD);
        let mut caller = tile(None, 1, 0, false);
        composer.set("", vec![Role { tile: caller.tile.clone(), ..tile(None, 1, 0, false) }], Size::HD);
        composer.compose(Instant::now());
        let letter = composer.canvas().to_vec();
        caller.tile.phone = true;
        composer.set("", vec![caller], Size::HD);
        composer.compose(Instant::now());
        assert_ne!(composer.canvas(), letter);
        let (x, y, reach) = (WIDTH / 2, HEIGHT * 9 / 20, HEIGHT / 4);
        let inside = (y - reach / 2..y + reach / 2).flat_map(|y| (x - reach / 2..x + reach / 2).map(move |x| (x, y)));
        let bright = inside.filter(|(x, y)| luma(&composer, *x, *y) > 200).count();
        assert!((500..20_000).contains(&bright), "{bright} bright pixels");
    }

    // product: B2
    #[test]
    fn logo_background_and_poster_are_the_operators() {
        let folder = tempfile::tempdir().unwrap();
        let image = |size, colour| Image::load(&png(folder.path(), size, colour));
        let dress = Dress {
            logo: image((40, 20), [255, 255, 255]),
            background: image((320, 180), [10, 10, 90]),
            poster: image((64, 64), [120, 120, 20]),
        };
        let mut composer = Composer::new(Lettering::load(None), dress, Size::HD);
        let near = |seen: u8, colour: Colour| seen.abs_diff(colour.y) < 4;
        let logo = (WIDTH - LOGO_MARGIN - 10, LOGO_MARGIN + 10);
        composer.set("", Vec::new(), Size::HD);
        composer.compose(Instant::now());
        assert!(near(luma(&composer, 100, 100), Colour::rgb(120, 120, 20)), "the poster while nobody is there");
        assert!(near(luma(&composer, logo.0, logo.1), Colour::WHITE));
        let slot = Arc::new(Slot::default());
        composer.set("", vec![tile(Some(&slot), 2, 0, false), tile(None, 2, 1, false)], Size::HD);
        put(&slot, 1024, 576, RED);
        composer.compose(Instant::now());
        assert!(near(luma(&composer, 4, 700), Colour::rgb(10, 10, 90)), "the background beside the tiles");
        assert!(near(luma(&composer, 640, 300), RED));
        assert!(near(luma(&composer, logo.0, logo.1), Colour::WHITE), "the logo before them");
    }
}
