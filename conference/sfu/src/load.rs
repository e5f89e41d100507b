//! Clients for `huitong bench sfu`: browsers as the SFU sees them, with neither camera nor screen. Bytes and time in, bytes out,
//! as the SFU itself.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpWrite},
};

use crate::{SfuError, peer::Identity};

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
    seqs: Vec<u64>,
    /// Where the load's clock begins.
    epoch: Instant,
    connected: bool,
    timeout: Instant,
}

/// What a client has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadEvent {
    /// Media can flow.
    Connected,
    /// A packet came, so long after its sender had sent it.
    Packet(Duration),
}

impl LoadClient {
    /// One that sends a voice, and with `video` a picture; and its offer.
    pub fn publisher(
        identity: &LoadIdentity,
        address: SocketAddr,
        video: bool,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let kinds: &[MediaKind] = if video { &[MediaKind::Audio, MediaKind::Video] } else { &[MediaKind::Audio] };
        Self::offer(identity, address, kinds, Direction::SendOnly, epoch)
    }

    /// One that receives so many voices and pictures; and its offer.
    pub fn subscriber(
        identity: &LoadIdentity,
        address: SocketAddr,
        voices: usize,
        pictures: usize,
        epoch: Instant,
    ) -> Result<(Self, String), SfuError> {
        let mut kinds = vec![MediaKind::Audio; voices];
        kinds.resize(voices + pictures, MediaKind::Video);
        Self::offer(identity, address, &kinds, Direction::RecvOnly, epoch)
    }

    fn offer(
        identity: &LoadIdentity,
        address: SocketAddr,
        kinds: &[MediaKind],
        direction: Direction,
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
        let mut api = rtc.sdp_api();
        let mids = kinds.iter().map(|kind| api.add_media(*kind, direction, None, None, None)).collect();
        let (offer, pending) = api.apply().ok_or(SfuError::Form("nothing to offer"))?;
        let client = Self {
            rtc,
            pending: Some(pending),
            mids,
            seqs: vec![1; kinds.len()],
            epoch,
            connected: false,
            timeout: epoch,
        };
        Ok((client, offer.to_sdp_string()))
    }

    /// Takes the SFU's answer.
    pub fn answer(&mut self, answer: &str) -> Result<(), SfuError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| SfuError::Parse(error.to_string()))?;
        let pending = self.pending.take().ok_or(SfuError::Form("no offer before it"))?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(|error| SfuError::Refused(error.to_string()))
    }

    /// When [`Self::wake`] wants to be called.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.timeout
    }

    /// Takes a datagram.
    pub fn receive(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8], now: Instant) {
        if let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) {
            // One that fails sees nothing any more, which the figures show.
            let _ = self.rtc.handle_input(Input::Receive(now, receive));
        }
    }

    /// Lets it do what is due.
    pub fn wake(&mut self, now: Instant) {
        let _ = self.rtc.handle_input(Input::Timeout(now));
    }

    /// Takes out what it has to say.
    pub fn drain(&mut self, now: Instant, mut send: impl FnMut(SocketAddr, &[u8]), mut tell: impl FnMut(LoadEvent)) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.timeout = at.max(now);
                    return;
                }
                Ok(Output::Transmit(transmit)) => send(transmit.destination, &transmit.contents),
                Ok(Output::Event(Event::Connected)) => {
                    self.connected = true;
                    tell(LoadEvent::Connected);
                }
                Ok(Output::Event(Event::RtpPacket(packet))) => {
                    let Some(stamp) = packet.payload.last_chunk::<STAMP>() else { continue };
                    let sent = Duration::from_micros(u64::from_be_bytes(*stamp));
                    tell(LoadEvent::Packet(now.saturating_duration_since(self.epoch).saturating_sub(sent)));
                }
                Ok(Output::Event(_)) => {}
                Err(_) => {
                    self.timeout = now + Duration::from_secs(3600);
                    return;
                }
            }
        }
    }

    /// Sends one packet of its voice (line 0) or picture (line 1): so many bytes, at so many milliseconds of media time.
    pub fn send(&mut self, line: usize, bytes: usize, media_ms: u64, first: bool, now: Instant) {
        let Some(mid) = self.mids.get(line).copied().filter(|_| self.connected) else { return };
        let is_video = line == 1;
        let (clock, pt) = if is_video { (90, 96) } else { (48, 111) };
        let wire = if is_video { str0m::format::Codec::Vp8 } else { str0m::format::Codec::Opus };
        let params = self.rtc.codec_config().params();
        let pt =
            params.iter().find(|params| params.spec().codec == wire).map_or_else(|| pt.into(), |params| params.pt());
        let mut payload = vec![0x55; bytes.max(STAMP + 16)];
        if is_video {
            // A descriptor that begins a picture, or goes on with it (RFC 7741 §4.2), and a key frame of 320 × 180 in it.
            let start = if first { 0x90 } else { 0x80 };
            payload[..4].copy_from_slice(&[start, 0x80, 0x80 | (media_ms >> 13 & 0x7f) as u8, (media_ms >> 5) as u8]);
            if first {
                payload[4..14].copy_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
            }
        }
        let stamp = now.saturating_duration_since(self.epoch).as_micros() as u64;
        if let Some(place) = payload.last_chunk_mut::<STAMP>() {
            *place = stamp.to_be_bytes();
        }
        let seq = self.seqs[line];
        self.seqs[line] += 1;
        let levels = ExtensionValues {
            audio_level: (!is_video).then_some(-30),
            voice_activity: (!is_video).then_some(true),
            ..ExtensionValues::default()
        };
        let write = RtpWrite::new(pt, seq.into(), (media_ms * clock) as u32, now, payload)
            .marker(is_video && !first)
            .nackable(is_video)
            .ext_vals(levels);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.write_rtp(write);
        }
    }
}
