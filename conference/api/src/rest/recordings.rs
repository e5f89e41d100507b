//! What was recorded: for who owns the meeting, and where the livestream was.

use conference::percent_encoded;
use streaming::{Film, Recording};
use tower_http::services::ServeFile;

use super::*;
use crate::stored;

const MP4: &str = "video/mp4";
const OGG: &str = "audio/ogg";
const VTT: &str = "text/vtt; charset=utf-8";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(remove))
        .routes(routes!(file))
        .routes(routes!(captions))
        .routes(routes!(track))
}

/// A meeting's film.
#[derive(Serialize, ToSchema)]
struct RecordingView {
    #[schema(format = Uuid)]
    id: String,
    #[schema(value_type = String, format = Uuid)]
    meeting: MeetingId,
    title: String,
    #[schema(value_type = String, format = DateTime)]
    start: jiff::Timestamp,
    /// `recording`, or `ready` to be fetched.
    state: &'static str,
    seconds: f64,
    bytes: u64,
    file: String,
    /// What was said, as WebVTT, where it was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    captions: Option<String>,
    /// Each voice by itself, where the server keeps them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tracks: Vec<RecordedTrackView>,
    /// Where its audience can see it: with the signature, where access is by link.
    #[serde(skip_serializing_if = "Option::is_none")]
    watch: Option<String>,
}

/// One voice of a recording: Opus in Ogg, as long as the film, silent where it was silent.
#[derive(Serialize, ToSchema)]
struct RecordedTrackView {
    /// Whose it is, as all saw it.
    name: String,
    bytes: u64,
    file: String,
}

impl RecordingView {
    async fn new(app: &App, caller: &Caller, recording: Recording) -> Result<Self, Problem> {
        let watch = match recording.broadcast {
            Some(id) => Some(watch::handed_out(app, caller, id, recording.meeting).await?),
            None => None,
        };
        let track = |(index, track): (usize, &streaming::RecordedTrack)| RecordedTrackView {
            name: track.name.clone(),
            bytes: track.bytes,
            file: format!("/api/v1/recordings/{}/tracks/{}", recording.id, index + 1),
        };
        Ok(Self {
            tracks: recording.tracks.iter().enumerate().map(track).collect(),
            id: recording.id.to_string(),
            meeting: recording.meeting,
            title: recording.title,
            start: time(recording.started_ms),
            state: if recording.ready { "ready" } else { "recording" },
            seconds: recording.seconds,
            bytes: recording.bytes,
            file: format!("/api/v1/recordings/{}/file", recording.id),
            captions: (recording.captions_bytes > 0).then(|| format!("/api/v1/recordings/{}/captions", recording.id)),
            watch,
        })
    }
}

/// Recordings of one's own meetings, newest first.
#[utoipa::path(get, path = "/recordings", responses((status = 200, body = Items<RecordingView>), Problem))]
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Items<RecordingView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let mut items = Vec::new();
    for recording in app.recordings.of(account.id) {
        items.push(RecordingView::new(&app, &caller, recording).await?);
    }
    Ok(Json(Items::all(items)))
}

/// Removes a recording for good; `still_recording` while it goes on.
#[utoipa::path(delete, path = "/recordings/{id}", params(("id" = String, Path, format = Uuid)),
    responses((status = 204), Problem))]
async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let (_, recording) = own(&app, &caller, &id).await?;
    if !app.recordings.remove(&recording) {
        return Err(caller.problem(Code::StillRecording));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The film itself, with ranges; not found while it is being recorded.
#[utoipa::path(get, path = "/recordings/{id}/file", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "video/mp4"), (status = 206), (status = 304), (status = 416), Problem))]
async fn file(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let of = own(&app, &caller, &id).await?;
    let film = app.recordings.film(&of.1);
    attached(&app, &caller, &of, film, (MP4, "", "mp4"), request).await
}

/// What was said in it, as WebVTT.
#[utoipa::path(get, path = "/recordings/{id}/captions", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, content_type = "text/vtt"), (status = 206), (status = 304), (status = 416), Problem))]
async fn captions(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let of = own(&app, &caller, &id).await?;
    let captions = app.recordings.captions(&of.1);
    attached(&app, &caller, &of, captions, (VTT, "", "vtt"), request).await
}

/// One voice of it by itself, by its number among its tracks.
#[utoipa::path(get, path = "/recordings/{id}/tracks/{number}",
    params(("id" = String, Path, format = Uuid), ("number" = usize, Path)),
    responses((status = 200, content_type = "audio/ogg"), (status = 206), (status = 304), (status = 416), Problem))]
async fn track(
    State(app): State<App>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let of = own(&app, &caller, &id).await?;
    let recording = &of.1;
    let number: usize = number.parse().map_err(|_| caller.problem(Code::NotFound))?;
    let index = number.checked_sub(1).ok_or_else(|| caller.problem(Code::NotFound))?;
    let whose = recording.tracks.get(index).map_or("", |track| track.name.as_str());
    let track = app.recordings.track(recording, index);
    attached(&app, &caller, &of, track, (OGG, whose, "ogg"), request).await
}

/// As a file of its own, called by what it is of: media type, whose voice it is if it is one's, and the name's ending.
async fn attached(
    app: &App,
    caller: &Caller,
    (account, recording): &(Account, Recording),
    film: Option<Film>,
    (kind, whose, ending): (&str, &str, &str),
    request: Request,
) -> Result<Response, Problem> {
    let zone = app.conference.zone_of(account).await.map_err(|error| caller.failed(&error))?;
    let served = serve(film, recording, kind, "private, max-age=3600", request).await;
    let mut response = served.ok_or_else(|| caller.problem(Code::NotFound))?;
    let zone = zone.and_then(|zone| jiff::tz::TimeZone::get(&zone).ok()).unwrap_or(jiff::tz::TimeZone::UTC);
    let day = time(recording.started_ms).to_zoned(zone).date().to_string();
    let words = [recording.title.as_str(), &day, whose].into_iter().filter(|word| !word.is_empty());
    let name = format!("{}.{ending}", words.collect::<Vec<_>>().join(" "));
    let plain = format!("{}.{ending}", recording.id);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition(&plain, &name));
    Ok(response)
}

/// To be kept under this name, or a plain one by who doesn't read it (RFC 6266 §4.1, appendix D).
fn disposition(plain: &str, name: &str) -> HeaderValue {
    // Systems that keep files take no slash in a name, and some none of the others.
    let kept = name.replace(|c| matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\0'..' '), "_");
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", percent_encoded(&kept));
    HeaderValue::from_str(&text).expect("it is ASCII")
}

/// What the livestream's viewers see when it is over.
pub(crate) async fn replay(State(app): State<App>, Path(broadcast): Path<String>, request: Request) -> Response {
    replayed(&app, &broadcast, request, |recording| app.recordings.film(recording), MP4).await
}

/// And what was said in it.
pub(crate) async fn replay_captions(
    State(app): State<App>,
    Path(broadcast): Path<String>,
    request: Request,
) -> Response {
    replayed(&app, &broadcast, request, |recording| app.recordings.captions(recording), VTT).await
}

async fn replayed(
    app: &App,
    broadcast: &str,
    request: Request,
    of: impl FnOnce(&Recording) -> Option<Film>,
    kind: &str,
) -> Response {
    let language = Language::of(request.headers());
    let recording = broadcast.parse::<BroadcastId>().ok().and_then(|id| app.recordings.replay(id));
    let response = match recording {
        // Another recording of the same livestream may take its place, and who may watch may change.
        Some(recording) => serve(of(&recording), &recording, kind, "private, no-cache", request).await,
        None => None,
    };
    response.unwrap_or_else(|| Problem::new(Code::NotFound, language).into_response())
}

async fn own(app: &App, caller: &Caller, id: &str) -> Result<(Account, Recording), Problem> {
    let account = caller.logged_in(app).await?;
    let found = app.recordings.find(account.id, caller.id(id)?);
    let recording = found.ok_or_else(|| caller.problem(Code::NotFound))?;
    Ok((account, recording))
}

/// With ranges and conditions (RFC 9110 §13, §14), as players and downloads that go on need them.
async fn serve(
    film: Option<Film>,
    recording: &Recording,
    kind: &str,
    cache: &'static str,
    request: Request,
) -> Option<Response> {
    let mut response = match film? {
        Film::File(file) => {
            let served = ServeFile::new_with_mime(file, &kind.parse().ok()?).try_call(request).await;
            served.inspect_err(|error| tracing::warn!(%error, "recording can't be read")).ok()?.into_response()
        }
        Film::Stored(film) => stored::serve(film, kind, &recording.id.to_string(), request.headers()).await?,
    };
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8187 §3.2
    #[test]
    fn a_files_name_is_written_in_letters_that_fields_take() {
        let check = |name: &str, expected: &str| {
            let field = disposition("7.mp4", name);
            let (plain, encoded) = field.to_str().unwrap().split_once("; filename*=UTF-8''").unwrap();
            assert_eq!((plain, encoded), ("attachment; filename=\"7.mp4\"", expected), "{name}");
        };
        check("plan-1_b.mp4", "plan-1_b.mp4");
        check("例会 2026-11-29.mp4", "%E4%BE%8B%E4%BC%9A%202026-11-29.mp4");
        check("../a\\b\"; c\r\n%.mp4", ".._a_b_%3B%20c__%25.mp4");
    }
}
