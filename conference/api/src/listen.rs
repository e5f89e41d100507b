//! The ports the web is served at, and what holds them against connections that say or take nothing.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum_server::{Server, tls_rustls::RustlsAcceptor};
use hyper_util::server::conn::auto::Http2Builder;
use socket2::SockRef;

use crate::{WebError, idle::Idle};

/// What a connection may take its time for. Nothing of it concerns WebSockets but the last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// To begin its first request: browsers open connections ahead of their needs, and use them or not.
    pub(crate) first_request: Duration,
    /// To begin the next one, and to say all of a request's head (RFC 9112 §9.5). Pages ask more often than that. By HTTP/2: to say or
    /// take anything at all.
    pub(crate) head: Duration,
    /// To take something of what it was sent (TCP's user timeout, RFC 5482): then the kernel ends it. A phone in a
    /// tunnel begins anew within less.
    pub(crate) taking: Duration,
}

/// With it a client costs us a connection for a minute, whatever it does.
pub(crate) const PATIENCE: Patience =
    Patience { first_request: Duration::from_secs(15), head: Duration::from_secs(60), taking: Duration::from_secs(20) };

impl Patience {
    pub(crate) fn with_idle(self, acceptor: RustlsAcceptor) -> Idle {
        Idle { acceptor, patience: self.head }
    }
}

/// Requests of one connection at once (RFC 9113 §5.1.2). A page with a livestream makes some ten; each may cost what a connection of
/// HTTP/1.1 does.
const STREAMS_MAX: u32 = 100;

/// Requests that are taken back before anybody has looked at them, and those that make no sense: more end the connection, for making
/// and taking back costs a sender nothing (CVE-2023-44487).
const RESETS_MAX: usize = 20;

/// The fields of a request's head together, in bytes (RFC 9113 §6.5.2).
const HEAD_BYTES_MAX: u32 = 16 << 10;

/// Takes a port. Connections inherit from it (tcp(7)) the last of our patience, and that what is written leaves at once: an event after
/// another one, or the end of a picture, must not wait for the receiver's delayed acknowledgement (RFC 1122 §4.2.3.4).
pub(crate) fn bind(address: SocketAddr, patience: Patience) -> Result<TcpListener, WebError> {
    let bind = || -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let socket = SockRef::from(&listener);
        socket.set_tcp_user_timeout(Some(patience.taking))?;
        socket.set_tcp_nodelay(true)?;
        Ok(listener)
    };
    bind().map_err(|error| WebError::Bind(address, error))
}

/// Lets a server lose its patience.
pub(crate) fn guard<A>(mut server: Server<SocketAddr, A>, patience: Patience) -> Server<SocketAddr, A> {
    let http = server.http_builder();
    http.http1().header_read_timeout(patience.head);
    bound_h2(&mut http.http2());
    server.first_request_timeout(patience.first_request)
}

/// Of HTTP/2.
pub(crate) fn bound_h2<E>(h2: &mut Http2Builder<'_, E>) {
    h2.max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_BYTES_MAX);
    h2.max_pending_accept_reset_streams(RESETS_MAX).max_local_error_reset_streams(RESETS_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn what_is_written_leaves_at_once() {
        let listener = bind(LOOPBACK, PATIENCE).unwrap();
        let _caller = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // It is there: the connection was made before.
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
