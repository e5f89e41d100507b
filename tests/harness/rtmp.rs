//! nginx with its RTMP module: a server of somebody else's making that livestreams are pushed to.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::server::free;

/// One RTMP server that writes down all it is sent as `live`, and takes nothing as `denied`, nor as `asks`, where it asks a web server that
/// says no.
pub struct Rtmp {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
}

impl Rtmp {
    /// Starts one on a free port.
    pub fn start() -> Result<Self> {
        Self::start_at(free(1)?)
    }

    /// Starts one where another was.
    pub fn start_at(address: SocketAddr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (path, asked) = (folder.path().display(), free(1)?);
        let configuration = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n\
             daemon off; master_process off; user root; worker_processes 1; pid {path}/pid; error_log {path}/log info;\n\
             events {{ worker_connections 64; }}\n\
             rtmp {{ access_log off; server {{ listen {address}; application live {{\n\
               live on; record all; record_path {path}; record_suffix .flv;\n\
             }} application denied {{ live on; deny publish all;\n\
             }} application asks {{ live on; on_publish http://{asked}/; }} }} }}\n\
             http {{ access_log off; server {{ listen {asked}; location / {{ return 403; }} }} }}\n"
        );
        fs::write(folder.path().join("nginx.conf"), configuration)?;
        let child = Command::new("/usr/sbin/nginx")
            .args(["-p", &path.to_string(), "-c", &format!("{path}/nginx.conf"), "-e", &format!("{path}/log")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx doesn't start; scripts/setup.sh test installs it")?;
        Ok(Self { child, folder, address })
    }

    /// What came under this key so far.
    pub fn film(&self, key: &str) -> PathBuf {
        self.folder.path().join(format!("{key}.flv"))
    }
}

impl Drop for Rtmp {
    fn drop(&mut self) {
        // One that has ended already is no failure of the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
