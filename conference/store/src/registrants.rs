//! Who has registered for a webinar.

use model::MeetingId;
use sqlx::{Row, any::AnyRow};
use uuid::Uuid;

use crate::{Store, StoreError};

/// Two words of a viewer's page further apart than this are of two visits, in milliseconds.
const VISIT_GAP_MS: i64 = 90_000;

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrantState {
    /// The owner hasn't said.
    Waiting,
    /// May watch.
    Approved,
    /// May not.
    Denied,
}

impl RegistrantState {
    const ALL: [Self; 3] = [Self::Waiting, Self::Approved, Self::Denied];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }
}

/// Somebody who wants to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registrant {
    pub id: Uuid,
    pub meeting: MeetingId,
    /// Once for each meeting.
    pub email: String,
    pub name: String,
    /// May be empty.
    pub organisation: String,
    /// `zh` or `en`.
    pub language: String,
    pub state: RegistrantState,
    /// Milliseconds since 1970, UTC, as the next two.
    pub created_ms: i64,
    /// When his page was first there while it was live.
    pub first_ms: Option<i64>,
    /// And when it was there last.
    pub last_ms: Option<i64>,
    /// How long it was there.
    pub watched_ms: i64,
}

const COLUMNS: &str =
    "id, meeting_id, email, name, organisation, language, state, created_ms, first_ms, last_ms, watched_ms";

impl Registrant {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let id = |column: &str| -> Result<Uuid, StoreError> {
            let text: String = row.try_get(column)?;
            text.parse().map_err(|_| StoreError::Corrupt("an id that is none"))
        };
        let time = |column: &str| -> Result<Option<i64>, StoreError> {
            let ms: i64 = row.try_get(column)?;
            Ok(Some(ms).filter(|ms| *ms > 0))
        };
        let state: String = row.try_get("state")?;
        let state = RegistrantState::ALL.into_iter().find(|known| known.as_str() == state);
        Ok(Self {
            id: id("id")?,
            meeting: MeetingId::new(id("meeting_id")?),
            email: row.try_get("email")?,
            name: row.try_get("name")?,
            organisation: row.try_get("organisation")?,
            language: row.try_get("language")?,
            state: state.ok_or(StoreError::Corrupt("a state that is none"))?,
            created_ms: row.try_get("created_ms")?,
            first_ms: time("first_ms")?,
            last_ms: time("last_ms")?,
            watched_ms: row.try_get("watched_ms")?,
        })
    }
}

impl Store {
    /// False where that address is known there already.
    pub async fn add_registrant(&self, one: &Registrant) -> Result<bool, StoreError> {
        let text = "INSERT INTO registrants (id, meeting_id, email, name, organisation, language, state, created_ms,
               first_ms, last_ms, watched_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0) ON CONFLICT (meeting_id, email) DO NOTHING";
        let query = sqlx::query(text).bind(one.id.to_string()).bind(one.meeting.to_string()).bind(&one.email);
        let query = query.bind(&one.name).bind(&one.organisation).bind(&one.language).bind(one.state.as_str());
        Ok(query.bind(one.created_ms).execute(&self.pool).await?.rows_affected() == 1)
    }

    /// Of a meeting, in order of coming.
    pub async fn registrants(&self, of: MeetingId) -> Result<Vec<Registrant>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM registrants WHERE meeting_id = $1 ORDER BY created_ms, id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.to_string()).fetch_all(&self.pool).await?;
        rows.iter().map(Registrant::of).collect()
    }

    /// How many there are of a meeting.
    pub async fn registrant_count(&self, of: MeetingId) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS count FROM registrants WHERE meeting_id = $1");
        Ok(query.bind(of.to_string()).fetch_one(&self.pool).await?.try_get("count")?)
    }

    /// One of a meeting.
    pub async fn registrant(&self, of: MeetingId, id: Uuid) -> Result<Option<Registrant>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM registrants WHERE meeting_id = $1 AND id = $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.to_string()).bind(id.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(Registrant::of).transpose()
    }

    /// The one with that address.
    pub async fn registrant_by_email(&self, of: MeetingId, email: &str) -> Result<Option<Registrant>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM registrants WHERE meeting_id = $1 AND email = $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.to_string()).bind(email);
        query.fetch_optional(&self.pool).await?.as_ref().map(Registrant::of).transpose()
    }

    /// The owner's word.
    pub async fn set_registrant_state(
        &self,
        of: MeetingId,
        id: Uuid,
        state: RegistrantState,
    ) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE registrants SET state = $3 WHERE meeting_id = $1 AND id = $2");
        query.bind(of.to_string()).bind(id.to_string()).bind(state.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// His page is there. Between two words of one visit it was there all the time.
    pub async fn note_watching(&self, one: &Registrant, now_ms: i64) -> Result<(), StoreError> {
        let gap_ms = one.last_ms.map_or(i64::MAX, |last_ms| now_ms.saturating_sub(last_ms));
        let more_ms = if gap_ms <= VISIT_GAP_MS { gap_ms.max(0) } else { 0 };
        let text = "UPDATE registrants SET first_ms = $2, last_ms = $3, watched_ms = watched_ms + $4
             WHERE id = $1";
        sqlx::query(text)
            .bind(one.id.to_string())
            .bind(one.first_ms.unwrap_or(now_ms))
            .bind(now_ms)
            .bind(more_ms)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
