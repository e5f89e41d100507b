//! What was agreed on about codecs, in the WebRTC library's words and in ours.

use media::{AudioCodec, Codec, VideoCodec};
use str0m::{
    Rtc,
    format::{Codec as WireCodec, PayloadParams},
    media::Pt,
};

use crate::{egress::PayloadType, red::Red};

/// Codecs as the library calls them, and as we do.
const CODECS: [(WireCodec, Codec); 5] = [
    (WireCodec::Opus, Codec::Audio(AudioCodec::Opus)),
    (WireCodec::Vp8, Codec::Video(VideoCodec::Vp8)),
    (WireCodec::H264, Codec::Video(VideoCodec::H264)),
    (WireCodec::Vp9, Codec::Video(VideoCodec::Vp9)),
    (WireCodec::Av1, Codec::Video(VideoCodec::Av1)),
];

/// Which payload type is which codec.
pub(crate) fn codecs_of(rtc: &Rtc) -> Vec<PayloadType> {
    let ours = |codec: WireCodec| CODECS.iter().find(|(wire, _)| *wire == codec).map(|(_, ours)| *ours);
    let all = rtc.codec_config().params().iter();
    all.filter_map(|params| Some(payload_type(ours(params.spec().codec)?, params))).collect()
}

/// What was agreed on about the redundancy of voices.
pub(crate) fn red_of(rtc: &Rtc) -> Red {
    let opus = rtc.codec_config().params().iter().find(|params| params.spec().codec == WireCodec::Opus);
    opus.map_or_else(Red::default, |opus| Red::new(opus.red().map(|number| *number), *opus.pt()))
}

fn payload_type(codec: Codec, params: &PayloadParams) -> PayloadType {
    let (resent, red) = (params.resend().map(|resent| *resent), params.red().map(|red| *red));
    PayloadType { codec, number: *params.pt(), resent, red }
}

/// How each codec is sent on an m-line for which these payload types were agreed on.
pub(crate) fn payload_types(rtc: &Rtc, is_audio: bool, agreed: &[Pt]) -> Vec<PayloadType> {
    let of_codec = |(wire, codec): &(WireCodec, Codec)| {
        let fits = |params: &&PayloadParams| {
            let spec = params.spec();
            // Pictures of H.264 come in pieces (RFC 6184 §6.3); which profile they have, their own parameters tell.
            let is_whole = spec.codec == WireCodec::H264 && spec.format.packetization_mode != Some(1);
            spec.codec == *wire && agreed.contains(&params.pt()) && !is_whole
        };
        Some(payload_type(*codec, rtc.codec_config().params().iter().find(fits)?))
    };
    let of_kind = CODECS.iter().filter(|(_, codec)| matches!(codec, Codec::Audio(_)) == is_audio);
    of_kind.filter_map(of_codec).collect()
}
