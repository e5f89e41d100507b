//! The routes under `/api/v1`: who asks, in what form, and what is public. Each kind of resource has a file of its own.

mod accounts;
mod avatars;
mod calling;
mod calls;
mod encoder;
mod files;
mod idempotency;
mod login;
mod meetings;
mod networks;
mod prompts;
pub(crate) mod recordings;
mod sharing;
mod sign_on;
mod sites;
mod watch;
mod webinar;

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    extract::{
        ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use conference::Account;
use model::{BroadcastId, MeetingId, MeetingNumber};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::StoreError;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use watch::watch_problem;

use crate::{
    App,
    origins::Origins,
    problem::{Code, Language, Problem},
    session,
};

/// The session cookie; the second name is for TLS, where the browser itself guards it.
const COOKIES: [&str; 2] = ["huitong", "__Host-huitong"];

/// The cookie that tells a known browser from a stranger's (L4); it opens nothing.
const DEVICE_COOKIES: [&str; 2] = ["huitong-device", "__Host-huitong-device"];

/// Items of a page where no number is asked for, and the most.
const PAGE: u32 = 50;
/// See [`PAGE`].
const PAGE_MAX: u32 = 200;

#[derive(OpenApi)]
#[openapi(info(
    title = "Huitong",
    description = "Meetings by browser, telephone and livestream. Programs log in like people, by cookie.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Document;

/// The routes that are described, and what describes them.
fn described() -> (axum::Router<App>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .merge(login::routes())
        .merge(sign_on::routes())
        .merge(accounts::routes())
        .merge(avatars::routes())
        .merge(sites::routes())
        .merge(meetings::routes())
        .merge(networks::routes())
        .merge(encoder::routes())
        .merge(recordings::routes())
        .merge(files::routes())
        .merge(sharing::routes())
        .merge(calls::routes())
        .merge(calling::routes())
        .merge(prompts::routes())
        .routes(routes!(by_number))
        .merge(watch::routes())
        .merge(webinar::routes())
        .routes(routes!(info))
        .split_for_parts();
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (format!("/api/v1{path}"), item)).collect();
    (router, document)
}

/// The routes, and the document that describes them.
pub(crate) fn routes(app: &App) -> (axum::Router<App>, utoipa::openapi::OpenApi) {
    let (router, document) = described();
    let router = router
        .route("/meetings/{id}/session", get(session::upgrade))
        .route("/client-protocol.json", get(async || Json(session::schema())))
        .layer(middleware::from_fn_with_state(app.clone(), idempotency::answer_once));
    (router, document)
}

/// Marks requests that came in over our own TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverTls;

/// Who asks, from where, in what language.
pub(crate) struct Caller {
    pub(crate) language: Language,
    pub(crate) source: IpAddr,
    pub(crate) token: Option<String>,
    /// What this browser was given when somebody logged in from it.
    device: Option<String>,
    tls: bool,
    /// Of the requested address.
    host: String,
}

impl Caller {
    /// How he reached the pages.
    pub(crate) fn base(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.host)
    }

    pub(crate) fn problem(&self, code: Code) -> Problem {
        Problem::new(code, self.language)
    }

    pub(crate) fn failed(&self, error: &StoreError) -> Problem {
        tracing::error!(%error, "request failed");
        self.problem(Code::Failed)
    }

    /// The account of the session, if there is one.
    pub(crate) async fn account(&self, app: &App) -> Result<Option<Account>, Problem> {
        match &self.token {
            Some(token) => app.conference.session(token).await.map_err(|error| self.failed(&error)),
            None => Ok(None),
        }
    }

    /// An id of a path; what is none names nothing.
    pub(crate) fn id<T: std::str::FromStr>(&self, text: &str) -> Result<T, Problem> {
        text.parse().map_err(|_| self.problem(Code::NotFound))
    }

    pub(crate) async fn logged_in(&self, app: &App) -> Result<Account, Problem> {
        self.account(app).await?.ok_or_else(|| self.problem(Code::NotLoggedIn))
    }
}

impl Caller {
    /// And whether he may be who his cookies say: other sites must not act with our users' cookies. Whoever sends an Origin
    /// must be ourselves, or whom the operator trusts; browsers send him none of our cookies (SameSite).
    async fn read<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<(Self, bool), Problem> {
        let language = Language::of(&parts.headers);
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Code::Failed, language))?;
        let origins = parts.extensions.get::<Origins>();
        let trusted = origin_of(&parts.headers).is_some_and(|origin| origins.is_some_and(|all| all.has(origin)));
        let is_ours = trusted || same_origin(&parts.headers);
        // Behind a reverse proxy only the browser knows; where it says nothing, its port does.
        let says_tls = origin_of(&parts.headers).is_some_and(|origin| origin.starts_with("https://"));
        let tls = says_tls || parts.extensions.get::<OverTls>().is_some();
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        let token = cookie(&parts.headers, &COOKIES);
        let device = cookie(&parts.headers, &DEVICE_COOKIES);
        Ok((Self { language, source: peer.ip(), token, device, tls, host }, is_ours))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let upgrades = parts.headers.contains_key(header::UPGRADE);
        let (caller, is_ours) = Self::read(parts, state).await?;
        if (upgrades || !parts.method.is_safe()) && !is_ours {
            return Err(caller.problem(Code::WrongOrigin));
        }
        Ok(caller)
    }
}

/// A caller of what any site's pages may ask for: theirs come without our cookies.
pub(crate) struct Anybody(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (caller, is_ours) = Caller::read(parts, state).await?;
        Ok(Self(if is_ours { caller } else { Caller { token: None, device: None, ..caller } }))
    }
}

fn origin_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::ORIGIN)?.to_str().ok()
}

/// Programs send no Origin and have no cookies to steal; browsers always do where it matters.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = origin_of(headers) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some() && origin.split_once("://").map(|(_, host)| host) == host
}

/// The field that shows whose seat it is: what `joined.resume` of the client protocol says.
const SEAT: &str = "huitong-seat";

fn seat_of(headers: &HeaderMap) -> Option<String> {
    headers.get(SEAT).and_then(|secret| secret.to_str().ok()).map(str::to_owned)
}

pub(crate) fn cookie(headers: &HeaderMap, names: &[&str]) -> Option<String> {
    cookie_of(headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()), names)
}

/// The same, where the fields are at hand.
pub(crate) fn cookie_of<'a>(fields: impl Iterator<Item = &'a str>, names: &[&str]) -> Option<String> {
    let mut pairs = fields.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| names.contains(name)).map(|(_, token)| token.to_owned())
}

/// A cookie of ours. The token is made of what cookies may have (RFC 6265 §4.1.1).
fn set_cookie(caller: &Caller, names: &[&str; 2], token: &str, lasts: &str) -> HeaderValue {
    let (name, secure) = if caller.tls { (names[1], "; Secure") } else { (names[0], "") };
    let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; {lasts}{secure}");
    HeaderValue::from_str(&text).expect("tokens are hexadecimal")
}

/// A JSON body whose rejections are problems.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let language = Language::of(request.headers());
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::BytesRejection(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(Code::TooLarge, language))
            }
            Err(_) => Err(Problem::new(Code::BadMessage, language)),
        }
    }
}

/// A query string whose rejections are problems.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let language = Language::of(&parts.headers);
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        match read {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::new(Code::BadMessage, language).because(error.body_text())),
        }
    }
}

/// A piece of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    /// For the next piece; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

impl<T> Items<T> {
    /// All there is.
    pub(crate) fn all(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// A piece; whether there is more shows by its being full.
    pub(crate) fn piece(items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let is_full = items.len() as u32 >= limit;
        let next = items.last().filter(|_| is_full).map(|last| hex::encode(cursor(last)));
        Self { items, next }
    }
}

/// Which piece of a list is wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PieceParams {
    /// From the piece before.
    cursor: Option<String>,
    /// How many, at most 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

impl PieceParams {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)
    }

    /// What [`Items::piece`] wrote.
    fn after<T: std::str::FromStr>(&self, caller: &Caller) -> Result<Option<T>, Problem> {
        let read = |cursor: &String| String::from_utf8(hex::decode(cursor).ok()?).ok()?.parse().ok();
        match &self.cursor {
            None => Ok(None),
            Some(cursor) => read(cursor).map(Some).ok_or_else(|| caller.problem(Code::BadMessage)),
        }
    }
}

/// The version a change is meant for (If-Match, RFC 9110 §13.1.1).
fn if_match(headers: &HeaderMap) -> Option<i64> {
    headers.get(header::IF_MATCH)?.to_str().ok()?.trim_matches('"').parse().ok()
}

fn with_version<T: Serialize>(status: StatusCode, version: i64, body: T) -> Response {
    (status, [(header::ETAG, format!("\"{version}\""))], Json(body)).into_response()
}

/// Milliseconds as people and programs write them.
fn time(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

fn state(live: bool) -> &'static str {
    if live { "live" } else { "idle" }
}

/// A meeting as anyone sees it who knows its number.
#[derive(Serialize, ToSchema)]
struct DoorView {
    #[schema(value_type = String, format = Uuid)]
    id: MeetingId,
    #[schema(value_type = String, example = "123456789")]
    number: MeetingNumber,
    title: String,
    needs_password: bool,
    state: &'static str,
}

#[utoipa::path(get, path = "/meetings/by-number/{number}", params(("number" = String, Path, description = "Nine digits")),
    responses((status = 200, body = DoorView), Problem))]
async fn by_number(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Json<DoorView>, Problem> {
    let number = number.parse().map_err(|_| caller.problem(Code::NoSuchMeeting))?;
    let found = app.conference.find_for(number, caller.source).await;
    let door = found.map_err(|refusal| caller.problem(refusal.into()))?;
    Ok(Json(DoorView {
        id: door.id,
        number: door.number,
        title: door.title,
        needs_password: door.needs_password,
        state: state(door.live),
    }))
}

/// The server.
#[derive(Serialize, ToSchema)]
struct Info {
    version: &'static str,
    /// Where the pages are, for links: as the operator has set it, else as the caller reached them.
    web: String,
    sip: SipView,
    /// Telephone numbers that lead here.
    phones: Vec<PhoneView>,
    #[schema(value_type = Vec<String>)]
    languages: [&'static str; 2],
    /// Text of the button that leads to `/api/v1/sign-on`; absent where there is no single sign-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_on: Option<String>,
    support: SupportView,
    /// Mail is sent: invitations, ways to a new password.
    mail: bool,
    /// The same by short message.
    sms: bool,
    /// Origins whose pages may show meetings in a frame.
    origins: Vec<String>,
}

/// Whom people turn to when they need help; null where the operator set nobody.
#[derive(Serialize, ToSchema)]
struct SupportView {
    /// 在线客服.
    url: Option<String>,
    /// 客服热线.
    hotline: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct SipView {
    host: String,
    udp: Option<u16>,
    tcp: Option<u16>,
}

#[derive(Serialize, ToSchema)]
struct PhoneView {
    name: String,
    number: String,
}

#[utoipa::path(get, path = "/info", responses((status = 200, body = Info)))]
async fn info(State(app): State<App>, caller: Caller) -> Json<Info> {
    let sip = SipView { host: app.sip.host.clone(), udp: app.sip.udp, tcp: app.sip.tcp };
    let sign_on = app.conference.sign_on_label().map(str::to_owned);
    let phone = |(name, number): &(String, String)| PhoneView { name: name.clone(), number: number.clone() };
    let phones = app.conference.phones().iter().map(phone).collect();
    let support = SupportView { url: app.support.url.clone(), hotline: app.support.hotline.clone() };
    let (version, languages) = (env!("CARGO_PKG_VERSION"), ["zh-CN", "en-US"]);
    let (mail, sms) = (app.conference.sends_mail(), app.conference.sends_sms());
    let origins = app.origins.all().to_vec();
    Json(Info { version, web: app.base(&caller), sip, phones, languages, sign_on, support, mail, sms, origins })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/rest.schema.json");

    fn pretty() -> String {
        let components = described().1.components.unwrap();
        serde_json::to_string_pretty(&components.schemas).unwrap() + "\n"
    }

    // product: A2
    #[test]
    fn the_written_schema_is_the_routes() {
        let written = std::fs::read_to_string(WRITTEN).unwrap();
        assert_eq!(written, pretty(), "make schema writes it anew");
    }

    #[test]
    #[ignore = "writes: make schema"]
    fn write_schema_of_rest() {
        std::fs::write(WRITTEN, pretty()).unwrap();
    }
}
