//! What one subscriber is sent: his packets numbered, kept for when they get lost, paced, protected, and reported about.
//!
//! A packet goes from the publisher's worker's turn straight into the buffer that the system is given. Only pictures wait, and
//! only when more came at once than the line takes. Pure but for the ciphers; bytes and time in, bytes out.

mod agreed;
mod bound;
pub(crate) mod congestion;
pub(crate) mod header;
mod history;
mod keyframe;
mod losses;
mod probing;
pub(crate) mod reports;
mod stream;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use media::MediaPacket;

use crate::{LinePassed, Outbox, Remote, forward::Forwarded, picture, srtp::Srtp};
pub(crate) use agreed::{PayloadType, StreamConfig};
use bound::Bound;
use congestion::{Estimator, Reported};
use header::{Extensions, HEADER_BYTES_MAX, Header};
use history::Stamp;
use keyframe::KeyFrame;
use probing::Probing;
use reports::{Arrivals, Report, Sent};
use stream::Stream;

/// What a line is taken to carry until it is known, in bits per second: enough for voices and small pictures. Twice as
/// much would be too much for a poor line before it says so; half would show good ones small pictures for longer.
const ESTIMATE_AT_FIRST: f64 = 1_000_000.0;

/// How much of what is sent may be retransmissions: beyond it the line is full, and more would fill it further.
const RESENT_SHARE: f64 = 0.15;
/// Over about so long.
const RESENT_OVER: f64 = 1.0;

/// Who asks again for what was sent again less than a round trip ago, or this, or this where that takes longer, has not waited for it: browsers
/// ask each tenth of a second, which takes longer on a full line.
const RESENT_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// Packets remembered until it is reported when they arrived, and how long: nobody talks over a line that takes longer.
const REMEMBERED: usize = 2_048;
const REMEMBERED_FOR: Duration = Duration::from_secs(2);

/// Pictures leave this much faster than the line is thought to carry on average, as browsers have it: what is faster would queue
/// on the line, what is slower would come late.
const PACE: f64 = 2.5;
/// The same of what it was found to carry when it was last full: beyond that the line's own queue grows, which loses what ours keeps.
const PACE_KNOWN: f64 = 0.85;
/// So much of it may leave at once.
const BURST_S: f64 = 0.040;
/// What left when the line was thought to be wider stands in its queue no longer than about so long: the rest of it is lost.
const DEBT_S: f64 = 0.3;
/// Pictures wait no longer than about so long, whatever the line is thought to carry, and no more packets than so many.
const WAIT_S: f64 = 1.0;
const WAITING_MAX: usize = 1_024;

/// IP and UDP.
const LOWER_HEADERS: usize = 28;

/// Who was sent something for so long and has reported the arrival of nothing is sent no more pictures but one packet now and then, to hear
/// whether he is back: browsers report many times a second. Less would take a short break of the network for it.
const DEAF_AFTER: Duration = Duration::from_secs(5);
const DEAF_TRIED: Duration = Duration::from_millis(200);

/// What he said of a voice is true for so long: he says it about once a second while it is sent.
const JITTER_FRESH: Duration = Duration::from_secs(8);

/// A voice of which he reports more lost than one in so many is sent twice for so long, each packet with the next (RFC 2198), where
/// his line carries so many bits per second before a queue grows, whatever gets lost of them. Less loss is left to the decoder, which makes up for
/// a packet here and there; on a narrower line twice as much sound would lose what it is to save.
const DOUBLED_LOSS: u64 = 50;
const DOUBLED_FOR: Duration = Duration::from_secs(10);
const DOUBLED_BPS: f64 = 250_000.0;

/// How often streams are reported on (RFC 3550 §6.2): pictures are matched to voices by it.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// An estimate is told when it has changed by so much.
const TOLD_CHANGE: f64 = 0.02;

/// From 1900 to 1970 (RFC 5905 §6).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// One packet on its way to a slot.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// As it came: all receivers share it.
    pub(crate) media: Arc<MediaPacket>,
    pub(crate) forwarded: Forwarded,
    /// It begins a picture that needs no other.
    pub(crate) begins_keyframe: bool,
}

/// What a subscriber's reports come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Said {
    /// The slot can't go on without a key frame.
    Keyframe(usize),
    /// His line carries so much.
    Estimate(u64),
}

/// A packet that is remembered until it is reported.
#[derive(Debug, Clone, Copy)]
struct Remembered {
    at: Stamp,
    bytes: u16,
    probe: u16,
    is_reported: bool,
    is_missed: bool,
}

struct Waiting {
    slot: usize,
    packet: Outgoing,
    is_resent: bool,
}

/// How a packet is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Itself,
    Resent,
    /// Nothing but so many bytes.
    Blank(usize),
}

pub(crate) struct Egress {
    srtp: Srtp,
    /// Which of our addresses, and which of his.
    route: (SocketAddr, Remote),
    /// What all streams have in common.
    name: String,
    streams: Vec<Stream>,
    /// The number of the next packet of the whole transport.
    number: u64,
    remembered: VecDeque<Remembered>,
    /// Where his clock's 24 bits were last.
    reference: Option<i64>,
    /// Something can be sent that he needs not: without retransmissions (RFC 4588) nothing can.
    can_pad: bool,
    /// None where he doesn't report when packets arrive; then what he says counts.
    estimator: Option<Estimator>,
    bound: Bound,
    told: f64,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Bytes sent beyond the pace, and beyond what fills the line, and when that was.
    debt: f64,
    filling_debt: f64,
    settled: Instant,
    began: Instant,
    /// What is wanted to be known of the line, in bits per second.
    minimum: f64,
    probing: Option<Probing>,
    probes: u16,
    first_probes: usize,
    probed: Option<Instant>,
    /// Bytes sent and sent again, of late.
    lately: (f64, f64),
    round_trip: Option<Duration>,
    passed: LinePassed,
    /// When the first packet was sent that no report came after, and when one was last sent though none does.
    unanswered: Option<Instant>,
    tried: Instant,
    /// The time of day at a moment.
    day: (Instant, Duration),
    report_due: Instant,
    scratch: Vec<u8>,
}

impl Egress {
    pub(crate) fn new(
        srtp: Srtp,
        route: (SocketAddr, Remote),
        name: String,
        streams: Vec<StreamConfig>,
        now: Instant,
    ) -> Self {
        let reports = streams.iter().any(|stream| stream.extensions.transport.is_some());
        Self {
            srtp,
            route,
            name,
            can_pad: streams.iter().any(|stream| stream.resent(None).is_some()),
            streams: streams.into_iter().map(Stream::new).collect(),
            number: 1,
            remembered: VecDeque::new(),
            reference: None,
            estimator: reports.then(|| Estimator::new(ESTIMATE_AT_FIRST)),
            bound: Bound::default(),
            told: if reports { ESTIMATE_AT_FIRST } else { 0.0 },
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            debt: 0.0,
            filling_debt: 0.0,
            settled: now,
            began: now,
            minimum: 0.0,
            probing: None,
            probes: 0,
            first_probes: 0,
            probed: None,
            lately: (0.0, 0.0),
            round_trip: None,
            passed: LinePassed::default(),
            unanswered: None,
            tried: now,
            day: (now, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            report_due: now + REPORT_EVERY,
            scratch: Vec::new(),
        }
    }

    /// What his line is taken to carry; none where it isn't known.
    pub(crate) fn estimate(&self) -> Option<u64> {
        Some(self.rate()).filter(|rate| rate.is_finite()).map(|rate| rate as u64)
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// What has become of all that was sent.
    pub(crate) fn passed(&self, now: Instant) -> LinePassed {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < JITTER_FRESH;
        let voices = self.streams.iter().filter(|stream| stream.config.is_audio);
        let jitters = voices.filter_map(|stream| stream.jitter.filter(|(_, at)| is_fresh(*at)));
        let jitter = jitters.map(|(jitter, _)| jitter).fold(0.0, f64::max);
        LinePassed { jitter: Duration::from_secs_f64(jitter), round_trip: self.round_trip, ..self.passed }
    }

    /// His address has changed, or ours.
    pub(crate) fn set_route(&mut self, from: SocketAddr, to: Remote) {
        self.route = (from, to);
    }

    /// From now on it is looked whether the line carries so much.
    pub(crate) fn set_minimum(&mut self, minimum: u64) {
        self.minimum = minimum as f64;
    }

    /// Sends a packet, or lets it wait where it is of a picture and the line is full.
    pub(crate) fn send(&mut self, slot: usize, packet: Outgoing, now: Instant, out: &mut Outbox) {
        let Some(stream) = self.streams.get_mut(slot) else { return };
        if stream.config.is_audio {
            self.emit(slot, &packet, As::Itself, now, out);
            return;
        }
        if KeyFrame::note(&mut stream.keyframe, &packet, now) {
            self.forget_waiting(slot);
        }
        if self.withholds(now) {
            self.passed.withheld += 1;
        } else if self.waiting.is_empty() && self.may_leave(now) {
            self.send_picture(slot, packet, now, out);
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting_bytes += packet.media.payload.len();
            self.waiting.push_back(Waiting { slot, packet, is_resent: false });
        }
    }

    /// Sends a picture's packet, and keeps it in case it gets lost; where retransmissions have no stream of their own, as it was sent.
    fn send_picture(&mut self, slot: usize, mut packet: Outgoing, now: Instant, out: &mut Outbox) {
        let sent = self.emit(slot, &packet, As::Itself, now, out);
        let at = Stamp::new(self.began, now);
        let stream = &mut self.streams[slot];
        if stream.config.resent(Some(packet.media.codec)).is_none() {
            let Some(payload) = sent else { return };
            packet.media = Arc::new(MediaPacket { payload, ..*packet.media });
        }
        stream.kept.keep(packet, at);
    }

    /// What of the slot's pictures still waits would only delay one that needs none of them.
    fn forget_waiting(&mut self, slot: usize) {
        let bytes = &mut self.waiting_bytes;
        self.waiting.retain(|waiting| {
            let is_over = waiting.slot == slot;
            *bytes -= if is_over { waiting.packet.media.payload.len() } else { 0 };
            !is_over
        });
    }

    /// He doesn't report, and the next try is not due.
    fn withholds(&mut self, now: Instant) -> bool {
        let is_deaf = self.unanswered.is_some_and(|at| now.saturating_duration_since(at) > DEAF_AFTER);
        if !is_deaf {
            return false;
        }
        if self.passed.withheld == 0 {
            tracing::warn!(to = %self.route.1.address, "a browser reports nothing of what it is sent; it gets no pictures until it does");
        }
        if now.saturating_duration_since(self.tried) < DEAF_TRIED {
            return true;
        }
        self.tried = now;
        false
    }

    /// When [`Self::wake`] wants to be called.
    pub(crate) fn timeout(&self) -> Instant {
        let mut at = self.report_due;
        if !self.waiting.is_empty() {
            let beyond = (self.debt - BURST_S * self.pace() / 8.0).max(0.0);
            at = at.min(self.settled + Duration::from_secs_f64((beyond * 8.0 / self.pace()).min(0.1)));
        }
        if let Some(probing) = &self.probing {
            at = at.min(probing.due());
        } else if self.fills() {
            let paid = (self.filling_debt * 8.0 / self.filling()).clamp(0.001, 0.1);
            at = at.min(self.settled + Duration::from_secs_f64(paid));
        }
        if self.wants_probe(self.settled) {
            let due = self.probed.map_or(self.settled, |at| at + self.probe_interval());
            at = at.min(due);
        }
        at
    }

    /// Does what is due.
    pub(crate) fn wake(&mut self, now: Instant, out: &mut Outbox) {
        while !self.waiting.is_empty() && self.may_leave(now) {
            let Some(Waiting { slot, packet, is_resent }) = self.waiting.pop_front() else { break };
            self.waiting_bytes -= packet.media.payload.len();
            if is_resent {
                self.emit(slot, &packet, As::Resent, now, out);
            } else {
                self.send_picture(slot, packet, now, out);
            }
        }
        self.probe(now, out);
        self.fill(now, out);
        if now >= self.report_due {
            self.report_due = now + REPORT_EVERY;
            self.tell(now, out);
            if !self.can_pad && self.minimum > self.rate() {
                self.bound.hope();
            }
        }
    }

    /// Takes his reports; false when they are not his.
    pub(crate) fn reported(
        &mut self,
        datagram: &[u8],
        now: Instant,
        out: &mut Outbox,
        mut said: impl FnMut(Said),
    ) -> bool {
        let Some(compound) = self.srtp.open_reports(datagram) else { return false };
        if self.estimator.is_none() {
            self.unanswered = None;
        }
        let (line, round_trip) = (self.estimate(), self.round_trip);
        for report in reports::read(&compound) {
            match report {
                Report::Received { ssrc, last_report, since, jitter, highest, lost } => {
                    self.received(ssrc, last_report, since, now);
                    self.note_jitter(ssrc, jitter, now);
                    self.note_loss(ssrc, highest, lost, now);
                }
                Report::Bound { bitrate, ssrcs } => self.bounded(bitrate, &ssrcs, now),
                Report::Missing { ssrc, seqs } => self.resend(ssrc, &seqs, now, out),
                Report::Keyframe { ssrc } => {
                    let of_slot = |stream: &Stream| stream.config.ssrc == ssrc;
                    let Some(slot) = self.streams.iter().position(of_slot) else { continue };
                    let latest = self.streams[slot].keyframe;
                    if !latest.is_some_and(|keyframe| keyframe.is_under_way(line, round_trip, now)) {
                        said(Said::Keyframe(slot));
                    }
                }
                Report::Arrivals(arrivals) => self.arrived(&arrivals, now),
            }
        }
        let rate = self.rate();
        if rate.is_finite() && (rate - self.told).abs() > TOLD_CHANGE * self.told {
            self.told = rate;
            said(Said::Estimate(rate as u64));
        }
        true
    }

    /// The last that is sent.
    pub(crate) fn bye(&mut self) -> Option<Vec<u8>> {
        let ssrcs: Vec<_> = self.streams.iter().filter(|s| s.last.is_some()).map(|s| s.config.ssrc).collect();
        if ssrcs.is_empty() { None } else { self.srtp.protect_report(&reports::write_bye(&ssrcs)) }
    }

    pub(crate) fn route(&self) -> (SocketAddr, Remote) {
        self.route
    }

    fn rate(&self) -> f64 {
        self.estimator.as_ref().map_or_else(|| self.bound.rate(), Estimator::rate)
    }

    /// The same, whatever gets lost of it.
    fn unfilled(&self) -> f64 {
        self.estimator.as_ref().map_or_else(|| self.bound.rate(), Estimator::unfilled)
    }

    /// Bits per second at which pictures leave.
    fn pace(&self) -> f64 {
        let known = self.estimator.as_ref().and_then(Estimator::capacity).unwrap_or(f64::INFINITY);
        let rate = self.rate();
        (PACE * rate).min((PACE_KNOWN * known).max(rate)).max(self.waiting_bytes as f64 * 8.0 / WAIT_S)
    }

    fn may_leave(&mut self, now: Instant) -> bool {
        self.settle(now);
        self.debt <= BURST_S * self.pace() / 8.0
    }

    /// Time pays debts.
    fn settle(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.settled).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.settled = now;
        let pace = self.pace() / 8.0;
        self.debt = (self.debt.min(DEBT_S * pace) - seconds * pace).max(0.0);
        self.filling_debt = (self.filling_debt - seconds * self.filling() / 8.0).max(0.0);
        let left = (1.0 - seconds / RESENT_OVER).max(0.0);
        self.lately = (self.lately.0 * left, self.lately.1 * left);
    }

    fn resend(&mut self, ssrc: u32, seqs: &[u16], now: Instant, out: &mut Outbox) {
        let Some(slot) = self.streams.iter().position(|stream| stream.config.ssrc == ssrc) else { return };
        self.settle(now);
        let stamp = Stamp::new(self.began, now);
        let takes = self.round_trip.unwrap_or_default().clamp(RESENT_AGAIN.0, RESENT_AGAIN.1);
        // Where there is room an earlier picture may come in time to be seen before it.
        let was_full =
            self.estimator.as_ref().map_or_else(|| self.bound.was_full(), |estimator| estimator.capacity().is_some());
        for seq in seqs {
            let stream = &mut self.streams[slot];
            let keyframe = stream.keyframe;
            let Some(mut kept) = stream.kept.get(*seq) else { continue };
            let is_over = was_full && keyframe.is_some_and(|keyframe| kept.forwarded().seq < keyframe.first);
            if is_over || kept.is_underway(takes, stamp) {
                continue;
            }
            let (sent, resent) = self.lately;
            let is_of = |keyframe: KeyFrame| kept.forwarded().timestamp == keyframe.timestamp;
            let is_needed = !kept.is_resent() && keyframe.is_some_and(is_of);
            if !is_needed && resent > RESENT_SHARE * (sent + resent) {
                self.passed.refused += 1;
                continue;
            }
            let packet = kept.resend(stamp);
            self.lately.1 += packet.media.payload.len() as f64;
            if self.may_leave(now) {
                self.emit(slot, &packet, As::Resent, now, out);
            } else if self.waiting.len() < WAITING_MAX {
                self.waiting_bytes += packet.media.payload.len();
                self.waiting.push_front(Waiting { slot, packet, is_resent: true });
            }
        }
    }

    fn received(&mut self, ssrc: u32, last_report: u32, since: u32, now: Instant) {
        for stream in &mut self.streams {
            stream.is_known |= stream.config.ssrc == ssrc;
            stream.is_resent_known |= stream.config.resent_ssrc == Some(ssrc);
        }
        if last_report != 0 {
            let units = ((self.ntp(now) >> 16) as u32).wrapping_sub(last_report).wrapping_sub(since);
            // Beyond a minute, or in the future, somebody's clock was set.
            if units < 60 << 16 {
                let round_trip = Duration::from_secs_f64(f64::from(units) / 65_536.0);
                self.round_trip = Some(round_trip);
                if let Some(estimator) = &mut self.estimator {
                    estimator.set_round_trip(round_trip);
                }
            }
        }
    }

    /// What he says of streams that we don't know is about all.
    fn bounded(&mut self, bitrate: u64, ssrcs: &[u32], now: Instant) {
        let streams = &self.streams;
        let is_listed = |index: usize| streams.get(index).is_some_and(|stream| stream.is_any_of(ssrcs));
        let is_known = (0..streams.len()).any(is_listed);
        let (line, round_trip) = (self.estimate(), self.round_trip);
        let is_under_way = |keyframe: KeyFrame| keyframe.is_under_way(line, round_trip, now);
        let has_keyframe = streams.iter().any(|stream| stream.keyframe.is_some_and(is_under_way));
        self.bound.say(bitrate, |index| !is_known || is_listed(index), has_keyframe, now);
        tracing::trace!(bitrate, bound = ?self.bound, "a receiver says what comes");
    }

    fn note_jitter(&mut self, ssrc: u32, jitter: u32, now: Instant) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.config.ssrc == ssrc) {
            stream.jitter = Some((f64::from(jitter) / f64::from(stream.config.clock_rate), now));
        }
    }

    /// What is lost of a stream counts where nothing better is reported.
    fn note_loss(&mut self, ssrc: u32, highest: u32, lost: i32, now: Instant) {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.config.ssrc == ssrc) else { return };
        let Some((before, lost_before)) = stream.heard.replace((highest, lost)) else { return };
        let all = highest.wrapping_sub(before);
        if all > u16::MAX.into() {
            return;
        }
        let (all, lost) = (u64::from(all), u64::try_from(lost.saturating_sub(lost_before)).unwrap_or_default());
        let lost = lost.min(all);
        if lost * DOUBLED_LOSS > all && stream.config.is_audio {
            stream.doubled_until = Some(now + DOUBLED_FOR);
        }
        if self.estimator.is_some() {
            return;
        }
        self.passed.missed += lost;
        self.passed.arrived += all - lost;
        self.bound.report(lost, all, self.passed.bytes, now);
        tracing::trace!(lost, all, bound = ?self.bound, "a receiver reports");
    }

    fn arrived(&mut self, arrivals: &Arrivals, now: Instant) {
        let Some(estimator) = &mut self.estimator else { return };
        self.unanswered = None;
        // His clock's bits run over every twelve days.
        let reference = match self.reference {
            None => i64::from(arrivals.reference),
            Some(last) => {
                let ahead = arrivals.reference.wrapping_sub(last as u32) & 0x00ff_ffff;
                last + i64::from(ahead) - if ahead >= 1 << 23 { 1 << 24 } else { 0 }
            }
        };
        self.reference = Some(reference);
        let Some(first) = extended(self.number, arrivals.first) else { return };
        let oldest = self.number - self.remembered.len() as u64;
        let mut packets = Vec::with_capacity(arrivals.at_us.len());
        let stamp = Stamp::new(self.began, now);
        for (number, at_us) in (first..).zip(&arrivals.at_us) {
            let index = number.checked_sub(oldest);
            let Some(known) = index.and_then(|index| self.remembered.get_mut(index as usize)) else { continue };
            if known.is_reported || (at_us.is_none() && known.is_missed) {
                continue;
            }
            // One that was missing in an earlier report may be in a later one.
            self.passed.missed = match (known.is_missed, at_us) {
                (false, None) => self.passed.missed + 1,
                (true, Some(_)) => self.passed.missed.saturating_sub(1),
                (false, Some(_)) | (true, None) => self.passed.missed,
            };
            self.passed.arrived += u64::from(at_us.is_some());
            (known.is_reported, known.is_missed) = (at_us.is_some(), true);
            packets.push(Reported {
                sent: now.checked_sub(known.at.age(stamp)).unwrap_or(now),
                arrived_us: at_us.map(|us| reference * 64_000 + us),
                bytes: known.bytes.into(),
                probe: known.probe,
            });
        }
        estimator.report(&packets, now);
        // Nothing more is to be heard of these.
        while self.remembered.pop_front_if(|known| known.is_reported).is_some() {}
    }

    /// Reports on what was sent.
    fn tell(&mut self, now: Instant, out: &mut Outbox) {
        let (ntp, stamp) = (self.ntp(now), Stamp::new(self.began, now));
        for stream in &mut self.streams {
            stream.kept.forget(stamp);
            let Some((timestamp, at)) = stream.last else { continue };
            // What has been silent for long says nothing of the time.
            let silent = now.saturating_duration_since(at);
            if silent > 5 * REPORT_EVERY && stream.reported.is_some_and(|reported| reported > at) {
                continue;
            }
            stream.reported = Some(now);
            let passed = (silent.as_secs_f64() * f64::from(stream.config.clock_rate)) as u32;
            let (ssrc, packets, bytes) = (stream.config.ssrc, stream.packets, stream.bytes);
            let sent = Sent { ssrc, ntp, timestamp: timestamp.wrapping_add(passed), packets, bytes };
            if let Some(report) = self.srtp.protect_report(&reports::write_sent(&sent, &self.name)) {
                out.push(self.route.0, self.route.1, &report);
            }
        }
    }

    /// The time of day (RFC 5905 §6).
    fn ntp(&self, now: Instant) -> u64 {
        let (at, day) = self.day;
        let day = day + now.saturating_duration_since(at);
        let fraction = (u64::from(day.subsec_nanos()) << 32) / 1_000_000_000;
        (day.as_secs() + NTP_TO_UNIX) << 32 | fraction
    }

    /// Sends a packet; all of it as it left, where it is to be kept so.
    fn emit(
        &mut self,
        slot: usize,
        packet: &Outgoing,
        sent_as: As,
        now: Instant,
        out: &mut Outbox,
    ) -> Option<Arc<[u8]>> {
        let (ntp, carries_double) = (self.ntp(now), self.unfilled() >= DOUBLED_BPS);
        let stream = self.streams.get_mut(slot)?;
        self.scratch.clear();
        let red = match sent_as {
            As::Itself if carries_double => stream.double(packet, now, &mut self.scratch),
            As::Itself | As::Resent | As::Blank(_) => None,
        };
        let config = &stream.config;
        let media = &packet.media;
        let resent = config.resent((sent_as == As::Resent).then_some(media.codec));
        let (ssrc, payload_type, seq, is_known) = match (sent_as, resent) {
            (As::Itself, _) => {
                let agreed = config.payload_type(media.codec)?;
                (config.ssrc, red.unwrap_or(agreed.number), packet.forwarded.seq, stream.is_known)
            }
            (As::Resent | As::Blank(_), Some((ssrc, payload_type))) => {
                let seq = stream.resent_seq;
                stream.resent_seq += 1;
                (ssrc, payload_type, seq, stream.is_resent_known)
            }
            (As::Resent, None) => {
                let extensions = config.extensions;
                self.repeat(&media.payload, &extensions, now, out);
                return None;
            }
            (As::Blank(_), None) => return None,
        };
        if sent_as == As::Itself && stream.used.note(seq) != Some(false) {
            return None;
        }
        let is_kept_whole = sent_as == As::Itself && !config.is_audio && config.resent(Some(media.codec)).is_none();
        let timestamp = match (sent_as, stream.last) {
            (As::Blank(_), Some((timestamp, _))) => timestamp,
            _ => packet.forwarded.timestamp,
        };
        let header = Header {
            payload_type,
            marker: media.marker,
            padding: matches!(sent_as, As::Blank(_)),
            seq: seq as u16,
            timestamp,
            ssrc,
            mid: (!is_known).then_some(config.mid.as_str()),
            transport: self.number as u16,
            sent: (ntp >> 14) as u32 & 0x00ff_ffff,
            level: media.level,
        };
        let mut head = [0; HEADER_BYTES_MAX];
        let head_bytes = header.write(&config.extensions, &mut head);
        let payload = match (sent_as, packet.forwarded.ids) {
            (As::Itself, _) if red.is_some() => &self.scratch[..],
            (As::Itself, None) => &media.payload[..],
            (As::Blank(bytes), _) => {
                self.scratch.resize(bytes, 0);
                self.scratch[bytes - 1] = bytes as u8;
                &self.scratch[..]
            }
            (As::Itself | As::Resent, ids) => {
                let prefix = if sent_as == As::Resent { 2 } else { 0 };
                if prefix > 0 {
                    self.scratch.extend((packet.forwarded.seq as u16).to_be_bytes());
                }
                self.scratch.extend_from_slice(&media.payload);
                if let Some(ids) = ids {
                    picture::write_ids(media.codec, &mut self.scratch[prefix..], ids);
                }
                &self.scratch[..]
            }
        };
        let bytes = head_bytes + payload.len() + self.srtp.tag_bytes();
        let (srtp, mut whole) = (&mut self.srtp, None);
        let sealed = out.place(self.route.0, self.route.1, bytes, |place| {
            place[..head_bytes].copy_from_slice(&head[..head_bytes]);
            let is_sealed = srtp.protect(ssrc, seq, head_bytes, payload, place);
            whole = is_kept_whole.then(|| Arc::from(&*place));
            is_sealed
        });
        if !sealed {
            return None;
        }
        if sent_as == As::Itself {
            stream.last = Some((timestamp, now));
            if config.is_audio {
                stream.before = Some((packet.forwarded, Arc::clone(&media.payload)));
            }
            stream.packets = stream.packets.wrapping_add(1);
            stream.bytes = stream.bytes.wrapping_add(payload.len() as u32);
        }
        let numbered = config.extensions.transport.is_some();
        if self.estimator.is_none() {
            self.bound.send(slot, head_bytes + payload.len(), now);
        }
        self.account(bytes + LOWER_HEADERS, sent_as, numbered, now);
        whole
    }

    /// Sends a datagram again as it was. Another one with its number would give the key away (RFC 7714 §11.1), even where only the header
    /// is another.
    fn repeat(&mut self, datagram: &[u8], extensions: &Extensions, now: Instant, out: &mut Outbox) {
        out.push(self.route.0, self.route.1, datagram);
        self.account(datagram.len() + LOWER_HEADERS, As::Resent, false, now);
        let number = header::transport_number(extensions, datagram);
        let known = number.and_then(|number| self.remembered(number)).filter(|known| !known.is_reported);
        if let Some(known) = known {
            // When it arrives says nothing of how long it takes.
            let was_missed = std::mem::replace(&mut known.is_missed, true);
            known.is_reported = true;
            self.passed.missed += u64::from(!was_missed);
        }
    }

    /// What is remembered of the packet with this number of the whole transport.
    fn remembered(&mut self, number: u16) -> Option<&mut Remembered> {
        let oldest = self.number - self.remembered.len() as u64;
        let index = extended(self.number, number)?.checked_sub(oldest)?;
        self.remembered.get_mut(index as usize)
    }

    fn account(&mut self, bytes: usize, sent_as: As, is_numbered: bool, now: Instant) {
        self.passed.bytes += bytes as u64;
        if is_numbered || self.estimator.is_none() {
            self.unanswered.get_or_insert(now);
        }
        if sent_as == As::Itself {
            self.lately.0 += bytes as f64;
        }
        self.debt += bytes as f64;
        self.filling_debt = (self.filling_debt + bytes as f64).min(self.minimum / 8.0);
        if self.estimator.is_none() || !is_numbered {
            return;
        }
        let probe = self.probing.as_mut().map_or(0, |probing| {
            probing.bytes += bytes;
            probing.packets += 1;
            probing.number
        });
        self.number += 1;
        let bytes = bytes.min(u16::MAX.into()) as u16;
        let at = Stamp::new(self.began, now);
        let is_old = |known: &Remembered| known.at.age(at) > REMEMBERED_FOR;
        while self.remembered.len() >= REMEMBERED || self.remembered.front().is_some_and(is_old) {
            self.remembered.pop_front();
        }
        self.remembered.push_back(Remembered { at, bytes, probe, is_reported: false, is_missed: false });
    }
}

/// A number of the whole transport with all its bits, by the next one to be given; none where nothing was sent by it.
fn extended(next: u64, number: u16) -> Option<u64> {
    next.checked_sub((next as u16).wrapping_sub(number).into())
}

#[cfg(test)]
mod tests;
