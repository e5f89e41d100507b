//! What is shared in meetings (C20): drawings of their whiteboards, bookmarks of accounts.

use model::{AccountId, MeetingId};
use sqlx::Row;

use crate::{Store, StoreError};

/// A page somebody shares often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// UUIDv7.
    pub id: String,
    /// As its owner calls it.
    pub name: String,
    /// `http://` or `https://`.
    pub url: String,
}

impl Store {
    /// All drawings of a meeting's whiteboard with their numbers, the oldest first.
    pub async fn drawings(&self, meeting: MeetingId) -> Result<Vec<(u64, String)>, StoreError> {
        let text = "SELECT number, drawing FROM drawings WHERE meeting_id = $1 ORDER BY number";
        let rows = sqlx::query(text).bind(meeting.to_string()).fetch_all(&self.pool).await?;
        let drawing = |row: &sqlx::any::AnyRow| {
            let number = u64::try_from(row.try_get::<i64, _>("number")?);
            let number = number.map_err(|_| StoreError::Corrupt("a drawing's number that is none"))?;
            Ok((number, row.try_get("drawing")?))
        };
        rows.iter().map(drawing).collect()
    }

    /// Adds drawings; those up to `replaced` go in the same moment.
    pub async fn add_drawings(
        &self,
        meeting: MeetingId,
        replaced: u64,
        drawings: &[(u64, String)],
    ) -> Result<(), StoreError> {
        let as_i64 = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut transaction = self.pool.begin().await?;
        if replaced > 0 {
            let query = sqlx::query("DELETE FROM drawings WHERE meeting_id = $1 AND number <= $2");
            query.bind(meeting.to_string()).bind(as_i64(replaced)).execute(&mut *transaction).await?;
        }
        for (number, drawing) in drawings {
            let query = sqlx::query("INSERT INTO drawings (meeting_id, number, drawing) VALUES ($1, $2, $3)");
            let query = query.bind(meeting.to_string()).bind(as_i64(*number)).bind(drawing);
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Somebody's bookmarks, the oldest first.
    pub async fn bookmarks(&self, account: AccountId) -> Result<Vec<Bookmark>, StoreError> {
        let text = "SELECT id, name, url FROM bookmarks WHERE account_id = $1 ORDER BY id";
        let rows = sqlx::query(text).bind(account.to_string()).fetch_all(&self.pool).await?;
        let bookmark = |row: &sqlx::any::AnyRow| {
            Ok(Bookmark { id: row.try_get("id")?, name: row.try_get("name")?, url: row.try_get("url")? })
        };
        rows.iter().map(bookmark).collect()
    }

    /// Adds one unless there are `most` already; whether it was added.
    pub async fn add_bookmark(&self, account: AccountId, new: &Bookmark, most: u32) -> Result<bool, StoreError> {
        let text = "INSERT INTO bookmarks (id, account_id, name, url) SELECT $1, $2, $3, $4 \
             WHERE (SELECT COUNT(*) FROM bookmarks WHERE account_id = $2) < $5";
        let query = sqlx::query(text).bind(&new.id).bind(account.to_string()).bind(&new.name).bind(&new.url);
        Ok(query.bind(i64::from(most)).execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Removes one; whether there was one.
    pub async fn remove_bookmark(&self, account: AccountId, id: &str) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM bookmarks WHERE account_id = $1 AND id = $2");
        Ok(query.bind(account.to_string()).bind(id).execute(&self.pool).await?.rows_affected() == 1)
    }
}
