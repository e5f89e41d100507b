//! Call detail records: as lists, and as a table for spreadsheets.

use std::fmt::Write as _;

use conference::{Call, CallKind, LadderForm};
use model::ParticipantId;

use super::{accounts::account_problem, calling::money, *};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(table))
        .routes(routes!(stray))
        .routes(routes!(one))
        .routes(routes!(ladder))
        .routes(routes!(packets))
}

/// One telephone call, or one stay of a browser in a meeting.
#[derive(Serialize, ToSchema)]
struct CallView {
    #[schema(format = Uuid)]
    id: String,
    /// `phone` or `web`.
    kind: &'static str,
    #[schema(value_type = Option<String>, format = Uuid)]
    meeting: Option<MeetingId>,
    /// Who it was in the meeting.
    #[schema(value_type = Option<String>, format = Uuid)]
    participant: Option<ParticipantId>,
    /// How a browser's participant called himself; empty of telephones.
    name: String,
    /// `in`, or `out` where the server called.
    direction: &'static str,
    /// Masked; empty of browsers.
    number: String,
    /// Of its SIP messages; empty of browsers.
    call_id: String,
    codec: String,
    #[schema(value_type = String, format = DateTime)]
    start: jiff::Timestamp,
    /// From the first INVITE to the end.
    seconds: f64,
    /// When somebody took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    answered: Option<jiff::Timestamp>,
    /// In the currency the operator writes prices in; of calls the server made.
    cost: f64,
    /// Why it ended.
    cause: String,
    /// RTP packets that came.
    received: u64,
    /// Those that should have come besides.
    lost: u64,
    sent: u64,
    jitter_ms: f64,
    round_trip_ms: Option<f64>,
    /// Mean opinion score by ITU-T G.107, from 1 to 4.5.
    mos: Option<f64>,
    /// By how many decibels a telephone gave back what it was sent, softer (echo return loss); where `media.echo_guard` found an echo.
    echo_db: Option<f64>,
    /// Why a telephone that was spoken to was not heard: `no_packets`, `not_decryptable` (by the key agreed on) or `silent`.
    one_way: Option<String>,
    /// Of the packets that went, those that did not reach a telephone, as it told by RTCP.
    reported_lost: Option<u64>,
    /// Interarrival jitter of the others, as it told.
    reported_jitter_ms: Option<f64>,
    /// Mean opinion score of what it heard by that.
    reported_mos: Option<f64>,
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        Self {
            id: call.id,
            kind: call.kind.name(),
            meeting: call.meeting,
            participant: call.participant,
            name: call.name,
            direction: if call.outgoing { "out" } else { "in" },
            number: call.number,
            call_id: call.call_id,
            codec: call.codec,
            start: time(call.started_ms),
            seconds: (call.ended_ms - call.started_ms) as f64 / 1_000.0,
            answered: call.answered_ms.map(time),
            cost: money(call.cost),
            cause: call.cause,
            received: call.received,
            lost: call.lost,
            sent: call.sent,
            jitter_ms: round(call.jitter_ms),
            round_trip_ms: call.round_trip_ms.map(round),
            mos: call.mos.map(round),
            echo_db: call.echo_db.map(round),
            one_way: call.one_way,
            reported_lost: call.reported_lost,
            reported_jitter_ms: call.reported_jitter_ms.map(round),
            reported_mos: call.reported_mos.map(round),
        }
    }
}

/// Which calls.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct KindParams {
    /// Telephones' calls (`phone`) or browsers' stays (`web`) alone.
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Phone,
    Web,
}

impl From<Kind> for CallKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Phone => Self::Phone,
            Kind::Web => Self::Web,
        }
    }
}

async fn of_site(
    app: &App,
    caller: &Caller,
    site: &str,
    kind: &KindParams,
    piece: &PieceParams,
) -> Result<Vec<CallView>, Problem> {
    let by = caller.logged_in(app).await?;
    let before: Option<String> = piece.after(caller)?;
    let kind = kind.kind.map(CallKind::from);
    let found = app.conference.calls(&by, caller.id(site)?, kind, before.as_deref(), piece.limit()).await;
    Ok(found.map_err(|refused| account_problem(caller, refused))?.into_iter().map(CallView::from).collect())
}

/// Calls into a site's meetings and browsers' stays in them, the newest first.
#[utoipa::path(get, path = "/sites/{site}/calls", params(("site" = String, Path, format = Uuid), KindParams, PieceParams),
    responses((status = 200, body = Items<CallView>), Problem))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Params(kind): Params<KindParams>,
    Params(piece): Params<PieceParams>,
) -> Result<Json<Items<CallView>>, Problem> {
    let calls = of_site(&app, &caller, &site, &kind, &piece).await?;
    Ok(Json(Items::piece(calls, piece.limit(), |call| call.id.clone())))
}

/// The same as a table (RFC 4180).
#[utoipa::path(get, path = "/sites/{site}/calls.csv", params(("site" = String, Path, format = Uuid), KindParams, PieceParams),
    responses((status = 200, content_type = "text/csv", body = String), Problem))]
async fn table(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Params(kind): Params<KindParams>,
    Params(piece): Params<PieceParams>,
) -> Result<Response, Problem> {
    let calls = of_site(&app, &caller, &site, &kind, &piece).await?;
    let mut text =
        "start,seconds,direction,number,meeting,codec,cause,received,lost,sent,jitter_ms,round_trip_ms,mos,call_id,answered,cost,\
         kind,participant,name,echo_db,one_way,reported_lost,reported_jitter_ms,reported_mos\r\n"
            .to_owned();
    for call in calls {
        let maybe = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        // Writing into a String can't fail.
        let _ = write!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
            call.start,
            call.seconds,
            call.direction,
            cell(&call.number),
            call.meeting.map(|meeting| meeting.to_string()).unwrap_or_default(),
            call.codec,
            call.cause,
            call.received,
            call.lost,
            call.sent,
            call.jitter_ms,
            maybe(call.round_trip_ms),
            maybe(call.mos),
            cell(&call.call_id),
            call.answered.map(|at| at.to_string()).unwrap_or_default(),
            call.cost,
            call.kind,
            call.participant.map(|participant| participant.to_string()).unwrap_or_default(),
            cell(&call.name),
            maybe(call.echo_db),
            call.one_way.unwrap_or_default(),
            call.reported_lost.map(|lost| lost.to_string()).unwrap_or_default(),
            maybe(call.reported_jitter_ms),
            maybe(call.reported_mos),
        );
    }
    let name = HeaderValue::from_static("attachment; filename=\"calls.csv\"");
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

/// Of what strangers chose: in quotes, and never a formula to a spreadsheet.
pub(super) fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// Calls that reached no meeting, the newest first, for the operator.
#[utoipa::path(get, path = "/calls", params(PieceParams), responses((status = 200, body = Items<CallView>), Problem))]
async fn stray(
    State(app): State<App>,
    caller: Caller,
    Params(piece): Params<PieceParams>,
) -> Result<Json<Items<CallView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let before: Option<String> = piece.after(&caller)?;
    let found = app.conference.stray_calls(&by, before.as_deref(), piece.limit()).await;
    let calls = found.map_err(|refused| account_problem(&caller, refused))?.into_iter().map(CallView::from).collect();
    Ok(Json(Items::piece(calls, piece.limit(), |call: &CallView| call.id.clone())))
}

/// One call.
#[utoipa::path(get, path = "/calls/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = CallView), Problem))]
async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Json<CallView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.call(&by, &id).await;
    Ok(Json(found.map_err(|refused| account_problem(&caller, refused))?.into()))
}

/// What was signalled in a call: first who said what when, then each message, with numbers masked.
#[utoipa::path(get, path = "/calls/{id}/ladder.txt", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "text/plain", body = String), Problem))]
async fn ladder(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    signalled(&app, &caller, &id, LadderForm::Text).await
}

/// The same as a capture for Wireshark and its like: whole messages, with whole numbers.
#[utoipa::path(get, path = "/calls/{id}/ladder.pcap", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "application/vnd.tcpdump.pcap"), Problem))]
async fn packets(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    signalled(&app, &caller, &id, LadderForm::Pcap).await
}

async fn signalled(app: &App, caller: &Caller, id: &str, form: LadderForm) -> Result<Response, Problem> {
    let by = caller.logged_in(app).await?;
    let found = app.conference.ladder(&by, id, form).await;
    let found = found.map_err(|refused| account_problem(caller, refused))?;
    let (kind, name) = match form {
        LadderForm::Text => ("text/plain; charset=utf-8", "attachment; filename=\"call.txt\""),
        LadderForm::Pcap => ("application/vnd.tcpdump.pcap", "attachment; filename=\"call.pcap\""),
    };
    let fields =
        [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name), (header::CACHE_CONTROL, "no-store")];
    Ok((fields, found).into_response())
}
