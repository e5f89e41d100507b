//! What is shared in meetings: the whiteboard of a live one, bookmarks of accounts.

use axum::body::{self, Body as Stream};
use conference::{Bookmark, BookmarkRefused};

use super::*;

/// The longest whiteboard, in bytes of base64: as much as a meeting keeps.
const WHITEBOARD_BYTES_MAX: usize = 4 << 20;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(whiteboard, rewrite))
        .routes(routes!(bookmarks, add_bookmark))
        .routes(routes!(remove_bookmark))
}

/// A whiteboard: merged in any order, its drawings give the picture.
#[derive(Serialize, ToSchema)]
struct WhiteboardView {
    /// Updates of Yjs (version 1) in base64, the oldest first.
    drawings: Vec<String>,
    /// The newest one's number; drawings with a higher one follow over the WebSocket.
    last: u64,
}

/// The whiteboard of a live meeting, for who has a seat in it and sees it now.
#[utoipa::path(get, path = "/meetings/{id}/whiteboard",
    params(("id" = String, Path, format = Uuid), ("Huitong-Seat" = String, Header)),
    responses((status = 200, body = WhiteboardView), Problem))]
async fn whiteboard(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<WhiteboardView>, Problem> {
    let secret = seat_of(&headers).unwrap_or_default();
    let all = app.conference.whiteboard(caller.id(&id)?, secret).await;
    let all = all.map_err(|refusal| caller.problem(refusal.into()))?;
    Ok(Json(WhiteboardView { drawings: all.drawings, last: all.last }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Rewrite {
    /// The newest drawing that is in it.
    upto: u64,
}

/// Puts one drawing in the place of all up to a number: the body is the whole, in base64. Asked for by
/// `whiteboard_long`.
#[utoipa::path(put, path = "/meetings/{id}/whiteboard",
    params(("id" = String, Path, format = Uuid), Rewrite, ("Huitong-Seat" = String, Header)),
    request_body(content = String, content_type = "text/plain"), responses((status = 204), Problem))]
async fn rewrite(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Params(Rewrite { upto }): Params<Rewrite>,
    headers: HeaderMap,
    body: Stream,
) -> Result<StatusCode, Problem> {
    let bytes = body::to_bytes(body, WHITEBOARD_BYTES_MAX).await.map_err(|_| caller.problem(Code::TooLarge))?;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let drawing =
        String::from_utf8(bytes.into()).ok().filter(|text| !text.is_empty() && text.bytes().all(|b| is_base64(&b)));
    let drawing = drawing.ok_or_else(|| caller.problem(Code::BadMessage))?;
    let secret = seat_of(&headers).unwrap_or_default();
    let done = app.conference.rewrite_whiteboard(caller.id(&id)?, secret, upto, drawing).await;
    done.map(|()| StatusCode::NO_CONTENT).map_err(|refusal| caller.problem(refusal.into()))
}

/// A page its owner shares often.
#[derive(Serialize, ToSchema)]
struct BookmarkView {
    #[schema(format = Uuid)]
    id: String,
    name: String,
    url: String,
}

impl From<Bookmark> for BookmarkView {
    fn from(Bookmark { id, name, url }: Bookmark) -> Self {
        Self { id, name, url }
    }
}

/// One's own bookmarks, the oldest first.
#[utoipa::path(get, path = "/me/bookmarks", responses((status = 200, body = Items<BookmarkView>), Problem))]
async fn bookmarks(State(app): State<App>, caller: Caller) -> Result<Json<Items<BookmarkView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let all = app.conference.bookmarks(&account).await.map_err(|error| caller.failed(&error))?;
    Ok(Json(Items::all(all.into_iter().map(BookmarkView::from).collect())))
}

#[derive(Deserialize, ToSchema)]
struct NewBookmark {
    /// At most 80 characters.
    name: String,
    /// `http://` or `https://`.
    url: String,
}

/// Keeps a page; a hundred at most.
#[utoipa::path(post, path = "/me/bookmarks", request_body = NewBookmark,
    responses((status = 201, body = BookmarkView), Problem))]
async fn add_bookmark(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewBookmark>,
) -> Result<(StatusCode, Json<BookmarkView>), Problem> {
    let account = caller.logged_in(&app).await?;
    let added = app.conference.add_bookmark(&account, &new.name, &new.url).await;
    let added = added.map_err(|refused| match refused {
        BookmarkRefused::Name(invalid) => {
            caller.problem(Code::BadTitle).because(accounts::text_detail(caller.language, &invalid))
        }
        BookmarkRefused::Page(_) => caller.problem(Code::BadPage),
        BookmarkRefused::TooMany => caller.problem(Code::TooMany),
        BookmarkRefused::Store(error) => caller.failed(&error),
    })?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

#[utoipa::path(delete, path = "/me/bookmarks/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 204), Problem))]
async fn remove_bookmark(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let account = caller.logged_in(&app).await?;
    let removed = app.conference.remove_bookmark(&account, &id).await.map_err(|error| caller.failed(&error))?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(caller.problem(Code::NotFound)) }
}
