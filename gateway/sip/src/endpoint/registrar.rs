//! The registrar of the company's own telephones and room systems (RFC 3261 §10.3), and whom others are believed to be.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Endpoint, Event, Identity, Instant, Message, Source, Target, TransactionKey, Transport, outgoing::way_by,
    ways::host_and_port, write::Heading,
};
use crate::{
    digest::{Credentials, Proof, challenges},
    guard::network_of,
    message::{address_uri, list, parameter, split_address, uri_number, uri_user},
};

/// Places one account may be at: a desk, a room, a pocket.
const BINDINGS_MAX: usize = 5;

/// The shortest and the longest registration. Shorter ones would be a flood (§10.2.8), with longer ones a telephone that
/// was unplugged rings for nobody.
const EXPIRES_MIN: u32 = 60;
/// See [`EXPIRES_MIN`].
const EXPIRES_MAX: u32 = 3_600;

/// In how many seconds a telephone is to make itself heard, so that a NAT keeps its way open (RFC 5626 §4.4): NATs forget UDP after
/// 30 s to three minutes, and telephones that ask more seldom are asked nothing.
const FLOW_TIMER: u32 = 30;

/// In so many seconds a telephone behind a NAT that doesn't make itself heard is asked to, by [`Endpoint::keep_open`]: see [`FLOW_TIMER`].
pub const KEEP_OPEN_S: u16 = 25;

/// Bytes of what a telephone calls itself; a UUID's URN has 45 with its quotes and brackets.
const INSTANCE_BYTES_MAX: usize = 128;

/// A [`Binding::preference`] that can't be higher.
pub const PREFERRED: u16 = 1_000;

/// How long a nonce is good for.
const NONCE_AGE: Duration = Duration::from_secs(300);

/// Nonces that are remembered; the oldest is forgotten, and whoever has it is asked once more.
const NONCES_MAX: usize = 4_096;

/// Wrong passwords of one account from one host before it is no longer listened to, and for how long: one telephone that has an old one
/// shuts out no other of its office.
const WRONG_MAX: u32 = 10;
/// See [`WRONG_MAX`].
const WRONG_AGE: Duration = Duration::from_secs(60);

/// Wrong passwords of all accounts from one host within [`WRONG_AGE`] before none of it is listened to for as long: an office has not so
/// many telephones with old ones, and who guesses takes a name after the other. Those we trust (a proxy with all offices behind it) are
/// counted by account alone.
const WRONG_OF_HOST_MAX: u32 = 100;

/// Accounts with their hosts whose wrong passwords are counted, and hosts.
const WRONG_FROM_MAX: usize = 4_096;

/// Characters of a name that are looked at for that: extensions have six, and strangers would have us keep more.
const NAME_MAX: usize = 16;

/// Where a telephone is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its Contact: the Request-URI to reach it by.
    pub uri: String,
    /// The way its registration came: it works through NAT.
    pub way: Source,
    /// Until when.
    pub expires: Instant,
    /// The proxies its registration came by, each to be a value of Route (RFC 3327 §5.3).
    pub path: Vec<String>,
    /// How much its owner wants to be called there, in thousandths (`q`, RFC 3261 §20.10); all of it where he doesn't say.
    pub preference: u16,
    /// Which telephone it is, by which of its ways, where it says so: wherever it comes back from, it is at one place (RFC 5626 §6).
    pub flow: Option<Flow>,
    /// Call-ID and CSeq of its newest registration: an older one that comes late changes nothing (§10.3 item 7). None after a restart.
    pub newest: Option<(String, u32)>,
}

/// What a telephone names itself and one of its ways here by (RFC 5626 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// `+sip.instance`: of the telephone, for ever.
    pub instance: String,
    /// `reg-id`
    pub number: u32,
}

#[derive(Debug)]
pub(super) struct Registrar {
    bindings: BTreeMap<String, Vec<Binding>>,
    /// When each was given, and how often it was used.
    nonces: BTreeMap<String, (Instant, u32)>,
    nonces_order: VecDeque<String>,
    wrong: Wrong<(IpAddr, String)>,
    wrong_of_host: Wrong<IpAddr>,
}

/// How often somebody was wrong, and since when, or, once that was too often, since when he is shut out.
#[derive(Debug)]
struct Wrong<K> {
    counts: BTreeMap<K, (u32, Instant)>,
    most: u32,
    /// When those were forgotten that are no longer counted.
    swept: Option<Instant>,
}

/// What a proof is worth.
enum Worth {
    Good(String),
    Stale,
    None,
    Wrong,
}

/// None where one of the two is missing (RFC 5626 §4.2).
fn flow_of(parameters: &str) -> Option<Flow> {
    let instance = parameter(parameters, "+sip.instance").filter(|name| name.len() <= INSTANCE_BYTES_MAX)?;
    let number = parameter(parameters, "reg-id")?.parse().ok().filter(|number| *number > 0)?;
    Some(Flow { instance: instance.to_owned(), number })
}

/// Thousandths of a `q` (RFC 3261 §25.1); none where it is no such number.
pub(super) fn thousandths(q: &str) -> Option<u16> {
    let (whole, part) = q.split_once('.').unwrap_or((q, ""));
    let is_number = matches!(whole, "0" | "1") && part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
    let all = format!("{whole}{part:0<3}").parse().ok().filter(|_| is_number)?;
    (all <= PREFERRED).then_some(all)
}

impl Binding {
    /// It registered over UDP and is reached elsewhere than it thinks; and it doesn't keep its way open itself (RFC 5626 §4.4.2).
    fn is_kept_open(&self) -> bool {
        let is_he = |named: SocketAddr| named == self.way.peer;
        let named = host_and_port(&self.uri);
        let is_behind =
            !named.parse().is_ok_and(is_he) && !named.parse().is_ok_and(|ip: IpAddr| is_he(SocketAddr::new(ip, 5060)));
        self.way.transport == Transport::Udp && self.path.is_empty() && self.flow.is_none() && is_behind
    }
}

impl Registrar {
    /// Nothing that `host` says is listened to.
    fn is_host_shut_out(&self, host: IpAddr, now: Instant) -> bool {
        self.wrong_of_host.is_shut_out(&network_of(host), now)
    }

    /// What `host` says of this account is not.
    fn is_shut_out(&self, host: IpAddr, name: &str, now: Instant) -> bool {
        self.wrong.is_shut_out(&counted(host, name), now)
    }

    fn note_wrong(&mut self, host: IpAddr, name: &str, now: Instant) {
        self.wrong.note(counted(host, name), now);
        self.wrong_of_host.note(network_of(host), now);
    }

    /// Hosts and accounts whose wrong passwords are counted.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.wrong_of_host.counts.len(), self.wrong.counts.len())
    }

    fn give_nonce(&mut self, nonce: String, now: Instant) {
        if self.nonces.len() >= NONCES_MAX
            && let Some(oldest) = self.nonces_order.pop_front()
        {
            self.nonces.remove(&oldest);
        }
        self.nonces.insert(nonce.clone(), (now, 0));
        self.nonces_order.push_back(nonce);
    }

    /// Each nonce once for each count (RFC 7616 §3.4.5): what is heard on the wire is worth nothing.
    fn use_nonce(&mut self, nonce: &str, count: u32, now: Instant) -> bool {
        match self.nonces.get_mut(nonce) {
            Some((given, used)) if now.saturating_duration_since(*given) < NONCE_AGE && count > *used => {
                *used = count;
                true
            }
            _ => false,
        }
    }
}

fn counted(host: IpAddr, name: &str) -> (IpAddr, String) {
    (network_of(host), name.chars().take(NAME_MAX).collect())
}

impl<K: Ord> Wrong<K> {
    fn new(most: u32) -> Self {
        Self { counts: BTreeMap::new(), most, swept: None }
    }

    fn is_shut_out(&self, who: &K, now: Instant) -> bool {
        self.counts.get(who).is_some_and(|(count, since)| *count >= self.most && !is_over(*since, now))
    }

    fn note(&mut self, who: K, now: Instant) {
        // Seldom: whoever guesses from everywhere must not have it done for each guess.
        if self.swept.is_none_or(|at| is_over(at, now)) {
            self.swept = Some(now);
            self.counts.retain(|_, (_, since)| !is_over(*since, now));
        }
        if self.counts.len() < WRONG_FROM_MAX || self.counts.contains_key(&who) {
            let (count, since) = self.counts.entry(who).or_insert((0, now));
            if is_over(*since, now) {
                (*count, *since) = (0, now);
            }
            *count += 1;
            if *count >= self.most {
                *since = now;
            }
        }
    }
}

fn is_over(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= WRONG_AGE
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            bindings: BTreeMap::new(),
            nonces: BTreeMap::new(),
            nonces_order: VecDeque::new(),
            wrong: Wrong::new(WRONG_MAX),
            wrong_of_host: Wrong::new(WRONG_OF_HOST_MAX),
        }
    }
}

impl Endpoint {
    /// Strangers may be kept from calling altogether ([`Limits::no_strangers`](crate::Limits)).
    pub(super) fn may_call(&self, host: IpAddr, now: Instant) -> bool {
        self.guard.may_call(host) || self.registers_by(|way| way.peer.ip() == host, now)
    }

    /// Whether who sent this is believed, and what he asserts of his caller, be it hidden from others or not.
    pub(super) fn identity(&self, invite: &Message, source: Source) -> Identity {
        if !self.guard.is_believed(source.peer.ip()) {
            return Identity::Written;
        }
        let asserted = invite.headers("p-asserted-identity").flat_map(list).map(address_uri);
        let asserted = asserted.filter_map(uri_number).find(|number| !number.is_empty());
        asserted.map_or(Identity::Brought, Identity::Asserted)
    }

    /// From is what he writes; his carrier knows better, unless he asked it not to tell (RFC 3323, RFC 3325 §9.2).
    pub(super) fn caller(invite: &Message, identity: &Identity) -> String {
        let hides = |privacy: &str| privacy.split(';').any(|kind| matches!(kind.trim(), "id" | "user" | "header"));
        match identity {
            Identity::Asserted(number) if !invite.headers("privacy").any(hides) => number.clone(),
            _ => invite.uri("from").and_then(uri_number).unwrap_or_default(),
        }
    }

    /// Where an account's telephones are, the most wanted first (RFC 3261 §16.6), and of those as much wanted the newest.
    #[must_use]
    pub fn bindings(&self, account: &str, now: Instant) -> Vec<Binding> {
        let known = self.registrar.bindings.get(account).map(Vec::as_slice).unwrap_or_default();
        let mut known: Vec<_> = known.iter().rev().filter(|binding| binding.expires > now).cloned().collect();
        known.sort_by_key(|binding| Reverse(binding.preference));
        known
    }

    /// Whether a telephone is registered by one of these ways.
    pub(super) fn registers_by(&self, is_it: impl Fn(Source) -> bool, now: Instant) -> bool {
        let mut all = self.registrar.bindings.values().flatten();
        all.any(|binding| binding.expires > now && is_it(binding.way))
    }

    pub(super) fn register(&mut self, source: Source, message: &Message, key: &TransactionKey, now: Instant) {
        let host = source.peer.ip();
        // Nothing is kept of these answers: a flood would put out those of others. Of a trusted host others may be heard whatever one says.
        let is_shut_out = self.registrar.is_host_shut_out(host, now) && !self.guard.is_in_trusted_network(host);
        if self.config.accounts.is_empty() || is_shut_out {
            return self.answer_lightly(source, message, key, 403, "Forbidden", "", now);
        }
        let proof = message.headers("authorization").find_map(Proof::parse);
        let himself = message.uri("to").and_then(uri_user).unwrap_or_default();
        let name = proof.as_ref().map_or_else(|| himself.clone(), |proof| proof.user.clone());
        if self.registrar.is_shut_out(host, &name, now) {
            return self.answer_lightly(source, message, key, 403, "Forbidden", "", now);
        }
        match proof.map_or(Worth::None, |proof| self.worth(proof, &himself, now)) {
            Worth::Good(account) => self.bind(source, message, key, &account, now),
            Worth::Wrong => {
                self.registrar.note_wrong(host, &name, now);
                self.answer_plainly(source, message, key, 403, "Forbidden", now);
            }
            worth @ (Worth::Stale | Worth::None) => {
                let nonce = self.new_tag();
                self.registrar.give_nonce(nonce.clone(), now);
                let is_stale = matches!(worth, Worth::Stale);
                let fields = challenges(&self.config.realm, &nonce, is_stale, self.config.sha256);
                self.answer_with(source, message, key, 401, "Unauthorized", &fields, now);
            }
        }
    }

    fn worth(&mut self, proof: Proof, himself: &str, now: Instant) -> Worth {
        let account = self.config.accounts.iter().find(|account| account.user == proof.user);
        // Who has no account is looked at for as long as who has one: which there are can't be measured.
        let nobody = Credentials { user: proof.user.clone(), password: String::new() };
        let is_right = proof.is_of(account.unwrap_or(&nobody), &self.config.realm, "REGISTER") && account.is_some();
        // One registers oneself.
        if !is_right || himself != proof.user {
            return Worth::Wrong;
        }
        if self.registrar.use_nonce(proof.nonce(), proof.count.max(1), now) {
            Worth::Good(proof.user)
        } else {
            Worth::Stale
        }
    }

    /// §10.3 items 6 to 8.
    fn bind(&mut self, source: Source, message: &Message, key: &TransactionKey, account: &str, now: Instant) {
        let path = way_by(message, "path");
        // Where the first proxy knows nothing of flows it is an ordinary registration (RFC 5626 §6).
        let is_direct = message.headers("via").flat_map(list).count() == 1
            || path.last().is_some_and(|edge| edge.split([';', '>']).any(|parameter| parameter == "ob"));
        let mut supported = message.headers("supported").chain(message.headers("require")).flat_map(list);
        let takes_flows = is_direct && supported.any(|option| option.eq_ignore_ascii_case("outbound"));
        let mut has_flow = false;
        let asked_for_all = message.header("expires").and_then(|expires| expires.trim().parse::<u32>().ok());
        let contacts: Vec<&str> = message.headers("contact").flat_map(list).take(BINDINGS_MAX).collect();
        if contacts.contains(&"*") && (contacts.len() > 1 || asked_for_all != Some(0)) {
            return self.answer_plainly(source, message, key, 400, "Bad Request", now);
        }
        let call_id = message.header("call-id").unwrap_or_default();
        let number = message.cseq().map_or(0, |(number, _)| number);
        let newest = Some((call_id.to_owned(), number));
        let bindings = self.registrar.bindings.entry(account.to_owned()).or_default();
        bindings.retain(|binding| binding.expires > now);
        let is_newer = |(of, than): &(String, u32)| of == call_id && *than >= number;
        if !contacts.is_empty() && bindings.iter().any(|binding| binding.newest.as_ref().is_some_and(is_newer)) {
            return self.answer_plainly(source, message, key, 500, "Server Internal Error", now);
        }
        for contact in contacts {
            if contact == "*" {
                bindings.clear();
                continue;
            }
            let (uri, behind) = split_address(contact);
            let uri = uri.to_owned();
            let own = parameter(behind, "expires").and_then(|expires| expires.parse::<u32>().ok());
            let preference = parameter(behind, "q").and_then(thousandths).unwrap_or(PREFERRED);
            let flow = flow_of(behind).filter(|_| takes_flows);
            has_flow |= flow.is_some();
            bindings.retain(|binding| binding.uri != uri && (flow.is_none() || binding.flow != flow));
            let seconds = own.or(asked_for_all).unwrap_or(EXPIRES_MAX);
            if seconds == 0 {
                continue;
            }
            if bindings.len() >= BINDINGS_MAX {
                bindings.remove(0);
            }
            let seconds = seconds.clamp(EXPIRES_MIN, EXPIRES_MAX);
            let expires = now + Duration::from_secs(u64::from(seconds));
            let (path, newest) = (path.clone(), newest.clone());
            bindings.push(Binding { uri, way: source, expires, path, preference, flow, newest });
        }
        let mut fields = String::new();
        if has_flow {
            let _ = write!(fields, "Require: outbound\r\nFlow-Timer: {FLOW_TIMER}\r\n");
        }
        // §5.3: that the proxies see they were heard of.
        for proxy in &path {
            let _ = write!(fields, "Path: {}\r\n", super::write::clean(proxy));
        }
        for binding in bindings.iter() {
            let left = binding.expires.saturating_duration_since(now).as_secs();
            let (whole, part) = (binding.preference / PREFERRED, binding.preference % PREFERRED);
            let q = if whole == 1 { String::new() } else { format!(";q={whole}.{part:03}") };
            // Writing into a String can't fail.
            let _ = write!(fields, "Contact: <{}>;expires={left}{q}\r\n", super::write::clean(&binding.uri));
        }
        self.events.push_back(Event::Registered(account.to_owned()));
        self.answer_with(source, message, key, 200, "OK", &fields, now);
    }

    /// Asks telephones behind a NAT whether they are there, so that they answer and the NAT keeps their way open; each every
    /// [`KEEP_OPEN_S`] seconds where this is called with one second after the other. What they answer, and whether, is nobody's
    /// business: it is asked once, and no transaction.
    pub fn keep_open(&mut self, second: u16, now: Instant) {
        let is_due = |binding: &&Binding| {
            binding.expires > now
                && binding.is_kept_open()
                && binding.way.peer.port() % KEEP_OPEN_S == second % KEEP_OPEN_S
        };
        let bindings = self.registrar.bindings.values().flatten().filter(is_due);
        let due: Vec<(Source, String)> = bindings.map(|binding| (binding.way, binding.uri.clone())).collect();
        for (way, uri) in due {
            let (branch, tag, call_id) = (self.new_branch(), self.new_tag(), self.new_tag());
            let target = Target { call_id, ..Target::new(way, uri, format!("sip:{}", self.config.realm), "") };
            let heading = Heading { method: "OPTIONS", branch, tag: &tag, to_tag: None, cseq: 1 };
            let asks = super::write::beginning(&self.config, &target, &heading, "", "");
            self.transmits.push_back(asks);
        }
    }

    /// A telephone is known from before a restart; one of an account that is no more is not.
    pub fn restore(&mut self, account: &str, binding: Binding) {
        if self.config.accounts.iter().any(|known| known.user == account) {
            let bindings = self.registrar.bindings.entry(account.to_owned()).or_default();
            if bindings.len() < BINDINGS_MAX {
                bindings.push(binding);
            }
        }
    }
}
