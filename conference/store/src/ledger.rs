//! Booking: whatever takes of a site's capacity does it here, one after the other, and only if it fits (S4, C14).
//!
//! Each transaction raises the site's `ledger` first. That is a write, so the next one waits for it on either engine;
//! what is read after it is what all before have written.

use model::{Demand, Ledger, MeetingId, NoCapacity, RoomId, SiteId, Span, Taken};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Meeting, Site, Store, StoreError, count, exists, id, maybe};

/// Occurrences end at most so long after they begin: a day, and an hour's early start. It bounds the search.
const SPAN_MS_MAX: i64 = 25 * 3_600_000;

/// Sites looked at together: their rows are small.
const SITES_AT_ONCE: u32 = 100;

/// Why something is not booked.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// There is no room for it.
    #[error(transparent)]
    NoCapacity(#[from] NoCapacity),
    /// Somebody has changed it meanwhile.
    #[error("the meeting has been changed meanwhile")]
    Changed,
    /// It is not there, or is not held then.
    #[error("there is no such meeting then")]
    Missing,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BookError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How one time of a series is to be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub start_ms: i64,
    /// With the early start.
    pub span: Span,
    /// What it needs.
    pub demand: Demand,
    /// Its own topic, where it differs from the series.
    pub title: Option<String>,
    /// JSON: what else was agreed on for it.
    pub own: Option<String>,
}

/// What becomes of a meeting's occurrence that runs while the meeting is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// It stays as it is, as it was extended and enlarged (C14).
    Stays,
    /// From now on it takes what the others take.
    Takes,
    /// It ends then: one that takes nothing of its site.
    Ends(i64),
}

/// One row of the ledger.
struct Booked {
    original_ms: i64,
    site: SiteId,
    taken: Taken,
    /// It was moved, or has something of its own.
    is_changed: bool,
}

/// Of a row: it was moved, or has something of its own. See [`Booked`].
const CHANGED: &str = "start_ms <> original_ms OR own <> ''";

/// What of a meeting's own rows gives way to what is written in their place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GivesWay {
    Nothing,
    All(MeetingId),
    /// All but the times that were changed by themselves.
    Unchanged(MeetingId),
}

impl GivesWay {
    fn includes(self, row: &Booked) -> bool {
        match self {
            Self::Nothing => false,
            Self::All(meeting) => row.taken.meeting == meeting,
            Self::Unchanged(meeting) => row.taken.meeting == meeting && !row.is_changed,
        }
    }
}

fn demand(row: &AnyRow) -> Result<Demand, StoreError> {
    Ok(match (maybe(row, "room_id")?, count(row, "ports")?) {
        (Some(_), _) => Demand::Room(id(row, "room_id")?),
        (None, 0) => Demand::Nothing,
        (None, ports) => Demand::Ports(ports),
    })
}

fn columns(demand: Demand) -> (String, i64) {
    match demand {
        Demand::Nothing => (String::new(), 0),
        Demand::Room(room) => (room.to_string(), 0),
        Demand::Ports(ports) => (String::new(), i64::from(ports)),
    }
}

impl Store {
    /// Writes a meeting and all its times, or nothing. Its number must be new.
    pub async fn book(&self, meeting: &Meeting, demand: Demand, times: &[(i64, Span)]) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let ports = lock(&mut transaction, meeting.site).await?;
        let spans: Vec<Span> = times.iter().map(|(_, span)| *span).collect();
        check(&mut transaction, meeting.site, ports, demand, &spans, GivesWay::Nothing).await?;
        let query = sqlx::query(
            "INSERT INTO meetings (id, owner_id, site_id, number, title, password, capacity, mode, room_id, options,
               zone, recurrence, start_ms, duration_min, early_start_min, personal, created_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        )
        .bind(meeting.id.to_string())
        .bind(meeting.owner.to_string())
        .bind(meeting.site.to_string())
        .bind(i64::from(meeting.number.value()))
        .bind(&meeting.title)
        .bind(meeting.password.as_deref().unwrap_or_default())
        .bind(i64::from(meeting.capacity))
        .bind(meeting.mode.as_str())
        .bind(room_text(meeting.room))
        .bind(&meeting.options)
        .bind(&meeting.zone)
        .bind(meeting.recurrence.as_deref().unwrap_or_default())
        .bind(meeting.start_ms)
        .bind(i64::from(meeting.duration_min))
        .bind(i64::from(meeting.early_start_min))
        .bind(i64::from(meeting.personal))
        .bind(meeting.created_ms);
        exists("meeting", query.execute(&mut *transaction).await)?;
        write(&mut transaction, meeting, demand, times).await?;
        Ok(transaction.commit().await?)
    }

    /// Writes a meeting anew, and its times from `now_ms` on; what has begun stays as [`Running`] says, and where
    /// `keeps_changed`, what was changed by itself. The version must be the one that was read.
    pub async fn rebook(
        &self,
        meeting: &Meeting,
        demand: Demand,
        times: &[(i64, Span)],
        now_ms: i64,
        keeps_changed: bool,
        running_one: Running,
    ) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let ports = lock(&mut transaction, meeting.site).await?;
        let mut kept = if keeps_changed { changed(&mut transaction, meeting.id).await? } else { Vec::new() };
        let runs = match running(&mut transaction, meeting.id, now_ms).await {
            Ok(row) if !kept.contains(&row.original_ms) => Some(row),
            Ok(_) | Err(BookError::Missing) => None,
            Err(error) => return Err(error),
        };
        kept.extend(runs.as_ref().map(|row| row.original_ms));
        let is_written = |start: i64, span: &Span| span.until_ms > now_ms && !kept.contains(&start);
        let all = times.iter().copied();
        let times: Vec<_> = all
            .filter(|(start, span)| is_written(*start, span))
            // One that may be entered from now on was nobody's before.
            .map(|(start, span)| (start, Span { from_ms: span.from_ms.max(now_ms), ..span }))
            .collect();
        let spans: Vec<Span> = times.iter().map(|(_, span)| *span).collect();
        let gives_way = if keeps_changed { GivesWay::Unchanged(meeting.id) } else { GivesWay::All(meeting.id) };
        check(&mut transaction, meeting.site, ports, demand, &spans, gives_way).await?;
        let query = sqlx::query(
            "UPDATE meetings SET title = $3, password = $4, capacity = $5, room_id = $6, options = $7, zone = $8,
               recurrence = $9, start_ms = $10, duration_min = $11, early_start_min = $12, version = version + 1
             WHERE id = $1 AND version = $2 AND deleted_ms = 0",
        )
        .bind(meeting.id.to_string())
        .bind(meeting.version)
        .bind(&meeting.title)
        .bind(meeting.password.as_deref().unwrap_or_default())
        .bind(i64::from(meeting.capacity))
        .bind(room_text(meeting.room))
        .bind(&meeting.options)
        .bind(&meeting.zone)
        .bind(meeting.recurrence.as_deref().unwrap_or_default())
        .bind(meeting.start_ms)
        .bind(i64::from(meeting.duration_min))
        .bind(i64::from(meeting.early_start_min));
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(BookError::Changed);
        }
        let which = if keeps_changed { format!("NOT ({CHANGED})") } else { "1 = 1".to_owned() };
        let text = format!("DELETE FROM occurrences WHERE meeting_id = $1 AND from_ms > $2 AND {which}");
        let gone = sqlx::query(sqlx::AssertSqlSafe(text));
        gone.bind(meeting.id.to_string()).bind(now_ms).execute(&mut *transaction).await?;
        write(&mut transaction, meeting, demand, &times).await?;
        if let Some(row) = runs {
            rewrite(&mut transaction, &row, ports, demand, now_ms, running_one).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Deletes a meeting: it is gone from every list, and what it had taken is free.
    pub async fn delete_meeting(&self, id: MeetingId, now_ms: i64) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let deleted = sqlx::query("UPDATE meetings SET deleted_ms = $2 WHERE id = $1 AND deleted_ms = 0");
        let deleted = deleted.bind(id.to_string()).bind(now_ms).execute(&mut *transaction).await?;
        let free = sqlx::query("DELETE FROM occurrences WHERE meeting_id = $1 AND until_ms > $2");
        free.bind(id.to_string()).bind(now_ms).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected() == 1)
    }

    /// Undoes a deletion while what it had taken is still free.
    pub async fn restore_meeting(
        &self,
        meeting: &Meeting,
        demand: Demand,
        times: &[(i64, Span)],
    ) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let ports = lock(&mut transaction, meeting.site).await?;
        let query = sqlx::query("UPDATE meetings SET deleted_ms = 0 WHERE id = $1 AND deleted_ms > 0");
        if query.bind(meeting.id.to_string()).execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(BookError::Missing);
        }
        let spans: Vec<Span> = times.iter().map(|(_, span)| *span).collect();
        check(&mut transaction, meeting.site, ports, demand, &spans, GivesWay::All(meeting.id)).await?;
        write(&mut transaction, meeting, demand, times).await?;
        Ok(transaction.commit().await?)
    }

    /// Changes one time of a series, or cancels it.
    pub async fn change_occurrence(
        &self,
        meeting: &Meeting,
        original_ms: i64,
        to: Option<&Change>,
    ) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let ports = lock(&mut transaction, meeting.site).await?;
        let row = occurrence(&mut transaction, meeting.id, "original_ms = $2", original_ms).await?;
        match to {
            None => {
                let query = sqlx::query("DELETE FROM occurrences WHERE meeting_id = $1 AND original_ms = $2");
                query.bind(meeting.id.to_string()).bind(original_ms).execute(&mut *transaction).await?;
            }
            Some(change) => {
                check_apart(&mut transaction, &row, ports, change.demand, change.span).await?;
                let (room, ports) = columns(change.demand);
                let query = sqlx::query(
                    "UPDATE occurrences SET start_ms = $3, from_ms = $4, until_ms = $5, room_id = $6, ports = $7,
                       title = $8, own = $9, reminded = CASE WHEN start_ms = $3 THEN reminded ELSE 0 END
                     WHERE meeting_id = $1 AND original_ms = $2",
                )
                .bind(meeting.id.to_string())
                .bind(original_ms)
                .bind(change.start_ms)
                .bind(change.span.from_ms)
                .bind(change.span.until_ms)
                .bind(room)
                .bind(ports)
                .bind(change.title.as_deref().unwrap_or_default())
                .bind(change.own.as_deref().unwrap_or_default());
                query.execute(&mut *transaction).await?;
            }
        }
        let version = sqlx::query("UPDATE meetings SET version = version + 1 WHERE id = $1");
        version.bind(meeting.id.to_string()).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The occurrence that runs at `now_ms` ends at `until_ms` instead: extended (C14), or over before its time.
    pub async fn set_end(&self, meeting: &Meeting, now_ms: i64, until_ms: i64) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let ports = lock(&mut transaction, meeting.site).await?;
        let row = running(&mut transaction, meeting.id, now_ms).await?;
        // What it has had so far is its own, whoever shared the site with a smaller one then.
        let added = Span { from_ms: row.taken.span.until_ms, until_ms };
        if added.until_ms > added.from_ms {
            check_apart(&mut transaction, &row, ports, row.taken.demand, added).await?;
        }
        let query = sqlx::query("UPDATE occurrences SET until_ms = $3 WHERE meeting_id = $1 AND original_ms = $2");
        let query = query.bind(meeting.id.to_string()).bind(row.original_ms).bind(until_ms);
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The occurrence that runs at `now_ms` takes so many ports instead (C14).
    pub async fn set_ports(&self, meeting: &Meeting, now_ms: i64, wanted: u32) -> Result<(), BookError> {
        let mut transaction = self.pool.begin().await?;
        let ports = lock(&mut transaction, meeting.site).await?;
        let row = running(&mut transaction, meeting.id, now_ms).await?;
        let rest = Span { from_ms: now_ms, ..row.taken.span };
        check_apart(&mut transaction, &row, ports, Demand::Ports(wanted), rest).await?;
        let query = sqlx::query("UPDATE occurrences SET ports = $3 WHERE meeting_id = $1 AND original_ms = $2");
        let query = query.bind(meeting.id.to_string()).bind(row.original_ms).bind(i64::from(wanted));
        query.execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The ports of the occurrence that runs at `now_ms`, and the most it could have until it ends (C14).
    pub async fn ports_within_reach(&self, meeting: &Meeting, now_ms: i64) -> Result<(u32, u32), BookError> {
        let mut transaction = self.pool.begin().await?;
        let row = running(&mut transaction, meeting.id, now_ms).await?;
        let Demand::Ports(own) = row.taken.demand else { return Err(BookError::Missing) };
        let site = self.site(meeting.site).await?.ok_or(BookError::Missing)?;
        let rest = Span { from_ms: now_ms, ..row.taken.span };
        let taken = others(&mut transaction, &row, rest).await?;
        Ok((own, Ledger::new(site.ports, &taken).ports_free(rest)))
    }

    /// Sites whose rooms or ports are taken twice from `now_ms` on. There is none, unless the operator has taken ports
    /// away that were booked, or the database was written by others.
    pub async fn oversold(&self, now_ms: i64) -> Result<Vec<(Site, NoCapacity)>, StoreError> {
        let within = Span { from_ms: now_ms, until_ms: i64::MAX };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let sites = self.sites(after, SITES_AT_ONCE).await?;
            let Some(last) = sites.last() else { return Ok(found) };
            after = Some(last.id);
            for site in sites {
                let taken = self.taken(site.id, within).await?;
                if let Some(fault) = Ledger::new(site.ports, &taken).fault() {
                    found.push((site, fault));
                }
            }
        }
    }

    /// What of a site is taken within a time.
    pub async fn taken(&self, site: SiteId, within: Span) -> Result<Vec<Taken>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let rows = select(&mut connection, site, within).await?;
        Ok(rows.into_iter().map(|row| row.taken).collect())
    }
}

/// Waits for whoever books on this site; its ports.
async fn lock(transaction: &mut Transaction<'static, Any>, site: SiteId) -> Result<u32, StoreError> {
    let query = sqlx::query("UPDATE sites SET ledger = ledger + 1 WHERE id = $1 RETURNING ports");
    let row = query.bind(site.to_string()).fetch_optional(&mut **transaction).await?;
    row.as_ref().map_or(Err(StoreError::Corrupt("a meeting of no site")), |row| count(row, "ports"))
}

async fn select(connection: &mut sqlx::AnyConnection, site: SiteId, within: Span) -> Result<Vec<Booked>, StoreError> {
    let text =
        "SELECT meeting_id, original_ms, site_id, start_ms, from_ms, until_ms, room_id, ports, own FROM occurrences
         WHERE site_id = $1 AND until_ms > $2 AND until_ms < $3 AND from_ms < $4";
    let query = sqlx::query(text)
        .bind(site.to_string())
        .bind(within.from_ms)
        .bind(within.until_ms.saturating_add(SPAN_MS_MAX))
        .bind(within.until_ms);
    query.fetch_all(connection).await?.iter().map(of_row).collect()
}

fn of_row(row: &AnyRow) -> Result<Booked, StoreError> {
    let span = Span { from_ms: row.try_get("from_ms")?, until_ms: row.try_get("until_ms")? };
    let taken = Taken { meeting: id(row, "meeting_id")?, span, demand: demand(row)? };
    let original_ms: i64 = row.try_get("original_ms")?;
    let is_changed = row.try_get::<i64, _>("start_ms")? != original_ms || maybe(row, "own")?.is_some();
    Ok(Booked { original_ms, site: id(row, "site_id")?, taken, is_changed })
}

async fn check(
    transaction: &mut Transaction<'static, Any>,
    site: SiteId,
    ports: u32,
    demand: Demand,
    spans: &[Span],
    gives_way: GivesWay,
) -> Result<(), BookError> {
    let (Some(first), Some(last)) = (spans.iter().min(), spans.iter().map(|span| span.until_ms).max()) else {
        return Ok(());
    };
    if demand == Demand::Nothing {
        return Ok(());
    }
    let within = Span { from_ms: first.from_ms, until_ms: last };
    let rows = select(transaction, site, within).await?.into_iter();
    let taken: Vec<Taken> = rows.filter(|row| !gives_way.includes(row)).map(|row| row.taken).collect();
    Ok(Ledger::new(ports, &taken).check(demand, spans)?)
}

/// The times of a meeting that were moved, or have something of their own.
async fn changed(transaction: &mut Transaction<'static, Any>, of: MeetingId) -> Result<Vec<i64>, StoreError> {
    let text = format!("SELECT original_ms FROM occurrences WHERE meeting_id = $1 AND ({CHANGED})");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.to_string()).fetch_all(&mut **transaction).await?;
    rows.iter().map(|row| Ok(row.try_get("original_ms")?)).collect()
}

/// The same for one occurrence that is there already: only it doesn't count, others of its meeting do.
async fn check_apart(
    transaction: &mut Transaction<'static, Any>,
    row: &Booked,
    ports: u32,
    demand: Demand,
    span: Span,
) -> Result<(), BookError> {
    let taken = others(transaction, row, span).await?;
    Ok(Ledger::new(ports, &taken).check(demand, &[span])?)
}

/// What all but this occurrence have taken of its site.
async fn others(connection: &mut sqlx::AnyConnection, than: &Booked, within: Span) -> Result<Vec<Taken>, StoreError> {
    let itself = (than.taken.meeting, than.original_ms);
    let all = select(connection, than.site, within).await?.into_iter();
    Ok(all.filter(|row| (row.taken.meeting, row.original_ms) != itself).map(|row| row.taken).collect())
}

async fn running(transaction: &mut Transaction<'static, Any>, of: MeetingId, now_ms: i64) -> Result<Booked, BookError> {
    occurrence(transaction, of, "from_ms <= $2 AND until_ms > $2", now_ms).await
}

async fn occurrence(
    transaction: &mut Transaction<'static, Any>,
    of: MeetingId,
    condition: &str,
    value: i64,
) -> Result<Booked, BookError> {
    let text = format!(
        "SELECT meeting_id, original_ms, site_id, start_ms, from_ms, until_ms, room_id, ports, own FROM occurrences
         WHERE meeting_id = $1 AND {condition}"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.to_string()).bind(value);
    let row = query.fetch_optional(&mut **transaction).await?.ok_or(BookError::Missing)?;
    Ok(of_row(&row)?)
}

/// Changes the occurrence that runs, where there is room for it until it ends.
async fn rewrite(
    transaction: &mut Transaction<'static, Any>,
    row: &Booked,
    ports: u32,
    demand: Demand,
    now_ms: i64,
    as_said: Running,
) -> Result<(), BookError> {
    let (demand, until_ms) = match as_said {
        Running::Stays => return Ok(()),
        Running::Takes => (demand, row.taken.span.until_ms),
        Running::Ends(until_ms) => (row.taken.demand, until_ms),
    };
    check_apart(transaction, row, ports, demand, Span { from_ms: now_ms, until_ms }).await?;
    let (room, ports) = columns(demand);
    let query = sqlx::query(
        "UPDATE occurrences SET until_ms = $3, room_id = $4, ports = $5 WHERE meeting_id = $1 AND original_ms = $2",
    );
    let query = query.bind(row.taken.meeting.to_string()).bind(row.original_ms).bind(until_ms).bind(room).bind(ports);
    query.execute(&mut **transaction).await?;
    Ok(())
}

async fn write(
    transaction: &mut Transaction<'static, Any>,
    meeting: &Meeting,
    demand: Demand,
    times: &[(i64, Span)],
) -> Result<(), StoreError> {
    let (room, ports) = columns(demand);
    for (start_ms, span) in times {
        let query = sqlx::query(
            "INSERT INTO occurrences (meeting_id, original_ms, owner_id, site_id, start_ms, from_ms, until_ms, room_id, ports)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (meeting_id, original_ms) DO NOTHING",
        )
        .bind(meeting.id.to_string())
        .bind(*start_ms)
        .bind(meeting.owner.to_string())
        .bind(meeting.site.to_string())
        .bind(*start_ms)
        .bind(span.from_ms)
        .bind(span.until_ms)
        .bind(&room)
        .bind(ports);
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

fn room_text(room: Option<RoomId>) -> String {
    room.map(|room| room.to_string()).unwrap_or_default()
}
