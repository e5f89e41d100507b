//! Pictures from files: the operator's logo, background and poster.

use std::path::Path;

use anyhow::Context;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use gstreamer_video as gst_video;

use crate::{
    input::element,
    picture::{Colour, Picture},
};

/// How long a file may take to be read. It is local, and no film.
const READ_MAX: gst::ClockTime = gst::ClockTime::from_seconds(3);

/// Larger ones are refused: nothing in a picture of 1280 x 720 needs them.
const SIDE_MAX: u32 = 8_192;

/// A picture with transparency, red, green, blue and alpha for each pixel.
pub(crate) struct Image {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

impl Image {
    /// Reads a PNG or JPEG file; none, with a line in the log, where that can't be done: a livestream without its logo is
    /// better than none.
    pub(crate) fn load(path: &Path) -> Option<Self> {
        match read(path) {
            Ok(image) => Some(image),
            Err(error) => {
                tracing::warn!(path = %path.display(), error = format!("{error:#}"), "picture can't be read");
                None
            }
        }
    }

    /// The size it has when it is to fit, and never larger than it is.
    pub(crate) fn fitted(&self, width: usize, height: usize) -> (usize, usize) {
        let scale = (width as f64 / self.width as f64).min(height as f64 / self.height as f64).min(1.0);
        let side = |length: usize| ((length as f64 * scale) as usize).max(1);
        (side(self.width), side(self.height))
    }

    /// Draws it this large, with its left upper corner at `at`.
    pub(crate) fn draw(&self, (width, height): (usize, usize), at: (usize, usize), onto: &mut Picture) {
        for y in 0..height {
            for x in 0..width {
                let [red, green, blue, alpha] = self.mean((x, y), (width, height));
                onto.paint(at.0 + x, at.1 + y, Colour::rgb(red, green, blue), f32::from(alpha) / 255.0);
            }
        }
    }

    /// Draws it so that it covers all of a picture; what sticks out is cut off evenly.
    pub(crate) fn cover(&self, onto: &mut Picture) {
        let (width, height) = onto.size();
        let scale = (self.width as f64 / width as f64).min(self.height as f64 / height as f64);
        let (seen_x, seen_y) = ((width as f64 * scale) as usize, (height as f64 * scale) as usize);
        let (left, top) = ((self.width - seen_x) / 2, (self.height - seen_y) / 2);
        for y in 0..height {
            for x in 0..width {
                let [red, green, blue, alpha] =
                    self.pixels[(top + y * seen_y / height) * self.width + left + x * seen_x / width];
                onto.paint(x, y, Colour::rgb(red, green, blue), f32::from(alpha) / 255.0);
            }
        }
    }

    /// The mean of all pixels that become one when it is drawn this large.
    fn mean(&self, (x, y): (usize, usize), (width, height): (usize, usize)) -> [u8; 4] {
        let range = |at: usize, of: usize, from: usize| {
            let start = at * from / of;
            start..((at + 1) * from).div_ceil(of).clamp(start + 1, from)
        };
        let (mut sum, mut alpha, mut count) = ([0; 3], 0, 0);
        for row in range(y, height, self.height) {
            for pixel in &self.pixels[row * self.width..][range(x, width, self.width)] {
                // A transparent pixel has a colour that nobody is to see.
                (0..3).for_each(|channel| sum[channel] += u64::from(pixel[channel]) * u64::from(pixel[3]));
                alpha += u64::from(pixel[3]);
                count += 1;
            }
        }
        let [red, green, blue] = sum.map(|sum| (sum / alpha.max(1)) as u8);
        [red, green, blue, (alpha / count.max(1)) as u8]
    }
}

fn read(path: &Path) -> anyhow::Result<Image> {
    let pipeline = gst::parse::launch(
        "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=RGBA ! appsink name=picture sync=false",
    )?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
    element::<gst::Element>(&pipeline, "file")?.set_property("location", path.to_str().context("its name")?);
    let sink: AppSink = element(&pipeline, "picture")?;
    pipeline.set_state(gst::State::Playing)?;
    let sample = sink.try_pull_sample(READ_MAX);
    let read = sample.context("it has no picture").and_then(|sample| pixels(&sample));
    pipeline.set_state(gst::State::Null)?;
    read
}

fn pixels(sample: &gst::Sample) -> anyhow::Result<Image> {
    let info = gst_video::VideoInfo::from_caps(sample.caps().context("no caps")?)?;
    anyhow::ensure!(info.width() <= SIDE_MAX && info.height() <= SIDE_MAX, "{} x {}", info.width(), info.height());
    let (width, height) = (info.width() as usize, info.height() as usize);
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer().context("no buffer")?, &info)?;
    let stride = usize::try_from(info.stride()[0])?;
    let rows = frame.plane_data(0)?.chunks(stride).take(height);
    let pixels: Vec<[u8; 4]> = rows.flat_map(|row| row[..width * 4].as_chunks::<4>().0).copied().collect();
    anyhow::ensure!(width > 0 && height > 0 && pixels.len() == width * height, "its size is not what it says");
    Ok(Image { width, height, pixels })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A PNG of one colour.
    pub(crate) fn png(folder: &Path, (width, height): (u32, u32), [red, green, blue]: [u8; 3]) -> std::path::PathBuf {
        gst::init().unwrap();
        let path = folder.join(format!("{width}x{height}.png"));
        let colour = u32::from_be_bytes([255, red, green, blue]);
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=1 pattern=solid-color foreground-color={colour} \
             ! video/x-raw,format=RGB,width={width},height={height} ! pngenc ! filesink location={}",
            path.display()
        ));
        let pipeline = pipeline.unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let bus = pipeline.bus().unwrap();
        bus.timed_pop_filtered(gst::ClockTime::from_seconds(5), &[gst::MessageType::Eos]).unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        path
    }

    #[test]
    fn a_file_is_read_and_drawn_in_any_size() {
        let folder = tempfile::tempdir().unwrap();
        let image = Image::load(&png(folder.path(), (64, 32), [220, 30, 30])).unwrap();
        assert_eq!(image.fitted(1_000, 1_000), (64, 32), "it is never made larger");
        assert_eq!(image.fitted(32, 1_000), (32, 16));
        let mut canvas = Picture::new(64, 64, Colour::BLACK);
        image.draw((16, 8), (4, 4), &mut canvas);
        let red = Colour::rgb(220, 30, 30).y;
        let luma = |canvas: &Picture, x: usize, y: usize| canvas.data()[y * 64 + x];
        assert!(luma(&canvas, 5, 5).abs_diff(red) < 3 && luma(&canvas, 19, 11).abs_diff(red) < 3);
        assert_eq!((luma(&canvas, 3, 5), luma(&canvas, 20, 5)), (16, 16));
        image.cover(&mut canvas);
        assert!([(0, 0), (63, 0), (0, 63), (63, 63)].iter().all(|(x, y)| luma(&canvas, *x, *y).abs_diff(red) < 3));
    }

    #[test]
    fn what_is_no_picture_is_left_out() {
        gst::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nonsense.png");
        std::fs::write(&path, b"nonsense").unwrap();
        assert!(Image::load(&path).is_none());
        assert!(Image::load(Path::new("/nonexistent.png")).is_none());
    }
}
