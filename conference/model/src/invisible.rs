//! Characters that are not seen: those that join others into an emoji or a word are part of a name, the rest would let
//! one name look like another.
//!
//! ZWJ and ZWNJ follow RFC 5892 appendix A.1 and A.2, emoji UTS #51 §1.4.9.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{CanonicalCombiningClass, DefaultIgnorableCodePoint, ExtendedPictographic, JoiningType, VariationSelector},
};

/// ZERO WIDTH NON-JOINER: keeps letters of one word apart.
const ZWNJ: char = '\u{200c}';
/// ZERO WIDTH JOINER: makes one emoji, or one shape, of two.
const ZWJ: char = '\u{200d}';
/// MONGOLIAN VOWEL SEPARATOR: stands before a word's last vowel.
const MVS: char = '\u{180e}';
/// The flag that tags make England's of.
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
/// Letters of the longest subdivision (ISO 3166-2: a country's two and three of its own), and one to spare.
const FLAG_LETTERS_MAX: usize = 6;

/// Neither a control character nor one that steers how others are read. Joiners are plain: [`joined`] leaves out those
/// that join nothing.
#[must_use]
pub fn is_plain(c: char) -> bool {
    let is_joiner = matches!(c, ZWJ | ZWNJ | MVS) || is_tag(c);
    let is_format = matches!(c, '\u{2028}' | '\u{2029}' | '\u{2800}' | '\u{fff9}'..='\u{fffb}');
    !c.is_control() && !is_format && (is_joiner || is_selector(c) || !is_ignorable(c))
}

/// Whether a character leaves anything on the page.
pub(crate) fn is_seen(c: char) -> bool {
    is_plain(c) && !c.is_whitespace() && !is_ignorable(c)
}

/// The text without the joiners and flag letters that join nothing.
pub(crate) fn joined(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut kept: Vec<char> = Vec::with_capacity(chars.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let rest = chars.get(at + 1..).unwrap_or_default();
        at += 1;
        match c {
            ZWJ if !joins_emoji(&kept, rest) && !joins_letters(&kept, rest) => {}
            ZWNJ if !joins_letters(&kept, rest) => {}
            MVS if !(kept.last().is_some_and(is_mongolian) && rest.first().is_some_and(is_mongolian)) => {}
            BLACK_FLAG => {
                let tags = flag_letters(rest);
                kept.push(c);
                kept.extend_from_slice(rest.get(..tags).unwrap_or_default());
                at += tags;
            }
            c if is_tag(c) => {}
            c => kept.push(c),
        }
    }
    kept.into_iter().collect()
}

/// Two pictures on both sides, the first perhaps with its skin's or presentation's sign.
fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let is_sign = |c: &char| matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}') || is_tag(*c);
    let first = before.iter().rev().find(|c| !is_sign(c));
    first.is_some_and(is_picture) && after.first().is_some_and(is_picture)
}

/// In the scripts of India beside a virama; in Arabic and its like between letters that would otherwise touch.
fn joins_letters(before: &[char], after: &[char]) -> bool {
    let joining = |c: &char| CodePointMapData::<JoiningType>::new().get(*c);
    let is_passed = |c: &&char| joining(c) != JoiningType::Transparent || is_virama(c);
    let (Some(first), next) = (before.iter().rev().find(is_passed), after.iter().find(is_passed)) else {
        return false;
    };
    if is_virama(first) {
        return true;
    }
    let Some(next) = next else { return false };
    let opens = matches!(joining(first), JoiningType::DualJoining | JoiningType::LeftJoining);
    let closes = matches!(joining(next), JoiningType::DualJoining | JoiningType::RightJoining);
    // Bengali writes ra, joiner, virama, ya.
    (opens && closes) || (first.is_alphabetic() && is_virama(next))
}

/// How many of what follows a black flag spell a region and end there; none if they don't.
fn flag_letters(after: &[char]) -> usize {
    let letters = after.iter().take_while(|c| is_tag(**c) && **c != CANCEL_TAG).count();
    let is_ended = after.get(letters) == Some(&CANCEL_TAG);
    if is_ended && (1..=FLAG_LETTERS_MAX).contains(&letters) { letters + 1 } else { 0 }
}

/// A letter or digit in the language of flags, or their end.
fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}' | CANCEL_TAG)
}

fn is_mongolian(c: &char) -> bool {
    matches!(c, '\u{1820}'..='\u{1878}' | '\u{180b}'..='\u{180d}' | '\u{180f}')
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Chooses among the shapes of what stands before it.
fn is_selector(c: char) -> bool {
    CodePointSetData::new::<VariationSelector>().contains(c)
}

fn is_picture(c: &char) -> bool {
    CodePointSetData::new::<ExtendedPictographic>().contains(*c)
}

fn is_virama(c: &char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(*c) == CanonicalCombiningClass::Virama
}

#[cfg(test)]
mod tests {
    use crate::{InvalidText, check_name};

    #[test]
    fn joiners_stay_where_they_join() {
        for name in [
            // Family, astronaut, a heart with its presentation, England.
            "👨‍👩‍👧‍👦",
            "👩🏽‍🚀 Sally",
            "❤️‍🔥",
            "🏳️‍🌈",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            // Persian, with a vowel's mark before the joiner too.
            "می\u{200c}خواهم",
            "مِی\u{650}\u{200c}خواهم",
            // Hindi, Sinhala, Malayalam (at the end), Bengali.
            "क्\u{200d}ष",
            "क्\u{200c}ष",
            "ශ්\u{200d}රී",
            "ന്\u{200d}",
            "র\u{200d}্যাব",
            // Mongolian; a Chinese character of another shape; a digit in its box.
            "ᠬᠠᠷ\u{180e}ᠠ",
            "葛\u{e0100}",
            "1️⃣",
            "José",
            "王 小明",
        ] {
            assert_eq!(check_name(name).as_deref(), Ok(name), "{name:?}");
        }
    }

    #[test]
    fn joiners_that_join_nothing_are_left_out() {
        for (written, kept) in [
            ("a\u{200d}b", "ab"),
            ("\u{200c}李雷\u{200d}", "李雷"),
            ("👩\u{200d}", "👩"),
            ("👩\u{200d}\u{200d}🚀", "👩\u{200d}🚀"),
            ("می\u{200c}\u{200c}خواهم", "می\u{200c}خواهم"),
            ("کار\u{200c}ها", "کارها"),
            ("a\u{180e}b", "ab"),
            ("a\u{e0067}\u{e007f}", "a"),
            ("🏴\u{e0067}", "🏴"),
        ] {
            assert_eq!(check_name(written).as_deref(), Ok(kept), "{written:?}");
        }
    }

    #[test]
    fn what_steers_or_hides_is_refused() {
        for bad in [
            '\0',
            '\u{7}',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{2800}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0001}',
        ] {
            assert_eq!(check_name(&format!("a{bad}b")), Err(InvalidText::Character(bad)), "{bad:?}");
        }
        assert_eq!(check_name("\u{3164}"), Err(InvalidText::Character('\u{3164}')));
        for nothing in ["", " \u{3000} ", "\u{200d}", "\u{fe0f}", "\u{200c}\u{200c}"] {
            assert_eq!(check_name(nothing), Err(InvalidText::Empty), "{nothing:?}");
        }
    }

    #[test]
    fn what_is_counted_are_characters() {
        let family = "👨‍👩‍👧‍👦";
        assert!(check_name(&family.repeat(5)).is_ok());
        assert_eq!(check_name(&family.repeat(6)), Err(InvalidText::TooLong(40)));
        assert!(check_name(&format!("{}{}", "长".repeat(40), "\u{200d}".repeat(300))).is_ok());
        assert_eq!(check_name(&"\u{200d}".repeat(1_001)), Err(InvalidText::TooLong(40)));
    }
}
