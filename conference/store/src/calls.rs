//! Call detail records (P9).

use std::collections::HashMap;

use model::{MeetingId, ParticipantId, SiteId};
use sqlx::{AssertSqlSafe, Row, any::AnyRow};

use crate::{Store, StoreError, id, maybe};

/// How somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// By a telephone or a room system.
    Phone,
    /// By a browser.
    Web,
}

impl CallKind {
    /// In the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Web => "web",
        }
    }
}

/// One call, from INVITE to its end; or one stay of a browser in a meeting.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// UUIDv7.
    pub id: String,
    /// How he came.
    pub kind: CallKind,
    /// Who it was in the meeting, where it reached one.
    pub participant: Option<ParticipantId>,
    /// How a browser's participant called himself; empty of telephones, which have numbers.
    pub name: String,
    /// The site of the meeting it reached.
    pub site: Option<SiteId>,
    /// The meeting it reached.
    pub meeting: Option<MeetingId>,
    /// We called.
    pub outgoing: bool,
    /// The other's number, masked; empty of browsers.
    pub number: String,
    /// Of its SIP messages (RFC 3261 §20.8); empty of browsers.
    pub call_id: String,
    /// What was spoken in.
    pub codec: String,
    /// Milliseconds since 1970, UTC.
    pub started_ms: i64,
    /// Milliseconds since 1970, UTC; none where nobody took it.
    pub answered_ms: Option<i64>,
    /// Milliseconds since 1970, UTC.
    pub ended_ms: i64,
    /// Thousandths of the currency prices are written in.
    pub cost: i64,
    /// Why it ended, as in the metric `gateway_calls_ended`.
    pub cause: String,
    /// RTP packets that came.
    pub received: u64,
    /// Those that should have come besides.
    pub lost: u64,
    /// RTP packets that went.
    pub sent: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter_ms: f64,
    /// By RTCP, where the other end told.
    pub round_trip_ms: Option<f64>,
    /// Mean opinion score (ITU-T G.107), where there was sound.
    pub mos: Option<f64>,
    /// By how many decibels a telephone gave back what it was sent, softer; none where no echo was found or looked for.
    pub echo_db: Option<f64>,
    /// Why a telephone that was spoken to was not heard: `no_packets`, `not_decryptable` or `silent`; none where it was.
    pub one_way: Option<String>,
    /// RTP packets that went and did not come, as a telephone told by RTCP; none where it tells nothing.
    pub reported_lost: Option<u64>,
    /// Interarrival jitter of those that came, as it told.
    pub reported_jitter_ms: Option<f64>,
    /// Mean opinion score of what it heard by that.
    pub reported_mos: Option<f64>,
}

impl Call {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let site = maybe(row, "site_id")?.map(|_| id(row, "site_id")).transpose()?;
        let meeting = maybe(row, "meeting_id")?.map(|_| id(row, "meeting_id")).transpose()?;
        let packets = |column: &str| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
        Ok(Self {
            id: row.try_get("id")?,
            kind: if row.try_get::<String, _>("kind")? == "web" { CallKind::Web } else { CallKind::Phone },
            participant: maybe(row, "participant_id")?.map(|_| id(row, "participant_id")).transpose()?,
            name: row.try_get("name")?,
            site,
            meeting,
            outgoing: row.try_get::<String, _>("direction")? == "out",
            number: row.try_get("number")?,
            call_id: row.try_get("call_id")?,
            codec: row.try_get("codec")?,
            started_ms: row.try_get("started_ms")?,
            answered_ms: Some(row.try_get("answered_ms")?).filter(|ms| *ms > 0),
            ended_ms: row.try_get("ended_ms")?,
            cost: row.try_get("cost")?,
            cause: row.try_get("cause")?,
            received: packets("received")?,
            lost: packets("lost")?,
            sent: packets("sent")?,
            jitter_ms: row.try_get("jitter_ms")?,
            round_trip_ms: Some(row.try_get::<f64, _>("round_trip_ms")?).filter(|ms| *ms >= 0.0),
            mos: Some(row.try_get::<f64, _>("mos")?).filter(|mos| *mos > 0.0),
            echo_db: Some(row.try_get::<f64, _>("echo_db")?).filter(|db| *db >= 0.0),
            one_way: maybe(row, "one_way")?,
            reported_lost: u64::try_from(row.try_get::<i64, _>("reported_lost")?).ok(),
            reported_jitter_ms: Some(row.try_get::<f64, _>("reported_jitter_ms")?).filter(|ms| *ms >= 0.0),
            reported_mos: Some(row.try_get::<f64, _>("reported_mos")?).filter(|mos| *mos > 0.0),
        })
    }
}

/// A caller who hasn't called for so long is forgotten.
const LANGUAGE_AGE_MS: i64 = 366 * 24 * 3_600_000;

/// Callers of one statement: of few sizes, so that the statements stay prepared; each place costs something, whoever it is for.
const LOOKED_UP: [usize; 4] = [1, 4, 16, 50];

impl Store {
    /// The languages callers chose last; `callers` are hashes of their numbers, and whoever never chose is not among the answers.
    pub async fn caller_languages(&self, callers: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let mut found = HashMap::new();
        let most = LOOKED_UP[LOOKED_UP.len() - 1];
        for callers in callers.chunks(most) {
            let size = LOOKED_UP.into_iter().find(|size| callers.len() <= *size).unwrap_or(most);
            let places: Vec<String> = (1..=size).map(|place| format!("${place}")).collect();
            let text = format!(
                "SELECT caller_hmac, language FROM caller_languages WHERE caller_hmac IN ({})",
                places.join(", ")
            );
            // Nobody's hash is empty.
            let padded = callers.iter().copied().chain(std::iter::repeat("")).take(size);
            let query = padded.fold(sqlx::query(AssertSqlSafe(text)), |query, caller| query.bind(caller));
            for row in query.fetch_all(&self.pool).await? {
                found.insert(row.try_get("caller_hmac")?, row.try_get("language")?);
            }
        }
        Ok(found)
    }

    /// Keeps it. Callers of long ago are forgotten.
    pub async fn keep_caller_language(&self, caller: &str, language: &str, now_ms: i64) -> Result<(), StoreError> {
        let text = "DELETE FROM caller_languages WHERE chosen_ms < $1";
        sqlx::query(text).bind(now_ms - LANGUAGE_AGE_MS).execute(&self.pool).await?;
        let text = "INSERT INTO caller_languages (caller_hmac, language, chosen_ms) VALUES ($1, $2, $3)
             ON CONFLICT (caller_hmac) DO UPDATE SET language = excluded.language, chosen_ms = excluded.chosen_ms";
        sqlx::query(text).bind(caller).bind(language).bind(now_ms).execute(&self.pool).await?;
        Ok(())
    }

    /// Writes calls down, all or none.
    pub async fn add_calls(&self, calls: &[Call]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        for calls in calls.chunks(ROWS) {
            // Of two sizes, so that the statements stay prepared.
            let size = if calls.len() == ROWS { ROWS } else { 1 };
            let text = insert(size, self.is_sqlite);
            for calls in calls.chunks(size) {
                let query = calls.iter().fold(sqlx::query(AssertSqlSafe(text.clone())), bind);
                query.execute(&mut *transaction).await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// By id.
    pub async fn call(&self, id: &str) -> Result<Option<Call>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM calls WHERE id = $1");
        sqlx::query(AssertSqlSafe(text)).bind(id).fetch_optional(&self.pool).await?.as_ref().map(Call::of).transpose()
    }

    /// Calls of a site, or those that reached none, of one kind or of both; the newest first, before one of them.
    pub async fn calls(
        &self,
        site: Option<SiteId>,
        kind: Option<CallKind>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Call>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM calls
             WHERE site_id = $1 AND id < $2 AND ($3 = '' OR kind = $4) ORDER BY id DESC LIMIT $5"
        );
        let kind = kind.map(CallKind::name).unwrap_or_default();
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(site.map(|site| site.to_string()).unwrap_or_default())
            .bind(before.unwrap_or("~"))
            .bind(kind)
            .bind(kind)
            .bind(i64::from(limit));
        query.fetch_all(&self.pool).await?.iter().map(Call::of).collect()
    }
}

/// Calls of one statement: each statement is a way to the database's thread and back.
const ROWS: usize = 32;

/// In the order of [`bind`].
const COLUMNS: &str =
    "id, site_id, meeting_id, direction, number, call_id, codec, started_ms, ended_ms, cause, received, lost, sent,
  jitter_ms, round_trip_ms, mos, answered_ms, cost, kind, participant_id, name, echo_db, one_way,
  reported_lost, reported_jitter_ms, reported_mos";

/// How many they are.
const FIELDS: usize = 26;

/// PostgreSQL wants parameters numbered. SQLite looks through the names of all of a statement's for each of them, and a number is a name.
fn insert(rows: usize, is_sqlite: bool) -> String {
    let place = |number: usize| if is_sqlite { "?".to_owned() } else { format!("${number}") };
    let row = |row: usize| {
        let places: Vec<String> = (1..=FIELDS).map(|field| place(row * FIELDS + field)).collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("INSERT INTO calls ({COLUMNS}) VALUES {}", rows.join(", "))
}

type Insert<'a> = sqlx::query::Query<'a, sqlx::Any, sqlx::any::AnyArguments>;

fn bind<'a>(query: Insert<'a>, call: &'a Call) -> Insert<'a> {
    let packets = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    query
        .bind(&call.id)
        .bind(call.site.map(|site| site.to_string()).unwrap_or_default())
        .bind(call.meeting.map(|meeting| meeting.to_string()).unwrap_or_default())
        .bind(if call.outgoing { "out" } else { "in" })
        .bind(&call.number)
        .bind(&call.call_id)
        .bind(&call.codec)
        .bind(call.started_ms)
        .bind(call.ended_ms)
        .bind(&call.cause)
        .bind(packets(call.received))
        .bind(packets(call.lost))
        .bind(packets(call.sent))
        .bind(call.jitter_ms)
        .bind(call.round_trip_ms.unwrap_or(-1.0))
        .bind(call.mos.unwrap_or(0.0))
        .bind(call.answered_ms.unwrap_or(0))
        .bind(call.cost)
        .bind(call.kind.name())
        .bind(call.participant.map(|participant| participant.to_string()).unwrap_or_default())
        .bind(&call.name)
        .bind(call.echo_db.unwrap_or(-1.0))
        .bind(call.one_way.as_deref().unwrap_or_default())
        .bind(call.reported_lost.map_or(-1, packets))
        .bind(call.reported_jitter_ms.unwrap_or(-1.0))
        .bind(call.reported_mos.unwrap_or(0.0))
}
