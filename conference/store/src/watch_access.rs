//! Who may watch a meeting's livestream.

use model::{MeetingId, WatchAccess};
use sqlx::Row;

use crate::{Store, StoreError, maybe};

/// What its host has set.
#[derive(Clone, PartialEq, Eq)]
pub struct WatchSettings {
    /// Who.
    pub access: WatchAccess,
    /// For [`WatchAccess::Password`].
    pub password: Option<String>,
    /// Signs links and passes.
    pub signing_key: String,
}

impl std::fmt::Debug for WatchSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchSettings").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Store {
    /// None where nobody has set anything: it is public.
    pub async fn watch_settings(&self, of: MeetingId) -> Result<Option<WatchSettings>, StoreError> {
        let text = "SELECT access, password, signing_key FROM watch_access WHERE meeting_id = $1";
        let Some(row) = sqlx::query(text).bind(of.to_string()).fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let access: String = row.try_get("access")?;
        let access = access.parse().map_err(|_| StoreError::Corrupt("a kind of access that is none"))?;
        Ok(Some(WatchSettings { access, password: maybe(&row, "password")?, signing_key: row.try_get("signing_key")? }))
    }

    /// Unless there are some already.
    pub async fn add_watch_settings(&self, of: MeetingId, settings: &WatchSettings) -> Result<(), StoreError> {
        let text = "INSERT INTO watch_access (meeting_id, access, password, signing_key) VALUES ($1, $2, $3, $4)
             ON CONFLICT (meeting_id) DO NOTHING";
        let query = sqlx::query(text).bind(of.to_string()).bind(settings.access.as_str());
        let query = query.bind(settings.password.clone().unwrap_or_default()).bind(&settings.signing_key);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Writes them anew.
    pub async fn set_watch_settings(&self, of: MeetingId, settings: &WatchSettings) -> Result<(), StoreError> {
        let text = "INSERT INTO watch_access (meeting_id, access, password, signing_key) VALUES ($1, $2, $3, $4)
             ON CONFLICT (meeting_id) DO UPDATE SET
               access = excluded.access, password = excluded.password, signing_key = excluded.signing_key";
        let query = sqlx::query(text).bind(of.to_string()).bind(settings.access.as_str());
        let query = query.bind(settings.password.clone().unwrap_or_default()).bind(&settings.signing_key);
        query.execute(&self.pool).await?;
        Ok(())
    }
}
