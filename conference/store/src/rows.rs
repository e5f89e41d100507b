//! Rows as the rest of the server sees them.

use model::{AccountId, MeetingId, MeetingNumber, SiteId};
use sqlx::{Row, any::AnyRow};

use crate::StoreError;

/// A customer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// For ever.
    pub id: SiteId,
    /// As people read it.
    pub name: String,
}

/// Somebody who can log in. Its password hash doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// For ever.
    pub id: AccountId,
    /// Where he belongs.
    pub site: SiteId,
    /// What he types at the login, in lower case.
    pub name: String,
    /// As others read it.
    pub display_name: String,
    /// argon2id in PHC form.
    pub password_hash: String,
    /// The password is still the one he was given.
    pub initial_password: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A meeting that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// For ever.
    pub id: MeetingId,
    /// Who created it.
    pub owner: AccountId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Six digits, where there is one.
    pub password: Option<String>,
    /// The most participants at once.
    pub capacity: u32,
    /// Milliseconds since 1970, UTC.
    pub created_ms: i64,
}

pub(crate) const ACCOUNT_BY_NAME: &str =
    "SELECT id, site_id, name, display_name, password_hash, initial_password FROM accounts WHERE name = $1";

pub(crate) const ACCOUNT_BY_SESSION: &str =
    "SELECT a.id, a.site_id, a.name, a.display_name, a.password_hash, a.initial_password
     FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.token_sha256 = $1 AND s.expires_ms > $2";

pub(crate) const MEETING_BY_ID: &str =
    "SELECT id, owner_id, number, title, password, capacity, created_ms FROM meetings WHERE id = $1";

pub(crate) const MEETING_BY_NUMBER: &str =
    "SELECT id, owner_id, number, title, password, capacity, created_ms FROM meetings WHERE number = $1";

pub(crate) const MEETINGS_OF: &str =
    "SELECT id, owner_id, number, title, password, capacity, created_ms FROM meetings WHERE owner_id = $1
     ORDER BY created_ms DESC, id DESC LIMIT 100";

pub(crate) fn number(number: MeetingNumber) -> i64 {
    i64::from(number.value())
}

fn id<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| StoreError::Corrupt("an id that is none"))
}

pub(crate) fn site(row: &AnyRow) -> Result<Site, StoreError> {
    Ok(Site { id: id(row, "id")?, name: row.try_get("name")? })
}

pub(crate) fn account(row: &AnyRow) -> Result<Account, StoreError> {
    Ok(Account {
        id: id(row, "id")?,
        site: id(row, "site_id")?,
        name: row.try_get("name")?,
        display_name: row.try_get("display_name")?,
        password_hash: row.try_get("password_hash")?,
        initial_password: row.try_get::<i64, _>("initial_password")? != 0,
    })
}

pub(crate) fn meeting(row: &AnyRow) -> Result<Meeting, StoreError> {
    let number = u32::try_from(row.try_get::<i64, _>("number")?).ok().and_then(|n| MeetingNumber::new(n).ok());
    Ok(Meeting {
        id: id(row, "id")?,
        owner: id(row, "owner_id")?,
        number: number.ok_or(StoreError::Corrupt("a meeting number that is none"))?,
        title: row.try_get("title")?,
        password: Some(row.try_get::<String, _>("password")?).filter(|password| !password.is_empty()),
        capacity: u32::try_from(row.try_get::<i64, _>("capacity")?)
            .map_err(|_| StoreError::Corrupt("a capacity that is none"))?,
        created_ms: row.try_get("created_ms")?,
    })
}
