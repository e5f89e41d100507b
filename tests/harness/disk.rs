//! A disk of its own, small enough to be filled: a file system in memory, which takes being root.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail, ensure};
use tempfile::TempDir;

/// Mounted until it is dropped.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    pub fn of_mebibytes(size: u32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}m"), "tmpfs"])
            .arg(folder.path())
            .status()?;
        ensure!(mounted.success(), "no disk can be mounted here, which only root may: {mounted}");
        Ok(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Not a byte more has room on it.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        for size in [64 << 10, 1] {
            let piece = vec![0x55; size];
            loop {
                match ballast.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => bail!(error),
                }
            }
        }
        Ok(())
    }

    /// All that [`Disk::fill`] has taken.
    pub fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Files that somebody has open are let go of when he ends.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}
