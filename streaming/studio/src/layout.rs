//! Where the tiles are. Pure.

use model::Layout;
use streaming::Scene;

/// How large the picture is, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Size {
    /// What a meeting needs to be read, for less than half of the cost of the larger one.
    pub(crate) const HD: Self = Self { width: 1280, height: 720 };

    /// Small letters of shared screens can be read too.
    pub(crate) const FULL_HD: Self = Self { width: 1920, height: 1080 };

    /// All of the picture.
    pub(crate) const fn rect(self) -> Rect {
        Rect { x: 0, y: 0, width: self.width, height: self.height }
    }

    /// A length that is as large in it as this one is at 720 lines.
    pub(crate) const fn scaled(self, length: usize) -> usize {
        length * self.height / Self::HD.height
    }
}

/// Small tiles in the speaker's row, and the part of the picture's width that the corner of a picture-in-picture has.
const ROW: usize = 5;

/// Between the corner picture and the edges, at 720 lines.
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
    /// They have a pixel in common.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let along_x = self.x < other.x + other.width && other.x < self.x + self.width;
        let along_y = self.y < other.y + other.height && other.y < self.y + self.height;
        along_x && along_y
    }
}

/// The places of so many tiles, from the back to the front; a tile alone fills the picture in every layout.
pub(crate) fn places(layout: Layout, tiles: usize, size: Size) -> Vec<Rect> {
    let tiles = tiles.min(Scene::tiles_max(layout));
    match (layout, tiles) {
        (_, 0 | 1) => vec![size.rect(); tiles],
        (Layout::Speaker, _) => speaker(tiles, size),
        (Layout::Gallery, _) => gallery(tiles, size),
        (Layout::PictureInPicture, _) => vec![size.rect(), corner(size)],
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
fn speaker(tiles: usize, size: Size) -> Vec<Rect> {
    let (width, height) = (size.width / ROW, size.height / ROW);
    let large = Rect { x: width / 2, y: 0, width: size.width - width, height: size.height - height };
    let small = tiles - 1;
    let left = (size.width - small * width) / 2;
    let row = (0..small).map(|index| Rect { x: left + index * width, y: size.height - height, width, height });
    std::iter::once(large).chain(row).collect()
}

/// All alike in a grid as square as may be; the last row is centred.
fn gallery(tiles: usize, size: Size) -> Vec<Rect> {
    let columns = (1..).find(|side| side * side >= tiles).unwrap_or(1);
    let rows = tiles.div_ceil(columns);
    // Of the shape 16:9 and even in both directions.
    let unit = size.width / columns / 32;
    let (width, height) = (unit * 32, unit * 18);
    let (gap_x, gap_y) =
        even((size.width - columns * width) / (columns + 1), (size.height - rows * height) / (rows + 1));
    let gap_y = gap_y.min(gap_x.max(8));
    let top = (size.height - rows * height - (rows - 1) * gap_y) / 2;
    let place = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let in_row = (tiles - row * columns).min(columns);
        let left = (size.width - in_row * width - (in_row - 1) * gap_x) / 2;
        let (x, y) = even(left + column * (width + gap_x), top + row * (height + gap_y));
        Rect { x, y, width, height }
    };
    (0..tiles).map(place).collect()
}

/// Below and to the right, where faces and slides have least to say.
fn corner(size: Size) -> Rect {
    let (width, height, margin) = (size.width / ROW, size.height / ROW, size.scaled(MARGIN));
    Rect { x: size.width - width - margin, y: size.height - height - margin, width, height }
}

fn even(x: usize, y: usize) -> (usize, usize) {
    (x / 2 * 2, y / 2 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Layout; 3] = [Layout::Speaker, Layout::Gallery, Layout::PictureInPicture];
    const SIZES: [Size; 2] = [Size::HD, Size::FULL_HD];

    // product: B2
    #[test]
    fn tiles_are_even_inside_and_apart() {
        for (layout, size) in ALL.into_iter().flat_map(|layout| SIZES.map(|size| (layout, size))) {
            for tiles in 0..40 {
                let places = places(layout, tiles, size);
                assert_eq!(places.len(), tiles.min(Scene::tiles_max(layout)));
                for (index, place) in places.iter().enumerate() {
                    assert!(place.x + place.width <= size.width && place.y + place.height <= size.height, "{place:?}");
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
        for (tiles, size) in (1..=16).flat_map(|tiles| SIZES.map(|size| (tiles, size))) {
            let area: usize = places(Layout::Gallery, tiles, size).iter().map(|place| place.width * place.height).sum();
            assert!(area * 100 >= size.width * size.height * 43, "{tiles} tiles cover {area} pixels");
        }
    }
}
