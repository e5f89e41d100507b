//! The pictures of one call as they go: of those that are made for all room systems its own stream, begun with a picture that needs no other.

use std::{sync::Arc, time::Instant};

use media::{RtpPacket, Ssrc, VideoCodec, h264};

use crate::{
    pictures::{FIR, PAYLOAD_FEEDBACK, PLI},
    rtcp::packets,
    width::{LARGE_BITS_MIN, SMALL_BITS_MIN, Width},
};

/// Feedback about transport, with a limit to bits, and the answer to that (RFC 5104 §4.2).
const TRANSPORT_FEEDBACK: u8 = 205;
const TMMBR: u8 = 3;
const TMMBN: u8 = 4;

/// What a peer is sent of pictures, at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sends {
    /// Of the two that are made, the large one.
    pub is_large: bool,
    /// The most bits a second.
    pub bits_per_second: u32,
    /// It takes no NAL units in pieces (RFC 6184 §6.2).
    pub single_units: bool,
}

/// A packet's worth of a picture.
#[derive(Debug, Clone)]
pub struct PicturePiece {
    /// Of RFC 6184, as [`h264::payloads`] makes it.
    pub payload: Arc<[u8]>,
    /// When the picture was put together.
    pub composed: Instant,
    /// The last of its picture.
    pub marker: bool,
    /// The first of one that needs no other.
    pub begins_keyframe: bool,
}

pub(crate) struct Outgoing {
    ssrc: Ssrc,
    next_seq: u16,
    epoch: Instant,
    first_timestamp: u32,
    /// Nothing has gone yet that what comes next could refer to.
    waits: bool,
    /// The peer has lost something.
    wanted: bool,
    width: Width,
    /// Which of the two it is sent.
    is_large: Option<bool>,
    /// A limit it has set, who it is, and in which words: they are given back.
    limited: Option<[u8; 8]>,
}

impl Sends {
    /// The same with no more bits a second than these: where they are too few for the large picture, of the small one; nothing, where they are
    /// too few for that.
    #[must_use]
    pub fn with_at_most(self, bits_per_second: u32) -> Option<Self> {
        let bits = self.bits_per_second.min(bits_per_second);
        let is_large = self.is_large && bits >= LARGE_BITS_MIN;
        let bits_per_second = if is_large { bits } else { bits.min(LARGE_BITS_MIN) };
        (bits >= SMALL_BITS_MIN).then_some(Self { is_large, bits_per_second, ..self })
    }
}

impl Outgoing {
    /// From a random place in both number spaces, taken from `ssrc` (RFC 3550 §5.1).
    pub(crate) fn new(ssrc: Ssrc, epoch: Instant) -> Self {
        let (next_seq, first_timestamp) = (ssrc.0.rotate_left(11) as u16, ssrc.0.rotate_left(7));
        Self {
            ssrc,
            next_seq,
            epoch,
            first_timestamp,
            waits: true,
            wanted: false,
            width: Width::default(),
            is_large: None,
            limited: None,
        }
    }

    /// What comes next begins anew.
    pub(crate) fn pause(&mut self) {
        (self.waits, self.wanted) = (true, false);
    }

    /// Of what was agreed on what goes now.
    pub(crate) fn sends(&mut self, agreed: Option<Sends>, now: Instant) -> Option<Sends> {
        let sends = agreed.and_then(|agreed| self.width.of(agreed, now));
        let is_large = sends.map(|sends| sends.is_large);
        if std::mem::replace(&mut self.is_large, is_large) != is_large {
            // The one refers to nothing of the other.
            self.pause();
        }
        sends
    }

    /// How many percent were lost of what was sent.
    pub(crate) fn reported(&mut self, lost: u8, now: Instant) {
        self.width.reported(lost, now);
    }

    pub(crate) fn wants_keyframe(&self) -> bool {
        self.waits || self.wanted
    }

    pub(crate) fn want_keyframe(&mut self) {
        self.wanted = true;
    }

    /// True where a key frame is asked for in it: by PLI (RFC 4585 §6.3.1), or by FIR (RFC 5104 §4.3.1).
    pub(crate) fn read_feedback(&mut self, datagram: &[u8]) -> bool {
        self.read_limit(datagram);
        let own = self.ssrc.0.to_be_bytes();
        let asks = |(format, kind, packet): (u8, u8, &[u8])| {
            let is_about = |at: usize| packet.get(at..at + 4) == Some(&own);
            let entries = (12..packet.len()).step_by(8);
            kind == PAYLOAD_FEEDBACK
                && (format == PLI && is_about(8) || format == FIR && entries.into_iter().any(is_about))
        };
        let is_asked = packets(datagram).any(asks);
        self.wanted |= is_asked;
        is_asked
    }

    /// Takes the most bits a second that the peer wants of us, from a request like this:
    ///
    /// ```text
    ///  0                   1                   2                   3
    ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    /// |V=2|P| FMT=3   |      205      |          length               |
    /// |                  SSRC of packet sender                        |
    /// |                               0                               |
    /// |                              SSRC                             |  once for each of whom
    /// | MxTBR Exp |  MxTBR Mantissa                 |Measured Overhead|  something is wanted
    /// ```
    fn read_limit(&mut self, datagram: &[u8]) {
        for (format, kind, packet) in packets(datagram) {
            let Some((head, entries)) = packet.split_at_checked(12) else { continue };
            if (format, kind) != (TMMBR, TRANSPORT_FEEDBACK) {
                continue;
            }
            let own = self.ssrc.0.to_be_bytes();
            let Some(entry) = entries.as_chunks::<8>().0.iter().find(|entry| entry[..4] == own) else { continue };
            let [.., a, b, c, d] = *entry;
            let word = u32::from_be_bytes([a, b, c, d]);
            let bits = u64::from(word >> 9 & 0x1_ffff).checked_shl(word >> 26).unwrap_or(u64::MAX);
            // With what carries them: of full packets a twentieth.
            self.width.limit(u32::try_from(bits / 20 * 19).unwrap_or(u32::MAX));
            self.limited = head[4..8].iter().chain(&entry[4..]).copied().collect::<Vec<_>>().try_into().ok();
        }
    }

    /// Appends what says that a limit is kept to, where one was set (RFC 5104 §4.2.2).
    pub(crate) fn write_limit(&mut self, out: &mut Vec<u8>) {
        let Some(limited) = self.limited.take() else { return };
        out.extend([0x80 | TMMBN, TRANSPORT_FEEDBACK, 0, 4]);
        out.extend(self.ssrc.0.to_be_bytes());
        out.extend([0; 4]);
        out.extend(limited);
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.limited.is_some()
    }

    /// Of a picture that is put together now.
    pub(crate) fn timestamp(&self, now: Instant) -> u32 {
        let micros = now.saturating_duration_since(self.epoch).as_micros();
        let ticks = micros * u128::from(VideoCodec::CLOCK_RATE) / 1_000_000;
        self.first_timestamp.wrapping_add(ticks as u32)
    }

    /// Its timestamp; none where it is of no use to the peer.
    pub(crate) fn write(
        &mut self,
        piece: &PicturePiece,
        sends: Sends,
        payload_type: u8,
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        if piece.begins_keyframe {
            (self.waits, self.wanted) = (false, false);
        }
        if self.waits || sends.single_units && h264::is_fragment(&piece.payload) {
            return None;
        }
        let timestamp = self.timestamp(piece.composed);
        let packet = RtpPacket {
            payload_type,
            marker: piece.marker,
            seq: self.next_seq,
            timestamp,
            ssrc: self.ssrc,
            payload: &piece.payload,
        };
        packet.write(out);
        self.next_seq = self.next_seq.wrapping_add(1);
        Some(timestamp)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use media::AudioCodec;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Component, Keying, Leg, LegConfig, PictureLeg, PictureSettings, SrtpKey, SrtpKeys, SrtpSuite, pictures, srtp,
    };

    const THEM: &str = "192.0.2.1:5000";
    const OWN: Ssrc = Ssrc(0x0102_0304);
    const SENDS: Sends = Sends { is_large: true, bits_per_second: 1_000_000, single_units: false };

    fn settings() -> PictureSettings {
        PictureSettings { sends: Some(SENDS), ..pictures::tests::settings() }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn piece(composed: Instant, begins_keyframe: bool) -> PicturePiece {
        PicturePiece { payload: [0x41, 1, 2].into(), composed, marker: true, begins_keyframe }
    }

    /// Sequence number and timestamp of what is sent.
    fn sent(leg: &mut PictureLeg, piece: &PicturePiece) -> Option<(u16, u32)> {
        let mut out = Vec::new();
        leg.sends(piece.composed)?;
        let to = leg.send(piece, &mut out)?;
        assert_eq!(to, THEM.parse::<SocketAddr>().unwrap());
        let packet = RtpPacket::parse(&out).unwrap();
        assert_eq!((packet.payload_type, packet.marker, packet.ssrc), (97, true, OWN));
        assert_eq!(packet.payload, &*piece.payload);
        Some((packet.seq, packet.timestamp))
    }

    /// PLI, FIR about us; FIR about another, PLI about another.
    fn feedback() -> [Vec<u8>; 4] {
        let pli = |about: u32| [&[0x81, 206, 0, 2, 0, 0, 0, 9][..], &about.to_be_bytes()].concat();
        let fir =
            |about: u32| [&[0x84, 206, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0][..], &about.to_be_bytes(), &[1, 0, 0, 0]].concat();
        [pli(OWN.0), fir(OWN.0), fir(7), pli(7)]
    }

    // product: R1, R3, RFC 4585 §6.3.1, RFC 5104 §4.3.1, RFC 5168
    #[test]
    fn it_begins_with_a_key_frame_and_another_is_wanted_as_he_asks() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = PictureLeg::new(settings(), OWN, now, now);
        assert!(leg.wants_keyframe());
        assert_eq!(sent(&mut leg, &piece(now, false)), None, "it would refer to what he never got");
        let (first, at) = sent(&mut leg, &piece(now + ms(100), true)).unwrap();
        assert!(!leg.wants_keyframe());
        assert_eq!(sent(&mut leg, &piece(now + ms(200), false)), Some((first.wrapping_add(1), at.wrapping_add(9_000))));
        let [mut pli, fir, fir_about_another, pli_about_another] = feedback();
        for asks in [pli.clone(), fir] {
            // Behind a report, as it goes (RFC 4585 §3.1).
            let mut compound = [&[0x80, 201, 0, 1, 0, 0, 0, 9][..], &asks].concat();
            leg.handle_rtcp(them, &mut compound, now);
            assert!(leg.wants_keyframe(), "{asks:02x?}");
            assert!(sent(&mut leg, &piece(now, false)).is_some(), "he may be able to show some of it");
            assert!(leg.wants_keyframe());
            sent(&mut leg, &piece(now, true)).unwrap();
            assert!(!leg.wants_keyframe());
        }
        for mut other in [fir_about_another, pli_about_another] {
            leg.handle_rtcp(them, &mut other, now);
        }
        leg.handle_rtcp("203.0.113.9:5001".parse().unwrap(), &mut pli, now);
        assert!(!leg.wants_keyframe(), "of another stream, and of a stranger");
        leg.keyframe_wanted();
        assert!(leg.wants_keyframe());
        assert_eq!((leg.stats().keyframes_wanted, leg.stats().sent), (3, 6));
    }

    // product: R1
    #[test]
    fn on_hold_nothing_goes_and_afterwards_it_begins_anew() {
        let now = Instant::now();
        let mut leg = PictureLeg::new(settings(), OWN, now, now);
        let (first, _) = sent(&mut leg, &piece(now, true)).unwrap();
        leg.reconfigure(PictureSettings { sends: None, ..settings() }, now);
        assert_eq!(leg.sends(now), None);
        assert_eq!(sent(&mut leg, &piece(now, true)), None);
        leg.reconfigure(settings(), now);
        assert!(leg.wants_keyframe());
        assert_eq!(sent(&mut leg, &piece(now, false)), None);
        assert_eq!(sent(&mut leg, &piece(now, true)).map(|(seq, _)| seq), Some(first.wrapping_add(1)), "it counts on");
    }

    // reliability: A10
    #[test]
    fn who_has_not_shown_that_he_is_there_is_sent_nothing() {
        let now = Instant::now();
        let elsewhere = PictureSettings { signalling: "203.0.113.9".parse().unwrap(), ..settings() };
        let leg = || PictureLeg::new(elsewhere.clone(), OWN, now, now);
        let mut by_rtp = leg();
        assert_eq!(by_rtp.sends(now), None);
        let packet =
            RtpPacket { payload_type: 97, marker: true, seq: 1, timestamp: 0, ssrc: Ssrc(9), payload: &[0x65, 1] };
        let mut datagram = Vec::new();
        packet.write(&mut datagram);
        by_rtp.handle_rtp("198.51.100.7:5000".parse().unwrap(), &mut datagram.clone(), now);
        assert_eq!(by_rtp.sends(now), None, "a stranger was there");
        by_rtp.handle_rtp(THEM.parse().unwrap(), &mut datagram, now);
        assert_eq!(by_rtp.sends(now), Some(SENDS));
        let mut by_rtcp = leg();
        by_rtcp.handle_rtcp("192.0.2.1:5001".parse().unwrap(), &mut [0x80, 201, 0, 1, 0, 0, 0, 9], now);
        assert_eq!(by_rtcp.sends(now), Some(SENDS));
        let nowhere = PictureSettings { remote: "0.0.0.0:5000".parse().unwrap(), ..settings() };
        assert_eq!(PictureLeg::new(nowhere, OWN, now, now).sends(now), None);
    }

    // product: R3, RFC 5104 §4.2
    #[test]
    fn who_wants_fewer_bits_has_the_small_picture_from_a_key_frame_on_and_is_told_so() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = PictureLeg::new(settings(), OWN, now, now);
        sent(&mut leg, &piece(now, true)).unwrap();
        // 2^4 times 20,000 bits, with 40 bytes a packet.
        let wish = (4_u32 << 26 | 20_000 << 9 | 40).to_be_bytes();
        let request = |about: u32| {
            let head = [0x83, 205, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0];
            [&head[..], &about.to_be_bytes(), &wish].concat()
        };
        leg.handle_rtcp(them, &mut request(7), now);
        assert_eq!(leg.sends(now), Some(SENDS), "of another");
        leg.handle_rtcp(them, &mut request(OWN.0), now);
        let small = Sends { is_large: false, bits_per_second: 304_000, ..SENDS };
        assert_eq!(leg.sends(now), Some(small));
        assert_eq!(sent(&mut leg, &piece(now, false)), None);
        assert!(leg.wants_keyframe() && sent(&mut leg, &piece(now, true)).is_some());
        let mut out = Vec::new();
        leg.poll_rtcp(now, &mut out).unwrap();
        // A report, a source description, and what is kept to.
        assert_eq!((out[1], out.len()), (200, 28 + 20 + 20));
        assert_eq!(out[48..], [&[0x84, 205, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 9][..], &wish].concat());
        assert!(leg.poll_rtcp(now, &mut Vec::new()).is_none(), "once");
    }

    // product: R3, RFC 3550 §6.4.1
    #[test]
    fn who_loses_much_of_the_large_picture_is_sent_the_small_one() {
        let (now, them) = (Instant::now(), THEM.parse().unwrap());
        let mut leg = PictureLeg::new(settings(), OWN, now, now);
        sent(&mut leg, &piece(now, true)).unwrap();
        let report = |lost: u8| {
            let head = [0x81, 201, 0, 7, 0, 0, 0, 9];
            [&head[..], &OWN.0.to_be_bytes(), &[lost], &[0; 19]].concat()
        };
        leg.handle_rtcp(them, &mut report(60), now);
        assert!(leg.sends(now).unwrap().is_large);
        leg.handle_rtcp(them, &mut report(60), now);
        assert!(!leg.sends(now).unwrap().is_large);
    }

    // RFC 6184 §6.2
    #[test]
    fn who_takes_whole_units_alone_gets_no_pieces_of_them() {
        let now = Instant::now();
        let sends = Some(Sends { single_units: true, ..SENDS });
        let mut leg = PictureLeg::new(PictureSettings { sends, ..settings() }, OWN, now, now);
        let (first, _) = sent(&mut leg, &piece(now, true)).unwrap();
        let fragment = PicturePiece { payload: [0x7c, 0x85, 1].into(), ..piece(now, false) };
        assert_eq!(sent(&mut leg, &fragment), None);
        assert_eq!(sent(&mut leg, &piece(now, false)).map(|(seq, _)| seq), Some(first.wrapping_add(1)));
    }

    // product: R1, P3, RFC 3550 §6.4.1
    #[test]
    fn reports_tell_which_voice_a_picture_goes_with() {
        let start = Instant::now();
        let later = start + ms(7_000);
        let mut leg = PictureLeg::new(settings(), OWN, start, later);
        assert!(leg.poll_rtcp(later + ms(60_000), &mut Vec::new()).is_none(), "nothing was sent");
        let (_, timestamp) = sent(&mut leg, &piece(later, true)).unwrap();
        let (mut out, now) = (Vec::new(), later + ms(20_000));
        let (component, _) = leg.poll_rtcp(now, &mut out).unwrap();
        assert_eq!((component, out[1]), (Component::Rtcp, 200));
        let word = |at: usize| u32::from_be_bytes(out[at..at + 4].try_into().unwrap());
        assert_eq!(word(8), 27 + 1, "seconds since the call began, as its sound has them");
        assert_eq!(word(16), timestamp.wrapping_add(20 * 90_000), "of a picture of that moment");
        assert_eq!((word(20), word(24)), (1, 3));
        // The sound of the call, whose codec has changed since it began.
        let config = LegConfig::new(AudioCodec::Pcma, 8, THEM.parse().unwrap());
        let mut sound = Leg::new(config, Ssrc(1), later).counting_from(start);
        let voice =
            RtpPacket { payload_type: 8, marker: true, seq: 1, timestamp: 0, ssrc: Ssrc(9), payload: &[0xd5; 160] };
        let mut datagram = Vec::new();
        voice.write(&mut datagram);
        sound.handle_rtp(THEM.parse().unwrap(), &mut datagram, later);
        sound.send(&[0xd5; 160], &mut Vec::new()).unwrap();
        let mut of_sound = Vec::new();
        sound.poll_rtcp(now, &mut of_sound).unwrap();
        assert_eq!(of_sound[8..16], out[8..16]);
    }

    // product: P7, R1
    #[test]
    fn it_goes_encrypted_where_that_was_agreed_on() {
        let now = Instant::now();
        let suite = SrtpSuite::AesCm128HmacSha1Tag80;
        let keys = SrtpKeys::new(suite, SrtpKey([1; 30]), SrtpKey([2; 30]));
        let mut leg = PictureLeg::new(PictureSettings { srtp: Some(Keying::Sdes(keys)), ..settings() }, OWN, now, now);
        let mut out = Vec::new();
        leg.sends(now).unwrap();
        leg.send(&piece(now, true), &mut out).unwrap();
        assert_ne!(out[12..15], [0x41, 1, 2]);
        let mut theirs = srtp::Receiver::new(suite, &SrtpKey([1; 30]), None);
        assert_eq!(RtpPacket::parse(theirs.open(&mut out).unwrap()).unwrap().payload, [0x41, 1, 2]);
    }

    proptest! {
        // reliability: A10
        #[test]
        fn no_feedback_is_too_strange(mut bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 200_u8..210) {
            if let Some([first, second, ..]) = bytes.get_mut(..2).map(|two| <&mut [u8; 2]>::try_from(two).unwrap()) {
                (*first, *second) = (*first & 0x1f | 0x80, kind);
            }
            let now = Instant::now();
            let mut leg = PictureLeg::new(settings(), OWN, now, now);
            leg.handle_rtcp(THEM.parse().unwrap(), &mut bytes, now);
        }
    }
}
