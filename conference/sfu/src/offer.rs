//! As much of an offer (RFC 8866) as decides whether it has the form the client protocol asks for.

use crate::SfuError;

/// Offers have one m-line a slot; more than this is no browser of ours.
const MEDIA_LINES_MAX: usize = 64;

/// Longer offers are refused unread.
const OFFER_BYTES_MAX: usize = 64 << 10;

/// One m-line of an offer.
pub(crate) struct MediaLine {
    pub(crate) mid: String,
    pub(crate) audio: bool,
    pub(crate) direction: &'static str,
    /// Of the layers it is sent in (RFC 8853), as listed.
    pub(crate) rids: Vec<String>,
}

/// The m-lines of an offer, in order.
pub(crate) fn media_lines(offer: &str) -> Result<Vec<MediaLine>, SfuError> {
    if offer.len() > OFFER_BYTES_MAX {
        return Err(SfuError::Form("more than 64 KiB"));
    }
    let mut lines: Vec<MediaLine> = Vec::new();
    for line in offer.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let audio = media.starts_with("audio ");
            if !audio && !media.starts_with("video ") {
                return Err(SfuError::Form("an m-line that is neither audio nor video"));
            }
            lines.push(MediaLine { mid: String::new(), audio, direction: "sendrecv", rids: Vec::new() });
        } else if let Some(current) = lines.last_mut() {
            if let Some(mid) = line.strip_prefix("a=mid:") {
                mid.clone_into(&mut current.mid);
            }
            if let Some(sent) = line.strip_prefix("a=simulcast:send ") {
                // Alternatives are parted by commas, what is paused at first has a tilde (RFC 8853 §5.1).
                let layer =
                    |layer: &str| layer.split(',').next().unwrap_or_default().trim_start_matches('~').to_owned();
                current.rids = sent.split(' ').next().unwrap_or_default().split(';').map(layer).collect();
            }
            let directions = ["sendonly", "recvonly", "sendrecv", "inactive"];
            let named = |direction: &&&str| line.strip_prefix("a=") == Some(**direction);
            if let Some(direction) = directions.iter().find(named) {
                current.direction = direction;
            }
        }
    }
    if lines.is_empty() {
        return Err(SfuError::Form("no m-line"));
    }
    if lines.len() > MEDIA_LINES_MAX {
        return Err(SfuError::Form("too many m-lines"));
    }
    if lines.iter().any(|line| line.mid.is_empty() || line.mid.len() > 16) {
        return Err(SfuError::Form("an m-line without a mid of 1 to 16 characters"));
    }
    Ok(lines)
}
