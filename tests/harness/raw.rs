//! A telephone that is two sockets and says exactly what a test wants said, where no real one would.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// See RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);

/// 64·T1 (§17.1.1.2).
const GIVE_UP: Duration = Duration::from_secs(32);

/// Calls that were made, all with names of their own.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// One telephone, with at most one call.
pub struct RawPhone {
    /// Where its SIP comes from.
    pub sip: UdpSocket,
    /// And its sound.
    pub rtp: UdpSocket,
    server: SocketAddr,
    call_id: String,
    caller: Vec<u8>,
    dialled: String,
    cseq: u32,
    sent: Vec<u8>,
}

/// A final answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// 200 to 699.
    pub code: u16,
    /// All of it.
    pub text: String,
}

impl Reply {
    /// The first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines().take_while(|line| !line.is_empty());
        lines
            .find_map(|line| line.split_once(':').filter(|(own, _)| own.eq_ignore_ascii_case(name)))
            .map(|(_, v)| v.trim())
    }

    /// Where the server wants sound.
    pub fn media(&self) -> Result<SocketAddr> {
        let line = |start: &str| self.text.lines().find_map(|line| line.strip_prefix(start)?.split(' ').next());
        let ip: IpAddr = line("c=IN IP4 ").or_else(|| line("c=IN IP6 ")).context("an address")?.parse()?;
        Ok(SocketAddr::new(ip, line("m=audio ").context("a port")?.parse()?))
    }
}

impl RawPhone {
    /// At this address of the loopback.
    pub fn new(server: SocketAddr, host: impl Into<IpAddr>) -> Result<Self> {
        let host = host.into();
        let (sip, rtp) = (UdpSocket::bind((host, 0))?, UdpSocket::bind((host, 0))?);
        sip.set_read_timeout(Some(PATIENCE))?;
        rtp.set_read_timeout(Some(PATIENCE))?;
        // Ports come again sooner than a server forgets a call.
        let call_id = format!("{}.{}@{host}", sip.local_addr()?.port(), CALLS.fetch_add(1, Ordering::Relaxed));
        let caller = format!("<sip:13800000009@{}>", sip.local_addr()?).into_bytes();
        Ok(Self { sip, rtp, server, call_id, caller, dialled: String::new(), cseq: 0, sent: Vec::new() })
    }

    /// Who it says it is: the value of From without its tag, byte for byte.
    pub fn call_itself(&mut self, caller: &[u8]) {
        caller.clone_into(&mut self.caller);
    }

    /// What it would offer or answer: G.711.
    pub fn description(&self) -> Result<String> {
        let rtp = self.rtp.local_addr()?;
        let ip = rtp.ip();
        let (port, family) = (rtp.port(), if ip.is_ipv4() { "IP4" } else { "IP6" });
        Ok(format!(
            "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
        ))
    }

    /// Sends a request of this call's.
    pub fn send(&mut self, method: &str, to_tag: &str, fields: &str, body: &str) -> Result<()> {
        if method != "ACK" && method != "CANCEL" {
            self.cseq += 1;
        }
        let (local, cseq, call_id) = (self.sip.local_addr()?, self.cseq, &self.call_id);
        let is_sdp = !body.is_empty() && !fields.contains("Content-Type:");
        let kind = if is_sdp { "Content-Type: application/sdp\r\n" } else { "" };
        let before = format!(
            "{method} sip:{0}@{1} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{call_id}{cseq}{2};rport\r\nMax-Forwards: 70\r\n\
             From: ",
            self.dialled,
            self.server,
            if method == "ACK" { "ack" } else { "" },
        );
        let behind = format!(
            ";tag=raw\r\nTo: <sip:{0}@{1}>{to_tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:raw@{local}>\r\n{fields}{kind}Content-Length: {2}\r\n\r\n{body}",
            self.dialled,
            self.server,
            body.len()
        );
        self.sent = [before.as_bytes(), &self.caller, behind.as_bytes()].concat();
        self.sip.send_to(&self.sent, self.server)?;
        Ok(())
    }

    /// The next final answer; the request is sent again until it comes, as UDP asks for (RFC 3261 §17.1).
    pub fn answer(&self) -> Result<Reply> {
        let mut buffer = [0; 8192];
        let (begun, mut wait) = (Instant::now(), T1);
        loop {
            self.sip.set_read_timeout(Some(wait))?;
            let received = self.sip.recv_from(&mut buffer);
            self.sip.set_read_timeout(Some(PATIENCE))?;
            let len = match received {
                Ok((len, _)) => len,
                Err(_) if begun.elapsed() < GIVE_UP => {
                    self.sip.send_to(&self.sent, self.server)?;
                    wait *= 2;
                    continue;
                }
                Err(error) => return Err(error).context("no answer"),
            };
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let code = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
            if let Some(code) = code.filter(|code| *code >= 200) {
                return Ok(Reply { code, text });
            }
        }
    }

    /// Calls; the answer is acknowledged, with this body.
    pub fn call(&mut self, number: &str, offer: &str, ack: &str) -> Result<Reply> {
        self.call_with(number, "", offer, ack)
    }

    /// The same with more fields.
    pub fn call_with(&mut self, number: &str, fields: &str, offer: &str, ack: &str) -> Result<Reply> {
        let reply = self.invite(number, fields, offer, ack)?;
        if reply.code != 200 {
            bail!("refused: {}", reply.text);
        }
        Ok(reply)
    }

    /// The same, whatever the answer is.
    pub fn invite(&mut self, number: &str, fields: &str, offer: &str, ack: &str) -> Result<Reply> {
        number.clone_into(&mut self.dialled);
        self.send("INVITE", "", fields, offer)?;
        let reply = self.answer()?;
        self.acknowledge(&reply, ack)?;
        Ok(reply)
    }

    /// ACK.
    pub fn acknowledge(&mut self, reply: &Reply, body: &str) -> Result<()> {
        let tag = tag(reply);
        self.send("ACK", &tag, "", body)
    }

    /// Keys by INFO.
    pub fn press(&mut self, to_tag: &str, keys: &str) -> Result<()> {
        for key in keys.chars() {
            self.send("INFO", to_tag, "Content-Type: application/dtmf-relay\r\n", &format!("Signal={key}\r\n"))?;
            let reply = self.answer()?;
            if reply.code != 200 {
                bail!("{key} is refused: {}", reply.text);
            }
        }
        Ok(())
    }

    /// The field of who takes this call over (RFC 3891).
    #[must_use]
    pub fn replaces(&self, reply: &Reply) -> String {
        format!("Replaces: {};from-tag=raw;to-{}\r\n", self.call_id, tag(reply).trim_start_matches(';'))
    }

    /// Waits for a request of the server's, whose text has these words; all are answered.
    pub fn take(&self, words: &str) -> Result<String> {
        let mut buffer = [0; 8192];
        let begun = Instant::now();
        while begun.elapsed() < GIVE_UP {
            let Ok((len, peer)) = self.sip.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with("SIP/2.0") {
                continue;
            }
            let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let same = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
            let same: String = same.map(|line| format!("{line}\r\n")).collect();
            self.sip.send_to(format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n").as_bytes(), peer)?;
            if text.contains(words) {
                return Ok(text);
            }
        }
        bail!("the server never says {words:?}")
    }

    /// Sends one packet of silence and takes one: as fast as the server's own clock, so that a call goes on for as long as this is
    /// called. Number and payload of what came.
    pub fn exchange(&self, to: SocketAddr, number: u16) -> Result<(u16, Vec<u8>)> {
        self.exchange_with(to, &silence(number))
    }

    /// The same with a packet that is none of silence.
    pub fn exchange_with(&self, to: SocketAddr, packet: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.rtp.send_to(packet, to)?;
        let mut buffer = [0; 2048];
        let (len, _) = self.rtp.recv_from(&mut buffer).context("no sound")?;
        let seq = u16::from_be_bytes([buffer[2], buffer[3]]);
        Ok((seq, buffer[12..len].to_vec()))
    }
}

/// One packet of PCMA in which nothing is said.
#[must_use]
pub fn silence(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(9_u32.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

/// The To tag of an answer, as a request has it.
#[must_use]
pub fn tag(reply: &Reply) -> String {
    reply.field("To").and_then(|to| to.split_once(";tag=")).map_or_else(String::new, |(_, tag)| format!(";tag={tag}"))
}
