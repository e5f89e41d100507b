//! Whether a carrier is there, as `huitong doctor` asks it beside the running server: found as the server finds it, and by the first
//! of its servers that says anything.

use std::net::{IpAddr, SocketAddr};

use sip::{Event, Question, Source, Target, Transport};
use sipconf::Trunk;
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    carriers::{SILENT, transport_of},
    locate::{Locator, Place},
    test_call::{endpoint_at, own_address, signal},
};

/// What didn't answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskCarrierError {
    /// Its name leads nowhere.
    #[error("{0} can't be looked up: no name server knows an address of it")]
    Unknown(String),
    /// None of its servers says anything.
    #[error("nobody answers at {0} over {1}: a firewall, or the wrong address")]
    NoAnswer(SocketAddr, &'static str),
}

/// Where a carrier's servers are, in the order they are tried.
pub async fn carrier_addresses(trunk: &Trunk, name_servers: &[SocketAddr]) -> Vec<IpAddr> {
    places(trunk, name_servers).await.into_iter().map(|place| place.address.ip()).collect()
}

/// Asks a carrier by OPTIONS (RFC 3261 §11) over UDP, or connects to it: where it answered.
pub async fn ask_carrier(trunk: &Trunk, name_servers: &[SocketAddr]) -> Result<SocketAddr, AskCarrierError> {
    let places = places(trunk, name_servers).await;
    let first = *places.first().ok_or_else(|| AskCarrierError::Unknown(trunk.host.clone()))?;
    for place in places {
        let answers = match place.transport {
            Transport::Udp => answers(place.address, trunk).await.unwrap_or(false),
            Transport::Tcp | Transport::Tls | Transport::Ws => {
                matches!(timeout(SILENT, TcpStream::connect(place.address)).await, Ok(Ok(_)))
            }
        };
        if answers {
            return Ok(place.address);
        }
    }
    let by = match first.transport {
        Transport::Udp => "UDP",
        Transport::Tls => "TLS",
        Transport::Tcp | Transport::Ws => "TCP",
    };
    Err(AskCarrierError::NoAnswer(first.address, by))
}

async fn places(trunk: &Trunk, name_servers: &[SocketAddr]) -> Vec<Place> {
    let transport = trunk.transport.map(transport_of);
    Locator::new(name_servers).places(&trunk.host, trunk.port, transport).await.0
}

/// Whatever it says, it is there.
async fn answers(address: SocketAddr, trunk: &Trunk) -> std::io::Result<bool> {
    let own = own_address(address).await?;
    let socket = UdpSocket::bind((own, 0)).await?;
    let way = Source { transport: Transport::Udp, peer: address, local: socket.local_addr()? };
    let mut endpoint = endpoint_at(own);
    let from = format!("sip:{}@{}", trunk.caller, trunk.domain);
    let target = Target::new(way, format!("sip:{}", trunk.domain), from, "doctor");
    let begun = Instant::now();
    endpoint.ask(target, Question::Options, begun.into_std());
    let mut buffer = vec![0; 65_536];
    let answered = async {
        loop {
            if let Event::Responded(_, answer) = signal(&mut endpoint, &socket, way, &mut buffer).await {
                return answer.code;
            }
        }
    };
    Ok(timeout_at(begun + SILENT, answered).await.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(address: SocketAddr, more: &str) -> Trunk {
        toml::from_str(&format!("name = \"a\"\naddress = \"{address}\"\ncaller = \"1\"\n{more}")).unwrap()
    }

    #[tokio::test]
    async fn a_carrier_answers_or_it_is_said_where_nobody_does() {
        let there = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = there.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok((len, peer)) = there.recv_from(&mut buffer).await {
                let text = String::from_utf8_lossy(&buffer[..len]);
                let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
                let same = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
                let same: String = same.map(|line| format!("{line}\r\n")).collect();
                let answer = format!("SIP/2.0 404 Not Found\r\n{same}Content-Length: 0\r\n\r\n");
                let _ = there.send_to(answer.as_bytes(), peer).await;
            }
        });
        assert_eq!(ask_carrier(&trunk(address, ""), &[]).await, Ok(address));
        assert_eq!(carrier_addresses(&trunk(address, ""), &[]).await, [address.ip()]);
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let tcp = trunk(closed, "transport = \"tcp\"\n");
        assert_eq!(ask_carrier(&tcp, &[]).await, Err(AskCarrierError::NoAnswer(closed, "TCP")));
    }
}
