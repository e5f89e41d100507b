//! One meeting's media on its worker: who is mixed, who is forwarded to whom, who speaks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use leg::{JitterBuffer, Pulled};
use media::{AudioCodec, AudioLevel, Codec, MediaPacket, TrackKind};
use mixer::{Incoming, LineCare, LineEvent, Mixer, Playing, SeatConfig, SeatKey, SeatMap, Speakers};
use model::{LineTrouble, MeetingId, ParticipantId};
use sfu::{Delivery, Layer, PeerKey, Sfu, Slot, SourceId, forward};
use tokio::sync::mpsc;

use crate::{
    LegId, MeetingFact, PlaneError,
    brought::Bringer,
    command::LineFindings,
    legs::Legs,
    quality::{self, Freezes, Frozen, Look, Network, Passed, Paused, PictureQuality, Quality},
    reception::Reception,
    stage::Stage,
    subscriber::{Shown, Subscriber, Wanted},
    track::Track,
    worker::PeerRole,
};

/// How often it is looked who still waits for a key frame: the request, or the key frame, may have been lost.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

mod composed;
mod networks;
mod receivers;
mod senders;
mod studios;

use composed::Composed;
use studios::Studios;

pub(crate) struct Room {
    id: MeetingId,
    facts: mpsc::Sender<MeetingFact>,
    /// The main room under 0, breakout rooms under their numbers: each hears itself alone.
    pub(crate) parts: BTreeMap<u32, Box<Part>>,
    /// Boxed, as the parts are: a tree keeps room for eleven.
    pub(crate) members: BTreeMap<ParticipantId, Box<Member>>,
    /// Who receives a source: peer and slot.
    pub(crate) routes: HashMap<SourceId, Vec<(PeerKey, usize)>>,
    /// What has come and was not forwarded yet, by source.
    pending: BTreeMap<SourceId, Vec<(Layer, Arc<MediaPacket>)>>,
    studios: Studios,
    composed: Composed,
    /// What viewers hear, while there are any.
    pub(crate) stage: Option<Stage>,
    members_ever: u64,
    numbers: HashMap<u64, ParticipantId>,
    care: LineCare,
    /// Voices that a browser is sent at once.
    voices: usize,
    /// Pictures somebody waits for the key frame of.
    wanting: BTreeSet<(SourceId, Layer)>,
    /// A layer of a picture has begun to come, or comes no more.
    layers_changed: bool,
    /// When it was looked who waits.
    looked: Instant,
    /// When it was looked how the networks do.
    judged: Instant,
    ticks: u32,
    /// Slots must be assigned anew at the next tick.
    stale: bool,
}

/// What hears itself.
pub(crate) struct Part {
    pub(crate) mixer: Mixer,
    speakers: Speakers,
    seats: SeatMap<Seated>,
    active: Option<ParticipantId>,
    /// Who speaks loudest, as far as that decides whose voice is forwarded.
    loudest: Vec<SeatKey>,
}

impl Part {
    fn new(care: LineCare) -> Self {
        let mut mixer = Mixer::new();
        mixer.set_care(care);
        Self { mixer, speakers: Speakers::new(), seats: SeatMap::default(), active: None, loudest: Vec::new() }
    }
}

/// Whose seat it is, and the telephone he hears by.
struct Seated {
    participant: ParticipantId,
    leg: Option<LegId>,
}

/// The part that livestreams and recordings show.
pub(crate) const MAIN: u32 = 0;

#[derive(Default)]
pub(crate) struct Member {
    /// Names his tracks; also the order of coming.
    number: u64,
    part: u32,
    muted: bool,
    /// A host wants the music of his telephone to be heard.
    music: bool,
    /// He is no participant and only watches.
    pub(crate) watches: bool,
    pub(crate) publisher: Option<PeerKey>,
    pub(crate) bringer: Option<Bringer>,
    pub(crate) subscriber: Option<Subscriber>,
    /// His input to the mixer, and its codec.
    seat: Option<SeatKey>,
    codec: Option<AudioCodec>,
    leg: Option<LegId>,
    /// A browser's sound on its way to the mixer.
    tap: Option<JitterBuffer>,
    level: Option<AudioLevel>,
    tracks: [Track; 3],
    /// Of his tracks, those that go to nobody, whatever he sends.
    hidden: [bool; 3],
    /// The pictures on his page; none while he hasn't said.
    shown: Option<Vec<Shown>>,
    spoke: Option<Instant>,
    voice: Voice,
    reception: Reception,
    network: Network,
    frozen: Frozen,
    paused: Paused,
    /// Of his telephone.
    line: LineFindings,
    /// How long its sound waits before it is mixed, where it sends pictures too.
    pub(crate) wait: Option<Duration>,
}

/// The sending state of a phone's own track.
#[derive(Default)]
pub(crate) struct Voice {
    packets: u64,
    /// The tick of the packet before.
    last: Option<u32>,
}

/// What a removed participant leaves behind for the worker to put away.
#[derive(Default)]
pub(crate) struct Gone {
    pub(crate) peers: Vec<PeerKey>,
    pub(crate) leg: Option<(LegId, LineFindings)>,
    /// What his telephone heard no end of.
    pub(crate) unheard: Option<Playing>,
    pub(crate) reception: Reception,
}

/// Numbers a member's tracks take.
const SOURCES: u64 = 4;

impl Member {
    fn source(&self, kind: TrackKind) -> SourceId {
        SourceId::from(self.number * SOURCES + kind as u64)
    }

    /// By how many milliseconds his voice comes to the mix after the pictures that came with it, while he is heard.
    fn lead(&self) -> Option<i16> {
        let wait = self.tap.as_ref().map_or(self.wait, JitterBuffer::longest_wait)?;
        i16::try_from(wait.as_millis()).ok()
    }

    fn is_on(&self, kind: TrackKind) -> bool {
        self.tracks[kind as usize].is_on()
    }

    fn wanted(&self, owner: ParticipantId, kind: TrackKind, height: u32) -> Wanted {
        Wanted { owner, kind, source: self.source(kind), height }
    }
}

impl Room {
    /// Its browsers are sent so many `voices` at once.
    pub(crate) fn new(id: MeetingId, facts: mpsc::Sender<MeetingFact>, care: LineCare, voices: usize) -> Self {
        Self {
            id,
            facts,
            parts: BTreeMap::from([(MAIN, Box::new(Part::new(care)))]),
            members: BTreeMap::new(),
            routes: HashMap::new(),
            pending: BTreeMap::new(),
            studios: Studios::default(),
            composed: Composed::default(),
            stage: None,
            members_ever: 0,
            numbers: HashMap::new(),
            care,
            voices,
            wanting: BTreeSet::new(),
            layers_changed: false,
            looked: Instant::now(),
            judged: Instant::now(),
            ticks: 0,
            stale: false,
        }
    }

    /// What a leg's owner listens to.
    pub(crate) fn mixer_of(&mut self, leg: LegId) -> Option<&mut Mixer> {
        let part = self.members.values().find(|member| member.leg == Some(leg))?.part;
        self.parts.get_mut(&part).map(|part| &mut part.mixer)
    }

    /// How many people there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn participants(&self) -> Vec<ParticipantId> {
        self.members.keys().copied().collect()
    }

    pub(crate) fn tell(&self, fact: MeetingFact) {
        if self.facts.try_send(fact).is_err() {
            tracing::warn!(meeting_id = %self.id, "meeting does not take its facts");
            metrics::counter!("plane_facts_dropped", "of" => "meeting").increment(1);
        }
    }

    pub(crate) fn member(&mut self, participant: ParticipantId) -> &mut Member {
        let (ever, numbers) = (&mut self.members_ever, &mut self.numbers);
        self.members.entry(participant).or_insert_with(|| {
            *ever += 1;
            numbers.insert(*ever, participant);
            let tracks = TrackKind::ALL
                .map(|kind| if kind == TrackKind::Screen { Track::of_screen() } else { Track::default() });
            Box::new(Member { number: *ever, tracks, ..Member::default() })
        })
    }

    fn add_input(
        &mut self,
        participant: ParticipantId,
        codec: AudioCodec,
        leg: Option<LegId>,
    ) -> Result<SeatKey, PlaneError> {
        let phone = leg.is_some();
        let config = SeatConfig { input: Some(codec), output: phone.then_some(codec), voice: phone, apart: false };
        let member = self.member(participant);
        let (muted, music, number) = (member.muted, member.music, member.part);
        let care = self.care;
        let part = self.parts.entry(number).or_insert_with(|| Box::new(Part::new(care)));
        let seat = part.mixer.add(config)?;
        part.seats.insert(seat, Seated { participant, leg });
        part.mixer.set_muted(seat, muted);
        if music {
            part.mixer.let_music(seat);
        }
        let member = self.member(participant);
        (member.seat, member.codec) = (Some(seat), Some(codec));
        Ok(seat)
    }

    /// From now on he hears and sees this part. Where that changes the seat of his leg, which it is.
    pub(crate) fn set_part(
        &mut self,
        participant: ParticipantId,
        part: u32,
    ) -> Result<Option<(LegId, SeatKey)>, PlaneError> {
        if self.member(participant).part == part {
            return Ok(None);
        }
        self.stale = true;
        let playing = self.leave_part(participant);
        let member = self.member(participant);
        member.part = part;
        let (leg, codec) = (member.leg, member.codec);
        let Some(codec) = codec else { return Ok(None) };
        let seat = self.add_input(participant, codec, leg)?;
        self.play_on(part, seat, playing);
        Ok(leg.map(|leg| (leg, seat)))
    }

    /// What was being said to somebody is said to the end wherever he sits now.
    fn play_on(&mut self, part: u32, seat: SeatKey, playing: Option<Playing>) {
        if let (Some(part), Some(playing)) = (self.parts.get_mut(&part), playing) {
            part.mixer.play_on(seat, playing);
        }
    }

    /// What was playing to him.
    fn leave_part(&mut self, participant: ParticipantId) -> Option<Playing> {
        let member = self.members.get_mut(&participant)?;
        let (number, seat) = (member.part, member.seat.take());
        let is_empty = !self.members.values().any(|other| other.part == number && other.seat.is_some());
        let part = self.parts.get_mut(&number)?;
        let mut playing = None;
        if let Some(seat) = seat {
            if let (Some(echo_db), Some(member)) = (part.mixer.echo_loss_db(seat), self.members.get_mut(&participant)) {
                member.line.echo_db = Some(echo_db);
            }
            playing = part.mixer.remove(seat);
            part.seats.remove(seat);
        }
        if part.active == Some(participant) {
            part.active = None;
        }
        if is_empty && number != MAIN {
            self.parts.remove(&number);
        }
        playing
    }

    /// Returns his earlier connection.
    pub(crate) fn set_subscriber(
        &mut self,
        participant: ParticipantId,
        peer: PeerKey,
        slots: Vec<Slot>,
    ) -> Option<PeerKey> {
        let subscriber = Subscriber::new(peer, slots);
        self.stale = true;
        self.tell_slots(participant, &subscriber);
        self.member(participant).subscriber.replace(subscriber).map(|earlier| earlier.peer)
    }

    pub(crate) fn seat_leg(
        &mut self,
        participant: ParticipantId,
        leg: LegId,
        codec: AudioCodec,
    ) -> Result<SeatKey, PlaneError> {
        let playing = self.leave_part(participant);
        let seat = self.add_input(participant, codec, Some(leg))?;
        let member = self.member(participant);
        let (was, part) = (member.leg.replace(leg), member.part);
        // Another telephone of his was spoken to by somebody else.
        self.play_on(part, seat, playing.filter(|_| was == Some(leg)));
        self.stale = true;
        Ok(seat)
    }

    pub(crate) fn change_leg_codec(&mut self, leg: LegId, codec: AudioCodec) -> Result<SeatKey, PlaneError> {
        let of_leg = self.members.iter().find(|(_, member)| member.leg == Some(leg));
        let participant = of_leg.map(|(participant, _)| *participant).ok_or(PlaneError::NoLeg(leg))?;
        self.seat_leg(participant, leg, codec)
    }

    pub(crate) fn set_muted(&mut self, participant: ParticipantId, muted: bool) {
        let member = self.member(participant);
        member.muted = muted;
        let (seat, part) = (member.seat, member.part);
        if let (Some(seat), Some(part)) = (seat, self.parts.get_mut(&part)) {
            part.mixer.set_muted(seat, muted);
        }
        self.stale = true;
    }

    pub(crate) fn let_music(&mut self, participant: ParticipantId) {
        let member = self.member(participant);
        member.music = true;
        let (seat, part) = (member.seat, member.part);
        if let (Some(seat), Some(part)) = (seat, self.parts.get_mut(&part)) {
            part.mixer.let_music(seat);
        }
    }

    pub(crate) fn listen_anew(&mut self, participant: ParticipantId) {
        let Some(member) = self.members.get(&participant) else { return };
        if let (Some(seat), Some(part)) = (member.seat, self.parts.get_mut(&member.part)) {
            part.mixer.listen_anew(seat);
        }
    }

    pub(crate) fn remove(&mut self, participant: ParticipantId) -> Option<Gone> {
        let unheard = self.leave_part(participant);
        let member = self.members.remove(&participant)?;
        self.numbers.remove(&member.number);
        if member.watches {
            self.look_for_viewers();
        }
        for kind in TrackKind::ALL {
            self.studios.forget(member.source(kind));
            self.pending.remove(&member.source(kind));
        }
        self.stale = true;
        let peers = member.publisher.into_iter().chain(member.subscriber.map(|s| s.peer)).collect();
        let leg = member.leg.map(|leg| (leg, member.line));
        Some(Gone { peers, leg, unheard, reception: member.reception })
    }

    /// What a line in here has turned out to be so far.
    pub(crate) fn line_of(&self, leg: LegId) -> Option<LineFindings> {
        let member = self.members.values().find(|member| member.leg == Some(leg))?;
        let mixer = self.parts.get(&member.part).map(|part| &part.mixer);
        let echo_db = mixer.zip(member.seat).and_then(|(mixer, seat)| mixer.echo_loss_db(seat));
        Some(LineFindings { echo_db: echo_db.or(member.line.echo_db), ..member.line })
    }

    /// The leg was closed or sits elsewhere, and this is what played to it; the participant may come back with another.
    pub(crate) fn leg_gone(&mut self, leg: LegId) -> Option<Playing> {
        let (participant, member) = self.members.iter_mut().find(|(_, member)| member.leg == Some(leg))?;
        (member.leg, member.codec) = (None, None);
        let participant = *participant;
        self.stale = true;
        if member.tracks[TrackKind::Camera as usize].end() {
            self.tell(MeetingFact::Published { participant, kind: TrackKind::Camera, active: false });
        }
        self.leave_part(participant)
    }

    /// What had been sent to one of his earlier connections.
    pub(crate) fn delivered(&mut self, participant: ParticipantId, delivery: Delivery) {
        if let Some(member) = self.members.get_mut(&participant) {
            member.reception.delivered(delivery);
        }
    }

    pub(crate) fn peer_gone(&mut self, participant: ParticipantId, role: PeerRole, delivery: Delivery) {
        self.delivered(participant, delivery);
        let Some(member) = self.members.get_mut(&participant) else { return };
        match role {
            PeerRole::Publisher => member.publisher = None,
            PeerRole::Subscriber => member.subscriber = None,
        }
        self.stale = true;
        self.tell(MeetingFact::Disconnected(participant));
    }

    pub(crate) fn connected(&mut self, participant: ParticipantId, role: PeerRole) {
        let Some(member) = self.members.get_mut(&participant) else { return };
        if let Some(subscriber) = member.subscriber.as_mut().filter(|_| role == PeerRole::Subscriber) {
            subscriber.connected = true;
            self.stale = true;
        }
        self.tell(MeetingFact::Connected(participant));
    }

    /// What he sees of the others.
    pub(crate) fn set_shown(&mut self, participant: ParticipantId, shown: Vec<Shown>) {
        if let Some(member) = self.members.get_mut(&participant) {
            member.shown = Some(shown);
            self.stale = true;
        }
    }

    /// The line of a subscriber carries more or less than was thought.
    pub(crate) fn set_estimate(&mut self, participant: ParticipantId, estimate: Option<u64>, now: Instant) {
        let subscriber = self.members.get_mut(&participant).and_then(|member| member.subscriber.as_mut());
        if let Some(subscriber) = subscriber {
            tracing::debug!(%participant, ?estimate, "line");
            subscriber.set_estimate(estimate, now);
        }
    }

    /// A subscriber lost a picture.
    pub(crate) fn keyframe_wanted(&mut self, subscriber: ParticipantId, slot: usize) {
        let sent = || self.members.get(&subscriber)?.subscriber.as_ref()?.source(slot);
        self.wanting.extend(sent());
    }

    /// Asks for the key frames that are wanted, each once for all who want it.
    fn request_keyframes(&mut self, legs: &mut Legs, sfu: &mut Sfu, now: Instant) {
        if now.saturating_duration_since(self.looked) >= LOOK_INTERVAL {
            self.looked = now;
            self.tell_followed(sfu);
            let subscribers = self.members.values().filter_map(|member| member.subscriber.as_ref());
            for subscriber in subscribers {
                for (slot, source) in subscriber.assigned.iter().enumerate() {
                    self.wanting.extend(source.zip(sfu.waits_for_keyframe(subscriber.peer, slot)));
                }
            }
            self.wanting.extend(self.studios.waiting());
        }
        for (source, layer) in std::mem::take(&mut self.wanting) {
            let Some((participant, kind)) = self.find(source) else { continue };
            let Some(member) = self.members.get_mut(&participant).filter(|member| member.is_on(kind)) else { continue };
            let is_asked = match (member.publisher, &mut member.bringer) {
                (Some(peer), _) => sfu.request_keyframe(peer, kind, layer, now),
                (None, Some(bringer)) => bringer.request_keyframe(now),
                (None, None) => member.leg.is_none_or(|leg| legs.request_keyframe(leg, now)),
            };
            // What was asked for a moment ago is asked for again when it may be.
            if !is_asked {
                self.wanting.insert((source, layer));
            }
        }
    }

    fn find(&self, source: SourceId) -> Option<(ParticipantId, TrackKind)> {
        let participant = self.numbers.get(&(source.number() / SOURCES))?;
        let kind = TrackKind::ALL.into_iter().find(|kind| *kind as u64 == source.number() % SOURCES)?;
        Some((*participant, kind))
    }

    /// A packet from a browser.
    pub(crate) fn media(
        &mut self,
        participant: ParticipantId,
        (kind, layer): (TrackKind, Layer),
        packet: Arc<MediaPacket>,
        now: Instant,
    ) {
        let Some(member) = self.members.get_mut(&participant) else { return };
        if member.hidden[kind as usize] {
            return;
        }
        let (begins, layers_change) = member.tracks[kind as usize].hear(layer, &packet, now);
        if begins {
            self.stale = true;
            let fact = MeetingFact::Published { participant, kind, active: true };
            if self.facts.try_send(fact).is_err() {
                metrics::counter!("plane_facts_dropped", "of" => "meeting").increment(1);
            }
        } else if layers_change && kind != TrackKind::Audio {
            self.layers_changed = true;
        }
        let source = member.source(kind);
        if kind == TrackKind::Audio {
            member.reception.arrived(packet.seq, packet.timestamp, now);
        }
        match kind {
            TrackKind::Audio if member.muted => return,
            TrackKind::Audio => {
                member.level = packet.level;
                if let Some(tap) = &mut member.tap {
                    tap.insert(packet.seq, packet.timestamp, &packet.payload, now);
                }
            }
            TrackKind::Camera | TrackKind::Screen => {
                if forward::starts_keyframe(&packet) {
                    // Whoever waited for one has it.
                    self.wanting.remove(&(source, layer));
                }
                if member.part == MAIN {
                    let (track, lead) = (&member.tracks[kind as usize], member.lead());
                    let of = (participant, kind, source);
                    self.studios.feed(of, layer, track, lead, &packet, now, |needed| {
                        self.wanting.insert((source, needed));
                    });
                }
            }
        }
        if self.routes.contains_key(&source) {
            self.pending.entry(source).or_default().push((layer, packet));
        }
    }

    /// Sends on what has come since.
    pub(crate) fn forward(&mut self, sfu: &mut Sfu, now: Instant) {
        for (source, packets) in &mut self.pending {
            if let Some(to) = self.routes.get(source) {
                sfu.forward(to, packets, now);
            }
            packets.clear();
        }
    }

    /// The 20 ms clock.
    pub(crate) fn tick(&mut self, legs: &mut Legs, sfu: &mut Sfu, now: Instant) {
        let rooms = self.pull_inputs(legs, now);
        self.pull_pictures(&rooms, legs, sfu, now);
        self.ticks = self.ticks.wrapping_add(1);
        let (mut changes, mut mix) = (Vec::new(), None);
        for (number, part) in &mut self.parts {
            let tick = part.mixer.tick();
            for (seat, payload) in tick.outputs() {
                if let Some(leg) = part.seats.get(seat).and_then(|seated| seated.leg) {
                    legs.send(leg, payload);
                }
            }
            for (seat, play) in &tick.finished {
                if let Some(leg) = part.seats.get(*seat).and_then(|seated| seated.leg) {
                    legs.play_done(leg, *play);
                }
            }
            for (seat, payload, level) in &tick.voices {
                let seated = part.seats.get(*seat);
                let Some(member) = seated.and_then(|seated| self.members.get_mut(&seated.participant)) else {
                    continue;
                };
                let packet = member.voice.packet(payload.clone(), *level, self.ticks);
                if let Some(to) = self.routes.get(&member.source(TrackKind::Audio)) {
                    sfu.forward(to, &[(Layer::default(), packet.into())], now);
                }
            }
            for (seat, event) in &tick.lines {
                let Some(participant) = part.seats.get(*seat).map(|seated| seated.participant) else { continue };
                if let (LineEvent::Silent(silent), Some(member)) = (event, self.members.get_mut(&participant)) {
                    member.line.silent = *silent;
                }
                let trouble = match event {
                    LineEvent::Music(true) => Some(LineTrouble::Music),
                    LineEvent::Silent(true) => Some(LineTrouble::Silent),
                    LineEvent::Music(false) | LineEvent::Silent(false) => None,
                };
                changes.push(MeetingFact::Line { participant, trouble });
            }
            if let (MAIN, Some(stage)) = (*number, &mut self.stage) {
                mix = stage.packet(tick, self.ticks);
            }
            if let (MAIN, Some(feed), Some(frame)) = (*number, self.studios.of_viewers(), &tick.program) {
                feed.program(frame);
                let voices = tick.tracks.iter();
                feed.tracks(voices.filter_map(|(seat, frame)| Some((part.seats.get(*seat)?.participant, frame))));
            }
            if let Some(changed) = part.speakers.tick(&tick.levels) {
                let participant = |seat: &SeatKey| part.seats.get(*seat).map(|seated| seated.participant);
                let speaking: Vec<_> = changed.speaking.iter().filter_map(participant).collect();
                part.active = changed.active.as_ref().and_then(participant);
                changes.push(MeetingFact::Speaking { part: *number, speaking, active: part.active });
            }
            // Whose voice is forwarded already changes nothing by beginning or ceasing to speak.
            self.stale |= part.speakers.choose_loudest(self.voices, &mut part.loudest);
            for seated in part.loudest.iter().filter_map(|seat| part.seats.get(*seat)) {
                if let Some(member) = self.members.get_mut(&seated.participant) {
                    member.spoke = Some(now);
                }
            }
        }
        self.send_stage(mix, sfu, now);
        for change in changes {
            self.tell(change);
            self.stale = true;
        }
        self.drop_idle_tracks(now);
        if std::mem::take(&mut self.stale) {
            self.assign_slots(sfu);
        }
        self.allocate(sfu, now);
        self.request_keyframes(legs, sfu, now);
        self.send_composed(&rooms, legs, now);
        if now.saturating_duration_since(self.judged) >= quality::LOOK_INTERVAL {
            self.judged = now;
            self.judge_networks(legs, sfu, now);
        }
    }

    /// Who has pictures to be read, too.
    fn pull_inputs(&mut self, legs: &mut Legs, now: Instant) -> Vec<(ParticipantId, LegId)> {
        let mut rooms = Vec::new();
        for (participant, member) in &mut self.members {
            let (Some(seat), Some(part)) = (member.seat, self.parts.get_mut(&member.part)) else { continue };
            let mixer = &mut part.mixer;
            if let Some(leg) = member.leg {
                if legs.pull_into(leg, mixer, seat) {
                    rooms.push((*participant, leg));
                }
            } else if let Some(tap) = &mut member.tap {
                match tap.pull(now) {
                    Pulled::Packet(payload, _) => mixer.push(seat, Incoming::Packet(payload), member.level),
                    Pulled::Lost { next } => mixer.push(seat, Incoming::Lost { next }, member.level),
                    Pulled::ComfortNoise(_) | Pulled::Nothing => mixer.push(seat, Incoming::Nothing, None),
                }
            }
        }
        rooms
    }

    fn drop_idle_tracks(&mut self, now: Instant) {
        for (participant, member) in &mut self.members {
            for kind in [TrackKind::Camera, TrackKind::Screen] {
                if member.tracks[kind as usize].look_for_end(now) {
                    self.stale = true;
                    let fact = MeetingFact::Published { participant: *participant, kind, active: false };
                    if self.facts.try_send(fact).is_err() {
                        metrics::counter!("plane_facts_dropped", "of" => "meeting").increment(1);
                    }
                }
            }
        }
    }
}

impl Voice {
    /// Time runs on in silence, sequence numbers don't: that is how RTP says discontinuous transmission (RFC 3551 §4.1).
    pub(crate) fn packet(&mut self, payload: Arc<[u8]>, level: AudioLevel, tick: u32) -> MediaPacket {
        self.packets += 1;
        // The first packet of a talk spurt is marked.
        let marker = self.last.replace(tick) != Some(tick.wrapping_sub(1));
        MediaPacket {
            codec: Codec::Audio(AudioCodec::Opus),
            seq: self.packets,
            timestamp: tick.wrapping_mul(AudioCodec::Opus.ticks_per_frame()),
            marker,
            level: Some(level),
            payload,
        }
    }
}
