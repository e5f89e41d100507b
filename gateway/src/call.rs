//! One call from INVITE to BYE: answer, menu, meeting, last words, one line in the log.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use conference::{Action, CallRecord, Event, Notice, Seat, SeatEvent};
use model::{MeetingId, Participant, ParticipantId, PhoneNumber, Refusal, Role};
use plane::LegStats;
use sip::{Incoming, sdp};
use sipconf::{Keypad, KeypadCommand, Language, Prompt};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    House,
    end_cause::EndCause,
    ivr,
    line::{Happening, Keys, Line, reachable, settings},
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
    let agreed = sdp::agree(&incoming.offer).map_err(|_| EndCause::NotAcceptable)?;
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
        keys: Keys::default(),
        volume_db: 0,
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

/// What a caller knows of the meeting he is in.
struct Inside {
    me: ParticipantId,
    people: Vec<Participant>,
    locked: bool,
    self_unmute: bool,
}

impl Inside {
    fn me(&self) -> Option<&Participant> {
        self.people.iter().find(|person| person.id == self.me)
    }

    fn follow(&mut self, event: &Event) {
        match event {
            Event::ParticipantJoined { participant } => self.people.push(participant.clone()),
            Event::ParticipantChanged { participant } => {
                if let Some(known) = self.people.iter_mut().find(|known| known.id == participant.id) {
                    *known = participant.clone();
                }
            }
            Event::ParticipantLeft { id, .. } => self.people.retain(|person| person.id != *id),
            Event::MeetingChanged { meeting } => {
                self.locked = meeting.locked;
                self.self_unmute = meeting.self_unmute;
            }
            Event::Reacted { .. } | Event::Chat { .. } | Event::PollChanged { .. } | Event::BroadcastChanged { .. } => {
            }
        }
    }
}

async fn in_meeting(line: &mut Line, seat: Seat) -> EndCause {
    let Seat { participant, handle, snapshot, mut events, .. } = seat;
    let mut inside = Inside {
        me: participant,
        locked: snapshot.meeting.locked,
        self_unmute: snapshot.meeting.self_unmute,
        people: snapshot.participants,
    };
    tracing::info!(%participant, meeting_id = %handle.id(), "caller joined");
    let first = if inside.people.len() == 1 { Prompt::OnlyYou } else { Prompt::Joined };
    if let Err(cause) = line.play(line.clip(first)).await {
        return cause;
    }
    let mut keypad = Keypad::new(line.house.keys.clone());
    loop {
        let said = tokio::select! {
            happening = line.next() => match happening {
                Ok(Happening::Digit(key)) => {
                    let Some(command) = keypad.press(key, std::time::Instant::now()) else { continue };
                    obey(command, &inside, &handle, line).await
                }
                Ok(Happening::PlayDone(_)) => None,
                Err(cause) => {
                    // A lost line keeps its seat for a minute; who hangs up has left.
                    if cause == EndCause::HungUp {
                        let _ = handle.command(participant, Action::Leave).await;
                    }
                    return cause;
                }
            },
            event = events.recv() => match event {
                Some(SeatEvent::Event { event, .. }) => {
                    inside.follow(&event);
                    None
                }
                Some(SeatEvent::Notice(Notice::Muted)) => Some(Prompt::MutedByHost),
                Some(SeatEvent::Notice(Notice::Unmuted | Notice::AskedToUnmute)) => Some(Prompt::UnmutedByHost),
                Some(SeatEvent::Notice(_) | SeatEvent::Whisper(_)) => None,
                Some(SeatEvent::Speaking { .. } | SeatEvent::Slots(_)) => None,
                Some(SeatEvent::Ended(reason)) => return reason.into(),
                None => return EndCause::Replaced,
            },
        };
        if let Some(prompt) = said
            && let Err(cause) = line.play(line.clip(prompt)).await
        {
            return cause;
        }
    }
}

/// Does what the keys mean, and says what became of it.
async fn obey(
    command: KeypadCommand,
    inside: &Inside,
    handle: &conference::MeetingHandle,
    line: &mut Line,
) -> Option<Prompt> {
    let me = inside.me()?;
    let participant = me.id;
    let (action, done) = match command {
        KeypadCommand::ToggleMute if me.muted => (Action::Unmute { participant }, Prompt::Unmuted),
        KeypadCommand::ToggleMute => (Action::Mute { participant }, Prompt::Muted),
        KeypadCommand::ToggleHand if me.hand => (Action::Hand { up: false }, Prompt::HandLowered),
        KeypadCommand::ToggleHand => (Action::Hand { up: true }, Prompt::HandRaised),
        KeypadCommand::WhoIsHere => return Some(Prompt::people(inside.people.len())),
        KeypadCommand::Louder | KeypadCommand::Softer => {
            line.turn(command == KeypadCommand::Louder);
            return None;
        }
        KeypadCommand::Help if me.role.manages() => return Some(Prompt::HelpHost),
        KeypadCommand::Help => return Some(Prompt::Help),
        KeypadCommand::ToggleMuteAll if inside.self_unmute => {
            (Action::MuteAll { self_unmute: false }, Prompt::AllMuted)
        }
        KeypadCommand::ToggleMuteAll => (Action::UnmuteAll, Prompt::AllUnmuted),
        KeypadCommand::ToggleLock if inside.locked => (Action::Lock { on: false }, Prompt::MeetingUnlocked),
        KeypadCommand::ToggleLock => (Action::Lock { on: true }, Prompt::MeetingLocked),
        KeypadCommand::AskEnd if me.role == Role::Host => return Some(Prompt::ConfirmEnd),
        KeypadCommand::AskEnd => return Some(Prompt::HostOnly),
        KeypadCommand::End => (Action::End, Prompt::MeetingEnded),
    };
    let own_mute = matches!(action, Action::Unmute { .. });
    match handle.command(participant, action).await {
        Ok(()) => Some(done),
        Err(Refusal::NotAllowed) if own_mute => Some(Prompt::CannotUnmute),
        Err(Refusal::NotAllowed) => Some(Prompt::HostOnly),
        Err(_) => Some(Prompt::Failed),
    }
}
