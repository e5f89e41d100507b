//! The seats' other side: who is told what, by which secret a seat is had again, and who asks too often.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use model::{Bucket, EndReason, Event, Pace, ParticipantId, ViaKind};
use tokio::sync::mpsc;

use crate::{SeatEvent, login::sha256};

/// Events that may wait for one participant. Who falls further behind is ended with `too_slow`; the others notice
/// nothing. 256 are some seconds of the liveliest meeting.
const EVENTS_MAX: usize = 256;

/// Actions one participant may ask for: at once as a host who mutes a room one by one, and from then on. A person's fingers are
/// slower; a program that is not would fill everybody's queue with what it does.
const ACTIONS: Pace = Pace { at_once: 100.0, per_second: 20.0 };

/// Secrets of removed participants that are remembered, so that they can't be used again. Whose secret is forgotten is
/// still kept out by his number, account, or name.
const REMOVED_MAX: usize = 1_000;

/// All seats of one meeting.
#[derive(Default)]
pub(crate) struct Chairs {
    chairs: HashMap<ParticipantId, Chair>,
    /// Listeners there were.
    placed: u64,
    /// Hashed secret of each removed participant.
    removed: HashMap<String, ParticipantId>,
    /// Who was dismissed last: the news of it comes next.
    left: Option<(ParticipantId, ViaKind)>,
    /// Who no longer listens, until the meeting was told.
    gone: Vec<ParticipantId>,
}

/// Which telephones something concerns; browsers show all.
#[derive(Clone, Copy)]
enum Telephones {
    All,
    One(ParticipantId),
}

struct Chair {
    via: ViaKind,
    /// Which of all listeners he is.
    number: u64,
    /// None while he is lost.
    events: Option<mpsc::Sender<SeatEvent>>,
    secret_sha256: String,
    /// See [`ACTIONS`].
    actions: Bucket,
    _counted: Counted,
}

impl Chairs {
    /// Whose seat the secret gives, or gave until he was removed.
    pub(crate) fn owner_of(&self, secret: &str) -> Option<ParticipantId> {
        let secret = sha256(secret);
        let owner = self.chairs.iter().find(|(_, chair)| chair.secret_sha256 == secret);
        owner.map(|(participant, _)| *participant).or_else(|| self.removed.get(&secret).copied())
    }

    /// He listens from now on. Returns the new secret of his seat; an earlier listener is told that he is replaced.
    pub(crate) fn place(&mut self, participant: ParticipantId, via: ViaKind) -> (String, mpsc::Receiver<SeatEvent>) {
        let secret = hex::encode(rand::random::<[u8; 16]>());
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        self.placed += 1;
        let chair = Chair {
            via,
            number: self.placed,
            events: Some(events),
            secret_sha256: sha256(&secret),
            actions: self.chairs.get(&participant).map(|chair| chair.actions).unwrap_or_default(),
            _counted: Counted::new(via),
        };
        if let Some(earlier) = self.chairs.insert(participant, chair).and_then(|chair| chair.events) {
            end(&earlier, EndReason::Replaced);
        }
        (secret, receiver)
    }

    /// Which of all listeners has this seat.
    pub(crate) fn number_of(&self, participant: ParticipantId) -> Option<u64> {
        self.chairs.get(&participant).map(|chair| chair.number)
    }

    /// Nobody listens yet: who comes with the secret does ([`Self::place`]).
    pub(crate) fn reserve(&mut self, participant: ParticipantId, via: ViaKind) -> String {
        let (secret, _) = self.place(participant, via);
        if let Some(chair) = self.chairs.get_mut(&participant) {
            chair.events = None;
        }
        secret
    }

    /// Whether he is shown who speaks: telling five hundred telephones that would keep them busy for nothing.
    pub(crate) fn sees(&self, participant: ParticipantId) -> bool {
        self.chairs.get(&participant).is_some_and(|chair| chair.via == ViaKind::Web)
    }

    /// Whose connection is all there is of him.
    pub(crate) fn is_encoder(&self, participant: ParticipantId) -> bool {
        self.chairs.get(&participant).is_some_and(|chair| chair.via == ViaKind::Encoder)
    }

    /// Tells one.
    pub(crate) fn tell(&mut self, participant: ParticipantId, event: SeatEvent) {
        let Some(chair) = self.chairs.get_mut(&participant) else { return };
        let Some(events) = &chair.events else { return };
        // The last place is kept for the end.
        let is_full = events.capacity() <= 1;
        if is_full {
            tracing::warn!(%participant, "participant does not take his events");
            metrics::counter!("conference_too_slow").increment(1);
            end(events, EndReason::TooSlow);
        }
        if is_full || events.try_send(event).is_err() {
            chair.events = None;
            self.gone.push(participant);
        }
    }

    /// Tells all whom it concerns. Telephones are told of each other's coming and going by their own roll: of hundreds that hang up
    /// at once each would be told of each.
    pub(crate) fn tell_all(&mut self, event: &SeatEvent) {
        let by_telephone = self.concerned(event);
        let concerned = |(id, chair): (&ParticipantId, &Chair)| {
            let concerned = match by_telephone {
                Telephones::All => true,
                Telephones::One(one) => chair.via == ViaKind::Web || *id == one,
            };
            concerned.then_some(*id)
        };
        let all: Vec<ParticipantId> = self.chairs.iter().filter_map(concerned).collect();
        for participant in all {
            self.tell(participant, event.clone());
        }
    }

    fn concerned(&self, event: &SeatEvent) -> Telephones {
        let SeatEvent::Event { event, .. } = event else { return Telephones::All };
        match &**event {
            Event::ParticipantJoined { participant } if participant.via == ViaKind::Phone => {
                Telephones::One(participant.id)
            }
            Event::ParticipantChanged { participant } => Telephones::One(participant.id),
            Event::ParticipantLeft { id, .. } if self.left == Some((*id, ViaKind::Phone)) => Telephones::One(*id),
            _ => Telephones::All,
        }
    }

    /// Takes a seat away.
    pub(crate) fn dismiss(&mut self, participant: ParticipantId, reason: EndReason) {
        let Some(chair) = self.chairs.remove(&participant) else { return };
        self.left = Some((participant, chair.via));
        if let Some(events) = &chair.events {
            end(events, reason);
        }
        if reason == EndReason::Removed && self.removed.len() < REMOVED_MAX {
            self.removed.insert(chair.secret_sha256, participant);
        }
    }

    /// Finds those whose edge has let go of their events.
    pub(crate) fn look_for_gone(&mut self) {
        for (participant, chair) in &mut self.chairs {
            if chair.events.take_if(|events| events.is_closed()).is_some() {
                self.gone.push(*participant);
            }
        }
    }

    /// Who is gone and was not reported yet.
    pub(crate) fn next_gone(&mut self) -> Option<ParticipantId> {
        // Whoever has come back meanwhile is not gone.
        while let Some(participant) = self.gone.pop() {
            if self.chairs.get(&participant).is_some_and(|chair| chair.events.is_none()) {
                return Some(participant);
            }
        }
        None
    }

    /// How long the answer to an action of his is to be held back; nothing for a person.
    pub(crate) fn pace(&mut self, participant: ParticipantId, now: Instant) -> Duration {
        self.chairs.get_mut(&participant).map_or(Duration::ZERO, |chair| chair.actions.owe(ACTIONS, now))
    }

    pub(crate) fn len(&self) -> usize {
        self.chairs.len()
    }
}

fn end(events: &mpsc::Sender<SeatEvent>, reason: EndReason) {
    // There is a place unless nobody listens.
    let _ = events.try_send(SeatEvent::Ended(reason));
}

/// One seat in `conference_participants`, until it is dropped: by leaving, by the meeting's end, by its panic.
struct Counted(metrics::Gauge);

impl Counted {
    fn new(via: ViaKind) -> Self {
        let gauge = metrics::gauge!("conference_participants", "via" => via.name());
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{LeaveReason, Notice};

    use super::*;

    const ME: ParticipantId = ParticipantId::from_u128(1);
    const OTHER: ParticipantId = ParticipantId::from_u128(2);

    fn drain(events: &mut mpsc::Receiver<SeatEvent>) -> Vec<SeatEvent> {
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }

    #[test]
    fn who_does_not_listen_is_ended_and_the_others_notice_nothing() {
        let mut chairs = Chairs::default();
        let (_, mut slow) = chairs.place(ME, ViaKind::Web);
        let (_, mut other) = chairs.place(OTHER, ViaKind::Web);
        let mut heard = 0;
        for _ in 0..1_000 {
            chairs.tell_all(&SeatEvent::Notice(Notice::Muted));
            heard += drain(&mut other).len();
        }
        assert_eq!(heard, 1_000);
        assert_eq!((chairs.next_gone(), chairs.next_gone()), (Some(ME), None));
        let said = drain(&mut slow);
        assert_eq!(said.len(), EVENTS_MAX);
        assert!(matches!(said.last(), Some(SeatEvent::Ended(EndReason::TooSlow))));
        assert!(slow.try_recv().is_err() && slow.is_closed());
    }

    #[test]
    fn five_hundred_telephones_that_hang_up_at_once_keep_nobody_busy_but_browsers() {
        let mut chairs = Chairs::default();
        let id = |n: u128| ParticipantId::from_u128(10 + n);
        let (_, mut browser) = chairs.place(ME, ViaKind::Web);
        let mut telephones: Vec<_> = (0..500).map(|n| chairs.place(id(n), ViaKind::Phone).1).collect();
        let mut stays = chairs.place(OTHER, ViaKind::Phone).1;
        let left = |id| {
            let event = Arc::new(Event::ParticipantLeft { id, reason: LeaveReason::Left });
            SeatEvent::Event { seq: 1, event }
        };
        let mut seen = 0;
        for n in 0..500 {
            chairs.dismiss(id(n), EndReason::Left);
            chairs.tell_all(&left(id(n)));
            seen += drain(&mut browser).len();
        }
        assert_eq!(seen, 500);
        assert_eq!(chairs.next_gone(), None);
        assert!(telephones.iter_mut().all(|events| matches!(drain(events)[..], [SeatEvent::Ended(EndReason::Left)])));
        chairs.dismiss(ME, EndReason::Left);
        chairs.tell_all(&left(ME));
        assert_eq!(drain(&mut stays).len(), 1, "that a browser left is told");
    }

    // product: J6
    #[test]
    fn the_newest_listener_has_the_seat() {
        let mut chairs = Chairs::default();
        let (first, mut earlier) = chairs.place(ME, ViaKind::Web);
        let (second, newest) = chairs.place(ME, ViaKind::Web);
        assert!(matches!(drain(&mut earlier)[..], [SeatEvent::Ended(EndReason::Replaced)]));
        assert_eq!((chairs.owner_of(&first), chairs.owner_of(&second)), (None, Some(ME)));
        drop(newest);
        chairs.look_for_gone();
        let (_, _newest) = chairs.place(ME, ViaKind::Web);
        assert_eq!(chairs.next_gone(), None, "he is back");
    }

    // product: C6
    #[test]
    fn a_removed_ones_secret_is_known_as_his() {
        let mut chairs = Chairs::default();
        let (removed, _events) = chairs.place(ME, ViaKind::Web);
        let (left, _events) = chairs.place(OTHER, ViaKind::Phone);
        chairs.dismiss(ME, EndReason::Removed);
        chairs.dismiss(OTHER, EndReason::Left);
        assert_eq!((chairs.owner_of(&removed), chairs.owner_of(&left)), (Some(ME), None));
    }

    #[test]
    fn only_a_program_is_slowed_down() {
        let mut chairs = Chairs::default();
        let (_, _events) = chairs.place(ME, ViaKind::Web);
        let now = Instant::now();
        assert!((0..100).all(|_| chairs.pace(ME, now).is_zero()), "a host mutes a room one by one");
        assert_eq!(chairs.pace(ME, now), Duration::from_millis(50));
        assert!(chairs.pace(ME, now + Duration::from_secs(60)).is_zero());
    }
}
