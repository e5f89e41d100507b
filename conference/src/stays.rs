//! Browsers' stays in a meeting, for their records (P9). Telephones' are the gateway's to tell: a call is more than its stay.

use std::collections::BTreeMap;

use model::{EndReason, MeetingId, ParticipantId};
use plane::{LegStats, LineFindings};
use store::CallKind;

use crate::{CallRecord, now_ms};

/// Who is there by a browser.
#[derive(Debug, Default)]
pub(crate) struct Stays(BTreeMap<ParticipantId, Stay>);

#[derive(Debug)]
struct Stay {
    name: String,
    begun_ms: i64,
}

impl Stays {
    /// He sits down; or again, after he had lost his network.
    pub(crate) fn begin(&mut self, participant: ParticipantId, name: &str) {
        let stay = self.0.entry(participant).or_insert_with(|| Stay { name: String::new(), begun_ms: now_ms() });
        name.clone_into(&mut stay.name);
    }

    /// He has left; what is to be written down, but for how he sounded. None of who was not there by a browser.
    pub(crate) fn end(
        &mut self,
        participant: ParticipantId,
        meeting: MeetingId,
        reason: EndReason,
    ) -> Option<CallRecord> {
        let Stay { name, begun_ms } = self.0.remove(&participant)?;
        Some(CallRecord {
            kind: CallKind::Web,
            meeting: Some(meeting),
            participant: Some(participant),
            name,
            outgoing: false,
            number: String::new(),
            call_id: String::new(),
            codec: "opus".to_owned(),
            started_ms: begun_ms,
            answered_ms: Some(begun_ms),
            ended_ms: now_ms(),
            cost: 0,
            cause: cause(reason),
            quality: LegStats::default(),
            line: LineFindings::default(),
        })
    }
}

/// Where telephones end for the same reason, in the same words.
fn cause(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Removed => "removed",
        EndReason::MeetingEnded | EndReason::TimeUp => "meeting_ended",
        EndReason::Left => "left",
        EndReason::Replaced => "replaced",
        EndReason::ServerStopping => "server_stopping",
        EndReason::TooSlow => "too_slow",
    }
}
