//! One call from INVITE to BYE: answer, menu, meeting, last words, one line in the log.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use conference::{CallKind, CallRecord};
use model::{MeetingId, ParticipantId, PhoneNumber, Vouched};
use plane::LegReport;
use sip::{Identity, Incoming, sdp};
use sipconf::Encryption;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    House,
    arrivals::Arrival,
    end_cause::EndCause,
    in_meeting::in_meeting,
    ivr,
    line::{Line, reachable, settings},
    offer, pictures,
    security::Security,
    switchboard::{Order, Orders, Signal},
    transfer,
};

/// The longest a caller is spoken to after his call is over.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// The same while the server stops: all are told at once, and it must be gone in five seconds.
const LAST_WORDS_STOPPING: Duration = Duration::from_millis(2_500);

#[tracing::instrument(name = "call", skip_all, fields(call_id = %incoming.call_id))]
pub(crate) async fn run(incoming: Incoming, house: Arc<House>, orders: Orders, signals: mpsc::Receiver<Signal>) {
    let caller = PhoneNumber::new(incoming.caller.clone());
    let mut told = Told::begin(&caller, incoming.call_id.clone(), false);
    let vouched = vouched(&incoming.identity);
    let trunk = house.carriers.of(incoming.source.peer.ip().to_canonical(), &incoming.dialled);
    let number = if let Vouched::Asserted(number) = &vouched { number.clone() } else { caller.clone() };
    let arrival = trunk.map_or(Ok(None), |index| Arrival::take(&house.carriers, index, number));
    let arrival = match arrival.map_err(EndCause::from) {
        Ok(arrival) => arrival,
        Err(cause) => {
            let (code, reason) = cause.refusal();
            orders.give(Order::Reject(code, reason)).await;
            return Box::pin(told.end(&house, cause)).await;
        }
    };
    // What is boxed is kept for as long as it runs, not for as long as the call stands.
    let answered = Box::pin(answer(&incoming, Arc::clone(&house), &orders, signals)).await;
    let cause = match answered {
        Ok((mut line, codec)) => {
            let answered_ms = now_ms();
            (line.vouched, line.trunk) = (vouched, trunk);
            let (cause, place) = Box::pin(converse(&mut line, &incoming, &caller)).await;
            Box::pin(line.say_last(cause.words(), last_words(cause))).await;
            orders.give(Order::HangUp).await;
            (told.codec, told.place, told.answered_ms) = (codec, place, Some(answered_ms));
            told.report = line.leg.report().await.unwrap_or_default();
            cause
        }
        Err(cause) => {
            let (code, reason) = cause.refusal();
            orders.give(Order::Reject(code, reason)).await;
            cause
        }
    };
    drop(arrival);
    Box::pin(told.end(&house, cause)).await;
}

fn vouched(identity: &Identity) -> Vouched {
    match identity {
        Identity::Written => Vouched::Nobody,
        Identity::Brought => Vouched::Brought,
        Identity::Asserted(number) => Vouched::Asserted(PhoneNumber::new(number.clone())),
    }
}

/// How long somebody is spoken to whose call is over.
pub(crate) fn last_words(cause: EndCause) -> Duration {
    if cause == EndCause::ServerStopping { LAST_WORDS_STOPPING } else { LAST_WORDS }
}

/// Offer and answer; the leg runs when this returns.
async fn answer(
    incoming: &Incoming,
    house: Arc<House>,
    orders: &Orders,
    signals: mpsc::Receiver<Signal>,
) -> Result<(Line, &'static str), EndCause> {
    if incoming.offer.is_empty() {
        return answer_late(incoming, house, orders, signals).await;
    }
    let signalling = incoming.source.peer.ip().to_canonical();
    let mut agreed = offer::agree(&incoming.offer, signalling, &house.ours).map_err(|_| EndCause::NotAcceptable)?;
    let mut security = Security::new(&house.plane, Encryption::None);
    // He is answered in a moment: nobody else needs to hear that it rings.
    if incoming.wants_ringing {
        orders.give(Order::Ring).await;
    }
    let (leg, facts) = house.plane.open_leg(offer::where_from(&agreed, signalling)).await.map_err(soundless)?;
    if offer::is_ours(&agreed, &house.ours) {
        return Err(EndCause::NotAcceptable);
    }
    pictures::take(&mut agreed, &leg, &house).await;
    security.join(&mut agreed);
    security.agreed(&agreed);
    leg.start(settings(&agreed, signalling, &security)).await.map_err(soundless)?;
    // RFC 8866 §5.2: unique for this session, the version grows with each change.
    let session = u64::from(rand::random::<u32>());
    let local = reachable(leg.local(), signalling);
    orders.give(Order::Answer(agreed.answer(local, session, 1))).await;
    let (orders, codec) = (orders.clone(), codec_name(&agreed));
    let mut line = Line::new(house, leg, orders, signals, facts, signalling, session, security, agreed.direction);
    line.show(&agreed).await.map_err(soundless)?;
    Ok((line, codec))
}

fn soundless(error: plane::PlaneError) -> EndCause {
    tracing::error!(%error, "call can't have sound");
    match error {
        plane::PlaneError::NoPort { .. } => EndCause::NoRoom,
        plane::PlaneError::NoFamily(_) => EndCause::NotAcceptable,
        _ => EndCause::Failed,
    }
}

/// A caller who offers nothing (RFC 3264 §5, as many a PBX does): the offer is ours, his answer comes with the ACK.
async fn answer_late(
    incoming: &Incoming,
    house: Arc<House>,
    orders: &Orders,
    mut signals: mpsc::Receiver<Signal>,
) -> Result<(Line, &'static str), EndCause> {
    let signalling = incoming.source.peer.ip().to_canonical();
    let (leg, facts) = house.plane.open_leg(signalling).await.map_err(soundless)?;
    let session = u64::from(rand::random::<u32>());
    let mut security = Security::new(&house.plane, Encryption::None);
    let offer = sdp::offer(reachable(leg.local(), signalling), session, security.offered());
    orders.give(Order::Answer(offer)).await;
    let answer = loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Confirmed(answer)) => break answer,
                Some(Signal::Canceled) => return Err(EndCause::Canceled),
                Some(Signal::Ended) | None => return Err(EndCause::HungUp),
                Some(_) => {}
            },
            () = house.stopping.cancelled() => {
                orders.give(Order::HangUp).await;
                return Err(EndCause::ServerStopping);
            }
        }
    };
    let agreed = offer::agree_at(leg.local(), &answer, signalling, &house.ours);
    let started = match agreed.and_then(|agreed| agreed.answering(security.offered())) {
        Ok(agreed) => {
            security.agreed(&agreed);
            let settings = settings(&agreed, signalling, &security);
            leg.start(settings).await.map_err(soundless).map(|()| agreed)
        }
        Err(_) => Err(EndCause::NotAcceptable),
    };
    match started {
        Ok(agreed) => {
            let (orders, direction) = (orders.clone(), agreed.direction);
            let line = Line::new(house, leg, orders, signals, facts, signalling, session, security, direction);
            Ok((line, codec_name(&agreed)))
        }
        Err(cause) => {
            // He has our 200: it is too late to refuse.
            orders.give(Order::HangUp).await;
            Err(cause)
        }
    }
}

/// Why it ended, which meeting it reached, and who he was there.
async fn converse(
    line: &mut Line,
    incoming: &Incoming,
    caller: &PhoneNumber,
) -> (EndCause, Option<(MeetingId, ParticipantId)>) {
    // A carrier we register at calls our account; the number that was dialled is whom it is for.
    let is_account = line.house.carriers.is_account(&incoming.dialled);
    let dialled = if is_account { &incoming.to } else { &incoming.dialled };
    line.may_move = true;
    let taken = match incoming.replaces {
        Some(replaced) => Box::pin(transfer::take_over(line, replaced, caller)).await,
        None => None,
    };
    let mut came = match taken {
        Some(seat) => Ok(seat),
        None => Box::pin(ivr::identify(line, dialled, caller, line.signalling)).await,
    };
    let mut place = None;
    loop {
        let seat = match came {
            Ok(seat) => seat,
            Err(cause) => return (cause, place),
        };
        place = Some((seat.handle.id(), seat.participant));
        let cause = Box::pin(in_meeting(line, seat)).await;
        let Some(number) = line.moves_to.take() else { return (cause, place) };
        tracing::info!("caller goes to another meeting");
        came = Box::pin(ivr::identify(line, &number, caller, line.signalling)).await;
        let (code, reason) = came.as_ref().map_or_else(|cause| cause.refusal(), |_| (200, "OK"));
        line.orders.give(Order::Notify(code, reason)).await;
    }
}

pub(crate) fn codec_name(agreed: &sdp::Agreed) -> &'static str {
    match agreed.codec {
        sdp::Codec::Opus => "opus",
        sdp::Codec::G722 => "G722",
        sdp::Codec::Pcma => "PCMA",
        sdp::Codec::Pcmu => "PCMU",
    }
}

/// What is told of a call when it is over: in the log, the metrics and its record (P9).
pub(crate) struct Told {
    number: PhoneNumber,
    call_id: String,
    outgoing: bool,
    begun: Instant,
    started_ms: i64,
    pub(crate) codec: &'static str,
    /// The meeting it reached, and who he was there.
    pub(crate) place: Option<(MeetingId, ParticipantId)>,
    pub(crate) answered_ms: Option<i64>,
    pub(crate) cost: i64,
    pub(crate) report: LegReport,
}

impl Told {
    pub(crate) fn begin(number: &PhoneNumber, call_id: String, outgoing: bool) -> Self {
        metrics::gauge!("gateway_calls").increment(1);
        Self {
            number: number.clone(),
            call_id,
            outgoing,
            begun: Instant::now(),
            started_ms: now_ms(),
            codec: "none",
            place: None,
            answered_ms: None,
            cost: 0,
            report: LegReport::default(),
        }
    }

    pub(crate) async fn end(self, house: &House, cause: EndCause) {
        metrics::gauge!("gateway_calls").decrement(1);
        metrics::counter!("gateway_calls_ended", "cause" => cause.label()).increment(1);
        let (seconds, direction) = (self.begun.elapsed().as_secs(), if self.outgoing { "out" } else { "in" });
        tracing::info!(number = %self.number, direction, codec = self.codec, seconds, cause = cause.label(), "call ended");
        let call = CallRecord {
            kind: CallKind::Phone,
            meeting: self.place.map(|(meeting, _)| meeting),
            participant: self.place.map(|(_, participant)| participant),
            name: String::new(),
            outgoing: self.outgoing,
            number: self.number.masked(),
            call_id: self.call_id,
            codec: self.codec.to_owned(),
            started_ms: self.started_ms,
            answered_ms: self.answered_ms,
            ended_ms: now_ms(),
            cost: self.cost,
            cause: cause.label(),
            quality: self.report.stats,
            line: self.report.line,
        };
        house.conference.record_call(call).await;
    }
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
