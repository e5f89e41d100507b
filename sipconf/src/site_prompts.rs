//! A site's own prompts, in the place of the product's.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use media::Clip;

use crate::{Language, Prompt, ogg_opus::OggOpus};

/// Prompts kept as sound; others are decoded again when they are wanted, a few milliseconds each. One of half a minute takes
/// 6 MB.
const DECODED_MAX: usize = 6;

/// What a site has handed in.
#[derive(Default)]
pub struct SitePrompts {
    files: BTreeMap<(Language, Prompt), OggOpus>,
    /// The last ones that were said.
    decoded: Mutex<VecDeque<((Language, Prompt), Clip)>>,
}

impl SitePrompts {
    /// Of Ogg Opus files; those that can't be read are left out.
    #[must_use]
    pub fn new<'a>(files: impl IntoIterator<Item = (Language, Prompt, &'a [u8])>) -> Self {
        let read = files.into_iter().filter_map(|(language, prompt, file)| {
            let opus = OggOpus::parse(file).ok()?;
            Some(((language, prompt), opus))
        });
        Self { files: read.collect(), decoded: Mutex::default() }
    }

    /// It has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// None where the product's is said.
    #[must_use]
    pub fn clip(&self, language: Language, prompt: Prompt) -> Option<Clip> {
        let key = (language, prompt);
        let file = self.files.get(&key)?;
        // Whole between any two operations, whoever panicked.
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, clip)) = decoded.iter().find(|(known, _)| *known == key) {
            return Some(clip.clone());
        }
        let clip = Clip::new(file.decode().ok()?);
        if decoded.len() >= DECODED_MAX {
            decoded.pop_front();
        }
        decoded.push_back((key, clip.clone()));
        Some(clip)
    }
}

impl std::fmt::Debug for SitePrompts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SitePrompts({})", self.files.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    // product: P3
    #[test]
    fn what_a_site_has_is_said_and_the_rest_is_the_products() {
        let file = Prompt::Goodbye.file(Language::EnUs);
        let own = SitePrompts::new([
            (Language::EnUs, Prompt::Welcome, file),
            (Language::ZhCn, Prompt::Welcome, &file[..100]),
        ]);
        let said = own.clip(Language::EnUs, Prompt::Welcome).unwrap();
        assert!(said.duration().as_secs_f32() > 0.5);
        assert!(own.clip(Language::ZhCn, Prompt::Welcome).is_none(), "half a file is none");
        assert!(own.clip(Language::EnUs, Prompt::Goodbye).is_none());
        let again = own.clip(Language::EnUs, Prompt::Welcome).unwrap();
        assert!(Arc::ptr_eq(&said.pieces()[0], &again.pieces()[0]));
    }
}
