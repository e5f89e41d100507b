//! What people may write into names, topics and passwords.

use std::ops::RangeInclusive;

use crate::invisible::{is_plain, is_seen, joined};

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
    /// Shorter than this many characters.
    #[error("is shorter than {0} characters")]
    TooShort(usize),
}

/// The longest name, in characters (Unicode scalar values: a family of four as one emoji is seven). Marks are counted
/// too, so that nobody piles up hundreds of them on one letter.
const NAME_MAX: usize = 40;
/// The longest topic, counted likewise.
const TITLE_MAX: usize = 80;
/// Texts longer than this are refused unread. Spaces and stray joiners are no part of what is counted, hence the room.
const SIGHT_MAX: usize = 1_000;

/// A participant's name, without the spaces around it. Control and direction marks would let one name look like
/// another, and so would joiners that join nothing: those are left out, as keyboards leave them behind.
pub fn check_name(text: &str) -> Result<String, InvalidText> {
    check(text, NAME_MAX, |_| false)
}

/// A meeting's topic.
pub fn check_title(text: &str) -> Result<String, InvalidText> {
    check(text, TITLE_MAX, |c| matches!(c, '"' | '\'' | '<' | '>' | '\\'))
}

/// Digits of a meeting password: fewer are guessed, more are miskeyed.
const PASSWORD_DIGITS: RangeInclusive<usize> = 4..=10;

/// A meeting's password: digits alone, so that a telephone can key it.
pub fn check_password(text: &str) -> Result<String, InvalidText> {
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_digit()) {
        return Err(InvalidText::Character(bad));
    }
    match text.len() {
        len if len < *PASSWORD_DIGITS.start() => Err(InvalidText::TooShort(*PASSWORD_DIGITS.start())),
        len if len > *PASSWORD_DIGITS.end() => Err(InvalidText::TooLong(*PASSWORD_DIGITS.end())),
        _ => Ok(text.to_owned()),
    }
}

/// The shortest login password, in characters (L6).
const LOGIN_MIN: usize = 8;
/// The longest: hashing is not to be given a book to read.
const LOGIN_MAX: usize = 128;

/// Why a new login password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Shorter than eight characters.
    #[error("a password has at least {LOGIN_MIN} characters")]
    TooShort,
    /// Longer than 128.
    #[error("a password has at most {LOGIN_MAX} characters")]
    TooLong,
    /// Fewer than three of: upper case, lower case, digits, symbols.
    #[error("a password has three of: upper case, lower case, digits, symbols; it has {0}")]
    TooPlain(usize),
}

/// A new login password (L6).
pub fn check_login_password(text: &str) -> Result<(), WeakPassword> {
    let length = text.chars().count();
    if length < LOGIN_MIN {
        return Err(WeakPassword::TooShort);
    }
    if length > LOGIN_MAX {
        return Err(WeakPassword::TooLong);
    }
    let has = |kind: fn(char) -> bool| usize::from(text.chars().any(kind));
    let kinds =
        has(char::is_uppercase) + has(char::is_lowercase) + has(char::is_numeric) + has(|c| !c.is_alphanumeric());
    if kinds < 3 { Err(WeakPassword::TooPlain(kinds)) } else { Ok(()) }
}

fn check(text: &str, max: usize, also_bad: impl Fn(char) -> bool) -> Result<String, InvalidText> {
    // What is far too long is not looked at for long.
    if text.chars().nth(SIGHT_MAX).is_some() {
        return Err(InvalidText::TooLong(max));
    }
    let text = joined(text.trim());
    if text.chars().all(|c| !is_seen(c)) {
        return Err(text.chars().find(|c| !is_plain(*c)).map_or(InvalidText::Empty, InvalidText::Character));
    }
    if text.chars().count() > max {
        return Err(InvalidText::TooLong(max));
    }
    if let Some(bad) = text.chars().find(|c| !is_plain(*c) || also_bad(*c)) {
        return Err(InvalidText::Character(bad));
    }
    Ok(text)
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
        assert_eq!(check_password("12345a"), Err(InvalidText::Character('a')));
        assert_eq!(check_password("123"), Err(InvalidText::TooShort(4)));
        assert_eq!(check_password("1234567890"), Ok("1234567890".to_owned()));
    }

    // product: L6
    #[test]
    fn a_login_password_has_eight_characters_of_three_kinds() {
        assert_eq!(check_login_password("Aa1bbbb"), Err(WeakPassword::TooShort));
        assert_eq!(check_login_password("aaaabbbb1"), Err(WeakPassword::TooPlain(2)));
        for good in ["Aaaabbb1", "aaaa-bb1", "AAAA-BB1", "密码Aa12345"] {
            assert_eq!(check_login_password(good), Ok(()), "{good}");
        }
        assert_eq!(check_login_password(&"Aa1".repeat(43)), Err(WeakPassword::TooLong));
    }
}
