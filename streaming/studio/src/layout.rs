//! Where the tiles are. Pure.

/// The picture's width in pixels. 720p is what a meeting needs to be read, and a third of 1080p's cost.
pub(crate) const WIDTH: usize = 1280;

/// The picture's height in pixels.
pub(crate) const HEIGHT: usize = 720;

/// Small tiles in the row.
const ROW: usize = 5;

/// A tile's place, in pixels. All four are even, as half-size colour planes need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rect {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The first tile fills the picture while it is alone; with others it is large, and they stand in a row below it.
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
pub(crate) fn places(tiles: usize) -> Vec<Rect> {
    if tiles <= 1 {
        return vec![Rect { x: 0, y: 0, width: WIDTH, height: HEIGHT }; tiles];
    }
    let (width, height) = (WIDTH / ROW, HEIGHT / ROW);
    let large = Rect { x: width / 2, y: 0, width: WIDTH - width, height: HEIGHT - height };
    let small = (tiles - 1).min(ROW);
    let left = (WIDTH - small * width) / 2;
    let row = (0..small).map(|index| Rect { x: left + index * width, y: HEIGHT - height, width, height });
    std::iter::once(large).chain(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_even_inside_and_apart() {
        for tiles in 0..10 {
            let places = places(tiles);
            assert_eq!(places.len(), tiles.min(1 + ROW));
            for (index, place) in places.iter().enumerate() {
                assert!(place.x + place.width <= WIDTH && place.y + place.height <= HEIGHT, "{place:?}");
                assert!([place.x, place.y, place.width, place.height].iter().all(|n| n % 2 == 0), "{place:?}");
                assert_eq!(place.width * 9, place.height * 16, "{place:?} of {tiles}");
                for other in &places[index + 1..] {
                    let apart_x = place.x + place.width <= other.x || other.x + other.width <= place.x;
                    let apart_y = place.y + place.height <= other.y || other.y + other.height <= place.y;
                    assert!(apart_x || apart_y, "{place:?} and {other:?} of {tiles}");
                }
            }
        }
    }

    #[test]
    fn as_many_places_as_a_scene_shows() {
        assert_eq!(places(100).len(), streaming::Scene::TILES_MAX);
    }
}
