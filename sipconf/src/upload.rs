//! Sound that a site hands in for its own prompts (P3): WAV or Ogg Opus, checked, brought to 48 kHz mono, to the loudness of the
//! others and into an Ogg Opus file of our own, so that what is kept is always what was tried.

use std::{f64::consts::PI, io::Cursor};

use hound::{SampleFormat, WavReader};
use media::SAMPLE_RATE;
use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder};

use crate::{
    loudness::lufs,
    ogg_opus::{OggOpus, OggOpusError},
};

/// Bytes of a file that are looked at: half a minute of the largest kind there is, 48 kHz in stereo with 32 bits.
pub const UPLOAD_BYTES_MAX: usize = 12 << 20;

/// No prompt is longer: who is told more than that has hung up.
const SECONDS_MAX: f64 = 30.0;
/// And none is shorter: a click.
const SECONDS_MIN: f64 = 0.2;

/// Rates of files people have.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=96_000;

/// Where the prompts of the product lie.
const LOUDNESS_LUFS: f64 = -19.0;

/// Peaks after that; codecs overshoot a little.
const PEAK: f32 = 0.75;

/// What is softer is silence, whatever one does to it.
const SOFTEST_LUFS: f64 = -50.0;

/// As of the prompts of the product: speech that nothing is missing of.
const BITS_PER_SECOND: i32 = 28_000;

/// Samples of an Opus packet: 20 ms.
const FRAME: usize = SAMPLE_RATE as usize / 50;

/// Packets of an Ogg page: a second.
const PAGE_PACKETS: usize = 50;

/// Taps on either side of the resampler's middle, at the lower rate.
const SINC_REACH: f64 = 16.0;

/// What was made of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Ogg Opus, 48 kHz mono.
    pub file: Vec<u8>,
    /// How long it is.
    pub seconds: f64,
}

/// Why a file is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Neither kind.
    #[error("neither a WAV file nor an Ogg Opus file")]
    Kind,
    /// More than [`UPLOAD_BYTES_MAX`].
    #[error("larger than {UPLOAD_BYTES_MAX} bytes")]
    TooLarge,
    /// A WAV file that can't be read.
    #[error("not a WAV file of PCM in 8 to 32 bits or floats: {0}")]
    Wav(#[source] hound::Error),
    /// An Ogg Opus file that can't be read.
    #[error("not an Ogg Opus file of one channel: {0}")]
    Opus(String),
    /// Another rate.
    #[error("{0} samples a second: 8000 to 96000 can be taken")]
    Rate(u32),
    /// Other channels.
    #[error("{0} channels: one or two can be taken")]
    Channels(u16),
    /// Longer or shorter.
    #[error("{0:.1} seconds: prompts are between {SECONDS_MIN} and {SECONDS_MAX} seconds")]
    Length(f64),
    /// Nothing is heard.
    #[error("silence")]
    Silent,
    /// The encoder.
    #[error("can't be encoded")]
    Encode,
}

/// Reads a file and makes a prompt of it.
pub fn take(file: &[u8]) -> Result<Taken, UploadError> {
    if file.len() > UPLOAD_BYTES_MAX {
        return Err(UploadError::TooLarge);
    }
    let samples = match file {
        [b'R', b'I', b'F', b'F', ..] => read_wav(file)?,
        [b'O', b'g', b'g', b'S', ..] => read_opus(file)?,
        _ => return Err(UploadError::Kind),
    };
    let seconds = samples.len() as f64 / f64::from(SAMPLE_RATE);
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
        return Err(UploadError::Length(seconds));
    }
    let samples = levelled(samples)?;
    let file = encode(&samples).ok_or(UploadError::Encode)?;
    Ok(Taken { file, seconds })
}

fn read_opus(file: &[u8]) -> Result<Vec<f32>, UploadError> {
    let error = |error: OggOpusError| UploadError::Opus(error.to_string());
    OggOpus::parse(file).and_then(|opus| opus.decode()).map_err(error)
}

fn read_wav(file: &[u8]) -> Result<Vec<f32>, UploadError> {
    let mut reader = WavReader::new(Cursor::new(file)).map_err(UploadError::Wav)?;
    let spec = reader.spec();
    if !RATES.contains(&spec.sample_rate) {
        return Err(UploadError::Rate(spec.sample_rate));
    }
    let channels = match spec.channels {
        1 | 2 => usize::from(spec.channels),
        channels => return Err(UploadError::Channels(channels)),
    };
    // Before anything is read: the header says how much it will be.
    let seconds = f64::from(reader.duration()) / f64::from(spec.sample_rate);
    if seconds > SECONDS_MAX {
        return Err(UploadError::Length(seconds));
    }
    let read: Result<Vec<f32>, hound::Error> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect(),
        SampleFormat::Int => {
            let full = f64::from(spec.bits_per_sample.clamp(1, 32) - 1).exp2();
            reader.samples::<i32>().map(|sample| sample.map(|sample| (f64::from(sample) / full) as f32)).collect()
        }
    };
    let read = read.map_err(UploadError::Wav)?;
    if read.iter().any(|sample| !sample.is_finite()) {
        return Err(UploadError::Wav(hound::Error::FormatError("a sample that is no number")));
    }
    let mono: Vec<f32> = read.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    Ok(resampled(&mono, spec.sample_rate))
}

/// By a windowed sinc. It is done once for each file that is handed in, and need not be quick.
fn resampled(samples: &[f32], rate: u32) -> Vec<f32> {
    if rate == SAMPLE_RATE {
        return samples.to_vec();
    }
    let ratio = f64::from(rate) / f64::from(SAMPLE_RATE);
    // Of the lower of both rates, so that nothing is folded back.
    let cutoff = (1.0 / ratio).min(1.0) * 0.95;
    let reach = SINC_REACH / cutoff;
    let count = (samples.len() as f64 / ratio) as usize;
    let tap = |distance: f64| {
        if distance.abs() >= reach {
            return 0.0;
        }
        let x = PI * distance * cutoff;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        // Hann's window.
        sinc * cutoff * (0.5 + 0.5 * (PI * distance / reach).cos())
    };
    let at = |n: usize| {
        let middle = n as f64 * ratio;
        let first = (middle - reach).ceil().max(0.0) as usize;
        let last = ((middle + reach) as usize).min(samples.len().saturating_sub(1));
        (first..=last).map(|k| f64::from(samples[k]) * tap(middle - k as f64)).sum::<f64>() as f32
    };
    (0..count).map(at).collect()
}

/// As loud as the others, without clipping.
fn levelled(mut samples: Vec<f32>) -> Result<Vec<f32>, UploadError> {
    let loudness = lufs(&samples).filter(|loudness| *loudness > SOFTEST_LUFS).ok_or(UploadError::Silent)?;
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = (10_f64.powf((LOUDNESS_LUFS - loudness) / 20.0) as f32).min(PEAK / peak.max(1e-6));
    samples.iter_mut().for_each(|sample| *sample *= gain);
    Ok(samples)
}

/// RFC 7845.
fn encode(samples: &[f32]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip).ok()?;
    encoder.set_bitrate(Bitrate::Bits(BITS_PER_SECOND)).ok()?;
    let pre_skip = u16::try_from(encoder.get_lookahead().ok()?).ok()?;
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&7_u32.to_le_bytes());
    tags.extend_from_slice(b"Huitong");
    tags.extend_from_slice(&0_u32.to_le_bytes());
    let mut writer = PacketWriter::new(Vec::new());
    // One stream a file; its number says nothing.
    let serial = 1;
    writer.write_packet(head, serial, PacketWriteEndInfo::EndPage, 0).ok()?;
    writer.write_packet(tags, serial, PacketWriteEndInfo::EndPage, 0).ok()?;
    // What the encoder holds back comes out with silence behind the end.
    let whole = samples.len() + usize::from(pre_skip);
    let packets = whole.div_ceil(FRAME);
    let mut frame = [0.0; FRAME];
    for number in 0..packets {
        let begin = (number * FRAME).min(samples.len());
        let part = &samples[begin..(begin + FRAME).min(samples.len())];
        frame[..part.len()].copy_from_slice(part);
        frame[part.len()..].fill(0.0);
        let packet = encoder.encode_vec_float(&frame, 1_500).ok()?;
        let (end, position) = match number + 1 {
            last if last == packets => (PacketWriteEndInfo::EndStream, whole),
            next if next % PAGE_PACKETS == 0 => (PacketWriteEndInfo::EndPage, next * FRAME),
            next => (PacketWriteEndInfo::NormalPacket, next * FRAME),
        };
        writer.write_packet(packet, serial, end, position as u64).ok()?;
    }
    Some(writer.into_inner())
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use hound::{WavSpec, WavWriter};

    use super::*;
    use crate::{Language, Prompt};

    fn wav(rate: u32, channels: u16, bits: u16, format: SampleFormat, seconds: f32, amplitude: f32) -> Vec<u8> {
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
        let mut out = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut out, spec).unwrap();
        for n in 0..(seconds * rate as f32) as usize {
            let sample = amplitude * (TAU * 600.0 * n as f32 / rate as f32).sin();
            for _ in 0..channels {
                match format {
                    SampleFormat::Float => writer.write_sample(sample).unwrap(),
                    SampleFormat::Int => {
                        writer.write_sample((sample * (f32::from(bits - 1).exp2() - 1.0)) as i32).unwrap()
                    }
                }
            }
        }
        writer.finalize().unwrap();
        out.into_inner()
    }

    /// The part of a sound that is a tone of 600 Hz, and all of it; root mean squares.
    fn tone_and_all(samples: &[f32]) -> (f32, f32) {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let turn = |n: usize| TAU * 600.0 * n as f32 / SAMPLE_RATE as f32;
        let sum = |of: &dyn Fn(f32) -> f32| middle.iter().enumerate().map(|(n, s)| s * of(turn(n))).sum::<f32>();
        let count = middle.len() as f32;
        let tone = 2.0 * (sum(&f32::sin).powi(2) + sum(&f32::cos).powi(2)).sqrt() / count / 2_f32.sqrt();
        (tone, (middle.iter().map(|s| s * s).sum::<f32>() / count).sqrt())
    }

    // product: P3
    #[test]
    fn files_of_every_kind_become_prompts_of_one_loudness() {
        let check = |file: &[u8], name: &str| {
            let taken = take(file).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!((taken.seconds - 2.0).abs() < 0.01, "{name}: {} s", taken.seconds);
            let heard = OggOpus::parse(&taken.file).unwrap().decode().unwrap();
            assert!((heard.len() as f64 / 48_000.0 - 2.0).abs() < 0.01, "{name}");
            let (tone, all) = tone_and_all(&heard);
            assert!(tone > 0.97 * all, "{name}: {tone} of {all} is the tone");
            let loudness = lufs(&heard).unwrap();
            assert!((loudness - LOUDNESS_LUFS).abs() < 1.0, "{name}: {loudness} LUFS");
        };
        for rate in [8_000, 11_025, 16_000, 44_100, 48_000, 96_000] {
            check(&wav(rate, 1, 16, SampleFormat::Int, 2.0, 0.05), &format!("{rate} Hz"));
        }
        check(&wav(48_000, 2, 24, SampleFormat::Int, 2.0, 0.5), "stereo, 24 bits");
        check(&wav(16_000, 1, 8, SampleFormat::Int, 2.0, 0.5), "8 bits");
        check(&wav(44_100, 2, 32, SampleFormat::Float, 2.0, 0.9), "floats");
        let again = take(&wav(16_000, 1, 16, SampleFormat::Int, 2.0, 0.1)).unwrap().file;
        check(&again, "Ogg Opus");
    }

    // product: P3; trap: wrong sound format
    #[test]
    fn what_is_no_prompt_is_refused_with_its_reason() {
        let check = |file: &[u8], reason: &str| {
            let error = take(file).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}, not {reason}");
        };
        check(b"", "neither a WAV");
        check(b"ID3\x04 an MP3", "neither a WAV");
        check(b"RIFF", "not a WAV file");
        check(b"OggS", "not an Ogg Opus");
        check(&vec![0; UPLOAD_BYTES_MAX + 1], "larger than");
        check(&wav(8_000, 1, 16, SampleFormat::Int, 31.0, 0.1), "31.0 seconds");
        check(&wav(8_000, 1, 16, SampleFormat::Int, 0.1, 0.1), "0.1 seconds");
        check(&wav(8_000, 1, 16, SampleFormat::Int, 1.0, 0.0), "silence");
        check(&wav(4_000, 1, 16, SampleFormat::Int, 1.0, 0.1), "4000 samples");
        check(&wav(8_000, 3, 16, SampleFormat::Int, 1.0, 0.1), "3 channels");
        check(&wav(48_000, 1, 32, SampleFormat::Float, 1.0, f32::INFINITY), "no number");
    }

    // trap: wrong sound format. Any byte of a good file may be another, and it may end anywhere.
    #[test]
    fn a_damaged_file_breaks_nothing() {
        let files = [
            wav(8_000, 1, 16, SampleFormat::Int, 0.3, 0.1),
            wav(8_000, 2, 32, SampleFormat::Float, 0.3, 0.1),
            Prompt::Muted.file(Language::EnUs).to_vec(),
        ];
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize
        };
        for file in files {
            // Most of what matters stands in the first hundred bytes.
            for _ in 0..60 {
                let mut damaged = file.clone();
                for _ in 0..=random() % 4 {
                    let at = random() % if random() % 2 == 0 { 100 } else { damaged.len() };
                    damaged[at] = random() as u8;
                }
                damaged.truncate(if random() % 3 == 0 { random() % damaged.len() } else { damaged.len() });
                let _ = take(&damaged);
            }
        }
    }
}
