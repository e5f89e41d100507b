//! Accounts: one's own, and those of a site for who administers it.

use conference::{AccountChange, AccountRefused, NewAccount};
use model::{AccountId, AccountRole, BookingMode, InvalidText, SiteId, WeakPassword};

use super::*;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me, change_me))
        .routes(routes!(phone_pin, draw_phone_pin))
        .routes(routes!(list, create))
        .routes(routes!(one, change))
}

/// Somebody who can log in.
#[derive(Serialize, ToSchema)]
pub(super) struct AccountView {
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
    /// What is typed at the login.
    name: String,
    display_name: String,
    /// The site's name.
    site: String,
    #[schema(value_type = String, format = Uuid)]
    site_id: SiteId,
    /// Its site has livestreams.
    livestream: bool,
    #[schema(value_type = RoleView)]
    role: AccountRole,
    #[schema(value_type = ModeView)]
    mode: BookingMode,
    /// The most participants of a dedicated account's own room.
    capacity: u32,
    email: Option<String>,
    mobile: Option<String>,
    /// A `data:` URL.
    avatar: Option<String>,
    /// The password is still the one that was given.
    initial_password: bool,
    disabled: bool,
}

/// What somebody may do beyond his own meetings.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", as = AccountRole)]
#[expect(dead_code, reason = "only its schema is used: the words are the core's")]
pub(super) enum RoleView {
    Operator,
    Administrator,
    Member,
}

/// How an account books.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case", as = BookingMode)]
#[expect(dead_code, reason = "only its schema is used: the words are the core's")]
pub(super) enum ModeView {
    Dedicated,
    Shared,
    Concurrent,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AccountBody {
    pub(super) account: AccountView,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            display_name: account.display_name,
            site: account.site,
            site_id: account.site_id,
            livestream: account.livestream,
            role: account.role,
            mode: account.mode,
            capacity: account.capacity,
            email: account.email,
            mobile: account.mobile,
            avatar: account.avatar,
            initial_password: account.initial_password,
            disabled: account.disabled,
        }
    }
}

pub(super) fn account_problem(caller: &Caller, refused: AccountRefused) -> Problem {
    let say = |chinese: String, english: String| match caller.language {
        Language::Chinese => chinese,
        Language::English => english,
    };
    match refused {
        AccountRefused::NotAllowed => caller.problem(Code::NotAllowed),
        AccountRefused::Missing => caller.problem(Code::NotFound),
        AccountRefused::Changed => caller.problem(Code::Changed),
        AccountRefused::Name(invalid) => caller.problem(Code::BadName).because(text_detail(caller.language, &invalid)),
        AccountRefused::Weak(weak) => {
            let detail = match weak {
                WeakPassword::TooShort => say("密码少于8位".to_owned(), "it has fewer than 8 characters".to_owned()),
                WeakPassword::TooLong => say("密码超过128位".to_owned(), "it has more than 128 characters".to_owned()),
                WeakPassword::TooPlain(kinds) => {
                    say(format!("只包含{kinds}种字符"), format!("it has only {kinds} of these"))
                }
            };
            caller.problem(Code::WeakPassword).because(detail)
        }
        AccountRefused::Wrong => caller.problem(Code::WrongSecret),
        AccountRefused::Locked(left) => caller.problem(Code::LoginLocked).retry_after(left),
        AccountRefused::Email => caller.problem(Code::BadEmail),
        AccountRefused::Mobile => caller.problem(Code::BadMobile),
        AccountRefused::Avatar => caller.problem(Code::BadAvatar),
        AccountRefused::Range => caller.problem(Code::BadRange),
        AccountRefused::Store(StoreError::Exists(_)) => caller.problem(Code::NameTaken),
        AccountRefused::Store(error) => caller.failed(&error),
        AccountRefused::Failed => caller.problem(Code::Failed),
    }
}

/// What is wrong with a text, named.
pub(super) fn text_detail(language: Language, invalid: &InvalidText) -> String {
    match (language, invalid) {
        (Language::Chinese, InvalidText::Empty) => "内容为空".to_owned(),
        (Language::Chinese, InvalidText::TooLong(max)) => format!("超过{max}个字"),
        (Language::Chinese, InvalidText::TooShort(min)) => format!("少于{min}个字"),
        (Language::Chinese, InvalidText::Character(bad)) => format!("不能包含字符“{}”", bad.escape_debug()),
        (Language::English, InvalidText::Empty) => "it is empty".to_owned(),
        (Language::English, InvalidText::TooLong(max)) => format!("it is longer than {max} characters"),
        (Language::English, InvalidText::TooShort(min)) => format!("it is shorter than {min} characters"),
        (Language::English, InvalidText::Character(bad)) => {
            format!("it contains \u{201c}{}\u{201d}, which isn’t allowed", bad.escape_debug())
        }
    }
}

/// Who is logged in.
#[utoipa::path(get, path = "/me", responses((status = 200, body = AccountBody), Problem))]
async fn me(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let version = account.version;
    Ok(with_version(StatusCode::OK, version, AccountBody { account: account.into() }))
}

/// What is to be changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    display_name: Option<String>,
    /// A `data:` URL of a PNG, JPEG or WebP picture; empty: none.
    avatar: Option<String>,
    /// Empty: none.
    email: Option<String>,
    /// Empty: none.
    mobile: Option<String>,
    /// Administrators' alone, as all below.
    #[schema(value_type = Option<RoleView>)]
    role: Option<AccountRole>,
    #[schema(value_type = Option<ModeView>)]
    mode: Option<BookingMode>,
    #[schema(minimum = 2, maximum = 500)]
    capacity: Option<u32>,
    disabled: Option<bool>,
}

impl From<Change> for AccountChange {
    fn from(change: Change) -> Self {
        Self {
            display_name: change.display_name,
            avatar: change.avatar,
            email: change.email,
            mobile: change.mobile,
            role: change.role,
            mode: change.mode,
            capacity: change.capacity,
            disabled: change.disabled,
        }
    }
}

/// Changes one's own account.
#[utoipa::path(patch, path = "/me", request_body = Change, responses((status = 200, body = AccountBody), Problem))]
async fn change_me(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(body): Body<Change>,
) -> Result<Response, Problem> {
    let account = caller.logged_in(&app).await?;
    let changed = app.conference.change_account(&account, account.id, if_match(&headers), body.into()).await;
    let changed = changed.map_err(|refused| account_problem(&caller, refused))?;
    let version = changed.version;
    Ok(with_version(StatusCode::OK, version, AccountBody { account: changed.into() }))
}

/// What a host keys on a telephone to be one.
#[derive(Serialize, ToSchema)]
struct PhonePin {
    /// Eight digits; null where none was drawn yet.
    pin: Option<String>,
}

/// One's own PIN for telephones.
#[utoipa::path(get, path = "/me/phone-pin", responses((status = 200, body = PhonePin), Problem))]
async fn phone_pin(State(app): State<App>, caller: Caller) -> Result<Json<PhonePin>, Problem> {
    let account = caller.logged_in(&app).await?;
    let pin = app.conference.phone_pin(&account).await.map_err(|error| caller.failed(&error))?;
    Ok(Json(PhonePin { pin }))
}

/// Draws a new one; meetings that are live keep the earlier one until they end.
#[utoipa::path(post, path = "/me/phone-pin", responses((status = 201, body = PhonePin), Problem))]
async fn draw_phone_pin(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<PhonePin>), Problem> {
    let account = caller.logged_in(&app).await?;
    let pin = app.conference.draw_phone_pin(&account).await.map_err(|error| caller.failed(&error))?;
    Ok((StatusCode::CREATED, Json(PhonePin { pin: Some(pin) })))
}

/// A site's accounts.
#[utoipa::path(get, path = "/sites/{site}/accounts", params(("site" = String, Path, format = Uuid), PieceParams),
    responses((status = 200, body = Items<AccountView>), Problem))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Params(piece): Params<PieceParams>,
) -> Result<Json<Items<AccountView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let site = caller.id(&site)?;
    let found = app.conference.accounts(&by, site, piece.after(&caller)?, piece.limit()).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    let items = found.into_iter().map(AccountView::from).collect();
    Ok(Json(Items::piece(items, piece.limit(), |account| account.id.to_string())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// What is typed at the login.
    name: String,
    display_name: String,
    /// The first one; its owner is asked to change it.
    password: String,
    #[schema(value_type = Option<RoleView>)]
    role: Option<AccountRole>,
    #[schema(value_type = ModeView)]
    mode: BookingMode,
    /// The most participants of a dedicated account's own room.
    #[schema(minimum = 2, maximum = 500)]
    capacity: Option<u32>,
    email: Option<String>,
    mobile: Option<String>,
}

/// Makes an account on a site.
#[utoipa::path(post, path = "/sites/{site}/accounts", params(("site" = String, Path, format = Uuid)),
    request_body = Create, responses((status = 201, body = AccountBody), Problem))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
    Body(body): Body<Create>,
) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let new = NewAccount {
        name: body.name,
        display_name: body.display_name,
        password: body.password,
        role: body.role.unwrap_or(AccountRole::Member),
        mode: body.mode,
        capacity: body.capacity.unwrap_or(100),
        email: body.email,
        mobile: body.mobile,
    };
    let made = app.conference.create_account(&by, caller.id(&site)?, new).await;
    let made = made.map_err(|refused| account_problem(&caller, refused))?;
    let version = made.version;
    Ok(with_version(StatusCode::CREATED, version, AccountBody { account: made.into() }))
}

/// One account.
#[utoipa::path(get, path = "/accounts/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = AccountBody), Problem))]
async fn one(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let found = app.conference.account(&by, caller.id(&id)?).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    let version = found.version;
    Ok(with_version(StatusCode::OK, version, AccountBody { account: found.into() }))
}

/// Changes an account.
#[utoipa::path(patch, path = "/accounts/{id}", params(("id" = String, Path, format = Uuid)), request_body = Change,
    responses((status = 200, body = AccountBody), Problem))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body<Change>,
) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let changed = app.conference.change_account(&by, caller.id(&id)?, if_match(&headers), body.into()).await;
    let changed = changed.map_err(|refused| account_problem(&caller, refused))?;
    let version = changed.version;
    Ok(with_version(StatusCode::OK, version, AccountBody { account: changed.into() }))
}
