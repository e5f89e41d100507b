//! stunnel: TLS of somebody else's making before a server that has none.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::server::free;

/// One that takes TLS at an address, with a certificate of its own authority for it.
pub struct Stunnel {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
}

impl Stunnel {
    /// What comes goes on to this address.
    pub fn start(to: SocketAddr) -> Result<Self> {
        let (address, folder) = (free(1)?, tempfile::tempdir()?);
        let within = |name: &str| folder.path().join(name).display().to_string();
        let (authority, its_key) = (within("authority.pem"), within("authority.key"));
        openssl(&["-keyout", &its_key, "-out", &authority, "-subj", "/CN=Authority of a test"])?;
        let host = format!("subjectAltName=IP:{}", address.ip());
        let (certificate, key) = (within("server.pem"), within("server.key"));
        let signed = ["-CA", &authority, "-CAkey", &its_key, "-addext", "basicConstraints=critical,CA:FALSE"];
        let own = ["-keyout", &key, "-out", &certificate, "-subj", "/CN=live", "-addext", &host];
        openssl(&[&own[..], &signed[..]].concat())?;
        let configuration = format!(
            "foreground = yes\npid =\nsyslog = no\n[rtmps]\naccept = {address}\nconnect = {to}\n\
             cert = {certificate}\nkey = {key}\n"
        );
        fs::write(folder.path().join("stunnel.conf"), configuration)?;
        let child = Command::new("stunnel4")
            .arg(folder.path().join("stunnel.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("stunnel doesn't start; scripts/setup.sh test installs it")?;
        Ok(Self { child, folder, address })
    }

    /// The certificate of who says that it is it.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

fn openssl(more: &[&str]) -> Result<()> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(more)
        .output()
        .context("openssl doesn't start")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

impl Drop for Stunnel {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
