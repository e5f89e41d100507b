//! Films for cameras to show (Y4M).

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Result;

/// A picture that is never the same: squares of which every fourth changes from frame to frame, in the colour (Cb, Cr) that each frame has.
pub struct Noise<Chroma: Fn(usize) -> [u8; 2]> {
    pub width: usize,
    pub height: usize,
    /// Frames in a second.
    pub fps: usize,
    /// After so many it begins anew.
    pub frames: usize,
    /// Of a frame, by its number.
    pub chroma: Chroma,
}

/// No colour.
pub const GREY: [u8; 2] = [128, 128];

impl<Chroma: Fn(usize) -> [u8; 2]> Noise<Chroma> {
    pub fn write(&self, path: &Path) -> Result<()> {
        const SQUARE: usize = 12;
        let Self { width, height, fps, frames, chroma } = self;
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "YUV4MPEG2 W{width} H{height} F{fps}:1 Ip A1:1 C420mpeg2")?;
        let mut random = 1_u32;
        let mut squares = vec![128_u8; (width / SQUARE) * (height / SQUARE)];
        for frame in 0..*frames {
            for square in &mut squares {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if random >> 30 == 0 {
                    *square = 64 + (random >> 16 & 0x7f) as u8;
                }
            }
            file.write_all(b"FRAME\n")?;
            for row in 0..*height {
                let first = (row / SQUARE) * (width / SQUARE);
                let luma = |column: usize| squares.get(first + column / SQUARE).copied().unwrap_or(128);
                file.write_all(&(0..*width).map(luma).collect::<Vec<_>>())?;
            }
            for plane in chroma(frame) {
                file.write_all(&vec![plane; width * height / 4])?;
            }
        }
        Ok(file.flush()?)
    }
}
