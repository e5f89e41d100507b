//! One seat: its decoder, how loud it is, what plays to it, its own encoders.

use std::sync::Arc;

use media::{AudioCodec, AudioLevel, Clip, FRAME_SAMPLES};

use crate::{
    DUCKED, Incoming, MixerError, PlayId, SeatConfig,
    codec::{Decoder, Encoder, Spares, loudness_of},
    gain::Gain,
    line::{Line, LineEvent},
    resample::RateClass,
    spoken,
    stage::Stage,
};

/// Digital silence, in dBov.
const SILENT: f32 = -127.0;

/// What is softer than this is not mixed, in dBov: nobody hears it, and A-law's silence is −72.
const INAUDIBLE: f32 = -68.0;

/// How fast somebody's loudness is forgotten, in dB a tick: a pause of a second costs 10.
const LOUDNESS_FALL: f32 = 0.2;

/// How much louder, in dB, another must be to take somebody's place on the stage. Less would make two alike flap.
const STAY: f32 = 3.0;

/// Ticks a voice track goes on after the last word: shorter would cut soft ends of words, longer would send breath.
const HANGOVER_TICKS: u32 = 20;

pub(crate) struct Seat {
    pub(crate) config: SeatConfig,
    pub(crate) muted: bool,
    /// Somebody receives this phone's own track.
    pub(crate) voice_wanted: bool,
    /// Of what he hears; 1 leaves it as it is.
    pub(crate) volume: f32,
    pub(crate) playing: Option<Playing>,
    /// Where the seat stands while it is one of the loudest.
    pub(crate) stage: Option<usize>,
    pub(crate) own_encoder: Option<Encoder>,
    pub(crate) own_encoder_ticks: u32,
    /// How much of what he is sent is lost, in percent, and the encoder knows it.
    pub(crate) loss: u8,
    /// This tick's sound, at the codec's rate.
    frame: Box<[f32]>,
    decoder: Option<Decoder>,
    /// The last payload was not worth decoding.
    skips: bool,
    /// That payload, of codecs with a memory: the decoder hears it first when one is again, so that its memory is of this voice.
    skipped: Vec<u8>,
    /// Loudness this tick: told by the sender, or measured.
    heard_level: Option<AudioLevel>,
    pub(crate) decoded: bool,
    /// In dBov: rises at once, falls slowly, so that nobody leaves the stage between two words.
    loudness: f32,
    gain: Gain,
    /// Of phones.
    pub(crate) line: Line,
    voice: Option<Encoder>,
    hangover: u32,
    /// The Opus payload as it came, to be passed on untouched.
    passed: Option<Arc<[u8]>>,
}

/// What plays to a seat. It can go on at another one.
pub struct Playing {
    id: PlayId,
    clip: Clip,
    looping: bool,
    /// Nothing else is heard meanwhile, so what is sent is the same for all who hear it.
    alone: bool,
    /// The piece that plays, and where in it, at the rate of the seat; at 48 kHz while it has none.
    piece: usize,
    at: usize,
}

impl Playing {
    /// As whoever plays it knows it.
    #[must_use]
    pub fn id(&self) -> PlayId {
        self.id
    }

    pub(crate) fn new(id: PlayId, clip: Clip, looping: bool) -> Self {
        Self { id, clip, looping, alone: false, piece: 0, at: 0 }
    }

    /// Between two seats its place is counted at 48 kHz.
    pub(crate) fn leave(&mut self, class: Option<RateClass>) {
        self.at *= per_sample(class);
    }

    /// True where there is none.
    fn next_piece(&mut self) -> bool {
        (self.piece, self.at) = (self.piece + 1, 0);
        let is_over = self.piece == self.clip.pieces().len();
        if is_over && self.looping && !self.clip.duration().is_zero() {
            self.piece = 0;
            return false;
        }
        is_over
    }
}

/// Samples of 48 kHz to one of this class.
fn per_sample(class: Option<RateClass>) -> usize {
    FRAME_SAMPLES / class.unwrap_or(RateClass::Full).samples()
}

impl Seat {
    pub(crate) fn new(config: SeatConfig) -> Result<Self, MixerError> {
        // Who is apart is not listened to.
        let listened = config.input.filter(|_| !config.apart);
        let samples = listened.map_or(0, |codec| RateClass::of(codec).samples());
        Ok(Self {
            config,
            muted: false,
            voice_wanted: true,
            volume: 1.0,
            playing: None,
            stage: None,
            own_encoder: None,
            own_encoder_ticks: 0,
            loss: 0,
            frame: vec![0.0; samples].into(),
            decoder: listened.map(Decoder::new).transpose()?,
            skips: false,
            skipped: Vec::new(),
            heard_level: None,
            decoded: false,
            loudness: SILENT,
            gain: Gain::default(),
            line: Line::default(),
            voice: None,
            hangover: 0,
            passed: None,
        })
    }

    /// The class of the mix that is heard here.
    pub(crate) fn hears(&self) -> Option<RateClass> {
        self.class().filter(|_| !self.config.apart)
    }

    /// The class of what it is sent.
    pub(crate) fn class(&self) -> Option<RateClass> {
        self.config.output.map(RateClass::of)
    }

    /// `bar` is the loudness from which one may come on the stage.
    pub(crate) fn push(&mut self, incoming: Incoming<'_>, level: Option<AudioLevel>, heard: bool, bar: f32) {
        // Who is apart or fully muted is not listened to at all.
        if self.config.apart || (self.muted && self.stage.is_none()) {
            return;
        }
        let (Some(codec), Some(decoder)) = (self.config.input, &mut self.decoder) else { return };
        let level = level.or_else(|| match incoming {
            Incoming::Packet(payload) if self.stage.is_none() => loudness_of(codec, payload),
            _ => None,
        });
        self.heard_level = level;
        // Whoever comes to a telephone on hold is spared its music from the first moment.
        let heard = heard || self.config.voice && (self.voice_wanted || self.line.care.mute_music);
        let unneeded = level.is_some_and(|level| {
            let loudness = (self.loudness - LOUDNESS_FALL).max(-f32::from(level.minus_dbov()));
            let too_soft = self.stage.is_none() && loudness < bar.max(INAUDIBLE);
            level == AudioLevel::SILENT || too_soft || !heard
        });
        match incoming {
            Incoming::Packet(payload) if unneeded => {
                self.skips = true;
                self.skipped.clear();
                if RateClass::of(codec) != RateClass::Narrow {
                    self.skipped.extend_from_slice(payload);
                }
                // Opus says only that nobody speaks, and not how loud that is.
                if let Some(level) = level.filter(|_| self.config.voice && codec != AudioCodec::Opus) {
                    self.line.came(level);
                }
                return;
            }
            Incoming::Packet(payload) => {
                if std::mem::take(&mut self.skips) {
                    decoder.catch_up(&self.skipped, &mut self.frame);
                }
                decoder.decode(payload, &mut self.frame);
                if self.config.voice && self.voice_wanted && codec == AudioCodec::Opus {
                    self.passed = Some(payload.into());
                }
            }
            // Between what nobody hears there is nothing to bridge.
            Incoming::Lost { .. } if unneeded || self.skips => return,
            Incoming::Lost { next } => decoder.conceal(next, &mut self.frame),
            Incoming::ComfortNoise(_) | Incoming::Nothing if !self.config.voice => return,
            Incoming::ComfortNoise(noise) => {
                self.line.fill(Some(noise), decoder, &mut self.frame);
            }
            Incoming::Nothing => {
                if !self.line.fill(None, decoder, &mut self.frame) {
                    return;
                }
            }
        }
        self.decoded = true;
        let level = level.unwrap_or_else(|| AudioLevel::of(&self.frame));
        self.heard_level = Some(level);
        if self.config.voice {
            if matches!(incoming, Incoming::Packet(_)) {
                self.line.came(level);
            }
            self.line.listen(&self.frame, level);
        }
    }

    /// How much it should be on the stage this tick; none where there is nothing to hear.
    pub(crate) fn rank(&mut self) -> Option<f32> {
        let level = self.level()?;
        self.loudness = (self.loudness - LOUDNESS_FALL).max(-f32::from(level.minus_dbov()));
        if !self.decoded || self.loudness < INAUDIBLE {
            return None;
        }
        Some(self.loudness + if self.stage.is_some() { STAY } else { 0.0 })
    }

    /// Puts this tick's sound on its stage. Who was not chosen again goes out over this frame.
    pub(crate) fn perform(&mut self, stage: &mut Stage, chosen: bool, wanted: [bool; 3]) {
        let Some(class) = self.config.input.map(RateClass::of).filter(|_| self.decoded) else { return };
        let mut level = self.heard_level.unwrap_or(AudioLevel::SILENT);
        if self.config.voice && self.line.clean(&mut self.frame, class) {
            level = AudioLevel::of(&self.frame);
        }
        let gain = if self.config.voice { self.gain.hear(level) } else { 1.0 };
        let is_heard = chosen && !self.line.echoes();
        stage.put(&self.frame, class, if is_heard { gain } else { 0.0 }, wanted);
    }

    /// The encoder of its own track, which it needs no longer.
    pub(crate) fn leave_stage(&mut self) -> Option<Encoder> {
        self.stage = None;
        self.line.denoiser.stop();
        self.voice.take()
    }

    pub(crate) fn level(&self) -> Option<AudioLevel> {
        if self.muted || self.config.apart || self.config.input.is_none() || self.line.is_held_back() {
            return None;
        }
        if self.line.echoes() {
            return Some(AudioLevel::SILENT);
        }
        Some(self.heard_level.unwrap_or(AudioLevel::SILENT))
    }

    /// The seat's own track is made from its sound at 48 kHz.
    pub(crate) fn encodes_voice(&self) -> bool {
        let cleaned = self.config.input != Some(AudioCodec::Opus) || self.line.denoiser.works();
        self.config.voice && self.voice_wanted && cleaned
    }

    /// The seat's own Opus payload while it speaks.
    pub(crate) fn voice(
        &mut self,
        stage: &Stage,
        buffer: &mut Vec<u8>,
        spares: &mut Spares,
    ) -> Option<(Arc<[u8]>, AudioLevel)> {
        let level = self.level().filter(|_| self.config.voice && self.voice_wanted && stage.sounds)?;
        self.hangover = if level.is_voice() { HANGOVER_TICKS } else { self.hangover.checked_sub(1)? };
        if let Some(payload) = self.passed.take().filter(|_| !self.line.denoiser.works()) {
            return Some((payload, level));
        }
        if !self.encodes_voice() {
            return None;
        }
        if self.voice.is_none() {
            self.voice = spares.take(AudioCodec::Opus);
        }
        buffer.clear();
        self.voice.as_mut()?.encode(stage.frame(RateClass::Full), buffer);
        (!buffer.is_empty()).then(|| (buffer.as_slice().into(), level))
    }

    pub(crate) fn play(&mut self, mut playing: Playing, alone: bool) {
        playing.at /= per_sample(self.class());
        self.playing = Some(Playing { alone, ..playing });
    }

    /// The payload of 20 ms where it is Opus and nothing but what plays is heard, with how loud it is; and the id when it ends here.
    pub(crate) fn play_alone(&mut self, out: &mut Vec<u8>) -> Option<(AudioLevel, Option<PlayId>)> {
        let is_opus = self.config.output == Some(AudioCodec::Opus);
        let playing = self.playing.as_mut().filter(|playing| is_opus && playing.alone)?;
        let piece = playing.clip.pieces().get(playing.piece)?;
        let level = spoken::append_opus(piece, playing.at / FRAME_SAMPLES, out);
        playing.at += FRAME_SAMPLES;
        let ended = (playing.at >= piece.samples().len() && playing.next_piece()).then_some(playing.id);
        if ended.is_some() {
            self.playing = None;
        }
        Some((level, ended))
    }

    /// Lays what plays over a frame of the seat's class; the id when it ends here.
    pub(crate) fn play_into(&mut self, class: RateClass, frame: &mut [f32]) -> Option<PlayId> {
        let playing = self.playing.as_mut()?;
        frame.iter_mut().for_each(|sample| *sample *= DUCKED);
        let mut rest = frame;
        while let (false, Some(piece)) = (rest.is_empty(), playing.clip.pieces().get(playing.piece)) {
            let sound = &spoken::at(piece, class)[playing.at..];
            let len = sound.len().min(rest.len());
            let (now, later) = rest.split_at_mut(len);
            now.iter_mut().zip(sound).for_each(|(sample, played)| *sample += played);
            (rest, playing.at) = (later, playing.at + len);
            if len == sound.len() {
                playing.next_piece();
            }
        }
        let ended = playing.piece == playing.clip.pieces().len();
        ended.then(|| self.playing.take().map(|playing| playing.id)).flatten()
    }

    /// What is to be told of a phone's line.
    pub(crate) fn line_event(&mut self) -> Option<LineEvent> {
        let is_open = self.config.voice && !self.config.apart && !self.muted;
        if is_open { self.line.tick() } else { None }
    }

    pub(crate) fn end_tick(&mut self) {
        self.decoded = false;
        self.heard_level = None;
        self.passed = None;
    }
}
