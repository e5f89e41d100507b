//! How carriers are found and kept: by a name server's records, server by server, over connections that are asked whether they live.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::json;
use tests::{Baresip, Codec, Kamailio, Kind, NameServer, Server};

use crate::dial_out::{becomes, dial, host, overloaded};

const TTL_S: u32 = 300;

fn found_by(names: &NameServer, trunk: &str) -> Result<Server> {
    let trunks = format!(
        r#"[{{name="carrier",address="carrier.test",user="1000",password="secret",caller="+861055550000",prefixes=["+86"]{trunk}}}]"#
    );
    Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &trunks),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_SIP__NAME_SERVERS", &names.setting()),
    ])
}

/// A carrier that is one socket and says exactly what a test wants said.
pub(crate) struct RawCarrier {
    socket: UdpSocket,
    server: SocketAddr,
    /// What its Contact says.
    contact: SocketAddr,
}

impl RawCarrier {
    /// And a server that calls all of +86 by it, with more in its trunk.
    pub(crate) fn start(more: &str) -> Result<(Self, Server)> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        let address = socket.local_addr()?;
        let trunk = format!(r#"[{{name="carrier",address="{address}",caller="1",prefixes=["+86"]{more}}}]"#);
        let server = Server::start_with(&[("HUITONG_SIP__TRUNKS", &trunk), ("HUITONG_SIP__COUNTRY", r#""86""#)])?;
        let carrier = Self { socket, server: server.sip, contact: address };
        carrier.take("OPTIONS ")?;
        Ok((carrier, server))
    }

    /// The next message of the server's that begins so; whoever asks whether this carrier is there is answered.
    pub(crate) fn take(&self, begins: &str) -> Result<String> {
        let mut buffer = [0; 8_192];
        loop {
            let (len, _) = self.socket.recv_from(&mut buffer).with_context(|| format!("no {begins}"))?;
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with("OPTIONS ") {
                self.answer(&text, "200 OK", "", "")?;
            }
            if text.starts_with(begins) {
                return Ok(text);
            }
        }
    }

    /// What it would offer or answer: G.711 at this socket.
    pub(crate) fn description(&self, sound: &UdpSocket, version: u32) -> Result<String> {
        let port = sound.local_addr()?.port();
        Ok(format!(
            "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
        ))
    }

    /// With whole lines of fields.
    pub(crate) fn answer(&self, request: &str, status: &str, fields: &str, body: &str) -> Result<()> {
        let names = ["Via:", "From:", "Call-ID:", "CSeq:"];
        let same = request.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
        let same: String = same.map(|line| format!("{line}\r\n")).collect();
        let to = field(request, "To")?;
        let tag = if to.contains(";tag=") { "" } else { ";tag=carrier" };
        let rest = self.rest(fields, body)?;
        self.socket.send_to(format!("SIP/2.0 {status}\r\n{same}To: {to}{tag}\r\n{rest}").as_bytes(), self.server)?;
        Ok(())
    }

    /// A request within the call that this INVITE began, and its final answer, acknowledged.
    pub(crate) fn ask(&self, invite: &str, method: &str, cseq: u32, body: &str) -> Result<String> {
        self.send(invite, method, cseq, body)?;
        loop {
            let said = self.take("SIP/2.0 ")?;
            if !said.starts_with("SIP/2.0 1") && field(&said, "CSeq")? == format!("{cseq} {method}") {
                if method == "INVITE" {
                    self.send(invite, "ACK", cseq, "")?;
                }
                return Ok(said);
            }
        }
    }

    fn send(&self, invite: &str, method: &str, cseq: u32, body: &str) -> Result<()> {
        let own = self.socket.local_addr()?;
        let contact = field(invite, "Contact")?.split(['<', '>']).nth(1).context("an address")?;
        let (from, to, call_id) = (field(invite, "To")?, field(invite, "From")?, field(invite, "Call-ID")?);
        let rest = self.rest("", body)?;
        let text = format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{cseq}{method}{call_id}\r\nMax-Forwards: 70\r\n\
             From: {from};tag=carrier\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{rest}"
        );
        self.socket.send_to(text.as_bytes(), self.server)?;
        Ok(())
    }

    fn rest(&self, fields: &str, body: &str) -> Result<String> {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let contact = self.contact;
        Ok(format!("Contact: <sip:c@{contact}>\r\n{fields}{kind}Content-Length: {}\r\n\r\n{body}", body.len()))
    }
}

fn field<'a>(message: &'a str, name: &str) -> Result<&'a str> {
    let found = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.with_context(|| format!("no {name} in {message}"))
}

// product: P7, P11; RFC 3311 §5.1, RFC 3262 §5
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_moves_the_sound_while_it_rings_has_it_where_it_said_last() -> Result<()> {
    let (carrier, server) = RawCarrier::start("")?;
    let (first, last) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    last.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut host = host(&server).await?;
    let id = dial(&mut host, "13812345678").await?;
    let invite = carrier.take("INVITE ")?;
    let reliable = "Require: 100rel\r\nRSeq: 1\r\n";
    carrier.answer(&invite, "183 Session Progress", reliable, &carrier.description(&first, 1)?)?;
    let acknowledged = carrier.take("PRACK ")?;
    carrier.answer(&acknowledged, "200 OK", "", "")?;
    let said = carrier.ask(&invite, "UPDATE", 1, &carrier.description(&last, 2)?)?;
    assert!(said.starts_with("SIP/2.0 200") && said.contains("m=audio "), "{said}");
    carrier.answer(&invite, "200 OK", "", "")?;
    carrier.take("ACK ")?;
    becomes(&mut host, &id, "answered").await?;
    let (len, _) = last.recv_from(&mut [0; 2_048]).context("no sound where it was wanted last")?;
    assert!(len > 12);
    first.set_nonblocking(true)?;
    assert!(first.recv_from(&mut [0; 2_048]).is_err(), "sound where it was wanted before");
    Ok(())
}

// product: P7, P11; RFC 3261 §12.2.1.1, §13.2.2.4
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_whose_balancer_leaves_the_call_hears_the_rest_where_its_contact_says() -> Result<()> {
    let (mut balancer, server) = RawCarrier::start("")?;
    let (gateway, sound) = (UdpSocket::bind("127.0.0.2:0")?, UdpSocket::bind("127.0.0.1:0")?);
    gateway.set_read_timeout(Some(Duration::from_secs(10)))?;
    let told = |begins: &str| -> Result<()> {
        let mut buffer = [0; 4_096];
        let (len, _) = gateway.recv_from(&mut buffer).with_context(|| format!("its gateway hears no {begins}"))?;
        let text = String::from_utf8_lossy(&buffer[..len]);
        anyhow::ensure!(text.starts_with(begins), "{text}");
        Ok(())
    };
    let mut host = host(&server).await?;
    balancer.contact = gateway.local_addr()?;
    let id = dial(&mut host, "13812345678").await?;
    let invite = balancer.take("INVITE ")?;
    balancer.answer(&invite, "200 OK", "", &balancer.description(&sound, 1)?)?;
    told(&format!("ACK sip:c@{} ", balancer.contact))?;
    becomes(&mut host, &id, "answered").await?;
    host.command(json!({"type": "stop_dial", "dial": id})).await?;
    told("BYE ")?;
    // One behind a NAT means himself by an address nobody else gets to.
    balancer.contact = "192.168.1.7:5060".parse()?;
    let id = dial(&mut host, "13812345678").await?;
    let invite = balancer.take("INVITE ")?;
    balancer.answer(&invite, "200 OK", "", &balancer.description(&sound, 1)?)?;
    balancer.take("ACK sip:c@192.168.1.7:5060 ")?;
    becomes(&mut host, &id, "answered").await?;
    Ok(())
}

// product: P7, P11; RFC 3263 §4.1, §4.2, §4.3
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_is_found_by_its_records_and_its_next_server_is_asked() -> Result<()> {
    let (carrier, names) = (Kamailio::start("SHA-256")?, NameServer::start()?);
    // It would rather be spoken to by TCP. Nobody listens at the first of its servers.
    names.naptr("carrier.test", TTL_S, 20, "SIP+D2U", "_sip._udp.carrier.test");
    names.naptr("carrier.test", TTL_S, 10, "SIP+D2T", "_sip._tcp.carrier.test");
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    names.srv("_sip._tcp.carrier.test", TTL_S, 10, 5, closed.port(), "one.carrier.test");
    names.srv("_sip._tcp.carrier.test", TTL_S, 20, 5, carrier.address.port(), "two.carrier.test");
    names.a("one.carrier.test", TTL_S, Ipv4Addr::LOCALHOST);
    names.a("two.carrier.test", TTL_S, Ipv4Addr::LOCALHOST);
    let begun = Instant::now();
    let server = found_by(&names, ",register=true")?;
    server.wait_for_log("trunk is up")?;
    assert!(begun.elapsed() < Duration::from_secs(30), "a connection that is refused is not waited for");
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut host = host(&server).await?;
    let id = dial(&mut host, "138 1234 5678").await?;
    phone.take_call()?;
    becomes(&mut host, &id, "answered").await?;
    // What records say is kept for as long as they say: registration and call asked once.
    assert_eq!(names.asked("carrier.test", Kind::Naptr), 1);
    assert_eq!(names.asked("_sip._tcp.carrier.test", Kind::Srv), 1);
    assert_eq!(names.asked("_sip._udp.carrier.test", Kind::Srv), 1);
    Ok(())
}

// product: P7, P11; RFC 3263 §4.3
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_room_or_says_nothing_is_passed_over_for_the_next() -> Result<()> {
    let (carrier, names) = (Kamailio::start("MD5")?, NameServer::start()?);
    for (priority, port) in [(1, overloaded(true)?.port()), (2, overloaded(false)?.port()), (3, carrier.address.port())]
    {
        names.srv("_sip._udp.carrier.test", 1, priority, 0, port, "host.carrier.test");
    }
    names.a("host.carrier.test", 1, Ipv4Addr::LOCALHOST);
    let server = found_by(&names, ",transport=\"udp\"")?;
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut host = host(&server).await?;
    let begun = Instant::now();
    let id = dial(&mut host, "138 1234 5678").await?;
    phone.refuse_call()?;
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(12), "{took:?}");
    becomes(&mut host, &id, "busy").await?;
    assert_eq!(server.log().matches("the server took no call").count(), 2, "{}", server.log());

    // Those that failed are tried last for a while.
    let begun = Instant::now();
    let id = dial(&mut host, "138 1234 5678").await?;
    phone.refuse_call()?;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    becomes(&mut host, &id, "busy").await?;

    // The carrier moves, and its records with it.
    let moved = UdpSocket::bind("127.0.0.1:0")?;
    moved.set_read_timeout(Some(Duration::from_secs(2)))?;
    names.forget("_sip._udp.carrier.test", Kind::Srv);
    names.srv("_sip._udp.carrier.test", 1, 1, 0, moved.local_addr()?.port(), "host.carrier.test");
    let mut buffer = [0; 4096];
    for _ in 0..5 {
        dial(&mut host, "138 1234 5678").await?;
        if let Ok((len, _)) = moved.recv_from(&mut buffer) {
            assert!(buffer[..len].starts_with(b"INVITE sip:+8613812345678@carrier.test"));
            return Ok(());
        }
        // Answered by the old one, while the old records stand.
        phone.refuse_call()?;
    }
    anyhow::bail!("no call comes to where the carrier has moved")
}

// product: P7; RFC 3261 §21.5.4
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_without_room_is_asked_nothing_until_it_has_some() -> Result<()> {
    let (carrier, server) = RawCarrier::start("")?;
    let mut host = host(&server).await?;
    let id = dial(&mut host, "13812345678").await?;
    let invite = carrier.take("INVITE ")?;
    carrier.answer(&invite, "503 Service Unavailable", "Retry-After: 8\r\n", "")?;
    let full = Instant::now();
    becomes(&mut host, &id, "failed").await?;
    let id = dial(&mut host, "13812345678").await?;
    becomes(&mut host, &id, "failed").await?;
    let begins = loop {
        let next = carrier.take("")?;
        if !next.starts_with("ACK ") {
            break next;
        }
    };
    assert!(begins.starts_with("OPTIONS ") && full.elapsed() >= Duration::from_secs(7), "{begins}");
    // Found again by that, it is called again.
    let id = dial(&mut host, "13812345678").await?;
    let invite = carrier.take("INVITE ")?;
    carrier.answer(&invite, "486 Busy Here", "", "")?;
    becomes(&mut host, &id, "busy").await?;
    Ok(())
}

/// The answer to a request, as whoever has it in hand gives it.
fn refused(request: &str, status: &str) -> String {
    let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let same = request.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    let same: String = same.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 {status}\r\n{same}Content-Length: 0\r\n\r\n")
}

/// One port by UDP and TCP. By UDP it is there, and nobody can be called; the calls it refused.
fn both_ways() -> Result<(TcpListener, mpsc::Receiver<String>)> {
    let (listener, socket) = loop {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        if let Ok(socket) = UdpSocket::bind(listener.local_addr()?) {
            break (listener, socket);
        }
    };
    let (told, calls) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let is_call = text.starts_with("INVITE ");
            if !text.starts_with("ACK ") {
                let status = if is_call { "486 Busy Here" } else { "200 OK" };
                // The story may be over.
                let _ = socket.send_to(refused(&text, status).as_bytes(), peer);
            }
            if is_call && told.send(text).is_err() {
                return;
            }
        }
    });
    Ok((listener, calls))
}

// product: P11; RFC 3261 §18.1.1
#[tokio::test(flavor = "multi_thread")]
async fn a_large_call_goes_by_tcp_and_in_pieces_where_the_carrier_takes_no_connection() -> Result<()> {
    let (listener, by_udp) = both_ways()?;
    let (domain, caller) = ("d".repeat(120), "1".repeat(120));
    let trunks = format!(
        r#"[{{name="carrier",address="{}",domain="{domain}",caller="{caller}",prefixes=["+86"]}}]"#,
        listener.local_addr()?
    );
    let server = Server::start_with(&[("HUITONG_SIP__TRUNKS", &trunks), ("HUITONG_SIP__COUNTRY", r#""86""#)])?;
    server.wait_for_log("trunk is up")?;
    let mut host = host(&server).await?;
    let id = dial(&mut host, "138 1234 5678").await?;
    let (mut stream, _) = listener.accept()?;
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    while !text.contains("m=audio") {
        let len = stream.read(&mut buffer)?;
        text += &String::from_utf8_lossy(&buffer[..len]);
    }
    assert!(text.starts_with("INVITE ") && text.contains("\r\nVia: SIP/2.0/TCP ") && text.len() > 1_300, "{text}");
    stream.write_all(refused(&text, "486 Busy Here").as_bytes())?;
    becomes(&mut host, &id, "busy").await?;
    // It takes no more connections.
    drop((stream, listener));
    let id = dial(&mut host, "138 1234 5678").await?;
    becomes(&mut host, &id, "busy").await?;
    let text = by_udp.recv_timeout(Duration::from_secs(10))?;
    assert!(text.contains("\r\nVia: SIP/2.0/UDP ") && text.len() > 1_300, "{text}");
    Ok(())
}

// product: P11; RFC 5626 §3.5.1, §3.5.2
#[test]
fn whoever_asks_whether_the_server_is_there_is_answered() -> Result<()> {
    let server = Server::start()?;
    // By STUN over UDP: where he is seen, from the first words of the cookie on hidden from meddling NATs.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let question = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"twelve bytes"].concat();
    socket.send_to(&question, server.sip)?;
    let mut answer = [0; 100];
    let len = socket.recv(&mut answer)?;
    let [high, low] = socket.local_addr()?.port().to_be_bytes();
    assert_eq!(answer[..4], [1, 1, 0, 12]);
    assert_eq!(answer[4..20], question[4..]);
    assert_eq!(answer[20..len], [0, 0x20, 0, 8, 0, 1, high ^ 0x21, low ^ 0x12, 127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42]);

    let mut plain = TcpStream::connect(server.sip)?;
    plain.set_read_timeout(Some(Duration::from_secs(10)))?;
    asks(&mut plain).context("TCP")?;

    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(server.certificate())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let stream = TcpStream::connect(server.sips)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let session = rustls::ClientConnection::new(config, "localhost".try_into()?)?;
    asks(&mut rustls::StreamOwned::new(session, stream)).context("TLS")
}

fn asks(stream: &mut (impl Read + Write)) -> Result<()> {
    let mut pong = [0; 2];
    // Whole, in halves, and twice at once.
    for parts in [&[&b"\r\n\r\n"[..]][..], &[b"\r\n", b"\r\n"], &[b"\r", b"\n\r", b"\n\r\n\r\n"]] {
        for part in parts {
            stream.write_all(part)?;
            stream.flush()?;
        }
        stream.read_exact(&mut pong)?;
        assert_eq!(&pong, b"\r\n");
    }
    stream.read_exact(&mut pong).context("the second of two")?;
    // One line end asks nothing: the next thing said is the answer to a request.
    let options = "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa;rport\r\nFrom: <sip:1@x>;tag=a\r\nTo: <sip:2@x>\r\n\
         Call-ID: asks\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(b"\r\n")?;
    stream.write_all(options.as_bytes())?;
    let mut start = [0; 11];
    stream.read_exact(&mut start)?;
    assert_eq!(&start, b"SIP/2.0 200");
    Ok(())
}
