//! Final answers, given again when their requests come again (RFC 3261 §17.2), and those for which nothing is kept (§8.2.7).

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    ALLOW, Endpoint, Instant, Lookup, Message, Source, TIMEOUT, TransactionKey, Transmit, Transport, VecDeque,
    write::response,
};

/// Answers kept for retransmitted requests; the oldest are forgotten first.
const ANSWERS_MAX: usize = 8192;

/// Bytes of an answer with its name, from which on it isn't kept: it copies what its request brought, and strangers would choose how much
/// all of them weigh. What calls are answered has one to two thousand.
const BYTES_MAX: usize = 4096;

/// A final answer that is given again when the request comes again.
pub(super) struct Answered {
    pub(super) transmit: Transmit,
    pub(super) until: Instant,
}

/// All of them.
#[derive(Default)]
pub(super) struct Answers {
    kept: Lookup<TransactionKey, Answered>,
    order: VecDeque<TransactionKey>,
}

impl Answers {
    /// What a request was answered that comes again. A branch of another peer is another's, whatever it says.
    pub(super) fn get(&self, key: &TransactionKey, source: Source) -> Option<&Transmit> {
        let is_his = |to: Source| {
            (to.transport, to.peer.ip()) == (source.transport, source.peer.ip())
                && (source.transport == Transport::Udp || to.peer == source.peer)
        };
        self.kept.get(key).map(|answered| &answered.transmit).filter(|transmit| is_his(transmit.to))
    }

    fn keep(&mut self, key: TransactionKey, transmit: Transmit, now: Instant) {
        if transmit.bytes.len() + 2 * (key.0.len() + key.1.len() + key.2.len()) > BYTES_MAX {
            return;
        }
        while self.order.len() >= ANSWERS_MAX
            || self.order.front().and_then(|key| self.kept.get(key)).is_some_and(|answered| answered.until <= now)
        {
            let Some(oldest) = self.order.pop_front() else { break };
            self.kept.remove(&oldest);
        }
        if self.kept.insert(key.clone(), Answered { transmit, until: now + TIMEOUT }).is_none() {
            self.order.push_back(key);
        }
    }

    /// How many, and their bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.kept.len(), self.kept.values().map(|answered| answered.transmit.bytes.capacity()).sum())
    }
}

impl Endpoint {
    pub(super) fn answer_plainly(
        &mut self,
        source: Source,
        to: &Message,
        key: &TransactionKey,
        code: u16,
        reason: &str,
        now: Instant,
    ) {
        self.answer_with(source, to, key, code, reason, "", now);
    }

    pub(super) fn answer_with(
        &mut self,
        source: Source,
        to: &Message,
        key: &TransactionKey,
        code: u16,
        reason: &str,
        fields: &str,
        now: Instant,
    ) {
        if to.method() == "ACK" {
            return;
        }
        let tag = self.new_tag();
        let transmit = answer(source, to, code, reason, &tag, fields);
        self.remember(key.clone(), transmit.clone(), now);
        self.transmits.push_back(transmit);
    }

    /// The same for what changes nothing: nothing is kept, and it is answered alike when it comes again (§8.2.7). What an INVITE is answered
    /// is kept: its ACK belongs to it.
    pub(super) fn answer_lightly(
        &mut self,
        source: Source,
        to: &Message,
        key: &TransactionKey,
        code: u16,
        reason: &str,
        fields: &str,
        now: Instant,
    ) {
        match to.method() {
            "ACK" => {}
            "INVITE" => self.answer_with(source, to, key, code, reason, fields, now),
            _ => {
                let mut hasher = DefaultHasher::new();
                (self.config.seed, key).hash(&mut hasher);
                let tag = format!("{:016x}", hasher.finish());
                self.transmits.push_back(answer(source, to, code, reason, &tag, fields));
            }
        }
    }

    /// A request within a dialog that isn't there (§12.2.2, §15.1.2).
    pub(super) fn answer_unknown(&mut self, source: Source, to: &Message, key: &TransactionKey, now: Instant) {
        self.answer_lightly(source, to, key, 481, "Call/Transaction Does Not Exist", "", now);
    }

    pub(super) fn remember(&mut self, key: TransactionKey, transmit: Transmit, now: Instant) {
        self.answers.keep(key, transmit, now);
    }
}

fn answer(source: Source, to: &Message, code: u16, reason: &str, tag: &str, fields: &str) -> Transmit {
    response(to, source, code, reason, Some(tag), &format!("{fields}{ALLOW}Accept: application/sdp\r\n"), "")
}
