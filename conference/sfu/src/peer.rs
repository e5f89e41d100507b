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
    bwe::{Bitrate, BweKind},
    change::SdpOffer,
    config::{CryptoProvider, DtlsCert},
    format::Codec as WireCodec,
    media::{KeyframeRequestKind, Mid, Pt, Rid},
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc, Vp8Descriptor},
};

use crate::{
    Delivery, LAYERS, Layer, PeerKey, SfuError, SfuEvent, Slot, SourceId,
    forward::Rewriter,
    offer::{MediaLine, media_lines},
};

/// Packets kept for retransmission, and how long. The library's own 1,024 over three seconds cost a megabyte a picture;
/// what is older than a second and a half is no longer shown.
const RTX_PACKETS: usize = 512;
/// See [`RTX_PACKETS`].
const RTX_AGE: Duration = Duration::from_millis(1500);
/// How much of what is sent may be retransmissions: beyond it the line is full, and more would fill it further.
const RTX_RATIO: Option<f32> = Some(0.15);

/// What a line is taken to carry until it is known, in bits per second: enough for voices and small pictures. Twice as
/// much would be too much for a poor line before it says so; half would show good ones small pictures for longer.
const ESTIMATE_AT_FIRST: u64 = 1_000_000;

/// Sources of one publisher that are told apart: six, and what they were before. One that changes its SSRC (RFC 3550 §8)
/// with each packet makes us look again each time, and no more.
const SSRCS_MAX: usize = 32;

/// How often the library tells how long the way to a subscriber is. More often would cost more than it tells.
const STATS_INTERVAL: Duration = Duration::from_secs(5);

/// A peer that has said all it may is left alone for this long. Its pacer works in steps of 5 ms; less would keep the worker
/// awake for nothing, more would make bursts of what it lets out.
const REST: Duration = Duration::from_micros(500);

/// How often a peer is woken in one go: the packets that may leave at once. Beyond that the others get their turn.
const WAKES_MAX: usize = 64;

/// What all peers of a worker share.
pub(crate) struct Identity {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) certificate: DtlsCert,
}

impl Identity {
    pub(crate) fn generate() -> Result<Self, SfuError> {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = provider.dtls_provider.generate_certificate().ok_or(SfuError::Certificate)?;
        Ok(Self { provider, certificate })
    }

    fn rtc(&self, sends: bool, now: Instant) -> Rtc {
        RtcConfig::new()
            .enable_bwe(sends.then_some(Bitrate::bps(ESTIMATE_AT_FIRST)))
            .set_crypto_provider(Arc::clone(&self.provider))
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_stats_interval(sends.then_some(STATS_INTERVAL))
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
    tracks: HashMap<Mid, Track>,
    sources: HashMap<Ssrc, (TrackKind, Layer)>,
    asked: HashMap<(TrackKind, Layer), Instant>,
    /// Of a subscriber.
    slots: Vec<OutSlot>,
    delivery: Delivery,
}

struct OutSlot {
    mid: Mid,
    audio: bool,
    payload_type: Option<Pt>,
    rewriter: Rewriter,
}

/// What a publisher's m-line carries.
struct Track {
    kind: TrackKind,
    /// Of its layers, the smallest first; empty where it is sent once.
    rids: Vec<Rid>,
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
        if lines.iter().any(|line| line.rids.len() > LAYERS) {
            return Err(SfuError::Form("more than three layers of a picture"));
        }
        let (mut peer, answer) = Self::answer(offer, identity, candidates, false, now)?;
        let kinds = [TrackKind::Audio, TrackKind::Camera, TrackKind::Screen];
        let track = |(line, kind): (&MediaLine, TrackKind)| {
            let rids = line.rids.iter().map(|rid| Rid::from(rid.as_str())).collect();
            (Mid::from(line.mid.as_str()), Track { kind, rids })
        };
        peer.tracks = lines.iter().zip(kinds).map(track).collect();
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
        let (mut peer, answer) = Self::answer(offer, identity, candidates, true, now)?;
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
        sends: bool,
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let parsed = SdpOffer::from_sdp_string(offer).map_err(|error| SfuError::Parse(error.to_string()))?;
        let mut rtc = identity.rtc(sends, now);
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
            sources: HashMap::new(),
            asked: HashMap::new(),
            slots: Vec::new(),
            delivery: Delivery::default(),
        };
        Ok((peer, answer.to_sdp_string()))
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.slots.iter().map(|slot| Slot { mid: slot.mid.to_string(), audio: slot.audio }).collect()
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery
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
        mut send: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> Result<Instant, Gone> {
        // Woken again only for what comes of it.
        let (mut wakes, mut said) = (0, true);
        loop {
            let rtc = &mut self.rtc;
            let polled = catch_unwind(AssertUnwindSafe(|| rtc.poll_output()));
            let Ok(Ok(output)) = polled else {
                self.failed = true;
                return Err(Gone);
            };
            match output {
                // Its pacer lets one packet out at a time, and wants to be woken for the next.
                Output::Timeout(at) if at <= now && wakes < WAKES_MAX && said => {
                    (wakes, said) = (wakes + 1, false);
                    self.input(Input::Timeout(now))?;
                }
                Output::Timeout(at) => {
                    // Never busy, whatever it wants; one far off is cut to the connecting check.
                    self.timeout = at.clamp(now + REST, now + Duration::from_secs(5));
                    return if self.rtc.is_alive() { Ok(self.timeout) } else { Err(Gone) };
                }
                Output::Transmit(transmit) => {
                    said = true;
                    send(transmit.source, transmit.destination, &transmit.contents);
                }
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
                if let Some((kind, layer, packet)) = self.published(packet) {
                    tell(SfuEvent::Media { peer: key, kind, layer, packet });
                }
            }
            Event::KeyframeRequest(request) => {
                if let Some(slot) = self.slots.iter().position(|slot| slot.mid == request.mid) {
                    tell(SfuEvent::KeyframeWanted { peer: key, slot });
                }
            }
            Event::PeerStats(stats) => self.delivery.round_trip = stats.rtt.or(self.delivery.round_trip),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, can_probe }) => {
                let bitrate = can_probe.then(|| estimate.as_u64());
                tell(SfuEvent::Estimate { peer: key, bitrate });
            }
            _ => {}
        }
        Ok(())
    }

    fn published(&mut self, packet: RtpPacket) -> Option<(TrackKind, Layer, MediaPacket)> {
        let (kind, layer) = self.source_of(&packet)?;
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
        Some((kind, layer, packet))
    }

    /// Browsers name track and layer (RFC 9143, RFC 8852) in the first packets only.
    fn source_of(&mut self, packet: &RtpPacket) -> Option<(TrackKind, Layer)> {
        let ssrc = packet.header.ssrc;
        if let Some(known) = self.sources.get(&ssrc) {
            return Some(*known);
        }
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let (mid, rid) = (stream.mid(), stream.rid());
        let track = self.tracks.get(&mid)?;
        let index = rid.and_then(|rid| track.rids.iter().position(|known| *known == rid)).unwrap_or_default();
        let source = (track.kind, Layer::new(index as u8));
        if self.sources.len() >= SSRCS_MAX {
            self.sources.clear();
        }
        self.sources.insert(ssrc, source);
        Some(source)
    }

    pub(crate) fn assign(&mut self, slot: usize, source: Option<SourceId>) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.assign(source);
        }
    }

    pub(crate) fn select(&mut self, slot: usize, layer: Option<Layer>) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.select(layer);
        }
    }

    pub(crate) fn set_bitrate(&mut self, minimum: u64, desired: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::bps(minimum), Bitrate::bps(desired));
    }

    pub(crate) fn waits_for_keyframe(&self, slot: usize) -> Option<Layer> {
        self.slots.get(slot).filter(|slot| !slot.audio)?.rewriter.waits_for_keyframe()
    }

    /// True when something is to be drained.
    pub(crate) fn write(&mut self, slot: usize, layer: Layer, packet: &MediaPacket, now: Instant) -> bool {
        let Some(slot) = self.slots.get_mut(slot).filter(|_| self.connected) else { return false };
        let Some(payload_type) = slot.payload_type else { return false };
        let Some(forwarded) = slot.rewriter.rewrite(layer, packet, now) else { return false };
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
        self.delivery.voice_packets += u64::from(slot.audio);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(slot.mid, None) {
            stream.write_rtp(write);
        }
        true
    }

    /// True when the publisher is asked now.
    pub(crate) fn request_keyframe(&mut self, kind: TrackKind, layer: Layer, interval: Duration, now: Instant) -> bool {
        if self.asked.get(&(kind, layer)).is_some_and(|at| now.saturating_duration_since(*at) < interval) {
            return false;
        }
        let Some((mid, track)) = self.tracks.iter().find(|(_, track)| track.kind == kind) else { return false };
        let (mid, rid) = (*mid, track.rids.get(layer.index()).copied());
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_rx_by_mid(mid, rid) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.asked.insert((kind, layer), now);
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
