//! The tracks that are shown: packets become pictures, the latest of which lies ready for the composer.
//!
//! Each track has a pipeline of its own, so what goes wrong in one costs one tile. It is built when the first packet
//! tells the codec, and torn down when the scene no longer shows the track.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video::{self as gst_video, VideoFrameExt};
use media::{RtpPacket, TrackKind, VideoCodec};
use model::ParticipantId;
use streaming::{Scene, Tile, TileKind, wire::FromStudio};

use crate::{
    av1::{Came, Depacketizer},
    layout::{self, Rect, Size},
    picture::View,
};

/// How long packets are waited for that came in disorder. Less loses pictures on home uplinks, more is delay.
const JITTER_MS: u32 = 100;

/// Sound that was mixed this much after a picture's packets came, in milliseconds, is heard with it: the sound waits 80 ms and for
/// its tick and its encoder, the picture [`JITTER_MS`], 20 ms that the sink allows for showing it, and half a tick.
const LEAD_LEVEL_MS: i16 = 40;

/// The picture is shown earlier or later than that by so much at most: it can't be shown before it comes, and nobody can talk with
/// who is later.
const SHIFT_MS: std::ops::RangeInclusive<i16> = -120..=400;

/// Less than this nobody sees.
const SHIFT_STEP_MS: u16 = 5;

/// Packets between the socket and the jitter buffer; what is older gives way.
const PACKETS_MAX: u64 = 512;

/// The least time between two wishes for a key frame of one track. A key frame takes about this long to come.
const KEYFRAME_PAUSE: Duration = Duration::from_millis(300);

/// What depayloaders do about pictures that are missing.
const KEYFRAMES: &str = "request-keyframe=true wait-for-keyframe=true";

/// Of AV1, the quicker one first.
const AV1_DECODERS: [&str; 2] = ["dav1ddec", "av1dec"];

/// The name of the element before which AV1's packets are put together.
const UNITS: &str = "units";

/// How long a track whose pipeline failed is left alone.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// One track of one participant.
type Key = (ParticipantId, TrackKind);

/// A tile with its place, and where its pictures come from.
pub(crate) struct Role {
    pub(crate) tile: Tile,
    pub(crate) place: Rect,
    pub(crate) slot: Option<Arc<Slot>>,
}

/// A track's latest picture.
#[derive(Default)]
pub(crate) struct Slot(Mutex<Option<Shot>>);

/// One decoded picture.
#[derive(Clone)]
pub(crate) struct Shot {
    /// Counts the pictures of the slot.
    pub(crate) number: u64,
    /// When it was due.
    pub(crate) at: Instant,
    buffer: gst::Buffer,
    info: gst_video::VideoInfo,
}

impl Slot {
    pub(crate) fn latest(&self) -> Option<Shot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, sample: &gst::Sample) -> Option<()> {
        let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
        let buffer = sample.buffer_owned()?;
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = slot.as_ref().map_or(0, |shot| shot.number + 1);
        *slot = Some(Shot { number, at: Instant::now(), buffer, info });
        Some(())
    }
}

impl Shot {
    /// Shows the picture to `look`, if it can be read.
    pub(crate) fn look(&self, look: impl FnOnce(View<'_>)) {
        let Ok(frame) = gst_video::VideoFrameRef::from_buffer_ref_readable(&self.buffer, &self.info) else { return };
        let plane = |index: u32| {
            let stride = usize::try_from(*frame.plane_stride().get(index as usize)?).ok()?;
            Some((frame.plane_data(index).ok()?, stride))
        };
        if let (Some(y), Some(u), Some(v)) = (plane(0), plane(1), plane(2)) {
            look(View { width: frame.width() as usize, height: frame.height() as usize, planes: [y, u, v] });
        }
    }
}

/// All tracks that are shown.
pub(crate) struct Inputs {
    tracks: HashMap<Key, Input>,
    said: SyncSender<FromStudio>,
}

impl Inputs {
    pub(crate) fn new(said: SyncSender<FromStudio>) -> Self {
        Self { tracks: HashMap::new(), said }
    }

    /// Opens what is shown now and was not, closes what is shown no longer, for a picture of this size.
    pub(crate) fn set_scene(&mut self, scene: &Scene, size: Size) -> Vec<Role> {
        let places = layout::places(scene.layout, scene.tiles.len(), size);
        let roles: Vec<Role> = scene
            .tiles
            .iter()
            .zip(places)
            .map(|(tile, place)| {
                let slot = match tile.kind {
                    TileKind::Video(kind) => Some(self.show((tile.participant, kind), place)),
                    TileKind::Avatar => None,
                };
                Role { tile: tile.clone(), place, slot }
            })
            .collect();
        let shown = |slot: &Arc<Slot>| roles.iter().filter_map(|tile| tile.slot.as_ref()).any(|s| Arc::ptr_eq(s, slot));
        self.tracks.retain(|_, input| shown(&input.slot));
        roles
    }

    /// A packet with its RTP header. Those of tracks not shown are late ones, and dropped.
    pub(crate) fn packet(&mut self, key: Key, lead: Option<i16>, codec: VideoCodec, rtp: Bytes) {
        if let Some(input) = self.tracks.get_mut(&key) {
            input.set_lead(lead);
            input.packet(key, codec, rtp, &self.said);
        }
    }

    fn show(&mut self, key: Key, place: Rect) -> Arc<Slot> {
        let said = &self.said;
        let input = self.tracks.entry(key).or_insert_with(|| {
            // The first packet will hardly be a key frame's: the wish saves a round through the decoder.
            let _full = said.try_send(FromStudio::KeyframeWanted(key.0, key.1));
            Input { slot: Arc::default(), place, shift_ms: 0, decoder: None, failed: None, is_told: false }
        });
        input.set_place(place);
        Arc::clone(&input.slot)
    }
}

struct Input {
    slot: Arc<Slot>,
    place: Rect,
    /// How much later its pictures are shown than they would be by themselves, to be level with the sound.
    shift_ms: i16,
    decoder: Option<Decoder>,
    failed: Option<Instant>,
    /// It was said that nothing decodes it.
    is_told: bool,
}

impl Input {
    fn set_place(&mut self, place: Rect) {
        if (self.place.width, self.place.height) != (place.width, place.height)
            && let Some(decoder) = &self.decoder
        {
            decoder.size.set_property("caps", size_caps(place));
        }
        self.place = place;
    }

    /// The voice of a picture's moment comes so many milliseconds after it; none tells nothing new.
    fn set_lead(&mut self, lead: Option<i16>) {
        let Some(lead) = lead else { return };
        let shift = lead.saturating_sub(LEAD_LEVEL_MS).clamp(*SHIFT_MS.start(), *SHIFT_MS.end());
        if shift.abs_diff(self.shift_ms) >= SHIFT_STEP_MS {
            self.shift_ms = shift;
            tracing::debug!(lead, shift, "pictures are shifted to the voice");
            if let Some(decoder) = &self.decoder {
                decoder.shift(shift);
            }
        }
    }

    fn packet(&mut self, key: Key, codec: VideoCodec, rtp: Bytes, said: &SyncSender<FromStudio>) {
        if self.decoder.as_ref().is_some_and(|decoder| decoder.codec != codec || decoder.broken.load(Ordering::Acquire))
        {
            self.decoder = None;
        }
        if self.decoder.is_none() {
            if self.failed.is_some_and(|since| since.elapsed() < FAILED_PAUSE) {
                return;
            }
            // Should it break as well, the next one waits.
            self.failed = Some(Instant::now());
            match Decoder::start(key, codec, self.place, Arc::clone(&self.slot), said.clone()) {
                Ok(decoder) => {
                    decoder.shift(self.shift_ms);
                    self.decoder = Some(decoder);
                }
                Err(error) if self.is_told => tracing::debug!(?key, error = format!("{error:#}"), "it still can't be"),
                Err(error) => {
                    tracing::warn!(?key, %codec, error = format!("{error:#}"), "track can't be decoded");
                    // When so much waits to be said, the next try says it.
                    self.is_told = said.try_send(FromStudio::Undecodable(key.0, key.1)).is_ok();
                }
            }
        }
        if let Some(decoder) = &self.decoder {
            // It refuses only while it is being torn down.
            let _flushing = decoder.packets.push_buffer(gst::Buffer::from_slice(rtp));
        }
    }
}

/// A pipeline from packets to pictures.
struct Decoder {
    codec: VideoCodec,
    pipeline: gst::Pipeline,
    packets: AppSrc,
    size: gst::Element,
    pictures: AppSink,
    broken: Arc<AtomicBool>,
}

impl Decoder {
    fn start(
        key: Key,
        codec: VideoCodec,
        place: Rect,
        slot: Arc<Slot>,
        said: SyncSender<FromStudio>,
    ) -> anyhow::Result<Self> {
        let (encoding, decode) = match codec {
            VideoCodec::Vp8 => ("VP8", format!("rtpvp8depay {KEYFRAMES} ! vp8dec threads=1")),
            VideoCodec::Vp9 => ("VP9", format!("rtpvp9depay {KEYFRAMES} ! vp9dec threads=1")),
            VideoCodec::H264 => ("H264", format!("rtph264depay {KEYFRAMES} ! avdec_h264 max-threads=1")),
            VideoCodec::Av1 => ("AV1", av1_decoder()?),
        };
        let payload_type = streaming::wire::PAYLOAD_TYPE;
        let pipeline = gst::parse::launch(&format!(
            "appsrc name=packets is-live=true format=time do-timestamp=true leaky-type=downstream max-bytes=0 \
               max-buffers={PACKETS_MAX} \
               caps=application/x-rtp,media=video,clock-rate=90000,encoding-name={encoding},payload={payload_type} \
             ! rtpjitterbuffer latency={JITTER_MS} do-lost=true ! {decode} \
             ! videoconvertscale add-borders=true n-threads=1 ! capsfilter name=size \
             ! appsink name=pictures sync=true max-buffers=1 drop=true"
        ))?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let packets: AppSrc = element(&pipeline, "packets")?;
        let pictures: AppSink = element(&pipeline, "pictures")?;
        let size: gst::Element = element(&pipeline, "size")?;
        size.set_property("caps", size_caps(place));

        let wishes = Arc::new(Wishes { key, said, last: Mutex::new(None) });
        if let Some(units) = pipeline.by_name(UNITS) {
            depacketize(&units, Arc::clone(&wishes))?;
        }
        let pad = packets.static_pad("src").context("appsrc has a source pad")?;
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if info.event().is_some_and(|event| gst_video::ForceKeyUnitEvent::is(event)) {
                wishes.wish();
            }
            gst::PadProbeReturn::Ok
        });
        let shot = move |sink: &AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            slot.put(&sample);
            Ok(gst::FlowSuccess::Ok)
        };
        pictures.set_callbacks(AppSinkCallbacks::builder().new_sample(shot).build());

        let broken = Arc::new(AtomicBool::new(false));
        let breaks = Arc::clone(&broken);
        let bus = pipeline.bus().context("a pipeline has a bus")?;
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                tracing::warn!(?key, error = %error.error(), debug = ?error.debug(), "a track's pipeline fails");
                breaks.store(true, Ordering::Release);
            }
            // Nobody reads the bus: what is passed on would pile up.
            gst::BusSyncReply::Drop
        });
        pipeline.set_state(gst::State::Playing)?;
        tracing::debug!(?key, %codec, "track opened");
        Ok(Self { codec, pipeline, packets, size, pictures, broken })
    }

    fn shift(&self, ms: i16) {
        self.pictures.set_property("ts-offset", i64::from(ms) * 1_000_000);
    }
}

/// The codecs that this GStreamer has nothing to decode with.
pub(crate) fn missing_decoders() -> Vec<VideoCodec> {
    let is_there = |name: &str| gst::ElementFactory::find(name).is_some();
    let all = [
        (VideoCodec::Vp8, is_there("rtpvp8depay") && is_there("vp8dec")),
        (VideoCodec::Vp9, is_there("rtpvp9depay") && is_there("vp9dec")),
        (VideoCodec::H264, is_there("rtph264depay") && is_there("avdec_h264")),
        (VideoCodec::Av1, is_there("av1parse") && AV1_DECODERS.into_iter().any(is_there)),
    ];
    all.into_iter().filter(|(_, is_there)| !is_there).map(|(codec, _)| codec).collect()
}

/// What decodes AV1 of this GStreamer's; an error where nothing does: who sends it is an avatar then.
fn av1_decoder() -> anyhow::Result<String> {
    let decoder = AV1_DECODERS.into_iter().find(|name| gst::ElementFactory::find(name).is_some());
    let decoder = decoder.context("there is no decoder of AV1 in this GStreamer")?;
    // It says what the packets become on their way into it.
    let caps = "video/x-av1,stream-format=obu-stream,alignment=tu";
    Ok(format!("capssetter name={UNITS} join=false replace=true caps={caps} ! av1parse ! {decoder}"))
}

/// Puts AV1's packets together before they come to this element.
fn depacketize(element: &gst::Element, wishes: Arc<Wishes>) -> anyhow::Result<()> {
    let pad = element.static_pad("sink").context("it takes packets")?;
    let depacketizer = Mutex::new(Depacketizer::default());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data else { return gst::PadProbeReturn::Ok };
        let came = buffer.map_readable().ok().and_then(|bytes| {
            let packet = RtpPacket::parse(&bytes).ok()?;
            Some(depacketizer.lock().unwrap_or_else(PoisonError::into_inner).push(&packet))
        });
        match came.unwrap_or(Came::Lost) {
            Came::Part => gst::PadProbeReturn::Handled,
            Came::Lost => {
                wishes.wish();
                gst::PadProbeReturn::Handled
            }
            Came::Unit(unit) => {
                let mut whole = gst::Buffer::from_slice(unit);
                if let Some(whole) = whole.get_mut() {
                    whole.set_pts(buffer.pts());
                }
                *buffer = whole;
                gst::PadProbeReturn::Ok
            }
        }
    });
    Ok(())
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let pipeline = self.pipeline.clone();
        // A decoder may take its time to stop, and the socket is not to wait for it.
        let stop = move || pipeline.set_state(gst::State::Null);
        if let Err(error) = thread::Builder::new().name("track-end".to_owned()).spawn(stop) {
            tracing::warn!(%error, "no thread to end a track with");
        }
    }
}

/// Key frames a decoder asks for, at most one in [`KEYFRAME_PAUSE`].
struct Wishes {
    key: Key,
    said: SyncSender<FromStudio>,
    last: Mutex<Option<Instant>>,
}

impl Wishes {
    fn wish(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= KEYFRAME_PAUSE) {
            *last = Some(Instant::now());
            // When so much waits to be said, the depayloader will ask again.
            let _full = self.said.try_send(FromStudio::KeyframeWanted(self.key.0, self.key.1));
        }
    }
}

/// An element of a pipeline by its name.
pub(crate) fn element<T: IsA<gst::Element>>(pipeline: &gst::Pipeline, name: &str) -> anyhow::Result<T> {
    let element = pipeline.by_name(name).with_context(|| format!("the pipeline has no {name}"))?;
    element.downcast().map_err(|element| anyhow::anyhow!("{name} is a {}", element.type_()))
}

fn size_caps(place: Rect) -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", place.width as i32)
        .field("height", place.height as i32)
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .build()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        av1, criticals,
        picture::{Colour, Picture},
    };

    /// Puts a picture of one colour into a slot.
    pub(crate) fn put(slot: &Slot, width: usize, height: usize, colour: Colour) {
        gst::init().unwrap();
        let picture = Picture::new(width, height, colour);
        let place = Rect { x: 0, y: 0, width, height };
        let buffer = gst::Buffer::from_slice(picture.data().to_vec());
        let mut caps = size_caps(place);
        caps.get_mut().unwrap().set("framerate", gst::Fraction::new(25, 1));
        slot.put(&gst::Sample::builder().buffer(&buffer).caps(&caps).build()).unwrap();
    }

    fn scene(tiles: Vec<Tile>) -> Scene {
        Scene { tiles, ..Scene::default() }
    }

    #[test]
    fn a_slot_keeps_the_latest_picture() {
        let slot = Slot::default();
        assert!(slot.latest().is_none());
        put(&slot, 64, 36, Colour::BLACK);
        put(&slot, 32, 18, Colour::WHITE);
        let shot = slot.latest().unwrap();
        let mut seen = None;
        shot.look(|view| seen = Some((view.width, view.height, view.planes[0].0[0])));
        assert_eq!((shot.number, seen), (1, Some((32, 18, 235))));
    }

    #[test]
    fn tracks_come_and_go_with_the_scene() {
        let (said, heard) = std::sync::mpsc::sync_channel(8);
        let mut inputs = Inputs::new(said);
        let who = ParticipantId::new(uuid::Uuid::from_u128(1));
        let tile = |kind| Tile { participant: who, name: String::new(), kind, speaking: false, phone: false };
        let camera = TileKind::Video(TrackKind::Camera);
        let roles = inputs.set_scene(&scene(vec![tile(camera), tile(TileKind::Avatar)]), Size::HD);
        assert_eq!(roles.iter().map(|tile| tile.slot.is_some()).collect::<Vec<_>>(), [true, false]);
        assert_eq!(heard.try_recv(), Ok(FromStudio::KeyframeWanted(who, TrackKind::Camera)));

        // The same track goes on in the same slot, and is not asked again.
        let slot = roles[0].slot.clone().unwrap();
        let roles = inputs.set_scene(&scene(vec![tile(camera)]), Size::HD);
        assert!(Arc::ptr_eq(roles[0].slot.as_ref().unwrap(), &slot));
        assert!(heard.try_recv().is_err());
        inputs.set_scene(&Scene::default(), Size::HD);
        assert!(inputs.tracks.is_empty());
        inputs.packet((who, TrackKind::Camera), None, VideoCodec::Vp8, Bytes::from_static(&[0; 40]));
    }

    /// A test picture as a browser would send it, for so many frames.
    fn film(encode: &str, pattern: &str, (width, height): (u32, u32), frames: u32) -> Vec<Bytes> {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers={frames} pattern={pattern} \
             ! video/x-raw,format=I420,width={width},height={height},framerate=25/1 \
             ! {encode} ! appsink name=packets sync=false"
        ));
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let packets: AppSink = element(&pipeline, "packets").unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let sample = || packets.pull_sample().ok();
        let bytes = |sample: gst::Sample| Bytes::copy_from_slice(&sample.buffer().unwrap().map_readable().unwrap());
        let film: Vec<Bytes> = std::iter::from_fn(sample).map(bytes).collect();
        pipeline.set_state(gst::State::Null).unwrap();
        if encode != AV1 {
            return film;
        }
        let mut seq = 0;
        let packets = |(at, unit): (usize, &Bytes)| av1::tests::packets(unit, &mut seq, at as u32 * 3_600);
        film.iter().enumerate().flat_map(packets).map(Bytes::from).collect()
    }

    const VP8: &str = "vp8enc deadline=1 ! rtpvp8pay pt=96 mtu=1200";
    const VP9: &str = "vp9enc deadline=1 cpu-used=8 ! rtpvp9pay pt=96 mtu=1200";
    const H264: &str = "x264enc tune=zerolatency speed-preset=ultrafast ! rtph264pay config-interval=-1 pt=96 mtu=1200";
    /// Without a payloader, which this GStreamer may not have.
    const AV1: &str = "av1enc usage-profile=realtime cpu-used=9 lag-in-frames=0 threads=1";

    /// One track, shown large, whose sender never stops counting.
    struct Sender {
        inputs: Inputs,
        key: Key,
        slot: Arc<Slot>,
        seq: u16,
        start: Instant,
        _heard: std::sync::mpsc::Receiver<FromStudio>,
    }

    impl Sender {
        fn start() -> Self {
            let (said, heard) = std::sync::mpsc::sync_channel(64);
            let mut inputs = Inputs::new(said);
            let participant = ParticipantId::new(uuid::Uuid::from_u128(1));
            let kind = TileKind::Video(TrackKind::Screen);
            let tile = Tile { participant, name: String::new(), kind, speaking: false, phone: false };
            let slot = inputs.set_scene(&scene(vec![tile]), Size::HD).remove(0).slot.unwrap();
            let key = (participant, TrackKind::Screen);
            Self { inputs, key, slot, seq: 0, start: Instant::now(), _heard: heard }
        }

        /// Sends a film as though it were filmed now, each payload as `change` leaves it.
        fn send(&mut self, codec: VideoCodec, film: &[Bytes], mut change: impl FnMut(&mut [u8])) {
            let (mut taken, mut now) = (None, 0);
            for packet in film {
                let mut packet = packet.to_vec();
                let rtp = RtpPacket::parse(&packet).unwrap();
                if taken.replace(rtp.timestamp) != Some(rtp.timestamp) {
                    thread::park_timeout(Duration::from_millis(2));
                    now = (self.start.elapsed().as_micros() * 9 / 100) as u32;
                }
                let payload = packet.len() - rtp.payload.len();
                packet[2..4].copy_from_slice(&self.seq.to_be_bytes());
                packet[4..8].copy_from_slice(&now.to_be_bytes());
                change(&mut packet[payload..]);
                self.seq = self.seq.wrapping_add(1);
                self.inputs.packet(self.key, None, codec, packet.into());
            }
        }

        /// Sends the film again and again until its picture is seen, for some seconds at most.
        fn until_seen(&mut self, codec: VideoCodec, film: &[Bytes], is_bright: bool) -> bool {
            let until = Instant::now() + Duration::from_secs(8);
            while Instant::now() < until {
                self.send(codec, film, |_| {});
                let (shot, mut is_seen) = (self.slot.latest(), false);
                shot.inspect(|shot| {
                    shot.look(|view| {
                        let middle = view.planes[0].0[view.height / 2 * view.planes[0].1 + view.width / 2];
                        is_seen = if is_bright { middle > 200 } else { middle < 50 };
                    });
                });
                if is_seen {
                    return true;
                }
            }
            false
        }
    }

    // product: B2
    #[test]
    fn flipped_bits_spoil_no_later_picture() {
        criticals::watch();
        let criticals = criticals::count();
        for (codec, encode) in
            [(VideoCodec::Vp8, VP8), (VideoCodec::H264, H264), (VideoCodec::Vp9, VP9), (VideoCodec::Av1, AV1)]
        {
            let (black, white) = (film(encode, "black", (320, 180), 10), film(encode, "white", (320, 180), 10));
            let noisy = film(encode, "snow", (160, 90), 10);
            let mut sender = Sender::start();
            assert!(sender.until_seen(codec, &white, true), "{codec} is seen");
            // xorshift, of a fixed seed.
            let mut state = 0x2545_f491_4f6c_dd1d_u64;
            let mut flips = 0;
            while flips < 2_000 {
                sender.send(codec, &noisy, |payload| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    if let Some(byte) = payload.get_mut(state as usize % payload.len().max(1)) {
                        *byte ^= 1 << (state >> 61);
                        flips += 1;
                    }
                });
            }
            assert!(sender.until_seen(codec, &black, false), "{codec} is seen after {flips} flipped bits");
            assert!(sender.until_seen(codec, &white, true), "{codec} goes on");
        }
        assert_eq!(criticals::count(), criticals, "no library has made a mistake of it");
    }

    // product: B2
    #[test]
    fn a_track_may_change_its_codec() {
        let mut sender = Sender::start();
        let changes = [
            (VideoCodec::Vp8, VP8),
            (VideoCodec::H264, H264),
            (VideoCodec::Av1, AV1),
            (VideoCodec::Vp9, VP9),
            (VideoCodec::Vp8, VP8),
        ];
        for (step, (codec, encode)) in changes.into_iter().enumerate() {
            let is_bright = step % 2 == 0;
            let film = film(encode, if is_bright { "white" } else { "black" }, (320, 180), 10);
            assert!(sender.until_seen(codec, &film, is_bright), "{codec} as the {step}th");
        }
    }

    // product: B2
    #[test]
    fn a_track_may_change_its_size_each_second() {
        for (codec, encode) in [(VideoCodec::Vp8, VP8), (VideoCodec::H264, H264), (VideoCodec::Av1, AV1)] {
            let mut sender = Sender::start();
            for (step, size) in [(320, 180), (1280, 720), (160, 90), (640, 480), (90, 160)].into_iter().enumerate() {
                let is_bright = step % 2 == 0;
                let film = film(encode, if is_bright { "white" } else { "black" }, size, 10);
                assert!(sender.until_seen(codec, &film, is_bright), "{codec} of {size:?}");
            }
        }
    }

    /// Waits for a picture, for five seconds at most.
    fn shot(slot: &Slot) -> Option<Shot> {
        let until = Instant::now() + Duration::from_secs(5);
        while slot.latest().is_none() && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(20));
        }
        slot.latest()
    }

    #[test]
    fn every_codec_is_decoded_and_nonsense_breaks_none() {
        for (codec, encode) in
            [(VideoCodec::Vp8, VP8), (VideoCodec::Vp9, VP9), (VideoCodec::H264, H264), (VideoCodec::Av1, AV1)]
        {
            let (said, _heard) = std::sync::mpsc::sync_channel(64);
            let mut inputs = Inputs::new(said);
            let participant = ParticipantId::new(uuid::Uuid::from_u128(1));
            let key = (participant, TrackKind::Screen);
            let kind = TileKind::Video(TrackKind::Screen);
            let tile = Tile { participant, name: String::new(), kind, speaking: false, phone: false };
            let roles = inputs.set_scene(&scene(vec![tile]), Size::HD);
            for length in [0, 1, 12, 13, 40, 1_400] {
                inputs.packet(key, None, codec, vec![0x80; length].into());
            }
            film(encode, "white", (320, 180), 50)
                .into_iter()
                .for_each(|packet| inputs.packet(key, None, codec, packet));
            let shot = shot(roles[0].slot.as_ref().unwrap()).unwrap_or_else(|| panic!("{codec} shows nothing"));
            shot.look(|view| {
                assert_eq!((view.width, view.height), (Size::HD.width, Size::HD.height), "{codec} fills its tile");
                assert!(view.planes[0].0[0] > 200, "{codec} is white");
            });
        }
    }
}
