//! The words every media path shares: frames of sound, levels, codecs, RTP packets as they look on the wire, and which of them have come.
//!
//! Pure: no IO, no clock. Codecs themselves live in `mixer`, jitter buffers and latching in `leg`, WebRTC in `sfu`.
#![warn(missing_docs)]

mod audio;
mod codec;
mod g711;
pub mod h264;
mod jitter;
mod packet;
mod replay;

pub use audio::{AudioLevel, Clip, FRAME_SAMPLES, Frame, Piece, SAMPLE_RATE, SILENCE, TICK};
pub use codec::{AudioCodec, Codec, TrackKind, VideoCodec};
pub use jitter::Jitter;
pub use packet::{MediaPacket, PacketError, RtpPacket, SeenNumbers, SeqExtender, Ssrc};
pub use replay::{REPLAY_WINDOW, Replays};
