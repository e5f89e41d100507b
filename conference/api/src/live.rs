//! HLS from the origin in this process, for who may watch.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Path, RawQuery, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use conference::{PASS_LASTS, viewer_of};
use model::BroadcastId;
use streaming::{CacheFor, HlsFile, OriginError};

use crate::{
    App,
    problem::{Code, Language, Problem},
    rest::cookie,
};

/// The cookie with a viewer's pass. It is sent with the files of its own livestream and nothing else.
const PASS: &str = "huitong-watch";

pub(crate) fn pass_cookie(broadcast: BroadcastId, pass: &str, tls: bool) -> HeaderValue {
    let secure = if tls { "; Secure" } else { "" };
    let lasts = PASS_LASTS.as_secs();
    let text = format!("{PASS}={pass}; Path=/live/{broadcast}; Max-Age={lasts}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("passes are hexadecimal and dots")
}

/// Lets in who may watch, before anything is looked for: who may not learns nothing of what is there.
pub(crate) async fn gate(
    State(app): State<App>,
    Path(path): Path<std::collections::HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    let language = Language::of(request.headers());
    let id = path.get("broadcast").and_then(|id| id.parse::<BroadcastId>().ok());
    let mut response = match id {
        None => Problem::new(Code::NotFound, language).into_response(),
        Some(id) => {
            let pass = cookie(request.headers(), &[PASS]);
            match app.conference.may_watch(id, pass.as_deref()).await {
                Ok(true) => next.run(request).await,
                Ok(false) => Problem::new(Code::NoPass, language).into_response(),
                Err(error) => {
                    tracing::error!(%error, "a viewer can't be looked up");
                    Problem::new(Code::Failed, language).into_response()
                }
            }
        }
    };
    // A pass never leaves the browser it was given to, so pages of other sites may play what is public only.
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

pub(crate) async fn file(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((broadcast, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let not_found = || Problem::new(Code::NotFound, Language::of(&headers)).into_response();
    let Ok(id) = broadcast.parse::<BroadcastId>() else { return not_found() };
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Some(_waiting) = app.waits.enter(peer.ip(), cookie(&headers, &[PASS]).as_deref().and_then(viewer_of)) else {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
    };
    match app.origin.get(id, &name, query.as_deref()).await {
        Ok(file) => serve(file, &headers),
        Err(OriginError::NotFound) => not_found(),
        Err(OriginError::Gone) => StatusCode::GONE.into_response(),
        Err(OriginError::BadRequest) => StatusCode::BAD_REQUEST.into_response(),
        // The draft's word for a part that is too far ahead, and for one that did not come in time (RFC 8216bis §6.2.5.2).
        Err(OriginError::TooFar) => StatusCode::BAD_REQUEST.into_response(),
        Err(OriginError::NotYet) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn serve(file: HlsFile, headers: &HeaderMap) -> Response {
    let cache = match file.cache {
        CacheFor::Nothing => "no-cache".to_owned(),
        CacheFor::Seconds(seconds) => format!("max-age={seconds}"),
    };
    let says = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let packed = file.gzip.as_ref().filter(|_| accepts_gzip(says(header::ACCEPT_ENCODING)));
    // The two forms of a file are told apart (RFC 9110 §8.8.3.3).
    let etag = if packed.is_some() { format!("\"{}-gzip\"", file.etag) } else { format!("\"{}\"", file.etag) };
    let is_known = says(header::IF_NONE_MATCH).split(',').any(|known| known.trim().trim_start_matches("W/") == etag);
    let fields = [
        (header::CONTENT_TYPE, file.content_type.to_owned()),
        (header::CACHE_CONTROL, cache),
        (header::ETAG, etag),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    match packed {
        Some(packed) => (fields, [(header::CONTENT_ENCODING, "gzip")], packed.bytes()).into_response(),
        None => (fields, file.body).into_response(),
    }
}

/// Whether an Accept-Encoding (RFC 9110 §12.5.3) has gzip, and not with a weight of nothing.
fn accepts_gzip(accepts: &str) -> bool {
    accepts.split(',').any(|coding| {
        let mut words = coding.split(';').map(str::trim);
        let is_gzip = words.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        is_gzip && !words.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9110 §12.5.3
    #[test]
    fn packed_is_sent_to_who_can_unpack() {
        for accepts in ["gzip", "br, GZIP;q=0.5", "*", "deflate,gzip"] {
            assert!(accepts_gzip(accepts), "{accepts}");
        }
        for accepts in ["", "identity", "gzip;q=0", "br, gzip; q=0.0"] {
            assert!(!accepts_gzip(accepts), "{accepts}");
        }
    }

    fn file() -> HlsFile {
        let (content_type, body) = ("video/mp4", b"moof".as_slice().into());
        HlsFile { content_type, body, gzip: None, etag: "video-1.m4s-4".into(), cache: CacheFor::Seconds(300) }
    }

    // RFC 9110 §13.1.2
    #[test]
    fn what_is_known_already_is_not_sent_again() {
        let asked = |known: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
            serve(file(), &headers).status()
        };
        assert_eq!(asked("\"other\", W/\"video-1.m4s-4\""), StatusCode::NOT_MODIFIED);
        assert_eq!(asked("\"video-1.m4s-4-gzip\""), StatusCode::OK);
        let plain = serve(file(), &HeaderMap::new());
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "max-age=300");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    }
}
