//! What outlives the server: sites, accounts, sessions, bookings, what is to be sent. The only crate that knows SQL.
//!
//! One SQL text serves SQLite (the default) and PostgreSQL; migrations run at [`Store::open`]. Rows are written by
//! `conference`, never by an edge or an engine. Each file has one kind of rows: their form first, then what is done
//! with them.

mod accounts;
mod audit;
mod calling;
mod calls;
mod encoder_tokens;
mod ledger;
mod meetings;
mod migrations;
mod outbox;
mod prompts;
mod registrants;
mod registrations;
mod shared;
mod sites;
#[cfg(test)]
mod tests;
mod watch_access;

use std::{path::Path, str::FromStr, time::Duration};

use model::BookingMode;
use sqlx::{
    AnyConnection, AnyPool, Connection, Row,
    any::{AnyConnectOptions, AnyPoolOptions, AnyRow},
};

pub use accounts::{Account, Reset};
pub use audit::{Answer, AuditEntry};
pub use calls::{Call, CallKind};
pub use encoder_tokens::EncoderToken;
pub use ledger::{BookError, Change, Running};
pub use meetings::{Meeting, Occurrence, Page, Period};
pub use outbox::{Invitation, OutboxItem, Webhook};
pub use prompts::SitePrompt;
pub use registrants::{Registrant, RegistrantState};
pub use registrations::Registration;
pub use shared::Bookmark;
pub use sites::{Room, Site};
pub use watch_access::WatchSettings;

/// Connections. SQLite writes one at a time whatever there is; more readers than cores gain nothing.
const CONNECTIONS_MAX: u32 = 8;

/// How long a connection is waited for: a damaged file or a server that is away is told of, and nobody waits for ever.
const ACQUIRE_MAX: Duration = Duration::from_secs(8);

/// Of every SQLite connection. A writer waits five seconds for another: longer than any write of ours takes, shorter
/// than a caller's patience.
const SQLITE_PRAGMAS: [&str; 4] = [
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
];

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row of that kind exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The address is none.
    #[error("the database address is wrong: {0}")]
    Address(#[source] sqlx::Error),
    /// The schema can't be brought up to date.
    #[error("the database's schema can't be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database itself.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// What is written there can't be read.
    #[error("the database has {0}")]
    Corrupt(&'static str),
    /// Only SQLite does it.
    #[error("{0} is for SQLite; use the tools of PostgreSQL")]
    NotSqlite(&'static str),
}

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    is_sqlite: bool,
}

impl Store {
    /// Connects and brings the schema up to date. `url` is `sqlite://file?mode=rwc` or `postgres://…`.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyConnectOptions::from_str(url).map_err(StoreError::Address)?;
        let is_sqlite = url.starts_with("sqlite:");
        // Once by itself: the pool would try again and again, and say only that it took too long.
        let mut first = AnyConnection::connect_with(&options).await.map_err(damaged)?;
        prepare(&mut first, is_sqlite).await.map_err(damaged)?;
        first.close().await?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_MAX)
            // A file doesn't hang up, and asking it each time whether it has is a way to its thread and back.
            .test_before_acquire(!is_sqlite)
            .after_connect(move |connection, _| Box::pin(prepare(connection, is_sqlite)))
            .connect_with(options)
            .await?;
        let store = Self { pool, is_sqlite };
        store.check("PRAGMA quick_check(1)").await?;
        migrations::migrator().run(&store.pool).await?;
        Ok(store)
    }

    /// Reads every page and every index of a SQLite file (`huitong check`).
    pub async fn check_all(&self) -> Result<(), StoreError> {
        if !self.is_sqlite {
            return Err(StoreError::NotSqlite("the check"));
        }
        self.check("PRAGMA integrity_check(1)").await
    }

    /// A damaged file is found at the start and not in the middle of a meeting.
    async fn check(&self, pragma: &'static str) -> Result<(), StoreError> {
        if !self.is_sqlite {
            return Ok(());
        }
        let said: String = sqlx::query_scalar(pragma).fetch_one(&self.pool).await.map_err(damaged)?;
        if said == "ok" { Ok(()) } else { Err(DAMAGED) }
    }

    /// Writes a whole, consistent copy beside a running server (`huitong backup`). The file must not exist.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        if !self.is_sqlite {
            return Err(StoreError::NotSqlite("the backup"));
        }
        let query = sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy().into_owned());
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Ends all connections; what was acknowledged is on the disk.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

const DAMAGED: StoreError = StoreError::Corrupt("damaged pages; restore a backup");

/// What SQLite says of a file that is broken or none of its own (SQLITE_CORRUPT, SQLITE_NOTADB).
fn damaged(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(said) if matches!(said.code().as_deref(), Some("11" | "26")) => DAMAGED,
        _ => error.into(),
    }
}

/// What was acknowledged survives a power cut.
async fn prepare(connection: &mut AnyConnection, is_sqlite: bool) -> Result<(), sqlx::Error> {
    for pragma in SQLITE_PRAGMAS.iter().filter(|_| is_sqlite) {
        sqlx::query(*pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

fn exists<T>(what: &'static str, result: Result<T, sqlx::Error>) -> Result<(), StoreError> {
    match result {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(StoreError::Exists(what)),
        Err(error) => Err(error.into()),
    }
}

/// A column with an id.
fn id<T: FromStr>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| StoreError::Corrupt("an id that is none"))
}

/// A column with a flag.
fn flag(row: &AnyRow, column: &str) -> Result<bool, StoreError> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

/// A column with a count.
fn count(row: &AnyRow, column: &str) -> Result<u32, StoreError> {
    u32::try_from(row.try_get::<i64, _>(column)?).map_err(|_| StoreError::Corrupt("a count that is none"))
}

/// A column that is empty where there is nothing.
fn maybe(row: &AnyRow, column: &str) -> Result<Option<String>, StoreError> {
    Ok(Some(row.try_get::<String, _>(column)?).filter(|text| !text.is_empty()))
}

fn mode(row: &AnyRow) -> Result<BookingMode, StoreError> {
    let text: String = row.try_get("mode")?;
    let found = BookingMode::ALL.into_iter().find(|mode| mode.as_str() == text);
    found.ok_or(StoreError::Corrupt("a booking mode that is none"))
}
