//! SIP over WebSocket (RFC 7118) at `/sip`: the upgrade and the frames are the web's, what they say is the gateway's.

use std::{net::SocketAddr, time::Duration};

use axum::{
    extract::{
        ConnectInfo, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    App,
    problem::{Code, Problem},
    rest::Caller,
};

/// The longest SIP message (RFC 3261 §18.1.1).
const MESSAGE_BYTES_MAX: usize = 65_535;

/// Messages one telephone may have waiting for the gateway; then it waits itself.
const WAITING_MAX: usize = 16;

/// Answers that may wait for a telephone; one that doesn't read loses its connection.
const ANSWERS_MAX: usize = 64;

/// How long one message may take to be sent.
const SEND: Duration = Duration::from_secs(10);

/// One telephone's connection.
#[derive(Debug)]
pub struct SipSocket {
    /// The other end.
    pub peer: SocketAddr,
    /// What it says, a message each, an empty one where it shows only that it is there; the connection has ended when it ends.
    pub said: mpsc::Receiver<Vec<u8>>,
    /// What it is told; the connection ends when it is dropped.
    pub answers: mpsc::Sender<Vec<u8>>,
}

pub(crate) async fn upgrade(
    State(app): State<App>,
    // Pages of other sites are refused there.
    caller: Caller,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let upgrade = upgrade.protocols(["sip"]).max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    let Some(sockets) = app.sip_sockets.clone() else { return Ok(StatusCode::NOT_FOUND.into_response()) };
    // §4: who doesn't ask for this protocol means another.
    if upgrade.selected_protocol().is_none() {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    }
    let too_often = |wait| Problem::new(Code::TooOften, caller.language).retry_after(wait);
    app.joins.allow(caller.source).map_err(too_often)?;
    Ok(upgrade.on_upgrade(move |socket| serve(socket, peer, sockets)).into_response())
}

async fn serve(mut socket: WebSocket, peer: SocketAddr, sockets: mpsc::Sender<SipSocket>) {
    let (says, said) = mpsc::channel(WAITING_MAX);
    let (answers, mut told) = mpsc::channel::<Vec<u8>>(ANSWERS_MAX);
    if sockets.send(SipSocket { peer, said, answers }).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            heard = socket.recv() => {
                let bytes = match heard {
                    Some(Ok(Message::Text(text))) => text.as_bytes().to_vec(),
                    Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Vec::new(),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                if says.send(bytes).await.is_err() {
                    return;
                }
            }
            answer = told.recv() => {
                let Some(answer) = answer else { return };
                let message = match String::from_utf8(answer) {
                    Ok(text) => Message::Text(text.into()),
                    Err(bytes) => Message::Binary(bytes.into_bytes().into()),
                };
                if !matches!(timeout(SEND, socket.send(message)).await, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
}
