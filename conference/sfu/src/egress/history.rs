//! What of the sent is kept: packets in case they get lost, and when each left until its arrival is reported. There are hundreds of both
//! for each subscriber, so they are kept small.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{AudioLevel, Codec};

use super::Outgoing;
use crate::{forward::Forwarded, picture::Ids};

/// Packets kept for retransmission, and how long: what is older is no longer shown, and browsers keep theirs as long. Room for them
/// is made for so many at a time: doubled, half of it would mostly lie empty.
const KEPT: usize = 512;
const KEPT_FOR: Duration = Duration::from_secs(1);
const KEPT_STEP: usize = 64;

/// A time in microseconds that runs over every 71 minutes, long after what bears it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u32);

impl Stamp {
    /// `began` is the same for all that are compared.
    pub(super) fn new(began: Instant, now: Instant) -> Self {
        Self(now.saturating_duration_since(began).as_micros() as u32)
    }

    /// How long ago it was at `now`.
    pub(super) fn age(self, now: Self) -> Duration {
        Duration::from_micros(now.0.wrapping_sub(self.0).into())
    }
}

/// The packets of one stream, in the order of their numbers.
#[derive(Default)]
pub(super) struct History(VecDeque<Kept>);

/// An [`Outgoing`] without its gaps.
pub(super) struct Kept {
    /// Or the whole datagram, of a stream that has no other for retransmissions.
    pub(super) payload: Arc<[u8]>,
    /// Extended.
    pub(super) seq: u64,
    /// Of its picture.
    pub(super) timestamp: u32,
    at: Stamp,
    ids: Option<Ids>,
    codec: Codec,
    level: Option<AudioLevel>,
    marker: bool,
    /// It has been sent more than once; `at` is when last.
    pub(super) is_resent: bool,
}

impl Kept {
    fn outgoing(&self) -> Outgoing {
        let forwarded = Forwarded { seq: self.seq, timestamp: self.timestamp, ids: self.ids };
        let (codec, marker, level) = (self.codec, self.marker, self.level);
        Outgoing { codec, forwarded, marker, level, payload: Arc::clone(&self.payload), begins_keyframe: false }
    }

    /// It was sent again less than so long ago, and is on its way.
    pub(super) fn is_underway(&self, takes: Duration, now: Stamp) -> bool {
        self.is_resent && self.at.age(now) < takes
    }

    /// What is to be sent again now.
    pub(super) fn resend(&mut self, now: Stamp) -> Outgoing {
        (self.is_resent, self.at) = (true, now);
        self.outgoing()
    }
}

impl History {
    pub(super) fn keep(&mut self, packet: Outgoing, now: Stamp) {
        self.forget(now);
        let kept = &mut self.0;
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        if kept.len() == kept.capacity() {
            kept.reserve_exact(KEPT_STEP);
        }
        let Outgoing { codec, forwarded: Forwarded { seq, timestamp, ids }, marker, level, payload, .. } = packet;
        let at = kept.partition_point(|before| before.seq < seq);
        if kept.get(at).is_some_and(|known| known.seq == seq) {
            return;
        }
        kept.insert(at, Kept { payload, seq, timestamp, at: now, ids, codec, level, marker, is_resent: false });
    }

    /// What is too old to be sent again.
    pub(super) fn forget(&mut self, now: Stamp) {
        while self.0.front().is_some_and(|kept| kept.at.age(now) > KEPT_FOR) {
            self.0.pop_front();
        }
    }

    /// How old the latest is.
    pub(super) fn age(&self, now: Stamp) -> Option<Duration> {
        Some(self.0.back()?.at.age(now))
    }

    pub(super) fn latest(&self) -> Option<Outgoing> {
        self.0.back().map(Kept::outgoing)
    }

    /// The latest whose number ends so (RFC 3550 §5.1).
    pub(super) fn get_mut(&mut self, seq: u16) -> Option<&mut Kept> {
        let last = self.0.back()?.seq;
        let wanted = last.checked_sub((last as u16).wrapping_sub(seq).into())?;
        let at = self.0.partition_point(|before| before.seq < wanted);
        self.0.get_mut(at).filter(|kept| kept.seq == wanted)
    }
}

#[cfg(test)]
mod tests {
    use media::VideoCodec;

    use super::*;

    fn packet(seq: u64) -> Outgoing {
        let forwarded = Forwarded { seq, timestamp: 0, ids: None };
        let codec = Codec::Video(VideoCodec::Vp8);
        Outgoing { codec, forwarded, marker: false, level: None, payload: [seq as u8].into(), begins_keyframe: false }
    }

    #[test]
    fn packets_are_had_again_for_a_second_however_they_came() {
        let began = Instant::now();
        // Shortly before the clock runs over.
        let at = |ms: u64| Stamp::new(began, began + Duration::from_micros(u64::from(u32::MAX) - 300_000 + ms * 1_000));
        let mut history = History::default();
        for (index, seq) in [65_534, 65_536, 65_535, 65_537].into_iter().enumerate() {
            history.keep(packet(seq), at(index as u64 * 200));
        }
        for seq in 65_534..=65_537_u64 {
            assert_eq!(history.get_mut(seq as u16).map(|packet| packet.seq), Some(seq));
        }
        assert!(history.get_mut(2).is_none() && history.get_mut(60_000).is_none());
        assert_eq!(history.age(at(900)), Some(Duration::from_millis(300)));
        history.forget(at(1_100));
        assert!(history.get_mut(65_534_u64 as u16).is_none() && history.get_mut(65_535).is_some());
    }

    #[test]
    fn what_is_sent_again_is_underway_for_as_long_as_that_takes() {
        let (began, takes) = (Instant::now(), Duration::from_millis(100));
        let at = |ms: u64| Stamp::new(began, began + Duration::from_millis(ms));
        let mut history = History::default();
        history.keep(packet(7), at(0));
        let is_underway = |history: &mut History, ms| history.get_mut(7).unwrap().is_underway(takes, at(ms));
        assert!(!is_underway(&mut history, 50), "the first may be lost sooner than that");
        history.get_mut(7).unwrap().resend(at(50));
        assert!(is_underway(&mut history, 149) && !is_underway(&mut history, 150));
    }

    #[test]
    fn what_comes_twice_is_kept_once() {
        let (began, mut history) = (Instant::now(), History::default());
        for seq in [7, 9, 8, 9, 7] {
            history.keep(packet(seq), Stamp::new(began, began));
        }
        assert_eq!(history.0.iter().map(|kept| kept.seq).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let (began, mut history) = (Instant::now(), History::default());
        for seq in 0..2_000 {
            history.keep(packet(seq), Stamp::new(began, began));
        }
        assert_eq!((history.0.len(), history.0.capacity()), (KEPT, KEPT));
        assert!(size_of::<Kept>() <= 48, "{}", size_of::<Kept>());
    }
}
