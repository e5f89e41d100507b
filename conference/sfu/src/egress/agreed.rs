//! What was agreed with one subscriber about each of his slots.

use media::Codec;

use super::header::Extensions;

/// What was agreed about one slot.
#[derive(Debug, Clone)]
pub(crate) struct StreamConfig {
    pub(crate) mid: String,
    pub(crate) is_audio: bool,
    pub(crate) ssrc: u32,
    /// Of each codec that he takes.
    pub(crate) payload_types: Vec<PayloadType>,
    /// Of retransmissions (RFC 4588).
    pub(crate) resent_ssrc: Option<u32>,
    /// Of its timestamps, in hertz.
    pub(crate) clock_rate: u32,
    pub(crate) extensions: Extensions,
}

/// What was agreed about one codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PayloadType {
    pub(crate) codec: Codec,
    pub(crate) number: u8,
    /// Of its retransmissions.
    pub(crate) resent: Option<u8>,
    /// Of it with the ones before it once more (RFC 2198).
    pub(crate) red: Option<u8>,
}

impl StreamConfig {
    /// How a codec is sent, where he takes it.
    pub(super) fn payload_type(&self, codec: Codec) -> Option<PayloadType> {
        self.payload_types.iter().find(|agreed| agreed.codec == codec).copied()
    }

    /// SSRC and payload type of what is sent again of a codec; of nothing in particular, any codec's.
    pub(super) fn resent(&self, codec: Option<Codec>) -> Option<(u32, u8)> {
        let of_codec = |agreed: &&PayloadType| codec.is_none_or(|codec| agreed.codec == codec);
        let number = self.payload_types.iter().filter(of_codec).find_map(|agreed| agreed.resent)?;
        Some((self.resent_ssrc?, number))
    }
}
