//! What sites may spend on calling telephones, and what they have.

use model::{Bill, CallingPolicy, SiteId};
use sqlx::Row;

use crate::{Store, StoreError, count, flag};

impl Store {
    /// A site's own; none where the server's defaults hold.
    pub async fn calling_policy(&self, site: SiteId) -> Result<Option<CallingPolicy>, StoreError> {
        let text = "SELECT allowed, calls_max, minutes_per_day, budget_per_day, same_number_per_hour, prefixes
             FROM calling_policies WHERE site_id = $1";
        let row = sqlx::query(text).bind(site.to_string()).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let prefixes: String = row.try_get("prefixes")?;
        Ok(Some(CallingPolicy {
            allowed: flag(&row, "allowed")?,
            calls_max: count(&row, "calls_max")?,
            minutes_per_day: count(&row, "minutes_per_day")?,
            budget_per_day: Some(row.try_get("budget_per_day")?).filter(|budget| *budget >= 0),
            same_number_per_hour: count(&row, "same_number_per_hour")?,
            prefixes: prefixes.split_whitespace().map(str::to_owned).collect(),
        }))
    }

    /// Writes it anew.
    pub async fn set_calling_policy(&self, site: SiteId, policy: &CallingPolicy) -> Result<(), StoreError> {
        let text = "INSERT INTO calling_policies
               (site_id, allowed, calls_max, minutes_per_day, budget_per_day, same_number_per_hour, prefixes)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (site_id) DO UPDATE SET allowed = excluded.allowed, calls_max = excluded.calls_max,
               minutes_per_day = excluded.minutes_per_day, budget_per_day = excluded.budget_per_day,
               same_number_per_hour = excluded.same_number_per_hour, prefixes = excluded.prefixes";
        let query = sqlx::query(text)
            .bind(site.to_string())
            .bind(i64::from(policy.allowed))
            .bind(i64::from(policy.calls_max))
            .bind(i64::from(policy.minutes_per_day))
            .bind(policy.budget_per_day.unwrap_or(-1))
            .bind(i64::from(policy.same_number_per_hour))
            .bind(policy.prefixes.join(" "));
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// What a site's calls out since then came to, and when each ended.
    pub async fn bills(&self, site: SiteId, since_ms: i64) -> Result<Vec<(i64, Bill)>, StoreError> {
        let text = "SELECT answered_ms, ended_ms, cost FROM calls
             WHERE site_id = $1 AND direction = 'out' AND ended_ms > $2 AND answered_ms > 0 ORDER BY ended_ms";
        let query = sqlx::query(text).bind(site.to_string()).bind(since_ms);
        let bill = |row: &sqlx::any::AnyRow| {
            let (answered_ms, ended_ms): (i64, i64) = (row.try_get("answered_ms")?, row.try_get("ended_ms")?);
            let bill = Bill { seconds: (ended_ms - answered_ms) / 1_000 + 1, cost: row.try_get("cost")? };
            Ok((ended_ms, bill))
        };
        query.fetch_all(&self.pool).await?.iter().map(bill).collect()
    }
}
