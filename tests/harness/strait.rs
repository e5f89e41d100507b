//! A poor network between browsers and a server: loss of media, a narrow line for it, or no network at all. It needs no rights: the server
//! announces an address at which this listens and passes on.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::Runtime,
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// What waits longer than this at a narrow line is dropped, as a home's router does.
const QUEUE: Duration = Duration::from_millis(250);

/// What was sent by TCP while there was no network goes again so much later than there is one: the sender tries ever less often (RFC 6298
/// §5.5).
const TCP_LATE: Duration = Duration::from_secs(4);

/// No larger than the largest datagram of WebRTC.
const DATAGRAM: usize = 2_048;

/// One direction. Clones are the same.
#[derive(Clone, Default)]
pub struct Line {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Per mille.
    loss: AtomicU32,
    /// Bits per second; 0 for as many as come.
    rate: AtomicU64,
    cut: watch::Sender<bool>,
    random: AtomicU64,
    passed: AtomicU64,
    dropped: AtomicU64,
}

impl Line {
    /// From now on so many in a thousand datagrams are lost.
    pub fn lose(&self, per_mille: u32) {
        self.state.loss.store(per_mille, Ordering::Relaxed);
    }

    /// From now on so many bits a second pass.
    pub fn narrow(&self, rate: Option<u64>) {
        self.state.rate.store(rate.unwrap_or(0), Ordering::Relaxed);
    }

    /// Nothing passes, or all again.
    pub fn cut(&self, on: bool) {
        self.state.cut.send_replace(on);
    }

    /// Datagrams passed and dropped so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.state.passed.load(Ordering::Relaxed), self.state.dropped.load(Ordering::Relaxed))
    }

    /// When the datagram is at the other end; none when it never is. `free` is when the line is.
    fn pass(&self, bytes: usize, free: &mut Instant) -> Option<Instant> {
        let (state, now) = (&self.state, Instant::now());
        // Knuth's MMIX: the same luck each time.
        let before = state.random.load(Ordering::Relaxed);
        let random = before.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.random.store(random, Ordering::Relaxed);
        let lost = (random >> 33) % 1_000 < u64::from(state.loss.load(Ordering::Relaxed));
        let arrives = match state.rate.load(Ordering::Relaxed) {
            0 => now,
            rate => {
                // IP and UDP take their part.
                let took = Duration::from_secs_f64((bytes + 28) as f64 * 8.0 / rate as f64);
                (*free).max(now) + took
            }
        };
        if lost || *state.cut.borrow() || arrives > now + QUEUE {
            state.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *free = arrives;
        state.passed.fetch_add(1, Ordering::Relaxed);
        Some(arrives)
    }
}

/// Both directions.
pub struct Strait {
    /// From browsers to the server.
    pub up: Line,
    /// From the server to browsers.
    pub down: Line,
    /// Pages and words, both ways: it can be cut, and then nothing is lost.
    pub words: Line,
    /// How often all ways have been forgotten.
    forgotten: watch::Sender<u32>,
    runtime: Runtime,
}

impl Strait {
    /// Where the server must say it is.
    pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// For a server whose media is here.
    pub fn to(server: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (up, down) = (Line::default(), Line::default());
        let outside = Arc::new(runtime.block_on(UdpSocket::bind(SocketAddr::new(Self::ADDRESS, server.port())))?);
        let forgotten = watch::Sender::new(0);
        runtime.spawn(serve(outside, server, up.clone(), down.clone(), forgotten.subscribe()));
        Ok(Self { up, down, words: Line::default(), forgotten, runtime })
    }

    /// From now on nothing passes, up or down, of ports that anything has come from: as a NAT that was started anew, or a firewall
    /// that has become stricter, leaves the connections that were. What comes from others passes.
    pub fn forget(&self) {
        self.forgotten.send_modify(|times| *times += 1);
    }

    /// Where a server's pages are reached through it.
    pub fn pages(&self, web: SocketAddr) -> Result<SocketAddr> {
        let outside = self.runtime.block_on(TcpListener::bind((Self::ADDRESS, 0)))?;
        let (address, words) = (outside.local_addr()?, self.words.clone());
        self.runtime.spawn(async move {
            while let Ok((client, _)) = outside.accept().await {
                let Ok(server) = TcpStream::connect(web).await else { continue };
                let (client, server) = (client.into_split(), server.into_split());
                tokio::spawn(pass_on(client.0, server.1, words.clone()));
                tokio::spawn(pass_on(server.0, client.1, words.clone()));
            }
        });
        Ok(address)
    }
}

async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, line: Line) {
    let (mut buffer, mut cut) = ([0; 16 << 10], line.state.cut.subscribe());
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let is_cut = *cut.borrow_and_update();
        if is_cut {
            // The line is there as long as the strait.
            let _ = cut.wait_for(|cut| !cut).await;
            sleep(TCP_LATE).await;
        }
        if to.write_all(&buffer[..len]).await.is_err() {
            return;
        }
    }
}

async fn serve(outside: Arc<UdpSocket>, server: SocketAddr, up: Line, down: Line, forgotten: watch::Receiver<u32>) {
    let mut ways: HashMap<SocketAddr, (u32, mpsc::Sender<(Instant, Vec<u8>)>)> = HashMap::new();
    // All share the line, as people in one office do.
    let mut free = Instant::now();
    let (arriving, arrived) = mpsc::channel(4_096);
    tokio::spawn(deliver_down(Arc::clone(&outside), arrived));
    let mut buffer = [0; DATAGRAM];
    let shared = Arc::new(tokio::sync::Mutex::new(Instant::now()));
    loop {
        let Ok((len, from)) = outside.recv_from(&mut buffer).await else { continue };
        let Some(at) = up.pass(len, &mut free) else { continue };
        if let std::collections::hash_map::Entry::Vacant(vacant) = ways.entry(from) {
            let Ok(inside) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { continue };
            let inside = Arc::new(inside);
            let (way, waiting) = mpsc::channel(4_096);
            vacant.insert((*forgotten.borrow(), way));
            tokio::spawn(deliver_up(Arc::clone(&inside), server, waiting));
            let listening = listen_down(inside, from, down.clone(), Arc::clone(&shared), arriving.clone());
            let mut forgotten = forgotten.clone();
            forgotten.mark_unchanged();
            tokio::spawn(async move {
                tokio::select! {
                    () = listening => {}
                    _ = forgotten.changed() => {}
                }
            });
        }
        if let Some((_, way)) = ways.get(&from).filter(|(since, _)| *since == *forgotten.borrow()) {
            let _ = way.try_send((at, buffer[..len].to_vec()));
        }
    }
}

async fn deliver_up(inside: Arc<UdpSocket>, server: SocketAddr, mut waiting: mpsc::Receiver<(Instant, Vec<u8>)>) {
    while let Some((at, datagram)) = waiting.recv().await {
        tokio::time::sleep_until(at).await;
        let _ = inside.send_to(&datagram, server).await;
    }
}

async fn listen_down(
    inside: Arc<UdpSocket>,
    to: SocketAddr,
    line: Line,
    free: Arc<tokio::sync::Mutex<Instant>>,
    arriving: mpsc::Sender<(Instant, SocketAddr, Vec<u8>)>,
) {
    let mut buffer = [0; DATAGRAM];
    loop {
        let Ok((len, _)) = inside.recv_from(&mut buffer).await else { continue };
        let mut free = free.lock().await;
        if let Some(at) = line.pass(len, &mut free) {
            let _ = arriving.try_send((at, to, buffer[..len].to_vec()));
        }
    }
}

async fn deliver_down(outside: Arc<UdpSocket>, mut waiting: mpsc::Receiver<(Instant, SocketAddr, Vec<u8>)>) {
    while let Some((at, to, datagram)) = waiting.recv().await {
        tokio::time::sleep_until(at).await;
        let _ = outside.send_to(&datagram, to).await;
    }
}
