//! A name server with a zone of a test's own making (RFC 1035): it answers by UDP what it has, and says of the rest that there is none.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;

/// What a name is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    A = 1,
    Srv = 33,
    Naptr = 35,
}

/// What it says, and how often it was asked.
#[derive(Default)]
struct Zone {
    records: BTreeMap<(String, u16), Vec<(u32, Vec<u8>)>>,
    asked: BTreeMap<(String, u16), usize>,
}

/// One name server. It goes with its process.
pub struct NameServer {
    /// Where it is asked.
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    /// One that knows nothing yet.
    pub fn start() -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let (address, zone) = (socket.local_addr()?, Arc::<Mutex<Zone>>::default());
        let answering = Arc::clone(&zone);
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((len, peer)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = answer(&buffer[..len], &mut lock(&answering)) {
                    let _ = socket.send_to(&answer, peer);
                }
            }
        });
        Ok(Self { address, zone })
    }

    /// As `HUITONG_SIP__NAME_SERVERS` has it.
    #[must_use]
    pub fn setting(&self) -> String {
        format!("[\"{}\"]", self.address)
    }

    /// A name's address.
    pub fn a(&self, name: &str, ttl_s: u32, address: Ipv4Addr) {
        self.put(name, Kind::A, ttl_s, address.octets().to_vec());
    }

    /// One of a service's servers (RFC 2782).
    pub fn srv(&self, name: &str, ttl_s: u32, priority: u16, weight: u16, port: u16, target: &str) {
        let mut data: Vec<u8> = [priority, weight, port].into_iter().flat_map(u16::to_be_bytes).collect();
        data.extend(labels(target));
        self.put(name, Kind::Srv, ttl_s, data);
    }

    /// One of a domain's services (RFC 3403).
    pub fn naptr(&self, name: &str, ttl_s: u32, order: u16, service: &str, replacement: &str) {
        let mut data: Vec<u8> = [order, 10].into_iter().flat_map(u16::to_be_bytes).collect();
        for text in ["s", service, ""] {
            data.push(u8::try_from(text.len()).expect("a short text"));
            data.extend(text.as_bytes());
        }
        data.extend(labels(replacement));
        self.put(name, Kind::Naptr, ttl_s, data);
    }

    fn put(&self, name: &str, kind: Kind, ttl_s: u32, data: Vec<u8>) {
        lock(&self.zone).records.entry((name.to_owned(), kind as u16)).or_default().push((ttl_s, data));
    }

    /// Forgets what a name had.
    pub fn forget(&self, name: &str, kind: Kind) {
        lock(&self.zone).records.remove(&(name.to_owned(), kind as u16));
    }

    /// How often it was asked that.
    #[must_use]
    pub fn asked(&self, name: &str, kind: Kind) -> usize {
        lock(&self.zone).asked.get(&(name.to_owned(), kind as u16)).copied().unwrap_or(0)
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn answer(query: &[u8], zone: &mut Zone) -> Option<Vec<u8>> {
    let (mut name, mut at) = (Vec::new(), 12);
    loop {
        let len = usize::from(*query.get(at)?);
        at += 1;
        if len == 0 {
            break;
        }
        name.push(String::from_utf8_lossy(query.get(at..at + len)?).to_lowercase());
        at += len;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    let question = query.get(12..at + 4)?;
    let key = (name.join("."), kind);
    *zone.asked.entry(key.clone()).or_default() += 1;
    let records = zone.records.get(&key).map(Vec::as_slice).unwrap_or_default();
    let mut text = query[..2].to_vec();
    // An answer, authoritative, of one question.
    text.extend([0x85, 0x80, 0, 1]);
    text.extend(u16::try_from(records.len()).ok()?.to_be_bytes());
    text.extend([0; 4]);
    text.extend(question);
    for (ttl_s, data) in records {
        // The name is the question's; class IN.
        text.extend([0xc0, 12]);
        text.extend(kind.to_be_bytes());
        text.extend([0, 1]);
        text.extend(ttl_s.to_be_bytes());
        text.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        text.extend(data);
    }
    Some(text)
}
