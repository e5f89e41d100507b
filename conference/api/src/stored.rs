//! A recording's file in the storage handed on to a player: with ranges and conditions (RFC 9110 §13, §14), as `ServeFile` does it for
//! a file.

use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use streaming::StoredFilm;

/// `tag` names the file and never another one. None where the storage doesn't give it.
pub(crate) async fn serve(film: StoredFilm, kind: &str, tag: &str, headers: &HeaderMap) -> Option<Response> {
    let says = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = format!("\"{tag}\"");
    let fields = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::ETAG, etag.clone()),
    ];
    if says(header::IF_NONE_MATCH).is_some_and(|known| known.split(',').any(|known| known.trim() == etag)) {
        return Some((StatusCode::NOT_MODIFIED, fields).into_response());
    }
    // A part of something else than what the asker has is of no use to him (§13.1.5).
    let range = says(header::RANGE).filter(|_| says(header::IF_RANGE).is_none_or(|known| known == etag));
    let (status, part) = match wanted(range.unwrap_or_default(), film.bytes) {
        Wanted::All => (StatusCode::OK, 0..film.bytes),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            let of = [(header::CONTENT_RANGE, format!("bytes */{}", film.bytes))];
            return Some((StatusCode::RANGE_NOT_SATISFIABLE, of).into_response());
        }
    };
    let (length, of) = (part.end - part.start, film.bytes);
    let range = format!("bytes {}-{}/{of}", part.start, part.end.saturating_sub(1));
    let mut pieces = Box::pin(film.read(part));
    // The first piece is waited for: a storage that is away is told by the status.
    let first = match pieces.next().await {
        Some(Err(error)) => {
            tracing::warn!(%error, "a film can't be had");
            return None;
        }
        first => stream::iter(first),
    };
    let mut response = (status, fields, Body::from_stream(first.chain(pieces))).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        response.headers_mut().insert(header::CONTENT_RANGE, HeaderValue::from_str(&range).expect("numbers are ASCII"));
    }
    Some(response)
}

/// What of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Nothing,
}

/// Reads a Range (§14.2). One that isn't understood, or asks for several parts, is answered with all there is, as it may be.
fn wanted(range: &str, size: u64) -> Wanted {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::All;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let part = match (number(first), number(last)) {
        (Some(first), Some(last)) if last < first => return Wanted::All,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(last)) if first.trim().is_empty() => size - last.min(size)..size,
        _ => return Wanted::All,
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9110 §14.1.2
    #[test]
    fn ranges_are_read() {
        for (range, expected) in [
            ("bytes=0-499", Wanted::Part(0..500)),
            ("bytes=9500-", Wanted::Part(9_500..10_000)),
            ("bytes=-500", Wanted::Part(9_500..10_000)),
            ("bytes=-20000", Wanted::Part(0..10_000)),
            ("bytes=9999-20000", Wanted::Part(9_999..10_000)),
            ("bytes=10000-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("", Wanted::All),
            ("bytes=500-0", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=0-99999999999999999999", Wanted::All),
        ] {
            assert_eq!(wanted(range, 10_000), expected, "{range}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Nothing);
    }

    proptest::proptest! {
        #[test]
        fn no_range_is_too_strange(range in "bytes=[0-9, -]{0,30}|.*", size: u64) {
            if let Wanted::Part(part) = wanted(&range, size) {
                proptest::prop_assert!(part.start < part.end && part.end <= size);
            }
        }
    }
}
