//! The languages a caller can be spoken to in.

use std::fmt;

/// A language with a full set of prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Mandarin.
    ZhCn,
    /// American English.
    EnUs,
}

impl Language {
    /// All, in the order the greeting offers them.
    pub const ALL: [Self; 2] = [Self::ZhCn, Self::EnUs];

    /// The key that chooses it in the greeting.
    #[must_use]
    pub fn key(self) -> char {
        match self {
            Self::ZhCn => '1',
            Self::EnUs => '2',
        }
    }

    /// The language a key chooses.
    #[must_use]
    pub fn from_key(key: char) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.key() == key)
    }

    /// As in `Accept-Language` and in the names of the prompt folders (RFC 5646).
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::EnUs => "en-US",
        }
    }

    /// As its speakers call it.
    #[must_use]
    pub fn own_name(self) -> &'static str {
        match self {
            Self::ZhCn => "中文",
            Self::EnUs => "English",
        }
    }

    /// By the tag, or by the tag's language alone (`en`, `EN-gb`).
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        Self::ALL.into_iter().find(|language| primary(language.tag()) == primary(tag))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tags_lead_back() {
        for language in Language::ALL {
            assert_eq!(Language::from_key(language.key()), Some(language));
            assert_eq!(Language::from_tag(language.tag()), Some(language));
        }
        assert_eq!(Language::from_key('3'), None);
        assert_eq!(Language::from_tag("en-gb"), Some(Language::EnUs));
        assert_eq!(Language::from_tag("ZH"), Some(Language::ZhCn));
        assert_eq!(Language::from_tag("fr"), None);
        assert_eq!(Language::from_tag(""), None);
    }
}
