//! What people may write into names, topics and passwords.

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing, or nothing but spaces.
    #[error("is empty")]
    Empty,
    /// Longer than this many characters.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// A character that is not allowed.
    #[error("has the character {0:?}, which is not allowed")]
    Character(char),
    /// Not six digits.
    #[error("is not six digits")]
    NotSixDigits,
}

/// The longest name, in characters.
const NAME_MAX: usize = 40;
/// The longest topic, in characters.
const TITLE_MAX: usize = 80;

/// A participant's name, without the spaces around it. Control and direction marks would let one name look like
/// another.
pub fn check_name(text: &str) -> Result<String, InvalidText> {
    check(text, NAME_MAX, |_| false)
}

/// A meeting's topic.
pub fn check_title(text: &str) -> Result<String, InvalidText> {
    check(text, TITLE_MAX, |c| matches!(c, '"' | '\'' | '<' | '>' | '\\'))
}

/// A meeting's password: six digits, so that a telephone can key it.
pub fn check_password(text: &str) -> Result<String, InvalidText> {
    let good = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(text.to_owned()) } else { Err(InvalidText::NotSixDigits) }
}

fn check(text: &str, max: usize, also_bad: impl Fn(char) -> bool) -> Result<String, InvalidText> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidText::Empty);
    }
    if text.chars().count() > max {
        return Err(InvalidText::TooLong(max));
    }
    let steers =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if let Some(bad) = text.chars().find(|c| c.is_control() || steers(*c) || also_bad(*c)) {
        return Err(InvalidText::Character(bad));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: S2
    #[test]
    fn a_topic_refuses_special_characters_and_names_them() {
        assert_eq!(check_title(" 周会 2026 "), Ok("周会 2026".to_owned()));
        for bad in ['"', '\'', '<', '>', '\\', '\n', '\u{202e}'] {
            assert_eq!(check_title(&format!("a{bad}b")), Err(InvalidText::Character(bad)));
        }
        assert_eq!(check_title("  "), Err(InvalidText::Empty));
        assert_eq!(check_name(&"长".repeat(41)), Err(InvalidText::TooLong(40)));
        assert_eq!(check_password("12345a"), Err(InvalidText::NotSixDigits));
    }
}
