//! The carriers we call by (P7): registered at, asked whether they are there, server by server, and held to their limits.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use sip::{Answer, Credentials, Question, Source, Target};
use sipconf::{DialPlan, Dialled, Trunk};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    arrivals::Arrivals,
    locate::{Locator, Place},
    switchboard::Wish,
    tls::TlsPeer,
};

/// How long a registration is asked for. Shorter finds a carrier that forgot us sooner, and costs it more.
const REGISTRATION_S: u32 = 600;

/// The longest registration a carrier may ask us for.
const EXPIRES_MAX: u32 = 24 * 3600;

/// However long it was granted, it is renewed after this.
const RENEW_MAX: Duration = Duration::from_secs(600);

/// How often a carrier is asked whether it is there (RFC 3261 §11). It keeps a NAT's door open too.
const PING: Duration = Duration::from_secs(30);

/// After a failure, and the longest after many in a row.
const AGAIN: Duration = Duration::from_secs(2);
/// See [`AGAIN`].
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// How long a server may be silent before the next one is asked. Over UDP a lost packet is repeated three times by then;
/// the 32 s of RFC 3261 §17.1.1.2 nobody waits for.
pub(crate) const SILENT: Duration = Duration::from_secs(4);

/// A server that failed is tried after the others for so long. More forgives it later, less has more calls wait for it.
const BAD: Duration = Duration::from_secs(30);

/// Servers of a carrier that failed lately, of which more are forgotten.
const BAD_MAX: usize = 32;

/// The longest a server is left alone, whatever it says. Longer, and one slip of its takes it away for the day.
const LEFT_ALONE_MAX: Duration = Duration::from_secs(3_600);

/// The system's authorities are read anew so often: its updates come by the month, and who is believed no more is believed for so long.
const AUTHORITIES_KEPT: Duration = Duration::from_secs(24 * 3600);

/// A server that stops waits no longer for a carrier to take note.
const GOODBYE: Duration = Duration::from_secs(1);

/// Of [`Trunk::calls_per_day`].
const DAY: Duration = Duration::from_secs(24 * 3600);

/// All carriers and how they do.
pub(crate) struct Carriers {
    plan: DialPlan,
    locator: Locator,
    states: Vec<State>,
    wishes: mpsc::Sender<Wish>,
    stopping: CancellationToken,
}

#[derive(Default)]
struct State {
    /// It has answered last time. Unknown ones are tried.
    silent: AtomicBool,
    usage: Mutex<Usage>,
    arrivals: Mutex<Arrivals>,
    servers: Mutex<Servers>,
    certificates: Mutex<Option<Certificates>>,
    /// The connection we registered by is gone.
    lost: Notify,
}

/// What is known of a carrier's servers.
#[derive(Default)]
struct Servers {
    /// As they were found last: a name server that is silent takes no carrier away.
    found: Vec<Place>,
    /// Its records name them, and so how they are spoken to.
    by_records: bool,
    /// Those that failed, and until when that counts.
    bad: Vec<(Place, Instant)>,
    /// Those that are to be left alone, and until when (RFC 3261 §21.5.4).
    full: Vec<(Place, Instant)>,
    /// Where we are registered.
    home: Option<Place>,
    /// By which proxies requests go from there (RFC 3608).
    service_route: Vec<String>,
}

/// Whom we believe at a carrier over TLS and what we show there, as it was read. Its connections share it: they resume sessions
/// (RFC 8446 §2.2).
#[derive(Clone)]
struct Certificates {
    /// None where it can't be read.
    peer: Option<TlsPeer>,
    /// When the files were written.
    written: Vec<Option<SystemTime>>,
    read: Instant,
}

impl Certificates {
    /// Reads files: nothing that waits for others may.
    fn read(trunk: &Trunk, before: Option<Self>) -> Self {
        let files = trunk.authority.iter().chain(trunk.certificate.iter().flat_map(|(chain, key)| [chain, key]));
        let written: Vec<_> = files.map(|file| file.metadata().and_then(|file| file.modified()).ok()).collect();
        let has_changed = |before: &Self| {
            before.written != written || trunk.authority.is_none() && before.read.elapsed() >= AUTHORITIES_KEPT
        };
        match before {
            Some(before) if !has_changed(&before) => before,
            // Where they can't be read now, what was read before holds.
            before => {
                let peer = tls_peer(trunk).or_else(|| before?.peer);
                Self { peer, written, read: Instant::now() }
            }
        }
    }
}

impl Servers {
    fn in_order(&mut self, now: Instant) -> Vec<Place> {
        self.bad.retain(|(_, until)| *until > now);
        self.full.retain(|(_, until)| *until > now);
        let is_bad = |place: &Place| self.bad.iter().any(|(bad, _)| bad == place);
        let mut order = self.found.clone();
        order.retain(|place| self.full.iter().all(|(full, _)| full != place));
        order.sort_by_key(|place| (is_bad(place), self.home != Some(*place)));
        order
    }

    fn note(&mut self, place: Place, works: bool, now: Instant) {
        self.bad.retain(|(bad, until)| *bad != place && *until > now);
        if !works && self.bad.len() < BAD_MAX {
            self.bad.push((place, now + BAD));
        }
        if !works && self.home == Some(place) {
            self.home = None;
        }
    }

    fn leave_alone(&mut self, place: Place, within: Duration, now: Instant) {
        if self.full.len() < BAD_MAX {
            self.full.push((place, now + within.min(LEFT_ALONE_MAX)));
        }
    }
}

impl State {
    /// By which proxies a request to this server goes.
    fn route_from(&self, place: Place) -> Vec<String> {
        let servers = self.servers();
        if servers.home == Some(place) { servers.service_route.clone() } else { Vec::new() }
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certificates(&self) -> MutexGuard<'_, Option<Certificates>> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it was read last.
    fn tls_peer(&self) -> Option<TlsPeer> {
        self.certificates().as_ref()?.peer.clone()
    }
}

#[derive(Default)]
struct Usage {
    calls: u32,
    /// When each call of the last second and of the last day began.
    second: VecDeque<Instant>,
    day: VecDeque<Instant>,
}

/// One of a carrier's calls, given back when dropped.
pub(crate) struct Permit {
    carriers: Arc<Carriers>,
    index: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(state) = self.carriers.states.get(self.index) {
            let mut usage = state.usage.lock().unwrap_or_else(PoisonError::into_inner);
            usage.calls = usage.calls.saturating_sub(1);
        }
    }
}

impl Usage {
    fn take(&mut self, trunk: &Trunk, now: Instant) -> bool {
        forget(&mut self.second, now, Duration::from_secs(1));
        forget(&mut self.day, now, DAY);
        let has_room = self.calls < trunk.calls_max
            && self.second.len() < trunk.calls_per_second as usize
            && self.day.len() < trunk.calls_per_day as usize;
        if has_room {
            self.calls += 1;
            self.second.push_back(now);
            self.day.push_back(now);
        }
        has_room
    }
}

pub(crate) fn forget(times: &mut VecDeque<Instant>, now: Instant, age: Duration) {
    while times.front().is_some_and(|first| now.saturating_duration_since(*first) >= age) {
        times.pop_front();
    }
}

impl Carriers {
    pub(crate) fn new(
        plan: DialPlan,
        locator: Locator,
        wishes: mpsc::Sender<Wish>,
        stopping: CancellationToken,
    ) -> Self {
        let states = plan.trunks().iter().map(|_| State::default()).collect();
        Self { plan, locator, states, wishes, stopping }
    }

    pub(crate) fn plan(&self) -> &DialPlan {
        &self.plan
    }

    /// A call to our account came to where we registered, whatever number was dialled.
    pub(crate) fn is_account(&self, user: &str) -> bool {
        self.plan.trunks().iter().any(|trunk| trunk.register && trunk.user.as_deref() == Some(user))
    }

    /// The carriers for a number in the order they are tried: those that answered last time first.
    pub(crate) fn in_order(&self, number: &Dialled) -> Vec<usize> {
        let mut all: Vec<usize> = self.plan.carriers(number).map(|(index, _)| index).collect();
        all.sort_by_key(|index| self.states[*index].silent.load(Ordering::Relaxed));
        all
    }

    /// One call by this carrier, where its limits leave one.
    pub(crate) fn take(self: &Arc<Self>, index: usize) -> Option<Permit> {
        let (state, trunk) = (self.states.get(index)?, self.plan.trunks().get(index)?);
        let has_room = state.usage.lock().unwrap_or_else(PoisonError::into_inner).take(trunk, Instant::now());
        if !has_room {
            tracing::warn!(trunk = trunk.name, "a limit of this trunk is reached");
            metrics::counter!("gateway_trunk_limited", "trunk" => trunk.name.clone()).increment(1);
        }
        has_room.then(|| Permit { carriers: Arc::clone(self), index })
    }

    /// By which carrier a call from this address comes; of several there, by the one whose account is called.
    pub(crate) fn of(&self, address: IpAddr, dialled: &str) -> Option<usize> {
        let is_there = |state: &State| state.servers().found.iter().any(|place| place.address.ip() == address);
        let mut all = self.states.iter().enumerate().filter(|(_, state)| is_there(state)).map(|(index, _)| index);
        let mut others = all.clone();
        all.find(|index| self.plan.trunks()[*index].user.as_deref() == Some(dialled)).or_else(|| others.next())
    }

    pub(crate) fn arrivals(&self, index: usize) -> Option<&Mutex<Arrivals>> {
        self.states.get(index).map(|state| &state.arrivals)
    }

    /// Its servers in the order they are tried: where we are registered, then as they are found, those that failed lately last. Whom we
    /// believe there is known then, too.
    pub(crate) async fn places(self: &Arc<Self>, index: usize) -> Vec<Place> {
        let (Some(state), Some(trunk)) = (self.states.get(index), self.plan.trunks().get(index)) else {
            return Vec::new();
        };
        let transport = trunk.transport.map(transport_of);
        let (found, by_records) = self.locator.places(&trunk.host, trunk.port, transport).await;
        let places = {
            let mut servers = state.servers();
            if !found.is_empty() {
                (servers.found, servers.by_records) = (found, by_records);
            }
            servers.in_order(Instant::now())
        };
        if places.iter().any(|place| place.transport == sip::Transport::Tls) {
            let carriers = Arc::clone(self);
            // Disks may be slow.
            let read = tokio::task::spawn_blocking(move || carriers.read_certificates(index)).await;
            if let Err(error) = read {
                tracing::error!(trunk = trunk.name, %error, "certificates aren't read");
            }
        }
        places
    }

    fn read_certificates(&self, index: usize) {
        if let (Some(state), Some(trunk)) = (self.states.get(index), self.plan.trunks().get(index)) {
            let before = state.certificates().clone();
            let read = Certificates::read(trunk, before);
            *state.certificates() = Some(read);
        }
    }

    /// One of its servers took what was sent there, or didn't (RFC 3263 §4.3).
    pub(crate) fn note(&self, index: usize, place: Place, works: bool) {
        if let Some(state) = self.states.get(index) {
            state.servers().note(place, works, Instant::now());
        }
    }

    /// One of its servers has no room and says for how long.
    pub(crate) fn leave_alone(&self, index: usize, place: Place, within: Duration) {
        if let (Some(state), Some(trunk)) = (self.states.get(index), self.plan.trunks().get(index)) {
            tracing::warn!(trunk = trunk.name, server = %place.address, seconds = within.as_secs(), "the server has no room");
            state.servers().leave_alone(place, within, Instant::now());
        }
    }

    /// A connection of ours is gone: who is registered by it has to be again (RFC 5626 §4.5).
    pub(crate) fn flow_lost(&self, transport: sip::Transport, address: SocketAddr) {
        let lost = Some(Place { transport, address });
        for state in self.states.iter().filter(|state| state.servers().home == lost) {
            state.lost.notify_one();
        }
    }

    /// What a carrier at this address is to show where we connect to it by TLS; none where no trunk by TLS has a server there.
    pub(crate) fn certificate_of(&self, address: IpAddr) -> Option<TlsPeer> {
        let is_there = |place: &Place| place.transport == sip::Transport::Tls && place.address.ip() == address;
        self.states.iter().find(|state| state.servers().found.iter().any(is_there))?.tls_peer()
    }

    /// Registers at each and asks the others, until the server stops.
    pub(crate) fn keep(self: &Arc<Self>, tasks: &TaskTracker) {
        for index in 0..self.states.len() {
            let carriers = Arc::clone(self);
            tasks.spawn(async move { carriers.keep_one(index).await });
        }
    }

    async fn keep_one(self: &Arc<Self>, index: usize) {
        let (trunk, state) = (&self.plan.trunks()[index], &self.states[index]);
        let call_id = format!("{:032x}", rand::random::<u128>());
        let up = metrics::gauge!("gateway_trunk_up", "trunk" => trunk.name.clone());
        let (mut failures, mut was_up) = (0, None);
        let mut expires = REGISTRATION_S;
        // When our registration has to be renewed.
        let mut renew: Option<Instant> = None;
        let mut answers_options = false;
        loop {
            // A registration that stands is not all: its registrar may be gone, or a NAT may close (P7).
            let registers = trunk.register && renew.is_none_or(|renew| renew <= Instant::now());
            let question = if registers { Question::Register { expires } } else { Question::Options };
            let asked = self.stopping.run_until_cancelled(self.ask(index, &call_id, question)).await;
            let Some(answer) = asked else { break };
            let code = answer.as_ref().map_or(408, |answer| answer.code);
            if let Some(least) = answer.as_ref().and_then(|answer| answer.min_expires)
                && registers
                && code == 423
                && (expires + 1..=EXPIRES_MAX).contains(&least)
            {
                // RFC 3261 §10.2.8
                expires = least;
                continue;
            }
            // A registration must have been taken. Some who take it answer no OPTIONS, ever.
            answers_options |= !registers && is_there(code);
            let is_up = if registers { code < 300 } else { is_there(code) || trunk.register && !answers_options };
            if was_up.replace(is_up) != Some(is_up) {
                if is_up {
                    tracing::info!(trunk = trunk.name, registered = trunk.register, "trunk is up");
                } else {
                    tracing::warn!(trunk = trunk.name, code, "trunk is down");
                }
            }
            up.set(f64::from(u8::from(is_up)));
            state.silent.store(!is_up, Ordering::Relaxed);
            failures = if is_up { 0 } else { failures + 1 };
            let now = Instant::now();
            if registers || !is_up {
                renew = (registers && is_up).then(|| {
                    let granted = answer.and_then(|answer| answer.expires).unwrap_or(expires);
                    now + Duration::from_secs(u64::from(granted)).mul_f64(0.8).clamp(AGAIN, RENEW_MAX)
                });
            }
            let wait = if is_up {
                renew.map_or(PING, |renew| renew.saturating_duration_since(now).min(PING))
            } else {
                (AGAIN * 2_u32.saturating_pow(failures - 1)).min(AGAIN_MAX)
            };
            let wait = tokio::select! {
                () = sleep(wait) => Duration::ZERO,
                () = state.lost.notified(), if renew.is_some() => {
                    renew = None;
                    // One who takes us and hangs up at once would have us register for ever.
                    AGAIN
                }
                () = self.stopping.cancelled() => break,
            };
            if self.stopping.run_until_cancelled(sleep(wait)).await.is_none() {
                break;
            }
        }
        if trunk.register && was_up == Some(true) {
            let _unheard = timeout(GOODBYE, self.ask(index, &call_id, Question::Register { expires: 0 })).await;
        }
    }

    /// One server after the other, until one answers.
    async fn ask(self: &Arc<Self>, index: usize, call_id: &str, question: Question) -> Option<Answer> {
        let places = self.places(index).await;
        let last = places.len().saturating_sub(1);
        let mut answer = None;
        for (number, place) in places.into_iter().enumerate() {
            let asked = self.ask_at(index, place, call_id, question);
            answer = if number < last { timeout(SILENT, asked).await.ok().flatten() } else { asked.await };
            let works = answer.as_ref().is_some_and(|answer| is_there(answer.code));
            self.note(index, place, works);
            if let Some(seconds) = answer.as_ref().and_then(|answer| answer.retry_after) {
                self.leave_alone(index, place, Duration::from_secs(seconds.into()));
            }
            if let Some(Answer { code: 200..300, service_route, .. }) = &answer
                && matches!(question, Question::Register { .. })
            {
                let mut servers = self.states[index].servers();
                (servers.home, servers.service_route) = (Some(place), service_route.clone());
            }
            if works {
                break;
            }
        }
        answer
    }

    async fn ask_at(&self, index: usize, place: Place, call_id: &str, question: Question) -> Option<Answer> {
        let trunk = &self.plan.trunks()[index];
        let user = trunk.user.as_deref().unwrap_or(&trunk.caller);
        let own = format!("sip:{user}@{}", trunk.domain);
        let uri = format!("sip:{}", trunk.domain);
        let to = if trunk.register { own.clone() } else { uri.clone() };
        let (target, tls) = self.target(index, place, uri, to)?;
        // A registration is how the way is learnt (RFC 3608 §5).
        let routes = if matches!(question, Question::Options) { target.routes } else { Vec::new() };
        let target = Target { call_id: call_id.to_owned(), from: own, routes, ..target };
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish::Ask { target, tls, question, answer }).await.ok()?;
        answered.await.ok()
    }

    /// A request of ours to this server of this carrier, as [`Self::places`] has it; none where its certificate can't be checked.
    pub(crate) fn target(
        &self,
        index: usize,
        place: Place,
        uri: String,
        to: String,
    ) -> Option<(Target, Option<TlsPeer>)> {
        let trunk = self.plan.trunks().get(index)?;
        let state = self.states.get(index)?;
        let (routes, by_records) = (state.route_from(place), state.servers().by_records);
        let tls = match place.transport {
            sip::Transport::Udp | sip::Transport::Tcp | sip::Transport::Ws => None,
            sip::Transport::Tls => Some(state.tls_peer()?),
        };
        let credentials = trunk.user.clone().zip(trunk.password.clone());
        // The switchboard chooses one of its sockets.
        let by = |transport| Source {
            transport,
            peer: place.address,
            local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        };
        let is_settled = trunk.transport.is_some() || by_records || place.transport != sip::Transport::Udp;
        let from = format!("sip:{}@{}", trunk.caller, trunk.domain);
        let contact = trunk.user.clone().unwrap_or_else(|| trunk.caller.clone());
        let target = Target {
            to,
            credentials: credentials.map(|(user, password)| Credentials { user, password }),
            realm: trunk.realm.clone(),
            large: (!is_settled).then(|| by(sip::Transport::Tcp)),
            routes,
            ..Target::new(by(place.transport), uri, from, contact)
        };
        Some((target, tls))
    }
}

pub(crate) fn transport_of(written: sipconf::Transport) -> sip::Transport {
    match written {
        sipconf::Transport::Udp => sip::Transport::Udp,
        sipconf::Transport::Tcp => sip::Transport::Tcp,
        sipconf::Transport::Tls => sip::Transport::Tls,
    }
}

/// The name that was asked for, not what name servers made of it (RFC 5922 §4).
fn tls_peer(trunk: &Trunk) -> Option<TlsPeer> {
    let peer = TlsPeer::new(&trunk.host, trunk.authority.as_deref(), trunk.certificate.as_ref());
    let warn = |error: &String| {
        tracing::warn!(trunk = trunk.name, error, "the trunk's authority or certificate can't be read")
    };
    peer.inspect_err(warn).ok()
}

/// Whoever answers is, but for who says that he isn't (RFC 3261 §21.5.4) or says nothing (408, as it is reckoned).
fn is_there(code: u16) -> bool {
    !matches!(code, 408 | 503)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carriers(more: &str) -> (Arc<Carriers>, mpsc::Receiver<Wish>, CancellationToken) {
        let text = format!("name = \"a\"\naddress = \"192.0.2.1\"\nuser = \"1000\"\npassword = \"secret\"\n{more}");
        let plan = DialPlan::new(vec![toml::from_str(&text).unwrap()], None);
        let ((wishes, wished), stopping) = (mpsc::channel(8), CancellationToken::new());
        (Arc::new(Carriers::new(plan, Locator::new(&[]), wishes, stopping.clone())), wished, stopping)
    }

    /// What is asked next, and how it is answered.
    async fn asked(wished: &mut mpsc::Receiver<Wish>) -> (Question, oneshot::Sender<Answer>) {
        match wished.recv().await {
            Some(Wish::Ask { question, answer, .. }) => (question, answer),
            _ => panic!("nothing is asked"),
        }
    }

    fn answer(code: u16, expires: Option<u32>, min_expires: Option<u32>) -> Answer {
        Answer { code, expires, min_expires, service_route: Vec::new(), retry_after: None }
    }

    // RFC 5922 §4
    #[tokio::test]
    async fn a_connection_made_anew_is_believed_by_the_name_of_the_trunk_it_leads_to() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (carriers, ..) = carriers("transport = \"tls\"\n");
        let address = SocketAddr::from(([192, 0, 2, 1], 5061));
        assert!(carriers.certificate_of(address.ip()).is_none(), "nobody was found there yet");
        assert_eq!(carriers.places(0).await, [Place { transport: sip::Transport::Tls, address }]);
        let name = carriers.certificate_of(address.ip()).map(|peer| peer.name);
        assert_eq!(name, Some("192.0.2.1".try_into().unwrap()));
        assert!(carriers.certificate_of("192.0.2.2".parse().unwrap()).is_none());
    }

    // product: P7; RFC 8446 §2.2
    #[tokio::test]
    async fn whom_a_trunk_believes_is_read_once_until_its_file_is_another() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = tempfile::NamedTempFile::new().unwrap();
        let (carriers, ..) = carriers(&format!("transport = \"tls\"\nauthority = {:?}\n", file.path()));
        let known = async || {
            let place = carriers.places(0).await[0];
            let uri = "sip:1@a".to_owned();
            carriers.target(0, place, uri.clone(), uri).unwrap().1.unwrap().config
        };
        let first = known().await;
        assert!(Arc::ptr_eq(&first, &known().await), "sessions are resumed by what is shared");
        let write = |text: &str, later_s: u64| {
            std::fs::write(file.path(), text).unwrap();
            let then = SystemTime::now() + Duration::from_secs(later_s);
            std::fs::File::options().write(true).open(file.path()).unwrap().set_modified(then).unwrap();
        };
        write("-----BEGIN CERTIFICATE-----\nhalf of one", 10);
        assert!(Arc::ptr_eq(&first, &known().await), "what can't be read changes nothing");
        write("", 20);
        assert!(!Arc::ptr_eq(&first, &known().await));
    }

    // product: P7; RFC 3261 §10.2.8
    #[tokio::test(start_paused = true)]
    async fn a_registrar_that_was_gone_for_five_minutes_has_us_again_within_one() {
        let (carriers, mut wished, stopping) = carriers("register = true\n");
        let tasks = TaskTracker::new();
        carriers.keep(&tasks);
        let (question, brief) = asked(&mut wished).await;
        assert_eq!(question, Question::Register { expires: 600 });
        brief.send(answer(423, None, Some(1_800))).unwrap();
        let (question, taken) = asked(&mut wished).await;
        assert_eq!(question, Question::Register { expires: 1_800 });
        let registered = Instant::now();
        taken.send(answer(200, Some(1_800), None)).unwrap();
        let (question, there) = asked(&mut wished).await;
        assert_eq!((question, registered.elapsed()), (Question::Options, PING), "it is asked between registrations");
        there.send(answer(200, None, None)).unwrap();
        let is_silent = || carriers.states[0].silent.load(Ordering::Relaxed);

        let gone = Instant::now();
        let back = loop {
            let (question, unanswered) = asked(&mut wished).await;
            if gone.elapsed() > Duration::from_secs(300) {
                assert_eq!(question, Question::Register { expires: 1_800 }, "what it had may be forgotten");
                unanswered.send(answer(200, Some(1_800), None)).unwrap();
                break Instant::now();
            }
            // 64·T1, unless it comes back meanwhile.
            sleep(Duration::from_secs(32)).await;
            unanswered.send(answer(408, None, None)).unwrap();
            tokio::task::yield_now().await;
            assert!(gone.elapsed() < Duration::from_secs(40) || is_silent(), "calls go elsewhere");
        };
        assert!(back - gone < Duration::from_secs(360), "{:?}", back - gone);
        let (_, there) = asked(&mut wished).await;
        there.send(answer(200, None, None)).unwrap();
        assert!(!is_silent());

        // It has us no more once we stop.
        stopping.cancel();
        let (question, unregistered) = asked(&mut wished).await;
        assert_eq!(question, Question::Register { expires: 0 });
        unregistered.send(answer(200, None, None)).unwrap();
        tasks.close();
        tasks.wait().await;
    }

    // product: P7; RFC 3608 §5, §6
    #[tokio::test(start_paused = true)]
    async fn requests_go_the_way_the_registrar_says_and_registrations_their_own() {
        let (carriers, mut wished, _stopping) = carriers("register = true\n");
        carriers.keep(&TaskTracker::new());
        let mut routes = Vec::new();
        let way = vec!["<sip:core.example.org;lr>".to_owned()];
        for service_route in [way.clone(), Vec::new(), Vec::new(), Vec::new()] {
            let Some(Wish::Ask { target, question, answer, .. }) = wished.recv().await else { panic!("it asks") };
            routes.push((question, target.routes));
            let taken = Answer { code: 200, expires: Some(60), min_expires: None, service_route, retry_after: None };
            answer.send(taken).unwrap();
        }
        let register = Question::Register { expires: 600 };
        assert_eq!(
            routes,
            [(register, vec![]), (Question::Options, way.clone()), (register, vec![]), (Question::Options, vec![])]
        );
        let place = carriers.places(0).await[0];
        let call = || carriers.target(0, place, "sip:1@a".to_owned(), "sip:1@a".to_owned()).unwrap().0;
        assert_eq!(call().routes, Vec::<String>::new(), "the last registration named none");
        carriers.states[0].servers().service_route.clone_from(&way);
        assert_eq!(call().routes, way);
        carriers.note(0, place, false);
        assert_eq!(call().routes, Vec::<String>::new(), "we are registered there no more");
    }

    // RFC 3261 §18.1.1
    #[tokio::test]
    async fn what_is_large_may_go_by_tcp_where_nobody_has_said_udp() {
        let large = async |more: &str| {
            let (carriers, ..) = carriers(more);
            let place = carriers.places(0).await[0];
            let uri = "sip:1@a".to_owned();
            carriers.target(0, place, uri.clone(), uri).unwrap().0.large.map(|way| (way.transport, way.peer))
        };
        assert_eq!(large("").await, Some((sip::Transport::Tcp, "192.0.2.1:5060".parse().unwrap())));
        assert_eq!(large("transport = \"udp\"\n").await, None);
        assert_eq!(large("transport = \"tcp\"\n").await, None);
    }

    // product: P7; RFC 5626 §4.5
    #[tokio::test(start_paused = true)]
    async fn who_is_registered_by_a_connection_that_is_gone_registers_again() {
        let (carriers, mut wished, _stopping) = carriers("register = true\ntransport = \"tcp\"\n");
        carriers.keep(&TaskTracker::new());
        let (_, taken) = asked(&mut wished).await;
        taken.send(answer(200, Some(600), None)).unwrap();
        // Another's.
        sleep(Duration::from_secs(1)).await;
        carriers.flow_lost(sip::Transport::Tcp, "192.0.2.1:5070".parse().unwrap());
        sleep(Duration::from_secs(5)).await;
        assert!(wished.try_recv().is_err());
        carriers.flow_lost(sip::Transport::Tcp, "192.0.2.1:5060".parse().unwrap());
        let lost = Instant::now();
        let (question, _taken) = asked(&mut wished).await;
        assert_eq!((question, lost.elapsed()), (Question::Register { expires: 600 }, AGAIN));
    }

    // product: P7; RFC 3263 §4.3
    #[test]
    fn a_server_that_failed_is_tried_last_for_a_while_and_ours_first() {
        let start = Instant::now();
        let place = |port: u16| Place { transport: sip::Transport::Udp, address: ([192, 0, 2, 1], port).into() };
        let mut servers = Servers { found: [1, 2, 3].map(place).into(), ..Servers::default() };
        let ports = |servers: &mut Servers, ms: u64| -> Vec<u16> {
            let order = servers.in_order(start + Duration::from_millis(ms));
            order.iter().map(|place| place.address.port()).collect()
        };
        servers.home = Some(place(2));
        assert_eq!(ports(&mut servers, 0), [2, 1, 3]);
        servers.note(place(2), false, start);
        servers.note(place(1), false, start);
        assert_eq!(ports(&mut servers, 1), [3, 1, 2]);
        servers.note(place(1), true, start + Duration::from_secs(1));
        assert_eq!(ports(&mut servers, 1_001), [1, 3, 2]);
        assert_eq!(ports(&mut servers, 30_001), [1, 2, 3]);
    }

    // product: P7; RFC 3261 §21.5.4
    #[test]
    fn a_server_without_room_is_left_alone_for_as_long_as_it_says() {
        let start = Instant::now();
        let place = |port: u16| Place { transport: sip::Transport::Udp, address: ([192, 0, 2, 1], port).into() };
        let mut servers = Servers { found: [1, 2].map(place).into(), ..Servers::default() };
        servers.leave_alone(place(1), Duration::from_secs(40), start);
        servers.leave_alone(place(2), Duration::from_secs(u64::from(u32::MAX)), start);
        let count = |servers: &mut Servers, s: u64| servers.in_order(start + Duration::from_secs(s)).len();
        assert_eq!([39, 40, 3_599, 3_600].map(|s| count(&mut servers, s)), [0, 1, 1, 2]);
    }

    // product: P7
    #[test]
    fn a_trunk_keeps_its_limits() {
        let text =
            "name = \"a\"\naddress = \"h\"\ncaller = \"1\"\ncalls_max = 3\ncalls_per_second = 2\ncalls_per_day = 4\n";
        let trunk: Trunk = toml::from_str(text).unwrap();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut usage = Usage::default();
        let mut take = |ms| usage.take(&trunk, at(ms));
        assert_eq!([take(0), take(10), take(20)], [true, true, false], "two in a second");
        assert_eq!([take(1_000), take(1_100)], [true, false], "three at once");
        usage.calls = 0;
        let mut take = |ms| usage.take(&trunk, at(ms));
        assert_eq!([take(9_000), take(10_500)], [true, false], "four in a day");
        assert!(take(DAY.as_millis() as u64 + 500), "the first is a day ago");
    }
}
