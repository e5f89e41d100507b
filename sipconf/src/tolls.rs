//! What a minute costs, and the numbers nobody dials by accident (P8): satellites, and those that pay who is called.

use serde::Deserialize;

/// Country codes of no country (ITU-T E.164, list of assigned codes): satellites (Inmarsat, Iridium, Globalstar, Thuraya), universal
/// personal numbers, international networks and services, disaster relief, international premium rate.
const NO_COUNTRY: &[&str] = &["870", "878", "881", "882", "883", "888", "979"];

/// Area codes of the North American plan that are dialled like neighbours and cost like the far end of the world: its islands.
const ISLANDS: &[&str] = &[
    "242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758", "767", "784", "809",
    "829", "849", "868", "869", "876",
];

/// By country code, what numbers of premium rate, or of a price their owner sets, begin with. Checked against the metadata of
/// libphonenumber 9.0.43 (2026): its types `PREMIUM_RATE`, and of Germany and the United Kingdom `SHARED_COST` and `PERSONAL_NUMBER` too;
/// left out are those whose beginnings are also those of ordinary numbers (Ireland's 15, Malaysia's 1600, Thailand's 1900).
const PREMIUM: &[(&str, &[&str])] = &[
    ("1", &["900"]),
    ("7", &["803", "809"]),
    ("27", &["862", "863", "864", "865", "866", "867", "868", "869", "90", "91", "92"]),
    ("30", &["901", "909"]),
    ("31", &["900", "906", "909"]),
    ("32", &["70", "90"]),
    ("33", &["81", "82", "83", "85", "86", "88", "89"]),
    ("34", &["803", "806", "807"]),
    ("351", &["601", "607", "608", "646", "648", "760", "761", "762"]),
    ("352", &["900", "901", "905"]),
    ("358", &["600", "700"]),
    ("36", &["90", "91"]),
    ("380", &["900"]),
    ("39", &["0878", "144", "163", "164", "166", "892", "893", "894", "895", "899"]),
    ("40", &["900", "901", "903", "906"]),
    ("41", &["900", "901", "906"]),
    ("420", &["900", "905", "906", "908", "909", "976"]),
    ("43", &["900", "901", "930", "931", "939"]),
    ("44", &["70", "842", "843", "844", "845", "870", "871", "872", "873", "90", "91", "98"]),
    ("45", &["90"]),
    ("46", &["649", "900", "939", "944", "99"]),
    ("47", &["820", "829"]),
    ("48", &["70"]),
    ("49", &["137", "180", "700", "900"]),
    ("52", &["900"]),
    ("55", &["500", "900"]),
    ("61", &["190"]),
    ("62", &["809"]),
    ("64", &["90"]),
    ("65", &["1900"]),
    ("81", &["990"]),
    ("82", &["602", "603", "604", "605", "606", "607", "608", "609"]),
    ("84", &["1900"]),
    ("852", &["900"]),
    ("86", &["160", "168"]),
    ("886", &["20"]),
    ("90", &["888", "898", "900"]),
    ("972", &["1200", "1212", "190", "1919", "199"]),
];

/// Numbers that are dialled by a carrier only where its prefixes name them or a part of them: `"+88"` or `"+1"` is not meant to.
/// In a configuration file, a list of what they begin with, in the place of the product's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Barred(Vec<String>);

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no beginning of a number: write + and digits")]
pub struct BarredError(String);

impl Default for Barred {
    fn default() -> Self {
        let none = NO_COUNTRY.iter().map(|code| format!("+{code}"));
        let islands = ISLANDS.iter().map(|code| format!("+1{code}"));
        let premium =
            PREMIUM.iter().flat_map(|(country, rest)| rest.iter().map(move |rest| format!("+{country}{rest}")));
        Self(none.chain(islands).chain(premium).collect())
    }
}

impl TryFrom<Vec<String>> for Barred {
    type Error = BarredError;

    fn try_from(list: Vec<String>) -> Result<Self, BarredError> {
        let is_beginning = |text: &String| {
            let digits = text.strip_prefix('+').unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        match list.iter().find(|text| !is_beginning(text)) {
            Some(bad) => Err(BarredError(bad.clone())),
            None => Ok(Self(list)),
        }
    }
}

impl Barred {
    /// Whether a number lies in a range that this prefix doesn't name.
    pub(crate) fn has(&self, number: &str, prefix: &str) -> bool {
        self.0.iter().any(|range| number.starts_with(range) && prefix.len() < range.len())
    }
}

/// What a minute to numbers that begin so costs. In a configuration file, a table of an array.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Price {
    /// A plus and digits.
    pub prefix: String,
    /// Thousandths of the currency.
    pub per_minute: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    prefix: String,
    per_minute: f64,
}

/// Why a price is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PriceError {
    /// Neither a plus and digits nor digits.
    #[error("{0:?} is no beginning of a number: write + and digits")]
    Prefix(String),
    /// Below zero, beyond a million, or no number.
    #[error("{0} is no price of a minute: 0 to 1000000")]
    Amount(f64),
}

impl TryFrom<Written> for Price {
    type Error = PriceError;

    fn try_from(written: Written) -> Result<Self, PriceError> {
        let digits = written.prefix.strip_prefix('+').unwrap_or(&written.prefix);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PriceError::Prefix(written.prefix));
        }
        if !(0.0..=1_000_000.0).contains(&written.per_minute) {
            return Err(PriceError::Amount(written.per_minute));
        }
        Ok(Self { prefix: written.prefix, per_minute: (written.per_minute * 1_000.0).round() as i64 })
    }
}

/// Of the longest prefix; 0 where none fits.
pub(crate) fn price(prices: &[Price], number: &str) -> i64 {
    let fitting = prices.iter().filter(|price| number.starts_with(&price.prefix));
    fitting.max_by_key(|price| price.prefix.len()).map_or(0, |price| price.per_minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P8; reliability: A12
    #[test]
    fn satellites_and_premium_numbers_are_dialled_by_name_alone() {
        let barred = Barred::default();
        let special = [
            "+8816123456789",
            "+88213123456",
            "+870773123456",
            "+97912345678",
            "+18765551234",
            "+16585551234",
            "+19005551234",
            // The premium numbers libphonenumber gives as examples.
            "+8616812345",
            "+85290012345678",
            "+886203123456",
            "+81990123456",
            "+82602345678",
            "+6519001234567",
            "+611900123456",
            "+64900123456",
            "+449012345678",
            "+33891123456",
            "+499001234567",
            "+43900123456",
            "+41900123456",
            "+39899123456",
            "+34803123456",
            "+351760123456",
            "+319061234",
            "+3290012345",
            "+35290012345",
            "+4590123456",
            "+469001234567",
            "+4782012345",
            "+358600123456",
            "+48701234567",
            "+420900123456",
            "+3690123456",
            "+78091234567",
            "+380900212345",
            "+909001234567",
            "+309091234567",
            "+40900123456",
            "+55500123456",
            "+529001234567",
            "+27862345678",
            "+9721919123456",
            "+841900123456",
            "+628091234567",
        ];
        for number in special {
            for len in 1..4 {
                assert!(barred.has(number, &number[..len]), "{number} by {}", &number[..len]);
            }
            assert!(!barred.has(number, number), "{number}");
        }
        // And the fixed and mobile ones.
        let ordinary = [
            "+861012345678",
            "+8613123456789",
            "+85221234567",
            "+85251234567",
            "+886221234567",
            "+886912345678",
            "+81312345678",
            "+819012345678",
            "+8222123456",
            "+821020000000",
            "+6561234567",
            "+6581234567",
            "+61212345678",
            "+61412345678",
            "+6432345678",
            "+64211234567",
            "+441212345678",
            "+447400123456",
            "+3532212345",
            "+353850123456",
            "+33123456789",
            "+33612345678",
            "+4930123456",
            "+4915123456789",
            "+431234567890",
            "+43664123456",
            "+41212345678",
            "+41781234567",
            "+390212345678",
            "+393123456789",
            "+34810123456",
            "+34612345678",
            "+351212345678",
            "+351912345678",
            "+31101234567",
            "+31612345678",
            "+3212345678",
            "+32450001234",
            "+35227123456",
            "+352628123456",
            "+4532123456",
            "+4534412345",
            "+468123456",
            "+46701234567",
            "+4721234567",
            "+4740612345",
            "+358131234567",
            "+358412345678",
            "+48123456789",
            "+48512345678",
            "+420212345678",
            "+420601123456",
            "+3612345678",
            "+36201234567",
            "+73011234567",
            "+79123456789",
            "+380311234567",
            "+380501234567",
            "+902123456789",
            "+905012345678",
            "+302123456789",
            "+306912345678",
            "+40211234567",
            "+40712034567",
            "+551123456789",
            "+5511961234567",
            "+522001234567",
            "+522221234567",
            "+27101234567",
            "+27711234567",
            "+97221234567",
            "+972502345678",
            "+6621234567",
            "+66812345678",
            "+60323856789",
            "+60123456789",
            "+842101234567",
            "+84912345678",
            "+62218350123",
            "+62812345678",
            "+12015550123",
            "+8001",
        ];
        for number in ordinary {
            assert!(!barred.has(number, "+"), "{number}");
        }
        for range in &barred.0 {
            assert!(range[1..].bytes().all(|byte| byte.is_ascii_digit()) && range.len() > 2, "{range}");
        }
    }

    // product: P8
    #[test]
    fn an_operator_bars_what_he_means() {
        #[derive(Deserialize)]
        struct File {
            barred: Barred,
        }
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.barred);
        let own = read("barred = [\"+8613800\"]").unwrap();
        assert!(own.has("+8613800138000", "+86") && !own.has("+8613800138000", "+8613800"));
        assert!(!own.has("+8816123456789", "+"), "in the place of the product's own");
        assert!(!read("barred = []").unwrap().has("+19005551234", "+"));
        for bad in ["\"86\"", "\"+\"", "\"+8a\"", "\"\""] {
            let error = read(&format!("barred = [{bad}]")).unwrap_err();
            assert!(error.message().contains("no beginning of a number"), "{error}");
        }
    }

    // product: P8
    #[test]
    fn a_minute_costs_what_its_longest_prefix_says() {
        let read = |text: &str| toml::from_str::<Price>(text).map_err(|error| error.message().to_owned());
        let prices = [
            read("prefix = \"+86\"\nper_minute = 0.15").unwrap(),
            read("prefix = \"+8610\"\nper_minute = 0.0555").unwrap(),
            read("prefix = \"+44\"\nper_minute = 1").unwrap(),
        ];
        let check = |number: &str, expected: i64| assert_eq!(price(&prices, number), expected, "{number}");
        check("+8613812345678", 150);
        check("+861065529988", 56);
        check("+442079460000", 1_000);
        check("+12125551234", 0);
        assert!(read("prefix = \"x\"\nper_minute = 1").unwrap_err().contains("no beginning of a number"));
        for bad in ["-1", "nan", "1e9"] {
            assert!(read(&format!("prefix = \"+1\"\nper_minute = {bad}")).unwrap_err().contains("no price"), "{bad}");
        }
    }
}
