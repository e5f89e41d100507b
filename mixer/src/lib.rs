//! The sound engine: packets in, mix-minus out.
//!
//! Every 20 ms each seat may give one packet and each listening seat gets one: the sum of the loudest, never itself.
//! The loudest stand on a *stage* and are mixed once for each rate in use, so a call of telephones is never brought to
//! 48 kHz; all who only listen share one encoded payload a codec. A tick allocates nothing once everybody is known, but
//! for voices that browsers receive. Bytes in, bytes out: no IO and no clock; packets are put in order by `leg`, and
//! `plane` calls [`Mixer::tick`] on time.

pub mod bench;
mod codec;
mod conceal;
mod denoise;
mod echo;
mod gain;
mod line;
mod music;
mod noise;
mod recording;
mod resample;
mod seat;
mod seat_map;
mod speakers;
mod spoken;
mod stage;
#[cfg(test)]
mod tests;
pub mod tones;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use media::{AudioCodec, AudioLevel, Clip, Frame, SILENCE};

use codec::{Encoder, OPUS_LOSS_PERCENT, Spares};
pub use line::{LineCare, LineEvent};
pub use recording::{RECORDING_TICKS_MAX, Recording};
use resample::RateClass;
pub use seat::Playing;
use seat::Seat;
pub use seat_map::{SeatKey, SeatMap};
pub use speakers::{Speakers, SpeakersChanged};
use stage::Stage;

/// Who are heard at once: the loudest. More than five voices are noise to the ear; each costs a mix and an encode.
const LOUDEST: usize = 6;

/// Ticks a listener keeps an encoder of his own after his last word or prompt. Going to the shared one sooner would
/// make the codec's memory jump in the middle of a conversation; later would cost an encode a tick. G.711 has no memory.
const OWN_ENCODER_TICKS: u32 = 100;

/// Opus encoders of their own above which a further prompt is heard alone and not over the talk: a millisecond or two of a tick. Hundreds
/// who come at once would each cost one.
const OWN_ENCODERS_MAX: usize = 16;

/// How much of the mix remains under a prompt: −12 dB, so that the prompt is understood and the talk not lost.
const DUCKED: f32 = 0.25;

/// Above this, peaks are rounded off instead of cut.
const LIMIT: f32 = 0.8;

/// One playing of one clip, by the number whoever plays it gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayId(pub u64);

/// What a seat gives and gets.
#[derive(Debug, Clone, Copy)]
pub struct SeatConfig {
    /// What arrives; none for who only listens.
    pub input: Option<AudioCodec>,
    /// What it is sent; none for browsers, whose sound is forwarded and not mixed.
    pub output: Option<AudioCodec>,
    /// Encode this input as an Opus track of its own while it speaks: for phones.
    pub voice: bool,
    /// Hears only what is played to it and gives nothing: a caller in the voice menu.
    pub apart: bool,
}

/// What came from a seat in one tick.
#[derive(Debug, Clone, Copy)]
pub enum Incoming<'a> {
    /// One payload of 20 ms.
    Packet(&'a [u8]),
    /// A payload that should have come and did not; `next` is the one after it, where that is here already.
    Lost {
        /// Opus restores the lost one from it.
        next: Option<&'a [u8]>,
    },
    /// The sender is silent, and silence sounds like this from now on: a payload of RFC 3389.
    ComfortNoise(&'a [u8]),
    /// The sender is silent or gone.
    Nothing,
}

/// Why a seat could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MixerError {
    /// The Opus library refuses, which it does only without memory.
    #[error("cannot set up Opus: {0}")]
    Opus(#[from] opus::Error),
}

/// What one tick gives.
#[derive(Default)]
pub struct Tick {
    outputs: Vec<(SeatKey, Range<usize>)>,
    /// All payloads of the outputs.
    bytes: Vec<u8>,
    /// Each phone's own Opus payload, while he speaks.
    pub voices: Vec<(SeatKey, Arc<[u8]>, AudioLevel)>,
    /// Of every input that is not muted.
    pub levels: Vec<(SeatKey, AudioLevel)>,
    /// The sum of all inputs, where wanted.
    pub program: Option<Frame>,
    /// Each voice in that sum by itself, where wanted.
    pub tracks: Vec<(SeatKey, Frame)>,
    /// What phones' lines turned out to be.
    pub lines: Vec<(SeatKey, LineEvent)>,
    /// Clips that came to their end.
    pub finished: Vec<(SeatKey, PlayId)>,
}

impl Tick {
    /// One payload for each seat that has an output.
    pub fn outputs(&self) -> impl Iterator<Item = (SeatKey, &[u8])> {
        self.outputs.iter().map(|(key, range)| (*key, &self.bytes[range.clone()]))
    }

    fn clear(&mut self) {
        self.outputs.clear();
        self.bytes.clear();
        self.voices.clear();
        self.levels.clear();
        self.lines.clear();
        self.finished.clear();
        self.tracks.clear();
        self.program = None;
    }
}

/// The sound of one meeting, or of all callers who are in none yet.
#[derive(Default)]
pub struct Mixer {
    seats: SeatMap<Seat>,
    program: bool,
    tracks: bool,
    care: LineCare,
    /// Seats that hear the mix, by class.
    listeners: [usize; 3],
    stages: Vec<Stage>,
    /// This tick's rank of each that may be heard, and then the loudest of them.
    ranks: Vec<(f32, SeatKey)>,
    /// The loudness from which one may come on the stage: that of the softest there, when it is full.
    bar: Option<f32>,
    shared: BTreeMap<AudioCodec, Encoder>,
    silent: BTreeMap<AudioCodec, Encoder>,
    spares: Spares,
    /// This tick's shared payloads, and how loud they are: one a codec of the whole mix, one of silence.
    shared_payloads: Vec<(AudioCodec, bool, Range<usize>, AudioLevel)>,
    buffer: Vec<u8>,
    /// Opus encoders that work for one seat.
    own_encoders: usize,
    tick: Tick,
}

impl Mixer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new seat, unmuted.
    pub fn add(&mut self, config: SeatConfig) -> Result<SeatKey, MixerError> {
        if let Some(codec) = config.output {
            for encoders in [&mut self.shared, &mut self.silent] {
                if let std::collections::btree_map::Entry::Vacant(vacant) = encoders.entry(codec) {
                    vacant.insert(Encoder::new(codec)?);
                }
            }
        }
        let mut seat = Seat::new(config)?;
        seat.line.care = self.care;
        if let Some(class) = seat.hears() {
            self.listeners[class as usize] += 1;
        }
        Ok(self.seats.add(seat))
    }

    /// What plays there, where something does: it goes on at another seat by [`Self::play_on`], or ends without being told.
    pub fn remove(&mut self, seat: SeatKey) -> Option<Playing> {
        let mut seat = self.seats.remove(seat)?;
        if let Some(class) = seat.hears() {
            self.listeners[class as usize] -= 1;
        }
        if let Some(stage) = seat.stage {
            self.stages[stage].owner = None;
            self.spares.put(AudioCodec::Opus, seat.leave_stage());
        }
        if let Some(codec) = seat.config.output {
            self.spares.put(codec, seat.own_encoder.take());
        }
        let mut playing = seat.playing.take()?;
        playing.leave(seat.class());
        Some(playing)
    }

    /// A muted input counts for nobody: not in the mix, no voice track, no level.
    pub fn set_muted(&mut self, seat: SeatKey, muted: bool) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.muted = muted;
        }
    }

    /// What is done for phones' lines from now on.
    pub fn set_care(&mut self, care: LineCare) {
        self.care = care;
        self.seats.iter_mut().for_each(|(_, seat)| seat.line.care = care);
    }

    /// Of what this phone is sent so much is lost, in percent, as it says itself. A worse line than most has an Opus encoder
    /// of its own with more redundancy (RFC 6716 §2.1.7).
    pub fn set_loss(&mut self, seat: SeatKey, percent: u8) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.loss = percent;
            if let Some(encoder) = &mut seat.own_encoder {
                encoder.expect_loss(percent);
            }
        }
    }

    /// From now on this phone's music is mixed like speech.
    pub fn let_music(&mut self, seat: SeatKey) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.line.music_allowed = true;
        }
    }

    /// This phone is mixed again until it has played music for as long as at first.
    pub fn listen_anew(&mut self, seat: SeatKey) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.line.listen_anew();
        }
    }

    /// By how many decibels this phone gives back what it is sent, where it does.
    pub fn echo_loss_db(&self, seat: SeatKey) -> Option<f32> {
        Some(self.seats.get(seat)?.line.echo.echo()?.loss_db)
    }

    /// Whether anybody receives this phone's own track; so at first. Without browsers in the meeting it costs nothing.
    pub fn set_voice_wanted(&mut self, seat: SeatKey, wanted: bool) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.voice_wanted = wanted;
        }
    }

    /// How loud the others are to this seat: 1 as they are. A seat with a volume of its own has an encoder of its own.
    pub fn set_volume(&mut self, seat: SeatKey, volume: f32) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.volume = volume;
        }
    }

    /// Plays to this seat alone, over the quieter mix; what played before stops.
    pub fn play(&mut self, seat: SeatKey, id: PlayId, clip: Clip, looping: bool) {
        self.play_on(seat, Playing::new(id, clip, looping));
    }

    /// The same with what played at another seat, from where it was.
    pub fn play_on(&mut self, seat: SeatKey, playing: Playing) {
        let crowded = self.own_encoders >= OWN_ENCODERS_MAX;
        if let Some(seat) = self.seats.get_mut(seat) {
            let alone = seat.config.apart || crowded && seat.own_encoder.is_none();
            self.own_encoders += usize::from(!alone && seat.config.output == Some(AudioCodec::Opus));
            seat.play(playing, alone);
        }
    }

    /// Stops what plays; it is not told as finished.
    pub fn stop_playing(&mut self, seat: SeatKey) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.playing = None;
        }
    }

    /// Takes what came from a seat; once a tick. A `level` told by the sender saves decoding silence.
    pub fn push(&mut self, seat: SeatKey, incoming: Incoming<'_>, level: Option<AudioLevel>) {
        let Some(seat) = self.seats.get_mut(seat) else { return };
        let others = self.listeners.iter().sum::<usize>() - usize::from(seat.hears().is_some());
        let heard = self.program || others > 0;
        seat.push(incoming, level, heard, self.bar.unwrap_or(f32::MIN));
    }

    /// Whether [`Tick::program`] is made.
    pub fn set_program(&mut self, wanted: bool) {
        self.program = wanted;
    }

    /// Whether [`Tick::tracks`] are made of what the program is made of.
    pub fn set_tracks(&mut self, wanted: bool) {
        self.tracks = wanted;
    }

    /// Mixes 20 ms.
    pub fn tick(&mut self) -> &Tick {
        self.tick.clear();
        self.choose();
        let wanted = self.wanted();
        self.perform(wanted);
        let sums = self.sum(wanted);
        self.encode(&sums);
        self.tick.program = self.program.then(|| {
            let mut program = sums[RateClass::Full as usize];
            limit(&mut program);
            program
        });
        if self.program && self.tracks {
            for stage in self.stages.iter().filter(|stage| stage.sounds) {
                let frame = stage.frame(RateClass::Full).try_into();
                self.tick.tracks.extend(stage.owner.zip(frame.ok()));
            }
        }
        &self.tick
    }

    /// Ranks all who sound, and keeps the loudest.
    fn choose(&mut self) {
        self.ranks.clear();
        for (key, seat) in self.seats.iter_mut() {
            if let Some(rank) = seat.rank() {
                self.ranks.push((rank, key));
            }
            if let Some(level) = seat.level() {
                self.tick.levels.push((key, level));
            }
            if let Some(event) = seat.line_event() {
                self.tick.lines.push((key, event));
            }
        }
        if self.ranks.len() > LOUDEST {
            self.ranks.select_nth_unstable_by(LOUDEST - 1, |a, b| b.0.total_cmp(&a.0));
            self.ranks.truncate(LOUDEST);
        }
        let full = self.ranks.len() == LOUDEST;
        self.bar = full.then(|| self.ranks.iter().map(|(rank, _)| *rank).fold(f32::MAX, f32::min));
    }

    /// The classes somebody needs the mix in.
    fn wanted(&self) -> [bool; 3] {
        let mut wanted = self.listeners.map(|listeners| listeners > 0);
        let mut loudest = self.ranks.iter().filter_map(|(_, key)| self.seats.get(*key));
        wanted[RateClass::Full as usize] |= self.program || loudest.any(Seat::encodes_voice);
        wanted
    }

    fn perform(&mut self, wanted: [bool; 3]) {
        for stage in &mut self.stages {
            stage.sounds = false;
        }
        for (_, key) in &self.ranks {
            let Some(seat) = self.seats.get_mut(*key).filter(|seat| seat.stage.is_none()) else { continue };
            let free = self.stages.iter().position(|stage| stage.owner.is_none());
            let index = free.unwrap_or_else(|| {
                self.stages.push(Stage::new());
                self.stages.len() - 1
            });
            self.stages[index].take(*key);
            seat.stage = Some(index);
        }
        for stage in &mut self.stages {
            let Some(key) = stage.owner else { continue };
            let Some(seat) = self.seats.get_mut(key) else { continue };
            let chosen = self.ranks.iter().any(|(_, chosen)| *chosen == key);
            seat.perform(stage, chosen, wanted);
            if let Some((payload, level)) = seat.voice(stage, &mut self.buffer, &mut self.spares) {
                self.tick.voices.push((key, payload, level));
            }
        }
    }

    fn sum(&self, wanted: [bool; 3]) -> [Frame; 3] {
        let mut sums = [SILENCE; 3];
        for class in RateClass::ALL.into_iter().filter(|class| wanted[*class as usize]) {
            for stage in self.stages.iter().filter(|stage| stage.sounds) {
                add(&mut sums[class as usize], stage.frame(class), 1.0);
            }
        }
        sums
    }

    fn encode(&mut self, sums: &[Frame; 3]) {
        self.shared_payloads.clear();
        self.own_encoders = 0;
        for (key, seat) in self.seats.iter_mut() {
            seat.end_tick();
            let (Some(codec), Some(class)) = (seat.config.output, seat.class()) else { continue };
            self.own_encoders += usize::from(codec == AudioCodec::Opus && seat.own_encoder.is_some());
            let start = self.tick.bytes.len();
            if let Some((level, ended)) = seat.play_alone(&mut self.tick.bytes) {
                let range = start..self.tick.bytes.len();
                if !range.is_empty() {
                    self.tick.outputs.push((key, range));
                }
                self.tick.finished.extend(ended.map(|id| (key, id)));
                if self.care.echo_guard {
                    seat.line.echo.sent(level);
                }
                continue;
            }
            let on_stage = seat.stage.map(|index| &self.stages[index]).filter(|stage| stage.sounds);
            let silent = seat.config.apart;
            let encoders = if silent { &mut self.silent } else { &mut self.shared };
            let lossy = codec == AudioCodec::Opus && seat.loss > OPUS_LOSS_PERCENT;
            let needs_own = on_stage.is_some() || seat.playing.is_some() || seat.volume != 1.0 || lossy;
            if needs_own {
                seat.own_encoder_ticks = OWN_ENCODER_TICKS;
            }
            let has_memory = class != RateClass::Narrow;
            let owns = needs_own || has_memory && seat.own_encoder_ticks > 0;
            let shared = || self.shared_payloads.iter().find(|known| (known.0, known.1) == (codec, silent));
            let range = match (owns, if owns { None } else { shared() }) {
                (_, Some(known)) => {
                    self.spares.put(codec, seat.own_encoder.take());
                    if self.care.echo_guard {
                        seat.line.echo.sent(known.3);
                    }
                    known.2.clone()
                }
                (false, None) => {
                    self.spares.put(codec, seat.own_encoder.take());
                    let mut frame = if silent { SILENCE } else { sums[class as usize] };
                    let frame = &mut frame[..class.samples()];
                    let range = append(encoders.get_mut(&codec), frame, &mut self.tick.bytes);
                    let level = AudioLevel::of(frame);
                    self.shared_payloads.push((codec, silent, range.clone(), level));
                    if self.care.echo_guard {
                        seat.line.echo.sent(level);
                    }
                    range
                }
                (true, None) => {
                    seat.own_encoder_ticks -= 1;
                    let mut frame = SILENCE;
                    let frame = &mut frame[..class.samples()];
                    if !silent {
                        frame.copy_from_slice(&sums[class as usize][..class.samples()]);
                    }
                    if let Some(stage) = on_stage {
                        add(frame, stage.frame(class), -1.0);
                    }
                    if seat.volume != 1.0 {
                        frame.iter_mut().for_each(|sample| *sample *= seat.volume);
                    }
                    if let Some(id) = seat.play_into(class, frame) {
                        self.tick.finished.push((key, id));
                    }
                    if has_memory && seat.own_encoder.is_none() {
                        seat.own_encoder = self.spares.take(codec);
                        if let Some(encoder) = &mut seat.own_encoder {
                            encoder.expect_loss(seat.loss);
                        }
                    }
                    if self.care.echo_guard {
                        seat.line.echo.sent(AudioLevel::of(frame));
                    }
                    let own = seat.own_encoder.as_mut().filter(|_| has_memory);
                    append(own.or_else(|| encoders.get_mut(&codec)), frame, &mut self.tick.bytes)
                }
            };
            if !range.is_empty() {
                self.tick.outputs.push((key, range));
            }
        }
        for stage in &mut self.stages {
            let Some(key) = stage.owner else { continue };
            if !self.ranks.iter().any(|(_, chosen)| *chosen == key) {
                stage.owner = None;
                if let Some(seat) = self.seats.get_mut(key) {
                    self.spares.put(AudioCodec::Opus, seat.leave_stage());
                }
            }
        }
    }
}

/// Encodes what is limited first; an empty range where the encoder can't be made.
fn append(encoder: Option<&mut Encoder>, frame: &mut [f32], bytes: &mut Vec<u8>) -> Range<usize> {
    let start = bytes.len();
    limit(frame);
    if let Some(encoder) = encoder {
        encoder.encode(frame, bytes);
    }
    start..bytes.len()
}

fn add(sum: &mut [f32], frame: &[f32], gain: f32) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        *sum += sample * gain;
    }
}

/// Rounds peaks off smoothly; what is below [`LIMIT`] passes unchanged.
fn limit(frame: &mut [f32]) {
    for sample in frame {
        let over = sample.abs() - LIMIT;
        if over > 0.0 {
            *sample = sample.signum() * (LIMIT + (1.0 - LIMIT) * (over / (1.0 - LIMIT)).tanh());
        }
    }
}
