//! The way from GStreamer's RTMP sink to its target. The sink would look the target's name up by itself, and could be led
//! elsewhere than to the addresses that were judged (A14); it is given this program's own address instead, from where what it says
//! goes to one of those. The target is told the name it is known by, in the connect command and, over TLS, when it shows who it is.

use std::{
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use gio::{glib, prelude::*};
use model::PushUrl;

/// How long one of the target's addresses may take to answer.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// C0 and C1, then C2 (Adobe, "Real-Time Messaging Protocol" §5.2).
const HANDSHAKE: [usize; 2] = [1 + 1536, 1536];

/// S0, S1 and S2, by which a server greets whoever comes.
const GREETING: usize = 1 + 2 * 1536;

/// What is carried at once; more would only be more that waits here.
const PIECE: usize = 16 << 10;

/// What is known of a target.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Bytes of the last connection.
    said: AtomicUsize,
    is_gone: AtomicBool,
}

impl Heard {
    /// It greeted us, heard what was wanted, and hung up: as many servers say no, nginx's among them.
    pub(crate) fn has_hung_up(&self) -> bool {
        self.is_gone.load(Ordering::Acquire) && self.said.load(Ordering::Acquire) >= GREETING
    }

    fn begin(&self) {
        self.said.store(0, Ordering::Release);
        self.is_gone.store(false, Ordering::Release);
    }
}

/// A way to the target, open until the process ends: the address the sink is to be given. What stands in the way is told.
pub(crate) fn open(
    target: PushUrl,
    addresses: Vec<SocketAddr>,
    heard: &Arc<Heard>,
    failed: impl Fn(&anyhow::Error) + Clone + Send + 'static,
) -> anyhow::Result<SocketAddr> {
    let heard = Arc::clone(heard);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no way to the target")?;
    let here = listener.local_addr().context("no way to the target")?;
    thread::spawn(move || {
        // More than one after the other where the server asks who it is.
        for sink in listener.incoming().flatten() {
            let (target, addresses, failed) = (target.clone(), addresses.clone(), failed.clone());
            let heard = Arc::clone(&heard);
            thread::spawn(move || {
                let carried = glib::MainContext::new().block_on(carry(sink, here, &target, &addresses, heard));
                if let Err(error) = carried {
                    failed(&error);
                }
            });
        }
    });
    Ok(here)
}

async fn carry(
    sink: TcpStream,
    here: SocketAddr,
    target: &PushUrl,
    addresses: &[SocketAddr],
    heard: Arc<Heard>,
) -> anyhow::Result<()> {
    heard.begin();
    let server = connect(addresses).context("the target can't be connected to")?;
    let ends = [sink.try_clone()?, server.try_clone()?];
    let to_say = server.try_clone()?;
    let (sink, server) = (stream(sink)?.upcast::<gio::IOStream>(), stream(server)?);
    let server = if target.is_secure() { encrypt(&server, target).await? } else { server.upcast() };
    let (from_sink, to_server) = (sink.input_stream(), server.output_stream());
    let (from_server, to_sink) = (server.input_stream(), sink.output_stream());
    let back = glib::MainContext::ref_thread_default().spawn_local(async move {
        let _gone = pump(&from_server, &to_sink, Some(&heard)).await;
        // Nobody listens any more: that wakes who reads the sink.
        ends.map(|end| end.shutdown(Shutdown::Both))
    });
    if let Err(error) = begin(&from_sink, &to_server, here, target).await {
        tracing::debug!(%error, "the sink is gone before it has begun");
    }
    let _gone = pump(&from_sink, &to_server, None).await;
    // The server hears the last words, and ends it.
    let _said = to_say.shutdown(Shutdown::Write);
    let _gone = back.await;
    Ok(())
}

/// In their order, which is the system's.
fn connect(addresses: &[SocketAddr]) -> anyhow::Result<TcpStream> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_MAX) {
            Ok(server) => return Ok(server),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("it has no address"), anyhow::Error::from))
}

fn stream(socket: TcpStream) -> anyhow::Result<gio::SocketConnection> {
    socket.set_nodelay(true)?;
    let socket = gio::Socket::from_fd(socket.into())?;
    Ok(socket.connection_factory_create_connection())
}

/// Over TLS, with whoever has a certificate for the target's name.
async fn encrypt(server: &gio::SocketConnection, target: &PushUrl) -> anyhow::Result<gio::IOStream> {
    let (host, port) = target.host_and_port()?;
    let encrypted = gio::TlsClientConnection::new(server, Some(&gio::NetworkAddress::new(host, port)))?;
    let greeted = encrypted.handshake_future(glib::Priority::DEFAULT).await;
    greeted.context("the target doesn't show by TLS that it is the one")?;
    Ok(encrypted.upcast())
}

/// The handshake and the first message, in which the sink says where it believes itself to be.
async fn begin(
    from: &gio::InputStream,
    to: &gio::OutputStream,
    here: SocketAddr,
    target: &PushUrl,
) -> anyhow::Result<()> {
    for count in HANDSHAKE {
        let bytes = exactly(from, count).await?;
        write(to, bytes).await?;
    }
    let mut header = exactly(from, Connect::HEADER).await?;
    if let Some(chunked) = Connect::chunked(&header) {
        let payload = Connect::joined(&exactly(from, chunked).await?);
        header = Connect::told(&header, &payload, &format!("rtmp://{here}/"), &target.server());
    }
    write(to, header).await
}

/// The first message of an RTMP connection, in chunks of the 128 bytes everyone begins with (§5.3.1).
///
/// ```text
/// | fmt 0, stream (8) | timestamp (24) | length (24) | type (8) | message stream (32) | 128 bytes | 0xC0, stream (8) | 128 bytes | …
/// ```
struct Connect;

impl Connect {
    const HEADER: usize = 12;
    const CHUNK: usize = 128;
    /// A command in AMF0.
    const COMMAND: u8 = 20;
    /// AMF0's marker of a string, before its length of 16 bits.
    const STRING: u8 = 2;

    /// How many bytes follow the header of a command that comes first; none of anything else.
    fn chunked(header: &[u8]) -> Option<usize> {
        let [first, _, _, _, a, b, c, Self::COMMAND, ..] = *header else { return None };
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        (first >> 6 == 0 && (1..=64 << 10).contains(&length)).then(|| length + (length - 1) / Self::CHUNK)
    }

    fn joined(chunks: &[u8]) -> Vec<u8> {
        chunks.chunks(Self::CHUNK + 1).flat_map(|chunk| &chunk[..chunk.len().min(Self::CHUNK)]).copied().collect()
    }

    /// The whole message anew, with the address that begins so beginning otherwise.
    fn told(header: &[u8], payload: &[u8], here: &str, there: &str) -> Vec<u8> {
        let mut payload = payload.to_vec();
        let found = payload.windows(here.len()).position(|window| window == here.as_bytes()).filter(|at| *at >= 3);
        if let Some(at) = found
            && payload[at - 3] == Self::STRING
        {
            let length = u16::from_be_bytes([payload[at - 2], payload[at - 1]]);
            let length = usize::from(length).saturating_sub(here.len()) + there.len();
            payload.splice(at..at + here.len(), there.bytes());
            payload[at - 2..at].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
        let mut message = header.to_vec();
        message[4..7].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes()[1..]);
        let next = header[0] | 0xc0;
        for (number, chunk) in payload.chunks(Self::CHUNK).enumerate() {
            message.extend((number > 0).then_some(next));
            message.extend(chunk);
        }
        message
    }
}

/// Until one of them is closed; what comes from the target is noted.
async fn pump(from: &gio::InputStream, to: &gio::OutputStream, heard: Option<&Heard>) -> anyhow::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = from.read_future(buffer, glib::Priority::DEFAULT).await;
        let count = read.as_ref().map_or(0, |(_, count)| *count);
        if let Some(heard) = heard {
            heard.said.fetch_add(count, Ordering::AcqRel);
            heard.is_gone.fetch_or(count == 0, Ordering::AcqRel);
        }
        let (bytes, count) = read.map_err(|(_, error)| error)?;
        if count == 0 {
            return Ok(());
        }
        write(to, bytes[..count].to_vec()).await?;
        buffer = bytes;
    }
}

async fn exactly(from: &gio::InputStream, count: usize) -> anyhow::Result<Vec<u8>> {
    let read = from.read_all_future(vec![0; count], glib::Priority::DEFAULT).await;
    let (bytes, came, error) = read.map_err(|(_, error)| error)?;
    if let Some(error) = error {
        return Err(error.into());
    }
    anyhow::ensure!(came == count, "it ends after {came} of {count} bytes");
    Ok(bytes)
}

async fn write(to: &gio::OutputStream, bytes: Vec<u8>) -> anyhow::Result<()> {
    let written = to.write_all_future(bytes, glib::Priority::DEFAULT).await;
    let (.., error) = written.map_err(|(_, error)| error)?;
    error.map_or(Ok(()), |error| Err(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RTMP §5.3.1; reliability.md A14
    #[test]
    fn the_target_is_told_its_own_name() {
        let string = |text: &str| [&[2, 0, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
        let filling = string(&"x".repeat(120));
        let address = |url: &str| [filling.clone(), string(url), filling.clone()].concat();
        let header =
            |payload: &[u8]| [&[3, 0, 0, 0, 0, 1, (payload.len() - 256) as u8][..], &[20, 0, 0, 0, 0]].concat();
        let sent = address("rtmp://127.0.0.1:5/live");
        let told = address("rtmps://live.example.com:444/live");
        let message = Connect::told(&header(&sent), &sent, "rtmp://127.0.0.1:5/", "rtmps://live.example.com:444/");
        let (head, chunks) = message.split_at(Connect::HEADER);
        assert_eq!(head, header(&told));
        assert_eq!(Connect::chunked(head), Some(chunks.len()));
        assert_eq!((chunks[128], chunks[257]), (0xc3, 0xc3));
        assert_eq!(Connect::joined(chunks), told);
        // Another message is let through as it is.
        assert_eq!(Connect::chunked(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]), None);
        assert_eq!(Connect::told(&header(&told), &told, "rtmp://127.0.0.1:5/", "rtmp://h/"), message);
    }
}
