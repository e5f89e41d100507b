//! A poor network between browsers and a server's media: loss, a narrow line, or none at all. It needs no rights: the server
//! announces an address at which this listens and passes on.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{net::UdpSocket, runtime::Runtime, sync::mpsc, time::Instant};

/// What waits longer than this at a narrow line is dropped, as a home's router does.
const QUEUE: Duration = Duration::from_millis(250);

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
    cut: AtomicBool,
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
        self.state.cut.store(on, Ordering::Relaxed);
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
        if lost || state.cut.load(Ordering::Relaxed) || arrives > now + QUEUE {
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
    _runtime: Runtime,
}

impl Strait {
    /// Where the server must say it is.
    pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// For a server whose media is here.
    pub fn to(server: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (up, down) = (Line::default(), Line::default());
        let outside = Arc::new(runtime.block_on(UdpSocket::bind(SocketAddr::new(Self::ADDRESS, server.port())))?);
        runtime.spawn(serve(outside, server, up.clone(), down.clone()));
        Ok(Self { up, down, _runtime: runtime })
    }
}

async fn serve(outside: Arc<UdpSocket>, server: SocketAddr, up: Line, down: Line) {
    let mut ways: HashMap<SocketAddr, mpsc::Sender<(Instant, Vec<u8>)>> = HashMap::new();
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
            vacant.insert(way);
            tokio::spawn(deliver_up(Arc::clone(&inside), server, waiting));
            tokio::spawn(listen_down(inside, from, down.clone(), Arc::clone(&shared), arriving.clone()));
        }
        if let Some(way) = ways.get(&from) {
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
