//! How an answer goes out (RFC 9112 §4, §6). A part of a picture is some ten thousands of bytes, and all who watch get the same: it is
//! laid ready with its head in a file that is memory alone (memfd_create(2)), from which the kernel sends its pages to each of them as they
//! are (sendfile(2)). To copy a part for each costs more than all else about sending it.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    fs::File,
    io::{self, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{body::Bytes, http::StatusCode, response::Response};
use rustix::fs::MemfdFlags;
use tokio::{io::Interest, net::TcpStream};

use crate::live::Answer;

/// What is shorter is copied: that costs less than another file.
const LARGE: usize = 12 << 10;

/// What is longer is no part. Whole segments are for players that are far behind, each somewhere else: laid ready, they would only be
/// memory.
const READY_MAX: usize = 512 << 10;

/// Answers that are looked at for being asked for again: the newest parts of a few livestreams in all their sizes. Each that is laid ready
/// is a descriptor and its bytes once more.
const READY: usize = 32;

/// Of what is said instead of a file.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Room for an answer: its head, and a playlist that is packed or a part of sound.
const ANSWER_BYTES: usize = 4 << 10;

/// What was sent lately.
#[derive(Default)]
pub(crate) struct ReadyMade(Mutex<Lately>);

#[derive(Default)]
struct Lately {
    /// The newest last.
    answers: VecDeque<Ready>,
    /// A second since 1970, and the same as a date of HTTP.
    date: (u64, String),
}

struct Ready {
    /// While it is held, nothing else is where it is.
    body: Bytes,
    head: String,
    /// Head and body, once another one has asked for them.
    file: Option<Arc<File>>,
}

impl ReadyMade {
    pub(crate) async fn send(&self, stream: &TcpStream, answer: &Answer) -> io::Result<()> {
        let body = &answer.body;
        let mut head = self.head(answer.status, body.len());
        answer.fields(|name, value| field(&mut head, name.as_str(), value));
        head.push_str("\r\n");
        if body.len() < LARGE {
            return send_both(stream, head, body).await;
        }
        let ready = if body.len() <= READY_MAX { self.ready(&head, body) } else { None };
        match ready {
            Some(file) => send_file(stream, &file, head.len() + body.len()).await,
            None => {
                send_bytes(stream, head.as_bytes()).await?;
                send_bytes(stream, body).await
            }
        }
    }

    pub(crate) async fn send_refusal(&self, stream: &TcpStream, refused: Response) -> io::Result<()> {
        let (parts, body) = refused.into_parts();
        let body = axum::body::to_bytes(body, REFUSAL_BYTES_MAX).await.map_err(io::Error::other)?;
        let mut head = self.head(parts.status, body.len());
        for (name, value) in &parts.headers {
            field(&mut head, name.as_str(), value.to_str().unwrap_or_default());
        }
        head.push_str("\r\n");
        send_both(stream, head, &body).await
    }

    /// What HTTP itself has in a head.
    fn head(&self, status: StatusCode, length: usize) -> String {
        let mut head = String::with_capacity(ANSWER_BYTES);
        let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
        let _ = write!(head, "HTTP/1.1 {code} {reason}\r\n");
        // It would be of what is not sent (RFC 9110 §8.6).
        if status != StatusCode::NOT_MODIFIED {
            let _ = write!(head, "content-length: {length}\r\n");
        }
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.date.0 != second {
            lately.date = (second, httpdate::fmt_http_date(now));
        }
        field(&mut head, "date", &lately.date.1);
        head
    }

    /// Head and body in a file, where they are asked for again and not for the first time.
    fn ready(&self, head: &str, body: &Bytes) -> Option<Arc<File>> {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = &mut lately.answers;
        let is_it = |ready: &&mut Ready| ready.body.as_ptr() == body.as_ptr() && ready.body.len() == body.len();
        if let Some(ready) = answers.iter_mut().rev().find(is_it) {
            if ready.head != head {
                (ready.head, ready.file) = (head.to_owned(), None);
            }
            if ready.file.is_none() {
                ready.file = lay_ready(head, body).map(Arc::new);
            }
            return ready.file.clone();
        }
        if answers.len() >= READY {
            answers.pop_front();
        }
        answers.push_back(Ready { body: body.clone(), head: head.to_owned(), file: None });
        None
    }
}

fn field(head: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.push_str(part);
    }
}

/// None where there is no descriptor or no memory for it: then it is sent as all else is.
fn lay_ready(head: &str, body: &[u8]) -> Option<File> {
    let mut file = File::from(rustix::fs::memfd_create("livestream-part", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(head.as_bytes()).and_then(|()| file.write_all(body)).ok()?;
    Some(file)
}

async fn send_file(stream: &TcpStream, file: &File, length: usize) -> io::Result<()> {
    let mut sent = 0;
    while sent < length as u64 {
        let left = length - sent as usize;
        let send = || Ok(rustix::fs::sendfile(stream, file, Some(&mut sent), left)?);
        if stream.async_io(Interest::WRITABLE, send).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

/// By one call.
async fn send_both(stream: &TcpStream, head: String, body: &[u8]) -> io::Result<()> {
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    send_bytes(stream, &bytes).await
}

async fn send_bytes(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.async_io(Interest::WRITABLE, || stream.try_write(bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => bytes = &bytes[sent..],
        }
    }
    Ok(())
}
