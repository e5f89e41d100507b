//! One participant's track as it comes in: which layers are sent, how much each takes, how large each is.

use std::time::{Duration, Instant};

use media::{MediaPacket, TrackKind};
use sfu::{LAYERS, Layer, forward};

use crate::quality::{Holes, Passed, TrackQuality};

/// A track without packets for this long is off. Shorter would take a freezing camera's slot away, longer would show
/// a frozen picture.
const TRACK_IDLE: Duration = Duration::from_secs(2);

/// A layer that doesn't come while a smaller one has had so many pictures, for at least so long, is off: browsers stop the large ones
/// when they have no room to send. Less would take a busy computer's pause between pictures for an end, more would leave those
/// who watch it without a picture.
const PICTURES_WITHOUT: u64 = 4;
const WITHOUT: Duration = Duration::from_millis(300);

/// The same where hardly anything else comes either.
const LAYER_IDLE: Duration = Duration::from_millis(1_500);

/// A layer that was off is sent on when it has come for so long, and twice as long after each further time it was off soon after the one
/// before, up to so many times that: where there is just no room for it, it comes and goes. Sooner, the picture would become larger and
/// smaller and cost a key frame each time; later, it stays small on a line that has become wide.
const STEADY: Duration = Duration::from_millis(1_500);
const STEADY_DOUBLED_MAX: u32 = 3;
const SOON: Duration = Duration::from_secs(30);

/// A layer's rate is measured over so many spans of this: short enough to follow a camera that becomes faster.
const SPAN: Duration = Duration::from_millis(500);
const SPANS: usize = 4;

/// What comes once in a while is measured over so many: a key frame, ten times a usual picture, and all of a shared screen and of a source that
/// has one size, since another slide is as large. Shorter, a small picture would look twice as dear after each key frame, and a slide like a film,
/// and where the line is narrow they would be paused for it; longer, a film that begins on a screen would fill the line for as long.
const SPANS_LONG: usize = 10;

/// What a packet takes on the line beside its payload: IP, UDP, RTP with extensions, and the authentication tag.
const OVERHEAD_BYTES: u64 = 60;

/// Heights of layers that have not told theirs.
const HEIGHTS: [u32; LAYERS] = [180, 360, 720];

/// A picture may be drawn larger than it is by so much, in percent, before the next larger layer is wanted; more saves more
/// and looks softer.
const STRETCH_PERCENT: u32 = 125;

/// A shared screen is wanted so many times as high as it is drawn: a smaller one is legible nowhere but where nobody reads it. More would fill
/// lines for thumbnails.
const SCREEN_CLOSER: u32 = 2;

/// Its state.
#[derive(Default)]
pub(crate) struct Track {
    /// Slides, and now and then a film: another slide is as large as a second of film, and nothing comes after it.
    is_screen: bool,
    heard: Option<Instant>,
    layers: [Incoming; LAYERS],
    /// Of all layers, since he came.
    passed: Passed,
}

#[derive(Default)]
struct Incoming {
    began: Option<Instant>,
    heard: Option<Instant>,
    /// Of its latest picture, and how many there have been.
    timestamp: Option<u32>,
    pictures: u64,
    /// How many each layer had had when its latest packet came.
    pictures_then: [u64; LAYERS],
    /// It comes.
    is_on: bool,
    /// How often it was off, each time soon after the one before, and when that was last.
    stops: u32,
    stopped: Option<Instant>,
    height: Option<u32>,
    holes: Holes,
    /// Of the key frame that came last.
    key: Option<u32>,
    /// Bytes of the latest spans, by span number: of key frames, and of all else.
    keys: [u64; SPANS_LONG],
    spans: [u64; SPANS_LONG],
    span: u64,
}

impl Track {
    /// Of what is shared.
    pub(crate) fn of_screen() -> Self {
        Self { is_screen: true, ..Self::default() }
    }

    /// Packets come.
    pub(crate) fn is_on(&self) -> bool {
        self.heard.is_some()
    }

    /// Takes a packet; says whether the track begins with it, and whether other layers can be sent on than before.
    pub(crate) fn hear(&mut self, layer: Layer, packet: &MediaPacket, now: Instant) -> (bool, bool) {
        let begins = self.heard.replace(now).is_none();
        let incoming = &mut self.layers[layer.index()];
        let bytes = packet.payload.len() as u64 + OVERHEAD_BYTES;
        self.passed.came += 1;
        self.passed.bytes = Some(self.passed.bytes.unwrap_or_default() + bytes);
        // What is sent again of a layer that was off since is no sign of it.
        if incoming.holes.is_late(packet.seq) {
            return (begins, false);
        }
        let is_late = incoming.heard.is_some_and(|at| now.saturating_duration_since(at) > LAYER_IDLE);
        let layer_begins = !std::mem::replace(&mut incoming.is_on, true) || is_late;
        let mut layers_change = layer_begins && incoming.is_offered(now);
        if forward::starts_keyframe(packet) {
            incoming.key = Some(packet.timestamp);
        }
        incoming.count(bytes, incoming.key == Some(packet.timestamp), layer_begins, now);
        incoming.pictures += u64::from(incoming.timestamp.replace(packet.timestamp) != Some(packet.timestamp));
        self.passed.missed += incoming.holes.arrived(packet.seq);
        if let Some((_, height)) = forward::picture_size(packet) {
            incoming.height = Some(height.into());
        }
        let pictures: [u64; LAYERS] = std::array::from_fn(|index| self.layers[index].pictures);
        self.layers[layer.index()].pictures_then = pictures;
        // The smaller ones have fewer pictures where little is left for them, and go on.
        for larger in &mut self.layers[layer.index() + 1..] {
            if !self.is_screen && larger.is_missed(pictures[layer.index()], layer, now) {
                larger.stop(now);
                layers_change = true;
            }
        }
        (begins, layers_change)
    }

    /// True when it has just ended.
    pub(crate) fn look_for_end(&mut self, now: Instant) -> bool {
        self.heard.is_some_and(|at| now.saturating_duration_since(at) > TRACK_IDLE) && self.end()
    }

    /// It comes no more, or to nobody; true where it did.
    pub(crate) fn end(&mut self) -> bool {
        let was_on = self.is_on();
        *self = Self { is_screen: self.is_screen, passed: self.passed, ..Self::default() };
        was_on
    }

    /// What comes from now on comes by another connection.
    pub(crate) fn renew(&mut self) {
        *self = Self { is_screen: self.is_screen, heard: self.heard, passed: self.passed, ..Self::default() };
    }

    /// Bits per second of each layer that is sent.
    pub(crate) fn rates(&self, now: Instant) -> [Option<u64>; LAYERS] {
        let latest = self.heard;
        let is_alone = self.layers.iter().filter(|incoming| incoming.began.is_some()).count() == 1;
        let over = if is_alone || self.is_screen { SPANS_LONG } else { SPANS };
        Layer::ALL.map(|layer| {
            let incoming = &self.layers[layer.index()];
            let heard = incoming.heard.filter(|_| incoming.is_on && incoming.is_offered(now))?;
            let behind = latest.is_some_and(|latest| latest.saturating_duration_since(heard) > LAYER_IDLE);
            (!behind).then(|| incoming.rate(over, now))
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

    /// The smallest layer that looks sharp at this height in pixels. What is written on a screen is looked at closely.
    pub(crate) fn enough(&self, height: u32) -> Layer {
        let height = if self.is_screen { SCREEN_CLOSER * height } else { height };
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
    /// It has come for as long as it must, considering how often it was off.
    fn is_offered(&self, now: Instant) -> bool {
        let Some(stopped) = self.stopped else { return true };
        let is_soon = now.saturating_duration_since(stopped) < SOON;
        let doubled = if is_soon { (self.stops - 1).min(STEADY_DOUBLED_MAX) } else { 0 };
        let steady = STEADY * 2u32.pow(doubled);
        self.began.is_some_and(|began| now.saturating_duration_since(began) >= steady)
    }

    /// A `smaller` layer, which has had so many `pictures`, goes on without it.
    fn is_missed(&self, pictures: u64, smaller: Layer, now: Instant) -> bool {
        let is_quiet = self.heard.is_some_and(|at| now.saturating_duration_since(at) >= WITHOUT);
        self.is_on && is_quiet && pictures - self.pictures_then[smaller.index()] >= PICTURES_WITHOUT
    }

    fn stop(&mut self, now: Instant) {
        let is_soon = self.stopped.replace(now).is_some_and(|at| now.saturating_duration_since(at) < SOON);
        self.stops = if is_soon { self.stops + 1 } else { 1 };
        self.is_on = false;
    }

    fn count(&mut self, bytes: u64, is_key: bool, begins: bool, now: Instant) {
        self.heard = Some(now);
        let began = match self.began.filter(|_| !begins) {
            Some(began) => began,
            None => {
                (self.keys, self.spans, self.span) = ([0; SPANS_LONG], [0; SPANS_LONG], 0);
                *self.began.insert(now)
            }
        };
        let span = (now.saturating_duration_since(began).as_millis() / SPAN.as_millis()) as u64;
        // What lies between was silent.
        for silent in (self.span + 1..=span).rev().take(SPANS_LONG) {
            (self.keys[place(silent)], self.spans[place(silent)]) = (0, 0);
        }
        self.span = span;
        let spans = if is_key { &mut self.keys } else { &mut self.spans };
        spans[place(span)] += bytes;
    }

    /// Over so many spans; what key frames take is spread over the longest time.
    fn rate(&self, over: usize, now: Instant) -> u64 {
        let Some(began) = self.began else { return 0 };
        let elapsed = now.saturating_duration_since(began);
        // The spans reach back to the beginning of the oldest of them.
        let whole = SPAN * (over as u32 - 1);
        let into = Duration::from_millis((elapsed.as_millis() % SPAN.as_millis()) as u64);
        let measured = elapsed.min(whole + into).max(SPAN / 2);
        let latest = (0..=self.span).rev().take(over).map(|span| self.spans[place(span)]);
        let keys = self.keys.iter().sum::<u64>() as f64 / (SPAN * SPANS_LONG as u32).as_secs_f64();
        ((latest.sum::<u64>() as f64 / measured.as_secs_f64() + keys) * 8.0) as u64
    }
}

/// Of a span among those that are kept.
fn place(span: u64) -> usize {
    span as usize % SPANS_LONG
}

#[cfg(test)]
mod tests {
    use media::{Codec, VideoCodec};

    use super::*;

    const Q: Layer = Layer::new(0);
    const F: Layer = Layer::new(2);

    fn packet(bytes: usize) -> MediaPacket {
        picture(bytes, 0)
    }

    fn picture(bytes: usize, timestamp: u32) -> MediaPacket {
        let codec = Codec::Video(VideoCodec::Vp8);
        MediaPacket { codec, seq: 1, timestamp, marker: true, level: None, payload: vec![0; bytes].into() }
    }

    /// Pictures each 40 ms from the first to the second moment, of the small layer, and of the large one where that `comes`; when it could
    /// be sent on, and when not any more.
    fn run(
        track: &mut Track,
        start: Instant,
        ms: std::ops::Range<u64>,
        comes: impl Fn(u64) -> bool,
    ) -> Vec<(u64, bool)> {
        let mut changes = Vec::new();
        let mut was_offered = track.rates(start + Duration::from_millis(ms.start))[F.index()].is_some();
        for ms in ms.step_by(40) {
            let now = start + Duration::from_millis(ms);
            let mut is_told = track.hear(Q, &picture(190, ms as u32 * 90), now).1;
            if comes(ms) {
                is_told |= track.hear(F, &picture(900, ms as u32 * 90), now).1;
            }
            let is_offered = track.rates(now)[F.index()].is_some();
            if was_offered != is_offered {
                changes.push((ms, is_offered));
                assert!(is_told || is_offered, "{ms}: those who watch it wait for another");
            }
            was_offered = is_offered;
        }
        changes
    }

    #[test]
    fn a_layer_that_is_missed_is_off_soon_and_one_that_comes_and_goes_stays_off() {
        let (start, mut track) = (Instant::now(), Track::default());
        // It comes for 400 ms of each two seconds.
        let changes = run(&mut track, start, 0..30_000, |ms| ms % 2_000 < 400);
        assert_eq!(changes, [(0, true), (680, false)]);
        // Then for good.
        let changes = run(&mut track, start, 30_000..60_000, |_| true);
        assert_eq!(changes, [(42_000, true)]);
        // Once more after a long time it is believed sooner.
        let changes = run(&mut track, start, 60_000..80_000, |ms| !(70_000..=71_000).contains(&ms));
        assert_eq!(changes, [(70_280, false), (72_560, true)]);
    }

    #[test]
    fn a_screen_whose_next_slide_takes_a_while_is_on() {
        let (start, mut track) = (Instant::now(), Track::of_screen());
        // The encoder leaves pictures of the large one out until the slide has left.
        let changes = run(&mut track, start, 0..10_000, |ms| ms % 3_000 > 1_000);
        assert_eq!(changes, [(1_040, true)]);
        // What comes no more is missed all the same.
        for ms in (10_000..12_000).step_by(40) {
            track.hear(Q, &picture(190, ms as u32 * 90), start + Duration::from_millis(ms));
        }
        assert!(track.rates(start + Duration::from_secs(12))[F.index()].is_none());
    }

    #[test]
    fn a_small_layer_with_few_pictures_is_on() {
        let (start, mut track) = (Instant::now(), Track::default());
        for ms in (0..5_000).step_by(40) {
            let now = start + Duration::from_millis(ms);
            track.hear(F, &picture(900, ms as u32 * 90), now);
            if ms % 400 == 0 {
                track.hear(Q, &picture(190, ms as u32 * 90), now);
            }
            assert!(track.rates(now).iter().flatten().count() == 2 || ms == 0, "{ms}");
        }
    }

    #[test]
    fn what_is_sent_again_of_a_layer_is_no_sign_of_it() {
        let (start, mut track) = (Instant::now(), Track::default());
        for ms in (0..1_960).step_by(40) {
            let (now, timestamp, seq) = (start + Duration::from_millis(ms), ms as u32 * 90, ms / 40);
            track.hear(Q, &MediaPacket { seq, ..picture(190, timestamp) }, now);
            // Of the large one what was lost comes late, once it is off.
            let seq = if ms < 1_000 { 100 + seq * 2 } else { 101 + (seq - 25) * 2 };
            track.hear(F, &MediaPacket { seq, ..picture(900, timestamp) }, now);
        }
        let rates = track.rates(start + Duration::from_secs(2));
        assert!(rates[Q.index()].is_some() && rates[F.index()].is_none(), "{rates:?}");
    }

    #[test]
    fn a_pause_of_a_busy_computer_and_one_of_all_layers_is_no_end() {
        let (start, mut track) = (Instant::now(), Track::default());
        run(&mut track, start, 0..2_000, |_| true);
        assert_eq!(run(&mut track, start, 2_000..6_000, |ms| ms % 280 < 40), []);
        // No network for a second.
        assert_eq!(run(&mut track, start, 7_000..9_000, |_| true), []);
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

    /// Pictures each 50 ms for six seconds, of a source in so many layers; of the small one each takes what it is said to, from the key frame
    /// on where that is one. Its rate in kbit/s each 50 ms.
    fn rates_of(layers: usize, bytes: impl Fn(u64) -> (usize, bool)) -> Vec<u64> {
        rates_of_track(Track::default(), layers, bytes)
    }

    fn rates_of_track(mut track: Track, layers: usize, bytes: impl Fn(u64) -> (usize, bool)) -> Vec<u64> {
        let start = Instant::now();
        let at = |ms: u64| {
            let now = start + Duration::from_millis(ms);
            let (bytes, is_key) = bytes(ms);
            let mut payload = vec![0; bytes - OVERHEAD_BYTES as usize];
            payload[0] = if is_key { 0x10 } else { 0 };
            track.hear(Q, &MediaPacket { payload: payload.into(), ..picture(0, ms as u32 * 90) }, now);
            if layers > 1 {
                track.hear(F, &picture(900, ms as u32 * 90), now);
            }
            track.rates(now)[Q.index()].unwrap_or_default() / 1_000
        };
        (0..12_000).step_by(50).map(at).collect()
    }

    #[test]
    fn a_key_frame_makes_a_small_layer_look_no_dearer_than_it_is() {
        // 100 kbit/s, and key frames of 96 kbit, the first and two for somebody who lost a picture.
        let rates = rates_of(2, |ms| if [0, 3_000, 4_000].contains(&ms) { (12_000, true) } else { (625, false) });
        let dearest = rates[40..].iter().max().unwrap();
        assert!(*dearest < 165, "{rates:?}");
        // An encoder that sends one each second takes twice as much, and all of it counts.
        let rates = rates_of(2, |ms| if ms % 1_000 == 0 { (12_500, true) } else { (625, false) });
        assert!(rates[100..].iter().all(|rate| (180..220).contains(rate)), "{rates:?}");
    }

    #[test]
    fn a_slide_is_no_film_and_a_film_is_found_out() {
        // 20 kbit/s, and a slide of 2.4 Mbit in six seconds.
        let slide = |ms| if ms == 6_000 { (300_000, false) } else { (125, false) };
        let rates = rates_of(1, slide);
        assert!(rates.iter().all(|rate| *rate < 600), "{rates:?}");
        assert!(rates[225..].iter().all(|rate| *rate < 30), "it is over: {rates:?}");
        // The same of a screen in two sizes; of a camera there are others to give instead.
        assert!(rates_of_track(Track::of_screen(), 2, slide).iter().all(|rate| *rate < 600));
        assert!(rates_of(2, slide).iter().any(|rate| *rate > 1_000));
        let rates = rates_of(1, |ms| if ms >= 6_000 { (12_500, false) } else { (125, false) });
        assert!(rates[160] > 700 && rates[220] > 1_900, "2 Mbit/s: {rates:?}");
        // What is one from the beginning is known at once.
        assert!(rates_of(1, |_| (12_500, false))[10] > 1_800);
    }

    #[test]
    fn another_connection_s_numbers_are_not_late_and_the_picture_stays_until_it_comes() {
        let (start, mut track) = (Instant::now(), Track::default());
        let at = |ms| start + Duration::from_millis(ms);
        track.hear(Q, &MediaPacket { seq: 5_000, ..picture(190, 0) }, at(0));
        let heard = track.passed().came;
        track.renew();
        assert!(track.is_on() && track.rates(at(100)) == [None; LAYERS]);
        let (begins, layers_change) = track.hear(Q, &MediaPacket { seq: 4_900, ..picture(190, 90) }, at(200));
        assert_eq!((begins, layers_change), (false, true));
        assert!(track.rates(at(200))[Q.index()].is_some());
        assert_eq!((track.passed().came, track.passed().missed), (heard + 1, 0));
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

    #[test]
    fn a_screen_is_whole_wherever_it_could_be_read() {
        let mut track = Track::of_screen();
        for (layer, height) in [(Q, 540), (Layer::new(1), 1_080)] {
            track.layers[layer.index()].height = Some(height);
        }
        let check = |height, layer| assert_eq!(track.enough(height), Layer::new(layer), "{height}");
        check(180, 0);
        check(337, 0);
        check(360, 1);
        check(675, 1);
    }
}
