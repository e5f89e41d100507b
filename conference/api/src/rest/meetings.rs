//! Bookings: made, listed, changed, moved, deleted, and people invited to them.

use conference::{
    BookRefused, InviteRefused, Invitee, MeetingInfo, Occurrence, OccurrenceChange, Page, Period, Tongue,
};
use model::{BadBooking, BadRecurrence, BookingMode, BookingRequest, NoCapacity, Options, RoomId};

use super::*;
use crate::rest::accounts::{ModeView, text_detail};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, book))
        .routes(routes!(one, change, cancel))
        .routes(routes!(occurrences))
        .routes(routes!(occurrence, change_occurrence, cancel_occurrence))
        .routes(routes!(invitation, invite))
        .routes(routes!(calendar))
        .routes(routes!(reminders))
        .routes(routes!(growth))
}

/// What is agreed on for a meeting.
#[derive(ToSchema)]
#[schema(as = Options)]
#[expect(dead_code, reason = "only its schema is used: the words are the core's")]
struct OptionsView {
    host_video: Option<bool>,
    participant_video: Option<bool>,
    join_before_host: Option<bool>,
    mute_on_entry: Option<bool>,
    waiting_room: Option<bool>,
    livestream: Option<bool>,
    recording: Option<bool>,
    webinar: Option<bool>,
    approval: Option<bool>,
}

/// A meeting as its owner sees it.
#[derive(Serialize, ToSchema)]
struct MeetingView {
    #[schema(value_type = String, format = Uuid)]
    id: MeetingId,
    #[schema(value_type = String, example = "123456789")]
    number: MeetingNumber,
    title: String,
    password: Option<String>,
    /// `live` while somebody is in it, else `idle`.
    state: &'static str,
    #[schema(value_type = ModeView)]
    mode: BookingMode,
    capacity: u32,
    #[schema(value_type = Option<String>, format = Uuid)]
    room: Option<RoomId>,
    #[schema(value_type = OptionsView)]
    options: Options,
    zone: String,
    /// The value of an RRULE property.
    recurrence: Option<String>,
    /// In a list, this time; else the first. Absent where it is open at any time.
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<jiff::Timestamp>,
    /// In a list: names this time of a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    occurrence: Option<jiff::Timestamp>,
    /// In minutes.
    duration: u32,
    /// In minutes.
    early_start: u32,
    /// It has the account's personal number.
    personal: bool,
    dial: Dial,
    /// For invitations.
    link: String,
    /// Where its livestream will be, where it is to have one: with the signature, where access is by link.
    watch: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Dial {
    /// Address for SIP phones and room systems.
    sip: String,
    /// What to key in at once after the call is answered.
    one_touch: String,
}

async fn view(
    app: &App,
    caller: &Caller,
    meeting: MeetingInfo,
    held: Option<Occurrence>,
) -> Result<MeetingView, Problem> {
    let digits = meeting.number.digits();
    let password = meeting.password.as_deref().map(|password| format!(",,{password}#")).unwrap_or_default();
    let start = held.as_ref().map_or(meeting.start_ms, |held| held.start_ms);
    let base = app.base(caller);
    let watch = match meeting.options.livestream {
        true => Some(format!("{base}{}", watch::handed_out(app, caller, meeting.id, meeting.id).await?)),
        false => None,
    };
    Ok(MeetingView {
        watch,
        id: meeting.id,
        number: meeting.number,
        title: meeting.title,
        password: meeting.password,
        state: state(meeting.live),
        mode: meeting.mode,
        capacity: meeting.capacity,
        room: meeting.room,
        options: meeting.options,
        zone: meeting.zone,
        recurrence: meeting.recurrence,
        start: (!meeting.personal).then(|| time(start)),
        occurrence: held.map(|held| time(held.original_ms)),
        duration: meeting.duration_min,
        early_start: meeting.early_start_min,
        personal: meeting.personal,
        dial: Dial { sip: app.sip.address(&digits), one_touch: format!("{digits}#{password}") },
        link: format!("{base}/j/{digits}"),
    })
}

pub(super) fn book_problem(caller: &Caller, refused: BookRefused) -> Problem {
    let language = caller.language;
    let say = |chinese: String, english: String| match language {
        Language::Chinese => chinese,
        Language::English => english,
    };
    match refused {
        BookRefused::Bad(bad) => match bad {
            BadBooking::Title(invalid) => caller.problem(Code::BadTitle).because(text_detail(language, &invalid)),
            BadBooking::Password(invalid) => caller.problem(Code::BadPassword).because(text_detail(language, &invalid)),
            BadBooking::Start => caller.problem(Code::BadStart),
            BadBooking::Duration => caller.problem(Code::BadDuration),
            BadBooking::EarlyStart => caller.problem(Code::BadEarlyStart),
            BadBooking::Capacity(max) => caller
                .problem(Code::BadCapacity)
                .because(say(format!("方数应为2至{max}"), format!("it must be 2 to {max}"))),
            BadBooking::Room => caller.problem(Code::BadRoom),
            BadBooking::Livestream => caller.problem(Code::NoLivestream),
            BadBooking::Webinar => caller.problem(Code::BadWebinar),
            BadBooking::Recurrence(BadRecurrence::Zone(zone)) => caller.problem(Code::BadZone).because(zone),
            BadBooking::Recurrence(bad) => caller.problem(Code::BadRecurrence).because(bad.to_string()),
        },
        BookRefused::NoCapacity(NoCapacity::RoomTaken(span)) => {
            let (from, until) = (time(span.from_ms), time(span.until_ms));
            let detail = say(format!("{from} 至 {until} 已被预约"), format!("taken from {from} until {until}"));
            caller.problem(Code::RoomTaken).because(detail)
        }
        BookRefused::NoCapacity(NoCapacity::Ports { free, span }) => {
            let from = time(span.from_ms);
            let detail = say(format!("{from} 起仅剩{free}方可用"), format!("only {free} available from {from}"));
            caller.problem(Code::NoPorts).because(detail)
        }
        BookRefused::FixedTime => caller.problem(Code::FixedTime),
        BookRefused::InProgress => caller.problem(Code::InProgress),
        BookRefused::Changed => caller.problem(Code::Changed),
        BookRefused::Missing => caller.problem(Code::NoSuchMeeting),
        BookRefused::Store(error) => caller.failed(&error),
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// `upcoming` (the default) or `past`.
    #[param(inline)]
    period: Option<PeriodView>,
    /// A part of the topic or of the number.
    search: Option<String>,
    /// From the piece before.
    cursor: Option<String>,
    /// How many, at most 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PeriodView {
    Upcoming,
    Past,
}

/// A meeting that begins soon.
#[derive(Serialize, ToSchema)]
struct ReminderView {
    #[schema(value_type = String, format = Uuid)]
    id: MeetingId,
    #[schema(value_type = String, example = "123456789")]
    number: MeetingNumber,
    title: String,
    /// Only to who booked it.
    password: Option<String>,
    /// Who booked it.
    host: String,
    own: bool,
    #[schema(value_type = String, format = DateTime)]
    start: jiff::Timestamp,
    /// Seconds until the start; negative once it has begun.
    starts_in: i64,
}

/// What one is reminded of now (S9): one's own meetings and those one's mail address was invited to, from fifteen minutes
/// before the start until five minutes after it.
#[utoipa::path(get, path = "/me/reminders", responses((status = 200, body = Items<ReminderView>), Problem))]
async fn reminders(State(app): State<App>, caller: Caller) -> Result<Json<Items<ReminderView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let reminders = app.conference.reminders_of(&account).await.map_err(|error| caller.failed(&error))?;
    let view = |reminder: conference::Reminder| ReminderView {
        id: reminder.meeting.id,
        number: reminder.meeting.number,
        title: reminder.meeting.title,
        password: reminder.meeting.password,
        host: reminder.host,
        own: reminder.own,
        start: time(reminder.start_ms),
        starts_in: reminder.starts_in_ms.div_euclid(1000),
    };
    Ok(Json(Items::all(reminders.into_iter().map(view).collect())))
}

/// The last item of a piece: its start and meeting.
struct Cursor(i64, MeetingId);

impl std::str::FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (start, meeting) = text.split_once(' ').ok_or(())?;
        Ok(Self(start.parse().map_err(|_| ())?, meeting.parse().map_err(|_| ())?))
    }
}

/// One's own meetings (我的会议), each time of a series by itself. The personal meeting comes first.
#[utoipa::path(get, path = "/meetings", params(ListParams), responses((status = 200, body = Items<MeetingView>), Problem))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Items<MeetingView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let piece = PieceParams { cursor: params.cursor, limit: params.limit };
    let after: Option<Cursor> = piece.after(&caller)?;
    let is_past = params.period == Some(PeriodView::Past);
    let search = params.search.unwrap_or_default();
    let page = Page {
        period: if is_past { Period::Past } else { Period::Upcoming },
        search: &search,
        after: after.as_ref().map(|cursor| (cursor.0, cursor.1)),
        limit: piece.limit(),
    };
    let found = app.conference.agenda(&account, &page).await.map_err(|error| caller.failed(&error))?;
    let mut items = Vec::with_capacity(found.len());
    for (meeting, held) in found {
        items.push(view(&app, &caller, meeting, Some(held)).await?);
    }
    let cursor = |item: &MeetingView| format!("{} {}", item.start.map_or(0, jiff::Timestamp::as_millisecond), item.id);
    let mut items = Items::piece(items, piece.limit(), cursor);
    if page.after.is_none() && !is_past && search.is_empty() {
        let own = app.conference.personal_meeting(&account, tongue(&caller, None)).await;
        let own = own.map_err(|refused| book_problem(&caller, refused))?;
        if let Some(meeting) = own {
            items.items.insert(0, view(&app, &caller, meeting, None).await?);
        }
    }
    Ok(Json(items))
}

/// A booking. What is absent has its default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BookBody {
    title: String,
    /// 4 to 10 digits.
    password: Option<String>,
    /// Absent: now (即时会议).
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<jiff::Timestamp>,
    /// In minutes.
    #[schema(minimum = 15, maximum = 1440, default = 60)]
    duration: Option<u32>,
    /// In minutes: 0, 30 or 60.
    early_start: Option<u32>,
    /// 方数; not for dedicated accounts.
    #[schema(minimum = 2, maximum = 500)]
    capacity: Option<u32>,
    /// For shared accounts.
    #[schema(value_type = Option<String>, format = Uuid)]
    room: Option<RoomId>,
    /// IANA; the times of a series are kept in it.
    #[schema(default = "Asia/Shanghai")]
    zone: Option<String>,
    /// The value of an RRULE property: daily, weekly or monthly, with COUNT or UNTIL.
    #[schema(example = "FREQ=WEEKLY;BYDAY=MO;COUNT=10")]
    recurrence: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<OptionsView>)]
    options: Options,
}

impl From<BookBody> for BookingRequest {
    fn from(body: BookBody) -> Self {
        Self {
            title: body.title,
            password: body.password,
            start_ms: body.start.map(jiff::Timestamp::as_millisecond),
            duration_min: body.duration,
            early_start_min: body.early_start.unwrap_or(0),
            capacity: body.capacity,
            room: body.room,
            zone: body.zone.unwrap_or_else(|| "Asia/Shanghai".to_owned()),
            recurrence: body.recurrence.filter(|rule| !rule.is_empty()),
            options: body.options,
        }
    }
}

/// Books a meeting, or begins one now. An Idempotency-Key makes repeating it harmless.
#[utoipa::path(post, path = "/meetings", request_body = BookBody, responses((status = 201, body = MeetingView), Problem),
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text, new for each booking")))]
async fn book(State(app): State<App>, caller: Caller, Body(body): Body<BookBody>) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let booked = app.conference.book(&account, body.into()).await;
    let booked = booked.map_err(|refused| book_problem(&caller, refused))?;
    let version = booked.version;
    Ok(with_version(StatusCode::CREATED, version, view(&app, &caller, booked, None).await?))
}

/// One booking.
#[utoipa::path(get, path = "/meetings/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = MeetingView), Problem))]
async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let found = app.conference.booking(&account, caller.id(&id)?).await;
    let found = found.map_err(|refused| book_problem(&caller, refused))?;
    let version = found.version;
    Ok(with_version(StatusCode::OK, version, view(&app, &caller, found, None).await?))
}

/// Writes a booking anew; start and duration of shared and concurrent ones stay.
#[utoipa::path(put, path = "/meetings/{id}", request_body = BookBody, responses((status = 200, body = MeetingView), Problem),
    params(("id" = String, Path, format = Uuid), ("If-Match" = Option<String>, Header, description = "The ETag that was read")))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<BookBody>,
) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let changed = app.conference.rebook(&account, caller.id(&id)?, if_match(&headers), body.into()).await;
    let changed = changed.map_err(|refused| book_problem(&caller, refused))?;
    let version = changed.version;
    Ok(with_version(StatusCode::OK, version, view(&app, &caller, changed, None).await?))
}

/// Deletes a booking; who was invited is told.
#[utoipa::path(delete, path = "/meetings/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 204), Problem))]
async fn cancel(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let account = caller.logged_in(&app).await?;
    let cancelled = app.conference.cancel(&account, caller.id(&id)?).await;
    cancelled.map_err(|refused| book_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}

/// One time a meeting is held.
#[derive(Serialize, ToSchema)]
struct OccurrenceView {
    /// Names it: its start by the rule.
    #[schema(value_type = String, format = DateTime)]
    occurrence: jiff::Timestamp,
    #[schema(value_type = String, format = DateTime)]
    start: jiff::Timestamp,
    /// With extensions.
    #[schema(value_type = String, format = DateTime)]
    end: jiff::Timestamp,
}

/// When a booking is held.
#[utoipa::path(get, path = "/meetings/{id}/occurrences", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = Items<OccurrenceView>), Problem))]
async fn occurrences(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Items<OccurrenceView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let found = app.conference.occurrences(&account, caller.id(&id)?).await;
    let found = found.map_err(|refused| book_problem(&caller, refused))?;
    let view = |held: Occurrence| OccurrenceView {
        occurrence: time(held.original_ms),
        start: time(held.start_ms),
        end: time(held.span.until_ms),
    };
    Ok(Json(Items::all(found.into_iter().map(view).collect())))
}

/// What is to be different for one time of a series. What is absent stays as it is for that time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OccurrenceBody {
    title: Option<String>,
    /// 4 to 10 digits; empty: none is asked for.
    password: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    start: Option<jiff::Timestamp>,
    /// In minutes; only for dedicated accounts.
    #[schema(minimum = 15, maximum = 1440)]
    duration: Option<u32>,
    /// In minutes: 0, 30 or 60.
    early_start: Option<u32>,
    /// 方数; not for dedicated accounts.
    #[schema(minimum = 2, maximum = 500)]
    capacity: Option<u32>,
    /// For shared accounts.
    #[schema(value_type = Option<String>, format = Uuid)]
    room: Option<RoomId>,
    #[schema(value_type = Option<OptionsView>)]
    options: Option<Options>,
}

fn occurrence_ms(caller: &Caller, text: &str) -> Result<i64, Problem> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(jiff::Timestamp::as_millisecond).map_err(|_| caller.problem(Code::NoSuchMeeting))
}

/// One time of a series, as it is held then.
#[utoipa::path(get, path = "/meetings/{id}/occurrences/{occurrence}",
    params(("id" = String, Path, format = Uuid), ("occurrence" = String, Path, format = DateTime)),
    responses((status = 200, body = MeetingView), Problem))]
async fn occurrence(
    State(app): State<App>,
    caller: Caller,
    Path((id, occurrence)): Path<(String, String)>,
) -> Result<Json<MeetingView>, Problem> {
    let account = caller.logged_in(&app).await?;
    let original = occurrence_ms(&caller, &occurrence)?;
    let found = app.conference.occurrence(&account, caller.id(&id)?, original).await;
    let (meeting, held) = found.map_err(|refused| book_problem(&caller, refused))?;
    Ok(Json(view(&app, &caller, meeting, Some(held)).await?))
}

/// Changes one time of a series; the others stay, and who was invited is told.
#[utoipa::path(put, path = "/meetings/{id}/occurrences/{occurrence}", request_body = OccurrenceBody,
    params(("id" = String, Path, format = Uuid), ("occurrence" = String, Path, format = DateTime)),
    responses((status = 204), Problem))]
async fn change_occurrence(
    State(app): State<App>,
    caller: Caller,
    Path((id, occurrence)): Path<(String, String)>,
    Body(body): Body<OccurrenceBody>,
) -> Result<StatusCode, Problem> {
    let account = caller.logged_in(&app).await?;
    let original = occurrence_ms(&caller, &occurrence)?;
    let change = OccurrenceChange {
        title: body.title,
        password: body.password,
        start_ms: body.start.map(jiff::Timestamp::as_millisecond),
        duration_min: body.duration,
        early_start_min: body.early_start,
        capacity: body.capacity,
        room: body.room,
        options: body.options,
    };
    let changed = app.conference.change_occurrence(&account, caller.id(&id)?, original, change).await;
    changed.map_err(|refused| book_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Cancels one time of a series.
#[utoipa::path(delete, path = "/meetings/{id}/occurrences/{occurrence}",
    params(("id" = String, Path, format = Uuid), ("occurrence" = String, Path, format = DateTime)),
    responses((status = 204), Problem))]
async fn cancel_occurrence(
    State(app): State<App>,
    caller: Caller,
    Path((id, occurrence)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let account = caller.logged_in(&app).await?;
    let original = occurrence_ms(&caller, &occurrence)?;
    let cancelled = app.conference.cancel_occurrence(&account, caller.id(&id)?, original).await;
    cancelled.map_err(|refused| book_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, ToSchema)]
struct GrowthView {
    /// More participants than now, within the free ports of the site and the largest meeting.
    ports: u32,
}

/// By how many a live meeting of a concurrent account can be enlarged now, for its hosts by their seats.
#[utoipa::path(get, path = "/meetings/{id}/growth",
    params(("id" = String, Path, format = Uuid), ("Huitong-Seat" = String, Header)),
    responses((status = 200, body = GrowthView), Problem))]
async fn growth(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<GrowthView>, Problem> {
    let secret = seat_of(&headers).unwrap_or_default();
    let ports = app.conference.growth_from_seat(caller.id(&id)?, secret).await;
    Ok(Json(GrowthView { ports: ports.map_err(|refused| book_problem(&caller, refused))? }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TextParams {
    /// `zh` or `en`; the caller's where absent.
    language: Option<String>,
    /// The reader's IANA zone; the meeting's where absent.
    zone: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct TextView {
    text: String,
}

pub(super) fn tongue(caller: &Caller, code: Option<&str>) -> Tongue {
    match code.map_or(caller.language, Language::from_tag) {
        Language::Chinese => Tongue::Chinese,
        Language::English => Tongue::English,
    }
}

/// The text of an invitation, to be sent on: for who booked the meeting, or, while it is live, all who have a seat.
#[utoipa::path(get, path = "/meetings/{id}/invitations",
    params(("id" = String, Path, format = Uuid), TextParams, ("Huitong-Seat" = Option<String>, Header)), responses((status = 200, body = TextView), Problem))]
async fn invitation(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Params(params): Params<TextParams>,
    headers: HeaderMap,
) -> Result<Json<TextView>, Problem> {
    let (tongue, zone) = (tongue(&caller, params.language.as_deref()), params.zone.as_deref());
    let (meeting, web): (MeetingId, _) = (caller.id(&id)?, app.base(&caller));
    let text = match seat_of(&headers) {
        Some(secret) => app.conference.invitation_text_from_seat(meeting, secret, web, tongue, zone).await,
        None => app.conference.invitation_text(&caller.logged_in(&app).await?, meeting, web, tongue, zone).await,
    };
    Ok(Json(TextView { text: text.map_err(|refused| book_problem(&caller, refused))? }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InviteBody {
    #[serde(default)]
    emails: Vec<String>,
    /// Mobile numbers.
    #[serde(default)]
    sms: Vec<String>,
    /// `zh` or `en`; the caller's where absent.
    language: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct InvitedView {
    /// Messages on their way.
    invited: usize,
}

/// The most people invited at once.
const INVITED_MAX: usize = 200;

/// Invites people by mail and short message: who booked the meeting, or, while it is live, its hosts by their seats.
#[utoipa::path(post, path = "/meetings/{id}/invitations",
    params(("id" = String, Path, format = Uuid), ("Huitong-Seat" = Option<String>, Header)), request_body = InviteBody, responses((status = 202, body = InvitedView), Problem))]
async fn invite(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<InviteBody>,
) -> Result<Response, Problem> {
    let emails = body.emails.into_iter().map(Invitee::Email);
    let all: Vec<Invitee> = emails.chain(body.sms.into_iter().map(Invitee::Sms)).collect();
    if all.len() > INVITED_MAX {
        return Err(caller.problem(Code::TooMany));
    }
    let tongue = tongue(&caller, body.language.as_deref());
    let meeting: MeetingId = caller.id(&id)?;
    let invited = match seat_of(&headers) {
        Some(secret) => app.conference.invite_from_seat(meeting, secret, all, tongue).await,
        None => app.conference.invite(&caller.logged_in(&app).await?, meeting, all, tongue).await,
    };
    let invited = invited.map_err(|refused| match refused {
        InviteRefused::Book(refused) => book_problem(&caller, refused),
        InviteRefused::NotAllowed => caller.problem(Code::NotAllowed),
        InviteRefused::Address(address) => caller.problem(Code::BadAddress).because(address),
        InviteRefused::NoMail => caller.problem(Code::NoMail),
        InviteRefused::NoSms => caller.problem(Code::NoSms),
    })?;
    Ok((StatusCode::ACCEPTED, Json(InvitedView { invited })).into_response())
}

/// The calendar entry of a booking (RFC 5545).
#[utoipa::path(get, path = "/meetings/{id}/calendar.ics", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "text/calendar", body = String), Problem))]
async fn calendar(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let entry = app.conference.calendar(&account, caller.id(&id)?, app.base(&caller)).await;
    let entry = entry.map_err(|refused| book_problem(&caller, refused))?;
    let fields = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"meeting.ics\""),
    ];
    Ok((fields, entry).into_response())
}
