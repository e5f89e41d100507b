//! Whose certificates are believed of servers that are pushed to over TLS: the system's authorities, as GLib finds them, and on
//! wish those of a file.

use std::{
    fs::{self, File},
    io::Write,
    os::fd::AsRawFd,
    path::Path,
};

use anyhow::Context;
use gio::prelude::*;

/// Where systems have their authorities in one file: Debian's kind, then Fedora's.
const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Those of this file are believed as well, from now on and for as long as what is returned lives: GLib's library reads
/// it again for each connection.
pub(crate) fn believe_too(authority: &Path) -> anyhow::Result<File> {
    let mut all = tempfile::tempfile().context("a temporary file")?;
    if let Some(system) = SYSTEM.iter().find_map(|path| fs::read(path).ok()) {
        all.write_all(&system)?;
        all.write_all(b"\n")?;
    }
    let more = fs::read(authority).with_context(|| format!("{} can't be read", authority.display()))?;
    all.write_all(&more)?;
    let path = format!("/proc/self/fd/{}", all.as_raw_fd());
    let database = gio::TlsFileDatabase::new(path);
    let database = database.with_context(|| format!("{} has no certificates", authority.display()))?;
    gio::TlsBackend::default().set_default_database(Some(&database));
    Ok(all)
}
