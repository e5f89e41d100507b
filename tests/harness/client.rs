//! A participant at the WebSocket: what a browser says, without its media.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Orders a [`Sitter`] may have before the first is done.
const ORDERS: usize = 8;

/// Who asks over HTTP, without cookies.
pub fn http() -> reqwest::Client {
    choose_tls();
    reqwest::Client::new()
}

/// The same over TLS, believing nothing but what this authority signed.
pub fn http_with(authority: reqwest::Certificate) -> Result<reqwest::Client> {
    choose_tls();
    Ok(reqwest::Client::builder().tls_certs_only([authority]).build()?)
}

/// The library wants to know whose TLS it would use, even where none is.
fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The WebSocket of the meeting with this number.
async fn session(language: &str, web: SocketAddr, number: &str) -> Result<String> {
    let door = http().get(format!("http://{web}/api/v1/meetings/by-number/{number}")).send().await?;
    let door: Value = door.error_for_status()?.json().await?;
    let id = door["id"].as_str().context("an id")?;
    Ok(format!("ws://{web}/api/v1/meetings/{id}/session?lang={language}"))
}

/// One participant.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The `joined` message, or what came in its place: `refused`, `waiting`.
    pub joined: Value,
    /// All that was said to it, a message a line.
    pub told: String,
    last_id: u64,
}

impl Client {
    /// Logs in and gives the cookie.
    pub async fn login(web: SocketAddr, name: &str, password: &str) -> Result<String> {
        let body = json!({"name": name, "password": password});
        let answer = http().post(format!("http://{web}/api/v1/login")).json(&body).send().await?;
        if !answer.status().is_success() {
            bail!("login: {} {}", answer.status(), answer.text().await?);
        }
        let cookie = answer.headers().get("set-cookie").context("a cookie")?.to_str()?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// Opens the WebSocket of the meeting with this number and joins.
    pub async fn join(web: SocketAddr, number: &str, join: Value, cookie: Option<&str>) -> Result<Self> {
        Self::join_reading("en", web, number, join, cookie).await
    }

    /// The same for who reads another language.
    pub async fn join_reading(
        language: &str,
        web: SocketAddr,
        number: &str,
        join: Value,
        cookie: Option<&str>,
    ) -> Result<Self> {
        let mut request = session(language, web, number).await?.into_client_request()?;
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse()?);
        }
        let (socket, _) = connect_async(request).await?;
        Self::join_on(socket, join).await
    }

    /// The same of a guest whose system takes hardly more than he reads.
    pub async fn join_with_little_room(web: SocketAddr, number: &str, join: Value) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(8 << 10)?;
        let socket = MaybeTlsStream::Plain(socket.connect(web).await?);
        let (socket, _) = client_async(session("en", web, number).await?, socket).await?;
        Self::join_on(socket, join).await
    }

    async fn join_on(socket: WebSocketStream<MaybeTlsStream<TcpStream>>, join: Value) -> Result<Self> {
        let mut client = Self { socket, joined: Value::Null, told: String::new(), last_id: 0 };
        client.send(&join).await?;
        let answers = ["joined", "refused", "waiting"];
        client.joined = client.next(|message| answers.iter().any(|kind| message["type"] == *kind)).await?;
        Ok(client)
    }

    /// Sends any message.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    /// Sends a command; its answer.
    pub async fn command(&mut self, command: Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"type": "command", "id": id, "command": command})).await?;
        self.next(|message| message["id"] == id).await
    }

    /// The next message that is wanted; others pass by.
    pub async fn next(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.next_within(PATIENCE, wanted).await
    }

    /// The same, and how long it may take to come.
    pub async fn next_within(&mut self, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let search = async {
            while let Some(message) = self.socket.next().await {
                match message? {
                    Message::Text(text) => {
                        let message: Value = serde_json::from_str(&text)?;
                        self.told.push_str(&text);
                        self.told.push('\n');
                        if wanted(&message) {
                            return Ok(message);
                        }
                    }
                    Message::Close(frame) => bail!("closed: {frame:?}"),
                    _ => {}
                }
            }
            bail!("the connection ended")
        };
        timeout(patience, search).await.with_context(|| format!("it did not come in {patience:?}"))?
    }
}

/// A participant who sits there and answers the server's pings, as a browser does, while nobody looks at him.
pub struct Sitter {
    orders: mpsc::Sender<Value>,
}

impl Sitter {
    pub fn new(mut client: Client) -> Self {
        let (orders, mut wanted) = mpsc::channel(ORDERS);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    order = wanted.recv() => match order {
                        Some(order) => drop(client.command(order).await),
                        None => return,
                    },
                    ended = client.next_within(Duration::MAX, |_| false) => return drop(ended),
                }
            }
        });
        Self { orders }
    }

    /// Sends a command; what comes of it is seen by the others.
    pub async fn command(&self, command: Value) -> Result<()> {
        Ok(self.orders.send(command).await?)
    }
}
