//! The carriers we call by (P7): registered at, asked whether they are there, and held to their limits.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sip::{Answer, Credentials, Question, Source, Target};
use sipconf::{DialPlan, Dialled, Transport, Trunk};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{switchboard::Wish, tls::TlsPeer};

/// How long a registration is asked for. Shorter finds a carrier that forgot us sooner, and costs it more.
const REGISTRATION_S: u32 = 600;

/// How often a carrier we don't register at is asked whether it is there (RFC 3261 §11).
const PING: Duration = Duration::from_secs(30);

/// After a failure, and the longest after many in a row.
const AGAIN: Duration = Duration::from_secs(2);
/// See [`AGAIN`].
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// A server that stops waits no longer for a carrier to take note.
const GOODBYE: Duration = Duration::from_secs(1);

/// Of [`Trunk::calls_per_day`].
const DAY: Duration = Duration::from_secs(24 * 3600);

/// All carriers and how they do.
pub(crate) struct Carriers {
    plan: DialPlan,
    states: Vec<State>,
    wishes: mpsc::Sender<Wish>,
    stopping: CancellationToken,
}

#[derive(Default)]
struct State {
    /// It has answered last time. Unknown ones are tried.
    silent: AtomicBool,
    usage: Mutex<Usage>,
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

fn forget(times: &mut VecDeque<Instant>, now: Instant, age: Duration) {
    while times.front().is_some_and(|first| now.saturating_duration_since(*first) >= age) {
        times.pop_front();
    }
}

impl Carriers {
    pub(crate) fn new(plan: DialPlan, wishes: mpsc::Sender<Wish>, stopping: CancellationToken) -> Self {
        let states = plan.trunks().iter().map(|_| State::default()).collect();
        Self { plan, states, wishes, stopping }
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

    /// Registers at each and asks the others, until the server stops.
    pub(crate) fn keep(self: &Arc<Self>, tasks: &TaskTracker) {
        for index in 0..self.states.len() {
            let carriers = Arc::clone(self);
            tasks.spawn(async move { carriers.keep_one(index).await });
        }
    }

    async fn keep_one(&self, index: usize) {
        let trunk = &self.plan.trunks()[index];
        let call_id = format!("{:032x}", rand::random::<u128>());
        let up = metrics::gauge!("gateway_trunk_up", "trunk" => trunk.name.clone());
        let mut failures = 0;
        let mut was_up = None;
        loop {
            let question =
                if trunk.register { Question::Register { expires: REGISTRATION_S } } else { Question::Options };
            let asked = self.stopping.run_until_cancelled(self.ask(trunk, &call_id, question)).await;
            let Some(answer) = asked else { break };
            let code = answer.map_or(408, |answer| answer.code);
            // Whoever answers is there; a registration must have been taken.
            let is_up = if trunk.register { code < 300 } else { !matches!(code, 408 | 503) };
            if was_up.replace(is_up) != Some(is_up) {
                if is_up {
                    tracing::info!(trunk = trunk.name, registered = trunk.register, "trunk is up");
                } else {
                    tracing::warn!(trunk = trunk.name, code, "trunk is down");
                }
            }
            up.set(f64::from(u8::from(is_up)));
            self.states[index].silent.store(!is_up, Ordering::Relaxed);
            failures = if is_up { 0 } else { failures + 1 };
            let wait = match (is_up, trunk.register) {
                (true, true) => {
                    let granted = answer.and_then(|answer| answer.expires).unwrap_or(REGISTRATION_S);
                    Duration::from_secs(u64::from(granted)).mul_f64(0.8).clamp(Duration::from_secs(5), 2 * PING * 10)
                }
                (true, false) => PING,
                (false, _) => (AGAIN * 2_u32.saturating_pow(failures - 1)).min(AGAIN_MAX),
            };
            if self.stopping.run_until_cancelled(sleep(wait)).await.is_none() {
                break;
            }
        }
        if trunk.register && was_up == Some(true) {
            let _unheard = timeout(GOODBYE, self.ask(trunk, &call_id, Question::Register { expires: 0 })).await;
        }
    }

    async fn ask(&self, trunk: &Trunk, call_id: &str, question: Question) -> Option<Answer> {
        let user = trunk.user.as_deref().unwrap_or(&trunk.caller);
        let own = format!("sip:{user}@{}", trunk.domain);
        let uri = format!("sip:{}", trunk.domain);
        let to = if trunk.register { own.clone() } else { uri.clone() };
        let (target, tls) = target(trunk, uri, to).await?;
        let target = Target { call_id: call_id.to_owned(), from: own, ..target };
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish::Ask { target, tls, question, answer }).await.ok()?;
        answered.await.ok()
    }
}

/// A request of ours by this carrier; none while its name leads nowhere.
pub(crate) async fn target(trunk: &Trunk, uri: String, to: String) -> Option<(Target, Option<TlsPeer>)> {
    let found = match tokio::net::lookup_host((trunk.host.as_str(), trunk.port)).await {
        // Our sockets are mostly of IPv4.
        Ok(addresses) => addresses.min_by_key(SocketAddr::is_ipv6),
        Err(error) => {
            tracing::warn!(trunk = trunk.name, %error, "the trunk's name can't be looked up");
            None
        }
    };
    let transport = match trunk.transport {
        Transport::Udp => sip::Transport::Udp,
        Transport::Tcp => sip::Transport::Tcp,
        Transport::Tls => sip::Transport::Tls,
    };
    let tls = match trunk.transport {
        Transport::Udp | Transport::Tcp => None,
        Transport::Tls => match TlsPeer::new(&trunk.host, trunk.authority.as_deref()) {
            Ok(peer) => Some(peer),
            Err(error) => {
                tracing::warn!(trunk = trunk.name, error, "the trunk's authority can't be read");
                return None;
            }
        },
    };
    let credentials = trunk.user.clone().zip(trunk.password.clone());
    let target = Target {
        // The switchboard chooses one of its sockets.
        way: Source { transport, peer: found?, local: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0) },
        uri,
        from: format!("sip:{}@{}", trunk.caller, trunk.domain),
        to,
        contact: trunk.user.clone().unwrap_or_else(|| trunk.caller.clone()),
        call_id: String::new(),
        credentials: credentials.map(|(user, password)| Credentials { user, password }),
    };
    Some((target, tls))
}

#[cfg(test)]
mod tests {
    use super::*;

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
