//! How often one network may ask for what costs us or somebody else something: a mail, a connection.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::{Pace, Paces};

/// A person who mistypes his name, and not a machine that sends mail to all of ours.
pub(crate) const FORGOTTEN: Pace = Pace { at_once: 10.0, per_second: 10.0 / 600.0 };

/// A department behind one address, and not a machine that has us send mail to everybody.
pub(crate) const REGISTERING: Pace = Pace { at_once: 100.0, per_second: 100.0 / 3_600.0 };

/// All of a large office at once when its network comes back, in seconds of what may come in the long run.
const OFFICE_S: f64 = 60.0;

/// Who begins to watch by WebRTC holds one of a livestream's few places for half a minute, though he never comes: from one
/// network a tenth of those who join, and not more at once than leave most places to others.
const WATCHING: f64 = 0.1;
/// See [`WATCHING`].
const WATCHING_S: f64 = 50.0;

/// Who may ask how often, by network.
pub(crate) struct Throttle(Option<Mutex<Paces<IpAddr>>>);

impl Throttle {
    pub(crate) fn new(pace: Pace) -> Self {
        Self(Some(Mutex::new(Paces::new(pace))))
    }

    /// Of those who join, so many a second; as many as like to where that is 0.
    pub(crate) fn of_joins(per_second: u32) -> Self {
        Self::of(per_second.into(), OFFICE_S)
    }

    /// Of those who begin to watch by WebRTC, where so many a second may join.
    pub(crate) fn of_watching(joins_per_second: u32) -> Self {
        Self::of(f64::from(joins_per_second) * WATCHING, WATCHING_S)
    }

    fn of(per_second: f64, seconds: f64) -> Self {
        let pace = Pace { at_once: per_second * seconds, per_second };
        if per_second > 0.0 { Self::new(pace) } else { Self(None) }
    }

    /// Counts one, unless it is one too many: for how long.
    pub(crate) fn allow(&self, from: IpAddr) -> Result<(), Duration> {
        self.allow_at(from, Instant::now())
    }

    fn allow_at(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(paces) = &self.0 else { return Ok(()) };
        // Numbers are whole between any two operations, whoever panicked.
        paces.lock().unwrap_or_else(PoisonError::into_inner).take(model::network_of(from), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn ten_in_ten_minutes() {
        let (throttle, start) = (Throttle::new(FORGOTTEN), Instant::now());
        assert!((0..10).all(|_| throttle.allow_at(HERE, start).is_ok()));
        assert!(throttle.allow_at(HERE, start).is_err() && throttle.allow_at(THERE, start).is_ok());
        assert!(throttle.allow_at(HERE, start + Duration::from_secs(600)).is_ok());
    }

    // reliability: A19
    #[test]
    fn an_office_joins_at_once_and_a_flood_does_not() {
        let (throttle, start) = (Throttle::of_joins(20), Instant::now());
        assert!((0..1_000).all(|_| throttle.allow_at(HERE, start).is_ok()));
        let second = |ms| start + Duration::from_millis(ms);
        let flood = (0..60_000).filter(|ms| throttle.allow_at(HERE, second(*ms)).is_ok()).count();
        assert!((1_390..=1_410).contains(&flood), "{flood} in the minute after it");
        assert!(throttle.allow_at(THERE, second(60_000)).is_ok());
        let watching = Throttle::of_watching(20);
        let flood = (0..30_000).filter(|ms| watching.allow_at(HERE, second(*ms)).is_ok()).count();
        assert!(flood <= 160, "{flood} of five hundred places are held by one network");
        let open = Throttle::of_joins(0);
        assert!((0..100_000).all(|_| open.allow_at(HERE, start).is_ok()));
    }
}
