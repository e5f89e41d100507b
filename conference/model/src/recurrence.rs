//! When the occurrences of a booking begin (S5): RFC 5545 recurrence rules in a time zone of the IANA's.

use rrule::{Frequency, RRuleSet, Tz};

/// The most occurrences of one booking: a daily one for a year.
pub const OCCURRENCES_MAX: u16 = 366;

/// Why a recurrence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecurrence {
    /// There is no such zone.
    #[error("{0:?} is no time zone of the IANA's list, such as Asia/Shanghai")]
    Zone(String),
    /// It can't be read.
    #[error("the rule can't be read: {0}")]
    Syntax(String),
    /// Neither daily nor weekly nor monthly.
    #[error("the rule is neither daily nor weekly nor monthly")]
    Frequency,
    /// It has neither COUNT nor UNTIL.
    #[error("the rule has no end")]
    Endless,
    /// It has more occurrences than [`OCCURRENCES_MAX`].
    #[error("the rule has more than {OCCURRENCES_MAX} occurrences")]
    TooMany,
    /// It has none.
    #[error("the rule has no occurrence")]
    Empty,
    /// An occurrence would begin before the one before has ended.
    #[error("the occurrences overlap")]
    Overlap,
}

/// The starts of all occurrences, in order; one where there is no rule. `rule` is the value of an RRULE property, for
/// example `FREQ=WEEKLY;BYDAY=MO,WE;COUNT=10`. Times of day are kept across changes of daylight saving.
pub fn starts(start_ms: i64, zone: &str, rule: Option<&str>) -> Result<Vec<i64>, BadRecurrence> {
    let tz: chrono_tz::Tz = zone.parse().map_err(|_| BadRecurrence::Zone(zone.to_owned()))?;
    let Some(rule) = rule else { return Ok(vec![start_ms]) };
    let syntax = |error: &dyn std::fmt::Display| BadRecurrence::Syntax(error.to_string());
    // Rules know whole seconds: of a start between two the first time would be lost.
    let utc = chrono::DateTime::from_timestamp(start_ms.div_euclid(1_000), 0);
    let utc = utc.ok_or_else(|| syntax(&"the start is out of range"))?;
    let start = utc.with_timezone(&Tz::Tz(tz));
    let rule: rrule::RRule<rrule::Unvalidated> = rule.parse().map_err(|error| syntax(&error))?;
    if !matches!(rule.get_freq(), Frequency::Daily | Frequency::Weekly | Frequency::Monthly) {
        return Err(BadRecurrence::Frequency);
    }
    if rule.get_count().is_none() && rule.get_until().is_none() {
        return Err(BadRecurrence::Endless);
    }
    let rule = rule.validate(start).map_err(|error| syntax(&error))?;
    let all = RRuleSet::new(start).rrule(rule).all(OCCURRENCES_MAX + 1).dates;
    match all.len() {
        0 => Err(BadRecurrence::Empty),
        len if len > usize::from(OCCURRENCES_MAX) => Err(BadRecurrence::TooMany),
        _ => Ok(all.into_iter().map(|date| date.timestamp_millis()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    // product: S5
    #[test]
    fn the_time_of_day_is_kept_across_daylight_saving() {
        let all = starts(at("2026-03-23T09:00:00+01:00"), "Europe/Berlin", Some("FREQ=WEEKLY;COUNT=3")).unwrap();
        let expected = ["2026-03-23T09:00:00+01:00", "2026-03-30T09:00:00+02:00", "2026-04-06T09:00:00+02:00"];
        assert_eq!(all, expected.map(at));
        let all = starts(at("2026-01-05T01:00:00Z"), "Asia/Shanghai", Some("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4")).unwrap();
        let expected = ["2026-01-05T01:00:00Z", "2026-01-07T01:00:00Z", "2026-01-12T01:00:00Z", "2026-01-14T01:00:00Z"];
        assert_eq!(all, expected.map(at));
        // Of a start between two seconds the first time is not lost.
        let all = starts(at("2026-01-05T01:00:00.750Z"), "UTC", Some("FREQ=DAILY;COUNT=2")).unwrap();
        assert_eq!(all, ["2026-01-05T01:00:00Z", "2026-01-06T01:00:00Z"].map(at));
        // A month without a 31st has no such day.
        let all = starts(at("2026-01-31T09:00:00Z"), "UTC", Some("FREQ=MONTHLY;COUNT=3")).unwrap();
        assert_eq!(all, ["2026-01-31T09:00:00Z", "2026-03-31T09:00:00Z", "2026-05-31T09:00:00Z"].map(at));
    }

    // product: S5
    #[test]
    fn what_can_not_be_held_is_refused() {
        let check = |zone: &str, rule: &str| starts(at("2026-01-01T09:00:00Z"), zone, Some(rule)).unwrap_err();
        assert_eq!(check("Mars/Olympus", "FREQ=DAILY;COUNT=2"), BadRecurrence::Zone("Mars/Olympus".to_owned()));
        assert_eq!(check("UTC", "FREQ=DAILY"), BadRecurrence::Endless);
        assert_eq!(check("UTC", "FREQ=SECONDLY;COUNT=3"), BadRecurrence::Frequency);
        assert_eq!(check("UTC", "FREQ=YEARLY;COUNT=3"), BadRecurrence::Frequency);
        assert_eq!(check("UTC", "FREQ=DAILY;COUNT=400"), BadRecurrence::TooMany);
        assert_eq!(check("UTC", "FREQ=DAILY;UNTIL=20991231T000000Z"), BadRecurrence::TooMany);
        assert!(matches!(check("UTC", "every day"), BadRecurrence::Syntax(_)));
        assert!(matches!(
            check("UTC", "FREQ=DAILY;UNTIL=20200101T000000Z"),
            BadRecurrence::Syntax(_) | BadRecurrence::Empty
        ));
    }
}
