//! The mixer as its seats hear it.

use media::{FRAME_SAMPLES, SAMPLE_RATE};

use super::*;
use crate::{
    codec::Decoder,
    tones::{amplitude, sine},
};

/// A party who sends its own tone and keeps what it hears.
struct Party {
    key: SeatKey,
    hz: f32,
    codec: AudioCodec,
    sent: usize,
    encoder: Encoder,
    decoder: Decoder,
    heard: Vec<f32>,
}

impl Party {
    fn join(mixer: &mut Mixer, codec: AudioCodec, hz: f32) -> Self {
        let config = SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false };
        Self {
            key: mixer.add(config).unwrap(),
            hz,
            codec,
            sent: 0,
            encoder: Encoder::new(codec).unwrap(),
            decoder: Decoder::new(codec).unwrap(),
            heard: Vec::new(),
        }
    }

    fn speak(&mut self, mixer: &mut Mixer) {
        let samples = RateClass::of(self.codec).samples();
        let sound = sine(self.hz, 0.2, self.codec.sample_rate(), self.sent + samples);
        let mut payload = Vec::new();
        self.encoder.encode(&sound[self.sent..], &mut payload);
        self.sent += samples;
        mixer.push(self.key, Incoming::Packet(&payload), None);
    }

    fn hear(&mut self, tick: &Tick) {
        let (_, payload) = tick.outputs().find(|(key, _)| *key == self.key).expect("an output every tick");
        let mut frame = vec![0.0; RateClass::of(self.codec).samples()];
        assert!(self.decoder.decode(payload, &mut frame));
        self.heard.extend(frame);
    }

    /// How loud a tone was in the last 400 ms.
    fn loudness(&self, hz: f32) -> f32 {
        let last = 20 * RateClass::of(self.codec).samples();
        amplitude(&self.heard[self.heard.len() - last..], hz, self.codec.sample_rate())
    }
}

fn run(mixer: &mut Mixer, parties: &mut [Party], speaking: &[usize], ticks: usize) {
    for _ in 0..ticks {
        for index in speaking {
            parties[*index].speak(mixer);
        }
        let tick = mixer.tick();
        for party in parties.iter_mut() {
            party.hear(tick);
        }
    }
}

// product: P6
#[test]
fn everyone_hears_all_but_himself_whatever_the_codec() {
    let mut mixer = Mixer::new();
    let of =
        [(AudioCodec::Pcmu, 440.0), (AudioCodec::Pcma, 620.0), (AudioCodec::G722, 900.0), (AudioCodec::Opus, 1_300.0)];
    let mut parties = of.map(|(codec, hz)| Party::join(&mut mixer, codec, hz));
    run(&mut mixer, &mut parties, &[0, 1, 2, 3], 60);
    for party in &parties {
        for (_, hz) in of {
            let loudness = party.loudness(hz);
            if hz == party.hz {
                assert!(loudness < 0.002, "{} Hz hears itself at {loudness}", party.hz);
            } else {
                assert!((loudness - 0.2).abs() < 0.04, "{} Hz hears {hz} Hz at {loudness}", party.hz);
            }
        }
    }
}

/// A tone of this many dBov.
fn payload_of(encoder: &mut Encoder, hz: f32, dbov: f32, tick: usize) -> Vec<u8> {
    let amplitude = 10.0f32.powf(dbov / 20.0) * std::f32::consts::SQRT_2;
    let turn = |n: usize| std::f32::consts::TAU * hz * (160 * tick + n) as f32 / 8_000.0;
    let sound: [f32; 160] = std::array::from_fn(|n| amplitude * turn(n).sin());
    let mut payload = Vec::new();
    encoder.encode(&sound, &mut payload);
    payload
}

#[test]
fn only_the_loudest_are_mixed() {
    let mut mixer = Mixer::new();
    let tones: Vec<f32> = (0..10).map(|n| 300.0 + 200.0 * n as f32).collect();
    let mut parties: Vec<_> = tones.iter().map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, *hz)).collect();
    let mut listener = Party::join(&mut mixer, AudioCodec::G722, 50.0);
    for tick in 0..100 {
        for (index, party) in parties.iter_mut().enumerate() {
            let payload = payload_of(&mut party.encoder, party.hz, -20.0 - index as f32, tick);
            mixer.push(party.key, Incoming::Packet(&payload), None);
        }
        listener.hear(mixer.tick());
    }
    let heard: Vec<_> = tones.iter().map(|hz| listener.loudness(*hz) > 0.02).collect();
    assert_eq!(heard, (0..10).map(|index| index < LOUDEST).collect::<Vec<_>>());
}

#[test]
fn coming_and_going_on_the_stage_does_not_click() {
    let mut mixer = Mixer::new();
    let mut parties: Vec<_> = (0..8).map(|_| Party::join(&mut mixer, AudioCodec::Pcma, 200.0)).collect();
    let mut listener = Party::join(&mut mixer, AudioCodec::Pcma, 50.0);
    for tick in 0..400 {
        for (index, party) in parties.iter_mut().enumerate() {
            let dbov = if (index + tick / 20) % 8 < 6 { -30.0 } else { -45.0 };
            let payload = payload_of(&mut party.encoder, 200.0, dbov, tick);
            mixer.push(party.key, Incoming::Packet(&payload), None);
        }
        listener.hear(mixer.tick());
    }
    // A click is wide-band: nothing of it may stand above 2 kHz.
    for hz in [2_100.0, 2_700.0, 3_300.0] {
        assert!(amplitude(&listener.heard, hz, 8_000) < 0.001, "{hz} Hz");
    }
}

// product: P10
#[test]
fn callers_of_minus_40_and_minus_10_dbov_are_heard_alike() {
    let mut heard = [-40.0, -10.0].map(|dbov| {
        let mut mixer = Mixer::new();
        let mut speaker = Party::join(&mut mixer, AudioCodec::Pcmu, 700.0);
        let mut listener = Party::join(&mut mixer, AudioCodec::Pcmu, 50.0);
        for tick in 0..250 {
            let payload = payload_of(&mut speaker.encoder, 700.0, dbov, tick);
            mixer.push(speaker.key, Incoming::Packet(&payload), None);
            listener.hear(mixer.tick());
        }
        20.0 * listener.loudness(700.0).log10()
    });
    heard.sort_by(f32::total_cmp);
    assert!(heard[1] - heard[0] < 6.0, "after five seconds {heard:?} dB");
}

// product: C7
#[test]
fn a_muted_input_counts_for_nobody() {
    let mut mixer = Mixer::new();
    let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
    mixer.set_muted(parties[0].key, true);
    run(&mut mixer, &mut parties, &[0, 1], 40);
    assert!(parties[1].loudness(440.0) < 0.002);
    assert!(parties[0].loudness(620.0) > 0.15, "who is muted still hears");
    assert!(mixer.tick.levels.iter().all(|(key, _)| *key == parties[1].key));
    assert!(mixer.tick.voices.iter().all(|(key, ..)| *key == parties[1].key));
    mixer.set_muted(parties[0].key, false);
    run(&mut mixer, &mut parties, &[0, 1], 40);
    assert!(parties[1].loudness(440.0) > 0.15);
}

// product: P4
#[test]
fn one_hears_all_softer_and_nobody_else_does() {
    let mut mixer = Mixer::new();
    let mut parties = [440.0, 620.0, 800.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
    mixer.set_volume(parties[1].key, 0.5);
    run(&mut mixer, &mut parties, &[0], 50);
    assert!((parties[1].loudness(440.0) - 0.1).abs() < 0.02, "{}", parties[1].loudness(440.0));
    assert!((parties[2].loudness(440.0) - 0.2).abs() < 0.04, "{}", parties[2].loudness(440.0));
    mixer.set_volume(parties[1].key, 1.0);
    run(&mut mixer, &mut parties, &[0], 50);
    assert!(parties[1].loudness(440.0) > 0.16, "{}", parties[1].loudness(440.0));
}

#[test]
fn listeners_share_one_payload() {
    let mut mixer = Mixer::new();
    let mut parties = [440.0, 500.0, 600.0].map(|hz| Party::join(&mut mixer, AudioCodec::Opus, hz));
    run(&mut mixer, &mut parties, &[0], 50);
    let payload = |index: usize| mixer.tick.outputs().find(|(key, _)| *key == parties[index].key).unwrap().1;
    assert!(std::ptr::eq(payload(1), payload(2)));
    assert!(!std::ptr::eq(payload(0), payload(1)));
}

#[test]
fn a_phones_voice_is_a_track_of_its_own_while_it_speaks() {
    let mut mixer = Mixer::new();
    let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
    let mut browser = Decoder::new(AudioCodec::Opus).unwrap();
    let mut heard = Vec::new();
    for _ in 0..50 {
        parties.iter_mut().for_each(|party| party.speak(&mut mixer));
        let tick = mixer.tick();
        let (_, payload, level) = tick.voices.iter().find(|(key, ..)| *key == parties[0].key).unwrap();
        assert!(level.is_voice());
        let mut frame = SILENCE;
        assert!(browser.decode(payload, &mut frame));
        heard.extend(frame);
    }
    let late = &heard[20 * FRAME_SAMPLES..];
    assert!(amplitude(late, 440.0, SAMPLE_RATE) > 0.15 && amplitude(late, 620.0, SAMPLE_RATE) < 0.005);
    let mut silence = Vec::new();
    Encoder::new(AudioCodec::Pcma).unwrap().encode(&SILENCE[..160], &mut silence);
    let silent_after = (0..100).find(|_| {
        mixer.push(parties[0].key, Incoming::Packet(&silence), None);
        mixer.tick().voices.is_empty()
    });
    assert!(silent_after.is_some_and(|ticks| (10..50).contains(&ticks)), "{silent_after:?}");
}

#[test]
fn a_telephone_among_browsers_alone_is_heard() {
    let mut mixer = Mixer::new();
    let browser = SeatConfig { input: Some(AudioCodec::Opus), output: None, voice: false, apart: false };
    mixer.add(browser).unwrap();
    let mut phone = Party::join(&mut mixer, AudioCodec::Pcmu, 440.0);
    for _ in 0..10 {
        phone.speak(&mut mixer);
        phone.hear(mixer.tick());
    }
    assert_eq!(mixer.tick.voices.len(), 1);
}

// product: P3
#[test]
fn a_prompt_is_heard_by_one_over_the_quieter_talk() {
    let mut mixer = Mixer::new();
    let mut parties = [440.0, 620.0, 800.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
    let clip = Clip::new(sine(1_700.0, 0.3, SAMPLE_RATE, SAMPLE_RATE as usize));
    let id = PlayId(1);
    mixer.play(parties[1].key, id, clip, false);
    run(&mut mixer, &mut parties, &[0], 48);
    assert!(parties[1].loudness(1_700.0) > 0.25);
    assert!((parties[1].loudness(440.0) - 0.05).abs() < 0.02);
    assert!(parties[2].loudness(1_700.0) < 0.002);
    let mut finished = Vec::new();
    for _ in 0..4 {
        finished.extend_from_slice(&mixer.tick().finished);
    }
    assert_eq!(finished, [(parties[1].key, id)]);
}

// product: P3
#[test]
fn of_hundreds_who_are_spoken_to_at_once_most_share_what_they_are_sent_and_all_hear_it() {
    let mut mixer = Mixer::new();
    let mut speaker = Party::join(&mut mixer, AudioCodec::Pcma, 440.0);
    let mut parties: Vec<_> = (0..40).map(|_| Party::join(&mut mixer, AudioCodec::Opus, 50.0)).collect();
    let clip = Clip::join(&[0.3, 0.3].map(|loud| Clip::new(sine(1_700.0, loud, SAMPLE_RATE, SAMPLE_RATE as usize))));
    let plays: Vec<_> = (1..=40).map(PlayId).collect();
    parties.iter().zip(&plays).for_each(|(party, id)| mixer.play(party.key, *id, clip.clone(), false));
    let mut finished = Vec::new();
    let mut distinct = usize::MAX;
    for tick in 0..102 {
        speaker.speak(&mut mixer);
        let tick_of = mixer.tick();
        parties.iter_mut().for_each(|party| party.hear(tick_of));
        finished.extend_from_slice(&tick_of.finished);
        if tick == 90 {
            let payloads: std::collections::BTreeSet<_> =
                tick_of.outputs().map(|(_, payload)| payload.to_vec()).collect();
            distinct = payloads.len();
        }
        if tick == 95 {
            assert!(parties.iter().all(|party| (party.loudness(1_700.0) - 0.3).abs() < 0.06));
            assert!(parties[0].loudness(440.0) > 0.03, "the first ones over the talk");
            assert!(parties[39].loudness(440.0) < 0.01, "the others alone");
        }
    }
    assert!(distinct <= OWN_ENCODERS_MAX + 2, "{distinct} payloads for 41 seats");
    assert_eq!(finished.len(), 40);
    assert!(plays.iter().all(|id| finished.iter().any(|(_, done)| done == id)));
    for _ in 0..110 {
        speaker.speak(&mut mixer);
        let tick_of = mixer.tick();
        parties.iter_mut().for_each(|party| party.hear(tick_of));
    }
    assert!(parties.iter().all(|party| party.loudness(440.0) > 0.15), "and then the talk again");
}

// product: P1, P6
#[test]
fn what_plays_goes_on_where_it_was_when_its_listener_changes_his_codec() {
    use AudioCodec::{G722, Opus, Pcma};
    let piece = |hz: f32| Clip::new(sine(hz, 0.3, SAMPLE_RATE, SAMPLE_RATE as usize));
    for codecs in [[Opus, Pcma], [Pcma, G722], [G722, Opus], [Pcma, Opus]] {
        for apart in [true, false] {
            let mut mixer = Mixer::new();
            let [mut before, mut after] = codecs.map(|codec| Party::join(&mut mixer, codec, 50.0));
            for (party, codec) in [(&mut before, codecs[0]), (&mut after, codecs[1])] {
                mixer.remove(party.key);
                let config = SeatConfig { input: Some(codec), output: Some(codec), voice: false, apart };
                party.key = mixer.add(config).unwrap();
            }
            mixer.play(before.key, PlayId(7), Clip::join(&[piece(1_700.0), piece(800.0)]), false);
            // Of each second so far is heard by the old codec, the rest by the new one.
            for _ in 0..60 {
                before.hear(mixer.tick());
            }
            let playing = mixer.remove(before.key).expect("it plays");
            assert_eq!(playing.id(), PlayId(7));
            mixer.play_on(after.key, playing);
            let mut finished = Vec::new();
            for tick in 60..110 {
                let tick_of = mixer.tick();
                after.hear(tick_of);
                finished.extend(tick_of.finished.iter().map(|(_, id)| (tick, *id)));
                if tick == 95 {
                    assert!(after.loudness(800.0) > 0.2 && after.loudness(1_700.0) < 0.02, "{codecs:?} {apart}");
                }
            }
            let [(ended, PlayId(7))] = finished[..] else { panic!("{codecs:?} {apart}: {finished:?}") };
            assert!((98..=102).contains(&ended), "{codecs:?} {apart}: {ended}");
        }
    }
}

#[test]
fn who_is_apart_hears_prompts_and_nothing_else() {
    let mut mixer = Mixer::new();
    let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
    for party in &mut parties {
        mixer.remove(party.key);
        let codec = Some(AudioCodec::Pcma);
        party.key = mixer.add(SeatConfig { input: codec, output: codec, voice: false, apart: true }).unwrap();
    }
    mixer.play(parties[1].key, PlayId(1), Clip::new(sine(1_700.0, 0.3, SAMPLE_RATE, FRAME_SAMPLES)), true);
    run(&mut mixer, &mut parties, &[0, 1], 50);
    assert!(parties[0].loudness(620.0) < 0.001 && parties[1].loudness(440.0) < 0.001);
    assert!(parties[1].loudness(1_700.0) > 0.25, "a looping clip goes on");
}

#[test]
fn shouting_together_is_rounded_off() {
    let mut frame = [3.0; FRAME_SAMPLES];
    frame[1] = 0.5;
    frame[2] = -9.0;
    limit(&mut frame);
    assert!(frame[0] > 0.9 && frame[0] <= 1.0);
    assert_eq!(frame[1], 0.5);
    assert!((-1.0..-0.9).contains(&frame[2]));
}

// product: C23
#[test]
fn the_program_is_the_sum_of_all_and_each_is_a_track_by_itself() {
    let mut mixer = Mixer::new();
    mixer.set_program(true);
    let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Opus, hz));
    parties.iter_mut().for_each(|party| party.speak(&mut mixer));
    assert!(mixer.tick().tracks.is_empty(), "nobody wants them");
    mixer.set_tracks(true);
    let (mut program, mut tracks) = (Vec::new(), BTreeMap::<_, Vec<f32>>::new());
    for _ in 0..50 {
        parties.iter_mut().for_each(|party| party.speak(&mut mixer));
        let tick = mixer.tick();
        program.extend(tick.program.unwrap());
        for (seat, frame) in &tick.tracks {
            tracks.entry(*seat).or_default().extend(frame);
        }
    }
    let sum = tracks
        .values()
        .fold(vec![0.0; program.len()], |sum, track| sum.iter().zip(track).map(|(sum, sample)| sum + sample).collect());
    assert!(sum.iter().zip(&program).all(|(sum, sample)| (sum - sample).abs() < 1e-4), "they are all of it");
    let loudness = |track: &[f32], hz| amplitude(&track[20 * FRAME_SAMPLES..], hz, SAMPLE_RATE);
    let mut own: Vec<_> = tracks.values().map(|track| [440.0, 620.0].map(|hz| loudness(track, hz) > 0.17)).collect();
    own.sort_unstable();
    assert_eq!(own, [[false, true], [true, false]]);
    for hz in [440.0, 620.0] {
        assert!((amplitude(&program[20 * FRAME_SAMPLES..], hz, SAMPLE_RATE) - 0.2).abs() < 0.03);
    }
}
