//! The web client, embedded in the binary.

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::{Code, Language, Problem};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let not_found = || Problem::new(Code::NotFound, Language::of(&headers)).into_response();
    let path = uri.path().trim_start_matches('/');
    if (method != Method::GET && method != Method::HEAD) || path.starts_with("api/") {
        return not_found();
    }
    let name = match path {
        "" | "admin" | "book" | "forgot" | "reset" | "settings" => "index.html",
        _ if ["j/", "meetings/", "embed/"].iter().any(|start| path.starts_with(start)) => "index.html",
        _ if path.starts_with("watch/") => "watch.html",
        _ => path,
    };
    match Dist::get(name) {
        Some(file) => serve(name, &file, &headers),
        None if name.ends_with(".html") => Html(NOT_BUILT).into_response(),
        None if wants_page(&headers) => nowhere(),
        None => not_found(),
    }
}

/// A person opens the address in a browser; programs, scripts and pictures of a page take no HTML.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|kinds| kinds.contains("text/html"))
}

/// The page that says so itself, in the reader's language and with a way home.
fn nowhere() -> Response {
    let page = Dist::get("index.html").map_or_else(|| NOT_BUILT.into(), |file| file.data.to_vec());
    let fields = [(header::CACHE_CONTROL, "no-store"), (header::VARY, "Accept")];
    (StatusCode::NOT_FOUND, fields, Html(page)).into_response()
}

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>会通</title>\
    <p>This server was built without its web pages. Build them with <code>make web</code>, then build the server again.";

fn serve(name: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    // The bundler writes a hash into the names of all but the pages.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fields = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, cache.to_owned())];
    if headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(etag.as_str()) {
        return (StatusCode::NOT_MODIFIED, fields).into_response();
    }
    let mime = mime_guess::from_path(name).first_or_octet_stream().to_string();
    let mime = if mime.starts_with("text/") { mime + "; charset=utf-8" } else { mime };
    (fields, [(header::CONTENT_TYPE, mime)], Body::from(file.data.to_vec())).into_response()
}
