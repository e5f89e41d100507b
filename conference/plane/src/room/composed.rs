//! What room systems see: pictures of the meeting that are made once for all of them, in two sizes, and sent to each as a stream of its own.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use leg::{PicturePiece, Sends};
use media::h264;
use model::ParticipantId;
use streaming::{RoomPicture, RoomRates};

use super::{MAIN, Room};
use crate::{LegId, MeetingFact, command::Audience, legs::Legs};

/// Of a packet, what follows its header: with that of RTP, a tag of SRTP's and the headers of UDP and IPv6 it stays below 1,280 bytes, which
/// every way carries (RFC 8200 §5).
const PAYLOAD_BYTES_MAX: usize = 1_200;

/// Key frames are asked for this often at most, for all who want one together: each is a second's worth of bits.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// How many times its rate a picture may be sent at. More would have a key frame's packets stand, or be lost, before the narrowest line on
/// their way; less makes it late.
const PACE: u64 = 4;

/// Packets that wait to be sent, of each size: two key frames at 20 Mbit/s. More come only from who doesn't keep to his rate.
const PIECES_MAX: usize = 2_000;

/// What waits, and what was told.
#[derive(Default)]
pub(super) struct Composed {
    lanes: [Lane; 2],
    told: (RoomRates, Option<ParticipantId>),
}

/// Of one size.
#[derive(Default)]
struct Lane {
    pieces: VecDeque<PicturePiece>,
    /// When a key frame was asked for.
    asked: Option<Instant>,
    /// Some were thrown away: those that follow refer to them, as far as the next that needs no other.
    broken: bool,
}

impl Lane {
    fn take(&mut self, picture: &RoomPicture) {
        self.broken &= !picture.keyframe;
        if self.broken {
            return;
        }
        let mut begins_keyframe = picture.keyframe;
        for unit in &picture.units {
            for payload in h264::payloads(unit, PAYLOAD_BYTES_MAX) {
                let (composed, marker) = (picture.composed, false);
                self.pieces.push_back(PicturePiece { payload, composed, marker, begins_keyframe });
                begins_keyframe = false;
            }
        }
        if let Some(last) = self.pieces.back_mut() {
            last.marker = true;
        }
        if self.pieces.len() > PIECES_MAX {
            metrics::counter!("plane_composed_dropped").increment(self.pieces.len() as u64);
            self.pieces.clear();
            self.broken = true;
        }
    }

    /// What goes in this tick of 20 ms, where so many thousand bits a second were agreed on.
    fn next(&mut self, kbit: u32) -> impl Iterator<Item = PicturePiece> {
        let bytes = u64::from(kbit) * PACE * 20 / 8;
        let packets = bytes.div_ceil(PAYLOAD_BYTES_MAX as u64).max(2) as usize;
        self.pieces.drain(..packets.min(self.pieces.len()))
    }
}

impl Room {
    /// A picture that is made for room systems.
    pub(crate) fn take_composed(&mut self, picture: &RoomPicture) {
        self.composed.lanes[usize::from(picture.is_large)].take(picture);
    }

    /// Sends what is due to those of these legs that see the meeting; who is in a breakout room doesn't: it is the main room's.
    pub(super) fn send_composed(&mut self, of: &[(ParticipantId, LegId)], legs: &mut Legs, now: Instant) {
        if of.is_empty() && self.composed.told == <(RoomRates, Option<ParticipantId>)>::default() {
            return;
        }
        let here = of.iter().filter(|(who, _)| self.members.get(who).is_some_and(|member| member.part == MAIN));
        let seeing: Vec<(ParticipantId, LegId, Sends)> =
            here.filter_map(|(who, leg)| Some((*who, *leg, legs.sends_pictures(*leg)?))).collect();
        self.tell_who_sees(&seeing);
        for is_large in [false, true] {
            let kbit = self.composed.told.0.of(is_large);
            let lane = &mut self.composed.lanes[usize::from(is_large)];
            if kbit == 0 {
                *lane = Lane::default();
                continue;
            }
            let to = || seeing.iter().filter(|(.., sends)| sends.is_large == is_large).map(|(_, leg, _)| *leg);
            for piece in lane.next(kbit) {
                to().for_each(|leg| legs.send_picture(leg, &piece));
            }
            let is_soon = lane.asked.is_some_and(|asked| now.saturating_duration_since(asked) < KEYFRAME_INTERVAL);
            let is_wanted = lane.broken || to().any(|leg| legs.wants_keyframe(leg));
            // What waits to be sent may have one.
            let is_coming = lane.pieces.iter().any(|piece| piece.begins_keyframe);
            if let Some(feed) = self.studios.feed_of(Audience::Rooms).filter(|_| is_wanted && !is_soon && !is_coming) {
                feed.want_keyframe(is_large);
                lane.asked = Some(now);
            }
        }
    }

    /// Whoever makes the pictures is told which of them somebody sees, and what the narrowest line of each size carries.
    fn tell_who_sees(&mut self, seeing: &[(ParticipantId, LegId, Sends)]) {
        let kbit = |large: bool| {
            let of_size = seeing.iter().filter(|(.., sends)| sends.is_large == large);
            of_size.map(|(.., sends)| sends.bits_per_second / 1_000).min().unwrap_or_default()
        };
        let rates = RoomRates { large_kbit: kbit(true), small_kbit: kbit(false) };
        let alone = if let [(who, ..)] = seeing { Some(*who) } else { None };
        if self.composed.told != (rates, alone) && self.facts.try_send(MeetingFact::RoomsSee { rates, alone }).is_ok() {
            self.composed.told = (rates, alone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(keyframe: bool, units: &[usize]) -> RoomPicture {
        let units = units.iter().map(|bytes| vec![0x41; *bytes].into()).collect();
        RoomPicture { is_large: true, keyframe, composed: Instant::now(), units }
    }

    // product: R1
    #[test]
    fn a_key_frame_goes_over_some_ticks_and_its_last_packet_is_marked() {
        let mut lane = Lane::default();
        lane.take(&picture(true, &[20, 5, 60_000]));
        lane.take(&picture(false, &[900, 800]));
        let mut ticks = Vec::new();
        let mut sent: Vec<PicturePiece> = Vec::new();
        while !lane.pieces.is_empty() {
            let now: Vec<_> = lane.next(2_000).collect();
            ticks.push(now.len());
            sent.extend(now);
        }
        assert_eq!(ticks, [17, 17, 17, 4], "four times 2 Mbit/s");
        let marked: Vec<_> = sent.iter().enumerate().filter(|(_, piece)| piece.marker).map(|(at, _)| at).collect();
        let begins: Vec<_> =
            sent.iter().enumerate().filter(|(_, piece)| piece.begins_keyframe).map(|(at, _)| at).collect();
        assert_eq!((marked, begins), (vec![52, 54], vec![0]));
    }

    // reliability: A10
    #[test]
    fn what_is_too_much_is_thrown_away_as_far_as_the_next_key_frame() {
        let mut lane = Lane::default();
        (0..3).for_each(|_| lane.take(&picture(true, &[PAYLOAD_BYTES_MAX * 900])));
        assert!(lane.broken && lane.pieces.is_empty());
        lane.take(&picture(false, &[5]));
        assert!(lane.pieces.is_empty(), "it refers to what was thrown away");
        lane.take(&picture(true, &[5]));
        lane.take(&picture(false, &[5]));
        assert_eq!((lane.pieces.len(), lane.broken), (2, false));
    }
}
