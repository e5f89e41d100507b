//! Names on pictures.

use std::{fs, path::Path, path::PathBuf};

use ab_glyph::{Font, FontVec, PxScale, ScaleFont, point};

use crate::picture::{Colour, Picture};

/// Tried in this order where no font is named. The first has every name of our users in one style; the others at least
/// the Latin ones. The number is the font's place in its collection: in Noto's the third has the forms of simplified
/// Chinese.
const FONTS: [(&str, u32); 4] = [
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 0),
    ("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf", 0),
];

/// What stands for the end of a name that is too long.
const ELLIPSIS: char = '…';

/// Draws text, or nothing on a machine without any font: a stream without names is better than none.
pub(crate) struct Lettering {
    font: Option<FontVec>,
}

impl Lettering {
    /// The font in the file, else the first one there is.
    pub(crate) fn load(named: Option<&Path>) -> Self {
        let named = named.map(|path| (path.to_owned(), 2)).into_iter();
        let known = FONTS.iter().map(|(path, index)| (PathBuf::from(path), *index));
        let font = named.chain(known).find_map(|(path, index)| {
            let bytes = fs::read(&path).ok()?;
            let font = FontVec::try_from_vec_and_index(bytes.clone(), index).or_else(|_| FontVec::try_from_vec(bytes));
            tracing::debug!(path = %path.display(), read = font.is_ok(), "font");
            font.ok()
        });
        if font.is_none() {
            tracing::warn!("no font found: names are not shown");
        }
        Self { font }
    }

    /// A label: the name on a dark strip, at most `width_max` pixels wide. None for an empty name or without a font.
    pub(crate) fn label(&self, name: &str, size: usize, width_max: usize) -> Option<Picture> {
        let name = printable(name);
        let font = self.font.as_ref().filter(|_| !name.is_empty())?;
        let padding = size / 2;
        let text = shorten(font, &name, size, width_max.checked_sub(padding * 2)?);
        let width = text_width(font, &text, size).ceil() as usize;
        let mut label = Picture::new(width + padding * 2, size * 3 / 2, STRIP);
        let baseline = size as f32 * 1.1;
        draw(font, &text, size, (padding as f32, baseline), &mut label);
        Some(label)
    }

    /// Text in the middle of a picture, around `centre`.
    pub(crate) fn centred(&self, text: &str, size: usize, centre: (usize, usize), onto: &mut Picture) {
        let Some(font) = &self.font else { return };
        let text = shorten(font, &printable(text), size, onto.size().0 * 9 / 10);
        let left = centre.0 as f32 - text_width(font, &text, size) / 2.0;
        draw(font, &text, size, (left, centre.1 as f32 + size as f32 * 0.36), onto);
    }
}

/// Behind a name, so that it can be read on any picture.
const STRIP: Colour = Colour::rgb(28, 30, 36);

fn printable(name: &str) -> String {
    name.trim().chars().filter(|character| !character.is_control()).collect()
}

/// One em is this many pixels.
fn scale(font: &FontVec, size: usize) -> PxScale {
    let em = font.units_per_em().unwrap_or(1000.0);
    PxScale::from(size as f32 * font.height_unscaled() / em)
}

fn text_width(font: &FontVec, text: &str, size: usize) -> f32 {
    let scaled = font.as_scaled(scale(font, size));
    text.chars().map(|character| scaled.h_advance(scaled.glyph_id(character))).sum()
}

fn shorten(font: &FontVec, text: &str, size: usize, width_max: usize) -> String {
    let mut text = text.to_owned();
    let fits = |text: &str| text_width(font, text, size) <= width_max as f32;
    if fits(&text) {
        return text;
    }
    loop {
        text.pop();
        let short = format!("{}{ELLIPSIS}", text.trim_end());
        if text.is_empty() || fits(&short) {
            return short;
        }
    }
}

/// `at` is the left end of the baseline.
fn draw(font: &FontVec, text: &str, size: usize, at: (f32, f32), onto: &mut Picture) {
    let scale = scale(font, size);
    let scaled = font.as_scaled(scale);
    let mut x = at.0;
    for character in text.chars() {
        let id = scaled.glyph_id(character);
        if let Some(outline) = font.outline_glyph(id.with_scale_and_position(scale, point(x, at.1))) {
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, cover| {
                let (x, y) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                if x >= 0.0 && y >= 0.0 {
                    onto.paint(x as usize, y as usize, Colour::WHITE, cover);
                }
            });
        }
        x += scaled.h_advance(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(picture: &Picture) -> usize {
        let (luma, _) = picture.view().planes[0];
        luma.iter().filter(|value| **value > 180).count()
    }

    // product: P3
    #[test]
    fn names_of_all_kinds_are_drawn() {
        let lettering = Lettering::load(None);
        let check = |name: &str| {
            let label = lettering.label(name, 28, 600).unwrap();
            assert!(ink(&label) > 40, "{name} shows {} bright pixels", ink(&label));
            label.size().0
        };
        assert!(check("韩梅梅") < check("韩梅梅和李雷"));
        check("Ada");
        check("138****5678");
        assert!(lettering.label("  \n", 28, 600).is_none());
    }

    #[test]
    fn a_long_name_is_cut() {
        let lettering = Lettering::load(None);
        let label = lettering.label(&"很长的名字".repeat(30), 16, 200).unwrap();
        assert!((150..=200).contains(&label.size().0), "{:?}", label.size());
        assert!(lettering.label("a", 16, 3).is_none());
    }

    #[test]
    fn without_a_font_there_are_no_names() {
        let lettering = Lettering { font: None };
        assert!(lettering.label("a", 16, 200).is_none());
        let mut canvas = Picture::new(64, 64, Colour::BLACK);
        lettering.centred("a", 16, (32, 32), &mut canvas);
        assert_eq!(canvas, Picture::new(64, 64, Colour::BLACK));
    }

    #[test]
    fn a_font_that_is_none_is_passed_over() {
        let lettering = Lettering::load(Some(Path::new("/dev/null")));
        assert!(lettering.label("a", 16, 200).is_some());
    }
}
