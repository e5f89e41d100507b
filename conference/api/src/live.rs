//! HLS from the origin in this process.

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::BroadcastId;
use streaming::{CacheFor, OriginError};

use crate::{
    App,
    problem::{Code, Language, Problem},
};

pub(crate) async fn file(
    State(app): State<App>,
    Path((broadcast, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let not_found = || Problem::new(Code::NotFound, Language::of(&headers)).into_response();
    let Ok(id) = broadcast.parse::<BroadcastId>() else { return not_found() };
    let mut response = match app.origin.get(id, &name, query.as_deref()).await {
        Ok(file) => {
            let cache = match file.cache {
                CacheFor::Nothing => "no-cache".to_owned(),
                CacheFor::Seconds(seconds) => format!("max-age={seconds}"),
            };
            let fields = [(header::CONTENT_TYPE, file.content_type.to_owned()), (header::CACHE_CONTROL, cache)];
            (fields, file.body).into_response()
        }
        Err(OriginError::NotFound) => not_found(),
        Err(OriginError::Gone) => StatusCode::GONE.into_response(),
        Err(OriginError::BadRequest) => StatusCode::BAD_REQUEST.into_response(),
        // The draft's word for a part that is too far ahead, and for one that did not come in time (RFC 8216bis §6.2.5.2).
        Err(OriginError::TooFar) => StatusCode::BAD_REQUEST.into_response(),
        Err(OriginError::NotYet) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let anyone = header::HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anyone);
    response
}
