//! A livestream's chat, for its viewers (B4). It stands beside the livestream's files, whose pass it is behind.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use conference::{ViewerChat, ViewerRefused};
use model::{BroadcastId, ChatSide, Message, ParticipantId};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    problem::{Code, Problem},
    rest::{Body, Caller, Params},
};

/// From where on.
#[derive(Deserialize)]
pub(crate) struct Since {
    /// The `revision` of the answer before.
    #[serde(default)]
    since: u64,
}

#[derive(Serialize)]
struct ChatView {
    revision: u64,
    messages: Vec<MessageView>,
    removed: Vec<u64>,
}

#[derive(Serialize)]
struct MessageView {
    id: u64,
    from: ParticipantId,
    name: String,
    text: String,
    at_ms: i64,
    /// Of the meeting, and not a viewer.
    host: bool,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        let Message { id, from, name, text, at_ms, livestream, .. } = message;
        Self { id, from, name, text, at_ms, host: livestream == Some(ChatSide::Host) }
    }
}

/// What was written since the reader asked last.
pub(crate) async fn read(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Params(Since { since }): Params<Since>,
) -> Result<Response, Problem> {
    let id: BroadcastId = caller.id(&id)?;
    let ViewerChat { revision, messages, removed } = app.conference.viewer_chat(id, since);
    let messages = messages.into_iter().map(MessageView::from).collect();
    let mut response = Json(ChatView { revision, messages, removed }).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A viewer's words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    /// As his page says it to `…/viewers`.
    viewer: String,
    name: String,
    text: String,
}

/// By what the reader knows his own messages.
#[derive(Serialize)]
pub(crate) struct Known {
    from: ParticipantId,
}

pub(crate) async fn write(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Body(Words { viewer, name, text }): Body<Words>,
) -> Result<Json<Known>, Problem> {
    let id: BroadcastId = caller.id(&id)?;
    let viewer = u128::from_str_radix(&viewer, 16).map_err(|_| caller.problem(Code::BadMessage))?;
    let said = app.conference.viewer_says(id, viewer, name, text, caller.source).await;
    let from = said.map_err(|refused| match refused {
        ViewerRefused::TooFast(wait) => caller.problem(Code::TooFast).retry_after(wait),
        ViewerRefused::Meeting(refusal) => caller.problem(refusal.into()),
    })?;
    Ok(Json(Known { from }))
}
