//! Captions as text for players (WebVTT).

use std::{
    fmt::{Display, Formatter, Result},
    time::Duration,
};

/// What begins a file.
pub(crate) const HEADER: &str = "WEBVTT\n";

/// More than this is no caption but a mistake; the rest is left out.
const CHARS_MAX: usize = 240;

/// What was said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cue<T> {
    pub(crate) start: T,
    pub(crate) end: T,
    /// As [`clean`] gives it.
    pub(crate) text: String,
}

/// What may stand in a file: one line, nothing that could be taken for markup or for times. None where nothing is left.
pub(crate) fn clean(text: &str) -> Option<String> {
    let words = text.split(|char: char| char.is_whitespace() || char.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let mut clean = String::with_capacity(line.len());
    for char in line.chars().take(CHARS_MAX) {
        match char {
            '&' => clean.push_str("&amp;"),
            '<' => clean.push_str("&lt;"),
            '>' => clean.push_str("&gt;"),
            // What turns the direction of what follows would turn the page's own words.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            char => clean.push(char),
        }
    }
    Some(clean).filter(|clean| !clean.is_empty())
}

impl Display for Cue<Duration> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "\n{} --> {}\n{}\n", Time(self.start), Time(self.end), self.text)
    }
}

/// As WebVTT §4 has it, with hours.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (seconds, ms) = (self.0.as_secs(), self.0.subsec_millis());
        write!(f, "{:02}:{:02}:{:02}.{ms:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_one_line_of_text() {
        assert_eq!(clean(" 大家好\n\n00:01 --> 00:02\tx "), Some("大家好 00:01 --&gt; 00:02 x".to_owned()));
        assert_eq!(clean("<b>a & b</b>\u{202e}"), Some("&lt;b&gt;a &amp; b&lt;/b&gt;".to_owned()));
        assert_eq!(clean("\u{0}\n \u{202e}"), None);
        assert_eq!(clean(&"长".repeat(1_000)).map(|text| text.chars().count()), Some(CHARS_MAX));
        let cue =
            Cue { start: Duration::from_millis(3_723_004), end: Duration::from_secs(360_000), text: "x".to_owned() };
        assert_eq!(cue.to_string(), "\n01:02:03.004 --> 100:00:00.000\nx\n");
    }

    proptest::proptest! {
        #[test]
        fn nothing_said_becomes_markup(text: String) {
            let clean = clean(&text).unwrap_or_default();
            proptest::prop_assert!(!clean.contains(['<', '>', '\n', '\r', '\0']), "{clean:?}");
        }
    }
}
