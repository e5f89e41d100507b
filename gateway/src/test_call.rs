//! A call from outside, as `huitong doctor` makes it to a running server: real signalling, real sound, real keys, and in words
//! what of it didn't work.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use media::{RtpPacket, Ssrc};
use sip::{Endpoint, EndpointConfig, Event, Message, Source, Target, Transport, sdp};
use tokio::{
    net::UdpSocket,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};

/// How long the server may take to answer an OPTIONS or a call.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// From the answer to the first of the greeting.
const SOUND_WITHIN: Duration = Duration::from_secs(3);

/// Three wrong meetings and a goodbye: a server that hears the keys is through with it by then, one that doesn't still asks.
const GOODBYE_WITHIN: Duration = Duration::from_secs(25);

/// When each key is pressed after the answer: a language, then three meetings that are none. Between them a question begins.
const KEYS: [(u64, char); 7] =
    [(1_000, '2'), (3_000, '0'), (3_400, '#'), (6_000, '0'), (6_400, '#'), (9_000, '0'), (9_400, '#')];

/// How long a key is held, in packets of 20 ms, and how often its end is told (RFC 4733 §2.5.1.4).
const KEY_PACKETS: u16 = 6;
/// See [`KEY_PACKETS`].
const KEY_ENDS: u16 = 3;

/// A-law's silence, and what of a packet may be it for the packet to be sound.
const SILENCE: u8 = 0xd5;

/// From the answer: whose sound the server has not reported by then it doesn't hear. Its first report comes within four seconds
/// (RFC 3550 §6.2), and it hangs up on who isn't heard after ten.
const REPORTED_WITHIN: Duration = Duration::from_secs(6);

/// Ours.
const SSRC: Ssrc = Ssrc(0xd0c7);

/// PCMA and telephone-event, as numbered in the offer.
const PCMA: u8 = 8;
const TELEPHONE_EVENT: u8 = 101;

/// What went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestCall {
    /// From INVITE to its answer.
    pub answered_ms: u128,
    /// From the answer to the first packet of sound.
    pub heard_ms: u128,
}

/// What didn't, and where to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestCallError {
    /// The machine gave us no socket.
    #[error("no socket could be had: {0}")]
    Socket(String),
    /// Nothing came back.
    #[error("nobody answers at {0} over UDP: is the server running, and does a firewall let SIP through?")]
    NoAnswer(SocketAddr),
    /// It refused.
    #[error("the call was refused with {0}")]
    Refused(u16),
    /// Its answer has nothing we could speak.
    #[error("the server takes no call in G.711, or answers with something else: the codecs don't fit")]
    Codec,
    /// Signalling, but no sound.
    #[error("the call stands, but no sound comes from {0}: its RTP ports are blocked, or media.announced is wrong")]
    Deaf(SocketAddr),
    /// Packets of nothing.
    #[error("packets come from {0}, but they are silent: the greeting doesn't play")]
    Silent(SocketAddr),
    /// One-way sound.
    #[error(
        "the sound is one-way: we hear the server, and it reports nothing of ours: our RTP to {0} doesn't get there"
    )]
    OneWay(SocketAddr),
    /// DTMF.
    #[error(
        "sound goes both ways, but the keys we press are not understood: telephone-event (RFC 4733) to {0} is lost or changed \
         on the way"
    )]
    Keys(SocketAddr),
    /// It hung up early.
    #[error("the server hung up while it still greeted us")]
    HungUp,
}

/// Calls the server that listens at `sip`, listens to its greeting, and keys until it says goodbye.
pub async fn test_call(sip: SocketAddr) -> Result<TestCall, TestCallError> {
    let socket_failed = |error: std::io::Error| TestCallError::Socket(error.to_string());
    let own = own_address(sip).await.map_err(socket_failed)?;
    let signalling = UdpSocket::bind((own, 0)).await.map_err(socket_failed)?;
    let media = UdpSocket::bind((own, 0)).await.map_err(socket_failed)?;
    let local = signalling.local_addr().map_err(socket_failed)?;
    let way = Source { transport: Transport::Udp, peer: sip, local };
    let endpoint = endpoint_at(own);
    let media_address = media.local_addr().map_err(socket_failed)?;
    let mut caller = Caller { endpoint, signalling, media, way, buffer: vec![0; 65_536] };
    caller.run(media_address).await
}

/// One that nobody calls.
pub(crate) fn endpoint_at(own: IpAddr) -> Endpoint {
    Endpoint::new(EndpointConfig {
        announced: vec![own],
        seed: rand::random(),
        realm: String::new(),
        accounts: Vec::new(),
        sha256: false,
        limits: sip::Limits::default(),
    })
}

/// The address we are seen from there.
pub(crate) async fn own_address(towards: SocketAddr) -> std::io::Result<IpAddr> {
    let any: SocketAddr =
        if towards.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    // Asks the routing table; nothing is sent.
    socket.connect(towards).await?;
    Ok(socket.local_addr()?.ip())
}

struct Caller {
    endpoint: Endpoint,
    signalling: UdpSocket,
    media: UdpSocket,
    way: Source,
    buffer: Vec<u8>,
}

impl Caller {
    async fn run(&mut self, media: SocketAddr) -> Result<TestCall, TestCallError> {
        let (sip, begun) = (self.way.peer, Instant::now());
        let from = format!("sip:doctor@{}", self.way.local);
        let target = Target::new(self.way, format!("sip:doctor@{sip}"), from, "doctor");
        let family = if media.is_ipv4() { "IP4" } else { "IP6" };
        let (ip, port) = (media.ip(), media.port());
        let offer = format!(
            "v=0\r\no=doctor 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {PCMA} {TELEPHONE_EVENT}\r\na=rtpmap:{TELEPHONE_EVENT} telephone-event/8000\r\n\
             a=ptime:20\r\na=rtcp-mux\r\na=sendrecv\r\n"
        );
        let call = self.endpoint.call(target, &offer, begun.into_std()).ok_or(TestCallError::NoAnswer(sip))?;
        let answer = loop {
            match timeout_at(begun + ANSWER_WITHIN, self.signal()).await {
                Ok(Event::Answered(_, answer)) => break answer,
                Ok(Event::Refused(_, 415 | 488 | 606)) => return Err(TestCallError::Codec),
                Ok(Event::Refused(_, code)) => return Err(TestCallError::Refused(code)),
                Ok(_) => {}
                Err(_) => return Err(TestCallError::NoAnswer(sip)),
            }
        };
        let answered = Instant::now();
        let agreed = sdp::agree(&answer).map_err(|_| TestCallError::Codec)?;
        if agreed.codec != sdp::Codec::Pcma || agreed.telephone_event != Some(TELEPHONE_EVENT) {
            return Err(TestCallError::Codec);
        }
        let result = self.converse(agreed.remote, answered).await;
        self.endpoint.hang_up(call, Instant::now().into_std());
        self.flush().await;
        let heard_ms = result?.as_millis();
        Ok(TestCall { answered_ms: (answered - begun).as_millis(), heard_ms })
    }

    /// When the first sound came.
    async fn converse(&mut self, remote: SocketAddr, answered: Instant) -> Result<Duration, TestCallError> {
        let mut voice = Voice::new(answered);
        let mut ticks = interval(Duration::from_millis(20));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut first, mut sound, mut is_heard) = (None, 0_u32, false);
        let mut datagram = [0; 2_048];
        loop {
            let over = if first.is_none() { SOUND_WITHIN } else { GOODBYE_WITHIN };
            tokio::select! {
                event = signal(&mut self.endpoint, &self.signalling, self.way, &mut self.buffer) => {
                    if matches!(event, Event::Ended(_)) {
                        let first = first.ok_or(TestCallError::Deaf(remote))?;
                        let is_unheard = !is_heard && answered.elapsed() >= REPORTED_WITHIN;
                        return match (sound, voice.is_through()) {
                            (0, _) => Err(TestCallError::Silent(remote)),
                            _ if is_unheard => Err(TestCallError::OneWay(remote)),
                            (_, false) => Err(TestCallError::HungUp),
                            (_, true) => Ok(first),
                        };
                    }
                }
                _ = ticks.tick() => {
                    // One that doesn't get there is what is being looked for.
                    let _ = self.media.send_to(voice.next(), remote).await;
                }
                Ok((len, _)) = self.media.recv_from(&mut datagram) => {
                    is_heard |= reports_us(&datagram[..len]);
                    let Ok(packet) = RtpPacket::parse(&datagram[..len]) else { continue };
                    if packet.payload_type == PCMA {
                        first.get_or_insert_with(|| answered.elapsed());
                        // A-law's two smallest steps are no sound either.
                        let is_sound = |byte: &&u8| (**byte ^ SILENCE) & 0x7e != 0;
                        let loud = packet.payload.iter().filter(is_sound).count();
                        sound += u32::from(loud * 4 > packet.payload.len());
                    }
                }
                () = sleep_until(answered + over) => {
                    return Err(match (first, sound) {
                        (None, _) => TestCallError::Deaf(remote),
                        (Some(_), 0) => TestCallError::Silent(remote),
                        (Some(_), _) if is_heard => TestCallError::Keys(remote),
                        (Some(_), _) => TestCallError::OneWay(remote),
                    });
                }
            }
        }
    }

    async fn signal(&mut self) -> Event {
        signal(&mut self.endpoint, &self.signalling, self.way, &mut self.buffer).await
    }

    async fn flush(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            // UDP: what is lost is sent again.
            let _ = self.signalling.send_to(&transmit.bytes, transmit.to.peer).await;
        }
    }
}

/// Whether these are reports (RFC 3550 §6.4) with a block about what we send.
fn reports_us(mut compound: &[u8]) -> bool {
    const BLOCK: usize = 24;
    while let [head, kind, high, low, ..] = *compound {
        let len = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        let Some((report, rest)) = compound.split_at_checked(len) else { return false };
        let blocks = match kind {
            200 => report.get(28..),
            201 => report.get(8..),
            202..=223 => None,
            _ => return false,
        };
        let mut blocks = blocks.unwrap_or_default().chunks_exact(BLOCK).take(usize::from(head & 0x1f));
        if blocks.any(|block| block[..4] == SSRC.0.to_be_bytes()) {
            return true;
        }
        compound = rest;
    }
    false
}

/// The next thing that happens in signalling. Nothing is lost where it is given up.
pub(crate) async fn signal(endpoint: &mut Endpoint, socket: &UdpSocket, way: Source, buffer: &mut [u8]) -> Event {
    loop {
        while let Some(transmit) = endpoint.poll_transmit() {
            let _ = socket.try_send_to(&transmit.bytes, transmit.to.peer);
        }
        if let Some(event) = endpoint.poll_event() {
            return event;
        }
        let due = endpoint.poll_timeout().map_or_else(|| Instant::now() + ANSWER_WITHIN, Instant::from_std);
        tokio::select! {
            Ok(len) = socket.recv(buffer) => {
                if let Ok(message) = Message::parse(&buffer[..len]) {
                    endpoint.handle(way, message, Instant::now().into_std());
                }
            }
            () = sleep_until(due) => endpoint.handle_timeout(Instant::now().into_std()),
        }
    }
}

/// What we send: silence, and keys when it is their time.
struct Voice {
    answered: Instant,
    seq: u16,
    timestamp: u32,
    keys: std::vec::IntoIter<(u64, char)>,
    /// The next one, or the one that is pressed with its packets so far and the time it began at.
    next: Option<(u64, char)>,
    pressed: Option<(char, u16, u32)>,
    packet: Vec<u8>,
}

impl Voice {
    fn new(answered: Instant) -> Self {
        let mut keys = Vec::from(KEYS).into_iter();
        let next = keys.next();
        Self { answered, seq: rand::random(), timestamp: rand::random(), keys, next, pressed: None, packet: Vec::new() }
    }

    /// All keys have been pressed.
    fn is_through(&self) -> bool {
        self.next.is_none() && self.pressed.is_none()
    }

    fn next(&mut self) -> &[u8] {
        let at_ms = self.answered.elapsed().as_millis();
        if self.pressed.is_none()
            && let Some((_, key)) = self.next.filter(|(due, _)| at_ms >= u128::from(*due))
        {
            self.pressed = Some((key, 0, self.timestamp));
            self.next = self.keys.next();
        }
        self.packet.clear();
        let (seq, ssrc) = (self.seq, SSRC);
        match &mut self.pressed {
            Some((key, packets, begun)) => {
                *packets += 1;
                let is_over = *packets > KEY_PACKETS;
                let event = "0123456789*#".find(*key).unwrap_or(0) as u8;
                let [high, low] = ((*packets).min(KEY_PACKETS) * 160).to_be_bytes();
                let payload = [event, if is_over { 0x8a } else { 0x0a }, high, low];
                let (payload_type, timestamp, marker) = (TELEPHONE_EVENT, *begun, *packets == 1);
                RtpPacket { payload_type, marker, seq, timestamp, ssrc, payload: &payload }.write(&mut self.packet);
                if *packets >= KEY_PACKETS + KEY_ENDS {
                    self.pressed = None;
                }
            }
            None => {
                let (payload_type, timestamp) = (PCMA, self.timestamp);
                let payload = &[SILENCE; 160];
                RtpPacket { payload_type, marker: false, seq, timestamp, ssrc, payload }.write(&mut self.packet);
            }
        }
        self.seq = self.seq.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        &self.packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each call with this description and says nothing more.
    async fn answering(sound: &'static str) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((len, peer)) = socket.recv_from(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..len]);
                if !text.starts_with("INVITE") {
                    continue;
                }
                let names = ["Via:", "From:", "Call-ID:", "CSeq:"];
                let same = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
                let copied: String = same.map(|line| format!("{line}\r\n")).collect();
                let body = format!("v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{sound}");
                let answer = format!(
                    "SIP/2.0 200 OK\r\n{copied}To: <sip:doctor@x>;tag=a\r\nContact: <sip:{address}>\r\n\
                     Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.send_to(answer.as_bytes(), peer).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn what_does_not_work_is_said() {
        let mute = answering("m=audio 9 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n").await;
        assert_eq!(test_call(mute).await, Err(TestCallError::Deaf("127.0.0.1:9".parse().unwrap())));
        let other = answering("m=audio 9 RTP/AVP 0\r\n").await;
        assert_eq!(test_call(other).await, Err(TestCallError::Codec));
    }

    // RFC 3550 §6.4
    #[test]
    fn a_report_about_us_is_found_among_others() {
        let report = |kind: u8, about: &[u32]| {
            let mut bytes = vec![0x80 | about.len() as u8, kind, 0, 0, 0, 0, 0, 1];
            bytes.extend(vec![0; if kind == 200 { 20 } else { 0 }]);
            for ssrc in about {
                bytes.extend(ssrc.to_be_bytes());
                bytes.extend([0; 20]);
            }
            let words = (bytes.len() / 4 - 1) as u16;
            bytes[2..4].copy_from_slice(&words.to_be_bytes());
            bytes
        };
        assert!(reports_us(&report(201, &[SSRC.0])) && reports_us(&report(200, &[7, SSRC.0])));
        assert!(reports_us(&[report(200, &[]), report(201, &[SSRC.0])].concat()));
        assert!(!reports_us(&report(200, &[])) && !reports_us(&report(201, &[7])));
        let sound = [&[0x80, PCMA, 0, 1, 0, 0, 0, 0, 0, 0, 0xd0, 0xc7][..], &[0xd5; 160]].concat();
        assert!(!reports_us(&sound));
        (0..60).for_each(|len| assert!(!reports_us(&report(201, &[7, SSRC.0])[..len.min(55)])));
    }
}
