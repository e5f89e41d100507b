//! How the network does between us and each participant: counted with every packet, judged every two seconds.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use media::TrackKind;
use model::ParticipantId;
use sfu::{Layer, SourceId};

/// How often it is judged: a hundred packets of a voice. Less would be luck, more would tell people late.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Packets without which nothing is said of loss: a browser in silence sends five in that time.
const PACKETS_MIN: u64 = 20;

/// What people complain of: of a voice with so much loss syllables are missing, at such a round trip they talk over each other,
/// such a jitter is more than buffers hold, and so narrow a line carries no picture beside the voices.
const LOSS_POOR: f64 = 0.08;
const ROUND_TRIP_POOR_MS: f64 = 600.0;
const JITTER_POOR_MS: f64 = 120.0;
const LINE_POOR: u64 = 250_000;

/// Looks in a row after which a network is poor, and after which it is good again: one burst of loss is no poor network, and
/// a sign that comes and goes is none.
const LOOKS_UNTIL_POOR: u32 = 2;
const LOOKS_UNTIL_GOOD: u32 = 3;

/// A jump in numbers beyond this is a new beginning and no loss.
const JUMP_MAX: u64 = 1_000;

/// What goes one way, in the latest two seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WayQuality {
    /// Packets that did not come at first, of all, 0 to 1; none where too few were sent to say. What was missing may have been sent again.
    pub loss: Option<f64>,
    /// Of a voice (RFC 3550 §6.4.1), in milliseconds.
    pub jitter_ms: f64,
    /// Of all media, in bits per second; none of telephones.
    pub bitrate: Option<u64>,
}

/// A layer of a picture, or a voice, that somebody sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackQuality {
    /// Of which track.
    pub kind: TrackKind,
    /// From 0, the smallest.
    pub layer: usize,
    /// In pixels; none for a voice, and where the picture has not told.
    pub height: Option<u32>,
    /// Bits per second.
    pub bitrate: u64,
}

/// A picture somebody's page shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureQuality {
    /// Whose.
    pub participant: ParticipantId,
    /// Camera or screen.
    pub kind: TrackKind,
    /// Which of its layers he is sent, from 0, the smallest; none while his line carries none.
    pub layer: Option<usize>,
}

/// What somebody's browser has seen of pictures that stood still, since it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freezes {
    /// How often.
    pub count: u32,
    /// How long in all, in milliseconds.
    pub ms: u64,
}

/// What somebody's browser has said of freezes, as far as it can be: a page can say anything, and what it says goes into the figures of all.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    said: Freezes,
    /// When that was, and how long pictures can have stood still besides by then.
    at: Option<(Instant, Duration)>,
    counted: Freezes,
}

impl Frozen {
    /// Less than it takes a picture to freeze once: three usual pictures, or 150 ms more than one.
    const SHORTEST: Duration = Duration::from_millis(150);

    /// What is said is of about so long at most: browsers say it every few seconds, while it changes.
    const SINCE: Duration = Duration::from_secs(10);

    /// He says so, to whom so many pictures are sent; how many more there have been. Where he says less than before, he has begun anew.
    pub(crate) fn hear(&mut self, said: Freezes, pictures: u32, now: Instant) -> u32 {
        let room_max = Self::SINCE * pictures;
        let room = self.at.map_or(room_max, |(at, left)| {
            room_max.min(left + now.saturating_duration_since(at).min(Self::SINCE) * pictures)
        });
        let before = std::mem::replace(&mut self.said, said);
        let is_anew = said.count < before.count || said.ms < before.ms;
        let before = if is_anew { Freezes::default() } else { before };
        let ms = (said.ms - before.ms).min(room.as_millis() as u64);
        let count_max = room.as_millis() / Self::SHORTEST.as_millis();
        let count = (said.count - before.count).min(count_max.try_into().unwrap_or(u32::MAX));
        let taken = (Self::SHORTEST * count).max(Duration::from_millis(ms));
        self.at = Some((now, room.saturating_sub(taken)));
        self.counted.count = self.counted.count.saturating_add(count);
        self.counted.ms += ms;
        count
    }

    pub(crate) fn counted(&self) -> Freezes {
        self.counted
    }
}

/// Pictures of somebody's page that came to us and for which his line had no room, since he came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pauses {
    /// How often one was left out.
    pub count: u32,
    /// How long in all, in milliseconds; two at once count twice.
    pub ms: u64,
}

/// Everything about one participant's network.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Whose.
    pub participant: ParticipantId,
    /// He will have noticed.
    pub is_poor: bool,
    /// To him and back, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// From him to us.
    pub up: WayQuality,
    /// From us to him.
    pub down: WayQuality,
    /// What his line is taken to carry, in bits per second.
    pub estimate: Option<u64>,
    /// What he sends.
    pub tracks: Vec<TrackQuality>,
    /// What he is sent.
    pub pictures: Vec<PictureQuality>,
    /// As his browser says.
    pub freezes: Freezes,
    /// What he was not sent.
    pub pauses: Pauses,
}

/// Which pictures somebody's line has no room for, and which it had none for.
#[derive(Debug, Default)]
pub(crate) struct Paused {
    since: BTreeMap<SourceId, Instant>,
    past: Pauses,
}

impl Paused {
    /// It has no room for these, and for all others there is, or nobody wants them. True where that was otherwise before.
    pub(crate) fn look(&mut self, paused: &[SourceId], now: Instant) -> bool {
        let is_other = paused.len() != self.since.len() || !paused.iter().all(|source| self.is(*source));
        let past = &mut self.past;
        self.since.retain(|source, since| {
            let goes_on = paused.contains(source);
            past.ms += if goes_on { 0 } else { lasted(*since, now) };
            goes_on
        });
        for source in paused {
            self.since.entry(*source).or_insert_with(|| {
                past.count += 1;
                metrics::counter!("plane_picture_pauses").increment(1);
                now
            });
        }
        is_other
    }

    /// There is no room for it.
    pub(crate) fn is(&self, source: SourceId) -> bool {
        self.since.contains_key(&source)
    }

    /// So far.
    pub(crate) fn pauses(&self, now: Instant) -> Pauses {
        let ms = self.since.values().map(|since| lasted(*since, now)).sum::<u64>();
        Pauses { ms: self.past.ms + ms, ..self.past }
    }
}

fn lasted(since: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(since).as_millis() as u64
}

/// Packets of one stream as they come: what is missing at first, though it may be sent again.
#[derive(Debug, Default)]
pub(crate) struct Holes {
    highest: Option<u64>,
}

impl Holes {
    /// It is older than the newest: it was overtaken, or sent again.
    pub(crate) fn is_late(&self, seq: u64) -> bool {
        self.highest.is_some_and(|highest| seq < highest && highest - seq <= JUMP_MAX)
    }

    /// A packet has come; how many are missing right before it.
    pub(crate) fn arrived(&mut self, seq: u64) -> u64 {
        let Some(highest) = self.highest else {
            self.highest = Some(seq);
            return 0;
        };
        let ahead = seq.saturating_sub(highest);
        self.highest = Some(if highest.abs_diff(seq) > JUMP_MAX { seq } else { highest.max(seq) });
        if ahead > JUMP_MAX { 0 } else { ahead.saturating_sub(1) }
    }
}

/// What has gone one way since the beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Passed {
    pub(crate) came: u64,
    pub(crate) missed: u64,
    /// None where they are not counted.
    pub(crate) bytes: Option<u64>,
}

impl Passed {
    pub(crate) fn plus(self, other: Self) -> Self {
        let bytes = self.bytes.into_iter().chain(other.bytes).reduce(u64::wrapping_add);
        Self { came: self.came + other.came, missed: self.missed + other.missed, bytes }
    }

    /// Since an earlier look; counters of a new connection begin anew.
    fn since(self, before: Self) -> Self {
        let grown = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self {
            came: grown(self.came, before.came),
            // What came late after all is not missing.
            missed: self.missed.saturating_sub(before.missed),
            bytes: self.bytes.map(|bytes| grown(bytes, before.bytes.unwrap_or_default())),
        }
    }

    fn loss(self) -> Option<f64> {
        let all = self.came + self.missed;
        (all >= PACKETS_MIN).then(|| self.missed as f64 / all as f64)
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    pub(crate) up: Passed,
    pub(crate) up_jitter_ms: f64,
    pub(crate) down: Passed,
    pub(crate) down_jitter_ms: f64,
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) estimate: Option<u64>,
    /// Packets of pictures that were held back because his browser reports nothing.
    pub(crate) withheld: u64,
    /// Packets that were asked for again and not sent: they would have been too large a part of all.
    pub(crate) refused: u64,
    /// His page shows pictures that would be larger, or there at all, on a wider line.
    pub(crate) wants_more: bool,
}

/// One participant's network over time.
#[derive(Debug, Default)]
pub(crate) struct Network {
    before: Look,
    up: WayQuality,
    down: WayQuality,
    /// Looks in a row that say otherwise than what is told.
    otherwise: u32,
    poor: Option<Poor>,
}

impl Network {
    /// Looks anew; what it has become, where that is another than it was.
    pub(crate) fn look(&mut self, look: Look) -> Option<bool> {
        let before = std::mem::replace(&mut self.before, look);
        let way = |now: Passed, before: Passed, jitter_ms| {
            let passed = now.since(before);
            let bitrate = passed.bytes.map(|bytes| (bytes as f64 * 8.0 / LOOK_INTERVAL.as_secs_f64()) as u64);
            WayQuality { loss: passed.loss(), jitter_ms, bitrate }
        };
        self.up = way(look.up, before.up, look.up_jitter_ms);
        self.down = way(look.down, before.down, look.down_jitter_ms);
        self.measure();
        let is_bad = |way: &WayQuality| way.loss.is_some_and(|loss| loss > LOSS_POOR || way.jitter_ms > JITTER_POOR_MS);
        let is_active = self.up.loss.is_some() || self.down.loss.is_some();
        let is_far = is_active && look.round_trip_ms.is_some_and(|ms| ms > ROUND_TRIP_POOR_MS);
        let is_narrow = look.wants_more && look.estimate.is_some_and(|estimate| estimate < LINE_POOR);
        let is_poor = is_bad(&self.up) || is_bad(&self.down) || is_far || is_narrow;
        if is_poor == self.is_poor() {
            self.otherwise = 0;
            return None;
        }
        self.otherwise += 1;
        if self.otherwise < if is_poor { LOOKS_UNTIL_POOR } else { LOOKS_UNTIL_GOOD } {
            return None;
        }
        self.otherwise = 0;
        self.poor = is_poor.then(Poor::new);
        Some(is_poor)
    }

    pub(crate) fn is_poor(&self) -> bool {
        self.poor.is_some()
    }

    /// Up and down.
    pub(crate) fn ways(&self) -> [WayQuality; 2] {
        [self.up, self.down]
    }

    pub(crate) fn latest(&self) -> &Look {
        &self.before
    }

    fn measure(&self) {
        // A label that isn't written out costs memory each time.
        let up = [
            metrics::histogram!("plane_loss_ratio", "way" => "up"),
            metrics::histogram!("plane_jitter_seconds", "way" => "up"),
            metrics::histogram!("plane_bitrate", "way" => "up"),
        ];
        let down = [
            metrics::histogram!("plane_loss_ratio", "way" => "down"),
            metrics::histogram!("plane_jitter_seconds", "way" => "down"),
            metrics::histogram!("plane_bitrate", "way" => "down"),
        ];
        for ([loss_ratio, jitter_seconds, bitrate], way) in [(up, &self.up), (down, &self.down)] {
            let Some(loss) = way.loss else { continue };
            loss_ratio.record(loss);
            jitter_seconds.record(way.jitter_ms / 1e3);
            if let Some(bits) = way.bitrate {
                bitrate.record(bits as f64);
            }
        }
        if let Some(ms) = self.before.round_trip_ms {
            metrics::histogram!("plane_round_trip_seconds").record(ms / 1e3);
        }
    }
}

/// For how many looks, and seconds with them, pictures were sent in which layer.
pub(crate) fn measure_picture(layer: Option<Layer>) {
    let seconds = match layer.map(Layer::index) {
        None => metrics::counter!("plane_picture_seconds", "layer" => "none"),
        Some(0) => metrics::counter!("plane_picture_seconds", "layer" => "small"),
        Some(1) => metrics::counter!("plane_picture_seconds", "layer" => "middle"),
        Some(_) => metrics::counter!("plane_picture_seconds", "layer" => "large"),
    };
    seconds.increment(LOOK_INTERVAL.as_secs());
}

/// One in `plane_networks_poor`, until it is dropped.
#[derive(Debug)]
struct Poor;

impl Poor {
    fn new() -> Self {
        metrics::gauge!("plane_networks_poor").increment(1);
        Self
    }
}

impl Drop for Poor {
    fn drop(&mut self) {
        metrics::gauge!("plane_networks_poor").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Look = Look {
        up: Passed { came: 0, missed: 0, bytes: None },
        up_jitter_ms: 2.0,
        down: Passed { came: 0, missed: 0, bytes: None },
        down_jitter_ms: 2.0,
        round_trip_ms: Some(30.0),
        estimate: Some(2_000_000),
        withheld: 0,
        refused: 0,
        wants_more: true,
    };

    /// What is told after each of these looks.
    fn told(looks: &[(u32, fn(&mut Look))]) -> Vec<Option<bool>> {
        let (mut network, mut look, mut told) = (Network::default(), GOOD, Vec::new());
        for (times, change) in looks {
            for _ in 0..*times {
                look = Look { up: look.up, down: look.down, ..GOOD };
                look.up.came += 100;
                look.down.came += 400;
                change(&mut look);
                told.push(network.look(look));
            }
        }
        told
    }

    #[test]
    fn a_burst_is_no_poor_network_and_what_lasts_is_until_it_has_passed() {
        let lossy: fn(&mut Look) = |look| look.down.missed += 60;
        let calm: fn(&mut Look) = |_| {};
        assert!(told(&[(3, calm), (1, lossy), (5, calm)]).iter().all(Option::is_none));
        let expected = [None, None, Some(true), None, None, None, Some(false), None];
        assert_eq!(told(&[(1, calm), (3, lossy), (4, calm)]), expected);
    }

    #[test]
    fn each_trouble_counts() {
        let check = |change: fn(&mut Look)| assert_eq!(told(&[(2, change)]), [None, Some(true)]);
        check(|look| look.up.missed += 10);
        check(|look| look.down.missed += 40);
        check(|look| look.up_jitter_ms = 150.0);
        check(|look| look.round_trip_ms = Some(700.0));
        check(|look| look.estimate = Some(200_000));
        let fine = |change: fn(&mut Look)| assert_eq!(told(&[(5, change)]), [None; 5]);
        fine(|look| look.up.missed += 5);
        fine(|look| (look.estimate, look.wants_more) = (Some(200_000), false));
        // Nobody talks to him: whatever the last figures say, he notices nothing.
        fine(|look| {
            (look.up.came, look.down.came) = (0, 0);
            (look.round_trip_ms, look.up_jitter_ms) = (Some(700.0), 500.0);
        });
    }

    #[test]
    fn a_picture_that_is_left_out_counts_once_and_for_as_long_as_it_is() {
        let (start, mut paused) = (Instant::now(), Paused::default());
        let at = |ms| start + Duration::from_millis(ms);
        let [one, other] = [1, 2].map(SourceId::from);
        for (ms, left_out) in [(0, &[][..]), (1_000, &[one]), (1_500, &[one, other]), (2_000, &[other])] {
            paused.look(left_out, at(ms));
        }
        assert_eq!(paused.pauses(at(3_000)), Pauses { count: 2, ms: 1_000 + 1_500 });
        paused.look(&[], at(3_000));
        paused.look(&[one], at(9_000));
        assert_eq!(paused.pauses(at(9_250)), Pauses { count: 3, ms: 2_750 });
    }

    #[test]
    fn no_more_freezes_are_counted_than_there_can_have_been() {
        let (start, mut frozen) = (Instant::now(), Frozen::default());
        let mut hear = |seconds, count, ms| frozen.hear(Freezes { count, ms }, 2, start + Duration::from_secs(seconds));
        let heard = [
            hear(0, 3, 900),
            hear(0, 5, 2_100),
            // His page was loaded anew.
            hear(10, 2, 400),
            hear(15, 2, 400),
            // Nonsense, over and over: two pictures have stood for ten seconds at most, then for three, and for no time at all.
            hear(30, u32::MAX, u64::MAX),
            hear(33, 0, 0),
            hear(33, u32::MAX, 0),
            hear(33, 0, u64::MAX),
        ];
        assert_eq!(heard, [3, 2, 2, 0, 133, 0, 40, 0]);
        assert_eq!(frozen.counted(), Freezes { count: 180, ms: 2_100 + 400 + 20_000 });
    }

    #[test]
    fn what_is_sent_again_was_missing_and_a_new_beginning_is_no_loss() {
        let mut holes = Holes::default();
        let missing: Vec<_> = [10, 11, 14, 12, 13, 15, 5_000, 5_001, 3].map(|seq| holes.arrived(seq)).into();
        assert_eq!(missing, [0, 0, 2, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn counters_that_begin_anew_count() {
        let before = Passed { came: 1_000, missed: 50, bytes: Some(9_000) };
        let now = Passed { came: 100, missed: 0, bytes: Some(500) };
        assert_eq!(now.since(before).loss(), Some(0.0));
        assert_eq!(now.since(before).bytes, Some(500));
    }
}
