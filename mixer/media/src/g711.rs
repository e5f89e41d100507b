//! How loud G.711 is, by its bytes alone: it has no memory, so nothing need be decoded for it.

use crate::{AudioCodec, AudioLevel};

/// The square of what each byte means, of full scale 1.
static PCMU: [f32; 256] = powers(false);
static PCMA: [f32; 256] = powers(true);

impl AudioLevel {
    /// Of a payload, where its bytes tell it: of PCMU and PCMA.
    #[must_use]
    pub fn of_payload(codec: AudioCodec, payload: &[u8]) -> Option<Self> {
        let powers = match codec {
            AudioCodec::Pcmu => &PCMU,
            AudioCodec::Pcma => &PCMA,
            AudioCodec::G722 | AudioCodec::Opus => return None,
        };
        // Four sums side by side: one would wait for itself.
        let mut sums = [0.0f32; 4];
        let (fours, rest) = payload.as_chunks::<4>();
        for four in fours {
            for (sum, byte) in sums.iter_mut().zip(four) {
                *sum += powers[usize::from(*byte)];
            }
        }
        let rest: f32 = rest.iter().map(|byte| powers[usize::from(*byte)]).sum();
        Some(Self::of_power((sums.iter().sum::<f32>() + rest) / payload.len().max(1) as f32))
    }
}

const fn powers(a_law: bool) -> [f32; 256] {
    let mut powers = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        let sample = if a_law { a_law_sample(byte as u8) } else { mu_law_sample(byte as u8) };
        let value = sample as f32 / 32_768.0;
        powers[byte] = value * value;
        byte += 1;
    }
    powers
}

/// Without its sign, of 16 bits (ITU-T G.711, table 2b).
const fn mu_law_sample(byte: u8) -> u16 {
    let (segment, step) = ((!byte >> 4) & 7, (!byte & 0x0f) as u16);
    (((step << 3) + 0x84) << segment) - 0x84
}

/// Without its sign, of 16 bits (ITU-T G.711, table 1b).
const fn a_law_sample(byte: u8) -> u16 {
    let byte = byte ^ 0x55;
    let (segment, step) = ((byte >> 4) & 7, ((byte & 0x0f) as u16) << 4);
    if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) }
}
