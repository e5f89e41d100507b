//! Call detail records (P9): written as the gateway and the meetings tell them, read by administrators.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use model::{MeetingId, Object, ParticipantId, Permission, PhoneNumber, SiteId};
use plane::{LegStats, LineFindings};
use sha2::Sha256;
use store::{Call, CallKind, Registration, StoreError};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use uuid::Uuid;

use crate::{Account, AccountRefused, Conference, now_ms, quality, records::gather_more};

/// A call as the gateway tells it, or a browser's stay in a meeting.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// How he came.
    pub kind: CallKind,
    /// The meeting it reached.
    pub meeting: Option<MeetingId>,
    /// Who he was there.
    pub participant: Option<ParticipantId>,
    /// How a browser's participant called himself.
    pub name: String,
    /// We called.
    pub outgoing: bool,
    /// A telephone's number, masked.
    pub number: String,
    /// Of its SIP messages (RFC 3261 §20.8).
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
    pub cause: &'static str,
    /// How his sound came and went, in numbers.
    pub quality: LegStats,
    /// What a telephone's line turned out to be.
    pub line: LineFindings,
}

impl CallRecord {
    /// Why a telephone that was spoken to was not heard.
    fn one_way(&self) -> Option<&'static str> {
        let is_spoken_to = self.kind == CallKind::Phone && self.quality.sent >= ONE_WAY_PACKETS;
        match (self.quality.received, self.line.silent) {
            (0, _) if is_spoken_to && self.quality.dropped_forged >= FORGED_PACKETS => Some("not_decryptable"),
            (0, _) if is_spoken_to => Some("no_packets"),
            (1.., true) => Some("silent"),
            _ => None,
        }
    }
}

/// Who is sent so much and sends nothing is not heard: a second, with a little less for the packets on their way. Fewer would take
/// those for it who hang up at once.
const ONE_WAY_PACKETS: u64 = 45;

/// Who sends so many packets that no key of his opens encrypts with another, or not at all. Fewer may be somebody else's.
const FORGED_PACKETS: u64 = 25;

/// Whose language is asked for, and who wants to know.
pub(crate) type AskedLanguage = (String, oneshot::Sender<Option<String>>);

/// Callers of one question to the database, and how long it is waited for more of them: nobody hears it, and each question is a way to
/// the database's thread and back.
const LANGUAGES_AT_ONCE: usize = 50;
const LANGUAGES_GATHERED: Duration = Duration::from_millis(5);

/// Callers who may wait for it; who comes then is greeted in the first language.
pub(crate) const LANGUAGES_MAX: usize = 4_096;

/// A caller hears nothing meanwhile. Less, and a busy disk has him greeted in another language; more, and he hangs up.
const LANGUAGE_WITHIN: Duration = Duration::from_millis(500);

/// Under this name the key is kept that numbers are hashed with.
const CALLERS_KEY: &str = "callers";

impl Conference {
    /// The language somebody of this number chose last (P1); none of who withholds it, nor where the database takes longer than he
    /// would listen to silence. A tag as of RFC 5646.
    pub async fn caller_language(&self, number: &PhoneNumber) -> Option<String> {
        if number.is_withheld() {
            return None;
        }
        let caller = self.caller_hmac(number).await;
        let caller = caller.inspect_err(|error| tracing::error!(%error, "callers' key can't be read")).ok()?;
        let (answer, answered) = oneshot::channel();
        self.shared.callers.try_send((caller, answer)).ok()?;
        timeout(LANGUAGE_WITHIN, answered).await.ok()?.ok()?
    }

    /// Looks callers' languages up, as many at once as have come meanwhile: alone each would be a way to the database and back.
    pub(crate) async fn keep_looking_up(self, mut asked: mpsc::Receiver<AskedLanguage>) {
        let mut callers = Vec::new();
        let stopping = self.shared.stopping.clone();
        while stopping
            .run_until_cancelled(asked.recv_many(&mut callers, LANGUAGES_AT_ONCE))
            .await
            .is_some_and(|n| n > 0)
        {
            gather_more(&mut asked, &mut callers, LANGUAGES_AT_ONCE, LANGUAGES_GATHERED, &stopping).await;
            let hashes: Vec<&str> = callers.iter().map(|(caller, _)| caller.as_str()).collect();
            let found = self.store().caller_languages(&hashes).await;
            let found = found.inspect_err(|error| tracing::error!(%error, "callers' languages can't be looked up"));
            let found = found.unwrap_or_default();
            for (caller, answer) in callers.drain(..) {
                // Who asked may have gone.
                let _ = answer.send(found.get(&caller).cloned());
            }
        }
    }

    /// Keeps it for his next call.
    pub async fn keep_caller_language(&self, number: &PhoneNumber, language: &str) {
        if number.is_withheld() {
            return;
        }
        let kept = async {
            let caller = self.caller_hmac(number).await?;
            self.store().keep_caller_language(&caller, language, now_ms()).await
        };
        if let Err(error) = kept.await {
            tracing::error!(%error, "a caller's language can't be kept");
        }
    }

    /// Who reads the table learns nobody's number: there are too few of them for a plain hash.
    async fn caller_hmac(&self, number: &PhoneNumber) -> Result<String, StoreError> {
        let read = async || self.store().secret(CALLERS_KEY, &hex::encode(rand::random::<[u8; 32]>())).await;
        let key = self.shared.callers_key.get_or_try_init(read).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("an HMAC takes keys of any length");
        mac.update(number.reveal().as_bytes());
        Ok(hex::encode(mac.finalize().into_bytes()))
    }

    /// Where the house's telephones are, by account, the earliest to expire first.
    pub async fn registrations(&self) -> Result<Vec<(String, Registration)>, StoreError> {
        self.store().registrations(now_ms()).await
    }

    /// Where an account's telephones are now, for after a restart.
    pub async fn keep_registrations(&self, account: &str, places: &[Registration]) -> Result<(), StoreError> {
        self.store().set_registrations(account, places).await
    }

    /// Writes a call down, soon.
    pub async fn record_call(&self, record: CallRecord) {
        self.shared.resources.records.add(record).await;
    }

    /// Writes calls down together. A call that can't be written down has been all the same.
    pub(crate) async fn write_calls(&self, records: Vec<CallRecord>) {
        let mut sites = HashMap::new();
        for meeting in records.iter().filter_map(|record| record.meeting) {
            if let Entry::Vacant(site) = sites.entry(meeting) {
                let known = self.store().meeting(meeting).await.ok().flatten();
                site.insert(known.map(|meeting| meeting.site));
            }
        }
        let written = |record: CallRecord| Call {
            id: Uuid::now_v7().to_string(),
            one_way: record.one_way().map(str::to_owned),
            kind: record.kind,
            participant: record.participant,
            name: record.name,
            site: record.meeting.and_then(|meeting| sites.get(&meeting).copied().flatten()),
            meeting: record.meeting,
            outgoing: record.outgoing,
            number: record.number,
            call_id: record.call_id,
            codec: record.codec,
            started_ms: record.started_ms,
            answered_ms: record.answered_ms,
            ended_ms: record.ended_ms,
            cost: record.cost,
            cause: record.cause.to_owned(),
            received: record.quality.received,
            lost: record.quality.lost,
            sent: record.quality.sent,
            jitter_ms: record.quality.jitter_mean_ms,
            round_trip_ms: record.quality.round_trip_ms,
            mos: quality::mos(&record.quality),
            reported_lost: record.quality.reported.map(|reported| reported.lost),
            reported_jitter_ms: record.quality.reported.map(|reported| reported.jitter_ms),
            reported_mos: quality::reported_mos(&record.quality),
            echo_db: record.line.echo_db.map(f64::from),
        };
        let calls: Vec<Call> = records.into_iter().map(written).collect();
        for why in calls.iter().filter_map(|call| call.one_way.clone()) {
            metrics::counter!("conference_calls_one_way", "why" => why).increment(1);
        }
        if let Err(error) = self.store().add_calls(&calls).await {
            tracing::error!(%error, calls = calls.len(), "calls can't be written down");
        }
    }

    /// Calls into a site's meetings and browsers' stays there, or one kind of them; the newest first.
    pub async fn calls(
        &self,
        by: &Account,
        site: SiteId,
        kind: Option<CallKind>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Call>, AccountRefused> {
        self.site(by, site, Permission::Read).await?;
        Ok(self.store().calls(Some(site), kind, before, limit).await?)
    }

    /// Calls that reached no meeting, for the operator.
    pub async fn stray_calls(
        &self,
        by: &Account,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Call>, AccountRefused> {
        if !by.may(Permission::Read, Object::Sites) {
            return Err(AccountRefused::NotAllowed);
        }
        Ok(self.store().calls(None, None, before, limit).await?)
    }
}
