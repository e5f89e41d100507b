//! A player of low-latency HLS as the server meets it: asks for each next part by blocking reload over one connection
//! (RFC 8216bis §6.2.5.2) and notes when it could be fetched. It decodes nothing.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use nix::sys::{
    socket::{MsgFlags, cmsg_space, recvmsg},
    time::TimeSpec,
};
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::TcpStream,
    time::Instant,
};

/// Of a picture's time.
const TICKS_PER_MS: f64 = 90.0;

/// Longest head of an answer.
const HEAD_MAX: usize = 8 << 10;

/// Read at once.
const READ_BYTES: usize = 4 << 10;

/// Thrown away at once.
const SKIPPED_BYTES: usize = 256 << 10;

/// Longest body of an answer: a segment at ten times our bit rate.
const BODY_MAX: usize = 8 << 20;

/// One connection that is kept (RFC 9112 §9.3).
pub(in crate::bench) struct Connection {
    host: SocketAddr,
    stream: TcpStream,
    bytes: Vec<u8>,
    /// Of what was read last.
    taken: usize,
    /// When the kernel had the last of it, since 1970.
    came: Duration,
}

impl Connection {
    pub(in crate::bench) async fn open(host: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        plane::stamp(&stream)?;
        Ok(Self { host, stream, bytes: Vec::new(), taken: 0, came: Duration::ZERO })
    }

    /// The status and the body.
    pub(in crate::bench) async fn get(&mut self, path: &str) -> anyhow::Result<(u16, &[u8])> {
        self.ask(path).await?;
        self.answer().await
    }

    pub(in crate::bench) async fn ask(&mut self, path: &str) -> anyhow::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        Ok(self.stream.write_all(request.as_bytes()).await?)
    }

    /// The status and the body of what was asked for.
    pub(in crate::bench) async fn answer(&mut self) -> anyhow::Result<(u16, &[u8])> {
        let (status, head, length) = self.head().await?;
        while self.bytes.len() < head + length {
            self.more(head + length).await?;
        }
        self.taken = head + length;
        Ok((status, &self.bytes[head..head + length]))
    }

    /// The status alone: what else comes is not looked at, nor copied by the kernel (MSG_TRUNC in tcp(7)).
    pub(in crate::bench) async fn skip(&mut self, path: &str) -> anyhow::Result<u16> {
        self.ask(path).await?;
        let (status, head, length) = self.head().await?;
        let mut left = (head + length).saturating_sub(self.bytes.len());
        self.taken = self.bytes.len().min(head + length);
        while left > 0 {
            left -= self.receive(|stream| SKIPPED.with_borrow_mut(|place| skip(stream, place, left))).await?;
        }
        Ok(status)
    }

    /// Status, and lengths of head and body.
    async fn head(&mut self) -> anyhow::Result<(u16, usize, usize)> {
        self.bytes.drain(..std::mem::take(&mut self.taken));
        let head = loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more(HEAD_MAX).await?;
        };
        let text = String::from_utf8_lossy(&self.bytes[..head]).to_ascii_lowercase();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).context("an answer has a status")?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.context("an answer tells its length")?;
        if length > BODY_MAX {
            bail!("an answer of {length} bytes");
        }
        Ok((status, head, length))
    }

    async fn more(&mut self, most: usize) -> anyhow::Result<()> {
        if self.bytes.len() > most {
            bail!("an answer without end");
        }
        let start = self.bytes.len();
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(start + READ_BYTES, 0);
        let length = self.receive(|stream| read(stream, &mut bytes[start..], MsgFlags::empty())).await?;
        bytes.truncate(start + length);
        self.bytes = bytes;
        Ok(())
    }

    async fn receive(
        &mut self,
        mut read: impl FnMut(&TcpStream) -> io::Result<(usize, Option<Duration>)>,
    ) -> anyhow::Result<usize> {
        let (length, came) = self.stream.async_io(Interest::READABLE, || read(&self.stream)).await?;
        self.came = came.unwrap_or(self.came);
        if length == 0 {
            bail!("the server has closed the connection");
        }
        Ok(length)
    }

    /// When the kernel had the end of the last answer, since 1970: however late it was read.
    pub(in crate::bench) fn came(&self) -> Duration {
        self.came
    }
}

/// How much, and when the last of it came.
fn read(stream: &TcpStream, place: &mut [u8], flags: MsgFlags) -> io::Result<(usize, Option<Duration>)> {
    let mut space = [0; cmsg_space::<TimeSpec>()];
    let mut slices = [IoSliceMut::new(place)];
    let read = recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    Ok((read.bytes, plane::stamp_of(&read)?))
}

thread_local! {
    static SKIPPED: RefCell<Vec<u8>> = RefCell::new(vec![0; SKIPPED_BYTES]);
}

/// The same, not more than so much, of what nobody wants to see.
fn skip(stream: &TcpStream, place: &mut [u8], most: usize) -> io::Result<(usize, Option<Duration>)> {
    let most = most.min(place.len());
    read(stream, &mut place[..most], MsgFlags::MSG_TRUNC)
}

/// A playlist's parts and where it ends.
#[derive(Debug, Default, PartialEq)]
pub(in crate::bench) struct Playlist {
    /// The last picture or sound of each part begins before this time of the studio's, in ms since 1970.
    pub(in crate::bench) parts: Vec<(String, f64)>,
    /// What is to be asked for next.
    pub(in crate::bench) next: (u64, u64),
    /// The part that comes next, which may be asked for already (EXT-X-PRELOAD-HINT).
    pub(in crate::bench) hinted: Option<String>,
}

impl Playlist {
    pub(in crate::bench) fn parse(text: &str) -> Self {
        let mut playlist = Self::default();
        let (mut msn, mut part, mut at_ms) = (0, 0, 0.0);
        for line in text.lines() {
            if let Some(first) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                msn = first.parse().unwrap_or(0);
            } else if let Some(skipped) = line.strip_prefix("#EXT-X-SKIP:SKIPPED-SEGMENTS=") {
                msn += skipped.split(',').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            } else if let Some(time) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
                let time: Option<jiff::Timestamp> = time.parse().ok();
                at_ms = time.map_or(at_ms, |time| time.as_microsecond() as f64 / 1e3);
            } else if line.starts_with("#EXT-X-PART:") {
                part += 1;
                at_ms += attribute(line, "DURATION").and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0) * 1e3;
                playlist.parts.extend(attribute(line, "URI").map(|name| (name.to_owned(), at_ms)));
            } else if line.starts_with("#EXT-X-PRELOAD-HINT:TYPE=PART") {
                playlist.hinted = attribute(line, "URI").map(str::to_owned);
            } else if line.starts_with("#EXTINF") {
                (msn, part) = (msn + 1, 0);
            }
        }
        playlist.next = (msn, part);
        playlist
    }
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = line.split_once(':')?.1.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

/// Follows one track until `until`: for each part, when its playlist had come, and how many milliseconds that was after its end by
/// the studio's clock.
pub(in crate::bench) async fn follow(
    host: SocketAddr,
    folder: &str,
    track: &str,
    until: Instant,
) -> anyhow::Result<Vec<(Instant, f64)>> {
    let mut connection = Connection::open(host).await?;
    let mut came = Vec::new();
    let (_, body) = connection.get(&format!("{folder}/{track}.m3u8")).await?;
    let mut playlist = Playlist::parse(&String::from_utf8_lossy(body));
    let mut seen: BTreeSet<String> = playlist.parts.drain(..).map(|(name, _)| name).collect();
    while Instant::now() < until {
        let (msn, part) = playlist.next;
        let path = format!("{folder}/{track}.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES");
        let (status, body) = connection.get(&path).await?;
        if status != 200 {
            bail!("{path} is answered by {status}");
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let now_ms = now.as_secs_f64() * 1e3;
        playlist = Playlist::parse(&String::from_utf8_lossy(body));
        for (name, end_ms) in &playlist.parts {
            if seen.insert(name.clone()) {
                came.push((Instant::now(), now_ms - end_ms));
            }
        }
    }
    Ok(came)
}

/// One picture of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::bench) struct Stand {
    /// How long it is seen, in milliseconds.
    pub(in crate::bench) ms: f64,
    /// It doesn't begin where the one before it ends.
    pub(in crate::bench) is_torn: bool,
}

/// Follows the picture and fetches it: each of them.
pub(in crate::bench) async fn stands(host: SocketAddr, folder: &str, until: Instant) -> anyhow::Result<Vec<Stand>> {
    let mut connection = Connection::open(host).await?;
    let (_, body) = connection.get(&format!("{folder}/video.m3u8")).await?;
    let mut playlist = Playlist::parse(&String::from_utf8_lossy(body));
    let mut known: BTreeSet<String> = playlist.parts.drain(..).map(|(name, _)| name).collect();
    let (mut stands, mut ended) = (Vec::new(), None);
    while Instant::now() < until {
        let (msn, part) = playlist.next;
        let path = format!("{folder}/video.m3u8?_HLS_msn={msn}&_HLS_part={part}&_HLS_skip=YES");
        let (status, body) = connection.get(&path).await?;
        anyhow::ensure!(status == 200, "{path} is answered by {status}");
        playlist = Playlist::parse(&String::from_utf8_lossy(body));
        for (name, _) in &playlist.parts {
            if known.insert(name.clone()) {
                let (status, part) = connection.get(&format!("{folder}/{name}")).await?;
                anyhow::ensure!(status == 200, "{name} is answered by {status}");
                let (start, ticks) = samples(part).with_context(|| format!("{name} has no samples"))?;
                let is_torn = ended.is_some_and(|ended| ended != start);
                ended = Some(start + ticks.iter().copied().map(u64::from).sum::<u64>());
                let stand =
                    |(index, ticks)| Stand { ms: f64::from(ticks) / TICKS_PER_MS, is_torn: is_torn && index == 0 };
                stands.extend(ticks.into_iter().enumerate().map(stand));
            }
        }
    }
    Ok(stands)
}

/// Where a part begins in the track and the duration of each of its samples, as our packager writes them (ISO 14496-12 §8.8.12, and
/// §8.8.8 with data offset, duration, size and flags), in ticks of 90 kHz.
fn samples(part: &[u8]) -> Option<(u64, Vec<u32>)> {
    let after = |name: &[u8; 4]| part.get(part.windows(4).position(|four| four == name)? + 8..);
    let start = u64::from_be_bytes(*after(b"tfdt")?.first_chunk()?);
    let body = after(b"trun")?;
    let number = |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
    let count = number(0)? as usize;
    Some((start, (0..count).map(|sample| number(8 + sample * 12)).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_tells_when_its_pictures_are_seen() {
        let words = [0x0701_u32, 2, 100, 3_000, 40, 0, 6_000, 41, 0];
        let part: Vec<u8> = b"\0\0\0\x14tfdt\x01\0\0\0\0\0\0\x01\0\0\0\x05\0\0\0\x30trun"
            .iter()
            .copied()
            .chain(words.into_iter().flat_map(u32::to_be_bytes))
            .collect();
        assert_eq!(samples(&part), Some(((1 << 32) + 5, vec![3_000, 6_000])));
        assert_eq!(samples(&part[..50]), None);
    }

    #[test]
    fn a_playlist_tells_what_comes_next() {
        let text = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10.000Z\n\
            #EXT-X-PART:DURATION=0.20000,URI=\"video-p1.m4s\",INDEPENDENT=YES\n#EXTINF:0.20000,\nvideo-9.m4s\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:12.000Z\n\
            #EXT-X-PART:DURATION=0.20000,URI=\"video-p2.m4s\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"video-p3.m4s\"\n";
        let playlist = Playlist::parse(text);
        assert_eq!(playlist.next, (10, 1));
        let parts = [("video-p1.m4s".to_owned(), 10_200.0), ("video-p2.m4s".to_owned(), 12_200.0)];
        assert_eq!(playlist.parts, parts);
        assert_eq!(playlist.hinted.as_deref(), Some("video-p3.m4s"));
    }
}
