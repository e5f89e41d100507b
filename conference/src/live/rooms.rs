//! What a meeting's room systems see of it: put together while one of them sees it, once for all.

use std::time::{Duration, Instant};

use model::{Layout, Participant, ParticipantId, Snapshot};
use plane::Audience;
use streaming::{BroadcastFact, RoomPicture, RoomRates, RoomView, Scene, StreamingError};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::Live;
use crate::{
    broadcast::{Gallery, scene},
    handle::Request,
};

/// After a machine without room for it, or studios that died one after the other, it is tried again: sooner would take what little time there
/// is from calls, later leaves rooms looking at nothing for longer.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A studio, what it tells, and what it makes.
pub(crate) type Started = (RoomView, mpsc::Receiver<BroadcastFact>, mpsc::Receiver<RoomPicture>);

#[derive(Default)]
pub(super) struct Rooms {
    /// What they can be sent; none sees anything where that is nothing.
    rates: RoomRates,
    /// The one that sees it, where there is one alone.
    alone: Option<ParticipantId>,
    view: Option<View>,
    is_starting: bool,
    /// When it could not be.
    failed: Option<Instant>,
}

struct View {
    view: RoomView,
    facts: mpsc::Receiver<BroadcastFact>,
    shown: Scene,
    gallery: Gallery,
}

impl Rooms {
    pub(super) fn is_shown(&self) -> bool {
        self.view.is_some()
    }

    fn is_wanted(&self) -> bool {
        self.rates != RoomRates::default()
    }

    /// Shows the meeting as it is now. A room that alone sees it sees the others; of several each is seen by the rest, and by itself.
    pub(super) fn show(
        &mut self,
        meeting: &Snapshot,
        layout: Layout,
        speaking: &[ParticipantId],
        active: Option<ParticipantId>,
    ) {
        let Some(View { view, shown, gallery, .. }) = &mut self.view else { return };
        let is_seen = |person: &&Participant| Some(person.id) != self.alone;
        let people: Vec<_> = meeting.participants.iter().filter(is_seen).cloned().collect();
        let scene = scene(layout, &people, speaking, active, gallery);
        if scene != *shown {
            shown.clone_from(&scene);
            view.show(scene);
        }
    }
}

impl Live {
    /// Other room systems see it, or at other rates.
    pub(super) fn rooms_see(&mut self, rates: RoomRates, alone: Option<ParticipantId>) {
        (self.rooms.rates, self.rooms.alone) = (rates, alone);
        self.look_after_rooms();
    }

    /// Begins what is wanted, and ends what isn't.
    pub(super) fn look_after_rooms(&mut self) {
        let rooms = &mut self.rooms;
        let may_start = || rooms.failed.is_none_or(|failed| failed.elapsed() >= TRY_AGAIN_AFTER);
        match &rooms.view {
            Some(_) if !rooms.is_wanted() => {
                rooms.view = None;
                self.media.stop_feed(Audience::Rooms);
            }
            Some(View { view, .. }) => view.set_rates(rooms.rates),
            None if rooms.is_wanted() && !rooms.is_starting && may_start() => self.start_room_view(),
            None => {}
        }
    }

    fn start_room_view(&mut self) {
        self.rooms.is_starting = true;
        let title = self.meeting.snapshot().meeting.title;
        let (streaming, own) = (self.streaming.clone(), self.way.requests.clone());
        // A program starts: the meeting doesn't wait for it.
        let start = async move {
            let started = streaming.show_rooms(title).await;
            // A meeting that has ended needs none; dropped, it ends too.
            let _ = own.send(Request::RoomView(started)).await;
        };
        self.registry.tasks.spawn(start.in_current_span());
    }

    pub(super) fn room_view_is_there(&mut self, started: Result<Started, StreamingError>) {
        self.rooms.is_starting = false;
        let (view, facts, mut pictures) = match started {
            Ok(started) => started,
            Err(error) => {
                if self.rooms.failed.replace(Instant::now()).is_none() {
                    tracing::warn!(%error, "room systems see nothing of the meeting; it is tried again");
                }
                return;
            }
        };
        self.media.start_feed(Audience::Rooms, view.feed());
        let media = self.media.clone();
        let send = async move {
            while let Some(picture) = pictures.recv().await {
                if media.send_composed(picture).await.is_err() {
                    break;
                }
            }
        };
        self.registry.tasks.spawn(send.in_current_span());
        self.rooms.view = Some(View { view, facts, shown: Scene::default(), gallery: Gallery::default() });
        self.rooms.failed = None;
        self.look_after_rooms();
    }

    pub(super) fn take_room_fact(&mut self, fact: Option<BroadcastFact>) {
        match fact.unwrap_or(BroadcastFact::Ended) {
            BroadcastFact::KeyframeWanted(participant, kind) => self.media.request_keyframe(participant, kind),
            fact @ (BroadcastFact::Ended | BroadcastFact::Failed(_)) => {
                tracing::error!(?fact, "what room systems see is lost");
                self.rooms.view = None;
                self.rooms.failed = Some(Instant::now());
                self.media.stop_feed(Audience::Rooms);
            }
            BroadcastFact::Restarting
            | BroadcastFact::Live
            | BroadcastFact::Undecodable(..)
            | BroadcastFact::RecordingFailed(_)
            | BroadcastFact::Pushed(..) => {}
        }
    }
}

pub(super) async fn room_fact(rooms: &mut Rooms) -> Option<BroadcastFact> {
    match &mut rooms.view {
        Some(view) => view.facts.recv().await,
        None => std::future::pending().await,
    }
}
