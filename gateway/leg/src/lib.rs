//! The RTP side of one call: whom to believe (`latch`), in which order packets play ([`JitterBuffer`]), which
//! keys were pressed (`dtmf`, `tones`), what to report by RTCP, and all of it encrypted where that was agreed on (`protection`, with
//! `srtp` and, for keys by handshake, `dtls`). Bytes and time in, bytes out; sockets and the clock are `plane`'s, codecs `mixer`'s, the
//! call itself `gateway`'s.

mod dtls;
mod dtmf;
mod jitter;
mod latch;
mod outgoing;
mod pictures;
mod protection;
mod rtcp;
mod silence;
mod srtp;
mod tones;
mod width;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use media::{AudioCodec, RtpPacket, SeqExtender, Ssrc};

pub use dtls::{CertificateFingerprint, CertificateHash, DtlsError, DtlsIdentity, DtlsSettings};
use dtmf::KeyReader;
pub use jitter::{JitterBuffer, JitterStats, Pulled};
use latch::{Latch, Verdict};
pub use outgoing::{PicturePiece, Sends};
pub use pictures::{KeyframeAsked, KeyframeBy, PictureLeg, PictureSettings, PictureStats};
pub use protection::Component;
use protection::{Greeted, Protection, Refused, Way};
pub use rtcp::Reported;
use rtcp::Reports;
use silence::SilenceEar;
pub use srtp::{SrtpKey, SrtpKeys, SrtpMki, SrtpSuite};
use tones::ToneReader;

/// A leg that has sent nothing at all for this long is told as dead: its sound has no way to us.
const NO_MEDIA_FIRST: Duration = Duration::from_secs(10);

/// The same for one that was heard before and sends no reports. Shorter would hang up on phones that send nothing while they are muted, behind
/// carriers that pass on no reports.
const NO_MEDIA: Duration = Duration::from_secs(60);

/// Who sends reports (each 2.5 to 7.5 s, RFC 3550 §6.2, though some take longer) is dead when two of them are missing; not before this.
const NO_REPORTS: Duration = Duration::from_secs(12);

/// Who was heard and from whom nothing has come for so long may be gone: his call goes on, yet whoever calls by his number is him again.
/// Shorter, and it would be said of telephones that send reports alone; longer, and he would redial sooner.
const STALLED: Duration = Duration::from_secs(6);

/// Packets sent before anything has come: a second. More would make us shoot at whomever a stranger names (reliability: A10).
const UNHEARD_MAX: u32 = 50;

/// Ticks of silence after which it is said once and not sent any more: shorter would cut pauses between words.
const QUIET_TICKS: u32 = 10;

/// Ticks after which it is said again, for who has not heard it.
const NOISE_TICKS: u32 = 10;

/// The comfort noise we ask for, in −dBov: a line that isn't dead. Louder would be heard as hiss.
const NOISE_LEVEL: u8 = 70;

/// Within this time a tone and an event are one press: the first event may wait behind the tone it is of. Longer, and who presses a key again
/// would lose it.
const TONE_TWIN: Duration = Duration::from_millis(500);

/// Packets in a row of another codec that was agreed on, before we speak it too. Fewer would follow a packet that is late.
const OTHER_PACKETS: u32 = 3;

/// Events that may wait to be polled; a phone can't press more keys between two ticks, a flood may.
const EVENTS_MAX: usize = 32;

/// Where the keys come from that sound is encrypted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keying {
    /// Out of the description (RFC 4568).
    Sdes(SrtpKeys),
    /// From a handshake on the way the sound goes (RFC 5763).
    Dtls(DtlsSettings),
}

/// A codec with its numbers in SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegCodec {
    /// Which.
    pub codec: AudioCodec,
    /// Its own.
    pub payload_type: u8,
    /// That of comfort noise (RFC 3389), where it has that.
    pub comfort_noise: Option<u8>,
}

/// What offer and answer agreed on.
#[derive(Debug, Clone)]
pub struct LegConfig {
    /// Of both directions.
    pub codec: AudioCodec,
    /// The codec's number in SDP.
    pub payload_type: u8,
    /// The number of telephone-event (RFC 4733), where the peer has it.
    pub telephone_event: Option<u8>,
    /// Where the peer's SDP wants RTP.
    pub remote: SocketAddr,
    /// Where its SIP comes from: behind a NAT its RTP comes from there too, whatever its SDP says.
    pub signalling: IpAddr,
    /// Where sound is encrypted.
    pub srtp: Option<Keying>,
    /// The number of comfort noise (RFC 3389), where the peer has it.
    pub comfort_noise: Option<u8>,
    /// RTCP goes by the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the peer wants RTCP, if not by the port above RTP's (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// The peer takes sound (RFC 3264 §6.1). Where it doesn't, as on hold, it gets reports alone.
    pub sends: bool,
    /// Another number of telephone-event, where the peer's answer has two.
    pub second_event: Option<u8>,
    /// Codecs agreed on beside the one that is spoken: where the peer speaks another, so do we ([`Leg::wants`]).
    pub others: Vec<LegCodec>,
}

impl LegConfig {
    /// Where nothing but a codec was agreed on: unencrypted, both ways, without keys, and all from where the SDP says.
    #[must_use]
    pub fn new(codec: AudioCodec, payload_type: u8, remote: SocketAddr) -> Self {
        Self {
            codec,
            payload_type,
            telephone_event: None,
            remote,
            signalling: remote.ip(),
            srtp: None,
            comfort_noise: None,
            rtcp_mux: false,
            rtcp: None,
            sends: true,
            second_event: None,
            others: Vec::new(),
        }
    }

    fn way(&self) -> Way<'_> {
        let rtcp = self.rtcp.or_else(|| port_above(self.remote));
        Way { remote: self.remote, srtp: self.srtp.as_ref(), rtcp_mux: self.rtcp_mux, rtcp }
    }
}

/// Where reports go.
fn rtcp_to(
    latch: &Latch,
    protection: &Protection,
    described: SocketAddr,
    rtcp_mux: bool,
    rtcp: Option<SocketAddr>,
) -> Option<SocketAddr> {
    let remote = latch.remote();
    if rtcp_mux {
        return Some(remote);
    }
    // Where he has proven to take it. What the description says of RTCP holds as long as what it says of RTP does.
    let told = rtcp.filter(|rtcp| rtcp.ip() == remote.ip() && remote == described);
    let told = protection.rtcp_peer().or(told);
    told.or_else(|| port_above(remote))
}

/// Where RTCP goes if nothing else is said (RFC 3550 §11).
fn port_above(rtp: SocketAddr) -> Option<SocketAddr> {
    Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
}

/// What happens on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEvent {
    /// A key, once a press.
    Digit(char),
    /// Media flows.
    FirstPacket,
    /// Nothing has come for a minute, or for the first ten seconds.
    NoMedia,
    /// Nothing has come for six seconds.
    Stalled,
    /// And now it comes again.
    MediaBack,
    /// A handshake has brought keys.
    Keyed,
}

/// What a leg has seen, for the call's record.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LegStats {
    /// RTP packets accepted.
    pub received: u64,
    /// Packets that should have come, by their sequence numbers.
    pub lost: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1) of the latest packets, in milliseconds.
    pub jitter_ms: f64,
    /// The same over all of them.
    pub jitter_mean_ms: f64,
    /// Packets sent.
    pub sent: u64,
    /// Datagrams from somebody else.
    pub dropped_stranger: u64,
    /// Datagrams that are no RTP, or of no payload type agreed on.
    pub dropped_nonsense: u64,
    /// Datagrams that were forged, doubled or not encrypted where they should have been.
    pub dropped_forged: u64,
    /// Round trip by RTCP, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// How what was sent reached the peer, where it tells.
    pub reported: Option<Reported>,
}

impl LegStats {
    /// Of a call that went on otherwise.
    fn after(self, before: Self) -> Self {
        let (own, theirs) = (self.received as f64, before.received as f64);
        let jitter = self.jitter_mean_ms * own + before.jitter_mean_ms * theirs;
        Self {
            received: self.received + before.received,
            lost: self.lost + before.lost,
            jitter_ms: self.jitter_ms,
            jitter_mean_ms: jitter / (own + theirs).max(1.0),
            sent: self.sent + before.sent,
            dropped_stranger: self.dropped_stranger + before.dropped_stranger,
            dropped_nonsense: self.dropped_nonsense + before.dropped_nonsense,
            dropped_forged: self.dropped_forged + before.dropped_forged,
            round_trip_ms: self.round_trip_ms.or(before.round_trip_ms),
            reported: match (self.reported, before.reported) {
                (Some(own), Some(before)) => Some(own.after(before)),
                (own, before) => own.or(before),
            },
        }
    }
}

/// One leg.
pub struct Leg {
    config: LegConfig,
    ssrc: Ssrc,
    latch: Latch,
    protection: Protection,
    /// Something has come from where we send to.
    answered: bool,
    /// Packets sent before that.
    unheard: u32,
    /// What played last was comfort noise, which goes on until a packet of sound.
    noise: bool,
    silence: SilenceEar,
    /// Ticks since something that is no silence was to be sent.
    quiet: u32,
    jitter: JitterBuffer,
    keys: KeyReader,
    /// Until a key comes otherwise: a gateway may agree to telephone events and send tones all the same.
    tones: Option<ToneReader>,
    /// The last key that came as a tone, and when.
    tone: Option<(char, Instant)>,
    /// Keys come otherwise: tones are echoes of them.
    deaf: bool,
    reports: Reports,
    sequence: SeqExtender,
    their_ssrc: Option<Ssrc>,
    events: VecDeque<LegEvent>,
    last_packet: Instant,
    /// When his last report came, or the leg began, and the longest time between two.
    reported: Instant,
    report_gap: Option<Duration>,
    heard: bool,
    told_no_media: bool,
    told_stalled: bool,
    next_seq: u16,
    next_timestamp: u32,
    /// The next packet begins a talk spurt.
    marker: bool,
    stats: LegStats,
    /// Of the same call before it was spoken in another codec.
    before: LegStats,
    /// Which other codec comes, by its number, and how many packets of it in a row.
    other: Option<(u8, u32)>,
}

impl Leg {
    /// Sends from a random place in both number spaces, taken from `ssrc` (RFC 3550 §5.1).
    #[must_use]
    pub fn new(config: LegConfig, ssrc: Ssrc, now: Instant) -> Self {
        Self {
            latch: Latch::new(config.remote, config.signalling, now),
            protection: Protection::new(config.way(), now),
            answered: false,
            unheard: 0,
            noise: false,
            silence: SilenceEar::new(config.codec),
            quiet: 0,
            jitter: JitterBuffer::new(config.codec),
            keys: KeyReader::default(),
            tones: ToneReader::new(config.codec),
            tone: None,
            deaf: false,
            reports: Reports::new(ssrc, config.codec.clock_rate(), now),
            sequence: SeqExtender::default(),
            their_ssrc: None,
            events: VecDeque::new(),
            last_packet: now,
            reported: now,
            report_gap: None,
            heard: false,
            told_no_media: false,
            told_stalled: false,
            next_seq: ssrc.0.rotate_left(11) as u16,
            next_timestamp: ssrc.0.rotate_left(7),
            marker: true,
            stats: LegStats::default(),
            before: LegStats::default(),
            other: None,
            config,
            ssrc,
        }
    }

    /// Times in reports are counted from there: its pictures have the same.
    #[must_use]
    pub fn counting_from(mut self, epoch: Instant) -> Self {
        self.reports.count_from(epoch);
        self
    }

    /// The call was spoken in another codec until now: what was seen then counts on, as do where the peer is and the keys.
    #[must_use]
    pub fn following(mut self, mut other: Self, now: Instant) -> Self {
        self.before = other.stats();
        let (is, was) = (&self.config, &other.config);
        if !other.is_where(is) || (&is.srtp, is.rtcp_mux, is.rtcp) != (&was.srtp, was.rtcp_mux, was.rtcp) {
            other.reconfigure(self.config.clone(), now);
        }
        (self.latch, self.protection) = (other.latch, other.protection);
        self.protection.begin_stream();
        (self.answered, self.unheard, self.heard) = (other.answered, other.unheard, other.heard);
        (self.reported, self.report_gap) = (other.reported, other.report_gap);
        self.told_stalled = other.told_stalled;
        self.tone = other.tone;
        if other.deaf {
            self.ignore_tones(false);
        }
        self
    }

    /// Of both directions.
    #[must_use]
    pub fn codec(&self) -> AudioCodec {
        self.config.codec
    }

    /// Whether this leaves the peer's address as certain as it is.
    #[must_use]
    pub fn stays_certain(&self, config: &LegConfig) -> bool {
        self.is_where(config) && config.srtp == self.config.srtp && self.latch.is_certain()
    }

    fn is_where(&self, config: &LegConfig) -> bool {
        (config.remote, config.signalling) == (self.config.remote, self.config.signalling)
    }

    /// How long what comes soonest waits to be played; none before anything was.
    #[must_use]
    pub fn longest_wait(&self) -> Option<Duration> {
        self.jitter.longest_wait()
    }

    /// After a re-INVITE with the same codec. Where the peer is somewhere else by it, its address may be learned anew.
    pub fn reconfigure(&mut self, config: LegConfig, now: Instant) {
        if !self.is_where(&config) {
            self.latch = Latch::new(config.remote, config.signalling, now);
        } else if !self.stays_certain(&config) {
            self.latch.reopen(now);
        }
        if config.telephone_event.is_none() && self.config.telephone_event.is_some() {
            (self.tones, self.deaf) = (ToneReader::new(config.codec), false);
        }
        self.protection.change(self.config.way(), config.way(), now);
        if config.remote != self.config.remote {
            (self.answered, self.unheard) = (false, 0);
        }
        self.config = config;
        // What was told of a hold is told anew of what follows.
        (self.last_packet, self.told_no_media) = (now, false);
        if std::mem::take(&mut self.told_stalled) {
            self.tell(LegEvent::MediaBack);
        }
    }

    /// The peer speaks another codec that was agreed on (RFC 3264 §6.1): the leg that is to follow this one is of this.
    #[must_use]
    pub fn wants(&self) -> Option<LegConfig> {
        let (number, _) = self.other.filter(|(_, packets)| *packets >= OTHER_PACKETS)?;
        let mut config = self.config.clone();
        let other = config.others.iter_mut().find(|other| other.payload_type == number)?;
        let LegConfig { codec, payload_type, comfort_noise, .. } = self.config;
        let spoken = std::mem::replace(other, LegCodec { codec, payload_type, comfort_noise });
        (config.codec, config.payload_type, config.comfort_noise) =
            (spoken.codec, spoken.payload_type, spoken.comfort_noise);
        Some(config)
    }

    /// Takes a datagram of the RTP socket.
    pub fn handle_rtp(&mut self, from: SocketAddr, datagram: &mut [u8], now: Instant) {
        if dtls::is_dtls(datagram) {
            return self.handle_dtls(Component::Rtp, from, datagram, now);
        }
        if self.config.rtcp_mux && matches!(*datagram, [_, 192..=223, ..]) {
            return self.handle_rtcp(from, datagram, now);
        }
        let Some(datagram) = self.protection.open(datagram) else {
            self.stats.dropped_forged += 1;
            return;
        };
        let Ok(packet) = RtpPacket::parse(datagram) else {
            self.stats.dropped_nonsense += 1;
            return;
        };
        let number = Some(packet.payload_type);
        let is_key = number == self.config.telephone_event || number == self.config.second_event;
        let is_noise = number == self.config.comfort_noise;
        let is_other = self.config.others.iter().any(|other| Some(other.payload_type) == number);
        if !is_key && !is_noise && !is_other && packet.payload_type != self.config.payload_type {
            self.stats.dropped_nonsense += 1;
            return;
        }
        if self.latch.judge(from, &packet, now) == Verdict::Stranger {
            self.stats.dropped_stranger += 1;
            return;
        }
        if is_other {
            let before = self.other.filter(|(of, _)| *of == packet.payload_type).map_or(0, |(_, packets)| packets);
            self.other = Some((packet.payload_type, before + 1));
            return self.note_life(now);
        }
        self.note_arrival(&packet, now);
        let seq = self.sequence.extend(packet.seq);
        self.reports.arrived(seq);
        if is_key {
            if let Some(key) = self.keys.read(&packet) {
                self.take_event(key, now);
            }
        } else if is_noise {
            self.take_noise(seq, &packet, now);
        } else {
            self.take_sound(seq, &packet, now);
        }
    }

    /// The first event may be of a press whose tone was heard before the gateway cut it out.
    fn take_event(&mut self, key: char, now: Instant) {
        let twin = |(tone, at): (char, Instant)| tone == key && now.saturating_duration_since(at) < TONE_TWIN;
        let is_known = !self.deaf && self.tone.is_some_and(twin);
        self.ignore_tones(false);
        if !is_known {
            self.tell(LegEvent::Digit(key));
        }
    }

    /// Keys come otherwise on this call, and tones are none any more. Where that is only supposed (`unless_used`), they go on being keys of who
    /// has pressed one by them, and of who has nothing else.
    pub fn ignore_tones(&mut self, unless_used: bool) {
        if unless_used && (self.tone.is_some() || self.config.telephone_event.is_none()) {
            return;
        }
        (self.tones, self.deaf) = (None, true);
    }

    fn handle_dtls(&mut self, component: Component, from: SocketAddr, datagram: &[u8], now: Instant) {
        let rtcp = self.config.way().rtcp;
        match self.protection.greet(&mut self.latch, rtcp, component, from, datagram, now) {
            Greeted::Stranger => self.stats.dropped_stranger += 1,
            Greeted::Nonsense => self.stats.dropped_nonsense += 1,
            Greeted::GoesOn => {}
            Greeted::Keyed => {
                self.answered |= component == Component::Rtp;
                self.tell(LegEvent::Keyed);
            }
        }
    }

    /// Appends a datagram of a handshake to `out` and says by which socket it goes, and where; call it until there is none.
    pub fn poll_dtls(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<(Component, SocketAddr)> {
        self.protection.poll(now, out)
    }

    fn note_arrival(&mut self, packet: &RtpPacket<'_>, now: Instant) {
        self.stats.received += 1;
        if !std::mem::replace(&mut self.heard, true) {
            self.tell(LegEvent::FirstPacket);
        }
        self.note_life(now);
        if self.their_ssrc.replace(packet.ssrc) != Some(packet.ssrc) {
            // A new stream from the same place: a transfer, a restarted phone.
            self.sequence = SeqExtender::default();
            self.jitter = JitterBuffer::new(self.config.codec);
            self.reports.new_stream(packet.ssrc);
        }
    }

    fn note_life(&mut self, now: Instant) {
        self.last_packet = now;
        self.answered = true;
        let was_stalled = std::mem::take(&mut self.told_stalled);
        if std::mem::take(&mut self.told_no_media) || was_stalled {
            self.tell(LegEvent::MediaBack);
        }
    }

    /// How long nothing may come.
    fn patience(&self) -> Duration {
        match self.report_gap {
            Some(gap) => (gap * 5 / 2).clamp(NO_REPORTS, NO_MEDIA),
            None if self.heard => NO_MEDIA,
            None => NO_MEDIA_FIRST,
        }
    }

    /// A packet that says how silence sounds. In the jitter buffer it is known by being shorter than any sound.
    fn take_noise(&mut self, seq: u64, packet: &RtpPacket<'_>, now: Instant) {
        let payload = packet.payload.get(..NOISE_BYTES_MAX).unwrap_or(packet.payload);
        if !payload.is_empty() {
            self.jitter.insert(seq, packet.timestamp, payload, now);
        }
    }

    fn take_sound(&mut self, seq: u64, packet: &RtpPacket<'_>, now: Instant) {
        self.other = None;
        self.reports.sounded(packet.timestamp, now);
        let Some(bytes) = bytes_per_frame(self.config.codec) else {
            return self.jitter.insert(seq, packet.timestamp, packet.payload, now);
        };
        // Phones send 10 to 60 ms a packet; the buffer holds 20. A rest shorter than that waits for no one.
        for (index, payload) in packet.payload.chunks_exact(bytes).enumerate() {
            let offset = self.config.codec.ticks_per_frame().wrapping_mul(index as u32);
            self.jitter.insert(seq, packet.timestamp.wrapping_add(offset), payload, now);
        }
    }

    /// Takes a datagram of the RTCP socket.
    pub fn handle_rtcp(&mut self, from: SocketAddr, datagram: &mut [u8], now: Instant) {
        if dtls::is_dtls(datagram) {
            return self.handle_dtls(Component::Rtcp, from, datagram, now);
        }
        let datagram = match self.protection.take_rtcp(&self.latch, from, datagram) {
            Ok(datagram) => datagram,
            Err(Refused::Stranger) => return self.stats.dropped_stranger += 1,
            Err(Refused::Forged) => return self.stats.dropped_forged += 1,
        };
        if self.reports.read(datagram, now) {
            // Who is muted or suppresses silence sends no sound, and is there.
            let gap = now.saturating_duration_since(std::mem::replace(&mut self.reported, now));
            self.report_gap = self.report_gap.max(Some(gap));
            self.note_life(now);
        } else {
            self.stats.dropped_nonsense += 1;
        }
    }

    /// The only address that RTP is taken from and sent to until the next re-INVITE, once that is certain.
    #[must_use]
    pub fn settled(&self, now: Instant) -> Option<SocketAddr> {
        self.latch.settled(now)
    }

    /// What has happened since the last call.
    pub fn poll_event(&mut self) -> Option<LegEvent> {
        self.events.pop_front()
    }

    /// Gives what plays in this tick; call it once in 20 ms.
    pub fn pull(&mut self, now: Instant) -> Pulled<'_> {
        // Whose silence is comfort noise may say so once and no more (RFC 3389 §4).
        let quiet = if self.noise { Duration::ZERO } else { now.saturating_duration_since(self.last_packet) };
        if !self.told_no_media && quiet >= self.patience() {
            self.told_no_media = true;
            self.tell(LegEvent::NoMedia);
        }
        if !self.told_stalled && self.heard && quiet >= STALLED {
            self.told_stalled = true;
            self.tell(LegEvent::Stalled);
        }
        let pulled = self.jitter.pull(now);
        let key = match (pulled, &mut self.tones) {
            (Pulled::Packet(payload, _), Some(tones)) => tones.read(payload),
            (Pulled::Lost { .. }, Some(tones)) => {
                tones.lost();
                None
            }
            _ => None,
        };
        if let Some(key) = key {
            self.tone = Some((key, now));
            if self.events.len() < EVENTS_MAX {
                self.events.push_back(LegEvent::Digit(key));
            }
        }
        match pulled {
            Pulled::Packet(noise, _) if bytes_per_frame(self.config.codec).is_some_and(|bytes| noise.len() < bytes) => {
                self.noise = true;
                Pulled::ComfortNoise(noise)
            }
            Pulled::Packet(..) => {
                self.noise = false;
                pulled
            }
            // Nobody meant to send sound there.
            Pulled::Lost { .. } if self.noise => Pulled::Nothing,
            Pulled::Lost { .. } | Pulled::ComfortNoise(_) | Pulled::Nothing => pulled,
        }
    }

    /// Appends a packet with this tick's payload to `out`, and says where it goes; none where nothing is to be sent.
    pub fn send(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Option<SocketAddr> {
        let noise = [NOISE_LEVEL];
        let (payload_type, payload) = match self.what_to_send(payload) {
            What::Nothing => {
                self.skip();
                return None;
            }
            What::Sound => (self.config.payload_type, payload),
            What::Noise(number) => (number, noise.as_slice()),
        };
        let is_sound = payload_type == self.config.payload_type;
        let packet = RtpPacket {
            payload_type,
            // The first packet of sound after silence is marked, and no noise is (RFC 3551 §4.1).
            marker: is_sound && std::mem::take(&mut self.marker),
            seq: self.next_seq,
            timestamp: self.next_timestamp,
            ssrc: self.ssrc,
            payload,
        };
        let start = out.len();
        packet.write(out);
        self.protection.protect(out, start);
        self.reports.sent(self.next_timestamp, payload.len());
        self.stats.sent += 1;
        self.next_seq = self.next_seq.wrapping_add(1);
        self.next_timestamp = self.next_timestamp.wrapping_add(self.config.codec.ticks_per_frame());
        Some(self.latch.remote())
    }

    fn what_to_send(&mut self, payload: &[u8]) -> What {
        // On hold as RFC 2543 has it nothing goes out at all.
        if !self.config.sends || self.latch.remote().ip().is_unspecified() || !self.protection.may_send() {
            return What::Nothing;
        }
        if !self.answered {
            if self.unheard >= UNHEARD_MAX {
                return What::Nothing;
            }
            self.unheard += 1;
        }
        let Some(number) = self.config.comfort_noise else { return What::Sound };
        self.quiet = if self.silence.hears_nothing(payload) { self.quiet.saturating_add(1) } else { 0 };
        match self.quiet.checked_sub(QUIET_TICKS) {
            None => What::Sound,
            Some(ticks) if ticks % NOISE_TICKS == 0 => What::Noise(number),
            Some(_) => What::Nothing,
        }
    }

    /// How much of what we sent was lost, in percent, as the peer has told since the last call.
    pub fn take_reported_loss(&mut self) -> Option<u8> {
        self.reports.take_reported_loss()
    }

    /// RTCP goes by the port of RTP.
    #[must_use]
    pub fn rtcp_mux(&self) -> bool {
        self.config.rtcp_mux
    }

    /// A tick in which nothing is sent.
    pub fn skip(&mut self) {
        self.next_timestamp = self.next_timestamp.wrapping_add(self.config.codec.ticks_per_frame());
        self.marker = true;
    }

    /// Appends a compound RTCP packet when one is due, about every five seconds.
    pub fn poll_rtcp(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<SocketAddr> {
        let start = out.len();
        if !self.answered || !self.protection.may_send_rtcp() || !self.reports.write_if_due(now, out) {
            return None;
        }
        self.protection.protect_rtcp(out, start);
        rtcp_to(&self.latch, &self.protection, self.config.remote, self.config.rtcp_mux, self.config.rtcp)
    }

    /// What was seen so far.
    #[must_use]
    pub fn stats(&self) -> LegStats {
        let own = LegStats {
            lost: self.reports.lost_in_all(),
            jitter_ms: self.reports.jitter_ms(),
            jitter_mean_ms: self.reports.jitter_mean_ms(),
            round_trip_ms: self.reports.round_trip_ms(),
            reported: self.reports.reported(),
            ..self.stats
        };
        own.after(self.before)
    }

    fn tell(&mut self, event: LegEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        }
    }
}

/// What goes out in a tick.
enum What {
    Sound,
    /// Comfort noise, by this number.
    Noise(u8),
    Nothing,
}

/// Level and coefficients of comfort noise; more describe no room better.
const NOISE_BYTES_MAX: usize = 13;

/// Bytes of 20 ms, for codecs where every sample has its place.
fn bytes_per_frame(codec: AudioCodec) -> Option<usize> {
    match codec {
        AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::G722 => Some(160),
        AudioCodec::Opus => None,
    }
}

#[cfg(test)]
mod tests;
