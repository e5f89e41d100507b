//! A request's head, as far as it has to be understood to know whether it asks for a file (RFC 9112 §3).

use bytes::{Buf, BytesMut};

use crate::live::{Asked, Fields};

/// Most fields of one that asks for a file; those that have more are hyper's.
const FIELDS_MAX: usize = 48;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    File(Box<Asked>),
    /// Whatever hyper makes of it, to whom it is left.
    Other,
}

struct Parsed<'a, 'b>(&'a [httparse::Header<'b>]);

impl Fields for Parsed<'_, '_> {
    fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let of = self.0.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        of.filter_map(|field| std::str::from_utf8(field.value).ok())
    }
}

/// The head of the next request, none while it is not all there. One that asks for a file is taken away.
pub(crate) fn take(said: &mut BytesMut) -> Option<Head> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(said) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        // It is hyper that says what is wrong with it. The preface of HTTP/2 is among these.
        Err(_) => return Some(Head::Other),
    };
    let Some(asked) = file(&request) else { return Some(Head::Other) };
    said.advance(length);
    Some(Head::File(Box::new(asked)))
}

/// Nothing but a file is asked for, in the way that all players do.
fn file(request: &httparse::Request<'_, '_>) -> Option<Asked> {
    let target = request.path.filter(|target| request.method == Some("GET") && !target.contains('#'))?;
    let fields = Parsed(request.headers);
    // What comes after it, and whether anything may, would have to be understood as well.
    let is_plain = ["transfer-encoding", "content-length", "upgrade", "expect", "connection"]
        .into_iter()
        .all(|name| fields.all(name).all(|value| name == "connection" && value.eq_ignore_ascii_case("keep-alive")));
    if request.version != Some(1) || !is_plain {
        return None;
    }
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Asked::of(path, query, &fields)
}

#[cfg(test)]
mod tests {
    use model::BroadcastId;

    use super::*;

    fn taken(said: &str) -> (Option<Head>, usize) {
        let mut bytes = BytesMut::from(said);
        let head = take(&mut bytes);
        (head, bytes.len())
    }

    // RFC 9112 §2.2, §3
    #[test]
    fn requests_for_files_are_told_from_all_others() {
        let id = BroadcastId::from_u128(7);
        let ask =
            |line: &str, fields: &str| format!("{line}\r\nHost: a\r\n{fields}\r\n").replace("ID", &id.to_string());
        let file = "GET /live/ID/video.m3u8?_HLS_msn=3 HTTP/1.1";
        let (head, rest) = taken(&(ask(file, "Connection: Keep-Alive\r\n") + "GET"));
        assert!(matches!(head, Some(Head::File(_))) && rest == 3, "{head:?}");
        for (line, fields) in [
            ("GET / HTTP/1.1", ""),
            ("HEAD /live/ID/video.m3u8 HTTP/1.1", ""),
            ("GET /live/ID/video.m3u8 HTTP/1.0", ""),
            ("GET /live/ID/replay.mp4 HTTP/1.1", ""),
            ("GET http://a/live/ID/video.m3u8 HTTP/1.1", ""),
            ("GET /live/ID/video.m3u8#a HTTP/1.1", ""),
            ("PRI * HTTP/2.0", ""),
            ("nonsense", ""),
            (file, "Connection: close\r\n"),
            (file, "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
            (file, "Content-Length: 3\r\n"),
            (file, "Transfer-Encoding: chunked\r\n"),
            (file, "Expect: 100-continue\r\n"),
            (file, "No colon\r\n"),
        ] {
            let said = ask(line, fields);
            assert_eq!(taken(&said), (Some(Head::Other), said.len()), "{said:?}");
        }
        let said = ask(file, "");
        for length in 0..said.len() {
            assert_eq!(taken(&said[..length]), (None, length), "{:?}", &said[..length]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_head_is_too_strange(
            line in "(GET|POST|get)? ?/live/[0-9a-f-]{0,36}/(video|.{0,9})\\.m3u8.{0,9}|.*",
            fields in proptest::collection::vec("((content-length|cookie|expect): ?)?.{0,20}", 0..60),
            end in "(\\r\\n\\r\\n|\\n\\n)?",
        ) {
            let said = line + "\r\n" + &fields.join("\r\n") + &end;
            let (head, rest) = taken(&said);
            let is_taken = matches!(head, Some(Head::File(_)));
            proptest::prop_assert!(is_taken == (rest < said.len()), "{said:?}");
        }
    }
}
