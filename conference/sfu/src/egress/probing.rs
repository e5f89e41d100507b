//! What a subscriber is sent only to find out what his line carries: a few packets faster than the rest, and more than there is.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Codec, MediaPacket, VideoCodec};

use super::{As, ESTIMATE_AT_FIRST, Egress, Estimator, Outgoing, Stream, history::Stamp};
use crate::{Outbox, forward::Forwarded};

/// A probe takes so long, and so many packets.
const PROBE: Duration = Duration::from_millis(20);
const PROBE_PACKETS: usize = 6;
/// The first probe is so many times what the line is taken to carry; the next, where that arrived.
const PROBES_AT_FIRST: [f64; 2] = [3.0, 6.0];
/// What is wanted is tried with a little more than that, in steps of no more than this, and again after so long.
const PROBE_BEYOND: f64 = 1.25;
const PROBE_STEP: f64 = 2.5;
const PROBE_AGAIN: Duration = Duration::from_secs(2);
/// The same where nothing more is wanted now than is known to be carried.
const PROBE_HOPED: Duration = Duration::from_secs(10);

/// Bytes of a packet that is sent only to find out what the line carries: what one byte can say.
const BLANK_BYTES: usize = 240;

#[derive(Debug, Clone, Copy)]
pub(super) struct Probing {
    pub(super) number: u16,
    rate: f64,
    began: Instant,
    pub(super) bytes: usize,
    pub(super) packets: usize,
}

impl Egress {
    /// Bits per second that are sent in all where more is wanted to be known.
    pub(super) fn filling(&self) -> f64 {
        self.minimum.min(self.estimator.as_ref().map_or_else(|| self.bound.trial(), Estimator::trial))
    }

    /// Something is sent only to find out whether the line carries it.
    pub(super) fn fills(&self) -> bool {
        let is_calm = self.estimator.as_ref().is_none_or(|estimator| !estimator.is_overused());
        self.can_pad && self.filling() > 0.0 && is_calm && self.waiting.is_empty()
    }

    pub(super) fn fill(&mut self, now: Instant, out: &mut Outbox) {
        if !self.fills() || self.probing.is_some() {
            return;
        }
        self.settle(now);
        // What a worker that was late missed is not made up for.
        for _ in 0..8 {
            if self.filling_debt > 0.0 {
                return;
            }
            if !self.pad(now, out) {
                return;
            }
        }
    }

    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        let Some(estimator) = &self.estimator else { return false };
        let is_wanted = self.first_probe().is_some() || self.minimum > estimator.rate();
        self.can_pad
            && self.probing.is_none()
            && !estimator.is_overused()
            && (is_wanted || estimator.hoped(now).is_some())
    }

    /// How fast the next of the first probes is; none where they have been, or were too fast.
    fn first_probe(&self) -> Option<f64> {
        let next = PROBES_AT_FIRST.get(self.first_probes)? * ESTIMATE_AT_FIRST;
        let before = self.first_probes.checked_sub(1).map(|before| PROBES_AT_FIRST[before] * ESTIMATE_AT_FIRST);
        let arrived = before.is_none_or(|before| self.rate() > 0.7 * before);
        (arrived || self.probed.is_none()).then_some(next)
    }

    pub(super) fn probe_interval(&self) -> Duration {
        match self.first_probe() {
            Some(_) => Duration::from_millis(50),
            None if self.minimum > self.rate() => PROBE_AGAIN,
            None => PROBE_HOPED,
        }
    }

    pub(super) fn probe(&mut self, now: Instant, out: &mut Outbox) {
        let due = self.probed.is_none_or(|at| now.saturating_duration_since(at) >= self.probe_interval());
        if due && self.wants_probe(now) {
            let (first, known) = (self.first_probe(), self.rate());
            self.first_probes += usize::from(first.is_some());
            self.probes = self.probes.wrapping_add(1).max(1);
            let mut wanted = PROBE_BEYOND * self.minimum;
            if let Some(estimator) = &mut self.estimator {
                if let Some(hoped) = estimator.hoped(now).filter(|_| self.minimum <= known) {
                    wanted = hoped;
                    estimator.tries_hoped();
                }
                estimator.probes(now);
            }
            let rate = first.unwrap_or_else(|| wanted.min(PROBE_STEP * known));
            self.probed = Some(now);
            self.probing = Some(Probing { number: self.probes, rate, began: now, bytes: 0, packets: 0 });
        }
        while let Some(probing) = self.probing.filter(|probing| probing.due() <= now) {
            if probing.is_over(now) || !self.pad(now, out) {
                self.probing = None;
            }
        }
    }

    /// Sends something he has had, or nothing at all in a packet. False where that can't be.
    fn pad(&mut self, now: Instant, out: &mut Outbox) -> bool {
        let stamp = Stamp::new(self.began, now);
        let kept = |stream: &Stream| stream.kept.age(stamp).map(std::cmp::Reverse);
        let latest = (0..self.streams.len())
            .filter(|slot| self.streams[*slot].config.resent(None).is_some())
            .max_by_key(|slot| (kept(&self.streams[*slot]), std::cmp::Reverse(*slot)));
        let Some(slot) = latest else { return false };
        let stream = &self.streams[slot];
        match stream.kept.latest().filter(|packet| stream.config.resent(Some(packet.media.codec)).is_some()) {
            Some(packet) => _ = self.emit(slot, &packet, As::Resent, now, out),
            None => {
                let forwarded = Forwarded { seq: 0, timestamp: 0, ids: None };
                let codec = Codec::Video(VideoCodec::Vp8);
                let payload = Arc::default();
                let media = MediaPacket { codec, seq: 0, timestamp: 0, marker: false, level: None, payload };
                let packet = Outgoing { media: Arc::new(media), forwarded, begins_keyframe: false };
                self.emit(slot, &packet, As::Blank(BLANK_BYTES), now, out);
            }
        }
        true
    }
}

impl Probing {
    /// When the next packet of it is to leave.
    pub(super) fn due(&self) -> Instant {
        self.began + Duration::from_secs_f64(self.bytes as f64 * 8.0 / self.rate)
    }

    fn is_over(&self, now: Instant) -> bool {
        let took = now.saturating_duration_since(self.began);
        (self.packets >= PROBE_PACKETS && took >= PROBE) || took >= 5 * PROBE
    }
}
