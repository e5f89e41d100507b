//! What encoders come into meetings by.

use model::MeetingId;
use sqlx::Row;

use crate::{Store, StoreError};

/// A meeting's token, without itself.
#[derive(Clone, PartialEq, Eq)]
pub struct EncoderToken {
    /// As the others in the meeting see the encoder.
    pub name: String,
    /// Hexadecimal.
    pub token_sha256: String,
    /// Since 1970, UTC.
    pub created_ms: i64,
}

impl std::fmt::Debug for EncoderToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncoderToken").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Store {
    /// Of a meeting that has one.
    pub async fn encoder_token(&self, of: MeetingId) -> Result<Option<EncoderToken>, StoreError> {
        let text = "SELECT name, token_sha256, created_ms FROM encoder_tokens WHERE meeting_id = $1";
        let Some(row) = sqlx::query(text).bind(of.to_string()).fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let (name, token_sha256, created_ms) =
            (row.try_get("name")?, row.try_get("token_sha256")?, row.try_get("created_ms")?);
        Ok(Some(EncoderToken { name, token_sha256, created_ms }))
    }

    /// Takes the place of an earlier one.
    pub async fn set_encoder_token(&self, of: MeetingId, token: &EncoderToken) -> Result<(), StoreError> {
        let text = "INSERT INTO encoder_tokens (meeting_id, name, token_sha256, created_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (meeting_id) DO UPDATE SET
               name = excluded.name, token_sha256 = excluded.token_sha256, created_ms = excluded.created_ms";
        let query = sqlx::query(text).bind(of.to_string()).bind(&token.name).bind(&token.token_sha256);
        query.bind(token.created_ms).execute(&self.pool).await?;
        Ok(())
    }

    /// False where there was none.
    pub async fn remove_encoder_token(&self, of: MeetingId) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM encoder_tokens WHERE meeting_id = $1").bind(of.to_string());
        Ok(query.execute(&self.pool).await?.rows_affected() > 0)
    }
}
