//! Who registers for a webinar (B7).

use std::fmt::Write as _;

use conference::{Attendee, RegisterRefused, Registered, Registrant};

use super::*;
use crate::rest::{
    accounts::text_detail,
    calls::cell,
    meetings::{book_problem, tongue},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(list)).routes(routes!(table)).routes(routes!(decide))
}

/// Who wants to watch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegistrationBody {
    /// 1 to 40 characters.
    name: String,
    /// Where his link is sent.
    email: String,
    /// At most 80 characters.
    #[serde(default)]
    organisation: String,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
struct RegisteredView {
    /// `approved`: he may watch. `waiting`: once the owner has said so. `known`: that address was registered before, and has been sent
    /// its link again where it may watch.
    state: &'static str,
    /// What the watch address has after its `#` for him; absent where the address was `known`.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// Registers somebody for a webinar. Mails are in the language of `Accept-Language`.
#[utoipa::path(post, path = "/broadcasts/{id}/registrations", request_body = RegistrationBody,
    params(("id" = String, Path, format = Uuid)), responses((status = 201, body = RegisteredView), Problem))]
async fn register(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<RegistrationBody>,
) -> Result<(StatusCode, Json<RegisteredView>), Problem> {
    let id: BroadcastId = caller.id(&id)?;
    app.registering.allow(caller.source).map_err(|wait| caller.problem(Code::TooManyTries).retry_after(wait))?;
    let RegistrationBody { name, email, organisation } = body;
    let attendee = Attendee { name, email, organisation, tongue: tongue(&caller, None) };
    let registered = app.conference.register(id, attendee, app.base(&caller)).await;
    let registered = registered.map_err(|refused| match refused {
        RegisterRefused::Name(invalid) => caller.problem(Code::BadName).because(text_detail(caller.language, &invalid)),
        RegisterRefused::Organisation(invalid) => {
            caller.problem(Code::BadOrganisation).because(text_detail(caller.language, &invalid))
        }
        RegisterRefused::Email(email) => caller.problem(Code::BadAddress).because(email),
        RegisterRefused::Missing => caller.problem(Code::NotFound),
        RegisterRefused::Full => caller.problem(Code::WebinarFull),
        RegisterRefused::Store(error) => caller.failed(&error),
    })?;
    let (state, signature) = match registered {
        Registered::Approved(signature) => ("approved", Some(signature)),
        Registered::Waiting(signature) => ("waiting", Some(signature)),
        Registered::Known => ("known", None),
    };
    Ok((StatusCode::CREATED, Json(RegisteredView { state, signature })))
}

/// Who has registered, and how long he has watched.
#[derive(Serialize, ToSchema)]
struct RegistrantView {
    #[schema(value_type = String, format = Uuid)]
    id: String,
    name: String,
    email: String,
    /// May be empty.
    organisation: String,
    /// `waiting`, `approved` or `denied`.
    state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    registered: jiff::Timestamp,
    /// When his page was first there while it was live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    first: Option<jiff::Timestamp>,
    /// And last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last: Option<jiff::Timestamp>,
    /// To the minute.
    watched_seconds: i64,
}

impl From<Registrant> for RegistrantView {
    fn from(one: Registrant) -> Self {
        Self {
            id: one.id.to_string(),
            name: one.name,
            email: one.email,
            organisation: one.organisation,
            state: one.state.as_str(),
            registered: time(one.created_ms),
            first: one.first_ms.map(time),
            last: one.last_ms.map(time),
            watched_seconds: one.watched_ms / 1_000,
        }
    }
}

async fn of_meeting(app: &App, caller: &Caller, id: &str) -> Result<Vec<RegistrantView>, Problem> {
    let by = caller.logged_in(app).await?;
    let found = app.conference.registrants(&by, caller.id(id)?).await;
    let found = found.map_err(|refused| book_problem(caller, refused))?;
    Ok(found.into_iter().map(RegistrantView::from).collect())
}

/// Who has registered for a webinar, in order of coming.
#[utoipa::path(get, path = "/meetings/{id}/registrants", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = Items<RegistrantView>), Problem))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Items<RegistrantView>>, Problem> {
    Ok(Json(Items::all(of_meeting(&app, &caller, &id).await?)))
}

/// The same as a table (RFC 4180).
#[utoipa::path(get, path = "/meetings/{id}/registrants.csv", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "text/csv", body = String), Problem))]
async fn table(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let all = of_meeting(&app, &caller, &id).await?;
    let mut text = "name,email,organisation,state,registered,first,last,watched_seconds\r\n".to_owned();
    for one in all {
        let maybe = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        // Writing into a String can't fail.
        let _ = write!(
            text,
            "{},{},{},{},{},{},{},{}\r\n",
            cell(&one.name),
            cell(&one.email),
            cell(&one.organisation),
            one.state,
            one.registered,
            maybe(one.first),
            maybe(one.last),
            one.watched_seconds,
        );
    }
    let name = HeaderValue::from_static("attachment; filename=\"registrants.csv\"");
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecisionBody {
    approved: bool,
}

/// Says whether somebody may watch; who may is sent his link.
#[utoipa::path(put, path = "/meetings/{id}/registrants/{registrant}", request_body = DecisionBody,
    params(("id" = String, Path, format = Uuid), ("registrant" = String, Path, format = Uuid)),
    responses((status = 204), Problem))]
async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path((id, registrant)): Path<(String, String)>,
    Body(body): Body<DecisionBody>,
) -> Result<StatusCode, Problem> {
    let by = caller.logged_in(&app).await?;
    let decided = app.conference.decide_registrant(&by, caller.id(&id)?, caller.id(&registrant)?, body.approved).await;
    decided.map_err(|refused| book_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}
