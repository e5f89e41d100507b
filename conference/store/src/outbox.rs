//! What is to be sent, and to whom: the outbox, invitations, webhooks.

use model::{MeetingId, SiteId};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, count, exists, id};

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// For ever: receivers know a repeated one by it.
    pub id: String,
    /// `email`, `sms` or `webhook`.
    pub kind: String,
    /// JSON.
    pub message: String,
    /// So far.
    pub attempts: u32,
    /// Milliseconds since 1970, UTC.
    pub created_ms: i64,
}

/// Somebody invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// For ever.
    pub id: String,
    /// To what.
    pub meeting: MeetingId,
    /// `email` or `sms`.
    pub kind: String,
    /// A mail address or a mobile number.
    pub address: String,
    /// `zh` or `en`.
    pub language: String,
    /// Of RFC 5545 §3.8.7.4, last sent.
    pub sequence: i64,
}

/// Who gets events of a site. Its secret doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// For ever.
    pub id: String,
    /// Of which.
    pub site: SiteId,
    /// Where to.
    pub url: String,
    /// Signs what is sent.
    pub secret: String,
    /// Names of events; empty: all.
    pub events: Vec<String>,
    /// Milliseconds since 1970, UTC.
    pub created_ms: i64,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("url", &self.url).finish_non_exhaustive()
    }
}

impl OutboxItem {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            message: row.try_get("message")?,
            attempts: count(row, "attempts")?,
            created_ms: row.try_get("created_ms")?,
        })
    }
}

impl Invitation {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            meeting: id(row, "meeting_id")?,
            kind: row.try_get("kind")?,
            address: row.try_get("address")?,
            language: row.try_get("language")?,
            sequence: row.try_get("sequence")?,
        })
    }
}

impl Webhook {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let events: String = row.try_get("events")?;
        Ok(Self {
            id: row.try_get("id")?,
            site: id(row, "site_id")?,
            url: row.try_get("url")?,
            secret: row.try_get("secret")?,
            events: events.split_whitespace().map(str::to_owned).collect(),
            created_ms: row.try_get("created_ms")?,
        })
    }
}

impl Store {
    /// Puts things into the outbox, all or none.
    pub async fn send(&self, items: &[OutboxItem]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        put(&mut transaction, items).await?;
        Ok(transaction.commit().await?)
    }

    /// Takes what is due, for so long: who takes it and dies leaves it to the next.
    pub async fn take_due(&self, now_ms: i64, lease_ms: i64, limit: u32) -> Result<Vec<OutboxItem>, StoreError> {
        let mut taken = Vec::new();
        let text =
            "SELECT id, kind, message, attempts, created_ms FROM outbox WHERE due_ms <= $1 ORDER BY due_ms LIMIT $2";
        let due = sqlx::query(text).bind(now_ms).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        for row in due {
            let item = OutboxItem::of(&row)?;
            let text = "UPDATE outbox SET due_ms = $3, attempts = attempts + 1 WHERE id = $1 AND due_ms <= $2";
            let mine =
                sqlx::query(text).bind(&item.id).bind(now_ms).bind(now_ms + lease_ms).execute(&self.pool).await?;
            if mine.rows_affected() == 1 {
                taken.push(item);
            }
        }
        Ok(taken)
    }

    /// It was sent, or is given up.
    pub async fn remove_item(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// It was not sent; it is tried again at `due_ms`.
    pub async fn put_off(&self, id: &str, due_ms: i64, error: &str) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE outbox SET due_ms = $2, error = $3 WHERE id = $1");
        query.bind(id).bind(due_ms).bind(error).execute(&self.pool).await?;
        Ok(())
    }

    /// Remembers who was invited.
    pub async fn add_invitation(&self, invitation: &Invitation, now_ms: i64) -> Result<(), StoreError> {
        let text = "INSERT INTO invitations (id, meeting_id, kind, address, language, sequence, created_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let query = sqlx::query(text)
            .bind(&invitation.id)
            .bind(invitation.meeting.to_string())
            .bind(&invitation.kind)
            .bind(&invitation.address)
            .bind(&invitation.language)
            .bind(invitation.sequence)
            .bind(now_ms);
        exists("invitation", query.execute(&self.pool).await)
    }

    /// Who was invited to a meeting, in order.
    pub async fn invitations(&self, to: MeetingId) -> Result<Vec<Invitation>, StoreError> {
        let text = "SELECT id, meeting_id, kind, address, language, sequence FROM invitations WHERE meeting_id = $1
             ORDER BY id LIMIT 1000";
        let rows = sqlx::query(text).bind(to.to_string()).fetch_all(&self.pool).await?;
        rows.iter().map(Invitation::of).collect()
    }

    /// The sequence of an invitation's next message.
    pub async fn next_sequence(&self, id: &str) -> Result<i64, StoreError> {
        let text = "UPDATE invitations SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence";
        Ok(sqlx::query(text).bind(id).fetch_one(&self.pool).await?.try_get("sequence")?)
    }

    /// Adds a webhook.
    pub async fn add_webhook(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let text =
            "INSERT INTO webhooks (id, site_id, url, secret, events, created_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(text)
            .bind(&webhook.id)
            .bind(webhook.site.to_string())
            .bind(&webhook.url)
            .bind(&webhook.secret)
            .bind(webhook.events.join(" "))
            .bind(webhook.created_ms);
        exists("webhook", query.execute(&self.pool).await)
    }

    /// A site's webhooks.
    pub async fn webhooks(&self, site: SiteId) -> Result<Vec<Webhook>, StoreError> {
        let text = "SELECT id, site_id, url, secret, events, created_ms FROM webhooks WHERE site_id = $1 ORDER BY id LIMIT 100";
        let rows = sqlx::query(text).bind(site.to_string()).fetch_all(&self.pool).await?;
        rows.iter().map(Webhook::of).collect()
    }

    /// Removes a webhook of a site.
    pub async fn remove_webhook(&self, site: SiteId, id: &str) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM webhooks WHERE site_id = $1 AND id = $2");
        Ok(query.bind(site.to_string()).bind(id).execute(&self.pool).await?.rows_affected() == 1)
    }
}

/// Within what causes it.
pub(crate) async fn put(transaction: &mut Transaction<'static, Any>, items: &[OutboxItem]) -> Result<(), StoreError> {
    for item in items {
        let text = "INSERT INTO outbox (id, kind, message, attempts, due_ms, created_ms, error)
             VALUES ($1, $2, $3, $4, $5, $6, '')";
        sqlx::query(text)
            .bind(&item.id)
            .bind(&item.kind)
            .bind(&item.message)
            .bind(i64::from(item.attempts))
            .bind(item.created_ms)
            .bind(item.created_ms)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
