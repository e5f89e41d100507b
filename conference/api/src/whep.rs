//! A livestream is watched by WebRTC (B9, draft-ietf-wish-whep): at once, by who may watch it on the page.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    middleware,
    response::{IntoResponse, Response},
    routing::post,
};
use conference::{Credentials, StageSeat};
use model::BroadcastId;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    App,
    problem::Code,
    rest::{Anybody, watch_problem},
    whip::of_session,
    wish::{self, LOOK, Listed, Whose},
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/whep/{broadcast}", post(begin).options(wish::options))
        .route("/whep/{broadcast}/{session}", of_session())
        .layer(middleware::from_fn(wish::share))
}

async fn begin(
    State(app): State<App>,
    caller: Anybody,
    Path(broadcast): Path<String>,
    request: Request,
) -> Result<Response, Response> {
    let problem = |code| caller.0.problem(code).into_response();
    let address: BroadcastId = broadcast.parse().map_err(|_| problem(Code::NotFound))?;
    let id = app.conference.livestream_at(address);
    let wait = app.watching.allow(caller.0.source);
    wait.map_err(|wait| caller.0.problem(Code::TooOften).retry_after(wait).into_response())?;
    let bearer = wish::bearer(request.headers()).map(str::to_owned);
    let account = caller.0.account(&app).await.map_err(IntoResponse::into_response)?;
    // Whatever it is that lets somebody in here, the token is that.
    let shown = Credentials {
        password: bearer.as_deref(),
        signature: bearer.as_deref(),
        account: account.as_ref(),
        pass: None,
    };
    let epoch = app.conference.watch_epoch(id).await;
    let epoch = epoch.map_err(|error| caller.0.failed(&error).into_response())?;
    let admitted = app.conference.admit_viewer(id, 0, shown, caller.0.source).await;
    admitted.map_err(|refused| watch_problem(&caller.0, refused).into_response())?;
    let offer = wish::offer(&caller, request).await.map_err(IntoResponse::into_response)?;
    let seat = app.conference.watch_stage(id).await.map_err(|refusal| problem(refusal.into()))?;
    let answer = seat.watch(offer.clone()).await.map_err(|error| {
        tracing::debug!(%error, "viewer's offer refused");
        problem(Code::BadOffer)
    })?;
    let seat = Arc::new(seat);
    let whose = Whose::Viewer(Arc::clone(&seat));
    let (listed, response) = wish::create(&app, &format!("/whep/{id}"), bearer.as_deref(), whose, (offer, answer));
    tokio::spawn(hold(app, listed, seat, id, epoch));
    Ok(response)
}

/// Until he goes, the livestream ends, or others may watch than could before.
async fn hold(app: App, listed: Listed, seat: Arc<StageSeat>, livestream: BroadcastId, epoch: Option<String>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = seat.ended() => return,
            () = listed.ended.cancelled() => return,
            _ = looks.tick() => {
                if app.conference.watch_epoch(livestream).await.is_ok_and(|now| now != epoch) {
                    return;
                }
                app.conference.note_viewer(livestream, seat.viewer.uuid().as_u128(), None);
            }
        }
    }
}
