//! Challenges within calls of ours (RFC 3261 §22): a carrier may want BYE, PRACK, UPDATE and re-INVITE proven like the INVITE. Who called
//! us is never shown any proof.

use std::fmt::Write as _;

use super::{
    Branch, CallKey, ClientTransaction, Endpoint, Instant, Message, Outgoing, StartLine, Target, Transmit,
    outgoing::PROOFS,
};
use crate::digest::{Challenge, Credentials, Proven};

/// By what a call of ours was proven, and to whom.
#[derive(Clone)]
pub(super) struct Prover {
    credentials: Credentials,
    realm: Option<String>,
}

impl Prover {
    pub(super) fn of(target: &Target) -> Option<Self> {
        let credentials = target.credentials.clone()?;
        Some(Self { credentials, realm: target.realm.clone() })
    }
}

/// The lines of a request by which it was proven, for the ACK of its answer (§13.2.2.4).
pub(super) fn shown(request: &[u8]) -> String {
    let Ok(request) = Message::parse(request) else { return String::new() };
    PROOFS.iter().fold(String::new(), |mut lines, (_, name)| {
        let field = name.to_ascii_lowercase();
        for value in request.headers(&field) {
            // Writing into a String can't fail.
            let _ = write!(lines, "{name}: {value}\r\n");
        }
        lines
    })
}

impl Endpoint {
    /// A challenge to this request of a call will be answered.
    pub(super) fn prove_later(&mut self, branch: Branch, call: CallKey, prover: Option<Prover>) {
        if let Some(client) = self.clients.get_mut(branch) {
            client.prover = prover.map(|prover| (call, prover));
        }
    }

    /// Asks again with proof (§22.2), once: the same request by the next number. False where that can't be proven.
    pub(super) fn prove_within(
        &mut self,
        branch: Branch,
        client: &ClientTransaction,
        refusal: &Message,
        now: Instant,
    ) -> bool {
        let Some((call, prover)) = &client.prover else { return false };
        let (asked, name) = match refusal.start {
            StartLine::Response { code: 401 } => PROOFS[0],
            StartLine::Response { code: 407 } => PROOFS[1],
            StartLine::Request { .. } | StartLine::Response { .. } => return false,
        };
        let Some(challenge) = Challenge::best(refusal.headers(asked), prover.realm.as_deref()) else { return false };
        let Ok(request) = Message::parse(&client.repeat.transmit.bytes) else { return false };
        let (StartLine::Request { method, uri }, Some((number, _))) = (&request.start, request.cseq()) else {
            return false;
        };
        let cnonce = self.new_tag();
        let proof = challenge.answer(&prover.credentials, Proven { method, uri, body: &request.body }, 1, &cnonce);
        let (again, next) = (self.new_branch(), self.number_after(*call, number));
        let line = |number: u32| format!("CSeq: {number} {method}\r\n");
        let text = String::from_utf8_lossy(&client.repeat.transmit.bytes)
            .replacen(&branch.to_string(), &again.to_string(), 1)
            .replacen(&line(number), &format!("{}{name}: {proof}\r\n", line(next)), 1);
        let transmit = Transmit { bytes: text.into_bytes(), ..client.repeat.transmit.clone() };
        self.begin(again, client.call, transmit, now);
        true
    }

    /// The next number of a call's requests, where it stands or rings; else of the one that ended it.
    fn number_after(&mut self, call: CallKey, number: u32) -> u32 {
        if let Some(known) = self.calls.get_mut(call) {
            known.our_cseq += 1;
            return known.our_cseq;
        }
        let ringing = self.calling.get(&call).copied().and_then(|branch| self.outgoing.get_mut(branch));
        ringing.map_or(number + 1, Outgoing::next_number)
    }
}
