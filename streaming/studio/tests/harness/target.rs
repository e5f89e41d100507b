//! A server that livestreams are pushed to by RTMP, and that may stop reading.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use rml_rtmp::{
    handshake::{Handshake, HandshakeProcessResult, PeerType},
    sessions::{ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult},
};
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Small segments and a small window: what is sent to somebody who doesn't read waits with the sender, and not for minutes
/// in buffers of the system's.
const SEGMENT: u32 = 536;
const WINDOW: usize = 4 << 10;

/// Times of pictures in milliseconds, of each connection.
type Came = Arc<Mutex<Vec<Vec<u32>>>>;

pub(crate) struct Target {
    pub(crate) url: String,
    came: Came,
    serving: JoinHandle<()>,
}

impl Target {
    /// Reads no more of its first connection once pictures of so many milliseconds have come.
    pub(crate) fn start(stops_at: Option<u32>) -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_tcp_mss(SEGMENT).unwrap();
        listener.set_recv_buffer_size(WINDOW).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(4).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener.into()).unwrap();
        let url = format!("rtmp://{}/live/key", listener.local_addr().unwrap());
        let came: Came = Arc::default();
        let told = Arc::clone(&came);
        let serving = tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let number = {
                    let mut came = told.lock().unwrap();
                    came.push(Vec::new());
                    came.len() - 1
                };
                let stops_at = stops_at.filter(|_| number == 0);
                // One that goes on is read to its end: nothing else comes meanwhile.
                let _gone = serve(&mut socket, stops_at, &told, number).await;
                kept.push(socket);
            }
        });
        Self { url, came, serving }
    }

    /// When the pictures of the nth connection are shown, in milliseconds.
    pub(crate) fn pictures(&self, connection: usize) -> Vec<u32> {
        self.came.lock().unwrap().get(connection).cloned().unwrap_or_default()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    socket: &mut TcpStream,
    stops_at: Option<u32>,
    came: &Came,
    number: usize,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut buffer = vec![0; 8 << 10];
    let mut handshake = Handshake::new(PeerType::Server);
    let mut rest = loop {
        let count = socket.read(&mut buffer).await?;
        match handshake.process_bytes(&buffer[..count]).map_err(|error| error.to_string())? {
            HandshakeProcessResult::InProgress { response_bytes } => socket.write_all(&response_bytes).await?,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                socket.write_all(&response_bytes).await?;
                break remaining_bytes;
            }
        }
    };
    let (mut session, mut results) =
        ServerSession::new(ServerSessionConfig::new()).map_err(|error| error.to_string())?;
    loop {
        results.extend(session.handle_input(&rest).map_err(|error| error.to_string())?);
        while !results.is_empty() {
            let mut more = Vec::new();
            for result in std::mem::take(&mut results) {
                match result {
                    ServerSessionResult::OutboundResponse(packet) => socket.write_all(&packet.bytes).await?,
                    ServerSessionResult::RaisedEvent(
                        ServerSessionEvent::ConnectionRequested { request_id, .. }
                        | ServerSessionEvent::ReleaseStreamRequested { request_id, .. }
                        | ServerSessionEvent::PublishStreamRequested { request_id, .. },
                    ) => more.extend(session.accept_request(request_id).map_err(|error| error.to_string())?),
                    ServerSessionResult::RaisedEvent(ServerSessionEvent::VideoDataReceived { timestamp, .. }) => {
                        came.lock().unwrap()[number].push(timestamp.value);
                        if stops_at.is_some_and(|at| timestamp.value >= at) {
                            return Ok(());
                        }
                    }
                    _ => {}
                }
            }
            results = more;
        }
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        rest = buffer[..count].to_vec();
    }
}
