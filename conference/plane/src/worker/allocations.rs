//! A worker's tick with telephones asks the system for no memory but for what it tells: what waits for an allocator is late.

use std::net::{Ipv4Addr, UdpSocket};

use leg::{Keying, SrtpKey, SrtpKeys, SrtpSuite};
use media::{AudioCodec, Clip, SAMPLE_RATE, TICK};
use mixer::{
    PlayId,
    bench::{Says, Sounds},
    tones::sine,
};
use tokio::sync::oneshot;

use super::*;
use crate::{MeetingFact, ports};

const MEETING: MeetingId = MeetingId::from_u128(1);

const CODECS: [(AudioCodec, u8); 3] = [(AudioCodec::Opus, 96), (AudioCodec::G722, 9), (AudioCodec::Pcma, 8)];

/// A telephone: the other end of a leg.
struct Phone {
    leg: Leg,
    socket: UdpSocket,
    to: SocketAddr,
    facts: mpsc::Receiver<LegFact>,
    /// Which of the sounds it sends.
    codec: usize,
    heard: usize,
}

/// A worker of which this thread is the thread.
struct World {
    worker: Worker,
    queue: mpsc::Sender<Command>,
    facts: mpsc::Receiver<MeetingFact>,
    phones: Vec<Phone>,
    sounds: [Sounds; 3],
    start: Instant,
}

fn socket() -> UdpSocket {
    ports::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap()
}

/// Half a second of a voice, and as much of silence.
fn voice() -> Vec<f32> {
    let second = SAMPLE_RATE as usize;
    let tones = [140.0, 280.0, 700.0].map(|hz| sine(hz, 0.1, SAMPLE_RATE, second));
    (0..second).map(|n| if n < second / 2 { tones.iter().map(|tone| tone[n]).sum() } else { 0.0 }).collect()
}

impl World {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let here = Ipv4Addr::LOCALHOST.into();
        let sockets = Sockets::bind(SocketAddr::new(here, 0), &[here], poll.registry()).unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).unwrap());
        let alarm = Alarm::new(poll.registry(), ALARM).unwrap();
        let (queue, commands) = mpsc::channel(COMMANDS_MAX);
        let sfu = Sfu::new(SfuConfig { candidates: sockets.candidates() }).unwrap();
        let routes = [(queue.clone(), waker)].into();
        let worker = Worker::new(0, (poll, alarm), sockets, sfu, commands, routes);
        let care = LineCare { denoise: true, mute_music: true, echo_guard: true };
        let (told, facts) = mpsc::channel(1_000);
        queue.try_send(Command::OpenMeeting { id: MEETING, facts: told }).unwrap();
        let sounds = CODECS.map(|(codec, _)| Sounds::new(codec, &voice()).unwrap());
        let start = Instant::now();
        Self { worker: Worker { care, ..worker }, queue, facts, phones: Vec::new(), sounds, start }
    }

    /// Somebody calls, and is in the meeting or hears music.
    fn call(&mut self, codec: usize, encrypted: bool, sits: bool) {
        let number = self.phones.len() as u64 + 1;
        let (socket, rtp, rtcp) = (socket(), socket(), socket());
        let (from, to) = (socket.local_addr().unwrap(), rtp.local_addr().unwrap());
        let keys = [SrtpKey([1; 30]), SrtpKey([2; 30])];
        let config = |remote, [ours, theirs]: [SrtpKey; 2]| {
            let keys = Keying::Sdes(SrtpKeys::new(SrtpSuite::AesCm128HmacSha1Tag80, ours, theirs));
            let (codec, payload_type) = CODECS[codec];
            LegConfig { srtp: encrypted.then_some(keys), rtcp_mux: true, ..LegConfig::new(codec, payload_type, remote) }
        };
        let leg = Leg::new(config(to, keys), Ssrc(number as u32), self.start);
        let address = Arc::new(LegAddress::new(LegId(number), 0));
        let (told, facts) = mpsc::channel(100);
        let sockets = RtpSockets { port: to.port(), rtp, rtcp };
        self.tell(Command::OpenLeg { address: Arc::clone(&address), sockets, facts: told });
        let leg_command = |command| Command::Leg { address: Arc::clone(&address), command };
        let settings = Box::new(config(from, [keys[1], keys[0]]));
        self.tell(leg_command(LegCommand::Begin { settings, at: self.start }));
        let (reply, _) = oneshot::channel();
        let participant = ParticipantId::from_u128(number.into());
        self.tell(leg_command(if sits {
            LegCommand::Seat(SeatLeg { worker: 0, meeting: MEETING, participant, reply })
        } else {
            LegCommand::Play { id: PlayId(1), clip: Clip::new(voice()), looping: true }
        }));
        self.phones.push(Phone { leg, socket, to, facts, codec, heard: 0 });
    }

    fn tell(&mut self, command: Command) {
        assert!(self.queue.try_send(command).is_ok());
        assert!(self.worker.take_commands(self.start).is_continue());
    }

    /// One tick; how often it asked for memory, and whether it told anybody anything.
    fn tick(&mut self, number: usize) -> (u64, bool) {
        let now = self.start + TICK * (number as u32 + 1);
        let people = self.phones.len();
        let mut out = Vec::new();
        for (index, phone) in self.phones.iter_mut().enumerate() {
            let speaks = (index + number / 100) % people < people / 2;
            let payload =
                self.sounds[phone.codec].payload(if speaks { Says::Speech } else { Says::Nothing }, index, number);
            phone.leg.pull(now);
            out.clear();
            phone.leg.send(payload, &mut out);
            phone.socket.send_to(&out, phone.to).unwrap();
            out.clear();
            if phone.leg.poll_rtcp(now, &mut out).is_some() {
                phone.socket.send_to(&out, phone.to).unwrap();
            }
        }
        let worker = &mut self.worker;
        let asked = allocation_counter::measure(|| {
            while let Some(turn) = worker.phases.take(now) {
                worker.tick(&turn, now);
            }
        });
        let mut told = std::iter::from_fn(|| self.facts.try_recv().ok()).count();
        for phone in &mut self.phones {
            told += std::iter::from_fn(|| phone.facts.try_recv().ok()).count();
            let mut datagram = [0; 2_048];
            while let Ok((len, from)) = phone.socket.recv_from(&mut datagram) {
                let before = phone.leg.stats().received;
                phone.leg.handle_rtp(from, &mut datagram[..len], now);
                phone.heard += usize::from(phone.leg.stats().received > before);
            }
        }
        (asked.count_total, told > 0)
    }
}

#[test]
fn a_tick_asks_for_no_memory_but_for_what_it_tells() {
    let mut world = World::new();
    for codec in 0..CODECS.len() {
        for (encrypted, sits) in [(false, true), (true, true), (false, false)] {
            world.call(codec, encrypted, sits);
        }
    }
    // Until everybody has spoken.
    (0..1_200).for_each(|number| _ = world.tick(number));
    world.phones.iter_mut().for_each(|phone| phone.heard = 0);
    let ticks: Vec<_> = (1_200..2_400).map(|number| world.tick(number)).collect();
    let silent = ticks.iter().filter(|(_, told)| !told);
    let asked: Vec<_> = silent.clone().map(|(asked, _)| *asked).filter(|asked| *asked > 0).collect();
    assert!(silent.count() > 1_000, "hardly anything happens");
    assert!(asked.is_empty(), "in {} ticks: {asked:?}", asked.len());
    for phone in &world.phones {
        assert!(phone.heard >= 1_199, "{:?} hears {}", CODECS[phone.codec], phone.heard);
    }
}
