//! Pages of other origins that the operator trusts: they may show meetings in a frame and use the API (A2).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

/// How long a browser may remember that it may ask, in seconds.
const REMEMBERED_S: &str = "600";

/// The fields programs send, and those they read.
const SENT: &str = "accept-language, content-type, huitong-seat, idempotency-key, if-match";
const READ: &str = "etag, retry-after";

/// Trusted origins (RFC 6454 §7), as browsers write them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins(Arc<[String]>);

impl Origins {
    pub(crate) fn new(all: Vec<String>) -> Self {
        Self(all.into())
    }

    pub(crate) fn all(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn has(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }

    fn of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        origin.to_str().is_ok_and(|text| self.has(text)).then_some(origin)
    }
}

/// Lets trusted origins' scripts read our answers, without our users' cookies (Fetch, "CORS protocol"). The SDK is anybody's.
pub(crate) async fn share(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_api, is_sdk) = (path.starts_with("/api/"), path.starts_with("/sdk/"));
    let trusted = origins.of(request.headers()).filter(|_| is_api).cloned();
    let is_question =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match &trusted {
        Some(_) if is_question => {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            let all = [
                (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
                (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S),
            ];
            answer.headers_mut().extend(all.map(|(name, value)| (name, HeaderValue::from_static(value))));
            answer
        }
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    if let Some(origin) = trusted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    } else if is_sdk {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}
