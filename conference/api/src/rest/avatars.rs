//! Pictures of people (头像), for those who are in a meeting with them.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::*;

/// A key is of one picture for ever.
const KEPT: &str = "private, max-age=604800, immutable";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(avatar))
}

/// Somebody's picture; who is in a meeting with him, guests too, is told its key (`participant.avatar`).
#[utoipa::path(get, path = "/avatars/{key}", params(("key" = String, Path)),
    responses((status = 200, content_type = "image/jpeg"), Problem))]
async fn avatar(State(app): State<App>, caller: Caller, Path(key): Path<String>) -> Result<Response, Problem> {
    let found = app.conference.avatar(&key).await.map_err(|error| caller.failed(&error))?;
    let picture = found.as_deref().and_then(decoded).ok_or_else(|| caller.problem(Code::NotFound))?;
    Ok(picture.into_response())
}

/// What a `data:` URL holds.
fn decoded(url: &str) -> Option<impl IntoResponse> {
    let (kind, body) = url.strip_prefix("data:")?.split_once(";base64,")?;
    let kind = HeaderValue::from_str(kind).ok()?;
    let body = BASE64_STANDARD.decode(body).ok()?;
    Some(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static(KEPT))], body))
}
