//! `huitong bench sfu`: the media workers of this very program forward on one core, clients of a second process send and
//! receive from the other, over UDP.

mod in_process;

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, BufRead, BufReader, IoSliceMut, Write},
    net::{Ipv4Addr, SocketAddr},
    process::{ChildStdin, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use mio::{Events, Interest, Poll, Token, net::UdpSocket};
use model::{MeetingId, ParticipantId};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sfu::{
    Layer,
    load::{LoadClient, LoadEvent, LoadIdentity, LoadPacket},
};

use super::{
    Kept,
    calls::{DESCRIPTORS, Usage, pin_self, usage},
    of, on_first_core,
};

/// A picture is so many packets of so many bytes: 2.1 Mbit/s at 30 a second, 720p of a face.
const PICTURE_PACKETS: usize = 8;
const PICTURE_BYTES: usize = 1_100;

/// A small picture: 110 kbit/s at 30 a second.
const THUMBNAIL_BYTES: usize = 458;

/// A voice at 40 kbit/s.
const VOICE_BYTES: usize = 90;

/// Voices and pictures that a subscriber has room for, as the web client.
const VOICES: usize = 6;
const PICTURES: usize = 9;

/// How long lines are looked at before anything is measured.
const WARM_UP: Duration = Duration::from_secs(6);

/// How long the first two are there alone.
const FIRST: Duration = Duration::from_secs(2);

/// How long all may take to come in.
const JOIN: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct Sfu {
    /// Meetings at once, each with all that follows: a core that is busy is what a packet's price is about.
    #[arg(long, default_value_t = 1)]
    meetings: usize,
    /// Who send.
    #[arg(long, default_value_t = 1)]
    publishers: usize,
    /// Who receive.
    #[arg(long, default_value_t = 40)]
    subscribers: usize,
    /// How long it is measured.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Publishers send pictures too: 30 a second of eight packets of 1,100 bytes.
    #[arg(long)]
    video: bool,
    /// Publishers whose pictures are sent, where not all.
    #[arg(long)]
    cameras: Option<usize>,
    /// Of each picture, in thousands of bits a second.
    #[arg(long)]
    kilobits: Option<usize>,
    /// Further publishers, who send a small picture of 110 kbit/s and are silent; eight at most fit beside a camera.
    #[arg(long, default_value_t = 0)]
    thumbnails: usize,
    /// How long they take to come in, one after the other; at once, where it is 0.
    #[arg(long, default_value_t = 0)]
    join_seconds: u64,
    /// Without a network and in a clock of its own: where the engine's time goes. At most six publishers.
    #[arg(long)]
    in_process: bool,
    /// The server's part.
    #[arg(long, hide = true)]
    serve: bool,
}

#[derive(Serialize, Deserialize)]
struct Offer {
    meeting: u128,
    participant: u128,
    publishes: bool,
    sdp: String,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    sdp: Option<String>,
    error: Option<String>,
}

#[expect(clippy::print_stdout, reason = "the figures are what was asked for")]
pub(super) fn run(bench: &Sfu) -> anyhow::Result<()> {
    if bench.serve {
        return tokio::runtime::Runtime::new()?.block_on(serve());
    }
    let cameras = if bench.video { bench.cameras.unwrap_or(bench.publishers).min(bench.publishers) } else { 0 };
    let figures = if bench.in_process {
        in_process::measure(bench.publishers.min(VOICES), cameras.min(VOICES), bench.subscribers, bench.seconds)?
    } else {
        measure(bench, cameras)?
    };
    println!("{figures:#}");
    Ok(())
}

fn of_voice(media_ms: u64) -> LoadPacket {
    let (layer, bytes) = (Layer::default(), VOICE_BYTES);
    LoadPacket { line: 0, layer, bytes, media_ms, key: true, first: true, last: false }
}

/// What a picture takes.
#[derive(Clone, Copy)]
struct Picture {
    packets: usize,
    /// Of each.
    bytes: usize,
}

impl Picture {
    const USUAL: Self = Self { packets: PICTURE_PACKETS, bytes: PICTURE_BYTES };
    const THUMBNAIL: Self = Self { packets: 1, bytes: THUMBNAIL_BYTES };

    /// 30 a second.
    fn of_kilobits(kilobits: usize) -> Self {
        let all = kilobits * 1_000 / 8 / 30;
        let packets = all.div_ceil(PICTURE_BYTES).max(1);
        Self { packets, bytes: all / packets }
    }
}

fn of_picture(picture: Picture, media_ms: u64) -> impl Iterator<Item = LoadPacket> {
    let Picture { packets, bytes } = picture;
    (0..packets).map(move |number| LoadPacket {
        line: 1,
        layer: Layer::default(),
        bytes,
        media_ms,
        key: true,
        first: number == 0,
        last: number == packets - 1,
    })
}

/// What a publisher sends.
#[derive(Clone, Copy)]
struct Sends {
    voice: bool,
    picture: Option<Picture>,
}

/// Answers offers on standard input; the media workers do the rest.
#[expect(clippy::print_stdout, reason = "the answers are what the other process waits for")]
async fn serve() -> anyhow::Result<()> {
    let plane = super::loopback_plane(20_000..=20_001)?;
    let mut meetings = HashMap::new();
    for line in io::stdin().lines() {
        let Offer { meeting, participant, publishes, sdp } = serde_json::from_str(&line?)?;
        let media = match meetings.entry(meeting) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(unopened) => {
                let (media, mut facts) = plane.open_meeting(MeetingId::new(uuid::Uuid::from_u128(meeting))).await?;
                tokio::spawn(async move { while facts.recv().await.is_some() {} });
                unopened.insert(media)
            }
        };
        let participant = ParticipantId::new(uuid::Uuid::from_u128(participant));
        let answered =
            if publishes { media.publish(participant, sdp).await } else { media.subscribe(participant, sdp).await };
        let answer = match answered {
            Ok(sdp) => Answer { sdp: Some(sdp), error: None },
            Err(error) => Answer { sdp: None, error: Some(error.to_string()) },
        };
        println!("{}", serde_json::to_string(&answer)?);
    }
    Ok(())
}

fn measure(bench: &Sfu, cameras: usize) -> anyhow::Result<Value> {
    pin_self();
    let mut server = Served::start()?;
    let mut load = Load::new()?;
    let picture = bench.kilobits.map_or(Picture::USUAL, Picture::of_kilobits);
    let (speakers, publishers) = (bench.publishers, bench.publishers + bench.thumbnails);
    let each = publishers + bench.subscribers;
    let all = each * bench.meetings;
    let sends = |who: usize| match who % each {
        who if who < speakers => Some(Sends { voice: true, picture: (who < cameras).then_some(picture) }),
        who if who < publishers => Some(Sends { voice: false, picture: Some(Picture::THUMBNAIL) }),
        _ => None,
    };
    let meeting = |who: usize| (who / each) as u128 + 1;
    let empty = server.usage();
    // The first two have made what is made once: buffers, tables, code that is read in.
    for who in [0, publishers] {
        load.join(&mut server, meeting(who), who as u128 + 1, sends(who))?;
    }
    load.wait_for_all()?;
    load.run(FIRST, false)?;
    load.joins_ms.clear();
    let first = server.usage();
    let (began, storm) = (Instant::now(), Duration::from_secs(bench.join_seconds));
    for who in (1..all).filter(|who| *who != publishers) {
        load.join(&mut server, meeting(who), who as u128 + 1, sends(who))?;
        let next = storm * (who as u32 + 1) / all as u32;
        load.run(next.saturating_sub(began.elapsed()), false)?;
    }
    load.wait_for_all()?;
    load.run(WARM_UP, false)?;
    let before = server.usage();
    let began = Instant::now();
    load.run(Duration::from_secs(bench.seconds), true)?;
    let (after, seconds) = (server.usage(), began.elapsed().as_secs_f64());
    let cpu_s = after.cpu_s - before.cpu_s;
    let packets = load.delays_ms.len() as f64;
    load.delays_ms.sort_by(f64::total_cmp);
    load.joins_ms.sort_by(f64::total_cmp);
    let voices = bench.publishers.min(5) * 50;
    let thumbnails = bench.thumbnails.min(PICTURES.saturating_sub(cameras));
    // One every 33 ms.
    let pictures = (cameras.min(PICTURES) * picture.packets + thumbnails) as f64 * 1_000.0 / 33.0;
    let wanted = (bench.meetings * bench.subscribers) as f64 * (voices as f64 + pictures) * seconds;
    let peers = all.saturating_sub(2).max(1) as f64;
    Ok(json!({
        "bench": "sfu",
        "meetings": bench.meetings,
        "publishers": bench.publishers,
        "subscribers": bench.subscribers,
        "cameras": cameras,
        "thumbnails": bench.thumbnails,
        "seconds": bench.seconds,
        "packets_per_second": packets / seconds,
        "delivered": packets / wanted,
        "cpu_cores": cpu_s / seconds,
        "cpu_ns_per_packet": 1e9 * cpu_s / packets,
        "forwarded_pps_per_core": packets / cpu_s,
        "delay_ms_p50": of(&load.delays_ms, 0.50),
        "delay_ms_p99": of(&load.delays_ms, 0.99),
        "rss_kib_first": first.rss_kib - empty.rss_kib,
        "rss_kib_per_peer": (after.rss_kib - first.rss_kib) / peers,
        "join_ms_p50": of(&load.joins_ms, 0.50),
        "join_ms_p99": of(&load.joins_ms, 0.99),
    }))
}

/// One client with a socket of its own, as one browser's connection.
struct Joined {
    client: LoadClient,
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    /// Where it publishes, what.
    sends: Option<Sends>,
    began: Instant,
    connected: bool,
}

struct Load {
    identity: LoadIdentity,
    epoch: Instant,
    poll: Poll,
    clients: Vec<Joined>,
    buffers: Vec<Vec<u8>>,
    delays_ms: Vec<f64>,
    joins_ms: Vec<f64>,
    /// Media time that has been sent.
    sent_ms: u64,
}

impl Load {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            identity: LoadIdentity::generate()?,
            epoch: Instant::now(),
            poll: Poll::new()?,
            clients: Vec::new(),
            buffers: vec![vec![0; 64 * 1_500]; BATCH_SIZE],
            delays_ms: Vec::new(),
            joins_ms: Vec::new(),
            sent_ms: 0,
        })
    }

    fn join(
        &mut self,
        server: &mut Served,
        meeting: u128,
        participant: u128,
        sends: Option<Sends>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut socket = UdpSocket::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        let address = socket.local_addr()?;
        let (mut client, sdp) = match sends {
            Some(Sends { picture, .. }) => {
                LoadClient::publisher(&self.identity, address, usize::from(picture.is_some()), began)?
            }
            None => LoadClient::light_subscriber(&self.identity, address, VOICES, PICTURES, began)?,
        };
        client.set_epoch(self.epoch);
        client.answer(&server.answer(&Offer { meeting, participant, publishes: sends.is_some(), sdp })?)?;
        self.poll.registry().register(&mut socket, Token(self.clients.len()), Interest::READABLE)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        self.clients.push(Joined { client, socket, state, address, sends, began, connected: false });
        let last = self.clients.len() - 1;
        self.clients[last].client.wake(Instant::now());
        self.drain(last, false);
        // Those who are there already are not kept waiting.
        self.turn(Duration::ZERO, false)
    }

    fn wait_for_all(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + JOIN;
        while self.clients.iter().any(|client| !client.connected) {
            if Instant::now() > deadline {
                let missing = self.clients.iter().filter(|client| !client.connected).count();
                bail!("{missing} of {} clients did not get in", self.clients.len());
            }
            self.turn(Duration::from_millis(5), false)?;
        }
        Ok(())
    }

    /// Sends in time, and counts what comes.
    fn run(&mut self, time: Duration, counts: bool) -> anyhow::Result<()> {
        let began = Instant::now();
        let first_ms = self.sent_ms;
        while began.elapsed() < time {
            while self.sent_ms - first_ms <= began.elapsed().as_millis() as u64 {
                self.send_ms(counts);
            }
            self.turn(Duration::from_millis(1), counts)?;
        }
        Ok(())
    }

    /// What is due in one millisecond of media time. Clients don't all send at the same moment.
    fn send_ms(&mut self, counts: bool) {
        for index in 0..self.clients.len() {
            let Some(sends) = self.clients[index].sends else { continue };
            let (now, ms) = (Instant::now(), self.sent_ms + 7 * index as u64);
            let voice = sends.voice && ms.is_multiple_of(20);
            let picture = sends.picture.filter(|_| ms.is_multiple_of(33));
            let client = &mut self.clients[index].client;
            if voice {
                client.send(of_voice(ms), now);
            }
            for packet in picture.into_iter().flat_map(|picture| of_picture(picture, ms)) {
                client.send(packet, now);
            }
            if voice || picture.is_some() {
                client.wake(now);
                self.drain(index, counts);
            }
        }
        self.sent_ms += 1;
    }

    fn turn(&mut self, patience: Duration, counts: bool) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1_024);
        match self.poll.poll(&mut events, Some(patience)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            self.read(event.token().0, counts);
        }
        let now = Instant::now();
        for index in 0..self.clients.len() {
            if self.clients[index].client.timeout() <= now {
                self.clients[index].client.wake(now);
                self.drain(index, counts);
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize, counts: bool) {
        loop {
            let Joined { client, socket, state, address, .. } = &mut self.clients[index];
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let mut slices: Vec<IoSliceMut<'_>> = self.buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            let Ok(count) = state.recv(UdpSockRef::from(&*socket), &mut slices, &mut metas) else { return };
            let now = Instant::now();
            let mut seen = Vec::new();
            for (meta, buffer) in metas.iter().zip(&self.buffers).take(count) {
                for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                    client.receive(meta.addr, *address, datagram, now);
                    client.drain(now, |to, bytes| drop(socket.send_to(bytes, to)), |event| seen.push(event));
                }
            }
            self.take(index, &seen, counts);
        }
    }

    fn drain(&mut self, index: usize, counts: bool) {
        let Joined { client, socket, .. } = &mut self.clients[index];
        let mut seen = Vec::new();
        client.drain(Instant::now(), |to, bytes| drop(socket.send_to(bytes, to)), |event| seen.push(event));
        self.take(index, &seen, counts);
    }

    fn take(&mut self, index: usize, seen: &[LoadEvent], counts: bool) {
        for event in seen {
            match event {
                LoadEvent::Connected => {
                    let client = &mut self.clients[index];
                    client.connected = true;
                    self.joins_ms.push(client.began.elapsed().as_secs_f64() * 1e3);
                }
                LoadEvent::Packet { delay, .. } if counts => self.delays_ms.push(delay.as_secs_f64() * 1e3),
                LoadEvent::Packet { .. } | LoadEvent::KeyframeWanted { .. } => {}
            }
        }
    }
}

/// The server's part as a process of its own, on the first core.
struct Served {
    child: Kept,
    offers: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Served {
    fn start() -> anyhow::Result<Self> {
        let mut command = on_first_core(DESCRIPTORS)?;
        let mut child =
            Kept::start(command.args(["bench", "sfu", "--serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let offers = child.0.stdin.take().context("its input is piped")?;
        let answers = BufReader::new(child.0.stdout.take().context("its output is piped")?);
        Ok(Self { child, offers, answers })
    }

    fn answer(&mut self, offer: &Offer) -> anyhow::Result<String> {
        writeln!(self.offers, "{}", serde_json::to_string(offer)?)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Answer = serde_json::from_str(&line).context("the server ended")?;
        answer.sdp.with_context(|| answer.error.unwrap_or_default())
    }

    fn usage(&self) -> Usage {
        usage(self.child.0.id())
    }
}
