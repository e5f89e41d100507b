//! Reminders before a meeting begins (S9).

use std::time::Duration;

use store::StoreError;

use crate::{Conference, now_ms};

/// How long before. As people know it from their calendars.
const AHEAD: Duration = Duration::from_secs(15 * 60);

/// How often it is looked what begins. Nobody minds whether it is fifteen minutes or fourteen and a half.
const LOOK: Duration = Duration::from_secs(20);

/// Meetings reminded of before the next are looked for.
const BATCH: u32 = 50;

impl Conference {
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
                let items = self.reminders(meeting, held.start_ms).await?;
                self.store().remind(&held, &items).await?;
                self.shared.outbox.notify_one();
            }
        }
    }
}
