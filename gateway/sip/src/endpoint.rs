//! The user agent server (RFC 3261 §8.2, §12, §13.3, §17.2): transactions, dialogs, and the little of a client that
//! ends a call (§17.1.2).

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::message::{Message, StartLine, address_uri, first_of_list, uri_user};

/// Round-trip estimate (§17.1.1.1): shorter would flood a slow network, longer make loss audible as waiting.
const T1: Duration = Duration::from_millis(500);
/// The longest interval between retransmissions (§17.1.2.2).
const T2: Duration = Duration::from_secs(4);
/// 64 × T1: when a transaction gives up.
const TIMEOUT: Duration = Duration::from_secs(32);

/// Calls at once. Each costs some kilobytes; more are answered 503.
const CALLS_MAX: usize = 4000;
/// Answers kept for retransmitted requests; the oldest are forgotten first.
const ANSWERS_MAX: usize = 8192;

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Lossy: everything is repeated until answered.
    Udp,
    /// One connection, named by its peer's address.
    Tcp,
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
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How the server names itself.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The host in Contact where the socket's own address is unspecified.
    pub announced: IpAddr,
    /// Distinguishes this process's tags from those of the one before.
    pub seed: u64,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(u64);

/// A new call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// To answer by.
    pub call: CallKey,
    /// What was dialled: the user part of the Request-URI.
    pub dialled: String,
    /// Who calls: the user part of From.
    pub caller: String,
    /// Call-ID, for logs.
    pub call_id: String,
    /// The offer; empty when the caller waits for ours, which this server refuses.
    pub offer: Vec<u8>,
    /// Where from.
    pub source: Source,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody calls. 100 has been sent.
    Incoming(Incoming),
    /// The caller gave up before the answer; 487 has been sent.
    Canceled(CallKey),
    /// The answer was acknowledged.
    Confirmed(CallKey),
    /// The caller offers anew: hold, resume, another address.
    Reoffered(CallKey, Vec<u8>),
    /// The caller hung up, or does not acknowledge.
    Ended(CallKey),
}

/// All calls of this server.
pub struct Endpoint {
    config: EndpointConfig,
    calls: BTreeMap<CallKey, Call>,
    /// Call-ID and the caller's tag.
    by_dialog: BTreeMap<(String, String), CallKey>,
    last_call: u64,
    answers: BTreeMap<TransactionKey, Answered>,
    answers_order: VecDeque<TransactionKey>,
    byes: BTreeMap<String, ClientTransaction>,
    events: VecDeque<Event>,
    transmits: VecDeque<Transmit>,
}

/// §17.2.3: branch, sent-by and method.
type TransactionKey = (String, String, String);

/// A final answer that is given again when the request comes again.
struct Answered {
    transmit: Transmit,
    until: Instant,
}

struct Call {
    invite: Message,
    key: TransactionKey,
    source: Source,
    tag: String,
    state: State,
    /// The newest request of the caller (§12.2.2).
    their_cseq: u32,
    our_cseq: u32,
    /// The caller's Contact.
    target: String,
    routes: Vec<String>,
    /// A re-INVITE that waits for its answer.
    reinvite: Option<(Message, Source)>,
    session_version: u64,
    /// What is repeated until acknowledged, and when next.
    repeat: Option<Repeat>,
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

struct Repeat {
    transmit: Transmit,
    next: Instant,
    interval: Duration,
    until: Instant,
}

/// A BYE under way.
struct ClientTransaction {
    repeat: Repeat,
}

impl Endpoint {
    /// One without calls.
    #[must_use]
    pub fn new(config: EndpointConfig) -> Self {
        Self {
            config,
            calls: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            last_call: 0,
            answers: BTreeMap::new(),
            answers_order: VecDeque::new(),
            byes: BTreeMap::new(),
            events: VecDeque::new(),
            transmits: VecDeque::new(),
        }
    }

    /// Takes a message. What can't be answered (no Via, a response to nothing) is dropped.
    pub fn handle(&mut self, source: Source, message: Message, now: Instant) {
        match &message.start {
            StartLine::Response { code } => {
                if let Some(branch) = message.branch().filter(|_| *code >= 200) {
                    self.byes.remove(branch);
                }
            }
            StartLine::Request { .. } => {
                if let Some(key) = transaction_key(&message) {
                    self.request(source, message, key, now);
                }
            }
        }
    }

    fn request(&mut self, source: Source, message: Message, key: TransactionKey, now: Instant) {
        if let Some(answered) = self.answers.get(&key) {
            return self.transmits.push_back(answered.transmit.clone());
        }
        let whole = ["call-id", "from", "to"].iter().all(|name| message.header(name).is_some());
        let number = message.cseq().filter(|(_, method)| *method == message.method()).map(|(number, _)| number);
        let Some(number) = number.filter(|_| whole && message.tag("from").is_some()) else {
            return self.answer_plainly(source, &message, &key, 400, "Bad Request", now);
        };
        let dialog = (
            message.header("call-id").unwrap_or_default().to_owned(),
            message.tag("from").unwrap_or_default().to_owned(),
        );
        let call = self.by_dialog.get(&dialog).copied();
        match message.method() {
            "INVITE" => self.invite(source, message, key, dialog, call, number, now),
            "ACK" => self.acknowledged(call, number),
            "CANCEL" => self.cancel(source, &message, &key, now),
            "BYE" => match call.filter(|call| self.has_tag(*call, &message)) {
                Some(call) => {
                    self.answer_plainly(source, &message, &key, 200, "OK", now);
                    self.end_reinvite(call, now);
                    self.forget(call);
                    self.events.push_back(Event::Ended(call));
                }
                None => self.answer_plainly(source, &message, &key, 481, "Call/Transaction Does Not Exist", now),
            },
            "OPTIONS" => self.answer_plainly(source, &message, &key, 200, "OK", now),
            // Keys by INFO come with a later issue's rules; unknown dialogs are told so.
            "INFO" | "UPDATE" | "PRACK" | "REFER" | "NOTIFY" | "SUBSCRIBE" | "MESSAGE" | "PUBLISH" | "REGISTER" => {
                self.answer_plainly(source, &message, &key, 405, "Method Not Allowed", now);
            }
            _ => self.answer_plainly(source, &message, &key, 501, "Not Implemented", now),
        }
    }

    fn has_tag(&self, call: CallKey, message: &Message) -> bool {
        self.calls.get(&call).is_some_and(|call| Some(call.tag.as_str()) == message.tag("to"))
    }

    fn invite(
        &mut self,
        source: Source,
        message: Message,
        key: TransactionKey,
        dialog: (String, String),
        call: Option<CallKey>,
        number: u32,
        now: Instant,
    ) {
        if let Some(call) = call {
            let known = self.calls.get_mut(&call).expect("by_dialog names calls that are there");
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
            let busy = known.reinvite.is_some() || known.state != State::Confirmed;
            if busy || number <= known.their_cseq {
                let code =
                    if number <= known.their_cseq { (500, "Server Internal Error") } else { (491, "Request Pending") };
                return self.answer_plainly(source, &message, &key, code.0, code.1, now);
            }
            known.their_cseq = number;
            if let Some(contact) = message.uri("contact") {
                contact.clone_into(&mut known.target);
            }
            known.source = source;
            let offer = message.body.clone();
            known.reinvite = Some((message, source));
            return self.events.push_back(Event::Reoffered(call, offer));
        }
        if message.tag("to").is_some() {
            return self.answer_plainly(source, &message, &key, 481, "Call/Transaction Does Not Exist", now);
        }
        if let Some(option) = message.header("require") {
            let unsupported = format!("Unsupported: {}\r\n", clean(option));
            return self.answer_with(source, &message, &key, 420, "Bad Extension", &unsupported, now);
        }
        let StartLine::Request { uri, .. } = &message.start else { return };
        if !uri.to_ascii_lowercase().starts_with("sip:") {
            return self.answer_plainly(source, &message, &key, 416, "Unsupported URI Scheme", now);
        }
        let Some(contact) = message.uri("contact").map(str::to_owned) else {
            return self.answer_plainly(source, &message, &key, 400, "Missing Contact", now);
        };
        if self.calls.len() >= CALLS_MAX {
            return self.answer_with(source, &message, &key, 503, "Service Unavailable", "Retry-After: 10\r\n", now);
        }
        self.last_call += 1;
        let call = CallKey(self.last_call);
        let incoming = Incoming {
            call,
            dialled: uri_user(uri).unwrap_or_default(),
            caller: message.uri("from").and_then(uri_user).unwrap_or_default(),
            call_id: dialog.0.clone(),
            offer: message.body.clone(),
            source,
        };
        self.transmits.push_back(response(&message, source, 100, "Trying", None, "", ""));
        let tag = self.new_tag();
        let routes = message.headers("record-route").map(str::to_owned).collect();
        self.calls.insert(
            call,
            Call {
                key,
                source,
                tag,
                state: State::Ringing,
                their_cseq: number,
                our_cseq: 0,
                target: contact,
                routes,
                reinvite: None,
                session_version: 1,
                repeat: None,
                invite: message,
            },
        );
        self.by_dialog.insert(dialog, call);
        self.events.push_back(Event::Incoming(incoming));
    }

    fn acknowledged(&mut self, call: Option<CallKey>, number: u32) {
        let Some((key, call)) = call.and_then(|key| Some((key, self.calls.get_mut(&key)?))) else { return };
        if call.their_cseq != number {
            return;
        }
        call.repeat = None;
        match call.state {
            State::Answered => {
                call.state = State::Confirmed;
                self.events.push_back(Event::Confirmed(key));
            }
            State::Refused => self.forget(key),
            State::Ringing | State::Confirmed => {}
        }
    }

    fn cancel(&mut self, source: Source, message: &Message, key: &TransactionKey, now: Instant) {
        let same = |call: &Call| call.key.0 == key.0 && call.key.1 == key.1;
        let Some(call) = self.calls.iter().find(|(_, call)| same(call)).map(|(key, _)| *key) else {
            return self.answer_plainly(source, message, key, 481, "Call/Transaction Does Not Exist", now);
        };
        self.answer_plainly(source, message, key, 200, "OK", now);
        // After the answer a CANCEL changes nothing (§9.2).
        if self.calls.get(&call).is_some_and(|call| call.state == State::Ringing) {
            self.reject(call, 487, "Request Terminated", now);
            self.events.push_back(Event::Canceled(call));
        }
    }

    /// 180, once the call is somebody's business.
    pub fn ring(&mut self, call: CallKey) {
        if let Some(call) = self.calls.get(&call).filter(|call| call.state == State::Ringing) {
            let contact = contact(&self.config, call.source);
            let ringing = response(&call.invite, call.source, 180, "Ringing", Some(&call.tag), &contact, "");
            self.transmits.push_back(ringing);
        }
    }

    /// 200 with our description, until acknowledged.
    pub fn answer(&mut self, call: CallKey, description: &str, now: Instant) {
        let Some(call) = self.calls.get_mut(&call).filter(|call| call.state == State::Ringing) else { return };
        let contact = contact(&self.config, call.source);
        let ok = response(&call.invite, call.source, 200, "OK", Some(&call.tag), &contact, description);
        call.state = State::Answered;
        call.say_until_acknowledged(&ok, now, true);
        self.transmits.push_back(ok);
    }

    /// A refusal, until acknowledged.
    pub fn reject(&mut self, call: CallKey, code: u16, reason: &str, now: Instant) {
        let Some(call) = self.calls.get_mut(&call).filter(|call| call.state == State::Ringing) else { return };
        let refusal = response(&call.invite, call.source, code, reason, Some(&call.tag), "", "");
        call.state = State::Refused;
        call.say_until_acknowledged(&refusal, now, call.source.transport == Transport::Udp);
        self.transmits.push_back(refusal);
    }

    /// Answers [`Event::Reoffered`]; without a description it is refused with 488 and all stays as it was.
    pub fn answer_reoffer(&mut self, call: CallKey, description: Option<&str>, now: Instant) {
        let Some(known) = self.calls.get_mut(&call) else { return };
        let Some((message, source)) = known.reinvite.take() else { return };
        let contact = contact(&self.config, source);
        let (transmit, good) = match description {
            Some(text) => (response(&message, source, 200, "OK", Some(&known.tag), &contact, text), true),
            None => (response(&message, source, 488, "Not Acceptable Here", Some(&known.tag), "", ""), false),
        };
        if good {
            known.session_version += 1;
        }
        known.say_until_acknowledged(&transmit, now, good || source.transport == Transport::Udp);
        if let Some(key) = transaction_key(&message) {
            self.remember(key, transmit.clone(), now);
        }
        self.transmits.push_back(transmit);
    }

    /// The version the next description of this call should have.
    #[must_use]
    pub fn session_version(&self, call: CallKey) -> u64 {
        self.calls.get(&call).map_or(1, |call| call.session_version)
    }

    /// BYE, or 480 before the answer.
    pub fn hang_up(&mut self, key: CallKey, now: Instant) {
        let Some(call) = self.calls.get(&key) else { return };
        match call.state {
            State::Ringing => return self.reject(key, 480, "Temporarily Unavailable", now),
            State::Refused => return,
            State::Answered | State::Confirmed => {}
        }
        self.end_reinvite(key, now);
        let branch = format!("z9hG4bK{}", self.new_tag());
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.our_cseq += 1;
        let transmit = bye(&self.config, call, &branch);
        let repeat = Repeat { transmit: transmit.clone(), next: now + T1, interval: T1, until: now + TIMEOUT };
        self.transmits.push_back(transmit);
        self.byes.insert(branch, ClientTransaction { repeat });
        self.forget(key);
    }

    /// A re-INVITE of a call that ends is not left without an answer.
    fn end_reinvite(&mut self, call: CallKey, now: Instant) {
        let pending = self.calls.get_mut(&call).and_then(|call| call.reinvite.take());
        if let Some((message, source)) = pending
            && let Some(key) = transaction_key(&message)
        {
            self.answer_plainly(source, &message, &key, 487, "Request Terminated", now);
        }
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
    pub fn poll_timeout(&self) -> Option<Instant> {
        let repeats = self.calls.values().filter_map(|call| call.repeat.as_ref());
        repeats.chain(self.byes.values().map(|bye| &bye.repeat)).map(|repeat| repeat.next.min(repeat.until)).min()
    }

    /// Repeats what is unanswered, and gives up where it is time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let transmits = &mut self.transmits;
        let mut given_up = Vec::new();
        for (key, call) in &mut self.calls {
            if call.repeat.as_mut().is_some_and(|repeat| !repeat.run(now, transmits)) {
                given_up.push(*key);
            }
        }
        self.byes.retain(|_, bye| bye.repeat.run(now, transmits));
        for key in given_up {
            let state = self.calls.get(&key).map(|call| call.state);
            match state {
                // §13.3.1.4: no ACK in 64 × T1 ends the dialog with a BYE.
                Some(State::Answered | State::Confirmed) => {
                    self.hang_up(key, now);
                    self.events.push_back(Event::Ended(key));
                }
                _ => self.forget(key),
            }
        }
    }

    fn forget(&mut self, key: CallKey) {
        self.calls.remove(&key);
        self.by_dialog.retain(|_, known| *known != key);
    }

    fn answer_plainly(
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

    fn answer_with(
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
        let allow = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nAccept: application/sdp\r\n";
        let transmit = response(to, source, code, reason, Some(&tag), &format!("{fields}{allow}"), "");
        self.remember(key.clone(), transmit.clone(), now);
        self.transmits.push_back(transmit);
    }

    fn remember(&mut self, key: TransactionKey, transmit: Transmit, now: Instant) {
        while self.answers_order.len() >= ANSWERS_MAX
            || self.answers_order.front().and_then(|key| self.answers.get(key)).is_some_and(|a| a.until <= now)
        {
            let Some(oldest) = self.answers_order.pop_front() else { break };
            self.answers.remove(&oldest);
        }
        if self.answers.insert(key.clone(), Answered { transmit, until: now + TIMEOUT }).is_none() {
            self.answers_order.push_back(key);
        }
    }

    /// Unique in this process, and not to be guessed from outside before it is used.
    fn new_tag(&mut self) -> String {
        self.last_call += 1;
        let mut bits = self.config.seed ^ self.last_call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("{:016x}", bits ^ (bits >> 31))
    }
}

impl Call {
    /// A 2xx is repeated on every transport, since its ACK comes end to end (§13.3.1.4); a refusal over UDP alone.
    fn say_until_acknowledged(&mut self, transmit: &Transmit, now: Instant, repeats: bool) {
        let (next, until) = if repeats { (now + T1, now + TIMEOUT) } else { (now + TIMEOUT, now + TIMEOUT) };
        self.repeat = Some(Repeat { transmit: transmit.clone(), next, interval: T1, until });
    }
}

impl Repeat {
    /// False when it is given up.
    fn run(&mut self, now: Instant, transmits: &mut VecDeque<Transmit>) -> bool {
        if now >= self.until {
            return false;
        }
        if now >= self.next {
            transmits.push_back(self.transmit.clone());
            self.interval = (self.interval * 2).min(T2);
            self.next = now + self.interval;
        }
        true
    }
}

fn transaction_key(message: &Message) -> Option<TransactionKey> {
    let via = first_of_list(message.header("via")?);
    let sent_by = via.split_whitespace().nth(1)?.split(';').next()?.to_ascii_lowercase();
    let branch = message.branch().unwrap_or_default();
    // Without the magic cookie, what else tells requests apart (§17.2.3).
    let id = if branch.starts_with("z9hG4bK") {
        branch.to_owned()
    } else {
        let parts = [message.header("call-id"), message.tag("from"), message.cseq().map(|_| message.header("cseq"))?];
        parts
            .into_iter()
            .flatten()
            .fold(branch.to_owned(), |all, part| all + "|" + part.split(' ').next().unwrap_or(part))
    };
    let method = if message.method() == "ACK" { "INVITE" } else { message.method() };
    Some((id, sent_by, method.to_owned()))
}

fn clean(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

/// The address we are reached at by who is on this way: on the loopback, that.
fn our_address(config: &EndpointConfig, source: Source) -> SocketAddr {
    let ip = match source.local.ip() {
        ip if !ip.is_unspecified() => ip,
        _ if source.peer.ip().is_loopback() => source.peer.ip(),
        _ => config.announced,
    };
    SocketAddr::new(ip, source.local.port())
}

fn contact(config: &EndpointConfig, source: Source) -> String {
    let transport = if source.transport == Transport::Tcp { ";transport=tcp" } else { "" };
    format!("Contact: <sip:huitong@{}{transport}>\r\n", our_address(config, source))
}

/// §8.2.6; `fields` are whole lines.
fn response(
    to: &Message,
    source: Source,
    code: u16,
    reason: &str,
    tag: Option<&str>,
    fields: &str,
    body: &str,
) -> Transmit {
    let mut text = format!("SIP/2.0 {code} {reason}\r\n");
    for (index, via) in to.headers("via").enumerate() {
        let via = clean(via);
        let _ = match index {
            0 => write!(text, "Via: {}\r\n", with_received(&via, source.peer)),
            _ => write!(text, "Via: {via}\r\n"),
        };
    }
    for (name, title) in [("record-route", "Record-Route"), ("from", "From")] {
        let limit = if code == 100 && name == "record-route" { 0 } else { usize::MAX };
        for value in to.headers(name).take(limit) {
            let _ = write!(text, "{title}: {}\r\n", clean(value));
        }
    }
    let to_value = clean(to.header("to").unwrap_or_default());
    let to_tag = tag.filter(|_| to.tag("to").is_none()).map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let _ = write!(text, "To: {to_value}{to_tag}\r\n");
    for (name, title) in [("call-id", "Call-ID"), ("cseq", "CSeq")] {
        let _ = write!(text, "{title}: {}\r\n", clean(to.header(name).unwrap_or_default()));
    }
    text.push_str(fields);
    write_body(&mut text, body);
    Transmit { to: Source { peer: return_address(to, source), ..source }, bytes: text.into_bytes() }
}

fn write_body(text: &mut String, body: &str) {
    text.push_str("Server: Huitong\r\n");
    if !body.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
}

/// The topmost Via with where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
fn with_received(via: &str, peer: SocketAddr) -> String {
    let (first, rest) = via.split_at(first_of_list(via).len());
    let mut parts: Vec<String> = first.split(';').map(|part| part.trim().to_owned()).collect();
    let asked = parts.iter().any(|part| part == "rport" || part.starts_with("rport="));
    parts.retain(|part| !part.starts_with("rport") && !part.starts_with("received="));
    parts.push(format!("received={}", peer.ip()));
    if asked {
        parts.push(format!("rport={}", peer.port()));
    }
    parts.join(";") + rest
}

/// §18.2.2: over UDP to the port in Via unless rport was asked for; over TCP back on the connection.
fn return_address(to: &Message, source: Source) -> SocketAddr {
    let via = to.header("via").map(first_of_list).unwrap_or_default();
    let asked = via.split(';').any(|part| part.trim().starts_with("rport"));
    if source.transport == Transport::Tcp || asked {
        return source.peer;
    }
    let sent_by = via.split_whitespace().nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    let port =
        sent_by.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')).and_then(|(_, port)| port.parse().ok());
    SocketAddr::new(source.peer.ip(), port.unwrap_or(5060))
}

/// §12.2.1.1: From and To change places, the caller's Contact is the target, Record-Route the way.
fn bye(config: &EndpointConfig, call: &Call, branch: &str) -> Transmit {
    let invite = &call.invite;
    let source = call.source;
    let transport = if source.transport == Transport::Tcp { "TCP" } else { "UDP" };
    let our = our_address(config, source);
    let mut text =
        format!("BYE {} SIP/2.0\r\nVia: SIP/2.0/{transport} {our};branch={branch};rport\r\n", clean(&call.target));
    text.push_str("Max-Forwards: 70\r\n");
    for route in &call.routes {
        let _ = write!(text, "Route: {}\r\n", clean(route));
    }
    let to = clean(invite.header("to").unwrap_or_default());
    let _ = write!(text, "From: {to};tag={}\r\nTo: {}\r\n", call.tag, clean(invite.header("from").unwrap_or_default()));
    let call_id = clean(invite.header("call-id").unwrap_or_default());
    let _ = write!(text, "Call-ID: {call_id}\r\nCSeq: {} BYE\r\n", call.our_cseq);
    write_body(&mut text, "");
    // To where the calls's requests come from: it works through NAT, and any proxy in the way recorded itself there.
    let peer = call.routes.first().and(Some(source.peer)).unwrap_or_else(|| numeric(&call.target, source));
    Transmit { to: Source { peer, ..source }, bytes: text.into_bytes() }
}

/// The address in a Contact where it is one we may believe: the same host as the request's; else the request's own.
fn numeric(target: &str, source: Source) -> SocketAddr {
    if source.transport == Transport::Tcp {
        return source.peer;
    }
    let host = address_uri(target).split_once(':').map_or("", |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).split(';').next().unwrap_or_default();
    let parsed = host.parse::<SocketAddr>().ok().or_else(|| Some(SocketAddr::new(host.parse().ok()?, 5060)));
    parsed.filter(|address| address.ip() == source.peer.ip()).unwrap_or(source.peer)
}

#[cfg(test)]
mod tests;
