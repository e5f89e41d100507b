//! Puts packets in order and gives one a tick, late enough that most have come and no later.
//!
//! Frames are counted by their timestamps, so that a pause of the sender (discontinuous transmission) is no loss.
//! The delay grows when a packet comes after its time, and shrinks when for two seconds each one has come earlier than was
//! needed by more than a tick.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use media::{AudioCodec, TICK};

/// Frames held before the first one plays. One would stumble over every hiccup of a loaded network; three is 20 ms more
/// that nobody needs on a good one.
const DELAY_START: u64 = 2;

/// The most frames kept: half a second, the longest delay with which people can still talk.
const DELAY_MAX: u64 = 25;

/// Ticks over which each frame must have come too early before one is dropped.
const SHRINK_TICKS: u32 = 100;

/// How much earlier than it plays the latest frame is to come: a loaded sender's hiccups are shorter. What is more than this and
/// a tick is delay that nobody needs.
const SPARE: Duration = Duration::from_millis(5);

/// Missing ticks in a row after which the sender is taken to have stopped.
const CONCEAL_MAX: u32 = 5;

/// Sequence numbers remembered against doubled packets.
const REMEMBERED: usize = 128;

/// What plays in a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// One payload of 20 ms.
    Packet(Arc<[u8]>),
    /// One that should have been there; the one after it, where that is.
    Lost {
        /// May carry redundancy.
        next: Option<Arc<[u8]>>,
    },
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

/// The buffer of one stream.
pub struct JitterBuffer {
    ticks_per_frame: u32,
    frames: BTreeMap<u64, Frame>,
    seen: VecDeque<(u64, u64)>,
    newest: Option<(u64, u64)>,
    last_timestamp: Option<(u32, u64)>,
    state: State,
    stats: JitterStats,
}

struct Frame {
    seq: u64,
    payload: Arc<[u8]>,
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
    /// How long the frame waited that waited least in this window, and the window's age.
    wait_least: Duration,
    window: u32,
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
            ticks_per_frame: codec.ticks_per_frame(),
            frames: BTreeMap::new(),
            seen: VecDeque::new(),
            newest: None,
            last_timestamp: None,
            state: State::Waiting,
            stats: JitterStats::default(),
        }
    }

    /// Takes one packet's payload.
    pub fn insert(&mut self, seq: u64, timestamp: u32, payload: Arc<[u8]>, now: Instant) {
        self.insert_part(seq, 0, timestamp, payload, now);
    }

    /// Takes one 20 ms part of a longer packet.
    pub fn insert_part(&mut self, seq: u64, part: u64, timestamp: u32, payload: Arc<[u8]>, now: Instant) {
        // What is newer than all so far is no double: the usual case.
        let is_new = self.newest.replace(self.newest.map_or((seq, part), |newest| newest.max((seq, part))));
        let is_new = is_new.is_none_or(|newest| newest < (seq, part));
        if !is_new && self.seen.contains(&(seq, part)) {
            self.stats.doubled += 1;
            return;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((seq, part));
        let Some(number) = self.frame_number(timestamp) else { return };
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
        self.frames.insert(number, Frame { seq, payload, at: now });
        if self.frames.len() as u64 > DELAY_MAX {
            self.skip_ahead();
        }
    }

    /// Gives what plays now; call it once in 20 ms.
    pub fn pull(&mut self, now: Instant) -> Pulled {
        let Some((&first, _)) = self.frames.first_key_value() else { return self.underrun() };
        let last = self.frames.last_key_value().map_or(first, |(number, _)| *number);
        let playing = match &mut self.state {
            State::Playing(playing) => playing,
            State::Waiting if last - first + 1 >= DELAY_START => {
                self.state = State::Playing(Playing::at(first));
                return self.pull(now);
            }
            State::Waiting => {
                // One packet alone waits its turn, then plays: a sender may say one word.
                self.state = State::Playing(Playing::at(first));
                return Pulled::Nothing;
            }
        };
        if let Some(frame) = self.frames.remove(&playing.next) {
            playing.played = Some((playing.next, frame.seq));
            playing.next += 1;
            playing.missing = 0;
            if playing.should_shrink(now.saturating_duration_since(frame.at))
                && self.frames.remove(&playing.next).is_some()
            {
                playing.next += 1;
                self.stats.dropped += 1;
            }
            return Pulled::Packet(frame.payload);
        }
        let upcoming = self.frames.range(playing.next..).next();
        let paused = match (upcoming, playing.played) {
            // The packet after the last one is here and belongs later: nobody sent anything between.
            (Some((_, frame)), Some((_, played))) => frame.seq == played + 1,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let next = self.frames.get(&(playing.next + 1)).map(|frame| Arc::clone(&frame.payload));
        playing.next += 1;
        if paused || playing.missing >= CONCEAL_MAX {
            return Pulled::Nothing;
        }
        playing.missing += 1;
        self.stats.concealed += 1;
        Pulled::Lost { next }
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        self.stats
    }

    fn underrun(&mut self) -> Pulled {
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
            self.frames.clear();
            self.state = State::Waiting;
            self.last_timestamp = Some((timestamp, FIRST_FRAME));
            return Some(FIRST_FRAME);
        }
        let frame = number.checked_add_signed(frames)?;
        if frame > number {
            self.last_timestamp = Some((timestamp, frame));
        }
        Some(frame)
    }

    /// Too much has come: play from where the delay is short again.
    fn skip_ahead(&mut self) {
        let keep_from = self.frames.last_key_value().map_or(0, |(last, _)| last.saturating_sub(DELAY_START));
        let kept = self.frames.split_off(&keep_from);
        self.stats.dropped += self.frames.len() as u64;
        self.frames = kept;
        if let State::Playing(playing) = &mut self.state {
            playing.next = playing.next.max(keep_from);
        }
    }
}

impl Playing {
    fn at(next: u64) -> Self {
        Self { next, played: None, missing: 0, wait_least: Duration::MAX, window: 0 }
    }

    /// True when for a whole window every frame has waited a tick longer than it should.
    fn should_shrink(&mut self, waited: Duration) -> bool {
        self.wait_least = self.wait_least.min(waited);
        self.window += 1;
        if self.window < SHRINK_TICKS {
            return false;
        }
        let shrink = self.wait_least > TICK + SPARE;
        self.window = 0;
        self.wait_least = Duration::MAX;
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
                buffer.insert(number, number as u32 * 160, vec![number as u8].into(), now);
            }
            played.push(match buffer.pull(now) {
                Pulled::Packet(payload) => payload[0].to_string(),
                Pulled::Lost { .. } => "x".to_owned(),
                Pulled::Nothing => ".".to_owned(),
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
    fn a_lost_packet_is_told_and_the_next_shown() {
        let mut buffer = JitterBuffer::new(AudioCodec::Opus);
        let now = Instant::now();
        for number in [0u64, 1, 3, 4] {
            buffer.insert(number, number as u32 * 960, vec![number as u8].into(), now);
        }
        assert_eq!(buffer.pull(now), Pulled::Packet([0].into()));
        assert_eq!(buffer.pull(now), Pulled::Packet([1].into()));
        assert_eq!(buffer.pull(now), Pulled::Lost { next: Some([3].into()) });
        assert_eq!(buffer.pull(now), Pulled::Packet([3].into()));
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
                0 | 1 => buffer.insert(u64::from(tick), tick * 960, [1].into(), now),
                26 | 27 => buffer.insert(u64::from(tick) - 24, tick * 960, [2].into(), now),
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
            buffer.insert(number, number as u32 * 160, [0; 4].into(), Instant::now());
        }
        assert!(buffer.frames.len() as u64 <= DELAY_MAX + 1 && buffer.seen.len() <= REMEMBERED);
    }

    #[test]
    fn timestamps_wrap() {
        let mut buffer = JitterBuffer::new(AudioCodec::Pcma);
        let now = Instant::now();
        let start = u32::MAX - 160 * 3;
        let mut played = 0;
        for number in 0..20u32 {
            buffer.insert(u64::from(number), start.wrapping_add(number * 160), [0; 4].into(), now);
            played += u32::from(matches!(buffer.pull(now), Pulled::Packet(_)));
        }
        assert_eq!(played, 19);
    }
}
