//! How calls end (RFC 3261 §9, §15): given up, hung up by either side, and forgotten.

use super::{
    CallKey, Endpoint, Event, Instant, Message, Source, State, TransactionKey, dialog_of, transaction_key, write,
};

impl Endpoint {
    /// The other side says BYE (§15.1.2).
    pub(super) fn taken_leave(
        &mut self,
        source: Source,
        bye: &Message,
        key: &TransactionKey,
        call: CallKey,
        now: Instant,
    ) {
        self.answer_plainly(source, bye, key, 200, "OK", now);
        match self.calls.get(call).map(|call| call.state) {
            // His INVITE is answered all the same.
            Some(State::Ringing) => {
                self.reject(call, 487, "Request Terminated", now);
                self.events.push_back(Event::Canceled(call));
            }
            Some(State::Refused) | None => {}
            Some(State::Answered | State::Confirmed) => {
                self.end_reinvite(call, now);
                self.end_referring(call, now);
                let ends = self.calls.get(call).is_some_and(|call| call.ends);
                self.forget(call);
                if !ends {
                    self.events.push_back(Event::Ended(call));
                }
            }
        }
    }

    /// A CANCEL has the Call-ID and tag of what it cancels (§9.1), and its branch.
    pub(super) fn cancel(
        &mut self,
        source: Source,
        message: &Message,
        key: &TransactionKey,
        call: Option<CallKey>,
        now: Instant,
    ) {
        let is_of = |invite: &TransactionKey| invite.0 == key.0 && invite.1 == key.1;
        let known = call.and_then(|call| Some((call, self.calls.get(call)?)));
        let Some((call, known)) = known else {
            return self.answer_unknown(source, message, key, now);
        };
        let reinvite = known.reinvite.as_ref().filter(|(message, _)| message.method() == "INVITE");
        if is_of(&known.key) {
            let rings = known.state == State::Ringing;
            self.answer_plainly(source, message, key, 200, "OK", now);
            // After the answer a CANCEL changes nothing (§9.2).
            if rings {
                self.reject(call, 487, "Request Terminated", now);
                self.events.push_back(Event::Canceled(call));
            }
        } else if reinvite.and_then(|(message, _)| transaction_key(message)).is_some_and(|invite| is_of(&invite)) {
            self.answer_plainly(source, message, key, 200, "OK", now);
            self.end_reinvite(call, now);
        } else {
            self.answer_unknown(source, message, key, now);
        }
    }

    /// BYE; 480 before our answer, CANCEL before theirs. Who hasn't acknowledged our answer may not have heard it, and his INVITE must come
    /// to an end first (§15).
    pub fn hang_up(&mut self, key: CallKey, now: Instant) {
        if self.cancel_outgoing(key, now) {
            return;
        }
        let Some(call) = self.calls.get_mut(key) else { return };
        match call.state {
            State::Ringing => return self.reject(key, 480, "Temporarily Unavailable", now),
            State::Refused => return,
            State::Answered if call.repeat.is_some() => {
                (call.ends, call.timer) = (true, None);
                return;
            }
            State::Answered | State::Confirmed => {}
        }
        self.end_reinvite(key, now);
        self.end_referring(key, now);
        let branch = self.new_branch();
        let Some(call) = self.calls.get_mut(key) else { return };
        call.our_cseq += 1;
        let bye = write::request(&self.config, call, "BYE", call.our_cseq, branch, "", "");
        let prover = call.prover.clone();
        self.begin(branch, None, bye, now);
        self.prove_later(branch, key, prover);
        self.forget(key);
    }

    /// A re-INVITE of a call that ends is not left without an answer.
    pub(super) fn end_reinvite(&mut self, call: CallKey, now: Instant) {
        let pending = self.calls.get_mut(call).and_then(|call| call.reinvite.take());
        if let Some((message, source)) = pending
            && let Some(key) = transaction_key(&message)
        {
            self.answer_plainly(source, &message, &key, 487, "Request Terminated", now);
        }
    }

    pub(super) fn forget(&mut self, key: CallKey) {
        let Some(call) = self.calls.remove(key) else { return };
        self.late -= usize::from(call.late);
        let dialog = dialog_of(&call.invite);
        self.by_dialog.remove(&dialog);
        if matches!(call.state, State::Answered | State::Confirmed) {
            self.ended.note(dialog, call.tag);
        }
    }
}
