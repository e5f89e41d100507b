//! Files of a meeting's chat: handed in by who has a seat, fetched by who was told of them.

use axum::body::Body as Stream;
use conference::FileRefused;
use futures_util::StreamExt;
use model::{FileKind, ParticipantId};
use tower_http::services::ServeFile;

use super::*;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(hand_in)).routes(routes!(fetch))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct HandIn {
    /// As others read it.
    name: String,
    /// A participant; all where none is named.
    #[param(value_type = Option<String>, format = Uuid)]
    to: Option<ParticipantId>,
    /// Shows it to all as this, and says nothing in the chat.
    show: Option<ShowAs>,
}

/// What a file is shown as.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ShowAs {
    /// PNG, JPEG, WebP or GIF.
    Picture,
    /// PDF.
    Document,
}

#[derive(Serialize, ToSchema)]
struct FileView {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    bytes: u64,
    /// Where it can be fetched while the meeting lasts.
    url: String,
}

/// Hands a file round in a live meeting: the body is the file. The others are told by a chat message, or it is shown to
/// them.
#[utoipa::path(post, path = "/meetings/{id}/files",
    params(("id" = String, Path, format = Uuid), HandIn, ("Huitong-Seat" = String, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = FileView), Problem))]
async fn hand_in(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Params(params): Params<HandIn>,
    headers: HeaderMap,
    body: Stream,
) -> Result<(StatusCode, Json<FileView>), Problem> {
    let meeting: MeetingId = caller.id(&id)?;
    let secret = seat_of(&headers).unwrap_or_default();
    let refused = |refused| match refused {
        FileRefused::NoSeat => caller.problem(Code::NotAllowed),
        FileRefused::TooLarge => caller.problem(Code::TooLarge),
        FileRefused::Refused(refusal) => caller.problem(refusal.into()),
        FileRefused::Disk(error) => {
            tracing::error!(%error, "a file can't be kept");
            caller.problem(Code::Failed)
        }
    };
    let mut draft = app.conference.take_file(meeting, secret, &params.name, params.to).await.map_err(refused)?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        // Who hangs up in the middle of it has handed in nothing.
        let piece = piece.map_err(|_| caller.problem(Code::BadMessage))?;
        draft.write(&piece).await.map_err(refused)?;
    }
    let kept = match params.show {
        None => draft.hand_round().await,
        Some(ShowAs::Picture) => draft.show(FileKind::Picture).await,
        Some(ShowAs::Document) => draft.show(FileKind::Document).await,
    };
    let file = kept.map_err(refused)?;
    let url = format!("/api/v1/meetings/{meeting}/files/{}", file.id);
    Ok((StatusCode::CREATED, Json(FileView { id: file.id.to_string(), name: file.name, bytes: file.bytes, url })))
}

/// A file that was handed round; whoever was told of it knows its id.
#[utoipa::path(get, path = "/meetings/{id}/files/{file}",
    params(("id" = String, Path, format = Uuid), ("file" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206), (status = 304), (status = 416),
        Problem))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let path = app.conference.file(caller.id(&id)?, caller.id(&file)?);
    if !path.is_file() {
        return Err(caller.problem(Code::NotFound));
    }
    // Never shown, always saved: it may be a page with scripts.
    let served = ServeFile::new_with_mime(path, &mime_guess::mime::APPLICATION_OCTET_STREAM).try_call(request).await;
    let mut response = served.map_err(|_| caller.problem(Code::NotFound))?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response.into_response())
}
