//! Clients for `huitong bench sfu` and for tests in virtual time: browsers as the SFU sees them, with neither camera nor screen.
//! Bytes and time in, bytes out, as the SFU itself.

mod light;
mod repeater;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpPendingOffer},
    config::CryptoProvider,
    format::Codec,
    media::{Direction, MediaKind, Mid, Rid, Simulcast, SimulcastLayer},
    net::{Protocol, Receive},
    rtp::{Extension, ExtensionValues, RtpWrite},
};

use crate::{
    LAYERS, Layer, SfuError,
    handshake::{Kept, KeysOf, keeping_keys},
    peer::Identity,
    srtp::{Opener, Srtp},
};
use light::{Agreed, Link};
use repeater::Repeater;

/// Bytes of a payload that say when it was sent, in microseconds since the load began.
const STAMP: usize = 8;

/// What certificates and ciphers all clients share.
pub struct LoadIdentity(Identity);

impl LoadIdentity {
    /// Makes the certificate.
    pub fn generate() -> Result<Self, SfuError> {
        Identity::generate().map(Self)
    }
}

/// One connection of one client.
pub struct LoadClient {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    mids: Vec<Mid>,
    /// The names of each line's layers, the smallest first; none where it is sent once.
    rids: Vec<Vec<Rid>>,
    /// By line and layer.
    seqs: HashMap<(usize, Layer), u64>,
    /// Where the load's clock begins.
    epoch: Instant,
    connected: bool,
    timeout: Instant,
    /// Of one that is light.
    light: Option<Light>,
    /// Of one that forges.
    keys: Option<(KeysOf, Arc<CryptoProvider>)>,
    srtp: Option<Srtp>,
    /// Of one that sends what was lost again as it was.
    repeater: Option<Repeater>,
}

/// A client that does without the library as soon as the connection stands.
struct Light {
    keys: KeysOf,
    provider: Arc<CryptoProvider>,
    link: Option<Box<Link>>,
    seen: Vec<LoadEvent>,
    /// The library has something to say.
    is_dirty: bool,
}

/// What a client has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadEvent {
    /// Media can flow.
    Connected,
    /// A packet came.
    Packet {
        /// On which of the lines offered.
        line: usize,
        /// Of its payload.
        bytes: usize,
        /// The how manieth, as its sender counts.
        seq: u64,
        /// When it is to be heard or seen, by the RTP clock.
        timestamp: u32,
        /// Since its sender had sent it.
        delay: Duration,
    },
    /// Somebody who receives a picture needs a key frame.
    KeyframeWanted {
        /// On which of the lines offered.
        line: usize,
        /// Of which layer.
        layer: Layer,
    },
}

/// What a client sends.
#[derive(Debug, Clone, Copy)]
pub struct LoadPacket {
    /// Its voice is line 0, its picture line 1, its screen line 2.
    pub line: usize,
    /// Of the picture.
    pub layer: Layer,
    /// Of the payload.
    pub bytes: usize,
    /// Media time.
    pub media_ms: u64,
    /// First packet of a picture that needs no other.
    pub key: bool,
    /// First packet of a picture.
    pub first: bool,
    /// Last packet of a picture.
    pub last: bool,
}

impl LoadClient {
    /// One that sends a voice, and a picture in so many layers (0 to 3); and its offer.
    pub fn publisher(
        identity: &LoadIdentity,
        address: SocketAddr,
        layers: usize,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let lines = [(MediaKind::Audio, &[][..]), (MediaKind::Video, names(&["q", "h", "f"], layers))];
        Self::offer(identity, address, &lines[..1 + layers.min(1)], Direction::SendOnly, |_| {}, epoch)
    }

    /// One that sends a voice, a camera in three layers and a screen in two, as our page does.
    pub fn sharer(identity: &LoadIdentity, address: SocketAddr, epoch: Instant) -> Result<(Self, String), SfuError> {
        let (camera, screen) = (&["q", "h", "f"][..], &["h", "f"][..]);
        let lines = [(MediaKind::Audio, &[][..]), (MediaKind::Video, camera), (MediaKind::Video, screen)];
        Self::offer(identity, address, &lines, Direction::SendOnly, |_| {}, epoch)
    }

    /// One of somebody else's making, as OBS is: its layers are listed the largest first (RFC 8853 §5.2), and what was lost of its
    /// picture it sends again as it was.
    pub fn encoder(
        identity: &LoadIdentity,
        address: SocketAddr,
        layers: usize,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let largest_last = &["2", "1", "0"][LAYERS - layers.min(LAYERS)..];
        let lines = [(MediaKind::Audio, &[][..]), (MediaKind::Video, names(largest_last, layers))];
        let list = |names: &mut Vec<&str>| names.reverse();
        let (made, keys) =
            keeping_keys(Kept::Shared, || Self::offer(identity, address, &lines, Direction::SendOnly, list, epoch));
        let (mut client, offer) = made?;
        client.repeater = Some(Repeater::new(keys, Arc::clone(&identity.0.provider)));
        Ok((client, without_retransmissions(&offer)))
    }

    /// One that receives so many voices and pictures; and its offer.
    pub fn subscriber(
        identity: &LoadIdentity,
        address: SocketAddr,
        voices: usize,
        pictures: usize,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let mut lines = vec![(MediaKind::Audio, &[][..]); voices];
        lines.resize(voices + pictures, (MediaKind::Video, &[][..]));
        Self::offer(identity, address, &lines, Direction::RecvOnly, |_| {}, epoch)
    }

    /// Each line with the names of its layers, the smallest first; `list` makes of that how they are listed.
    fn offer(
        identity: &LoadIdentity,
        address: SocketAddr,
        lines: &[(MediaKind, &[&str])],
        direction: Direction,
        list: fn(&mut Vec<&str>),
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let LoadIdentity(Identity { provider, certificate }) = identity;
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(Arc::clone(provider))
            .set_dtls_cert(certificate.clone())
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_stats_interval(None)
            .build(epoch);
        let candidate = Candidate::host(address, "udp").map_err(|error| SfuError::Refused(error.to_string()))?;
        rtc.add_local_candidate(candidate);
        let rids = lines.iter().map(|(_, names)| names.iter().map(|name| Rid::from(*name)).collect()).collect();
        let mut api = rtc.sdp_api();
        let add = |(kind, names): &(MediaKind, &[&str])| {
            let (mut simulcast, mut listed) = (Simulcast::new(), names.to_vec());
            list(&mut listed);
            listed.iter().for_each(|name| simulcast.add_send_layer(SimulcastLayer::new(name)));
            api.add_media(*kind, direction, None, None, Some(simulcast).filter(|_| !names.is_empty()))
        };
        let mids = lines.iter().map(add).collect();
        let (offer, pending) = api.apply().ok_or(SfuError::Form("nothing to offer"))?;
        let client = Self {
            rtc,
            pending: Some(pending),
            mids,
            rids,
            seqs: HashMap::new(),
            epoch,
            connected: false,
            timeout: epoch,
            light: None,
            keys: None,
            srtp: None,
            repeater: None,
        };
        Ok((client, offer.to_sdp_string()))
    }

    /// As [`Self::subscriber`], and costs a tenth of it: what is lost is not asked for again.
    pub fn light_subscriber(
        identity: &LoadIdentity,
        address: SocketAddr,
        voices: usize,
        pictures: usize,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let (made, keys) = keeping_keys(Kept::Alone, || Self::subscriber(identity, address, voices, pictures, epoch));
        let (mut client, offer) = made?;
        let provider = Arc::clone(&identity.0.provider);
        client.light = Some(Light { keys, provider, link: None, seen: Vec::new(), is_dirty: true });
        Ok((client, offer))
    }

    /// As [`Self::publisher`], and can say by its keys what no browser says.
    pub fn forger(
        identity: &LoadIdentity,
        address: SocketAddr,
        layers: usize,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let (made, keys) = keeping_keys(Kept::Shared, || Self::publisher(identity, address, layers, epoch));
        let (mut client, offer) = made?;
        client.keys = Some((keys, Arc::clone(&identity.0.provider)));
        Ok((client, offer))
    }

    /// Of a forger that is connected: a datagram with this header, and this payload under its keys.
    pub fn forge(&mut self, header: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
        let [.., a, b, c, d] = *header.first_chunk::<12>()?;
        let seq = u16::from_be_bytes([header[2], header[3]]);
        let srtp = self.srtp()?;
        let mut datagram = header.to_vec();
        datagram.resize(header.len() + payload.len() + srtp.tag_bytes(), 0);
        let sealed = srtp.protect(u32::from_be_bytes([a, b, c, d]), seq.into(), header.len(), payload, &mut datagram);
        sealed.then_some(datagram)
    }

    /// The same of a report.
    pub fn forge_report(&mut self, report: &[u8]) -> Option<Vec<u8>> {
        self.srtp()?.protect_report(report)
    }

    fn srtp(&mut self) -> Option<&mut Srtp> {
        if let (None, Some((keys, provider))) = (&self.srtp, &self.keys) {
            self.srtp = Srtp::new(provider, &keys.copy()?);
        }
        self.srtp.as_mut()
    }

    /// Of a light one: says this report, whatever it is.
    pub fn say(&mut self, report: &[u8]) {
        if let Some(link) = self.light.as_mut().and_then(|light| light.link.as_mut()) {
            link.say(report);
        }
    }

    /// Of a light one: says what no browser says, so many requests each for key frames and for packets again, about everything it
    /// is sent.
    pub fn flood(&mut self, times: usize) {
        let Some(link) = self.light.as_mut().and_then(|light| light.link.as_mut()) else { return };
        let streams: Vec<u32> = link.streams().map(|(ssrc, _)| ssrc).collect();
        for _ in 0..times {
            for ssrc in &streams {
                let [a, b, c, d] = ssrc.to_be_bytes();
                let mut report =
                    vec![0x81, 206, 0, 2, 0, 0, 0, 1, a, b, c, d, 0x81, 205, 0, 33, 0, 0, 0, 1, a, b, c, d];
                (0..31_u16).for_each(|at| {
                    report.extend((at * 17).to_be_bytes());
                    report.extend([0xff; 2]);
                });
                link.say(&report);
            }
        }
    }

    /// Of one that sends: what is sent next is of another source (RFC 3550 §8), which only a broken or bad client does often.
    pub fn change_source(&mut self, line: usize, ssrc: u32) {
        let Some(mid) = self.mids.get(line).copied() else { return };
        let mut api = self.rtc.direct_api();
        if let Some(before) = api.stream_tx_by_mid(mid, None).map(|stream| stream.ssrc()) {
            api.remove_stream_tx(before);
        }
        api.declare_stream_tx(ssrc.into(), None, mid, None);
        self.seqs.retain(|(of, _), _| *of != line);
    }

    /// Where the load's clock begins, if not at the moment the client was made: the library's own clocks, which give a handshake up
    /// after forty seconds, begin then.
    pub fn set_epoch(&mut self, epoch: Instant) {
        self.epoch = epoch;
    }

    /// Takes the SFU's answer.
    pub fn answer(&mut self, answer: &str) -> Result<(), SfuError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| SfuError::Parse(error.to_string()))?;
        let pending = self.pending.take().ok_or(SfuError::Form("no offer before it"))?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(|error| SfuError::Refused(error.to_string()))
    }

    /// Begins ICE anew (RFC 8445 §9), as who has come into another network does: the offer that says so.
    pub fn restart(&mut self) -> Result<String, SfuError> {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().ok_or(SfuError::Form("nothing to offer"))?;
        self.pending = Some(pending);
        Ok(offer.to_sdp_string())
    }

    /// When [`Self::wake`] wants to be called.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        let link = self.light.as_ref().and_then(|light| light.link.as_ref());
        link.map_or(self.timeout, |link| self.timeout.min(link.timeout()))
    }

    /// Takes a datagram.
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) {
        if let Some(repeater) = &mut self.repeater {
            repeater.hear(from, datagram);
        }
        if let Some(light) = &mut self.light {
            if let (Some(link), Some(128..=191)) = (&mut light.link, datagram.first()) {
                light.seen.extend(link.receive(from, datagram, &self.mids, now));
                return;
            }
            light.is_dirty = true;
        }
        if let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) {
            // One that fails sees nothing any more, which the figures show.
            let _ = self.rtc.handle_input(Input::Receive(now, receive));
        }
    }

    /// Lets it do what is due.
    pub fn wake(&mut self, now: Instant) {
        if let Some(light) = &mut self.light {
            if let Some(link) = &mut light.link {
                link.wake(now);
            }
            if self.timeout > now && !light.is_dirty {
                return;
            }
            light.is_dirty = true;
        }
        let _ = self.rtc.handle_input(Input::Timeout(now));
    }

    /// Takes out what it has to say.
    pub fn drain(&mut self, now: Instant, mut send: impl FnMut(SocketAddr, &[u8]), mut tell: impl FnMut(LoadEvent)) {
        if let Some(light) = &mut self.light {
            light.seen.drain(..).for_each(&mut tell);
            if let Some(link) = &mut light.link {
                link.take_out().for_each(|(to, datagram)| send(to, &datagram));
            }
            if !std::mem::take(&mut light.is_dirty) {
                return;
            }
        }
        if let Some(repeater) = &mut self.repeater {
            repeater.take_out().for_each(|(to, datagram)| send(to, &datagram));
        }
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.timeout = at.max(now);
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    if let Some(repeater) = &mut self.repeater {
                        repeater.keep(&transmit.contents);
                    }
                    send(transmit.destination, &transmit.contents);
                }
                Ok(Output::Event(Event::Connected)) => {
                    self.connected = true;
                    self.lighten(now);
                    tell(LoadEvent::Connected);
                }
                Ok(Output::Event(Event::RtpPacket(packet))) => {
                    let Some(stamp) = packet.payload.last_chunk::<STAMP>() else { continue };
                    let sent = Duration::from_micros(u64::from_be_bytes(*stamp));
                    let delay = now.saturating_duration_since(self.epoch).saturating_sub(sent);
                    let mid = packet.header.ext_vals.mid.or_else(|| {
                        let mut api = self.rtc.direct_api();
                        api.stream_rx(&packet.header.ssrc).map(|stream| stream.mid())
                    });
                    let Some(line) = self.mids.iter().position(|known| Some(*known) == mid) else { continue };
                    let (seq, timestamp) = (*packet.seq_no, packet.header.timestamp);
                    tell(LoadEvent::Packet { line, bytes: packet.payload.len(), seq, timestamp, delay });
                }
                Ok(Output::Event(Event::KeyframeRequest(request))) => {
                    let line = self.mids.iter().position(|mid| *mid == request.mid).unwrap_or_default();
                    let rids = self.rids.get(line).map(Vec::as_slice).unwrap_or_default();
                    let layer = request.rid.and_then(|rid| rids.iter().position(|known| *known == rid));
                    let layer = Layer::new(layer.unwrap_or_default() as u8);
                    tell(LoadEvent::KeyframeWanted { line, layer });
                }
                Ok(Output::Event(_)) => {}
                Err(_) => {
                    self.timeout = now + Duration::from_secs(3600);
                    return;
                }
            }
        }
    }

    /// The connection stands: one that is light does the rest by itself.
    fn lighten(&mut self, now: Instant) {
        let Some(light) = &mut self.light else { return };
        let Some(keys) = light.keys.take() else { return };
        let (opener, srtp) = (Opener::new(&light.provider, &keys), Srtp::new(&light.provider, &keys));
        let id = |of: Extension| {
            let ids = self.mids.iter().filter_map(|mid| self.rtc.media(*mid));
            ids.filter_map(|media| media.remote_extmap().id_of(of.clone())).next()
        };
        let params = self.rtc.codec_config().params();
        let resent = params.iter().filter_map(|params| params.resend()).map(|pt| *pt).collect();
        let agreed = Agreed { mid: id(Extension::RtpMid), transport: id(Extension::TransportSequenceNumber), resent };
        if let (Some(opener), Some(srtp)) = (opener, srtp) {
            light.link = Some(Box::new(Link::new(agreed, opener, srtp, self.epoch, now)));
        }
    }

    /// Sends one packet.
    pub fn send(&mut self, packet: LoadPacket, now: Instant) {
        let LoadPacket { line, layer, bytes, media_ms, .. } = packet;
        let Some(mid) = self.mids.get(line).copied().filter(|_| self.connected) else { return };
        let is_video = line > 0;
        let (clock, wire) = if is_video { (90, Codec::Vp8) } else { (48, Codec::Opus) };
        let params = self.rtc.codec_config().params();
        let Some(pt) = params.iter().find(|params| params.spec().codec == wire).map(|params| params.pt()) else {
            return;
        };
        let mut payload = vec![0x55; bytes.max(STAMP + 16)];
        if is_video {
            // A descriptor that begins a picture, or goes on with it (RFC 7741 §4.2); a frame header (§4.3) with a size.
            let picture = (media_ms / 33) as u16;
            let start = if packet.first { 0x90 } else { 0x80 };
            payload[..4].copy_from_slice(&[start, 0x80, 0x80 | (picture >> 8) as u8 & 0x7f, picture as u8]);
            if packet.first {
                let [width, height] = [320_u16, 180].map(|side| (side << layer.index()).to_le_bytes());
                payload[4..7].copy_from_slice(&[0x10 | u8::from(!packet.key), 0, 0]);
                payload[7..14].copy_from_slice(&[0x9d, 0x01, 0x2a, width[0], width[1], height[0], height[1]]);
            }
        }
        let stamp = now.saturating_duration_since(self.epoch).as_micros() as u64;
        if let Some(place) = payload.last_chunk_mut::<STAMP>() {
            *place = stamp.to_be_bytes();
        }
        let next = self.seqs.entry((line, layer)).or_insert(1);
        let seq = *next;
        *next += 1;
        let rid = self.rids.get(line).and_then(|rids| rids.get(layer.index())).copied();
        let values = ExtensionValues {
            audio_level: (!is_video).then_some(-30),
            voice_activity: (!is_video).then_some(true),
            rid,
            ..ExtensionValues::default()
        };
        let write = RtpWrite::new(pt, seq.into(), (media_ms * clock) as u32, now, payload)
            .marker(is_video && packet.last)
            .nackable(is_video)
            .ext_vals(values);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, rid) {
            stream.write_rtp(write);
        }
    }
}

/// The first so many names of layers; none for one layer, which needs none.
fn names<'a>(all: &'a [&'a str], layers: usize) -> &'a [&'a str] {
    if layers > 1 { &all[..layers.min(all.len())] } else { &[] }
}

/// The offer without the payload types of retransmissions (RFC 4588).
fn without_retransmissions(offer: &str) -> String {
    let number = |line: &str| Some(line.strip_prefix("a=rtpmap:")?.strip_suffix(" rtx/90000")?.to_owned());
    let numbers: Vec<String> = offer.lines().filter_map(number).collect();
    let is_of = |line: &str, attribute: &str| {
        let rest = line.strip_prefix(attribute);
        rest.is_some_and(|rest| numbers.iter().any(|number| rest.split(' ').next() == Some(number)))
    };
    let is_other =
        |line: &&str| !is_of(line, "a=rtpmap:") && !is_of(line, "a=fmtp:") && !line.starts_with("a=ssrc-group:FID ");
    let line = |line: &str| {
        let is_media = line.starts_with("m=video ");
        let words = line.split(' ').filter(|word| !is_media || !numbers.iter().any(|number| number == word));
        words.collect::<Vec<_>>().join(" ") + "\r\n"
    };
    offer.lines().filter(is_other).map(line).collect()
}
