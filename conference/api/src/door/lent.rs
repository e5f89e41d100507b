//! A connection in hyper's hands, for all that is no file: pages, forms, what goes on for long, upgrades, HTTP/2, and nonsense. After a
//! request without a body whose answer is all sent, it is taken back: a browser that has fetched the page over a connection asks for
//! the livestream over the same.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Request},
    http::{Response, StatusCode},
};
use bytes::{Buf, BytesMut};
use futures_util::future::BoxFuture;
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{Line, Rest, Stopped};
use crate::listen::{Patience, bound_h2};

/// How a connection of HTTP/2 begins where that is known beforehand (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Has hyper answer what the connection says; back it comes when what it says next may be for us.
pub(super) async fn lend<S: Rest>(
    line: Line,
    peer: SocketAddr,
    rest: &S,
    patience: Patience,
    mut stopped: Stopped<'_, '_>,
) -> io::Result<Option<Line>> {
    let turn = Arc::new(Turn::default());
    let service = Served { rest: rest.clone(), peer, turn: Arc::clone(&turn) };
    if line.said.starts_with(PREFACE) {
        let mut http = auto::Builder::new(TokioExecutor::new()).http2_only();
        bound_h2(http.http2().timer(TokioTimer::new()));
        let io = TokioIo::new(Lent { stream: line.stream, said: line.said, turn: None });
        let mut connection = pin!(http.serve_connection(io, service));
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = stopped => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        return ended.map(|()| None).map_err(io::Error::other);
    }
    let io = TokioIo::new(Lent { stream: line.stream, said: line.said, turn: Some(Arc::clone(&turn)) });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let mut connection = http.serve_connection(io, service).with_upgrades();
    let mut is_stopping = false;
    let is_back = poll_fn(|context| {
        if !is_stopping && stopped.as_mut().poll(context).is_ready() {
            is_stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        match Pin::new(&mut connection).poll(context) {
            Poll::Ready(ended) => Poll::Ready(ended.map(|()| false).map_err(io::Error::other)),
            Poll::Pending if turn.is_back.load(Relaxed) => Poll::Ready(Ok(true)),
            Poll::Pending => Poll::Pending,
        }
    });
    if !is_back.await? {
        return Ok(None);
    }
    Ok(connection.into_parts().map(|parts| {
        let Lent { stream, said: unread, .. } = parts.io.into_inner();
        let mut said = BytesMut::from(parts.read_buf);
        said.unsplit(unread);
        Line { stream, said }
    }))
}

/// Whose turn it is. All of it is set and read by the connection's task alone, one after the other.
#[derive(Debug, Default)]
struct Turn {
    /// The last request had nothing after its head, so that whatever comes next is another one.
    is_whole: AtomicBool,
    /// Hyper has all of its answer.
    is_answered: AtomicBool,
    /// And has written it.
    is_sent: AtomicBool,
    /// Hyper waits for another request.
    is_back: AtomicBool,
}

/// What hyper reads and writes.
struct Lent {
    stream: TcpStream,
    /// What was read before.
    said: BytesMut,
    /// None where it is never taken back.
    turn: Option<Arc<Turn>>,
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.said.is_empty() {
            let length = self.said.len().min(buffer.remaining());
            buffer.put_slice(&self.said[..length]);
            self.said.advance(length);
            return Poll::Ready(Ok(()));
        }
        if let Some(turn) = self.turn.as_ref().filter(|turn| turn.is_whole.load(Relaxed) && turn.is_sent.load(Relaxed))
        {
            // Who polls hyper sees this, and doesn't again.
            turn.is_back.store(true, Relaxed);
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when hyper has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(turn) = self.turn.as_ref().filter(|turn| turn.is_answered.load(Relaxed)) {
            turn.is_sent.store(true, Relaxed);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Tells where a request comes from, and when it is answered.
struct Served<S> {
    rest: S,
    peer: SocketAddr,
    turn: Arc<Turn>,
}

impl<S: Rest> hyper::service::Service<Request<Incoming>> for Served<S> {
    type Response = Response<Ending>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Ending>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (mut rest, turn) = (self.rest.clone(), Arc::clone(&self.turn));
        turn.is_whole.store(request.body().is_end_stream(), Relaxed);
        turn.is_answered.store(false, Relaxed);
        turn.is_sent.store(false, Relaxed);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        Box::pin(async move {
            poll_fn(|context| rest.poll_ready(context)).await?;
            let answer = rest.call(request).await?;
            // What follows is no request of ours or of hyper's (RFC 9110 §7.8).
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                turn.is_whole.store(false, Relaxed);
            }
            Ok(answer.map(|body| Ending { body, turn }))
        })
    }
}

/// An answer's body: it is dropped when hyper has all of it.
struct Ending {
    body: Body,
    turn: Arc<Turn>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.turn.is_answered.store(true, Relaxed);
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
