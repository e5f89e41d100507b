//! Asks name servers for records (RFC 1035) and keeps what they said for as long as they say.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE, rdata::RData};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout},
};

/// One question to one name server. Less takes a slow one for a dead one, more keeps whoever is called from ringing.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// How often each name server is asked: a datagram may be lost.
const TRIES: usize = 2;

/// Name servers of the system that are asked, as other resolvers have it.
const SYSTEM_SERVERS_MAX: usize = 3;

/// However long records say they hold, and how long it holds that there are none (RFC 2308 §5 allows three hours; a carrier that has
/// just made its records waits no longer than this).
const KEPT_MAX: Duration = Duration::from_secs(24 * 3600);
/// See [`KEPT_MAX`].
const NONE_KEPT: Duration = Duration::from_secs(30);

/// Names whose records are kept; carriers have a handful. More are forgotten all at once.
const NAMES_MAX: usize = 1_024;

/// The longest answer by UDP that is not asked for by an extension (RFC 1035 §4.2.1); longer ones come by TCP.
const DATAGRAM_MAX: usize = 512;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    A,
    Aaaa,
    Srv,
    Naptr,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Address(IpAddr),
    Server { priority: u16, weight: u16, port: u16, target: String },
    Service { order: u16, preference: u16, flags: String, services: String, replacement: String },
}

/// Where they are, and what they said.
pub(crate) struct NameServers {
    servers: Vec<SocketAddr>,
    /// Which of them answered last: it is asked first, so that a dead one is waited for once and not at each question.
    first: AtomicUsize,
    known: Mutex<HashMap<(String, Kind), (Instant, Vec<Record>)>>,
}

impl NameServers {
    /// The system's own where none is named.
    pub(crate) fn new(named: &[SocketAddr]) -> Self {
        let servers = match named {
            [] => std::fs::read_to_string("/etc/resolv.conf").map(|text| of_system(&text)).unwrap_or_default(),
            named => named.to_vec(),
        };
        Self { servers, first: AtomicUsize::new(0), known: Mutex::default() }
    }

    /// Empty where there are none, or nobody answers.
    pub(crate) async fn records(&self, name: &str, kind: Kind) -> Vec<Record> {
        let key = (name.trim_end_matches('.').to_ascii_lowercase(), kind);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, records)) = known().get(&key)
            && *until > Instant::now()
        {
            return records.clone();
        }
        for _ in 0..TRIES {
            let all = self.servers.iter().enumerate();
            for (index, server) in all.cycle().skip(self.first.load(Ordering::Relaxed)).take(self.servers.len()) {
                let asked = timeout(ANSWER_WITHIN, ask(*server, &key.0, kind)).await;
                let Ok(Ok(Some((records, holds)))) = asked else {
                    tracing::debug!(%server, name, ?kind, "the name server doesn't say");
                    continue;
                };
                self.first.store(index, Ordering::Relaxed);
                let mut known = known();
                let now = Instant::now();
                if known.len() >= NAMES_MAX {
                    known.clear();
                }
                known.insert(key, (now + holds, records.clone()));
                return records;
            }
        }
        Vec::new()
    }
}

/// `nameserver` lines of resolv.conf(5).
fn of_system(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let address = line.trim().strip_prefix("nameserver")?.trim();
        let address: IpAddr = address.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address, 53))
    });
    servers.take(SYSTEM_SERVERS_MAX).collect()
}

/// None where the answer is none.
async fn ask(server: SocketAddr, name: &str, kind: Kind) -> io::Result<Option<(Vec<Record>, Duration)>> {
    let id = rand::random();
    let Some(query) = query(id, name, kind) else { return Ok(None) };
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A port of its own for each question: whoever wants to answer in the server's place has to guess it too (RFC 5452).
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    let mut buffer = [0; DATAGRAM_MAX];
    loop {
        let len = socket.recv(&mut buffer).await?;
        match read(&buffer[..len], id, name, kind) {
            Read::Answer(records, holds) => return Ok(Some((records, holds))),
            Read::Failed => return Ok(None),
            Read::Truncated => break,
            // Somebody else's, or of an older question.
            Read::Strange => {}
        }
    }
    let mut stream = TcpStream::connect(server).await?;
    let Ok(len) = u16::try_from(query.len()) else { return Ok(None) };
    stream.write_all(&[&len.to_be_bytes()[..], &query].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(match read(&answer, id, name, kind) {
        Read::Answer(records, holds) => Some((records, holds)),
        Read::Failed | Read::Truncated | Read::Strange => None,
    })
}

fn query(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).ok()?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(type_of(kind)), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

fn type_of(kind: Kind) -> TYPE {
    match kind {
        Kind::A => TYPE::A,
        Kind::Aaaa => TYPE::AAAA,
        Kind::Srv => TYPE::SRV,
        Kind::Naptr => TYPE::NAPTR,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Read {
    Answer(Vec<Record>, Duration),
    /// The server can't say.
    Failed,
    /// All of it comes by TCP.
    Truncated,
    /// No answer to this question.
    Strange,
}

fn read(bytes: &[u8], id: u16, name: &str, kind: Kind) -> Read {
    let Ok(packet) = Packet::parse(bytes) else { return Read::Strange };
    let is_ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && matches!(&packet.questions[..], [question] if question.qtype == QTYPE::TYPE(type_of(kind))
            && question.qname.to_string().eq_ignore_ascii_case(name));
    if !is_ours {
        return Read::Strange;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Read::Truncated;
    }
    if !matches!(packet.rcode(), RCODE::NoError | RCODE::NameError) {
        return Read::Failed;
    }
    // Those of other names are what aliases lead to.
    let found: Vec<(u32, Record)> =
        packet.answers.iter().filter_map(|answer| Some((answer.ttl, record(&answer.rdata, kind)?))).collect();
    let holds = found.iter().map(|(ttl, _)| Duration::from_secs(u64::from(*ttl))).min().unwrap_or(NONE_KEPT);
    Read::Answer(found.into_iter().map(|(_, record)| record).collect(), holds.min(KEPT_MAX))
}

fn record(data: &RData<'_>, kind: Kind) -> Option<Record> {
    match (kind, data) {
        (Kind::A, RData::A(a)) => Some(Record::Address(Ipv4Addr::from(a.address).into())),
        (Kind::Aaaa, RData::AAAA(aaaa)) => Some(Record::Address(Ipv6Addr::from(aaaa.address).into())),
        (Kind::Srv, RData::SRV(srv)) => Some(Record::Server {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_string(),
        }),
        (Kind::Naptr, RData::NAPTR(naptr)) => Some(Record::Service {
            order: naptr.order,
            preference: naptr.preference,
            flags: naptr.flags.to_string(),
            services: naptr.services.to_string(),
            replacement: naptr.replacement.to_string(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_servers_are_read() {
        let text =
            "# nameserver 192.0.2.9\nsearch example\nnameserver 192.0.2.1\nnameserver\tfe80::1%eth0\nnameserver x\n";
        let expected: Vec<SocketAddr> = vec!["192.0.2.1:53".parse().unwrap(), "[fe80::1]:53".parse().unwrap()];
        assert_eq!(of_system(text), expected);
    }

    /// An answer to this question: an SRV record behind the question's own name.
    fn answer(id: u16, name: &str) -> Vec<u8> {
        let mut bytes = query(id, name, Kind::Srv).unwrap();
        (bytes[2], bytes[7]) = (0x85, 1);
        bytes.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, 11, 0, 1, 0, 2, 0x13, 0xc4, 1, b'a', 1, b'b', 0]);
        bytes
    }

    // product: P8; RFC 1035 §7.2
    #[tokio::test]
    async fn a_name_server_that_is_dead_is_waited_for_once() {
        let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let alive = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = NameServers::new(&[dead.local_addr().unwrap(), alive.local_addr().unwrap()]);
        tokio::spawn(async move {
            let mut buffer = [0; DATAGRAM_MAX];
            while let Ok((len, peer)) = alive.recv_from(&mut buffer).await {
                let question = Packet::parse(&buffer[..len]).unwrap();
                let said = answer(question.id(), &question.questions[0].qname.to_string());
                alive.send_to(&said, peer).await.unwrap();
            }
        });
        let asked = async |name: &str| {
            let begun = Instant::now();
            assert_eq!(servers.records(name, Kind::Srv).await.len(), 1, "{name}");
            begun.elapsed()
        };
        assert!(asked("_sip._udp.carrier.test").await >= ANSWER_WITHIN);
        for name in ["_sip._tcp.carrier.test", "_sips._tcp.carrier.test", "_sip._udp.other.test"] {
            let took = asked(name).await;
            assert!(took < ANSWER_WITHIN / 2, "{name}: {took:?}");
        }
        drop(dead);
    }

    #[test]
    fn only_answers_to_what_was_asked_are_believed() {
        let good = answer(7, "_sip._udp.carrier.test");
        let server = Record::Server { priority: 1, weight: 2, port: 5_060, target: "a.b".to_owned() };
        let read_as = |bytes: &[u8], id, name, kind| read(bytes, id, name, kind);
        let expected = Read::Answer(vec![server], Duration::from_secs(60));
        assert_eq!(read_as(&good, 7, "_SIP._udp.carrier.test", Kind::Srv), expected);
        assert_eq!(read_as(&good, 8, "_sip._udp.carrier.test", Kind::Srv), Read::Strange);
        assert_eq!(read_as(&good, 7, "_sip._tcp.carrier.test", Kind::Srv), Read::Strange);
        assert_eq!(read_as(&good, 7, "_sip._udp.carrier.test", Kind::A), Read::Strange);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            read(&bytes, 7, "_sip._udp.carrier.test", Kind::Srv)
        };
        assert_eq!(with(2, 0x05), Read::Strange, "a question");
        assert_eq!(with(2, 0x87), Read::Truncated);
        assert_eq!(with(3, 2), Read::Failed);
        assert_eq!(with(7, 0), Read::Answer(Vec::new(), NONE_KEPT));
    }

    #[test]
    fn damaged_answers_break_nothing() {
        let good = answer(7, "_sip._udp.carrier.test");
        for at in 0..good.len() {
            for byte in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = byte;
                read(&bytes, 7, "_sip._udp.carrier.test", Kind::Srv);
                read(&bytes[..at], 7, "_sip._udp.carrier.test", Kind::Srv);
            }
        }
    }
}
