//! Telephones that come by WebSocket (RFC 7118), mostly programs in browsers: the web server takes the connection, their messages come
//! here.

use std::net::SocketAddr;

use sip::{Message, Source, Transport};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{
    ladder::Ladder,
    transport::{Arrived, IDLE, PING, PONG},
};

/// Where the web server hands their connections over.
#[derive(Clone)]
pub struct WebSockets {
    queue: mpsc::Sender<Arrived>,
    tasks: TaskTracker,
    ladder: Ladder,
    local: SocketAddr,
}

impl WebSockets {
    pub(crate) fn new(queue: mpsc::Sender<Arrived>, tasks: TaskTracker, ladder: Ladder, local: SocketAddr) -> Self {
        Self { queue, tasks, ladder, local }
    }

    /// Serves one until `said` ends, which is a message a time and an empty one for any other sign of life; what it is told goes to
    /// `answers`, which is dropped when a connection without a call or a registration is quiet for five minutes.
    pub async fn serve(&self, peer: SocketAddr, mut said: mpsc::Receiver<Vec<u8>>, answers: mpsc::Sender<Vec<u8>>) {
        let stream = (Transport::Ws, peer);
        let source = Source { transport: Transport::Ws, peer, local: self.local };
        let (queue, ladder) = (self.queue.clone(), self.ladder.clone());
        let asks = answers.downgrade();
        // The switchboard that is gone serves nobody.
        if queue.send(Arrived::Opened(stream, answers)).await.is_err() {
            return;
        }
        self.tasks.spawn(async move {
            loop {
                let Ok(heard) = timeout(IDLE, said.recv()).await else {
                    // Who doesn't need it lets go of it.
                    if queue.send(Arrived::Quiet(stream)).await.is_err() {
                        return;
                    }
                    continue;
                };
                let Some(bytes) = heard else { break };
                match Message::parse(&bytes) {
                    Ok(message) => {
                        if queue.send(Arrived::Message(source, message, ladder.copy(&bytes))).await.is_err() {
                            return;
                        }
                    }
                    // Whether we are there (RFC 7118 §6 leaves it to RFC 5626).
                    Err(_) if bytes == PING => {
                        if let Some(answers) = asks.upgrade() {
                            // Who doesn't read answers needs none.
                            let _ = answers.try_send(PONG.to_vec());
                        }
                    }
                    Err(_) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                    Err(_) => metrics::counter!("gateway_messages_dropped", "why" => "malformed").increment(1),
                }
            }
            let _ = queue.send(Arrived::Closed(stream)).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant, sleep};

    use super::*;

    // product: P11
    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_is_told_of_and_a_sign_of_life_is_one() {
        let (queue, mut arrived) = mpsc::channel(4);
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        let sockets = WebSockets::new(queue, TaskTracker::new(), Ladder::default(), local);
        let ((says, said), (answers, _told)) = (mpsc::channel(4), mpsc::channel(4));
        sockets.serve(SocketAddr::from(([192, 0, 2, 1], 40_000)), said, answers).await;
        assert!(matches!(arrived.recv().await, Some(Arrived::Opened(..))));
        let begun = Instant::now();
        sleep(Duration::from_secs(200)).await;
        says.send(Vec::new()).await.unwrap();
        for seconds in [500, 800] {
            assert!(matches!(arrived.recv().await, Some(Arrived::Quiet(_))));
            assert_eq!(begun.elapsed().as_secs(), seconds);
        }
        drop(says);
        assert!(matches!(arrived.recv().await, Some(Arrived::Closed(_))));
    }
}
