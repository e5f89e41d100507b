//! A meeting's livestream and recording: when their studio runs, and what becomes of it.

use model::{BroadcastId, Command, Notice, Snapshot};
use plane::Audience;
use streaming::{BroadcastFact, NewRecording, RecordingFailed, StreamingError};
use tracing::Instrument;

use super::Live;
use crate::{
    broadcast::{Livestream, state_of},
    handle::Request,
};

impl Live {
    /// Livestream and recording share one studio, which runs as long as one of them is wanted.
    pub(super) fn want(&mut self, broadcast: Option<BroadcastId>, recording: bool) {
        self.recording = recording;
        self.set_broadcast(broadcast);
        if broadcast.is_none() && !recording {
            return self.end_livestream();
        }
        match &self.livestream {
            Some(_) => self.apply_wishes(),
            None if !self.is_starting => self.start_studio(),
            None => {}
        }
    }

    pub(super) fn set_broadcast(&mut self, wanted: Option<BroadcastId>) {
        let before = std::mem::replace(&mut self.broadcast, wanted);
        if let Some(over) = before.filter(|before| wanted != Some(*before)) {
            self.viewer_chats.forget(over);
            self.viewers.end_all();
        }
        if let Some(begun) = wanted.filter(|wanted| before != Some(*wanted)) {
            let Snapshot { meeting, polls, .. } = self.meeting.snapshot();
            self.viewer_chats.begin(begun, meeting.viewers_may, polls);
        }
    }

    fn start_studio(&mut self) {
        self.is_starting = true;
        let title = self.meeting.snapshot().meeting.title;
        let (streaming, own) = (self.streaming.clone(), self.way.requests.clone());
        // A program starts: the meeting doesn't wait for it.
        let start = async move {
            let started = Livestream::start(&streaming, title).await;
            if let Err(error) = &started {
                tracing::error!(%error, "studio can't start");
            }
            // A meeting that has ended needs none; dropped, it ends too.
            let _ = own.send(Request::Livestream(started)).await;
        };
        self.registry.tasks.spawn(start.in_current_span());
    }

    pub(super) fn livestream_is_there(&mut self, livestream: Result<Livestream, StreamingError>) {
        self.is_starting = false;
        match livestream {
            Ok(livestream) if self.broadcast.is_some() || self.recording => {
                self.media.start_feed(Audience::Viewers, livestream.feed());
                self.livestream = Some(livestream);
                self.apply_wishes();
            }
            // Stopped while it was being started.
            Ok(livestream) => self.end_in_peace(livestream),
            Err(StreamingError::Busy(_)) => self.studio_is_lost(Notice::NoRoomOnAir),
            Err(_) => self.studio_is_lost(Notice::StudioFailed),
        }
    }

    pub(super) fn apply_wishes(&mut self) {
        let title = self.meeting.snapshot().meeting.title;
        let new =
            NewRecording { meeting: self.id, broadcast: None, owner: self.owner, site: Some(self.row.site), title };
        let Some(livestream) = &mut self.livestream else { return };
        if let Err(error) = livestream.publish(self.broadcast) {
            tracing::error!(%error, "livestream can't be published");
        }
        livestream.push(&self.pushes);
        if let Err(error) = livestream.record(self.recording.then_some(new)) {
            tracing::error!(%error, "meeting can't be recorded");
            let of_disk = if let StreamingError::Recording(error) = &error { Some(error) } else { None };
            self.recording_failed(of_disk.map_or(RecordingFailed::Disk, RecordingFailed::of));
        }
    }

    /// What is seen of the meeting is brought up to date.
    pub(super) fn show(&mut self) {
        if self.livestream.is_none() && !self.rooms.is_shown() {
            return;
        }
        let snapshot = self.meeting.snapshot();
        // Who the host put in the spotlight is large for the audience too.
        let active = snapshot.meeting.spotlight.or(self.active);
        if let Some(livestream) = &mut self.livestream {
            livestream.show(&snapshot, self.meeting.layout(), &self.speaking, active);
        }
        self.rooms.show(&snapshot, self.meeting.room_layout(), &self.speaking, active);
    }

    fn studio_is_lost(&mut self, why: Notice) {
        if self.broadcast.is_some() || self.recording {
            self.try_decide(Command::TellManagers(why));
        }
        if let Some(id) = self.broadcast {
            self.try_decide(Command::Broadcast(id, None));
        }
        if self.recording {
            self.try_decide(Command::RecordingFailed);
        }
        self.end_livestream();
    }

    fn recording_failed(&mut self, why: RecordingFailed) {
        self.try_decide(Command::TellManagers(match why {
            RecordingFailed::Full => Notice::RecordingFull,
            RecordingFailed::Disk => Notice::RecordingFailed,
        }));
        self.try_decide(Command::RecordingFailed);
        self.want(self.broadcast, false);
    }

    pub(super) fn end_livestream(&mut self) {
        self.recording = false;
        self.set_broadcast(None);
        self.pushes.clear();
        if let Some(livestream) = self.livestream.take() {
            self.media.stop_feed(Audience::Viewers);
            self.end_in_peace(livestream);
        }
    }

    /// Its last segments are written while the meeting goes on.
    fn end_in_peace(&self, livestream: Livestream) {
        self.registry.tasks.spawn(livestream.stop().in_current_span());
    }

    pub(super) fn take_broadcast_fact(&mut self, fact: Option<BroadcastFact>) {
        match fact.unwrap_or(BroadcastFact::Ended) {
            BroadcastFact::KeyframeWanted(participant, kind) => self.media.request_keyframe(participant, kind),
            BroadcastFact::Undecodable(participant, kind) => {
                if self.livestream.as_mut().is_some_and(|livestream| livestream.is_undecodable(participant, kind)) {
                    self.try_decide(Command::NotOnAir(participant));
                }
            }
            BroadcastFact::RecordingFailed(why) => self.recording_failed(why),
            BroadcastFact::Pushed(id, state) => self.try_decide(Command::Pushed(id, state)),
            fact @ (BroadcastFact::Ended | BroadcastFact::Failed(_)) => {
                tracing::error!(?fact, "studio is lost");
                self.studio_is_lost(Notice::StudioFailed);
            }
            fact @ (BroadcastFact::Live | BroadcastFact::Restarting) => {
                if let Some(id) = self.broadcast {
                    self.try_decide(Command::Broadcast(id, Some(state_of(&fact))));
                }
            }
        }
    }
}

pub(super) async fn broadcast_fact(livestream: &mut Option<Livestream>) -> Option<BroadcastFact> {
    match livestream {
        Some(livestream) => livestream.facts.recv().await,
        None => std::future::pending().await,
    }
}
