//! `huitong-studio --remux FROM TO`: a recording in fragments becomes a plain MP4 that can be sought in and is played
//! while it is loaded. Nothing is coded anew.

use std::{io::Write, path::Path};

use anyhow::Context;
use gstreamer::{self as gst, prelude::*};

use crate::input::element;

/// A recording of a day takes less. It guards against a pipeline that hangs.
const TIME_MAX: gst::ClockTime = gst::ClockTime::from_seconds(600);

/// What waits of each track until the other one is as far. Picture and sound lie side by side in a recording, a second of each at a time:
/// it is a few seconds at most, where without a bound all of a film would be in memory that is read faster than it is written. A
/// recording that lacks one of the two for longer than this has of the other is not made plain, and stays as it is.
const QUEUE: &str = "queue max-size-time=0 max-size-buffers=0 max-size-bytes=67108864";

/// Writes the plain file and says on standard output how many seconds it has.
pub(crate) fn remux(from: &Path, to: &Path) -> anyhow::Result<()> {
    gst::init().context("GStreamer")?;
    let pipeline = gst::parse::launch(&format!(
        "filesrc name=from ! qtdemux name=read \
         mp4mux name=write faststart=true ! filesink name=to \
         read.video_0 ! {QUEUE} ! h264parse ! write. \
         read.audio_0 ! {QUEUE} ! aacparse ! write."
    ))?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
    let path = |path: &Path| path.to_str().map(str::to_owned).context("a name that is no text");
    element::<gst::Element>(&pipeline, "from")?.set_property("location", path(from)?);
    element::<gst::Element>(&pipeline, "to")?.set_property("location", path(to)?);
    // Where there is room for the recording, there is room for this; /tmp may be small.
    let between = to.with_extension("moving");
    element::<gst::Element>(&pipeline, "write")?.set_property("faststart-file", path(&between)?);
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().context("a pipeline has a bus")?;
    let end = bus.timed_pop_filtered(TIME_MAX, &[gst::MessageType::Eos, gst::MessageType::Error]);
    let position = pipeline.query_position::<gst::ClockTime>();
    pipeline.set_state(gst::State::Null)?;
    let _none = std::fs::remove_file(between);
    let end = end.context("it takes too long")?;
    if let gst::MessageView::Error(error) = end.view() {
        anyhow::bail!("{} ({:?})", error.error(), error.debug());
    }
    if let Some(position) = position {
        writeln!(std::io::stdout(), "{:.3}", position.nseconds() as f64 / 1e9)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a pipeline to its end.
    fn run(description: &str) {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(description).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let end =
            pipeline.bus().unwrap().timed_pop_filtered(TIME_MAX, &[gst::MessageType::Eos, gst::MessageType::Error]);
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    }

    // product: B6
    #[test]
    fn a_film_much_larger_than_what_may_wait_is_made_plain() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["part.mp4", "whole.mp4"].map(|name| folder.path().join(name));
        // Noise without loss has as many bytes in a minute as a camera in an hour.
        run(&format!(
            "videotestsrc num-buffers=1500 pattern=snow ! video/x-raw,format=I420,width=320,height=180,framerate=25/1 \
             ! x264enc speed-preset=ultrafast tune=zerolatency pass=quant quantizer=0 key-int-max=50 ! h264parse ! write. \
             audiotestsrc num-buffers=2812 samplesperbuffer=1024 ! audio/x-raw,rate=48000,channels=1 ! avenc_aac ! aacparse ! write. \
             mp4mux name=write fragment-duration=1000 ! filesink location={}",
            from.display()
        ));
        let bytes = std::fs::metadata(&from).unwrap().len();
        assert!(bytes > 100 << 20, "{bytes} bytes of two times 64 MiB are in the film");
        remux(&from, &to).unwrap();
        let whole = std::fs::metadata(&to).unwrap().len();
        assert!(whole > bytes * 9 / 10, "{whole} of {bytes} bytes");
        // Read anew, it has its length.
        let again = folder.path().join("again.mp4");
        remux(&to, &again).unwrap();
        assert!(std::fs::metadata(&again).unwrap().len() > bytes * 9 / 10);
    }
}
