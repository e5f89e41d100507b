//! Idempotency-Key: a POST that is repeated under the same key is answered as the first time, and done once.

use axum::{
    body::{Body, to_bytes},
    http::Method,
    middleware::Next,
};
use conference::Answer;
use sha2::{Digest, Sha256};

use super::*;
use crate::BODY_BYTES_MAX;

/// The longest key.
const KEY_BYTES_MAX: usize = 200;

pub(super) async fn answer_once(
    State(app): State<App>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let Some(key) = key.filter(|_| request.method() == Method::POST) else { return Ok(next.run(request).await) };
    let Some(account) = caller.account(&app).await? else { return Ok(next.run(request).await) };
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(caller.problem(Code::BadMessage));
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| caller.problem(Code::TooLarge))?;
    let request_sha256 = hex::encode(Sha256::new().chain_update(parts.uri.path()).chain_update(&bytes).finalize());
    let known = app.conference.answer(&account, &key).await.map_err(|error| caller.failed(&error))?;
    if let Some(known) = known {
        if known.request_sha256 != request_sha256 {
            return Err(caller.problem(Code::KeyReused));
        }
        let status = StatusCode::from_u16(known.status).unwrap_or(StatusCode::OK);
        return Ok((status, [(header::CONTENT_TYPE, "application/json")], known.body).into_response());
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| caller.problem(Code::Failed))?;
    let answer =
        Answer { request_sha256, status: parts.status.as_u16(), body: String::from_utf8_lossy(&bytes).into_owned() };
    app.conference.keep_answer(&account, &key, &answer).await.map_err(|error| caller.failed(&error))?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}
