//! How the networks of those in a live meeting do.

use conference::{Quality, TrackQuality, WayQuality};
use model::{Participant, ParticipantId};

use super::*;
use crate::rest::meetings::book_problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(networks))
}

/// One participant's network, measured over the latest two seconds.
#[derive(Serialize, ToSchema)]
struct NetworkView {
    #[schema(value_type = String, format = Uuid)]
    participant: ParticipantId,
    name: String,
    /// `web`, `phone` or `encoder`.
    via: &'static str,
    /// He will have noticed: what others are told as `network_poor`.
    poor: bool,
    /// To him and back, in milliseconds.
    round_trip_ms: Option<f64>,
    up: WayView,
    down: WayView,
    /// What his line is taken to carry, in bits per second.
    estimate: Option<u64>,
    /// What he sends.
    tracks: Vec<TrackView>,
    /// The pictures on his page.
    pictures: Vec<PictureView>,
    /// How often pictures stood still at his, as his browser says, and for how long in all, in milliseconds.
    freezes: u32,
    frozen_ms: u64,
    /// How often a picture was left out for which his line had no room, and for how long in all, in milliseconds; two at once count twice.
    pauses: u32,
    paused_ms: u64,
}

/// One way between a participant and the server.
#[derive(Serialize, ToSchema)]
struct WayView {
    /// Packets that did not come at first, of all, 0 to 1; what was missing may have been sent again. Null where too few were
    /// sent to say.
    loss: Option<f64>,
    /// Of voices (RFC 3550 §6.4.1), in milliseconds.
    jitter_ms: f64,
    /// In bits per second; null of telephones.
    bitrate: Option<u64>,
}

/// One layer of what is sent.
#[derive(Serialize, ToSchema)]
struct TrackView {
    /// `audio`, `camera` or `screen`.
    kind: &'static str,
    /// From 0, the smallest.
    layer: usize,
    /// Of the picture, in pixels.
    height: Option<u32>,
    /// In bits per second.
    bitrate: u64,
}

/// One picture on a page.
#[derive(Serialize, ToSchema)]
struct PictureView {
    #[schema(value_type = String, format = Uuid)]
    participant: ParticipantId,
    /// `camera` or `screen`.
    kind: &'static str,
    /// Which layer is sent, from 0, the smallest; null while the line carries none.
    layer: Option<usize>,
}

impl From<WayQuality> for WayView {
    fn from(WayQuality { loss, jitter_ms, bitrate }: WayQuality) -> Self {
        Self { loss, jitter_ms, bitrate }
    }
}

fn view((participant, quality): (Participant, Quality)) -> NetworkView {
    let track = |track: &TrackQuality| {
        let TrackQuality { kind, layer, height, bitrate } = *track;
        TrackView { kind: kind.name(), layer, height, bitrate }
    };
    let pictures = quality.pictures.iter();
    NetworkView {
        participant: participant.id,
        name: participant.name,
        via: participant.via.name(),
        poor: quality.is_poor,
        round_trip_ms: quality.round_trip_ms,
        up: quality.up.into(),
        down: quality.down.into(),
        estimate: quality.estimate,
        tracks: quality.tracks.iter().map(track).collect(),
        pictures: pictures
            .map(|shown| PictureView { participant: shown.participant, kind: shown.kind.name(), layer: shown.layer })
            .collect(),
        freezes: quality.freezes.count,
        frozen_ms: quality.freezes.ms,
        pauses: quality.pauses.count,
        paused_ms: quality.pauses.ms,
    }
}

/// The networks of all who are in it now.
#[utoipa::path(get, path = "/meetings/{id}/networks", params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = Items<NetworkView>), Problem))]
async fn networks(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Items<NetworkView>>, Problem> {
    let account = caller.logged_in(&app).await?;
    let found = app.conference.networks(&account, caller.id(&id)?).await;
    let found = found.map_err(|refused| book_problem(&caller, refused))?;
    let measured = found.into_iter().filter_map(|(participant, quality)| Some((participant, quality?)));
    Ok(Json(Items::all(measured.map(view).collect())))
}
