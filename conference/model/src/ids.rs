//! Names for things: ours for ever (UUIDv7 newtypes), and what people key in ([`MeetingNumber`], [`PhoneNumber`]).

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::invisible::is_plain;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an identifier made elsewhere; the pure row makes none itself.
            #[must_use]
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// For constants.
            #[must_use]
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }

            /// The identifier as such.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A customer of the server: a company or a public body.
    SiteId
}
id! {
    /// Somebody who can log in.
    AccountId
}
id! {
    /// One meeting, from booking to end.
    MeetingId
}
id! {
    /// One of a site's shared rooms.
    RoomId
}
id! {
    /// One seat in one meeting, whatever it is reached by.
    ParticipantId
}
id! {
    /// One livestream of one meeting.
    BroadcastId
}

/// What people key in to reach a meeting: nine digits, shown in threes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeetingNumber(u32);

/// Why a text is no [`MeetingNumber`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a meeting number is nine digits, the first of them not 0")]
pub struct InvalidNumber;

impl MeetingNumber {
    /// Smallest and largest number: nine digits without a leading zero, so that no one wonders whether to key it.
    pub const RANGE: std::ops::RangeInclusive<u32> = 100_000_000..=999_999_999;

    /// A number within [`Self::RANGE`].
    pub fn new(number: u32) -> Result<Self, InvalidNumber> {
        if Self::RANGE.contains(&number) { Ok(Self(number)) } else { Err(InvalidNumber) }
    }

    /// As a number.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }

    /// The nine digits without spaces.
    #[must_use]
    pub fn digits(self) -> String {
        self.0.to_string()
    }
}

impl fmt::Display for MeetingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:03} {:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000, self.0 % 1_000)
    }
}

impl fmt::Debug for MeetingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MeetingNumber {
    type Err = InvalidNumber;

    /// Spaces and hyphens between the digits don't count.
    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if digits.len() != 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidNumber);
        }
        Self::new(digits.parse().map_err(|_| InvalidNumber)?)
    }
}

impl JsonSchema for MeetingNumber {
    fn schema_name() -> Cow<'static, str> {
        "MeetingNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9]{9}$"})
    }
}

impl Serialize for MeetingNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digits())
    }
}

impl<'de> Deserialize<'de> for MeetingNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Characters of a caller's number. E.164 has 15 digits, a SIP user name seldom more than 30; the rest is somebody's joke.
const NUMBER_CHARS_MAX: usize = 64;

/// A caller's number or SIP user name. It prints only masked, so that no roster, log or report can leak it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Whatever the network gave as the caller, less what would make a line of a log or a list read as another: control
    /// and direction marks, and what is beyond [`NUMBER_CHARS_MAX`].
    #[must_use]
    pub fn new(raw: impl AsRef<str>) -> Self {
        Self(raw.as_ref().chars().filter(|c| is_plain(*c)).take(NUMBER_CHARS_MAX).collect())
    }

    /// The whole number, for dialling it and for nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Nothing that tells one caller from another (RFC 3323 §4.1.1.3, and what carriers write instead).
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        const WITHHELD: [&str; 6] = ["", "anonymous", "unknown", "unavailable", "restricted", "private"];
        WITHHELD.iter().any(|word| self.0.trim().eq_ignore_ascii_case(word))
    }

    /// First three and last four of a long number, one at either end of a short one: `138****5678`, `1**3`. In front of it stands
    /// the country code where there is one: `+86138****5678`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (country, rest) = self.0.split_at(country_code(&self.0));
        let chars: Vec<char> = rest.chars().collect();
        let (head, tail) = match chars.len() {
            0..=2 => (0, 0),
            3..=6 => (1, 1),
            7..=10 => (2, 2),
            _ => (3, 4),
        };
        let stars = "*".repeat((chars.len() - head - tail).clamp(2, 4));
        let own = chars[..head].iter().copied().chain(stars.chars()).chain(chars[chars.len() - tail..].iter().copied());
        country.chars().chain(own).collect()
    }
}

/// How much of a number is its country code with the `+` or `00` before it (ITU-T E.164 §6.2.1: one to three digits); nothing
/// where none is written or too little follows.
fn country_code(number: &str) -> usize {
    let prefix = if number.starts_with('+') { 1 } else { 2 * usize::from(number.starts_with("00")) };
    let digits = &number.as_bytes()[prefix..];
    let [first, second, ..] = digits else { return 0 };
    // All of three digits but those of the first zones that were given out.
    let length = match (first, second) {
        (b'1' | b'7', _) => 1,
        (b'2', b'0' | b'7') | (b'3', b'0'..=b'4' | b'6' | b'9') | (b'4', b'0' | b'1' | b'3'..=b'9') => 2,
        (b'5', b'1'..=b'8') | (b'6', b'0'..=b'6') | (b'8', b'1' | b'2' | b'4' | b'6') => 2,
        (b'9', b'0'..=b'5' | b'8') => 2,
        _ => 3,
    };
    let is_one = prefix > 0 && digits.iter().all(u8::is_ascii_digit) && digits.len() >= length + 7;
    if is_one { prefix + length } else { 0 }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meeting_number_is_nine_digits() {
        let check = |text: &str, digits: Option<&str>| {
            assert_eq!(text.parse::<MeetingNumber>().ok().map(MeetingNumber::digits).as_deref(), digits, "{text:?}");
        };
        check("123456789", Some("123456789"));
        check("123 456 789", Some("123456789"));
        check("123-456-789", Some("123456789"));
        check("023456789", None);
        check("12345678", None);
        check("1234567890", None);
        check("+23456789", None);
        check("", None);
        assert_eq!("100020003".parse::<MeetingNumber>().unwrap().to_string(), "100 020 003");
    }

    // product: P5
    #[test]
    fn a_phone_number_never_prints_whole() {
        let check = |raw: &str, masked: &str| {
            assert_eq!(PhoneNumber::new(raw).to_string(), masked);
            assert_eq!(format!("{:?}", PhoneNumber::new(raw)), masked);
        };
        check("13812345678", "138****5678");
        check("+8613812345678", "+86138****5678");
        check("008613812345678", "0086138****5678");
        check("+12025550123", "+120****23");
        check("+442079460000", "+4420****00");
        check("+85223456789", "+85223****89");
        check("+86138", "+****8");
        check("+", "**");
        check("+张三张三张三张三张三", "+张三****张三张三");
        check("1001", "1**1");
        check("anonymous", "an****us");
        check("张", "**");
        check("", "**");
    }

    // reliability: A8
    #[test]
    fn what_a_stranger_calls_himself_breaks_no_line_and_turns_no_text_round() {
        let hostile = PhoneNumber::new("\u{202e}138\r\n\0\u{200f}1234\u{2066}5678\u{9b}");
        assert_eq!((hostile.reveal(), hostile.to_string().as_str()), ("13812345678", "138****5678"));
        assert_eq!(PhoneNumber::new("9".repeat(10_000)).reveal().len(), NUMBER_CHARS_MAX);
        assert!(PhoneNumber::new("\u{202e}anonymous\u{202c}").is_withheld());
    }

    // trap: prefix PIN. What is keyed has a length of its own and an end, so that no number begins another.
    #[test]
    fn no_meetings_number_begins_anothers() {
        for edge in [*MeetingNumber::RANGE.start(), *MeetingNumber::RANGE.end(), 500_000_005] {
            let digits = MeetingNumber::new(edge).unwrap().digits();
            assert_eq!(digits.len(), 9);
            assert!((1..9).all(|cut| digits[..cut].parse::<MeetingNumber>().is_err()), "{digits}");
            assert!(format!("{digits}0").parse::<MeetingNumber>().is_err());
        }
    }

    // trap: guessable numbers. Nine hundred million, of which nobody has a share worth mentioning.
    #[test]
    fn numbers_are_too_many_to_be_tried() {
        assert!(MeetingNumber::RANGE.count() >= 900_000_000);
    }

    #[test]
    fn a_withheld_number_names_nobody() {
        for withheld in ["anonymous", "Anonymous", "", " ", "unavailable"] {
            assert!(PhoneNumber::new(withheld).is_withheld(), "{withheld:?}");
        }
        assert!(!PhoneNumber::new("1001").is_withheld());
    }
}
