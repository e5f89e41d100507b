//! One participant's receiving side: what he shows, which slot carries what, and how much of it his line takes.

use std::time::{Duration, Instant};

use media::TrackKind;
use model::ParticipantId;
use sfu::{
    Layer, PeerKey, Sfu, Slot, SourceId,
    allocate::{Want, allocate},
};

/// How often it is looked anew what fits, though nothing has been told: cameras change what they send by themselves.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Of the line, so much is left to a voice with all its headers, in bits per second, and to so many of them: more rarely speak
/// at once, and when they do pictures are what gives way.
const VOICE: u64 = 60_000;
const VOICES: usize = 2;

/// For so long after a line was found narrower nothing is sent only to find out whether it is wider: it would be what
/// fills it. Longer would leave pictures small after a short trouble.
const RECOVERY: Duration = Duration::from_secs(3);

/// The second attempt at what once filled the line is made so long after the first, and each further one twice as long after
/// the one before, up to so many times that. Sooner, a line that is just too narrow would be filled again and again; later, one that has
/// become wide would not be found out.
const AGAIN: Duration = Duration::from_secs(6);
const AGAIN_DOUBLED_MAX: u32 = 3;

/// A fall so soon after more was tried than is sent comes of that.
const TRIED: Duration = Duration::from_secs(1);

/// What the line is asked to carry is told anew when it has changed by more than one part in this.
const CHANGE: u64 = 8;

/// A line whose estimate falls by so much, in percent, without a pause has become narrower than what is sent: then less is
/// sent at once. The estimate itself goes down in steps of a twentieth, and would take two seconds to say how narrow. Less of a
/// fall would be taken for it by lines that only waver.
const FALL_PERCENT: u64 = 12;

/// A line that still carries so much of what is sent, in percent, may fall.
const SPARE_PERCENT: u64 = 180;

/// Two steps of one fall are no further apart.
const FALL_STEP: Duration = Duration::from_millis(400);

/// So much of what was sent is then believed to pass, in percent.
const PASSES_PERCENT: u64 = 75;

/// One picture of somebody's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Whose.
    pub participant: ParticipantId,
    /// Camera or screen.
    pub kind: TrackKind,
    /// In pixels of the screen.
    pub width: u32,
    /// In pixels of the screen.
    pub height: u32,
    /// It matters more to who looks than who speaks does.
    pub pinned: bool,
}

impl Shown {
    pub(crate) fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// A picture that goes into a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) owner: ParticipantId,
    pub(crate) kind: TrackKind,
    pub(crate) source: SourceId,
    /// In pixels.
    pub(crate) height: u32,
}

pub(crate) struct Subscriber {
    pub(crate) peer: PeerKey,
    /// Media can flow; a key frame that came before would be lost on him.
    pub(crate) connected: bool,
    pub(crate) slots: Vec<Slot>,
    pub(crate) assigned: Vec<Option<SourceId>>,
    /// Which layer each slot is to carry; nothing for voices.
    layers: Vec<Option<Layer>>,
    /// The pictures in slots, most wanted first.
    pub(crate) order: Vec<Wanted>,
    /// Bits per second; none while it is not known.
    estimate: Option<u64>,
    pub(crate) stale: bool,
    looked: Option<Instant>,
    told: u64,
    /// When the line was last found narrower.
    narrowed: Option<Instant>,
    /// What the estimate was before it began to fall.
    falls_from: u64,
    /// Bits per second of all that is sent.
    sent: u64,
    /// Not all that is wanted fits.
    wants_more: bool,
    /// When more was last tried than is sent, and how much.
    tried: Option<(Instant, u64)>,
    filled: Option<Filled>,
    /// What is believed to pass since the line became narrower, and since when.
    cap: Option<(u64, Instant)>,
}

/// An attempt to send more that filled the line.
#[derive(Debug, Clone, Copy)]
struct Filled {
    /// Bits per second that were tried.
    rate: u64,
    at: Instant,
    /// How often it was tried in vain.
    times: u32,
}

impl Filled {
    fn forbids(self, rate: u64, now: Instant) -> bool {
        let wait = AGAIN * 2u32.pow((self.times - 1).min(AGAIN_DOUBLED_MAX));
        rate >= self.rate - self.rate / CHANGE && now.saturating_duration_since(self.at) < wait
    }
}

impl Subscriber {
    pub(crate) fn new(peer: PeerKey, slots: Vec<Slot>) -> Self {
        let count = slots.len();
        Self {
            peer,
            connected: false,
            slots,
            assigned: vec![None; count],
            layers: vec![None; count],
            order: Vec::new(),
            estimate: None,
            stale: true,
            looked: None,
            told: 0,
            narrowed: None,
            falls_from: 0,
            sent: 0,
            wants_more: false,
            tried: None,
            filled: None,
            cap: None,
        }
    }

    /// The line carries so many bits per second, as far as is known.
    pub(crate) fn set_estimate(&mut self, estimate: Option<u64>, now: Instant) {
        if let Some((new, old)) = estimate.zip(self.estimate).filter(|(new, old)| new < old) {
            let goes_on = self.narrowed.is_some_and(|at| now.saturating_duration_since(at) < FALL_STEP);
            let own = self.tried.filter(|(at, _)| now.saturating_duration_since(*at) < TRIED);
            if !goes_on {
                self.falls_from = old;
                if let Some((_, rate)) = own {
                    let times = self.filled.map_or(0, |filled| filled.times) + 1;
                    self.filled = Some(Filled { rate, at: now, times });
                }
            }
            self.narrowed = Some(now);
            let falls = new * 100 < self.falls_from * (100 - FALL_PERCENT);
            if self.cap.is_none() && falls && own.is_none() && new * 100 < self.sent * SPARE_PERCENT {
                self.cap = Some((self.sent * PASSES_PERCENT / 100, now));
            }
        }
        self.estimate = estimate;
        self.stale = true;
    }

    /// What the slot is to carry.
    pub(crate) fn source(&self, slot: usize) -> Option<(SourceId, Layer)> {
        let source = self.assigned.get(slot).copied().flatten()?;
        Some((source, self.layers.get(slot).copied().flatten().unwrap_or_default()))
    }

    /// Which layer of a picture is sent.
    pub(crate) fn layer_of(&self, wanted: &Wanted) -> Option<Layer> {
        let slot = self.assigned.iter().position(|source| *source == Some(wanted.source))?;
        self.layers.get(slot).copied().flatten()
    }

    /// A wider line would carry more of what is wanted.
    pub(crate) fn wants_more(&self) -> bool {
        self.wants_more && !self.order.is_empty()
    }

    /// What the line carries, in bits per second; none while it is not known.
    pub(crate) fn estimate(&self) -> Option<u64> {
        self.estimate
    }

    /// Another source has come into the slot.
    pub(crate) fn assign(&mut self, slot: usize, source: Option<SourceId>, sfu: &mut Sfu) {
        self.assigned[slot] = source;
        self.layers[slot] = None;
        self.stale = true;
        sfu.assign(self.peer, slot, source);
        if !self.slots[slot].is_audio() {
            // Until it is known what fits.
            sfu.select(self.peer, slot, None);
        }
    }

    /// True when it is time to look what fits.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let looked = |at| now.saturating_duration_since(at) >= LOOK_INTERVAL;
        self.connected && (self.stale || (!self.order.is_empty() && self.looked.is_none_or(looked)))
    }

    /// Shares the line among the pictures; says whose key frames are needed for it. `want` knows what comes in.
    pub(crate) fn allocate(
        &mut self,
        want: impl Fn(&Wanted) -> Want,
        sfu: &mut Sfu,
        now: Instant,
    ) -> Vec<(SourceId, Layer)> {
        (self.stale, self.looked) = (false, Some(now));
        let slot_of = |wanted: &Wanted| self.assigned.iter().position(|source| *source == Some(wanted.source));
        let (slots, wants): (Vec<_>, Vec<_>) = self
            .order
            .iter()
            .filter_map(|wanted| {
                let slot = slot_of(wanted)?;
                Some((slot, Want { now: self.layers[slot], ..want(wanted) }))
            })
            .unzip();
        let heard = self.slots.iter().zip(&self.assigned).filter(|(slot, source)| slot.is_audio() && source.is_some());
        let voices = VOICE * heard.count().min(VOICES) as u64;
        tracing::trace!(?wants, estimate = ?self.estimate, voices, "line is shared");
        self.cap = self.cap.filter(|(_, at)| now.saturating_duration_since(*at) < RECOVERY);
        // There is nothing smaller to go down to than the smallest of what is wanted most: the estimate alone decides about that.
        let smallest = || wants.iter().find_map(Want::smallest).unwrap_or_default();
        let passes = self.cap.map_or(u64::MAX, |(passes, _)| passes.max(voices + smallest()));
        let budget = self.estimate.map(|estimate| estimate.min(passes).saturating_sub(voices));
        let given = allocate(budget, &wants);
        self.sent = given.sum + voices;
        let mut needed = Vec::new();
        for (slot, layer) in slots.into_iter().zip(given.layers) {
            if self.layers[slot] != layer {
                self.layers[slot] = layer;
                sfu.select(self.peer, slot, layer);
                needed.extend(self.assigned[slot].zip(layer));
            }
        }
        let recovers = self.narrowed.is_some_and(|at| now.saturating_duration_since(at) < RECOVERY);
        self.filled = self.filled.filter(|filled| self.sent < filled.rate);
        let is_forbidden = self.filled.is_some_and(|filled| filled.forbids(given.next + voices, now));
        self.wants_more = given.next > given.sum;
        let tries_more = self.wants_more && !recovers && !is_forbidden;
        if tries_more {
            self.tried = Some((now, given.next + voices));
        }
        let told = if tries_more { given.next + voices } else { 0 };
        if told.abs_diff(self.told) > self.told / CHANGE {
            self.told = told;
            sfu.set_minimum(self.peer, told, now);
        }
        needed
    }
}
