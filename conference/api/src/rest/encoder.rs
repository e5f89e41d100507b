//! The token by which encoders come into a meeting (B9).

use conference::TokenRefused;

use super::*;
use crate::rest::{accounts::text_detail, meetings::book_problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(token, make, revoke))
}

/// A meeting's token, without itself.
#[derive(Serialize, ToSchema)]
struct EncoderTokenView {
    /// As the others in the meeting see the encoder.
    name: String,
    /// Where the encoder's description goes (RFC 9725).
    url: String,
    /// The server of encoders that come by RTMP; the token is the stream's key. None where this server takes none.
    rtmp: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created: jiff::Timestamp,
}

/// What an encoder is set up with.
#[derive(Serialize, ToSchema)]
struct NewEncoderTokenView {
    /// As the others in the meeting see the encoder.
    name: String,
    /// Where the encoder's description goes (RFC 9725): OBS calls it server.
    url: String,
    /// The server of encoders that come by RTMP; the token is the stream's key. None where this server takes none.
    rtmp: Option<String>,
    /// Its bearer token. It is shown here and never again.
    token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EncoderTokenBody {
    /// 1 to 40 characters: how the others in the meeting see the encoder.
    name: String,
}

fn url(app: &App, caller: &Caller, of: MeetingId) -> String {
    format!("{}/whip/{of}", app.base(caller))
}

/// At the host of the pages, and its own port where that isn't the usual one.
fn rtmp(app: &App, caller: &Caller, of: MeetingId) -> Option<String> {
    let port = app.rtmp?;
    let base = app.base(caller);
    let authority = base.split_once("://").map_or(base.as_str(), |(_, rest)| rest);
    // IPv6 addresses have colons of their own.
    let host =
        authority.rfind(':').filter(|at| !authority[*at..].contains(']')).map_or(authority, |at| &authority[..at]);
    Some(if port == 1935 { format!("rtmp://{host}/{of}") } else { format!("rtmp://{host}:{port}/{of}") })
}

/// Whether encoders may come, and as whom.
#[utoipa::path(get, path = "/meetings/{id}/encoder-token", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = EncoderTokenView), Problem))]
async fn token(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<EncoderTokenView>, Problem> {
    let account = caller.logged_in(&app).await?;
    let id: MeetingId = caller.id(&id)?;
    let found = app.conference.encoder_token(&account, id).await;
    let found = found.map_err(|refused| book_problem(&caller, refused))?;
    let found = found.ok_or_else(|| caller.problem(Code::NotFound))?;
    let (url, rtmp) = (url(&app, &caller, id), rtmp(&app, &caller, id));
    Ok(Json(EncoderTokenView { name: found.name, url, rtmp, created: time(found.created_ms) }))
}

/// Makes a token. An earlier one is void, and who came by it is sent away.
#[utoipa::path(post, path = "/meetings/{id}/encoder-token", request_body = EncoderTokenBody,
    params(("id" = String, Path, format = Uuid)), responses((status = 201, body = NewEncoderTokenView), Problem))]
async fn make(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(EncoderTokenBody { name }): Body<EncoderTokenBody>,
) -> Result<(StatusCode, Json<NewEncoderTokenView>), Problem> {
    let account = caller.logged_in(&app).await?;
    let id: MeetingId = caller.id(&id)?;
    let made = app.conference.new_encoder_token(&account, id, &name).await;
    let token = made.map_err(|refused| match refused {
        TokenRefused::Name(invalid) => caller.problem(Code::BadName).because(text_detail(caller.language, &invalid)),
        TokenRefused::Meeting(refused) => book_problem(&caller, refused),
    })?;
    let (url, rtmp) = (url(&app, &caller, id), rtmp(&app, &caller, id));
    Ok((StatusCode::CREATED, Json(NewEncoderTokenView { name, url, rtmp, token })))
}

/// Takes the token back: within two seconds who came by it is sent away.
#[utoipa::path(delete, path = "/meetings/{id}/encoder-token", params(("id" = String, Path, format = Uuid)),
    responses((status = 204), Problem))]
async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let account = caller.logged_in(&app).await?;
    let revoked = app.conference.revoke_encoder_token(&account, caller.id(&id)?).await;
    let was_there = revoked.map_err(|refused| book_problem(&caller, refused))?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(caller.problem(Code::NotFound)) }
}
