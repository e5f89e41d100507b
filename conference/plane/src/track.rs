//! One participant's track as it comes in: which layers are sent, how much each takes, how large each is.

use std::time::{Duration, Instant};

use media::{MediaPacket, TrackKind};
use sfu::{LAYERS, Layer, forward};

use crate::quality::{Holes, Passed, TrackQuality};

/// A track without packets for this long is off. Shorter would take a freezing camera's slot away, longer would show
/// a frozen picture.
const TRACK_IDLE: Duration = Duration::from_secs(2);

/// A layer that doesn't come while others do is off after this: browsers stop the large ones when they have no room to send.
/// Shorter would take a busy computer's pause between pictures for an end, longer would leave those who watch it without a
/// picture.
const LAYER_IDLE: Duration = Duration::from_millis(1_500);

/// A layer's rate is measured over so many spans of this: long enough that a key frame, ten times a usual picture, doesn't
/// look like a faster camera, short enough to follow one.
const SPAN: Duration = Duration::from_millis(500);
const SPANS: usize = 4;

/// What a packet takes on the line beside its payload: IP, UDP, RTP with extensions, and the authentication tag.
const OVERHEAD_BYTES: u64 = 60;

/// Heights of layers that have not told theirs.
const HEIGHTS: [u32; LAYERS] = [180, 360, 720];

/// A picture may be drawn larger than it is by so much, in percent, before the next larger layer is wanted; more saves more
/// and looks softer.
const STRETCH_PERCENT: u32 = 125;

/// Its state.
#[derive(Default)]
pub(crate) struct Track {
    heard: Option<Instant>,
    layers: [Incoming; LAYERS],
    /// Of all layers, since he came.
    passed: Passed,
}

#[derive(Default)]
struct Incoming {
    began: Option<Instant>,
    heard: Option<Instant>,
    height: Option<u32>,
    holes: Holes,
    /// Bytes of the latest spans, by span number.
    spans: [u64; SPANS],
    span: u64,
}

impl Track {
    /// Packets come.
    pub(crate) fn is_on(&self) -> bool {
        self.heard.is_some()
    }

    /// Takes a packet; says whether the track, and whether this layer of it, begins with it.
    pub(crate) fn hear(&mut self, layer: Layer, packet: &MediaPacket, now: Instant) -> (bool, bool) {
        let begins = self.heard.replace(now).is_none();
        let incoming = &mut self.layers[layer.index()];
        let layer_begins = incoming.heard.is_none_or(|at| now.saturating_duration_since(at) > LAYER_IDLE);
        let bytes = packet.payload.len() as u64 + OVERHEAD_BYTES;
        incoming.count(bytes, layer_begins, now);
        self.passed.came += 1;
        self.passed.missed += incoming.holes.arrived(packet.seq);
        self.passed.bytes = Some(self.passed.bytes.unwrap_or_default() + bytes);
        if let Some((_, height)) = forward::picture_size(packet) {
            incoming.height = Some(height.into());
        }
        (begins, layer_begins)
    }

    /// True when it has just ended.
    pub(crate) fn look_for_end(&mut self, now: Instant) -> bool {
        let ended = self.heard.is_some_and(|at| now.saturating_duration_since(at) > TRACK_IDLE);
        if ended {
            *self = Self { passed: self.passed, ..Self::default() };
        }
        ended
    }

    /// Bits per second of each layer that is sent.
    pub(crate) fn rates(&self, now: Instant) -> [Option<u64>; LAYERS] {
        let latest = self.heard;
        Layer::ALL.map(|layer| {
            let incoming = &self.layers[layer.index()];
            let heard = incoming.heard?;
            let behind = latest.is_some_and(|latest| latest.saturating_duration_since(heard) > LAYER_IDLE);
            (!behind).then(|| incoming.rate(now))
        })
    }

    /// What has come of it, and what was missing at first.
    pub(crate) fn passed(&self) -> Passed {
        self.passed
    }

    /// The layers that are sent now.
    pub(crate) fn quality(&self, kind: TrackKind, now: Instant) -> Vec<TrackQuality> {
        let silent = |at: Instant| now.saturating_duration_since(at) > TRACK_IDLE;
        if self.heard.is_none_or(silent) {
            return Vec::new();
        }
        let rates = self.rates(now);
        let of = |layer: Layer| {
            let height = self.layers[layer.index()].height;
            Some(TrackQuality { kind, layer: layer.index(), height, bitrate: rates[layer.index()]? })
        };
        Layer::ALL.into_iter().filter_map(of).collect()
    }

    /// The smallest layer that looks sharp at this height in pixels.
    pub(crate) fn enough(&self, height: u32) -> Layer {
        let fits = |layer: &Layer| {
            let own = self.layers[layer.index()].height.unwrap_or_else(|| HEIGHTS[layer.index()]);
            own * STRETCH_PERCENT / 100 >= height
        };
        Layer::ALL.into_iter().find(fits).unwrap_or(Layer::ALL[LAYERS - 1])
    }

    /// Of the layers that are sent, the largest up to `enough`, or else the smallest.
    pub(crate) fn best(&self, enough: Layer, now: Instant) -> Option<Layer> {
        let rates = self.rates(now);
        let sent = || Layer::ALL.into_iter().filter(|layer| rates[layer.index()].is_some());
        sent().rfind(|layer| *layer <= enough).or_else(|| sent().next())
    }
}

impl Incoming {
    fn count(&mut self, bytes: u64, begins: bool, now: Instant) {
        self.heard = Some(now);
        let began = match self.began.filter(|_| !begins) {
            Some(began) => began,
            None => {
                (self.spans, self.span) = ([0; SPANS], 0);
                *self.began.insert(now)
            }
        };
        let span = (now.saturating_duration_since(began).as_millis() / SPAN.as_millis()) as u64;
        // What lies between was silent.
        for silent in self.span + 1..=span.min(self.span + SPANS as u64) {
            self.spans[silent as usize % SPANS] = 0;
        }
        if span > self.span + SPANS as u64 {
            self.spans = [0; SPANS];
        }
        self.span = span;
        self.spans[span as usize % SPANS] += bytes;
    }

    fn rate(&self, now: Instant) -> u64 {
        let Some(began) = self.began else { return 0 };
        let elapsed = now.saturating_duration_since(began);
        // The spans reach back to the beginning of the oldest of them.
        let whole = SPAN * (SPANS as u32 - 1);
        let into = Duration::from_millis((elapsed.as_millis() % SPAN.as_millis()) as u64);
        let measured = elapsed.min(whole + into).max(SPAN / 2);
        (self.spans.iter().sum::<u64>() as f64 * 8.0 / measured.as_secs_f64()) as u64
    }
}

#[cfg(test)]
mod tests {
    use media::{Codec, VideoCodec};

    use super::*;

    const Q: Layer = Layer::new(0);
    const F: Layer = Layer::new(2);

    fn packet(bytes: usize) -> MediaPacket {
        let codec = Codec::Video(VideoCodec::Vp8);
        MediaPacket { codec, seq: 1, timestamp: 0, marker: true, level: None, payload: vec![0; bytes].into() }
    }

    #[test]
    fn a_layer_is_measured_and_missed() {
        let start = Instant::now();
        let mut track = Track::default();
        assert_eq!(track.hear(Q, &packet(0), start), (true, true));
        for ms in (0..5_000).step_by(10) {
            let now = start + Duration::from_millis(ms);
            track.hear(Q, &packet(190), now);
            if ms < 2_000 {
                track.hear(F, &packet(940), now);
            }
        }
        let rates = |ms| track.rates(start + Duration::from_millis(ms));
        let [small, middle, large] = rates(4_990);
        assert!(small.is_some_and(|rate| (190_000..215_000).contains(&rate)), "200 kbit/s: {small:?}");
        assert_eq!((middle, large), (None, None), "one was never sent, the other no more");
        assert!(!track.look_for_end(start + Duration::from_secs(6)));
        assert!(track.look_for_end(start + Duration::from_secs(8)));
        assert!(!track.is_on());
    }

    #[test]
    fn what_is_shown_small_needs_little() {
        let track = Track::default();
        let check = |height, layer| assert_eq!(track.enough(height), Layer::new(layer), "{height}");
        check(0, 0);
        check(220, 0);
        check(230, 1);
        check(440, 1);
        check(460, 2);
        check(2_000, 2);
    }
}
