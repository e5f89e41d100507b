//! Files handed round in a meeting's chat (C21): on the disk for as long as the meeting lasts.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{Action, FileKind, HandedFile, MeetingId, ParticipantId, Refusal, check_name};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};
use uuid::Uuid;

use crate::{Conference, MeetingHandle};

/// The largest file, and all of one meeting together. What is larger belongs on a company's file server.
const FILE_BYTES_MAX: u64 = 50_000_000;
/// See [`FILE_BYTES_MAX`].
const MEETING_BYTES_MAX: u64 = 1_000_000_000;

/// Why a file is not handed round.
#[derive(Debug, thiserror::Error)]
pub enum FileRefused {
    /// Who has no seat in this meeting.
    #[error("no seat in this meeting")]
    NoSeat,
    /// The file, or all of the meeting's.
    #[error("it is larger than {FILE_BYTES_MAX} bytes, or the meeting's files than {MEETING_BYTES_MAX}")]
    TooLarge,
    /// The meeting says no: the name, or to whom.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The disk.
    #[error("the file can't be kept: {0}")]
    Disk(#[from] io::Error),
}

/// Where the files of all meetings are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    folder: Arc<Path>,
}

impl Files {
    /// Those of an earlier run of the server are of meetings that are over.
    pub(crate) fn new(folder: &Path) -> Self {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "old files can't be removed");
            }
            Ok(()) | Err(_) => {}
        }
        Self { folder: folder.into() }
    }

    fn of(&self, meeting: MeetingId) -> PathBuf {
        self.folder.join(meeting.to_string())
    }

    /// The meeting is over.
    pub(crate) async fn forget(&self, meeting: MeetingId) {
        match fs::remove_dir_all(self.of(meeting)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a meeting's files can't be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }

    async fn bytes(&self, meeting: MeetingId) -> io::Result<u64> {
        let mut all = match fs::read_dir(self.of(meeting)).await {
            Ok(all) => all,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut bytes = 0;
        while let Some(file) = all.next_entry().await? {
            bytes += file.metadata().await?.len();
        }
        Ok(bytes)
    }
}

/// A file that comes in. Dropped before it is handed round, it is gone.
pub struct FileDraft {
    by: ParticipantId,
    to: Option<ParticipantId>,
    meeting: MeetingHandle,
    handed: HandedFile,
    path: PathBuf,
    file: File,
    bytes_max: u64,
    is_kept: bool,
}

impl FileDraft {
    /// The next piece.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), FileRefused> {
        self.handed.bytes += piece.len() as u64;
        if self.handed.bytes > self.bytes_max {
            return Err(FileRefused::TooLarge);
        }
        Ok(self.file.write_all(piece).await?)
    }

    /// It is there: the others are told in the chat.
    pub async fn hand_round(self) -> Result<HandedFile, FileRefused> {
        let action = Action::HandRound { to: self.to, file: self.handed.clone() };
        self.keep(action).await
    }

    /// It is there: it is shown to the others (C20).
    pub async fn show(self, kind: FileKind) -> Result<HandedFile, FileRefused> {
        let action = Action::ShowFile { kind, file: self.handed.clone() };
        self.keep(action).await
    }

    async fn keep(mut self, action: Action) -> Result<HandedFile, FileRefused> {
        self.file.flush().await?;
        self.meeting.command(self.by, action).await.map_err(FileRefused::Refused)?;
        self.is_kept = true;
        Ok(self.handed.clone())
    }
}

impl Drop for FileDraft {
    fn drop(&mut self) {
        if !self.is_kept {
            // One that can't be removed goes with its meeting.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Conference {
    /// Begins to take a file from whoever has the seat that `secret` gives.
    pub async fn take_file(
        &self,
        meeting: MeetingId,
        secret: String,
        name: &str,
        to: Option<ParticipantId>,
    ) -> Result<FileDraft, FileRefused> {
        let seat = self.whose_seat(meeting, secret).await.ok_or(FileRefused::NoSeat)?;
        let (by, meeting) = (seat.participant, seat.meeting);
        let name = check_name(name).map_err(|_| FileRefused::Refused(Refusal::BadText))?;
        let files = &self.shared.resources.files;
        let left = MEETING_BYTES_MAX.saturating_sub(files.bytes(meeting.id).await?);
        let handed = HandedFile { id: Uuid::new_v4(), name, bytes: 0 };
        fs::create_dir_all(files.of(meeting.id)).await?;
        let path = files.of(meeting.id).join(handed.id.to_string());
        let file = File::create_new(&path).await?;
        let bytes_max = left.min(FILE_BYTES_MAX);
        Ok(FileDraft { by, to, meeting, handed, path, file, bytes_max, is_kept: false })
    }

    /// Where a file is; its id is known to those alone who were told of it.
    #[must_use]
    pub fn file(&self, meeting: MeetingId, id: Uuid) -> PathBuf {
        self.shared.resources.files.of(meeting).join(id.to_string())
    }
}
