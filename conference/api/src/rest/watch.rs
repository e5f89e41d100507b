//! A livestream's audience: who may watch (B5), and each viewer's word that he is there (B4).

use conference::{BookRefused, Credentials, PASS_LASTS, WatchAbout, WatchRefused, WatchSettings};
use model::{BadBooking, WatchAccess};

use super::*;
use crate::{
    live,
    rest::{accounts::text_detail, meetings::book_problem},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(broadcast)).routes(routes!(attend)).routes(routes!(settings, set))
}

/// Who may watch.
#[derive(ToSchema)]
#[schema(as = WatchAccess, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used: the words are the core's")]
enum AccessView {
    Public,
    Password,
    Link,
    Registered,
    Registration,
}

/// A livestream as its viewers see it.
#[derive(Serialize, ToSchema)]
struct BroadcastView {
    /// Its own, by which its files and its chat are found. A meeting's address leads to another one each time it is live.
    #[schema(value_type = String, format = Uuid)]
    id: BroadcastId,
    title: String,
    /// Who made the meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// When it is planned to begin next, where it has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<jiff::Timestamp>,
    /// `live` when the playlist can be fetched, `waiting` before, `ended` when there is a recording of it.
    state: &'static str,
    /// Who may watch. Where it isn't `public`, files are answered to who has a pass: see `…/viewers`.
    #[schema(value_type = AccessView)]
    access: WatchAccess,
    playlist: String,
    /// The picture to be shown while it is `waiting`, where the operator has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    poster: Option<&'static str>,
    /// What was recorded of it, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
    /// And what was said, as WebVTT, where it was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay_captions: Option<String>,
    /// How many have the page open.
    viewers: usize,
    /// The most there were at once.
    viewers_peak: usize,
}

#[utoipa::path(get, path = "/broadcasts/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = BroadcastView), Problem))]
async fn broadcast(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<BroadcastView>, Problem> {
    let id = app.conference.livestream_at(caller.id(&id)?);
    let about = app.conference.watch_about(id).await.map_err(|error| caller.failed(&error))?;
    // That may be all that is left of a meeting.
    let recording = app.recordings.replay(id);
    let of_film = || {
        let title = recording.as_ref()?.title.clone();
        Some(WatchAbout { title, host: None, start_ms: None })
    };
    let about = about.or_else(of_film).ok_or_else(|| caller.problem(Code::NotFound))?;
    let live = app.origin.is_live(id)
        || recording.is_none() && app.origin.get(id, streaming::MULTIVARIANT, None).await.is_ok();
    let access = app.conference.watch_access(id).await.map_err(|error| caller.failed(&error))?;
    let viewers = app.conference.viewers(id);
    Ok(Json(BroadcastView {
        id,
        title: about.title,
        host: about.host,
        start: about.start_ms.map(time),
        state: match recording {
            _ if live => "live",
            Some(_) => "ended",
            None => "waiting",
        },
        access,
        playlist: format!("/live/{id}/index.m3u8"),
        poster: app.poster.as_ref().map(|_| live::POSTER),
        replay_captions: recording
            .as_ref()
            .filter(|recording| recording.captions_bytes > 0)
            .map(|_| format!("/live/{id}/replay.vtt")),
        replay: recording.map(|_| format!("/live/{id}/replay.mp4")),
        viewers: viewers.live,
        viewers_peak: viewers.peak,
    }))
}

/// A viewer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttendBody {
    /// 1 to 32 hexadecimal digits, by which he is counted once; drawn by his page.
    viewer: String,
    /// Where access is by password.
    password: Option<String>,
    /// What the link has after its `#`, where access is by link or by registration.
    signature: Option<String>,
}

/// What a viewer is told.
#[derive(Serialize, ToSchema)]
struct AttendView {
    viewers: usize,
    viewers_peak: usize,
    /// For so many seconds files are answered to him; absent where they are to everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pass_seconds: Option<u64>,
}

/// Says that a viewer is there, and gives him a pass, as a cookie, where one is needed. To be repeated every 20 seconds, with that
/// cookie: who shows it and says the right password is let in however many wrong ones others of his network have said.
#[utoipa::path(post, path = "/broadcasts/{id}/viewers", request_body = AttendBody,
    params(("id" = String, Path, format = Uuid)), responses((status = 200, body = AttendView), Problem))]
async fn attend(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<AttendBody>,
) -> Result<Response, Problem> {
    let address = caller.id(&id)?;
    let id = app.conference.livestream_at(address);
    let viewer = u128::from_str_radix(&body.viewer, 16).map_err(|_| caller.problem(Code::BadMessage))?;
    let account = caller.account(&app).await?;
    let (password, signature) = (body.password.as_deref(), body.signature.as_deref());
    let shown = live::shown_pass(&headers);
    let admission = Credentials { password, signature, account: account.as_ref(), pass: shown.as_deref() };
    let admitted = app.conference.admit_viewer(id, viewer, admission, caller.source).await;
    let pass = admitted.map_err(|refused| watch_problem(&caller, refused))?;
    // Only livestreams there are have viewers.
    let known = app.origin.is_live(id) || app.recordings.replay(id).is_some();
    let viewers =
        if known { app.conference.note_viewer(id, viewer, Some(caller.source)) } else { app.conference.viewers(id) };
    let pass_seconds = pass.as_ref().map(|_| PASS_LASTS.as_secs());
    let view = AttendView { viewers: viewers.live, viewers_peak: viewers.peak, pass_seconds };
    let mut response = ([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response();
    if let Some(pass) = pass {
        for cookie in live::pass_cookies(id, address, &pass, caller.tls) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

pub(crate) fn watch_problem(caller: &Caller, refused: WatchRefused) -> Problem {
    match refused {
        WatchRefused::PasswordNeeded => caller.problem(Code::WatchPasswordNeeded),
        WatchRefused::WrongPassword => caller.problem(Code::WrongWatchPassword),
        WatchRefused::TooManyTries(left) => caller.problem(Code::TooManyTries).retry_after(left),
        WatchRefused::WrongLink => caller.problem(Code::WrongLink),
        WatchRefused::RegistrationNeeded => caller.problem(Code::RegistrationNeeded),
        WatchRefused::NotApproved => caller.problem(Code::NotApproved),
        WatchRefused::Denied => caller.problem(Code::RegistrationDenied),
        WatchRefused::LoginNeeded => caller.problem(Code::NotLoggedIn),
        WatchRefused::WrongSite => caller.problem(Code::NotAllowed),
        WatchRefused::Missing => caller.problem(Code::NotFound),
        WatchRefused::Store(error) => caller.failed(&error),
    }
}

/// The path of a watch page as its meeting's owner hands it out: `address` is the meeting's or one livestream's of it.
pub(super) async fn handed_out(
    app: &App,
    caller: &Caller,
    address: impl std::fmt::Display,
    of: MeetingId,
) -> Result<String, Problem> {
    let signature = app.conference.watch_signature(of).await.map_err(|error| caller.failed(&error))?;
    Ok(format!("/watch/{address}{}", signature.map(|signature| format!("#{signature}")).unwrap_or_default()))
}

/// Who may watch a meeting's livestream and its recording.
#[derive(Serialize, ToSchema)]
struct SettingsView {
    #[schema(value_type = AccessView)]
    access: WatchAccess,
    /// Where access is by password.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// To be handed out: with the signature, where access is by link.
    link: String,
}

impl SettingsView {
    fn new(app: &App, caller: &Caller, of: MeetingId, (settings, signature): (WatchSettings, String)) -> Self {
        let signed = if settings.access == WatchAccess::Link { format!("#{signature}") } else { String::new() };
        let link = format!("{}/watch/{of}{signed}", app.base(caller));
        Self { access: settings.access, password: settings.password, link }
    }
}

/// Who may watch, for who may look at the meeting.
#[utoipa::path(get, path = "/meetings/{id}/watch", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = SettingsView), Problem))]
async fn settings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SettingsView>, Problem> {
    let account = caller.logged_in(&app).await?;
    let id: MeetingId = caller.id(&id)?;
    let found = app.conference.watch_settings(&account, id).await;
    let found = found.map_err(|refused| book_problem(&caller, refused))?;
    Ok(Json(SettingsView::new(&app, &caller, id, found)))
}

/// Who may watch from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    #[schema(value_type = AccessView)]
    access: WatchAccess,
    /// 4 to 10 digits, where access is by password.
    password: Option<String>,
}

/// Sets who may watch. Links and passes given before are void.
#[utoipa::path(put, path = "/meetings/{id}/watch", request_body = SettingsBody,
    params(("id" = String, Path, format = Uuid)), responses((status = 200, body = SettingsView), Problem))]
async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<SettingsBody>,
) -> Result<Json<SettingsView>, Problem> {
    let account = caller.logged_in(&app).await?;
    let id: MeetingId = caller.id(&id)?;
    let set = app.conference.set_watch_settings(&account, id, body.access, body.password).await;
    let set = set.map_err(|refused| match refused {
        BookRefused::Bad(BadBooking::Password(invalid)) => {
            caller.problem(Code::BadWatchPassword).because(text_detail(caller.language, &invalid))
        }
        other => book_problem(&caller, other),
    })?;
    Ok(Json(SettingsView::new(&app, &caller, id, set)))
}
