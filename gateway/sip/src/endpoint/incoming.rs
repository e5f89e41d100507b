//! Calls that come, until they are acknowledged (RFC 3261 §13.3, §14.2, §17.2.1).

use super::{
    ALLOW, Call, CallKey, Endpoint, Event, Incoming, Instant, KEPT, KEPT_BYTES_MAX, LATE_MAX, Message, Source,
    StartLine, State, TRYING_AFTER, TransactionKey, Transport,
    in_dialog::{SESSION, SessionTimer, TooShort, requires_ringing, session_timer},
    write::{RETRY_LATER, response},
};
use crate::message::uri_number;

impl Endpoint {
    pub(super) fn invite(
        &mut self,
        source: Source,
        mut message: Message,
        key: TransactionKey,
        dialog: (String, String),
        call: Option<CallKey>,
        number: u32,
        now: Instant,
    ) {
        if let Some(call) = call {
            if self.is_pending(call, &key) {
                return;
            }
            let known = self.calls.get_mut(call).expect("by_dialog names calls that are there");
            if known.key == key {
                // The first INVITE again: what was said last is said again (§17.2.1).
                if let Some(repeat) = &known.repeat {
                    self.transmits.push_back(repeat.transmit.clone());
                } else if known.state == State::Ringing {
                    let trying = response(&known.invite, source, 100, "Trying", None, "", "");
                    self.transmits.push_back(trying);
                }
                return;
            }
            if message.tag("to") != Some(known.tag.as_str()) {
                // §8.2.2.2
                return self.answer_plainly(source, &message, &key, 482, "Loop Detected", now);
            }
            if known.ends {
                return self.answer_plainly(source, &message, &key, 481, "Call/Transaction Does Not Exist", now);
            }
            if number <= known.their_cseq || known.reinvite.is_some() {
                // §14.2
                let later = format!("Retry-After: {}\r\n", self.new_bits() % 10 + 1);
                return self.answer_with(source, &message, &key, 500, "Server Internal Error", &later, now);
            }
            if known.reinviting || known.state != State::Confirmed {
                return self.answer_plainly(source, &message, &key, 491, "Request Pending", now);
            }
            let timer = match session_timer(&message, now) {
                Ok(timer) => timer,
                Err(TooShort) => {
                    return self.answer_with(source, &message, &key, 422, TooShort::REASON, &TooShort::field(), now);
                }
            };
            known.timer = timer.or_else(|| known.timer.take());
            known.their_cseq = number;
            known.invite_cseq = number;
            if let Some(contact) = message.uri("contact") {
                contact.clone_into(&mut known.target);
            }
            known.source = source;
            let offer = message.body.clone();
            known.offering = offer.is_empty();
            known.reinvite = Some((message, source));
            return self.events.push_back(Event::Reoffered(call, offer));
        }
        if message.tag("to").is_some() {
            return self.answer_plainly(source, &message, &key, 481, "Call/Transaction Does Not Exist", now);
        }
        if !self.may_call(source.peer.ip(), now) {
            return self.answer_plainly(source, &message, &key, 403, "Forbidden", now);
        }
        let timer = match session_timer(&message, now) {
            Ok(timer) => timer,
            Err(TooShort) => {
                return self.answer_with(source, &message, &key, 422, TooShort::REASON, &TooShort::field(), now);
            }
        };
        let timer = timer.unwrap_or_else(|| SessionTimer::own(SESSION, now));
        let StartLine::Request { uri, .. } = &message.start else { return };
        let dialled = uri_number(uri).unwrap_or_default();
        // Before RFC 3261 a caller without Contact was reached by his From.
        let before_3261 = message.uri("from").filter(|_| message.tag("from").is_none());
        let Some(contact) = message.uri("contact").or(before_3261).map(str::to_owned) else {
            return self.answer_plainly(source, &message, &key, 400, "Missing Contact", now);
        };
        if message.bytes_of(&KEPT) > KEPT_BYTES_MAX {
            return self.answer_plainly(source, &message, &key, 513, "Message Too Large", now);
        }
        let replaces = match self.replaced(&message) {
            Ok(replaces) => replaces,
            Err((code, reason)) => return self.answer_plainly(source, &message, &key, code, reason, now),
        };
        if self.calls.len() >= self.guard.calls_max(source.peer.ip()) || self.late >= LATE_MAX {
            return self.answer_with(source, &message, &key, 503, "Service Unavailable", RETRY_LATER, now);
        }
        self.last_call += 1;
        let call = CallKey(self.last_call);
        let identity = self.identity(&message, source);
        let incoming = Incoming {
            call,
            dialled,
            to: message.uri("to").and_then(uri_number).unwrap_or_default(),
            caller: Self::caller(&message, &identity),
            identity,
            call_id: dialog.0.clone(),
            wants_ringing: requires_ringing(&message) && !message.body.is_empty(),
            offer: std::mem::take(&mut message.body),
            source,
            replaces,
        };
        let tag = self.new_tag();
        let routes = message.headers("record-route").map(str::to_owned).collect();
        message.keep(&KEPT);
        self.calls.insert(
            call,
            Call {
                key,
                source,
                tag,
                state: State::Ringing,
                their_cseq: number,
                invite_cseq: number,
                our_cseq: 0,
                rseq: 0,
                description: String::new(),
                timer: Some(timer),
                target: contact,
                routes,
                reinvite: None,
                reinviting: false,
                offering: incoming.offer.is_empty(),
                is_ours: false,
                is_carriers: self.guard.is_carrier(source.peer.ip()),
                prover: None,
                referring: None,
                subscription: None,
                referred: false,
                repeat: None,
                ends: false,
                trying: Some(now + TRYING_AFTER),
                late: false,
                invite: message,
            },
        );
        self.by_dialog.insert(dialog, call);
        self.events.push_back(Event::Incoming(incoming));
    }

    pub(super) fn acknowledged(&mut self, call: Option<CallKey>, number: u32, body: Vec<u8>, now: Instant) {
        let Some((key, call)) = call.and_then(|key| Some((key, self.calls.get_mut(key)?))) else { return };
        if call.invite_cseq != number || call.state == State::Ringing {
            return;
        }
        let is_first = call.repeat.take().is_some();
        let body = if std::mem::take(&mut call.offering) { body } else { Vec::new() };
        match call.state {
            State::Answered => {
                call.state = State::Confirmed;
                if call.ends {
                    return self.hang_up(key, now);
                }
                self.events.push_back(Event::Confirmed(key, body));
            }
            State::Refused => self.forget(key),
            State::Confirmed if is_first && !body.is_empty() => self.events.push_back(Event::Confirmed(key, body)),
            State::Ringing | State::Confirmed => {}
        }
    }

    /// 180, once the call is somebody's business.
    pub fn ring(&mut self, key: CallKey, now: Instant) {
        let Some(call) = self.calls.get_mut(key).filter(|call| call.state == State::Ringing) else { return };
        call.trying = None;
        if requires_ringing(&call.invite) {
            if call.offering {
                return;
            }
            return self.ring_reliably(key, now);
        }
        let contact = call.contact(&self.config, call.source);
        let ringing = response(&call.invite, call.source, 180, "Ringing", Some(&call.tag), &contact, "");
        self.transmits.push_back(ringing);
    }

    /// 200 with our description, until acknowledged.
    pub fn answer(&mut self, call: CallKey, description: &str, now: Instant) {
        let Some(call) = self.calls.get_mut(call).filter(|call| call.state == State::Ringing) else { return };
        let fields = call.contact(&self.config, call.source) + ALLOW + &call.timer_fields();
        let ok = response(&call.invite, call.source, 200, "OK", Some(&call.tag), &fields, description);
        description.clone_into(&mut call.description);
        (call.state, call.trying) = (State::Answered, None);
        self.late -= usize::from(std::mem::take(&mut call.late));
        if let Some(timer) = &mut call.timer {
            timer.begin(now);
        }
        call.say_until_acknowledged(&ok, now, true);
        self.transmits.push_back(ok);
    }

    /// A refusal, until acknowledged; one for want of room says when to come again (RFC 3261 §21.5.4).
    pub fn reject(&mut self, call: CallKey, code: u16, reason: &str, now: Instant) {
        let Some(call) = self.calls.get_mut(call).filter(|call| call.state == State::Ringing) else { return };
        let fields = if code == 503 { RETRY_LATER } else { "" };
        let refusal = response(&call.invite, call.source, code, reason, Some(&call.tag), fields, "");
        (call.state, call.trying) = (State::Refused, None);
        self.late -= usize::from(std::mem::take(&mut call.late));
        call.say_until_acknowledged(&refusal, now, call.source.transport == Transport::Udp);
        self.transmits.push_back(refusal);
    }
}
