//! The one owner of the SIP endpoint: messages and orders in, messages and signals out.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Instant};

use sip::{Answer, Binding, CallKey, Contact, Endpoint, Event, Incoming, Question, Referral, RequestKey, Target};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    House, call,
    registrations::Registrations,
    tls::TlsPeer,
    transport::{Arrived, Sockets, Stream},
};

/// Orders of all calls that may wait; calls wait in turn beyond it.
const ORDERS_MAX: usize = 1024;

/// Messages or orders taken before what they lead to is sent: more keeps the first waiting, less sends in smaller heaps.
const TAKEN_AT_ONCE: usize = 32;

/// Signals that may wait for one call. A call that takes none of so many is broken and is hung up.
const SIGNALS_MAX: usize = 32;

/// Wishes that may wait; whoever has one more waits in turn.
pub(crate) const WISHES_MAX: usize = 64;

/// What is to begin.
pub(crate) enum Wish {
    /// A call, with its offer. None is answered where there can be none.
    Call {
        target: Target,
        tls: Option<TlsPeer>,
        offer: String,
        answer: oneshot::Sender<Option<(Orders, mpsc::Receiver<Signal>)>>,
    },
    /// The end of a call that another has taken over (RFC 3891).
    Replace(CallKey),
    /// Where an account's telephones are.
    Find { account: String, answer: oneshot::Sender<Vec<Binding>> },
    /// Something outside of calls.
    Ask { target: Target, tls: Option<TlsPeer>, question: Question, answer: oneshot::Sender<Answer> },
}

/// What a call wants said to its caller.
pub(crate) enum Order {
    Ring,
    Answer(String),
    Reject(u16, &'static str),
    AnswerReoffer(Option<String>),
    /// 202 where he is put through, or why not.
    AnswerRefer(u16, &'static str),
    /// What becomes of whom he is put through to.
    Notify(u16, &'static str),
    HangUp,
}

/// What the caller's side did.
#[derive(Debug)]
pub(crate) enum Signal {
    Canceled,
    /// Our answer came; with his, where the offer was ours.
    Confirmed(Vec<u8>),
    /// Empty where he waits for an offer of ours.
    Reoffered(Vec<u8>),
    /// A key by INFO.
    Digit(char),
    /// He wants to be put through to somebody. Rare and large: each call has room for many signals.
    Referred(Box<Referral>),
    /// Another call has taken this one over.
    Replaced,
    Ended,
    /// Somebody works on our call.
    Trying,
    /// The telephone we call rings.
    Rings,
    /// And is taken, with this answer.
    Answered(Vec<u8>),
    /// He is elsewhere; [`Self::Refused`] follows.
    Redirected(Vec<Contact>),
    /// It isn't, by this status code.
    Refused(u16),
}

/// A call's way to the switchboard.
#[derive(Clone)]
pub(crate) struct Orders {
    key: CallKey,
    queue: mpsc::Sender<(CallKey, Order)>,
}

impl Orders {
    pub(crate) fn call(&self) -> CallKey {
        self.key
    }

    pub(crate) async fn give(&self, order: Order) {
        // Without a switchboard there is nobody to tell.
        let _ = self.queue.send((self.key, order)).await;
    }
}

pub(crate) struct Switchboard {
    endpoint: Endpoint,
    sockets: Sockets,
    house: Arc<House>,
    calls: TaskTracker,
    closed: CancellationToken,
    signals: HashMap<CallKey, mpsc::Sender<Signal>>,
    orders: mpsc::Receiver<(CallKey, Order)>,
    queue: mpsc::Sender<(CallKey, Order)>,
    wishes: mpsc::Receiver<Wish>,
    asked: HashMap<RequestKey, oneshot::Sender<Answer>>,
    registrations: Registrations,
}

impl Switchboard {
    pub(crate) fn new(
        endpoint: Endpoint,
        sockets: Sockets,
        house: Arc<House>,
        calls: TaskTracker,
        closed: CancellationToken,
        wishes: mpsc::Receiver<Wish>,
        registrations: Registrations,
    ) -> Self {
        let (queue, orders) = mpsc::channel(ORDERS_MAX);
        let (signals, asked) = (HashMap::new(), HashMap::new());
        Self { endpoint, sockets, house, calls, closed, signals, orders, queue, wishes, asked, registrations }
    }

    pub(crate) async fn run(mut self) {
        let mut orders = Vec::with_capacity(TAKEN_AT_ONCE);
        let mut arrived = Vec::with_capacity(TAKEN_AT_ONCE);
        let timer = tokio::time::sleep_until(Instant::now().into());
        tokio::pin!(timer);
        loop {
            // One that goes off too early costs less than setting it anew for each message.
            let due = self.endpoint.poll_timeout();
            if let Some(due) = due.map(Into::into)
                && (due < timer.deadline() || timer.is_elapsed())
            {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                // Calls that stand before calls that come: orders are few and bounded by the calls.
                biased;
                _ = self.orders.recv_many(&mut orders, TAKEN_AT_ONCE) => {
                    orders.drain(..).for_each(|(call, order)| self.obey(call, order));
                }
                Some(wish) = self.wishes.recv() => self.grant(wish),
                taken = self.sockets.arrived.recv_many(&mut arrived, TAKEN_AT_ONCE) => {
                    if taken == 0 {
                        return;
                    }
                    for arrived in arrived.drain(..) {
                        match arrived {
                            Arrived::Message(source, message) => self.endpoint.handle(source, message, Instant::now()),
                            Arrived::Opened(peer, answers) => self.sockets.opened(peer, answers),
                            Arrived::Closed(peer) => self.closed(peer),
                            Arrived::Quiet((transport, peer)) => {
                                if !self.endpoint.needs(transport, peer, Instant::now()) {
                                    self.sockets.close((transport, peer));
                                }
                            }
                            Arrived::Lost(peer) => self.lost(peer),
                        }
                    }
                }
                () = &mut timer, if due.is_some() => self.endpoint.handle_timeout(Instant::now()),
                () = self.closed.cancelled() => break,
            }
            self.flush();
            let dropped = self.endpoint.take_dropped();
            for (why, count) in [("flood", dropped.flood), ("scanner", dropped.scanners)] {
                if count > 0 {
                    metrics::counter!("gateway_messages_dropped", "why" => why).increment(count);
                }
            }
        }
        while let Ok((call, order)) = self.orders.try_recv() {
            self.obey(call, order);
        }
        self.flush();
    }

    /// What is sent may go nowhere, and what follows from that is sent next.
    fn flush(&mut self) {
        loop {
            while let Some(event) = self.endpoint.poll_event() {
                self.take(event);
            }
            let Some(transmit) = self.endpoint.poll_transmit() else { return };
            let tls = |peer: SocketAddr| self.house.carriers.certificate_of(peer.ip());
            if let Some((transport, peer)) = self.sockets.send(transmit, tls) {
                self.endpoint.unreachable(transport, peer, Instant::now());
            }
        }
    }

    /// A connection somebody made to us is gone.
    fn closed(&mut self, (transport, peer): Stream) {
        if self.sockets.closed((transport, peer)) {
            self.endpoint.unreachable(transport, peer, Instant::now());
        }
    }

    /// A connection of ours that could not be made, or is gone.
    fn lost(&mut self, (transport, peer): Stream) {
        if self.sockets.closed((transport, peer)) {
            self.endpoint.unreachable(transport, peer, Instant::now());
            self.house.carriers.flow_lost(transport, peer);
        }
    }

    fn obey(&mut self, call: CallKey, order: Order) {
        let now = Instant::now();
        match order {
            Order::Ring => self.endpoint.ring(call, now),
            Order::Answer(description) => self.endpoint.answer(call, &description, now),
            Order::Reject(code, reason) => self.endpoint.reject(call, code, reason, now),
            Order::AnswerReoffer(description) => self.endpoint.answer_reoffer(call, description.as_deref(), now),
            Order::AnswerRefer(code, reason) => self.endpoint.answer_refer(call, code, reason, now),
            Order::Notify(code, reason) => self.endpoint.notify(call, code, reason, now),
            Order::HangUp => {
                self.endpoint.hang_up(call, now);
                self.signals.remove(&call);
            }
        }
    }

    fn grant(&mut self, wish: Wish) {
        let now = Instant::now();
        match wish {
            Wish::Call { mut target, tls, offer, answer } => {
                let call = self.find_way(&mut target, tls).then(|| self.endpoint.call(target, &offer, now)).flatten();
                let begun = call.map(|call| {
                    let (signals, taken) = mpsc::channel(SIGNALS_MAX);
                    self.signals.insert(call, signals);
                    (Orders { key: call, queue: self.queue.clone() }, taken)
                });
                // Who wished it may have gone: then the call has no owner.
                if answer.send(begun).is_err()
                    && let Some(call) = call
                {
                    self.obey(call, Order::HangUp);
                }
            }
            Wish::Replace(call) => self.signal(call, Signal::Replaced),
            Wish::Find { account, answer } => {
                // Who wished it may have gone.
                let _ = answer.send(self.endpoint.bindings(&account, now));
            }
            Wish::Ask { mut target, tls, question, answer } => {
                if self.find_way(&mut target, tls) {
                    self.asked.insert(self.endpoint.ask(target, question, now), answer);
                }
            }
        }
    }

    /// Chooses one of our sockets; false where none leads there.
    fn find_way(&mut self, target: &mut Target, tls: Option<TlsPeer>) -> bool {
        // A telephone is called by the socket it registered at.
        if target.way.local.port() != 0 {
            return true;
        }
        let local = self.sockets.way_to(target.way.transport, target.way.peer, tls);
        target.way.local = local.unwrap_or(target.way.local);
        if let Some(large) = &mut target.large {
            match self.sockets.local_for(large.transport, large.peer) {
                Some(local) => large.local = local,
                None => target.large = None,
            }
        }
        local.is_some()
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Incoming(incoming) => self.incoming(incoming),
            Event::Canceled(call) => {
                self.signal(call, Signal::Canceled);
                self.signals.remove(&call);
            }
            Event::Confirmed(call, answer) => self.signal(call, Signal::Confirmed(answer)),
            Event::Reoffered(call, offer) => self.signal(call, Signal::Reoffered(offer)),
            Event::Referred(call, referral) => self.signal(call, Signal::Referred(Box::new(referral))),
            // Nobody presses keys faster than they are taken; a flood of them is dropped, and the call stands.
            Event::Digit(call, key) => {
                if let Some(signals) = self.signals.get(&call) {
                    let _ = signals.try_send(Signal::Digit(key));
                }
            }
            Event::Ended(call) => {
                self.signal(call, Signal::Ended);
                self.signals.remove(&call);
            }
            Event::Trying(call) => self.signal(call, Signal::Trying),
            Event::Rings(call) => {
                // A carrier may say it as often as it likes.
                if let Some(signals) = self.signals.get(&call) {
                    let _ = signals.try_send(Signal::Rings);
                }
            }
            Event::Answered(call, answer) => self.signal(call, Signal::Answered(answer)),
            Event::Redirected(call, contacts) => self.signal(call, Signal::Redirected(contacts)),
            Event::Refused(call, code) => {
                self.signal(call, Signal::Refused(code));
                self.signals.remove(&call);
            }
            Event::Registered(account) => {
                let bindings = self.endpoint.bindings(&account, Instant::now());
                self.registrations.note(account, bindings);
            }
            Event::Responded(request, answer) => {
                if let Some(asked) = self.asked.remove(&request) {
                    let _ = asked.send(answer);
                }
            }
        }
    }

    fn incoming(&mut self, incoming: Incoming) {
        if self.house.stopping.is_cancelled() {
            let (code, reason) = crate::end_cause::EndCause::ServerStopping.refusal();
            return self.endpoint.reject(incoming.call, code, reason, Instant::now());
        }
        let (signals, taken) = mpsc::channel(SIGNALS_MAX);
        self.signals.insert(incoming.call, signals);
        let orders = Orders { key: incoming.call, queue: self.queue.clone() };
        self.calls.spawn(call::run(incoming, Arc::clone(&self.house), orders, taken));
    }

    fn signal(&mut self, call: CallKey, signal: Signal) {
        let Some(signals) = self.signals.get(&call) else { return };
        if signals.try_send(signal).is_err() {
            tracing::warn!("call takes no signals and is hung up");
            self.endpoint.hang_up(call, Instant::now());
            self.signals.remove(&call);
        }
    }
}
