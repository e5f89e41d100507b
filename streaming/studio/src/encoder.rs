//! The coding of the program: H.264 and AAC, as GStreamer's plugins make them; [`h264`] says which one.
//!
//! x264 is loaded from the system's plugin at run time and never linked (it is under the GPL).

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc, AppSrcCallbacks};
use gstreamer_video as gst_video;
use media::SAMPLE_RATE;
use streaming::{
    cadence,
    wire::{AccessUnit, Format, FromStudio, RoomRates, Track},
};

use crate::{
    h264::{self, Cut, Known, Profile},
    input::element,
    layout::Size,
};

/// Bits a second of the picture, in thousands. Faces and slides at 720p look good from here on; more is the audience's
/// data volume.
const VIDEO_KBITS: u32 = 2_000;

/// The same of the largest picture: more than twice the pixels, each of which needs a little less.
const FULL_HD_KBITS: u32 = 4_000;

/// The same of the small picture, for phones on the way: a quarter of the pixels, and a little more for each.
const LOW_KBITS: u32 = 500;

/// The small picture's size.
const LOW: Size = Size { width: Size::HD.width / 2, height: Size::HD.height / 2 };

/// Bits a second of the sound. Mono voices and music are clean at this, with the coder that searches least as well: of two
/// minutes of speech it lost less (34 dB below it, the default 27) in half the time.
const AUDIO_BITS: u32 = 96_000;

/// Pictures that may wait for an encoder. One more is left out, unless a part begins with it: an encoder that has had no time for so
/// long has a part's first picture to make all the same, and more of them would only be made later.
const PICTURES_MAX: u32 = 2;

/// The same of a smaller or larger picture's encoder when all of them begin parts. Then the others wait for it.
const PARTS_MAX: u32 = 8;

/// How long a part's first picture waits for the encoder at the most. An encoder that takes nothing for so long hangs.
const ROOM_MAX: Duration = Duration::from_secs(2);

/// How long the encoders may take to hand out what they hold.
const FINISH_MAX: Duration = Duration::from_millis(1_500);

/// For room systems: key frames as they are asked for, and for who can't ask one in ten seconds, which costs a tenth of the bits; key frames
/// small enough to be there in a moment; and slices that fit a packet each, so that a lost one costs a strip of the picture, and who takes whole
/// ones alone (RFC 6184 §6.2) has them. With headers a packet of 1,150 bytes goes everywhere.
const OF_ROOMS: Cut =
    Cut { keyframe_every: Duration::from_secs(10), buffer: Duration::from_millis(400), slice_bytes_max: Some(1_150) };

/// Encoders in one pipeline. What they make is said to the parent at once.
pub(crate) struct Encoder {
    pipeline: gst::Pipeline,
    pictures: AppSrc,
    /// Room systems have theirs otherwise.
    sound: Option<AppSrc>,
    /// For room systems: the large picture, and the small one.
    rungs: Vec<Rung>,
    /// Before the largest picture's encoder, where there is one.
    largest: Option<gst::Element>,
    pool: gst::BufferPool,
    last: Option<gst::Buffer>,
    /// Tells that the encoder has taken one.
    taken: Receiver<()>,
    /// Pictures that came too late to be coded.
    pub(crate) dropped: u64,
    ends: Receiver<End>,
}

/// A picture that is made while somebody sees it.
struct Rung {
    track: Track,
    codec: &'static Known,
    encoder: gst::Element,
    valve: gst::Element,
    kbits: u32,
}

impl Rung {
    fn find(pipeline: &gst::Pipeline, codec: &'static Known, track: Track, name: &str) -> anyhow::Result<Self> {
        let (encoder, valve) = (element(pipeline, &format!("h264{name}"))?, element(pipeline, &format!("open{name}"))?);
        Ok(Self { track, codec, encoder, valve, kbits: 0 })
    }

    /// The next picture needs no other.
    fn force_keyframe(&self) {
        if let Some(src) = self.encoder.static_pad("src") {
            src.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
        }
    }

    fn set_rate(&mut self, kbits: u32) {
        if std::mem::replace(&mut self.kbits, kbits) == kbits {
            return;
        }
        if kbits > 0 {
            self.codec.set_rate(&self.encoder, kbits);
            if self.valve.property::<bool>("drop") {
                // Whoever sees it now has nothing of what was before.
                self.force_keyframe();
            }
        }
        self.valve.set_property("drop", kbits == 0);
    }
}

/// Why there will be no more.
enum End {
    Finished,
    Failed(String),
}

impl Encoder {
    /// Pictures of this size come; they are also made smaller. `low` makes the small picture as well. `wished` is the
    /// encoder to take if it works.
    pub(crate) fn start(
        said: &SyncSender<FromStudio>,
        size: Size,
        low: bool,
        wished: Option<&str>,
    ) -> anyhow::Result<Self> {
        let is_full_hd = size == Size::FULL_HD;
        let pictures = [(Size::HD, VIDEO_KBITS, true), (LOW, LOW_KBITS, low), (size, FULL_HD_KBITS, is_full_hd)];
        let made = pictures.into_iter().filter(|(.., is_made)| *is_made);
        let codec =
            h264::choose(wished, Profile::Main, &made.map(|(size, kbits, _)| (size, kbits)).collect::<Vec<_>>())?;
        // Whoever reads it is there, and the queue is empty.
        let _full = said.try_send(FromStudio::Encoder(codec.name.to_owned()));
        // Behind a queue of its own that is thinned: what is late in it holds nothing else up.
        let small = format!(
            "split. ! queue name=before_low max-size-buffers={PARTS_MAX} max-size-bytes=0 max-size-time=0 ! videoscale \
             ! video/x-raw,width={},height={} ! {} ! appsink name=low sync=false async=false",
            LOW.width,
            LOW.height,
            codec.pipeline("h264low", Profile::Main, LOW_KBITS)
        );
        let (width, height) = (Size::HD.width, Size::HD.height);
        // Closed, the valve lets the end through and nothing else; the encoder before it has what came until then.
        let largest = format!(
            "tee name=whole whole. ! valve name=largest drop-mode=forward-sticky-events \
               ! queue name=before_full_hd max-size-buffers={PARTS_MAX} max-size-bytes=0 max-size-time=0 \
               ! {} ! appsink name=full_hd sync=false async=false \
             whole. ! videoscale n-threads=1 ! video/x-raw,width={width},height={height},colorimetry=bt601 !",
            codec.pipeline("h264full", Profile::Main, FULL_HD_KBITS)
        );
        let largest = if is_full_hd { largest } else { String::new() };
        let small = if low { small } else { String::new() };
        let large = codec.pipeline("h264", Profile::Main, VIDEO_KBITS);
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=pictures is-live=true format=time max-buffers={PICTURES_MAX} max-bytes=0 \
               min-percent=50 \
             ! {largest} tee name=split ! {large} ! appsink name=video sync=false async=false \
             appsrc name=sound is-live=true format=time leaky-type=upstream max-time=4000000000 max-bytes=0 \
               caps=audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1,layout=interleaved \
             ! audioconvert ! avenc_aac bitrate={AUDIO_BITS} aac-coder=fast ! audio/mpeg,mpegversion=4,stream-format=raw \
             ! appsink name=audio sync=false async=false {small}"
        ));
        let pipeline = pipeline.context("encoders")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let pictures: AppSrc = element(&pipeline, "pictures")?;
        pictures.set_caps(Some(&caps(size)));
        let taken = tell_taken(&pictures);
        let sound: AppSrc = element(&pipeline, "sound")?;
        let mut tracks = vec![("video", Track::Video), ("audio", Track::Audio)];
        force_keyframes(&element(&pipeline, "h264")?)?;
        if low {
            force_keyframes(&element(&pipeline, "h264low")?)?;
            thin(&element(&pipeline, "before_low")?)?;
            tracks.push(("low", Track::Low));
        }
        if is_full_hd {
            force_keyframes(&element(&pipeline, "h264full")?)?;
            thin(&element(&pipeline, "before_full_hd")?)?;
            tracks.push(("full_hd", Track::FullHd));
        }
        for (name, track) in tracks {
            let sink: AppSink = element(&pipeline, name)?;
            sink.set_callbacks(units(track, said.clone()));
        }

        let largest = is_full_hd.then(|| element(&pipeline, "largest")).transpose()?;
        Self::play(pipeline, pictures, Some(sound), size, (taken, largest, Vec::new()))
    }

    /// Of pictures of 720 lines what room systems see of them: nothing yet. Always by the processor: few others cut slices as short as packets.
    pub(crate) fn for_rooms(said: &SyncSender<FromStudio>) -> anyhow::Result<Self> {
        let profile = Profile::ConstrainedBaseline;
        let codec = h264::choose(Some(h264::SOFTWARE), profile, &[(Size::HD, VIDEO_KBITS), (LOW, LOW_KBITS)])?;
        // Whoever reads it is there, and the queue is empty.
        let _full = said.try_send(FromStudio::Encoder(codec.name.to_owned()));
        let coded = |name: &str, kbits| codec.pipeline_of(&format!("h264{name}"), profile, kbits, &OF_ROOMS);
        let closed = "drop=true drop-mode=forward-sticky-events";
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=pictures is-live=true format=time max-buffers={PICTURES_MAX} max-bytes=0 min-percent=50 \
             ! tee name=split ! valve name=openlarge {closed} ! {} ! appsink name=video sync=false async=false \
             split. ! valve name=openlow {closed} \
               ! queue name=before_low max-size-buffers={PARTS_MAX} max-size-bytes=0 max-size-time=0 ! videoscale \
               ! video/x-raw,width={},height={} ! {} ! appsink name=low sync=false async=false",
            coded("large", VIDEO_KBITS),
            LOW.width,
            LOW.height,
            coded("low", LOW_KBITS)
        ));
        let pipeline = pipeline.context("encoders for room systems")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let pictures: AppSrc = element(&pipeline, "pictures")?;
        pictures.set_caps(Some(&caps(Size::HD)));
        let taken = tell_taken(&pictures);
        thin(&element(&pipeline, "before_low")?)?;
        let mut rungs = Vec::new();
        for (name, sink, track) in [("large", "video", Track::Video), ("low", "low", Track::Low)] {
            rungs.push(Rung::find(&pipeline, codec, track, name)?);
            let sink: AppSink = element(&pipeline, sink)?;
            sink.set_callbacks(units(track, said.clone()));
        }
        Self::play(pipeline, pictures, None, Size::HD, (taken, None, rungs))
    }

    fn play(
        pipeline: gst::Pipeline,
        pictures: AppSrc,
        sound: Option<AppSrc>,
        size: Size,
        (taken, largest, rungs): (Receiver<()>, Option<gst::Element>, Vec<Rung>),
    ) -> anyhow::Result<Self> {
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

        let pool = pool(size)?;
        pipeline.set_state(gst::State::Playing).context("encoders don't start")?;
        Ok(Self { pipeline, pictures, sound, rungs, largest, pool, last: None, taken, dropped: 0, ends })
    }

    /// There is a picture that can be shown again.
    pub(crate) fn can_repeat(&self) -> bool {
        self.last.is_some()
    }

    /// The next picture; none means the one before again, which costs no copy. Too late for the encoder, it is left out, but for
    /// the first of a part, which waits for it.
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
        let has_room = self.has_room() || cadence::begins_part(at) && self.wait_for_room()?;
        if !has_room {
            self.dropped += 1;
            return Ok(());
        }
        self.pictures.push_buffer(buffer).context("the picture's encoder takes no more").map(drop)
    }

    fn has_room(&self) -> bool {
        self.pictures.current_level_buffers() < u64::from(PICTURES_MAX)
    }

    /// Waits until the encoder takes a picture; false when it doesn't.
    fn wait_for_room(&self) -> anyhow::Result<bool> {
        let until = Instant::now() + ROOM_MAX;
        while !self.has_room() {
            self.check()?;
            if self.taken.recv_timeout(until.saturating_duration_since(Instant::now())).is_err() {
                tracing::warn!("the encoder takes nothing");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Pictures of this size come from now on, and the largest is made no more.
    pub(crate) fn resize(&mut self, size: Size) -> anyhow::Result<()> {
        if let Some(valve) = self.largest.take() {
            valve.set_property("drop", true);
        }
        self.last = None;
        self.pool.set_active(false)?;
        self.pool = pool(size)?;
        self.pictures.set_caps(Some(&caps(size)));
        Ok(())
    }

    /// Makes these of what room systems may see.
    pub(crate) fn set_rates(&mut self, rates: RoomRates) {
        for rung in &mut self.rungs {
            rung.set_rate(rates.of(rung.track == Track::Video));
        }
    }

    /// Who sees this track needs a picture that needs no other.
    pub(crate) fn force_keyframe(&self, track: Track) {
        self.rungs.iter().filter(|rung| rung.track == track).for_each(Rung::force_keyframe);
    }

    /// The next stretch of sound.
    pub(crate) fn sound(&self, samples: &[i16], at: Duration) -> anyhow::Result<()> {
        let Some(sound) = &self.sound else { return Ok(()) };
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(SAMPLE_RATE));
        let writable = buffer.get_mut().context("a fresh buffer has one owner")?;
        writable.set_pts(clock_time(at));
        writable.set_duration(clock_time(length));
        match sound.push_buffer(buffer) {
            Ok(_) => Ok(()),
            // It is behind: a leaky source of GStreamer 1.22 answers that with EOS.
            Err(gst::FlowError::Eos) => Ok(()),
            Err(error) => Err(error).context("the sound's encoder takes no more"),
        }
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
        if let Some(sound) = &self.sound {
            sound.end_of_stream().context("the sound can't be ended")?;
        }
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

/// Tells when a source takes one more; one word is enough: who waits looks again.
fn tell_taken(pictures: &AppSrc) -> Receiver<()> {
    let (told, taken) = sync_channel(1);
    let tell = move |_: &AppSrc, _| {
        let _told_already = told.try_send(());
    };
    pictures.set_callbacks(AppSrcCallbacks::builder().need_data(tell).build());
    taken
}

/// Of the pictures that are coded.
pub(crate) fn caps(size: Size) -> gst::Caps {
    gst_video::VideoCapsBuilder::new()
        .format(gst_video::VideoFormat::I420)
        .width(size.width as i32)
        .height(size.height as i32)
        .framerate(gst::Fraction::new(cadence::TICKS_PER_SECOND as i32, 1))
        .pixel_aspect_ratio(gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive")
        .field("colorimetry", "bt601")
        .build()
}

fn pool(size: Size) -> anyhow::Result<gst::BufferPool> {
    let pool = gst::BufferPool::new();
    let mut config = pool.config();
    config.set_params(Some(&caps(size)), u32::try_from(size.width * size.height * 3 / 2)?, 3, 0);
    pool.set_config(config)?;
    pool.set_active(true)?;
    Ok(pool)
}

/// Asks the encoder for a key frame at the first picture of each segment. The request goes upstream, without a time: the
/// one with a running time works only once in GStreamer 1.22.0, which takes x264enc's offset of 1000 h for a time far
/// ahead.
pub(crate) fn force_keyframes(encoder: &gst::Element) -> anyhow::Result<()> {
    let sink = encoder.static_pad("sink").context("an encoder has a sink pad")?;
    let src = encoder.static_pad("src").context("an encoder has a source pad")?;
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

/// Leaves pictures out before a queue whose encoder is behind, but for those that begin parts.
fn thin(queue: &gst::Element) -> anyhow::Result<()> {
    let pad = queue.static_pad("sink").context("a queue has a sink pad")?;
    let queue = queue.downgrade();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let is_behind =
            queue.upgrade().is_some_and(|queue| queue.property::<u32>("current-level-buffers") >= PICTURES_MAX);
        let pts = info.buffer().and_then(|buffer| buffer.pts());
        let begins_part = pts.is_some_and(|pts| cadence::begins_part(Duration::from_nanos(pts.nseconds())));
        // "Drop" would make GStreamer free what the bindings have freed already.
        if is_behind && !begins_part { gst::PadProbeReturn::Handled } else { gst::PadProbeReturn::Ok }
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
        Track::FullHd => video(Size::FULL_HD, data),
        Track::Video => video(Size::HD, data),
        Track::Low => video(LOW, data),
        Track::Audio => Format::Audio { rate: SAMPLE_RATE, channels: 1, config: data },
    })
}

fn video(size: Size, avcc: Bytes) -> Format {
    Format::Video { width: size.width as u16, height: size.height as u16, avcc }
}

fn unit(track: Track, sample: &gst::Sample) -> Option<AccessUnit> {
    let buffer = sample.buffer()?;
    // x264enc's times begin at 1000 h; the segment knows.
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let pts = Duration::from_nanos(segment.to_running_time(buffer.pts()?)?.nseconds());
    let keyframe = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    Some(AccessUnit { track, pts, keyframe, data: Bytes::copy_from_slice(&buffer.map_readable().ok()?) })
}

pub(crate) fn clock_time(time: Duration) -> Option<gst::ClockTime> {
    gst::ClockTime::try_from(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criticals;

    #[test]
    fn pictures_that_are_left_out_are_left_out_without_a_mistake() {
        gst::init().unwrap();
        criticals::watch();
        let before = criticals::count();
        // They come all at once, and are taken one after the other.
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=60 ! video/x-raw,width=16,height=16,framerate={}/1 \
             ! queue name=queue ! fakesink name=sink sync=true",
            cadence::TICKS_PER_SECOND
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        thin(&element(&pipeline, "queue").unwrap()).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(20), &ends);
        let sink: gst::Element = element(&pipeline, "sink").unwrap();
        let rendered = sink.property::<gst::Structure>("stats").get::<u64>("rendered").unwrap();
        pipeline.set_state(gst::State::Null).unwrap();
        assert!(matches!(end.unwrap().view(), gst::MessageView::Eos(_)));
        assert!((5..40).contains(&rendered), "{rendered} of 60");
        assert_eq!(criticals::count(), before);
    }
}
