//! Codecs by their names in SDP, with the clocks that RTP gives them.

use std::fmt;

/// A sound codec a leg or a browser can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AudioCodec {
    /// G.711 µ-law, static payload type 0 (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551 §4.5.14).
    Pcma,
    /// G.722, static payload type 9 (RFC 3551 §4.5.2).
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl AudioCodec {
    /// The RTP clock in Hz. G.722 says 8000 though it samples at 16 kHz: an old error kept for compatibility
    /// (RFC 3551 §4.5.2).
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Samples a second of the sound it carries.
    #[must_use]
    pub fn sample_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::G722 => 16_000,
            Self::Opus => 48_000,
        }
    }

    /// RTP clock ticks in one 20 ms packet.
    #[must_use]
    pub fn ticks_per_frame(self) -> u32 {
        self.clock_rate() / 50
    }
}

impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        })
    }
}

/// A picture codec. All have a 90 kHz clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VideoCodec {
    /// VP8 (RFC 7741).
    Vp8,
    /// H.264 (RFC 6184).
    H264,
    /// VP9 (RFC 9628).
    Vp9,
    /// AV1.
    Av1,
}

impl VideoCodec {
    /// The RTP clock in Hz.
    pub const CLOCK_RATE: u32 = 90_000;
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
        })
    }
}

/// What a payload is encoded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Sound.
    Audio(AudioCodec),
    /// Picture.
    Video(VideoCodec),
}

impl Codec {
    /// The RTP clock in Hz.
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Audio(codec) => codec.clock_rate(),
            Self::Video(_) => VideoCodec::CLOCK_RATE,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio(codec) => codec.fmt(f),
            Self::Video(codec) => codec.fmt(f),
        }
    }
}

/// What a participant's track is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackKind {
    /// A voice.
    Audio,
    /// A face.
    Camera,
    /// A shared screen or window.
    Screen,
}

impl TrackKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Audio, Self::Camera, Self::Screen];

    /// As others are told of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Camera => "camera",
            Self::Screen => "screen",
        }
    }
}
