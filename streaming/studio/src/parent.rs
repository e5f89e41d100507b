//! The program that has started this one: a socket to it is standard input.

use std::{
    io::{self, Write},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;

/// Its socket, and native code made ready for what it will say.
pub(crate) fn connect() -> anyhow::Result<UnixStream> {
    let stdin = io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
    let socket = UnixStream::from(stdin);
    socket.local_addr().context("standard input is no socket: this program is started by huitong")?;
    gstreamer::init().context("GStreamer")?;
    Ok(socket)
}

/// What is said to it, by whichever thread. A message is written as [`streaming::wire`] has it.
#[derive(Clone)]
pub(crate) struct Voice {
    socket: Arc<Mutex<UnixStream>>,
    ended: Arc<AtomicBool>,
}

impl Voice {
    pub(crate) fn new(socket: &UnixStream) -> io::Result<Self> {
        Ok(Self { socket: Arc::new(Mutex::new(socket.try_clone()?)), ended: Arc::default() })
    }

    /// False where nobody is there to listen.
    pub(crate) fn say(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.socket.lock().is_ok_and(|mut socket| socket.write_all(&bytes).is_ok())
    }

    /// The last word: once, and with the reader woken.
    pub(crate) fn end(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        self.say(write);
        if let Ok(socket) = self.socket.lock() {
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }
}
