//! What one browser may send us: so much a second, from so many sources. What is beyond is dropped before any work is done for it,
//! so that who floods, or is flooded in somebody's name, costs the others nothing and only himself his media. Pure.

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

/// Sources (SSRCs) of one connection: microphone, three layers each of camera and screen, retransmissions of those are thirteen. The WebRTC
/// library remembers each for ever, so one that changes with every packet would fill the memory.
const SOURCES_MAX: usize = 64;

/// Why a datagram is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// More came than anybody needs.
    Flood,
    /// It is of one source too many.
    Sources,
}

#[derive(Debug)]
pub(crate) struct Guard {
    per_second: f64,
    bytes_per_second: f64,
    /// What may still come now.
    datagrams: f64,
    bytes: f64,
    at: Instant,
    sources: Vec<u32>,
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
            sources: Vec::new(),
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
        if let Some(source) = source(datagram)
            && !self.sources.contains(&source)
        {
            if self.sources.len() >= SOURCES_MAX {
                return Err(Why::Sources);
            }
            self.sources.push(source);
        }
        Ok(())
    }

    /// True the first time.
    pub(crate) fn tells(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}

/// The SSRC of a packet of media (RFC 3550 §5.1), told from reports by RFC 5761 §4.
fn source(datagram: &[u8]) -> Option<u32> {
    let [first, kind, ..] = *datagram else { return None };
    let is_media = matches!(first, 128..=191) && !matches!(kind, 192..=223);
    is_media.then(|| datagram.get(8..12)?.first_chunk().map(|ssrc| u32::from_be_bytes(*ssrc))).flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LATER: Duration = Duration::from_millis(1);

    fn packet(ssrc: u32, bytes: usize) -> Vec<u8> {
        let mut packet = vec![0; bytes];
        (packet[0], packet[1]) = (0x80, 111);
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        packet
    }

    /// How many of each second's datagrams get through.
    fn admitted(mut guard: Guard, start: Instant, per_second: u32, bytes: usize) -> Vec<u32> {
        let datagram = packet(1, bytes);
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
    fn a_source_too_many_is_dropped_and_known_ones_go_on() {
        let (now, mut guard) = (Instant::now(), Guard::of_publisher(Instant::now()));
        for ssrc in 0..1_000 {
            let expected = if ssrc < SOURCES_MAX as u32 { Ok(()) } else { Err(Why::Sources) };
            assert_eq!(guard.admit(&packet(ssrc, 100), now), expected, "{ssrc}");
        }
        assert_eq!(guard.admit(&packet(7, 100), now + LATER), Ok(()));
        // Reports, checks and handshakes have no source.
        let mut report = packet(5_000, 100);
        report[1] = 201;
        assert_eq!(guard.admit(&report, now + LATER), Ok(()));
        assert_eq!(guard.admit(&[0, 1], now + LATER), Ok(()));
        assert!(guard.tells() && !guard.tells());
    }
}
