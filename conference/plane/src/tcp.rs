//! Media by TCP (RFC 6544), for networks that let no UDP through: passive candidates at the port number of the worker's UDP
//! socket, each datagram framed by its length (RFC 4571).
//!
//! A connection that can't be written to loses datagrams, as any full line does, and is ended when it takes nothing for long.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{
    Interest, Registry, Token,
    net::{TcpListener, TcpStream},
};

use crate::socket::listening;

/// Connections of one worker; more are closed as they come. Each costs a file and at most [`UNSENT_BYTES_MAX`].
const CONNECTIONS_MAX: usize = 2_048;

/// Of one host: an office behind one address has many, and a single host may not take all there are.
const OF_ONE_HOST_MAX: usize = 256;

/// Connections taken at once, before others get their turn.
const ACCEPT_BUDGET: usize = 32;

/// Connections that may wait to be taken.
const BACKLOG: i32 = 256;

/// Longer frames are no media: what sends them is no browser, and is ended.
const FRAME_BYTES_MAX: usize = 2_048;

/// Read from one connection before others get their turn.
const READ_BYTES: usize = 64 << 10;

/// What waits for a connection that takes nothing now: half a second at 4 Mbit/s. More would come too late to be shown.
const UNSENT_BYTES_MAX: usize = 256 << 10;

/// Who has said nothing whole for so long is no browser: those check their connection every 2.5 s (RFC 7675).
const IDLE: Duration = Duration::from_secs(15);

/// Who takes nothing for so long has gone.
const TAKES_NOTHING: Duration = Duration::from_secs(10);

/// How often it is looked for those.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The first token of connections; those below are the worker's.
const TOKEN_FIRST: usize = 1 << 16;

pub(crate) struct TcpMedia {
    listeners: Vec<Listener>,
    registry: Registry,
    connections: HashMap<Token, Connection>,
    by_peer: HashMap<SocketAddr, Token>,
    next: usize,
    /// Connections that have more to read than one turn takes.
    unread: Vec<Token>,
    looked: Option<Instant>,
    buffer: Vec<u8>,
}

struct Listener {
    token: Token,
    listener: TcpListener,
    /// Somebody may wait.
    has_more: bool,
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    /// Where it arrived.
    local: SocketAddr,
    /// The beginning of a frame.
    partial: Vec<u8>,
    unsent: VecDeque<u8>,
    heard: Instant,
    took: Instant,
}

impl TcpMedia {
    pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
        Ok(Self {
            listeners: Vec::new(),
            registry: registry.try_clone()?,
            connections: HashMap::new(),
            by_peer: HashMap::new(),
            next: TOKEN_FIRST,
            unread: Vec::new(),
            looked: None,
            buffer: vec![0; READ_BYTES],
        })
    }

    /// Listens here too; events of it have this token.
    pub(crate) fn listen(&mut self, address: SocketAddr, token: Token) -> io::Result<()> {
        let mut listener = TcpListener::from_std(listening(address, BACKLOG)?.into());
        self.registry.register(&mut listener, token, Interest::READABLE)?;
        self.listeners.push(Listener { token, listener, has_more: true });
        Ok(())
    }

    /// More is to be read or taken at once.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty() || self.listeners.iter().any(|listener| listener.has_more)
    }

    /// Takes some of those who have come.
    fn accept(&mut self, nth: usize, now: Instant) {
        for _ in 0..ACCEPT_BUDGET {
            let (mut stream, peer) = match self.listeners[nth].listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // No more, or no files left: who waits is taken when somebody else comes.
                Err(_) => {
                    self.listeners[nth].has_more = false;
                    return;
                }
            };
            let of_host = self.by_peer.keys().filter(|known| known.ip() == peer.ip()).count();
            if self.connections.len() >= CONNECTIONS_MAX || of_host >= OF_ONE_HOST_MAX {
                metrics::counter!("plane_tcp_refused").increment(1);
                continue;
            }
            let token = Token(self.next);
            self.next = self.next.checked_add(1).unwrap_or(TOKEN_FIRST);
            let both = Interest::READABLE | Interest::WRITABLE;
            let (Ok(local), Ok(())) = (stream.local_addr(), self.registry.register(&mut stream, token, both)) else {
                continue;
            };
            // Voices wait for nothing.
            let _ = stream.set_nodelay(true);
            let (partial, unsent) = (Vec::new(), VecDeque::new());
            self.by_peer.insert(peer, token);
            self.connections.insert(token, Connection { stream, peer, local, partial, unsent, heard: now, took: now });
            // What it has sent already tells nobody again.
            self.unread.push(token);
        }
    }

    /// Somebody has come, or something can be read from a connection or written to it.
    pub(crate) fn ready(&mut self, token: Token, now: Instant) {
        if let Some(listener) = self.listeners.iter_mut().find(|listener| listener.token == token) {
            listener.has_more = true;
        } else if let Some(connection) = self.connections.get_mut(&token) {
            if connection.flush(now).is_err() {
                self.close(token);
            } else if !self.unread.contains(&token) {
                self.unread.push(token);
            }
        }
    }

    /// Takes and reads what has come. Who sends what is nobody's is no browser of ours: when `handle(from, to, datagram)` is false, the
    /// connection ends.
    pub(crate) fn receive(&mut self, now: Instant, mut handle: impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool) {
        for nth in 0..self.listeners.len() {
            if self.listeners[nth].has_more {
                self.accept(nth, now);
            }
        }
        for token in std::mem::take(&mut self.unread) {
            let Some(connection) = self.connections.get_mut(&token) else { continue };
            match connection.read(&mut self.buffer, now, &mut handle) {
                Ok(true) => self.unread.push(token),
                Ok(false) => {}
                Err(_) => self.close(token),
            }
        }
    }

    /// Sends a datagram to whoever is connected from there.
    pub(crate) fn send(&mut self, to: SocketAddr, datagram: &[u8], now: Instant) {
        let Some(token) = self.by_peer.get(&to).copied() else { return };
        if let Some(connection) = self.connections.get_mut(&token)
            && connection.send(datagram, now).is_err()
        {
            self.close(token);
        }
    }

    /// Ends who says or takes nothing.
    pub(crate) fn look(&mut self, now: Instant) {
        if self.looked.is_some_and(|at| now.saturating_duration_since(at) < LOOK_INTERVAL) {
            return;
        }
        self.looked = Some(now);
        let is_over = |connection: &Connection| {
            let silent = now.saturating_duration_since(connection.heard) > IDLE;
            silent || (!connection.unsent.is_empty() && now.saturating_duration_since(connection.took) > TAKES_NOTHING)
        };
        let over: Vec<_> =
            self.connections.iter().filter(|(_, known)| is_over(known)).map(|(token, _)| *token).collect();
        over.into_iter().for_each(|token| self.close(token));
    }

    fn close(&mut self, token: Token) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        // Closing takes it out too; the other end hears of it either way.
        let _ = self.registry.deregister(&mut connection.stream);
        if self.by_peer.get(&connection.peer) == Some(&token) {
            self.by_peer.remove(&connection.peer);
        }
    }
}

impl Connection {
    /// True when there may be more. Whatever is wrong ends it.
    fn read(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        handle: &mut impl FnMut(SocketAddr, SocketAddr, &[u8]) -> bool,
    ) -> io::Result<bool> {
        let kept = self.partial.len();
        buffer[..kept].copy_from_slice(&self.partial);
        let count = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        let mut rest = &buffer[..kept + count];
        while let Some(([high, low], after)) = rest.split_first_chunk::<2>() {
            let bytes = usize::from(u16::from_be_bytes([*high, *low]));
            if bytes > FRAME_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            let Some((frame, next)) = after.split_at_checked(bytes) else { break };
            self.heard = now;
            if !handle(self.peer, self.local, frame) {
                return Err(ErrorKind::InvalidData.into());
            }
            rest = next;
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(true)
    }

    fn send(&mut self, datagram: &[u8], now: Instant) -> io::Result<()> {
        let Ok(bytes) = u16::try_from(datagram.len()) else { return Ok(()) };
        if self.unsent.len() + datagram.len() > UNSENT_BYTES_MAX {
            metrics::counter!("plane_tcp_lost").increment(1);
            return Ok(());
        }
        if self.unsent.is_empty() {
            self.took = now;
        }
        self.unsent.extend(bytes.to_be_bytes());
        self.unsent.extend(datagram);
        self.flush(now)
    }

    fn flush(&mut self, now: Instant) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let (first, _) = self.unsent.as_slices();
            match self.stream.write(first) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.unsent.drain(..count);
                    self.took = now;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream as Client};

    use mio::{Events, Poll};

    use super::*;

    const LISTENING: Token = Token(2);

    /// What is nobody's.
    const STRANGE: &[u8] = b"who is it";

    struct World {
        poll: Poll,
        media: TcpMedia,
        address: SocketAddr,
        heard: Vec<Vec<u8>>,
    }

    impl World {
        fn new() -> Self {
            let poll = Poll::new().unwrap();
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let mut media = TcpMedia::new(poll.registry()).unwrap();
            media.listen(any, LISTENING).unwrap();
            let address = media.listeners[0].listener.local_addr().unwrap();
            Self { poll, media, address, heard: Vec::new() }
        }

        /// Runs until it is as wished.
        fn until(&mut self, now: Instant, wish: impl Fn(&Self) -> bool) {
            let mut events = Events::with_capacity(64);
            let deadline = Instant::now() + Duration::from_secs(20);
            while !wish(self) {
                assert!(Instant::now() < deadline, "it never comes");
                self.poll.poll(&mut events, Some(Duration::from_millis(50))).unwrap();
                for event in &events {
                    self.media.ready(event.token(), now);
                }
                let heard = &mut self.heard;
                self.media.receive(now, |_, _, datagram| {
                    heard.push(datagram.to_vec());
                    datagram != STRANGE
                });
            }
        }
    }

    fn frame(datagram: &[u8]) -> Vec<u8> {
        [&(datagram.len() as u16).to_be_bytes(), datagram].concat()
    }

    // RFC 4571 §2
    #[test]
    fn datagrams_come_and_go_whole_however_the_stream_is_cut() {
        let (mut world, now) = (World::new(), Instant::now());
        let mut client = Client::connect(world.address).unwrap();
        let all = [frame(b"first"), frame(b""), frame(&[7; 1_500])].concat();
        let (one, two) = all.split_at(3);
        client.write_all(one).unwrap();
        world.until(now, |world| world.media.connections.values().any(|known| !known.partial.is_empty()));
        client.write_all(two).unwrap();
        world.until(now, |world| world.heard.len() == 3);
        assert_eq!(world.heard, [b"first".to_vec(), Vec::new(), vec![7; 1_500]]);
        world.media.send(client.local_addr().unwrap(), b"back", now);
        let mut back = [0; 6];
        client.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"\0\x04back");
        drop(client);
        world.until(now, |world| world.media.connections.is_empty() && world.media.by_peer.is_empty());
    }

    #[test]
    fn who_sends_what_is_no_media_says_nothing_or_takes_nothing_is_ended() {
        let (mut world, start) = (World::new(), Instant::now());
        let mut strange = Client::connect(world.address).unwrap();
        strange.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        world.until(start, |world| world.media.next > TOKEN_FIRST && world.media.connections.is_empty());
        let mut nobody = Client::connect(world.address).unwrap();
        nobody.write_all(&frame(STRANGE)).unwrap();
        world.until(start, |world| !world.heard.is_empty() && world.media.connections.is_empty());
        let silent = Client::connect(world.address).unwrap();
        let slow = Client::connect(world.address).unwrap();
        world.until(start, |world| world.media.connections.len() == 2);
        let to = slow.local_addr().unwrap();
        for _ in 0..20_000 {
            world.media.send(to, &[0; 1_200], start);
        }
        let waits = |world: &World| world.media.connections.values().map(|known| known.unsent.len()).max().unwrap();
        assert!((1..=UNSENT_BYTES_MAX + 2).contains(&waits(&world)), "{}", waits(&world));
        world.media.look(start + TAKES_NOTHING + Duration::from_secs(1));
        assert_eq!(world.media.connections.len(), 1, "the slow one is gone");
        world.media.look(start + IDLE + Duration::from_secs(2));
        assert!(world.media.connections.is_empty() && world.media.by_peer.is_empty());
        drop(silent);
    }

    #[test]
    fn one_host_can_not_take_all_connections() {
        let (mut world, now) = (World::new(), Instant::now());
        let mut clients = Vec::new();
        for _ in 0..OF_ONE_HOST_MAX + 10 {
            clients.push(Client::connect(world.address).unwrap());
            world.media.listeners[0].has_more = true;
            world.media.receive(now, |_, _, _| true);
        }
        world.until(now, |world| world.media.connections.len() == OF_ONE_HOST_MAX);
        assert_eq!(world.media.connections.len(), OF_ONE_HOST_MAX);
    }
}
