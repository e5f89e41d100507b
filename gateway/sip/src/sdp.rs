//! Offer and answer (RFC 3264, RFC 8866) of sound: which codec, where to, which number telephone events have; of pictures in `video`.

#[cfg(test)]
mod cases;
mod crypto;
mod dtls;
mod video;

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};

pub use crypto::{Crypto, Mki, Suite};
use crypto::{SUITES, crypto};
pub use dtls::{Dtls, Fingerprint, Hash};
pub use video::{Lines, PictureRoom, Video, VideoFormat};

/// Static number of comfort noise (RFC 3389 §5).
const COMFORT_NOISE: u8 = 13;

/// Longer descriptions are refused unread.
const BYTES_MAX: usize = 16 << 10;

/// Those with more m-lines are refused: each is answered by a line.
const MEDIA_MAX: usize = 32;

/// A codec we speak, by its name in SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// Static number 9.
    G722,
    /// Static number 8.
    Pcma,
    /// Static number 0.
    Pcmu,
}

impl Codec {
    /// Name, clock and channels of its rtpmap.
    fn rtpmap(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            Self::G722 => "G722/8000",
            Self::Pcma => "PCMA/8000",
            Self::Pcmu => "PCMU/8000",
        }
    }

    fn clock(self) -> u32 {
        if self == Self::Opus { 48_000 } else { 8_000 }
    }

    /// The number it has where nothing else is said (RFC 3551 §6).
    fn fixed(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }
}

/// Who sends, from the offerer's side (RFC 3264 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendRecv,
    /// The offerer alone.
    SendOnly,
    /// We alone.
    RecvOnly,
    /// Nobody.
    Inactive,
}

/// How an offer of ours wants sound encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection<'a> {
    /// Not at all.
    None,
    /// By a key in the description (RFC 4568): our master key and salt.
    Sdes(&'a [u8; 30]),
    /// By a handshake between the two ends (RFC 5763): our certificate.
    Dtls(&'a Fingerprint),
}

/// What offer and answer agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Of both directions.
    pub codec: Codec,
    /// Its number.
    pub payload_type: u8,
    /// The number of telephone-event (RFC 4733) at the codec's clock, where offered.
    pub telephone_event: Option<u8>,
    /// The number of comfort noise (RFC 3389) at the codec's clock, where offered: silence need not be sent.
    pub comfort_noise: Option<u8>,
    /// Where the offerer wants RTP.
    pub remote: SocketAddr,
    /// Who sends.
    pub direction: Direction,
    /// Where the offerer wants sound encrypted by a key of its own.
    pub crypto: Option<Crypto>,
    /// Where it wants a handshake for that. Never both.
    pub dtls: Option<Dtls>,
    /// RTCP comes and goes by the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the offerer wants RTCP, if not by the port above RTP's (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// The clock the offerer gave its telephone events: some phones offer 8 kHz alone, whatever the codec.
    event_clock: u32,
    /// Another number of telephone-event, by another clock, where an answer has both we offered.
    pub second_event: Option<u8>,
    /// Of an answer, what else he may send (RFC 3264 §6.1).
    pub others: Vec<Format>,
    /// Pictures, where there are any we can take: refused until [`Video::take`].
    pub video: Option<Video>,
    /// What we can do of it, in his order.
    sounds: Vec<Sound>,
    /// The m-lines of the offer: kind, protocol, first format; and which one is ours.
    lines: Vec<(String, String, String)>,
    chosen: usize,
}

/// Why an offer can't be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It is no session description.
    #[error("the offer is malformed")]
    Malformed,
    /// No codec of ours, no sound, or no address to send it to: 488.
    #[error("the offer has no sound we can answer")]
    NotAcceptable,
}

/// A codec with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Which.
    pub codec: Codec,
    /// Its own.
    pub payload_type: u8,
    /// That of comfort noise, where it has that.
    pub comfort_noise: Option<u8>,
}

/// A codec and what goes beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sound {
    format: Format,
    telephone_event: Option<u8>,
    event_clock: u32,
    second_event: Option<u8>,
}

struct Media<'a> {
    kind: &'a str,
    port: u16,
    protocol: &'a str,
    formats: Vec<&'a str>,
    /// Of its own, none where that can't be read.
    address: Option<Option<IpAddr>>,
    rtpmaps: Vec<(u8, String)>,
    /// Of pictures alone, as is what follows: parameters of formats, feedback, whether they are slides (RFC 4796), and the most bits a second.
    fmtps: Vec<(u8, &'a str)>,
    feedback: Vec<(Option<u8>, &'a str)>,
    is_slides: bool,
    bits_per_second: Option<u32>,
    direction: Option<Direction>,
    cryptos: Vec<Crypto>,
    dtls: dtls::Said,
    rtcp_mux: bool,
    rtcp: Option<(u16, Option<IpAddr>)>,
}

impl Media<'_> {
    fn is_sound(&self) -> bool {
        self.kind == "audio" && self.port != 0
    }

    /// The profile with feedback (RFC 4585, RFC 5124) has the same sound.
    fn is_encrypted(&self) -> bool {
        ["RTP/SAVP", "RTP/SAVPF"].contains(&self.protocol)
    }

    fn is_plain(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF"].contains(&self.protocol)
    }

    /// RFC 5764 §8.
    fn is_dtls(&self) -> bool {
        ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"].contains(&self.protocol)
    }

    /// Where it is to be sent, and who sends; none where that is to a crowd. No sound to where nobody can be (RFC 2543 hold) is silence, not an
    /// error.
    fn place(&self, session: (Option<IpAddr>, Option<Direction>)) -> Option<(IpAddr, Direction)> {
        let address = self.address.unwrap_or(session.0)?;
        if address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast()) {
            return None;
        }
        let direction = match self.direction.or(session.1).unwrap_or(Direction::SendRecv) {
            direction if !address.is_unspecified() => direction,
            Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        };
        Some((address, direction))
    }

    /// Where RTCP is to be sent, where that is said.
    fn rtcp_at(&self, address: IpAddr) -> Option<SocketAddr> {
        self.rtcp.map(|(port, ip)| SocketAddr::new(ip.unwrap_or(address), port))
    }

    /// The safest of the ciphers offered.
    fn crypto(&self) -> Option<&Crypto> {
        let cryptos = || self.cryptos.iter().filter(|_| !self.is_dtls());
        SUITES.iter().find_map(|(suite, _)| cryptos().find(|crypto| crypto.suite == *suite))
    }

    /// The best we can do of what is offered, and all of it in its order; none where it is refused or of no codec of ours.
    fn sounds(&self) -> Option<(Sound, Vec<Sound>)> {
        let ours = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
        let offered = ours.into_iter().filter_map(|codec| Some((codec, self.number_of(codec)?)));
        let mut offered: Vec<_> = offered.filter(|_| self.is_sound()).collect();
        let best = self.sound(*offered.first()?);
        offered.sort_by_key(|(_, number)| self.place_of(*number));
        Some((best, offered.into_iter().map(|offered| self.sound(offered)).collect()))
    }

    fn place_of(&self, number: u8) -> Option<usize> {
        self.formats.iter().position(|format| format.parse() == Ok(number))
    }

    fn number_of(&self, codec: Codec) -> Option<u8> {
        let mapped = self.mapped(codec.rtpmap());
        let (name, _) = codec.rtpmap().split_once('/')?;
        // A static number may stand for something else only where it is said.
        let is_other = |(number, map): &(u8, String)| {
            Some(*number) == codec.fixed()
                && !map.split('/').next().is_some_and(|other| other.eq_ignore_ascii_case(name))
        };
        let fixed = codec.fixed().filter(|number| self.place_of(*number).is_some());
        mapped.or_else(|| fixed.filter(|_| !self.rtpmaps.iter().any(is_other)))
    }

    /// The number of a format among those offered. One channel may be said or not (RFC 8866 §6.6).
    fn mapped(&self, format: &str) -> Option<u8> {
        let is_it = |map: &str| map.strip_suffix("/1").unwrap_or(map).eq_ignore_ascii_case(format);
        let known = |(number, map): &&(u8, String)| is_it(map) && self.place_of(*number).is_some();
        self.rtpmaps.iter().find(known).map(|(number, _)| *number)
    }

    fn sound(&self, (codec, payload_type): (Codec, u8)) -> Sound {
        let number =
            |clock: u32| self.mapped(&format!("telephone-event/{clock}")).filter(|event| *event != payload_type);
        let event = |clock: u32| Some((number(clock)?, clock));
        let event = event(codec.clock()).or_else(|| event(8_000));
        let mut numbers = [48_000, 8_000].into_iter().filter_map(number);
        let second_event = numbers.find(|other| event.is_some_and(|(event, _)| event != *other));
        // Static, and of 8 kHz alone; G.722 counts as such (RFC 3551 §4.5.2), and Opus has silence of its own.
        let has_noise = codec.clock() == 8_000 && self.place_of(COMFORT_NOISE).is_some();
        Sound {
            format: Format { codec, payload_type, comfort_noise: has_noise.then_some(COMFORT_NOISE) },
            telephone_event: event.map(|(number, _)| number),
            event_clock: event.map_or(8_000, |(_, clock)| clock),
            second_event,
        }
    }

    /// A certificate without a key under another profile is the same offer: of early browsers' telephones (RTP/SAVPF), and on
    /// trust (RFC 8643).
    fn dtls(&self) -> Option<Dtls> {
        if self.crypto().is_none() { self.dtls.agreed() } else { None }
    }
}

/// Reads an offer and chooses: the best codec of ours, whatever order the offerer prefers.
pub fn agree(offer: &[u8]) -> Result<Agreed, OfferError> {
    if offer.len() > BYTES_MAX {
        return Err(OfferError::Malformed);
    }
    let text = String::from_utf8_lossy(offer);
    let (session_address, session_direction, medias) = read(&text)?;
    // Encrypted before plain, where an offerer leaves the choice.
    let secure = |media: &Media<'_>| {
        let keyed = media.crypto().is_some() || media.dtls().is_some();
        (media.is_encrypted() || media.is_dtls()) && keyed && media.sounds().is_some()
    };
    let plain = |media: &Media<'_>| media.is_plain() && media.sounds().is_some();
    let chosen = medias.iter().position(secure).or_else(|| medias.iter().position(plain));
    let chosen = chosen.ok_or(OfferError::NotAcceptable)?;
    let media = &medias[chosen];
    let (best, sounds) = media.sounds().ok_or(OfferError::NotAcceptable)?;
    let session = (session_address, session_direction);
    let (address, direction) = media.place(session).ok_or(OfferError::NotAcceptable)?;
    // A key under a plain profile is an offer to encrypt (RFC 8643): taken, and answered likewise.
    let (crypto, dtls) = (media.crypto().cloned(), media.dtls());
    let video = video::agree(&medias, session, (crypto.as_ref(), dtls.as_ref()));
    let Sound { format: Format { codec, payload_type, comfort_noise }, telephone_event, event_clock, .. } = best;
    Ok(Agreed {
        codec,
        payload_type,
        telephone_event,
        comfort_noise,
        event_clock,
        second_event: None,
        others: Vec::new(),
        video,
        sounds,
        remote: SocketAddr::new(address, media.port),
        crypto,
        dtls,
        rtcp_mux: media.rtcp_mux,
        rtcp: media.rtcp_at(address),
        direction,
        lines: medias
            .iter()
            .map(|media| {
                let format = media.formats.first().copied().unwrap_or("0");
                (media.kind.to_owned(), media.protocol.to_owned(), format.to_owned())
            })
            .collect(),
        chosen,
    })
}

/// An offer of ours (RFC 3264 §5): all codecs, the best first, and telephone events. What comes back is read by [`agree`].
#[must_use]
pub fn offer(local: SocketAddr, session: u64, protection: Protection<'_>) -> String {
    offer_anew(local, session, 1, protection, None)
}

/// The same within a session that stands (RFC 3264 §8): the version grows by one each time, and its other lines stay.
#[must_use]
pub fn offer_anew(
    local: SocketAddr,
    session: u64,
    version: u64,
    protection: Protection<'_>,
    lines: Option<&Lines>,
) -> String {
    let mut text = head(local, session, version);
    let Some(Lines { lines, sound, video }) = lines else {
        offer_sound(local.port(), protection, &mut text);
        return text;
    };
    for (index, (kind, protocol, format)) in lines.iter().enumerate() {
        let is_video = |video: &&Video| video.line == index;
        let is_written = match video.as_ref().filter(is_video) {
            Some(video) => video.write(protocol, Some(protection), &mut text),
            None => false,
        };
        if index == *sound {
            offer_sound(local.port(), protection, &mut text);
        } else if !is_written {
            let _ = write!(text, "m={kind} 0 {protocol} {format}\r\n");
        }
    }
    text
}

/// What a description of ours begins with.
fn head(local: SocketAddr, session: u64, version: u64) -> String {
    let (family, ip) = (if local.is_ipv4() { "IP4" } else { "IP6" }, local.ip());
    format!("v=0\r\no=huitong {session} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n")
}

fn offer_sound(port: u16, protection: Protection<'_>, text: &mut String) {
    let protocol = match protection {
        Protection::None => "RTP/AVP",
        Protection::Sdes(_) => "RTP/SAVP",
        Protection::Dtls(_) => "UDP/TLS/RTP/SAVP",
    };
    let _ = write!(
        text,
        "m=audio {port} {protocol} 96 9 8 0 13 97 101\r\n\
         a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1;stereo=0;sprop-stereo=0\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n\
         a=rtpmap:97 telephone-event/48000\r\na=fmtp:97 0-15\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=ptime:20\r\na=maxptime:20\r\na=sendrecv\r\n"
    );
    match protection {
        Protection::None => {}
        Protection::Sdes(key) => {
            // One suite: a key may stand behind one alone.
            let _ = write!(text, "a=crypto:1 {} inline:{}\r\n", SUITES[0].1, BASE64_STANDARD.encode(key));
        }
        Protection::Dtls(ours) => {
            dtls::write_offer(ours, text);
            // One handshake is enough for both (RFC 5764 §4.1.3).
            text.push_str("a=rtcp-mux\r\n");
        }
    }
}

impl Agreed {
    /// Takes our own master key and salt for what we send, where sound is encrypted: fresh for each call. Whose packets have an
    /// identifier of the key in them is sent such.
    pub fn secure(&mut self, ours: [u8; 30]) {
        if let Some(crypto) = &mut self.crypto {
            (crypto.ours, crypto.our_mki) = (Some(ours), crypto.their_mki);
        }
    }

    /// Takes our certificate, where there is to be a handshake. `was_active`: who began the last one of this call.
    pub fn certify(&mut self, ours: &Fingerprint, was_active: Option<bool>) {
        if let Some(dtls) = &mut self.dtls {
            dtls.certify(ours, was_active);
        }
    }

    /// As the answer to an offer of ours: encrypted as that was, or refused (RFC 3264 §6.1, RFC 4568 §5.1.3). Of several codecs he
    /// sends the one that stands first, and may send the others.
    pub fn answering(mut self, offered: Protection<'_>) -> Result<Self, OfferError> {
        let mut formats = self.sounds.iter().map(|sound| sound.format);
        if let (Some(first), Some(format)) = (self.sounds.first(), formats.next()) {
            let Format { codec, payload_type, comfort_noise } = format;
            (self.codec, self.payload_type, self.comfort_noise) = (codec, payload_type, comfort_noise);
            (self.telephone_event, self.event_clock) = (first.telephone_event, first.event_clock);
            (self.second_event, self.others) = (first.second_event, formats.collect());
        }
        match (offered, &mut self.crypto) {
            (Protection::None, _) => (self.crypto, self.dtls) = (None, None),
            // As our offer has it: without an identifier.
            (Protection::Sdes(key), Some(crypto)) => (crypto.ours, crypto.our_mki) = (Some(*key), None),
            (Protection::Dtls(ours), _) if self.dtls.is_some() => self.certify(ours, None),
            (Protection::Sdes(_), None) | (Protection::Dtls(_), _) => return Err(OfferError::NotAcceptable),
        }
        if let Some(video) = &mut self.video
            && matches!(offered, Protection::None)
        {
            (video.crypto, video.dtls) = (None, None);
        }
        Ok(self)
    }

    /// The answer: our address, one codec, telephone events, and pictures where they are taken; other m-lines refused by port 0 (RFC 3264
    /// §6).
    #[must_use]
    pub fn answer(&self, local: SocketAddr, session: u64, version: u64) -> String {
        let mut text = head(local, session, version);
        for (index, (kind, protocol, format)) in self.lines.iter().enumerate() {
            let video = self.video.as_ref().filter(|video| video.line == index);
            if index == self.chosen {
                self.write_sound(local.port(), &mut text);
            } else if !video.is_some_and(|video| video.write(protocol, None, &mut text)) {
                let _ = write!(text, "m={kind} 0 {protocol} {format}\r\n");
            }
        }
        text
    }

    fn write_sound(&self, port: u16, text: &mut String) {
        let number = self.payload_type;
        let others = [self.comfort_noise, self.telephone_event].into_iter().flatten();
        let others: String = others.map(|number| format!(" {number}")).collect();
        let protocol = &self.lines[self.chosen].1;
        let rtpmap = self.codec.rtpmap();
        let _ = write!(text, "m=audio {port} {protocol} {number}{others}\r\na=rtpmap:{number} {rtpmap}\r\n");
        text.extend(self.crypto.as_ref().and_then(Crypto::line));
        if let Some(dtls) = &self.dtls {
            dtls.write(text);
        }
        if self.rtcp_mux {
            text.push_str("a=rtcp-mux\r\n");
        }
        if self.codec == Codec::Opus {
            let _ = write!(text, "a=fmtp:{number} useinbandfec=1;stereo=0;sprop-stereo=0\r\n");
        }
        if let Some(number) = self.comfort_noise {
            let _ = write!(text, "a=rtpmap:{number} CN/8000\r\n");
        }
        if let Some(event) = self.telephone_event {
            let _ = write!(text, "a=rtpmap:{event} telephone-event/{}\r\na=fmtp:{event} 0-15\r\n", self.event_clock);
        }
        let direction = match self.direction {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "recvonly",
            Direction::RecvOnly => "sendonly",
            Direction::Inactive => "inactive",
        };
        let _ = write!(text, "a=ptime:20\r\na=maxptime:20\r\na={direction}\r\n");
    }
}

type Read<'a> = (Option<IpAddr>, Option<Direction>, Vec<Media<'a>>);

fn read(text: &str) -> Result<Read<'_>, OfferError> {
    let mut session_address = None;
    let mut session_direction = None;
    let mut session_dtls = dtls::Said::default();
    let mut session_bits = None;
    let mut medias: Vec<Media<'_>> = Vec::new();
    if !text.trim_start().starts_with("v=0") {
        return Err(OfferError::Malformed);
    }
    for line in text.lines().map(str::trim) {
        let said = medias.last_mut().map_or(&mut session_dtls, |media| &mut media.dtls);
        if said.read(line) || medias.last_mut().is_some_and(|media| media.kind == "video" && media.read_pictures(line))
        {
            continue;
        }
        if let Some(value) = line.strip_prefix("m=") {
            let mut words = value.split_whitespace();
            let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
                return Err(OfferError::Malformed);
            };
            let port = port.split('/').next().unwrap_or(port).parse().map_err(|_| OfferError::Malformed)?;
            let formats = words.take(64).collect();
            let (address, rtpmaps, direction, cryptos) = (None, Vec::new(), None, Vec::new());
            let (dtls, rtcp_mux, rtcp) = (dtls::Said::default(), false, None);
            let (fmtps, feedback, is_slides) = (Vec::new(), Vec::new(), false);
            if medias.len() >= MEDIA_MAX {
                return Err(OfferError::Malformed);
            }
            medias.push(Media {
                kind,
                port,
                protocol,
                formats,
                address,
                rtpmaps,
                fmtps,
                feedback,
                is_slides,
                bits_per_second: None,
                direction,
                cryptos,
                dtls,
                rtcp_mux,
                rtcp,
            });
        } else if let Some(value) = line.strip_prefix("b=").filter(|_| medias.is_empty()) {
            session_bits = video::bandwidth(value).into_iter().chain(session_bits).min();
        } else if let Some(value) = line.strip_prefix("c=") {
            // The address may have a TTL behind it.
            let address = value.split_whitespace().nth(2).and_then(|text| text.split('/').next()?.parse().ok());
            match medias.last_mut() {
                Some(media) => media.address = Some(address),
                None => session_address = address,
            }
        } else if let Some(value) = line.strip_prefix("a=rtpmap:") {
            let parsed =
                value.split_once(' ').and_then(|(number, map)| Some((number.parse().ok()?, map.trim().to_owned())));
            if let (Some(media), Some(parsed)) = (medias.last_mut().filter(|media| media.rtpmaps.len() < 64), parsed) {
                media.rtpmaps.push(parsed);
            }
        } else if let Some(value) = line.strip_prefix("a=crypto:") {
            if let Some(media) = medias.last_mut().filter(|media| media.cryptos.len() < 16) {
                media.cryptos.extend(crypto(value));
            }
        } else if line == "a=rtcp-mux" {
            medias.iter_mut().rev().take(1).for_each(|media| media.rtcp_mux = true);
        } else if let Some(value) = line.strip_prefix("a=rtcp:") {
            let mut words = value.split_whitespace();
            let port = words.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0);
            let ip = words.nth(2).and_then(|ip| ip.parse().ok());
            if let (Some(media), Some(port)) = (medias.last_mut(), port) {
                media.rtcp = Some((port, ip));
            }
        } else if let Some(direction) = direction(line) {
            match medias.last_mut() {
                Some(media) => media.direction = Some(direction),
                None => session_direction = Some(direction),
            }
        }
    }
    for media in &mut medias {
        media.dtls.inherit(&session_dtls);
        // Of all of it together: there is hardly anything beside pictures.
        media.bits_per_second = media.bits_per_second.or(session_bits);
    }
    Ok((session_address, session_direction, medias))
}

fn direction(line: &str) -> Option<Direction> {
    match line {
        "a=sendrecv" => Some(Direction::SendRecv),
        "a=sendonly" => Some(Direction::SendOnly),
        "a=recvonly" => Some(Direction::RecvOnly),
        "a=inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
