//! The meeting's booked time: reminders, its end, and how it is put off (C14, C15).

use super::*;
use crate::{CAPACITY_MAX, DURATION_MIN_MAX};

const MINUTE_MS: i64 = 60_000;

/// Before the end the host is asked whether to extend (C15).
const ASKED_MS: i64 = 15 * MINUTE_MS;

/// Before the end everyone is told.
const TOLD_MS: i64 = 5 * MINUTE_MS;

/// The steps of an extension (C14).
const STEP_MIN: u32 = 30;

/// For which ends reminders were given; another end has its own.
#[derive(Debug, Default)]
pub(super) struct Clock {
    asked: Option<i64>,
    told: Option<i64>,
}

impl Meeting {
    pub(super) fn clock_ms(&self, now: Duration) -> i64 {
        self.rules.begun_ms.saturating_add(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }

    pub(super) fn look_at_the_clock(&mut self, now: Duration) -> Vec<Effect> {
        let Some(end) = self.view.ends_ms else { return Vec::new() };
        let left = end - self.clock_ms(now);
        if left <= 0 {
            return self.close(EndReason::TimeUp);
        }
        let mut effects = Vec::new();
        if left <= TOLD_MS && self.clock.told != Some(end) {
            self.clock.told = Some(end);
            effects.extend(self.all().into_iter().map(|id| Effect::Notify(id, Notice::EndsIn5)));
        } else if left <= ASKED_MS && self.clock.asked != Some(end) {
            let hosts = self.hosts();
            // Where nobody can be asked yet, whoever comes first is.
            self.clock.asked = (!hosts.is_empty()).then_some(end);
            effects.extend(hosts.into_iter().map(|id| Effect::Notify(id, Notice::EndsSoon)));
        }
        effects
    }

    pub(super) fn extend(&self, minutes: u32) -> Outcome {
        let end = self.view.ends_ms.filter(|_| self.rules.scalable).ok_or(Refusal::NotAllowed)?;
        let until_ms = end.saturating_add(i64::from(minutes) * MINUTE_MS);
        let most_ms = i64::from(DURATION_MIN_MAX) * MINUTE_MS;
        if minutes == 0 || !minutes.is_multiple_of(STEP_MIN) || until_ms - self.rules.from_ms > most_ms {
            return Err(Refusal::BadDuration);
        }
        Ok(vec![Effect::Extend(until_ms)])
    }

    pub(super) fn enlarge(&self, by: u32) -> Outcome {
        if !self.rules.scalable {
            return Err(Refusal::NotAllowed);
        }
        let wanted = self.view.capacity.saturating_add(by as usize);
        if by == 0 || wanted > CAPACITY_MAX as usize {
            return Err(Refusal::BadCapacity);
        }
        Ok(vec![Effect::Enlarge(wanted)])
    }
}
