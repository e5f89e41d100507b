//! What a minute costs, and the numbers nobody dials by accident (P8): satellites, and those that pay who is called.

use serde::Deserialize;

/// Not dialled by a carrier whose prefixes don't name them or a part of them: `"+88"` or `"+1"` is not meant to. Operators
/// who need one write it into the carrier's `prefixes`. Satellite and international networks and premium numbers by ITU-T E.164's list of
/// assigned codes, then premium ranges and the islands of the North American plan that fraud loves.
const BARRED: &[&str] = &[
    // Satellites (Inmarsat, Iridium, Globalstar, Thuraya and others), universal personal and international premium numbers.
    "+870", "+878", "+881", "+882", "+883", "+888", "+979",
    // North America: premium, and islands that are dialled like neighbours.
    "+1900", "+1976", "+1242", "+1246", "+1264", "+1268", "+1284", "+1345", "+1441", "+1473", "+1649", "+1664", "+1721",
    "+1758", "+1767", "+1784", "+1809", "+1829", "+1849", "+1868", "+1869", "+1876",
    // Premium ranges of countries people call.
    "+86168", "+86160", "+3389", "+34803", "+34806", "+34807", "+34905", "+3988", "+3989", "+3290", "+31900", "+31906",
    "+31909", "+41900", "+41901", "+41906", "+43900", "+43901", "+43930", "+43931", "+4470", "+449", "+4787", "+4782",
    "+4887", "+48700", "+49137", "+49180", "+49190", "+49900", "+6119", "+8190", "+81990", "+852900", "+821", "+82060",
];

/// Whether a number lies in a barred range that this prefix doesn't name.
pub(crate) fn is_barred(number: &str, prefix: &str) -> bool {
    BARRED.iter().any(|range| number.starts_with(range) && prefix.len() < range.len())
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
        for number in
            ["+8816123456789", "+88213123456", "+870773123456", "+97912345678", "+19005551234", "+449012345678"]
        {
            for prefix in ["+", "+8", "+88", "+87", "+9", "+97", "+1", "+4", "+44"] {
                assert!(!number.starts_with(prefix) || is_barred(number, prefix), "{number} by {prefix}");
            }
        }
        assert!(!is_barred("+8816123456789", "+881") && !is_barred("+19005551234", "+1900"));
        for plain in ["+8613812345678", "+861065529988", "+442079460000", "+12125551234", "+8001"] {
            assert!(!is_barred(plain, "+"), "{plain}");
        }
        for range in BARRED {
            assert!(range[1..].bytes().all(|byte| byte.is_ascii_digit()), "{range}");
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
