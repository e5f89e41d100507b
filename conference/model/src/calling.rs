//! What a site may spend on calling telephones (P8): so that a stolen password costs no fortune.

use std::collections::{BTreeMap, VecDeque};

use crate::Refusal;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What counts towards the day's minutes and budget: calls that ended within it.
pub const CALLING_DAY_MS: i64 = 24 * HOUR_MS;

/// Calls remembered of the last hour, to find a number that is called again and again: more than a site's limits let happen.
const DIALLED_MAX: usize = 10_000;

/// What one site may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallingPolicy {
    /// At all.
    pub allowed: bool,
    /// Calls at once. More is what somebody needs who calls numbers he is paid for.
    pub calls_max: u32,
    /// Minutes of the last 24 hours, all calls together.
    pub minutes_per_day: u32,
    /// What they may cost, in thousandths of the currency prices are written in; none: nothing is reckoned.
    pub budget_per_day: Option<i64>,
    /// How often one number is called in an hour.
    pub same_number_per_hour: u32,
    /// What numbers must begin with, of those the carriers allow; all where there is none.
    pub prefixes: Vec<String>,
}

impl Default for CallingPolicy {
    fn default() -> Self {
        Self {
            allowed: true,
            calls_max: 10,
            minutes_per_day: 1_200,
            budget_per_day: None,
            same_number_per_hour: 6,
            prefixes: Vec::new(),
        }
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// Since it was taken.
    pub seconds: i64,
    /// Each begun minute at its price, in thousandths of the currency.
    pub cost: i64,
}

/// What of its policy a site has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallingUsed {
    /// Calls under way.
    pub calls: u32,
    /// Of the last 24 hours, each call's rounded up.
    pub minutes: i64,
    /// In thousandths of the currency.
    pub cost: i64,
}

/// One site's calls to telephones, those under way and those of the last day. `now` is milliseconds since 1970, UTC, and may
/// jump: nothing but the day's sums follows it.
#[derive(Debug, Default)]
pub struct CallingLedger {
    running: BTreeMap<u64, Running>,
    past: VecDeque<(i64, Bill)>,
    dialled: VecDeque<(i64, String)>,
    last: u64,
}

#[derive(Debug)]
struct Running {
    answered_ms: Option<i64>,
    /// Of a minute.
    price: i64,
}

impl CallingLedger {
    /// With what was called before the server began.
    #[must_use]
    pub fn new(past: impl IntoIterator<Item = (i64, Bill)>) -> Self {
        Self { past: past.into_iter().collect(), ..Self::default() }
    }

    /// One more call, under a name of its own; or why not.
    pub fn begin(&mut self, policy: &CallingPolicy, number: &str, price: i64, now_ms: i64) -> Result<u64, Refusal> {
        self.forget(now_ms);
        if !policy.allowed {
            return Err(Refusal::NoDialOut);
        }
        if !policy.prefixes.is_empty() && !policy.prefixes.iter().any(|prefix| number.starts_with(prefix)) {
            return Err(Refusal::NumberNotAllowed);
        }
        let often = self.dialled.iter().filter(|(_, known)| known == number).count();
        if often >= policy.same_number_per_hour as usize {
            return Err(Refusal::DialledOften);
        }
        let used = self.used(now_ms);
        if used.calls >= policy.calls_max {
            return Err(Refusal::TooManyDials);
        }
        if used.minutes >= i64::from(policy.minutes_per_day) {
            return Err(Refusal::CallMinutesSpent);
        }
        // There must be enough for its first minute.
        if policy.budget_per_day.is_some_and(|budget| used.cost + price > budget) {
            return Err(Refusal::CallBudgetSpent);
        }
        if self.dialled.len() >= DIALLED_MAX {
            self.dialled.pop_front();
        }
        self.dialled.push_back((now_ms, number.to_owned()));
        self.last += 1;
        self.running.insert(self.last, Running { answered_ms: None, price });
        Ok(self.last)
    }

    /// It was taken: from now on it costs.
    pub fn answered(&mut self, call: u64, now_ms: i64) {
        if let Some(running) = self.running.get_mut(&call) {
            running.answered_ms.get_or_insert(now_ms);
        }
    }

    /// What it has come to so far.
    #[must_use]
    pub fn bill(&self, call: u64, now_ms: i64) -> Bill {
        self.running.get(&call).map(|running| running.bill(now_ms)).unwrap_or_default()
    }

    /// It is over.
    pub fn end(&mut self, call: u64, now_ms: i64) {
        if let Some(running) = self.running.remove(&call) {
            let bill = running.bill(now_ms);
            if bill != Bill::default() {
                self.past.push_back((now_ms, bill));
            }
        }
    }

    /// The calls under way have used up what there was: they must end.
    #[must_use]
    pub fn is_spent(&self, policy: &CallingPolicy, now_ms: i64) -> bool {
        let used = self.used(now_ms);
        let is_over = |budget: i64| used.cost > budget;
        !policy.allowed
            || used.minutes > i64::from(policy.minutes_per_day)
            || policy.budget_per_day.is_some_and(is_over)
    }

    /// What was used of it.
    #[must_use]
    pub fn used(&self, now_ms: i64) -> CallingUsed {
        let past = self.past.iter().filter(|(ended_ms, _)| *ended_ms > now_ms - CALLING_DAY_MS).map(|(_, bill)| *bill);
        let bills = past.chain(self.running.values().map(|running| running.bill(now_ms)));
        let calls = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        bills.fold(CallingUsed { calls, ..CallingUsed::default() }, |used, bill| CallingUsed {
            minutes: used.minutes + minutes(bill.seconds),
            cost: used.cost.saturating_add(bill.cost),
            ..used
        })
    }

    fn forget(&mut self, now_ms: i64) {
        self.past.retain(|(ended_ms, _)| *ended_ms > now_ms - CALLING_DAY_MS);
        self.dialled.retain(|(at_ms, _)| *at_ms > now_ms - HOUR_MS);
    }
}

impl Running {
    fn bill(&self, now_ms: i64) -> Bill {
        let Some(answered_ms) = self.answered_ms else { return Bill::default() };
        // A second is begun when the call is taken.
        let seconds = (now_ms - answered_ms).max(0) / 1_000 + 1;
        Bill { seconds, cost: minutes(seconds).saturating_mul(self.price) }
    }
}

/// Begun ones.
fn minutes(seconds: i64) -> i64 {
    (seconds + 59) / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_800_000_000_000;
    const ALICE: &str = "+8613800000001";
    const BOB: &str = "+8613800000002";

    fn policy() -> CallingPolicy {
        CallingPolicy {
            calls_max: 2,
            minutes_per_day: 10,
            budget_per_day: Some(1_000),
            same_number_per_hour: 3,
            ..CallingPolicy::default()
        }
    }

    // product: P8; reliability: A12
    #[test]
    fn no_more_calls_at_once_than_a_site_may() {
        let (mut ledger, policy) = (CallingLedger::default(), policy());
        let first = ledger.begin(&policy, ALICE, 0, START_MS).unwrap();
        ledger.begin(&policy, BOB, 0, START_MS).unwrap();
        assert_eq!(ledger.begin(&policy, "+861", 0, START_MS), Err(Refusal::TooManyDials));
        ledger.end(first, START_MS + 1);
        assert!(ledger.begin(&policy, "+861", 0, START_MS + 1).is_ok());
    }

    // product: P8; reliability: A12
    #[test]
    fn a_number_is_not_called_again_and_again() {
        let (mut ledger, policy) = (CallingLedger::default(), policy());
        for minute in 0..3 {
            let call = ledger.begin(&policy, ALICE, 0, START_MS + minute * MINUTE_MS).unwrap();
            ledger.end(call, START_MS + minute * MINUTE_MS);
        }
        assert_eq!(ledger.begin(&policy, ALICE, 0, START_MS + HOUR_MS - 1), Err(Refusal::DialledOften));
        assert!(ledger.begin(&policy, BOB, 0, START_MS + HOUR_MS - 1).is_ok());
        assert!(ledger.begin(&policy, ALICE, 0, START_MS + HOUR_MS).is_ok());
    }

    // product: P8; reliability: A12
    #[test]
    fn minutes_and_money_of_a_day_are_not_exceeded_by_more_than_a_minute_a_call() {
        let (mut ledger, policy) = (CallingLedger::default(), policy());
        // Three hundred a minute: three minutes are paid for, a fourth is not.
        let dear = ledger.begin(&policy, ALICE, 300, START_MS).unwrap();
        assert_eq!(ledger.bill(dear, START_MS + HOUR_MS), Bill::default(), "ringing costs nothing");
        ledger.answered(dear, START_MS);
        assert_eq!(ledger.bill(dear, START_MS + 59_999), Bill { seconds: 60, cost: 300 });
        assert!(!ledger.is_spent(&policy, START_MS + 179_999));
        assert!(ledger.is_spent(&policy, START_MS + 180_000));
        ledger.end(dear, START_MS + 180_000);
        assert_eq!(ledger.used(START_MS + 180_000), CallingUsed { calls: 0, minutes: 4, cost: 1_200 });
        assert_eq!(ledger.begin(&policy, BOB, 300, START_MS + 180_000), Err(Refusal::CallBudgetSpent));
        // A day later there is as much again.
        let later = START_MS + 180_000 + CALLING_DAY_MS;
        let cheap = ledger.begin(&policy, BOB, 0, later).unwrap();
        ledger.answered(cheap, later);
        let other = ledger.begin(&policy, ALICE, 0, later).unwrap();
        ledger.answered(other, later);
        assert!(!ledger.is_spent(&policy, later + 5 * MINUTE_MS - 1));
        assert!(ledger.is_spent(&policy, later + 5 * MINUTE_MS), "two calls of five minutes, and a sixth begun");
        ledger.end(cheap, later + 5 * MINUTE_MS);
        assert_eq!(ledger.begin(&policy, BOB, 0, later + 5 * MINUTE_MS), Err(Refusal::CallMinutesSpent));
    }

    // product: P8; reliability: A12
    #[test]
    fn what_was_spent_before_a_restart_counts_and_what_is_forbidden_is() {
        let spent = (START_MS - 1, Bill { seconds: 60, cost: 990 });
        let mut ledger = CallingLedger::new([spent]);
        assert_eq!(ledger.begin(&policy(), ALICE, 11, START_MS), Err(Refusal::CallBudgetSpent));
        let china = CallingPolicy { prefixes: vec!["+86".to_owned()], ..policy() };
        assert_eq!(ledger.begin(&china, "+442079460000", 1, START_MS), Err(Refusal::NumberNotAllowed));
        assert!(ledger.begin(&china, ALICE, 1, START_MS).is_ok());
        let forbidden = CallingPolicy { allowed: false, ..policy() };
        assert_eq!(ledger.begin(&forbidden, ALICE, 1, START_MS), Err(Refusal::NoDialOut));
        assert!(ledger.is_spent(&forbidden, START_MS), "who may no longer hangs up");
    }
}
