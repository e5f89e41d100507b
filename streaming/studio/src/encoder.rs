//! The coding of the program: H.264 and AAC, as GStreamer's plugins make them.
//!
//! x264 is loaded from the system's plugin at run time and never linked (it is under the GPL).

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video as gst_video;
use media::SAMPLE_RATE;
use streaming::{
    cadence,
    wire::{AccessUnit, Format, FromStudio, Track},
};

use crate::{
    input::element,
    layout::{HEIGHT, WIDTH},
};

/// Bits a second of the picture, in thousands. Faces and slides at 720p look good from here on; more is the audience's
/// data volume.
const VIDEO_KBITS: u32 = 2_000;

/// The same of the small picture, for phones on the way: a quarter of the pixels, and a little more for each.
const LOW_KBITS: u32 = 500;

/// The small picture's size.
const LOW_WIDTH: usize = WIDTH / 2;
const LOW_HEIGHT: usize = HEIGHT / 2;

/// Bits a second of the sound. Mono voices and music are clean at this.
const AUDIO_BITS: u32 = 96_000;

/// How long the encoders may take to hand out what they hold.
const FINISH_MAX: Duration = Duration::from_millis(1_500);

/// Two encoders in one pipeline. What they make is said to the parent at once.
pub(crate) struct Encoder {
    pipeline: gst::Pipeline,
    pictures: AppSrc,
    sound: AppSrc,
    pool: gst::BufferPool,
    last: Option<gst::Buffer>,
    /// Pictures that came too late to be coded.
    pub(crate) dropped: u64,
    ends: Receiver<End>,
}

/// Why there will be no more.
enum End {
    Finished,
    Failed(String),
}

impl Encoder {
    /// `low` makes the small picture as well.
    pub(crate) fn start(said: &SyncSender<FromStudio>, low: bool) -> anyhow::Result<Self> {
        let per_second = cadence::TICKS_PER_SECOND;
        // One key frame is forced in each segment; the encoder adds one by itself only if that went wrong.
        let keyframe_max = 2 * cadence::SEGMENT.as_secs() * u64::from(per_second);
        let code = |name: &str, kbits: u32| {
            format!(
                "x264enc name={name} tune=zerolatency speed-preset=superfast threads=1 bitrate={kbits} \
                   vbv-buf-capacity=1000 key-int-max={keyframe_max} option-string=scenecut=0 \
                 ! video/x-h264,stream-format=avc,alignment=au,profile=main"
            )
        };
        // Behind a queue of its own that drops: what is late in it holds nothing else up.
        let small = format!(
            "split. ! queue leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0 ! videoscale \
             ! video/x-raw,width={LOW_WIDTH},height={LOW_HEIGHT} ! {} ! appsink name=low sync=false async=false",
            code("x264low", LOW_KBITS)
        );
        let small = if low { small } else { String::new() };
        let large = code("x264", VIDEO_KBITS);
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=pictures is-live=true format=time leaky-type=upstream max-buffers=2 max-bytes=0 \
               caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={per_second}/1,\
                 pixel-aspect-ratio=1/1,interlace-mode=progressive,colorimetry=bt601 \
             ! tee name=split ! {large} ! appsink name=video sync=false async=false \
             appsrc name=sound is-live=true format=time leaky-type=upstream max-time=1000000000 max-bytes=0 \
               caps=audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1,layout=interleaved \
             ! audioconvert ! avenc_aac bitrate={AUDIO_BITS} ! audio/mpeg,mpegversion=4,stream-format=raw \
             ! appsink name=audio sync=false async=false {small}"
        ));
        let pipeline = pipeline.context("encoders")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let pictures: AppSrc = element(&pipeline, "pictures")?;
        let sound: AppSrc = element(&pipeline, "sound")?;
        let mut tracks = vec![("video", Track::Video), ("audio", Track::Audio)];
        force_keyframes(&element(&pipeline, "x264")?)?;
        if low {
            force_keyframes(&element(&pipeline, "x264low")?)?;
            tracks.push(("low", Track::Low));
        }
        for (name, track) in tracks {
            let sink: AppSink = element(&pipeline, name)?;
            sink.set_callbacks(units(track, said.clone()));
        }

        let (end, ends) = sync_channel(8);
        let bus = pipeline.bus().context("a pipeline has a bus")?;
        bus.set_sync_handler(move |_, message| {
            let said = match message.view() {
                gst::MessageView::Eos(_) => Some(End::Finished),
                gst::MessageView::Error(error) => Some(End::Failed(format!("{} ({:?})", error.error(), error.debug()))),
                _ => None,
            };
            // The first word is enough, and the queue has room for it.
            let _full = said.map(|said| end.try_send(said));
            gst::BusSyncReply::Drop
        });

        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        config.set_params(pictures.caps().as_ref(), u32::try_from(WIDTH * HEIGHT * 3 / 2)?, 3, 0);
        pool.set_config(config)?;
        pool.set_active(true)?;
        pipeline.set_state(gst::State::Playing).context("encoders don't start")?;
        Ok(Self { pipeline, pictures, sound, pool, last: None, dropped: 0, ends })
    }

    /// The next picture; none means the one before again, which costs no copy. Too late for the encoder, it is left out.
    pub(crate) fn picture(&mut self, canvas: Option<&[u8]>, at: Duration) -> anyhow::Result<()> {
        let mut buffer = match (canvas, &self.last) {
            (None, Some(last)) => last.copy(),
            (canvas, _) => {
                let mut buffer = self.pool.acquire_buffer(None).context("no buffer for the picture")?;
                let writable = buffer.get_mut().context("a fresh buffer has one owner")?;
                let mut map = writable.map_writable()?;
                let canvas = canvas.context("the first picture has no one before it")?;
                map.as_mut_slice()
                    .get_mut(..canvas.len())
                    .context("a buffer has room for a picture")?
                    .copy_from_slice(canvas);
                drop(map);
                buffer
            }
        };
        buffer.make_mut().set_pts(clock_time(at));
        self.last = Some(buffer.clone());
        let taken = offer(&self.pictures, buffer).context("the picture's encoder takes no more")?;
        self.dropped += u64::from(!taken);
        Ok(())
    }

    /// The next stretch of sound.
    pub(crate) fn sound(&self, samples: &[i16], at: Duration) -> anyhow::Result<()> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(SAMPLE_RATE));
        let writable = buffer.get_mut().context("a fresh buffer has one owner")?;
        writable.set_pts(clock_time(at));
        writable.set_duration(clock_time(length));
        offer(&self.sound, buffer).context("the sound's encoder takes no more").map(drop)
    }

    /// An error if the encoders have failed.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.ends.try_recv() {
            Ok(End::Failed(reason)) => anyhow::bail!("encoding fails: {reason}"),
            Ok(End::Finished) | Err(_) => Ok(()),
        }
    }

    /// Has everything said that was put in.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.pictures.end_of_stream().context("the picture can't be ended")?;
        self.sound.end_of_stream().context("the sound can't be ended")?;
        match self.ends.recv_timeout(FINISH_MAX) {
            Ok(End::Finished) => Ok(()),
            Ok(End::Failed(reason)) => anyhow::bail!("encoding fails at its end: {reason}"),
            Err(_) => anyhow::bail!("the encoders don't end"),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "the encoders don't stop");
        }
        let _inactive = self.pool.set_active(false);
    }
}

/// Pushes a buffer, or drops it when the encoder is behind, which false tells: a leaky source of GStreamer 1.22 answers
/// that with EOS.
fn offer(source: &AppSrc, buffer: gst::Buffer) -> Result<bool, gst::FlowError> {
    match source.push_buffer(buffer) {
        Ok(_) => Ok(true),
        Err(gst::FlowError::Eos) => {
            tracing::debug!(source = %source.name(), "the encoder is behind");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Asks the encoder for a key frame at the first picture of each segment. The request goes upstream, without a time: the
/// one with a running time works only once in GStreamer 1.22.0, which takes x264enc's offset of 1000 h for a time far
/// ahead.
fn force_keyframes(x264: &gst::Element) -> anyhow::Result<()> {
    let sink = x264.static_pad("sink").context("an encoder has a sink pad")?;
    let src = x264.static_pad("src").context("an encoder has a source pad")?;
    let mut segment = 0;
    let segment_begins = std::sync::Mutex::new(move |at: Duration| {
        let begins = cadence::segment_at(at) > segment;
        segment = cadence::segment_at(at);
        begins
    });
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let pts = info.buffer().and_then(|buffer| buffer.pts());
        if let (Some(pts), Ok(mut segment_begins)) = (pts, segment_begins.lock())
            && segment_begins(Duration::from_nanos(pts.nseconds()))
        {
            src.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn units(track: Track, said: SyncSender<FromStudio>) -> AppSinkCallbacks {
    let mut format_said = false;
    let next = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        // Waiting here when the parent is slow lets the leaky sources before the encoders drop.
        let say = |message| said.send(message).map_err(|_| gst::FlowError::Eos);
        if !format_said {
            say(FromStudio::Format(track, format(track, &sample).ok_or(gst::FlowError::NotNegotiated)?))?;
            format_said = true;
        }
        if let Some(unit) = unit(track, &sample) {
            say(FromStudio::Unit(unit))?;
        }
        Ok(gst::FlowSuccess::Ok)
    };
    AppSinkCallbacks::builder().new_sample(next).build()
}

fn format(track: Track, sample: &gst::Sample) -> Option<Format> {
    let caps = sample.caps()?.structure(0)?;
    let data = caps.get::<gst::Buffer>("codec_data").ok()?;
    let data = Bytes::copy_from_slice(&data.map_readable().ok()?);
    Some(match track {
        Track::Video => Format::Video { width: WIDTH as u16, height: HEIGHT as u16, avcc: data },
        Track::Low => Format::Video { width: LOW_WIDTH as u16, height: LOW_HEIGHT as u16, avcc: data },
        Track::Audio => Format::Audio { rate: SAMPLE_RATE, channels: 1, config: data },
    })
}

fn unit(track: Track, sample: &gst::Sample) -> Option<AccessUnit> {
    let buffer = sample.buffer()?;
    // x264enc's times begin at 1000 h; the segment knows.
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let pts = Duration::from_nanos(segment.to_running_time(buffer.pts()?)?.nseconds());
    let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    Some(AccessUnit { track, pts, keyframe, data: Bytes::copy_from_slice(&buffer.map_readable().ok()?) })
}

fn clock_time(time: Duration) -> Option<gst::ClockTime> {
    gst::ClockTime::try_from(time).ok()
}
