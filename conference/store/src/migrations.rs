//! The schema's steps, within the binary. Not by `sqlx::migrate!`: its macros build both databases' drivers a second time, for the
//! compiler, which costs each fresh build more than a minute.

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Each with its file's name, `NUMBER_WHAT.sql`. A step that was published is never changed: databases remember its checksum.
const STEPS: [(&str, &str); 19] = [
    (include_str!("../migrations/0001_first.sql"), "0001_first.sql"),
    (include_str!("../migrations/0002_booking.sql"), "0002_booking.sql"),
    (include_str!("../migrations/0003_sign_on.sql"), "0003_sign_on.sql"),
    (include_str!("../migrations/0004_calls.sql"), "0004_calls.sql"),
    (include_str!("../migrations/0005_phone_pins.sql"), "0005_phone_pins.sql"),
    (include_str!("../migrations/0006_reminders.sql"), "0006_reminders.sql"),
    (include_str!("../migrations/0007_caller_languages.sql"), "0007_caller_languages.sql"),
    (include_str!("../migrations/0008_calling.sql"), "0008_calling.sql"),
    (include_str!("../migrations/0009_prompts.sql"), "0009_prompts.sql"),
    (include_str!("../migrations/0011_whiteboards.sql"), "0011_whiteboards.sql"),
    (include_str!("../migrations/0012_bookmarks.sql"), "0012_bookmarks.sql"),
    (include_str!("../migrations/0014_watch_access.sql"), "0014_watch_access.sql"),
    (include_str!("../migrations/0015_legs.sql"), "0015_legs.sql"),
    (include_str!("../migrations/0017_encoder_tokens.sql"), "0017_encoder_tokens.sql"),
    (include_str!("../migrations/0018_registrations.sql"), "0018_registrations.sql"),
    (include_str!("../migrations/0021_registration_path.sql"), "0021_registration_path.sql"),
    (include_str!("../migrations/0022_times_of_their_own.sql"), "0022_times_of_their_own.sql"),
    (include_str!("../migrations/0023_reported_quality.sql"), "0023_reported_quality.sql"),
    (include_str!("../migrations/0024_registrants.sql"), "0024_registrants.sql"),
];

/// All steps, in order.
pub(crate) fn migrator() -> Migrator {
    Migrator::with_migrations(STEPS.iter().filter_map(|(sql, name)| step(sql, name)).collect())
}

fn step(sql: &'static str, name: &'static str) -> Option<Migration> {
    let (number, what) = name.strip_suffix(".sql")?.split_once('_')?;
    let what = what.replace('_', " ").into();
    Some(Migration::new(number.parse().ok()?, what, MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn each_file_is_a_step() {
        let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).expect("the folder is there");
        let files: BTreeSet<String> =
            folder.map(|file| file.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(STEPS.iter().map(|(_, name)| (*name).to_owned()).collect::<BTreeSet<_>>(), files);
        let numbers: Vec<i64> = migrator().iter().map(|step| step.version).collect();
        assert_eq!(numbers.len(), STEPS.len());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}
