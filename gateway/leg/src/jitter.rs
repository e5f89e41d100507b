//! Puts packets in order and gives one a tick, late enough that most have come and no later.
//!
//! Frames are counted by their timestamps, so that a pause of the sender (discontinuous transmission) is no loss.
//! The delay grows when a packet comes after its time, and shrinks when for two seconds each one has come earlier than was
//! needed by more than a tick.

use std::time::{Duration, Instant};

use media::{AudioCodec, AudioLevel, SeenNumbers, TICK};

/// Frames held before the first one plays. One would stumble over every hiccup of a loaded network; three is 20 ms more
/// that nobody needs on a good one.
const DELAY_START: u64 = 2;

/// The most frames kept: half a second, the longest delay with which people can still talk.
const DELAY_MAX: u64 = 25;

/// Places for frames, by their number: a power of two above [`DELAY_MAX`].
const PLACES: usize = 32;

/// Ticks over which each frame must have come too early before one is dropped.
const SHRINK_TICKS: u32 = 100;

/// How much earlier than it plays the latest frame is to come: a loaded sender's hiccups are shorter. What is more than this and
/// a tick is delay that nobody needs.
const SPARE: Duration = Duration::from_millis(5);

/// Missing ticks in a row after which the sender is taken to have stopped.
const CONCEAL_MAX: u32 = 5;

/// What plays in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled<'a> {
    /// One payload of 20 ms, and how loud it is where its bytes tell that.
    Packet(&'a [u8], Option<AudioLevel>),
    /// One that should have been there; the one after it, where that is.
    Lost {
        /// May carry redundancy.
        next: Option<&'a [u8]>,
    },
    /// The sender is silent, and silence sounds like this (RFC 3389) until the next packet.
    ComfortNoise(&'a [u8]),
    /// The sender is silent.
    Nothing,
}

/// Counts of a buffer's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Came after their time and were not played.
    pub late: u64,
    /// Came twice.
    pub doubled: u64,
    /// Were concealed.
    pub concealed: u64,
    /// Were dropped to shorten the delay.
    pub dropped: u64,
}

/// The buffer of one stream. It allocates nothing once it has held as many frames as it ever holds.
pub struct JitterBuffer {
    codec: AudioCodec,
    ticks_per_frame: u32,
    places: Box<[Option<Frame>; PLACES]>,
    /// How many of them are taken, and the lowest and highest number among those.
    held: usize,
    lowest: u64,
    highest: u64,
    /// Numbers that have come. What is older than can be remembered is too late to play anyway.
    came: SeenNumbers,
    /// A number far from all others that came last.
    suspect: Option<u64>,
    /// What plays now, and payloads that wait to be filled again.
    current: Vec<u8>,
    spare: Vec<Vec<u8>>,
    last_timestamp: Option<(u32, u64)>,
    state: State,
    stats: JitterStats,
}

struct Frame {
    number: u64,
    seq: u64,
    payload: Vec<u8>,
    /// Measured when it comes: a tick later its bytes are far from the processor again.
    level: Option<AudioLevel>,
    at: Instant,
}

enum State {
    /// Nothing plays until enough has come.
    Waiting,
    Playing(Playing),
}

struct Playing {
    /// The frame of the next tick.
    next: u64,
    /// The last frame and packet that were played.
    played: Option<(u64, u64)>,
    missing: u32,
    /// How long the frames waited that waited least and most in this window, and the window's age.
    wait_least: Duration,
    wait_most: Duration,
    window: u32,
    /// The most in the window before.
    wait_before: Duration,
}

/// Frame numbers begin here, so that earlier ones can come.
const FIRST_FRAME: u64 = 1 << 32;

/// A timestamp further off than this many frames begins a new count: a restarted sender.
const JUMP_MAX: i64 = 3_000;

impl JitterBuffer {
    /// For payloads of 20 ms of this codec.
    #[must_use]
    pub fn new(codec: AudioCodec) -> Self {
        Self {
            codec,
            ticks_per_frame: codec.ticks_per_frame(),
            places: Box::new([const { None }; PLACES]),
            held: 0,
            lowest: 0,
            highest: 0,
            came: SeenNumbers::default(),
            suspect: None,
            current: Vec::new(),
            spare: Vec::new(),
            last_timestamp: None,
            state: State::Waiting,
            stats: JitterStats::default(),
        }
    }

    /// Takes one payload of 20 ms, a packet's or a part of a longer packet's.
    pub fn insert(&mut self, seq: u64, timestamp: u32, payload: &[u8], now: Instant) {
        let Some(number) = self.frame_number(timestamp) else { return };
        if self.is_far(number) {
            self.stats.late += 1;
            return;
        }
        if self.holds(number) || self.came.note(number) == Some(true) {
            self.stats.doubled += 1;
            return;
        }
        if let State::Playing(playing) = &mut self.state
            && number < playing.next
        {
            let playable = playing.played.is_none_or(|(played, _)| number > played);
            if !playable || playing.next - number > DELAY_MAX {
                self.stats.late += 1;
                return;
            }
            // It is late but nothing after it has played: from here on all plays that much later.
            playing.next = number;
            playing.window = 0;
            playing.wait_least = Duration::MAX;
        }
        if self.held > 0 && number.saturating_sub(self.lowest) >= DELAY_MAX {
            self.skip_to(number - DELAY_START);
        }
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.clear();
        kept.extend_from_slice(payload);
        let level = AudioLevel::of_payload(self.codec, payload);
        (self.lowest, self.highest) =
            if self.held == 0 { (number, number) } else { (self.lowest.min(number), self.highest.max(number)) };
        self.held += 1;
        self.places[place(number)] = Some(Frame { number, seq, payload: kept, level, at: now });
    }

    /// Gives what plays now; call it once in 20 ms.
    pub fn pull(&mut self, now: Instant) -> Pulled<'_> {
        if self.held == 0 {
            return self.underrun();
        }
        let (first, last) = (self.lowest, self.highest);
        let playing = match &mut self.state {
            State::Playing(playing) => playing,
            State::Waiting => {
                self.state = State::Playing(Playing::at(first));
                if last - first + 1 >= DELAY_START {
                    return self.pull(now);
                }
                // One packet alone waits its turn, then plays: a sender may say one word.
                return Pulled::Nothing;
            }
        };
        let next = playing.next;
        if self.places[place(next)].as_ref().is_some_and(|frame| frame.number == next) {
            return self.play(next, now);
        }
        // The packet after the last one is here and belongs later: nobody sent anything between.
        let upcoming = self.places[place(first)].as_ref().filter(|_| first > next).map(|frame| frame.seq);
        let paused = match (upcoming, playing.played) {
            (Some(seq), Some((_, played))) => seq == played + 1,
            (Some(_), None) => true,
            (None, _) => false,
        };
        playing.next += 1;
        if paused || playing.missing >= CONCEAL_MAX {
            return Pulled::Nothing;
        }
        playing.missing += 1;
        self.stats.concealed += 1;
        let after = self.places[place(next + 1)].as_ref().filter(|frame| frame.number == next + 1);
        Pulled::Lost { next: after.map(|frame| frame.payload.as_slice()) }
    }

    fn play(&mut self, number: u64, now: Instant) -> Pulled<'_> {
        let Some(frame) = self.take(number) else { return Pulled::Nothing };
        let unplayed = std::mem::replace(&mut self.current, frame.payload);
        self.keep(unplayed);
        if let State::Playing(playing) = &mut self.state {
            playing.played = Some((number, frame.seq));
            playing.next += 1;
            playing.missing = 0;
            if playing.should_shrink(now.saturating_duration_since(frame.at)) {
                let dropped = self.take(number + 1);
                if let (Some(dropped), State::Playing(playing)) = (dropped, &mut self.state) {
                    playing.next += 1;
                    self.stats.dropped += 1;
                    self.keep(dropped.payload);
                }
            }
        }
        Pulled::Packet(&self.current, frame.level)
    }

    /// How long the frame waited that came soonest, lately: what the buffer adds to the quickest way. None before anything played.
    #[must_use]
    pub fn longest_wait(&self) -> Option<Duration> {
        match &self.state {
            State::Playing(playing) if playing.played.is_some() => Some(playing.wait_most.max(playing.wait_before)),
            State::Playing(_) | State::Waiting => None,
        }
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    fn underrun(&mut self) -> Pulled<'_> {
        let State::Playing(playing) = &mut self.state else { return Pulled::Nothing };
        if playing.played.is_none() || playing.missing >= CONCEAL_MAX {
            if playing.played.is_some() {
                self.state = State::Waiting;
            }
            return Pulled::Nothing;
        }
        playing.next += 1;
        playing.missing += 1;
        self.stats.concealed += 1;
        Pulled::Lost { next: None }
    }

    /// One timestamp far off is a garbled one; two of that place are where the stream now is, and the buffer goes there.
    fn is_far(&mut self, number: u64) -> bool {
        let here = match &self.state {
            _ if self.held > 0 => self.highest,
            State::Playing(playing) => playing.next,
            State::Waiting => return false,
        };
        if here.abs_diff(number) <= DELAY_MAX {
            self.suspect = None;
            return false;
        }
        let again = self.suspect.replace(number).is_some_and(|suspect| suspect.abs_diff(number) <= DELAY_MAX);
        if again {
            self.clear();
        }
        !again
    }

    fn take(&mut self, number: u64) -> Option<Frame> {
        let frame = self.places[place(number)].take_if(|frame| frame.number == number)?;
        self.held -= 1;
        if self.held > 0 && number == self.lowest {
            self.lowest = (number + 1..=self.highest).find(|next| self.holds(*next)).unwrap_or(self.highest);
        } else if self.held > 0 && number == self.highest {
            self.highest = (self.lowest..number).rev().find(|next| self.holds(*next)).unwrap_or(self.lowest);
        }
        Some(frame)
    }

    fn holds(&self, number: u64) -> bool {
        self.places[place(number)].as_ref().is_some_and(|frame| frame.number == number)
    }

    fn keep(&mut self, mut payload: Vec<u8>) {
        if payload.capacity() > 0 && self.spare.len() < PLACES {
            payload.clear();
            self.spare.push(payload);
        }
    }

    fn clear(&mut self) {
        for place in self.places.iter_mut() {
            *place = None;
        }
        (self.held, self.came, self.suspect) = (0, SeenNumbers::default(), None);
        self.state = State::Waiting;
    }

    /// The frame a timestamp belongs to, counted without wrapping.
    fn frame_number(&mut self, timestamp: u32) -> Option<u64> {
        let Some((last, number)) = self.last_timestamp else {
            self.last_timestamp = Some((timestamp, FIRST_FRAME));
            return Some(FIRST_FRAME);
        };
        let distance = i64::from(timestamp.wrapping_sub(last).cast_signed());
        // To the nearest frame: senders whose clock starts anew after a pause are not always a whole number off.
        let half = i64::from(self.ticks_per_frame) / 2;
        let frames = (distance + half).div_euclid(i64::from(self.ticks_per_frame));
        if frames.abs() > JUMP_MAX {
            self.clear();
            self.last_timestamp = Some((timestamp, FIRST_FRAME));
            return Some(FIRST_FRAME);
        }
        let frame = number.checked_add_signed(frames)?;
        if frame > number {
            self.last_timestamp = Some((timestamp, frame));
        }
        Some(frame)
    }

    /// Too much has come: play from here, where the delay is short again.
    fn skip_to(&mut self, from: u64) {
        while self.held > 0 && self.lowest < from {
            if let Some(frame) = self.take(self.lowest) {
                self.stats.dropped += 1;
                self.keep(frame.payload);
            }
        }
        if let State::Playing(playing) = &mut self.state {
            playing.next = playing.next.max(from);
        }
    }
}

fn place(number: u64) -> usize {
    (number % PLACES as u64) as usize
}

impl Playing {
    fn at(next: u64) -> Self {
        let (wait_least, wait_most, wait_before) = (Duration::MAX, Duration::ZERO, Duration::ZERO);
        Self { next, played: None, missing: 0, wait_least, wait_most, window: 0, wait_before }
    }

    /// True when for a whole window every frame has waited a tick longer than it should.
    fn should_shrink(&mut self, waited: Duration) -> bool {
        self.wait_least = self.wait_least.min(waited);
        self.wait_most = self.wait_most.max(waited);
        self.window += 1;
        if self.window < SHRINK_TICKS {
            return false;
        }
        let shrink = self.wait_least > TICK + SPARE;
        self.window = 0;
        self.wait_least = Duration::MAX;
        self.wait_before = std::mem::take(&mut self.wait_most);
        shrink
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs ticks; before tick `n` the packets of `arrivals(n)` come. Says what plays: a number, `x` lost, `.` nothing.
    fn play(ticks: u64, arrivals: impl Fn(u64) -> Vec<u64>) -> (Vec<String>, JitterStats) {
        let mut buffer = JitterBuffer::new(AudioCodec::Pcma);
        let mut played = Vec::new();
        let start = Instant::now();
        for tick in 0..ticks {
            let now = start + TICK * tick as u32;
            for number in arrivals(tick) {
                buffer.insert(number, number as u32 * 160, &[number as u8], now);
            }
            played.push(match buffer.pull(now) {
                Pulled::Packet(payload, _) => payload[0].to_string(),
                Pulled::Lost { .. } => "x".to_owned(),
                Pulled::ComfortNoise(_) | Pulled::Nothing => ".".to_owned(),
            });
        }
        (played, buffer.stats())
    }

    #[test]
    fn in_order_plays_in_order_after_a_short_delay() {
        let (played, stats) = play(10, |tick| vec![tick]);
        assert_eq!(played, [".", "0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(stats, JitterStats::default());
    }

    #[test]
    fn the_longest_wait_is_that_of_the_frame_that_came_soonest() {
        let mut buffer = JitterBuffer::new(AudioCodec::Pcma);
        let start = Instant::now();
        assert_eq!(buffer.longest_wait(), None);
        for tick in 0..300u32 {
            // One in ten comes 15 ms later than the others.
            let came = start + TICK * tick - Duration::from_millis(if tick % 10 == 5 { 0 } else { 15 });
            buffer.insert(u64::from(tick), tick * 160, &[0], came);
            buffer.pull(start + TICK * tick);
        }
        assert_eq!(buffer.longest_wait(), Some(TICK + Duration::from_millis(15)));
    }

    #[test]
    fn a_lost_packet_is_told_and_the_next_shown() {
        let mut buffer = JitterBuffer::new(AudioCodec::Opus);
        let now = Instant::now();
        for number in [0u64, 1, 3, 4] {
            buffer.insert(number, number as u32 * 960, &[number as u8], now);
        }
        assert!(matches!(buffer.pull(now), Pulled::Packet(&[0], _)));
        assert!(matches!(buffer.pull(now), Pulled::Packet(&[1], _)));
        assert_eq!(buffer.pull(now), Pulled::Lost { next: Some(&[3]) });
        assert!(matches!(buffer.pull(now), Pulled::Packet(&[3], _)));
    }

    #[test]
    fn swapped_and_doubled_packets_play_once_in_order() {
        let swapped = |tick: u64| match tick {
            4 => vec![5],
            5 => vec![4, 4, 5],
            n => vec![n],
        };
        let (played, stats) = play(10, swapped);
        assert_eq!(played, [".", "0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(stats.doubled, 2);
    }

    #[test]
    fn a_hiccup_makes_the_delay_grow_and_two_calm_seconds_make_it_shrink() {
        // Packets 10, 11 and 12 are held up and come together with 13.
        let hiccup = |tick: u64| match tick {
            10..=12 => vec![],
            13 => vec![10, 11, 12, 13],
            n => vec![n],
        };
        let (played, stats) = play(250, hiccup);
        assert_eq!(stats.late, 0, "{played:?}");
        assert!(stats.concealed <= 3);
        let numbers: Vec<u64> = played.iter().filter_map(|n| n.parse().ok()).collect();
        assert!(numbers[..40].windows(2).all(|pair| pair[1] == pair[0] + 1), "nothing is lost: {numbers:?}");
        assert!(stats.dropped >= 1, "the delay shrinks again");
    }

    #[test]
    fn a_pause_of_the_sender_is_no_loss() {
        let mut buffer = JitterBuffer::new(AudioCodec::Opus);
        let now = Instant::now();
        // Packet 2 follows 1 directly but is half a second later: discontinuous transmission.
        let mut concealed = 0;
        for tick in 0..40u32 {
            match tick {
                0 | 1 => buffer.insert(u64::from(tick), tick * 960, &[1], now),
                26 | 27 => buffer.insert(u64::from(tick) - 24, tick * 960, &[2], now),
                _ => {}
            }
            concealed += u32::from(matches!(buffer.pull(now), Pulled::Lost { .. }));
        }
        assert!(concealed <= 2 * CONCEAL_MAX, "once before the pause, once after the end: {concealed}");
    }

    #[test]
    fn a_flood_stays_bounded() {
        let mut buffer = JitterBuffer::new(AudioCodec::Pcma);
        for number in 0..100_000u64 {
            buffer.insert(number, number as u32 * 160, &[0; 4], Instant::now());
        }
        assert!(buffer.held as u64 <= DELAY_MAX && buffer.spare.len() <= PLACES);
    }

    #[test]
    fn one_garbled_timestamp_is_passed_over_and_a_restarted_clock_is_followed() {
        let jump = |number: u64| match number {
            30 => 1_500 * 160,
            n if n >= 60 => (n + 800) * 160,
            n => n * 160,
        };
        let mut buffer = JitterBuffer::new(AudioCodec::Pcma);
        let start = Instant::now();
        let mut played = Vec::new();
        for tick in 0..120u64 {
            let now = start + TICK * tick as u32;
            buffer.insert(tick, jump(tick) as u32, &[tick as u8], now);
            if let Pulled::Packet(payload, _) = buffer.pull(now) {
                played.push(payload[0]);
            }
        }
        assert!(played.windows(2).all(|pair| pair[1] > pair[0]), "{played:?}");
        assert!(played.len() >= 115, "{} of 120 played: {played:?}", played.len());
    }

    #[test]
    fn timestamps_wrap() {
        let mut buffer = JitterBuffer::new(AudioCodec::Pcma);
        let now = Instant::now();
        let start = u32::MAX - 160 * 3;
        let mut played = 0;
        for number in 0..20u32 {
            buffer.insert(u64::from(number), start.wrapping_add(number * 160), &[0; 4], now);
            played += u32::from(matches!(buffer.pull(now), Pulled::Packet(..)));
        }
        assert_eq!(played, 19);
    }
}
