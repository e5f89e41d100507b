//! Call detail records (P9): written as the gateway tells them, read by administrators.

use std::collections::{HashMap, hash_map::Entry};

use hmac::{Hmac, KeyInit, Mac};
use model::{MeetingId, Object, Permission, PhoneNumber, SiteId};
use sha2::Sha256;
use store::{Call, StoreError};
use uuid::Uuid;

use crate::{Account, AccountRefused, Conference, now_ms};

/// A call as the gateway tells it.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The meeting it reached.
    pub meeting: Option<MeetingId>,
    /// We called.
    pub outgoing: bool,
    /// The other's number, masked.
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
}

/// Under this name the key is kept that numbers are hashed with.
const CALLERS_KEY: &str = "callers";

impl Conference {
    /// The language somebody of this number chose last (P1); none of who withholds it. A tag as of RFC 5646.
    pub async fn caller_language(&self, number: &PhoneNumber) -> Option<String> {
        let found = async { self.store().caller_language(&self.caller_hmac(number).await?).await };
        match found.await {
            Ok(language) if !number.is_withheld() => language,
            Ok(_) => None,
            Err(error) => {
                tracing::error!(%error, "a caller's language can't be looked up");
                None
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
        let fresh = hex::encode(rand::random::<[u8; 32]>());
        let key = self.store().secret(CALLERS_KEY, &fresh).await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("an HMAC takes keys of any length");
        mac.update(number.reveal().as_bytes());
        Ok(hex::encode(mac.finalize().into_bytes()))
    }

    /// Writes calls down together. A call that can't be written down has been all the same.
    pub async fn record_calls(&self, records: Vec<CallRecord>) {
        let mut sites = HashMap::new();
        for meeting in records.iter().filter_map(|record| record.meeting) {
            if let Entry::Vacant(site) = sites.entry(meeting) {
                let known = self.store().meeting(meeting).await.ok().flatten();
                site.insert(known.map(|meeting| meeting.site));
            }
        }
        let written = |record: CallRecord| Call {
            id: Uuid::now_v7().to_string(),
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
            received: record.received,
            lost: record.lost,
            sent: record.sent,
            jitter_ms: record.jitter_ms,
            round_trip_ms: record.round_trip_ms,
            mos: record.mos,
        };
        let calls: Vec<Call> = records.into_iter().map(written).collect();
        if let Err(error) = self.store().add_calls(&calls).await {
            tracing::error!(%error, calls = calls.len(), "calls can't be written down");
        }
    }

    /// Calls into a site's meetings, the newest first.
    pub async fn calls(
        &self,
        by: &Account,
        site: SiteId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Call>, AccountRefused> {
        self.site(by, site, Permission::Read).await?;
        Ok(self.store().calls(Some(site), before, limit).await?)
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
        Ok(self.store().calls(None, before, limit).await?)
    }
}
