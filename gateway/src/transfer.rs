//! Callers who are put through, or put others through (RFC 3515, RFC 3891, RFC 5589): to another meeting, to a telephone that comes
//! into the meeting in their place, or by giving their seat to whoever takes their call over.
//!
//! Nobody is called for a caller whom his meeting would not call for him: role, allowed numbers and budgets are those of
//! [`Action::Dial`].

use conference::{Action, JoinRequest, Seat};
use model::{DialState, DialView, MeetingNumber, PhoneNumber, Refusal};
use sip::{CallKey, Referral};

use crate::{
    in_meeting::Caller,
    ivr,
    line::Line,
    switchboard::{Order, Wish},
};

/// What becomes of whom a caller is put through to.
#[derive(Debug, Default)]
pub(crate) struct Transfer {
    /// The next telephone that is called is that.
    asked: bool,
    dial: Option<u32>,
    /// What he is to be told of it.
    pub(crate) told: Option<(u16, &'static str)>,
}

impl Transfer {
    pub(crate) fn follow(&mut self, dial: &DialView) {
        if dial.state == DialState::Calling && std::mem::take(&mut self.asked) {
            self.dial = Some(dial.id);
        }
        if self.dial != Some(dial.id) {
            return;
        }
        if let Some(told) = told(dial.state) {
            self.told = Some(told);
        }
        if dial.state.is_final() {
            self.dial = None;
        }
    }
}

/// As SIP has it (RFC 3261 §21); nothing where there is nothing new.
fn told(state: DialState) -> Option<(u16, &'static str)> {
    match state {
        // That he is asked whether he comes is no answer yet.
        DialState::Calling | DialState::Answered => None,
        DialState::Ringing => Some((180, "Ringing")),
        DialState::Joined => Some((200, "OK")),
        DialState::Busy => Some((486, "Busy Here")),
        DialState::NoAnswer => Some((480, "Temporarily Unavailable")),
        DialState::Declined => Some((603, "Decline")),
        DialState::NoSuchNumber => Some((404, "Not Found")),
        DialState::Stopped => Some((487, "Request Terminated")),
        DialState::Failed => Some((503, "Service Unavailable")),
    }
}

impl Caller {
    /// He wants to be put through; true where he goes to another meeting, which the line then names.
    pub(crate) async fn refer(&mut self, Referral { number, replaces }: Referral, line: &mut Line) -> bool {
        let (meeting, _password) = ivr::split(&number);
        let leads_here = meeting.parse::<MeetingNumber>().is_ok() || line.house.numbers.has(meeting);
        if leads_here && replaces.is_none() {
            // Whom we called, his meeting pays for.
            let (code, reason) = if line.may_move { (202, "Accepted") } else { (403, "Forbidden") };
            line.orders.give(Order::AnswerRefer(code, reason)).await;
            line.moves_to = line.may_move.then_some(number);
            return line.may_move;
        }
        let (code, reason) = self.call_for(&number, replaces, line).await;
        line.orders.give(Order::AnswerRefer(code, reason)).await;
        false
    }

    async fn call_for(&mut self, number: &str, replaces: Option<sip::Replaces>, line: &Line) -> (u16, &'static str) {
        let house = &line.house;
        let Some(dialled) = house.carriers.plan().read(number) else { return (404, "Not Found") };
        let meeting = self.handle.id();
        if let Some(replaces) = replaces {
            house.seats.replace(meeting, dialled.reveal(), replaces);
        }
        self.transfer = Transfer { asked: true, ..Transfer::default() };
        let refused = match self.handle.command(self.me, Action::Dial { number: number.to_owned(), name: None }).await {
            Ok(()) => return (202, "Accepted"),
            Err(refused) => refused,
        };
        tracing::info!(%refused, "nobody is called for who puts through");
        self.transfer = Transfer::default();
        house.seats.take_replaces(meeting, dialled.reveal());
        if refused == Refusal::Failed { (500, "Server Internal Error") } else { (403, "Forbidden") }
    }
}

/// The seat of a call that this one takes over; none where that caller had none yet: then this one is asked as he would have been.
pub(crate) async fn take_over(line: &mut Line, replaced: CallKey, caller: &PhoneNumber) -> Option<Seat> {
    let house = std::sync::Arc::clone(&line.house);
    let seat = match house.seats.of(replaced) {
        Some(held) => {
            (line.language, line.greeted) = (held.language, true);
            line.own = house.conference.meeting_prompts(held.meeting).await;
            // Before his first call leaves: nobody hears him go and come.
            line.entry = Some(house.rolls.enter(held.meeting, held.participant, None));
            let request = JoinRequest {
                meeting: held.meeting,
                password: None,
                name: None,
                account: None,
                via: line.via(caller),
                dial: None,
                resume: Some(held.resume),
                since: None,
                source: line.signalling,
                waits: None,
            };
            let joined = house.conference.join(request).await;
            if let Err(refusal) = &joined {
                tracing::warn!(%refusal, "a call that takes another over can't have its seat");
                line.entry = None;
            }
            joined.ok()
        }
        None => None,
    };
    // Without the switchboard there is no call left to end.
    let _ = house.wishes.send(Wish::Replace(replaced)).await;
    seat
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: P11
    #[test]
    fn who_puts_through_hears_of_his_telephone_alone_and_of_its_end_once() {
        let view = |id: u32, state| DialView { id, name: String::new(), number: String::new(), state };
        let mut transfer = Transfer { asked: true, ..Transfer::default() };
        let mut after = |id: u32, state| {
            transfer.follow(&view(id, state));
            transfer.told.take().map(|(code, _)| code)
        };
        assert_eq!(after(7, DialState::Ringing), None, "one that was called before");
        assert_eq!(after(8, DialState::Calling), None);
        assert_eq!(after(9, DialState::Calling), None, "somebody else calls");
        assert_eq!(after(9, DialState::Busy), None);
        assert_eq!(after(8, DialState::Ringing), Some(180));
        assert_eq!(after(8, DialState::Answered), None);
        assert_eq!(after(8, DialState::Joined), Some(200));
        assert_eq!(after(8, DialState::Failed), None);
    }
}
