//! Sites' own prompts.

use model::SiteId;
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError};

/// One prompt of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePrompt {
    /// A tag as of RFC 5646.
    pub language: String,
    /// Its name.
    pub prompt: String,
    /// Ogg Opus.
    pub sound: Vec<u8>,
    /// Milliseconds since 1970, UTC.
    pub changed_ms: i64,
}

impl SitePrompt {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let sound: String = row.try_get("sound")?;
        Ok(Self {
            language: row.try_get("language")?,
            prompt: row.try_get("prompt")?,
            sound: hex::decode(sound).map_err(|_| StoreError::Corrupt("a prompt that is none"))?,
            changed_ms: row.try_get("changed_ms")?,
        })
    }
}

impl Store {
    /// All of a site.
    pub async fn site_prompts(&self, site: SiteId) -> Result<Vec<SitePrompt>, StoreError> {
        let text = "SELECT language, prompt, sound, changed_ms FROM site_prompts WHERE site_id = $1
             ORDER BY language, prompt";
        let rows = sqlx::query(text).bind(site.to_string()).fetch_all(&self.pool).await?;
        rows.iter().map(SitePrompt::of).collect()
    }

    /// One of them, in the place of what was there.
    pub async fn set_site_prompt(&self, site: SiteId, prompt: &SitePrompt) -> Result<(), StoreError> {
        let text = "INSERT INTO site_prompts (site_id, language, prompt, sound, changed_ms) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (site_id, language, prompt) DO UPDATE SET sound = excluded.sound,
               changed_ms = excluded.changed_ms";
        let query = sqlx::query(text)
            .bind(site.to_string())
            .bind(&prompt.language)
            .bind(&prompt.prompt)
            .bind(hex::encode(&prompt.sound))
            .bind(prompt.changed_ms);
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// The product's is said again.
    pub async fn remove_site_prompt(&self, site: SiteId, language: &str, prompt: &str) -> Result<(), StoreError> {
        let text = "DELETE FROM site_prompts WHERE site_id = $1 AND language = $2 AND prompt = $3";
        sqlx::query(text).bind(site.to_string()).bind(language).bind(prompt).execute(&self.pool).await?;
        Ok(())
    }
}
