//! Where the tiles are. Pure.

use model::Layout;
use streaming::Scene;

/// The picture's width in pixels. 720p is what a meeting needs to be read, and a third of 1080p's cost.
pub(crate) const WIDTH: usize = 1280;

/// The picture's height in pixels.
pub(crate) const HEIGHT: usize = 720;

/// Small tiles in the speaker's row, and the part of the picture's width that the corner of a picture-in-picture has.
const ROW: usize = 5;

/// Between the corner picture and the edges.
const MARGIN: usize = 24;

/// A tile's place, in pixels. All four are even, as half-size colour planes need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rect {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Rect {
    /// All of the picture.
    pub(crate) const FULL: Self = Self { x: 0, y: 0, width: WIDTH, height: HEIGHT };

    /// They have a pixel in common.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let along_x = self.x < other.x + other.width && other.x < self.x + self.width;
        let along_y = self.y < other.y + other.height && other.y < self.y + self.height;
        along_x && along_y
    }
}

/// The places of so many tiles, from the back to the front; a tile alone fills the picture in every layout.
pub(crate) fn places(layout: Layout, tiles: usize) -> Vec<Rect> {
    let tiles = tiles.min(Scene::tiles_max(layout));
    match (layout, tiles) {
        (_, 0 | 1) => vec![Rect::FULL; tiles],
        (Layout::Speaker, _) => speaker(tiles),
        (Layout::Gallery, _) => gallery(tiles),
        (Layout::PictureInPicture, _) => vec![Rect::FULL, corner()],
    }
}

/// The first tile is large, and the others stand in a row below it.
///
/// ```text
/// +-----+------------------------+-----+
/// |     |                        |     |
/// |     |       1024 x 576       |     |
/// |     |                        |     |
/// +---+-+---+-------+-------+----+--+--+
/// |       each 256 x 144, centred      |
/// +---+-----+-------+-------+-------+--+
/// ```
fn speaker(tiles: usize) -> Vec<Rect> {
    let (width, height) = (WIDTH / ROW, HEIGHT / ROW);
    let large = Rect { x: width / 2, y: 0, width: WIDTH - width, height: HEIGHT - height };
    let small = tiles - 1;
    let left = (WIDTH - small * width) / 2;
    let row = (0..small).map(|index| Rect { x: left + index * width, y: HEIGHT - height, width, height });
    std::iter::once(large).chain(row).collect()
}

/// All alike in a grid as square as may be; the last row is centred.
fn gallery(tiles: usize) -> Vec<Rect> {
    let columns = (1..).find(|side| side * side >= tiles).unwrap_or(1);
    let rows = tiles.div_ceil(columns);
    // Of the shape 16:9 and even in both directions.
    let unit = WIDTH / columns / 32;
    let (width, height) = (unit * 32, unit * 18);
    let (gap_x, gap_y) = even((WIDTH - columns * width) / (columns + 1), (HEIGHT - rows * height) / (rows + 1));
    let gap_y = gap_y.min(gap_x.max(8));
    let top = (HEIGHT - rows * height - (rows - 1) * gap_y) / 2;
    let place = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let in_row = (tiles - row * columns).min(columns);
        let left = (WIDTH - in_row * width - (in_row - 1) * gap_x) / 2;
        let (x, y) = even(left + column * (width + gap_x), top + row * (height + gap_y));
        Rect { x, y, width, height }
    };
    (0..tiles).map(place).collect()
}

/// Below and to the right, where faces and slides have least to say.
fn corner() -> Rect {
    let (width, height) = (WIDTH / ROW, HEIGHT / ROW);
    Rect { x: WIDTH - width - MARGIN, y: HEIGHT - height - MARGIN, width, height }
}

fn even(x: usize, y: usize) -> (usize, usize) {
    (x / 2 * 2, y / 2 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Layout; 3] = [Layout::Speaker, Layout::Gallery, Layout::PictureInPicture];

    // product: B2
    #[test]
    fn tiles_are_even_inside_and_apart() {
        for layout in ALL {
            for tiles in 0..40 {
                let places = places(layout, tiles);
                assert_eq!(places.len(), tiles.min(Scene::tiles_max(layout)));
                for (index, place) in places.iter().enumerate() {
                    assert!(place.x + place.width <= WIDTH && place.y + place.height <= HEIGHT, "{place:?}");
                    assert!([place.x, place.y, place.width, place.height].iter().all(|n| n % 2 == 0), "{place:?}");
                    assert_eq!(place.width * 9, place.height * 16, "{place:?} of {tiles}");
                    let overlap = places[index + 1..].iter().any(|other| place.overlaps(other));
                    let may = layout == Layout::PictureInPicture && index == 0 && places.len() == 2;
                    assert_eq!(overlap, may, "{layout:?}: {place:?} of {tiles}");
                }
            }
        }
    }

    #[test]
    fn a_gallery_wastes_little() {
        for tiles in 1..=16 {
            let area: usize = places(Layout::Gallery, tiles).iter().map(|place| place.width * place.height).sum();
            assert!(area * 100 >= WIDTH * HEIGHT * 43, "{tiles} tiles cover {area} pixels");
        }
    }
}
