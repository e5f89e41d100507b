//! Connections by HTTP/2 over which nothing goes. A connection of HTTP/1.1 waits for its next request, which hyper bounds; one of HTTP/2 is
//! never done, and hyper's pings find out only whether its other end still answers them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum_server::{accept::Accept, tls_rustls::RustlsAcceptor};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

/// HTTP/2 in the handshake (RFC 9113 §3.2).
pub(crate) const H2: &[u8] = b"h2";

/// Ends connections of HTTP/2 over which nothing has gone for so long.
#[derive(Debug, Clone)]
pub(crate) struct Idle {
    pub(crate) acceptor: RustlsAcceptor,
    pub(crate) patience: Duration,
}

impl<S> Accept<TcpStream, S> for Idle
where
    RustlsAcceptor: Accept<TcpStream, S, Stream = TlsStream<TcpStream>>,
    <RustlsAcceptor as Accept<TcpStream, S>>::Future: Send + 'static,
{
    type Stream = Watched;
    type Service = <RustlsAcceptor as Accept<TcpStream, S>>::Service;
    type Future = BoxFuture<'static, io::Result<(Watched, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let (accepting, patience) = (self.acceptor.accept(stream, service), self.patience);
        async move {
            let (inner, service) = accepting.await?;
            let is_h2 = inner.get_ref().1.alpn_protocol() == Some(H2);
            let clock = is_h2.then(|| Clock { patience, last: Instant::now(), look: Box::pin(sleep(patience)) });
            Ok((Watched { inner, clock }, service))
        }
        .boxed()
    }
}

/// A connection, and since when nothing goes over it.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: TlsStream<TcpStream>,
    /// Of HTTP/2 alone.
    clock: Option<Clock>,
}

#[derive(Debug)]
struct Clock {
    patience: Duration,
    last: Instant,
    /// Set anew when it rings and not each time something goes: that is often.
    look: Pin<Box<Sleep>>,
}

impl Clock {
    /// Ready when the patience is over.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.look.as_mut().poll(context).is_ready() {
            let until = self.last + self.patience;
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            self.look.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl Watched {
    fn goes(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.last = Instant::now();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if read.is_ready() {
            self.goes();
            return read;
        }
        match &mut self.clock {
            Some(clock) => clock.poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        if written.is_ready() {
            self.goes();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        if written.is_ready() {
            self.goes();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, path::Path, sync::Arc};

    use axum::{Router, routing::get};
    use axum_server::{Handle, tls_rustls::RustlsConfig};
    use rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::timeout,
    };
    use tokio_rustls::{TlsConnector, client};

    use super::*;
    use crate::{
        Certificate,
        listen::{Patience, bind, guard},
    };

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    /// Longer than any patience of this test.
    const SOON: Duration = Duration::from_secs(30);

    /// Settings that are as they are, and a request of `/` (RFC 9113 §3.4, §4.1; RFC 7541 appendix A).
    const REQUEST: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
        \x00\x00\x00\x04\x00\x00\x00\x00\x00\
        \x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x87\x84\x41\x01a";

    async fn connect(address: SocketAddr, folder: &Path, protocol: &[u8]) -> client::TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("web-certificate.pem")).unwrap()).unwrap();
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connection = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = TlsConnector::from(Arc::new(config)).connect(name, connection).await.unwrap();
        assert_eq!(connection.get_ref().1.alpn_protocol(), Some(protocol));
        connection
    }

    #[tokio::test]
    async fn one_over_which_nothing_goes_is_ended() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut tls = Certificate::own(folder.path(), &[]).unwrap().server_config();
        tls.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        let short = Duration::from_secs(2);
        let patience = Patience { first_request: short, head: short, taking: short };
        let listener = bind(LOOPBACK, patience).unwrap();
        let address = listener.local_addr().unwrap();
        let handle = Handle::new();
        let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(tls))).unwrap();
        let server = guard(server, patience).map(|acceptor| patience.with_idle(acceptor)).handle(handle.clone());
        // What is still being answered is not ended while something of it goes.
        let drip = || async {
            let drops = futures_util::stream::unfold(0, |n| async move {
                sleep(Duration::from_millis(500)).await;
                (n < 8).then_some((Ok::<_, io::Error>("drop"), n + 1))
            });
            axum::body::Body::from_stream(drops)
        };
        tokio::spawn(server.serve(Router::new().route("/", get(drip)).into_make_service()));

        let mut asking = connect(address, folder.path(), H2).await;
        asking.write_all(REQUEST).await.unwrap();
        let mut silent = connect(address, folder.path(), H2).await;
        let mut bytes = Vec::new();
        // Closed is closed, politely or not.
        let _ = timeout(SOON, asking.read_to_end(&mut bytes)).await.expect("it is closed");
        assert_eq!(bytes.windows(4).filter(|window| *window == b"drop").count(), 8, "it was answered before");
        let _ = timeout(SOON, silent.read_to_end(&mut bytes)).await.expect("it is closed");
        let all_gone = async {
            while handle.connection_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, all_gone).await.expect("the server holds none of them");
    }
}
