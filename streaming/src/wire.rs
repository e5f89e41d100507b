//! What a broadcast and its studio process say to each other over their socket.
//!
//! Both ends are built from one source tree and started together, so there is no version in it. A frame is
//!
//! ```text
//! |  length (32)  | tag (8) | body (length - 1 bytes) |       numbers are big-endian
//!
//! to the studio     1 stage    JSON of Stage
//!                   2 video    participant (128) | kind (8) | codec (8) | RTP packet
//!                   3 program  20 ms of mono sound at 48 kHz, 960 samples of 16 bits
//!                   4 key frame  track (8)
//! from the studio  16 video format  track (8) | width (16) | height (16) | AVCDecoderConfigurationRecord (ISO 14496-15)
//!                  17 sound format  rate (32) | channels (8) | AudioSpecificConfig (ISO 14496-3)
//!                  18 unit     track (8) | key frame (8) | presentation time in ns (64) | coded picture or sound
//!                  19 key frame wanted  participant (128) | kind (8)
//!                  20 report   JSON of Report
//!                  21 started  microseconds since 1970 (64)
//!                  22 encoder  name of GStreamer's element, as text
//!                  23 undecodable  participant (128) | kind (8)
//!
//! to a pusher      32 target   where its name leads to, as text with spaces between | newline | address with its key
//!                  16, 17, 18, as the studio said them
//! from a pusher    33 live     (nothing)
//!                  34 failed   why, as text
//!
//! to an ingester   48 flv      what an encoder sends, as bytes of a file without an end
//!                  49 key frame wanted  (nothing)
//! from an ingester 50 packet   kind (8) | RTP packet
//!                  51 failed   why, as text
//! ```
//!
//! The studio reads the socket as its standard input and leaves when it closes.

use std::{
    io::{self, Read},
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use bytes::{Buf, BufMut, Bytes};
use media::{FRAME_SAMPLES, Frame, RtpPacket, Ssrc, TrackKind, VideoCodec};
use model::{ParticipantId, PushUrl};
use serde::{Deserialize, Serialize};

use crate::Scene;

/// Longest frame either side reads. A key frame of the picture at its highest bit rate is a tenth of it.
pub const FRAME_LEN_MAX: usize = 4 << 20;

/// The studio's RTP streams need a source of some name; each has a pipeline of its own.
pub const SSRC: Ssrc = Ssrc(1);

/// The studio's RTP streams need a payload type of some number; the codec is said beside it.
pub const PAYLOAD_TYPE: u8 = 96;

/// What the studio is to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Stands alone on the picture while nobody is in it.
    pub title: String,
    /// Who is shown.
    pub scene: Scene,
    /// On a large picture, where the studio was started for one. Once it isn't, it stays so.
    pub full_hd: bool,
    /// Of a studio for room systems, what it is to make.
    pub rooms: RoomRates,
}

/// The pictures that room systems are sent, each with its thousands of bits a second; one of 0 is not made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRates {
    /// 720 lines: [`Track::Video`].
    pub large_kbit: u32,
    /// 360 lines: [`Track::Low`].
    pub small_kbit: u32,
}

impl RoomRates {
    /// Of the large one, or of the small one.
    #[must_use]
    pub fn of(self, is_large: bool) -> u32 {
        if is_large { self.large_kbit } else { self.small_kbit }
    }
}

/// Said to the studio.
#[derive(Debug, Clone, PartialEq)]
pub enum ToStudio {
    /// Show this from now on.
    Stage(Stage),
    /// A packet of a shown track.
    Video {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        kind: TrackKind,
        /// How many milliseconds after it the voice of the same moment comes, where that is known.
        lead: Option<i16>,
        /// How the payload is encoded.
        codec: VideoCodec,
        /// With its header, see [`SSRC`] and [`PAYLOAD_TYPE`].
        rtp: Bytes,
    },
    /// The next 20 ms of all voices.
    Program(Vec<i16>),
    /// The next picture of this track is to need no other; said to studios for room systems.
    Keyframe(Track),
}

/// Said by the studio.
#[derive(Debug, Clone, PartialEq)]
pub enum FromStudio {
    /// Precedes the first unit of its track, and never changes in a studio's life.
    Format(Track, Format),
    /// The next coded picture or sound.
    Unit(AccessUnit),
    /// A decoder waits for one.
    KeyframeWanted(ParticipantId, TrackKind),
    /// Once a second.
    Report(Report),
    /// When the studio's time 0 was by the clock on the wall. Before any unit.
    Started(SystemTime),
    /// What codes its pictures: the name of GStreamer's element. The first word.
    Encoder(String),
    /// Nothing here decodes what this track is coded as: an avatar is shown. Once for each time the track is shown.
    Undecodable(ParticipantId, TrackKind),
}

/// A track of the broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Track {
    /// H.264.
    Video,
    /// AAC.
    Audio,
    /// The same picture as [`Video`](Self::Video) at a quarter of its size, for players with little bandwidth.
    Low,
    /// The same picture before it is made smaller, where the machine has time for it.
    FullHd,
}

impl Track {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Video, Self::Audio, Self::Low, Self::FullHd];

    /// It is one of pictures.
    #[must_use]
    pub fn is_picture(self) -> bool {
        match self {
            Self::Video | Self::Low | Self::FullHd => true,
            Self::Audio => false,
        }
    }

    /// Files and other servers have these; players may choose the others.
    #[must_use]
    pub fn is_main(self) -> bool {
        matches!(self, Self::Video | Self::Audio)
    }

    /// Its place in [`ALL`](Self::ALL).
    pub(crate) fn index(self) -> usize {
        usize::from(self.number())
    }

    fn number(self) -> u8 {
        match self {
            Self::Video => 0,
            Self::Audio => 1,
            Self::Low => 2,
            Self::FullHd => 3,
        }
    }

    fn read(tag: u8, frame: &mut Bytes) -> Result<Self, WireError> {
        let value = frame.try_get_u8().map_err(|_| WireError::Short { tag })?;
        Self::ALL.into_iter().find(|track| track.number() == value).ok_or(WireError::Value { tag, value })
    }
}

/// What a player must know before the first unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// H.264 with lengths before its NAL units.
    Video {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
        /// `AVCDecoderConfigurationRecord`, ISO 14496-15 §5.3.3.1.
        avcc: Bytes,
    },
    /// Raw AAC.
    Audio {
        /// Samples a second.
        rate: u32,
        /// 1 or 2.
        channels: u8,
        /// `AudioSpecificConfig`, ISO 14496-3 §1.6.2.1.
        config: Bytes,
    },
}

impl Format {
    /// The track of the large picture, or of the sound.
    #[must_use]
    pub fn track(&self) -> Track {
        match self {
            Self::Video { .. } => Track::Video,
            Self::Audio { .. } => Track::Audio,
        }
    }
}

/// One coded picture, or one coded frame of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessUnit {
    /// Which track it belongs to.
    pub track: Track,
    /// Since the studio's start; both tracks by the same clock.
    pub pts: Duration,
    /// Decoding can begin here.
    pub keyframe: bool,
    /// Without start codes or ADTS headers.
    pub data: Bytes,
}

/// What a studio did in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Pictures composed.
    pub ticks: u64,
    /// Pictures left out for want of processor time.
    pub ticks_skipped: u64,
    /// Frames of silence put in because no sound came.
    pub sound_missed: u64,
    /// Frames of sound thrown away because too many came.
    pub sound_dropped: u64,
    /// Pictures that the encoder had no time for.
    pub pictures_dropped: u64,
    /// Processor time used, in milliseconds.
    pub cpu_ms: u64,
    /// Mistakes that GStreamer's libraries have told of (GLib's critical messages).
    pub criticals: u64,
}

/// Why a frame can't be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It ends too early.
    #[error("frame {tag} is cut short")]
    Short {
        /// Its first byte.
        tag: u8,
    },
    /// No such message.
    #[error("unknown frame {0}")]
    Tag(u8),
    /// A number that stands for nothing.
    #[error("frame {tag} names {value} where that means nothing")]
    Value {
        /// Its first byte.
        tag: u8,
        /// What is said.
        value: u8,
    },
    /// A body that is no JSON of its type.
    #[error("frame body")]
    Json(#[from] serde_json::Error),
}

impl ToStudio {
    const STAGE: u8 = 1;
    const VIDEO: u8 = 2;
    const LEAD_UNKNOWN: i16 = i16::MIN;
    const PROGRAM: u8 = 3;
    const KEYFRAME: u8 = 4;

    /// Appends a stage to `out`.
    pub fn write_stage(stage: &Stage, out: &mut Vec<u8>) {
        frame(Self::STAGE, out, |out| serde_json::to_writer(out, stage).expect("a stage is plain data"));
    }

    /// Appends a packet to `out`.
    pub fn write_video(
        (participant, kind): (ParticipantId, TrackKind),
        lead: Option<i16>,
        codec: VideoCodec,
        packet: &RtpPacket<'_>,
        out: &mut Vec<u8>,
    ) {
        frame(Self::VIDEO, out, |out| {
            out.extend_from_slice(participant.uuid().as_bytes());
            out.push(kind_number(kind));
            out.push(codec_number(codec));
            out.put_i16(lead.unwrap_or(Self::LEAD_UNKNOWN));
            packet.write(out);
        });
    }

    /// Appends a frame of sound to `out`; what is louder than full scale is clipped.
    pub fn write_program(sound: &Frame, out: &mut Vec<u8>) {
        frame(Self::PROGRAM, out, |out| {
            for sample in sound {
                out.extend_from_slice(&((sample * f32::from(i16::MAX)).round() as i16).to_be_bytes());
            }
        });
    }

    /// Appends a wish to `out`.
    pub fn write_keyframe(track: Track, out: &mut Vec<u8>) {
        frame(Self::KEYFRAME, out, |out| out.push(track.number()));
    }

    /// Reads a frame without its length.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        let tag = frame.try_get_u8().map_err(|_| WireError::Short { tag: 0 })?;
        let short = |_| WireError::Short { tag };
        match tag {
            Self::STAGE => Ok(Self::Stage(serde_json::from_slice(&frame)?)),
            Self::VIDEO => {
                let participant = read_participant(tag, &mut frame)?;
                let kind = read_kind(tag, &mut frame)?;
                let codec = match frame.try_get_u8().map_err(short)? {
                    0 => VideoCodec::Vp8,
                    1 => VideoCodec::H264,
                    2 => VideoCodec::Vp9,
                    3 => VideoCodec::Av1,
                    value => return Err(WireError::Value { tag, value }),
                };
                let lead = Some(frame.try_get_i16().map_err(short)?).filter(|lead| *lead != Self::LEAD_UNKNOWN);
                Ok(Self::Video { participant, kind, lead, codec, rtp: frame })
            }
            Self::PROGRAM if frame.len() == FRAME_SAMPLES * 2 => {
                Ok(Self::Program(frame.as_chunks::<2>().0.iter().map(|bytes| i16::from_be_bytes(*bytes)).collect()))
            }
            Self::PROGRAM => Err(WireError::Short { tag }),
            Self::KEYFRAME => Ok(Self::Keyframe(Track::read(tag, &mut frame)?)),
            other => Err(WireError::Tag(other)),
        }
    }
}

impl FromStudio {
    const VIDEO_FORMAT: u8 = 16;
    const AUDIO_FORMAT: u8 = 17;
    const UNIT: u8 = 18;
    const KEYFRAME_WANTED: u8 = 19;
    const REPORT: u8 = 20;
    const STARTED: u8 = 21;
    const ENCODER: u8 = 22;
    const UNDECODABLE: u8 = 23;

    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Format(track, Format::Video { width, height, avcc }) => frame(Self::VIDEO_FORMAT, out, |out| {
                out.push(track.number());
                out.put_u16(*width);
                out.put_u16(*height);
                out.extend_from_slice(avcc);
            }),
            Self::Format(_, Format::Audio { rate, channels, config }) => frame(Self::AUDIO_FORMAT, out, |out| {
                out.put_u32(*rate);
                out.push(*channels);
                out.extend_from_slice(config);
            }),
            Self::Unit(unit) => frame(Self::UNIT, out, |out| {
                out.push(unit.track.number());
                out.push(u8::from(unit.keyframe));
                out.put_u64(u64::try_from(unit.pts.as_nanos()).unwrap_or(u64::MAX));
                out.extend_from_slice(&unit.data);
            }),
            Self::KeyframeWanted(participant, kind) => track_frame(Self::KEYFRAME_WANTED, (*participant, *kind), out),
            Self::Undecodable(participant, kind) => track_frame(Self::UNDECODABLE, (*participant, *kind), out),
            Self::Report(report) => frame(Self::REPORT, out, |out| {
                serde_json::to_writer(out, report).expect("a report is plain data");
            }),
            Self::Started(time) => frame(Self::STARTED, out, |out| {
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                out.put_u64(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
            }),
            Self::Encoder(name) => frame(Self::ENCODER, out, |out| out.extend_from_slice(name.as_bytes())),
        }
    }

    /// Reads a frame without its length.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        let tag = frame.try_get_u8().map_err(|_| WireError::Short { tag: 0 })?;
        let short = |_| WireError::Short { tag };
        match tag {
            Self::VIDEO_FORMAT => {
                let track = Track::read(tag, &mut frame)?;
                let (width, height) = (frame.try_get_u16().map_err(short)?, frame.try_get_u16().map_err(short)?);
                Ok(Self::Format(track, Format::Video { width, height, avcc: frame }))
            }
            Self::AUDIO_FORMAT => {
                let (rate, channels) = (frame.try_get_u32().map_err(short)?, frame.try_get_u8().map_err(short)?);
                Ok(Self::Format(Track::Audio, Format::Audio { rate, channels, config: frame }))
            }
            Self::UNIT => {
                let track = Track::read(tag, &mut frame)?;
                let keyframe = frame.try_get_u8().map_err(short)? != 0;
                let pts = Duration::from_nanos(frame.try_get_u64().map_err(short)?);
                Ok(Self::Unit(AccessUnit { track, pts, keyframe, data: frame }))
            }
            Self::KEYFRAME_WANTED | Self::UNDECODABLE => {
                let (participant, kind) = (read_participant(tag, &mut frame)?, read_kind(tag, &mut frame)?);
                let is_wish = tag == Self::KEYFRAME_WANTED;
                Ok(if is_wish { Self::KeyframeWanted(participant, kind) } else { Self::Undecodable(participant, kind) })
            }
            Self::REPORT => Ok(Self::Report(serde_json::from_slice(&frame)?)),
            Self::STARTED => {
                let since = Duration::from_micros(frame.try_get_u64().map_err(short)?);
                Ok(Self::Started(SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)))
            }
            Self::ENCODER => Ok(Self::Encoder(String::from_utf8_lossy(&frame).into_owned())),
            other => Err(WireError::Tag(other)),
        }
    }
}

/// Said to a pusher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToPusher {
    /// Send there. The first word. Nobody else than these addresses is to be asked or connected to.
    Target(PushUrl, Vec<SocketAddr>),
    /// Of the studio.
    Format(Format),
    /// Of the studio.
    Unit(AccessUnit),
}

impl ToPusher {
    const TARGET: u8 = 32;

    /// Appends the target to `out`.
    pub fn write_target(url: &PushUrl, addresses: &[SocketAddr], out: &mut Vec<u8>) {
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        let text = format!("{}\n{}", addresses.join(" "), url.reveal());
        frame(Self::TARGET, out, |out| out.extend_from_slice(text.as_bytes()));
    }

    /// Reads a frame without its length.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        if frame.first() == Some(&Self::TARGET) {
            frame.advance(1);
            let text = String::from_utf8_lossy(&frame);
            let (addresses, url) = text.split_once('\n').ok_or(WireError::Short { tag: Self::TARGET })?;
            let addresses = addresses.split_whitespace().map(str::parse).collect::<Result<_, _>>();
            return Ok(Self::Target(PushUrl::new(url), addresses.map_err(|_| WireError::Short { tag: Self::TARGET })?));
        }
        let tag = frame.first().copied().unwrap_or_default();
        match FromStudio::read(frame)? {
            FromStudio::Format(_, format) => Ok(Self::Format(format)),
            FromStudio::Unit(unit) => Ok(Self::Unit(unit)),
            FromStudio::KeyframeWanted(..)
            | FromStudio::Undecodable(..)
            | FromStudio::Report(_)
            | FromStudio::Started(_)
            | FromStudio::Encoder(_) => Err(WireError::Tag(tag)),
        }
    }
}

/// Said by a pusher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromPusher {
    /// The target takes what it is sent.
    Live,
    /// It takes no more. The last word.
    Failed(String),
    /// It has answered, and takes no stream by this address and key. The last word.
    Refused(String),
}

impl FromPusher {
    const LIVE: u8 = 33;
    const FAILED: u8 = 34;
    const REFUSED: u8 = 35;

    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Live => frame(Self::LIVE, out, |_| {}),
            Self::Failed(reason) => frame(Self::FAILED, out, |out| out.extend_from_slice(reason.as_bytes())),
            Self::Refused(reason) => frame(Self::REFUSED, out, |out| out.extend_from_slice(reason.as_bytes())),
        }
    }

    /// Reads a frame without its length.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        match frame.try_get_u8().map_err(|_| WireError::Short { tag: 0 })? {
            Self::LIVE => Ok(Self::Live),
            Self::FAILED => Ok(Self::Failed(String::from_utf8_lossy(&frame).into_owned())),
            Self::REFUSED => Ok(Self::Refused(String::from_utf8_lossy(&frame).into_owned())),
            other => Err(WireError::Tag(other)),
        }
    }
}

/// Said to an ingester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToIngester {
    /// The next bytes of an FLV file (Adobe Flash Video File Format 10.1, annex E).
    Flv(Bytes),
    /// Somebody waits for one.
    Keyframe,
}

impl ToIngester {
    const FLV: u8 = 48;
    const KEYFRAME: u8 = 49;

    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Flv(bytes) => frame(Self::FLV, out, |out| out.extend_from_slice(bytes)),
            Self::Keyframe => frame(Self::KEYFRAME, out, |_| {}),
        }
    }

    /// Reads a frame without its length.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        match frame.try_get_u8().map_err(|_| WireError::Short { tag: 0 })? {
            Self::FLV => Ok(Self::Flv(frame)),
            Self::KEYFRAME => Ok(Self::Keyframe),
            other => Err(WireError::Tag(other)),
        }
    }
}

/// Said by an ingester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromIngester {
    /// H.264 (RFC 6184) or Opus (RFC 7587), with its header.
    Packet(TrackKind, Bytes),
    /// What comes can't be read. The last word.
    Failed(String),
}

impl FromIngester {
    const PACKET: u8 = 50;
    const FAILED: u8 = 51;

    /// Appends the message to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Packet(kind, rtp) => frame(Self::PACKET, out, |out| {
                out.put_u8(*kind as u8);
                out.extend_from_slice(rtp);
            }),
            Self::Failed(reason) => frame(Self::FAILED, out, |out| out.extend_from_slice(reason.as_bytes())),
        }
    }

    /// Reads a frame without its length.
    pub fn read(mut frame: Bytes) -> Result<Self, WireError> {
        match frame.try_get_u8().map_err(|_| WireError::Short { tag: 0 })? {
            Self::PACKET => {
                let number = frame.try_get_u8().map_err(|_| WireError::Short { tag: Self::PACKET })?;
                let kind = TrackKind::ALL.into_iter().find(|kind| *kind as u8 == number);
                Ok(Self::Packet(kind.ok_or(WireError::Tag(number))?, frame))
            }
            Self::FAILED => Ok(Self::Failed(String::from_utf8_lossy(&frame).into_owned())),
            other => Err(WireError::Tag(other)),
        }
    }
}

/// Waits for the next frame, without its length; none at the end. For the end without async.
pub fn read_frame(socket: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    match socket.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_LEN_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut frame = vec![0; length];
    socket.read_exact(&mut frame)?;
    Ok(Some(frame.into()))
}

fn frame(tag: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, tag]);
    body(out);
    let length = u32::try_from(out.len() - start - 4).expect("frames are far below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn kind_number(kind: TrackKind) -> u8 {
    match kind {
        TrackKind::Audio => 0,
        TrackKind::Camera => 1,
        TrackKind::Screen => 2,
    }
}

fn track_frame(tag: u8, (participant, kind): (ParticipantId, TrackKind), out: &mut Vec<u8>) {
    frame(tag, out, |out| {
        out.extend_from_slice(participant.uuid().as_bytes());
        out.push(kind_number(kind));
    });
}

fn codec_number(codec: VideoCodec) -> u8 {
    match codec {
        VideoCodec::Vp8 => 0,
        VideoCodec::H264 => 1,
        VideoCodec::Vp9 => 2,
        VideoCodec::Av1 => 3,
    }
}

fn read_participant(tag: u8, frame: &mut Bytes) -> Result<ParticipantId, WireError> {
    let number = frame.try_get_u128().map_err(|_| WireError::Short { tag })?;
    Ok(ParticipantId::new(uuid::Uuid::from_u128(number)))
}

fn read_kind(tag: u8, frame: &mut Bytes) -> Result<TrackKind, WireError> {
    match frame.try_get_u8().map_err(|_| WireError::Short { tag })? {
        0 => Ok(TrackKind::Audio),
        1 => Ok(TrackKind::Camera),
        2 => Ok(TrackKind::Screen),
        value => Err(WireError::Value { tag, value }),
    }
}

#[cfg(test)]
mod tests {
    use media::SILENCE;

    use super::*;
    use crate::{Tile, TileKind};

    fn who() -> ParticipantId {
        ParticipantId::new(uuid::Uuid::from_u128(7))
    }

    fn frames(mut bytes: &[u8]) -> Vec<Bytes> {
        std::iter::from_fn(|| read_frame(&mut bytes).unwrap()).collect()
    }

    #[test]
    fn what_is_said_to_the_studio_is_read() {
        let kind = TileKind::Video(TrackKind::Screen);
        let tile = Tile { participant: who(), name: "李雷".to_owned(), kind, speaking: true, phone: true };
        let scene = Scene { layout: model::Layout::Gallery, tiles: vec![tile] };
        let rooms = RoomRates { large_kbit: 2_000, small_kbit: 0 };
        let stage = Stage { title: "例会".to_owned(), scene, full_hd: true, rooms };
        let packet = RtpPacket {
            payload_type: PAYLOAD_TYPE,
            marker: true,
            seq: 9,
            timestamp: 90_000,
            ssrc: SSRC,
            payload: &[1, 2, 3],
        };
        let mut loud = SILENCE;
        loud[..3].copy_from_slice(&[1.0, -0.5, 7.0]);

        let mut out = Vec::new();
        ToStudio::write_stage(&stage, &mut out);
        ToStudio::write_video((who(), TrackKind::Camera), Some(-40), VideoCodec::Vp8, &packet, &mut out);
        ToStudio::write_program(&loud, &mut out);
        ToStudio::write_keyframe(Track::Low, &mut out);
        let read: Vec<_> = frames(&out).into_iter().map(|frame| ToStudio::read(frame).unwrap()).collect();

        assert_eq!(read[0], ToStudio::Stage(stage));
        let ToStudio::Video { participant, kind, lead, codec, rtp } = &read[1] else { panic!("{:?}", read[1]) };
        assert_eq!((*participant, *kind, *lead, *codec), (who(), TrackKind::Camera, Some(-40), VideoCodec::Vp8));
        assert_eq!(RtpPacket::parse(rtp).unwrap(), packet);
        let ToStudio::Program(samples) = &read[2] else { panic!("{:?}", read[2]) };
        assert_eq!(read[3], ToStudio::Keyframe(Track::Low));
        assert_eq!((samples.len(), &samples[..4]), (FRAME_SAMPLES, &[32_767, -16_384, 32_767, 0][..]));
    }

    #[test]
    fn what_the_studio_says_is_read() {
        let data = Bytes::from_static(&[1, 2, 3]);
        let said = [
            FromStudio::Format(Track::Low, Format::Video { width: 1280, height: 720, avcc: data.clone() }),
            FromStudio::Format(Track::Audio, Format::Audio { rate: 48_000, channels: 1, config: data.clone() }),
            FromStudio::Unit(AccessUnit { track: Track::Audio, pts: Duration::from_millis(40), keyframe: true, data }),
            FromStudio::KeyframeWanted(who(), TrackKind::Camera),
            FromStudio::Undecodable(who(), TrackKind::Screen),
            FromStudio::Report(Report { ticks: 5, ..Report::default() }),
            FromStudio::Encoder("x264enc".to_owned()),
        ];
        let mut out = Vec::new();
        said.iter().for_each(|message| message.write(&mut out));
        let read: Vec<_> = frames(&out).into_iter().map(|frame| FromStudio::read(frame).unwrap()).collect();
        assert_eq!(read, said);
    }

    #[test]
    fn a_pusher_is_told_where_the_name_leads() {
        let (url, mut out) = (PushUrl::new("rtmp://live.example.com/app/key"), Vec::new());
        let addresses: Vec<SocketAddr> =
            vec!["[2001:db8::1]:1935".parse().unwrap(), "203.0.113.9:1935".parse().unwrap()];
        ToPusher::write_target(&url, &addresses, &mut out);
        assert_eq!(ToPusher::read(frames(&out).remove(0)).unwrap(), ToPusher::Target(url, addresses));
    }

    #[test]
    fn nonsense_is_an_error() {
        let check = |bytes: &'static [u8]| {
            assert!(ToStudio::read(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
            assert!(FromStudio::read(Bytes::from_static(bytes)).is_err(), "{bytes:?}");
        };
        for bytes in [
            &[][..],
            &[0],
            &[1, b'{'],
            &[2, 0],
            &[3, 0],
            &[4],
            &[4, 9],
            &[16],
            &[17, 0],
            &[18, 9, 0],
            &[19],
            &[20],
            &[99],
        ] {
            check(bytes);
        }
        assert!(read_frame(&mut &[0xff; 8][..]).is_err());
        assert!(read_frame(&mut &[0, 0, 0, 9, 1][..]).is_err());
        assert!(read_frame(&mut &[][..]).unwrap().is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(tag in 0_u8..60, body: Vec<u8>) {
            let bytes: Bytes = [vec![tag], body].concat().into();
            let _read = (ToStudio::read(bytes.clone()).is_ok(), ToPusher::read(bytes.clone()).is_ok());
            let _read = FromPusher::read(bytes.clone()).is_ok();
            let _read = (ToIngester::read(bytes.clone()).is_ok(), FromIngester::read(bytes.clone()).is_ok());
            if let Ok(message) = FromStudio::read(bytes) {
                let mut out = Vec::new();
                message.write(&mut out);
                proptest::prop_assert_eq!(FromStudio::read(out.split_off(4).into()).unwrap(), message);
            }
        }

        #[test]
        fn no_stream_is_too_strange(bytes: Vec<u8>) {
            let mut stream = bytes.as_slice();
            let mut read = 0;
            while let Ok(Some(frame)) = read_frame(&mut stream) {
                read += frame.len() + 4;
            }
            proptest::prop_assert!(read <= bytes.len());
        }
    }
}
