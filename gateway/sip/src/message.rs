//! Messages on the wire (RFC 3261 §7), read tolerantly and within limits.

use std::borrow::Cow;

use crate::ingress::media_type;

/// No message we need is longer; RFC 3261 §18.1.1 wants 65,535 to be possible, over UDP nothing longer is.
pub const MESSAGE_BYTES_MAX: usize = 65_535;

/// Header fields of one message. Real ones have thirty.
const HEADERS_MAX: usize = 128;

/// Bytes of one header field's value.
const VALUE_BYTES_MAX: usize = 4096;

/// Bytes of a method. Real ones have nine; RFC 4475 §3.1.1.2 has forty-three.
const METHOD_BYTES_MAX: usize = 64;

/// Parts of one body that are looked at for a session description.
const PARTS_MAX: usize = 16;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartLine {
    /// `INVITE sip:… SIP/2.0`.
    Request {
        /// As written: methods are case-sensitive.
        method: String,
        /// The Request-URI.
        uri: String,
    },
    /// `SIP/2.0 200 OK`.
    Response {
        /// 100 to 699.
        code: u16,
    },
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub start: StartLine,
    /// Long names in lower case, values unfolded and trimmed, in order.
    headers: Vec<(Cow<'static, str>, String)>,
    /// What follows the empty line, cut to Content-Length.
    pub body: Vec<u8>,
    /// What is wrong with it, where it is a request whose sender can be told so.
    pub fault: Option<ParseError>,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Longer than [`MESSAGE_BYTES_MAX`], or more or longer header fields than anyone needs.
    #[error("SIP message is too large")]
    TooLarge,
    /// The first line is neither a request's nor a response's.
    #[error("SIP start line is malformed")]
    StartLine,
    /// A header field without a colon, or none at all.
    #[error("SIP header is malformed")]
    Header,
    /// The version is not 2.0.
    #[error("SIP version is not 2.0")]
    Version,
    /// The body is shorter than Content-Length says.
    #[error("SIP body is cut short")]
    Body,
}

impl Message {
    /// Reads one datagram, or what [`frame`] cut out of a stream.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(ParseError::TooLarge);
        }
        let (head, rest) = split_head(bytes).ok_or(ParseError::Header)?;
        // Names and display names may be in any encoding; what is no UTF-8 is shown as such.
        let head = str::from_utf8(head).map_or_else(|_| String::from_utf8_lossy(head), Cow::Borrowed);
        let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let (start, mut fault) = match start_line(first) {
            Ok(start) => (start, None),
            Err(error) => (broken_request(first).ok_or_else(|| error.clone())?, Some(error)),
        };
        let mut message = Self { start, headers: Vec::new(), body: Vec::new(), fault: None };
        // All of it is read whatever is wrong: the answer needs what is right.
        let in_headers = message.read_headers(lines.filter(|line| !line.is_empty())).err();
        let in_body = message.read_body(rest).err();
        fault = fault.or(in_headers).or(in_body);
        if let Some(error) = fault {
            let answerable = matches!(message.start, StartLine::Request { .. }) && message.header("via").is_some();
            if !answerable {
                return Err(error);
            }
            message.fault = Some(error);
        }
        Ok(message)
    }

    /// What the one we called would have sent, had he called us: so that a call is a call whoever began it. `from` is
    /// the URI we called as, `answer` his 2xx.
    pub(crate) fn of_called(call_id: &str, from: &str, answer: &Self) -> Self {
        let his = answer.header("to").unwrap_or_default().to_owned();
        let mut headers = vec![
            (Cow::Borrowed("from"), his),
            (Cow::Borrowed("to"), format!("<{from}>")),
            (Cow::Borrowed("call-id"), call_id.to_owned()),
        ];
        headers.extend(answer.headers("allow").map(|allow| (Cow::Borrowed("allow"), allow.to_owned())));
        let start = StartLine::Request { method: "INVITE".to_owned(), uri: from.to_owned() };
        Self { start, headers, body: Vec::new(), fault: None }
    }

    /// A body of several parts becomes the session description among them, where there is one: trunks of SIP-I have ISUP beside it
    /// (RFC 3204, RFC 5621 §3.1).
    pub(crate) fn unpack(&mut self) {
        let is_multipart = |kind: &&str| kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"));
        let kind = self.header("content-type").filter(is_multipart);
        let boundary = kind.and_then(|kind| parameter(kind, "boundary")).map(|text| text.trim_matches('"').to_owned());
        let boundary = boundary.filter(|boundary| !boundary.is_empty());
        let Some(description) = boundary.and_then(|boundary| description_among(&self.body, &boundary)) else { return };
        self.body = description;
        for (_, value) in self.headers.iter_mut().filter(|(name, _)| name == "content-type") {
            "application/sdp".clone_into(value);
        }
    }

    /// Forgets all other fields, and the body.
    pub(crate) fn keep(&mut self, names: &[&str]) {
        self.headers.retain(|(name, _)| names.contains(&name.as_ref()));
        self.headers.shrink_to_fit();
        self.body = Vec::new();
    }

    /// Bytes of the values of these fields.
    pub(crate) fn bytes_of(&self, names: &[&str]) -> usize {
        self.headers.iter().filter(|(name, _)| names.contains(&name.as_ref())).map(|(_, value)| value.len()).sum()
    }

    /// All that can be read; the first thing that is wrong.
    fn read_headers<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Result<(), ParseError> {
        let mut result = Ok(());
        for line in lines {
            if line.starts_with([' ', '\t']) {
                // A folded line goes on with the value before (§7.3.1).
                match self.headers.last_mut() {
                    Some((_, value)) => {
                        value.push(' ');
                        value.push_str(line.trim());
                    }
                    None => result = result.and(Err(ParseError::Header)),
                }
            } else if let Some((name, value)) = line.split_once(':') {
                self.headers.push((long_name(name.trim()), value.trim().to_owned()));
            } else {
                result = result.and(Err(ParseError::Header));
            }
            let too_long = self.headers.last().is_some_and(|(_, value)| value.len() > VALUE_BYTES_MAX);
            if too_long || self.headers.len() > HEADERS_MAX {
                self.headers.pop();
                return result.and(Err(ParseError::TooLarge));
            }
        }
        result
    }

    fn read_body(&mut self, rest: &[u8]) -> Result<(), ParseError> {
        let mut lengths = self.headers("content-length").map(|text| text.parse().ok());
        let length = lengths.next().unwrap_or(Some(rest.len())).ok_or(ParseError::Header)?;
        if lengths.any(|other| other != Some(length)) {
            return Err(ParseError::Header);
        }
        drop(lengths);
        self.body = rest.get(..length).ok_or(ParseError::Body)?.to_vec();
        Ok(())
    }

    /// The first value of a field, by its long name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a field, in order.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The method of a request, or the one in CSeq of a response.
    #[must_use]
    pub fn method(&self) -> &str {
        match &self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => self.cseq().map_or("", |(_, method)| method),
        }
    }

    /// Number and method (§20.16).
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("cseq")?.split_once([' ', '\t'])?;
        Some((number.parse().ok().filter(|n| *n < 1 << 31)?, method.trim()))
    }

    /// The branch of the topmost Via (§8.1.1.7).
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        parameter(first_of_list(self.header("via")?), "branch")
    }

    /// The tag of From or To.
    #[must_use]
    pub fn tag(&self, header: &str) -> Option<&str> {
        parameter(split_address(self.header(header)?).1, "tag")
    }

    /// The URI of an address field (§20.10), without brackets.
    #[must_use]
    pub fn uri(&self, header: &str) -> Option<&str> {
        Some(address_uri(first_of_list(self.header(header)?)))
    }
}

/// The URI of a name-addr or addr-spec.
pub(crate) fn address_uri(value: &str) -> &str {
    split_address(value).0
}

/// The URI of a name-addr or addr-spec, and the parameters behind it (§20.10): those inside of brackets belong to the URI. Brackets
/// in quotes are none: they stand in names, and in `+sip.instance="<urn:uuid:…>"` (RFC 5626 §4.1).
pub(crate) fn split_address(value: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    let open = value.bytes().position(|byte| {
        quoted ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && quoted && !escaped;
        byte == b'<' && !quoted
    });
    match open.map(|open| &value[open + 1..]) {
        Some(rest) => rest.split_once('>').unwrap_or((rest, "")),
        None => value.find(';').map_or_else(|| (value.trim(), ""), |at| (value[..at].trim(), &value[at..])),
    }
}

/// The user part of a SIP URI, without parameters, unescaped.
pub(crate) fn uri_user(uri: &str) -> Option<String> {
    let rest = uri.split_once(':').map(|(_, rest)| rest)?;
    let user = rest.split_once('@')?.0;
    Some(unescaped(user.split([':', ';']).next()?))
}

/// The number of a SIP or telephone URI (RFC 3966); none of another scheme, or where it has none.
pub(crate) fn uri_number(uri: &str) -> Option<String> {
    match uri.split(':').next()?.to_ascii_lowercase().as_str() {
        "sip" | "sips" => uri_user(uri),
        // What makes it readable is no part of it (§5.1.1).
        "tel" => uri.split([':', ';']).nth(1).map(|number| number.replace(['-', '.', '(', ')'], "")),
        _ => None,
    }
}

/// With its `%HH` as what they stand for.
pub(crate) fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                plain.push(decoded);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The first of values separated by commas; commas in quotes and brackets don't separate.
pub(crate) fn first_of_list(value: &str) -> &str {
    comma(value).map_or(value, |at| &value[..at]).trim()
}

/// All of them.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let all = rest?;
        let at = comma(all);
        rest = at.map(|at| &all[at + 1..]);
        Some(at.map_or(all, |at| &all[..at]).trim())
    })
}

fn comma(value: &str) -> Option<usize> {
    // Most values are one.
    value.find(',')?;
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            b',' if !quoted && !bracketed => return Some(at),
            _ => {}
        }
    }
    None
}

/// Sent-by and parameters of one Via (§20.42); spaces may stand around its slashes and colons.
pub(crate) fn via_parts(value: &str) -> Option<(Cow<'_, str>, &str)> {
    let (_, transport) = value.split_once('/')?.1.split_once('/')?;
    let (_, rest) = transport.trim_start().split_once(char::is_whitespace)?;
    let (sent_by, parameters) = rest.find(';').map_or((rest, ""), |at| rest.split_at(at));
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let sent_by: Cow<'_, str> = if sent_by.bytes().all(is_plain) {
        Cow::Borrowed(sent_by)
    } else {
        sent_by.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
    };
    (!sent_by.is_empty()).then_some((sent_by, parameters))
}

/// The value of a parameter behind an address, a Via, or another value.
pub(crate) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The session description among parts that are separated so (RFC 2046 §5.1.1).
fn description_among(body: &[u8], boundary: &str) -> Option<Vec<u8>> {
    let delimiter = format!("--{boundary}");
    let starts: Vec<usize> = memchr::memmem::find_iter(body, delimiter.as_bytes()).take(PARTS_MAX).collect();
    starts.windows(2).find_map(|pair| {
        let (head, content) = split_head(body.get(pair[0] + delimiter.len()..pair[1])?)?;
        let head = String::from_utf8_lossy(head);
        let is_sdp = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| long_name(name.trim()) == "content-type" && media_type(value) == "application/sdp");
        is_sdp.then(|| content.strip_suffix(b"\r\n").unwrap_or(content).to_vec())
    })
}

/// Head and body around the first empty line.
fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let crlf = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| (at, 4));
    let (at, len) = crlf.or_else(|| memchr::memmem::find(bytes, b"\n\n").map(|at| (at, 2)))?;
    Some((&bytes[..at], &bytes[at + len..]))
}

fn start_line(line: &str) -> Result<StartLine, ParseError> {
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let code = rest.split(' ').next().and_then(|code| code.parse().ok());
        let code = code.filter(|code| (100..700).contains(code)).ok_or(ParseError::StartLine)?;
        return Ok(StartLine::Response { code });
    }
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(ParseError::StartLine);
    };
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(ParseError::Version);
    }
    if method.len() > METHOD_BYTES_MAX || !method.chars().all(is_token) {
        return Err(ParseError::StartLine);
    }
    Ok(StartLine::Request { method: method.to_owned(), uri: uri.to_owned() })
}

/// Method and URI of a request line that is otherwise wrong, for its refusal.
fn broken_request(line: &str) -> Option<StartLine> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let (method, uri) = (words.next()?, words.next()?);
    let plausible = method.len() <= METHOD_BYTES_MAX && method.chars().all(is_token) && !method.starts_with("SIP/");
    plausible.then(|| StartLine::Request { method: method.to_owned(), uri: uri.to_owned() })
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c)
}

/// Fields that come all the time: their names cost no memory of their own.
const NAMES: [&str; 33] = [
    "via",
    "from",
    "to",
    "call-id",
    "cseq",
    "contact",
    "max-forwards",
    "content-length",
    "content-type",
    "allow",
    "supported",
    "require",
    "proxy-require",
    "user-agent",
    "server",
    "record-route",
    "route",
    "expires",
    "accept",
    "session-expires",
    "min-se",
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "rseq",
    "rack",
    "refer-to",
    "referred-by",
    "replaces",
    "p-asserted-identity",
    "subject",
    "allow-events",
];

/// Compact forms (§7.3.3 and the RFCs of the fields) and letter case aside.
fn long_name(name: &str) -> Cow<'static, str> {
    let long = match name.as_bytes() {
        [letter] => match letter.to_ascii_lowercase() {
            b'i' => "call-id",
            b'm' => "contact",
            b'l' => "content-length",
            b'c' => "content-type",
            b'f' => "from",
            b't' => "to",
            b'v' => "via",
            b'k' => "supported",
            b's' => "subject",
            b'x' => "session-expires",
            b'r' => "refer-to",
            b'b' => "referred-by",
            _ => return Cow::Owned(name.to_ascii_lowercase()),
        },
        _ => match NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            Some(known) => known,
            None => return Cow::Owned(name.to_ascii_lowercase()),
        },
    };
    Cow::Borrowed(long)
}

/// Why a stream can't be cut into messages any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No message is that long.
    #[error("SIP message on a stream is too large")]
    TooLarge,
    /// Content-Length is missing, no number, or two (§18.3).
    #[error("SIP message on a stream has no length")]
    NoLength,
}

/// How many bytes at the beginning of a stream's buffer are the next message; none while it isn't whole. Empty lines
/// between messages (keep-alives) are a message of their own that [`Message::parse`] refuses.
pub fn frame(buffer: &[u8]) -> Result<Option<usize>, FrameError> {
    let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 0 {
        return Ok(Some(blank));
    }
    let Some((head, rest)) = split_head(buffer) else {
        return if buffer.len() > MESSAGE_BYTES_MAX { Err(FrameError::TooLarge) } else { Ok(None) };
    };
    let text = String::from_utf8_lossy(head);
    let mut lengths = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        (long_name(name.trim()) == "content-length").then(|| value.trim().parse::<usize>().ok())
    });
    let length = lengths.next().flatten().ok_or(FrameError::NoLength)?;
    if lengths.any(|other| other != Some(length)) {
        return Err(FrameError::NoLength);
    }
    let total = (buffer.len() - rest.len()).saturating_add(length);
    if total > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLarge);
    }
    Ok((buffer.len() >= total).then_some(total))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INVITE: &str = "INVITE sip:123456789@host SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa, SIP/2.0/TCP b\r\n\
        f: \"A, B\" <sip:%31001;x=y@h;tag=no>;tag=yes\r\nTo: <sip:123456789@host>\r\ni: abc\r\nCSeq: 7  INVITE\r\n\
        Subject: one\r\n two\r\nl: 3\r\n\r\nbodyrest";

    #[test]
    fn compact_and_folded_forms_are_read() {
        let message = Message::parse(INVITE.as_bytes()).unwrap();
        assert_eq!(message.method(), "INVITE");
        assert_eq!(message.branch(), Some("z9hG4bKa"));
        assert_eq!(message.tag("from"), Some("yes"));
        assert_eq!(message.tag("to"), None);
        assert_eq!(message.header("subject"), Some("one two"));
        assert_eq!(message.cseq(), Some((7, "INVITE")));
        assert_eq!(uri_user(message.uri("from").unwrap()).as_deref(), Some("1001"));
        assert_eq!(message.body, b"bod");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let check = |text: &str, error| assert_eq!(Message::parse(text.as_bytes()), Err(error), "{text:?}");
        check("", ParseError::Header);
        check("INVITE sip:a SIP/3.0\r\n\r\n", ParseError::Version);
        check("INVITE SIP/2.0\r\n\r\n", ParseError::StartLine);
        check("SIP/2.0 99 no\r\n\r\n", ParseError::StartLine);
        check("OPTIONS sip:a SIP/2.0\r\nnonsense\r\n\r\n", ParseError::Header);
        check("OPTIONS sip:a SIP/2.0\r\nContent-Length: 9\r\n\r\nshort", ParseError::Body);
        check("OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", ParseError::Header);
    }

    #[test]
    fn an_address_is_what_stands_in_brackets_outside_of_quotes() {
        let check = |value: &str, uri: &str, behind: &str| assert_eq!(split_address(value), (uri, behind), "{value}");
        check("sip:a@b;tag=1", "sip:a@b", ";tag=1");
        check("\"A <sip:x@y>\" <sip:a@b;lr>;tag=1", "sip:a@b;lr", ";tag=1");
        check("\"A \\\"<\" <sip:a@b>", "sip:a@b", "");
        check(
            "<sip:a@b>;+sip.instance=\"<urn:uuid:1>\";reg-id=1",
            "sip:a@b",
            ";+sip.instance=\"<urn:uuid:1>\";reg-id=1",
        );
        check("sip:a@b;+sip.instance=\"<urn:uuid:1>\"", "sip:a@b", ";+sip.instance=\"<urn:uuid:1>\"");
        check("A <sip:a@b", "sip:a@b", "");
        check("", "", "");
    }

    // RFC 3261 §18.3
    #[test]
    fn a_stream_is_cut_by_content_length() {
        let message = &INVITE.as_bytes()[..INVITE.len() - 5];
        assert_eq!(frame(INVITE.as_bytes()), Ok(Some(message.len())));
        for len in 1..message.len() {
            assert_eq!(frame(&message[..len]), Ok(None), "{len}");
        }
        assert_eq!(frame(b"\r\n\r\nOPTIONS"), Ok(Some(4)));
        assert_eq!(frame(b"OPTIONS sip:a SIP/2.0\r\n\r\n"), Err(FrameError::NoLength));
        assert_eq!(frame(b"A\r\nl: 99999\r\n\r\n"), Err(FrameError::TooLarge));
        assert_eq!(frame(&[b'a'; MESSAGE_BYTES_MAX + 1]), Err(FrameError::TooLarge));
    }

    proptest! {
        #[test]
        fn anything_may_come(cut in 0..INVITE.len(), at in 0..INVITE.len(), byte in any::<u8>()) {
            let mut bytes = INVITE.as_bytes()[..cut].to_vec();
            if let Some(changed) = bytes.get_mut(at) {
                *changed = byte;
            }
            let _ = frame(&bytes);
            if let Ok(message) = Message::parse(&bytes) {
                for header in ["from", "to", "via", "contact"] {
                    let _ = message.tag(header);
                    message.uri(header).and_then(uri_number);
                }
                let _ = message.cseq();
                let _ = message.branch();
            }
        }
    }
}
