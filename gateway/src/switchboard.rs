//! The one owner of the SIP endpoint: messages and orders in, messages and signals out.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use sip::{
    Answer, Binding, CallKey, Contact, Endpoint, Event, Incoming, KEEP_OPEN_S, Question, Referral, RequestKey, Target,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::interval,
};
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
    /// A key frame is needed of his pictures (RFC 5168).
    WantKeyframe,
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
    /// He asks for a key frame (RFC 5168).
    KeyframeWanted,
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
    /// The server that was asked has no room for so many seconds; [`Self::Refused`] follows.
    RetryAfter(u32),
    /// It isn't, by this status code.
    Refused(u16),
}

/// A call's way to the switchboard. When all who have it are gone, however they went, so is the call.
#[derive(Clone)]
pub(crate) struct Orders(Arc<Owner>);

struct Owner {
    key: CallKey,
    queue: mpsc::Sender<(CallKey, Order)>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Nothing is left to do where it is over already; and without a switchboard there is nobody to tell.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send((self.key, Order::HangUp)) {
            tracing::error!(
                "switchboard takes no orders: a call nobody owns may stand until its session timer ends it"
            );
        }
    }
}

impl Orders {
    fn new(key: CallKey, queue: mpsc::Sender<(CallKey, Order)>) -> Self {
        Self(Arc::new(Owner { key, queue }))
    }

    pub(crate) fn call(&self) -> CallKey {
        self.0.key
    }

    pub(crate) async fn give(&self, order: Order) {
        // Without a switchboard there is nobody to tell.
        let _ = self.0.queue.send((self.0.key, order)).await;
    }
}

/// The endpoint, and who hears what becomes of each of its calls.
struct Board {
    endpoint: Endpoint,
    signals: HashMap<CallKey, mpsc::Sender<Signal>>,
}

impl Board {
    fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, signals: HashMap::new() }
    }

    /// From now on somebody hears of it, until it is refused or over.
    fn listen(&mut self, call: CallKey) -> mpsc::Receiver<Signal> {
        let (signals, taken) = mpsc::channel(SIGNALS_MAX);
        self.signals.insert(call, signals);
        taken
    }

    fn obey(&mut self, call: CallKey, order: Order, now: Instant) {
        match order {
            Order::Ring => self.endpoint.ring(call, now),
            Order::Answer(description) => self.endpoint.answer(call, &description, now),
            Order::Reject(code, reason) => {
                self.endpoint.reject(call, code, reason, now);
                // Neither his ACK nor its absence is told any more.
                self.signals.remove(&call);
            }
            Order::AnswerReoffer(description) => self.endpoint.answer_reoffer(call, description.as_deref(), now),
            Order::AnswerRefer(code, reason) => self.endpoint.answer_refer(call, code, reason, now),
            Order::Notify(code, reason) => self.endpoint.notify(call, code, reason, now),
            Order::WantKeyframe => self.endpoint.want_keyframe(call, now),
            Order::HangUp => {
                self.endpoint.hang_up(call, now);
                self.signals.remove(&call);
            }
        }
    }

    fn signal(&mut self, call: CallKey, signal: Signal, now: Instant) {
        let Some(signals) = self.signals.get(&call) else { return };
        if signals.try_send(signal).is_err() {
            tracing::warn!("call takes no signals and is hung up");
            self.endpoint.hang_up(call, now);
            self.signals.remove(&call);
        }
    }

    /// The same for what is said often: where it isn't taken it is dropped, and the call stands.
    fn mention(&self, call: CallKey, signal: Signal) {
        if let Some(signals) = self.signals.get(&call) {
            let _ = signals.try_send(signal);
        }
    }
}

pub(crate) struct Switchboard {
    board: Board,
    sockets: Sockets,
    house: Arc<House>,
    calls: TaskTracker,
    closed: CancellationToken,
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
        let (board, asked) = (Board::new(endpoint), HashMap::new());
        Self { board, sockets, house, calls, closed, orders, queue, wishes, asked, registrations }
    }

    pub(crate) async fn run(mut self) {
        let mut orders = Vec::with_capacity(TAKEN_AT_ONCE);
        let mut arrived = Vec::with_capacity(TAKEN_AT_ONCE);
        let timer = tokio::time::sleep_until(Instant::now().into());
        tokio::pin!(timer);
        let (mut seconds, mut second) = (interval(Duration::from_secs(1)), 0_u16);
        loop {
            // One that goes off too early costs less than setting it anew for each message.
            let due = self.board.endpoint.poll_timeout();
            if let Some(due) = due.map(Into::into)
                && (due < timer.deadline() || timer.is_elapsed())
            {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                // Calls that stand before calls that come: orders are few and bounded by the calls.
                biased;
                _ = self.orders.recv_many(&mut orders, TAKEN_AT_ONCE) => {
                    orders.drain(..).for_each(|(call, order)| self.board.obey(call, order, Instant::now()));
                }
                Some(wish) = self.wishes.recv() => self.grant(wish),
                taken = self.sockets.arrived.recv_many(&mut arrived, TAKEN_AT_ONCE) => {
                    if taken == 0 {
                        return;
                    }
                    for arrived in arrived.drain(..) {
                        match arrived {
                            Arrived::Message(source, message, copy) => {
                                if self.board.endpoint.handle(source, message, Instant::now()) {
                                    self.sockets.came(source, &copy);
                                }
                            }
                            Arrived::Opened(peer, answers) => self.sockets.opened(peer, answers),
                            Arrived::Closed(peer) => self.closed(peer),
                            Arrived::Quiet((transport, peer)) => {
                                if !self.board.endpoint.needs(transport, peer, Instant::now()) {
                                    self.sockets.close((transport, peer));
                                }
                            }
                            Arrived::Lost(peer) => self.lost(peer),
                        }
                    }
                }
                () = &mut timer, if due.is_some() => self.board.endpoint.handle_timeout(Instant::now()),
                _ = seconds.tick() => {
                    second = (second + 1) % KEEP_OPEN_S;
                    self.board.endpoint.keep_open(second, Instant::now());
                }
                () = self.closed.cancelled() => break,
            }
            self.flush();
            let dropped = self.board.endpoint.take_dropped();
            if let Some((host, until)) = dropped.closed {
                self.sockets.flooding.close(host, until, Instant::now());
            }
            for (why, count) in [("flood", dropped.flood), ("scanner", dropped.scanners)] {
                if count > 0 {
                    metrics::counter!("gateway_messages_dropped", "why" => why).increment(count);
                }
            }
        }
        while let Ok((call, order)) = self.orders.try_recv() {
            self.board.obey(call, order, Instant::now());
        }
        self.flush();
    }

    /// What is sent may go nowhere, and what follows from that is sent next.
    fn flush(&mut self) {
        loop {
            while let Some(event) = self.board.endpoint.poll_event() {
                self.take(event);
            }
            let Some(transmit) = self.board.endpoint.poll_transmit() else { return };
            let tls = |peer: SocketAddr| self.house.carriers.certificate_of(peer.ip());
            if let Some((transport, peer)) = self.sockets.send(transmit, tls) {
                self.board.endpoint.unreachable(transport, peer, Instant::now());
            }
        }
    }

    /// A connection somebody made to us is gone.
    fn closed(&mut self, (transport, peer): Stream) {
        if self.sockets.closed((transport, peer)) {
            self.board.endpoint.unreachable(transport, peer, Instant::now());
        }
    }

    /// A connection of ours that could not be made, or is gone.
    fn lost(&mut self, (transport, peer): Stream) {
        if self.sockets.closed((transport, peer)) {
            self.board.endpoint.unreachable(transport, peer, Instant::now());
            self.house.carriers.flow_lost(transport, peer);
        }
    }

    fn grant(&mut self, wish: Wish) {
        let now = Instant::now();
        match wish {
            Wish::Call { mut target, tls, offer, answer } => {
                let call =
                    self.find_way(&mut target, tls).then(|| self.board.endpoint.call(target, &offer, now)).flatten();
                let begun = call.map(|call| (Orders::new(call, self.queue.clone()), self.board.listen(call)));
                // Who wished it may have gone: then the call has no owner, and is hung up.
                let _ = answer.send(begun);
            }
            Wish::Replace(call) => self.board.signal(call, Signal::Replaced, now),
            Wish::Find { account, answer } => {
                // Who wished it may have gone.
                let _ = answer.send(self.board.endpoint.bindings(&account, now));
            }
            Wish::Ask { mut target, tls, question, answer } => {
                if self.find_way(&mut target, tls) {
                    self.asked.insert(self.board.endpoint.ask(target, question, now), answer);
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
        let (board, now) = (&mut self.board, Instant::now());
        match event {
            Event::Incoming(incoming) => self.incoming(incoming),
            Event::Canceled(call) => {
                board.signal(call, Signal::Canceled, now);
                board.signals.remove(&call);
            }
            Event::Confirmed(call, answer) => board.signal(call, Signal::Confirmed(answer), now),
            Event::Reoffered(call, offer) => board.signal(call, Signal::Reoffered(offer), now),
            Event::Referred(call, referral) => board.signal(call, Signal::Referred(Box::new(referral)), now),
            // Nobody presses keys faster than they are taken.
            Event::Digit(call, key) => board.mention(call, Signal::Digit(key)),
            Event::KeyframeWanted(call) => board.mention(call, Signal::KeyframeWanted),
            Event::Ended(call) => {
                board.signal(call, Signal::Ended, now);
                board.signals.remove(&call);
            }
            Event::Trying(call) => board.signal(call, Signal::Trying, now),
            // A carrier may say it as often as it likes.
            Event::Rings(call) => board.mention(call, Signal::Rings),
            Event::Answered(call, answer) => board.signal(call, Signal::Answered(answer), now),
            Event::Redirected(call, contacts) => board.signal(call, Signal::Redirected(contacts), now),
            Event::RetryAfter(call, seconds) => board.signal(call, Signal::RetryAfter(seconds), now),
            Event::Refused(call, code) => {
                board.signal(call, Signal::Refused(code), now);
                board.signals.remove(&call);
            }
            Event::Registered(account) => {
                let bindings = self.board.endpoint.bindings(&account, Instant::now());
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
            return self.board.endpoint.reject(incoming.call, code, reason, Instant::now());
        }
        let taken = self.board.listen(incoming.call);
        let orders = Orders::new(incoming.call, self.queue.clone());
        self.calls.spawn(call::run(incoming, Arc::clone(&self.house), orders, taken));
    }
}

#[cfg(test)]
mod tests {
    use sip::{Message, Transport};

    use super::*;
    use crate::test_call::endpoint_at;

    fn way() -> sip::Source {
        let (peer, local) = ("192.0.2.9:5060".parse().unwrap(), "192.0.2.1:5060".parse().unwrap());
        sip::Source { transport: Transport::Udp, peer, local }
    }

    /// A request of the n-th caller's, and what the board says to it.
    fn says(board: &mut Board, n: usize, method: &str, to_tag: &str) -> Vec<Event> {
        let text = format!(
            "{method} sip:1@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@192.0.2.9>;tag={n}\r\nTo: <sip:1@192.0.2.1>{to_tag}\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:a@192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
        );
        board.endpoint.handle(way(), Message::parse(text.as_bytes()).unwrap(), Instant::now());
        std::iter::from_fn(|| board.endpoint.poll_event()).collect()
    }

    fn incoming(board: &mut Board, n: usize) -> CallKey {
        match &says(board, n, "INVITE", "")[..] {
            [Event::Incoming(incoming)] => incoming.call,
            other => panic!("{other:?}"),
        }
    }

    /// The tag of the refusal that was sent last.
    fn tag(board: &mut Board) -> String {
        let sent = std::iter::from_fn(|| board.endpoint.poll_transmit()).last().unwrap();
        let text = String::from_utf8_lossy(&sent.bytes).into_owned();
        let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
        to[to.find(";tag=").unwrap()..].to_owned()
    }

    // reliability: A12
    #[test]
    fn of_a_thousand_refused_callers_nothing_is_kept() {
        let mut board = Board::new(endpoint_at("192.0.2.1".parse().unwrap()));
        for n in 0..1_000 {
            let call = incoming(&mut board, n);
            let _signals = board.listen(call);
            board.obey(call, Order::Reject(488, "Not Acceptable Here"), Instant::now());
            let tag = tag(&mut board);
            assert!(says(&mut board, n, "ACK", &tag).is_empty());
        }
        assert!(board.signals.is_empty(), "{}", board.signals.len());
    }

    // product: P9
    #[test]
    fn a_call_whose_task_is_gone_is_hung_up_once_all_of_it_is() {
        let mut board = Board::new(endpoint_at("192.0.2.1".parse().unwrap()));
        let call = incoming(&mut board, 1);
        let (queue, mut orders) = mpsc::channel(ORDERS_MAX);
        let task = Orders::new(call, queue);
        let line = task.clone();
        drop(task);
        assert!(orders.try_recv().is_err(), "its line has it still");
        let panics = std::panic::AssertUnwindSafe(move || {
            let _line = line;
            panic!("as a task may");
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(matches!(orders.try_recv(), Ok((of, Order::HangUp)) if of == call));
    }
}
