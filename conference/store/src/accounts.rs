//! Accounts, their sessions, and what was sent to those who forgot their password.

use model::{AccountId, AccountRole, BookingMode, SiteId};
use sqlx::{Any, Executor, Row, any::AnyRow};

use crate::{Store, StoreError, count, exists, flag, id, maybe, mode};

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
    /// What he may.
    pub role: AccountRole,
    /// How he books.
    pub mode: BookingMode,
    /// The most participants of a dedicated account's own room.
    pub capacity: u32,
    /// Where he gets mail.
    pub email: Option<String>,
    /// Where he gets short messages.
    pub mobile: Option<String>,
    /// A `data:` URL.
    pub avatar: Option<String>,
    /// He may not log in.
    pub disabled: bool,
    /// Raised by each change.
    pub version: i64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A forgotten password's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Whose.
    pub account: AccountId,
    /// Milliseconds since 1970, UTC.
    pub expires_ms: i64,
    /// Wrong codes so far.
    pub tries: u32,
}

const COLUMNS: &str = "a.id, a.site_id, a.name, a.display_name, a.password_hash, a.initial_password, a.role, a.mode, \
     a.capacity, a.email, a.mobile, a.avatar, a.disabled, a.version";

impl Account {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let role: String = row.try_get("role")?;
        let role = AccountRole::ALL.into_iter().find(|known| known.as_str() == role);
        Ok(Self {
            id: id(row, "id")?,
            site: id(row, "site_id")?,
            name: row.try_get("name")?,
            display_name: row.try_get("display_name")?,
            password_hash: row.try_get("password_hash")?,
            initial_password: flag(row, "initial_password")?,
            role: role.ok_or(StoreError::Corrupt("a role that is none"))?,
            mode: mode(row)?,
            capacity: count(row, "capacity")?,
            email: maybe(row, "email")?,
            mobile: maybe(row, "mobile")?,
            avatar: maybe(row, "avatar")?,
            disabled: flag(row, "disabled")?,
            version: row.try_get("version")?,
        })
    }
}

impl Store {
    /// Adds an account; its login name must be new on this server.
    pub async fn add_account(&self, account: &Account) -> Result<(), StoreError> {
        insert(account, &self.pool).await
    }

    /// Adds an account for the subject of an OpenID provider.
    pub async fn add_account_of(
        &self,
        account: &Account,
        issuer: &str,
        subject: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        insert(account, &mut *transaction).await?;
        identify(issuer, subject, account.id, now_ms, &mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// From now on this subject of an OpenID provider is this account.
    pub async fn add_identity(
        &self,
        of: AccountId,
        issuer: &str,
        subject: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        identify(issuer, subject, of, now_ms, &self.pool).await
    }

    /// Whose account the subject of an OpenID provider is.
    pub async fn account_by_identity(&self, issuer: &str, subject: &str) -> Result<Option<Account>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM identities i JOIN accounts a ON a.id = i.account_id
             WHERE i.issuer = $1 AND i.subject = $2"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(issuer).bind(subject);
        query.fetch_optional(&self.pool).await?.as_ref().map(Account::of).transpose()
    }

    /// Writes an account anew, all but its login name; false when it has changed since `account.version`.
    pub async fn set_account(&self, account: &Account) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE accounts SET display_name = $3, password_hash = $4, initial_password = $5, role = $6, mode = $7,
               capacity = $8, email = $9, mobile = $10, avatar = $11, disabled = $12, version = version + 1
             WHERE id = $1 AND version = $2",
        )
        .bind(account.id.to_string())
        .bind(account.version)
        .bind(&account.display_name)
        .bind(&account.password_hash)
        .bind(i64::from(account.initial_password))
        .bind(account.role.as_str())
        .bind(account.mode.as_str())
        .bind(i64::from(account.capacity))
        .bind(account.email.as_deref().unwrap_or_default())
        .bind(account.mobile.as_deref().unwrap_or_default())
        .bind(account.avatar.as_deref().unwrap_or_default())
        .bind(i64::from(account.disabled));
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// By id.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.one_account("a.id = $1", id.to_string()).await
    }

    /// What he keys on a telephone to be host of his meetings; none where he never asked for one.
    pub async fn phone_pin(&self, of: AccountId) -> Result<Option<String>, StoreError> {
        let query = sqlx::query("SELECT pin FROM phone_pins WHERE account_id = $1").bind(of.to_string());
        Ok(query.fetch_optional(&self.pool).await?.map(|row| row.try_get("pin")).transpose()?)
    }

    /// Who of a site has this PIN; none where two have, for nobody knows which of them it is.
    pub async fn account_by_phone_pin(&self, site: SiteId, pin: &str) -> Result<Option<Account>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM accounts a JOIN phone_pins p ON p.account_id = a.id
             WHERE a.site_id = $1 AND p.pin = $2 AND a.disabled = 0 LIMIT 2"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(site.to_string()).bind(pin);
        match &query.fetch_all(&self.pool).await?[..] {
            [row] => Ok(Some(Account::of(row)?)),
            _ => Ok(None),
        }
    }

    /// Gives him one; an earlier one is void.
    pub async fn set_phone_pin(&self, of: AccountId, pin: &str) -> Result<(), StoreError> {
        let text = "INSERT INTO phone_pins (account_id, pin) VALUES ($1, $2)
             ON CONFLICT (account_id) DO UPDATE SET pin = excluded.pin";
        sqlx::query(text).bind(of.to_string()).bind(pin).execute(&self.pool).await?;
        Ok(())
    }

    /// By login name, whatever its case.
    pub async fn account_by_name(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.one_account("a.name = $1", name.to_lowercase()).await
    }

    async fn one_account(&self, condition: &str, value: String) -> Result<Option<Account>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM accounts a WHERE {condition}");
        let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(value).fetch_optional(&self.pool).await?;
        row.as_ref().map(Account::of).transpose()
    }

    /// A site's, in order of their making; after one of them.
    pub async fn accounts(
        &self,
        site: SiteId,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Account>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM accounts a WHERE site_id = $1 AND id > $2 ORDER BY id LIMIT $3");
        let query = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(site.to_string())
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(i64::from(limit));
        query.fetch_all(&self.pool).await?.iter().map(Account::of).collect()
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

    /// Whose session it is, if it isn't over and he may still log in.
    pub async fn account_by_session(&self, token_sha256: &str, now_ms: i64) -> Result<Option<Account>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM sessions s JOIN accounts a ON a.id = s.account_id
             WHERE s.token_sha256 = $1 AND s.expires_ms > $2 AND a.disabled = 0"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(token_sha256).bind(now_ms);
        query.fetch_optional(&self.pool).await?.as_ref().map(Account::of).transpose()
    }

    /// Logs out.
    pub async fn remove_session(&self, token_sha256: &str) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE token_sha256 = $1").bind(token_sha256);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Logs an account out everywhere but where `except` is its token (L6).
    pub async fn remove_sessions(&self, of: AccountId, except: &str) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM sessions WHERE account_id = $1 AND token_sha256 <> $2");
        query.bind(of.to_string()).bind(except).execute(&self.pool).await?;
        Ok(())
    }

    /// Remembers a way to a new password; an earlier one of the account is void.
    pub async fn add_reset(&self, token_sha256: &str, reset: &Reset) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let earlier = sqlx::query("DELETE FROM password_resets WHERE account_id = $1");
        earlier.bind(reset.account.to_string()).execute(&mut *transaction).await?;
        let text = "INSERT INTO password_resets (token_sha256, account_id, expires_ms, tries) VALUES ($1, $2, $3, $4)";
        sqlx::query(text)
            .bind(token_sha256)
            .bind(reset.account.to_string())
            .bind(reset.expires_ms)
            .bind(i64::from(reset.tries))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Takes a way to a new password: it works once. Whose it was, if it was one.
    pub async fn take_reset(&self, token_sha256: &str, now_ms: i64) -> Result<Option<AccountId>, StoreError> {
        let text = "DELETE FROM password_resets WHERE token_sha256 = $1 AND expires_ms > $2 RETURNING account_id";
        let row = sqlx::query(text).bind(token_sha256).bind(now_ms).fetch_optional(&self.pool).await?;
        row.as_ref().map(|row| id(row, "account_id")).transpose()
    }

    /// Counts a wrong code; beyond `tries_max` the way is closed.
    pub async fn note_wrong_reset(&self, of: AccountId, tries_max: u32) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let counted = sqlx::query("UPDATE password_resets SET tries = tries + 1 WHERE account_id = $1");
        counted.bind(of.to_string()).execute(&mut *transaction).await?;
        let closed = sqlx::query("DELETE FROM password_resets WHERE account_id = $1 AND tries >= $2");
        closed.bind(of.to_string()).bind(i64::from(tries_max)).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

async fn insert(account: &Account, to: impl Executor<'_, Database = Any>) -> Result<(), StoreError> {
    let query = sqlx::query(
        "INSERT INTO accounts (id, site_id, name, display_name, password_hash, initial_password, role, mode,
           capacity, email, mobile, avatar, disabled)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(account.id.to_string())
    .bind(account.site.to_string())
    .bind(account.name.to_lowercase())
    .bind(&account.display_name)
    .bind(&account.password_hash)
    .bind(i64::from(account.initial_password))
    .bind(account.role.as_str())
    .bind(account.mode.as_str())
    .bind(i64::from(account.capacity))
    .bind(account.email.as_deref().unwrap_or_default())
    .bind(account.mobile.as_deref().unwrap_or_default())
    .bind(account.avatar.as_deref().unwrap_or_default())
    .bind(i64::from(account.disabled));
    exists("account", query.execute(to).await)
}

async fn identify(
    issuer: &str,
    subject: &str,
    account: AccountId,
    now_ms: i64,
    to: impl Executor<'_, Database = Any>,
) -> Result<(), StoreError> {
    let text = "INSERT INTO identities (issuer, subject, account_id, created_ms) VALUES ($1, $2, $3, $4)";
    let query = sqlx::query(text).bind(issuer).bind(subject).bind(account.to_string()).bind(now_ms);
    exists("identity", query.execute(to).await)
}
