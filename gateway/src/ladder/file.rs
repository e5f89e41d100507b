//! The files: one an hour or by size, named by the millisecond it begins at; written by one thread, read by whoever asks.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender},
    time::{Duration, SystemTime},
};

use sip::Message;

use super::{LadderConfig, packet};

/// A file is closed after so much time and so many bytes. Larger ones take longer to look through; smaller ones are many.
const FILE_MS: i64 = 3_600_000;
/// See [`FILE_MS`].
const FILE_BYTES: u64 = 32 << 20;

/// How often it is looked for what is too old, where nothing is written.
const LOOK: Duration = Duration::from_secs(600);

const DAY_MS: i64 = 24 * 3_600_000;

/// Messages before a call's record begins and after it ends: the INVITE's own, and repetitions of a BYE (RFC 3261
/// §17.1.2.2: 32 s).
const BEFORE_MS: i64 = 10_000;
/// See [`BEFORE_MS`].
const AFTER_MS: i64 = 40_000;

/// Messages shown of one call: who sends more has a loop, and its beginning tells all about it.
const MESSAGES_MAX: usize = 2_000;

/// What the thread is told.
pub(super) enum Work {
    Write(Vec<u8>),
    /// When everything before is written.
    Say(SyncSender<()>),
}

/// The writing side.
pub(super) struct Files {
    folder: PathBuf,
    days: i64,
    bytes_max: u64,
    current: Option<Current>,
}

struct Current {
    file: File,
    begun_ms: i64,
    bytes: u64,
}

impl Files {
    pub(super) fn open(config: &LadderConfig) -> io::Result<Self> {
        fs::create_dir_all(&config.folder)?;
        let files = Self {
            folder: config.folder.clone(),
            days: i64::from(config.days),
            bytes_max: config.bytes_max,
            current: None,
        };
        files.forget(now_ms());
        Ok(files)
    }

    /// Until nobody writes any more.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        let mut failing = false;
        loop {
            match work.recv_timeout(LOOK) {
                Ok(Work::Write(mut chunk)) => {
                    packet::scrub(&mut chunk);
                    let written = self.write(&chunk, now_ms());
                    if let Err(error) = &written {
                        self.current = None;
                        metrics::counter!("gateway_ladder_dropped").increment(1);
                        if !failing {
                            tracing::warn!(%error, "signalling can't be written down");
                        }
                    }
                    failing = written.is_err();
                }
                Ok(Work::Say(written)) => {
                    // Who asked may have gone.
                    let _ = written.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.forget(now_ms()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, chunk: &[u8], now_ms: i64) -> io::Result<()> {
        let is_full = |current: &Current| current.bytes >= FILE_BYTES || now_ms - current.begun_ms >= FILE_MS;
        if self.current.as_ref().is_none_or(is_full) {
            self.forget(now_ms);
            self.current = Some(self.begin(now_ms)?);
        }
        if let Some(current) = &mut self.current {
            current.file.write_all(chunk)?;
            current.bytes += chunk.len() as u64;
        }
        Ok(())
    }

    fn begin(&self, now_ms: i64) -> io::Result<Current> {
        // Whole numbers stand in these files: they are the server's alone.
        let path = self.folder.join(format!("{now_ms:013}.pcap"));
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        if file.metadata()?.len() == 0 {
            file.write_all(&packet::FILE_HEADER)?;
        }
        Ok(Current { file, begun_ms: now_ms, bytes: packet::FILE_HEADER.len() as u64 })
    }

    /// What is too old, and the oldest where there is too much.
    fn forget(&self, now_ms: i64) {
        let Ok(files) = list(&self.folder) else { return };
        let sizes: Vec<u64> = files.iter().map(|(_, path)| fs::metadata(path).map_or(0, |file| file.len())).collect();
        let mut bytes: u64 = sizes.iter().sum();
        for ((begun_ms, path), size) in files.iter().zip(sizes) {
            let is_old = begun_ms + FILE_MS < now_ms - self.days * DAY_MS;
            let is_current = self.current.as_ref().is_some_and(|current| current.begun_ms == *begun_ms);
            if is_current || !is_old && bytes <= self.bytes_max {
                continue;
            }
            match fs::remove_file(path) {
                Ok(()) => bytes -= size,
                Err(error) => tracing::warn!(%error, "old signalling can't be removed"),
            }
        }
    }
}

/// Of which call.
pub(super) struct Wanted<'a> {
    pub(super) call_id: &'a str,
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
}

/// Its messages as a file of packets; none where there are none.
pub(super) fn find(folder: &Path, wanted: &Wanted<'_>) -> io::Result<Option<Vec<u8>>> {
    let files = list(folder)?;
    let mut found = packet::FILE_HEADER.to_vec();
    let mut messages = 0;
    for (index, (begun_ms, path)) in files.iter().enumerate() {
        let ended_ms =
            files.get(index + 1).map_or(i64::MAX, |(next_ms, _)| next_ms + 2 * super::FLUSH.as_millis() as i64);
        if *begun_ms > wanted.until_ms + AFTER_MS || ended_ms < wanted.from_ms - BEFORE_MS {
            continue;
        }
        let file = match fs::read(path) {
            Ok(file) => file,
            // Too old meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for packet in packet::read(file.get(packet::FILE_HEADER.len()..).unwrap_or_default()) {
            let at_ms = i64::try_from(packet.at.as_millis()).unwrap_or(i64::MAX);
            let in_time = (wanted.from_ms - BEFORE_MS..=wanted.until_ms + AFTER_MS).contains(&at_ms);
            if in_time && is_of(packet.message, wanted.call_id) {
                found.extend_from_slice(packet.record);
                messages += 1;
                if messages >= MESSAGES_MAX {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok((messages > 0).then_some(found))
}

/// The field itself and not some other place: who chose another's Call-ID as a part of his own would read along.
fn is_of(message: &[u8], call_id: &str) -> bool {
    !call_id.is_empty()
        && packet::find(message, call_id.as_bytes()).is_some()
        && Message::parse(message).is_ok_and(|message| message.header("call-id") == Some(call_id))
}

/// With their beginnings, the oldest first.
fn list(folder: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let begun = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pcap")?.parse().ok());
        if let Some(begun_ms) = begun {
            files.push((begun_ms, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::packet::Way;

    const BEGIN_MS: i64 = 1_800_000_000_000;

    fn files(folder: &Path, days: i64, bytes_max: u64) -> Files {
        Files { folder: folder.to_owned(), days, bytes_max, current: None }
    }

    fn message(call_id: &str, size: usize, at_ms: i64) -> Vec<u8> {
        let text =
            format!("BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nCall-ID: {call_id}\r\nX: {}\r\n\r\n", "x".repeat(size));
        let way = Way { from: "192.0.2.1:5060".parse().unwrap(), to: "192.0.2.2:5060".parse().unwrap() };
        let mut out = Vec::new();
        packet::write(&mut out, Duration::from_millis(at_ms as u64), way, text.as_bytes());
        out
    }

    fn found(folder: &Path, call_id: &str, from_ms: i64) -> usize {
        let wanted = Wanted { call_id, from_ms, until_ms: from_ms + 1_000 };
        let found = find(folder, &wanted).unwrap();
        found.map_or(0, |file| packet::read(&file[packet::FILE_HEADER.len()..]).count())
    }

    // product: P9
    #[test]
    fn a_call_is_found_by_its_own_id_and_time_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), 7, 1 << 30);
        for at_ms in [0, 500, FILE_MS + 100, FILE_MS + 200] {
            for call_id in ["a", "ab", "x"] {
                files.write(&message(call_id, 10, BEGIN_MS + at_ms), BEGIN_MS + at_ms).unwrap();
            }
        }
        assert_eq!(list(folder.path()).unwrap().len(), 2, "a file an hour");
        assert_eq!(found(folder.path(), "a", BEGIN_MS), 2);
        assert_eq!(found(folder.path(), "ab", BEGIN_MS + FILE_MS), 2);
        assert_eq!(found(folder.path(), "x", BEGIN_MS + 2 * FILE_MS), 0);
        assert_eq!(found(folder.path(), "b", BEGIN_MS), 0);
    }

    #[test]
    fn what_is_old_or_too_much_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), 2, 40_000);
        for hour in 0..72 {
            let now_ms = BEGIN_MS + hour * FILE_MS;
            files.write(&message("a", 1_000, now_ms), now_ms).unwrap();
        }
        let begun: Vec<i64> =
            list(folder.path()).unwrap().into_iter().map(|(begun_ms, _)| (begun_ms - BEGIN_MS) / FILE_MS).collect();
        assert!(begun[0] >= 34 && begun.last() == Some(&71), "{begun:?}");
        let bytes: u64 = list(folder.path()).unwrap().iter().map(|(_, path)| fs::metadata(path).unwrap().len()).sum();
        assert!(bytes <= 42_000, "{bytes}");
        files.days = 1;
        files.bytes_max = u64::MAX;
        files.forget(BEGIN_MS + 96 * FILE_MS);
        let begun = list(folder.path()).unwrap();
        assert!(begun.iter().all(|(begun_ms, _)| *begun_ms >= BEGIN_MS + 71 * FILE_MS), "{begun:?}");
    }

    #[test]
    fn other_peoples_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["notes.txt", "x.pcap", "12.pcapng"] {
            fs::write(folder.path().join(name), "a").unwrap();
        }
        files(folder.path(), 1, 0).forget(BEGIN_MS);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
