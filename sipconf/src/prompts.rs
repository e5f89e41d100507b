//! Prompts, tones and music as clips of sound, each decoded or made when it is first wanted and then shared.

use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

use media::{Clip, SAMPLE_RATE};

use crate::{
    Language, Prompt,
    ogg_opus::{OggOpus, OggOpusError},
    tones,
};

/// Silence between the sentences of the greeting.
const PAUSE_SAMPLES: usize = SAMPLE_RATE as usize * 3 / 10;

/// All that callers hear. One for the whole server; clips are shared, not copied.
pub struct Prompts {
    spoken: BTreeMap<(Language, Prompt), Spoken>,
    entry_tone: OnceLock<Clip>,
    exit_tone: OnceLock<Clip>,
    hold_music: OnceLock<Clip>,
}

struct Spoken {
    text: String,
    file: OggOpus,
    clip: OnceLock<Clip>,
}

/// Why the prompts can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The text catalogue of a language is no list of key = text.
    #[error("text catalogue of {language}")]
    Catalogue {
        /// Of this language.
        language: Language,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A prompt has no text.
    #[error("prompt {key} has no text in {language}")]
    NoText {
        /// In this language.
        language: Language,
        /// Its name.
        key: &'static str,
    },
    /// A prompt's sound can't be read.
    #[error("sound of prompt {language}/{key}: {reason}")]
    Sound {
        /// In this language.
        language: Language,
        /// Its name.
        key: &'static str,
        /// What is wrong with the file.
        reason: String,
    },
}

impl Prompts {
    /// Takes the embedded catalogue and files apart and checks that nothing is missing. Cheap: sound is decoded when
    /// first asked for (a few ms each), and what is never said costs no memory.
    pub fn load() -> Result<Self, PromptError> {
        let mut spoken = BTreeMap::new();
        for language in Language::ALL {
            let mut texts: BTreeMap<String, String> = toml::from_str(Prompt::texts(language))
                .map_err(|source| PromptError::Catalogue { language, source })?;
            for prompt in Prompt::ALL.iter().copied() {
                let key = prompt.key();
                let text = texts.remove(key).ok_or(PromptError::NoText { language, key })?;
                let sound = |error: OggOpusError| PromptError::Sound { language, key, reason: error.to_string() };
                let file = OggOpus::parse(prompt.file(language)).map_err(sound)?;
                spoken.insert((language, prompt), Spoken { text, file, clip: OnceLock::new() });
            }
        }
        Ok(Self { spoken, entry_tone: OnceLock::new(), exit_tone: OnceLock::new(), hold_music: OnceLock::new() })
    }

    /// The sound of a prompt.
    #[must_use]
    pub fn clip(&self, language: Language, prompt: Prompt) -> Clip {
        let spoken = self.get(language, prompt);
        let decode = || Clip::new(spoken.file.decode().expect("a test of this crate decodes every embedded file"));
        spoken.clip.get_or_init(decode).clone()
    }

    /// What a prompt says.
    #[must_use]
    pub fn text(&self, language: Language, prompt: Prompt) -> &str {
        &self.get(language, prompt).text
    }

    /// The welcome in every language, each followed by the key that chooses it; `first` comes first.
    #[must_use]
    pub fn greeting(&self, first: Language) -> Clip {
        greeting(first, |language, prompt| self.clip(language, prompt))
    }

    /// Somebody came in: two rising notes.
    #[must_use]
    pub fn entry_tone(&self) -> Clip {
        self.entry_tone.get_or_init(tones::entry).clone()
    }

    /// Somebody left: two falling notes.
    #[must_use]
    pub fn exit_tone(&self) -> Clip {
        self.exit_tone.get_or_init(tones::exit).clone()
    }

    /// Music to wait with; loops without a seam.
    #[must_use]
    pub fn hold_music(&self) -> Clip {
        self.hold_music.get_or_init(tones::hold_music).clone()
    }

    fn get(&self, language: Language, prompt: Prompt) -> &Spoken {
        self.spoken.get(&(language, prompt)).expect("load puts every prompt of every language in")
    }
}

impl std::fmt::Debug for Prompts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prompts({})", self.spoken.len())
    }
}

/// See [`Prompts::greeting`], of prompts that are had from elsewhere.
#[must_use]
pub fn greeting(first: Language, clip: impl Fn(Language, Prompt) -> Clip) -> Clip {
    let others = Language::ALL.into_iter().filter(|language| *language != first);
    let parts: Vec<Clip> = std::iter::once(first)
        .chain(others)
        .flat_map(|language| [Prompt::Welcome, Prompt::ChooseLanguage].map(|prompt| clip(language, prompt)))
        .collect();
    join(&parts)
}

/// One after the other, with a short pause between.
#[must_use]
pub fn join(parts: &[Clip]) -> Clip {
    static PAUSE: LazyLock<Clip> = LazyLock::new(|| Clip::new(vec![0.0; PAUSE_SAMPLES]));
    let pauses = parts.iter().flat_map(|part| [&*PAUSE, part]);
    Clip::join(pauses.skip(1))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use sha2::{Digest, Sha256};

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Rendered {
        text: String,
        audio: String,
        seconds: f64,
        lufs: f64,
    }

    fn hash(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    fn decibels(amplitude: f32) -> f32 {
        20.0 * amplitude.log10()
    }

    /// How long it is silent before the first sound.
    fn silence(samples: impl Iterator<Item = f32>) -> Duration {
        let silent = samples.take_while(|sample| sample.abs() < 0.008).count();
        Duration::from_secs_f64(silent as f64 / f64::from(SAMPLE_RATE))
    }

    #[test]
    fn sound_and_text_are_those_of_the_manifest() {
        // trap: wrong sound format; product: P3. A text that changed and was not rendered again fails here.
        let manifest: BTreeMap<String, BTreeMap<String, Rendered>> =
            toml::from_str(include_str!("../prompts/manifest.toml")).unwrap();
        let prompts = Prompts::load().unwrap();
        for language in Language::ALL {
            let rendered = &manifest[language.tag()];
            assert_eq!(rendered.len(), Prompt::ALL.len(), "{language}: the manifest has what is no prompt");
            for prompt in Prompt::ALL.iter().copied() {
                let (entry, name) = (&rendered[prompt.key()], format!("{language}/{}", prompt.key()));
                assert_eq!(entry.text, hash(prompts.text(language, prompt).as_bytes()), "text of {name}");
                assert_eq!(entry.audio, hash(prompt.file(language)), "sound of {name}");
                assert!((entry.lufs + 19.0).abs() < 1.0, "{name} at {} LUFS", entry.lufs);
                let seconds = prompts.clip(language, prompt).duration().as_secs_f64();
                assert!((seconds - entry.seconds).abs() < 0.03, "{name}: {seconds} s, not {}", entry.seconds);
            }
        }
    }

    #[test]
    fn every_prompt_is_clean_and_loud_enough() {
        // product: P3
        let prompts = Prompts::load().unwrap();
        for (language, prompt) in Language::ALL.into_iter().flat_map(|l| Prompt::ALL.iter().map(move |p| (l, *p))) {
            let (clip, name) = (prompts.clip(language, prompt), format!("{language}/{}", prompt.key()));
            let samples = clip.samples();
            let peak = decibels(samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs())));
            assert!((-12.0..-1.0).contains(&peak), "{name}: peak {peak} dBFS");
            // Measured here, not taken from the manifest.
            let loudness = crate::loudness::lufs(&samples).unwrap();
            assert!((loudness + 19.0).abs() < 1.5, "{name}: {loudness} LUFS");
            assert!((0.7..22.0).contains(&clip.duration().as_secs_f32()), "{name}: {:?}", clip.duration());
            let ends = [silence(samples.iter().copied()), silence(samples.iter().rev().copied())];
            assert!(ends.iter().all(|end| *end < Duration::from_millis(150)), "{name}: silent ends {ends:?}");
        }
    }

    #[test]
    fn the_greeting_offers_every_language_the_preferred_one_first() {
        // product: P1
        let prompts = Prompts::load().unwrap();
        let [chinese, english] = Language::ALL.map(|first| prompts.greeting(first));
        let welcome = prompts.clip(Language::EnUs, Prompt::Welcome);
        assert_eq!(chinese.duration(), english.duration());
        assert_eq!(english.samples()[..welcome.samples().len()], *welcome.samples());
        assert!(chinese.duration() > Duration::from_secs(4) && chinese.duration() < Duration::from_secs(12));
    }

    #[test]
    fn a_clip_is_decoded_once() {
        let prompts = Prompts::load().unwrap();
        let [first, second] = [(); 2].map(|()| prompts.clip(Language::ZhCn, Prompt::Muted));
        assert!(Arc::ptr_eq(&first.pieces()[0], &second.pieces()[0]));
    }
}
