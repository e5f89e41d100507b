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
    media::{KeyframeRequestKind, Mid, Rid},
    net::{Protocol, Receive},
    rtp::{Extension, RtpPacket, Ssrc},
};

use crate::{
    Delivery, LAYERS, Layer, LinePassed, Outbox, PeerKey, SfuError, SfuEvent, Slot, SourceId,
    egress::{Egress, Outgoing, Said, StreamConfig, header::Extensions},
    forward::Rewriter,
    guard::{Guard, Why},
    handshake::{self, KeysOf, keeping_keys},
    offer::{MediaLine, media_lines},
    srtp::Srtp,
    stun,
};

/// Sources of one publisher that are told apart: six, and what they were before. One that changes its SSRC (RFC 3550 §8)
/// with each packet makes us look again each time, and no more.
const SSRCS_MAX: usize = 32;

/// A peer that has said all it may is left alone for this long: less would keep the worker awake for nothing, more would make
/// bursts of what it lets out.
const REST: Duration = Duration::from_micros(500);

/// Browsers check the way they use every 2.5 s; one that was not chosen for so long they use no more.
const CHOSEN_FOR: Duration = Duration::from_secs(3);

/// What all peers of a worker share.
pub(crate) struct Identity {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) certificate: DtlsCert,
}

impl Identity {
    pub(crate) fn generate() -> Result<Self, SfuError> {
        let provider = Arc::new(handshake::provider());
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
    guard: Guard,
    created: Instant,
    connected: bool,
    /// When the library wants to be woken.
    timeout: Instant,
    /// When the peer is woken, as its owner has written it down.
    scheduled: Instant,
    dirty: bool,
    failed: bool,
    /// Of a publisher.
    tracks: HashMap<Mid, Track>,
    sources: HashMap<Ssrc, (TrackKind, Layer)>,
    asked: HashMap<(TrackKind, Layer), Instant>,
    /// Of a subscriber.
    slots: Vec<OutSlot>,
    subscription: Option<Subscription>,
    egress: Option<Box<Egress>>,
    voice_packets: u64,
}

/// What is known of a subscriber before anything can be sent to him.
struct Subscription {
    keys: KeysOf,
    provider: Arc<CryptoProvider>,
    /// The name of all streams (RFC 3550 §6.5.1).
    name: String,
    streams: Vec<StreamConfig>,
    /// Which of our addresses, and which of his, the connection goes by, and when he last asked for that.
    route: Option<(SocketAddr, SocketAddr)>,
    chosen: Instant,
    /// He has just asked for the connection to go from there.
    nominating: Option<SocketAddr>,
}

struct OutSlot {
    mid: Mid,
    audio: bool,
    /// Something can be sent on it.
    is_agreed: bool,
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
        let (mut peer, answer) = Self::answer(offer, identity, candidates, now)?;
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
        let (answered, keys) = keeping_keys(|| Self::answer(offer, identity, candidates, now));
        let (mut peer, answer) = answered?;
        peer.guard = Guard::of_subscriber(now);
        let (mut streams, mut name) = (Vec::new(), String::new());
        for line in lines {
            let mid = Mid::from(line.mid.as_str());
            let wanted = if line.audio { WireCodec::Opus } else { WireCodec::Vp8 };
            let media = peer.rtc.media(mid);
            let agreed = media.map(|media| media.remote_pts().to_vec()).unwrap_or_default();
            let extension = |of| media.and_then(|media| media.remote_extmap().id_of(of));
            let extensions = Extensions {
                mid: extension(Extension::RtpMid),
                transport: extension(Extension::TransportSequenceNumber),
                sent: extension(Extension::AbsoluteSendTime),
                level: extension(Extension::AudioLevel),
            };
            if let Some(media) = media {
                media.cname().clone_into(&mut name);
            }
            let codecs = peer.rtc.codec_config().params();
            let codec = codecs.iter().find(|params| params.spec().codec == wanted && agreed.contains(&params.pt()));
            let agreed = codec.map(|codec| (*codec.pt(), codec.resend()));
            let mut api = peer.rtc.direct_api();
            let ssrcs = api.stream_tx_by_mid(mid, None).map(|stream| (stream.ssrc(), stream.rtx()));
            // The library sends nothing: it has no keys.
            if let Some((ssrc, _)) = ssrcs {
                api.remove_stream_tx(ssrc);
            }
            let (payload_type, resent_as) = agreed.unwrap_or_default();
            let (ssrc, resent) = ssrcs.unzip();
            streams.push(StreamConfig {
                mid: line.mid,
                is_audio: line.audio,
                ssrc: ssrc.map(|ssrc| *ssrc).unwrap_or_default(),
                payload_type,
                resent: resent.flatten().zip(resent_as).map(|(ssrc, payload_type)| (*ssrc, *payload_type)),
                clock_rate: if line.audio { 48_000 } else { 90_000 },
                extensions,
            });
            let is_agreed = agreed.is_some() && ssrc.is_some();
            peer.slots.push(OutSlot { mid, audio: line.audio, is_agreed, rewriter: Rewriter::default() });
        }
        let provider = Arc::clone(&identity.provider);
        peer.subscription =
            Some(Subscription { keys, provider, name, streams, route: None, chosen: now, nominating: None });
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
            guard: Guard::of_publisher(now),
            created: now,
            connected: false,
            timeout: now,
            scheduled: now,
            dirty: false,
            failed: false,
            tracks: HashMap::new(),
            sources: HashMap::new(),
            asked: HashMap::new(),
            slots: Vec::new(),
            subscription: None,
            egress: None,
            voice_packets: 0,
        };
        Ok((peer, answer.to_sdp_string()))
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.slots.iter().map(|slot| Slot { mid: slot.mid.to_string(), audio: slot.audio }).collect()
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let round_trip = self.egress.as_ref().and_then(|egress| egress.round_trip());
        Delivery { voice_packets: self.voice_packets, round_trip }
    }

    /// Of a subscriber to whom something can be sent.
    pub(crate) fn passed(&self, now: Instant) -> Option<LinePassed> {
        self.egress.as_ref().map(|egress| egress.passed(now))
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// When it wants to be woken.
    pub(crate) fn timeout(&self, now: Instant) -> Instant {
        let sends = self.egress.as_ref().map_or(self.timeout, |egress| egress.timeout());
        // Never busy, whatever it wants.
        self.timeout.min(sends.max(now + REST))
    }

    /// Writes down when it is woken; when it was to be before.
    pub(crate) fn schedule(&mut self, at: Instant) -> Instant {
        std::mem::replace(&mut self.scheduled, at)
    }

    pub(crate) fn scheduled(&self) -> Instant {
        self.scheduled
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

    /// Whether the datagram is looked at at all.
    pub(crate) fn admit(&mut self, key: PeerKey, datagram: &[u8], now: Instant) -> Result<(), Why> {
        let admitted = self.guard.admit(datagram, now);
        if let Err(why) = admitted
            && self.guard.tells()
        {
            tracing::warn!(peer = key.0, ?why, "a browser sends more than any should; what is beyond is dropped");
        }
        admitted
    }

    /// True when the library takes the datagram for this peer's.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<bool, Gone> {
        if let Some(subscription) = &mut self.subscription {
            subscription.nominating = stun::nominates(datagram).then_some(from);
        }
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) else { return Ok(false) };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return Ok(false);
        }
        self.input(input)?;
        Ok(true)
    }

    /// Lets the library do what is due; false when nothing is.
    pub(crate) fn wake(&mut self, now: Instant) -> Result<bool, Gone> {
        let was_asked = std::mem::take(&mut self.dirty);
        if self.timeout > now && !was_asked {
            return Ok(false);
        }
        self.input(Input::Timeout(now))?;
        Ok(true)
    }

    /// Lets what is sent do what is due.
    pub(crate) fn wake_egress(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(egress) = self.egress.as_mut().filter(|egress| egress.timeout() <= now) {
            egress.wake(now, out);
        }
    }

    /// Takes a subscriber's reports; false where he is none, or can't be sent anything yet.
    pub(crate) fn reported(
        &mut self,
        key: PeerKey,
        datagram: &[u8],
        now: Instant,
        out: &mut Outbox,
        mut tell: impl FnMut(SfuEvent),
    ) -> bool {
        let Some(egress) = &mut self.egress else { return false };
        egress.reported(datagram, now, out, |said| {
            tell(match said {
                Said::Keyframe(slot) => SfuEvent::KeyframeWanted { peer: key, slot },
                Said::Estimate(bitrate) => SfuEvent::Estimate { peer: key, bitrate: Some(bitrate) },
            });
        });
        true
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

    /// Takes out all there is.
    pub(crate) fn drain(
        &mut self,
        key: PeerKey,
        now: Instant,
        mut tell: impl FnMut(SfuEvent),
        mut send: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> Result<(), Gone> {
        loop {
            let rtc = &mut self.rtc;
            let polled = catch_unwind(AssertUnwindSafe(|| rtc.poll_output()));
            let Ok(Ok(output)) = polled else {
                self.failed = true;
                return Err(Gone);
            };
            match output {
                Output::Timeout(at) => {
                    // Never busy, whatever it wants; one far off is cut to the connecting check.
                    self.timeout = at.clamp(now + REST, now + Duration::from_secs(5));
                    self.begin(key, now, &mut tell)?;
                    return if self.rtc.is_alive() { Ok(()) } else { Err(Gone) };
                }
                Output::Transmit(transmit) => {
                    self.follow((transmit.source, transmit.destination), &transmit.contents, now);
                    send(transmit.source, transmit.destination, &transmit.contents);
                }
                Output::Event(event) => self.take(key, event, &mut tell)?,
            }
        }
    }

    /// The connection goes by where the handshake went, or by what the browser has chosen since and was told it may
    /// (RFC 8445 §7.3.1.5). Browsers choose several ways at once where a server is as plain as we are; the one that is used stays
    /// for as long as it is chosen.
    fn follow(&mut self, route: (SocketAddr, SocketAddr), datagram: &[u8], now: Instant) {
        let Some(subscription) = &mut self.subscription else { return };
        let is_handshake = matches!(datagram.first(), Some(20..=63));
        let is_granted = subscription.nominating == Some(route.1) && stun::is_success(datagram);
        let is_same = subscription.route == Some(route);
        let is_given_up = now.saturating_duration_since(subscription.chosen) > CHOSEN_FOR;
        if is_handshake || (is_granted && (is_same || is_given_up || subscription.route.is_none())) {
            (subscription.route, subscription.chosen) = (Some(route), now);
            if let Some(egress) = &mut self.egress {
                egress.set_route(route.0, route.1);
            }
        }
    }

    /// A subscriber whose handshake is done can be sent to.
    fn begin(&mut self, key: PeerKey, now: Instant, tell: &mut impl FnMut(SfuEvent)) -> Result<(), Gone> {
        let Some(subscription) = self.subscription.as_mut().filter(|_| self.connected && self.egress.is_none()) else {
            return Ok(());
        };
        let Some(route) = subscription.route else { return Ok(()) };
        let Some(keys) = subscription.keys.take() else { return Ok(()) };
        let srtp = Srtp::new(&subscription.provider, &keys).ok_or(Gone)?;
        let (name, streams) = (std::mem::take(&mut subscription.name), std::mem::take(&mut subscription.streams));
        let egress = self.egress.insert(Box::new(Egress::new(srtp, route, name, streams, now)));
        tell(SfuEvent::Connected(key));
        tell(SfuEvent::Estimate { peer: key, bitrate: egress.estimate() });
        Ok(())
    }

    fn take(&mut self, key: PeerKey, event: Event, tell: &mut impl FnMut(SfuEvent)) -> Result<(), Gone> {
        match event {
            Event::Connected => {
                self.connected = true;
                if self.subscription.is_none() {
                    tell(SfuEvent::Connected(key));
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => return Err(Gone),
            Event::RtpPacket(packet) => {
                if let Some((kind, layer, packet)) = self.published(packet) {
                    tell(SfuEvent::Media { peer: key, kind, layer, packet });
                }
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

    pub(crate) fn set_minimum(&mut self, minimum: u64) {
        if let Some(egress) = &mut self.egress {
            egress.set_minimum(minimum);
        }
    }

    pub(crate) fn waits_for_keyframe(&self, slot: usize) -> Option<Layer> {
        self.slots.get(slot).filter(|slot| !slot.audio)?.rewriter.waits_for_keyframe()
    }

    /// Sends a packet of what is in the slot, as far as the slot is to carry it.
    pub(crate) fn write(&mut self, slot: usize, layer: Layer, packet: &MediaPacket, now: Instant, out: &mut Outbox) {
        let (Some(egress), Some(out_slot)) = (&mut self.egress, self.slots.get_mut(slot)) else { return };
        if !out_slot.is_agreed {
            return;
        }
        let Some(forwarded) = out_slot.rewriter.rewrite(layer, packet, now) else { return };
        self.voice_packets += u64::from(out_slot.audio);
        let (marker, level, payload) = (packet.marker, packet.level, Arc::clone(&packet.payload));
        egress.send(slot, Outgoing { forwarded, marker, level, payload }, now, out);
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
        if let Some(egress) = &mut self.egress {
            let (from, to) = egress.route();
            last.extend(egress.bye().map(|bye| (from, to, bye)));
        }
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
