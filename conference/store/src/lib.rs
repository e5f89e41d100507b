//! What outlives the server: accounts, sessions, meetings. The only crate that knows SQL.
//!
//! One SQL text serves SQLite (the default) and PostgreSQL; migrations run at [`Store::open`]. Rows are written by
//! `conference`, never by an edge or an engine.

mod rows;

use std::str::FromStr;

use model::{AccountId, MeetingId, MeetingNumber, SiteId};
use sqlx::{
    AnyPool,
    any::{AnyConnectOptions, AnyPoolOptions},
};

pub use rows::{Account, Meeting, Site};

/// Connections. SQLite writes one at a time whatever there is; more readers than cores gain nothing.
const CONNECTIONS_MAX: u32 = 8;

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
}

/// The database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
}

impl Store {
    /// Connects and brings the schema up to date. `url` is `sqlite://file?mode=rwc` or `postgres://…`.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyConnectOptions::from_str(url).map_err(StoreError::Address)?;
        let is_sqlite = url.starts_with("sqlite:");
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    // What was acknowledged survives a power cut.
                    for pragma in SQLITE_PRAGMAS.iter().filter(|_| is_sqlite) {
                        sqlx::query(*pragma).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        if is_sqlite {
            check(&pool).await?;
        }
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Ends all connections; what was acknowledged is on the disk.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Adds a site.
    pub async fn add_site(&self, site: &Site) -> Result<(), StoreError> {
        let query = sqlx::query("INSERT INTO sites (id, name) VALUES ($1, $2)");
        let result = query.bind(site.id.to_string()).bind(&site.name).execute(&self.pool).await;
        exists("site", result)
    }

    /// Adds an account; its login name must be new on this server.
    pub async fn add_account(&self, account: &Account) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO accounts (id, site_id, name, display_name, password_hash, initial_password)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(account.id.to_string())
        .bind(account.site.to_string())
        .bind(account.name.to_lowercase())
        .bind(&account.display_name)
        .bind(&account.password_hash)
        .bind(i64::from(account.initial_password));
        exists("account", query.execute(&self.pool).await)
    }

    /// By login name, whatever its case.
    pub async fn account_by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let query = sqlx::query(rows::ACCOUNT_BY_NAME).bind(name.to_lowercase());
        query.fetch_optional(&self.pool).await?.as_ref().map(rows::account).transpose()
    }

    /// By id.
    pub async fn site(&self, id: SiteId) -> Result<Option<Site>, StoreError> {
        let query = sqlx::query("SELECT id, name FROM sites WHERE id = $1").bind(id.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(rows::site).transpose()
    }

    /// Remembers a login until `expires_ms`, and forgets those that are over.
    pub async fn add_session(
        &self,
        token_sha256: &str,
        account: AccountId,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE expires_ms <= $1").bind(now_ms).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO sessions (token_sha256, account_id, expires_ms) VALUES ($1, $2, $3)")
            .bind(token_sha256)
            .bind(account.to_string())
            .bind(expires_ms)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Whose session it is, if it isn't over.
    pub async fn account_by_session(&self, token_sha256: &str, now_ms: i64) -> Result<Option<Account>, StoreError> {
        let query = sqlx::query(rows::ACCOUNT_BY_SESSION).bind(token_sha256).bind(now_ms);
        query.fetch_optional(&self.pool).await?.as_ref().map(rows::account).transpose()
    }

    /// Logs out.
    pub async fn remove_session(&self, token_sha256: &str) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE token_sha256 = $1").bind(token_sha256);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Adds a meeting; its number must be new on this server.
    pub async fn add_meeting(&self, meeting: &Meeting) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO meetings (id, owner_id, number, title, password, capacity, created_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(meeting.id.to_string())
        .bind(meeting.owner.to_string())
        .bind(rows::number(meeting.number))
        .bind(&meeting.title)
        .bind(meeting.password.as_deref().unwrap_or_default())
        .bind(i64::from(meeting.capacity))
        .bind(meeting.created_ms);
        exists("meeting", query.execute(&self.pool).await)
    }

    /// By id.
    pub async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        let query = sqlx::query(rows::MEETING_BY_ID).bind(id.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(rows::meeting).transpose()
    }

    /// By what people key in.
    pub async fn meeting_by_number(&self, number: MeetingNumber) -> Result<Option<Meeting>, StoreError> {
        let query = sqlx::query(rows::MEETING_BY_NUMBER).bind(rows::number(number));
        query.fetch_optional(&self.pool).await?.as_ref().map(rows::meeting).transpose()
    }

    /// The newest hundred of one account, newest first.
    pub async fn meetings_of(&self, owner: AccountId) -> Result<Vec<Meeting>, StoreError> {
        let query = sqlx::query(rows::MEETINGS_OF).bind(owner.to_string());
        query.fetch_all(&self.pool).await?.iter().map(rows::meeting).collect()
    }
}

/// A damaged file is found at the start and not in the middle of a meeting.
async fn check(pool: &AnyPool) -> Result<(), StoreError> {
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(pool).await?;
    if said == "ok" { Ok(()) } else { Err(StoreError::Corrupt("damaged pages; restore a backup")) }
}

fn exists<T>(what: &'static str, result: Result<T, sqlx::Error>) -> Result<(), StoreError> {
    match result {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(StoreError::Exists(what)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    async fn open(folder: &tempfile::TempDir) -> Store {
        Store::open(&format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display())).await.unwrap()
    }

    fn account(n: u128, name: &str) -> Account {
        Account {
            id: AccountId::from_u128(n),
            site: SiteId::from_u128(1),
            name: name.to_owned(),
            display_name: "李雷".to_owned(),
            password_hash: "$argon2id$…".to_owned(),
            initial_password: true,
        }
    }

    fn meeting(n: u128, number: &str) -> Meeting {
        Meeting {
            id: MeetingId::new(Uuid::from_u128(n)),
            owner: AccountId::from_u128(2),
            number: number.parse().unwrap(),
            title: "周会".to_owned(),
            password: Some("123456".to_owned()),
            capacity: 100,
            created_ms: n as i64,
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        store.add_site(&Site { id: SiteId::from_u128(1), name: "演示".to_owned() }).await.unwrap();
        store.add_account(&account(2, "Host")).await.unwrap();
        store.add_meeting(&meeting(3, "100000001")).await.unwrap();
        store.add_meeting(&Meeting { password: None, ..meeting(4, "100000002") }).await.unwrap();
        store.close().await;

        let store = open(&folder).await;
        let found = store.account_by_name("HOST").await.unwrap().unwrap();
        assert_eq!((found.id, found.name.as_str()), (AccountId::from_u128(2), "host"));
        assert_eq!(store.meeting_by_number("100000001".parse().unwrap()).await.unwrap(), Some(meeting(3, "100000001")));
        let titles: Vec<_> = store.meetings_of(found.id).await.unwrap().into_iter().map(|m| m.password).collect();
        assert_eq!(titles, [None, Some("123456".to_owned())]);
        assert_eq!(store.meeting(MeetingId::from_u128(9)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn names_and_numbers_are_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        store.add_site(&Site { id: SiteId::from_u128(1), name: "演示".to_owned() }).await.unwrap();
        store.add_account(&account(2, "host")).await.unwrap();
        assert!(matches!(store.add_account(&account(3, "HOST")).await, Err(StoreError::Exists("account"))));
        store.add_meeting(&meeting(3, "100000001")).await.unwrap();
        assert!(matches!(store.add_meeting(&meeting(4, "100000001")).await, Err(StoreError::Exists("meeting"))));
    }

    #[tokio::test]
    async fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        store.add_site(&Site { id: SiteId::from_u128(1), name: "演示".to_owned() }).await.unwrap();
        store.close().await;
        let path = folder.path().join("test.db");
        let mut bytes = std::fs::read(&path).unwrap();
        // All pages but the first two, which hold the schema.
        bytes[2 * 4096..].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
        let url = format!("sqlite://{}?mode=rwc", path.display());
        assert!(Store::open(&url).await.is_err());
    }

    #[tokio::test]
    async fn a_database_of_another_kind_is_refused() {
        let refused = Store::open("mysql://nowhere").await;
        assert!(matches!(refused, Err(StoreError::Address(_) | StoreError::Database(_))));
    }

    // product: L7
    #[tokio::test]
    async fn a_session_ends_by_logout_and_by_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        store.add_site(&Site { id: SiteId::from_u128(1), name: "演示".to_owned() }).await.unwrap();
        store.add_account(&account(2, "host")).await.unwrap();
        for token in ["a", "b"] {
            store.add_session(token, AccountId::from_u128(2), 0, 1_000).await.unwrap();
        }
        assert!(store.account_by_session("a", 999).await.unwrap().is_some());
        assert!(store.account_by_session("a", 1_000).await.unwrap().is_none());
        store.remove_session("b").await.unwrap();
        assert!(store.account_by_session("b", 0).await.unwrap().is_none());
    }
}
