use media::{AudioCodec, VideoCodec};
use str0m::crypto::dtls::SrtpProfile;

use super::{header::Extensions, *};
use crate::srtp::Keys;

const VOICE: Codec = Codec::Audio(AudioCodec::Opus);
const PICTURE: Codec = Codec::Video(VideoCodec::Vp8);
const PICTURE_SSRC: u32 = 2;
const BYTES: usize = 1_100;

/// One to whom a voice and a picture are sent, and who has reported nothing yet.
fn egress(now: Instant) -> Egress {
    let keys = Keys { profile: SrtpProfile::AEAD_AES_128_GCM, material: vec![7; 56], is_client: true };
    let srtp = Srtp::new(&str0m::crypto::from_feature_flags(), &keys).unwrap();
    let stream = |ssrc: u32, codec, clock_rate| StreamConfig {
        mid: ssrc.to_string(),
        is_audio: codec == VOICE,
        ssrc,
        payload_types: vec![PayloadType { codec, number: 96, resent: None }],
        resent_ssrc: None,
        clock_rate,
        extensions: Extensions { transport: Some(1), ..Extensions::default() },
    };
    let at = SocketAddr::from(([10, 0, 0, 1], 1));
    let streams = vec![stream(1, VOICE, 48_000), stream(PICTURE_SSRC, PICTURE, 90_000)];
    Egress::new(srtp, (at, at.into()), "us".to_owned(), streams, now)
}

fn packet(codec: Codec, seq: u64, bytes: usize) -> Outgoing {
    let forwarded = Forwarded { seq, timestamp: 0, ids: None };
    Outgoing { codec, forwarded, marker: false, level: None, payload: vec![0; bytes].into() }
}

/// How many packets of which stream have left.
fn left(out: &mut Outbox) -> (usize, usize) {
    let datagrams = out.transmits.drain(..).flat_map(|transmit| {
        transmit.bytes.chunks(transmit.segment).map(|datagram| datagram[..12].to_vec()).collect::<Vec<_>>()
    });
    // Reports are no packets.
    let media: Vec<_> = datagrams.filter(|head| !(192..=223).contains(&head[1])).collect();
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
