//! How a browser's voice comes: what a telephone's leg counts by RTCP (RFC 3550), counted here.

use std::time::Instant;

use leg::LegStats;
use media::{AudioCodec, Jitter};
use sfu::Delivery;

/// All of a participant's voice, over however many connections it came.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    received: u64,
    /// Of connections that are over.
    lost: u64,
    stream: Option<Stream>,
    /// In seconds.
    jitter: Jitter,
    delivery: Delivery,
}

/// What comes by one connection.
#[derive(Debug)]
struct Stream {
    first: u64,
    highest: u64,
    received: u64,
    /// When the newest came, and its timestamp.
    newest: (Instant, u32),
}

impl Stream {
    fn lost(&self) -> u64 {
        (self.highest - self.first + 1).saturating_sub(self.received)
    }
}

impl Reception {
    /// A packet of sound.
    pub(crate) fn arrived(&mut self, seq: u64, timestamp: u32, now: Instant) {
        self.received += 1;
        let newest = (now, timestamp);
        let Some(stream) = &mut self.stream else {
            self.stream = Some(Stream { first: seq, highest: seq, received: 1, newest });
            return;
        };
        stream.received += 1;
        (stream.first, stream.highest) = (stream.first.min(seq), stream.highest.max(seq));
        let (at, before) = std::mem::replace(&mut stream.newest, newest);
        // RFC 3550 §6.4.1: how much further apart two packets came than they were sent.
        let sent = f64::from(timestamp.wrapping_sub(before).cast_signed()) / f64::from(AudioCodec::Opus.clock_rate());
        let apart = now.saturating_duration_since(at).as_secs_f64() - sent;
        self.jitter.add(apart);
    }

    /// Numbers begin anew.
    pub(crate) fn new_stream(&mut self) {
        self.lost += self.stream.take().map_or(0, |stream| stream.lost());
    }

    /// A connection by which he heard the others is over.
    pub(crate) fn delivered(&mut self, delivery: Delivery) {
        self.delivery.voice_packets += delivery.voice_packets;
        self.delivery.round_trip = delivery.round_trip.or(self.delivery.round_trip);
    }

    pub(crate) fn stats(&self) -> LegStats {
        LegStats {
            received: self.received,
            lost: self.lost + self.stream.as_ref().map_or(0, Stream::lost),
            jitter_ms: self.jitter.running() * 1e3,
            jitter_mean_ms: self.jitter.mean() * 1e3,
            sent: self.delivery.voice_packets,
            round_trip_ms: self.delivery.round_trip.map(|time| time.as_secs_f64() * 1e3),
            ..LegStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hear(reception: &mut Reception, seqs: impl Iterator<Item = u64>, start: Instant, late_ms: impl Fn(u64) -> u64) {
        for seq in seqs {
            let at = start + Duration::from_millis(20 * seq + late_ms(seq));
            reception.arrived(1_000 + seq, (seq as u32).wrapping_mul(960).wrapping_sub(4_800), at);
        }
    }

    // product: P9
    #[test]
    fn what_is_missing_is_lost_whichever_connection_it_came_by() {
        let (start, mut reception) = (Instant::now(), Reception::default());
        hear(&mut reception, (0..100).filter(|seq| seq % 10 != 5), start, |_| 0);
        reception.new_stream();
        hear(&mut reception, 500..600, start, |_| 0);
        reception.delivered(Delivery { voice_packets: 7, round_trip: Some(Duration::from_millis(30)) });
        reception.delivered(Delivery { voice_packets: 5, round_trip: None });
        let stats = reception.stats();
        assert_eq!((stats.received, stats.lost, stats.sent), (190, 10, 12));
        assert_eq!(stats.round_trip_ms, Some(30.0));
        assert!(stats.jitter_ms < 0.1, "{stats:?}");
    }

    // RFC 3550 §6.4.1
    #[test]
    fn jitter_is_how_unevenly_they_come_and_pauses_are_none() {
        let (start, mut reception) = (Instant::now(), Reception::default());
        hear(&mut reception, 0..500, start, |seq| 8 * (seq % 2));
        assert!((7.5..8.5).contains(&reception.stats().jitter_ms), "{:?}", reception.stats());
        hear(&mut reception, 500..1_000, start, |_| 8);
        let stats = reception.stats();
        assert!(stats.jitter_ms < 0.1 && (3.9..4.1).contains(&stats.jitter_mean_ms), "now, and in all: {stats:?}");
        let mut paused = Reception::default();
        hear(&mut paused, (0..500).filter(|seq| seq % 50 < 10), start, |_| 40);
        assert!(paused.stats().jitter_ms < 0.1, "{:?}", paused.stats());
    }
}
