//! A room system's pictures (R1): whether they are taken, where, and by what a key frame is asked for.

use std::net::IpAddr;

use media::VideoCodec;
use plane::{KeyframeBy, LegMedia, PictureSettings, Sends};
use sip::sdp::{Agreed, Video, VideoFormat};

use crate::{House, offer, security::Security};

/// The pictures that are made for room systems, in pixels, and how many a second.
const LARGE: (u32, u32) = (1280, 720);
const SMALL: (u32, u32) = (640, 360);
const PER_SECOND: u32 = 30;

/// Opens a port for pictures that are offered; where that can't be, they are refused, and the call has its sound.
pub(crate) async fn take(agreed: &mut Agreed, leg: &LegMedia, house: &House) {
    let Some(video) = &mut agreed.video else { return };
    if !may_take(video, leg, house) {
        agreed.video = None;
        return;
    }
    match leg.open_pictures().await {
        // Whoever calls again and again can tell which port comes next: it is asked again whether it is one of ours.
        Ok(local) if may_take(video, leg, house) => {
            video.take(local.port(), house.video_bits_per_second);
            if sends(video, house).is_some() {
                video.give();
            }
        }
        Ok(_) => agreed.video = None,
        Err(error) => {
            tracing::warn!(%error, "call can't have pictures");
            agreed.video = None;
        }
    }
}

fn may_take(video: &Video, leg: &LegMedia, house: &House) -> bool {
    let is_way = video.remote.ip().is_unspecified() || video.remote.is_ipv4() == leg.local().is_ipv4();
    house.video_bits_per_second > 0 && is_way && !offer::is_ours_too(video, &house.ours)
}

/// What he can be sent of the meeting: the largest picture that he can decode and has the bits for. There is none of VP8.
fn sends(video: &Video, house: &House) -> Option<Sends> {
    let VideoFormat::H264 { mode, room, .. } = video.format else { return None };
    let most = Sends {
        is_large: room.is_for(LARGE, PER_SECOND),
        bits_per_second: house.video_bits_per_second,
        single_units: mode == 0,
    };
    let sends = most.with_at_most(video.bits_per_second.unwrap_or(u32::MAX));
    sends.filter(|sends| sends.is_large || room.is_for(SMALL, PER_SECOND))
}

/// What the leg is to do about them. On hold what comes is not his.
pub(crate) fn settings(
    agreed: &Agreed,
    signalling: IpAddr,
    security: &Security,
    on_hold: bool,
    house: &House,
) -> Option<PictureSettings> {
    let video = agreed.video.as_ref()?;
    Some(PictureSettings {
        codec: match video.format {
            VideoFormat::H264 { .. } => VideoCodec::H264,
            VideoFormat::Vp8 => VideoCodec::Vp8,
        },
        payload_type: video.payload_type,
        remote: video.remote,
        signalling,
        srtp: security.keying_of(video.dtls.as_ref(), video.crypto.as_ref()),
        rtcp_mux: video.rtcp_mux,
        rtcp: video.rtcp,
        keyframe_by: match (video.pli, video.fir) {
            (true, _) => KeyframeBy::Pli,
            (false, true) => KeyframeBy::Fir,
            (false, false) => KeyframeBy::Signalling,
        },
        bits_per_second: house.video_bits_per_second,
        taken: video.comes() && !on_hold,
        sends: sends(video, house).filter(|_| video.goes() && !on_hold),
    })
}
