//! One peer: the only place that knows the WebRTC library.

mod published;

use std::{
    collections::HashMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use media::{MediaPacket, TrackKind};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig,
    change::SdpOffer,
    config::{CryptoProvider, DtlsCert},
    media::{Mid, Rid},
    net::{Protocol, Receive, TcpType, Transmit},
    rtp::{Extension, Ssrc},
};

use crate::{
    Delivery, LAYERS, Layer, LinePassed, Outbox, PeerKey, Remote, SfuError, SfuEvent, Slot, SourceId, Transport,
    asked::Asked,
    codecs::{codecs_of, payload_types, red_of},
    egress::{Egress, Outgoing, PayloadType, Said, StreamConfig, header::Extensions},
    forward::{Rewriter, starts_keyframe},
    guard::{Guard, Why},
    handshake::{self, Kept, KeysOf, keeping_keys},
    ingress::{Ingress, source},
    layers::Layers,
    offer::{MediaLine, media_lines, one_way, with_dtx, with_layers},
    red::Red,
    repair::Repair,
    srtp::Srtp,
    stun,
};
use published::{Published, Track};

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

    fn rtc(&self, codecs: Codecs, now: Instant) -> Rtc {
        let config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.provider))
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, true)
            .enable_vp8(true)
            .enable_h264(true)
            .enable_vp9(true)
            // Not every browser shows AV1, and an encoder that can send it can send H.264, which every one does.
            .enable_av1(codecs != Codecs::Ingested)
            .set_stats_interval(None);
        config.build(now)
    }
}

/// What a connection is for, as far as that decides what is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codecs {
    Published,
    Ingested,
    Sent,
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
    codecs: Vec<PayloadType>,
    purpose: Codecs,
    /// The certificates that his offer named.
    fingerprints: Vec<String>,
    /// Payload types of which what is lost may be asked for again.
    nacked: Vec<u8>,
    /// Layers that nobody is sent, by track.
    unfollowed: [[bool; LAYERS]; 3],
    ingress: Option<Ingress>,
    repair: Option<Repair>,
    red: Red,
    asked: Asked,
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
    route: Option<(SocketAddr, Remote)>,
    chosen: Instant,
    /// He has begun anew, and goes by the first way that he chooses.
    is_over: bool,
    /// He has just asked for the connection to go from there.
    nominating: Option<Remote>,
    /// The other way that he asked for and was granted last.
    granted: Option<(SocketAddr, Remote)>,
}

struct OutSlot {
    mid: Mid,
    audio: bool,
    /// By what it is sent, and what is sent again of it; none where nothing can be.
    ssrcs: Option<(Ssrc, Option<Ssrc>)>,
    rewriter: Rewriter,
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
        let (mut peer, answer) = Self::sender(offer, identity, candidates, Codecs::Published, now)?;
        let kinds = [TrackKind::Audio, TrackKind::Camera, TrackKind::Screen];
        let track = |(line, kind): (&MediaLine, TrackKind)| {
            (Mid::from(line.mid.as_str()), Track { kind, layers: Layers::smallest_first(rids(line)) })
        };
        peer.tracks = lines.iter().zip(kinds).map(track).collect();
        peer.nacked = lines.iter().flat_map(|line| &line.nacked).copied().collect();
        Ok((peer, with_dtx(&answer)))
    }

    /// One that other programs than ours make: it may say `sendrecv`, of which we take the half there is.
    pub(crate) fn encoder(
        offer: &str,
        identity: &Identity,
        candidates: &[SocketAddr],
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let offer = with_layers(&one_way(offer), LAYERS);
        let lines = media_lines(&offer)?;
        if lines.iter().any(|line| line.direction != "sendonly") {
            return Err(SfuError::Form("an m-line that does not send"));
        }
        let sounds = lines.iter().filter(|line| line.audio).count();
        if sounds > 1 || lines.len() - sounds > 1 {
            return Err(SfuError::Form("more than one sound or picture"));
        }
        let (mut peer, answer) = Self::sender(&offer, identity, candidates, Codecs::Ingested, now)?;
        // One whose picture is left out would take its place and show nothing; without its sound it is still seen.
        let is_taken = |line: &MediaLine| {
            let media = peer.rtc.media(Mid::from(line.mid.as_str()));
            media.is_some_and(|media| !media.remote_pts().is_empty())
        };
        if !lines.iter().filter(|line| !line.audio || lines.len() == sounds).all(is_taken) {
            return Err(SfuError::Codec);
        }
        let track = |line: &MediaLine| {
            let kind = if line.audio { TrackKind::Audio } else { TrackKind::Camera };
            (Mid::from(line.mid.as_str()), Track { kind, layers: Layers::preferred_first(rids(line)) })
        };
        peer.tracks = lines.iter().map(track).collect();
        peer.nacked = lines.iter().flat_map(|line| &line.nacked).copied().collect();
        Ok((peer, answer))
    }

    /// Takes the offer anew, with other names and passwords of ICE in it (RFC 8445 §9).
    pub(crate) fn restart(&mut self, offer: &str) -> Result<String, SfuError> {
        if fingerprints(offer) != self.fingerprints {
            return Err(SfuError::Form("another certificate than it had"));
        }
        let offer =
            if self.purpose == Codecs::Ingested { with_layers(&one_way(offer), LAYERS) } else { offer.to_owned() };
        let lines = media_lines(&offer)?;
        let known = |line: &MediaLine| {
            let mid = Mid::from(line.mid.as_str());
            self.tracks.contains_key(&mid) || self.slots.iter().any(|slot| slot.mid == mid)
        };
        if lines.len() != self.tracks.len() + self.slots.len() || !lines.iter().all(known) {
            return Err(SfuError::Form("other m-lines than it had"));
        }
        let parsed = SdpOffer::from_sdp_string(&offer).map_err(|error| SfuError::Parse(error.to_string()))?;
        // The library says in the answer by what it sends, which it does not: it knows of it for this moment alone.
        let ours = || self.slots.iter().filter_map(|slot| Some((slot.mid, slot.ssrcs?)));
        for (mid, (ssrc, resent)) in ours() {
            self.rtc.direct_api().declare_stream_tx(ssrc, resent, mid, None);
        }
        let answered = accept(&mut self.rtc, parsed);
        for (_, (ssrc, _)) in ours() {
            self.rtc.direct_api().remove_stream_tx(ssrc);
        }
        let answer = answered?;
        self.rtc.direct_api().local_ice_credentials().ufrag.clone_into(&mut self.ufrag);
        if let Some(subscription) = &mut self.subscription {
            // The way he used he uses no more.
            subscription.is_over = true;
        }
        Ok(if self.purpose == Codecs::Published { with_dtx(&answer) } else { answer })
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
        let (answered, keys) =
            keeping_keys(Kept::Alone, || Self::answer(offer, identity, candidates, Codecs::Sent, now));
        let (mut peer, answer) = answered?;
        peer.guard = Guard::of_subscriber(now);
        let (mut streams, mut name) = (Vec::new(), String::new());
        for line in lines {
            let mid = Mid::from(line.mid.as_str());
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
            let payload_types = payload_types(&peer.rtc, line.audio, &agreed);
            let mut api = peer.rtc.direct_api();
            let ssrcs = api.stream_tx_by_mid(mid, None).map(|stream| (stream.ssrc(), stream.rtx()));
            // The library sends nothing: it has no keys.
            if let Some((ssrc, _)) = ssrcs {
                api.remove_stream_tx(ssrc);
            }
            let (ssrc, resent) = ssrcs.unzip();
            streams.push(StreamConfig {
                mid: line.mid,
                is_audio: line.audio,
                ssrc: ssrc.map(|ssrc| *ssrc).unwrap_or_default(),
                payload_types,
                resent_ssrc: resent.flatten().map(|ssrc| *ssrc),
                clock_rate: if line.audio { 48_000 } else { 90_000 },
                extensions,
            });
            peer.slots.push(OutSlot { mid, audio: line.audio, ssrcs, rewriter: Rewriter::default() });
        }
        let provider = Arc::clone(&identity.provider);
        peer.subscription = Some(Subscription {
            keys,
            provider,
            name,
            streams,
            route: None,
            chosen: now,
            is_over: false,
            nominating: None,
            granted: None,
        });
        Ok((peer, answer))
    }

    fn sender(
        offer: &str,
        identity: &Identity,
        candidates: &[SocketAddr],
        codecs: Codecs,
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let (answered, keys) = keeping_keys(Kept::Shared, || Self::answer(offer, identity, candidates, codecs, now));
        let (mut peer, answer) = answered?;
        peer.ingress = Some(Ingress::new(keys.clone(), Arc::clone(&identity.provider)));
        peer.repair = Some(Repair::new(keys, Arc::clone(&identity.provider)));
        Ok((peer, answer))
    }

    fn answer(
        offer: &str,
        identity: &Identity,
        candidates: &[SocketAddr],
        codecs: Codecs,
        now: Instant,
    ) -> Result<(Self, String), SfuError> {
        let parsed = SdpOffer::from_sdp_string(offer).map_err(|error| SfuError::Parse(error.to_string()))?;
        let mut rtc = identity.rtc(codecs, now);
        for candidate in candidates {
            let passive = Candidate::builder().tcp().host(*candidate).tcptype(TcpType::Passive).build();
            // What is no address for ICE (unspecified, say) is left out.
            for candidate in [Candidate::host(*candidate, "udp"), passive].into_iter().flatten() {
                rtc.add_local_candidate(candidate);
            }
        }
        let answer = accept(&mut rtc, parsed)?;
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let known = codecs_of(&rtc);
        let red = red_of(&rtc);
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
            codecs: known,
            purpose: codecs,
            fingerprints: fingerprints(offer),
            nacked: Vec::new(),
            unfollowed: [[false; LAYERS]; 3],
            ingress: None,
            repair: None,
            red,
            asked: Asked::default(),
            slots: Vec::new(),
            subscription: None,
            egress: None,
            voice_packets: 0,
        };
        Ok((peer, answer))
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
        let sends = self.egress.as_ref().map(|egress| egress.timeout());
        let asks = self.repair.as_ref().and_then(Repair::next);
        // Never busy, whatever it wants.
        [sends, asks].into_iter().flatten().fold(self.timeout, |first, ours| first.min(ours.max(now + REST)))
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
        let admitted = self.guard.admit(datagram, now).and_then(|()| match &mut self.ingress {
            Some(ingress) => ingress.admit(datagram),
            // Who subscribes sends no media.
            None => source(datagram).map_or(Ok(()), |_| Err(Why::Stranger)),
        });
        if let Err(why @ (Why::Flood | Why::Sources)) = admitted
            && self.guard.tells()
        {
            tracing::warn!(peer = key.0, ?why, "a browser sends more than any should; what is beyond is dropped");
        }
        admitted
    }

    /// True when the library takes the datagram for this peer's.
    pub(crate) fn receive(
        &mut self,
        from: Remote,
        to: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) -> Result<bool, Gone> {
        if let Some(subscription) = &mut self.subscription {
            subscription.nominating = stun::nominates(datagram).then_some(from);
        }
        if let Some(repair) = &mut self.repair {
            repair.comes_by(to, from);
        }
        let protocol = match from.over {
            Transport::Udp => Protocol::Udp,
            Transport::Tcp => Protocol::Tcp,
        };
        let Ok(receive) = Receive::new(protocol, from.address, to, datagram) else { return Ok(false) };
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

    /// Lets what we do ourselves be done where it is due.
    pub(crate) fn wake_ours(&mut self, now: Instant, out: &mut Outbox) {
        if let Some(repair) = &mut self.repair {
            repair.ask(now, out);
        }
        if let Some(egress) = self.egress.as_mut().filter(|egress| egress.timeout() <= now) {
            egress.wake(now, out);
        }
    }

    /// Takes a subscriber's reports; false where he is none, or can't be sent anything yet. Browsers report by the way that they use:
    /// where that is another one they were granted, a NAT has forgotten the one before.
    pub(crate) fn reported(
        &mut self,
        key: PeerKey,
        from: Remote,
        datagram: &[u8],
        now: Instant,
        out: &mut Outbox,
        mut tell: impl FnMut(SfuEvent),
    ) -> bool {
        let Some(egress) = &mut self.egress else { return false };
        let is_his = egress.reported(datagram, now, out, |said| {
            tell(match said {
                Said::Keyframe(slot) => SfuEvent::KeyframeWanted { peer: key, slot },
                Said::Estimate(bitrate) => SfuEvent::Estimate { peer: key, bitrate: Some(bitrate) },
            });
        });
        if let Some(subscription) = &mut self.subscription
            && let Some(route) = subscription.granted.take_if(|(_, granted)| is_his && *granted == from)
        {
            self.go_by(route, now);
        }
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
        mut send: impl FnMut(SocketAddr, Remote, &[u8]),
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
                    let to = remote(&transmit);
                    self.follow((transmit.source, to), &transmit.contents, now);
                    send(transmit.source, to, &transmit.contents);
                }
                Output::Event(event) => self.take(key, event, now, &mut tell)?,
            }
        }
    }

    /// The connection goes by where the handshake went, or by what the browser has chosen since and was told it may
    /// (RFC 8445 §7.3.1.5). Browsers choose several ways at once where a server is as plain as we are; the one that is used stays
    /// for as long as it is chosen.
    fn follow(&mut self, route: (SocketAddr, Remote), datagram: &[u8], now: Instant) {
        let Some(subscription) = &mut self.subscription else { return };
        let is_handshake = matches!(datagram.first(), Some(20..=63));
        let is_granted = subscription.nominating == Some(route.1) && stun::is_success(datagram);
        let is_same = subscription.route == Some(route);
        let is_given_up = subscription.is_over || now.saturating_duration_since(subscription.chosen) > CHOSEN_FOR;
        if is_handshake || (is_granted && (is_same || is_given_up || subscription.route.is_none())) {
            subscription.is_over = false;
            self.go_by(route, now);
        } else if is_granted {
            subscription.granted = Some(route);
        }
    }

    fn go_by(&mut self, route: (SocketAddr, Remote), now: Instant) {
        if let Some(subscription) = &mut self.subscription {
            (subscription.route, subscription.chosen) = (Some(route), now);
        }
        if let Some(egress) = &mut self.egress {
            egress.set_route(route.0, route.1);
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

    fn take(&mut self, key: PeerKey, event: Event, now: Instant, tell: &mut impl FnMut(SfuEvent)) -> Result<(), Gone> {
        match event {
            Event::Connected => {
                self.connected = true;
                if self.subscription.is_none() {
                    tell(SfuEvent::Connected(key));
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => return Err(Gone),
            Event::RtpPacket(packet) => {
                let Some(Published { kind, layer, number, packet, reorders }) = self.published(packet, now) else {
                    return Ok(());
                };
                if reorders {
                    tell(SfuEvent::Reordered(key));
                }
                let mut tell = |packet| tell(SfuEvent::Media { peer: key, kind, layer, packet: Arc::new(packet) });
                match kind {
                    TrackKind::Audio => self.red.take(number, packet).into_iter().for_each(tell),
                    TrackKind::Camera | TrackKind::Screen => tell(packet),
                }
            }
            _ => {}
        }
        Ok(())
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

    pub(crate) fn renew(&mut self, slot: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.rewriter.renew();
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
    pub(crate) fn write(
        &mut self,
        slot: usize,
        layer: Layer,
        packet: &Arc<MediaPacket>,
        now: Instant,
        out: &mut Outbox,
    ) {
        let (Some(egress), Some(out_slot)) = (&mut self.egress, self.slots.get_mut(slot)) else { return };
        if out_slot.ssrcs.is_none() {
            return;
        }
        let (voice_packets, is_audio) = (&mut self.voice_packets, out_slot.audio);
        out_slot.rewriter.take(layer, packet, now, |packet, forwarded| {
            *voice_packets += u64::from(is_audio);
            let begins_keyframe = !is_audio && starts_keyframe(packet);
            egress.send(slot, Outgoing { media: Arc::clone(packet), forwarded, begins_keyframe }, now, out);
        });
    }

    /// Somebody is sent this layer of what is in the slot, or is to be.
    pub(crate) fn follows(&self, slot: usize, layer: Layer) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.rewriter.follows(layer))
    }

    /// Says goodbye (DTLS close): the last datagrams.
    pub(crate) fn close(mut self) -> Vec<(SocketAddr, Remote, Vec<u8>)> {
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
                        last.push((transmit.source, remote(&transmit), transmit.contents.to_vec()));
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

/// A line's layers as the library names them: by the first eight characters.
fn rids(line: &MediaLine) -> Vec<String> {
    line.rids.iter().map(|rid| Rid::from(rid.as_str()).to_string()).collect()
}

/// The certificates that a description names (RFC 8122 §5).
fn fingerprints(description: &str) -> Vec<String> {
    let named = description.lines().filter_map(|line| line.trim_end().strip_prefix("a=fingerprint:"));
    let mut named: Vec<_> = named.map(str::to_owned).collect();
    named.dedup();
    named
}

/// Where the library sends something.
fn remote(transmit: &Transmit) -> Remote {
    let over = if transmit.proto == Protocol::Udp { Transport::Udp } else { Transport::Tcp };
    Remote { address: transmit.destination, over }
}

/// The library is trusted with strangers' text only so far.
fn accept(rtc: &mut Rtc, offer: SdpOffer) -> Result<String, SfuError> {
    let answered = catch_unwind(AssertUnwindSafe(|| rtc.sdp_api().accept_offer(offer)));
    let answer = answered
        .map_err(|_| SfuError::Refused("it breaks the WebRTC library".to_owned()))?
        .map_err(|error| SfuError::Refused(error.to_string()))?;
    Ok(answer.to_sdp_string())
}
