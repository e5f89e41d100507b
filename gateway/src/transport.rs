//! Datagrams and streams: every message goes to the switchboard through one bounded queue, every answer back by the
//! socket it came on. A bad stream is closed alone; a bad datagram is counted and dropped.

use std::{
    collections::HashMap,
    io::{Error, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use model::network_of;
use plane::{listening, of_family};
use sip::{FrameError, MESSAGE_BYTES_MAX, Message, Network, ParseError, Source, StartLine, Transmit, Transport, frame};
use socket2::{SockRef, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    GatewayConfig, GatewayError,
    flood::{self, Closed},
    ladder::Ladder,
    stun,
    tls::TlsPeer,
    web_socket::WebSockets,
};

/// Messages that may wait for the switchboard. Datagrams beyond it are dropped, as the network would; streams wait.
const MESSAGES_MAX: usize = 1024;

/// Kernel room of a UDP socket: at 3,000 new calls a second, of three datagrams each, half a second of them. The system may grant
/// less (`net.core.rmem_max`); then a burst loses more and is sent again.
const KERNEL_BUFFER_BYTES: usize = 8 << 20;

/// Datagrams read before others get their turn: more delays the answers to those that were read, less is more turns.
const READ_AT_ONCE: usize = 32;

/// How many streams there may be at once.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    /// All, those we open included. An eighth is kept for these: whatever strangers do, carriers and the other ends of calls are reached.
    pub max: usize,
    /// That others open from one host (IPv6: one /64): an office of telephones behind one router. More would let one host shut out the
    /// others. Hosts that are trusted have no such limit: a proxy brings all telephones of many offices.
    pub of_host_max: usize,
}

impl Default for Connections {
    fn default() -> Self {
        Self { max: 1_024, of_host_max: 256 }
    }
}

/// Answers that may wait for a stream's peer. One that does not read loses its connection.
const ANSWERS_MAX: usize = 64;

/// Connections that may wait to be taken: more than come while others are.
const BACKLOG: i32 = 1024;

/// How long who connects to us by TLS may take to show who he is, and the other end of a connection of ours likewise.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the other end may take to accept a connection of ours. The first packet may be lost, and is repeated after a second; more
/// would leave a carrier behind a firewall no time for being asked by UDP ([`crate::carriers::SILENT`]).
const ACCEPT: Duration = Duration::from_secs(2);

/// How long a stream that can't be read any further is kept for the answers to what was: these take some milliseconds.
const FAREWELL: Duration = Duration::from_millis(500);

/// A stream without a byte for so long is closed unless it is needed. Phones send keep-alives each two minutes or more often.
pub(crate) const IDLE: Duration = Duration::from_secs(300);

/// Asks whether the other end is there (RFC 5626 §3.5.1), and its answer.
pub(crate) const PING: &[u8] = b"\r\n\r\n";
/// See [`PING`].
pub(crate) const PONG: &[u8] = b"\r\n";

/// How often whoever we connected to is asked (RFC 5626 §4.4.1: at most each 120 s, not all at once): a NAT keeps the way open, and
/// a flow that is dead is found before somebody calls by it.
const PING_EVERY: std::ops::Range<Duration> = Duration::from_secs(95)..Duration::from_secs(120);

/// Who has answered once and doesn't within this is gone (RFC 5626 §4.4.1).
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// One connection.
pub(crate) type Stream = (Transport, SocketAddr);

pub(crate) enum Arrived {
    /// With its bytes, where they are kept if anything comes of it.
    Message(Source, Message, Vec<u8>),
    /// Whoever connected to us, and how he is told something.
    Opened(Stream, mpsc::Sender<Vec<u8>>),
    Closed(Stream),
    /// Nothing has come by it for [`IDLE`]; each time again.
    Quiet(Stream),
    /// That it is closed, for a stream of our own.
    Lost(Stream),
}

pub(crate) struct Sockets {
    pub(crate) local: Vec<(Transport, SocketAddr)>,
    pub(crate) arrived: mpsc::Receiver<Arrived>,
    udp: Vec<(SocketAddr, Arc<UdpSocket>)>,
    streams: HashMap<Stream, mpsc::Sender<Vec<u8>>>,
    connections: Connections,
    trusted: Vec<Network>,
    /// For streams of our own.
    queue: mpsc::Sender<Arrived>,
    ladder: Ladder,
    /// Whose datagrams are dropped unread.
    pub(crate) flooding: Closed,
    tasks: TaskTracker,
}

pub(crate) async fn bind(
    config: &GatewayConfig,
    closed: &CancellationToken,
    streams: &TaskTracker,
    ladder: &Ladder,
) -> Result<Sockets, GatewayError> {
    let (queue, arrived) = mpsc::channel(MESSAGES_MAX);
    let (local, udp_sockets, known) = (Vec::new(), Vec::new(), HashMap::new());
    let (tasks, ladder) = (streams.clone(), ladder.clone());
    let mut sockets = Sockets {
        local,
        arrived,
        udp: udp_sockets,
        streams: known,
        connections: config.connections,
        trusted: config.limits.trusted.clone(),
        queue: queue.clone(),
        ladder: ladder.clone(),
        flooding: Closed::default(),
        tasks,
    };
    for address in &config.udp {
        let failed = |source| GatewayError::Bind { transport: "UDP", address: *address, source };
        let socket = if has_twin(*address, &config.udp) {
            let socket = of_family(*address, Type::DGRAM).map_err(failed)?;
            socket.bind(&(*address).into()).map_err(failed)?;
            UdpSocket::from_std(socket.into())
        } else {
            UdpSocket::bind(address).await
        };
        let socket = Arc::new(socket.map_err(failed)?);
        let reference = SockRef::from(&*socket);
        let _ = reference.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        let _ = reference.set_send_buffer_size(KERNEL_BUFFER_BYTES);
        let local = socket.local_addr().map_err(failed)?;
        sockets.local.push((Transport::Udp, local));
        sockets.udp.push((local, Arc::clone(&socket)));
        tokio::spawn(closed.clone().run_until_cancelled_owned(read_datagrams(
            socket,
            local,
            queue.clone(),
            ladder.clone(),
            sockets.flooding.clone(),
        )));
    }
    let acceptor = TlsAcceptor::from(Arc::clone(&config.certificate));
    let plain = config.tcp.iter().map(|address| (address, Transport::Tcp, "TCP"));
    let encrypted = config.tls.iter().map(|address| (address, Transport::Tls, "TLS"));
    for (address, transport, name) in plain.chain(encrypted) {
        let failed = |source| GatewayError::Bind { transport: name, address: *address, source };
        let all = if transport == Transport::Tls { &config.tls } else { &config.tcp };
        let listener = if has_twin(*address, all) {
            listening(*address, BACKLOG).and_then(|socket| TcpListener::from_std(socket.into()))
        } else {
            TcpListener::bind(address).await
        };
        let listener = listener.map_err(failed)?;
        // Connections inherit it (tcp(7)): an answer after another one doesn't wait for that one's acknowledgement.
        SockRef::from(&listener).set_tcp_nodelay(true).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        sockets.local.push((transport, local));
        let acceptor = (transport == Transport::Tls).then(|| acceptor.clone());
        let accepting = accept(listener, local, acceptor, queue.clone(), streams.clone(), ladder.clone());
        tokio::spawn(closed.clone().run_until_cancelled_owned(accepting));
    }
    Ok(sockets)
}

impl Sockets {
    pub(crate) fn web_sockets(&self) -> WebSockets {
        // Whoever sends to them names himself by this.
        let local = self.local.first().map_or_else(|| SocketAddr::from(([0, 0, 0, 0], 5060)), |(_, local)| *local);
        WebSockets::new(self.queue.clone(), self.tasks.clone(), self.ladder.clone(), local)
    }

    pub(crate) fn opened(&mut self, stream: Stream, answers: mpsc::Sender<Vec<u8>>) {
        let host = network_of(stream.1.ip());
        let of_host = self.streams.keys().filter(|(_, peer)| network_of(peer.ip()) == host).count();
        let Connections { max, of_host_max } = self.connections;
        let is_trusted = self.trusted.iter().any(|network| network.has(stream.1.ip()));
        if self.streams.len() < max - max / 8 && (is_trusted || of_host < of_host_max) {
            self.streams.insert(stream, answers);
        } else {
            // Dropping the queue closes the stream.
            metrics::counter!("gateway_streams_refused").increment(1);
        }
    }

    /// Closes it.
    pub(crate) fn close(&mut self, stream: Stream) {
        // Dropping the queue does.
        self.streams.remove(&stream);
    }

    /// False where another connection has taken its place already.
    pub(crate) fn closed(&mut self, stream: Stream) -> bool {
        let is_new = |answers: &mpsc::Sender<Vec<u8>>| stream.0 != Transport::Ws && !answers.is_closed();
        if self.streams.get(&stream).is_some_and(is_new) {
            return false;
        }
        self.streams.remove(&stream);
        true
    }

    /// Which of our sockets leads there; a stream is opened where there is none. None where nothing does.
    pub(crate) fn way_to(
        &mut self,
        transport: Transport,
        peer: SocketAddr,
        tls: Option<TlsPeer>,
    ) -> Option<SocketAddr> {
        let local = self.local_for(transport, peer)?;
        if transport != Transport::Udp && !self.streams.contains_key(&(transport, peer)) {
            if self.streams.len() >= self.connections.max {
                return None;
            }
            let (answers, waiting) = mpsc::channel(ANSWERS_MAX);
            self.streams.insert((transport, peer), answers);
            let (source, queue, ladder) = (Source { transport, peer, local }, self.queue.clone(), self.ladder.clone());
            let ours = Some(PING_EVERY.start + (PING_EVERY.end - PING_EVERY.start).mul_f64(rand::random()));
            self.tasks.spawn(async move {
                match (timeout(ACCEPT, connect(peer)).await, tls) {
                    (Ok(Ok(stream)), None) => serve_stream(stream, source, &queue, waiting, &ladder, ours).await,
                    (Ok(Ok(stream)), Some(TlsPeer { name, config })) => {
                        let shaking = TlsConnector::from(config).connect(name, stream);
                        match timeout(CONNECT, shaking).await {
                            Ok(Ok(stream)) => serve_stream(stream, source, &queue, waiting, &ladder, ours).await,
                            Ok(Err(error)) => {
                                tracing::warn!(%peer, %error, "the other end is not who it should be");
                                drop(waiting);
                            }
                            Err(_) => drop(waiting),
                        }
                    }
                    _ => drop(waiting),
                }
                // The switchboard that is gone needs no telling.
                let _ = queue.send(Arrived::Lost((transport, peer))).await;
            });
        }
        Some(local)
    }

    /// The socket of ours that leads there.
    pub(crate) fn local_for(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        let leads = |(kind, local): &&(Transport, SocketAddr)| *kind == transport && local.is_ipv4() == peer.is_ipv4();
        self.local.iter().find(leads).map(|(_, local)| *local)
    }

    /// A message that came is of a call, or answered.
    pub(crate) fn came(&self, source: Source, copy: &[u8]) {
        self.ladder.came(source, copy);
    }

    /// Never waits. The way it should have gone, where that isn't there any more. A connection that is gone is made anew where the
    /// message may have one, by the certificate `tls` knows for its peer.
    pub(crate) fn send(
        &mut self,
        transmit: Transmit,
        tls: impl FnOnce(SocketAddr) -> Option<TlsPeer>,
    ) -> Option<Stream> {
        self.ladder.went(transmit.to, &transmit.bytes);
        match transmit.to.transport {
            Transport::Udp => {
                let socket = self.udp.iter().find(|(local, _)| *local == transmit.to.local);
                let sent = socket.map(|(_, socket)| socket.try_send_to(&transmit.bytes, transmit.to.peer));
                if matches!(sent, Some(Ok(_))) {
                    return None;
                }
                metrics::counter!("gateway_send_failed").increment(1);
                // A full buffer is emptied; a network that isn't there is none.
                let is_cut =
                    |error: &Error| matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable);
                let is_cut = sent.is_some_and(|sent| sent.as_ref().err().is_some_and(is_cut));
                is_cut.then_some((Transport::Udp, transmit.to.peer))
            }
            Transport::Tcp | Transport::Tls | Transport::Ws => {
                let stream = (transmit.to.transport, transmit.to.peer);
                let is_gone = self.streams.get(&stream).is_none_or(mpsc::Sender::is_closed);
                if is_gone && transmit.reconnect == Some(transmit.to.peer) {
                    self.streams.remove(&stream);
                    let tls = if stream.0 == Transport::Tls { tls(stream.1) } else { None };
                    if stream.0 == Transport::Tcp || tls.is_some() {
                        self.way_to(stream.0, stream.1, tls);
                    }
                }
                let sent = self.streams.get(&stream).map(|answers| answers.try_send(transmit.bytes));
                if matches!(sent, Some(Ok(()))) {
                    return None;
                }
                self.streams.remove(&stream);
                metrics::counter!("gateway_send_failed").increment(1);
                Some(stream)
            }
        }
    }
}

/// A socket of IPv6 takes IPv4 too, unless another is there for that.
fn has_twin(address: SocketAddr, all: &[SocketAddr]) -> bool {
    address.is_ipv6() && all.iter().any(|other| other.is_ipv4() && other.port() == address.port())
}

/// Questions of STUN answered at once, and a second: a telephone asks twice a minute. More would be a way to send somebody else's
/// address what he did not ask for.
const STUN_MAX: u32 = 1_000;

/// How many more questions are answered.
struct StunBudget {
    left: u32,
    at: Instant,
}

impl StunBudget {
    fn new(now: Instant) -> Self {
        Self { left: STUN_MAX, at: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.at) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.left.checked_sub(1).map(|left| self.left = left).is_some()
    }
}

/// What is written leaves at once.
async fn connect(peer: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(peer).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(crate) async fn read_datagrams(
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    queue: mpsc::Sender<Arrived>,
    ladder: Ladder,
    flooding: Closed,
) {
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    let mut stun = StunBudget::new(Instant::now());
    loop {
        // A socket that can't be waited for is gone.
        if socket.readable().await.is_err() {
            return;
        }
        let (mut dropped, mut taken, mut is_empty) = (0, 0, false);
        for _ in 0..READ_AT_ONCE {
            match socket.try_recv_from(&mut buffer) {
                Ok((len, peer)) if flooding.drops(&buffer[..len], peer.ip()) => dropped += 1,
                Ok((len, peer)) if stun::is_question(&buffer[..len]) => {
                    let answer = stun::answer(&buffer[..len], peer).filter(|_| stun.take(Instant::now()));
                    if let Some(answer) = answer {
                        metrics::counter!("gateway_stun_answered").increment(1);
                        // What is lost is asked again.
                        let _ = socket.try_send_to(&answer, peer);
                    }
                }
                Ok((len, peer)) => {
                    taken += 1;
                    let source = Source { transport: Transport::Udp, peer, local };
                    take_datagram(&buffer[..len], source, &queue, &ladder);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    is_empty = true;
                    break;
                }
                // An earlier datagram's ICMP answer is an error here and concerns no one.
                Err(_) => {}
            }
        }
        if dropped > 0 {
            metrics::counter!("gateway_messages_dropped", "why" => "flood").increment(dropped);
        }
        // What waits is read at once, whatever stands before it.
        if dropped > 0 && taken == 0 && is_empty {
            tokio::time::sleep(flood::PAUSE).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

fn take_datagram(bytes: &[u8], source: Source, queue: &mpsc::Sender<Arrived>, ladder: &Ladder) {
    match Message::parse(bytes) {
        Ok(message) => {
            if queue.try_send(Arrived::Message(source, message, ladder.copy(bytes))).is_err() {
                metrics::counter!("gateway_messages_dropped", "why" => "busy").increment(1);
            }
        }
        // Keep-alives are a few line ends.
        Err(_) if bytes.iter().all(u8::is_ascii_whitespace) => {}
        Err(error) => {
            tracing::trace!(peer = %source.peer, %error, "not SIP");
            metrics::counter!("gateway_messages_dropped", "why" => "malformed").increment(1);
        }
    }
}

async fn accept(
    listener: TcpListener,
    local: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    queue: mpsc::Sender<Arrived>,
    streams: TaskTracker,
    ladder: Ladder,
) {
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors: others must close first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (answers, waiting) = mpsc::channel(ANSWERS_MAX);
        let transport = if acceptor.is_some() { Transport::Tls } else { Transport::Tcp };
        if queue.send(Arrived::Opened((transport, peer), answers)).await.is_err() {
            return;
        }
        let source = Source { transport, peer, local };
        let (queue, acceptor, ladder) = (queue.clone(), acceptor.clone(), ladder.clone());
        let serving = async move {
            match acceptor {
                None => serve_stream(stream, source, &queue, waiting, &ladder, None).await,
                Some(acceptor) => match timeout(CONNECT, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => serve_stream(stream, source, &queue, waiting, &ladder, None).await,
                    _ => {
                        drop(waiting);
                        metrics::counter!("gateway_streams_closed").increment(1);
                    }
                },
            }
            // The switchboard that is gone needs no telling.
            let _ = queue.send(Arrived::Closed((transport, peer))).await;
        };
        // They end when the switchboard does, after what is left is sent.
        streams.spawn(serving);
    }
}

/// Until it is closed by either side. `ping_every` where we connected: then asking whether the other end is there is ours.
async fn serve_stream(
    stream: impl AsyncRead + AsyncWrite,
    source: Source,
    queue: &mpsc::Sender<Arrived>,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    ladder: &Ladder,
    ping_every: Option<Duration>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut buffer = Vec::new();
    let mut pulse = Pulse::new(ping_every);
    loop {
        let say = tokio::select! {
            answer = waiting.recv() => match answer {
                Some(answer) => answer,
                None => return,
            },
            read = timeout(IDLE, reader.read_buf(&mut buffer)) => {
                let Ok(read) = read else {
                    // Who doesn't need it lets go of it.
                    if queue.send(Arrived::Quiet((source.transport, source.peer))).await.is_err() {
                        return;
                    }
                    continue;
                };
                if !matches!(read, Ok(1..)) {
                    return;
                }
                match take_messages(&mut buffer, source, queue, ladder).await {
                    Some(blanks) if pulse.ping_every.is_some() => {
                        pulse.beat(blanks);
                        continue;
                    }
                    Some(blanks) => PONG.repeat(blanks.pings),
                    None => return part(reader, writer, &mut waiting).await,
                }
            }
            alive = pulse.next() => {
                if !alive {
                    tracing::info!(peer = %source.peer, "the other end of a connection of ours is silent");
                    return;
                }
                PING.to_vec()
            }
        };
        let written = async {
            writer.write_all(&say).await?;
            writer.flush().await
        };
        if !say.is_empty() && !matches!(timeout(IDLE, written).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Whether the other end of a stream of ours is there (RFC 5626 §4.4.1).
struct Pulse {
    /// None where it is the other end that asks.
    ping_every: Option<Duration>,
    next: Instant,
    /// It answers: not all who should do.
    answers: bool,
    awaited: bool,
}

impl Pulse {
    fn new(ping_every: Option<Duration>) -> Self {
        Self { ping_every, next: Instant::now() + ping_every.unwrap_or_default(), answers: false, awaited: false }
    }

    /// When it is time to ask; false where the answer to what was asked before hasn't come.
    async fn next(&mut self) -> bool {
        let Some(every) = self.ping_every else { return std::future::pending().await };
        sleep_until(self.next).await;
        if self.awaited && self.answers {
            return false;
        }
        self.awaited = true;
        self.next += if self.answers { PONG_WITHIN } else { every };
        true
    }

    fn beat(&mut self, blanks: Blanks) {
        if blanks.any && self.awaited {
            self.next = Instant::now() + self.ping_every.unwrap_or_default();
            (self.answers, self.awaited) = (true, false);
        }
    }
}

/// Line ends between messages.
#[derive(Default, Clone, Copy)]
struct Blanks {
    any: bool,
    /// Whole questions whether we are there.
    pings: usize,
}

/// A request that can't be told from what is behind it: whoever sent it hears what is wrong (RFC 3261 §18.3), as far as its head is there.
fn broken(buffer: &[u8], error: &FrameError) -> Option<Message> {
    let mut message = Message::parse(buffer).ok().filter(|it| matches!(it.start, StartLine::Request { .. }))?;
    message.fault = Some(match error {
        FrameError::TooLarge => ParseError::TooLarge,
        FrameError::NoLength => ParseError::Header,
    });
    Some(message)
}

/// What came before on a stream that can't be read any further is answered, as far as that doesn't take longer than [`FAREWELL`]. What
/// comes meanwhile is not looked at; were it left unread, the other end might lose the answers.
async fn part(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    waiting: &mut mpsc::Receiver<Vec<u8>>,
) {
    let mut rest = [0; 4096];
    let answering = async {
        loop {
            tokio::select! {
                answer = waiting.recv() => {
                    let Some(answer) = answer else { return };
                    if writer.write_all(&answer).await.is_err() || writer.flush().await.is_err() {
                        return;
                    }
                }
                read = reader.read(&mut rest) => if !matches!(read, Ok(1..)) { return },
            }
        }
    };
    // What isn't answered by then is asked again by another connection.
    let _ = timeout(FAREWELL, answering).await;
    let _ = timeout(FAREWELL, writer.shutdown()).await;
}

/// None when the stream can't be read any further.
async fn take_messages(
    buffer: &mut Vec<u8>,
    source: Source,
    queue: &mpsc::Sender<Arrived>,
    ladder: &Ladder,
) -> Option<Blanks> {
    let mut blanks = Blanks::default();
    loop {
        if buffer.starts_with(PING) {
            blanks = Blanks { any: true, pings: blanks.pings + 1 };
            buffer.drain(..PING.len());
            continue;
        }
        if PING.starts_with(buffer) {
            // Its second half may come yet.
            blanks.any |= buffer.starts_with(PONG);
            return Some(blanks);
        }
        match frame(buffer) {
            Ok(None) => return Some(blanks),
            Ok(Some(len)) => {
                let bytes: Vec<u8> = buffer.drain(..len).collect();
                if let Ok(message) = Message::parse(&bytes) {
                    if queue.send(Arrived::Message(source, message, ladder.copy(&bytes))).await.is_err() {
                        return None;
                    }
                } else if !bytes.iter().all(u8::is_ascii_whitespace) {
                    metrics::counter!("gateway_messages_dropped", "why" => "malformed").increment(1);
                }
            }
            Err(error) => {
                tracing::debug!(peer = %source.peer, %error, "stream closed");
                metrics::counter!("gateway_streams_closed").increment(1);
                if let Some(message) = broken(buffer, &error) {
                    // The switchboard that is gone answers nobody.
                    let _ = queue.send(Arrived::Message(source, message, ladder.copy(buffer))).await;
                }
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What must stay while a stream is served.
    type Ends = (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Arrived>);

    /// A stream and its other end; the first is served until it is closed, and asks so often where it is of ours.
    fn served(every: Option<Duration>) -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>, Ends) {
        let (ours, theirs) = tokio::io::duplex(1_024);
        let ((answers, waiting), (queue, arrived)) = (mpsc::channel(4), mpsc::channel(16));
        let address = SocketAddr::from(([192, 0, 2, 1], 5060));
        let source = Source { transport: Transport::Tcp, peer: address, local: address };
        let kept = crate::LadderConfig { folder: std::env::temp_dir(), days: 0, bytes_max: 0 };
        let ladder = Ladder::start(&kept, address.ip()).unwrap();
        let serving = async move { serve_stream(ours, source, &queue, waiting, &ladder, every).await };
        (theirs, tokio::spawn(serving), (answers, arrived))
    }

    const EVERY: Option<Duration> = Some(Duration::from_secs(100));

    // product: P11; RFC 5626 §4.4.1
    #[tokio::test(start_paused = true)]
    async fn whoever_answered_once_and_answers_no_more_is_gone() {
        let ((mut theirs, serving, _ends), begun) = (served(EVERY), Instant::now());
        let mut ping = [0; 4];
        for round in 1..4 {
            theirs.read_exact(&mut ping).await.unwrap();
            assert_eq!((ping, begun.elapsed().as_secs()), (*b"\r\n\r\n", round * 100));
            theirs.write_all(PONG).await.unwrap();
        }
        theirs.read_exact(&mut ping).await.unwrap();
        serving.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 410);
    }

    // product: P11
    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_closed_when_it_is_let_go_and_not_before() {
        let ((_theirs, serving, (answers, mut arrived)), begun) = (served(None), Instant::now());
        for round in 1..4 {
            assert!(matches!(arrived.recv().await, Some(Arrived::Quiet(_))));
            assert_eq!(begun.elapsed().as_secs(), round * 300);
        }
        assert!(!serving.is_finished());
        drop(answers);
        serving.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 900);
    }

    // RFC 3261 §18.3
    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_length_is_answered_before_its_connection_is_closed() {
        let head = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\n\r\n";
        let (mut theirs, serving, (answers, mut arrived)) = served(None);
        theirs.write_all(head.as_bytes()).await.unwrap();
        let Some(Arrived::Message(_, message, _)) = arrived.recv().await else { panic!("it is not heard") };
        assert_eq!(message.fault, Some(ParseError::Header));
        theirs.write_all(head.as_bytes()).await.unwrap();
        answers.send(b"400".to_vec()).await.unwrap();
        let mut said = Vec::new();
        theirs.read_to_end(&mut said).await.unwrap();
        serving.await.unwrap();
        assert_eq!(said, b"400");
        assert!(arrived.try_recv().is_err(), "what is behind it is not looked at");
        // An answer can't be answered.
        let (mut theirs, serving, (_answers, mut arrived)) = served(None);
        theirs.write_all(head.replace("OPTIONS sip:h SIP/2.0", "SIP/2.0 200 OK").as_bytes()).await.unwrap();
        serving.await.unwrap();
        assert!(arrived.try_recv().is_err());
    }

    // reliability: A1
    #[tokio::test]
    async fn one_host_has_its_share_of_the_streams_and_all_others_leave_some_to_us() {
        let ((queue, arrived), local) = (mpsc::channel(16), SocketAddr::from(([127, 0, 0, 1], 5060)));
        let kept = crate::LadderConfig { folder: std::env::temp_dir(), days: 0, bytes_max: 0 };
        let mut sockets = Sockets {
            local: vec![(Transport::Tcp, local)],
            arrived,
            udp: Vec::new(),
            streams: HashMap::new(),
            connections: Connections::default(),
            trusted: vec!["2001:db8:0:20::/64".parse().unwrap()],
            queue,
            ladder: Ladder::start(&kept, local.ip()).unwrap(),
            flooding: Closed::default(),
            tasks: TaskTracker::new(),
        };
        let mut told = Vec::new();
        let mut open = |sockets: &mut Sockets, host: u16, count: u16| {
            let before = sockets.streams.len();
            for port in 0..count {
                // Of one /64.
                let ip = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, host, 0, 0, 0, port);
                let (answers, waiting) = mpsc::channel(1);
                sockets.opened((Transport::Tcp, SocketAddr::from((ip, port))), answers);
                told.push(waiting);
            }
            sockets.streams.len() - before
        };
        assert_eq!(open(&mut sockets, 0, 300), 256);
        assert_eq!(open(&mut sockets, 1, 10), 10, "another host");
        assert_eq!(open(&mut sockets, 0x20, 300), 300, "a proxy of all offices'");
        for host in 2..10 {
            open(&mut sockets, host, 300);
        }
        assert_eq!(open(&mut sockets, 0x20, 10), 0, "some are kept for what we open ourselves");
        assert_eq!(sockets.streams.len(), 1_024 - 128);
        let left = told.iter().filter(|waiting| !waiting.is_closed()).count();
        assert_eq!(left, sockets.streams.len(), "who is refused is closed at once");
        let carrier = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(sockets.way_to(Transport::Tcp, carrier, None), Some(local));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_questions_is_not_answered_in_full() {
        let (mut budget, now) = (StunBudget::new(Instant::now()), Instant::now());
        assert_eq!((0..5_000).filter(|_| budget.take(now)).count(), 1_000);
        assert!(budget.take(now + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_never_answers_line_ends_is_asked_on_and_kept_by_what_he_says() {
        let ((mut theirs, serving, _ends), begun) = (served(EVERY), Instant::now());
        let mut ping = [0; 4];
        for round in 1..6 {
            theirs.read_exact(&mut ping).await.unwrap();
            assert_eq!(begun.elapsed().as_secs(), round * 100);
            theirs.write_all(b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
        assert!(!serving.is_finished());
        drop(theirs);
        serving.await.unwrap();
    }
}
