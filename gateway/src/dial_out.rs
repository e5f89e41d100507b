//! Somebody called from a meeting (C22, P8): by the first carrier that takes the call, asked whether he comes, brought in.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use conference::{Action, Callee, DialOut, Dialer, JoinRequest};
use model::{DialState, MeetingId, ParticipantId, PhoneNumber, Refusal, Vouched};
use sip::{Contact, Replaces, Target, sdp};
use sipconf::{Account, Dialled, Encryption, Prompt, Trunk};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use crate::{
    House,
    call::{self, Told},
    carriers::SILENT,
    end_cause::EndCause,
    in_meeting::in_meeting,
    line::{Line, reachable, settings},
    locate::Place,
    offer,
    security::Security,
    switchboard::{Order, Orders, Signal, Wish},
    tls::TlsPeer,
};

/// How long a telephone rings. Shorter than most mailboxes wait; a mailbox presses no key anyway.
const RINGS: Duration = Duration::from_secs(60);

/// How often a call is sent elsewhere before it is given up: more would be a loop (RFC 3261 §8.1.3.4).
const REDIRECTS_MAX: usize = 3;

/// How often he is asked whether he comes, and how long each time.
const ASKED: usize = 3;
/// See [`ASKED`].
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The telephone edge as the core's [`Dialer`].
pub(crate) struct Outbound {
    pub(crate) house: Arc<House>,
    pub(crate) calls: TaskTracker,
}

impl Dialer for Outbound {
    fn read(&self, written: &str) -> Result<Callee, Refusal> {
        let plan = self.house.carriers.plan();
        let number = plan.read(written).ok_or(Refusal::BadNumber)?;
        let is_own = self.house.accounts.iter().any(|account| account.user == number.reveal());
        if !is_own && plan.carriers(&number).next().is_none() {
            return Err(Refusal::NumberNotAllowed);
        }
        Ok(Callee { number: PhoneNumber::new(number.reveal()), price: (!is_own).then(|| plan.price(&number)) })
    }

    fn dial(&self, call: DialOut) {
        let replaces = self.house.seats.take_replaces(call.meeting, call.number.reveal());
        self.calls.spawn(run(Arc::clone(&self.house), call, replaces));
    }
}

/// What one carrier made of it.
enum Attempt {
    /// It is over, and this is what became of it.
    Over(DialState),
    /// This server is not there, or has no room: the carrier's next one may (RFC 3263 §4.3).
    NextServer,
    /// The same, and it says for how long it is to be left alone (RFC 3261 §21.5.4).
    Full(Duration),
    /// He is said to be elsewhere (RFC 3261 §21.3).
    Elsewhere(Vec<Contact>),
    /// The carrier didn't get as far as a telephone: the next carrier may.
    NextCarrier,
}

#[tracing::instrument(name = "dial", skip_all, fields(meeting_id = %call.meeting, dial = call.dial))]
async fn run(house: Arc<House>, mut call: DialOut, replaces: Option<Replaces>) {
    let mut forwards = 0;
    let state = loop {
        let Some(number) = house.carriers.plan().read(call.number.reveal()) else { break DialState::NoSuchNumber };
        let Some(account) = house.accounts.iter().find(|account| account.user == number.reveal()) else {
            break ring_outside(&house, &call, &number, replaces).await;
        };
        let to = match ring_own(&house, &call, account, &number, replaces.clone()).await {
            Rung::Over(state) => break state,
            Rung::Forwarded(to) => to,
        };
        forwards += 1;
        let forwarded = if forwards > REDIRECTS_MAX { Err(Refusal::Failed) } else { call.forward(to).await };
        if let Err(refusal) = forwarded {
            tracing::warn!(%refusal, "a telephone of the house is forwarded to a number that is not called");
            break DialState::Failed;
        }
        tracing::info!(number = %call.number, "a telephone of the house is forwarded");
    };
    tracing::info!(number = %call.number, ?state, "called");
    call.tell(state).await;
}

/// What a telephone of the house made of it.
enum Rung {
    Over(DialState),
    /// Its calls go to this number.
    Forwarded(String),
}

/// By the carriers, one after the other.
async fn ring_outside(house: &Arc<House>, call: &DialOut, number: &Dialled, replaces: Option<Replaces>) -> DialState {
    for index in house.carriers.in_order(number) {
        let Some(_permit) = house.carriers.take(index) else { continue };
        let trunk = &house.carriers.plan().trunks()[index];
        let uri = format!("sip:{}@{}", trunk.user_part(number), trunk.domain);
        let places = house.carriers.places(index).await;
        let mut ways: VecDeque<_> = places.iter().map(|place| (*place, uri.clone())).collect();
        let mut redirects = 0;
        while let Some((place, asked)) = ways.pop_front() {
            let Some((target, tls)) = house.carriers.target(index, place, asked, uri.clone()) else { break };
            let target = Target { replaces: replaces.clone(), ..target };
            let came = attempt(house, call, target, tls, trunk.encryption, number).await;
            house.carriers.note(index, place, !matches!(came, Attempt::NextServer | Attempt::Full(_)));
            match came {
                Attempt::Over(over) => return over,
                Attempt::NextServer => {
                    tracing::warn!(trunk = trunk.name, server = %place.address, "the server took no call")
                }
                Attempt::Full(within) => house.carriers.leave_alone(index, place, within),
                Attempt::Elsewhere(contacts) if redirects < REDIRECTS_MAX => {
                    redirects += 1;
                    // Somebody else's server, or another number, nobody has allowed.
                    let is_same =
                        |contact: &Contact| house.carriers.plan().read(&contact.number).as_ref() == Some(number);
                    let found = contacts.iter().filter(|contact| is_same(contact)).find_map(|contact| {
                        let place = places.iter().find(|place| trunk_has(trunk, place, contact))?;
                        Some((*place, contact.uri.clone()))
                    });
                    let Some(found) = found else { break };
                    ways = VecDeque::from([found]);
                }
                Attempt::Elsewhere(_) | Attempt::NextCarrier => break,
            }
        }
        tracing::warn!(trunk = trunk.name, "the carrier took no call");
    }
    DialState::Failed
}

/// Whether this place of a carrier is where it says that somebody is.
fn trunk_has(trunk: &Trunk, place: &Place, contact: &Contact) -> bool {
    let host = contact.host.as_str();
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address == place.address;
    }
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return ip == place.address.ip();
    }
    let name = host.split(':').next().unwrap_or_default();
    [&trunk.host, &trunk.domain].iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// A telephone or room system of the house (P12): where its owner would rather be called, then where it registered last, then where
/// before. One that isn't taken doesn't ring elsewhere.
async fn ring_own(
    house: &Arc<House>,
    call: &DialOut,
    account: &Account,
    number: &Dialled,
    replaces: Option<Replaces>,
) -> Rung {
    let (answer, answered) = oneshot::channel();
    if house.wishes.send(Wish::Find { account: account.user.clone(), answer }).await.is_err() {
        return Rung::Over(DialState::Failed);
    }
    for binding in answered.await.unwrap_or_default() {
        let target = Target {
            to: format!("sip:{}@{}", account.user, house.realm),
            replaces: replaces.clone(),
            routes: binding.path,
            ..Target::new(binding.way, binding.uri, format!("sip:huitong@{}", house.realm), "huitong")
        };
        match attempt(house, call, target, None, account.encryption, number).await {
            Attempt::Over(over) => return Rung::Over(over),
            Attempt::Elsewhere(contacts) => {
                if let Some(to) = contacts.into_iter().map(|contact| contact.number).find(|number| !number.is_empty()) {
                    return Rung::Forwarded(to);
                }
            }
            Attempt::NextServer | Attempt::Full(_) | Attempt::NextCarrier => {}
        }
    }
    // Unplugged, or never there.
    Rung::Over(DialState::NoAnswer)
}

async fn attempt(
    house: &Arc<House>,
    call: &DialOut,
    target: Target,
    tls: Option<TlsPeer>,
    encryption: Encryption,
    number: &Dialled,
) -> Attempt {
    let call_id = format!("{:032x}", rand::random::<u128>());
    // Who gives up another call for this one has been asked by whoever put him through.
    let asks = target.replaces.is_none();
    let mut told = Told::begin(&call.number, call_id.clone(), true);
    let (cause, over) = match place(house, call, Target { call_id, ..target }, tls, encryption).await {
        Ok(mut answered) => {
            (told.codec, told.answered_ms) = (answered.codec, Some(call::now_ms()));
            if let Some(admission) = &call.admission {
                admission.answered();
            }
            let (cause, place, state) = converse(house, call, number, &mut answered.line, asks).await;
            told.place = place;
            answered.line.say_last(cause.words(), call::last_words(cause)).await;
            answered.line.orders.give(Order::HangUp).await;
            told.report = answered.line.leg.report().await.unwrap_or_default();
            (cause, Attempt::Over(state))
        }
        Err(failed @ Attempt::Over(state)) => (cause_of(state), failed),
        Err(failed) => (EndCause::Failed, failed),
    };
    // Only the attempt that was answered has come to something.
    told.cost = told.answered_ms.and(call.admission.as_ref()).map_or(0, |admission| admission.bill().cost);
    told.end(house, cause).await;
    over
}

/// A telephone that was taken.
struct Taken {
    line: Line,
    codec: &'static str,
}

/// Rings; what became of it where it isn't taken.
async fn place(
    house: &Arc<House>,
    call: &DialOut,
    target: Target,
    tls: Option<TlsPeer>,
    encryption: Encryption,
) -> Result<Taken, Attempt> {
    let failed = |error: plane::PlaneError| {
        tracing::error!(%error, "call can't have sound");
        Attempt::Over(DialState::Failed)
    };
    let signalling = target.way.peer.ip().to_canonical();
    let (leg, facts) = house.plane.open_leg(signalling).await.map_err(failed)?;
    let session = u64::from(rand::random::<u32>());
    let mut security = Security::new(&house.plane, encryption);
    let local = reachable(leg.local(), signalling);
    let offer = sdp::offer(local, session, security.offered());
    let (answer, answered) = oneshot::channel();
    house.wishes.send(Wish::Call { target, tls, offer, answer }).await.map_err(|_| Attempt::NextServer)?;
    let (orders, mut signals) = answered.await.ok().flatten().ok_or(Attempt::NextServer)?;
    let mut version = 1;
    let mut newest = None;
    // Who rings may offer anew (RFC 3311).
    let answer = |offer: Vec<u8>| {
        let mut agreed = offer::agree_at(leg.local(), &offer, signalling, &house.ours).ok()?;
        security.join(&mut agreed);
        if security.refuses(&agreed) {
            return None;
        }
        version += 1;
        let answer = agreed.answer(local, session, version);
        newest = Some((offer, agreed));
        Some(answer)
    };
    let description = ring(house, call, &orders, &mut signals, answer).await?;
    let agreed = match newest {
        Some((offer, agreed)) if offer == description => Ok(agreed),
        _ => offer::agree_at(leg.local(), &description, signalling, &house.ours)
            .and_then(|agreed| agreed.answering(security.offered())),
    };
    let Ok(agreed) = agreed else {
        tracing::warn!(?encryption, "the answer has no sound we can take");
        orders.give(Order::HangUp).await;
        return Err(Attempt::Over(DialState::Failed));
    };
    security.agreed(&agreed);
    leg.start(settings(&agreed, signalling, &security)).await.map_err(failed)?;
    let house = Arc::clone(house);
    let mut line = Line::new(house, leg, orders, signals, facts, signalling, session, security, agreed.direction);
    line.version = version;
    // We have called it.
    line.vouched = Vouched::Brought;
    Ok(Taken { line, codec: call::codec_name(&agreed) })
}

/// Waits for somebody to take it: his answer. What he offers before is answered.
async fn ring(
    house: &House,
    call: &DialOut,
    orders: &Orders,
    signals: &mut mpsc::Receiver<Signal>,
    mut answer: impl FnMut(Vec<u8>) -> Option<String>,
) -> Result<Vec<u8>, Attempt> {
    let give_up = sleep(RINGS);
    let nobody = sleep(SILENT);
    tokio::pin!(give_up, nobody);
    let (mut rings, mut tries, mut elsewhere, mut full) = (false, false, Vec::new(), None);
    let over = loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(Signal::Trying) => tries = true,
                Some(Signal::Rings) => {
                    if !std::mem::replace(&mut rings, true) {
                        call.tell(DialState::Ringing).await;
                    }
                }
                Some(Signal::Answered(description)) => return Ok(description),
                Some(Signal::Reoffered(offer)) => orders.give(Order::AnswerReoffer(answer(offer))).await,
                Some(Signal::Redirected(contacts)) => elsewhere = contacts,
                Some(Signal::RetryAfter(seconds)) => full = Some(Duration::from_secs(seconds.into())),
                Some(Signal::Refused(_)) if !elsewhere.is_empty() => return Err(Attempt::Elsewhere(elsewhere)),
                Some(Signal::Refused(code)) => {
                    let is_servers = code == 503 || (code == 408 && !tries);
                    let next = match full {
                        Some(within) => Attempt::Full(within),
                        None if is_servers => Attempt::NextServer,
                        None => Attempt::NextCarrier,
                    };
                    return Err(state_of(code, rings).map_or(next, Attempt::Over));
                }
                Some(_) => {}
                None => return Err(Attempt::NextCarrier),
            },
            () = call.stop.cancelled() => break Attempt::Over(DialState::Stopped),
            () = house.stopping.cancelled() => break Attempt::Over(DialState::Stopped),
            () = &mut give_up => break Attempt::Over(DialState::NoAnswer),
            () = &mut nobody, if !tries => break Attempt::NextServer,
        }
    };
    orders.give(Order::HangUp).await;
    Err(over)
}

/// What a status code says of a telephone (RFC 3261 §21); none where it says something of the carrier.
fn state_of(code: u16, rings: bool) -> Option<DialState> {
    match code {
        486 | 600 => Some(DialState::Busy),
        603 | 607 => Some(DialState::Declined),
        404 | 410 | 484 | 604 => Some(DialState::NoSuchNumber),
        480 | 487 => Some(DialState::NoAnswer),
        408 if rings => Some(DialState::NoAnswer),
        _ => None,
    }
}

fn cause_of(state: DialState) -> EndCause {
    match state {
        DialState::Busy => EndCause::Busy,
        DialState::Declined => EndCause::Declined,
        DialState::NoSuchNumber => EndCause::NoSuchNumber,
        DialState::NoAnswer => EndCause::NoAnswer,
        DialState::Stopped => EndCause::Canceled,
        _ => EndCause::Failed,
    }
}

/// Asks whether he comes, and has him in the meeting.
async fn converse(
    house: &House,
    call: &DialOut,
    number: &Dialled,
    line: &mut Line,
    asks: bool,
) -> (EndCause, Option<(MeetingId, ParticipantId)>, DialState) {
    line.language = house.carriers.plan().language(number);
    line.own = house.conference.meeting_prompts(call.meeting).await;
    call.tell(DialState::Answered).await;
    let asked = tokio::select! {
        asked = ask(line), if asks => asked,
        () = std::future::ready(()), if !asks => Ok(None),
        () = call.stop.cancelled() => Ok(Some(DialState::Stopped)),
    };
    match asked {
        Ok(None) => {}
        Ok(Some(state)) => return (cause_of(state), None, state),
        Err(cause) => return (cause, None, DialState::Declined),
    }
    let request = JoinRequest {
        meeting: call.meeting,
        password: None,
        name: None,
        account: None,
        via: line.via(&call.number),
        dial: Some(call.dial),
        resume: None,
        since: None,
        source: line.signalling,
        waits: None,
    };
    match house.conference.join(request).await {
        Ok(seat) => {
            let (meeting, handle, who) = (seat.handle.id(), seat.handle.clone(), seat.participant);
            let cause = tokio::select! {
                cause = in_meeting(line, seat) => cause,
                () = spent(call) => {
                    tracing::warn!("the site has no more to spend on calls");
                    let _ = handle.command(who, Action::Leave).await;
                    EndCause::Spent
                }
            };
            (cause, Some((meeting, who)), DialState::Joined)
        }
        Err(refusal) => {
            tracing::info!(%refusal, "who was called can't come in");
            (refusal.into(), None, DialState::Failed)
        }
    }
}

/// Never for a telephone of the house.
async fn spent(call: &DialOut) {
    match &call.admission {
        Some(admission) => admission.spent().await,
        None => std::future::pending().await,
    }
}

/// None where he comes.
async fn ask(line: &mut Line) -> Result<Option<DialState>, EndCause> {
    for _ in 0..ASKED {
        let question = line.clip(Prompt::Invited);
        match line.ask(&[question], ANSWERS_WITHIN).await? {
            Some('1') => return Ok(None),
            Some('2') => return Ok(Some(DialState::Declined)),
            Some(_) | None => {}
        }
    }
    Ok(Some(DialState::NoAnswer))
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P8
    #[test]
    fn what_a_telephone_says_is_told_and_what_a_carrier_says_is_not() {
        assert_eq!(state_of(486, true), Some(DialState::Busy));
        assert_eq!(state_of(603, false), Some(DialState::Declined));
        assert_eq!(state_of(404, false), Some(DialState::NoSuchNumber));
        assert_eq!(state_of(408, true), Some(DialState::NoAnswer));
        for of_the_carrier in [401, 403, 407, 408, 500, 502, 503, 504] {
            assert_eq!(state_of(of_the_carrier, false), None, "{of_the_carrier}");
        }
    }
}
