//! A room system's pictures on a media worker: by a port of their own, wherever its call has moved to.
#![expect(clippy::unwrap_used, reason = "a world that can't be made fails its test")]

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{AudioCodec, RtpPacket, Ssrc, TrackKind, VideoCodec};
use model::{MeetingId, ParticipantId};
use plane::{KeyframeBy, LegFact, LegSettings, LineCare, MeetingFact, PictureSettings, Plane, PlaneConfig, Sends};
use streaming::{RoomPicture, RoomRates};
use tokio::{
    sync::{Notify, mpsc},
    time::{interval, timeout},
};

/// An address no other test or program binds.
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 84, 0, 2));

const ROOM: ParticipantId = ParticipantId::from_u128(1);

const PATIENCE: Duration = Duration::from_secs(20);

/// A key frame's parameters, as encoders send them before it.
const PARAMETERS: [u8; 10] = [0x67, 0x42, 0xe0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe8, 0x40];

fn settings(from: &UdpSocket, keyframe_by: KeyframeBy) -> PictureSettings {
    PictureSettings {
        codec: VideoCodec::H264,
        payload_type: 97,
        remote: from.local_addr().unwrap(),
        signalling: HERE,
        srtp: None,
        rtcp_mux: true,
        rtcp: None,
        keyframe_by,
        bits_per_second: 2_000_000,
        taken: true,
        sends: None,
    }
}

/// Sends pictures until the meeting is told that they come, or no longer.
async fn until_published(from: &UdpSocket, to: SocketAddr, facts: &mut mpsc::Receiver<MeetingFact>, seq: &mut u16) {
    let mut every = interval(Duration::from_millis(20));
    let come = async {
        loop {
            tokio::select! {
                fact = facts.recv() => {
                    if let MeetingFact::Published { participant: ROOM, kind: TrackKind::Camera, active: true } = fact.unwrap() {
                        return;
                    }
                }
                _ = every.tick() => send(from, to, seq),
            }
        }
    };
    timeout(PATIENCE, come).await.expect("its picture is there");
}

fn send(from: &UdpSocket, to: SocketAddr, seq: &mut u16) {
    let packet = RtpPacket {
        payload_type: 97,
        marker: true,
        seq: *seq,
        timestamp: u32::from(*seq) * 3_000,
        ssrc: Ssrc(5),
        payload: &PARAMETERS,
    };
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    from.send_to(&bytes, to).unwrap();
    *seq = seq.wrapping_add(1);
}

fn start(rtp_ports: RangeInclusive<u16>) -> Plane {
    Plane::start(PlaneConfig {
        workers: 2,
        rtp_ports,
        rtp_bind: HERE,
        rtp_announced: vec![HERE],
        care: LineCare::default(),
        loudest: plane::LOUDEST,
        webrtc_bind: SocketAddr::new(HERE, 0),
        webrtc_announced: vec![HERE],
    })
    .unwrap()
}

async fn until_gone(facts: &mut mpsc::Receiver<MeetingFact>) {
    let gone = async {
        while !matches!(
            facts.recv().await.unwrap(),
            MeetingFact::Published { participant: ROOM, kind: TrackKind::Camera, active: false }
        ) {}
    };
    timeout(PATIENCE, gone).await.expect("its picture is gone");
}

// product: R1, R3
#[tokio::test]
async fn a_room_system_s_pictures_come_by_a_port_of_their_own_and_follow_its_call() {
    let plane = start(20_000..=20_011);
    let (leg, mut told) = plane.open_leg(HERE).await.unwrap();
    // The meeting is on the other worker.
    let (other, _other_facts) = plane.open_meeting(MeetingId::from_u128(2)).await.unwrap();
    other.begin_bringing(ParticipantId::from_u128(9), Arc::new(Notify::new())).await.unwrap();
    let (meeting, mut facts) = plane.open_meeting(MeetingId::from_u128(1)).await.unwrap();
    let room = UdpSocket::bind((HERE, 0)).unwrap();
    leg.start(LegSettings::new(AudioCodec::Pcma, 8, SocketAddr::new(HERE, 9))).await.unwrap();
    let local = leg.open_pictures().await.unwrap();
    assert_eq!(leg.open_pictures().await.unwrap(), local, "one port a call");
    assert!(local != leg.local() && local.port() % 2 == 0);
    assert!(plane.listens_at(local), "nobody else may be told to send there");
    leg.set_pictures(Some(settings(&room, KeyframeBy::Signalling))).await.unwrap();
    // What comes while he is in no meeting is nobody's.
    let mut seq = 1;
    (0..5).for_each(|_| send(&room, local, &mut seq));
    meeting.seat_leg(ROOM, leg.id()).await.unwrap();
    until_published(&room, local, &mut facts, &mut seq).await;

    // He holds, or drops them, or they are not shown: they end; and come again.
    let held = PictureSettings { taken: false, ..settings(&room, KeyframeBy::Pli) };
    for stop in [Some(held), None] {
        leg.set_pictures(stop).await.unwrap();
        until_gone(&mut facts).await;
        leg.set_pictures(Some(settings(&room, KeyframeBy::Pli))).await.unwrap();
        until_published(&room, local, &mut facts, &mut seq).await;
    }
    meeting.set_pictures(ROOM, false, true);
    until_gone(&mut facts).await;
    meeting.set_pictures(ROOM, true, true);
    until_published(&room, local, &mut facts, &mut seq).await;

    // Garbage on either port harms nobody.
    for port in [local, SocketAddr::new(local.ip(), local.port() + 1)] {
        for length in 0..200_usize {
            let bytes: Vec<u8> = (0..length).map(|n| (n * 37 + length) as u8 | 0x80).collect();
            room.send_to(&bytes, port).unwrap();
        }
    }
    // His call ends, and so do they, at once; the port rests and is nobody's.
    drop(leg);
    until_gone(&mut facts).await;
    assert!(!plane.listens_at(local));
    assert!(std::iter::from_fn(|| told.try_recv().ok()).all(|fact| fact != LegFact::NoMedia));
}

async fn until_seen(facts: &mut mpsc::Receiver<MeetingFact>, large: u32, small: u32, who: Option<ParticipantId>) {
    let told = async {
        let expected = RoomRates { large_kbit: large, small_kbit: small };
        while !matches!(
            facts.recv().await.unwrap(),
            MeetingFact::RoomsSee { rates, alone } if (rates, alone) == (expected, who)
        ) {}
    };
    timeout(PATIENCE, told).await.expect("it is told");
}

// product: R1, RFC 6184
#[tokio::test]
async fn room_systems_are_sent_what_is_made_for_their_size_from_a_key_frame_on() {
    let plane = start(20_020..=20_039);
    let (meeting, mut facts) = plane.open_meeting(MeetingId::from_u128(1)).await.unwrap();
    let mut rooms = Vec::new();
    for (number, is_large, kbit) in [(1, true, 2_000), (2, false, 500), (3, true, 1_500)] {
        let (leg, _told) = plane.open_leg(HERE).await.unwrap();
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        leg.start(LegSettings::new(AudioCodec::Pcma, 8, SocketAddr::new(HERE, 9))).await.unwrap();
        leg.open_pictures().await.unwrap();
        let sends = Some(Sends { is_large, bits_per_second: kbit * 1_000, single_units: false });
        leg.set_pictures(Some(PictureSettings { sends, ..settings(&socket, KeyframeBy::Pli) })).await.unwrap();
        meeting.seat_leg(ParticipantId::from_u128(number), leg.id()).await.unwrap();
        rooms.push((leg, socket));
        match number {
            1 => until_seen(&mut facts, 2_000, 0, Some(ROOM)).await,
            2 => until_seen(&mut facts, 2_000, 500, None).await,
            _ => until_seen(&mut facts, 1_500, 500, None).await,
        }
    }
    let picture = |is_large, keyframe, units: &[&'static [u8]]| RoomPicture {
        is_large,
        keyframe,
        composed: Instant::now(),
        units: units.iter().map(|unit| (*unit).into()).collect(),
    };
    meeting.send_composed(picture(true, false, &[&[0x41, 9]])).await.unwrap();
    meeting.send_composed(picture(true, true, &[&[0x67, 1], &[0x65; 2_000]])).await.unwrap();
    meeting.send_composed(picture(false, true, &[&[0x65, 7]])).await.unwrap();
    let heard = |socket: &UdpSocket| {
        let mut bytes = [0; 2_048];
        let length = socket.recv(&mut bytes).unwrap();
        let packet = RtpPacket::parse(&bytes[..length]).unwrap();
        (packet.payload[0], packet.payload.len(), packet.marker)
    };
    for (_, socket) in [&rooms[0], &rooms[2]] {
        let packets = [heard(socket), heard(socket), heard(socket)];
        assert_eq!(packets, [(0x67, 2, false), (0x7c, 1_200, false), (0x7c, 803, true)], "from the key frame on");
    }
    assert_eq!(heard(&rooms[1].1), (0x65, 2, true));
    // Who is in a breakout room sees nothing of the main one; nor does who holds, or has hung up.
    meeting.set_part(ROOM, 1);
    let on_hold = settings(&rooms[1].1, KeyframeBy::Pli);
    rooms[1].0.set_pictures(Some(on_hold)).await.unwrap();
    until_seen(&mut facts, 1_500, 0, Some(ParticipantId::from_u128(3))).await;
    rooms.pop();
    until_seen(&mut facts, 0, 0, None).await;
    meeting.set_part(ROOM, 0);
    until_seen(&mut facts, 2_000, 0, Some(ROOM)).await;
}
