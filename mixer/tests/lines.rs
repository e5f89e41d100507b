//! What a meeting hears of telephones' lines: music that is held back, silence that is not sent, lines that are dead.

use media::{AudioCodec, AudioLevel, Clip};
use mixer::{Incoming, LineCare, LineEvent, Mixer, PlayId, SeatConfig, SeatKey};
use sipconf::{Language, Prompt, Prompts};

/// A clip as a telephone would encode it.
fn encoded(codec: AudioCodec, clip: Clip) -> Vec<Vec<u8>> {
    let ticks = clip.duration().as_millis() / 20;
    let mut mixer = Mixer::new();
    let seat = mixer.add(SeatConfig { input: None, output: Some(codec), voice: false, apart: true }).expect("a seat");
    mixer.play(seat, PlayId(1), clip, true);
    (0..ticks).filter_map(|_| mixer.tick().outputs().next().map(|(_, payload)| payload.to_vec())).collect()
}

/// A meeting with one telephone, of which all is heard by the program.
fn meeting(codec: AudioCodec) -> (Mixer, SeatKey) {
    let mut mixer = Mixer::new();
    let config = SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false };
    let seat = mixer.add(config).expect("a seat");
    mixer.set_voice_wanted(seat, false);
    mixer.set_program(true);
    mixer.set_care(LineCare { mute_music: true, ..LineCare::default() });
    (mixer, seat)
}

/// What is heard of these payloads, and what is told.
fn hear<'a>(
    (mixer, seat): &mut (Mixer, SeatKey),
    payloads: impl Iterator<Item = Incoming<'a>>,
) -> (Vec<f32>, Vec<(usize, LineEvent)>) {
    let (mut heard, mut told) = (Vec::new(), Vec::new());
    for (tick, incoming) in payloads.enumerate() {
        mixer.push(*seat, incoming, None);
        let given = mixer.tick();
        heard.extend(given.program.expect("it is wanted"));
        told.extend(given.lines.iter().map(|(_, event)| (tick, *event)));
    }
    (heard, told)
}

fn level(samples: &[f32]) -> u8 {
    AudioLevel::of(samples).minus_dbov()
}

// product: P10
#[test]
fn music_on_hold_is_muted_within_ten_seconds_and_speech_comes_back() {
    let prompts = Prompts::load().expect("prompts");
    let codec = AudioCodec::Pcma;
    let music = encoded(codec, prompts.hold_music());
    let music = || music.iter().cycle().map(|payload| Incoming::Packet(payload));
    let mut of = meeting(codec);
    let (heard, told) = hear(&mut of, music().take(600));
    let [(tick, LineEvent::Music(true))] = told[..] else { panic!("{told:?}") };
    assert!(tick < 500, "told after {tick} ticks");
    assert!(level(&heard[..960 * 100]) < 50 && level(&heard[960 * 510..]) == 127, "heard, then muted");
    let words = [Prompt::Help, Prompt::HelpMore, Prompt::HelpHost, Prompt::HelpHostMore];
    let words = sipconf::join(&words.map(|prompt| prompts.clip(Language::ZhCn, prompt)));
    let speech = encoded(codec, words);
    let (heard, told) = hear(&mut of, speech.iter().map(|payload| Incoming::Packet(payload)));
    let [(tick, LineEvent::Music(false))] = told[..] else { panic!("{told:?}") };
    assert!(tick < 500, "told after {tick} ticks");
    assert!(level(&heard[960 * (tick + 10)..]) < 40);
    // Who says that he is there is heard again; music that goes on is held back as late as at first.
    let (_, told) = hear(&mut of, music().take(600));
    assert!(matches!(told[..], [(_, LineEvent::Music(true))]), "{told:?}");
    of.0.listen_anew(of.1);
    let (heard, told) = hear(&mut of, music().take(600));
    let [(0, LineEvent::Music(false)), (tick, LineEvent::Music(true))] = told[..] else { panic!("{told:?}") };
    assert!((350..500).contains(&tick), "again after {tick} ticks");
    assert!(level(&heard[960 * 10..960 * 100]) < 50 && level(&heard[960 * 510..]) == 127, "heard, then muted");
    // And where somebody wants to hear it, it is heard.
    of.0.let_music(of.1);
    let (heard, told) = hear(&mut of, music().take(1_000));
    assert!(matches!(told[..], [(_, LineEvent::Music(false))]), "{told:?}");
    assert!(level(&heard[960 * 900..]) < 40);
}

// product: P10
#[test]
fn who_comes_to_a_caller_on_hold_hears_none_of_his_music() {
    let prompts = Prompts::load().expect("prompts");
    for codec in [AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus] {
        let music = encoded(codec, prompts.hold_music());
        let mut music = music.iter().cycle().map(|payload| Incoming::Packet(payload));
        let mut mixer = Mixer::new();
        mixer.set_care(LineCare { mute_music: true, ..LineCare::default() });
        let config = |codec| SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false };
        let sit = |mixer: &mut Mixer, codec| {
            let seat = mixer.add(config(codec)).expect("a seat");
            mixer.set_voice_wanted(seat, false);
            seat
        };
        let caller = sit(&mut mixer, codec);
        let mut told = Vec::new();
        for (tick, incoming) in music.by_ref().take(600).enumerate() {
            mixer.push(caller, incoming, None);
            told.extend(mixer.tick().lines.iter().map(|(_, event)| (tick, *event)));
        }
        let [(tick, LineEvent::Music(true))] = told[..] else { panic!("{codec}: {told:?}") };
        assert!(tick < 500, "{codec}: alone, he is known after {tick} ticks");
        let other = sit(&mut mixer, AudioCodec::Pcma);
        for incoming in music.take(100) {
            mixer.push(caller, incoming, None);
            let tick = mixer.tick();
            let (_, heard) = tick.outputs().find(|(seat, _)| *seat == other).expect("he hears something");
            let level = AudioLevel::of_payload(AudioCodec::Pcma, heard).expect("its bytes tell");
            assert!(level.minus_dbov() > 65, "{codec}: {level:?}");
        }
    }
}

// product: P10, RFC 3389
#[test]
fn silence_that_is_not_sent_sounds_like_the_line_and_does_not_click() {
    for codec in [AudioCodec::Pcmu, AudioCodec::G722, AudioCodec::Opus] {
        let mut state = 7_u32;
        let hiss = (0..48_000 * 6).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.008 * state.cast_signed() as f32 / i32::MAX as f32
        });
        let line = encoded(codec, Clip::new(hiss.collect()));
        let mut of = meeting(codec);
        let (before, _) = hear(&mut of, line.iter().map(|payload| Incoming::Packet(payload)));
        let floor = level(&before[960 * 200..]);
        let (pause, _) = hear(&mut of, std::iter::repeat_n(Incoming::Nothing, 200));
        for ticks in pause.chunks(960 * 5) {
            assert!(level(ticks).abs_diff(floor) <= 6, "{codec}: {} in a line of {floor}", level(ticks));
        }
        let steps = |sound: &[f32]| sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        let mut seam = before[before.len() - 960..].to_vec();
        seam.extend(&pause[..960 * 6]);
        assert!(steps(&seam) < 2.0 * steps(&before), "{codec}: a step of {}", steps(&seam));
        if codec == AudioCodec::Opus {
            continue;
        }
        // And where the sender says how loud it is, that is how loud.
        let noise = [60];
        let said = std::iter::once(Incoming::ComfortNoise(&noise)).chain(std::iter::repeat_n(Incoming::Nothing, 100));
        let (said, _) = hear(&mut of, said);
        assert!(level(&said[960 * 20..]).abs_diff(60) <= 2, "{codec}: {}", level(&said[960 * 20..]));
    }
}

// product: P10
#[test]
fn a_line_from_which_nothing_ever_came_is_told_after_half_a_minute() {
    let prompts = Prompts::load().expect("prompts");
    let mut of = meeting(AudioCodec::Pcma);
    let silence = [0xd5; 160];
    let silent = || std::iter::repeat_n(Incoming::Packet(&silence), 3_000);
    let (_, told) = hear(&mut of, silent());
    assert_eq!(told, [(1_499, LineEvent::Silent(true))]);
    let hello = encoded(AudioCodec::Pcma, prompts.clip(Language::EnUs, Prompt::Joined));
    let (_, told) = hear(&mut of, hello.iter().map(|payload| Incoming::Packet(payload)));
    assert!(matches!(told[..], [(_, LineEvent::Silent(false))]), "{told:?}");
    let (_, told) = hear(&mut of, silent());
    assert_eq!(told, [], "he has been heard, and may be silent");
}

// product: P10, RFC 6716 §2.1.7
#[test]
fn a_listener_who_tells_of_loss_is_sent_more_redundancy() {
    let prompts = Prompts::load().expect("prompts");
    let words = [Prompt::Help, Prompt::HelpMore].map(|prompt| prompts.clip(Language::EnUs, prompt));
    let speech = encoded(AudioCodec::Pcma, Clip::join(&words));
    // Two who listen alike, one on a bad line; every third packet of both is lost.
    let mut mixer = Mixer::new();
    let config = |input, output| SeatConfig { input, output, voice: false, apart: false };
    let speaker = mixer.add(config(Some(AudioCodec::Pcma), None)).expect("a seat");
    let listeners = [(); 2].map(|()| mixer.add(config(None, Some(AudioCodec::Opus))).expect("a seat"));
    mixer.set_loss(listeners[1], 33);
    let mut payloads = [Vec::new(), Vec::new()];
    for payload in &speech {
        mixer.push(speaker, Incoming::Packet(payload), None);
        let tick = mixer.tick();
        for (kept, listener) in payloads.iter_mut().zip(listeners) {
            kept.extend(tick.outputs().filter(|(key, _)| *key == listener).map(|(_, payload)| payload.to_vec()));
        }
    }
    // What comes out of the losses, by a meeting that hears each of them; whichever every third packet is.
    let restored = payloads.map(|payloads| {
        let mut of = meeting(AudioCodec::Opus);
        let clean = hear(&mut of, payloads.iter().map(|payload| Incoming::Packet(payload))).0;
        let (mut error, mut power) = (0.0, 1e-9);
        for third in 0..3 {
            let mut of = meeting(AudioCodec::Opus);
            let lossy = (0..payloads.len()).map(|n| match payloads.get(n + 1) {
                Some(next) if n % 3 == third => Incoming::Lost { next: Some(next) },
                _ => Incoming::Packet(&payloads[n]),
            });
            for (a, b) in clean.iter().zip(hear(&mut of, lossy).0) {
                error += (a - b) * (a - b);
                power += a * a;
            }
        }
        error / power
    });
    assert!(restored[1] < 0.8 * restored[0], "errors of {restored:?}, of the whole sound");
}
