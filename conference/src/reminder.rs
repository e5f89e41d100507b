//! Reminders before a meeting begins (S9): by mail, and on the screens of who is logged in.

use std::time::Duration;

use model::Span;
use store::StoreError;

use crate::{Account, Conference, MeetingInfo, now_ms, occurrence::as_held};

/// How long before. As people know it from their calendars.
const AHEAD: Duration = Duration::from_secs(15 * 60);

/// How often it is looked what begins. Nobody minds whether it is fifteen minutes or fourteen and a half.
const LOOK: Duration = Duration::from_secs(20);

/// How long after the start a screen still shows what begins: for who comes back to his desk a little late.
const LATE: Duration = Duration::from_secs(5 * 60);

/// Meetings reminded of before the next are looked for.
const BATCH: u32 = 50;

/// A meeting that begins soon, or has just begun.
#[derive(Debug, Clone)]
pub struct Reminder {
    /// Which.
    pub meeting: MeetingInfo,
    /// When it begins, milliseconds since 1970, UTC.
    pub start_ms: i64,
    /// Until then; negative once it has begun.
    pub starts_in_ms: i64,
    /// Who booked it.
    pub host: String,
    /// He himself booked it.
    pub own: bool,
}

impl Conference {
    /// What somebody is to be reminded of now. His mail address is his own word: it opens him no meeting, so what he was
    /// invited to comes without its password.
    pub async fn reminders_of(&self, account: &Account) -> Result<Vec<Reminder>, StoreError> {
        let (now_ms, ahead_ms) = (now_ms(), AHEAD.as_millis() as i64);
        let begins = Span { from_ms: now_ms - LATE.as_millis() as i64, until_ms: now_ms + ahead_ms };
        let email = account.email.as_deref().unwrap_or_default();
        let mut reminders = Vec::new();
        for (meeting, held) in self.store().reminders_for(account.id, account.site_id, email, begins, ahead_ms).await? {
            let own = meeting.owner == account.id;
            let host = match own {
                true => account.display_name.clone(),
                false => self.host_name(meeting.owner).await?,
            };
            let mut meeting = self.info(as_held(meeting, &held));
            if !own {
                meeting.password = None;
            }
            let start_ms = held.start_ms;
            reminders.push(Reminder { meeting, start_ms, starts_in_ms: start_ms - now_ms, host, own });
        }
        Ok(reminders)
    }

    /// Reminds people until the server stops.
    pub(crate) async fn keep_reminding(self) {
        let stopping = self.shared.stopping.clone();
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = looks.tick() => {}
            }
            if let Err(error) = self.remind_all().await {
                tracing::error!(%error, "nobody can be reminded");
            }
        }
    }

    async fn remind_all(&self) -> Result<(), StoreError> {
        loop {
            let due = self.store().due_reminders(now_ms(), AHEAD.as_millis() as i64, BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            for (meeting, held) in due {
                let items = self.reminders(as_held(meeting, &held), held.start_ms).await?;
                self.store().remind(&held, &items).await?;
                self.shared.outbox.notify_one();
            }
        }
    }
}
