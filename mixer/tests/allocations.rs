//! A tick of a meeting that is under way asks the system for no memory: what waits for an allocator is late.

use media::AudioCodec;
use mixer::{Incoming, Mixer, SeatConfig, SeatKey};

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
