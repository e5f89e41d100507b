//! Pieces of clips as telephones hear them: at their rates, and as Opus payloads. Each is made when somebody first hears it, and kept
//! with the piece, for hundreds who come at once hear the same words.

use std::sync::{Mutex, OnceLock, PoisonError};

use media::{AudioCodec, AudioLevel, FRAME_SAMPLES, Piece, SILENCE};

use crate::{
    codec::Encoder,
    resample::{RateClass, Resampler},
};

#[derive(Default)]
struct Spoken {
    narrow: OnceLock<Box<[f32]>>,
    wide: OnceLock<Box<[f32]>>,
    opus: Mutex<OpusPayloads>,
}

#[derive(Default)]
struct OpusPayloads {
    /// While there is more to encode.
    encoder: Option<Encoder>,
    payloads: Vec<(Box<[u8]>, AudioLevel)>,
}

/// A piece at the rate of a class; the first time takes longer.
pub(crate) fn at(piece: &Piece, class: RateClass) -> &[f32] {
    let Some(spoken) = piece.made::<Spoken>() else { return &[] };
    match class {
        RateClass::Narrow => spoken.narrow.get_or_init(|| slower(piece.samples(), class)),
        RateClass::Wide => spoken.wide.get_or_init(|| slower(piece.samples(), class)),
        RateClass::Full => piece.samples(),
    }
}

fn slower(sound: &[f32], class: RateClass) -> Box<[f32]> {
    let mut resampler = Resampler::new(RateClass::Full, class);
    let len = (sound.len() * class.samples()).div_ceil(FRAME_SAMPLES);
    // The filter's delay goes off at the beginning, so its last words need a frame more.
    let mut slower = Vec::with_capacity(len + 2 * class.samples());
    let mut frames = sound.chunks(FRAME_SAMPLES);
    while slower.len() < len + Resampler::DOWN_DELAY {
        let start = slower.len();
        slower.resize(start + class.samples(), 0.0);
        resampler.process(&filled(frames.next().unwrap_or_default()), &mut slower[start..]);
    }
    slower.drain(..Resampler::DOWN_DELAY);
    slower.truncate(len);
    slower.into()
}

/// Appends the Opus payload of a piece's `frame`, and says how loud it is. Who hears it first encodes it, in order.
pub(crate) fn append_opus(piece: &Piece, frame: usize, out: &mut Vec<u8>) -> AudioLevel {
    let Some(spoken) = piece.made::<Spoken>() else { return AudioLevel::SILENT };
    // What is there is whole, whoever panicked.
    let mut opus = spoken.opus.lock().unwrap_or_else(PoisonError::into_inner);
    let mut frames = piece.samples().chunks(FRAME_SAMPLES).skip(opus.payloads.len());
    while opus.payloads.len() <= frame {
        let Some(sound) = frames.next() else { return AudioLevel::SILENT };
        let mut payload = Vec::new();
        if opus.encoder.is_none() {
            opus.encoder = Encoder::new(AudioCodec::Opus).ok();
        }
        if let Some(encoder) = &mut opus.encoder {
            encoder.encode(&filled(sound), &mut payload);
        }
        opus.payloads.push((payload.into(), AudioLevel::of(sound)));
        if frames.len() == 0 {
            opus.encoder = None;
        }
    }
    let (payload, level) = &opus.payloads[frame];
    out.extend_from_slice(payload);
    *level
}

fn filled(sound: &[f32]) -> media::Frame {
    let mut frame = SILENCE;
    frame[..sound.len()].copy_from_slice(sound);
    frame
}

#[cfg(test)]
mod tests {
    use media::Clip;

    use super::*;
    use crate::{
        codec::Decoder,
        tones::{amplitude, sine},
    };

    #[test]
    fn a_clip_is_as_long_and_as_loud_at_every_rate_and_begins_where_it_began() {
        let beep = sine(1_000.0, 0.5, 48_000, 12_345);
        let clip = Clip::new([vec![0.0; 4_800], beep].concat());
        let piece = &clip.pieces()[0];
        for class in RateClass::ALL {
            let sound = at(piece, class);
            let ratio = FRAME_SAMPLES / class.samples();
            assert_eq!(sound.len(), 17_145_usize.div_ceil(ratio));
            assert!(std::ptr::eq(sound, at(piece, class)), "made once");
            let begins = sound.iter().position(|sample| sample.abs() > 0.2).unwrap();
            assert!((begins * ratio).abs_diff(4_800) < 24, "{class:?} begins at {begins}");
            assert!((amplitude(&sound[begins + 160..], 1_000.0, class.rate()) - 0.5).abs() < 0.02);
        }
    }

    #[test]
    fn a_clip_is_encoded_once_for_all_and_is_the_same_sound() {
        let clip = Clip::new(sine(1_000.0, 0.5, 48_000, 48_000 - 100));
        let piece = &clip.pieces()[0];
        let hear = || {
            let mut decoder = Decoder::new(AudioCodec::Opus).unwrap();
            let mut heard = Vec::new();
            for frame in 0..50 {
                let mut payload = Vec::new();
                let level = append_opus(piece, frame, &mut payload);
                assert!((8..=10).contains(&level.minus_dbov()), "{level:?}");
                let mut sound = SILENCE;
                assert!(decoder.decode(&payload, &mut sound));
                heard.extend(sound);
            }
            heard
        };
        let first = hear();
        assert!((amplitude(&first[9_600..43_200], 1_000.0, 48_000) - 0.5).abs() < 0.05);
        assert_eq!(first, hear(), "the payloads are kept");
        let mut nothing = Vec::new();
        append_opus(piece, 50, &mut nothing);
        assert!(nothing.is_empty(), "it is over");
    }
}
