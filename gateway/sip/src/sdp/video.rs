//! Pictures in offer and answer: H.264 (RFC 6184 §8) and VP8 (RFC 7741 §6), which of what is offered, and how key frames are asked for
//! (RFC 4585 §4.2, RFC 5104 §7.1).

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

use super::{Agreed, Crypto, Direction, Dtls, Fingerprint, Media, Protection};

/// The level we can take, where the offerer's own doesn't bind us (RFC 6184 §8.1, `level-asymmetry-allowed`): 4, which is 1080p at thirty
/// pictures a second.
const LEVEL: u8 = 40;

/// What level 4 has room for, in macroblocks: for offerers whose lower level binds both sides (RFC 6184 §8.1, `max-fs`, `max-mbps`).
const FRAME_BLOCKS: u32 = 8_192;
const BLOCKS_PER_SECOND: u32 = 245_760;

/// Of each level by its `level_idc`: macroblocks a second and macroblocks a picture (ITU-T H.264 table A-1). Level 1b has those of 1.
const LEVELS: [(u8, u32, u32); 11] = [
    (10, 1_485, 99),
    (11, 3_000, 396),
    (12, 6_000, 396),
    (13, 11_880, 396),
    (20, 11_880, 396),
    (21, 19_800, 792),
    (22, 20_250, 1_620),
    (30, 40_500, 1_620),
    (31, 108_000, 3_600),
    (32, 216_000, 5_120),
    (LEVEL, BLOCKS_PER_SECOND, FRAME_BLOCKS),
];

/// What is meant by an H.264 format that doesn't say (RFC 6184 §8.1): baseline at level 1.
const PROFILE_UNSAID: [u8; 3] = [0x42, 0, 10];

/// Profiles we take, as they begin (ITU-T H.264 §A.2): baseline, of which pictures in a call use what is in the constrained one, and high,
/// constrained or not. The first is the one every browser can show.
const PROFILES: [u8; 2] = [66, 100];

/// Lines of one kind that are read of an m-line; more are not.
const LINES_MAX: usize = 64;

/// How pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoFormat {
    /// RFC 6184.
    H264 {
        /// `packetization-mode`: 0, a NAL unit a packet, or 1, which has larger ones in pieces and small ones together.
        mode: u8,
        /// `profile-level-id`, as offered.
        profile: [u8; 3],
        /// `level-asymmetry-allowed`: each side has a level of its own.
        is_asymmetric: bool,
        /// What the offerer can decode.
        room: PictureRoom,
    },
    /// RFC 7741.
    Vp8,
}

/// How much of a picture somebody can decode: by his level, or more where he says so (RFC 6184 §8.1, `max-fs`, `max-mbps`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureRoom {
    /// Macroblocks, of 16 x 16 pixels, in a picture.
    blocks: u32,
    /// And in a second.
    blocks_per_second: u32,
}

impl PictureRoom {
    fn of_level(level: u8) -> Self {
        // One between two levels is the lower of them.
        let known = LEVELS.iter().rev().find(|(known, ..)| *known <= level).unwrap_or(&LEVELS[0]);
        Self { blocks: known.2, blocks_per_second: known.1 }
    }

    /// There is room for so many pictures a second of this size.
    #[must_use]
    pub fn is_for(self, (width, height): (u32, u32), pictures_per_second: u32) -> bool {
        let blocks = width.div_ceil(16) * height.div_ceil(16);
        blocks <= self.blocks && blocks * pictures_per_second <= self.blocks_per_second
    }
}

/// What offer and answer agree on about pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// Of both directions.
    pub format: VideoFormat,
    /// Its number.
    pub payload_type: u8,
    /// Where the offerer wants RTP.
    pub remote: SocketAddr,
    /// Who sends, from the offerer's side.
    pub direction: Direction,
    /// The key of his pictures, where his sound has one.
    pub crypto: Option<Crypto>,
    /// The handshake for it, where his sound has one.
    pub dtls: Option<Dtls>,
    /// RTCP comes and goes by the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the offerer wants RTCP, if not by the port above RTP's (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// He gives a key frame to who asks by PLI (RFC 4585 §6.3.1).
    pub pli: bool,
    /// And by FIR (RFC 5104 §3.5.1).
    pub fir: bool,
    /// He may say how many bits a second he wants at the most (RFC 5104 §3.5.4).
    pub tmmbr: bool,
    /// The most bits a second he wants, without what carries them (RFC 3890), where he says.
    pub bits_per_second: Option<u32>,
    /// He is sent pictures where he takes them.
    gives: bool,
    /// Our port, and how many bits a second we take there; refused while there is none.
    taken: Option<(u16, u32)>,
    /// Its m-line.
    pub(super) line: usize,
}

/// The best of what is offered that goes as safely as the sound.
pub(super) fn agree(
    medias: &[Media<'_>],
    session: (Option<IpAddr>, Option<Direction>),
    sound: (Option<&Crypto>, Option<&Dtls>),
) -> Option<Video> {
    let taken = |(line, media): (usize, &Media<'_>)| {
        let (format, payload_type) = media.pictures()?;
        let (crypto, dtls) = (media.crypto().cloned(), media.dtls());
        let is_as_safe = (crypto.is_some(), dtls.is_some()) == (sound.0.is_some(), sound.1.is_some());
        let is_known = media.is_plain() || media.is_encrypted() || media.is_dtls();
        let is_readable = media.is_plain() || crypto.is_some() || dtls.is_some();
        if !is_as_safe || !is_known || !is_readable {
            return None;
        }
        let (address, direction) = media.place(session)?;
        Some(Video {
            format,
            payload_type,
            remote: SocketAddr::new(address, media.port),
            direction,
            crypto,
            dtls,
            rtcp_mux: media.rtcp_mux,
            rtcp: media.rtcp_at(address),
            pli: media.has_feedback(payload_type, "nack pli"),
            fir: media.has_feedback(payload_type, "ccm fir"),
            tmmbr: media.has_feedback(payload_type, "ccm tmmbr"),
            bits_per_second: media.bits_per_second,
            gives: false,
            taken: None,
            line,
        })
    };
    medias.iter().enumerate().find_map(taken)
}

impl<'a> Media<'a> {
    /// Whether the line was one that only pictures have.
    pub(super) fn read_pictures(&mut self, line: &'a str) -> bool {
        if let Some(value) = line.strip_prefix("a=fmtp:") {
            let parsed = value.split_once(' ').and_then(|(number, said)| Some((number.parse().ok()?, said)));
            self.fmtps.extend(parsed.filter(|_| self.fmtps.len() < LINES_MAX));
        } else if let Some(value) = line.strip_prefix("a=rtcp-fb:") {
            self.feedback.extend(feedback(value).filter(|_| self.feedback.len() < LINES_MAX));
        } else if let Some(value) = line.strip_prefix("a=content:") {
            self.is_slides = value.split(',').any(|content| content.trim() == "slides");
        } else if let Some(value) = line.strip_prefix("b=") {
            self.bits_per_second = bandwidth(value).into_iter().chain(self.bits_per_second).min();
        } else {
            return false;
        }
        true
    }

    /// The format we can do best, and its number. Slides (RFC 4796) are not taken for who shows them.
    fn pictures(&self) -> Option<(VideoFormat, u8)> {
        if self.kind != "video" || self.port == 0 || self.is_slides {
            return None;
        }
        let offered = self.formats.iter().filter_map(|format| format.parse::<u8>().ok());
        let known = offered.filter_map(|number| Some((self.picture_format(number)?, number)));
        // Of equals the offerer's first.
        known.min_by_key(|(format, _)| format.rank())
    }

    fn picture_format(&self, number: u8) -> Option<VideoFormat> {
        let (_, map) = self.rtpmaps.iter().find(|(mapped, _)| *mapped == number)?;
        if map.eq_ignore_ascii_case("VP8/90000") {
            return Some(VideoFormat::Vp8);
        }
        if !map.eq_ignore_ascii_case("H264/90000") {
            return None;
        }
        let parameters = self.fmtps.iter().find(|(of, _)| *of == number).map_or("", |(_, parameters)| *parameters);
        let value = |name: &str| {
            let named = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
            named.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
        };
        let profile = match value("profile-level-id") {
            Some(id) => <[u8; 3]>::try_from(hex::decode(id).ok()?).ok()?,
            None => PROFILE_UNSAID,
        };
        let mode = value("packetization-mode").map_or(Some(0), |mode| mode.parse().ok())?;
        let is_asymmetric = value("level-asymmetry-allowed") == Some("1");
        let least = PictureRoom::of_level(profile[2]);
        let more = |name: &str| value(name).and_then(|more| more.parse().ok()).unwrap_or(0);
        let room = PictureRoom {
            blocks: least.blocks.max(more("max-fs")),
            blocks_per_second: least.blocks_per_second.max(more("max-mbps")),
        };
        let is_known = mode <= 1 && PROFILES.contains(&profile[0]);
        is_known.then_some(VideoFormat::H264 { mode, profile, is_asymmetric, room })
    }

    fn has_feedback(&self, number: u8, wanted: &str) -> bool {
        let is_for = |of: &Option<u8>| of.is_none_or(|of| of == number);
        // TMMBR has parameters (RFC 5104 §7.1).
        let is_it = |kind: &str| {
            let (said, rest) = kind.split_at_checked(wanted.len()).unwrap_or_default();
            said.eq_ignore_ascii_case(wanted) && (rest.is_empty() || rest.starts_with(' '))
        };
        self.feedback.iter().any(|(of, kind)| is_for(of) && is_it(kind))
    }
}

/// Bits a second of media, of a `b=` line; none where it is about something else.
pub(super) fn bandwidth(value: &str) -> Option<u32> {
    let (kind, amount) = value.split_once(':')?;
    let amount: u32 = amount.trim().parse().ok()?;
    match kind {
        // With the headers of its packets (RFC 8866 §5.8): of full ones, as a twentieth.
        "AS" => Some(amount.saturating_mul(950)),
        "TIAS" => Some(amount),
        _ => None,
    }
}

/// Of an `a=rtcp-fb` line: for which number, or for all, and what.
fn feedback(value: &str) -> Option<(Option<u8>, &str)> {
    let (of, kind) = value.split_once(' ')?;
    let of = if of == "*" { None } else { Some(of.parse().ok()?) };
    Some((of, kind.trim()))
}

impl VideoFormat {
    /// The lowest is the best: what comes in pieces needs not be cut by a sender to the network's measure, and of profiles the one that all
    /// can show.
    fn rank(self) -> usize {
        match self {
            Self::H264 { mode, profile, .. } => {
                let profile = PROFILES.iter().position(|known| *known == profile[0]).unwrap_or(PROFILES.len());
                2 * usize::from(mode == 0) + profile
            }
            Self::Vp8 => 4,
        }
    }

    fn rtpmap(self) -> &'static str {
        match self {
            Self::H264 { .. } => "H264/90000",
            Self::Vp8 => "VP8/90000",
        }
    }

    fn write_parameters(self, number: u8, text: &mut String) {
        let Self::H264 { mode, profile: [profile, constraints, level], is_asymmetric, .. } = self else { return };
        let (level, asymmetry) =
            if is_asymmetric { (level.max(LEVEL), ";level-asymmetry-allowed=1") } else { (level, "") };
        let _ = write!(
            text,
            "a=fmtp:{number} profile-level-id={profile:02x}{constraints:02x}{level:02x};packetization-mode={mode}{asymmetry}"
        );
        // No less than the level itself has (RFC 6184 §8.1).
        if level < LEVEL {
            let _ = write!(text, ";max-fs={FRAME_BLOCKS};max-mbps={BLOCKS_PER_SECOND}");
        }
        text.push_str("\r\n");
    }
}

impl Video {
    /// They are taken at this port, so many bits a second at most.
    pub fn take(&mut self, port: u16, bits_per_second: u32) {
        self.taken = Some((port, bits_per_second));
    }

    /// He is sent pictures of this format, where he takes them.
    pub fn give(&mut self) {
        self.gives = true;
    }

    /// He takes them, and they are sent.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.gives && matches!(self.direction, Direction::SendRecv | Direction::RecvOnly)
    }

    /// He sends them.
    #[must_use]
    pub fn comes(&self) -> bool {
        matches!(self.direction, Direction::SendRecv | Direction::SendOnly)
    }

    /// See [`Agreed::secure`].
    pub fn secure(&mut self, ours: [u8; 30]) {
        if let Some(crypto) = &mut self.crypto {
            (crypto.ours, crypto.our_mki) = (Some(ours), crypto.their_mki);
        }
    }

    /// See [`Agreed::certify`].
    pub fn certify(&mut self, ours: &Fingerprint, was_active: Option<bool>) {
        if let Some(dtls) = &mut self.dtls {
            dtls.certify(ours, was_active);
        }
    }

    /// Its m-line and what belongs to that, in answers and where it is offered again; false where it is refused.
    pub(super) fn write(&self, protocol: &str, offered: Option<Protection<'_>>, text: &mut String) -> bool {
        let Some((port, bits_per_second)) = self.taken else { return false };
        let number = self.payload_type;
        // There are those that know the older of the two alone.
        let _ = write!(
            text,
            "m=video {port} {protocol} {number}\r\nb=AS:{}\r\nb=TIAS:{bits_per_second}\r\na=rtpmap:{number} {}\r\n",
            bits_per_second.div_ceil(1_000),
            self.format.rtpmap()
        );
        self.format.write_parameters(number, text);
        text.extend(self.crypto.as_ref().and_then(Crypto::line));
        match (offered, &self.dtls) {
            (Some(Protection::Dtls(ours)), Some(_)) => super::dtls::write_offer(ours, text),
            (_, Some(dtls)) => dtls.write(text),
            (_, None) => {}
        }
        if self.rtcp_mux {
            text.push_str("a=rtcp-mux\r\n");
        }
        let tmmbr = self.tmmbr && self.gives;
        for (is_on, kind) in [(self.pli, "nack pli"), (self.fir, "ccm fir"), (tmmbr, "ccm tmmbr")] {
            if is_on {
                let _ = write!(text, "a=rtcp-fb:{number} {kind}\r\n");
            }
        }
        // Where it is offered anew he may have been on hold.
        let (comes, goes) = (self.comes() || offered.is_some(), self.goes() || offered.is_some() && self.gives);
        let direction = match (comes, goes) {
            (true, true) => "sendrecv",
            (true, false) => "recvonly",
            (false, true) => "sendonly",
            (false, false) => "inactive",
        };
        let _ = write!(text, "a={direction}\r\n");
        true
    }
}

/// The m-lines of a session that has others than its sound: each keeps its place as long as that lasts (RFC 3264 §8).
#[derive(Debug, Clone)]
pub struct Lines {
    pub(super) lines: Vec<(String, String, String)>,
    pub(super) sound: usize,
    pub(super) video: Option<Video>,
}

impl Lines {
    /// Pictures are taken.
    #[must_use]
    pub fn has_video(&self) -> bool {
        self.video.is_some()
    }
}

impl Agreed {
    /// None where there is one alone.
    #[must_use]
    pub fn lines(&self) -> Option<Lines> {
        (self.lines.len() > 1).then(|| Lines {
            lines: self.lines.clone(),
            sound: self.chosen,
            video: self.video.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sdp::{self, OfferError};

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n";
    const SOUND: &str = "m=audio 4000 RTP/AVP 8\r\n";
    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    const RATE: u32 = 2_000_000;

    fn offer(media: &str) -> String {
        format!("{HEAD}{SOUND}{media}")
    }

    fn agreed(offer: &str) -> Agreed {
        let mut agreed = sdp::agree(offer.as_bytes()).unwrap();
        if let Some(video) = &mut agreed.video {
            video.take(20_002, RATE);
            if matches!(video.format, VideoFormat::H264 { .. }) {
                video.give();
            }
        }
        agreed
    }

    fn answer(offer: &str) -> String {
        agreed(offer).answer("192.0.2.1:20000".parse().unwrap(), 7, 1)
    }

    /// Of an offer with these lines beside its sound, the answer from its `m=video` on.
    fn answered(media: &str) -> String {
        let answer = answer(&offer(media));
        answer[answer.find("m=video").unwrap()..].replace("b=AS:2000\r\nb=TIAS:2000000\r\n", "").replace("\r\n", "\n")
    }

    // product: R1, RFC 6184 §8.2.2, RFC 7741 §6.2
    #[test]
    fn pictures_are_answered_in_a_format_that_all_browsers_can_show() {
        let check = |media: &str, expected: &str| {
            let direction = if expected.contains("H264") { "sendrecv" } else { "recvonly" };
            let expected = format!("m=video 20002 RTP/AVP {expected}\na={direction}\n");
            assert_eq!(answered(media), expected, "{media}");
        };
        let h264 =
            |number: u8, parameters: &str| format!("a=rtpmap:{number} H264/90000\r\na=fmtp:{number} {parameters}\r\n");
        let room = "max-fs=8192;max-mbps=245760";
        check(
            &format!(
                "m=video 5000 RTP/AVP 97\r\n{}",
                h264(97, "profile-level-id=42801F; packetization-mode=1;max-mbps=1")
            ),
            &format!("97\na=rtpmap:97 H264/90000\na=fmtp:97 profile-level-id=42801f;packetization-mode=1;{room}"),
        );
        // Each side may have a level of its own.
        check(
            &format!(
                "m=video 5000 RTP/AVP 97\r\n{}",
                h264(97, "profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1")
            ),
            "97\na=rtpmap:97 H264/90000\na=fmtp:97 profile-level-id=42e028;packetization-mode=1;level-asymmetry-allowed=1",
        );
        // High after baseline, single units after pieces, VP8 last; whatever their order.
        let several = [
            "a=rtpmap:100 VP8/90000\r\n".to_owned(),
            h264(96, "profile-level-id=42e01f"),
            h264(97, "profile-level-id=640028;packetization-mode=1"),
            h264(98, "profile-level-id=42e01f;packetization-mode=1"),
            h264(99, "profile-level-id=640028;packetization-mode=0"),
        ];
        let of = |numbers: &str| format!("m=video 5000 RTP/AVP {numbers}\r\n{}", several.concat());
        let first = |numbers: &str| answered(&of(numbers)).split_whitespace().nth(3).unwrap().to_owned();
        for (numbers, best) in
            [("100 96 97 98 99", "98"), ("100 99 96 97", "97"), ("100 99 96", "96"), ("100 99", "99")]
        {
            assert_eq!(first(numbers), best, "{numbers}");
        }
        check(&of("100"), "100\na=rtpmap:100 VP8/90000");
        check(&of("99"), "99\na=rtpmap:99 H264/90000\na=fmtp:99 profile-level-id=640028;packetization-mode=0");
        // What doesn't say is baseline of level 1, single units.
        check(
            "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 h264/90000",
            &format!("96\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=42000a;packetization-mode=0;{room}"),
        );
        for (what, refused) in [
            ("another codec", "m=video 5000 RTP/AVP 34\r\na=rtpmap:34 H263/90000"),
            ("interleaved", "m=video 5000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 packetization-mode=2"),
            (
                "another profile",
                "m=video 5000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=f4001f",
            ),
            ("a broken one", "m=video 5000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e0"),
            ("none", "m=video 0 RTP/AVP 100\r\na=rtpmap:100 VP8/90000"),
            ("slides", "m=video 5000 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\na=content:slides"),
            ("a crowd", "m=video 5000 RTP/AVP 100\r\nc=IN IP4 224.2.0.1/127\r\na=rtpmap:100 VP8/90000"),
            ("a profile nobody speaks", "m=video 5000 TCP/RTP 100\r\na=rtpmap:100 VP8/90000"),
            (
                "encrypted, and the sound isn't",
                "m=video 5000 RTP/SAVP 100\r\na=rtpmap:100 VP8/90000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            ),
        ] {
            assert!(answered(refused).starts_with("m=video 0 "), "{what}: {}", answered(refused));
        }
    }

    // product: R1, R3, RFC 4585 §4.2, RFC 5104 §7.1, RFC 3264 §6.1
    #[test]
    fn feedback_direction_and_bandwidth_are_answered() {
        let video = |lines: &str| format!("m=video 5000 RTP/AVPF 100\r\na=rtpmap:100 VP8/90000\r\n{lines}");
        let plain = "m=video 20002 RTP/AVPF 100\na=rtpmap:100 VP8/90000\n";
        let check =
            |lines: &str, expected: &str| assert_eq!(answered(&video(lines)), format!("{plain}{expected}"), "{lines}");
        check("a=sendonly\r\n", "a=recvonly\n");
        check("a=recvonly\r\n", "a=inactive\n");
        check("a=inactive\r\n", "a=inactive\n");
        check("a=rtcp-mux\r\na=rtcp-fb:100 nack pli\r\n", "a=rtcp-mux\na=rtcp-fb:100 nack pli\na=recvonly\n");
        check(
            "a=rtcp-fb:* ccm fir\r\na=rtcp-fb:* nack\r\na=rtcp-fb:* nack pli\r\n",
            "a=rtcp-fb:100 nack pli\na=rtcp-fb:100 ccm fir\na=recvonly\n",
        );
        check("a=rtcp-fb:98 nack pli\r\n", "a=recvonly\n");
        let h264 = "m=video 5000 RTP/AVPF 97\r\na=rtpmap:97 H264/90000\r\na=rtcp-fb:97 ccm tmmbr smaxpr=120\r\na=rtcp-fb:* ccm fir\r\n";
        let limited = answered(h264);
        assert!(limited.ends_with("a=rtcp-fb:97 ccm fir\na=rtcp-fb:97 ccm tmmbr\na=sendrecv\n"), "{limited}");
        let whole = answer(&offer(&video("")));
        assert!(whole.contains("m=video 20002 RTP/AVPF 100\r\nb=AS:2000\r\nb=TIAS:2000000\r\na=rtpmap"), "{whole}");
        // A hold as before RFC 3264: he sends on, and nobody is there to be told.
        let held = agreed(&offer(&video("c=IN IP4 0.0.0.0\r\na=rtcp:5005\r\n"))).video.unwrap();
        assert_eq!((held.direction, held.rtcp), (Direction::SendOnly, Some("0.0.0.0:5005".parse().unwrap())));
    }

    // product: R1, RFC 3264 §6.1
    #[test]
    fn who_takes_pictures_is_sent_them_where_there_are_some_for_him() {
        let check = |direction: &str, expected: &str, gives: bool| {
            let h264 = format!("m=video 5000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n{direction}");
            let mut agreed = sdp::agree(offer(&h264).as_bytes()).unwrap();
            let video = agreed.video.as_mut().unwrap();
            video.take(20_002, RATE);
            if gives {
                video.give();
            }
            let text = agreed.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
            assert!(text.ends_with(&format!("a={expected}\r\n")), "{direction}: {text}");
        };
        for (offered, answered, refused) in [
            ("", "sendrecv", "recvonly"),
            ("a=sendonly\r\n", "recvonly", "recvonly"),
            ("a=recvonly\r\n", "sendonly", "inactive"),
            ("a=inactive\r\n", "inactive", "inactive"),
            ("c=IN IP4 0.0.0.0\r\n", "recvonly", "recvonly"),
        ] {
            check(offered, answered, true);
            check(offered, refused, false);
        }
    }

    // product: R1, R3, RFC 6184 §8.1, RFC 8866 §5.8, RFC 3890
    #[test]
    fn what_he_can_decode_and_wants_at_most_is_read() {
        let video = |parameters: &str, more: &str| {
            let lines =
                format!("m=video 5000 RTP/AVP 97\r\n{more}a=rtpmap:97 H264/90000\r\na=fmtp:97 {parameters}\r\n");
            sdp::agree(offer(&lines).as_bytes()).unwrap().video.unwrap()
        };
        let can = |parameters: &str| {
            let VideoFormat::H264 { room, .. } = video(parameters, "").format else { panic!("{parameters}") };
            [(1280, 720), (640, 360), (320, 180)].map(|size| room.is_for(size, 30))
        };
        assert_eq!(can("profile-level-id=42e01f"), [true; 3]);
        assert_eq!(can("profile-level-id=42e028"), [true; 3]);
        assert_eq!(can("profile-level-id=42e0ff"), [true; 3]);
        assert_eq!(can("profile-level-id=42e01e"), [false, true, true]);
        assert_eq!(can("profile-level-id=42e015"), [false, false, true]);
        assert_eq!(can("profile-level-id=42e009"), [false; 3]);
        assert_eq!(can("profile-level-id=42e00d;max-fs=3600;max-mbps=108000"), [true; 3]);
        assert_eq!(can("profile-level-id=42e00d;max-fs=3600;max-mbps=107999"), [false, true, true]);
        assert_eq!(can("profile-level-id=42e01f;max-fs=1"), [true; 3], "no less than the level has");
        let wants = |more: &str| video("profile-level-id=42e01f", more).bits_per_second;
        assert_eq!(wants(""), None);
        assert_eq!(wants("b=TIAS:600000\r\n"), Some(600_000));
        assert_eq!(wants("b=AS:1000\r\nb=TIAS:2000000\r\n"), Some(950_000));
        assert_eq!(wants("b=RR:0\r\nb=AS:x\r\nb=AS\r\n"), None);
        assert_eq!(wants("b=AS:4294967295\r\n"), Some(u32::MAX));
        // Some say it of the session, as a whole.
        let of_session = |more: &str| {
            let lines = format!("m=video 5000 RTP/AVP 97\r\n{more}a=rtpmap:97 H264/90000\r\n");
            let offer = format!("{}b=AS:1000\r\nt=0 0\r\n{SOUND}{lines}", HEAD.trim_end_matches("t=0 0\r\n"));
            sdp::agree(offer.as_bytes()).unwrap().video.unwrap().bits_per_second
        };
        assert_eq!((of_session(""), of_session("b=TIAS:2000000\r\n")), (Some(950_000), Some(2_000_000)));
    }

    // RFC 3264 §6: as many m-lines as there were, in their places
    #[test]
    fn the_lines_of_an_answer_stand_where_those_of_the_offer_do() {
        let vp8 = "m=video 5000 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\n";
        let slides = "m=video 5002 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\na=content:slides\r\n";
        let control = "m=application 5004 TCP/BFCP *\r\n";
        for order in [[vp8, SOUND, slides, control], [slides, control, vp8, SOUND], [SOUND, slides, vp8, control]] {
            let offer = format!("{HEAD}{}", order.concat());
            let expected: Vec<_> = order
                .iter()
                .map(|lines| match *lines {
                    line if line == vp8 => "m=video 20002 RTP/AVP 100",
                    line if line == slides => "m=video 0 RTP/AVP 100",
                    line if line == control => "m=application 0 TCP/BFCP *",
                    _ => "m=audio 20000 RTP/AVP 8",
                })
                .collect();
            let answer = answer(&offer);
            assert_eq!(answer.lines().filter(|line| line.starts_with("m=")).collect::<Vec<_>>(), expected);
            // Where he asks for an offer of ours later, they do too (RFC 3264 §8).
            let lines = agreed(&offer).lines().unwrap();
            let anew = sdp::offer_anew("192.0.2.1:20000".parse().unwrap(), 7, 2, Protection::None, Some(&lines));
            let kinds = |text: &str| -> Vec<(String, bool)> {
                let words = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("m="))
                    .map(|line| line.split(' ').collect::<Vec<_>>());
                words.map(|words| (words[0].to_owned(), words[1] == "0")).collect()
            };
            assert_eq!(kinds(&anew), kinds(&answer));
            assert!(anew.contains("a=rtpmap:100 VP8/90000\r\na=recvonly\r\n"), "{anew}");
        }
        assert!(agreed(&format!("{HEAD}{SOUND}")).lines().is_none(), "a telephone has one");
    }

    // product: P7, R1
    #[test]
    fn pictures_are_encrypted_as_the_sound_is_each_with_a_key_of_its_own() {
        let keyed = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
        let secure = |more: &str| {
            format!(
                "{HEAD}m=audio 4000 RTP/SAVP 8\r\n{keyed}m=video 5000 RTP/SAVP 100\r\na=rtpmap:100 VP8/90000\r\n{more}"
            )
        };
        let mut both = agreed(&secure(&keyed));
        both.secure([0; 30]);
        both.video.as_mut().unwrap().secure([255; 30]);
        let text = both.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
        let keys: Vec<_> = text.lines().filter(|line| line.starts_with("a=crypto:1")).collect();
        assert_eq!(keys.len(), 2, "{text}");
        assert!(keys[0].ends_with(&"A".repeat(40)) && keys[1].ends_with(&"/".repeat(40)), "{keys:?}");
        assert!(answer(&secure("")).contains("m=video 0 "), "without a key they would be plain");
        let shaken = "a=setup:actpass\r\na=fingerprint:sha-256 ".to_owned() + &["4A"; 32].join(":") + "\r\n";
        let lines =
            "m=audio 4000 UDP/TLS/RTP/SAVPF 8\r\nm=video 5000 UDP/TLS/RTP/SAVPF 100\r\na=rtpmap:100 VP8/90000\r\n";
        let mut both = agreed(&format!("{HEAD}{shaken}{lines}"));
        let ours = Fingerprint { hash: sdp::Hash::Sha256, digest: vec![1; 32] };
        both.certify(&ours, None);
        both.video.as_mut().unwrap().certify(&ours, None);
        let text = both.answer("192.0.2.1:20000".parse().unwrap(), 7, 1);
        assert_eq!(text.matches("a=setup:passive\r\na=fingerprint:sha-256 01:").count(), 2, "{text}");
    }

    // product: R1: a re-INVITE adds and drops them
    #[test]
    fn what_answers_an_offer_of_ours_has_pictures_as_that_had() {
        let vp8 = "m=video 5000 RTP/AVP 100\r\na=rtpmap:100 VP8/90000\r\na=sendonly\r\n";
        let back = agreed(&offer(vp8)).answering(Protection::None).unwrap();
        assert!(back.video.unwrap().comes());
        let refused = agreed(&offer("m=video 0 RTP/AVP 100\r\n")).answering(Protection::None).unwrap();
        assert!(refused.video.is_none());
    }

    proptest! {
        #[test]
        fn no_line_of_pictures_panics(lines in "(a=(fmtp|rtpmap|rtcp-fb|content):?[ -~]{0,40}\r\n){0,12}") {
            let offer = offer(&format!("m=video 5000 RTP/AVP 96 97\r\na=rtpmap:96 H264/90000\r\n{lines}"));
            match sdp::agree(offer.as_bytes()) {
                Ok(_) => drop(answer(&offer)),
                Err(error) => prop_assert_eq!(error, OfferError::NotAcceptable),
            }
        }
    }
}
