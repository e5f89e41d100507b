//! Sites' own prompts (P3): handed in by their administrators, heard by their callers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::{MeetingId, Permission, SiteId};
use sipconf::{Language, Prompt, SitePrompts, UploadError};
use store::SitePrompt;

use crate::{Account, AccountRefused, Conference, now_ms};

/// How long a site's prompts are taken for what they were: another server may have been handed others.
const FRESH: Duration = Duration::from_secs(60);

/// What is known of sites' prompts; none where a site has none.
#[derive(Default)]
pub(crate) struct PromptSlot(Mutex<HashMap<SiteId, Known>>);

#[derive(Clone)]
struct Known {
    at: Instant,
    prompts: Option<Arc<SitePrompts>>,
}

/// One prompt, as a site has it.
#[derive(Debug, Clone)]
pub struct PromptInfo {
    /// Of which language.
    pub language: Language,
    /// Which.
    pub prompt: Prompt,
    /// When the site handed its own in, milliseconds since 1970; none where the product's is said.
    pub changed_ms: Option<i64>,
}

/// Why a prompt is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PromptRefused {
    /// Who may not.
    #[error(transparent)]
    Account(#[from] AccountRefused),
    /// The file.
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl Conference {
    /// What callers of a site hear in the place of the product's prompts; none where nothing.
    pub async fn site_prompts(&self, site: SiteId) -> Option<Arc<SitePrompts>> {
        let slot = &self.shared.prompts;
        let known = slot.0.lock().unwrap_or_else(PoisonError::into_inner).get(&site).cloned();
        if let Some(known) = known.filter(|known| known.at.elapsed() < FRESH) {
            return known.prompts;
        }
        let rows = self.store().site_prompts(site).await;
        let rows = rows.inspect_err(|error| tracing::error!(%error, "a site's prompts can't be read")).ok()?;
        let files = rows.iter().filter_map(|row| {
            let (language, prompt) = (Language::from_tag(&row.language)?, Prompt::from_key(&row.prompt)?);
            Some((language, prompt, row.sound.as_slice()))
        });
        let prompts = Some(SitePrompts::new(files)).filter(|prompts| !prompts.is_empty()).map(Arc::new);
        let known = Known { at: Instant::now(), prompts: prompts.clone() };
        slot.0.lock().unwrap_or_else(PoisonError::into_inner).insert(site, known);
        prompts
    }

    /// The same for a site by its name, as the configuration has it.
    pub async fn site_prompts_by_name(&self, name: &str) -> Option<Arc<SitePrompts>> {
        let site = self.store().site_by_name(name).await.ok()??;
        self.site_prompts(site.id).await
    }

    /// The same for the site of a meeting.
    pub async fn meeting_prompts(&self, meeting: MeetingId) -> Option<Arc<SitePrompts>> {
        let meeting = self.store().meeting(meeting).await.ok()??;
        self.site_prompts(meeting.site).await
    }

    /// All prompts, and which of them are a site's own.
    pub async fn prompts(&self, by: &Account, site: SiteId) -> Result<Vec<PromptInfo>, AccountRefused> {
        self.site(by, site, Permission::Read).await?;
        let own = self.store().site_prompts(site).await?;
        let info = |language: Language, prompt: Prompt| {
            let found = own.iter().find(|row| row.language == language.tag() && row.prompt == prompt.key());
            PromptInfo { language, prompt, changed_ms: found.map(|row| row.changed_ms) }
        };
        let all =
            Language::ALL.into_iter().flat_map(|language| Prompt::ALL.iter().map(move |prompt| (language, *prompt)));
        Ok(all.map(|(language, prompt)| info(language, prompt)).collect())
    }

    /// How a prompt sounds on a site, as an Ogg Opus file.
    pub async fn prompt_file(
        &self,
        by: &Account,
        site: SiteId,
        language: Language,
        prompt: Prompt,
    ) -> Result<Vec<u8>, AccountRefused> {
        self.site(by, site, Permission::Read).await?;
        let own = self.store().site_prompts(site).await?;
        let found = own.into_iter().find(|row| row.language == language.tag() && row.prompt == prompt.key());
        Ok(found.map_or_else(|| prompt.file(language).to_vec(), |row| row.sound))
    }

    /// Takes a file as a site's own prompt.
    pub async fn set_prompt(
        &self,
        by: &Account,
        site: SiteId,
        language: Language,
        prompt: Prompt,
        file: Vec<u8>,
    ) -> Result<PromptInfo, PromptRefused> {
        self.site(by, site, Permission::Write).await?;
        let taken = tokio::task::spawn_blocking(move || sipconf::take_prompt(&file)).await;
        let taken = taken.map_err(|_| AccountRefused::Failed)??;
        let changed_ms = now_ms();
        let row = SitePrompt {
            language: language.tag().to_owned(),
            prompt: prompt.key().to_owned(),
            sound: taken.file,
            changed_ms,
        };
        self.store().set_site_prompt(site, &row).await.map_err(AccountRefused::from)?;
        self.prompt_changed(by, site, language, prompt, "prompt.set").await;
        Ok(PromptInfo { language, prompt, changed_ms: Some(changed_ms) })
    }

    /// The product's is said again.
    pub async fn remove_prompt(
        &self,
        by: &Account,
        site: SiteId,
        language: Language,
        prompt: Prompt,
    ) -> Result<(), AccountRefused> {
        self.site(by, site, Permission::Write).await?;
        self.store().remove_site_prompt(site, language.tag(), prompt.key()).await?;
        self.prompt_changed(by, site, language, prompt, "prompt.remove").await;
        Ok(())
    }

    async fn prompt_changed(&self, by: &Account, site: SiteId, language: Language, prompt: Prompt, action: &str) {
        self.shared.prompts.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&site);
        self.note(site, Some(by.id), action, &format!("prompt/{}/{}", language.tag(), prompt.key())).await;
    }
}
