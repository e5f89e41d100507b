//! As much of an offer (RFC 8866) as decides whether it has the form the client protocol asks for, and what of offers and answers is
//! written otherwise than the WebRTC library would.

use crate::SfuError;

/// Offers have one m-line a slot; more than this is no browser of ours.
const MEDIA_LINES_MAX: usize = 64;

/// Longer offers are refused unread.
const OFFER_BYTES_MAX: usize = 64 << 10;

/// What an m-line says of its layers (RFC 8853 §5.1).
const SIMULCAST: &str = "a=simulcast:send ";

/// One m-line of an offer.
pub(crate) struct MediaLine {
    pub(crate) mid: String,
    pub(crate) audio: bool,
    pub(crate) direction: &'static str,
    /// Of the layers it is sent in (RFC 8853), as listed.
    pub(crate) rids: Vec<String>,
    /// Payload types of which a packet that is lost may be asked for again (RFC 4585 §4.2).
    pub(crate) nacked: Vec<u8>,
}

/// The m-lines of an offer, in order.
pub(crate) fn media_lines(offer: &str) -> Result<Vec<MediaLine>, SfuError> {
    if offer.len() > OFFER_BYTES_MAX {
        return Err(SfuError::Form("more than 64 KiB"));
    }
    let mut lines: Vec<MediaLine> = Vec::new();
    let mut payload_types: Vec<u8> = Vec::new();
    for line in offer.lines().map(str::trim_end) {
        if let Some(media) = line.strip_prefix("m=") {
            let audio = media.starts_with("audio ");
            if !audio && !media.starts_with("video ") {
                return Err(SfuError::Form("an m-line that is neither audio nor video"));
            }
            payload_types = media.split(' ').skip(3).filter_map(|number| number.parse().ok()).collect();
            let mid = String::new();
            lines.push(MediaLine { mid, audio, direction: "sendrecv", rids: Vec::new(), nacked: Vec::new() });
        } else if let Some(current) = lines.last_mut() {
            if let Some(of) = line.strip_prefix("a=rtcp-fb:").and_then(|feedback| feedback.strip_suffix(" nack")) {
                let all = if of == "*" { &payload_types[..] } else { &[] };
                current.nacked.extend(all.iter().copied().chain(of.parse().ok()));
            }
            if let Some(mid) = line.strip_prefix("a=mid:") {
                mid.clone_into(&mut current.mid);
            }
            if let Some(sent) = line.strip_prefix(SIMULCAST) {
                let first = |layer: &str| names(layer).next().unwrap_or_default().to_owned();
                current.rids = sent.split(' ').next().unwrap_or_default().split(';').map(first).collect();
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

/// The names of a layer: alternatives are parted by commas, what is paused at first has a tilde (RFC 8853 §5.1).
fn names(layer: &str) -> impl Iterator<Item = &str> {
    layer.split(',').map(|name| name.trim_start_matches('~'))
}

/// The offer with no more than so many layers of a picture, at least two: the first, the last, and those between at equal steps. Others were
/// never offered (RFC 8853 §5.3 lets an answer leave out what it likes).
pub(crate) fn with_layers(offer: &str, layers: usize) -> String {
    let mut others: Vec<&str> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for line in offer.lines().map(str::trim_end) {
        let Some((sent, rest)) = line.strip_prefix(SIMULCAST).map(|sent| sent.split_once(' ').unwrap_or((sent, "")))
        else {
            lines.push(line.to_owned());
            continue;
        };
        let offered: Vec<&str> = sent.split(';').collect();
        let kept: Vec<usize> = match offered.len() {
            few if few <= layers => (0..few).collect(),
            many => (0..layers).map(|index| (index * (many - 1)).div_ceil(layers - 1)).collect(),
        };
        let of = |index: &usize| offered.get(*index).copied();
        let taken = kept.iter().filter_map(of).collect::<Vec<_>>().join(";");
        lines.push(format!("{SIMULCAST}{taken} {rest}").trim_end().to_owned());
        let left = offered.iter().enumerate().filter(|(index, _)| !kept.contains(index));
        others.extend(left.flat_map(|(_, layer)| names(layer)));
    }
    let is_other = |line: &&String| {
        let rid = line.strip_prefix("a=rid:").and_then(|rid| rid.split(' ').next());
        rid.is_none_or(|rid| !others.contains(&rid))
    };
    lines.iter().filter(is_other).map(|line| format!("{line}\r\n")).collect()
}

/// Asks for voices that are sent while somebody speaks alone (`usedtx`, RFC 7587 §6.1), from people's browsers: what encoders send
/// may be music.
pub(crate) fn with_dtx(answer: &str) -> String {
    let is_opus = |line: &str| line.starts_with("a=fmtp:") && line.contains("useinbandfec=1");
    let line = |line: &str| format!("{line}{}\r\n", if is_opus(line) { ";usedtx=1" } else { "" });
    answer.lines().map(line).collect()
}

/// What programs that send say by habit.
pub(crate) fn one_way(offer: &str) -> String {
    let line = |line: &str| if line.trim_end() == "a=sendrecv" { "a=sendonly" } else { line.trim_end() }.to_owned();
    offer.lines().map(|text| line(text) + "\r\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtcp-fb:111 nack\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r\na=mid:1\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:98 nack pli\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 99 100\r\na=mid:2\r\na=rtcp-fb:* nack\r\n";

    // RFC 4585 §4.2
    #[test]
    fn an_offer_says_of_what_lost_packets_may_be_asked_for() {
        let lines = media_lines(OFFER).unwrap();
        let nacked: Vec<_> = lines.iter().map(|line| &line.nacked[..]).collect();
        assert_eq!(nacked, [&[111][..], &[96], &[99, 100]]);
    }

    // RFC 8853 §5.1
    #[test]
    fn of_many_layers_the_largest_the_smallest_and_some_between_are_taken() {
        let check = |offered: &str, expected: &str| {
            let rids: String = offered
                .split([';', ','])
                .map(|rid| format!("a=rid:{} send\r\n", rid.trim_start_matches('~')))
                .collect();
            let offer = format!("{OFFER}{rids}a=simulcast:send {offered}\r\na=end\r\n");
            let taken = with_layers(&offer, 3);
            let line = taken.lines().find_map(|line| line.strip_prefix("a=simulcast:send "));
            assert_eq!(line, Some(expected), "{offered}");
            let named: Vec<_> = taken.lines().filter_map(|line| line.strip_prefix("a=rid:")).collect();
            let wanted: Vec<_> = expected
                .split(' ')
                .next()
                .unwrap()
                .split([';', ','])
                .map(|rid| format!("{} send", rid.trim_start_matches('~')))
                .collect();
            assert_eq!(named, wanted, "{offered}");
            assert!(taken.starts_with(OFFER) && taken.ends_with("\r\na=end\r\n"));
        };
        check("0;1;2", "0;1;2");
        check("0;1;2;3", "0;2;3");
        check("a;b,c;~d,e;f", "a;~d,e;f");
        check("0;1;2;3;4;5;6", "0;3;6");
        check("0", "0");
    }
}
