//! What says what a studio says, at its time, without pictures: 720p of four people, and stereo sound.

use std::{
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant, SystemTime},
};

use streaming::{
    cadence,
    wire::{AccessUnit, Format, FromStudio, Report, Track},
};

/// 1.9 Mbit/s at 30 pictures a second, each segment's first five times as large as the others.
const PICTURE_BYTES: usize = 7_000;
const KEYFRAME_BYTES: usize = 35_000;

/// 128 kbit/s.
const SOUND_BYTES: usize = 341;
const SOUND_SAMPLES: u64 = 1_024;
const SOUND_RATE: u32 = 48_000;

/// Until the socket closes.
pub(super) fn run() -> anyhow::Result<()> {
    match tell() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        told => Ok(told?),
    }
}

fn tell() -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut heard = socket.try_clone()?;
    // What it is to show it is told all the time.
    std::thread::Builder::new().name("bench-told".to_owned()).spawn(move || io::copy(&mut heard, &mut io::sink()))?;
    let avcc = vec![1, 0x4d, 0x40, 0x1f, 0xff, 0xe0, 0].into();
    let config = vec![0x11, 0x90].into();
    let (began, started) = (Instant::now(), SystemTime::now());
    say(&mut socket, &FromStudio::Encoder("none".to_owned()))?;
    say(&mut socket, &FromStudio::Format(Track::Video, Format::Video { width: 1280, height: 720, avcc }))?;
    say(&mut socket, &FromStudio::Format(Track::Audio, Format::Audio { rate: SOUND_RATE, channels: 2, config }))?;
    say(&mut socket, &FromStudio::Started(started))?;
    let (mut pictures, mut sounds) = (0, 0);
    loop {
        let picture_at = cadence::time_of(pictures);
        let sound_at = Duration::from_nanos(sounds * SOUND_SAMPLES * 1_000_000_000 / u64::from(SOUND_RATE));
        let pts = picture_at.min(sound_at);
        while let Some(left) = pts.checked_sub(began.elapsed()) {
            std::thread::park_timeout(left);
        }
        let unit = if picture_at <= sound_at {
            pictures += 1;
            let segment = cadence::segment_at(pts);
            let keyframe = pictures == 1 || segment != cadence::segment_at(cadence::time_of(pictures - 2));
            let bytes = if keyframe { KEYFRAME_BYTES } else { PICTURE_BYTES };
            AccessUnit { track: Track::Video, pts, keyframe, data: vec![0x55; bytes].into() }
        } else {
            sounds += 1;
            AccessUnit { track: Track::Audio, pts, keyframe: true, data: vec![0x55; SOUND_BYTES].into() }
        };
        say(&mut socket, &FromStudio::Unit(unit))?;
        if pictures % u64::from(cadence::TICKS_PER_SECOND) == 0 {
            say(&mut socket, &FromStudio::Report(Report { ticks: pictures, ..Report::default() }))?;
        }
    }
}

fn say(socket: &mut UnixStream, message: &FromStudio) -> io::Result<()> {
    let mut frame = Vec::new();
    message.write(&mut frame);
    socket.write_all(&frame)
}
