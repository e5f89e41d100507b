//! One peer: the only place that knows the WebRTC library.

use std::{
    collections::HashMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use media::{AudioCodec, AudioLevel, Codec, MediaPacket, TrackKind, VideoCodec};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig,
    change::SdpOffer,
    config::{CryptoProvider, DtlsCert},
    format::Codec as WireCodec,
    media::{KeyframeRequestKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor},
};

use crate::{PeerKey, SfuError, SfuEvent, Slot, SourceId, Transmit, forward::Rewriter};

/// Packets kept for retransmission, and how long. The library's own 1,024 over three seconds cost a megabyte a picture;
/// what is older than a second and a half is no longer shown.
const RTX_PACKETS: usize = 512;
/// See [`RTX_PACKETS`].
const RTX_AGE: Duration = Duration::from_millis(1500);
/// How much of what is sent may be retransmissions: beyond it the line is full, and more would fill it further.
const RTX_RATIO: Option<f32> = Some(0.15);

/// Offers have one m-line a slot; more than this is no browser of ours.
const MEDIA_LINES_MAX: usize = 64;

/// Longer offers are refused unread.
const OFFER_BYTES_MAX: usize = 64 << 10;

/// What all peers of a worker share.
pub(crate) struct Identity {
    provider: Arc<CryptoProvider>,
    certificate: DtlsCert,
}

impl Identity {
    pub(crate) fn generate() -> Result<Self, SfuError> {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = provider.dtls_provider.generate_certificate().ok_or(SfuError::Certificate)?;
        Ok(Self { provider, certificate })
    }

    fn rtc(&self, now: Instant) -> Rtc {
        RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.provider))
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_stats_interval(None)
            .build(now)
    }
}

/// The peer is no more: its browser left, or the library gave up.
#[derive(Debug)]
pub(crate) struct Gone;

pub(crate) struct Peer {
    rtc: Rtc,
    ufrag: String,
    created: Instant,
    connected: bool,
    timeout: Instant,
    dirty: bool,
    failed: bool,
    /// Of a publisher.
    tracks: HashMap<Mid, TrackKind>,
    asked: HashMap<TrackKind, Instant>,
    /// Of a subscriber.
    slots: Vec<OutSlot>,
}

struct OutSlot {
    mid: Mid,
    audio: bool,
    payload_type: Option<Pt>,
    rewriter: Rewriter,
}

/// One m-line of an offer.
struct MediaLine {
    mid: String,
    audio: bool,
    direction: &'static str,
}

impl Peer {
    pub(crate) fn publisher(
        offer: &str,
        identity: &Identity,
        candidates: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let lines = media_lines(offer)?;
        if lines.iter().any(|line| line.direction != "sendonly") {
            return Err(SfuError::Form("an m-line that is not sendonly"));
        }
        let form: Vec<bool> = lines.iter().map(|line| line.audio).collect();
        if !matches!(form[..], [true] | [true, false] | [true, false, false]) {
            return Err(SfuError::Form("other m-lines than microphone, camera and screen, in this order"));
        }
        let (mut peer, answer) = Self::answer(offer, identity, candidates, now)?;
        let kinds = [TrackKind::Audio, TrackKind::Camera, TrackKind::Screen];
        peer.tracks = lines.iter().map(|line| Mid::from(line.mid.as_str())).zip(kinds).collect();
        Ok((peer, answer))
    }

    pub(crate) fn subscriber(
        offer: &str,
        identity: &Identity,
        candidates: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let lines = media_lines(offer)?;
        if lines.iter().any(|line| line.direction != "recvonly") {
            return Err(SfuError::Form("an m-line that is not recvonly"));
        }
        let (mut peer, answer) = Self::answer(offer, identity, candidates, now)?;
        for line in lines {
            let mid = Mid::from(line.mid.as_str());
            let wanted = if line.audio { WireCodec::Opus } else { WireCodec::Vp8 };
            let agreed = peer.rtc.media(mid).map(|media| media.remote_pts().to_vec()).unwrap_or_default();
            let codecs = peer.rtc.codec_config().params();
            let payload_type = codecs
                .iter()
                .find(|params| params.spec().codec == wanted && agreed.contains(&params.pt()))
                .map(|params| params.pt());
            if let Some(stream) = peer.rtc.direct_api().stream_tx_by_mid(mid, None) {
                stream.set_rtx_cache(RTX_PACKETS, RTX_AGE, RTX_RATIO);
            }
            peer.slots.push(OutSlot { mid, audio: line.audio, payload_type, rewriter: Rewriter::default() });
        }
        Ok((peer, answer))
    }

    fn answer(
        offer: &str,
        identity: &Identity,
        candidates: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let parsed = SdpOffer::from_sdp_string(offer).map_err(|error| SfuError::Parse(error.to_string()))?;
        let mut rtc = identity.rtc(now);
        for candidate in candidates {
            // What is no address for ICE (unspecified, say) is left out.
            if let Ok(candidate) = Candidate::host(*candidate, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        // The library is trusted with strangers' text only so far.
        let answered = catch_unwind(AssertUnwindSafe(|| rtc.sdp_api().accept_offer(parsed)));
        let answer = answered
            .map_err(|_| SfuError::Refused("it breaks the WebRTC library".to_owned()))?
            .map_err(|error| SfuError::Refused(error.to_string()))?;
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let peer = Self {
            rtc,
            ufrag,
            created: now,
            connected: false,
            timeout: now,
            dirty: false,
            failed: false,
            tracks: HashMap::new(),
            asked: HashMap::new(),
            slots: Vec::new(),
        };
        Ok((peer, answer.to_sdp_string()))
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.slots.iter().map(|slot| Slot { mid: slot.mid.to_string(), audio: slot.audio }).collect()
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    pub(crate) fn timeout(&self) -> Instant {
        self.timeout
    }

    pub(crate) fn is_overdue(&self, now: Instant, patience: Duration) -> bool {
        !self.connected && now.saturating_duration_since(self.created) > patience
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Marks the peer for the next drain; says whether it was marked before.
    pub(crate) fn mark_dirty(&mut self) -> bool {
        std::mem::replace(&mut self.dirty, true)
    }

    pub(crate) fn clear_dirty(&mut self) {
        self.dirty = false;
    }

    /// True when the library takes the datagram for this peer's.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<bool, Gone> {
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) else { return Ok(false) };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return Ok(false);
        }
        self.input(input)?;
        Ok(true)
    }

    pub(crate) fn wake(&mut self, now: Instant) -> Result<(), Gone> {
        self.input(Input::Timeout(now))
    }

    fn input(&mut self, input: Input<'_>) -> Result<(), Gone> {
        let rtc = &mut self.rtc;
        match catch_unwind(AssertUnwindSafe(|| rtc.handle_input(input))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "peer's input failed");
                self.failed = true;
                Err(Gone)
            }
            Err(_) => {
                tracing::error!("the WebRTC library panicked on a peer's input");
                self.failed = true;
                Err(Gone)
            }
        }
    }

    /// Takes out all there is; the time of the next wake.
    pub(crate) fn drain(
        &mut self,
        key: PeerKey,
        now: Instant,
        mut tell: impl FnMut(SfuEvent),
        mut send: impl FnMut(Transmit),
    ) -> Result<Instant, Gone> {
        loop {
            let rtc = &mut self.rtc;
            let polled = catch_unwind(AssertUnwindSafe(|| rtc.poll_output()));
            let Ok(Ok(output)) = polled else {
                self.failed = true;
                return Err(Gone);
            };
            match output {
                Output::Timeout(at) => {
                    // Never busy: a timeout in the past comes at once, one far off is cut to the connecting check.
                    self.timeout = at.clamp(now, now + Duration::from_secs(5));
                    return if self.rtc.is_alive() { Ok(self.timeout) } else { Err(Gone) };
                }
                Output::Transmit(transmit) => send(Transmit {
                    from: transmit.source,
                    to: transmit.destination,
                    bytes: transmit.contents.to_vec(),
                }),
                Output::Event(event) => self.take(key, event, &mut tell)?,
            }
        }
    }

    fn take(&mut self, key: PeerKey, event: Event, tell: &mut impl FnMut(SfuEvent)) -> Result<(), Gone> {
        match event {
            Event::Connected => {
                self.connected = true;
                tell(SfuEvent::Connected(key));
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => return Err(Gone),
            Event::RtpPacket(packet) => {
                if let Some((kind, packet)) = self.published(packet) {
                    tell(SfuEvent::Media { peer: key, kind, packet });
                }
            }
            Event::KeyframeRequest(request) => {
                if let Some(slot) = self.slots.iter().position(|slot| slot.mid == request.mid) {
                    tell(SfuEvent::KeyframeWanted { peer: key, slot });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn published(&mut self, packet: RtpPacket) -> Option<(TrackKind, MediaPacket)> {
        let mid = packet.header.ext_vals.mid.or_else(|| {
            let ssrc = packet.header.ssrc;
            self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid())
        })?;
        let kind = *self.tracks.get(&mid)?;
        let codec = match kind {
            TrackKind::Audio => Codec::Audio(AudioCodec::Opus),
            TrackKind::Camera | TrackKind::Screen => Codec::Video(VideoCodec::Vp8),
        };
        let level = packet.header.ext_vals.audio_level.map(|level| AudioLevel::from_minus_dbov(level.unsigned_abs()));
        let packet = MediaPacket {
            codec,
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            level,
            payload: packet.payload,
        };
        Some((kind, packet))
    }

    pub(crate) fn assign(&mut self, slot: usize, source: Option<SourceId>) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.assign(source, !slot.audio);
        }
    }

    pub(crate) fn waits_for_keyframe(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.rewriter.waits_for_keyframe())
    }

    /// True when something is to be drained.
    pub(crate) fn write(&mut self, slot: usize, packet: &MediaPacket, now: Instant) -> bool {
        let Some(slot) = self.slots.get_mut(slot).filter(|_| self.connected) else { return false };
        let Some(payload_type) = slot.payload_type else { return false };
        let Some(forwarded) = slot.rewriter.rewrite(packet, now) else { return false };
        let mut write =
            RtpWrite::new(payload_type, forwarded.seq.into(), forwarded.timestamp, now, Arc::clone(&packet.payload))
                .marker(packet.marker)
                .nackable(!slot.audio);
        if let Some(level) = packet.level {
            let audio_level = i8::try_from(level.minus_dbov()).map(|level| -level).ok();
            write = write.ext_vals(ExtensionValues {
                audio_level,
                voice_activity: Some(level.is_voice()),
                ..ExtensionValues::default()
            });
        }
        if let Some(ids) = forwarded.vp8
            && let Ok(descriptor) = Vp8Descriptor::parse(&packet.payload)
        {
            let mut patch = descriptor.patch();
            if descriptor.picture_id().is_some() {
                patch = patch.picture_id(ids.picture_id);
            }
            if descriptor.tl0_pic_idx().is_some() {
                patch = patch.tl0_pic_idx(ids.tl0_pic_idx);
            }
            if let Ok(patch) = patch.build() {
                write = write.vp8_patch(patch);
            }
        }
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(slot.mid, None) {
            stream.write_rtp(write);
        }
        true
    }

    /// True when the publisher is asked now.
    pub(crate) fn request_keyframe(&mut self, kind: TrackKind, interval: Duration, now: Instant) -> bool {
        if self.asked.get(&kind).is_some_and(|at| now.saturating_duration_since(*at) < interval) {
            return false;
        }
        let Some((mid, _)) = self.tracks.iter().find(|(_, track)| **track == kind) else { return false };
        let mid = *mid;
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_rx_by_mid(mid, None) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.asked.insert(kind, now);
        true
    }

    /// Says goodbye (DTLS close): the last datagrams.
    pub(crate) fn close(mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let mut last = Vec::new();
        let said = catch_unwind(AssertUnwindSafe(|| {
            if self.failed || self.rtc.close().is_err() {
                return;
            }
            // The library ends with a timeout; what it has to say is a handful of datagrams.
            for _ in 0..16 {
                match self.rtc.poll_output() {
                    Ok(Output::Transmit(transmit)) => {
                        last.push((transmit.source, transmit.destination, transmit.contents.to_vec()));
                    }
                    Ok(Output::Event(_)) => {}
                    Ok(Output::Timeout(_)) | Err(_) => return,
                }
            }
        }));
        if said.is_err() {
            tracing::error!("the WebRTC library panicked at a peer's end");
        }
        last
    }
}

/// The m-lines of an offer, in order.
fn media_lines(offer: &str) -> Result<Vec<MediaLine>, SfuError> {
    if offer.len() > OFFER_BYTES_MAX {
        return Err(SfuError::Form("more than 64 KiB"));
    }
    let mut lines: Vec<MediaLine> = Vec::new();
    for line in offer.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let audio = media.starts_with("audio ");
            if !audio && !media.starts_with("video ") {
                return Err(SfuError::Form("an m-line that is neither audio nor video"));
            }
            lines.push(MediaLine { mid: String::new(), audio, direction: "sendrecv" });
        } else if let Some(current) = lines.last_mut() {
            if let Some(mid) = line.strip_prefix("a=mid:") {
                mid.clone_into(&mut current.mid);
            }
            let directions = ["sendonly", "recvonly", "sendrecv", "inactive"];
            let named = |direction: &&&str| line.strip_prefix("a=") == Some(**direction);
            if let Some(direction) = directions.iter().find(named) {
                current.direction = direction;
            }
        }
    }
    if lines.is_empty() {
        return Err(SfuError::Form("no m-line"));
    }
    if lines.len() > MEDIA_LINES_MAX {
        return Err(SfuError::Form("too many m-lines"));
    }
    if lines.iter().any(|line| line.mid.is_empty() || line.mid.len() > 16) {
        return Err(SfuError::Form("an m-line without a mid of 1 to 16 characters"));
    }
    Ok(lines)
}
