//! Which address others see us at (RFC 8489): a STUN server outside says where our question came from. Behind a NAT nobody else can.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

/// RFC 8489 §5.
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
/// RFC 8489 §14.2.
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const HEADER: usize = 20;
const IPV4: u8 = 1;

/// It is asked at once, after half a second and so on (RFC 8489 §6.2.1); a start waits no longer than all of them together.
const ASKED_AGAIN: Duration = Duration::from_millis(500);
const ASKED_MAX: u32 = 4;

/// The IPv4 address our datagrams come from, as the server (`host:port`) sees it.
///
/// # Errors
///
/// Its name is none, or it doesn't answer.
pub(crate) fn mapped_address(server: &str) -> io::Result<IpAddr> {
    let server = server.to_socket_addrs()?.find(SocketAddr::is_ipv4);
    let server = server.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "it has no IPv4 address"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // What others send is not heard.
    socket.connect(server)?;
    let transaction: [u8; 12] = rand::random();
    let request = [&BINDING_REQUEST.to_be_bytes()[..], &[0, 0], &MAGIC_COOKIE, &transaction].concat();
    let mut buffer = [0; 1_500];
    for _ in 0..ASKED_MAX {
        socket.send(&request)?;
        let until = Instant::now() + ASKED_AGAIN;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut buffer) {
                Ok(len) => {
                    if let Some(address) = mapped(&buffer[..len], transaction) {
                        return Ok(address.into());
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, "it doesn't answer"))
}

/// What the answer to this question says; none where it is none, or another's.
fn mapped(message: &[u8], transaction: [u8; 12]) -> Option<Ipv4Addr> {
    let (header, mut attributes) = message.split_first_chunk::<HEADER>()?;
    let is_answer = header[..2] == BINDING_SUCCESS.to_be_bytes() && header[4..8] == MAGIC_COOKIE;
    if !is_answer || header[8..] != transaction {
        return None;
    }
    while let Some(([a, b, high, low], rest)) = attributes.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(..len)?;
        if let (XOR_MAPPED_ADDRESS, &[_, IPV4, _, _, a, b, c, d]) = (u16::from_be_bytes([*a, *b]), value) {
            let address = u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes(MAGIC_COOKIE);
            return Some(address.into());
        }
        attributes = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

    fn answer(request: &[u8], kind: u16, transaction: &[u8]) -> Vec<u8> {
        let xored = (u32::from(PUBLIC) ^ u32::from_be_bytes(MAGIC_COOKIE)).to_be_bytes();
        // An attribute that is not known, of a length that is filled up, comes first.
        let software = [0x80, 0x22, 0, 3, b'a', b'b', b'c', 0];
        let address = [&[0, 0x20, 0, 8, 0, IPV4, 0, 9][..], &xored].concat();
        [&kind.to_be_bytes()[..], &[0, 20], &request[4..8], transaction, &software, &address].concat()
    }

    #[test]
    fn the_server_says_where_we_come_from_and_nobody_else_does() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = server.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let mut buffer = [0; 100];
            // The first question is lost.
            server.recv_from(&mut buffer).unwrap();
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            let request = &buffer[..len];
            assert_eq!((len, &request[..4]), (20, &[0, 1, 0, 0][..]));
            let own = answer(request, BINDING_SUCCESS, &request[8..]);
            let others = [
                answer(request, BINDING_SUCCESS, &[7; 12]),
                answer(request, 0x0111, &request[8..]),
                own[..own.len() - 1].to_vec(),
                b"no".to_vec(),
            ];
            for said in others.iter().chain([&own]) {
                server.send_to(said, from).unwrap();
            }
        });
        assert_eq!(mapped_address(&at.to_string()).unwrap(), IpAddr::from(PUBLIC));
        serving.join().unwrap();
    }

    #[test]
    fn cut_anywhere_it_says_nothing() {
        let request = [&[0, 1, 0, 0][..], &MAGIC_COOKIE, &[9; 12]].concat();
        let whole = answer(&request, BINDING_SUCCESS, &[9; 12]);
        assert_eq!(mapped(&whole, [9; 12]), Some(PUBLIC));
        (0..whole.len()).for_each(|len| assert_eq!(mapped(&whole[..len], [9; 12]), None, "{len}"));
    }

    #[test]
    fn who_does_not_answer_is_waited_for_so_long() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = mapped_address(&silent.local_addr().unwrap().to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
