//! Where one of the loudest stands: his sound in every rate class somebody listens in.

use crate::{
    SeatKey,
    resample::{RateClass, Resampler},
};

pub(crate) struct Stage {
    /// Who stands there.
    pub(crate) owner: Option<SeatKey>,
    /// By class; the others take no memory where all are of one, as in most meetings.
    frames: [Vec<f32>; 3],
    /// By class of the sound and class of the mix.
    resamplers: [[Option<Resampler>; 3]; 3],
    /// The factor at the end of the last tick; it moves over a whole frame so that nothing clicks.
    gain: f32,
    /// This tick's sound is in the frames.
    pub(crate) sounds: bool,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { owner: None, frames: Default::default(), resamplers: Default::default(), gain: 0.0, sounds: false }
    }

    /// Somebody steps up, from silence.
    pub(crate) fn take(&mut self, owner: SeatKey) {
        self.owner = Some(owner);
        self.gain = 0.0;
        self.resamplers.iter_mut().flatten().flatten().for_each(Resampler::reset);
    }

    /// Takes 20 ms of his sound at its own class, for the classes that are wanted.
    pub(crate) fn put(&mut self, sound: &[f32], class: RateClass, gain: f32, wanted: [bool; 3]) {
        self.make_room(class, wanted);
        let own = &mut self.frames[class as usize];
        let (from, step) = (self.gain, (gain - self.gain) / sound.len() as f32);
        for (index, (out, sample)) in own.iter_mut().zip(sound).enumerate() {
            *out = sample * (from + step * index as f32);
        }
        self.gain = gain;
        self.sounds = true;
        for to in RateClass::ALL.into_iter().filter(|to| *to != class && wanted[*to as usize]) {
            let Some(resampler) = &mut self.resamplers[class as usize][to as usize] else { continue };
            let (low, high) = self.frames.split_at_mut((class as usize).max(to as usize));
            let (input, output) = if (class as usize) < to as usize {
                (&low[class as usize], &mut high[0])
            } else {
                (&high[0], &mut low[to as usize])
            };
            resampler.process(input, output);
        }
    }

    /// Where one class is mixed in another, whoever stands here next may be of any: all that takes is made at once, and not tick by tick.
    fn make_room(&mut self, class: RateClass, wanted: [bool; 3]) {
        let is_mixed = RateClass::ALL.into_iter().any(|to| to != class && wanted[to as usize]);
        for to in RateClass::ALL.into_iter().filter(|to| *to == class || is_mixed) {
            self.frames[to as usize].resize(to.samples(), 0.0);
        }
        for to in RateClass::ALL.into_iter().filter(|to| is_mixed && wanted[*to as usize]) {
            for from in RateClass::ALL.into_iter().filter(|from| *from != to) {
                self.resamplers[from as usize][to as usize].get_or_insert_with(|| Resampler::new(from, to));
            }
        }
    }

    /// In a class that was wanted this tick.
    pub(crate) fn frame(&self, class: RateClass) -> &[f32] {
        &self.frames[class as usize]
    }
}
