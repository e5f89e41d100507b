//! What was done by whom, and answers kept for requests that are repeated.

use model::{AccountId, SiteId};
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, count, id, maybe};

/// How long an answer is kept for a repeated request: longer than any client goes on trying.
const ANSWERS_KEPT_MS: i64 = 24 * 3_600_000;

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// For ever; also the order.
    pub id: String,
    /// Where.
    pub site: SiteId,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Who; none is the server itself.
    pub account: Option<AccountId>,
    /// What.
    pub action: String,
    /// To what: kind and id.
    pub object: String,
}

/// The answer to a request that may come again (Idempotency-Key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Of the request: another one under the same key is a mistake.
    pub request_sha256: String,
    /// HTTP's.
    pub status: u16,
    /// JSON.
    pub body: String,
}

impl AuditEntry {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let account = maybe(row, "account_id")?;
        Ok(Self {
            id: row.try_get("id")?,
            site: id(row, "site_id")?,
            at_ms: row.try_get("at_ms")?,
            account: account.map(|_| id(row, "account_id")).transpose()?,
            action: row.try_get("action")?,
            object: row.try_get("object")?,
        })
    }
}

impl Store {
    /// Adds a line.
    pub async fn note(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let text = "INSERT INTO audit (id, site_id, at_ms, account_id, action, object) VALUES ($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(text)
            .bind(&entry.id)
            .bind(entry.site.to_string())
            .bind(entry.at_ms)
            .bind(entry.account.map(|id| id.to_string()).unwrap_or_default())
            .bind(&entry.action)
            .bind(&entry.object);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// A site's log, the newest first; before one line.
    pub async fn audit(&self, site: SiteId, before: Option<&str>, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let text = "SELECT id, site_id, at_ms, account_id, action, object FROM audit WHERE site_id = $1 AND id < $2
             ORDER BY id DESC LIMIT $3";
        // Ids are hexadecimal: this is behind all of them.
        let before = before.unwrap_or("g");
        let query = sqlx::query(text).bind(site.to_string()).bind(before).bind(i64::from(limit));
        query.fetch_all(&self.pool).await?.iter().map(AuditEntry::of).collect()
    }

    /// A key of the server's own: the one that is kept, or else this one, from now on.
    pub async fn secret(&self, name: &str, fresh: &str) -> Result<String, StoreError> {
        let text = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        sqlx::query(text).bind(name).bind(fresh).execute(&self.pool).await?;
        let row = sqlx::query("SELECT value FROM secrets WHERE name = $1").bind(name).fetch_one(&self.pool).await?;
        Ok(row.try_get("value")?)
    }

    /// The answer that was given under a key.
    pub async fn answer(&self, account: AccountId, key: &str) -> Result<Option<Answer>, StoreError> {
        let text = "SELECT request_sha256, status, body FROM idempotency WHERE account_id = $1 AND key = $2";
        let row = sqlx::query(text).bind(account.to_string()).bind(key).fetch_optional(&self.pool).await?;
        let answer = |row: &AnyRow| {
            Ok(Answer {
                request_sha256: row.try_get("request_sha256")?,
                status: u16::try_from(count(row, "status")?)
                    .map_err(|_| StoreError::Corrupt("a status that is none"))?,
                body: row.try_get("body")?,
            })
        };
        row.as_ref().map(answer).transpose()
    }

    /// Keeps an answer; the first one under a key stays. Forgets old ones.
    pub async fn keep_answer(
        &self,
        account: AccountId,
        key: &str,
        answer: &Answer,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let old = sqlx::query("DELETE FROM idempotency WHERE created_ms < $1").bind(now_ms - ANSWERS_KEPT_MS);
        old.execute(&self.pool).await?;
        let text = "INSERT INTO idempotency (account_id, key, request_sha256, status, body, created_ms)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, key) DO NOTHING";
        let query = sqlx::query(text)
            .bind(account.to_string())
            .bind(key)
            .bind(&answer.request_sha256)
            .bind(i64::from(answer.status))
            .bind(&answer.body)
            .bind(now_ms);
        query.execute(&self.pool).await?;
        Ok(())
    }
}
