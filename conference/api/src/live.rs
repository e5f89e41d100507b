//! HLS from the origin in this process, for who may watch.

use std::{
    convert::Infallible,
    net::SocketAddr,
    task::{Context, Poll},
};

use axum::{
    BoxError, Router, ServiceExt,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Path, Request, State, connect_info::IntoMakeServiceWithConnectInfo},
    http::{self, HeaderMap, HeaderValue, Method, StatusCode, header, request},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::future::RouteFuture,
};
use conference::{Gate, PASS_LASTS, viewer_of};
use futures_util::future::{BoxFuture, Either};
use model::BroadcastId;
use streaming::{CacheFor, Coding, HlsFile, MULTIVARIANT, OriginError};
use tower_http::services::ServeFile;
use tower_service::Service;

use crate::{
    App,
    problem::{Code, Language, Problem},
    rest::cookie,
    tally::Who,
};

/// The cookie with a viewer's pass. It is sent with the files of its own livestream, to renew it, and with nothing else.
const PASS: &str = "huitong-watch";

/// A pass never leaves the browser it was given to, so pages of other sites may play what is public only.
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

/// Of what is refused: in a moment it may be there, or for somebody else.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// When to ask again for what should be there, or for one thing less at once. In seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// Header fields of an answer, and what HTTP adds.
const FIELDS: usize = 12;

/// For its files, and for who asks at this address for another pass.
pub(crate) fn pass_cookies(broadcast: BroadcastId, address: BroadcastId, pass: &str, tls: bool) -> [HeaderValue; 2] {
    let secure = if tls { "; Secure" } else { "" };
    let lasts = PASS_LASTS.as_secs();
    [format!("/live/{broadcast}"), format!("/api/v1/broadcasts/{address}/viewers")].map(|path| {
        let text = format!("{PASS}={pass}; Path={path}; Max-Age={lasts}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).expect("passes are hexadecimal and dots")
    })
}

/// What was given by [`pass_cookies`].
pub(crate) fn shown_pass(headers: &HeaderMap) -> Option<String> {
    cookie(headers, &[PASS])
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
    let refused = match id {
        None => Some(Code::NotFound),
        Some(id) => admission(&app, id, request.headers()).await.err(),
    };
    let mut response = match refused {
        None => next.run(request).await,
        Some(code) => ([(header::CACHE_CONTROL, NOT_KEPT)], Problem::new(code, language)).into_response(),
    };
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    response
}

/// Before all routing: thousands of viewers ask for such a file several times a second each, and what a router does for a page and its
/// forms is most of what one costs then. What else there is, is the router's.
#[derive(Clone)]
pub(crate) struct Front {
    app: App,
    rest: Router,
}

impl Front {
    pub(crate) fn new(app: App, rest: Router) -> Self {
        Self { app, rest }
    }

    /// For each connection, told from where it comes.
    pub(crate) fn into_make_service(self) -> IntoMakeServiceWithConnectInfo<Self, SocketAddr> {
        ServiceExt::<Request>::into_make_service_with_connect_info(self)
    }
}

impl<B> Service<http::Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<BoxFuture<'static, Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<B>>::poll_ready(&mut self.rest, context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let is_file = request.method() == Method::GET && media_path(request.uri().path()).is_some();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        match peer.filter(|_| is_file) {
            Some(peer) => {
                let app = self.app.clone();
                let (head, _) = request.into_parts();
                Either::Left(Box::pin(async move { Ok(media(&app, peer, &head).await) }))
            }
            None => {
                name_host(&mut request);
                Either::Right(self.rest.call(request))
            }
        }
    }
}

/// By HTTP/2 the host is part of the target (RFC 9113 §8.3.1); all of ours look for the field.
fn name_host<B>(request: &mut http::Request<B>) {
    if !request.headers().contains_key(header::HOST)
        && let Some(host) = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok())
    {
        request.headers_mut().insert(header::HOST, host);
    }
}

/// The livestream and the file of a path to what players fetch.
fn media_path(path: &str) -> Option<(BroadcastId, &str)> {
    let (id, name) = path.strip_prefix("/live/")?.split_once('/')?;
    let (stem, kind) = name.rsplit_once('.')?;
    let is_media = matches!(kind, "m3u8" | "m4s" | "mp4" | "vtt") && stem != "replay" && !name.contains(['/', '%']);
    id.parse().ok().filter(|_| is_media).map(|id| (id, name))
}

async fn media(app: &App, peer: SocketAddr, head: &request::Parts) -> Response {
    let mut response = match find(app, peer, head).await {
        Ok((file, gate)) => serve(file, gate, &head.headers),
        Err(refused) => {
            let response = match refused {
                Refused::Plainly(status @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)) => {
                    (status, [(header::RETRY_AFTER, AGAIN)]).into_response()
                }
                Refused::Plainly(status) => status.into_response(),
                Refused::Elsewhere(id) => {
                    let there = [(header::LOCATION, text(format!("/live/{id}/{MULTIVARIANT}")))];
                    (StatusCode::TEMPORARY_REDIRECT, there).into_response()
                }
                Refused::Because(code) => Problem::new(code, Language::of(&head.headers)).into_response(),
            };
            ([(header::CACHE_CONTROL, NOT_KEPT)], response).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Why there is no file: in words, or by a status that players know.
enum Refused {
    Because(Code),
    Plainly(StatusCode),
    /// It is another livestream that is on there now.
    Elsewhere(BroadcastId),
}

async fn find(app: &App, peer: SocketAddr, head: &request::Parts) -> Result<(HlsFile, Gate), Refused> {
    let (id, name) = media_path(head.uri.path()).ok_or(Refused::Because(Code::NotFound))?;
    let (pass, gate) = admission(app, id, &head.headers).await.map_err(Refused::Because)?;
    if name == MULTIVARIANT {
        // What names its parts never has two meanings, so that proxies can't mix two livestreams up; this alone stands for the meeting.
        let now = app.conference.livestream_at(id);
        if now != id && app.origin.is_live(now) {
            return Err(Refused::Elsewhere(now));
        }
    }
    let who = [Some(Who::Network(model::network_of(peer.ip()))), pass.as_deref().and_then(viewer_of).map(Who::Viewer)];
    let waiting = app.tally.enter(who);
    let _waiting = waiting.ok_or(Refused::Plainly(StatusCode::TOO_MANY_REQUESTS))?;
    let found = app.origin.get(id, name, head.uri.query()).await.map_err(|error| match error {
        OriginError::NotFound => Refused::Because(Code::NotFound),
        OriginError::Gone => Refused::Plainly(StatusCode::GONE),
        // The draft's word for a part that is too far ahead, and for one that did not come in time (RFC 8216bis §6.2.5.2).
        OriginError::BadRequest | OriginError::TooFar => Refused::Plainly(StatusCode::BAD_REQUEST),
        OriginError::NotYet | OriginError::Away => Refused::Plainly(StatusCode::SERVICE_UNAVAILABLE),
    });
    Ok((found?, gate))
}

/// The pass of who may watch, if he has one, and whether he needs it.
async fn admission(app: &App, id: BroadcastId, headers: &HeaderMap) -> Result<(Option<String>, Gate), Code> {
    let pass = shown_pass(headers);
    match app.conference.may_watch(id, pass.as_deref()).await {
        Ok(Gate::Shut) => Err(Code::NoPass),
        Ok(gate) => Ok((pass, gate)),
        Err(error) => {
            tracing::error!(%error, "a viewer can't be looked up");
            Err(Code::Failed)
        }
    }
}

/// The same where it is asked for otherwise than by GET.
pub(crate) async fn file(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, _) = request.into_parts();
    media(&app, peer, &head).await
}

/// Where the operator's picture is, which watch pages show while they wait.
pub(crate) const POSTER: &str = "/watch-poster";

/// That picture; the file's name says whether it is PNG or JPEG.
pub(crate) async fn poster(State(app): State<App>, request: Request) -> Response {
    let language = Language::of(request.headers());
    let missing = || Problem::new(Code::NotFound, language).into_response();
    let Some(file) = &app.poster else { return missing() };
    match ServeFile::new(file).try_call(request).await {
        Ok(response) => ([(header::CACHE_CONTROL, "max-age=300")], response).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the poster can't be read");
            missing()
        }
    }
}

/// A page of another site asks whether it may ask (Fetch, "CORS protocol").
pub(crate) async fn preflight() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN)])
}

fn serve(file: HlsFile, gate: Gate, headers: &HeaderMap) -> Response {
    // What one has a pass for is kept by his own browser alone: a cache on the way asks nobody for a pass (RFC 9111 §5.2.2.7).
    let whose = if gate == Gate::Open { "" } else { "private, " };
    let cache = match file.cache {
        CacheFor::Nothing => text(format!("{whose}no-cache")),
        CacheFor::Seconds(seconds) => text(format!("{whose}max-age={seconds}")),
    };
    let says = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let packed = file.packed.as_ref().and_then(|packed| Some((packed, coding_of(says(header::ACCEPT_ENCODING))?)));
    // The forms of a file are told apart (RFC 9110 §8.8.3.3).
    let etag = match packed {
        Some((_, coding)) => format!("\"{}-{}\"", file.etag, token(coding)),
        None => format!("\"{}\"", file.etag),
    };
    let is_known = says(header::IF_NONE_MATCH).split(',').any(|known| known.trim().trim_start_matches("W/") == etag);
    let mut fields = HeaderMap::with_capacity(FIELDS);
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    fields.insert(header::CACHE_CONTROL, cache);
    fields.insert(header::ETAG, text(etag));
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let (status, body) = match packed {
        _ if is_known => (StatusCode::NOT_MODIFIED, Body::empty()),
        Some((packed, coding)) => {
            fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token(coding)));
            (StatusCode::OK, packed.bytes(coding).into())
        }
        None => (StatusCode::OK, file.body.into()),
    };
    let mut response = Response::new(body);
    (*response.status_mut(), *response.headers_mut()) = (status, fields);
    response
}

/// Of our own making.
fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The best of what an Accept-Encoding (RFC 9110 §12.5.3) has, and not with a weight of nothing.
fn coding_of(accepts: &str) -> Option<Coding> {
    let takes = |wanted: &str| {
        accepts.split(',').any(|coding| {
            let mut words = coding.split(';').map(str::trim);
            let is_it = words.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
            is_it && !words.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    };
    if takes(token(Coding::Brotli)) {
        Some(Coding::Brotli)
    } else {
        // Who takes anything takes what all know.
        (takes(token(Coding::Gzip)) || takes("*")).then_some(Coding::Gzip)
    }
}

/// A coding's name in header fields.
fn token(coding: Coding) -> &'static str {
    match coding {
        Coding::Brotli => "br",
        Coding::Gzip => "gzip",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9110 §12.5.3
    #[test]
    fn packed_is_sent_to_who_can_unpack() {
        for accepts in ["gzip, deflate, br, zstd", "br", "BR;q=0.5, gzip", "gzip;q=0, br"] {
            assert_eq!(coding_of(accepts), Some(Coding::Brotli), "{accepts}");
        }
        for accepts in ["gzip", "br;q=0, GZIP;q=0.5", "*", "deflate,gzip"] {
            assert_eq!(coding_of(accepts), Some(Coding::Gzip), "{accepts}");
        }
        for accepts in ["", "identity", "gzip;q=0", "br;q=0.0, gzip; q=0.0", "brotli"] {
            assert_eq!(coding_of(accepts), None, "{accepts}");
        }
    }

    #[test]
    fn files_of_players_are_known_by_their_names() {
        let id = BroadcastId::from_u128(7);
        for name in ["index.m3u8", "video.m3u8", "audio-p17.m4s", "low-init-0.mp4", "captions-3.vtt"] {
            assert_eq!(media_path(&format!("/live/{id}/{name}")), Some((id, name)));
        }
        for name in ["chat", "replay.mp4", "replay.vtt", "a/b.m4s", "a%2fb.m4s", "video.ts", ""] {
            assert_eq!(media_path(&format!("/live/{id}/{name}")), None, "{name}");
        }
        assert_eq!(media_path("/live/7/index.m3u8"), None);
    }

    fn file() -> HlsFile {
        let (content_type, body) = ("video/mp4", b"moof".as_slice().into());
        HlsFile { content_type, body, packed: None, etag: "video-1.m4s-4".into(), cache: CacheFor::Seconds(300) }
    }

    // RFC 9110 §13.1.2
    #[test]
    fn what_is_known_already_is_not_sent_again() {
        let asked = |known: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
            serve(file(), Gate::Open, &headers).status()
        };
        assert_eq!(asked("\"other\", W/\"video-1.m4s-4\""), StatusCode::NOT_MODIFIED);
        assert_eq!(asked("\"video-1.m4s-4-gzip\""), StatusCode::OK);
        let plain = serve(file(), Gate::Open, &HeaderMap::new());
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "max-age=300");
        // RFC 9111 §5.2.2.7
        let closed = serve(file(), Gate::Passed, &HeaderMap::new());
        assert_eq!(closed.headers()[header::CACHE_CONTROL], "private, max-age=300");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    }
}
