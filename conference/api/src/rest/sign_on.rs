//! Single sign-on: a browser's way to the company's OpenID provider and back.

use conference::SignOnRefused;

use super::{login::session_cookies, *};

/// What the browser keeps while it is at the provider.
const KEPT_COOKIES: [&str; 2] = ["huitong-sign-on", "__Host-huitong-sign-on"];

/// Where the provider sends browsers back to.
const CALLBACK: &str = "/api/v1/sign-on/callback";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(begin)).routes(routes!(end))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Begin {
    /// The page to come back to.
    back: Option<String>,
}

/// Sends the browser to the company's login.
#[utoipa::path(get, path = "/sign-on", params(Begin), responses(
    (status = 303, description = "To the provider, or back with `?sign_on=` and the reason")))]
async fn begin(State(app): State<App>, caller: Caller, Params(params): Params<Begin>) -> Response {
    let callback = format!("{}{CALLBACK}", app.base(&caller));
    match app.conference.begin_sign_on(&callback, params.back.as_deref().unwrap_or("/")).await {
        Ok(sign_on) => see_other(&sign_on.url, &[set_cookie(&caller, &KEPT_COOKIES, &sign_on.kept, "Max-Age=600")]),
        Err(refused) => turn_back(&caller, &refused),
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct End {
    state: Option<String>,
    code: Option<String>,
}

/// Takes the browser back from the company's login, logged in.
#[utoipa::path(get, path = "/sign-on/callback", params(End), responses(
    (status = 303, description = "To the page it came from, or to the first page with `?sign_on=` and the reason")))]
async fn end(State(app): State<App>, caller: Caller, headers: HeaderMap, Params(params): Params<End>) -> Response {
    let callback = format!("{}{CALLBACK}", app.base(&caller));
    let kept = cookie(&headers, &KEPT_COOKIES).unwrap_or_default();
    let (state, code) = (params.state.unwrap_or_default(), params.code.unwrap_or_default());
    match app.conference.end_sign_on(&callback, &kept, &state, code).await {
        Ok((session, back)) => {
            let mut cookies = session_cookies(&caller, &session);
            cookies.push(set_cookie(&caller, &KEPT_COOKIES, "", "Max-Age=0"));
            see_other(&back, &cookies)
        }
        Err(refused) => turn_back(&caller, &refused),
    }
}

/// A browser is shown a page and no JSON: the first page says why.
fn turn_back(caller: &Caller, refused: &SignOnRefused) -> Response {
    tracing::warn!(%refused, "nobody signed on");
    let code = match refused {
        SignOnRefused::Off => "off",
        SignOnRefused::Unavailable(_) | SignOnRefused::Store(_) => "unavailable",
        SignOnRefused::Expired => "expired",
        SignOnRefused::Untrusted(_) => "refused",
        SignOnRefused::NoAccount => "no_account",
        SignOnRefused::NameTaken => "name_taken",
        SignOnRefused::Disabled => "disabled",
    };
    see_other(&format!("/?sign_on={code}"), &[set_cookie(caller, &KEPT_COOKIES, "", "Max-Age=0")])
}

fn see_other(to: &str, cookies: &[HeaderValue]) -> Response {
    let Ok(to) = HeaderValue::from_str(to) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}
