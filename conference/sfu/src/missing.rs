//! Which packets of a publisher's pictures have not come, and when they are asked for again (RFC 4585 §6.2.1). Pure.
//!
//! A picture that waits for a packet stands still, so a packet is asked for as soon as it is missed, and again as soon as the answer
//! should have come: what asks by a clock of its own, as libraries do, shows gaps of a fifth of a second where both the packet and
//! the first answer were lost.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A packet that was only overtaken comes within so long, mostly.
const OVERTAKEN: Duration = Duration::from_millis(2);

/// Later than this nobody shows it any more: a new key frame has been asked for long since.
const LATE: Duration = Duration::from_secs(1);

/// So often one packet is asked for.
const ASKED_MAX: u8 = 10;

/// A larger gap is no loss but a stream that has begun elsewhere.
const GAP_MAX: u64 = 256;

/// Packets of one stream that are waited for. Of more, the newest are the ones that help.
const MISSING_MAX: usize = 512;

/// Streams of one publisher: six, and what they were before.
const STREAMS_MAX: usize = 32;

/// The round trip until it is known, and the shortest that is believed: what comes sooner was overtaken, not sent again.
const ROUND_TRIP_AT_FIRST: Duration = Duration::from_millis(100);
const ROUND_TRIP_MIN: Duration = Duration::from_millis(5);

/// Packets that are asked for at once, of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) ssrc: u32,
    pub(crate) seqs: Vec<u16>,
}

#[derive(Debug, Default)]
pub(crate) struct Missing {
    streams: Vec<Stream>,
    /// How long answers take, and how much that differs (RFC 6298 §2).
    round_trip: Option<(Duration, Duration)>,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    highest: u64,
    /// In the order of their numbers.
    missing: VecDeque<Packet>,
}

#[derive(Debug)]
struct Packet {
    seq: u64,
    missed: Instant,
    asked: Option<Instant>,
    times: u8,
}

impl Packet {
    fn due(&self, patience: Duration) -> Instant {
        self.asked.map_or(self.missed + OVERTAKEN, |asked| asked + patience)
    }
}

impl Missing {
    /// A packet has come, by itself or asked for.
    pub(crate) fn came(&mut self, ssrc: u32, seq: u64, now: Instant) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.ssrc == ssrc) else {
            if self.streams.len() >= STREAMS_MAX {
                self.streams.remove(0);
            }
            self.streams.push(Stream { ssrc, highest: seq, missing: VecDeque::new() });
            return;
        };
        match seq.checked_sub(stream.highest) {
            None => {
                let at = stream.missing.binary_search_by_key(&seq, |packet| packet.seq);
                let Some(packet) = at.ok().and_then(|at| stream.missing.remove(at)) else { return };
                // Of what was asked for twice nobody knows which answer it is (RFC 6298 §3).
                if let (Some(asked), 1) = (packet.asked, packet.times) {
                    self.answered(now.saturating_duration_since(asked));
                }
            }
            Some(ahead) => {
                if ahead > GAP_MAX {
                    stream.missing.clear();
                } else if ahead > 1 {
                    let missed = stream.highest + 1..seq;
                    stream.missing.extend(missed.map(|seq| Packet { seq, missed: now, asked: None, times: 0 }));
                    let beyond = stream.missing.len().saturating_sub(MISSING_MAX);
                    stream.missing.drain(..beyond);
                    let due = now + OVERTAKEN;
                    self.next = Some(self.next.map_or(due, |next| next.min(due)));
                }
                stream.highest = seq;
            }
        }
    }

    /// Nobody needs what is missing of this stream.
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.streams.retain(|stream| stream.ssrc != ssrc);
    }

    fn answered(&mut self, took: Duration) {
        let took = took.max(ROUND_TRIP_MIN);
        self.round_trip = Some(match self.round_trip {
            None => (took, took / 2),
            Some((usual, differs)) => ((usual * 7 + took) / 8, (differs * 3 + usual.abs_diff(took)) / 4),
        });
    }

    /// After so long without an answer it is asked again. Late answers cost a packet each; waiting for the latest costs pictures.
    fn patience(&self) -> Duration {
        let (usual, differs) = self.round_trip.unwrap_or((ROUND_TRIP_AT_FIRST, Duration::ZERO));
        usual + (differs * 2).max(ROUND_TRIP_MIN)
    }

    /// When there is something to ask for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// What is to be asked for now.
    pub(crate) fn ask(&mut self, now: Instant) -> Vec<Request> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let patience = self.patience();
        let mut requests = Vec::new();
        for stream in &mut self.streams {
            stream
                .missing
                .retain(|packet| packet.times < ASKED_MAX && now.saturating_duration_since(packet.missed) < LATE);
            let mut seqs = Vec::new();
            for packet in stream.missing.iter_mut().filter(|packet| packet.due(patience) <= now) {
                (packet.asked, packet.times) = (Some(now), packet.times + 1);
                seqs.push(packet.seq as u16);
            }
            if !seqs.is_empty() {
                requests.push(Request { ssrc: stream.ssrc, seqs });
            }
        }
        let all = self.streams.iter().flat_map(|stream| &stream.missing);
        self.next = all.map(|packet| packet.due(patience)).min();
        requests
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn request(seqs: &[u16]) -> Vec<Request> {
        vec![Request { ssrc: 1, seqs: seqs.to_vec() }]
    }

    #[test]
    fn what_is_missed_is_asked_for_at_once_and_again_when_the_answer_should_have_come() {
        let (start, mut missing) = (Instant::now(), Missing::default());
        missing.came(1, 65_534, start);
        missing.came(1, 65_537, start);
        assert_eq!(missing.next(), Some(start + OVERTAKEN));
        assert_eq!(missing.ask(start), []);
        assert_eq!(missing.ask(start + ms(2)), request(&[65_535, 0]));
        assert_eq!(missing.ask(start + ms(50)), []);
        // One answer comes after 40 ms: the other should have come too.
        missing.came(1, 65_535, start + ms(42));
        assert_eq!(missing.ask(start + ms(110)), request(&[0]));
        missing.came(1, 65_536, start + ms(150));
        assert_eq!(missing.ask(start + ms(1_000)), []);
        assert_eq!(missing.next(), None);
        // From now on the round trip is known.
        missing.came(1, 65_539, start + ms(2_000));
        assert_eq!(missing.ask(start + ms(2_002)), request(&[2]));
        let again = missing.next().unwrap() - (start + ms(2_002));
        assert!(again >= ms(45) && again <= ms(85), "{again:?}");
    }

    #[test]
    fn what_was_only_overtaken_is_not_asked_for() {
        let (start, mut missing) = (Instant::now(), Missing::default());
        for seq in [1, 2, 4, 3, 5, 8, 6, 7] {
            missing.came(1, seq, start);
        }
        assert_eq!(missing.ask(start + ms(2)), []);
        assert_eq!(missing.next(), None);
    }

    #[test]
    fn what_nobody_needs_is_not_asked_for_and_what_was_skipped_is_no_loss() {
        let (start, mut missing) = (Instant::now(), Missing::default());
        for ssrc in [1, 2] {
            missing.came(ssrc, 1, start);
            missing.came(ssrc, 3, start);
        }
        missing.forget(2);
        assert_eq!(missing.ask(start + ms(2)), request(&[2]));
        missing.came(2, 50, start + ms(3));
        missing.came(2, 51, start + ms(3));
        assert_eq!(missing.ask(start + ms(20)), []);
    }

    #[test]
    fn what_never_comes_is_given_up_and_another_beginning_is_no_loss() {
        let (start, mut missing) = (Instant::now(), Missing::default());
        missing.came(1, 1, start);
        missing.came(1, 3, start);
        let asked = (0..5_000).filter(|at| !missing.ask(start + ms(*at)).is_empty()).count();
        assert!((5..=usize::from(ASKED_MAX)).contains(&asked), "{asked}");
        assert_eq!(missing.next(), None);
        missing.came(1, 10_000, start);
        assert_eq!(missing.next(), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_little_is_kept_and_little_is_asked_for(packets in proptest::collection::vec((0_u32..40, 0_u64..2_000, 0_u64..50), 0..500)) {
            let (mut now, mut missing) = (Instant::now(), Missing::default());
            for (ssrc, seq, later) in packets {
                now += ms(later);
                missing.came(ssrc, seq, now);
                for request in missing.ask(now) {
                    prop_assert!(request.seqs.len() <= MISSING_MAX);
                }
                prop_assert!(missing.streams.len() <= STREAMS_MAX);
                prop_assert!(missing.streams.iter().all(|stream| stream.missing.len() <= MISSING_MAX));
                prop_assert!(missing.next().is_none_or(|next| next > now));
            }
        }
    }
}
