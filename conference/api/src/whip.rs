//! Encoders come into a meeting (B9, RFC 9725) and are participants like any other.

use axum::{
    Router,
    extract::{Path, Request, State},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, patch, post},
};
use conference::{Action, EncoderRefused, MeetingHandle, Seat, SeatEvent};
use model::{MeetingId, ParticipantId};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{
    App,
    problem::Code,
    rest::Anybody,
    wish::{self, LOOK, Listed, Whose},
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/whip/{meeting}", post(begin).options(wish::options))
        .route("/whip/{meeting}/{session}", of_session())
        .layer(middleware::from_fn(wish::share))
}

/// What is done with sessions of either kind.
pub(crate) fn of_session() -> MethodRouter<App> {
    patch(wish::patch).delete(wish::end).options(wish::options)
}

async fn begin(
    State(app): State<App>,
    caller: Anybody,
    Path(meeting): Path<String>,
    request: Request,
) -> Result<Response, Response> {
    let problem = |code| caller.0.problem(code).into_response();
    let Some(token) = wish::bearer(request.headers()).map(str::to_owned) else {
        return Err(wish::unauthorized(&caller));
    };
    let id: MeetingId = meeting.parse().map_err(|_| wish::unauthorized(&caller))?;
    // Before anything of it is read.
    let known = app.conference.is_encoder_token(id, &token).await;
    if known.map_err(|error| caller.0.failed(&error).into_response())?.is_none() {
        return Err(wish::unauthorized(&caller));
    }
    let offer = wish::offer(&caller, request).await.map_err(IntoResponse::into_response)?;
    let joined = app.conference.join_encoder(id, &token, caller.0.source).await;
    let seat = joined.map_err(|refused| match refused {
        EncoderRefused::Token => wish::unauthorized(&caller),
        EncoderRefused::Meeting(refusal) => problem(refusal.into()),
        EncoderRefused::Store(error) => caller.0.failed(&error).into_response(),
    })?;
    let answer = match seat.handle.ingest(seat.participant, offer.clone()).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "encoder's offer refused");
            leave(&seat.handle, seat.participant).await;
            return Err(problem(if error.is_of_codecs() { Code::NoCodec } else { Code::BadOffer }));
        }
    };
    if offer.lines().any(|line| line.starts_with("m=video")) {
        // Where the host wants no pictures, none are shown.
        let _ = seat.handle.command(seat.participant, Action::Camera { on: true }).await;
    }
    let whose = Whose::Encoder(seat.handle.clone(), seat.participant);
    let (listed, response) = wish::create(&app, &format!("/whip/{id}"), Some(&token), whose, (offer, answer));
    tokio::spawn(hold(app, listed, seat, id, token));
    Ok(response)
}

/// Until it goes, is sent away, or its token is taken back.
async fn hold(app: App, listed: Listed, mut seat: Seat, meeting: MeetingId, token: String) {
    tokio::select! {
        () = listed.ended.cancelled() => {}
        () = may_stay(&app, &mut seat.events, meeting, &token) => {}
    }
    leave(&seat.handle, seat.participant).await;
}

/// Until it is sent away, its connection is lost, or its token is taken back.
pub(crate) async fn may_stay(app: &App, events: &mut mpsc::Receiver<SeatEvent>, meeting: MeetingId, token: &str) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(SeatEvent::Ended(_) | SeatEvent::MediaLost) | None => return,
                // It has no ears.
                Some(_) => {}
            },
            _ = looks.tick() => {
                // A database that is away takes no token back.
                if matches!(app.conference.is_encoder_token(meeting, token).await, Ok(None)) {
                    return;
                }
            }
        }
    }
}

pub(crate) async fn leave(meeting: &MeetingHandle, participant: ParticipantId) {
    // A meeting that has ended is left already.
    let _ = meeting.command(participant, Action::Leave).await;
}
