//! The sound engine: packets in, mix-minus out.
//!
//! Every 20 ms each seat may give one packet and each listening seat gets one: the sum of all others, never itself.
//! All who only listen share one encoded payload a codec. Bytes in, bytes out: no IO and no clock; packets are put in
//! order by `leg`, and `plane` calls [`Mixer::tick`] on time.

pub mod bench;
mod codec;
mod conceal;
mod resample;
mod seat;
mod speakers;
pub mod tones;

use std::{collections::BTreeMap, sync::Arc};

use media::{AudioCodec, AudioLevel, Clip, Frame, SILENCE};

use codec::Encoder;
use seat::Seat;
pub use speakers::{Speakers, SpeakersChanged};

/// Ticks a listener keeps an encoder of his own after his last word or prompt. Going to the shared one sooner would
/// make the codec's memory jump in the middle of a conversation; later would cost an encode a tick.
const OWN_ENCODER_TICKS: u32 = 100;

/// How much of the mix remains under a prompt: −12 dB, so that the prompt is understood and the talk not lost.
const DUCKED: f32 = 0.25;

/// Above this, peaks are rounded off instead of cut.
const LIMIT: f32 = 0.8;

/// One seat of one mixer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeatKey(u64);

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
    /// One payload for each seat that has an output.
    pub outputs: Vec<(SeatKey, Arc<[u8]>)>,
    /// Each phone's own Opus payload, while he speaks.
    pub voices: Vec<(SeatKey, Arc<[u8]>, AudioLevel)>,
    /// Of every input that is not muted.
    pub levels: Vec<(SeatKey, AudioLevel)>,
    /// The sum of all inputs, where wanted.
    pub program: Option<Frame>,
    /// Clips that came to their end.
    pub finished: Vec<(SeatKey, PlayId)>,
}

/// The sound of one meeting, or of all callers who are in none yet.
#[derive(Default)]
pub struct Mixer {
    seats: BTreeMap<SeatKey, Seat>,
    last_key: u64,
    last_play: u64,
    program: bool,
    shared: BTreeMap<AudioCodec, Encoder>,
    /// This tick's shared payloads: one a codec of the whole mix, one of silence.
    shared_payloads: BTreeMap<(AudioCodec, bool), Arc<[u8]>>,
    silent: BTreeMap<AudioCodec, Encoder>,
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
        let seat = Seat::new(config)?;
        self.last_key += 1;
        let key = SeatKey(self.last_key);
        self.seats.insert(key, seat);
        Ok(key)
    }

    /// What plays there ends without being told.
    pub fn remove(&mut self, seat: SeatKey) {
        self.seats.remove(&seat);
    }

    /// A muted input counts for nobody: not in the mix, no voice track, no level.
    pub fn set_muted(&mut self, seat: SeatKey, muted: bool) {
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.muted = muted;
        }
    }

    /// How loud the others are to this seat: 1 as they are. A seat with a volume of its own has an encoder of its own.
    pub fn set_volume(&mut self, seat: SeatKey, volume: f32) {
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.volume = volume;
        }
    }

    /// Plays to this seat alone, over the quieter mix; what played before stops.
    pub fn play(&mut self, seat: SeatKey, clip: Clip, looping: bool) -> PlayId {
        self.last_play += 1;
        let id = PlayId(self.last_play);
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.play(id, clip, looping);
        }
        id
    }

    /// Stops what plays; it is not told as finished.
    pub fn stop_playing(&mut self, seat: SeatKey) {
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.playing = None;
        }
    }

    /// Takes what came from a seat; once a tick. A `level` told by the sender saves decoding silence.
    pub fn push(&mut self, seat: SeatKey, incoming: Incoming<'_>, level: Option<AudioLevel>) {
        let heard = self.program || self.seats.iter().any(|(key, other)| *key != seat && other.listens());
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.push(incoming, level, heard);
        }
    }

    /// Whether [`Tick::program`] is made.
    pub fn set_program(&mut self, wanted: bool) {
        self.program = wanted;
    }

    /// Mixes 20 ms.
    pub fn tick(&mut self) -> &Tick {
        let tick = &mut self.tick;
        tick.outputs.clear();
        tick.voices.clear();
        tick.levels.clear();
        tick.finished.clear();
        self.shared_payloads.clear();

        let mut sum = SILENCE;
        for (key, seat) in &mut self.seats {
            seat.settle();
            if let Some(level) = seat.level() {
                tick.levels.push((*key, level));
            }
            if seat.contributes {
                add(&mut sum, &seat.frame, 1.0);
            }
            if let Some((payload, level)) = seat.voice(&mut self.buffer) {
                tick.voices.push((*key, payload, level));
            }
        }
        for (key, seat) in &mut self.seats {
            let Some(codec) = seat.config.output else { continue };
            let needs_own = seat.contributes || seat.playing.is_some() || seat.volume != 1.0;
            if needs_own {
                seat.own_encoder_ticks = OWN_ENCODER_TICKS;
            }
            let payload = if seat.own_encoder_ticks > 0 {
                seat.own_encoder_ticks -= 1;
                let mut frame = if seat.config.apart { SILENCE } else { sum };
                if seat.contributes {
                    add(&mut frame, &seat.frame, -1.0);
                }
                if seat.volume != 1.0 {
                    frame.iter_mut().for_each(|sample| *sample *= seat.volume);
                }
                if let Some(id) = seat.play_into(&mut frame) {
                    tick.finished.push((*key, id));
                }
                limit(&mut frame);
                seat.encode(codec, &frame, &mut self.buffer)
            } else {
                seat.own_encoder = None;
                let silent = seat.config.apart;
                let encoders = if silent { &mut self.silent } else { &mut self.shared };
                let buffer = &mut self.buffer;
                let payload = self.shared_payloads.entry((codec, silent)).or_insert_with(|| {
                    let mut frame = if silent { SILENCE } else { sum };
                    limit(&mut frame);
                    match encoders.get_mut(&codec) {
                        Some(encoder) => encoder.encode(&frame, buffer),
                        None => buffer.clear(),
                    }
                    buffer.as_slice().into()
                });
                Some(Arc::clone(payload))
            };
            if let Some(payload) = payload.filter(|payload| !payload.is_empty()) {
                tick.outputs.push((*key, payload));
            }
        }
        tick.program = self.program.then(|| {
            limit(&mut sum);
            sum
        });
        for seat in self.seats.values_mut() {
            seat.end_tick();
        }
        &self.tick
    }
}

fn add(sum: &mut Frame, frame: &Frame, gain: f32) {
    for (sum, sample) in sum.iter_mut().zip(frame) {
        *sum += sample * gain;
    }
}

/// Rounds peaks off smoothly; what is below [`LIMIT`] passes unchanged.
fn limit(frame: &mut Frame) {
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
                sent: 0,
                encoder: Encoder::new(codec).unwrap(),
                decoder: Decoder::new(codec).unwrap(),
                heard: Vec::new(),
            }
        }

        fn speak(&mut self, mixer: &mut Mixer) {
            let sound = sine(self.hz, 0.2, SAMPLE_RATE, self.sent + FRAME_SAMPLES);
            let frame: &Frame = sound[self.sent..].first_chunk().unwrap();
            self.sent += FRAME_SAMPLES;
            let mut payload = Vec::new();
            self.encoder.encode(frame, &mut payload);
            mixer.push(self.key, Incoming::Packet(&payload), None);
        }

        fn hear(&mut self, tick: &Tick) {
            let (_, payload) = tick.outputs.iter().find(|(key, _)| *key == self.key).expect("an output every tick");
            let mut frame = SILENCE;
            assert!(self.decoder.decode(payload, &mut frame));
            self.heard.extend(frame);
        }

        /// How loud a tone was in the last 400 ms.
        fn loudness(&self, hz: f32) -> f32 {
            amplitude(&self.heard[self.heard.len() - 20 * FRAME_SAMPLES..], hz, SAMPLE_RATE)
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
        let payload = |index: usize| &mixer.tick.outputs.iter().find(|(key, _)| *key == parties[index].key).unwrap().1;
        assert!(Arc::ptr_eq(payload(1), payload(2)));
        assert!(!Arc::ptr_eq(payload(0), payload(1)));
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
        Encoder::new(AudioCodec::Pcma).unwrap().encode(&SILENCE, &mut silence);
        let silent_after = (0..100).find(|_| {
            mixer.push(parties[0].key, Incoming::Packet(&silence), None);
            mixer.tick().voices.is_empty()
        });
        assert!(silent_after.is_some_and(|ticks| (10..50).contains(&ticks)), "{silent_after:?}");
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
