//! Calls of ours that are sent elsewhere (RFC 3261 §21.3): within a carrier, and by a telephone that forwards.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use sip::{Credentials, Endpoint, EndpointConfig, Event, Limits, Message, Question, Source, Target, Transport};
use tests::{Baresip, Codec, Kamailio, NameServer, Server};

use crate::dial_out::{becomes, dial, host, trunk};

/// Where calls go on to, as a Contact has it.
type Elsewhere = Arc<Mutex<String>>;

fn say(elsewhere: &Elsewhere, contact: &str) {
    contact.clone_into(&mut elsewhere.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Answers all calls by sending them there, and whatever else by 200.
fn sends_elsewhere(socket: UdpSocket, elsewhere: &Elsewhere) {
    let elsewhere = Arc::clone(elsewhere);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        loop {
            // Whoever asked may be gone.
            let Ok((len, peer)) = socket.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let same = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
            let same: String = same.map(|line| format!("{line}\r\n")).collect();
            let contact = elsewhere.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let answer = if text.starts_with("INVITE ") {
                format!("SIP/2.0 302 Moved Temporarily\r\n{same}Contact: {contact}\r\nContent-Length: 0\r\n\r\n")
            } else {
                format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n")
            };
            if !text.starts_with("ACK ") && !text.starts_with("SIP/2.0 ") {
                let _ = socket.send_to(answer.as_bytes(), peer);
            }
        }
    });
}

/// The telephone 8001 of the house, which says that it is at this address.
fn registered(server: SocketAddr, says: Ipv4Addr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let local = (says, socket.local_addr()?.port()).into();
    let way = Source { transport: Transport::Udp, peer: server, local };
    let mut endpoint = Endpoint::new(EndpointConfig {
        announced: vec![says.into()],
        seed: 1,
        realm: String::new(),
        accounts: Vec::new(),
        sha256: false,
        limits: Limits::default(),
    });
    let own = "sip:8001@house";
    let credentials = Some(Credentials { user: "8001".to_owned(), password: "long-enough".to_owned() });
    let target = Target { credentials, to: own.to_owned(), ..Target::new(way, "sip:house", own, "8001") };
    endpoint.ask(target, Question::Register { expires: 600 }, Instant::now());
    let mut buffer = [0; 4_096];
    loop {
        while let Some(transmit) = endpoint.poll_transmit() {
            socket.send_to(&transmit.bytes, transmit.to.peer)?;
        }
        if let Some(Event::Responded(_, answer)) = endpoint.poll_event() {
            anyhow::ensure!(answer.code == 200, "not registered: {}", answer.code);
            return Ok(socket);
        }
        let (len, _) = socket.recv_from(&mut buffer).context("no answer to REGISTER")?;
        endpoint.handle(way, Message::parse(&buffer[..len]).map_err(anyhow::Error::msg)?, Instant::now());
    }
}

/// The same, all of whose calls are forwarded.
fn forwarding(server: SocketAddr, elsewhere: &Elsewhere) -> Result<()> {
    let socket = registered(server, Ipv4Addr::LOCALHOST)?;
    socket.set_read_timeout(None)?;
    sends_elsewhere(socket, elsewhere);
    Ok(())
}

// product: P11, P12; RFC 5626 §4.4
#[test]
fn the_way_to_a_telephone_behind_a_nat_is_kept_open() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#)])?;
    let socket = registered(server.sip, Ipv4Addr::new(192, 168, 1, 7))?;
    // A NAT forgets after half a minute.
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut buffer = [0; 4_096];
    let (len, from) = socket.recv_from(&mut buffer).context("nothing keeps it open")?;
    let text = String::from_utf8_lossy(&buffer[..len]);
    assert!(text.starts_with("OPTIONS sip:8001@192.168.1.7") && from == server.sip, "{text}");
    Ok(())
}

// product: P12, P8; RFC 3261 §21.3.3; reliability: A12
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_forwards_is_followed_to_numbers_that_may_be_called() -> Result<()> {
    let carrier = Kamailio::start("MD5")?;
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{}]", trunk(&carrier, ""))),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_SIP__ACCOUNTS", r#"[{user="8001",password="long-enough"}]"#),
        ("HUITONG_SIP__CALLING", "{calls_max=1,same_number_per_hour=1}"),
    ])?;
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let elsewhere = Elsewhere::default();
    forwarding(server.sip, &elsewhere)?;
    let mut host = host(&server).await?;

    say(&elsewhere, "<sip:13812345678@house;user=phone>");
    let id = dial(&mut host, "8001").await?;
    phone.take_call()?;
    phone.wait_for_sound()?;
    phone.press("1")?;
    becomes(&mut host, &id, "joined").await?;
    phone.hang_up()?;

    // Within the site's limits: that number once an hour; within its prefixes; and not in a circle.
    for to in ["<sip:13812345678@house>", "<tel:+442079460000>", "<sip:8001@house>"] {
        say(&elsewhere, to);
        let id = dial(&mut host, "8001").await?;
        becomes(&mut host, &id, "failed").await.with_context(|| to.to_owned())?;
    }
    Ok(())
}

// product: P7; RFC 3261 §8.1.3.4; reliability: A12
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_sends_a_call_on_is_followed_to_its_own_servers_alone() -> Result<()> {
    let (carrier, names) = (Kamailio::start("MD5")?, NameServer::start()?);
    let first = UdpSocket::bind("127.0.0.1:0")?;
    for (priority, port) in [(1, first.local_addr()?.port()), (2, carrier.address.port())] {
        names.srv("_sip._udp.carrier.test", 300, priority, 0, port, "host.carrier.test");
    }
    names.a("host.carrier.test", 300, Ipv4Addr::LOCALHOST);
    let elsewhere = Elsewhere::default();
    sends_elsewhere(first, &elsewhere);
    let stranger = UdpSocket::bind("127.0.0.1:0")?;
    stranger.set_nonblocking(true)?;
    let trunk = r#"{name="carrier",address="carrier.test",transport="udp",user="1000",password="secret",caller="+861055550000",prefixes=["+86"]}"#;
    let server = Server::start_with(&[
        ("HUITONG_SIP__TRUNKS", &format!("[{trunk}]")),
        ("HUITONG_SIP__COUNTRY", r#""86""#),
        ("HUITONG_SIP__NAME_SERVERS", &names.setting()),
    ])?;
    server.wait_for_log("trunk is up")?;
    let mut phone = Baresip::start_registered("+8613812345678", carrier.address, Codec::Pcma, 600.0)?;
    let mut host = host(&server).await?;

    // Somebody else's server, and another number.
    let (own, other) = (carrier.address, stranger.local_addr()?);
    for contact in [format!("<sip:+8613812345678@{other}>"), format!("<sip:+8613900000000@{own}>")] {
        say(&elsewhere, &contact);
        let id = dial(&mut host, "13812345678").await?;
        becomes(&mut host, &id, "failed").await.context(contact)?;
    }
    assert!(stranger.recv_from(&mut [0; 64]).is_err(), "nobody has allowed calls there");
    say(&elsewhere, &format!("<sip:+8613900000000@{own}>;q=0.9, <sip:+8613812345678@{own}>;q=0.5"));
    let id = dial(&mut host, "13812345678").await?;
    phone.take_call()?;
    becomes(&mut host, &id, "answered").await?;
    Ok(())
}
