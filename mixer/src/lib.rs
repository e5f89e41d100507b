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
mod stage;
pub mod tones;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use media::{AudioCodec, AudioLevel, Clip, Frame, SILENCE};

use codec::{Encoder, OPUS_LOSS_PERCENT};
pub use line::{LineCare, LineEvent};
pub use recording::{RECORDING_TICKS_MAX, Recording};
use resample::RateClass;
use seat::Seat;
pub use seat_map::{SeatKey, SeatMap};
pub use speakers::{Speakers, SpeakersChanged};
use stage::Stage;

/// Who are heard at once: the loudest. More than five voices are noise to the ear; each costs a mix and an encode.
const LOUDEST: usize = 6;

/// Ticks a listener keeps an encoder of his own after his last word or prompt. Going to the shared one sooner would
/// make the codec's memory jump in the middle of a conversation; later would cost an encode a tick. G.711 has no memory.
const OWN_ENCODER_TICKS: u32 = 100;

/// How much of the mix remains under a prompt: −12 dB, so that the prompt is understood and the talk not lost.
const DUCKED: f32 = 0.25;

/// Above this, peaks are rounded off instead of cut.
const LIMIT: f32 = 0.8;

/// One playing of one clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayId(u64);

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
        self.program = None;
    }
}

/// The sound of one meeting, or of all callers who are in none yet.
#[derive(Default)]
pub struct Mixer {
    seats: SeatMap<Seat>,
    last_play: u64,
    program: bool,
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
    /// This tick's shared payloads, and how loud they are: one a codec of the whole mix, one of silence.
    shared_payloads: Vec<(AudioCodec, bool, Range<usize>, AudioLevel)>,
    buffer: Vec<u8>,
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

    /// What plays there ends without being told.
    pub fn remove(&mut self, seat: SeatKey) {
        let Some(seat) = self.seats.remove(seat) else { return };
        if let Some(class) = seat.hears() {
            self.listeners[class as usize] -= 1;
        }
        if let Some(stage) = seat.stage {
            self.stages[stage].owner = None;
        }
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
    pub fn play(&mut self, seat: SeatKey, clip: Clip, looping: bool) -> PlayId {
        self.last_play += 1;
        let id = PlayId(self.last_play);
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.play(id, clip, looping);
        }
        id
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
            if let Some((payload, level)) = seat.voice(stage, &mut self.buffer) {
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
        for (key, seat) in self.seats.iter_mut() {
            seat.end_tick();
            let (Some(codec), Some(class)) = (seat.config.output, seat.class()) else { continue };
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
                    seat.own_encoder = None;
                    if self.care.echo_guard {
                        seat.line.echo.sent(known.3);
                    }
                    known.2.clone()
                }
                (false, None) => {
                    seat.own_encoder = None;
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
                        seat.own_encoder = Encoder::new(codec).ok();
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
                    seat.leave_stage();
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

#[cfg(test)]
mod tests {
    use media::{FRAME_SAMPLES, SAMPLE_RATE};

    use super::*;
    use crate::{
        codec::Decoder,
        tones::{amplitude, sine},
    };

    /// A party who sends its own tone and keeps what it hears.
    struct Party {
        key: SeatKey,
        hz: f32,
        codec: AudioCodec,
        sent: usize,
        encoder: Encoder,
        decoder: Decoder,
        heard: Vec<f32>,
    }

    impl Party {
        fn join(mixer: &mut Mixer, codec: AudioCodec, hz: f32) -> Self {
            let config = SeatConfig { input: Some(codec), output: Some(codec), voice: true, apart: false };
            Self {
                key: mixer.add(config).unwrap(),
                hz,
                codec,
                sent: 0,
                encoder: Encoder::new(codec).unwrap(),
                decoder: Decoder::new(codec).unwrap(),
                heard: Vec::new(),
            }
        }

        fn speak(&mut self, mixer: &mut Mixer) {
            let samples = RateClass::of(self.codec).samples();
            let sound = sine(self.hz, 0.2, self.codec.sample_rate(), self.sent + samples);
            let mut payload = Vec::new();
            self.encoder.encode(&sound[self.sent..], &mut payload);
            self.sent += samples;
            mixer.push(self.key, Incoming::Packet(&payload), None);
        }

        fn hear(&mut self, tick: &Tick) {
            let (_, payload) = tick.outputs().find(|(key, _)| *key == self.key).expect("an output every tick");
            let mut frame = vec![0.0; RateClass::of(self.codec).samples()];
            assert!(self.decoder.decode(payload, &mut frame));
            self.heard.extend(frame);
        }

        /// How loud a tone was in the last 400 ms.
        fn loudness(&self, hz: f32) -> f32 {
            let last = 20 * RateClass::of(self.codec).samples();
            amplitude(&self.heard[self.heard.len() - last..], hz, self.codec.sample_rate())
        }
    }

    fn run(mixer: &mut Mixer, parties: &mut [Party], speaking: &[usize], ticks: usize) {
        for _ in 0..ticks {
            for index in speaking {
                parties[*index].speak(mixer);
            }
            let tick = mixer.tick();
            for party in parties.iter_mut() {
                party.hear(tick);
            }
        }
    }

    // product: P6
    #[test]
    fn everyone_hears_all_but_himself_whatever_the_codec() {
        let mut mixer = Mixer::new();
        let of = [
            (AudioCodec::Pcmu, 440.0),
            (AudioCodec::Pcma, 620.0),
            (AudioCodec::G722, 900.0),
            (AudioCodec::Opus, 1_300.0),
        ];
        let mut parties = of.map(|(codec, hz)| Party::join(&mut mixer, codec, hz));
        run(&mut mixer, &mut parties, &[0, 1, 2, 3], 60);
        for party in &parties {
            for (_, hz) in of {
                let loudness = party.loudness(hz);
                if hz == party.hz {
                    assert!(loudness < 0.002, "{} Hz hears itself at {loudness}", party.hz);
                } else {
                    assert!((loudness - 0.2).abs() < 0.04, "{} Hz hears {hz} Hz at {loudness}", party.hz);
                }
            }
        }
    }

    /// A tone of this many dBov.
    fn payload_of(encoder: &mut Encoder, hz: f32, dbov: f32, tick: usize) -> Vec<u8> {
        let amplitude = 10.0f32.powf(dbov / 20.0) * std::f32::consts::SQRT_2;
        let turn = |n: usize| std::f32::consts::TAU * hz * (160 * tick + n) as f32 / 8_000.0;
        let sound: [f32; 160] = std::array::from_fn(|n| amplitude * turn(n).sin());
        let mut payload = Vec::new();
        encoder.encode(&sound, &mut payload);
        payload
    }

    #[test]
    fn only_the_loudest_are_mixed() {
        let mut mixer = Mixer::new();
        let tones: Vec<f32> = (0..10).map(|n| 300.0 + 200.0 * n as f32).collect();
        let mut parties: Vec<_> = tones.iter().map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, *hz)).collect();
        let mut listener = Party::join(&mut mixer, AudioCodec::G722, 50.0);
        for tick in 0..100 {
            for (index, party) in parties.iter_mut().enumerate() {
                let payload = payload_of(&mut party.encoder, party.hz, -20.0 - index as f32, tick);
                mixer.push(party.key, Incoming::Packet(&payload), None);
            }
            listener.hear(mixer.tick());
        }
        let heard: Vec<_> = tones.iter().map(|hz| listener.loudness(*hz) > 0.02).collect();
        assert_eq!(heard, (0..10).map(|index| index < LOUDEST).collect::<Vec<_>>());
    }

    #[test]
    fn coming_and_going_on_the_stage_does_not_click() {
        let mut mixer = Mixer::new();
        let mut parties: Vec<_> = (0..8).map(|_| Party::join(&mut mixer, AudioCodec::Pcma, 200.0)).collect();
        let mut listener = Party::join(&mut mixer, AudioCodec::Pcma, 50.0);
        for tick in 0..400 {
            for (index, party) in parties.iter_mut().enumerate() {
                let dbov = if (index + tick / 20) % 8 < 6 { -30.0 } else { -45.0 };
                let payload = payload_of(&mut party.encoder, 200.0, dbov, tick);
                mixer.push(party.key, Incoming::Packet(&payload), None);
            }
            listener.hear(mixer.tick());
        }
        // A click is wide-band: nothing of it may stand above 2 kHz.
        for hz in [2_100.0, 2_700.0, 3_300.0] {
            assert!(amplitude(&listener.heard, hz, 8_000) < 0.001, "{hz} Hz");
        }
    }

    // product: P10
    #[test]
    fn callers_of_minus_40_and_minus_10_dbov_are_heard_alike() {
        let mut heard = [-40.0, -10.0].map(|dbov| {
            let mut mixer = Mixer::new();
            let mut speaker = Party::join(&mut mixer, AudioCodec::Pcmu, 700.0);
            let mut listener = Party::join(&mut mixer, AudioCodec::Pcmu, 50.0);
            for tick in 0..250 {
                let payload = payload_of(&mut speaker.encoder, 700.0, dbov, tick);
                mixer.push(speaker.key, Incoming::Packet(&payload), None);
                listener.hear(mixer.tick());
            }
            20.0 * listener.loudness(700.0).log10()
        });
        heard.sort_by(f32::total_cmp);
        assert!(heard[1] - heard[0] < 6.0, "after five seconds {heard:?} dB");
    }

    // product: C7
    #[test]
    fn a_muted_input_counts_for_nobody() {
        let mut mixer = Mixer::new();
        let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
        mixer.set_muted(parties[0].key, true);
        run(&mut mixer, &mut parties, &[0, 1], 40);
        assert!(parties[1].loudness(440.0) < 0.002);
        assert!(parties[0].loudness(620.0) > 0.15, "who is muted still hears");
        assert!(mixer.tick.levels.iter().all(|(key, _)| *key == parties[1].key));
        assert!(mixer.tick.voices.iter().all(|(key, ..)| *key == parties[1].key));
        mixer.set_muted(parties[0].key, false);
        run(&mut mixer, &mut parties, &[0, 1], 40);
        assert!(parties[1].loudness(440.0) > 0.15);
    }

    // product: P4
    #[test]
    fn one_hears_all_softer_and_nobody_else_does() {
        let mut mixer = Mixer::new();
        let mut parties = [440.0, 620.0, 800.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
        mixer.set_volume(parties[1].key, 0.5);
        run(&mut mixer, &mut parties, &[0], 50);
        assert!((parties[1].loudness(440.0) - 0.1).abs() < 0.02, "{}", parties[1].loudness(440.0));
        assert!((parties[2].loudness(440.0) - 0.2).abs() < 0.04, "{}", parties[2].loudness(440.0));
        mixer.set_volume(parties[1].key, 1.0);
        run(&mut mixer, &mut parties, &[0], 50);
        assert!(parties[1].loudness(440.0) > 0.16, "{}", parties[1].loudness(440.0));
    }

    #[test]
    fn listeners_share_one_payload() {
        let mut mixer = Mixer::new();
        let mut parties = [440.0, 500.0, 600.0].map(|hz| Party::join(&mut mixer, AudioCodec::Opus, hz));
        run(&mut mixer, &mut parties, &[0], 50);
        let payload = |index: usize| mixer.tick.outputs().find(|(key, _)| *key == parties[index].key).unwrap().1;
        assert!(std::ptr::eq(payload(1), payload(2)));
        assert!(!std::ptr::eq(payload(0), payload(1)));
    }

    #[test]
    fn a_phones_voice_is_a_track_of_its_own_while_it_speaks() {
        let mut mixer = Mixer::new();
        let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
        let mut browser = Decoder::new(AudioCodec::Opus).unwrap();
        let mut heard = Vec::new();
        for _ in 0..50 {
            parties.iter_mut().for_each(|party| party.speak(&mut mixer));
            let tick = mixer.tick();
            let (_, payload, level) = tick.voices.iter().find(|(key, ..)| *key == parties[0].key).unwrap();
            assert!(level.is_voice());
            let mut frame = SILENCE;
            assert!(browser.decode(payload, &mut frame));
            heard.extend(frame);
        }
        let late = &heard[20 * FRAME_SAMPLES..];
        assert!(amplitude(late, 440.0, SAMPLE_RATE) > 0.15 && amplitude(late, 620.0, SAMPLE_RATE) < 0.005);
        let mut silence = Vec::new();
        Encoder::new(AudioCodec::Pcma).unwrap().encode(&SILENCE[..160], &mut silence);
        let silent_after = (0..100).find(|_| {
            mixer.push(parties[0].key, Incoming::Packet(&silence), None);
            mixer.tick().voices.is_empty()
        });
        assert!(silent_after.is_some_and(|ticks| (10..50).contains(&ticks)), "{silent_after:?}");
    }

    #[test]
    fn a_telephone_among_browsers_alone_is_heard() {
        let mut mixer = Mixer::new();
        let browser = SeatConfig { input: Some(AudioCodec::Opus), output: None, voice: false, apart: false };
        mixer.add(browser).unwrap();
        let mut phone = Party::join(&mut mixer, AudioCodec::Pcmu, 440.0);
        for _ in 0..10 {
            phone.speak(&mut mixer);
            phone.hear(mixer.tick());
        }
        assert_eq!(mixer.tick.voices.len(), 1);
    }

    // product: P3
    #[test]
    fn a_prompt_is_heard_by_one_over_the_quieter_talk() {
        let mut mixer = Mixer::new();
        let mut parties = [440.0, 620.0, 800.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
        let clip = Clip::new(sine(1_700.0, 0.3, SAMPLE_RATE, SAMPLE_RATE as usize));
        let id = mixer.play(parties[1].key, clip, false);
        run(&mut mixer, &mut parties, &[0], 48);
        assert!(parties[1].loudness(1_700.0) > 0.25);
        assert!((parties[1].loudness(440.0) - 0.05).abs() < 0.02);
        assert!(parties[2].loudness(1_700.0) < 0.002);
        let mut finished = Vec::new();
        for _ in 0..4 {
            finished.extend_from_slice(&mixer.tick().finished);
        }
        assert_eq!(finished, [(parties[1].key, id)]);
    }

    #[test]
    fn who_is_apart_hears_prompts_and_nothing_else() {
        let mut mixer = Mixer::new();
        let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Pcma, hz));
        for party in &mut parties {
            mixer.remove(party.key);
            let codec = Some(AudioCodec::Pcma);
            party.key = mixer.add(SeatConfig { input: codec, output: codec, voice: false, apart: true }).unwrap();
        }
        mixer.play(parties[1].key, Clip::new(sine(1_700.0, 0.3, SAMPLE_RATE, FRAME_SAMPLES)), true);
        run(&mut mixer, &mut parties, &[0, 1], 50);
        assert!(parties[0].loudness(620.0) < 0.001 && parties[1].loudness(440.0) < 0.001);
        assert!(parties[1].loudness(1_700.0) > 0.25, "a looping clip goes on");
    }

    #[test]
    fn shouting_together_is_rounded_off() {
        let mut frame = [3.0; FRAME_SAMPLES];
        frame[1] = 0.5;
        frame[2] = -9.0;
        limit(&mut frame);
        assert!(frame[0] > 0.9 && frame[0] <= 1.0);
        assert_eq!(frame[1], 0.5);
        assert!((-1.0..-0.9).contains(&frame[2]));
    }

    #[test]
    fn the_program_is_the_sum_of_all() {
        let mut mixer = Mixer::new();
        mixer.set_program(true);
        let mut parties = [440.0, 620.0].map(|hz| Party::join(&mut mixer, AudioCodec::Opus, hz));
        let mut program = Vec::new();
        for _ in 0..50 {
            parties.iter_mut().for_each(|party| party.speak(&mut mixer));
            program.extend(mixer.tick().program.unwrap());
        }
        for hz in [440.0, 620.0] {
            assert!((amplitude(&program[20 * FRAME_SAMPLES..], hz, SAMPLE_RATE) - 0.2).abs() < 0.03);
        }
    }
}
