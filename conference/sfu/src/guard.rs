//! What one browser may send us: so much a second. What is beyond is dropped before any work is done for it, so that who floods, or is
//! flooded in somebody's name, costs the others nothing and only himself his media. Pure.

use std::time::Instant;

/// Datagrams a second of who publishes: three layers of a camera and a screen at their largest are about 2,000.
const PUBLISHED: f64 = 4_000.0;

/// Bytes a second of who publishes, 24 Mbit/s: twice what a camera in three layers and a screen are allowed by browsers.
const PUBLISHED_BYTES: f64 = 3_000_000.0;

/// Datagrams a second of who subscribes, reports and connectivity checks: browsers send about 30, and on a bad line ten times that.
const SUBSCRIBED: f64 = 1_000.0;
const SUBSCRIBED_BYTES: f64 = 300_000.0;

/// So much of it may come at once, in seconds: a key frame, or what a network held back.
const BURST_S: f64 = 1.0;

/// Why a datagram is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// More came than anybody needs.
    Flood,
    /// It is of one source too many.
    Sources,
    /// It is not his, or none can be his yet.
    Stranger,
}

#[derive(Debug)]
pub(crate) struct Guard {
    per_second: f64,
    bytes_per_second: f64,
    /// What may still come now.
    datagrams: f64,
    bytes: f64,
    at: Instant,
    /// It was said once.
    told: bool,
}

impl Guard {
    pub(crate) fn of_publisher(now: Instant) -> Self {
        Self::new(PUBLISHED, PUBLISHED_BYTES, now)
    }

    pub(crate) fn of_subscriber(now: Instant) -> Self {
        Self::new(SUBSCRIBED, SUBSCRIBED_BYTES, now)
    }

    fn new(per_second: f64, bytes_per_second: f64, now: Instant) -> Self {
        Self {
            per_second,
            bytes_per_second,
            datagrams: per_second * BURST_S,
            bytes: bytes_per_second * BURST_S,
            at: now,
            told: false,
        }
    }

    /// Whether the datagram is looked at.
    pub(crate) fn admit(&mut self, datagram: &[u8], now: Instant) -> Result<(), Why> {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.datagrams = (self.datagrams + seconds * self.per_second).min(self.per_second * BURST_S);
        self.bytes = (self.bytes + seconds * self.bytes_per_second).min(self.bytes_per_second * BURST_S);
        let bytes = datagram.len() as f64;
        if self.datagrams < 1.0 || self.bytes < bytes {
            return Err(Why::Flood);
        }
        self.datagrams -= 1.0;
        self.bytes -= bytes;
        Ok(())
    }

    /// True the first time.
    pub(crate) fn tells(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many of each second's datagrams get through.
    fn admitted(mut guard: Guard, start: Instant, per_second: u32, bytes: usize) -> Vec<u32> {
        let datagram = vec![0; bytes];
        let second = |second: u32| {
            let at = |n: u32| start + Duration::from_secs(second.into()) + Duration::from_secs(1) * n / per_second;
            (0..per_second).filter(|n| guard.admit(&datagram, at(*n)).is_ok()).count() as u32
        };
        (0..5).map(second).collect()
    }

    #[test]
    fn what_browsers_send_gets_through_and_a_flood_does_not() {
        let now = Instant::now();
        // A camera in three layers and a screen: 12 Mbit/s.
        assert_eq!(admitted(Guard::of_publisher(now), now, 1_400, 1_100), [1_400; 5]);
        // 100 Mbit/s.
        let flood = admitted(Guard::of_publisher(now), now, 11_400, 1_100);
        assert!(flood[1..].iter().all(|admitted| (2_700..=2_750).contains(admitted)), "{flood:?}");
        assert_eq!(admitted(Guard::of_subscriber(now), now, 300, 80), [300; 5]);
        let flood = admitted(Guard::of_subscriber(now), now, 20_000, 80);
        assert!(flood[1..].iter().all(|admitted| (990..=1_010).contains(admitted)), "{flood:?}");
    }

    #[test]
    fn it_is_told_once() {
        let mut guard = Guard::of_publisher(Instant::now());
        assert!(guard.tells() && !guard.tells());
    }
}
