//! Telephones that come by WebSocket (RFC 7118), mostly programs in browsers: the web server takes the connection, their messages come
//! here.

use std::net::SocketAddr;

use sip::{Message, Source, Transport};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::{
    ladder::Ladder,
    transport::{Arrived, PING, PONG},
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

    /// Serves one until `said` ends, which is a message a time; what it is told goes to `answers`.
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
            while let Some(bytes) = said.recv().await {
                match Message::parse(&bytes) {
                    Ok(message) => {
                        ladder.came(source, &bytes);
                        if queue.send(Arrived::Message(source, message)).await.is_err() {
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
