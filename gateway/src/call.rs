//! One call from INVITE to BYE: answer, menu, meeting, last words, one line in the log.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use conference::CallRecord;
use model::{MeetingId, PhoneNumber};
use plane::LegStats;
use sip::{Incoming, sdp};
use sipconf::Language;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    House,
    end_cause::EndCause,
    in_meeting::in_meeting,
    ivr,
    line::{Keys, Line, Sayings, reachable, settings},
    quality,
    switchboard::{Order, Orders, Signal},
};

/// The longest a caller is spoken to after his call is over.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// The same while the server stops: all are told at once, and it must be gone in five seconds.
const LAST_WORDS_STOPPING: Duration = Duration::from_millis(2_500);

#[tracing::instrument(name = "call", skip_all, fields(call_id = %incoming.call_id))]
pub(crate) async fn run(incoming: Incoming, house: Arc<House>, orders: Orders, signals: mpsc::Receiver<Signal>) {
    metrics::gauge!("gateway_calls").increment(1);
    let (begun, started_ms) = (Instant::now(), now_ms());
    let caller = PhoneNumber::new(incoming.caller.clone());
    let answered = answer(&incoming, Arc::clone(&house), &orders, signals).await;
    let (cause, codec, meeting, stats) = match answered {
        Ok((mut line, codec)) => {
            let (cause, meeting) = converse(&mut line, &incoming, &caller).await;
            let longest = if cause == EndCause::ServerStopping { LAST_WORDS_STOPPING } else { LAST_WORDS };
            line.say_last(cause.words(), longest).await;
            orders.give(Order::HangUp).await;
            (cause, codec, meeting, line.leg.stats().await.unwrap_or_default())
        }
        Err(cause) => {
            let (code, reason) = cause.refusal();
            orders.give(Order::Reject(code, reason)).await;
            (cause, "none", None, LegStats::default())
        }
    };
    metrics::gauge!("gateway_calls").decrement(1);
    metrics::counter!("gateway_calls_ended", "cause" => cause.label()).increment(1);
    tracing::info!(%caller, codec, seconds = begun.elapsed().as_secs(), cause = cause.label(), "call ended");
    record(&house, &incoming, &caller, started_ms, cause, codec, meeting, &stats).await;
}

/// Offer and answer; the leg runs when this returns.
async fn answer(
    incoming: &Incoming,
    house: Arc<House>,
    orders: &Orders,
    signals: mpsc::Receiver<Signal>,
) -> Result<(Line, &'static str), EndCause> {
    let mut agreed = sdp::agree(&incoming.offer).map_err(|_| EndCause::NotAcceptable)?;
    let srtp_key = rand::random();
    agreed.secure(srtp_key);
    orders.give(Order::Ring).await;
    let failed = |error: plane::PlaneError| {
        tracing::error!(%error, "call can't have sound");
        EndCause::Failed
    };
    let (leg, facts) = house.plane.open_leg().await.map_err(failed)?;
    let signalling = incoming.source.peer.ip();
    leg.start(settings(&agreed, signalling)).await.map_err(failed)?;
    // RFC 8866 §5.2: unique for this session, the version grows with each change.
    let session = u64::from(rand::random::<u32>());
    let local = reachable(leg.local(), signalling);
    orders.give(Order::Answer(agreed.answer(local, session, 1))).await;
    let line = Line {
        house,
        language: Language::ZhCn,
        leg,
        orders: orders.clone(),
        signals,
        facts,
        signalling,
        session,
        version: 1,
        held: false,
        on_hold: false,
        keys: Keys::default(),
        volume_db: 0,
        name: None,
        sayings: Sayings::default(),
        srtp_key,
    };
    let codec = match agreed.codec {
        sdp::Codec::Opus => "opus",
        sdp::Codec::G722 => "G722",
        sdp::Codec::Pcma => "PCMA",
        sdp::Codec::Pcmu => "PCMU",
    };
    Ok((line, codec))
}

/// Why it ended, and which meeting it reached.
async fn converse(line: &mut Line, incoming: &Incoming, caller: &PhoneNumber) -> (EndCause, Option<MeetingId>) {
    match ivr::identify(line, &incoming.dialled, caller, line.signalling).await {
        Ok(seat) => {
            let meeting = seat.handle.id();
            (in_meeting(line, seat).await, Some(meeting))
        }
        Err(cause) => (cause, None),
    }
}

/// Writes the call down (P9).
async fn record(
    house: &House,
    incoming: &Incoming,
    caller: &PhoneNumber,
    started_ms: i64,
    cause: EndCause,
    codec: &str,
    meeting: Option<MeetingId>,
    stats: &LegStats,
) {
    let call = CallRecord {
        meeting,
        outgoing: false,
        number: caller.masked(),
        call_id: incoming.call_id.clone(),
        codec: codec.to_owned(),
        started_ms,
        ended_ms: now_ms(),
        cause: cause.label(),
        received: stats.received,
        lost: stats.lost,
        sent: stats.sent,
        jitter_ms: stats.jitter_ms,
        round_trip_ms: stats.round_trip_ms,
        mos: quality::mos(stats),
    };
    house.conference.record_call(call).await;
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
