//! A recogniser of speech that understands nothing and says something each second: it speaks the protocol of
//! `docs/reference/captions.md` from the other side.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::baresip::{Heard, upsampled};

/// Samples a second it asks nobody for: it is told.
const RATE: u32 = 16_000;

/// One that is out of its mind when it is called the first time.
pub struct Recogniser {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<f32>>>,
}

impl Recogniser {
    /// Within a runtime. What it says after each second of sound is `words` with the second's number.
    pub async fn start(words: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            // Whoever calls and is no client of ours (the doctor) says nothing and goes.
            let mut is_mad = true;
            while let Ok((stream, _)) = listener.accept().await {
                let went_well = if is_mad { rave(stream).await } else { work(stream, &hears, words).await };
                is_mad &= went_well.is_err();
            }
        });
        Ok(Self { address, heard })
    }

    /// What it was sent.
    pub fn heard(&self) -> Heard {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        upsampled(heard.iter().copied(), RATE)
    }
}

/// One of somebody else's making that understands clear English: PocketSphinx, behind our example of how one is plugged in.
pub struct PocketSphinx {
    child: Child,
    pub address: SocketAddr,
}

impl PocketSphinx {
    pub fn start() -> Result<Self> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(tests.join(".venv/bin/python"))
            .arg(tests.join("../streaming/examples/recogniser.py"))
            .args(["127.0.0.1", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("PocketSphinx doesn't start; scripts/setup.sh test installs it")?;
        let mut said = String::new();
        BufReader::new(child.stdout.take().context("its output is piped")?).read_line(&mut said)?;
        let address = said.trim().replace(' ', ":").parse().with_context(|| format!("it says {said:?}"))?;
        Ok(Self { child, address })
    }
}

impl Drop for PocketSphinx {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Talks nonsense, and then without an end.
async fn rave(stream: TcpStream) -> Result<()> {
    let mut socket = accept_async(stream).await?;
    let Some(Ok(Message::Text(_))) = socket.next().await else { bail!("no first word") };
    for nonsense in ["", "{", "[]", "null", r#"{"text": 5}"#, r#"{"text": "x", "start": -1e300, "end": 1e300}"#] {
        socket.send(Message::text(nonsense)).await?;
    }
    socket.send(Message::binary(vec![0; 1_000])).await?;
    socket.send(Message::text(json!({"text": "很长".repeat(20_000), "start": 0.0, "end": 0.1}).to_string())).await?;
    while let Some(Ok(_)) = socket.next().await {}
    Ok(())
}

/// Listens, and says as much as Vosk does.
async fn work(stream: TcpStream, heard: &Mutex<Vec<f32>>, words: &str) -> Result<()> {
    let mut socket = accept_async(stream).await?;
    let Some(Ok(Message::Text(first))) = socket.next().await else { bail!("no first word") };
    let config = serde_json::from_str::<Value>(&first)?;
    ensure!(config["config"]["sample_rate"] == RATE && config["config"]["language"] == "zh-CN", "{config}");
    let mut seconds = 0;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(pcm) = message else { continue };
        let samples = pcm.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0);
        let length = {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.extend(samples);
            heard.len()
        };
        let answer = if length / RATE as usize > seconds {
            seconds += 1;
            json!({"text": format!("{words} {seconds}"), "result": [
                {"word": words, "start": seconds as f64 - 0.9, "end": seconds as f64 - 0.2, "conf": 1.0},
            ]})
        } else {
            json!({"partial": words})
        };
        socket.send(Message::text(answer.to_string())).await?;
    }
    Ok(())
}
