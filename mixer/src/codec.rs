//! One direction of one codec, between 20 ms payloads and 48 kHz frames.

use audio_codec::{g722, pcma, pcmu};
use media::{AudioCodec, FRAME_SAMPLES, Frame, SAMPLE_RATE};
use opus::{Application, Bitrate, Channels};

use crate::{
    MixerError,
    conceal::Concealer,
    resample::{Downsampler, Upsampler},
};

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
    up: Upsampler,
}

impl Decoder {
    pub(crate) fn new(codec: AudioCodec) -> Result<Self, MixerError> {
        let telephone = |codec_box: Box<dyn audio_codec::Decoder>| {
            let rate = codec.sample_rate();
            Self::Telephone(Box::new(TelephoneDecoder {
                codec: codec_box,
                samples: (rate / 50) as usize,
                concealer: Concealer::new(rate as usize),
                up: Upsampler::new((SAMPLE_RATE / rate) as usize),
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
    pub(crate) fn decode(&mut self, payload: &[u8], frame: &mut Frame) -> bool {
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
    pub(crate) fn conceal(&mut self, next: Option<&[u8]>, frame: &mut Frame) {
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

fn decode_opus(decoder: &mut opus::Decoder, payload: &[u8], fec: bool, frame: &mut Frame) -> bool {
    // A packet of another duration than 20 ms can't be one tick's sound: longer ones don't fit and are an error,
    // shorter ones leave the rest silent.
    match decoder.decode_float(payload, frame, fec) {
        Ok(samples) => {
            frame[samples.min(FRAME_SAMPLES)..].fill(0.0);
            frame.iter().all(|sample| sample.is_finite())
        }
        Err(_) => false,
    }
}

impl TelephoneDecoder {
    fn decode(&mut self, payload: &[u8], frame: &mut Frame) -> bool {
        let mut pcm = [0i16; NARROW_MAX];
        let Ok(samples) = self.codec.decode_into(payload, &mut pcm) else { return false };
        if samples != self.samples {
            return false;
        }
        let mut narrow = [0.0f32; NARROW_MAX];
        for (sample, pcm) in narrow.iter_mut().zip(&pcm[..samples]) {
            *sample = f32::from(*pcm) / 32_768.0;
        }
        self.concealer.good(&mut narrow[..samples]);
        self.up.process(&narrow[..samples], frame);
        true
    }

    fn conceal(&mut self, frame: &mut Frame) {
        let mut narrow = [0.0f32; NARROW_MAX];
        self.concealer.lost(&mut narrow[..self.samples]);
        self.up.process(&narrow[..self.samples], frame);
    }
}

pub(crate) enum Encoder {
    Opus(opus::Encoder),
    Telephone(Box<TelephoneEncoder>),
}

pub(crate) struct TelephoneEncoder {
    codec: Box<dyn audio_codec::Encoder>,
    samples: usize,
    down: Downsampler,
}

impl Encoder {
    pub(crate) fn new(codec: AudioCodec) -> Result<Self, MixerError> {
        let telephone = |codec_box: Box<dyn audio_codec::Encoder>| {
            let rate = codec.sample_rate();
            Self::Telephone(Box::new(TelephoneEncoder {
                codec: codec_box,
                samples: (rate / 50) as usize,
                down: Downsampler::new((SAMPLE_RATE / rate) as usize),
            }))
        };
        Ok(match codec {
            AudioCodec::Opus => Self::Opus(opus_encoder()?),
            AudioCodec::Pcmu => telephone(Box::new(pcmu::PcmuEncoder::new())),
            AudioCodec::Pcma => telephone(Box::new(pcma::PcmaEncoder::new())),
            AudioCodec::G722 => telephone(Box::new(g722::G722Encoder::new())),
        })
    }

    /// Appends one payload to `out`.
    pub(crate) fn encode(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        out.clear();
        out.resize(OPUS_PAYLOAD_MAX, 0);
        let written = match self {
            Self::Opus(encoder) => encoder.encode_float(frame, out).unwrap_or(0),
            Self::Telephone(encoder) => {
                let mut narrow = [0.0f32; NARROW_MAX];
                let narrow = &mut narrow[..encoder.samples];
                encoder.down.process(frame, narrow);
                let mut pcm = [0i16; NARROW_MAX];
                for (pcm, sample) in pcm.iter_mut().zip(narrow.iter()) {
                    // The cast saturates.
                    *pcm = (sample * 32_767.0).round() as i16;
                }
                encoder.codec.encode_into(&pcm[..encoder.samples], out).unwrap_or(0)
            }
        };
        out.truncate(written);
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
    use super::*;
    use crate::tones::{amplitude, sine};

    const ALL: [AudioCodec; 4] = [AudioCodec::Pcmu, AudioCodec::Pcma, AudioCodec::G722, AudioCodec::Opus];

    #[test]
    fn every_codec_carries_a_tone() {
        for codec in ALL {
            let (mut encoder, mut decoder) = (Encoder::new(codec).unwrap(), Decoder::new(codec).unwrap());
            let sound = sine(440.0, 0.3, SAMPLE_RATE, FRAME_SAMPLES * 50);
            let (mut payload, mut heard) = (Vec::new(), Vec::new());
            for chunk in sound.as_chunks::<FRAME_SAMPLES>().0 {
                encoder.encode(chunk, &mut payload);
                let mut frame = [0.0; FRAME_SAMPLES];
                assert!(decoder.decode(&payload, &mut frame), "{codec}");
                heard.extend(frame);
            }
            let level = amplitude(&heard[FRAME_SAMPLES * 10..], 440.0, SAMPLE_RATE);
            assert!((level - 0.3).abs() < 0.03, "{codec}: {level}");
        }
    }

    #[test]
    fn nonsense_sounds_like_a_lost_packet() {
        for codec in ALL {
            let mut decoder = Decoder::new(codec).unwrap();
            let mut frame = [1.0; FRAME_SAMPLES];
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
