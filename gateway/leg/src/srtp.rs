//! SRTP and SRTCP (RFC 3711) with the keys of a session description (RFC 4568): AES in counter mode of 128 bits, and
//! HMAC-SHA1 cut to 80 or 32 bits. One [`Sender`] and one [`Receiver`] a leg.

use aes::Aes128;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use hmac::{Hmac, KeyInit, Mac};
use media::{REPLAY_WINDOW, Replays, SeenNumbers, Ssrc};
use sha1::Sha1;

/// Bytes of an RTP header without sources and extension (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;

/// Bytes of an RTCP packet that stay readable: header and sender (RFC 3711 §3.4).
const RTCP_HEADER: usize = 8;

/// E flag and index behind an encrypted RTCP packet.
const RTCP_INDEX: usize = 4;

/// The tag of RTCP, in both suites (RFC 4568 §6.2).
const RTCP_TAG: usize = 10;

/// Senders of one key whose numbers are kept, each who is heard anew in the place of the one heard longest ago. Fewer, and more of what they
/// said can be said again by somebody else.
const SENDERS_MAX: usize = 8;

/// How the keys are used (RFC 4568 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1Tag80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1Tag32,
}

impl SrtpSuite {
    fn rtp_tag(self) -> usize {
        match self {
            Self::AesCm128HmacSha1Tag80 => 10,
            Self::AesCm128HmacSha1Tag32 => 4,
        }
    }
}

/// Master key and salt, as they stand behind `inline:` (RFC 4568 §6.1). They don't print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SrtpKey(pub [u8; 30]);

impl std::fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrtpKey")
    }
}

/// The identifier of a master key, in each packet before its tag and not part of what that is of (RFC 3711 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpMki {
    /// Big-endian.
    pub value: u64,
    /// How many bytes it has.
    pub bytes: u8,
}

impl SrtpMki {
    /// With what it is longer than its value.
    fn parts(self) -> (usize, [u8; 8]) {
        (usize::from(self.bytes).saturating_sub(8), self.value.to_be_bytes())
    }

    fn low(bytes: &[u8; 8], len: u8) -> &[u8] {
        &bytes[8 - usize::from(len.min(8))..]
    }

    fn write(self, out: &mut Vec<u8>) {
        let (zeros, value) = self.parts();
        out.resize(out.len() + zeros, 0);
        out.extend_from_slice(Self::low(&value, self.bytes));
    }

    /// As long as it is.
    fn is(self, bytes: &[u8]) -> bool {
        let (zeros, value) = self.parts();
        bytes[..zeros].iter().all(|byte| *byte == 0) && &bytes[zeros..] == Self::low(&value, self.bytes)
    }
}

/// The keys of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SrtpKeys {
    /// Of both directions.
    pub suite: SrtpSuite,
    /// Of what we send.
    pub ours: SrtpKey,
    /// In what we send, where it has one.
    pub our_mki: Option<SrtpMki>,
    /// Of what we receive.
    pub theirs: SrtpKey,
    /// In what we receive.
    pub their_mki: Option<SrtpMki>,
}

impl SrtpKeys {
    /// Whose packets name no key.
    #[must_use]
    pub fn new(suite: SrtpSuite, ours: SrtpKey, theirs: SrtpKey) -> Self {
        Self { suite, ours, our_mki: None, theirs, their_mki: None }
    }
}

/// The session keys of RTP or of RTCP (RFC 3711 §4.3).
struct Session {
    cipher: [u8; 16],
    salt: [u8; 14],
    mac: Hmac<Sha1>,
}

impl Session {
    /// `first` is the label of the cipher key; the next two are those of the authentication key and the salt.
    fn new(master: &SrtpKey, first: u8) -> Self {
        let (mut cipher, mut auth, mut salt) = ([0; 16], [0; 20], [0; 14]);
        derive(master, first, &mut cipher);
        derive(master, first + 1, &mut auth);
        derive(master, first + 2, &mut salt);
        Self { cipher, salt, mac: Hmac::new_from_slice(&auth).expect("any length is a key") }
    }

    /// RFC 3711 §4.1.1. The same in both directions.
    fn crypt(&self, ssrc: u32, index: u64, text: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        for (byte, with) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= with;
        }
        for (byte, with) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= with;
        }
        Ctr128BE::<Aes128>::new(&self.cipher.into(), &iv.into()).apply_keystream(text);
    }

    fn tag(&self, parts: [&[u8]; 2]) -> Hmac<Sha1> {
        let mut mac = self.mac.clone();
        parts.into_iter().for_each(|part| mac.update(part));
        mac
    }
}

/// RFC 3711 §4.3.1 and §4.3.3, with a key derivation rate of zero.
fn derive(master: &SrtpKey, label: u8, out: &mut [u8]) {
    let (key, salt) = master.0.split_at(16);
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    iv[7] ^= label;
    let key: [u8; 16] = key.try_into().expect("split at sixteen");
    Ctr128BE::<Aes128>::new(&key.into(), &iv.into()).apply_keystream(out);
}

/// Protects what we send.
pub(crate) struct Sender {
    suite: SrtpSuite,
    mki: Option<SrtpMki>,
    rtp: Session,
    rtcp: Session,
    roll_over: u32,
    last_seq: Option<u16>,
    rtcp_index: u32,
}

impl Sender {
    pub(crate) fn new(suite: SrtpSuite, key: &SrtpKey, mki: Option<SrtpMki>) -> Self {
        let (rtp, rtcp) = (Session::new(key, 0), Session::new(key, 3));
        Self { suite, mki, rtp, rtcp, roll_over: 0, last_seq: None, rtcp_index: 0 }
    }

    /// Another SSRC follows, which nobody has counted yet (RFC 3711 §3.3.1).
    pub(crate) fn begin_stream(&mut self) {
        (self.roll_over, self.last_seq) = (0, None);
    }

    /// A packet from `start` to the end; sequence numbers grow by one.
    pub(crate) fn protect(&mut self, out: &mut Vec<u8>, start: usize) {
        let packet = &mut out[start..];
        let Some((len, ssrc, seq)) = header(packet) else { return };
        if self.last_seq.replace(seq).is_some_and(|last| last > seq) {
            self.roll_over = self.roll_over.wrapping_add(1);
        }
        let index = u64::from(self.roll_over) << 16 | u64::from(seq);
        self.rtp.crypt(ssrc, index, &mut packet[len..]);
        let tag = self.rtp.tag([packet, &self.roll_over.to_be_bytes()]).finalize().into_bytes();
        self.finish(out, &tag[..self.suite.rtp_tag()]);
    }

    pub(crate) fn protect_rtcp(&mut self, out: &mut Vec<u8>, start: usize) {
        let Some(ssrc) = sender(&out[start..]) else { return };
        let index = self.rtcp_index;
        self.rtcp_index = index.wrapping_add(1) & 0x7fff_ffff;
        self.rtcp.crypt(ssrc, u64::from(index), &mut out[start + RTCP_HEADER..]);
        out.extend_from_slice(&(index | 0x8000_0000).to_be_bytes());
        let tag = self.rtcp.tag([&out[start..], &[]]).finalize().into_bytes();
        self.finish(out, &tag[..RTCP_TAG]);
    }

    fn finish(&self, out: &mut Vec<u8>, tag: &[u8]) {
        if let Some(mki) = self.mki {
            mki.write(out);
        }
        out.extend_from_slice(tag);
    }
}

/// RFC 3711 §3.3.1: the index nearest to the highest one.
fn index(seen: SeenNumbers, seq: u16) -> u64 {
    let (roll_over, last) = (seen.highest() >> 16, seen.highest() as u16);
    let guessed = match seq.wrapping_sub(last) {
        ahead if ahead < 0x8000 && seq < last => roll_over + 1,
        ahead if ahead >= 0x8000 && seq > last => roll_over.saturating_sub(1),
        _ => roll_over,
    };
    guessed << 16 | u64::from(seq)
}

/// Opens what we receive. What is forged, doubled or not encrypted is refused.
pub(crate) struct Receiver {
    suite: SrtpSuite,
    mki: Option<SrtpMki>,
    rtp: Session,
    rtcp: Session,
    senders: Replays<SENDERS_MAX>,
    /// Reports count for themselves.
    reporters: Replays<SENDERS_MAX>,
}

impl Receiver {
    pub(crate) fn new(suite: SrtpSuite, key: &SrtpKey, mki: Option<SrtpMki>) -> Self {
        let (rtp, rtcp) = (Session::new(key, 0), Session::new(key, 3));
        Self { suite, mki, rtp, rtcp, senders: Replays::default(), reporters: Replays::default() }
    }

    /// What the tag is of, and the tag; none where the key is none of ours.
    fn split<'a>(&self, datagram: &'a mut [u8], tag: usize) -> Option<(&'a mut [u8], &'a mut [u8])> {
        let (rest, tag) = datagram.split_at_mut(datagram.len().checked_sub(tag)?);
        let Some(mki) = self.mki else { return Some((rest, tag)) };
        let (signed, identifier) = rest.split_at_mut(rest.len().checked_sub(mki.bytes.into())?);
        mki.is(identifier).then_some((signed, tag))
    }

    /// The packet inside, as long as what it returns.
    pub(crate) fn open<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let (packet, tag) = self.split(datagram, self.suite.rtp_tag())?;
        let (len, ssrc, seq) = header(packet)?;
        let seen = self.senders.of(Ssrc(ssrc), SeenNumbers::before(seq.into()));
        let index = index(seen, seq);
        if !seen.is_new(index, REPLAY_WINDOW) {
            return None;
        }
        let roll_over = ((index >> 16) as u32).to_be_bytes();
        self.rtp.tag([packet, &roll_over]).verify_truncated_left(tag).ok()?;
        self.senders.note(Ssrc(ssrc), seen, index);
        self.rtp.crypt(ssrc, index, &mut packet[len..]);
        Some(packet)
    }

    pub(crate) fn open_rtcp<'a>(&mut self, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
        let (signed, tag) = self.split(datagram, RTCP_TAG)?;
        let ssrc = sender(signed)?;
        let (packet, trailer) = signed.split_at_mut(signed.len().checked_sub(RTCP_INDEX)?);
        let index = u32::from_be_bytes(<[u8; RTCP_INDEX]>::try_from(&*trailer).ok()?);
        let (encrypted, index) = (index >> 31 == 1, u64::from(index & 0x7fff_ffff));
        let seen = self.reporters.of(Ssrc(ssrc), SeenNumbers::default());
        if !encrypted || !seen.is_new(index, REPLAY_WINDOW) || packet.len() < RTCP_HEADER {
            return None;
        }
        self.rtcp.tag([packet, trailer]).verify_truncated_left(tag).ok()?;
        self.reporters.note(Ssrc(ssrc), seen, index);
        self.rtcp.crypt(ssrc, index, &mut packet[RTCP_HEADER..]);
        Some(packet)
    }
}

/// Length of the header with sources and extension, who sends, and the sequence number.
fn header(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let fixed = packet.first_chunk::<RTP_HEADER>()?;
    let mut len = RTP_HEADER + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    let ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
    (len <= packet.len()).then_some((len, ssrc, u16::from_be_bytes([fixed[2], fixed[3]])))
}

fn sender(packet: &[u8]) -> Option<u32> {
    let [.., s0, s1, s2, s3] = *packet.first_chunk::<RTCP_HEADER>()?;
    Some(u32::from_be_bytes([s0, s1, s2, s3]))
}

#[cfg(test)]
mod tests {
    use media::{RtpPacket, Ssrc};
    use proptest::prelude::*;

    use super::*;

    const SUITES: [SrtpSuite; 2] = [SrtpSuite::AesCm128HmacSha1Tag80, SrtpSuite::AesCm128HmacSha1Tag32];

    /// The master key and salt of RFC 3711 §B.3.
    const KEY: SrtpKey = SrtpKey([
        0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39, 0x0e, 0xc6,
        0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6,
    ]);

    fn packet(seq: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        let payload = &[seq as u8; 160];
        RtpPacket { payload_type: 8, marker: false, seq, timestamp: 7, ssrc: Ssrc(9), payload }.write(&mut bytes);
        bytes
    }

    fn protected(sender: &mut Sender, seq: u16) -> Vec<u8> {
        let mut bytes = packet(seq);
        sender.protect(&mut bytes, 0);
        bytes
    }

    // RFC 3711 §B.3
    #[test]
    fn keys_are_derived_as_the_rfc_does() {
        let (mut cipher, mut auth, mut salt) = ([0; 16], [0; 20], [0; 14]);
        derive(&KEY, 0, &mut cipher);
        derive(&KEY, 1, &mut auth);
        derive(&KEY, 2, &mut salt);
        assert_eq!(cipher, 0xc61e_7a93_744f_39ee_1073_4afe_3ff7_a087_u128.to_be_bytes());
        assert_eq!(auth[..16], 0xcebe_321f_6ff7_716b_6fd4_ab49_af25_6a15_u128.to_be_bytes());
        assert_eq!(salt, [0x30, 0xcb, 0xbc, 0x08, 0x86, 0x3d, 0x8c, 0x85, 0xd4, 0x9d, 0xb3, 0x4a, 0x9a, 0xe1]);
    }

    // RFC 3711 §3.3, product: P7
    #[test]
    fn what_is_protected_is_opened_over_many_roll_overs_and_losses() {
        for suite in SUITES {
            let (mut sender, mut receiver) = (Sender::new(suite, &KEY, None), Receiver::new(suite, &KEY, None));
            for n in (65_000..400_000u32).step_by(97) {
                let seq = n as u16;
                let mut bytes = protected(&mut sender, seq);
                assert_ne!(bytes[12..172], packet(seq)[12..], "not as it was");
                if n % 7 != 0 {
                    assert_eq!(receiver.open(&mut bytes), Some(&packet(seq)[..]), "{n}");
                }
            }
        }
    }

    // RFC 3711 §3.3.2, reliability: A12
    #[test]
    fn what_is_forged_doubled_or_plain_is_refused() {
        for suite in SUITES {
            let (mut sender, mut receiver) = (Sender::new(suite, &KEY, None), Receiver::new(suite, &KEY, None));
            let first = protected(&mut sender, 1);
            let second = protected(&mut sender, 2);
            for at in 0..first.len() {
                let mut forged = first.clone();
                forged[at] ^= 1;
                assert_eq!(receiver.open(&mut forged), None, "byte {at}");
            }
            assert_eq!(receiver.open(&mut packet(1)), None, "without keys");
            assert!(receiver.open(&mut second.clone()).is_some());
            assert!(receiver.open(&mut first.clone()).is_some(), "late, but new");
            assert_eq!(receiver.open(&mut first.clone()), None, "again");
            assert_eq!(receiver.open(&mut second.clone()), None, "again");
            let other = SrtpKey([1; 30]);
            assert_eq!(Receiver::new(suite, &other, None).open(&mut first.clone()), None, "another's key");
        }
    }

    // product: P7
    #[test]
    fn a_telephone_that_was_on_hold_twenty_times_is_heard_and_strangers_push_nobody_out() {
        let suite = SUITES[0];
        let (mut receiver, mut last) = (Receiver::new(suite, &KEY, None), Vec::new());
        for ssrc in 1..=20 {
            let mut bytes = packet(1);
            bytes[8..12].copy_from_slice(&u32::to_be_bytes(ssrc));
            Sender::new(suite, &KEY, None).protect(&mut bytes, 0);
            last.clone_from(&bytes);
            assert!(receiver.open(&mut bytes).is_some(), "the {ssrc}th");
        }
        for ssrc in 100..200 {
            let mut forged = last.clone();
            forged[8..12].copy_from_slice(&u32::to_be_bytes(ssrc));
            assert!(receiver.open(&mut forged).is_none());
        }
        assert!(receiver.open(&mut last).is_none(), "what it said is still known");
    }

    // RFC 3711 §3.4
    #[test]
    fn reports_are_protected_too() {
        let suite = SUITES[1];
        let (mut sender, mut receiver) = (Sender::new(suite, &KEY, None), Receiver::new(suite, &KEY, None));
        let mut report: Vec<u8> = [0x80, 201, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4].into();
        for _ in 0..3 {
            let mut bytes = report.clone();
            sender.protect_rtcp(&mut bytes, 0);
            assert_ne!(bytes[8..12], report[8..]);
            assert_eq!(receiver.open_rtcp(&mut bytes.clone()), Some(&report[..]));
            assert_eq!(receiver.open_rtcp(&mut bytes), None, "again");
        }
        // Another stream of the same telephone begins from 0 again.
        let (mut other, mut others) = (Sender::new(suite, &KEY, None), report.clone());
        others[7] = 10;
        let mut bytes = others.clone();
        other.protect_rtcp(&mut bytes, 0);
        assert_eq!(receiver.open_rtcp(&mut bytes), Some(&others[..]));
        assert_eq!(receiver.open_rtcp(&mut report), None, "without keys");
    }

    // RFC 3711 §3.1, §3.4; RFC 4568 §6.1
    #[test]
    fn a_key_with_an_identifier_has_it_in_each_packet_before_the_tag() {
        for (value, bytes) in [(1, 1), (1, 4), (0x0102_0304_0506_0708, 8), (7, 128)] {
            let mki = Some(SrtpMki { value, bytes });
            let suite = SUITES[0];
            let (mut sender, mut receiver) = (Sender::new(suite, &KEY, mki), Receiver::new(suite, &KEY, mki));
            let (mut bare, with) = (protected(&mut Sender::new(suite, &KEY, None), 1), protected(&mut sender, 1));
            let (body, tag) = bare.split_at(bare.len() - 10);
            let mut expected = vec![0; usize::from(bytes).saturating_sub(8)];
            expected.extend_from_slice(&u64::to_be_bytes(value)[8 - usize::from(bytes.min(8))..]);
            assert_eq!(with, [body, &expected, tag].concat(), "{value}:{bytes}");
            assert_eq!(receiver.open(&mut with.clone()), Some(&packet(1)[..]));
            assert_eq!(receiver.open(&mut bare), None, "without it");
            let mut other = protected(&mut sender, 2);
            let at = other.len() - 11;
            other[at] ^= 1;
            assert_eq!(receiver.open(&mut other), None, "of another key");
            other[at] ^= 1;
            assert!(receiver.open(&mut other).is_some());
            let report: Vec<u8> = [0x80, 201, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4].into();
            let mut sent = report.clone();
            sender.protect_rtcp(&mut sent, 0);
            assert_eq!(sent.len(), report.len() + 4 + usize::from(bytes) + 10);
            assert_eq!(receiver.open_rtcp(&mut sent), Some(&report[..]));
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
            for mki in [None, Some(SrtpMki { value: 1, bytes: 4 }), Some(SrtpMki { value: 0, bytes: 128 })] {
                let mut receiver = Receiver::new(SUITES[0], &KEY, mki);
                prop_assert!(receiver.open(&mut datagram.clone()).is_none());
                prop_assert!(receiver.open_rtcp(&mut datagram.clone()).is_none());
            }
        }
    }
}
