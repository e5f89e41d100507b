//! The numbers callers dial, and what each leads to (P7).

use serde::Deserialize;

use crate::Language;

/// Digits of a meeting's number.
const MEETING_DIGITS: usize = 9;

/// One number of ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    /// As the carrier dials it: the user part of the Request-URI.
    number: String,
    /// A tag as of RFC 5646; the caller is not asked.
    language: Option<String>,
    /// Nine digits; the caller is not asked.
    meeting: Option<String>,
    /// Name of a site, whose prompts are heard from the first word.
    site: Option<String>,
    /// What people read beside it; its language where there is none.
    name: Option<String>,
}

/// Where a dialled number leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Spoken without asking.
    pub language: Option<Language>,
    /// The number of the meeting it leads to.
    pub meeting: Option<String>,
    /// Whose number it is.
    pub site: Option<String>,
}

/// All numbers of ours. In a configuration file, an array of tables of `number`, `language`, `meeting`, `site` and `name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Number>")]
pub struct Numbers {
    routes: Vec<(String, Route)>,
    told: Vec<(String, String)>,
}

/// Why the numbers are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumbersError {
    /// Neither digits nor a plus and digits.
    #[error("{0:?} is no telephone number")]
    NoNumber(String),
    /// We don't speak it.
    #[error("{0:?} is no language of the prompts: zh-CN, en-US")]
    NoLanguage(String),
    /// Not nine digits.
    #[error("{0:?} is no meeting: nine digits")]
    NoMeeting(String),
    /// Twice the same.
    #[error("{0:?} leads to two places")]
    Twice(String),
}

impl TryFrom<Vec<Number>> for Numbers {
    type Error = NumbersError;

    fn try_from(numbers: Vec<Number>) -> Result<Self, NumbersError> {
        let (mut routes, mut told): (Vec<(String, Route)>, _) = (Vec::new(), Vec::new());
        for Number { number, language, meeting, site, name } in numbers {
            let digits = bare(&number);
            if digits.is_empty() || !is_digits(digits) {
                return Err(NumbersError::NoNumber(number));
            }
            let language = match language {
                Some(tag) => Some(Language::from_tag(&tag).ok_or(NumbersError::NoLanguage(tag))?),
                None => None,
            };
            if let Some(meeting) =
                meeting.as_ref().filter(|meeting| meeting.len() != MEETING_DIGITS || !is_digits(meeting))
            {
                return Err(NumbersError::NoMeeting(meeting.clone()));
            }
            if routes.iter().any(|(known, _)| known == digits) {
                return Err(NumbersError::Twice(number));
            }
            routes.push((digits.to_owned(), Route { language, meeting, site }));
            let leads_everywhere =
                routes.last().is_some_and(|(_, route)| route.meeting.is_none() && route.site.is_none());
            if leads_everywhere {
                let spoken = language.map(Language::own_name).unwrap_or_default();
                told.push((name.unwrap_or_else(|| spoken.to_owned()), number));
            }
        }
        Ok(Self { routes, told })
    }
}

impl Numbers {
    /// Those that lead into every meeting, to be told to people: the name, which may be empty, and the number as it is written.
    #[must_use]
    pub fn told(&self) -> &[(String, String)] {
        &self.told
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, dialled: &str) -> bool {
        self.routes.iter().any(|(number, _)| number == bare(dialled))
    }

    /// Where this number leads; with or without the plus in front.
    #[must_use]
    pub fn route(&self, dialled: &str) -> Route {
        let dialled = bare(dialled);
        self.routes.iter().find(|(number, _)| number == dialled).map(|(_, route)| route.clone()).unwrap_or_default()
    }
}

fn bare(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        numbers: Numbers,
    }

    fn read(text: &str) -> Result<Numbers, String> {
        toml::from_str::<File>(text).map(|file| file.numbers).map_err(|error| error.message().to_owned())
    }

    // product: P1, P7
    #[test]
    fn a_number_leads_to_its_language_and_meeting() {
        let numbers = read(
            "[[numbers]]\nnumber = \"+861012345678\"\nlanguage = \"zh\"\n\
             [[numbers]]\nnumber = \"5000\"\nlanguage = \"en-US\"\nmeeting = \"123456789\"\nsite = \"甲\"\n",
        )
        .unwrap();
        let chinese = Route { language: Some(Language::ZhCn), ..Route::default() };
        assert_eq!(numbers.route("861012345678"), chinese);
        assert_eq!(numbers.route("+861012345678"), chinese);
        let (number, site) = (Some("123456789".to_owned()), Some("甲".to_owned()));
        let meeting = Route { language: Some(Language::EnUs), meeting: number, site };
        assert_eq!(numbers.route("5000"), meeting);
        assert_eq!(numbers.route("50000"), Route::default());
    }

    // product: S7, J5: nobody is told a number that leads to one meeting or greets in another company's name.
    #[test]
    fn people_are_told_what_leads_into_every_meeting() {
        let numbers = read(
            "[[numbers]]\nnumber = \"+861055550000\"\nname = \"北京\"\n\
             [[numbers]]\nnumber = \"5001\"\nlanguage = \"en-US\"\n\
             [[numbers]]\nnumber = \"5002\"\n\
             [[numbers]]\nnumber = \"5003\"\nmeeting = \"123456789\"\n\
             [[numbers]]\nnumber = \"5004\"\nsite = \"甲\"\n",
        )
        .unwrap();
        let told: Vec<_> = numbers.told().iter().map(|(name, number)| (name.as_str(), number.as_str())).collect();
        assert_eq!(told, [("北京", "+861055550000"), ("English", "5001"), ("", "5002")]);
    }

    // product: P7
    #[test]
    fn what_leads_nowhere_is_refused() {
        let check = |line: &str, error: &str| {
            assert_eq!(read(&format!("[[numbers]]\n{line}\n")), Err(error.to_owned()), "{line}");
        };
        check("number = \"+\"", "\"+\" is no telephone number");
        check("number = \"12 34\"", "\"12 34\" is no telephone number");
        check("number = \"1\"\nlanguage = \"fr\"", "\"fr\" is no language of the prompts: zh-CN, en-US");
        check("number = \"1\"\nmeeting = \"12\"", "\"12\" is no meeting: nine digits");
        check("number = \"1\"\n[[numbers]]\nnumber = \"+1\"", "\"+1\" leads to two places");
    }
}
