//! One direction of one codec, between payloads and sound of 20 ms at the codec's own rate.

use audio_codec::{g722, pcma, pcmu};
use media::{AudioCodec, SAMPLE_RATE};
use opus::{Application, Bitrate, Channels};

use crate::{MixerError, conceal::Concealer, resample::RateClass};

/// Opus towards phones and as a phone's own track. 32 kbit/s is transparent for one voice with room for the
/// redundancy; more would only cost the caller's network.
const OPUS_BITS_PER_SECOND: i32 = 32_000;

/// Expected loss, which makes the encoder spend on redundancy (RFC 6716 §2.1.7). 10 % covers a bad mobile line.
const OPUS_LOSS_PERCENT: i32 = 10;

/// 5 of 10: half the time of the best for a difference nobody hears in speech.
const OPUS_COMPLEXITY: i32 = 5;

/// No Opus packet of one frame is longer (RFC 6716 §3.2).
const OPUS_PAYLOAD_MAX: usize = 1275;

/// Samples of 20 ms at the widest telephone rate.
const NARROW_MAX: usize = 320;

pub(crate) enum Decoder {
    Opus(opus::Decoder),
    Telephone(Box<TelephoneDecoder>),
}

pub(crate) struct TelephoneDecoder {
    codec: Box<dyn audio_codec::Decoder>,
    samples: usize,
    concealer: Concealer,
}

impl Decoder {
    pub(crate) fn new(codec: AudioCodec) -> Result<Self, MixerError> {
        let telephone = |codec_box: Box<dyn audio_codec::Decoder>| {
            Self::Telephone(Box::new(TelephoneDecoder {
                codec: codec_box,
                samples: RateClass::of(codec).samples(),
                concealer: Concealer::new(codec.sample_rate() as usize),
            }))
        };
        Ok(match codec {
            AudioCodec::Opus => Self::Opus(opus::Decoder::new(SAMPLE_RATE, Channels::Mono)?),
            AudioCodec::Pcmu => telephone(Box::new(pcmu::PcmuDecoder::new())),
            AudioCodec::Pcma => telephone(Box::new(pcma::PcmaDecoder::new())),
            AudioCodec::G722 => telephone(Box::new(g722::G722Decoder::new())),
        })
    }

    /// False when the payload is not of this codec; the frame then holds what a lost packet sounds like.
    pub(crate) fn decode(&mut self, payload: &[u8], frame: &mut [f32]) -> bool {
        let good = match self {
            Self::Opus(decoder) => decode_opus(decoder, payload, false, frame),
            Self::Telephone(decoder) => decoder.decode(payload, frame),
        };
        if !good {
            self.conceal(None, frame);
        }
        good
    }

    /// What a packet that did not come may have sounded like; `next` is the packet after it, where that is here
    /// already (Opus carries redundancy in it).
    pub(crate) fn conceal(&mut self, next: Option<&[u8]>, frame: &mut [f32]) {
        match self {
            Self::Opus(decoder) => {
                let redundancy = next.is_some_and(|next| decode_opus(decoder, next, true, frame));
                if !redundancy && !decode_opus(decoder, &[], false, frame) {
                    frame.fill(0.0);
                }
            }
            Self::Telephone(decoder) => decoder.conceal(frame),
        }
    }
}

fn decode_opus(decoder: &mut opus::Decoder, payload: &[u8], fec: bool, frame: &mut [f32]) -> bool {
    // A packet of another duration than 20 ms can't be one tick's sound: longer ones don't fit and are an error,
    // shorter ones leave the rest silent.
    match decoder.decode_float(payload, frame, fec) {
        Ok(samples) => {
            let len = frame.len();
            frame[samples.min(len)..].fill(0.0);
            frame.iter().all(|sample| sample.is_finite())
        }
        Err(_) => false,
    }
}

impl TelephoneDecoder {
    fn decode(&mut self, payload: &[u8], frame: &mut [f32]) -> bool {
        let mut pcm = [0i16; NARROW_MAX];
        let Ok(samples) = self.codec.decode_into(payload, &mut pcm) else { return false };
        if samples != self.samples {
            return false;
        }
        for (sample, pcm) in frame.iter_mut().zip(&pcm[..samples]) {
            *sample = f32::from(*pcm) / 32_768.0;
        }
        self.concealer.good(frame);
        true
    }

    fn conceal(&mut self, frame: &mut [f32]) {
        self.concealer.lost(frame);
    }
}

pub(crate) enum Encoder {
    Opus(opus::Encoder),
    Telephone(Box<dyn audio_codec::Encoder>),
}

impl Encoder {
    pub(crate) fn new(codec: AudioCodec) -> Result<Self, MixerError> {
        Ok(match codec {
            AudioCodec::Opus => Self::Opus(opus_encoder()?),
            AudioCodec::Pcmu => Self::Telephone(Box::new(pcmu::PcmuEncoder::new())),
            AudioCodec::Pcma => Self::Telephone(Box::new(pcma::PcmaEncoder::new())),
            AudioCodec::G722 => Self::Telephone(Box::new(g722::G722Encoder::new())),
        })
    }

    /// Appends one payload to `out`.
    pub(crate) fn encode(&mut self, frame: &[f32], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + OPUS_PAYLOAD_MAX, 0);
        let room = &mut out[start..];
        let written = match self {
            Self::Opus(encoder) => encoder.encode_float(frame, room).unwrap_or(0),
            Self::Telephone(encoder) => {
                let mut pcm = [0i16; NARROW_MAX];
                for (pcm, sample) in pcm.iter_mut().zip(frame) {
                    // To the nearest; the cast saturates.
                    *pcm = (sample * 32_767.0 + 0.5f32.copysign(*sample)) as i16;
                }
                encoder.encode_into(&pcm[..frame.len().min(NARROW_MAX)], room).unwrap_or(0)
            }
        };
        out.truncate(start + written);
    }
}

fn opus_encoder() -> Result<opus::Encoder, MixerError> {
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(OPUS_BITS_PER_SECOND))?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(OPUS_LOSS_PERCENT)?;
    encoder.set_complexity(OPUS_COMPLEXITY)?;
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use media::FRAME_SAMPLES;

    use super::*;
    use crate::tones::{amplitude, sine};

    const ALL: [AudioCodec; 4] = [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus];

    #[test]
    fn every_codec_carries_a_tone() {
        for codec in ALL {
            let (mut encoder, mut decoder) = (Encoder::new(codec).unwrap(), Decoder::new(codec).unwrap());
            let (rate, samples) = (codec.sample_rate(), RateClass::of(codec).samples());
            let mut heard = Vec::new();
            for chunk in sine(440.0, 0.3, rate, samples * 50).chunks_exact(samples) {
                let mut payload = Vec::new();
                encoder.encode(chunk, &mut payload);
                let mut frame = vec![0.0; samples];
                assert!(decoder.decode(&payload, &mut frame), "{codec}");
                heard.extend(frame);
            }
            let level = amplitude(&heard[samples * 10..], 440.0, rate);
            assert!((level - 0.3).abs() < 0.03, "{codec}: {level}");
        }
    }

    #[test]
    fn nonsense_sounds_like_a_lost_packet() {
        for codec in ALL {
            let mut decoder = Decoder::new(codec).unwrap();
            let mut frame = vec![1.0; RateClass::of(codec).samples()];
            let nonsense: &[u8] = if codec == AudioCodec::Opus { &[0xff; 900] } else { &[0x55; 7] };
            assert!(!decoder.decode(nonsense, &mut frame), "{codec}");
            assert!(frame.iter().all(|sample| sample.abs() < 0.01), "{codec}");
        }
    }

    // product: P10
    #[test]
    fn opus_redundancy_restores_a_lost_packet() {
        let (mut encoder, mut decoder) =
            (Encoder::new(AudioCodec::Opus).unwrap(), Decoder::new(AudioCodec::Opus).unwrap());
        // The tone changes with the lost packet, so that going on with the old one is no restoration.
        let mut sound = sine(300.0, 0.3, SAMPLE_RATE, FRAME_SAMPLES * 30);
        sound.extend(sine(900.0, 0.3, SAMPLE_RATE, FRAME_SAMPLES * 10));
        let mut payloads = Vec::new();
        for chunk in sound.as_chunks::<FRAME_SAMPLES>().0 {
            let mut payload = Vec::new();
            encoder.encode(chunk, &mut payload);
            payloads.push(payload);
        }
        let mut frame = [0.0; FRAME_SAMPLES];
        for payload in &payloads[..30] {
            decoder.decode(payload, &mut frame);
        }
        decoder.conceal(Some(&payloads[31]), &mut frame);
        let (new, old) = (amplitude(&frame, 900.0, SAMPLE_RATE), amplitude(&frame, 300.0, SAMPLE_RATE));
        assert!(new > 0.05 && new > 2.0 * old, "new tone {new}, old tone {old}");
    }
}
