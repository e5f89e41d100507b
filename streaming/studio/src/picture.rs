//! Pictures in I420: a plane of brightness, and two of colour at half the size. Copying rows is all the composing there
//! is; scaling and converting is done before, by each input's own pipeline.

use crate::layout::Rect;

/// A colour: brightness and two differences, in the range of television (ITU-R BT.601).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    pub(crate) y: u8,
    pub(crate) u: u8,
    pub(crate) v: u8,
}

impl Colour {
    #[cfg(test)]
    pub(crate) const BLACK: Self = Self { y: 16, u: 128, v: 128 };
    pub(crate) const WHITE: Self = Self { y: 235, u: 128, v: 128 };

    /// From what screens show.
    pub(crate) const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        let (r, g, b) = (red as i32, green as i32, blue as i32);
        // ITU-R BT.601 §2.5.1 in 8-bit fixed point.
        Self {
            y: ((66 * r + 129 * g + 25 * b + 128) / 256 + 16) as u8,
            u: ((-38 * r - 74 * g + 112 * b + 128 * 257) / 256) as u8,
            v: ((112 * r - 94 * g - 18 * b + 128 * 257) / 256) as u8,
        }
    }

    /// This much of `over` on top, 0.0 to 1.0.
    fn blend(self, over: Self, part: f32) -> Self {
        let mix = |under: u8, over: u8| (f32::from(under) + (f32::from(over) - f32::from(under)) * part).round() as u8;
        Self { y: mix(self.y, over.y), u: mix(self.u, over.u), v: mix(self.v, over.v) }
    }
}

/// A picture of ours, rows without gaps. Width and height are even.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

/// A picture to copy from, wherever it is kept.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Y, U, V, each with the distance of its rows.
    pub(crate) planes: [(&'a [u8], usize); 3],
}

impl Picture {
    pub(crate) fn new(width: usize, height: usize, colour: Colour) -> Self {
        let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        let mut picture = Self { width, height, data: vec![0; width * height * 3 / 2] };
        picture.fill(Rect { x: 0, y: 0, width, height }, colour);
        picture
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(crate) fn view(&self) -> View<'_> {
        let (y, colours) = self.data.split_at(self.width * self.height);
        let (u, v) = colours.split_at(colours.len() / 2);
        let half = self.width / 2;
        View { width: self.width, height: self.height, planes: [(y, self.width), (u, half), (v, half)] }
    }

    /// One colour for a part of it.
    pub(crate) fn fill(&mut self, rect: Rect, colour: Colour) {
        let values = [colour.y, colour.u, colour.v];
        for (plane, value) in values.into_iter().enumerate() {
            let Rect { x, y, width, height } = in_plane(rect, plane);
            let (plane, stride) = self.plane(plane);
            plane.chunks_exact_mut(stride).skip(y).take(height).for_each(|row| row[x..x + width].fill(value));
        }
    }

    /// A frame along the inner edge of a part of it.
    pub(crate) fn ring(&mut self, rect: Rect, thickness: usize, colour: Colour) {
        let Rect { x, y, width, height } = rect;
        self.fill(Rect { height: thickness, ..rect }, colour);
        self.fill(Rect { y: y + height - thickness, height: thickness, ..rect }, colour);
        self.fill(Rect { width: thickness, ..rect }, colour);
        self.fill(Rect { x: x + width - thickness, width: thickness, ..rect }, colour);
    }

    /// Copies a picture into a part of this one. One of another size (a layout has just changed, and the scaler before
    /// us doesn't know yet) is stretched roughly for that moment.
    pub(crate) fn put(&mut self, rect: Rect, from: View<'_>) {
        let fits = (from.width, from.height) == (rect.width, rect.height);
        for (index, (source, source_stride)) in from.planes.into_iter().enumerate() {
            let Rect { x, y, width, height } = in_plane(rect, index);
            let (from_width, from_height) =
                if index == 0 { (from.width, from.height) } else { (from.width.div_ceil(2), from.height.div_ceil(2)) };
            let (plane, stride) = self.plane(index);
            for (line, row) in plane.chunks_exact_mut(stride).skip(y).take(height).enumerate() {
                let start = line * from_height / height * source_stride;
                let source = &source[start..start + from_width];
                let row = &mut row[x..x + width];
                if fits {
                    row.copy_from_slice(source);
                } else {
                    (0..width).for_each(|at| row[at] = source[at * from_width / width]);
                }
            }
        }
    }

    /// Paints one pixel; `cover` of 1.0 hides what was there.
    pub(crate) fn paint(&mut self, x: usize, y: usize, colour: Colour, cover: f32) {
        if x >= self.width || y >= self.height {
            return;
        }
        let (luma, chroma) = (y * self.width + x, y / 2 * (self.width / 2) + x / 2);
        let u = self.width * self.height + chroma;
        let v = u + self.width * self.height / 4;
        let under = Colour { y: self.data[luma], u: self.data[u], v: self.data[v] };
        let mixed = under.blend(colour, cover.clamp(0.0, 1.0));
        self.data[luma] = mixed.y;
        // Four pixels share a colour: it is set by the first of them.
        if x.is_multiple_of(2) && y.is_multiple_of(2) {
            (self.data[u], self.data[v]) = (mixed.u, mixed.v);
        }
    }

    /// A filled circle with a smooth edge.
    pub(crate) fn disc(&mut self, centre: (usize, usize), radius: usize, colour: Colour) {
        for y in centre.1.saturating_sub(radius)..(centre.1 + radius).min(self.height) {
            for x in centre.0.saturating_sub(radius)..(centre.0 + radius).min(self.width) {
                let (dx, dy) = (x.abs_diff(centre.0) as f32, y.abs_diff(centre.1) as f32);
                self.paint(x, y, colour, radius as f32 - dx.hypot(dy));
            }
        }
    }

    /// A telephone's receiver, lying: a bow with a bulb at each end. `radius` is half its width.
    pub(crate) fn handset(&mut self, centre: (usize, usize), radius: usize, colour: Colour) {
        let reach = radius as f32;
        let (thick, bulb) = (reach * 0.22, reach * 0.36);
        for y in centre.1.saturating_sub(radius * 2)..(centre.1 + radius * 2).min(self.height) {
            for x in centre.0.saturating_sub(radius * 2)..(centre.0 + radius * 2).min(self.width) {
                let (dx, dy) = (x as f32 - centre.0 as f32, y as f32 - centre.1 as f32 - reach * 0.3);
                let from_bow = if dy < 0.0 { (dx.hypot(dy) - reach).abs() - thick } else { f32::MAX };
                let from_bulb = (dx.abs() - reach).hypot(dy) - bulb;
                let outside = from_bow.min(from_bulb);
                if outside < 1.0 {
                    self.paint(x, y, colour, 0.5 - outside);
                }
            }
        }
    }

    fn plane(&mut self, index: usize) -> (&mut [u8], usize) {
        let (y, colours) = self.data.split_at_mut(self.width * self.height);
        let half = colours.len() / 2;
        match index {
            0 => (y, self.width),
            1 => (&mut colours[..half], self.width / 2),
            _ => (&mut colours[half..], self.width / 2),
        }
    }
}

fn in_plane(rect: Rect, plane: usize) -> Rect {
    let scale = if plane == 0 { 1 } else { 2 };
    Rect { x: rect.x / scale, y: rect.y / scale, width: rect.width / scale, height: rect.height / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Colour = Colour::rgb(255, 0, 0);

    fn at(picture: &Picture, x: usize, y: usize) -> Colour {
        let [(luma, stride), (u, half), (v, _)] = picture.view().planes;
        Colour { y: luma[y * stride + x], u: u[y / 2 * half + x / 2], v: v[y / 2 * half + x / 2] }
    }

    #[test]
    fn colours_are_those_of_television() {
        let check = |rgb: (u8, u8, u8), y: u8, u: u8, v: u8| {
            let colour = Colour::rgb(rgb.0, rgb.1, rgb.2);
            let near = |a: u8, b: u8| a.abs_diff(b) <= 1;
            assert!(near(colour.y, y) && near(colour.u, u) && near(colour.v, v), "{rgb:?} is {colour:?}");
        };
        check((0, 0, 0), 16, 128, 128);
        check((255, 255, 255), 235, 128, 128);
        check((255, 0, 0), 82, 90, 240);
        check((0, 255, 0), 145, 54, 34);
        check((0, 0, 255), 41, 240, 110);
    }

    #[test]
    fn a_picture_lands_where_it_is_put() {
        let mut canvas = Picture::new(16, 16, Colour::BLACK);
        let red = Picture::new(4, 4, RED);
        canvas.put(Rect { x: 4, y: 8, width: 4, height: 4 }, red.view());
        assert_eq!((at(&canvas, 4, 8), at(&canvas, 7, 11)), (RED, RED));
        for (x, y) in [(3, 8), (8, 8), (4, 7), (4, 12)] {
            assert_eq!(at(&canvas, x, y), Colour::BLACK, "{x} {y}");
        }
    }

    #[test]
    fn another_size_is_stretched() {
        for size in [2, 6, 8, 30] {
            let mut canvas = Picture::new(16, 16, Colour::BLACK);
            let red = Picture::new(size, size, RED);
            canvas.put(Rect { x: 4, y: 4, width: 8, height: 8 }, red.view());
            assert_eq!((at(&canvas, 4, 4), at(&canvas, 11, 11)), (RED, RED), "{size}");
            assert_eq!((at(&canvas, 3, 4), at(&canvas, 12, 11)), (Colour::BLACK, Colour::BLACK), "{size}");
        }
    }

    #[test]
    fn rings_and_discs_stay_inside() {
        let mut canvas = Picture::new(16, 16, Colour::BLACK);
        canvas.ring(Rect { x: 2, y: 2, width: 12, height: 12 }, 2, RED);
        assert_eq!((at(&canvas, 2, 2), at(&canvas, 13, 13)), (RED, RED));
        assert_eq!((at(&canvas, 4, 4), at(&canvas, 1, 1)), (Colour::BLACK, Colour::BLACK));
        canvas.disc((0, 0), 100, RED);
        assert_eq!(at(&canvas, 15, 15), RED);
        canvas.paint(99, 99, RED, 1.0);
    }
}
