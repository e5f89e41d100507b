//! What a site may spend on calling telephones, and what it has.

use model::{CallingPolicy, CallingUsed, SiteId};

use super::{accounts::account_problem, *};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, write))
}

/// What a site may spend. Money is in the currency the operator writes prices in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallingBody {
    /// Telephones may be called at all.
    allowed: bool,
    /// Calls at once.
    #[schema(maximum = 1_000_000)]
    calls_max: u32,
    /// Of 24 hours, all calls together, each rounded up.
    #[schema(maximum = 1_000_000)]
    minutes_per_day: u32,
    /// Of 24 hours; null: nothing is reckoned.
    #[schema(minimum = 0, maximum = 1_000_000)]
    budget_per_day: Option<f64>,
    /// How often one number is called in an hour.
    #[schema(maximum = 1_000_000)]
    same_number_per_hour: u32,
    /// What numbers must begin with, of those the carriers allow; all where there is none.
    #[schema(max_items = 200)]
    prefixes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct CallingView {
    policy: CallingBody,
    used: UsedView,
}

/// What it has used of that.
#[derive(Serialize, ToSchema)]
struct UsedView {
    /// Under way.
    calls: u32,
    /// Of the last 24 hours.
    minutes: i64,
    /// Of the last 24 hours.
    cost: f64,
}

/// Thousandths as people write money.
pub(super) fn money(thousandths: i64) -> f64 {
    thousandths as f64 / 1_000.0
}

impl From<(CallingPolicy, CallingUsed)> for CallingView {
    fn from((policy, used): (CallingPolicy, CallingUsed)) -> Self {
        let policy = CallingBody {
            allowed: policy.allowed,
            calls_max: policy.calls_max,
            minutes_per_day: policy.minutes_per_day,
            budget_per_day: policy.budget_per_day.map(money),
            same_number_per_hour: policy.same_number_per_hour,
            prefixes: policy.prefixes,
        };
        Self { policy, used: UsedView { calls: used.calls, minutes: used.minutes, cost: money(used.cost) } }
    }
}

/// What a site may spend on calling telephones, and what it has of the last 24 hours.
#[utoipa::path(get, path = "/sites/{site}/calling", params(("site" = String, Path, format = Uuid)),
    responses((status = 200, body = CallingView), Problem))]
async fn read(State(app): State<App>, caller: Caller, Path(site): Path<String>) -> Result<Json<CallingView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.calling(&by, caller.id(&site)?).await;
    Ok(Json(found.map_err(|refused| account_problem(&caller, refused))?.into()))
}

/// Sets it, for the operator. Calls under way that are over it end.
#[utoipa::path(put, path = "/sites/{site}/calling", params(("site" = String, Path, format = Uuid)),
    request_body = CallingBody, responses((status = 200, body = CallingView), Problem))]
async fn write(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Body(body): Body<CallingBody>,
) -> Result<Json<CallingView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let site: SiteId = caller.id(&site)?;
    let policy = CallingPolicy {
        allowed: body.allowed,
        calls_max: body.calls_max,
        minutes_per_day: body.minutes_per_day,
        // What is no amount is out of range; casting keeps it so.
        budget_per_day: body.budget_per_day.map(|budget| (budget * 1_000.0).round() as i64),
        same_number_per_hour: body.same_number_per_hour,
        prefixes: body.prefixes,
    };
    let set = app.conference.set_calling(&by, site, policy).await;
    set.map_err(|refused| account_problem(&caller, refused))?;
    let found = app.conference.calling(&by, site).await;
    Ok(Json(found.map_err(|refused| account_problem(&caller, refused))?.into()))
}
