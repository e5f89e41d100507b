//! coturn, a TURN server of somebody else's making.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::server::free;

/// One TURN server.
pub struct Coturn {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
}

impl Coturn {
    /// Starts one that shares this secret.
    pub fn start(secret: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (address, relays) = (free(1)?, free(40)?.port());
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new("turnserver")
            .args(["-n", "--use-auth-secret", "--realm", "turn.test", "--no-tls", "--no-dtls", "--no-cli"])
            .args(["--allow-loopback-peers", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1"])
            .args(["--log-file", "stdout", "--static-auth-secret", secret])
            .args(["--listening-port", &address.port().to_string()])
            .args(["--min-port", &relays.to_string(), "--max-port", &(relays + 39).to_string()])
            .arg("--pidfile")
            .arg(folder.path().join("pid"))
            .arg("--userdb")
            .arg(folder.path().join("db"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("turnserver doesn't start; scripts/setup.sh test installs it")?;
        Ok(Self { child, folder, address })
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
