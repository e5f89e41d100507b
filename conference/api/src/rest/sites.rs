//! Sites: their rooms, what is free, their webhooks and their log.

use conference::{BookRefused, Room, Site, WebhookRefused};
use model::{AccountId, Permission, RoomId, SiteId, Span};

use super::*;
use crate::rest::{accounts::account_problem, meetings::book_problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, change))
        .routes(routes!(rooms, create_room))
        .routes(routes!(webhooks, create_webhook))
        .routes(routes!(remove_webhook))
        .routes(routes!(audit))
        .routes(routes!(capacity))
        .routes(routes!(free_slots))
}

/// A customer of the server.
#[derive(Serialize, ToSchema)]
struct SiteView {
    #[schema(value_type = String, format = Uuid)]
    id: SiteId,
    name: String,
    /// 并发.
    ports: u32,
    /// Bookings may have a livestream.
    livestream: bool,
    /// IANA.
    zone: String,
}

impl From<Site> for SiteView {
    fn from(Site { id, name, ports, livestream, zone }: Site) -> Self {
        Self { id, name, ports, livestream, zone }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SiteBody {
    name: String,
    #[schema(maximum = 100_000)]
    ports: u32,
    livestream: bool,
    /// IANA, for example Asia/Shanghai.
    zone: String,
}

impl SiteBody {
    fn site(self, id: SiteId) -> Site {
        Site { id, name: self.name, ports: self.ports, livestream: self.livestream, zone: self.zone }
    }
}

/// The sites one administers.
#[utoipa::path(get, path = "/sites", params(PieceParams), responses((status = 200, body = Items<SiteView>), Problem))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(piece): Params<PieceParams>,
) -> Result<Json<Items<SiteView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.sites(&by, piece.after(&caller)?, piece.limit()).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    let items = found.into_iter().map(SiteView::from).collect();
    Ok(Json(Items::piece(items, piece.limit(), |site| site.id.to_string())))
}

/// Makes a site.
#[utoipa::path(post, path = "/sites", request_body = SiteBody, responses((status = 201, body = SiteView), Problem))]
async fn create(State(app): State<App>, caller: Caller, Body(body): Body<SiteBody>) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let made = app.conference.create_site(&by, body.site(SiteId::from_u128(0))).await;
    let made = made.map_err(|refused| account_problem(&caller, refused))?;
    Ok((StatusCode::CREATED, Json(SiteView::from(made))).into_response())
}

/// One site.
#[utoipa::path(get, path = "/sites/{site}", params(("site" = String, Path, format = Uuid)),
    responses((status = 200, body = SiteView), Problem))]
async fn one(State(app): State<App>, caller: Caller, Path(site): Path<String>) -> Result<Json<SiteView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.site(&by, caller.id(&site)?, Permission::Read).await;
    Ok(Json(found.map_err(|refused| account_problem(&caller, refused))?.into()))
}

/// Writes a site anew. Ports and features are the operator's to give.
#[utoipa::path(put, path = "/sites/{site}", params(("site" = String, Path, format = Uuid)), request_body = SiteBody,
    responses((status = 200, body = SiteView), Problem))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Body(body): Body<SiteBody>,
) -> Result<Json<SiteView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let changed = app.conference.change_site(&by, body.site(caller.id(&site)?)).await;
    Ok(Json(changed.map_err(|refused| account_problem(&caller, refused))?.into()))
}

/// A shared room.
#[derive(Serialize, ToSchema)]
struct RoomView {
    #[schema(value_type = String, format = Uuid)]
    id: RoomId,
    name: String,
    /// 方数.
    capacity: u32,
}

impl From<Room> for RoomView {
    fn from(Room { id, name, capacity, .. }: Room) -> Self {
        Self { id, name, capacity }
    }
}

/// A site's shared rooms, the smallest first.
#[utoipa::path(get, path = "/sites/{site}/rooms", params(("site" = String, Path, format = Uuid)),
    responses((status = 200, body = Items<RoomView>), Problem))]
async fn rooms(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
) -> Result<Json<Items<RoomView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.rooms(&by, caller.id(&site)?).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    Ok(Json(Items::all(found.into_iter().map(RoomView::from).collect())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoomBody {
    name: String,
    #[schema(minimum = 2, maximum = 500)]
    capacity: u32,
}

/// Makes a shared room.
#[utoipa::path(post, path = "/sites/{site}/rooms", params(("site" = String, Path, format = Uuid)),
    request_body = RoomBody, responses((status = 201, body = RoomView), Problem))]
async fn create_room(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Body(body): Body<RoomBody>,
) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let room = Room { id: RoomId::from_u128(0), site: caller.id(&site)?, name: body.name, capacity: body.capacity };
    let made = app.conference.create_room(&by, room).await;
    let made = made.map_err(|refused| account_problem(&caller, refused))?;
    Ok((StatusCode::CREATED, Json(RoomView::from(made))).into_response())
}

/// Who gets events of a site.
#[derive(Serialize, ToSchema)]
struct WebhookView {
    #[schema(format = Uuid)]
    id: String,
    url: String,
    /// Empty: all.
    events: Vec<String>,
    /// Shown once, when it is made: signs what is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookBody {
    /// https, outside the server's own network.
    url: String,
    /// Names of events; none: all.
    #[serde(default)]
    events: Vec<String>,
}

/// A site's webhooks.
#[utoipa::path(get, path = "/sites/{site}/webhooks", params(("site" = String, Path, format = Uuid)),
    responses((status = 200, body = Items<WebhookView>), Problem))]
async fn webhooks(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
) -> Result<Json<Items<WebhookView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.webhooks(&by, caller.id(&site)?).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    let view =
        |hook: conference::Webhook| WebhookView { id: hook.id, url: hook.url, events: hook.events, secret: None };
    Ok(Json(Items::all(found.into_iter().map(view).collect())))
}

/// Adds a webhook.
#[utoipa::path(post, path = "/sites/{site}/webhooks", params(("site" = String, Path, format = Uuid)),
    request_body = WebhookBody, responses((status = 201, body = WebhookView), Problem))]
async fn create_webhook(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Body(body): Body<WebhookBody>,
) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let made = app.conference.add_webhook(&by, caller.id(&site)?, &body.url, body.events).await;
    let made = made.map_err(|refused| match refused {
        WebhookRefused::Account(refused) => account_problem(&caller, refused),
        WebhookRefused::Url => caller.problem(Code::BadUrl),
        WebhookRefused::Event(event) => caller.problem(Code::BadEvent).because(event),
        WebhookRefused::TooMany => caller.problem(Code::TooMany),
    })?;
    let view = WebhookView { id: made.id, url: made.url, events: made.events, secret: Some(made.secret) };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Removes a webhook.
#[utoipa::path(delete, path = "/sites/{site}/webhooks/{id}",
    params(("site" = String, Path, format = Uuid), ("id" = String, Path, format = Uuid)),
    responses((status = 204), Problem))]
async fn remove_webhook(
    State(app): State<App>,
    caller: Caller,
    Path((site, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let by = caller.logged_in(&app).await?;
    let removed = app.conference.remove_webhook(&by, caller.id(&site)?, &id).await;
    removed.map_err(|refused| account_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}

/// A line of the audit log.
#[derive(Serialize, ToSchema)]
struct AuditView {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    at: jiff::Timestamp,
    /// Who; absent: the server itself.
    #[schema(value_type = Option<String>, format = Uuid)]
    account: Option<AccountId>,
    action: String,
    /// To what: kind and id.
    object: String,
}

/// A site's audit log, the newest first.
#[utoipa::path(get, path = "/sites/{site}/audit", params(("site" = String, Path, format = Uuid), PieceParams),
    responses((status = 200, body = Items<AuditView>), Problem))]
async fn audit(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Params(piece): Params<PieceParams>,
) -> Result<Json<Items<AuditView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let before: Option<String> = piece.after(&caller)?;
    let found = app.conference.audit(&by, caller.id(&site)?, before.as_deref(), piece.limit()).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    let view = |entry: conference::AuditEntry| AuditView {
        id: entry.id,
        at: time(entry.at_ms),
        account: entry.account,
        action: entry.action,
        object: entry.object,
    };
    let items = found.into_iter().map(view).collect();
    Ok(Json(Items::piece(items, piece.limit(), |entry| entry.id.clone())))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct CapacityParams {
    #[param(value_type = String, format = DateTime)]
    start: jiff::Timestamp,
    /// In minutes.
    #[param(minimum = 15, maximum = 1440)]
    duration: u32,
    /// In minutes: 0, 30 or 60.
    early_start: Option<u32>,
}

/// What is free at a time.
#[derive(Serialize, ToSchema)]
struct CapacityView {
    /// Ports of the site that are free throughout.
    ports_free: u32,
    rooms: Vec<FreeRoom>,
}

#[derive(Serialize, ToSchema)]
struct FreeRoom {
    #[serde(flatten)]
    room: RoomView,
    /// 可用.
    free: bool,
}

/// What of one's site is free throughout a time.
#[utoipa::path(get, path = "/capacity", params(CapacityParams), responses((status = 200, body = CapacityView), Problem))]
async fn capacity(
    State(app): State<App>,
    caller: Caller,
    Params(params): Params<CapacityParams>,
) -> Result<Json<CapacityView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let duration = duration(&caller, params.duration)?;
    let early = early_start(&caller, params.early_start)?;
    let within = model::span(params.start.as_millisecond(), duration, early);
    let found = app.conference.capacity(&by, within).await.map_err(|refused| book_problem(&caller, refused))?;
    let rooms = found.rooms.into_iter().map(|(room, free)| FreeRoom { room: room.into(), free }).collect();
    Ok(Json(CapacityView { ports_free: found.ports_free, rooms }))
}

fn duration(caller: &Caller, minutes: u32) -> Result<u32, Problem> {
    let good = (15..=model::DURATION_MIN_MAX).contains(&minutes);
    if good { Ok(minutes) } else { Err(book_problem(caller, BookRefused::Bad(model::BadBooking::Duration))) }
}

/// None of it where nothing is said.
fn early_start(caller: &Caller, minutes: Option<u32>) -> Result<u32, Problem> {
    model::check_early_start(minutes.unwrap_or(0)).map_err(|bad| book_problem(caller, BookRefused::Bad(bad)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SlotParams {
    /// A day, as 2026-01-31.
    #[param(value_type = String, format = Date)]
    day: jiff::civil::Date,
    /// IANA zone of the day; the site's where absent.
    zone: Option<String>,
    /// In minutes.
    #[param(minimum = 15, maximum = 1440)]
    duration: u32,
    /// 方数.
    #[param(minimum = 2, maximum = 500)]
    capacity: u32,
    /// In minutes: 0, 30 or 60.
    early_start: Option<u32>,
}

/// A start, and whether it can be booked.
#[derive(Serialize, ToSchema)]
struct SlotView {
    #[schema(value_type = String, format = DateTime)]
    start: jiff::Timestamp,
    free: bool,
}

/// The starts of a day at which a meeting of this size, duration and early start can be booked (查看可用时间段).
#[utoipa::path(get, path = "/free-slots", params(SlotParams), responses((status = 200, body = Items<SlotView>), Problem))]
async fn free_slots(
    State(app): State<App>,
    caller: Caller,
    Params(params): Params<SlotParams>,
) -> Result<Json<Items<SlotView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let duration = duration(&caller, params.duration)?;
    let zone = params.zone.as_deref().unwrap_or("Asia/Shanghai");
    let day = day(params.day, zone).ok_or_else(|| caller.problem(Code::BadRange))?;
    let early = early_start(&caller, params.early_start)?;
    let found = app.conference.free_slots(&by, day, params.capacity, duration, early).await;
    let found = found.map_err(|refused| book_problem(&caller, refused))?;
    let view = |slot: conference::FreeSlot| SlotView { start: time(slot.start_ms), free: slot.free };
    Ok(Json(Items::all(found.into_iter().map(view).collect())))
}

/// From midnight to midnight where people live: 23 to 25 hours.
fn day(date: jiff::civil::Date, zone: &str) -> Option<Span> {
    let midnight = |date: jiff::civil::Date| Some(date.in_tz(zone).ok()?.timestamp().as_millisecond());
    Some(Span { from_ms: midnight(date)?, until_ms: midnight(date.tomorrow().ok()?)? })
}
