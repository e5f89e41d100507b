//! One seat: its decoder, what plays to it, its own encoders.

use std::sync::Arc;

use media::{AudioCodec, AudioLevel, Clip, FRAME_SAMPLES, Frame, SILENCE};

use crate::{
    DUCKED, Incoming, MixerError, PlayId, SeatConfig,
    codec::{Decoder, Encoder},
};

/// Ticks a voice track goes on after the last word: shorter would cut soft ends of words, longer would send breath.
const HANGOVER_TICKS: u32 = 20;

pub(crate) struct Seat {
    pub(crate) config: SeatConfig,
    pub(crate) muted: bool,
    /// Of what he hears; 1 leaves it as it is.
    pub(crate) volume: f32,
    pub(crate) playing: Option<Playing>,
    /// This tick's sound, after gain.
    pub(crate) frame: Frame,
    /// The frame is sound and others hear it.
    pub(crate) contributes: bool,
    pub(crate) own_encoder: Option<Encoder>,
    pub(crate) own_encoder_ticks: u32,
    decoder: Option<Decoder>,
    /// Loudness this tick: told by the sender, or measured.
    heard_level: Option<AudioLevel>,
    decoded: bool,
    /// The mute's gain at the end of the last tick; it moves over a whole frame so that nothing clicks.
    gain: f32,
    voice: Option<Encoder>,
    hangover: u32,
    /// The Opus payload as it came, to be passed on untouched.
    passed: Option<Arc<[u8]>>,
}

pub(crate) struct Playing {
    id: PlayId,
    clip: Clip,
    looping: bool,
    at: usize,
}

impl Seat {
    pub(crate) fn new(config: SeatConfig) -> Result<Self, MixerError> {
        // A leg's own Opus is passed on; other codecs are encoded once for all browsers.
        let encodes_voice = config.voice && config.input.is_some_and(|codec| codec != AudioCodec::Opus);
        Ok(Self {
            config,
            muted: false,
            volume: 1.0,
            playing: None,
            frame: SILENCE,
            contributes: false,
            own_encoder: None,
            own_encoder_ticks: 0,
            decoder: config.input.map(Decoder::new).transpose()?,
            heard_level: None,
            decoded: false,
            gain: 1.0,
            voice: encodes_voice.then(|| Encoder::new(AudioCodec::Opus)).transpose()?,
            hangover: 0,
            passed: None,
        })
    }

    /// Somebody hears the mix here.
    pub(crate) fn listens(&self) -> bool {
        self.config.output.is_some() && !self.config.apart
    }

    pub(crate) fn push(&mut self, incoming: Incoming<'_>, level: Option<AudioLevel>, heard: bool) {
        // Who is apart or fully muted is not listened to at all.
        if self.config.apart || (self.muted && self.gain == 0.0) {
            return;
        }
        self.heard_level = level;
        let told_silent = level.is_some_and(|level| level == AudioLevel::SILENT);
        let unneeded = level.is_some() && !heard;
        let Some(decoder) = self.decoder.as_mut().filter(|_| !told_silent && !unneeded) else { return };
        match incoming {
            Incoming::Packet(payload) => {
                decoder.decode(payload, &mut self.frame);
                if self.config.voice && self.config.input == Some(AudioCodec::Opus) {
                    self.passed = Some(payload.into());
                }
            }
            Incoming::Lost { next } => decoder.conceal(next, &mut self.frame),
            Incoming::Nothing => return,
        }
        self.decoded = true;
        self.heard_level = Some(level.unwrap_or_else(|| AudioLevel::of(&self.frame)));
    }

    /// Applies the mute and decides whether the seat is heard this tick.
    pub(crate) fn settle(&mut self) {
        let target = if self.muted { 0.0 } else { 1.0 };
        if self.gain != target {
            let (from, step) = (self.gain, (target - self.gain) / FRAME_SAMPLES as f32);
            for (index, sample) in self.frame.iter_mut().enumerate() {
                *sample *= from + step * index as f32;
            }
        }
        self.contributes = self.decoded && !self.config.apart && (self.gain > 0.0 || target > 0.0);
        self.gain = target;
    }

    pub(crate) fn level(&self) -> Option<AudioLevel> {
        if self.muted || self.config.apart || self.config.input.is_none() {
            return None;
        }
        Some(self.heard_level.unwrap_or(AudioLevel::SILENT))
    }

    /// The seat's own Opus payload while it speaks.
    pub(crate) fn voice(&mut self, buffer: &mut Vec<u8>) -> Option<(Arc<[u8]>, AudioLevel)> {
        let level = self.level().filter(|_| self.config.voice && self.contributes)?;
        self.hangover = if level.is_voice() { HANGOVER_TICKS } else { self.hangover.checked_sub(1)? };
        if let Some(payload) = self.passed.take() {
            return Some((payload, level));
        }
        self.voice.as_mut()?.encode(&self.frame, buffer);
        (!buffer.is_empty()).then(|| (buffer.as_slice().into(), level))
    }

    pub(crate) fn play(&mut self, id: PlayId, clip: Clip, looping: bool) {
        self.playing = Some(Playing { id, clip, looping, at: 0 });
    }

    /// Lays what plays over the frame; the id when it ends here.
    pub(crate) fn play_into(&mut self, frame: &mut Frame) -> Option<PlayId> {
        let playing = self.playing.as_mut()?;
        let samples = playing.clip.samples();
        for sample in frame.iter_mut() {
            if playing.at >= samples.len() && playing.looping {
                playing.at = 0;
            }
            let Some(played) = samples.get(playing.at) else { break };
            playing.at += 1;
            *sample = *sample * DUCKED + played;
        }
        let ended = playing.at >= samples.len() && (!playing.looping || samples.is_empty());
        ended.then(|| self.playing.take().map(|playing| playing.id)).flatten()
    }

    /// None where the encoder can't be made.
    pub(crate) fn encode(&mut self, codec: AudioCodec, frame: &Frame, buffer: &mut Vec<u8>) -> Option<Arc<[u8]>> {
        if self.own_encoder.is_none() {
            self.own_encoder = Encoder::new(codec).ok();
        }
        self.own_encoder.as_mut()?.encode(frame, buffer);
        Some(buffer.as_slice().into())
    }

    pub(crate) fn end_tick(&mut self) {
        self.decoded = false;
        self.heard_level = None;
        self.passed = None;
    }
}
