//! One direction of one codec, between payloads and sound of 20 ms at the codec's own rate.

use audio_codec::{g722, pcma, pcmu};
use media::{AudioCodec, AudioLevel, SAMPLE_RATE};
use opus::{Application, Bandwidth, Bitrate, Channels};

use crate::{MixerError, conceal::Concealer, resample::RateClass};

/// Opus towards phones and as a phone's own track. 32 kbit/s is transparent for one voice with room for the
/// redundancy; more would only cost the caller's network.
const OPUS_BITS_PER_SECOND: i32 = 32_000;

/// Expected loss, which makes the encoder spend on redundancy (RFC 6716 §2.1.7). 10 % covers a bad mobile line.
pub(crate) const OPUS_LOSS_PERCENT: u8 = 10;

/// More than this is not expected, whatever is told: the redundancy would take what the voice needs.
const OPUS_LOSS_PERCENT_MAX: u8 = 40;

/// 1 of 10: two fifths of the time that 5 takes. Of the shipped speech at this bit rate, neither the spectral distance nor the noise is more
/// than with any higher one (5.2 dB and 6.3 dB against 5.5 and 5.9 with 10).
const OPUS_COMPLEXITY: i32 = 1;

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

    /// Payloads before this one were not decoded; the last of them was this, where the codec has a memory.
    pub(crate) fn catch_up(&mut self, last: &[u8], frame: &mut [f32]) {
        match self {
            Self::Telephone(decoder) if last.is_empty() => decoder.forget(),
            Self::Telephone(_) | Self::Opus(_) => {
                self.decode(last, frame);
            }
        }
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

/// How loud a payload is, where that can be seen without decoding it: of G.711 by its bytes; an Opus packet in which its sender heard
/// no voice (RFC 6716 §4.2.3) is silence.
pub(crate) fn loudness_of(codec: AudioCodec, payload: &[u8]) -> Option<AudioLevel> {
    match codec {
        AudioCodec::Opus => (!opus_may_be_voice(payload)).then_some(AudioLevel::SILENT),
        AudioCodec::Pcmu | AudioCodec::Pcma | AudioCodec::G722 => AudioLevel::of_payload(codec, payload),
    }
}

/// False when the packet says that there is no voice in it. One frame of 20 ms in mono says so by the first bit after the first
/// byte, in all modes but that for music.
///
/// ```text
///  0 1 2 3 4 5 6 7 8
/// | config  |s| c |V …
/// ```
fn opus_may_be_voice(payload: &[u8]) -> bool {
    let [toc, first, ..] = *payload else { return false };
    let (is_speech_mode, is_stereo, frames) = (toc >> 3 < 16, toc & 4 != 0, toc & 3);
    // Longer frames have more such bits, and stereo a second channel: those are decoded to be heard.
    let is_short = matches!(toc >> 3, 0 | 1 | 4 | 5 | 8 | 9 | 12..=15);
    !is_speech_mode || is_stereo || frames != 0 || !is_short || first & 0x80 != 0
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

    /// What came meanwhile was not decoded.
    fn forget(&mut self) {
        self.concealer.forget();
    }

    fn conceal(&mut self, frame: &mut [f32]) {
        self.concealer.lost(frame);
    }
}

pub(crate) enum Encoder {
    Opus(opus::Encoder),
    G722(Box<g722::G722Encoder>),
    /// Without a memory.
    G711(Box<dyn audio_codec::Encoder>),
}

impl Encoder {
    pub(crate) fn new(codec: AudioCodec) -> Result<Self, MixerError> {
        Ok(match codec {
            AudioCodec::Opus => Self::Opus(opus_encoder()?),
            AudioCodec::Pcmu => Self::G711(Box::new(pcmu::PcmuEncoder::new())),
            AudioCodec::Pcma => Self::G711(Box::new(pcma::PcmaEncoder::new())),
            AudioCodec::G722 => Self::G722(Box::new(g722::G722Encoder::new())),
        })
    }

    /// It has encoded nothing, as when it was made.
    fn forget(&mut self) {
        match self {
            Self::Opus(encoder) => {
                // There is no state in which it refuses.
                let _ = encoder.reset_state();
                self.expect_loss(OPUS_LOSS_PERCENT);
            }
            Self::G722(encoder) => **encoder = g722::G722Encoder::new(),
            Self::G711(_) => {}
        }
    }

    /// From now on so much of what is encoded is lost: Opus spends on redundancy what that asks for. The others have none.
    pub(crate) fn expect_loss(&mut self, percent: u8) {
        let Self::Opus(encoder) = self else { return };
        // The redundancy repeats what is under 8 kHz alone: on a bad line, bits for more would be taken from it.
        let is_bad = percent > OPUS_LOSS_PERCENT;
        let bandwidth = if is_bad { Bandwidth::Wideband } else { Bandwidth::Fullband };
        let percent = percent.clamp(OPUS_LOSS_PERCENT, OPUS_LOSS_PERCENT_MAX);
        // Refused only for what is no percentage, or no bandwidth.
        let _ = encoder.set_packet_loss_perc(i32::from(percent)).and_then(|()| encoder.set_max_bandwidth(bandwidth));
    }

    /// Appends one payload to `out`.
    pub(crate) fn encode(&mut self, frame: &[f32], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + OPUS_PAYLOAD_MAX, 0);
        let room = &mut out[start..];
        let written = match self {
            Self::Opus(encoder) => encoder.encode_float(frame, room).unwrap_or(0),
            Self::G722(encoder) => encode_telephone(&mut **encoder, frame, room),
            Self::G711(encoder) => encode_telephone(&mut **encoder, frame, room),
        };
        out.truncate(start + written);
    }
}

fn encode_telephone(encoder: &mut dyn audio_codec::Encoder, frame: &[f32], room: &mut [u8]) -> usize {
    let mut pcm = [0i16; NARROW_MAX];
    for (pcm, sample) in pcm.iter_mut().zip(frame) {
        // To the nearest; the cast saturates.
        *pcm = (sample * 32_767.0 + 0.5f32.copysign(*sample)) as i16;
    }
    encoder.encode_into(&pcm[..frame.len().min(NARROW_MAX)], room).unwrap_or(0)
}

/// Encoders that somebody had for himself and will be somebody's again: whoever begins to speak gets one without asking the system for memory.
#[derive(Default)]
pub(crate) struct Spares(Vec<(AudioCodec, Encoder)>);

/// Encoders kept: as many as the loudest have when all of them fall silent, and some of those who were prompted. One of Opus takes 30 KiB.
const SPARES_MAX: usize = 16;

impl Spares {
    /// One that has encoded nothing; none where there is no memory for it.
    pub(crate) fn take(&mut self, codec: AudioCodec) -> Option<Encoder> {
        let Some(at) = self.0.iter().position(|(of, _)| *of == codec) else { return Encoder::new(codec).ok() };
        let (_, mut encoder) = self.0.swap_remove(at);
        encoder.forget();
        Some(encoder)
    }

    pub(crate) fn put(&mut self, codec: AudioCodec, encoder: Option<Encoder>) {
        if let Some(encoder) = encoder.filter(|_| self.0.len() < SPARES_MAX) {
            self.0.reserve_exact(SPARES_MAX - self.0.len());
            self.0.push((codec, encoder));
        }
    }
}

fn opus_encoder() -> Result<opus::Encoder, MixerError> {
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(OPUS_BITS_PER_SECOND))?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(i32::from(OPUS_LOSS_PERCENT))?;
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
    fn loudness_is_seen_without_decoding() {
        for codec in [AudioCodec::Pcmu, AudioCodec::Pcma] {
            let (mut encoder, mut decoder) = (Encoder::new(codec).unwrap(), Decoder::new(codec).unwrap());
            for amplitude in [0.9, 0.1, 0.01, 0.000_5] {
                let (mut payload, mut frame) = (Vec::new(), [0.0; 160]);
                encoder.encode(&sine(440.0, amplitude, 8_000, 160), &mut payload);
                decoder.decode(&payload, &mut frame);
                assert_eq!(loudness_of(codec, &payload), Some(AudioLevel::of(&frame)), "{codec} at {amplitude}");
            }
        }
        assert_eq!(loudness_of(AudioCodec::G722, &[0; 160]), None);
    }

    // RFC 6716 §4.2.3
    #[test]
    fn opus_says_itself_whether_somebody_speaks() {
        let mut ear = crate::bench::Ear::new(AudioCodec::Opus).unwrap();
        let prompts = sipconf::Prompts::load().unwrap();
        let said = prompts.clip(sipconf::Language::ZhCn, sipconf::Prompt::Help);
        let mut payloads = crate::bench::speech(AudioCodec::Opus, &said.samples()).unwrap();
        payloads.extend(crate::bench::mark(AudioCodec::Opus).unwrap());
        let loud: Vec<_> = payloads.iter().filter(|payload| ear.loudness(payload) > 0.1).collect();
        assert!(loud.len() > 25 && loud.iter().all(|payload| opus_may_be_voice(payload)), "a voice is passed over");
        let noise = crate::bench::noise(AudioCodec::Opus).unwrap();
        let voiced = noise.iter().skip(10).filter(|payload| opus_may_be_voice(payload)).count();
        assert!(voiced * 10 < noise.len(), "{voiced} of {} payloads of noise", noise.len());
        assert!(!opus_may_be_voice(&[]));
    }

    #[test]
    fn an_encoder_that_is_used_again_remembers_nothing() {
        for codec in [AudioCodec::G722, AudioCodec::Opus] {
            let samples = RateClass::of(codec).samples();
            let sound = sine(440.0, 0.3, codec.sample_rate(), samples * 20);
            let said = |encoder: &mut Encoder| {
                let mut payloads = Vec::new();
                sound.chunks_exact(samples).for_each(|frame| encoder.encode(frame, &mut payloads));
                payloads
            };
            let mut spares = Spares::default();
            let mut encoder = spares.take(codec).unwrap();
            let first = said(&mut encoder);
            assert_ne!(said(&mut encoder), first, "{codec} has a memory");
            encoder.expect_loss(30);
            spares.put(codec, Some(encoder));
            let mut encoder = spares.take(codec).unwrap();
            assert!(spares.0.is_empty(), "it is that one");
            assert_eq!(said(&mut encoder), first, "{codec}");
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
