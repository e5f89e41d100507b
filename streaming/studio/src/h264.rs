//! Which of GStreamer's H.264 encoders codes the pictures, and how each is set.
//!
//! Those that a graphics card or a chip does come before those that the processor does, then GStreamer's rank decides
//! (`GST_PLUGIN_FEATURE_RANK` changes it), then the order of [`KNOWN`]: GStreamer 1.22 gives its VA encoders no rank at all.
//! An encoder of hardware is registered wherever its driver is, and may fail to open all the same, so it is tried first.

use std::{
    sync::mpsc::{SyncSender, sync_channel},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use streaming::cadence::{self, time_of};

use crate::{
    encoder::{caps, clock_time, force_keyframes},
    input::element,
    layout::Size,
};

/// Asks for one that the processor does.
pub(crate) const SOFTWARE: &str = "software";

/// The first pictures an encoder is tried with: of three, and of the first of the second segment.
const TRIED: std::ops::Range<u64> = 15..21;

/// The one of them that begins a segment.
const BEGINS: u64 = 18;

/// How long an encoder of hardware may take from its opening to those pictures. More would be noticed by who waits for
/// his livestream.
const TRIED_WITHIN: Duration = Duration::from_secs(2);

/// An encoder that we know how to set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its factory.
    pub(crate) name: &'static str,
    is_hardware: bool,
    /// What comes before it: all of ours is I420.
    before: &'static str,
    /// Its properties, with `KBITS` (thousands of bits a second), `BITS`, `INTERVAL` (pictures from one key frame to the
    /// next one that it makes by itself), `BUFFER` (milliseconds of bits that may come at once) and `SLICES` (how long a slice may be,
    /// where that can be said).
    settings: &'static str,
    /// What comes after it: all that we say has lengths before its NAL units.
    after: &'static str,
}

/// What those can decode who get it (H.264 annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Players of livestreams: all of them.
    Main,
    /// Browsers in a meeting, by WebRTC: this one is what each has to take (RFC 7742 §6.2).
    ConstrainedBaseline,
}

/// Where pictures can be begun with, and how they are cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// The encoder makes a key frame by itself after so long.
    pub(crate) keyframe_every: Duration,
    /// A picture, and those after it, may take the bits of so much time at once.
    pub(crate) buffer: Duration,
    /// No slice is longer, where the encoder can do that.
    pub(crate) slice_bytes_max: Option<usize>,
}

impl Cut {
    /// One key frame is forced in each segment; the encoder adds one by itself only if that went wrong.
    pub(crate) const SEGMENTS: Self = Self {
        keyframe_every: cadence::SEGMENT.saturating_mul(2),
        buffer: Duration::from_secs(1),
        slice_bytes_max: None,
    };
}

/// Those that take nothing but NV12, where the colours lie beside each other.
const TO_NV12: &str = "videoconvert n-threads=1 ! video/x-raw,format=NV12 !";

const PARSED: &str = "! h264parse ! video/x-h264,stream-format=avc,alignment=au";

/// All of them: no pictures that refer to later ones, none held back, and a bit rate that is kept.
const KNOWN: [Known; 8] = [
    Known {
        name: "nvh264enc",
        is_hardware: true,
        before: "",
        settings: "preset=low-latency-hq zerolatency=true rc-mode=cbr bframes=0 bitrate=KBITS gop-size=INTERVAL",
        after: PARSED,
    },
    Known {
        name: "vah264enc",
        is_hardware: true,
        before: TO_NV12,
        settings: "rate-control=cbr b-frames=0 ref-frames=1 bitrate=KBITS key-int-max=INTERVAL",
        after: PARSED,
    },
    Known {
        name: "vah264lpenc",
        is_hardware: true,
        before: TO_NV12,
        settings: "rate-control=cbr b-frames=0 ref-frames=1 bitrate=KBITS key-int-max=INTERVAL",
        after: PARSED,
    },
    Known {
        name: "qsvh264enc",
        is_hardware: true,
        before: TO_NV12,
        settings: "rate-control=cbr b-frames=0 low-latency=true bitrate=KBITS gop-size=INTERVAL",
        after: PARSED,
    },
    Known {
        name: "vaapih264enc",
        is_hardware: true,
        before: TO_NV12,
        settings: "rate-control=cbr max-bframes=0 bitrate=KBITS keyframe-period=INTERVAL",
        after: PARSED,
    },
    Known {
        name: "v4l2h264enc",
        is_hardware: true,
        before: TO_NV12,
        settings: "extra-controls=\"controls,video_bitrate=BITS,video_gop_size=INTERVAL,h264_i_frame_period=INTERVAL,\
                   video_b_frames=0,repeat_sequence_header=1\"",
        after: PARSED,
    },
    Known {
        name: "x264enc",
        is_hardware: false,
        before: "",
        settings: "tune=zerolatency speed-preset=superfast threads=1 bitrate=KBITS vbv-buf-capacity=BUFFER \
                   key-int-max=INTERVAL option-string=scenecut=0SLICES",
        after: "! video/x-h264,stream-format=avc,alignment=au,profile=main",
    },
    Known {
        name: "openh264enc",
        is_hardware: false,
        before: "",
        settings: "complexity=low multi-thread=1 rate-control=bitrate scene-change-detection=false bitrate=BITS \
                   gop-size=INTERVAL",
        after: PARSED,
    },
];

/// The encoder that is `wished` for by its name or as [`SOFTWARE`], else the best, if it works; else the next one that does.
pub(crate) fn choose(
    wished: Option<&str>,
    profile: Profile,
    pictures: &[(Size, u32)],
) -> anyhow::Result<&'static Known> {
    let there: Vec<(&'static Known, u32)> = KNOWN.iter().filter_map(|known| Some((known, rank(known.name)?))).collect();
    if let Some(name) = wished.filter(|name| *name != SOFTWARE && there.iter().all(|(known, _)| known.name != *name)) {
        let there: Vec<&str> = there.iter().map(|(known, _)| known.name).collect();
        tracing::warn!(wished = name, ?there, "this machine has no such encoder that is known: another one is taken");
    }
    in_order(wished, there)
        .into_iter()
        .find(|known| {
            // What the processor does needs nothing that may be missing.
            let tried = if known.is_hardware { known.try_out(profile, pictures) } else { Ok(()) };
            if let Err(error) = &tried {
                tracing::warn!(
                    encoder = known.name,
                    error = format!("{error:#}"),
                    "an encoder that is there doesn't work"
                );
            }
            tried.is_ok()
        })
        .context("there is no encoder of H.264: gstreamer1.0-plugins-ugly has x264enc")
}

/// In the order in which they are tried.
fn in_order(wished: Option<&str>, mut there: Vec<(&'static Known, u32)>) -> Vec<&'static Known> {
    let software_only = wished == Some(SOFTWARE);
    there.retain(|(known, _)| !(software_only && known.is_hardware));
    // Equals stay as they are in the table.
    there.sort_by_key(|(known, rank)| (wished != Some(known.name), !known.is_hardware, std::cmp::Reverse(*rank)));
    there.into_iter().map(|(known, _)| known).collect()
}

/// GStreamer's, of an encoder that is there.
fn rank(name: &str) -> Option<u32> {
    let factory = gst::ElementFactory::find(name)?;
    Some(u32::try_from(i32::from(factory.rank())).unwrap_or(0))
}

impl Known {
    /// A part of a pipeline from raw pictures to coded ones; the encoder in it has the name.
    pub(crate) fn pipeline(&self, element: &str, profile: Profile, kbits: u32) -> String {
        self.pipeline_of(element, profile, kbits, &Cut::SEGMENTS)
    }

    /// The same, cut otherwise.
    pub(crate) fn pipeline_of(&self, element: &str, profile: Profile, kbits: u32, cut: &Cut) -> String {
        let interval = cut.keyframe_every.as_secs() * u64::from(cadence::TICKS_PER_SECOND);
        let slices = cut.slice_bytes_max.map(|bytes| format!(":slice-max-size={bytes}")).unwrap_or_default();
        let settings = self
            .settings
            .replace("KBITS", &kbits.to_string())
            .replace("BITS", &(kbits * 1_000).to_string())
            .replace("INTERVAL", &interval.to_string())
            .replace("BUFFER", &cut.buffer.as_millis().to_string())
            .replace("SLICES", &slices);
        let after = match profile {
            Profile::Main => self.after.to_owned(),
            Profile::ConstrainedBaseline => {
                format!("{},profile=constrained-baseline", self.after.replace(",profile=main", ""))
            }
        };
        format!("{} {} name={element} {settings} {after}", self.before, self.name)
    }

    /// Has an encoder of this kind keep to another rate from now on.
    pub(crate) fn set_rate(&self, encoder: &gst::Element, kbits: u32) {
        let is_in_bits = self.settings.contains("bitrate=BITS");
        encoder.set_property("bitrate", if is_in_bits { kbits * 1_000 } else { kbits });
    }

    /// Whether it really codes so many pictures at once, of these sizes and thousands of bits a second: at once, without
    /// holding any back, in their order, and with a key frame where one is asked for.
    fn try_out(&self, profile: Profile, pictures: &[(Size, u32)]) -> anyhow::Result<()> {
        let branches: Vec<String> = (0..)
            .zip(pictures)
            .map(|(index, (_, kbits))| {
                let coded = self.pipeline(&format!("encoder{index}"), profile, *kbits);
                format!(
                    "appsrc name=pictures{index} is-live=true format=time ! {coded} \
                     ! appsink name=coded{index} sync=false async=false"
                )
            })
            .collect();
        let pipeline = gst::parse::launch(&branches.join(" ")).context("its settings")?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().ok().context("a pipeline is a pipeline")?;
        let tried = code(&pipeline, pictures);
        pipeline.set_state(gst::State::Null)?;
        tried
    }
}

/// The time of a coded picture, and whether it is a key frame; or why none comes.
type Coded = Result<(Option<gst::ClockTime>, bool), String>;

/// Codes the first pictures of each.
fn code(pipeline: &gst::Pipeline, pictures: &[(Size, u32)]) -> anyhow::Result<()> {
    let (mut trials, mut errors) = (Vec::new(), Vec::new());
    for (index, (size, _)) in pictures.iter().enumerate() {
        let source: AppSrc = element(pipeline, &format!("pictures{index}"))?;
        source.set_caps(Some(&caps(*size)));
        force_keyframes(&element(pipeline, &format!("encoder{index}"))?)?;
        // Room for all of them, and for an error.
        let (said, coded) = sync_channel((TRIED.end - TRIED.start) as usize + 1);
        let sink: AppSink = element(pipeline, &format!("coded{index}"))?;
        sink.set_callbacks(tell(said.clone()));
        errors.push(said);
        trials.push((source, *size, coded));
    }
    let bus = pipeline.bus().context("a pipeline has a bus")?;
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            let _full = errors.iter().try_for_each(|said| said.try_send(Err(error.error().to_string())));
        }
        gst::BusSyncReply::Drop
    });
    pipeline.set_state(gst::State::Playing).context("it doesn't open")?;
    for (source, size, _) in &trials {
        for tick in TRIED {
            let grey = vec![128; size.width * size.height * 3 / 2];
            let mut buffer = gst::Buffer::from_mut_slice(grey);
            buffer.get_mut().context("a fresh buffer has one owner")?.set_pts(clock_time(time_of(tick)));
            source.push_buffer(buffer).context("it takes no picture")?;
        }
    }
    for (_, Size { width, height }, coded) in &trials {
        for tick in TRIED {
            let said = match coded.recv_timeout(TRIED_WITHIN) {
                Ok(said) => said,
                // A chip may hold the one it works at.
                Err(_) if tick + 1 == TRIED.end => continue,
                Err(_) => bail!("it holds pictures of {width} x {height} back, or makes none"),
            };
            let (time, is_keyframe) = said.map_err(|error| anyhow::anyhow!("it fails: {error}"))?;
            ensure!(time == clock_time(time_of(tick)), "pictures come in another order");
            let is_due = tick == TRIED.start || tick == BEGINS;
            ensure!(is_keyframe || !is_due, "it makes no key frame when asked");
        }
    }
    Ok(())
}

fn tell(said: SyncSender<Coded>) -> AppSinkCallbacks {
    let next = move |sink: &AppSink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>());
        let time = segment.zip(buffer.pts()).and_then(|(segment, pts)| segment.to_running_time(pts));
        // There is room for all that were put in.
        let _full = said.try_send(Ok((time, !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT))));
        Ok(gst::FlowSuccess::Ok)
    };
    AppSinkCallbacks::builder().new_sample(next).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_RANK: u32 = 0;
    const PRIMARY: u32 = 256;
    const MARGINAL: u32 = 64;

    fn known(name: &str) -> &'static Known {
        KNOWN.iter().find(|known| known.name == name).unwrap()
    }

    #[test]
    fn hardware_comes_first_then_the_rank_then_the_table() {
        let check = |wished: Option<&str>, there: &[(&str, u32)], expected: &[&str]| {
            let there = there.iter().map(|(name, rank)| (known(name), *rank)).collect();
            let order: Vec<&str> = in_order(wished, there).into_iter().map(|known| known.name).collect();
            assert_eq!(order, expected, "{wished:?}");
        };
        let software = [("x264enc", PRIMARY), ("openh264enc", MARGINAL)];
        check(None, &software, &["x264enc", "openh264enc"]);
        check(Some("openh264enc"), &software, &["openh264enc", "x264enc"]);
        check(Some("vah264enc"), &software, &["x264enc", "openh264enc"]);
        check(None, &[], &[]);
        let all = [("nvh264enc", NO_RANK), ("vah264enc", NO_RANK), ("v4l2h264enc", PRIMARY), ("x264enc", PRIMARY)];
        check(None, &all, &["v4l2h264enc", "nvh264enc", "vah264enc", "x264enc"]);
        check(Some("vah264enc"), &all, &["vah264enc", "v4l2h264enc", "nvh264enc", "x264enc"]);
        check(Some(SOFTWARE), &all, &["x264enc"]);
    }

    #[test]
    fn what_works_here_is_found_out_by_coding() {
        gst::init().unwrap();
        let pictures = [(Size::HD, 2_000), (Size { width: 640, height: 360 }, 500)];
        for name in ["x264enc", "openh264enc"] {
            known(name).try_out(Profile::Main, &pictures).unwrap();
            known(name).try_out(Profile::ConstrainedBaseline, &pictures).unwrap();
        }
        let refuses = |known: &Known| format!("{:#}", known.try_out(Profile::Main, &pictures).unwrap_err());
        // Debian registers it everywhere, and few machines have what it drives.
        let omx = Known { name: "avenc_h264_omx", is_hardware: true, before: "", settings: "", after: PARSED };
        if rank(omx.name).is_some() {
            let refused = refuses(&omx);
            assert!(refused.contains("fails") || refused.contains("open"), "{refused}");
        }
        let slow = Known { settings: "bitrate=KBITS key-int-max=INTERVAL rc-lookahead=20", ..*known("x264enc") };
        assert!(refuses(&slow).contains("back"));
        let reordering = Known { settings: "bitrate=KBITS key-int-max=INTERVAL bframes=2", ..*known("x264enc") };
        assert!(!refuses(&reordering).is_empty());
        let wrong = Known { settings: "colour=red", ..*known("x264enc") };
        assert!(refuses(&wrong).contains("settings"));
        let chosen = |wished| choose(wished, Profile::Main, &pictures).unwrap().name;
        assert_eq!(chosen(Some("no-such-encoder")), chosen(None));
    }
}
