//! A tick of a meeting that is under way asks the system for no memory: what waits for an allocator is late.

use media::{AudioCodec, Clip};
use mixer::{
    Incoming, LineCare, Mixer, PlayId, SeatConfig, SeatKey,
    bench::{Says, Sounds},
};
use sipconf::{Language, Prompt, Prompts};

fn meeting(codec: AudioCodec, legs: usize) -> (Mixer, Vec<SeatKey>) {
    let mut mixer = Mixer::new();
    let config = SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false };
    let seats: Vec<_> = (0..legs).map(|_| mixer.add(config).expect("a seat")).collect();
    seats.iter().for_each(|seat| mixer.set_voice_wanted(*seat, false));
    (mixer, seats)
}

/// Twenty callers, of whom eight speak at once in turn, one in ten packets lost.
fn run(mixer: &mut Mixer, seats: &[SeatKey], ticks: std::ops::Range<usize>) {
    for tick in ticks {
        for (index, seat) in seats.iter().enumerate() {
            let speaks = (index + tick / 100) % seats.len() < 8;
            let payload: [u8; 160] = std::array::from_fn(|n| if speaks { (n * (index + 3)) as u8 } else { 0xff });
            let incoming =
                if (tick + index) % 10 == 0 { Incoming::Lost { next: None } } else { Incoming::Packet(&payload) };
            mixer.push(*seat, incoming, None);
        }
        assert_eq!(mixer.tick().outputs().count(), seats.len());
    }
}

#[test]
fn a_tick_of_telephones_allocates_nothing_after_warm_up() {
    for codec in [AudioCodec::Pcmu, AudioCodec::Pcma] {
        let (mut mixer, seats) = meeting(codec, 20);
        // As long as it takes until everybody has spoken.
        run(&mut mixer, &seats, 0..2_000);
        let info = allocation_counter::measure(|| run(&mut mixer, &seats, 2_000..4_000));
        assert_eq!(info.count_total, 0, "{codec}: {} bytes", info.bytes_total);
    }
}

/// What telephones of a codec send, over a line that hisses.
fn sounds(codec: AudioCodec, help: &Clip) -> Sounds {
    let mut state = 1_u32;
    let hiss = |sample: &f32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        sample + 0.01 * state.cast_signed() as f32 / i32::MAX as f32
    };
    Sounds::new(codec, &help.samples().iter().map(hiss).collect::<Vec<_>>()).expect("sound")
}

/// Callers of all codecs, of whom eight speak at once in turn; of what they send some is lost, and some is comfort noise or nothing at all.
/// Now and then one is told something.
fn talk(mixer: &mut Mixer, callers: &[(SeatKey, &Sounds)], help: &Clip, ticks: std::ops::Range<usize>) {
    for tick in ticks {
        for (index, (seat, sounds)) in callers.iter().enumerate() {
            let speaks = (index + tick / 100) % callers.len() < 8;
            let payload = sounds.payload(if speaks { Says::Speech } else { Says::Nothing }, index, tick);
            let incoming = match (tick + index) % 40 {
                0..4 => Incoming::Lost { next: None },
                4 => Incoming::ComfortNoise(&[60]),
                5 if !speaks => Incoming::Nothing,
                _ => Incoming::Packet(payload),
            };
            mixer.push(*seat, incoming, None);
        }
        if tick % 600 == 0 {
            mixer.play(callers[tick / 600 % callers.len()].0, PlayId(tick as u64), help.clone(), false);
        }
        assert_eq!(mixer.tick().outputs().count(), callers.len());
    }
}

// product: P6, P10
#[test]
fn a_tick_of_any_codecs_with_all_that_is_done_for_lines_allocates_nothing_after_warm_up() {
    let all = [AudioCodec::Opus, AudioCodec::G722, AudioCodec::Pcma];
    let help = Prompts::load().expect("prompts").clip(Language::EnUs, Prompt::Help);
    let sounds = all.map(|codec| (codec, sounds(codec, &help)));
    let care = LineCare { denoise: true, mute_music: true, echo_guard: true };
    for (codecs, care) in
        [(&sounds[..1], care), (&sounds[1..2], care), (&sounds[..], care), (&sounds[..], LineCare::default())]
    {
        let mut mixer = Mixer::new();
        mixer.set_care(care);
        let mut sit = |(codec, sounds)| {
            let config = SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false };
            let seat = mixer.add(config).expect("a seat");
            mixer.set_voice_wanted(seat, false);
            (seat, sounds)
        };
        let callers: Vec<_> = codecs.iter().cycle().take(12).map(|(codec, sounds)| sit((*codec, sounds))).collect();
        // Until everybody has spoken twice.
        talk(&mut mixer, &callers, &help, 0..2_400);
        let info = allocation_counter::measure(|| talk(&mut mixer, &callers, &help, 2_400..3_600));
        let named: Vec<_> = codecs.iter().map(|(codec, _)| codec.to_string()).collect();
        assert_eq!(info.count_total, 0, "{named:?}, {care:?}: {} bytes", info.bytes_total);
    }
}

#[test]
fn a_telephone_in_a_meeting_needs_little_memory() {
    let mut meetings = None;
    let info = allocation_counter::measure(|| {
        let (mut mixer, seats) = meeting(AudioCodec::Pcmu, 100);
        run(&mut mixer, &seats, 0..500);
        meetings = Some((mixer, seats));
    });
    // Of the 64 KiB a leg may have, sockets and the jitter buffer need most; here it is what concealment remembers of a voice.
    assert!(info.bytes_current < 100 * 9 * 1024, "{} bytes for 100 legs", info.bytes_current);
}
