//! Who waits at the door: for the host (J3), or to be admitted (C17).

use super::*;
use crate::{WaitReason, WaitingPerson, Whisper};

/// Who may wait at once: more is no meeting's queue.
const WAITING_MAX: usize = 500;

/// The longest thing that is said to who waits, in characters.
const TEXT_MAX: usize = 300;

#[derive(Debug, Default)]
pub(super) struct Lobby {
    /// In order of coming: seats are numbered by their time.
    waiting: BTreeMap<ParticipantId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    join: Join,
    name: String,
    why: WaitReason,
}

impl Lobby {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn people(&self) -> Vec<WaitingPerson> {
        let person = |(id, waiting): (&ParticipantId, &Waiting)| WaitingPerson {
            id: *id,
            name: waiting.name.clone(),
            via: waiting.join.via.kind(),
        };
        self.waiting.iter().map(person).collect()
    }

    pub(super) fn holds(&self, id: ParticipantId) -> bool {
        self.waiting.contains_key(&id)
    }

    pub(super) fn turn_all_away(&mut self, refusal: Refusal) -> Vec<Effect> {
        std::mem::take(&mut self.waiting).into_keys().map(|id| Effect::TurnAway(id, refusal)).collect()
    }
}

impl Meeting {
    /// What whoever comes now has to wait for.
    pub(super) fn must_wait(&self) -> Option<WaitReason> {
        if !self.started && !self.rules.options.join_before_host {
            Some(WaitReason::Host)
        } else if self.view.waiting_room {
            Some(WaitReason::Admission)
        } else {
            None
        }
    }

    pub(super) fn wait(&mut self, join: Join, name: String, why: WaitReason) -> Outcome {
        if self.lobby.waiting.len() >= WAITING_MAX {
            return Err(Refusal::Full);
        }
        let id = join.participant;
        self.lobby.waiting.insert(id, Waiting { join, name, why });
        let mut effects = vec![Effect::Waits(id, why)];
        effects.extend(self.tell_waiting());
        Ok(effects)
    }

    pub(super) fn gave_up(&mut self, id: ParticipantId) -> Vec<Effect> {
        if self.lobby.waiting.remove(&id).is_some() { self.tell_waiting() } else { Vec::new() }
    }

    /// The meeting begins, and its recording where that was booked: who waited for that comes in, or goes on waiting to be admitted.
    pub(super) fn host_is_here(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.rules.options.recording {
            effects.extend(self.record(true, Effect::StartRecording));
        }
        effects.extend(self.look_at_the_door());
        if self.view.waiting_room {
            effects.extend(self.tell_waiting());
        }
        effects
    }

    /// Where nobody has to wait any more, those who do come in, in order. Who finds no seat waits until there is one, or until a
    /// host has made room: none of them waits for the host to come.
    pub(super) fn look_at_the_door(&mut self) -> Vec<Effect> {
        let must_wait = self.must_wait();
        let is_open = must_wait.is_none() && !self.view.locked;
        let mut effects = if is_open { self.admit_all() } else { Vec::new() };
        let why = must_wait.unwrap_or(WaitReason::Admission);
        for (id, waiting) in &mut self.lobby.waiting {
            if std::mem::replace(&mut waiting.why, why) != why {
                effects.push(Effect::Waits(*id, why));
            }
        }
        effects
    }

    pub(super) fn admit(&mut self, id: ParticipantId) -> Outcome {
        if !self.lobby.holds(id) {
            return Err(Refusal::NoSuchParticipant);
        }
        if self.seats.len() >= self.view.capacity {
            return Err(Refusal::Full);
        }
        let mut effects = self.let_in(id);
        effects.extend(self.tell_waiting());
        Ok(effects)
    }

    pub(super) fn admit_all(&mut self) -> Vec<Effect> {
        let room = self.view.capacity.saturating_sub(self.seats.len());
        let first: Vec<_> = self.lobby.waiting.keys().take(room).copied().collect();
        let mut effects: Vec<_> = first.into_iter().flat_map(|id| self.let_in(id)).collect();
        if !effects.is_empty() {
            effects.extend(self.tell_waiting());
        }
        effects
    }

    pub(super) fn deny(&mut self, id: ParticipantId) -> Outcome {
        self.lobby.waiting.remove(&id).ok_or(Refusal::NoSuchParticipant)?;
        let mut effects = vec![Effect::TurnAway(id, Refusal::Denied)];
        effects.extend(self.tell_waiting());
        Ok(effects)
    }

    /// C17: by browsers it is read; callers have their music.
    pub(super) fn tell_who_waits(&self, text: &str) -> Outcome {
        let text = chat::check_text(text, TEXT_MAX)?;
        Ok(self.lobby.waiting.keys().map(|id| Effect::TellAtDoor(*id, text.clone())).collect())
    }

    fn let_in(&mut self, id: ParticipantId) -> Vec<Effect> {
        match self.lobby.waiting.remove(&id) {
            Some(Waiting { join, name, .. }) => self.sit_down(join, name, false),
            None => Vec::new(),
        }
    }

    fn tell_waiting(&self) -> Vec<Effect> {
        let people = self.lobby.people();
        let hosts = self.seats.values().filter(|seat| seat.person.role.manages());
        let tell = |seat: &Seat| Effect::Whisper(seat.person.id, Whisper::Waiting { people: people.clone() });
        hosts.map(tell).collect()
    }

    /// To somebody who has just become a host.
    pub(super) fn whisper_waiting(&self, to: ParticipantId) -> Option<Effect> {
        let people = self.lobby.people();
        (!people.is_empty()).then_some(Effect::Whisper(to, Whisper::Waiting { people }))
    }
}
