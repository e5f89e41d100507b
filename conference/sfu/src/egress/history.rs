//! What of the sent is kept: packets in case they get lost, and when each left until its arrival is reported. There are hundreds of both
//! for each subscriber, so they are kept small: a packet itself is kept once for all who were sent it, and of how it was sent here only what
//! changes from one to the next.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use media::MediaPacket;

use super::Outgoing;
use crate::{
    forward::Forwarded,
    picture::{self, Ids},
};

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
pub(super) struct History {
    kept: VecDeque<Kept>,
    /// How those that are kept were sent, the earliest first.
    runs: VecDeque<Run>,
    /// The earliest of them, counted since the stream began.
    first_run: u16,
}

/// A packet as it came; or the whole datagram as it left, of a stream that has no other for retransmissions.
struct Kept {
    media: Arc<MediaPacket>,
    at: Stamp,
    run: u16,
    /// It has been sent more than once; `at` is when last.
    is_resent: bool,
}

/// Packets of one source, one layer: what their numbers became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    seq_offset: u64,
    timestamp_offset: u32,
    ids_offset: Option<Ids>,
}

impl Run {
    fn of(packet: &Outgoing) -> Self {
        let Outgoing { media, forwarded, .. } = packet;
        Self {
            seq_offset: forwarded.seq.wrapping_sub(media.seq),
            timestamp_offset: forwarded.timestamp.wrapping_sub(media.timestamp),
            ids_offset: forwarded.ids.and_then(|ids| Some(ids.since(picture::ids(media)?))),
        }
    }

    /// The same, by what no two of one stream have in common; what its pictures are counted by needs reading.
    fn is_of(&self, packet: &Outgoing) -> bool {
        let Outgoing { media, forwarded, .. } = packet;
        self.seq_offset == forwarded.seq.wrapping_sub(media.seq)
            && self.timestamp_offset == forwarded.timestamp.wrapping_sub(media.timestamp)
    }

    fn seq(&self, kept: &Kept) -> u64 {
        kept.media.seq.wrapping_add(self.seq_offset)
    }

    fn forwarded(&self, kept: &Kept) -> Forwarded {
        let ids = self.ids_offset.and_then(|offset| Some(picture::ids(&kept.media)?.after(offset)));
        Forwarded { seq: self.seq(kept), timestamp: kept.media.timestamp.wrapping_add(self.timestamp_offset), ids }
    }
}

/// One of them.
pub(super) struct Found<'a> {
    kept: &'a mut Kept,
    run: Run,
}

impl Found<'_> {
    /// As it was sent.
    pub(super) fn forwarded(&self) -> Forwarded {
        self.run.forwarded(self.kept)
    }

    /// It has been sent more than once.
    pub(super) fn is_resent(&self) -> bool {
        self.kept.is_resent
    }

    /// It was sent again less than so long ago, and is on its way.
    pub(super) fn is_underway(&self, takes: Duration, now: Stamp) -> bool {
        self.kept.is_resent && self.kept.at.age(now) < takes
    }

    /// What is to be sent again now.
    pub(super) fn resend(&mut self, now: Stamp) -> Outgoing {
        (self.kept.is_resent, self.kept.at) = (true, now);
        outgoing(self.kept, self.run)
    }
}

fn outgoing(kept: &Kept, run: Run) -> Outgoing {
    Outgoing { media: Arc::clone(&kept.media), forwarded: run.forwarded(kept), begins_keyframe: false }
}

impl History {
    pub(super) fn keep(&mut self, packet: Outgoing, now: Stamp) {
        self.forget(now);
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        if self.kept.len() == self.kept.capacity() {
            self.kept.reserve_exact(KEPT_STEP);
        }
        if self.runs.back().is_none_or(|run| !run.is_of(&packet)) {
            self.runs.push_back(Run::of(&packet));
        }
        let run = self.first_run.wrapping_add(self.runs.len() as u16 - 1);
        let seq = packet.forwarded.seq;
        let at = self.place(seq);
        if self.kept.get(at).is_some_and(|known| self.seq(known) == seq) {
            return;
        }
        self.kept.insert(at, Kept { media: packet.media, at: now, run, is_resent: false });
    }

    fn run(&self, kept: &Kept) -> Run {
        self.runs[usize::from(kept.run.wrapping_sub(self.first_run))]
    }

    fn seq(&self, kept: &Kept) -> u64 {
        self.run(kept).seq(kept)
    }

    /// Where the packet with this number is, or would be.
    fn place(&self, seq: u64) -> usize {
        self.kept.partition_point(|before| self.seq(before) < seq)
    }

    /// What is too old to be sent again.
    pub(super) fn forget(&mut self, now: Stamp) {
        while self.kept.front().is_some_and(|kept| kept.at.age(now) > KEPT_FOR) {
            self.kept.pop_front();
        }
        // The next packet goes on with the latest of them.
        let latest = self.first_run.wrapping_add(self.runs.len().saturating_sub(1) as u16);
        let first = self.kept.front().map_or(latest, |kept| kept.run);
        self.runs.drain(..usize::from(first.wrapping_sub(self.first_run)));
        self.first_run = first;
    }

    /// How old the latest is.
    pub(super) fn age(&self, now: Stamp) -> Option<Duration> {
        Some(self.kept.back()?.at.age(now))
    }

    pub(super) fn latest(&self) -> Option<Outgoing> {
        let kept = self.kept.back()?;
        Some(outgoing(kept, self.run(kept)))
    }

    /// The latest whose number ends so (RFC 3550 §5.1).
    pub(super) fn get(&mut self, seq: u16) -> Option<Found<'_>> {
        let last = self.seq(self.kept.back()?);
        let wanted = last.checked_sub((last as u16).wrapping_sub(seq).into())?;
        let at = self.place(wanted);
        let run = self.run(self.kept.get(at)?);
        let kept = self.kept.get_mut(at).filter(|kept| run.seq(kept) == wanted)?;
        Some(Found { kept, run })
    }
}

#[cfg(test)]
mod tests {
    use media::{Codec, VideoCodec};

    use super::*;

    /// What came with one number and time leaves with others.
    fn packet(came: u64, seq: u64, timestamp: u32) -> Outgoing {
        let forwarded = Forwarded { seq, timestamp, ids: None };
        let (codec, payload) = (Codec::Video(VideoCodec::H264), [seq as u8].into());
        let media = MediaPacket { codec, seq: came, timestamp: 7, marker: false, level: None, payload };
        Outgoing { media: media.into(), forwarded, begins_keyframe: false }
    }

    #[test]
    fn packets_are_had_again_for_a_second_however_they_came() {
        let began = Instant::now();
        // Shortly before the clock runs over.
        let at = |ms: u64| Stamp::new(began, began + Duration::from_micros(u64::from(u32::MAX) - 300_000 + ms * 1_000));
        let mut history = History::default();
        for (index, seq) in [65_534, 65_536, 65_535, 65_537].into_iter().enumerate() {
            history.keep(packet(seq - 60_000, seq, 0), at(index as u64 * 200));
        }
        for seq in 65_534..=65_537_u64 {
            assert_eq!(history.get(seq as u16).map(|packet| packet.forwarded().seq), Some(seq));
        }
        assert!(history.get(2).is_none() && history.get(60_000).is_none());
        assert_eq!(history.age(at(900)), Some(Duration::from_millis(300)));
        history.forget(at(1_100));
        assert!(history.get(65_534_u64 as u16).is_none() && history.get(65_535).is_some());
    }

    #[test]
    fn whatever_source_a_packet_is_of_it_is_had_again_as_it_was_sent() {
        let (began, mut history) = (Instant::now(), History::default());
        let at = |ms: u64| Stamp::new(began, began + Duration::from_millis(ms));
        // The numbers of three sources, the third of which has those of the first.
        let sources = [(70_000, 1_000, 5), (12, 1_010, 9_000), (70_000, 1_020, 20_000)];
        for (source, (came, seq, timestamp)) in sources.into_iter().enumerate() {
            for n in 0..10 {
                history.keep(packet(came + n, seq + n, timestamp), at(100 * source as u64));
            }
        }
        for (_, seq, timestamp) in sources {
            for seq in seq..seq + 10 {
                let mut found = history.get(seq as u16).unwrap();
                let packet = found.resend(at(300));
                assert_eq!(packet.forwarded, Forwarded { seq, timestamp, ids: None });
                assert_eq!(packet.media.payload[0], seq as u8);
            }
        }
        assert_eq!(history.runs.len(), 3);
        assert_eq!(history.latest().map(|packet| packet.forwarded.seq), Some(1_029));
        history.keep(packet(70_010, 1_030, 20_000), at(1_400));
        assert_eq!((history.kept.len(), history.runs.len()), (1, 1));
        assert_eq!(history.get(1_030).unwrap().forwarded().timestamp, 20_000);
        history.forget(at(9_000));
        history.keep(packet(70_011, 1_031, 20_000), at(9_000));
        assert_eq!((history.kept.len(), history.runs.len()), (1, 1), "it goes on");
        assert_eq!(history.get(1_031).unwrap().forwarded().seq, 1_031);
    }

    // RFC 7741 §4.2
    #[test]
    fn pictures_are_counted_again_as_they_were() {
        let (began, mut history) = (Instant::now(), History::default());
        let vp8 = |seq: u64, picture_id: u16, sent: Ids| {
            let [high, low] = (picture_id | 0x8000).to_be_bytes();
            let (codec, payload) = (Codec::Video(VideoCodec::Vp8), [0x90, 0xe0, high, low, 250, 0x20, 0].into());
            let media = MediaPacket { codec, seq, timestamp: 0, marker: true, level: None, payload };
            let forwarded = Forwarded { seq: seq + 900, timestamp: 0, ids: Some(sent) };
            Outgoing { media: media.into(), forwarded, begins_keyframe: false }
        };
        let ids = |picture_id, tl0_pic_idx| Ids { picture_id, tl0_pic_idx };
        for (seq, came, sent) in [(1, 0x7ffe, ids(5, 4)), (2, 0x7fff, ids(6, 4)), (3, 0, ids(7, 4))] {
            history.keep(vp8(seq, came, sent), Stamp::new(began, began));
            assert_eq!(history.get(seq as u16 + 900).unwrap().forwarded().ids, Some(sent));
        }
        assert_eq!(history.runs.len(), 1);
    }

    #[test]
    fn what_is_sent_again_is_underway_for_as_long_as_that_takes() {
        let (began, takes) = (Instant::now(), Duration::from_millis(100));
        let at = |ms: u64| Stamp::new(began, began + Duration::from_millis(ms));
        let mut history = History::default();
        history.keep(packet(7, 7, 0), at(0));
        let is_underway = |history: &mut History, ms| history.get(7).unwrap().is_underway(takes, at(ms));
        assert!(!is_underway(&mut history, 50), "the first may be lost sooner than that");
        history.get(7).unwrap().resend(at(50));
        assert!(is_underway(&mut history, 149) && !is_underway(&mut history, 150));
    }

    #[test]
    fn what_comes_twice_is_kept_once() {
        let (began, mut history) = (Instant::now(), History::default());
        for seq in [7, 9, 8, 9, 7] {
            history.keep(packet(seq, seq, 7), Stamp::new(began, began));
        }
        assert_eq!(history.kept.iter().map(|kept| kept.media.seq).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn no_more_are_kept_than_may_be() {
        let (began, mut history) = (Instant::now(), History::default());
        for seq in 0..2_000 {
            history.keep(packet(seq, seq, 7), Stamp::new(began, began));
        }
        assert_eq!((history.kept.len(), history.kept.capacity()), (KEPT, KEPT));
        assert!(size_of::<Kept>() <= 16, "{}", size_of::<Kept>());
    }
}
