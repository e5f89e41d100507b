//! Requests of ours that begin something: calls (RFC 3261 §13.2, §17.1.1), registrations (§10.2) and OPTIONS (§11.1),
//! with the answers to challenges (§22).

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write as _, net::SocketAddr};

use super::{
    Answered, Branch, Call, CallKey, Due, Duration, Endpoint, Event, Instant, Message, Prover, Repeat, Replaces,
    Source, State, T1, T2, TIMEOUT, TransactionKey, Transmit, Transport,
    in_dialog::{SESSION, SessionTimer, first_repeat, min_se},
    registrar::{PREFERRED, thousandths},
    ways::host_and_port,
    write::{self, Heading, transaction_key},
};
use crate::{
    digest::{Challenge, Credentials, Proven},
    message::{address_uri, list, parameter, split_address, uri_number},
};

/// How long a called telephone may ring before the call is given up: proxies give it no longer (§16.6 item 11).
const RINGING_MAX: Duration = Duration::from_secs(180);

/// Challenges of one side answered for one request: the second for a nonce that was too old.
const CHALLENGES_MAX: u8 = 2;

/// Telephones of one call that ring at once and are answered for what they say; more ring unheard.
const EARLY_MAX: usize = 16;

/// Reliable provisional answers of one call that are acknowledged (RFC 3262); nobody has more to say before he is answered.
const PRACKS_MAX: u32 = 100;

/// Proxies a request may be asked to go by. A longer way would be a loop, or somebody's joke.
const PROXIES_MAX: usize = 8;

/// Bytes of a call's INVITE from which on it goes by TCP rather than in pieces over UDP, which many a firewall drops (§18.1.1).
const LARGE: usize = 1_300;

/// How long a server that takes no connection is sent large ones by UDP without another try.
const UDP_ALONE: Duration = Duration::from_secs(600);

/// Servers of that kind that are remembered; of more, each is tried anew.
const UDP_ALONE_MAX: usize = 64;

/// Places of a redirected call that are looked at; the others would not be tried.
const CONTACTS_MAX: usize = 8;

/// ACKs kept for answers that are repeated.
const ACKS_MAX: usize = 4096;

/// One request of ours outside of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey(u64);

/// To whom a request of ours goes, and as whom. Texts go into header fields: nothing of them may be a stranger's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// On which transport, from which of our sockets, to which address.
    pub way: Source,
    /// The Request-URI.
    pub uri: String,
    /// The URI in From.
    pub from: String,
    /// The URI in To.
    pub to: String,
    /// The user part of our Contact.
    pub contact: String,
    /// The same for all registrations of one account (§10.2); drawn where empty.
    pub call_id: String,
    /// To answer challenges with.
    pub credentials: Option<Credentials>,
    /// Whose challenges are answered (§22.1); anybody's where not set.
    pub realm: Option<String>,
    /// The call of somebody else's that this one is to replace (RFC 3891).
    pub replaces: Option<Replaces>,
    /// The same by TCP, for an INVITE that is too large for UDP; none where somebody has said that it is to be UDP.
    pub large: Option<Source>,
    /// By which proxies it is to go, each a value of Route: the Path of a registration (RFC 3327), or the Service-Route we
    /// were given (RFC 3608).
    pub routes: Vec<String>,
}

impl Target {
    /// Whoever has this URI, as whoever has that one, without proof and straight.
    #[must_use]
    pub fn new(way: Source, uri: impl Into<String>, from: impl Into<String>, contact: impl Into<String>) -> Self {
        let uri = uri.into();
        Self {
            way,
            to: uri.clone(),
            uri,
            from: from.into(),
            contact: contact.into(),
            call_id: String::new(),
            credentials: None,
            realm: None,
            replaces: None,
            large: None,
            routes: Vec::new(),
        }
    }
}

/// Where somebody is said to be who is called. A stranger's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Of the scheme it was written in.
    pub uri: String,
    /// Its user part, or its telephone number; empty where it has none.
    pub number: String,
    /// Host and port as they stand; of a telephone number, itself.
    pub host: String,
}

/// What was answered to a request outside of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 699; 408 where nobody answered.
    pub code: u16,
    /// Seconds until a registration expires, where the answer says so.
    pub expires: Option<u32>,
    /// The shortest registration that is taken (`Min-Expires`, §20.23), where the answer says so.
    pub min_expires: Option<u32>,
    /// By which proxies our requests are to go while this registration stands (RFC 3608 §5).
    pub service_route: Vec<String>,
    /// Seconds for which a server without room (503) is to be left alone (§21.5.4), where it says so.
    pub retry_after: Option<u32>,
}

impl Answer {
    /// Of a code alone.
    pub(super) fn of(code: u16) -> Self {
        Self { code, expires: None, min_expires: None, service_route: Vec::new(), retry_after: None }
    }
}

/// §20.33, of a 503 alone: elsewhere it is of whoever is called, and not of the server. A comment or a parameter may follow.
fn retry_after(code: u16, message: &Message) -> Option<u32> {
    let said = message.header("retry-after").filter(|_| code == 503)?.trim_start();
    said.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What may be asked outside of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// To be reached here for so many seconds; 0: no longer.
    Register {
        /// `Expires` (§20.19).
        expires: u32,
    },
    /// Whether somebody is there.
    Options,
}

/// A request under way.
pub(super) struct Outgoing {
    wanted: Wanted,
    cseq: u32,
    /// What was proven with it, in whole lines.
    proof: String,
    repeat: Repeat,
    /// A provisional answer came.
    proceeding: bool,
    /// Nobody waits for its answer any more.
    canceled: bool,
    /// Who has rung, by tag: proxies may let many ring (§12.1.2).
    early: BTreeMap<String, Early>,
    /// Requests sent to these: the dialog's numbers go on from there.
    pracks: u32,
}

/// What is asked, and asked again where more has to be said.
struct Wanted {
    target: Target,
    whose: Whose,
    tag: String,
    /// Whole lines.
    fields: String,
    /// What we offer, in an INVITE.
    body: String,
    /// Asked for in an INVITE (RFC 4028).
    session: Duration,
    /// By each of [`PROOFS`].
    challenged: [Challenged; 2],
    /// It has grown too large for this way, and goes by TCP.
    outgrown: Option<Source>,
}

/// The fields by which proof is asked for and given: by the server itself, and by a proxy before it (§22.2, §22.3). One request may
/// have to show both.
pub(super) const PROOFS: [(&str, &str); 2] =
    [("www-authenticate", "Authorization"), ("proxy-authenticate", "Proxy-Authorization")];

/// Who wants proof, if anybody does.
#[derive(Default)]
struct Challenged {
    newest: Option<Challenge>,
    /// Of these.
    answered: u8,
    /// How often the nonce of the newest was used.
    uses: u32,
}

/// Where a call of ours rings.
#[derive(Default)]
struct Early {
    /// The newest provisional answer that was acknowledged (RFC 3262 §4); none yet where 0.
    rseq: u32,
    /// His answer, where it came before the call was taken (RFC 3262 §5), or his newest offer that was answered since.
    answer: Vec<u8>,
    /// What was answered to that; empty where it is still our offer.
    said: String,
    /// An UPDATE with one that waits for its answer (RFC 3311 §5.2).
    update: Option<(Message, Source)>,
    /// The newest of them.
    their_cseq: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Call(CallKey),
    Request(RequestKey, &'static str),
}

impl Whose {
    fn method(self) -> &'static str {
        match self {
            Self::Call(_) => "INVITE",
            Self::Request(_, method) => method,
        }
    }
}

impl Outgoing {
    pub(super) fn tag(&self) -> &str {
        &self.wanted.tag
    }

    pub(super) fn way(&self) -> Source {
        self.wanted.target.way
    }

    pub(super) fn whose(&self) -> Whose {
        self.wanted.whose
    }

    pub(super) fn is_proceeding(&self) -> bool {
        self.proceeding
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.canceled
    }

    /// Of the next request to somebody who rings.
    pub(super) fn next_number(&mut self) -> u32 {
        self.pracks += 1;
        self.cseq + self.pracks
    }

    /// It goes by TCP for its size alone.
    pub(super) fn is_outgrown(&self) -> bool {
        self.wanted.outgrown.is_some()
    }
}

impl Due for Outgoing {
    fn due(&self) -> Option<Instant> {
        Some(self.repeat.due())
    }
}

impl Endpoint {
    /// Calls somebody. [`Event::Trying`], [`Event::Rings`], then [`Event::Answered`] or [`Event::Refused`] follow, unless it is hung up
    /// before. None where there are too many calls.
    pub fn call(&mut self, target: Target, offer: &str, now: Instant) -> Option<CallKey> {
        if self.calls.len() + self.outgoing.len() >= self.config.limits.calls_max {
            return None;
        }
        self.last_call += 1;
        let key = CallKey(self.last_call);
        let replaces = target.replaces.as_ref().map(Replaces::fields).unwrap_or_default();
        let fields = write::contact_as(&self.config, target.way, &target.contact) + super::ALLOW + &replaces;
        self.ask_anew(target, Whose::Call(key), fields, offer.to_owned(), now);
        Some(key)
    }

    /// Asks something outside of calls; [`Event::Responded`] follows.
    pub fn ask(&mut self, target: Target, question: Question, now: Instant) -> RequestKey {
        self.guard.believe(target.way.peer.ip());
        // None of these is large.
        let target = Target { large: None, ..target };
        self.last_call += 1;
        let key = RequestKey(self.last_call);
        let (method, fields) = match question {
            Question::Register { expires } => {
                let contact = write::contact_as(&self.config, target.way, &target.contact);
                ("REGISTER", format!("{contact}Expires: {expires}\r\nSupported: path\r\n"))
            }
            Question::Options => ("OPTIONS", "Accept: application/sdp\r\n".to_owned()),
        };
        self.ask_anew(target, Whose::Request(key, method), fields, String::new(), now);
        key
    }

    fn ask_anew(&mut self, mut target: Target, whose: Whose, fields: String, body: String, now: Instant) {
        if target.call_id.is_empty() {
            target.call_id = self.new_tag();
        }
        let tag = self.new_tag();
        let challenged = Default::default();
        self.send(Wanted { target, whose, tag, fields, body, session: SESSION, challenged, outgrown: None }, now);
    }

    /// A large INVITE can't be had by TCP: it goes in pieces (§18.1.1).
    pub(super) fn send_in_pieces(&mut self, outgoing: Outgoing, now: Instant) {
        let Outgoing { mut wanted, .. } = outgoing;
        let Some(way) = wanted.outgrown.take() else { return };
        self.udp_alone.retain(|_, until| *until > now);
        if self.udp_alone.len() < UDP_ALONE_MAX {
            self.udp_alone.insert(way.peer, now + UDP_ALONE);
        }
        (wanted.target.way, wanted.target.large) = (way, None);
        self.send(wanted, now);
    }

    fn takes_streams(&self, peer: SocketAddr, now: Instant) -> bool {
        self.udp_alone.get(&peer).is_none_or(|until| *until <= now)
    }

    fn send(&mut self, mut wanted: Wanted, now: Instant) {
        let (branch, proof) = (self.new_branch(), self.prove(&mut wanted));
        let Wanted { target, whose, tag, fields, body, session, .. } = &wanted;
        self.guard.trust(target.way.peer.ip());
        self.last_cseq = self.last_cseq.wrapping_add(1) & 0x7fff_ffff;
        let cseq = self.last_cseq;
        let heading = Heading { method: whose.method(), branch, tag, to_tag: None, cseq };
        let (interval_max, session) = match whose {
            Whose::Call(_) => (TIMEOUT, SessionTimer::asked(*session)),
            Whose::Request(..) => (T2, String::new()),
        };
        let fields = format!("{proof}{fields}{session}");
        let mut transmit = write::beginning(&self.config, target, &heading, &fields, body);
        if transmit.bytes.len() > LARGE
            && let Some(large) = target.large.filter(|_| target.way.transport == Transport::Udp)
            && self.takes_streams(target.way.peer, now)
        {
            let grown = Target { way: large, ..target.clone() };
            transmit = write::beginning(&self.config, &grown, &heading, &fields, body);
            wanted.outgrown = Some(std::mem::replace(&mut wanted.target, grown).way);
        }
        transmit.reconnect = wanted.outgrown.map(|way| way.peer);
        let next = first_repeat(wanted.target.way.transport, now);
        let repeat = Repeat { transmit: transmit.clone(), next, interval: T1, interval_max, until: now + TIMEOUT };
        self.transmits.push_back(transmit);
        if let Whose::Call(call) = wanted.whose {
            self.calling.insert(call, branch);
        }
        let (early, pracks) = (BTreeMap::new(), 0);
        let outgoing = Outgoing { wanted, cseq, proof, repeat, proceeding: false, canceled: false, early, pracks };
        self.outgoing.insert(branch, outgoing);
    }

    /// Gives up a call of ours that isn't answered (§9.1); false where there is none.
    pub(super) fn cancel_outgoing(&mut self, call: CallKey, now: Instant) -> bool {
        let Some(branch) = self.calling.get(&call).copied() else { return false };
        let Some(outgoing) = self.outgoing.get_mut(branch).filter(|outgoing| !outgoing.canceled) else { return false };
        outgoing.canceled = true;
        // Before a provisional answer there may be nothing yet that could be canceled.
        if outgoing.proceeding {
            self.send_cancel(branch, now);
        }
        true
    }

    /// Forgets a request that is over.
    pub(super) fn end_outgoing(&mut self, branch: Branch) -> Option<Outgoing> {
        let outgoing = self.outgoing.remove(branch)?;
        if let Whose::Call(call) = outgoing.wanted.whose {
            self.calling.remove(&call);
        }
        for tag in outgoing.early.keys() {
            self.early.remove(&(outgoing.wanted.target.call_id.clone(), tag.clone()));
        }
        Some(outgoing)
    }

    fn send_cancel(&mut self, branch: Branch, now: Instant) {
        let Some(outgoing) = self.outgoing.get_mut(branch) else { return };
        outgoing.repeat.until = now + TIMEOUT;
        outgoing.repeat.next = outgoing.repeat.until;
        let heading =
            Heading { method: "CANCEL", branch, tag: &outgoing.wanted.tag, to_tag: None, cseq: outgoing.cseq };
        let cancel = write::beginning(&self.config, &outgoing.wanted.target, &heading, "", "");
        self.begin(branch, None, cancel, now);
    }

    /// A response to one of these; false where it is to none.
    pub(super) fn outgoing_response(&mut self, code: u16, message: &Message, now: Instant) -> bool {
        let Some(branch) = message.branch().and_then(Branch::of_ours) else { return false };
        let to_tag = message.tag("to").unwrap_or_default().to_owned();
        if let Some(ack) = self.acks.get(&(branch, to_tag.clone())) {
            if message.method() == "INVITE" && code >= 200 {
                self.transmits.push_back(ack.transmit.clone());
            }
            return message.method() == "INVITE";
        }
        let Some(outgoing) =
            self.outgoing.get_mut(branch).filter(|known| known.wanted.whose.method() == message.method())
        else {
            let is_answer = message.method() == "INVITE" && (200..300).contains(&code);
            return is_answer && self.let_go(branch, message, &to_tag, now);
        };
        if code < 200 {
            self.provisional(branch, code, message, &to_tag, now);
            return true;
        }
        let whose = outgoing.wanted.whose;
        match whose {
            Whose::Call(call) => self.final_answer(branch, call, code, message, &to_tag, now),
            Whose::Request(key, _) => {
                if matches!(code, 401 | 407) && self.answer_challenge(branch, code, message, now) {
                    return true;
                }
                if let Some(outgoing) = self.end_outgoing(branch) {
                    let ours =
                        write::contact_as(&self.config, outgoing.wanted.target.way, &outgoing.wanted.target.contact);
                    let expires = granted(message, ours.trim_start_matches("Contact: ").trim_end());
                    let min_expires = message.header("min-expires").and_then(|seconds| seconds.trim().parse().ok());
                    let service_route = way_by(message, "service-route");
                    let retry_after = retry_after(code, message);
                    let answer = Answer { code, expires, min_expires, service_route, retry_after };
                    self.events.push_back(Event::Responded(key, answer));
                }
            }
        }
        true
    }

    fn provisional(&mut self, branch: Branch, code: u16, message: &Message, to_tag: &str, now: Instant) {
        let Some(outgoing) = self.outgoing.get_mut(branch) else { return };
        let Whose::Call(call) = outgoing.wanted.whose else {
            outgoing.repeat.interval = T2;
            return;
        };
        let is_first = !std::mem::replace(&mut outgoing.proceeding, true);
        if outgoing.canceled {
            if is_first {
                self.send_cancel(branch, now);
            }
            return;
        }
        if is_first {
            outgoing.repeat.until = now + RINGING_MAX;
            outgoing.repeat.next = outgoing.repeat.until;
            self.events.push_back(Event::Trying(call));
        }
        if code > 100 && self.is_news(branch, message, to_tag, now) {
            self.events.push_back(Event::Rings(call));
        }
    }

    /// Remembers who rings, and acknowledges where that is required (RFC 3262 §4). False for what was heard before, or comes before
    /// its turn.
    fn is_news(&mut self, branch: Branch, message: &Message, to_tag: &str, now: Instant) -> bool {
        let prack_branch = self.new_branch();
        let Some(outgoing) = self.outgoing.get_mut(branch) else { return false };
        if to_tag.is_empty() || (outgoing.early.len() >= EARLY_MAX && !outgoing.early.contains_key(to_tag)) {
            return true;
        }
        let early = outgoing.early.entry(to_tag.to_owned()).or_default();
        self.early.insert((outgoing.wanted.target.call_id.clone(), to_tag.to_owned()), branch);
        let is_reliable = message.headers("require").flat_map(list).any(|option| option.eq_ignore_ascii_case("100rel"));
        let rseq = message.header("rseq").and_then(|rseq| rseq.trim().parse::<u32>().ok());
        let may_acknowledge = outgoing.pracks + 1 < PRACKS_MAX;
        let Some(rseq) = rseq.filter(|rseq| is_reliable && *rseq > 0 && may_acknowledge) else { return true };
        if early.rseq != 0 && early.rseq.checked_add(1) != Some(rseq) {
            return false;
        }
        early.rseq = rseq;
        if !message.body.is_empty() {
            early.answer.clone_from(&message.body);
        }
        let (cseq, fields) = (outgoing.next_number(), format!("RAck: {rseq} {} INVITE\r\n", outgoing.cseq));
        let whose = outgoing.wanted.whose;
        let is_carriers = self.guard.is_carrier(outgoing.wanted.target.way.peer.ip());
        let known = dialog(&outgoing.wanted.target, &outgoing.wanted.tag, cseq, message);
        let dialog = Call { is_carriers, ..known };
        let prack = write::request(&self.config, &dialog, "PRACK", cseq, prack_branch, &fields, "");
        self.begin(prack_branch, None, prack, now);
        if let Whose::Call(call) = whose {
            self.prove_later(prack_branch, call, dialog.prover);
        }
        true
    }

    /// Who rings offers anew. Before he has answered our offer there is no second (RFC 3311 §5.2).
    pub(super) fn early_offer(
        &mut self,
        source: Source,
        update: &Message,
        key: &TransactionKey,
        dialog: &(String, String),
        now: Instant,
    ) {
        let outgoing = self.early.get(dialog).and_then(|branch| self.outgoing.get_mut(*branch));
        let Some(outgoing) = outgoing else { return };
        let Whose::Call(call) = outgoing.wanted.whose else { return };
        let (Some(early), Some((number, _))) = (outgoing.early.get_mut(&dialog.1), update.cseq()) else { return };
        match &early.update {
            Some((pending, _)) if transaction_key(pending).as_ref() == Some(key) => {}
            Some(_) => {
                let later = "Retry-After: 2\r\n";
                self.answer_with(source, update, key, 500, "Server Internal Error", later, now);
            }
            None if number <= early.their_cseq => {
                self.answer_plainly(source, update, key, 500, "Server Internal Error", now);
            }
            None if early.answer.is_empty() => self.answer_plainly(source, update, key, 491, "Request Pending", now),
            None => {
                early.their_cseq = number;
                early.update = Some((update.clone(), source));
                self.events.push_back(Event::Reoffered(call, update.body.clone()));
            }
        }
    }

    /// See [`Self::answer_reoffer`].
    pub(super) fn answer_early_offer(&mut self, call: CallKey, description: Option<&str>, now: Instant) {
        let outgoing = self.calling.get(&call).and_then(|branch| self.outgoing.get_mut(*branch));
        let mut all = outgoing.into_iter().flat_map(|outgoing| outgoing.early.values_mut());
        let Some((early, (update, source))) = all.find_map(|early| early.update.take().map(|update| (early, update)))
        else {
            return;
        };
        let contact = write::contact(&self.config, source, false);
        let answer = match description {
            Some(text) => write::response(&update, source, 200, "OK", None, &contact, text),
            None => write::response(&update, source, 488, "Not Acceptable Here", None, "", ""),
        };
        if let Some(key) = transaction_key(&update) {
            if let Some(said) = description {
                (early.answer, early.said) = (update.body, said.to_owned());
            }
            self.remember(key, answer.clone(), now);
        }
        self.transmits.push_back(answer);
    }

    fn final_answer(
        &mut self,
        branch: Branch,
        call: CallKey,
        code: u16,
        message: &Message,
        to_tag: &str,
        now: Instant,
    ) {
        let Some(outgoing) = self.outgoing.get(branch) else { return };
        if code >= 300 {
            let heading =
                Heading { method: "ACK", branch, tag: &outgoing.wanted.tag, to_tag: Some(to_tag), cseq: outgoing.cseq };
            // §17.1.1.3: within the transaction.
            let ack = write::beginning(&self.config, &outgoing.wanted.target, &heading, "", "");
            let canceled = outgoing.canceled;
            self.acknowledge(branch, to_tag, ack, now);
            let goes_on = !canceled
                && match code {
                    401 | 407 => self.answer_challenge(branch, code, message, now),
                    422 => self.lengthen(branch, message, now),
                    _ => false,
                };
            if goes_on {
                return;
            }
            self.end_outgoing(branch);
            if !canceled {
                if (300..400).contains(&code) {
                    self.events.push_back(Event::Redirected(call, contacts(message)));
                }
                if let Some(seconds) = retry_after(code, message) {
                    self.events.push_back(Event::RetryAfter(call, seconds));
                }
                self.events.push_back(Event::Refused(call, code));
            }
            return;
        }
        let Some(outgoing) = self.end_outgoing(branch) else { return };
        let Outgoing { wanted, cseq, proof, canceled, mut early, pracks, .. } = outgoing;
        let Wanted { target, tag, body, session, .. } = wanted;
        let timer = SessionTimer::of_answer(message, now).unwrap_or_else(|| SessionTimer::own(session, now));
        let early = early.remove(to_tag).unwrap_or_default();
        let description = if early.said.is_empty() { body } else { early.said };
        let is_carriers = self.guard.is_carrier(target.way.peer.ip());
        let known = dialog(&target, &tag, cseq + pracks, message);
        let mut known = Call { description, timer: Some(timer), is_carriers, ..known };
        let newest = early.update.as_ref().map_or(early.answer, |(update, _)| update.body.clone());
        (known.their_cseq, known.reinvite) = (early.their_cseq, early.update);
        let ack_branch = self.new_branch();
        // §13.2.2.4: with what proved the INVITE.
        let ack = write::request(&self.config, &known, "ACK", cseq, ack_branch, &proof, "");
        self.acknowledge(branch, to_tag, ack, now);
        self.by_dialog.insert(super::dialog_of(&known.invite), call);
        self.calls.insert(call, known);
        // Answered in the very moment it was given up.
        if canceled {
            self.hang_up(call, now);
        } else {
            // What came before is the answer (RFC 3262 §5); a second one says the same.
            let answer = if newest.is_empty() { message.body.clone() } else { newest };
            self.events.push_back(Event::Answered(call, answer));
        }
    }

    /// A proxy let several telephones ring and one more was taken at the same moment (§13.2.2.4): it is acknowledged and hung up. False
    /// where no call of ours was.
    fn let_go(&mut self, branch: Branch, answer: &Message, to_tag: &str, now: Instant) -> bool {
        let mut taken = self.acks.range((branch, String::new())..).take_while(|((of, _), _)| *of == branch);
        let Some(way) = taken.next().map(|(_, ack)| ack.transmit.to).filter(|_| taken.count() < EARLY_MAX) else {
            return false;
        };
        let named = |name: &str| answer.uri(name).unwrap_or_default().to_owned();
        let (Some((cseq, _)), Some(tag)) = (answer.cseq(), answer.tag("from")) else { return false };
        let call_id = answer.header("call-id").unwrap_or_default().to_owned();
        let target = Target { call_id, ..Target::new(way, named("to"), named("from"), "") };
        // Beyond what he may have been sent while he rang.
        let is_carriers = self.guard.is_carrier(way.peer.ip());
        let known = Call { is_carriers, ..dialog(&target, tag, cseq.saturating_add(PRACKS_MAX), answer) };
        let (ack_branch, bye_branch) = (self.new_branch(), self.new_branch());
        let ack = write::request(&self.config, &known, "ACK", cseq, ack_branch, "", "");
        self.acknowledge(branch, to_tag, ack, now);
        let bye = write::request(&self.config, &known, "BYE", known.our_cseq, bye_branch, "", "");
        self.begin(bye_branch, None, bye, now);
        true
    }

    /// Sends an ACK, and again whenever the answer is repeated (§13.2.2.4, §17.1.1.2 timer D).
    pub(super) fn acknowledge(&mut self, branch: Branch, to_tag: &str, ack: Transmit, now: Instant) {
        let is_over = |known: Option<&Answered>| known.is_none_or(|known| known.until <= now);
        while let Some(oldest) = self.acks_order.front()
            && (self.acks.len() >= ACKS_MAX || is_over(self.acks.get(oldest)))
        {
            self.acks.remove(oldest);
            self.acks_order.pop_front();
        }
        let (key, known) = ((branch, to_tag.to_owned()), Answered { transmit: ack.clone(), until: now + TIMEOUT });
        if self.acks.insert(key.clone(), known).is_none() {
            self.acks_order.push_back(key);
        }
        self.transmits.push_back(ack);
    }

    /// Asks again with proof (§22.2); false where that is in vain, or not for who asks.
    fn answer_challenge(&mut self, branch: Branch, code: u16, message: &Message, now: Instant) -> bool {
        let which = usize::from(code == 407);
        let Some(Wanted { target, challenged, .. }) = self.outgoing.get(branch).map(|outgoing| &outgoing.wanted) else {
            return false;
        };
        let before = &challenged[which];
        let Some(challenge) = Challenge::best(message.headers(PROOFS[which].0), target.realm.as_deref()) else {
            return false;
        };
        let is_new = before.answered == 0 || (challenge.is_stale && before.answered < CHALLENGES_MAX);
        if target.credentials.is_none() || !is_new {
            return false;
        }
        let Some(Outgoing { mut wanted, .. }) = self.end_outgoing(branch) else { return false };
        let answered = wanted.challenged[which].answered + 1;
        wanted.challenged[which] = Challenged { newest: Some(challenge), answered, uses: 0 };
        self.send(wanted, now);
        true
    }

    /// Whole lines; empty where nobody has asked for them.
    fn prove(&mut self, wanted: &mut Wanted) -> String {
        let Wanted { target, whose, body, challenged, .. } = wanted;
        let mut fields = String::new();
        let Some(credentials) = &target.credentials else { return fields };
        let cnonce = self.new_tag();
        for (challenged, (_, name)) in challenged.iter_mut().zip(PROOFS) {
            let Some(challenge) = &challenged.newest else { continue };
            challenged.uses += 1;
            let proven = Proven { method: whose.method(), uri: &target.uri, body: body.as_bytes() };
            let proof = challenge.answer(credentials, proven, challenged.uses, &cnonce);
            // Writing into a String can't fail.
            let _ = write!(fields, "{name}: {proof}\r\n");
        }
        fields
    }

    /// Asks for a longer session (RFC 4028 §7.3); false where nobody asked for that.
    fn lengthen(&mut self, branch: Branch, refusal: &Message, now: Instant) -> bool {
        let least = min_se(refusal);
        let Some(least) = least.filter(|least| self.outgoing.get(branch).is_some_and(|it| *least > it.wanted.session))
        else {
            return false;
        };
        let Some(Outgoing { wanted, .. }) = self.end_outgoing(branch) else { return false };
        self.send(Wanted { session: least, ..wanted }, now);
        true
    }

    /// Repeats and gives up.
    pub(super) fn run_outgoing(&mut self, now: Instant) {
        let transmits = &mut self.transmits;
        let mut given_up = Vec::new();
        for branch in self.outgoing.due(now) {
            if self.outgoing.get_mut(branch).is_some_and(|outgoing| !outgoing.repeat.run(now, transmits)) {
                given_up.push(branch);
            }
        }
        for branch in given_up {
            let Some(outgoing) = self.outgoing.get_mut(branch) else { continue };
            match outgoing.wanted.whose {
                // It rings and rings.
                Whose::Call(call) if outgoing.proceeding && !outgoing.canceled => {
                    outgoing.canceled = true;
                    self.send_cancel(branch, now);
                    self.events.push_back(Event::Refused(call, 408));
                }
                Whose::Call(call) => {
                    let canceled = outgoing.canceled;
                    self.end_outgoing(branch);
                    if !canceled {
                        self.events.push_back(Event::Refused(call, 408));
                    }
                }
                Whose::Request(key, _) => {
                    self.end_outgoing(branch);
                    self.events.push_back(Event::Responded(key, Answer::of(408)));
                }
            }
        }
    }
}

/// The dialog with who answered so (§12.1.2).
fn dialog(target: &Target, tag: &str, cseq: u32, answer: &Message) -> Call {
    // The way back, read from its end.
    let mut routes: Vec<String> = answer.headers("record-route").flat_map(list).map(str::to_owned).collect();
    routes.reverse();
    Call {
        invite: Message::of_called(&target.call_id, &target.from, answer),
        key: (String::new(), String::new(), "INVITE".to_owned()),
        source: target.way,
        tag: tag.to_owned(),
        state: State::Confirmed,
        their_cseq: 0,
        invite_cseq: 0,
        our_cseq: cseq,
        rseq: 0,
        description: String::new(),
        timer: None,
        target: answer.uri("contact").unwrap_or(&target.uri).to_owned(),
        routes,
        reinvite: None,
        reinviting: false,
        offering: false,
        is_ours: true,
        is_carriers: false,
        prover: Prover::of(target),
        referring: None,
        subscription: None,
        referred: false,
        repeat: None,
        ends: false,
        trying: None,
        late: false,
    }
}

/// Where else somebody is, the most wanted first (§8.1.3.4).
fn contacts(refusal: &Message) -> Vec<Contact> {
    let read = |value: &str| {
        let (uri, behind) = split_address(value);
        // What else a URI would have us say goes nowhere (§19.1.5).
        let uri = uri.split('?').next().unwrap_or_default().to_owned();
        let preference = parameter(behind, "q").and_then(thousandths).unwrap_or(PREFERRED);
        let (number, host) = (uri_number(&uri).unwrap_or_default(), host_and_port(&uri).to_owned());
        (preference, Contact { uri, number, host })
    };
    let mut all: Vec<_> = refusal.headers("contact").flat_map(list).take(CONTACTS_MAX).map(read).collect();
    all.sort_by_key(|(preference, _)| Reverse(*preference));
    all.into_iter().map(|(_, contact)| contact).collect()
}

/// The proxies a field names, in its order.
pub(super) fn way_by(message: &Message, field: &str) -> Vec<String> {
    message.headers(field).flat_map(list).take(PROXIES_MAX).map(str::to_owned).collect()
}

/// How long our registration stands (§10.3 item 8): by our own Contact, else for all.
fn granted(message: &Message, ours: &str) -> Option<u32> {
    let ours = address_uri(ours);
    let contact = message.headers("contact").flat_map(list).find(|contact| address_uri(contact) == ours);
    let behind = contact.map(|contact| split_address(contact).1);
    let seconds = behind.and_then(|behind| parameter(behind, "expires")).or_else(|| message.header("expires"));
    seconds.and_then(|seconds| seconds.trim().parse().ok())
}
