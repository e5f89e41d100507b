//! Two thousand telephones in one meeting, and its end.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use media::AudioCodec;
use model::{MeetingId, ParticipantId};
use plane::{LegFact, LegSettings, LineCare, Plane, PlaneConfig, PlaneError};

const CALLERS: u128 = 2_000;

/// An address no other test or program binds.
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 84, 0, 1));

/// The end is one pass over all legs; what takes longer is a pass for each.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

// trap: all hang up. The meeting's end, then every call's, all at once: nothing is lost, no port, no worker.
#[tokio::test]
async fn two_thousand_calls_end_at_once_and_their_ports_are_free() {
    let config = PlaneConfig {
        workers: 2,
        rtp_ports: 20_000..=24_001,
        rtp_bind: HERE,
        rtp_announced: vec![HERE],
        care: LineCare::default(),
        loudest: plane::LOUDEST,
        webrtc_bind: SocketAddr::new(HERE, 0),
        webrtc_announced: vec![HERE],
    };
    let plane = Plane::start(config).unwrap();
    let (meeting, _facts) = plane.open_meeting(MeetingId::from_u128(1)).await.unwrap();
    let mut legs = Vec::new();
    for n in 0..CALLERS {
        let (leg, facts) = plane.open_leg(HERE).await.unwrap();
        let settings = LegSettings {
            telephone_event: Some(101),
            ..LegSettings::new(AudioCodec::Pcma, 8, SocketAddr::new(HERE, 9))
        };
        leg.start(settings).await.unwrap();
        meeting.seat_leg(ParticipantId::from_u128(n), leg.id()).await.unwrap();
        legs.push((leg, facts));
    }
    let begun = Instant::now();
    for n in 0..CALLERS {
        meeting.remove(ParticipantId::from_u128(n));
    }
    meeting.close();
    // Who is out of the meeting is still on the line, for his last words.
    let words = media::Clip::new(vec![0.1; 48]);
    let (last, last_facts) = legs.last_mut().unwrap();
    let playing = last.play(words, false).await.unwrap();
    loop {
        match last_facts.recv().await.unwrap() {
            LegFact::PlayDone(id) if id == playing => break,
            _ => {}
        }
    }
    drop(legs);
    // A new call is taken when all of them are gone: there is a port for one more, and for no two.
    let free = async {
        loop {
            match plane.open_leg(HERE).await {
                Ok(leg) => return leg,
                Err(PlaneError::NoPort { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let mut again = vec![tokio::time::timeout(ENDS_WITHIN, free).await.unwrap()];
    while (again.len() as u128) < CALLERS {
        match plane.open_leg(HERE).await {
            Ok(leg) => again.push(leg),
            Err(PlaneError::NoPort { .. }) if begun.elapsed() < ENDS_WITHIN * 2 => tokio::task::yield_now().await,
            Err(error) => panic!("after {} of {CALLERS}: {error}", again.len()),
        }
    }
    assert!(plane.open_meeting(MeetingId::from_u128(2)).await.is_ok());
}
