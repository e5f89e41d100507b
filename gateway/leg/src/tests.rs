use proptest::prelude::*;

use super::*;

const TICK: Duration = Duration::from_millis(20);

fn config() -> LegConfig {
    LegConfig { telephone_event: Some(101), ..LegConfig::new(AudioCodec::Pcma, 8, "192.0.2.1:4000".parse().unwrap()) }
}

fn packet(payload_type: u8, seq: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    RtpPacket { payload_type, marker: false, seq, timestamp, ssrc: Ssrc(9), payload }.write(&mut bytes);
    bytes
}

fn events(leg: &mut Leg) -> Vec<LegEvent> {
    std::iter::from_fn(|| leg.poll_event()).collect()
}

#[test]
fn packets_of_other_lengths_are_cut_into_ticks() {
    let start = Instant::now();
    let mut leg = Leg::new(config(), Ssrc(1), start);
    let mut pulled = Vec::new();
    for n in 0..20u16 {
        let now = start + TICK * 3 * u32::from(n);
        let payload: Vec<u8> = [3 * n, 3 * n + 1, 3 * n + 2].iter().flat_map(|k| [*k as u8; 160]).collect();
        leg.handle_rtp(config().remote, &mut packet(8, n, u32::from(n) * 480, &payload), now);
        for tick in 0..3 {
            if let Pulled::Packet(payload, _) = leg.pull(now + TICK * tick) {
                assert_eq!(payload.len(), 160);
                pulled.push(payload[0]);
            }
        }
    }
    assert!(pulled.len() > 50, "{pulled:?}");
    assert!(pulled.windows(2).all(|pair| pair[1] == pair[0] + 1), "{pulled:?}");
}

#[test]
fn a_dead_leg_is_told_once_and_when_it_is_back() {
    let start = Instant::now();
    let mut leg = Leg::new(config(), Ssrc(1), start);
    leg.handle_rtp(config().remote, &mut packet(8, 1, 0, &[0; 160]), start);
    assert_eq!(events(&mut leg), [LegEvent::FirstPacket]);
    leg.pull(start + Duration::from_millis(5_999));
    assert_eq!(events(&mut leg), []);
    leg.pull(start + Duration::from_secs(6));
    leg.pull(start + Duration::from_millis(59_999));
    assert_eq!(events(&mut leg), [LegEvent::Stalled]);
    leg.pull(start + Duration::from_secs(60));
    leg.pull(start + Duration::from_secs(90));
    assert_eq!(events(&mut leg), [LegEvent::NoMedia]);
    leg.handle_rtp(config().remote, &mut packet(8, 2, 160, &[0; 160]), start + Duration::from_secs(91));
    assert_eq!(events(&mut leg), [LegEvent::MediaBack]);
    leg.pull(start + Duration::from_secs(98));
    leg.handle_rtp(config().remote, &mut packet(8, 3, 320, &[0; 160]), start + Duration::from_secs(99));
    assert_eq!(events(&mut leg), [LegEvent::Stalled, LegEvent::MediaBack]);
}

// product: P10; RFC 3389 §4
#[test]
fn who_says_that_he_is_silent_need_not_say_it_again() {
    let start = Instant::now();
    let mut leg = Leg::new(LegConfig { comfort_noise: Some(13), ..config() }, Ssrc(1), start);
    for (n, payload_type) in [8, 13].into_iter().enumerate() {
        let payload = if payload_type == 8 { vec![0; 160] } else { vec![60] };
        let now = start + TICK * n as u32;
        leg.handle_rtp(config().remote, &mut packet(payload_type, n as u16, 160 * n as u32, &payload), now);
    }
    assert_eq!(events(&mut leg), [LegEvent::FirstPacket]);
    for seconds in 1..600 {
        leg.pull(start + Duration::from_secs(seconds));
    }
    assert_eq!(events(&mut leg), []);
    // He speaks, and then his line is cut.
    let back = start + Duration::from_secs(600);
    leg.handle_rtp(config().remote, &mut packet(8, 2, 4_800_000, &[0; 160]), back);
    for seconds in 0..70 {
        leg.pull(back + Duration::from_secs(seconds));
    }
    assert_eq!(events(&mut leg), [LegEvent::Stalled, LegEvent::NoMedia]);
}

// product: P6; RFC 3264 §6.1
#[test]
fn who_has_agreed_to_several_codecs_is_heard_by_each_and_his_keys_count_by_either_number() {
    let start = Instant::now();
    let mu_law = LegCodec { codec: AudioCodec::Pcmu, payload_type: 0, comfort_noise: None };
    let config = LegConfig { second_event: Some(97), others: vec![mu_law], ..config() };
    let mut leg = Leg::new(config.clone(), Ssrc(1), start);
    let mut seq = 0;
    let mut hear = |leg: &mut Leg, payload_type: u8, payload: &[u8]| {
        seq += 1;
        // A key's packets have the time it began at.
        let timestamp = if payload_type > 96 { u32::from(payload_type) } else { 160 * u32::from(seq) };
        leg.handle_rtp(config.remote, &mut packet(payload_type, seq, timestamp, payload), start);
    };
    for number in [101, 97].repeat(3) {
        hear(&mut leg, number, &[5, 10, 0, 160]);
    }
    let five = LegEvent::Digit('5');
    assert_eq!(events(&mut leg), [LegEvent::FirstPacket, five, five]);
    for sound in [0, 0, 8, 0, 0] {
        hear(&mut leg, sound, &[0; 160]);
        assert!(leg.wants().is_none(), "one may be late");
    }
    hear(&mut leg, 0, &[0; 160]);
    let wanted = leg.wants().expect("he speaks it");
    assert_eq!((wanted.codec, wanted.payload_type, wanted.others[0].payload_type), (AudioCodec::Pcmu, 0, 8));
    let mut leg = Leg::new(wanted, Ssrc(2), start).following(leg, start);
    hear(&mut leg, 0, &[7; 160]);
    assert!((0..10).any(|tick| matches!(leg.pull(start + TICK * tick), Pulled::Packet([7, ..], _))));
    // A number nobody has agreed to is none.
    hear(&mut leg, 9, &[0; 160]);
    assert_eq!(leg.stats().dropped_nonsense, 1);
}

// product: P7; a telephone behind a NAT, whose call is refreshed
#[test]
fn a_new_description_that_moves_nobody_costs_no_packet_and_no_report() {
    let start = Instant::now();
    let private = LegConfig { remote: "10.0.0.7:4000".parse().unwrap(), ..config() };
    let nat: SocketAddr = "192.0.2.1:9".parse().unwrap();
    let opus = LegConfig { codec: AudioCodec::Opus, payload_type: 96, ..private.clone() };
    for anew in [private.clone(), LegConfig { sends: false, ..private.clone() }, opus] {
        let mut leg = Leg::new(private.clone(), Ssrc(1), start);
        for n in 0..5 {
            leg.handle_rtp(nat, &mut packet(8, n, u32::from(n) * 160, &[0; 160]), start + TICK * u32::from(n));
        }
        let at = |seconds| start + Duration::from_secs(seconds);
        let sends = anew.sends;
        let payload_type = anew.payload_type;
        if anew.codec == leg.codec() {
            leg.reconfigure(anew, at(20));
        } else {
            leg = Leg::new(anew, Ssrc(2), at(20)).following(leg, at(20));
        }
        leg.handle_rtp(nat, &mut packet(payload_type, 5, 800, &[0; 160]), at(20));
        assert_eq!((leg.stats().received, leg.stats().dropped_stranger), (2, 4));
        assert_eq!(leg.send(&[1; 160], &mut Vec::new()), sends.then_some(nat), "{payload_type}");
        // Nothing but reports from there, for longer than anybody is waited for.
        events(&mut leg);
        let mut reports = 0;
        for seconds in 21..200 {
            leg.handle_rtcp(SocketAddr::new(nat.ip(), 10), &mut [0x80, 201, 0, 1, 0, 0, 0, 9], at(seconds));
            leg.pull(at(seconds));
            reports += usize::from(leg.poll_rtcp(at(seconds), &mut Vec::new()).is_some());
        }
        assert_eq!(events(&mut leg), []);
        assert!(reports > 10, "{reports}");
    }
}

// product: P2; a telephone that is muted by its own key, or suppresses silence
#[test]
fn who_sends_reports_alone_is_alive() {
    let start = Instant::now();
    let mut leg = Leg::new(config(), Ssrc(1), start);
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    for seconds in (5..60).step_by(5) {
        let now = start + Duration::from_secs(seconds);
        leg.handle_rtcp("192.0.2.1:4001".parse().unwrap(), &mut report.clone(), now);
        leg.pull(now);
    }
    assert_eq!(events(&mut leg), []);
    // Somebody else's say nothing of him.
    for seconds in [60, 64, 66, 70] {
        let now = start + Duration::from_secs(seconds);
        leg.handle_rtcp("192.0.2.7:4001".parse().unwrap(), &mut report.clone(), now);
        leg.pull(now);
    }
    assert_eq!(events(&mut leg), [LegEvent::NoMedia]);
    leg.handle_rtcp("192.0.2.1:4001".parse().unwrap(), &mut report.clone(), start + Duration::from_secs(71));
    assert_eq!(events(&mut leg), [LegEvent::MediaBack]);
}

// product: J6; a telephone whose battery is empty
#[test]
fn who_reports_is_missed_as_soon_as_two_reports_are() {
    let start = Instant::now();
    for (every, dead_after) in [(2, 12), (5, 13), (20, 50), (40, 60)] {
        let mut leg = Leg::new(config(), Ssrc(1), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        let last = 3 * every;
        for seconds in 0..=last {
            leg.handle_rtp(config().remote, &mut packet(8, seconds as u16, 160, &[0; 160]), at(seconds));
            if seconds > 0 && seconds % every == 0 {
                leg.handle_rtcp("192.0.2.1:4001".parse().unwrap(), &mut [0x80, 201, 0, 1, 0, 0, 0, 9], at(seconds));
            }
            leg.pull(at(seconds));
        }
        assert_eq!(events(&mut leg), [LegEvent::FirstPacket]);
        leg.pull(at(last + dead_after - 1));
        assert_eq!(events(&mut leg), [LegEvent::Stalled], "{every}");
        leg.pull(at(last + dead_after));
        assert_eq!(events(&mut leg), [LegEvent::NoMedia], "{every}");
    }
}

// product: P2
#[test]
fn a_leg_that_is_dead_after_a_hold_is_told_again() {
    let start = Instant::now();
    let mut leg = Leg::new(config(), Ssrc(1), start);
    let at = |seconds| start + Duration::from_secs(seconds);
    leg.pull(at(10));
    assert_eq!(events(&mut leg), [LegEvent::NoMedia], "of the hold");
    leg.reconfigure(config(), at(60));
    leg.pull(at(69));
    assert_eq!(events(&mut leg), []);
    leg.pull(at(70));
    assert_eq!(events(&mut leg), [LegEvent::NoMedia], "and of what follows");
}

#[test]
fn what_is_sent_runs_on() {
    let mut leg = Leg::new(config(), Ssrc(0x1234_5678), Instant::now());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    assert_eq!(leg.send(&[1; 160], &mut first), Some(config().remote));
    leg.skip();
    leg.send(&[2; 160], &mut second);
    let (first, second) = (RtpPacket::parse(&first).unwrap(), RtpPacket::parse(&second).unwrap());
    assert!(first.marker && second.marker);
    assert_eq!(second.seq, first.seq.wrapping_add(1));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(320));
}

// product: P7, RFC 3711
#[test]
fn two_legs_with_each_others_keys_hear_each_other_and_nobody_else_is_heard() {
    let (start, suite) = (Instant::now(), SrtpSuite::AesCm128HmacSha1Tag80);
    let (ours, theirs) = (SrtpKey([1; 30]), SrtpKey([2; 30]));
    let keys = |ours, theirs| Keying::Sdes(SrtpKeys::new(suite, ours, theirs));
    let with = |ours, theirs| LegConfig { srtp: Some(keys(ours, theirs)), ..config() };
    let mut here = Leg::new(with(ours, theirs), Ssrc(1), start);
    let mut there = Leg::new(with(theirs, ours), Ssrc(2), start);
    let mut sent = Vec::new();
    here.send(&[7; 160], &mut sent);
    there.handle_rtp(config().remote, &mut sent, start);
    // A hold and its end with the same keys.
    here.reconfigure(with(ours, theirs), start);
    sent.clear();
    here.send(&[7; 160], &mut sent);
    there.handle_rtp(config().remote, &mut sent, start);
    assert_eq!(there.stats().received, 2);
    there.handle_rtp(config().remote, &mut packet(8, 9, 0, &[7; 160]), start);
    assert_eq!((there.stats().received, there.stats().dropped_forged), (2, 1));
}

proptest! {
    #[test]
    fn anything_may_come(datagrams in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 0..50)) {
        let start = Instant::now();
        let mut leg = Leg::new(config(), Ssrc(1), start);
        for (index, (rtp, mut datagram)) in datagrams.into_iter().enumerate() {
            let now = start + TICK * index as u32;
            if let Some(first) = datagram.first_mut() {
                *first = 0x80 | (*first & 0x3f);
            }
            if rtp {
                leg.handle_rtp(config().remote, &mut datagram.clone(), now);
                leg.handle_rtp(config().remote, &mut packet(8, u16::from_le_bytes([datagram.len() as u8, 7]), 5, &datagram), now);
            } else {
                leg.handle_rtcp(config().remote, &mut datagram, now);
            }
            leg.pull(now);
            while leg.poll_event().is_some() {}
        }
    }
}
