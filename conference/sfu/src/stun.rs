//! As much of STUN (RFC 8489) as it takes to know whom a connectivity check is for.

const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: [u8; 2] = [0, 6];
const USE_CANDIDATE: [u8; 2] = [0, 0x25];

/// The first half of the USERNAME of a binding request: the name we gave the peer (RFC 8445 §7.2.2).
pub(crate) fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    std::str::from_utf8(attribute(datagram, USERNAME)?).ok()?.split(':').next()
}

/// It is a binding request by which the browser chooses the way the connection goes (RFC 8445 §7.1.2).
pub(crate) fn nominates(datagram: &[u8]) -> bool {
    attribute(datagram, USE_CANDIDATE).is_some()
}

/// It grants a binding request.
pub(crate) fn is_success(datagram: &[u8]) -> bool {
    datagram.starts_with(&BINDING_SUCCESS) && datagram.get(4..8) == Some(&MAGIC_COOKIE)
}

/// Of a binding request.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |0 0|     STUN Message Type     |         Message Length        |
/// |                         Magic Cookie                          |
/// |                     Transaction ID (96 bits)                  |
/// |         Type                  |            Length             |  attributes,
/// |                         Value (variable)                ....  |  padded to words
/// ```
fn attribute(datagram: &[u8], kind: [u8; 2]) -> Option<&[u8]> {
    let (header, mut attributes) = datagram.split_first_chunk::<20>()?;
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC_COOKIE {
        return None;
    }
    while let Some(([kind0, kind1, len0, len1], rest)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([*len0, *len1]));
        let value = rest.get(..len)?;
        if [*kind0, *kind1] == kind {
            return Some(value);
        }
        attributes = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn the_name_before_the_colon_is_ours() {
        let check = |attributes: &[u8], expected| assert_eq!(local_ufrag(&request(attributes)), expected);
        check(b"\0\x06\0\x07ours:it\0", Some("ours"));
        check(b"\x80\x22\0\x03abc\0\0\x06\0\x04o:it", Some("o"));
        check(b"\0\x06\0\xff", None);
        check(b"\0\x06\0\x02\xff\xfe\0\0", None);
        check(b"", None);
        assert_eq!(local_ufrag(&[0; 19]), None);
        assert_eq!(local_ufrag(&[0; 200]), None);
    }

    #[test]
    fn a_way_is_chosen_by_an_attribute_without_a_value() {
        assert!(nominates(&request(b"\0\x06\0\x03a:b\0\0\x25\0\0")));
        assert!(!nominates(&request(b"\0\x06\0\x03a:b\0")));
        let mut granted = request(b"");
        assert!(!is_success(&granted));
        granted[0] = 1;
        assert!(is_success(&granted) && !nominates(&granted));
    }
}
