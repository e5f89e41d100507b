//! How much a line carries, by when what was sent over it arrived: Google congestion control
//! (draft-ietf-rmcat-gcc-02), which browsers use too, so that the two share a line fairly. Pure.
//!
//! A queue that grows somewhere shows itself in packets that arrive ever later than they were sent. While it grows less is sent
//! than has lately arrived; while it doesn't, more, up to half as much again as arrives: a line that little is sent over says nothing
//! of more. Probes do: a few packets sent faster on purpose, of which counts how fast they arrived.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::losses::Losses;

/// Packets sent within this are one group: they queue for each other.
const BURST: Duration = Duration::from_millis(5);
/// A group that arrives in one go after waiting somewhere is no longer than this.
const BURST_MAX_MS: f64 = 100.0;

/// The slope of so many delays is looked at, smoothed by so much, and multiplied for the threshold.
const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
const DELTAS_MAX: f64 = 60.0;

/// The threshold, in milliseconds: where it begins and stays between, and how fast it follows up and down.
const THRESHOLD: f64 = 12.5;
const THRESHOLDS: (f64, f64) = (6.0, 600.0);
const FOLLOWS_UP: f64 = 0.0087;
const FOLLOWS_DOWN: f64 = 0.039;
/// What lies further beyond the threshold is a jump and no drift.
const JUMP_MS: f64 = 15.0;
/// A queue must grow for so long.
const OVERUSE_MS: f64 = 10.0;

/// Of what has lately arrived so much is sent after a queue grew.
const BACK_OFF: f64 = 0.85;
/// Who is sent less than so much of what his line is known to carry, and gets it hardly slower than it was sent, has not filled it: a queue that
/// seems to grow then is mostly a moment's jitter, of which one step back is taken.
const FILLS_SHARE: f64 = 0.7;
const FILLS_SLOWER: f64 = 1.1;
/// Growth a second while it is not known what the line carries.
pub(super) const GROWTH: f64 = 1.08;
/// No more than so many times what arrives is believed, and a little.
const BEYOND: f64 = 1.5;
const BEYOND_BPS: f64 = 10_000.0;

/// A line that was once full is taken to carry no more than this until more arrives, and so much of it may be filled only to
/// find out.
const KNOWN_BEYOND: f64 = 1.05;
const KNOWN_FILLED: f64 = 0.9;

/// What arrived is measured over so long.
const ARRIVED: Duration = Duration::from_millis(400);

/// A burst lasts so long, and has so many packets: fewer are as fast as they happen to come.
const BURST_ARRIVED: Duration = Duration::from_millis(100);
const BURST_PACKETS: usize = 8;

/// Of no more packets: what a receiver says of his clock need not be so.
const ARRIVED_MAX: usize = 4_096;

/// Below this is no line.
pub(super) const LEAST_BPS: f64 = 10_000.0;
pub(super) const MOST_BPS: f64 = 100_000_000.0;

/// Over a line that carries less than two thirds of what it did, though no queue has grown for so long, it is tried whether it does again: where
/// little is sent nothing else would tell. Each time in vain that much less is hoped for.
const HOPED_AFTER: Duration = Duration::from_secs(5);
const HOPED_SHARE: f64 = 0.67;
const HOPED_LESS: f64 = 0.8;

/// For so long, and a round trip, a queue is the probe's own and drains by itself.
const PROBE_QUEUES: Duration = Duration::from_millis(300);
/// Arrived packets it takes to believe a probe.
const PROBE_PACKETS: usize = 4;
/// A probe that arrived so much more slowly than it was sent has filled the line.
const PROBE_FILLS: f64 = 0.9;
const PROBE_BELIEVED: f64 = 0.95;
const PROBE_UNEVEN: f64 = 2.0;

/// A packet that a report was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) sent: Instant,
    /// In the receiver's clock; none where it has not come.
    pub(crate) arrived_us: Option<i64>,
    pub(crate) bytes: usize,
    /// The probe it belongs to, from one on.
    pub(crate) probe: u16,
}

/// Packets that were sent together.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Instant,
    last_sent: Instant,
    first_arrived_us: i64,
    last_arrived_us: i64,
}

/// A packet that has arrived. A thousand of them are remembered on a wide line, so they are small.
#[derive(Debug, Clone, Copy)]
struct Arrived {
    at_us: i64,
    /// Since the first was; runs over every 71 minutes.
    sent_us: u32,
    bytes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Under,
    Normal,
    Over,
}

#[derive(Debug)]
pub(crate) struct Estimator {
    rate: f64,
    /// The group that is arriving, and the one before.
    group: Option<Group>,
    before: Option<Group>,
    trend: Trend,
    arrived: VecDeque<Arrived>,
    /// When the first was sent.
    began: Option<Instant>,
    /// What the line was found to carry when it was last full, and how far that varied.
    capacity: Option<(f64, f64)>,
    changed: Option<Instant>,
    decreased: Option<Instant>,
    /// What was carried before a queue last began to grow.
    hoped: f64,
    round_trip: Duration,
    losses: Losses,
    probe: Probe,
    probed: Option<Instant>,
}

impl Estimator {
    pub(crate) fn new(first: f64) -> Self {
        Self {
            rate: first,
            group: None,
            before: None,
            trend: Trend::default(),
            arrived: VecDeque::new(),
            began: None,
            capacity: None,
            changed: None,
            decreased: None,
            hoped: 0.0,
            round_trip: Duration::from_millis(100),
            losses: Losses::default(),
            probe: Probe::default(),
            probed: None,
        }
    }

    /// Bits per second.
    pub(crate) fn rate(&self) -> f64 {
        self.rate.min(self.losses.allowed()).clamp(LEAST_BPS, MOST_BPS)
    }

    /// Bits per second by which no queue grows, whatever gets lost of them.
    pub(crate) fn unfilled(&self) -> f64 {
        self.rate
    }

    /// As if much of what is sent got lost.
    #[cfg(test)]
    pub(super) fn lose(&mut self, now: Instant) {
        self.losses.count(12, 100);
        self.losses.look(self.rate, f64::INFINITY, 0.0, now);
    }

    /// What may be sent only to find out what the line carries, in bits per second: not what is known to fill it.
    pub(crate) fn trial(&self) -> f64 {
        let known = self.capacity.map_or(f64::INFINITY, |(mean, _)| KNOWN_FILLED * mean);
        self.rate().min(known)
    }

    /// As if a queue had grown on a line that carries so many bits per second.
    #[cfg(test)]
    pub(super) fn fill(&mut self, capacity: f64) {
        self.capacity = Some((capacity, 0.1 * capacity));
    }

    /// What the line was found to carry when it was last full, in bits per second.
    pub(crate) fn capacity(&self) -> Option<f64> {
        self.capacity.map(|(mean, _)| mean)
    }

    /// What it may carry again, in bits per second, where that is worth a try.
    pub(crate) fn hoped(&self, now: Instant) -> Option<f64> {
        let is_quiet = self.decreased.is_some_and(|at| now.saturating_duration_since(at) > HOPED_AFTER);
        Some(self.hoped).filter(|hoped| is_quiet && self.rate() < HOPED_SHARE * hoped)
    }

    /// It is tried.
    pub(crate) fn tries_hoped(&mut self) {
        self.hoped *= HOPED_LESS;
    }

    /// A queue grows.
    pub(crate) fn is_overused(&self) -> bool {
        self.trend.found == Use::Over
    }

    /// A probe is sent.
    pub(crate) fn probes(&mut self, now: Instant) {
        self.probed = Some(now);
    }

    pub(crate) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Takes a report about packets in the order they were sent.
    pub(crate) fn report(&mut self, packets: &[Reported], now: Instant) {
        for packet in packets {
            self.losses.count(packet.arrived_us.is_none().into(), 1);
            let Some(arrived_us) = packet.arrived_us else { continue };
            self.forget(arrived_us);
            let began = *self.began.get_or_insert(packet.sent);
            let sent_us = packet.sent.saturating_duration_since(began).as_micros() as u32;
            self.arrived.push_back(Arrived { at_us: arrived_us, sent_us, bytes: packet.bytes as u32 });
            self.delay(packet.sent, arrived_us);
            self.probe.take(packet, arrived_us);
        }
        let Some(latest) = self.arrived.iter().map(|arrived| arrived.at_us).max() else { return };
        self.forget(latest);
        // What arrives is carried, whatever got lost of what was beyond it.
        let arrives = self.arrives().map_or(0.0, |arrives| BACK_OFF * arrives);
        self.losses.look(self.rate, f64::INFINITY, arrives, now);
        let queues = |at| now.saturating_duration_since(at) < PROBE_QUEUES + self.round_trip;
        match self.trend.found {
            Use::Over if self.probed.is_some_and(queues) => {}
            Use::Over => self.decrease(now),
            Use::Under => self.changed = Some(now),
            Use::Normal => self.increase(now),
        }
        if let Some(found) = self.probe.found() {
            self.believe(found, now);
        }
    }

    /// What had arrived too long before this.
    fn forget(&mut self, latest_us: i64) {
        let is_old = |arrived: &Arrived| latest_us - arrived.at_us > ARRIVED.as_micros() as i64;
        while self.arrived.len() > ARRIVED_MAX || self.arrived.front().is_some_and(is_old) {
            self.arrived.pop_front();
        }
    }

    /// Bits per second that lately arrived, or that of a burst where that is more: what is sent in bursts fills a line while one lasts, and the
    /// time before it says nothing of the line. None while too little has arrived.
    fn arrives(&self) -> Option<f64> {
        let last = self.arrived.back()?.at_us;
        let rate = |within: Duration, packets: usize| {
            let from = self.arrived.partition_point(|arrived| last - arrived.at_us > within.as_micros() as i64);
            let us = last - self.arrived.get(from)?.at_us;
            // What arrived with the first took time before it.
            let bytes: u64 = self.arrived.range(from + 1..).map(|arrived| u64::from(arrived.bytes)).sum();
            let is_enough = us >= within.as_micros() as i64 / 4 && self.arrived.len() - from >= packets;
            is_enough.then_some(bytes as f64 * 8e6 / us as f64)
        };
        let (whole, burst) = (rate(ARRIVED, 0)?, rate(BURST_ARRIVED, BURST_PACKETS));
        Some(burst.map_or(whole, |burst| burst.max(whole)))
    }

    /// The line is known to carry much more than what is sent and arrives, as far as can be told.
    fn is_unfilled(&self, arrives: f64) -> bool {
        let Some(((first, last), (mean, _))) = self.arrived.front().zip(self.arrived.back()).zip(self.capacity) else {
            return false;
        };
        let took = (last.at_us - first.at_us) as f64 / 1e6;
        let was_sent_in = f64::from(last.sent_us.wrapping_sub(first.sent_us) as i32) / 1e6;
        arrives < FILLS_SHARE * mean.min(self.rate) && took < FILLS_SLOWER * was_sent_in
    }

    fn delay(&mut self, sent: Instant, arrived_us: i64) {
        let Some(group) = &mut self.group else {
            self.group = Some(Group::new(sent, arrived_us));
            return;
        };
        if group.takes(sent, arrived_us) {
            return;
        }
        let complete = *group;
        *group = Group::new(sent, arrived_us);
        if let Some(before) = self.before.replace(complete) {
            let sent_ms = (complete.last_sent.saturating_duration_since(before.last_sent)).as_secs_f64() * 1e3;
            let arrived_ms = (complete.last_arrived_us - before.last_arrived_us) as f64 / 1e3;
            self.trend.add(sent_ms, arrived_ms, complete.last_arrived_us as f64 / 1e3);
        }
    }

    fn decrease(&mut self, now: Instant) {
        let Some(arrives) = self.arrives() else { return };
        let recently = |at| now.saturating_duration_since(at) < self.round_trip.max(Duration::from_millis(100));
        // What was taken back works after a round trip; only much too much is taken back sooner.
        let is_unfilled = self.is_unfilled(arrives);
        if self.decreased.is_some_and(recently) && (arrives > self.rate / 2.0 || is_unfilled) {
            return;
        }
        if self.decreased.is_none_or(|at| now.saturating_duration_since(at) > HOPED_AFTER) {
            self.hoped = self.rate;
        }
        if is_unfilled {
            self.rate = (BACK_OFF * self.rate).max(believable(arrives)).min(self.rate);
            (self.decreased, self.changed) = (Some(now), Some(now));
            return;
        }
        if let Some((mean, deviation)) = self.capacity
            && (mean - deviation..=mean + 3.0 * deviation).contains(&arrives)
        {
            let mean = 0.95 * mean + 0.05 * arrives;
            self.capacity = Some((mean, (0.9 * deviation + 0.1 * (arrives - mean).abs()).max(0.03 * mean)));
        } else {
            self.capacity = Some((arrives, 0.1 * arrives));
        }
        self.rate = self.rate.min(BACK_OFF * arrives).max(LEAST_BPS);
        (self.decreased, self.changed) = (Some(now), Some(now));
    }

    fn increase(&mut self, now: Instant) {
        let since = self.changed.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let seconds = since.min(Duration::from_secs(1)).as_secs_f64();
        let arrives = self.arrives();
        if let Some(((mean, deviation), arrives)) = self.capacity.zip(arrives)
            && arrives > mean + 3.0 * deviation
        {
            self.capacity = None;
        }
        let grown = if let Some((mean, _)) = self.capacity {
            // About one packet of a picture more in the time it takes to see what comes of it.
            let response = self.round_trip.as_secs_f64() + 0.1;
            let picture = self.rate / 30.0;
            let packet = picture / (picture / (1_200.0 * 8.0)).ceil().max(1.0);
            (self.rate + (packet / response).max(4_000.0) * seconds).min(KNOWN_BEYOND * mean)
        } else {
            self.rate * GROWTH.powf(seconds)
        };
        let beyond = arrives.map_or(self.rate, believable);
        self.rate = grown.min(beyond).max(self.rate).min(MOST_BPS);
    }

    fn believe(&mut self, found: f64, now: Instant) {
        if found > self.rate && self.trend.found != Use::Over {
            self.rate = found.min(MOST_BPS);
            self.changed = Some(now);
            if self.capacity.is_some_and(|(mean, deviation)| found > mean + 3.0 * deviation) {
                self.capacity = None;
            }
        }
    }
}

/// The most that is believed of a line over which so much arrives, in bits per second.
fn believable(arrives: f64) -> f64 {
    BEYOND * arrives + BEYOND_BPS
}

impl Group {
    fn new(sent: Instant, arrived_us: i64) -> Self {
        Self { first_sent: sent, last_sent: sent, first_arrived_us: arrived_us, last_arrived_us: arrived_us }
    }

    /// Takes the packet, if it belongs to the group.
    fn takes(&mut self, sent: Instant, arrived_us: i64) -> bool {
        let together = sent.saturating_duration_since(self.first_sent) < BURST;
        let later_ms = sent.saturating_duration_since(self.last_sent).as_secs_f64() * 1e3;
        let arrived_ms = (arrived_us - self.last_arrived_us) as f64 / 1e3;
        // What had to wait for each other somewhere arrives closer together than it was sent.
        let caught_up = arrived_ms < later_ms
            && arrived_ms < BURST.as_secs_f64() * 1e3
            && ((arrived_us - self.first_arrived_us) as f64 / 1e3) < BURST_MAX_MS;
        let belongs = together || caught_up;
        if belongs {
            self.last_sent = self.last_sent.max(sent);
            self.last_arrived_us = self.last_arrived_us.max(arrived_us);
        }
        belongs
    }
}

/// Whether delays grow.
#[derive(Debug)]
struct Trend {
    accumulated: f64,
    smoothed: f64,
    deltas: f64,
    /// When groups arrived, and their smoothed delays; milliseconds.
    points: VecDeque<(f64, f64)>,
    threshold: f64,
    adapted_ms: Option<f64>,
    over_ms: Option<f64>,
    over_count: usize,
    previous: f64,
    found: Use,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            accumulated: 0.0,
            smoothed: 0.0,
            deltas: 0.0,
            points: VecDeque::new(),
            threshold: THRESHOLD,
            adapted_ms: None,
            over_ms: None,
            over_count: 0,
            previous: 0.0,
            found: Use::Normal,
        }
    }
}

impl Trend {
    fn add(&mut self, sent_ms: f64, arrived_ms: f64, at_ms: f64) {
        self.deltas = (self.deltas + 1.0).min(DELTAS_MAX);
        self.accumulated += arrived_ms - sent_ms;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points.push_back((at_ms, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        let slope = if self.points.len() == WINDOW { self.slope() } else { self.previous };
        self.judge(slope, sent_ms, at_ms);
    }

    /// Of the line through the points with the least squares.
    fn slope(&self) -> f64 {
        let count = self.points.len() as f64;
        let (x, y) = self.points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (x, y) = (x / count, y / count);
        let (over, under) = self.points.iter().fold((0.0, 0.0), |(over, under), point| {
            (over + (point.0 - x) * (point.1 - y), under + (point.0 - x).powi(2))
        });
        if under == 0.0 { self.previous } else { over / under }
    }

    fn judge(&mut self, slope: f64, sent_ms: f64, at_ms: f64) {
        let drift = self.deltas * slope * GAIN;
        if drift > self.threshold {
            let over = self.over_ms.map_or(sent_ms / 2.0, |over| over + sent_ms);
            self.over_ms = Some(over);
            self.over_count += 1;
            if over > OVERUSE_MS && self.over_count > 1 && slope >= self.previous {
                (self.over_ms, self.over_count) = (Some(0.0), 0);
                self.found = Use::Over;
            }
        } else {
            (self.over_ms, self.over_count) = (None, 0);
            self.found = if drift < -self.threshold { Use::Under } else { Use::Normal };
        }
        self.previous = slope;
        let since = self.adapted_ms.replace(at_ms).map_or(0.0, |at| (at_ms - at).clamp(0.0, 100.0));
        if drift.abs() <= self.threshold + JUMP_MS {
            let follows = if drift.abs() < self.threshold { FOLLOWS_DOWN } else { FOLLOWS_UP };
            self.threshold += follows * (drift.abs() - self.threshold) * since;
            self.threshold = self.threshold.clamp(THRESHOLDS.0, THRESHOLDS.1);
        }
    }
}

/// The packets of the latest probe that have arrived.
#[derive(Debug, Default)]
struct Probe {
    number: u16,
    count: usize,
    bytes: usize,
    first_bytes: usize,
    last_bytes: usize,
    sent: Option<(Instant, Instant)>,
    arrived_us: (i64, i64),
    fresh: bool,
}

impl Probe {
    fn take(&mut self, packet: &Reported, arrived_us: i64) {
        if packet.probe == 0 || packet.probe < self.number {
            return;
        }
        if packet.probe > self.number {
            *self = Self { number: packet.probe, ..Self::default() };
        }
        let (first, last) = self.sent.unwrap_or((packet.sent, packet.sent));
        if self.sent.is_none() {
            self.arrived_us = (arrived_us, arrived_us);
        }
        if arrived_us <= self.arrived_us.0 {
            self.first_bytes = packet.bytes;
        }
        if packet.sent >= last {
            self.last_bytes = packet.bytes;
        }
        self.sent = Some((first.min(packet.sent), last.max(packet.sent)));
        self.arrived_us = (self.arrived_us.0.min(arrived_us), self.arrived_us.1.max(arrived_us));
        self.count += 1;
        self.bytes += packet.bytes;
        self.fresh = true;
    }

    /// What the line carries by what has arrived since it was last asked.
    fn found(&mut self) -> Option<f64> {
        if !std::mem::take(&mut self.fresh) || self.count < PROBE_PACKETS {
            return None;
        }
        let (first, last) = self.sent?;
        let sent_s = last.saturating_duration_since(first).as_secs_f64();
        let arrived_s = (self.arrived_us.1 - self.arrived_us.0) as f64 / 1e6;
        if sent_s <= 0.0 || arrived_s <= 0.0 {
            return None;
        }
        let sent = (self.bytes - self.last_bytes) as f64 * 8.0 / sent_s;
        let arrived = (self.bytes - self.first_bytes) as f64 * 8.0 / arrived_s;
        if arrived > PROBE_UNEVEN * sent {
            return None;
        }
        Some(if arrived < PROBE_FILLS * sent { PROBE_BELIEVED * arrived } else { sent.min(arrived) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with a queue, and its estimator that is told every 50 ms.
    struct Line {
        start: Instant,
        now_ms: u64,
        bps: f64,
        /// Of each packet.
        bytes: usize,
        free_us: i64,
        /// Each packet comes so much later, by when it is sent, both in milliseconds.
        later: fn(u64) -> u64,
        estimator: Estimator,
        reports: Vec<Reported>,
    }

    impl Line {
        fn new(bps: f64) -> Self {
            let start = Instant::now();
            let estimator = Estimator::new(1_000_000.0);
            Self { start, now_ms: 0, bps, bytes: 1_000, free_us: 0, later: |_| 0, estimator, reports: Vec::new() }
        }

        /// Sends so much, evenly, for so long.
        fn send(&mut self, ms: u64, rate: impl Fn(f64) -> f64) {
            let mut owed = 0.0;
            for _ in 0..ms {
                self.now_ms += 1;
                let sent = self.start + Duration::from_millis(self.now_ms);
                owed += rate(self.estimator.rate()) / 8e3;
                let bytes = self.bytes;
                let takes_us = (bytes as f64 * 8e6 / self.bps) as i64;
                while owed >= bytes as f64 {
                    owed -= bytes as f64;
                    let at = self.now_ms as i64 * 1_000;
                    self.free_us = self.free_us.max(at) + takes_us;
                    let arrives = self.free_us + 20_000 + 1_000 * (self.later)(self.now_ms) as i64;
                    let lost = self.free_us - at > 500_000;
                    let arrived_us = (!lost).then_some(arrives);
                    if lost {
                        self.free_us -= takes_us;
                    }
                    self.reports.push(Reported { sent, arrived_us, bytes, probe: 0 });
                }
                if self.now_ms.is_multiple_of(50) {
                    let is_due = |packet: &Reported| {
                        packet.arrived_us.is_none_or(|at| at <= self.now_ms as i64 * 1_000 - 20_000)
                    };
                    let (due, later) = self.reports.drain(..).partition(is_due);
                    self.reports = later;
                    let due: Vec<_> = due;
                    self.estimator.report(&due, sent);
                }
            }
        }
    }

    #[test]
    fn a_wide_line_is_believed_up_to_half_as_much_again_as_it_carries() {
        let mut line = Line::new(50e6);
        line.send(20_000, |_| 2_000_000.0);
        let rate = line.estimator.rate();
        assert!((2_500_000.0..3_100_000.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_full_line_is_found_and_followed_down() {
        let mut line = Line::new(3e6);
        line.send(30_000, |rate| rate);
        let rate = line.estimator.rate();
        assert!((2_000_000.0..3_300_000.0).contains(&rate), "{rate}");
        line.bps = 500_000.0;
        line.send(1_000, |rate| rate);
        let rate = line.estimator.rate();
        assert!(rate < 700_000.0, "a second later {rate}");
        line.send(10_000, |rate| rate);
        let rate = line.estimator.rate();
        assert!((300_000.0..600_000.0).contains(&rate), "then {rate}");
    }

    #[test]
    fn a_line_that_is_known_is_not_taken_for_less_because_little_that_is_sent_over_it_jitters() {
        let mut line = Line::new(300_000.0);
        line.send(10_000, |rate| rate);
        let known = line.estimator.rate();
        (line.bytes, line.later) = (150, |ms| (ms % 600) / 12);
        let mut least = known;
        let mut overused = 0;
        for _ in 0..200 {
            line.send(50, |_| 80_000.0);
            least = least.min(line.estimator.rate());
            overused += usize::from(line.estimator.is_overused());
        }
        println!("{known}, then {least}; {overused} of 200 times it seemed full");
        assert!(overused > 0, "there is nothing to be taken for a queue");
        assert!(least > 100_000.0, "{least} of {known}");
        // It has become narrow indeed.
        (line.bps, line.later) = (60_000.0, |_| 0);
        line.send(4_000, |_| 80_000.0);
        let rate = line.estimator.rate();
        assert!(rate < 70_000.0, "{rate}");
    }

    #[test]
    fn what_a_line_carried_is_hoped_for_again_a_few_times() {
        let mut line = Line::new(3e6);
        line.send(20_000, |rate| rate);
        let now = |line: &Line| line.start + Duration::from_millis(line.now_ms);
        line.bps = 300_000.0;
        line.send(5_000, |rate| rate);
        assert_eq!(line.estimator.hoped(now(&line)), None, "queues grow");
        line.bps = 3e6;
        line.send(8_000, |_| 100_000.0);
        let mut hoped = Vec::new();
        while let Some(rate) = line.estimator.hoped(now(&line)) {
            hoped.push(rate);
            line.estimator.tries_hoped();
        }
        assert!(hoped[0] > 1_500_000.0 && (3..12).contains(&hoped.len()), "{hoped:?}");
    }

    #[test]
    fn a_clock_that_leaps_costs_no_memory() {
        let start = Instant::now();
        let mut estimator = Estimator::new(1_000_000.0);
        for number in 0..20_000_i64 {
            let arrived_us = Some(if number % 7_000 == 0 { i64::from(u32::MAX) * 1_000 } else { 1_000 * number });
            let sent = start + Duration::from_millis(number as u64);
            estimator.report(&[Reported { sent, arrived_us, bytes: 1_000, probe: 0 }], sent);
        }
        assert!(estimator.arrived.len() <= ARRIVED_MAX + 1);
        assert!(estimator.rate().is_finite());
    }

    #[test]
    fn few_losses_say_nothing_and_many_a_full_line() {
        let start = Instant::now();
        let mut estimator = Estimator::new(1_000_000.0);
        let mut told = |share: u64, from: u64| {
            for number in from..from + 1_000 {
                let sent = start + Duration::from_millis(number);
                let arrived_us = (number % share != 0).then_some(number as i64 * 1_000);
                estimator.report(&[Reported { sent, arrived_us, bytes: 100, probe: 0 }], sent);
            }
            estimator.rate()
        };
        assert!(told(20, 0) >= 1_000_000.0);
        assert!(told(4, 1_000) < 1_000_000.0);
        // 600 kbit/s arrive.
        for from in 2..20 {
            assert!(told(4, from * 1_000) > 500_000.0, "what arrives is carried");
        }
    }

    #[test]
    fn a_probe_is_believed_as_it_arrived() {
        let start = Instant::now();
        let probe = |every_us: i64| {
            let packet = |number: i64| Reported {
                sent: start + Duration::from_micros(2_000 * number as u64),
                arrived_us: Some(20_000 + every_us * number),
                bytes: 1_000,
                probe: 1,
            };
            let mut estimator = Estimator::new(1_000_000.0);
            estimator.report(&(0..10).map(packet).collect::<Vec<_>>(), start + Duration::from_millis(40));
            estimator.rate()
        };
        assert!((3_900_000.0..4_100_000.0).contains(&probe(2_000)), "as fast as it was sent");
        assert!((1_800_000.0..2_000_000.0).contains(&probe(4_000)), "half as fast");
        assert_eq!(probe(20_000), 1_000_000.0, "slower than was known before");
    }
}
