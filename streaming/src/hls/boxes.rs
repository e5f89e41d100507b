//! ISO base media files as players want them from HLS: an initialization segment for each track, and a `moof` and
//! `mdat` for each part (ISO 14496-12, CMAF ISO 23000-19).

use bytes::{BufMut, Bytes};

use crate::wire::Format;

/// Ticks a second of the picture's times.
pub(crate) const VIDEO_TIMESCALE: u32 = 90_000;

/// The number of a file's first track. A rendition's file has no other.
pub(crate) const TRACK_ID: u32 = 1;

/// `sample_flags`, ISO 14496-12 §8.8.3.1: needs no other sample.
const SYNC: u32 = 0x0200_0000;

/// Needs others, and isn't a place to begin.
const NOT_SYNC: u32 = 0x0101_0000;

/// The identity transformation in 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// One coded picture or frame of sound, with times in the track's timescale.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) start: u64,
    pub(crate) duration: u32,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

/// Ticks a second of a track's times: for sound one a sample.
pub(crate) fn timescale(format: &Format) -> u32 {
    match format {
        Format::Video { .. } => VIDEO_TIMESCALE,
        Format::Audio { rate, .. } => *rate,
    }
}

/// What a player loads once, before the first part. The tracks are numbered from [`TRACK_ID`] in this order.
pub(crate) fn init_segment(formats: &[&Format]) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    boxed(&mut out, b"ftyp", |out| {
        out.put_slice(b"iso6\0\0\0\0iso6cmfcmp41");
    });
    boxed(&mut out, b"moov", |out| {
        full(out, b"mvhd", 0, 0, |out| {
            out.put_bytes(0, 8);
            out.put_u32(1_000);
            out.put_u32(0);
            out.put_u32(0x1_0000); // Rate 1.
            out.put_u16(0x100); // Volume 1.
            out.put_bytes(0, 10);
            MATRIX.iter().for_each(|number| out.put_u32(*number));
            out.put_bytes(0, 24);
            out.put_u32(TRACK_ID + length(formats.len()));
        });
        (TRACK_ID..).zip(formats).for_each(|(id, format)| track(out, id, format));
        boxed(out, b"mvex", |out| {
            for (id, _) in (TRACK_ID..).zip(formats) {
                full(out, b"trex", 0, 0, |out| {
                    out.put_u32(id);
                    out.put_u32(1); // The only sample description.
                    out.put_bytes(0, 12);
                });
            }
        });
    });
    out.into()
}

/// What a player adds to what it has.
pub(crate) fn fragment(sequence: u32, track_id: u32, samples: &[Sample]) -> Bytes {
    let data_len: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let mut out = Vec::with_capacity(data_len + samples.len() * 12 + 128);
    let mut offset_at = 0;
    boxed(&mut out, b"moof", |out| {
        full(out, b"mfhd", 0, 0, |out| out.put_u32(sequence));
        boxed(out, b"traf", |out| {
            // default-base-is-moof: offsets count from the start of this moof.
            full(out, b"tfhd", 0, 0x02_0000, |out| out.put_u32(track_id));
            full(out, b"tfdt", 1, 0, |out| out.put_u64(samples.first().map_or(0, |sample| sample.start)));
            // Present: data offset, and of each sample duration, size and flags.
            full(out, b"trun", 0, 0x00_0701, |out| {
                out.put_u32(length(samples.len()));
                offset_at = out.len();
                out.put_u32(0);
                for sample in samples {
                    out.put_u32(sample.duration);
                    out.put_u32(length(sample.data.len()));
                    out.put_u32(if sample.keyframe { SYNC } else { NOT_SYNC });
                }
            });
        });
    });
    let offset = length(out.len() + 8);
    out[offset_at..offset_at + 4].copy_from_slice(&offset.to_be_bytes());
    boxed(&mut out, b"mdat", |out| samples.iter().for_each(|sample| out.put_slice(&sample.data)));
    out.into()
}

fn track(out: &mut Vec<u8>, id: u32, format: &Format) {
    let (width, height) = match format {
        Format::Video { width, height, .. } => (*width, *height),
        Format::Audio { .. } => (0, 0),
    };
    boxed(out, b"trak", |out| {
        // Enabled, in the movie, in the preview.
        full(out, b"tkhd", 0, 7, |out| {
            out.put_bytes(0, 8);
            out.put_u32(id);
            out.put_bytes(0, 20);
            out.put_u16(if width == 0 { 0x100 } else { 0 }); // Volume 1 for sound.
            out.put_u16(0);
            MATRIX.iter().for_each(|number| out.put_u32(*number));
            out.put_u32(u32::from(width) << 16);
            out.put_u32(u32::from(height) << 16);
        });
        boxed(out, b"mdia", |out| {
            full(out, b"mdhd", 0, 0, |out| {
                out.put_bytes(0, 8);
                out.put_u32(timescale(format));
                out.put_u32(0);
                out.put_u16(0x55c4); // "und" in three times five bits: no language is claimed.
                out.put_u16(0);
            });
            full(out, b"hdlr", 0, 0, |out| {
                out.put_u32(0);
                out.put_slice(if width == 0 { b"soun" } else { b"vide" });
                out.put_bytes(0, 12);
                out.put_u8(0);
            });
            boxed(out, b"minf", |out| {
                match format {
                    Format::Video { .. } => full(out, b"vmhd", 0, 1, |out| out.put_bytes(0, 8)),
                    Format::Audio { .. } => full(out, b"smhd", 0, 0, |out| out.put_bytes(0, 4)),
                }
                boxed(out, b"dinf", |out| {
                    full(out, b"dref", 0, 0, |out| {
                        out.put_u32(1);
                        full(out, b"url ", 0, 1, |_| {}); // The data is in this file.
                    });
                });
                boxed(out, b"stbl", |out| {
                    full(out, b"stsd", 0, 0, |out| {
                        out.put_u32(1);
                        match format {
                            Format::Video { width, height, avcc } => avc1(out, *width, *height, avcc),
                            Format::Audio { rate, channels, config } => mp4a(out, *rate, *channels, config),
                        }
                    });
                    // No samples here: they are in the fragments.
                    full(out, b"stts", 0, 0, |out| out.put_u32(0));
                    full(out, b"stsc", 0, 0, |out| out.put_u32(0));
                    full(out, b"stsz", 0, 0, |out| out.put_u64(0));
                    full(out, b"stco", 0, 0, |out| out.put_u32(0));
                });
            });
        });
    });
}

/// `VisualSampleEntry`, ISO 14496-12 §12.1.3.
fn avc1(out: &mut Vec<u8>, width: u16, height: u16, avcc: &[u8]) {
    boxed(out, b"avc1", |out| {
        out.put_bytes(0, 6);
        out.put_u16(1);
        out.put_bytes(0, 16);
        out.put_u16(width);
        out.put_u16(height);
        out.put_u32(0x48_0000); // 72 dpi.
        out.put_u32(0x48_0000);
        out.put_u32(0);
        out.put_u16(1);
        out.put_bytes(0, 32);
        out.put_u16(24); // Colour without alpha.
        out.put_u16(0xffff);
        boxed(out, b"avcC", |out| out.put_slice(avcc));
    });
}

/// `AudioSampleEntry`, ISO 14496-12 §12.2.3, with the descriptors of ISO 14496-1 §7.2.6 in it.
fn mp4a(out: &mut Vec<u8>, rate: u32, channels: u8, config: &[u8]) {
    boxed(out, b"mp4a", |out| {
        out.put_bytes(0, 6);
        out.put_u16(1);
        out.put_bytes(0, 8);
        out.put_u16(u16::from(channels));
        out.put_u16(16);
        out.put_u32(0);
        out.put_u32(rate << 16);
        full(out, b"esds", 0, 0, |out| {
            descriptor(out, 0x03, |out| {
                out.put_u16(0);
                out.put_u8(0);
                descriptor(out, 0x04, |out| {
                    out.put_u8(0x40); // MPEG-4 audio.
                    out.put_u8(0x15); // An audio stream.
                    out.put_bytes(0, 11); // Buffer size and bit rates: not told.
                    descriptor(out, 0x05, |out| out.put_slice(config));
                });
                descriptor(out, 0x06, |out| out.put_u8(2));
            });
        });
    });
}

/// A box: its length, its name, what is in it.
fn boxed(out: &mut Vec<u8>, name: &[u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(name);
    body(out);
    let len = length(out.len() - start);
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

/// A box with version and flags.
fn full(out: &mut Vec<u8>, name: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, name, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        body(out);
    });
}

/// A descriptor with a length of one byte; all of ours are short.
fn descriptor(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_slice(&[tag, 0]);
    body(out);
    out[start + 1] = u8::try_from(out.len() - start - 2).expect("a descriptor here is a few dozen bytes").min(0x7f);
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a part is far below 4 GiB")
}
