//! The studio's beat: every tick a picture and its stretch of sound go to the encoders, whatever comes in or doesn't.
//!
//! Times are counted in ticks, so picture and sound can't drift apart. A tick whose time has passed is left out, unless a part begins
//! with it: under load the stream loses pictures and never gets late, and every part has its picture.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender},
    time::{Duration, Instant, SystemTime},
};

use streaming::{
    cadence::{self, ticks_in, time_of},
    wire::{FromStudio, Report, RoomRates, Track},
};

use crate::{
    composer::Composer, criticals, encoder::Encoder, fault::Faults, input::Role, layout::Size, sound::Program,
};

/// An unchanged picture is sent only this often, in ticks: five times a second it costs next to nothing, and every part
/// has its picture.
const STILL_TICKS: u64 = cadence::TICKS_PER_PART;

/// How often the parent hears what was done.
const REPORT_TICKS: u64 = cadence::TICKS_PER_SECOND as u64;

/// Frames of sound in a second.
const FRAMES_PER_SECOND: u64 = 50;

/// Further behind than this, not even the parts between have pictures: two seconds. More would let viewers be more than four seconds
/// behind on a machine that has no time even for those; less, and their picture stands where it need not.
const BEHIND_MAX: u64 = 2 * cadence::TICKS_PER_SECOND as u64;

/// What the director is told.
pub(crate) enum Cue {
    Scene(Set),
    Program(Vec<i16>),
    /// Of what room systems see.
    Keyframe(Track),
}

/// What is to be seen, on a picture of what size.
pub(crate) struct Set {
    pub(crate) title: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) size: Size,
    pub(crate) rooms: RoomRates,
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
        // Whoever reads it is there, and the queue is empty.
        let _full = self.said.try_send(FromStudio::Started(SystemTime::now()));
        let mut program = Program::default();
        let mut report = Report::default();
        let (mut tick, mut frames) = (0, 0);
        let mut samples = Vec::new();
        let mut next_report = REPORT_TICKS;
        let faults = Faults::new();
        let mut pace = Pace::default();
        // Of many scenes between two pictures only the last is seen, and only that is drawn: that of each would leave no time to show any.
        let (mut scene, mut segment): (Option<Set>, _) = (None, 0);
        loop {
            let due = start + time_of(tick);
            loop {
                match cues.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(Cue::Scene(set)) => scene = Some(set),
                    Ok(Cue::Program(frame)) => program.push(frame),
                    Ok(Cue::Keyframe(track)) => self.encoder.force_keyframe(track),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return self.encoder.finish(),
                }
            }
            self.encoder.check()?;
            let before = std::mem::replace(&mut segment, cadence::segment_at(time_of(tick)));
            // A picture of another size comes with the next segment: players are told by segments.
            let size = self.composer.size();
            if let Some(set) = scene.take_if(|set| set.size == size || before != segment) {
                self.set(set)?;
            }

            // Sound is never left out: it covers the ticks that were.
            samples.clear();
            let from = Duration::from_millis(frames * 1_000 / FRAMES_PER_SECOND);
            let until = frames_in(tick + 1);
            (frames..until).for_each(|_| program.pull(&mut samples));
            self.encoder.sound(&samples, from)?;
            frames = until;

            // A part whose time has passed altogether has the picture before it: the time is needed for those to come.
            let is_over = tick + cadence::TICKS_PER_PART < ticks_in(start.elapsed()) && self.encoder.can_repeat();
            let changed = !is_over && self.composer.compose(Instant::now());
            if changed || tick.is_multiple_of(STILL_TICKS) {
                self.encoder.picture(changed.then(|| self.composer.canvas()), time_of(tick))?;
            }

            if tick.is_multiple_of(STILL_TICKS) && faults.was_sent() {
                tracing::error!("a fault was sent from outside");
                std::process::abort();
            }
            report.ticks += 1;
            let next = next_tick(tick, ticks_in(start.elapsed()), pace.stride());
            report.ticks_skipped += (next - tick).div_ceil(pace.stride()) - 1;
            tick = next;
            if tick >= next_report {
                next_report = tick + REPORT_TICKS;
                (report.sound_missed, report.sound_dropped) = (program.missed, program.dropped);
                (report.pictures_dropped, report.cpu_ms) = (self.encoder.dropped, cpu_ms());
                report.criticals = criticals::count();
                pace.review(report.ticks_skipped + report.pictures_dropped);
                // Numbers can wait for the next report.
                let _full = self.said.try_send(FromStudio::Report(report));
            }
        }
    }
}

impl Director {
    fn set(&mut self, Set { title, roles, size, rooms }: Set) -> anyhow::Result<()> {
        if size != self.composer.size() {
            self.encoder.resize(size)?;
        }
        self.composer.set(&title, roles, size);
        self.encoder.set_rates(rooms);
        Ok(())
    }
}

/// The tick after `done` when it is `now`, of every `stride`th. Late ticks are left out, but not the one at a part's edge:
/// every part is to have its picture.
fn next_tick(done: u64, now: u64, stride: u64) -> u64 {
    let next = (done / stride + 1) * stride;
    let now = now / stride * stride;
    if now > next + BEHIND_MAX {
        return now / cadence::TICKS_PER_PART * cadence::TICKS_PER_PART;
    }
    let edge = next.next_multiple_of(cadence::TICKS_PER_PART);
    now.min(edge).max(next)
}

/// How many pictures a second there are: fewer where the machine can't keep up, so that those there are come in time.
#[derive(Debug, Default)]
struct Pace {
    /// Into [`STRIDES`].
    step: usize,
    lost: u64,
    /// Reports in a row of pictures lost, and of none.
    bad: u32,
    good: u32,
}

/// Every picture, every second one, or one a part.
const STRIDES: [u64; 3] = [1, 2, cadence::TICKS_PER_PART];

/// Pictures of a second's thirty that may be lost without its being a want of time.
const LOST_MAX: u64 = 5;

/// Seconds of loss until there are fewer pictures: a moment's burden is over by itself.
const BAD_MAX: u32 = 3;

/// Seconds without any until there are more again. Sooner, it would go to and fro.
const GOOD_MIN: u32 = 20;

impl Pace {
    fn stride(&self) -> u64 {
        STRIDES[self.step]
    }

    /// Once a second: how many pictures were lost so far.
    fn review(&mut self, lost: u64) {
        let new = lost - std::mem::replace(&mut self.lost, lost);
        let is_bad = new * self.stride() > LOST_MAX;
        self.bad = if is_bad { self.bad + 1 } else { 0 };
        self.good = if new == 0 { self.good + 1 } else { 0 };
        if self.bad >= BAD_MAX && self.step + 1 < STRIDES.len() {
            self.step += 1;
            (self.bad, self.good) = (0, 0);
            tracing::warn!(every = self.stride(), "too little processor time: fewer pictures");
        } else if self.good >= GOOD_MIN && self.step > 0 {
            self.step -= 1;
            (self.bad, self.good) = (0, 0);
            tracing::info!(every = self.stride(), "enough processor time: more pictures");
        }
    }
}

/// Processor time this process has used.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may have spaces: user and system time are the 12th and 13th words, in hundredths (proc(5)).
    let words = stat.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(2);
    words.filter_map(|word| word.parse::<u64>().ok()).sum::<u64>() * 10
}

/// Whole frames of sound in so many ticks: five in three.
fn frames_in(ticks: u64) -> u64 {
    ticks * FRAMES_PER_SECOND / u64::from(cadence::TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_ticks_are_left_out_but_for_the_edges_of_parts() {
        let check = |done: u64, now: u64, expected: u64| {
            assert_eq!(next_tick(done, now, 1), expected, "{done} done, now {now}");
        };
        check(3, 3, 4);
        check(3, 4, 4);
        check(3, 5, 5);
        check(3, 13, 6);
        check(9, 14, 12);
        check(12, 14, 14);
        check(3, 60, 6);
        check(6, 60, 12);
        check(3, 500, 498);
    }

    #[test]
    fn fewer_pictures_keep_to_the_edges_of_parts() {
        let check = |done: u64, now: u64, stride: u64, expected: u64| {
            assert_eq!(next_tick(done, now, stride), expected, "{done} done, now {now}, every {stride}");
        };
        check(4, 5, 2, 6);
        check(4, 11, 2, 6);
        check(6, 11, 2, 10);
        check(6, 6, 6, 12);
        check(6, 25, 6, 12);
    }

    #[test]
    fn the_pace_falls_under_a_burden_and_comes_back() {
        let (mut pace, mut lost) = (Pace::default(), 0);
        let mut seconds = |pace: &mut Pace, count: u32, each: u64| {
            (0..count).for_each(|_| {
                lost += each;
                pace.review(lost);
            });
            pace.stride()
        };
        assert_eq!(seconds(&mut pace, 60, 3), 1, "a few are no burden");
        assert_eq!(seconds(&mut pace, 2, 20), 1);
        assert_eq!(seconds(&mut pace, 1, 20), 2);
        assert_eq!(seconds(&mut pace, 10, 20), 6, "and no fewer than one a part");
        assert_eq!(seconds(&mut pace, GOOD_MIN - 1, 0), 6);
        assert_eq!(seconds(&mut pace, 1 + GOOD_MIN, 0), 1);
    }

    #[test]
    fn a_still_picture_fits_the_parts() {
        assert_eq!(cadence::TICKS_PER_PART % STILL_TICKS, 0);
        assert_eq!(time_of(60), cadence::SEGMENT);
        assert_eq!((0..7).map(frames_in).collect::<Vec<_>>(), [0, 1, 3, 5, 6, 8, 10]);
    }
}
