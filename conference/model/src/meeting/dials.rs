//! Telephones the hosts have called (C22, P8).

use super::*;
use crate::{DialState, DialView};

/// Telephones that ring at once: nobody follows more, and each costs money.
const RINGING_MAX: usize = 10;

/// Calls of one meeting: what a host who can't stop may cost.
const DIALS_MAX: u32 = 500;

/// Those that are shown, the newest of them.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Dials {
    ever: u32,
    dials: Vec<DialView>,
    /// The whole numbers of those, which nobody is told.
    numbers: BTreeMap<u32, PhoneNumber>,
}

impl Dials {
    pub(super) fn all(&self) -> Vec<DialView> {
        self.dials.clone()
    }

    pub(super) fn under_way(&self) -> usize {
        self.dials.iter().filter(|dial| !dial.state.is_final()).count()
    }

    /// The name of somebody who was called and answers.
    pub(super) fn answering(&self, id: u32) -> Option<String> {
        self.dials.iter().find(|dial| dial.id == id && !dial.state.is_final()).map(|dial| dial.name.clone())
    }

    fn set(&mut self, id: u32, state: DialState) -> Option<DialView> {
        let dial = self.dials.iter_mut().find(|dial| dial.id == id && !dial.state.is_final())?;
        let changed = std::mem::replace(&mut dial.state, state) != state;
        changed.then(|| dial.clone())
    }
}

impl Meeting {
    /// `number` is one that may be dialled.
    pub(super) fn dial(&mut self, number: PhoneNumber, name: Option<&str>) -> Outcome {
        if !self.view.dial_out {
            return Err(Refusal::NoDialOut);
        }
        let masked = number.masked();
        let name = match name {
            Some(name) => check_name(name).map_err(|_| Refusal::BadName)?,
            None => masked.clone(),
        };
        let ringing = self.dials.under_way();
        if ringing >= RINGING_MAX || self.dials.ever >= DIALS_MAX {
            return Err(Refusal::TooManyDials);
        }
        // For everyone who is called there is to be a seat.
        if self.seats.len() + ringing >= self.view.capacity {
            return Err(Refusal::Full);
        }
        self.dials.ever += 1;
        let dial = DialView { id: self.dials.ever, name, number: masked, state: DialState::Calling };
        if self.dials.dials.len() >= SHOWN_MAX
            && let Some(oldest) = self.dials.dials.iter().position(|dial| dial.state.is_final())
        {
            let forgotten = self.dials.dials.remove(oldest);
            self.dials.numbers.remove(&forgotten.id);
        }
        self.dials.dials.push(dial.clone());
        self.dials.numbers.insert(dial.id, number.clone());
        Ok(vec![Effect::Dial(dial.id, number), self.tell(Event::DialChanged { dial })])
    }

    /// What calls somebody again who was called and didn't come; none for who is being called, or no longer shown.
    #[must_use]
    pub fn again(&self, id: u32) -> Option<Action> {
        let DialView { name, number: masked, .. } = self
            .dials
            .dials
            .iter()
            .find(|dial| dial.id == id && dial.state.is_final() && dial.state != DialState::Joined)?;
        let number = self.dials.numbers.get(&id)?.reveal().to_owned();
        Some(Action::Dial { number, name: (name != masked).then(|| name.clone()) })
    }

    pub(super) fn stop_dial(&mut self, id: u32) -> Outcome {
        self.dials.answering(id).ok_or(Refusal::NoSuchParticipant)?;
        let told = self.dialed(id, DialState::Stopped);
        Ok(std::iter::once(Effect::StopDial(id)).chain(told).collect())
    }

    pub(super) fn dialed(&mut self, id: u32, state: DialState) -> Vec<Effect> {
        let changed = self.dials.set(id, state);
        changed.map(|dial| self.tell(Event::DialChanged { dial })).into_iter().collect()
    }
}
