//! Encoders that come into a meeting by RTMP (B9; Adobe's RTMP 1.0), for those that know no WHIP: the application is the meeting, the
//! stream's key its encoder token.

use std::{
    any::Any,
    cell::Cell,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use conference::{Action, MediaRefused, Seat};
use media::TrackKind;
use model::MeetingId;
use rml_rtmp::{
    handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType},
    sessions::{ServerSession, ServerSessionConfig, ServerSessionError, ServerSessionEvent, ServerSessionResult},
};
use streaming::{IngestError, IngestInput, IngestOutput, Streaming};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};
use tracing::Instrument;

use crate::{
    App,
    whip::{leave, may_stay},
};

/// Connections at once, of all hosts and of one.
const CONNECTIONS_MAX: usize = 256;
const OF_ONE_HOST_MAX: usize = 16;

/// From the connection until the stream begins; and while nothing comes of it. An encoder sends many times a second.
const PATIENCE: Duration = Duration::from_secs(15);

/// What may come before somebody is known by his key: the handshake takes 3 KiB, the commands little more.
const BEFORE_BYTES_MAX: usize = 64 << 10;

/// Read at once.
const READ_BYTES: usize = 32 << 10;

/// Packets brought at once: one picture's.
const PACKETS_MAX: usize = 32;

/// Media of an FLV file (its tags, annex E.4.1).
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("it said nothing")]
    Silent,
    #[error("it said too much before it said who it is")]
    TooMuch,
    #[error("the token is not valid")]
    Token,
    #[error("the meeting does not take it: {0}")]
    Refused(String),
    #[error("it is sent away")]
    SentAway,
    #[error("it has ended")]
    Over,
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Media(#[from] MediaRefused),
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("no handshake: {0}")]
    Handshake(#[from] HandshakeError),
    #[error("no RTMP: {0}")]
    Session(#[from] ServerSessionError),
    #[error("no RTMP: the library gave up: {0}")]
    Panic(String),
}

thread_local! {
    /// What this thread does just now may panic, and is caught.
    static READS: Cell<bool> = const { Cell::new(false) };
}

/// The library reckons with lengths as strangers write them: a message that grows shorter while it comes is below nothing to it. What it
/// panics with is said once, in the line that ends the connection: the lines of a panic, or a page with its backtrace, would be a stranger's
/// to write as often as he likes.
fn read_by<T, E: Into<Ended>>(library: impl FnOnce() -> Result<T, E>) -> Result<T, Ended> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            if !READS.get() {
                loud(what)
            }
        }));
    });
    READS.set(true);
    let read = catch_unwind(AssertUnwindSafe(library));
    READS.set(false);
    read.map_err(|panicked| Ended::Panic(words_of(&*panicked)))?.map_err(Into::into)
}

fn words_of(panicked: &(dyn Any + Send)) -> String {
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panicked.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

/// Takes encoders until the program ends.
pub(crate) async fn serve(listener: TcpListener, app: App, streaming: Streaming) {
    let hosts: Hosts = Arc::default();
    loop {
        let (socket, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no encoder can be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = Place::take(&hosts, from.ip()) else {
            metrics::counter!("api_rtmp_refused").increment(1);
            continue;
        };
        let (app, streaming) = (app.clone(), streaming.clone());
        let serving = async move {
            let served = Encoder::new(socket, from).serve(&app, &streaming).await;
            let ended = served.err().unwrap_or(Ended::Over);
            tracing::info!(reason = %ended, "encoder by RTMP has ended");
            drop(place);
        };
        tokio::spawn(serving.instrument(tracing::info_span!("rtmp", %from)));
    }
}

/// How many connections each host has.
type Hosts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// One of them, given back when dropped.
struct Place {
    hosts: Hosts,
    host: IpAddr,
}

impl Place {
    fn take(hosts: &Hosts, host: IpAddr) -> Option<Self> {
        let mut known = hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if known.values().sum::<usize>() >= CONNECTIONS_MAX || known.get(&host).is_some_and(|of| *of >= OF_ONE_HOST_MAX)
        {
            return None;
        }
        *known.entry(host).or_default() += 1;
        Some(Self { hosts: Arc::clone(hosts), host })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of) = known.get_mut(&self.host) {
            *of -= 1;
            if *of == 0 {
                known.remove(&self.host);
            }
        }
    }
}

/// What is asked for before the stream begins.
struct Wanted {
    request: u32,
    meeting: MeetingId,
    token: String,
}

struct Encoder {
    socket: TcpStream,
    source: IpAddr,
    buffer: Vec<u8>,
}

impl Encoder {
    fn new(socket: TcpStream, from: SocketAddr) -> Self {
        Self { socket, source: from.ip().to_canonical(), buffer: vec![0; READ_BYTES] }
    }

    async fn read(&mut self) -> Result<usize, Ended> {
        match timeout(PATIENCE, self.socket.read(&mut self.buffer)).await {
            Ok(Ok(0)) => Err(Ended::Over),
            Ok(Ok(count)) => Ok(count),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Ended::Silent),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        timeout(PATIENCE, self.socket.write_all(bytes)).await.map_err(|_| Ended::Silent)?.map_err(Ended::Socket)
    }

    async fn serve(mut self, app: &App, streaming: &Streaming) -> Result<(), Ended> {
        let begun = timeout(PATIENCE, self.begin(app)).await;
        let (mut session, seat, wanted) = begun.map_err(|_| Ended::Silent)??;
        self.publish(app, streaming, &mut session, seat, &wanted).await
    }

    /// Handshake and commands, until it is known who comes.
    async fn begin(&mut self, app: &App) -> Result<(ServerSession, Seat, Wanted), Ended> {
        let mut handshake = Handshake::new(PeerType::Server);
        let mut before = 0;
        let mut rest = loop {
            let count = self.read().await?;
            before += count;
            match read_by(|| handshake.process_bytes(&self.buffer[..count]))? {
                HandshakeProcessResult::InProgress { response_bytes } => self.write(&response_bytes).await?,
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    self.write(&response_bytes).await?;
                    break remaining_bytes;
                }
            }
        };
        let (mut session, results) = ServerSession::new(ServerSessionConfig::new())?;
        self.answer(&mut session, results).await?;
        loop {
            let results = read_by(|| session.handle_input(&rest))?;
            if let Some(wanted) = self.answer(&mut session, results).await? {
                let joined = app.conference.join_encoder(wanted.meeting, &wanted.token, self.source).await;
                let refused = match joined {
                    Ok(seat) => return Ok((session, seat, wanted)),
                    Err(conference::EncoderRefused::Token) => Ended::Token,
                    Err(other) => Ended::Refused(other.to_string()),
                };
                let said = session.reject_request(wanted.request, "NetStream.Publish.BadName", &refused.to_string())?;
                self.answer(&mut session, said).await?;
                return Err(refused);
            }
            let count = self.read().await?;
            before += count;
            if before > BEFORE_BYTES_MAX {
                return Err(Ended::TooMuch);
            }
            rest = self.buffer[..count].to_vec();
        }
    }

    /// Sends what is to be sent and takes what is asked; whoever wants to send a stream comes back.
    async fn answer(
        &mut self,
        session: &mut ServerSession,
        results: Vec<ServerSessionResult>,
    ) -> Result<Option<Wanted>, Ended> {
        let mut results = std::collections::VecDeque::from(results);
        let mut wanted = None;
        while let Some(result) = results.pop_front() {
            match result {
                ServerSessionResult::OutboundResponse(packet) => self.write(&packet.bytes).await?,
                ServerSessionResult::RaisedEvent(
                    ServerSessionEvent::ConnectionRequested { request_id, .. }
                    | ServerSessionEvent::ReleaseStreamRequested { request_id, .. },
                ) => results.extend(session.accept_request(request_id)?),
                ServerSessionResult::RaisedEvent(ServerSessionEvent::PublishStreamRequested {
                    request_id,
                    app_name,
                    stream_key,
                    ..
                }) => {
                    // What is behind a question mark concerns other servers.
                    let key = stream_key.split('?').next().unwrap_or_default();
                    if let Ok(meeting) = app_name.trim_matches('/').parse() {
                        wanted = Some(Wanted { request: request_id, meeting, token: key.to_owned() });
                    } else {
                        let said = Ended::Token.to_string();
                        results.extend(session.reject_request(request_id, "NetStream.Publish.BadName", &said)?);
                    }
                }
                ServerSessionResult::RaisedEvent(ServerSessionEvent::PlayStreamRequested { request_id, .. }) => {
                    let said = "watch by HLS or WHEP";
                    results.extend(session.reject_request(request_id, "NetStream.Play.Failed", said)?);
                }
                ServerSessionResult::RaisedEvent(_) | ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(wanted)
    }

    /// Until it goes, is sent away, or its token is taken back.
    async fn publish(
        &mut self,
        app: &App,
        streaming: &Streaming,
        session: &mut ServerSession,
        mut seat: Seat,
        wanted: &Wanted,
    ) -> Result<(), Ended> {
        let (handle, participant) = (seat.handle.clone(), seat.participant);
        let ended = async {
            let keyframe_wanted = Arc::new(Notify::new());
            let (input, mut output) = match streaming.ingest().await {
                Ok(started) => started,
                Err(error) => {
                    let said =
                        session.reject_request(wanted.request, "NetStream.Publish.Denied", &error.to_string())?;
                    self.answer(session, said).await?;
                    return Err(error.into());
                }
            };
            handle.begin_bringing(participant, Arc::clone(&keyframe_wanted)).await?;
            let said = session.accept_request(wanted.request)?;
            self.answer(session, said).await?;
            tracing::info!(meeting_id = %wanted.meeting, %participant, "encoder has come by RTMP");
            input.flv(Bytes::from_static(&FLV_HEAD)).await?;
            let bringing = bring(&seat.handle, seat.participant, &mut output);
            let staying = may_stay(app, &mut seat.events, wanted.meeting, &wanted.token);
            let asking = async {
                loop {
                    keyframe_wanted.notified().await;
                    input.want_keyframe();
                }
            };
            tokio::select! {
                ended = self.pass_on(session, &input) => ended,
                ended = bringing => ended,
                () = staying => Err(Ended::SentAway),
                () = asking => Ok(()),
            }
        }
        .await;
        leave(&handle, participant).await;
        ended
    }

    async fn pass_on(&mut self, session: &mut ServerSession, input: &IngestInput) -> Result<(), Ended> {
        let mut tags = BytesMut::new();
        loop {
            let count = self.read().await?;
            let results = read_by(|| session.handle_input(&self.buffer[..count]))?;
            let mut others = Vec::new();
            for result in results {
                match result {
                    ServerSessionResult::RaisedEvent(ServerSessionEvent::AudioDataReceived {
                        data, timestamp, ..
                    }) => put_tag(&mut tags, AUDIO, timestamp.value, &data),
                    ServerSessionResult::RaisedEvent(ServerSessionEvent::VideoDataReceived {
                        data, timestamp, ..
                    }) => put_tag(&mut tags, VIDEO, timestamp.value, &data),
                    ServerSessionResult::RaisedEvent(ServerSessionEvent::PublishStreamFinished { .. }) => {
                        return Ok(());
                    }
                    other => others.push(other),
                }
            }
            if !tags.is_empty() {
                input.flv(tags.split().freeze()).await?;
            }
            // One stream a connection.
            self.answer(session, others).await?;
        }
    }
}

/// An FLV file with sound and pictures begins so (annex E.2), and with the size of the tag before the first.
const FLV_HEAD: [u8; 13] = [b'F', b'L', b'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];

/// Annex E.4.1.
fn put_tag(tags: &mut BytesMut, kind: u8, timestamp: u32, data: &[u8]) {
    let Some(size) = u32::try_from(data.len()).ok().filter(|size| *size < 1 << 24) else { return };
    tags.reserve(data.len() + 15);
    tags.put_u8(kind);
    tags.put_uint(size.into(), 3);
    tags.put_uint(u64::from(timestamp & 0xff_ffff), 3);
    tags.put_u8((timestamp >> 24) as u8);
    tags.put_uint(0, 3);
    tags.extend_from_slice(data);
    tags.put_u32(size + 11);
}

/// Brings what comes of the stream into the meeting.
async fn bring(
    handle: &conference::MeetingHandle,
    participant: model::ParticipantId,
    output: &mut IngestOutput,
) -> Result<(), Ended> {
    let mut has_picture = false;
    loop {
        let mut packets = vec![output.next().await?];
        while packets.len() < PACKETS_MAX
            && let Some(packet) = output.try_next()?
        {
            packets.push(packet);
        }
        if !has_picture && packets.iter().any(|(kind, _)| *kind == TrackKind::Camera) {
            has_picture = true;
            // Where the host wants no pictures, none are shown.
            let _ = handle.command(participant, Action::Camera { on: true }).await;
        }
        handle.bring(participant, packets).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_as_the_file_format_has_it() {
        let mut tags = BytesMut::new();
        put_tag(&mut tags, VIDEO, 0x0102_0304, b"abc");
        assert_eq!(tags[..], [9, 0, 0, 3, 2, 3, 4, 1, 0, 0, 0, b'a', b'b', b'c', 0, 0, 0, 14]);
    }

    #[test]
    fn one_host_has_so_many_connections_and_gets_them_back() {
        let hosts: Hosts = Arc::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let places: Vec<_> = (0..OF_ONE_HOST_MAX).map(|_| Place::take(&hosts, one).unwrap()).collect();
        assert!(Place::take(&hosts, one).is_none());
        assert!(Place::take(&hosts, other).is_some());
        drop(places);
        assert!(Place::take(&hosts, one).is_some());
        assert!(hosts.lock().unwrap().is_empty());
    }
}
