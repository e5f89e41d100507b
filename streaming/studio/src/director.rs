//! The studio's beat: every tick a picture and its stretch of sound go to the encoders, whatever comes in or doesn't.
//!
//! Times are counted in ticks, so picture and sound can't drift apart. A tick whose time has passed is left out: under
//! load the stream loses pictures and never gets late.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender},
    time::{Duration, Instant},
};

use media::FRAME_SAMPLES;
use streaming::{
    cadence,
    wire::{FromStudio, Report},
};

use crate::{composer::Composer, encoder::Encoder, fault::Faults, input::Role, sound::Program};

/// An unchanged picture is sent only this often, in ticks: five times a second it costs next to nothing, and it divides
/// the ticks of a part, so no part waits for its last picture.
const STILL_TICKS: u64 = 5;

/// How often the parent hears what was done.
const REPORT_TICKS: u64 = 25;

/// Frames of sound in a tick.
const FRAMES_PER_TICK: u64 = cadence::TICK.as_millis() as u64 / 20;

/// Further behind than this, the ticks between are not even looked at for part edges.
const BEHIND_MAX: u64 = 50;

/// What the director is told.
pub(crate) enum Cue {
    Scene { title: String, roles: Vec<Role> },
    Program(Vec<i16>),
}

/// Runs until the cues end.
pub(crate) struct Director {
    pub(crate) composer: Composer,
    pub(crate) encoder: Encoder,
    pub(crate) said: SyncSender<FromStudio>,
}

impl Director {
    pub(crate) fn run(mut self, cues: &Receiver<Cue>) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut program = Program::default();
        let mut report = Report::default();
        let (mut tick, mut sound_tick) = (0, 0);
        let mut samples = Vec::new();
        let faults = Faults::new();
        loop {
            let due = start + time_of(tick);
            loop {
                match cues.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(Cue::Scene { title, roles }) => self.composer.set(&title, roles),
                    Ok(Cue::Program(frame)) => program.push(frame),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return self.encoder.finish(),
                }
            }
            self.encoder.check()?;

            // Sound is never left out: it covers the ticks that were.
            samples.clear();
            let from = time_of(sound_tick);
            for _ in 0..(tick + 1 - sound_tick) * FRAMES_PER_TICK {
                program.pull(&mut samples);
            }
            debug_assert_eq!(samples.len() as u64, (tick + 1 - sound_tick) * FRAMES_PER_TICK * FRAME_SAMPLES as u64);
            self.encoder.sound(&samples, from)?;
            sound_tick = tick + 1;

            let changed = self.composer.compose(Instant::now());
            if changed || tick.is_multiple_of(STILL_TICKS) {
                self.encoder.picture(changed.then(|| self.composer.canvas()), time_of(tick))?;
            }

            if tick.is_multiple_of(STILL_TICKS) && faults.was_sent() {
                tracing::error!("a fault was sent from outside");
                std::process::abort();
            }
            report.ticks += 1;
            let next = next_tick(tick, ticks_in(start.elapsed()));
            report.ticks_skipped += next - tick - 1;
            tick = next;
            if report.ticks.is_multiple_of(REPORT_TICKS) {
                (report.sound_missed, report.sound_dropped) = (program.missed, program.dropped);
                // Numbers can wait for the next report.
                let _full = self.said.try_send(FromStudio::Report(report));
            }
        }
    }
}

/// The tick after `done` when it is `now`. Late ticks are left out, but not the one at a part's edge: every part is to
/// have its picture.
fn next_tick(done: u64, now: u64) -> u64 {
    let next = done + 1;
    if now > next + BEHIND_MAX {
        return now;
    }
    let edge = next.next_multiple_of(cadence::TICKS_PER_PART);
    now.min(edge).max(next)
}

fn time_of(tick: u64) -> Duration {
    cadence::TICK * u32::try_from(tick).unwrap_or(u32::MAX)
}

fn ticks_in(time: Duration) -> u64 {
    (time.as_nanos() / cadence::TICK.as_nanos()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_ticks_are_left_out_but_for_the_edges_of_parts() {
        let check = |done: u64, now: u64, expected: u64| {
            assert_eq!(next_tick(done, now), expected, "{done} done, now {now}");
        };
        check(3, 3, 4);
        check(3, 4, 4);
        check(3, 7, 7);
        check(3, 12, 10);
        check(9, 12, 10);
        check(10, 12, 12);
        check(3, 500, 500);
    }

    #[test]
    fn a_still_picture_fits_the_parts() {
        assert_eq!(cadence::TICKS_PER_PART % STILL_TICKS, 0);
        assert_eq!(time_of(50), cadence::SEGMENT);
        assert_eq!(ticks_in(cadence::SEGMENT - Duration::from_nanos(1)), 49);
        assert_eq!(FRAMES_PER_TICK * 20, cadence::TICK.as_millis() as u64);
    }
}
