//! `huitong-studio --ingest`: what an encoder sends by RTMP is made into what browsers take. H.264 is coded anew without pictures
//! that refer to later ones (encoders send those by default, browsers show them out of order) and with key frames when somebody
//! comes; AAC becomes Opus. What comes is one FLV file without an end, what goes are packets of RTP.

use std::{io::BufReader, os::unix::net::UnixStream};

use anyhow::Context;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video::UpstreamForceKeyUnitEvent;
use media::TrackKind;
use streaming::wire::{self, FromIngester, ToIngester};

use crate::{
    h264::{self, Profile},
    input::element,
    layout::Size,
    parent::{self, Voice},
};

/// Of the picture, in kbit/s: a camera of 720 lines as browsers send it at their best.
const BITRATE_KBIT: u32 = 2_500;

/// Larger pictures are made so large, and faster ones so fast.
const WIDTH_MAX: usize = Size::HD.width;
const HEIGHT_MAX: usize = Size::HD.height;
const FPS_MAX: i32 = 30;

/// What may wait to be decoded; more than two seconds of it. Above it the encoder is made to wait.
const WAITING_MAX: u64 = 4 << 20;

/// Passes on until the socket closes or what comes can't be read; the last word says why. `encoder` is the one to take if it works.
pub(crate) fn ingest(encoder: Option<&str>) -> anyhow::Result<()> {
    let socket = parent::connect()?;
    let voice = Voice::new(&socket)?;
    if let Err(error) = run(BufReader::with_capacity(64 << 10, socket), &voice, encoder) {
        fail(&voice, &format!("{error:#}"));
    }
    Ok(())
}

/// The last word.
fn fail(voice: &Voice, reason: &str) {
    voice.end(|out| FromIngester::Failed(reason.to_owned()).write(out));
}

fn run(mut socket: BufReader<UnixStream>, voice: &Voice, encoder: Option<&str>) -> anyhow::Result<()> {
    let line = Line::start(voice, encoder)?;
    while let Some(frame) = wire::read_frame(&mut socket)? {
        match ToIngester::read(frame)? {
            ToIngester::Flv(bytes) => {
                // After an error the reader is woken: that ends it.
                let _refused = line.source.push_buffer(gst::Buffer::from_slice(bytes));
            }
            ToIngester::Keyframe => {
                let _asked = line.picture.send_event(UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
            }
        }
    }
    Ok(())
}

struct Line {
    pipeline: gst::Pipeline,
    source: AppSrc,
    picture: AppSink,
}

impl Line {
    fn start(voice: &Voice, encoder: Option<&str>) -> anyhow::Result<Self> {
        let codec = h264::choose(encoder, Profile::ConstrainedBaseline, &[(Size::HD, BITRATE_KBIT)])?;
        let coded = codec.pipeline("h264", Profile::ConstrainedBaseline, BITRATE_KBIT);
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=source format=bytes block=true max-bytes={WAITING_MAX} caps=video/x-flv ! flvdemux name=demux \
             demux.video ! queue ! h264parse ! avdec_h264 max-threads=2 ! videoconvert ! videorate drop-only=true \
               ! videoscale ! video/x-raw,format=I420,width=[16,{WIDTH_MAX}],height=[16,{HEIGHT_MAX}],\
                 framerate=[0/1,{FPS_MAX}/1],pixel-aspect-ratio=1/1 \
               ! {coded} ! rtph264pay config-interval=-1 aggregate-mode=zero-latency mtu=1180 ! appsink name=picture sync=false async=false \
             demux.audio ! queue ! aacparse ! avdec_aac ! audioconvert ! audioresample \
               ! audio/x-raw,rate=48000,channels=1 ! opusenc frame-size=20 bitrate=48000 inband-fec=true \
               ! rtpopuspay ! appsink name=sound sync=false async=false"
        ));
        let pipeline = pipeline.context("this system can't take it")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let source = element(&pipeline, "source")?;
        let picture: AppSink = element(&pipeline, "picture")?;
        let sound: AppSink = element(&pipeline, "sound")?;
        for (sink, kind) in [(&picture, TrackKind::Camera), (&sound, TrackKind::Audio)] {
            let voice = voice.clone();
            let pass_on = move |sink: &AppSink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let one = sample.buffer().into_iter();
                let list = sample.buffer_list().into_iter().flat_map(gst::BufferListRef::iter);
                for buffer in one.chain(list) {
                    let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
                    let rtp = map.as_slice().to_vec().into();
                    if !voice.say(|out| FromIngester::Packet(kind, rtp).write(out)) {
                        return Err(gst::FlowError::Eos);
                    }
                }
                Ok(gst::FlowSuccess::Ok)
            };
            sink.set_callbacks(AppSinkCallbacks::builder().new_sample(pass_on).build());
        }
        let bus = pipeline.bus().context("a pipeline has a bus")?;
        let told = voice.clone();
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                fail(&told, &error.error().to_string());
            }
            gst::BusSyncReply::Drop
        });
        let playing = pipeline.set_state(gst::State::Playing);
        let line = Self { pipeline, source, picture };
        playing.context("it can't be played")?;
        Ok(line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::debug!(%error, "the pipeline doesn't end");
        }
    }
}
