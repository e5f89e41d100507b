//! `huitong-studio --remux FROM TO`: a recording in fragments becomes a plain MP4 that can be sought in and is played
//! while it is loaded. Nothing is coded anew.

use std::{io::Write, path::Path};

use anyhow::Context;
use gstreamer::{self as gst, prelude::*};

use crate::input::element;

/// A recording of a day takes less. It guards against a pipeline that hangs.
const TIME_MAX: gst::ClockTime = gst::ClockTime::from_seconds(600);

/// Writes the plain file and says on standard output how many seconds it has.
pub(crate) fn remux(from: &Path, to: &Path) -> anyhow::Result<()> {
    gst::init().context("GStreamer")?;
    let pipeline = gst::parse::launch(
        "filesrc name=from ! qtdemux name=read \
         mp4mux name=write faststart=true ! filesink name=to \
         read.video_0 ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! h264parse ! write. \
         read.audio_0 ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! aacparse ! write.",
    )?;
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
