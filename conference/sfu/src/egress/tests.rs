use media::{AudioCodec, Codec, VideoCodec};
use str0m::crypto::dtls::SrtpProfile;

use super::{header::Extensions, *};
use crate::{
    red,
    srtp::{Keys, Opener},
};

const VOICE: Codec = Codec::Audio(AudioCodec::Opus);
const PICTURE: Codec = Codec::Video(VideoCodec::Vp8);
const PICTURE_SSRC: u32 = 2;
const RESENT_SSRC: u32 = 3;
const BYTES: usize = 1_100;

/// One to whom a voice and a picture are sent, and who has reported nothing yet.
fn egress(now: Instant) -> Egress {
    egress_with(Some(97), now)
}

/// The same, whose pictures' retransmissions have this payload type.
fn egress_with(resent: Option<u8>, now: Instant) -> Egress {
    let keys = Keys { profile: SrtpProfile::AEAD_AES_128_GCM, material: vec![7; 56], is_client: true };
    let srtp = Srtp::new(&str0m::crypto::from_feature_flags(), &keys).unwrap();
    let stream = |ssrc: u32, codec, clock_rate| StreamConfig {
        mid: ssrc.to_string(),
        is_audio: codec == VOICE,
        ssrc,
        payload_types: vec![PayloadType {
            codec,
            number: 96,
            resent: resent.filter(|_| codec == PICTURE),
            red: Some(63).filter(|_| codec == VOICE),
        }],
        resent_ssrc: resent.map(|_| RESENT_SSRC).filter(|_| codec == PICTURE),
        clock_rate,
        extensions: Extensions { transport: Some(1), ..Extensions::default() },
    };
    let at = SocketAddr::from(([10, 0, 0, 1], 1));
    let streams = vec![stream(1, VOICE, 48_000), stream(PICTURE_SSRC, PICTURE, 90_000)];
    Egress::new(srtp, (at, at.into()), "us".to_owned(), streams, now)
}

fn packet(codec: Codec, seq: u64, bytes: usize) -> Outgoing {
    let forwarded = Forwarded { seq, timestamp: 0, ids: None };
    let payload = vec![0; bytes].into();
    let media = MediaPacket { codec, seq, timestamp: 0, marker: false, level: None, payload };
    Outgoing { media: media.into(), forwarded, begins_keyframe: false }
}

/// Payloads of voices that have left, as what payload type.
fn voices(out: &mut Outbox, opener: &mut Opener) -> Vec<(u8, Vec<u8>)> {
    const HEADER: usize = 20;
    let datagrams = out
        .transmits
        .drain(..)
        .flat_map(|transmit| transmit.bytes.chunks(transmit.segment).map(<[u8]>::to_vec).collect::<Vec<_>>());
    let media = datagrams.filter(|datagram| !(192..=223).contains(&datagram[1]));
    let open = |datagram: Vec<u8>| {
        let (seq, mut payload) = (u16::from_be_bytes([datagram[2], datagram[3]]), Vec::new());
        assert!(opener.open(1, seq.into(), HEADER, &datagram, &mut payload));
        (datagram[1] & 0x7f, payload)
    };
    media.map(open).collect()
}

/// What he reports of the voice: the highest number that has come, and how many have not.
fn report(highest: u32, lost: u32) -> Vec<u8> {
    let mut report = vec![0x81, 201, 0, 7];
    for word in [9, 1, lost, highest, 0, 0, 0] {
        report.extend(word.to_be_bytes());
    }
    report
}

// RFC 2198
#[test]
fn a_voice_comes_twice_while_some_of_it_is_lost_and_not_for_long_after() {
    let start = Instant::now();
    let (mut egress, mut out) = (egress(start), Outbox::default());
    let provider = str0m::crypto::from_feature_flags();
    let keys = Keys { profile: SrtpProfile::AEAD_AES_128_GCM, material: vec![7; 56], is_client: false };
    let (mut opener, mut his) = (Opener::new(&provider, &keys).unwrap(), Srtp::new(&provider, &keys).unwrap());
    let (mut next, mut clock) = (0, 0);
    // Packets of which each says its number and its time; whether each was there with the one before.
    let mut speak = |egress: &mut Egress, at: Duration, bytes: usize, skipped: u32| {
        next += 1;
        clock += 960 + skipped;
        let mut voice = packet(VOICE, next, bytes);
        voice.media = MediaPacket { payload: vec![next as u8; bytes].into(), ..*voice.media }.into();
        voice.forwarded.timestamp = clock;
        egress.send(0, voice, start + at, &mut out);
        let [(payload_type, payload)] = &voices(&mut out, &mut opener)[..] else { panic!("one packet for each") };
        if *payload_type == 96 {
            assert_eq!(*payload, vec![next as u8; bytes]);
            return false;
        }
        let blocks = red::blocks(payload).unwrap();
        let told: Vec<_> = blocks.iter().map(|block| (block.payload_type, block.offset, block.payload[0])).collect();
        assert_eq!((*payload_type, told), (63, vec![(96, 960 + skipped, next as u8 - 1), (96, 0, next as u8)]));
        true
    };
    let mut hear = |egress: &mut Egress, at: Duration, highest, lost| {
        let report = his.protect_report(&report(highest, lost)).unwrap();
        assert!(egress.reported(&report, start + at, &mut Outbox::default(), |_| {}));
    };
    let seconds = Duration::from_secs;
    hear(&mut egress, seconds(0), 0, 0);
    assert!(!speak(&mut egress, seconds(1), 80, 0));
    hear(&mut egress, seconds(1), 100, 2);
    assert!(!speak(&mut egress, seconds(1), 80, 0), "one in fifty is left to the decoder");
    hear(&mut egress, seconds(2), 200, 7);
    assert!(speak(&mut egress, seconds(2), 80, 0));
    assert!(!speak(&mut egress, seconds(3), 80, 1 << 14), "the one before is from too long ago to be said");
    assert!(speak(&mut egress, seconds(4), 1_100, 0));
    assert!(!speak(&mut egress, seconds(4), 80, 0), "the one before is too large");
    hear(&mut egress, seconds(5), 300, 7);
    // Loss that has nothing to do with how much is sent comes of no queue.
    (0..60).for_each(|n| egress.estimator.as_mut().unwrap().lose(start + seconds(n)));
    assert!(egress.rate() < DOUBLED_BPS, "{}", egress.rate());
    assert!(speak(&mut egress, seconds(11), 80, 0));
    assert!(!speak(&mut egress, seconds(12), 80, 0));
}

/// He asks for these packets of the picture again (RFC 4585 §6.2.1).
fn missing(seqs: std::ops::Range<u16>) -> Vec<u8> {
    let words: Vec<u32> = seqs.map(|seq| u32::from(seq) << 16).collect();
    let mut report = vec![0x81, 205, 0, words.len() as u8 + 2];
    for word in [9, PICTURE_SSRC].into_iter().chain(words) {
        report.extend(word.to_be_bytes());
    }
    report
}

/// Which of the first packets of the transport have come (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
fn arrived(came: &[bool]) -> Vec<u8> {
    let sizes = came.iter().enumerate().fold(0_u16, |all, (at, came)| all | u16::from(*came) << (13 - at));
    let times = came.iter().filter(|came| **came).count();
    let mut report = vec![0x8f, 205, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0, came.len() as u8, 0, 0, 1, 0];
    report.extend((1 << 15 | sizes).to_be_bytes());
    report.extend(std::iter::repeat_n(4, times));
    report.resize(report.len().next_multiple_of(4), 0);
    report[3] = (report.len() / 4 - 1) as u8;
    report
}

// RFC 4588
#[test]
fn a_lost_key_frame_comes_again_whole_and_what_is_before_it_not_where_the_line_was_full() {
    let start = Instant::now();
    let (mut egress, mut out) = (egress(start), Outbox::default());
    let keys = Keys { profile: SrtpProfile::AEAD_AES_128_GCM, material: vec![7; 56], is_client: false };
    let mut his = Srtp::new(&str0m::crypto::from_feature_flags(), &keys).unwrap();
    // A picture, and one that needs no other, of twenty packets.
    for seq in 100..130_u64 {
        let mut packet = packet(PICTURE, seq, BYTES);
        packet.forwarded.timestamp = u32::from(seq >= 110) * 3_000;
        packet.begins_keyframe = seq == 110;
        egress.send(1, packet, start, &mut out);
    }
    let mut resent = |egress: &mut Egress, ms: u64, seqs| {
        let (now, asked) = (start + Duration::from_millis(ms), his.protect_report(&missing(seqs)).unwrap());
        assert!(egress.reported(&asked, now, &mut out, |_| {}));
        // They leave at the pace of the line.
        (0..100).for_each(|later| egress.wake(now + Duration::from_millis(later), &mut out));
        let datagrams = out.transmits.drain(..).flat_map(|transmit| {
            transmit.bytes.chunks(transmit.segment).map(|datagram| datagram[..12].to_vec()).collect::<Vec<_>>()
        });
        datagrams.filter(|head| head[8..12] == RESENT_SSRC.to_be_bytes()).count()
    };
    resent(&mut egress, 300, 0..0);
    assert_eq!(resent(&mut egress, 301, 108..110), 2, "there is room for what may be seen before it");
    assert_eq!(resent(&mut egress, 400, 110..130), 20, "more than a part of all, since nothing goes on without it");
    assert_eq!(resent(&mut egress, 440, 110..130), 0, "it is on its way");
    assert!(resent(&mut egress, 700, 110..130) < 20, "again, as far as there is room for it");
    let refused = egress.passed(start).refused;
    assert!(refused > 0);
    egress.estimator.as_mut().unwrap().fill(1_000_000.0);
    assert_eq!(resent(&mut egress, 800, 100..108), 0, "the next needs none of it");
    assert_eq!(egress.passed(start).refused, refused, "and nobody misses it");
}

/// Datagrams that have left, without reports.
fn media(out: &mut Outbox) -> Vec<Vec<u8>> {
    let datagrams = out
        .transmits
        .drain(..)
        .flat_map(|transmit| transmit.bytes.chunks(transmit.segment).map(<[u8]>::to_vec).collect::<Vec<_>>());
    datagrams.filter(|datagram| !(192..=223).contains(&datagram[1])).collect()
}

// RFC 7714 §11.1
#[test]
fn who_knows_no_retransmissions_gets_what_he_lost_as_it_was() {
    let start = Instant::now();
    let (mut egress, mut out) = (egress_with(None, start), Outbox::default());
    let keys = Keys { profile: SrtpProfile::AEAD_AES_128_GCM, material: vec![7; 56], is_client: false };
    let mut his = Srtp::new(&str0m::crypto::from_feature_flags(), &keys).unwrap();
    for seq in 100..140 {
        egress.send(1, packet(PICTURE, seq, 500), start, &mut out);
    }
    (0..50).for_each(|later| egress.wake(start + Duration::from_millis(later), &mut out));
    let sent = media(&mut out);
    assert_eq!(sent.len(), 40);
    let mut hear = |egress: &mut Egress, ms: u64, report: &[u8]| {
        let (now, asked) = (start + Duration::from_millis(ms), his.protect_report(report).unwrap());
        assert!(egress.reported(&asked, now, &mut out, |_| {}));
        (0..100).for_each(|later| egress.wake(now + Duration::from_millis(later), &mut out));
        media(&mut out)
    };
    // Of the first four he has two.
    assert!(hear(&mut egress, 60, &arrived(&[true, false, false, true])).is_empty());
    assert_eq!(egress.passed(start).missed, 2);
    assert!(hear(&mut egress, 200, &missing(101..103)) == sent[1..3], "byte for byte");
    assert!(hear(&mut egress, 240, &missing(101..103)).is_empty(), "they are under way");
    assert!(hear(&mut egress, 400, &missing(101..102)) == sent[1..2], "and lost again");
    hear(&mut egress, 900, &arrived(&[true, true, true, true]));
    assert_eq!((egress.passed(start).arrived, egress.passed(start).missed), (2, 2), "the line has lost them");
    assert!(hear(&mut egress, 950, &missing(200..202)).is_empty(), "never sent");
}

/// How many packets of which stream have left.
fn left(out: &mut Outbox) -> (usize, usize) {
    let media = media(out);
    let pictures = media.iter().filter(|head| head[8..12] == PICTURE_SSRC.to_be_bytes()).count();
    (media.len() - pictures, pictures)
}

#[test]
fn a_large_picture_leaves_at_the_pace_of_the_line_and_voices_do_not_wait_for_it() {
    let start = Instant::now();
    let (mut egress, mut out) = (egress(start), Outbox::default());
    // Half a second of what the line is taken to carry.
    const PACKETS: usize = 60;
    (0..PACKETS as u64).for_each(|seq| egress.send(1, packet(PICTURE, seq, BYTES), start, &mut out));
    let mut pictures = vec![left(&mut out).1];
    for ms in 1..=400_u64 {
        let now = start + Duration::from_millis(ms);
        if ms.is_multiple_of(20) {
            egress.send(0, packet(VOICE, ms / 20, 90), now, &mut out);
            assert_eq!(left(&mut out), (1, 0), "a voice leaves at once");
        }
        if egress.timeout() <= now {
            egress.wake(now, &mut out);
        }
        pictures.push(left(&mut out).1);
    }
    let bits = |packets: &[usize]| packets.iter().sum::<usize>() as f64 * BYTES as f64 * 8.0;
    let pace = PACE * ESTIMATE_AT_FIRST;
    let one = BYTES as f64 * 8.0;
    assert!(bits(&pictures[..1]) <= BURST_S * pace + one, "at once: {pictures:?}");
    for (from, some) in pictures.windows(50).enumerate() {
        assert!(bits(some) <= (BURST_S + 0.05) * pace + one, "from {from} ms: {some:?}");
    }
    assert_eq!(pictures.iter().sum::<usize>(), PACKETS, "all leave: {pictures:?}");
    let took = pictures.iter().rposition(|packets| *packets > 0).unwrap();
    assert!((120..=300).contains(&took), "{took} ms");
}
