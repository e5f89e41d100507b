//! What a telephone is sent while nobody speaks, where it knows comfort noise (RFC 3389).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use leg::{Leg, LegConfig};
use media::{AudioCodec, Clip, RtpPacket, Ssrc};
use mixer::{Mixer, PlayId, SeatConfig};

const COMFORT_NOISE: u8 = 13;

/// Speech for a second, then silence; packets of each payload type in each second, and the bytes of the last noise.
fn sent(codec: AudioCodec, comfort_noise: Option<u8>) -> (Vec<[usize; 2]>, Vec<u8>) {
    let remote = SocketAddr::from(([192, 0, 2, 1], 4000));
    let config = LegConfig { telephone_event: Some(101), comfort_noise, ..LegConfig::new(codec, 9, remote) };
    let start = Instant::now();
    let mut leg = Leg::new(config, Ssrc(1), start);
    // Who has been heard is sent whatever there is.
    let mut heard = Vec::new();
    RtpPacket { payload_type: 9, marker: false, seq: 1, timestamp: 0, ssrc: Ssrc(2), payload: &[0xff; 160] }
        .write(&mut heard);
    leg.handle_rtp(remote, &mut heard, start);
    let mut mixer = Mixer::new();
    let seat = mixer.add(SeatConfig { input: None, output: Some(codec), voice: false, apart: true }).expect("a seat");
    mixer.play(seat, PlayId(1), Clip::new(mixer::tones::sine(300.0, 0.3, 48_000, 48_000)), false);
    let (mut seconds, mut noise, mut before) = (vec![[0; 2]; 4], Vec::new(), None);
    for tick in 0..200u32 {
        leg.pull(start + Duration::from_millis(20) * tick);
        let mut out = Vec::new();
        let went = leg.send(mixer.tick().outputs().next().expect("an output every tick").1, &mut out);
        if went.is_none() {
            continue;
        }
        let packet = RtpPacket::parse(&out).expect("a packet");
        let is_noise = packet.payload_type == COMFORT_NOISE;
        seconds[tick as usize / 50][usize::from(is_noise)] += 1;
        if is_noise {
            noise = packet.payload.to_vec();
        }
        // Numbers run on; time does so too while nothing is sent.
        if let Some((seq, timestamp, at)) = before {
            assert_eq!(packet.seq, u16::wrapping_add(seq, 1));
            assert_eq!(packet.timestamp, u32::wrapping_add(timestamp, (tick - at) * codec.ticks_per_frame()));
        }
        before = Some((packet.seq, packet.timestamp, tick));
    }
    (seconds, noise)
}

// product: P10; RFC 3389
#[test]
fn silence_is_said_and_not_sent_to_who_knows_comfort_noise() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722] {
        let (seconds, noise) = sent(codec, Some(COMFORT_NOISE));
        assert_eq!(seconds[0], [50, 0], "{codec}: speech");
        assert!(seconds[1][0] <= 15, "{codec}: {seconds:?}");
        for second in &seconds[2..] {
            assert_eq!(*second, [0, 5], "{codec}: {seconds:?}");
        }
        assert!(matches!(noise[..], [60..=80]), "{codec}: {noise:?}");
    }
}

#[test]
fn silence_is_sent_to_who_does_not() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus] {
        assert_eq!(sent(codec, None).0, vec![[50, 0]; 4], "{codec}");
    }
}
