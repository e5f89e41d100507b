//! HLS from the origin in this process, for who may watch.

use std::{
    convert::Infallible,
    net::SocketAddr,
    task::{Context, Poll},
};

use axum::{
    BoxError, Router, ServiceExt,
    body::{Bytes, HttpBody},
    extract::{ConnectInfo, Path, Request, State, connect_info::IntoMakeServiceWithConnectInfo},
    http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
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
    door::Files,
    problem::{Code, Language, Problem},
    rest::{cookie, cookie_of},
    tally::Who,
};

/// The cookie with a viewer's pass. It is sent with the files of its own livestream, to renew it, and with nothing else.
const PASS: &str = "huitong-watch";

/// Of any other site.
const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

/// Of what is refused: in a moment it may be there, or for somebody else.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// When to ask again for what should be there, or for one thing less at once. In seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// Header fields of an answer, and what HTTP adds.
const FIELDS: usize = 12;

/// What is on every answer here: a pass never leaves the browser it was given to, so pages of other sites may play what is public only.
const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

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
        Some(id) => admission(&app, id, shown_pass(request.headers()).as_deref()).await.err(),
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
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        let asked = (request.method() == Method::GET).then(|| Asked::of_request(request.uri(), request.headers()));
        match peer.zip(asked.flatten()) {
            Some((peer, asked)) => {
                let app = self.app.clone();
                Either::Left(Box::pin(async move { Ok(media(&app, peer, &asked).await) }))
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

/// What a player asks for, and what his request says of himself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    broadcast: BroadcastId,
    name: String,
    query: Option<String>,
    pass: Option<String>,
    coding: Option<Coding>,
    /// What he has already (RFC 9110 §13.1.2).
    known: Option<String>,
    language: Language,
}

/// The fields of a request's head, in the order they came.
pub(crate) trait Fields {
    /// All values of a field that are text; its name is in lower case.
    fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a str>;
}

impl Fields for HeaderMap {
    fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }
}

impl Asked {
    /// None where it is something else.
    pub(crate) fn of(path: &str, query: Option<&str>, fields: &impl Fields) -> Option<Self> {
        let (broadcast, name) = media_path(path)?;
        let pass = cookie_of(fields.all("cookie"), &[PASS]);
        Some(Self {
            broadcast,
            name: name.to_owned(),
            query: query.map(str::to_owned),
            pass,
            coding: fields.all("accept-encoding").next().and_then(coding_of),
            known: fields.all("if-none-match").next().map(str::to_owned),
            language: fields.all("accept-language").next().map_or(Language::Chinese, Language::from_tag),
        })
    }

    #[cfg(test)]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn of_request(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        Self::of(uri.path(), uri.query(), headers)
    }
}

/// A file as this player gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    content_type: &'static str,
    cache: String,
    /// With its quotes.
    etag: String,
    coding: Option<Coding>,
}

impl Answer {
    /// Its header fields, but those of HTTP itself.
    pub(crate) fn fields(&self, mut each: impl FnMut(&HeaderName, &str)) {
        each(&header::CONTENT_TYPE, self.content_type);
        each(&header::CACHE_CONTROL, &self.cache);
        each(&header::ETAG, &self.etag);
        each(&header::VARY, "accept-encoding");
        if let Some(coding) = self.coding {
            each(&header::CONTENT_ENCODING, token(coding));
        }
        ALWAYS.iter().for_each(|(name, value)| each(name, value.to_str().unwrap_or_default()));
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut fields = HeaderMap::with_capacity(FIELDS);
        self.fields(|name, value| {
            fields.insert(name, text(value));
        });
        let mut response = Response::new(self.body.into());
        (*response.status_mut(), *response.headers_mut()) = (self.status, fields);
        response
    }
}

impl Files for App {
    fn answer(&self, peer: SocketAddr, asked: &Asked) -> impl Future<Output = Result<Answer, Response>> + Send {
        answer(self, peer, asked)
    }
}

async fn media(app: &App, peer: SocketAddr, asked: &Asked) -> Response {
    answer(app, peer, asked).await.map_or_else(|refused| refused, IntoResponse::into_response)
}

/// The file, or what is said instead. What is about to come is waited for.
async fn answer(app: &App, peer: SocketAddr, asked: &Asked) -> Result<Answer, Response> {
    let refused = match find(app, peer, asked).await {
        Ok((file, gate)) => return Ok(serve(file, gate, asked)),
        Err(refused) => refused,
    };
    let response = match refused {
        Refused::Plainly(status @ (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)) => {
            (status, [(header::RETRY_AFTER, AGAIN)]).into_response()
        }
        Refused::Plainly(status) => status.into_response(),
        Refused::Elsewhere(id) => {
            let there = [(header::LOCATION, text(&format!("/live/{id}/{MULTIVARIANT}")))];
            (StatusCode::TEMPORARY_REDIRECT, there).into_response()
        }
        Refused::Because(code) => Problem::new(code, asked.language).into_response(),
    };
    let mut response = ([(header::CACHE_CONTROL, NOT_KEPT)], response).into_response();
    response.headers_mut().extend(ALWAYS);
    Err(response)
}

/// Why there is no file: in words, or by a status that players know.
enum Refused {
    Because(Code),
    Plainly(StatusCode),
    /// It is another livestream that is on there now.
    Elsewhere(BroadcastId),
}

async fn find(app: &App, peer: SocketAddr, asked: &Asked) -> Result<(HlsFile, Gate), Refused> {
    let (id, name, pass) = (asked.broadcast, asked.name.as_str(), asked.pass.as_deref());
    let gate = admission(app, id, pass).await.map_err(Refused::Because)?;
    if name == MULTIVARIANT {
        // What names its parts never has two meanings, so that proxies can't mix two livestreams up; this alone stands for the meeting.
        let now = app.conference.livestream_at(id);
        if now != id && app.origin.is_live(now) {
            return Err(Refused::Elsewhere(now));
        }
    }
    let who = [Some(Who::Network(model::network_of(peer.ip()))), pass.and_then(viewer_of).map(Who::Viewer)];
    let waiting = app.tally.enter(who);
    let _waiting = waiting.ok_or(Refused::Plainly(StatusCode::TOO_MANY_REQUESTS))?;
    let found = app.origin.get(id, name, asked.query.as_deref()).await.map_err(|error| match error {
        OriginError::NotFound => Refused::Because(Code::NotFound),
        OriginError::Gone => Refused::Plainly(StatusCode::GONE),
        // The draft's word for a part that is too far ahead, and for one that did not come in time (RFC 8216bis §6.2.5.2).
        OriginError::BadRequest | OriginError::TooFar => Refused::Plainly(StatusCode::BAD_REQUEST),
        OriginError::NotYet | OriginError::Away => Refused::Plainly(StatusCode::SERVICE_UNAVAILABLE),
    });
    Ok((found?, gate))
}

/// Whether who may watch needs a pass.
async fn admission(app: &App, id: BroadcastId, pass: Option<&str>) -> Result<Gate, Code> {
    match app.conference.may_watch(id, pass).await {
        Ok(Gate::Shut) => Err(Code::NoPass),
        Ok(gate) => Ok(gate),
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
    match Asked::of_request(request.uri(), request.headers()) {
        Some(asked) => media(&app, peer, &asked).await,
        None => {
            let problem = Problem::new(Code::NotFound, Language::of(request.headers()));
            let mut response = ([(header::CACHE_CONTROL, NOT_KEPT)], problem).into_response();
            response.headers_mut().extend(ALWAYS);
            response
        }
    }
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

fn serve(file: HlsFile, gate: Gate, asked: &Asked) -> Answer {
    // What one has a pass for is kept by his own browser alone: a cache on the way asks nobody for a pass (RFC 9111 §5.2.2.7).
    let whose = if gate == Gate::Open { "" } else { "private, " };
    let cache = match file.cache {
        CacheFor::Nothing => format!("{whose}no-cache"),
        CacheFor::Seconds(seconds) => format!("{whose}max-age={seconds}"),
    };
    let packed = file.packed.as_ref().zip(asked.coding);
    // The forms of a file are told apart (RFC 9110 §8.8.3.3).
    let etag = match packed {
        Some((_, coding)) => format!("\"{}-{}\"", file.etag, token(coding)),
        None => format!("\"{}\"", file.etag),
    };
    let mut known = asked.known.as_deref().unwrap_or_default().split(',');
    let is_known = known.any(|known| known.trim().trim_start_matches("W/") == etag);
    let (status, body, coding) = match packed {
        _ if is_known => (StatusCode::NOT_MODIFIED, Bytes::new(), None),
        Some((packed, coding)) => (StatusCode::OK, packed.bytes(coding), Some(coding)),
        None => (StatusCode::OK, file.body, None),
    };
    Answer { status, body, content_type: file.content_type, cache, etag, coding }
}

/// Of our own making.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
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
pub(crate) mod tests {
    use super::*;

    /// An answer with these bytes.
    pub(crate) fn answer_with(body: Bytes) -> Answer {
        let (cache, etag) = ("max-age=300".to_owned(), format!("\"video-1.m4s-{:x}\"", body.len()));
        Answer { status: StatusCode::OK, body, content_type: "video/mp4", cache, etag, coding: None }
    }

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
        let ask = |known: Option<&str>| {
            let known = known.map(|known| (header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap()));
            let path = format!("/live/{}/video-1.m4s", BroadcastId::from_u128(7));
            Asked::of(&path, None, &HeaderMap::from_iter(known)).unwrap()
        };
        let asked = |known: &str| serve(file(), Gate::Open, &ask(Some(known))).status;
        assert_eq!(asked("\"other\", W/\"video-1.m4s-4\""), StatusCode::NOT_MODIFIED);
        assert_eq!(asked("\"video-1.m4s-4-gzip\""), StatusCode::OK);
        let plain = serve(file(), Gate::Open, &ask(None)).into_response();
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "max-age=300");
        // RFC 9111 §5.2.2.7
        let closed = serve(file(), Gate::Passed, &ask(None)).into_response();
        assert_eq!(closed.headers()[header::CACHE_CONTROL], "private, max-age=300");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
    }
}
