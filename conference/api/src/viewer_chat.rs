//! What a livestream's viewers read and do (B4). It stands beside the livestream's files, whose pass it is behind.

use axum::{
    Json,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use conference::{QuestionNews, ViewerNews, ViewerRefused};
use model::{
    BroadcastId, ChatSide, MeetingId, Message, ParticipantId, Poll, Question, ReactionSum, ViewerAction, ViewersMay,
};
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

/// What has nothing new is left out: thousands ask every two seconds.
#[derive(Serialize)]
struct NewsView {
    revision: u64,
    messages: Vec<MessageView>,
    removed: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    questions: Vec<QuestionView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    polls: Vec<Poll>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<ReactionSum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    may: Option<ViewersMay>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lowered: Vec<ParticipantId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    called: Vec<ParticipantId>,
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

#[derive(Serialize)]
#[serde(untagged)]
enum QuestionView {
    Asked(Question),
    Changed { id: u64, votes: u32, answered: bool },
}

impl From<QuestionNews> for QuestionView {
    fn from(news: QuestionNews) -> Self {
        match news {
            QuestionNews::Asked(question) => Self::Asked(question),
            QuestionNews::Changed { id, votes, answered } => Self::Changed { id, votes, answered },
        }
    }
}

/// What is new since the reader asked last.
pub(crate) async fn read(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Params(Since { since }): Params<Since>,
) -> Result<Response, Problem> {
    let id: BroadcastId = caller.id(&id)?;
    let ViewerNews { revision, messages, removed, questions, polls, reactions, may, lowered, called } =
        app.conference.viewer_news(id, since);
    let messages = messages.into_iter().map(MessageView::from).collect();
    let questions = questions.into_iter().map(QuestionView::from).collect();
    let news = NewsView { revision, messages, removed, questions, polls, reactions, may, lowered, called };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(news)).into_response())
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

/// By what the reader knows what is his own.
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
    act(&app, &caller, &id, &viewer, ViewerAction::Say { name, text }).await
}

/// What a viewer does besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deed {
    /// As his page says it to `…/viewers`.
    viewer: String,
    action: ViewerAction,
}

pub(crate) async fn take(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Body(Deed { viewer, action }): Body<Deed>,
) -> Result<Json<Known>, Problem> {
    act(&app, &caller, &id, &viewer, action).await
}

/// Who was called up, and comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comer {
    /// As his page says it to `…/viewers`.
    viewer: String,
    name: String,
}

/// The meeting, and by what its seat is his: as `resume` of the client protocol's `join`.
#[derive(Serialize)]
pub(crate) struct KeptSeat {
    meeting: MeetingId,
    resume: String,
}

pub(crate) async fn come_up(
    State(app): State<App>,
    Path(id): Path<String>,
    caller: Caller,
    Body(Comer { viewer, name }): Body<Comer>,
) -> Result<Response, Problem> {
    let id: BroadcastId = caller.id(&id)?;
    let viewer = drawn(&caller, &viewer)?;
    app.joins.allow(caller.source).map_err(|wait| caller.problem(Code::TooOften).retry_after(wait))?;
    let come = app.conference.viewer_comes_up(id, viewer, name, caller.source).await;
    let (meeting, resume) = come.map_err(|refusal| caller.problem(refusal.into()))?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(KeptSeat { meeting, resume })).into_response())
}

async fn act(app: &App, caller: &Caller, id: &str, viewer: &str, action: ViewerAction) -> Result<Json<Known>, Problem> {
    let id: BroadcastId = caller.id(id)?;
    let viewer = drawn(caller, viewer)?;
    let done = app.conference.viewer_does(id, viewer, action, caller.source).await;
    let from = done.map_err(|refused| match refused {
        ViewerRefused::TooFast(wait) => caller.problem(Code::TooFast).retry_after(wait),
        ViewerRefused::Meeting(refusal) => caller.problem(refusal.into()),
    })?;
    Ok(Json(Known { from }))
}

/// The number that a viewer's page has drawn.
fn drawn(caller: &Caller, viewer: &str) -> Result<u128, Problem> {
    u128::from_str_radix(viewer, 16).map_err(|_| caller.problem(Code::BadMessage))
}
