//! What a line carries whose receiver doesn't report when packets arrive: what he says himself (REMB, draft-alvestrand-rmcat-remb-03),
//! and what gets lost by his reports (RFC 3550 §6.4.1). Pure.
//!
//! Receivers estimate it as browsers do (draft-ietf-rmcat-gcc-02 §5.5), by what comes: 0.85 of that when a queue grows, and while none does
//! a little more each time, up to half as much again as comes. So what is said is a bound of the line only where it falls below what is
//! sent; said by who is sent little it would be a bound of that little, and by who is sent nothing it is not said at all.

use std::time::{Duration, Instant};

use super::{
    congestion::{GROWTH, LEAST_BPS},
    losses::Losses,
};

/// A line on which a queue grows is said to carry 0.85 of what comes or less, one of which nothing is known yet all that comes: between the
/// two. Receivers count headers or don't. The first that is said is compared with nothing before it, and pictures come in bursts, so that it
/// must be clearly less.
const FULL: f64 = 0.9;
const FULL_AT_FIRST: f64 = 0.7;

/// What is sent is measured over about so long: over the second of receivers, and over less, so that less coming of less being sent is no
/// full line.
const SENT_OVER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// Of what comes a receiver says so much where a queue grows.
const SAID_OF: f64 = 0.85;
/// All that is sent has come where so much of it has: headers count in the one and may not in the other.
const ALL_CAME: f64 = 0.8;
/// Losses of the same time are reported no later.
const CAME_LATELY: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Bound {
    streams: Vec<Stream>,
    /// In bits per second, since the line was full for the first time.
    line: Option<f64>,
    losses: Losses,
    /// Much was lost once: from then on losses say what is carried.
    has_lost: bool,
    /// Bytes that had been sent when it was last looked, and when that was.
    looked: Option<(u64, Instant)>,
    /// The latest that was heard of it allows less than what was before.
    is_falling: bool,
    /// Bits per second that came when he last said that a queue grows, and when that was.
    came: Option<(f64, Instant)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Stream {
    /// Bits per second over each of [`SENT_OVER`], and when that was.
    sent: Option<([f64; 2], Instant)>,
    /// What he said last of it and others together.
    said: Option<f64>,
}

impl Stream {
    /// Bits per second that are sent of it, over each of [`SENT_OVER`].
    fn rates(&self, now: Instant) -> [f64; 2] {
        let Some((rates, at)) = self.sent else { return [0.0; 2] };
        let since = now.saturating_duration_since(at);
        std::array::from_fn(|index| rates[index] * (-since.div_duration_f64(SENT_OVER[index])).exp())
    }

    /// The least of them.
    fn rate(&self, now: Instant) -> f64 {
        let [short, long] = self.rates(now);
        short.min(long)
    }
}

impl Bound {
    /// Bits per second; infinite while nothing is known.
    pub(super) fn rate(&self) -> f64 {
        let lossless = if self.has_lost { self.losses.allowed() } else { f64::INFINITY };
        self.line.unwrap_or(f64::INFINITY).min(lossless)
    }

    /// It is known how much it carries.
    pub(super) fn was_full(&self) -> bool {
        self.line.is_some()
    }

    /// What is sent only to find out whether the line carries it is no more than this: nothing where he doesn't say when it is full
    /// but by losing.
    pub(super) fn trial(&self) -> f64 {
        if self.line.is_some() && !self.is_falling { self.rate() } else { 0.0 }
    }

    /// So many bytes of this stream are sent, with its headers.
    pub(super) fn send(&mut self, stream: usize, bytes: usize, now: Instant) {
        if self.streams.len() <= stream {
            self.streams.resize(stream + 1, Stream::default());
        }
        let stream = &mut self.streams[stream];
        let mut rates = stream.rates(now);
        for (rate, over) in rates.iter_mut().zip(SENT_OVER) {
            *rate += bytes as f64 * 8.0 / over.as_secs_f64();
        }
        stream.sent = Some((rates, now));
    }

    /// He says that the line carries so many bits per second of the streams that he lists. While a key frame is on its way the queue is its own
    /// and drains by itself.
    pub(super) fn say(&mut self, bitrate: u64, is_listed: impl Fn(usize) -> bool, has_keyframe: bool, now: Instant) {
        let said = (bitrate as f64).max(LEAST_BPS);
        let (mut sent, mut beside, mut before) = (0.0, 0.0, None);
        for (index, stream) in self.streams.iter_mut().enumerate() {
            if is_listed(index) {
                sent += stream.rate(now);
                before = stream.said.replace(said).or(before);
            } else {
                beside += stream.rate(now);
            }
        }
        self.is_falling = before.map_or(said < FULL_AT_FIRST * sent, |before| said < before && said < FULL * sent);
        if !self.is_falling {
            self.line = self.line.map(|line| line.max(said + beside));
            return;
        }
        let came = said / SAID_OF;
        self.came = Some((came + beside, now));
        if has_keyframe {
            return;
        }
        // Where all that was sent has come, and a little later, the line carries that: a key frame alone makes a queue for a moment.
        let step = self.line.map_or(0.0, |line| SAID_OF * line);
        let is_moment = came > ALL_CAME * sent;
        self.line = Some(beside + if is_moment { came.max(step - beside) } else { said });
    }

    /// A second has passed in which more was wanted than is known to be carried, and nothing could be sent to find out: he hears of more
    /// only by being sent it.
    pub(super) fn hope(&mut self) {
        if !self.is_falling {
            self.line = self.line.map(|line| line * GROWTH);
        }
    }

    /// Of so many packets more so many were lost, and so many bytes have been sent in all.
    pub(super) fn report(&mut self, lost: u64, all: u64, sent: u64, now: Instant) {
        self.losses.count(lost, all);
        let (before, at) = *self.looked.get_or_insert((sent, now));
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        let rate = (sent - before) as f64 * 8.0 / seconds.max(0.001);
        // What came is carried, whatever got lost of what was beyond it.
        let lately = |(_, at): &(f64, Instant)| now.saturating_duration_since(*at) < CAME_LATELY;
        let came = self.came.filter(lately).map_or(0.0, |(came, _)| SAID_OF * came);
        if let Some(is_lower) = self.losses.look(self.line.unwrap_or(f64::INFINITY), rate, came, now) {
            self.looked = Some((sent, now));
            self.has_lost |= is_lower;
            self.is_falling = is_lower;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report each second on a line that 100 packets of 1,000 bytes are sent over.
    fn report(bound: &mut Bound, start: Instant, seconds: std::ops::Range<u64>, lost: u64) {
        for second in seconds {
            bound.report(lost, 100, 100_000 * (second + 1), start + Duration::from_secs(second + 1));
        }
    }

    #[test]
    fn nothing_is_known_until_he_says_so_or_much_is_lost() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        report(&mut bound, start, 0..5, 5);
        assert_eq!((bound.rate(), bound.trial()), (f64::INFINITY, 0.0));
        report(&mut bound, start, 5..6, 40);
        assert!((630_000.0..650_000.0).contains(&bound.rate()), "of 800,000: {}", bound.rate());
        report(&mut bound, start, 6..30, 0);
        assert!(bound.rate() > 3_000_000.0, "{}", bound.rate());
        assert_eq!(bound.trial(), 0.0, "he would say so only by losing");
    }

    /// For a second, a voice of 40 kbit/s and a picture of so many bits per second; the moment after it.
    fn send(bound: &mut Bound, from: Instant, picture: usize) -> Instant {
        for ms in (0..1_000).step_by(20) {
            let now = from + Duration::from_millis(ms);
            bound.send(0, 100, now);
            bound.send(1, picture / 8 / 50, now);
        }
        from + Duration::from_secs(1)
    }

    /// Of the picture alone.
    fn say(bound: &mut Bound, bitrate: u64, now: Instant) -> f64 {
        bound.say(bitrate, |stream| stream == 1, false, now);
        bound.rate()
    }

    #[test]
    fn what_he_says_is_a_bound_where_it_is_less_than_he_is_sent() {
        let mut bound = Bound::default();
        let about = |kbit: f64| (0.97 * kbit * 1e3)..(1.03 * kbit * 1e3);
        let mut now = send(&mut bound, Instant::now(), 1_000_000);
        assert_eq!(say(&mut bound, 1_000_000, now), f64::INFINITY, "all that comes");
        assert_eq!(bound.trial(), 0.0, "nothing is to be found out");
        now = send(&mut bound, now, 1_000_000);
        assert!(about(290.0).contains(&say(&mut bound, 250_000, now)), "and the voice: {}", bound.rate());
        assert_eq!(bound.trial(), 0.0, "it is full");
        now = send(&mut bound, now, 100_000);
        assert!(about(290.0).contains(&say(&mut bound, 120_000, now)), "of less comes less: {}", bound.rate());
        assert_eq!(bound.trial(), bound.rate());
        now = send(&mut bound, now, 250_000);
        assert!(about(305.0).contains(&say(&mut bound, 265_000, now)), "a little more: {}", bound.rate());
        now = send(&mut bound, now, 500_000);
        assert!(about(310.0).contains(&say(&mut bound, 270_000, now)), "he follows slowly: {}", bound.rate());
        now = send(&mut bound, now, 500_000);
        assert!(about(240.0).contains(&say(&mut bound, 200_000, now)), "{}", bound.rate());
    }

    #[test]
    fn what_he_says_of_each_stream_is_about_that() {
        let mut bound = Bound::default();
        let mut now = Instant::now();
        for (of_voice, of_picture) in [(60_000, 400_000), (55_000, 410_000)] {
            now = send(&mut bound, now, 400_000);
            bound.say(of_voice, |stream| stream == 0, false, now);
            bound.say(of_picture, |stream| stream == 1, false, now);
            assert_eq!(bound.rate(), f64::INFINITY, "neither is less than is sent of it");
        }
        bound.say(200_000, |stream| stream == 1, false, now);
        assert!((230_000.0..245_000.0).contains(&bound.rate()), "{}", bound.rate());
    }

    #[test]
    fn what_he_says_is_lowered_by_what_is_lost() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        let all = |_| true;
        send(&mut bound, start, 1_000_000);
        bound.say(300_000, all, false, start + Duration::from_secs(1));
        assert_eq!(bound.rate(), 300_000.0);
        report(&mut bound, start, 0..2, 20);
        assert_eq!(bound.rate(), 300_000.0, "so much came beside what was lost");
        report(&mut bound, start, 2..4, 20);
        assert!((242_000.0..271_000.0).contains(&bound.rate()), "{}", bound.rate());
        assert_eq!(bound.trial(), 0.0);
        bound.say(400_000, all, false, start + Duration::from_secs(5));
        report(&mut bound, start, 4..24, 0);
        assert_eq!((bound.rate(), bound.trial()), (400_000.0, 400_000.0));
    }

    #[test]
    fn who_cannot_be_sent_more_to_find_out_is_hoped_to_take_it() {
        let (start, mut bound) = (Instant::now(), Bound::default());
        bound.hope();
        assert_eq!(bound.rate(), f64::INFINITY, "nothing is known");
        send(&mut bound, start, 1_000_000);
        bound.say(0, |_| true, false, start + Duration::from_secs(1));
        bound.hope();
        assert_eq!(bound.rate(), LEAST_BPS, "it is full");
        report(&mut bound, start, 0..2, 0);
        (0..40).for_each(|_| bound.hope());
        assert!(bound.rate() > 200_000.0, "{}", bound.rate());
    }
}
