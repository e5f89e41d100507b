//! The program's sound on its way from the meeting's clock to the studio's. Pure.
//!
//! Both are the same machine's monotonic clock, so nothing drifts; frames only come in bursts when a process waits for
//! the processor.

use std::collections::VecDeque;

use media::FRAME_SAMPLES;

/// How many frames wait when one is taken. It is the sound's delay, 80 ms; with what the mixer and the encoder add it
/// comes out level with the picture, which waits 100 ms in its jitter buffer and half a tick for its turn.
const DEPTH: usize = 4;

/// More than this waits only after a stall, and is cut back to [`DEPTH`], or the sound would stay late.
const DEPTH_MAX: usize = 10;

/// Frames between the meeting's mixer and the encoder.
#[derive(Debug, Default)]
pub(crate) struct Program {
    frames: VecDeque<Vec<i16>>,
    flowing: bool,
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
            let excess = self.frames.len() - DEPTH;
            self.frames.drain(..excess);
            self.dropped += excess as u64;
        }
    }

    /// Appends the next 20 ms to `out`; silence while nothing comes.
    pub(crate) fn pull(&mut self, out: &mut Vec<i16>) {
        if !self.flowing && self.frames.len() >= DEPTH {
            self.flowing = true;
        }
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
        for value in 1..100 {
            assert_eq!(pull(&mut program), value);
            program.push(frame(value + 4));
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
    fn a_burst_is_cut_back() {
        let mut program = Program::default();
        (1..=11).for_each(|value| program.push(frame(value)));
        assert_eq!(pull(&mut program), 8);
        assert_eq!(program.dropped, 7);
        (0..1000).for_each(|_| program.push(frame(0)));
        assert!(program.frames.len() <= DEPTH_MAX);
    }
}
