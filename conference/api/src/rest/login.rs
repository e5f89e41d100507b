//! Logging in and out, and the way back in for who forgot his password.

use conference::{LoginRefused, ResetBy, Session};

use super::*;
use crate::rest::accounts::{AccountBody, AccountView, account_problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(logout))
        .routes(routes!(forgot, reset))
        .routes(routes!(change_password))
}

#[derive(Deserialize, ToSchema)]
struct Login {
    name: String,
    password: String,
}

/// Logs in: the answer sets the cookie.
#[utoipa::path(post, path = "/login", request_body = Login, responses((status = 200, body = AccountBody), Problem))]
async fn login(State(app): State<App>, caller: Caller, Body(body): Body<Login>) -> Result<Response, Problem> {
    let device = caller.device.as_deref();
    let session = app.conference.login(&body.name, body.password, device, caller.source).await;
    let session = session.map_err(|refused| match refused {
        LoginRefused::Wrong => caller.problem(Code::WrongLogin),
        LoginRefused::Locked(left) => caller.problem(Code::LoginLocked).retry_after(left),
        LoginRefused::Store(error) => caller.failed(&error),
        LoginRefused::Failed => caller.problem(Code::Failed),
    })?;
    let cookies = session_cookies(&caller, &session);
    let mut response = Json(AccountBody { account: AccountView::from(session.account) }).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What a browser is given that has logged in.
pub(super) fn session_cookies(caller: &Caller, session: &Session) -> Vec<HeaderValue> {
    vec![
        set_cookie(caller, &COOKIES, &session.token, "Max-Age=604800"),
        set_cookie(caller, &DEVICE_COOKIES, &session.device, "Max-Age=31536000"),
    ]
}

/// Logs out.
#[utoipa::path(post, path = "/logout", responses((status = 204), Problem))]
async fn logout(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    if let Some(token) = &caller.token {
        app.conference.logout(token).await.map_err(|error| caller.failed(&error))?;
    }
    let cookie = set_cookie(&caller, &COOKIES, "", "Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    Email,
    Sms,
}

#[derive(Deserialize, ToSchema)]
struct Forgot {
    /// The login name.
    name: String,
    by: By,
}

/// Sends a link or a code, if there is such an account; the answer doesn't tell.
#[utoipa::path(post, path = "/password-resets", request_body = Forgot, responses((status = 202), Problem))]
async fn forgot(State(app): State<App>, caller: Caller, Body(body): Body<Forgot>) -> Result<StatusCode, Problem> {
    app.forgotten.allow(caller.source).map_err(|wait| caller.problem(Code::TooManyTries).retry_after(wait))?;
    let by = match body.by {
        By::Email if !app.conference.sends_mail() => return Err(caller.problem(Code::NoMail)),
        By::Sms if !app.conference.sends_sms() => return Err(caller.problem(Code::NoSms)),
        By::Email => ResetBy::Email,
        By::Sms => ResetBy::Sms,
    };
    app.conference.forgot_password(body.name, by, app.base(&caller));
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, ToSchema)]
struct Reset {
    /// The login name, where the secret is a code.
    name: Option<String>,
    /// What the link ends in, or the code.
    secret: String,
    new_password: String,
}

/// Sets a new password by what was sent.
#[utoipa::path(put, path = "/password-resets", request_body = Reset, responses((status = 204), Problem))]
async fn reset(State(app): State<App>, caller: Caller, Body(body): Body<Reset>) -> Result<StatusCode, Problem> {
    app.forgotten.allow(caller.source).map_err(|wait| caller.problem(Code::TooManyTries).retry_after(wait))?;
    let done = app.conference.reset_password(body.name.as_deref(), &body.secret, body.new_password).await;
    done.map_err(|refused| account_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
struct ChangePassword {
    old_password: String,
    new_password: String,
}

/// Changes one's password; one's other sessions end.
#[utoipa::path(post, path = "/me/password", request_body = ChangePassword, responses((status = 204), Problem))]
async fn change_password(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let account = caller.logged_in(&app).await?;
    let token = caller.token.as_deref().unwrap_or_default();
    let (old, new) = (body.old_password, body.new_password);
    let done = app.conference.change_password(&account, token, old, new, caller.source).await;
    done.map_err(|refused| account_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}
