//! A bad network with a seed, in virtual time: it loses in bursts (Gilbert and Elliott's two states), delays, holds back,
//! swaps, doubles and garbles what a phone sends. The same seed gives the same arrivals.

use std::{net::SocketAddr, time::Instant};

use leg::{Leg, LegConfig};
use media::{AudioCodec, RtpPacket, Ssrc};

pub(crate) const TICK_US: u64 = 20_000;

/// What happens to packets on their way.
#[derive(Clone, Copy, Default)]
pub(crate) struct Line {
    /// Of 1000, in the good state.
    pub(crate) lost: u64,
    /// Of 1000, in the bad state.
    pub(crate) lost_in_burst: u64,
    /// Of 1000 packets in the good state, after how many the bad one begins.
    pub(crate) burst_begins: u64,
    /// Of 1000 packets in the bad state, after how many it ends.
    pub(crate) burst_ends: u64,
    /// Of 1000.
    pub(crate) doubled: u64,
    /// Of 1000.
    pub(crate) garbled: u64,
    /// Of 1000 packets, how many are held up so long that the next two overtake them.
    pub(crate) held: u64,
    /// Of every packet.
    pub(crate) delay_us: u64,
    /// The most a packet is late beyond that, evenly spread.
    pub(crate) jitter_us: u64,
}

impl Line {
    /// The line of the figures: 5 % lost, two in three in bursts, 30 ms of jitter, a few swapped and doubled.
    pub(crate) fn five_percent() -> Self {
        // In the bad state one packet in eighteen: 17/18 · 17 + 1/18 · 600 = 50 of 1000.
        Self {
            lost: 17,
            lost_in_burst: 600,
            burst_begins: 30,
            burst_ends: 500,
            doubled: 5,
            held: 5,
            delay_us: 40_000,
            jitter_us: 30_000,
            ..Self::default()
        }
    }
}

/// A generator with a seed, so that a failure comes again (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }
}

/// When each packet arrives, in microseconds, in order of arrival.
pub(crate) fn carry(packets: impl Iterator<Item = (u64, Vec<u8>)>, line: Line, dice: &mut Dice) -> Vec<(u64, Vec<u8>)> {
    let mut arrivals = Vec::new();
    let mut bad = false;
    for (at, mut bytes) in packets {
        bad = if bad { dice.roll(1000) >= line.burst_ends } else { dice.roll(1000) < line.burst_begins };
        if dice.roll(1000) < if bad { line.lost_in_burst } else { line.lost } {
            continue;
        }
        if dice.roll(1000) < line.garbled {
            let (index, bit) = (dice.roll(bytes.len() as u64) as usize, dice.roll(8));
            bytes[index] ^= 1 << bit;
        }
        let held = if dice.roll(1000) < line.held { 2 * TICK_US + line.jitter_us } else { 0 };
        let mut late = || at + line.delay_us + held + dice.roll(line.jitter_us + 1);
        let (first, second) = (late(), late());
        if dice.roll(1000) < line.doubled {
            arrivals.push((second, bytes.clone()));
        }
        arrivals.push((first, bytes));
    }
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals
}

/// The phone's address.
pub(crate) fn remote() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4000))
}

/// Sound has payload type 8 and keys 101, whatever the codec.
pub(crate) fn leg(codec: AudioCodec, telephone_event: Option<u8>, start: Instant) -> Leg {
    let config = LegConfig { telephone_event, ..LegConfig::new(codec, 8, remote()) };
    Leg::new(config, Ssrc(1), start)
}

pub(crate) fn packet(payload_type: u8, seq: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    RtpPacket { payload_type, marker, seq, timestamp, ssrc: Ssrc(9), payload }.write(&mut bytes);
    bytes
}
