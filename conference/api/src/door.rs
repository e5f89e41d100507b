//! The plain port. A livestream's files, which thousands ask for several times a second each, are answered here, straight to the socket;
//! for every other request its connection is lent to hyper and taken back once that is answered (decision 0041).
//!
//! What a request for a file says is [`head`]'s, how an answer is sent [`sent`]'s, and what is answered [`live`](crate::live)'s.

mod head;
mod lent;
mod sent;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{extract::Request, response::Response};
use bytes::BytesMut;
use hyper::body::Incoming;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::TaskTracker,
};
use tower_service::Service;

use crate::{
    listen::Patience,
    live::{Answer, Asked},
};
use head::Head;
use sent::ReadyMade;

/// Longest head of a request for a file, in bytes; hyper has its own limit and answers those that are longer. What a browser says with
/// cookies of other things here is some two thousand.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// Room for a head at first: as much as most are.
const HEAD_BYTES: usize = 512;

/// When there is nothing left to make a connection of: until others have gone.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// Answers requests for files.
pub(crate) trait Files: Clone + Send + Sync + 'static {
    /// The file, or what is said instead.
    fn answer(&self, peer: SocketAddr, asked: &Asked) -> impl Future<Output = Result<Answer, Response>> + Send;
}

/// Answers all other requests.
pub(crate) trait Rest:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
}

impl<S> Rest for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + Unpin
        + 'static
{
}

/// A port that is served.
pub(crate) struct Door {
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Door {
    /// Within a runtime. The listener doesn't block.
    pub(crate) fn open<F: Files, S: Rest>(
        listener: std::net::TcpListener,
        patience: Patience,
        files: F,
        rest: S,
    ) -> io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        let door = Self { stop: CancellationToken::new(), connections: TaskTracker::new() };
        let (stop, connections) = (door.stop.clone(), door.connections.clone());
        let keeper = Arc::new(Keeper { files, rest, patience, ready_made: ReadyMade::default() });
        tokio::spawn(async move {
            let mut stopped = pin!(stop.cancelled());
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = &mut stopped => return,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, peer)) => {
                        let (keeper, stop) = (Arc::clone(&keeper), stop.clone());
                        // That its other end goes, politely or not, is ordinary.
                        connections.spawn(async move { drop(keeper.serve(stream, peer, &stop).await) });
                    }
                    Err(error) if is_its_own(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "no connection of the web can be taken");
                        tokio::time::sleep(EXHAUSTED).await;
                    }
                }
            }
        });
        Ok(door)
    }

    /// Takes no new connections, and ends each once what it has asked for is answered.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.connections.len()
    }
}

/// It concerns that connection alone (accept(2)).
fn is_its_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What connections share.
struct Keeper<F, S> {
    files: F,
    rest: S,
    patience: Patience,
    ready_made: ReadyMade,
}

/// A connection, and what it has said that is not answered yet.
struct Line {
    stream: TcpStream,
    said: BytesMut,
}

impl<F: Files, S: Rest> Keeper<F, S> {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr, stop: &CancellationToken) -> io::Result<()> {
        let mut line = Line { stream, said: BytesMut::with_capacity(HEAD_BYTES) };
        let mut until = Instant::now() + self.patience.first_request;
        let mut alarm = pin!(sleep_until(until));
        let mut stopped = pin!(stop.cancelled());
        loop {
            let head = tokio::select! {
                biased;
                head = line.head() => head?,
                () = rung(alarm.as_mut(), until) => return Ok(()),
                () = &mut stopped => return Ok(()),
            };
            match head {
                None => return Ok(()),
                Some(Head::File(asked)) => {
                    let answer = {
                        let mut answer = pin!(self.files.answer(peer, &asked));
                        tokio::select! {
                            biased;
                            answer = &mut answer => answer,
                            ended = line.end() => return ended,
                        }
                    };
                    match answer {
                        Ok(answer) => self.ready_made.send(&line.stream, &answer).await?,
                        Err(refused) => self.ready_made.send_refusal(&line.stream, refused).await?,
                    }
                }
                Some(Head::Other) => {
                    // It is large, and most connections of a livestream never need it.
                    match Box::pin(lent::lend(line, peer, &self.rest, self.patience, stopped.as_mut())).await? {
                        Some(back) => line = back,
                        None => return Ok(()),
                    }
                }
            }
            until = Instant::now() + self.patience.head;
        }
    }
}

/// Until then. The clock is set anew when it rings, and not for each request: there are many.
async fn rung(mut alarm: Pin<&mut Sleep>, until: Instant) {
    loop {
        alarm.as_mut().await;
        if alarm.deadline() >= until {
            return;
        }
        alarm.as_mut().reset(until);
    }
}

impl Line {
    /// What is asked for next; none where nothing more will be.
    async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(head) = head::take(&mut self.said) {
                return Ok(Some(head));
            }
            if self.said.len() >= HEAD_BYTES_MAX {
                return Ok(Some(Head::Other));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The connection's end, while an answer is waited for. Requests that come meanwhile wait their turn.
    async fn end(&mut self) -> io::Result<()> {
        while self.said.len() < HEAD_BYTES_MAX {
            if self.more().await? == 0 {
                return Ok(());
            }
        }
        std::future::pending().await
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.said.reserve(HEAD_BYTES);
        self.stream.read_buf(&mut self.said).await
    }
}

/// Ready when connections are to end.
type Stopped<'a, 'b> = Pin<&'a mut WaitForCancellationFuture<'b>>;
