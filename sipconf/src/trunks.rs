//! Carriers we call by (P7, P8): how each is reached, and what may be dialled there.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{Barred, Encryption, Language, Price, tolls};

/// Calls at once where none is said: what a small office has.
const CALLS_MAX: u32 = 30;

/// Calls begun in a second where none is said. Carriers cut off who is much faster.
const CALLS_PER_SECOND: u32 = 5;

/// Calls begun in a day where none is said: a stolen password costs no fortune.
const CALLS_PER_DAY: u32 = 1_000;

/// Digits of the longest number (E.164 §6.1).
const DIGITS_MAX: usize = 15;

/// Digits of the shortest that is dialled: extensions. Numbers of three digits are the police's.
const DIGITS_MIN: usize = 4;

/// Digits of the longest extension of a house that has a country.
const EXTENSION_MAX: usize = 6;

/// Digits of the longest number within a country, without its leading 0, where it isn't [`NATIONAL_MAX`] (ITU-T E.164, national numbering
/// plans): with more, and the country's code in front, that code was written.
const NATIONAL: &[(&str, usize)] = &[("45", 8), ("47", 8), ("55", 11), ("65", 8), ("86", 11)];
/// See [`NATIONAL`].
const NATIONAL_MAX: usize = 10;

/// Where a leading 0 is no prefix of long distance but a digit of the number, dialled from abroad too.
const KEEP_ZERO: &[&str] = &["225", "242", "378", "39"];

/// What stands in front of international numbers (ITU-T E.164: the international prefix) beside 00.
const INTERNATIONAL: &[(&str, &str)] = &[("1", "011")];

/// How a carrier is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// An encrypted one.
    Tls,
}

/// As it stands in the file.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    address: String,
    transport: Option<Transport>,
    authority: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    encryption: Encryption,
    domain: Option<String>,
    user: Option<String>,
    password: Option<String>,
    realm: Option<String>,
    #[serde(default)]
    register: bool,
    caller: Option<String>,
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(default = "yes")]
    plus: bool,
    #[serde(default)]
    priority: u32,
    calls_max: Option<u32>,
    calls_per_second: Option<u32>,
    calls_per_day: Option<u32>,
    incoming_max: Option<u32>,
    incoming_per_second: Option<u32>,
    incoming_per_number: Option<u32>,
}

fn yes() -> bool {
    true
}

/// One carrier. In a configuration file, a table of an array.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Trunk {
    /// In logs and metrics.
    pub name: String,
    /// The name or address of its servers.
    pub host: String,
    /// Where none is said, SRV records name servers and ports (RFC 3263 §4.2), or it is the transport's own.
    pub port: Option<u16>,
    /// How it is spoken to. Where it is not said, NAPTR records say (RFC 3263 §4.1), or it is UDP.
    pub transport: Option<Transport>,
    /// Whose certificates are believed over TLS (PEM); the system's authorities where not set.
    pub authority: Option<PathBuf>,
    /// What we show there over TLS, and its key (both PEM), where it wants to know who we are (RFC 8446 §4.4.2.4).
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Of the sound of calls we make there.
    pub encryption: Encryption,
    /// The host part of its SIP addresses.
    pub domain: String,
    /// Our account, where it knows us by one.
    pub user: Option<String>,
    /// Proves that we are it.
    pub password: Option<String>,
    /// Who asks for that proof (RFC 3261 §22.1): nobody else is given any. Anybody is where not set.
    pub realm: Option<String>,
    /// Calls come to where we register (RFC 3261 §10), not to an address it knows.
    pub register: bool,
    /// The number those we call see.
    pub caller: String,
    /// What the numbers dialled there begin with. Where there is none, nothing is dialled.
    pub prefixes: Vec<String>,
    /// It wants the plus in front of international numbers.
    pub plus: bool,
    /// Lower ones are asked first.
    pub priority: u32,
    /// At once.
    pub calls_max: u32,
    /// Begun in a second.
    pub calls_per_second: u32,
    /// Begun in a day.
    pub calls_per_day: u32,
    /// Of calls that come by it, at once; as many as there are ports where not set.
    pub incoming_max: Option<u32>,
    /// Of those, begun in a second.
    pub incoming_per_second: Option<u32>,
    /// Of those, at once of one number. A company may show one number for all its people.
    pub incoming_per_number: Option<u32>,
}

impl std::fmt::Debug for Trunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunk").field("name", &self.name).field("host", &self.host).finish_non_exhaustive()
    }
}

/// Why a carrier is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrunkError {
    /// Neither a host nor host and port.
    #[error("{0:?} is no address: write host or host:port")]
    Address(String),
    /// It would break out of a SIP address.
    #[error("{0:?} can't stand in a SIP address: letters, digits and . _ + - only")]
    Text(String),
    /// Neither a plus and digits nor digits.
    #[error("{0:?} is no beginning of a number: write + and digits, or digits of an extension")]
    Prefix(String),
    /// One without the other.
    #[error("trunk {0:?} registers: it needs user and password")]
    NoAccount(String),
    /// One without the other.
    #[error("trunk {0:?}: a certificate needs its key, and a key its certificate")]
    NoKey(String),
    /// 0 of something.
    #[error("trunk {0:?} would never call: its limits are at least 1")]
    NoCalls(String),
    /// Neither of both.
    #[error("trunk {0:?} needs a caller, or a user to call as")]
    NoCaller(String),
}

impl TryFrom<Written> for Trunk {
    type Error = TrunkError;

    fn try_from(written: Written) -> Result<Self, TrunkError> {
        let (host, port) = match written.address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| TrunkError::Address(written.address.clone()))?)),
            None => (written.address.as_str(), None),
        };
        if port == Some(0) || !is_plain(host) {
            return Err(TrunkError::Address(written.address));
        }
        let name = written.name;
        let texts = [Some(&name), written.domain.as_ref(), written.user.as_ref(), written.caller.as_ref()];
        if let Some(text) = texts.into_iter().flatten().find(|text| !is_plain(text)) {
            return Err(TrunkError::Text(text.clone()));
        }
        let is_prefix = |prefix: &&String| {
            let digits = prefix.strip_prefix('+').unwrap_or(prefix);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if let Some(prefix) = written.prefixes.iter().find(|prefix| !is_prefix(prefix)) {
            return Err(TrunkError::Prefix(prefix.clone()));
        }
        if written.register && (written.user.is_none() || written.password.is_none()) {
            return Err(TrunkError::NoAccount(name));
        }
        if written.certificate.is_some() != written.key.is_some() {
            return Err(TrunkError::NoKey(name));
        }
        let calls_max = written.calls_max.unwrap_or(CALLS_MAX);
        let calls_per_second = written.calls_per_second.unwrap_or(CALLS_PER_SECOND);
        let calls_per_day = written.calls_per_day.unwrap_or(CALLS_PER_DAY);
        let incoming = [written.incoming_max, written.incoming_per_second, written.incoming_per_number];
        if calls_max == 0 || calls_per_second == 0 || calls_per_day == 0 || incoming.contains(&Some(0)) {
            return Err(TrunkError::NoCalls(name));
        }
        let Some(caller) = written.caller.or_else(|| written.user.clone()) else {
            return Err(TrunkError::NoCaller(name));
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            domain: written.domain.unwrap_or_else(|| host.to_owned()),
            transport: written.transport,
            authority: written.authority,
            certificate: written.certificate.zip(written.key),
            encryption: written.encryption,
            user: written.user,
            password: written.password,
            realm: written.realm,
            register: written.register,
            caller,
            prefixes: written.prefixes,
            plus: written.plus,
            priority: written.priority,
            calls_max,
            calls_per_second,
            calls_per_day,
            incoming_max: written.incoming_max,
            incoming_per_second: written.incoming_per_second,
            incoming_per_number: written.incoming_per_number,
            name,
        })
    }
}

/// A number as it is dialled: a plus and digits where it is a telephone of the world, digits where it is an extension.
/// It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialled(String);

impl Dialled {
    /// What somebody wrote, with the spaces and dashes people write, where numbers without a calling code are of `country` (`86`, with a
    /// plus or without one; without it they are extensions); none where it is no number.
    #[must_use]
    pub fn read(text: &str, country: Option<&str>) -> Option<Self> {
        let country = country.map(|code| code.trim_start_matches('+'));
        let written = without_spaces(text);
        let digits = written.strip_prefix('+').unwrap_or(&written);
        let is_number =
            (DIGITS_MIN..=DIGITS_MAX + 3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            return None;
        }
        let abroad = INTERNATIONAL.iter().find(|(code, _)| country == Some(*code));
        let international = written
            .strip_prefix('+')
            .or_else(|| written.strip_prefix(abroad?.1))
            .or_else(|| written.strip_prefix("00"));
        let dialled = match (international, country) {
            (Some(digits), _) => format!("+{digits}"),
            (None, Some(country)) if digits.len() > EXTENSION_MAX => in_country(country, digits),
            (None, _) => digits.to_owned(),
        };
        (dialled.len() <= DIGITS_MAX + 1).then_some(Self(dialled))
    }

    /// The whole of it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Dialled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dialled")
    }
}

/// Whom we may call, and by which carrier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialPlan {
    trunks: Vec<Trunk>,
    country: Option<String>,
    prices: Vec<Price>,
    barred: Barred,
}

impl DialPlan {
    /// `country` is the calling code of numbers without one, `86`; without it they are extensions.
    #[must_use]
    pub fn new(mut trunks: Vec<Trunk>, country: Option<String>) -> Self {
        trunks.sort_by_key(|trunk| trunk.priority);
        Self { trunks, country, prices: Vec::new(), barred: Barred::default() }
    }

    /// With what minutes cost.
    #[must_use]
    pub fn priced(self, prices: Vec<Price>) -> Self {
        Self { prices, ..self }
    }

    /// With other numbers than the product's own that are dialled by their own prefix alone.
    #[must_use]
    pub fn barring(self, barred: Barred) -> Self {
        Self { barred, ..self }
    }

    /// Of a minute, in thousandths of the currency; 0 where no price is said.
    #[must_use]
    pub fn price(&self, number: &Dialled) -> i64 {
        tolls::price(&self.prices, &number.0)
    }

    /// All carriers, in the order they are asked.
    #[must_use]
    pub fn trunks(&self) -> &[Trunk] {
        &self.trunks
    }

    /// What somebody wrote, as it is dialled here ([`Dialled::read`]).
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Dialled> {
        Dialled::read(text, self.country.as_deref())
    }

    /// Carriers by which a number goes as it was written, with its country's code or not, so that no list of premium numbers knows it.
    pub fn unguarded(&self) -> impl Iterator<Item = &Trunk> {
        let takes_digits = |trunk: &&Trunk| trunk.prefixes.iter().any(|prefix| !prefix.starts_with('+'));
        self.trunks.iter().filter(move |trunk| self.country.is_none() && takes_digits(trunk))
    }

    /// What somebody of that number is spoken to in: nobody has said.
    #[must_use]
    pub fn language(&self, number: &Dialled) -> Language {
        let is_abroad = number.0.strip_prefix('+').is_some_and(|digits| !digits.starts_with("86"));
        if is_abroad { Language::EnUs } else { Language::ZhCn }
    }

    /// The carriers that may be asked for a number, the first one first; none where nobody allowed it (P7). Satellites and
    /// premium numbers are allowed by a prefix of their own and by none that is wider.
    pub fn carriers(&self, number: &Dialled) -> impl Iterator<Item = (usize, &Trunk)> {
        let allows = |trunk: &Trunk| {
            let fits = |prefix: &&String| number.0.starts_with(prefix.as_str()) && !self.barred.has(&number.0, prefix);
            trunk.prefixes.iter().any(|prefix| fits(&prefix))
        };
        self.trunks.iter().enumerate().filter(move |(_, trunk)| allows(trunk))
    }
}

impl Trunk {
    /// The user part of what it is asked for.
    #[must_use]
    pub fn user_part<'a>(&self, number: &'a Dialled) -> &'a str {
        if self.plus { &number.0 } else { number.0.trim_start_matches('+') }
    }
}

/// A number without what people write between its digits: `138 1234-5678`.
#[must_use]
pub fn without_spaces(number: &str) -> String {
    number.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '\u{a0}')).collect()
}

/// A number without an international prefix, as the world dials it. People of some countries write their own code without a plus too.
fn in_country(country: &str, digits: &str) -> String {
    let longest = NATIONAL.iter().find(|(code, _)| *code == country).map_or(NATIONAL_MAX, |(_, longest)| *longest);
    if digits.len() > longest && digits.starts_with(country) {
        return format!("+{digits}");
    }
    let bare = digits.strip_prefix('0').filter(|_| !KEEP_ZERO.contains(&country)).unwrap_or(digits);
    format!("+{country}{bare}")
}

/// Of a host, a user, a number: nothing that ends a header field or an address.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    !text.is_empty() && text.len() <= 128 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Trunk, String> {
        toml::from_str::<Trunk>(text).map_err(|error| error.message().to_owned())
    }

    const PLAIN: &str = "name = \"a\"\naddress = \"sip.example:5070\"\ncaller = \"+8610\"\n";

    // product: P7
    #[test]
    fn a_carrier_has_what_it_needs_and_defaults_for_the_rest() {
        let trunk = read(PLAIN).unwrap();
        assert_eq!(
            (trunk.host.as_str(), trunk.port, trunk.domain.as_str()),
            ("sip.example", Some(5070), "sip.example")
        );
        assert_eq!((trunk.calls_max, trunk.register, trunk.plus), (30, false, true));
        assert_eq!(trunk.encryption, Encryption::None);
        assert_eq!(read(&format!("{PLAIN}encryption = \"dtls\"\n")).unwrap().encryption, Encryption::Dtls);
        assert_eq!(read(&format!("{PLAIN}encryption = \"sdes\"\n")).unwrap().encryption, Encryption::Sdes);
        let full = "user = \"u\"\npassword = \"p\"\nregister = true\ntransport = \"tcp\"\ndomain = \"d\"\n";
        let trunk = read(&format!("{}{full}", PLAIN.replace(":5070", ""))).unwrap();
        assert_eq!((trunk.port, trunk.transport, trunk.domain.as_str()), (None, Some(Transport::Tcp), "d"));
        assert!(!format!("{trunk:?}").contains("\"p\""));
    }

    // product: P7
    #[test]
    fn what_can_never_work_is_refused() {
        let check =
            |line: &str, error: &str| assert_eq!(read(&format!("{PLAIN}{line}\n")), Err(error.to_owned()), "{line}");
        check("register = true", "trunk \"a\" registers: it needs user and password");
        check("calls_max = 0", "trunk \"a\" would never call: its limits are at least 1");
        check("incoming_per_number = 0", "trunk \"a\" would never call: its limits are at least 1");
        check(
            "prefixes = [\"+86\", \"x\"]",
            "\"x\" is no beginning of a number: write + and digits, or digits of an extension",
        );
        check("user = \"a b\"", "\"a b\" can't stand in a SIP address: letters, digits and . _ + - only");
        let address = |text: &str| read(&PLAIN.replace("sip.example:5070", text)).unwrap_err();
        for bad in ["", "a:b", "a:0", "a b:5060", "<a>"] {
            assert!(address(bad).contains("is no address"), "{bad}");
        }
        assert!(read("name = \"a\"\naddress = \"h\"\n").unwrap_err().contains("needs a caller"));
    }

    // product: P7, P8
    #[test]
    fn numbers_are_read_as_people_write_them() {
        let china = DialPlan::new(Vec::new(), Some("86".to_owned()));
        let nowhere = DialPlan::default();
        let check = |plan: &DialPlan, text: &str, dialled: Option<&str>| {
            assert_eq!(plan.read(text).as_ref().map(Dialled::reveal), dialled, "{text:?}");
        };
        check(&china, "138 1234 5678", Some("+8613812345678"));
        check(&china, "(010) 6552-9988", Some("+861065529988"));
        check(&china, "+44 20 7946 0000", Some("+442079460000"));
        check(&china, "00442079460000", Some("+442079460000"));
        check(&china, "8001", Some("8001"));
        check(&nowhere, "13812345678", Some("13812345678"));
        for bad in ["", "110", "+", "sip:a@b", "1381234567x", "+86 138; DROP", "12345678901234567890"] {
            check(&china, bad, None);
        }
    }

    // product: P8
    #[test]
    fn a_number_with_its_own_countrys_code_has_it_once() {
        let check = |country: &str, text: &str, dialled: &str| {
            let plan = DialPlan::new(Vec::new(), Some(country.to_owned()));
            let read = plan.read(text).map(|number| number.reveal().to_owned());
            assert_eq!(read.as_deref(), Some(dialled), "{text} in {country}");
            assert_eq!(plan.read(dialled).map(|number| number.reveal().to_owned()), read, "read again");
        };
        check("86", "8613812345678", "+8613812345678");
        check("86", "86 10 6552 9988", "+861065529988");
        check("86", "0851 8612 3456", "+8685186123456");
        check("86", "85186123456", "+8685186123456");
        check("1", "1 (212) 555-1234", "+12125551234");
        check("1", "212 555 1234", "+12125551234");
        check("1", "011 86 138 1234 5678", "+8613812345678");
        check("1", "011 44 20 7946 0000", "+442079460000");
        check("1", "00442079460000", "+442079460000");
        check("86", "011 6552 9988", "+861165529988");
        check("39", "06 1234 5678", "+390612345678");
        check("39", "391 234 5678", "+393912345678");
        check("39", "39 06 1234 5678", "+390612345678");
        check("39", "39 391 234 5678", "+393912345678");
        check("44", "020 7946 0000", "+442079460000");
        check("44", "44 20 7946 0000", "+442079460000");
        check("47", "4712 3456", "+4747123456");
        check("47", "47 4061 2345", "+4740612345");
        check("55", "55 99123 4567", "+5555991234567");
        check("55", "55 11 96123 4567", "+5511961234567");
        check("7", "7 912 345 67 89", "+79123456789");
        check("91", "91234 56789", "+919123456789");
        check("65", "6512 3456", "+6565123456");
    }

    // product: P8
    #[test]
    fn who_dials_numbers_as_they_are_written_is_told_that_nothing_is_barred() {
        let trunk = |prefixes: &str| read(&format!("{PLAIN}prefixes = {prefixes}\n")).unwrap();
        let check = |country: Option<&str>, prefixes: &str, expected: usize| {
            let plan = DialPlan::new(vec![trunk(prefixes)], country.map(str::to_owned));
            assert_eq!(plan.unguarded().count(), expected, "{country:?} {prefixes}");
        };
        check(None, "[\"1\"]", 1);
        check(None, "[\"+1\", \"1900\"]", 1);
        check(None, "[\"+1\"]", 0);
        check(None, "[]", 0);
        check(Some("1"), "[\"1\"]", 0);
    }

    // product: P7
    #[test]
    fn only_what_somebody_allowed_is_dialled_and_the_first_carrier_first() {
        let trunk = |name: &str, priority: u32, prefixes: &str| {
            read(&format!(
                "{}priority = {priority}\nprefixes = {prefixes}\n",
                PLAIN.replace("\"a\"", &format!("\"{name}\""))
            ))
            .unwrap()
        };
        let plan = DialPlan::new(
            vec![trunk("second", 2, "[\"+86\"]"), trunk("first", 1, "[\"+86\", \"8\"]"), trunk("none", 0, "[]")],
            Some("86".to_owned()),
        );
        let names = |text: &str| -> Vec<&str> {
            let number = plan.read(text).unwrap();
            plan.carriers(&number).map(|(_, trunk)| trunk.name.as_str()).collect()
        };
        assert_eq!(names("13812345678"), ["first", "second"]);
        assert_eq!(names("8001"), ["first"]);
        assert!(names("+442079460000").is_empty());
        assert_eq!(plan.trunks()[1].user_part(&plan.read("+8610").unwrap()), "+8610");
    }
}
