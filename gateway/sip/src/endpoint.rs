//! The user agent (RFC 3261 §8, §12, §13, §17): transactions and dialogs. How calls come is in [`incoming`], what we begin ourselves in
//! [`outgoing`].

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::{
    digest::Credentials,
    guard::{Guard, Limits},
    ingress,
    message::{Message, StartLine, address_uri},
};
use in_dialog::{SessionTimer, first_repeat};
use timed::{Due, Timed};
use write::{Branch, response, transaction_key};

mod answers;
mod ending;
mod in_dialog;
mod incoming;
mod outgoing;
mod proving;
mod registrar;
mod repeat;
mod timed;
mod transfer;
mod ways;
mod write;

use answers::{Answered, Answers};
use outgoing::Outgoing;
pub use outgoing::{Answer, Contact, Question, RequestKey, Target};
use proving::Prover;
use registrar::Registrar;
pub use registrar::{Binding, Flow, KEEP_OPEN_S, PREFERRED};
use repeat::Repeat;
use transfer::{Ended, Referring, Subscription};
pub use transfer::{Referral, Replaces};

/// Round-trip estimate (§17.1.1.1): shorter would flood a slow network, longer make loss audible as waiting.
const T1: Duration = Duration::from_millis(500);
/// The longest interval between retransmissions (§17.1.2.2).
const T2: Duration = Duration::from_secs(4);
/// 64 × T1: when a transaction gives up.
const TIMEOUT: Duration = Duration::from_secs(32);

/// Who is answered within this needs no 100 (§17.2.1); a voice menu answers in a few milliseconds.
const TRYING_AFTER: Duration = Duration::from_millis(200);

/// Calls that were not answered within [`TRYING_AFTER`] and wait still, from which on new ones are refused: whoever answers is behind, and
/// one more would wait for so long that it is sent again, which costs more than it. Fewer would refuse calls for a hiccup.
const LATE_MAX: usize = 256;

/// What we can, in answers.
const ALLOW: &str = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER\r\n\
    Supported: timer, 100rel, replaces, norefersub, outbound\r\n";

/// What is needed of an INVITE once it is looked at: the rest of a call's answers and requests are made of these.
const KEPT: [&str; 8] = ["via", "from", "to", "call-id", "cseq", "record-route", "require", "allow"];

/// Bytes of that. Real ones have one thousand, and a way by twenty proxies has four; each call costs three times as many.
const KEPT_BYTES_MAX: usize = 8192;

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Lossy: everything is repeated until answered.
    Udp,
    /// One connection, named by its peer's address.
    Tcp,
    /// The same, encrypted (RFC 3261 §26.3.1).
    Tls,
    /// A WebSocket, named by its peer's address (RFC 7118); whether it is encrypted is the web server's business.
    Ws,
}

impl Transport {
    /// What comes by it may be for a `sips` URI (§26.2.2). A telephone in a page has its WebSocket encrypted like the page, or no
    /// browser gives it a microphone.
    pub(crate) fn may_be_sips(self) -> bool {
        matches!(self, Self::Tls | Self::Ws)
    }

    /// In Via (§20.42).
    fn in_via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
        }
    }
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// On which transport.
    pub transport: Transport,
    /// Who sent it.
    pub peer: SocketAddr,
    /// Which of our sockets took it.
    pub local: SocketAddr,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// On which transport, from which socket, to whom: as the request came, by another port where Via says so.
    pub to: Source,
    /// Where a new connection may be made for it if this one is gone (§18.1.1, §18.2.2): what belongs to calls alone has that.
    pub reconnect: Option<SocketAddr>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How the server names itself.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The host in Contact where the socket's own address is unspecified: the first of the other end's family.
    pub announced: Vec<IpAddr>,
    /// Distinguishes this process's tags from those of the one before.
    pub seed: u64,
    /// What telephones register for.
    pub realm: String,
    /// Telephones that may register; nobody may where there is none.
    pub accounts: Vec<Credentials>,
    /// They are offered SHA-256 beside MD5. Telephones of before RFC 8760 (baresip 1.0 among them) stumble over it.
    pub sha256: bool,
    /// What may be asked, and by strangers how much.
    pub limits: Limits,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(u64);

/// A new call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// To answer by.
    pub call: CallKey,
    /// What was dialled: the user part of the Request-URI, or its telephone number (RFC 3966).
    pub dialled: String,
    /// Whom the call is for: the same of To.
    pub to: String,
    /// Who calls: the same of From, or whom his carrier asserts he is (RFC 3325).
    pub caller: String,
    /// Who stands for that.
    pub identity: Identity,
    /// Call-ID, for logs.
    pub call_id: String,
    /// The offer; empty where the caller waits for ours (RFC 3264 §5): it goes into the answer, his answer comes by
    /// [`Event::Confirmed`].
    pub offer: Vec<u8>,
    /// Where from.
    pub source: Source,
    /// The call it takes over (RFC 3891), which is to be hung up when this one is answered.
    pub replaces: Option<CallKey>,
    /// The caller requires to be told reliably that it rings (RFC 3262): [`Endpoint::ring`] before the answer. Who waits for our offer
    /// is not told: the first he is told so would have to bring it (§5), and he has it by the answer.
    pub wants_ringing: bool,
}

/// Requests that were heard and not answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Of strangers who ask too much.
    pub flood: u64,
    /// Of [`Limits::scanners`].
    pub scanners: u64,
    /// The last host that asked too much, and until when none of its requests is answered but those of calls.
    pub closed: Option<(IpAddr, Instant)>,
}

/// Who stands for a caller's number (RFC 3325).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody: it is what a stranger wrote.
    Written,
    /// A carrier, a PBX or a proxy that is believed brings him, and asserts nothing.
    Brought,
    /// One of those says that this is his number. It is not to be shown: he may have asked for that (RFC 3323).
    Asserted(String),
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody calls. 100 is sent where he is not answered at once.
    Incoming(Incoming),
    /// The caller gave up before the answer; 487 has been sent.
    Canceled(CallKey),
    /// The answer was acknowledged; with his answer, where the offer was ours. Of a later offer it is told in that case alone, and of the
    /// answer to one that refreshes the session.
    Confirmed(CallKey, Vec<u8>),
    /// The other side offers anew: hold, resume, another address; before [`Self::Answered`], too. Empty where it waits for an offer of ours.
    Reoffered(CallKey, Vec<u8>),
    /// A key by INFO, each press once: `0`–`9`, `*`, `#`, `A`–`D`.
    Digit(CallKey, char),
    /// He needs a picture that needs no other (RFC 5168).
    KeyframeWanted(CallKey),
    /// The other side wants to be put through to somebody else: [`Endpoint::answer_refer`] says whether it is.
    Referred(CallKey, Referral),
    /// The other side hung up, does not acknowledge, or lets the session expire.
    Ended(CallKey),
    /// Somebody works on a call of ours (100, or the first of the answers after it).
    Trying(CallKey),
    /// A telephone we call rings.
    Rings(CallKey),
    /// And is answered, with the answer to our offer; it has been acknowledged.
    Answered(CallKey, Vec<u8>),
    /// He is to be called elsewhere (RFC 3261 §21.3), the most wanted first; [`Self::Refused`] follows.
    Redirected(CallKey, Vec<Contact>),
    /// The server has no room for so many seconds (RFC 3261 §21.5.4); [`Self::Refused`] follows.
    RetryAfter(CallKey, u32),
    /// Nobody answers, by this status code; 408 where nothing was heard.
    Refused(CallKey, u16),
    /// What was asked outside of calls has its answer.
    Responded(RequestKey, Answer),
    /// Where this account's telephones are has changed, or was said again: see [`Endpoint::bindings`].
    Registered(String),
}

/// What is looked up thousands of times a second and never gone through, so that its order concerns nobody.
#[expect(clippy::disallowed_types, reason = "its order is never seen")]
type Lookup<K, V> = std::collections::HashMap<K, V>;

/// All calls of this server.
pub struct Endpoint {
    config: EndpointConfig,
    guard: Guard,
    dropped: Dropped,
    calls: Timed<CallKey, Call>,
    /// Call-ID and the caller's tag.
    by_dialog: Lookup<(String, String), CallKey>,
    last_call: u64,
    /// Calls that wait for their answer for longer than they should.
    late: usize,
    answers: Answers,
    /// Our own requests.
    clients: Timed<Branch, ClientTransaction>,
    /// Those that begin something.
    outgoing: Timed<Branch, Outgoing>,
    /// The INVITE under way of each call of ours.
    calling: BTreeMap<CallKey, Branch>,
    /// The same by the dialogs that are not answered yet (RFC 3261 §12.1).
    early: BTreeMap<(String, String), Branch>,
    last_cseq: u32,
    registrar: Registrar,
    ended: Ended,
    /// By branch and the answer's tag.
    acks: BTreeMap<(Branch, String), Answered>,
    acks_order: VecDeque<(Branch, String)>,
    /// Servers that take no connections for what is large, and until when that counts.
    udp_alone: BTreeMap<SocketAddr, Instant>,
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
}

/// §17.2.3: branch, sent-by and method.
type TransactionKey = (String, String, String);

struct Call {
    invite: Message,
    key: TransactionKey,
    source: Source,
    tag: String,
    state: State,
    /// The newest request of the caller (§12.2.2).
    their_cseq: u32,
    /// Of the INVITE whose ACK or PRACK is awaited.
    invite_cseq: u32,
    our_cseq: u32,
    /// The newest reliable provisional answer (RFC 3262 §3).
    rseq: u32,
    /// What we said last of our media.
    description: String,
    timer: Option<SessionTimer>,
    /// The caller's Contact.
    target: String,
    routes: Vec<String>,
    /// A re-INVITE that waits for its answer.
    reinvite: Option<(Message, Source)>,
    /// One of ours that does (§14.1).
    reinviting: bool,
    /// The offer was ours: the ACK has his answer.
    offering: bool,
    /// We called.
    is_ours: bool,
    /// A carrier of ours is at the other end, whose Contact is gone to wherever it leads.
    is_carriers: bool,
    /// Who proves what we ask within it, where we called and have what to prove by.
    prover: Option<Prover>,
    /// A REFER that waits for its answer, who is told of the one before, and whether there has been any.
    referring: Option<Referring>,
    subscription: Option<Subscription>,
    referred: bool,
    /// What is repeated until acknowledged, and when next.
    repeat: Option<Repeat>,
    /// It ends once our answer is acknowledged, or never will be.
    ends: bool,
    /// When 100 is sent, while nothing else was.
    trying: Option<Instant>,
    /// It was, and is counted among those that wait.
    late: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ringing,
    /// Answered, not acknowledged.
    Answered,
    Confirmed,
    /// Refused; the ACK belongs to the transaction (§17.2.1).
    Refused,
}

/// A request of ours under way (§17.1).
struct ClientTransaction {
    repeat: Repeat,
    /// Whose it is; none for the BYE of a call that is forgotten.
    call: Option<CallKey>,
    /// Who answers a challenge to it, and of which call; none where nobody does, or has already.
    prover: Option<(CallKey, Prover)>,
}

impl Endpoint {
    /// One without calls.
    #[must_use]
    pub fn new(config: EndpointConfig) -> Self {
        Self {
            guard: Guard::new(config.limits.clone()),
            dropped: Dropped::default(),
            config,
            calls: Timed::new(),
            by_dialog: Lookup::default(),
            last_call: 0,
            late: 0,
            answers: Answers::default(),
            clients: Timed::new(),
            outgoing: Timed::new(),
            calling: BTreeMap::new(),
            early: BTreeMap::new(),
            last_cseq: 0,
            registrar: Registrar::default(),
            ended: Ended::default(),
            acks: BTreeMap::new(),
            acks_order: VecDeque::new(),
            udp_alone: BTreeMap::new(),
            events: VecDeque::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Takes a message. What can't be answered (no Via, a response to nothing) is dropped. Whether anything came of it: it is of a call,
    /// or of something we asked, or is answered.
    pub fn handle(&mut self, source: Source, mut message: Message, now: Instant) -> bool {
        message.unpack();
        if matches!(message.start, StartLine::Response { .. }) {
            return self.response(&message, now);
        }
        let Some(key) = transaction_key(&message) else { return false };
        let (host, dialog) = (source.peer.ip(), dialog_of(&message));
        let belongs = self.belongs(source, &message, &key, &dialog);
        if !belongs && !self.guard.admits(host, now) {
            self.dropped.flood += 1;
            self.dropped.closed = self.guard.closed_until(host).map(|until| (host, until));
            return false;
        }
        let agent = message.header("user-agent").unwrap_or_default();
        if !agent.is_empty() && self.guard.is_scanner(host, agent) {
            self.dropped.scanners += 1;
            return false;
        }
        let before = (self.transmits.len(), self.events.len());
        self.request(source, message, key, dialog, now);
        belongs || before != (self.transmits.len(), self.events.len())
    }

    /// Whether a request is of a call that stands, rings or has just ended, or cancels or acknowledges what was asked: its sender was let in
    /// before. That a call's INVITE comes again shows nothing: it may be a flood of one.
    fn belongs(&self, source: Source, message: &Message, key: &TransactionKey, dialog: &(String, String)) -> bool {
        let is_canceled = |call: &Call| message.method() == "CANCEL" && (&call.key.0, &call.key.1) == (&key.0, &key.1);
        let call = self.by_dialog.get(dialog).copied();
        call.is_some_and(|call| self.has_tag(call, message) || self.calls.get(call).is_some_and(is_canceled))
            || message.tag("to").is_some_and(|tag| self.is_early(dialog, tag))
            || is_within(message.method()) && self.answers.get(key, source).is_some()
    }

    /// Requests that were not answered since it was asked last.
    pub fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }

    fn request(
        &mut self,
        source: Source,
        message: Message,
        key: TransactionKey,
        dialog: (String, String),
        now: Instant,
    ) {
        if let Some(answer) = self.answers.get(&key, source) {
            // That a refusal is acknowledged is no reason to repeat it: he would acknowledge that, and so on (§17.2.1).
            if message.method() != "ACK" {
                self.transmits.push_back(answer.clone());
            }
            return;
        }
        if let Some((code, reason, fields)) = ingress::refusal(&message, source.transport) {
            return self.answer_lightly(source, &message, &key, code, reason, &fields, now);
        }
        let Some((number, _)) = message.cseq() else { return };
        let call = self.by_dialog.get(&dialog).copied();
        match message.method() {
            "INVITE" => self.invite(source, message, key, dialog, call, number, now),
            "ACK" => self.acknowledged(call, number, message.body, now),
            "CANCEL" => self.cancel(source, &message, &key, call, now),
            "BYE" => match call.filter(|call| self.has_tag(*call, &message)) {
                Some(call) => self.taken_leave(source, &message, &key, call, now),
                None => self.answer_unknown(source, &message, &key, now),
            },
            "OPTIONS" => {
                // Within a call it asks whether that still stands (§12.2.2).
                let stands = message.tag("to").is_none_or(|tag| {
                    call.is_some_and(|call| self.is_within(call, &message)) || self.is_early(&dialog, tag)
                });
                if stands {
                    self.answer_lightly(source, &message, &key, 200, "OK", "", now);
                } else {
                    self.answer_unknown(source, &message, &key, now);
                }
            }
            "INFO" | "UPDATE" | "PRACK" => match call.filter(|call| self.is_within(*call, &message)) {
                Some(call) => self.in_dialog(source, message, &key, call, number, now),
                None if self.early_request(source, &message, &key, &dialog, now) => {}
                None => self.answer_unknown(source, &message, &key, now),
            },
            "REGISTER" => self.register(source, &message, &key, now),
            "REFER" => {
                let call = call.filter(|call| self.is_within(*call, &message));
                self.refer(source, message, &key, call, number, now);
            }
            "NOTIFY" | "SUBSCRIBE" | "MESSAGE" | "PUBLISH" => {
                self.answer_lightly(source, &message, &key, 405, "Method Not Allowed", "", now);
            }
            _ => self.answer_lightly(source, &message, &key, 501, "Not Implemented", "", now),
        }
    }

    fn has_tag(&self, call: CallKey, message: &Message) -> bool {
        self.calls.get(call).is_some_and(|call| Some(call.tag.as_str()) == message.tag("to"))
    }

    /// The call stands, and the message is of it.
    fn is_within(&self, call: CallKey, message: &Message) -> bool {
        self.has_tag(call, message) && self.calls.get(call).is_some_and(|call| !call.ends)
    }

    /// Answers [`Event::Reoffered`]; without a description it is refused with 488 and all stays as it was.
    pub fn answer_reoffer(&mut self, call: CallKey, description: Option<&str>, now: Instant) {
        let Some(known) = self.calls.get_mut(call) else { return self.answer_early_offer(call, description, now) };
        let Some((message, source)) = known.reinvite.take() else { return };
        let fields = known.contact(&self.config, source) + &known.timer_fields();
        let (transmit, good) = match description {
            Some(text) => (response(&message, source, 200, "OK", Some(&known.tag), &fields, text), true),
            None => (response(&message, source, 488, "Not Acceptable Here", Some(&known.tag), "", ""), false),
        };
        if let Some(text) = description {
            text.clone_into(&mut known.description);
        }
        // An UPDATE has no ACK.
        if message.method() == "INVITE" {
            known.say_until_acknowledged(&transmit, now, good || source.transport == Transport::Udp);
        }
        if let Some(key) = transaction_key(&message) {
            self.remember(key, transmit.clone(), now);
        }
        self.transmits.push_back(transmit);
    }

    /// Sends a request of ours and waits for its answer (§17.1).
    fn begin(&mut self, branch: Branch, call: Option<CallKey>, request: Transmit, now: Instant) {
        let next = first_repeat(request.to.transport, now);
        let repeat = Repeat { transmit: request.clone(), next, interval: T1, interval_max: T2, until: now + TIMEOUT };
        self.transmits.push_back(request);
        self.clients.insert(branch, ClientTransaction { repeat, call, prover: None });
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        [self.calls.next(), self.clients.next(), self.outgoing.next()].into_iter().flatten().min()
    }

    /// Repeats what is unanswered, and gives up where it is time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let transmits = &mut self.transmits;
        let mut given_up = Vec::new();
        for key in self.calls.due(now) {
            let Some(call) = self.calls.get_mut(key) else { continue };
            if call.trying.take_if(|at| *at <= now).is_some() {
                call.late = true;
                self.late += 1;
                transmits.push_back(response(&call.invite, call.source, 100, "Trying", None, "", ""));
            }
            if call.repeat.as_mut().is_some_and(|repeat| !repeat.run(now, transmits)) {
                given_up.push(key);
            }
        }
        let mut unanswered = Vec::new();
        for branch in self.clients.due(now) {
            if self.clients.get_mut(branch).is_some_and(|client| !client.repeat.run(now, transmits)) {
                unanswered.extend(self.clients.remove(branch).and_then(|client| client.call));
            }
        }
        for key in given_up {
            let state = self.calls.get(key).map(|call| call.state);
            match state {
                // §13.3.1.4: no ACK in 64 × T1 ends the dialog with a BYE.
                Some(State::Answered | State::Confirmed) => {
                    let ends = self.calls.get_mut(key).is_some_and(|call| call.repeat.take().is_some() && call.ends);
                    self.hang_up(key, now);
                    if !ends {
                        self.events.push_back(Event::Ended(key));
                    }
                }
                // RFC 3262 §3: nobody acknowledges that it rings.
                Some(State::Ringing) => {
                    self.reject(key, 504, "Server Time-out", now);
                    self.events.push_back(Event::Canceled(key));
                }
                Some(State::Refused) | None => self.forget(key),
            }
        }
        // A refresh nobody answers means that nobody is there (RFC 4028 §10).
        for key in unanswered {
            if self.calls.contains_key(key) {
                self.hang_up(key, now);
                self.events.push_back(Event::Ended(key));
            }
        }
        self.run_session_timers(now);
        self.run_outgoing(now);
    }
}

/// Requests that are nothing without a call or a request before them.
fn is_within(method: &str) -> bool {
    matches!(method, "ACK" | "BYE" | "CANCEL" | "PRACK" | "UPDATE" | "INFO")
}

/// One of them is to be reached by encrypted ways alone, and is.
fn has_sips(transport: Transport, uris: [&str; 2]) -> bool {
    let is_sips = |uri: &str| uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"));
    transport.may_be_sips() && uris.into_iter().any(is_sips)
}

/// Call-ID and the caller's tag; callers of before RFC 3261 have none.
fn dialog_of(message: &Message) -> (String, String) {
    let call_id = message.header("call-id").unwrap_or_default().to_owned();
    (call_id, message.tag("from").unwrap_or_default().to_owned())
}

impl Due for Call {
    fn due(&self) -> Option<Instant> {
        let repeat = self.repeat.as_ref().map(Repeat::due);
        repeat.into_iter().chain(self.session().map(SessionTimer::due)).chain(self.trying).min()
    }
}

impl Due for ClientTransaction {
    fn due(&self) -> Option<Instant> {
        Some(self.repeat.due())
    }
}

impl Call {
    /// Ours, with the scheme of the request that began the call, of its way, or of its Contact (§12.1.1).
    fn contact(&self, config: &EndpointConfig, source: Source) -> String {
        let StartLine::Request { uri, .. } = &self.invite.start else { return write::contact(config, source, false) };
        let next = self.routes.first().map_or(self.target.as_str(), |route| address_uri(route));
        write::contact(config, source, !self.is_ours && has_sips(source.transport, [uri, next]))
    }

    /// A 2xx is repeated on every transport, since its ACK comes end to end (§13.3.1.4); a refusal over UDP alone. Where its connection is
    /// gone it goes by another, to where the caller's Via says (§18.2.2).
    fn say_until_acknowledged(&mut self, transmit: &Transmit, now: Instant, repeats: bool) {
        let (next, until) = if repeats { (now + T1, now + TIMEOUT) } else { (now + TIMEOUT, now + TIMEOUT) };
        let reconnect = ways::reconnect(&format!("sip:{}", self.key.1), transmit.to);
        let transmit = Transmit { reconnect, ..transmit.clone() };
        self.repeat = Some(Repeat { transmit, next, interval: T1, interval_max: T2, until });
    }
}

#[cfg(test)]
mod tests;
