//! Calls that are handed on: REFER with its NOTIFYs (RFC 3515, RFC 4488), and the INVITE that replaces a call (RFC 3891).

use std::collections::VecDeque;

use super::{
    CallKey, Endpoint, Event, Instant, KEPT, Message, Source, State, TransactionKey, transaction_key,
    write::{self, response},
};
use crate::message::{address_uri, list, parameter, unescaped, uri_number};

/// Calls that have ended and are remembered: who wants to replace one hears that it is over, not that there was none. More remember
/// longer, at some hundred bytes each.
const ENDED_MAX: usize = 1_024;

/// How long whoever hands on is told what becomes of it: longer than any telephone rings.
const SUBSCRIBED_S: u32 = 180;

/// A call in the words of whoever is to give it up (RFC 3891 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    call_id: String,
    /// His own tag.
    to_tag: String,
    from_tag: String,
    /// Only while it rings.
    early_only: bool,
}

impl Replaces {
    pub(super) fn parse(value: &str) -> Option<Self> {
        // It may go into a request of ours: nothing of it ends a line or begins another value.
        let is_plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !";,".contains(c));
        let call_id = value.split(';').next().unwrap_or_default().trim();
        let (to_tag, from_tag) = (parameter(value, "to-tag")?, parameter(value, "from-tag")?);
        let early_only = value.split(';').skip(1).any(|flag| flag.trim().eq_ignore_ascii_case("early-only"));
        let owned = |text: &str| is_plain(text).then(|| text.to_owned());
        Some(Self { call_id: owned(call_id)?, to_tag: owned(to_tag)?, from_tag: owned(from_tag)?, early_only })
    }

    /// Whole lines: who doesn't know it must not take the call for a new one.
    pub(super) fn fields(&self) -> String {
        let early_only = if self.early_only { ";early-only" } else { "" };
        let Self { call_id, to_tag, from_tag, .. } = self;
        format!("Replaces: {call_id};to-tag={to_tag};from-tag={from_tag}{early_only}\r\nRequire: replaces\r\n")
    }
}

/// Whom somebody in a call is to be put through to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// The user part of Refer-To, or its telephone number. A stranger's text.
    pub number: String,
    /// A call of whoever hands on with that one, which ours is to replace (RFC 5589 §7).
    pub replaces: Option<Replaces>,
}

impl Referral {
    /// Of Refer-To; else the code and reason it is refused by.
    fn parse(value: &str) -> Result<Self, (u16, &'static str)> {
        let uri = address_uri(value);
        let (address, fields) = uri.split_once('?').unwrap_or((uri, ""));
        let scheme = address.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if !["sip", "sips", "tel"].contains(&scheme.as_str()) {
            return Err((416, "Unsupported URI Scheme"));
        }
        let number = uri_number(address).ok_or((404, "Not Found"))?;
        // Nothing but calls is begun for others.
        if parameter(address, "method").is_some_and(|method| method != "INVITE") {
            return Err((403, "Forbidden"));
        }
        let replaces = fields.split('&').find_map(|field| {
            let (name, value) = field.split_once('=')?;
            name.eq_ignore_ascii_case("replaces").then(|| Replaces::parse(&unescaped(value)))
        });
        match replaces {
            Some(None) => Err((400, "Bad Replaces")),
            replaces => Ok(Self { number, replaces: replaces.flatten() }),
        }
    }
}

/// A REFER that waits for its answer.
pub(super) struct Referring {
    message: Message,
    source: Source,
    key: TransactionKey,
    /// Nobody wants to hear what becomes of it (RFC 4488).
    quiet: bool,
    cseq: u32,
}

/// Who is told what becomes of a REFER.
pub(super) struct Subscription {
    /// Which of his REFERs; the first needs no name (RFC 3515 §2.4.6).
    id: Option<u32>,
}

/// Dialogs that are over, by Call-ID, their tag and ours.
#[derive(Default)]
pub(super) struct Ended(VecDeque<(String, String, String)>);

impl Ended {
    pub(super) fn note(&mut self, (call_id, their_tag): (String, String), our_tag: String) {
        if self.0.len() >= ENDED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((call_id, their_tag, our_tag));
    }

    fn has(&self, replaces: &Replaces) -> bool {
        let is_it = |(call_id, their_tag, our_tag): &(String, String, String)| {
            (call_id, their_tag, our_tag) == (&replaces.call_id, &replaces.from_tag, &replaces.to_tag)
        };
        self.0.iter().any(is_it)
    }
}

impl Endpoint {
    pub(super) fn refer(
        &mut self,
        source: Source,
        mut message: Message,
        key: &TransactionKey,
        call: Option<CallKey>,
        number: u32,
        now: Instant,
    ) {
        let Some((call, known)) = call.and_then(|call| Some((call, self.calls.get_mut(call)?))) else {
            // Strangers have nobody called by us.
            let (code, reason) = match message.tag("to") {
                Some(_) => (481, "Call/Transaction Does Not Exist"),
                None => (403, "Forbidden"),
            };
            return self.answer_lightly(source, &message, key, code, reason, "", now);
        };
        if known.referring.as_ref().is_some_and(|pending| pending.key == *key) {
            return;
        }
        if number <= known.their_cseq {
            return self.answer_plainly(source, &message, key, 500, "Server Internal Error", now);
        }
        known.their_cseq = number;
        let is_settled = matches!(known.state, State::Answered | State::Confirmed);
        if !is_settled || known.referring.is_some() || known.subscription.is_some() {
            return self.answer_plainly(source, &message, key, 491, "Request Pending", now);
        }
        // §2.4.2: one, and nothing that can't be read.
        let to: Vec<&str> = message.headers("refer-to").flat_map(list).collect();
        let referral = match to[..] {
            [to] => Referral::parse(to),
            _ => Err((400, "Bad Refer-To")),
        };
        let referral = match referral {
            Ok(referral) => referral,
            Err((code, reason)) => return self.answer_plainly(source, &message, key, code, reason, now),
        };
        let quiet = message.header("refer-sub").is_some_and(|told| told.eq_ignore_ascii_case("false"));
        message.keep(&KEPT);
        known.referring = Some(Referring { message, source, key: key.clone(), quiet, cseq: number });
        self.events.push_back(Event::Referred(call, referral));
    }

    /// Answers [`Event::Referred`]; 202 where it is tried, then [`Self::notify`] tells what becomes of it.
    pub fn answer_refer(&mut self, call: CallKey, code: u16, reason: &str, now: Instant) {
        let Some(known) = self.calls.get_mut(call) else { return };
        let Some(Referring { message, source, key, quiet, cseq }) = known.referring.take() else { return };
        if code >= 300 {
            return self.answer_plainly(source, &message, &key, code, reason, now);
        }
        let fields = known.contact(&self.config, source) + if quiet { "Refer-Sub: false\r\n" } else { "" };
        let accepted = response(&message, source, code, reason, Some(&known.tag), &fields, "");
        let is_first = !std::mem::replace(&mut known.referred, true);
        known.subscription = (!quiet).then(|| Subscription { id: (!is_first).then_some(cseq) });
        self.remember(key, accepted.clone(), now);
        self.transmits.push_back(accepted);
        self.notify(call, 100, "Trying", now);
    }

    /// Tells who handed on what becomes of it (RFC 3515 §2.4.5): the last time where the code is final.
    pub fn notify(&mut self, call: CallKey, code: u16, reason: &str, now: Instant) {
        let branch = self.new_branch();
        let Some(known) = self.calls.get_mut(call) else { return };
        let Some(Subscription { id }) = &known.subscription else { return };
        let id = id.map(|id| format!(";id={id}")).unwrap_or_default();
        let state = if code < 200 {
            format!("active;expires={SUBSCRIBED_S}")
        } else {
            known.subscription = None;
            "terminated;reason=noresource".to_owned()
        };
        known.our_cseq += 1;
        let fields =
            format!("{}Event: refer{id}\r\nSubscription-State: {state}\r\n", known.contact(&self.config, known.source));
        let body = ("message/sipfrag;version=2.0", format!("SIP/2.0 {code} {reason}\r\n"));
        let notify =
            write::request_with(&self.config, known, "NOTIFY", known.our_cseq, branch, &fields, (body.0, &body.1));
        let prover = known.prover.clone();
        // A subscription its owner has forgotten ends no call.
        self.begin(branch, None, notify, now);
        self.prove_later(branch, call, prover);
    }

    /// A REFER of a call that ends is not left without an answer.
    pub(super) fn end_referring(&mut self, call: CallKey, now: Instant) {
        let pending = self.calls.get_mut(call).and_then(|call| call.referring.take());
        if let Some(Referring { message, source, key, .. }) = pending {
            self.answer_plainly(source, &message, &key, 487, "Request Terminated", now);
        }
    }

    /// The call a new one is to replace, if any; else the code and reason it is refused by (RFC 3891 §3). Whoever knows both tags is
    /// believed: ours is drawn, and told to nobody else.
    pub(super) fn replaced(&self, invite: &Message) -> Result<Option<CallKey>, (u16, &'static str)> {
        let values: Vec<&str> = invite.headers("replaces").flat_map(list).collect();
        let replaces = match values[..] {
            [] => return Ok(None),
            [one] => Replaces::parse(one).ok_or((400, "Bad Replaces"))?,
            _ => return Err((400, "Bad Replaces")),
        };
        let dialog = (replaces.call_id.clone(), replaces.from_tag.clone());
        let known = self.by_dialog.get(&dialog).and_then(|call| Some((*call, self.calls.get(*call)?)));
        match known.filter(|(_, known)| known.tag == replaces.to_tag).map(|(call, known)| (call, known.state)) {
            Some((call, _)) if self.calls.get(call).is_some_and(|known| known.ends) => Err((603, "Decline")),
            Some((_, State::Answered | State::Confirmed)) if replaces.early_only => Err((486, "Busy Here")),
            Some((call, State::Answered | State::Confirmed)) => Ok(Some(call)),
            Some((_, State::Refused)) => Err((603, "Decline")),
            Some((_, State::Ringing)) => Err((481, "Call/Transaction Does Not Exist")),
            // Whom we call is called for himself: his ringing telephone is picked up by nobody else.
            None if self.is_early(&dialog, &replaces.to_tag) || self.ended.has(&replaces) => Err((603, "Decline")),
            None => Err((481, "Call/Transaction Does Not Exist")),
        }
    }

    pub(super) fn is_early(&self, dialog: &(String, String), our_tag: &str) -> bool {
        let outgoing = self.early.get(dialog).and_then(|branch| self.outgoing.get(*branch));
        outgoing.is_some_and(|outgoing| outgoing.tag() == our_tag)
    }

    /// Whether a request is the one that waits for its answer, come again.
    pub(super) fn is_pending(&self, call: CallKey, key: &TransactionKey) -> bool {
        let pending = self.calls.get(call).and_then(|known| known.reinvite.as_ref());
        pending.and_then(|(message, _)| transaction_key(message)).as_ref() == Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_somebody_is_put_through_to_is_read() {
        let check = |value: &str, expected: Result<(&str, Option<&str>), u16>| {
            let read = Referral::parse(value).map_err(|(code, _)| code);
            let read = read.map(|read| (read.number, read.replaces.map(|replaces| replaces.fields())));
            assert_eq!(
                read,
                expected.map(|(number, fields)| (number.to_owned(), fields.map(str::to_owned))),
                "{value}"
            );
        };
        check("<sip:123456789@h;user=phone>", Ok(("123456789", None)));
        check("\"A, B\" <sip:%2B8613812345678@h>;x=y", Ok(("+8613812345678", None)));
        check("sip:8001@h", Ok(("8001", None)));
        check("<tel:+8613812345678;phone-context=x>", Ok(("+8613812345678", None)));
        check(
            "<sip:8001@h?Subject=x&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>",
            Ok(("8001", Some("Replaces: a@b;to-tag=1;from-tag=2\r\nRequire: replaces\r\n"))),
        );
        check("<sip:h>", Err(404));
        check("<mailto:a@b>", Err(416));
        check("<sip:8001@h;method=BYE>", Err(403));
        for bad in ["a", "a%3Bto-tag%3D1", "a%0D%0AX%3A1%3Bto-tag%3D1%3Bfrom-tag%3D2", "%3Bto-tag%3D1%3Bfrom-tag%3D2"] {
            check(&format!("<sip:8001@h?Replaces={bad}>"), Err(400));
        }
    }
}
