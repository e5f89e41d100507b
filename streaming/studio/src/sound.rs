//! The program's sound on its way from the meeting's clock to the studio's. Pure.
//!
//! Both are the same machine's monotonic clock, so nothing drifts; frames only come in bursts when a process waits for
//! the processor.

use std::collections::VecDeque;

use media::FRAME_SAMPLES;

/// How many frames wait when one is taken. It is the sound's delay, 80 ms; with what the mixer and the encoder add it
/// comes out level with the picture, which waits 100 ms in its jitter buffer and half a tick for its turn.
const DEPTH: usize = 4;

/// More than this waits only after a stall, and is cut back to [`DEPTH`] at once.
const DEPTH_MAX: usize = 10;

/// How often the depth is looked at, in frames: what was never needed in all of this second is thrown away, or the sound
/// would stay late after a burst.
const REVIEW: u32 = 50;

/// Frames between the meeting's mixer and the encoder.
#[derive(Debug, Default)]
pub(crate) struct Program {
    frames: VecDeque<Vec<i16>>,
    flowing: bool,
    /// Frames taken since the last review, and the fewest that waited at one of them.
    taken: u32,
    fewest: usize,
    /// Frames of silence put in where sound should have been.
    pub(crate) missed: u64,
    /// Frames thrown away.
    pub(crate) dropped: u64,
}

impl Program {
    /// The next 20 ms have come.
    pub(crate) fn push(&mut self, frame: Vec<i16>) {
        self.frames.push_back(frame);
        if self.frames.len() > DEPTH_MAX {
            self.drop_oldest(self.frames.len() - DEPTH);
        }
    }

    /// Appends the next 20 ms to `out`; silence while nothing comes.
    pub(crate) fn pull(&mut self, out: &mut Vec<i16>) {
        if !self.flowing && self.frames.len() >= DEPTH {
            self.flowing = true;
            (self.taken, self.fewest) = (0, usize::MAX);
        }
        self.review();
        let next = if self.flowing { self.frames.pop_front() } else { None };
        match next {
            Some(frame) => out.extend_from_slice(&frame),
            None => {
                self.missed += u64::from(self.flowing);
                self.flowing = false;
                out.resize(out.len() + FRAME_SAMPLES, 0);
            }
        }
    }

    /// The sound is taken in pairs, so the fewest that wait are one less than the depth.
    fn review(&mut self) {
        self.fewest = self.fewest.min(self.frames.len());
        self.taken += 1;
        if self.taken == REVIEW {
            let fewest = std::mem::replace(&mut self.fewest, usize::MAX);
            self.taken = 0;
            self.drop_oldest(fewest.saturating_sub(DEPTH - 1));
        }
    }

    fn drop_oldest(&mut self, count: usize) {
        let count = count.min(self.frames.len());
        self.frames.drain(..count);
        self.dropped += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(program: &mut Program) -> i16 {
        let mut out = Vec::new();
        program.pull(&mut out);
        assert_eq!(out.len(), FRAME_SAMPLES);
        out[0]
    }

    fn frame(value: i16) -> Vec<i16> {
        vec![value; FRAME_SAMPLES]
    }

    #[test]
    fn sound_begins_when_enough_waits_and_then_flows() {
        let mut program = Program::default();
        assert_eq!(pull(&mut program), 0);
        (1..=3).for_each(|value| program.push(frame(value)));
        assert_eq!(pull(&mut program), 0);
        program.push(frame(4));
        for value in (1..200).step_by(2) {
            assert_eq!([pull(&mut program), pull(&mut program)], [value, value + 1]);
            program.push(frame(value + 4));
            program.push(frame(value + 5));
        }
        assert_eq!((program.missed, program.dropped), (0, 0));
    }

    #[test]
    fn silence_fills_a_gap_and_the_delay_comes_back() {
        let mut program = Program::default();
        (1..=4).for_each(|value| program.push(frame(value)));
        assert_eq!([1, 2, 3, 4, 0].map(|_| pull(&mut program)), [1, 2, 3, 4, 0]);
        assert_eq!(program.missed, 1);
        (5..=7).for_each(|value| program.push(frame(value)));
        assert_eq!(pull(&mut program), 0);
        program.push(frame(8));
        assert_eq!(pull(&mut program), 5);
        assert_eq!(program.missed, 1);
    }

    #[test]
    fn a_delay_that_is_not_needed_goes_away() {
        let mut program = Program::default();
        (0..10).for_each(|_| program.push(frame(1)));
        for _ in 0..REVIEW {
            pull(&mut program);
            pull(&mut program);
            program.push(frame(1));
            program.push(frame(1));
        }
        assert_eq!((program.frames.len(), program.missed), (DEPTH, 0));
        assert_eq!(program.dropped, 6);
    }

    #[test]
    fn a_burst_is_cut_back() {
        let mut program = Program::default();
        (1..=11).for_each(|value| program.push(frame(value)));
        assert_eq!(pull(&mut program), 8);
        assert_eq!(program.dropped, 7);
        (0..1000).for_each(|_| program.push(frame(0)));
        assert!(program.frames.len() <= DEPTH_MAX);
    }
}
