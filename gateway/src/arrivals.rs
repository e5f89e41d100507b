//! Calls that come by a carrier, held to its limits (P7): so many at once, in a second, and of one number.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, PoisonError},
    time::Duration,
};

use model::PhoneNumber;
use sipconf::Trunk;
use tokio::time::Instant;

use crate::carriers::{Carriers, forget};

/// What a carrier has here.
#[derive(Default)]
pub(crate) struct Arrivals {
    calls: u32,
    /// When each call of the last second came.
    second: VecDeque<Instant>,
    /// Those that stand, by who calls.
    numbers: BTreeMap<PhoneNumber, u32>,
}

/// Why a call by a carrier isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The carrier has too many: another way of its may have room.
    Trunk,
    /// The number has.
    Number,
}

impl Arrivals {
    fn take(&mut self, trunk: &Trunk, caller: &PhoneNumber, now: Instant) -> Result<(), Over> {
        forget(&mut self.second, now, Duration::from_secs(1));
        let is_over = |most: Option<u32>, count: usize| most.is_some_and(|most| count >= most as usize);
        if is_over(trunk.incoming_max, self.calls as usize) || is_over(trunk.incoming_per_second, self.second.len()) {
            return Err(Over::Trunk);
        }
        let of_number = self.numbers.get(caller).copied().unwrap_or_default();
        // Who hides his number is nobody in particular.
        if !caller.is_withheld() && is_over(trunk.incoming_per_number, of_number as usize) {
            return Err(Over::Number);
        }
        self.calls += 1;
        if trunk.incoming_per_second.is_some() {
            self.second.push_back(now);
        }
        if trunk.incoming_per_number.is_some() {
            self.numbers.insert(caller.clone(), of_number + 1);
        }
        Ok(())
    }

    fn give_back(&mut self, caller: &PhoneNumber) {
        self.calls = self.calls.saturating_sub(1);
        if let Some(count) = self.numbers.get_mut(caller) {
            *count -= 1;
            if *count == 0 {
                self.numbers.remove(caller);
            }
        }
    }
}

/// One call of a carrier's, given back when dropped.
pub(crate) struct Arrival {
    carriers: Arc<Carriers>,
    index: usize,
    caller: PhoneNumber,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if let Some(arrivals) = self.carriers.arrivals(self.index) {
            arrivals.lock().unwrap_or_else(PoisonError::into_inner).give_back(&self.caller);
        }
    }
}

impl Arrival {
    /// One call by this carrier, where its limits leave one.
    pub(crate) fn take(carriers: &Arc<Carriers>, index: usize, caller: PhoneNumber) -> Result<Option<Self>, Over> {
        let (Some(trunk), Some(arrivals)) = (carriers.plan().trunks().get(index), carriers.arrivals(index)) else {
            return Ok(None);
        };
        arrivals.lock().unwrap_or_else(PoisonError::into_inner).take(trunk, &caller, Instant::now()).inspect_err(
            |_| {
                tracing::warn!(trunk = trunk.name, "a limit of this trunk for calls that come is reached");
                metrics::counter!("gateway_trunk_limited", "trunk" => trunk.name.clone()).increment(1);
            },
        )?;
        Ok(Some(Self { carriers: Arc::clone(carriers), index, caller }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P7
    #[test]
    fn calls_that_come_keep_their_carriers_limits() {
        let trunk = |limits: &str| -> Trunk {
            toml::from_str(&format!("name = \"a\"\naddress = \"h\"\ncaller = \"1\"\n{limits}")).unwrap()
        };
        let limited = trunk("incoming_max = 4\nincoming_per_second = 3\nincoming_per_number = 2\n");
        let (start, mut arrivals) = (Instant::now(), Arrivals::default());
        let who = |number: &str| PhoneNumber::new(number);
        let mut take = |number: &str, ms: u64| arrivals.take(&limited, &who(number), start + Duration::from_millis(ms));
        assert_eq!([take("1", 0), take("1", 1), take("1", 2)], [Ok(()), Ok(()), Err(Over::Number)]);
        assert_eq!([take("2", 3), take("3", 4)], [Ok(()), Err(Over::Trunk)], "three in a second");
        assert_eq!([take("3", 1_000), take("4", 2_500)], [Ok(()), Err(Over::Trunk)], "four at once");
        arrivals.give_back(&who("1"));
        let mut take = |number: &str, ms: u64| arrivals.take(&limited, &who(number), start + Duration::from_millis(ms));
        assert_eq!([take("1", 5_000), take("1", 7_000)], [Ok(()), Err(Over::Trunk)]);
        for number in ["1", "1", "2", "3"] {
            arrivals.give_back(&who(number));
        }
        assert!(arrivals.calls == 0 && arrivals.numbers.is_empty(), "nothing is left of calls that are over");
        let hidden = who("anonymous");
        let all = (0..3).map(|n| arrivals.take(&limited, &hidden, start + Duration::from_secs(10 + n)));
        assert!(all.into_iter().all(|taken| taken.is_ok()), "those who hide are not one");
        let (free, mut arrivals) = (trunk(""), Arrivals::default());
        assert!((0..5_000).all(|_| arrivals.take(&free, &who("1"), start).is_ok()));
        assert!(arrivals.second.is_empty() && arrivals.numbers.is_empty());
    }
}
