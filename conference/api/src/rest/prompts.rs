//! A site's own prompts: listed, fetched, handed in, and put back.

use axum::body::Body as Stream;
use conference::{PromptInfo, PromptRefused};
use futures_util::StreamExt;
use model::SiteId;
use sipconf::{Language as Spoken, Prompt, UPLOAD_BYTES_MAX, UploadError};

use super::{accounts::account_problem, *};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(fetch, hand_in, put_back))
}

/// Something callers are told.
#[derive(Serialize, ToSchema)]
struct PromptView {
    /// `zh-CN` or `en-US`.
    language: &'static str,
    /// Its name.
    prompt: &'static str,
    /// What the product's says.
    text: String,
    /// When the site handed in its own; null where the product's is said.
    #[schema(value_type = Option<String>, format = DateTime)]
    changed: Option<jiff::Timestamp>,
    /// Its sound, an Ogg Opus file.
    file: String,
}

fn view(site: SiteId, info: &PromptInfo) -> PromptView {
    let (language, prompt) = (info.language.tag(), info.prompt.key());
    PromptView {
        language,
        prompt,
        text: info.prompt.text(info.language),
        changed: info.changed_ms.map(time),
        file: format!("/api/v1/sites/{site}/prompts/{language}/{prompt}"),
    }
}

/// All that callers are told, in every language.
#[utoipa::path(get, path = "/sites/{site}/prompts", params(("site" = String, Path, format = Uuid)),
    responses((status = 200, body = Items<PromptView>), Problem))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(site): Path<String>,
) -> Result<Json<Items<PromptView>>, Problem> {
    let by = caller.logged_in(&app).await?;
    let site: SiteId = caller.id(&site)?;
    let found = app.conference.prompts(&by, site).await.map_err(|refused| account_problem(&caller, refused))?;
    Ok(Json(Items::all(found.iter().map(|info| view(site, info)).collect())))
}

type Named = Path<(String, String, String)>;

fn named(caller: &Caller, Path((site, language, prompt)): &Named) -> Result<(SiteId, Spoken, Prompt), Problem> {
    let language = Spoken::ALL.into_iter().find(|known| known.tag() == language);
    let (language, prompt) = language.zip(Prompt::from_key(prompt)).ok_or_else(|| caller.problem(Code::NotFound))?;
    Ok((caller.id(site)?, language, prompt))
}

/// How it sounds to the site's callers.
#[utoipa::path(get, path = "/sites/{site}/prompts/{language}/{prompt}",
    params(("site" = String, Path, format = Uuid), ("language" = String, Path), ("prompt" = String, Path)),
    responses((status = 200, content_type = "audio/ogg"), Problem))]
async fn fetch(State(app): State<App>, caller: Caller, path: Named) -> Result<Response, Problem> {
    let by = caller.logged_in(&app).await?;
    let (site, language, prompt) = named(&caller, &path)?;
    let found = app.conference.prompt_file(&by, site, language, prompt).await;
    let found = found.map_err(|refused| account_problem(&caller, refused))?;
    let fields = [(header::CONTENT_TYPE, "audio/ogg"), (header::CACHE_CONTROL, "no-store")];
    Ok((fields, found).into_response())
}

/// Takes a WAV or Ogg Opus file of at most half a minute in its place, brought to the loudness of the others.
#[utoipa::path(put, path = "/sites/{site}/prompts/{language}/{prompt}",
    params(("site" = String, Path, format = Uuid), ("language" = String, Path), ("prompt" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = PromptView), Problem))]
async fn hand_in(
    State(app): State<App>,
    caller: Caller,
    path: Named,
    body: Stream,
) -> Result<Json<PromptView>, Problem> {
    let by = caller.logged_in(&app).await?;
    let (site, language, prompt) = named(&caller, &path)?;
    // Before anything is read.
    let may = app.conference.site(&by, site, model::Permission::Write).await;
    may.map_err(|refused| account_problem(&caller, refused))?;
    let (mut file, mut pieces) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| caller.problem(Code::BadMessage))?;
        if file.len() + piece.len() > UPLOAD_BYTES_MAX {
            return Err(caller.problem(Code::TooLarge));
        }
        file.extend_from_slice(&piece);
    }
    let set = app.conference.set_prompt(&by, site, language, prompt, file).await;
    let info = set.map_err(|refused| match refused {
        PromptRefused::Account(refused) => account_problem(&caller, refused),
        PromptRefused::Upload(error) => upload_problem(&caller, &error),
    })?;
    Ok(Json(view(site, &info)))
}

fn upload_problem(caller: &Caller, error: &UploadError) -> Problem {
    if matches!(error, UploadError::Encode) {
        tracing::error!(%error, "a prompt can't be made");
        return caller.problem(Code::Failed);
    }
    let detail = match (caller.language, error) {
        (Language::English, error) => format!("it is {error}"),
        (Language::Chinese, UploadError::Kind | UploadError::Encode) => "既不是WAV文件，也不是Ogg Opus文件".to_owned(),
        (Language::Chinese, UploadError::TooLarge) => "文件过大".to_owned(),
        (Language::Chinese, UploadError::Wav(_)) => "WAV文件应为8至32位PCM或浮点格式".to_owned(),
        (Language::Chinese, UploadError::Opus(_)) => "Ogg Opus文件应为完整的单声道文件".to_owned(),
        (Language::Chinese, UploadError::Rate(rate)) => format!("采样率为{rate}赫兹，应为8000至96000赫兹"),
        (Language::Chinese, UploadError::Channels(channels)) => format!("有{channels}个声道，应为单声道或双声道"),
        (Language::Chinese, UploadError::Length(seconds)) => format!("时长为{seconds:.1}秒，应为0.2至30秒"),
        (Language::Chinese, UploadError::Silent) => "没有声音".to_owned(),
    };
    caller.problem(Code::BadPrompt).because(detail)
}

/// The product's is said again.
#[utoipa::path(delete, path = "/sites/{site}/prompts/{language}/{prompt}",
    params(("site" = String, Path, format = Uuid), ("language" = String, Path), ("prompt" = String, Path)),
    responses((status = 204), Problem))]
async fn put_back(State(app): State<App>, caller: Caller, path: Named) -> Result<StatusCode, Problem> {
    let by = caller.logged_in(&app).await?;
    let (site, language, prompt) = named(&caller, &path)?;
    let removed = app.conference.remove_prompt(&by, site, language, prompt).await;
    removed.map_err(|refused| account_problem(&caller, refused))?;
    Ok(StatusCode::NO_CONTENT)
}
