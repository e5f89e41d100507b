//! The routes under `/api/v1`.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json, Router,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use conference::{Account, CreateRefused, LoginRefused, MeetingInfo, NewMeeting};
use model::{BroadcastId, MeetingId, MeetingNumber};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::StoreError;

use crate::{
    App,
    problem::{Code, Language, Problem},
    session,
};

/// The session cookie; the second name is for TLS, where the browser itself guards it.
const COOKIES: [&str; 2] = ["huitong", "__Host-huitong"];

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/me", get(me))
        .route("/meetings", get(meetings).post(create))
        .route("/meetings/by-number/{number}", get(by_number))
        .route("/meetings/{id}/session", get(session::upgrade))
        .route("/broadcasts/{id}", get(broadcast))
        .route("/info", get(info))
}

/// Who asks, from where, in what language.
pub(crate) struct Caller {
    pub(crate) language: Language,
    pub(crate) source: IpAddr,
    token: Option<String>,
    tls: bool,
}

impl Caller {
    fn problem(&self, code: Code) -> Problem {
        Problem::new(code, self.language)
    }

    fn failed(&self, error: &StoreError) -> Problem {
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

    async fn logged_in(&self, app: &App) -> Result<Account, Problem> {
        self.account(app).await?.ok_or_else(|| self.problem(Code::NotLoggedIn))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let language = Language::of(&parts.headers);
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Code::Failed, language))?;
        // Other sites must not act with our users' cookies: whoever sends an Origin must be ourselves.
        let upgrades = parts.headers.contains_key(header::UPGRADE);
        if (upgrades || !parts.method.is_safe()) && !same_origin(&parts.headers) {
            return Err(Problem::new(Code::WrongOrigin, language));
        }
        let tls = origin_of(&parts.headers).is_some_and(|origin| origin.starts_with("https://"));
        Ok(Self { language, source: peer.ip(), token: cookie(&parts.headers), tls })
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

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(name, _)| COOKIES.contains(name)).map(|(_, token)| token.to_owned())
}

/// A JSON body whose rejections are problems.
struct Body<T>(T);

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

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

#[derive(Serialize)]
struct AccountBody {
    account: AccountView,
}

#[derive(Serialize)]
struct AccountView {
    id: String,
    name: String,
    display_name: String,
    site: String,
}

impl From<Account> for AccountBody {
    fn from(account: Account) -> Self {
        let Account { id, name, display_name, site } = account;
        Self { account: AccountView { id: id.to_string(), name, display_name, site } }
    }
}

async fn login(State(app): State<App>, caller: Caller, Body(body): Body<Login>) -> Result<Response, Problem> {
    let session = app.conference.login(&body.name, body.password, caller.source).await;
    let session = session.map_err(|refused| match refused {
        LoginRefused::Wrong => caller.problem(Code::WrongLogin),
        LoginRefused::Locked(left) => {
            Problem { retry_after_s: Some(left.as_secs() + 1), ..caller.problem(Code::LoginLocked) }
        }
        LoginRefused::Store(error) => caller.failed(&error),
        LoginRefused::Failed => caller.problem(Code::Failed),
    })?;
    let cookie = set_cookie(&caller, &session.token, "Max-Age=604800");
    Ok(([(header::SET_COOKIE, cookie)], Json(AccountBody::from(session.account))).into_response())
}

fn set_cookie(caller: &Caller, token: &str, lasts: &str) -> HeaderValue {
    let (name, secure) = if caller.tls { (COOKIES[1], "; Secure") } else { (COOKIES[0], "") };
    let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; {lasts}{secure}");
    HeaderValue::from_str(&text).expect("tokens are hexadecimal")
}

async fn logout(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    if let Some(token) = &caller.token {
        app.conference.logout(token).await.map_err(|error| caller.failed(&error))?;
    }
    let cookie = set_cookie(&caller, "", "Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

async fn me(State(app): State<App>, caller: Caller) -> Result<Json<AccountBody>, Problem> {
    Ok(Json(caller.logged_in(&app).await?.into()))
}

#[derive(Serialize)]
struct MeetingView {
    id: MeetingId,
    number: MeetingNumber,
    title: String,
    password: Option<String>,
    state: &'static str,
    dial: Dial,
    link: String,
}

#[derive(Serialize)]
struct Dial {
    sip: String,
    one_touch: String,
}

fn state(live: bool) -> &'static str {
    if live { "live" } else { "idle" }
}

fn view(app: &App, headers: &HeaderMap, meeting: MeetingInfo) -> MeetingView {
    let digits = meeting.number.digits();
    let password = meeting.password.as_deref().map(|password| format!(",,{password}#")).unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if origin_of(headers).is_some_and(|origin| origin.starts_with("https")) { "https" } else { "http" };
    let base = app.public_url.as_deref().map_or_else(|| format!("{scheme}://{host}"), str::to_owned);
    MeetingView {
        id: meeting.id,
        number: meeting.number,
        title: meeting.title,
        state: state(meeting.live),
        dial: Dial { sip: app.sip.address(&digits), one_touch: format!("{digits}#{password}") },
        link: format!("{base}/j/{digits}"),
        password: meeting.password,
    }
}

#[derive(Serialize)]
struct Items<T> {
    items: Vec<T>,
}

async fn meetings(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Json<Items<MeetingView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let meetings = app.conference.meetings(&account).await.map_err(|error| caller.failed(&error))?;
    Ok(Json(Items { items: meetings.into_iter().map(|meeting| view(&app, &headers, meeting)).collect() }))
}

#[derive(Deserialize)]
struct Create {
    title: String,
    password: Option<String>,
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<Create>,
) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let new = NewMeeting { title: body.title, password: body.password };
    let meeting = app.conference.create_meeting(&account, new).await.map_err(|refused| match refused {
        CreateRefused::Title(_) => caller.problem(Code::BadTitle),
        CreateRefused::Password(_) => caller.problem(Code::BadPassword),
        CreateRefused::Store(error) => caller.failed(&error),
    })?;
    Ok((StatusCode::CREATED, Json(view(&app, &headers, meeting))).into_response())
}

#[derive(Serialize)]
struct DoorView {
    id: MeetingId,
    number: MeetingNumber,
    title: String,
    needs_password: bool,
    state: &'static str,
}

async fn by_number(
    State(app): State<App>,
    caller: Caller,
    Path(number): Path<String>,
) -> Result<Json<DoorView>, Problem> {
    let number = number.parse().map_err(|_| caller.problem(Code::NoSuchMeeting))?;
    let door = app.conference.find(number).await.map_err(|error| caller.failed(&error))?;
    let door = door.ok_or_else(|| caller.problem(Code::NoSuchMeeting))?;
    Ok(Json(DoorView {
        id: door.id,
        number: door.number,
        title: door.title,
        needs_password: door.needs_password,
        state: state(door.live),
    }))
}

#[derive(Serialize)]
struct BroadcastView {
    id: BroadcastId,
    title: String,
    /// `live` when the playlist can be fetched.
    state: &'static str,
    playlist: String,
}

async fn broadcast(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BroadcastView>, Problem> {
    let id: BroadcastId = id.parse().map_err(|_| caller.problem(Code::NotFound))?;
    // A livestream has its meeting's id.
    let door = app.conference.door_by_id(MeetingId::new(id.uuid())).await.map_err(|error| caller.failed(&error))?;
    let door = door.ok_or_else(|| caller.problem(Code::NotFound))?;
    let live = app.origin.get(id, "index.m3u8", None).await.is_ok();
    Ok(Json(BroadcastView {
        id,
        title: door.title,
        state: if live { "live" } else { "waiting" },
        playlist: format!("/live/{id}/index.m3u8"),
    }))
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    sip: SipView,
    languages: [&'static str; 2],
}

#[derive(Serialize)]
struct SipView {
    host: String,
    udp: Option<u16>,
    tcp: Option<u16>,
}

async fn info(State(app): State<App>) -> Json<Info> {
    let sip = SipView { host: app.sip.host.clone(), udp: app.sip.udp, tcp: app.sip.tcp };
    Json(Info { version: env!("CARGO_PKG_VERSION"), sip, languages: ["zh-CN", "en-US"] })
}
