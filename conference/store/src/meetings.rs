//! Booked meetings and when they are held, to be read. They are written by the ledger.

use model::{AccountId, BookingMode, MeetingId, MeetingNumber, RoomId, SiteId, Span};
use sqlx::{Row, any::AnyRow};

use crate::{OutboxItem, Store, StoreError, count, flag, id, maybe, mode, outbox};

/// A meeting that was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// For ever.
    pub id: MeetingId,
    /// Who booked it.
    pub owner: AccountId,
    /// His site.
    pub site: SiteId,
    /// What people key in.
    pub number: MeetingNumber,
    /// The topic.
    pub title: String,
    /// Digits, where there is one.
    pub password: Option<String>,
    /// The most participants at once.
    pub capacity: u32,
    /// As the owner's was when he booked.
    pub mode: BookingMode,
    /// The shared room.
    pub room: Option<RoomId>,
    /// JSON.
    pub options: String,
    /// IANA.
    pub zone: String,
    /// The value of an RRULE property.
    pub recurrence: Option<String>,
    /// The first time, milliseconds since 1970, UTC.
    pub start_ms: i64,
    /// In minutes.
    pub duration_min: u32,
    /// In minutes.
    pub early_start_min: u32,
    /// The one that has a dedicated account's personal number (PMI).
    pub personal: bool,
    /// Milliseconds since 1970, UTC.
    pub created_ms: i64,
    /// Raised by each change.
    pub version: i64,
}

/// One time a meeting is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Which.
    pub meeting: MeetingId,
    /// Names it.
    pub original_ms: i64,
    /// When.
    pub start_ms: i64,
    /// With the early start and with extensions.
    pub span: Span,
    /// Its own topic, where it differs from the series.
    pub title: Option<String>,
    /// JSON: what else was agreed on for it.
    pub own: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// What isn't over, the next first.
    Upcoming,
    /// What is over, the last first.
    Past,
}

/// A piece of a list.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    /// Which part.
    pub period: Period,
    /// A part of the topic, or the digits of the number.
    pub search: &'a str,
    /// After this start and meeting.
    pub after: Option<(i64, MeetingId)>,
    /// So many.
    pub limit: u32,
}

/// Reminders a screen has room for.
const REMINDERS_MAX: u32 = 20;

const COLUMNS: &str = "m.id, m.owner_id, m.site_id, m.number, m.title, m.password, m.capacity, m.mode, m.room_id, \
     m.options, m.zone, m.recurrence, m.start_ms, m.duration_min, m.early_start_min, m.personal, m.created_ms, m.version";

/// Beside [`COLUMNS`]: both tables have a start and a title.
const TIME_COLUMNS: &str = "o.meeting_id, o.original_ms, o.start_ms AS occurs_ms, o.from_ms, o.until_ms, \
     o.title AS own_title, o.own";

impl Meeting {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let number = u32::try_from(row.try_get::<i64, _>("number")?).ok().and_then(|n| MeetingNumber::new(n).ok());
        let room = maybe(row, "room_id")?;
        Ok(Self {
            id: id(row, "id")?,
            owner: id(row, "owner_id")?,
            site: id(row, "site_id")?,
            number: number.ok_or(StoreError::Corrupt("a meeting number that is none"))?,
            title: row.try_get("title")?,
            password: maybe(row, "password")?,
            capacity: count(row, "capacity")?,
            mode: mode(row)?,
            room: room.map(|_| id(row, "room_id")).transpose()?,
            options: row.try_get("options")?,
            zone: row.try_get("zone")?,
            recurrence: maybe(row, "recurrence")?,
            start_ms: row.try_get("start_ms")?,
            duration_min: count(row, "duration_min")?,
            early_start_min: count(row, "early_start_min")?,
            personal: flag(row, "personal")?,
            created_ms: row.try_get("created_ms")?,
            version: row.try_get("version")?,
        })
    }
}

impl Occurrence {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            meeting: id(row, "meeting_id")?,
            original_ms: row.try_get("original_ms")?,
            start_ms: row.try_get("occurs_ms")?,
            span: Span { from_ms: row.try_get("from_ms")?, until_ms: row.try_get("until_ms")? },
            title: maybe(row, "own_title")?,
            own: maybe(row, "own")?,
        })
    }
}

impl Store {
    /// By id, if it was not deleted.
    pub async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM meetings m WHERE m.id = $1 AND m.deleted_ms = 0");
        let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.to_string()).fetch_optional(&self.pool).await?;
        row.as_ref().map(Meeting::of).transpose()
    }

    /// By what people key in, if it was not deleted.
    pub async fn meeting_by_number(&self, number: MeetingNumber) -> Result<Option<Meeting>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM meetings m WHERE m.number = $1 AND m.deleted_ms = 0");
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(i64::from(number.value()));
        query.fetch_optional(&self.pool).await?.as_ref().map(Meeting::of).transpose()
    }

    /// A dedicated account's own, if it has one.
    pub async fn personal_meeting(&self, owner: AccountId) -> Result<Option<Meeting>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM meetings m WHERE m.owner_id = $1 AND m.personal = 1 AND m.deleted_ms = 0
             ORDER BY m.created_ms LIMIT 1"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(owner.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(Meeting::of).transpose()
    }

    /// When a meeting is held, in order.
    pub async fn occurrences(&self, of: MeetingId) -> Result<Vec<Occurrence>, StoreError> {
        let text = format!("SELECT {TIME_COLUMNS} FROM occurrences o WHERE o.meeting_id = $1 ORDER BY o.start_ms");
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.to_string()).fetch_all(&self.pool).await?;
        rows.iter().map(Occurrence::of).collect()
    }

    /// The ports that were booked for the time a meeting is held at `now_ms`, with what it was enlarged by; none where it
    /// takes no ports, or isn't held then.
    pub async fn ports_at(&self, of: MeetingId, now_ms: i64) -> Result<Option<u32>, StoreError> {
        let text =
            "SELECT ports FROM occurrences WHERE meeting_id = $1 AND from_ms <= $2 AND until_ms > $2 AND ports > 0";
        let row = sqlx::query(text).bind(of.to_string()).bind(now_ms).fetch_optional(&self.pool).await?;
        row.as_ref().map(|row| count(row, "ports")).transpose()
    }

    /// What begins within `ahead_ms` and nobody was reminded of (S9). Who booked later than that knows.
    pub async fn due_reminders(
        &self,
        now_ms: i64,
        ahead_ms: i64,
        limit: u32,
    ) -> Result<Vec<(Meeting, Occurrence)>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS}, {TIME_COLUMNS}
             FROM occurrences o JOIN meetings m ON m.id = o.meeting_id
             WHERE o.reminded = 0 AND o.start_ms > $1 AND o.start_ms <= $2 AND m.deleted_ms = 0
               AND m.created_ms <= o.start_ms - $3
             ORDER BY o.start_ms LIMIT $4"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text));
        let query = query.bind(now_ms).bind(now_ms + ahead_ms).bind(ahead_ms).bind(i64::from(limit));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((Meeting::of(row)?, Occurrence::of(row)?))).collect()
    }

    /// Puts the reminders of one time into the outbox, unless somebody has: then nothing happens.
    pub async fn remind(&self, of: &Occurrence, items: &[OutboxItem]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let text = "UPDATE occurrences SET reminded = 1 WHERE meeting_id = $1 AND original_ms = $2 AND reminded = 0";
        let query = sqlx::query(text).bind(of.meeting.to_string()).bind(of.original_ms);
        if query.execute(&mut *transaction).await?.rows_affected() == 1 {
            outbox::put(&mut transaction, items).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// A piece of an account's list (S6).
    pub async fn meetings_of(
        &self,
        owner: AccountId,
        now_ms: i64,
        page: &Page<'_>,
    ) -> Result<Vec<(Meeting, Occurrence)>, StoreError> {
        let (is_in, order, is_after) = match page.period {
            Period::Upcoming => ("o.until_ms > $2", "ASC", ">"),
            Period::Past => ("o.until_ms <= $2", "DESC", "<"),
        };
        let text = format!(
            "SELECT {COLUMNS}, {TIME_COLUMNS}
             FROM occurrences o JOIN meetings m ON m.id = o.meeting_id
             WHERE o.owner_id = $1 AND {is_in} AND m.deleted_ms = 0
               AND (LOWER(CASE WHEN o.title = '' THEN m.title ELSE o.title END) LIKE $3 ESCAPE '!'
                 OR CAST(m.number AS TEXT) LIKE $4 ESCAPE '!')
               AND (o.start_ms {is_after} $5 OR (o.start_ms = $5 AND o.meeting_id {is_after} $6))
             ORDER BY o.start_ms {order}, o.meeting_id {order} LIMIT $7"
        );
        let first = match page.period {
            Period::Upcoming => (i64::MIN, String::new()),
            Period::Past => (i64::MAX, String::new()),
        };
        let (after_ms, after_id) = page.after.map_or(first, |(ms, id)| (ms, id.to_string()));
        let query = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(owner.to_string())
            .bind(now_ms)
            .bind(format!("%{}%", escaped(&page.search.to_lowercase())))
            .bind(format!("%{}%", escaped(&page.search.replace([' ', '-'], ""))))
            .bind(after_ms)
            .bind(after_id)
            .bind(i64::from(page.limit));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((Meeting::of(row)?, Occurrence::of(row)?))).collect()
    }

    /// What an account is reminded of on its screen (S9): its own meetings, unless they were booked less than `ahead_ms`
    /// before, and those of its site that `email` was invited to. `begins` is when they start, its end included.
    pub async fn reminders_for(
        &self,
        account: AccountId,
        site: SiteId,
        email: &str,
        begins: Span,
        ahead_ms: i64,
    ) -> Result<Vec<(Meeting, Occurrence)>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS}, {TIME_COLUMNS}
             FROM occurrences o JOIN meetings m ON m.id = o.meeting_id
             WHERE o.start_ms > $1 AND o.start_ms <= $2 AND m.deleted_ms = 0
               AND ((m.owner_id = $3 AND m.created_ms <= o.start_ms - $4)
                 OR (m.owner_id <> $3 AND m.site_id = $5 AND EXISTS (
                   SELECT 1 FROM invitations i
                   WHERE i.meeting_id = m.id AND i.kind = 'email' AND LOWER(i.address) = LOWER($6))))
             ORDER BY o.start_ms, o.meeting_id LIMIT {REMINDERS_MAX}"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(begins.from_ms).bind(begins.until_ms);
        let query = query.bind(account.to_string()).bind(ahead_ms).bind(site.to_string()).bind(email);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((Meeting::of(row)?, Occurrence::of(row)?))).collect()
    }
}

/// For LIKE with `!` as its escape.
fn escaped(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
