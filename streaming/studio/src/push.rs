//! `huitong-studio --push`: what another process of this program has coded is sent to one RTMP, RTMPS or SRT server. Nothing
//! is coded anew. The address comes by the socket, where no list of processes shows its key.

use std::{
    io::BufReader,
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSrc;
use model::PushUrl;
use streaming::wire::{self, AccessUnit, Format, FromPusher, ToPusher, Track};

use crate::{
    input::element,
    parent::{self, Voice},
    refusal::Refusal,
    trust, tunnel,
};

/// What may wait for the target; eight seconds of the stream. Above it all is left out, pictures up to a key frame that half
/// of it waits for.
const BACKLOG_MAX: u64 = 2 << 20;

/// A target that has taken nothing of what waits for so long is dead, whatever its connection says.
const STUCK_MAX: Duration = Duration::from_secs(15);

/// The stream has to have come so far at the sink for the target to be taken as live: the first tags are answered by
/// the machine's own buffers.
const LIVE_AFTER: gst::ClockTime = gst::ClockTime::from_mseconds(500);

/// Sends until the socket closes or the target takes no more; the last word says why. Targets with a certificate by an
/// `authority` of this file are believed as well.
pub(crate) fn push(authority: Option<&Path>) -> anyhow::Result<()> {
    let socket = parent::connect()?;
    let voice = Voice::new(&socket)?;
    let mut target = None;
    let _believed = match authority.map(trust::believe_too).transpose() {
        Ok(believed) => believed,
        Err(error) => {
            fail(&voice, &format!("{error:#}"), None);
            return Ok(());
        }
    };
    let pushed = run(BufReader::with_capacity(64 << 10, socket), &voice, &mut target);
    if let Err(error) = pushed {
        fail(&voice, &format!("{error:#}"), target.as_deref());
    }
    Ok(())
}

/// The last word, without the target's key.
fn fail(voice: &Voice, reason: &str, target: Option<&str>) {
    voice.end(|out| FromPusher::Failed(without(reason, target)).write(out));
}

/// The same where the target has said no.
fn refuse(voice: &Voice, reason: &str, target: &str) {
    voice.end(|out| FromPusher::Refused(without(reason, Some(target))).write(out));
}

/// A sentence of a library without the address in it.
fn without(reason: &str, target: Option<&str>) -> String {
    let key = target.and_then(|target| target.rsplit(['/', '?', '=']).next()).filter(|key| !key.is_empty());
    let reason = target.map_or_else(|| reason.to_owned(), |target| reason.replace(target, "the target"));
    key.map_or_else(|| reason.clone(), |key| reason.replace(key, "•••"))
}

fn run(mut socket: BufReader<UnixStream>, voice: &Voice, target: &mut Option<String>) -> anyhow::Result<()> {
    let (mut picture, mut sound, mut way) = (None, None, None);
    let mut line: Option<Line> = None;
    let refusal = Refusal::default();
    while let Some(frame) = wire::read_frame(&mut socket)? {
        match ToPusher::read(frame)? {
            ToPusher::Target(url, addresses) => {
                *target = Some(url.reveal().to_owned());
                way = Some(way_to(url, addresses, voice, &refusal)?);
            }
            ToPusher::Format(Format::Video { avcc, .. }) => picture = Some(avcc),
            ToPusher::Format(Format::Audio { rate, channels, config }) => sound = Some((rate, channels, config)),
            ToPusher::Unit(unit) => {
                let line = match &mut line {
                    Some(line) => line,
                    None => {
                        let (Some(way), Some(picture), Some(sound)) = (&way, &picture, &sound) else { continue };
                        line.insert(Line::start(way, picture, sound, voice, &refusal)?)
                    }
                };
                line.unit(unit)?;
            }
        }
    }
    if let Some(line) = line {
        line.finish();
    }
    Ok(())
}

/// The address for the sink: digits, since it would look a name up by itself.
fn way_to(target: PushUrl, addresses: Vec<SocketAddr>, voice: &Voice, refusal: &Refusal) -> anyhow::Result<String> {
    let first = *addresses.first().context("the target has no address")?;
    if target.reveal().starts_with("srt:") {
        refusal.listen_to_srt();
        return Ok(target.at(first)?);
    }
    let (voice, told) = (voice.clone(), target.clone());
    let failed = move |error: &anyhow::Error| fail(&voice, &format!("{error:#}"), Some(told.reveal()));
    let here = tunnel::open(target.clone(), addresses, &refusal.heard, failed)?;
    Ok(target.at(here)?)
}

/// A connection to the target.
struct Line {
    pipeline: gst::Pipeline,
    pictures: AppSrc,
    sound: AppSrc,
    sink: gst::Element,
    /// The time of the first key frame, which is the target's zero.
    zero: Option<Duration>,
    valve: Valve,
    ledger: Ledger,
    /// How much was taken, and since when nothing more was.
    taken: (u64, Instant),
}

impl Line {
    fn start(
        target: &str,
        avcc: &Bytes,
        sound: &(u32, u8, Bytes),
        voice: &Voice,
        refusal: &Refusal,
    ) -> anyhow::Result<Self> {
        let (rate, channels, config) = sound;
        let is_srt = target.starts_with("srt:");
        let [way, pictures, sounds] = if is_srt {
            [
                "mpegtsmux name=mux alignment=7 ! srtsink name=target auto-reconnect=false sync=false async=false",
                "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au ! mux.",
                "aacparse ! mux.",
            ]
        } else {
            let sink = "flvmux name=mux streamable=true ! rtmp2sink name=target sync=false async=false timeout=10";
            [sink, "mux.video", "mux.audio"]
        };
        let pipeline = gst::parse::launch(&format!(
            "{way} \
             appsrc name=pictures format=time max-bytes=0 \
               caps=video/x-h264,stream-format=avc,alignment=au,codec_data=(buffer){} \
             ! {pictures} \
             appsrc name=sound format=time max-bytes=0 \
               caps=audio/mpeg,mpegversion=4,stream-format=raw,rate={rate},channels={channels},codec_data=(buffer){} \
             ! {sounds}",
            hex(avcc),
            hex(config),
        ));
        let pipeline = pipeline.context("this system can't push there")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let (pictures, sound): (AppSrc, AppSrc) = (element(&pipeline, "pictures")?, element(&pipeline, "sound")?);
        let sink: gst::Element = element(&pipeline, "target")?;
        sink.set_property(if is_srt { "uri" } else { "location" }, target);
        tell_when_live(&sink, voice.clone(), refusal.clone())?;
        let bus = pipeline.bus().context("a pipeline has a bus")?;
        let (told, address, refusal) = (voice.clone(), target.to_owned(), refusal.clone());
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                let error = error.error();
                if refusal.is_meant(&error) {
                    refuse(&told, &error.to_string(), &address);
                } else {
                    fail(&told, &error.to_string(), Some(&address));
                }
            }
            gst::BusSyncReply::Drop
        });
        let playing = pipeline.set_state(gst::State::Playing);
        let taken = (0, Instant::now());
        let line = Self {
            pipeline,
            pictures,
            sound,
            sink,
            zero: None,
            valve: Valve::default(),
            ledger: Ledger::default(),
            taken,
        };
        playing.context("the target can't be connected to")?;
        Ok(line)
    }

    fn unit(&mut self, unit: AccessUnit) -> anyhow::Result<()> {
        let is_picture = unit.track == Track::Video;
        let begins = is_picture && unit.keyframe;
        let Some(zero) = self.zero.or_else(|| begins.then_some(unit.pts)) else { return Ok(()) };
        self.zero = Some(zero);
        let Some(at) = unit.pts.checked_sub(zero) else { return Ok(()) };
        let backlog = self.backlog()?;
        if !self.valve.takes(is_picture, begins, backlog) {
            return Ok(());
        }
        self.ledger.pushed += unit.data.len() as u64;
        let mut buffer = gst::Buffer::from_slice(unit.data);
        let fresh = buffer.get_mut().context("a fresh buffer has one owner")?;
        let at = gst::ClockTime::try_from(at).ok();
        fresh.set_pts(at);
        fresh.set_dts(at);
        if !unit.keyframe {
            fresh.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        let source = if is_picture { &self.pictures } else { &self.sound };
        // After an error the reader is woken: that ends it.
        let _refused = source.push_buffer(buffer);
        Ok(())
    }

    /// What was put in and is not out yet; an error where nothing goes out at all.
    fn backlog(&mut self) -> anyhow::Result<u64> {
        let waiting = self.pictures.current_level_bytes() + self.sound.current_level_bytes();
        // The RTMP sink takes everything and sends it when it can; only it knows how much that is.
        let stats = self.sink.has_property("stats").then(|| self.sink.property::<gst::Structure>("stats"));
        let sent = stats.and_then(|stats| stats.get::<u64>("out-bytes-total").ok());
        let taken = sent.unwrap_or_else(|| self.ledger.pushed.saturating_sub(waiting));
        let backlog = self.ledger.backlog(taken).max(waiting);
        if taken > self.taken.0 || backlog == 0 {
            self.taken = (taken, Instant::now());
        }
        anyhow::ensure!(self.taken.1.elapsed() < STUCK_MAX, "the target takes nothing");
        Ok(backlog)
    }

    /// Says goodbye; whoever started this waits no longer than it likes.
    fn finish(self) {
        let _ended = (self.pictures.end_of_stream(), self.sound.end_of_stream());
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
            bus.timed_pop_filtered(gst::ClockTime::SECOND, &[gst::MessageType::Eos, gst::MessageType::Error]);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::debug!(%error, "the connection doesn't close");
        }
    }
}

/// What was put in, beside what the sink says it has sent: that has headers around each unit as well, which grow to more than any
/// backlog while a livestream lasts.
#[derive(Default)]
struct Ledger {
    pushed: u64,
    /// What was sent beyond that while nothing waited.
    headers: u64,
}

impl Ledger {
    fn backlog(&mut self, sent: u64) -> u64 {
        self.headers = self.headers.max(sent.saturating_sub(self.pushed));
        (self.pushed + self.headers).saturating_sub(sent)
    }
}

/// What is left out for a target that takes less than there is, however slowly it reads.
#[derive(Default)]
struct Valve {
    /// A picture was left out: those that follow are of no use.
    broken: bool,
}

impl Valve {
    /// Whether a unit goes on its way while so many bytes wait; `begins` is a picture that needs none before it.
    fn takes(&mut self, is_picture: bool, begins: bool, backlog: u64) -> bool {
        if backlog > BACKLOG_MAX {
            self.broken = true;
            return false;
        }
        if begins && backlog < BACKLOG_MAX / 2 {
            self.broken = false;
        }
        !(is_picture && self.broken)
    }
}

/// What comes to the sink comes one after the other: with the second half second there, the first has been taken.
fn tell_when_live(sink: &gst::Element, voice: Voice, refusal: Refusal) -> anyhow::Result<()> {
    let pad = sink.static_pad("sink").context("a sink has a pad")?;
    let mut told = false;
    let judge = Mutex::new(move |at: Option<gst::ClockTime>| {
        if !told && at.is_some_and(|at| at >= LIVE_AFTER) {
            told = true;
            refusal.live();
            voice.say(|out| FromPusher::Live.write(out));
        }
    });
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(mask, move |_, info| {
        let at = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => buffer.dts_or_pts(),
            Some(gst::PadProbeData::BufferList(list)) => list.get(0).and_then(|buffer| buffer.dts_or_pts()),
            _ => None,
        };
        if let Ok(mut judge) = judge.lock() {
            judge(at);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: B3
    #[test]
    fn no_word_of_a_library_shows_the_key() {
        let target = Some("rtmp://live.example.com/app/s3cret");
        let said = "Could not connect to rtmp://live.example.com/app/s3cret: publish of 's3cret' denied";
        assert_eq!(without(said, target), "Could not connect to the target: publish of '•••' denied");
        assert_eq!(without("gone", None), "gone");
    }

    // product: B3
    #[test]
    fn headers_hide_no_backlog_however_long_it_lasts() {
        let (mut ledger, mut sent) = (Ledger::default(), 3_500);
        // Ten hours of pieces of which each has a header of 20 bytes, and all of which are sent.
        for _ in 0..36_000 * 77 {
            ledger.pushed += 1_000;
            sent += 1_020;
            assert_eq!(ledger.backlog(sent), 0);
        }
        ledger.pushed += 5_000;
        assert_eq!(ledger.backlog(sent), 5_000, "it has stopped reading");
    }

    // product: B3
    #[test]
    fn a_target_that_reads_slowly_bounds_what_waits_for_it() {
        const PICTURE: u64 = 8_000;
        const SOUND: u64 = 250;
        let (mut valve, mut waiting, mut most) = (Valve::default(), 0_u64, 0);
        // An hour of 30 pictures a second with a key frame every two, and 47 pieces of sound, of which it reads 1 kB a
        // second: less than the sound alone.
        for second in 0..3_600 {
            for picture in 0..30 {
                let begins = picture == 0 && second % 2 == 0;
                waiting += if valve.takes(true, begins, waiting) { PICTURE } else { 0 };
            }
            (0..47).for_each(|_| waiting += if valve.takes(false, false, waiting) { SOUND } else { 0 });
            most = most.max(waiting);
            waiting -= waiting.min(1_000);
        }
        assert!((BACKLOG_MAX..=BACKLOG_MAX + PICTURE).contains(&most), "{most} bytes wait");
        // It reads as it should again: sound comes at once, and pictures from a key frame on.
        assert!(valve.takes(false, false, BACKLOG_MAX / 3) && !valve.takes(true, false, 0));
        assert!(!valve.takes(true, true, BACKLOG_MAX - 1) && valve.takes(true, true, BACKLOG_MAX / 3));
        assert!(valve.takes(true, false, BACKLOG_MAX / 3));
    }
}
